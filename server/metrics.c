/* Counting and the Prometheus text; see metrics.h. */
#include "metrics.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "resnet.h"
#include "route.h"

/* Upper bounds; the bucket behind the last one is +Inf. */
static const double seconds_bound[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                       0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
static const double batch_bound[] = {1, 2, 4, 8, 16, 32, 64, 128, 256};
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
_Static_assert(COUNT_OF(seconds_bound) < MAX_BUCKETS, "room for +Inf");

/* Status codes that are counted apart; others fall to the last. */
static const unsigned code_list[] = {200, 204, 400, 401, 403, 404, 405, 406, 408, 411, 413,
                                     414, 415, 422, 429, 431, 499, 501, 503, 504, 505, 500};
#define CODES COUNT_OF(code_list)

static const char *const stage_name[] = {
#define STAGE(id, name) name,
#include "metrics.def"
#undef STAGE
};

static const char *const reason_name[] = {
#define REASON(id, name) name,
#include "metrics.def"
#undef REASON
};

static const char *const phase_name[] = {
#define PHASE(id, name) name,
#include "metrics.def"
#undef PHASE
};

static const char *const linger_end_name[] = {
#define LINGER_END(id, name) name,
#include "metrics.def"
#undef LINGER_END
};

static const char *const priority_name[PRIORITIES] = {
    [PRIORITY_NORMAL] = "normal",
    [PRIORITY_HIGH] = "high",
};

struct metrics {
    _Atomic uint64_t requests[ROUTES + 1][CODES], failures[REASONS], received, sent;
    _Atomic uint64_t dropped[REASONS][PHASES];
    _Atomic uint64_t linger_ends[LINGER_ENDS], evicted, refused;
    _Atomic int64_t connections, active, lingering;
    _Atomic uint64_t loads[2]; /* [1]: good ones */
    atomic_size_t reading;     /* bytes of bodies */
    atomic_bool ready;
    double start_time;
    pthread_mutex_t lock; /* of the list of models */
    struct model_metrics *models;
};

struct metrics *metrics_new(void)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    struct timespec now;
    if (!metrics) return NULL;
    clock_gettime(CLOCK_REALTIME, &now);
    metrics->start_time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    pthread_mutex_init(&metrics->lock, NULL);
    return metrics;
}

static void free_names(struct model_metrics *model)
{
    char *names[] = {(char *)(uintptr_t)model->digest, (char *)(uintptr_t)model->arch};
    for (size_t i = 0; i < COUNT_OF(names); i++) free(names[i]);
    model->digest = model->arch = NULL;
}

static void free_model(struct model_metrics *model)
{
    free_names(model);
    free((char *)(uintptr_t)model->name);
    free(model);
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics) return;
    for (struct model_metrics *model = metrics->models, *next; model; model = next) {
        next = model->next;
        free_model(model);
    }
    pthread_mutex_destroy(&metrics->lock);
    free(metrics);
}

/* Of that name, made where there is none; under the lock. NULL: no memory. */
static struct model_metrics *model_named(struct metrics *metrics, const char *name)
{
    struct model_metrics **last = &metrics->models;
    for (; *last; last = &(*last)->next)
        if (!strcmp((*last)->name, name)) return *last;
    struct model_metrics *model = calloc(1, sizeof *model);
    if (model) model->name = strdup(name);
    if (model && model->name) return *last = model;
    free(model);
    return NULL;
}

struct model_metrics *metrics_add_model(struct metrics *metrics, const char *name,
                                        const char *digest, const char *arch)
{
    pthread_mutex_lock(&metrics->lock);
    struct model_metrics *model = model_named(metrics, name);
    if (model) {
        free_names(model);
        model->digest = strdup(digest);
        model->arch = strdup(arch);
        model->served++;
    }
    pthread_mutex_unlock(&metrics->lock);
    return model;
}

void metrics_drop_model(struct metrics *metrics, struct model_metrics *model)
{
    pthread_mutex_lock(&metrics->lock);
    model->served--;
    pthread_mutex_unlock(&metrics->lock);
}

