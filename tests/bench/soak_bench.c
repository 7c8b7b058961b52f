/* make soak: does the daemon stay right, whole and small for as long as it is asked for more than
 * it can do?
 *
 *   SOAK_SECONDS=20 soak_bench      from the repository's folder; $RESNETD or build/resnetd
 *
 * Clients of all forms (soak_forms.c) first measure the daemon's capacity, each asking as soon as
 * it is answered. Then requests are due at twice that rate, whether they are answered or not; one
 * of twelve clients hangs up, in turn while it sends the headers, the body, while it waits and
 * while it reads the answer; and the models are reloaded all the time, by SIGHUP and by the
 * repository.
 *
 * It fails on an answer that is not the one that its form got alone, to the bit, which for tensors
 * are the engine's outputs; on a request that got none; on a status that is not 200, 429, 503 or
 * 504; on a reload that fails; when memory rises over the second half of the run; when descriptors
 * or requests are left afterwards; and when the daemon does not end with 0, as one under a
 * sanitizer that has something to report. Nothing is held to a speed. */
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/soak_forms.h"
#include "clock.h"
#include "http/fixture.h"
#include "resnet.h"

#include "check_main.h"

#define WEIGHTS "deploy/models/fashion-resnet/model.safetensors"

/* CLIENTS have more samples on their way than the daemon's queue holds, FEW have not. */
enum { CLIENTS = 96, FEW = 12, PER_CONNECTION = 40, LEAVES = 12 };
enum { MEASURE = 8, LEAST = 60 }; /* the capacity: an 8th of the run; each at least 60 requests */
enum { PARTS = 60 };              /* of the run: memory is read after each */

/* Where in a request a client hangs up. */
enum phase { HEADERS, BODY, WAITING, ANSWER, PHASES };
static const char *const phase_name[PHASES] = {"headers", "body", "waiting", "answer"};

static struct soak_form form[SOAK_FORMS_MAX];
static size_t forms;
static struct response want[SOAK_FORMS_MAX];

/* Of all clients. */
static struct {
    atomic_size_t next; /* request */
    atomic_size_t right[SOAK_FORMS_MAX], status[600], left[PHASES];
    atomic_size_t answered, wrong, lost, reloads, bad_reloads;
    atomic_bool stop;
    /* constant while clients run */
    double rate; /* requests a second; 0: each client asks as soon as it is answered */
    uint64_t began, end;
} all;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char failure[1000]; /* under the lock: the first one */

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&lock);
    if (!*failure) vsnprintf(failure, sizeof failure, format, arguments);
    pthread_mutex_unlock(&lock);
    va_end(arguments);
}

/* ---- one client ------------------------------------------------------------------------------ */

struct client {
    int fd; /* -1: none */
    size_t made;
    size_t size;
    char answer[1 << 16];
};

static void leave(struct client *client)
{
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
}

