/* Every status code of the protocol, with the message that names the place; the daemon goes on. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http/fixture.h"

#include "check_main.h"

/* As few samples as possible, bodies of 20,000 bytes. */
static void start(void)
{
    DAEMON_START(&server, "--max-body-bytes", "20000", "--queue-samples", "4");
}

static const struct {
    const char *target, *body;
    int status;
    const char *error;
} json_cases[] = {
    {"/infer", "{\"input\":[1,2,3]}", 400,
     "input: shape [3], model fashion-resnet needs [N,1,28,28] or [1,28,28]; flat numbers need a "
     "\\\"shape\\\""},
    {"/infer", "{\"input\":[[[1,2],[3,4]]]}", 400,
     "input: shape [1,2,2], model fashion-resnet needs [N,1,28,28] or [1,28,28]"},
    {"/infer", "{\"input\":[1,2,3],\"shape\":[1,1,28,28]}", 400,
     "input: 3 numbers, shape [1,1,28,28] needs 784"},
    {"/infer", "{\"input\":[[1,2,3],[1,2]]}", 400, "byte 22: input[1]: 2 numbers, 3 needed"},
    {"/infer", "{\"input\":[1e39]}", 400, "byte 10: input[0]: beyond float32"},
    {"/infer", "{\"inputs\":[]}", 400, "inputs: 0, the model has one"},
    {"/infer", "{\"input\":[1],\"model\":\"../x\"}", 404,
     "no model '../x'; GET /v2/models lists them"},
    {"/infer?model=nope", "{\"input\":[1]}", 404, "no model 'nope'; GET /v2/models lists them"},
    {"/infer?top_k=x", "{\"input\":[1]}", 400,
     "top_k in the query: 'x' is not a whole number from 0 to 1000000"},
    {"/infer?top_k=-1", "{\"input\":[1]}", 400,
     "top_k in the query: '-1' is not a whole number from 0 to 1000000"},
    {"/infer?timeout_ms=0", "{\"input\":[1]}", 400,
     "timeout_ms in the query: '0' is not a whole number from 1 to 86400000"},
    {"/infer?topk=1", "{\"input\":[1]}", 400,
     "no parameter 'topk'; known are model, top_k, timeout_ms and priority"},
    {"/infer", "", 400, "the body is empty"},
    {"/infer", "[1,2]", 400, "body: not a JSON object"},
    {"/infer/x", "{}", 404, "no such path: /infer/x"},
    {"/v2/models/nope/ready", "{}", 405, "POST is not a method of this path, which has GET, HEAD"},
};

START_TEST(json_mistakes)
{
    for (size_t i = 0; i < sizeof json_cases / sizeof *json_cases; i++)
        expect_error(client_post_json(server.port, json_cases[i].target, json_cases[i].body),
                     json_cases[i].status, json_cases[i].error);
    expect_alive();
}
END_TEST

START_TEST(model_without_version)
{
    expect_error(client_get(server.port, "/v2/models/nope"), 404, "no model nope");
    expect_error(client_get(server.port, "/v2/models/fashion-resnet/versions/2"), 404,
                 "model fashion-resnet has no version 2, only 1");
}
END_TEST

START_TEST(methods_and_paths)
{
    char allow[64] = "";
    struct response response = client_get(server.port, "/infer");
    ck_assert(response_header(&response, "Allow", allow, sizeof allow));
    ck_assert_str_eq(allow, "POST, PUT");
    expect_error(response, 405, "GET is not a method of this path, which has POST, PUT");
    response = client_ask(server.port, "DELETE", "/v2/models", "", "", 0);
    ck_assert(response_header(&response, "Allow", allow, sizeof allow));
    ck_assert_str_eq(allow, "GET, HEAD");
    expect_error(response, 405, "DELETE is not a method of this path, which has GET, HEAD");
    expect_error(client_get(server.port, "/nope?x=\"<"), 404, "no such path: /nope");
    expect_error(client_get(server.port, "/a%22b"), 404, "no such path: /a\\\"b");
    expect_error(client_get(server.port, "/v2//models"), 400,
                 "the request's target: empty segment");
    expect_error(client_get(server.port, "/v2/%2e%2e/metrics"), 400,
                 "the request's target: dot segment");
    expect_error(client_get(server.port, "/metrics%00"), 400,
                 "the request's target: control character");
}
END_TEST

