/* The reference kernels: plain C, the definition of what each operator gives. Every operator has
 * one; sums are taken in double and rounded once. NCHW to NCHW unless said otherwise. */
#ifndef RN_KERNELS_REF_REF_H
#define RN_KERNELS_REF_REF_H

#include "kernels/kernels.h"

#define OP(id, low, ...) extern const rn_impl rn_ref_##low;
#include "graph/ops.def"
#undef OP

#endif
