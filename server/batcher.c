/* The queue of one model; see batcher.h. One lock for everything; never held across a run or
 * done(). */
#include "batcher.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "metrics.h"

enum { MAX_RETRY_AFTER = 60 };

struct batcher {
    struct batcher_options options;
    struct model_metrics *metrics;
    pthread_mutex_t lock;
    pthread_cond_t arrival;   /* workers wait: a job came, or the end */
    pthread_cond_t deadlines; /* the deadline thread waits: a nearer deadline, or the end */
    pthread_t reaper;
    /* all under the lock */
    struct job *head, **tail; /* jobs with samples not yet taken, oldest first */
    size_t waiting;           /* samples not yet taken */
    size_t samples, bytes;    /* of all jobs not done */
    uint64_t nearest;         /* the deadline that the reaper sleeps for; UINT64_MAX: none */
    double sample_seconds;    /* one worker's seconds a sample, smoothed; 0: not known yet */
    bool closed, ending;
};

static size_t job_bytes(const struct job *job)
{
    return job->samples * (job->input_size + job->output_size) * sizeof(float);
}

static void update_gauges(struct batcher *b)
{
    if (!b->metrics) return;
    atomic_store(&b->metrics->queue_samples, b->samples);
    atomic_store(&b->metrics->queue_bytes, b->bytes);
}

static void unlink_job(struct batcher *b, struct job *job)
{
    for (struct job **p = &b->head; *p; p = &(*p)->next) {
        if (*p != job) continue;
        *p = job->next;
        if (b->tail == &job->next) b->tail = p;
        return;
    }
}

/* Takes the samples that no worker has yet out of the queue: they are not going to be computed. */
static void drop_rest(struct batcher *b, struct job *job)
{
    if (job->taken == job->samples) return;
    unlink_job(b, job);
    b->waiting -= job->samples - job->taken;
    job->completed += job->samples - job->taken;
    job->taken = job->samples;
}

/* The jobs that are complete leave the queue's accounts and line up in *finished. */
static void settle(struct batcher *b, struct job *job, struct job **finished, uint64_t now)
{
    if (job->completed < job->samples) return;
    if (job->result == JOB_DONE && job->deadline && now > job->deadline) job->result = JOB_EXPIRED;
    job->finished = now;
    b->samples -= job->samples;
    b->bytes -= job_bytes(job);
    job->next = *finished;
    *finished = job;
}

/* Without the lock. A job may be gone as soon as its done() was called. */
static void call_done(struct job *finished)
{
    while (finished) {
        struct job *next = finished->next;
        finished->done(finished);
        finished = next;
    }
}

/* Ends the waiting jobs whose deadline has passed, and finds the nearest one of the others. */
static void reap(struct batcher *b, struct job **finished)
{
    const uint64_t now = clock_ns();
    b->nearest = UINT64_MAX;
    for (struct job *job = b->head, *next; job; job = next) {
        next = job->next;
        if (job->deadline && now >= job->deadline) {
            if (job->result == JOB_DONE) job->result = JOB_EXPIRED;
            drop_rest(b, job);
            settle(b, job, finished, now);
        } else if (job->deadline && job->deadline < b->nearest) {
            b->nearest = job->deadline;
        }
    }
    update_gauges(b);
}

