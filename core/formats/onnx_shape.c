/* ONNX operators that give a value another shape. One pixel of C channels may stand in any shape
 * that is 1 elsewhere, and a map may be cut into groups of channels: the value stays what it is,
 * its view says how the file sees it. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include "base/size.h"
#include "graph/shape.h"

#define MAX_AXES  4
#define MAX_CHAIN 16 /* layers that are made anew when a row becomes a map */

static const rn_onnx_view as_is = {.form = RN_ONNX_AS_IS};

/* ---- one pixel in any shape ------------------------------------------------------------------ */

/* How the file sees one number per channel; false when the value is something else. */
static bool vector_view(const rn_onnx_node *n, int value, rn_onnx_view *view)
{
    const rn_shape d = rn_onnx_dims(n, value);
    if (view->form == RN_ONNX_VECTOR) return true;
    if (view->form != RN_ONNX_AS_IS || d.h * d.w != 1) return false;
    *view = (rn_onnx_view){.form = RN_ONNX_VECTOR, .rank = d.rank + 1, .axis = 1};
    return true;
}

/* A row of features as C x 1 x 1: what made the row is undone or made as a map. */
static int as_map(rn_onnx_node *n, int value, size_t chain)
{
    if (value < 0 || n->status != RN_OK) return -1;
    rn_node node = *rn_graph_maker(n->im->graph, value);
    const size_t channels = rn_onnx_dims(n, value).c;
    if (rn_onnx_dims(n, value).rank == 3) return value;
    const int src = node.inputs ? node.src[0] : -1;
    const size_t features = rn_onnx_dims(n, src).c;
    switch (chain < MAX_CHAIN ? node.op : RN_OP_INPUT) {
    case RN_OP_FLATTEN:
        if (rn_shape_size(rn_onnx_dims(n, src)) == features) return src;
        break;
    case RN_OP_RELU:
    case RN_OP_SIGMOID:
    case RN_OP_BATCH_NORM: return rn_onnx_add(n, &node, RN_SOURCES(as_map(n, src, chain + 1)));
    case RN_OP_LINEAR:
        if (!rn_onnx_count_floats(n, node.channels * features)) return -1;
        node.op = RN_OP_CONV;
        node.window = (rn_window){.kh = 1, .kw = 1};
        return rn_onnx_add(n, &node, RN_SOURCES(as_map(n, src, chain + 1)));
    default: break;
    }
    rn_onnx_fail(n, "%zu features of this kind can't become a map", channels);
    return -1;
}

int rn_onnx_map(rn_onnx_node *n, int value)
{
    return as_map(n, value, 0);
}

/* One row of numbers per image. */
static void emit_flat(rn_onnx_node *n, int x)
{
    if (rn_onnx_dims(n, x).rank == 1)
        rn_onnx_emit_value(n, x);
    else
        rn_onnx_emit(n, &(rn_node){.op = RN_OP_FLATTEN}, RN_SOURCES(x));
}

/* C as axis `axis` of `rank`; N x C and N x C x 1 x 1 are what the graph has, too. */
static void emit_vector(rn_onnx_node *n, int value, size_t rank, size_t axis)
{
    if (rn_onnx_dims(n, value).c == 1) axis = 1;
    if (rank == 2 && axis == 1)
        emit_flat(n, value);
    else if (rank == 4 && axis == 1)
        rn_onnx_emit_value(n, as_map(n, value, 0));
    else
        rn_onnx_emit_view(n, value,
                          &(rn_onnx_view){.form = RN_ONNX_VECTOR, .rank = rank, .axis = axis});
}

void rn_onnx_shape_of(rn_shape d, const rn_onnx_view *view, rn_onnx_sizes *out)
{
    const rn_shape e = view->form == RN_ONNX_EXPANDED ? view->dims : d;
    *out = (rn_onnx_sizes){e.rank + 1, {0, (int64_t)e.c, (int64_t)e.h, (int64_t)e.w}};
    if (view->form == RN_ONNX_VECTOR) {
        *out = (rn_onnx_sizes){view->rank, {0, 1, 1, 1}};
        out->size[view->axis] = (int64_t)d.c;
    }
    if (view->form != RN_ONNX_GROUPED) return;
    const int64_t groups = (int64_t)view->groups;
    *out = (rn_onnx_sizes){3, {0, groups, (int64_t)rn_shape_size(d) / groups}};
}

/* ---- reshape --------------------------------------------------------------------------------- */

