/* The pool: every task runs once or is given back, in the order of priorities, within the bound. */
#include "pool.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>

#include "clock.h"

#include "check_main.h"

enum { MOST = 16, LIMIT_BYTES = 1000 };

/* A task that says who it was. */
struct named {
    struct task task; /* first */
    int name;
    atomic_int runs;
    sem_t done;
};

static sem_t gate, entered;  /* tasks named 0 post `entered` and wait for the gate */
static char thread_name[16]; /* of who ran the last one */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int order[MOST];
static size_t ran;

static void run(struct task *task)
{
    struct named *named = (struct named *)task;
    if (named->name == 0) {
        sem_post(&entered);
        sem_wait(&gate);
    }
    pthread_mutex_lock(&lock);
    pthread_getname_np(pthread_self(), thread_name, sizeof thread_name);
    if (ran < MOST) order[ran++] = named->name;
    pthread_mutex_unlock(&lock);
    atomic_fetch_add(&named->runs, 1);
    sem_post(&named->done);
}

static void named_init(struct named *named, int name, enum priority priority)
{
    memset(named, 0, sizeof *named);
    named->task = (struct task){.run = run, .priority = priority};
    named->name = name;
    sem_init(&named->done, 0, 0);
}

static struct pool *pool;
static struct named blocker;

/* One thread, which is busy until the gate opens. */
static void start_blocked(size_t limit)
{
    sem_init(&gate, 0, 0);
    sem_init(&entered, 0, 0);
    pool = pool_new("one", 1, (struct pool_limits){limit, LIMIT_BYTES});
    ck_assert_ptr_nonnull(pool);
    named_init(&blocker, 0, PRIORITY_NORMAL);
    ck_assert_int_eq(pool_push(pool, &blocker.task), POOL_OK);
    sem_wait(&entered);
}

START_TEST(in_order_of_priority)
{
    static const int names[] = {101, 102, 201, 202, 203, 204, 205};
    static const int want[] = {0, 201, 202, 203, 101, 204, 205, 102};
    struct named task[7];
    start_blocked(7);
    for (size_t i = 0; i < 7; i++) {
        named_init(&task[i], names[i], names[i] > 200 ? PRIORITY_HIGH : PRIORITY_NORMAL);
        ck_assert_int_eq(pool_push(pool, &task[i].task), POOL_OK);
    }
    sem_post(&gate);
    for (size_t i = 0; i < 7; i++) sem_wait(&task[i].done);
    pool_free(pool);
    ck_assert_uint_eq(ran, 8);
    ck_assert_mem_eq(order, want, sizeof want);
    ck_assert_str_eq(thread_name, "one");
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    struct named task[3];
    start_blocked(2);
    for (int i = 0; i < 3; i++) {
        named_init(&task[i], i + 1, PRIORITY_NORMAL);
        ck_assert_int_eq(pool_push(pool, &task[i].task), i < 2 ? POOL_OK : POOL_FULL);
    }
    sem_post(&gate);
    for (int i = 0; i < 2; i++) sem_wait(&task[i].done);
    ck_assert_int_eq(pool_push(pool, &task[2].task), POOL_OK); /* there is room again */
    sem_wait(&task[2].done);
    pool_free(pool);
}
END_TEST

static enum pool_answer push_bytes(struct named *named, size_t bytes)
{
    named_init(named, 1, PRIORITY_NORMAL);
    named->task.bytes = bytes;
    return pool_push(pool, &named->task);
}

START_TEST(so_are_its_bytes)
{
    struct named large, small[3], high;
    start_blocked(MOST);
    ck_assert_int_eq(push_bytes(&large, 2 * LIMIT_BYTES), POOL_OK); /* alone */
    ck_assert_int_eq(push_bytes(&small[0], 1), POOL_FULL);
    ck_assert(pool_cancel(pool, &large.task));
    ck_assert_int_eq(push_bytes(&small[0], LIMIT_BYTES - 2), POOL_OK);
    ck_assert_int_eq(push_bytes(&small[1], 3), POOL_FULL);
    ck_assert_int_eq(push_bytes(&small[1], 2), POOL_OK);
    named_init(&high, 2, PRIORITY_HIGH);
    high.task.bytes = 1;
    ck_assert_int_eq(pool_push(pool, &high.task), POOL_FULL);
    ck_assert_int_eq(push_bytes(&small[2], SIZE_MAX), POOL_FULL);
    sem_post(&gate);
    for (int i = 0; i < 2; i++) sem_wait(&small[i].done);
    ck_assert_int_eq(push_bytes(&small[2], LIMIT_BYTES), POOL_OK); /* there is room again */
    sem_wait(&small[2].done);
    pool_free(pool);
}
END_TEST

