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

void rn_conv_pack(const rn_desc *desc, const float *weights, const float *scale, float *packed)
{
    const size_t taps = rn_conv_taps(desc), band = rn_conv_band(desc);
    const size_t group_in = desc->in[0].c / desc->groups, group_out = desc->out.c / desc->groups;
    memset(packed, 0, rn_conv_packed_size(desc) * sizeof *packed);
    for (size_t oc = 0; oc < desc->out.c; oc++) {
        const size_t out_block = oc / RN_BLOCK;
        const size_t first = rn_conv_band_start(desc, out_block) * RN_BLOCK;
        const float factor = scale ? scale[oc] : 1;
        float *block = packed + out_block * band * taps * RN_BLOCK * RN_BLOCK + oc % RN_BLOCK;
        for (size_t i = 0; i < group_in; i++) {
            const size_t ic = oc / group_out * group_in + i - first; /* in the band */
            const float *w = weights + (oc * group_in + i) * taps;
            for (size_t t = 0; t < taps; t++)
                block[((ic / RN_BLOCK * taps + t) * RN_BLOCK + ic % RN_BLOCK) * RN_BLOCK] =
                    w[t] * factor;
        }
    }
}

void rn_conv_offsets(const rn_desc *desc, size_t first, size_t count, uint32_t *offset)
{
    const rn_window *w = &desc->window;
    const rn_dims in = desc->in[0];
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
