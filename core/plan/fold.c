/* Second pass: what costs nothing when it is part of its neighbour. Batch norm after a convolution
 * or linear layer becomes its scale and shift; flattening one pixel becomes a matter of shape. */
#include <math.h>

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

/* x * f(x) as one operator: Sigmoid gives SiLU, Hardsigmoid of x / 6 + 1 / 2 Hardswish. */
static bool fold_gate(rn_plan *plan, size_t index)
{
    rn_step *mul = &plan->step[index];
    for (size_t i = 0; i < 2; i++) {
        const int producer = rn_plan_producer(plan, mul->src[i]);
        if (producer < 0 || rn_plan_readers(plan, mul->src[i]) != 1) continue;
        const rn_step *gate = &plan->step[producer];
        const float *p = gate->desc.parameter;
        const bool sixth = fabsf(p[0] - 1 / 6.0F) < 1e-6F && fabsf(p[1] - 0.5F) < 1e-6F;
        const bool swish = gate->desc.op == RN_OP_HARD_SIGMOID && sixth;
        if ((gate->desc.op != RN_OP_SIGMOID && !swish) || gate->src[0] != mul->src[!i]) continue;
        mul->desc.op = swish ? RN_OP_HARD_SWISH : RN_OP_SILU;
        mul->desc.inputs = 1;
        mul->desc.in[0] = mul->desc.out;
        mul->src[0] = gate->src[0];
        rn_plan_remove(plan, (size_t)producer);
        return true;
    }
    return false;
}

rn_status rn_plan_fold(rn_plan *plan, rn_error *err)
{
    (void)err;
    for (size_t i = 0; i < plan->count;) {
        const rn_op op = plan->step[i].desc.op;
        const bool gone = (op == RN_OP_BATCH_NORM && fold_batch_norm(plan, i)) ||
                          (op == RN_OP_FLATTEN && fold_flatten(plan, i)) ||
                          (op == RN_OP_MUL && fold_gate(plan, i));
        if (!gone) i++;
    }
    return RN_OK;
}
