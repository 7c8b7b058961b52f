/* The explicit list of layers: arguments, defaults, and refusals that name layer and key. */
#include "check_main.h"

#include <stdio.h>
#include <string.h>

#include "unit/fake_net.h"

/* Tensors for the entry "0" of most lists here, and "1" for a linear layer behind it. */
static void add_tensors(fake_net *net)
{
    fake_init(net);
    fake_add(net, 8, 4, 3, 5, "0.weight");
    fake_add(net, 8, 0, 0, 0, "0.bias");
}

#define CONV(keys) "[{\"type\":\"Conv2d\"" keys "}]"

static rn_status build(fake_net *net, const char *input, const char *layers)
{
    char config[2048];
    snprintf(config, sizeof config,
             "{\"model_type\":\"layers\",\"input\":{\"shape\":%s},\"layers\":%s}", input, layers);
    return fake_build(net, config, 0, 0);
}

static const char *output(const fake_net *net)
{
    static char text[64];
    return rn_shape_write(rn_graph_shape(&net->graph, net->graph.output[0].value), text,
                          sizeof text);
}

static const struct {
    const char *layers, *out;
} convs[] = {
    {CONV(""), "8x8x7"},
    {CONV(",\"stride\":2,\"padding\":1"), "8x5x5"},
    {CONV(",\"stride\":[2,3],\"padding\":[0,2],\"dilation\":[2,1]"), "8x3x4"},
    {CONV(",\"padding\":\"same\",\"dilation\":2"), "8x10x11"},
    {CONV(",\"padding\":\"valid\""), "8x8x7"},
    {CONV(",\"in_channels\":4,\"out_channels\":8,\"kernel_size\":[3,5],\"groups\":1"), "8x8x7"},
    {CONV(",\"bias\":true,\"padding_mode\":\"zeros\",\"padding\":null"), "8x8x7"},
};

START_TEST(conv_arguments)
{
    fake_net net;
    add_tensors(&net);
    ck_assert_msg(build(&net, "[4,10,11]", convs[_i].layers) == RN_OK, "%s", net.err.text);
    ck_assert_str_eq(output(&net), convs[_i].out);
    ck_assert(rn_constant_is_set(net.graph.node[1].weight[RN_BIAS]));
    ck_assert_str_eq(net.arch.name, "layers");
    fake_release(&net);
}
END_TEST

/* Entries that stand behind a convolution of 8x8x7. */
#define AFTER(entry) "[{\"type\":\"Conv2d\"}," entry "]"

static const struct {
    const char *layers, *out;
} others[] = {
    {AFTER("{\"type\":\"ReLU\",\"inplace\":true}"), "8x8x7"},
    {AFTER("{\"type\":\"Identity\"},{\"type\":\"Dropout\",\"p\":0.5}"), "8x8x7"},
    {AFTER("{\"type\":\"MaxPool2d\",\"kernel_size\":2}"), "8x4x3"},
    {AFTER("{\"type\":\"MaxPool2d\",\"kernel_size\":2,\"ceil_mode\":true}"), "8x4x4"},
    {AFTER("{\"type\":\"MaxPool2d\",\"kernel_size\":3,\"stride\":2,\"padding\":1}"), "8x4x4"},
    {AFTER("{\"type\":\"MaxPool2d\",\"kernel_size\":3,\"stride\":1,\"dilation\":2}"), "8x4x3"},
    {AFTER("{\"type\":\"AvgPool2d\",\"kernel_size\":[2,3],\"count_include_pad\":false}"), "8x4x2"},
    {AFTER("{\"type\":\"AdaptiveAvgPool2d\"}"), "8x1x1"},
    {AFTER("{\"type\":\"AdaptiveAvgPool2d\",\"output_size\":[4,7]}"), "8x4x7"},
    {AFTER("{\"type\":\"AdaptiveAvgPool2d\",\"output_size\":1},{\"type\":\"Flatten\"}"), "8"},
    {AFTER("{\"type\":\"Flatten\",\"start_dim\":1,\"end_dim\":-1}"), "448"},
};

START_TEST(layers_without_tensors)
{
    fake_net net;
    add_tensors(&net);
    ck_assert_msg(build(&net, "[4,10,11]", others[_i].layers) == RN_OK, "%s", net.err.text);
    ck_assert_str_eq(output(&net), others[_i].out);
    fake_release(&net);
}
END_TEST

