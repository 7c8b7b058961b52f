/* POST /infer: all forms of a body agree, batches are made and split, neighbours don't matter. */
#include <glob.h>
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "http/fixture.h"
#include "http/fashion.h"

#include "check_main.h"

enum { PIXELS = FASHION_PIXELS, CLASSES = FASHION_CLASSES };

static struct fashion fashion;

static void start(void)
{
    DAEMON_START(&server, "--max-batch", "8", "--max-delay", "20000");
    ck_assert_msg(fashion_load(&fashion), "no test images: apt-get install dataset-fashion-mnist");
}

static void stop(void)
{
    fashion_free(&fashion);
    server_stop();
}

static const float *image(size_t i)
{
    return fashion.image + i * PIXELS;
}

/* The images first .. first + n as JSON: nested arrays, or flat with a shape; to be freed. */
static char *to_json(size_t first, size_t n, bool nested, const char *more)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "{%s\"input\":[", more);
    for (size_t i = 0; i < n * PIXELS; i++) {
        if (nested && i % PIXELS == 0) fputs(i ? ",[[" : "[[", out);
        if (nested && i % 28 == 0) fputs(i % PIXELS ? ",[" : "[", out);
        fprintf(out, "%s%.9g", i % (nested ? 28 : SIZE_MAX) ? "," : "", (double)image(first)[i]);
        if (nested && i % 28 == 27) fputs("]", out);
        if (nested && i % PIXELS == PIXELS - 1) fputs("]]", out);
    }
    fputs("]", out);
    if (!nested) fprintf(out, ",\"shape\":[%zu,1,28,28]", n);
    fputs("}", out);
    fclose(out);
    return text;
}

/* The outputs of an answer in JSON, n x CLASSES. */
static void read_json(const struct response *response, size_t n, float *output)
{
    ck_assert_msg(response->status == 200, "%d: %s", response->status,
                  response->body ? response->body : "no answer");
    json_t *root = json_loadb(response->body, response->size, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(root);
    const json_t *shape = json_object_get(root, "shape"), *rows = json_object_get(root, "output");
    ck_assert_uint_eq(json_array_size(shape), 2);
    ck_assert_uint_eq((size_t)json_integer_value(json_array_get(shape, 0)), n);
    ck_assert_uint_eq((size_t)json_integer_value(json_array_get(shape, 1)), CLASSES);
    ck_assert_uint_eq(json_array_size(rows), n);
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i);
        ck_assert_uint_eq(json_array_size(row), CLASSES);
        for (size_t c = 0; c < CLASSES; c++)
            output[i * CLASSES + c] = (float)json_number_value(json_array_get(row, c));
    }
    json_decref(root);
}

/* Posts raw float32, gets raw float32: n images from the first on; false: no such answer. */
static bool ask_raw(size_t first, size_t n, float *output)
{
    struct response response =
        client_ask(server.port, "POST", "/infer",
                   "Content-Type: application/octet-stream\r\nAccept: application/octet-stream\r\n",
                   image(first), n * PIXELS * sizeof(float));
    const bool good = response.status == 200 && response.size == n * CLASSES * sizeof(float);
    if (good) memcpy(output, response.body, response.size);
    response_free(&response);
    return good;
}

static void expect_close(const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n * CLASSES; i++)
        ck_assert_msg(fabsf(got[i] - want[i]) <= 1e-5f * 16, "output %zu: %g, want %g", i,
                      (double)got[i], (double)want[i]);
}

START_TEST(all_forms_agree)
{
    float raw[3 * CLASSES], other[3 * CLASSES];
    ck_assert(ask_raw(0, 3, raw));
    for (int nested = 0; nested < 2; nested++) {
        char *body = to_json(0, 3, nested, "");
        struct response response = client_post_json(server.port, "/infer", body);
        read_json(&response, 3, other);
        ck_assert_mem_eq(other, raw, sizeof raw); /* to the last bit: decimals are exact */
        response_free(&response);
        free(body);
    }
}
END_TEST

