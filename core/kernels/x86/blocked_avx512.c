/* The NCHW16C kernels for AVX-512: 32 registers of 16 floats. 14 pixels by 2 blocks are 28
 * accumulators, two registers of weights and one of input: 31. */
#include <immintrin.h>
#include <math.h>

#include "kernels/blocked/drivers.h"
#include "kernels/functions.h"

typedef __m512 vec;
typedef __m512i vec_index;
enum { LANES = 16 };

#define vec_load(p)       _mm512_load_ps(p)
#define vec_loadu(p)      _mm512_loadu_ps(p)
#define vec_store(p, v)   _mm512_store_ps(p, v)
#define vec_splat(x)      _mm512_set1_ps(x)
#define vec_zero()        _mm512_setzero_ps()
#define vec_add(a, b)     _mm512_add_ps(a, b)
#define vec_sub(a, b)     _mm512_sub_ps(a, b)
#define vec_mul(a, b)     _mm512_mul_ps(a, b)
#define vec_fma(a, b, c)  _mm512_fmadd_ps(a, b, c)
#define vec_fnma(a, b, c) _mm512_fnmadd_ps(a, b, c)
#define vec_relu(v)       _mm512_max_ps(_mm512_setzero_ps(), v) /* gives v when v is NaN */

static inline vec vec_max(vec a, vec b)
{
    /* max gives b when one is NaN: right unless it is a */
    return _mm512_mask_mov_ps(_mm512_max_ps(a, b), _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q), a);
}

static inline vec_index vec_index_of(size_t group, size_t j)
{
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i first = _mm512_and_si512(lane, _mm512_set1_epi32(-(int)group));
    return _mm512_add_epi32(first, _mm512_set1_epi32((int)j));
}

static inline vec vec_spread(const float *pixel, vec_index index)
{
    return _mm512_permutexvar_ps(index, _mm512_load_ps(pixel));
}

#define TILE_PIXELS 14
#define FUSED_TILES 4
#define STEM_GROUP  4
#define STEM_POINTS 7
#define TILE_BLOCKS 2
/* clang-format off */
#define EACH_PIXELS(X, blocks) \
    X(1, blocks) X(2, blocks) X(3, blocks) X(4, blocks) X(5, blocks) X(6, blocks) X(7, blocks) \
    X(8, blocks) X(9, blocks) X(10, blocks) X(11, blocks) X(12, blocks) X(13, blocks) X(14, blocks)
/* clang-format on */
#define EACH_TILE(X) EACH_PIXELS(X, 1) EACH_PIXELS(X, 2)

#include "kernels/blocked/micro.inc"

#define ISA      RN_ISA_AVX512
#define ISA_NAME avx512
#include "kernels/blocked/impls.inc"