START_TEST(content_types)
{
    static const char body[] = "{\"input\":[1]}";
    expect_error(client_ask(server.port, "POST", "/infer", "Content-Type: text/html\r\n", body,
                            sizeof body - 1),
                 415,
                 "Content-Type text/html is not taken here; send application/json, "
                 "application/octet-stream, application/x-npy, image/jpeg, image/png or "
                 "multipart/form-data");
    expect_error(client_ask(server.port, "POST", "/infer",
                            "Content-Type: application/json\r\nContent-Encoding: br\r\n", body,
                            sizeof body - 1),
                 415, "Content-Encoding br is not understood; gzip and deflate are");
    expect_error(client_ask(server.port, "POST", "/infer", "", "[1]", 3), 400,
                 "body: not a JSON object");
    expect_error(client_ask(server.port, "POST", "/infer", "", "\x89PNG", 4), 422,
                 "image: neither JPEG nor PNG");
    expect_error(client_ask(server.port, "POST", "/infer",
                            "Content-Type: application/octet-stream\r\n", "1234567", 7),
                 400, "body: 7 bytes, want whole samples of 3136 bytes (784 float32 each)");
}
END_TEST

/* JSON as editors and shells of Windows save it, where JSON is taken, with a type and without. */
START_TEST(texts_that_are_not_utf8)
{
    static const char *const targets[] = {"/infer", "/v2/models/fashion-resnet/infer",
                                          "/v1/models/fashion-resnet:predict"};
    static const char *const types[] = {"", "Content-Type: application/json\r\n",
                                        "Content-Type: application/x-www-form-urlencoded\r\n"};
    static const struct {
        const char *bytes;
        size_t size;
        const char *error;
    } texts[] = {
        {"\xef\xbb\xbf{}", 5,
         "byte 0: body: begins with a byte order mark: send the JSON without it"},
        {"\xff\xfe{\0}\0", 6, "byte 0: body: UTF-16 or UTF-32: send the JSON as UTF-8"},
        {"\xfe\xff\0{\0}", 6, "byte 0: body: UTF-16 or UTF-32: send the JSON as UTF-8"},
        {"{\0}\0", 4, "byte 1: body: UTF-16 or UTF-32: send the JSON as UTF-8"},
    };
    for (size_t i = 0; i < 3 * 3 * 4; i++)
        expect_error(client_ask(server.port, "POST", targets[i % 3], types[i / 3 % 3],
                                texts[i / 9].bytes, texts[i / 9].size),
                     400, texts[i / 9].error);
}
END_TEST

