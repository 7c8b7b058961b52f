/* A team of threads with one operation: a parallel for.
 *
 * The thread that calls rn_team_for() works too. One call at a time; tasks may not start another
 * one on the same team. Idle threads sleep. */
#ifndef RN_RUN_TEAM_H
#define RN_RUN_TEAM_H

#include "resnet.h"

typedef struct rn_team rn_team;

/* task: 0 .. tasks - 1, each exactly once; thread: 0 .. threads - 1, for per-thread scratch. */
typedef void rn_task(void *context, size_t task, size_t thread);

/* threads >= 1. */
rn_status rn_team_new(rn_team **out, size_t threads, bool pin, rn_error *err);
void rn_team_free(rn_team *team);

size_t rn_team_threads(const rn_team *team); /* NULL is a team of one */

/* Runs all tasks and returns when the last is done. NULL: runs them one after the other. */
void rn_team_for(rn_team *team, size_t tasks, rn_task *task, void *context);

/* CPUs that this process may use, at least 1. */
size_t rn_team_cpus(void);

#endif
