/* Narrow groups: each output block reads the one input block of the same channels. A task is a band
 * of output rows of one block; it copies the input rows it needs with their padding. */
#include "kernels/blocked/conv_group.h"

#include <string.h>

#include "kernels/blocked/pack.h"
#include "kernels/blocked/span.h"

#define BAND_BYTES ((size_t)64 << 10) /* of a band's copy */

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    rn_finish finish;
    const rn_micro *micro;
    size_t group; /* channels */
    size_t taps, blocks;
    size_t row;   /* floats of a copied row */
    size_t bands; /* of a plane */
    size_t copy;  /* floats of a band's copy: a thread's scratch */
} job;

bool rn_conv_group_supports(const rn_desc *desc)
{
    const size_t group = desc->in[0].c / desc->groups;
    return rn_finish_fits(desc) && desc->groups > 1 && desc->in[0].c == desc->out.c && group <= 8 &&
           (group & (group - 1)) == 0;
}

size_t rn_conv_group_packed_size(const rn_desc *desc)
{
    const size_t group = desc->in[0].c / desc->groups;
    return rn_conv_out_blocks(desc) * rn_conv_taps(desc) * group * RN_BLOCK;
}

void rn_conv_group_pack(const rn_desc *desc, const float *weights, const float *scale,
                        float *packed)
{
    const size_t group = desc->in[0].c / desc->groups, taps = rn_conv_taps(desc);
    memset(packed, 0, rn_conv_group_packed_size(desc) * sizeof *packed);
    for (size_t oc = 0; oc < desc->out.c; oc++)
        for (size_t j = 0; j < group; j++)
            for (size_t t = 0; t < taps; t++)
                packed[((oc / RN_BLOCK * taps + t) * group + j) * RN_BLOCK + oc % RN_BLOCK] =
                    weights[(oc * group + j) * taps + t] * (scale ? scale[oc] : 1);
}

static size_t rows_for(const rn_window *w, size_t out_rows)
{
    return (out_rows - 1) * w->stride_h + (w->kh - 1) * w->dilation_h + 1;
}

static job plan_job(const rn_desc *d)
{
    const rn_window *w = &d->window;
    job j = {.desc = d,
             .group = d->in[0].c / d->groups,
             .taps = rn_conv_taps(d),
             .blocks = rn_conv_out_blocks(d)};
    j.row = ((d->out.w - 1) * w->stride_w + (w->kw - 1) * w->dilation_w + 1) * RN_BLOCK;
    size_t band = d->out.h;
    while (band > 1 && rows_for(w, band) * j.row * sizeof(float) > BAND_BYTES) band--;
    j.bands = rn_ceil_div(d->out.h, band);
    j.copy = rows_for(w, band) * j.row;
    return j;
}

size_t rn_conv_group_scratch(const rn_desc *desc, size_t threads)
{
    return plan_job(desc).copy * threads;
}

static void copy_rows(const job *j, const float *plane, size_t first_row, size_t rows, float *copy)
{
    const rn_shape in = j->desc->in[0];
    const size_t left = rn_min(j->desc->window.pad_left * RN_BLOCK, j->row);
    const size_t middle = rn_min(in.w * RN_BLOCK, j->row - left);
    memset(copy, 0, rows * j->row * sizeof *copy);
    for (size_t r = 0; r < rows; r++) {
        const size_t iy = first_row + r; /* wraps above the image */
        if (iy < in.h)
            memcpy(copy + r * j->row + left, plane + iy * in.w * RN_BLOCK, middle * sizeof *copy);
    }
}

static void run_band(void *context, size_t task, size_t thread)
{
    const job *j = context;
    const rn_args *a = j->args;
    const rn_shape in = j->desc->in[0], out = j->desc->out;
    const rn_window *w = &j->desc->window;
    const size_t plane = task / j->bands, block = plane % j->blocks;
    const rn_span rows = rn_span_part(out.h, j->bands, task % j->bands);
    float *copy = a->scratch + thread * j->copy;
    copy_rows(j, a->src + plane * in.h * in.w * RN_BLOCK, rows.begin * w->stride_h - w->pad_top,
              rows_for(w, rn_span_size(rows)), copy);
    for (size_t y = rows.begin; y < rows.end; y++) {
        const size_t dst = (plane * out.h + y) * out.w * RN_BLOCK;
        const rn_group_tile tile = {
            .src = copy + (y - rows.begin) * w->stride_h * j->row,
            .rows = w->kh,
            .columns = w->kw,
            .row_stride = w->dilation_h * j->row,
            .column_stride = w->dilation_w * RN_BLOCK,
            .pixel_stride = w->stride_w * RN_BLOCK,
            .group = j->group,
            .weights = a->weights + block * j->taps * j->group * RN_BLOCK,
            .out = {.dst = a->dst + dst,
                    .bias = a->bias + block * RN_BLOCK,
                    .addend = a->addend ? a->addend + dst : NULL,
                    .finish = j->finish,
                    .pixels = out.w},
        };
        j->micro->group_tile(&tile);
    }
}

void rn_conv_group(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    job j = plan_job(desc);
    j.args = args;
    j.finish = rn_finish_of(&desc->epilogue);
    j.micro = micro;
    rn_team_for(args->team, args->n * j.blocks * j.bands, run_band, &j);
}
