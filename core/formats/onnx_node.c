/* What import functions ask about their node and how they answer: see onnx.h. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "graph/shape.h"

#define MAX_NODES 8192 /* of the graph: the plan's passes compare each with each */

void rn_onnx_fail(rn_onnx_node *node, const char *format, ...)
{
    if (node->status != RN_OK) return;
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    node->status = rn_fail(node->err, RN_ERR_FORMAT, "%s", text);
}

/* ---- inputs ---------------------------------------------------------------------------------- */

bool rn_onnx_has(const rn_onnx_node *node, size_t input)
{
    return input < node->proto->n_input && *node->proto->input[input] != '\0';
}

/* What the input stands for, or NULL with the failure kept. */
static rn_onnx_name *find_input(rn_onnx_node *node, size_t input)
{
    if (node->status != RN_OK) return NULL;
    if (!rn_onnx_has(node, input)) {
        rn_onnx_fail(node, "input %zu is missing", input);
        return NULL;
    }
    rn_onnx_name *name = rn_onnx_lookup(node->im, node->proto->input[input]);
    if (name && name->kind != RN_ONNX_UNSET) return name;
    rn_onnx_fail(node, "input %zu (%.60s): no earlier node makes it", input,
                 node->proto->input[input]);
    return NULL;
}

bool rn_onnx_is_constant(const rn_onnx_node *node, size_t input)
{
    if (!rn_onnx_has(node, input)) return false;
    const rn_onnx_name *name = rn_onnx_lookup(node->im, node->proto->input[input]);
    return name && name->kind == RN_ONNX_CONSTANT;
}

int rn_onnx_viewed(rn_onnx_node *node, size_t input, rn_onnx_view *view)
{
    *view = (rn_onnx_view){.form = RN_ONNX_AS_IS};
    const rn_onnx_name *name = find_input(node, input);
    if (!name || name->kind != RN_ONNX_VALUE) {
        rn_onnx_fail(node, "input %zu is a constant", input);
        return -1;
    }
    *view = name->view;
    return name->value;
}

int rn_onnx_value(rn_onnx_node *node, size_t input)
{
    rn_onnx_view view;
    const int value = rn_onnx_viewed(node, input, &view);
    if (view.form == RN_ONNX_AS_IS) return value;
    rn_onnx_fail(node, "input %zu (%.60s) has a shape in which it can't be served here", input,
                 node->proto->input[input]);
    return -1;
}

rn_shape rn_onnx_dims(const rn_onnx_node *node, int value)
{
    return rn_graph_shape(node->im->graph, value);
}

rn_onnx_constant *rn_onnx_constant_of(rn_onnx_node *node, size_t input)
{
    const rn_onnx_name *name = find_input(node, input);
    if (name && name->kind == RN_ONNX_CONSTANT) return name->constant;
    rn_onnx_fail(node, "input %zu is no constant", input);
    return NULL;
}

/* Each use counts: nodes may share a weight, but every one of them gets a packed copy. */
bool rn_onnx_count_floats(rn_onnx_node *node, size_t count)
{
    if (node->status != RN_OK) return false;
    if (count > node->im->doc->floats) {
        rn_onnx_fail(node, "the file's weights unfold to many times its size");
        return false;
    }
    node->im->doc->floats -= count;
    return true;
}

float *rn_onnx_new_floats(rn_onnx_node *node, size_t count)
{
    if (!rn_onnx_count_floats(node, count)) return NULL;
    float *floats = rn_onnx_alloc(node->im->doc, count, sizeof *floats, node->err);
    if (!floats) node->status = RN_ERR_MEMORY;
    return floats;
}

/* The tensor that a constant of floats is in; NULL with the failure kept. */
static rn_tensor *tensor_of(rn_onnx_node *node, const rn_onnx_constant *constant)
{
    rn_tensor *tensor = constant->proto ? rn_tensors_find(node->im->set, constant->name) : NULL;
    if (tensor && !rn_onnx_is_integer(constant)) return tensor;
    rn_onnx_fail(node, "constant %.60s is no tensor of floats",
                 constant->proto ? constant->name : "");
    return NULL;
}

