/* Last pass: weights and biases as the implementations want them, in one block of memory. Nothing
 * refers to the file after this.
 *
 * The steps are walked twice: once to measure, once to write, by all threads of a team. Weights
 * that are still in the file are read into one of a few buffers for as long as they are packed: no
 * more of the file is in memory than BUFFER_LIMIT, or than the largest weight. */
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "plan/plan.h"

#define LINE         16                /* floats of a cache line */
#define BUFFER_LIMIT ((size_t)6 << 20) /* floats of all buffers together */

/* Numbers of the step's weights in the file's order; a batch norm's are its factors. */
static size_t weight_count(const rn_step *step)
{
    return step->desc.op == RN_OP_BATCH_NORM ? step->desc.out.c : step->weight[RN_WEIGHT].count;
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
    return weight_count(step) ? rn_round_up(step->desc.out.c, LINE) : 0;
}

static size_t packed_size(const rn_step *step)
{
    return rn_round_up(packed_weights(step), LINE) + packed_bias(step);
}

/* ---- one step -------------------------------------------------------------------------------- */

/* The file's order, each output channel times its factor. */
static void copy_weights(const rn_step *step, const float *weight, float *packed)
{
    const size_t count = weight_count(step), row = count / step->desc.out.c;
    if (!step->scale) memcpy(packed, weight, count * sizeof(float));
    for (size_t i = 0; step->scale && i < count; i++) packed[i] = weight[i] * step->scale[i / row];
}

static void pack_weights(const rn_step *step, const float *weight, float *packed)
{
    if (step->desc.op == RN_OP_BATCH_NORM)
        memcpy(packed, step->scale, step->desc.out.c * sizeof(float));
    else if (step->impl->packed_size && step->impl->packed_size(&step->desc))
        step->impl->pack(&step->desc, weight, step->scale, packed);
    else
        copy_weights(step, weight, packed);
}

/* scale * (conv + bias) + shift; nothing for a step without weights */
static rn_status pack_bias(const rn_step *step, float *packed, rn_error *err)
{
    const float *bias = NULL;
    memset(packed, 0, packed_bias(step) * sizeof(float));
    if (rn_constant_is_set(step->weight[RN_BIAS])) {
        const rn_status status =
            rn_constant_read(step->weight[RN_BIAS], step->desc.out.c, packed, &bias, err);
        if (status != RN_OK) return status;
    }
    for (size_t i = 0; i < step->desc.out.c; i++) {
        if (bias) packed[i] = bias[i];
        if (bias && step->scale) packed[i] *= step->scale[i];
        if (step->shift) packed[i] += step->shift[i];
    }
    return RN_OK;
}

/* buffer: for the weights, where the step needs one */
static rn_status pack_step(rn_step *step, float *block, float *buffer, rn_error *err)
{
    const float *weight = NULL;
    float *bias = block + rn_round_up(packed_weights(step), LINE);
    rn_status status = pack_bias(step, bias, err);
    if (status == RN_OK && rn_constant_is_set(step->weight[RN_WEIGHT]))
        status =
            rn_constant_read(step->weight[RN_WEIGHT], weight_count(step), buffer, &weight, err);
    if (status != RN_OK) return rn_context(err, "%s", step->name), status;
    pack_weights(step, weight, block);
    step->bias = bias;
    step->packed = block;
    memset(step->weight, 0, sizeof step->weight);
    rn_free(step->scale);
    rn_free(step->shift);
    step->scale = step->shift = NULL;
    return RN_OK;
}

/* ---- all steps ------------------------------------------------------------------------------- */

#define MAX_BUFFERS 8

typedef struct {
    rn_plan *plan;
    size_t *offset;        /* of each step's block */
    float *memory;         /* all buffers, behind each other */
    size_t size;           /* floats of one: the largest weight that is in the file */
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t returned;
    float *buffer[MAX_BUFFERS]; /* those that nobody uses, the last one used on top */
    size_t buffers;
    rn_status status; /* of the first failure */
    rn_error *err;
} job;

