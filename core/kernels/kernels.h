/* The contract between the plan and the kernels, written once for all of them.
 *
 * A kernel implements one operator (of graph/ops.def) with its fused epilogue, for some shapes, on
 * some instruction set, from one layout to another: one rn_impl, one row in kernels/impls.c. The
 * plan takes the first row that supports a step; the reference kernels, in plain C and last in the
 * list, define what is right.
 *
 * A new one is a file with its rn_impl, declared in a header of its own, and its row in impls.c in
 * front of those that it is better than: gemm_blas.c is one for any CPU, what an instruction set's
 * are built on, blocked/blocked.h says. tests/kernels takes every row through all its cases that
 * the row supports. Where sums of transformed values are rounded, as Winograd's are, the name
 * begins with "winograd": the tests then allow for that. `resnetd inspect FILE` shows which row a
 * layer got, tests/bench/kernel_bench --impl NAME times one.
 *
 * Threads: an rn_impl is constant. run() is called by one thread, splits its work with
 * rn_team_for(args->team) and touches nothing but what args point to.
 * Preconditions are asserted by kernels, never reported: the plan has checked everything. */
#ifndef RN_KERNELS_KERNELS_H
#define RN_KERNELS_KERNELS_H

#include "graph/graph.h"
#include "kernels/cpu.h"
#include "run/team.h"

/* How one image's value lies in memory, images one after the other. Blocked values are 64-byte
 * aligned; NCHW ones may be a caller's buffer and promise no more than a float's alignment. */
typedef enum {
    RN_LAYOUT_NCHW,    /* c, h, w */
    RN_LAYOUT_NCHW16C, /* ceil(c / 16), h, w, 16: the channels beyond c are zero, always */
    RN_LAYOUT_SAME,    /* an impl's dst_layout only: whatever its source has, and any source */
} rn_layout;

/* Floats of one image in that layout. */
size_t rn_layout_size(rn_layout layout, rn_dims dims);
const char *rn_layout_name(rn_layout layout);

/* What happens to a result before it is stored. y is the operator's result with its bias; `addend`
 * is the step's second source, of the output's shape and layout:
 *   add NONE:  act(y)     BEFORE_ACT: act(y + addend)  (a ResNet block)
 *                         AFTER_ACT:  act(y) + addend  (the residual layer) */
typedef enum { RN_ACT_NONE, RN_ACT_RELU } rn_activation;
typedef enum { RN_ADD_NONE, RN_ADD_BEFORE_ACT, RN_ADD_AFTER_ACT } rn_addition;
typedef struct {
    rn_activation act;
    rn_addition add;
} rn_epilogue;

/* One step of a plan as the kernels see it. */
typedef struct {
    rn_op op;
    rn_dims in[RN_MAX_INPUTS]; /* in[1]: an Add's second operand; unused with a fused addend */
    rn_dims out;
    rn_window window;                 /* strides and dilations are >= 1 */
    double eps;                       /* GROUP_NORM */
    size_t groups;                    /* CONV: in[0].c and out.c are multiples of it */
    rn_epilogue epilogue;             /* CONV, LINEAR, norms, ADD (add NONE only) */
    rn_layout src_layout, dst_layout; /* REORDER: from, to; else what the plan has settled */
} rn_desc;

typedef struct {
    const float *src;     /* n images of in[0] in src_layout */
    const float *addend;  /* n images: the epilogue's addend or the second operand; else NULL */
    float *dst;           /* n images of out in dst_layout; never overlaps src or addend */
    const float *weights; /* packed by impl->pack(); when packed_size() is 0 in the file's order,
                           * each output channel times its scale */
    const float *bias;    /* out.c floats rounded up to 16 with zeros; never NULL for CONV, LINEAR
                           * and BATCH_NORM */
    float *scratch;       /* scratch_size() floats, 64-byte aligned, contents undefined */
    size_t n;             /* images, >= 1 */
    rn_team *team;        /* NULL: this thread alone */
} rn_args;

typedef struct {
    const char *name; /* "gemm_blas": what inspect shows */
    rn_op op;
    rn_isa isa; /* needs at least this one */
    rn_layout src_layout, dst_layout;
    /* NULL: any shape, any epilogue of this op. */
    bool (*supports)(const rn_desc *desc);
    /* Floats of the packed weights; NULL or 0: the file's order is used as it is. */
    size_t (*packed_size)(const rn_desc *desc);
    /* weights: file order. scale: out.c factors of batch norm to multiply in (per output channel),
     * or NULL. Writes packed_size() floats. */
    void (*pack)(const rn_desc *desc, const float *weights, const float *scale, float *packed);
    /* Floats of scratch for n images on that many threads; NULL: none. Grows with n and threads. */
    size_t (*scratch_size)(const rn_desc *desc, size_t n, size_t threads);
    void (*run)(const rn_desc *desc, const rn_args *args);
} rn_impl;

/* The ordered list: best first, the reference last. */
extern const rn_impl *const rn_impls[];
extern const size_t rn_impl_count;

/* The first row that can do this step on that isa. src_layout and dst_layout of *desc don't matter
 * (but for REORDER). Never NULL: each operator has a reference. */
const rn_impl *rn_impl_choose(const rn_desc *desc, rn_isa isa);

/* One value's path through an epilogue: what the reference and all edge code use. */
static inline float rn_epilogue_apply(rn_epilogue epilogue, float y, float addend)
{
    if (epilogue.add == RN_ADD_BEFORE_ACT) y += addend;
    if (epilogue.act == RN_ACT_RELU)
        y = y > 0 ? y : (y == y ? 0 : y); /* NaN passes, as in PyTorch */
    if (epilogue.add == RN_ADD_AFTER_ACT) y += addend;
    return y;
}

#endif
