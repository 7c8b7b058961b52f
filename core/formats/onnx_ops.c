/* ONNX operators: one import function each and one row in the table at the end. A function asks for
 * inputs and attributes and emits graph nodes; whatever fails first ends it (see onnx.h). */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

/* ---- windows --------------------------------------------------------------------------------- */

int rn_onnx_add_conv(rn_onnx_node *n, int x, const rn_onnx_constant *shape, rn_constant weight,
                     rn_constant bias)
{
    const int64_t groups = rn_onnx_int(n, "group", 1);
    if (!shape || shape->rank != 4 || !shape->elements) {
        rn_onnx_fail(n, "its weight is no OC x IC x KH x KW");
        return -1;
    }
    const rn_shape in = rn_onnx_dims(n, x);
    size_t channels;
    if (groups < 1 || !rn_size_mul((size_t)groups, shape->dims[1], &channels) || channels != in.c)
        rn_onnx_fail(n, "%lld groups of %zu channels, the input has %zu", (long long)groups,
                     shape->dims[1], in.c);
    rn_node node = {.op = RN_OP_CONV,
                    .groups = (size_t)groups,
                    .channels = shape->dims[0],
                    .weight = {weight, bias}};
    rn_onnx_window(n, in, shape->dims[2], shape->dims[3], &node.window);
    return rn_onnx_add(n, &node, RN_SOURCES(x));
}

static void import_conv(rn_onnx_node *n)
{
    rn_onnx_view view;
    int x = rn_onnx_viewed(n, 0, &view);
    if (view.form == RN_ONNX_VECTOR) {
        rn_onnx_conv_along_channels(n, x, &view);
        return;
    }
    if (view.form == RN_ONNX_REFLECTED) {
        rn_onnx_conv_reflected(n, x);
        return;
    }
    x = rn_onnx_value(n, 0);
    rn_onnx_constant *weight = rn_onnx_constant_of(n, 1);
    rn_constant bias = {0};
    if (weight) bias = rn_onnx_weight_vector(n, 2, weight->dims[0]);
    rn_onnx_emit_value(n, rn_onnx_add_conv(n, x, weight, rn_onnx_weight(n, weight), bias));
}

static void import_max_pool(rn_onnx_node *n)
{
    const int x = rn_onnx_value(n, 0);
    rn_node node = {.op = RN_OP_MAX_POOL};
    rn_onnx_ignore(n, "storage_order"); /* of the indices, a second output */
    rn_onnx_window(n, rn_onnx_dims(n, x), 0, 0, &node.window);
    rn_onnx_emit(n, &node, RN_SOURCES(x));
}

static void import_average_pool(rn_onnx_node *n)
{
    const int x = rn_onnx_value(n, 0);
    rn_node node = {.op = RN_OP_AVG_POOL};
    rn_onnx_window(n, rn_onnx_dims(n, x), 0, 0, &node.window);
    node.window.count_include_pad = rn_onnx_int(n, "count_include_pad", 0) != 0;
    rn_onnx_emit(n, &node, RN_SOURCES(x));
}

static void import_global_average_pool(rn_onnx_node *n)
{
    rn_onnx_emit(n, &(rn_node){.op = RN_OP_GLOBAL_AVG_POOL}, RN_SOURCES(rn_onnx_value(n, 0)));
}

/* The mean over H and W, which may stay as axes of size 1. The axes are an input since opset 18. */
static void import_reduce_mean(rn_onnx_node *n)
{
    int64_t axes[4];
    if (rn_onnx_is_constant(n, 0)) {
        rn_onnx_mean_floats(n);
        return;
    }
    const int x = rn_onnx_value(n, 0);
    const size_t count =
        rn_onnx_has(n, 1) ? rn_onnx_integers(n, 1, axes, 4) : rn_onnx_list(n, "axes", axes, 4);
    rn_onnx_ignore(n, "noop_with_empty_axes"); /* there are axes */
    const bool keep = rn_onnx_int(n, "keepdims", 1) != 0;
    bool mean[4] = {false};
    for (size_t i = 0; i < count; i++)
        if (axes[i] >= -4 && axes[i] < 4) mean[(axes[i] + 4) % 4] = true;
    if (rn_onnx_dims(n, x).rank != 3 || count != 2 || !mean[2] || !mean[3])
        rn_onnx_fail(n, "only the mean over H and W can be served");
    const int pooled = rn_onnx_add(n, &(rn_node){.op = RN_OP_GLOBAL_AVG_POOL}, RN_SOURCES(x));
    if (keep)
        rn_onnx_emit_value(n, pooled);
    else
        rn_onnx_emit(n, &(rn_node){.op = RN_OP_FLATTEN}, RN_SOURCES(pooled));
}

