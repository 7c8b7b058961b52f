#include "kernel_check.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"
#include "graph/shape.h"
#include "kernels/gemm_blas.h"

enum { GUARD = 64 }; /* floats on both sides of what a kernel may write */
static const float guard_value = 12345.5F;

/* ---- memory with guards --------------------------------------------------------------------- */

typedef struct {
    float *memory, *data;
    size_t size;
} buffer;

static float *new_floats(size_t size)
{
    float *data = rn_alloc_zero(size, sizeof *data, NULL);
    ck_assert_ptr_nonnull(data);
    return data;
}

static buffer new_buffer(size_t size)
{
    buffer b = {.memory = new_floats(size + 2 * GUARD), .size = size};
    for (size_t i = 0; i < size + 2 * GUARD; i++) b.memory[i] = guard_value;
    b.data = b.memory + GUARD;
    return b;
}

static void check_guards(const buffer *b, const char *what, const char *where)
{
    for (size_t i = 0; i < GUARD; i++)
        ck_assert_msg(b->memory[i] == guard_value && b->data[b->size + i] == guard_value,
                      "%s: written outside of the %s", where, what);
}

/* ---- values --------------------------------------------------------------------------------- */

static uint32_t random_state;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525U + 1013904223U;
    return random_state >> 8;
}

static void fill(float *data, size_t size, check_values values)
{
    for (size_t i = 0; i < size; i++)
        data[i] = values == VALUES_FLOATS ? (float)next_random() / (float)(1 << 23) - 1
                                          : (float)(next_random() % 7) - 3;
    for (size_t i = 5; values == VALUES_WITH_NAN && i < size; i += 23) data[i] = NAN;
}

/* ---- one case ------------------------------------------------------------------------------- */

typedef struct {
    rn_desc desc;
    size_t n;
    check_values values;
    size_t in, out, added, weight;                /* floats of the following */
    float *src, *addend, *weights, *bias, *scale; /* NCHW and the file's order */
    float *scaled;                                /* weights with scale multiplied in */
    float *expected, *magnitude; /* the reference's result, and that of all absolute values */
} kernel_case;

static const rn_impl *reference_of(rn_op op)
{
    const rn_impl *reference = NULL;
    for (size_t i = 0; i < rn_impl_count; i++)
        if (rn_impls[i]->op == op) reference = rn_impls[i];
    ck_assert_ptr_nonnull(reference);
    return reference;
}

static size_t weight_count(const rn_desc *d)
{
    if (d->op == RN_OP_CONV)
        return d->out.c * (d->in[0].c / d->groups) * d->window.kh * d->window.kw;
    if (d->op == RN_OP_LINEAR) return d->out.c * rn_dims_size(d->in[0]);
    return d->op == RN_OP_BATCH_NORM || d->op == RN_OP_GROUP_NORM ? d->out.c : 0;
}

static void make_absolute(float *data, size_t size)
{
    for (size_t i = 0; i < size; i++) data[i] = fabsf(data[i]);
}

static void run_reference(const kernel_case *c, float *dst)
{
    const rn_args args = {.src = c->src,
                          .addend = c->addend,
                          .dst = dst,
                          .weights = c->scaled,
                          .bias = c->bias,
                          .n = c->n};
    reference_of(c->desc.op)->run(&c->desc, &args);
}

static void free_case(kernel_case *c)
{
    float *const all[] = {c->src,   c->addend, c->weights,  c->bias,
                          c->scale, c->scaled, c->expected, c->magnitude};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rn_free(all[i]);
}

static kernel_case new_case(const rn_desc *d, size_t n, check_values values)
{
    const bool second = rn_op_inputs(d->op) == 2;
    const bool addend = second || d->epilogue.add != RN_ADD_NONE;
    const size_t in = n * rn_dims_size(d->in[0]), out = n * rn_dims_size(d->out);
    const size_t added = !addend ? 0 : second ? n * rn_dims_size(d->in[1]) : out;
    const size_t weight = weight_count(d), bias = rn_round_up(d->out.c, 16);
    kernel_case c = {.desc = *d,
                     .n = n,
                     .values = values,
                     .in = in,
                     .out = out,
                     .added = added,
                     .weight = weight};
    random_state = (uint32_t)(in * 31 + out);
    c.src = new_floats(in);
    c.addend = added ? new_floats(added) : NULL;
    c.weights = new_floats(weight);
    c.scaled = new_floats(weight);
    c.bias = new_floats(bias);
    c.scale = new_floats(d->out.c);
    c.expected = new_floats(out);
    c.magnitude = new_floats(out);
    fill(c.src, in, values);
    fill(c.weights, weight, values);
    fill(c.bias, d->out.c, values);
    fill(c.addend, added, values);
    for (size_t i = 0; i < d->out.c; i++) c.scale[i] = i % 2 || d->op == RN_OP_GROUP_NORM ? 1 : -2;
    for (size_t i = 0; i < weight; i++)
        c.scaled[i] = c.weights[i] * c.scale[i / (weight / d->out.c)];
    return c;
}