/* Reads an answer, as many bytes at once as there are; nothing follows on it. False: none came. */
static bool read_answer(struct client *client, struct response *answer)
{
    char value[32];
    size_t whole = 0;
    *answer = (struct response){.head = client->answer};
    for (client->size = 0; !whole || client->size < whole;) {
        const size_t room = sizeof client->answer - 1 - client->size;
        const ssize_t got = recv(client->fd, client->answer + client->size, room, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        client->size += (size_t)got;
        client->answer[client->size] = '\0';
        const char *end = whole ? NULL : strstr(client->answer, "\r\n\r\n");
        if (!end) continue;
        if (!response_header(answer, "Content-Length", value, sizeof value)) return false;
        answer->body = client->answer + (end + 4 - client->answer);
        answer->size = strtoul(value, NULL, 10);
        whole = (size_t)(answer->body - client->answer) + answer->size;
        if (whole >= sizeof client->answer) return false;
    }
    answer->status = (int)strtol(client->answer + 9, NULL, 10);
    answer->close =
        response_header(answer, "Connection", value, sizeof value) && !strcasecmp(value, "close");
    return client->size == whole && answer->status > 0 && answer->status < 600;
}

static void judge(size_t number, size_t kind, const struct response *answer)
{
    const struct response *right = &want[kind];
    atomic_fetch_add(&all.status[answer->status], 1);
    atomic_fetch_add(&all.answered, 1);
    if (answer->status == 429 || answer->status == 503 || answer->status == 504) return;
    if (answer->status == 200 && answer->size == right->size &&
        !memcmp(answer->body, right->body, right->size)) {
        atomic_fetch_add(&all.right[kind], 1);
        return;
    }
    atomic_fetch_add(&all.wrong, 1);
    note("request %zu (%s): %d %.500s", number, form[kind].name, answer->status, answer->body);
}

/* Hangs up in that phase; every second time by a reset, where the daemon has more to send. */
static void hang_up(struct client *client, size_t number, const struct soak_form *f,
                    enum phase phase)
{
    const struct linger now = {.l_onoff = 1};
    const size_t body = f->size - f->head;
    char byte;
    size_t size = f->size;
    if (phase == HEADERS) size = number * 7 % f->head;
    if (phase == BODY) size = f->head + number * 11 % body;
    client_send(client->fd, f->bytes, size);
    if (phase == ANSWER) recv(client->fd, &byte, 1, 0);
    if (number % 2) setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    leave(client);
    atomic_fetch_add(&all.left[phase], 1);
}

static void ask(struct client *client, size_t number)
{
    const size_t kind = number % forms;
    const struct soak_form *f = &form[kind];
    struct response answer;
    if (client->fd < 0) {
        client->fd = client_open(server.port);
        client->made = 0;
    }
    if (all.rate > 0 && number % LEAVES == 0) {
        hang_up(client, number, f, (enum phase)(number / LEAVES % PHASES));
        return;
    }
    client_send(client->fd, f->bytes, f->size); /* what is refused early is answered too */
    if (read_answer(client, &answer)) {
        judge(number, kind, &answer);
        if (answer.close || ++client->made == PER_CONNECTION) leave(client);
        return;
    }
    atomic_fetch_add(&all.lost, 1);
    note("request %zu (%s) got no answer, but %zu bytes", number, f->name, client->size);
    leave(client);
}

/* False: the run is over. */
static bool await_due(size_t number)
{
    uint64_t due = clock_ns();
    if (all.rate > 0) due = all.began + (uint64_t)((double)number / all.rate * 1e9);
    if (due >= all.end && number >= LEAST) return false;
    const struct timespec when = clock_timespec(due);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR) continue;
    return true;
}

static void *client_main(void *argument)
{
    struct client *client = calloc(1, sizeof *client);
    (void)argument;
    if (!client) abort();
    client->fd = -1;
    for (size_t number; number = atomic_fetch_add(&all.next, 1), await_due(number);)
        ask(client, number);
    leave(client);
    free(client);
    return NULL;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Loads both models again and again until the end; an answer ends each, so that none is skipped. */
static void *reload_main(void *argument)
{
    static const char *const load[] = {"/v2/repository/models/m/load",
                                       "/v2/repository/models/n/load"};
    (void)argument;
    for (size_t i = 0; !atomic_load(&all.stop); i++) {
        if (i % 2) kill(server.pid, SIGHUP);
        struct response answer = client_post_json(server.port, load[i % 2], "{}");
        const bool good = answer.status == 200;
        atomic_fetch_add(good ? &all.reloads : &all.bad_reloads, 1);
        if (!good) note("a load: %d %s", answer.status, answer.body ? answer.body : "no answer");
        response_free(&answer);
        clock_sleep(200 * NS_PER_MS);
    }
    return NULL;
}

static void start_clients(pthread_t *thread, size_t count, double rate, double seconds)
{
    all.rate = rate;
    all.began = clock_ns();
    all.end = all.began + (uint64_t)(seconds * 1e9);
    atomic_store(&all.next, 0);
    atomic_store(&all.answered, 0);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, client_main, NULL), 0);
}

static void join_clients(const pthread_t *thread, size_t count)
{
    for (size_t i = 0; i < count; i++) pthread_join(thread[i], NULL);
}

static double resident_mb(void)
{
    return metric("process_resident_memory_bytes") / (1 << 20);
}

