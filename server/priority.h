/* The two priorities, and who goes first where both wait. */
#ifndef SERVER_PRIORITY_H
#define SERVER_PRIORITY_H

#include <stdbool.h>
#include <stddef.h>

enum priority { PRIORITY_NORMAL, PRIORITY_HIGH, PRIORITIES };

/* High goes first, but not more than three times in a row while normal waits: a quarter of the
 * turns is left to it at the least. *in_a_row is the queue's memory, 0 at first. */
static inline enum priority priority_next(bool high, bool normal, size_t *in_a_row)
{
    const bool high_first = high && !(normal && *in_a_row >= 3);
    *in_a_row = high_first && normal ? *in_a_row + 1 : 0;
    return high_first ? PRIORITY_HIGH : PRIORITY_NORMAL;
}

#endif