START_TEST(too_large)
{
    static char body[20001];
    static const char over[] = "the body is longer than --max-body-bytes allows: 20000";
    expect_error(client_ask(server.port, "POST", "/infer", "", body, sizeof body), 413,
                 "a body of 20001 bytes, --max-body-bytes allows 20000");
    expect_error(client_ask(server.port, "POST", "/infer", "Expect: 100-continue\r\n", body, 0),
                 400, "the body is empty");
    /* Without a length, it is the bytes that arrive that count. */
    const int fd = client_open(server.port);
    char chunk[1000 + 8] = "3e8\r\n";
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: test\r\nContent-Type: "
                               "application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    memcpy(chunk + 1005, "\r\n", 2);
    client_send(fd, head, sizeof head - 1);
    for (int i = 0; i < 40 && client_send(fd, chunk, 1007); i++) continue;
    struct response response = client_receive(fd);
    /* The answer races with the reset that the unread bytes cause; when it is there, it is this. */
    if (response.status)
        expect_error(response, 413, over);
    else
        response_free(&response);
    close(fd);
    /* 5 samples are within the bytes, but can never be in the queue. */
    expect_error(client_ask(server.port, "POST", "/infer",
                            "Content-Type: application/octet-stream\r\n", body, 5 * 3136),
                 413,
                 "input: 5 samples are more than --queue-samples (4) or --queue-bytes (1073741824) "
                 "ever allow");
    /* Of numbers as text it is known at the first one too many. */
    char json[12000] = "{\"input\":[";
    for (size_t i = strlen(json); i + 2 < sizeof json; i += 2) memcpy(json + i, "0,", 3);
    expect_error(client_post_json(server.port, "/infer?model=fashion-resnet", json), 413,
                 "byte 6282: input[3136]: more than the 3136 numbers that --queue-samples and "
                 "--queue-bytes allow");
    expect_error(client_post_json(server.port, "/infer", json), 413,
                 "byte 6282: input[3136]: more than the 3136 numbers that --queue-samples and "
                 "--queue-bytes allow");
    expect_alive();
}
END_TEST

START_TEST(no_length)
{
    static const char request[] = "POST /infer HTTP/1.1\r\nHost: test\r\n\r\n";
    const int fd = client_open(server.port);
    client_send(fd, request, sizeof request - 1);
    expect_error(client_receive(fd), 411, "a Content-Length is needed");
    close(fd);
}
END_TEST

START_TEST(an_answer_that_is_not_finite)
{
    static float image[784];
    for (size_t i = 0; i < 784; i++) image[i] = i % 2 ? 3e38f : -3e38f;
    struct response response =
        client_ask(server.port, "POST", "/infer", "Content-Type: application/octet-stream\r\n",
                   image, sizeof image);
    ck_assert_int_eq(response.status, 500);
    ck_assert_ptr_nonnull(strstr(response.body, "is not a finite number"));
    response_free(&response);
    expect_alive();
}
END_TEST

static const float zero_image[784];

static struct response post_image(unsigned port, const char *target)
{
    return client_ask(port, "POST", target, "Content-Type: application/octet-stream\r\n",
                      zero_image, sizeof zero_image);
}

static void *post_in_thread(void *port)
{
    struct response response = post_image(*(unsigned *)port, "/infer");
    const int status = response.status;
    response_free(&response);
    return (void *)(intptr_t)status;
}

#define QUEUE "resnetd_queue_samples{model=\"fashion-resnet\"}"

/* A batch that waits for company keeps its place in a queue of one. */
START_TEST(queue_full)
{
    pthread_t thread;
    void *status;
    char seconds[16] = "";
    DAEMON_START(&server, "--queue-samples", "1", "--max-delay", "10000000");
    pthread_create(&thread, NULL, post_in_thread, &server.port);
    await_metric(QUEUE, 1);
    struct response response = post_image(server.port, "/infer");
    ck_assert(response_header(&response, "Retry-After", seconds, sizeof seconds));
    ck_assert_str_eq(seconds, "1");
    expect_error(response, 429, "the queue of model fashion-resnet is full");
    kill(server.pid, SIGTERM); /* which waits for no company */
    pthread_join(thread, &status);
    ck_assert_int_eq((intptr_t)status, 200);
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
}
END_TEST

