/* The life of connections: answers that come before the request has, limits of connections and of
 * descriptors, idle ones, slow readers, and the end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http/fixture.h"

#include "check_main.h"

enum { BODY = 20 << 20, MANY = 60 };
static const char body[BODY];

#define LINGERING        "resnetd_http_lingering_connections"
#define LINGER_END(name) "resnetd_http_lingering_closes_total{end=\"" name "\"}"
#define EVICTED          "resnetd_http_evicted_connections_total"
#define CONNECTIONS      "resnetd_http_connections"

static void expect_end(int fd)
{
    char more;
    ck_assert_int_le(recv(fd, &more, 1, 0), 0);
    close(fd);
}

static void await_end(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&end, 1, 60000), 1);
    expect_end(fd);
}

/* Sends the beginning of a POST /infer with a body of BODY bytes. */
static int begin_post(const char *query)
{
    char head[200];
    const int fd = client_open(server.port);
    snprintf(head, sizeof head,
             "POST /infer%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
             "Content-Length: %d\r\n\r\n",
             query, (int)BODY);
    ck_assert(client_send(fd, head, strlen(head)));
    return fd;
}

/* ---- answers before the body ----------------------------------------------------------------- */

START_TEST(a_client_that_writes_all_before_it_reads)
{
    DAEMON_START(&server, "--max-body-bytes", "1000");
    for (int i = 0; i < 5; i++) {
        const int fd = begin_post("");
        ck_assert(client_send(fd, body, BODY));
        expect_error_with(client_receive(fd), 413, "--max-body-bytes allows 1000");
        expect_end(fd);
    }
    await_metric(LINGER_END("client"), 5);
    await_metric(LINGERING, 0);
    await_metric(CONNECTIONS, 1);
    server_stop();
}
END_TEST

START_TEST(a_chunked_body_that_is_too_large)
{
    static const char head[] =
        "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n1400000\r\n"; /* BODY */
    DAEMON_START(&server, "--max-body-bytes", "1000");
    for (int i = 0; i < 5; i++) {
        const int fd = client_open(server.port);
        ck_assert(client_send(fd, head, sizeof head - 1));
        ck_assert(client_send(fd, body, BODY));
        ck_assert(client_send(fd, "\r\n0\r\n\r\n", 7));
        expect_error_with(client_receive(fd), 413, "than --max-body-bytes allows: 1000");
        expect_end(fd);
    }
    server_stop();
}
END_TEST

/* The answer lies there while nothing is sent; what is sent later does not take it away. */
START_TEST(a_deadline_in_the_middle_of_a_body)
{
    DAEMON_START(&server, "--log-level", "warning");
    for (int i = 0; i < 3; i++) {
        const int fd = begin_post("?timeout_ms=100");
        struct pollfd answered = {.fd = fd, .events = POLLIN};
        ck_assert(client_send(fd, body, BODY / 2));
        ck_assert_int_eq(poll(&answered, 1, 60000), 1);
        clock_sleep((uint64_t)i * 100 * NS_PER_MS);
        ck_assert(client_send(fd, body, BODY / 2));
        expect_error(client_receive(fd), 504, "the deadline of 100 ms passed");
        expect_end(fd);
    }
    await_metric("resnetd_dropped_total{reason=\"deadline\",phase=\"reading\"}", 3);
    await_metric("resnetd_http_requests_active", 1);
    await_metric(CONNECTIONS, 1);
    server_stop();
}
END_TEST

