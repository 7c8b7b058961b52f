/* Winograd convolution over NCHW16C: 3x3, stride 1, no dilation, no groups, and a map large enough
 * to pay for the transform of the weights. Same packed weights as the direct convolution (pack.h).
 */
#ifndef RN_KERNELS_BLOCKED_CONV_WINOGRAD_H
#define RN_KERNELS_BLOCKED_CONV_WINOGRAD_H

#include "kernels/blocked/blocked.h"

bool rn_conv_winograd_supports(const rn_desc *desc, const rn_micro *micro);
size_t rn_conv_winograd_scratch(const rn_desc *desc, size_t n, size_t threads,
                                const rn_micro *micro);
void rn_conv_winograd(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
