/* Extensions of the Open Inference Protocol: what GET /v2 names is there. Statistics and the
 * model's configuration here, the repository in repository_test.c; and requests as NVIDIA's Python
 * client writes them, byte for byte. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "http/fixture.h"

#include "check_main.h"

#define MODEL "/v2/models/fashion-resnet"

static float image[2 * 784];

static void start(void)
{
    DAEMON_START(&server, "--max-batch", "4", "--max-delay", "700", "--model-control", "explicit");
    for (size_t i = 0; i < 784; i++) image[i] = image[784 + i] = (float)(i % 7) / 7;
}

static json_t *parse(const struct response *answer)
{
    json_t *root = json_loads(answer->body, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(answer->status == 200 && root, "%d %s", answer->status, answer->body);
    return root;
}

static json_t *get(const char *target)
{
    struct response answer = client_get(server.port, target);
    json_t *root = parse(&answer);
    response_free(&answer);
    return root;
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_integer(value), "%s", key);
    return json_integer_value(value);
}

START_TEST(the_list)
{
    static const char *const names[] = {"binary_tensor_data", "classification",
                                        "schedule_policy",    "statistics",
                                        "model_repository",   "model_configuration"};
    json_t *root = get("/v2"), *list = json_object_get(root, "extensions");
    ck_assert_uint_eq(json_array_size(list), 6);
    for (size_t i = 0; i < 6; i++)
        ck_assert_str_eq(json_string_value(json_array_get(list, i)), names[i]);
    json_decref(root);
}
END_TEST

START_TEST(configuration)
{
    static const char *const targets[] = {MODEL "/config", MODEL "/versions/1/config"};
    for (size_t i = 0; i < 2; i++) {
        struct response answer = client_get(server.port, targets[i]);
        ck_assert_str_eq(answer.body, "{\"name\":\"fashion-resnet\",\"platform\":\"resnetd\",\"max_"
                                      "batch_size\":4,\"input\":[{"
                                      "\"name\":\"input\",\"data_type\":\"TYPE_FP32\",\"format\":"
                                      "\"FORMAT_NCHW\",\"dims\":[1,28,"
                                      "28]}],\"output\":[{\"name\":\"output\",\"data_type\":\"TYPE_"
                                      "FP32\",\"dims\":[10],\"label_"
                                      "filename\":\"labels.txt\"}],\"dynamic_batching\":{\"max_"
                                      "queue_delay_microseconds\":700}}"
                                      "\n");
        response_free(&answer);
    }
    struct response answer = client_get(server.port, MODEL "/versions/2/config");
    ck_assert_int_eq(answer.status, 404);
    response_free(&answer);
}
END_TEST

/* The statistics of the one model in an answer. */
static json_t *statistics(const char *target, json_t **root)
{
    *root = get(target);
    json_t *list = json_object_get(*root, "model_stats");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array_get(list, i);
        if (!strcmp(json_string_value(json_object_get(row, "name")), "fashion-resnet")) return row;
    }
    ck_abort_msg("no fashion-resnet in %s", target);
}

/* Two good requests of one and of two samples, and a bad one: every number of it. */
START_TEST(statistics_count)
{
    static const char *const keys[] = {"success",       "fail",          "queue",
                                       "compute_input", "compute_infer", "compute_output",
                                       "cache_hit",     "cache_miss"};
    static const json_int_t want[] = {2, 1, 2, 2, 2, 2, 0, 0};
    static const char *const targets[] = {MODEL "/stats", MODEL "/versions/1/stats",
                                          "/v2/models/stats"};
    static const int status[] = {200, 200, 400};
    static const size_t bytes[] = {784 * 4, 2 * 784 * 4, 100};
    for (size_t i = 0; i < 3; i++) {
        struct response answer =
            client_ask(server.port, "POST", "/infer?model=fashion-resnet",
                       "Content-Type: application/octet-stream\r\n", image, bytes[i]);
        ck_assert_int_eq(answer.status, status[i]);
        response_free(&answer);
    }
    for (size_t i = 0; i < 3; i++) {
        json_t *root, *row = statistics(targets[i], &root);
        ck_assert_uint_eq(json_array_size(json_object_get(root, "model_stats")), i < 2 ? 1 : 2);
        ck_assert_str_eq(json_string_value(json_object_get(row, "version")), "1");
        ck_assert_int_le(llabs(number(row, "last_inference") / 1000 - time(NULL)), 120);
        ck_assert_int_eq(number(row, "inference_count"), 3);
        ck_assert_int_eq(number(row, "execution_count"), 2);
        json_t *stats = json_object_get(row, "inference_stats");
        ck_assert_uint_eq(json_object_size(stats), 8);
        for (size_t k = 0; k < 8; k++) {
            const json_t *leaf = json_object_get(stats, keys[k]);
            ck_assert_msg(number(leaf, "count") == want[k], "%s %d", keys[k],
                          (int)number(leaf, "count"));
            ck_assert_int_eq(number(leaf, "ns") > 0, want[k] > 0);
        }
        ck_assert_int_ge(number(json_object_get(stats, "success"), "ns"),
                         number(json_object_get(stats, "compute_infer"), "ns"));
        ck_assert(json_is_object(json_object_get(row, "response_stats")));
        json_t *batches = json_object_get(row, "batch_stats");
        ck_assert_uint_eq(json_array_size(batches), 2);
        for (size_t b = 0; b < 2; b++) {
            const json_t *batch = json_array_get(batches, b);
            ck_assert_int_eq(number(batch, "batch_size"), (json_int_t)b + 1);
            for (size_t k = 3; k < 6; k++)
                ck_assert_int_eq(number(json_object_get(batch, keys[k]), "count"), 1);
        }
        const json_t *memory = json_array_get(json_object_get(row, "memory_usage"), 0);
        ck_assert_str_eq(json_string_value(json_object_get(memory, "type")), "CPU");
        ck_assert_int_eq(number(memory, "id"), 0);
        ck_assert_int_gt(number(memory, "byte_size"), 1 << 20);
        json_decref(root);
    }
}
END_TEST

