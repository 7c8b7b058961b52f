/* Many clients at once, and the end under load: nothing that was accepted is lost. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "http/fixture.h"

#include "check_main.h"

enum { CLIENTS = 64, PIXELS = 784 };

static atomic_size_t answered, refused, lost, wrong;
static atomic_bool finish;
static size_t rounds; /* written before the clients start; 0: until `finish` */

/* What the daemon must answer to client i: asked for once, alone. */
static char *want[CLIENTS];

static void make_image(size_t i, float *image)
{
    for (size_t p = 0; p < PIXELS; p++) image[p] = (float)((p * (i + 3)) % 17) / 8 - 1;
}

static bool send_image(int fd, size_t i)
{
    float image[PIXELS];
    make_image(i, image);
    return client_send_request(fd, "POST", "/infer?top_k=1",
                               "Content-Type: application/octet-stream\r\n", image, sizeof image);
}

/* "class" of the answer: batches of other sizes may differ in the last bits of a logit. */
static const char *class_of(const char *body)
{
    const char *at = body ? strstr(body, "\"class\":") : NULL;
    return at ? at : "";
}

static void ask_alone(void)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        const int fd = client_open(server.port);
        ck_assert(send_image(fd, i));
        struct response response = client_receive(fd);
        ck_assert_int_eq(response.status, 200);
        want[i] = strdup(class_of(response.body));
        response_free(&response);
        close(fd);
    }
}

static void count(const struct response *response, size_t i)
{
    const char *got = class_of(response->body);
    const size_t length = strcspn(want[i], ",");
    if (response->status == 429 || response->status == 503)
        refused++;
    else if (response->status != 200)
        lost++;
    else if (strncmp(got, want[i], length + 1))
        wrong++;
    else
        answered++;
}

/* One client: keeps its connection for as long as the daemon does. A request that could be sent
 * whole on a connection that was made must be answered. */
static void *client_main(void *argument)
{
    const size_t i = *(const size_t *)argument;
    int fd = -1;
    for (size_t round = 0; rounds ? round < rounds : !atomic_load(&finish); round++) {
        if (fd < 0) fd = client_open(server.port);
        if (fd < 0) break; /* nobody listens any more */
        if (!send_image(fd, i)) lost++;
        struct response response = client_receive(fd);
        count(&response, i);
        if (response.status == 0 || response.close || round % 50 == 49) {
            close(fd);
            fd = -1;
        }
        response_free(&response);
    }
    if (fd >= 0) close(fd);
    return NULL;
}

static void start_clients(pthread_t thread[CLIENTS], size_t index[CLIENTS])
{
    for (size_t i = 0; i < CLIENTS; i++) {
        index[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, client_main, &index[i]), 0);
    }
}

static void release(void)
{
    for (size_t i = 0; i < CLIENTS; i++) free(want[i]);
}

START_TEST(sixty_four_clients)
{
    pthread_t thread[CLIENTS];
    size_t index[CLIENTS];
    const char *wanted = getenv("LOAD_ROUNDS"); /* fewer where a sanitizer makes it slow */
    DAEMON_START(&server, "--log-level", "warning");
    ask_alone();
    rounds = wanted ? strtoul(wanted, NULL, 10) : 60;
    start_clients(thread, index);
    for (size_t i = 0; i < CLIENTS; i++) pthread_join(thread[i], NULL);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(refused, 0);
    ck_assert_uint_eq(answered, CLIENTS * rounds);
    ck_assert_uint_gt(answered, 0);
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 0);
    release();
}
END_TEST

/* Every request that was sent is answered, those on their way when the signal comes too. */
START_TEST(the_end_under_load)
{
    static const char *const workers[] = {"1", "3"};
    pthread_t thread[CLIENTS];
    size_t index[CLIENTS];
    DAEMON_START(&server, "--log-level", "warning", "--workers", workers[_i % 2]);
    ask_alone();
    start_clients(thread, index);
    for (int i = 0; i < 6000 && answered <= 2 * CLIENTS; i++) clock_sleep(10 * NS_PER_MS);
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 0);
    atomic_store(&finish, true);
    for (size_t i = 0; i < CLIENTS; i++) pthread_join(thread[i], NULL);
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(refused, 0);
    ck_assert_uint_gt(answered, CLIENTS);
    release();
}
END_TEST

/* The whole daemon stands still for a while, as on a machine that has too much to do: the time that
 * passes is no reason to think that a request was answered. */
START_TEST(the_end_of_a_starved_daemon)
{
    DAEMON_START(&server, "--max-delay", "1500000");
    const int fd = client_open(server.port);
    ck_assert(send_image(fd, 1));
    await_metric("resnetd_model_requests_total{model=\"fashion-resnet\",priority=\"normal\"}", 1);
    kill(server.pid, SIGTERM);
    free(await_log("event=stopping", 1));
    kill(server.pid, SIGSTOP);
    clock_sleep(600 * NS_PER_MS);
    kill(server.pid, SIGCONT);
    struct response response = client_receive(fd);
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    close(fd);
    ck_assert_int_eq(daemon_stop(&server, 0), 0);
}
END_TEST

/* A queue that is too small for them all: refusals with 429, and everything else is answered. Again
 * where they came one after the other. */
START_TEST(more_clients_than_the_queue_holds)
{
    pthread_t thread[CLIENTS];
    size_t index[CLIENTS], times = 0;
    DAEMON_START(&server, "--log-level", "warning", "--queue-samples", "8", "--max-delay", "2000");
    ask_alone();
    rounds = 20;
    while (refused == 0 && times++ < 20) {
        start_clients(thread, index);
        for (size_t i = 0; i < CLIENTS; i++) pthread_join(thread[i], NULL);
    }
    ck_assert_uint_eq(lost, 0);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(refused, 0);
    ck_assert_uint_gt(answered, 0);
    ck_assert_uint_eq(answered + refused, times * CLIENTS * rounds);
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 0);
    release();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("load");
    TCase *tests = tcase_create("load");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 250);
    tcase_add_test(tests, sixty_four_clients);
    tcase_add_loop_test(tests, the_end_under_load, 0, 4);
    tcase_add_test(tests, the_end_of_a_starved_daemon);
    tcase_add_test(tests, more_clients_than_the_queue_holds);
    return run_suite(suite);
}
