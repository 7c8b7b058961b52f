/* The streaming JSON reader: what it takes and refuses, and that no split of the text matters.
 * jansson tells what is JSON. */
#include "ingest/json_tensor.h"

#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "floats.h"

#include "check_main.h"
#include "random.h"

static const char *const places[] = {"input", "inputs[].data", "instances", "instances[].*", NULL};
static const char *const boolean_places[] = {"inputs[].data", NULL};
static const struct json_spec usual = {.places = places,
                                       .boolean_places = boolean_places,
                                       .max_numbers = 1000,
                                       .max_arrays = 4,
                                       .max_text = 4000,
                                       .room = 8};

/* What came of a text, in one string: the envelope, shapes and floats, or the error. */
static void describe(struct json_tensor *json, bool fed, char *out, size_t size)
{
    struct json_result result;
    if (!fed || !json_tensor_finish(json, &result)) {
        const struct json_error *error = json_tensor_error(json);
        ck_assert_int_ne(error->problem, JSON_OK);
        ck_assert(!json_tensor_finish(json, &result));
        snprintf(out, size, "%d: %s", error->problem, error->text);
        return;
    }
    size_t used = (size_t)snprintf(out, size, "%s", result.text);
    ck_assert_uint_eq(strlen(result.text), result.text_size);
    for (size_t i = 0; i < result.array_count; i++) {
        const struct json_array *array = &result.arrays[i];
        for (size_t d = 0; d < array->rank; d++)
            used +=
                (size_t)snprintf(out + used, size - used, "%s%zu", d ? "x" : " ", array->dim[d]);
        for (size_t k = 0; k < array->count; k++)
            used += (size_t)snprintf(out + used, size - used, "%s%.9g", k ? "," : ":",
                                     (double)result.floats[array->first + k]);
    }
}

/* Feeds the text in pieces of the size that `next` gives, each in memory of exactly its size. */
static void read_pieces(const struct json_spec *spec, const char *text, size_t size,
                        size_t (*next)(void), char *out, size_t out_size)
{
    struct json_tensor *json = json_tensor_new(spec);
    ck_assert_ptr_nonnull(json);
    bool good = true;
    for (size_t at = 0; at < size && good;) {
        const size_t want = next(), piece = want < size - at ? want : size - at;
        char *copy = malloc(piece ? piece : 1);
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, text + at, piece);
        good = json_tensor_feed(json, copy, piece);
        free(copy);
        at += piece;
    }
    describe(json, good, out, out_size);
    if (!good) ck_assert(!json_tensor_feed(json, "1", 1));
    json_tensor_free(json);
}

static size_t whole(void)
{
    return SIZE_MAX;
}
static size_t one(void)
{
    return 1;
}
static size_t some(void)
{
    return random_bits() % 4 ? random_bits() % 9 : random_bits() % 300;
}

static void read_whole(const struct json_spec *spec, const char *text, size_t size, char *out,
                       size_t out_size)
{
    read_pieces(spec, text, size, whole, out, out_size);
}

enum { OUT = 1 << 16 };

static void check_splits(const struct json_spec *spec, const char *text, size_t size,
                         const char *want)
{
    static char got[OUT];
    read_pieces(spec, text, size, one, got, sizeof got);
    ck_assert_str_eq(got, want);
    for (int i = 0; i < 5; i++) {
        read_pieces(spec, text, size, some, got, sizeof got);
        ck_assert_str_eq(got, want);
    }
}

static void check(const char *text, size_t size, const char *want)
{
    static char got[OUT];
    read_whole(&usual, text, size, got, sizeof got);
    ck_assert_msg(strcmp(got, want) == 0, "%.*s\n gives %s\n  want %s", (int)size, text, got, want);
    check_splits(&usual, text, size, want);
}

struct example {
    const char *text, *want;
};

static void check_all(const struct example *examples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check(examples[i].text, strlen(examples[i].text), examples[i].want);
}

#define CHECK_ALL(examples) check_all(examples, sizeof(examples) / sizeof *(examples))

