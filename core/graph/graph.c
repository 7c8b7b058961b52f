/* Building a graph node by node: inputs and weights are checked and shapes computed as nodes come
 * in, so that a graph that was built is a graph that can be planned. */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "graph/shape.h"

void rn_graph_init(rn_graph *graph)
{
    *graph = (rn_graph){0};
}

void *rn_graph_alloc(rn_graph *graph, size_t count, size_t size, rn_error *err)
{
    void **owned =
        rn_grow(graph->owned, graph->owned_count, &graph->owned_capacity, sizeof *owned, err);
    if (!owned) return NULL;
    graph->owned = owned;
    void *memory = rn_alloc_zero(count, size, err);
    if (memory) graph->owned[graph->owned_count++] = memory;
    return memory;
}

static char *copy_text(rn_graph *graph, const char *text, rn_error *err)
{
    const char *from = text ? text : "";
    const size_t size = strlen(from) + 1;
    char *copy = rn_graph_alloc(graph, size, 1, err);
    if (copy) memcpy(copy, from, size);
    return copy;
}

/* ---- adding a node --------------------------------------------------------------------------- */

static size_t at_least_one(size_t value)
{
    return value ? value : 1;
}

static void set_defaults(rn_node *node)
{
    rn_window *w = &node->window;
    w->stride_h = at_least_one(w->stride_h);
    w->stride_w = at_least_one(w->stride_w);
    w->dilation_h = at_least_one(w->dilation_h);
    w->dilation_w = at_least_one(w->dilation_w);
    node->groups = at_least_one(node->groups);
}

static rn_status check_inputs(const rn_graph *graph, const rn_node *node, rn_error *err)
{
    const rn_op_row *row = rn_op_row_of(node->op);
    if (node->inputs < row->least || node->inputs > row->most)
        return rn_fail(err, RN_ERR_FORMAT, "%zu inputs", node->inputs);
    for (size_t i = 0; i < node->inputs; i++)
        if (node->src[i] < 0 || (size_t)node->src[i] >= graph->values)
            return rn_fail(err, RN_ERR_FORMAT, "input %zu is no earlier value", i);
    return RN_OK;
}

static rn_status check_weights(const rn_node *node, const rn_shape *in, rn_error *err)
{
    static const char *const names[RN_MAX_WEIGHTS] = {"weight", "bias", "running mean",
                                                      "running variance"};
    const unsigned needed = rn_op_row_of(node->op)->needed;
    for (size_t w = 0; w < RN_MAX_WEIGHTS; w++) {
        const bool set = rn_constant_is_set(node->weight[w]);
        if (!set && needed >> w & 1) return rn_fail(err, RN_ERR_FORMAT, "no %s", names[w]);
        const size_t want = set ? rn_op_elements_rule(node->op)(node, in, w) : 0;
        const size_t have = node->weight[w].count;
        if (have != want)
            return rn_fail(err, RN_ERR_FORMAT, "its %s has %zu numbers, want %zu", names[w], have,
                           want);
    }
    return RN_OK;
}

static rn_status check_node(rn_graph *graph, rn_node *node, rn_shape *out, rn_error *err)
{
    rn_status status = check_inputs(graph, node, err);
    if (status != RN_OK) return status;
    rn_shape *in = rn_alloc(node->inputs, sizeof *in, err);
    if (!in) return RN_ERR_MEMORY;
    for (size_t i = 0; i < node->inputs; i++) in[i] = graph->value[node->src[i]].shape;
    status = rn_op_shape_rule(node->op)(node, in, out, err);
    if (status == RN_OK) status = check_weights(node, in, err);
    rn_free(in);
    return status;
}