static bool needs_buffer(const rn_step *step)
{
    return step->weight[RN_WEIGHT].stored != NULL;
}

/* Waits for a buffer when one is needed. False: another step has failed. */
static bool borrow(job *j, bool needed, float **buffer)
{
    pthread_mutex_lock(&j->mutex);
    while (needed && j->buffers == 0) pthread_cond_wait(&j->returned, &j->mutex);
    *buffer = needed ? j->buffer[--j->buffers] : NULL;
    const bool fine = j->status == RN_OK;
    pthread_mutex_unlock(&j->mutex);
    return fine;
}

static void give_back(job *j, float *buffer, rn_status status, const rn_error *err)
{
    pthread_mutex_lock(&j->mutex);
    if (buffer) j->buffer[j->buffers++] = buffer;
    if (status != RN_OK && j->status == RN_OK) {
        j->status = status;
        if (j->err) *j->err = *err;
    }
    pthread_cond_signal(&j->returned);
    pthread_mutex_unlock(&j->mutex);
}

/* Steps are taken from the last: the largest weights stand there, and small ones fill up the end.
 */
static void pack_task(void *context, size_t task, size_t thread)
{
    (void)thread;
    job *j = context;
    rn_error err = {0};
    const size_t index = j->plan->count - 1 - task;
    rn_step *step = &j->plan->step[index];
    float *buffer;
    rn_status status = RN_OK;
    if (!packed_size(step)) return;
    if (borrow(j, needs_buffer(step), &buffer))
        status = pack_step(step, j->plan->weights + j->offset[index], buffer, &err);
    give_back(j, buffer, status, &err);
}

/* Where each step's block begins. */
static rn_status measure(job *j, rn_error *err)
{
    rn_plan *plan = j->plan;
    plan->weights_size = 0;
    for (size_t i = 0; i < plan->count; i++) {
        j->offset[i] = plan->weights_size;
        if (!rn_size_add(plan->weights_size, packed_size(&plan->step[i]), &plan->weights_size))
            return rn_fail_memory(err, SIZE_MAX);
    }
    plan->weights = rn_alloc(plan->weights_size, sizeof(float), err);
    return plan->weights ? RN_OK : RN_ERR_MEMORY;
}

/* As many buffers as threads can use and BUFFER_LIMIT allows, and one at least. */
static rn_status allocate_buffers(job *j, size_t threads, rn_error *err)
{
    for (size_t i = 0; i < j->plan->count; i++)
        if (needs_buffer(&j->plan->step[i]))
            j->size = rn_max(j->size, weight_count(&j->plan->step[i]));
    if (j->size == 0) return RN_OK;
    j->buffers = rn_min(rn_min(threads, MAX_BUFFERS), rn_max(BUFFER_LIMIT / j->size, 1));
    j->memory = rn_alloc(j->buffers * j->size, sizeof(float), err); /* measure() has added it */
    for (size_t i = 0; j->memory && i < j->buffers; i++) j->buffer[i] = j->memory + i * j->size;
    return j->memory ? RN_OK : RN_ERR_MEMORY;
}

rn_status rn_plan_pack(rn_plan *plan, rn_team *team, rn_error *err)
{
    job j = {.plan = plan, .offset = rn_alloc(plan->count, sizeof *j.offset, err), .err = err};
    if (!j.offset) return RN_ERR_MEMORY;
    pthread_mutex_init(&j.mutex, NULL);
    pthread_cond_init(&j.returned, NULL);
    j.status = measure(&j, err);
    if (j.status == RN_OK) j.status = allocate_buffers(&j, rn_team_threads(team), err);
    if (j.status == RN_OK) rn_team_for(team, plan->count, pack_task, &j);
    pthread_cond_destroy(&j.returned);
    pthread_mutex_destroy(&j.mutex);
    rn_free(j.memory);
    rn_free(j.offset);
    return j.status;
}
