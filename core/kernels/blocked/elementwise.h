/* The elementwise operators, and BatchNorm2d that could not be folded, over NCHW16C. */
#ifndef RN_KERNELS_BLOCKED_ELEMENTWISE_H
#define RN_KERNELS_BLOCKED_ELEMENTWISE_H

#include "kernels/blocked/blocked.h"

void rn_blocked_unary(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

void rn_blocked_prelu(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

/* Operands of equal shapes, or a map and one value a channel. */
bool rn_blocked_binary_supports(const rn_desc *desc);
void rn_blocked_binary(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

void rn_blocked_batch_norm(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