void rn_onnx_import_flatten(rn_onnx_node *n)
{
    rn_onnx_view view;
    const int64_t axis = rn_onnx_int(n, "axis", 1);
    if (rn_onnx_is_constant(n, 0)) {
        rn_onnx_flatten_floats(n, axis);
        return;
    }
    const int x = rn_onnx_viewed(n, 0, &view);
    rn_onnx_sizes shape;
    rn_onnx_shape_of(rn_onnx_dims(n, x), &view, &shape);
    if (view.form == RN_ONNX_EXPANDED || view.form == RN_ONNX_REFLECTED)
        rn_onnx_fail(n, "its input can't be laid flat");
    if (axis != 1 && axis + (int64_t)shape.rank != 1)
        rn_onnx_fail(n, "axis %lld, want 1", (long long)axis);
    emit_flat(n, x);
}

/* The batch stays in front: 0 copies it, -1 is what remains, a number is the input's own. */
static bool is_batch(const rn_onnx_node *n, int64_t size)
{
    return size == 0 || size == -1 || size == RN_ONNX_OPEN_BATCH ||
           (n->im->batch && size == n->im->batch);
}

/* Puts numbers where `want` has 0 (the input's own size) and -1 (what remains). False when the
 * sizes don't hold one image of `all` numbers. */
static bool resolve(const rn_onnx_node *n, rn_onnx_sizes *want, const rn_onnx_sizes *from,
                    size_t all)
{
    size_t open = 0, known = 1;
    if (want->rank < 2 || !is_batch(n, want->size[0])) return false;
    for (size_t i = 1; i < want->rank; i++) {
        if (i < from->rank && want->size[i] == 0) want->size[i] = from->size[i];
        if (want->size[i] == -1 && !open && want->size[0] != -1)
            open = i;
        else if (want->size[i] < 1 || !rn_size_mul(known, (size_t)want->size[i], &known))
            return false;
    }
    if (open) want->size[open] = (int64_t)(all / known);
    return (open ? known * (all / known) : known) == all;
}

/* The axis that has them all; 0: there is none. */
static size_t only_axis(const rn_onnx_sizes *sizes, size_t all)
{
    size_t axis = 0;
    for (size_t i = 1; i < sizes->rank; i++)
        if (sizes->size[i] == (int64_t)all && axis == 0)
            axis = i;
        else if (sizes->size[i] != 1)
            return 0;
    return axis;
}

static bool same_sizes(const rn_onnx_sizes *a, const rn_onnx_sizes *b)
{
    bool same = a->rank == b->rank;
    for (size_t i = 1; same && i < a->rank; i++) same = a->size[i] == b->size[i];
    return same;
}

static void reshape_value(rn_onnx_node *n, int x, const rn_onnx_view *view, rn_onnx_sizes *want)
{
    rn_onnx_view vector = *view;
    rn_onnx_sizes from, graph;
    const rn_shape d = rn_onnx_dims(n, x);
    const size_t all = rn_shape_size(d);
    rn_onnx_shape_of(d, view, &from);
    rn_onnx_shape_of(d, &as_is, &graph);
    const bool keeps = view->form != RN_ONNX_EXPANDED && view->form != RN_ONNX_REFLECTED;
    const bool fits = keeps && resolve(n, want, &from, all);
    if (fits && same_sizes(want, &graph))
        rn_onnx_emit_value(n, x);
    else if (fits && vector_view(n, x, &vector) && only_axis(want, all))
        emit_vector(n, x, want->rank, only_axis(want, all));
    else if (fits && want->rank == 2)
        emit_flat(n, x);
    else if (fits && want->rank == 3 && d.rank == 3 && d.c % (size_t)want->size[1] == 0)
        rn_onnx_emit_view(
            n, x, &(rn_onnx_view){.form = RN_ONNX_GROUPED, .groups = (size_t)want->size[1]});
    else
        rn_onnx_fail(n, "only a flat row per image or the same shape can be served, or groups of "
                        "channels");
}

void rn_onnx_import_reshape(rn_onnx_node *n)
{
    rn_onnx_sizes want = {0};
    rn_onnx_view view;
    const bool zeros = rn_onnx_int(n, "allowzero", 0) != 0; /* 0 is a size of its own */
    if (rn_onnx_has_integers(n, 0)) {
        if (zeros) rn_onnx_fail(n, "allowzero isn't served");
        rn_onnx_reshape_integers(n);
        return;
    }
    if (rn_onnx_is_constant(n, 0)) {
        rn_onnx_reshape_floats(n);
        return;
    }
    const int x = rn_onnx_viewed(n, 0, &view);
    want.rank = rn_onnx_integers(n, 1, want.size, MAX_AXES);
    for (size_t i = 0; zeros && i < want.rank; i++)
        if (want.size[i] == 0) rn_onnx_fail(n, "allowzero isn't served");
    if (n->status == RN_OK) reshape_value(n, x, &view, &want);
}

/* ---- axes of one pixel ----------------------------------------------------------------------- */

/* The axes are an attribute until opset 12, then an input. Those from the end count from `rank`.
 * How many there are; each of 1 to rank - 1 once, or none. */
