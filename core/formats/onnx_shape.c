/* ONNX operators that change a value's shape: flat rows, zero padding, channels put together. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include "base/size.h"

#define MAX_AXES 8

/* ---- rows ------------------------------------------------------------------------------------ */

/* One row of numbers per image. */
static void emit_flat(rn_onnx_node *n, int x)
{
    if (rn_onnx_dims(n, x).rank == 1)
        rn_onnx_emit_value(n, x);
    else
        rn_onnx_emit(n, &(rn_node){.op = RN_OP_FLATTEN, .src = {x}});
}

void rn_onnx_import_flatten(rn_onnx_node *n)
{
    const int x = rn_onnx_value(n, 0);
    const int64_t axis = rn_onnx_int(n, "axis", 1);
    const int64_t rank = (int64_t)rn_onnx_dims(n, x).rank + 1;
    if (axis != 1 && axis + rank != 1) rn_onnx_fail(n, "axis %lld, want 1", (long long)axis);
    emit_flat(n, x);
}

/* The batch stays in front: 0 copies it, -1 is what remains, a number is the input's own. */
static bool is_batch(const rn_onnx_node *n, int64_t size)
{
    return size == 0 || size == -1 || size == RN_ONNX_OPEN_BATCH ||
           (n->im->batch && size == n->im->batch);
}

void rn_onnx_import_reshape(rn_onnx_node *n)
{
    int64_t want[4];
    if (rn_onnx_int(n, "allowzero", 0) != 0) rn_onnx_fail(n, "allowzero isn't served");
    if (rn_onnx_has_integers(n, 0)) {
        rn_onnx_reshape_integers(n);
        return;
    }
    const int x = rn_onnx_value(n, 0);
    const rn_dims d = rn_onnx_dims(n, x);
    const size_t axes = rn_onnx_integers(n, 1, want, 4);
    const int64_t all = (int64_t)rn_dims_size(d), batch = axes ? want[0] : 1;
    const bool rest = batch != -1; /* a later axis may be -1 */
    if (axes == 2 && is_batch(n, batch) &&
        (want[1] == all || (rest && want[1] == -1) || (want[1] == 0 && (int64_t)d.c == all))) {
        emit_flat(n, x);
        return;
    }
    const int64_t same[3] = {(int64_t)d.c, (int64_t)d.h, (int64_t)d.w};
    size_t open = 0, equal = 0;
    for (size_t i = 1; i < axes && axes == 4; i++) {
        equal += want[i] == 0 || want[i] == same[i - 1];
        open += want[i] == -1;
    }
    if (d.rank != 3 || axes != 4 || !is_batch(n, batch) || equal + open != 3 || open > rest)
        rn_onnx_fail(n, "only a flat row per image or the same shape can be served");
    rn_onnx_emit_value(n, x);
}

/* H and W of one pixel go. The axes are an attribute until opset 12, then an input. */
void rn_onnx_import_squeeze(rn_onnx_node *n)
{
    int64_t axes[4];
    const int x = rn_onnx_value(n, 0);
    const rn_dims d = rn_onnx_dims(n, x);
    const size_t count =
        rn_onnx_has(n, 1) ? rn_onnx_integers(n, 1, axes, 4) : rn_onnx_list(n, "axes", axes, 4);
    bool gone[4] = {false};
    for (size_t i = 0; i < count; i++)
        if (axes[i] >= -4 && axes[i] < 4) gone[(axes[i] + 4) % 4] = true;
    if (d.rank != 3 || d.h * d.w != 1 || count != 2 || !gone[2] || !gone[3])
        rn_onnx_fail(n, "only H and W of one pixel can be squeezed");
    emit_flat(n, x);
}

/* ---- maps ------------------------------------------------------------------------------------ */

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
        joined = rn_onnx_add(n, &(rn_node){.op = RN_OP_CONCAT, .src = {joined, next}});
    }
    rn_onnx_emit_value(n, joined);
}

/* The number that is padded with: an attribute until opset 10, then an input. */
static double pad_value(rn_onnx_node *n)
{
    if (!rn_onnx_has(n, 2)) return rn_onnx_float(n, "value", 0);
    const float *value = rn_onnx_vector(n, 2, 1);
    return value ? (double)*value : 0;
}

void rn_onnx_import_pad(rn_onnx_node *n)
{
    int64_t pads[MAX_AXES]; /* n, c, h, w before; n, c, h, w after */
    const int x = rn_onnx_value(n, 0);
    const size_t count = rn_onnx_has(n, 1) ? rn_onnx_integers(n, 1, pads, MAX_AXES)
                                           : rn_onnx_list(n, "pads", pads, MAX_AXES);
    if (!rn_onnx_text_is(n, "mode", "constant", true) || pad_value(n) != 0)
        rn_onnx_fail(n, "only zeros can be padded with");
    bool fits = count == 8 && rn_onnx_dims(n, x).rank == 3;
    for (size_t i = 0; fits && i < 8; i++)
        fits = pads[i] >= 0 && pads[i] <= INT32_MAX && (i % 4 > 1 || pads[i] == 0);
    if (!fits) {
        rn_onnx_fail(n, "only H and W of N x C x H x W can be padded");
        return;
    }
    rn_node node = {.op = RN_OP_ZERO_PAD, .src = {x}};
    node.window.pad_top = (size_t)pads[2];
    node.window.pad_left = (size_t)pads[3];
    node.window.pad_bottom = (size_t)pads[6];
    node.window.pad_right = (size_t)pads[7];
    rn_onnx_emit(n, &node);
}
