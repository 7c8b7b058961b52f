/* What the programs of tests/bench share: the engine's clock, and an end with a message. */
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

#endif