const float *rn_onnx_floats(rn_onnx_node *node, rn_onnx_constant *constant)
{
    if (!constant || !rn_onnx_count_floats(node, constant->elements)) return NULL;
    if (constant->floats && !rn_onnx_is_integer(constant)) return constant->floats;
    rn_tensor *tensor = tensor_of(node, constant);
    if (!tensor) return NULL;
    constant->floats = rn_tensor_floats(tensor, node->err);
    if (!constant->floats) node->status = rn_failure(node->err);
    return constant->floats;
}

rn_constant rn_onnx_weight(rn_onnx_node *node, rn_onnx_constant *constant)
{
    rn_constant weight = {0};
    if (!constant || !rn_onnx_count_floats(node, constant->elements)) return weight;
    if (constant->floats && !rn_onnx_is_integer(constant))
        return rn_constant_of(constant->floats, constant->elements);
    rn_tensor *tensor = tensor_of(node, constant);
    if (tensor && !rn_tensor_constant(tensor, &weight, node->err))
        node->status = rn_failure(node->err);
    return weight;
}

/* The input's constant when it has exactly `size` elements, or NULL. */
static rn_onnx_constant *sized_constant(rn_onnx_node *node, size_t input, size_t size)
{
    if (node->status != RN_OK || !rn_onnx_has(node, input)) return NULL;
    rn_onnx_constant *constant = rn_onnx_constant_of(node, input);
    if (constant && constant->elements != size)
        rn_onnx_fail(node, "input %zu has %zu elements, want %zu", input, constant->elements, size);
    return constant;
}

const float *rn_onnx_vector(rn_onnx_node *node, size_t input, size_t size)
{
    return rn_onnx_floats(node, sized_constant(node, input, size));
}

rn_constant rn_onnx_weight_vector(rn_onnx_node *node, size_t input, size_t size)
{
    return rn_onnx_weight(node, sized_constant(node, input, size));
}

size_t rn_onnx_integers(rn_onnx_node *node, size_t input, int64_t *out, size_t most)
{
    const rn_onnx_constant *constant = rn_onnx_constant_of(node, input);
    if (!constant) return 0;
    if (constant->rank > 1 || constant->elements > most || !rn_onnx_is_integer(constant)) {
        rn_onnx_fail(node, "input %zu is no list of at most %zu integers", input, most);
        return 0;
    }
    for (size_t i = 0; i < constant->elements; i++) out[i] = rn_onnx_integer(constant, i);
    return constant->elements;
}

/* ---- attributes ------------------------------------------------------------------------------ */

/* Index of the attribute; marks it as known. SIZE_MAX when the node has none of that name. */
static size_t find_attribute(rn_onnx_node *node, const char *name)
{
    for (size_t i = 0; i < node->proto->n_attribute && i < 64; i++) {
        if (strcmp(node->proto->attribute[i]->name, name) != 0) continue;
        node->asked |= (uint64_t)1 << i;
        return i;
    }
    return SIZE_MAX;
}

const Onnx__Attribute *rn_onnx_attribute(rn_onnx_node *node, const char *name, int32_t type)
{
    const size_t i = find_attribute(node, name);
    if (i == SIZE_MAX || node->status != RN_OK) return NULL;
    const Onnx__Attribute *attribute = node->proto->attribute[i];
    if (attribute->type == type) return attribute;
    rn_onnx_fail(node, "attribute %s has type %d, want %d", name, attribute->type, type);
    return NULL;
}

int64_t rn_onnx_int(rn_onnx_node *node, const char *name, int64_t fallback)
{
    const Onnx__Attribute *attribute = rn_onnx_attribute(node, name, RN_ONNX_A_INT);
    return attribute ? attribute->i : fallback;
}

