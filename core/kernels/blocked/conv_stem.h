/* Convolution of a network's first layer: few channels in NCHW, out in NCHW16C; any window, stride,
 * dilation and padding. */
#ifndef RN_KERNELS_BLOCKED_CONV_STEM_H
#define RN_KERNELS_BLOCKED_CONV_STEM_H

#include "kernels/blocked/blocked.h"

bool rn_conv_stem_supports(const rn_desc *desc);
size_t rn_conv_stem_packed_size(const rn_desc *desc);
void rn_conv_stem_pack(const rn_desc *desc, const float *weights, const float *scale,
                       float *packed); /* (output blocks, ic, kh, kw, 16) */
size_t rn_conv_stem_scratch(const rn_desc *desc, size_t threads);
void rn_conv_stem(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