static const struct {
    const char *layer;
    rn_op op;
    float first, second; /* parameters */
} activations[] = {
    {"{\"type\":\"ReLU6\"}", RN_OP_CLAMP, 0, 6},
    {"{\"type\":\"Hardtanh\"}", RN_OP_CLAMP, -1, 1},
    {"{\"type\":\"Hardtanh\",\"min_val\":-2,\"max_val\":0.5}", RN_OP_CLAMP, -2, 0.5F},
    {"{\"type\":\"LeakyReLU\"}", RN_OP_LEAKY_RELU, 0.01F, 0},
    {"{\"type\":\"LeakyReLU\",\"negative_slope\":0.25}", RN_OP_LEAKY_RELU, 0.25F, 0},
    {"{\"type\":\"PReLU\",\"name\":\"slopes\"}", RN_OP_PRELU, 0, 0},
    {"{\"type\":\"PReLU\",\"name\":\"slope\",\"num_parameters\":1}", RN_OP_LEAKY_RELU, 0, 0},
    {"{\"type\":\"ELU\",\"alpha\":2}", RN_OP_ELU, 2, 0},
    {"{\"type\":\"CELU\"}", RN_OP_CELU, 1, 0},
    {"{\"type\":\"SELU\"}", RN_OP_SELU, 1.67326324F, 1.05070099F},
    {"{\"type\":\"GELU\"}", RN_OP_GELU, 0, 0},
    {"{\"type\":\"GELU\",\"approximate\":\"tanh\"}", RN_OP_GELU_TANH, 0, 0},
    {"{\"type\":\"SiLU\",\"inplace\":true}", RN_OP_SILU, 0, 0},
    {"{\"type\":\"Mish\"}", RN_OP_MISH, 0, 0},
    {"{\"type\":\"Hardswish\"}", RN_OP_HARD_SWISH, 0, 0},
    {"{\"type\":\"Hardsigmoid\"}", RN_OP_HARD_SIGMOID, 1 / 6.0F, 0.5F},
    {"{\"type\":\"Sigmoid\"}", RN_OP_SIGMOID, 0, 0},
    {"{\"type\":\"Tanh\"}", RN_OP_TANH, 0, 0},
    {"{\"type\":\"Softplus\"}", RN_OP_SOFTPLUS, 0, 0},
    {"{\"type\":\"Softsign\"}", RN_OP_SOFTSIGN, 0, 0},
    {"{\"type\":\"Softmax\",\"dim\":-3}", RN_OP_SOFTMAX, 0, 0},
};

START_TEST(activations_have_their_parameters)
{
    fake_net net;
    char layers[200];
    fake_init(&net);
    if (strstr(activations[_i].layer, "slopes")) fake_add(&net, 4, 0, 0, 0, "slopes.weight");
    if (strstr(activations[_i].layer, "\"slope\"")) fake_add(&net, 1, 0, 0, 0, "slope.weight");
    snprintf(layers, sizeof layers, "[%s]", activations[_i].layer);
    ck_assert_msg(build(&net, "[4,10,11]", layers) == RN_OK, "%s", net.err.text);
    const rn_node *node = &net.graph.node[1];
    ck_assert_str_eq(rn_op_name(node->op), rn_op_name(activations[_i].op));
    ck_assert(node->parameter[0] == activations[_i].first);
    ck_assert(node->parameter[1] == activations[_i].second);
    fake_release(&net);
}
END_TEST

START_TEST(norm_linear_and_names)
{
    fake_net net;
    add_tensors(&net);
    fake_add_norm(&net, 8, "body.norm");
    fake_add_norm(&net, 5, "6");
    fake_add(&net, 5, 8, 0, 0, "head.weight");
    ck_assert_msg(build(&net, "[4,10,11]",
                        "[{\"type\":\"Conv2d\"},{\"type\":\"BatchNorm2d\",\"name\":\"body.norm\","
                        "\"eps\":0.01,\"momentum\":0.2},{\"type\":\"ReLU\"},"
                        "{\"type\":\"AdaptiveAvgPool2d\"},{\"type\":\"Flatten\"},"
                        "{\"type\":\"Linear\",\"name\":\"head\",\"bias\":false},"
                        "{\"type\":\"BatchNorm1d\"}]") == RN_OK,
                  "%s", net.err.text);
    ck_assert_str_eq(output(&net), "5");
    ck_assert_double_eq(net.graph.node[2].eps, 0.01);
    ck_assert_double_eq(net.graph.node[7].eps, 1e-5);
    fake_release(&net);
}
END_TEST

/* ---- the residual layer ---------------------------------------------------------------------- */

