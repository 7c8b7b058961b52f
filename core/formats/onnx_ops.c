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

/* Number by number: one pixel may stand in any shape. */
static void emit_unary(rn_onnx_node *n, rn_op op)
{
    rn_onnx_view view;
    int x = rn_onnx_viewed(n, 0, &view);
    if (view.form != RN_ONNX_VECTOR) x = rn_onnx_value(n, 0);
    rn_onnx_emit_view(n, rn_onnx_add(n, &(rn_node){.op = op}, RN_SOURCES(x)), &view);
}

static void import_relu(rn_onnx_node *n)
{
    emit_unary(n, RN_OP_RELU);
}

static void import_sigmoid(rn_onnx_node *n)
{
    emit_unary(n, RN_OP_SIGMOID);
}

/* Whether the constant, combined with N x C x H x W or N x F as NumPy does, has one number per
 * channel, or one for all. */
static bool is_per_channel(const rn_onnx_constant *constant, rn_shape dims)
{
    if (constant->elements == 1) return constant->rank <= dims.rank + 1;
    const size_t behind = dims.rank == 3 ? 2 : 0; /* axes after the channels */
    if (constant->rank < behind + 1 || constant->rank > behind + 2) return false;
    return constant->elements == dims.c && constant->dims[constant->rank - 1 - behind] == dims.c;
}

/* x and one number per channel: the batch norm that this is. */
typedef enum { PLUS, MINUS, TIMES, OVER } arithmetic;

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

static int add_arithmetic(rn_onnx_node *n, int x, rn_onnx_constant *constant, arithmetic how)
{
    const rn_shape dims = rn_onnx_dims(n, x);
    if (!constant || !is_per_channel(constant, dims)) {
        rn_onnx_fail(n, "its constant has not one number per channel");
        return -1;
    }
    const float *given = rn_onnx_floats(n, constant);
    float *value = rn_onnx_new_floats(n, dims.c);
    if (!given || !value) return -1;
    for (size_t i = 0; i < dims.c; i++) {
        const float number = given[constant->elements == 1 ? 0 : i];
        value[i] = how == MINUS ? -number : how == OVER ? 1 / number : number;
    }
    const bool scales = how == TIMES || how == OVER;
    return rn_onnx_add_affine(n, x, scales ? value : NULL, scales ? NULL : value);
}

int rn_onnx_add_constant(rn_onnx_node *n, int x, rn_onnx_constant *constant)
{
    return add_arithmetic(n, x, constant, PLUS);
}

/* Two constants are integers of a shape; of one, when the order matters, only the second may be. */
static void emit_with_constant(rn_onnx_node *n, arithmetic how)
{
    static const char operations[] = {[PLUS] = '+', [MINUS] = '-', [TIMES] = '*', [OVER] = '/'};
    if (rn_onnx_has_integers(n, 0)) {
        rn_onnx_compute_integers(n, operations[how]);
        return;
    }
    if (rn_onnx_has_float_constants(n)) {
        rn_onnx_compute_floats(n, operations[how]);
        return;
    }
    const bool either = how == PLUS || how == TIMES;
    const size_t constant = either && rn_onnx_is_constant(n, 0) ? 0 : 1;
    const int x = rn_onnx_value(n, 1 - constant);
    rn_onnx_emit_value(n, add_arithmetic(n, x, rn_onnx_constant_of(n, constant), how));
}

static void import_add(rn_onnx_node *n)
{
    if (rn_onnx_is_constant(n, 0) || rn_onnx_is_constant(n, 1)) {
        emit_with_constant(n, PLUS);
        return;
    }
    const int a = rn_onnx_value(n, 0), b = rn_onnx_value(n, 1);
    rn_onnx_emit(n, &(rn_node){.op = RN_OP_ADD}, RN_SOURCES(a, b));
}

static void import_sub(rn_onnx_node *n)
{
    emit_with_constant(n, MINUS);
}

/* A gate that was repeated to the size of the other factor: the multiplication does so itself. */
static int factor(rn_onnx_node *n, size_t input)
{
    rn_onnx_view view;
    const int x = rn_onnx_viewed(n, input, &view);
    if (view.form != RN_ONNX_EXPANDED) return rn_onnx_value(n, input);
    const rn_shape other = rn_onnx_dims(n, rn_onnx_value(n, 1 - input));
    if (!rn_shape_equal(view.dims, other))
        rn_onnx_fail(n, "input %zu is expanded to another size than the map's", input);
    return x;
}

