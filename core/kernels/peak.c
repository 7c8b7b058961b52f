/* What one core can do at best, for the report of `resnetd bench`: measured, because clocks and the
 * width of a CPU's units are nowhere to be read. */
#include "base/clock.h"
#include "kernels/blocked/impls.h"
#include "resnet.h"

/* Of the widest vectors. */
static const rn_micro *micro_of(rn_isa isa)
{
#if defined(__x86_64__)
    if (rn_isa_has(isa, RN_ISA_AVX512)) return rn_avx512_micro;
    if (rn_isa_has(isa, RN_ISA_AVX2)) return rn_avx2_micro;
#elif defined(__aarch64__)
    if (rn_isa_has(isa, RN_ISA_NEON)) return rn_neon_micro;
#endif
    return NULL;
}

double rn_isa_peak(const char *name)
{
    enum { RUNS = 20, ROUNDS = 20000 };
    rn_isa isa;
    if (rn_isa_select(name, &isa, NULL) != RN_OK || !micro_of(isa)) return 0;
    _Alignas(64) float sink[RN_BLOCK] = {0.5F, 0.25F};
    double best = 0;
    for (int run = 0; run < RUNS; run++) {
        const double begin = rn_clock_seconds(), flops = micro_of(isa)->multiply_add(ROUNDS, sink);
        const double speed = flops / (rn_clock_seconds() - begin);
        if (speed > best) best = speed;
        sink[0] = 0.5F;
        sink[1] = 0.25F;
    }
    return best;
}
