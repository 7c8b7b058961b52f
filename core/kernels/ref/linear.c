/* Linear (y = x W^T + b, weights oc x ic) and BatchNorm2d as the affine map it is at inference. */
#include "kernels/ref/ref.h"

static void run_linear(const rn_desc *desc, const rn_args *args)
{
    const size_t ic = rn_shape_size(desc->in[0]), oc = desc->out.c;
    for (size_t i = 0; i < args->n * oc; i++) {
        const float *x = args->src + i / oc * ic, *row = args->weights + i % oc * ic;
        double sum = (double)args->bias[i % oc];
        for (size_t k = 0; k < ic; k++) sum += (double)x[k] * (double)row[k];
        args->dst[i] = (float)sum;
    }
    rn_epilogue_apply(&desc->epilogue, args->dst, args->addend, args->n * oc);
}

/* weights: the factor of each channel, (c); bias: what is added, (c) */
static void run_batch_norm(const rn_desc *desc, const rn_args *args)
{
    const size_t c = desc->out.c, area = desc->out.h * desc->out.w;
    for (size_t i = 0; i < args->n * c * area; i++) {
        const size_t channel = i / area % c;
        const double y =
            (double)args->src[i] * (double)args->weights[channel] + (double)args->bias[channel];
        args->dst[i] = (float)y;
    }
    rn_epilogue_apply(&desc->epilogue, args->dst, args->addend, args->n * c * area);
}

const rn_impl rn_ref_linear = {.name = "ref", .op = RN_OP_LINEAR, .run = run_linear};
const rn_impl rn_ref_batch_norm = {.name = "ref", .op = RN_OP_BATCH_NORM, .run = run_batch_norm};
