#include "arch/layers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/size.h"

#define TEXT 96 /* bytes of a shape in an error */

/* One entry of the list while it is turned into nodes. */
typedef struct {
    const rn_builder *b;
    const rn_json *arguments;
    const char *name; /* the prefix of its tensors */
    rn_op op;         /* of its row, when it has one */
    int src;
} layer;

/* ---- arguments ------------------------------------------------------------------------------- */

static const rn_json *argument(const layer *l, const char *key)
{
    const rn_json *value = rn_json_get(l->arguments, key);
    return rn_json_is_null(value) ? NULL : value;
}

static bool bad_argument(const layer *l, const char *key, const char *wanted)
{
    rn_fail(l->b->err, RN_ERR_FORMAT, "%s: want %s", key, wanted);
    return false;
}

/* One size for both axes or a list of two; `out` keeps its value when the key is not there. */
static bool take_pair(const layer *l, const char *key, size_t least, size_t out[2])
{
    const rn_json *value = argument(l, key);
    const bool list = rn_json_is_array(value);
    if (!value) return true;
    const rn_json *height = list ? rn_json_at(value, 0) : value;
    const rn_json *width = list ? rn_json_at(value, 1) : value;
    if ((!list || rn_json_count(value) == 2) && rn_json_size(height, &out[0]) &&
        rn_json_size(width, &out[1]) && out[0] >= least && out[1] >= least)
        return true;
    return bad_argument(
        l, key, least ? "a size of at least 1, or a list of two" : "a size, or a list of two");
}

static bool take_bool(const layer *l, const char *key, bool *out)
{
    const rn_json *value = argument(l, key);
    return !value || rn_json_bool(value, out) || bad_argument(l, key, "true or false");
}

static bool take_number(const layer *l, const char *key, double *out)
{
    const rn_json *value = argument(l, key);
    return !value || rn_json_number(value, out) || bad_argument(l, key, "a number");
}

static bool take_size(const layer *l, const char *key, size_t *out)
{
    const rn_json *value = argument(l, key);
    return !value || rn_json_size(value, out) || bad_argument(l, key, "a size");
}

/* An argument that the tensors decide: it may be repeated in the list, but not contradict. */
static bool agrees(const layer *l, const char *key, size_t truth)
{
    size_t said = truth;
    if (!take_size(l, key, &said)) return false;
    if (said == truth) return true;
    rn_fail(l->b->err, RN_ERR_FORMAT, "%s: %zu, but the weights say %zu", key, said, truth);
    return false;
}

static bool agrees_pair(const layer *l, const char *key, size_t height, size_t width)
{
    size_t said[2] = {height, width};
    if (!take_pair(l, key, 0, said)) return false;
    if (said[0] == height && said[1] == width) return true;
    rn_fail(l->b->err, RN_ERR_FORMAT, "%s: %zux%zu, but the weights say %zux%zu", key, said[0],
            said[1], height, width);
    return false;
}

/* An argument of which only one value can be served. */
static bool is_absent_or_false(const layer *l, const char *key)
{
    bool value = false;
    if (!take_bool(l, key, &value)) return false;
    return !value || bad_argument(l, key, "false: true can't be served");
}

static rn_window window_of(const size_t kernel[2], const size_t stride[2], const size_t pad[2],
                           const size_t dilation[2])
{
    return (rn_window){.kh = kernel[0],
                       .kw = kernel[1],
                       .stride_h = stride[0],
                       .stride_w = stride[1],
                       .pad_top = pad[0],
                       .pad_left = pad[1],
                       .pad_bottom = pad[0],
                       .pad_right = pad[1],
                       .dilation_h = dilation[0],
                       .dilation_w = dilation[1]};
}

/* ---- convolutions ---------------------------------------------------------------------------- */

/* padding="same": what keeps the size at stride 1; an odd rest goes to the bottom and right. */
static bool pad_same(const layer *l, rn_window *w)
{
    size_t rows, columns;
    if (w->stride_h != 1 || w->stride_w != 1)
        return bad_argument(l, "padding", "a size: \"same\" needs stride 1");
    if (!w->kh || !w->kw || !rn_size_mul(w->dilation_h, w->kh - 1, &rows) ||
        !rn_size_mul(w->dilation_w, w->kw - 1, &columns))
        return bad_argument(l, "dilation", "a smaller one");
    w->pad_top = rows / 2;
    w->pad_left = columns / 2;
    w->pad_bottom = rows - w->pad_top;
    w->pad_right = columns - w->pad_left;
    return true;
}

