/* Multipart forms: each part is used or refused. Pictures are samples in their order, `data` may be
 * a tensor, parameters count as in the query, and limits are those of all parts together. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/fixture.h"

#include "check_main.h"

enum { MOST = 60000, PIXELS = 784, CLASSES = 10 };

#define MULTIPART "Content-Type: multipart/form-data; boundary=XbX\r\n"
#define RAW       "Accept: application/octet-stream\r\n"
#define BYTES     "application/octet-stream"

static char *jpeg, *png; /* of 61 x 47 pixels */
static size_t jpeg_size, png_size;

static void start(void)
{
    jpeg = read_file("tests/golden/images/color-444.jpg", &jpeg_size);
    png = read_file("tests/golden/images/color.png", &png_size);
    DAEMON_START(&server, "--model", "deploy/models/fashion-resnet", "--model",
                 "colour=tests/golden/cases/onnx-linear-gates-16.onnx", "--max-image-pixels",
                 "20000", "--queue-samples", "40");
}

static void stop(void)
{
    free(jpeg);
    free(png);
    server_stop();
}

/* A form that grows by parts. */
struct form {
    char at[MOST];
    size_t size;
};

static void add_bytes(struct form *form, const void *bytes, size_t size)
{
    ck_assert_uint_le(form->size + size, MOST);
    if (size) memcpy(form->at + form->size, bytes, size);
    form->size += size;
}

static void add(struct form *form, const char *name, const char *type, const void *bytes,
                size_t size)
{
    char head[300];
    const int length = snprintf(
        head, sizeof head, "--XbX\r\nContent-Disposition: form-data; name=\"%s\"%s%s%s\r\n\r\n",
        name, *type ? "; filename=\"f\"\r\n" : "", *type ? "Content-Type: " : "", type);
    add_bytes(form, head, (size_t)length);
    add_bytes(form, bytes, size);
    add_bytes(form, "\r\n", 2);
}

static void add_text(struct form *form, const char *name, const char *text)
{
    add(form, name, "", text, strlen(text));
}

static struct response post(const char *target, const char *headers, struct form *form)
{
    char all[300];
    snprintf(all, sizeof all, MULTIPART "%s", headers);
    add_bytes(form, "--XbX--\r\n", 9);
    struct response answer = client_ask(server.port, "POST", target, all, form->at, form->size);
    form->size = 0;
    return answer;
}

/* The outputs of one picture that is sent alone; to be freed. */
static struct response alone(const char *target, const char *headers, const void *bytes,
                             size_t size)
{
    struct response answer = client_ask(server.port, "POST", target, headers, bytes, size);
    ck_assert_msg(answer.status == 200, "%s: %s", target, answer.body);
    return answer;
}

START_TEST(pictures_are_samples_in_order)
{
    static const char *const targets[] = {"/infer", "/infer?model=colour"};
    static const char *const names[] = {"data", "a", "data", ""};
    for (size_t i = 0; i < 2; i++) {
        struct response one = alone(targets[i], RAW, jpeg, jpeg_size);
        struct response two = alone(targets[i], RAW, png, png_size);
        ck_assert(one.size == two.size && memcmp(one.body, two.body, one.size) != 0);
        struct form form = {.size = 0};
        for (size_t k = 0; k < 4; k++)
            add(&form, names[k], k % 2 ? "" : BYTES, k == 2 ? png : jpeg,
                k == 2 ? png_size : jpeg_size);
        struct response all = post(targets[i], RAW, &form);
        ck_assert_msg(all.status == 200, "%s", all.body);
        ck_assert_uint_eq(all.size, 4 * one.size);
        for (size_t k = 0; k < 4; k++)
            ck_assert_mem_eq(all.body + k * one.size, k == 2 ? two.body : one.body, one.size);
        response_free(&one);
        response_free(&two);
        response_free(&all);
    }
}
END_TEST

