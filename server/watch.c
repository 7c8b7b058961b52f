/* One thread, one epoll, one list; see watch.h. The list is searched only when something happened
 * or a deadline has passed; add and remove are short. */
#include "watch.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS = 64, MAX_SLEEP_MS = 60000 };

struct watch {
    int epoll, wake; /* wake: an eventfd, id 0 in the epoll */
    pthread_t thread;
    pthread_mutex_t lock;
    /* all under the lock */
    struct watched *first;
    uint64_t last_id;
    uint64_t nearest; /* the deadline that the thread sleeps for; UINT64_MAX: none */
    bool ending;
};

static void tell(struct watch *w, struct watched *watched, enum watch_event why)
{
    if (!watched->event) return;
    if (watched->event(watched, why)) {
        watched->deadline = clock_ns() + WATCH_AGAIN;
        if (watched->deadline < w->nearest) w->nearest = watched->deadline;
    } else {
        watched->event = NULL;
    }
}

/* What epoll says may be of somebody who is not watched any more, even if the descriptor is: the id
 * is not. It says so once. */
static void note_hangup(struct watch *w, uint64_t id)
{
    struct watched *watched = w->first;
    while (watched && watched->id != id) watched = watched->next;
    if (!watched) return;
    watched->gone = true;
    tell(w, watched, WATCH_HANGUP);
}

/* And who was gone before he was watched. */
static void tell_deadlines(struct watch *w)
{
    const uint64_t now = clock_ns();
    if (now < w->nearest) return;
    w->nearest = UINT64_MAX;
    for (struct watched *watched = w->first; watched; watched = watched->next) {
        if (!watched->event || !watched->deadline) continue;
        if (now >= watched->deadline)
            tell(w, watched, watched->gone ? WATCH_HANGUP : WATCH_DEADLINE);
        else if (watched->deadline < w->nearest)
            w->nearest = watched->deadline;
    }
}

static int sleep_ms(const struct watch *w)
{
    const uint64_t now = clock_ns();
    if (w->nearest <= now) return 0;
    const uint64_t ms = (w->nearest - now + NS_PER_MS - 1) / NS_PER_MS;
    return ms < MAX_SLEEP_MS ? (int)ms : MAX_SLEEP_MS;
}

static void clear_wake(const struct watch *w)
{
    uint64_t count;
    while (read(w->wake, &count, sizeof count) > 0) continue;
}

static void *watch_main(void *argument)
{
    struct watch *w = argument;
    struct epoll_event event[EVENTS];
    pthread_setname_np(pthread_self(), "watch");
    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        const int ms = sleep_ms(w);
        pthread_mutex_unlock(&w->lock);
        const int count = epoll_wait(w->epoll, event, EVENTS, ms);
        pthread_mutex_lock(&w->lock);
        for (int i = 0; i < count; i++) {
            if (event[i].data.u64)
                note_hangup(w, event[i].data.u64);
            else
                clear_wake(w);
        }
        tell_deadlines(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

struct watch *watch_new(void)
{
    struct watch *w = calloc(1, sizeof *w);
    struct epoll_event event = {.events = EPOLLIN};
    if (!w) return NULL;
    w->nearest = UINT64_MAX;
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&w->lock, NULL);
    if (w->epoll >= 0 && w->wake >= 0 && !epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->wake, &event) &&
        !pthread_create(&w->thread, NULL, watch_main, w))
        return w;
    if (w->epoll >= 0) close(w->epoll);
    if (w->wake >= 0) close(w->wake);
    free(w);
    return NULL;
}

static void wake(const struct watch *w)
{
    const uint64_t one = 1;
    while (write(w->wake, &one, sizeof one) < 0) continue; /* EINTR: it is never full */
}

void watch_free(struct watch *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_mutex_unlock(&w->lock);
    wake(w);
    pthread_join(w->thread, NULL);
    pthread_mutex_destroy(&w->lock);
    close(w->epoll);
    close(w->wake);
    free(w);
}

void watch_open(struct watch *w, struct watched *watched, int fd)
{
    *watched = (struct watched){.fd = fd};
    pthread_mutex_lock(&w->lock);
    watched->id = ++w->last_id;
    watched->next = w->first;
    watched->link = &w->first;
    if (w->first) w->first->link = &watched->next;
    w->first = watched;
    struct epoll_event hangup = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = watched->id};
    epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &hangup); /* else the deadlines remain */
    pthread_mutex_unlock(&w->lock);
}

void watch_close(struct watch *w, struct watched *watched)
{
    pthread_mutex_lock(&w->lock);
    *watched->link = watched->next;
    if (watched->next) watched->next->link = watched->link;
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, watched->fd, NULL);
    pthread_mutex_unlock(&w->lock);
}

void watch_set(struct watch *w, struct watched *watched, uint64_t deadline, watch_event_fn *event)
{
    pthread_mutex_lock(&w->lock);
    watched->event = event;
    watched->deadline = watched->gone ? 1 : deadline; /* long ago */
    const bool nearer = event && watched->deadline && watched->deadline < w->nearest;
    if (nearer) w->nearest = watched->deadline;
    pthread_mutex_unlock(&w->lock);
    if (nearer) wake(w);
}
