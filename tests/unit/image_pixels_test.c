/* The size of a picture by its header: that of every kind of file, whole or cut off. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/image.h"

#include "check_main.h"

enum { PIXELS = 61 * 47, MOST = 100000 };

/* In memory of exactly its size. */
static size_t pixels_of(const unsigned char *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, size);
    const size_t pixels = image_pixels(copy, size);
    free(copy);
    return pixels;
}

static void check_file(const char *path)
{
    static unsigned char bytes[MOST];
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    const size_t size = fread(bytes, 1, MOST, file);
    fclose(file);
    ck_assert_uint_lt(size, MOST);
    ck_assert_msg(pixels_of(bytes, size) == PIXELS, "%s: %zu", path, pixels_of(bytes, size));
    bool told = false;
    for (size_t cut = 0; cut < size && !told; cut++) {
        const size_t pixels = pixels_of(bytes, cut);
        told = pixels == PIXELS;
        ck_assert_msg(told || pixels == 0, "%s, %zu bytes: %zu", path, cut, pixels);
    }
    ck_assert(told);
}

START_TEST(files)
{
    static const char *const kinds[] = {"tests/golden/images/*.jpg", "tests/golden/images/*.png"};
    glob_t list = {0};
    for (size_t i = 0; i < 2; i++)
        ck_assert_int_eq(glob(kinds[i], i ? GLOB_APPEND : 0, NULL, &list), 0);
    ck_assert_uint_ge(list.gl_pathc, 20);
    for (size_t i = 0; i < list.gl_pathc; i++) check_file(list.gl_pathv[i]);
    globfree(&list);
}
END_TEST

#define JPEG                   \
    "\xff\xd8\xff\xe0\x00\x04" \
    "ab"
static const struct {
    const char *bytes;
    size_t size, pixels;
} headers[] = {
    {"", 0, 0},
    {"\xff\xd8\xff", 3, 0},
    {JPEG "\xff\xc0\x00\x0b\x08\x00\x02\x00\x03\x01", 18, 6},
    {JPEG "\xff\xff\xff\xc2\x00\x0b\x08\x01\x00\x00\x03\x01", 20, 768},
    {JPEG "junk\xff\x00\xff\xd0\xff\xc1\x00\x0b\x08\x00\x02\x00\x03\x01", 26, 6},
    {JPEG "\xff\xc4\x00\x02\xff\xc0\x00\x0b\x08\x00\x02\x00\x03\x01", 22, 6},
    {JPEG "\xff\xe1\xff\xff\xff\xc0\x00\x0b\x08\x00\x02\x00\x03\x01", 22, 0},
    {"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\1\0\0\0\0\2", 24, 512},
    {"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\1\0\0\0\0", 23, 0},
    {"GIF89a\2\0\2\0", 10, 0},
};

START_TEST(bytes)
{
    const unsigned char *at = (const unsigned char *)headers[_i].bytes;
    ck_assert_uint_eq(pixels_of(at, headers[_i].size), headers[_i].pixels);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_pixels");
    TCase *tests = tcase_create("image_pixels");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, files);
    tcase_add_loop_test(tests, bytes, 0, sizeof headers / sizeof *headers);
    return run_suite(suite);
}
