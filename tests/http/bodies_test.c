/* Hostile bodies against a real daemon: valid requests of every route and form, changed at random,
 * sent in pieces cut at random, by several clients at once.
 *
 * Each gets a well-formed answer: the right bits where it is still valid, else a result or a JSON
 * error, and the same one when it is sent again in one piece. Afterwards the daemon is no larger
 * than in the beginning, gives the right bits, and ends with 0 and no report of a sanitizer.
 * $HOSTILE_BODIES says how many, $HOSTILE_SEED which; `make hostile` runs a million under ASan.
 *
 * They are sent in parts, each a test, so in a process, of its own: Check takes none that lasts for
 * more than 35 minutes. */
#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "http/fixture.h"
#include "http/mutate.h"
#include "resnet.h"

#include "check_main.h"

enum { PARTS = 10, CLIENTS = 3, FORMS = 64, WIRE = 4 * MUTATE_MOST };
enum { FEW = 3000, GROWTH_KB = 24 << 10 };

#define WEIGHTS "deploy/models/fashion-resnet/model.safetensors"

static struct response want[FORMS]; /* of each template */
static size_t bodies, seed;
static uint64_t began;

/* Of all parts: their processes share it. */
struct tally {
    atomic_size_t next, results, errors, repeated;
    size_t first_kb; /* after the first part */
    atomic_bool failed;
};
static struct tally *tally;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char failure[4096]; /* under the lock; the first one */

static size_t number_of(const char *name, size_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtoul(text, NULL, 10) : fallback;
}

/* ---- sending --------------------------------------------------------------------------------- */

struct wire {
    size_t size;
    char bytes[WIRE];
};

static void append(struct wire *wire, const void *bytes, size_t size)
{
    ck_assert_uint_le(wire->size + size, WIRE);
    if (size) memcpy(wire->bytes + wire->size, bytes, size);
    wire->size += size;
}

static void write_chunks(struct wire *wire, const struct hostile *request, struct dice *dice)
{
    for (size_t at = 0, size; at < request->size; at += size) {
        char head[20];
        size = 1 + roll(dice, request->size - at);
        append(wire, head, (size_t)snprintf(head, sizeof head, "%zx\r\n", size));
        append(wire, request->body + at, size);
        append(wire, "\r\n", 2);
    }
    append(wire, "0\r\n\r\n", 5);
}

static void write_request(struct wire *wire, const struct hostile *request, struct dice *dice)
{
    char head[1200], framing[60] = "Transfer-Encoding: chunked\r\n";
    if (!request->chunked)
        snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", request->size);
    wire->size = 0;
    append(wire, head,
           (size_t)snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: test\r\n%s%s\r\n",
                            request->method, request->target, request->headers, framing));
    if (request->chunked)
        write_chunks(wire, request, dice);
    else
        append(wire, request->body, request->size);
}

/* dice: NULL for one piece */
static bool send_pieces(int fd, const struct wire *wire, struct dice *dice)
{
    size_t pieces = dice ? 1 + roll(dice, 6) : 1;
    for (size_t at = 0, size; at < wire->size; at += size) {
        size = --pieces ? 1 + roll(dice, wire->size - at) : wire->size - at;
        if (!client_send(fd, wire->bytes + at, size)) return false;
        if (pieces && roll(dice, 4) == 0) clock_sleep((1 + roll(dice, 200)) * NS_PER_US);
    }
    return true;
}

/* One client: a connection that is opened again where the daemon ends it. */
struct client {
    int fd; /* -1: none */
    struct hostile request;
    struct wire wire;
};

static struct response ask(struct client *client, struct dice *dice)
{
    for (;;) {
        const bool fresh = client->fd < 0;
        if (fresh) client->fd = client_open(server.port);
        send_pieces(client->fd, &client->wire, dice); /* what is refused early is answered too */
        struct response response = client_receive(client->fd);
        if (!response.status || response.close) {
            close(client->fd);
            client->fd = -1;
        }
        if (response.status || fresh) return response;
        response_free(&response); /* it had been idle for too long */
    }
}

/* ---- answers --------------------------------------------------------------------------------- */

static bool has_header(const struct response *answer, const char *name, const char *part)
{
    char value[200];
    return response_header(answer, name, value, sizeof value) && strstr(value, part);
}

static const char *wrong_error(const struct response *answer)
{
    static const int known[] = {400, 403, 404, 405, 406, 408, 413, 415, 422, 429, 500, 503, 504};
    size_t i = 0;
    while (i < sizeof known / sizeof *known && known[i] != answer->status) i++;
    if (i == sizeof known / sizeof *known) return "a status that is none of ours";
    if (!has_header(answer, "Content-Type", "application/json")) return "an error that is no JSON";
    if (answer->status == 500 && !strstr(answer->body, "is not a finite number"))
        return "an error of our own";
    json_t *root = json_loadb(answer->body, answer->size, JSON_REJECT_DUPLICATES, NULL);
    const bool good =
        json_object_size(root) == 1 && json_string_value(json_object_get(root, "error"));
    json_decref(root);
    return good ? NULL : "an error that is not {\"error\": text}";
}