static bool take_conv_window(const layer *l, const rn_tensor *weight, rn_window *window)
{
    const char *word = rn_json_string(argument(l, "padding"));
    size_t kernel[2] = {weight->shape[2], weight->shape[3]};
    size_t stride[2] = {1, 1}, pad[2] = {0, 0}, dilation[2] = {1, 1};
    if (!take_pair(l, "stride", 1, stride) || !take_pair(l, "dilation", 1, dilation) ||
        !agrees_pair(l, "kernel_size", kernel[0], kernel[1]))
        return false;
    if (!word && !take_pair(l, "padding", 0, pad)) return false;
    *window = window_of(kernel, stride, pad, dilation);
    if (!word || strcmp(word, "valid") == 0) return true;
    if (strcmp(word, "same") == 0) return pad_same(l, window);
    return bad_argument(l, "padding", "a size, a list of two, \"same\" or \"valid\"");
}

static bool take_bias(const layer *l, rn_bias *bias)
{
    bool has_bias = true;
    if (!take_bool(l, "bias", &has_bias)) return false;
    *bias = has_bias ? RN_BIAS_NEEDED : RN_BIAS_NONE;
    if (!has_bias || rn_build_find(l->b, l->name, "bias")) return true;
    rn_fail(l->b->err, RN_ERR_FORMAT,
            "tensor %s.bias: missing (\"bias\": false says there is none)", l->name);
    return false;
}

static int build_conv(const layer *l)
{
    rn_tensor *weight = rn_build_need(l->b, l->name, "weight", 4);
    const char *mode = rn_json_string(argument(l, "padding_mode"));
    rn_window window;
    rn_bias bias;
    size_t groups = 1;
    if (!weight || !take_conv_window(l, weight, &window) || !take_bias(l, &bias) ||
        !take_size(l, "groups", &groups))
        return -1;
    if (argument(l, "padding_mode") && (!mode || strcmp(mode, "zeros") != 0))
        return bad_argument(l, "padding_mode", "\"zeros\""), -1;
    if (groups == 0) return bad_argument(l, "groups", "a size of at least 1"), -1;
    const size_t channels = rn_build_shape(l->b, l->src).c;
    if (!agrees(l, "in_channels", channels) || !agrees(l, "out_channels", weight->shape[0]))
        return -1;
    return rn_build_conv(l->b, l->src, l->name, &window, groups, bias);
}

/* y = ReLU(conv(x)) + x with padding kernel_size - 2: the ReLU stands before the addition. */
static int build_res_layer(const layer *l)
{
    char name[RN_NAME], shape[TEXT], input[TEXT];
    snprintf(name, sizeof name, "%s.conv.0", l->name);
    rn_tensor *weight = rn_build_need(l->b, name, "weight", 4); // (no, ni, kernel, kernel)
    size_t stride = 1;
    if (!weight || !take_size(l, "stride", &stride)) return -1;
    if (stride == 0) return bad_argument(l, "stride", "a size of at least 1"), -1;
    const size_t kernel = weight->shape[2];
    if (kernel != weight->shape[3] || kernel < 2) {
        rn_fail(l->b->err, RN_ERR_FORMAT,
                "tensor %s: %s on an input of %s: the kernel must be square and at least 2, "
                "the padding is kernel_size - 2",
                weight->name, rn_shape_text(weight->shape, 4, shape, sizeof shape),
                rn_shape_write(rn_build_shape(l->b, l->src), input, sizeof input));
        return -1;
    }
    if (!agrees(l, "kernel_size", kernel) || !agrees(l, "ni", weight->shape[1]) ||
        !agrees(l, "no", weight->shape[0]))
        return -1;
    const rn_window window = rn_square(kernel, stride, kernel - 2);
    const int conv = rn_build_conv(l->b, l->src, name, &window, 1, RN_BIAS_NEEDED);
    const int relu = rn_build_unary(l->b, conv, l->name, RN_OP_RELU);
    return rn_build_binary(l->b, relu, l->src, l->name, RN_OP_ADD);
}

/* ---- the others ------------------------------------------------------------------------------ */