double rn_onnx_float(rn_onnx_node *node, const char *name, double fallback)
{
    const Onnx__Attribute *attribute = rn_onnx_attribute(node, name, RN_ONNX_A_FLOAT);
    return attribute ? (double)attribute->f : fallback;
}

bool rn_onnx_text_is(rn_onnx_node *node, const char *name, const char *text, bool fallback)
{
    const Onnx__Attribute *attribute = rn_onnx_attribute(node, name, RN_ONNX_A_STRING);
    if (!attribute) return fallback;
    return attribute->s.len == strlen(text) && memcmp(attribute->s.data, text, strlen(text)) == 0;
}

size_t rn_onnx_list(rn_onnx_node *node, const char *name, int64_t *out, size_t most)
{
    const Onnx__Attribute *attribute = rn_onnx_attribute(node, name, RN_ONNX_A_INTS);
    if (!attribute) return 0;
    if (attribute->n_ints > most) {
        rn_onnx_fail(node, "attribute %s has %zu elements, at most %zu are served", name,
                     attribute->n_ints, most);
        return 0;
    }
    if (attribute->n_ints) memcpy(out, attribute->ints, attribute->n_ints * sizeof *out);
    return attribute->n_ints;
}

void rn_onnx_ignore(rn_onnx_node *node, const char *name)
{
    find_attribute(node, name);
}

/* ---- windows --------------------------------------------------------------------------------- */

/* `wanted` sizes from least to what an image may have, or the fallback for each. */
static void read_sizes(rn_onnx_node *node, const char *name, size_t wanted, size_t least,
                       size_t fallback, size_t *out)
{
    int64_t list[4] = {0};
    const size_t count = rn_onnx_list(node, name, list, 4);
    for (size_t i = 0; i < wanted; i++) out[i] = fallback;
    if (count == 0) return;
    if (count != wanted) rn_onnx_fail(node, "%s has %zu elements, want %zu", name, count, wanted);
    for (size_t i = 0; i < wanted; i++) {
        if (list[i] < (int64_t)least || list[i] > (int64_t)RN_MAX_VALUE)
            rn_onnx_fail(node, "%s has the element %lld", name, (long long)list[i]);
        else
            out[i] = (size_t)list[i];
    }
}

/* SAME: as many steps as the stride has in the input; what is missing is added on both sides, an
 * odd one at the end (upper) or at the begin (lower). */
static void same_padding(size_t in, size_t reach, size_t stride, bool upper, size_t *before,
                         size_t *after)
{
    const size_t covered = (rn_ceil_div(in, stride) - 1) * stride + reach;
    const size_t missing = covered > in ? covered - in : 0;
    *before = upper ? missing / 2 : missing - missing / 2;
    *after = missing - *before;
}

static void read_padding(rn_onnx_node *node, rn_shape in, rn_window *w)
{
    size_t pads[4]; /* top, left, bottom, right */
    read_sizes(node, "pads", 4, 0, 0, pads);
    const bool upper = rn_onnx_text_is(node, "auto_pad", "SAME_UPPER", false);
    const bool lower = rn_onnx_text_is(node, "auto_pad", "SAME_LOWER", false);
    const bool valid = rn_onnx_text_is(node, "auto_pad", "VALID", false);
    const bool given = rn_onnx_text_is(node, "auto_pad", "NOTSET", true);
    if (!upper && !lower && !valid && !given) rn_onnx_fail(node, "its auto_pad isn't known");
    if (!given && (pads[0] || pads[1] || pads[2] || pads[3]))
        rn_onnx_fail(node, "both pads and auto_pad");
    if (node->status != RN_OK) return;
    w->pad_top = pads[0];
    w->pad_left = pads[1];
    w->pad_bottom = pads[2];
    w->pad_right = pads[3];
    if (!upper && !lower) return;
    const size_t rows = (w->kh - 1) * w->dilation_h + 1, columns = (w->kw - 1) * w->dilation_w + 1;
    same_padding(in.h, rows, w->stride_h, upper, &w->pad_top, &w->pad_bottom);
    same_padding(in.w, columns, w->stride_w, upper, &w->pad_left, &w->pad_right);
}

