/* The watch over deadlines and hang-ups, on socket pairs and TCP connections. */
#include "watch.h"

#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

#include "check_main.h"

static struct watch *watch;

struct client {
    struct watched watched; /* first */
    sem_t told;
    atomic_int events;
    enum watch_event last;
    int near, far;
    int again; /* how many events are to be told again */
};

static uint64_t on_event(struct watched *watched, enum watch_event event)
{
    struct client *client = (struct client *)watched;
    const int before = atomic_fetch_add(&client->events, 1);
    const bool again = before < client->again;
    client->last = event;
    sem_post(&client->told); /* once it is told for the last time, the client may be gone */
    return again ? clock_ns() + WATCH_AGAIN : 0;
}

/* Over TCP: a connection on loopback. */
static void client_open(struct client *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    memset(client, 0, sizeof *client);
    sem_init(&client->told, 0, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    client->far = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(client->far, (struct sockaddr *)&address, size), 0);
    client->near = accept(listener, NULL, NULL);
    ck_assert_int_ge(client->near, 0);
    close(listener);
    watch_open(watch, &client->watched, client->near);
}

static void await(struct client *client, uint64_t deadline)
{
    watch_set(watch, &client->watched, deadline, on_event);
}

static void expect(struct client *client, enum watch_event event)
{
    sem_wait(&client->told);
    ck_assert_int_eq(client->last, event);
    ck_assert_int_eq(atomic_load(&client->events), 1);
}

static void setup(void)
{
    watch = watch_new();
    ck_assert_ptr_nonnull(watch);
}

static void teardown(void)
{
    watch_free(watch);
}

START_TEST(a_closed_connection_is_a_hangup)
{
    static struct client client; /* the watch may look at it until its end */
    client_open(&client);
    await(&client, 0);
    close(client.far);
    expect(&client, WATCH_HANGUP);
}
END_TEST

START_TEST(a_connection_closed_before_is_a_hangup)
{
    static struct client client;
    client_open(&client);
    close(client.far);
    clock_sleep(10 * NS_PER_MS);
    await(&client, clock_ns() + 60 * NS_PER_SECOND);
    expect(&client, WATCH_HANGUP);
}
END_TEST

START_TEST(a_half_close_is_a_hangup)
{
    static struct client client;
    client_open(&client);
    await(&client, 0);
    shutdown(client.far, SHUT_WR);
    expect(&client, WATCH_HANGUP);
}
END_TEST

START_TEST(a_reset_is_a_hangup)
{
    static struct client client;
    const struct linger now = {.l_onoff = 1};
    client_open(&client);
    await(&client, 0);
    setsockopt(client.far, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client.far);
    expect(&client, WATCH_HANGUP);
}
END_TEST

/* What a client sends meanwhile tells nothing; its end behind that does. */
START_TEST(bytes_are_no_hangup)
{
    static struct client client;
    client_open(&client);
    ck_assert_int_eq(send(client.far, "GET", 3, 0), 3);
    await(&client, 0);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(send(client.far, "GET", 3, 0), 3);
        clock_sleep(5 * NS_PER_MS);
    }
    ck_assert_int_eq(atomic_load(&client.events), 0);
    close(client.far);
    expect(&client, WATCH_HANGUP);
}
END_TEST

START_TEST(a_deadline_passes)
{
    static struct client early, late;
    client_open(&early);
    client_open(&late);
    const uint64_t deadline = clock_ns() + 50 * NS_PER_MS;
    await(&late, clock_ns() + 120 * NS_PER_MS);
    await(&early, deadline);
    expect(&early, WATCH_DEADLINE);
    ck_assert_uint_ge(clock_ns(), deadline);
    expect(&late, WATCH_DEADLINE);
    /* it is not watched any more: the end of it is no event */
    close(early.far);
    clock_sleep(20 * NS_PER_MS);
    ck_assert_int_eq(atomic_load(&early.events), 1);
}
END_TEST

START_TEST(a_deadline_of_long_ago)
{
    static struct client client;
    client_open(&client);
    await(&client, 1);
    expect(&client, WATCH_DEADLINE);
}
END_TEST

START_TEST(what_was_removed_is_not_told)
{
    static struct client client;
    client_open(&client);
    watch_set(watch, &client.watched, 0, NULL); /* it never was there */
    for (int i = 0; i < 200; i++) {
        await(&client, clock_ns() + (uint64_t)(i % 3) * NS_PER_MS / 2);
        watch_set(watch, &client.watched, 0, NULL);
        const int events = atomic_load(&client.events);
        clock_sleep(NS_PER_MS / 4);
        ck_assert_int_eq(atomic_load(&client.events), events);
    }
    close(client.far);
    const int events = atomic_load(&client.events);
    clock_sleep(10 * NS_PER_MS);
    ck_assert_int_eq(atomic_load(&client.events), events);
}
END_TEST