/* Sends the head with the client's own lines, "\r\n" behind it, and the body. */
static struct response send_like_client(const char *head, const void *body, size_t size)
{
    char text[600];
    const int length = snprintf(text, sizeof text,
                                "%s\r\nuser-agent: python/gevent-http-client-2.0.8\r\n"
                                "host: 127.0.0.1:%u\r\n",
                                head, server.port);
    const int fd = client_open(server.port);
    size_t end = (size_t)length;
    if (body)
        end += (size_t)snprintf(text + end, sizeof text - end, "content-length: %zu\r\n", size);
    end += (size_t)snprintf(text + end, sizeof text - end, "\r\n");
    ck_assert(client_send(fd, text, end));
    ck_assert(!body || client_send(fd, body, size));
    struct response answer = client_receive(fd);
    close(fd);
    return answer;
}

/* No Content-Type, no Content-Length where there is no body, names in lower case. */
START_TEST(the_python_clients_repository)
{
    static const char *const states[] = {"READY", "UNAVAILABLE", "READY"};
    static const struct {
        const char *head, *body;
    } changes[] = {
        {"POST /v2/repository/models/fashion-reslayer/unload HTTP/1.1",
         "{\"parameters\":{\"unload_dependents\":false}}"},
        {"POST /v2/repository/models/fashion-reslayer/load HTTP/1.1", "{}"},
    };
    for (size_t i = 0; i < 3; i++) {
        struct response answer = send_like_client("POST /v2/repository/index HTTP/1.1", NULL, 0);
        json_t *index = parse(&answer);
        ck_assert_uint_eq(json_array_size(index), 2);
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(index, 1), "state")),
                         states[i]);
        json_decref(index);
        response_free(&answer);
        if (i == 2) break;
        answer = send_like_client(changes[i].head, changes[i].body, strlen(changes[i].body));
        ck_assert_msg(answer.status == 200, "%s", answer.body);
        response_free(&answer);
    }
}
END_TEST

START_TEST(the_python_clients_infer)
{
    static const char json[] =
        "{\"inputs\":[{\"name\":\"input\",\"shape\":[1,1,28,28],\"datatype\":\"FP32\","
        "\"parameters\":{\"binary_data_size\":3136}}],\"outputs\":[{\"name\":\"output\","
        "\"parameters\":{\"binary_data\":true}}]}";
    enum { JSON = sizeof json - 1 };
    char body[JSON + 3136];
    char value[24] = "";
    memcpy(body, json, JSON);
    memcpy(body + JSON, image, 3136);
    struct response answer =
        send_like_client("POST " MODEL "/infer HTTP/1.1\r\naccept-encoding: gzip\r\n"
                         "inference-header-content-length: 170",
                         body, sizeof body);
    ck_assert_int_eq(JSON, 170);
    ck_assert_msg(answer.status == 200, "%s", answer.body);
    ck_assert(!response_header(&answer, "Content-Encoding", value, sizeof value)); // too short
    ck_assert(response_header(&answer, "Inference-Header-Content-Length", value, sizeof value));
    const size_t header = strtoul(value, NULL, 10);
    ck_assert_uint_eq(answer.size, header + 40);
    struct response raw = client_ask(server.port, "POST", "/infer?model=fashion-resnet",
                                     "Content-Type: application/octet-stream\r\n"
                                     "Accept: application/octet-stream\r\n",
                                     image, 3136);
    ck_assert_uint_eq(raw.size, 40);
    ck_assert_mem_eq(answer.body + header, raw.body, 40);
    response_free(&raw);
    response_free(&answer);
    // a body is owed here: without a length it has been forgotten
    answer = send_like_client("POST " MODEL "/infer HTTP/1.1", NULL, 0);
    ck_assert_int_eq(answer.status, 411);
    response_free(&answer);
}
END_TEST

/* NVIDIA's asyncio client asks for gzip always, and reads it from infer alone. */
START_TEST(only_outputs_are_compressed)
{
    struct response answer = client_ask(server.port, "GET", "/v2/models/stats",
                                        "Accept-Encoding: gzip, deflate\r\n", NULL, 0);
    char value[24];
    ck_assert_uint_gt(answer.size, 1024);
    ck_assert(!response_header(&answer, "Content-Encoding", value, sizeof value));
    json_decref(parse(&answer));
    response_free(&answer);
    enum { SAMPLES = 60 };
    char *body = calloc(SAMPLES, 784 * 4);
    answer = client_ask(server.port, "POST", MODEL "/infer",
                        "Accept-Encoding: gzip, deflate\r\nInference-Header-Content-Length: 0\r\n",
                        body, SAMPLES * (size_t)784 * 4);
    free(body);
    ck_assert_int_eq(answer.status, 200);
    ck_assert(response_header(&answer, "Content-Encoding", value, sizeof value));
    ck_assert_str_eq(value, "gzip");
    response_free(&answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("extensions");
    TCase *tests = tcase_create("extensions");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, server_stop);
    tcase_add_test(tests, the_list);
    tcase_add_test(tests, configuration);
    tcase_add_test(tests, statistics_count);
    tcase_add_test(tests, the_python_clients_repository);
    tcase_add_test(tests, the_python_clients_infer);
    tcase_add_test(tests, only_outputs_are_compressed);
    return run_suite(suite);
}
