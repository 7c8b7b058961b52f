/* The shape rules of ops.def. Formulas are those of torch.nn.Conv2d and torch.nn.MaxPool2d. */
#include "graph/shape.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

#define TEXT 64 /* bytes that any rn_dims_text() fits in */

/* A value's size is bounded where it is made, so that later code multiplies without checks. */
static rn_status set_out(rn_node *node, rn_dims out, rn_error *err)
{
    size_t size;
    const size_t factor[] = {out.c, out.h, out.w};
    if (out.c == 0 || out.h == 0 || out.w == 0)
        return rn_fail(err, RN_ERR_FORMAT, "the output %zux%zux%zu is empty", out.c, out.h, out.w);
    if (!rn_size_product(factor, 3, &size) || size > RN_MAX_VALUE)
        return rn_fail(err, RN_ERR_FORMAT, "the output %zux%zux%zu is too large", out.c, out.h,
                       out.w);
    node->out = out;
    return RN_OK;
}

static rn_status want_map(const rn_dims *in, rn_error *err)
{
    if (in->rank == 3) return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT, "the input is %zu features, C x H x W is needed", in->c);
}

rn_status rn_shape_input(rn_node *node, const rn_dims *in, rn_error *err)
{
    (void)in;
    return set_out(node, node->out, err);
}

rn_status rn_shape_same(rn_node *node, const rn_dims *in, rn_error *err)
{
    return set_out(node, in[0], err);
}

rn_status rn_shape_batch_norm(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (!rn_constant_is_set(node->mean) || !rn_constant_is_set(node->var))
        return rn_fail(err, RN_ERR_FORMAT, "no running statistics");
    return set_out(node, in[0], err);
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

static rn_status window_out(const rn_window *w, rn_dims in, rn_dims *out, rn_error *err)
{
    const span rows = {"height", in.h,        w->pad_top,    w->pad_bottom,
                       w->kh,    w->stride_h, w->dilation_h, w->ceil_mode};
    const span columns = {"width", in.w,        w->pad_left,   w->pad_right,
                          w->kw,   w->stride_w, w->dilation_w, w->ceil_mode};
    const rn_status status = steps_that_fit(&rows, &out->h, err);
    return status == RN_OK ? steps_that_fit(&columns, &out->w, err) : status;
}

rn_status rn_shape_conv(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (!rn_constant_is_set(node->weight)) return rn_fail(err, RN_ERR_FORMAT, "no weight");
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    if (in->c % node->groups || node->channels % node->groups)
        return rn_fail(err, RN_ERR_FORMAT, "%zu input and %zu output channels in %zu groups", in->c,
                       node->channels, node->groups);
    rn_dims out = {.rank = 3, .c = node->channels};
    const rn_status status = window_out(&node->window, *in, &out, err);
    return status == RN_OK ? set_out(node, out, err) : status;
}

rn_status rn_shape_pool(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    const rn_window *w = &node->window;
    /* A window that is all padding would have nothing to reduce. */
    if (w->pad_top >= w->kh || w->pad_bottom >= w->kh || w->pad_left >= w->kw ||
        w->pad_right >= w->kw)
        return rn_fail(err, RN_ERR_FORMAT, "padding is as large as the %zux%zu kernel", w->kh,
                       w->kw);
    rn_dims out = {.rank = 3, .c = in->c};
    const rn_status status = window_out(w, *in, &out, err);
    return status == RN_OK ? set_out(node, out, err) : status;
}

rn_status rn_shape_global_pool(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    return set_out(node, (rn_dims){.rank = 3, .c = in->c, .h = 1, .w = 1}, err);
}

rn_status rn_shape_flatten(rn_node *node, const rn_dims *in, rn_error *err)
{
    return set_out(node, (rn_dims){.rank = 1, .c = rn_dims_size(*in), .h = 1, .w = 1}, err);
}

rn_status rn_shape_linear(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (!rn_constant_is_set(node->weight)) return rn_fail(err, RN_ERR_FORMAT, "no weight");
    if (in->rank != 1) {
        char text[TEXT];
        return rn_fail(err, RN_ERR_FORMAT, "the input is %s: flatten it first",
                       rn_dims_text(*in, text, sizeof text));
    }
    return set_out(node, (rn_dims){.rank = 1, .c = node->channels, .h = 1, .w = 1}, err);
}

rn_status rn_shape_group_norm(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (!rn_constant_is_set(node->weight) || !rn_constant_is_set(node->bias))
        return rn_fail(err, RN_ERR_FORMAT, "no weight or bias");
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    if (in->c % node->groups)
        return rn_fail(err, RN_ERR_FORMAT, "%zu channels in %zu groups", in->c, node->groups);
    return set_out(node, in[0], err);
}

rn_status rn_shape_channel_conv(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (!rn_constant_is_set(node->weight)) return rn_fail(err, RN_ERR_FORMAT, "no weight");
    if (in->rank != 3 || in->h != 1 || in->w != 1 || node->window.kh % 2 == 0)
        return rn_fail(err, RN_ERR_FORMAT, "the input must be C x 1 x 1, the kernel odd");
    return set_out(node, in[0], err);
}

/* The image is reflected at its edge, which takes two pixels. */
rn_status rn_shape_blur_pool(rn_node *node, const rn_dims *in, rn_error *err)
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
    return rn_shape_pool(node, in, err);
}

