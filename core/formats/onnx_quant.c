/* ONNX operators on 8-bit integers, served in float32: a quantised value is the float it stands
 * for, held to the integer's steps and limits by a FakeQuantize node (the limits count: exporters
 * drop a ReLU whose zero is the lowest integer). Weights are dequantised when they are imported. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <math.h>

#include "base/size.h"

/* (integer - zero) * step, with `lowest` and `highest` as integer - zero. */
typedef struct {
    float step, lowest, highest;
} steps;

/* ---- scale and zero point -------------------------------------------------------------------- */

/* The zero point's type says how far the integers reach; without one it is uint8. */
static bool read_steps(rn_onnx_node *n, size_t scale, size_t zero, steps *out)
{
    const float *step = rn_onnx_vector(n, scale, 1);
    int64_t origin = 0, lowest = 0;
    if (rn_onnx_has(n, zero)) {
        const rn_onnx_constant *constant = rn_onnx_constant_of(n, zero);
        if (!constant) return false;
        const int32_t type = constant->type;
        if ((type != RN_ONNX_UINT8 && type != RN_ONNX_INT8) || constant->elements != 1) {
            rn_onnx_fail(n, "its zero point is no 8-bit integer");
            return false;
        }
        origin = rn_onnx_integer(constant, 0);
        lowest = type == RN_ONNX_INT8 ? -128 : 0;
    }
    if (step && !(*step > 0 && isfinite(*step))) rn_onnx_fail(n, "its scale is no positive number");
    if (!step || n->status != RN_OK) return false;
    *out = (steps){*step, (float)(lowest - origin), (float)(lowest + 255 - origin)};
    return true;
}

/* The steps that a graph's value is held to: operators that only pick numbers keep them. */
static const float *steps_of(const rn_onnx_node *n, int value)
{
    if (value < 0) return NULL;
    const rn_node *node = rn_graph_maker(n->im->graph, value);
    while (rn_op_row_of(node->op)->kind == RN_KIND_PICKS || node->op == RN_OP_RELU)
        node = rn_graph_maker(n->im->graph, node->src[0]);
    return node->op == RN_OP_FAKE_QUANTIZE ? node->parameter : NULL;
}

/* The value of a quantised input, if scale and zero point are those that it was made with. */
static int quantized_value(rn_onnx_node *n, size_t input, size_t scale, size_t zero)
{
    steps want;
    const int value = rn_onnx_value(n, input);
    if (!read_steps(n, scale, zero, &want)) return -1;
    const float *have = steps_of(n, value);
    if (have && have[0] == want.step && have[1] == want.lowest && have[2] == want.highest)
        return value;
    rn_onnx_fail(n, "input %zu was not quantised with this scale and zero point", input);
    return -1;
}

static void emit_quantized(rn_onnx_node *n, int x, size_t scale, size_t zero)
{
    steps to;
    if (!read_steps(n, scale, zero, &to)) return;
    rn_onnx_emit(
        n, &(rn_node){.op = RN_OP_FAKE_QUANTIZE, .parameter = {to.step, to.lowest, to.highest}},
        RN_SOURCES(x));
}

/* ---- constants ------------------------------------------------------------------------------- */

/* A constant, and its scale and zero point: one of each, or one for each place on an axis. */
typedef struct {
    rn_onnx_constant *data;
    const float *scale;
    const rn_onnx_constant *zero; /* NULL: 0 */
    size_t channels, inner; /* 1 and all elements, or places on the axis and elements of each */
} scaled;

static bool read_scaled(rn_onnx_node *n, size_t input, int64_t axis, scaled *out)
{
    rn_onnx_constant *scale = rn_onnx_constant_of(n, input + 1);
    *out = (scaled){.data = rn_onnx_constant_of(n, input), .scale = rn_onnx_floats(n, scale)};
    if (rn_onnx_has(n, input + 2)) out->zero = rn_onnx_constant_of(n, input + 2);
    if (!out->data || !out->scale || n->status != RN_OK) return false;
    const int64_t rank = (int64_t)out->data->rank, at = axis < 0 ? axis + rank : axis;
    out->channels = 1;
    out->inner = out->data->elements;
    if (scale->elements != 1 && at >= 0 && at < rank) {
        out->channels = out->data->dims[at];
        out->inner = 1;
        for (int64_t i = at + 1; i < rank; i++) out->inner *= out->data->dims[i];
    }
    const bool zeros =
        !out->zero || (rn_onnx_is_integer(out->zero) && out->zero->elements == scale->elements);
    if (scale->elements != out->channels || !zeros) {
        rn_onnx_fail(n, "its scale and zero point don't fit its shape");
        return false;
    }
    return true;
}

static double zero_of(const scaled *s, size_t channel)
{
    return s->zero ? (double)rn_onnx_integer(s->zero, channel) : 0;
}

static size_t channel_of(const scaled *s, size_t i)
{
    return i / s->inner % s->channels;
}

/* A constant of the same shape. */
static void like(const scaled *s, const float *floats, int32_t type, rn_onnx_constant *out)
{
    *out = *s->data;
    out->proto = NULL;
    out->ints = NULL;
    out->type = type;
    out->floats = floats;
}

/* Integers as the floats they stand for. */
static bool dequantize(rn_onnx_node *n, size_t input, int64_t axis, rn_onnx_constant *out)
{
    scaled s;
    if (!read_scaled(n, input, axis, &s)) return false;
    if (!rn_onnx_is_integer(s.data)) {
        rn_onnx_fail(n, "input %zu is no integers", input);
        return false;
    }
    float *floats = rn_onnx_new_floats(n, s.data->elements);
    if (!floats) return false;
    for (size_t i = 0; i < s.data->elements; i++) {
        const size_t channel = channel_of(&s, i);
        const double whole = (double)rn_onnx_integer(s.data, i);
        floats[i] = (float)((whole - zero_of(&s, channel)) * (double)s.scale[channel]);
    }
    like(&s, floats, RN_ONNX_FLOAT, out);
    return true;
}

