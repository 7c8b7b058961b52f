/* Pictures against PIL and torchvision, see tests/reference/make_images.py: pixels, sizes, tensors.
 */
#include "ingest/image.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "ingest/image_resize.h"

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
    struct image_error error;
    struct image image;
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    const struct image_file file = {bytes, size, MAX_PIXELS, NULL};
    ck_assert_msg(image_decode(&image, &file, &error), "%s: %s", name, error.text);
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
        const rn_filter filter = word_at(records + at + 8) ? RN_BICUBIC : RN_BILINEAR;
        const struct image_part whole = {width, height, 0, 0, width, height};
        ck_assert(image_resize(&out, &image, &whole, filter));
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

/* Each implementation gives the bytes of the plain one: all small sizes, and values that overflow a
 * byte on both sides. */
START_TEST(implementations_are_equal)
{
    enum { SIDE = 23 };
    const struct image_resize_impl *plain = image_resize_impls;
    while (strcmp(plain->name, "plain") != 0) plain++;
    for (const struct image_resize_impl *impl = image_resize_impls; impl != plain; impl++)
        for (size_t i = 0; impl->available() && i < SIDE * SIDE * 2; i++) {
            const size_t side = 1 + i % SIDE, other = 1 + i / SIDE % SIDE * 3;
            const rn_filter filter = i % 2 ? RN_BICUBIC : RN_BILINEAR;
            struct image in = {side, 1 + other % 9, malloc(3 * side * (1 + other % 9))}, a, b;
            ck_assert_ptr_nonnull(in.rgb);
            for (size_t k = 0; k < 3 * in.width * in.height; k++)
                in.rgb[k] = (uint8_t)(i < SIDE * SIDE ? k * 7919 >> 3 : k / 5 % 2 * 255);
            const struct image_part part = {
                other, side, other / 5, side / 3, other - other / 5, side - side / 3};
            ck_assert(image_resize_by(plain, &a, &in, &part, filter));
            ck_assert(image_resize_by(impl, &b, &in, &part, filter));
            ck_assert_msg(memcmp(a.rgb, b.rgb, 3 * a.width * a.height) == 0,
                          "%s: %zux%zu to %zux%zu", impl->name, in.width, in.height, other, side);
            image_free(&in);
            image_free(&a);
            image_free(&b);
        }
}
END_TEST

/* Any part is what the whole has there. */
START_TEST(parts_are_cut_from_the_whole)
{
    struct image image = decode("color-444.jpg");
    for (rn_filter filter = RN_BILINEAR; filter <= RN_BICUBIC; filter++)
        for (size_t width = 5; width < 130; width += 31)
            for (size_t height = 4; height < 100; height += 43) {
                const struct image_part all = {width, height, 0, 0, width, height};
                const struct image_part some = {width,      height,        width / 3,
                                                height / 4, width / 2 + 1, height / 2};
                struct image whole, part;
                ck_assert(image_resize(&whole, &image, &all, filter));
                ck_assert(image_resize(&part, &image, &some, filter));
                for (size_t y = 0; y < part.height; y++)
                    ck_assert_mem_eq(part.rgb + 3 * y * part.width,
                                     whole.rgb + 3 * ((some.top + y) * width + some.left),
                                     3 * part.width);
                image_free(&whole);
                image_free(&part);
            }
    image_free(&image);
}
END_TEST

static void check_tensor(const struct image *image, const struct image_recipe *recipe,
                         const uint8_t *want, const char *name)
{
    const size_t count = recipe->channels * recipe->height * recipe->width;
    float *got = malloc(count * sizeof *got), expected;
    ck_assert_ptr_nonnull(got);
    ck_assert(image_tensor(image, recipe, got));
    for (size_t i = 0; i < count; i++) {
        memcpy(&expected, want + i * sizeof expected, sizeof expected);
        ck_assert_msg(fabsf(got[i] - expected) < 1e-6f, "%s: %zu: %g, want %g", name, i,
                      (double)got[i], (double)expected);
    }
    free(got);
}

#define IMAGENET               \
    {0.485f, 0.456f, 0.406f},  \
    {                          \
        0.229f, 0.224f, 0.225f \
    }

START_TEST(tensors_are_those_of_torchvision)
{
    const struct image_recipe recipe = {3, 32, 32, {RN_FIT_COVER, 40, 40, RN_BILINEAR, IMAGENET}};
    size_t size;
    uint8_t *want = read_file("tensor.bin", &size);
    struct image image = decode("color-444.jpg");
    ck_assert_uint_eq(size, 3 * 32 * 32 * sizeof(float));
    check_tensor(&image, &recipe, want, "Resize(40), CenterCrop(32)");
    image_free(&image);
    free(want);
}
END_TEST

