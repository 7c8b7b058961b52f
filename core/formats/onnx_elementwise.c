/* ONNX operators that compute number by number: of one value, of two, of a value and a constant,
 * and of constants. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "kernels/epilogue.h"

/* ---- of one value ---------------------------------------------------------------------------- */

/* A constant of floats goes through the operator's own formula. */
static void fold_unary(rn_onnx_node *n, const rn_node *node)
{
    rn_onnx_constant *from = rn_onnx_constant_of(n, 0);
    const float *x = rn_onnx_floats(n, from);
    float *to = x ? rn_onnx_new_floats(n, from->elements) : NULL;
    if (!to) return;
    rn_unary(node->op, node->parameter, x, to, from->elements);
    rn_onnx_emit_floats(n, from, to);
}

/* One pixel may stand in any shape. */
static void emit_unary(rn_onnx_node *n, const rn_node *node)
{
    if (rn_onnx_is_constant(n, 0)) {
        fold_unary(n, node);
        return;
    }
    rn_onnx_view view;
    int x = rn_onnx_viewed(n, 0, &view);
    if (view.form != RN_ONNX_VECTOR) x = rn_onnx_value(n, 0);
    rn_onnx_emit_view(n, rn_onnx_add(n, node, RN_SOURCES(x)), &view);
}

/* The operator and its parameters as the table of operators has them. */
void rn_onnx_import_unary(rn_onnx_node *n)
{
    rn_node node = {.op = n->row->op};
    for (size_t i = 0; i < RN_ONNX_PARAMETERS && n->row->parameter[i].name; i++)
        node.parameter[i] = (float)rn_onnx_decimal(
            rn_onnx_float(n, n->row->parameter[i].name, n->row->parameter[i].fallback));
    emit_unary(n, &node);
}

void rn_onnx_import_gelu(rn_onnx_node *n)
{
    const bool plain = rn_onnx_text_is(n, "approximate", "none", true);
    if (!plain && !rn_onnx_text_is(n, "approximate", "tanh", false))
        rn_onnx_fail(n, "its approximation isn't known");
    emit_unary(n, &(rn_node){.op = plain ? RN_OP_GELU : RN_OP_GELU_TANH});
}

/* A limit: an attribute until opset 10, then an input. */
static float limit(rn_onnx_node *n, const char *name, size_t input, double fallback)
{
    if (!rn_onnx_has(n, input)) return (float)rn_onnx_float(n, name, fallback);
    const float *given = rn_onnx_vector(n, input, 1);
    return given ? *given : 0;
}

void rn_onnx_import_clip(rn_onnx_node *n)
{
    const float low = limit(n, "min", 1, -HUGE_VAL), high = limit(n, "max", 2, HUGE_VAL);
    emit_unary(n, &(rn_node){.op = RN_OP_CLAMP, .parameter = {low, high}});
}

/* The slope is one for all or one per channel. */
void rn_onnx_import_prelu(rn_onnx_node *n)
{
    rn_onnx_constant *slope = rn_onnx_constant_of(n, 1);
    const float *given = rn_onnx_floats(n, slope);
    if (!given) return;
    if (slope->elements == 1) {
        emit_unary(n, &(rn_node){.op = RN_OP_LEAKY_RELU, .parameter = {*given}});
        return;
    }
    const int x = rn_onnx_value(n, 0);
    const rn_shape shape = rn_onnx_dims(n, x);
    if (!rn_onnx_is_per_channel(slope, shape)) {
        rn_onnx_fail(n, "its slope has not one number per channel");
        return;
    }
    const rn_node node = {.op = RN_OP_PRELU, .weight = {rn_onnx_weight(n, slope)}};
    rn_onnx_emit(n, &node, RN_SOURCES(x));
}

/* ---- of a value and a constant --------------------------------------------------------------- */

