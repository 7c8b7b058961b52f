/* The contract between the plan and the kernels, written once for all of them.
 *
 * A kernel implements one operator (of graph/ops.def) with its fused epilogue, for some shapes, on
 * some instruction set, from one layout to another: one rn_impl, one row in kernels/impls.c. The
 * plan takes the first row that supports a step; the reference kernels, in plain C and last in the
 * list, define what is right.
 *
 * A new one is a file with its rn_impl, declared in a header of its own, and its row in impls.c
 * before those that it is better than: gemm_blas.c is one for any CPU, what an instruction set's
 * are built on, blocked/blocked.h says. A row names the instruction set that it needs and its
 * rounding; tests/kernels takes every row through all its cases that the row supports. `resnetd
 * inspect FILE` shows which row a layer got, tests/bench/kernel_bench --impl NAME times one.
 *
 * Threads: an rn_impl is constant. run() is called by one thread, splits its work with
 * rn_team_for(args->team) and touches nothing but what args point to.
 * Preconditions are asserted by kernels, never reported: the plan has checked everything. */
#ifndef RN_KERNELS_KERNELS_H
#define RN_KERNELS_KERNELS_H

#include "graph/graph.h"
#include "kernels/cpu.h"
#include "kernels/epilogue.h"
#include "run/team.h"

/* How one image's value lies in memory, images one after the other. Blocked values are 64-byte
 * aligned; NCHW ones may be a caller's buffer and promise no more than a float's alignment. */
typedef enum {
    RN_LAYOUT_NCHW,    /* c, h, w */
    RN_LAYOUT_NCHW16C, /* ceil(c / 16), h, w, 16: the channels beyond c are zero, always */
    RN_LAYOUT_SAME,    /* an impl's dst_layout only: whatever its source has, and any source */
} rn_layout;

/* Floats of one image in that layout. */
size_t rn_layout_size(rn_layout layout, rn_shape shape);
const char *rn_layout_name(rn_layout layout);

#define RN_STEP_INPUTS 3 /* values that a kernel reads, at most, beside the epilogue's addend */

/* One step of a plan as the kernels see it. */
typedef struct {
    rn_op op;
    size_t inputs;
    rn_shape in[RN_STEP_INPUTS];
    rn_shape out;
    rn_window window;                 /* strides and dilations are >= 1 */
    double eps;                       /* GROUP_NORM */
    size_t groups;                    /* CONV: in[0].c and out.c are multiples of it */
    float parameter[RN_PARAMETERS];   /* elementwise */
    rn_epilogue epilogue;             /* empty unless the operator's row says that it takes one */
    rn_layout src_layout, dst_layout; /* REORDER: from, to; else what the plan has settled */
} rn_desc;

typedef struct {
    union {
        const float *in[RN_STEP_INPUTS]; /* n samples of in[i] in src_layout */
        const float *src;                /* the first */
    };
    const float *addend;  /* n samples of out in dst_layout, for the epilogue; else NULL */
    float *dst;           /* n samples of out in dst_layout; never overlaps what is read */
    const float *weights; /* packed by impl->pack(); when packed_size() is 0 in the file's order,
                           * each output channel times its scale */
    const float *bias;    /* out.c floats rounded up to 16 with zeros; never NULL for CONV, LINEAR
                           * and BATCH_NORM */
    float *scratch;       /* scratch_size() floats, 64-byte aligned, contents undefined */
    size_t n;             /* samples, >= 1 */
    rn_team *team;        /* NULL: this thread alone */
} rn_args;

/* How a kernel's results differ from the reference's. */
typedef enum {
    RN_REASSOCIATED, /* the same products, added up in another order */
    RN_EXACT,        /* not at all */
    RN_TRANSFORMED,  /* sums of transformed values, as Winograd's */
    RN_REDUCED,      /* products of fewer bits */
} rn_rounding;

typedef struct {
    const char *name; /* "gemm_blas": what inspect shows */
    rn_op op;
    rn_isa needs;
    rn_rounding rounding;
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

/* The operator's reference. */
const rn_impl *rn_impl_reference(rn_op op);

/* Whether the row can do this step on that isa. */
bool rn_impl_takes(const rn_impl *impl, const rn_desc *desc, rn_isa isa);

#endif
