/* Raw bytes that no honest client sends: ambiguous framing, broken requests, hostile bodies. The
 * daemon refuses each of them, never answers twice for one request, and goes on.
 *
 * What has broken other servers, and the test of it where it is not here (unit/ is beside http/):
 *
 *   bodies in very many chunks, too large on any route    too_large_on_every_route, many_chunks
 *   bombs                                                 unit/inflate_test
 *   shapes that overflow, negative, zero, no integers     what_broke_others; unit/ingest_test
 *   lengths of the JSON in front of tensors that lie      what_broke_others; protocols_test
 *   JSON deep, doubled, NaN, 1e999, no UTF-8, goes on     what_broke_others; unit/json_tensor_test
 *   paths as names of models, other spellings of a path   what_broke_others, odd_requests;
 *                                                         unit/route_test
 *   management that is open                               repository_test
 *   pictures: bombs, cut off, of odd kinds                pictures_test; golden/images_test
 *   slow and idle clients, suspended connections          errors_test, flow_test
 *   work for clients that left, queues' deadlines only    flow_test
 *   queues without an end, memory that grows              errors_test; load_test, bodies_test
 *   new lines in ids, requests in requests                answers_hold_no_new_lines_of_ours,
 *                                                         nothing_is_smuggled, hidden_bytes
 *
 * bodies_test mutates bodies of all forms; tests/fuzz has each of the readers alone. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buffer.h"
#include "clock.h"
#include "http/fixture.h"

#include "check_main.h"

static void start(void)
{
    DAEMON_START(&server, "--max-body-bytes", "100000", "--idle-timeout", "1", "--log-level",
                 "warning");
}

static void stop(void)
{
    char *log = daemon_log(&server);
    server_stop();
    ck_assert_msg(!strstr(log, "ERROR") && !strstr(log, "runtime error"), "%s", log);
    free(log);
}

/* Sends the bytes and reads until the daemon closes; to be freed. */
static char *talk(const char *bytes, size_t size)
{
    char *text = calloc(1, 65536);
    size_t got = 0;
    const int fd = client_open(server.port);
    client_send(fd, bytes, size);
    shutdown(fd, SHUT_WR);
    for (ssize_t n; got < 65535 && (n = recv(fd, text + got, 65535 - got, 0)) > 0;)
        got += (size_t)n;
    close(fd);
    return text;
}

#define HIDDEN "GET /v2/models HTTP/1.1\r\nHost: x\r\n\r\n"

/* Requests whose end can be read in two ways; what follows them must not be taken for a request. */
static const char *const smuggled[] = {
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: "
    "chunked\r\n\r\n0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
    "40\r\n\r\n0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 44\r\nContent-Length: 0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\ncontent-length: 0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 0x0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
    "identity\r\n\r\n0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\nContent-Length: "
    "0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\nContent-Length: "
    "0\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-: chunked\r\n Encoding\r\n\r\n0\r\n\r\n" HIDDEN,
    "GET /livez HTTP/1.1\r\nHost: x\r\n: y\r\n" HIDDEN, /* no name: not the empty line */
    "GET /livez HTTP/1.1\r\nHost: x\r\n:\r\n" HIDDEN,
    "GET /livez HTTP/1.1\nHost: x\n:\n" HIDDEN,
    "GET /livez HTTP/1.1\r\nHost: x\r\nX:\r\n:\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" HIDDEN,
    "POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
    "chunked\r\n\r\nffffffffffffffffff\r\n\r\n" HIDDEN,
};

START_TEST(nothing_is_smuggled)
{
    char *text = talk(smuggled[_i], strlen(smuggled[_i]));
    ck_assert_msg(!strstr(text, "{\"models\":"), "the hidden request was answered: %s", text);
    ck_assert_msg(!strstr(text, "HTTP/1.1 200"), "%s", text);
    free(text);
    expect_alive();
}
END_TEST

