/* The passes: what is folded and fused, where conversions go, that no two living values share
 * memory, and that the fused plan gives what the unfused graph gives. */
#include "plan/plan.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "check_main.h"
#include "graph/shape.h"
#include "run/exec.h"

#define FILL 4096 /* floats of the pseudo-random weights that all nodes share */

static rn_graph graph;
static rn_plan plan;
static rn_error err;
static float fill[FILL], positive[FILL];

static void setup(void)
{
    rn_graph_init(&graph);
    memset(&plan, 0, sizeof plan);
    unsigned state = 1;
    for (size_t i = 0; i < FILL; i++) {
        state = state * 1664525u + 1013904223u;
        fill[i] = (float)(state >> 8) / (float)(1 << 24) - 0.5f;
        positive[i] = fill[i] + 0.6f;
    }
}

static void teardown(void)
{
    rn_plan_release(&plan);
    rn_graph_release(&graph);
}

static int add(rn_node node, const int *src, size_t inputs)
{
    const int value = rn_graph_add(&graph, &node, src, inputs, &err);
    ck_assert_msg(value >= 0, "%s", err.text);
    return value;
}

static int input(size_t c, size_t h, size_t w)
{
    return add((rn_node){.op = RN_OP_INPUT, .name = "input", .shape = rn_map(c, h, w)},
               RN_NO_SOURCES);
}

static int conv(int src, size_t oc, size_t kernel, size_t stride, bool bias)
{
    const size_t pad = kernel / 2, ic = rn_graph_shape(&graph, src).c;
    return add(
        (rn_node){.op = RN_OP_CONV,
                  .name = "conv",
                  .channels = oc,
                  .weight = {rn_constant_of(fill + oc, oc * ic * kernel * kernel),
                             rn_constant_of(bias ? fill + 7 : NULL, oc)},
                  .window = {kernel, kernel, stride, stride, pad, pad, pad, pad, 1, 1, 0, 0}},
        RN_SOURCES(src));
}

static int norm(int src)
{
    const size_t c = rn_graph_shape(&graph, src).c;
    return add((rn_node){.op = RN_OP_BATCH_NORM,
                         .name = "bn",
                         .weight = {rn_constant_of(positive + 3, c), rn_constant_of(fill + 5, c),
                                    rn_constant_of(fill + 11, c), rn_constant_of(positive + 13, c)},
                         .eps = 1e-5},
               RN_SOURCES(src));
}

static int relu(int src)
{
    return add((rn_node){.op = RN_OP_RELU, .name = "relu"}, RN_SOURCES(src));
}

static int sum(int a, int b)
{
    return add((rn_node){.op = RN_OP_ADD, .name = "add"}, RN_SOURCES(a, b));
}

static int join(int a, int b, int c)
{
    return add((rn_node){.op = RN_OP_CONCAT, .name = "join"}, RN_SOURCES(a, b, c));
}

static void output(int value)
{
    ck_assert_int_eq(rn_graph_add_output(&graph, "y", value, &err), RN_OK);
}

static void build(void)
{
    if (graph.outputs == 0) output((int)graph.values - 1);
    ck_assert_msg(rn_plan_build(&plan, &graph, RN_ISA_PORTABLE, NULL, &err) == RN_OK, "%s",
                  err.text);
}

/* fused: as inspect shows it, "Add+ReLU" */
static void expect_step(size_t index, rn_op op, const char *fused)
{
    char have[64];
    ck_assert_uint_lt(index, plan.count);
    const rn_desc *d = &plan.step[index].desc;
    ck_assert_str_eq(rn_op_name(d->op), rn_op_name(op));
    ck_assert_str_eq(rn_epilogue_write(&d->epilogue, have, sizeof have), fused);
}

/* ---- the graph, node by node, in plain code ---- */

static float *evaluate(int value, const float *image);

static float *evaluate_conv(const rn_node *node, const float *src, rn_shape in)
{
    const rn_window *w = &node->window;
    const rn_shape shape = rn_graph_shape(&graph, node->value);
    const float *weight = node->weight[RN_WEIGHT].floats;
    const float *bias = node->weight[RN_BIAS].floats;
    float *out = rn_alloc(rn_shape_size(shape), sizeof(float), NULL);
    for (size_t oc = 0, i = 0; oc < shape.c; oc++)
        for (size_t y = 0; y < shape.h; y++)
            for (size_t x = 0; x < shape.w; x++, i++) {
                double total = bias ? (double)bias[oc] : 0;
                for (size_t k = 0; k < in.c * w->kh * w->kw; k++) {
                    const size_t c = k / (w->kh * w->kw), at = k % (w->kh * w->kw);
                    const size_t iy = y * w->stride_h + at / w->kw - w->pad_top;
                    const size_t ix = x * w->stride_w + at % w->kw - w->pad_left;
                    if (iy < in.h && ix < in.w)
                        total += (double)src[(c * in.h + iy) * in.w + ix] *
                                 (double)weight[oc * in.c * w->kh * w->kw + k];
                }
                out[i] = (float)total;
            }
    return out;
}

