/* What the tests of one daemon share: the daemon itself, and what all of them ask and expect. Each
 * of these fails the test where it is not so. */
#ifndef TESTS_HTTP_FIXTURE_H
#define TESTS_HTTP_FIXTURE_H

#include <stddef.h>

#include "http/client.h"
#include "http/daemon.h"

/* Started by DAEMON_START(&server, ...). */
extern struct daemon server;
/* By TERM, with exit code 0. */
void server_stop(void);

void expect_alive(void);
void expect_get(const char *target, int status, const char *body);
/* {"error": text} with the headers that every error has; `text` as it stands in JSON. Consumes the
 * answer. */
void expect_error(struct response answer, int status, const char *text);
/* The same for a part of the text. */
void expect_error_with(struct response answer, int status, const char *part);

/* A sample of /metrics, "name{labels}" as it stands there: 0 or more; it must be there. */
double metric(const char *sample);
/* Waits for it to be there with the value, some 60 seconds at most. */
void await_metric(const char *sample, double value);

/* Waits for the server's log to hold `part` so often, some 60 seconds at most: an answer arrives
 * before its line. The log, to be freed. */
char *await_log(const char *part, size_t times);

/* A file, to be freed. */
char *read_file(const char *path, size_t *size);

#endif
