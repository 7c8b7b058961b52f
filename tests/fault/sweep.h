/* The sweeps, what they may leave out, and the account of their outcomes. One thread. */
#ifndef TESTS_FAULT_SWEEP_H
#define TESTS_FAULT_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "fault/control.h"

struct sweep {
    size_t sample;    /* calls of each kind that are chosen to fail; 0: all of them */
    unsigned seed;    /* of the choice */
    const char *kind; /* requests of this name only; NULL: all */
    const char *call; /* calls of this name only; NULL: all */
    bool no_start, no_requests;
};

enum outcome {
    OUTCOME_RIGHT,   /* the answer that comes without faults, or a start that succeeds */
    OUTCOME_BUSY,    /* 503 with Retry-After */
    OUTCOME_DROPPED, /* no answer: a call of the connection itself had failed */
    OUTCOME_REFUSED, /* a model whose file could not be read, which the answer says */
    OUTCOME_OSERR,   /* a start that ends with 71 and says why */
    OUTCOME_WRONG,
    OUTCOMES
};

/* One injection. */
struct injection {
    enum fault_call call;
    long first, count;
};

/* A list of which calls are to fail, one after the other: true and the next `first`, from 1 on.
 * `seen`: how many calls there are when none fails. */
struct choice {
    long seen, at;
    size_t taken;
};
bool sweep_next(const struct sweep *sweep, struct choice *choice);
bool sweep_has_call(const struct sweep *sweep, enum fault_call call);

/* Counts it, and prints the problem of a wrong one with who made the call that failed. */
void account_add(const char *what, const struct injection *injection, enum outcome outcome,
                 const char *problem);
/* Prints how a row of injections, since the last of these, went. */
void account_row(const char *what);
/* Prints the table of all; the number of wrong ones. */
size_t account_end(void);

void sweep_start(const struct sweep *sweep);
void sweep_requests(const struct sweep *sweep);

#endif
