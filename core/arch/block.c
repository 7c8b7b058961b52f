/* A residual block: convolutions with their norms, a gate, and a shortcut around them. */
#include <stdio.h>

#include "arch/net.h"
#include "base/error.h"

#define TEXT 96 /* bytes of a shape in an error */

static bool has(const rn_net *n, const rn_block *block, const char *leaf)
{
    return rn_names_have(n->b->names, rn_join(block->name, leaf).text);
}

/* "layer1.0.conv2" */
static rn_layer_name numbered(const rn_block *block, const char *leaf, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%s%d", leaf, number);
    return rn_join(block->name, text);
}

static int norm_relu(const rn_net *n, int src, const rn_block *block, int number)
{
    src = rn_net_norm(n, src, numbered(block, "bn", number).text);
    return rn_net_relu(n, src, block->name);
}

/* ---- gates: each channel is multiplied by what the mean of all channels says ----------------- */

static int squeeze_excite(const rn_net *n, int mean, const rn_block *block)
{
    const rn_window window = rn_square(1, 1, 0);
    const rn_layer_name reduce = rn_join(block->name, "se.fc1");
    const rn_layer_name expand = rn_join(block->name, "se.fc2");
    int src = rn_build_conv(n->b, mean, reduce.text, &window, 1, RN_BIAS_IF_THERE);
    src = rn_net_relu(n, src, rn_join(block->name, "se").text);
    return rn_build_conv(n->b, src, expand.text, &window, 1, RN_BIAS_IF_THERE);
}

static int gate(const rn_net *n, int src, const rn_block *block)
{
    const bool eca = has(n, block, "se.conv."), se = has(n, block, "se.fc1.");
    const rn_layer_name name = rn_join(block->name, "se");
    if (!eca && !se) return src;
    const int mean = rn_build_unary(n->b, src, name.text, RN_OP_GLOBAL_AVG_POOL);
    int factor = eca ? rn_build_channel_conv(n->b, mean, rn_join(block->name, "se.conv").text)
                     : squeeze_excite(n, mean, block);
    factor = rn_build_unary(n->b, factor, name.text, RN_OP_SIGMOID);
    return rn_build_binary(n->b, src, factor, name.text, RN_OP_MUL);
}

/* ---- the convolutions ------------------------------------------------------------------------ */

/* One convolution; of the two norms around it, a network has one kind. */
static int convolution(const rn_net *n, int src, const rn_block *block, int number)
{
    const rn_family *f = n->family;
    const int last = block->bottleneck ? 3 : 2;
    const int strided = block->bottleneck && !f->stride_in_1x1 ? 2 : 1;
    const bool moves = number == strided && block->stride > 1, soft = moves && f->antialias;
    const size_t groups = block->bottleneck && number == 2 ? 0 : 1;
    if (f->preact && number > 1) src = norm_relu(n, src, block, number);
    src = rn_net_conv(n, src, numbered(block, "conv", number).text,
                      moves && !soft ? block->stride : 1, groups);
    if (!f->preact) {
        src = rn_net_norm(n, src, numbered(block, "bn", number).text);
        if (number < last) src = rn_net_relu(n, src, block->name);
    }
    return soft ? rn_net_antialias(n, src, block->name, block->stride) : src;
}

static int convolutions(const rn_net *n, int src, const rn_block *block)
{
    for (int number = 1; number <= (block->bottleneck ? 3 : 2); number++)
        src = convolution(n, src, block, number);
    return gate(n, src, block);
}

/* ---- the shortcut ---------------------------------------------------------------------------- */

/* A pool that takes the stride, as timm's "d" networks have it. */
static int average(const rn_net *n, int src, const rn_block *block)
{
    rn_window window = rn_square(2, block->stride, 0);
    window.ceil_mode = true;
    if (block->stride == 1) return src;
    return rn_build_window(n->b, src, rn_join(block->name, "downsample.pool").text, RN_OP_AVG_POOL,
                           &window);
}

/* Every second pixel, and channels of zeros up to those of `want`. */
static int zero_shortcut(const rn_net *n, int src, const rn_block *block, rn_shape want)
{
    const rn_layer_name name = rn_join(block->name, "shortcut");
    const rn_window window = rn_square(1, block->stride, 0);
    if (rn_shape_equal(rn_build_shape(n->b, src), want)) return src;
    if (block->stride > 1) src = rn_build_window(n->b, src, name.text, RN_OP_MAX_POOL, &window);
    return rn_build_channel_pad(n->b, src, name.text, want.c);
}

/* Whether downsample.0 is a pool without weights: then downsample.1 is the convolution. */
static bool pools_first(const rn_net *n, const rn_block *block)
{
    const rn_tensor *weight = rn_build_find(n->b, block->name, "downsample.1.weight");
    return weight && weight->rank == 4;
}

static int downsample(const rn_net *n, int src, const rn_block *block)
{
    const bool pool = pools_first(n, block);
    const char *conv = pool ? "downsample.1" : "downsample.0";
    const char *norm = pool ? "downsample.2" : "downsample.1";
    const bool averages = pool || n->family->avg_down;
    if (averages) src = average(n, src, block);
    src = rn_net_conv(n, src, rn_join(block->name, conv).text, averages ? 1 : block->stride, 1);
    if (n->family->preact && !has(n, block, rn_join(norm, "").text)) return src;
    return rn_net_norm(n, src, rn_join(block->name, norm).text);
}

/* ---- the block ------------------------------------------------------------------------------- */

/* Both ways must have the same channels: broadcasting those would hide a missing shortcut. */
static int add_ways(const rn_net *n, int way, int other, const rn_block *block)
{
    char a[TEXT], b[TEXT];
    if (way < 0 || other < 0) return -1;
    const rn_shape left = rn_build_shape(n->b, way), right = rn_build_shape(n->b, other);
    if (left.c == right.c)
        return rn_build_binary(n->b, way, other, rn_join(block->name, "add").text, RN_OP_ADD);
    rn_fail(n->b->err, RN_ERR_FORMAT,
            "block %s: its convolutions give %s, its shortcut %s: they can't be added", block->name,
            rn_shape_write(left, a, sizeof a), rn_shape_write(right, b, sizeof b));
    return -1;
}

int rn_block_build(const rn_net *n, int src, const rn_block *block)
{
    const rn_family *f = n->family;
    const int first = f->preact ? norm_relu(n, src, block, 1) : src;
    const int way = convolutions(n, first, block);
    if (way < 0) return -1;
    int other = src;
    if (has(n, block, "downsample."))
        other = downsample(n, first, block);
    else if (f->zero_shortcut)
        other = zero_shortcut(n, src, block, rn_build_shape(n->b, way));
    const int sum = add_ways(n, way, other, block);
    return f->preact ? sum : rn_net_relu(n, sum, block->name);
}
