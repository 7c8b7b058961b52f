/* The shape rules of ops.def. Formulas are those of torch.nn.Conv2d and torch.nn.MaxPool2d. */
#include "graph/shape.h"

#include "base/error.h"
#include "base/size.h"

#define TEXT 128 /* bytes that any rn_shape_write() of some sense fits in */

/* A value's size is bounded where it is made, so that later code multiplies without checks. */
static rn_status set_out(rn_shape *to, rn_shape out, rn_error *err)
{
    char text[TEXT];
    size_t size = 1;
    for (size_t i = out.rank; i < RN_MAX_RANK; i++) out.dim[i] = 1;
    for (size_t i = 0; i < out.rank; i++)
        if (out.dim[i] == 0)
            return rn_fail(err, RN_ERR_FORMAT, "the output %s is empty",
                           rn_shape_write(out, text, sizeof text));
    if (!rn_size_product(out.dim, out.rank, &size) || size > RN_MAX_VALUE)
        return rn_fail(err, RN_ERR_FORMAT, "the output %s is too large",
                       rn_shape_write(out, text, sizeof text));
    *to = out;
    return RN_OK;
}

static rn_status want_map(const rn_shape *in, rn_error *err)
{
    char text[TEXT];
    if (in->rank == 3) return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT, "the input is %s%s, C x H x W is needed",
                   rn_shape_write(*in, text, sizeof text), in->rank == 1 ? " features" : "");
}

rn_status rn_infer_input(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    (void)in;
    return set_out(out, node->shape, err);
}

rn_status rn_infer_same(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    (void)node;
    return set_out(out, in[0], err);
}

/* One axis of a window: input, padding and dilated kernel give the number of steps that fit. */
typedef struct {
    const char *axis;
    size_t in, pad_before, pad_after, kernel, stride, dilation;
    bool ceil_mode;
} span;

static rn_status steps_that_fit(const span *s, size_t *steps, rn_error *err)
{
    size_t padded, reach;
    if (s->kernel == 0) return rn_fail(err, RN_ERR_FORMAT, "a kernel of size 0");
    if (!rn_size_add(s->in, s->pad_before, &padded) ||
        !rn_size_add(padded, s->pad_after, &padded) ||
        !rn_size_mul(s->dilation, s->kernel - 1, &reach) || !rn_size_add(reach, 1, &reach) ||
        padded > RN_MAX_VALUE || reach > RN_MAX_VALUE || s->stride > RN_MAX_VALUE)
        return rn_fail(err, RN_ERR_FORMAT, "a window beyond any image");
    if (reach > padded && (!s->ceil_mode || reach - padded >= s->stride))
        return rn_fail(err, RN_ERR_FORMAT, "the kernel (%zu) is larger than the padded %s (%zu)",
                       reach, s->axis, padded);
    *steps = 1; /* with ceil_mode rounded up from less than one */
    if (reach > padded) return RN_OK;
    *steps = (padded - reach) / s->stride + 1;
    const bool remainder = (padded - reach) % s->stride != 0;
    /* With ceil_mode a last window is added, but only if it starts inside the input or its left
     * pad. */
    if (s->ceil_mode && remainder && *steps * s->stride < s->in + s->pad_before) *steps += 1;
    return RN_OK;
}

static rn_status window_out(const rn_window *w, rn_shape in, rn_shape *out, rn_error *err)
{
    const span rows = {"height", in.h,        w->pad_top,    w->pad_bottom,
                       w->kh,    w->stride_h, w->dilation_h, w->ceil_mode};
    const span columns = {"width", in.w,        w->pad_left,   w->pad_right,
                          w->kw,   w->stride_w, w->dilation_w, w->ceil_mode};
    const rn_status status = steps_that_fit(&rows, &out->h, err);
    return status == RN_OK ? steps_that_fit(&columns, &out->w, err) : status;
}

rn_status rn_infer_conv(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    if (in->c % node->groups || node->channels % node->groups)
        return rn_fail(err, RN_ERR_FORMAT, "%zu input and %zu output channels in %zu groups", in->c,
                       node->channels, node->groups);
    rn_shape shape = {.rank = 3, .c = node->channels};
    const rn_status status = window_out(&node->window, *in, &shape, err);
    return status == RN_OK ? set_out(out, shape, err) : status;
}

rn_status rn_infer_pool(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    const rn_window *w = &node->window;
    /* A window that is all padding would have nothing to reduce. */
    if (w->pad_top >= w->kh || w->pad_bottom >= w->kh || w->pad_left >= w->kw ||
        w->pad_right >= w->kw)
        return rn_fail(err, RN_ERR_FORMAT, "padding is as large as the %zux%zu kernel", w->kh,
                       w->kw);
    rn_shape shape = {.rank = 3, .c = in->c};
    const rn_status status = window_out(w, *in, &shape, err);
    return status == RN_OK ? set_out(out, shape, err) : status;
}

rn_status rn_infer_global_pool(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    (void)node;
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    return set_out(out, rn_map(in->c, 1, 1), err);
}

rn_status rn_infer_flatten(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    (void)node;
    return set_out(out, rn_row(rn_shape_size(*in)), err);
}

rn_status rn_infer_linear(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    char text[TEXT];
    if (in->rank != 1)
        return rn_fail(err, RN_ERR_FORMAT, "the input is %s: flatten it first",
                       rn_shape_write(*in, text, sizeof text));
    return set_out(out, rn_row(node->channels), err);
}

rn_status rn_infer_group_norm(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    if (in->c % node->groups)
        return rn_fail(err, RN_ERR_FORMAT, "%zu channels in %zu groups", in->c, node->groups);
    return set_out(out, in[0], err);
}

