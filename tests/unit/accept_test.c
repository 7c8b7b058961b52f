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

/* Each with something that takes its place where its q is lower. */
START_TEST(weights)
{
    static const struct {
        const char *q;
        int thousandths;
    } cases[] = {{"0", 0},        {"1", 1000},        {"0.25", 250},
                 {"1.000", 1000}, {".2", 200},        {"0.", 0},
                 {"1.", 1000},    {"0.3333333", 333}, {"0.0000", 0},
                 {"0.00001", 1},  {"1.0000", 1000},   {"00.5", 500},
                 {" 0.5 ", 500},  {"\"0.5\"", 500},   {"\t.5\t", 500},
                 {"2", 1000},     {"1.5", 1000},      {"", 1},
                 {".", 1},        {"-1", 1},          {"1e1", 1},
                 {"high", 1},     {"0.5x", 1},        {"0.5 5", 1},
                 {"0,5", 0},      {".5;q=.7", 700},   {"0.5;x=\",\"", 500}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[80];
        snprintf(header, sizeof header, "gzip;q=%s", cases[i].q);
        const int q = accept_encoding_q(header, "gzip", -1);
        ck_assert_msg(q == cases[i].thousandths, "q=%s is %d", cases[i].q, q);
        snprintf(header, sizeof header, "image/png; Q = %s", cases[i].q);
        expect(header, q ? 2 : ACCEPT_NONE);
    }
    expect("image/png;q=.2, application/json;q=.3", 0);
    expect("image/png;q=.3, application/json;q=.2", 2);
}
END_TEST

/* Word for word what clients send. */
START_TEST(clients)
{
    expect("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", 0); /* Java, until 2024 */
    expect("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
           0);                                      /* browsers */
    expect("application/json, text/plain, */*", 0); /* axios */
    expect("application/json;charset=utf-8", 0);
    expect("*", 0);
    expect("*;q=0", ACCEPT_NONE);
    expect("text/html;x=\"unfinished, application/x-npy", 1);
    expect("application/json;q=\"unfinished, application/x-npy", 1);
}
END_TEST

START_TEST(encodings)
{
    ck_assert_int_eq(accept_encoding_q("gzip", "gzip", 0), 1000);
    ck_assert_int_eq(accept_encoding_q("gzip;q=0", "gzip", 7), 0);
    ck_assert_int_eq(accept_encoding_q("br, *;q=0.25", "gzip", 0), 250);
    ck_assert_int_eq(accept_encoding_q("*;q=0.25, GZip;q=0.5", "gzip", 0), 500);
    ck_assert_int_eq(accept_encoding_q("gzipp, gzi, x-", "gzip", 7), 7);
    ck_assert_int_eq(accept_encoding_q("x-gzip;q=.5", "gzip", 7), 500);
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
    tcase_add_test(tests, weights);
    tcase_add_test(tests, clients);
    tcase_add_test(tests, encodings);
    tcase_add_test(tests, any_text);
    return run_suite(suite);
}