START_TEST(one_sample_needs_no_batch_dimension)
{
    float raw[CLASSES], other[CLASSES];
    char *whole = to_json(5, 1, true, ""), *at = strstr(whole, "[[["), *end = strrchr(whole, ']');
    ck_assert(ask_raw(5, 1, raw));
    memmove(at, at + 1, strlen(at)); /* [[[[..]]]] -> [[[..]]] */
    end[-1] = '}';
    end[0] = '\0';
    struct response response = client_post_json(server.port, "/infer", whole);
    read_json(&response, 1, other);
    ck_assert_mem_eq(other, raw, sizeof raw);
    response_free(&response);
    free(whole);
}
END_TEST

START_TEST(curl_without_a_content_type)
{
    char *body = to_json(0, 1, true, "");
    struct response response =
        client_ask(server.port, "POST", "/infer?top_k=1",
                   "Content-Type: application/x-www-form-urlencoded\r\n", body, strlen(body));
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_nonnull(
        strstr(response.body, "\"top\":[[{\"class\":9,\"label\":\"Ankle boot\","));
    response_free(&response);
    free(body);
}
END_TEST

START_TEST(top_k_is_softmax_best_first)
{
    float output[2 * CLASSES];
    char *body = to_json(10, 2, false, "\"top_k\":3,\"id\":\"r-1\",");
    struct response response = client_post_json(server.port, "/infer", body);
    read_json(&response, 2, output);
    json_t *root = json_loads(response.body, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(root, "id")), "r-1");
    ck_assert_str_eq(json_string_value(json_object_get(root, "model")), "fashion-resnet");
    ck_assert_str_eq(json_string_value(json_object_get(root, "model_version")), "1");
    const json_t *top = json_object_get(root, "top");
    ck_assert_uint_eq(json_array_size(top), 2);
    for (size_t i = 0; i < 2; i++) {
        const float *logits = output + i * CLASSES;
        double sum = 0, before = 2;
        for (size_t c = 0; c < CLASSES; c++) sum += exp((double)logits[c]);
        ck_assert_uint_eq(json_array_size(json_array_get(top, i)), 3);
        for (size_t k = 0; k < 3; k++) {
            const json_t *entry = json_array_get(json_array_get(top, i), k);
            const size_t cls = (size_t)json_integer_value(json_object_get(entry, "class"));
            const double score = json_number_value(json_object_get(entry, "score"));
            ck_assert_uint_lt(cls, CLASSES);
            ck_assert_double_eq_tol(score, exp((double)logits[cls]) / sum, 1e-6);
            ck_assert_double_le(score, before);
            ck_assert_ptr_nonnull(json_string_value(json_object_get(entry, "label")));
            before = score;
        }
    }
    json_decref(root);
    response_free(&response);
    response = client_post_json(server.port, "/infer?top_k=1", body); /* the query wins */
    root = json_loads(response.body, 0, NULL);
    ck_assert_uint_eq(json_array_size(json_array_get(json_object_get(root, "top"), 0)), 1);
    json_decref(root);
    response_free(&response);
    free(body);
}
END_TEST

START_TEST(models_are_chosen_by_name)
{
    char *body = to_json(0, 1, true, "\"model\":\"fashion-reslayer\",");
    static const struct {
        const char *target, *model;
    } cases[] = {{"/infer", "fashion-reslayer"}, {"/infer?model=fashion-resnet", "fashion-resnet"}};
    for (size_t i = 0; i < 2; i++) {
        struct response response = client_post_json(server.port, cases[i].target, body);
        json_t *root = json_loads(response.body, 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(root, "model")), cases[i].model);
        json_decref(root);
        response_free(&response);
    }
    free(body);
}
END_TEST