static int build_batch_norm(const layer *l)
{
    bool affine = true, statistics = true;
    double eps = 1e-5;
    if (!take_number(l, "eps", &eps) || !take_bool(l, "affine", &affine) ||
        !take_bool(l, "track_running_stats", &statistics) ||
        !agrees(l, "num_features", rn_build_shape(l->b, l->src).c))
        return -1;
    if (!(eps >= 0)) return bad_argument(l, "eps", "a number that is not negative"), -1;
    if (!statistics) return bad_argument(l, "track_running_stats", "true"), -1;
    return rn_build_batch_norm(l->b, l->src, l->name, eps, affine);
}

static int build_linear(const layer *l)
{
    rn_bias bias;
    rn_tensor *weight = rn_build_need(l->b, l->name, "weight", 2);
    if (!weight || !take_bias(l, &bias) || !agrees(l, "in_features", weight->shape[1]) ||
        !agrees(l, "out_features", weight->shape[0]))
        return -1;
    return rn_build_linear(l->b, l->src, l->name, bias);
}

static bool take_pool_window(const layer *l, rn_window *window)
{
    size_t kernel[2] = {1, 1}, pad[2] = {0, 0}, dilation[2] = {1, 1};
    if (!argument(l, "kernel_size"))
        return bad_argument(l, "kernel_size", "a size of at least 1, or a list of two");
    if (!take_pair(l, "kernel_size", 1, kernel)) return false;
    size_t stride[2] = {kernel[0], kernel[1]};
    if (!take_pair(l, "stride", 1, stride) || !take_pair(l, "padding", 0, pad) ||
        !take_pair(l, "dilation", 1, dilation))
        return false;
    if (pad[0] > kernel[0] / 2 || pad[1] > kernel[1] / 2)
        return bad_argument(l, "padding", "at most half of the kernel");
    *window = window_of(kernel, stride, pad, dilation);
    return take_bool(l, "ceil_mode", &window->ceil_mode);
}

static int build_max_pool(const layer *l)
{
    rn_window window;
    if (!take_pool_window(l, &window) || !is_absent_or_false(l, "return_indices")) return -1;
    return rn_build_window(l->b, l->src, l->name, RN_OP_MAX_POOL, &window);
}

static int build_avg_pool(const layer *l)
{
    rn_window window;
    if (!take_pool_window(l, &window)) return -1;
    window.count_include_pad = true;
    if (!take_bool(l, "count_include_pad", &window.count_include_pad)) return -1;
    if (argument(l, "divisor_override"))
        return bad_argument(l, "divisor_override", "null: others can't be served"), -1;
    return rn_build_window(l->b, l->src, l->name, RN_OP_AVG_POOL, &window);
}

/* An output of 1x1 is the mean of the map; others are average pools when they divide the input. */
static int build_adaptive_pool(const layer *l)
{
    const rn_shape in = rn_build_shape(l->b, l->src);
    size_t out[2] = {1, 1};
    if (!take_pair(l, "output_size", 1, out)) return -1;
    if (out[0] == 1 && out[1] == 1)
        return rn_build_unary(l->b, l->src, l->name, RN_OP_GLOBAL_AVG_POOL);
    if (in.h % out[0] || in.w % out[1])
        return bad_argument(l, "output_size", "a divisor of the input's size"), -1;
    const size_t kernel[2] = {in.h / out[0], in.w / out[1]};
    const rn_window window = window_of(kernel, kernel, (size_t[]){0, 0}, (size_t[]){1, 1});
    return rn_build_window(l->b, l->src, l->name, RN_OP_AVG_POOL, &window);
}

static int build_flatten(const layer *l)
{
    double start = 1, end = -1;
    if (!take_number(l, "start_dim", &start) || !take_number(l, "end_dim", &end)) return -1;
    if (start != 1) return bad_argument(l, "start_dim", "1"), -1;
    if (end != -1 && end != 3) return bad_argument(l, "end_dim", "-1"), -1;
    return rn_build_unary(l->b, l->src, l->name, RN_OP_FLATTEN);
}

/* ---- activations ----------------------------------------------------------------------------- */

/* Of the row's operator. */
static int build_unary(const layer *l)
{
    return rn_build_unary(l->b, l->src, l->name, l->op);
}

/* Of the row's operator, whose parameters are arguments; `parameter` has their defaults. */
static int build_with(const layer *l, const char *const keys[2], double parameter[2])
{
    for (size_t i = 0; i < 2 && keys[i]; i++)
        if (!take_number(l, keys[i], &parameter[i])) return -1;
    return rn_build_elementwise(l->b, l->src, l->name, l->op, parameter);
}

