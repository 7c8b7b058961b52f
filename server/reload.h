/* Loading every model anew, on the loader's thread: what SIGHUP asks for. The thread that makes it
 * calls everything here. */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include <stdatomic.h>

#include "pool.h"

struct registry;

struct reload {
    struct task task; /* first */
    struct pool *loader;
    struct registry *registry;
    atomic_size_t asked; /* and not done; the task is the loader's while it is not 0 */
};

/* Returns at once. What is asked for while a reload runs is done once behind it, of the files that
 * lie there by then. */
void reload_ask(struct reload *reload);
/* Before the loader ends: what has not begun does not. */
void reload_stop(struct reload *reload);

#endif
