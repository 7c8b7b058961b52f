#include "arch/build.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define TEXT 96 /* bytes of a shape in an error */

rn_tensor *rn_build_find(const rn_builder *b, const char *layer, const char *leaf)
{
    char name[RN_NAME];
    snprintf(name, sizeof name, "%s.%s", layer, leaf);
    return rn_names_find(b->names, name);
}

rn_tensor *rn_build_need(const rn_builder *b, const char *layer, const char *leaf, size_t rank)
{
    char name[RN_NAME], original[RN_NAME], shape[TEXT];
    rn_tensor *tensor = rn_build_find(b, layer, leaf);
    if (!tensor) {
        snprintf(name, sizeof name, "%s.%s", layer, leaf);
        rn_fail(b->err, RN_ERR_FORMAT, "tensor %s: missing",
                rn_names_original(b->names, name, original));
        return NULL;
    }
    if (tensor->rank == rank) return tensor;
    rn_fail(b->err, RN_ERR_FORMAT, "tensor %s: want %zu dimensions, file has %s", tensor->name,
            rank, rn_shape_text(tensor->shape, tensor->rank, shape, sizeof shape));
    return NULL;
}

bool rn_build_constant(const rn_builder *b, const char *layer, const char *leaf, size_t rank,
                       const size_t *shape, rn_constant *out)
{
    char want[TEXT], have[TEXT];
    rn_tensor *tensor = rn_build_need(b, layer, leaf, rank);
    if (!tensor) return false;
    if (memcmp(tensor->shape, shape, rank * sizeof *shape) == 0)
        return rn_tensor_constant(tensor, out, b->err);
    rn_fail(b->err, RN_ERR_FORMAT, "tensor %s: want %s, file has %s", tensor->name,
            rn_shape_text(shape, rank, want, sizeof want),
            rn_shape_text(tensor->shape, rank, have, sizeof have));
    return false;
}

rn_shape rn_build_shape(const rn_builder *b, int value)
{
    return rn_graph_shape(b->graph, value);
}

rn_window rn_square(size_t kernel, size_t stride, size_t pad)
{
    return (rn_window){.kh = kernel,
                       .kw = kernel,
                       .stride_h = stride,
                       .stride_w = stride,
                       .pad_top = pad,
                       .pad_left = pad,
                       .pad_bottom = pad,
                       .pad_right = pad};
}

/* False with *err filled: the bias had to be there. */
static bool take_bias(const rn_builder *b, rn_node *node, const char *layer, rn_bias bias)
{
    if (bias == RN_BIAS_NONE) return true;
    if (bias == RN_BIAS_IF_THERE && !rn_build_find(b, layer, "bias")) return true;
    return rn_build_constant(b, layer, "bias", 1, &node->channels, &node->weight[RN_BIAS]);
}

/* The groups that a weight of (oc, ic / groups, kh, kw) has on this input; 0 with *err filled. */
static size_t conv_groups(const rn_builder *b, const rn_tensor *weight, rn_shape in, size_t groups)
{
    char shape[TEXT], input[TEXT];
    const size_t width = weight->shape[1];
    const size_t inferred = width && in.c % width == 0 ? in.c / width : 0;
    if (inferred && (groups == 0 || groups == inferred)) return inferred;
    rn_fail(b->err, RN_ERR_FORMAT, "tensor %s: %s in %zu groups does not fit an input of %s",
            weight->name, rn_shape_text(weight->shape, weight->rank, shape, sizeof shape),
            groups ? groups : 1, rn_shape_write(in, input, sizeof input));
    return 0;
}

