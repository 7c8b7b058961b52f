/* Numbers against strtod(): the reader by bytes, the one by tokens and those of whole runs.
 *
 * NUMBER_CASES sets how many random numbers are compared (a million each by default). */
#include "ingest/number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "random.h"

enum { TEXT = 1200, RANDOM_PARTS = 10 };

static size_t case_count(void)
{
    const char *text = getenv("NUMBER_CASES");
    return text ? strtoul(text, NULL, 10) : 1000000;
}

/* ---- what must hold for one number ----------------------------------------------------------- */

static float expected(const char *text)
{
    return (float)strtod(text, NULL);
}

static bool same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Reads a token in two pieces. A check that holds costs no call of Check: it would write to a file
 * each time. */
static float push(const char *text, size_t length, size_t split)
{
    struct number number = {0};
    const char *end = text + length, *middle = text + split;
    if (number_push(&number, text, middle) != middle || number_push(&number, middle, end) != end ||
        !number_complete(&number))
        ck_abort_msg("%s is not read to its end", text);
    return number_value(&number);
}

/* Returns whether number_scan() took it. */
static bool check_number(const char *text)
{
    const float want = expected(text);
    const size_t length = strlen(text);
    const float pushed = push(text, length, length / 2);
    if (!same(pushed, want))
        ck_abort_msg("%s: pushed %a, want %a", text, (double)pushed, (double)want);
    char token[TEXT];
    memcpy(token, text, length);
    token[length] = ',';
    float value;
    const char *end = number_scan(token, token + length + 1, &value);
    if (end && (end != token + length || !same(value, want)))
        ck_abort_msg("%s: scanned %a, want %a", text, (double)value, (double)want);
    return end != NULL;
}

/* ---- cases ----------------------------------------------------------------------------------- */

START_TEST(hard_cases)
{
    static const char *const cases[] = {
        "0",
        "-0",
        "0.0",
        "-0.0e5",
        "0e999999999999999999999",
        "1",
        "-1",
        "0.1",
        "1e0",
        "1E+2",
        "1e-2",
        "16777217",
        "16777216.9999999999999999999999",
        "16777217.0000000000000000000000001",
        // halfway between two floats, to even both ways, and a bit beside
        "1.00000005960464477539062500",
        "1.00000017881393432617187500",
        "1.000000059604644775390625000000000000000000000000000000000000000000000000001",
        "1.000000059604644775390624999999999999999999999999999999999999999999999999999",
        // nearest double is halfway between two floats, the decimal is not: rounded twice
        "1.00000005960464480",
        "1.00000005960464470",
        "1.0000001788139345",
        "1.0000001788139342",
        // halfway between doubles
        "9007199254740993",
        "9007199254740992.999999999999999999",
        "9007199254740993.0000000000001",
        "5708990770823839207320493820740630171355185152001e-3",
        // subnormal floats and their end
        "1.4e-45",
        "1.401298464324817e-45",
        "7.006492321624085e-46",
        "7.006492321624086e-46",
        "7.0064923216240853546186479164495806564013097093825788587853e-46",
        "7.0064923216240853546186479164495806564013097093825788587854e-46",
        "7."
        "006492321624085354618647916449580656401309709382578858785341419448955413429303007433190941"
        "81060791015625e-46",
        "1.1754943508222875e-38",
        "1.1754942807573643e-38",
        "1e-45",
        "1e-46",
        "1e-400",
        "4e-324",
        "2.2250738585072011e-308",
        "123456789e-400",
        // the largest float and beyond
        "3.4028234663852886e38",
        "3.4028235677973362e38",
        "3.4028235677973366e38",
        "340282356779733661637539395458142568447",
        "340282356779733661637539395458142568448",
        "1e39",
        "1e308",
        "1.8e308",
        "1e999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "12345678901234567890123456789012345678",
        "0.000000000000000000000000000000000000001",
        // more digits than fit in a word
        "12345678901234567890",
        "99999999999999999999",
        "18446744073709551616",
        "0.12345678901234567890123456789",
        "123456789012345678.90e-10",
        "1234567890.1234567890e5",
        "9223372036854775807",
        "9999999999999999999e-40",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t split = 0; split <= strlen(cases[i]); split++)
            ck_assert_msg(same(push(cases[i], strlen(cases[i]), split), expected(cases[i])), "%s",
                          cases[i]);
        check_number(cases[i]);
        char negative[TEXT];
        snprintf(negative, sizeof negative, "-%s", cases[i] + (*cases[i] == '-'));
        check_number(negative);
    }
}
END_TEST

