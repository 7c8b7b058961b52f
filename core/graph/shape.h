/* Shape rules: from the shapes of a node's inputs to those of its outputs, as PyTorch has them, and
 * how many numbers each of its weights must have. */
#ifndef RN_GRAPH_SHAPE_H
#define RN_GRAPH_SHAPE_H

#include "graph/graph.h"

#define RN_MAX_VALUE ((size_t)1 << 31) /* elements of one value: what the kernels may index */

/* in: the shapes of node->inputs inputs. Sets out[0..outputs) and may complete *node. *err names
 * what does not fit. */
typedef rn_status rn_shape_rule(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err);

/* Elements of one of the node's weights (RN_WEIGHT, ...); 0: the operator has no such weight. */
typedef size_t rn_elements_rule(const rn_node *node, const rn_shape *in, size_t weight);

#define OP(id, low, name, least, most, outputs, shape, weights, ...) \
    rn_shape_rule rn_infer_##shape;                                  \
    rn_elements_rule rn_elements_##weights;
#include "graph/ops.def"
#undef OP

rn_shape_rule *rn_op_shape_rule(rn_op op);
rn_elements_rule *rn_op_elements_rule(rn_op op);

/* NumPy's rule: axes are counted from the last, sizes are equal or one of them is 1. False: they
 * can't be combined. */
bool rn_broadcast(rn_shape a, rn_shape b, rn_shape *out);

#endif