static const struct {
    const char *request;
    int status; /* 0: none, or any that is not 200 */
} odd[] = {
    {"GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET http://x//livez HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"GET //livez HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"GET /v2/%2e%2e/livez HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"GET /livez%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"GET /livez%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"GET /%6civez HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
    {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 0},
    {"TRACE /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405},
    {"get /livez HTTP/1.1\r\nHost: x\r\n\r\n", 405},
    {"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET HTTP://x?a=b HTTP/1.1\r\nHost: x\r\n\r\n", 200},
    {"GET /livez HTTP/1.1\r\n\r\n", 400},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n", 400},
    {"GET /livez HTTP/1.0\r\n\r\n", 200},
    {"GET /livez HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400},
    {"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", 0},
    {"GET /livez\r\n\r\n", 0},
    {"GET  HTTP/1.1\r\nHost: x\r\n\r\n", 0},
    {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n", 0},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\r\n folded\r\n\r\n", 400},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nX:\r\n\tfolded\r\n\r\n", 400},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nX:\r\n\r\n", 200},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nX-A:   b   \r\n\r\n", 200},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nX : a\r\n\r\n", 400},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\rY: b\r\n\r\n", 400},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x01\r\n\r\n", 400},
    {"GET /livez HTTP/1.1\nHost: x\nX: a\n\n", 200},
    {"GET /livez HTTP/1.1\nHost: x\r\nX: a\n\n", 400},
    {"GET /livez HTTP/1.1\r\nHost: x\r\nCookie: a=b; c\r\nX: a\r\n\r\n", 200},
    {"\r\n\r\n\r\n\r\n", 0},
    {"", 0},
};

START_TEST(odd_requests)
{
    char *text = talk(odd[_i].request, strlen(odd[_i].request));
    const int status = strncmp(text, "HTTP/1.1 ", 9) ? 0 : (int)strtol(text + 9, NULL, 10);
    if (odd[_i].status)
        ck_assert_msg(status == odd[_i].status, "%s\nanswered: %s", odd[_i].request, text);
    else
        ck_assert_msg(status != 200, "%s\nanswered: %s", odd[_i].request, text);
    free(text);
    expect_alive();
}
END_TEST

/* A NUL: what follows it would not be seen. */
START_TEST(hidden_bytes)
{
#define REQUEST(text)          \
    {                          \
        text, sizeof(text) - 1 \
    }
    static const struct {
        const char *text;
        size_t size;
    } requests[] = {
        REQUEST("GET /livez\0x HTTP/1.1\r\nHost: x\r\n\r\n"),
        REQUEST("GET /livez?a\0=b HTTP/1.1\r\nHost: x\r\n\r\n"),
        REQUEST("GET /livez\0 HTTP/1.1\r\nHost: x\r\n\r\n"),
        REQUEST("GET /livez HTTP/1.1\r\nHost: x\0y\r\n\r\n"),
        REQUEST("GET /livez HTTP/1.1\r\nX: a\0b\r\nHost: x\r\n\r\n"),
        REQUEST("GET /livez HTTP/1.1\r\nX: a\0\r\nHost: x\r\n\r\n"),
        REQUEST("GET /livez HTTP/1.1\r\nX\0: a\r\nHost: x\r\n\r\n"),
        REQUEST("POST /infer HTTP/1.1\r\nHost: x\r\nContent-Length: 0\0 9\r\n\r\n"),
        REQUEST("POST /infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\0x\r\n\r\n"
                "0\r\n\r\n"),
    };
#undef REQUEST
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        char *text = talk(requests[i].text, requests[i].size);
        ck_assert_msg(!strncmp(text, "HTTP/1.1 400 ", 13), "%zu: %s", i, text);
        free(text);
    }
    expect_alive();
}
END_TEST

/* Headers that arrive in pieces, and take more memory than there is at first. */
START_TEST(many_headers_in_pieces)
{
    struct buffer request = {0};
    DAEMON_START(&server, "--log-level", "error"); /* however long it takes to send them */
    buffer_text(&request, "GET /livez HTTP/1.1\r\nHost: x\r\n");
    while (request.size < 15000) buffer_format(&request, "X-%zu:  %0200d \r\n", request.size, 0);
    buffer_text(&request, "\r\n");
    for (size_t piece = 100; piece < 20000; piece *= 3) {
        const int fd = client_open(server.port);
        for (size_t at = 0; at < request.size; at += piece) {
            const size_t left = request.size - at;
            ck_assert(client_send(fd, request.bytes + at, left < piece ? left : piece));
            clock_sleep(NS_PER_MS);
        }
        struct response response = client_receive(fd);
        ck_assert_int_eq(response.status, 200);
        response_free(&response);
        close(fd);
    }
    buffer_free(&request);
    server_stop();
}
END_TEST

