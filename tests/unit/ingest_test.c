/* Ingest: each form's tensors, each mistake's place, and any split of a body into pieces. */
#include "ingest/ingest.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "check_main.h"
#include "ingest/npy.h"

static struct ingest *ingest;

/* The body in pieces; in memory of exactly its size. */
static const struct ingest_result *feed_by(const struct ingest_spec *spec, const void *bytes,
                                           size_t size, size_t piece)
{
    char *copy = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    ingest_free(ingest);
    ingest = ingest_new(spec);
    ck_assert_ptr_nonnull(ingest);
    bool good = true;
    for (size_t at = 0; good && at < size; at += piece)
        good = ingest_feed(ingest, copy + at, size - at < piece ? size - at : piece);
    free(copy);
    return good ? ingest_finish(ingest) : NULL;
}

static const struct ingest_result *feed(enum ingest_form form, const char *bytes, size_t size,
                                        size_t piece)
{
    const struct ingest_spec spec = {
        .form = form, .body_size = size, .sample_size = 2, .max_floats = 1000};
    return feed_by(&spec, bytes, size, piece);
}

static const struct ingest_result *json(const char *text)
{
    return feed(INGEST_JSON, text, strlen(text), 4096);
}

static void tear_down(void)
{
    ingest_free(ingest);
    ingest = NULL;
}

static void expect_dims(const struct tensor *tensor, size_t rank, const size_t *dim)
{
    size_t count = 1;
    ck_assert_uint_eq(tensor->rank, rank);
    for (size_t i = 0; i < rank; i++) {
        ck_assert_uint_eq(tensor->dim[i], dim[i]);
        count *= dim[i];
    }
    ck_assert_uint_eq(tensor->count, count);
}

START_TEST(nested_arrays_say_their_shape)
{
    const struct ingest_result *result =
        json(" {\"input\" : [[[1, 2.5,-3],[4e0,5,6]], [[7,8,9],[1e-1,0.1,-0]]] }\n");
    ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
    expect_dims(&result->tensor, 3, (size_t[]){2, 2, 3});
    const float want[] = {1, 2.5f, -3, 4, 5, 6, 7, 8, 9, 0.1f, 0.1f, -0.f};
    ck_assert_mem_eq(result->tensor.data, want, sizeof want);
    ck_assert(!result->has_top_k && !result->has_timeout);
    ck_assert_str_eq(result->model, "");
}
END_TEST

START_TEST(flat_arrays_have_a_shape_on_either_side)
{
    static const char *const text[] = {"{\"input\":[1,2,3,4,5,6],\"shape\":[1,3,2]}",
                                       "{\"shape\":[1,3,2],\"input\":[1,2,3,4,5,6]}"};
    const float want[] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < 2; i++) {
        const struct ingest_result *result = json(text[i]);
        ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
        expect_dims(&result->tensor, 3, (size_t[]){1, 3, 2});
        ck_assert_mem_eq(result->tensor.data, want, sizeof want);
    }
}
END_TEST

START_TEST(parameters_are_read)
{
    const struct ingest_result *result =
        json("{\"id\":\"r\\u00e9\",\"top_k\":3,\"model\":\"m\",\"timeout_ms\":250,\"input\":[1]}");
    ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
    ck_assert_str_eq(result->id, "r\xc3\xa9");
    ck_assert_str_eq(result->model, "m");
    ck_assert(result->has_top_k && result->has_timeout);
    ck_assert_uint_eq(result->top_k, 3);
    ck_assert_uint_eq(result->timeout_us, 250000);
}
END_TEST

/* double, then float: 16777217 lies between two floats, and 1 + 2^-24 + a little rounds up. */
START_TEST(numbers_are_rounded_like_numpy)
{
    const struct ingest_result *result =
        json("{\"input\":[16777217,1.00000005960464481,3.4028235e38,1e-46,1e-400,"
             "123456789012345678901234567890]}");
    ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
    const float want[] = {
        (float)16777217., (float)1.00000005960464481, 3.4028235e38f, (float)1e-46, 0,
        1.2345679e29f};
    ck_assert_mem_eq(result->tensor.data, want, sizeof want);
}
END_TEST