/* ---- channel by channel ---------------------------------------------------------------------- */

double rn_onnx_decimal(double stored)
{
    int64_t power = 1;
    for (int digits = 0; digits < 12; digits++, power *= 10) {
        const double whole = round(stored * (double)power);
        const double number = whole / (double)power;
        if (whole < 1e6 && (double)(float)number == stored) return number;
    }
    return stored;
}

static void import_batch_normalization(rn_onnx_node *n)
{
    const int x = rn_onnx_value(n, 0);
    const size_t c = rn_onnx_dims(n, x).c;
    rn_onnx_ignore(n, "momentum");
    if (rn_onnx_int(n, "training_mode", 0) != 0) rn_onnx_fail(n, "it is in training mode");
    if (rn_onnx_int(n, "spatial", 1) != 1) rn_onnx_fail(n, "spatial is 0");
    rn_onnx_emit(
        n,
        &(rn_node){.op = RN_OP_BATCH_NORM,
                   .eps = rn_onnx_decimal(rn_onnx_float(n, "epsilon", 1e-5)),
                   .weight = {rn_onnx_weight_vector(n, 1, c), rn_onnx_weight_vector(n, 2, c),
                              rn_onnx_weight_vector(n, 3, c), rn_onnx_weight_vector(n, 4, c)}},
        RN_SOURCES(x));
}

/* Until opset 12 the axes from `axis` on are one row; since 13 `axis` alone is. */
static void import_softmax(rn_onnx_node *n)
{
    const int x = rn_onnx_value(n, 0);
    const rn_shape d = rn_onnx_dims(n, x);
    const bool rows = n->im->opset < 13;
    const int64_t axis = rn_onnx_int(n, "axis", rows ? 1 : -1), rank = (int64_t)d.rank + 1;
    if ((axis != 1 && axis + rank != 1) || (rows && d.h * d.w != 1))
        rn_onnx_fail(n, "only the softmax over C can be served");
    rn_onnx_emit(n, &(rn_node){.op = RN_OP_SOFTMAX}, RN_SOURCES(x));
}

/* ---- names and constants --------------------------------------------------------------------- */

static void import_identity(rn_onnx_node *n)
{
    rn_onnx_emit_alias(n, 0);
}

/* Nothing is dropped when nothing is learned. */
static void import_dropout(rn_onnx_node *n)
{
    rn_onnx_ignore(n, "ratio");
    rn_onnx_ignore(n, "seed");
    if (rn_onnx_has(n, 2)) {
        const rn_onnx_constant *training = rn_onnx_constant_of(n, 2);
        if (training && (!rn_onnx_is_integer(training) || training->elements != 1 ||
                         rn_onnx_integer(training, 0) != 0))
            rn_onnx_fail(n, "it is in training mode");
    }
    rn_onnx_emit_alias(n, 0);
}

