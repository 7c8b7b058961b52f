/* Last pass: weights and biases as the implementations want them, in one block of memory. Nothing
 * points into the file after this, whatever format it has: its pages can go.
 *
 * The steps are walked twice: once to measure, once to write, by all threads of a team. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "plan/plan.h"

#define LINE 16 /* floats of a cache line */

/* Floats of the step's weights in the file's order. */
static size_t weight_count(const rn_step *step)
{
    const rn_desc *d = &step->desc;
    if (!step->weight && d->op != RN_OP_BATCH_NORM) return 0;
    switch (d->op) {
    case RN_OP_LINEAR: return d->out.c * rn_dims_size(d->in[0]);
    case RN_OP_CONV: return d->out.c * (d->in[0].c / d->groups) * d->window.kh * d->window.kw;
    case RN_OP_CHANNEL_CONV: return d->window.kh;
    case RN_OP_FAKE_QUANTIZE: return 3;
    default: return d->out.c;
    }
}

/* Floats of the step's weights in the block; 0: it has none. */
static size_t packed_weights(const rn_step *step)
{
    const size_t count = weight_count(step);
    const size_t packed =
        count && step->impl->packed_size ? step->impl->packed_size(&step->desc) : 0;
    return packed ? packed : count;
}

static size_t packed_bias(const rn_step *step)
{
    const bool has_bias = step->weight || step->desc.op == RN_OP_BATCH_NORM;
    return has_bias ? rn_round_up(step->desc.out.c, LINE) : 0;
}

/* The file's order, each output channel times its factor. */
static void copy_weights(const rn_step *step, float *packed)
{
    const size_t count = weight_count(step), row = count / step->desc.out.c;
    if (!step->scale) memcpy(packed, step->weight, count * sizeof(float));
    for (size_t i = 0; step->scale && i < count; i++)
        packed[i] = step->weight[i] * step->scale[i / row];
}

static void pack_weights(const rn_step *step, float *packed)
{
    if (step->desc.op == RN_OP_BATCH_NORM)
        memcpy(packed, step->scale, step->desc.out.c * sizeof(float));
    else if (step->impl->packed_size && step->impl->packed_size(&step->desc))
        step->impl->pack(&step->desc, step->weight, step->scale, packed);
    else
        copy_weights(step, packed);
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

static size_t packed_size(const rn_step *step)
{
    return rn_round_up(packed_weights(step), LINE) + packed_bias(step);
}

static void pack_step(rn_step *step, float *block)
{
    const size_t weights = packed_weights(step);
    float *bias = block + rn_round_up(weights, LINE);
    pack_bias(step, bias);
    pack_weights(step, block);
    step->bias = bias;
    step->packed = block;
    step->weight = NULL;
    rn_free(step->scale);
    rn_free(step->shift);
    step->scale = step->shift = NULL;
}

typedef struct {
    rn_plan *plan;
    size_t *offset; /* of each step's block */
} job;

/* Steps are taken from the last: the largest weights stand there, and small ones fill up the end.
 */
static void pack_task(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const size_t index = j->plan->count - 1 - task;
    rn_step *step = &j->plan->step[index];
    if (packed_size(step)) pack_step(step, j->plan->weights + j->offset[index]);
}

rn_status rn_plan_pack(rn_plan *plan, rn_team *team, rn_error *err)
{
    job j = {plan, rn_alloc(plan->count, sizeof *j.offset, err)};
    if (!j.offset) return RN_ERR_MEMORY;
    size_t total = 0;
    bool fits = true;
    for (size_t i = 0; fits && i < plan->count; i++) {
        j.offset[i] = total;
        fits = rn_size_add(total, packed_size(&plan->step[i]), &total);
    }
    plan->weights = fits ? rn_alloc(total, sizeof(float), err) : NULL;
    plan->weights_size = total;
    if (plan->weights) rn_team_for(team, plan->count, pack_task, &j);
    rn_free(j.offset);
    if (!fits) return rn_fail_memory(err, SIZE_MAX);
    return plan->weights ? RN_OK : RN_ERR_MEMORY;
}