static size_t descriptors(void)
{
    char pattern[40];
    glob_t found;
    snprintf(pattern, sizeof pattern, "/proc/%d/fd/*", (int)server.pid);
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    const size_t count = found.gl_pathc;
    globfree(&found);
    return count;
}

/* How steep the line through the values is, by Theil and Sen: the median of all slopes between two
 * of them, which a single step or peak does not move. */
static double slope(const double *value, size_t count)
{
    static double slopes[PARTS * PARTS];
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t j = i + 1; j < count; j++)
            slopes[used++] = (value[j] - value[i]) / (double)(j - i);
    for (size_t i = 1; i < used; i++)
        for (size_t j = i; j && slopes[j] < slopes[j - 1]; j--) {
            const double other = slopes[j];
            slopes[j] = slopes[j - 1];
            slopes[j - 1] = other;
        }
    return slopes[used / 2];
}

static void show(double seconds, double resident)
{
    printf("%6.0f s %9zu answers %9zu right %6zu reloads %8.1f MiB\n", seconds,
           atomic_load(&all.answered), atomic_load(&all.status[200]), atomic_load(&all.reloads),
           resident);
    fflush(stdout);
}

/* Waits for the end, and reads the daemon's memory meanwhile. */
static void watch_memory(double resident[PARTS], double seconds)
{
    for (size_t i = 0; i < PARTS; i++) {
        const uint64_t until = all.began + (uint64_t)(seconds * 1e9 * (double)(i + 1) / PARTS),
                       at = clock_ns();
        if (at < until) clock_sleep(until - at);
        resident[i] = resident_mb();
        if ((i + 1) % (PARTS / 10) == 0) show((double)(clock_ns() - all.began) / 1e9, resident[i]);
    }
}

/* A sanitizer keeps freed memory for a while, and shadows of it. */
static void expect_flat(const double resident[PARTS], double seconds)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const double share = 0.15, least = 32;
#else
    const double share = 0.05, least = 4;
#endif
    const double *half = resident + PARTS / 2;
    const double rise = slope(half, PARTS / 2) * (PARTS / 2 - 1), end = resident[PARTS - 1];
    const double allowed = share * end > least ? share * end : least;
    printf("memory: %+.2f MiB in %.0f s, of %.1f; %.1f are allowed\n", rise, seconds / 2, end,
           allowed);
    ck_assert_msg(rise <= allowed, "memory rises by %.1f MiB in %.0f s", rise, seconds / 2);
}

/* ---- before and after ------------------------------------------------------------------------ */

/* What the engine itself makes of the sample. */
static void engine_outputs(float output[10])
{
    const rn_model_options options = {.input_height = SOAK_SIDE, .input_width = SOAK_SIDE};
    rn_model *model;
    rn_session *session;
    ck_assert_int_eq(rn_model_load(&model, WEIGHTS, &options, NULL), RN_OK);
    ck_assert_int_eq(rn_session_new(&session, model, NULL, NULL), RN_OK);
    ck_assert_int_eq(rn_session_run(session, soak_image(), 1, output, NULL), RN_OK);
    rn_session_free(session);
    rn_model_release(model);
}

/* Each form alone: what it is to be answered. What may be too late for it is the engine's. */
static void ask_alone(void)
{
    static float output[10];
    engine_outputs(output);
    for (size_t i = 0; i < forms; i++) {
        if (form[i].deadline) {
            want[i] = (struct response){.body = (char *)output, .size = sizeof output};
            continue;
        }
        const int fd = client_open(server.port);
        ck_assert(client_send(fd, form[i].bytes, form[i].size));
        want[i] = client_receive(fd);
        close(fd);
        ck_assert_msg(want[i].status == 200, "%s: %d %s", form[i].name, want[i].status,
                      want[i].body);
        ck_assert(!form[i].samples || want[i].size == form[i].samples * sizeof output);
        for (size_t k = 0; k < form[i].samples; k++)
            ck_assert_msg(!memcmp(want[i].body + k * sizeof output, output, sizeof output),
                          "%s: not the engine's outputs", form[i].name);
    }
}