static json_t *parse(struct response *answer)
{
    ck_assert_msg(answer->status == 200, "%d %s", answer->status, answer->body);
    json_t *root = json_loads(answer->body, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(root);
    response_free(answer);
    return root;
}

static void expect_fields(const char *target, const char *model, size_t top_k)
{
    struct form form = {.size = 0};
    add_text(&form, "top_k", "3");
    add_text(&form, "model", "colour");
    add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    add_text(&form, "timeout_ms", "60000");
    add_text(&form, "priority", "1");
    add_text(&form, "id", "r\xc3\xa9-1");
    struct response answer = post(target, "", &form);
    json_t *root = parse(&answer);
    ck_assert_str_eq(json_string_value(json_object_get(root, "model")), model);
    ck_assert_str_eq(json_string_value(json_object_get(root, "id")), "r\xc3\xa9-1");
    const json_t *top = json_object_get(root, "top");
    ck_assert_uint_eq(json_array_size(json_array_get(top, 0)), top_k);
    json_decref(root);
}

START_TEST(fields_count_as_in_the_query)
{
    expect_fields("/infer", "colour", 3);
    expect_fields("/infer?top_k=2", "colour", 2);
    expect_fields("/infer?top_k=1&model=fashion-resnet", "fashion-resnet", 1);
    await_metric("resnetd_model_requests_total{model=\"colour\",priority=\"high\"}", 2);
}
END_TEST

/* The picture is made for the model that a field names. */
START_TEST(a_model_has_its_own_pictures)
{
    struct form form = {.size = 0};
    struct response want = alone("/infer?model=colour", RAW, jpeg, jpeg_size);
    add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    add_text(&form, "model", "colour");
    struct response answer = post("/infer", RAW, &form);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.size, want.size);
    ck_assert_mem_eq(answer.body, want.body, want.size);
    response_free(&answer);
    response_free(&want);
}
END_TEST

static float image[2 * PIXELS];

static size_t write_npy(char *file)
{
    static const char header[] =
        "\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1, 28, 28), }";
    memset(file, ' ', 128);
    memcpy(file, header, sizeof header - 1);
    file[127] = '\n';
    memcpy(file + 128, image, sizeof image);
    return 128 + sizeof image;
}

static size_t write_json(char *text, const char *more)
{
    size_t used = (size_t)sprintf(text, "{%s\"shape\":[2,1,28,28],\"input\":[", more);
    for (size_t i = 0; i < 2 * PIXELS; i++)
        used += (size_t)sprintf(text + used, i ? ",%.9g" : "%.9g", (double)image[i]);
    return used + (size_t)sprintf(text + used, "]}");
}

START_TEST(data_may_be_a_tensor)
{
    static char npy[128 + sizeof image], json[40000];
    for (size_t i = 0; i < 2 * PIXELS; i++) image[i] = (float)(i % 23) / 22;
    struct response want = alone("/infer", RAW "Content-Type: " BYTES "\r\n", image, sizeof image);
    const size_t npy_size = write_npy(npy), json_size = write_json(json, "");
    const struct {
        const char *type;
        const void *bytes;
        size_t size;
    } parts[] = {{BYTES, image, sizeof image},
                 {"", image, sizeof image},
                 {"binary/octet-stream", image, sizeof image},
                 {"application/x-npy", npy, npy_size},
                 {BYTES, npy, npy_size},
                 {"", npy, npy_size},
                 {"application/json", json, json_size},
                 {BYTES, json, json_size},
                 {"", json, json_size},
                 {"text/plain; charset=utf-8", json, json_size}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct form form = {.size = 0};
        add(&form, "data", parts[i].type, parts[i].bytes, parts[i].size);
        struct response answer = post("/infer", RAW, &form);
        ck_assert_msg(answer.status == 200, "%zu: %s", i, answer.body);
        ck_assert_uint_eq(answer.size, want.size);
        ck_assert_mem_eq(answer.body, want.body, want.size);
        response_free(&answer);
    }
    response_free(&want);
    /* what stands in the JSON counts too, after the fields */
    struct form form = {.size = 0};
    const size_t size = write_json(json, "\"top_k\":4,\"id\":\"inner\",");
    add(&form, "data", "application/json", json, size);
    add_text(&form, "id", "outer");
    struct response answer = post("/infer", "", &form);
    json_t *root = parse(&answer);
    ck_assert_str_eq(json_string_value(json_object_get(root, "id")), "outer");
    ck_assert_uint_eq(json_array_size(json_array_get(json_object_get(root, "top"), 1)), 4);
    json_decref(root);
}
END_TEST

