/* The reference kernels: plain C, the definition of what each operator gives. Every operator has
 * one; sums are taken in double and rounded once. NCHW to NCHW unless said otherwise. */
#ifndef RN_KERNELS_REF_REF_H
#define RN_KERNELS_REF_REF_H

#include "kernels/kernels.h"

extern const rn_impl rn_ref_conv, rn_ref_linear, rn_ref_batch_norm, rn_ref_relu, rn_ref_add;
extern const rn_impl rn_ref_max_pool, rn_ref_avg_pool, rn_ref_global_avg_pool, rn_ref_flatten;
extern const rn_impl rn_ref_concat, rn_ref_zero_pad, rn_ref_softmax;
extern const rn_impl rn_ref_group_norm, rn_ref_sigmoid, rn_ref_mul, rn_ref_channel_conv;
extern const rn_impl rn_ref_blur_pool, rn_ref_channel_pad;
extern const rn_impl rn_ref_fake_quantize;
extern const rn_impl rn_ref_reorder; /* between any two layouts */

#endif
