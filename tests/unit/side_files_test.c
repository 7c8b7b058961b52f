/* Weights in several files: shards behind an index, and the external data of ONNX models. What a
 * file says about another is never believed. */
#include "check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/format.h"
#include "onnx_builder.h"

#define NUMBERS 12 /* floats in data.bin: 1, 2, 3, ... */

#define INNER "{\"a\":1, \"weight_map\":{}}" /* an index that an index names */

static char folder[64];
static rn_error fault;
static rn_tensors set;
static rn_graph graph;

static void write_bytes(const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

/* One tensor of one float. */
static void write_shard(const char *file, const char *name, float value)
{
    uint8_t bytes[256];
    const int header =
        snprintf((char *)bytes + 8, sizeof bytes - 8,
                 "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", name);
    const uint64_t length = (uint64_t)header;
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + 8 + header, &value, sizeof value);
    write_bytes(file, bytes, 8 + (size_t)header + sizeof value);
}

static void setup(void)
{
    float numbers[NUMBERS];
    char path[128];
    for (size_t i = 0; i < NUMBERS; i++) numbers[i] = (float)(i + 1);
    snprintf(folder, sizeof folder, "/tmp/resnetd-side-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sub", folder);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    write_bytes("data.bin", numbers, sizeof numbers);
    write_bytes("sub/data.bin", numbers, sizeof numbers);
    write_shard("1.safetensors", "a", 1);
    write_shard("2.safetensors", "b", 2);
    write_bytes("text", "no tensors", 10);
    write_bytes("index", INNER, sizeof INNER - 1);
}

