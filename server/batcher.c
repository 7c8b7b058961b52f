/* The queue of one model; see batcher.h. One lock for everything; never held across a run or
 * done(). */
#include "batcher.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "metrics.h"
#include "rate.h"

/* Jobs with samples not yet taken, oldest first. */
struct queue {
    struct job *head, **tail;
    size_t waiting; /* samples */
};

struct batcher {
    struct batcher_options options;
    struct model_metrics *metrics;
    pthread_mutex_t lock;
    pthread_cond_t arrival; /* workers wait: a job came, or the end */
    /* all under the lock */
    struct queue queue[PRIORITIES];
    size_t high_in_a_row;  /* batches that began with a high job while normal ones waited */
    size_t samples, bytes; /* of all jobs not done */
    size_t shown_samples, shown_bytes; /* what of them the metrics have */
    struct rate rate;                  /* one worker's, for a sample */
    uint64_t let_in;                   /* when a job was, to measure it */
    uint64_t moved;                    /* when a batch ended, or the first job came */
    bool closed;
};

static size_t job_bytes(const struct job *job)
{
    return job->samples * (job->input_size + job->output_size) * sizeof(float);
}

/* By what has changed: while a model is reloaded two queues count in one place. */
static void update_gauges(struct batcher *b)
{
    if (!b->metrics) return;
    atomic_fetch_add(&b->metrics->queue_samples, b->samples - b->shown_samples);
    atomic_fetch_add(&b->metrics->queue_bytes, b->bytes - b->shown_bytes);
    b->shown_samples = b->samples;
    b->shown_bytes = b->bytes;
}

static size_t waiting(const struct batcher *b)
{
    return b->queue[PRIORITY_NORMAL].waiting + b->queue[PRIORITY_HIGH].waiting;
}

static void unlink_job(struct queue *queue, struct job *job)
{
    for (struct job **p = &queue->head; *p; p = &(*p)->next) {
        if (*p != job) continue;
        *p = job->next;
        if (queue->tail == &job->next) queue->tail = p;
        return;
    }
}

/* Takes the samples that no worker has yet out of the queue: they are not going to be computed. */
static void drop_rest(struct batcher *b, struct job *job)
{
    struct queue *queue = &b->queue[job->priority];
    if (job->taken == job->samples) return;
    unlink_job(queue, job);
    queue->waiting -= job->samples - job->taken;
    job->completed += job->samples - job->taken;
    job->taken = job->samples;
}

/* True for a job that is complete, which then leaves the queue's accounts. */
static bool settle(struct batcher *b, struct job *job, uint64_t now)
{
    if (job->completed < job->samples) return false;
    if (atomic_load(&job->cancelled)) job->result = JOB_CANCELLED;
    job->finished = now;
    job->queued = false;
    b->samples -= job->samples;
    b->bytes -= job_bytes(job);
    return true;
}

/* Without the lock. A job may be gone as soon as its done() was called. */
static void call_done(struct job *finished)
{
    while (finished) {
        struct job *next = finished->next;
        finished->more = next != NULL;
        finished->done(finished);
        finished = next;
    }
}

struct batcher *batcher_new(const struct batcher_options *options, struct model_metrics *metrics)
{
    struct batcher *b = calloc(1, sizeof *b);
    if (!b) return NULL;
    *b = (struct batcher){.options = *options, .metrics = metrics};
    for (size_t i = 0; i < PRIORITIES; i++) b->queue[i].tail = &b->queue[i].head;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->arrival, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return b;
}