/* The reference's result, and the sum of the absolute values of all it is the sum of. */
static void run_case(kernel_case *c)
{
    kernel_case absolute = new_case(&c->desc, c->n, c->values);
    make_absolute(absolute.src, c->in);
    make_absolute(absolute.scaled, c->weight);
    make_absolute(absolute.bias, c->desc.out.c);
    make_absolute(absolute.addend, c->added);
    run_reference(&absolute, c->magnitude);
    run_reference(c, c->expected);
    free_case(&absolute);
}

/* ---- one implementation --------------------------------------------------------------------- */

static float *to_layout(const float *src, rn_dims dims, size_t n, rn_layout layout)
{
    if (!src) return NULL;
    float *dst = new_floats(n * rn_layout_size(layout, dims));
    const rn_desc desc = {.op = RN_OP_REORDER,
                          .in = {dims},
                          .out = dims,
                          .src_layout = RN_LAYOUT_NCHW,
                          .dst_layout = layout};
    reference_of(RN_OP_REORDER)->run(&desc, &(rn_args){.src = src, .dst = dst, .n = n});
    return dst;
}

static double tolerance(const kernel_case *c, const rn_impl *impl, double magnitude, double largest)
{
    const bool winograd = strncmp(impl->name, "winograd", 8) == 0;
    const bool divides = c->desc.op == RN_OP_GLOBAL_AVG_POOL || c->desc.op == RN_OP_AVG_POOL;
    if (c->desc.op == RN_OP_GROUP_NORM) return (double)FLT_EPSILON * 64 * largest;
    if (c->values != VALUES_FLOATS && !divides)
        return winograd ? 0.25 : 0; /* Winograd: the nearest integer is right */
    return (double)FLT_EPSILON * (winograd ? 24 * largest : 8 * magnitude);
}

static void compare(const kernel_case *c, const rn_impl *impl, const float *got, const char *where)
{
    const rn_dims out = c->desc.out;
    const size_t area = out.h * out.w;
    const bool blocked = c->desc.dst_layout == RN_LAYOUT_NCHW16C;
    const size_t channels = blocked ? rn_round_up(out.c, 16) : out.c;
    double largest = 0;
    for (size_t i = 0; i < c->out; i++) largest = fmax(largest, (double)c->magnitude[i]);
    for (size_t i = 0; i < c->n * channels * area; i++) {
        const size_t image = i / (channels * area), ch = i / area % channels, p = i % area;
        const size_t at = blocked ? ((image * channels + ch) / 16 * area + p) * 16 + ch % 16 : i;
        const size_t want = (image * out.c + ch) * area + p;
        if (ch >= out.c) {
            ck_assert_msg(got[at] == 0, "%s: channel %zu behind the last is %g, not zero", where,
                          ch, (double)got[at]);
            continue;
        }
        const double limit = tolerance(c, impl, (double)c->magnitude[want], largest);
        const double error = fabs((double)got[at] - (double)c->expected[want]);
        if (error <= limit || (isnan(got[at]) && isnan(c->expected[want]))) continue;
        ck_abort_msg("%s: image %zu channel %zu row %zu column %zu: want %.9g, got %.9g, limit %g",
                     where, image, ch, p / out.w, p % out.w, (double)c->expected[want],
                     (double)got[at], limit);
    }
}

static void describe(const kernel_case *c, const rn_impl *impl, size_t threads, char text[256])
{
    const rn_desc *d = &c->desc;
    const rn_window *w = &d->window;
    snprintf(text, 256,
             "%s %s: %zu images of %zux%zux%zu to %zu, %zux%zu stride %zu pad %zu dilation %zu "
             "groups %zu act %d add %d, %zu threads",
             rn_op_name(d->op), impl->name, c->n, d->in[0].c, d->in[0].h, d->in[0].w, d->out.c,
             w->kh, w->kw, w->stride_h, w->pad_top, w->dilation_h, d->groups, (int)d->epilogue.act,
             (int)d->epilogue.add, threads);
}

/* The last image of the batch alone, on one thread, must get the same answer to the bit. */
static void check_alone(const kernel_case *c, const rn_impl *impl, const rn_args *batch,
                        const char *where)
{
    const rn_desc *d = &c->desc;
    const size_t last = c->n - 1, size = rn_layout_size(d->dst_layout, d->out);
    const rn_dims added = rn_op_inputs(d->op) == 2 ? d->in[1] : d->out;
    buffer dst = new_buffer(size);
    rn_args args = *batch;
    args.n = 1;
    args.team = NULL;
    args.src += last * rn_layout_size(d->src_layout, d->in[0]);
    if (args.addend) args.addend += last * rn_layout_size(d->dst_layout, added);
    args.dst = dst.data;
    impl->run(d, &args);
    ck_assert_msg(memcmp(dst.data, batch->dst + last * size, size * sizeof(float)) == 0,
                  "%s: alone an image gets another answer", where);
    rn_free(dst.memory);
}