START_TEST(headers_tell_what_happened)
{
    char value[256] = "";
    struct response response =
        client_ask(server.port, "POST", "/infer",
                   "Content-Type: application/octet-stream\r\nX-Request-Id: my-id:7\r\n", image(0),
                   PIXELS * sizeof(float));
    ck_assert_int_eq(response.status, 200);
    ck_assert(response_header(&response, "X-Request-Id", value, sizeof value));
    ck_assert_str_eq(value, "my-id:7");
    ck_assert(response_header(&response, "X-Model-Digest", value, sizeof value));
    ck_assert_uint_eq(strlen(value), 16);
    ck_assert_uint_eq(strspn(value, "0123456789abcdef"), 16);
    ck_assert(response_header(&response, "Server-Timing", value, sizeof value));
    static const char *const stage[] = {"read", "parse", "queue", "infer", "encode"};
    const char *at = value;
    for (size_t i = 0; i < 5; i++) {
        char want[32];
        snprintf(want, sizeof want, "%s%s;dur=", i ? ", " : "", stage[i]);
        ck_assert_msg(!strncmp(at, want, strlen(want)), "%s", value);
        char *end;
        ck_assert_double_ge(strtod(at + strlen(want), &end), 0);
        at = end;
    }
    ck_assert_str_eq(at, ", batch;desc=\"1\"");
    response_free(&response);
    response = client_ask(server.port, "GET", "/livez", "X-Request-Id: a b\r\n", "", 0);
    ck_assert(response_header(&response, "X-Request-Id", value, sizeof value));
    ck_assert_uint_eq(strspn(value, "0123456789abcdef"), 16); /* not valid: ours instead */
    response_free(&response);
}
END_TEST

/* 100 samples through batches of 8, beside each of them alone. */
START_TEST(large_requests_are_split)
{
    enum { N = 100 };
    float *whole = calloc(N * CLASSES, sizeof *whole), alone[CLASSES];
    ck_assert(ask_raw(0, N, whole));
    for (size_t i = 0; i < N; i += 9) {
        ck_assert(ask_raw(i, 1, alone));
        expect_close(whole + i * CLASSES, alone, 1);
    }
    free(whole);
}
END_TEST

struct asker {
    pthread_t thread;
    size_t first, count;
    bool good;
    float output[8 * CLASSES];
};

static void *ask_in_thread(void *argument)
{
    struct asker *asker = argument;
    asker->good = ask_raw(asker->first, asker->count, asker->output);
    return NULL;
}

/* Clients at the same time share batches, and get what they get alone. */
START_TEST(neighbours_do_not_matter)
{
    enum { ASKERS = 24 };
    static struct asker asker[ASKERS];
    for (size_t i = 0; i < ASKERS; i++) {
        asker[i] = (struct asker){.first = 7 * i, .count = 1 + i % 5};
        ck_assert_int_eq(pthread_create(&asker[i].thread, NULL, ask_in_thread, &asker[i]), 0);
    }
    for (size_t i = 0; i < ASKERS; i++) pthread_join(asker[i].thread, NULL);
    for (size_t i = 0; i < ASKERS; i++) {
        float alone[8 * CLASSES];
        ck_assert(asker[i].good);
        ck_assert(ask_raw(asker[i].first, asker[i].count, alone));
        expect_close(asker[i].output, alone, asker[i].count);
    }
    /* and some batch really held more than one request can fill: the metrics know */
    struct response response = client_get(server.port, "/metrics");
    const char *sum = strstr(response.body, "resnetd_batch_samples_sum{model=\"fashion-resnet\"} ");
    const char *runs =
        strstr(response.body, "resnetd_batch_samples_count{model=\"fashion-resnet\"} ");
    const char *images = strstr(response.body, "resnetd_images_total{model=\"fashion-resnet\"} ");
    ck_assert(sum && runs && images);
    ck_assert_double_ge(strtod(strchr(sum, '}') + 1, NULL), strtod(strchr(runs, '}') + 1, NULL));
    ck_assert_double_eq(strtod(strchr(images, '}') + 1, NULL), strtod(strchr(sum, '}') + 1, NULL));
    response_free(&response);
}
END_TEST

/* With time to wait for company, eight requests of one sample become one batch of eight. */
START_TEST(concurrent_clients_share_a_batch)
{
    struct daemon patient;
    int fd[8];
    DAEMON_START(&patient, "--max-batch", "8", "--max-delay", "10000000");
    for (size_t i = 0; i < 8; i++) {
        fd[i] = client_open(patient.port);
        ck_assert(client_send_request(fd[i], "POST", "/infer",
                                      "Content-Type: application/octet-stream\r\n", image(i),
                                      PIXELS * sizeof(float)));
    }
    for (size_t i = 0; i < 8; i++) {
        char timing[256] = "";
        struct response response = client_receive(fd[i]);
        ck_assert_int_eq(response.status, 200);
        response_header(&response, "Server-Timing", timing, sizeof timing);
        ck_assert_ptr_nonnull(strstr(timing, "batch;desc=\"8\""));
        response_free(&response);
        close(fd[i]);
    }
    ck_assert_int_eq(daemon_stop(&patient, SIGTERM), 0);
}
END_TEST

