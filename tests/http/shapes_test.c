/* Which shapes each form of a request takes: the model's own. All others are refused with the place
 * and both shapes; no numbers are read in another way than they were sent. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/fixture.h"

#include "check_main.h"

enum { MAX_RANK = 6, TEXT = 1 << 20 };

#define MODEL  "fashion-resnet" /* 1 x 28 x 28 */
#define COLOUR "colour"         /* 3 x 12 x 9 */

static void start(void)
{
    DAEMON_START(&server, "--model", "deploy/models/fashion-resnet", "--model",
                 "colour=tests/golden/cases/onnx-linear-gates-16.onnx");
}

/* Nested arrays of ones: [[1,1],[1,1]] of {2, 2}; a rank of 0 is a number. */
static void append_nested(FILE *out, const size_t *dim, size_t rank)
{
    if (rank == 0) {
        fputs("1", out);
        return;
    }
    for (size_t i = 0; i < *dim; i++) {
        fputs(i ? "," : "[", out);
        append_nested(out, dim + 1, rank - 1);
    }
    fputs("]", out);
}

/* The text with the array in the place of its '@', to be freed. */
static char *body_of(const char *text, const size_t *dim, size_t rank)
{
    char *body = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&body, &size);
    for (; *text; text++) {
        if (*text == '@')
            append_nested(out, dim, rank);
        else
            fputc(*text, out);
    }
    fclose(out);
    return body;
}

static size_t rows_of(const struct response *answer)
{
    json_t *root = json_loads(answer->body, 0, NULL);
    static const char *const keys[] = {"output", "predictions", "outputs"};
    const json_t *rows = NULL;
    for (size_t i = 0; !rows && i < 3; i++) rows = json_object_get(root, keys[i]);
    const json_t *v2 = json_object_get(json_array_get(rows, 0), "shape");
    const size_t count =
        v2 ? (size_t)json_integer_value(json_array_get(v2, 0)) : json_array_size(rows);
    json_decref(root);
    return count;
}

/* Either as many rows, or an error. */
static void expect_rows(const char *target, const char *body, size_t rows, const char *error)
{
    struct response answer = client_post_json(server.port, target, body);
    if (error) {
        expect_error(answer, 400, error);
        return;
    }
    ck_assert_msg(answer.status == 200, "%s %.60s: %d %s", target, body, answer.status,
                  answer.body);
    ck_assert_msg(rows_of(&answer) == rows, "%s %.60s: %zu rows, not %zu", target, body,
                  rows_of(&answer), rows);
    response_free(&answer);
}

#define V1            "/v1/models/" MODEL ":predict"
#define V1_COLOUR     "/v1/models/" COLOUR ":predict"
#define V2            "/v2/models/" MODEL "/infer"
#define V2_COLOUR     "/v2/models/" COLOUR "/infer"
#define INFER_COLOUR  "/infer?model=" COLOUR
#define IS(shape)     "shape " shape ", model " MODEL " needs [N,1,28,28]"
#define ROW_IS(shape) "shape " shape ", model " MODEL " needs [1,28,28]"
#define ONE           " or [1,28,28]"
#define V2_BODY(shape) \
    "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":" shape ",\"data\":@}]}"

