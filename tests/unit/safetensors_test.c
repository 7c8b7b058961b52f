/* safetensors: a good file loads; every kind of bad header is refused with the tensor's name. */
#include "check_main.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "formats/format.h"

static const float values[4] = {1, -2, 3.5f, 4};

#define GOOD                                                                     \
    "{\"__metadata__\":{\"format\":\"pt\"},"                                     \
    "\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]}," \
    "\"fc.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"      \
    "\"empty\":{\"dtype\":\"F16\",\"shape\":[0,3],\"data_offsets\":[8,8]},"      \
    "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[16,24]}}   "
#define GOOD_DATA 24

/* A file in memory of exactly its size, so that a sanitizer sees any byte read beyond it. */
typedef struct {
    uint8_t *bytes;
    size_t size;
} blob;

static blob make_file(const char *header, size_t data)
{
    const size_t length = strlen(header);
    blob file = {rn_alloc(8 + length + data, 1, NULL), 8 + length + data};
    for (size_t i = 0; i < 8; i++) file.bytes[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(file.bytes + 8, header, length);
    memset(file.bytes + 8 + length, 0, data);
    memcpy(file.bytes + 8 + length, values, data < sizeof values ? data : sizeof values);
    return file;
}

static rn_status load(rn_tensors *set, const uint8_t *bytes, size_t size, rn_error *err)
{
    rn_file file = {.bytes = bytes, .size = size};
    rn_graph graph;
    rn_graph_init(&graph);
    *set = (rn_tensors){0};
    *err = (rn_error){0};
    const rn_status status =
        rn_format_load(set, &graph, &file, &(rn_format_options){.max_header = 4096}, err);
    ck_assert_uint_eq(graph.count, 0);
    return status;
}

START_TEST(loads_a_good_file)
{
    blob file = make_file(GOOD, GOOD_DATA);
    rn_tensors set;
    rn_error err;
    ck_assert_msg(load(&set, file.bytes, file.size, &err) == RN_OK, "%s", err.text);
    ck_assert_str_eq(set.format, "safetensors");
    ck_assert_uint_eq(set.count, 4);
    rn_tensor *weight = rn_tensors_find(&set, "fc.weight");
    ck_assert_ptr_nonnull(weight);
    ck_assert_uint_eq(weight->rank, 2);
    ck_assert_mem_eq(rn_tensor_floats(weight, &err), values + 2, 8);
    ck_assert_mem_eq(rn_tensor_floats(rn_tensors_find(&set, "fc.bias"), &err), values, 8);
    ck_assert_uint_eq(rn_tensors_find(&set, "n")->rank, 0);
    rn_tensors_release(&set);
    rn_free(file.bytes);
}
END_TEST

/* Cut at every length: refused or, never, loaded. */
START_TEST(refuses_every_truncation)
{
    blob whole = make_file(GOOD, GOOD_DATA);
    for (size_t size = 0; size < whole.size; size++) {
        uint8_t *bytes = rn_alloc(size ? size : 1, 1, NULL);
        memcpy(bytes, whole.bytes, size);
        rn_tensors set;
        rn_error err;
        ck_assert_int_eq(load(&set, bytes, size, &err), RN_ERR_FORMAT);
        ck_assert(err.text[0] != '\0');
        rn_tensors_release(&set);
        rn_free(bytes);
    }
    rn_free(whole.bytes);
}
END_TEST

/* Any one byte of the file set to any of these: never a crash, whatever the answer. */
START_TEST(survives_every_changed_byte)
{
    static const uint8_t change[] = {0, '0', '9', '"', '{', '[', ',', 0x7f, 0x80, 0xff};
    blob file = make_file(GOOD, GOOD_DATA);
    for (size_t i = 0; i < file.size; i++) {
        const uint8_t saved = file.bytes[i];
        for (size_t c = 0; c < sizeof change; c++) {
            rn_tensors set;
            rn_error err;
            file.bytes[i] = change[c];
            const rn_status status = load(&set, file.bytes, file.size, &err);
            ck_assert(status == RN_OK || status == RN_ERR_FORMAT);
            rn_tensors_release(&set);
        }
        file.bytes[i] = saved;
    }
    rn_free(file.bytes);
}
END_TEST

START_TEST(refuses_header_lengths)
{
    static const uint64_t length[] = {0, 1, 4097, 100000001, INT64_MAX, UINT64_MAX, UINT64_MAX - 7};
    blob file = make_file(GOOD, GOOD_DATA);
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        memcpy(file.bytes, &length[i], 8);
        rn_tensors set;
        rn_error err;
        ck_assert_int_eq(load(&set, file.bytes, file.size, &err), RN_ERR_FORMAT);
        rn_tensors_release(&set);
    }
    rn_free(file.bytes);
}
END_TEST

#define ENTRY(dtype, shape, offsets) \
    "{\"w\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define PAIR(a, b)                                                     \
    "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" a "}," \
    "\"v\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" b "}}"

