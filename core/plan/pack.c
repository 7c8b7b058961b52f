/* Fifth pass: weights and biases as the implementations want them, in one block of memory. Where an
 * implementation reads the file's order and no batch norm was folded in, the file itself is used.
 *
 * The pass walks the steps twice with the same code: once to measure, once to write. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "plan/plan.h"

#define LINE 16 /* floats of a cache line */

static size_t weight_count(const rn_step *step)
{
    const rn_desc *d = &step->desc;
    if (d->op == RN_OP_LINEAR) return d->out.c * rn_dims_size(d->in[0]);
    return d->out.c * (d->in[0].c / d->groups) * d->window.kh * d->window.kw;
}

/* Floats of the step's weights in the block; 0: it has none, or they stay in the file. */
static size_t packed_weights(const rn_step *step)
{
    if (step->desc.op == RN_OP_BATCH_NORM) return step->desc.out.c;
    if (!step->weight) return 0;
    const size_t packed = step->impl->packed_size ? step->impl->packed_size(&step->desc) : 0;
    return packed == 0 && step->scale ? weight_count(step) : packed;
}

static size_t packed_bias(const rn_step *step)
{
    const bool has_bias = step->weight || step->desc.op == RN_OP_BATCH_NORM;
    return has_bias ? rn_round_up(step->desc.out.c, LINE) : 0;
}

static void scale_rows(const rn_step *step, float *packed)
{
    const size_t row = weight_count(step) / step->desc.out.c;
    for (size_t oc = 0; oc < step->desc.out.c; oc++)
        for (size_t i = oc * row; i < (oc + 1) * row; i++)
            packed[i] = step->weight[i] * step->scale[oc];
}

static void pack_weights(const rn_step *step, float *packed)
{
    if (step->desc.op == RN_OP_BATCH_NORM)
        memcpy(packed, step->scale, step->desc.out.c * sizeof(float));
    else if (step->impl->packed_size && step->impl->packed_size(&step->desc))
        step->impl->pack(&step->desc, step->weight, step->scale, packed);
    else
        scale_rows(step, packed);
}

/* scale * (conv + bias) + shift */
static void pack_bias(const rn_step *step, float *packed)
{
    memset(packed, 0, packed_bias(step) * sizeof(float));
    for (size_t i = 0; i < step->desc.out.c; i++) {
        if (step->bias) packed[i] = step->bias[i];
        if (step->bias && step->scale) packed[i] *= step->scale[i];
        if (step->shift) packed[i] += step->shift[i];
    }
}

static void pack_step(rn_step *step, float *block)
{
    const size_t weights = packed_weights(step);
    float *bias = block + rn_round_up(weights, LINE);
    pack_bias(step, bias); /* first: packed_bias() asks for the weight, which may go */
    step->bias = bias;
    step->packed = step->weight;
    if (weights) {
        pack_weights(step, block);
        step->packed = block;
        step->weight = NULL;
    }
    rn_free(step->scale);
    rn_free(step->shift);
    step->scale = step->shift = NULL;
}

rn_status rn_plan_pack(rn_plan *plan, rn_error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < plan->count; i++) {
        const rn_step *step = &plan->step[i];
        const size_t size = rn_round_up(packed_weights(step), LINE) + packed_bias(step);
        if (!rn_size_add(total, size, &total)) return rn_fail_memory(err, SIZE_MAX);
    }
    plan->weights = rn_alloc(total, sizeof(float), err);
    if (!plan->weights) return RN_ERR_MEMORY;
    plan->weights_size = total;
    float *block = plan->weights;
    for (size_t i = 0; i < plan->count; i++) {
        rn_step *step = &plan->step[i];
        const size_t bias = packed_bias(step);
        const size_t size = rn_round_up(packed_weights(step), LINE) + bias;
        if (bias) pack_step(step, block);
        block += size;
    }
    return RN_OK;
}

bool rn_plan_uses_file(const rn_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->step[i].weight) return true;
    return false;
}