/* Thousands of zeros in front, behind, or made up for by the exponent. */
START_TEST(long_numbers)
{
    enum { ZEROS = 1000 };
    char zeros[ZEROS + 1], text[2 * TEXT];
    memset(zeros, '0', ZEROS);
    zeros[ZEROS] = '\0';
    struct number number = {0};
    float value;
    snprintf(text, sizeof text, "0.%s25e1001", zeros);
    number_push(&number, text, text + strlen(text));
    ck_assert(number_value(&number) == 2.5f);
    snprintf(text, sizeof text, "25%s.0e-1001,", zeros);
    ck_assert_ptr_nonnull(number_scan(text, text + strlen(text), &value));
    ck_assert(value == 2.5f);
    // a digit far behind decides a tie
    snprintf(text, sizeof text, "1.000000059604644775390625%s1", zeros);
    ck_assert(same(push(text, strlen(text), 30), expected(text)));
    ck_assert(same(push(text, strlen(text), 1000), 1.0000001f) ||
              same(push(text, strlen(text), 1000), 1.0f));
    // as doubles do: 1.000000059604644775390625 is halfway, and the nearest double of both
    ck_assert(same(push(text, strlen(text), 1000), 1.0f));
}
END_TEST

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int digits_up_to(unsigned most)
{
    return (int)(random_bits() % most) + 1;
}

/* A number in which a mistake would show: false where the draw is of no use. */
static bool draw(unsigned kind, char text[TEXT])
{
    const uint64_t bits = random_bits();
    const float low = float_of((uint32_t)bits & 0x7fffffff);
    const float high = float_of(((uint32_t)bits & 0x7fffffff) + 1);
    const double between = ((double)low + (double)high) / 2;
    switch (kind) {
    case 0: // any float, any precision
        if (!isfinite(low)) return false;
        snprintf(text, TEXT, "%.*g", digits_up_to(20), (double)low);
        return true;
    case 1: // any double
        if (!isfinite(double_of(bits))) return false;
        snprintf(text, TEXT, "%.*g", digits_up_to(20), double_of(bits));
        return true;
    case 2: // halfway between floats, cut somewhere
        if (!isfinite(high)) return false;
        snprintf(text, TEXT, "%.*e", digits_up_to(200) + 9, between);
        return true;
    case 3: { // halfway between doubles beside halfway between floats
        if (!isfinite(high)) return false;
        uint64_t wide;
        memcpy(&wide, &between, sizeof wide);
        wide += random_bits() % 3 - 1;
        const long double exact =
            ((long double)double_of(wide) + (long double)double_of(wide + 1)) / 2;
        snprintf(text, TEXT, "%.*Le", digits_up_to(220) + 9, exact);
        return true;
    }
    case 4: // digits and exponents as they come
        snprintf(text, TEXT, "%llu.%llue%d", (unsigned long long)(bits >> bits % 64),
                 (unsigned long long)(random_bits() % 10000000000), digits_up_to(120) - 70);
        return true;
    default: // what pictures look like
        snprintf(text, TEXT, "%.*f", digits_up_to(21), ((double)bits / 0x1p64 - 0.5) * 6);
        return true;
    }
}

/* In parts: Check can't tell times of more than half an hour. */
START_TEST(random_numbers)
{
    const size_t cases = case_count() / RANDOM_PARTS;
    random_state += (uint64_t)_i;
    size_t scanned = 0;
    char text[TEXT];
    for (size_t i = 0; i < cases; i++) {
        while (!draw((unsigned)(i % 6), text)) continue;
        scanned += check_number(text);
    }
    ck_assert_uint_gt(scanned, cases / 2);
}
END_TEST

