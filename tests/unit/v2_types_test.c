/* The data of an Open Inference Protocol's input: numbers that its datatype can hold, to the last
 * one, and no others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest.h"

#include "check_main.h"

static struct ingest *ingest;

/* The body in pieces; in memory of exactly its size. */
static const struct ingest_result *feed_v2(const char *bytes, size_t size, size_t json_size,
                                           size_t piece)
{
    const struct ingest_spec spec = {
        .form = INGEST_V2, .json_size = json_size, .sample_size = 2, .max_floats = 1000};
    char *copy = malloc(size);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    ingest_free(ingest);
    ingest = ingest_new(&spec);
    ck_assert_ptr_nonnull(ingest);
    bool good = true;
    for (size_t at = 0; good && at < size; at += piece)
        good = ingest_feed(ingest, copy + at, size - at < piece ? size - at : piece);
    free(copy);
    return good ? ingest_finish(ingest) : NULL;
}

static void tear_down(void)
{
    ingest_free(ingest);
    ingest = NULL;
}

#define V2_BINARY(datatype, shape, size)                                          \
    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"" datatype "\",\"shape\":" shape \
    ",\"parameters\":{\"binary_data_size\":" size "}}]}"

/* Whole numbers in JSON: the type's own, to the last one, however they are written. */
#define TYPED(type, count, data)                                                                  \
    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"" type "\",\"shape\":[" count "],\"data\":" data \
    "}]}"
static const char *const in_range[] = {
    TYPED("UINT8", "4", "[0,255,-0,12]"),
    TYPED("UINT8", "4", "[0.0,255.00,2.55e2,2550e-1]"),
    TYPED("INT8", "2", "[-128,127]"),
    TYPED("UINT16", "2", "[[0],[65535]]"),
    TYPED("INT16", "2", "[-32768,32767]"),
    TYPED("UINT32", "2", "[0,4294967295]"),
    TYPED("INT32", "2", "[-2147483648,2147483647]"),
    TYPED("UINT64", "2", "[0,18446744073709551615]"),
    TYPED("INT64", "2", "[-9223372036854775808,9223372036854775807]"),
    TYPED("INT64", "2", "[0e999,1.5e1]"),
    TYPED("FP32", "2", "[0.5,-300]"),
    TYPED("FP64", "2", "[0.5,1e38]"),
};
static const struct {
    const char *text, *error;
} out_of_range[] = {
    {TYPED("UINT8", "2", "[1,-0.5]"), "data[1]: not a whole number from 0 to 255, as UINT8 needs"},
    {TYPED("UINT8", "2", "[300,1]"), "data[0]: not a whole number from 0 to 255, as UINT8 needs"},
    {TYPED("UINT8", "2", "[[1],[256]]"),
     "data[1][0]: not a whole number from 0 to 255, as UINT8 needs"},
    {TYPED("UINT8", "1", "[-1]"), "data[0]: not a whole"},
    {TYPED("UINT8", "1", "[1e3]"), "data[0]: not a whole"},
    {TYPED("UINT8", "1", "[25.5e0]"), "data[0]: not a whole"},
    {TYPED("UINT8", "1", "[1e-46]"), "data[0]: not a whole"},
    {TYPED("UINT8", "1", "[254.99999999999999999]"), "data[0]: not a whole"},
    {TYPED("INT8", "2", "[-128,128]"),
     "data[1]: not a whole number from -128 to 127, as INT8 needs"},
    {TYPED("INT8", "1", "[-129]"), "data[0]: not a whole"},
    {TYPED("UINT16", "1", "[65536]"), "data[0]: not a whole"},
    {TYPED("INT16", "1", "[-32769]"), "data[0]: not a whole"},
    {TYPED("UINT32", "2", "[4294967295,4294967296]"),
     "data[1]: not a whole number from 0 to 4294967295, as UINT32 needs"},
    {TYPED("INT32", "1", "[2147483648]"), "data[0]: not a whole"},
    {TYPED("INT32", "1", "[-2147483649]"), "data[0]: not a whole"},
    {TYPED("UINT64", "1", "[18446744073709551616]"),
     "data[0]: not a whole number from 0 to 18446744073709551615, as UINT64 needs"},
    {TYPED("UINT64", "1", "[100000000000000000000]"), "data[0]: not a whole"},
    {TYPED("UINT64", "1", "[1e38]"), "data[0]: not a whole"},
    {TYPED("INT64", "1", "[9223372036854775808]"), "data[0]: not a whole"},
    {TYPED("INT64", "1", "[-9223372036854775809]"),
     "data[0]: not a whole number from -9223372036854775808 to 9223372036854775807, as INT64 "
     "needs"},
    {TYPED("BOOL", "2", "[1,2]"), "data[1]: not a whole number from 0 to 1, as BOOL needs"},
    {TYPED("BOOL", "1", "[0.5]"), "data[0]: not a whole"},
    {TYPED("FP32", "1", "[1e39]"), "inputs[0].data[0]: beyond float32"},
    {TYPED("FP64", "2", "[0,-1e300]"), "inputs[0].data[1]: beyond float32"},
};

