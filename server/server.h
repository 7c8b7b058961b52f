/* What the parts of the daemon share: made by main(), constant except for the state. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdatomic.h>

struct metrics;
struct options;
struct pool;
struct registry;

enum server_state {
    SERVER_READY,
    SERVER_LEAVING,  /* not ready any more, but serving */
    SERVER_DRAINING, /* no new connections; each answer ends its connection */
};

struct server {
    const struct options *options;
    struct registry *registry;
    struct metrics *metrics;
    struct pool *decoders;
    struct pool *loader; /* one thread, which loads and unloads models */
    atomic_int state;    /* enum server_state */
};

#endif
