/* The arithmetic on shapes that exporters leave in a file (the padding of a Pad, the batch of a
 * Reshape): small tensors of integers, evaluated while the model is imported. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <string.h>

#include "base/size.h"

#define MAX_INTEGERS 64 /* elements of one tensor */

typedef struct {
    size_t rank, dims[RN_MAX_RANK], count;
    int64_t value[MAX_INTEGERS];
} integers;

/* False with the failure kept when the input is something else. */
static bool read_integers(rn_onnx_node *n, size_t input, integers *out)
{
    const rn_onnx_constant *constant = rn_onnx_constant_of(n, input);
    if (!constant) return false;
    if (!rn_onnx_is_integer(constant) || constant->elements > MAX_INTEGERS) {
        rn_onnx_fail(n, "input %zu has not up to %d integers", input, MAX_INTEGERS);
        return false;
    }
    *out = (integers){.rank = constant->rank, .count = constant->elements};
    memcpy(out->dims, constant->dims, sizeof out->dims);
    for (size_t i = 0; i < out->count; i++) out->value[i] = rn_onnx_integer(constant, i);
    return true;
}

static void emit_integers(rn_onnx_node *n, const integers *from)
{
    if (n->status != RN_OK) return;
    int64_t *value = rn_onnx_alloc(n->im->doc, from->count, sizeof *value, n->err);
    if (!value) {
        n->status = RN_ERR_MEMORY;
        return;
    }
    memcpy(value, from->value, from->count * sizeof *value);
    rn_onnx_constant constant = {
        .type = RN_ONNX_INT64, .ints = value, .rank = from->rank, .elements = from->count};
    memcpy(constant.dims, from->dims, sizeof constant.dims);
    rn_onnx_emit_constant(n, &constant);
}

static void emit_list(rn_onnx_node *n, const int64_t *value, size_t count)
{
    integers list = {.rank = 1, .dims = {count}, .count = count};
    memcpy(list.value, value, count * sizeof *value);
    emit_integers(n, &list);
}