static const struct {
    const char *target, *body;
    size_t rank, dim[MAX_RANK], rows;
    const char *error;
} cases[] = {
    /* TF Serving, rows */
    {V1, "{\"instances\":@}", 4, {3, 1, 28, 28}, 3, NULL},
    {V1, "{\"instances\":@,\"signature_name\":\"serving_default\"}", 4, {1, 1, 28, 28}, 1, NULL},
    {V1, "{\"instances\":[{\"input\":@},{\"input\":@}]}", 3, {1, 28, 28}, 2, NULL},
    {"/infer", "{\"instances\":@}", 4, {2, 1, 28, 28}, 2, NULL},
    {V1, "{\"instances\":@}", 3, {1, 28, 28}, 0, "instances[0]: " ROW_IS("[28,28]")},
    {V1, "{\"instances\":@}", 3, {2, 28, 28}, 0, "instances[0]: " ROW_IS("[28,28]")},
    {V1, "{\"instances\":@}", 2, {2, 784}, 0, "instances[0]: " ROW_IS("[784]")},
    {V1, "{\"instances\":@}", 1, {784}, 0, "instances[0]: " ROW_IS("[]")},
    {V1, "{\"instances\":@}", 5, {1, 1, 1, 28, 28}, 0, "instances[0]: " ROW_IS("[1,1,28,28]")},
    {V1,
     "{\"instances\":@}",
     4,
     {1, 28, 28, 1},
     0,
     "instances[0]: " ROW_IS("[28,28,1]") "; the channels come before height and width"},
    {V1, "{\"instances\":[{\"input\":@}]}", 2, {28, 28}, 0, "instances[0]: " ROW_IS("[28,28]")},
    {V1,
     "{\"instances\":[{\"input\":@}]}",
     4,
     {1, 1, 28, 28},
     0,
     "instances[0]: " ROW_IS("[1,1,28,28]")},
    {"/infer", "{\"instances\":@}", 3, {1, 28, 28}, 0, "instances[0]: " ROW_IS("[28,28]")},
    {V1_COLOUR, "{\"instances\":@}", 4, {2, 3, 12, 9}, 2, NULL},
    {V1_COLOUR,
     "{\"instances\":@}",
     3,
     {3, 12, 9},
     0,
     "instances[0]: shape [12,9], model colour needs [3,12,9]"},
    {V1_COLOUR,
     "{\"instances\":@}",
     4,
     {2, 12, 9, 3},
     0,
     "instances[0]: shape [12,9,3], model colour needs [3,12,9]; the channels come before height "
     "and width"},
    /* TF Serving, columns */
    {V1, "{\"inputs\":@}", 4, {3, 1, 28, 28}, 3, NULL},
    {V1, "{\"inputs\":{\"input\":@}}", 4, {3, 1, 28, 28}, 3, NULL},
    {V1, "{\"inputs\":@}", 3, {1, 28, 28}, 0, "inputs: " IS("[1,28,28]")},
    {V1, "{\"inputs\":{\"input\":@}}", 2, {1, 784}, 0, "inputs: " IS("[1,784]")},
    {V1_COLOUR,
     "{\"inputs\":@}",
     3,
     {3, 12, 9},
     0,
     "inputs: shape [3,12,9], model colour needs [N,3,12,9]"},
    /* the Open Inference Protocol: `data` may be nested in any way, `shape` counts */
    {V2, V2_BODY("[2,1,28,28]"), 4, {2, 1, 28, 28}, 2, NULL},
    {V2, V2_BODY("[2,1,28,28]"), 1, {1568}, 2, NULL},
    {V2, V2_BODY("[1,28,28]"), 3, {1, 28, 28}, 0, "inputs[0]: " IS("[1,28,28]")},
    {V2, V2_BODY("[2,784]"), 2, {2, 784}, 0, "inputs[0]: " IS("[2,784]")},
    {V2, V2_BODY("[784]"), 1, {784}, 0, "inputs[0]: " IS("[784]")},
    {V2_COLOUR,
     V2_BODY("[3,12,9]"),
     3,
     {3, 12, 9},
     0,
     "inputs[0]: shape [3,12,9], model colour needs [N,3,12,9]"},
    {"/infer", V2_BODY("[1,28,28]"), 3, {1, 28, 28}, 0, "inputs[0]: " IS("[1,28,28]")},
    /* its own form */
    {"/infer", "{\"input\":@}", 4, {2, 1, 28, 28}, 2, NULL},
    {"/infer", "{\"input\":@}", 3, {1, 28, 28}, 1, NULL},
    {"/infer", "{\"input\":@,\"shape\":[2,1,28,28]}", 1, {1568}, 2, NULL},
    {"/infer", "{\"input\":@,\"shape\":[1,28,28]}", 1, {784}, 1, NULL},
    {"/infer", "{\"input\":@,\"shape\":[2,1,28,28]}", 4, {2, 1, 28, 28}, 2, NULL},
    {"/infer", "{\"input\":@,\"shape\":null}", 4, {2, 1, 28, 28}, 2, NULL},
    {"/infer", "{\"input\":@}", 3, {2, 28, 28}, 0, "input: " IS("[2,28,28]") ONE},
    {"/infer", "{\"input\":@}", 2, {28, 28}, 0, "input: " IS("[28,28]") ONE},
    {"/infer", "{\"input\":@}", 2, {2, 784}, 0, "input: " IS("[2,784]") ONE},
    {"/infer",
     "{\"input\":@}",
     4,
     {2, 28, 28, 1},
     0,
     "input: " IS("[2,28,28,1]") ONE "; the channels come before height and width"},
    {"/infer",
     "{\"input\":@,\"shape\":[1,1,28,28]}",
     2,
     {28, 28},
     0,
     "shape: [1,1,28,28], but input is nested as [28,28]"},
    {"/infer",
     "{\"input\":@,\"shape\":[1,1,28,28]}",
     4,
     {1, 28, 28, 1},
     0,
     "shape: [1,1,28,28], but input is nested as [1,28,28,1]"},
    {"/infer",
     "{\"input\":@,\"shape\":[1,28,28]}",
     4,
     {1, 1, 28, 28},
     0,
     "shape: [1,28,28], but input is nested as [1,1,28,28]"},
    {"/infer", "{\"input\":@,\"shape\":[28,28]}", 1, {784}, 0, "input: " IS("[28,28]") ONE},
    {INFER_COLOUR, "{\"input\":@}", 3, {3, 12, 9}, 1, NULL},
    {INFER_COLOUR,
     "{\"input\":@}",
     3,
     {12, 9, 3},
     0,
     "input: shape [12,9,3], model colour needs [N,3,12,9] or [3,12,9]; the channels come before "
     "height and width"},
};