void rn_onnx_window(rn_onnx_node *node, rn_shape in, size_t kh, size_t kw, rn_window *window)
{
    size_t kernel[2], stride[2], dilation[2];
    read_sizes(node, "kernel_shape", 2, 1, 0, kernel);
    read_sizes(node, "strides", 2, 1, 1, stride);
    read_sizes(node, "dilations", 2, 1, 1, dilation);
    if (kh == 0 && kernel[0] == 0) rn_onnx_fail(node, "kernel_shape is missing");
    if (kh && kernel[0] && (kernel[0] != kh || kernel[1] != kw))
        rn_onnx_fail(node, "kernel_shape is %zux%zu, the weights are %zux%zu", kernel[0], kernel[1],
                     kh, kw);
    *window = (rn_window){.kh = kh ? kh : kernel[0],
                          .kw = kw ? kw : kernel[1],
                          .stride_h = stride[0],
                          .stride_w = stride[1],
                          .dilation_h = dilation[0],
                          .dilation_w = dilation[1],
                          .ceil_mode = rn_onnx_int(node, "ceil_mode", 0) != 0};
    if (window->kh == 0 || window->kw == 0 || in.rank != 3)
        rn_onnx_fail(node, "its input is no N x C x H x W");
    read_padding(node, in, window);
}

/* ---- results --------------------------------------------------------------------------------- */

/* The name of output 0, if it may be set. */
static rn_onnx_name *result(rn_onnx_node *node)
{
    if (node->status != RN_OK) return NULL;
    rn_onnx_name *name = rn_onnx_lookup(node->im, node->proto->output[0]);
    if (*node->proto->output[0] != '\0' && name->kind == RN_ONNX_UNSET) return name;
    rn_onnx_fail(node, "output %.60s is there already", node->proto->output[0]);
    return NULL;
}

int rn_onnx_add(rn_onnx_node *node, const rn_node *graph_node, const int *src, size_t inputs)
{
    if (node->status != RN_OK) return -1;
    if (node->im->graph->count >= MAX_NODES) {
        rn_onnx_fail(node, "more than %d nodes", MAX_NODES);
        return -1;
    }
    rn_node named = *graph_node;
    named.name = *node->proto->name ? node->proto->name : node->proto->output[0];
    const int value = rn_graph_add(node->im->graph, &named, src, inputs, node->err);
    if (value < 0) {
        node->status = rn_failure(node->err);
        node->named = true;
    }
    return value;
}

void rn_onnx_emit_view(rn_onnx_node *node, int value, const rn_onnx_view *view)
{
    rn_onnx_name *name = result(node);
    if (!name) return;
    name->kind = RN_ONNX_VALUE;
    name->value = value;
    name->view = *view;
}

void rn_onnx_emit_value(rn_onnx_node *node, int value)
{
    rn_onnx_emit_view(node, value, &(rn_onnx_view){.form = RN_ONNX_AS_IS});
}

void rn_onnx_emit(rn_onnx_node *node, const rn_node *graph_node, const int *src, size_t inputs)
{
    const int value = rn_onnx_add(node, graph_node, src, inputs);
    rn_onnx_emit_value(node, value);
}

void rn_onnx_emit_constant(rn_onnx_node *node, const rn_onnx_constant *constant)
{
    rn_onnx_name *name = result(node);
    if (!name) return;
    name->constant = rn_onnx_alloc(node->im->doc, 1, sizeof *name->constant, node->err);
    if (!name->constant) {
        node->status = RN_ERR_MEMORY;
        return;
    }
    *name->constant = *constant;
    name->kind = RN_ONNX_CONSTANT;
}

void rn_onnx_emit_alias(rn_onnx_node *node, size_t input)
{
    const rn_onnx_name *source = find_input(node, input);
    rn_onnx_name *name = result(node);
    if (!source || !name) return;
    name->kind = source->kind;
    name->value = source->value;
    name->view = source->view;
    name->constant = source->constant;
}
