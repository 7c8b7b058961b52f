/* Convolution of a network's first layer by Winograd's method: 7x7 with stride 2 over few channels
 * in NCHW, out in NCHW16C; any padding. */
#ifndef RN_KERNELS_BLOCKED_CONV_WINOGRAD_STEM_H
#define RN_KERNELS_BLOCKED_CONV_WINOGRAD_STEM_H

#include "kernels/blocked/blocked.h"

bool rn_conv_winograd_stem_supports(const rn_desc *desc);
size_t rn_conv_winograd_stem_packed_size(const rn_desc *desc);
void rn_conv_winograd_stem_pack(const rn_desc *desc, const float *weights, const float *scale,
                                float *packed); /* (output blocks, domain: see blocked.h, 16) */
size_t rn_conv_winograd_stem_scratch(const rn_desc *desc, size_t threads);
void rn_conv_winograd_stem(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
