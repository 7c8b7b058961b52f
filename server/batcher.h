/* The queue of one model: jobs in, batches out.
 *
 * A job is one request's samples. HTTP threads push jobs; workers take batches of at most max_batch
 * samples, in order of arrival, of as many jobs as are waiting; a larger job is split over several
 * batches, which several workers may run at once. Nothing is padded. A batch that is not full waits
 * for company only when max_delay says so. The queue is bounded in samples and in bytes, and one
 * thread of its own ends jobs whose deadline passes while they wait.
 *
 * Ownership: the job and its buffers belong to whoever pushed it, and stay untouched by him until
 * done(job) is called, exactly once, for each push that returned BATCHER_OK.
 * Threads: every call from any thread. done() is called without the lock, from a worker or the
 * deadline thread; it must not block and not call the batcher. */
#ifndef SERVER_BATCHER_H
#define SERVER_BATCHER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct batcher;
struct model_metrics;

enum job_result { JOB_DONE, JOB_FAILED, JOB_EXPIRED, JOB_CANCELLED };

struct job {
    /* set by the owner before the push */
    const float *input;
    float *output;
    size_t samples, input_size, output_size; /* floats of one sample */
    uint64_t deadline;                       /* clock_ns(); 0: none */
    void (*done)(struct job *job);
    void *context;
    /* for the owner, once done() was called */
    enum job_result result;
    char error[240];                    /* JOB_FAILED */
    uint64_t pushed, started, finished; /* clock_ns(); started: of its first batch, 0: never */
    size_t batch;                       /* samples of the largest batch it took part in */
    /* private to the batcher, under its lock */
    struct job *next;
    size_t taken, completed; /* samples given to workers, and given back */
    atomic_bool cancelled;
};

struct batcher_options {
    size_t max_batch, queue_samples, queue_bytes, workers;
    uint64_t max_delay; /* ns */
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

enum batcher_answer { BATCHER_OK, BATCHER_FULL, BATCHER_TOO_LARGE, BATCHER_CLOSED };
enum batcher_answer batcher_push(struct batcher *batcher, struct job *job);
/* The owner has no use for the answer any more. The job is still done() in its time, as
 * JOB_CANCELLED where nothing had been computed. */
void batcher_cancel(struct batcher *batcher, struct job *job);
/* Seconds after which a refused client should come back: what is queued by the measured rate. */
unsigned batcher_retry_after(struct batcher *batcher);
/* No more pushes; what is queued is still taken. */
void batcher_close(struct batcher *batcher);

/* For workers. Takes the next batch, waiting for one; false: closed, and nothing left. */
bool batcher_take(struct batcher *batcher, struct batch *batch);
/* Gives a taken batch back, computed or not; calls done() for each job that is now complete.
 * error: NULL, or the text of the failure. */
void batcher_finish(struct batcher *batcher, struct batch *batch, const char *error);
/* True when nobody waits for any part of the batch any more. Cheap, no lock. */
bool batch_abandoned(const struct batch *batch);

#endif
