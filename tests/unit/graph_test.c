/* Shape rules and their refusals. Expected sizes are those torch.nn gives. */
#include "graph/graph.h"

#include <string.h>

#include "check_main.h"
#include "graph/shape.h"

static const float some_weight[1];
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
    const rn_node node = {.op = RN_OP_INPUT, .name = "x", .out = {3, c, h, w}};
    return rn_graph_add(&graph, &node, &err);
}

static rn_node conv_node(int src, size_t oc, size_t kernel, size_t stride, size_t pad)
{
    return (rn_node){.op = RN_OP_CONV,
                     .name = "conv",
                     .src = {src},
                     .channels = oc,
                     .weight = {.floats = some_weight},
                     .window = {kernel, kernel, stride, stride, pad, pad, pad, pad, 1, 1, 0, 0}};
}

static void expect_out(int value, size_t c, size_t h, size_t w)
{
    ck_assert_int_ge(value, 0);
    const rn_dims out = graph.node[value].out;
    ck_assert_uint_eq(out.c, c);
    ck_assert_uint_eq(out.h, h);
    ck_assert_uint_eq(out.w, w);
}

static void expect_refusal(const rn_node *node, const char *text)
{
    ck_assert_int_eq(rn_graph_add(&graph, node, &err), -1);
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
    const rn_node node = conv_node(x, 8, rows[_i].kernel, rows[_i].stride, rows[_i].pad);
    expect_out(rn_graph_add(&graph, &node, &err), 8, rows[_i].oh, rows[_i].ow);
}
END_TEST

START_TEST(dilated_conv)
{
    rn_node node = conv_node(add_input(4, 9, 9), 4, 3, 1, 0);
    node.window.dilation_h = 2;
    node.window.dilation_w = 4;
    expect_out(rn_graph_add(&graph, &node, &err), 4, 5, 1);
}
END_TEST

START_TEST(pool_ceil_mode_drops_a_window_that_starts_in_the_padding)
{
    rn_node node = {.op = RN_OP_MAX_POOL,
                    .src = {add_input(2, 6, 5)},
                    .window = {3, 3, 2, 2, 0, 0, 0, 0, 1, 1, true, false}};
    expect_out(rn_graph_add(&graph, &node, &err), 2, 3, 2);
    node.src[0] = add_input(2, 4, 4);
    node.window = (rn_window){2, 2, 3, 3, 1, 1, 1, 1, 1, 1, true, false};
    expect_out(rn_graph_add(&graph, &node, &err), 2, 2, 2);
    node.src[0] = add_input(2, 1, 1);
    node.window = (rn_window){2, 2, 2, 2, 1, 1, 1, 1, 1, 1, true, false};
    expect_out(rn_graph_add(&graph, &node, &err), 2, 1, 1);
}
END_TEST

START_TEST(pool_ceil_mode_lets_the_kernel_reach_over_the_edge)
{
    rn_node node = {.op = RN_OP_MAX_POOL,
                    .src = {add_input(2, 4, 2)},
                    .window = {3, 3, 3, 3, 0, 0, 0, 0, 2, 2, true, false}};
    ck_assert_int_lt(rn_graph_add(&graph, &node, &err), 0); /* 3 columns too few, stride 3 */
    node.src[0] = add_input(2, 4, 3);
    expect_out(rn_graph_add(&graph, &node, &err), 2, 1, 1);
    node.window.ceil_mode = false;
    ck_assert_int_lt(rn_graph_add(&graph, &node, &err), 0);
}
END_TEST

START_TEST(group_norm_wants_whole_groups)
{
    static const float numbers[6];
    rn_node node = {.op = RN_OP_GROUP_NORM,
                    .src = {add_input(6, 4, 5)},
                    .groups = 3,
                    .weight = {.floats = numbers},
                    .bias = {.floats = numbers}};
    expect_out(rn_graph_add(&graph, &node, &err), 6, 4, 5);
    node.groups = 4;
    expect_refusal(&node, "6 channels in 4 groups");
    node.bias = (rn_constant){0};
    expect_refusal(&node, "no weight or bias");
}
END_TEST

