/* What the files beside the weights say of pictures, against PIL's steps written out for each case:
 * tests/reference/make_preparation.py. From the files' texts to the pixels that the input shows. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "check_main.h"
#include "ingest/image.h"
#include "unit/fake_net.h"

#define CASES "tests/golden/preparation.json"

enum { MOST = 1 << 20, LEAST_CASES = 70 };

static json_t *cases;

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static size_t input_of(const json_t *entry, size_t index)
{
    return (size_t)json_integer_value(json_array_get(json_object_get(entry, "input"), index));
}

/* What stands before each message. */
static const char *name_of(const json_t *entry)
{
    static char name[500];
    snprintf(name, sizeof name, "%.230s beside %.230s", text_of(entry, "config"),
             text_of(entry, "preprocessor"));
    return name;
}

static void check_numbers(const json_t *entry, const char *key, const float *got, size_t channels)
{
    const json_t *want = json_object_get(entry, key);
    for (size_t i = 0; i < channels; i++) {
        const double number = json_number_value(json_array_get(want, i));
        ck_assert_msg(fabs((double)got[i] - number) < 1e-6, "%s: %s is %g, not %g", name_of(entry),
                      key, (double)got[i], number);
    }
}

static float *read_picture(const json_t *entry, const struct image_recipe *recipe)
{
    char path[300];
    struct image_error error;
    snprintf(path, sizeof path, "tests/golden/%s", text_of(entry, "picture"));
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s can't be opened", path);
    uint8_t *bytes = malloc(MOST);
    float *chw = malloc(recipe->channels * recipe->height * recipe->width * sizeof *chw);
    ck_assert(bytes && chw);
    const struct image_file picture = {bytes, fread(bytes, 1, MOST, file), MOST, MOST, NULL};
    fclose(file);
    ck_assert_msg(image_read(&picture, recipe, chw, &error), "%s: %s", path, error.text);
    free(bytes);
    return chw;
}

/* The floats are exact enough to tell which byte each was. */
static void check_pixels(const json_t *entry, const struct image_recipe *recipe)
{
    const size_t area = recipe->height * recipe->width, count = recipe->channels * area;
    float *chw = read_picture(entry, recipe);
    uint8_t *bytes = malloc(count);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)lrintf(
            255 * (chw[i] * recipe->how.std[i / area] + recipe->how.mean[i / area]));
    const uLong got = crc32(crc32(0, NULL, 0), bytes, (uInt)count);
    const uLong want = (uLong)json_integer_value(json_object_get(entry, "crc"));
    ck_assert_msg(got == want, "%s, input %zux%zux%zu: other pixels", name_of(entry),
                  recipe->channels, recipe->height, recipe->width);
    free(bytes);
    free(chw);
}

START_TEST(pictures_are_prepared_as_the_files_say)
{
    const json_t *entry = json_array_get(cases, (size_t)_i);
    const size_t channels = input_of(entry, 0);
    const fake_files files = {.config = text_of(entry, "config"),
                              .preprocessor = text_of(entry, "preprocessor"),
                              .height = input_of(entry, 1),
                              .width = input_of(entry, 2)};
    fake_net net;
    fake_init(&net);
    fake_add_resnet(&net, &(fake_resnet){2, {1, 1}, .width = 8, .in = channels});
    ck_assert_msg(fake_build_with(&net, &files) == RN_OK, "%s: %s", name_of(entry), net.err.text);
    const rn_shape in = rn_graph_shape(&net.graph, net.graph.input[0].value);
    const struct image_recipe recipe = {channels, in.h, in.w, net.arch.preprocess};
    check_numbers(entry, "mean", recipe.how.mean, channels);
    check_numbers(entry, "std", recipe.how.std, channels);
    check_pixels(entry, &recipe);
    fake_release(&net);
}
END_TEST

int main(void)
{
    json_error_t error;
    cases = json_load_file(CASES, 0, &error);
    if (json_array_size(cases) < LEAST_CASES) {
        fprintf(stderr, "%s: %s\n", CASES, cases ? "too few cases" : error.text);
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("preparation");
    TCase *tests = tcase_create("all");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, pictures_are_prepared_as_the_files_say, 0,
                        (int)json_array_size(cases));
    suite_add_tcase(suite, tests);
    const int status = run_suite(suite);
    json_decref(cases);
    return status;
}
