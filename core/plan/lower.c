/* First pass: each graph node that an output depends on becomes a step, or several: batch norm
 * becomes scale and shift, what joins many values joins two at a time. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "plan/plan.h"

/* y = (x - mean) / sqrt(var + eps) * weight + bias  =  scale * x + shift, from the numbers of the
 * node's weights, (c) each; those it has not are NULL. */
static void set_scale(rn_step *step, const float *const number[RN_MAX_WEIGHTS], double eps)
{
    const float *weight = number[RN_WEIGHT], *bias = number[RN_BIAS];
    for (size_t i = 0; i < step->desc.out.c; i++) {
        const double scale =
            (weight ? (double)weight[i] : 1) / sqrt((double)number[RN_VAR][i] + eps);
        step->scale[i] = (float)scale;
        step->shift[i] = (float)((bias ? (double)bias[i] : 0) - (double)number[RN_MEAN][i] * scale);
    }
}

static rn_status lower_batch_norm(rn_step *step, const rn_node *node, rn_error *err)
{
    const float *number[RN_MAX_WEIGHTS] = {NULL};
    const size_t c = step->desc.out.c;
    float *buffer = rn_alloc(RN_MAX_WEIGHTS * c, sizeof(float), err); /* bounded by shape rules */
    step->scale = rn_alloc(c, sizeof(float), err);
    step->shift = rn_alloc(c, sizeof(float), err);
    rn_status status = buffer && step->scale && step->shift ? RN_OK : RN_ERR_MEMORY;
    for (size_t w = 0; status == RN_OK && w < RN_MAX_WEIGHTS; w++)
        if (rn_constant_is_set(node->weight[w]))
            status = rn_constant_read(node->weight[w], c, buffer + w * c, &number[w], err);
    if (status == RN_OK) set_scale(step, number, node->eps);
    rn_free(buffer);
    return status;
}

static rn_step *add_step(rn_plan *plan, const rn_step *step, rn_error *err)
{
    rn_step *grown = rn_grow(plan->step, plan->count, &plan->capacity, sizeof *grown, err);
    if (!grown) return NULL;
    plan->step = grown;
    plan->step[plan->count] = *step;
    return &plan->step[plan->count++];
}

static rn_step step_of(const rn_graph *graph, const rn_node *node)
{
    rn_step step = {
        .desc = {.op = node->op,
                 .inputs = rn_min(node->inputs, RN_STEP_INPUTS),
                 .out = rn_graph_shape(graph, node->value),
                 .window = node->window,
                 .groups = node->groups,
                 .eps = node->eps},
        .name = node->name,
        .addend = RN_NO_VALUE,
        .dst = node->value,
        .parameters = rn_node_parameters(node),
        .macs = rn_node_macs(graph, node),
    };
    memcpy(step.desc.parameter, node->parameter, sizeof step.desc.parameter);
    for (size_t i = 0; i < step.desc.inputs; i++) {
        step.src[i] = node->src[i];
        step.desc.in[i] = rn_graph_shape(graph, node->src[i]);
    }
    return step;
}

/* ((first, second), third), ...; of one value nothing is left but a copy. */
static rn_status lower_concat(rn_plan *plan, const rn_graph *graph, const rn_node *node,
                              rn_error *err)
{
    rn_step step = step_of(graph, node);
    if (node->inputs == 1) {
        step.desc.op = RN_OP_FLATTEN;
        return add_step(plan, &step, err) ? RN_OK : RN_ERR_MEMORY;
    }
    step.desc.inputs = 2;
    for (size_t i = 1; i < node->inputs; i++) {
        step.desc.in[1] = rn_graph_shape(graph, node->src[i]);
        step.src[1] = node->src[i];
        step.desc.out = step.desc.in[0];
        step.desc.out.c += step.desc.in[1].c;
        step.dst =
            i + 1 == node->inputs ? node->value : rn_plan_new_value(plan, step.desc.out, err);
        if (step.dst == RN_NO_VALUE || !add_step(plan, &step, err)) return RN_ERR_MEMORY;
        step.desc.in[0] = step.desc.out;
        step.src[0] = step.dst;
    }
    return RN_OK;
}

/* The operand that has all of the result's elements comes first: kernels for gates want it so. */
static void put_map_first(rn_step *step)
{
    rn_desc *d = &step->desc;
    if (!rn_op_commutes(d->op) || rn_shape_equal(d->in[0], d->out)) return;
    const rn_shape shape = d->in[0];
    const int value = step->src[0];
    d->in[0] = d->in[1];
    d->in[1] = shape;
    step->src[0] = step->src[1];
    step->src[1] = value;
}

static rn_status lower_node(rn_plan *plan, const rn_graph *graph, const rn_node *node,
                            rn_error *err)
{
    if (node->op == RN_OP_CONCAT) return lower_concat(plan, graph, node, err);
    rn_step plain = step_of(graph, node);
    put_map_first(&plain);
    rn_step *step = add_step(plan, &plain, err);
    if (!step) return RN_ERR_MEMORY;
    if (node->op == RN_OP_BATCH_NORM) return lower_batch_norm(step, node, err);
    memcpy(step->weight, node->weight, sizeof step->weight);
    return RN_OK;
}

/* needed[i]: an output depends on node i. Inputs come before their readers, so one sweep does. */
static void find_needed(const rn_graph *graph, bool *needed)
{
    for (size_t i = 0; i < graph->outputs; i++)
        needed[graph->value[graph->output[i].value].node] = true;
    for (size_t i = graph->count; i-- > 0;) {
        const rn_node *node = &graph->node[i];
        for (size_t k = 0; needed[i] && k < node->inputs; k++)
            needed[graph->value[node->src[k]].node] = true;
    }
}

static rn_status lower_needed(rn_plan *plan, const rn_graph *graph, const bool *needed,
                              rn_error *err)
{
    rn_status status = RN_OK;
    for (size_t i = 0; status == RN_OK && i < graph->count; i++)
        if (needed[i] && graph->node[i].op != RN_OP_INPUT)
            status = lower_node(plan, graph, &graph->node[i], err);
    return status;
}

static rn_status lower_ports(rn_plan *plan, const rn_graph *graph, rn_error *err)
{
    plan->input = rn_alloc(graph->inputs, sizeof *plan->input, err);
    plan->output = rn_alloc(graph->outputs, sizeof *plan->output, err);
    if (!plan->input || !plan->output) return RN_ERR_MEMORY;
    plan->inputs = graph->inputs;
    plan->outputs = graph->outputs;
    for (size_t i = 0; i < graph->inputs; i++) plan->input[i] = graph->input[i].value;
    for (size_t i = 0; i < graph->outputs; i++) plan->output[i] = graph->output[i].value;
    return RN_OK;
}

rn_status rn_plan_lower(rn_plan *plan, const rn_graph *graph, rn_error *err)
{
    for (size_t i = 0; i < graph->values; i++)
        if (rn_plan_new_value(plan, graph->value[i].shape, err) == RN_NO_VALUE)
            return RN_ERR_MEMORY;
    rn_status status = lower_ports(plan, graph, err);
    bool *needed = status == RN_OK ? rn_alloc_zero(graph->count, sizeof *needed, err) : NULL;
    if (!needed) return RN_ERR_MEMORY;
    find_needed(graph, needed);
    status = lower_needed(plan, graph, needed, err);
    rn_free(needed);
    return status;
}
