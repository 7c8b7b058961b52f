/* Watches over requests: tells when a deadline has passed, and when a client has hung up.
 *
 * libmicrohttpd shows neither while a connection is suspended. One thread sleeps on an epoll of the
 * clients' sockets until the nearest deadline. What tells is the end of the client's stream,
 * however many bytes of a next request wait before it. A client that shuts down its sending half
 * and would still read can't be told from one that is gone without writing to it: it counts as
 * gone.
 *
 * Threads: every call from any thread. An event comes at most once for each watch_add(), on the
 * watch's own thread and under its lock: it must not block and not call the watch. What is watched
 * is dropped before its event is called; once watch_remove() has returned no event is on its way.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include <stdint.h>

struct watch;

enum watch_event { WATCH_DEADLINE, WATCH_HANGUP };

struct watched {
    /* private to the watch, under its lock; zero before the first watch_add() */
    struct watched *next, **link; /* link NULL: not watched */
    uint64_t id, deadline;
    int fd;
    void (*event)(struct watched *watched, enum watch_event event);
};

/* NULL: no memory, descriptors or threads. */
struct watch *watch_new(void);
/* Nothing must be watched any more. */
void watch_free(struct watch *watch);

/* Watches from now on for these alone, whatever it was before. deadline: clock_ns(), 0: none. fd:
 * the client's socket, open until watch_remove(); -1: none. */
void watch_add(struct watch *watch, struct watched *watched, int fd, uint64_t deadline,
               void (*event)(struct watched *watched, enum watch_event event));
/* Also where nothing is watched (any more). */
void watch_remove(struct watch *watch, struct watched *watched);

#endif
