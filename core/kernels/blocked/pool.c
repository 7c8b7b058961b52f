/* Pools: a task is a plane; each output pixel's window is clipped to the image. */
#include "kernels/blocked/pool.h"

#include "kernels/blocked/pack.h"

typedef void window_kernel(const rn_pool_window *window);

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    window_kernel *kernel;
} job;

/* One axis of one window: the taps inside the image, and what an average with padding divides by.
 */
typedef struct {
    size_t begin, count; /* first position inside, and how many there are, a dilation apart */
    size_t padded;       /* positions inside the padded image */
} clip;

typedef struct {
    size_t in, kernel, stride, pad, pad_after, dilation;
} axis;

static clip clip_window(const axis *a, size_t out)
{
    const size_t start = out * a->stride; /* in the padded image */
    const size_t skip = start < a->pad ? rn_ceil_div(a->pad - start, a->dilation) : 0;
    const size_t begin = start + skip * a->dilation - a->pad;
    const size_t fit = begin < a->in ? rn_ceil_div(a->in - begin, a->dilation) : 0;
    const size_t left = skip < a->kernel ? a->kernel - skip : 0;
    return (clip){.begin = begin,
                  .count = rn_min(fit, left),
                  .padded = rn_min(start + a->kernel, a->pad + a->in + a->pad_after) - start};
}

static void pool_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_shape in = j->desc->in[0], out = j->desc->out;
    const rn_window *w = &j->desc->window;
    const axis rows = {in.h, w->kh, w->stride_h, w->pad_top, w->pad_bottom, w->dilation_h};
    const axis columns = {in.w, w->kw, w->stride_w, w->pad_left, w->pad_right, w->dilation_w};
    const float *plane = j->args->src + task * in.h * in.w * RN_BLOCK;
    float *dst = j->args->dst + task * out.h * out.w * RN_BLOCK;
    for (size_t y = 0; y < out.h; y++) {
        const clip r = clip_window(&rows, y);
        for (size_t x = 0; x < out.w; x++, dst += RN_BLOCK) {
            const clip c = clip_window(&columns, x);
            const size_t divisor = w->count_include_pad ? r.padded * c.padded : r.count * c.count;
            const rn_pool_window window = {
                .src = plane + (r.begin * in.w + c.begin) * RN_BLOCK,
                .rows = r.count,
                .columns = c.count,
                .row_stride = w->dilation_h * in.w * RN_BLOCK,
                .column_stride = w->dilation_w * RN_BLOCK,
                .scale = 1 / (float)divisor,
                .dst = dst,
            };
            j->kernel(&window);
        }
    }
}

static void run(const rn_desc *desc, const rn_args *args, window_kernel *kernel)
{
    job j = {desc, args, kernel};
    rn_team_for(args->team, args->n * rn_conv_in_blocks(desc), pool_plane, &j);
}

void rn_pool_max(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    run(desc, args, micro->pool_max);
}

void rn_pool_average(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    run(desc, args, micro->pool_average);
}

void rn_pool_global(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    const rn_shape in = desc->in[0];
    for (size_t plane = 0; plane < args->n * rn_conv_in_blocks(desc); plane++) {
        const rn_pool_window window = {
            .src = args->src + plane * in.h * in.w * RN_BLOCK,
            .rows = in.h,
            .columns = in.w,
            .row_stride = in.w * RN_BLOCK,
            .column_stride = RN_BLOCK,
            .scale = 1 / (float)(in.h * in.w),
            .dst = args->dst + plane * RN_BLOCK,
        };
        micro->pool_average(&window);
    }
}
