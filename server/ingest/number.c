/* The grammar of a JSON number and the plain readers of it; chooses the implementation of runs. */
#include "ingest/number.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "isa.h"

#define EXPONENT_MAX ((int64_t)1 << 50) /* no text is long enough to make up for more */

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* ---- byte by byte ---------------------------------------------------------------------------- */

static void take_digit(struct number *number, unsigned digit)
{
    struct decimal *decimal = &number->decimal;
    if (number->state == NUMBER_EXPONENT) {
        if (number->exponent < EXPONENT_MAX) number->exponent = number->exponent * 10 + digit;
        return;
    }
    decimal_append(decimal, digit);
    // the first digit that counts stands right behind the point of 0.d1 d2 d3
    if (number->state == NUMBER_FRACTION)
        decimal->point -= decimal->count == 0;
    else
        decimal->point += decimal->count != 0;
}

/* The state after c; NUMBER_START when c does not belong to the number. */
static enum number_state next_state(enum number_state state, char c)
{
    switch (state) {
    case NUMBER_START:
        if (c == '-') return NUMBER_MINUS;
        __attribute__((fallthrough));
    case NUMBER_MINUS:
        if (c == '0') return NUMBER_ZERO;
        return is_digit(c) ? NUMBER_WHOLE : NUMBER_START;
    case NUMBER_WHOLE:
        if (is_digit(c)) return NUMBER_WHOLE;
        __attribute__((fallthrough));
    case NUMBER_ZERO:
        if (c == '.') return NUMBER_POINT;
        return (c | 0x20) == 'e' ? NUMBER_E : NUMBER_START;
    case NUMBER_POINT:
    case NUMBER_FRACTION:
        if (is_digit(c)) return NUMBER_FRACTION;
        return state == NUMBER_FRACTION && (c | 0x20) == 'e' ? NUMBER_E : NUMBER_START;
    case NUMBER_E:
        if (c == '+' || c == '-') return NUMBER_E_SIGN;
        __attribute__((fallthrough));
    case NUMBER_E_SIGN:
    case NUMBER_EXPONENT: return is_digit(c) ? NUMBER_EXPONENT : NUMBER_START;
    }
    return NUMBER_START;
}

const char *number_push(struct number *number, const char *text, const char *end)
{
    for (; text < end; text++) {
        const enum number_state state = next_state(number->state, *text);
        if (state == NUMBER_START) return text;
        number->state = state;
        if (is_digit(*text))
            take_digit(number, (unsigned)(*text - '0'));
        else if (*text == '-' && state == NUMBER_MINUS)
            number->decimal.negative = true;
        else if (*text == '-')
            number->exponent_negative = true;
    }
    return text;
}

bool number_complete(const struct number *number)
{
    return number->state == NUMBER_ZERO || number->state == NUMBER_WHOLE ||
           number->state == NUMBER_FRACTION || number->state == NUMBER_EXPONENT;
}

float number_value(const struct number *number)
{
    struct decimal decimal = number->decimal;
    decimal.point += number->exponent_negative ? -number->exponent : number->exponent;
    return decimal_float(&decimal);
}

bool number_whole(const struct number *number, struct whole *out)
{
    enum { MOST_DIGITS = 20 }; /* of 64 bits */
    const struct decimal *decimal = &number->decimal;
    const int64_t point =
        decimal->point + (number->exponent_negative ? -number->exponent : number->exponent);
    size_t count = decimal->count;
    *out = (struct whole){decimal->negative, 0};
    while (count > 0 && decimal->digit[count - 1] == 0) count--;
    if (count == 0 && !decimal->more) return true;
    if (decimal->more || point > MOST_DIGITS || point < (int64_t)count) return false;
    for (size_t i = 0; i < (size_t)point; i++) {
        const uint64_t digit = i < count ? decimal->digit[i] : 0;
        if (__builtin_mul_overflow(out->size, (uint64_t)10, &out->size) ||
            __builtin_add_overflow(out->size, digit, &out->size))
            return false;
    }
    return true;
}

/* ---- one token ------------------------------------------------------------------------------- */

/* Eight digits in a little-endian word, the first in its lowest byte. */
static bool is_8_digits(uint64_t word)
{
    const uint64_t high = word + 0x4646464646464646, low = word - 0x3030303030303030;
    return ((high | low) & 0x8080808080808080) == 0;
}

static uint64_t value_of_8_digits(uint64_t word)
{
    word -= 0x3030303030303030;
    word = word * 10 + (word >> 8); // pairs of digits in every second byte
    const uint64_t mask = 0x000000ff000000ff;
    return ((word & mask) * (100 + (UINT64_C(1000000) << 32)) +
            (word >> 16 & mask) * (1 + (UINT64_C(10000) << 32))) >>
           32;
}

