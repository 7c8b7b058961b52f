/* A call of one request fails, for every call and every kind of request: the answer is right, or
 * 503, or none when a call of the connection failed; the next answer is right; nothing is left. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "fault/daemon.h"
#include "fault/kinds.h"
#include "fault/sweep.h"

/* AGAIN: an injection that leaves more memory behind is done so often again: what is made once, as
 * a library's table, is told apart from what is lost. */
enum { ANSWER_SECONDS = 20, SETTLE_SECONDS = 10, AGAIN = 3, MODELS = 16, TEXT = 600 };

static struct victim victim;
static int kept = -1; /* a connection that has had an answer before */
static long kept_blocks, kept_mapped;
static size_t kept_descriptors;
static char models[MODELS][80];                    /* names */
static struct response model_right[MODELS], right; /* of zeros */
static size_t model_count;
static double loads_before; /* of the reload that comes next */

/* ---- asking ---------------------------------------------------------------------------------- */

static int open_connection(void)
{
    const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    const int fd = client_open(victim.port);
    if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void close_kept(void)
{
    if (kept >= 0) close(kept);
    kept = -1;
}

/* The daemon may have closed it after a right answer. */
static void drop_closed(void)
{
    char byte;
    if (kept < 0) return;
    const ssize_t came = recv(kept, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (came == 0 || (came < 0 && errno != EAGAIN)) close_kept();
}

static bool keep_connection(void)
{
    drop_closed();
    if (kept >= 0) return true;
    kept = open_connection();
    if (kept < 0) return false;
    client_send_request(kept, "GET", "/livez", "", "", 0);
    struct response answer = client_receive(kept);
    const bool good = answer.status == 200;
    response_free(&answer);
    if (!good) close_kept();
    return good;
}

static struct response ask_model(const char *name)
{
    static const float zeros[3 * 224 * 224];
    char target[200];
    size_t floats = 784;
    struct response shape = {0};
    snprintf(target, sizeof target, "/v2/models/%s", name);
    shape = client_get(victim.port, target);
    const char *at = shape.body ? strstr(shape.body, "\"shape\":[-1") : NULL;
    if (at) at += strlen("\"shape\":[-1");
    for (floats = 1; at && *at == ',';) floats *= strtoul(at + 1, (char **)(uintptr_t)&at, 10);
    response_free(&shape);
    if (floats > sizeof zeros / sizeof *zeros) floats = 1;
    snprintf(target, sizeof target, "/infer?model=%s", name);
    return client_ask(victim.port, "POST", target, "Content-Type: application/octet-stream\r\n",
                      zeros, floats * sizeof(float));
}

static bool same_answer(const struct response *a, const struct response *b)
{
    return a->status == 200 && a->size == b->size && !memcmp(a->body, b->body, b->size);
}

/* ---- after each injection -------------------------------------------------------------------- */

/* Models that were taken away by an unload are loaded again. */
static bool check_models(char *problem)
{
    for (size_t i = 0; i < model_count; i++) {
        char target[200];
        struct response answer = ask_model(models[i]);
        if (answer.status == 404) {
            response_free(&answer);
            snprintf(target, sizeof target, "/v2/repository/models/%s/load", models[i]);
            answer = client_ask(victim.port, "POST", target, "", "", 0);
            response_free(&answer);
            answer = ask_model(models[i]);
        }
        const bool good = same_answer(&answer, &model_right[i]);
        if (!good)
            snprintf(problem, TEXT, "then model %s: status %d %.200s", models[i], answer.status,
                     answer.body ? answer.body : "");
        response_free(&answer);
        if (!good) return false;
    }
    return true;
}

static bool check_next(char *problem)
{
    static const float zeros[784];
    struct response answer = {0};
    const int fd = open_connection();
    if (fd >= 0) {
        client_send_request(fd, "POST", "/infer", "Content-Type: application/octet-stream\r\n",
                            zeros, sizeof zeros);
        answer = client_receive(fd);
        close(fd);
    }
    const bool good = same_answer(&answer, &right);
    if (!good)
        snprintf(problem, TEXT, "the next request: status %d %.200s", answer.status,
                 answer.body ? answer.body : "no answer");
    response_free(&answer);
    return good;
}

static double gauge(const struct response *metrics, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = metrics->body; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!strncmp(line, name, length) && line[length] == ' ') return strtod(line + length, NULL);
    }
    return -1;
}

/* This request alone is active; connections are its own, and the kept one. */
static bool check_gauges(char *problem)
{
    double since = 0, active, connections;
    do {
        struct response metrics = client_get(victim.port, "/metrics");
        active = gauge(&metrics, "resnetd_http_requests_active");
        connections = gauge(&metrics, "resnetd_http_connections");
        response_free(&metrics);
        if (active == 1 && connections == 2) return true;
        keep_connection();
    } while (wait_on(&since, SETTLE_SECONDS));
    snprintf(problem, TEXT, "%g requests are active and %g connections open", active, connections);
    return false;
}

