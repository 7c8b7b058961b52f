/* Loading a folder through resnet.h: what stands beside the weights is found and used. */
#include "check_main.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "resnet.h"

#define WEIGHTS "deploy/models/fashion-resnet/model.safetensors"

static char folder[64];

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static void setup(void)
{
    char path[128];
    snprintf(folder, sizeof folder, "/tmp/resnetd-folder-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    char *weights = realpath(WEIGHTS, NULL);
    ck_assert_ptr_nonnull(weights);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    ck_assert_int_eq(symlink(weights, path), 0);
    free(weights);
}

static void teardown(void)
{
    static const char *const names[] = {"model.safetensors", "config.json", "labels.txt",
                                        "preprocessor_config.json"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static rn_model *load(rn_error *err)
{
    rn_model *model = NULL;
    *err = (rn_error){0};
    const rn_status status = rn_model_load(&model, folder, NULL, err);
    ck_assert_int_eq(status == RN_OK, model != NULL);
    return model;
}

static bool has_note(const rn_model *model, const char *text)
{
    for (size_t i = 0; i < rn_model_info_of(model)->notes; i++)
        if (strcmp(rn_model_note(model, i), text) == 0) return true;
    return false;
}

START_TEST(weights_alone_are_enough)
{
    rn_error err;
    rn_model *model = load(&err);
    ck_assert_msg(model, "%s", err.text);
    ck_assert_str_eq(rn_model_info_of(model)->arch, "resnet (1,1,1 basic)");
    ck_assert_uint_eq(rn_model_info_of(model)->input[1], 32);
    ck_assert_uint_eq(rn_model_info_of(model)->labels, 0);
    ck_assert_ptr_null(rn_model_label(model, 0));
    rn_model_release(model);
}
END_TEST

START_TEST(files_beside_the_weights_are_used)
{
    rn_error err;
    write_file("config.json", "{\"input\": {\"shape\": [1, 28, 28]}}");
    write_file("labels.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    write_file("preprocessor_config.json", "{\"image_mean\": [0.5], \"image_std\": [0.25]}");
    rn_model *model = load(&err);
    ck_assert_msg(model, "%s", err.text);
    ck_assert_uint_eq(rn_model_info_of(model)->input[1], 28);
    ck_assert_uint_eq(rn_model_info_of(model)->labels, 10);
    ck_assert_str_eq(rn_model_label(model, 9), "j");
    ck_assert(has_note(model, "labels: 10 (labels.txt)"));
    ck_assert(has_note(model, "preprocessing: mean 0.5, std 0.25 (preprocessor_config.json)"));
    rn_model_release(model);
}
END_TEST

static const struct {
    const char *name, *text, *says;
} bad[] = {
    {"config.json", "{", "config.json: line 1"},
    {"config.json", "{\"num_classes\": 11}", "config.json: num_classes: 11, but fc.weight has 10"},
    {"labels.txt", "a\nb\n", "labels.txt: 2 labels, the network answers 10 classes"},
    {"preprocessor_config.json", "[1", "preprocessor_config.json: line 1"},
    {"preprocessor_config.json", "{\"image_std\": [0]}", "std: want numbers above 0"},
};

START_TEST(bad_files_are_named)
{
    rn_error err;
    write_file(bad[_i].name, bad[_i].text);
    ck_assert_ptr_null(load(&err));
    ck_assert_msg(strstr(err.text, bad[_i].says), "\"%s\"", err.text);
    ck_assert_msg(strstr(err.text, folder) == err.text, "\"%s\"", err.text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model folder");
    TCase *tcase = tcase_create("model folder");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, weights_alone_are_enough);
    tcase_add_test(tcase, files_beside_the_weights_are_used);
    tcase_add_loop_test(tcase, bad_files_are_named, 0, sizeof bad / sizeof *bad);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
