/* im2col + sgemm. The columns of the product (pixels) are cut into tiles: a tile's im2col matrix
 * stays in the L2 cache, and the tiles are what the team's threads share. OpenBLAS itself runs on
 * one thread: its own pool beside another one costs more than it gives. */
#include "kernels/gemm_blas.h"

#include <cblas.h>
#include <string.h>

#include "base/size.h"

#define TILE_FLOATS ((size_t)96 * 1024) /* im2col floats of a tile: 384 KiB */
#define TILE_MIN    ((size_t)48)        /* pixels: below that sgemm is inefficient */

void rn_gemm_init(void)
{
    openblas_set_num_threads(1);
}

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    size_t depth;  /* rows of the im2col matrix: channels of a group * kh * kw */
    size_t pixels; /* of one output plane */
    size_t tile;   /* pixels of a tile */
    size_t tiles;  /* of one plane */
    bool direct;   /* the source is the im2col matrix: 1x1, stride 1, no padding */
} conv_job;

static conv_job plan_job(const rn_desc *d, const rn_args *args)
{
    const rn_window *w = &d->window;
    conv_job j = {.desc = d, .args = args};
    j.depth = d->in[0].c / d->groups * w->kh * w->kw;
    j.pixels = d->out.h * d->out.w;
    j.tile = rn_min(j.pixels, rn_max(TILE_MIN, TILE_FLOATS / j.depth));
    j.tiles = rn_ceil_div(j.pixels, j.tile);
    j.direct = w->kh == 1 && w->kw == 1 && w->stride_h == 1 && w->stride_w == 1 &&
               w->pad_top + w->pad_bottom + w->pad_left + w->pad_right == 0;
    return j;
}

static size_t conv_scratch(const rn_desc *desc, size_t n, size_t threads)
{
    (void)n;
    const conv_job j = plan_job(desc, NULL);
    return j.direct ? 0 : threads * rn_round_up(j.depth * j.tile, 16);
}

/* One row of the im2col matrix for pixels [first, first + count): the input plane seen through one
 * position (ky, kx) of the window. */
static void unroll_row(const rn_desc *d, const float *plane, size_t ky, size_t kx, size_t first,
                       size_t count, float *row)
{
    const rn_shape in = d->in[0];
    const rn_window *w = &d->window;
    size_t y = first / d->out.w, x = first % d->out.w;
    for (size_t done = 0; done < count; y++, x = 0) {
        const size_t run = rn_min(d->out.w - x, count - done);
        const size_t iy = y * w->stride_h + ky * w->dilation_h - w->pad_top; /* may wrap */
        const size_t offset = kx * w->dilation_w - w->pad_left;
        for (size_t i = 0; i < run; i++) {
            const size_t ix = (x + i) * w->stride_w + offset;
            row[done + i] = iy < in.h && ix < in.w ? plane[iy * in.w + ix] : 0;
        }
        done += run;
    }
}

static void unroll(const conv_job *j, const float *channels, size_t first, size_t count,
                   float *columns)
{
    const rn_window *w = &j->desc->window;
    const size_t area = j->desc->in[0].h * j->desc->in[0].w;
    for (size_t r = 0; r < j->depth; r++) {
        const size_t c = r / (w->kh * w->kw), k = r % (w->kh * w->kw);
        unroll_row(j->desc, channels + c * area, k / w->kw, k % w->kw, first, count,
                   columns + r * count);
    }
}

/* What is behind the product, over `count` pixels of each output channel of a group. */
static void finish(const conv_job *j, size_t oc0, size_t ocs, size_t offset, size_t count)
{
    const rn_args *a = j->args;
    for (size_t oc = 0; oc < ocs; oc++) {
        const size_t at = offset + oc * j->pixels;
        const float bias = a->bias[oc0 + oc];
        float *dst = a->dst + at;
        const float *addend = a->addend ? a->addend + at : NULL;
        for (size_t i = 0; i < count; i++) dst[i] += bias;
        rn_epilogue_apply(&j->desc->epilogue, dst, addend, count);
    }
}

/* task: one tile of one group of one image */
static void conv_tile(void *context, size_t task, size_t thread)
{
    const conv_job *j = context;
    const rn_desc *d = j->desc;
    const rn_args *a = j->args;
    const size_t first = task % j->tiles * j->tile, count = rn_min(j->tile, j->pixels - first);
    const size_t g = task / j->tiles % d->groups, n = task / j->tiles / d->groups;
    const size_t ics = d->in[0].c / d->groups, ocs = d->out.c / d->groups;
    const float *channels = a->src + (n * d->in[0].c + g * ics) * d->in[0].h * d->in[0].w;
    const float *columns = channels + first;
    size_t pitch = j->pixels;
    if (!j->direct) {
        float *own = a->scratch + thread * rn_round_up(j->depth * j->tile, 16);
        unroll(j, channels, first, count, own);
        columns = own;
        pitch = count;
    }
    const size_t offset = (n * d->out.c + g * ocs) * j->pixels + first;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)ocs, (blasint)count,
                (blasint)j->depth, 1, a->weights + g * ocs * j->depth, (blasint)j->depth, columns,
                (blasint)pitch, 0, a->dst + offset, (blasint)j->pixels);
    finish(j, g * ocs, ocs, offset, count);
}

static void run_conv(const rn_desc *desc, const rn_args *args)
{
    conv_job j = plan_job(desc, args);
    rn_team_for(args->team, args->n * desc->groups * j.tiles, conv_tile, &j);
}

#define ROWS 64 /* output features of a linear layer's task */

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
} linear_job;

/* task: a block of output features. Image by image: what OpenBLAS makes of a row depends on how
 * many rows there are, and an image's answer must not depend on the others. */
static void linear_rows(void *context, size_t task, size_t thread)
{
    (void)thread;
    const linear_job *j = context;
    const rn_args *a = j->args;
    const size_t ic = rn_shape_size(j->desc->in[0]), oc = j->desc->out.c;
    const size_t first = task * ROWS, rows = rn_min(ROWS, oc - first);
    for (size_t n = 0; n < a->n; n++) {
        float *dst = a->dst + n * oc + first;
        const float *addend = a->addend ? a->addend + n * oc + first : NULL;
        cblas_sgemv(CblasRowMajor, CblasNoTrans, (blasint)rows, (blasint)ic, 1,
                    a->weights + first * ic, (blasint)ic, a->src + n * ic, 1, 0, dst, 1);
        for (size_t i = 0; i < rows; i++) dst[i] += a->bias[first + i];
        rn_epilogue_apply(&j->desc->epilogue, dst, addend, rows);
    }
}

static void run_linear(const rn_desc *desc, const rn_args *args)
{
    linear_job j = {desc, args};
    rn_team_for(args->team, rn_ceil_div(desc->out.c, ROWS), linear_rows, &j);
}

const rn_impl rn_gemm_conv = {
    .name = "gemm_blas", .op = RN_OP_CONV, .scratch_size = conv_scratch, .run = run_conv};
const rn_impl rn_gemm_linear = {.name = "gemm_blas", .op = RN_OP_LINEAR, .run = run_linear};