static const struct {
    size_t no, ni, kernel;
    const char *input, *keys, *out; /* out: the shape, or the refusal */
} res_layers[] = {
    {8, 8, 3, "[8,9,7]", "", "8x9x7"},
    {8, 8, 3, "[8,9,7]", ",\"ni\":8,\"no\":8,\"kernel_size\":3,\"stride\":1", "8x9x7"},
    {8, 8, 5, "[8,3,3]", ",\"stride\":2", "8x3x3"},
    {8, 8, 2, "[8,1,2]", "", "layer 0 (ResLayer): 0.conv.0: Conv2d: the kernel (2) is larger"},
    {8, 8, 2, "[8,2,2]", "", "8x2x2"}, /* the convolution answers 8x1x1 */
    {8, 8, 3, "[8,2,2]", ",\"stride\":2", "8x2x2"},
    {8, 1, 3, "[1,4,4]", "", "8x4x4"},
    {1, 8, 3, "[8,4,4]", "", "8x4x4"},
    {8, 8, 5, "[8,1,1]", "", "8x3x3"}, /* one pixel is added to all */
    {8, 8, 4, "[8,6,6]", "", "shapes 8x7x7 and 8x6x6 can't be added"},
    {4, 8, 3, "[8,4,4]", "", "shapes 4x4x4 and 8x4x4 can't be added"},
    {8, 8, 3, "[8,5,5]", ",\"stride\":2", "shapes 8x3x3 and 8x5x5 can't be added"},
    {8, 8, 1, "[8,5,5]", "", "tensor 0.conv.0.weight: 8x8x1x1 on an input of 8x5x5"},
    {8, 4, 3, "[8,5,5]", "", "tensor 0.conv.0.weight: 8x4x3x3 in 1 groups does not fit"},
    {8, 8, 3, "[8,5,5]", ",\"stride\":0", "layer 0 (ResLayer): stride: want a size of at least 1"},
    {8, 8, 3, "[8,5,5]", ",\"ni\":4", "layer 0 (ResLayer): ni: 4, but the weights say 8"},
    {8, 8, 3, "[8,5,5]", ",\"padding\":1", "layer 0 (ResLayer): padding: ResLayer has no such"},
};

