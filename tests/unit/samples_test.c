/* Which tensors fit a model, and what is said of the others. */
#include "ingest/samples.h"

#include <string.h>

#include "check_main.h"

static const rn_model_info info = {.input = {3, 4, 5}, .input_size = 60};

#define NEEDS ", model m needs [N,3,4,5] or [3,4,5]"
static const struct {
    size_t rank, dim[INGEST_MAX_RANK];
    bool flat;
    size_t samples;
    const char *error;
} cases[] = {
    {4, {2, 3, 4, 5}, false, 2, NULL},
    {4, {1, 3, 4, 5}, false, 1, NULL},
    {3, {3, 4, 5}, false, 1, NULL},
    {2, {7, 60}, true, 7, NULL},
    {2, {7, 60}, false, 0, "shape [7,60]" NEEDS},
    {4, {2, 3, 4, 5}, true, 0, "shape [2,3,4,5]" NEEDS},
    {4, {2, 3, 5, 4}, false, 0, "shape [2,3,5,4]" NEEDS},
    {1, {60}, false, 0, "shape [60]" NEEDS "; flat numbers need a \"shape\""},
    {0, {0}, false, 0, "shape []" NEEDS},
    {5, {1, 1, 3, 4, 5}, false, 0, "shape [1,1,3,4,5]" NEEDS},
    /* no samples at all, as a .npy file may have */
    {4, {0, 3, 4, 5}, false, 0, "shape [0,3,4,5]" NEEDS},
    {2, {0, 60}, true, 0, "shape [0,60]" NEEDS},
};

START_TEST(shapes)
{
    struct tensor tensor = {.rank = cases[_i].rank};
    char error[240] = "not set";
    memcpy(tensor.dim, cases[_i].dim, sizeof tensor.dim);
    ck_assert_uint_eq(tensor_samples(&tensor, &info, "m", cases[_i].flat, error),
                      cases[_i].samples);
    if (cases[_i].error) ck_assert_str_eq(error, cases[_i].error);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("samples");
    TCase *tests = tcase_create("samples");
    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, shapes, 0, sizeof cases / sizeof *cases);
    return run_suite(suite);
}
