/* ONNX operators on maps that only some networks have: channels put together, padding, every second
 * pixel, and norms over groups of channels. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <math.h>

#include "base/size.h"

#define MAX_AXES 8

void rn_onnx_import_concat(rn_onnx_node *n)
{
    if (rn_onnx_has_integers(n, 0)) {
        rn_onnx_join_integers(n);
        return;
    }
    int joined = rn_onnx_value(n, 0);
    const int64_t axis = rn_onnx_int(n, "axis", 1);
    const int64_t rank = (int64_t)rn_onnx_dims(n, joined).rank + 1;
    if (axis != 1 && axis + rank != 1) rn_onnx_fail(n, "axis %lld, want 1", (long long)axis);
    for (size_t i = 1; i < n->proto->n_input; i++) {
        const int next = rn_onnx_value(n, i);
        joined = rn_onnx_add(n, &(rn_node){.op = RN_OP_CONCAT}, RN_SOURCES(joined, next));
    }
    rn_onnx_emit_value(n, joined);
}

/* ---- padding --------------------------------------------------------------------------------- */

/* The number that is padded with: an attribute until opset 10, then an input. */
static double pad_value(rn_onnx_node *n)
{
    if (!rn_onnx_has(n, 2)) return rn_onnx_float(n, "value", 0);
    const float *value = rn_onnx_vector(n, 2, 1);
    return value ? (double)*value : 0;
}

/* n, c, h, w before; n, c, h, w after. Since opset 18 an input may say which axes are meant. */
static bool read_pads(rn_onnx_node *n, int x, int64_t pads[MAX_AXES])
{
    int64_t given[MAX_AXES], axes[4] = {0, 1, 2, 3};
    const size_t count = rn_onnx_has(n, 1) ? rn_onnx_integers(n, 1, given, MAX_AXES)
                                           : rn_onnx_list(n, "pads", given, MAX_AXES);
    const size_t named = rn_onnx_has(n, 3) ? rn_onnx_integers(n, 3, axes, 4) : 4;
    if (rn_onnx_dims(n, x).rank != 3 || count != 2 * named) return false;
    for (size_t i = 0; i < MAX_AXES; i++) pads[i] = 0;
    for (size_t i = 0; i < named; i++) {
        if (axes[i] < -4 || axes[i] >= 4) return false;
        const size_t axis = (size_t)(axes[i] + 4) % 4;
        pads[axis] = given[i];
        pads[axis + 4] = given[i + named];
    }
    for (size_t i = 0; i < MAX_AXES; i++)
        if (pads[i] < 0 || pads[i] > INT32_MAX) return false;
    return pads[0] == 0 && pads[4] == 0;
}

static void pad_with_zeros(rn_onnx_node *n, int x, const int64_t pads[MAX_AXES])
{
    const size_t front = (size_t)pads[1], behind = (size_t)pads[5];
    if (front + behind) {
        if (front != (front + behind) / 2)
            rn_onnx_fail(n, "%zu channels in front and %zu behind: only halves can be padded",
                         front, behind);
        const size_t channels = rn_onnx_dims(n, x).c + front + behind;
        x = rn_onnx_add(n, &(rn_node){.op = RN_OP_CHANNEL_PAD, .channels = channels},
                        RN_SOURCES(x));
    }
    const rn_window window = {.pad_top = (size_t)pads[2],
                              .pad_left = (size_t)pads[3],
                              .pad_bottom = (size_t)pads[6],
                              .pad_right = (size_t)pads[7]};
    if (front + behind && !(pads[2] + pads[3] + pads[6] + pads[7]))
        rn_onnx_emit_value(n, x);
    else
        rn_onnx_emit(n, &(rn_node){.op = RN_OP_ZERO_PAD, .window = window}, RN_SOURCES(x));
}

void rn_onnx_import_pad(rn_onnx_node *n)
{
    int64_t pads[MAX_AXES];
    const int x = rn_onnx_value(n, 0);
    const bool reflect = rn_onnx_text_is(n, "mode", "reflect", false);
    const bool constant = rn_onnx_text_is(n, "mode", "constant", true);
    if (!constant && !reflect) rn_onnx_fail(n, "only zeros can be padded with, or a reflection");
    if (constant && pad_value(n) != 0) rn_onnx_fail(n, "only zeros can be padded with");
    if (!read_pads(n, x, pads)) {
        rn_onnx_fail(n, "only H and W of N x C x H x W, or C, can be padded");
        return;
    }
    if (!reflect) {
        pad_with_zeros(n, x, pads);
        return;
    }
    for (size_t i = 0; i < MAX_AXES; i++)
        if (pads[i] != (i % 4 > 1))
            rn_onnx_fail(n, "only a reflected border of one pixel can be served, before a blur");
    rn_onnx_emit_view(n, x, &(rn_onnx_view){.form = RN_ONNX_REFLECTED});
}

