/* The residual networks that go by names and shapes: torchvision's, timm's, Hugging Face's, those
 * for small images.
 *
 *   infer.c     names and shapes -> rn_family
 *   correct.c   config.json -> what tensors can't show
 *   identity.c  the architecture's name, and notes of what was found
 *   net.c block.c family.c   rn_family -> nodes
 *
 * Every width comes from each tensor's own shape, and whether a block has a shortcut or a gate from
 * its tensors: neither stands here. */
#ifndef RN_ARCH_FAMILY_H
#define RN_ARCH_FAMILY_H

#include "arch/build.h"

#define RN_MAX_STAGES 8

typedef struct {
    size_t blocks;
    size_t stride;   /* of the first block */
    bool bottleneck; /* three convolutions, the middle one 3x3; else two 3x3 */
} rn_stage;

typedef enum { RN_ANTIALIAS_NONE, RN_ANTIALIAS_AVG, RN_ANTIALIAS_BLUR } rn_antialias;

typedef struct {
    rn_stage stage[RN_MAX_STAGES];
    size_t stages;
    size_t in_channels;
    bool deep_stem; /* three 3x3 convolutions */
    size_t stem_stride;
    bool stem_pool; /* 3x3 stride 2 max pool behind the stem */
    bool conv_pool; /* a 3x3 convolution does that pool's work (ResNet-RS) */
    bool bit;       /* BiT: weights are standardised, the stem's pool sees a border of zeros */
    bool preact; /* norm and ReLU stand in front of the convolutions, and behind the last block */
    bool zero_shortcut;     /* where the shape changes: every second pixel, and channels of zeros */
    bool avg_down;          /* timm's v2 alone: its tensors don't show the pool of the shortcut */
    bool stride_in_1x1;     /* a bottleneck's first convolution has the stride, not its second */
    rn_antialias antialias; /* a pool does the stride's work */
    bool statistics;        /* some norm has running statistics: it is batch norm */
    size_t norm_groups;     /* 0: batch norm */
    bool head;              /* fc: else the pooled features are the answer */
    double eps;             /* of the norms */
} rn_family;

/* From names and shapes alone. What norms without running statistics are they don't show: group
 * norm, or batch norm of which a half was saved; rn_family_correct() decides. config may be NULL
 * there. */
rn_status rn_family_infer(rn_family *family, const rn_builder *b);
rn_status rn_family_correct(rn_family *family, const rn_builder *b, const rn_json *config);

/* Sets b->arch->name ("resnet50", "resnet (1,1,1 basic)") and adds the notes. */
rn_status rn_family_identify(const rn_family *family, const rn_builder *b, const rn_json *config);

/* Returns the network's output value, or -1 with *err filled. */
int rn_family_build(const rn_family *family, const rn_builder *b, int input);

/* "layerS.B.LEAF", both counted from 0 here; NULL when there is none. */
rn_tensor *rn_family_tensor(const rn_builder *b, size_t stage, size_t block, const char *leaf);

/* The stem's first weight; there is one when rn_family_infer() has succeeded. */
rn_tensor *rn_family_stem(const rn_family *family, const rn_builder *b);

/* Channels that come out of a stage's blocks; 0 when it can't be told. */
size_t rn_family_width(const rn_family *family, const rn_builder *b, size_t stage);

#endif
