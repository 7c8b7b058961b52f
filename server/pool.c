/* A queue and its threads; see pool.h. One lock, never held while a task runs. */
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

struct queue {
    struct task *head, **tail;
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t arrival; /* a task came, or the end */
    /* all under the lock */
    struct queue queue[PRIORITIES];
    size_t waiting, limit, high_in_a_row;
    bool ending;
    /* constant once started */
    size_t threads;
    pthread_t thread[];
};

static void append(struct queue *queue, struct task *task)
{
    task->next = NULL;
    *queue->tail = task;
    queue->tail = &task->next;
}

static bool take_out(struct queue *queue, const struct task *task)
{
    for (struct task **p = &queue->head; *p; p = &(*p)->next) {
        if (*p != task) continue;
        *p = task->next;
        if (queue->tail == &task->next) queue->tail = p;
        return true;
    }
    return false;
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
    pool->waiting--;
    return task;
}

static void *pool_main(void *argument)
{
    struct pool *pool = argument;
    pthread_mutex_lock(&pool->lock);
    while (!pool->ending) {
        struct task *task = next_task(pool);
        if (!task) {
            pthread_cond_wait(&pool->arrival, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        task->run(task);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct pool *pool_new(size_t threads, size_t limit)
{
    struct pool *pool = calloc(1, sizeof *pool + threads * sizeof *pool->thread);
    if (!pool) return NULL;
    pool->limit = limit;
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

enum pool_answer pool_push(struct pool *pool, struct task *task)
{
    enum pool_answer answer = POOL_OK;
    pthread_mutex_lock(&pool->lock);
    if (task->cancelled)
        answer = POOL_CANCELLED;
    else if (pool->waiting == pool->limit)
        answer = POOL_FULL;
    if (answer == POOL_OK) {
        task->queued = true;
        append(&pool->queue[task->priority], task);
        pool->waiting++;
        pthread_cond_signal(&pool->arrival);
    }
    pthread_mutex_unlock(&pool->lock);
    return answer;
}

bool pool_cancel(struct pool *pool, struct task *task)
{
    pthread_mutex_lock(&pool->lock);
    const bool out = task->queued && take_out(&pool->queue[task->priority], task);
    if (out) pool->waiting--;
    task->queued = false;
    task->cancelled = true;
    pthread_mutex_unlock(&pool->lock);
    return out;
}