void metrics_request(struct metrics *metrics, size_t route, unsigned code, size_t received,
                     size_t sent)
{
    size_t i = 0;
    while (i + 1 < CODES && code_list[i] != code) i++;
    atomic_fetch_add(&metrics->requests[route < ROUTES ? route : ROUTES][i], 1);
    atomic_fetch_add(&metrics->received, received);
    atomic_fetch_add(&metrics->sent, sent);
}

void metrics_load(struct metrics *metrics, bool good)
{
    atomic_fetch_add(&metrics->loads[good], 1);
}

void metrics_failure(struct metrics *metrics, enum metrics_reason reason)
{
    atomic_fetch_add(&metrics->failures[reason], 1);
}

void metrics_dropped(struct metrics *metrics, enum metrics_reason reason, enum metrics_phase phase)
{
    metrics_failure(metrics, reason);
    atomic_fetch_add(&metrics->dropped[reason][phase], 1);
}

void metrics_connections(struct metrics *metrics, int change)
{
    atomic_fetch_add(&metrics->connections, change);
}

void metrics_lingering(struct metrics *metrics, int change)
{
    atomic_fetch_add(&metrics->lingering, change);
}

void metrics_linger_end(struct metrics *metrics, enum metrics_linger_end end)
{
    atomic_fetch_add(&metrics->linger_ends[end], 1);
}

void metrics_evicted(struct metrics *metrics)
{
    atomic_fetch_add(&metrics->evicted, 1);
}

void metrics_refused(struct metrics *metrics)
{
    atomic_fetch_add(&metrics->refused, 1);
}

size_t metrics_reading(struct metrics *metrics, size_t more, size_t less)
{
    return atomic_fetch_add(&metrics->reading, more - less) + more - less;
}

void metrics_active(struct metrics *metrics, int change)
{
    atomic_fetch_add(&metrics->active, change);
}

size_t metrics_active_now(struct metrics *metrics)
{
    return (size_t)atomic_load(&metrics->active);
}

size_t metrics_connections_now(struct metrics *metrics)
{
    return (size_t)atomic_load(&metrics->connections);
}

void metrics_ready(struct metrics *metrics, bool ready)
{
    atomic_store(&metrics->ready, ready);
}

static void observe(struct histogram *h, const double *bound, size_t bounds, double value)
{
    size_t i = 0;
    while (i < bounds && value > bound[i]) i++;
    atomic_fetch_add(&h->bucket[i], 1);
}

void metrics_observe_stage(struct model_metrics *model, enum metrics_stage stage, uint64_t ns)
{
    struct histogram *h = &model->stage[stage];
    observe(h, seconds_bound, COUNT_OF(seconds_bound), (double)ns / 1e9);
    atomic_fetch_add(&h->sum, ns);
}

void metrics_observe_batch(struct model_metrics *model, size_t samples)
{
    observe(&model->batch, batch_bound, COUNT_OF(batch_bound), (double)samples);
    atomic_fetch_add(&model->batch.sum, samples);
}

const char *metrics_stage_name(enum metrics_stage stage)
{
    return stage_name[stage];
}

/* ---- text: each render function writes the samples of one row -------------------------------- */

/* For each model: one sample of a number that lies at `offset` in struct model_metrics. */
static void each_model(struct metrics *m, struct buffer *text, const char *name, size_t offset)
{
    for (const struct model_metrics *model = m->models; model; model = model->next) {
        const _Atomic uint64_t *value =
            (const _Atomic uint64_t *)(const void *)((const char *)model + offset);
        buffer_format(text, "%s{model=\"%s\"} %llu\n", name, model->name,
                      (unsigned long long)atomic_load(value));
    }
}

/* How a histogram's buckets are bounded, and what its sum is multiplied by. */
struct scale {
    const double *bound;
    size_t bounds;
    double factor;
};

