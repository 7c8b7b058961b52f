/* Worker threads; see worker.h. A worker's fields belong to its own thread. */
#include "worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "floats.h"
#include "metrics.h"
#include "statistics.h"

struct worker {
    struct workers *all;
    size_t index;
    pthread_t thread;
    struct batch batch;
    float *input, *output; /* room for max_batch samples: batches of several jobs */
};

struct workers {
    struct worker_options options;
    size_t started;
    struct worker worker[];
};

enum { ERROR_SIZE = 240 };

static float *new_samples(size_t n, size_t size)
{
    size_t floats;
    return __builtin_mul_overflow(n, size, &floats) ? NULL : floats_new(floats);
}

static void gather(const struct worker *w)
{
    float *to = w->input;
    for (size_t i = 0; i < w->batch.segments; i++) {
        const struct segment *s = &w->batch.segment[i];
        const size_t floats = s->count * s->job->input_size;
        memcpy(to, s->job->input + s->first * s->job->input_size, floats * sizeof(float));
        to += floats;
    }
}

static void scatter(const struct worker *w)
{
    const float *from = w->output;
    for (size_t i = 0; i < w->batch.segments; i++) {
        const struct segment *s = &w->batch.segment[i];
        const size_t floats = s->count * s->job->output_size;
        memcpy(s->job->output + s->first * s->job->output_size, from, floats * sizeof(float));
        from += floats;
    }
}

/* Samples that lie in one job are read and written in place. */
static bool run_batch(struct worker *w, char *error)
{
    const struct worker_options *o = &w->all->options;
    const struct segment *only = w->batch.segment;
    const bool gathered = w->batch.segments > 1;
    const float *input = only->job->input + only->first * o->input_size;
    float *output = only->job->output + only->first * o->output_size;
    const uint64_t began = clock_ns();
    if (gathered) {
        gather(w);
        input = w->input;
        output = w->output;
    }
    const uint64_t ready = clock_ns();
    if (!o->run(o->context, w->index, &w->batch, input, output, error)) return false;
    const uint64_t computed = clock_ns();
    if (gathered) scatter(w);
    if (o->statistics)
        statistics_batch(o->statistics, w->batch.samples, ready - began, computed - ready,
                         clock_ns() - computed);
    return true;
}

static void *worker_main(void *argument)
{
    struct worker *w = argument;
    struct model_metrics *metrics = w->all->options.metrics;
    pthread_setname_np(pthread_self(), "worker");
    while (batcher_take(w->all->options.batcher, &w->batch)) {
        if (!w->batch.segments) continue;
        char error[ERROR_SIZE] = "";
        const size_t samples = w->batch.samples;
        const bool good = run_batch(w, error);
        if (metrics && good) {
            metrics_observe_batch(metrics, samples);
            atomic_fetch_add(&metrics->images, samples);
        } else if (metrics && batch_abandoned(&w->batch)) {
            atomic_fetch_add(&metrics->stopped, 1);
        }
        batcher_finish(w->all->options.batcher, &w->batch, good ? NULL : error);
    }
    return NULL;
}

static bool worker_init(struct workers *all, size_t index)
{
    const struct worker_options *o = &all->options;
    struct worker *w = &all->worker[index];
    w->all = all;
    w->index = index;
    w->batch.segment = calloc(o->max_batch, sizeof *w->batch.segment);
    w->input = new_samples(o->max_batch, o->input_size);
    w->output = new_samples(o->max_batch, o->output_size);
    return w->batch.segment && w->input && w->output &&
           !pthread_create(&w->thread, NULL, worker_main, w);
}

struct workers *workers_start(const struct worker_options *options)
{
    struct workers *all = calloc(1, sizeof *all + options->workers * sizeof *all->worker);
    if (!all) return NULL;
    all->options = *options;
    while (all->started < options->workers && worker_init(all, all->started)) all->started++;
    if (all->started == options->workers) return all;
    batcher_close(options->batcher);
    workers_join(all);
    return NULL;
}

void workers_join(struct workers *all)
{
    if (!all) return;
    for (size_t i = 0; i < all->started; i++) pthread_join(all->worker[i].thread, NULL);
    for (size_t i = 0; i < all->options.workers; i++) {
        free(all->worker[i].batch.segment);
        floats_discard(all->worker[i].input);
        floats_discard(all->worker[i].output);
    }
    free(all);
}