static bool is_open(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Sends on for as long as it is read; the answer may be lost then. */
static void send_until_it_is_cut(int fd)
{
    for (int i = 0; i < 100; i++)
        if (!client_send(fd, body, BODY)) return;
    ck_abort_msg("2 GB were read");
}

START_TEST(lingering_is_bounded)
{
    DAEMON_START(&server, "--max-body-bytes", "1000", "--linger-bytes", "1000000",
                 "--linger-timeout", "3600");
    const int fd = begin_post("");
    send_until_it_is_cut(fd);
    await_metric(LINGER_END("bytes"), 1);
    close(fd);
    server_stop();
    DAEMON_START(&server, "--max-body-bytes", "1000", "--linger-timeout", "1");
    const int silent = begin_post("");
    expect_error_with(client_receive(silent), 413, "--max-body-bytes");
    await_metric(LINGER_END("time"), 1);
    await_metric(LINGERING, 0);
    close(silent);
    server_stop();
    /* as before the body's end, where libmicrohttpd has the connection still */
    DAEMON_START(&server, "--linger-timeout", "1");
    const int late = begin_post("?timeout_ms=50");
    expect_error(client_receive(late), 504, "the deadline of 50 ms passed");
    await_metric(CONNECTIONS, 1);
    close(late);
    server_stop();
}
END_TEST

START_TEST(no_more_linger_than_a_quarter_of_the_connections)
{
    int fd[4];
    DAEMON_START(&server, "--max-body-bytes", "1000", "--connections", "8", "--linger-timeout",
                 "3600");
    for (int i = 0; i < 4; i++) {
        fd[i] = begin_post("");
        expect_error_with(client_receive(fd[i]), 413, "--max-body-bytes");
        await_metric(LINGER_END("evicted"), i < 3 ? 0 : 1);
    }
    await_metric(LINGERING, 3);
    for (int i = 0; i < 4; i++) close(fd[i]);
    await_metric(LINGERING, 0);
    server_stop();
}
END_TEST

/* ---- no room --------------------------------------------------------------------------------- */

static void expect_live(int fd)
{
    ck_assert(client_send_request(fd, "GET", "/livez", "", "", 0));
    struct response response = client_receive(fd);
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
}

START_TEST(idle_connections_make_room)
{
    enum { LIMIT = 8, IDLE = 40 };
    int idle[IDLE];
    DAEMON_START(&server, "--connections", "8", "--idle-timeout", "3600");
    const int busy = begin_post(""), kept = client_open(server.port);
    for (int i = 0; i < IDLE; i++) {
        idle[i] = client_open(server.port);
        expect_live(idle[i]);
        if (i == 20) ck_assert(client_send(idle[i], "GET /li", 7)); /* not a request yet */
        expect_live(kept); /* again and again: it is never the one that is idle longest */
    }
    expect_alive();
    for (int i = 0; i < IDLE - LIMIT; i++) await_end(idle[i]);
    ck_assert(is_open(idle[IDLE - 1]));
    ck_assert(is_open(busy));
    ck_assert_double_ge(metric(EVICTED), IDLE - LIMIT);
    ck_assert_double_le(metric(CONNECTIONS), LIMIT);
    for (int i = IDLE - LIMIT; i < IDLE; i++) close(idle[i]);
    close(busy);
    close(kept);
    server_stop();
}
END_TEST

/* A request whose body is waited for: the daemon has said so. */
static int begin_awaited_post(void)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    char head[200], answer[sizeof go_on] = "";
    const int fd = client_open(server.port);
    snprintf(head, sizeof head,
             "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
             "Expect: 100-continue\r\nContent-Length: %d\r\n\r\n",
             (int)BODY);
    ck_assert(client_send(fd, head, strlen(head)));
    ck_assert_int_eq(recv(fd, answer, sizeof answer - 1, MSG_WAITALL), sizeof answer - 1);
    ck_assert_str_eq(answer, go_on);
    return fd;
}

/* None is idle: a new client waits until one is. */
START_TEST(busy_connections_make_no_room)
{
    int busy[3];
    DAEMON_START(&server, "--connections", "3", "--idle-timeout", "3600", "--body-timeout", "3600");
    for (int i = 0; i < 3; i++) busy[i] = begin_awaited_post();
    const int waits = client_open(server.port);
    ck_assert(client_send_request(waits, "GET", "/livez", "", "", 0));
    clock_sleep(300 * NS_PER_MS);
    ck_assert(is_open(waits));
    for (int i = 0; i < 3; i++) ck_assert(is_open(busy[i]));
    ck_assert(client_send(busy[1], body, BODY)); /* no whole samples: answered */
    struct response response = client_receive(busy[1]);
    ck_assert_int_eq(response.status, 400);
    response_free(&response);
    response = client_receive(waits); /* and closed for this one */
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    for (int i = 0; i < 3; i++) close(busy[i]);
    close(waits);
    server_stop();
}
END_TEST