/* Forms of mistakes: the message names the place, where it can behind the byte. */
static const struct {
    const char *text, *error;
} mistakes[] = {
    {"{\"input\":[[1,2,3],[1,2]]}", "input[1]: 2 numbers, 3 needed"},
    {"{\"input\":[[[1,2],[3,4]],[[1,2]]]}", "input[1]: 1 elements, 2 needed"},
    {"{\"input\":[[1,2],[1,[2]]]}", "input[1][1]: not a number"},
    {"{\"input\":[[1,2],3]}", "input[1]: not an array"},
    {"{\"input\":[[1,null]]}", "input[0][1]: null is no number"},
    {"{\"input\":[[null,1]]}", "input[0][0]: null is no number"},
    {"{\"input\":[1,2,3,null],\"shape\":[4]}", "input[3]: null is no number"},
    {"{\"input\":[[1,\"2\"]]}", "input[0][1]: not a number"},
    {"{\"input\":[[\"2\",1]]}", "input[0][0]: a string is no number"},
    {"{\"input\":[[{}]]}", "input[0][0]: an object is no number"},
    {"{\"input\":[[1,true]]}", "input[0][1]: true is no number"},
    {"{\"input\":[[[false]]]}", "input[0][0][0]: false is no number"},
    {"{\"input\":[1,NaN]}", "input[1]: NaN is no number"},
    {"{\"input\":[Infinity]}", "input[0]: Infinity is no number"},
    {"{\"instances\":[[1,2],[3,null]]}", "instances[1][1]: null is no number"},
    {"{\"instances\":[{\"x\":[1]},{\"x\":[true]}]}", "instances[1].x[0]: true is no number"},
    {"\xef\xbb\xbf{\"input\":[1]}",
     "byte 0: body: begins with a byte order mark: send the JSON without it"},
    {"\xfe\xff{", "byte 0: body: UTF-16 or UTF-32: send the JSON as UTF-8"},
    {"{\"input\":[[[]]]}", "input[0][0]: an empty array"},
    {"{\"input\":[]}", "input: an empty array"},
    {"{\"input\":7}", "input: not an array"},
    {"{\"input\":[[[[[[[[[1]]]]]]]]]}", "input[0][0][0][0][0][0][0][0][0]: more than 8 dimensions"},
    {"{\"input\":[[1,1e39]]}", "input[0][1]: beyond float32"},
    {"{\"input\":[1,2,3],\"shape\":[1,2,2]}", "input: 3 numbers, shape [1,2,2] needs 4"},
    {"{\"input\":[1],\"shape\":[0]}", "shape[0]: not a whole number from 1 to 2147483647"},
    {"{\"input\":[1],\"shape\":[2,-5]}", "shape[1]: not a whole number from 1 to 2147483647"},
    {"{\"input\":[1],\"shape\":[1.5]}", "shape[0]: not a whole number from 1 to 2147483647"},
    {"{\"input\":[1],\"shape\":[16,1152921504606846978]}",
     "shape[1]: not a whole number from 1 to 2147483647"},
    {"{\"input\":[1],\"shape\":[2147483647,2147483647,2147483647]}",
     "shape: the product of the dimensions is too large"},
    {"{\"input\":[1],\"shape\":[]}", "shape: 0 dimensions, 1 to 8 needed"},
    {"{\"input\":[1],\"shape\":[1,1,1,1,1,1,1,1,1]}", "shape: 9 dimensions, 1 to 8 needed"},
    {"{\"input\":[1],\"shape\":\"1\"}", "shape: not an array"},
    {"{\"input\":[1],\"top_k\":-1}", "top_k: not a whole number from 0 to 1000000"},
    {"{\"input\":[1],\"top_k\":\"5\"}", "top_k: not a whole number from 0 to 1000000"},
    {"{\"input\":[1],\"timeout_ms\":0}", "timeout_ms: not a whole number from 1 to 86400000"},
    {"{\"input\":[1],\"model\":7}", "model: not a string"},
    {"{\"input\":[1],\"id\":\"a\\r\\nb\"}", "id: a control character"},
    {"{\"input\":[1],\"extra\":7}",
     "extra: no such key here; known are input, shape, model, top_k, timeout_ms, priority and id"},
    {"{\"shape\":[1]}", "body: no \"input\""},
    {"[1,2]", "body: not a JSON object"},
};

START_TEST(a_mistake_is_named)
{
    ck_assert_ptr_null(json(mistakes[_i].text));
    ck_assert_uint_eq(ingest_error(ingest)->status, 400);
    const char *text = ingest_error(ingest)->text;
    const size_t length = strlen(text), want = strlen(mistakes[_i].error);
    ck_assert_msg(length >= want && strcmp(text + length - want, mistakes[_i].error) == 0,
                  "\"%s\" does not end with \"%s\"", text, mistakes[_i].error);
}
END_TEST

