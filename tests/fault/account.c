/* Which calls fail, and what came of it; see sweep.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault/daemon.h"
#include "fault/sweep.h"

enum { SHOWN = 60 };

static const char *const outcome_name[] = {"right",   "503",     "dropped",
                                           "refused", "exit 71", "WRONG"};
static size_t outcomes[FAULT_CALLS][OUTCOMES], row[OUTCOMES], shown;

bool sweep_has_call(const struct sweep *sweep, enum fault_call call)
{
    return !sweep->call || !strcmp(sweep->call, fault_name(call));
}

/* A sample is one call out of each of as many equal parts as it has. */
bool sweep_next(const struct sweep *sweep, struct choice *choice)
{
    const long parts = (long)sweep->sample;
    if (!parts || choice->seen <= parts) return ++choice->at <= choice->seen;
    if (choice->taken == sweep->sample) return false;
    const long part = (long)choice->taken++;
    const long from = choice->seen * part / parts, to = choice->seen * (part + 1) / parts;
    choice->at = 1 + from + rand() % (to - from); /* NOLINT(cert-msc30-c,cert-msc50-cpp): a seed */
    return true;
}

void account_add(const char *what, const struct injection *injection, enum outcome outcome,
                 const char *problem)
{
    outcomes[injection->call][outcome]++;
    row[outcome]++;
    if (outcome != OUTCOME_WRONG || shown++ >= SHOWN) return;
    printf("WRONG %s: %s %ld", what, fault_name(injection->call), injection->first);
    if (injection->count > 1) printf(" and the %ld after it", injection->count - 1);
    printf(": %s\n      by %s\n", problem, fault_callers());
    fflush(stdout);
}

void account_row(const char *what)
{
    printf("  %-28s", what);
    for (size_t i = 0; i < OUTCOMES; i++) {
        if (row[i]) printf("%7zu %s", row[i], outcome_name[i]);
        row[i] = 0;
    }
    printf("\n");
    fflush(stdout);
}

size_t account_end(void)
{
    size_t sum[OUTCOMES] = {0}, all = 0;
    printf("\n%-16s%10s", "call", "injections");
    for (size_t i = 0; i < OUTCOMES; i++) printf("%10s", outcome_name[i]);
    for (size_t call = 0; call < FAULT_CALLS; call++) {
        size_t calls = 0;
        for (size_t i = 0; i < OUTCOMES; i++) calls += outcomes[call][i];
        if (!calls) continue;
        printf("\n%-16s%10zu", fault_name((enum fault_call)call), calls);
        for (size_t i = 0; i < OUTCOMES; i++) {
            printf("%10zu", outcomes[call][i]);
            sum[i] += outcomes[call][i];
        }
        all += calls;
    }
    printf("\n%-16s%10zu", "all", all);
    for (size_t i = 0; i < OUTCOMES; i++) printf("%10zu", sum[i]);
    printf("\n%zu passed, %zu failed\n", all - sum[OUTCOME_WRONG], sum[OUTCOME_WRONG]);
    return sum[OUTCOME_WRONG];
}