static const char *wrong_floats(const struct response *answer)
{
    if (answer->size % sizeof(float)) return "half a float";
    for (size_t i = 0; i < answer->size; i += sizeof(float)) {
        float value;
        memcpy(&value, answer->body + i, sizeof value);
        if (!isfinite(value)) return "a float that is not finite";
    }
    return NULL;
}

/* NULL: nothing is wrong with it. */
static const char *wrong_answer(const struct response *answer)
{
    if (!answer->status) return "no answer";
    if (!has_header(answer, "X-Request-Id", "")) return "no X-Request-Id";
    if (answer->status != 200) return wrong_error(answer);
    if (has_header(answer, "Content-Encoding", "")) return NULL;
    if (has_header(answer, "Content-Type", "application/json")) {
        json_t *root = json_loadb(answer->body, answer->size, JSON_REJECT_DUPLICATES, NULL);
        json_decref(root);
        return root ? NULL : "a result that is no JSON";
    }
    const bool floats = has_header(answer, "Content-Type", "octet-stream") &&
                        !has_header(answer, "Inference-Header-Content-Length", "");
    return floats ? wrong_floats(answer) : NULL;
}

static bool is_same(const struct response *a, const struct response *b)
{
    return a->status == b->status && a->size == b->size && !memcmp(a->body, b->body, a->size);
}

/* A deadline may pass, or not; and this process may have to stand still in the middle of a request.
 */
static bool is_late(const struct response *answer)
{
    return answer->status == 504 || answer->status == 429 || answer->status == 408;
}

static void report(size_t number, const struct client *client, const struct response *answer,
                   const char *why)
{
    const struct hostile *r = &client->request;
    char shown[600];
    size_t used = 0;
    for (size_t i = 0; i < r->size && used + 5 < sizeof shown; i++)
        used +=
            (size_t)snprintf(shown + used, sizeof shown - used,
                             r->body[i] >= ' ' && r->body[i] <= '~' ? "%c" : "\\x%02x", r->body[i]);
    shown[used] = '\0';
    pthread_mutex_lock(&lock);
    if (!*failure)
        snprintf(
            failure, sizeof failure,
            "HOSTILE_SEED=%zu, number %zu (%s%s): %s\n%s %s\n%s%s(%zu bytes) %s\nanswer: %d %.900s",
            seed, number, mutate_name(r->form), r->valid ? ", valid" : "", why, r->method,
            r->target, r->headers, r->chunked ? "in chunks\n" : "", r->size, shown, answer->status,
            answer->body ? answer->body : "");
    pthread_mutex_unlock(&lock);
    atomic_store(&tally->failed, true);
}

/* ---- clients --------------------------------------------------------------------------------- */

/* Sends a part and leaves. */
static void leave(struct client *client, struct dice *dice)
{
    const int fd = client_open(server.port);
    client_send(fd, client->wire.bytes, roll(dice, client->wire.size));
    close(fd);
}

static const char *judge(struct client *client, struct response *answer, struct dice *dice)
{
    const struct hostile *request = &client->request;
    const char *why = wrong_answer(answer);
    if (why) return why;
    if (!request->same || is_late(answer)) return NULL;
    if (request->valid)
        return is_same(answer, &want[request->form]) ? NULL : "not the template's answer";
    if (answer->status != 200 && roll(dice, 8)) return NULL;
    struct response again = ask(client, NULL);
    atomic_fetch_add(&tally->repeated, 1);
    const bool same = is_same(answer, &again) || is_late(&again);
    if (same) {
        response_free(&again);
        return NULL;
    }
    response_free(answer);
    *answer = again;
    return "another answer when it is sent again";
}

static void send_one(struct client *client, size_t number)
{
    struct dice dice = {seed * 1000000007 + number};
    roll(&dice, 2);
    mutate(&client->request, &dice);
    write_request(&client->wire, &client->request, &dice);
    if (roll(&dice, 200) == 0) {
        leave(client, &dice);
        return;
    }
    struct response answer = ask(client, &dice);
    const char *why = judge(client, &answer, &dice);
    if (why) report(number, client, &answer, why);
    atomic_fetch_add(answer.status == 200 ? &tally->results : &tally->errors, 1);
    response_free(&answer);
}

static void *client_main(void *argument)
{
    const size_t end = *(const size_t *)argument;
    struct client *client = calloc(1, sizeof *client);
    if (!client) abort();
    client->fd = -1;
    for (size_t number;
         !atomic_load(&tally->failed) && (number = atomic_fetch_add(&tally->next, 1)) < end;)
        send_one(client, number);
    if (client->fd >= 0) close(client->fd);
    free(client);
    return NULL;
}

