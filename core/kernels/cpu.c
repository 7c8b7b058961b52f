#include "kernels/cpu.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

static const char *const names[RN_ISAS] = {
    [RN_ISA_PORTABLE] = "portable",
    [RN_ISA_NEON] = "neon",
    [RN_ISA_AVX2] = "avx2",
    [RN_ISA_AVX512] = "avx512",
};

const char *rn_isa_name(rn_isa isa)
{
    return names[isa];
}

static bool has(rn_isa isa)
{
    if (isa == RN_ISA_PORTABLE) return true;
#if defined(__x86_64__)
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == RN_ISA_AVX2) return avx2;
    if (isa == RN_ISA_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    if (isa == RN_ISA_NEON) return true;
#endif
    return false;
}

rn_isa rn_isa_detect(void)
{
    rn_isa best = RN_ISAS - 1;
    while (!has(best)) best--;
    return best;
}

rn_status rn_isa_select(const char *name, rn_isa *out, rn_error *err)
{
    if (!name) {
        *out = rn_isa_detect();
        return RN_OK;
    }
    for (rn_isa isa = 0; isa < RN_ISAS; isa++) {
        if (strcmp(name, names[isa]) != 0) continue;
        if (!has(isa)) return rn_fail(err, RN_ERR_CPU, "this CPU has no %s", name);
        *out = isa;
        return RN_OK;
    }
    char list[80] = "";
    size_t used = 0;
    for (const char *const *isa = rn_isa_names(); *isa && used < sizeof list; isa++)
        used += (size_t)snprintf(list + used, sizeof list - used, used ? ", %s" : "%s", *isa);
    return rn_fail(err, RN_ERR_ARGUMENT, "no instruction set is called '%s'; this CPU has %s", name,
                   list);
}

const char *const *rn_isa_names(void)
{
    /* Each call writes the same values, so that threads need no order among them. */
    static _Thread_local const char *available[RN_ISAS + 1];
    size_t count = 0;
    for (rn_isa isa = 0; isa < RN_ISAS; isa++)
        if (has(isa)) available[count++] = names[isa];
    available[count] = NULL;
    return available;
}
