#include "kernels/blocked/reorder.h"

#include "kernels/blocked/blocked.h"

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    size_t blocks;
} job;

/* task: a block of one image's channels */
static void run_block(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_shape d = j->desc->out;
    const size_t pixels = rn_shape_pixels(d), image = task / j->blocks,
                 first = task % j->blocks * RN_BLOCK;
    const size_t real = rn_min(RN_BLOCK, d.c - first);
    const size_t plain = (image * d.c + first) * pixels, blocked = task * pixels * RN_BLOCK;
    if (j->desc->dst_layout == RN_LAYOUT_NCHW16C) {
        const float *src = j->args->src + plain;
        float *dst = j->args->dst + blocked;
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < RN_BLOCK; c++)
                dst[p * RN_BLOCK + c] = c < real ? src[c * pixels + p] : 0;
    } else {
        const float *src = j->args->src + blocked;
        float *dst = j->args->dst + plain;
        for (size_t c = 0; c < real; c++)
            for (size_t p = 0; p < pixels; p++) dst[c * pixels + p] = src[p * RN_BLOCK + c];
    }
}

static void run(const rn_desc *desc, const rn_args *args)
{
    job j = {desc, args, rn_ceil_div(desc->out.c, RN_BLOCK)};
    rn_team_for(args->team, args->n * j.blocks, run_block, &j);
}

static bool supports(const rn_desc *desc)
{
    return desc->src_layout != desc->dst_layout;
}

const rn_impl rn_blocked_reorder = {.name = "reorder",
                                    .op = RN_OP_REORDER,
                                    .dst_layout = RN_LAYOUT_SAME,
                                    .supports = supports,
                                    .run = run};
