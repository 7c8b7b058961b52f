/* Accept and Accept-Encoding: what is taken of a list, and that no text of one is a danger. */
#include "accept.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "check_main.h"

static const char *const offers[] = {"application/json", "application/x-npy", "image/png"};

static void expect(const char *header, int index)
{
    const int got = accept_type(header, offers, 3);
    ck_assert_msg(got == index, "Accept: %s: %d, want %d", header ? header : "none", got, index);
}

START_TEST(types)
{
    expect(NULL, 0);
    expect("*/*", 0);
    expect("application/*", 0);
    expect("image/*", 2);
    expect("IMAGE/PNG", 2);
    expect("image/png;level=1", 2);
    expect("application/json;q=0.1,application/x-npy;q=0.2", 1);
    expect("*/*;q=0.5, image/png", 2);
    expect("*/*, application/json;q=0", 1);
    expect("application/*;q=0.3 , application/json;q=0.2", 1);
    expect("text/plain;a=\"x, image/png, \", application/x-npy", 1);
    expect("application/json ; Q=0.001", 0);
    expect("application/json;q=1.000", 0);
    expect("image/p, image/*png, im/*, image", ACCEPT_NONE);
    expect("", 0);
    expect(" ,, ", 0);
    expect("text/html", ACCEPT_NONE);
    expect("*/*;q=0.0", ACCEPT_NONE);
}
END_TEST

/* What is no q makes its element one that is not there. */
START_TEST(wrong_qs)
{
    static const char *const q[] = {"", "2", "1.001", "-1", ".5", "0.1234", "0,5", "1e1", "\"1\""};
    for (size_t i = 0; i < sizeof q / sizeof *q; i++) {
        char header[60];
        snprintf(header, sizeof header, "image/png;q=%s", q[i]);
        expect(header, ACCEPT_NONE);
    }
}
END_TEST

START_TEST(encodings)
{
    ck_assert_int_eq(accept_encoding_q("gzip", "gzip", 0), 1000);
    ck_assert_int_eq(accept_encoding_q("gzip;q=0", "gzip", 7), 0);
    ck_assert_int_eq(accept_encoding_q("br, *;q=0.25", "gzip", 0), 250);
    ck_assert_int_eq(accept_encoding_q("*;q=0.25, GZip;q=0.5", "gzip", 0), 500);
    ck_assert_int_eq(accept_encoding_q("gzipp, gzi", "gzip", 7), 7);
    ck_assert_int_eq(accept_encoding_q("", "gzip", 7), 7);
    ck_assert_int_eq(accept_encoding_q(NULL, "gzip", 7), 7);
}
END_TEST

/* Short texts of the grammar's characters, in memory that ends where the text does. */
START_TEST(any_text)
{
    static const char letters[] = "q=;,\"\\/* 01.a";
    uint32_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        seed = seed * 1664525 + 1013904223;
        const size_t length = seed >> 28;
        char *text = malloc(length + 1);
        for (size_t c = 0; c < length; c++) {
            seed = seed * 1664525 + 1013904223;
            text[c] = letters[(seed >> 16) % (sizeof letters - 1)];
        }
        text[length] = '\0';
        ck_assert_int_lt(accept_type(text, offers, 3), 3);
        ck_assert_int_le(accept_encoding_q(text, "a", 0), 1000);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accept");
    TCase *tests = tcase_create("accept");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, types);
    tcase_add_test(tests, wrong_qs);
    tcase_add_test(tests, encodings);
    tcase_add_test(tests, any_text);
    return run_suite(suite);
}
