/* A daemon with the shim in it: started, watched and ended. One thread.
 *
 * What ends the test program by itself (no pipe, no memory) prints a line and exits. */
#ifndef TESTS_FAULT_DAEMON_H
#define TESTS_FAULT_DAEMON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fault/control.h"

struct victim {
    pid_t pid; /* 0: it has ended */
    unsigned port;
    int out, log; /* its stdout; its stderr, a file */
    int code;     /* once it has ended: exit code, or 128 + the signal that ended it */
};

/* The page that every daemon of this program is told by. */
extern struct fault_control *control;
/* Before anything else: the page, the program ($RESNETD), the shim beside this program. */
void victim_setup(const char *self);

/* From now on calls `first` to `first + count - 1` of that kind fail; all calls are counted. */
void fault_arm(enum fault_call call, long first, long count);
/* Calls are counted and none fails. */
void fault_count(void);
void fault_disarm(void);
const char *fault_name(enum fault_call call);
bool fault_drops(enum fault_call call);
/* Who made the first call that failed, as functions where they are known. Static memory. */
const char *fault_callers(void);

/* options: NULL-terminated. With `at_main` what was armed before counts from main() on. True: it is
 * ready; false: it has ended, or hangs and was ended (code 128 + 9). */
bool victim_start(struct victim *victim, const char *const *options, bool at_main);
/* Whether it still runs; reaps it if not. */
bool victim_lives(struct victim *victim);
/* Sends a signal and waits for the end, ends it by force after a minute; the code. */
int victim_stop(struct victim *victim, int signal);
/* The last line that it wrote to stderr. Static memory. */
const char *victim_last_line(const struct victim *victim);
size_t victim_descriptors(const struct victim *victim);

/* Sleeps a millisecond; false once `since`, set at the first call (0), is `seconds` ago. */
bool wait_on(double *since, double seconds);

#endif