static const struct {
    const char *name, *type, *text;
    int status;
    const char *error;
} refused[] = {
    {"x", "", "7", 400,
     "part 2 'x': no JPEG or PNG, and no such field; known are data, top_k, timeout_ms, priority, "
     "model and id"},
    {"topk", "", "5", 400, "part 2 'topk': no JPEG"},
    {"", "", "5", 400, "part 2: no JPEG"},
    {"data", "", "", 400, "part 2 'data': is empty"},
    {"file", "image/jpeg", "", 400, "part 2 'file': is empty"},
    {"data", "", "no picture", 400,
     "part 2 'data': a tensor beside pictures, as part 1 'data'; send one or the other"},
    {"data", "text/html", "<p>", 415, "part 2 'data': Content-Type text/html is not taken here"},
    {"data", "image/jpeg", "no picture", 422, "part 2 'data': image: neither JPEG nor PNG"},
    {"a", "image/gif", "GIF89a", 415, "part 2 'a': a GIF picture: send JPEG or PNG"},
    {"a", "", "\xff\xd8\xff\xe0", 422, "part 2 'a': image: "},
    {"top_k", "", "x", 400, "part 2 'top_k': not a whole number from 0 to 1000000"},
    {"top_k", "", "5 ", 400, "part 2 'top_k': not a whole number"},
    {"top_k", "", "", 400, "part 2 'top_k': is empty"},
    {"top_k", "", "18446744073709551617", 400, "part 2 'top_k': not a whole number"},
    {"timeout_ms", "", "0", 400, "part 2 'timeout_ms': not a whole number from 1 to 86400000"},
    {"priority", "", "-1", 400, "part 2 'priority': not a whole number from 0 to 1000000"},
    {"model", "", "none", 404, "no model 'none'; GET /v2/models lists them"},
    {"id", "", "a\nb", 400, "part 2 'id': a control character"},
    {"id", "", "\xc3", 400, "part 2 'id': not UTF-8"},
    {"id\"\r\nContent-Transfer-Encoding: base64\r\nX: \"", "", "Nw==", 400,
     "part 2 'id': is encoded as base64; send its bytes as they are"},
};

START_TEST(parts_that_are_refused)
{
    static const char *const targets[] = {"/infer", "/predictions/fashion-resnet"};
    for (size_t i = 0; i < 2; i++) {
        struct form form = {.size = 0};
        if (i == 1 && refused[_i].status == 404) break; /* the path names the model */
        add(&form, "data", "image/jpeg", jpeg, jpeg_size);
        add(&form, refused[_i].name, refused[_i].type, refused[_i].text, strlen(refused[_i].text));
        expect_error_with(post(targets[i], "", &form), refused[_i].status, refused[_i].error);
    }
}
END_TEST

