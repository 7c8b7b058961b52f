/* Deadlines, clients that leave, and priorities, in each phase of a request: answered at once,
 * taken out of the queue, stopped between layers, and counted.
 *
 * The model takes about a second an image, in batches of one, on one worker: what is queued behind
 * a request stays there for long enough to be looked at. The same with pictures and a decoder,
 * which must not hold up the HTTP threads either. */
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "clock.h"
#include "http/fixture.h"

#include "check_main.h"

enum { LEAST = 64, MOST = 1024 };

static const float image[MOST * MOST];
static size_t side = LEAST, image_size = LEAST * LEAST * sizeof(float);
static char side_text[16] = "64";

#define SLOW                                                                                     \
    "--model", "slow=deploy/models/fashion-resnet/model.safetensors", "--input-size", side_text, \
        "--workers", "1", "--threads", "1", "--max-batch", "1", "--log-level", "warning"

static void start_slow(void)
{
    DAEMON_START(&server, SLOW);
}

static void await_dropped(const char *reason, const char *phase, double value)
{
    char sample[120];
    snprintf(sample, sizeof sample, "resnetd_dropped_total{reason=\"%s\",phase=\"%s\"}", reason,
             phase);
    await_metric(sample, value);
}

/* All that was dropped, and nothing else. */
static void expect_dropped(const char *reason, const char *phase, double value)
{
    static const char *const reasons[] = {"deadline", "cancelled"};
    static const char *const phases[] = {"reading", "decoding", "queued", "computing"};
    await_dropped(reason, phase, value);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 4; j++)
            if (strcmp(reasons[i], reason) || strcmp(phases[j], phase))
                await_dropped(reasons[i], phases[j], 0);
}

#define QUEUE "resnetd_queue_samples{model=\"slow\"}"

static int send_image(const char *target)
{
    const int fd = client_open(server.port);
    ck_assert(client_send_request(fd, "POST", target, "Content-Type: application/octet-stream\r\n",
                                  image, image_size));
    return fd;
}

static void expect(int fd, int status, const char *error)
{
    struct response response = client_receive(fd);
    ck_assert_msg(response.status == status, "status %d, want %d: %s", response.status, status,
                  response.body ? response.body : "no answer");
    if (error) {
        char want[200];
        snprintf(want, sizeof want, "{\"error\":\"%s\"}\n", error);
        ck_assert_str_eq(response.body, want);
    }
    response_free(&response);
    close(fd);
}

/* One request in the worker, or so nearly that no other can overtake it. */
static int occupy(void)
{
    const int fd = send_image("/infer");
    await_metric(QUEUE, 1);
    clock_sleep(50 * NS_PER_MS);
    return fd;
}

/* The best of some requests, as the machine may have more to do. */
static double seconds_of(int (*ask)(const char *target))
{
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        const uint64_t began = clock_ns();
        expect(ask("/infer"), 200, NULL);
        const double seconds = (double)(clock_ns() - began) / 1e9;
        if (seconds < best) best = seconds;
    }
    return best;
}

/* The side of an image that takes a second, whatever the build and the machine. */
static void calibrate(void)
{
    if (side > LEAST) return;
    start_slow();
    const double seconds = seconds_of(send_image);
    server_stop();
    while (side < MOST && seconds * (double)(side * side) / (LEAST * LEAST) < 1) side += 32;
    image_size = side * side * sizeof(float);
    snprintf(side_text, sizeof side_text, "%zu", side);
}

/* ---- clients that leave ---------------------------------------------------------------------- */

static int send_part(const char *target)
{
    char head[200];
    const int fd = client_open(server.port);
    snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n{",
             target);
    ck_assert(client_send(fd, head, strlen(head)));
    return fd;
}

