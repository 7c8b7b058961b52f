/* What one model has done since it was loaded, as the Open Inference Protocol's statistics
 * extension counts it.
 *
 * All of it is C11 atomics: any thread adds, any reads; the numbers of one reading may be a request
 * apart. */
#ifndef SERVER_STATISTICS_H
#define SERVER_STATISTICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "metrics.h"

struct statistic {
    _Atomic uint64_t count, ns;
};

/* Forward passes of one number of samples. */
struct batch_statistics {
    struct statistic input, infer, output; /* samples put together, computed, and handed out */
};

struct statistics {
    _Atomic uint64_t last;                 /* ms since the Unix epoch; 0: nothing yet */
    _Atomic uint64_t samples, passes;      /* answered, and computed in so many batches */
    struct statistic success, fail;        /* whole requests */
    struct statistic queue;                /* successful ones, as the following */
    struct statistic parse, infer, encode; /* body to tensor, forward pass, answer's text */
    size_t max_batch;
    struct batch_statistics batch[]; /* [max_batch + 1], by samples */
};

/* NULL: no memory. */
struct statistics *statistics_new(size_t max_batch);
void statistics_free(struct statistics *statistics);

/* A request of so many samples was answered. */
void statistics_success(struct statistics *statistics, size_t samples,
                        const uint64_t stage_ns[STAGES]);
void statistics_fail(struct statistics *statistics, uint64_t ns);
/* A batch was computed. */
void statistics_batch(struct statistics *statistics, size_t samples, uint64_t input_ns,
                      uint64_t infer_ns, uint64_t output_ns);

#endif