START_TEST(arrays_are_taken_where_they_are_wanted)
{
    static const struct example examples[] = {
        {"{\"input\":[1,2,3]}", "{\"input\":0} 3:1,2,3"},
        {" { \"input\" : [ [ 1 , 2.5 ] , [ -3e2 , 0 ] ] } ", "{\"input\":0} 2x2:1,2.5,-300,0"},
        {"{\"input\":[[[[1]]]],\"shape\":[1,2],\"id\":\"x\"}",
         "{\"input\":0,\"shape\":[1,2],\"id\":\"x\"} 1x1x1x1:1"},
        {"{\"shape\":[1],\"other\":{\"input\":[1,2]},\"input\":[7]}",
         "{\"shape\":[1],\"other\":{\"input\":[1,2]},\"input\":0} 1:7"},
        {"{\"inputs\":[{\"name\":\"a\",\"data\":[1,2],\"shape\":[2]},{\"data\":[[3],[4]]}]}",
         "{\"inputs\":[{\"name\":\"a\",\"data\":0,\"shape\":[2]},{\"data\":1}]} 2:1,2 2x1:3,4"},
        {"{\"instances\":[[1,2],[3,4],[5,6]]}", "{\"instances\":0} 3x2:1,2,3,4,5,6"},
        {"{\"instances\":[{\"x\":[1]},{\"y\":[2]}]}",
         "{\"instances\":[{\"x\":0},{\"y\":1}]} 1:1 1:2"},
        {"{\"input\":\"text\"}",
         "1: byte 9: input: a string, not an array of numbers; a picture is sent as a file, not as "
         "base64"},
        {"{\"input\":null,\"b\":true,\"c\":false}", "{\"input\":null,\"b\":true,\"c\":false}"},
        {"{\"input\":[[\"a\",1]]}", "{\"input\":[[\"a\",1]]}"},
        {"{\"inputs\":[{\"data\":[[true,false]]}]}", "{\"inputs\":[{\"data\":[[true,false]]}]}"},
        {"{\"input\":{}}", "{\"input\":{}}"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"[1,[2,{}],\"x\"]", "[1,[2,{}],\"x\"]"},
        {"5", "5"},
        {"-0.5e+10", "-0.5e+10"},
        {"\"a\"", "\"a\""},
        {"\t\r\n null \n", "null"},
    };
    CHECK_ALL(examples);
}
END_TEST

START_TEST(strings_get_one_spelling)
{
    static const struct example examples[] = {
        {"\"\\u0041\\/\\b\\f\\n\\r\\t\\\"\\\\\"",
         "\"A/\\u0008\\u000c\\u000a\\u000d\\u0009\\\"\\\\\""},
        {"\"\\u00e9\\u20AC\\uD83D\\ude00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"",
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\""},
        {"{\"\\u0069nput\":[1]}", "{\"input\":0} 1:1"},
    };
    CHECK_ALL(examples);
}
END_TEST