START_TEST(tensors_are_those_of_timm)
{
    size_t size, cases = 0;
    uint8_t *records = read_file("recipes.bin", &size);
    struct image image = decode("color-444.jpg");
    for (size_t at = 0; at < size; cases++) {
        const uint8_t *r = records + at;
        const struct image_recipe recipe = {
            word_at(r + 16),
            word_at(r + 20),
            word_at(r + 24),
            {word_at(r), word_at(r + 4), word_at(r + 8), word_at(r + 12), IMAGENET}};
        char name[40];
        snprintf(name, sizeof name, "recipe %zu", cases);
        check_tensor(&image, &recipe, r + 28, name);
        at += 28 + recipe.channels * recipe.height * recipe.width * sizeof(float);
    }
    ck_assert_uint_eq(cases, 17);
    image_free(&image);
    free(records);
}
END_TEST

/* Pictures as narrow as they come: nothing grows with the longer side. */
START_TEST(narrow_pictures_cost_no_memory)
{
    const struct image_recipe cover = {3, 32, 32, {RN_FIT_COVER, 36, 36, RN_BICUBIC, IMAGENET}};
    struct image_recipe stretch = cover, inside = cover;
    float chw[3 * 32 * 32];
    struct image image = {1, IMAGE_MAX_SIDE, calloc(IMAGE_MAX_SIDE, 3)};
    ck_assert_ptr_nonnull(image.rgb);
    stretch.how.fit = RN_FIT_STRETCH;
    inside.how.fit = RN_FIT_INSIDE;
    for (size_t turn = 0; turn < 2; turn++) {
        ck_assert(image_tensor(&image, &cover, chw));
        ck_assert(image_tensor(&image, &stretch, chw));
        ck_assert(image_tensor(&image, &inside, chw));
        ck_assert(fabsf(chw[0]) < 0.05f); // the mean beside it
        image.width = IMAGE_MAX_SIDE, image.height = 1;
    }
    image_free(&image);
}
END_TEST

/* Files that are cut or damaged anywhere are refused or read, and nothing else happens. */
static void damage(const char *name)
{
    struct image_error error;
    struct image image;
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    const struct image_file whole = {bytes, size, MAX_PIXELS, NULL};
    struct image_file file = whole;
    for (size_t cut = 0; cut < size; cut += 1 + size / 60) {
        file.size = cut;
        if (image_decode(&image, &file, &error)) {
            ck_assert_msg(cut + 20 > size, "%s: taken with %zu of %zu bytes", name, cut, size);
            image_free(&image);
        }
    }
    for (size_t at = 0; at < size; at += 1 + size / 200) {
        bytes[at] ^= (uint8_t)(1 + at % 255);
        if (image_decode(&image, &whole, &error)) image_free(&image);
        bytes[at] ^= (uint8_t)(1 + at % 255);
    }
    file = (struct image_file){bytes, size, 61 * 47 - 1, NULL};
    ck_assert(!image_decode(&image, &file, &error));
    ck_assert_int_eq(error.problem, IMAGE_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(error.text, "pixels, --max-image-pixels allows 2866"));
    free(bytes);
}

START_TEST(damaged_files_are_refused)
{
    const struct image_file gif = {"GIF89a", 6, MAX_PIXELS, NULL}, none = {"", 0, MAX_PIXELS, NULL};
    struct image_error error;
    struct image image;
    ck_assert_uint_ge(each_picture(damage), 30);
    ck_assert(!image_decode(&image, &gif, &error));
    ck_assert_int_eq(error.problem, IMAGE_DAMAGED);
    ck_assert(!image_decode(&image, &none, &error));
}
END_TEST

/* Whatever kind it is, it is not decoded for nobody. */
static void decode_cancelled(const char *name)
{
    atomic_bool cancelled = true;
    struct image_error error;
    struct image image;
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    const struct image_file file = {bytes, size, MAX_PIXELS, &cancelled};
    ck_assert_msg(!image_decode(&image, &file, &error), "%s was decoded", name);
    ck_assert_msg(error.problem == IMAGE_CANCELLED, "%s: %s", name, error.text);
    atomic_store(&cancelled, false);
    ck_assert(image_decode(&image, &file, &error));
    image_free(&image);
    free(bytes);
}

START_TEST(nothing_is_decoded_for_nobody)
{
    ck_assert_uint_ge(each_picture(decode_cancelled), 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("images");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, pixels_are_those_of_pil);
    tcase_add_test(tests, sizes_are_those_of_pil);
    tcase_add_test(tests, implementations_are_equal);
    tcase_add_test(tests, parts_are_cut_from_the_whole);
    tcase_add_test(tests, tensors_are_those_of_torchvision);
    tcase_add_test(tests, tensors_are_those_of_timm);
    tcase_add_test(tests, narrow_pictures_cost_no_memory);
    tcase_add_test(tests, damaged_files_are_refused);
    tcase_add_test(tests, nothing_is_decoded_for_nobody);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
