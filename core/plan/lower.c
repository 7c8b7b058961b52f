/* First pass: each graph node that the output depends on becomes a step, batch norm becomes scale
 * and shift. */
#include <math.h>

#include "base/mem.h"
#include "base/size.h"
#include "plan/plan.h"

/* The numbers of a batch norm, (c) each; weight and bias may be NULL. */
typedef struct {
    const float *weight, *bias, *mean, *var;
} norm;

/* y = (x - mean) / sqrt(var + eps) * weight + bias  =  scale * x + shift */
static void set_scale(rn_step *step, const norm *from, double eps)
{
    for (size_t i = 0; i < step->desc.out.c; i++) {
        const double weight = from->weight ? (double)from->weight[i] : 1;
        const double scale = weight / sqrt((double)from->var[i] + eps);
        const double bias = from->bias ? (double)from->bias[i] : 0;
        step->scale[i] = (float)scale;
        step->shift[i] = (float)(bias - (double)from->mean[i] * scale);
    }
}

static rn_status lower_batch_norm(rn_step *step, const rn_node *node, rn_error *err)
{
    norm from = {0};
    const struct {
        rn_constant constant;
        const float **out;
    } part[] = {{node->weight, &from.weight},
                {node->bias, &from.bias},
                {node->mean, &from.mean},
                {node->var, &from.var}};
    const size_t parts = sizeof part / sizeof *part, c = node->out.c;
    float *buffer = rn_alloc(parts * c, sizeof(float), err); /* c: bounded by the shape rules */
    step->scale = rn_alloc(c, sizeof(float), err);
    step->shift = rn_alloc(c, sizeof(float), err);
    rn_status status = buffer && step->scale && step->shift ? RN_OK : RN_ERR_MEMORY;
    for (size_t i = 0; status == RN_OK && i < parts; i++)
        if (rn_constant_is_set(part[i].constant))
            status = rn_constant_read(part[i].constant, c, buffer + i * c, part[i].out, err);
    if (status == RN_OK) set_scale(step, &from, node->eps);
    rn_free(buffer);
    return status;
}

static rn_status lower_node(rn_plan *plan, const rn_graph *graph, int id, rn_error *err)
{
    const rn_node *node = &graph->node[id];
    rn_step *step = &plan->step[plan->count++];
    *step = (rn_step){
        .desc = {.op = node->op,
                 .out = node->out,
                 .window = node->window,
                 .groups = node->groups,
                 .eps = node->eps},
        .name = node->name,
        .src = node->src[0],
        .addend = RN_NO_VALUE,
        .dst = id,
        .parameters = rn_node_parameters(graph, node),
        .macs = rn_node_macs(graph, node),
    };
    for (size_t i = 0; i < rn_op_inputs(node->op); i++)
        step->desc.in[i] = graph->node[node->src[i]].out;
    if (rn_op_inputs(node->op) == 2) step->addend = node->src[1];
    if (node->op == RN_OP_BATCH_NORM) return lower_batch_norm(step, node, err);
    step->raw_weight = node->weight;
    step->raw_bias = node->bias;
    return RN_OK;
}

/* needed[i]: the output depends on node i. Inputs come before their readers, so one sweep does. */
static void find_needed(const rn_graph *graph, bool *needed)
{
    needed[graph->output] = true;
    for (size_t i = graph->count; i-- > 0;) {
        const rn_node *node = &graph->node[i];
        for (size_t k = 0; needed[i] && k < rn_op_inputs(node->op); k++)
            needed[node->src[k]] = true;
    }
}

static rn_status lower_needed(rn_plan *plan, const rn_graph *graph, const bool *needed,
                              rn_error *err)
{
    rn_status status = RN_OK;
    for (size_t i = 0; status == RN_OK && i < graph->count; i++) {
        plan->value[i].dims = graph->node[i].out;
        if (graph->node[i].op == RN_OP_INPUT)
            plan->input = (int)i;
        else if (needed[i])
            status = lower_node(plan, graph, (int)i, err);
    }
    return status;
}

rn_status rn_plan_lower(rn_plan *plan, const rn_graph *graph, rn_error *err)
{
    plan->capacity = plan->value_capacity = graph->count;
    plan->step = rn_alloc_zero(plan->capacity, sizeof *plan->step, err);
    plan->value = rn_alloc_zero(plan->value_capacity, sizeof *plan->value, err);
    bool *needed = rn_alloc_zero(graph->count, sizeof *needed, err);
    if (!plan->step || !plan->value || !needed) {
        rn_free(needed);
        return RN_ERR_MEMORY;
    }
    plan->values = graph->count;
    plan->output = graph->output;
    find_needed(graph, needed);
    const rn_status status = lower_needed(plan, graph, needed, err);
    rn_free(needed);
    return status;
}
