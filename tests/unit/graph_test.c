/* Shape rules and their refusals. Expected sizes are those torch.nn gives. */
#include "graph/graph.h"

#include <string.h>

#include "check_main.h"
#include "graph/shape.h"

static rn_graph graph;
static rn_error err;

static void setup(void)
{
    rn_graph_init(&graph);
}
static void teardown(void)
{
    rn_graph_release(&graph);
}

static int add_input(size_t c, size_t h, size_t w)
{
    const rn_node node = {.op = RN_OP_INPUT, .name = "x", .shape = rn_map(c, h, w)};
    return rn_graph_add(&graph, &node, RN_NO_SOURCES, &err);
}

/* So many numbers, which nobody reads. */
static rn_constant numbers(size_t count)
{
    static const float number;
    return rn_constant_of(&number, count);
}

static rn_node conv_node(size_t ic, size_t oc, size_t kernel, size_t stride, size_t pad)
{
    return (rn_node){.op = RN_OP_CONV,
                     .name = "conv",
                     .channels = oc,
                     .weight = {numbers(oc * ic * kernel * kernel)},
                     .window = {kernel, kernel, stride, stride, pad, pad, pad, pad, 1, 1, 0, 0}};
}

static void expect_out(int value, size_t c, size_t h, size_t w)
{
    ck_assert_int_ge(value, 0);
    const rn_shape out = rn_graph_shape(&graph, value);
    ck_assert_uint_eq(out.c, c);
    ck_assert_uint_eq(out.h, h);
    ck_assert_uint_eq(out.w, w);
}

static void expect_refusal(const rn_node *node, const int *src, size_t inputs, const char *text)
{
    ck_assert_int_eq(rn_graph_add(&graph, node, src, inputs, &err), -1);
    ck_assert_int_eq(err.status, RN_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, text) != NULL, "'%s' does not say '%s'", err.text, text);
}

START_TEST(conv_sizes)
{
    static const struct {
        size_t h, w, kernel, stride, pad, oh, ow;
    } rows[] = {{224, 224, 7, 2, 3, 112, 112}, {56, 56, 3, 1, 1, 56, 56}, {57, 31, 3, 2, 1, 29, 16},
                {3, 3, 5, 2, 3, 3, 3},         {8, 8, 1, 2, 0, 4, 4},     {2, 2, 2, 1, 0, 1, 1}};
    const int x = add_input(3, rows[_i].h, rows[_i].w);
    const rn_node node = conv_node(3, 8, rows[_i].kernel, rows[_i].stride, rows[_i].pad);
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(x), &err), 8, rows[_i].oh, rows[_i].ow);
}
END_TEST

START_TEST(dilated_conv)
{
    rn_node node = conv_node(4, 4, 3, 1, 0);
    node.window.dilation_h = 2;
    node.window.dilation_w = 4;
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(add_input(4, 9, 9)), &err), 4, 5, 1);
}
END_TEST

START_TEST(pool_ceil_mode_drops_a_window_that_starts_in_the_padding)
{
    rn_node node = {.op = RN_OP_MAX_POOL, .window = {3, 3, 2, 2, 0, 0, 0, 0, 1, 1, true, false}};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(add_input(2, 6, 5)), &err), 2, 3, 2);
    node.window = (rn_window){2, 2, 3, 3, 1, 1, 1, 1, 1, 1, true, false};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(add_input(2, 4, 4)), &err), 2, 2, 2);
    node.window = (rn_window){2, 2, 2, 2, 1, 1, 1, 1, 1, 1, true, false};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(add_input(2, 1, 1)), &err), 2, 1, 1);
}
END_TEST

START_TEST(pool_ceil_mode_lets_the_kernel_reach_over_the_edge)
{
    rn_node node = {.op = RN_OP_MAX_POOL, .window = {3, 3, 3, 3, 0, 0, 0, 0, 2, 2, true, false}};
    /* 3 columns too few, stride 3 */
    ck_assert_int_lt(rn_graph_add(&graph, &node, RN_SOURCES(add_input(2, 4, 2)), &err), 0);
    const int x = add_input(2, 4, 3);
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(x), &err), 2, 1, 1);
    node.window.ceil_mode = false;
    ck_assert_int_lt(rn_graph_add(&graph, &node, RN_SOURCES(x), &err), 0);
}
END_TEST