/* Weights that a file holds as floats and quantises: the integers, as whole floats. */
static void quantize(rn_onnx_node *n)
{
    scaled s;
    if (!read_scaled(n, 0, rn_onnx_int(n, "axis", 1), &s)) return;
    const float *given = rn_onnx_floats(n, s.data);
    float *whole = rn_onnx_new_floats(n, s.data->elements);
    if (!given || !whole) return;
    const bool is_signed = s.zero && s.zero->type == RN_ONNX_INT8;
    const float lowest = is_signed ? -128 : 0;
    for (size_t i = 0; i < s.data->elements; i++) {
        const size_t channel = channel_of(&s, i);
        const float step = rintf(given[i] / s.scale[channel]) + (float)zero_of(&s, channel);
        whole[i] = fminf(fmaxf(step, lowest), lowest + 255);
    }
    rn_onnx_constant constant;
    like(&s, whole, is_signed ? RN_ONNX_INT8 : RN_ONNX_UINT8, &constant);
    rn_onnx_emit_constant(n, &constant);
}

/* ---- import functions ------------------------------------------------------------------------ */

void rn_onnx_import_quantize(rn_onnx_node *n)
{
    rn_onnx_ignore(n, "axis"); /* of scales that are a list */
    if (rn_onnx_is_constant(n, 0))
        quantize(n);
    else
        emit_quantized(n, rn_onnx_value(n, 0), 1, 2);
}

void rn_onnx_import_dequantize(rn_onnx_node *n)
{
    const int64_t axis = rn_onnx_int(n, "axis", 1);
    rn_onnx_constant constant;
    if (!rn_onnx_is_constant(n, 0))
        rn_onnx_emit_value(n, quantized_value(n, 0, 1, 2));
    else if (dequantize(n, 0, axis, &constant))
        rn_onnx_emit_constant(n, &constant);
}

/* The bias counts in steps of both scales multiplied. */
static const float *conv_bias(rn_onnx_node *n, size_t channels, const float *x_scale)
{
    if (!rn_onnx_has(n, 8)) return NULL;
    const rn_onnx_constant *bias = rn_onnx_constant_of(n, 8);
    rn_onnx_constant *w_scale = rn_onnx_constant_of(n, 4);
    const float *scale = rn_onnx_floats(n, w_scale);
    if (!bias || !scale || bias->elements != channels || !rn_onnx_is_integer(bias)) {
        rn_onnx_fail(n, "its bias is not one integer per channel");
        return NULL;
    }
    float *floats = rn_onnx_new_floats(n, channels);
    for (size_t i = 0; floats && x_scale && i < channels; i++)
        floats[i] = (float)((double)rn_onnx_integer(bias, i) * (double)*x_scale *
                            (double)scale[w_scale->elements == 1 ? 0 : i]);
    return floats;
}

/* x, scale, zero, w, scale, zero, y's scale, zero, bias */
void rn_onnx_import_qlinear_conv(rn_onnx_node *n)
{
    rn_onnx_constant weight;
    const int x = quantized_value(n, 0, 1, 2);
    if (!dequantize(n, 3, 0, &weight)) return;
    rn_constant bias = {0};
    if (weight.rank)
        bias =
            rn_constant_of(conv_bias(n, weight.dims[0], rn_onnx_vector(n, 1, 1)), weight.dims[0]);
    const rn_constant filter = rn_constant_of(weight.floats, weight.elements);
    emit_quantized(n, rn_onnx_add_conv(n, x, &weight, filter, bias), 6, 7);
}

/* a, scale, zero, b, scale, zero, y's scale, zero */
void rn_onnx_import_qlinear_mat_mul(rn_onnx_node *n)
{
    rn_onnx_constant matrix;
    const int a = quantized_value(n, 0, 1, 2);
    if (!dequantize(n, 3, 1, &matrix)) return;
    const int y = rn_onnx_add_linear(n, a, &matrix, (rn_onnx_matrix){false, 1}, (rn_constant){0});
    emit_quantized(n, y, 6, 7);
}

/* a, scale, zero, b, scale, zero, y's scale, zero; b may be a constant per channel */
void rn_onnx_import_qlinear_add(rn_onnx_node *n)
{
    rn_onnx_constant constant;
    const int a = quantized_value(n, 0, 1, 2);
    int sum = -1;
    if (rn_onnx_is_constant(n, 3)) {
        if (dequantize(n, 3, 1, &constant)) sum = rn_onnx_add_constant(n, a, &constant);
    } else {
        const int b = quantized_value(n, 3, 4, 5);
        sum = rn_onnx_add(n, &(rn_node){.op = RN_OP_ADD}, RN_SOURCES(a, b));
    }
    emit_quantized(n, sum, 6, 7);
}

/* x, scale, zero, y's scale, zero */
void rn_onnx_import_qlinear_pool(rn_onnx_node *n)
{
    if (rn_onnx_int(n, "channels_last", 0) != 0) rn_onnx_fail(n, "channels_last isn't served");
    const int x = quantized_value(n, 0, 1, 2);
    const int mean = rn_onnx_add(n, &(rn_node){.op = RN_OP_GLOBAL_AVG_POOL}, RN_SOURCES(x));
    emit_quantized(n, mean, 3, 4);
}
