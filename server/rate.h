/* How long one piece of work takes, smoothed, and what follows for a client that is sent away. No
 * lock: under that of its owner. */
#ifndef SERVER_RATE_H
#define SERVER_RATE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"

#define RATE_LASTS NS_PER_SECOND /* a rate that is older says nothing */

struct rate {
    double seconds;    /* of one piece; 0: not known yet */
    uint64_t measured; /* clock_ns(): when it was */
};

/* A piece that was begun at `began` took so many seconds. The first rate, and one that follows on a
 * silence, is taken as it is. */
static inline void rate_measure(struct rate *rate, uint64_t began, uint64_t now, double seconds)
{
    const bool smooth = rate->measured && began <= rate->measured + RATE_LASTS;
    rate->seconds += (smooth ? 0.1 : 1) * (seconds - rate->seconds);
    rate->measured = now;
}

/* The seconds until `pieces` are done by `workers`. */
static inline double rate_wait(const struct rate *rate, size_t pieces, size_t workers)
{
    return (double)pieces * rate->seconds / (double)workers;
}

/* Retry-After: the same, 1 to 60. */
static inline unsigned rate_retry_after(const struct rate *rate, size_t pieces, size_t workers)
{
    const double most = 60, seconds = rate_wait(rate, pieces, workers);
    if (seconds < 1) return 1;
    return (unsigned)(seconds > most ? most : ceil(seconds));
}

#endif
