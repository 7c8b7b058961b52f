/* ReLU, Sigmoid, Add and Mul with NumPy's broadcasting over C, H and W, Flatten, and Reorder
 * between layouts. */
#include "kernels/ref/ref.h"

#include <math.h>
#include <string.h>

static void run_relu(const rn_desc *desc, const rn_args *args)
{
    const size_t size = args->n * rn_layout_size(desc->src_layout, desc->out);
    const rn_epilogue relu = {RN_ACT_RELU, RN_ADD_NONE};
    for (size_t i = 0; i < size; i++) args->dst[i] = rn_epilogue_apply(relu, args->src[i], 0);
}

/* Index of the element that (n, c, h, w) of the result meets: axes of size 1 are repeated. */
static size_t broadcast_index(rn_dims d, size_t n, size_t c, size_t h, size_t w)
{
    return ((n * d.c + (d.c == 1 ? 0 : c)) * d.h + (d.h == 1 ? 0 : h)) * d.w + (d.w == 1 ? 0 : w);
}

static void run_broadcast(const rn_desc *desc, const rn_args *args)
{
    const rn_dims out = desc->out;
    for (size_t i = 0; i < args->n * rn_dims_size(out); i++) {
        const size_t w = i % out.w, h = i / out.w % out.h;
        const size_t c = i / (out.w * out.h) % out.c, n = i / rn_dims_size(out);
        const float left = args->src[broadcast_index(desc->in[0], n, c, h, w)];
        const float right = args->addend[broadcast_index(desc->in[1], n, c, h, w)];
        const float y = desc->op == RN_OP_MUL ? left * right : left + right;
        args->dst[i] = rn_epilogue_apply(desc->epilogue, y, 0);
    }
}

static void run_sigmoid(const rn_desc *desc, const rn_args *args)
{
    const size_t size = args->n * rn_dims_size(desc->out);
    for (size_t i = 0; i < size; i++) args->dst[i] = (float)(1 / (1 + exp(-(double)args->src[i])));
}

static void run_flatten(const rn_desc *desc, const rn_args *args)
{
    memcpy(args->dst, args->src, args->n * rn_dims_size(desc->out) * sizeof(float));
}

/* Index of (c, h, w) in one image of that layout. */
static size_t layout_index(rn_layout layout, rn_dims d, size_t c, size_t h, size_t w)
{
    if (layout == RN_LAYOUT_NCHW16C) return ((c / 16 * d.h + h) * d.w + w) * 16 + c % 16;
    return (c * d.h + h) * d.w + w;
}

static void run_reorder(const rn_desc *desc, const rn_args *args)
{
    const rn_dims d = desc->out;
    const size_t from = rn_layout_size(desc->src_layout, d);
    const size_t to = rn_layout_size(desc->dst_layout, d);
    memset(args->dst, 0, args->n * to * sizeof(float)); /* the channels that fill up a block */
    for (size_t i = 0; i < args->n * rn_dims_size(d); i++) {
        const size_t w = i % d.w, h = i / d.w % d.h, c = i / (d.w * d.h) % d.c;
        const size_t n = i / rn_dims_size(d);
        args->dst[n * to + layout_index(desc->dst_layout, d, c, h, w)] =
            args->src[n * from + layout_index(desc->src_layout, d, c, h, w)];
    }
}

const rn_impl rn_ref_relu = {
    .name = "ref", .op = RN_OP_RELU, .dst_layout = RN_LAYOUT_SAME, .run = run_relu};
const rn_impl rn_ref_sigmoid = {.name = "ref", .op = RN_OP_SIGMOID, .run = run_sigmoid};
const rn_impl rn_ref_add = {.name = "ref", .op = RN_OP_ADD, .run = run_broadcast};
const rn_impl rn_ref_mul = {.name = "ref", .op = RN_OP_MUL, .run = run_broadcast};
const rn_impl rn_ref_flatten = {.name = "ref", .op = RN_OP_FLATTEN, .run = run_flatten};
const rn_impl rn_ref_reorder = {
    .name = "ref", .op = RN_OP_REORDER, .dst_layout = RN_LAYOUT_SAME, .run = run_reorder};
