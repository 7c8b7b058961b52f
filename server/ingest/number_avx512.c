/* number_run() with AVX-512. The plain twin is in number.c.
 *
 * A window of text is taken in two passes without a branch that depends on the digits:
 *   1. 64 bytes at a time become bitmaps. From them follow the grammar, by integer arithmetic on 64
 *      bytes at once, and one dense row of digits, without points, signs and what is between the
 *      numbers; of each token its first byte, and where in that row its whole part and it end;
 *   2. eight tokens at a time, the digits in front of each end become integers, then doubles. Their
 *      last bits may be wrong.
 * A double that could round to another float32 than the exact one, an exponent not of the form
 * "e-05", and whatever breaks the grammar is left to number_window_avx2().
 * No state: any thread. */
#include "ingest/number_x86.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define AVX512                                                                             \
    __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512dq,avx512vl," \
                          "avx512vbmi,avx512vbmi2")))
#define INLINE static inline __attribute__((always_inline))

#define BLOCK        64
#define WINDOW       2048 /* bytes of text */
#define LANE         16   /* digits of a token that are one vector's lane */
#define DIGITS       24   /* digits of a token, zeros in front counted */
#define EXPONENT_MAX 39   /* of ten, in a token's text: with DIGITS inside what scale_of() has */

/* The tokens of a window that are complete. */
struct tokens {
    size_t count;
    size_t length;     /* of their text, up to behind the last comma */
    const char *wrong; /* what ends them; NULL: the window's end */
    /* Values of all their digits in turn, those of exponents too. */
    uint8_t digit[DIGITS + WINDOW + BLOCK];
    /* Of each token, in that row: behind its last digit, and behind the last of its whole part.
     * Those of token i are at i + 1; the end of the one before is where it begins. */
    uint16_t end[1 + WINDOW / 2 + BLOCK / 2], whole[1 + WINDOW / 2 + BLOCK / 2];
    char first[WINDOW / 2 + BLOCK];       /* its first byte */
    uint8_t exponent[WINDOW / 2 + BLOCK]; /* EXPONENT, NEGATIVE; only where they are read */
};

#define EXPONENT 1 /* the token ends like "e-05" */
#define NEGATIVE 2

/* ---- pass 1 ---------------------------------------------------------------------------------- */

/* Of 64 bytes, one bit each. */
struct bitmaps {
    uint64_t digit, zero, minus, point, comma, other; /* other: no white space either */
    uint64_t letter, plus;                            /* e E; both only where exponents are read */
};

/* How the block before ended. */
struct carry {
    unsigned char whole;                /* in a token's whole part */
    uint64_t token, digit, minus, zero; /* the last bit, at the lowest place */
    uint64_t letter, negative;          /* all bits; negative: an exponent's sign */
};

/* Of 64 bytes, one bit each: the grammar's places. */
struct places {
    uint64_t start;              /* a token's first byte */
    uint64_t whole;              /* behind its whole part */
    uint64_t end;                /* behind the token */
    uint64_t digits;             /* behind a digit */
    uint64_t wrong;              /* what no array of simple numbers has there */
    uint64_t exponent, negative; /* ends of tokens that have one, or a negative one */
};

AVX512 INLINE struct bitmaps classify(__m512i bytes, __m512i values)
{
    // white space by its lower half; no other byte is equal to what stands there
    const __m512i spaces = _mm512_broadcast_i32x4(
        _mm_setr_epi8(' ', 0, 0, 0, 0, 0, 0, 0, 0, '\t', '\n', 0, 0, '\r', 0, 0));
    struct bitmaps map = {
        .digit = _mm512_cmplt_epu8_mask(values, _mm512_set1_epi8(10)),
        .zero = _mm512_testn_epi8_mask(values, values),
        .minus = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('-')),
        .point = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('.')),
        .comma = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(',')),
    };
    const uint64_t space = _mm512_cmpeq_epi8_mask(bytes, _mm512_shuffle_epi8(spaces, bytes));
    map.other = ~(map.digit | map.minus | map.point | map.comma | space);
    return map;
}

AVX512 INLINE void classify_letters(struct bitmaps *map, __m512i bytes)
{
    const __m512i lower = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
    map->letter = _mm512_cmpeq_epi8_mask(lower, _mm512_set1_epi8('e'));
    map->plus = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('+'));
    map->other &= ~(map->letter | map->plus);
}

