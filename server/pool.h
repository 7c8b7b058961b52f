/* Threads for work that must not hold up the HTTP threads: the daemon has one pool that decodes
 * pictures and one that loads models.
 *
 * Tasks wait in a queue that is bounded in number and bytes: those of high priority first, as
 * priority.h says, else in order of arrival. What a task does is its own.
 *
 * Ownership: a task belongs to whoever pushed it, and is the pool's until run(task) is called or
 * pool_cancel() gave it back: one of the two, exactly once, for each push that returned POOL_OK.
 * The pool does not touch it afterwards: run() may have it freed.
 * Threads: every call from any thread, run() on one of the pool's. */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "priority.h"

struct pool;

struct task {
    /* set by the owner before the push, all that follows is 0 */
    void (*run)(struct task *task);
    enum priority priority;
    size_t bytes;      /* that it keeps in memory while it waits */
    uint64_t deadline; /* clock_ns(): by when it should begin; 0: whenever */
    /* private to the pool, under its lock */
    struct task *next;
    bool queued;
    atomic_bool cancelled; /* for run() to read: nobody waits for it any more */
};

/* Of what waits; a task may always wait alone. */
struct pool_limits {
    size_t tasks, bytes;
};

/* name: the threads', at most 15 characters, not copied. NULL: no memory or no thread. */
struct pool *pool_new(const char *name, size_t threads, struct pool_limits limits);
size_t pool_threads(const struct pool *pool);
/* Nothing may be waiting any more; waits for what runs. */
void pool_free(struct pool *pool);

enum pool_answer {
    POOL_OK,
    POOL_FULL,
    POOL_BUSY, /* by the measured rate its deadline passes while others wait before it */
    POOL_CANCELLED,
};
enum pool_answer pool_push(struct pool *pool, struct task *task);
/* Nobody waits for the task any more. True: it is out of the queue, the owner's again, and does not
 * run. False: it runs or has run; or it is not pushed yet, and will be refused. */
bool pool_cancel(struct pool *pool, struct task *task);
/* Seconds after which a refused client should come back: what waits and runs, by the measured rate.
 */
unsigned pool_retry_after(struct pool *pool);

#endif
