#include "kernels/blocked/pack.h"

#include <string.h>

size_t rn_conv_taps(const rn_desc *desc)
{
    return desc->window.kh * desc->window.kw;
}

size_t rn_conv_in_blocks(const rn_desc *desc)
{
    return rn_ceil_div(desc->in[0].c, RN_BLOCK);
}

size_t rn_conv_out_blocks(const rn_desc *desc)
{
    return rn_ceil_div(desc->out.c, RN_BLOCK);
}

/* Input blocks [*begin, *end) that the groups of one output block read. */
static void band_of(const rn_desc *desc, size_t out_block, size_t *begin, size_t *end)
{
    const size_t group_in = desc->in[0].c / desc->groups, group_out = desc->out.c / desc->groups;
    const size_t first = out_block * RN_BLOCK;
    const size_t last = rn_min(first + RN_BLOCK, desc->out.c) - 1;
    *begin = first / group_out * group_in / RN_BLOCK;
    *end = rn_ceil_div((last / group_out + 1) * group_in, RN_BLOCK);
}

size_t rn_conv_band(const rn_desc *desc)
{
    if (desc->groups == 1) return rn_conv_in_blocks(desc);
    size_t band = 0;
    for (size_t b = 0; b < rn_conv_out_blocks(desc); b++) {
        size_t begin, end;
        band_of(desc, b, &begin, &end);
        band = rn_max(band, end - begin);
    }
    return band;
}

size_t rn_conv_band_start(const rn_desc *desc, size_t out_block)
{
    if (desc->groups == 1) return 0;
    size_t begin, end;
    band_of(desc, out_block, &begin, &end);
    return rn_min(begin, rn_conv_in_blocks(desc) - rn_conv_band(desc));
}

size_t rn_conv_packed_size(const rn_desc *desc)
{
    return rn_conv_out_blocks(desc) * rn_conv_band(desc) * rn_conv_taps(desc) * RN_BLOCK * RN_BLOCK;
}

/* One group: whole lines of 16 output channels are written in order, from 16 rows that are read in
 * order. */
static void pack_block(const rn_desc *desc, size_t out_block, const float *weights,
                       const float *scale, float *packed)
{
    const size_t taps = rn_conv_taps(desc), row = desc->in[0].c * taps;
    const size_t first = out_block * RN_BLOCK, lanes = rn_min(desc->out.c - first, RN_BLOCK);
    float factor[RN_BLOCK];
    for (size_t lane = 0; lane < RN_BLOCK; lane++)
        factor[lane] = scale && lane < lanes ? scale[first + lane] : 1;
    for (size_t ic = 0; ic < desc->in[0].c; ic++)
        for (size_t t = 0; t < taps; t++) {
            const float *w = weights + first * row + ic * taps + t;
            float *line =
                packed + ((ic / RN_BLOCK * taps + t) * RN_BLOCK + ic % RN_BLOCK) * RN_BLOCK;
            for (size_t lane = 0; lane < lanes; lane++) line[lane] = w[lane * row] * factor[lane];
        }
}

static void pack_channel(const rn_desc *desc, size_t oc, const float *weights, float factor,
                         float *packed)
{
    const size_t taps = rn_conv_taps(desc);
    const size_t group_in = desc->in[0].c / desc->groups, group_out = desc->out.c / desc->groups;
    const size_t first = rn_conv_band_start(desc, oc / RN_BLOCK) * RN_BLOCK;
    for (size_t i = 0; i < group_in; i++) {
        const size_t ic = oc / group_out * group_in + i - first; /* in the band */
        const float *w = weights + (oc * group_in + i) * taps;
        for (size_t t = 0; t < taps; t++)
            packed[((ic / RN_BLOCK * taps + t) * RN_BLOCK + ic % RN_BLOCK) * RN_BLOCK +
                   oc % RN_BLOCK] = w[t] * factor;
    }
}

void rn_conv_pack(const rn_desc *desc, const float *weights, const float *scale, float *packed)
{
    const size_t blocks = rn_conv_out_blocks(desc), size = rn_conv_packed_size(desc) / blocks;
    const bool full = desc->in[0].c % RN_BLOCK == 0 && desc->out.c % RN_BLOCK == 0;
    if (desc->groups > 1 || !full) memset(packed, 0, blocks * size * sizeof *packed);
    for (size_t b = 0; desc->groups == 1 && b < blocks; b++)
        pack_block(desc, b, weights, scale, packed + b * size);
    for (size_t oc = 0; desc->groups > 1 && oc < desc->out.c; oc++)
        pack_channel(desc, oc, weights, scale ? scale[oc] : 1, packed + oc / RN_BLOCK * size);
}

void rn_conv_offsets(const rn_desc *desc, size_t first, size_t count, uint32_t *offset)
{
    const rn_window *w = &desc->window;
    const rn_shape in = desc->in[0];
    for (size_t p = 0; p < count; p++) {
        /* These wrap to huge values left of and above the image. */
        const size_t y = (first + p) / desc->out.w * w->stride_h - w->pad_top;
        const size_t x = (first + p) % desc->out.w * w->stride_w - w->pad_left;
        for (size_t t = 0; t < w->kh * w->kw; t++) {
            const size_t iy = y + t / w->kw * w->dilation_h, ix = x + t % w->kw * w->dilation_w;
            const bool inside = iy < in.h && ix < in.w;
            offset[t * count + p] = inside ? (uint32_t)((iy * in.w + ix) * RN_BLOCK) : RN_OUTSIDE;
        }
    }
}

bool rn_conv_plane_fits(const rn_desc *desc)
{
    size_t pixels;
    return rn_size_mul(desc->in[0].h, desc->in[0].w, &pixels) && pixels < RN_OUTSIDE / RN_BLOCK;
}
