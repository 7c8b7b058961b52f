/* The NCHW16C kernels for AVX2 with FMA: 16 registers of 8 floats. 6 pixels by one block of two
 * vectors are 12 accumulators, two registers of weights and one of input: 15. */
#include <immintrin.h>
#include <math.h>

#include "kernels/blocked/drivers.h"
#include "kernels/functions.h"

typedef __m256 vec;
typedef __m256i vec_index;
enum { LANES = 8 };

#define vec_load(p)       _mm256_load_ps(p)
#define vec_loadu(p)      _mm256_loadu_ps(p)
#define vec_store(p, v)   _mm256_store_ps(p, v)
#define vec_splat(x)      _mm256_set1_ps(x)
#define vec_zero()        _mm256_setzero_ps()
#define vec_add(a, b)     _mm256_add_ps(a, b)
#define vec_sub(a, b)     _mm256_sub_ps(a, b)
#define vec_mul(a, b)     _mm256_mul_ps(a, b)
#define vec_fma(a, b, c)  _mm256_fmadd_ps(a, b, c)
#define vec_fnma(a, b, c) _mm256_fnmadd_ps(a, b, c)
#define vec_relu(v)       _mm256_max_ps(_mm256_setzero_ps(), v) /* gives v when v is NaN */

static inline vec vec_max(vec a, vec b)
{
    /* max gives b when one is NaN: right unless it is a */
    return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}

static inline vec_index vec_index_of(size_t group, size_t j)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i first = _mm256_and_si256(lane, _mm256_set1_epi32(-(int)group));
    return _mm256_add_epi32(first, _mm256_set1_epi32((int)j));
}

static inline vec vec_spread(const float *pixel, vec_index index)
{
    return _mm256_permutevar8x32_ps(_mm256_load_ps(pixel), index);
}

#define TILE_PIXELS  6
#define FUSED_TILES  0 /* 16 registers are not enough */
#define STEM_GROUP   4
#define STEM_POINTS  3
#define TILE_BLOCKS  1
#define EACH_TILE(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1)

#include "kernels/blocked/micro.inc"

#define ISA      RN_ISA_AVX2
#define ISA_NAME avx2
#include "kernels/blocked/impls.inc"