bool rn_onnx_has_integers(rn_onnx_node *n, size_t input)
{
    if (!rn_onnx_is_constant(n, input)) return false;
    const rn_onnx_constant *constant = rn_onnx_constant_of(n, input);
    return constant && rn_onnx_is_integer(constant);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

void rn_onnx_import_shape(rn_onnx_node *n)
{
    int64_t shape[RN_MAX_RANK] = {n->im->batch ? n->im->batch : RN_ONNX_OPEN_BATCH};
    if (rn_onnx_is_constant(n, 0)) {
        const rn_onnx_constant *constant = rn_onnx_constant_of(n, 0);
        if (!constant) return;
        for (size_t i = 0; i < constant->rank; i++) shape[i] = (int64_t)constant->dims[i];
        emit_list(n, shape, constant->rank);
        return;
    }
    rn_onnx_view view;
    rn_onnx_sizes sizes;
    const int x = rn_onnx_viewed(n, 0, &view);
    rn_onnx_shape_of(rn_onnx_dims(n, x), &view, &sizes);
    if (view.form == RN_ONNX_REFLECTED) rn_onnx_fail(n, "its input is only for a blur");
    memcpy(shape + 1, sizes.size + 1, (sizes.rank - 1) * sizeof *shape);
    emit_list(n, shape, sizes.rank);
}

/* `value` for each element of a shape. */
void rn_onnx_import_constant_of_shape(rn_onnx_node *n)
{
    integers shape, filled = {0};
    const Onnx__Attribute *value = rn_onnx_attribute(n, "value", RN_ONNX_A_TENSOR);
    rn_onnx_constant fill;
    int64_t number = 0;
    if (value && value->t && rn_onnx_read_tensor(&fill, value->t, "value", n->err) == RN_OK &&
        rn_onnx_is_integer(&fill) && fill.elements == 1)
        number = rn_onnx_integer(&fill, 0);
    else
        rn_onnx_fail(n, "its value is no integer");
    if (!read_integers(n, 0, &shape)) return;
    if (shape.rank != 1 || shape.count != 1 || shape.value[0] < 0 || shape.value[0] > MAX_INTEGERS)
        rn_onnx_fail(n, "only a list of up to %d integers is made", MAX_INTEGERS);
    if (n->status != RN_OK) return;
    for (size_t i = 0; i < (size_t)shape.value[0]; i++) filled.value[i] = number;
    emit_list(n, filled.value, (size_t)shape.value[0]);
}

/* One size may be -1: what remains. */
void rn_onnx_reshape_integers(rn_onnx_node *n)
{
    integers data, shape;
    if (!read_integers(n, 0, &data) || !read_integers(n, 1, &shape)) return;
    size_t known = 1, open = SIZE_MAX;
    data.rank = shape.count;
    for (size_t i = 0; i < shape.count && i < RN_MAX_RANK; i++) {
        const bool fits = shape.value[i] > 0 && shape.value[i] <= MAX_INTEGERS;
        data.dims[i] = fits ? (size_t)shape.value[i] : 1;
        if (shape.value[i] == -1 && open == SIZE_MAX)
            open = i;
        else if (!fits)
            known = 0; /* never the number of elements */
        known *= data.dims[i];
    }
    if (open != SIZE_MAX && known) data.dims[open] = data.count / known;
    if (shape.count > RN_MAX_RANK || known == 0 ||
        known * (open == SIZE_MAX ? 1 : data.dims[open]) != data.count)
        rn_onnx_fail(n, "its shape doesn't fit %zu integers", data.count);
    emit_integers(n, &data);
}

void rn_onnx_transpose_integers(rn_onnx_node *n)
{
    integers from;
    int64_t order[2] = {1, 0};
    rn_onnx_list(n, "perm", order, 2);
    if (!read_integers(n, 0, &from)) return;
    if (from.rank != 2 || order[0] != 1 || order[1] != 0) rn_onnx_fail(n, "want a matrix");
    integers to = {.rank = 2, .dims = {from.dims[1], from.dims[0]}, .count = from.count};
    for (size_t i = 0; i < from.count && n->status == RN_OK; i++)
        to.value[i % from.dims[1] * from.dims[0] + i / from.dims[1]] = from.value[i];
    emit_integers(n, &to);
}

/* ---- picking and joining --------------------------------------------------------------------- */

/* Elements of a list, by their places. */
void rn_onnx_import_gather(rn_onnx_node *n)
{
    integers list, place;
    if (!read_integers(n, 0, &list) || !read_integers(n, 1, &place)) return;
    if (rn_onnx_int(n, "axis", 0) != 0 || list.rank != 1)
        rn_onnx_fail(n, "only lists can be gathered from");
    for (size_t i = 0; i < place.count && n->status == RN_OK; i++) {
        const int64_t at = place.value[i] + (place.value[i] < 0 ? (int64_t)list.count : 0);
        if (at < 0 || at >= (int64_t)list.count)
            rn_onnx_fail(n, "place %lld of %zu", (long long)place.value[i], list.count);
        else
            place.value[i] = list.value[at];
    }
    emit_integers(n, &place);
}

/* Row `at` of `from` behind the rows that *to has. */
static void append_row(integers *to, const integers *from, size_t at)
{
    const size_t row = from->count / rn_max(from->dims[0], 1);
    memcpy(to->value + to->count, from->value + at * row, row * sizeof *to->value);
    to->count += row;
    to->dims[0]++;
}

/* The first number of input i, or the fallback when it isn't there. */
static int64_t number_of(rn_onnx_node *n, size_t input, int64_t fallback)
{
    integers given;
    if (!rn_onnx_has(n, input) || !read_integers(n, input, &given)) return fallback;
    if (given.count != 1) rn_onnx_fail(n, "input %zu has %zu integers", input, given.count);
    return given.count ? given.value[0] : fallback;
}

/* A place among `rows`, counted from the end when it is negative, moved into low..high. */
static int64_t clamp(int64_t at, int64_t rows, int64_t low, int64_t high)
{
    if (at < 0) at = at < -rows ? low : at + rows;
    return at < low ? low : at > high ? high : at;
}

/* Rows of a list or matrix: data, starts, ends, axes, steps. */
void rn_onnx_slice_integers(rn_onnx_node *n)
{
    integers from;
    if (!read_integers(n, 0, &from)) return;
    const int64_t start = number_of(n, 1, 0), end = number_of(n, 2, INT64_MAX);
    const int64_t axis = number_of(n, 3, 0), step = number_of(n, 4, 1);
    const int64_t rows = from.rank ? (int64_t)from.dims[0] : 0;
    if (rows == 0 || axis != 0 || (step != 1 && step != -1))
        rn_onnx_fail(n, "only rows can be sliced, one by one");
    if (n->status != RN_OK) return;
    integers to = {.rank = from.rank};
    memcpy(to.dims, from.dims, sizeof to.dims);
    to.dims[0] = 0;
    if (step == 1) {
        const int64_t stop = clamp(end, rows, 0, rows);
        for (int64_t i = clamp(start, rows, 0, rows); i < stop; i++)
            append_row(&to, &from, (size_t)i);
    } else {
        const int64_t stop = clamp(end, rows, -1, rows - 1);
        for (int64_t i = clamp(start, rows, -1, rows - 1); i > stop; i--)
            append_row(&to, &from, (size_t)i);
    }
    emit_integers(n, &to);
}

void rn_onnx_join_integers(rn_onnx_node *n)
{
    integers all = {.rank = 1}, next;
    if (rn_onnx_int(n, "axis", 0) != 0) rn_onnx_fail(n, "only lists of integers can be joined");
    for (size_t i = 0; i < n->proto->n_input && read_integers(n, i, &next); i++) {
        if (next.rank != 1 || next.count > MAX_INTEGERS - all.count) {
            rn_onnx_fail(n, "only lists of up to %d integers can be joined", MAX_INTEGERS);
            return;
        }
        memcpy(all.value + all.count, next.value, next.count * sizeof next.value[0]);
        all.count = all.dims[0] = all.count + next.count;
    }
    emit_integers(n, &all);
}

/* A single integer becomes a list of one. The axes are an attribute until opset 12. */
void rn_onnx_unsqueeze_integers(rn_onnx_node *n)
{
    integers scalar;
    int64_t axis = 0;
    if (rn_onnx_has(n, 1))
        axis = number_of(n, 1, 0);
    else
        rn_onnx_list(n, "axes", &axis, 1);
    if (!read_integers(n, 0, &scalar)) return;
    if (scalar.rank != 0 || (axis != 0 && axis != -1))
        rn_onnx_fail(n, "only single integers can be unsqueezed");
    emit_list(n, scalar.value, scalar.count);
}

/* ---- numbers --------------------------------------------------------------------------------- */

static bool is_float(int64_t type)
{
    return type == RN_ONNX_FLOAT || type == RN_ONNX_DOUBLE || type == RN_ONNX_FLOAT16;
}

/* Between integers the numbers stay as they are, so they must fit. */
static void check_range(rn_onnx_node *n, const rn_onnx_constant *from, int64_t to)
{
    if (to != RN_ONNX_INT8 && to != RN_ONNX_UINT8) return;
    const int64_t lowest = to == RN_ONNX_INT8 ? -128 : 0;
    for (size_t i = 0; i < from->elements; i++) {
        const int64_t number = rn_onnx_integer(from, i);
        if (number < lowest || number > lowest + 255)
            rn_onnx_fail(n, "%lld doesn't fit", (long long)number);
    }
}

/* Of constants. Floats are float32 here whatever the file calls them. */
void rn_onnx_import_cast(rn_onnx_node *n)
{
    const int64_t to = rn_onnx_int(n, "to", 0);
    rn_onnx_constant *from = rn_onnx_constant_of(n, 0);
    if (!from) return;
    rn_onnx_constant cast = *from;
    cast.type = (int32_t)to;
    if (is_float(to) && !rn_onnx_is_integer(from))
        cast.floats = rn_onnx_floats(n, from);
    else if (to == cast.type && rn_onnx_is_integer(&cast) && rn_onnx_is_integer(from))
        check_range(n, from, to);
    else
        rn_onnx_fail(n, "only casts between integers or between floats");
    rn_onnx_emit_constant(n, &cast);
}

static bool compute(char operation, int64_t a, int64_t b, int64_t *out)
{
    switch (operation) {
    case '+': return !__builtin_add_overflow(a, b, out);
    case '-': return !__builtin_sub_overflow(a, b, out);
    case '*': return !__builtin_mul_overflow(a, b, out);
    default: *out = b > 0 ? a / b : 0; return b > 0;
    }
}

/* Of two tensors of one shape, or one of them a single number. */
void rn_onnx_compute_integers(rn_onnx_node *n, char operation)
{
    integers a, b;
    if (!read_integers(n, 0, &a) || !read_integers(n, 1, &b)) return;
    if (a.count != b.count && a.count != 1 && b.count != 1) rn_onnx_fail(n, "sizes don't match");
    integers out = a.count > b.count || (a.count == b.count && a.rank >= b.rank) ? a : b;
    for (size_t i = 0; i < out.count && n->status == RN_OK; i++) {
        const int64_t x = a.value[a.count == 1 ? 0 : i], y = b.value[b.count == 1 ? 0 : i];
        if (x == RN_ONNX_OPEN_BATCH || y == RN_ONNX_OPEN_BATCH ||
            !compute(operation, x, y, &out.value[i]))
            rn_onnx_fail(n, "%lld %c %lld can't be computed", (long long)x, operation,
                         (long long)y);
    }
    emit_integers(n, &out);
}
