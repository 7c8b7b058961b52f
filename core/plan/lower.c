/* First pass: each graph node becomes a step, batch norm becomes scale and shift. */
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
        .desc = {.op = node->op, .out = node->out, .window = node->window, .groups = node->groups},
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

rn_status rn_plan_lower(rn_plan *plan, const rn_graph *graph, rn_error *err)
{
    plan->capacity = plan->value_capacity = graph->count + 1;
    plan->step = rn_alloc_zero(plan->capacity, sizeof *plan->step, err);
    plan->value = rn_alloc_zero(plan->value_capacity, sizeof *plan->value, err);
    if (!plan->step || !plan->value) return RN_ERR_MEMORY;
    plan->values = graph->count;
    plan->output = graph->output;
    for (size_t i = 0; i < graph->count; i++) {
        plan->value[i].dims = graph->node[i].out;
        if (graph->node[i].op == RN_OP_INPUT)
            plan->input = (int)i;
        else if (lower_node(plan, graph, (int)i, err) != RN_OK)
            return RN_ERR_MEMORY;
    }
    return RN_OK;
}
