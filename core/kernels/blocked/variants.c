/* A task is a plane, for group norm the planes that its groups fill. The maps are as large as the
 * caches they come from: reading them is what takes time, so plain C does where no micro-kernel
 * exists. */
#include "kernels/blocked/variants.h"

#include <math.h>
#include <string.h>

#include "kernels/blocked/pack.h"

typedef struct {
    const rn_desc *desc;
    const rn_args *args;
    const rn_micro *micro;
    rn_finish finish;
} job;

static size_t plane_size(rn_shape dims)
{
    return dims.h * dims.w * RN_BLOCK;
}

static void each_plane(const rn_desc *desc, const rn_args *args, const rn_micro *micro,
                       rn_task *task)
{
    job j = {.desc = desc, .args = args, .micro = micro};
    rn_team_for(args->team, args->n * rn_conv_in_blocks(desc), task, &j);
}

/* ---- group norm ------------------------------------------------------------------------------ */

/* Whole groups in a block, or whole blocks in a group. */
bool rn_group_norm_supports(const rn_desc *desc)
{
    const size_t channels = desc->out.c / desc->groups;
    return rn_finish_fits(desc) && desc->out.c % RN_BLOCK == 0 &&
           (channels % RN_BLOCK == 0 || RN_BLOCK % channels == 0);
}

/* Per lane: the sum over `pixels` pixels of (x - mean)^power, power 1 or 2. */
static void sum_lanes(const float *src, size_t pixels, const double *mean, int power, double *sum)
{
    for (size_t l = 0; l < RN_BLOCK; l++) sum[l] = 0;
    for (size_t p = 0; p < pixels; p++)
        for (size_t l = 0; l < RN_BLOCK; l++) {
            const double distance = (double)src[p * RN_BLOCK + l] - mean[l];
            sum[l] += power == 1 ? distance : distance * distance;
        }
}

/* Every lane gets the mean over its group: `lanes` neighbours, `values` of them summed up. */
static void share(double *sum, size_t lanes, size_t values)
{
    for (size_t first = 0; first < RN_BLOCK; first += lanes) {
        double total = 0;
        for (size_t l = first; l < first + lanes; l++) total += sum[l];
        for (size_t l = first; l < first + lanes; l++) sum[l] = total / (double)values;
    }
}

/* y = scale * x + shift */
static void normalise_block(const job *j, size_t block, const float *src, float *dst,
                            const double *mean, const double *variance)
{
    _Alignas(RN_BLOCK * sizeof(float)) float scale[RN_BLOCK], shift[RN_BLOCK];
    const size_t first = block % rn_conv_in_blocks(j->desc) * RN_BLOCK;
    for (size_t l = 0; l < RN_BLOCK; l++) {
        const double weight = (double)j->args->weights[first + l];
        const double factor = weight / sqrt(variance[l] + j->desc->eps);
        scale[l] = (float)factor;
        shift[l] = (float)((double)j->args->bias[first + l] - mean[l] * factor);
    }
    const float *addend = j->args->addend;
    j->micro->affine(&(rn_affine){.src = src,
                                  .dst = dst,
                                  .scale = scale,
                                  .shift = shift,
                                  .addend = addend ? addend + (dst - j->args->dst) : NULL,
                                  .finish = j->finish,
                                  .pixels = plane_size(j->desc->out) / RN_BLOCK});
}

/* task: the blocks of one group, or one block of several groups */
static void norm_blocks(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const size_t channels = j->desc->out.c / j->desc->groups;
    const size_t lanes = rn_min(channels, RN_BLOCK), blocks = rn_max(channels / RN_BLOCK, 1);
    const size_t size = plane_size(j->desc->out), pixels = blocks * size / RN_BLOCK;
    const float *src = j->args->src + task * blocks * size;
    float *dst = j->args->dst + task * blocks * size;
    double mean[RN_BLOCK] = {0}, sum[RN_BLOCK], variance[RN_BLOCK];
    sum_lanes(src, pixels, mean, 1, sum); /* a group's blocks lie behind each other */
    share(sum, lanes, lanes * pixels);
    memcpy(mean, sum, sizeof mean);
    sum_lanes(src, pixels, mean, 2, variance);
    share(variance, lanes, lanes * pixels);
    for (size_t b = 0; b < blocks; b++)
        normalise_block(j, task * blocks + b, src + b * size, dst + b * size, mean, variance);
}

void rn_group_norm(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    job j = {desc, args, micro, rn_finish_of(&desc->epilogue)};
    const size_t blocks = rn_max(desc->out.c / desc->groups / RN_BLOCK, 1); /* of a task */
    rn_team_for(args->team, args->n * rn_conv_in_blocks(desc) / blocks, norm_blocks, &j);
}

