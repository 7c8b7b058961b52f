/* What the test program and the shim in the daemon share: a page of memory.
 *
 * The program says which calls are to fail, the shim counts calls and says what it did. All fields
 * are atomic: any thread of either process. */
#ifndef TESTS_FAULT_CONTROL_H
#define TESTS_FAULT_CONTROL_H

#include <stdatomic.h>

enum fault_call {
#define CALL(id, name, error, drops) FAULT_##id,
#include "calls.def"
#undef CALL
    FAULT_CALLS
};

/* The variable that names the descriptor of the page, which the daemon inherits. */
#define FAULT_VARIABLE "FAULT_CONTROL"

enum { FAULT_TEXT = 640 };

struct fault_control {
    atomic_bool armed;   /* calls are counted, and fail */
    atomic_bool at_main; /* armed when main() begins */
    atomic_bool loading; /* calls of the thread that loads models alone are counted */
    /* Of the calls of one kind since it was armed, those from `first` on fail, `count` of them; the
     * first call is 1. */
    atomic_int call;
    atomic_long first, count;

    atomic_long seen[FAULT_CALLS]; /* since it was armed */
    atomic_long failed;            /* the same */
    atomic_long blocks, mapped;    /* the process's heap blocks, and bytes of its mappings */
    atomic_int written;            /* `text` is complete */
    char text[FAULT_TEXT];         /* who made the first call that failed: "file+0xoffset ..." */
};

#endif
