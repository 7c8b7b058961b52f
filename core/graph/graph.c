/* Building a graph node by node: inputs are checked and shapes computed as nodes come in, so that a
 * graph that was built is a graph that can be planned. */
#include "graph/graph.h"

#include <stdio.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "graph/shape.h"

typedef struct {
    const char *name;
    size_t inputs;
    rn_shape_rule *shape;
} op_row;

static const op_row ops[RN_OPS] = {
#define OP(id, name, inputs, shape) {name, inputs, shape},
#include "graph/ops.def"
#undef OP
};

const char *rn_op_name(rn_op op)
{
    return ops[op].name;
}
size_t rn_op_inputs(rn_op op)
{
    return ops[op].inputs;
}

void rn_graph_init(rn_graph *graph)
{
    *graph = (rn_graph){.output = -1};
}

static size_t at_least_one(size_t value)
{
    return value ? value : 1;
}

static void set_window_defaults(rn_window *window)
{
    window->stride_h = at_least_one(window->stride_h);
    window->stride_w = at_least_one(window->stride_w);
    window->dilation_h = at_least_one(window->dilation_h);
    window->dilation_w = at_least_one(window->dilation_w);
}

static rn_status set_shape(const rn_graph *graph, rn_node *node, rn_error *err)
{
    rn_dims in[RN_MAX_INPUTS] = {{0}};
    for (size_t i = 0; i < ops[node->op].inputs; i++) {
        if (node->src[i] < 0 || (size_t)node->src[i] >= graph->count)
            return rn_fail(err, RN_ERR_FORMAT, "input %zu is no earlier value", i);
        in[i] = graph->node[node->src[i]].out;
    }
    return ops[node->op].shape(node, in, err);
}

int rn_graph_add(rn_graph *graph, const rn_node *node, rn_error *err)
{
    rn_node copy = *node;
    set_window_defaults(&copy.window);
    copy.groups = at_least_one(copy.groups);
    const char *name = node->name ? node->name : "";
    if (set_shape(graph, &copy, err) != RN_OK) {
        rn_context(err, "%s%s%s", name, *name ? ": " : "", rn_op_name(node->op));
        return -1;
    }
    rn_node *nodes = rn_grow(graph->node, graph->count, &graph->capacity, sizeof copy, err);
    if (!nodes) return -1;
    graph->node = nodes;
    copy.name = rn_strdup(name, err);
    if (!copy.name) return -1;
    graph->node[graph->count] = copy;
    return graph->output = (int)graph->count++;
}

size_t rn_dims_size(rn_dims dims)
{
    return dims.c * dims.h * dims.w;
}

bool rn_dims_equal(rn_dims a, rn_dims b)
{
    return a.rank == b.rank && a.c == b.c && a.h == b.h && a.w == b.w;
}

char *rn_dims_text(rn_dims dims, char *text, size_t size)
{
    if (dims.rank == 1)
        snprintf(text, size, "%zu", dims.c);
    else
        snprintf(text, size, "%zux%zux%zu", dims.c, dims.h, dims.w);
    return text;
}

/* Weights that one output element of a convolution or linear layer takes part with. */
static size_t fan_in(const rn_graph *graph, const rn_node *node)
{
    const rn_dims in = graph->node[node->src[0]].out;
    if (node->op == RN_OP_LINEAR) return rn_dims_size(in);
    return in.c / node->groups * node->window.kh * node->window.kw;
}

size_t rn_node_parameters(const rn_graph *graph, const rn_node *node)
{
    switch (node->op) {
    case RN_OP_CONV:
    case RN_OP_LINEAR: return node->out.c * (fan_in(graph, node) + rn_constant_is_set(node->bias));
    case RN_OP_BATCH_NORM:
    case RN_OP_GROUP_NORM:
        return node->out.c *
               ((size_t)rn_constant_is_set(node->weight) + (size_t)rn_constant_is_set(node->bias));
    case RN_OP_CHANNEL_CONV: return node->window.kh;
    default: return 0;
    }
}

uint64_t rn_node_macs(const rn_graph *graph, const rn_node *node)
{
    if (node->op != RN_OP_CONV && node->op != RN_OP_LINEAR) return 0;
    return (uint64_t)rn_dims_size(node->out) * fan_in(graph, node);
}

void rn_graph_release(rn_graph *graph)
{
    for (size_t i = 0; i < graph->count; i++) rn_free(graph->node[i].name);
    rn_free(graph->node);
    rn_graph_init(graph);
}
