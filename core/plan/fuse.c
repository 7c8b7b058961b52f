/* Third pass: activation and addition go into the store of the step that makes the value.
 *
 *   conv, add, relu  ->  act(conv + addend)     a ResNet block
 *   conv, relu, add  ->  act(conv) + addend     the residual layer
 *
 * The addend must be there before the step runs, so of two branches that meet in an addition the
 * later one takes it. */
#include "plan/plan.h"

static bool has_epilogue(const rn_step *step)
{
    switch (step->desc.op) {
    case RN_OP_CONV:
    case RN_OP_LINEAR:
    case RN_OP_BATCH_NORM:
    case RN_OP_GROUP_NORM:
    case RN_OP_ADD: return true;
    default: return false;
    }
}

/* The one step that reads what `index` makes; -1 when there are none or several. */
static int only_reader(const rn_plan *plan, size_t index)
{
    const int value = plan->step[index].dst;
    if (rn_plan_readers(plan, value) != 1 || value == plan->output) return -1;
    for (size_t i = index + 1; i < plan->count; i++)
        if (plan->step[i].src == value || plan->step[i].addend == value) return (int)i;
    return -1;
}

static bool fuse_relu(rn_plan *plan, size_t index, size_t relu)
{
    rn_step *step = &plan->step[index];
    if (step->desc.epilogue.act != RN_ACT_NONE) return false;
    step->desc.epilogue.act = RN_ACT_RELU;
    step->dst = plan->step[relu].dst;
    rn_plan_remove(plan, relu);
    return true;
}

static bool fuse_add(rn_plan *plan, size_t index, size_t add)
{
    rn_step *step = &plan->step[index];
    const rn_step *sum = &plan->step[add];
    if (step->desc.op == RN_OP_ADD || step->desc.epilogue.add != RN_ADD_NONE) return false;
    const int other = sum->src == step->dst ? sum->addend : sum->src;
    if (rn_plan_producer(plan, other) > (int)index) return false;
    if (!rn_dims_equal(plan->value[other].dims, step->desc.out) ||
        !rn_dims_equal(sum->desc.out, step->desc.out))
        return false; /* one of the two is broadcast */
    step->desc.epilogue.add =
        step->desc.epilogue.act == RN_ACT_NONE ? RN_ADD_BEFORE_ACT : RN_ADD_AFTER_ACT;
    step->addend = other;
    step->dst = sum->dst;
    rn_plan_remove(plan, add);
    return true;
}

/* An activation behind act(y) + addend can't be expressed: the epilogue is full. */
static bool fuse_next(rn_plan *plan, size_t index)
{
    if (!has_epilogue(&plan->step[index])) return false;
    const int reader = only_reader(plan, index);
    if (reader < 0) return false;
    switch (plan->step[reader].desc.op) {
    case RN_OP_RELU: return fuse_relu(plan, index, (size_t)reader);
    case RN_OP_ADD: return fuse_add(plan, index, (size_t)reader);
    default: return false;
    }
}

rn_status rn_plan_fuse(rn_plan *plan, rn_error *err)
{
    (void)err;
    for (size_t i = 0; i < plan->count; i++)
        while (fuse_next(plan, i)) {
        }
    return RN_OK;
}
