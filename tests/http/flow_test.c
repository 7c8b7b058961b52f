/* Deadlines, clients that leave, and priorities, in each phase of a request: answered at once,
 * taken out of the queue, stopped between layers, and counted.
 *
 * What has the worker or the decoder is without end (endless.h): what is queued behind it stays
 * there for as long as a test looks at it, and goes on when the test hangs up. A deadline may pass
 * in an earlier phase where the machine stands still: then the request is made again with more
 * time. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http/endless.h"
#include "http/fixture.h"

#include "check_main.h"

static const float samples[ENDLESS_MANY * ENDLESS_PIXELS];
static char model[60];

/* batch: samples of one forward pass; timeout: the deadline of what names none, "0": none */
#define SLOW(batch, timeout)                                                                 \
    "--model", model, "--workers", "1", "--threads", "1", "--max-batch", batch, "--timeout", \
        timeout, "--log-level", "warning", "--queue-samples", "100000"
#define ONE_BATCH "4096"

static void make_model(void)
{
    endless_model_make();
    snprintf(model, sizeof model, "slow=%s", endless_model());
}

static void start_slow(void)
{
    DAEMON_START(&server, SLOW(ONE_BATCH, "0"));
}

/* ---- metrics --------------------------------------------------------------------------------- */

static const char *const reasons[] = {"deadline", "cancelled"};
static const char *const phases[] = {"reading", "decoding", "queued", "computing"};

static char *dropped(const char *reason, const char *phase)
{
    static char sample[120];
    snprintf(sample, sizeof sample, "resnetd_dropped_total{reason=\"%s\",phase=\"%s\"}", reason,
             phase);
    return sample;
}

static void await_dropped(const char *reason, const char *phase, double value)
{
    await_metric(dropped(reason, phase), value);
}

/* All that was dropped, and nothing else. */
static void expect_dropped(const char *reason, const char *phase, double value)
{
    await_dropped(reason, phase, value);
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 4; j++)
            if (strcmp(reasons[i], reason) || strcmp(phases[j], phase))
                await_dropped(reasons[i], phases[j], 0);
}

/* In all phases together. */
static double dropped_in_all(const char *reason)
{
    double sum = 0;
    for (size_t j = 0; j < 4; j++) sum += metric(dropped(reason, phases[j]));
    return sum;
}

static void await_dropped_in_all(const char *reason, double value)
{
    for (int i = 0; i < 6000 && dropped_in_all(reason) < value; i++) clock_sleep(10 * NS_PER_MS);
    ck_assert(dropped_in_all(reason) == value);
}

#define QUEUE  "resnetd_queue_samples{model=\"slow\"}"
#define ACTIVE "resnetd_http_requests_active"

/* ---- requests -------------------------------------------------------------------------------- */

static int send_samples(const char *target, size_t count)
{
    const int fd = client_open(server.port);
    ck_assert(client_send_request(fd, "POST", target, "Content-Type: application/octet-stream\r\n",
                                  samples, count * ENDLESS_PIXELS * sizeof(float)));
    return fd;
}

static int send_one(const char *target)
{
    return send_samples(target, 1);
}

