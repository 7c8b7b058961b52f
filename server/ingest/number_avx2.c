/* number_run() with AVX2. The plain twin is in number.c.
 *
 * A window of text is taken in two passes without a branch that depends on the digits:
 *   1. 64 bytes at a time become bitmaps, from which follow the first byte and the end of each
 *      token, and that each token has its comma right behind it;
 *   2. four tokens at a time, the 32 bytes in front of each end become one integer in three parts
 * of eight digits, then one double. Its last bits may be wrong; a double that could round to
 *      another float32 than the exact one goes to number_scan(), and so does a token of a rare
 *      form or one that breaks the grammar.
 * No state: any thread. */
#include "ingest/number_x86.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define AVX2   __attribute__((target("avx2,fma,bmi,bmi2,lzcnt")))
#define INLINE static inline __attribute__((always_inline))

#define BLOCK  64
#define WINDOW 2048 /* bytes of text */
#define FIELD  32   /* bytes in front of a token's end that are looked at */
#define DIGITS 24   /* digits of a token, zeros in front counted */
#define REACH \
    (FIELD + 1 + 4) /* bytes in front of a token's end that may be read: see load_digits() */

/* Of 64 bytes, one bit each. */
struct bitmaps {
    uint64_t token; /* digits - + . e E */
    uint64_t comma;
    uint64_t digit;
    uint64_t letter; /* e E */
    uint64_t other;  /* not a token's, no comma, no white space */
};

/* Where tokens begin and end, in turn: offsets from the window's start. */
struct edges {
    size_t count;
    bool integers;  /* tokens of nothing but digits */
    bool exponents; /* some have one */
    uint16_t at[WINDOW + BLOCK];
};

/* Classes of bytes, by a look-up of both halves: the bits that both rows have. */
#define CLASS_SPACE  0x03
#define CLASS_DIGIT  0x08 /* this, 0x04 (sign, point) and the next are a token's */
#define CLASS_LETTER 0x10
#define CLASS_COMMA  0x80
#define BY_LOW_HALF \
    0x09, 0x08, 0x08, 0x08, 0x08, 0x18, 0x08, 0x08, 0x08, 0x0a, 0x02, 0x04, 0x80, 0x06, 0x04, 0x00
#define BY_HIGH_HALF \
    0x02, 0x00, 0x85, 0x08, 0x10, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
#define TABLE(row) _mm_loadu_si128((const __m128i *)(const void *)(row))

static const uint8_t by_low_half[16] = {BY_LOW_HALF}, by_high_half[16] = {BY_HIGH_HALF};

/* ---- pass 1 ---------------------------------------------------------------------------------- */

AVX2 INLINE struct bitmaps classify_half(const char *text)
{
    const __m256i low = _mm256_broadcastsi128_si256(TABLE(by_low_half));
    const __m256i high = _mm256_broadcastsi128_si256(TABLE(by_high_half));
    const __m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)text);
    const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
    const __m256i class = _mm256_and_si256(_mm256_shuffle_epi8(low, bytes), // 0 from 0x80 on
                                           _mm256_shuffle_epi8(high, upper));
    const __m256i token = _mm256_cmpgt_epi8(class, _mm256_set1_epi8(CLASS_SPACE));
    const __m256i digit = _mm256_cmpeq_epi8(class, _mm256_set1_epi8(CLASS_DIGIT));
    const __m256i letter = _mm256_cmpeq_epi8(class, _mm256_set1_epi8(CLASS_LETTER));
    const __m256i other = _mm256_cmpeq_epi8(class, _mm256_setzero_si256());
    return (struct bitmaps){
        (uint32_t)_mm256_movemask_epi8(token), (uint32_t)_mm256_movemask_epi8(class),
        (uint32_t)_mm256_movemask_epi8(digit), (uint32_t)_mm256_movemask_epi8(letter),
        (uint32_t)_mm256_movemask_epi8(other)};
}