START_TEST(res_layer)
{
    const size_t no = res_layers[_i].no, kernel = res_layers[_i].kernel;
    const char *out = res_layers[_i].out;
    char layers[128];
    fake_net net;
    fake_init(&net);
    fake_add(&net, no, res_layers[_i].ni, kernel, kernel, "0.conv.0.weight");
    fake_add(&net, no, 0, 0, 0, "0.conv.0.bias");
    snprintf(layers, sizeof layers, "[{\"type\":\"ResLayer\"%s}]", res_layers[_i].keys);
    const rn_status status = build(&net, res_layers[_i].input, layers);
    if (out[0] >= '0' && out[0] <= '9') {
        ck_assert_msg(status == RN_OK, "%s", net.err.text);
        ck_assert_str_eq(output(&net), out);
        ck_assert_int_eq(net.graph.node[1].op, RN_OP_CONV); /* the ReLU stands before the Add */
        ck_assert_int_eq(net.graph.node[2].op, RN_OP_RELU);
        ck_assert_int_eq(net.graph.node[3].op, RN_OP_ADD);
        ck_assert_int_eq(net.graph.node[3].src[1], 0);
    } else {
        ck_assert_int_eq(status, RN_ERR_FORMAT);
        ck_assert_msg(strstr(net.err.text, out), "\"%s\"", net.err.text);
    }
    fake_release(&net);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

static const struct {
    const char *layers, *says;
} bad[] = {
    {"7", "layers: want a list of layers"},
    {"[]", "layers: want a list of layers"},
    {"[7]", "layers[0]: type: want a string"},
    {"[{\"type\":\"Conv2d\",\"name\":7}]", "layers[0]: name: want a string"},
    {"[{\"type\":\"LSTM\"}]", "layer 0 (LSTM): this type can't be served"},
    {AFTER("{\"type\":\"Conv2d\"}"), "layer 1 (Conv2d): tensor 1.weight: missing"},
    {CONV(",\"name\":\"x\""), "layer x (Conv2d): tensor x.weight: missing"},
    {CONV(",\"strides\":2"), "layer 0 (Conv2d): strides: Conv2d has no such argument"},
    {CONV(",\"stride\":0"), "layer 0 (Conv2d): stride: want a size of at least 1"},
    {CONV(",\"stride\":\"2\""), "layer 0 (Conv2d): stride"},
    {CONV(",\"stride\":1.5"), "layer 0 (Conv2d): stride"},
    {CONV(",\"stride\":[1,2,3]"), "layer 0 (Conv2d): stride"},
    {CONV(",\"stride\":[1]"), "layer 0 (Conv2d): stride"},
    {CONV(",\"padding\":-1"), "layer 0 (Conv2d): padding"},
    {CONV(",\"padding\":\"full\""), "layer 0 (Conv2d): padding"},
    {CONV(",\"padding\":\"same\",\"stride\":2"), "layer 0 (Conv2d): padding"},
    {CONV(",\"padding\":9223372036854775807"), "layer 0 (Conv2d): 0: Conv2d: a window beyond"},
    {CONV(",\"dilation\":0"), "layer 0 (Conv2d): dilation"},
    {CONV(",\"dilation\":9223372036854775807"), "layer 0 (Conv2d): 0: Conv2d: a window beyond"},
    {CONV(",\"dilation\":9223372036854775807,\"padding\":\"same\""), "layer 0 (Conv2d): dilation"},
    {CONV(",\"groups\":0"), "layer 0 (Conv2d): groups"},
    {CONV(",\"groups\":2"),
     "tensor 0.weight: 8x4x3x5 in 2 groups does not fit an input of 4x10x11"},
    {CONV(",\"bias\":1"), "layer 0 (Conv2d): bias: want true or false"},
    {CONV(",\"bias\":false"), "tensor 0.bias (8): no layer of the network uses it"},
    {CONV(",\"kernel_size\":3"), "layer 0 (Conv2d): kernel_size: 3x3, but the weights say 3x5"},
    {CONV(",\"out_channels\":9"), "layer 0 (Conv2d): out_channels: 9, but the weights say 8"},
    {CONV(",\"padding_mode\":\"reflect\""), "layer 0 (Conv2d): padding_mode: want \"zeros\""},
    {AFTER("{\"type\":\"MaxPool2d\"}"), "layer 1 (MaxPool2d): kernel_size: want a size"},
    {AFTER("{\"type\":\"MaxPool2d\",\"kernel_size\":3,\"padding\":2}"),
     "layer 1 (MaxPool2d): padding: want at most half"},
    {AFTER("{\"type\":\"MaxPool2d\",\"kernel_size\":9}"), "the kernel (9) is larger"},
    {AFTER("{\"type\":\"MaxPool2d\",\"kernel_size\":2,\"return_indices\":true}"), "return_indices"},
    {AFTER("{\"type\":\"AvgPool2d\",\"kernel_size\":2,\"divisor_override\":3}"),
     "divisor_override"},
    {AFTER("{\"type\":\"AvgPool2d\",\"kernel_size\":2,\"dilation\":2}"),
     "dilation: AvgPool2d has no"},
    {AFTER("{\"type\":\"AdaptiveAvgPool2d\",\"output_size\":3}"), "output_size: want a divisor"},
    {AFTER("{\"type\":\"Flatten\",\"start_dim\":0}"), "layer 1 (Flatten): start_dim: want 1"},
    {AFTER("{\"type\":\"BatchNorm2d\"}"), "layer 1 (BatchNorm2d): tensor 1.running_mean: missing"},
    {AFTER("{\"type\":\"BatchNorm2d\",\"eps\":-1}"), "layer 1 (BatchNorm2d): eps"},
    {AFTER("{\"type\":\"BatchNorm2d\",\"track_running_stats\":false}"), "track_running_stats"},
    {AFTER("{\"type\":\"BatchNorm1d\"}"), "layer 1 (BatchNorm1d): the input is 8x8x7, flatten it"},
    {AFTER("{\"type\":\"Linear\"}"), "layer 1 (Linear): the input is 8x8x7, flatten it first"},
    {AFTER("{\"type\":\"Flatten\"},{\"type\":\"ResLayer\"}"),
     "layer 2 (ResLayer): the input is 448"},
};

START_TEST(refuses)
{
    fake_net net;
    add_tensors(&net);
    ck_assert_int_eq(build(&net, "[4,10,11]", bad[_i].layers), RN_ERR_FORMAT);
    ck_assert_msg(strstr(net.err.text, bad[_i].says), "%s: \"%s\"", bad[_i].layers, net.err.text);
    fake_release(&net);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
    Suite *suite = suite_create("layers");
    TCase *tcase = tcase_create("layers");
    tcase_add_loop_test(tcase, conv_arguments, 0, COUNT(convs));
    tcase_add_loop_test(tcase, layers_without_tensors, 0, COUNT(others));
    tcase_add_loop_test(tcase, activations_have_their_parameters, 0,
                        (int)(sizeof activations / sizeof *activations));
    tcase_add_test(tcase, norm_linear_and_names);
    tcase_add_loop_test(tcase, res_layer, 0, COUNT(res_layers));
    tcase_add_loop_test(tcase, refuses, 0, COUNT(bad));
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