/* The map moved on by n bytes. */
INLINE uint64_t behind(uint64_t map, uint64_t before, int n)
{
    return map << n | before >> (BLOCK - n);
}

/* A letter is followed by a sign, two digits and the end. */
INLINE void find_exponents(struct places *p, const struct bitmaps *map, struct carry *carry)
{
    const uint64_t signs = behind(map->letter, carry->letter, 1);
    const uint64_t early =
        signs | behind(map->letter, carry->letter, 2) | behind(map->letter, carry->letter, 3);
    const uint64_t ends = behind(map->letter, carry->letter, 4), negative = map->minus & signs;
    p->wrong |= (signs & ~(map->minus | map->plus)) | (map->plus & ~signs) |
                (map->letter & ~p->digits) | (early & p->end) | (ends & ~p->end);
    p->exponent = ends;
    p->negative = behind(negative, carry->negative, 3);
    carry->letter = map->letter;
    carry->negative = negative;
}

/* A carry that starts with a token runs through its sign and digits, up to its point, letter or
 * end. */
INLINE struct places find_places(const struct bitmaps *map, struct carry *carry, bool exponents)
{
    struct places p = {0};
    const uint64_t body = map->digit | map->minus;
    const uint64_t token = body | map->point | map->letter | map->plus;
    const uint64_t inside = token << 1 | carry->token;
    unsigned long long sum;
    p.start = token & ~inside;
    p.end = inside & ~token;
    carry->whole = _addcarry_u64(carry->whole, body, p.start, &sum);
    p.whole = sum & ~body;
    p.digits = map->digit << 1 | carry->digit;
    const uint64_t signs = p.start | behind(map->letter, carry->letter, 1);
    const uint64_t minus = map->minus & p.start;
    const uint64_t first = map->digit & (p.start | minus << 1 | carry->minus);
    const uint64_t zero = first & map->zero;
    p.wrong = (p.end ^ map->comma) | map->other | ((p.whole | p.end) & ~p.digits) |
              (map->point & ~p.whole) | (map->minus & ~signs) |
              ((zero << 1 | carry->zero) & map->digit);
    carry->token = token >> 63;
    carry->digit = map->digit >> 63;
    carry->minus = minus >> 63;
    carry->zero = zero >> 63;
    if (exponents) find_exponents(&p, map, carry);
    return p;
}

/* The offsets of the bits; there are 32 at most. */
AVX512 INLINE void add_offsets(uint16_t *to, uint64_t bits, size_t base)
{
    static const uint8_t counting[BLOCK] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const __m512i offsets = _mm512_maskz_compress_epi8(bits, _mm512_loadu_si512(counting));
    const __m512i wide = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(offsets));
    _mm512_storeu_si512(to, _mm512_add_epi16(wide, _mm512_set1_epi16((short)base)));
}

AVX512 INLINE void add_exponents(uint8_t *to, const struct places *p)
{
    const __m512i some = _mm512_maskz_mov_epi8(p->exponent, _mm512_set1_epi8(EXPONENT));
    const __m512i all =
        _mm512_mask_mov_epi8(some, p->negative, _mm512_set1_epi8(EXPONENT | NEGATIVE));
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi8(p->end, all));
}

/* The tokens in [at, end), up to the first thing that is not "number ," or to the window's end. */
AVX512 INLINE void find_tokens(struct tokens *tokens, const char *at, const char *end,
                               bool exponents)
{
    struct carry carry = {0};
    size_t digits = DIGITS, starts = 0, wholes = 1, ends = 1;
    tokens->length = 0;
    tokens->wrong = NULL;
    memset(tokens->digit, 0, DIGITS);
    tokens->end[0] = DIGITS;
    for (size_t offset = 0; offset < WINDOW; offset += BLOCK) {
        if (end - at < (ptrdiff_t)(offset + BLOCK)) break;
        const __m512i bytes = _mm512_loadu_si512(at + offset);
        const __m512i values = _mm512_sub_epi8(bytes, _mm512_set1_epi8('0'));
        struct bitmaps map = classify(bytes, values);
        if (exponents) classify_letters(&map, bytes);
        const size_t base = digits + 1 - carry.digit; // behind the first of places.digits
        struct places p = find_places(&map, &carry, exponents);
        const uint64_t right = _blsmsk_u64(p.wrong) & ~p.wrong;
        p.start &= right, p.whole &= right, p.end &= right;

        _mm512_storeu_si512(tokens->digit + digits, _mm512_maskz_compress_epi8(map.digit, values));
        _mm512_storeu_si512(tokens->first + starts, _mm512_maskz_compress_epi8(p.start, bytes));
        add_offsets(tokens->whole + wholes, _pext_u64(p.whole, p.digits), base);
        add_offsets(tokens->end + ends, _pext_u64(p.end, p.digits), base);
        if (exponents) add_exponents(tokens->exponent + ends - 1, &p);
        digits += (size_t)_mm_popcnt_u64(map.digit);
        starts += (size_t)_mm_popcnt_u64(p.start);
        wholes += (size_t)_mm_popcnt_u64(p.whole);
        ends += (size_t)_mm_popcnt_u64(p.end);
        if (p.end) tokens->length = offset + BLOCK - _lzcnt_u64(p.end);
        if (!p.wrong) continue;
        tokens->wrong = at + offset + _tzcnt_u64(p.wrong);
        break;
    }
    tokens->count = ends - 1;
    // the last eight may reach beyond them
    _mm_storeu_si128((__m128i *)(void *)(tokens->end + ends), _mm_set1_epi16(DIGITS));
}