static void import_mul(rn_onnx_node *n)
{
    if (rn_onnx_is_constant(n, 0) || rn_onnx_is_constant(n, 1)) {
        emit_with_constant(n, TIMES);
        return;
    }
    const int a = factor(n, 0), b = factor(n, 1);
    rn_onnx_emit(n, &(rn_node){.op = RN_OP_MUL}, RN_SOURCES(a, b));
}

static void import_div(rn_onnx_node *n)
{
    emit_with_constant(n, OVER);
}

static void import_sum(rn_onnx_node *n)
{
    int sum = rn_onnx_value(n, 0);
    for (size_t i = 1; i < n->proto->n_input; i++) {
        const int next = rn_onnx_value(n, i);
        sum = rn_onnx_add(n, &(rn_node){.op = RN_OP_ADD}, RN_SOURCES(sum, next));
    }
    rn_onnx_emit_value(n, sum);
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
    if (!constant || !is_per_channel(constant, dims)) {
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

static const rn_onnx_op ops[] = {
    {"Add", 2, 2, import_add, ""},
    {"AveragePool", 1, 1, import_average_pool, ""},
    {"BatchNormalization", 5, 5, import_batch_normalization, ""},
    {"Cast", 1, 1, rn_onnx_import_cast, ""},
    {"Concat", 1, MANY, rn_onnx_import_concat, ""},
    {"Constant", 0, 0, import_constant, ""},
    {"ConstantOfShape", 1, 1, rn_onnx_import_constant_of_shape, ""},
    {"Conv", 2, 3, import_conv, ""},
    {"DequantizeLinear", 2, 3, rn_onnx_import_dequantize, ""},
    {"Div", 2, 2, import_div, ""},
    {"Dropout", 1, 3, import_dropout, ""},
    {"Expand", 2, 2, rn_onnx_import_expand, ""},
    {"Flatten", 1, 1, rn_onnx_import_flatten, ""},
    {"Gather", 2, 2, rn_onnx_import_gather, ""},
    {"Gemm", 2, 3, import_gemm, ""},
    {"GlobalAveragePool", 1, 1, import_global_average_pool, ""},
    {"GroupNormalization", 3, 3, rn_onnx_import_group_norm, ""},
    {"Identity", 1, 1, import_identity, ""},
    {"InstanceNormalization", 3, 3, rn_onnx_import_instance_norm, ""},
    {"MatMul", 2, 2, import_mat_mul, ""},
    {"MaxPool", 1, 1, import_max_pool, ""},
    {"Mul", 2, 2, import_mul, ""},
    {"Pad", 1, 4, rn_onnx_import_pad, ""},
    {"QLinearAdd", 7, 8, rn_onnx_import_qlinear_add, MICROSOFT},
    {"QLinearConv", 8, 9, rn_onnx_import_qlinear_conv, ""},
    {"QLinearGlobalAveragePool", 5, 5, rn_onnx_import_qlinear_pool, MICROSOFT},
    {"QLinearMatMul", 8, 8, rn_onnx_import_qlinear_mat_mul, ""},
    {"QuantizeLinear", 2, 3, rn_onnx_import_quantize, ""},
    {"ReduceMean", 1, 2, import_reduce_mean, ""},
    {"Relu", 1, 1, import_relu, ""},
    {"Reshape", 2, 2, rn_onnx_import_reshape, ""},
    {"Shape", 1, 1, rn_onnx_import_shape, ""},
    {"Sigmoid", 1, 1, import_sigmoid, ""},
    {"Slice", 1, 5, rn_onnx_import_slice, ""},
    {"Softmax", 1, 1, import_softmax, ""},
    {"Sqrt", 1, 1, rn_onnx_import_sqrt, ""},
    {"Squeeze", 1, 2, rn_onnx_import_squeeze, ""},
    {"Sub", 2, 2, import_sub, ""},
    {"Sum", 1, MANY, import_sum, ""},
    {"Transpose", 1, 1, rn_onnx_import_transpose, ""},
    {"Unsqueeze", 1, 2, rn_onnx_import_unsqueeze, ""},
};

const rn_onnx_op *rn_onnx_find_op(const char *domain, const char *type)
{
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (strcmp(ops[i].type, type) == 0 && strcmp(ops[i].domain, domain) == 0) return &ops[i];
    return NULL;
}