/* One connection, many requests, mistakes in between: it is kept. */
START_TEST(connections_are_kept)
{
    const int fd = client_open(server.port);
    for (int i = 0; i < 20; i++) {
        const bool bad = i % 3 == 1;
        client_send_request(fd, "POST", bad ? "/infer?x=1" : "/infer",
                            "Content-Type: application/octet-stream\r\n", image((size_t)i),
                            PIXELS * sizeof(float));
        struct response response = client_receive(fd);
        ck_assert_int_eq(response.status, bad ? 400 : 200);
        ck_assert(!response.close);
        response_free(&response);
    }
    close(fd);
}
END_TEST

static size_t http_threads_of(pid_t pid)
{
    char path[64];
    glob_t tasks;
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%d/task/*/comm", (int)pid);
    ck_assert_int_eq(glob(path, 0, NULL, &tasks), 0);
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        char name[32] = "";
        FILE *file = fopen(tasks.gl_pathv[i], "r");
        if (!file) continue; // it has ended
        count += fgets(name, sizeof name, file) && !strncmp(name, "MHD-", 4);
        fclose(file);
    }
    globfree(&tasks);
    return count;
}

START_TEST(http_threads_are_as_many_as_asked_for)
{
    for (size_t threads = 1; threads <= 3; threads++) {
        char text[8];
        struct daemon daemon;
        snprintf(text, sizeof text, "%zu", threads);
        DAEMON_START(&daemon, "--http-threads", text);
        // each names itself once it runs
        for (size_t i = 0; i < 1000 && http_threads_of(daemon.pid) < threads; i++)
            clock_sleep(5 * NS_PER_MS);
        ck_assert_uint_eq(http_threads_of(daemon.pid), threads);
        ck_assert_int_eq(daemon_stop(&daemon, SIGTERM), 0);
    }
}
END_TEST

/* A body in chunks of 1, 2, 3, ... bytes gives the same answer. */
START_TEST(chunked_bodies)
{
    float raw[CLASSES], chunked[CLASSES];
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: test\r\nContent-Type: "
                               "application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    char *body = to_json(3, 1, false, "");
    const int fd = client_open(server.port);
    ck_assert(ask_raw(3, 1, raw));
    client_send(fd, head, sizeof head - 1);
    for (size_t at = 0, size = 1; body[at]; at += size, size++) {
        char line[16];
        if (size > strlen(body + at)) size = strlen(body + at);
        const int length = snprintf(line, sizeof line, "%zx\r\n", size);
        client_send(fd, line, (size_t)length);
        client_send(fd, body + at, size);
        client_send(fd, "\r\n", 2);
    }
    client_send(fd, "0\r\n\r\n", 5);
    struct response response = client_receive(fd);
    read_json(&response, 1, chunked);
    ck_assert_mem_eq(chunked, raw, sizeof raw);
    response_free(&response);
    close(fd);
    free(body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("infer");
    TCase *tests = tcase_create("infer");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, stop);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, all_forms_agree);
    tcase_add_test(tests, one_sample_needs_no_batch_dimension);
    tcase_add_test(tests, curl_without_a_content_type);
    tcase_add_test(tests, top_k_is_softmax_best_first);
    tcase_add_test(tests, models_are_chosen_by_name);
    tcase_add_test(tests, headers_tell_what_happened);
    tcase_add_test(tests, large_requests_are_split);
    tcase_add_test(tests, neighbours_do_not_matter);
    tcase_add_test(tests, concurrent_clients_share_a_batch);
    tcase_add_test(tests, connections_are_kept);
    tcase_add_test(tests, http_threads_are_as_many_as_asked_for);
    tcase_add_test(tests, chunked_bodies);
    return run_suite(suite);
}
