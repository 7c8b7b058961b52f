/* One thread, one epoll, one list, and a table of the list by descriptor; see watch.h. The list is
 * walked only when a deadline has passed; add and remove are short. */
#include "watch.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTS = 64, MAX_SLEEP_MS = 60000 };

struct watch {
    int epoll, wake; /* wake: an eventfd, id 0 in the epoll */
    pthread_t thread;
    pthread_mutex_t lock;
    /* all under the lock */
    struct watched *first, **by_fd;
    size_t fds; /* of the table */
    uint32_t last_id;
    uint64_t nearest; /* the deadline that the thread sleeps for; UINT64_MAX: none */
    bool ending;
};

/* What epoll tells with an event. Id 0 is the eventfd's. */
static uint64_t key_of(int fd, uint32_t id)
{
    return (uint64_t)id << 32 | (uint32_t)fd;
}

/* NULL: it is not watched any more. */
static struct watched *find(const struct watch *w, uint64_t key)
{
    const size_t fd = (uint32_t)key;
    struct watched *watched = fd < w->fds ? w->by_fd[fd] : NULL;
    return watched && watched->id == key >> 32 ? watched : NULL;
}

static void forget(struct watch *w, struct watched *watched)
{
    *watched->link = watched->next;
    if (watched->next) watched->next->link = watched->link;
    if (find(w, key_of(watched->fd, watched->id))) w->by_fd[watched->fd] = NULL;
    epoll_ctl(w->epoll, EPOLL_CTL_DEL, watched->fd, NULL);
}

static void tell(struct watch *w, struct watched *watched, enum watch_event why)
{
    if (!watched->event) return;
    const uint64_t deadline = watched->event(watched, why);
    if (deadline == WATCH_END) {
        forget(w, watched);
        watched->event(watched, WATCH_ENDED);
        return;
    }
    watched->deadline = deadline;
    if (!deadline && !watched->reads)
        watched->event = NULL;
    else if (deadline && deadline < w->nearest)
        w->nearest = deadline;
}

/* What epoll says may be of a connection that is not watched any more, even if the descriptor is:
 * the id is not. It tells a hang-up once. */
static void take_event(struct watch *w, uint64_t key)
{
    struct watched *watched = find(w, key);
    if (!watched) return;
    watched->gone = !watched->reads;
    tell(w, watched, watched->reads ? WATCH_INPUT : WATCH_HANGUP);
}

/* Also tells of those that hung up before watch_set(). */
static void tell_deadlines(struct watch *w)
{
    const uint64_t now = clock_ns();
    if (now < w->nearest) return;
    w->nearest = UINT64_MAX;
    for (struct watched *watched = w->first, *next; watched; watched = next) {
        next = watched->next;
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
                take_event(w, event[i].data.u64);
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
    free(w->by_fd);
    free(w);
}

static bool make_room(struct watch *w, int fd)
{
    size_t fds = w->fds ? w->fds : 64;
    while (fds <= (size_t)fd) fds *= 2;
    if (fds == w->fds) return true;
    struct watched **table = realloc(w->by_fd, fds * sizeof(struct watched *));
    if (!table) return false;
    memset(table + w->fds, 0, (fds - w->fds) * sizeof(struct watched *));
    w->by_fd = table;
    w->fds = fds;
    return true;
}

/* Under the lock. False: epoll does not tell of it. */
static bool enter(struct watch *w, struct watched *watched, uint32_t events)
{
    while (!++w->last_id) continue;
    watched->id = w->last_id;
    watched->next = w->first;
    watched->link = &w->first;
    if (w->first) w->first->link = &watched->next;
    w->first = watched;
    struct epoll_event event = {.events = events, .data.u64 = key_of(watched->fd, watched->id)};
    if (!make_room(w, watched->fd)) return false;
    w->by_fd[watched->fd] = watched;
    return !epoll_ctl(w->epoll, EPOLL_CTL_ADD, watched->fd, &event);
}

void watch_open(struct watch *w, struct watched *watched, int fd)
{
    *watched = (struct watched){.fd = fd};
    pthread_mutex_lock(&w->lock);
    (void)enter(w, watched, EPOLLRDHUP | EPOLLONESHOT); /* else the deadlines remain */
    pthread_mutex_unlock(&w->lock);
}

void watch_close(struct watch *w, struct watched *watched)
{
    pthread_mutex_lock(&w->lock);
    forget(w, watched);
    pthread_mutex_unlock(&w->lock);
}

/* Under the lock. True: the thread is to be woken. A deadline without an event must not become
 * the nearest one: the thread would not be woken for it, nor for any later one. */
static bool set_deadline(struct watch *w, struct watched *watched, uint64_t deadline)
{
    watched->deadline = deadline;
    if (!watched->event || !deadline || deadline >= w->nearest) return false;
    w->nearest = deadline;
    return true;
}

void watch_set(struct watch *w, struct watched *watched, uint64_t deadline, watch_event_fn *event)
{
    pthread_mutex_lock(&w->lock);
    watched->event = event;
    /* 1: long ago */
    const bool nearer = set_deadline(w, watched, watched->gone ? 1 : deadline);
    pthread_mutex_unlock(&w->lock);
    if (nearer) wake(w);
}

void watch_hasten(struct watch *w, uint64_t deadline, watch_event_fn *event)
{
    bool nearer = false;
    pthread_mutex_lock(&w->lock);
    for (struct watched *watched = w->first; watched; watched = watched->next)
        if (watched->event == event && (!watched->deadline || watched->deadline > deadline))
            nearer |= set_deadline(w, watched, deadline);
    pthread_mutex_unlock(&w->lock);
    if (nearer) wake(w);
}

bool watch_read(struct watch *w, struct watched *watched, int fd, uint64_t deadline,
                watch_event_fn *event)
{
    *watched = (struct watched){.fd = fd, .reads = true, .event = event};
    pthread_mutex_lock(&w->lock);
    const bool entered = enter(w, watched, EPOLLIN | EPOLLRDHUP);
    if (!entered) forget(w, watched);
    const bool nearer = entered && set_deadline(w, watched, deadline);
    pthread_mutex_unlock(&w->lock);
    if (nearer) wake(w);
    return entered;
}