START_TEST(a_client_leaves_while_it_is_read)
{
    int fd = send_part("/infer");
    await_metric("resnetd_http_requests_active", 2); /* and /metrics itself */
    close(fd);
    expect_dropped("cancelled", "reading", 1);
    await_metric("resnetd_failures_total{reason=\"cancelled\"}", 1);
    fd = client_open(server.port); /* in the middle of the headers */
    ck_assert(client_send(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n", 30));
    await_metric("resnetd_http_requests_active", 2);
    close(fd);
    expect_dropped("cancelled", "reading", 2);
    for (int i = 0; i < 40; i++) close(send_part("/infer")); /* the end comes with the bytes */
    expect_dropped("cancelled", "reading", 42);
    close(send_part("/infer?model=nope")); /* wrong already: it counts once all the same */
    expect_dropped("cancelled", "reading", 43);
    await_metric("resnetd_failures_total{reason=\"cancelled\"}", 43);
    await_metric("resnetd_failures_total{reason=\"input\"}", 0);
    await_metric("resnetd_http_connections", 1);
}
END_TEST

START_TEST(a_client_leaves_while_it_is_queued)
{
    const int first = occupy(), second = send_image("/infer"), third = send_image("/infer");
    await_metric(QUEUE, 3);
    close(second);
    expect_dropped("cancelled", "queued", 1);
    await_metric(QUEUE, 2);
    expect(first, 200, NULL);
    expect(third, 200, NULL);
    await_metric("resnetd_images_total{model=\"slow\"}", 2); /* the second was never computed */
    await_metric("resnetd_batches_stopped_total{model=\"slow\"}", 0);
    await_metric("resnetd_http_requests_total{route=\"/infer\",code=\"499\"}", 1);
}
END_TEST

START_TEST(a_client_leaves_while_it_is_computed)
{
    const int fd = occupy();
    close(fd);
    expect_dropped("cancelled", "computing", 1);
    await_metric("resnetd_batches_stopped_total{model=\"slow\"}", 1);
    await_metric(QUEUE, 0);
    await_metric("resnetd_images_total{model=\"slow\"}", 0);
    expect(send_image("/infer"), 200, NULL);
}
END_TEST

/* Every socket at once, by the kernel, as when a client is killed; one of them waits, half of them
 * have not sent all. */
START_TEST(a_killed_client)
{
    int gone[8];
    const int first = occupy();
    for (int i = 0; i < 8; i++) gone[i] = i % 2 ? send_image("/infer") : send_part("/infer");
    await_metric(QUEUE, 5);
    const struct linger now = {.l_onoff = 1};
    for (int i = 0; i < 8; i++) {
        setsockopt(gone[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(gone[i]); /* a reset */
    }
    await_dropped("cancelled", "reading", 4);
    await_dropped("cancelled", "queued", 4);
    await_metric(QUEUE, 1);
    expect(first, 200, NULL);
}
END_TEST

/* The bytes of a next request are no sign that the client left. */
START_TEST(pipelined_requests)
{
    static const char next[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    const int fd = occupy();
    ck_assert(client_send(fd, next, sizeof next - 1));
    struct response response = client_receive(fd);
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    expect(fd, 200, NULL);
    expect_dropped("cancelled", "queued", 0);
    /* ... and they do not hide that it did */
    const int gone = occupy();
    ck_assert(client_send(gone, next, sizeof next - 1));
    close(gone);
    expect_dropped("cancelled", "computing", 1);
}
END_TEST

/* A client that ends its sending half is taken for one that left. */
START_TEST(a_half_close_is_a_hangup)
{
    const int fd = occupy();
    char byte;
    shutdown(fd, SHUT_WR);
    ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
    close(fd);
    expect_dropped("cancelled", "computing", 1);
}
END_TEST

/* ---- deadlines ------------------------------------------------------------------------------- */

START_TEST(a_deadline_passes_while_it_is_read)
{
    const uint64_t began = clock_ns();
    expect(send_part("/infer?timeout_ms=200"), 504, "the deadline of 200 ms passed");
    ck_assert_uint_ge(clock_ns() - began, 200 * NS_PER_MS);
    expect_dropped("deadline", "reading", 1);
    expect(send_part("/v2/models/slow/infer?timeout_ms=100"), 504, "the deadline of 100 ms passed");
    expect(send_part("/v1/models/slow:predict?timeout_ms=100"), 504,
           "the deadline of 100 ms passed");
    expect_dropped("deadline", "reading", 3);
    await_metric("resnetd_failures_total{reason=\"deadline\"}", 3);
}
END_TEST

START_TEST(a_deadline_passes_while_it_is_queued)
{
    const int first = occupy(), second = send_image("/infer?timeout_ms=300");
    expect(second, 504, "the deadline of 300 ms passed");
    await_metric(QUEUE, 1); /* the first one is still there */
    expect_dropped("deadline", "queued", 1);
    expect(first, 200, NULL);
}
END_TEST

START_TEST(a_deadline_passes_while_it_is_computed)
{
    expect(send_image("/infer?timeout_ms=400"), 504, "the deadline of 400 ms passed");
    expect_dropped("deadline", "computing", 1);
    await_metric("resnetd_batches_stopped_total{model=\"slow\"}", 1);
    await_metric("resnetd_images_total{model=\"slow\"}", 0);
}
END_TEST

/* Where a deadline may stand; V2 counts in microseconds. */
START_TEST(where_deadlines_stand)
{
    static const struct {
        const char *target, *body, *error;
    } cases[] = {
        {"/infer", "{\"input\":[1],\"timeout_ms\":30}", "the deadline of 30 ms passed"},
        {"/infer?timeout_ms=20", "{\"input\":[1],\"timeout_ms\":60000}",
         "the deadline of 20 ms passed"},
        {"/v2/models/slow/infer",
         "{\"parameters\":{\"timeout\":30000},\"inputs\":[{\"name\":\"input\",\"shape\":[1],"
         "\"datatype\":\"FP32\",\"data\":[1]}]}",
         "the deadline of 30 ms passed"},
        {"/v2/models/slow/infer",
         "{\"parameters\":{\"timeout\":1},\"inputs\":[{\"name\":\"input\",\"shape\":[1],"
         "\"datatype\":\"FP32\",\"data\":[1]}]}",
         "the deadline of 1 us passed"},
        {"/v2/models/slow/infer?timeout_ms=20",
         "{\"parameters\":{\"timeout\":90000000},\"inputs\":[{\"name\":\"input\",\"shape\":[1],"
         "\"datatype\":\"FP32\",\"data\":[1]}]}",
         "the deadline of 20 ms passed"},
    };
    /* The last byte comes after the deadline that the body names. */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int fd = client_open(server.port);
        const size_t size = strlen(cases[i].body);
        char head[200];
        snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 cases[i].target, size);
        ck_assert(client_send(fd, head, strlen(head)));
        ck_assert(client_send(fd, cases[i].body, size - 1));
        clock_sleep(100 * NS_PER_MS);
        client_send(fd, cases[i].body + size - 1, 1);
        expect(fd, 504, cases[i].error);
        expect_dropped("deadline", "reading", (double)i + 1);
    }
}
END_TEST

START_TEST(the_default_deadline)
{
    DAEMON_START(&server, SLOW, "--timeout", "150");
    expect(send_part("/infer"), 504, "the deadline of 150 ms passed");
    expect_dropped("deadline", "reading", 1);
    expect(send_image("/infer"), 504, "the deadline of 150 ms passed");
    await_dropped("deadline", "computing", 1);
    server_stop();
}
END_TEST

/* What the measured rate says: alone it would be late, or behind what waits. */
START_TEST(refused_by_the_rate)
{
    const char refused[] = "resnetd_failures_total{reason=\"too_late\"}";
    char target[60], seconds[16] = "";
    uint64_t took = 0;
    for (int i = 0; i < 5 && metric(refused) == 0; i++) { /* a rate is good for one second */
        const uint64_t began = clock_ns();
        expect(send_image("/infer"), 200, NULL);
        took = clock_ns() - began;
        expect(send_image("/infer?timeout_ms=50"), 504, NULL);
    }
    await_metric(refused, 1);
    int fd[6];
    for (int i = 0; i < 6; i++) fd[i] = send_image("/infer");
    await_metric(QUEUE, 6);
    snprintf(target, sizeof target, "/infer?timeout_ms=%u", (unsigned)(3 * took / NS_PER_MS));
    const int late = send_image(target);
    struct response response = client_receive(late);
    ck_assert_int_eq(response.status, 429);
    ck_assert_str_eq(response.body,
                     "{\"error\":\"the deadline is nearer than the end of model slow's queue\"}\n");
    ck_assert(response_header(&response, "Retry-After", seconds, sizeof seconds));
    ck_assert_int_ge(strtol(seconds, NULL, 10), 1);
    response_free(&response);
    close(late);
    await_metric(refused, 2);
    for (int i = 0; i < 6; i++) close(fd[i]);
    await_metric(QUEUE, 0);
}
END_TEST

/* ---- priorities ------------------------------------------------------------------------------ */

/* The image as a request of the Open Inference Protocol, its tensor behind the JSON. */
static int send_v2(int priority)
{
    char json[300], headers[120];
    const int size =
        snprintf(json, sizeof json,
                 "{\"parameters\":{\"priority\":%d},\"inputs\":[{\"name\":\"input\","
                 "\"shape\":[1,1,%zu,%zu],\"datatype\":\"FP32\",\"parameters\":{\"binary_"
                 "data_size\":%zu}}]}",
                 priority, side, side, image_size);
    const int fd = client_open(server.port);
    snprintf(headers, sizeof headers,
             "POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: "
             "%d\r\nContent-Length: %zu\r\n\r\n",
             size, (size_t)size + image_size);
    ck_assert(client_send(fd, headers, strlen(headers)));
    ck_assert(client_send(fd, json, (size_t)size));
    ck_assert(client_send(fd, image, image_size));
    return fd;
}

static bool is_answered(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

START_TEST(high_is_answered_before_normal)
{
    const int first = occupy();
    int normal[2], high[2];
    normal[0] = send_v2(0);
    normal[1] = send_v2(2); /* a lower one is no better than the default */
    await_metric(QUEUE, 3);
    high[0] = send_v2(1);
    high[1] = send_image("/infer?priority=1");
    await_metric(QUEUE, 5);
    expect(first, 200, NULL);
    expect(high[0], 200, NULL);
    expect(high[1], 200, NULL);
    ck_assert(!is_answered(normal[0]));
    ck_assert(!is_answered(normal[1]));
    expect(normal[0], 200, NULL);
    expect(normal[1], 200, NULL);
    await_metric("resnetd_model_requests_total{model=\"slow\",priority=\"normal\"}", 3);
    await_metric("resnetd_model_requests_total{model=\"slow\",priority=\"high\"}", 2);
}
END_TEST

/* ---- pictures -------------------------------------------------------------------------------- */

/* A PNG of zeros, which takes long to decode: some hundred milliseconds, but for what would be more
 * than --max-image-pixels. */
enum { PNG_LEAST = 400, PNG_MOST = 7000 };
static size_t png_side = PNG_LEAST;
static uint8_t *png;
static size_t png_size;

static void put32(uint8_t *to, size_t value)
{
    for (int i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_chunk(const char type[4], const void *data, size_t size)
{
    uint8_t *at = png + png_size;
    put32(at, size);
    memcpy(at + 4, type, 4);
    if (size) memcpy(at + 8, data, size);
    put32(at + 8 + size, crc32(0, at + 4, (uInt)size + 4));
    png_size += size + 12;
}

static void make_png(void)
{
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    uint8_t header[13] = {[8] = 8, [9] = 2}; /* 8 bits, RGB */
    const uLong size = png_side * (1 + 3 * png_side);
    uLongf packed = compressBound(size);
    uint8_t *rows = calloc(1, size), *data = malloc(packed);
    png = malloc(packed + 100);
    ck_assert(rows && data && png);
    ck_assert_int_eq(compress2(data, &packed, rows, size, 1), Z_OK);
    memcpy(png, signature, sizeof signature);
    png_size = sizeof signature;
    put32(header, png_side);
    put32(header + 4, png_side);
    put_chunk("IHDR", header, sizeof header);
    put_chunk("IDAT", data, packed);
    put_chunk("IEND", NULL, 0);
    free(rows);
    free(data);
}

static void start_decoder(void)
{
    make_png();
    DAEMON_START(&server, "--decoders", "1", "--decoder-queue", "6", "--http-threads", "2");
}

static void stop_decoder(void)
{
    server_stop();
    free(png);
}

static int send_named_picture(const char *target, const char *id)
{
    char header[64];
    const int fd = client_open(server.port);
    snprintf(header, sizeof header, "X-Request-Id: %s\r\n", id);
    ck_assert(client_send_request(fd, "POST", target, header, png, png_size));
    return fd;
}

static int send_picture(const char *target)
{
    return send_named_picture(target, "a-picture");
}

/* A request is logged when it has ended: this one was when the other had not. A test that looks at
 * its sockets may stand still in between. */
static void expect_logged_before(const char *id, const char *other)
{
    char first[64], second[64];
    snprintf(first, sizeof first, " id=%s ", id);
    snprintf(second, sizeof second, " id=%s ", other);
    char *log = daemon_log(&server);
    for (int i = 0; i < 1000 && !(strstr(log, first) && strstr(log, second)); i++) {
        free(log); // an answer arrives before its line
        clock_sleep(10 * NS_PER_MS);
        log = daemon_log(&server);
    }
    const char *one = strstr(log, first), *two = strstr(log, second);
    ck_assert_msg(one && two && one < two, "%s is not before %s in: %s", id, other, log);
    free(log);
}

/* Measured again at each size: what a small picture takes is mostly not its decoding. */
static void calibrate_pictures(void)
{
    const double want = 0.4;
    if (png_side > PNG_LEAST) return;
    for (double seconds = 0; seconds < want && png_side < PNG_MOST;) {
        start_decoder();
        seconds = seconds_of(send_picture);
        stop_decoder();
        const double factor = sqrt(want / seconds);
        if (seconds < want) png_side = (size_t)((double)png_side * (factor < 1.1 ? 1.1 : factor));
        if (png_side > PNG_MOST) png_side = PNG_MOST;
    }
}

/* "picture-0" and so on: the decoder has one, the others have arrived behind it. */
static void send_pictures(int *fd, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof id, "picture-%zu", i);
        fd[i] = send_named_picture("/infer", id);
    }
    await_metric("resnetd_http_requests_active", (double)count + 1);
    clock_sleep(100 * NS_PER_MS);
}

/* Connections that are spread over the HTTP threads, each asking again and again. */
START_TEST(decoding_does_not_hold_up_other_clients)
{
    enum { OTHERS = 8, ROUNDS = 4 };
    int fd[6], other[OTHERS];
    for (int i = 0; i < OTHERS; i++) other[i] = client_open(server.port);
    send_pictures(fd, 6);
    for (int i = 0; i < ROUNDS * OTHERS; i++) {
        const bool last = i + 1 == ROUNDS * OTHERS;
        ck_assert(client_send_request(other[i % OTHERS], "GET", "/livez",
                                      last ? "X-Request-Id: the-last\r\n" : "", "", 0));
        struct response response = client_receive(other[i % OTHERS]);
        ck_assert_int_eq(response.status, 200);
        response_free(&response);
    }
    for (int i = 0; i < OTHERS; i++) close(other[i]);
    for (int i = 0; i < 6; i++) expect(fd[i], 200, NULL);
    expect_logged_before("the-last", "picture-5");
}
END_TEST

START_TEST(a_client_leaves_while_it_is_decoded)
{
    int fd[4];
    send_pictures(fd, 4);
    close(fd[1]);
    close(fd[2]);
    await_dropped("cancelled", "decoding", 2);
    expect(fd[0], 200, NULL);
    expect(fd[3], 200, NULL);
    expect_logged_before("picture-2", "picture-3");
    /* Under the decoder's hands; again where this process stood still until it was done. */
    static const char dropped[] = "resnetd_dropped_total{reason=\"cancelled\",phase=\"decoding\"}";
    for (int i = 0; i < 5 && metric(dropped) < 3; i++) {
        const int last = send_picture("/infer");
        await_metric("resnetd_http_requests_active", 2);
        clock_sleep(50 * NS_PER_MS);
        close(last);
        await_metric("resnetd_http_requests_active", 1);
    }
    expect_dropped("cancelled", "decoding", 3);
}
END_TEST

/* Decoding ends where the client does: what waits behind it comes soon. */
START_TEST(a_decoder_is_free_again)
{
    size_t size;
    char *jpeg = read_file("tests/golden/images/color-444.jpg", &size);
    const double whole = seconds_of(send_picture);
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        const int large = send_picture("/infer"), small = client_open(server.port);
        await_metric("resnetd_http_requests_active", 2);
        clock_sleep((uint64_t)(whole / 8 * 1e9)); /* it is read, and in the decoder */
        ck_assert(client_send_request(small, "PUT", "/infer", "", jpeg, size));
        clock_sleep((uint64_t)(whole / 8 * 1e9));
        const bool waits = !is_answered(small);
        const uint64_t began = clock_ns();
        close(large);
        expect(small, 200, NULL);
        const double seconds = (double)(clock_ns() - began) / 1e9;
        if (waits && seconds < best) best = seconds;
    }
    ck_assert_msg(best < whole / 3, "%g s behind a picture of %g s", best, whole);
    free(jpeg);
}
END_TEST

START_TEST(a_deadline_passes_while_it_is_decoded)
{
    int fd[4];
    send_pictures(fd, 4);
    /* Of high priority, as the three that wait before it would have it refused. */
    expect(send_named_picture("/infer?timeout_ms=100&priority=1", "late"), 504,
           "the deadline of 100 ms passed");
    expect_dropped("deadline", "decoding", 1);
    for (int i = 0; i < 4; i++) expect(fd[i], 200, NULL);
    expect_logged_before("late", "picture-3");
}
END_TEST

START_TEST(pictures_have_priorities)
{
    int fd[4];
    send_pictures(fd, 4);
    expect(send_named_picture("/infer?priority=1", "high"), 200, NULL);
    for (int i = 0; i < 4; i++) expect(fd[i], 200, NULL);
    expect_logged_before("high", "picture-3");
}
END_TEST

static void expect_refused(int fd, const char *error)
{
    struct response response = client_receive(fd);
    char seconds[16] = "";
    ck_assert_int_eq(response.status, 429);
    ck_assert_str_eq(response.body, error);
    ck_assert(response_header(&response, "Retry-After", seconds, sizeof seconds));
    ck_assert_int_ge(strtol(seconds, NULL, 10), 1);
    response_free(&response);
    close(fd);
}

/* At once: what waits before it is not answered yet. */
START_TEST(a_picture_that_cannot_be_in_time)
{
    int fd[4];
    expect(send_picture("/infer"), 200, NULL); /* measured: 0.4 s or so */
    send_pictures(fd, 4);
    expect_refused(send_named_picture("/infer?timeout_ms=200", "refused"),
                   "{\"error\":\"the deadline is nearer than the end of the decoders' queue\"}\n");
    for (int i = 0; i < 4; i++) expect(fd[i], 200, NULL);
    expect_logged_before("refused", "picture-3");
    await_metric("resnetd_failures_total{reason=\"too_late\"}", 1);
}
END_TEST

START_TEST(more_pictures_than_may_wait)
{
    int fd[8];
    double refused = 0;
    make_png();
    DAEMON_START(&server, "--decoders", "1", "--decoder-queue", "1", "--log-level", "warning");
    for (int i = 0; i < 8; i++) fd[i] = send_picture("/infer");
    for (int i = 0; i < 8; i++) {
        struct response response = client_receive(fd[i]);
        char seconds[16] = "";
        if (response.status != 200) {
            ck_assert_int_eq(response.status, 429);
            ck_assert_str_eq(response.body,
                             "{\"error\":\"as many pictures wait as --decoder-queue and "
                             "--queue-bytes allow: 1, 1073741824\"}\n");
            ck_assert(response_header(&response, "Retry-After", seconds, sizeof seconds));
            refused++;
        }
        response_free(&response);
        close(fd[i]);
    }
    ck_assert(refused > 0 && refused < 8);
    await_metric("resnetd_failures_total{reason=\"queue_full\"}", refused);
    stop_decoder();
}
END_TEST

/* Pictures that wait when the signal comes are answered. */
START_TEST(the_end_while_pictures_wait)
{
    int fd[4];
    start_decoder();
    send_pictures(fd, 4);
    kill(server.pid, SIGTERM);
    for (int i = 0; i < 4; i++) expect(fd[i], 200, NULL);
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
    free(png);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flow");
    TCase *tests = tcase_create("slow model"), *own = tcase_create("daemons of their own"),
          *pictures = tcase_create("pictures");
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, own);
    suite_add_tcase(suite, pictures);
    tcase_add_unchecked_fixture(pictures, calibrate_pictures, NULL);
    tcase_add_checked_fixture(pictures, start_decoder, stop_decoder);
    tcase_set_timeout(pictures, 120);
    tcase_add_unchecked_fixture(tests, calibrate, NULL);
    tcase_add_checked_fixture(tests, start_slow, server_stop);
    tcase_set_timeout(tests, 120);
    tcase_set_timeout(own, 120);
    tcase_add_test(tests, a_client_leaves_while_it_is_read);
    tcase_add_test(tests, a_client_leaves_while_it_is_queued);
    tcase_add_test(tests, a_client_leaves_while_it_is_computed);
    tcase_add_test(tests, a_killed_client);
    tcase_add_test(tests, pipelined_requests);
    tcase_add_test(tests, a_half_close_is_a_hangup);
    tcase_add_test(tests, a_deadline_passes_while_it_is_read);
    tcase_add_test(tests, a_deadline_passes_while_it_is_queued);
    tcase_add_test(tests, a_deadline_passes_while_it_is_computed);
    tcase_add_test(tests, where_deadlines_stand);
    tcase_add_test(tests, refused_by_the_rate);
    tcase_add_test(tests, high_is_answered_before_normal);
    tcase_add_unchecked_fixture(own, calibrate, NULL);
    tcase_add_unchecked_fixture(own, calibrate_pictures, NULL);
    tcase_add_test(own, the_default_deadline);
    tcase_add_test(pictures, decoding_does_not_hold_up_other_clients);
    tcase_add_test(pictures, a_client_leaves_while_it_is_decoded);
    tcase_add_test(pictures, a_decoder_is_free_again);
    tcase_add_test(pictures, a_deadline_passes_while_it_is_decoded);
    tcase_add_test(pictures, a_picture_that_cannot_be_in_time);
    tcase_add_test(pictures, pictures_have_priorities);
    tcase_add_test(own, more_pictures_than_may_wait);
    tcase_add_test(own, the_end_while_pictures_wait);
    return run_suite(suite);
}