/* No good one at least. Frees the request. */
static void expect_no_answer(struct buffer *request)
{
    char *text = talk(request->bytes, request->size);
    ck_assert_msg(!strstr(text, "HTTP/1.1 200"), "%s", text);
    free(text);
    buffer_free(request);
}

START_TEST(headers_without_end)
{
    struct buffer many = {0}, long_line = {0};
    buffer_text(&many, "GET /livez HTTP/1.1\r\nHost: x\r\n");
    while (many.size < 300000) buffer_format(&many, "X-Header-%zu: value\r\n", many.size);
    buffer_text(&many, "\r\n");
    expect_no_answer(&many);
    buffer_text(&long_line, "GET /");
    while (long_line.size < 200000) buffer_text(&long_line, "aaaaaaaa");
    buffer_text(&long_line, " HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_no_answer(&long_line);
    /* within libmicrohttpd's own limit, beyond ours */
    char headers[20000] = "X: ";
    memset(headers + 3, 'a', 19000);
    memcpy(headers + 19003, "\r\n\r\n", 5);
    const int fd = client_open(server.port);
    static const char line[] = "GET /livez HTTP/1.1\r\nHost: x\r\n";
    client_send(fd, line, sizeof line - 1);
    client_send(fd, headers, strlen(headers));
    struct response response = client_receive(fd);
    ck_assert_int_eq(response.status, 431);
    ck_assert_ptr_nonnull(strstr(response.body, "--max-header-bytes allows 16384"));
    response_free(&response);
    close(fd);
    await_metric("resnetd_http_requests_total{route=\"none\",code=\"431\"}", 2);
    await_metric("resnetd_http_requests_total{route=\"none\",code=\"414\"}", 1);
    expect_alive();
}
END_TEST

START_TEST(answers_hold_no_new_lines_of_ours)
{
    struct response response =
        client_ask(server.port, "GET", "/livez", "X-Request-Id: a\tb\r\n", "", 0);
    char value[128] = "";
    ck_assert_int_eq(response.status, 200);
    ck_assert(response_header(&response, "X-Request-Id", value, sizeof value));
    ck_assert_uint_eq(strspn(value, "0123456789abcdef"), 16);
    response_free(&response);
    response = client_post_json(server.port, "/infer", "{\"input\":[1],\"id\":\"a\\r\\nX: y\"}");
    ck_assert_int_eq(response.status, 400);
    response_free(&response);
}
END_TEST

#define V2_SHAPE(shape) \
    "{\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\",\"data\":[1],\"shape\":" shape "}]}"

static const struct {
    const char *target, *headers, *body;
    int status;
} broke_others[] = {
    {"/infer", "", "{\"input\":[1],\"shape\":[16,1152921504606846978]}", 400},
    {"/infer", "", "{\"input\":[1],\"shape\":[2,-5]}", 400},
    {"/infer", "", "{\"input\":[1],\"shape\":[0]}", 400},
    {"/infer", "", "{\"input\":[1],\"shape\":[1e3]}", 400},
    {"/infer", "", "{\"input\":[1],\"shape\":[1,1,1,1,1,1,1,1,1]}", 400},
    {"/v2/models/fashion-resnet/infer", "", V2_SHAPE("[16,1152921504606846978]"), 400},
    {"/v2/models/fashion-resnet/infer", "", V2_SHAPE("[2,-5]"), 400},
    {"/v2/models/fashion-resnet/infer", "", V2_SHAPE("[0]"), 400},
    {"/v2/models/fashion-resnet/infer", "", V2_SHAPE("[1e3]"), 400},
    {"/v2/models/fashion-resnet/infer", "Inference-Header-Content-Length: -1\r\n", "{}", 400},
    {"/v2/models/fashion-resnet/infer", "Inference-Header-Content-Length: 1000\r\n", "{}", 400},
    {"/v2/models/fashion-resnet/infer", "Inference-Header-Content-Length: two\r\n", "{}", 400},
    {"/v2/models/fashion-resnet/infer", "Inference-Header-Content-Length: 2147483648\r\n", "{}",
     400},
    {"/v2/models/fashion-resnet/infer", "Inference-Header-Content-Length: 4294967298\r\n", "{}",
     400},
    {"/infer", "",
     "{\"input\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}",
     400},
    {"/infer", "", "{\"input\":[1],\"input\":[1]}", 400},
    {"/infer", "", "{\"input\":[NaN]}", 400},
    {"/infer", "", "{\"input\":[-Infinity]}", 400},
    {"/infer", "", "{\"input\":[1e999]}", 400},
    {"/infer", "", "{\"input\":[1]} trailing", 400},
    {"/infer", "", "{\"input\":[1],\"id\":\"\\ud800\"}", 400},
    {"/infer", "", "{\"input\":[1],\"id\":\"\\u0000\"}", 400},
    {"/infer", "", "{\"input\":[1],\"id\":\"\xc0\xaf\"}", 400},
    {"/infer?model=../../etc/passwd", "", "{\"input\":[1]}", 404},
    {"/infer", "", "{\"input\":[1],\"model\":\"..\"}", 404},
    {"/v2/models/..%2f..%2fetc/infer", "", "{}", 400},
    {"/v2/models/%2e%2e/infer", "", "{}", 400},
    {"/v1/models/..:predict", "", "{\"instances\":[1]}", 404},
};

START_TEST(what_broke_others)
{
    char headers[200];
    const char *body = broke_others[_i].body;
    snprintf(headers, sizeof headers, "Content-Type: application/json\r\n%s",
             broke_others[_i].headers);
    struct response response =
        client_ask(server.port, "POST", broke_others[_i].target, headers, body, strlen(body));
    ck_assert_msg(response.status == broke_others[_i].status, "%s %s%s: %d %s",
                  broke_others[_i].target, broke_others[_i].headers, body, response.status,
                  response.body);
    ck_assert(strncmp(response.body, "{\"error\":\"", 10) == 0);
    response_free(&response);
}
END_TEST

START_TEST(too_large_on_every_route)
{
    static const struct {
        const char *method, *target;
    } routes[] = {
        {"POST", "/infer"},
        {"PUT", "/infer"},
        {"POST", "/v2/models/fashion-resnet/infer"},
        {"POST", "/v1/models/fashion-resnet:predict"},
        {"POST", "/predictions/fashion-resnet"},
        {"POST", "/v2/repository/index"},
        {"GET", "/livez"},
        {"GET", "/metrics"},
        {"POST", "/nope"},
    };
    static char body[100001];
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        struct response response =
            client_ask(server.port, routes[i].method, routes[i].target, "", body, sizeof body);
        ck_assert_msg(response.status == 413 || response.status == 404, "%s %s: %d %s",
                      routes[i].method, routes[i].target, response.status,
                      response.body ? response.body : "");
        response_free(&response);
    }
    expect_alive();
}
END_TEST