/* What a client sends without ever ending it keeps others out only beyond the limit. */
START_TEST(bodies_that_are_read_are_bounded)
{
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/octet-stream\r\nContent-Length: 6272\r\n\r\n";
    static const char error[] = "bodies that are being read are more than --reading-bytes: 5000";
    struct response response;
    char seconds[16] = "";
    DAEMON_START(&server, "--reading-bytes", "5000", "--log-level", "warning");
    int fd = client_open(server.port);
    client_send(fd, head, sizeof head - 1);
    client_send(fd, zero_image, 3000);
    await_metric("resnetd_reading_bytes", 3000);
    response = post_image(server.port, "/infer");
    ck_assert(response_header(&response, "Retry-After", seconds, sizeof seconds));
    ck_assert_str_eq(seconds, "1");
    expect_error(response, 429, error);
    await_metric("resnetd_reading_bytes", 3000);
    await_metric("resnetd_failures_total{reason=\"queue_full\"}", 1);
    client_send(fd, zero_image, sizeof zero_image); /* beyond it, but alone */
    client_send(fd, zero_image, 6272 - 3000 - sizeof zero_image);
    response = client_receive(fd);
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    await_metric("resnetd_reading_bytes", 0);
    client_send(fd, head, sizeof head - 1);
    client_send(fd, zero_image, 3000);
    await_metric("resnetd_reading_bytes", 3000);
    close(fd);
    await_metric("resnetd_reading_bytes", 0);
    response = post_image(server.port, "/infer");
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    server_stop();
}
END_TEST

START_TEST(deadlines)
{
    struct daemon slow;
    DAEMON_START(&slow, "--max-delay", "3000000", "--timeout", "100");
    expect_error(post_image(slow.port, "/infer?timeout_ms=50"), 504,
                 "the deadline of 50 ms passed");
    expect_error(post_image(slow.port, "/infer"), 504, "the deadline of 100 ms passed");
    ck_assert_int_eq(daemon_stop(&slow, SIGTERM), 0);
}
END_TEST

static int send_part(unsigned port, const char *part)
{
    const int fd = client_open(port);
    ck_assert(client_send(fd, part, strlen(part)));
    return fd;
}

#define HALF_A_BODY "POST /infer HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n{"

#define CHUNKED                                                             \
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" \
    "Transfer-Encoding: chunked\r\n\r\n"

/* What libmicrohttpd refuses by itself. */
static const struct {
    const char *request;
    int status;
    const char *error;
} no_http[] = {
    {"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n", 400,
     "the request has a Content-Length that is no number"},
    {"POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413,
     "the body is longer than --max-body-bytes allows: 20000"},
    {CHUNKED "zz\r\n", 400, "a chunk of the body is malformed"},
    {CHUNKED "1\r\n{\r\nzz\r\n", 400, "a chunk of the body is malformed"},
    {CHUNKED "1\r\n{{{{", 400, "a chunk of the body is malformed"},
    {CHUNKED "1\r\n}\r\nzz\r\n", 400, "byte 0: body: not a value"},
    {CHUNKED "ffffffffffffffffff\r\n", 413,
     "the body is longer than --max-body-bytes allows: 20000"},
    {"GET /livez HTTP/1.1\r\nHost x\r\n\r\n", 400, "the request line or a header is malformed"},
    {"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", 505, "HTTP/1.1 and HTTP/1.0 are spoken here"},
    {"GET /livez FTP/1.1\r\nHost: x\r\n\r\n", 400, "the request line or a header is malformed"},
    {"GET /livez \r\n\r\n", 400, "the request line or a header is malformed"},
};

/* One answer, an error as all others, and the connection ends. */
static void expect_the_end(const char *request, int status, const char *error)
{
    char more;
    const int fd = send_part(server.port, request);
    expect_error(client_receive(fd), status, error);
    ck_assert_int_le(recv(fd, &more, 1, 0), 0);
    close(fd);
}

START_TEST(what_is_no_http)
{
    expect_the_end(no_http[_i].request, no_http[_i].status, no_http[_i].error);
}
END_TEST

