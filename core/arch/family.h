/* The residual networks that go by names and shapes: torchvision's, timm's, Hugging Face's.
 *
 * infer.c reads what kind of network the tensors are; config.json corrects what tensors can't show;
 * family.c turns the result into nodes. Every width comes from each tensor's own shape, so none
 * stands here. */
#ifndef RN_ARCH_FAMILY_H
#define RN_ARCH_FAMILY_H

#include "arch/build.h"

#define RN_MAX_STAGES 8

typedef struct {
    size_t blocks;
    size_t stride;   /* of the first block */
    bool bottleneck; /* three convolutions, the middle one 3x3; else two 3x3 */
} rn_stage;

typedef struct {
    rn_stage stage[RN_MAX_STAGES];
    size_t stages;
    size_t stem_stride, stem_pad;
    bool stem_pool;     /* 3x3 stride 2 max pool behind the stem */
    bool stride_in_1x1; /* a bottleneck's first convolution has the stride, not its second */
    bool head;          /* fc: else the pooled features are the answer */
    double eps;         /* of batch norm */
} rn_family;

/* Notes in b->arch what was inferred, and from which tensor. config may be NULL. */
rn_status rn_family_infer(rn_family *family, const rn_builder *b, const rn_json *config);

/* Sets b->arch->name: "resnet50", "resnet (1,1,1 basic)". */
void rn_family_describe(const rn_family *family, const rn_builder *b);

/* Returns the network's output value, or -1 with *err filled. */
int rn_family_build(const rn_family *family, const rn_builder *b, int input);

#endif
