/* Decimal -> float32 in three steps, each taken only when the one before can't tell:
 *   1. w < 2^53 and |q| <= 22: one double operation on exact operands (Clinger);
 *   2. w times a 128-bit power of five: the product is known to lie in a short interval, and is
 *      settled when no point halfway between two doubles lies in it (Eisel and Lemire);
 *   3. the decimal and that halfway point are compared as big integers.
 * Only values from 1e-46 to 1e39 come to step 2: below is 0 in float32, above is infinite. So the
 * double is always normal, and the table of powers is short. */
#include "ingest/decimal.h"

#include <assert.h>
#include <math.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

#define POINT_MIN (-45) /* a decimal below 10^-46 is less than half the least float32 */
#define POINT_MAX 39    /* one of 10^39 or more is beyond float32 */
#define HEAD      19    /* digits that surely fit in 64 bits */
#define POW5_MIN  (POINT_MIN - HEAD)

static const struct {
    uint64_t high, low;
} pow5[] = {
#define POW5(high, low) {high, low},
#include "pow5.def"
#undef POW5
};

static const double exact_pow10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
#define EXACT_POW10 22

/* A double by its integer mantissa (2^52 <= mantissa <= 2^53) and power of two. */
static double make_double(uint64_t mantissa, int exponent)
{
    const uint64_t bits = ((uint64_t)(exponent + 1074) << 52) + mantissa;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* What step 2 found: the value lies between mantissa * 2^exponent and the next double. */
struct rounding {
    uint64_t mantissa; /* 53 bits, rounded towards zero */
    int exponent;
    bool settled, up; /* settled: `up` says which of the two is nearest */
};

/* w (not 0) * 10^q, or up to (w + 1) * 10^q where more digits follow w. */
static struct rounding product(uint64_t w, int q, bool more)
{
    const int zeros = __builtin_clzll(w);
    w <<= zeros;
    const u128 high = (u128)w * pow5[q - POW5_MIN].high;
    const u128 p = high + (uint64_t)((u128)w * pow5[q - POW5_MIN].low >> 64);
    // one unit for the bits dropped here, one for those dropped in the table
    const u128 error = 2 + (more ? (u128)1 << (64 + zeros) : 0);
    const int shift = p >> 127 ? 75 : 74; // leaves 53 bits
    const u128 rest = p & (((u128)1 << shift) - 1), half = (u128)1 << (shift - 1);
    return (struct rounding){
        .mantissa = (uint64_t)(p >> shift),
        // 217706 / 2^16: log2(10), exact for these q
        .exponent = ((217706 * q) >> 16) - 63 - zeros + shift,
        .settled = rest > half || rest + error <= half,
        .up = rest > half,
    };
}

bool decimal_float_fast(uint64_t w, int64_t q, bool more, float *out)
{
    if (!more && w < (uint64_t)1 << 53 && q >= -EXACT_POW10 && q <= EXACT_POW10) {
        const double value = (double)w;
        *out = (float)(q < 0 ? value / exact_pow10[-q] : value * exact_pow10[q]);
        return true;
    }
    if (w == 0 || q < POW5_MIN) { // 2^64 * 10^-65 is 0 in float32 as well
        *out = 0;
        return true;
    }
    if (q > POINT_MAX - 1) {
        *out = INFINITY;
        return true;
    }
    const struct rounding r = product(w, (int)q, more);
    *out = (float)make_double(r.mantissa + r.up, r.exponent);
    return r.settled;
}

/* ---- step 3: big integers -------------------------------------------------------------------- */

/* 256 digits are 851 bits, shifted by at most 205; what they are compared with is about as large.
 */
#define LIMBS 18

struct big {
    size_t count; /* limbs in use; the last one is not 0 */
    uint64_t limb[LIMBS];
};

/* big = big * factor + add */
static void big_multiply(struct big *big, uint64_t factor, uint64_t add)
{
    for (size_t i = 0; i < big->count; i++) {
        const u128 value = (u128)big->limb[i] * factor + add;
        big->limb[i] = (uint64_t)value;
        add = (uint64_t)(value >> 64);
    }
    if (add == 0) return;
    assert(big->count < LIMBS);
    big->limb[big->count++] = add;
}

static void big_multiply_pow5(struct big *big, int64_t power)
{
    const uint64_t pow5_27 = 7450580596923828125; // the largest that fits in 64 bits
    for (; power >= 27; power -= 27) big_multiply(big, pow5_27, 0);
    for (; power > 0; power--) big_multiply(big, 5, 0);
}

static void big_shift(struct big *big, int64_t bits)
{
    for (; bits >= 63; bits -= 63) big_multiply(big, (uint64_t)1 << 63, 0);
    big_multiply(big, (uint64_t)1 << bits, 0);
}

static int big_compare(const struct big *a, const struct big *b)
{
    if (a->count != b->count) return a->count > b->count ? 1 : -1;
    for (size_t i = a->count; i-- > 0;)
        if (a->limb[i] != b->limb[i]) return a->limb[i] > b->limb[i] ? 1 : -1;
    return 0;
}

/* The sign of decimal - half * 2^exponent. */
static int compare_halfway(const struct decimal *decimal, uint64_t half, int exponent)
{
    struct big a = {0}, b = {.count = 1, .limb = {half}};
    for (size_t i = 0; i < decimal->count; i++) big_multiply(&a, 10, decimal->digit[i]);
    // a * 5^power * 2^power against b * 2^exponent
    const int64_t power = decimal->point - (int64_t)decimal->count, shift = exponent - power;
    if (power > 0) big_multiply_pow5(&a, power);
    if (power < 0) big_multiply_pow5(&b, -power);
    if (shift > 0) big_shift(&b, shift);
    if (shift < 0) big_shift(&a, -shift);
    const int order = big_compare(&a, &b);
    return order == 0 && decimal->more ? 1 : order;
}

/* ---- the whole ------------------------------------------------------------------------------- */

void decimal_append(struct decimal *decimal, unsigned digit)
{
    if (digit == 0 && decimal->count == 0) return;
    if (decimal->count < DECIMAL_DIGITS)
        decimal->digit[decimal->count++] = (uint8_t)digit;
    else if (digit != 0)
        decimal->more = true;
}

static float magnitude(const struct decimal *decimal)
{
    if (decimal->count == 0 || decimal->point < POINT_MIN) return 0;
    if (decimal->point > POINT_MAX) return INFINITY;
    const size_t head = decimal->count < HEAD ? decimal->count : HEAD;
    uint64_t w = 0;
    for (size_t i = 0; i < head; i++) w = w * 10 + decimal->digit[i];
    const bool more = decimal->count > head || decimal->more;
    struct rounding r = product(w, (int)(decimal->point - (int64_t)head), more);
    if (!r.settled) {
        const int order = compare_halfway(decimal, 2 * r.mantissa + 1, r.exponent - 1);
        r.up = order > 0 || (order == 0 && (r.mantissa & 1));
    }
    return (float)make_double(r.mantissa + r.up, r.exponent);
}

float decimal_float(const struct decimal *decimal)
{
    const float value = magnitude(decimal);
    return decimal->negative ? -value : value;
}