rn_status rn_infer_channel_conv(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    if (in->rank != 3 || in->h != 1 || in->w != 1 || node->window.kh % 2 == 0)
        return rn_fail(err, RN_ERR_FORMAT, "the input must be C x 1 x 1, the kernel odd");
    return set_out(out, in[0], err);
}

/* The image is reflected at its edge, which takes two pixels. */
rn_status rn_infer_blur_pool(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    if (in->h < 2 || in->w < 2)
        return rn_fail(err, RN_ERR_FORMAT, "the input %zux%zu can't be reflected", in->h, in->w);
    node->window = (rn_window){.kh = 3,
                               .kw = 3,
                               .stride_h = node->window.stride_h,
                               .stride_w = node->window.stride_w,
                               .pad_top = 1,
                               .pad_left = 1,
                               .pad_bottom = 1,
                               .pad_right = 1,
                               .dilation_h = 1,
                               .dilation_w = 1};
    return rn_infer_pool(node, in, out, err);
}

rn_status rn_infer_channel_pad(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    if (node->channels < in->c)
        return rn_fail(err, RN_ERR_FORMAT, "%zu channels can't become %zu", in->c, node->channels);
    return set_out(out, rn_map(node->channels, in->h, in->w), err);
}

bool rn_broadcast(rn_shape a, rn_shape b, rn_shape *out)
{
    *out = a;
    for (size_t i = 0; i < a.rank; i++) {
        if (a.dim[i] != b.dim[i] && a.dim[i] != 1 && b.dim[i] != 1) return false;
        out->dim[i] = a.dim[i] == 1 ? b.dim[i] : a.dim[i];
    }
    return a.rank == b.rank && a.type == b.type;
}

rn_status rn_infer_broadcast(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    rn_shape shape;
    char a[TEXT], b[TEXT];
    if (!rn_broadcast(in[0], in[1], &shape))
        return rn_fail(err, RN_ERR_FORMAT, "shapes %s and %s can't be %s",
                       rn_shape_write(in[0], a, sizeof a), rn_shape_write(in[1], b, sizeof b),
                       rn_op_verb(node->op));
    return set_out(out, shape, err);
}

/* Channels after channels. */
rn_status rn_infer_concat(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    char a[TEXT], b[TEXT];
    rn_shape shape = in[0];
    for (size_t i = 1; i < node->inputs; i++) {
        rn_shape other = in[i];
        other.c = in[0].c;
        if (!rn_shape_equal(in[0], other) || !rn_size_add(shape.c, in[i].c, &shape.c))
            return rn_fail(err, RN_ERR_FORMAT, "channels of %s and %s can't be joined",
                           rn_shape_write(in[0], a, sizeof a), rn_shape_write(in[i], b, sizeof b));
    }
    return set_out(out, shape, err);
}

rn_status rn_infer_zero_pad(rn_node *node, const rn_shape *in, rn_shape *out, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    const rn_window *w = &node->window;
    rn_shape shape = *in;
    if (!rn_size_add(shape.h, w->pad_top, &shape.h) ||
        !rn_size_add(shape.h, w->pad_bottom, &shape.h) ||
        !rn_size_add(shape.w, w->pad_left, &shape.w) ||
        !rn_size_add(shape.w, w->pad_right, &shape.w))
        return rn_fail(err, RN_ERR_FORMAT, "padding beyond any image");
    return set_out(out, shape, err);
}

/* ---- weights --------------------------------------------------------------------------------- */

size_t rn_elements_none(const rn_node *node, const rn_shape *in, size_t weight)
{
    (void)node, (void)in, (void)weight;
    return 0;
}

/* (oc, ic / groups, kh, kw), (oc); products that overflow are no tensor's size */
size_t rn_elements_conv(const rn_node *node, const rn_shape *in, size_t weight)
{
    size_t elements = 0;
    const size_t factor[] = {node->channels, in->c / node->groups, node->window.kh,
                             node->window.kw};
    if (weight == RN_BIAS) return node->channels;
    return weight == RN_WEIGHT && rn_size_product(factor, 4, &elements) ? elements : 0;
}

/* (oc, ic), (oc) */
size_t rn_elements_linear(const rn_node *node, const rn_shape *in, size_t weight)
{
    size_t elements = 0;
    if (weight == RN_BIAS) return node->channels;
    return weight == RN_WEIGHT && rn_size_mul(node->channels, in->c, &elements) ? elements : 0;
}

/* (c) each */
size_t rn_elements_channels(const rn_node *node, const rn_shape *in, size_t weight)
{
    (void)node, (void)weight;
    return in->c;
}

/* (c) */
size_t rn_elements_channels_once(const rn_node *node, const rn_shape *in, size_t weight)
{
    (void)node;
    return weight == RN_WEIGHT ? in->c : 0;
}

/* (kh) */
size_t rn_elements_taps(const rn_node *node, const rn_shape *in, size_t weight)
{
    (void)in;
    return weight == RN_WEIGHT ? node->window.kh : 0;
}

/* ---- the rows' rules ------------------------------------------------------------------------- */

rn_shape_rule *rn_op_shape_rule(rn_op op)
{
    static rn_shape_rule *const rules[RN_OPS] = {
#define OP(id, low, name, least, most, outputs, shape, ...) [RN_OP_##id] = rn_infer_##shape,
#include "graph/ops.def"
#undef OP
    };
    return rules[op];
}

rn_elements_rule *rn_op_elements_rule(rn_op op)
{
    static rn_elements_rule *const rules[RN_OPS] = {
#define OP(id, low, name, least, most, outputs, shape, weights, ...) \
    [RN_OP_##id] = rn_elements_##weights,
#include "graph/ops.def"
#undef OP
    };
    return rules[op];
}
