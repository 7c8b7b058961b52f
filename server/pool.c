/* A queue and its threads; see pool.h. One lock, never held while a task runs. */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "clock.h"
#include "rate.h"

struct queue {
    struct task *head, **tail;
    size_t waiting, bytes;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t arrival; /* a task came, or the end */
    /* all under the lock */
    struct queue queue[PRIORITIES];
    size_t running, high_in_a_row;
    struct rate rate; /* one thread's, for a task */
    bool ending;
    /* constant once started */
    const char *name;
    struct pool_limits limits;
    size_t threads;
    pthread_t thread[];
};

static void append(struct queue *queue, struct task *task)
{
    task->next = NULL;
    *queue->tail = task;
    queue->tail = &task->next;
    queue->waiting++;
    queue->bytes += task->bytes;
}

static bool take_out(struct queue *queue, const struct task *task)
{
    for (struct task **p = &queue->head; *p; p = &(*p)->next) {
        if (*p != task) continue;
        *p = task->next;
        if (queue->tail == &task->next) queue->tail = p;
        queue->waiting--;
        queue->bytes -= task->bytes;
        return true;
    }
    return false;
}

static size_t waiting(const struct pool *pool)
{
    return pool->queue[PRIORITY_NORMAL].waiting + pool->queue[PRIORITY_HIGH].waiting;
}

static bool is_full(const struct pool *pool, const struct task *task)
{
    const size_t tasks = waiting(pool);
    const size_t bytes = pool->queue[PRIORITY_NORMAL].bytes + pool->queue[PRIORITY_HIGH].bytes;
    if (!tasks) return false;
    return tasks >= pool->limits.tasks || bytes > pool->limits.bytes ||
           task->bytes > pool->limits.bytes - bytes;
}

/* Under the lock: the next task to run; NULL: none. */
static struct task *next_task(struct pool *pool)
{
    const enum priority first = priority_next(
        pool->queue[PRIORITY_HIGH].head, pool->queue[PRIORITY_NORMAL].head, &pool->high_in_a_row);
    struct task *task = pool->queue[first].head;
    if (!task) return NULL;
    take_out(&pool->queue[first], task);
    task->queued = false;
    pool->running++;
    return task;
}

/* Under the lock. One that was cut short counts too: it is what the thread had to do. */
static void account(struct pool *pool, uint64_t began)
{
    const uint64_t now = clock_ns();
    pool->running--;
    rate_measure(&pool->rate, began, now, (double)(now - began) / 1e9);
}

static void *pool_main(void *argument)
{
    struct pool *pool = argument;
    pthread_setname_np(pthread_self(), pool->name);
    pthread_mutex_lock(&pool->lock);
    while (!pool->ending) {
        struct task *task = next_task(pool);
        if (!task) {
            pthread_cond_wait(&pool->arrival, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        const uint64_t began = clock_ns();
        task->run(task);
        pthread_mutex_lock(&pool->lock);
        account(pool, began);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct pool *pool_new(const char *name, size_t threads, struct pool_limits limits)
{
    struct pool *pool = calloc(1, sizeof *pool + threads * sizeof *pool->thread);
    if (!pool) return NULL;
    pool->name = name;
    pool->limits = limits;
    for (size_t i = 0; i < PRIORITIES; i++) pool->queue[i].tail = &pool->queue[i].head;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->arrival, NULL);
    while (pool->threads < threads &&
           !pthread_create(&pool->thread[pool->threads], NULL, pool_main, pool))
        pool->threads++;
    if (pool->threads == threads) return pool;
    pool_free(pool);
    return NULL;
}

void pool_free(struct pool *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->lock);
    pool->ending = true;
    pthread_cond_broadcast(&pool->arrival);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->threads; i++) pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->arrival);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

size_t pool_threads(const struct pool *pool)
{
    return pool->threads;
}

/* Whether a thread comes to it in time. What runs may end at any moment and does not count; nor
 * does what the task itself takes, of which an average says little: pictures are of all sizes. */
static bool is_in_time(const struct pool *pool, const struct task *task)
{
    const size_t ahead =
        task->priority == PRIORITY_HIGH ? pool->queue[PRIORITY_HIGH].waiting : waiting(pool);
    if (!task->deadline || !ahead) return true;
    const double wait = rate_wait(&pool->rate, ahead, pool->threads);
    return (double)clock_ns() + wait * 1e9 <= (double)task->deadline;
}

static enum pool_answer admit(const struct pool *pool, const struct task *task)
{
    if (atomic_load(&task->cancelled)) return POOL_CANCELLED;
    if (is_full(pool, task)) return POOL_FULL;
    return is_in_time(pool, task) ? POOL_OK : POOL_BUSY;
}

enum pool_answer pool_push(struct pool *pool, struct task *task)
{
    pthread_mutex_lock(&pool->lock);
    const enum pool_answer answer = admit(pool, task);
    if (answer == POOL_OK) {
        task->queued = true;
        append(&pool->queue[task->priority], task);
        pthread_cond_signal(&pool->arrival);
    }
    pthread_mutex_unlock(&pool->lock);
    return answer;
}

bool pool_cancel(struct pool *pool, struct task *task)
{
    pthread_mutex_lock(&pool->lock);
    const bool out = task->queued && take_out(&pool->queue[task->priority], task);
    task->queued = false;
    atomic_store(&task->cancelled, true);
    pthread_mutex_unlock(&pool->lock);
    return out;
}

unsigned pool_retry_after(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    const unsigned seconds =
        rate_retry_after(&pool->rate, waiting(pool) + pool->running, pool->threads);
    pthread_mutex_unlock(&pool->lock);
    return seconds;
}