START_TEST(too_many_of_one_address)
{
    int fd[4];
    DAEMON_START(&server, "--connections-per-address", "3", "--idle-timeout", "3600");
    for (int i = 0; i < 4; i++) fd[i] = client_open(server.port);
    await_end(fd[3]);
    for (int i = 0; i < 3; i++) close(fd[i]);
    clock_sleep(200 * NS_PER_MS); /* until the daemon knows: it would refuse this one as well */
    ck_assert_double_ge(metric("resnetd_http_refused_connections_total"), 1);
    server_stop();
}
END_TEST

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Seconds of CPU that the daemon has used. */
static double cpu_seconds(void)
{
    char path[40], text[600] = "";
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)server.pid);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, file), 0);
    fclose(file);
    char *at = strrchr(text, ')') + 1;
    for (int i = 0; i < 11; i++) at = strchr(at + 1, ' ');
    user = strtoul(at, &at, 10);
    kernel = strtoul(at, &at, 10);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

/* A thread that spins would take all of a CPU, or what others leave of it. */
static void expect_rest(void)
{
    const double before = cpu_seconds();
    clock_sleep(2 * NS_PER_SECOND);
    const double used = cpu_seconds() - before;
    ck_assert_msg(used < 0.2, "%g s of CPU in 2 s", used);
}

static void limit_descriptors(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void expect_logged(const char *part)
{
    char *log = daemon_log(&server);
    ck_assert_msg(strstr(log, part) != NULL, "no '%s' in:\n%s", part, log);
    free(log);
}

/* The test is a process of its own: nothing is to be undone. */
START_TEST(the_soft_limit_is_raised)
{
    limit_descriptors(64, 300);
    DAEMON_START(&server, "--connections", "100");
    await_metric("process_max_fds", 300);
    char *log = daemon_log(&server);
    ck_assert_ptr_null(strstr(log, "event=descriptors"));
    free(log);
    server_stop();
}
END_TEST

START_TEST(connections_are_lowered_to_the_limit)
{
    int fd[MANY];
    limit_descriptors(80, 80);
    DAEMON_START(&server, "--idle-timeout", "3600");
    expect_logged("event=descriptors limit=80 connections=");
    expect_logged(" wanted=1024 ");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < MANY; i++) fd[i] = client_open(server.port);
        expect_alive();
        for (int i = 0; i < MANY; i++) close(fd[i]);
    }
    for (int i = 0; i < MANY; i++) fd[i] = client_open(server.port);
    expect_alive();
    expect_rest();
    char *log = daemon_log(&server);
    ck_assert_ptr_null(strstr(log, "event=accept"));
    free(log);
    for (int i = 0; i < MANY; i++) close(fd[i]);
    server_stop();
}
END_TEST

/* As if other parts of the daemon had taken all. */
START_TEST(no_descriptor_for_a_new_connection)
{
    struct rlimit before;
    int fd[MANY];
    DAEMON_START(&server, "--idle-timeout", "3600");
    const rlim_t now = (rlim_t)metric("process_open_fds");
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, NULL, &before), 0);
    const struct rlimit tight = {.rlim_cur = now + 2, .rlim_max = before.rlim_max};
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, &tight, NULL), 0);
    for (int i = 0; i < MANY; i++) fd[i] = client_open(server.port);
    /* the one that is idle longest goes, and so on: the last one is served */
    expect_live(fd[MANY - 1]);
    expect_logged("event=accept error=\"Too many open files\"");
    for (int i = 0; i < MANY; i++) close(fd[i]);
    /* even if there is none at all */
    const struct rlimit none = {.rlim_cur = 5, .rlim_max = before.rlim_max};
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, &none, NULL), 0);
    for (int i = 0; i < MANY; i++) fd[i] = client_open(server.port);
    expect_rest();
    ck_assert_int_eq(prlimit(server.pid, RLIMIT_NOFILE, &before, NULL), 0);
    expect_alive();
    for (int i = 0; i < MANY; i++) close(fd[i]);
    await_metric(CONNECTIONS, 1);
    server_stop();
}
END_TEST

/* ---- slow readers ---------------------------------------------------------------------------- */