START_TEST(mistakes_are_named_with_their_place)
{
    static const struct example examples[] = {
        {"", "1: byte 0: body: the JSON ends too early"},
        {"  ", "1: byte 2: body: the JSON ends too early"},
        {"{\"input\":[1,2", "1: byte 13: input[1]: the JSON ends too early"},
        {"{\"input\":[1,2]", "1: byte 14: input: the JSON ends too early"},
        {"{\"input\":[1,2]}x", "1: byte 15: body: something behind the JSON"},
        {"{\"input\":[1,2]}{}", "1: byte 15: body: something behind the JSON"},
        {"{\"input\":[1,,2]}", "1: byte 12: input[1]: not a number"},
        {"{\"input\":[1,2,]}", "1: byte 14: input[2]: not a number"},
        {"{\"input\":[1 2]}", "1: byte 12: input[0]: neither , nor ] behind an element"},
        {"{\"input\":[1,2}", "1: byte 13: input[1]: neither , nor ] behind an element"},
        {"{\"input\":[01]}", "1: byte 11: input[0]: neither , nor ] behind an element"},
        {"{\"input\":[1,-]}", "1: byte 13: input[1]: not a number"},
        {"{\"input\":[1,2.]}", "1: byte 14: input[1]: not a number"},
        {"{\"input\":[1,+2]}", "1: byte 12: input[1]: not a number"},
        {"{\"input\":[1,NaN]}", "1: byte 12: input[1]: NaN is no number"},
        {"{\"input\":[1,Nan]}", "1: byte 12: input[1]: not a number"},
        {"{\"input\":[1,nul", "1: byte 15: input[1]: the JSON ends too early"},
        {"{\"input\":[[true,1]]}", "1: byte 11: input[0][0]: true is no number"},
        {"{\"input\":[nan]}", "1: byte 10: input[0]: not a number"},
        {"{\"inputs\":[{\"data\":[null]}]}", "1: byte 20: inputs[0].data[0]: null is no number"},
        {"{\"input\":[1,-Infinity]}", "1: byte 13: input[1]: not a number"},
        {"{\"input\":[1,1e999]}", "1: byte 12: input[1]: beyond float32"},
        {"{\"input\":[1,-3.5e38]}", "1: byte 12: input[1]: beyond float32"},
        {"{\"input\":[1,null]}", "1: byte 12: input[1]: null is no number"},
        {"{\"input\":[1,\"2\"]}", "1: byte 12: input[1]: not a number"},
        {"{\"input\":[1,[2]]}", "1: byte 12: input[1]: not a number"},
        {"{\"input\":[[1,2],3]}", "1: byte 16: input[1]: not an array"},
        {"{\"input\":[[1,2],[3]]}", "1: byte 18: input[1]: 1 numbers, 2 needed"},
        {"{\"input\":[[1,2],[3,4,5]]}", "1: byte 22: input[1]: 3 numbers, 2 needed"},
        {"{\"input\":[[[1],[2]],[[3]]]}", "1: byte 24: input[1]: 1 elements, 2 needed"},
        {"{\"input\":[[[1],[2]],[[3],[4,4]]]}", "1: byte 29: input[1][1]: 2 numbers, 1 needed"},
        {"{\"input\":[]}", "1: byte 10: input: an empty array"},
        {"{\"input\":[[],[1]]}", "1: byte 11: input[0]: an empty array"},
        {"{\"input\":[[1],[]]}", "1: byte 15: input[1][0]: not a number"},
        {"{\"input\":5}", "1: byte 9: input: not an array"},
        {"{\"input\":[[[[[[[[[1]]]]]]]]]}",
         "1: byte 18: input[0][0][0][0][0][0][0][0][0]: more than 8 dimensions"},
        {"{\"input\":[1],\"input\":[2]}", "1: byte 19: input: the key \"input\" is there twice"},
        {"{\"a\":{\"b\":1,\"\\u0062\":2}}", "1: byte 19: a.b: the key \"b\" is there twice"},
        {"{\"a\" 1}", "1: byte 5: a: no : behind a key"},
        {"{\"a\":}", "1: byte 5: a: not a value"},
        {"{\"a\":1,}", "1: byte 7: a: not a key"},
        {"{a:1}", "1: byte 1: body: not a key"},
        {"{\"a\":[1,]}", "1: byte 8: a[1]: not a value"},
        {"{\"a\":tru}", "1: byte 8: a: not a value"},
        {"{\"a\":nulll}", "1: byte 9: a: neither , nor } behind a value"},
        {"{\"a\":[1}", "1: byte 7: a[0]: neither , nor ] behind a value"},
        {"{\"a\":'b'}", "1: byte 5: a: not a value"},
        {"{\"a\":.5}", "1: byte 5: a: not a value"},
        {"{\"a\":1.}", "1: byte 7: a: not a number"},
        {"{\"a\":1e}", "1: byte 7: a: not a number"},
        {"{\"a\":01}", "1: byte 6: a: neither , nor } behind a value"},
        {"/**/{}", "1: byte 0: body: not a value"},
        {"\xef\xbb\xbf{}",
         "1: byte 0: body: begins with a byte order mark: send the JSON without it"},
        {"\xef\xbb\xbf",
         "1: byte 0: body: begins with a byte order mark: send the JSON without it"},
        {"\xef\xbb", "1: byte 2: body: the JSON ends too early"},
        {"\xef\xbb{", "1: byte 0: body: not a value"},
        {" \xef\xbb\xbf{}", "1: byte 1: body: not a value"},
        {"\xff\xfe{", "1: byte 0: body: UTF-16 or UTF-32: send the JSON as UTF-8"},
        {"\xfe\xff", "1: byte 0: body: UTF-16 or UTF-32: send the JSON as UTF-8"},
        {"\"a\nb\"", "1: byte 2: body: a control character in a string"},
        {"\"\\x\"", "1: byte 2: body: no such escape"},
        {"\"\\u00g0\"", "1: byte 5: body: not a hexadecimal digit"},
        {"\"\\u0000\"", "1: byte 6: body: a NUL character"},
        {"\"\\ud800\"", "1: byte 7: body: half of a surrogate pair"},
        {"\"\\ud800x\"", "1: byte 7: body: half of a surrogate pair"},
        {"\"\\ud800\\n\"", "1: byte 8: body: half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", "1: byte 12: body: half of a surrogate pair"},
        {"\"\\ud800\\ud800\"", "1: byte 12: body: half of a surrogate pair"},
        {"\"\\udc00\"", "1: byte 6: body: half of a surrogate pair"},
        {"\"\xc0\x80\"", "1: byte 1: body: not UTF-8"},
        {"\"\xe2\x82\"", "1: byte 3: body: not UTF-8"},
        {"\"\xe2\x82\\n\"", "1: byte 3: body: not UTF-8"},
        {"\"\xed\xa0\x80\"", "1: byte 2: body: not UTF-8"},
        {"\"\xf4\x90\x80\x80\"", "1: byte 2: body: not UTF-8"},
        {"\"\xff\"", "1: byte 1: body: not UTF-8"},
    };
    CHECK_ALL(examples);
    check("{\"input\":[1,\0]}", 15, "1: byte 12: input[1]: not a number");
    check("{\0\"\0", 4, "1: byte 1: body: UTF-16 or UTF-32: send the JSON as UTF-8");
    check("[\0\0\0", 4, "1: byte 1: body: UTF-16 or UTF-32: send the JSON as UTF-8");
    check("\0{\0\"", 4, "1: byte 0: body: UTF-16 or UTF-32: send the JSON as UTF-8");
    check("\0\0\xfe\xff", 4, "1: byte 0: body: UTF-16 or UTF-32: send the JSON as UTF-8");
    check("\"a\0b\"", 5, "1: byte 2: body: a control character in a string");
    check("{}\0", 3, "1: byte 2: body: something behind the JSON");
}
END_TEST