static float evaluate_element(const rn_node *node, const float *a, const float *b, rn_shape bd,
                              size_t i)
{
    const size_t area = rn_shape_pixels(rn_graph_shape(&graph, node->value)), c = i / area;
    const float *number[RN_MAX_WEIGHTS];
    for (size_t w = 0; w < RN_MAX_WEIGHTS; w++) number[w] = node->weight[w].floats;
    switch (node->op) {
    case RN_OP_RELU: return a[i] > 0 ? a[i] : 0;
    case RN_OP_ADD: return a[i] + b[bd.c == 1 ? i % area : i];
    default:
        return (float)(((double)a[i] - (double)number[RN_MEAN][c]) /
                           sqrt((double)number[RN_VAR][c] + node->eps) *
                           (double)number[RN_WEIGHT][c] +
                       (double)number[RN_BIAS][c]);
    }
}

static float *evaluate_join(const rn_node *node, const float *image)
{
    const size_t size = rn_shape_size(rn_graph_shape(&graph, node->value));
    float *out = rn_alloc(size, sizeof(float), NULL);
    for (size_t i = 0, at = 0; i < node->inputs; i++) {
        const size_t part = rn_shape_size(rn_graph_shape(&graph, node->src[i]));
        float *from = evaluate(node->src[i], image);
        memcpy(out + at, from, part * sizeof(float));
        rn_free(from);
        at += part;
    }
    return out;
}

static float *evaluate(int value, const float *image)
{
    const rn_node *node = rn_graph_maker(&graph, value);
    const size_t size = rn_shape_size(rn_graph_shape(&graph, value));
    if (node->op == RN_OP_CONCAT) return evaluate_join(node, image);
    if (node->op == RN_OP_INPUT) {
        float *copy = rn_alloc(size, sizeof(float), NULL);
        memcpy(copy, image, size * sizeof(float));
        return copy;
    }
    float *a = evaluate(node->src[0], image), *b = NULL, *out;
    rn_shape bd = {0};
    if (node->op == RN_OP_ADD) {
        b = evaluate(node->src[1], image);
        bd = rn_graph_shape(&graph, node->src[1]);
    }
    if (node->op == RN_OP_CONV) {
        out = evaluate_conv(node, a, rn_graph_shape(&graph, node->src[0]));
    } else {
        out = rn_alloc(size, sizeof(float), NULL);
        for (size_t i = 0; i < size; i++) out[i] = evaluate_element(node, a, b, bd, i);
    }
    rn_free(a);
    rn_free(b);
    return out;
}

enum { MAX_OUTPUTS = 4 };

static void expect_values(int value, const float *images, size_t n, const float *outputs)
{
    const size_t in = rn_shape_size(rn_graph_shape(&graph, graph.input[0].value));
    const size_t out = rn_shape_size(rn_graph_shape(&graph, value));
    for (size_t image = 0; image < n; image++) {
        float *expected = evaluate(value, images + image * in);
        for (size_t i = 0; i < out; i++)
            ck_assert(fabsf(outputs[image * out + i] - expected[i]) <=
                      1e-4f * (1 + fabsf(expected[i])));
        rn_free(expected);
    }
}

/* Runs the plan on `images` images and holds each output to the graph's own evaluation. */
static void expect_graph_result(size_t images)
{
    float *outputs[MAX_OUTPUTS];
    const float *const in[] = {fill};
    ck_assert_uint_le(graph.outputs, MAX_OUTPUTS);
    for (size_t i = 0; i < graph.outputs; i++)
        outputs[i] = rn_alloc(images * rn_shape_size(rn_graph_shape(&graph, graph.output[i].value)),
                              sizeof(float), NULL);
    const rn_arena arena = {.values = rn_alloc(images * plan.arena_size, sizeof(float), NULL),
                            .scratch =
                                rn_alloc(rn_plan_scratch(&plan, images, 1), sizeof(float), NULL),
                            .samples = images};
    const rn_pass pass = {.plan = &plan, .in = in, .out = outputs, .n = images};
    ck_assert(rn_exec(&pass, &arena));
    for (size_t i = 0; i < graph.outputs; i++) {
        expect_values(graph.output[i].value, fill, images, outputs[i]);
        rn_free(outputs[i]);
    }
    rn_free(arena.values);
    rn_free(arena.scratch);
}

/* ---- tests ---- */