/* ---- every second pixel ---------------------------------------------------------------------- */

/* Rows of integers, or a map with a step over H and W. Starts, ends, axes and steps are attributes
 * until opset 9 and inputs since. */
void rn_onnx_import_slice(rn_onnx_node *n)
{
    int64_t start[4], end[4], axes[4] = {0, 1, 2, 3}, steps[4] = {1, 1, 1, 1};
    if (rn_onnx_has_integers(n, 0)) {
        rn_onnx_slice_integers(n);
        return;
    }
    const int x = rn_onnx_value(n, 0);
    const rn_shape d = rn_onnx_dims(n, x);
    const bool listed = n->proto->n_input == 1;
    const size_t count =
        listed ? rn_onnx_list(n, "starts", start, 4) : rn_onnx_integers(n, 1, start, 4);
    const size_t ends = listed ? rn_onnx_list(n, "ends", end, 4) : rn_onnx_integers(n, 2, end, 4);
    if (listed) rn_onnx_list(n, "axes", axes, 4);
    if (rn_onnx_has(n, 3)) rn_onnx_integers(n, 3, axes, 4);
    if (rn_onnx_has(n, 4)) rn_onnx_integers(n, 4, steps, 4);
    const int64_t size[4] = {0, (int64_t)d.c, (int64_t)d.h, (int64_t)d.w};
    size_t stride[4] = {1, 1, 1, 1};
    bool fits = d.rank == 3 && ends == count;
    for (size_t i = 0; fits && i < count; i++) {
        fits = axes[i] >= -4 && axes[i] < 4 && start[i] == 0 && steps[i] > 0;
        const size_t axis = (size_t)(axes[i] + 4) % 4;
        if (!fits) break;
        fits = end[i] >= (axis ? size[axis] : INT32_MAX) && steps[i] <= INT32_MAX;
        stride[axis] *= (size_t)steps[i];
    }
    if (!fits || stride[0] * stride[1] != 1) {
        rn_onnx_fail(n, "only rows of integers can be sliced, and H and W of a map by a step");
        return;
    }
    const rn_window window = {.kh = 1, .kw = 1, .stride_h = stride[2], .stride_w = stride[3]};
    if (stride[2] * stride[3] == 1)
        rn_onnx_emit_value(n, x);
    else
        rn_onnx_emit(n, &(rn_node){.op = RN_OP_MAX_POOL, .window = window}, RN_SOURCES(x));
}

/* ---- norms over groups ----------------------------------------------------------------------- */

/* From one number per group to one per channel. */
static rn_constant per_channel(rn_onnx_node *n, size_t input, size_t groups, size_t channels)
{
    const float *given = rn_onnx_vector(n, input, groups);
    if (groups == channels || !given) return rn_constant_of(given, channels);
    float *spread = rn_onnx_new_floats(n, channels);
    for (size_t i = 0; spread && i < channels; i++) spread[i] = given[i / (channels / groups)];
    return rn_constant_of(spread, channels);
}

/* Of each channel, or of what a Reshape has put together: torch's export of a group norm. */
void rn_onnx_import_instance_norm(rn_onnx_node *n)
{
    rn_onnx_view view;
    const int x = rn_onnx_viewed(n, 0, &view);
    const rn_shape d = rn_onnx_dims(n, x);
    if ((view.form != RN_ONNX_GROUPED && view.form != RN_ONNX_AS_IS) || d.rank != 3) {
        rn_onnx_fail(n, "its input is no map, nor groups of its channels");
        return;
    }
    const size_t groups = view.form == RN_ONNX_GROUPED ? view.groups : d.c;
    const int norm = rn_onnx_add(
        n,
        &(rn_node){.op = RN_OP_GROUP_NORM,
                   .groups = groups,
                   .eps = rn_onnx_decimal(rn_onnx_float(n, "epsilon", 1e-5)),
                   .weight = {per_channel(n, 1, groups, d.c), per_channel(n, 2, groups, d.c)}},
        RN_SOURCES(x));
    rn_onnx_emit_view(n, norm, &view);
}

/* Scale and bias: one per group in opset 18, one per channel since 21. */
void rn_onnx_import_group_norm(rn_onnx_node *n)
{
    const int x = rn_onnx_value(n, 0);
    const int64_t groups = rn_onnx_int(n, "num_groups", 0);
    const rn_shape d = rn_onnx_dims(n, x);
    rn_onnx_ignore(n, "stash_type");
    if (d.rank != 3 || groups < 1 || d.c % (size_t)groups) {
        rn_onnx_fail(n, "%lld groups of %zu channels", (long long)groups, d.c);
        return;
    }
    const size_t numbers = n->im->opset < 21 ? (size_t)groups : d.c;
    rn_onnx_emit(
        n,
        &(rn_node){.op = RN_OP_GROUP_NORM,
                   .groups = (size_t)groups,
                   .eps = rn_onnx_decimal(rn_onnx_float(n, "epsilon", 1e-5)),
                   .weight = {per_channel(n, 1, numbers, d.c), per_channel(n, 2, numbers, d.c)}},
        RN_SOURCES(x));
}

