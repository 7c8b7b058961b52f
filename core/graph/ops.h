/* The operators of the graph: their numbers, and the row that each has in ops.def. Constant: any
 * thread. */
#ifndef RN_GRAPH_OPS_H
#define RN_GRAPH_OPS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
#define OP(id, ...) RN_OP_##id,
#include "graph/ops.def"
#undef OP
    RN_OPS
} rn_op;

/* What passes may do with an operator. */
typedef enum {
    RN_KIND_PLAIN,
    RN_KIND_PICKS,  /* its numbers are some of its input's, unchanged */
    RN_KIND_UNARY,  /* elementwise, of one value: can be part of an epilogue */
    RN_KIND_BINARY, /* elementwise, of two values: can be part of an epilogue */
} rn_op_kind;

/* How a right answer may differ from the reference's. */
typedef enum {
    RN_ACCURACY_EXACT,   /* not at all */
    RN_ACCURACY_SUMS,    /* by the order of a sum: not at all when its terms are small integers */
    RN_ACCURACY_DIVIDES, /* by a rounding or two, of integers too */
    RN_ACCURACY_NORMALISES, /* by roundings of what is made of all values together */
    RN_ACCURACY_FUNCTION,   /* by the error of a function's approximation */
} rn_accuracy;

typedef struct {
    const char *name;
    size_t least, most; /* inputs */
    size_t outputs;
    unsigned needed; /* weights: bits of 1 << RN_WEIGHT ... */
    rn_op_kind kind;
    bool takes_epilogue;
    rn_accuracy accuracy;
} rn_op_row;

const rn_op_row *rn_op_row_of(rn_op op);
const char *rn_op_name(rn_op op);

/* Of a binary one: whether its operands may change places. */
bool rn_op_commutes(rn_op op);

/* Of a binary one: what can't be done with shapes that don't fit, "added". */
const char *rn_op_verb(rn_op op);

/* The operator of that name, or RN_OPS. */
rn_op rn_op_find(const char *name);

#endif
