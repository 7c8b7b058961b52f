/* The stem: a task is a band of output rows. It copies the input rows it needs with their padding,
 * each split into as many phases as the stride has columns, so that the inputs that one tap gives
 * to neighbouring outputs lie side by side. */
#include "kernels/blocked/conv_stem.h"

#include <string.h>

#include "kernels/blocked/span.h"
#include "kernels/blocked/stem_rows.h"

#define MAX_CHANNELS 8                  /* more are faster as a block of 16 */
#define BAND_BYTES   ((size_t)96 << 10) /* of a band's copy: some of L2 */
#define MAX_BAND     16                 /* output rows */

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    rn_finish finish;
    const rn_micro *micro;
    size_t depth; /* ic * kh * kw */
    size_t out_blocks;
    rn_stem_rows rows;    /* of a band */
    size_t row;           /* floats */
    size_t bands;         /* of one image */
    size_t copy, scratch; /* floats of a band's copy; of one thread, with the offsets behind it */
} job;

bool rn_conv_stem_supports(const rn_desc *desc)
{
    return rn_finish_fits(desc) && desc->groups == 1 && desc->in[0].c <= MAX_CHANNELS;
}

static size_t depth_of(const rn_desc *d)
{
    return d->in[0].c * d->window.kh * d->window.kw;
}

size_t rn_conv_stem_packed_size(const rn_desc *desc)
{
    return rn_round_up(desc->out.c, RN_BLOCK) * depth_of(desc);
}

void rn_conv_stem_pack(const rn_desc *desc, const float *weights, const float *scale, float *packed)
{
    const size_t depth = depth_of(desc);
    memset(packed, 0, rn_conv_stem_packed_size(desc) * sizeof *packed);
    for (size_t oc = 0; oc < desc->out.c; oc++)
        for (size_t k = 0; k < depth; k++)
            packed[(oc / RN_BLOCK * depth + k) * RN_BLOCK + oc % RN_BLOCK] =
                weights[oc * depth + k] * (scale ? scale[oc] : 1);
}

static size_t rows_for(const rn_window *w, size_t out_rows)
{
    return (out_rows - 1) * w->stride_h + (w->kh - 1) * w->dilation_h + 1;
}

static job plan_job(const rn_desc *d)
{
    const rn_window *w = &d->window;
    job j = {.desc = d, .depth = depth_of(d), .out_blocks = rn_ceil_div(d->out.c, RN_BLOCK)};
    j.rows.phases = w->stride_w;
    j.rows.columns = d->out.w + (w->kw - 1) * w->dilation_w / w->stride_w;
    j.row = rn_stem_row_size(&j.rows);
    size_t band = rn_min(MAX_BAND, d->out.h);
    const size_t row_bytes = d->in[0].c * j.row * sizeof(float);
    while (band > 1 && rows_for(w, band) * row_bytes > BAND_BYTES) band--;
    j.bands = rn_ceil_div(d->out.h, band);
    j.rows.rows = rows_for(w, band);
    j.copy = rn_round_up(d->in[0].c * j.rows.rows * j.row, RN_BLOCK);
    j.scratch = j.copy + rn_round_up(j.depth, RN_BLOCK);
    return j;
}

size_t rn_conv_stem_scratch(const rn_desc *desc, size_t threads)
{
    return plan_job(desc).scratch * threads;
}

/* Where each tap's input is, from the input of the output row's first pixel. */
static void find_offsets(const job *j, uint32_t *offset)
{
    const rn_window *w = &j->desc->window;
    for (size_t c = 0; c < j->desc->in[0].c; c++)
        for (size_t ky = 0; ky < w->kh; ky++)
            for (size_t kx = 0; kx < w->kw; kx++) {
                const size_t x = kx * w->dilation_w;
                *offset++ = (uint32_t)((c * j->rows.rows + ky * w->dilation_h) * j->row +
                                       x % w->stride_w * j->rows.columns + x / w->stride_w);
            }
}

static void run_row(const job *j, size_t image, size_t y, const float *src, const uint32_t *offset)
{
    const rn_args *a = j->args;
    const rn_shape out = j->desc->out;
    const size_t tiles = rn_ceil_div(out.w, j->micro->tile_pixels), step = j->micro->tile_blocks;
    for (size_t t = 0; t < tiles; t++)
        for (size_t o = 0; o < j->out_blocks; o += step) {
            const rn_span x = rn_span_part(out.w, tiles, t);
            const size_t plane = (image * j->out_blocks + o) * out.h * out.w;
            const size_t dst = (plane + y * out.w + x.begin) * RN_BLOCK;
            const rn_stem_tile tile = {
                .src = src + x.begin,
                .offset = offset,
                .out = {.depth = j->depth,
                        .weights = a->weights + o * j->depth * RN_BLOCK,
                        .weights_stride = j->depth * RN_BLOCK,
                        .dst = a->dst + dst,
                        .dst_stride = out.h * out.w * RN_BLOCK,
                        .bias = a->bias + o * RN_BLOCK,
                        .addend = a->addend ? a->addend + dst : NULL,
                        .finish = j->finish,
                        .pixels = rn_span_size(x),
                        .blocks = rn_min(step, j->out_blocks - o)},
            };
            j->micro->stem_tile(&tile);
        }
}

static void run_band(void *context, size_t task, size_t thread)
{
    const job *j = context;
    const rn_window *w = &j->desc->window;
    const size_t image = task / j->bands;
    const rn_span rows = rn_span_part(j->desc->out.h, j->bands, task % j->bands);
    float *copy = j->args->scratch + thread * j->scratch;
    uint32_t *offset = (uint32_t *)(void *)(copy + j->copy);
    find_offsets(j, offset);
    rn_stem_rows_copy(&j->rows, j->desc, j->args->src + image * rn_shape_size(j->desc->in[0]),
                      rows.begin * w->stride_h - w->pad_top, rows_for(w, rn_span_size(rows)), copy);
    for (size_t y = rows.begin; y < rows.end; y++)
        run_row(j, image, y, copy + (y - rows.begin) * w->stride_h * j->row, offset);
}

void rn_conv_stem(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    job j = plan_job(desc);
    j.args = args;
    j.finish = rn_finish_of(&desc->epilogue);
    j.micro = micro;
    rn_team_for(args->team, args->n * j.bands, run_band, &j);
}