static void set_up(void)
{
    setenv("ASAN_OPTIONS", "quarantine_size_mb=4", 0); /* freed memory is no growth */
    forms = soak_forms_make(form);
    DAEMON_START(&server, "--model", "m=" WEIGHTS, "--model",
                 "n=deploy/models/fashion-reslayer/model.safetensors", "--input-size",
                 SOAK_SIDE_TEXT, "--workers", "1", "--threads", "1", "--queue-samples", "128",
                 "--decoders", "1", "--decoder-queue", "8", "--timeout", "60000", "--idle-timeout",
                 "600", "--body-timeout", "600", "--model-control", "explicit", "--log-level",
                 "warning");
    ask_alone();
}

static void tear_down(void)
{
    ck_assert_int_eq(daemon_stop(&server, SIGTERM), 0);
    for (size_t i = 0; i < forms; i++) response_free(&want[i]);
    soak_forms_free(form, forms);
}

static void expect_all_right(void)
{
    printf("answers: %zu of 200, %zu of 429, %zu of 503, %zu of 504; hung up:",
           atomic_load(&all.status[200]), atomic_load(&all.status[429]),
           atomic_load(&all.status[503]), atomic_load(&all.status[504]));
    for (size_t i = 0; i < PHASES; i++)
        printf(" %zu (%s)", atomic_load(&all.left[i]), phase_name[i]);
    printf("; %zu wrong, %zu lost, %zu reloads failed\n", atomic_load(&all.wrong),
           atomic_load(&all.lost), atomic_load(&all.bad_reloads));
    ck_assert_msg(!*failure, "%s", failure);
    for (size_t i = 0; i < forms; i++)
        ck_assert_msg(form[i].deadline || atomic_load(&all.right[i]) > 0, "%s: not one answer",
                      form[i].name);
    for (size_t i = 0; i < PHASES; i++) ck_assert_uint_gt(atomic_load(&all.left[i]), 0);
    ck_assert_uint_gt(atomic_load(&all.reloads), 0);
}

/* Connections end, and with them what they had; what libraries open once was open before. */
static void expect_nothing_left(size_t before)
{
    await_metric("resnetd_http_requests_active", 1);
    await_metric("resnetd_http_connections", 1);
    await_metric("resnetd_queue_samples{model=\"m\"}", 0);
    await_metric("resnetd_reading_bytes", 0);
    size_t now = descriptors();
    for (int i = 0; i < 6000 && now > before; i++, now = descriptors()) clock_sleep(10 * NS_PER_MS);
    ck_assert_msg(now <= before, "%zu descriptors, %zu before", now, before);
}

static double seconds_wanted(void)
{
    const char *text = getenv("SOAK_SECONDS");
    const double seconds = text ? strtod(text, NULL) : 0;
    return seconds > 0 ? seconds : 20;
}

START_TEST(soak)
{
    pthread_t client[CLIENTS], reloader;
    double resident[PARTS];
    const double seconds = seconds_wanted();
    const size_t before = descriptors();
    start_clients(client, FEW, 0, seconds / MEASURE);
    join_clients(client, FEW);
    const double took = (double)(clock_ns() - all.began) / 1e9;
    const double capacity = (double)atomic_load(&all.status[200]) / took;
    ck_assert_msg(!*failure && capacity > 0, "%s", failure);
    printf("capacity: %.0f answers a second of %zu forms; asked for twice that\n", capacity, forms);
    start_clients(client, CLIENTS, 2 * capacity, seconds);
    ck_assert_int_eq(pthread_create(&reloader, NULL, reload_main, NULL), 0);
    watch_memory(resident, seconds);
    join_clients(client, CLIENTS);
    atomic_store(&all.stop, true);
    pthread_join(reloader, NULL);
    const double whole = (double)(clock_ns() - all.began) / 1e9;
    printf("asked: %.0f a second\n", (double)atomic_load(&all.next) / whole);
    expect_all_right();
    expect_nothing_left(before);
    expect_flat(resident, seconds);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soak");
    TCase *tests = tcase_create("soak");
    suite_add_tcase(suite, tests);
    tcase_add_unchecked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 600 + 3 * seconds_wanted());
    tcase_add_test(tests, soak);
    return run_suite(suite);
}