/* A tensor in chunks of a byte: memory and stack don't grow with their number. */
START_TEST(many_chunks)
{
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    enum { BYTES = 28 * 3136, CHUNK = 6 };
    char *chunks = malloc(BYTES * CHUNK + 5);
    ck_assert_ptr_nonnull(chunks);
    for (size_t i = 0; i < BYTES; i++) memcpy(chunks + i * CHUNK, "1\r\n\0\r\n", CHUNK);
    memcpy(chunks + BYTES * CHUNK, "0\r\n\r\n", 5);
    const int fd = client_open(server.port);
    ck_assert(client_send(fd, head, sizeof head - 1));
    ck_assert(client_send(fd, chunks, BYTES * CHUNK + 5));
    struct response response = client_receive(fd);
    ck_assert_msg(response.status == 200, "%d %s", response.status, response.body);
    response_free(&response);
    close(fd);
    free(chunks);
}
END_TEST

static uint64_t random_state = 1;

static size_t random_below(size_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(random_state >> 33) % n;
}

/* An honest body with some bytes changed, dropped or doubled, or the end cut off. */
static size_t mutate(char *body, size_t size)
{
    static const char alphabet[] = "{}[],:\"\\0123456789eE+-.truefalsn \x00\xff\x80\n";
    for (size_t i = 1 + random_below(4); i; i--) {
        const size_t at = random_below(size - 1);
        switch (random_below(4)) {
        case 0: body[at] = alphabet[random_below(sizeof alphabet)]; break;
        case 1: memmove(body + at, body + at + 1, size - at - 1), size--; break;
        case 2: body[at] = (char)random_below(256); break;
        default:
            if (random_below(8) == 0) size = 2 + at;
        }
    }
    return size;
}