AVX2 INLINE struct bitmaps classify(const char *text)
{
    const struct bitmaps a = classify_half(text), b = classify_half(text + 32);
    return (struct bitmaps){a.token | b.token << 32, a.comma | b.comma << 32,
                            a.digit | b.digit << 32, a.letter | b.letter << 32,
                            a.other | b.other << 32};
}

AVX2 INLINE void add_edges(struct edges *edges, uint64_t bits, size_t offset)
{
    uint16_t *at = edges->at + edges->count;
    edges->count += (size_t)_mm_popcnt_u64(bits);
    // eight at a time, the surplus ones are overwritten later
    for (; bits; at += 8)
        for (size_t i = 0; i < 8; i++) {
            at[i] = (uint16_t)(offset + _tzcnt_u64(bits));
            bits = _blsr_u64(bits);
        }
}

/* The edges of the tokens in [at, end), up to the first thing that is not "number ," or to the end
 * of the window. */
AVX2 static void find_edges(struct edges *edges, const char *at, const char *end)
{
    uint64_t carry = 0; // whether the block before ended inside a token
    edges->count = 0;
    edges->integers = true;
    edges->exponents = false;
    for (size_t offset = 0; offset < WINDOW; offset += BLOCK) {
        if (end - at < (ptrdiff_t)(offset + BLOCK)) return;
        const struct bitmaps map = classify(at + offset);
        const uint64_t changes = map.token ^ (map.token << 1 | carry);
        const uint64_t wrong = ((changes & ~map.token) ^ map.comma) | map.other;
        add_edges(edges, changes & ~(0 - _blsi_u64(wrong)), offset);
        edges->integers &= map.digit == map.token;
        edges->exponents |= map.letter != 0;
        if (wrong) return;
        carry = map.token >> 63;
    }
}

/* ---- pass 2 ---------------------------------------------------------------------------------- */

#define EXPONENT_MAX 31                         /* of ten, in a token's text */
#define SCALES       (2 * EXPONENT_MAX + FIELD) /* 10^31 ... 10^-62 */

/* Powers of ten, falling; then the same with a sign. */
static const double scales[2 * SCALES] = {
    1e31,   1e30,   1e29,   1e28,   1e27,   1e26,   1e25,   1e24,   1e23,   1e22,   1e21,   1e20,
    1e19,   1e18,   1e17,   1e16,   1e15,   1e14,   1e13,   1e12,   1e11,   1e10,   1e9,    1e8,
    1e7,    1e6,    1e5,    1e4,    1e3,    1e2,    1e1,    1e0,    1e-1,   1e-2,   1e-3,   1e-4,
    1e-5,   1e-6,   1e-7,   1e-8,   1e-9,   1e-10,  1e-11,  1e-12,  1e-13,  1e-14,  1e-15,  1e-16,
    1e-17,  1e-18,  1e-19,  1e-20,  1e-21,  1e-22,  1e-23,  1e-24,  1e-25,  1e-26,  1e-27,  1e-28,
    1e-29,  1e-30,  1e-31,  1e-32,  1e-33,  1e-34,  1e-35,  1e-36,  1e-37,  1e-38,  1e-39,  1e-40,
    1e-41,  1e-42,  1e-43,  1e-44,  1e-45,  1e-46,  1e-47,  1e-48,  1e-49,  1e-50,  1e-51,  1e-52,
    1e-53,  1e-54,  1e-55,  1e-56,  1e-57,  1e-58,  1e-59,  1e-60,  1e-61,  1e-62,  -1e31,  -1e30,
    -1e29,  -1e28,  -1e27,  -1e26,  -1e25,  -1e24,  -1e23,  -1e22,  -1e21,  -1e20,  -1e19,  -1e18,
    -1e17,  -1e16,  -1e15,  -1e14,  -1e13,  -1e12,  -1e11,  -1e10,  -1e9,   -1e8,   -1e7,   -1e6,
    -1e5,   -1e4,   -1e3,   -1e2,   -1e1,   -1e0,   -1e-1,  -1e-2,  -1e-3,  -1e-4,  -1e-5,  -1e-6,
    -1e-7,  -1e-8,  -1e-9,  -1e-10, -1e-11, -1e-12, -1e-13, -1e-14, -1e-15, -1e-16, -1e-17, -1e-18,
    -1e-19, -1e-20, -1e-21, -1e-22, -1e-23, -1e-24, -1e-25, -1e-26, -1e-27, -1e-28, -1e-29, -1e-30,
    -1e-31, -1e-32, -1e-33, -1e-34, -1e-35, -1e-36, -1e-37, -1e-38, -1e-39, -1e-40, -1e-41, -1e-42,
    -1e-43, -1e-44, -1e-45, -1e-46, -1e-47, -1e-48, -1e-49, -1e-50, -1e-51, -1e-52, -1e-53, -1e-54,
    -1e-55, -1e-56, -1e-57, -1e-58, -1e-59, -1e-60, -1e-61, -1e-62};

