/* A daemon as its operator meets it: a log that nobody reads, lines that are JSON from the first
 * one, the environment that Kubernetes makes. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/fixture.h"

#include "check_main.h"

enum { REQUESTS = 1000, READ_MS = 60000, TEXT = 1 << 20 };

static int reader; /* of the daemon's stderr, a pipe */

/* The other end, filled to the last byte; the daemon finds it as it would be, without O_NONBLOCK.
 */
static int full_pipe(void)
{
    int end[2];
    static const char bytes[4096];
    ck_assert_int_eq(pipe2(end, O_CLOEXEC | O_NONBLOCK), 0);
    for (size_t size = sizeof bytes; size; size /= 2)
        while (write(end[1], bytes, size) > 0) continue;
    ck_assert_int_eq(errno, EAGAIN);
    fcntl(end[1], F_SETFL, 0);
    reader = end[0];
    return end[1];
}

static void drain(void)
{
    char bytes[4096];
    while (read(reader, bytes, sizeof bytes) > 0) continue;
}

/* Reads the daemon's stderr until the text is in it. */
static char *read_until(const char *text)
{
    static char all[TEXT];
    size_t used = 0;
    while (used < TEXT - 1) {
        struct pollfd ready = {.fd = reader, .events = POLLIN};
        ck_assert_msg(poll(&ready, 1, READ_MS) == 1, "no %s in %s", text, all);
        const ssize_t got = read(reader, all + used, TEXT - 1 - used);
        ck_assert_msg(got > 0, "no %s in %s", text, all);
        used += (size_t)got;
        all[used] = '\0';
        if (strstr(all, text)) break;
    }
    return all;
}

static void ask_many(void)
{
    const int fd = client_open(server.port);
    for (int i = 0; i < REQUESTS; i++) {
        ck_assert(client_send_request(fd, "GET", "/v2/models/fashion-resnet", "", "", 0));
        struct response answer = client_receive(fd);
        ck_assert_int_eq(answer.status, 200);
        response_free(&answer);
    }
    close(fd);
    expect_alive();
}

START_TEST(a_log_that_nobody_reads_stops_nothing)
{
    daemon_start_with_log(&server, full_pipe(), (const char *const[]){NULL});
    ask_many();
    const double dropped = metric("resnetd_log_dropped_lines_total");
    ck_assert_double_ge(dropped, REQUESTS);
    drain();
    expect_alive();
    char *text = read_until("event=request");
    const char *notice = strstr(text, " level=warning event=log dropped=");
    ck_assert_msg(notice && notice < strstr(text, "event=request"), "%s", text);
    ck_assert_double_ge(strtod(strstr(notice, "dropped=") + strlen("dropped="), NULL), dropped);
    ask_many();
    ask_many(); /* it is full again */
    server_stop();
    close(reader);
}
END_TEST

START_TEST(a_log_without_a_reader_stops_nothing)
{
    const int log = full_pipe();
    close(reader);
    daemon_start_with_log(&server, log, (const char *const[]){NULL});
    ask_many();
    ck_assert_double_ge(metric("resnetd_log_dropped_lines_total"), REQUESTS);
    server_stop();
}
END_TEST

