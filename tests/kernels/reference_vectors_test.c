/* Single operators against PyTorch: every implementation that works on NCHW runs the cases of
 * vectors.json (tests/reference/make_vectors.py). The numbers are small integers: sums are exact in
 * any order, so the answer has to be equal; only what divides gets a tolerance. */
#include "check_main.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "golden/derive.h"
#include "graph/shape.h"
#include "kernels/kernels.h"
#include "run/team.h"

#define VECTORS "tests/kernels/vectors.json"
#define LIMIT   4 /* of the integers */

static rn_json_document *document;
static const rn_json *vectors; /* its root */

/* A case with its numbers, and what the plan would make of it. */
typedef struct {
    const rn_json *json;
    rn_desc desc;
    size_t n, channels;
    float *input, *second, *addend, *weights, *bias, *expected;
} vector;

/* ---- reading --------------------------------------------------------------------------------- */

static size_t size_at(const rn_json *list, size_t index)
{
    size_t value = 0;
    ck_assert(rn_json_size(rn_json_at(list, index), &value));
    return value;
}

static size_t size_of(const vector *v, const char *key, size_t otherwise)
{
    size_t value = otherwise;
    const rn_json *json = rn_json_get(v->json, key);
    if (json) ck_assert(rn_json_size(json, &value));
    return value;
}

static bool flag_of(const vector *v, const char *key)
{
    bool value = false;
    rn_json_bool(rn_json_get(v->json, key), &value);
    return value;
}

static rn_shape dims_of(const vector *v, const char *key)
{
    const rn_json *list = rn_json_get(v->json, key);
    if (rn_json_count(list) == 1) return rn_row(size_at(list, 0));
    return rn_map(size_at(list, 0), size_at(list, 1), size_at(list, 2));
}

static rn_window window_of(const vector *v)
{
    const rn_json *kernel = rn_json_get(v->json, "kernel"), *pad = rn_json_get(v->json, "pad");
    const rn_json *stride = rn_json_get(v->json, "stride");
    const rn_json *dilation = rn_json_get(v->json, "dilation");
    if (!kernel) return (rn_window){0};
    return (rn_window){.kh = size_at(kernel, 0),
                       .kw = size_at(kernel, 1),
                       .stride_h = size_at(stride, 0),
                       .stride_w = size_at(stride, 1),
                       .pad_top = size_at(pad, 0),
                       .pad_left = size_at(pad, 1),
                       .pad_bottom = size_at(pad, 2),
                       .pad_right = size_at(pad, 3),
                       .dilation_h = size_at(dilation, 0),
                       .dilation_w = size_at(dilation, 1),
                       .ceil_mode = flag_of(v, "ceil_mode"),
                       .count_include_pad = flag_of(v, "count_include_pad")};
}

static rn_epilogue epilogue_of(const vector *v)
{
    const char *add = rn_json_string(rn_json_get(v->json, "add"));
    rn_epilogue epilogue = {0};
    if (add && strcmp(add, "before") == 0)
        rn_epilogue_append(&epilogue, &(rn_post){.op = RN_OP_ADD});
    if (flag_of(v, "relu")) rn_epilogue_append(&epilogue, &(rn_post){.op = RN_OP_RELU});
    if (add && strcmp(add, "before") != 0)
        rn_epilogue_append(&epilogue, &(rn_post){.op = RN_OP_ADD});
    return epilogue;
}

static rn_op op_of(const vector *v)
{
    const char *name = rn_json_string(rn_json_get(v->json, "op"));
    const rn_op op = rn_op_find(name);
    ck_assert_msg(op < RN_OPS, "no operator %s", name);
    return op;
}

static float *integers(const char *name, size_t count)
{
    float *out = rn_alloc(count, sizeof *out, NULL);
    derive_integers(name, count, LIMIT, out);
    return out;
}

/* As the plan has it: y = scale * x + bias */
static void fold_batch_norm(vector *v)
{
    float *mean = integers("mean", v->channels), *var = integers("var", v->channels);
    for (size_t i = 0; i < v->channels; i++) {
        const double scale = (double)v->weights[i] / sqrt(fabs((double)var[i]) + 1 + v->desc.eps);
        v->weights[i] = (float)scale;
        v->bias[i] = (float)((double)v->bias[i] - (double)mean[i] * scale);
    }
    rn_free(mean);
    rn_free(var);
}

/* FakeQuantize: step, lowest, highest. */
static void read_steps(vector *v)
{
    const rn_json *steps = rn_json_get(v->json, "steps");
    for (size_t i = 0; i < rn_json_count(steps); i++) {
        double number;
        ck_assert(rn_json_number(rn_json_at(steps, i), &number));
        v->desc.parameter[i] = (float)number;
    }
}

static void read_numbers(vector *v)
{
    const rn_desc *d = &v->desc;
    const rn_json *expected = rn_json_get(v->json, "expected");
    const size_t out = v->n * rn_shape_size(d->out);
    const rn_node node = {
        .op = d->op, .window = d->window, .groups = d->groups, .channels = v->channels};
    const size_t weights = rn_op_elements_rule(d->op)(&node, d->in, RN_WEIGHT);
    v->input = integers("input", v->n * rn_shape_size(d->in[0]));
    v->weights = integers("weight", weights);
    v->bias = rn_alloc_zero(v->channels + 16, sizeof *v->bias, NULL);
    derive_integers("bias", v->channels, LIMIT, v->bias);
    if (d->op == RN_OP_BATCH_NORM) fold_batch_norm(v);
    read_steps(v);
    if (d->inputs == 2) v->second = integers("second", v->n * rn_shape_size(d->in[1]));
    if (rn_epilogue_adds(&d->epilogue)) v->addend = integers("addend", out);
    ck_assert_uint_eq(rn_json_count(expected), out);
    v->expected = rn_alloc(out, sizeof *v->expected, NULL);
    for (size_t i = 0; i < out; i++) {
        double number;
        ck_assert(rn_json_number(rn_json_at(expected, i), &number));
        v->expected[i] = (float)number;
    }
}

