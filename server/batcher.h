/* The queue of one model: jobs in, batches out.
 *
 * A job is one request's samples. HTTP threads push jobs; workers take batches of at most max_batch
 * samples, in order of arrival, of as many jobs as are waiting; a larger job is split over several
 * batches, which several workers may run at once. Nothing is padded. A batch that is not full waits
 * for company only when max_delay says so. The queue is bounded in samples and in bytes.
 *
 * Priorities: high jobs are taken before normal ones, but while both wait, every fourth batch is
 * filled with normal ones first (priority.h): these have a quarter of the workers at the least.
 * Deadlines: a job that can't be done in time by the measured rate is refused; but where nothing is
 * queued and nothing was measured for a second, it is let in and measures the rate anew. Whoever
 * waits for a job ends it at its deadline: batcher_cancel().
 *
 * Ownership: the job and its buffers belong to whoever pushed it, and stay untouched by him until
 * done(job) is called or batcher_cancel() gave it back: one of the two, exactly once, for each push
 * that returned BATCHER_OK.
 * Threads: every call from any thread. done() is called without the lock, from a worker; it must
 * not block and not call the batcher. */
#ifndef SERVER_BATCHER_H
#define SERVER_BATCHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "priority.h"

struct batcher;
struct model_metrics;

enum job_result { JOB_DONE, JOB_FAILED, JOB_CANCELLED };

struct job {
    /* set by the owner before the push, all that follows is 0 */
    const float *input;
    float *output;
    size_t samples, input_size, output_size; /* floats of one sample */
    enum priority priority;
    uint64_t deadline; /* clock_ns(); 0: none */
    void (*done)(struct job *job);
    void *context;
    /* for the owner, once done() was called */
    enum job_result result;
    bool more;       /* the same thread calls done() of another job as soon as this one returns */
    char error[240]; /* JOB_FAILED */
    uint64_t pushed, started, finished; /* clock_ns(); started: of its first batch, 0: never */
    size_t batch;                       /* samples of the largest batch it took part in */
    /* private to the batcher, under its lock */
    struct job *next;
    size_t taken, completed; /* samples given to workers, and given back */
    bool queued;             /* pushed, and not done */
    atomic_bool cancelled;
};

struct batcher_options {
    size_t max_batch, queue_samples, queue_bytes, workers;
    uint64_t max_delay; /* ns */
    uint64_t stall;     /* ns: batcher_moves() */
};

/* A part of a job: samples first .. first + count. */
struct segment {
    struct job *job;
    size_t first, count;
};

struct batch {
    size_t samples, segments;
    uint64_t taken;          /* clock_ns() */
    struct segment *segment; /* room for max_batch */
};

/* NULL: no memory or no thread. metrics may be NULL; else it must outlive the batcher. */
struct batcher *batcher_new(const struct batcher_options *options, struct model_metrics *metrics);
/* All jobs must be done and all workers gone. */
void batcher_free(struct batcher *batcher);

enum batcher_answer {
    BATCHER_OK,
    BATCHER_FULL,
    BATCHER_TOO_LARGE, /* for any queue */
    BATCHER_BUSY,      /* the jobs in front of it would make it late */
    BATCHER_LATE,      /* it would be late even if there were none */
    BATCHER_CANCELLED, /* before it was pushed */
    BATCHER_CLOSED,
};
enum batcher_answer batcher_push(struct batcher *batcher, struct job *job);
/* Nobody waits for the job any more: its samples leave the queue. True: that was all of it, it is
 * the owner's again, and there is no done(). False: a worker has a part of it, and done() will
 * come, soon where nobody waits for the rest of that batch either; or the job is not pushed yet,
 * and will be refused. */
bool batcher_cancel(struct batcher *batcher, struct job *job);
/* Seconds after which a refused client should come back: what is queued by the measured rate. */
unsigned batcher_retry_after(struct batcher *batcher);
/* Whether what is queued gets done: false where no batch has ended for longer than `stall` and ten
 * times what the largest should take. */
bool batcher_moves(struct batcher *batcher);
/* No more pushes; what is queued is still taken. */
void batcher_close(struct batcher *batcher);

/* For workers. Takes the next batch, waiting for one; false: closed, and nothing left. */
bool batcher_take(struct batcher *batcher, struct batch *batch);
/* Gives a taken batch back, computed or not; calls done() for each job that is now complete.
 * error: NULL, or the text of the failure. */
void batcher_finish(struct batcher *batcher, struct batch *batch, const char *error);
/* True when every job of the batch was cancelled. Cheap, no lock. */
bool batch_abandoned(const struct batch *batch);

#endif