START_TEST(basic_block_becomes_three_convolutions)
{
    const int x = relu(norm(conv(input(3, 9, 9), 8, 3, 1, false)));
    const int main_branch = norm(conv(relu(norm(conv(x, 8, 3, 1, false))), 8, 3, 1, false));
    relu(sum(main_branch, x));
    build();
    ck_assert_uint_eq(plan.count, 3);
    expect_step(0, RN_OP_CONV, "ReLU");
    expect_step(1, RN_OP_CONV, "ReLU");
    expect_step(2, RN_OP_CONV, "Add+ReLU");
    ck_assert_uint_eq(plan.step[2].parameters, 8 * 8 * 9 + 16);
    expect_graph_result(3);
}
END_TEST

START_TEST(downsample_branch_takes_the_addition)
{
    const int x = input(4, 8, 8);
    const int main_branch = norm(conv(relu(norm(conv(x, 8, 3, 2, false))), 8, 3, 1, false));
    relu(sum(main_branch, norm(conv(x, 8, 1, 2, false))));
    build();
    ck_assert_uint_eq(plan.count, 3);
    expect_step(2, RN_OP_CONV, "Add+ReLU");
    expect_graph_result(2);
}
END_TEST

START_TEST(residual_layer_adds_behind_its_activation)
{
    const int x = conv(input(2, 6, 5), 4, 3, 1, true);
    const int y = sum(relu(conv(x, 4, 3, 1, true)), x);
    sum(y, relu(conv(y, 4, 3, 1, true))); /* either order of the operands */
    build();
    ck_assert_uint_eq(plan.count, 3);
    expect_step(1, RN_OP_CONV, "ReLU+Add");
    expect_step(2, RN_OP_CONV, "ReLU+Add");
    expect_graph_result(4);
}
END_TEST

START_TEST(an_epilogue_is_a_list)
{
    const int x = conv(input(2, 5, 5), 4, 3, 1, true);
    relu(sum(relu(conv(x, 4, 3, 1, true)), x));
    build();
    ck_assert_uint_eq(plan.count, 2);
    expect_step(1, RN_OP_CONV, "ReLU+Add+ReLU");
    expect_graph_result(2);
}
END_TEST

/* x * Sigmoid(x), in either order; of another value it stays a product. */
START_TEST(a_gate_of_its_own_input_is_one_operator)
{
    const int x = conv(input(2, 5, 5), 4, 3, 1, true);
    const rn_node sigmoid = {.op = RN_OP_SIGMOID}, mul = {.op = RN_OP_MUL};
    const int y = add(mul, RN_SOURCES(x, add(sigmoid, RN_SOURCES(x))));
    const int z = add(mul, RN_SOURCES(add(sigmoid, RN_SOURCES(y)), y));
    add(mul, RN_SOURCES(z, add(sigmoid, RN_SOURCES(y))));
    build();
    ck_assert_uint_eq(plan.count, 4);
    expect_step(0, RN_OP_CONV, "SiLU");
    expect_step(1, RN_OP_SILU, "");
    expect_step(2, RN_OP_SIGMOID, "");
    expect_step(3, RN_OP_MUL, "");
}
END_TEST

START_TEST(an_epilogue_reads_one_addend)
{
    const int x = conv(input(2, 5, 5), 4, 3, 1, true);
    const int y = conv(x, 4, 1, 1, true), z = relu(x);
    sum(sum(y, x), z);
    build();
    ck_assert_uint_eq(plan.count, 4);
    expect_step(1, RN_OP_CONV, "Add");
    expect_step(3, RN_OP_ADD, "");
    expect_graph_result(2);
}
END_TEST

START_TEST(many_values_are_joined)
{
    const int x = input(2, 5, 5), y = conv(x, 3, 3, 1, true);
    relu(join(x, y, x));
    build();
    ck_assert_uint_eq(plan.count, 4); /* conv, two joints, relu */
    expect_graph_result(3);
}
END_TEST

/* Of several outputs one is read on, one stands twice, and one is the input itself. */
START_TEST(several_outputs)
{
    const int x = input(2, 4, 4), y = relu(conv(x, 4, 3, 1, false));
    output(y);
    output(conv(y, 2, 3, 1, true));
    output(y);
    output(x);
    build();
    expect_graph_result(3);
}
END_TEST

START_TEST(a_broadcast_addition_is_not_fused)
{
    const int x = input(1, 5, 5);
    sum(relu(conv(x, 4, 3, 1, true)), x);
    build();
    ck_assert_uint_eq(plan.count, 2);
    expect_step(0, RN_OP_CONV, "ReLU");
    expect_step(1, RN_OP_ADD, "");
    expect_graph_result(2);
}
END_TEST

