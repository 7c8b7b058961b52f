/* The workers of one model: threads that take batches from its batcher, run them and give them
 * back.
 *
 * What "run" means is the caller's: the daemon runs an rn_session, a test a function of its own.
 * Samples of a batch that lie in one job are read and written in place; only a batch of several
 * jobs is gathered and scattered. */
#ifndef SERVER_WORKER_H
#define SERVER_WORKER_H

#include "batcher.h"

struct statistics;
struct workers;

struct worker_options {
    struct batcher *batcher;
    struct model_metrics *metrics; /* may be NULL, as the following */
    struct statistics *statistics;
    size_t workers, max_batch, input_size, output_size;
    /* Computes n samples on worker `index`; false: `error` (240 bytes) says why. `batch` is for
     * batch_abandoned(), to be asked during the run. */
    bool (*run)(void *context, size_t index, const struct batch *batch, const float *input,
                float *output, char *error);
    void *context;
};

/* NULL: no memory or no thread. */
struct workers *workers_start(const struct worker_options *options);
/* Waits until the batcher is closed and everything in it computed. */
void workers_join(struct workers *workers);

#endif