static void append_nested(struct buffer *text, size_t depth, const char *open, const char *inner,
                          const char *close)
{
    for (size_t i = 0; i < depth; i++) buffer_text(text, open);
    buffer_text(text, inner);
    for (size_t i = 0; i < depth; i++) buffer_text(text, close);
}

/* Feeds the text, then frees it. */
static struct json_tensor *fed(struct buffer *text, bool *good)
{
    struct json_tensor *json = json_tensor_new(&usual);
    *good = json_tensor_feed(json, text->bytes, text->size);
    buffer_free(text);
    return json;
}

START_TEST(depth_is_limited)
{
    struct buffer text = {0};
    struct json_tensor *json;
    struct json_result result;
    bool good;
    for (size_t depth = 31; depth <= 34; depth++) {
        append_nested(&text, depth, "[", "1", "]");
        json = fed(&text, &good);
        ck_assert_int_eq(good, depth <= 32);
        ck_assert_int_eq(json_tensor_finish(json, &result), depth <= 32);
        json_tensor_free(json);
        append_nested(&text, depth, "{\"a\":", "1", "}");
        json = fed(&text, &good);
        ck_assert_int_eq(good, depth <= 32);
        json_tensor_free(json);
    }
    append_nested(&text, 33, "[", "", "");
    check(text.bytes, text.size,
          "1: byte 32: [0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"
          "[0][0][0][0][0][0][0][0][0][0][0][0][0]: nested deeper than 32");
    buffer_free(&text);
    buffer_text(&text, "{\"input\":");
    append_nested(&text, 32, "[", "", "");
    json = fed(&text, &good);
    ck_assert(!good);
    ck_assert_ptr_nonnull(strstr(json_tensor_error(json)->text, "nested deeper than 32"));
    json_tensor_free(json);
}
END_TEST

