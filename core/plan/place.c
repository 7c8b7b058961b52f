/* Fifth pass: each value between steps gets an offset in one arena; values whose lifetimes don't
 * meet share memory. Largest first, each at the lowest offset that is free while it lives.
 *
 * Offsets are in floats of one sample: an arena for n samples is n times as large, with every
 * offset times n, so that one placement serves every batch. */
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "plan/plan.h"

#define LINE 16 /* floats of a cache line */

static void touch(rn_plan *plan, int value, int step)
{
    if (value == RN_NO_VALUE) return;
    rn_value *v = &plan->value[value];
    if (v->first < 0) v->first = step;
    v->last = step;
}

static void find_lifetimes(rn_plan *plan)
{
    for (size_t i = 0; i < plan->values; i++) {
        rn_value *v = &plan->value[i];
        v->first = v->last = -1;
        v->size = rn_round_up(rn_layout_size(v->layout, v->shape), LINE);
    }
    for (size_t i = 0; i < plan->count; i++) {
        for (size_t k = 0; k < plan->step[i].desc.inputs; k++)
            touch(plan, plan->step[i].src[k], (int)i);
        touch(plan, plan->step[i].addend, (int)i);
        touch(plan, plan->step[i].dst, (int)i);
    }
}

static bool in_arena(const rn_value *value)
{
    return value->first >= 0 && value->port < 0;
}

static int by_size(const void *a, const void *b)
{
    const rn_value *x = *(rn_value *const *)a, *y = *(rn_value *const *)b;
    if (x->size != y->size) return x->size < y->size ? 1 : -1;
    return x->first - y->first;
}

static bool lives_with(const rn_value *a, const rn_value *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* The lowest offset where `value` collides with none of those placed before it. */
static size_t free_offset(rn_value *const *placed, size_t count, const rn_value *value)
{
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const rn_value *other = placed[i];
        if (!lives_with(value, other) || offset + value->size <= other->offset ||
            other->offset + other->size <= offset)
            continue;
        offset = other->offset + other->size;
        i = (size_t)-1; /* the new offset may collide with one that was passed before */
    }
    return offset;
}

rn_status rn_plan_place(rn_plan *plan, rn_error *err)
{
    find_lifetimes(plan);
    rn_value **order = rn_alloc(plan->values, sizeof(rn_value *), err);
    if (!order) return RN_ERR_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < plan->values; i++)
        if (in_arena(&plan->value[i])) order[count++] = &plan->value[i];
    qsort(order, count, sizeof *order, by_size);
    plan->arena_size = 0;
    for (size_t i = 0; i < count; i++) {
        order[i]->offset = free_offset(order, i, order[i]);
        plan->arena_size = rn_max(plan->arena_size, order[i]->offset + order[i]->size);
    }
    rn_free(order);
    return RN_OK;
}
