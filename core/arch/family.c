#include "arch/family.h"

#include <stdio.h>

#include "base/error.h"

#define TEXT 96 /* bytes of a shape in an error */

typedef struct {
    const rn_family *family;
    const rn_builder *b;
} net;

/* Two names put together: "layer1.0" and "conv1". */
typedef struct {
    char text[RN_NAME];
} layer_name;

static layer_name join(const char *block, const char *leaf)
{
    layer_name name;
    snprintf(name.text, sizeof name.text, "%s%s%s", block, *block ? "." : "", leaf);
    return name;
}

/* A convolution that keeps the size but for its stride, and the batch norm behind it. groups 0:
 * what the weight's shape says. */
static int conv_norm(const net *n, int src, const char *conv, const char *norm, size_t stride,
                     size_t groups)
{
    const rn_tensor *weight = src < 0 ? NULL : rn_build_need(n->b, conv, "weight", 4);
    if (!weight) return -1;
    const size_t pad_h = weight->shape[2] / 2, pad_w = weight->shape[3] / 2;
    const rn_window window = {.stride_h = stride,
                              .stride_w = stride,
                              .pad_top = pad_h,
                              .pad_bottom = pad_h,
                              .pad_left = pad_w,
                              .pad_right = pad_w};
    src = rn_build_conv(n->b, src, conv, &window, groups, RN_BIAS_IF_THERE);
    return rn_build_batch_norm(n->b, src, norm, n->family->eps, true);
}

/* The number-th convolution of a block, its batch norm, and a ReLU unless it is the last. */
static int block_conv(const net *n, int src, const char *block, int number, size_t stride,
                      size_t groups)
{
    char conv[16], norm[16];
    snprintf(conv, sizeof conv, "conv%d", number);
    snprintf(norm, sizeof norm, "bn%d", number);
    return conv_norm(n, src, join(block, conv).text, join(block, norm).text, stride, groups);
}

static int relu(const net *n, int src, const char *block)
{
    return rn_build_unary(n->b, src, join(block, "relu").text, RN_OP_RELU);
}

static int shortcut(const net *n, int src, const char *block, size_t stride)
{
    const layer_name conv = join(block, "downsample.0"), norm = join(block, "downsample.1");
    if (!rn_build_find(n->b, conv.text, "weight")) return src;
    return conv_norm(n, src, conv.text, norm.text, stride, 1);
}

/* A block's two ways must have one shape: broadcasting would hide a shortcut that is missing. */
static int join_ways(const net *n, int way, int other, const char *block)
{
    char a[TEXT], b[TEXT];
    if (way < 0 || other < 0) return -1;
    const rn_dims left = rn_build_dims(n->b, way), right = rn_build_dims(n->b, other);
    if (!rn_dims_equal(left, right)) {
        rn_fail(n->b->err, RN_ERR_FORMAT,
                "block %s: its convolutions give %s, its shortcut %s: they can't be added", block,
                rn_dims_text(left, a, sizeof a), rn_dims_text(right, b, sizeof b));
        return -1;
    }
    return relu(n, rn_build_add(n->b, way, other, join(block, "add").text), block);
}

static int basic_block(const net *n, int src, const char *block, size_t stride)
{
    int way = relu(n, block_conv(n, src, block, 1, stride, 1), block);
    way = block_conv(n, way, block, 2, 1, 1);
    return join_ways(n, way, shortcut(n, src, block, stride), block);
}

static int bottleneck(const net *n, int src, const char *block, size_t stride)
{
    const bool first = n->family->stride_in_1x1;
    int way = relu(n, block_conv(n, src, block, 1, first ? stride : 1, 1), block);
    way = relu(n, block_conv(n, way, block, 2, first ? 1 : stride, 0), block);
    way = block_conv(n, way, block, 3, 1, 1);
    return join_ways(n, way, shortcut(n, src, block, stride), block);
}

static int stem(const net *n, int src)
{
    src = relu(n, conv_norm(n, src, "conv1", "bn1", n->family->stem_stride, 1), "");
    if (!n->family->stem_pool) return src;
    const rn_window window = rn_square(3, 2, 1);
    return rn_build_pool(n->b, src, "maxpool", RN_OP_MAX_POOL, &window);
}

static int stage(const net *n, int src, size_t index)
{
    const rn_stage *s = &n->family->stage[index];
    char block[48];
    for (size_t i = 0; i < s->blocks; i++) {
        const size_t stride = i == 0 ? s->stride : 1;
        snprintf(block, sizeof block, "layer%zu.%zu", index + 1, i);
        src =
            s->bottleneck ? bottleneck(n, src, block, stride) : basic_block(n, src, block, stride);
        if (src < 0) return -1;
    }
    return src;
}

int rn_family_build(const rn_family *family, const rn_builder *b, int input)
{
    const net n = {family, b};
    int src = stem(&n, input);
    for (size_t i = 0; i < family->stages; i++) src = src < 0 ? -1 : stage(&n, src, i);
    src = rn_build_unary(b, src, "avgpool", RN_OP_GLOBAL_AVG_POOL);
    src = rn_build_unary(b, src, "flatten", RN_OP_FLATTEN);
    return family->head ? rn_build_linear(b, src, "fc", RN_BIAS_IF_THERE) : src;
}
