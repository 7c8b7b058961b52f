/* A real daemon for tests: $RESNETD (build/resnetd) on a free port of 127.0.0.1. */
#ifndef TESTS_HTTP_DAEMON_H
#define TESTS_HTTP_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

struct daemon {
    pid_t pid; /* ends with this process */
    unsigned port;
    int out, log; /* its stdout; its stderr: a file that is read from the start */
};

/* options: NULL-terminated, without the program's name. Waits until it is ready; it is a test
 * failure when that does not come. */
void daemon_start(struct daemon *daemon, const char *const *options);
#define DAEMON_START(daemon, ...) daemon_start(daemon, (const char *const[]){__VA_ARGS__, NULL})

/* The same with a stderr of the caller's, which daemon_stop() closes; daemon_log() is "" where it
 * is no file. */
void daemon_start_with_log(struct daemon *daemon, int err, const char *const *options);

/* Sends the signal (0: none), waits for the end; the exit code, or 128 + the signal that ended it.
 * When it is not 0, what the daemon wrote to stderr is shown. */
int daemon_stop(struct daemon *daemon, int signal);

/* Runs it to its end; exit code and what it wrote to stderr and stdout, cut to the size. */
int daemon_run(const char *const *options, char *text, size_t size);

/* All that it wrote to stderr so far; to be freed. */
char *daemon_log(const struct daemon *daemon);

/* Processor time so far of its threads of that name; it goes on while the daemon does something,
 * however busy the machine is. */
double daemon_thread_seconds(const struct daemon *daemon, const char *name);

#endif
