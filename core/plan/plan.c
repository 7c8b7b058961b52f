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
    *plan = (rn_plan){.isa = isa};
    if (graph->count <= graph->inputs || graph->outputs == 0)
        return rn_fail(err, RN_ERR_FORMAT, "the network has no layers");
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

int rn_plan_new_value(rn_plan *plan, rn_shape shape, rn_error *err)
{
    rn_value *values =
        rn_grow(plan->value, plan->values, &plan->value_capacity, sizeof *values, err);
    if (!values) return RN_NO_VALUE;
    plan->value = values;
    plan->value[plan->values] = (rn_value){.shape = shape, .port = -1};
    return (int)plan->values++;
}

static size_t times_read(const rn_step *step, int value)
{
    size_t times = step->addend == value;
    for (size_t i = 0; i < step->desc.inputs; i++) times += step->src[i] == value;
    return times;
}

bool rn_plan_reads(const rn_step *step, int value)
{
    return times_read(step, value) > 0;
}

bool rn_plan_is_output(const rn_plan *plan, int value)
{
    for (size_t i = 0; i < plan->outputs; i++)
        if (plan->output[i] == value) return true;
    return false;
}

size_t rn_plan_readers(const rn_plan *plan, int value)
{
    size_t readers = rn_plan_is_output(plan, value);
    for (size_t i = 0; i < plan->count; i++) readers += times_read(&plan->step[i], value);
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
    rn_free(plan->input);
    rn_free(plan->output);
    rn_free(plan->weights);
    *plan = (rn_plan){0};
}