/* What is known of a token beside its digits. */
struct token {
    const double *scale;
    uint32_t odd; /* not 0: its digits are not to be trusted */
};

/* A mask of the last n bytes of a field; n is taken modulo 32. */
AVX2 INLINE __m256i last_bytes(size_t n)
{
    static const uint8_t edge[2 * FIELD] = {
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    return _mm256_loadu_si256((const __m256i *)(const void *)(edge + n % FIELD));
}

AVX2 INLINE __m256i load_field(const char *end)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)(end - FIELD));
}

/* The exponent of a token with an end like "e-05", which is then taken off; 0 where it has none. */
AVX2 INLINE int32_t take_exponent(const char **end, uint32_t *odd)
{
    const char *at = *end - 4;
    const uint32_t letter = (at[0] | 0x20) == 'e', negative = at[1] == '-';
    const uint32_t tens = (uint8_t)(at[2] - '0'), ones = (uint8_t)(at[3] - '0');
    const uint32_t value = tens * 10 + ones, sign = negative | (at[1] == '+');
    *odd = letter & (!sign | (tens > 9) | (ones > 9) | (value > EXPONENT_MAX));
    *end -= 4 * letter;
    const int32_t exponent = (int32_t)(value & -letter & EXPONENT_MAX);
    return negative ? -exponent : exponent;
}

/* The digits of the token [text + edge[0], text + edge[1]) at the end of a field, the point taken
 * out, 0 in front; bytes over 9 where there was something else. */
AVX2 INLINE __m256i load_digits(const char *text, const uint16_t *edge, bool exponents,
                                struct token *token)
{
    const char *end = text + edge[1], *first = text + edge[0];
    token->odd = 0;
    const int32_t exponent = exponents ? take_exponent(&end, &token->odd) : 0;
    const uint32_t negative = *first == '-';
    first += negative;
    const uint32_t length = (uint32_t)(end - first);
    const __m256i field = load_field(end);
    const __m256i points = _mm256_cmpeq_epi8(field, _mm256_set1_epi8('.'));
    const uint32_t behind = _lzcnt_u32((uint32_t)_mm256_movemask_epi8(points)); // the last point
    const uint32_t has_point = behind < length;
    const uint32_t fraction = behind & -has_point & (FIELD - 1);
    const uint32_t digits = length - has_point, whole = digits - fraction;
    // one byte further to the right closes the gap of the point
    const __m256i shifted = load_field(end - has_point);
    const __m256i joined = _mm256_blendv_epi8(shifted, field, last_bytes(fraction));
    token->scale = &scales[(int32_t)(fraction + negative * SCALES + EXPONENT_MAX) - exponent];
    token->odd |= (has_point & (behind == 0)) | (digits > DIGITS) |
                  (whole - 1 > ((DIGITS - 1) & -(uint32_t)(*first != '0'))); // "01", ".5", "-"
    return _mm256_and_si256(_mm256_sub_epi8(joined, _mm256_set1_epi8('0')), last_bytes(digits));
}

