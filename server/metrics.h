/* What the daemon counts, and its text form for Prometheus (0.0.4).
 *
 * Counters are C11 atomics: any thread adds, the renderer reads. Models are added at start or
 * reload and stay until the end, so that a counter never goes back. */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "priority.h"

enum metrics_stage {
#define STAGE(id, name) STAGE_##id,
#include "metrics.def"
#undef STAGE
    STAGES
};

enum metrics_reason {
#define REASON(id, name) REASON_##id,
#include "metrics.def"
#undef REASON
    REASONS
};

enum metrics_phase {
#define PHASE(id, name) PHASE_##id,
#include "metrics.def"
#undef PHASE
    PHASES
};

enum metrics_linger_end {
#define LINGER_END(id, name) LINGER_END_##id,
#include "metrics.def"
#undef LINGER_END
    LINGER_ENDS
};

enum { MAX_BUCKETS = 20 };

struct histogram {
    _Atomic uint64_t bucket[MAX_BUCKETS]; /* not cumulative; the last used one is +Inf */
    _Atomic uint64_t sum;                 /* ns, or samples */
};

/* One model's; the strings must live as long as the metrics. */
struct model_metrics {
    const char *name, *digest, *arch;
    _Atomic uint64_t images, queue_samples, queue_bytes, stopped;
    _Atomic uint64_t requests[PRIORITIES];
    struct histogram batch, stage[STAGES];
    size_t served; /* by so many models: a new one and an old one during a reload; under the lock */
    struct model_metrics *next;
};

struct metrics;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);
/* The metrics' copy of the names is kept; NULL: no memory. A model of a known name goes on with
 * that one's counters. Each call needs a metrics_drop_model() in its time. */
struct model_metrics *metrics_add_model(struct metrics *metrics, const char *name,
                                        const char *digest, const char *arch);
void metrics_drop_model(struct metrics *metrics, struct model_metrics *model);

/* route: index into routes.def, or ROUTES for requests that matched none */
void metrics_request(struct metrics *metrics, size_t route, unsigned code, size_t received,
                     size_t sent);
/* A model was loaded after the start, or could not be. */
void metrics_load(struct metrics *metrics, bool good);
void metrics_failure(struct metrics *metrics, enum metrics_reason reason);
/* A failure for one of the reasons DEADLINE and CANCELLED. */
void metrics_dropped(struct metrics *metrics, enum metrics_reason reason, enum metrics_phase phase);
void metrics_connections(struct metrics *metrics, int change);
void metrics_lingering(struct metrics *metrics, int change);
void metrics_linger_end(struct metrics *metrics, enum metrics_linger_end end);
void metrics_evicted(struct metrics *metrics);
void metrics_refused(struct metrics *metrics);
void metrics_active(struct metrics *metrics, int change);
/* Bytes of bodies that are being read; returns how many there are then. */
size_t metrics_reading(struct metrics *metrics, size_t more, size_t less);
size_t metrics_active_now(struct metrics *metrics);
size_t metrics_connections_now(struct metrics *metrics);
void metrics_ready(struct metrics *metrics, bool ready);
void metrics_observe_stage(struct model_metrics *model, enum metrics_stage stage, uint64_t ns);
void metrics_observe_batch(struct model_metrics *model, size_t samples);
const char *metrics_stage_name(enum metrics_stage stage);

void metrics_render(struct metrics *metrics, struct buffer *text);

#endif