/* ---- zero padding ---------------------------------------------------------------------------- */

static void pad_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_shape in = j->desc->in[0], out = j->desc->out;
    const rn_window *w = &j->desc->window;
    const float *src = j->args->src + task * plane_size(in);
    float *dst = j->args->dst + task * plane_size(out);
    memset(dst, 0, plane_size(out) * sizeof *dst);
    for (size_t y = 0; y < in.h; y++)
        memcpy(dst + ((y + w->pad_top) * out.w + w->pad_left) * RN_BLOCK, src + y * in.w * RN_BLOCK,
               in.w * RN_BLOCK * sizeof *dst);
}

void rn_blocked_zero_pad(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    each_plane(desc, args, micro, pad_plane);
}

/* ---- concat ---------------------------------------------------------------------------------- */

/* Channel `ch` of the output in one sample of the sources: where its first pixel is. */
static const float *channel_of(const job *j, size_t sample, size_t ch)
{
    const size_t first = j->desc->in[0].c, pixels = rn_shape_pixels(j->desc->out);
    const size_t which = ch >= first, c = which ? ch - first : ch;
    const size_t blocks = rn_ceil_div(j->desc->in[which].c, RN_BLOCK);
    return j->args->in[which] + (sample * blocks + c / RN_BLOCK) * pixels * RN_BLOCK + c % RN_BLOCK;
}

/* task: a plane of the output: that of a source where blocks meet blocks, else channel by channel
 */
static void join_plane(void *context, size_t task, size_t thread)
{
    (void)thread;
    const job *j = context;
    const rn_shape out = j->desc->out;
    const size_t pixels = rn_shape_pixels(out), blocks = rn_conv_out_blocks(j->desc);
    const size_t sample = task / blocks, first = task % blocks * RN_BLOCK;
    float *dst = j->args->dst + task * pixels * RN_BLOCK;
    if (first + RN_BLOCK <= j->desc->in[0].c || j->desc->in[0].c % RN_BLOCK == 0) {
        memcpy(dst, channel_of(j, sample, first), pixels * RN_BLOCK * sizeof *dst);
        return;
    }
    for (size_t l = 0; l < RN_BLOCK; l++) {
        const float *src = first + l < out.c ? channel_of(j, sample, first + l) : NULL;
        for (size_t p = 0; p < pixels; p++) dst[p * RN_BLOCK + l] = src ? src[p * RN_BLOCK] : 0;
    }
}

void rn_blocked_concat(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    job j = {.desc = desc, .args = args, .micro = micro};
    rn_team_for(args->team, args->n * rn_conv_out_blocks(desc), join_plane, &j);
}

/* ---- the blurred pool ------------------------------------------------------------------------ */

/* Behind its edge the image goes on as in a mirror that stands on the last pixel. */
static size_t reflect(size_t padded, size_t size)
{
    const size_t i = padded == 0 ? 1 : padded - 1;
    return i < size ? i : 2 * (size - 1) - i;
}

/* dst += factor * (left + 2 middle + right) */
static void add_row(const float *row, const size_t column[3], float factor, float *dst)
{
    const float *left = row + column[0], *middle = row + column[1], *right = row + column[2];
    for (size_t l = 0; l < RN_BLOCK; l++) dst[l] += factor * (left[l] + 2 * middle[l] + right[l]);
}

static void blur_plane(void *context, size_t task, size_t thread)
{
    static const float filter[3] = {1.0F / 16, 2.0F / 16, 1.0F / 16};
    (void)thread;
    const job *j = context;
    const rn_shape in = j->desc->in[0], out = j->desc->out;
    const rn_window *w = &j->desc->window;
    const float *src = j->args->src + task * plane_size(in);
    float *dst = j->args->dst + task * plane_size(out);
    for (size_t i = 0; i < out.h * out.w; i++, dst += RN_BLOCK) {
        const size_t y = i / out.w * w->stride_h, x = i % out.w * w->stride_w;
        size_t column[3];
        for (size_t k = 0; k < 3; k++) column[k] = reflect(x + k, in.w) * RN_BLOCK;
        memset(dst, 0, RN_BLOCK * sizeof *dst);
        for (size_t k = 0; k < 3; k++)
            add_row(src + reflect(y + k, in.h) * in.w * RN_BLOCK, column, filter[k], dst);
    }
}

void rn_blocked_blur(const rn_desc *desc, const rn_args *args, const rn_micro *micro)
{
    each_plane(desc, args, micro, blur_plane);
}
