/* Operators that only move numbers: Concat over the channels, ZeroPad2d. */
#include "kernels/ref/ref.h"

#include <string.h>

/* Two inputs: the plan joins one after the other. */
static void run_concat(const rn_desc *desc, const rn_args *args)
{
    const size_t first = rn_shape_size(desc->in[0]), second = rn_shape_size(desc->in[1]);
    for (size_t n = 0; n < args->n; n++) {
        float *dst = args->dst + n * (first + second);
        memcpy(dst, args->in[0] + n * first, first * sizeof(float));
        memcpy(dst + first, args->in[1] + n * second, second * sizeof(float));
    }
}

static void run_zero_pad(const rn_desc *desc, const rn_args *args)
{
    const rn_shape in = desc->in[0], out = desc->out;
    const rn_window *w = &desc->window;
    memset(args->dst, 0, args->n * rn_shape_size(out) * sizeof(float));
    for (size_t plane = 0; plane < args->n * in.c; plane++)
        for (size_t y = 0; y < in.h; y++)
            memcpy(args->dst + (plane * out.h + w->pad_top + y) * out.w + w->pad_left,
                   args->src + (plane * in.h + y) * in.w, in.w * sizeof(float));
}

const rn_impl rn_ref_concat = {.name = "ref", .op = RN_OP_CONCAT, .run = run_concat};
const rn_impl rn_ref_zero_pad = {.name = "ref", .op = RN_OP_ZERO_PAD, .run = run_zero_pad};