static size_t read_axes(rn_onnx_node *n, size_t rank, bool has[MAX_AXES])
{
    int64_t axes[MAX_AXES];
    const size_t count = rn_onnx_has(n, 1) ? rn_onnx_integers(n, 1, axes, MAX_AXES)
                                           : rn_onnx_list(n, "axes", axes, MAX_AXES);
    for (size_t i = 0; i < count; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + (int64_t)rank : axes[i];
        if (axis < 1 || axis >= (int64_t)rank || has[axis]) return 0;
        has[axis] = true;
    }
    return count;
}

void rn_onnx_import_squeeze(rn_onnx_node *n)
{
    rn_onnx_view view;
    bool gone[MAX_AXES] = {false};
    const int x = rn_onnx_viewed(n, 0, &view);
    const bool vector = vector_view(n, x, &view);
    const size_t rank = vector ? view.rank : rn_onnx_dims(n, x).rank + 1;
    const size_t count = read_axes(n, rank, gone);
    if (!vector || count == 0 || gone[view.axis]) {
        rn_onnx_fail(n, "only H and W of one pixel can be squeezed");
        return;
    }
    size_t axis = view.axis;
    for (size_t i = 1; i < view.axis; i++) axis -= gone[i];
    emit_vector(n, x, rank - count, axis);
}

/* A single integer becomes a list of one; of values, one pixel gets more axes. */
void rn_onnx_import_unsqueeze(rn_onnx_node *n)
{
    rn_onnx_view view;
    bool added[MAX_AXES] = {false};
    if (rn_onnx_has_integers(n, 0)) {
        rn_onnx_unsqueeze_integers(n);
        return;
    }
    const int x = rn_onnx_viewed(n, 0, &view);
    const Onnx__Attribute *list = rn_onnx_attribute(n, "axes", RN_ONNX_A_INTS);
    const rn_onnx_constant *input = rn_onnx_has(n, 1) ? rn_onnx_constant_of(n, 1) : NULL;
    const size_t more = list ? list->n_ints : input ? input->elements : 0;
    const bool fits = vector_view(n, x, &view) && more > 0 && more <= MAX_AXES - view.rank;
    if (!fits || read_axes(n, view.rank + more, added) == 0) {
        rn_onnx_fail(n, "only single integers and single pixels can be unsqueezed");
        return;
    }
    size_t axis = 1;
    for (size_t left = view.axis; added[axis] || --left > 0;) axis++;
    emit_vector(n, x, view.rank + more, axis);
}

/* Of matrices that are constants, and of one pixel's axes. */
void rn_onnx_import_transpose(rn_onnx_node *n)
{
    rn_onnx_view view;
    int64_t order[MAX_AXES];
    if (rn_onnx_is_constant(n, 0)) {
        rn_onnx_transpose_constant(n);
        return;
    }
    const int x = rn_onnx_viewed(n, 0, &view);
    const bool vector = vector_view(n, x, &view);
    const size_t count = rn_onnx_list(n, "perm", order, MAX_AXES);
    size_t axis = 0;
    bool seen[MAX_AXES] = {false};
    for (size_t i = 0; vector && i < count && count == view.rank; i++) {
        if (order[i] < 0 || order[i] >= (int64_t)count || seen[order[i]]) break;
        seen[order[i]] = true;
        if (order[i] == (int64_t)view.axis) axis = i;
    }
    if (axis == 0 || order[0] != 0) {
        rn_onnx_fail(n, "want a matrix of constants, or one pixel whose batch stays in front");
        return;
    }
    emit_vector(n, x, view.rank, axis);
}

/* One pixel, repeated: what is multiplied with a map does so by itself. */
void rn_onnx_import_expand(rn_onnx_node *n)
{
    int64_t want[MAX_AXES];
    const int x = rn_onnx_value(n, 0);
    const rn_shape d = rn_onnx_dims(n, x);
    const size_t count = rn_onnx_integers(n, 1, want, MAX_AXES);
    bool fits = d.rank == 3 && d.h * d.w == 1 && count == 4;
    for (size_t i = 1; fits && i < 4; i++) fits = want[i] > 0 && want[i] <= (int64_t)RN_MAX_VALUE;
    fits = fits && (want[0] == 1 || is_batch(n, want[0])) && want[0] != -1 && want[0] != 0;
    if (!fits || (want[1] != 1 && want[1] != (int64_t)d.c)) {
        rn_onnx_fail(n, "only one pixel can be expanded, to N x C x H x W");
        return;
    }
    const rn_shape dims = rn_map(d.c, (size_t)want[2], (size_t)want[3]);
    rn_onnx_emit_view(n, x, &(rn_onnx_view){.form = RN_ONNX_EXPANDED, .dims = dims});
}
