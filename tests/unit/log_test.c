/* Log lines: one event a line whatever the values hold; buffers and their JSON strings. */
#include "log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "buffer.h"

#include "check_main.h"

/* What the call wrote to stderr. */
static char *written_number(const char *format, const char *value, double number)
{
    static char text[4096];
    int pipe_end[2];
    ck_assert_int_eq(pipe(pipe_end), 0);
    const int before = dup(STDERR_FILENO);
    dup2(pipe_end[1], STDERR_FILENO);
    log_setup("info", format);
    LOG(LOG_INFO, "test", LOG_TEXT("value", value), LOG_NUMBER("n", number));
    LOG(LOG_DEBUG, "hidden", LOG_NUMBER("n", 1));
    dup2(before, STDERR_FILENO);
    close(pipe_end[1]);
    const ssize_t size = read(pipe_end[0], text, sizeof text - 1);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    close(pipe_end[0]);
    close(before);
    return text;
}

static char *written(const char *format, const char *value)
{
    return written_number(format, value, 1.5);
}

START_TEST(values_cannot_end_a_line)
{
    static const char *const value[] = {"a\nlevel=error event=fake", "a\r\nb", "\x1b[31mred",
                                        "a\"b"};
    for (size_t i = 0; i < 4; i++) {
        for (int json = 0; json < 2; json++) {
            const char *line = written(json ? "json" : "logfmt", value[i]);
            ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
            ck_assert_ptr_null(strpbrk(line, "\r\x1b"));
        }
    }
}
END_TEST

START_TEST(both_forms_hold_the_fields)
{
    const char *line = written("logfmt", "plain");
    ck_assert_ptr_nonnull(strstr(line, " level=info event=test value=plain n=1.5\n"));
    ck_assert_ptr_nonnull(strstr(written("logfmt", "two words"), " value=\"two words\" "));
    line = written("json", "plain");
    ck_assert_int_eq(strncmp(line, "{\"time\":\"2", 10), 0);
    ck_assert_ptr_nonnull(
        strstr(line, ",\"level\":\"info\",\"event\":\"test\",\"value\":\"plain\",\"n\":1.5}\n"));
}
END_TEST

/* As printf writes them, however they get there. */
START_TEST(numbers_have_ten_digits)
{
    static const double number[] = {0,      7,           200, 12.345,         12.34, 0.001,
                                    1.0005, 9999999.999, 1e7, 123456789012.0, -3,    1.0 / 3};
    for (size_t i = 0; i < sizeof number / sizeof *number; i++) {
        char want[64];
        snprintf(want, sizeof want, " n=%.10g\n", number[i]);
        ck_assert_ptr_nonnull(strstr(written_number("logfmt", "v", number[i]), want));
    }
}
END_TEST

/* stderr is the write end of this pipe, or a terminal's, from here on to the end of the test. */
static int reader;

static void use_pipe(void)
{
    int end[2];
    ck_assert_int_eq(pipe(end), 0);
    dup2(end[1], STDERR_FILENO);
    close(end[1]);
    reader = end[0];
    log_setup("info", "logfmt");
}

/* What stands in the pipe or terminal now; at most `size` - 1 bytes. */
static size_t drain(char *text, size_t size)
{
    size_t used = 0;
    struct pollfd ready = {.fd = reader, .events = POLLIN};
    while (used < size - 1 && poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN)) {
        const ssize_t got = read(reader, text + used, size - 1 - used);
        ck_assert_int_gt(got, 0);
        used += (size_t)got;
    }
    text[used] = '\0';
    return used;
}

static size_t count_lines(const char *text, const char *part)
{
    size_t lines = 0;
    for (const char *at = text; (at = strstr(at, part)); at++) lines++;
    return lines;
}

enum { MANY = 20000, ROOM = 1 << 21 };