START_TEST(group_norm_wants_whole_groups)
{
    const int x = add_input(6, 4, 5);
    rn_node node = {.op = RN_OP_GROUP_NORM, .groups = 3, .weight = {numbers(6), numbers(6)}};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(x), &err), 6, 4, 5);
    node.groups = 4;
    expect_refusal(&node, RN_SOURCES(x), "6 channels in 4 groups");
    node.groups = 3;
    node.weight[RN_BIAS] = (rn_constant){0};
    expect_refusal(&node, RN_SOURCES(x), "no bias");
}
END_TEST

START_TEST(channel_conv_wants_one_pixel_and_an_odd_kernel)
{
    const int x = add_input(7, 1, 1);
    rn_node node = {.op = RN_OP_CHANNEL_CONV, .window = {.kh = 3}, .weight = {numbers(3)}};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(x), &err), 7, 1, 1);
    node.window.kh = 4;
    expect_refusal(&node, RN_SOURCES(x), "the kernel odd");
    node.window.kh = 3;
    expect_refusal(&node, RN_SOURCES(add_input(7, 2, 1)), "must be C x 1 x 1");
}
END_TEST

START_TEST(blur_pool_needs_two_pixels_to_reflect)
{
    const rn_node node = {.op = RN_OP_BLUR_POOL, .window = {.stride_h = 2, .stride_w = 2}};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(add_input(3, 5, 4)), &err), 3, 3, 2);
    expect_refusal(&node, RN_SOURCES(add_input(3, 5, 1)), "can't be reflected");
}
END_TEST

START_TEST(channel_pad_only_adds)
{
    const int x = add_input(3, 5, 4);
    rn_node node = {.op = RN_OP_CHANNEL_PAD, .channels = 8};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(x), &err), 8, 5, 4);
    node.channels = 2;
    expect_refusal(&node, RN_SOURCES(x), "3 channels can't become 2");
}
END_TEST

START_TEST(operands_broadcast)
{
    const int a = add_input(3, 4, 4), b = add_input(1, 4, 1), c = add_input(2, 4, 4);
    rn_node node = {.op = RN_OP_ADD, .name = "0"};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(a, b), &err), 3, 4, 4);
    expect_refusal(&node, RN_SOURCES(a, c), "0: Add: shapes 3x4x4 and 2x4x4 can't be added");
    node.op = RN_OP_MUL;
    expect_refusal(&node, RN_SOURCES(a, c), "shapes 3x4x4 and 2x4x4 can't be multiplied");
    expect_refusal(&node, RN_SOURCES(a), "0: Mul: 1 inputs");
}
END_TEST

START_TEST(any_number_of_channels_is_joined)
{
    const int a = add_input(3, 4, 4), b = add_input(2, 4, 4), c = add_input(2, 4, 5);
    const rn_node node = {.op = RN_OP_CONCAT};
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(a, b, a, a), &err), 11, 4, 4);
    expect_out(rn_graph_add(&graph, &node, RN_SOURCES(c), &err), 2, 4, 5);
    expect_refusal(&node, RN_SOURCES(a, b, c), "channels of 3x4x4 and 2x4x5 can't be joined");
}
END_TEST

START_TEST(linear_wants_features)
{
    const int x = add_input(3, 4, 5);
    rn_node node = {.op = RN_OP_FLATTEN};
    const int flat = rn_graph_add(&graph, &node, RN_SOURCES(x), &err);
    expect_out(flat, 60, 1, 1);
    node = (rn_node){.op = RN_OP_LINEAR, .channels = 7, .weight = {numbers(420)}};
    const int y = rn_graph_add(&graph, &node, RN_SOURCES(flat), &err);
    expect_out(y, 7, 1, 1);
    ck_assert_uint_eq(rn_node_macs(&graph, rn_graph_maker(&graph, y)), 420);
    expect_refusal(&node, RN_SOURCES(x), "the input is 3x4x5: flatten it first");
}
END_TEST

