#include "kernels/blocked/elementwise.h"

#include <string.h>

#include "kernels/blocked/pack.h"
#include "kernels/blocked/variants.h"

typedef struct {
    const rn_args *args;
    const rn_micro *micro;
    rn_epilogue epilogue;
    size_t blocks, pixels, channels; /* of an image; of a plane; of an image */
    bool gate;                       /* the addend has one pixel */
} job;

/* task: a plane */
static void run_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_args *a = j->args;
    const size_t plane = task * j->pixels * RN_BLOCK, first = task % j->blocks * RN_BLOCK;
    _Alignas(RN_BLOCK * sizeof(float)) float scale[RN_BLOCK] = {0};
    rn_affine line = {.src = a->src + plane,
                      .dst = a->dst + plane,
                      .addend = a->addend ? a->addend + plane : NULL,
                      .epilogue = j->epilogue,
                      .pixels = j->pixels};
    if (a->weights) {
        const size_t real = rn_min(RN_BLOCK, j->channels - first);
        memcpy(scale, a->weights + first, real * sizeof *scale);
        line.scale = scale;
        line.shift = a->bias + first;
    }
    if (j->gate) {
        line.shift = a->addend + task * RN_BLOCK;
        line.epilogue.add = RN_ADD_NONE;
    }
    j->micro->affine(&line);
}

static void run(const rn_desc *desc, const rn_args *args, const rn_micro *micro,
                rn_epilogue epilogue)
{
    job j = {.args = args,
             .micro = micro,
             .epilogue = epilogue,
             .blocks = rn_conv_out_blocks(desc),
             .pixels = desc->out.h * desc->out.w,
             .channels = desc->out.c};
    j.gate = desc->op == RN_OP_ADD && !rn_dims_equal(desc->in[0], desc->in[1]);
    rn_team_for(args->team, args->n * j.blocks, run_plane, &j);
}

void rn_blocked_relu(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    rn_args plain = *args;
    plain.weights = plain.addend = NULL;
    run(desc, &plain, micro, (rn_epilogue){RN_ACT_RELU, RN_ADD_NONE});
}

bool rn_blocked_add_supports(const rn_desc *desc)
{
    return rn_dims_equal(desc->in[0], desc->in[1]) || rn_blocked_has_gate(desc);
}

void rn_blocked_add(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    rn_args plain = *args;
    plain.weights = NULL;
    run(desc, &plain, micro, (rn_epilogue){desc->epilogue.act, RN_ADD_BEFORE_ACT});
}

void rn_blocked_batch_norm(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    run(desc, args, micro, desc->epilogue);
}