/* The last watch_set() counts. */
START_TEST(watched_anew)
{
    static struct client client;
    client_open(&client);
    await(&client, clock_ns() + 3600 * NS_PER_SECOND);
    await(&client, 0);
    await(&client, clock_ns() + 20 * NS_PER_MS);
    expect(&client, WATCH_DEADLINE);
}
END_TEST

/* Who is gone is gone for whoever asks next. */
START_TEST(a_hangup_is_remembered)
{
    static struct client client;
    client_open(&client);
    await(&client, 0);
    close(client.far);
    expect(&client, WATCH_HANGUP);
    for (int i = 0; i < 3; i++) {
        atomic_store(&client.events, 0);
        await(&client, i ? clock_ns() + 60 * NS_PER_SECOND : 0);
        expect(&client, WATCH_HANGUP);
    }
}
END_TEST

/* A connection that has hung up and has no event any more has a deadline of long ago: it must not
 * hide those of the others. */
START_TEST(a_deadline_of_one_told_nothing_hides_none)
{
    static struct client gone, waiting;
    client_open(&gone);
    client_open(&waiting);
    await(&gone, 0);
    close(gone.far);
    expect(&gone, WATCH_HANGUP);
    clock_sleep(50 * NS_PER_MS); /* by then the watch's thread sleeps */
    watch_set(watch, &gone.watched, 0, NULL);
    await(&waiting, clock_ns() + 20 * NS_PER_MS);
    expect(&waiting, WATCH_DEADLINE);
}
END_TEST

START_TEST(told_again)
{
    static struct client passes, leaves;
    client_open(&passes);
    client_open(&leaves);
    passes.again = leaves.again = 3;
    const uint64_t began = clock_ns();
    await(&passes, began + NS_PER_MS);
    await(&leaves, 0);
    close(leaves.far);
    for (int i = 0; i < 4; i++) {
        sem_wait(&passes.told);
        sem_wait(&leaves.told);
    }
    ck_assert_uint_ge(clock_ns() - began, 3 * WATCH_AGAIN);
    ck_assert_int_eq(passes.last, WATCH_DEADLINE);
    ck_assert_int_eq(leaves.last, WATCH_HANGUP);
    clock_sleep(2 * WATCH_AGAIN);
    ck_assert_int_eq(atomic_load(&passes.events), 4);
    ck_assert_int_eq(atomic_load(&leaves.events), 4);
}
END_TEST

/* Another watch_set() ends it. */
START_TEST(told_again_until_it_is_removed)
{
    static struct client client;
    client_open(&client);
    client.again = 1000;
    await(&client, 1);
    sem_wait(&client.told);
    sem_wait(&client.told);
    watch_set(watch, &client.watched, 0, NULL);
    const int events = atomic_load(&client.events);
    clock_sleep(2 * WATCH_AGAIN);
    ck_assert_int_eq(atomic_load(&client.events), events);
}
END_TEST

static void *one_after_another(void *seed)
{
    for (size_t i = 0; i < 60; i++) {
        struct client client;
        client_open(&client);
        const bool hangup = (i + *(size_t *)seed) % 2, removed = i % 5 == 0;
        await(&client, hangup ? 0 : clock_ns() + NS_PER_MS);
        if (removed) watch_set(watch, &client.watched, 0, NULL);
        close(client.far);
        if (!removed) sem_wait(&client.told);
        watch_close(watch, &client.watched);
        close(client.near);
    }
    return NULL;
}

START_TEST(many_threads)
{
    enum { THREADS = 8 };
    pthread_t thread[THREADS];
    size_t seed[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        seed[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, one_after_another, &seed[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(thread[i], NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("watch");
    TCase *tests = tcase_create("watch");
    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_closed_connection_is_a_hangup);
    tcase_add_test(tests, a_connection_closed_before_is_a_hangup);
    tcase_add_test(tests, a_half_close_is_a_hangup);
    tcase_add_test(tests, a_reset_is_a_hangup);
    tcase_add_test(tests, bytes_are_no_hangup);
    tcase_add_test(tests, a_deadline_passes);
    tcase_add_test(tests, a_deadline_of_long_ago);
    tcase_add_test(tests, what_was_removed_is_not_told);
    tcase_add_test(tests, watched_anew);
    tcase_add_test(tests, a_hangup_is_remembered);
    tcase_add_test(tests, a_deadline_of_one_told_nothing_hides_none);
    tcase_add_test(tests, told_again);
    tcase_add_test(tests, told_again_until_it_is_removed);
    tcase_add_test(tests, many_threads);
    return run_suite(suite);
}
