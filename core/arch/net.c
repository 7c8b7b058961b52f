#include "arch/net.h"

#include <math.h>
#include <stdio.h>

#define STD_CONV_EPS 1e-8 /* of BiT's weight standardisation */

rn_layer_name rn_join(const char *block, const char *leaf)
{
    rn_layer_name name;
    snprintf(name.text, sizeof name.text, "%s%s%s", block, *block ? "." : "", leaf);
    return name;
}

/* Each filter of weight (oc, ic / groups, kh, kw) gets mean 0 and variance 1. */
static void standardise(const rn_tensor *weight, float *filter)
{
    const size_t elements = rn_tensor_elements(weight);
    const size_t size = weight->shape[0] ? elements / weight->shape[0] : 0;
    for (float *end = filter + elements; filter < end; filter += size) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < size; i++) sum += (double)filter[i];
        const double mean = sum / (double)size;
        for (size_t i = 0; i < size; i++) {
            const double distance = (double)filter[i] - mean;
            squares += distance * distance;
        }
        const double scale = 1 / sqrt(squares / (double)size + STD_CONV_EPS);
        for (size_t i = 0; i < size; i++) filter[i] = (float)(((double)filter[i] - mean) * scale);
    }
}

int rn_net_conv(const rn_net *n, int src, const char *name, size_t stride, size_t groups)
{
    rn_tensor *weight = src < 0 ? NULL : rn_build_need(n->b, name, "weight", 4);
    if (!weight) return -1;
    if (n->family->bit) weight->transform = standardise;
    const size_t pad_h = weight->shape[2] / 2, pad_w = weight->shape[3] / 2;
    const rn_window window = {.stride_h = stride,
                              .stride_w = stride,
                              .pad_top = pad_h,
                              .pad_bottom = pad_h,
                              .pad_left = pad_w,
                              .pad_right = pad_w};
    return rn_build_conv(n->b, src, name, &window, groups, RN_BIAS_IF_THERE);
}

int rn_net_norm(const rn_net *n, int src, const char *name)
{
    const rn_family *f = n->family;
    if (f->norm_groups) return rn_build_group_norm(n->b, src, name, f->norm_groups, f->eps);
    return rn_build_batch_norm(n->b, src, name, f->eps, true);
}

int rn_net_relu(const rn_net *n, int src, const char *block)
{
    return rn_build_unary(n->b, src, rn_join(block, "relu").text, RN_OP_RELU);
}

int rn_net_conv_norm_relu(const rn_net *n, int src, const char *conv, const char *norm,
                          size_t stride)
{
    src = rn_net_norm(n, rn_net_conv(n, src, conv, stride, 1), norm);
    return rn_net_relu(n, src, "");
}

int rn_net_antialias(const rn_net *n, int src, const char *block, size_t stride)
{
    const rn_layer_name name = rn_join(block, "aa");
    const bool blur = n->family->antialias == RN_ANTIALIAS_BLUR;
    const rn_window window = rn_square(blur ? 3 : stride, stride, 0);
    return rn_build_window(n->b, src, name.text, blur ? RN_OP_BLUR_POOL : RN_OP_AVG_POOL, &window);
}
