/* The same image by each protocol and form: all answers have the floats that POST /infer gives. */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "http/fixture.h"

#include "check_main.h"

enum { PIXELS = 784, CLASSES = 10, TEXT = 20000 };

#define MODEL "/v2/models/fashion-resnet"

static float image[PIXELS], want[CLASSES];
static char numbers[TEXT]; /* the image in JSON, flat */

static void start(void)
{
    DAEMON_START(&server, "--max-batch", "8");
    size_t used = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        image[i] = (float)(i % 23) / 22;
        used +=
            (size_t)snprintf(numbers + used, TEXT - used, i ? ",%.9g" : "%.9g", (double)image[i]);
    }
    struct response answer = client_ask(server.port, "POST", "/infer",
                                        "Content-Type: application/octet-stream\r\n"
                                        "Accept: application/octet-stream\r\n",
                                        image, sizeof image);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_uint_eq(answer.size, sizeof want);
    memcpy(want, answer.body, sizeof want);
    response_free(&answer);
}

static struct response post(const char *target, const char *headers, const void *body, size_t size)
{
    struct response answer = client_ask(server.port, "POST", target, headers, body, size);
    ck_assert_msg(answer.status == 200, "%s: %d %s", target, answer.status, answer.body);
    return answer;
}

static void expect_floats(const json_t *array)
{
    ck_assert_uint_eq(json_array_size(array), CLASSES);
    for (size_t i = 0; i < CLASSES; i++)
        ck_assert((float)json_number_value(json_array_get(array, i)) == want[i]);
}

/* Takes the JSON in front of the answer apart, and frees the answer. */
static json_t *parse(struct response *answer, size_t size)
{
    json_t *root = json_loadb(answer->body, size, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(root != NULL, "%s", answer->body);
    return root;
}

static size_t write_v2(char *text, const char *data, const char *more)
{
    return (size_t)snprintf(text, 2 * TEXT,
                            "{\"id\":\"a7\",\"inputs\":[{\"name\":\"input\",\"datatype\":\"FP32\","
                            "\"shape\":[1,1,28,28],%s}]%s}",
                            data, more);
}

START_TEST(v2_json)
{
    static const char *const targets[] = {MODEL "/infer", MODEL "/versions/1/infer", "/infer"};
    char data[TEXT + 100], text[2 * TEXT];
    snprintf(data, sizeof data, "\"data\":[%s]", numbers);
    const size_t size = write_v2(text, data, ",\"outputs\":[{\"name\":\"output\"}]");
    for (size_t i = 0; i < 3; i++) {
        struct response answer = post(targets[i], "", text, size);
        json_t *root = parse(&answer, answer.size);
        json_t *output = json_array_get(json_object_get(root, "outputs"), 0);
        ck_assert_str_eq(json_string_value(json_object_get(root, "model_name")), "fashion-resnet");
        ck_assert_str_eq(json_string_value(json_object_get(root, "model_version")), "1");
        ck_assert_str_eq(json_string_value(json_object_get(root, "id")), "a7");
        ck_assert_str_eq(json_string_value(json_object_get(output, "datatype")), "FP32");
        ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(output, "shape"), 1)),
                         CLASSES);
        expect_floats(json_object_get(output, "data"));
        json_decref(root);
        response_free(&answer);
    }
}
END_TEST

/* Bytes behind the JSON, and no JSON at all. */
START_TEST(v2_binary)
{
    char text[2 * TEXT], headers[100];
    const size_t length = write_v2(text, "\"parameters\":{\"binary_data_size\":3136}",
                                   ",\"parameters\":{\"binary_data_output\":true}");
    memcpy(text + length, image, sizeof image);
    for (size_t json = 0; json <= length; json += length) {
        snprintf(headers, sizeof headers, "Inference-Header-Content-Length: %zu\r\n", json);
        struct response answer =
            post(MODEL "/infer", headers, json ? text : (char *)image, json + sizeof image);
        char value[40] = "";
        ck_assert(response_header(&answer, "Inference-Header-Content-Length", value, sizeof value));
        const size_t header = strtoul(value, NULL, 10);
        ck_assert_uint_eq(answer.size, header + sizeof want);
        ck_assert_mem_eq(answer.body + header, want, sizeof want);
        json_t *root = parse(&answer, header);
        json_t *output = json_array_get(json_object_get(root, "outputs"), 0);
        ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(output, "parameters"),
                                                            "binary_data_size")),
                         sizeof want);
        ck_assert_ptr_null(json_object_get(output, "data"));
        json_decref(root);
        response_free(&answer);
    }
}
END_TEST

