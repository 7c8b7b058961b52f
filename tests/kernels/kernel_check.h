/* Compares kernels with the reference: each implementation that takes a case, on each instruction
 * set this CPU has, alone and with a team. */
#ifndef TESTS_KERNELS_KERNEL_CHECK_H
#define TESTS_KERNELS_KERNEL_CHECK_H

#include "kernels/kernels.h"

typedef enum {
    VALUES_INTEGERS, /* small: sums are exact, so that any order of them gives the same */
    VALUES_FLOATS,
    VALUES_WITH_NAN, /* integers, and here and there a NaN, which must come out where it should */
} check_values;

/* Runs all implementations of desc.op that support it on n images. Fails the test on the first
 * difference, on a write outside the output, on channels behind the last that are not zero, and
 * when a kernel gives an image another answer alone than in the batch, to the bit.
 * desc.out.c is used, the rest of desc.out is computed here. Returns how many implementations ran,
 * the reference not counted. */
size_t check_kernels(rn_desc desc, size_t n, check_values values);

/* Counts from now on, over all processes that are forked from this one, how often check_kernels()
 * ran each implementation. To be called before the suite runs. */
void check_count_runs(void);
/* Of rn_impls[i]. */
size_t check_runs_of(size_t i);

/* Whether that implementation supports the case. */
bool check_takes(const rn_impl *impl, rn_desc desc);

/* Lists of posts to try: none, the classic ones that kernels do on registers, and any others. */
enum { CHECK_EPILOGUES = 8 };
rn_epilogue check_epilogue(size_t index);

/* A convolution: square kernel, stride and padding. */
rn_desc check_conv_desc(rn_shape in, size_t oc, size_t kernel, size_t stride, size_t pad);

#endif