/* Up to the body of that number. */
static void send_up_to(size_t end)
{
    pthread_t thread[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, client_main, &end), 0);
    for (size_t i = 0; i < CLIENTS; i++) pthread_join(thread[i], NULL);
    ck_assert_msg(!*failure, "%s", failure);
    atomic_store(&tally->next, end);
}

/* ---- the daemon ------------------------------------------------------------------------------ */

static size_t resident_kb(void)
{
    char path[40], line[200];
    size_t kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)server.pid);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, "VmRSS:", 6)) kb = strtoul(line + 6, NULL, 10);
    fclose(file);
    ck_assert_uint_gt(kb, 0);
    return kb;
}

/* What the engine itself makes of the input. */
static void expect_engine(const struct response *answer)
{
    const rn_model_options options = {.input_height = MUTATE_SIDE, .input_width = MUTATE_SIDE};
    rn_model *model;
    rn_session *session;
    float output[10];
    ck_assert_int_eq(rn_model_load(&model, WEIGHTS, &options, NULL), RN_OK);
    ck_assert_int_eq(rn_session_new(&session, model, NULL, NULL), RN_OK);
    ck_assert_int_eq(rn_session_run(session, mutate_image(), 1, output, NULL), RN_OK);
    ck_assert_uint_eq(answer->size, sizeof output);
    ck_assert_mem_eq(answer->body, output, sizeof output);
    rn_session_free(session);
    rn_model_release(model);
}

/* Every template, as it is: 200, and what it always was. */
static void send_templates(void)
{
    struct client *client = calloc(1, sizeof *client);
    ck_assert_ptr_nonnull(client);
    client->fd = -1;
    for (size_t i = 0; i < mutate_forms(); i++) {
        mutate_valid(&client->request, i);
        write_request(&client->wire, &client->request, NULL);
        struct response answer = ask(client, NULL);
        const char *why = wrong_answer(&answer);
        ck_assert_msg(answer.status == 200 && !why, "%s: %d %s: %s", mutate_name(i), answer.status,
                      answer.body, why ? why : "");
        if (!want[i].status) {
            want[i] = answer;
            continue;
        }
        ck_assert_msg(!client->request.same || is_same(&answer, &want[i]), "%s", mutate_name(i));
        response_free(&answer);
    }
    if (client->fd >= 0) close(client->fd);
    free(client);
    expect_engine(&want[0]);
}

static void start(void)
{
    bodies = number_of("HOSTILE_BODIES", FEW);
    seed = number_of("HOSTILE_SEED", 1);
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(tally, MAP_FAILED);
    setenv("ASAN_OPTIONS", "quarantine_size_mb=4", 0); /* freed memory is no growth */
    mutate_init();
    ck_assert_uint_le(mutate_forms(), FORMS);
    DAEMON_START(&server, "--model", "tiny=" WEIGHTS, "--model", "spare=" WEIGHTS, "--input-size",
                 "8", "--model-control", "explicit", "--max-batch", "1", "--workers", "1",
                 "--threads", "1", "--http-threads", "2", "--log-level", "error");
    began = clock_ns();
    send_templates();
}

static void stop(void)
{
    server_stop();
    for (size_t i = 0; i < mutate_forms(); i++) response_free(&want[i]);
    mutate_free();
    munmap(tally, sizeof *tally);
}

START_TEST(hostile_bodies)
{
    const size_t part = (size_t)_i + 1;
    ck_assert_msg(!atomic_load(&tally->failed), "an earlier part has failed");
    send_up_to(bodies * part / PARTS);
    if (part == 1) tally->first_kb = resident_kb();
    if (bodies > FEW)
        fprintf(stderr, "%zu bodies, %.0f s: %zu results, %zu errors, %zu KB\n",
                bodies * part / PARTS, (double)(clock_ns() - began) / 1e9,
                atomic_load(&tally->results), atomic_load(&tally->errors), resident_kb());
}
END_TEST

START_TEST(nothing_is_left_of_them)
{
    send_templates();
    const size_t kb = resident_kb();
    ck_assert_msg(kb < tally->first_kb + GROWTH_KB, "grew from %zu to %zu KB", tally->first_kb, kb);
    ck_assert_uint_gt(atomic_load(&tally->results), bodies / 20);
    ck_assert_uint_gt(atomic_load(&tally->errors), bodies / 4);
    ck_assert_uint_gt(atomic_load(&tally->repeated), bodies / 20);
    char *log = daemon_log(&server);
    ck_assert_msg(!strstr(log, "ERROR") && !strstr(log, "runtime error") && !strstr(log, "WARNING"),
                  "%s", log);
    free(log);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bodies");
    TCase *tests = tcase_create("bodies");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 24 * 3600);
    tcase_add_unchecked_fixture(tests, start, stop);
    tcase_add_loop_test(tests, hostile_bodies, 0, PARTS);
    tcase_add_test(tests, nothing_is_left_of_them);
    return run_suite(suite);
}
