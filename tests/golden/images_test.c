/* Pictures against PIL and torchvision, see tests/reference/make_images.py: pixels, sizes, tensors.
 */
#include "ingest/image.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_main.h"
#include "ingest/image_scale.h"

#define FOLDER "tests/golden/images/"

enum { MOST = 1 << 20, MAX_PIXELS = 100000, TINY = 5 };

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

/* channels x height x width floats; the caller's */
static float *tensor_of(const char *name, const struct image_recipe *recipe)
{
    struct image_error error;
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    const struct image_file file = {bytes, size, MAX_PIXELS, SIZE_MAX, NULL};
    float *chw = malloc(recipe->channels * recipe->height * recipe->width * sizeof *chw);
    ck_assert_ptr_nonnull(chw);
    ck_assert_msg(image_read(&file, recipe, chw, &error), "%s: %s", name, error.text);
    free(bytes);
    return chw;
}

static uint32_t word_at(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* The picture in that size, or its middle, as bytes: no normalisation, so none is lost. */
static struct image_recipe bytes_recipe(rn_fit fit, size_t width, size_t height, rn_filter filter)
{
    return (struct image_recipe){3,
                                 height,
                                 width,
                                 {.fit = fit,
                                  .height = height,
                                  .width = width,
                                  .filter = filter,
                                  .std = {1, 1, 1},
                                  .orient = true}};
}

static void check_bytes(const char *name, const struct image_recipe *recipe, const uint8_t *want)
{
    const size_t area = recipe->height * recipe->width;
    float *chw = tensor_of(name, recipe);
    for (size_t i = 0; i < 3 * area; i++) {
        const long got = lrintf(255 * chw[i % 3 * area + i / 3]);
        ck_assert_msg(got == want[i], "%s in %zux%zu, fit %d, filter %d: byte %zu is %ld, not %d",
                      name, recipe->width, recipe->height, recipe->how.fit, recipe->how.filter, i,
                      got, want[i]);
    }
    free(chw);
}

static void check_pixels(const char *name)
{
    char expected[300];
    size_t size;
    snprintf(expected, sizeof expected, "%s", name);
    *strchr(expected, '.') = '-';
    strncat(expected, ".rgb", sizeof expected - strlen(expected) - 1);
    uint8_t *want = read_file(expected, &size);
    const struct image_recipe whole =
        bytes_recipe(RN_FIT_NONE, word_at(want), word_at(want + 4), RN_BILINEAR);
    ck_assert_uint_eq(size, 8 + 3 * whole.width * whole.height);
    check_bytes(name, &whole, want + 8);
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
    ck_assert_uint_ge(each_picture(check_pixels), 50);
}
END_TEST

/* Interlaced files of each small size: some of the seven passes are empty. */
START_TEST(tiny_pictures_are_those_of_pil)
{
    size_t size, cases = 0;
    uint8_t *records = read_file("tiny.bin", &size);
    for (size_t at = 0; at < size; cases++) {
        const uint8_t *r = records + at, *want = r + 12 + word_at(r + 8);
        const struct image_recipe whole =
            bytes_recipe(RN_FIT_NONE, word_at(r), word_at(r + 4), RN_NEAREST);
        const size_t area = whole.width * whole.height;
        const struct image_file file = {r + 12, word_at(r + 8), MAX_PIXELS, SIZE_MAX, NULL};
        struct image_error error;
        float chw[3 * 9 * 9];
        ck_assert_msg(image_read(&file, &whole, chw, &error), "%s", error.text);
        for (size_t i = 0; i < 3 * area; i++)
            ck_assert_int_eq(lrintf(255 * chw[i % 3 * area + i / 3]), want[i]);
        at = (size_t)(want - records) + 3 * area;
    }
    ck_assert_uint_eq(cases, 81);
    free(records);
}
END_TEST

/* All of one form hold the same pixels. */
static void check_lying(const char *name, const struct image_recipe *recipe)
{
    const char *plain = strstr(name, ".png") ? "oriented/exif-checksum.png" : "oriented/zero.jpg";
    const size_t count = 3 * recipe->height * recipe->width;
    float *got = tensor_of(name, recipe), *want = tensor_of(plain, recipe);
    for (size_t i = 0; i < count; i++) ck_assert_msg(got[i] == want[i], "%s was turned", name);
    free(got);
    free(want);
}

/* Wherever a file notes how it lies; and as it lies, where that is not asked for. */
START_TEST(pictures_are_turned_upright)
{
    size_t size, cases = 0;
    uint8_t *records = read_file("oriented.bin", &size);
    for (size_t at = 0; at < size; cases++) {
        const uint8_t *r = records + at;
        struct image_recipe recipe =
            bytes_recipe(RN_FIT_NONE, word_at(r + 32), word_at(r + 36), RN_NEAREST);
        check_bytes((const char *)r, &recipe, r + 40);
        recipe = bytes_recipe(RN_FIT_NONE, 16, 8, RN_NEAREST);
        recipe.how.orient = false;
        check_lying((const char *)r, &recipe);
        at += 40 + 3 * 16 * 8;
    }
    ck_assert_uint_eq(cases, 35);
    free(records);
}
END_TEST

START_TEST(sizes_are_those_of_pil)
{
    size_t size, cases = 0;
    uint8_t *records = read_file("resize.bin", &size);
    for (size_t at = 0; at < size; cases++) {
        const uint8_t *r = records + at;
        const struct image_recipe recipe =
            bytes_recipe(RN_FIT_STRETCH, word_at(r), word_at(r + 4), word_at(r + 8));
        check_bytes("color-444.jpg", &recipe, r + 12);
        at += 12 + 3 * recipe.width * recipe.height;
    }
    ck_assert_uint_eq(cases, 60);
    free(records);
}
END_TEST

/* Files of which only a part is decoded: each way of sampling, of coding and of lying. */
START_TEST(parts_are_those_of_pil)
{
    size_t size, cases = 0;
    uint8_t *records = read_file("parts.bin", &size);
    for (size_t at = 0; at < size; cases++) {
        const uint8_t *r = records + at;
        const char *name = (const char *)r;
        struct image_recipe recipe =
            bytes_recipe(word_at(r + 32), word_at(r + 36), word_at(r + 40), word_at(r + 44));
        recipe.how.width = recipe.how.height = word_at(r + 48);
        check_bytes(name, &recipe, r + 52);
        at += 52 + 3 * recipe.width * recipe.height;
    }
    ck_assert_uint_eq(cases, 48);
    free(records);
}
END_TEST

/* ---- the scaler alone ------------------------------------------------------------------------ */

enum { SIDE = 23, FILTERS = RN_HAMMING + 1 };

/* rgb: the rows as they lie in the file. The caller's. */
static uint8_t *scale(const struct image_scaling *how, const uint8_t *rgb)
{
    struct image_scaler scaler;
    ck_assert(image_scaler_init(&scaler, how) && image_scaler_start(&scaler));
    const struct image_area *area = &scaler.area;
    ck_assert_uint_le(area->left + area->width, how->width);
    ck_assert_uint_le(area->top + area->height, how->height);
    for (size_t y = area->top; y < area->top + area->height; y++) {
        uint8_t *row = malloc(3 * area->width); // the sanitizer sees its end
        ck_assert_ptr_nonnull(row);
        memcpy(row, rgb + 3 * (y * how->width + area->left), 3 * area->width);
        image_scaler_row(&scaler, row);
        free(row);
    }
    ck_assert(image_scaler_finish(&scaler));
    ck_assert_uint_eq(scaler.out.width, how->part.width);
    ck_assert_uint_eq(scaler.out.height, how->part.height);
    uint8_t *out = scaler.out.rgb;
    scaler.out.rgb = NULL;
    image_scaler_free(&scaler);
    return out;
}

/* Each implementation gives the bytes of the plain one: all small sizes, and values that overflow a
 * byte on both sides. */
START_TEST(implementations_are_equal)
{
    const struct image_resize_impl *plain = image_resize_impls;
    uint8_t rgb[3 * SIDE * 9];
    while (strcmp(plain->name, "plain") != 0) plain++;
    for (const struct image_resize_impl *impl = image_resize_impls; impl != plain; impl++)
        for (size_t i = 0; impl->available() && i < SIDE * SIDE * 2; i++) {
            const size_t side = 1 + i % SIDE, other = 1 + i / SIDE % SIDE * 3;
            for (size_t k = 0; k < sizeof rgb; k++)
                rgb[k] = (uint8_t)(i < SIDE * SIDE ? k * 7919 >> 3 : k / 5 % 2 * 255);
            struct image_scaling how = {
                side,
                1 + other % 9,
                1 + i % 8,
                {other, side, other / 5, side / 3, other - other / 5, side - side / 3},
                (rn_filter)(i % FILTERS),
                plain};
            uint8_t *a = scale(&how, rgb);
            how.impl = impl;
            uint8_t *b = scale(&how, rgb);
            ck_assert_msg(memcmp(a, b, 3 * how.part.width * how.part.height) == 0,
                          "%s: %zux%zu to %zux%zu", impl->name, how.width, how.height, other, side);
            free(a);
            free(b);
        }
}
END_TEST

/* Where the pixel (x, y) of an upright picture lies in a file. */
static size_t place_of(const struct image_scaling *how, size_t x, size_t y)
{
    const bool swap = how->orientation >= 5;
    const size_t width = swap ? how->height : how->width, height = swap ? how->width : how->height;
    const bool mirror = strchr("2367", '0' + (int)how->orientation) != NULL;
    const bool flip = strchr("3478", '0' + (int)how->orientation) != NULL;
    const size_t right = mirror ? width - 1 - x : x, down = flip ? height - 1 - y : y;
    return 3 * (swap ? right * how->width + down : down * how->width + right);
}

/* Any part is what the whole has there, however the picture lies in its file. */
static void check_part(const uint8_t *upright, const struct image_scaling *how)
{
    const bool swap = how->orientation >= 5;
    const struct image_part *part = &how->part;
    struct image_scaling all = *how;
    uint8_t lying[3 * SIDE * SIDE];
    all.width = swap ? how->height : how->width, all.height = swap ? how->width : how->height;
    all.orientation = 1;
    all.part = (struct image_part){part->full_width, part->full_height, 0, 0,
                                   part->full_width, part->full_height};
    for (size_t y = 0; y < all.height; y++)
        for (size_t x = 0; x < all.width; x++)
            memcpy(lying + place_of(how, x, y), upright + 3 * (y * all.width + x), 3);
    uint8_t *whole = scale(&all, upright), *some = scale(how, lying);
    for (size_t y = 0; y < part->height; y++)
        ck_assert_mem_eq(some + 3 * y * part->width,
                         whole + 3 * ((part->top + y) * part->full_width + part->left),
                         3 * part->width);
    free(whole);
    free(some);
}

START_TEST(parts_are_cut_from_the_whole)
{
    uint8_t upright[3 * SIDE * SIDE];
    for (size_t i = 0; i < sizeof upright; i++) upright[i] = (uint8_t)(i * i * 7919 >> 5);
    for (size_t i = 0; i < FILTERS * 8 * 13 * 3; i++) {
        const size_t width = 1 + i % 13 * 3, height = 1 + i % 3 * 20;
        const struct image_scaling how = {
            SIDE,
            1 + i % SIDE,
            1 + i % 8,
            {width, height, width / 3, height / 4, width / 2 + 1, height / 2 + 1},
            (rn_filter)(i / 8 % FILTERS),
            NULL};
        check_part(upright, &how);
    }
}
END_TEST

/* ---- tensors --------------------------------------------------------------------------------- */

static void check_tensor(const struct image_recipe *recipe, const uint8_t *want, const char *name)
{
    const size_t count = recipe->channels * recipe->height * recipe->width;
    float *got = tensor_of("color-444.jpg", recipe), expected;
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
    const struct image_recipe recipe = {
        3, 32, 32, {RN_FIT_COVER, 40, 40, RN_BILINEAR, IMAGENET, .orient = true}};
    size_t size;
    uint8_t *want = read_file("tensor.bin", &size);
    ck_assert_uint_eq(size, 3 * 32 * 32 * sizeof(float));
    check_tensor(&recipe, want, "Resize(40), CenterCrop(32)");
    free(want);
}
END_TEST

START_TEST(tensors_are_those_of_timm_and_hugging_face)
{
    size_t size, cases = 0;
    uint8_t *records = read_file("recipes.bin", &size);
    for (size_t at = 0; at < size; cases++) {
        const uint8_t *r = records + at;
        const struct image_recipe recipe = {word_at(r + 24),
                                            word_at(r + 28),
                                            word_at(r + 32),
                                            {word_at(r), word_at(r + 4), word_at(r + 8),
                                             word_at(r + 12), IMAGENET, word_at(r + 16),
                                             word_at(r + 20) != 0, true}};
        char name[40];
        snprintf(name, sizeof name, "recipe %zu", cases);
        check_tensor(&recipe, r + 36, name);
        at += 36 + recipe.channels * recipe.height * recipe.width * sizeof(float);
    }
    ck_assert_uint_eq(cases, 28);
    free(records);
}
END_TEST

/* Pictures as narrow as they come: nothing grows with the longer side. */
START_TEST(narrow_pictures_cost_no_memory)
{
    static const char *const names[] = {"narrow/row.png", "narrow/column.png", "narrow/turned.png"};
    const struct image_recipe cover = {
        3, 32, 32, {RN_FIT_COVER, 36, 36, RN_BICUBIC, IMAGENET, .orient = true}};
    struct image_recipe stretch = cover, inside = cover;
    stretch.how.fit = RN_FIT_STRETCH;
    inside.how.fit = RN_FIT_INSIDE;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        free(tensor_of(names[i], &cover));
        free(tensor_of(names[i], &stretch));
        float *chw = tensor_of(names[i], &inside);
        ck_assert(fabsf(chw[0]) < 0.05f); // the mean beside it
        free(chw);
    }
}
END_TEST

