/* FakeQuantize: floats that take only the values that an 8-bit integer stood for. */
#include "kernels/ref/ref.h"

#include <math.h>

/* weights: the step's size, the lowest and the highest step. Halves go to the even step. */
static void run_fake_quantize(const rn_desc *desc, const rn_args *args)
{
    const size_t size = args->n * rn_layout_size(desc->src_layout, desc->out);
    const float step = args->weights[0], lowest = args->weights[1], highest = args->weights[2];
    for (size_t i = 0; i < size; i++)
        args->dst[i] = fminf(fmaxf(rintf(args->src[i] / step), lowest), highest) * step;
}

const rn_impl rn_ref_fake_quantize = {.name = "ref",
                                      .op = RN_OP_FAKE_QUANTIZE,
                                      .dst_layout = RN_LAYOUT_SAME,
                                      .run = run_fake_quantize};
