/* Fourth pass: an implementation per step, and a conversion wherever a step wants to read another
 * layout than the value has. A value that several steps want converted is converted once. */
#include <assert.h>

#include "base/mem.h"
#include "plan/plan.h"

/* The plan being rewritten: steps are copied behind each other with the conversions between them.
 */
typedef struct {
    rn_plan *plan;
    rn_step *step;
    size_t count, capacity;
    rn_error *err;
} writer;

static bool append(writer *w, const rn_step *step)
{
    rn_step *steps = rn_grow(w->step, w->count, &w->capacity, sizeof *step, w->err);
    if (!steps) return false;
    w->step = steps;
    w->step[w->count++] = *step;
    return true;
}

static int new_value(writer *w, rn_dims dims, rn_layout layout)
{
    rn_plan *plan = w->plan;
    rn_value *values =
        rn_grow(plan->value, plan->values, &plan->value_capacity, sizeof *values, w->err);
    if (!values) return RN_NO_VALUE;
    plan->value = values;
    plan->value[plan->values] = (rn_value){.dims = dims, .layout = layout};
    return (int)plan->values++;
}

static int find_conversion(const writer *w, int value, rn_layout layout)
{
    for (size_t i = 0; i < w->count; i++) {
        const rn_step *step = &w->step[i];
        if (step->desc.op == RN_OP_REORDER && step->src == value &&
            w->plan->value[step->dst].layout == layout)
            return step->dst;
    }
    return RN_NO_VALUE;
}

/* A value with one pixel lies the same way in both layouts when its channels fill their blocks; but
 * the caller's buffers promise no alignment, which the blocked layout needs. */
static bool same_bytes(const rn_plan *plan, const rn_value *value)
{
    const int id = (int)(value - plan->value);
    return id != plan->input && id != plan->output && value->dims.h == 1 && value->dims.w == 1 &&
           value->dims.c % 16 == 0;
}

/* The value that holds `value` in `layout`: itself, an earlier conversion, or a new one. */
static int in_layout(writer *w, int value, rn_layout layout, const char *name)
{
    const rn_value *from = &w->plan->value[value];
    if (from->layout == layout || same_bytes(w->plan, from)) return value;
    const int known = find_conversion(w, value, layout);
    if (known != RN_NO_VALUE) return known;
    rn_step step = {
        .desc = {.op = RN_OP_REORDER,
                 .in = {from->dims},
                 .out = from->dims,
                 .groups = 1,
                 .src_layout = from->layout,
                 .dst_layout = layout},
        .name = name,
        .src = value,
        .addend = RN_NO_VALUE,
    };
    step.impl = rn_impl_choose(&step.desc, w->plan->isa);
    step.dst = new_value(w, from->dims, layout);
    return step.dst != RN_NO_VALUE && append(w, &step) ? step.dst : RN_NO_VALUE;
}

static bool choose_step(writer *w, rn_step step)
{
    rn_value *value = w->plan->value;
    const rn_impl *impl = step.impl = rn_impl_choose(&step.desc, w->plan->isa);
    const bool same = impl->dst_layout == RN_LAYOUT_SAME;
    step.desc.src_layout = same ? value[step.src].layout : impl->src_layout;
    step.desc.dst_layout = same ? step.desc.src_layout : impl->dst_layout;
    step.src = in_layout(w, step.src, step.desc.src_layout, step.name);
    if (step.src == RN_NO_VALUE) return false;
    if (step.addend != RN_NO_VALUE) {
        step.addend = in_layout(w, step.addend, step.desc.dst_layout, step.name);
        if (step.addend == RN_NO_VALUE) return false;
    }
    w->plan->value[step.dst].dims = step.desc.out;
    w->plan->value[step.dst].layout = step.desc.dst_layout;
    return append(w, &step);
}

static bool choose_all(writer *w)
{
    rn_plan *plan = w->plan;
    for (size_t i = 0; i < plan->count; i++)
        if (!choose_step(w, plan->step[i])) return false;
    plan->output = in_layout(w, plan->output, RN_LAYOUT_NCHW, "output");
    return plan->output != RN_NO_VALUE;
}

rn_status rn_plan_choose(rn_plan *plan, rn_error *err)
{
    writer w = {.plan = plan, .err = err};
    if (!choose_all(&w)) {
        rn_free(w.step);
        return RN_ERR_MEMORY;
    }
    rn_free(plan->step);
    plan->step = w.step;
    plan->count = w.count;
    plan->capacity = w.capacity;
    return RN_OK;
}
