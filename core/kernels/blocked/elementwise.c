/* A task is a plane. What is a scale and a shift, an addition and a ReLU is the micro-kernel's;
 * other formulas go over the plane as plain C. */
#include "kernels/blocked/elementwise.h"

#include <string.h>

#include "kernels/blocked/pack.h"

static const _Alignas(RN_BLOCK * sizeof(float)) float zeros[RN_BLOCK];

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    const rn_micro *micro;
    rn_epilogue
        list; /* the operator itself, when it is what an epilogue can be, and its epilogue */
    rn_finish finish;      /* of that list */
    size_t blocks, pixels; /* of a sample; of a plane */
    bool gate;             /* the second operand has one pixel */
} job;

/* Floats before the task's plane. */
static size_t plane_of(const job *j, size_t task)
{
    return task * j->pixels * RN_BLOCK;
}

/* The channels that fill up a block, after a formula that makes something of zeros. */
static void clear_fill(const job *j, size_t task)
{
    const size_t first = task % j->blocks * RN_BLOCK, real = j->desc->out.c - first;
    float *dst = j->args->dst + plane_of(j, task);
    for (size_t p = 0; real < RN_BLOCK && p < j->pixels; p++)
        memset(dst + p * RN_BLOCK + real, 0, (RN_BLOCK - real) * sizeof *dst);
}

static void run_planes(const rn_desc *desc, const rn_args *args, const rn_micro *micro,
                       const rn_epilogue *list, rn_task *task)
{
    job j = {.desc = desc,
             .args = args,
             .micro = micro,
             .list = *list,
             .blocks = rn_conv_out_blocks(desc),
             .pixels = rn_shape_pixels(desc->out)};
    j.finish = rn_finish_of(&j.list);
    j.gate = desc->inputs == 2 && !rn_shape_equal(desc->in[0], desc->in[1]);
    rn_team_for(args->team, args->n * j.blocks, task, &j);
}

/* ---- of one value ---------------------------------------------------------------------------- */

static void unary_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const size_t plane = plane_of(j, task), size = j->pixels * RN_BLOCK;
    const float *src = j->args->src + plane;
    float *dst = j->args->dst + plane;
    if (j->finish.rest) {
        j->micro->unary(j->desc->op, j->desc->parameter, src, dst, size);
        clear_fill(j, task);
        return;
    }
    j->micro->affine(
        &(rn_affine){.src = src, .dst = dst, .finish = j->finish, .pixels = j->pixels});
}

void rn_blocked_unary(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    rn_epilogue list = {.count = 1, .post = {{.op = desc->op}}};
    memcpy(list.post[0].parameter, desc->parameter, sizeof desc->parameter);
    run_planes(desc, args, micro, &list, unary_plane);
}

/* ---- of one value and a slope a channel ----------------------------------------------------- */

static void prelu_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const size_t plane = plane_of(j, task), first = task % j->blocks * RN_BLOCK;
    const float *src = j->args->src + plane;
    float *dst = j->args->dst + plane, slope[RN_BLOCK] = {0};
    memcpy(slope, j->args->weights + first,
           rn_min(RN_BLOCK, j->desc->out.c - first) * sizeof *slope);
    for (size_t i = 0; i < j->pixels * RN_BLOCK; i += RN_BLOCK)
        for (size_t l = 0; l < RN_BLOCK; l++)
            dst[i + l] = src[i + l] < 0 ? slope[l] * src[i + l] : src[i + l];
}

void rn_blocked_prelu(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    run_planes(desc, args, micro, &desc->epilogue, prelu_plane);
}

/* ---- of two values --------------------------------------------------------------------------- */

static bool has_gate(const rn_desc *desc)
{
    return rn_shape_pixels(desc->in[1]) == 1 && desc->in[1].c == desc->in[0].c;
}

/* Whether the operation is what the micro-kernel calls a scale, a shift or an addend. */
static bool is_affine(const rn_desc *desc)
{
    const bool equal = rn_shape_equal(desc->in[0], desc->in[1]);
    return (desc->op == RN_OP_MUL && !equal) ||
           (desc->op == RN_OP_ADD && (!equal || (!rn_epilogue_adds(&desc->epilogue) &&
                                                 desc->epilogue.count < RN_MAX_POSTS)));
}

bool rn_blocked_binary_supports(const rn_desc *desc)
{
    return (rn_shape_equal(desc->in[0], desc->in[1]) || has_gate(desc)) && rn_finish_fits(desc);
}

static void affine_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_args *a = j->args;
    const size_t plane = plane_of(j, task);
    rn_affine line = {.src = a->src + plane,
                      .dst = a->dst + plane,
                      .addend = a->addend ? a->addend + plane : NULL,
                      .finish = j->finish,
                      .pixels = j->pixels};
    const float *gate = a->in[1] + task * RN_BLOCK;
    if (!j->gate) {
        line.addend = a->in[1] + plane;
    } else if (j->desc->op == RN_OP_MUL) {
        line.scale = gate;
        line.shift = zeros;
    } else {
        line.shift = gate;
    }
    j->micro->affine(&line);
}

static void binary_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_args *a = j->args;
    const size_t plane = plane_of(j, task), size = j->pixels * RN_BLOCK;
    const size_t run = j->gate ? RN_BLOCK : size; /* numbers that meet as many of the other */
    const float *other = a->in[1] + (j->gate ? task * RN_BLOCK : plane);
    float *dst = a->dst + plane;
    for (size_t i = 0; i < size; i += run)
        rn_binary(j->desc->op, a->src + plane + i, other, dst + i, run);
    rn_epilogue_apply(&j->list, dst, a->addend ? a->addend + plane : NULL, size);
    clear_fill(j, task);
}

void rn_blocked_binary(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    const bool equal = rn_shape_equal(desc->in[0], desc->in[1]);
    rn_epilogue list = desc->epilogue;
    if (is_affine(desc) && equal) { /* the second operand is the addend */
        list = (rn_epilogue){.count = 1, .post = {{.op = RN_OP_ADD}}};
        for (size_t i = 0; i < desc->epilogue.count; i++) {
            const bool fits = rn_epilogue_append(&list, &desc->epilogue.post[i]);
            assert(fits && "rn_blocked_binary_supports() has seen to it");
            (void)fits;
        }
    }
    run_planes(desc, args, micro, &list, is_affine(desc) ? affine_plane : binary_plane);
}

/* ---- batch norm ------------------------------------------------------------------------------ */

static void norm_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_args *a = j->args;
    const size_t plane = plane_of(j, task), first = task % j->blocks * RN_BLOCK;
    _Alignas(RN_BLOCK * sizeof(float)) float scale[RN_BLOCK] = {0};
    memcpy(scale, a->weights + first, rn_min(RN_BLOCK, j->desc->out.c - first) * sizeof *scale);
    j->micro->affine(&(rn_affine){.src = a->src + plane,
                                  .dst = a->dst + plane,
                                  .scale = scale,
                                  .shift = a->bias + first,
                                  .addend = a->addend ? a->addend + plane : NULL,
                                  .finish = j->finish,
                                  .pixels = j->pixels});
}

void rn_blocked_batch_norm(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    run_planes(desc, args, micro, &desc->epilogue, norm_plane);
}