enum { SIDE = 4, SAMPLES = 12000, INPUT = SAMPLES * SIDE * SIDE * 4 };

/* Asks for some megabytes, more than the kernel takes at once. */
static int ask_for_much(void)
{
    const int fd = client_open(server.port), small = 1 << 16;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    ck_assert(client_send_request(fd, "POST", "/infer?top_k=10",
                                  "Content-Type: application/octet-stream\r\n", body, INPUT));
    return fd;
}

static void start_small_model(void)
{
    DAEMON_START(&server, "--model", "small=deploy/models/fashion-resnet/model.safetensors",
                 "--input-size", "4", "--queue-samples", "20000", "--timeout", "0",
                 "--idle-timeout", "1", "--max-batch", "256");
}

/* Read so slowly that the kernel's buffer is not written to for longer than --idle-timeout. */
START_TEST(a_slow_reader_is_not_idle)
{
    char piece[20000];
    start_small_model();
    const int fd = ask_for_much();
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&answered, 1, 120000), 1);
    size_t left = 0; /* of the answer */
    for (int i = 0; i < 50; i++) {
        const ssize_t got = recv(fd, piece, sizeof piece, 0);
        ck_assert_int_gt(got, 0);
        if (i == 0) {
            piece[got - 1] = '\0';
            const char *length = strstr(piece, "Content-Length: "),
                       *end = strstr(piece, "\r\n\r\n");
            ck_assert_ptr_nonnull(length);
            left = strtoul(length + 16, NULL, 10) + (size_t)(end + 4 - piece);
            ck_assert_uint_gt(left, 4000000);
        }
        left -= (size_t)got;
        clock_sleep(100 * NS_PER_MS);
    }
    while (left) {
        const ssize_t got = recv(fd, piece, sizeof piece < left ? sizeof piece : left, 0);
        ck_assert_msg(got > 0, "%zu bytes are missing: %s", left, strerror(errno));
        left -= (size_t)got;
    }
    close(fd);
    server_stop();
}
END_TEST

START_TEST(who_reads_nothing_is_idle)
{
    start_small_model();
    const int fd = ask_for_much();
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&answered, 1, 120000), 1);
    await_metric("resnetd_http_requests_active", 1); /* cut */
    await_metric(CONNECTIONS, 1);
    close(fd);
    server_stop();
}
END_TEST

/* ---- the end --------------------------------------------------------------------------------- */

static const char stopping[] = "the server is stopping";

START_TEST(bodies_do_not_hold_the_end)
{
    DAEMON_START(&server, "--drain-timeout", "1", "--linger-timeout", "3600");
    const int fd = begin_post(""), headers = client_open(server.port);
    ck_assert(client_send(headers, "GET /livez HTTP/1.1\r\nHost: x\r\n", 30));
    await_metric("resnetd_http_requests_active", 3);
    kill(server.pid, SIGTERM);
    expect_error(client_receive(fd), 503, stopping);
    expect_error(client_receive(headers), 503, stopping);
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
    close(fd);
    close(headers);
}
END_TEST

/* Until then they are answered as ever. */
START_TEST(bodies_are_read_until_drain_timeout)
{
    DAEMON_START(&server, "--drain-timeout", "3600");
    const int fd = client_open(server.port);
    static const char head[] = "POST /infer HTTP/1.1\r\nHost: x\r\nContent-Type: "
                               "application/octet-stream\r\nContent-Length: 3136\r\n\r\n";
    ck_assert(client_send(fd, head, sizeof head - 1));
    await_metric("resnetd_http_requests_active", 2);
    kill(server.pid, SIGTERM);
    for (int i = 0; i < 7; i++) {
        ck_assert(client_send(fd, body, 448));
        clock_sleep(100 * NS_PER_MS);
    }
    struct response response = client_receive(fd);
    ck_assert_int_eq(response.status, 200);
    ck_assert(response.close);
    response_free(&response);
    close(fd);
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
}
END_TEST