START_TEST(weights_have_the_row_s_size)
{
    const int x = add_input(6, 4, 4);
    rn_node node = conv_node(6, 8, 3, 1, 1);
    node.weight[RN_WEIGHT] = numbers(8 * 6 * 9 - 1);
    expect_refusal(&node, RN_SOURCES(x), "its weight has 431 numbers, want 432");
    node.weight[RN_WEIGHT] = (rn_constant){0};
    expect_refusal(&node, RN_SOURCES(x), "no weight");
    node = conv_node(6, 8, 3, 1, 1);
    node.weight[RN_MEAN] = numbers(8);
    expect_refusal(&node, RN_SOURCES(x), "its running mean has 8 numbers, want 0");
}
END_TEST

START_TEST(inputs_and_outputs_have_names)
{
    const int x = add_input(6, 4, 4), y = add_input(6, 4, 4);
    ck_assert_int_eq(rn_graph_add_output(&graph, "sum", x, &err), RN_OK);
    ck_assert_int_eq(rn_graph_add_output(&graph, "again", y, &err), RN_OK);
    ck_assert_uint_eq(graph.inputs, 2);
    ck_assert_uint_eq(graph.outputs, 2);
    ck_assert_str_eq(graph.input[1].name, "x");
    ck_assert_str_eq(graph.output[1].name, "again");
    ck_assert_int_eq(graph.output[1].value, y);
}
END_TEST

START_TEST(refusals)
{
    const int x = add_input(6, 4, 4);
    rn_node node = conv_node(6, 8, 7, 1, 1);
    expect_refusal(&node, RN_SOURCES(x),
                   "conv: Conv2d: the kernel (7) is larger than the padded height (6)");
    node = conv_node(6, 8, 3, 1, 1);
    node.groups = 4;
    expect_refusal(&node, RN_SOURCES(x), "6 input and 8 output channels in 4 groups");
    node = conv_node(6, 8, 0, 1, 1);
    expect_refusal(&node, RN_SOURCES(x), "a kernel of size 0");
    node = conv_node(6, 8, 3, 1, 1);
    node.channels = SIZE_MAX / 2;
    expect_refusal(&node, RN_SOURCES(x), "too large");
    node = conv_node(6, 8, 3, 1, SIZE_MAX - 1);
    expect_refusal(&node, RN_SOURCES(x), "a window beyond any image");
    node = conv_node(6, 8, 3, 1, 1);
    expect_refusal(&node, RN_SOURCES(7), "input 0 is no earlier value");
    expect_refusal(&node, RN_SOURCES(x, x), "conv: Conv2d: 2 inputs");
    node = (rn_node){.op = RN_OP_MAX_POOL, .window = {.kh = 3, .kw = 3, .pad_top = 3}};
    expect_refusal(&node, RN_SOURCES(x), "padding is as large as the 3x3 kernel");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("graph");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, conv_sizes, 0, 6);
    tcase_add_test(tests, dilated_conv);
    tcase_add_test(tests, pool_ceil_mode_drops_a_window_that_starts_in_the_padding);
    tcase_add_test(tests, pool_ceil_mode_lets_the_kernel_reach_over_the_edge);
    tcase_add_test(tests, group_norm_wants_whole_groups);
    tcase_add_test(tests, channel_conv_wants_one_pixel_and_an_odd_kernel);
    tcase_add_test(tests, blur_pool_needs_two_pixels_to_reflect);
    tcase_add_test(tests, channel_pad_only_adds);
    tcase_add_test(tests, operands_broadcast);
    tcase_add_test(tests, any_number_of_channels_is_joined);
    tcase_add_test(tests, linear_wants_features);
    tcase_add_test(tests, weights_have_the_row_s_size);
    tcase_add_test(tests, inputs_and_outputs_have_names);
    tcase_add_test(tests, refusals);
    Suite *suite = suite_create("graph");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
