/* Watches over connections: tells when a deadline has passed, and when a client has hung up.
 *
 * libmicrohttpd shows neither while a connection is suspended, and where the last bytes come
 * together with the end of the stream it does not look for that end either. One thread sleeps on an
 * epoll of the clients' sockets until the nearest deadline. The same thread reads what clients send
 * after they were answered (linger.h). What tells is the end of the client's
 * stream, however many bytes of a next request wait before it. A client that shuts down its sending
 * half and would still read can't be told from one that is gone without writing to it: it counts as
 * gone.
 *
 * Threads: every call from any thread, open and close once for each connection. An event comes on
 * the watch's own thread and under its lock: it must not block and not call the watch. Once
 * watch_set() or watch_close() has returned, no event of an earlier one is on its way. */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

struct watch;

/* For those who want to be told again soon. */
#define WATCH_AGAIN (50 * NS_PER_MS)
/* What an event of watch_read() returns to be taken off the watch. */
#define WATCH_END UINT64_MAX

enum watch_event {
    WATCH_DEADLINE,
    WATCH_HANGUP,
    WATCH_INPUT, /* watch_read() only: bytes can be read, or the end of the stream */
    WATCH_ENDED, /* watch_read() only: off the watch; the last event, which may free the memory */
};

struct watched;
/* The new deadline: clock_ns(), 0: nothing is told any more, unless it is input. */
typedef uint64_t watch_event_fn(struct watched *watched, enum watch_event event);

struct watched {
    /* private to the watch, under its lock */
    struct watched *next, **link;
    uint64_t deadline;
    uint32_t id;
    int fd;
    bool gone, reads;
    watch_event_fn *event; /* NULL: nothing is told */
};

/* In an event only: who is told from the next one on. */
static inline void watch_then(struct watched *watched, watch_event_fn *event)
{
    watched->event = event;
}

/* NULL: no memory, descriptors or threads. */
struct watch *watch_new(void);
/* Nothing of watch_open() must be watched any more; what watch_read() has is forgotten, not told.
 */
void watch_free(struct watch *watch);

/* fd: the client's socket, open until watch_close(). Nothing is told yet. */
void watch_open(struct watch *watch, struct watched *watched, int fd);
void watch_close(struct watch *watch, struct watched *watched);
/* What is told from now on, whatever it was before: that the client has hung up, also if it did so
 * long ago, or that the deadline has passed; clock_ns(), 0: none. event NULL: nothing. */
void watch_set(struct watch *watch, struct watched *watched, uint64_t deadline,
               watch_event_fn *event);
/* Brings the deadlines of all that have this event forward to the given one. */
void watch_hasten(struct watch *watch, uint64_t deadline, watch_event_fn *event);

/* Watches a socket for input, until the event returns WATCH_END. False: no memory or descriptors;
 * it is not watched. */
bool watch_read(struct watch *watch, struct watched *watched, int fd, uint64_t deadline,
                watch_event_fn *event);

#endif
