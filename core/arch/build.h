/* Tools that turn named tensors into graph nodes, for layers.c and the families.
 *
 * A value below 0 means that something failed: *err was filled by whoever failed first, and every
 * function here passes the failure on, so that a chain of layers needs one check at its end. */
#ifndef RN_ARCH_BUILD_H
#define RN_ARCH_BUILD_H

#include "arch/arch.h"
#include "arch/names.h"

typedef struct {
    rn_arch *arch;
    rn_graph *graph;
    rn_tensors *tensors;
    const rn_names *names;
    rn_error *err;
} rn_builder;

/* A layer's own tensor, "LAYER.LEAF"; NULL when there is none. */
rn_tensor *rn_build_find(const rn_builder *b, const char *layer, const char *leaf);

/* The same, but one that must be there and have that rank; NULL with *err filled. */
rn_tensor *rn_build_need(const rn_builder *b, const char *layer, const char *leaf, size_t rank);

/* Sets *out to its numbers when it has exactly that shape; false with *err filled. */
bool rn_build_constant(const rn_builder *b, const char *layer, const char *leaf, size_t rank,
                       const size_t *shape, rn_constant *out);

typedef enum { RN_BIAS_NONE, RN_BIAS_NEEDED, RN_BIAS_IF_THERE } rn_bias;

/* LAYER.weight (oc, ic / groups, kh, kw) decides channels and kernel. groups 0: what the weight's
 * shape says. */
int rn_build_conv(const rn_builder *b, int src, const char *layer, const rn_window *window,
                  size_t groups, rn_bias bias);

/* LAYER.running_mean, running_var; .weight and .bias unless affine is false */
int rn_build_batch_norm(const rn_builder *b, int src, const char *layer, double eps, bool affine);

/* LAYER.weight (out, in) */
int rn_build_linear(const rn_builder *b, int src, const char *layer, rn_bias bias);

/* LAYER.weight and LAYER.bias (c) */
int rn_build_group_norm(const rn_builder *b, int src, const char *layer, size_t groups, double eps);

/* LAYER.weight (1, 1, k), over the channels of one pixel */
int rn_build_channel_conv(const rn_builder *b, int src, const char *layer);

/* Operators without parameters: of one value, of one with a window, of two. */
int rn_build_unary(const rn_builder *b, int src, const char *layer, rn_op op);
/* Elementwise, with the two parameters of its formula. */
int rn_build_elementwise(const rn_builder *b, int src, const char *layer, rn_op op,
                         const double parameter[2]);
/* LAYER.weight: one slope for all, or one per channel */
int rn_build_prelu(const rn_builder *b, int src, const char *layer);
int rn_build_window(const rn_builder *b, int src, const char *layer, rn_op op,
                    const rn_window *window);
int rn_build_binary(const rn_builder *b, int left, int right, const char *layer, rn_op op);
int rn_build_channel_pad(const rn_builder *b, int src, const char *layer, size_t channels);

int rn_build_input(const rn_builder *b, size_t channels, size_t height, size_t width);

rn_shape rn_build_shape(const rn_builder *b, int value);

/* The window of a square kernel, its padding the same on all sides. */
rn_window rn_square(size_t kernel, size_t stride, size_t pad);

#endif
