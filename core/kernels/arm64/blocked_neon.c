/* The NCHW16C kernels for NEON: 32 registers of 4 floats. 6 pixels by one block of four vectors are
 * 24 accumulators, four registers of weights and one of input: 29. */
#include <arm_neon.h>
#include <math.h>

#include "kernels/blocked/drivers.h"
#include "kernels/functions.h"

typedef float32x4_t vec;
typedef struct {
    uint8x16_t bytes;
    size_t first; /* the four channels that all lanes take theirs from begin here */
} vec_index;
enum { LANES = 4 };

#define vec_load(p)       vld1q_f32(p)
#define vec_loadu(p)      vld1q_f32(p)
#define vec_store(p, v)   vst1q_f32(p, v)
#define vec_splat(x)      vdupq_n_f32(x)
#define vec_zero()        vdupq_n_f32(0)
#define vec_add(a, b)     vaddq_f32(a, b)
#define vec_sub(a, b)     vsubq_f32(a, b)
#define vec_mul(a, b)     vmulq_f32(a, b)
#define vec_fma(a, b, c)  vfmaq_f32(c, a, b)
#define vec_fnma(a, b, c) vfmsq_f32(c, a, b)
#define vec_relu(v)       vmaxq_f32(v, vdupq_n_f32(0)) /* NaN when one is NaN */
#define vec_max(a, b)     vmaxq_f32(a, b)

static inline vec_index vec_index_of(size_t group, size_t j)
{
    uint8_t bytes[16];
    for (size_t i = 0; i < sizeof bytes; i++) {
        const size_t lane = i / sizeof(float);
        const size_t channel = (lane & ~(group - 1)) + j;
        bytes[i] = (uint8_t)(channel % LANES * sizeof(float) + i % sizeof(float));
    }
    return (vec_index){vld1q_u8(bytes), j / LANES * LANES};
}

static inline vec vec_spread(const float *channels, vec_index index)
{
    const uint8x16_t values = vreinterpretq_u8_f32(vld1q_f32(channels + index.first));
    return vreinterpretq_f32_u8(vqtbl1q_u8(values, index.bytes));
}

#define TILE_PIXELS  6
#define FUSED_TILES  4
#define STEM_GROUP   4
#define STEM_POINTS  7
#define TILE_BLOCKS  1
#define EACH_TILE(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1)

#include "kernels/blocked/micro.inc"

#define ISA      RN_ISA_NEON
#define ISA_NAME neon
#include "kernels/blocked/impls.inc"
