#include "run/exec.h"

#include "base/clock.h"

/* Where a value of the pass lies: in the caller's buffers or in the arena. Read-only for sources.
 */
static float *place_of(const rn_pass *pass, const rn_arena *arena, int value)
{
    const rn_plan *plan = pass->plan;
    if (value == RN_NO_VALUE) return NULL;
    if (value == plan->output) return pass->outputs;
    return arena->values + plan->value[value].offset * arena->images;
}

static const float *source_of(const rn_pass *pass, const rn_arena *arena, int value)
{
    return value == pass->plan->input ? pass->images : place_of(pass, arena, value);
}

static void run_step(const rn_pass *pass, const rn_arena *arena, const rn_step *step)
{
    const rn_args args = {
        .src = source_of(pass, arena, step->src),
        .addend = source_of(pass, arena, step->addend),
        .dst = place_of(pass, arena, step->dst),
        .weights = step->packed,
        .bias = step->bias,
        .scratch = arena->scratch,
        .n = pass->n,
        .team = pass->team,
    };
    step->impl->run(&step->desc, &args);
}

bool rn_exec(const rn_pass *pass, const rn_arena *arena)
{
    double begin = pass->seconds ? rn_clock_seconds() : 0;
    for (size_t i = 0; i < pass->plan->count; i++) {
        if (pass->cancelled && pass->cancelled(pass->context)) return false;
        run_step(pass, arena, &pass->plan->step[i]);
        if (!pass->seconds) continue;
        const double end = rn_clock_seconds();
        pass->seconds[i] += end - begin;
        begin = end;
    }
    return true;
}
