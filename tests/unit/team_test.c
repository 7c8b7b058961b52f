/* The thread team: every task once, by a valid thread, over and over, also after sleeping. */
#include "run/team.h"

#include <stdatomic.h>
#include <time.h>

#include "check_main.h"

#define TASKS 64

typedef struct {
    atomic_int done[TASKS];
    size_t threads;
    atomic_int bad_thread;
} tally;

static void count_task(void *context, size_t task, size_t thread)
{
    tally *t = context;
    atomic_fetch_add(&t->done[task], 1);
    if (thread >= t->threads) atomic_fetch_add(&t->bad_thread, 1);
}

static void run_rounds(rn_team *team, size_t rounds, size_t tasks)
{
    tally t = {.threads = rn_team_threads(team)};
    for (size_t i = 0; i < rounds; i++) rn_team_for(team, tasks, count_task, &t);
    for (size_t i = 0; i < TASKS; i++)
        ck_assert_int_eq(atomic_load(&t.done[i]), i < tasks ? (int)rounds : 0);
    ck_assert_int_eq(atomic_load(&t.bad_thread), 0);
}

START_TEST(every_task_runs_once)
{
    rn_team *team;
    rn_error err;
    ck_assert_int_eq(rn_team_new(&team, (size_t)_i, false, &err), RN_OK);
    ck_assert_uint_eq(rn_team_threads(team), (size_t)_i);
    run_rounds(team, 2000, TASKS);
    run_rounds(team, 2000, 3);
    run_rounds(team, 10, 1);
    run_rounds(team, 10, 0);
    rn_team_free(team);
}
END_TEST

START_TEST(sleeping_threads_wake_up)
{
    rn_team *team;
    rn_error err;
    ck_assert_int_eq(rn_team_new(&team, 3, true, &err), RN_OK);
    for (int i = 0; i < 20; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
        run_rounds(team, 1, TASKS);
    }
    rn_team_free(team);
}
END_TEST

START_TEST(an_idle_team_uses_no_cpu)
{
    rn_team *team;
    rn_error err;
    ck_assert_int_eq(rn_team_new(&team, 2, false, &err), RN_OK);
    run_rounds(team, 100, TASKS);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    const clock_t before = clock();
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    ck_assert_int_lt((int)(clock() - before), (int)(CLOCKS_PER_SEC / 50));
    rn_team_free(team);
}
END_TEST

START_TEST(no_team_is_a_team_of_one)
{
    ck_assert_uint_eq(rn_team_threads(NULL), 1);
    run_rounds(NULL, 5, TASKS);
}
END_TEST

START_TEST(thread_counts_are_checked)
{
    rn_team *team = NULL;
    rn_error err;
    ck_assert_int_eq(rn_team_new(&team, 0, false, &err), RN_ERR_ARGUMENT);
    ck_assert_int_eq(rn_team_new(&team, 1000000, false, &err), RN_ERR_ARGUMENT);
    ck_assert_ptr_null(team);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("team");
    tcase_add_loop_test(tests, every_task_runs_once, 1, 5);
    tcase_add_test(tests, sleeping_threads_wake_up);
    tcase_add_test(tests, an_idle_team_uses_no_cpu);
    tcase_add_test(tests, no_team_is_a_team_of_one);
    tcase_add_test(tests, thread_counts_are_checked);
    Suite *suite = suite_create("team");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
