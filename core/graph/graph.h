/* The graph: a network as nodes in execution order, whatever file it came from.
 *
 * A value has the id of the node that makes it; a node's inputs have smaller ids. Shapes are those
 * of one image: the batch is left out. Built by one thread, read-only after that. The
 * constants that nodes refer to belong to the rn_tensors they came from. */
#ifndef RN_GRAPH_GRAPH_H
#define RN_GRAPH_GRAPH_H

#include "graph/constant.h"
#include "resnet.h"

typedef enum {
#define OP(id, name, inputs, shape) RN_OP_##id,
#include "graph/ops.def"
#undef OP
    RN_OPS
} rn_op;

/* Shape of one image's value: rank 3 is C x H x W; rank 1 is C features, h = w = 1. */
typedef struct {
    size_t rank;
    size_t c, h, w;
} rn_dims;

/* How a convolution or pooling window moves. Zero stride means 1, zero dilation means 1 when a
 * node is added. */
typedef struct {
    size_t kh, kw;
    size_t stride_h, stride_w;
    size_t pad_top, pad_left, pad_bottom, pad_right;
    size_t dilation_h, dilation_w;
    bool ceil_mode;         /* pools: round the output size up (windows start inside the input) */
    bool count_include_pad; /* average pool: padding counts in the divisor */
} rn_window;

#define RN_MAX_INPUTS 2

typedef struct {
    rn_op op;
    const char *name;       /* of the layer in the weights; copied by rn_graph_add() */
    int src[RN_MAX_INPUTS]; /* values; unused ones are ignored */
    rn_dims out;            /* set by the shape rule (INPUT: by the caller) */
    rn_window window;       /* CONV, pools; ZERO_PAD: the padding alone; CHANNEL_CONV: kh alone */
    size_t groups;          /* CONV, GROUP_NORM; 0 means 1 */
    /* CONV, LINEAR: output channels or features. CHANNEL_PAD: output channels, the new ones
     * zero, half of them in front and half behind. */
    size_t channels;
    /* CONV: (oc, ic/groups, kh, kw). LINEAR: (oc, ic). BATCH_NORM: (c) or none. GROUP_NORM: (c).
     * CHANNEL_CONV: (kh). FAKE_QUANTIZE: the step's size, the lowest and the highest step */
    rn_constant weight;
    rn_constant bias;      /* (oc), (c) or none */
    rn_constant mean, var; /* BATCH_NORM: (c) */
    double eps;            /* BATCH_NORM, GROUP_NORM */
} rn_node;

typedef struct {
    rn_node *node;
    size_t count, capacity;
    int output; /* the value that is the network's answer */
} rn_graph;

void rn_graph_init(rn_graph *graph);

/* Copies *node behind the others, checks its inputs and window, and computes its output shape.
 * Returns the new value's id, or -1 with *err filled: the shapes are named when they don't fit. */
int rn_graph_add(rn_graph *graph, const rn_node *node, rn_error *err);

const char *rn_op_name(rn_op op);
size_t rn_op_inputs(rn_op op);

size_t rn_dims_size(rn_dims dims); /* elements; checked when the node was added */
bool rn_dims_equal(rn_dims a, rn_dims b);
/* "64x56x56" or "1000" */
char *rn_dims_text(rn_dims dims, char *text, size_t size);

/* Parameters and multiply-accumulates of one node, for one image. */
size_t rn_node_parameters(const rn_graph *graph, const rn_node *node);
uint64_t rn_node_macs(const rn_graph *graph, const rn_node *node);

void rn_graph_release(rn_graph *graph);

#endif