/* Two fields of digits -> the integers of each eight: a0 a1 b0 b1 | a2 a3 b2 b3. */
AVX2 INLINE __m256i join_digits(__m256i a, __m256i b)
{
    const __m256i tens = _mm256_set1_epi16(10 | 1 << 8),
                  hundreds = _mm256_set1_epi32(100 | 1 << 16);
    const __m256i myriads = _mm256_set1_epi32(10000 | 1 << 16);
    a = _mm256_madd_epi16(_mm256_maddubs_epi16(a, tens), hundreds);
    b = _mm256_madd_epi16(_mm256_maddubs_epi16(b, tens), hundreds);
    return _mm256_madd_epi16(_mm256_packus_epi32(a, b), myriads);
}

/* Doubles from which float32 may not follow: a few units from halfway between two of those. */
AVX2 INLINE uint32_t near_halfway(__m256d value)
{
    const __m256i low = _mm256_set1_epi64x((1 << 29) - 1);
    const __m256i shifted =
        _mm256_add_epi64(_mm256_castpd_si256(value), _mm256_set1_epi64x((1 << 28) + 8));
    const __m256i rest = _mm256_and_si256(shifted, low);
    return (uint32_t)_mm256_movemask_pd(
        _mm256_castsi256_pd(_mm256_cmpgt_epi64(_mm256_set1_epi64x(17), rest)));
}

/* Values that are not 0 and not inside the range of normal float32. */
AVX2 INLINE uint32_t out_of_range(__m256d value)
{
    const __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), value);
    const __m256d small = _mm256_cmp_pd(size, _mm256_set1_pd(0x1p-126), _CMP_LT_OQ);
    const __m256d large = _mm256_cmp_pd(size, _mm256_set1_pd(0x1.fffffep127), _CMP_GE_OQ);
    const __m256d some = _mm256_cmp_pd(size, _mm256_setzero_pd(), _CMP_GT_OQ);
    return (uint32_t)_mm256_movemask_pd(_mm256_and_pd(_mm256_or_pd(small, large), some));
}

/* Four tokens -> dst[0..3]. Returns not 0 where one of them must be read again. */
AVX2 INLINE uint32_t read_four(const char *text, const uint16_t *edge, float *dst, bool exponents)
{
    struct token t0, t1, t2, t3;
    const __m256i d0 = load_digits(text, edge, exponents, &t0);
    const __m256i d1 = load_digits(text, edge + 2, exponents, &t1);
    const __m256i d2 = load_digits(text, edge + 4, exponents, &t2);
    const __m256i d3 = load_digits(text, edge + 6, exponents, &t3);
    const __m256i top = _mm256_max_epu8(_mm256_max_epu8(d0, d1), _mm256_max_epu8(d2, d3));
    const __m256i wrong = _mm256_subs_epu8(top, _mm256_set1_epi8(9));

    const __m256 p = _mm256_castsi256_ps(join_digits(d0, d1));
    const __m256 q = _mm256_castsi256_ps(join_digits(d2, d3));
    const __m256i even = _mm256_castps_si256(_mm256_shuffle_ps(p, q, 0x88)); // eights 0 | 2
    const __m256i odd = _mm256_castps_si256(_mm256_shuffle_ps(p, q, 0xdd));  // eights 1 | 3
    const __m256d high = _mm256_cvtepi32_pd(_mm256_castsi256_si128(odd));
    const __m256d middle = _mm256_cvtepi32_pd(_mm256_extracti128_si256(even, 1));
    const __m256d low = _mm256_cvtepi32_pd(_mm256_extracti128_si256(odd, 1));
    __m256d value = _mm256_fmadd_pd(middle, _mm256_set1_pd(1e8), low);
    value = _mm256_fmadd_pd(high, _mm256_set1_pd(1e16), value);

    const __m128d s01 = _mm_loadh_pd(_mm_load_sd(t0.scale), t1.scale);
    const __m128d s23 = _mm_loadh_pd(_mm_load_sd(t2.scale), t3.scale);
    value = _mm256_mul_pd(value, _mm256_set_m128d(s23, s01));
    _mm_storeu_ps(dst, _mm256_cvtpd_ps(value));
    const uint32_t doubt = t0.odd | t1.odd | t2.odd | t3.odd | near_halfway(value);
    return doubt | (uint32_t)!_mm256_testz_si256(wrong, wrong) |
           (exponents ? out_of_range(value) : 0);
}