/* Texts that are not JSON, or JSON that is not meant. */
static const char *const broken[] = {
    "",
    " ",
    "{",
    "{\"input\":[1,2,3]",
    "{\"input\":[1,2,3]}x",
    "{\"input\":[1,2,3]} {}",
    "{\"input\":[1,2,3],}",
    "{\"input\":[1,,2]}",
    "{\"input\":[1,2,]}",
    "{\"input\":[01]}",
    "{\"input\":[+1]}",
    "{\"input\":[.5]}",
    "{\"input\":[1.]}",
    "{\"input\":[0x10]}",
    "{\"input\":[1e]}",
    "{\"input\":[--1]}",
    "{\"input\":[NaN]}",
    "{\"input\":[Infinity]}",
    "{\"input\":[-Infinity]}",
    "{\"input\":[nan]}",
    "{\"input\":[1e999]}",
    "{\"input\":[1],\"input\":[1]}",
    "{\"input\":[1],\"id\":\"\xff\"}",
    "{\"input\":[1],\"id\":\"\xc0\xaf\"}",
    "{\"input\":[1],\"id\":\"\xed\xa0\x80\"}",
    "{\"input\":[1],\"id\":\"\\ud800\"}",
    "{\"input\":[1],\"id\":\"\\udc00\\ud800\"}",
    "{\"input\":[1],\"id\":\"\\u0000\"}",
    "{\"input\":[1],\"id\":\"a\nb\"}",
    "{'input':[1]}",
    "{\"input\":[1]/**/}",
    "\xef\xbb\xbf{\"input\":[1]}",
};

START_TEST(broken_json_is_refused)
{
    ck_assert_msg(json(broken[_i]) == NULL, "%s", broken[_i]);
    ck_assert_uint_eq(ingest_error(ingest)->status, 400);
    ck_assert_uint_gt(strlen(ingest_error(ingest)->text), 0);
}
END_TEST

START_TEST(a_surplus_number_ends_the_body)
{
    char text[5000] = "{\"input\":[";
    for (size_t i = 0; i < 1001; i++) memcpy(text + 10 + 2 * i, "7,", 2);
    ck_assert_ptr_null(json(text));
    ck_assert_uint_eq(ingest_error(ingest)->status, 413);
    ck_assert_str_eq(ingest_error(ingest)->text,
                     "byte 2010: input[1000]: more than the 1000 numbers that --queue-samples and "
                     "--queue-bytes allow");
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
    static const char inside[] = "{\"input\":[1]\0}", behind[] = "{\"input\":[1]}\0";
    ck_assert_ptr_null(feed(INGEST_JSON, inside, sizeof inside - 1, 100));
    ck_assert_ptr_null(feed(INGEST_JSON, behind, sizeof behind - 1, 100));
    ck_assert_uint_eq(ingest_error(ingest)->status, 400);
}
END_TEST

START_TEST(depth_is_limited)
{
    char text[20000] = "";
    memset(text, '[', sizeof text - 1);
    ck_assert_ptr_null(json(text));
    ck_assert_ptr_nonnull(strstr(ingest_error(ingest)->text, "nested deeper than 32"));
    memset(text, 0, sizeof text);
    for (size_t i = 0; i < 3000; i++) memcpy(text + 5 * i, "{\"a\":", 5);
    ck_assert_ptr_null(json(text));
    ck_assert_ptr_nonnull(strstr(ingest_error(ingest)->text, "nested deeper than 32"));
}
END_TEST

START_TEST(any_split_gives_the_same)
{
    static const char text[] =
        "{\"shape\":[2,2],\"input\":[1.25,-2e1,3.75,4],\"id\":\"\xc3\xa9\\u00e9\",\"top_k\":2}";
    const float want[] = {1.25f, -20, 3.75f, 4};
    for (size_t piece = 1; piece < sizeof text; piece++) {
        const struct ingest_result *result = feed(INGEST_JSON, text, sizeof text - 1, piece);
        ck_assert_msg(result != NULL, "pieces of %zu: %s", piece, ingest_error(ingest)->text);
        expect_dims(&result->tensor, 2, (size_t[]){2, 2});
        ck_assert_mem_eq(result->tensor.data, want, sizeof want);
        ck_assert_str_eq(result->id, "\xc3\xa9\xc3\xa9");
    }
}
END_TEST