START_TEST(limits_end_the_reading_at_once)
{
    struct json_spec spec = usual;
    char out[OUT];
    spec.max_numbers = 3;
    spec.room = 100;
    const char *text = "{\"input\":[1,2,3]}";
    read_whole(&spec, text, strlen(text), out, sizeof out);
    ck_assert_str_eq(out, "{\"input\":0} 3:1,2,3");
    text = "{\"input\":[1,2,3,4 this is not even read";
    read_whole(&spec, text, strlen(text), out, sizeof out);
    ck_assert_str_eq(out, "2: byte 16: input[3]: more than the 3 numbers that --queue-samples and "
                          "--queue-bytes allow");
    check_splits(&spec, text, strlen(text), out);
    text = "{\"instances\":[{\"a\":[1,2]},{\"a\":[3,4]}]}";
    read_whole(&spec, text, strlen(text), out, sizeof out);
    ck_assert_str_eq(out, "2: byte 34: instances[1].a[1]: more than the 3 numbers that "
                          "--queue-samples and --queue-bytes allow");

    spec = usual;
    spec.max_arrays = 1;
    read_whole(&spec, text, strlen(text), out, sizeof out);
    ck_assert_str_eq(out, "2: byte 32: instances[1].a[0]: more than 1 number arrays");

    spec.max_text = 10;
    text = "{\"abcdef\":1}";
    read_whole(&spec, text, strlen(text), out, sizeof out);
    ck_assert_str_eq(out, "2: byte 10: abcdef: more than 10 bytes beside number arrays");
    check_splits(&spec, text, strlen(text),
                 "2: byte 10: abcdef: more than 10 bytes beside number arrays");
}
END_TEST

START_TEST(keys_are_limited)
{
    struct json_spec spec = usual;
    spec.max_text = 1 << 20;
    for (size_t keys = JSON_MAX_KEYS; keys <= JSON_MAX_KEYS + 1; keys++) {
        struct json_tensor *json = json_tensor_new(&spec);
        bool good = json_tensor_feed(json, "{\"x\":{\"y\":1}", 12); // y is given back
        for (size_t i = 1; i < keys && good; i++) {
            char key[32];
            const int size = snprintf(key, sizeof key, ",\"k%zu\":0", i);
            good = json_tensor_feed(json, key, (size_t)size);
        }
        ck_assert_int_eq(good, keys == JSON_MAX_KEYS);
        json_tensor_free(json);
    }
}
END_TEST

/* ---- large arrays ---------------------------------------------------------------------------- */

enum { ROWS = 40, COLUMNS = 97, BIG = 300000 };

static size_t write_number(char *text, size_t size, unsigned kind)
{
    const double value = ((double)random_bits() / 0x1p64 - 0.5) * 600;
    switch (kind) {
    case 0: return (size_t)snprintf(text, size, "%.17g", value);
    case 1: return (size_t)snprintf(text, size, "%.6f", value);
    case 2: return (size_t)snprintf(text, size, "%.0f", value);
    case 3: return (size_t)snprintf(text, size, "%.20f", value);
    case 4: return (size_t)snprintf(text, size, "%.9e", value);
    default: return (size_t)snprintf(text, size, "%.3g", value);
    }
}

static size_t write_big(char *text, bool nest, unsigned kind, const char *comma)
{
    size_t size = (size_t)snprintf(text, BIG, "{\"input\":[");
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) {
        const bool first = i % COLUMNS == 0, last = i % COLUMNS == COLUMNS - 1;
        if (nest && first) text[size++] = '[';
        size += write_number(text + size, BIG - size, kind);
        if (nest && last) text[size++] = ']';
        if (i + 1 < (size_t)ROWS * COLUMNS)
            size += (size_t)snprintf(text + size, BIG - size, "%s", comma);
    }
    return size + (size_t)snprintf(text + size, BIG - size, "]}");
}

static void compare_with_jansson(const char *text, size_t size, const struct json_result *result)
{
    json_t *root = json_loadb(text, size, JSON_DECODE_INT_AS_REAL, NULL);
    ck_assert_ptr_nonnull(root);
    const json_t *input = json_object_get(root, "input");
    const bool nest = result->arrays[0].rank == 2;
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) {
        const json_t *row = nest ? json_array_get(input, i / COLUMNS) : input;
        const float want = (float)json_number_value(json_array_get(row, nest ? i % COLUMNS : i));
        ck_assert(memcmp(&want, &result->floats[i], sizeof want) == 0);
    }
    json_decref(root);
}