static void *reaper_main(void *argument)
{
    struct batcher *b = argument;
    pthread_mutex_lock(&b->lock);
    while (!b->ending) {
        if (b->nearest == UINT64_MAX) {
            pthread_cond_wait(&b->deadlines, &b->lock);
            continue;
        }
        const struct timespec until = clock_timespec(b->nearest);
        pthread_cond_timedwait(&b->deadlines, &b->lock, &until);
        if (clock_ns() < b->nearest) continue;
        struct job *finished = NULL;
        reap(b, &finished);
        pthread_mutex_unlock(&b->lock);
        call_done(finished);
        pthread_mutex_lock(&b->lock);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

struct batcher *batcher_new(const struct batcher_options *options, struct model_metrics *metrics)
{
    struct batcher *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    *b = (struct batcher){.options = *options, .metrics = metrics, .nearest = UINT64_MAX};
    b->tail = &b->head;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->arrival, &monotonic);
    pthread_cond_init(&b->deadlines, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (!pthread_create(&b->reaper, NULL, reaper_main, b)) return b;
    free(b);
    return NULL;
}

void batcher_free(struct batcher *b)
{
    if (!b) return;
    pthread_mutex_lock(&b->lock);
    b->ending = true;
    pthread_cond_signal(&b->deadlines);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->reaper, NULL);
    pthread_cond_destroy(&b->arrival);
    pthread_cond_destroy(&b->deadlines);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static enum batcher_answer admit(const struct batcher *b, const struct job *job)
{
    const struct batcher_options *o = &b->options;
    if (b->closed) return BATCHER_CLOSED;
    if (job->samples > o->queue_samples || job_bytes(job) > o->queue_bytes)
        return BATCHER_TOO_LARGE;
    if (job->samples > o->queue_samples - b->samples || job_bytes(job) > o->queue_bytes - b->bytes)
        return BATCHER_FULL;
    return BATCHER_OK;
}

enum batcher_answer batcher_push(struct batcher *b, struct job *job)
{
    job->result = JOB_DONE;
    job->error[0] = '\0';
    job->started = job->finished = 0;
    job->batch = job->taken = job->completed = 0;
    job->next = NULL;
    atomic_store(&job->cancelled, false);
    pthread_mutex_lock(&b->lock);
    const enum batcher_answer answer = admit(b, job);
    if (answer == BATCHER_OK) {
        job->pushed = clock_ns();
        *b->tail = job;
        b->tail = &job->next;
        b->waiting += job->samples;
        b->samples += job->samples;
        b->bytes += job_bytes(job);
        if (job->deadline && job->deadline < b->nearest) {
            b->nearest = job->deadline;
            pthread_cond_signal(&b->deadlines);
        }
        update_gauges(b);
        pthread_cond_signal(&b->arrival);
    }
    pthread_mutex_unlock(&b->lock);
    return answer;
}

void batcher_cancel(struct batcher *b, struct job *job)
{
    struct job *finished = NULL;
    pthread_mutex_lock(&b->lock);
    atomic_store(&job->cancelled, true);
    if (job->taken < job->samples) {
        job->result = JOB_CANCELLED;
        drop_rest(b, job);
        settle(b, job, &finished, clock_ns());
        update_gauges(b);
    }
    pthread_mutex_unlock(&b->lock);
    call_done(finished);
}

unsigned batcher_retry_after(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    const double seconds = (double)b->samples * b->sample_seconds / (double)b->options.workers;
    pthread_mutex_unlock(&b->lock);
    if (seconds < 1) return 1;
    return seconds > MAX_RETRY_AFTER ? MAX_RETRY_AFTER : (unsigned)ceil(seconds);
}

void batcher_close(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    pthread_cond_broadcast(&b->arrival);
    pthread_mutex_unlock(&b->lock);
}

/* Under the lock: waits until there is a batch to take, which the oldest job's wait ends. */
static bool await_batch(struct batcher *b)
{
    for (;;) {
        if (b->waiting >= b->options.max_batch || (b->waiting && b->closed)) return true;
        if (!b->waiting && b->closed) return false;
        if (!b->waiting) {
            pthread_cond_wait(&b->arrival, &b->lock);
            continue;
        }
        const uint64_t until = b->head->pushed + b->options.max_delay;
        if (clock_ns() >= until) return true;
        const struct timespec when = clock_timespec(until);
        pthread_cond_timedwait(&b->arrival, &b->lock, &when);
    }
}

bool batcher_take(struct batcher *b, struct batch *batch)
{
    batch->samples = batch->segments = 0;
    pthread_mutex_lock(&b->lock);
    const bool some = await_batch(b);
    batch->taken = clock_ns();
    while (b->head && batch->samples < b->options.max_batch) {
        struct job *job = b->head;
        const size_t room = b->options.max_batch - batch->samples;
        const size_t left = job->samples - job->taken, count = left < room ? left : room;
        batch->segment[batch->segments++] = (struct segment){job, job->taken, count};
        batch->samples += count;
        b->waiting -= count;
        if (!job->started) job->started = batch->taken;
        if (count == left) unlink_job(b, job);
        job->taken += count;
    }
    if (b->waiting) pthread_cond_signal(&b->arrival); /* work for another worker too */
    pthread_mutex_unlock(&b->lock);
    return some;
}

bool batch_abandoned(const struct batch *batch)
{
    const uint64_t now = clock_ns();
    for (size_t i = 0; i < batch->segments; i++) {
        const struct job *job = batch->segment[i].job;
        if (!atomic_load(&job->cancelled) && (!job->deadline || now < job->deadline)) return false;
    }
    return true;
}

static void fail_job(struct job *job, const char *error, uint64_t now)
{
    if (job->result != JOB_DONE) return;
    if (atomic_load(&job->cancelled))
        job->result = JOB_CANCELLED;
    else if (job->deadline && now >= job->deadline)
        job->result = JOB_EXPIRED;
    else
        job->result = JOB_FAILED;
    const size_t length = strnlen(error, sizeof job->error - 1);
    memcpy(job->error, error, length);
    job->error[length] = '\0';
}

void batcher_finish(struct batcher *b, struct batch *batch, const char *error)
{
    struct job *finished = NULL;
    pthread_mutex_lock(&b->lock);
    const uint64_t now = clock_ns();
    for (size_t i = 0; i < batch->segments; i++) {
        struct job *job = batch->segment[i].job;
        job->completed += batch->segment[i].count;
        if (batch->samples > job->batch) job->batch = batch->samples;
        if (error) {
            fail_job(job, error, now);
            drop_rest(b, job);
        }
        settle(b, job, &finished, now);
    }
    if (!error && batch->samples) {
        const double seconds = (double)(now - batch->taken) / 1e9 / (double)batch->samples;
        b->sample_seconds += (b->sample_seconds > 0 ? 0.1 : 1) * (seconds - b->sample_seconds);
    }
    update_gauges(b);
    pthread_mutex_unlock(&b->lock);
    call_done(finished);
}
