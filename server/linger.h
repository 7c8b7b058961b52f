/* Lingering closes: connections that were answered while their client may still be sending.
 *
 * A socket that is closed with bytes unread resets its connection, and the reset takes the answer
 * away from a client that has not read it yet. Many clients write the whole request before they
 * read. So what they send is read and thrown away until they have got the answer and close their
 * side, within bounds. The watch's thread does that (see watch.h), for all of them together. */
#ifndef SERVER_LINGER_H
#define SERVER_LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct linger_set;
struct metrics;
struct watch;

struct linger_limits {
    size_t bytes;       /* of one connection */
    uint64_t ns;        /* from the answer on */
    size_t connections; /* at the same time: the oldest has to go for one more */
};

/* NULL: no memory. */
struct linger_set *linger_new(struct watch *watch, struct metrics *metrics,
                              struct linger_limits limits);
/* After watch_free(): closes what is left. */
void linger_free(struct linger_set *linger);

/* Keeps a connection of this socket whose sending half is shut down. The caller goes on to close
 * its descriptor: this one is another. `answered`: clock_ns() of the answer. Any thread. */
void linger_add(struct linger_set *linger, int fd, uint64_t answered);
/* From now on a client that sends nothing worth mentioning for a second is waited for no more. */
void linger_hurry(struct linger_set *linger);
/* Closes the oldest, as its descriptor is needed. False: there is none. */
bool linger_evict(struct linger_set *linger);
size_t linger_count(struct linger_set *linger);

#endif