bool rn_onnx_is_per_channel(const rn_onnx_constant *constant, rn_shape shape)
{
    if (constant->elements == 1) return constant->rank <= shape.rank + 1;
    const size_t after = shape.rank == 3 ? 2 : 0; /* axes after the channels */
    if (constant->rank < after + 1 || constant->rank > after + 2) return false;
    return constant->elements == shape.c && constant->dims[constant->rank - 1 - after] == shape.c;
}

int rn_onnx_add_affine(rn_onnx_node *n, int x, const float *weight, const float *bias)
{
    const size_t c = rn_onnx_dims(n, x).c;
    float *mean = rn_onnx_new_floats(n, c), *var = rn_onnx_new_floats(n, c);
    for (size_t i = 0; mean && var && i < c; i++) var[i] = 1;
    return rn_onnx_add(n,
                       &(rn_node){.op = RN_OP_BATCH_NORM,
                                  .weight = {rn_constant_of(weight, c), rn_constant_of(bias, c),
                                             rn_constant_of(mean, c), rn_constant_of(var, c)}},
                       RN_SOURCES(x));
}

/* The constant as one number per channel of x; NULL with the failure kept. */
static float *spread(rn_onnx_node *n, int x, rn_onnx_constant *constant)
{
    const rn_shape shape = rn_onnx_dims(n, x);
    if (!constant || !rn_onnx_is_per_channel(constant, shape)) {
        rn_onnx_fail(n, "its constant has not one number per channel");
        return NULL;
    }
    const float *given = rn_onnx_floats(n, constant);
    float *value = given ? rn_onnx_new_floats(n, shape.c) : NULL;
    for (size_t i = 0; value && i < shape.c; i++) value[i] = given[constant->elements == 1 ? 0 : i];
    return value;
}

static void negate(float *value, size_t count)
{
    for (size_t i = 0; value && i < count; i++) value[i] = -value[i];
}

int rn_onnx_add_constant(rn_onnx_node *n, int x, rn_onnx_constant *constant)
{
    return rn_onnx_add_affine(n, x, NULL, spread(n, x, constant));
}

/* constant - x */
static int subtract_from(rn_onnx_node *n, int x, float *value)
{
    const size_t c = rn_onnx_dims(n, x).c;
    float *minus = rn_onnx_new_floats(n, c);
    for (size_t i = 0; minus && i < c; i++) minus[i] = -1;
    return rn_onnx_add_affine(n, x, minus, value);
}

static int power(rn_onnx_node *n, int x, const rn_onnx_constant *constant, const float *value)
{
    rn_node node = {.op = RN_OP_POWER, .parameter = {value ? *value : 0}};
    if (constant && constant->elements != 1)
        rn_onnx_fail(n, "its exponent is more than one number");
    if (node.parameter[0] == 1) return x;
    if (node.parameter[0] == 2)
        return rn_onnx_add(n, &(rn_node){.op = RN_OP_MUL}, RN_SOURCES(x, x));
    if (node.parameter[0] == 0.5F) node.op = RN_OP_SQRT;
    return rn_onnx_add(n, &node, RN_SOURCES(x));
}

/* One number for all. */
static int clamp(rn_onnx_node *n, int x, const rn_onnx_constant *constant, const float *value)
{
    const float number = value ? *value : 0;
    rn_node node = {.op = RN_OP_CLAMP, .parameter = {-HUGE_VALF, HUGE_VALF}};
    node.parameter[n->row->op == RN_OP_MIN] = number;
    if (constant && constant->elements != 1)
        rn_onnx_fail(n, "its constant is more than one number");
    return rn_onnx_add(n, &node, RN_SOURCES(x));
}

/* place: the constant's, 0 or 1. What scales and shifts channels is a batch norm, which goes into a
 * convolution before it. */