START_TEST(forms_that_are_refused)
{
    struct form form = {.size = 0};
    add_text(&form, "top_k", "5");
    expect_error(post("/infer", "", &form), 400,
                 "body: no part of the form is a picture or a tensor");
    add(&form, "data", BYTES, image, sizeof image);
    add(&form, "data", BYTES, image, sizeof image);
    expect_error(post("/infer", "", &form), 400,
                 "part 2 'data': a second tensor, after part 1 'data'");
    add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    add_text(&form, "id", "1");
    add_text(&form, "id", "1");
    expect_error(post("/infer", "", &form), 400, "part 3 'id': is there twice");
    add(&form, "data", BYTES, image, 100);
    expect_error(post("/infer", "", &form), 400,
                 "part 1 'data': body: 100 bytes, want whole samples of 3136 bytes (784 float32 "
                 "each)");
    add_text(&form, "data", "{\"input\":[[1,2],[3]]}");
    expect_error(post("/infer", "", &form), 400,
                 "part 1 'data': byte 18: input[1]: 1 numbers, 2 needed");
    add_text(&form, "data", "{\"input\":[[1,2],[3,4]]}");
    expect_error(post("/infer", "", &form), 400,
                 "part 1 'data': input: shape [2,2], model fashion-resnet needs [N,1,28,28] or "
                 "[1,28,28]");
    add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    add(&form, "data", "image/png", png, 100);
    expect_error_with(post("/infer", "", &form), 422, "part 2 'data': image: ");
    add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    add_text(&form, "id", "1");
    expect_error(post("/predictions/fashion-resnet", "", &form), 400,
                 "id: this answer has no place for it");
}
END_TEST

START_TEST(limits_are_those_of_all_parts)
{
    struct form form = {.size = 0};
    for (size_t i = 0; i < 12; i++) add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    expect_error_with(post("/infer", "", &form), 413,
                      "'data': with it the pictures have more pixels than --max-image-pixels "
                      "allows for all of a body: 20000");
    memset(image, 0, sizeof image);
    for (size_t i = 0; i < 41; i++) add_text(&form, "data", "\xff\xd8\xff\xe0");
    expect_error_with(post("/infer", "", &form), 413, "more than the 31360 numbers");
    expect_alive();
}
END_TEST

START_TEST(a_deadline_in_a_field_passes)
{
    struct daemon slow, other = server;
    struct form form = {.size = 0};
    DAEMON_START(&slow, "--max-delay", "3000000");
    add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    add_text(&form, "timeout_ms", "50");
    server = slow;
    expect_error(post("/infer", "", &form), 504, "the deadline of 50 ms passed");
    server_stop();
    server = other;
}
END_TEST

/* One picture is an object of labels, as TorchServe answers; several are a list of these. */
START_TEST(predictions)
{
    struct form form = {.size = 0};
    const char *target = "/predictions/fashion-resnet";
    json_t *want = json_array();
    struct response answer = alone(target, "", jpeg, jpeg_size);
    json_array_append_new(want, parse(&answer));
    answer = alone(target, "", png, png_size);
    json_array_append_new(want, parse(&answer));
    add(&form, "data", "image/jpeg", jpeg, jpeg_size);
    add(&form, "file", "image/png", png, png_size);
    answer = post(target, "", &form);
    json_t *got = parse(&answer);
    ck_assert(json_equal(got, want));
    json_decref(got);
    for (int i = 0; i < 2; i++) { /* the field, and the query before it */
        add(&form, "data", "image/jpeg", jpeg, jpeg_size);
        add_text(&form, "top_k", i ? "7" : "2");
        answer = post(i ? "/predictions/fashion-resnet?top_k=2" : target, "", &form);
        got = parse(&answer);
        ck_assert(json_is_object(got));
        ck_assert_uint_eq(json_object_size(got), 2);
        json_decref(got);
    }
    json_decref(want);
    expect_error(
        client_ask(server.port, "POST", "/predictions/fashion-resnet?top_k=0", "", jpeg, jpeg_size),
        400, "top_k: this answer is the 1 to 1000 best classes");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("forms");
    TCase *tests = tcase_create("forms");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, stop);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, pictures_are_samples_in_order);
    tcase_add_test(tests, fields_count_as_in_the_query);
    tcase_add_test(tests, a_model_has_its_own_pictures);
    tcase_add_test(tests, data_may_be_a_tensor);
    tcase_add_loop_test(tests, parts_that_are_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tests, forms_that_are_refused);
    tcase_add_test(tests, limits_are_those_of_all_parts);
    tcase_add_test(tests, a_deadline_in_a_field_passes);
    tcase_add_test(tests, predictions);
    return run_suite(suite);
}
