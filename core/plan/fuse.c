/* Third pass: elementwise operators go into the store of the step that makes their value.
 *
 *   conv, add, relu  ->  {Add, ReLU}    a ResNet block
 *   conv, relu, add  ->  {ReLU, Add}    the residual layer
 *
 * The other operand must be there before the step runs, so of two branches that meet in an addition
 * the later one takes it. A step takes what its implementation can do: it never becomes a slower
 * one for that. */
#include <string.h>

#include "plan/plan.h"

/* The one step that reads what `index` makes; -1 when there are none or several. */
static int only_reader(const rn_plan *plan, size_t index)
{
    const int value = plan->step[index].dst;
    if (rn_plan_readers(plan, value) != 1 || rn_plan_is_output(plan, value)) return -1;
    for (size_t i = index + 1; i < plan->count; i++)
        if (rn_plan_reads(&plan->step[i], value)) return (int)i;
    return -1;
}

/* The operator of step `reader` as an entry of the epilogue of `index`, and its other operand.
 * False: it can't be one. */
static bool as_post(const rn_plan *plan, size_t index, size_t reader, rn_post *post, int *other)
{
    const rn_step *step = &plan->step[index], *next = &plan->step[reader];
    *post = (rn_post){.op = next->desc.op};
    *other = RN_NO_VALUE;
    memcpy(post->parameter, next->desc.parameter, sizeof post->parameter);
    if (next->desc.epilogue.count) return false;
    switch (rn_op_row_of(next->desc.op)->kind) {
    case RN_KIND_UNARY: return true;
    case RN_KIND_BINARY: break;
    default: return false;
    }
    const bool first = next->src[0] == step->dst;
    *other = next->src[first];
    if (!first && !rn_op_commutes(next->desc.op)) return false;
    return rn_plan_producer(plan, *other) <= (int)index &&
           rn_shape_equal(plan->value[*other].shape, step->desc.out) &&
           rn_shape_equal(next->desc.out, step->desc.out); /* neither is broadcast */
}

static bool fuse_next(rn_plan *plan, size_t index)
{
    rn_step *step = &plan->step[index];
    const int reader = only_reader(plan, index);
    rn_post post;
    int other;
    if (!rn_op_row_of(step->desc.op)->takes_epilogue || reader < 0) return false;
    if (!as_post(plan, index, (size_t)reader, &post, &other)) return false;
    rn_desc longer = step->desc;
    if (!rn_epilogue_append(&longer.epilogue, &post) ||
        rn_impl_choose(&longer, plan->isa) != rn_impl_choose(&step->desc, plan->isa))
        return false;
    step->desc.epilogue = longer.epilogue;
    if (other != RN_NO_VALUE) step->addend = other;
    step->dst = plan->step[reader].dst;
    rn_plan_remove(plan, (size_t)reader);
    return true;
}

rn_status rn_plan_fuse(rn_plan *plan, rn_error *err)
{
    (void)err;
    for (size_t i = 0; i < plan->count; i++)
        while (fuse_next(plan, i)) {
        }
    return RN_OK;
}
