/* First pass: each graph node that the output depends on becomes a step, batch norm becomes scale
 * and shift. */
#include <math.h>

#include "base/mem.h"
#include "base/size.h"
#include "plan/plan.h"

/* y = (x - mean) / sqrt(var + eps) * weight + bias  =  scale * x + shift */
static rn_status lower_batch_norm(rn_step *step, const rn_node *node, rn_error *err)
{
    const size_t c = node->out.c;
    step->scale = rn_alloc(c, sizeof(float), err);
    step->shift = rn_alloc(c, sizeof(float), err);
    if (!step->scale || !step->shift) return RN_ERR_MEMORY;
    for (size_t i = 0; i < c; i++) {
        const double weight = node->weight ? (double)node->weight[i] : 1;
        const double scale = weight / sqrt((double)node->var[i] + node->eps);
        const double bias = node->bias ? (double)node->bias[i] : 0;
        step->scale[i] = (float)scale;
        step->shift[i] = (float)(bias - (double)node->mean[i] * scale);
    }
    return RN_OK;
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
    step->weight = node->weight;
    step->bias = node->bias;
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
    for (size_t i = 0; i < graph->count; i++) {
        plan->value[i].dims = graph->node[i].out;
        if (graph->node[i].op == RN_OP_INPUT)
            plan->input = (int)i;
        else if (needed[i] && lower_node(plan, graph, (int)i, err) != RN_OK)
            return RN_ERR_MEMORY;
    }
    return RN_OK;
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