/* Files that are cut or damaged anywhere are refused or read, and nothing else happens. */
static void damage(const char *name)
{
    const struct image_recipe recipe = bytes_recipe(RN_FIT_COVER, TINY, TINY, RN_BICUBIC);
    struct image_error error;
    float chw[3 * TINY * TINY];
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    const struct image_file whole = {bytes, size, MAX_PIXELS, SIZE_MAX, NULL};
    struct image_file file = whole;
    for (size_t cut = 0; cut < size; cut += 1 + size / 60) {
        file.size = cut;
        if (image_read(&file, &recipe, chw, &error))
            ck_assert_msg(cut + 20 > size, "%s: taken with %zu of %zu bytes", name, cut, size);
    }
    for (size_t at = 0; at < size; at += 1 + size / 200) {
        bytes[at] ^= (uint8_t)(1 + at % 255);
        image_read(&whole, &recipe, chw, &error);
        bytes[at] ^= (uint8_t)(1 + at % 255);
    }
    file = (struct image_file){bytes, size, 61 * 47 - 1, SIZE_MAX, NULL};
    ck_assert(!image_read(&file, &recipe, chw, &error));
    ck_assert_int_eq(error.problem, IMAGE_TOO_LARGE);
    ck_assert_ptr_nonnull(strstr(error.text, "pixels, --max-image-pixels allows 2866"));
    free(bytes);
}