/* ---- convolutions of other views ------------------------------------------------------------- */

/* One filter along the channels of N x 1 x C: the gate of an ECA block. */
void rn_onnx_conv_along_channels(rn_onnx_node *n, int x, const rn_onnx_view *view)
{
    int64_t kernel = 0, pads[2] = {0, 0}, stride = 1, dilation = 1;
    rn_onnx_constant *weight = rn_onnx_constant_of(n, 1);
    rn_onnx_list(n, "kernel_shape", &kernel, 1);
    rn_onnx_list(n, "pads", pads, 2);
    rn_onnx_list(n, "strides", &stride, 1);
    rn_onnx_list(n, "dilations", &dilation, 1);
    if (!rn_onnx_text_is(n, "auto_pad", "NOTSET", true))
        rn_onnx_fail(n, "its auto_pad isn't known");
    const bool row = view->rank == 3 && (view->axis == 2 || rn_onnx_dims(n, x).c == 1);
    const bool one = weight && weight->rank == 3 && weight->dims[0] == 1 && weight->dims[1] == 1;
    const size_t size = one ? weight->dims[2] : 0;
    const bool centred = size % 2 == 1 && pads[0] == pads[1] && pads[0] == (int64_t)(size / 2);
    if (!row || !centred || stride != 1 || dilation != 1 || rn_onnx_has(n, 2) ||
        rn_onnx_int(n, "group", 1) != 1 || (kernel && kernel != (int64_t)size)) {
        rn_onnx_fail(n, "of N x 1 x C only one filter without bias is served, padded to keep C");
        return;
    }
    const int map = rn_onnx_map(n, x);
    const int conv = rn_onnx_add(n,
                                 &(rn_node){.op = RN_OP_CHANNEL_CONV,
                                            .window = {.kh = size},
                                            .weight = {rn_onnx_weight(n, weight)}},
                                 RN_SOURCES(map));
    rn_onnx_emit_view(n, conv, view);
}

/* Whether the weights are the binomial filter, times a factor for each channel: an exporter may
 * have folded a batch norm into it. */
static bool is_blur(const float *weight, size_t channels, float *factor)
{
    static const float filter[3] = {0.25f, 0.5f, 0.25f};
    bool blurs = true;
    for (size_t c = 0; blurs && c < channels; c++, weight += 9) {
        factor[c] = weight[4] / (filter[1] * filter[1]);
        for (size_t i = 0; blurs && i < 9; i++) {
            const float want = factor[c] * filter[i / 3] * filter[i % 3];
            blurs = fabsf(weight[i] - want) <= 1e-6f * fabsf(factor[c]);
        }
    }
    return blurs;
}

/* Over each channel, behind a reflected border. */
void rn_onnx_conv_reflected(rn_onnx_node *n, int x)
{
    const rn_shape d = rn_onnx_dims(n, x), bordered = rn_map(d.c, d.h + 2, d.w + 2);
    rn_onnx_constant *constant = rn_onnx_constant_of(n, 1);
    rn_window w;
    rn_onnx_window(n, bordered, 3, 3, &w);
    const bool each = constant && constant->rank == 4 && constant->elements == d.c * 9 &&
                      constant->dims[0] == d.c && rn_onnx_int(n, "group", 1) == (int64_t)d.c;
    const bool moves = w.pad_top + w.pad_left + w.pad_bottom + w.pad_right == 0 &&
                       w.dilation_h * w.dilation_w == 1;
    const float *weight = each && moves ? rn_onnx_floats(n, constant) : NULL;
    float *factor = weight ? rn_onnx_new_floats(n, d.c) : NULL;
    if (!factor || !is_blur(weight, d.c, factor)) {
        rn_onnx_fail(n, "behind a reflected border only the 3x3 binomial blur is served");
        return;
    }
    const rn_window stride = {.stride_h = w.stride_h, .stride_w = w.stride_w};
    const int blur =
        rn_onnx_add(n, &(rn_node){.op = RN_OP_BLUR_POOL, .window = stride}, RN_SOURCES(x));
    const float *bias = rn_onnx_vector(n, 2, d.c);
    bool plain = !bias;
    for (size_t c = 0; plain && c < d.c; c++) plain = factor[c] == 1;
    rn_onnx_emit_value(n, plain ? blur : rn_onnx_add_affine(n, blur, factor, bias));
}
