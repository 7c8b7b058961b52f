/* Shape rules: from the input shapes of a node to its output shape, as PyTorch has them. */
#ifndef RN_GRAPH_SHAPE_H
#define RN_GRAPH_SHAPE_H

#include "graph/graph.h"

#define RN_MAX_VALUE ((size_t)1 << 31) /* elements of one value: what the kernels may index */

/* in: the shapes of the node's inputs. Sets node->out. *err names what does not fit. */
typedef rn_status rn_shape_rule(rn_node *node, const rn_dims *in, rn_error *err);

#define OP(id, name, inputs, shape) rn_shape_rule shape;
#include "graph/ops.def"
#undef OP

/* NumPy's rule over C, H and W: sizes are equal or one of them is 1. False: they can't be combined.
 */
bool rn_broadcast(rn_dims a, rn_dims b, rn_dims *out);

#endif
