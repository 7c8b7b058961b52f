/* A thread that sleeps until there is a connection, or room for one; see acceptor.h. */
#include "acceptor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum {
    OTHERS = 4096,   /* descriptors that are no client's, and more than there are */
    RETRY_MS = 100,  /* without a descriptor, or with nothing that can be closed */
    COMPLAIN_S = 10, /* between two lines of the log */
};

struct acceptor {
    struct acceptor_owner owner;
    int listener, wake;
    size_t connections, descriptors;
    pthread_t thread;
    atomic_bool stopping, waiting; /* waiting: for room */
    atomic_size_t open;
    uint64_t complained; /* the thread's own, as the rest is */
    atomic_bool held[];  /* by descriptor: a client's */
};

static void ring(const struct acceptor *a)
{
    const uint64_t one = 1;
    while (write(a->wake, &one, sizeof one) < 0 && errno == EINTR) continue;
}

/* Sleeps until somebody rings or, with `listen`, a client is there. */
static void rest(const struct acceptor *a, bool listen, int ms)
{
    struct pollfd set[] = {{.fd = a->wake, .events = POLLIN},
                           {.fd = a->listener, .events = POLLIN}};
    uint64_t count;
    if (poll(set, listen ? 2 : 1, ms) > 0 && set[0].revents)
        while (read(a->wake, &count, sizeof count) > 0) continue;
}

/* A descriptor that is held already was closed without acceptor_closed(): libmicrohttpd had no
 * memory for that connection. */
static void hold(struct acceptor *a, int fd)
{
    if (!atomic_exchange(&a->held[fd], true)) atomic_fetch_add(&a->open, 1);
}

static void complain(struct acceptor *a, const char *reason)
{
    const uint64_t now = clock_ns();
    if (a->complained && now - a->complained < COMPLAIN_S * NS_PER_SECOND) return;
    a->complained = now;
    LOG(LOG_WARNING, "accept", LOG_TEXT("error", reason),
        LOG_NUMBER("connections", atomic_load(&a->open)));
}

/* Until a connection is closed; for a while at most, as the next one may be closed sooner. */
static void await_room(struct acceptor *a, bool any_descriptor)
{
    const uint64_t end = clock_ns() + RETRY_MS * NS_PER_MS;
    const size_t before = atomic_load(&a->open);
    atomic_store(&a->waiting, true);
    const bool asked = a->owner.make_room(a->owner.context, any_descriptor);
    do rest(a, false, RETRY_MS);
    while (asked && atomic_load(&a->open) >= before && clock_ns() < end &&
           !atomic_load(&a->stopping));
    atomic_store(&a->waiting, false);
}

static void accept_one(struct acceptor *a)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    const int fd =
        accept4(a->listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && (size_t)fd < a->descriptors) {
        hold(a, fd);
        a->owner.take(a->owner.context, fd, (struct sockaddr *)&address, size);
    } else if (fd >= 0) {
        close(fd);
        complain(a, "too many descriptors");
    } else if (errno == EAGAIN) {
        rest(a, true, -1);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        complain(a, strerror(errno));
        await_room(a, true);
    } /* else: that client has left again */
}

/* There is no room: it is made when somebody wants it. */
static void accept_none(struct acceptor *a)
{
    struct pollfd client = {.fd = a->listener, .events = POLLIN};
    if (poll(&client, 1, 0) > 0)
        await_room(a, false);
    else
        rest(a, true, -1);
}

static void *run(void *argument)
{
    struct acceptor *a = argument;
    pthread_setname_np(pthread_self(), "accept");
    while (!atomic_load(&a->stopping)) {
        if (atomic_load(&a->open) < a->connections)
            accept_one(a);
        else
            accept_none(a);
    }
    return NULL;
}

struct acceptor *acceptor_new(int listener, size_t connections, struct acceptor_owner owner)
{
    const size_t descriptors = connections + OTHERS;
    struct acceptor *a = calloc(1, sizeof *a + descriptors * sizeof *a->held);
    if (!a) return NULL;
    a->owner = owner;
    a->listener = listener;
    a->connections = connections;
    a->descriptors = descriptors;
    a->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->wake >= 0) return a;
    free(a);
    return NULL;
}

bool acceptor_start(struct acceptor *a)
{
    return !pthread_create(&a->thread, NULL, run, a);
}

void acceptor_stop(struct acceptor *a)
{
    atomic_store(&a->stopping, true);
    ring(a);
    pthread_join(a->thread, NULL);
}

void acceptor_free(struct acceptor *a)
{
    if (!a) return;
    close(a->wake);
    free(a);
}

void acceptor_closed(struct acceptor *a, int fd)
{
    if (atomic_exchange(&a->held[fd], false)) atomic_fetch_sub(&a->open, 1);
    acceptor_poke(a);
}

void acceptor_poke(struct acceptor *a)
{
    if (atomic_load(&a->waiting)) ring(a);
}
