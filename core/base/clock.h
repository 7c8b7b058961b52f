/* Time for reports: never decides anything. */
#ifndef RN_BASE_CLOCK_H
#define RN_BASE_CLOCK_H

#include <time.h>

/* Seconds of a clock that only goes forward. Any thread. */
static inline double rn_clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif
