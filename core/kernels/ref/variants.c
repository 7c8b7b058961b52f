/* What only some residual networks have: group norm, the 1-D convolution of an ECA gate, the
 * blurred pool, and zero padding of a map and of its channels. */
#include "kernels/ref/ref.h"

#include <math.h>
#include <string.h>

/* ---- group norm ------------------------------------------------------------------------------ */

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
} job;

/* task: one group of one image; its channels lie behind each other */
static void norm_group(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_desc *d = j->desc;
    const size_t area = d->out.h * d->out.w, channels = d->out.c / d->groups;
    const size_t size = channels * area, first = task % d->groups * channels;
    const float *src = j->args->src + task * size;
    const float *addend = j->args->addend ? j->args->addend + task * size : NULL;
    float *dst = j->args->dst + task * size;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < size; i++) sum += (double)src[i];
    const double mean = sum / (double)size;
    for (size_t i = 0; i < size; i++) {
        const double distance = (double)src[i] - mean;
        squares += distance * distance;
    }
    const double factor = 1 / sqrt(squares / (double)size + d->eps);
    for (size_t i = 0; i < size; i++) {
        const double weight = (double)j->args->weights[first + i / area];
        const double bias = (double)j->args->bias[first + i / area];
        const double y = ((double)src[i] - mean) * factor * weight + bias;
        dst[i] = (float)y;
    }
    rn_epilogue_apply(&d->epilogue, dst, addend, size);
}

static void run_group_norm(const rn_desc *desc, const rn_args *args)
{
    job j = {desc, args};
    rn_team_for(args->team, args->n * desc->groups, norm_group, &j);
}

/* ---- the convolution over channels ----------------------------------------------------------- */

static void run_channel_conv(const rn_desc *desc, const rn_args *args)
{
    const size_t c = desc->out.c, kernel = desc->window.kh, pad = kernel / 2;
    for (size_t i = 0; i < args->n * c; i++) {
        const float *image = args->src + i / c * c;
        double sum = 0;
        for (size_t k = 0; k < kernel; k++) {
            const size_t channel = i % c + k - pad; /* in front of the first: wraps to a huge one */
            if (channel < c) sum += (double)image[channel] * (double)args->weights[k];
        }
        args->dst[i] = (float)sum;
    }
}

/* ---- the blurred pool ------------------------------------------------------------------------ */

/* Behind its edge the image goes on as in a mirror that stands on the last pixel. */
static size_t reflect(size_t padded, size_t size)
{
    const size_t i = padded == 0 ? 1 : padded - 1;
    return i < size ? i : 2 * (size - 1) - i;
}

static void run_blur_pool(const rn_desc *desc, const rn_args *args)
{
    static const double filter[3] = {0.25, 0.5, 0.25};
    const rn_shape in = desc->in[0], out = desc->out;
    for (size_t i = 0; i < args->n * rn_shape_size(out); i++) {
        const size_t x = i % out.w, y = i / out.w % out.h;
        const float *plane = args->src + i / (out.w * out.h) * in.h * in.w;
        double sum = 0;
        for (size_t ky = 0; ky < 3; ky++) {
            const float *row = plane + reflect(y * desc->window.stride_h + ky, in.h) * in.w;
            for (size_t kx = 0; kx < 3; kx++)
                sum += filter[ky] * filter[kx] *
                       (double)row[reflect(x * desc->window.stride_w + kx, in.w)];
        }
        args->dst[i] = (float)sum;
    }
}

/* ---- channels of zeros ----------------------------------------------------------------------- */

static void run_channel_pad(const rn_desc *desc, const rn_args *args)
{
    const rn_shape in = desc->in[0], out = desc->out;
    const size_t area = in.h * in.w, in_front = (out.c - in.c) / 2 * area;
    memset(args->dst, 0, args->n * out.c * area * sizeof(float));
    for (size_t n = 0; n < args->n; n++)
        memcpy(args->dst + n * out.c * area + in_front, args->src + n * in.c * area,
               in.c * area * sizeof(float));
}

const rn_impl rn_ref_group_norm = {.name = "ref", .op = RN_OP_GROUP_NORM, .run = run_group_norm};
const rn_impl rn_ref_channel_conv = {
    .name = "ref", .op = RN_OP_CHANNEL_CONV, .run = run_channel_conv};
const rn_impl rn_ref_blur_pool = {.name = "ref", .op = RN_OP_BLUR_POOL, .run = run_blur_pool};
const rn_impl rn_ref_channel_pad = {.name = "ref", .op = RN_OP_CHANNEL_PAD, .run = run_channel_pad};