void batcher_free(struct batcher *b)
{
    if (!b) return;
    pthread_cond_destroy(&b->arrival);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* Whether the job can be done in time: what waits in front of it, then itself. What is running may
 * end at any moment and does not count. */
static enum batcher_answer judge(struct batcher *b, const struct job *job, uint64_t now)
{
    const struct batcher_options *o = &b->options;
    const size_t ahead =
        job->priority == PRIORITY_HIGH ? b->queue[PRIORITY_HIGH].waiting : waiting(b);
    const size_t batches = (job->samples + o->max_batch - 1) / o->max_batch;
    const size_t share = batches < o->workers ? batches : o->workers;
    const double own = rate_wait(&b->rate, job->samples, share);
    const double wait = rate_wait(&b->rate, ahead, o->workers);
    const double left = job->deadline > now ? (double)(job->deadline - now) / 1e9 : 0;
    if (!job->deadline || own + wait <= left) return BATCHER_OK;
    if (!b->samples && now - b->rate.measured > RATE_LASTS && now - b->let_in > RATE_LASTS) {
        b->let_in = now;
        return BATCHER_OK;
    }
    return own > left ? BATCHER_LATE : BATCHER_BUSY;
}

static enum batcher_answer admit(struct batcher *b, const struct job *job, uint64_t now)
{
    const struct batcher_options *o = &b->options;
    if (b->closed) return BATCHER_CLOSED;
    if (atomic_load(&job->cancelled)) return BATCHER_CANCELLED;
    if (job->samples > o->queue_samples || job_bytes(job) > o->queue_bytes)
        return BATCHER_TOO_LARGE;
    if (job->samples > o->queue_samples - b->samples || job_bytes(job) > o->queue_bytes - b->bytes)
        return BATCHER_FULL;
    return judge(b, job, now);
}

enum batcher_answer batcher_push(struct batcher *b, struct job *job)
{
    struct queue *queue = &b->queue[job->priority];
    job->result = JOB_DONE;
    job->error[0] = '\0';
    job->started = job->finished = 0;
    job->batch = job->taken = job->completed = 0;
    job->next = NULL;
    pthread_mutex_lock(&b->lock);
    const uint64_t now = clock_ns();
    const enum batcher_answer answer = admit(b, job, now);
    if (answer == BATCHER_OK) {
        job->pushed = now;
        job->queued = true;
        if (!b->samples) b->moved = now;
        *queue->tail = job;
        queue->tail = &job->next;
        queue->waiting += job->samples;
        b->samples += job->samples;
        b->bytes += job_bytes(job);
        update_gauges(b);
        pthread_cond_signal(&b->arrival);
    }
    pthread_mutex_unlock(&b->lock);
    return answer;
}

bool batcher_cancel(struct batcher *b, struct job *job)
{
    bool out = false;
    pthread_mutex_lock(&b->lock);
    atomic_store(&job->cancelled, true);
    if (job->queued) {
        drop_rest(b, job);
        out = settle(b, job, clock_ns());
        update_gauges(b);
    }
    pthread_mutex_unlock(&b->lock);
    return out;
}

unsigned batcher_retry_after(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    const unsigned seconds = rate_retry_after(&b->rate, b->samples, b->options.workers);
    pthread_mutex_unlock(&b->lock);
    return seconds;
}

bool batcher_moves(struct batcher *b)
{
    const struct batcher_options *o = &b->options;
    pthread_mutex_lock(&b->lock);
    const double still = (double)(clock_ns() - b->moved);
    const double batches = 10 * 1e9 * b->rate.seconds * (double)o->max_batch;
    const bool moves = !b->samples || still <= (double)o->stall + batches;
    pthread_mutex_unlock(&b->lock);
    return moves;
}

void batcher_close(struct batcher *b)
{
    pthread_mutex_lock(&b->lock);
    b->closed = true;
    pthread_cond_broadcast(&b->arrival);
    pthread_mutex_unlock(&b->lock);
}

/* The push of the job that waits longest; there is one. */
static uint64_t oldest(const struct batcher *b)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < PRIORITIES; i++) {
        const struct job *head = b->queue[i].head;
        if (head && head->pushed < first) first = head->pushed;
    }
    return first;
}

/* Under the lock: waits until there is a batch to take, which the oldest job's wait ends. */
static bool await_batch(struct batcher *b)
{
    for (;;) {
        const size_t samples = waiting(b);
        if (samples >= b->options.max_batch || (samples && b->closed)) return true;
        if (!samples && b->closed) return false;
        if (!samples) {
            pthread_cond_wait(&b->arrival, &b->lock);
            continue;
        }
        const uint64_t until = oldest(b) + b->options.max_delay;
        if (clock_ns() >= until) return true;
        const struct timespec when = clock_timespec(until);
        pthread_cond_timedwait(&b->arrival, &b->lock, &when);
    }
}

static void fill(struct batcher *b, struct queue *queue, struct batch *batch)
{
    while (queue->head && batch->samples < b->options.max_batch) {
        struct job *job = queue->head;
        const size_t room = b->options.max_batch - batch->samples;
        const size_t left = job->samples - job->taken, count = left < room ? left : room;
        batch->segment[batch->segments++] = (struct segment){job, job->taken, count};
        batch->samples += count;
        queue->waiting -= count;
        if (!job->started) job->started = batch->taken;
        if (count == left) unlink_job(queue, job);
        job->taken += count;
    }
}

bool batcher_take(struct batcher *b, struct batch *batch)
{
    batch->samples = batch->segments = 0;
    pthread_mutex_lock(&b->lock);
    const bool some = await_batch(b);
    const enum priority first = priority_next(b->queue[PRIORITY_HIGH].head,
                                              b->queue[PRIORITY_NORMAL].head, &b->high_in_a_row);
    batch->taken = clock_ns();
    fill(b, &b->queue[first], batch);
    fill(b, &b->queue[first == PRIORITY_HIGH ? PRIORITY_NORMAL : PRIORITY_HIGH], batch);
    if (waiting(b)) pthread_cond_signal(&b->arrival); /* work for another worker too */
    pthread_mutex_unlock(&b->lock);
    return some;
}

bool batch_abandoned(const struct batch *batch)
{
    for (size_t i = 0; i < batch->segments; i++)
        if (!atomic_load(&batch->segment[i].job->cancelled)) return false;
    return true;
}

static void fail_job(struct job *job, const char *error)
{
    if (job->result != JOB_DONE) return;
    job->result = JOB_FAILED;
    const size_t length = strnlen(error, sizeof job->error - 1);
    memcpy(job->error, error, length);
    job->error[length] = '\0';
}

static void measure(struct batcher *b, const struct batch *batch, uint64_t now)
{
    const double seconds = (double)(now - batch->taken) / 1e9;
    rate_measure(&b->rate, batch->taken, now, seconds / (double)batch->samples);
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
            fail_job(job, error);
            drop_rest(b, job);
        }
        if (!settle(b, job, now)) continue;
        job->next = finished;
        finished = job;
    }
    if (!error && batch->samples) measure(b, batch, now);
    b->moved = now;
    update_gauges(b);
    pthread_mutex_unlock(&b->lock);
    call_done(finished);
}