int rn_build_conv(const rn_builder *b, int src, const char *layer, const rn_window *window,
                  size_t groups, rn_bias bias)
{
    if (src < 0) return -1;
    rn_tensor *weight = rn_build_need(b, layer, "weight", 4); // (oc, ic / groups, kh, kw)
    if (!weight) return -1;
    rn_node node = {.op = RN_OP_CONV, .name = layer, .window = *window};
    node.channels = weight->shape[0];
    node.window.kh = weight->shape[2];
    node.window.kw = weight->shape[3];
    node.groups = conv_groups(b, weight, rn_build_shape(b, src), groups);
    if (!node.groups) return -1;
    if (!rn_tensor_constant(weight, &node.weight[RN_WEIGHT], b->err) ||
        !take_bias(b, &node, layer, bias))
        return -1;
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_batch_norm(const rn_builder *b, int src, const char *layer, double eps, bool affine)
{
    static const struct {
        size_t weight;
        const char *leaf;
    } needed[] = {{RN_MEAN, "running_mean"},
                  {RN_VAR, "running_var"},
                  {RN_WEIGHT, "weight"},
                  {RN_BIAS, "bias"}};
    if (src < 0) return -1;
    rn_node node = {.op = RN_OP_BATCH_NORM, .name = layer, .eps = eps};
    const size_t channels = rn_build_shape(b, src).c;
    for (size_t i = 0; i < (affine ? 4 : 2); i++) {
        rn_constant *numbers = &node.weight[needed[i].weight];
        if (!rn_build_constant(b, layer, needed[i].leaf, 1, &channels, numbers)) return -1;
    }
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_linear(const rn_builder *b, int src, const char *layer, rn_bias bias)
{
    if (src < 0) return -1;
    const rn_shape in = rn_build_shape(b, src);
    rn_tensor *weight = rn_build_need(b, layer, "weight", 2); // (out, in)
    if (!weight) return -1;
    rn_node node = {.op = RN_OP_LINEAR, .name = layer, .channels = weight->shape[0]};
    const size_t width = in.rank == 1 ? in.c : weight->shape[1]; /* a map: the shape rule says no */
    const size_t shape[] = {node.channels, width};
    if (!rn_build_constant(b, layer, "weight", 2, shape, &node.weight[RN_WEIGHT]) ||
        !take_bias(b, &node, layer, bias))
        return -1;
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_group_norm(const rn_builder *b, int src, const char *layer, size_t groups, double eps)
{
    if (src < 0) return -1;
    rn_node node = {.op = RN_OP_GROUP_NORM, .name = layer, .groups = groups, .eps = eps};
    node.channels = rn_build_shape(b, src).c;
    if (!rn_build_constant(b, layer, "weight", 1, &node.channels, &node.weight[RN_WEIGHT]) ||
        !take_bias(b, &node, layer, RN_BIAS_NEEDED))
        return -1;
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_channel_conv(const rn_builder *b, int src, const char *layer)
{
    rn_tensor *weight = src < 0 ? NULL : rn_build_need(b, layer, "weight", 3); // (1, 1, k)
    if (!weight) return -1;
    rn_node node = {.op = RN_OP_CHANNEL_CONV, .name = layer, .window = {.kh = weight->shape[2]}};
    const size_t shape[] = {1, 1, node.window.kh};
    if (!rn_build_constant(b, layer, "weight", 3, shape, &node.weight[RN_WEIGHT])) return -1;
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_unary(const rn_builder *b, int src, const char *layer, rn_op op)
{
    if (src < 0) return -1;
    return rn_graph_add(b->graph, &(rn_node){.op = op, .name = layer}, RN_SOURCES(src), b->err);
}

int rn_build_elementwise(const rn_builder *b, int src, const char *layer, rn_op op,
                         const double parameter[2])
{
    if (src < 0) return -1;
    const rn_node node = {
        .op = op, .name = layer, .parameter = {(float)parameter[0], (float)parameter[1]}};
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_prelu(const rn_builder *b, int src, const char *layer)
{
    rn_tensor *weight = src < 0 ? NULL : rn_build_need(b, layer, "weight", 1); // (c) or (1)
    if (!weight) return -1;
    rn_node node = {.op = RN_OP_PRELU, .name = layer};
    const size_t channels = weight->shape[0] == 1 ? 1 : rn_build_shape(b, src).c;
    if (!rn_build_constant(b, layer, "weight", 1, &channels, &node.weight[RN_WEIGHT])) return -1;
    if (channels == 1) {
        float buffer;
        const float *slope;
        if (rn_constant_read(node.weight[RN_WEIGHT], 1, &buffer, &slope, b->err) != RN_OK)
            return -1;
        return rn_build_elementwise(b, src, layer, RN_OP_LEAKY_RELU,
                                    (const double[2]){(double)*slope});
    }
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_window(const rn_builder *b, int src, const char *layer, rn_op op,
                    const rn_window *window)
{
    if (src < 0) return -1;
    const rn_node node = {.op = op, .name = layer, .window = *window};
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_binary(const rn_builder *b, int left, int right, const char *layer, rn_op op)
{
    if (left < 0 || right < 0) return -1;
    const rn_node node = {.op = op, .name = layer};
    return rn_graph_add(b->graph, &node, RN_SOURCES(left, right), b->err);
}

int rn_build_channel_pad(const rn_builder *b, int src, const char *layer, size_t channels)
{
    if (src < 0) return -1;
    const rn_node node = {.op = RN_OP_CHANNEL_PAD, .name = layer, .channels = channels};
    return rn_graph_add(b->graph, &node, RN_SOURCES(src), b->err);
}

int rn_build_input(const rn_builder *b, size_t channels, size_t height, size_t width)
{
    const rn_node node = {
        .op = RN_OP_INPUT, .name = "input", .shape = rn_map(channels, height, width)};
    return rn_graph_add(b->graph, &node, RN_NO_SOURCES, b->err);
}