START_TEST(a_cancelled_task_does_not_run)
{
    struct named task[4];
    start_blocked(3);
    for (int i = 0; i < 4; i++) named_init(&task[i], i + 1, PRIORITY_NORMAL);
    ck_assert(!pool_cancel(pool, &task[3].task)); /* not pushed yet */
    ck_assert_int_eq(pool_push(pool, &task[3].task), POOL_CANCELLED);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(pool_push(pool, &task[i].task), POOL_OK);
    ck_assert(pool_cancel(pool, &task[2].task)); /* the last one */
    ck_assert(pool_cancel(pool, &task[0].task));
    ck_assert(!pool_cancel(pool, &blocker.task)); /* it runs */
    named_init(&task[2], 3, PRIORITY_NORMAL);
    ck_assert_int_eq(pool_push(pool, &task[2].task), POOL_OK);
    sem_post(&gate);
    sem_wait(&task[1].done);
    sem_wait(&task[2].done);
    ck_assert(!pool_cancel(pool, &task[1].task)); /* it has run */
    pool_free(pool);
    static const int want[] = {0, 2, 3};
    ck_assert_uint_eq(ran, 3);
    ck_assert_mem_eq(order, want, sizeof want);
}
END_TEST

/* What waits and what runs, by what tasks took. */
START_TEST(when_to_come_back)
{
    struct named task[MOST];
    start_blocked(MOST);
    ck_assert_uint_eq(pool_retry_after(pool), 1); /* nothing is known yet */
    clock_sleep(300 * NS_PER_MS);
    sem_post(&gate);
    sem_wait(&blocker.done);
    named_init(&blocker, 0, PRIORITY_NORMAL);
    ck_assert_int_eq(pool_push(pool, &blocker.task), POOL_OK);
    sem_wait(&entered);
    for (size_t i = 0; i < MOST; i++) {
        named_init(&task[i], (int)i + 1, PRIORITY_NORMAL);
        ck_assert_int_eq(pool_push(pool, &task[i].task), POOL_OK);
    }
    const unsigned seconds = pool_retry_after(pool);
    ck_assert_uint_ge(seconds, 6); /* (MOST + 1) * 0.3, rounded up */
    ck_assert_uint_le(seconds, 60);
    sem_post(&gate);
    for (size_t i = 0; i < MOST; i++) sem_wait(&task[i].done);
    pool_free(pool);
}
END_TEST

static enum pool_answer push_within(struct named *named, enum priority priority, uint64_t ns)
{
    named_init(named, 1, priority);
    named->task.deadline = clock_ns() + ns;
    return pool_push(pool, &named->task);
}

/* By what waits in front of it: not by what runs, nor by itself. */
START_TEST(what_cannot_be_in_time_is_refused)
{
    enum { WAITING = 4 };
    struct named task[WAITING], high, first;
    start_blocked(MOST);
    clock_sleep(300 * NS_PER_MS);
    sem_post(&gate);
    sem_wait(&blocker.done); /* measured: 0.3 s at the least */
    named_init(&blocker, 0, PRIORITY_NORMAL);
    ck_assert_int_eq(pool_push(pool, &blocker.task), POOL_OK);
    sem_wait(&entered);
    ck_assert_int_eq(push_within(&first, PRIORITY_NORMAL, 1), POOL_OK);
    for (size_t i = 0; i < WAITING; i++) {
        ck_assert_int_eq(push_within(&task[i], PRIORITY_NORMAL, NS_PER_MS), POOL_BUSY);
        ck_assert_int_eq(push_within(&task[i], PRIORITY_NORMAL, 200 * NS_PER_MS), POOL_BUSY);
        ck_assert_int_eq(push_within(&task[i], PRIORITY_NORMAL, 3600 * NS_PER_SECOND), POOL_OK);
    }
    ck_assert_int_eq(push_within(&high, PRIORITY_HIGH, 200 * NS_PER_MS), POOL_OK);
    sem_post(&gate);
    sem_wait(&high.done);
    sem_wait(&first.done);
    for (size_t i = 0; i < WAITING; i++) sem_wait(&task[i].done);
    pool_free(pool);
    ck_assert_uint_eq(ran, 2 + 2 + WAITING);
}
END_TEST

static void *one_after_another(void *seed)
{
    for (size_t i = 0; i < 500; i++) {
        struct named task;
        named_init(&task, 1, (i + *(size_t *)seed) % 2 ? PRIORITY_HIGH : PRIORITY_NORMAL);
        while (pool_push(pool, &task.task) == POOL_FULL) clock_sleep(NS_PER_US);
        const bool out = i % 3 == 0 && pool_cancel(pool, &task.task);
        if (!out) sem_wait(&task.done);
        ck_assert_int_eq(atomic_load(&task.runs), !out);
        sem_destroy(&task.done);
    }
    return NULL;
}

START_TEST(many_threads)
{
    enum { THREADS = 8 };
    pthread_t thread[THREADS];
    size_t seed[THREADS];
    pool = pool_new("three", 3, (struct pool_limits){4, LIMIT_BYTES});
    ck_assert_ptr_nonnull(pool);
    for (size_t i = 0; i < THREADS; i++) {
        seed[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, one_after_another, &seed[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
    pool_free(pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tests = tcase_create("pool");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, in_order_of_priority);
    tcase_add_test(tests, the_queue_is_bounded);
    tcase_add_test(tests, so_are_its_bytes);
    tcase_add_test(tests, a_cancelled_task_does_not_run);
    tcase_add_test(tests, when_to_come_back);
    tcase_add_test(tests, what_cannot_be_in_time_is_refused);
    tcase_add_test(tests, many_threads);
    return run_suite(suite);
}