static void import_constant(rn_onnx_node *n)
{
    rn_onnx_constant constant = {0};
    const Onnx__Attribute *value = rn_onnx_attribute(n, "value", RN_ONNX_A_TENSOR);
    const Onnx__Attribute *integer = rn_onnx_attribute(n, "value_int", RN_ONNX_A_INT);
    const Onnx__Attribute *integers = rn_onnx_attribute(n, "value_ints", RN_ONNX_A_INTS);
    const Onnx__Attribute *number = rn_onnx_attribute(n, "value_float", RN_ONNX_A_FLOAT);
    const Onnx__Attribute *numbers = rn_onnx_attribute(n, "value_floats", RN_ONNX_A_FLOATS);
    if (n->proto->n_attribute != 1) rn_onnx_fail(n, "want one attribute, its value");
    if (value && value->t) {
        if (rn_onnx_read_tensor(&constant, value->t, n->proto->output[0], n->err) != RN_OK)
            n->status = RN_ERR_FORMAT;
    } else if (integer || integers) {
        constant.type = RN_ONNX_INT64;
        constant.ints = integer ? &integer->i : integers->ints;
        constant.elements = integer ? 1 : integers->n_ints;
    } else if (number || numbers) {
        constant.type = RN_ONNX_FLOAT;
        constant.floats = number ? &number->f : numbers->floats;
        constant.elements = number ? 1 : numbers->n_floats;
    } else
        rn_onnx_fail(n, "its value can't be served");
    if (integers || numbers) {
        constant.rank = 1;
        constant.dims[0] = constant.elements;
    }
    rn_onnx_emit_constant(n, &constant);
}

/* ---- matrices -------------------------------------------------------------------------------- */

/* rows x columns -> columns x rows, times alpha */
static const float *transpose(rn_onnx_node *n, rn_onnx_constant *matrix, double alpha)
{
    const size_t rows = matrix->dims[0], columns = matrix->dims[1];
    const float *from = rn_onnx_floats(n, matrix);
    float *to = rn_onnx_new_floats(n, matrix->elements);
    if (!from || !to) return NULL;
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            to[c * rows + r] = (float)(alpha * (double)from[r * columns + c]);
    return to;
}

/* Of matrices that are constants: weights that stand the other way round. */
void rn_onnx_transpose_constant(rn_onnx_node *n)
{
    int64_t order[2] = {1, 0};
    if (rn_onnx_has_integers(n, 0)) {
        rn_onnx_transpose_integers(n);
        return;
    }
    rn_onnx_constant *from = rn_onnx_constant_of(n, 0);
    rn_onnx_list(n, "perm", order, 2);
    if (!from || from->rank != 2 || order[0] != 1 || order[1] != 0) {
        rn_onnx_fail(n, "want a matrix");
        return;
    }
    rn_onnx_emit_constant(n, &(rn_onnx_constant){.type = RN_ONNX_FLOAT,
                                                 .floats = transpose(n, from, 1),
                                                 .rank = 2,
                                                 .dims = {from->dims[1], from->dims[0]},
                                                 .elements = from->elements});
}

static const float *scale(rn_onnx_node *n, const float *from, size_t count, double factor)
{
    float *to = from ? rn_onnx_new_floats(n, count) : NULL;
    for (size_t i = 0; to && i < count; i++) to[i] = (float)(factor * (double)from[i]);
    return to;
}

/* beta * C as one number per output: C is (oc), (1, oc), (1) or a scalar */
static const float *gemm_bias(rn_onnx_node *n, size_t channels, double beta)
{
    if (!rn_onnx_has(n, 2)) return NULL;
    rn_onnx_constant *constant = rn_onnx_constant_of(n, 2);
    const rn_shape dims = rn_row(channels);
    if (!constant || !rn_onnx_is_per_channel(constant, dims)) {
        rn_onnx_fail(n, "its bias has not one number per output");
        return NULL;
    }
    const float *given = rn_onnx_floats(n, constant);
    if (!given || (constant->elements == channels && beta == 1)) return given;
    if (constant->elements == channels) return scale(n, given, channels, beta);
    float *bias = rn_onnx_new_floats(n, channels);
    for (size_t i = 0; bias && i < channels; i++) bias[i] = (float)(beta * (double)given[0]);
    return bias;
}