static void write_histogram(struct buffer *text, const char *name, const char *labels,
                            const struct histogram *h, const struct scale *scale)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= scale->bounds; i++) {
        total += atomic_load(&h->bucket[i]);
        buffer_format(text, "%s_bucket{%s,le=\"", name, labels);
        if (i < scale->bounds)
            buffer_format(text, "%g", scale->bound[i]);
        else
            buffer_text(text, "+Inf");
        buffer_format(text, "\"} %llu\n", (unsigned long long)total);
    }
    buffer_format(text, "%s_sum{%s} %.9g\n", name, labels,
                  (double)atomic_load(&h->sum) * scale->factor);
    buffer_format(text, "%s_count{%s} %llu\n", name, labels, (unsigned long long)total);
}

static void render_requests(struct metrics *m, struct buffer *text, const char *name)
{
    for (size_t route = 0; route <= ROUTES; route++)
        for (size_t i = 0; i < CODES; i++) {
            const uint64_t count = atomic_load(&m->requests[route][i]);
            if (!count) continue;
            buffer_format(text, "%s{route=\"%s\",code=\"%u\"} %llu\n", name, route_name(route),
                          code_list[i], (unsigned long long)count);
        }
}

static void render_failures(struct metrics *m, struct buffer *text, const char *name)
{
    for (size_t i = 0; i < REASONS; i++)
        buffer_format(text, "%s{reason=\"%s\"} %llu\n", name, reason_name[i],
                      (unsigned long long)atomic_load(&m->failures[i]));
}

static void render_dropped(struct metrics *m, struct buffer *text, const char *name)
{
    static const enum metrics_reason reasons[] = {REASON_DEADLINE, REASON_CANCELLED};
    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        for (size_t phase = 0; phase < PHASES; phase++)
            buffer_format(text, "%s{reason=\"%s\",phase=\"%s\"} %llu\n", name,
                          reason_name[reasons[i]], phase_name[phase],
                          (unsigned long long)atomic_load(&m->dropped[reasons[i]][phase]));
}

static void render_loads(struct metrics *m, struct buffer *text, const char *name)
{
    static const char *const outcome[] = {"failure", "success"};
    for (size_t i = 0; i < COUNT_OF(outcome); i++)
        buffer_format(text, "%s{outcome=\"%s\"} %llu\n", name, outcome[i],
                      (unsigned long long)atomic_load(&m->loads[i]));
}

static void render_priorities(struct metrics *m, struct buffer *text, const char *name)
{
    for (const struct model_metrics *model = m->models; model; model = model->next)
        for (size_t i = 0; i < PRIORITIES; i++)
            buffer_format(text, "%s{model=\"%s\",priority=\"%s\"} %llu\n", name, model->name,
                          priority_name[i], (unsigned long long)atomic_load(&model->requests[i]));
}

static void render_stopped(struct metrics *m, struct buffer *text, const char *name)
{
    each_model(m, text, name, offsetof(struct model_metrics, stopped));
}

static void write_number(struct buffer *text, const char *name, double value)
{
    buffer_format(text, "%s %.15g\n", name, value);
}

static void render_received(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->received));
}

static void render_sent(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->sent));
}

static void render_connections(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->connections));
}

static void render_lingering(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->lingering));
}

static void render_linger_ends(struct metrics *m, struct buffer *text, const char *name)
{
    for (size_t i = 0; i < LINGER_ENDS; i++)
        buffer_format(text, "%s{end=\"%s\"} %llu\n", name, linger_end_name[i],
                      (unsigned long long)atomic_load(&m->linger_ends[i]));
}

static void render_evicted(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->evicted));
}

static void render_refused(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->refused));
}

static void render_reading(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->reading));
}

static void render_active(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, (double)atomic_load(&m->active));
}

static void render_images(struct metrics *m, struct buffer *text, const char *name)
{
    each_model(m, text, name, offsetof(struct model_metrics, images));
}

static void render_queue_samples(struct metrics *m, struct buffer *text, const char *name)
{
    each_model(m, text, name, offsetof(struct model_metrics, queue_samples));
}

static void render_queue_bytes(struct metrics *m, struct buffer *text, const char *name)
{
    each_model(m, text, name, offsetof(struct model_metrics, queue_bytes));
}