/* More lines than there is room for, in any of the ways that stderr is written to. */
static void check_full(void)
{
    static char text[ROOM];
    static const char said_by[] = " level=warning event=log dropped=";
    const uint64_t before = log_dropped();
    for (int i = 0; i < MANY; i++) LOG(LOG_INFO, "flood", LOG_NUMBER("i", i));
    const uint64_t dropped = log_dropped() - before;
    ck_assert_uint_gt(dropped, 0);
    ck_assert_uint_lt(dropped, MANY);
    size_t used = drain(text, sizeof text);
    while (!strstr(text, " event=after n=1\n")) { /* a terminal makes room a while later */
        LOG(LOG_INFO, "after", LOG_NUMBER("n", 1));
        used += drain(text + used, sizeof text - used);
    }
    uint64_t said = 0; /* in several places, where the room comes and goes */
    for (const char *at = text; (at = strstr(at, said_by)); at++)
        said += strtoull(at + strlen(said_by), NULL, 10);
    ck_assert_uint_eq(said, log_dropped() - before);
    ck_assert_uint_eq(count_lines(text, "time="), count_lines(text, "\n"));
    ck_assert_uint_ge(count_lines(text, "event=flood"), MANY - dropped);
}

START_TEST(a_full_pipe_drops_lines)
{
    use_pipe();
    check_full();
    check_full();
}
END_TEST

/* A pipe that can't be opened a second time is asked by poll(). */
START_TEST(a_full_pipe_of_another_user_drops_lines)
{
    const bool root = geteuid() == 0;
    if (root) ck_assert_int_eq(seteuid(65534), 0);
    use_pipe();
    ck_assert_int_eq(fchmod(reader, 0), 0);
    log_setup("info", "logfmt");
    check_full();
    if (root) ck_assert_int_eq(seteuid(0), 0); /* LeakSanitizer looks at this process in the end */
}
END_TEST

START_TEST(a_terminal_that_stands_still_drops_lines)
{
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    ck_assert(!grantpt(terminal) && !unlockpt(terminal));
    const int line = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(line, 0);
    struct termios raw;
    tcgetattr(line, &raw);
    cfmakeraw(&raw);
    tcsetattr(line, TCSANOW, &raw);
    dup2(line, STDERR_FILENO);
    reader = terminal;
    log_setup("info", "logfmt");
    check_full();
}
END_TEST

START_TEST(a_full_socket_drops_lines)
{
    int end[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, end), 0);
    dup2(end[1], STDERR_FILENO);
    reader = end[0];
    log_setup("info", "logfmt");
    check_full();
}
END_TEST

START_TEST(without_a_reader_lines_are_dropped)
{
    signal(SIGPIPE, SIG_IGN);
    use_pipe();
    close(reader);
    const uint64_t before = log_dropped();
    for (int i = 0; i < 10; i++) LOG(LOG_INFO, "flood", LOG_NUMBER("i", i));
    ck_assert_uint_eq(log_dropped() - before, 10);
}
END_TEST

START_TEST(a_full_disk_drops_lines)
{
    const int full = open("/dev/full", O_WRONLY);
    ck_assert_int_ge(full, 0);
    dup2(full, STDERR_FILENO);
    log_setup("info", "logfmt");
    const uint64_t before = log_dropped();
    for (int i = 0; i < 10; i++) LOG(LOG_INFO, "flood", LOG_NUMBER("i", i));
    ck_assert_uint_eq(log_dropped() - before, 10);
}
END_TEST

/* A line is one write to a pipe, whatever is in it: cut at a whole character, JSON still. */
START_TEST(long_values_are_cut)
{
    static char value[5000], text[ROOM];
    use_pipe();
    static const char *const unit[] = {"a", "\x01", "\xe2\x82\xac", "\xff"};
    for (size_t i = 0; i < 4; i++) {
        for (int json = 0; json < 2; json++) {
            const size_t each = strlen(unit[i]);
            for (size_t k = 0; k + each < sizeof value; k += each) memcpy(value + k, unit[i], each);
            log_setup("info", json ? "json" : "logfmt");
            LOG(LOG_INFO, "test", LOG_TEXT("a", value), LOG_TEXT("b", value), LOG_NUMBER("n", 1));
            const size_t size = drain(text, sizeof text);
            ck_assert_uint_le(size, 4096);
            ck_assert_uint_ge(size, 100);
            ck_assert_ptr_eq(strchr(text, '\n'), text + size - 1);
            ck_assert_ptr_nonnull(strstr(text, json ? "...\",\"n\":1}\n"
                                               : i  ? "...\" n=1\n"
                                                    : "... n=1\n"));
            if (i == 2) ck_assert_ptr_null(strstr(text, "\\ufffd"));
        }
    }
}
END_TEST