/* Waits for the daemon to have no more of anything than before. */
static bool has_settled(void)
{
    double since = 0;
    do {
        if (atomic_load(&control->blocks) <= kept_blocks &&
            atomic_load(&control->mapped) <= kept_mapped &&
            victim_descriptors(&victim) <= kept_descriptors)
            return true;
    } while (wait_on(&since, 1));
    return false;
}

static void note_level(void)
{
    kept_blocks = atomic_load(&control->blocks);
    kept_mapped = atomic_load(&control->mapped);
    kept_descriptors = victim_descriptors(&victim);
}

static bool check_all(const struct kind *kind, char *problem)
{
    if (!victim_lives(&victim)) {
        snprintf(problem, TEXT, "the daemon ended with %d: %.200s", victim.code,
                 victim_last_line(&victim));
        return false;
    }
    if (!keep_connection()) {
        snprintf(problem, TEXT, "no new connection is answered");
        return false;
    }
    return check_next(problem) && (!kind->changes || check_models(problem)) &&
           check_gauges(problem);
}

/* ---- one injection --------------------------------------------------------------------------- */

/* Loads so far, good or not; below 0: not known. */
static double loads(void)
{
    struct response metrics = client_get(victim.port, "/metrics");
    const double good = gauge(&metrics, "resnetd_loads_total{outcome=\"success\"}");
    const double bad = gauge(&metrics, "resnetd_loads_total{outcome=\"failure\"}");
    response_free(&metrics);
    return good < 0 || bad < 0 ? -1 : good + bad;
}

/* All models are loaded anew, or not. */
static struct response reload(double before)
{
    double since = 0;
    kill(victim.pid, SIGHUP);
    while (victim_lives(&victim) && wait_on(&since, ANSWER_SECONDS))
        if (loads() >= before + (double)model_count) return (struct response){.status = 200};
    return (struct response){0};
}

static struct response ask_kind(const struct kind *kind)
{
    if (!strcmp(kind->name, KIND_RELOAD)) return reload(loads_before);
    const int fd = kind->fresh ? open_connection() : kept;
    struct response answer = kind_ask(kind, fd);
    if (kind->fresh) close(fd);
    if (!kind->fresh && (!answer.status || answer.close)) close_kept();
    return answer;
}

static void prepare(const struct kind *kind)
{
    struct response answer = {0};
    if (kind->before) answer = client_ask(victim.port, "POST", kind->before, "", "", 0);
    response_free(&answer);
    keep_connection();
    loads_before = loads();
}

/* The answers when nothing fails. */
struct known {
    struct response right, plain;
    long seen[FAULT_CALLS];
};

static bool is_busy(const struct response *answer)
{
    char seconds[16] = "";
    return answer->status == 503 &&
           response_header(answer, "Retry-After", seconds, sizeof seconds) &&
           strtol(seconds, NULL, 10) > 0 && !strncmp(answer->body, "{\"error\":\"", 10);
}

static enum outcome judge(const struct kind *kind, const struct known *known,
                          const struct injection *injection, const struct response *answer,
                          char *problem)
{
    const bool is_reload = !strcmp(kind->name, KIND_RELOAD);
    if (is_reload && answer->status == 200) return OUTCOME_RIGHT;
    if (answer->status && kind_same(kind, answer, &known->right, &known->plain))
        return OUTCOME_RIGHT;
    if (is_busy(answer)) return OUTCOME_BUSY;
    if (!answer->status && (fault_drops(injection->call) || kind->fresh)) return OUTCOME_DROPPED;
    if (kind->changes && answer->status == 400 && strstr(answer->body, "could not be loaded: ") &&
        (injection->call == FAULT_READ || injection->call == FAULT_STAT))
        return OUTCOME_REFUSED;
    snprintf(problem, TEXT, "status %d %.300s", answer->status,
             answer->status ? answer->body : "no answer");
    return OUTCOME_WRONG;
}

static enum outcome inject(const struct kind *kind, const struct known *known,
                           const struct injection *injection, char *problem)
{
    prepare(kind);
    atomic_store(&control->loading, !strcmp(kind->name, KIND_RELOAD));
    fault_arm(injection->call, injection->first, injection->count);
    struct response answer = ask_kind(kind);
    fault_disarm();
    enum outcome outcome = judge(kind, known, injection, &answer, problem);
    response_free(&answer);
    if (outcome != OUTCOME_WRONG && !check_all(kind, problem)) outcome = OUTCOME_WRONG;
    return outcome;
}

static void restart(void)
{
    static const char *options[64] = {"serve", "--port", "0"};
    close_kept();
    if (victim.pid) victim_stop(&victim, SIGKILL);
    for (size_t i = 0; kind_options[i]; i++) options[3 + i] = kind_options[i];
    if (!victim_start(&victim, options, false)) {
        printf("the daemon does not start: %s\n", victim_last_line(&victim));
        exit(EXIT_FAILURE);
    }
}