START_TEST(damaged_files_are_refused)
{
    const struct image_file gif = {"GIF89a", 6, MAX_PIXELS, SIZE_MAX, NULL},
                            none = {"", 0, MAX_PIXELS, SIZE_MAX, NULL};
    const struct image_recipe recipe = bytes_recipe(RN_FIT_COVER, TINY, TINY, RN_BICUBIC);
    struct image_error error;
    float chw[3 * TINY * TINY];
    ck_assert_uint_ge(each_picture(damage), 50);
    ck_assert(!image_read(&gif, &recipe, chw, &error));
    ck_assert_int_eq(error.problem, IMAGE_UNSERVED);
    ck_assert_str_eq(error.text, "image: a GIF picture: send JPEG or PNG");
    ck_assert(!image_read(&none, &recipe, chw, &error));
}
END_TEST

/* Memory is counted before it is allocated: 3 bytes a pixel of an interlaced PNG, 2 a coefficient
 * of a progressive JPEG; little of others. */
START_TEST(memory_is_bounded)
{
    static const struct {
        const char *name;
        size_t least, most; /* bytes: refused with the one, decoded with the other */
    } cases[] = {
        {"interlaced-alpha-16bit.png", 61 * 47 * 3, 61 * 47 * 3 + 3000},
        {"progressive.jpg", 64 * 48 * 3, 80 * 64 * 3 + 3000},
        {"ycck-progressive.jpg", 64 * 48 * 4 * 2, 72 * 56 * 4 * 2 + 3000},
        {"color-444.jpg", 100, 3000},
        {"color.png", 100, 3000},
    };
    const struct image_recipe recipe = bytes_recipe(RN_FIT_COVER, TINY, TINY, RN_BICUBIC);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct image_error error;
        float chw[3 * TINY * TINY];
        size_t size;
        uint8_t *bytes = read_file(cases[i].name, &size);
        struct image_file file = {bytes, size, MAX_PIXELS, cases[i].least, NULL};
        ck_assert_msg(!image_read(&file, &recipe, chw, &error), "%s", cases[i].name);
        ck_assert_int_eq(error.problem, IMAGE_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(error.text, "bytes of memory, --max-image-bytes allows"));
        file.max_bytes = cases[i].most;
        ck_assert_msg(image_read(&file, &recipe, chw, &error), "%s: %s", cases[i].name, error.text);
        free(bytes);
    }
}
END_TEST