START_TEST(a_value_with_two_readers_is_kept)
{
    const int x = conv(input(2, 4, 4), 4, 3, 1, false);
    sum(norm(x), relu(x));
    build();
    ck_assert_uint_eq(plan.count, 3); /* conv, relu, bn + add */
    expect_graph_result(2);
}
END_TEST

START_TEST(adding_a_value_to_itself)
{
    const int x = conv(input(2, 4, 4), 4, 3, 1, false);
    relu(sum(x, x));
    build();
    ck_assert_uint_eq(plan.count, 2);
    expect_step(1, RN_OP_ADD, "ReLU");
    expect_graph_result(2);
}
END_TEST

START_TEST(an_inner_value_may_be_the_output)
{
    const int x = relu(conv(input(2, 4, 4), 4, 3, 1, false));
    const int y = relu(conv(x, 4, 3, 1, false));
    (void)y;
    output(x);
    build();
    ck_assert_uint_eq(plan.count, 1);
    expect_graph_result(1);
}
END_TEST

START_TEST(living_values_do_not_overlap)
{
    int x = conv(input(3, 8, 8), 8, 3, 1, false);
    for (int i = 0; i < 6; i++)
        x = relu(sum(conv(relu(norm(conv(x, 8, 3, 1, false))), 8, 1, 1, true), x));
    build();
    for (size_t a = 0; a < plan.values; a++)
        for (size_t b = 0; b < a; b++) {
            const rn_value *p = &plan.value[a], *q = &plan.value[b];
            const bool placed = p->first >= 0 && q->first >= 0 && p->port < 0 && q->port < 0;
            if (!placed || p->last < q->first || q->last < p->first) continue;
            ck_assert(p->offset + p->size <= q->offset || q->offset + q->size <= p->offset);
        }
    ck_assert_uint_le(plan.arena_size, 3 * 8 * 64);
    expect_graph_result(2);
}
END_TEST

/* Also of steps that need no packing: the file can go. */
START_TEST(weights_are_copied)
{
    conv(input(3, 8, 8), 8, 3, 1, true);
    const float *weight = graph.node[1].weight[RN_WEIGHT].floats;
    build();
    ck_assert(!rn_constant_is_set(plan.step[0].weight[RN_WEIGHT]));
    ck_assert_ptr_eq(plan.step[0].packed, plan.weights);
    ck_assert_mem_eq(plan.step[0].packed, weight, 8 * 3 * 9 * sizeof *weight);
}
END_TEST

/* A team packs what one thread packs. */
START_TEST(threads_pack_the_same)
{
    int x = input(16, 8, 8);
    for (int i = 0; i < 9; i++) x = norm(conv(x, 16, 3, 1, true));
    build();
    float *alone = rn_alloc(plan.weights_size, sizeof *alone, NULL);
    memcpy(alone, plan.weights, plan.weights_size * sizeof *alone);
    const size_t size = plan.weights_size;
    rn_plan_release(&plan);
    rn_team *team;
    ck_assert_int_eq(rn_team_new(&team, 3, false, &err), RN_OK);
    ck_assert_int_eq(rn_plan_build(&plan, &graph, RN_ISA_PORTABLE, team, &err), RN_OK);
    ck_assert_uint_eq(plan.weights_size, size);
    ck_assert_mem_eq(plan.weights, alone, size * sizeof *alone);
    rn_team_free(team);
    rn_free(alone);
}
END_TEST

START_TEST(a_network_needs_a_layer)
{
    output(input(3, 8, 8));
    ck_assert_int_eq(rn_plan_build(&plan, &graph, RN_ISA_PORTABLE, NULL, &err), RN_ERR_FORMAT);
    ck_assert_str_eq(err.text, "the network has no layers");
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("plan");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, basic_block_becomes_three_convolutions);
    tcase_add_test(tests, downsample_branch_takes_the_addition);
    tcase_add_test(tests, residual_layer_adds_behind_its_activation);
    tcase_add_test(tests, an_epilogue_is_a_list);
    tcase_add_test(tests, a_gate_of_its_own_input_is_one_operator);
    tcase_add_test(tests, an_epilogue_reads_one_addend);
    tcase_add_test(tests, many_values_are_joined);
    tcase_add_test(tests, several_outputs);
    tcase_add_test(tests, a_broadcast_addition_is_not_fused);
    tcase_add_test(tests, a_value_with_two_readers_is_kept);
    tcase_add_test(tests, adding_a_value_to_itself);
    tcase_add_test(tests, an_inner_value_may_be_the_output);
    tcase_add_test(tests, living_values_do_not_overlap);
    tcase_add_test(tests, weights_are_copied);
    tcase_add_test(tests, threads_pack_the_same);
    tcase_add_test(tests, a_network_needs_a_layer);
    Suite *suite = suite_create("plan");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