/* Every one of them gets an answer, and it is 200 or a clear refusal. */
START_TEST(hostile_bodies)
{
    char body[2000];
    struct buffer seed = {0};
    buffer_text(&seed,
                "{\"shape\":[1,1,28,28],\"top_k\":2,\"id\":\"\\u00e9x\",\"timeout_ms\":90000,"
                "\"model\":\"fashion-resnet\",\"input\":[0.5,-1e-3");
    for (size_t i = 2; i < 784; i++) buffer_format(&seed, ",%zu", i % 10);
    buffer_text(&seed, "]}");
    ck_assert_uint_le(seed.size, sizeof body);
    int fd = client_open(server.port);
    size_t good = 0, refused = 0;
    for (size_t i = 0; i < 3000; i++) {
        memcpy(body, seed.bytes, seed.size);
        const size_t changed = i ? mutate(body, seed.size) : seed.size;
        static const char *const type[] = {"Content-Type: application/json\r\n",
                                           "Content-Type: application/octet-stream\r\n", ""};
        client_send_request(fd, "POST", "/infer", type[random_below(20) < 18 ? 0 : i % 3], body,
                            changed);
        struct response response = client_receive(fd);
        good += response.status == 200;
        refused += response.status >= 400 && response.status < 500;
        if (response.status == 0 || response.close) {
            close(fd);
            fd = client_open(server.port);
        }
        response_free(&response);
    }
    close(fd);
    buffer_free(&seed);
    ck_assert_uint_eq(good + refused, 3000);
    ck_assert_uint_gt(good, 100);
    ck_assert_uint_gt(refused, 1000);
    expect_alive();
}
END_TEST

/* Clients that leave: in the middle of the headers, of the body, and before the answer. */
START_TEST(clients_that_leave)
{
    static const float zero_image[784];
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/octet-stream\r\nContent-Length: 3136\r\n\r\n";
    for (size_t i = 0; i < 300; i++) {
        const int fd = client_open(server.port);
        const size_t part = i % 3;
        client_send(fd, head, part == 0 ? sizeof head / 2 : sizeof head - 1);
        if (part) client_send(fd, zero_image, part == 1 ? 1000 : 3136);
        const struct linger reset = {.l_onoff = 1};
        if (i % 2) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    expect_alive();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hostile");
    TCase *tests = tcase_create("hostile");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, stop);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, nothing_is_smuggled, 0, sizeof smuggled / sizeof *smuggled);
    tcase_add_loop_test(tests, odd_requests, 0, sizeof odd / sizeof *odd);
    tcase_add_loop_test(tests, what_broke_others, 0, sizeof broke_others / sizeof *broke_others);
    tcase_add_test(tests, too_large_on_every_route);
    tcase_add_test(tests, many_chunks);
    tcase_add_test(tests, hidden_bytes);
    tcase_add_test(tests, many_headers_in_pieces);
    tcase_add_test(tests, headers_without_end);
    tcase_add_test(tests, answers_hold_no_new_lines_of_ours);
    tcase_add_test(tests, hostile_bodies);
    tcase_add_test(tests, clients_that_leave);
    return run_suite(suite);
}