static void teardown(void)
{
    static const char *const names[] = {"sub/data.bin",  "sub",  "data.bin", "1.safetensors",
                                        "2.safetensors", "text", "index"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        ck_assert_int_eq(remove(path), 0);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

static rn_status load(const void *bytes, size_t size, const char *where)
{
    rn_file file = {.bytes = bytes, .size = size};
    fault = (rn_error){0};
    set = (rn_tensors){0};
    rn_graph_init(&graph);
    return rn_format_load(&set, &graph, &file, &(rn_format_options){.folder = where}, &fault);
}

static void unload(void)
{
    rn_graph_release(&graph);
    rn_tensors_release(&set);
}

static float first_float(const char *name)
{
    rn_tensor *tensor = rn_tensors_find(&set, name);
    ck_assert_ptr_nonnull(tensor);
    return *rn_tensor_floats(tensor, &fault);
}

/* ---- shards ---------------------------------------------------------------------------------- */

#define INDEX(map) "{\"metadata\": {\"total_size\": 8}, \"weight_map\": " map "}"

START_TEST(shards_become_one_set)
{
    static const char index[] = INDEX("{\"b\": \"2.safetensors\", \"a\": \"1.safetensors\"}");
    ck_assert_msg(load(index, sizeof index - 1, folder) == RN_OK, "%s", fault.text);
    ck_assert_str_eq(set.format, "shards");
    ck_assert_uint_eq(set.count, 2);
    ck_assert_uint_eq(set.sides, 2);
    ck_assert(first_float("a") == 1 && first_float("b") == 2);
    unload();
}
END_TEST

static const struct {
    const char *index, *says;
} bad_index[] = {
    {INDEX("[]"), "weight_map: want an object"},
    {INDEX("{\"a\": 1}"), "weight_map: a: want a file's name"},
    {INDEX("{\"a\": \"\"}"), "file : not a path beneath the model's folder"},
    {INDEX("{\"a\": \"/etc/passwd\"}"), "file /etc/passwd: not a path beneath"},
    {INDEX("{\"a\": \"../1.safetensors\"}"), "file ../1.safetensors: not a path beneath"},
    {INDEX("{\"a\": \"sub/../1.safetensors\"}"), "not a path beneath"},
    {INDEX("{\"a\": \"sub/..\"}"), "not a path beneath"},
    {INDEX("{\"a\": \"sub//data.bin\"}"), "not a path beneath"},
    {INDEX("{\"a\": \"sub\"}"), "not a regular file"},
    {INDEX("{\"a\": \"3.safetensors\"}"), "3.safetensors: No such file"},
    {INDEX("{\"a\": \"text\"}"), "text: 10 bytes of no format of tensors"},
    {INDEX("{\"a\": \"index\"}"), "index: 24 bytes of no format of tensors"},
    {INDEX("{\"b\": \"1.safetensors\"}"),
     "1.safetensors: tensor a is in 1.safetensors, weight_map says nothing of it"},
    {INDEX("{\"a\": \"2.safetensors\", \"b\": \"1.safetensors\"}"),
     "tensor b is in 2.safetensors, weight_map says 1.safetensors"},
    {INDEX("{\"a\": \"1.safetensors\", \"c\": \"1.safetensors\"}"),
     "tensor c isn't in 1.safetensors"},
    {INDEX("{\"a\": \"1.safetensors\""), "index: line 1"},
};

START_TEST(refuses_an_index)
{
    const rn_status status = load(bad_index[_i].index, strlen(bad_index[_i].index), folder);
    ck_assert(status == RN_ERR_FORMAT || status == RN_ERR_IO);
    ck_assert_msg(strstr(fault.text, bad_index[_i].says), "'%s' not in '%s'", bad_index[_i].says,
                  fault.text);
    unload();
}
END_TEST

START_TEST(memory_has_no_files_beside_it)
{
    static const char index[] = INDEX("{\"a\": \"1.safetensors\"}");
    ck_assert_int_eq(load(index, sizeof index - 1, NULL), RN_ERR_FORMAT);
    ck_assert_str_eq(fault.text, "file 1.safetensors: a model in memory has no files beside it");
    unload();
}
END_TEST

/* ---- ONNX ------------------------------------------------------------------------------------ */

#define MODEL(external) "input x N,2,3,3;output y;external w " external ";Conv x w > y"

static const struct {
    const char *external;
    float first;
} good[] = {
    {"3,2,1,1 location data.bin offset 8 length 24", 3},
    {"3,2,1,1 location ./data.bin length 24", 1},
    {"3,2,1,1 location sub/data.bin offset 24 checksum 00", 7},
    {"6,2,1,1 location data.bin", 1},
    {"2,2,1,1 location data.bin offset 0 length 16", 1},
};

START_TEST(external_data_is_found)
{
    char text[256];
    size_t size;
    snprintf(text, sizeof text, MODEL("%s"), good[_i].external);
    uint8_t *bytes = onnx_build(13, text, &size);
    ck_assert_msg(load(bytes, size, folder) == RN_OK, "%s", fault.text);
    ck_assert(first_float("w") == good[_i].first);
    ck_assert_uint_eq(set.sides, 1);
    ck_assert_uint_eq(rn_tensors_bytes(&set), size + NUMBERS * sizeof(float));
    unload();
    free(bytes);
}
END_TEST

static const struct {
    const char *external, *says;
} bad[] = {
    {"3,2,1,1", "tensor w: its data is in another file that it doesn't name"},
    {"3,2,1,1 offset 0", "tensor w: its data is in another file that it doesn't name"},
    {"3,2,1,1 location ../data.bin", "tensor w: file ../data.bin: not a path beneath"},
    {"3,2,1,1 location /data.bin", "tensor w: file /data.bin: not a path beneath"},
    {"3,2,1,1 location none", "none: No such file"},
    {"3,2,1,1 location sub", "not a regular file"},
    {"3,2,1,1 location data.bin offset -4", "its external_data: offset is -4"},
    {"3,2,1,1 location data.bin length 1e3", "its external_data: length is 1e3"},
    {"3,2,1,1 location data.bin offset 9999999999999999999", "external_data: offset is 99999"},
    {"3,2,1,1 location data.bin offset 999999999999999999",
     "tensor w: 0 bytes at byte 999999999999999999 of data.bin, which has 48"},
    {"3,2,1,1 location data.bin offset 25 length 24", "24 bytes at byte 25 of data.bin, which has"},
    {"3,2,1,1 location data.bin offset 0 length 999999999999999999", "bytes at byte 0 of data.bin"},
    {"3,2,1,1 location data.bin offset 28 length 20", "tensor w: 20 bytes for a shape of 6 elem"},
    {"3,2,1,1 location data.bin offset 26", "tensor w: 22 bytes for a shape of 6 elements"},
    {"3,2,1,1 location data.bin offset 48", "tensor w: 0 numbers for a shape of 6 elements"},
};

START_TEST(refuses_external_data)
{
    char text[256];
    size_t size;
    snprintf(text, sizeof text, MODEL("%s"), bad[_i].external);
    uint8_t *bytes = onnx_build(13, text, &size);
    ck_assert(load(bytes, size, folder) != RN_OK);
    ck_assert_msg(strstr(fault.text, bad[_i].says), "'%s' not in '%s'", bad[_i].says, fault.text);
    unload();
    free(bytes);
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof(array)[0])

int main(void)
{
    Suite *suite = suite_create("side files");
    TCase *tests = tcase_create("side files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, shards_become_one_set);
    tcase_add_loop_test(tests, refuses_an_index, 0, COUNT(bad_index));
    tcase_add_test(tests, memory_has_no_files_beside_it);
    tcase_add_loop_test(tests, external_data_is_found, 0, COUNT(good));
    tcase_add_loop_test(tests, refuses_external_data, 0, COUNT(bad));
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
