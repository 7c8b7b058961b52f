/* Operators that only some residual networks have, over NCHW16C: the product with a gate, group
 * norm, zero padding and the blurred pool. Without them a network would be converted to NCHW and
 * back around each. */
#ifndef RN_KERNELS_BLOCKED_VARIANTS_H
#define RN_KERNELS_BLOCKED_VARIANTS_H

#include "kernels/blocked/blocked.h"

/* A map times one factor a channel; has_gate: the second operand is one value a channel. */
bool rn_blocked_has_gate(const rn_desc *desc);
void rn_blocked_mul(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

bool rn_group_norm_supports(const rn_desc *desc);
void rn_group_norm(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

void rn_blocked_zero_pad(const rn_desc *desc, const rn_args *args, const rn_micro *micro);
void rn_blocked_blur(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
