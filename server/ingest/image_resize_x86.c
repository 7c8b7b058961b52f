/* The loops of a resize with AVX2; the plain twins are in image_resize.c. AVX-512 saved a tenth of
 * a resize: not worth a second version.
 *
 * Pixels of three bytes are spread to four 32-bit lanes, so that two taps are summed up at once.
 * Loads go beyond the last pixel of a sum, so those at a row's end are left to the plain loop. */
#include "ingest/image_resize.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))
#define HALF (1 << (IMAGE_TAP_BITS - 1))

/* How many pixels may be computed by loads of 8 bytes: the last one begins at the last tap at most,
 * and what bounds all of them must not fall with x. */
static size_t within_row(const struct image_taps *taps, size_t in_width, size_t width)
{
    while (width) {
        const size_t end = taps->first[width - 1] + taps->count[width - 1];
        if (3 * (end - 1) + 8 <= 3 * in_width) break;
        width--;
    }
    return width;
}

/* Three sums of 32 bits to bytes; `room` bytes may be written. */
AVX2 static inline void store_pixel(__m128i sum, uint8_t *out, size_t room)
{
    const __m128i value = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(HALF)), IMAGE_TAP_BITS);
    const __m128i words = _mm_packs_epi32(value, value); // the sum is at most 511 now
    const int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    memcpy(out, &bytes, room >= 4 ? 4 : 3); // the fourth byte is written over by the next pixel
}

AVX2 void image_row_avx2(const struct image_taps *taps, const uint8_t *in, size_t in_width,
                         uint8_t *out, size_t width)
{
    const __m128i spread = _mm_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i to_lanes = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1);
    const size_t safe = within_row(taps, in_width, width);
    for (size_t x = 0; x < safe; x++) {
        const uint8_t *pixel = in + 3 * taps->first[x];
        const int32_t *weight = taps->weight + x * taps->most;
        __m256i sum = _mm256_setzero_si256();
        for (size_t i = 0; i < taps->count[x]; i += 2, pixel += 6) {
            const __m128i bytes = _mm_loadl_epi64((const void *)pixel);
            const __m128i pair = _mm_loadl_epi64((const void *)(weight + i));
            const __m256i samples = _mm256_cvtepu8_epi32(_mm_shuffle_epi8(bytes, spread));
            const __m256i factors =
                _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(pair), to_lanes);
            sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(samples, factors));
        }
        store_pixel(_mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1)),
                    out + 3 * x, 3 * (width - x));
    }
    const struct image_taps rest = image_taps_from(taps, safe);
    image_row_plain(&rest, in, in_width, out + 3 * safe, width - safe);
}

AVX2 static void column_block(const struct image_rows *rows, size_t at, uint8_t *out)
{
    const __m256i half = _mm256_set1_epi32(HALF);
    __m256i sum[4] = {half, half, half, half};
    for (size_t tap = 0; tap < rows->count; tap++) {
        const uint8_t *in = rows->in[tap] + at;
        const __m256i weight = _mm256_set1_epi32(rows->weight[tap]);
        for (size_t i = 0; i < 4; i++) {
            const __m128i bytes = _mm_loadl_epi64((const void *)(in + 8 * i));
            const __m256i samples = _mm256_cvtepu8_epi32(bytes);
            sum[i] = _mm256_add_epi32(sum[i], _mm256_mullo_epi32(samples, weight));
        }
    }
    for (size_t i = 0; i < 4; i++) sum[i] = _mm256_srai_epi32(sum[i], IMAGE_TAP_BITS);
    const __m256i low = _mm256_packs_epi32(sum[0], sum[1]);
    const __m256i high = _mm256_packs_epi32(sum[2], sum[3]);
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), in_order);
    _mm256_storeu_si256((void *)(out + at), bytes);
}

void image_column_avx2(const struct image_rows *rows, uint8_t *out, size_t size)
{
    enum { BLOCK = 32 };
    if (size < BLOCK) {
        image_column_plain(rows, out, size);
        return;
    }
    for (size_t at = 0; at + BLOCK <= size; at += BLOCK) column_block(rows, at, out);
    if (size % BLOCK) column_block(rows, size - BLOCK, out); // some bytes a second time
}

#endif