START_TEST(v2_classification)
{
    char data[TEXT + 100], text[2 * TEXT];
    size_t best = 0;
    for (size_t i = 1; i < CLASSES; i++) best = want[i] > want[best] ? i : best;
    snprintf(data, sizeof data, "\"data\":[%s]", numbers);
    const size_t size = write_v2(
        text, data, ",\"outputs\":[{\"name\":\"output\",\"parameters\":{\"classification\":3}}]");
    struct response answer = post(MODEL "/infer", "", text, size);
    json_t *root = parse(&answer, answer.size);
    json_t *output = json_array_get(json_object_get(root, "outputs"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(output, "datatype")), "BYTES");
    json_t *lines = json_object_get(output, "data");
    ck_assert_uint_eq(json_array_size(lines), 3);
    float value;
    size_t cls;
    ck_assert_int_eq(sscanf(json_string_value(json_array_get(lines, 0)), "%f:%zu:", &value, &cls),
                     2);
    ck_assert(value == want[best] && cls == best);
    json_decref(root);
    response_free(&answer);
}
END_TEST

static void refuse(int status, const char *headers, const char *body, const char *part)
{
    expect_error_with(client_ask(server.port, "POST", MODEL "/infer", headers, body, strlen(body)),
                      status, part);
}

START_TEST(v2_mistakes)
{
#define INPUT(name, shape, data)                                                                   \
    "{\"inputs\":[{\"name\":\"" name "\",\"datatype\":\"FP32\",\"shape\":" shape ",\"data\":" data \
    "}]"
    refuse(400, "", INPUT("x", "[1]", "[1]") "}", "no input 'x'");
    refuse(400, "", INPUT("input", "[1]", "[1]") "}", "shape [1], model fashion-resnet needs");
    refuse(400, "", INPUT("input", "[1]", "[1]") ",\"outputs\":[{\"name\":\"y\"}]}",
           "no output 'y'");
    refuse(400, "",
           "{\"inputs\":[{\"name\":\"input\",\"shape\":[1,1,28,28],\"data\":[-0.5],\"datatype\":"
           "\"UINT8\"}]}",
           "inputs[0].data[0]: not a whole number from 0 to 255, as UINT8 needs");
    refuse(400, "Inference-Header-Content-Length: -1\r\n", "{}", "'-1' is not a size");
    refuse(400, "Inference-Header-Content-Length: 99999999999999999999\r\n", "{}", "is not a size");
    refuse(400, "Inference-Header-Content-Length: 3\r\n", "{}", "ends 1 bytes before");
    refuse(400, "Inference-Header-Content-Length: 1\r\n", "{}", "byte 1");
    refuse(415, "Content-Encoding: br\r\n", "{}", "br is not understood");
}
END_TEST

#define PREDICT "/v1/models/fashion-resnet:predict"

static size_t write_v1(char text[2 * TEXT])
{
    size_t size = (size_t)snprintf(text, 2 * TEXT, "{\"instances\":[{\"image\":[");
    for (size_t i = 0; i < PIXELS; i++) {
        const char *open = i ? i % 28 ? "," : ",[" : "[[";
        size += (size_t)snprintf(text + size, 2 * TEXT - size, "%s%.9g%s", open, (double)image[i],
                                 i % 28 == 27 ? "]" : "");
    }
    return size + (size_t)snprintf(text + size, 2 * TEXT - size, "]]}]}");
}

START_TEST(v1_predict)
{
    static const char *const targets[] = {PREDICT, "/v1/models/fashion-resnet/versions/1:predict"};
    char text[2 * TEXT];
    const size_t size = write_v1(text);
    for (size_t i = 0; i < 2; i++) {
        struct response answer = post(targets[i], "", text, size);
        json_t *root = parse(&answer, answer.size);
        json_t *rows = json_object_get(root, "predictions");
        ck_assert_uint_eq(json_array_size(rows), 1);
        expect_floats(json_array_get(rows, 0));
        json_decref(root);
        response_free(&answer);
    }
}
END_TEST