START_TEST(what_ends_the_start)
{
    static char text[4096];
    use_pipe();
    log_start_error("--port: no\x1b[31m\nsuch \"port\"");
    drain(text, sizeof text);
    ck_assert_str_eq(text, "resnetd: --port: no?[31m?such \"port\"\n");
    log_setup("error", "json");
    log_start_error("--port: no\nsuch \"port\"");
    drain(text, sizeof text);
    ck_assert_int_eq(strncmp(text, "{\"time\":\"2", 10), 0);
    ck_assert_ptr_nonnull(strstr(text,
                                 ",\"level\":\"error\",\"event\":\"start\",\"error\":\"--port: "
                                 "no\\u000asuch \\\"port\\\"\"}\n"));
}
END_TEST

START_TEST(decimals_stand_where_they_belong)
{
    static const struct {
        uint64_t units;
        unsigned decimals;
        const char *text;
    } cases[] = {{0, 0, "0"},
                 {0, 3, "0.000"},
                 {7, 3, "0.007"},
                 {12045, 3, "12.045"},
                 {1000, 3, "1.000"},
                 {42, 0, "42"},
                 {UINT64_MAX, 0, "18446744073709551615"},
                 {UINT64_MAX, 9, "18446744073.709551615"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer buffer = {0};
        buffer_decimal(&buffer, cases[i].units, cases[i].decimals);
        ck_assert_str_eq(buffer.bytes, cases[i].text);
        buffer_free(&buffer);
    }
}
END_TEST

START_TEST(json_strings_are_escaped)
{
    static const struct {
        const char *text, *json;
    } cases[] = {{"", "\"\""},
                 {"a\"\\/", "\"a\\\"\\\\/\""},
                 {"\n\x01\x7f", "\"\\u000a\\u0001\\u007f\""},
                 {"\xc3\xa9\xf0\x9f\x98\x80", "\"\xc3\xa9\xf0\x9f\x98\x80\""},
                 {"\xff\xc3", "\"\\ufffd\\ufffd\""},
                 {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer buffer = {0};
        buffer_json_string(&buffer, cases[i].text);
        ck_assert_str_eq(buffer.bytes, cases[i].json);
        buffer_free(&buffer);
    }
}
END_TEST

START_TEST(buffers_grow_and_remember_failure)
{
    struct buffer buffer = {0};
    for (int i = 0; i < 1000; i++) buffer_format(&buffer, "%d,", i);
    ck_assert_uint_eq(buffer.size, 3890);
    ck_assert_uint_eq(strlen(buffer.bytes), 3890);
    ck_assert_int_eq(strncmp(buffer.bytes + 3878, "997,998,999,", 12), 0);
    buffer_format(&buffer, "%5000d", 1); /* longer than one try has room for */
    ck_assert_uint_eq(buffer.size, 8890);
    ck_assert_str_eq(buffer.bytes + 8888, " 1");
    ck_assert(!buffer_reserve(&buffer, (size_t)-1));
    ck_assert(buffer.failed);
    buffer_text(&buffer, "more");
    ck_assert_uint_eq(buffer.size, 8890);
    buffer_free(&buffer);
    ck_assert(!buffer.failed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, values_cannot_end_a_line);
    tcase_add_test(tests, both_forms_hold_the_fields);
    tcase_add_test(tests, numbers_have_ten_digits);
    tcase_add_test(tests, a_full_pipe_drops_lines);
    tcase_add_test(tests, a_full_pipe_of_another_user_drops_lines);
    tcase_add_test(tests, a_terminal_that_stands_still_drops_lines);
    tcase_add_test(tests, a_full_socket_drops_lines);
    tcase_add_test(tests, without_a_reader_lines_are_dropped);
    tcase_add_test(tests, a_full_disk_drops_lines);
    tcase_add_test(tests, long_values_are_cut);
    tcase_add_test(tests, what_ends_the_start);
    tcase_add_test(tests, decimals_stand_where_they_belong);
    tcase_add_test(tests, json_strings_are_escaped);
    tcase_add_test(tests, buffers_grow_and_remember_failure);
    return run_suite(suite);
}