START_TEST(json)
{
    char *body = body_of(cases[_i].body, cases[_i].dim, cases[_i].rank);
    expect_rows(cases[_i].target, body, cases[_i].rows, cases[_i].error);
    free(body);
}
END_TEST

/* A .npy file of ones of 28 x 28, its shape as written here. */
static size_t write_npy(char *file, const char *shape, size_t count)
{
    memset(file, ' ', 128);
    memcpy(file, "\x93NUMPY\x01\0v", 10);
    const int used = snprintf(file + 10, 118,
                              "{'descr': '|u1', 'fortran_order': False, 'shape': "
                              "(%s), }",
                              shape);
    file[10 + used] = ' ';
    file[127] = '\n';
    memset(file + 128, 1, count);
    return 128 + count;
}

START_TEST(npy)
{
    static const struct {
        const char *shape;
        size_t count, rows;
        const char *error;
    } files[] = {
        {"2, 1, 28, 28", 1568, 2, NULL},
        {"1, 28, 28", 784, 1, NULL},
        {"2, 28, 28", 1568, 0, "body: " IS("[2,28,28]") ONE},
        {"2, 784", 1568, 0, "body: " IS("[2,784]") ONE},
        {"784,", 784, 0, "body: " IS("[784]") ONE},
        {"", 1, 0, "body: " IS("[]") ONE},
        {"0, 1, 28, 28", 0, 0, "body: " IS("[0,1,28,28]") ONE},
    };
    char file[2000];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const size_t size = write_npy(file, files[i].shape, files[i].count);
        struct response answer = client_ask(server.port, "POST", "/infer",
                                            "Content-Type: application/x-npy\r\n", file, size);
        if (files[i].error) {
            expect_error(answer, 400, files[i].error);
            continue;
        }
        ck_assert_msg(answer.status == 200, "%s: %s", files[i].shape, answer.body);
        ck_assert_uint_eq(rows_of(&answer), files[i].rows);
        response_free(&answer);
    }
}
END_TEST

