/* Second pass: what costs nothing when it is part of its neighbour. Batch norm after a convolution
 * or linear layer becomes its scale and shift; flattening one pixel becomes a matter of shape. */
#include "plan/plan.h"

/* The step that alone makes what `step` reads, if no other step reads it. */
static rn_step *only_producer(const rn_plan *plan, const rn_step *step)
{
    const int producer = rn_plan_producer(plan, step->src[0]);
    if (producer < 0 || rn_plan_readers(plan, step->src[0]) != 1) return NULL;
    return &plan->step[producer];
}

/* Each row of its weights makes one output channel. */
static bool has_matrix(const rn_step *step)
{
    return step->desc.op == RN_OP_CONV || step->desc.op == RN_OP_LINEAR;
}

static bool fold_batch_norm(rn_plan *plan, size_t index)
{
    rn_step *norm = &plan->step[index], *conv = only_producer(plan, norm);
    if (!conv || !has_matrix(conv) || conv->scale) return false;
    conv->scale = norm->scale;
    conv->shift = norm->shift;
    conv->parameters += norm->parameters;
    conv->dst = norm->dst;
    rn_plan_remove(plan, index);
    return true;
}

static bool fold_flatten(rn_plan *plan, size_t index)
{
    rn_step *flatten = &plan->step[index], *producer = only_producer(plan, flatten);
    if (!producer || producer->desc.op != RN_OP_GLOBAL_AVG_POOL) return false;
    producer->desc.out = flatten->desc.out;
    producer->dst = flatten->dst;
    rn_plan_remove(plan, index);
    return true;
}

rn_status rn_plan_fold(rn_plan *plan, rn_error *err)
{
    (void)err;
    for (size_t i = 0; i < plan->count;) {
        const rn_op op = plan->step[i].desc.op;
        const bool gone = (op == RN_OP_BATCH_NORM && fold_batch_norm(plan, i)) ||
                          (op == RN_OP_FLATTEN && fold_flatten(plan, i));
        if (!gone) i++;
    }
    return RN_OK;
}
