/* Which instruction sets this CPU has, and the mask that tests and an option put on them.
 *
 * An instruction set is a bit; a set of them says what a CPU has, what kernels may use, and what
 * one kernel needs. Each has a row in isa.def. Constant: any thread. */
#ifndef RN_KERNELS_CPU_H
#define RN_KERNELS_CPU_H

#include "resnet.h"

typedef uint32_t rn_isa;

enum {
#define ISA(id, name, implies, test) RN_ISA_BIT_##id,
#include "kernels/isa.def"
#undef ISA
    RN_ISA_BITS
};

/* The empty set: what any CPU can run. */
#define RN_ISA_PORTABLE ((rn_isa)0)
enum {
#define ISA(id, name, implies, test) RN_ISA_##id = 1 << RN_ISA_BIT_##id,
#include "kernels/isa.def"
#undef ISA
};

/* Of a set: the name of the last in isa.def that it has all of: "portable", "avx2", ... */
const char *rn_isa_name(rn_isa isa);

/* All that this CPU and operating system can run. */
rn_isa rn_isa_detect(void);

/* Whether kernels that need `needs` may run on `isa`. */
static inline bool rn_isa_has(rn_isa isa, rn_isa needs)
{
    return (needs & ~isa) == 0;
}

/* The set to choose kernels for: `name` NULL gives all. RN_ERR_CPU when this CPU lacks it,
 * RN_ERR_ARGUMENT when there is no such name. */
rn_status rn_isa_select(const char *name, rn_isa *out, rn_error *err);

#endif
