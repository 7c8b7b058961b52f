/* What clients of TF Serving and TorchServe ask, beside the predictions of protocols_test.c. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/fixture.h"

#include "check_main.h"

static char *picture;
static size_t picture_size;

static void start(void)
{
    picture = read_file("tests/golden/images/alpha.png", &picture_size);
    DAEMON_START(&server, NULL);
}

static void stop(void)
{
    free(picture);
    server_stop();
}

START_TEST(questions)
{
    static const char status[] = "{\"name\":\"fashion-resnet\",\"ready\":true,\"model_version_"
                                 "status\":[{\"version\":\"1\",\"state\":\"AVAILABLE\",\"status\":{"
                                 "\"error_code\":\"OK\",\"error_message\":\"\"}}]}\n";
    expect_get("/v1/models", 200, "{\"models\":[\"fashion-resnet\",\"fashion-reslayer\"]}\n");
    expect_get("/v1/models/fashion-resnet", 200, status);
    expect_get("/v1/models/fashion-resnet/versions/1", 200, status);
    expect_get("/v1/models/fashion-resnet/versions/3", 404,
               "{\"error\":\"model fashion-resnet has no version 3, only 1\"}\n");
    expect_get("/v1/models/none", 404, "{\"error\":\"no model none\"}\n");
    expect_get("/v1/models/fashion-resnet:predict", 405,
               "{\"error\":\"GET is not a method of this path, which has POST\"}\n");
    expect_get("/ping", 200, "{\"status\":\"Healthy\"}\n");
}
END_TEST

/* The five best of POST /infer?top_k=5, by label. */
static json_t *want(void)
{
    struct response answer = client_ask(
        server.port, "POST", "/infer?top_k=5&model=fashion-reslayer", "", picture, picture_size);
    ck_assert_msg(answer.status == 200, "%s", answer.body);
    json_t *root = json_loads(answer.body, 0, NULL), *labels = json_object(), *row;
    json_t *top = json_array_get(json_object_get(root, "top"), 0);
    size_t i;
    json_array_foreach(top, i, row)
    {
        json_object_set(labels, json_string_value(json_object_get(row, "label")),
                        json_object_get(row, "score"));
    }
    ck_assert_uint_eq(json_object_size(labels), 5);
    json_decref(root);
    response_free(&answer);
    return labels;
}

static void expect_labels(const char *method, const char *target, const char *headers,
                          const void *body, size_t size, const json_t *labels)
{
    struct response answer = client_ask(server.port, method, target, headers, body, size);
    ck_assert_msg(answer.status == 200, "%s %s: %s", method, target, answer.body);
    json_t *got = json_loads(answer.body, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(json_equal(got, labels), "%s", answer.body);
    json_decref(got);
    response_free(&answer);
}

START_TEST(predictions)
{
    static const char *const targets[] = {"/predictions/fashion-reslayer",
                                          "/predictions/fashion-reslayer/1"};
    static const char *const headers[] = {"", "Content-Type: application/octet-stream\r\n",
                                          "Content-Type: image/png\r\n",
                                          "Content-Type: application/x-www-form-urlencoded\r\n"};
    json_t *labels = want();
    for (size_t i = 0; i < 8; i++)
        expect_labels(i % 2 ? "PUT" : "POST", targets[i % 2], headers[i / 2], picture, picture_size,
                      labels);
    char *form = malloc(picture_size + 300);
    size_t size = (size_t)snprintf(
        form, 200, "--B\r\nContent-Disposition: form-data; name=\"data\"; filename=\"f\"\r\n\r\n");
    memcpy(form + size, picture, picture_size);
    size += picture_size;
    size += (size_t)snprintf(form + size, 20, "\r\n--B--\r\n");
    expect_labels("POST", targets[0], "Content-Type: multipart/form-data; boundary=B\r\n", form,
                  size, labels);
    free(form);
    json_decref(labels);
}
END_TEST

START_TEST(predictions_refused)
{
    static const struct {
        const char *target, *headers;
        int status;
    } cases[] = {
        {"/predictions/none", "", 404},
        {"/predictions/fashion-resnet/2", "", 404},
        {"/predictions/fashion-resnet", "Content-Type: application/json\r\n", 415},
        {"/predictions/fashion-resnet", "Content-Type: application/x-npy\r\n", 415},
        {"/predictions/fashion-resnet", "Content-Type: image/gif\r\n", 422}, // what it is counts
        {"/predictions/fashion-resnet", "Content-Type: multipart/form-data\r\n", 400},
        {"/predictions/fashion-resnet", "", 422},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct response answer =
            client_ask(server.port, "POST", cases[i].target, cases[i].headers, "{}", 2);
        ck_assert_msg(answer.status == cases[i].status, "%zu: %d %s", i, answer.status,
                      answer.body);
        ck_assert_ptr_nonnull(strstr(answer.body, "{\"error\":\""));
        response_free(&answer);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shims");
    TCase *tests = tcase_create("shims");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, stop);
    tcase_add_test(tests, questions);
    tcase_add_test(tests, predictions);
    tcase_add_test(tests, predictions_refused);
    return run_suite(suite);
}