static void render_batch(struct metrics *m, struct buffer *text, const char *name)
{
    for (const struct model_metrics *model = m->models; model; model = model->next) {
        char labels[96];
        snprintf(labels, sizeof labels, "model=\"%s\"", model->name);
        write_histogram(text, name, labels, &model->batch,
                        &(struct scale){batch_bound, COUNT_OF(batch_bound), 1});
    }
}

static void render_stages(struct metrics *m, struct buffer *text, const char *name)
{
    for (const struct model_metrics *model = m->models; model; model = model->next)
        for (size_t i = 0; i < STAGES; i++) {
            char labels[128];
            snprintf(labels, sizeof labels, "model=\"%s\",stage=\"%s\"", model->name,
                     stage_name[i]);
            write_histogram(text, name, labels, &model->stage[i],
                            &(struct scale){seconds_bound, COUNT_OF(seconds_bound), 1e-9});
        }
}

/* A text of the model's files as a label's value. */
static void write_value(struct buffer *text, const char *value)
{
    for (const char *c = value; *c; c++) {
        const bool plain = *c >= ' ' && *c <= '~';
        if (*c == '"' || *c == '\\') buffer_append(text, "\\", 1);
        buffer_append(text, plain ? c : "?", 1);
    }
}

static void render_models(struct metrics *m, struct buffer *text, const char *name)
{
    for (const struct model_metrics *model = m->models; model; model = model->next) {
        buffer_format(text, "%s{model=\"%s\",digest=\"%s\",arch=\"", name, model->name,
                      model->digest ? model->digest : "");
        write_value(text, model->arch ? model->arch : "");
        buffer_format(text, "\"} %d\n", model->served > 0);
    }
}

static void render_build(struct metrics *m, struct buffer *text, const char *name)
{
    (void)m;
    buffer_format(text, "%s{version=\"%s\",compiler=\"%s\"} 1\n", name, RN_VERSION, __VERSION__);
}

static void render_log_dropped(struct metrics *m, struct buffer *text, const char *name)
{
    (void)m;
    write_number(text, name, (double)log_dropped());
}

static void render_ready(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, atomic_load(&m->ready));
}

static void render_cpu(struct metrics *m, struct buffer *text, const char *name)
{
    (void)m;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    const double kernel = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    write_number(text, name, user + kernel);
}

/* Field 0: virtual, 1: resident; in bytes. */
static double memory_of_process(size_t field)
{
    char line[128] = "", *at = line;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (!fgets(line, sizeof line, file)) line[0] = '\0';
    fclose(file);
    double pages = 0;
    for (size_t i = 0; i <= field; i++) pages = strtod(at, &at);
    return pages * (double)sysconf(_SC_PAGESIZE);
}

static void render_virtual_memory(struct metrics *m, struct buffer *text, const char *name)
{
    (void)m;
    write_number(text, name, memory_of_process(0));
}

static void render_resident(struct metrics *m, struct buffer *text, const char *name)
{
    (void)m;
    write_number(text, name, memory_of_process(1));
}

static void render_open_fds(struct metrics *m, struct buffer *text, const char *name)
{
    (void)m;
    DIR *folder = opendir("/proc/self/fd");
    size_t count = 0;
    if (!folder) return;
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    write_number(text, name, (double)count - 1); /* without the folder's own */
}

static void render_max_fds(struct metrics *m, struct buffer *text, const char *name)
{
    (void)m;
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) write_number(text, name, (double)limit.rlim_cur);
}

static void render_start_time(struct metrics *m, struct buffer *text, const char *name)
{
    write_number(text, name, m->start_time);
}

static const struct {
    const char *type, *name, *help;
    void (*render)(struct metrics *, struct buffer *, const char *);
} table[] = {
#define METRIC(type, name, help, render) {#type, name, help, render_##render},
#include "metrics.def"
#undef METRIC
};

void metrics_render(struct metrics *metrics, struct buffer *text)
{
    pthread_mutex_lock(&metrics->lock);
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        buffer_format(text, "# HELP %s %s\n# TYPE %s %s\n", table[i].name, table[i].help,
                      table[i].name, table[i].type);
        table[i].render(metrics, text, table[i].name);
    }
    pthread_mutex_unlock(&metrics->lock);
}