int rn_onnx_add_linear(rn_onnx_node *n, int x, rn_onnx_constant *matrix, rn_onnx_matrix how,
                       rn_constant bias)
{
    const rn_shape in = rn_onnx_dims(n, x);
    if (!matrix || matrix->rank != 2 || !matrix->elements) {
        rn_onnx_fail(n, "its weight is no matrix");
        return -1;
    }
    if (in.rank != 1 || in.c != matrix->dims[how.turned])
        rn_onnx_fail(n, "%zux%zu weights for an input of %zu features%s", matrix->dims[0],
                     matrix->dims[1], in.c, in.rank == 1 ? "" : " that isn't flat");
    rn_constant weight = {0};
    if (!how.turned)
        weight = rn_constant_of(transpose(n, matrix, how.factor), matrix->elements);
    else if (how.factor == 1)
        weight = rn_onnx_weight(n, matrix);
    else
        weight = rn_constant_of(scale(n, rn_onnx_floats(n, matrix), matrix->elements, how.factor),
                                matrix->elements);
    return rn_onnx_add(n,
                       &(rn_node){.op = RN_OP_LINEAR,
                                  .channels = matrix->dims[!how.turned],
                                  .weight = {weight, bias}},
                       RN_SOURCES(x));
}

static void import_gemm(rn_onnx_node *n)
{
    const rn_onnx_matrix how = {rn_onnx_int(n, "transB", 0) != 0, rn_onnx_float(n, "alpha", 1)};
    const double beta = rn_onnx_float(n, "beta", 1);
    if (rn_onnx_int(n, "transA", 0) != 0) rn_onnx_fail(n, "transA isn't served");
    const int x = rn_onnx_value(n, 0);
    rn_onnx_constant *matrix = rn_onnx_constant_of(n, 1);
    rn_constant bias = {0};
    if (matrix && matrix->rank == 2) {
        const size_t channels = matrix->dims[!how.turned];
        bias = rn_constant_of(gemm_bias(n, channels, beta), channels);
    }
    rn_onnx_emit_value(n, rn_onnx_add_linear(n, x, matrix, how, bias));
}

static void import_mat_mul(rn_onnx_node *n)
{
    const int x = rn_onnx_value(n, 0);
    rn_onnx_constant *matrix = rn_onnx_constant_of(n, 1);
    rn_onnx_emit_value(
        n, rn_onnx_add_linear(n, x, matrix, (rn_onnx_matrix){false, 1}, (rn_constant){0}));
}

/* ---- the table ------------------------------------------------------------------------------- */

#define MANY      SIZE_MAX
#define MICROSOFT "com.microsoft"

#define ROW(type, least, most, import, domain)     \
    {                                              \
        type, least, most, import, domain, RN_OPS, \
        {                                          \
            {                                      \
                NULL, 0                            \
            }                                      \
        }                                          \
    }
/* Elementwise, with the graph's operator, and the attributes that are its parameters. */
#define UNARY(type, op) UNARY_1(type, op, NULL, 0)
#define UNARY_1(type, op, name, fallback)                 \
    {                                                     \
        type, 1, 1, rn_onnx_import_unary, "", RN_OP_##op, \
        {                                                 \
            {                                             \
                name, fallback                            \
            }                                             \
        }                                                 \
    }
#define UNARY_2(type, op, first, one, second, other)      \
    {                                                     \
        type, 1, 1, rn_onnx_import_unary, "", RN_OP_##op, \
        {                                                 \
            {first, one},                                 \
            {                                             \
                second, other                             \
            }                                             \
        }                                                 \
    }
#define BINARY(type, op)                                   \
    {                                                      \
        type, 2, 2, rn_onnx_import_binary, "", RN_OP_##op, \
        {                                                  \
            {                                              \
                NULL, 0                                    \
            }                                              \
        }                                                  \
    }
#define ANY(type, op)                                       \
    {                                                       \
        type, 1, MANY, rn_onnx_import_many, "", RN_OP_##op, \
        {                                                   \
            {                                               \
                NULL, 0                                     \
            }                                               \
        }                                                   \
    }

