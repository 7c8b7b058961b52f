/* The shortest decimal of a float by R. Giulietti's method (Schubfach).
 *
 * The float is c * 2^q, and all decimals between the two points halfway to its neighbours read back
 * as it. With k = floor(log10(2^q)) that interval is between 1 and 10 units of 10^k wide: so among
 * the multiples of 10^(k+1) at most one lies in it, and among those of 10^k one at least. All three
 * points are scaled by a power of ten that is known to 64 bits; what is lost below is kept as one
 * sticky bit, which is enough to compare them with any multiple of a unit. */
#include "encode/float_text.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

__extension__ typedef unsigned __int128 u128;

#define SIGNIFICAND 23
#define BIAS        150 /* of c, an integer */

/* digits * 10^exponent */
struct shortest {
    uint32_t digits;
    int exponent;
};

static const struct {
    uint64_t high, low;
} pow5[] = {
#define POW5(high, low) {high, low},
#include "pow5.def"
#undef POW5
};
#define POW5_MIN (-64)

/* floor(log10(2^e)), floor(log10(3/4 * 2^e)) and floor(log2(10^e)), exact for |e| < 300 */
static int log10_pow2(int e)
{
    return (e * 1262611) >> 22;
}
static int log10_three_quarters_pow2(int e)
{
    return (e * 1262611 - 524031) >> 22;
}
static int log2_pow10(int e)
{
    return (e * 1741647) >> 19;
}

/* floor(power * c / 2^64), its last bit set when something but zero was lost */
static uint32_t scale(uint64_t power, uint32_t c)
{
    const u128 product = (u128)power * c;
    const uint32_t whole = (uint32_t)(product >> 64), lost = (uint32_t)(product >> 32);
    return whole | (lost > 1);
}

static struct shortest shorten(uint32_t c, int q, bool closer_below)
{
    const int k = closer_below ? log10_three_quarters_pow2(q) : log10_pow2(q);
    const int shift = q + log2_pow10(-k) + 1;
    const uint64_t power = pow5[-k - POW5_MIN].high + 1; // 10^-k, rounded up
    // in quarters of 10^k: the float, and how far its interval goes; its ends count when c is even
    const uint32_t middle = scale(power, 4 * c << shift);
    const uint32_t lower = scale(power, (4 * c - 2 + closer_below) << shift) + (c & 1);
    const uint32_t upper = scale(power, (4 * c + 2) << shift) - (c & 1);
    const uint32_t s = middle / 4, tens = s / 10;
    if (tens > 0) {
        const bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) return (struct shortest){tens + above, k + 1};
    }
    const bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above) return (struct shortest){s + above, k};
    const uint32_t half = 4 * s + 2;
    return (struct shortest){s + (middle > half || (middle == half && (s & 1))), k};
}

/* The one float whose shortest text, 7.038531e-26, reads back as its neighbour where it is read as
 * a double and then rounded, as most readers do. */
#define TWICE_ROUNDED 0x15ae43fd

/* `bits` without its sign, not 0. */
static struct shortest shortest_of(uint32_t bits)
{
    if (bits == TWICE_ROUNDED) return (struct shortest){70385307, -33};
    const uint32_t fraction = bits & ((1u << SIGNIFICAND) - 1), exponent = bits >> SIGNIFICAND;
    if (exponent == 0) return shorten(fraction, 1 - BIAS, false);
    const uint32_t c = fraction | 1u << SIGNIFICAND;
    const int q = (int)exponent - BIAS;
    // an integer below 2^24 is its own text
    if (q <= 0 && q > -SIGNIFICAND - 1 && (c & ((1u << -q) - 1)) == 0)
        return (struct shortest){c >> -q, 0};
    return shorten(c, q, fraction == 0 && exponent > 1);
}

/* ---- text ------------------------------------------------------------------------------------ */

static size_t count_digits(uint32_t value)
{
    size_t count = 1;
    for (; value >= 10; value /= 10) count++;
    return count;
}

static void put_digits(char *out, uint32_t value, size_t count)
{
    for (; count > 0; value /= 10) out[--count] = (char)('0' + value % 10);
}

static char *put_exponent(char *out, int exponent)
{
    const uint32_t size = (uint32_t)(exponent < 0 ? -exponent : exponent);
    *out++ = 'e';
    if (exponent < 0) *out++ = '-';
    const size_t count = count_digits(size);
    put_digits(out, size, count);
    return out + count;
}

/* Whole numbers and fractions up to this many digits in front of or zeros behind the point. */
#define MOST_WHOLE 12
#define MOST_ZEROS 4

/* `count` digits, the point behind `point` of them. */
static char *put_decimal(char *out, uint32_t digits, int count, int point)
{
    if (point > MOST_WHOLE || point < -MOST_ZEROS) { // d.ddde-9
        put_digits(out + 1, digits, (size_t)count);
        out[0] = out[1];
        out[1] = '.';
        return put_exponent(out + (count > 1 ? count + 1 : 1), point - 1);
    }
    if (point <= 0) { // 0.00ddd
        memset(out, '0', (size_t)(2 - point));
        out[1] = '.';
        put_digits(out + 2 - point, digits, (size_t)count);
        return out + 2 - point + count;
    }
    if (point >= count) { // ddd00
        put_digits(out, digits, (size_t)count);
        memset(out + count, '0', (size_t)(point - count));
        return out + point;
    }
    put_digits(out + 1, digits, (size_t)count); // d.dd
    memmove(out, out + 1, (size_t)point);
    out[point] = '.';
    return out + count + 1;
}

size_t float_text(float value, char out[FLOAT_TEXT_SIZE])
{
    uint32_t bits;
    char *at = out;
    memcpy(&bits, &value, sizeof bits);
    if (bits >> 31) *at++ = '-';
    bits &= UINT32_MAX >> 1;
    assert(bits < 255u << SIGNIFICAND);
    if (bits == 0) {
        *at++ = '0';
        return (size_t)(at - out);
    }
    struct shortest s = shortest_of(bits);
    for (; s.digits % 10 == 0; s.exponent++) s.digits /= 10;
    const int count = (int)count_digits(s.digits);
    return (size_t)(put_decimal(at, s.digits, count, count + s.exponent) - out);
}

size_t float_texts(const float *values, size_t count, char *out)
{
    char *at = out;
    for (size_t i = 0; i < count; i++) {
        if (i) *at++ = ',';
        at += float_text(values[i], at);
    }
    return (size_t)(at - out);
}