static int build_relu6(const layer *l)
{
    return build_with(l, (const char *const[2]){NULL}, (double[2]){0, 6});
}

static int build_hardtanh(const layer *l)
{
    return build_with(l, (const char *const[2]){"min_val", "max_val"}, (double[2]){-1, 1});
}

static int build_leaky_relu(const layer *l)
{
    return build_with(l, (const char *const[2]){"negative_slope"}, (double[2]){0.01});
}

/* ELU and CELU */
static int build_elu(const layer *l)
{
    return build_with(l, (const char *const[2]){"alpha"}, (double[2]){1});
}

static int build_selu(const layer *l)
{
    return build_with(l, (const char *const[2]){NULL},
                      (double[2]){1.6732632423543772, 1.0507009873554805});
}

static int build_hardsigmoid(const layer *l)
{
    return build_with(l, (const char *const[2]){NULL}, (double[2]){1.0 / 6, 0.5});
}

static int build_gelu(const layer *l)
{
    const char *how = rn_json_string(argument(l, "approximate"));
    const bool tanh = how && strcmp(how, "tanh") == 0;
    if (argument(l, "approximate") && !tanh && (!how || strcmp(how, "none") != 0))
        return bad_argument(l, "approximate", "\"none\" or \"tanh\""), -1;
    return rn_build_unary(l->b, l->src, l->name, tanh ? RN_OP_GELU_TANH : RN_OP_GELU);
}

static int build_softplus(const layer *l)
{
    double beta = 1, threshold = 20;
    if (!take_number(l, "beta", &beta) || !take_number(l, "threshold", &threshold)) return -1;
    if (beta != 1 || threshold < 20)
        return bad_argument(l, beta != 1 ? "beta" : "threshold", beta != 1 ? "1" : "20 or more"),
               -1;
    return build_unary(l);
}

static int build_prelu(const layer *l)
{
    rn_tensor *weight = rn_build_need(l->b, l->name, "weight", 1);
    if (!weight || !agrees(l, "num_parameters", weight->shape[0])) return -1;
    return rn_build_prelu(l->b, l->src, l->name);
}

static int build_softmax(const layer *l)
{
    double dim = 1;
    const double rank = (double)rn_build_shape(l->b, l->src).rank + 1;
    if (!take_number(l, "dim", &dim)) return -1;
    if (dim != 1 && dim + rank != 1) return bad_argument(l, "dim", "1"), -1;
    return build_unary(l);
}

static int build_nothing(const layer *l)
{
    return l->src;
}

/* ---- the list -------------------------------------------------------------------------------- */

#define MAX_KEYS 10