/* ---- pass 2 ---------------------------------------------------------------------------------- */

#define LOAD(at)      _mm_loadu_si128((const __m128i *)(const void *)(at))
#define LOAD_HALF(at) _mm_loadl_epi64((const __m128i *)(const void *)(at))

/* The last 16 digits of every second token, in a lane each. */
AVX512 INLINE __m512i load_lanes(const uint8_t *digit, const uint16_t *end)
{
#define AT(i) LOAD(digit + end[2 * (i)] - LANE)
    const __m512i a = _mm512_inserti64x2(_mm512_castsi128_si512(AT(0)), AT(1), 1);
    return _mm512_inserti64x2(_mm512_inserti64x2(a, AT(2), 2), AT(3), 3);
#undef AT
}

/* Zeros in the lane of each token in front of its digits. first: 0 or 1, the lowest token. */
AVX512 INLINE __m512i keep_digits(__m512i lanes, __m128i count, int first)
{
    const __m512i from_end =
        _mm512_broadcast_i32x4(_mm_setr_epi8(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    const __m512i token =
        _mm512_setr_epi64(0, 0, 0x0404040404040404, 0x0404040404040404, 0x0808080808080808,
                          0x0808080808080808, 0x0c0c0c0c0c0c0c0c, 0x0c0c0c0c0c0c0c0c);
    const __m512i index = _mm512_add_epi8(token, _mm512_set1_epi8((char)(2 * first)));
    const __m512i counts = _mm512_permutexvar_epi8(index, _mm512_castsi128_si512(count));
    return _mm512_maskz_mov_epi8(_mm512_cmplt_epu8_mask(from_end, counts), lanes);
}

/* Digits -> integers of four. */
AVX512 INLINE __m512i join_fours(__m512i digits)
{
    const __m512i tens = _mm512_set1_epi16(10 | 1 << 8),
                  hundreds = _mm512_set1_epi32(100 | 1 << 16);
    return _mm512_madd_epi16(_mm512_maddubs_epi16(digits, tens), hundreds);
}

/* Pairs of integers, the first in the lower half -> first * scale + second. */
AVX512 INLINE __m512i join_pairs(__m512i pairs, long long scale)
{
    return _mm512_add_epi64(_mm512_mul_epu32(pairs, _mm512_set1_epi64(scale)),
                            _mm512_srli_epi64(pairs, 32));
}

/* The last 16 digits of each token as an integer. */
AVX512 INLINE __m512i last_digits(const uint8_t *digit, const uint16_t *end, __m128i count)
{
    const __m512i even = join_fours(keep_digits(load_lanes(digit, end), count, 0));
    const __m512i odd = join_fours(keep_digits(load_lanes(digit, end + 1), count, 1));
    const __m512i myriads = _mm512_set1_epi32(10000 | 1 << 16);
    return join_pairs(_mm512_madd_epi16(_mm512_packus_epi32(even, odd), myriads), 100000000);
}

/* The eight digits in front of the last 16 of each token. */
AVX512 INLINE __m512i load_fronts(const uint8_t *digit, const uint16_t *end)
{
#define AT(i)   ((const void *)(digit + end[i] - DIGITS)) // of any alignment
#define PAIR(i) _mm_loadh_pd(_mm_castsi128_pd(LOAD_HALF(AT(2 * (i)))), AT(2 * (i) + 1))
    const __m256d low = _mm256_set_m128d(PAIR(1), PAIR(0)),
                  high = _mm256_set_m128d(PAIR(3), PAIR(2));
    return _mm512_castpd_si512(_mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1));
#undef PAIR
#undef AT
}

/* As an integer, those of them that are the token's. */
AVX512 INLINE __m512i front_digits(const uint8_t *digit, const uint16_t *end, __m128i count)
{
    const __m512i from_end = _mm512_set1_epi64(0x0001020304050607);
    const __m512i token = _mm512_setr_epi64(
        0, 0x0202020202020202, 0x0404040404040404, 0x0606060606060606, 0x0808080808080808,
        0x0a0a0a0a0a0a0a0a, 0x0c0c0c0c0c0c0c0c, 0x0e0e0e0e0e0e0e0e);
    const __m128i front = _mm_subs_epu16(count, _mm_set1_epi16(LANE));
    const __m512i counts = _mm512_permutexvar_epi8(token, _mm512_castsi128_si512(front));
    const __mmask64 kept = _mm512_cmplt_epu8_mask(from_end, counts);
    return join_pairs(join_fours(_mm512_maskz_mov_epi8(kept, load_fronts(digit, end))), 10000);
}

/* 10^power for powers from -64 to 63; others are taken modulo 128. */
AVX512 INLINE __m512d scale_of(__m512i power)
{
    const __m512d low = _mm512_setr_pd(1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7);
    const __m512d high = _mm512_setr_pd(1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15);
    const __m512d sixteens = _mm512_setr_pd(1e0, 1e16, 1e32, 1e48, 1e-64, 1e-48, 1e-32, 1e-16);
    const __m512d units = _mm512_permutex2var_pd(low, power, high);
    return _mm512_mul_pd(_mm512_permutexvar_pd(_mm512_srai_epi64(power, 4), sixteens), units);
}

/* Doubles from which float32 may not follow: a few units from halfway between two of those. */
AVX512 INLINE __mmask8 near_halfway(__m512d value)
{
    const __m512i shifted =
        _mm512_add_epi64(_mm512_castpd_si512(value), _mm512_set1_epi64((1 << 28) + 8));
    const __m512i rest = _mm512_and_si512(shifted, _mm512_set1_epi64((1 << 29) - 1));
    return _mm512_cmplt_epu64_mask(rest, _mm512_set1_epi64(17));
}

/* Values that are not 0 and not inside the range of normal float32. */
AVX512 INLINE __mmask8 out_of_range(__m512d value)
{
    const __m512d size = _mm512_abs_pd(value);
    const __mmask8 some = _mm512_cmp_pd_mask(size, _mm512_setzero_pd(), _CMP_GT_OQ);
    return _mm512_mask_cmp_pd_mask(some, size, _mm512_set1_pd(0x1p-126), _CMP_LT_OQ) |
           _mm512_cmp_pd_mask(size, _mm512_set1_pd(0x1.fffffep127), _CMP_GE_OQ);
}

/* Eight tokens, without their exponents. */
struct eight {
    uint16_t end[8]; /* only where some have an exponent, else it is the tokens' own */
    __m128i count;   /* digits of each, 16 bits */
    __m128i power;   /* of ten, that the last digit stands for */
    __mmask8 doubt;
};

AVX512 INLINE void take_exponents(struct eight *e, const struct tokens *tokens, size_t i)
{
    const uint16_t *end = tokens->end + 1 + i;
    uint16_t pair[8];
    for (size_t k = 0; k < 8; k++) memcpy(&pair[k], tokens->digit + end[k] - 2, sizeof pair[k]);
    const __m128i kind = _mm_cvtepu8_epi16(LOAD(tokens->exponent + i));
    const __mmask8 some = _mm_test_epi16_mask(kind, _mm_set1_epi16(EXPONENT));
    const __mmask8 negative = _mm_test_epi16_mask(kind, _mm_set1_epi16(NEGATIVE));
    const __m128i size = _mm_maddubs_epi16(LOAD(pair), _mm_set1_epi16(10 | 1 << 8));
    const __m128i exponent = _mm_mask_sub_epi16(size, negative, _mm_setzero_si128(), size);
    const __m128i digits = _mm_maskz_mov_epi16(some, _mm_set1_epi16(2));
    _mm_storeu_si128((__m128i *)(void *)e->end, _mm_sub_epi16(LOAD(end), digits));
    e->count = _mm_sub_epi16(e->count, digits);
    e->power = _mm_add_epi16(e->power, digits);
    e->power = _mm_mask_add_epi16(e->power, some, e->power, exponent);
    e->doubt = _mm_mask_cmpgt_epi16_mask(some, size, _mm_set1_epi16(EXPONENT_MAX));
}

/* Tokens i to i + 7 -> dst, those of `wanted`. Returns which of them are not to be trusted. */
AVX512 INLINE uint32_t read_eight(const struct tokens *tokens, size_t i, float *dst,
                                  __mmask8 wanted, bool exponents)
{
    const uint16_t *end = tokens->end + 1 + i, *whole = tokens->whole + 1 + i;
    struct eight e = {.count = _mm_sub_epi16(LOAD(end), LOAD(end - 1)),
                      .power = _mm_sub_epi16(LOAD(whole), LOAD(end))};
    if (exponents) {
        take_exponents(&e, tokens, i);
        end = e.end;
    }
    __m512d value = _mm512_cvtepi64_pd(last_digits(tokens->digit, end, e.count));
    if (_mm_cmpgt_epi16_mask(e.count, _mm_set1_epi16(LANE)) & wanted) {
        const __m512d front = _mm512_cvtepi64_pd(front_digits(tokens->digit, end, e.count));
        value = _mm512_fmadd_pd(front, _mm512_set1_pd(1e16), value);
    }
    value = _mm512_mul_pd(value, scale_of(_mm512_cvtepi16_epi64(e.power)));
    const __m128i first = LOAD_HALF(tokens->first + i);
    const __mmask8 negative = (__mmask8)_mm_cmpeq_epi8_mask(first, _mm_set1_epi8('-'));
    value = _mm512_mask_xor_pd(value, negative, value, _mm512_set1_pd(-0.0));
    _mm256_mask_storeu_ps(dst, wanted, _mm512_cvtpd_ps(value));
    const __mmask8 doubt = e.doubt | _mm_cmpgt_epi16_mask(e.count, _mm_set1_epi16(DIGITS)) |
                           (exponents ? out_of_range(value) : 0);
    return (doubt | near_halfway(value)) & wanted;
}

/* As many tokens as are simple. */
AVX512 INLINE size_t read_tokens(const struct tokens *tokens, float *dst, size_t count,
                                 bool exponents)
{
    for (size_t i = 0; i < count; i += 8) {
        const __mmask8 wanted = (__mmask8)(count - i < 8 ? (1 << (count - i)) - 1 : 0xff);
        const uint32_t doubt = read_eight(tokens, i, dst + i, wanted, exponents);
        if (doubt) return i + _tzcnt_u32(doubt);
    }
    return count;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Behind the commas of `count` tokens. */
static const char *skip_tokens(const char *at, size_t count)
{
    while (count--) at = (const char *)rawmemchr(at, ',') + 1;
    return at;
}

/* *letter: it ends in front of a token with an exponent. */
AVX512 INLINE size_t read_window(struct number_text *text, float *dst, size_t room, bool exponents,
                                 bool *letter)
{
    struct tokens tokens;
    find_tokens(&tokens, text->at, text->end, exponents);
    const size_t count = tokens.count < room ? tokens.count : room;
    const size_t read = read_tokens(&tokens, dst, count, exponents);
    text->at = read == tokens.count ? text->at + tokens.length : skip_tokens(text->at, read);
    *letter = read == tokens.count && tokens.wrong && (*tokens.wrong | 0x20) == 'e';
    return read;
}

AVX512 static size_t window(struct number_text *text, float *dst, size_t room, bool *letter)
{
    return read_window(text, dst, room, false, letter);
}

AVX512 static size_t window_of_exponents(struct number_text *text, float *dst, size_t room)
{
    bool letter;
    return read_window(text, dst, room, true, &letter);
}

size_t number_run_avx512(struct number_text *text, float *dst, size_t room)
{
    size_t count = 0, read;
    do {
        bool letter;
        count += read = window(text, dst + count, room - count, &letter);
        if (letter) count += read = window_of_exponents(text, dst + count, room - count);
        if (!read) count += read = number_window_avx2(text, dst + count, room - count);
    } while (read);
    return count + number_run_plain(text, dst + count, room - count);
}

#endif
