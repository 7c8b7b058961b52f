/* A network saved in every way (tests/reference/make_formats.py), and another in every type of
 * float in which its weights are exact: wherever one comes from, the answers have the same bits. */
#include <glob.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "check_main.h"
#include "golden/derive.h"
#include "resnet.h"

#define BATCH  3
#define HEIGHT 37
#define WIDTH  41

static const struct {
    const char *files;
    size_t saves, classes;
} nets[] = {
    {"tests/golden/formats/net*", 11, 7},
    {"tests/golden/formats/typed-*", 13, 5},
};
#define NETS (int)(sizeof nets / sizeof *nets)

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
    glob_t files;
    size_t count, want_count;
    ck_assert_int_eq(glob(nets[_i].files, 0, NULL, &files), 0);
    ck_assert_uint_eq(files.gl_pathc, nets[_i].saves);
    float *want = answer(files.gl_pathv[0], &want_count);
    ck_assert_uint_eq(want_count, BATCH * nets[_i].classes);
    ck_assert(want[0] != want[1]);
    for (size_t i = 1; i < files.gl_pathc; i++) {
        float *have = answer(files.gl_pathv[i], &count);
        ck_assert_uint_eq(count, want_count);
        ck_assert_msg(memcmp(have, want, count * sizeof *have) == 0, "%s: other bits than %s",
                      files.gl_pathv[i], files.gl_pathv[0]);
        rn_free(have);
    }
    rn_free(want);
    globfree(&files);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("same net");
    TCase *tests = tcase_create("same net");
    tcase_add_loop_test(tests, gives_the_same_bits, 0, NETS);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