START_TEST(numbers_are_of_their_type)
{
    for (size_t i = 0; i < sizeof in_range / sizeof *in_range; i++)
        for (size_t piece = 1; piece < 9; piece++)
            ck_assert_msg(feed_v2(in_range[i], strlen(in_range[i]), SIZE_MAX, piece) != NULL,
                          "%s: %s", in_range[i], ingest_error(ingest)->text);
    for (size_t i = 0; i < sizeof out_of_range / sizeof *out_of_range; i++)
        for (size_t piece = 1; piece < 90; piece += 11) {
            const char *text = out_of_range[i].text;
            ck_assert_msg(!feed_v2(text, strlen(text), SIZE_MAX, piece), "%s", text);
            ck_assert_uint_eq(ingest_error(ingest)->status, 400);
            ck_assert_msg(strstr(ingest_error(ingest)->text, out_of_range[i].error) != NULL,
                          "%s: %s", text, ingest_error(ingest)->text);
        }
}
END_TEST

/* Rows that are read many numbers at a time, with one number in them that is wrong. */
START_TEST(numbers_of_long_rows)
{
    static const char *const wrong[] = {"256", "-1", "0.5", "1e3", "12.0000000000000000001", NULL};
    static const char *const right[] = {"255", "0", "12.0", "1e2", "2.5e1", "7"};
    enum { COUNT = 300, SIZE = 30 * COUNT };
    for (size_t i = 0; i < 6 * 6 * 7; i++) {
        char text[SIZE], want[80];
        const char *bad = wrong[i % 6], *good = right[i / 6 % 6];
        const size_t at = (i / 36) * 47; /* on all sides of what is read at once */
        size_t used = (size_t)snprintf(text, SIZE, "{\"inputs\":[{\"data\":[");
        for (size_t k = 0; k < COUNT; k++)
            used += (size_t)snprintf(text + used, SIZE - used, "%s%s", k ? ", " : "",
                                     bad && k == at ? bad
                                     : k % 2        ? good
                                                    : "17");
        snprintf(text + used, SIZE - used,
                 "],\"name\":\"x\",\"datatype\":\"UINT8\",\"shape\":[%d]}]}", COUNT);
        snprintf(want, sizeof want, "inputs[0].data[%zu]: not a whole number from 0 to 255", at);
        for (size_t piece = 1000; piece <= SIZE; piece += 1777) {
            const bool read = feed_v2(text, strlen(text), SIZE_MAX, piece) != NULL;
            ck_assert_msg(read == !bad, "%s: %s", text, ingest_error(ingest)->text);
            ck_assert_msg(read || !strncmp(ingest_error(ingest)->text, want, strlen(want)),
                          "%s: %s", ingest_error(ingest)->text, want);
        }
    }
}
END_TEST

START_TEST(bytes_are_of_their_type)
{
    static const struct {
        const char *json;
        unsigned char bytes[16];
        size_t size;
        const char *error;
    } cases[] = {
        {V2_BINARY("BOOL", "[3]", "3"),
         {1, 0, 7},
         3,
         "inputs[0]: element 2 of BOOL is the byte 7, not 0 or 1"},
        {V2_BINARY("FP64", "[2]", "16"),
         {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x47},
         16,
         "inputs[0]: element 1 of FP64 is not a finite float32"},
        {V2_BINARY("FP32", "[1]", "4"),
         {0, 0, 0x80, 0x7f},
         4,
         "inputs[0]: element 0 of FP32 is not a finite float32"},
        {V2_BINARY("FP16", "[1]", "2"),
         {0, 0x7c},
         2,
         "inputs[0]: element 0 of FP16 is not a finite float32"},
        {V2_BINARY("BF16", "[1]", "2"),
         {0xc0, 0x7f},
         2,
         "inputs[0]: element 0 of BF16 is not a finite float32"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[400];
        const size_t length = strlen(cases[i].json), size = length + cases[i].size;
        memcpy(body, cases[i].json, length);
        memcpy(body + length, cases[i].bytes, cases[i].size);
        ck_assert_ptr_null(feed_v2(body, size, length, 7));
        ck_assert_str_eq(ingest_error(ingest)->text, cases[i].error);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("v2_types");
    TCase *tests = tcase_create("v2_types");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, numbers_are_of_their_type);
    tcase_add_test(tests, numbers_of_long_rows);
    tcase_add_test(tests, bytes_are_of_their_type);
    return run_suite(suite);
}
