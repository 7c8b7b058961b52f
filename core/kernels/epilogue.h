/* What happens to a result before it is stored: a short list, done in order.
 *
 * Each entry is an elementwise operator: one of a value alone (with its parameters), or one of the
 * value and the step's addend, which has the output's shape and layout. A ResNet block is
 * {Add, ReLU}, the residual layer {ReLU, Add}. One entry at most reads the addend. */
#ifndef RN_KERNELS_EPILOGUE_H
#define RN_KERNELS_EPILOGUE_H

#include "graph/graph.h"

#define RN_MAX_POSTS 4

typedef struct {
    rn_op op; /* RN_KIND_UNARY or RN_KIND_BINARY */
    float parameter[RN_PARAMETERS];
} rn_post;

typedef struct {
    size_t count;
    rn_post post[RN_MAX_POSTS];
} rn_epilogue;

/* Whether an entry reads the addend. */
bool rn_epilogue_adds(const rn_epilogue *epilogue);

/* Whether 0 with an addend of 0 stays 0. */
bool rn_epilogue_keeps_zero(const rn_epilogue *epilogue);

/* Appends an entry; false when the list is full, or reads an addend already. */
bool rn_epilogue_append(rn_epilogue *epilogue, const rn_post *post);

/* y[0..count) go through the list, with addend[0..count) (not read when no entry does). What the
 * reference and all edge code use. */
void rn_epilogue_apply(const rn_epilogue *epilogue, float *y, const float *addend, size_t count);

/* The formulas of elementwise.def: dst may be src (a or b). */
void rn_unary(rn_op op, const float parameter[RN_PARAMETERS], const float *src, float *dst,
              size_t count);
void rn_binary(rn_op op, const float *a, const float *b, float *dst, size_t count);
float rn_binary_one(rn_op op, float a, float b);

/* "Add+ReLU" */
char *rn_epilogue_write(const rn_epilogue *epilogue, char *text, size_t size);

#endif
