/* Softmax over the channels, for each pixel by itself. */
#include "kernels/ref/ref.h"

#include <math.h>

/* c numbers, `step` apart. The largest is taken off first: no exponential overflows. */
static void softmax(const float *src, float *dst, size_t c, size_t step)
{
    float largest = src[0];
    for (size_t i = 1; i < c; i++) largest = fmaxf(largest, src[i * step]);
    double sum = 0;
    for (size_t i = 0; i < c; i++) sum += exp((double)src[i * step] - (double)largest);
    for (size_t i = 0; i < c; i++)
        dst[i * step] = (float)(exp((double)src[i * step] - (double)largest) / sum);
}

static void run_softmax(const rn_desc *desc, const rn_args *args)
{
    const size_t area = desc->out.h * desc->out.w, image = desc->out.c * area;
    for (size_t n = 0; n < args->n; n++)
        for (size_t pixel = 0; pixel < area; pixel++)
            softmax(args->src + n * image + pixel, args->dst + n * image + pixel, desc->out.c,
                    area);
}

const rn_impl rn_ref_softmax = {.name = "ref", .op = RN_OP_SOFTMAX, .run = run_softmax};
