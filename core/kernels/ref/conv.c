/* Conv2d as torch.nn.functional.conv2d defines it: cross-correlation, zero padding, groups,
 * dilation. */
#include "kernels/ref/ref.h"

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
} job;

/* One output element before bias and epilogue: image n, output channel oc, row y, column x. */
static double sum_window(const rn_desc *d, const float *image, const float *filter, size_t oc,
                         size_t y, size_t x)
{
    const rn_shape in = d->in[0];
    const rn_window *w = &d->window;
    const size_t group_ic = in.c / d->groups, first = oc / (d->out.c / d->groups) * group_ic;
    double sum = 0;
    for (size_t ic = 0; ic < group_ic; ic++)
        for (size_t ky = 0; ky < w->kh; ky++)
            for (size_t kx = 0; kx < w->kw; kx++) {
                /* Wraps to a huge value left of and above the image. */
                const size_t iy = y * w->stride_h + ky * w->dilation_h - w->pad_top;
                const size_t ix = x * w->stride_w + kx * w->dilation_w - w->pad_left;
                if (iy >= in.h || ix >= in.w) continue;
                sum += (double)image[((first + ic) * in.h + iy) * in.w + ix] *
                       (double)filter[(ic * w->kh + ky) * w->kw + kx];
            }
    return sum;
}

/* task: one output channel of one image */
static void conv_channel(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_desc *d = j->desc;
    const rn_args *a = j->args;
    const size_t n = task / d->out.c, oc = task % d->out.c, area = d->out.h * d->out.w;
    const float *image = a->src + n * rn_shape_size(d->in[0]);
    const float *filter = a->weights + oc * (d->in[0].c / d->groups) * d->window.kh * d->window.kw;
    for (size_t y = 0; y < d->out.h; y++)
        for (size_t x = 0; x < d->out.w; x++) {
            const size_t i = task * area + y * d->out.w + x;
            a->dst[i] = (float)(sum_window(d, image, filter, oc, y, x) + (double)a->bias[oc]);
        }
    const float *addend = a->addend ? a->addend + task * area : NULL;
    rn_epilogue_apply(&d->epilogue, a->dst + task * area, addend, area);
}

static void run_conv(const rn_desc *desc, const rn_args *args)
{
    job j = {desc, args};
    rn_team_for(args->team, args->n * desc->out.c, conv_channel, &j);
}

const rn_impl rn_ref_conv = {.name = "ref", .op = RN_OP_CONV, .run = run_conv};
