#include "plan/plan.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

typedef rn_status plan_pass(rn_plan *plan, rn_error *err);

static plan_pass *const passes[] = {rn_plan_fold, rn_plan_fuse, rn_plan_choose, rn_plan_place};

static rn_status run_passes(rn_plan *plan, const rn_graph *graph, rn_team *team, rn_error *err)
{
    rn_status status = rn_plan_lower(plan, graph, err);
    for (size_t i = 0; status == RN_OK && i < sizeof passes / sizeof *passes; i++)
        status = passes[i](plan, err);
    return status == RN_OK ? rn_plan_pack(plan, team, err) : status;
}

rn_status rn_plan_build(rn_plan *plan, const rn_graph *graph, rn_isa isa, rn_team *team,
                        rn_error *err)
{
    *plan = (rn_plan){.input = RN_NO_VALUE, .output = RN_NO_VALUE, .isa = isa};
    if (graph->count < 2) return rn_fail(err, RN_ERR_FORMAT, "the network has no layers");
    const rn_status status = run_passes(plan, graph, team, err);
    if (status != RN_OK) rn_plan_release(plan);
    return status;
}

size_t rn_plan_scratch(const rn_plan *plan, size_t n, size_t threads)
{
    size_t most = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const rn_impl *impl = plan->step[i].impl;
        if (impl->scratch_size)
            most = rn_max(most, impl->scratch_size(&plan->step[i].desc, n, threads));
    }
    return rn_round_up(most, RN_ALIGN / sizeof(float));
}

int rn_plan_producer(const rn_plan *plan, int value)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->step[i].dst == value) return (int)i;
    return -1;
}

size_t rn_plan_readers(const rn_plan *plan, int value)
{
    size_t readers = value == plan->output;
    for (size_t i = 0; i < plan->count; i++)
        readers += (size_t)(plan->step[i].src == value) + (size_t)(plan->step[i].addend == value);
    return readers;
}

void rn_plan_remove(rn_plan *plan, size_t step)
{
    plan->count--;
    memmove(plan->step + step, plan->step + step + 1, (plan->count - step) * sizeof *plan->step);
}

void rn_plan_release(rn_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        rn_free(plan->step[i].scale);
        rn_free(plan->step[i].shift);
    }
    rn_free(plan->step);
    rn_free(plan->value);
    rn_free(plan->weights);
    *plan = (rn_plan){0};
}