static const struct {
    const char *type;
    int (*build)(const layer *l);
    size_t rank;                /* of the input: 3 is C x H x W, 1 is features, 0 any */
    const char *keys[MAX_KEYS]; /* the class's arguments; those that don't change an answer too */
    rn_op op;                   /* what build makes, where that is not its own affair */
} types[] = {
    {"Conv2d",
     build_conv,
     3,
     {"in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups",
      "bias", "padding_mode"},
     RN_OPS},
    {"ResLayer", build_res_layer, 3, {"ni", "no", "kernel_size", "stride"}, RN_OPS},
    {"ReLU", build_unary, 0, {"inplace"}, RN_OP_RELU},
    {"ReLU6", build_relu6, 0, {"inplace"}, RN_OP_CLAMP},
    {"Hardtanh", build_hardtanh, 0, {"min_val", "max_val", "inplace"}, RN_OP_CLAMP},
    {"LeakyReLU", build_leaky_relu, 0, {"negative_slope", "inplace"}, RN_OP_LEAKY_RELU},
    {"PReLU", build_prelu, 0, {"num_parameters", "init"}, RN_OP_PRELU},
    {"ELU", build_elu, 0, {"alpha", "inplace"}, RN_OP_ELU},
    {"CELU", build_elu, 0, {"alpha", "inplace"}, RN_OP_CELU},
    {"SELU", build_selu, 0, {"inplace"}, RN_OP_SELU},
    {"GELU", build_gelu, 0, {"approximate"}, RN_OP_GELU},
    {"SiLU", build_unary, 0, {"inplace"}, RN_OP_SILU},
    {"Mish", build_unary, 0, {"inplace"}, RN_OP_MISH},
    {"Hardswish", build_unary, 0, {"inplace"}, RN_OP_HARD_SWISH},
    {"Hardsigmoid", build_hardsigmoid, 0, {"inplace"}, RN_OP_HARD_SIGMOID},
    {"Sigmoid", build_unary, 0, {NULL}, RN_OP_SIGMOID},
    {"Tanh", build_unary, 0, {NULL}, RN_OP_TANH},
    {"Softplus", build_softplus, 0, {"beta", "threshold"}, RN_OP_SOFTPLUS},
    {"Softsign", build_unary, 0, {NULL}, RN_OP_SOFTSIGN},
    {"Softmax", build_softmax, 0, {"dim"}, RN_OP_SOFTMAX},
    {"BatchNorm2d",
     build_batch_norm,
     3,
     {"num_features", "eps", "momentum", "affine", "track_running_stats"},
     RN_OPS},
    {"BatchNorm1d",
     build_batch_norm,
     1,
     {"num_features", "eps", "momentum", "affine", "track_running_stats"},
     RN_OPS},
    {"MaxPool2d",
     build_max_pool,
     3,
     {"kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"},
     RN_OPS},
    {"AvgPool2d",
     build_avg_pool,
     3,
     {"kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"},
     RN_OPS},
    {"AdaptiveAvgPool2d", build_adaptive_pool, 3, {"output_size"}, RN_OPS},
    {"Flatten", build_flatten, 0, {"start_dim", "end_dim"}, RN_OPS},
    {"Linear", build_linear, 1, {"in_features", "out_features", "bias"}, RN_OPS},
    {"Identity", build_nothing, 0, {NULL}, RN_OPS},
    {"Dropout", build_nothing, 0, {"p", "inplace"}, RN_OPS},
    {"Dropout2d", build_nothing, 0, {"p", "inplace"}, RN_OPS},
};

static bool fits_rank(const layer *l, size_t rank)
{
    char text[TEXT];
    const rn_shape in = rn_build_shape(l->b, l->src);
    if (rank == 0 || in.rank == rank) return true;
    rn_fail(l->b->err, RN_ERR_FORMAT, "the input is %s%s, %s",
            rn_shape_write(in, text, sizeof text), in.rank == 1 ? " features" : "",
            rank == 1 ? "flatten it first" : "C x H x W is needed");
    return false;
}

static bool knows_key(const char *const keys[MAX_KEYS], const char *key)
{
    if (strcmp(key, "type") == 0 || strcmp(key, "name") == 0) return true;
    for (size_t i = 0; i < MAX_KEYS && keys[i]; i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static int build_layer(const layer *l, const char *type)
{
    const char *key;
    const rn_json *value;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(type, types[i].type) != 0) continue;
        for (void *at = NULL; (at = rn_json_next(l->arguments, at, &key, &value));) {
            if (knows_key(types[i].keys, key)) continue;
            rn_fail(l->b->err, RN_ERR_FORMAT, "%.40s: %s has no such argument", key, type);
            return -1;
        }
        layer own = *l;
        own.op = types[i].op;
        return fits_rank(&own, types[i].rank) ? types[i].build(&own) : -1;
    }
    rn_fail(l->b->err, RN_ERR_FORMAT, "this type can't be served");
    return -1;
}

int rn_layers_build(const rn_builder *b, int input, const rn_json *list)
{
    char position[24];
    int value = input;
    if (!rn_json_is_array(list) || rn_json_count(list) == 0)
        return rn_fail(b->err, RN_ERR_FORMAT, "layers: want a list of layers"), -1;
    for (size_t i = 0; value >= 0 && i < rn_json_count(list); i++) {
        const rn_json *entry = rn_json_at(list, i);
        const rn_json *own_name = rn_json_get(entry, "name");
        const char *type = rn_json_string(rn_json_get(entry, "type"));
        snprintf(position, sizeof position, "%zu", i);
        const char *name = own_name ? rn_json_string(own_name) : position;
        if (!type || !name)
            return rn_fail(b->err, RN_ERR_FORMAT, "layers[%zu]: %s: want a string", i,
                           type ? "name" : "type"),
                   -1;
        const layer l = {.b = b, .arguments = entry, .name = name, .src = value};
        value = build_layer(&l, type);
        if (value < 0) rn_context(b->err, "layer %.60s (%.30s)", name, type);
    }
    return value;
}