static int with_constant(rn_onnx_node *n, size_t place)
{
    rn_onnx_constant *constant = rn_onnx_constant_of(n, place);
    const int x = rn_onnx_value(n, 1 - place);
    float *value = spread(n, x, constant);
    const size_t c = rn_onnx_dims(n, x).c;
    if (!value) return -1;
    switch (n->row->op) {
    case RN_OP_ADD: return rn_onnx_add_affine(n, x, NULL, value);
    case RN_OP_MUL: return rn_onnx_add_affine(n, x, value, NULL);
    case RN_OP_SUB:
        if (place == 0) return subtract_from(n, x, value);
        negate(value, c);
        return rn_onnx_add_affine(n, x, NULL, value);
    case RN_OP_DIV: {
        const int reciprocal =
            place == 0 ? rn_onnx_add(n, &(rn_node){.op = RN_OP_RECIPROCAL}, RN_SOURCES(x)) : x;
        for (size_t i = 0; place == 1 && i < c; i++) value[i] = 1 / value[i];
        return rn_onnx_add_affine(n, reciprocal, value, NULL);
    }
    case RN_OP_MAX:
    case RN_OP_MIN: return clamp(n, x, constant, value);
    default:
        if (place == 0) rn_onnx_fail(n, "a constant to the power of a value isn't served");
        return power(n, x, constant, value);
    }
}

/* ---- of two values --------------------------------------------------------------------------- */

/* A gate that was repeated to the size of the other factor: the multiplication does so itself. */
static int operand(rn_onnx_node *n, size_t input)
{
    rn_onnx_view view;
    const int x = rn_onnx_viewed(n, input, &view);
    if (view.form != RN_ONNX_EXPANDED) return rn_onnx_value(n, input);
    const rn_shape other = rn_onnx_dims(n, rn_onnx_value(n, 1 - input));
    if (!rn_shape_equal(view.dims, other))
        rn_onnx_fail(n, "input %zu is expanded to another size than the map's", input);
    return x;
}

static bool fold_binary(rn_onnx_node *n)
{
    const char *const operations = "+-*/";
    static const rn_op ops[] = {RN_OP_ADD, RN_OP_SUB, RN_OP_MUL, RN_OP_DIV};
    if (rn_onnx_has_integers(n, 0)) {
        size_t i = 0;
        while (i < 4 && ops[i] != n->row->op) i++;
        if (i == 4)
            rn_onnx_fail(n, "integers can't be computed with here");
        else
            rn_onnx_compute_integers(n, operations[i]);
        return true;
    }
    if (!rn_onnx_has_float_constants(n)) return false;
    rn_onnx_compute_floats(n, n->row->op);
    return true;
}

void rn_onnx_import_binary(rn_onnx_node *n)
{
    if (fold_binary(n)) return;
    if (rn_onnx_is_constant(n, 0) || rn_onnx_is_constant(n, 1)) {
        rn_onnx_emit_value(n, with_constant(n, rn_onnx_is_constant(n, 0) ? 0 : 1));
        return;
    }
    const int a = operand(n, 0), b = operand(n, 1);
    rn_onnx_emit(n, &(rn_node){.op = n->row->op}, RN_SOURCES(a, b));
}

/* Sum, Mean, Max and Min of any number of values; of two, one may be a constant. */
void rn_onnx_import_many(rn_onnx_node *n)
{
    const size_t inputs = n->proto->n_input;
    const bool mean = strcmp(n->row->type, "Mean") == 0;
    if (!mean && inputs == 2 && (rn_onnx_is_constant(n, 0) || rn_onnx_is_constant(n, 1))) {
        rn_onnx_import_binary(n);
        return;
    }
    int all = rn_onnx_value(n, 0);
    for (size_t i = 1; i < inputs; i++) {
        const int next = rn_onnx_value(n, i);
        all = rn_onnx_add(n, &(rn_node){.op = n->row->op}, RN_SOURCES(all, next));
    }
    const size_t c = rn_onnx_dims(n, all).c;
    float *share = mean ? rn_onnx_new_floats(n, c) : NULL;
    for (size_t i = 0; share && i < c; i++) share[i] = 1 / (float)inputs;
    rn_onnx_emit_value(n, mean ? rn_onnx_add_affine(n, all, share, NULL) : all);
}
