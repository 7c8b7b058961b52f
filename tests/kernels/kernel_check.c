#include "kernel_check.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "base/size.h"
#include "graph/shape.h"
#include "kernels/gemm_blas.h"

/* ThreadSanitizer makes kernels some hundred times as slow: one thread alone has no race for it. */
#if defined(__SANITIZE_THREAD__)
enum { RACES_ONLY = 1 };
#else
enum { RACES_ONLY = 0 };
#endif

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
    size_t in, other, out, added, weight; /* floats of the following */
    float *src, *second, *addend;         /* NCHW */
    float *weights, *bias, *scale;        /* the file's order */
    float *scaled;                        /* weights with scale multiplied in */
    float *expected, *magnitude; /* the reference's result, and that of all absolute values */
} kernel_case;

/* What the node of this step is to the operator's rules. */
static rn_node node_of(const rn_desc *d)
{
    return (rn_node){.op = d->op,
                     .inputs = d->inputs,
                     .window = d->window,
                     .groups = d->groups ? d->groups : 1,
                     .channels = d->out.c};
}

static size_t weight_count(const rn_desc *d)
{
    const rn_node node = node_of(d);
    return rn_op_elements_rule(d->op)(&node, d->in, RN_WEIGHT);
}

static void make_absolute(float *data, size_t size)
{
    for (size_t i = 0; i < size; i++) data[i] = fabsf(data[i]);
}

static void run_reference(const kernel_case *c, float *dst)
{
    const rn_args args = {.in = {c->src, c->second},
                          .addend = c->addend,
                          .dst = dst,
                          .weights = c->scaled,
                          .bias = c->bias,
                          .n = c->n};
    rn_impl_reference(c->desc.op)->run(&c->desc, &args);
}

static void free_case(kernel_case *c)
{
    float *const all[] = {c->src,   c->second, c->addend,   c->weights,  c->bias,
                          c->scale, c->scaled, c->expected, c->magnitude};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rn_free(all[i]);
}

static kernel_case new_case(const rn_desc *d, size_t n, check_values values)
{
    const size_t in = n * rn_shape_size(d->in[0]), out = n * rn_shape_size(d->out);
    const size_t other = d->inputs == 2 ? n * rn_shape_size(d->in[1]) : 0;
    const size_t added = rn_epilogue_adds(&d->epilogue) ? out : 0;
    const size_t weight = weight_count(d), bias = rn_round_up(d->out.c, 16);
    kernel_case c = {.desc = *d,
                     .n = n,
                     .values = values,
                     .in = in,
                     .other = other,
                     .out = out,
                     .added = added,
                     .weight = weight};
    random_state = (uint32_t)(in * 31 + out);
    c.src = new_floats(in);
    c.second = other ? new_floats(other) : NULL;
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
    fill(c.second, other, values);
    fill(c.addend, added, values);
    for (size_t i = 0; i < d->out.c; i++) c.scale[i] = i % 2 || d->op == RN_OP_GROUP_NORM ? 1 : -2;
    for (size_t i = 0; i < weight; i++)
        c.scaled[i] = c.weights[i] * c.scale[i / (weight / d->out.c)];
    return c;
}

/* Sums of small integers are exact: how large they are is then of no interest. */
static bool is_exact(const kernel_case *c)
{
    const rn_accuracy accuracy = rn_op_row_of(c->desc.op)->accuracy;
    return accuracy == RN_ACCURACY_EXACT ||
           (c->values != VALUES_FLOATS && accuracy == RN_ACCURACY_SUMS);
}

/* The reference's result, and the sum of the absolute values of all it is the sum of. */
static void run_case(kernel_case *c)
{
    run_reference(c, c->expected);
    if (is_exact(c)) return;
    kernel_case absolute = new_case(&c->desc, c->n, c->values);
    make_absolute(absolute.src, c->in);
    make_absolute(absolute.scaled, c->weight);
    make_absolute(absolute.bias, c->desc.out.c);
    make_absolute(absolute.second, c->other);
    make_absolute(absolute.addend, c->added);
    run_reference(&absolute, c->magnitude);
    free_case(&absolute);
}

/* ---- one implementation --------------------------------------------------------------------- */

static float *to_layout(const float *src, rn_shape dims, size_t n, rn_layout layout)
{
    if (!src) return NULL;
    float *dst = new_floats(n * rn_layout_size(layout, dims));
    const rn_desc desc = {.op = RN_OP_REORDER,
                          .inputs = 1,
                          .in = {dims},
                          .out = dims,
                          .src_layout = RN_LAYOUT_NCHW,
                          .dst_layout = layout};
    rn_impl_reference(RN_OP_REORDER)->run(&desc, &(rn_args){.src = src, .dst = dst, .n = n});
    return dst;
}

/* What the operator's row and the implementation's allow. */
static double tolerance(const kernel_case *c, const rn_impl *impl, double magnitude, double largest)
{
    const rn_accuracy accuracy = rn_op_row_of(c->desc.op)->accuracy;
    const bool transformed = impl->rounding == RN_TRANSFORMED;
    const bool whole = c->values != VALUES_FLOATS;
    if (impl->rounding == RN_EXACT) return 0;
    if (accuracy == RN_ACCURACY_NORMALISES) return (double)FLT_EPSILON * 64 * largest;
    if (accuracy == RN_ACCURACY_EXACT) return 0;
    if (whole && accuracy == RN_ACCURACY_SUMS)
        return transformed ? 0.25 : 0; /* transformed: the nearest integer is right */
    return (double)FLT_EPSILON * (transformed ? 24 * largest : 8 * magnitude);
}