/* More than libmicrohttpd has memory for, if not more bytes than are allowed. */
START_TEST(too_many_arguments)
{
    enum { ARGUMENTS = 3000 };
    char request[2 * ARGUMENTS + 100] = "GET /livez?";
    size_t size = strlen(request);
    for (int i = 0; i < ARGUMENTS; i++, size += 2) memcpy(request + size, "a&", 2);
    snprintf(request + size, sizeof request - size, " HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_the_end(request, 431, "the headers are more than --max-header-bytes allows: 16384");
}
END_TEST

static bool is_answered(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

START_TEST(slow_senders)
{
    static const char error[] = "the request took longer than --body-timeout allows: 1 s";
    struct daemon impatient;
    DAEMON_START(&impatient, "--body-timeout", "1");
    /* A byte now and then: never idle, but not whole in time either. */
    int fd = send_part(impatient.port, HALF_A_BODY);
    for (int i = 0; i < 1200 && !is_answered(fd) && client_send(fd, " ", 1); i++)
        clock_sleep(100 * NS_PER_MS);
    expect_error(client_receive(fd), 408, error);
    close(fd);
    fd = send_part(impatient.port, HALF_A_BODY);
    expect_error(client_receive(fd), 408, error);
    close(fd);
    fd = send_part(impatient.port, "GET /livez HTTP/1.1\r\nHost: te");
    expect_error(client_receive(fd), 408, error);
    close(fd);
    /* What is wrong already is said, not that the rest of it is missing. */
    fd =
        send_part(impatient.port, "POST /nope HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n");
    expect_error(client_receive(fd), 404, "no such path: /nope");
    close(fd);
    ck_assert_int_eq(daemon_stop(&impatient, SIGTERM), 0);
}
END_TEST

/* The daemon ended it: the answer that there may be is thrown away. */
static bool has_ended(int fd)
{
    char seen[512];
    const ssize_t got = recv(fd, seen, sizeof seen, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

/* Never idle, and not even a request comes of it. The daemon must find the end of its patience
 * also where a byte arrives with it: there are enough clients for that. */
START_TEST(requests_in_drops)
{
    static const char *const begun[] = {"GET /", "GET / HTTP/1.1\r\nHost: te"};
    enum { DRIPPING = 200, ROUNDS = 20000 };
    int fd[DRIPPING];
    size_t left = DRIPPING;
    struct daemon impatient;
    DAEMON_START(&impatient, "--body-timeout", "1", "--idle-timeout", "1");
    for (size_t i = 0; i < DRIPPING; i++) fd[i] = send_part(impatient.port, begun[i % 2]);
    for (int i = 0; i < ROUNDS && left; i++) {
        clock_sleep(5 * NS_PER_MS);
        for (size_t k = 0; k < left; k++) {
            client_send(fd[k], "x", 1);
            if (!has_ended(fd[k])) continue;
            close(fd[k]);
            fd[k--] = fd[--left];
        }
    }
    ck_assert_uint_eq(left, 0);
    ck_assert_int_eq(daemon_stop(&impatient, SIGTERM), 0);
}
END_TEST

/* What libmicrohttpd answers by itself is no client that left. */
START_TEST(answers_of_the_library_are_counted)
{
    char rest[1024];
    DAEMON_START(&server, "--log-level", "warning");
    const int fd =
        send_part(server.port, "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n");
    struct response response = client_receive(fd);
    ck_assert_int_eq(response.status, 400);
    response_free(&response);
    while (recv(fd, rest, sizeof rest, 0) > 0) continue;
    close(fd);
    await_metric("resnetd_http_requests_total{route=\"none\",code=\"400\"}", 1);
    response = client_get(server.port, "/metrics");
    ck_assert_ptr_null(strstr(response.body, "code=\"499\""));
    response_free(&response);
    server_stop();
}
END_TEST

START_TEST(idle_senders)
{
    static const char error[] = "nothing came for as long as --idle-timeout allows: 1 s";
    static const char *const silent[] = {"", "POST /in"}; /* no request yet: no answer */
    struct daemon impatient;
    char seen[64];
    DAEMON_START(&impatient, "--idle-timeout", "1");
    int fd = send_part(impatient.port, HALF_A_BODY);
    expect_error(client_receive(fd), 408, error);
    close(fd);
    fd = send_part(impatient.port, "POST /infer HTTP/1.1\r\nHost: te");
    expect_error(client_receive(fd), 408, error);
    close(fd);
    for (size_t i = 0; i < 2; i++) {
        fd = send_part(impatient.port, silent[i]);
        /* A reset where the daemon stood still for so long that it closed before it read. */
        const ssize_t size = read(fd, seen, sizeof seen);
        ck_assert(size == 0 || (size < 0 && errno == ECONNRESET));
        close(fd);
    }
    ck_assert_int_eq(daemon_stop(&impatient, SIGTERM), 0);
}
END_TEST

START_TEST(leaving_is_not_ready_but_serves)
{
    DAEMON_START(&server, "--grace", "3600000");
    kill(server.pid, SIGTERM);
    await_metric("resnetd_ready", 0);
    static const char *const asked[][2] = {
        {"/v2/health/ready", "{\"ready\":false,\"error\":\"the server is stopping\"}\n"},
        {"/v2/models/fashion-resnet/ready", "{\"name\":\"fashion-resnet\",\"ready\":false}\n"},
        {"/ping", "{\"status\":\"Unhealthy\",\"error\":\"the server is stopping\"}\n"},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct response not_ready = client_get(server.port, asked[i][0]);
        char seconds[16] = "";
        ck_assert_int_eq(not_ready.status, 503);
        ck_assert(response_header(&not_ready, "Retry-After", seconds, sizeof seconds));
        ck_assert_str_eq(not_ready.body, asked[i][1]);
        response_free(&not_ready);
    }
    struct response response = client_get(server.port, "/v2/health/live");
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    response = post_image(server.port, "/infer"); /* still served */
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 128 + SIGTERM);
}
END_TEST

/* A signal may come before main() has begun to wait for it, and in any thread. */
START_TEST(a_signal_right_after_the_start)
{
    for (int i = 0; i < 20; i++) {
        struct daemon young;
        DAEMON_START(&young, "--log-level", "warning");
        ck_assert_int_eq(daemon_stop(&young, i % 2 ? SIGTERM : SIGINT), 0);
    }
}
END_TEST

START_TEST(a_grace_ends)
{
    DAEMON_START(&server, "--grace", "300");
    const uint64_t began = clock_ns();
    server_stop();
    ck_assert_uint_ge(clock_ns() - began, 300 * NS_PER_MS);
}
END_TEST

START_TEST(a_second_signal_ends_at_once)
{
    DAEMON_START(&server, "--grace", "3600000");
    kill(server.pid, SIGTERM);
    await_metric("resnetd_ready", 0);
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 128 + SIGTERM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errors");
    TCase *tests = tcase_create("one daemon"), *own = tcase_create("daemons of their own");
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, own);
    tcase_add_unchecked_fixture(tests, start, server_stop);
    tcase_set_timeout(tests, 120);
    tcase_set_timeout(own, 120);
    tcase_add_test(tests, json_mistakes);
    tcase_add_test(tests, model_without_version);
    tcase_add_test(tests, methods_and_paths);
    tcase_add_test(tests, content_types);
    tcase_add_test(tests, texts_that_are_not_utf8);
    tcase_add_test(tests, too_large);
    tcase_add_test(tests, no_length);
    tcase_add_test(tests, an_answer_that_is_not_finite);
    tcase_add_loop_test(tests, what_is_no_http, 0, sizeof no_http / sizeof *no_http);
    tcase_add_test(tests, too_many_arguments);
    tcase_add_test(own, queue_full);
    tcase_add_test(own, bodies_that_are_read_are_bounded);
    tcase_add_test(own, deadlines);
    tcase_add_test(own, slow_senders);
    tcase_add_test(own, requests_in_drops);
    tcase_add_test(own, answers_of_the_library_are_counted);
    tcase_add_test(own, idle_senders);
    tcase_add_test(own, leaving_is_not_ready_but_serves);
    tcase_add_test(own, a_signal_right_after_the_start);
    tcase_add_test(own, a_grace_ends);
    tcase_add_test(own, a_second_signal_ends_at_once);
    return run_suite(suite);
}