START_TEST(types_taken)
{
    static const char *const headers[] = {
        "", /* NVIDIA's client */
        "Content-Type:\r\n",
        "Content-Type: application/json\r\n",
        "Content-Type: Application/JSON; charset=utf-8\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n", /* curl -d */
        "Content-Type: text/plain;charset=UTF-8\r\n",          /* fetch() */
        "Content-Type: application/octet-stream\r\n",          /* V2 alone: the last */
    };
    enum { TYPES = sizeof headers / sizeof *headers };
    char v1[2 * TEXT], v2[2 * TEXT], data[TEXT + 100];
    snprintf(data, sizeof data, "\"data\":[%s]", numbers);
    const size_t v1_size = write_v1(v1), v2_size = write_v2(v2, data, "");
    for (size_t i = 0; i < TYPES; i++) {
        struct response answer = post(MODEL "/infer", headers[i], v2, v2_size);
        response_free(&answer);
        if (i == TYPES - 1) break;
        answer = post(PREDICT, headers[i], v1, v1_size);
        response_free(&answer);
    }
}
END_TEST

static void refuse_type(const char *target, const char *type, const char *taken)
{
    char header[100], text[200];
    snprintf(header, sizeof header, "Content-Type: %s\r\n", type);
    snprintf(text, sizeof text, "Content-Type %s is not taken here; send %s", type, taken);
    expect_error(client_ask(server.port, "POST", target, header, "{}", 2), 415, text);
}

START_TEST(types_refused)
{
    static const char *const types[] = {"image/jpeg",      "application/x-npy",
                                        "text/html",       "application/jsonp",
                                        "application/xml", "multipart/form-data; boundary=B"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        refuse_type(MODEL "/infer", types[i], "application/json or application/octet-stream");
        refuse_type(PREDICT, types[i], "application/json");
    }
    refuse_type(PREDICT, "application/octet-stream", "application/json");
    refuse_type("/predictions/fashion-resnet", "application/json",
                "application/octet-stream, image/jpeg, image/png or multipart/form-data");
}
END_TEST

START_TEST(npy)
{
    static const char header[] =
        "\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 28, 28), }";
    char file[128 + sizeof image];
    memset(file, ' ', 128);
    memcpy(file, header, sizeof header - 1);
    file[127] = '\n';
    memcpy(file + 128, image, sizeof image);
    static const char *const headers[] = {"Content-Type: application/x-npy\r\n", ""};
    for (size_t i = 0; i < 2; i++) {
        struct response answer = post("/infer", headers[i], file, sizeof file);
        json_t *root = parse(&answer, answer.size);
        expect_floats(json_array_get(json_object_get(root, "output"), 0));
        json_decref(root);
        response_free(&answer);
    }
}
END_TEST

START_TEST(compressed)
{
    char text[2 * TEXT];
    unsigned char packed[2 * TEXT];
    const int size = snprintf(text, sizeof text, "{\"input\":[%s],\"shape\":[1,1,28,28]}", numbers);
    uLongf length = sizeof packed;
    ck_assert_int_eq(compress(packed, &length, (const Bytef *)text, (uLong)size), Z_OK);
    static const char *const headers[] = {
        "Content-Encoding: deflate\r\n",
        "Content-Type: application/json\r\nContent-Encoding: deflate\r\n"};
    for (size_t i = 0; i < 2; i++) {
        struct response answer = post("/infer", headers[i], packed, length);
        json_t *root = parse(&answer, answer.size);
        expect_floats(json_array_get(json_object_get(root, "output"), 0));
        json_decref(root);
        response_free(&answer);
    }
}
END_TEST

static struct response post_raw(const char *headers, int status)
{
    char all[200];
    snprintf(all, sizeof all, "Content-Type: application/octet-stream\r\n%s", headers);
    struct response answer = client_ask(server.port, "POST", "/infer", all, image, sizeof image);
    ck_assert_msg(answer.status == status, "%s: %d %s", headers, answer.status, answer.body);
    return answer;
}

/* NumPy's own rule: the header ends at a multiple of 64, the shape is a tuple. */
START_TEST(npy_answer)
{
    static const char header[] =
        "\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1, 10), }";
    struct response answer = post_raw("Accept: application/x-npy\r\n", 200);
    char type[64] = "";
    ck_assert(response_header(&answer, "Content-Type", type, sizeof type));
    ck_assert_str_eq(type, "application/x-npy");
    ck_assert_uint_eq(answer.size, 128 + sizeof want);
    ck_assert_mem_eq(answer.body, header, sizeof header - 1);
    ck_assert_int_eq(answer.body[127], '\n');
    ck_assert_mem_eq(answer.body + 128, want, sizeof want);
    response_free(&answer);
}
END_TEST

