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

static int find_conversion(const writer *w, int value, rn_layout layout)
{
    for (size_t i = 0; i < w->count; i++) {
        const rn_step *step = &w->step[i];
        if (step->desc.op == RN_OP_REORDER && step->src[0] == value &&
            w->plan->value[step->dst].layout == layout)
            return step->dst;
    }
    return RN_NO_VALUE;
}

/* A value with one pixel lies the same way in both layouts when its channels fill their blocks; but
 * the caller's buffers promise no alignment, which the blocked layout needs. */
static bool same_bytes(const rn_plan *plan, int id)
{
    const rn_value *value = &plan->value[id];
    return value->port < 0 && !rn_plan_is_output(plan, id) && rn_shape_pixels(value->shape) == 1 &&
           value->shape.c % 16 == 0;
}

/* A new value that holds `value` in `layout`. */
static int convert(writer *w, int value, rn_layout layout, const char *name)
{
    const rn_value from = w->plan->value[value];
    rn_step step = {
        .desc = {.op = RN_OP_REORDER,
                 .inputs = 1,
                 .in = {from.shape},
                 .out = from.shape,
                 .groups = 1,
                 .src_layout = from.layout,
                 .dst_layout = layout},
        .name = name,
        .src = {value},
        .addend = RN_NO_VALUE,
    };
    step.impl = rn_impl_choose(&step.desc, w->plan->isa);
    step.dst = rn_plan_new_value(w->plan, from.shape, w->err);
    if (step.dst == RN_NO_VALUE || !append(w, &step)) return RN_NO_VALUE;
    w->plan->value[step.dst].layout = layout;
    return step.dst;
}

/* The value that holds `value` in `layout`: itself, an earlier conversion, or a new one. */
static int in_layout(writer *w, int value, rn_layout layout, const char *name)
{
    if (w->plan->value[value].layout == layout || same_bytes(w->plan, value)) return value;
    const int known = find_conversion(w, value, layout);
    return known != RN_NO_VALUE ? known : convert(w, value, layout, name);
}

static bool choose_step(writer *w, rn_step step)
{
    const rn_impl *impl = step.impl = rn_impl_choose(&step.desc, w->plan->isa);
    const bool same = impl->dst_layout == RN_LAYOUT_SAME;
    step.desc.src_layout = same ? w->plan->value[step.src[0]].layout : impl->src_layout;
    step.desc.dst_layout = same ? step.desc.src_layout : impl->dst_layout;
    for (size_t i = 0; i < step.desc.inputs; i++) {
        step.src[i] = in_layout(w, step.src[i], step.desc.src_layout, step.name);
        if (step.src[i] == RN_NO_VALUE) return false;
    }
    if (step.addend != RN_NO_VALUE) {
        step.addend = in_layout(w, step.addend, step.desc.dst_layout, step.name);
        if (step.addend == RN_NO_VALUE) return false;
    }
    w->plan->value[step.dst].shape = step.desc.out;
    w->plan->value[step.dst].layout = step.desc.dst_layout;
    return append(w, &step);
}

/* Output i lies in a buffer of its own: an input, or what is another output too, is copied. */
static bool choose_output(writer *w, size_t i)
{
    rn_plan *plan = w->plan;
    int *output = &plan->output[i];
    if (plan->value[*output].layout != RN_LAYOUT_NCHW || plan->value[*output].port >= 0)
        *output = convert(w, *output, RN_LAYOUT_NCHW, "output");
    if (*output == RN_NO_VALUE) return false;
    plan->value[*output].port = (int)i;
    return true;
}

static bool choose_all(writer *w)
{
    rn_plan *plan = w->plan;
    for (size_t i = 0; i < plan->inputs; i++) {
        plan->value[plan->input[i]].port = (int)i;
        plan->value[plan->input[i]].is_input = true;
    }
    for (size_t i = 0; i < plan->count; i++)
        if (!choose_step(w, plan->step[i])) return false;
    for (size_t i = 0; i < plan->outputs; i++)
        if (!choose_output(w, i)) return false;
    return true;
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
