#include "kernels/blocked/linear.h"

#include <string.h>

#include "kernels/blocked/pack.h"
#include "kernels/blocked/span.h"

#define TASK_BYTES ((size_t)128 << 10) /* of weights: a task that is worth its start */

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    const rn_micro *micro;
    size_t in, in_blocks, out_blocks;
    size_t tiles;         /* of images */
    size_t groups, tasks; /* of output blocks */
    float *panel;         /* (in_blocks, n, 16) */
    float *result;        /* per thread: one register tile's */
} job;

/* The layer as a 1x1 convolution on a map of one pixel. */
static rn_desc as_conv(const rn_desc *desc)
{
    rn_desc conv = *desc;
    conv.in[0] = rn_map(rn_shape_size(desc->in[0]), 1, 1);
    conv.window = (rn_window){.kh = 1, .kw = 1, .stride_h = 1, .stride_w = 1};
    conv.groups = 1;
    return conv;
}

size_t rn_linear_packed_size(const rn_desc *desc)
{
    const rn_desc conv = as_conv(desc);
    return rn_conv_packed_size(&conv);
}

void rn_linear_pack(const rn_desc *desc, const float *weights, const float *scale, float *packed)
{
    const rn_desc conv = as_conv(desc);
    rn_conv_pack(&conv, weights, scale, packed);
}

size_t rn_linear_scratch(const rn_desc *desc, size_t n, size_t threads)
{
    return n * rn_round_up(rn_shape_size(desc->in[0]), RN_BLOCK) +
           threads * RN_TILE_PIXELS * RN_TILE_BLOCKS * RN_BLOCK;
}

static void fill_panel(const job *j)
{
    const size_t n = j->args->n;
    for (size_t b = 0; b < j->in_blocks; b++)
        for (size_t i = 0; i < n; i++) {
            float *dst = j->panel + (b * n + i) * RN_BLOCK;
            const float *src = j->args->src + i * j->in + b * RN_BLOCK;
            const size_t real = rn_min(RN_BLOCK, j->in - b * RN_BLOCK);
            memset(dst, 0, RN_BLOCK * sizeof *dst);
            memcpy(dst, src, real * sizeof *dst);
        }
}

/* A register tile's results, (output blocks, images, 16), to the rows of the output. */
static void store(const job *j, size_t first_image, size_t first_channel, const rn_tile *t)
{
    const size_t oc = j->desc->out.c, end = rn_min(first_channel + t->blocks * RN_BLOCK, oc);
    for (size_t p = 0; p < t->pixels; p++) {
        const size_t row = (first_image + p) * oc;
        for (size_t c = first_channel; c < end; c++) {
            const size_t k = c - first_channel;
            j->args->dst[row + c] =
                t->dst[k / RN_BLOCK * t->dst_stride + p * RN_BLOCK + k % RN_BLOCK];
        }
        const size_t at = row + first_channel;
        const float *addend = j->args->addend ? j->args->addend + at : NULL;
        rn_epilogue_apply(&j->desc->epilogue, j->args->dst + at, addend, end - first_channel);
    }
}

static void run_tile(const job *j, size_t group, rn_span images, float *result)
{
    const size_t first = group * j->micro->tile_blocks,
                 weights = j->in_blocks * RN_BLOCK * RN_BLOCK;
    const rn_tile t = {
        .src = j->panel + images.begin * RN_BLOCK,
        .src_stride = j->args->n * RN_BLOCK,
        .weights = j->args->weights + first * weights,
        .weights_stride = weights,
        .depth = j->in_blocks,
        .dst = result,
        .dst_stride = rn_span_size(images) * RN_BLOCK,
        .bias = j->args->bias + first * RN_BLOCK,
        .pixels = rn_span_size(images),
        .blocks = rn_min(j->micro->tile_blocks, j->out_blocks - first),
    };
    j->micro->tile(&t);
    store(j, images.begin, first * RN_BLOCK, &t);
}

static void run_task(void *context, size_t task, size_t thread)
{
    const job *j = context;
    const rn_span groups = rn_span_part(j->groups, j->tasks, task);
    float *result = j->result + thread * RN_TILE_PIXELS * RN_TILE_BLOCKS * RN_BLOCK;
    for (size_t g = groups.begin; g < groups.end; g++)
        for (size_t t = 0; t < j->tiles; t++)
            run_tile(j, g, rn_span_part(j->args->n, j->tiles, t), result);
}

void rn_linear(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    job j = {.desc = desc, .args = args, .micro = micro, .in = rn_shape_size(desc->in[0])};
    j.in_blocks = rn_ceil_div(j.in, RN_BLOCK);
    j.out_blocks = rn_conv_out_blocks(desc);
    j.tiles = rn_ceil_div(args->n, micro->tile_pixels);
    j.groups = rn_ceil_div(j.out_blocks, micro->tile_blocks);
    j.tasks =
        rn_min(j.groups, rn_ceil_div(rn_linear_packed_size(desc) * sizeof(float), TASK_BYTES));
    j.panel = args->scratch;
    j.result = j.panel + args->n * j.in_blocks * RN_BLOCK;
    fill_panel(&j);
    rn_team_for(args->team, j.tasks, run_task, &j);
}
