/* The text of floats: reads back as the same, is as short as can be, and is JSON.
 *
 * FLOAT_TEXT_ALL=1 takes each of the 2^31 finite positive ones instead of every 9973rd. */
#include "encode/float_text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode/answer.h"
#include "ingest/number.h"

#include "check_main.h"

enum { EXPONENTS = 15 }; /* a part of the 255 finite ones */

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static const char *text_of(float value)
{
    static char text[FLOAT_TEXT_SIZE + 1];
    const size_t size = float_text(value, text);
    ck_assert_uint_lt(size, FLOAT_TEXT_SIZE);
    text[size] = '\0';
    return text;
}

START_TEST(known_texts)
{
    static const struct {
        float value;
        const char *text;
    } examples[] = {
        {0, "0"},
        {-0.f, "-0"},
        {1, "1"},
        {-1, "-1"},
        {10, "10"},
        {0.1f, "0.1"},
        {0.5f, "0.5"},
        {1.5f, "1.5"},
        {123.25f, "123.25"},
        {16777216, "16777216"},
        {33554432, "33554432"},
        {1e9f, "1000000000"},
        {1e11f, "100000000000"},
        {1e12f, "1e12"},
        {1e13f, "1e13"},
        {1.5e13f, "1.5e13"},
        {1e-4f, "0.0001"},
        {1.25e-5f, "0.0000125"},
        {1.25e-6f, "1.25e-6"},
        {3.4028235e38f, "3.4028235e38"},
        {1.17549435e-38f, "1.1754944e-38"},
        {1.4e-45f, "1e-45"},
        {0x1p-149f * 3, "4e-45"},
        {0.3f, "0.3"},
        {1.f / 3, "0.33333334"},
        {8388608.5f, "8388608"},
        {4194304.5f, "4194304.5"},
        {9.5367431640625e-7f, "9.536743e-7"},
        {2.3509887e-38f, "2.3509887e-38"},
        {33554450.f, "33554450"},
        {0x1.5c87fap-84f, "7.0385307e-26"},
        {-0x1.5c87fap-84f, "-7.0385307e-26"},
        {8.589973e9f, "8589974000"},
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        ck_assert_str_eq(text_of(examples[i].value), examples[i].text);
}
END_TEST

/* Digits of a text that count, and where its point is: what makes it short. */
static size_t digits_of(const char *text)
{
    size_t digits = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9') continue;
        if (*text == '0') {
            zeros++;
            continue;
        }
        digits = digits ? digits + zeros + 1 : 1;
        zeros = 0;
    }
    return digits;
}

/* printf() with the least precision that reads back can't be beaten, but for ties and powers of
 * two; there it may be longer. */
static void check_shortest(float value, const char *text)
{
    for (int precision = 1; precision <= 9; precision++) {
        char want[40];
        snprintf(want, sizeof want, "%.*e", precision - 1, (double)value);
        if (strtof(want, NULL) != value) continue;
        const size_t least = digits_of(want), digits = digits_of(text);
        ck_assert_msg(digits <= least, "%s, but %s", text, want);
        if (digits == least) {
            const double distance = fabs(strtod(text, NULL) - (double)value);
            ck_assert_msg(distance <= fabs(strtod(want, NULL) - (double)value),
                          "%s, but %s is nearer", text, want);
        }
        return;
    }
    ck_abort_msg("%s", text);
}

/* The reader by bytes, for what number_scan() leaves to it: 1e23 is halfway between two doubles. */
static const char *read_slowly(const char *text, const char *end, float *value)
{
    struct number number = {0};
    const char *stop = number_push(&number, text, end);
    *value = number_value(&number);
    return stop;
}

static void check_reads_back(float value)
{
    char text[FLOAT_TEXT_SIZE + 1];
    const size_t size = float_text(value, text);
    float back;
    text[size] = ']';
    const char *end = number_scan(text, text + size + 1, &back);
    if (!end) end = read_slowly(text, text + size + 1, &back);
    // a check that holds costs no call of Check: it would write to a file each time
    if (end != text + size || memcmp(&back, &value, sizeof back) != 0)
        ck_abort_msg("%a: %.*s", (double)value, (int)size, text);
}

/* The exponents in parts: Check can't tell times of more than half an hour. */
START_TEST(each_reads_back)
{
    const char *all = getenv("FLOAT_TEXT_ALL");
    const uint32_t step = all && *all == '1' ? 1 : 9973;
    const uint32_t first = (uint32_t)_i * EXPONENTS << 23, end = first + (EXPONENTS << 23);
    for (uint32_t bits = first; bits < end; bits += step) check_reads_back(float_of(bits));
}
END_TEST

START_TEST(none_is_too_long)
{
    for (uint32_t bits = 1; bits < 255u << 23; bits += 19997)
        check_shortest(float_of(bits), text_of(float_of(bits)));
    for (uint32_t exponent = 0; exponent < 255; exponent++)
        for (uint32_t near = 0; near < 40; near++) {
            const uint32_t bits = (exponent << 23) + near;
            const float value = float_of(bits > 20 ? bits - 20 : 1);
            check_reads_back(value);
            check_shortest(value, text_of(value));
        }
}
END_TEST

START_TEST(lists)
{
    const float values[] = {1, -2.5f, 1e30f};
    char text[3 * FLOAT_TEXT_SIZE];
    const size_t size = float_texts(values, 3, text);
    ck_assert_uint_eq(size, 11);
    ck_assert_mem_eq(text, "1,-2.5,1e30", 11);
    ck_assert_uint_eq(float_texts(values, 0, text), 0);
}
END_TEST

/* They are written in parts. */
START_TEST(long_lists_of_an_answer)
{
    enum { MOST = 600 };
    static float values[MOST];
    static char want[MOST * FLOAT_TEXT_SIZE];
    for (size_t i = 0; i < MOST; i++) values[i] = (float)i / -7;
    for (size_t count = 0; count <= MOST; count++) {
        struct buffer text = {0};
        answer_floats(&text, values, count);
        ck_assert(!text.failed);
        ck_assert_uint_eq(text.size, float_texts(values, count, want));
        if (count) ck_assert_mem_eq(text.bytes, want, text.size);
        buffer_free(&text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("float_text");
    TCase *tests = tcase_create("all");
    if (getenv("FLOAT_TEXT_ALL")) tcase_set_timeout(tests, 3600);
    tcase_add_test(tests, known_texts);
    tcase_add_loop_test(tests, each_reads_back, 0, 255 / EXPONENTS);
    tcase_add_test(tests, none_is_too_long);
    tcase_add_test(tests, lists);
    tcase_add_test(tests, long_lists_of_an_answer);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
