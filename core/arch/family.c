#include "arch/family.h"

#include <stdio.h>

#include "arch/net.h"

/* conv1, or the deep stem's three; the last norm and ReLU are those of bn1. */
static int stem_convolutions(const rn_net *n, int src)
{
    const rn_family *f = n->family;
    const char *last = f->deep_stem ? "conv1.6" : "conv1";
    if (f->deep_stem) {
        src = rn_net_conv_norm_relu(n, src, "conv1.0", "conv1.1", f->stem_stride);
        src = rn_net_conv_norm_relu(n, src, "conv1.3", "conv1.4", 1);
    }
    const size_t stride = f->deep_stem ? 1 : f->stem_stride;
    if (f->preact) return rn_net_conv(n, src, last, stride, 1);
    return rn_net_conv_norm_relu(n, src, last, "bn1", stride);
}

/* A convolution instead of the pool; with anti-aliasing it has no stride and two layers behind. */
static int convolution_pool(const rn_net *n, int src)
{
    const bool soft = n->family->antialias != RN_ANTIALIAS_NONE;
    src = rn_net_conv(n, src, "maxpool.0", soft ? 1 : 2, 1);
    if (soft) src = rn_net_antialias(n, src, "maxpool", 2);
    return rn_net_relu(n, rn_net_norm(n, src, soft ? "maxpool.2" : "maxpool.1"), "maxpool");
}

static int max_pool(const rn_net *n, int src, size_t stride)
{
    const rn_window border = {.pad_top = 1, .pad_left = 1, .pad_bottom = 1, .pad_right = 1};
    const rn_window window = rn_square(3, stride, n->family->bit ? 0 : 1);
    if (n->family->bit) src = rn_build_window(n->b, src, "stem.pad", RN_OP_ZERO_PAD, &border);
    return rn_build_window(n->b, src, "maxpool", RN_OP_MAX_POOL, &window);
}

static int stem_pool(const rn_net *n, int src)
{
    if (n->family->conv_pool) return convolution_pool(n, src);
    if (!n->family->stem_pool) return src;
    switch (n->family->antialias) {
    case RN_ANTIALIAS_AVG: return rn_net_antialias(n, src, "maxpool", 2);
    case RN_ANTIALIAS_BLUR: return rn_net_antialias(n, max_pool(n, src, 1), "maxpool", 2);
    default: return max_pool(n, src, 2);
    }
}

static int stage(const rn_net *n, int src, size_t index)
{
    const rn_stage *s = &n->family->stage[index];
    char name[48];
    for (size_t i = 0; i < s->blocks && src >= 0; i++) {
        snprintf(name, sizeof name, "layer%zu.%zu", index + 1, i);
        const rn_block block = {name, s->bottleneck, i == 0 ? s->stride : 1};
        src = rn_block_build(n, src, &block);
    }
    return src;
}

/* fc is a linear layer, or a 1x1 convolution of the pooled pixel. */
static int head(const rn_net *n, int src)
{
    const rn_tensor *weight = rn_build_find(n->b, "fc", "weight");
    const rn_window window = rn_square(1, 1, 0);
    const bool convolution = n->family->head && weight && weight->rank == 4;
    src = rn_build_unary(n->b, src, "avgpool", RN_OP_GLOBAL_AVG_POOL);
    if (convolution) src = rn_build_conv(n->b, src, "fc", &window, 1, RN_BIAS_IF_THERE);
    src = rn_build_unary(n->b, src, "flatten", RN_OP_FLATTEN);
    if (convolution || !n->family->head) return src;
    return rn_build_linear(n->b, src, "fc", RN_BIAS_IF_THERE);
}

int rn_family_build(const rn_family *family, const rn_builder *b, int input)
{
    const rn_net n = {family, b};
    int src = stem_pool(&n, stem_convolutions(&n, input));
    for (size_t i = 0; i < family->stages && src >= 0; i++) src = stage(&n, src, i);
    if (family->preact && rn_names_have(b->names, "norm."))
        src = rn_net_relu(&n, rn_net_norm(&n, src, "norm"), "norm");
    return head(&n, src);
}