static uint64_t load_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Appends the digits at text to *w (modulo 2^64); returns what follows them. */
static const char *scan_digits(const char *text, const char *end, uint64_t *w)
{
    uint64_t value = *w;
    while (end - text >= 8) {
        const uint64_t word = load_word(text);
        if (!is_8_digits(word)) break;
        value = value * 100000000 + (uint32_t)value_of_8_digits(word);
        text += 8;
    }
    for (; text < end && is_digit(*text); text++) value = value * 10 + (unsigned)(*text - '0');
    *w = value;
    return text;
}

/* Reads what follows the e; NULL when there is no digit. */
static const char *scan_exponent(const char *text, const char *end, int64_t *exponent)
{
    const bool negative = text < end && *text == '-';
    text += text < end && (*text == '-' || *text == '+');
    const char *first = text;
    int64_t value = 0;
    for (; text < end && is_digit(*text); text++)
        if (value < EXPONENT_MAX) value = value * 10 + (*text - '0');
    *exponent += negative ? -value : value;
    return text > first ? text : NULL;
}

/* The digits of a token, its point left out. */
struct digits {
    uint64_t value;   /* of at most 19 of them, from the first that is not 0 */
    int64_t exponent; /* value * 10^exponent is the token's, but for what was dropped */
    bool more;        /* some were dropped */
};

/* Digits from `first` to `end` that don't fit: the first 19 that count. */
static void keep_19_digits(const char *first, const char *end, struct digits *digits)
{
    size_t kept = 0;
    digits->value = 0;
    for (const char *at = first; at < end; at++) {
        if (*at == '.' || (kept == 0 && *at == '0')) continue;
        if (kept == 19) {
            digits->more = true;
            digits->exponent++;
            continue;
        }
        digits->value = digits->value * 10 + (unsigned)(*at - '0');
        kept++;
    }
}

/* Reads the digits in front of the exponent; NULL when they break the grammar. */
static const char *scan_mantissa(const char *first, const char *end, struct digits *digits)
{
    const char *at = scan_digits(first, end, &digits->value);
    if (at == first || (*first == '0' && at - first > 1)) return NULL;
    if (at < end && *at == '.') {
        const char *fraction = at + 1;
        at = scan_digits(fraction, end, &digits->value);
        if (at == fraction) return NULL;
        digits->exponent = fraction - at;
    }
    if (at - first - (digits->exponent != 0) > 19) keep_19_digits(first, at, digits);
    return at;
}

const char *number_scan(const char *text, const char *end, float *out)
{
    const bool negative = text < end && *text == '-';
    struct digits digits = {0};
    const char *at = scan_mantissa(text + negative, end, &digits);
    if (at && at < end && (*at | 0x20) == 'e') at = scan_exponent(at + 1, end, &digits.exponent);
    if (!at || at == end) return NULL;
    float value;
    if (!decimal_float_fast(digits.value, digits.exponent, digits.more, &value) || isinf(value))
        return NULL;
    *out = negative ? -value : value;
    return at;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static const char *skip_space(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\n' || *text == '\r' || *text == '\t')) text++;
    return text;
}

size_t number_run_plain(struct number_text *text, float *dst, size_t room)
{
    size_t count = 0;
    while (count < room) {
        const char *at = skip_space(text->at, text->end);
        at = number_scan(at, text->end, &dst[count]);
        if (!at || *at != ',') break;
        text->at = at + 1;
        count++;
    }
    return count;
}

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
static bool has_avx2(void)
{
    // whatever has these has LZCNT, which clang has no name for here
    return isa_allows("avx2") && __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void)
{
    return isa_allows("avx512") && has_avx2() && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2");
}
#endif

const struct number_impl number_impls[] = {
#if defined(__x86_64__)
    {"avx512", has_avx512, number_run_avx512},
    {"avx2", has_avx2, number_run_avx2},
#endif
    {"plain", always, number_run_plain},
    {0},
};

static number_run_fn choose_and_run;
static _Atomic(number_run_fn *) chosen = choose_and_run;

/* The first call; several threads may be in it, and all find the same. */
static size_t choose_and_run(struct number_text *text, float *dst, size_t room)
{
    const struct number_impl *impl = number_impls;
    while (!impl->available()) impl++;
    chosen = impl->run;
    return impl->run(text, dst, room);
}

size_t number_run(struct number_text *text, float *dst, size_t room)
{
    return chosen(text, dst, room);
}