START_TEST(large_arrays_in_any_pieces)
{
    static char text[BIG];
    static const char *const commas[] = {",", ", ", " ,\n"};
    struct json_spec spec = usual;
    spec.max_numbers = (size_t)ROWS * COLUMNS;
    for (unsigned i = 0; i < 6 * 3 * 2 * 4; i++) {
        const size_t size = write_big(text, i % 2, i / 2 % 6, commas[i / 12 % 3]);
        struct json_tensor *json = json_tensor_new(&spec);
        struct json_result result;
        for (size_t at = 0; at < size;) {
            const size_t want = i < 36 ? 1 + i * 97 : 1 + random_bits() % 5000;
            const size_t piece = want < size - at ? want : size - at;
            ck_assert_msg(json_tensor_feed(json, text + at, piece), "%s",
                          json_tensor_error(json)->text);
            at += piece;
        }
        ck_assert(json_tensor_finish(json, &result));
        ck_assert_str_eq(result.text, "{\"input\":0}");
        ck_assert_uint_eq(result.float_count, ROWS * COLUMNS);
        compare_with_jansson(text, size, &result);
        float *floats = json_tensor_take(json);
        json_tensor_free(json);
        floats_delete(floats);
    }
}
END_TEST

/* ---- against jansson ------------------------------------------------------------------------- */

static bool jansson_takes(const char *text, size_t size)
{
    json_error_t error;
    json_t *root = json_loadb(text, size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
    if (!root) return json_error_code(&error) == json_error_numeric_overflow;
    json_decref(root);
    return true;
}

/* Texts with a few bytes changed: both take them or none does. */
START_TEST(the_same_is_json_as_for_jansson)
{
    static const char *const texts[] = {
        "{\"a\":[1,-2.5e3,{\"b\":null}],\"c\":\"x\\u00e9\\n\",\"d\":[true,false]}",
        "[[],{},\"\\ud83d\\ude00\xc3\xa9\",0,-0,1e5,{\"k\":{\"k\":[{}]}}]",
        "  {\"a\":\"\\\\\\\"\\/\", \"b\" : 12.5 }\n",
    };
    static const char bytes[] = "{}[]\",:\\ue0195.-+ \ntfnlrsE\xc3\xa9\xf0\x9f/";
    static const char *const none[] = {NULL};
    const struct json_spec spec = {
        .places = none, .max_numbers = 10, .max_arrays = 1, .max_text = 4000};
    size_t taken = 0;
    for (size_t i = 0; i < 60000; i++) {
        char text[200], out[OUT];
        size_t size = strlen(texts[i % 3]);
        memcpy(text, texts[i % 3], size);
        for (size_t k = 0; k <= i % 4; k++) {
            const size_t at = random_bits() % size;
            if (random_bits() % 4 == 0 && size > 1)
                memmove(text + at, text + at + 1, --size - at);
            else
                text[at] = bytes[random_bits() % (sizeof bytes - 1)];
        }
        read_pieces(&spec, text, size, some, out, sizeof out);
        const bool takes = *out != '1' || out[1] != ':';
        ck_assert_msg(takes == jansson_takes(text, size), "%.*s: %s", (int)size, text, out);
        if (takes) ck_assert_msg(jansson_takes(out, strlen(out)), "%s", out);
        taken += takes;
    }
    ck_assert_uint_gt(taken, 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_tensor");
    TCase *cases = tcase_create("all");
    tcase_add_test(cases, arrays_are_taken_where_they_are_wanted);
    tcase_add_test(cases, strings_get_one_spelling);
    tcase_add_test(cases, mistakes_are_named_with_their_place);
    tcase_add_test(cases, depth_is_limited);
    tcase_add_test(cases, limits_end_the_reading_at_once);
    tcase_add_test(cases, keys_are_limited);
    tcase_add_test(cases, large_arrays_in_any_pieces);
    tcase_add_test(cases, the_same_is_json_as_for_jansson);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