/* False: the request makes not so many calls. */
static bool try_request(const struct kind *kind, const struct known *known,
                        const struct injection *injection)
{
    char problem[TEXT] = "";
    enum outcome outcome = inject(kind, known, injection, problem);
    const bool failed = atomic_load(&control->failed) > 0;
    size_t more = 0;
    const long blocks = kept_blocks, mapped = kept_mapped;
    const size_t descriptors = kept_descriptors;
    while (outcome != OUTCOME_WRONG && !has_settled() && more++ < AGAIN) {
        note_level();
        outcome = inject(kind, known, injection, problem);
    }
    if (more > AGAIN) {
        outcome = OUTCOME_WRONG;
        snprintf(problem, TEXT, "%d times left %ld blocks, %ld bytes of maps, %zu descriptors",
                 AGAIN + 1, atomic_load(&control->blocks) - blocks,
                 atomic_load(&control->mapped) - mapped, victim_descriptors(&victim) - descriptors);
    }
    if (failed || outcome == OUTCOME_WRONG) account_add(kind->name, injection, outcome, problem);
    if (outcome == OUTCOME_WRONG) {
        restart();
        keep_connection();
    }
    if (outcome == OUTCOME_WRONG || more) note_level();
    return failed;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void know(const struct kind *kind, struct known *known)
{
    struct kind plain = *kind;
    for (size_t i = 0; i < 3; i++) { /* what is made once is made now */
        response_free(&known->right);
        prepare(kind);
        atomic_store(&control->loading, !strcmp(kind->name, KIND_RELOAD));
        fault_count();
        known->right = ask_kind(kind);
        fault_disarm();
        for (size_t call = 0; call < FAULT_CALLS; call++)
            known->seen[call] = atomic_load(&control->seen[call]);
    }
    if (strstr(kind->headers, "Accept-Encoding")) plain.headers = "";
    if (!strcmp(kind->name, "answer in gzip"))
        plain.headers = "Content-Type: application/octet-stream\r\n";
    prepare(kind);
    known->plain = ask_kind(&plain);
    keep_connection();
    double since = 0;
    long blocks = 0;
    while (blocks != atomic_load(&control->blocks) && wait_on(&since, 2)) {
        blocks = atomic_load(&control->blocks);
        for (double pause = 0; wait_on(&pause, 0.02);) continue;
    }
    note_level();
}

static void sweep_kind(const struct sweep *sweep, const struct kind *kind)
{
    static const long counts[] = {1, 100};
    struct known known = {0};
    know(kind, &known);
    if (!known.right.status) {
        account_add(kind->name, &(struct injection){0}, OUTCOME_WRONG, "no answer without faults");
        restart();
        return;
    }
    for (size_t call = 0; call < FAULT_CALLS; call++) {
        for (size_t k = 0; k < 2 && sweep_has_call(sweep, (enum fault_call)call); k++) {
            /* one more: calls come and go with what other threads do */
            struct choice choice = {.seen = known.seen[call] + !sweep->sample};
            while (sweep_next(sweep, &choice))
                try_request(kind, &known,
                            &(struct injection){(enum fault_call)call, choice.at, counts[k]});
        }
    }
    account_row(kind->name);
    response_free(&known.right);
    response_free(&known.plain);
}

static void know_models(void)
{
    static const float zeros[784];
    model_count = 0;
    for (size_t i = 0; kind_options[i]; i++) {
        if (strcmp(kind_options[i], "--model") != 0) continue;
        const char *name = kind_options[i + 1];
        snprintf(models[model_count], sizeof *models, "%.*s", (int)strcspn(name, "="), name);
        model_right[model_count] = ask_model(models[model_count]);
        if (model_right[model_count].status != 200) {
            printf("model %s does not answer: %s\n", models[model_count],
                   model_right[model_count].body);
            exit(EXIT_FAILURE);
        }
        model_count++;
    }
    right = client_ask(victim.port, "POST", "/infer", "Content-Type: application/octet-stream\r\n",
                       zeros, sizeof zeros);
}

void sweep_requests(const struct sweep *sweep)
{
    kinds_make();
    restart();
    know_models();
    for (size_t i = 0; i < kind_count; i++)
        if (!sweep->kind || !strcmp(sweep->kind, kind_list[i].name))
            sweep_kind(sweep, &kind_list[i]);
    close_kept();
    const int code = victim_stop(&victim, SIGTERM);
    if (code)
        account_add("the end", &(struct injection){0}, OUTCOME_WRONG, victim_last_line(&victim));
    for (size_t i = 0; i < model_count; i++) response_free(&model_right[i]);
    response_free(&right);
}
