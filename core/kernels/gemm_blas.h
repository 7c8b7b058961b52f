/* Convolutions and linear layers by OpenBLAS's sgemm: the path of every CPU that has no kernels of
 * its own here. NCHW to NCHW, weights in the file's order. */
#ifndef RN_KERNELS_GEMM_BLAS_H
#define RN_KERNELS_GEMM_BLAS_H

#include "kernels/kernels.h"

extern const rn_impl rn_gemm_conv, rn_gemm_linear;

/* Tells OpenBLAS to leave threads to the caller. Once, before the first run. */
void rn_gemm_init(void);

#endif