static rn_status add_port(rn_port **list, size_t *count, size_t *capacity, rn_port port,
                          rn_error *err)
{
    rn_port *grown = rn_grow(*list, *count, capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    *list = grown;
    grown[(*count)++] = port;
    return RN_OK;
}

static rn_status add_value(rn_graph *graph, rn_shape shape, rn_error *err)
{
    rn_graph_value *grown =
        rn_grow(graph->value, graph->values, &graph->value_capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    graph->value = grown;
    graph->value[graph->values++] = (rn_graph_value){shape, (int)graph->count};
    return RN_OK;
}

/* *node is checked. What was added when this fails is freed with the graph, which is lost. */
static rn_status keep_node(rn_graph *graph, rn_node *node, const rn_shape *out, rn_error *err)
{
    int *src = rn_graph_alloc(graph, at_least_one(node->inputs), sizeof *src, err);
    node->name = copy_text(graph, node->name, err);
    rn_node *nodes = rn_grow(graph->node, graph->count, &graph->capacity, sizeof *nodes, err);
    if (nodes) graph->node = nodes;
    if (!src || !node->name || !nodes) return RN_ERR_MEMORY;
    if (node->inputs) memcpy(src, node->src, node->inputs * sizeof *src);
    node->src = src;
    node->value = (int)graph->values;
    for (size_t i = 0; i < node->outputs; i++)
        if (add_value(graph, out[i], err) != RN_OK) return RN_ERR_MEMORY;
    graph->node[graph->count++] = *node;
    if (node->op != RN_OP_INPUT) return RN_OK;
    return add_port(&graph->input, &graph->inputs, &graph->input_capacity,
                    (rn_port){node->name, node->value}, err);
}

int rn_graph_add(rn_graph *graph, const rn_node *node, const int *src, size_t inputs, rn_error *err)
{
    enum { MAX_OUTPUTS = 2 };
    rn_node copy = *node;
    rn_shape out[MAX_OUTPUTS] = {{0}};
    const char *name = node->name ? node->name : "";
    copy.src = src;
    copy.inputs = inputs;
    copy.outputs = rn_op_row_of(node->op)->outputs;
    set_defaults(&copy);
    const rn_status status = check_node(graph, &copy, out, err);
    if (status == RN_ERR_FORMAT)
        rn_context(err, "%s%s%s", name, *name ? ": " : "", rn_op_name(node->op));
    if (status != RN_OK || keep_node(graph, &copy, out, err) != RN_OK) return -1;
    return copy.value;
}

rn_status rn_graph_add_output(rn_graph *graph, const char *name, int value, rn_error *err)
{
    const char *copy = copy_text(graph, name, err);
    if (!copy) return RN_ERR_MEMORY;
    return add_port(&graph->output, &graph->outputs, &graph->output_capacity,
                    (rn_port){copy, value}, err);
}

/* ---- asking ---------------------------------------------------------------------------------- */

rn_shape rn_graph_shape(const rn_graph *graph, int value)
{
    return value < 0 ? (rn_shape){.rank = 1} : graph->value[value].shape;
}

const rn_node *rn_graph_maker(const rn_graph *graph, int value)
{
    return &graph->node[graph->value[value].node];
}

rn_shape rn_shape_of(size_t rank, const size_t *dim)
{
    rn_shape shape = {.rank = rank};
    for (size_t i = 0; i < RN_MAX_RANK; i++) shape.dim[i] = i < rank ? dim[i] : 1;
    return shape;
}

rn_shape rn_map(size_t c, size_t h, size_t w)
{
    return rn_shape_of(3, (const size_t[]){c, h, w});
}

rn_shape rn_row(size_t features)
{
    return rn_shape_of(1, &features);
}

size_t rn_shape_size(rn_shape shape)
{
    size_t size = 1;
    for (size_t i = 0; i < shape.rank; i++) size *= shape.dim[i];
    return size;
}

size_t rn_shape_pixels(rn_shape shape)
{
    size_t pixels = 1;
    for (size_t i = 1; i < shape.rank; i++) pixels *= shape.dim[i];
    return pixels;
}

bool rn_shape_equal(rn_shape a, rn_shape b)
{
    bool equal = a.rank == b.rank && a.type == b.type;
    for (size_t i = 0; equal && i < a.rank; i++) equal = a.dim[i] == b.dim[i];
    return equal;
}

char *rn_shape_write(rn_shape shape, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "%s", shape.rank ? "" : "scalar");
    for (size_t i = 0; i < shape.rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i ? "x%zu" : "%zu", shape.dim[i]);
    return text;
}

/* What is trained: running statistics are not. */
size_t rn_node_parameters(const rn_node *node)
{
    size_t parameters = 0;
    for (size_t w = RN_WEIGHT; w <= RN_BIAS; w++) parameters += node->weight[w].count;
    return parameters;
}

/* Operators whose weight is a matrix with a row per output channel. */
uint64_t rn_node_macs(const rn_graph *graph, const rn_node *node)
{
    if (node->op != RN_OP_CONV && node->op != RN_OP_LINEAR) return 0;
    const size_t row = node->weight[RN_WEIGHT].count / node->channels;
    return (uint64_t)rn_shape_size(rn_graph_shape(graph, node->value)) * row;
}

void rn_graph_release(rn_graph *graph)
{
    for (size_t i = 0; i < graph->owned_count; i++) rn_free(graph->owned[i]);
    rn_free(graph->owned);
    rn_free(graph->node);
    rn_free(graph->value);
    rn_free(graph->input);
    rn_free(graph->output);
    rn_graph_init(graph);
}