START_TEST(raw_floats_are_whole_samples)
{
    const float sent[] = {1, -2.5f, 3e-8f, 4e20f, 0, -0.f};
    for (size_t piece = 1; piece <= sizeof sent; piece++) {
        const struct ingest_result *result =
            feed(INGEST_RAW, (const char *)sent, sizeof sent, piece);
        ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
        expect_dims(&result->tensor, 2, (size_t[]){3, 2});
        ck_assert_mem_eq(result->tensor.data, sent, sizeof sent);
    }
}
END_TEST

START_TEST(raw_mistakes_are_named)
{
    const float odd[] = {1, 2, 3}, infinite[] = {1, 2, 3, 1 / 0.f};
    ck_assert_ptr_null(feed(INGEST_RAW, (const char *)odd, 12, 5));
    ck_assert_str_eq(ingest_error(ingest)->text,
                     "body: 12 bytes, want whole samples of 8 bytes (2 float32 each)");
    ck_assert_ptr_null(feed(INGEST_RAW, (const char *)odd, 9, 5));
    ck_assert_str_eq(ingest_error(ingest)->text,
                     "body: 9 bytes, want whole samples of 8 bytes (2 float32 each)");
    ck_assert_ptr_null(feed(INGEST_RAW, "", 0, 5));
    ck_assert_ptr_null(feed(INGEST_RAW, (const char *)infinite, 16, 5));
    ck_assert_str_eq(ingest_error(ingest)->text, "body: float 3 (byte 12) is not a finite number");
}
END_TEST

/* ---- the other protocols --------------------------------------------------------------------- */

static const struct ingest_result *feed_v2(const char *bytes, size_t size, size_t json_size,
                                           size_t piece)
{
    const struct ingest_spec spec = {
        .form = INGEST_V2, .json_size = json_size, .sample_size = 2, .max_floats = 1000};
    return feed_by(&spec, bytes, size, piece);
}

START_TEST(v2_requests)
{
    static const char text[] =
        "{\"outputs\":[{\"name\":\"o\",\"parameters\":{\"binary_data\":true,\"classification\":3}}]"
        ","
        "\"parameters\":{\"priority\":1,\"timeout\":1500,\"binary_data_output\":false,\"mine\":1},"
        "\"inputs\":[{\"data\":[[1,2],[3,4]],\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,4]}]"
        ","
        "\"id\":\"7\",\"other\":[1]}";
    for (size_t piece = 1; piece < sizeof text; piece += 5) {
        const struct ingest_result *result = feed_v2(text, sizeof text - 1, SIZE_MAX, piece);
        ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
        expect_dims(&result->tensor, 2, (size_t[]){1, 4});
        ck_assert(result->tensor.data[3] == 4);
        ck_assert_int_eq(result->protocol, PROTOCOL_V2);
        ck_assert_str_eq(result->id, "7");
        ck_assert_str_eq(result->v2.input, "x");
        ck_assert_uint_eq(result->priority, 1);
        ck_assert(result->has_timeout && !result->v2.binary_output);
        ck_assert_uint_eq(result->timeout_us, 1500);
        ck_assert_uint_eq(result->v2.outputs, 1);
        ck_assert_str_eq(result->v2.output[0].name, "o");
        ck_assert(result->v2.output[0].has_binary && result->v2.output[0].binary);
        ck_assert_uint_eq(result->v2.output[0].classes, 3);
    }
    ck_assert_int_eq(json(text)->protocol, PROTOCOL_V2); // POST /infer takes it too
}
END_TEST

#define V2_BINARY(datatype, shape, size)                                          \
    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"" datatype "\",\"shape\":" shape \
    ",\"parameters\":{\"binary_data_size\":" size "}}]}"

