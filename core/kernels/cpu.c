#include "kernels/cpu.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

static const struct {
    const char *name;
    rn_isa bits; /* with all that it implies */
} rows[] = {
    {"portable", RN_ISA_PORTABLE},
#define ISA(id, name, implies, test) {name, RN_ISA_##id | (implies)},
#include "kernels/isa.def"
#undef ISA
};
enum { ROWS = sizeof rows / sizeof *rows };

rn_isa rn_isa_detect(void)
{
    rn_isa has = RN_ISA_PORTABLE;
#define ISA(id, name, implies, test) \
    if ((test) && rn_isa_has(has, (implies))) has |= RN_ISA_##id;
#include "kernels/isa.def"
#undef ISA
    return has;
}

const char *rn_isa_name(rn_isa isa)
{
    size_t last = 0;
    for (size_t i = 1; i < ROWS; i++)
        if (rn_isa_has(isa, rows[i].bits)) last = i;
    return rows[last].name;
}

rn_status rn_isa_select(const char *name, rn_isa *out, rn_error *err)
{
    const rn_isa has = rn_isa_detect();
    *out = has;
    if (!name) return RN_OK;
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(name, rows[i].name) != 0) continue;
        *out = rows[i].bits;
        if (rn_isa_has(has, rows[i].bits)) return RN_OK;
        return rn_fail(err, RN_ERR_CPU, "this CPU has no %s", name);
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
    static _Thread_local const char *available[ROWS + 1];
    const rn_isa has = rn_isa_detect();
    size_t count = 0;
    for (size_t i = 0; i < ROWS; i++)
        if (rn_isa_has(has, rows[i].bits)) available[count++] = rows[i].name;
    available[count] = NULL;
    return available;
}
