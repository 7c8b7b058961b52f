/* Accepts connections, on a thread of its own: as many as are allowed, and none while the process
 * has no descriptor for one. When there is no room, the owner is asked to close something.
 *
 * libmicrohttpd could accept by itself; but at the limit it stops for good until a client leaves by
 * itself, and without a descriptor it tries again without a pause. */
#ifndef SERVER_ACCEPTOR_H
#define SERVER_ACCEPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct acceptor;

/* Both are called on the acceptor's thread. */
struct acceptor_owner {
    void *context;
    /* Takes the socket, which is non-blocking; later acceptor_closed(). */
    void (*take)(void *context, int fd, const struct sockaddr *address, socklen_t size);
    /* Has some connection closed soon, which acceptor_closed() will tell; with `any_descriptor` a
     * lingering one would do. False: none can be. */
    bool (*make_room)(void *context, bool any_descriptor);
};

/* listener: a non-blocking socket, which stays the caller's. NULL: no memory or descriptor. */
struct acceptor *acceptor_new(int listener, size_t connections, struct acceptor_owner owner);
/* False: there is no thread for it. */
bool acceptor_start(struct acceptor *acceptor);
/* No connection is taken any more; acceptor_closed() may still be called. */
void acceptor_stop(struct acceptor *acceptor);
/* After acceptor_stop(), if it was started. */
void acceptor_free(struct acceptor *acceptor);

/* The socket will be closed next. Any thread. */
void acceptor_closed(struct acceptor *acceptor, int fd);
/* There may be something to close now. Any thread; it costs next to nothing unless the acceptor
 * waits for room. */
void acceptor_poke(struct acceptor *acceptor);

#endif
