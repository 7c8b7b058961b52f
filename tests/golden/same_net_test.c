/* One network saved in every format (tests/reference/make_formats.py): wherever it comes from, the
 * answers have the same bits. */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "check_main.h"
#include "golden/derive.h"
#include "resnet.h"

#define FILES  "tests/golden/formats/net*"
#define SAVES  7
#define BATCH  3
#define HEIGHT 37
#define WIDTH  41

static glob_t files;

/* Returns the answers to the derived images, and how many numbers they are. */
static float *answer(const char *path, size_t *count)
{
    rn_model *model;
    rn_session *session;
    rn_error err;
    const rn_model_options options = {.input_height = HEIGHT, .input_width = WIDTH};
    ck_assert_msg(rn_model_load(&model, path, &options, &err) == RN_OK, "%s", err.text);
    const rn_model_info *info = rn_model_info_of(model);
    float *images = rn_alloc(BATCH * info->input_size, sizeof *images, NULL);
    derive_images(BATCH * info->input_size, images);
    *count = BATCH * info->output_size;
    float *out = rn_alloc(*count, sizeof *out, NULL);
    ck_assert_int_eq(rn_session_new(&session, model, NULL, &err), RN_OK);
    ck_assert_int_eq(rn_session_run(session, images, BATCH, out, &err), RN_OK);
    rn_session_free(session);
    rn_model_release(model);
    rn_free(images);
    return out;
}

START_TEST(gives_the_same_bits)
{
    size_t count, want_count;
    float *want = answer(files.gl_pathv[0], &want_count);
    float *have = answer(files.gl_pathv[_i], &count);
    ck_assert_uint_eq(count, want_count);
    ck_assert_uint_eq(count, BATCH * 7);
    ck_assert(want[0] != want[1]);
    ck_assert_msg(memcmp(have, want, count * sizeof *have) == 0, "%s: other bits than %s",
                  files.gl_pathv[_i], files.gl_pathv[0]);
    rn_free(want);
    rn_free(have);
}
END_TEST

START_TEST(has_every_save)
{
    ck_assert_uint_eq(files.gl_pathc, SAVES);
}
END_TEST

int main(void)
{
    if (glob(FILES, 0, NULL, &files) != 0) return EXIT_FAILURE;
    Suite *suite = suite_create("same net");
    TCase *tests = tcase_create("same net");
    tcase_add_test(tests, has_every_save);
    tcase_add_loop_test(tests, gives_the_same_bits, 1, (int)files.gl_pathc);
    suite_add_tcase(suite, tests);
    const int status = run_suite(suite);
    globfree(&files);
    return status;
}