START_TEST(channel_conv_wants_one_pixel_and_an_odd_kernel)
{
    static const float numbers[4];
    rn_node node = {.op = RN_OP_CHANNEL_CONV,
                    .src = {add_input(7, 1, 1)},
                    .window = {.kh = 3},
                    .weight = {.floats = numbers}};
    expect_out(rn_graph_add(&graph, &node, &err), 7, 1, 1);
    node.window.kh = 4;
    expect_refusal(&node, "the kernel odd");
    node.window.kh = 3;
    node.src[0] = add_input(7, 2, 1);
    expect_refusal(&node, "must be C x 1 x 1");
}
END_TEST

START_TEST(blur_pool_needs_two_pixels_to_reflect)
{
    rn_node node = {.op = RN_OP_BLUR_POOL,
                    .src = {add_input(3, 5, 4)},
                    .window = {.stride_h = 2, .stride_w = 2}};
    expect_out(rn_graph_add(&graph, &node, &err), 3, 3, 2);
    node.src[0] = add_input(3, 5, 1);
    expect_refusal(&node, "can't be reflected");
}
END_TEST

START_TEST(channel_pad_only_adds)
{
    rn_node node = {.op = RN_OP_CHANNEL_PAD, .src = {add_input(3, 5, 4)}, .channels = 8};
    expect_out(rn_graph_add(&graph, &node, &err), 8, 5, 4);
    node.channels = 2;
    expect_refusal(&node, "3 channels can't become 2");
}
END_TEST

START_TEST(addition_broadcasts)
{
    const int a = add_input(3, 4, 4), b = add_input(1, 4, 1), c = add_input(2, 4, 4);
    rn_node node = {.op = RN_OP_ADD, .name = "0", .src = {a, b}};
    expect_out(rn_graph_add(&graph, &node, &err), 3, 4, 4);
    node.src[1] = c;
    expect_refusal(&node, "0: Add: shapes 3x4x4 and 2x4x4 can't be added");
}
END_TEST

START_TEST(linear_wants_features)
{
    rn_node node = {.op = RN_OP_FLATTEN, .src = {add_input(3, 4, 5)}};
    const int flat = rn_graph_add(&graph, &node, &err);
    expect_out(flat, 60, 1, 1);
    node = (rn_node){
        .op = RN_OP_LINEAR, .channels = 7, .weight = {.floats = some_weight}, .src = {flat}};
    expect_out(rn_graph_add(&graph, &node, &err), 7, 1, 1);
    ck_assert_uint_eq(rn_node_macs(&graph, &graph.node[graph.output]), 420);
    node.src[0] = 0;
    expect_refusal(&node, "the input is 3x4x5: flatten it first");
}
END_TEST

START_TEST(refusals)
{
    const int x = add_input(6, 4, 4);
    rn_node node = conv_node(x, 8, 7, 1, 1);
    expect_refusal(&node, "conv: Conv2d: the kernel (7) is larger than the padded height (6)");
    node = conv_node(x, 8, 3, 1, 1);
    node.groups = 4;
    expect_refusal(&node, "6 input and 8 output channels in 4 groups");
    node = conv_node(x, 8, 0, 1, 1);
    expect_refusal(&node, "a kernel of size 0");
    node = conv_node(x, SIZE_MAX / 2, 3, 1, 1);
    expect_refusal(&node, "too large");
    node = conv_node(x, 8, 3, 1, SIZE_MAX - 1);
    expect_refusal(&node, "a window beyond any image");
    node = conv_node(7, 8, 3, 1, 1);
    expect_refusal(&node, "input 0 is no earlier value");
    node = (rn_node){.op = RN_OP_MAX_POOL, .src = {x}, .window = {.kh = 3, .kw = 3, .pad_top = 3}};
    expect_refusal(&node, "padding is as large as the 3x3 kernel");
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
    tcase_add_test(tests, addition_broadcasts);
    tcase_add_test(tests, linear_wants_features);
    tcase_add_test(tests, refusals);
    Suite *suite = suite_create("graph");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