START_TEST(mistakes)
{
    static const char *const cases[] = {
        "",     "-",        "+1",  ".5",       "1.",        "1.e5",  "-.5", "--1",   "1e",
        "1e+",  "1e-",      "1E",  "e5",       "01",        "-01",   "00",  "1.5.5", "1..5",
        "0x10", "1e5.5",    "NaN", "Infinity", "-Infinity", "1_000", "1,5", "1e5e5", "1-5",
        "1+5",  "\xd9\xa1", "- 1", "1/2",      "5-",        "1:2",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i], *end = text + strlen(text);
        struct number number = {0};
        ck_assert_msg(number_push(&number, text, end) != end || !number_complete(&number),
                      "\"%s\" was taken", text);
        char token[TEXT];
        float value;
        const int size = snprintf(token, sizeof token, "%s]", text);
        const char *stop = number_scan(token, token + size, &value);
        ck_assert_msg(!stop || *stop != ']', "\"%s\" was scanned", text);
    }
}
END_TEST

START_TEST(scan_does_not_take_what_may_go_on)
{
    static const char *const cases[] = {"1", "12345678", "1.5", "1e5", "0", "-0.25"};
    float value;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_ptr_null(number_scan(cases[i], cases[i] + strlen(cases[i]), &value));
}
END_TEST

/* ---- runs ------------------------------------------------------------------------------------ */

enum { RUN_NUMBERS = 3000, RUN_TEXT = RUN_NUMBERS * 60 };

/* A copy in memory of exactly its size, so that the sanitizer sees a read beside it. */
static char *exact_copy(const char *text, size_t size)
{
    char *copy = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, text, size);
    return copy;
}

/* One "number," that the runs leave to the reader by bytes. */
static bool step(struct number_text *text, float *out)
{
    struct number number = {0};
    const char *at = text->at;
    while (at < text->end && strchr(" \t\n\r", *at) && *at) at++;
    at = number_push(&number, at, text->end);
    if (at == text->end || *at != ',' || !number_complete(&number)) return false;
    *out = number_value(&number);
    text->at = at + 1;
    return isfinite(*out);
}

/* Runs an implementation as the reader of arrays does. Returns the numbers read; *left is the text
 * that is then left. */
static size_t run_all(number_run_fn *run, const char *text, size_t size, float *out, size_t room,
                      size_t *left)
{
    char *copy = exact_copy(text, size);
    struct number_text at = {copy, copy, copy + size};
    size_t count = 0;
    do count += run(&at, out + count, room - count);
    while (count < room && step(&at, &out[count]) && ++count);
    *left = (size_t)(at.end - at.at);
    free(copy);
    return count;
}

static void compare_runs(const char *text, size_t size, size_t room)
{
    static float want[RUN_NUMBERS + 1], got[RUN_NUMBERS + 1];
    size_t want_left, left;
    const size_t count = run_all(number_run_plain, text, size, want, room, &want_left);
    for (const struct number_impl *impl = number_impls; impl->name; impl++) {
        if (!impl->available()) continue;
        const size_t read = run_all(impl->run, text, size, got, room, &left);
        ck_assert_msg(read == count && left == want_left,
                      "%s: %zu and %zu left, plain: %zu, %zu; %.*s", impl->name, read, left, count,
                      want_left, (int)(size < 999 ? size : 999), text);
        for (size_t i = 0; i < count; i++)
            ck_assert_msg(same(got[i], want[i]), "%s: number %zu is %a, plain %a; %.*s", impl->name,
                          i, (double)got[i], (double)want[i], (int)(size < 999 ? size : 999), text);
    }
}

static const char *separator(unsigned style)
{
    static const char *const separators[] = {",", ", ", ",\n    ", " , ", ",\t\r\n "};
    return separators[style == 5 ? random_bits() % 5 : style];
}

/* Numbers of one kind, or of all (kind 8), and how many bytes they take. */
static size_t write_run(char *text, unsigned kind, unsigned style, size_t numbers)
{
    size_t size = 0;
    for (size_t i = 0; i < numbers; i++) {
        char number[TEXT];
        const unsigned k = kind < 8 ? kind : (unsigned)(random_bits() % 8);
        if (k == 6)
            snprintf(number, TEXT, "%d", (int)(random_bits() % 256));
        else if (k == 7)
            snprintf(number, TEXT, "%.*e", digits_up_to(20),
                     ((double)random_bits() / 0x1p64 - 0.5));
        else
            while (!draw(k, number) || strlen(number) > 40) continue;
        size += (size_t)snprintf(text + size, RUN_TEXT - size, "%s%s", number, separator(style));
    }
    return size;
}

