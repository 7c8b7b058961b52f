/* The graph: a network as nodes in execution order, whatever file it came from.
 *
 * A node reads any number of values and makes one or more; a value that a node reads was made by an
 * earlier node. Shapes are those of one sample: the batch is left out, so that no operator can mix
 * samples. Weights are constants with names; what they point to belongs to the rn_tensors they came
 * from. Built by one thread, read-only after that. */
#ifndef RN_GRAPH_GRAPH_H
#define RN_GRAPH_GRAPH_H

#include "base/type.h"
#include "graph/constant.h"
#include "graph/ops.h"
#include "resnet.h"

/* Sizes that a value has at most: of all axes but the batch. Constants have up to RN_MAX_RANK. */
#define RN_VALUE_RANK 5

/* The shape of one sample's value, or of a constant. c, h and w are other names of the first three
 * sizes: a map is C x H x W (rank 3), a row of features is C (rank 1). Sizes beyond the rank are 1.
 */
typedef struct {
    size_t rank;
    union {
        size_t dim[RN_MAX_RANK];
        struct {
            size_t c, h, w;
        };
    };
    rn_type type;
} rn_shape;

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

/* Places of a node's weights. */
enum { RN_WEIGHT, RN_BIAS, RN_MEAN, RN_VAR, RN_MAX_WEIGHTS };

#define RN_PARAMETERS 3 /* numbers of an elementwise operator's formula, at most */

/* What a node is told when it is added; its row in ops.def says which of it an operator reads. */
typedef struct {
    rn_op op;
    const char *name; /* of the layer in the weights; copied by rn_graph_add() */
    rn_shape shape;   /* INPUT: of the value */
    rn_window window; /* CONV, pools; ZERO_PAD: the padding alone; CHANNEL_CONV: kh alone */
    size_t groups;    /* CONV, GROUP_NORM; 0 means 1 */
    size_t channels;  /* CONV, LINEAR: output channels or features. CHANNEL_PAD: output channels,
                       * the new ones zero, half of them before and half after the input's */
    double eps;       /* BATCH_NORM, GROUP_NORM */
    float parameter[RN_PARAMETERS]; /* elementwise: p[0], p[1], p[2] of its formula */
    /* CONV: (oc, ic/groups, kh, kw), bias (oc). LINEAR: (oc, ic), bias (oc). BATCH_NORM: (c) each,
     * weight and bias may be missing. GROUP_NORM: (c). CHANNEL_CONV: (kh). */
    rn_constant weight[RN_MAX_WEIGHTS];
    /* Set by rn_graph_add(): */
    const int *src; /* values, owned by the graph */
    size_t inputs;
    int value; /* the first value it makes; the others follow */
    size_t outputs;
} rn_node;

typedef struct {
    rn_shape shape;
    int node; /* that makes it */
} rn_graph_value;

/* An input or output of the network. */
typedef struct {
    const char *name;
    int value;
} rn_port;

typedef struct {
    rn_node *node;
    size_t count, capacity;
    rn_graph_value *value;
    size_t values, value_capacity;
    rn_port *input, *output; /* in the file's order */
    size_t inputs, input_capacity, outputs, output_capacity;
    void **owned; /* memory that goes with the graph */
    size_t owned_count, owned_capacity;
} rn_graph;

void rn_graph_init(rn_graph *graph);

/* The values that a node reads, as two arguments of rn_graph_add(). */
#define RN_SOURCES(...) (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int)
#define RN_NO_SOURCES   NULL, 0

/* Appends a copy of *node that reads the values src[0..inputs), checks it against its operator's
 * row and computes the shapes of its outputs. An INPUT becomes the network's next input. Returns
 * the id of its first output, or -1 with *err filled: the shapes are named when they don't fit. */
int rn_graph_add(rn_graph *graph, const rn_node *node, const int *src, size_t inputs,
                 rn_error *err);

/* The network's next output. */
rn_status rn_graph_add_output(rn_graph *graph, const char *name, int value, rn_error *err);

/* Memory that lives as long as the graph, zeroed. */
void *rn_graph_alloc(rn_graph *graph, size_t count, size_t size, rn_error *err);

/* A value's shape, and the node that makes it; a value below 0 has no elements. */
rn_shape rn_graph_shape(const rn_graph *graph, int value);
const rn_node *rn_graph_maker(const rn_graph *graph, int value);

/* C x H x W; C features; any rank up to 3 from a list of sizes. All of float32. */
rn_shape rn_map(size_t c, size_t h, size_t w);
rn_shape rn_row(size_t features);
rn_shape rn_shape_of(size_t rank, const size_t *dim);

size_t rn_shape_size(rn_shape shape);   /* elements; checked when the node was added */
size_t rn_shape_pixels(rn_shape shape); /* elements of one channel */
bool rn_shape_equal(rn_shape a, rn_shape b);
/* "64x56x56" or "1000" */
char *rn_shape_write(rn_shape shape, char *text, size_t size);

/* Parameters and multiply-accumulates of one node, for one sample. */
size_t rn_node_parameters(const rn_node *node);
uint64_t rn_node_macs(const rn_graph *graph, const rn_node *node);

void rn_graph_release(rn_graph *graph);

#endif