static const rn_onnx_op ops[] = {
    UNARY("Abs", ABS),
    BINARY("Add", ADD),
    ROW("AveragePool", 1, 1, import_average_pool, ""),
    ROW("BatchNormalization", 5, 5, import_batch_normalization, ""),
    ROW("Cast", 1, 1, rn_onnx_import_cast, ""),
    UNARY("Ceil", CEIL),
    UNARY_1("Celu", CELU, "alpha", 1),
    ROW("Clip", 1, 3, rn_onnx_import_clip, ""),
    ROW("Concat", 1, MANY, rn_onnx_import_concat, ""),
    ROW("Constant", 0, 0, import_constant, ""),
    ROW("ConstantOfShape", 1, 1, rn_onnx_import_constant_of_shape, ""),
    ROW("Conv", 2, 3, import_conv, ""),
    ROW("DequantizeLinear", 2, 3, rn_onnx_import_dequantize, ""),
    BINARY("Div", DIV),
    ROW("Dropout", 1, 3, import_dropout, ""),
    UNARY_1("Elu", ELU, "alpha", 1),
    UNARY("Erf", ERF),
    UNARY("Exp", EXP),
    ROW("Expand", 2, 2, rn_onnx_import_expand, ""),
    ROW("Flatten", 1, 1, rn_onnx_import_flatten, ""),
    UNARY("Floor", FLOOR),
    ROW("Gather", 2, 2, rn_onnx_import_gather, ""),
    ROW("Gelu", 1, 1, rn_onnx_import_gelu, ""),
    ROW("Gemm", 2, 3, import_gemm, ""),
    ROW("GlobalAveragePool", 1, 1, import_global_average_pool, ""),
    ROW("GroupNormalization", 3, 3, rn_onnx_import_group_norm, ""),
    UNARY_2("HardSigmoid", HARD_SIGMOID, "alpha", 0.2, "beta", 0.5),
    UNARY("HardSwish", HARD_SWISH),
    ROW("Identity", 1, 1, import_identity, ""),
    ROW("InstanceNormalization", 3, 3, rn_onnx_import_instance_norm, ""),
    UNARY_1("LeakyRelu", LEAKY_RELU, "alpha", 0.01),
    UNARY("Log", LOG),
    ROW("MatMul", 2, 2, import_mat_mul, ""),
    ANY("Max", MAX),
    ROW("MaxPool", 1, 1, import_max_pool, ""),
    ANY("Mean", ADD),
    ANY("Min", MIN),
    UNARY("Mish", MISH),
    BINARY("Mul", MUL),
    UNARY("Neg", NEG),
    ROW("PRelu", 2, 2, rn_onnx_import_prelu, ""),
    ROW("Pad", 1, 4, rn_onnx_import_pad, ""),
    BINARY("Pow", POW),
    ROW("QLinearAdd", 7, 8, rn_onnx_import_qlinear_add, MICROSOFT),
    ROW("QLinearConv", 8, 9, rn_onnx_import_qlinear_conv, ""),
    ROW("QLinearGlobalAveragePool", 5, 5, rn_onnx_import_qlinear_pool, MICROSOFT),
    ROW("QLinearMatMul", 8, 8, rn_onnx_import_qlinear_mat_mul, ""),
    ROW("QuantizeLinear", 2, 3, rn_onnx_import_quantize, ""),
    UNARY("Reciprocal", RECIPROCAL),
    ROW("ReduceMean", 1, 2, import_reduce_mean, ""),
    UNARY("Relu", RELU),
    ROW("Reshape", 2, 2, rn_onnx_import_reshape, ""),
    UNARY("Round", ROUND),
    UNARY_2("Selu", SELU, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875),
    ROW("Shape", 1, 1, rn_onnx_import_shape, ""),
    UNARY("Sigmoid", SIGMOID),
    UNARY("Sign", SIGN),
    ROW("Slice", 1, 5, rn_onnx_import_slice, ""),
    ROW("Softmax", 1, 1, import_softmax, ""),
    UNARY("Softplus", SOFTPLUS),
    UNARY("Softsign", SOFTSIGN),
    UNARY("Sqrt", SQRT),
    ROW("Squeeze", 1, 2, rn_onnx_import_squeeze, ""),
    BINARY("Sub", SUB),
    ANY("Sum", ADD),
    UNARY("Tanh", TANH),
    ROW("Transpose", 1, 1, rn_onnx_import_transpose, ""),
    ROW("Unsqueeze", 1, 2, rn_onnx_import_unsqueeze, ""),
};

const rn_onnx_op *rn_onnx_find_op(const char *domain, const char *type)
{
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i].type, type) == 0 && strcmp(ops[i].domain, domain) == 0) return &ops[i];
    return NULL;
}