static void compare_kind(unsigned kind, unsigned style)
{
    static char text[RUN_TEXT];
    const size_t size = write_run(text, kind, style, RUN_NUMBERS);
    compare_runs(text, size, RUN_NUMBERS);
    compare_runs(text, size, 1 + random_bits() % RUN_NUMBERS);
    const size_t few = write_run(text, kind, style, 20);
    for (size_t cut = 0; cut < few; cut++) compare_runs(text, few - cut, RUN_NUMBERS);
}

START_TEST(runs_equal_the_plain_one)
{
    for (size_t cases = 0; cases < case_count(); cases += 1000000)
        for (unsigned kind = 0; kind <= 8; kind++)
            for (unsigned style = 0; style <= 5; style++) compare_kind(kind, style);
}
END_TEST

/* Any byte anywhere: all stop at the same place. */
START_TEST(runs_stop_where_the_plain_one_does)
{
    static char text[RUN_TEXT];
    static const char bytes[] = "0123456789-+.eE,,  []{}\"/:x\n\t\r\x80\xff\0";
    for (unsigned i = 0; i < 6000; i++) {
        const size_t size = write_run(text, i % 9, i / 9 % 6, 12 + i % 40);
        for (unsigned k = 0; k < i % 3; k++)
            text[random_bits() % size] = bytes[random_bits() % sizeof bytes];
        compare_runs(text, size, RUN_NUMBERS);
    }
}
END_TEST

/* Short tokens at the beginning: nothing in front of the text is read (the sanitizer sees it). */
START_TEST(a_run_keeps_to_its_text)
{
    static const char *const tokens[] = {"1,", "2e1,", "-3e+05,", "4.5,", "12345,", "0.5e-3,"};
    char text[200];
    for (size_t i = 0; i < 3000; i++) {
        size_t size = 0;
        while (size < 150) {
            const char *token = tokens[random_bits() % 6];
            memcpy(text + size, token, strlen(token));
            size += strlen(token);
        }
        compare_runs(text, size, RUN_NUMBERS);
    }
}
END_TEST

START_TEST(a_run_keeps_to_its_room)
{
    static char text[RUN_TEXT];
    const size_t size = write_run(text, 6, 0, 300);
    for (const struct number_impl *impl = number_impls; impl->name; impl++)
        for (size_t room = 0; impl->available() && room < 300; room++) {
            float *out = malloc((room + 1) * sizeof *out);
            ck_assert_ptr_nonnull(out);
            out[room] = -7;
            size_t left;
            ck_assert_uint_eq(run_all(impl->run, text, size, out, room, &left), room);
            ck_assert(out[room] == -7);
            free(out);
        }
}
END_TEST

START_TEST(the_chosen_run_is_the_best_one)
{
    char text[] = "1,2.5,-3e2,4,";
    struct number_text at = {text, text, text + strlen(text)};
    float out[4];
    ck_assert_uint_eq(number_run(&at, out, 4), 4);
    ck_assert(out[0] == 1 && out[1] == 2.5f && out[2] == -300 && out[3] == 4);
    ck_assert_ptr_eq(at.at, at.end);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("number");
    TCase *values = tcase_create("values");
    tcase_set_timeout(values, 3600);
    tcase_add_test(values, hard_cases);
    tcase_add_test(values, long_numbers);
    tcase_add_loop_test(values, random_numbers, 0, RANDOM_PARTS);
    tcase_add_test(values, mistakes);
    tcase_add_test(values, scan_does_not_take_what_may_go_on);
    suite_add_tcase(suite, values);
    TCase *runs = tcase_create("runs");
    tcase_set_timeout(runs, 3600);
    tcase_add_test(runs, runs_equal_the_plain_one);
    tcase_add_test(runs, runs_stop_where_the_plain_one_does);
    tcase_add_test(runs, a_run_keeps_to_its_text);
    tcase_add_test(runs, a_run_keeps_to_its_room);
    tcase_add_test(runs, the_chosen_run_is_the_best_one);
    suite_add_tcase(suite, runs);
    return run_suite(suite);
}
