#include "graph/ops.h"

#include <stdint.h>
#include <string.h>

#include "graph/graph.h"

#define MANY SIZE_MAX

static const rn_op_row rows[RN_OPS] = {
#define OP(id, low, text, inputs_least, inputs_most, results, rule, elements, need, what, \
           epilogue, how_near)                                                            \
    [RN_OP_##id] = {.name = (text),                                                       \
                    .least = (inputs_least),                                              \
                    .most = (inputs_most),                                                \
                    .outputs = (results),                                                 \
                    .needed = (need),                                                     \
                    .kind = RN_KIND_##what,                                               \
                    .takes_epilogue = (epilogue),                                         \
                    .accuracy = RN_ACCURACY_##how_near},
#include "graph/ops.def"
#undef OP
};

const rn_op_row *rn_op_row_of(rn_op op)
{
    return &rows[op];
}

const char *rn_op_name(rn_op op)
{
    return rows[op].name;
}

rn_op rn_op_find(const char *name)
{
    rn_op op = 0;
    while (op < RN_OPS && strcmp(rows[op].name, name) != 0) op++;
    return op;
}

/* What only binary ones have. */
static const struct {
    bool commutes;
    const char *verb;
} binary[RN_OPS] = {
#define UNARY(...)
#define BINARY(id, low, name, may_swap, what, ...) [RN_OP_##id] = {may_swap, what},
#include "graph/elementwise.def"
#undef UNARY
#undef BINARY
};

bool rn_op_commutes(rn_op op)
{
    return binary[op].commutes;
}

const char *rn_op_verb(rn_op op)
{
    return binary[op].verb ? binary[op].verb : "";
}
