/* MaxPool2d, AvgPool2d and the global average, as torch.nn defines them. Padding never wins a
 * maximum; it counts in an average's divisor only with count_include_pad, and there only as far as
 * the padded image reaches. */
#include "kernels/ref/ref.h"

#include <math.h>

#include "base/size.h"

/* The part of one axis that a window covers: [begin, end) inside the image, and how many of its
 * positions lie inside the padded image. */
typedef struct {
    size_t begin, end, padded;
} range;

static range window_range(size_t out, size_t stride, size_t kernel, size_t pad, size_t pad_after,
                          size_t in)
{
    const size_t start = out * stride, stop = rn_min(start + kernel, pad + in + pad_after);
    return (range){.begin = start > pad ? start - pad : 0,
                   .end = stop > pad ? rn_min(stop - pad, in) : 0,
                   .padded = stop - start};
}

static float max_of(const rn_desc *d, const float *plane, size_t y, size_t x)
{
    const rn_shape in = d->in[0];
    const rn_window *w = &d->window;
    float best = -INFINITY;
    for (size_t ky = 0; ky < w->kh; ky++)
        for (size_t kx = 0; kx < w->kw; kx++) {
            const size_t iy = y * w->stride_h + ky * w->dilation_h - w->pad_top;
            const size_t ix = x * w->stride_w + kx * w->dilation_w - w->pad_left;
            if (iy >= in.h || ix >= in.w) continue;
            const float value = plane[iy * in.w + ix];
            if (value > best || value != value) best = value; /* a NaN stays, as in PyTorch */
        }
    return best;
}

static float average_of(const rn_desc *d, const float *plane, size_t y, size_t x)
{
    const rn_shape in = d->in[0];
    const rn_window *w = &d->window;
    const range rows = window_range(y, w->stride_h, w->kh, w->pad_top, w->pad_bottom, in.h);
    const range columns = window_range(x, w->stride_w, w->kw, w->pad_left, w->pad_right, in.w);
    double sum = 0;
    for (size_t iy = rows.begin; iy < rows.end; iy++)
        for (size_t ix = columns.begin; ix < columns.end; ix++)
            sum += (double)plane[iy * in.w + ix];
    const size_t count = w->count_include_pad
                             ? rows.padded * columns.padded
                             : (rows.end - rows.begin) * (columns.end - columns.begin);
    return (float)(sum / (double)count);
}

typedef float reduce_window(const rn_desc *d, const float *plane, size_t y, size_t x);

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    reduce_window *reduce;
} job;

/* task: one channel of one image */
static void pool_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_shape in = j->desc->in[0], out = j->desc->out;
    const float *plane = j->args->src + task * in.h * in.w;
    float *dst = j->args->dst + task * out.h * out.w;
    for (size_t y = 0; y < out.h; y++)
        for (size_t x = 0; x < out.w; x++) dst[y * out.w + x] = j->reduce(j->desc, plane, y, x);
}

static void run_pool(const rn_desc *desc, const rn_args *args, reduce_window *reduce)
{
    job j = {desc, args, reduce};
    rn_team_for(args->team, args->n * desc->out.c, pool_plane, &j);
}

static void run_max_pool(const rn_desc *desc, const rn_args *args)
{
    run_pool(desc, args, max_of);
}

static void run_avg_pool(const rn_desc *desc, const rn_args *args)
{
    run_pool(desc, args, average_of);
}

static void run_global_avg_pool(const rn_desc *desc, const rn_args *args)
{
    const size_t area = desc->in[0].h * desc->in[0].w;
    for (size_t plane = 0; plane < args->n * desc->out.c; plane++) {
        double sum = 0;
        for (size_t i = 0; i < area; i++) sum += (double)args->src[plane * area + i];
        args->dst[plane] = (float)(sum / (double)area);
    }
}

const rn_impl rn_ref_max_pool = {.name = "ref", .op = RN_OP_MAX_POOL, .run = run_max_pool};
const rn_impl rn_ref_avg_pool = {.name = "ref", .op = RN_OP_AVG_POOL, .run = run_avg_pool};
const rn_impl rn_ref_global_avg_pool = {
    .name = "ref", .op = RN_OP_GLOBAL_AVG_POOL, .run = run_global_avg_pool};
