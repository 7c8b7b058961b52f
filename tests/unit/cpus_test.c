/* CPU quotas, read from cgroup trees made for the purpose. */
#include "cpus.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check_main.h"

static char root[64];

static void make_root(void)
{
    snprintf(root, sizeof root, "/tmp/resnetd-cpus-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int drop(const char *path, const struct stat *info, int kind, struct FTW *walk)
{
    (void)info, (void)kind, (void)walk;
    return remove(path);
}

static void drop_root(void)
{
    nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes root/path, making its folders. */
static void put(const char *path, const char *text)
{
    char full[256];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

static double quota(const char *membership)
{
    char path[128];
    put("membership", membership);
    snprintf(path, sizeof path, "%s/membership", root);
    return cpus_quota(root, path);
}

START_TEST(a_v2_group_may_have_none)
{
    put("a/cpu.max", "max 100000\n");
    ck_assert_double_eq(quota("0::/a\n"), 0);
}
END_TEST

START_TEST(a_v2_group_has_its_quota)
{
    put("a/b/cpu.max", "150000 100000\n");
    ck_assert_double_eq_tol(quota("0::/a/b\n"), 1.5, 1e-9);
}
END_TEST

START_TEST(the_least_quota_above_counts)
{
    put("a/cpu.max", "50000 100000\n");
    put("a/b/cpu.max", "400000 100000\n");
    put("a/b/c/cpu.max", "max 100000\n");
    ck_assert_double_eq_tol(quota("0::/a/b/c\n"), 0.5, 1e-9);
}
END_TEST

/* In a container the group is the root of what can be seen. */
START_TEST(the_root_itself_counts)
{
    put("cpu.max", "200000 100000\n");
    ck_assert_double_eq_tol(quota("0::/\n"), 2, 1e-9);
    ck_assert_double_eq_tol(quota("0::/not/visible/here\n"), 2, 1e-9);
}
END_TEST

START_TEST(a_v1_group_has_its_quota)
{
    put("cpu/docker/x/cpu.cfs_quota_us", "250000\n");
    put("cpu/docker/x/cpu.cfs_period_us", "100000\n");
    put("cpu/docker/cpu.cfs_quota_us", "-1\n");
    put("cpu/docker/cpu.cfs_period_us", "100000\n");
    ck_assert_double_eq_tol(
        quota("12:cpuset:/docker/x\n4:cpu,cpuacct:/docker/x\n1:name=systemd:/docker/x\n"), 2.5,
        1e-9);
    ck_assert_double_eq(quota("12:cpuset:/docker/x\n3:cpuacct:/docker/x\n"), 0);
}
END_TEST

START_TEST(nonsense_is_no_quota)
{
    put("a/cpu.max", "lots of them\n");
    ck_assert_double_eq(quota("0::/a\n"), 0);
    ck_assert_double_eq(quota("garbage\n0:\n\n"), 0);
    put("a/cpu.max", "100000 0\n");
    ck_assert_double_eq(quota("0::/a\n"), 0);
    put("a/cpu.max", "");
    ck_assert_double_eq(quota("0::/a\n"), 0);
    ck_assert_double_eq(cpus_quota(root, "/nonexistent"), 0);
}
END_TEST

START_TEST(there_is_a_cpu)
{
    ck_assert_uint_ge(cpus_usable(), 1);
    ck_assert_uint_le(cpus_usable(), (size_t)sysconf(_SC_NPROCESSORS_CONF));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cpus");
    TCase *tests = tcase_create("cpus");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, make_root, drop_root);
    tcase_add_test(tests, a_v2_group_may_have_none);
    tcase_add_test(tests, a_v2_group_has_its_quota);
    tcase_add_test(tests, the_least_quota_above_counts);
    tcase_add_test(tests, the_root_itself_counts);
    tcase_add_test(tests, a_v1_group_has_its_quota);
    tcase_add_test(tests, nonsense_is_no_quota);
    tcase_add_test(tests, there_is_a_cpu);
    return run_suite(suite);
}
