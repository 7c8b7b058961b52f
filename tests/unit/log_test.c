/* Log lines: one event a line whatever the values hold; buffers and their JSON strings. */
#include "log.h"

#include <stdio.h>
#include <string.h>
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
    tcase_add_test(tests, decimals_stand_where_they_belong);
    tcase_add_test(tests, json_strings_are_escaped);
    tcase_add_test(tests, buffers_grow_and_remember_failure);
    return run_suite(suite);
}
