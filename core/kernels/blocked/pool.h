/* Pools over NCHW16C. */
#ifndef RN_KERNELS_BLOCKED_POOL_H
#define RN_KERNELS_BLOCKED_POOL_H

#include "kernels/blocked/blocked.h"

void rn_pool_max(const rn_desc *desc, const rn_args *args, const rn_micro *micro);
void rn_pool_average(const rn_desc *desc, const rn_args *args, const rn_micro *micro);
void rn_pool_global(const rn_desc *desc, const rn_args *args, const rn_micro *micro);

#endif
