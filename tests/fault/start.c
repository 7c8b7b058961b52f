/* A call of the start fails, for every call from main() to the line that says it is ready: either
 * the daemon is ready and its answers are right, or it ends with 71 and says why. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "fault/daemon.h"
#include "fault/kinds.h"
#include "fault/sweep.h"

static const char *const start_options[] = {"serve", "--port", "0", "--threads", "2", NULL};
static struct response right;

static struct response ask(const struct victim *victim)
{
    static const float zeros[784];
    return client_ask(victim->port, "POST", "/infer", "Content-Type: application/octet-stream\r\n",
                      zeros, sizeof zeros);
}

static void close_ends(const struct victim *victim)
{
    close(victim->out);
    close(victim->log);
}

/* How a daemon that is ready does; it is ended. */
static enum outcome try_ready(struct victim *victim, char *problem, size_t size)
{
    struct response answer = ask(victim);
    const bool same = answer.status == 200 && answer.size == right.size &&
                      !memcmp(answer.body, right.body, right.size);
    const int status = answer.status;
    response_free(&answer);
    const int code = victim_stop(victim, SIGTERM);
    if (same && code == EX_OK) return OUTCOME_RIGHT;
    snprintf(problem, size, "ready, then %s (status %d), then ended with %d",
             same ? "right" : "not the right answer", status, code);
    return OUTCOME_WRONG;
}

/* False: there are not so many calls. */
static bool try_start(const struct injection *injection)
{
    struct victim victim;
    char problem[400] = "";
    enum outcome outcome = OUTCOME_OSERR;
    fault_arm(injection->call, injection->first, injection->count);
    const bool ready = victim_start(&victim, start_options, true);
    const bool failed = atomic_load(&control->failed) > 0;
    fault_disarm();
    if (ready) {
        outcome = try_ready(&victim, problem, sizeof problem);
    } else if (victim.code != EX_OSERR || !*victim_last_line(&victim)) {
        snprintf(problem, sizeof problem, "ended with %d: %.300s", victim.code,
                 victim_last_line(&victim));
        outcome = OUTCOME_WRONG;
    }
    close_ends(&victim);
    if (failed || outcome == OUTCOME_WRONG) account_add("start", injection, outcome, problem);
    return failed;
}

static void know_right(long seen[FAULT_CALLS])
{
    struct victim victim;
    fault_count();
    if (!victim_start(&victim, start_options, true)) {
        printf("the daemon does not start: %s\n", victim_last_line(&victim));
        return;
    }
    fault_disarm();
    for (size_t i = 0; i < FAULT_CALLS; i++) seen[i] = atomic_load(&control->seen[i]);
    right = ask(&victim);
    victim_stop(&victim, SIGTERM);
    close_ends(&victim);
}

void sweep_start(const struct sweep *sweep)
{
    static const long counts[] = {1, 1000};
    long seen[FAULT_CALLS] = {0};
    char row[64];
    know_right(seen);
    for (size_t call = 0; call < FAULT_CALLS; call++) {
        if (!sweep_has_call(sweep, (enum fault_call)call)) continue;
        for (size_t k = 0; k < 2; k++) {
            struct choice choice = {.seen = seen[call]};
            while (sweep_next(sweep, &choice) &&
                   try_start(&(struct injection){(enum fault_call)call, choice.at, counts[k]}))
                continue;
        }
        snprintf(row, sizeof row, "start, %s", fault_name((enum fault_call)call));
        if (seen[call]) account_row(row);
    }
    response_free(&right);
}