static int send_endless(const char *target)
{
    return send_samples(target, ENDLESS_SAMPLES);
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

static bool is_answered(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void expect_waits(int fd)
{
    if (!is_answered(fd)) return;
    struct response response = client_receive(fd);
    ck_abort_msg("answered: %d %.300s", response.status, response.body);
}

/* Until that thread of the daemon's has been at work for so long since it had `before`. */
static void await_thread(const char *thread, double before, double seconds)
{
    for (int i = 0; daemon_thread_seconds(&server, thread) < before + seconds; i++) {
        ck_assert_msg(i < 6000, "%s does not work", thread);
        clock_sleep(10 * NS_PER_MS);
    }
}

/* A request that the worker computes, and will not have done. */
static int occupy(void)
{
    const double before = daemon_thread_seconds(&server, "worker");
    const int fd = send_endless("/infer");
    await_metric(QUEUE, ENDLESS_SAMPLES);
    await_thread("worker", before, 0.02);
    return fd;
}

/* Sends requests with a deadline, each with twice the time of the last, until one of them was in
 * that phase when it passed. */
static void expect_late(int (*send_it)(const char *target), const char *query, const char *phase)
{
    for (unsigned ms = 200, sent = 1; ms < 60000; ms *= 2, sent++) {
        char target[60], error[60];
        snprintf(target, sizeof target, "/infer?timeout_ms=%u%s", ms, query);
        snprintf(error, sizeof error, "the deadline of %u ms passed", ms);
        expect(send_it(target), 504, error);
        await_dropped_in_all("deadline", sent);
        if (metric(dropped("deadline", phase)) > 0) return;
    }
    ck_abort_msg("no deadline passed while %s", phase);
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
    await_metric(ACTIVE, 2); /* and /metrics itself */
    close(fd);
    expect_dropped("cancelled", "reading", 1);
    await_metric("resnetd_failures_total{reason=\"cancelled\"}", 1);
    fd = client_open(server.port); /* in the middle of the headers */
    ck_assert(client_send(fd, "GET /livez HTTP/1.1\r\nHost: x\r\n", 30));
    await_metric(ACTIVE, 2);
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
    const int first = occupy(), second = send_one("/infer"), third = send_one("/infer");
    await_metric(QUEUE, ENDLESS_SAMPLES + 2);
    close(second);
    expect_dropped("cancelled", "queued", 1);
    await_metric(QUEUE, ENDLESS_SAMPLES + 1);
    await_metric("resnetd_http_requests_total{route=\"/infer\",code=\"499\"}", 1);
    await_metric("resnetd_batches_stopped_total{model=\"slow\"}", 0);
    close(first);
    expect(third, 200, NULL);
    await_metric("resnetd_images_total{model=\"slow\"}", 1); /* the second was never computed */
    await_metric("resnetd_batches_stopped_total{model=\"slow\"}", 1);
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
    expect(send_one("/infer"), 200, NULL);
}
END_TEST

/* Every socket at once, by the kernel, as when a client is killed; one of them waits, half of them
 * have not sent all. */
START_TEST(a_killed_client)
{
    int gone[8];
    const int first = occupy();
    for (int i = 0; i < 8; i++) gone[i] = i % 2 ? send_one("/infer") : send_part("/infer");
    await_metric(QUEUE, ENDLESS_SAMPLES + 4);
    await_metric(ACTIVE, 1 + 8 + 1);
    const struct linger now = {.l_onoff = 1};
    for (int i = 0; i < 8; i++) {
        setsockopt(gone[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(gone[i]); /* a reset */
    }
    await_dropped("cancelled", "reading", 4);
    await_dropped("cancelled", "queued", 4);
    await_metric(QUEUE, ENDLESS_SAMPLES);
    expect_waits(first);
    close(first);
    await_dropped("cancelled", "computing", 1);
    expect(send_one("/infer"), 200, NULL);
}
END_TEST

/* The bytes of a next request are no sign that the client left. */
START_TEST(pipelined_requests)
{
    static const char next[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
    const int first = occupy(), fd = send_one("/infer");
    await_metric(QUEUE, ENDLESS_SAMPLES + 1);
    ck_assert(client_send(fd, next, sizeof next - 1));
    for (int i = 0; i < 20; i++) await_metric(QUEUE, ENDLESS_SAMPLES + 1); /* it stays */
    close(first);
    struct response response = client_receive(fd);
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    expect(fd, 200, NULL);
    expect_dropped("cancelled", "computing", 1); /* the first */
    /* ... and they do not hide that it did */
    const int gone = occupy();
    ck_assert(client_send(gone, next, sizeof next - 1));
    close(gone);
    expect_dropped("cancelled", "computing", 2);
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
    const int first = occupy();
    expect_late(send_one, "", "queued");
    await_metric(QUEUE, ENDLESS_SAMPLES); /* the first one is still there */
    expect_waits(first);
    close(first);
    expect(send_one("/infer"), 200, NULL);
}
END_TEST

START_TEST(a_deadline_passes_while_it_is_computed)
{
    expect_late(send_endless, "", "computing");
    await_metric("resnetd_batches_stopped_total{model=\"slow\"}", 1);
    await_metric("resnetd_images_total{model=\"slow\"}", 0);
    expect(send_one("/infer"), 200, NULL);
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
        char request[500];
        const int head = snprintf(request, sizeof request,
                                  "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n%s",
                                  cases[i].target, size, cases[i].body);
        ck_assert(client_send(fd, request, (size_t)head - 1));
        clock_sleep(100 * NS_PER_MS);
        client_send(fd, cases[i].body + size - 1, 1);
        expect(fd, 504, cases[i].error);
        expect_dropped("deadline", "reading", (double)i + 1);
    }
}
END_TEST

START_TEST(the_default_deadline)
{
    DAEMON_START(&server, SLOW(ONE_BATCH, "500"));
    expect(send_part("/infer"), 504, "the deadline of 500 ms passed");
    expect_dropped("deadline", "reading", 1);
    expect(send_endless("/infer"), 504, "the deadline of 500 ms passed");
    await_dropped_in_all("deadline", 2);
    server_stop();
}
END_TEST

/* Sends requests until one is refused by the rate with that status and error, each with more time
 * than the last: of the others the deadline passed before, or it left no time for one sample. */
static void expect_refused(int (*send_it)(const char *target), const char *query, int status,
                           const char *error)
{
    for (unsigned ms = 500; ms < 86400000; ms *= 2) {
        char target[80], seconds[16] = "";
        snprintf(target, sizeof target, "/infer?timeout_ms=%u%s", ms, query);
        const int fd = send_it(target);
        struct response response = client_receive(fd);
        close(fd);
        const bool refused = response.status == status && !strcmp(response.body, error);
        ck_assert_msg(refused || response.status == 504, "%d %s", response.status, response.body);
        if (refused && status == 429) {
            ck_assert(response_header(&response, "Retry-After", seconds, sizeof seconds));
            ck_assert_int_ge(strtol(seconds, NULL, 10), 1);
        }
        response_free(&response);
        if (refused) return;
    }
    ck_abort_msg("nothing was refused: %s", error);
}

static int send_many(const char *target)
{
    return send_samples(target, ENDLESS_MANY);
}

/* What the measured rate says: alone it would be late, or behind what waits. Batches of one sample
 * measure it all the time. */
START_TEST(refused_by_the_rate)
{
    static const char refused[] = "resnetd_failures_total{reason=\"too_late\"}";
    DAEMON_START(&server, SLOW("1", "0"));
    const int first = send_many("/infer");
    while (metric("resnetd_images_total{model=\"slow\"}") < 1) clock_sleep(10 * NS_PER_MS);
    expect_refused(send_many, "&priority=1", 504,
                   "{\"error\":\"model slow takes longer than the deadline leaves\"}\n");
    await_metric(refused, 1);
    expect_refused(send_one, "", 429,
                   "{\"error\":\"the deadline is nearer than the end of model slow's queue\"}\n");
    ck_assert(metric(refused) >= 2);
    expect_waits(first);
    close(first);
    await_metric(QUEUE, 0);
    server_stop();
}
END_TEST

/* ---- priorities ------------------------------------------------------------------------------ */

/* Samples as a request of the Open Inference Protocol, the tensor behind the JSON. */
static int send_v2(int priority, size_t count)
{
    char json[300], headers[120];
    const size_t bytes = count * ENDLESS_PIXELS * sizeof(float);
    const int size =
        snprintf(json, sizeof json,
                 "{\"parameters\":{\"priority\":%d},\"inputs\":[{\"name\":\"input\","
                 "\"shape\":[%zu,1,8,8],\"datatype\":\"FP32\",\"parameters\":{\"binary_"
                 "data_size\":%zu}}]}",
                 priority, count, bytes);
    const int fd = client_open(server.port);
    snprintf(headers, sizeof headers,
             "POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: "
             "%d\r\nContent-Length: %zu\r\n\r\n",
             size, (size_t)size + bytes);
    ck_assert(client_send(fd, headers, strlen(headers)));
    ck_assert(client_send(fd, json, (size_t)size));
    ck_assert(client_send(fd, samples, bytes));
    return fd;
}

#define NORMAL "resnetd_model_requests_total{model=\"slow\",priority=\"normal\"}"

/* What is not high has no end: what is high would not be answered behind it. */
START_TEST(high_is_answered_before_normal)
{
    int normal[3], high[2];
    DAEMON_START(&server, SLOW("1", "0"));
    normal[0] = send_samples("/infer", ENDLESS_MANY);
    normal[1] = send_v2(0, ENDLESS_MANY);
    normal[2] = send_v2(2, ENDLESS_MANY); /* a lower one is no better than the default */
    await_metric(NORMAL, 3);
    high[0] = send_v2(1, 1);
    high[1] = send_one("/infer?priority=1");
    expect(high[0], 200, NULL);
    expect(high[1], 200, NULL);
    for (int i = 0; i < 3; i++) expect_waits(normal[i]);
    await_metric(NORMAL, 3);
    await_metric("resnetd_model_requests_total{model=\"slow\",priority=\"high\"}", 2);
    for (int i = 0; i < 3; i++) close(normal[i]);
    await_metric(QUEUE, 0);
    server_stop();
}
END_TEST

/* ---- pictures -------------------------------------------------------------------------------- */

static struct endless_picture endless;
static uint8_t *jpeg;
static size_t jpeg_size;

#define DECODER "--decoders", "1", "--http-threads", "2", "--max-image-pixels", "1000000000"

static void make_pictures(void)
{
    endless = endless_picture_make(ENDLESS_SIDE);
    jpeg = (uint8_t *)read_file("tests/golden/images/color-444.jpg", &jpeg_size);
}

static void drop_pictures(void)
{
    free(endless.bytes);
    free(jpeg);
}

static void start_decoder(void)
{
    DAEMON_START(&server, DECODER, "--decoder-queue", "6");
}

static int send_picture(const char *target, const void *bytes, size_t size)
{
    const int fd = client_open(server.port);
    ck_assert(client_send_request(fd, "POST", target, "", bytes, size));
    return fd;
}

static int send_jpeg(const char *target)
{
    return send_picture(target, jpeg, jpeg_size);
}

/* A picture that the decoder has, and will not have done. */
static int occupy_decoder(double seconds)
{
    const double before = daemon_thread_seconds(&server, "decoder");
    const int fd = send_picture("/infer", endless.bytes, endless.size);
    await_thread("decoder", before, seconds);
    return fd;
}

/* So many requests have come, and are no longer being read; nearly always they are in the queue. */
static void await_arrived(double count)
{
    await_metric(ACTIVE, count + 1);
    await_metric("resnetd_reading_bytes", 0);
}

/* Connections that are spread over the HTTP threads, each asking again and again. */
START_TEST(decoding_does_not_hold_up_other_clients)
{
    enum { OTHERS = 8, ROUNDS = 4 };
    int other[OTHERS];
    for (int i = 0; i < OTHERS; i++) other[i] = client_open(server.port);
    const int first = occupy_decoder(0.02), second = send_jpeg("/infer");
    await_arrived(2);
    for (int i = 0; i < ROUNDS * OTHERS; i++) {
        ck_assert(client_send_request(other[i % OTHERS], "GET", "/livez", "", "", 0));
        struct response response = client_receive(other[i % OTHERS]);
        ck_assert_int_eq(response.status, 200);
        response_free(&response);
    }
    for (int i = 0; i < OTHERS; i++) close(other[i]);
    expect_waits(first);
    expect_waits(second);
    close(first);
    expect(second, 200, NULL);
}
END_TEST

START_TEST(a_client_leaves_while_it_is_decoded)
{
    const int first = occupy_decoder(0.02), waits = send_jpeg("/infer");
    double sent = 0;
    await_arrived(2);
    while (metric(dropped("cancelled", "decoding")) < 2) {
        const int gone = send_jpeg("/infer");
        await_arrived(3);
        close(gone);
        await_dropped_in_all("cancelled", ++sent);
        ck_assert(sent < 20);
    }
    close(first); /* under the decoder's hands */
    await_dropped("cancelled", "decoding", 3);
    expect(waits, 200, NULL);
}
END_TEST

/* Decoding ends where the client does: what the decoder does then until it has answered what waits
 * is little beside what was left of the picture. */
START_TEST(a_decoder_is_free_again)
{
    enum { SIDE = ENDLESS_SIDE / 16 };
    struct endless_picture part = endless_picture_make(SIDE);
    double before = daemon_thread_seconds(&server, "decoder");
    expect(send_picture("/infer", part.bytes, part.size), 200, NULL);
    const double whole = 256 * (daemon_thread_seconds(&server, "decoder") - before);
    const int first = occupy_decoder(0.02), second = send_jpeg("/infer");
    await_arrived(2);
    expect_waits(first);
    expect_waits(second);
    before = daemon_thread_seconds(&server, "decoder");
    close(first);
    expect(second, 200, NULL);
    const double used = daemon_thread_seconds(&server, "decoder") - before;
    ck_assert_msg(used < whole / 4, "%g s behind a picture of %g s", used, whole);
    free(part.bytes);
}
END_TEST

START_TEST(a_deadline_passes_while_it_is_decoded)
{
    const int first = occupy_decoder(0.02);
    expect_late(send_jpeg, "", "decoding");
    expect_waits(first);
    close(first);
    expect(send_jpeg("/infer"), 200, NULL);
}
END_TEST

START_TEST(pictures_have_priorities)
{
    const int first = occupy_decoder(0.02);
    const int normal = send_picture("/infer", endless.bytes, endless.size);
    await_arrived(2);
    const int high = send_jpeg("/infer?priority=1");
    await_arrived(3);
    close(first);
    expect(high, 200, NULL);
    expect_waits(normal);
    close(normal);
}
END_TEST

/* At once: what waits before it is not answered yet. One that was cut short has measured the rate.
 */
START_TEST(a_picture_that_cannot_be_in_time)
{
    static const char error[] =
        "{\"error\":\"the deadline is nearer than the end of the decoders' queue\"}\n";
    int waits[4]; /* a second each: of 500 ms, and of 1000 or 2000 where it needs them */
    close(occupy_decoder(1));
    await_metric(ACTIVE, 1);
    const int first = occupy_decoder(0.02);
    for (int i = 0; i < 4; i++) waits[i] = send_jpeg("/infer");
    await_arrived(5);
    expect_refused(send_jpeg, "", 429, error);
    await_metric("resnetd_failures_total{reason=\"too_late\"}", 1);
    for (int i = 0; i < 4; i++) expect_waits(waits[i]);
    close(first);
    for (int i = 0; i < 4; i++) expect(waits[i], 200, NULL);
}
END_TEST

/* One waits, and the others are sent away. */
START_TEST(more_pictures_than_may_wait)
{
    enum { SENT = 8 };
    int fd[SENT];
    size_t served = 0;
    DAEMON_START(&server, DECODER, "--decoder-queue", "1", "--log-level", "warning");
    const int first = occupy_decoder(0.02);
    for (int i = 0; i < SENT; i++) fd[i] = send_jpeg("/infer");
    await_metric("resnetd_failures_total{reason=\"queue_full\"}", SENT - 1);
    close(first);
    for (int i = 0; i < SENT; i++) {
        struct response response = client_receive(fd[i]);
        char seconds[16] = "";
        if (response.status == 200) {
            served++;
        } else {
            ck_assert_int_eq(response.status, 429);
            ck_assert_str_eq(response.body,
                             "{\"error\":\"as many pictures wait as --decoder-queue and "
                             "--queue-bytes allow: 1, 1073741824\"}\n");
            ck_assert(response_header(&response, "Retry-After", seconds, sizeof seconds));
        }
        response_free(&response);
        close(fd[i]);
    }
    ck_assert_uint_eq(served, 1);
    server_stop();
}
END_TEST

/* Pictures that wait when the signal comes are answered. */
START_TEST(the_end_while_pictures_wait)
{
    struct endless_picture large = endless_picture_make(ENDLESS_SIDE / 16);
    int fd[4];
    start_decoder();
    for (int i = 0; i < 4; i++) fd[i] = send_picture("/infer", large.bytes, large.size);
    await_metric(ACTIVE, 4 + 1);
    kill(server.pid, SIGTERM);
    for (int i = 0; i < 4; i++) expect(fd[i], 200, NULL);
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
    free(large.bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flow");
    TCase *tests = tcase_create("slow model"), *own = tcase_create("daemons of their own"),
          *pictures = tcase_create("pictures"),
          *own_pictures = tcase_create("pictures, daemons of their own");
    suite_add_tcase(suite, tests);
    suite_add_tcase(suite, own);
    suite_add_tcase(suite, pictures);
    suite_add_tcase(suite, own_pictures);
    tcase_add_unchecked_fixture(tests, make_model, endless_model_drop);
    tcase_add_checked_fixture(tests, start_slow, server_stop);
    tcase_add_unchecked_fixture(own, make_model, endless_model_drop);
    tcase_add_unchecked_fixture(pictures, make_pictures, drop_pictures);
    tcase_add_checked_fixture(pictures, start_decoder, server_stop);
    tcase_add_unchecked_fixture(own_pictures, make_pictures, drop_pictures);
    tcase_set_timeout(tests, 300);
    tcase_set_timeout(own, 300);
    tcase_set_timeout(pictures, 300);
    tcase_set_timeout(own_pictures, 300);
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
    tcase_add_test(own, the_default_deadline);
    tcase_add_test(own, refused_by_the_rate);
    tcase_add_test(own, high_is_answered_before_normal);
    tcase_add_test(pictures, decoding_does_not_hold_up_other_clients);
    tcase_add_test(pictures, a_client_leaves_while_it_is_decoded);
    tcase_add_test(pictures, a_decoder_is_free_again);
    tcase_add_test(pictures, a_deadline_passes_while_it_is_decoded);
    tcase_add_test(pictures, a_picture_that_cannot_be_in_time);
    tcase_add_test(pictures, pictures_have_priorities);
    tcase_add_test(own_pictures, more_pictures_than_may_wait);
    tcase_add_test(own_pictures, the_end_while_pictures_wait);
    return run_suite(suite);
}