static void compare(const kernel_case *c, const rn_impl *impl, const float *got, const char *where)
{
    const rn_shape out = c->desc.out;
    const size_t area = rn_shape_pixels(out);
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
        if (error <= limit || got[at] == c->expected[want] ||
            (isnan(got[at]) && isnan(c->expected[want])))
            continue;
        ck_abort_msg("%s: image %zu channel %zu row %zu column %zu: want %.9g, got %.9g, limit %g",
                     where, image, ch, p / out.w, p % out.w, (double)c->expected[want],
                     (double)got[at], limit);
    }
}

static void describe(const kernel_case *c, const rn_impl *impl, size_t threads, char text[256])
{
    const rn_desc *d = &c->desc;
    const rn_window *w = &d->window;
    char shape[96], epilogue[64];
    snprintf(text, 256,
             "%s %s: %zu samples of %s to %zu, %zux%zu stride %zu pad %zu dilation %zu groups %zu, "
             "then %s, %zu threads",
             rn_op_name(d->op), impl->name, c->n, rn_shape_write(d->in[0], shape, sizeof shape),
             d->out.c, w->kh, w->kw, w->stride_h, w->pad_top, w->dilation_h, d->groups,
             rn_epilogue_write(&d->epilogue, epilogue, sizeof epilogue), threads);
}

/* The last image of the batch alone, on one thread, must get the same answer to the bit. */
static void check_alone(const kernel_case *c, const rn_impl *impl, const rn_args *batch,
                        const char *where)
{
    const rn_desc *d = &c->desc;
    const size_t last = c->n - 1, size = rn_layout_size(d->dst_layout, d->out);
    buffer dst = new_buffer(size);
    rn_args args = *batch;
    args.n = 1;
    args.team = NULL;
    for (size_t i = 0; i < d->inputs; i++)
        args.in[i] += last * rn_layout_size(d->src_layout, d->in[i]);
    if (args.addend) args.addend += last * size;
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
    float *second = to_layout(c->second, d->in[1], c->n, d->src_layout);
    float *addend = to_layout(c->addend, d->out, c->n, d->dst_layout);
    if (packs) impl->pack(d, c->weights, c->scale, packed.data);
    const rn_args args = {.in = {src, second},
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
    if (c->values != VALUES_WITH_NAN && !RACES_ONLY) check_alone(c, impl, &args, where);
    float *const all[] = {dst.memory, scratch.memory, packed.memory, src, second, addend};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) rn_free(all[i]);
}

/* ---- all of them ---------------------------------------------------------------------------- */

static atomic_size_t *runs; /* of each of rn_impls; NULL: not counted */

void check_count_runs(void)
{
    runs = mmap(NULL, rn_impl_count * sizeof *runs, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (runs == MAP_FAILED) abort();
}

size_t check_runs_of(size_t i)
{
    return atomic_load(&runs[i]);
}

static void find_out(rn_desc *d)
{
    rn_error err = {.text = ""};
    if (d->inputs == 0) d->inputs = rn_op_row_of(d->op)->least;
    rn_node node = node_of(d);
    const rn_status status = rn_op_shape_rule(d->op)(&node, d->in, &d->out, &err);
    ck_assert_msg(status == RN_OK, "%s", err.text);
}

bool check_takes(const rn_impl *impl, rn_desc desc)
{
    find_out(&desc);
    desc.src_layout = impl->src_layout;
    desc.dst_layout = impl->dst_layout;
    return rn_impl_takes(impl, &desc, impl->needs);
}

size_t check_kernels(rn_desc desc, size_t n, check_values values)
{
    static rn_team *team;
    if (!team) {
        rn_gemm_init();
        ck_assert_int_eq(rn_team_new(&team, 3, false, NULL), RN_OK);
    }
    const rn_layout from = desc.src_layout, to = desc.dst_layout; /* a Reorder's */
    const rn_isa isa = rn_isa_detect();
    size_t ran = 0;
    find_out(&desc);
    desc.src_layout = desc.dst_layout = RN_LAYOUT_NCHW; /* for the reference */
    kernel_case c = new_case(&desc, n, values);
    run_case(&c);
    for (size_t i = 0; i < rn_impl_count; i++) {
        const rn_impl *impl = rn_impls[i];
        if (impl->op != desc.op || impl == rn_impl_reference(desc.op)) continue;
        c.desc.src_layout = desc.op == RN_OP_REORDER ? from : impl->src_layout;
        c.desc.dst_layout = desc.op == RN_OP_REORDER ? to : impl->dst_layout;
        if (!rn_impl_takes(impl, &c.desc, isa)) continue;
        if (!RACES_ONLY) run_impl(&c, impl, NULL);
        run_impl(&c, impl, team);
        if (runs) atomic_fetch_add(&runs[i], 1);
        ran++;
    }
    free_case(&c);
    return ran;
}

rn_desc check_conv_desc(rn_shape in, size_t oc, size_t kernel, size_t stride, size_t pad)
{
    return (rn_desc){.op = RN_OP_CONV,
                     .in = {in},
                     .out = {.c = oc},
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

rn_epilogue check_epilogue(size_t index)
{
    static const rn_epilogue lists[CHECK_EPILOGUES] = {
        {0},
        {1, {{.op = RN_OP_RELU}}},
        {1, {{.op = RN_OP_ADD}}},
        {2, {{.op = RN_OP_ADD}, {.op = RN_OP_RELU}}},
        {2, {{.op = RN_OP_RELU}, {.op = RN_OP_ADD}}},
        {3, {{.op = RN_OP_RELU}, {.op = RN_OP_ADD}, {.op = RN_OP_RELU}}},
        {2, {{.op = RN_OP_MUL}, {.op = RN_OP_RELU}}},
        {1, {{.op = RN_OP_LEAKY_RELU, .parameter = {0.5F}}}},
    };
    return lists[index];
}