/* Whatever kind it is, it is not decoded for nobody. */
static void decode_cancelled(const char *name)
{
    const struct image_recipe recipe = bytes_recipe(RN_FIT_COVER, TINY, TINY, RN_BICUBIC);
    atomic_bool cancelled = true;
    struct image_error error;
    float chw[3 * TINY * TINY];
    size_t size;
    uint8_t *bytes = read_file(name, &size);
    const struct image_file file = {bytes, size, MAX_PIXELS, SIZE_MAX, &cancelled};
    ck_assert_msg(!image_read(&file, &recipe, chw, &error), "%s was decoded", name);
    ck_assert_msg(error.problem == IMAGE_CANCELLED, "%s: %s", name, error.text);
    atomic_store(&cancelled, false);
    ck_assert(image_read(&file, &recipe, chw, &error));
    free(bytes);
}

START_TEST(nothing_is_decoded_for_nobody)
{
    ck_assert_uint_ge(each_picture(decode_cancelled), 50);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("images");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, pixels_are_those_of_pil);
    tcase_add_test(tests, tiny_pictures_are_those_of_pil);
    tcase_add_test(tests, pictures_are_turned_upright);
    tcase_add_test(tests, sizes_are_those_of_pil);
    tcase_add_test(tests, parts_are_those_of_pil);
    tcase_add_test(tests, implementations_are_equal);
    tcase_add_test(tests, parts_are_cut_from_the_whole);
    tcase_add_test(tests, tensors_are_those_of_torchvision);
    tcase_add_test(tests, tensors_are_those_of_timm_and_hugging_face);
    tcase_add_test(tests, narrow_pictures_cost_no_memory);
    tcase_add_test(tests, damaged_files_are_refused);
    tcase_add_test(tests, memory_is_bounded);
    tcase_add_test(tests, nothing_is_decoded_for_nobody);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
