/* Operators that only some residual networks have, over NCHW16C: group norm, concat, zero
 * padding and the blurred pool. Without them a network would be converted to NCHW and
 * back around each. */
#ifndef RN_KERNELS_BLOCKED_VARIANTS_H
#define RN_KERNELS_BLOCKED_VARIANTS_H

#include "kernels/blocked/blocked.h"

bool rn_group_norm_supports(const rn_desc *desc);
void rn_group_norm(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

/* Channels after channels, of two maps. */
void rn_blocked_concat(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

void rn_blocked_zero_pad(const rn_desc *desc, const rn_args *args, const rn_micro *micro);
void rn_blocked_blur(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
