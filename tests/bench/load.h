/* A load generator: many keep-alive connections to one HTTP server, driven by one thread.
 *
 * Closed loop: each client sends its next request when the answer to the last one is there.
 * Open loop: requests are due at fixed times, whether the server keeps up or not; a latency counts
 * from the time a request was due. Bounded in time and count; loopback only. */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load {
    uint16_t port;
    const char *request; /* the whole request, head and body */
    size_t request_size;
    size_t clients;
    double seconds;
    double rate; /* requests a second; 0: closed loop */
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