rn_status rn_shape_channel_pad(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    if (node->channels < in->c)
        return rn_fail(err, RN_ERR_FORMAT, "%zu channels can't become %zu", in->c, node->channels);
    return set_out(node, (rn_dims){3, node->channels, in->h, in->w}, err);
}

static bool broadcast_axis(size_t a, size_t b, size_t *out)
{
    *out = a == 1 ? b : a;
    return a == b || a == 1 || b == 1;
}

bool rn_broadcast(rn_dims a, rn_dims b, rn_dims *out)
{
    out->rank = a.rank;
    return a.rank == b.rank && broadcast_axis(a.c, b.c, &out->c) &&
           broadcast_axis(a.h, b.h, &out->h) && broadcast_axis(a.w, b.w, &out->w);
}

rn_status rn_shape_broadcast(rn_node *node, const rn_dims *in, rn_error *err)
{
    rn_dims out;
    char a[TEXT], b[TEXT];
    if (!rn_broadcast(in[0], in[1], &out))
        return rn_fail(err, RN_ERR_FORMAT, "shapes %s and %s can't be %s",
                       rn_dims_text(in[0], a, sizeof a), rn_dims_text(in[1], b, sizeof b),
                       node->op == RN_OP_MUL ? "multiplied" : "added");
    return set_out(node, out, err);
}

/* Channels behind channels. */
rn_status rn_shape_concat(rn_node *node, const rn_dims *in, rn_error *err)
{
    char a[TEXT], b[TEXT];
    if (in[0].rank != in[1].rank || in[0].h != in[1].h || in[0].w != in[1].w)
        return rn_fail(err, RN_ERR_FORMAT, "channels of %s and %s can't be joined",
                       rn_dims_text(in[0], a, sizeof a), rn_dims_text(in[1], b, sizeof b));
    rn_dims out = in[0];
    out.c += in[1].c;
    return set_out(node, out, err);
}

rn_status rn_shape_zero_pad(rn_node *node, const rn_dims *in, rn_error *err)
{
    if (want_map(in, err) != RN_OK) return RN_ERR_FORMAT;
    const rn_window *w = &node->window;
    rn_dims out = *in;
    if (!rn_size_add(out.h, w->pad_top, &out.h) || !rn_size_add(out.h, w->pad_bottom, &out.h) ||
        !rn_size_add(out.w, w->pad_left, &out.w) || !rn_size_add(out.w, w->pad_right, &out.w))
        return rn_fail(err, RN_ERR_FORMAT, "padding beyond any image");
    return set_out(node, out, err);
}
