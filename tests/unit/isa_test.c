/* --isa: what it forbids is not used by the daemon's own loops. */
#include "isa.h"

#include <string.h>

#include "ingest/image_resize.h"
#include "ingest/number.h"
#include "resnet.h"

#include "check_main.h"

/* How many of the rows may run. */
static size_t available_loops(void)
{
    size_t count = 0;
    for (const struct number_impl *impl = number_impls; impl->name; impl++)
        count += impl->available();
    for (const struct image_resize_impl *impl = image_resize_impls; impl->name; impl++)
        count += impl->available();
    return count;
}

START_TEST(each_limit_allows_what_is_below_it)
{
    const char *const *names = rn_isa_names();
    for (size_t limit = 0; names[limit]; limit++) {
        isa_limit(names[limit]);
        for (size_t i = 0; names[i]; i++) ck_assert(isa_allows(names[i]) == (i <= limit));
    }
    isa_limit(NULL);
    for (size_t i = 0; names[i]; i++) ck_assert(isa_allows(names[i]));
    ck_assert(!isa_allows("mmx"));
}
END_TEST

START_TEST(portable_leaves_the_plain_loops)
{
    const size_t all = available_loops();
    isa_limit("portable");
    ck_assert_uint_eq(available_loops(), 2);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        isa_limit("avx2");
        ck_assert_uint_eq(available_loops(), 4);
        ck_assert_uint_ge(all, 4);
    }
#else
    ck_assert_uint_eq(all, 2);
#endif
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("isa");
    TCase *tests = tcase_create("isa");
    suite_add_tcase(suite, tests);
    tcase_add_test(tests, each_limit_allows_what_is_below_it);
    tcase_add_test(tests, portable_leaves_the_plain_loops);
    return run_suite(suite);
}
