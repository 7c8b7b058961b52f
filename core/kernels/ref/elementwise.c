/* The elementwise operators by their formulas, and those that only give numbers another place or
 * shape: Input, Flatten, and Reorder between layouts. */
#include "kernels/ref/ref.h"

#include <string.h>

static void run_unary(const rn_desc *desc, const rn_args *args)
{
    const size_t size = args->n * rn_layout_size(desc->src_layout, desc->out);
    rn_unary(desc->op, desc->parameter, args->src, args->dst, size);
}

/* Of one operand: floats from one element to the next along each axis of the result, 0 where the
 * operand has size 1. */
static void find_steps(rn_shape in, size_t step[RN_MAX_RANK])
{
    size_t size = 1;
    for (size_t i = in.rank; i-- > 0; size *= in.dim[i]) step[i] = in.dim[i] == 1 ? 0 : size;
}

static size_t place_of(const size_t step[RN_MAX_RANK], rn_shape out, size_t element)
{
    size_t place = 0;
    for (size_t i = out.rank; i-- > 0; element /= out.dim[i])
        place += element % out.dim[i] * step[i];
    return place;
}

/* One sample: rows along the last axis at once where both operands have one. */
static void broadcast(const rn_desc *desc, const float *a, const float *b, float *dst)
{
    const rn_shape out = desc->out;
    size_t left[RN_MAX_RANK] = {0}, right[RN_MAX_RANK] = {0};
    find_steps(desc->in[0], left);
    find_steps(desc->in[1], right);
    const size_t last = out.rank ? out.rank - 1 : 0;
    const size_t row = out.rank && left[last] == 1 && right[last] == 1 ? out.dim[last] : 1;
    for (size_t i = 0; i < rn_shape_size(out); i += row)
        rn_binary(desc->op, a + place_of(left, out, i), b + place_of(right, out, i), dst + i, row);
}

static void run_binary(const rn_desc *desc, const rn_args *args)
{
    const size_t a = rn_shape_size(desc->in[0]), b = rn_shape_size(desc->in[1]);
    const size_t out = rn_shape_size(desc->out);
    for (size_t n = 0; n < args->n; n++)
        broadcast(desc, args->in[0] + n * a, args->in[1] + n * b, args->dst + n * out);
    rn_epilogue_apply(&desc->epilogue, args->dst, args->addend, args->n * out);
}

/* weights: the slope of each channel's negative numbers, (c) */
static void run_prelu(const rn_desc *desc, const rn_args *args)
{
    const size_t c = desc->out.c, pixels = rn_shape_pixels(desc->out);
    for (size_t i = 0; i < args->n * c * pixels; i++) {
        const float x = args->src[i];
        args->dst[i] = x < 0 ? args->weights[i / pixels % c] * x : x;
    }
}

static void run_copy(const rn_desc *desc, const rn_args *args)
{
    memcpy(args->dst, args->src, args->n * rn_shape_size(desc->out) * sizeof(float));
}

/* Index of pixel p of channel c in one sample of that layout. */
static size_t layout_index(rn_layout layout, size_t pixels, size_t c, size_t p)
{
    return layout == RN_LAYOUT_NCHW16C ? (c / 16 * pixels + p) * 16 + c % 16 : c * pixels + p;
}

static void run_reorder(const rn_desc *desc, const rn_args *args)
{
    const rn_shape d = desc->out;
    const size_t pixels = rn_shape_pixels(d);
    const size_t from = rn_layout_size(desc->src_layout, d);
    const size_t to = rn_layout_size(desc->dst_layout, d);
    memset(args->dst, 0, args->n * to * sizeof(float)); /* the channels that fill up a block */
    for (size_t i = 0; i < args->n * rn_shape_size(d); i++) {
        const size_t p = i % pixels, c = i / pixels % d.c, n = i / (pixels * d.c);
        args->dst[n * to + layout_index(desc->dst_layout, pixels, c, p)] =
            args->src[n * from + layout_index(desc->src_layout, pixels, c, p)];
    }
}

#define UNARY(id, low, ...)           \
    const rn_impl rn_ref_##low = {    \
        .name = "ref",                \
        .op = RN_OP_##id,             \
        .dst_layout = RN_LAYOUT_SAME, \
        .rounding = RN_EXACT,         \
        .run = run_unary,             \
    };
#define BINARY(id, low, ...)       \
    const rn_impl rn_ref_##low = { \
        .name = "ref", .op = RN_OP_##id, .rounding = RN_EXACT, .run = run_binary};
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY

const rn_impl rn_ref_prelu = {.name = "ref", .op = RN_OP_PRELU, .run = run_prelu};
/* Never a step: a network's input is there when it runs. */
const rn_impl rn_ref_input = {.name = "ref", .op = RN_OP_INPUT, .run = run_copy};
const rn_impl rn_ref_flatten = {.name = "ref", .op = RN_OP_FLATTEN, .run = run_copy};
const rn_impl rn_ref_reorder = {
    .name = "ref", .op = RN_OP_REORDER, .dst_layout = RN_LAYOUT_SAME, .run = run_reorder};
