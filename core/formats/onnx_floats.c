/* Arithmetic on constants of floats: weights that the file computes, such as standardised ones. In
 * float32 as the file says, means with sums in double. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <string.h>

#include "base/size.h"
#include "kernels/epilogue.h"

void rn_onnx_emit_floats(rn_onnx_node *n, const rn_onnx_constant *shape, const float *floats)
{
    if (!floats) return;
    rn_onnx_constant made = *shape;
    made.proto = NULL;
    made.name = NULL;
    made.type = RN_ONNX_FLOAT;
    made.ints = NULL;
    made.floats = floats;
    rn_onnx_emit_constant(n, &made);
}

bool rn_onnx_has_float_constants(const rn_onnx_node *n)
{
    if (!rn_onnx_is_constant(n, 0) || !rn_onnx_is_constant(n, 1)) return false;
    const rn_onnx_constant *a = rn_onnx_lookup(n->im, n->proto->input[0])->constant;
    const rn_onnx_constant *b = rn_onnx_lookup(n->im, n->proto->input[1])->constant;
    return !rn_onnx_is_integer(a) && !rn_onnx_is_integer(b);
}

/* ---- element by element ---------------------------------------------------------------------- */

/* Elements of one constant that the elements of `out` meet, as NumPy broadcasts. */
typedef struct {
    size_t stride[RN_MAX_RANK]; /* by the axes of `out`; 0 where the constant has size 1 */
} walk;

/* The axis of *constant that is the result's axis i, or its size there: 1 when it has none. */
static size_t size_at(const rn_onnx_constant *constant, size_t rank, size_t i)
{
    return i + constant->rank < rank ? 1 : constant->dims[i + constant->rank - rank];
}

static bool broadcast(const rn_onnx_constant *a, const rn_onnx_constant *b, rn_onnx_constant *out)
{
    *out = (rn_onnx_constant){.rank = rn_max(a->rank, b->rank)};
    for (size_t i = 0; i < out->rank; i++) {
        const size_t x = size_at(a, out->rank, i), y = size_at(b, out->rank, i);
        if (x != y && x != 1 && y != 1) return false;
        out->dims[i] = x == 1 ? y : x;
    }
    return rn_size_product(out->dims, out->rank, &out->elements);
}

static walk walk_of(const rn_onnx_constant *constant, const rn_onnx_constant *out)
{
    walk w = {{0}};
    size_t stride = 1;
    for (size_t i = out->rank; i-- > 0;) {
        const size_t size = size_at(constant, out->rank, i);
        w.stride[i] = size == 1 ? 0 : stride;
        stride *= size;
    }
    return w;
}

static size_t place(const walk *w, const rn_onnx_constant *out, size_t element)
{
    size_t at = 0;
    for (size_t i = out->rank; i-- > 0; element /= out->dims[i])
        at += element % out->dims[i] * w->stride[i];
    return at;
}

void rn_onnx_compute_floats(rn_onnx_node *n, rn_op op)
{
    rn_onnx_constant *a = rn_onnx_constant_of(n, 0), *b = rn_onnx_constant_of(n, 1), out;
    if (!a || !b) return;
    if (!broadcast(a, b, &out)) {
        rn_onnx_fail(n, "the shapes of its constants don't fit");
        return;
    }
    const float *x = rn_onnx_floats(n, a), *y = rn_onnx_floats(n, b);
    float *to = x && y ? rn_onnx_new_floats(n, out.elements) : NULL;
    const walk left = walk_of(a, &out), right = walk_of(b, &out);
    for (size_t i = 0; to && i < out.elements; i++)
        to[i] = rn_binary_one(op, x[place(&left, &out, i)], y[place(&right, &out, i)]);
    rn_onnx_emit_floats(n, &out, to);
}

/* ---- means ----------------------------------------------------------------------------------- */

