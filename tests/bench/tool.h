/* What the programs of tests/bench share: the engine's clock, an order for medians, and an end with
 * a message. */
#ifndef TESTS_BENCH_TOOL_H
#define TESTS_BENCH_TOOL_H

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

_Noreturn static inline void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(EXIT_FAILURE);
}

/* For qsort() of doubles. */
static inline int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

#endif
