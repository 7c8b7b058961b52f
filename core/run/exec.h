/* Running a plan: the only hot loop.
 *
 * An arena belongs to one caller at a time; the plan is shared and constant. */
#ifndef RN_RUN_EXEC_H
#define RN_RUN_EXEC_H

#include "plan/plan.h"
#include "run/team.h"

/* Memory to run up to `samples` samples through a plan at once. */
typedef struct {
    float *values;  /* samples * plan->arena_size */
    float *scratch; /* rn_plan_scratch() */
    size_t samples;
} rn_arena;

typedef struct {
    const rn_plan *plan;
    const float *const *in; /* n samples of each of the plan's inputs, NCHW */
    float *const *out;      /* and of its outputs */
    size_t n;               /* 1 .. arena->samples */
    rn_team *team;
    double *seconds; /* added to, one per step; NULL: not wanted */
    bool (*cancelled)(void *context);
    void *context;
} rn_pass;

/* False when the pass was cancelled between two steps. */
bool rn_exec(const rn_pass *pass, const rn_arena *arena);

#endif