/* The axes of the last numbers, which lie together: how many axes stay in front. */
static size_t axes_in_front(rn_onnx_node *n, const rn_onnx_constant *from)
{
    int64_t axes[RN_MAX_RANK];
    const size_t count = rn_onnx_has(n, 1) ? rn_onnx_integers(n, 1, axes, RN_MAX_RANK)
                                           : rn_onnx_list(n, "axes", axes, RN_MAX_RANK);
    const size_t front = from->rank - rn_min(count, from->rank);
    bool mean[RN_MAX_RANK] = {false};
    for (size_t i = 0; i < count; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + (int64_t)from->rank : axes[i];
        if (axis >= 0 && axis < (int64_t)from->rank) mean[axis] = true;
    }
    bool last = count > 0;
    for (size_t i = front; i < from->rank; i++) last = last && mean[i];
    if (!last) rn_onnx_fail(n, "of constants only the mean over the last axes is served");
    return front;
}

void rn_onnx_mean_floats(rn_onnx_node *n)
{
    rn_onnx_constant *from = rn_onnx_constant_of(n, 0);
    const bool keep = rn_onnx_int(n, "keepdims", 1) != 0;
    rn_onnx_ignore(n, "noop_with_empty_axes");
    const float *x = rn_onnx_floats(n, from);
    const size_t front = x ? axes_in_front(n, from) : 0;
    if (!x || n->status != RN_OK) return;
    rn_onnx_constant out = {.rank = keep ? from->rank : front, .elements = 1};
    for (size_t i = 0; i < out.rank; i++) out.dims[i] = i < front ? from->dims[i] : 1;
    for (size_t i = 0; i < front; i++) out.elements *= from->dims[i];
    const size_t each = out.elements ? from->elements / out.elements : 0;
    float *to = rn_onnx_new_floats(n, out.elements);
    for (size_t i = 0; to && i < out.elements; i++) {
        double sum = 0;
        for (size_t k = 0; k < each; k++) sum += (double)x[i * each + k];
        to[i] = (float)(sum / (double)each);
    }
    rn_onnx_emit_floats(n, &out, to);
}

/* ---- other shapes ---------------------------------------------------------------------------- */

static void emit_shaped(rn_onnx_node *n, const size_t *dims, size_t rank)
{
    rn_onnx_constant *from = rn_onnx_constant_of(n, 0);
    if (!from) return;
    rn_onnx_constant shaped = *from;
    shaped.rank = rank;
    memcpy(shaped.dims, dims, rank * sizeof *dims);
    rn_onnx_emit_constant(n, &shaped);
}

/* The axes before `axis` become one, those from it on another. */
void rn_onnx_flatten_floats(rn_onnx_node *n, int64_t axis)
{
    const rn_onnx_constant *from = rn_onnx_constant_of(n, 0);
    if (!from) return;
    const int64_t rank = (int64_t)from->rank, split = axis < 0 ? axis + rank : axis;
    size_t dims[2] = {1, 1};
    if (split < 0 || split > rank)
        rn_onnx_fail(n, "axis %lld of %lld", (long long)axis, (long long)rank);
    for (size_t i = 0; n->status == RN_OK && i < from->rank; i++)
        dims[(int64_t)i >= split] *= from->dims[i];
    emit_shaped(n, dims, 2);
}

/* 0 is the size that stands there, -1 what remains. */
void rn_onnx_reshape_floats(rn_onnx_node *n)
{
    int64_t want[RN_MAX_RANK];
    size_t dims[RN_MAX_RANK], known = 1, open = SIZE_MAX;
    const rn_onnx_constant *from = rn_onnx_constant_of(n, 0);
    const size_t rank = rn_onnx_integers(n, 1, want, RN_MAX_RANK);
    bool fits = from && n->status == RN_OK;
    for (size_t i = 0; fits && i < rank; i++) {
        if (want[i] == -1 && open == SIZE_MAX) {
            open = i;
            continue;
        }
        dims[i] = i < from->rank && want[i] == 0 ? from->dims[i] : (size_t)want[i];
        fits = want[i] >= 0 && rn_size_mul(known, dims[i], &known);
    }
    if (fits && open != SIZE_MAX) {
        dims[open] = known ? from->elements / known : 0;
        known *= dims[open];
    }
    if (!fits || known != from->elements)
        rn_onnx_fail(n, "its shape doesn't fit the constant's");
    else
        emit_shaped(n, dims, rank);
}
