/* Sessions of a built-in model: any batch on any number of threads gives each image's answer, a
 * run allocates nothing, and it can be cancelled. Run from the top of the tree. */
#include "resnet.h"

#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "check_main.h"

#define MODEL "deploy/models/fashion-reslayer"
#define BATCH 11

static rn_model *model;
static const rn_model_info *info;
static rn_error err;
static float *images, *expected, *outputs;

static rn_session *new_session(const rn_session_options *options)
{
    rn_session *session;
    ck_assert_msg(rn_session_new(&session, model, options, &err) == RN_OK, "%s", err.text);
    return session;
}

static void setup(void)
{
    ck_assert_msg(rn_model_load(&model, MODEL, NULL, &err) == RN_OK, "%s", err.text);
    info = rn_model_info_of(model);
    images = rn_alloc(BATCH * info->input_size, sizeof(float), NULL);
    expected = rn_alloc(BATCH * info->output_size, sizeof(float), NULL);
    outputs = rn_alloc(BATCH * info->output_size, sizeof(float), NULL);
    for (size_t i = 0; i < BATCH * info->input_size; i++)
        images[i] = (float)(i * 2654435761u % 1000) / 500 - 1;
    rn_session *session = new_session(NULL);
    for (size_t i = 0; i < BATCH; i++)
        ck_assert(rn_session_run(session, images + i * info->input_size, 1,
                                 expected + i * info->output_size, &err) == RN_OK);
    rn_session_free(session);
}

static void teardown(void)
{
    rn_free(images);
    rn_free(expected);
    rn_free(outputs);
    rn_model_release(model);
}

START_TEST(info_tells_the_model)
{
    ck_assert_str_eq(info->arch, "layers");
    ck_assert_str_eq(info->format, "safetensors");
    ck_assert_uint_eq(info->input_size, 28 * 28);
    ck_assert_uint_eq(info->output_size, 10);
    ck_assert_uint_eq(info->output_rank, 1);
    ck_assert_uint_eq(info->labels, 10);
    ck_assert_str_eq(rn_model_label(model, 9), "Ankle boot");
    ck_assert_ptr_null(rn_model_label(model, 10));
    ck_assert_uint_eq(strlen(info->digest), 64);
    size_t parameters = 0;
    rn_layer_info layer;
    for (size_t i = 0; rn_model_layer(model, i, &layer); i++) parameters += layer.parameters;
    ck_assert_uint_eq(parameters, info->parameters);
    ck_assert_uint_eq(parameters, 354490);
}
END_TEST

START_TEST(any_batch_on_any_threads_gives_each_answer)
{
    for (size_t sub_batch = 0; sub_batch < 4; sub_batch++) {
        rn_session *session =
            new_session(&(rn_session_options){.threads = (size_t)_i, .sub_batch = sub_batch});
        for (size_t n = 1; n <= BATCH; n++) {
            memset(outputs, 0, BATCH * info->output_size * sizeof *outputs);
            ck_assert(rn_session_run(session, images, n, outputs, &err) == RN_OK);
            for (size_t i = 0; i < n * info->output_size; i++)
                ck_assert(fabsf(outputs[i] - expected[i]) <= 1e-5f * (1 + fabsf(expected[i])));
        }
        rn_session_free(session);
    }
}
END_TEST

START_TEST(a_run_allocates_nothing)
{
    rn_session *session = new_session(&(rn_session_options){.threads = 2, .profile = true});
    ck_assert(rn_session_run(session, images, BATCH, outputs, &err) == RN_OK);
    const size_t core = rn_alloc_count();
    const struct mallinfo2 before = mallinfo2();
    for (size_t n = 1; n <= BATCH; n++)
        ck_assert(rn_session_run(session, images, n, outputs, &err) == RN_OK);
    const struct mallinfo2 after = mallinfo2();
    ck_assert_uint_eq(rn_alloc_count(), core);
    ck_assert_uint_eq(after.uordblks, before.uordblks);
    ck_assert_uint_eq(after.hblkhd, before.hblkhd);
    rn_session_free(session);
}
END_TEST

static bool stop_after(void *context)
{
    return atomic_fetch_sub((atomic_int *)context, 1) <= 0;
}

START_TEST(a_run_can_be_cancelled_between_layers)
{
    atomic_int asked = 3;
    rn_session *session = new_session(
        &(rn_session_options){.threads = 2, .cancelled = stop_after, .context = &asked});
    ck_assert(rn_session_run(session, images, BATCH, outputs, &err) == RN_ERR_CANCELLED);
    ck_assert_str_eq(err.text, "cancelled");
    atomic_store(&asked, 1000000); /* the session is as good as new */
    ck_assert(rn_session_run(session, images, BATCH, outputs, &err) == RN_OK);
    rn_session_free(session);
}
END_TEST

START_TEST(the_profile_has_every_layer)
{
    double seconds[256];
    ck_assert_uint_le(info->layers, 256);
    rn_session *session = new_session(&(rn_session_options){.profile = true});
    ck_assert(rn_session_run(session, images, BATCH, outputs, &err) == RN_OK);
    rn_session_profile(session, seconds);
    for (size_t i = 0; i < info->layers; i++) ck_assert(seconds[i] > 0);
    rn_session_profile(session, seconds);
    ck_assert(seconds[0] <= 0);
    rn_session_free(session);
}
END_TEST

START_TEST(a_session_keeps_its_model)
{
    rn_session *session = new_session(NULL);
    rn_model_release(rn_model_retain(model));
    rn_model *mine = model;
    rn_model_retain(model);
    rn_model_release(mine);
    ck_assert(rn_session_run(session, images, 1, outputs, &err) == RN_OK);
    ck_assert(rn_session_run(session, images, 0, outputs, &err) == RN_ERR_ARGUMENT);
    rn_session_free(session);
}
END_TEST

START_TEST(loading_says_what_is_wrong)
{
    rn_model *none = NULL;
    ck_assert(rn_model_load(&none, "no/such/file", NULL, &err) == RN_ERR_IO);
    ck_assert_msg(strstr(err.text, "no/such/file") != NULL, "%s", err.text);
    ck_assert(rn_model_load(&none, "deploy", NULL, &err) == RN_ERR_IO);
    ck_assert_msg(strstr(err.text, "holds no weights file") != NULL, "%s", err.text);
    ck_assert(rn_model_load(&none, MODEL "/config.json", NULL, &err) == RN_ERR_FORMAT);
    const rn_model_options wrong = {.isa = "sse9"};
    ck_assert(rn_model_load(&none, MODEL, &wrong, &err) == RN_ERR_ARGUMENT);
    ck_assert_msg(strstr(err.text, "sse9") != NULL, "%s", err.text);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("session");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, info_tells_the_model);
    tcase_add_loop_test(tests, any_batch_on_any_threads_gives_each_answer, 1, 4);
    tcase_add_test(tests, a_run_allocates_nothing);
    tcase_add_test(tests, a_run_can_be_cancelled_between_layers);
    tcase_add_test(tests, the_profile_has_every_layer);
    tcase_add_test(tests, a_session_keeps_its_model);
    tcase_add_test(tests, loading_says_what_is_wrong);
    Suite *suite = suite_create("session");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