/* Nor does a drip of bytes, before the answer or after it. */
START_TEST(drips_do_not_hold_the_end)
{
    DAEMON_START(&server, "--drain-timeout", "1", "--linger-timeout", "3600");
    const int fd = begin_post("");
    await_metric("resnetd_http_requests_active", 2);
    kill(server.pid, SIGTERM);
    for (int i = 0; i < 600 && client_send(fd, "x", 1); i++) clock_sleep(100 * NS_PER_MS);
    ck_assert(!client_send(fd, "x", 1));
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
    close(fd);
}
END_TEST

/* The end waits for a client that is still sending what nobody wants. */
START_TEST(lingering_connections_count)
{
    DAEMON_START(&server, "--max-body-bytes", "1000", "--linger-timeout", "60");
    const int fd = begin_post("");
    await_metric(LINGERING, 1);
    kill(server.pid, SIGTERM);
    ck_assert(client_send(fd, body, BODY));
    expect_error_with(client_receive(fd), 413, "--max-body-bytes");
    expect_end(fd);
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
}
END_TEST

START_TEST(a_reader_does_not_hold_the_end)
{
    DAEMON_START(&server, "--model", "small=deploy/models/fashion-resnet/model.safetensors",
                 "--input-size", "4", "--queue-samples", "20000", "--timeout", "0", "--max-batch",
                 "256", "--idle-timeout", "3600", "--drain-timeout", "1");
    const int fd = ask_for_much();
    struct pollfd answered = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&answered, 1, 120000), 1);
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 0);
    close(fd);
}
END_TEST

/* ---- nothing is kept ------------------------------------------------------------------------- */

START_TEST(nothing_is_kept_of_early_answers)
{
    const char *rounds = getenv("EARLY_ANSWERS"); /* 10000 for a proof of its own */
    const int count = rounds ? (int)strtol(rounds, NULL, 10) : 300;
    double fds = 0, memory = 0;
    DAEMON_START(&server, "--max-body-bytes", "1000", "--log-level", "error");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < count; i++) {
            const int fd = i % 2 ? begin_post("?timeout_ms=1") : begin_post("");
            ck_assert(client_send(fd, body, 100000));
            struct response response = client_receive(fd);
            ck_assert_int_eq(response.status, 413);
            response_free(&response);
            close(fd);
        }
        await_metric(LINGERING, 0);
        await_metric(CONNECTIONS, 1);
        if (round) break;
        fds = metric("process_open_fds");
        memory = metric("process_resident_memory_bytes");
    }
    ck_assert_double_le(metric("process_open_fds"), fds);
    ck_assert_double_le(metric("process_resident_memory_bytes"), memory * 1.2 + 4e6);
    server_stop();
}
END_TEST

static TCase *add_case(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 200);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("connections");
    TCase *early = add_case(suite, "early answers");
    TCase *room = add_case(suite, "room");
    TCase *descriptors = add_case(suite, "descriptors");
    TCase *readers = add_case(suite, "readers");
    TCase *end = add_case(suite, "end");
    tcase_add_test(early, a_client_that_writes_all_before_it_reads);
    tcase_add_test(early, a_chunked_body_that_is_too_large);
    tcase_add_test(early, a_deadline_in_the_middle_of_a_body);
    tcase_add_test(early, lingering_is_bounded);
    tcase_add_test(early, no_more_linger_than_a_quarter_of_the_connections);
    tcase_add_test(early, nothing_is_kept_of_early_answers);
    tcase_add_test(room, idle_connections_make_room);
    tcase_add_test(room, busy_connections_make_no_room);
    tcase_add_test(room, too_many_of_one_address);
    tcase_add_test(descriptors, the_soft_limit_is_raised);
    tcase_add_test(descriptors, connections_are_lowered_to_the_limit);
    tcase_add_test(descriptors, no_descriptor_for_a_new_connection);
    tcase_add_test(readers, a_slow_reader_is_not_idle);
    tcase_add_test(readers, who_reads_nothing_is_idle);
    tcase_add_test(end, bodies_do_not_hold_the_end);
    tcase_add_test(end, bodies_are_read_until_drain_timeout);
    tcase_add_test(end, drips_do_not_hold_the_end);
    tcase_add_test(end, lingering_connections_count);
    tcase_add_test(end, a_reader_does_not_hold_the_end);
    return run_suite(suite);
}
