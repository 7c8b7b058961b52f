/* A daemon for all tests of a program; see fixture.h. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#include "check_main.h"

/* For what must come, however long the machine takes. */
enum { WAITS = 6000 };
#define WAIT (10 * NS_PER_MS)

struct daemon server;

void server_stop(void)
{
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 0);
}

void expect_alive(void)
{
    struct response answer = client_get(server.port, "/v2/health/ready");
    ck_assert_int_eq(answer.status, 200);
    response_free(&answer);
}

void expect_get(const char *target, int status, const char *body)
{
    struct response answer = client_get(server.port, target);
    ck_assert_int_eq(answer.status, status);
    ck_assert_str_eq(answer.body, body);
    response_free(&answer);
}

static void check_error(const struct response *answer, int status, const char *text)
{
    static const char head[] = "{\"error\":\"", tail[] = "\"}\n";
    char value[80] = "";
    ck_assert_msg(answer->status == status, "status %d, want %d %s: %s", answer->status, status,
                  text, answer->body ? answer->body : "no answer");
    ck_assert(response_header(answer, "Content-Type", value, sizeof value));
    ck_assert_str_eq(value, "application/json");
    ck_assert(response_header(answer, "X-Request-Id", value, sizeof value));
    ck_assert_uint_ge(answer->size, sizeof head + sizeof tail - 2);
    ck_assert_msg(!strncmp(answer->body, head, sizeof head - 1) &&
                      !strcmp(answer->body + answer->size - (sizeof tail - 1), tail),
                  "%s", answer->body);
}

void expect_error(struct response answer, int status, const char *text)
{
    char want[700];
    check_error(&answer, status, text);
    snprintf(want, sizeof want, "{\"error\":\"%s\"}\n", text);
    ck_assert_str_eq(answer.body, want);
    response_free(&answer);
}

void expect_error_with(struct response answer, int status, const char *part)
{
    check_error(&answer, status, part);
    ck_assert_msg(strstr(answer.body, part) != NULL, "no '%s' in %s", part, answer.body);
    response_free(&answer);
}

/* -1: there is none, as of a counter that is 0 and has many labels. */
static double sample_value(const char *sample)
{
    struct response answer = client_get(server.port, "/metrics");
    const size_t length = strlen(sample);
    double value = -1;
    for (const char *line = answer.body; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, sample, length) == 0 && line[length] == ' ')
            value = strtod(line + length, NULL);
    }
    response_free(&answer);
    return value;
}

double metric(const char *sample)
{
    const double value = sample_value(sample);
    ck_assert_msg(value >= 0, "no %s in the metrics", sample);
    return value;
}

void await_metric(const char *sample, double value)
{
    double now = -1;
    for (int i = 0; i < WAITS && (now = sample_value(sample)) != value; i++) clock_sleep(WAIT);
    ck_assert_msg(now == value, "%s is %g, want %g", sample, now, value);
}

char *await_log(const char *part, size_t times)
{
    for (int i = 0;; i++) {
        char *log = daemon_log(&server);
        size_t found = 0;
        for (const char *at = log; (at = strstr(at, part)) != NULL; at++) found++;
        if (found == times) return log;
        ck_assert_msg(i < WAITS, "%zu times %s, want %zu, in: %s", found, part, times, log);
        free(log);
        clock_sleep(WAIT);
    }
}

char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    const long end = ftell(file);
    ck_assert_int_ge(end, 0);
    rewind(file);
    char *bytes = malloc((size_t)end + 1);
    ck_assert_ptr_nonnull(bytes);
    *size = fread(bytes, 1, (size_t)end, file);
    ck_assert_uint_eq(*size, (size_t)end);
    fclose(file);
    return bytes;
}
