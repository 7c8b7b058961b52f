#include "run/exec.h"

#include "base/clock.h"

/* Where a value that a step makes lies: in the caller's buffers or in the arena. */
static float *place_of(const rn_pass *pass, const rn_arena *arena, int value)
{
    const rn_value *v = &pass->plan->value[value];
    return v->port >= 0 ? pass->out[v->port] : arena->values + v->offset * arena->samples;
}

static const float *source_of(const rn_pass *pass, const rn_arena *arena, int value)
{
    if (value == RN_NO_VALUE) return NULL;
    const rn_value *v = &pass->plan->value[value];
    return v->is_input ? pass->in[v->port] : place_of(pass, arena, value);
}

static void run_step(const rn_pass *pass, const rn_arena *arena, const rn_step *step)
{
    rn_args args = {
        .addend = source_of(pass, arena, step->addend),
        .dst = place_of(pass, arena, step->dst),
        .weights = step->packed,
        .bias = step->bias,
        .scratch = arena->scratch,
        .n = pass->n,
        .team = pass->team,
    };
    for (size_t i = 0; i < step->desc.inputs; i++)
        args.in[i] = source_of(pass, arena, step->src[i]);
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
