/* Direct convolution over NCHW16C: any window, stride, dilation, padding, groups and channels. */
#ifndef RN_KERNELS_BLOCKED_CONV_DIRECT_H
#define RN_KERNELS_BLOCKED_CONV_DIRECT_H

#include "kernels/blocked/blocked.h"

bool rn_conv_direct_supports(const rn_desc *desc);
size_t rn_conv_direct_scratch(const rn_desc *desc, size_t threads, const rn_micro *micro);
void rn_conv_direct(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
