/* Which tensors fit a model, and what is said of the others. */
#include "ingest/samples.h"

#include <string.h>

#include "check_main.h"

static const rn_model_info info = {.input = {3, 4, 5}, .input_size = 60};

#define NEEDS     "needs [N,3,4,5]"
#define NEEDS_TOO " or [3,4,5]"
static const struct {
    enum ingest_layout layout;
    size_t rank, dim[INGEST_MAX_RANK];
    size_t samples;
    const char *error;
} cases[] = {
    {LAYOUT_BATCH, 4, {2, 3, 4, 5}, 2, NULL},
    {LAYOUT_BATCH, 4, {1, 3, 4, 5}, 1, NULL},
    {LAYOUT_BATCH, 3, {3, 4, 5}, 0, "x: shape [3,4,5], model m " NEEDS},
    {LAYOUT_BATCH, 4, {2, 3, 5, 4}, 0, "x: shape [2,3,5,4], model m " NEEDS},
    {LAYOUT_BATCH, 2, {1, 60}, 0, "x: shape [1,60], model m " NEEDS},
    {LAYOUT_BATCH, 1, {60}, 0, "x: shape [60], model m " NEEDS},
    {LAYOUT_ROWS, 4, {2, 3, 4, 5}, 2, NULL},
    {LAYOUT_ROWS, 3, {3, 4, 5}, 0, "x: shape [4,5], model m needs [3,4,5]"},
    {LAYOUT_ROWS, 3, {1, 4, 5}, 0, "x: shape [4,5], model m needs [3,4,5]"},
    {LAYOUT_ROWS, 1, {60}, 0, "x: shape [], model m needs [3,4,5]"},
    {LAYOUT_ROWS, 2, {2, 60}, 0, "x: shape [60], model m needs [3,4,5]"},
    {LAYOUT_ROWS, 0, {0}, 0, "x: shape [], model m needs [N,3,4,5]"},
    {LAYOUT_ROWS,
     4,
     {2, 4, 5, 3},
     0,
     "x: shape [4,5,3], model m needs [3,4,5]; the channels "
     "come before height and width"},
    {LAYOUT_INPUT, 4, {2, 3, 4, 5}, 2, NULL},
    {LAYOUT_INPUT, 3, {3, 4, 5}, 1, NULL},
    {LAYOUT_INPUT, 2, {7, 60}, 0, "x: shape [7,60], model m " NEEDS NEEDS_TOO},
    {LAYOUT_INPUT, 4, {2, 3, 5, 4}, 0, "x: shape [2,3,5,4], model m " NEEDS NEEDS_TOO},
    {LAYOUT_INPUT,
     1,
     {60},
     0,
     "x: shape [60], model m " NEEDS NEEDS_TOO "; flat numbers need a \"shape\""},
    {LAYOUT_INPUT, 5, {1, 1, 3, 4, 5}, 0, "x: shape [1,1,3,4,5], model m " NEEDS NEEDS_TOO},
    {LAYOUT_INPUT,
     3,
     {4, 5, 3},
     0,
     "x: shape [4,5,3], model m " NEEDS NEEDS_TOO "; the channels come before height and width"},
    {LAYOUT_ARRAY, 4, {2, 3, 4, 5}, 2, NULL},
    {LAYOUT_ARRAY, 3, {3, 4, 5}, 1, NULL},
    {LAYOUT_ARRAY, 1, {60}, 0, "x: shape [60], model m " NEEDS NEEDS_TOO},
    {LAYOUT_ARRAY, 0, {0}, 0, "x: shape [], model m " NEEDS NEEDS_TOO},
    {LAYOUT_ARRAY, 4, {0, 3, 4, 5}, 0, "x: shape [0,3,4,5], model m " NEEDS NEEDS_TOO},
    {LAYOUT_FLAT, 2, {7, 60}, 7, NULL},
    {LAYOUT_FLAT, 4, {2, 3, 4, 5}, 0, "x: shape [2,3,4,5], model m needs [N,60]"},
    {LAYOUT_FLAT, 2, {0, 60}, 0, "x: shape [0,60], model m needs [N,60]"},
};

START_TEST(shapes)
{
    struct ingest_result request = {.layout = cases[_i].layout, .place = "x"};
    char error[SAMPLES_ERROR_SIZE] = "not set";
    request.tensor.rank = cases[_i].rank;
    memcpy(request.tensor.dim, cases[_i].dim, sizeof request.tensor.dim);
    ck_assert_uint_eq(tensor_samples(&request, &info, "m", error), cases[_i].samples);
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
