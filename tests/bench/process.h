/* The daemon as a process: started on chosen CPUs, its memory and processor time read from /proc.
 * Failures end the program with a message. */
#ifndef TESTS_BENCH_PROCESS_H
#define TESTS_BENCH_PROCESS_H

#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    uint16_t port;
    int output;
};

/* Seconds of processor time since the start. */
struct process_time {
    double engine; /* of the threads that run forward passes */
    double rest;   /* of all others: reading, parsing, answering */
};

/* models: "NAME=PATH"; none: the daemon's built-in ones. Ready when it returns; its log goes to
 * /dev/null, written but not kept. */
struct process process_start(const char *daemon, const char *const *models, size_t count,
                             const cpu_set_t *cpus);
/* Waits for its end; it is a failure when that is not a clean one. */
void process_stop(const struct process *process);
struct process_time process_time(const struct process *process);
/* Resident memory in MiB. */
double process_resident(const struct process *process);

#endif
