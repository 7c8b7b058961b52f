/* .npy headers, good ones as NumPy writes them and broken ones. */
#include "ingest/npy.h"

#include <stdlib.h>
#include <string.h>

#include "check_main.h"

/* Reads a file of that version, header text and `bytes` of data, from memory of exactly its size.
 */
static const char *read_file(struct npy *npy, int version, const char *header, const void *data,
                             size_t bytes)
{
    static uint8_t *file; /* lives until the next call: npy->data points into it */
    const size_t length = strlen(header), fixed = version == 1 ? 10 : 12;
    free(file);
    file = calloc(1, fixed + length + bytes);
    ck_assert_ptr_nonnull(file);
    memcpy(file, NPY_MAGIC, 6);
    file[6] = (uint8_t)version;
    file[8] = (uint8_t)length;
    memcpy(file + fixed, header, length);
    if (bytes) memcpy(file + fixed + length, data, bytes);
    return npy_read(npy, file, fixed + length + bytes);
}

#define HEADER(descr, order, shape) \
    "{'descr': '" descr "', 'fortran_order': " order ", 'shape': " shape ", }   \n"

START_TEST(floats_of_each_version)
{
    const float data[6] = {1, -2, 3.5f, 4, 5, 6};
    float out[6];
    struct npy npy;
    for (int version = 1; version <= 3; version++) {
        ck_assert_ptr_null(
            read_file(&npy, version, HEADER("<f4", "False", "(2, 3)"), data, sizeof data));
        ck_assert_uint_eq(npy.rank, 2);
        ck_assert_uint_eq(npy.shape[0], 2);
        ck_assert_uint_eq(npy.shape[1], 3);
        npy_floats(&npy, out);
        ck_assert_mem_eq(out, data, sizeof data);
    }
}
END_TEST

START_TEST(doubles_and_bytes_become_floats)
{
    const double wide[2] = {0.1, -1e30};
    const uint8_t narrow[3] = {0, 7, 255};
    float out[3];
    struct npy npy;
    ck_assert_ptr_null(read_file(&npy, 1, HEADER("<f8", "False", "(2,)"), wide, sizeof wide));
    npy_floats(&npy, out);
    ck_assert(out[0] == 0.1f && out[1] == -1e30f);
    ck_assert_ptr_null(read_file(&npy, 1, HEADER("|u1", "False", "(3,)"), narrow, sizeof narrow));
    npy_floats(&npy, out);
    ck_assert(out[0] == 0 && out[1] == 7 && out[2] == 255);
}
END_TEST

START_TEST(a_scalar_has_one_element)
{
    const float one = 42;
    struct npy npy;
    ck_assert_ptr_null(read_file(&npy, 1, HEADER("<f4", "False", "()"), &one, sizeof one));
    ck_assert_uint_eq(npy.rank, 0);
    ck_assert_uint_eq(npy.count, 1);
}
END_TEST

static const struct {
    const char *header, *wrong;
} broken[] = {
    {HEADER(">f4", "False", "(1,)"), "descr must be '<f4', '<f8' or '|u1'"},
    {HEADER("<f42", "False", "(1,)"), "descr is no type that is known"},
    {HEADER("<f4", "True", "(1,)"), "only C order (fortran_order False) is read"},
    {HEADER("<f4", "False", "(2,)"), "shape and size of the data don't agree"},
    {HEADER("<f4", "False", "(1, -1)"), "shape must hold whole numbers"},
    {HEADER("<f4", "False", "(1 1)"), "shape must hold whole numbers"},
    {HEADER("<f4", "False", "(4294967296, 4294967296)"), "shape is too large"},
    {HEADER("<f4", "False", "(99999999999999999999,)"), "shape must hold whole numbers"},
    {HEADER("<f4", "False", "(4611686018427387905,)"), "shape and size of the data don't agree"},
    {HEADER("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), "shape has more than 8 dimensions"},
    {HEADER("<f4", "False", "1"), "shape must be a tuple"},
    {HEADER("<f4", "False", "(1,"), "shape must hold whole numbers"},
    {"{'descr': '<f4'}", "the header needs descr, fortran_order and shape"},
    {"{'descr': '<f4', 'x': 1}", "the header has an unknown key"},
    {"{'descr': '<f4'", "the header has an unknown key"},
    {"{'descr': ", "descr must be '<f4', '<f8' or '|u1'"},
    {"[]", "the header is no dict"},
    {"", "the header is no dict"},
};

START_TEST(broken_headers_are_named)
{
    const float data[1] = {0};
    struct npy npy;
    ck_assert_pstr_eq(read_file(&npy, 1, broken[_i].header, data, sizeof data), broken[_i].wrong);
}
END_TEST

START_TEST(cut_files_are_refused)
{
    const float data[2] = {1, 2};
    struct npy npy;
    const char *header = HEADER("<f4", "False", "(2,)");
    ck_assert_ptr_null(read_file(&npy, 1, header, data, sizeof data));
    const uint8_t *file = npy.data - strlen(header) - 10;
    const size_t size = 10 + strlen(header) + sizeof data;
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *part = malloc(cut ? cut : 1);
        memcpy(part, file, cut);
        ck_assert_ptr_nonnull(npy_read(&npy, part, cut));
        free(part);
    }
}
END_TEST

START_TEST(unknown_versions_are_refused)
{
    struct npy npy;
    ck_assert_pstr_eq(read_file(&npy, 4, "{}", NULL, 0), "unknown .npy version");
    ck_assert_pstr_eq(read_file(&npy, 0, "{}", NULL, 0), "unknown .npy version");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("npy");
    TCase *tcase = tcase_create("npy");
    tcase_add_test(tcase, floats_of_each_version);
    tcase_add_test(tcase, doubles_and_bytes_become_floats);
    tcase_add_test(tcase, a_scalar_has_one_element);
    tcase_add_loop_test(tcase, broken_headers_are_named, 0, sizeof broken / sizeof *broken);
    tcase_add_test(tcase, cut_files_are_refused);
    tcase_add_test(tcase, unknown_versions_are_refused);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
