/* Which instruction sets this CPU has, and the mask that tests and an option put on them. */
#ifndef RN_KERNELS_CPU_H
#define RN_KERNELS_CPU_H

#include "resnet.h"

/* Ordered: a higher one of the same architecture includes the lower ones. */
typedef enum { RN_ISA_PORTABLE, RN_ISA_NEON, RN_ISA_AVX2, RN_ISA_AVX512, RN_ISAS } rn_isa;

const char *rn_isa_name(rn_isa isa); /* "portable", "neon", "avx2", "avx512" */

/* The best one this CPU and operating system can run. */
rn_isa rn_isa_detect(void);

/* The isa to choose kernels for: `name` NULL gives the best. RN_ERR_CPU when this CPU lacks it,
 * RN_ERR_ARGUMENT when there is no such name. */
rn_status rn_isa_select(const char *name, rn_isa *out, rn_error *err);

#endif