/* Elements of each type, behind the JSON, in any pieces. */
START_TEST(v2_binary_tensors)
{
    static const struct {
        const char *json;
        unsigned char bytes[16];
        size_t size;
        float want[2];
    } cases[] = {
        {V2_BINARY("FP32", "[1,2]", "8"), {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}, 8, {1, -2}},
        {V2_BINARY("FP64", "[2]", "16"),
         {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0},
         16,
         {1, -2}},
        {V2_BINARY("FP16", "[2]", "4"), {0, 0x3c, 1, 0x80}, 4, {1, -0x1p-24f}},
        {V2_BINARY("BF16", "[2]", "4"), {0x80, 0x3f, 0, 0xc0}, 4, {1, -2}},
        {V2_BINARY("UINT8", "[2]", "2"), {255, 1}, 2, {255, 1}},
        {V2_BINARY("INT8", "[2]", "2"), {255, 1}, 2, {-1, 1}},
        {V2_BINARY("BOOL", "[2]", "2"), {1, 0}, 2, {1, 0}},
        {V2_BINARY("UINT16", "[2]", "4"), {255, 255, 1, 0}, 4, {65535, 1}},
        {V2_BINARY("INT16", "[2]", "4"), {255, 255, 1, 0}, 4, {-1, 1}},
        {V2_BINARY("UINT32", "[2]", "8"), {255, 255, 255, 255, 1}, 8, {4294967296.f, 1}},
        {V2_BINARY("INT32", "[2]", "8"), {255, 255, 255, 255, 1}, 8, {-1, 1}},
        {V2_BINARY("INT64", "[2]", "16"), {255, 255, 255, 255, 255, 255, 255, 255, 1}, 16, {-1, 1}},
        {V2_BINARY("UINT64", "[2]", "16"), {0, 0, 0, 0, 1, 0, 0, 0, 1}, 16, {4294967296.f, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[400];
        const size_t length = strlen(cases[i].json), size = length + cases[i].size;
        memcpy(body, cases[i].json, length);
        memcpy(body + length, cases[i].bytes, cases[i].size);
        for (size_t piece = 1; piece <= size; piece++) {
            const struct ingest_result *result = feed_v2(body, size, length, piece);
            ck_assert_msg(result != NULL, "%s: %s", cases[i].json, ingest_error(ingest)->text);
            ck_assert_uint_eq(result->tensor.count, 2);
            ck_assert_mem_eq(result->tensor.data, cases[i].want, sizeof cases[i].want);
        }
        ck_assert_ptr_null(feed_v2(body, size - 1, length, 7));
        ck_assert_ptr_null(feed_v2(body, size, length - 1, 7));
        ck_assert_ptr_null(feed_v2(body, length, length + 50, 7));
        body[size] = 0;
        ck_assert_ptr_null(feed_v2(body, size + 1, length, 7));
    }
    const float raw[] = {1, 2, 3, 4};
    const struct ingest_result *result = feed_v2((const char *)raw, sizeof raw, 0, 3);
    ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
    expect_dims(&result->tensor, 2, (size_t[]){2, 2});
    ck_assert_mem_eq(result->tensor.data, raw, sizeof raw);
    ck_assert(result->v2.binary_output);
    ck_assert_ptr_null(feed_v2((const char *)raw, 12, 0, 3));
}
END_TEST

#define V2_BOOL(data) \
    "{\"inputs\":[{\"data\":" data ",\"name\":\"x\",\"datatype\":\"BOOL\",\"shape\":[2,2]}]}"

START_TEST(v2_booleans)
{
    static const char *const text[] = {V2_BOOL("[true,false,true,true]"),
                                       V2_BOOL("[[true,false],[true,true]]"), V2_BOOL("[1,0,1,1]")};
    static const float want[] = {1, 0, 1, 1};
    for (size_t i = 0; i < sizeof text / sizeof *text; i++)
        for (size_t piece = 1; piece < strlen(text[i]); piece += 3) {
            const struct ingest_result *result = feed_v2(text[i], strlen(text[i]), SIZE_MAX, piece);
            ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
            expect_dims(&result->tensor, 2, (size_t[]){2, 2});
            ck_assert_mem_eq(result->tensor.data, want, sizeof want);
        }
}
END_TEST

/* As clients write them that know of the keys but not what for. */
START_TEST(v2_nulls)
{
    static const char text[] = "{\"id\":null,\"parameters\":null,\"outputs\":null,\"inputs\":[{"
                               "\"name\":\"x\",\"shape\":[1,2],"
                               "\"datatype\":\"FP32\",\"parameters\":null,\"data\":[1,2]}]}";
    static const char output[] =
        "{\"outputs\":[{\"name\":\"o\",\"parameters\":null}],\"inputs\":[{\"name\":\"x\","
        "\"shape\":[1,2],\"datatype\":\"FP32\",\"data\":[1,2]}]}";
    const struct ingest_result *result = feed_v2(text, sizeof text - 1, SIZE_MAX, 10);
    ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
    ck_assert_str_eq(result->id, "");
    ck_assert_uint_eq(result->v2.outputs, 0);
    result = feed_v2(output, sizeof output - 1, SIZE_MAX, 10);
    ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
    ck_assert_uint_eq(result->v2.outputs, 1);
}
END_TEST

#define V2_INPUT(more) "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2]" more

static const struct {
    const char *text, *error;
} v2_mistakes[] = {
    {"{}", "inputs: not an array"},
    {"{\"inputs\":[]}", "inputs: 0, the model has one"},
    {"{\"inputs\":[{},{}]}", "inputs: 2, the model has one"},
    {"{\"inputs\":[7]}", "inputs[0]: not an object"},
    {"{\"inputs\":[{}]}", "inputs[0].name: not a string"},
    {V2_INPUT(",\"data\":[1]}]}"), "inputs[0].data: 1 numbers, shape [1,2] needs 2"},
    {V2_INPUT(",\"data\":[1,\"a\"]}]}"), "inputs[0].data[1]: not a number"},
    {V2_INPUT(",\"data\":[\"a\"]}]}"), "inputs[0].data[0]: a string is no number"},
    {V2_INPUT(",\"data\":[true,false]}]}"), "inputs[0].data[0]: true is no number"},
    {V2_INPUT(",\"data\":[[null,1]]}]}"), "inputs[0].data[0][0]: null is no number"},
    {V2_INPUT(",\"data\":[1,null]}]}"), "inputs[0].data[1]: null is no number"},
    {V2_INPUT(",\"data\":[1,2],\"parameters\":[]}]}"), "inputs[0].parameters: not an object"},
    {V2_INPUT(",\"data\":[1,2]}],\"outputs\":[{\"name\":\"a\",\"parameters\":1}]}"),
     "outputs[0].parameters: not an object"},
    {V2_BOOL("[true]"), "inputs[0].data: 1 numbers, shape [2,2] needs 4"},
    {V2_BOOL("[true,1]"), "inputs[0].data[1]: neither true nor false"},
    {V2_BOOL("[[true,null]]"), "inputs[0].data[0][1]: neither true nor false"},
    {V2_BOOL("[1,true]"), "inputs[0].data[1]: true is no number"},
    {V2_BOOL("true"), "inputs[0].data: not an array of numbers"},
    {V2_INPUT("}]}"), "inputs[0].data: is missing"},
    {V2_INPUT(",\"data\":[1,2],\"parameters\":{\"binary_data_size\":8}}]}"),
     "inputs[0]: both data and binary_data_size"},
    {V2_INPUT(",\"parameters\":{\"binary_data_size\":-1}}]}"),
     "inputs[0].parameters.binary_data_size: not a whole number from 1 to 9007199254740992"},
    {V2_INPUT(",\"parameters\":{\"binary_data_size\":7}}]}"),
     "inputs[0]: 7 bytes are not whole elements of FP32"},
    {V2_INPUT(",\"parameters\":{\"binary_data_size\":12}}]}"),
     "inputs[0]: 3 numbers, shape [1,2] needs 2"},
    {V2_INPUT(",\"parameters\":{\"binary_data_size\":8}}]}"),
     "body: 0 bytes behind the JSON, inputs[0] needs 8"},
    {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"a\"]}]}",
     "inputs[0].datatype: 'BYTES' is not a type of numbers"},
    {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP16\",\"shape\":[1],\"data\":[1]}]}",
     "inputs[0].data: FP16 can't be written as JSON"},
    {"{\"parameters\":{\"sequence_id\":5},\"inputs\":[{\"name\":\"x\"}]}",
     "parameters.sequence_id: not understood here"},
    {"{\"parameters\":{\"triton_x\":5},\"inputs\":[{\"name\":\"x\"}]}",
     "parameters.triton_x: not understood here"},
    {"{\"outputs\":[{\"name\":\"a\"},{\"name\":\"a\"}],\"inputs\":[{\"name\":\"x\"}]}",
     "outputs[1].name: asked for twice"},
};

START_TEST(a_v2_mistake_is_named)
{
    const char *text = v2_mistakes[_i].text;
    ck_assert_ptr_null(feed_v2(text, strlen(text), SIZE_MAX, 100));
    const char *error = ingest_error(ingest)->text;
    const size_t length = strlen(error), want = strlen(v2_mistakes[_i].error);
    ck_assert_msg(length >= want && strcmp(error + length - want, v2_mistakes[_i].error) == 0,
                  "\"%s\" does not end with \"%s\"", error, v2_mistakes[_i].error);
}
END_TEST

START_TEST(v1_requests)
{
    static const struct {
        const char *text;
        enum ingest_protocol protocol;
        size_t rank, dim[3];
    } cases[] = {
        {"{\"instances\":[[1,2],[3,4],[5,6]]}", PROTOCOL_V1_ROWS, 2, {3, 2}},
        {"{\"instances\":[{\"x\":[[1,2]]},{\"x\":[[3,4]]}],\"signature_name\":\"s\"}",
         PROTOCOL_V1_ROWS,
         3,
         {2, 1, 2}},
        {"{\"inputs\":[[1,2,3]]}", PROTOCOL_V1_COLUMNS, 2, {1, 3}},
        {"{\"inputs\":{\"x\":[[1,2,3]]}}", PROTOCOL_V1_COLUMNS, 2, {1, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        const struct ingest_result *result = feed(INGEST_V1, text, strlen(text), 3);
        ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
        ck_assert_int_eq(result->protocol, cases[i].protocol);
        expect_dims(&result->tensor, cases[i].rank, cases[i].dim);
        for (size_t k = 0; k < result->tensor.count; k++)
            ck_assert(result->tensor.data[k] == (float)(k + 1));
    }
    static const char *const wrong[] = {
        "{}",
        "{\"instances\":[[1]],\"inputs\":[[1]]}",
        "{\"instances\":[]}",
        "{\"instances\":7}",
        "{\"instances\":[{\"x\":[1]},{\"x\":[1,2]}]}",
        "{\"instances\":[{\"x\":[1],\"y\":[2]}]}",
        "{\"instances\":[{}]}",
        "{\"instances\":[\"a\"]}",
        "{\"inputs\":{}}",
        "{\"inputs\":\"a\"}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(!feed(INGEST_V1, wrong[i], strlen(wrong[i]), 100), "%s", wrong[i]);
}
END_TEST

START_TEST(npy_bodies)
{
    char file[200] = NPY_MAGIC "\x01\0";
    static const char header[] =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }                 \n";
    const float data[] = {1, -2, 3.5f};
    file[8] = sizeof header - 1;
    memcpy(file + 10, header, sizeof header);
    memcpy(file + 10 + sizeof header - 1, data, sizeof data);
    const size_t size = 10 + sizeof header - 1 + sizeof data;
    for (size_t piece = 1; piece <= size; piece += 9) {
        const struct ingest_result *result = feed(INGEST_NPY, file, size, piece);
        ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
        expect_dims(&result->tensor, 2, (size_t[]){1, 3});
        ck_assert_mem_eq(result->tensor.data, data, sizeof data);
    }
    ck_assert_ptr_null(feed(INGEST_NPY, file, size - 1, 50));
    file[size - 1] = 0x7f, file[size - 2] = (char)0x80; // infinite
    file[size - 3] = file[size - 4] = 0;
    ck_assert_ptr_null(feed(INGEST_NPY, file, size, 50));
    ck_assert_str_eq(ingest_error(ingest)->text, "body: element 2 is not a finite float32");
    ck_assert_ptr_null(feed(INGEST_NPY, "", 0, 50));
}
END_TEST

/* Decoding is work for another thread, once there are bytes to decode. */
START_TEST(pictures_are_decoded_at_the_end)
{
    ck_assert_ptr_null(feed(INGEST_IMAGE, "\x89PNG\r\n\x1a\n", 8, 3));
    ck_assert_uint_eq(ingest_error(ingest)->status, 422);
    ck_assert(!ingest_to_decode(ingest));
    const struct ingest_spec image = {.form = INGEST_IMAGE}, raw = {.form = INGEST_RAW};
    ingest_free(ingest);
    ingest = ingest_new(&raw);
    ck_assert(!ingest_to_decode(ingest));
    ingest_free(ingest);
    ingest = ingest_new(&image);
    ck_assert_uint_eq(ingest_to_decode(ingest), 0);
    ck_assert(ingest_feed(ingest, "\x89PNG", 4));
    ck_assert_uint_eq(ingest_to_decode(ingest), 4);
}
END_TEST

/* Packs with zlib, cuts bytes off or damages the last one; feeds in pieces. */
enum { DAMAGED = 1000 };
static const struct ingest_result *feed_gzip(const char *text, size_t cut, size_t piece)
{
    unsigned char packed[2000];
    z_stream stream = {.next_in = (unsigned char *)(uintptr_t)text,
                       .avail_in = (uInt)strlen(text),
                       .next_out = packed,
                       .avail_out = sizeof packed};
    deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    const size_t size = sizeof packed - stream.avail_out - cut % DAMAGED;
    deflateEnd(&stream);
    if (cut == DAMAGED) packed[size - 5] ^= 1; // of the checksum
    const struct ingest_spec spec = {.form = INGEST_JSON,
                                     .coding = CODING_GZIP,
                                     .max_size = 100,
                                     .sample_size = 2,
                                     .max_floats = 1000};
    return feed_by(&spec, packed, size, piece);
}

START_TEST(compressed_bodies)
{
    for (size_t piece = 1; piece < 60; piece++) {
        const struct ingest_result *result = feed_gzip("{\"input\":[1,2,3,4,5]}", 0, piece);
        ck_assert_msg(result != NULL, "%s", ingest_error(ingest)->text);
        expect_dims(&result->tensor, 1, (size_t[]){5});
    }
    ck_assert_ptr_null(feed_gzip("{\"input\":[1,2,3,4,5]}", 3, 7));
    ck_assert_str_eq(ingest_error(ingest)->text, "body: the compressed data ends too early");
    ck_assert_ptr_null(feed_gzip("{\"input\":[1,x]}", 0, 7));
    ck_assert_str_eq(ingest_error(ingest)->text, "byte 12: input[1]: not a number");
    for (size_t piece = 1; piece < 60; piece++) { // which mistake comes first, in any pieces
        ck_assert_ptr_null(feed_gzip("{\"input\":[1,x]}", DAMAGED, piece));
        ck_assert_str_eq(ingest_error(ingest)->text, "byte 12: input[1]: not a number");
        ck_assert_ptr_null(feed_gzip("{\"input\":[1,2]}", DAMAGED, piece));
        ck_assert_str_eq(ingest_error(ingest)->text, "body: not what its Content-Encoding says");
    }
    char text[200] = "{\"input\":[1";
    memset(text + 11, ' ', 100);
    ck_assert_ptr_null(feed_gzip(text, 0, 7));
    ck_assert_uint_eq(ingest_error(ingest)->status, 413);
    ck_assert_str_eq(ingest_error(ingest)->text,
                     "body: unpacked longer than --max-body-bytes allows: 100");
}
END_TEST

/* A bomb that is within --max-body-bytes. */
START_TEST(what_shrinks_too_much_is_refused)
{
    enum { SIZE = 4 << 20, PACKED = SIZE / 800 };
    static unsigned char zeros[SIZE], packed[PACKED];
    uLongf size = PACKED;
    ck_assert_int_eq(compress(packed, &size, zeros, SIZE), Z_OK);
    const struct ingest_spec spec = {.form = INGEST_RAW,
                                     .coding = CODING_DEFLATE,
                                     .max_size = SIZE,
                                     .sample_size = 2,
                                     .max_floats = SIZE};
    ck_assert_ptr_null(feed_by(&spec, packed, size, 1000));
    ck_assert_uint_eq(ingest_error(ingest)->status, 413);
    ck_assert_str_eq(ingest_error(ingest)->text,
                     "body: unpacked more than 200 times what was sent");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tests = tcase_create("ingest");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, nested_arrays_say_their_shape);
    tcase_add_test(tests, flat_arrays_have_a_shape_on_either_side);
    tcase_add_test(tests, parameters_are_read);
    tcase_add_test(tests, numbers_are_rounded_like_numpy);
    tcase_add_loop_test(tests, a_mistake_is_named, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_loop_test(tests, broken_json_is_refused, 0, sizeof broken / sizeof *broken);
    tcase_add_test(tests, a_surplus_number_ends_the_body);
    tcase_add_test(tests, a_nul_byte_is_refused);
    tcase_add_test(tests, depth_is_limited);
    tcase_add_test(tests, any_split_gives_the_same);
    tcase_add_test(tests, v2_requests);
    tcase_add_test(tests, v2_binary_tensors);
    tcase_add_test(tests, v2_booleans);
    tcase_add_test(tests, v2_nulls);
    tcase_add_loop_test(tests, a_v2_mistake_is_named, 0, sizeof v2_mistakes / sizeof *v2_mistakes);
    tcase_add_test(tests, v1_requests);
    tcase_add_test(tests, npy_bodies);
    tcase_add_test(tests, pictures_are_decoded_at_the_end);
    tcase_add_test(tests, compressed_bodies);
    tcase_add_test(tests, what_shrinks_too_much_is_refused);
    tcase_add_test(tests, raw_floats_are_whole_samples);
    tcase_add_test(tests, raw_mistakes_are_named);
    return run_suite(suite);
}