static void read_vector(vector *v, size_t index)
{
    *v = (vector){.json = rn_json_at(vectors, index)};
    v->n = size_of(v, "n", 1);
    v->desc = (rn_desc){.op = op_of(v),
                        .in = {dims_of(v, "input")},
                        .out = dims_of(v, "output"),
                        .window = window_of(v),
                        .groups = size_of(v, "groups", 1),
                        .epilogue = epilogue_of(v)};
    rn_json_number(rn_json_get(v->json, "eps"), &v->desc.eps);
    v->desc.inputs = rn_json_get(v->json, "second") ? 2 : 1;
    if (v->desc.inputs == 2) v->desc.in[1] = dims_of(v, "second");
    v->channels = size_of(v, "channels", v->desc.in[0].c);
    read_numbers(v);
}

static void release(vector *v)
{
    rn_free(v->input);
    rn_free(v->second);
    rn_free(v->addend);
    rn_free(v->weights);
    rn_free(v->bias);
    rn_free(v->expected);
}

/* ---- running --------------------------------------------------------------------------------- */

static bool works_on_nchw(const rn_impl *impl, const rn_desc *desc)
{
    return rn_impl_takes(impl, desc, rn_isa_detect()) && impl->src_layout == RN_LAYOUT_NCHW &&
           impl->dst_layout != RN_LAYOUT_NCHW16C;
}

/* Integers are exact but in what divides or is a function. */
static bool rounds(rn_op op)
{
    const rn_accuracy accuracy = rn_op_row_of(op)->accuracy;
    return accuracy != RN_ACCURACY_EXACT && accuracy != RN_ACCURACY_SUMS;
}

static void compare(const vector *v, const rn_impl *impl, const float *have)
{
    const double tolerance = rounds(v->desc.op) ? 4e-7 : 0;
    for (size_t i = 0; i < v->n * rn_shape_size(v->desc.out); i++) {
        const double want = (double)v->expected[i], difference = fabs((double)have[i] - want);
        ck_assert_msg(difference <= tolerance * (2 * LIMIT + fabs(want)),
                      "%s %s: element %zu is %.9g, want %.9g", impl->name, rn_op_name(impl->op), i,
                      (double)have[i], want);
    }
}

static void run(const vector *v, const rn_impl *impl, rn_team *team)
{
    const rn_desc *d = &v->desc;
    const size_t threads = rn_team_threads(team), out = v->n * rn_shape_size(d->out);
    const size_t packed = impl->packed_size ? impl->packed_size(d) : 0;
    const size_t scratch = impl->scratch_size ? impl->scratch_size(d, v->n, threads) : 0;
    float *weights = rn_alloc(packed, sizeof(float), NULL);
    rn_args args = {.in = {v->input, v->second},
                    .addend = v->addend,
                    .dst = rn_alloc(out + 1, sizeof(float), NULL),
                    .weights = packed ? weights : v->weights,
                    .bias = v->bias,
                    .scratch = rn_alloc(scratch, sizeof(float), NULL),
                    .n = v->n,
                    .team = team};
    if (packed) impl->pack(d, v->weights, NULL, weights);
    for (size_t i = 0; i <= out; i++) args.dst[i] = NAN; /* what is not written is seen */
    impl->run(d, &args);
    compare(v, impl, args.dst);
    ck_assert_msg(isnan(args.dst[out]), "%s %s wrote behind its output", impl->name,
                  rn_op_name(impl->op));
    rn_free(args.dst);
    rn_free(args.scratch);
    rn_free(weights);
}

START_TEST(operator_equals_pytorch)
{
    rn_team *team;
    vector v;
    size_t ran = 0;
    ck_assert_int_eq(rn_team_new(&team, 2, false, NULL), RN_OK);
    read_vector(&v, (size_t)_i);
    for (size_t i = 0; i < rn_impl_count; i++) {
        if (!works_on_nchw(rn_impls[i], &v.desc)) continue;
        run(&v, rn_impls[i], NULL);
        run(&v, rn_impls[i], team);
        ran++;
    }
    ck_assert_uint_gt(ran, 0);
    release(&v);
    rn_team_free(team);
}
END_TEST

int main(void)
{
    rn_error err;
    rn_file file;
    char *text = NULL;
    if (rn_file_open(&file, VECTORS, &err) == RN_OK)
        text = rn_file_read_new(&file, 0, file.size, &err);
    if (!text || rn_json_parse(&document, text, file.size, VECTORS, &err) != RN_OK) {
        fprintf(stderr, "%s\n", err.text);
        return EXIT_FAILURE;
    }
    vectors = rn_json_root(document);
    Suite *suite = suite_create("reference vectors");
    TCase *tcase = tcase_create("reference vectors");
    tcase_add_loop_test(tcase, operator_equals_pytorch, 0, (int)rn_json_count(vectors));
    suite_add_tcase(suite, tcase);
    const int status = run_suite(suite);
    rn_json_free(document);
    rn_free(text);
    rn_file_close(&file);
    return status;
}