START_TEST(the_form_that_is_wanted_most)
{
    static const struct {
        const char *accept, *type;
    } cases[] = {
        {"", "application/json"},
        {"Accept: */*\r\n", "application/json"},
        {"Accept: text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2\r\n", "application/json"},
        {"Accept: text/html\r\nAccept: application/x-npy\r\n", "application/x-npy"},
        {"Accept: application/json;q=.4\r\nX: y\r\naccept: application/x-npy;q=.3\r\n"
         "Accept: application/octet-stream;q=.5\r\n",
         "application/octet-stream"},
        {"Accept: text/html, application/xml;q=0.9, */*;q=0.8\r\n", "application/json"},
        {"Accept: application/*;q=0.5, application/json;q=0.1\r\n", "application/octet-stream"},
        {"Accept: application/json;q=0, */*\r\n", "application/octet-stream"},
        {"Accept: application/json;q=0.4, application/x-npy;q=0.5\r\n", "application/x-npy"},
    };
    char type[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct response answer = post_raw(cases[i].accept, 200);
        ck_assert(response_header(&answer, "Content-Type", type, sizeof type));
        ck_assert_msg(!strcmp(type, cases[i].type), "%s%s", cases[i].accept, type);
        response_free(&answer);
    }
    static const char *const refused[] = {"Accept: text/html\r\n", "Accept: */*;q=0\r\n",
                                          "Accept: \"\r\n", "Accept: ;q=1\r\n"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct response answer = post_raw(refused[i], 406);
        ck_assert_ptr_nonnull(strstr(answer.body, "{\"error\":\"Accept: "));
        response_free(&answer);
    }
}
END_TEST

/* The page in full, plain and compressed. */
START_TEST(answers_compressed)
{
    static const struct {
        const char *accept, *coding;
        int window;
    } cases[] = {{"gzip", "gzip", MAX_WBITS + 16},
                 {"deflate", "deflate", MAX_WBITS},
                 {"gzip;q=0.5, deflate", "deflate", MAX_WBITS},
                 {"*", "gzip", MAX_WBITS + 16},
                 {"gzip;q=0, deflate;q=0", NULL, 0},
                 {"gzip;q=0.5, identity", NULL, 0},
                 {"br", NULL, 0}};
    struct response plain = client_get(server.port, "/metrics");
    const size_t name = (size_t)(strchr(plain.body, '\n') - plain.body); // its first line
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[80], value[40] = "";
        Bytef text[1 << 17];
        snprintf(header, sizeof header, "Accept-Encoding: %s\r\n", cases[i].accept);
        struct response answer = client_ask(server.port, "GET", "/metrics", header, NULL, 0);
        ck_assert_int_eq(answer.status, 200);
        const bool packed = response_header(&answer, "Content-Encoding", value, sizeof value);
        ck_assert_str_eq(value, cases[i].coding ? cases[i].coding : "");
        if (packed) {
            z_stream stream = {.next_in = (Bytef *)answer.body,
                               .avail_in = (uInt)answer.size,
                               .next_out = text,
                               .avail_out = sizeof text};
            ck_assert_int_eq(inflateInit2(&stream, cases[i].window), Z_OK);
            ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
            inflateEnd(&stream);
            ck_assert_uint_lt(answer.size, stream.total_out / 2);
        }
        ck_assert_mem_eq(packed ? (char *)text : answer.body, plain.body, name);
        response_free(&answer);
    }
    response_free(&plain);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("protocols");
    TCase *tests = tcase_create("protocols");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, start, server_stop);
    tcase_add_test(tests, v2_json);
    tcase_add_test(tests, v2_binary);
    tcase_add_test(tests, v2_classification);
    tcase_add_test(tests, v2_mistakes);
    tcase_add_test(tests, v1_predict);
    tcase_add_test(tests, types_taken);
    tcase_add_test(tests, types_refused);
    tcase_add_test(tests, npy);
    tcase_add_test(tests, compressed);
    tcase_add_test(tests, npy_answer);
    tcase_add_test(tests, the_form_that_is_wanted_most);
    tcase_add_test(tests, answers_compressed);
    return run_suite(suite);
}
