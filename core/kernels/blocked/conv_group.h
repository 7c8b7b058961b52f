/* Grouped convolution with 1, 2, 4 or 8 channels a group, in and out: ResNeXt's and depthwise.
 * Wider groups are fast as a banded direct convolution. */
#ifndef RN_KERNELS_BLOCKED_CONV_GROUP_H
#define RN_KERNELS_BLOCKED_CONV_GROUP_H

#include "kernels/blocked/blocked.h"

bool rn_conv_group_supports(const rn_desc *desc);
size_t rn_conv_group_packed_size(const rn_desc *desc);
void rn_conv_group_pack(const rn_desc *desc, const float *weights, const float *scale,
                        float *packed); /* (blocks, taps, channels of a group, 16) */
size_t rn_conv_group_scratch(const rn_desc *desc, size_t threads);
void rn_conv_group(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
