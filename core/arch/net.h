/* The layers that a residual network is put together from, each as this family of networks has it:
 * what net.c, block.c and family.c share. Failures pass as in build.h. */
#ifndef RN_ARCH_NET_H
#define RN_ARCH_NET_H

#include "arch/family.h"

typedef struct {
    const rn_family *family;
    const rn_builder *b;
} rn_net;

typedef struct {
    char text[RN_NAME];
} rn_layer_name;

/* "layer1.0" and "conv1" put together; block may be "". */
rn_layer_name rn_join(const char *block, const char *leaf);

/* A convolution that keeps the size but for its stride. groups 0: what the weight's shape says. */
int rn_net_conv(const rn_net *n, int src, const char *name, size_t stride, size_t groups);

int rn_net_norm(const rn_net *n, int src, const char *name);
int rn_net_relu(const rn_net *n, int src, const char *block);
int rn_net_conv_norm_relu(const rn_net *n, int src, const char *conv, const char *norm,
                          size_t stride);

/* The pool that does a stride's work. */
int rn_net_antialias(const rn_net *n, int src, const char *block, size_t stride);

typedef struct {
    const char *name; /* "layer1.0" */
    bool bottleneck;
    size_t stride;
} rn_block;

int rn_block_build(const rn_net *n, int src, const rn_block *block);

#endif
