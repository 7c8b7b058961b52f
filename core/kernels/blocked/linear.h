/* Linear layers, NCHW to NCHW: features are gathered into blocks of 16, images are the "pixels" of
 * a register tile. Weights are packed as those of a 1x1 convolution. */
#ifndef RN_KERNELS_BLOCKED_LINEAR_H
#define RN_KERNELS_BLOCKED_LINEAR_H

#include "kernels/blocked/blocked.h"

size_t rn_linear_packed_size(const rn_desc *desc);
void rn_linear_pack(const rn_desc *desc, const float *weights, const float *scale, float *packed);
size_t rn_linear_scratch(const rn_desc *desc, size_t n, size_t threads);
void rn_linear(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
