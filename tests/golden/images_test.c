/* Pictures against PIL and torchvision, see tests/reference/make_images.py: pixels, sizes, tensors.
 */
#include "ingest/image.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"

#define FOLDER "tests/golden/images/"

enum { MOST = 1 << 20, MAX_PIXELS = 100000 };

static uint8_t *read_file(const char *name, size_t *size)
{
    char path[300];
    snprintf(path, sizeof path, FOLDER "%s", name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s can't be opened", path);
    uint8_t *bytes = malloc(MOST);
    ck_assert_ptr_nonnull(bytes);
    *size = fread(bytes, 1, MOST, file);
    fclose(file);
    uint8_t *exact = realloc(bytes, *size ? *size : 1); // the sanitizer sees its end
    ck_assert_ptr_nonnull(exact);
    return exact;
}

static struct image decode(const char *name)
{
    char error[IMAGE_ERROR_SIZE];
    struct image image;
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    ck_assert_msg(image_decode(&image, bytes, size, MAX_PIXELS, error), "%s: %s", name, error);
    free(bytes);
    return image;
}

static uint32_t word_at(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static int largest_difference(const uint8_t *a, const uint8_t *b, size_t size)
{
    int most = 0;
    for (size_t i = 0; i < size; i++) most = abs(a[i] - b[i]) > most ? abs(a[i] - b[i]) : most;
    return most;
}

static void check_pixels(const char *name)
{
    char expected[300];
    size_t size;
    snprintf(expected, sizeof expected, "%s", name);
    *strchr(expected, '.') = '-';
    strncat(expected, ".rgb", sizeof expected - strlen(expected) - 1);
    uint8_t *want = read_file(expected, &size);
    struct image image = decode(name);
    ck_assert_msg(image.width == word_at(want) && image.height == word_at(want + 4), "%s: %zux%zu",
                  name, image.width, image.height);
    const int difference = largest_difference(image.rgb, want + 8, size - 8);
    ck_assert_msg(difference == 0, "%s: differs by %d", name, difference);
    image_free(&image);
    free(want);
}

/* Calls check for each picture; returns how many there are. */
static size_t each_picture(void (*check)(const char *name))
{
    DIR *folder = opendir(FOLDER);
    ck_assert_ptr_nonnull(folder);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (!strstr(entry->d_name, ".jpg") && !strstr(entry->d_name, ".png")) continue;
        check(entry->d_name);
        count++;
    }
    closedir(folder);
    return count;
}

START_TEST(pixels_are_those_of_pil)
{
    ck_assert_uint_ge(each_picture(check_pixels), 30);
}
END_TEST

START_TEST(sizes_are_those_of_pil)
{
    size_t size, cases = 0;
    uint8_t *records = read_file("resize.bin", &size);
    struct image image = decode("color-444.jpg");
    for (size_t at = 0; at < size; cases++) {
        struct image out;
        const size_t width = word_at(records + at), height = word_at(records + at + 4);
        const enum image_filter filter = word_at(records + at + 8) ? IMAGE_BICUBIC : IMAGE_BILINEAR;
        ck_assert(image_resize(&out, &image, width, height, filter));
        const int difference = largest_difference(out.rgb, records + at + 12, 3 * width * height);
        ck_assert_msg(difference == 0, "%zux%zu, filter %d: differs by %d", width, height, filter,
                      difference);
        image_free(&out);
        at += 12 + 3 * width * height;
    }
    ck_assert_uint_eq(cases, 20);
    image_free(&image);
    free(records);
}
END_TEST

START_TEST(tensors_are_those_of_torchvision)
{
    enum { SIDE = 32, COUNT = 3 * SIDE * SIDE };
    const struct image_recipe recipe = {.resize = 40,
                                        .width = SIDE,
                                        .height = SIDE,
                                        .channels = 3,
                                        .mean = {0.485f, 0.456f, 0.406f},
                                        .std = {0.229f, 0.224f, 0.225f}};
    float got[COUNT], want[COUNT];
    size_t size;
    uint8_t *bytes = read_file("tensor.bin", &size);
    ck_assert_uint_eq(size, sizeof want);
    memcpy(want, bytes, sizeof want);
    free(bytes);
    struct image image = decode("color-444.jpg");
    ck_assert(image_tensor(&image, &recipe, got));
    for (size_t i = 0; i < COUNT; i++)
        ck_assert_msg(fabsf(got[i] - want[i]) < 1e-6f, "%zu: %g, want %g", i, (double)got[i],
                      (double)want[i]);
    image_free(&image);
}
END_TEST

/* Files that are cut or damaged anywhere are refused or read, and nothing else happens. */
static void damage(const char *name)
{
    char error[IMAGE_ERROR_SIZE];
    struct image image;
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    for (size_t cut = 0; cut < size; cut += 1 + size / 60)
        if (image_decode(&image, bytes, cut, MAX_PIXELS, error)) {
            ck_assert_msg(cut + 20 > size, "%s: taken with %zu of %zu bytes", name, cut, size);
            image_free(&image);
        }
    for (size_t at = 0; at < size; at += 1 + size / 200) {
        bytes[at] ^= (uint8_t)(1 + at % 255);
        if (image_decode(&image, bytes, size, MAX_PIXELS, error)) image_free(&image);
        bytes[at] ^= (uint8_t)(1 + at % 255);
    }
    ck_assert(!image_decode(&image, bytes, size, 61 * 47 - 1, error));
    ck_assert_ptr_nonnull(strstr(error, "are more than 2866"));
    free(bytes);
}

START_TEST(damaged_files_are_refused)
{
    char error[IMAGE_ERROR_SIZE];
    struct image image;
    ck_assert_uint_ge(each_picture(damage), 30);
    ck_assert(!image_decode(&image, "GIF89a", 6, MAX_PIXELS, error));
    ck_assert(!image_decode(&image, "", 0, MAX_PIXELS, error));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("images");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, pixels_are_those_of_pil);
    tcase_add_test(tests, sizes_are_those_of_pil);
    tcase_add_test(tests, tensors_are_those_of_torchvision);
    tcase_add_test(tests, damaged_files_are_refused);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