static void run_impl(kernel_case *c, const rn_impl *impl, rn_team *team)
{
    rn_desc *d = &c->desc;
    const size_t threads = rn_team_threads(team);
    char where[256];
    describe(c, impl, threads, where);
    const size_t packs = impl->packed_size ? impl->packed_size(d) : 0;
    buffer dst = new_buffer(c->n * rn_layout_size(d->dst_layout, d->out));
    buffer scratch = new_buffer(impl->scratch_size ? impl->scratch_size(d, c->n, threads) : 0);
    buffer packed = new_buffer(packs);
    float *src = to_layout(c->src, d->in[0], c->n, d->src_layout);
    float *addend =
        to_layout(c->addend, rn_op_inputs(d->op) == 2 ? d->in[1] : d->out, c->n, d->dst_layout);
    if (packs) impl->pack(d, c->weights, c->scale, packed.data);
    const rn_args args = {.src = src,
                          .addend = addend,
                          .dst = dst.data,
                          .weights = packs ? packed.data : c->scaled,
                          .bias = c->bias,
                          .scratch = scratch.data,
                          .n = c->n,
                          .team = team};
    impl->run(d, &args);
    check_guards(&dst, "output", where);
    check_guards(&scratch, "scratch", where);
    check_guards(&packed, "packed weights", where);
    compare(c, impl, dst.data, where);
    if (c->values != VALUES_WITH_NAN) check_alone(c, impl, &args, where);
    float *const all[] = {dst.memory, scratch.memory, packed.memory, src, addend};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rn_free(all[i]);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static void find_out(rn_desc *d)
{
    static rn_shape_rule *const rules[RN_OPS] = {
#define OP(id, name, inputs, shape) [RN_OP_##id] = shape,
#include "graph/ops.def"
#undef OP
    };
    static const float some_weight;
    rn_node node = {.op = d->op,
                    .window = d->window,
                    .groups = d->groups,
                    .channels = d->out.c,
                    .weight = {.floats = &some_weight},
                    .bias = {.floats = &some_weight},
                    .mean = {.floats = &some_weight},
                    .var = {.floats = &some_weight}};
    rn_error err = {.text = ""};
    const rn_status status = rules[d->op](&node, d->in, &err);
    ck_assert_msg(status == RN_OK, "%s", err.text);
    d->out = node.out;
}

bool check_takes(const rn_impl *impl, rn_desc desc)
{
    find_out(&desc);
    desc.src_layout = impl->src_layout;
    desc.dst_layout = impl->dst_layout;
    return impl->op == desc.op && (!impl->supports || impl->supports(&desc));
}

size_t check_kernels(rn_desc desc, size_t n, check_values values)
{
    static rn_team *team;
    if (!team) {
        rn_gemm_init();
        ck_assert_int_eq(rn_team_new(&team, 3, false, NULL), RN_OK);
    }
    const rn_layout from = desc.src_layout, to = desc.dst_layout; /* a Reorder's */
    const rn_isa best = rn_isa_detect();
    size_t ran = 0;
    find_out(&desc);
    desc.src_layout = desc.dst_layout = RN_LAYOUT_NCHW; /* for the reference */
    kernel_case c = new_case(&desc, n, values);
    run_case(&c);
    for (size_t i = 0; i < rn_impl_count; i++) {
        const rn_impl *impl = rn_impls[i];
        if (impl->op != desc.op || impl->isa > best || impl == reference_of(desc.op)) continue;
        c.desc.src_layout = desc.op == RN_OP_REORDER ? from : impl->src_layout;
        c.desc.dst_layout = desc.op == RN_OP_REORDER ? to : impl->dst_layout;
        if (impl->supports && !impl->supports(&c.desc)) continue;
        run_impl(&c, impl, NULL);
        run_impl(&c, impl, team);
        ran++;
    }
    free_case(&c);
    return ran;
}

rn_desc check_conv_desc(rn_dims in, size_t oc, size_t kernel, size_t stride, size_t pad)
{
    return (rn_desc){.op = RN_OP_CONV,
                     .in = {in},
                     .out = {.rank = 3, .c = oc},
                     .window = {.kh = kernel,
                                .kw = kernel,
                                .stride_h = stride,
                                .stride_w = stride,
                                .pad_top = pad,
                                .pad_left = pad,
                                .pad_bottom = pad,
                                .pad_right = pad,
                                .dilation_h = 1,
                                .dilation_w = 1},
                     .groups = 1};
}
