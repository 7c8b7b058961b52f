/* A load generator: many connections to one HTTP server, driven by one thread.
 *
 * Closed loop: each client sends its next request when the answer to the last one is there.
 * Open loop: requests are due at fixed times, whether the server keeps up or not; a latency counts
 * from the time a request was due. Bounded in time and count; loopback only. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole request, head and body. */
struct load_request {
    char *bytes;
    size_t size;
};

struct load {
    uint16_t port;
    const struct load_request *request; /* sent in turn */
    size_t requests;
    size_t clients;
    size_t per_connection; /* requests, then a new connection; 0: no limit */
    double seconds;
    size_t least; /* closed loop: not fewer requests, even if that takes longer */
    double rate;  /* requests a second; 0: closed loop */
};

struct load_result {
    size_t answers;  /* with status 200 */
    size_t refused;  /* 429 and 503 */
    size_t failed;   /* any other status, or a lost connection */
    double seconds;  /* from the first request to the last answer */
    double p50, p99; /* milliseconds, of the answers */
};

/* False, with errno, when no connection could be made or there was no memory. */
bool load_run(const struct load *load, struct load_result *result);

#endif
