/* Top-k: order, ties, scores. */
#include <math.h>

#include "check_main.h"
#include "resnet.h"

START_TEST(best_first_with_softmax_scores)
{
    const float logits[] = {1, 3, 2, 3, -5};
    size_t cls[5];
    float score[5];
    ck_assert_uint_eq(rn_top_k(logits, 5, 3, cls, score), 3);
    ck_assert_uint_eq(cls[0], 1); /* a tie goes to the lower class */
    ck_assert_uint_eq(cls[1], 3);
    ck_assert_uint_eq(cls[2], 2);
    double sum = 0;
    for (size_t i = 0; i < 5; i++) sum += exp((double)logits[i]);
    ck_assert_double_eq_tol((double)score[0], exp(3) / sum, 1e-7);
    ck_assert_double_eq_tol((double)score[2], exp(2) / sum, 1e-7);
}
END_TEST

START_TEST(k_beyond_the_classes_gives_them_all)
{
    const float logits[] = {-1e30f, 1e30f};
    size_t cls[9];
    float score[9];
    ck_assert_uint_eq(rn_top_k(logits, 2, 9, cls, score), 2);
    ck_assert_uint_eq(cls[0], 1);
    ck_assert(score[0] == 1.0f);
    ck_assert(score[1] == 0.0f);
    ck_assert_uint_eq(rn_top_k(logits, 2, 0, cls, score), 0);
}
END_TEST

START_TEST(a_nan_stands_last)
{
    const float logits[] = {NAN, 1, NAN, 2};
    size_t cls[4];
    float score[4];
    ck_assert_uint_eq(rn_top_k(logits, 4, 4, cls, score), 4);
    ck_assert_uint_eq(cls[0], 3);
    ck_assert_uint_eq(cls[1], 1);
    ck_assert_uint_eq(cls[2], 0);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("topk");
    tcase_add_test(tests, best_first_with_softmax_scores);
    tcase_add_test(tests, k_beyond_the_classes_gives_them_all);
    tcase_add_test(tests, a_nan_stands_last);
    Suite *suite = suite_create("topk");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
