/* Counting; see statistics.h. */
#include "statistics.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"

struct statistics *statistics_new(size_t max_batch)
{
    struct statistics *statistics =
        calloc(1, sizeof *statistics + (max_batch + 1) * sizeof *statistics->batch);
    if (statistics) statistics->max_batch = max_batch;
    return statistics;
}

void statistics_free(struct statistics *statistics)
{
    free(statistics);
}

static void add(struct statistic *statistic, uint64_t ns)
{
    atomic_fetch_add(&statistic->count, 1);
    atomic_fetch_add(&statistic->ns, ns);
}

void statistics_success(struct statistics *statistics, size_t samples,
                        const uint64_t stage_ns[STAGES])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    atomic_store(&statistics->last,
                 (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS);
    atomic_fetch_add(&statistics->samples, samples);
    add(&statistics->queue, stage_ns[STAGE_QUEUE]);
    add(&statistics->parse, stage_ns[STAGE_PARSE]);
    add(&statistics->infer, stage_ns[STAGE_INFER]);
    add(&statistics->encode, stage_ns[STAGE_ENCODE]);
    add(&statistics->success, stage_ns[STAGE_TOTAL]);
}

void statistics_fail(struct statistics *statistics, uint64_t ns)
{
    add(&statistics->fail, ns);
}

void statistics_batch(struct statistics *statistics, size_t samples, uint64_t input_ns,
                      uint64_t infer_ns, uint64_t output_ns)
{
    assert(samples <= statistics->max_batch);
    struct batch_statistics *batch = &statistics->batch[samples];
    atomic_fetch_add(&statistics->passes, 1);
    add(&batch->input, input_ns);
    add(&batch->infer, infer_ns);
    add(&batch->output, output_ns);
}
