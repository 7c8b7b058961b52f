/* Lingering closes; see linger.h. A connection here belongs to the watch, which ends it. The list
 * of all, oldest first, is under a lock of its own, which is taken under the watch's: no call of
 * the watch is made with it. */
#include "linger.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics.h"
#include "watch.h"

enum {
    PIECE = 64 << 10, /* bytes of one read */
    PIECES = 16,      /* reads of one event */
    FRAMING = 1 << 20 /* beyond the limit: what a chunked body of that size has more */
};
/* Once it is hurried: a client that sends less than so much in that time is waited for no more. */
#define SILENCE NS_PER_SECOND
enum { LEAST_INPUT = 1 << 10 };

struct lingering {
    struct watched watched; /* first: the two are one address */
    struct linger_set *linger;
    struct lingering *next, *previous; /* younger, older */
    int fd;
    uint64_t until, progress; /* progress: when LEAST_INPUT more had come */
    size_t bytes, bytes_then;
    bool evicted; /* under the lock */
};

struct linger_set {
    struct watch *watch;
    struct metrics *metrics;
    struct linger_limits limits;
    atomic_bool hurried;
    pthread_mutex_t lock;
    /* under the lock */
    struct lingering *oldest, *youngest;
    size_t count;
    /* the watch's thread */
    char unread[PIECE];
};

struct linger_set *linger_new(struct watch *watch, struct metrics *metrics,
                              struct linger_limits limits)
{
    struct linger_set *linger = calloc(1, sizeof *linger);
    if (!linger) return NULL;
    linger->watch = watch;
    linger->metrics = metrics;
    linger->limits = limits;
    pthread_mutex_init(&linger->lock, NULL);
    return linger;
}

void linger_free(struct linger_set *linger)
{
    if (!linger) return;
    for (struct lingering *l = linger->oldest, *next; l; l = next) {
        next = l->next;
        close(l->fd);
        free(l);
    }
    pthread_mutex_destroy(&linger->lock);
    free(linger);
}

/* Under the lock. */
static void append(struct linger_set *linger, struct lingering *l)
{
    l->previous = linger->youngest;
    *(l->previous ? &l->previous->next : &linger->oldest) = l;
    linger->youngest = l;
    linger->count++;
}

static void drop(struct lingering *l)
{
    struct linger_set *linger = l->linger;
    pthread_mutex_lock(&linger->lock);
    *(l->previous ? &l->previous->next : &linger->oldest) = l->next;
    *(l->next ? &l->next->previous : &linger->youngest) = l->previous;
    linger->count--;
    pthread_mutex_unlock(&linger->lock);
    metrics_lingering(linger->metrics, -1);
    close(l->fd);
    free(l);
}

static bool is_evicted(struct lingering *l)
{
    pthread_mutex_lock(&l->linger->lock);
    const bool evicted = l->evicted;
    pthread_mutex_unlock(&l->linger->lock);
    return evicted;
}

/* False: the client has closed its side, or its connection is broken. */
static bool discard(struct lingering *l)
{
    for (int i = 0; i < PIECES; i++) {
        const ssize_t got = recv(l->fd, l->linger->unread, PIECE, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno == EAGAIN;
        if (got == 0) return false;
        l->bytes += (size_t)got;
    }
    return true;
}

static uint64_t next_deadline(const struct lingering *l)
{
    const uint64_t silent = l->progress + SILENCE;
    return atomic_load(&l->linger->hurried) && silent < l->until ? silent : l->until;
}

/* On the watch's thread. */
static uint64_t on_event(struct watched *watched, enum watch_event event)
{
    struct lingering *l = (struct lingering *)watched;
    enum metrics_linger_end end;
    if (event == WATCH_ENDED) {
        drop(l);
        return 0;
    }
    const uint64_t now = clock_ns();
    const bool open = event != WATCH_INPUT || discard(l);
    if (l->bytes >= l->bytes_then + LEAST_INPUT) {
        l->bytes_then = l->bytes;
        l->progress = now;
    }
    if (!open)
        end = is_evicted(l) ? LINGER_END_EVICTED : LINGER_END_CLIENT;
    else if (l->bytes > l->linger->limits.bytes + FRAMING)
        end = LINGER_END_BYTES;
    else if (now >= next_deadline(l))
        end = LINGER_END_TIME;
    else
        return next_deadline(l);
    metrics_linger_end(l->linger->metrics, end);
    return WATCH_END;
}

/* With the receiving half shut down, epoll tells of its end. Under the lock. */
static bool evict_oldest(struct linger_set *linger)
{
    struct lingering *l = linger->oldest;
    while (l && l->evicted) l = l->next;
    if (!l) return false;
    l->evicted = true;
    shutdown(l->fd, SHUT_RD);
    return true;
}

bool linger_evict(struct linger_set *linger)
{
    pthread_mutex_lock(&linger->lock);
    const bool evicted = evict_oldest(linger);
    pthread_mutex_unlock(&linger->lock);
    return evicted;
}

void linger_add(struct linger_set *linger, int fd, uint64_t answered)
{
    struct lingering *l =
        linger->limits.ns && linger->limits.connections ? calloc(1, sizeof *l) : NULL;
    if (!l) return;
    l->linger = linger;
    l->progress = clock_ns();
    l->until = answered + linger->limits.ns;
    l->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (l->fd < 0) {
        free(l);
        return;
    }
    shutdown(l->fd, SHUT_WR); /* where libmicrohttpd gave the connection up, it has not said so */
    pthread_mutex_lock(&linger->lock);
    if (linger->count >= linger->limits.connections) evict_oldest(linger);
    append(linger, l);
    pthread_mutex_unlock(&linger->lock);
    metrics_lingering(linger->metrics, 1);
    /* Once it is watched it may be gone. */
    if (!watch_read(linger->watch, &l->watched, l->fd, next_deadline(l), on_event)) drop(l);
}

void linger_hurry(struct linger_set *linger)
{
    atomic_store(&linger->hurried, true);
    watch_hasten(linger->watch, clock_ns() + SILENCE, on_event);
}

size_t linger_count(struct linger_set *linger)
{
    pthread_mutex_lock(&linger->lock);
    const size_t count = linger->count;
    pthread_mutex_unlock(&linger->lock);
    return count;
}