static const struct {
    const char *header;
    size_t data;
    const char *says;
} hostile[] = {
    {ENTRY("\"C64\"", "[1]", "[0,8]"), 8, "tensor w: its type C64 can't be served"},
    {ENTRY("\"f32\"", "[2]", "[0,8]"), 8, "tensor w: its type f32 can't be served"},
    {ENTRY("7", "[2]", "[0,8]"), 8, "tensor w: dtype"},
    {ENTRY("\"F32\"", "2", "[0,8]"), 8, "tensor w: shape is no array"},
    {ENTRY("\"F32\"", "[-2]", "[0,8]"), 8, "tensor w: shape[0]"},
    {ENTRY("\"F32\"", "[1,2.0]", "[0,8]"), 8, "tensor w: shape[1]"},
    {ENTRY("\"F32\"", "[\"2\"]", "[0,8]"), 8, "tensor w: shape[0]"},
    {ENTRY("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0,8]"), 8, "tensor w: 9 dimensions"},
    {ENTRY("\"F32\"", "[3]", "[0,8]"), 8, "tensor w: 8 bytes of data don't fit F32 3"},
    {ENTRY("\"F32\"", "[4611686018427387904,4]", "[0,8]"), 8, "tensor w: 8 bytes"},
    {ENTRY("\"F32\"", "[4294967296,4294967296,2]", "[0,8]"), 8, "tensor w: 8 bytes"},
    {ENTRY("\"F32\"", "[4611686018427387906]", "[0,8]"), 8, "tensor w: 8 bytes"},
    {ENTRY("\"F32\"", "[99999999999999999999]", "[0,8]"), 8, "header: line 1"},
    {ENTRY("\"F32\"", "[2]", "[0,16]"), 8, "tensor w: data_offsets [0, 16)"},
    {ENTRY("\"F32\"", "[2]", "[8,0]"), 8, "tensor w: data_offsets [8, 0)"},
    {ENTRY("\"F32\"", "[2]", "[9223372036854775807,9223372036854775807]"), 8, "tensor w: data_off"},
    {ENTRY("\"F32\"", "[2]", "[0]"), 8, "tensor w: data_offsets must be two sizes"},
    {ENTRY("\"F32\"", "[2]", "[0,8,8]"), 8, "tensor w: data_offsets must be two sizes"},
    {ENTRY("\"F32\"", "[2]", "[-8,0]"), 8, "tensor w: data_offsets must be two sizes"},
    {ENTRY("\"F32\"", "[2]", "{\"a\":0,\"b\":8}"), 8, "tensor w: data_offsets must be two sizes"},
    {ENTRY("\"F32\"", "[2]", "[0,8]"), 9, "1 bytes follow the last tensor"},
    {ENTRY("\"F32\"", "[2]", "[1,9]"), 9, "tensor w: its data begins at 1, after a hole at 0"},
    {PAIR("[0,8]", "[0,8]"), 8, "inside the one that ends at 8"},
    {PAIR("[0,8]", "[4,12]"), 12, "tensor v: its data begins at 4, inside the one that ends at 8"},
    {PAIR("[0,8]", "[12,20]"), 20, "tensor v: its data begins at 12, after a hole at 8"},
    {"{\"w\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "tensor w: data_offsets"},
    {"{\"w\":[]}", 0, "tensor w: its entry is no object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: a is no string"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is no object"},
    {"{\"w\":{},\"w\":{}}", 0, "duplicate"},
    {"{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F16\"}}", 0, "duplicate"},
    {"{} {}", 0, "header: line 1"},
    {"{\"\xff\":{}}", 0, "header: line 1"},
    {"[]", 0, "neither safetensors, PyTorch nor ONNX"},
    {"  {}", 0, "neither safetensors, PyTorch nor ONNX"},
    {"{}", 8, "8 bytes follow the last tensor"},
};

START_TEST(refuses_hostile_headers)
{
    blob file = make_file(hostile[_i].header, hostile[_i].data);
    rn_tensors set;
    rn_error err;
    ck_assert_int_eq(load(&set, file.bytes, file.size, &err), RN_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, hostile[_i].says), "%s: \"%s\"", hostile[_i].header, err.text);
    rn_tensors_release(&set);
    rn_free(file.bytes);
}
END_TEST

/* Files that are named as weights and are none. */
START_TEST(says_what_a_file_is_instead)
{
    static const char *const files[][2] = {
        {"", "the file is empty"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\n", "a Git LFS pointer"},
        {"version https", "13 bytes that are neither safetensors, PyTorch nor ONNX"},
    };
    rn_tensors set;
    rn_error err;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        const char *text = files[i][0];
        ck_assert_int_eq(load(&set, (const uint8_t *)text, strlen(text), &err), RN_ERR_FORMAT);
        ck_assert_msg(strstr(err.text, files[i][1]), "%s: \"%s\"", text, err.text);
        rn_tensors_release(&set);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tcase = tcase_create("safetensors");
    tcase_add_test(tcase, loads_a_good_file);
    tcase_add_test(tcase, refuses_every_truncation);
    tcase_add_test(tcase, survives_every_changed_byte);
    tcase_add_test(tcase, refuses_header_lengths);
    tcase_add_test(tcase, says_what_a_file_is_instead);
    tcase_add_loop_test(tcase, refuses_hostile_headers, 0, sizeof hostile / sizeof *hostile);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
