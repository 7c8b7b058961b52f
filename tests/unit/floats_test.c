/* Memory of tensors: aligned, kept for the next of its size, never more than the limit; and the
 * search for what is no finite number. */
#include "floats.h"

#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "check_main.h"

enum { IMAGE = 3 * 224 * 224, MEGABYTE = 1 << 18 /* floats */ };

START_TEST(memory_comes_back_for_its_size)
{
    float *first = floats_new(IMAGE), *second = floats_new(IMAGE);
    ck_assert_uint_eq((uintptr_t)first % 64, 0);
    ck_assert_uint_eq((uintptr_t)second % 64, 0);
    first[0] = second[IMAGE - 1] = 1;
    const size_t before = floats_kept();
    floats_delete(first);
    ck_assert_uint_ge(floats_kept(), before + IMAGE * sizeof(float));
    float *other = floats_new(IMAGE + 64);
    ck_assert_ptr_ne(other, first);
    ck_assert_ptr_eq(floats_new(IMAGE), first);
    ck_assert_uint_eq(floats_kept(), before);
    floats_delete(first);
    floats_delete(second);
    floats_delete(other);
    floats_delete(NULL);
}
END_TEST

START_TEST(no_more_is_kept_than_the_limit)
{
    enum { MANY = 100, LIMIT = 32 << 20 };
    float *run[MANY];
    for (size_t i = 0; i < MANY; i++) ck_assert_ptr_nonnull(run[i] = floats_new(MEGABYTE + 64 * i));
    for (size_t i = 0; i < MANY; i++) {
        floats_delete(run[i]);
        ck_assert_uint_le(floats_kept(), LIMIT);
    }
    ck_assert_uint_ge(floats_kept(), LIMIT - 2 * MEGABYTE * sizeof(float));
    /* the last that came are the ones that are there */
    float *last = floats_new(MEGABYTE + 64 * (MANY - 1));
    ck_assert_ptr_eq(last, run[MANY - 1]);
    floats_delete(last);

    float *large = floats_new(LIMIT);
    const size_t before = floats_kept();
    floats_delete(large);
    float *small = floats_new(100);
    floats_delete(small);
    ck_assert_uint_eq(floats_kept(), before);
}
END_TEST

START_TEST(what_is_discarded_is_not_kept)
{
    float *image = floats_new(IMAGE);
    ck_assert_ptr_nonnull(image);
    const size_t before = floats_kept();
    floats_discard(image);
    floats_discard(NULL);
    ck_assert_uint_eq(floats_kept(), before);
}
END_TEST

START_TEST(more_than_there_is_is_refused)
{
    ck_assert_ptr_null(floats_new(SIZE_MAX));
    ck_assert_ptr_null(floats_new(SIZE_MAX / sizeof(float)));
    struct floats floats = {0};
    ck_assert(!floats_reserve(&floats, SIZE_MAX / sizeof(float), SIZE_MAX));
    ck_assert(floats_reserve(&floats, 10, SIZE_MAX));
    floats.data[9] = 9;
    floats.count = 10;
    ck_assert(floats_reserve(&floats, MEGABYTE, SIZE_MAX));
    ck_assert(floats.data[9] == 9);
    floats_free(&floats);
}
END_TEST

static void *take_and_give(void *mark)
{
    enum { ROUNDS = 2000 };
    const float own = *(const float *)mark;
    for (size_t i = 0; i < ROUNDS; i++) {
        const size_t count = 20000 + 64 * (i % 3);
        float *floats = floats_new(count);
        floats[0] = floats[count - 1] = own;
        float *more = floats_new(count);
        more[0] = more[count - 1] = -own;
        if (floats[0] != own || floats[count - 1] != own) return mark;
        floats_delete(more);
        floats_delete(floats);
    }
    return NULL;
}

START_TEST(threads_never_get_the_same_memory)
{
    enum { THREADS = 4 };
    static float mark[THREADS] = {1, 2, 3, 4};
    pthread_t thread[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, take_and_give, &mark[i]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *mixed;
        pthread_join(thread[i], &mixed);
        ck_assert_ptr_null(mixed);
    }
}
END_TEST

START_TEST(the_first_that_is_not_finite_is_found)
{
    enum { COUNT = 37 };
    static const float odd[] = {INFINITY, -INFINITY, NAN, -NAN};
    float data[COUNT];
    for (size_t size = 0; size <= COUNT; size++)
        for (size_t at = 0; at <= size; at++) {
            for (size_t i = 0; i < COUNT; i++) data[i] = i % 2 ? -3.4028235e38f : 1e-40f;
            for (size_t i = at; i < size; i += 5) data[i] = odd[i % 4];
            ck_assert_uint_eq(floats_not_finite(data, size), at);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("floats");
    TCase *tests = tcase_create("floats");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, memory_comes_back_for_its_size);
    tcase_add_test(tests, no_more_is_kept_than_the_limit);
    tcase_add_test(tests, what_is_discarded_is_not_kept);
    tcase_add_test(tests, more_than_there_is_is_refused);
    tcase_add_test(tests, threads_never_get_the_same_memory);
    tcase_add_test(tests, the_first_that_is_not_finite_is_found);
    return run_suite(suite);
}