START_TEST(a_full_disk_stops_nothing)
{
    const int log = open("/dev/full", O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(log, 0);
    daemon_start_with_log(&server, log, (const char *const[]){NULL});
    ask_many();
    ck_assert_double_ge(metric("resnetd_log_dropped_lines_total"), REQUESTS);
    server_stop();
}
END_TEST

/* Every line is an object with these; the event of the last one. */
static void check_json(const char *text, const char *last)
{
    static const char *const keys[] = {"time", "level", "event"};
    const char *event = "";
    json_t *line = NULL;
    ck_assert(*text);
    for (const char *at = text, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        ck_assert_msg(end != NULL, "no end: %s", at);
        json_decref(line);
        line = json_loadb(at, (size_t)(end - at), JSON_REJECT_DUPLICATES, NULL);
        ck_assert_msg(line != NULL, "no JSON: %.*s", (int)(end - at), at);
        for (size_t i = 0; i < 3; i++) ck_assert(json_is_string(json_object_get(line, keys[i])));
        event = json_string_value(json_object_get(line, "event"));
    }
    ck_assert_str_eq(event, last);
    json_decref(line);
}

/* stdout and stderr together, as a container's log has them. */
START_TEST(a_log_in_json_is_json_from_the_first_line)
{
    int end[2];
    const char *program = getenv("RESNETD");
    ck_assert_int_eq(pipe2(end, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (!pid) {
        dup2(end[1], STDOUT_FILENO);
        dup2(end[1], STDERR_FILENO);
        setenv("RESNETD_XYZZY", "1", 1);
        execl(program ? program : "build/resnetd", "resnetd", "--port", "0", "--log-format", "json",
              NULL);
        _exit(127);
    }
    close(end[1]);
    reader = end[0];
    char *text = read_until("\"event\":\"ready\"");
    ck_assert_ptr_nonnull(strstr(text, "\"event\":\"option\",\"text\":\"RESNETD_XYZZY: "));
    ck_assert_ptr_nonnull(strstr(text, ",\"url\":\"http://127.0.0.1:"));
    static const char *const decided[] = {"cpus", "workers", "threads", "http_threads", "decoders"};
    for (size_t i = 0; i < sizeof decided / sizeof *decided; i++) {
        char key[32];
        snprintf(key, sizeof key, "\"%s\":", decided[i]);
        const char *number = strstr(text, key);
        ck_assert_msg(number && strtol(number + strlen(key), NULL, 10) > 0, "%s in %s", key, text);
    }
    ck_assert_ptr_nonnull(strstr(text, "\"connections\":1024"));
    check_json(text, "ready");
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    check_json(read_until("\"event\":\"stopped\""), "stopped");
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    close(reader);
}
END_TEST

START_TEST(starts_that_fail_say_so_in_json)
{
    static const struct {
        const char *options[5];
        int code;
    } cases[] = {
        {{"--port", "x", "--log-format", "json"}, 64},
        {{"--log-format=json", "--xyzzy"}, 64},
        {{"--log-format=json", "--config", "/nonexistent"}, 66},
        {{"--log-format=json", "--model", "/nonexistent"}, 66},
        {{"--log-format=json", "--model", "deploy/models/LICENSE-DATA"}, 65},
        {{"--log-format=json", "--port=0", "--host", "192.0.2.1"}, 69},
        {{"--log-format=json", "--isa", "mmx"}, 64},
    };
    char text[8192];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(daemon_run(cases[i].options, text, sizeof text), cases[i].code);
        check_json(text, "start");
        ck_assert_ptr_nonnull(strstr(text, "\"level\":\"error\",\"event\":\"start\",\"error\":\""));
    }
}
END_TEST

/* deploy/kubernetes names its Service resnetd. */
START_TEST(the_environment_of_a_pod)
{
    setenv("RESNETD_PORT", "tcp://10.96.12.34:80", 1);
    setenv("RESNETD_SERVICE_HOST", "10.96.12.34", 1);
    setenv("RESNETD_PORT_80_TCP", "tcp://10.96.12.34:80", 1);
    setenv("RESNETD_MAX_BACH", "4", 1);
    DAEMON_START(&server, "--log-level", "warning");
    expect_alive();
    char *log = daemon_log(&server);
    const char *first = strchr(log, '\n');
    ck_assert_ptr_nonnull(strstr(log, "RESNETD_PORT=tcp://10.96.12.34:80 and 2 more: ignored"));
    ck_assert_ptr_nonnull(strstr(log, "did you mean RESNETD_MAX_BATCH?"));
    ck_assert_ptr_eq(strchr(first + 1, '\n'), log + strlen(log) - 1); /* two lines */
    free(log);
    server_stop();
}
END_TEST

/* A socket that has the number of a stream must not get the lines meant for that. */
START_TEST(streams_that_are_closed)
{
    char text[64], port[8];
    const char *program = getenv("RESNETD");
    DAEMON_START(&server, NULL); /* for a port that is free again */
    snprintf(port, sizeof port, "%u", server.port);
    server_stop();
    const pid_t pid = fork();
    if (!pid) {
        for (int fd = 0; fd < 3; fd++) close(fd);
        execl(program ? program : "build/resnetd", "resnetd", "--port", port, NULL);
        _exit(127);
    }
    struct response answer = {0};
    for (int i = 0; i < 600 && !answer.status; i++) {
        answer = client_get(server.port, "/livez");
        if (!answer.status) usleep(100000);
    }
    ck_assert_str_eq(answer.body, "{\"live\":true}\n");
    response_free(&answer);
    for (int fd = 0; fd < 3; fd++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        const ssize_t length = readlink(path, text, sizeof text - 1);
        ck_assert_int_gt(length, 0);
        text[length] = '\0';
        ck_assert_str_eq(text, "/dev/null");
    }
    int status;
    kill(pid, SIGTERM);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operator");
    TCase *tests = tcase_create("operator");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, a_log_that_nobody_reads_stops_nothing);
    tcase_add_test(tests, a_log_without_a_reader_stops_nothing);
    tcase_add_test(tests, a_full_disk_stops_nothing);
    tcase_add_test(tests, a_log_in_json_is_json_from_the_first_line);
    tcase_add_test(tests, starts_that_fail_say_so_in_json);
    tcase_add_test(tests, the_environment_of_a_pod);
    tcase_add_test(tests, streams_that_are_closed);
    return run_suite(suite);
}