/* Bytes without a shape are whole samples. */
START_TEST(bytes)
{
    static const float ones[1568];
    static const struct {
        const char *target, *headers;
        size_t size;
        const char *error;
    } bodies[] = {
        {"/infer", "Content-Type: application/octet-stream\r\n", 6272, NULL},
        {"/infer", "Content-Type: application/octet-stream\r\n", 784,
         "body: 784 bytes, want whole samples of 3136 bytes (784 float32 each)"},
        {"/infer", "Content-Type: application/octet-stream\r\n", 4704,
         "body: 4704 bytes, want whole samples of 3136 bytes (784 float32 each)"},
        {V2, "Inference-Header-Content-Length: 0\r\n", 6272, NULL},
        {V2, "Inference-Header-Content-Length: 0\r\n", 4704,
         "body: 4704 bytes, want whole samples of 3136 bytes"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct response answer = client_ask(server.port, "POST", bodies[i].target,
                                            bodies[i].headers, ones, bodies[i].size);
        if (bodies[i].error) {
            expect_error(answer, 400, bodies[i].error);
            continue;
        }
        ck_assert_msg(answer.status == 200, "%zu: %s", i, answer.body);
        response_free(&answer);
    }
}
END_TEST

/* What is beside the tensor counts or is refused, whatever form the tensor has. */
START_TEST(keys_and_queries)
{
    static const size_t image[] = {1, 1, 28, 28};
    static const struct {
        const char *target, *body;
        int status;
        const char *error;
    } bodies[] = {
        {V1, "{\"instances\":@,\"priority\":1,\"timeout_ms\":60000}", 200, ""},
        {V1, "{\"instances\":@,\"parameters\":null}", 200, ""},
        {V1, "{\"instances\":@,\"top_k\":2}", 400,
         "top_k: no such key here; known are instances, inputs, signature_name, model, timeout_ms "
         "and priority"},
        {V1, "{\"instances\":@,\"parameters\":{\"a\":1}}", 400, "parameters: no such key here"},
        {V1, "{\"instances\":@,\"timeout_ms\":0}", 400, "timeout_ms: not a whole number"},
        {V1 "?top_k=2", "{\"instances\":@}", 400, "top_k: TF Serving's answer"},
        {V1 "?model=" MODEL, "{\"instances\":@}", 200, ""},
        {V1 "?model=" COLOUR, "{\"instances\":@}", 400,
         "model in the query: 'colour', the path names " MODEL},
        {V2 "?top_k=2", V2_BODY("[1,1,28,28]"), 400, "parameter classification"},
        {V2 "?model=" COLOUR, V2_BODY("[1,1,28,28]"), 400, "model in the query"},
        {"/infer", "{\"instances\":@,\"model\":\"" COLOUR "\"}", 400, "model colour needs"},
        {"/infer", "{\"instances\":@,\"model\":\"x\"}", 404, "no model 'x'"},
        {"/infer", "{\"instances\":@,\"parameter\":7}", 400, "parameter: no such key here"},
        {"/infer",
         "{\"model\":\"x\",\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"shape\":"
         "[1,1,28,28],\"data\":@}]}",
         404, "no model 'x'"},
        {"/infer?top_k=1", V2_BODY("[1,1,28,28]"), 400, "parameter classification"},
        {"/infer", "{\"input\":@,\"instances\":@}", 400, "instances: no such key here"},
        {"/infer", "{\"input\":@,\"parameters\":{}}", 400, "parameters: no such key here"},
        {V1, "{\"instances\":[{\"input\":@},{\"x\":@}]}", 400,
         "instances[1]: the input 'x', that of instances[0] is 'input'"},
        {V1, "{\"instances\":[{\"b64\":\"aGVsbG8=\"}]}", 400,
         "instances[0].b64: a string, not an array of numbers; a picture is sent as a file, not as "
         "base64"},
        {"/infer", "{\"input\":\"aGVsbG8=\"}", 400, "input: a string, not an array"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char *body = body_of(bodies[i].body, image, 4);
        struct response answer = client_post_json(server.port, bodies[i].target, body);
        free(body);
        if (bodies[i].status != 200) {
            expect_error_with(answer, bodies[i].status, bodies[i].error);
            continue;
        }
        ck_assert_msg(answer.status == 200, "%zu: %s", i, answer.body);
        response_free(&answer);
    }
    static const char raw[] = "Accept: application/octet-stream\r\n";
    char *body = body_of("{\"input\":@,\"top_k\":2}", image, 4);
    expect_error_with(client_ask(server.port, "POST", "/infer", raw, body, strlen(body)), 400,
                      "top_k: this answer, which Accept asks for, is the outputs alone");
    free(body);
}
END_TEST

/* A picture in base64 may be longer than what is kept of a body beside its numbers. */
START_TEST(a_long_string_is_named)
{
    char *body = malloc(2 << 20);
    const size_t head = (size_t)sprintf(body, "{\"instances\":[{\"b64\":\"");
    memset(body + head, 'A', (2 << 20) - head);
    memcpy(body + (2 << 20) - 5, "\"}]}", 5);
    expect_error_with(client_post_json(server.port, V1, body), 400, "instances[0].b64: a string");
    free(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shapes");
    TCase *tests = tcase_create("shapes");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, server_stop);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, json, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tests, npy);
    tcase_add_test(tests, bytes);
    tcase_add_test(tests, keys_and_queries);
    tcase_add_test(tests, a_long_string_is_named);
    return run_suite(suite);
}