AVX2 INLINE uint32_t read_four_numbers(const char *text, const uint16_t *edge, float *dst)
{
    return read_four(text, edge, dst, false);
}

AVX2 INLINE uint32_t read_four_exponents(const char *text, const uint16_t *edge, float *dst)
{
    return read_four(text, edge, dst, true);
}

/* The same for tokens of at most eight digits and nothing else. */
AVX2 INLINE uint32_t read_integer(const char *text, const uint16_t *edge, uint32_t *odd)
{
    uint64_t word;
    memcpy(&word, text + edge[1] - sizeof word, sizeof word);
    const uint32_t length = (uint32_t)(edge[1] - edge[0]);
    // the digits are in the highest bytes, the last one on top
    word = (word ^ 0x3030303030303030) & UINT64_MAX << (64 - 8 * length) % 64;
    *odd |= (length > 8) | ((length > 1) & (text[edge[0]] == '0'));
    word = word * 10 + (word >> 8);
    const uint64_t mask = 0x000000ff000000ff;
    return (uint32_t)(((word & mask) * (100 + (UINT64_C(1000000) << 32)) +
                       (word >> 16 & mask) * (1 + (UINT64_C(10000) << 32))) >>
                      32);
}

AVX2 INLINE uint32_t read_four_integers(const char *text, const uint16_t *edge, float *dst)
{
    uint32_t odd = 0, value[4];
    for (size_t i = 0; i < 4; i++) value[i] = read_integer(text, edge + 2 * i, &odd);
    for (size_t i = 0; i < 4; i++) dst[i] = (float)(int32_t)value[i];
    return odd;
}

/* The tokens one by one, until one of them is not simple. */
static size_t read_plain(const char *text, const uint16_t *edge, float *dst, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *end = text + edge[2 * i + 1];
        if (number_scan(text + edge[2 * i], end + 1, &dst[i]) != end) return i;
    }
    return count;
}

INLINE size_t read_by_fours(const char *text, const uint16_t *edge, float *dst, size_t count,
                            uint32_t (*read_four_of)(const char *, const uint16_t *, float *))
{
    size_t done = 0;
    for (; count - done >= 4; done += 4) {
        if (!read_four_of(text, edge + 2 * done, dst + done)) continue;
        const size_t read = read_plain(text, edge + 2 * done, dst + done, 4);
        if (read < 4) return done + read;
    }
    return done + read_plain(text, edge + 2 * done, dst + done, count - done);
}

AVX2 static size_t read_tokens(const char *text, const struct edges *edges, float *dst,
                               size_t count)
{
    const uint16_t *edge = edges->at;
    if (edges->integers) return read_by_fours(text, edge, dst, count, read_four_integers);
    if (edges->exponents) return read_by_fours(text, edge, dst, count, read_four_exponents);
    return read_by_fours(text, edge, dst, count, read_four_numbers);
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Tokens whose field would begin in front of the text. */
static size_t run_head(struct number_text *text, float *dst, size_t room)
{
    size_t count = 0;
    while (count < room && text->at - text->begin < REACH) {
        if (!number_run_plain(text, dst + count, 1)) break;
        count++;
    }
    return count;
}

size_t number_window_avx2(struct number_text *text, float *dst, size_t room)
{
    struct edges edges;
    if (text->at - text->begin < REACH) return run_head(text, dst, room);
    find_edges(&edges, text->at, text->end);
    const size_t tokens = edges.count / 2 < room ? edges.count / 2 : room;
    const size_t read = read_tokens(text->at, &edges, dst, tokens);
    if (read > 0) text->at += edges.at[2 * read - 1] + 1;
    return read;
}

size_t number_run_avx2(struct number_text *text, float *dst, size_t room)
{
    size_t count = 0, read;
    while ((read = number_window_avx2(text, dst + count, room - count)) > 0) count += read;
    return count + number_run_plain(text, dst + count, room - count);
}

#endif
