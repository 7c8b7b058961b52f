/* Networks made of names and shapes alone, to see what core/arch makes of them. All numbers are 0.
 */
#ifndef TESTS_UNIT_FAKE_NET_H
#define TESTS_UNIT_FAKE_NET_H

#include "arch/arch.h"

/* One network under test: its tensors, and what rn_arch_build() made of them. */
typedef struct {
    rn_tensors tensors;
    rn_graph graph;
    rn_arch arch;
    rn_error err;
} fake_net;

void fake_init(fake_net *net);

/* Adds NAME, of that shape: fake_add(net, 64, 3, 7, 7, "conv1.weight") stands for 4 dimensions, 0
 * ends a shape earlier. */
void fake_add(fake_net *net, size_t a, size_t b, size_t c, size_t d, const char *name);

/* weight, bias, running_mean, running_var and num_batches_tracked of a batch norm */
void fake_add_norm(fake_net *net, size_t channels, const char *layer);

/* A network as torchvision names it. */
typedef struct {
    size_t stages, blocks[5];
    bool bottleneck;
    size_t width;             /* of the stem and of the first stage's inner convolutions */
    size_t inner, groups;     /* bottlenecks: factor of the 3x3 convolution's width; 0: 1 */
    size_t stem, in, classes; /* kernel, input channels; 0: 7, 3, 10 */
} fake_resnet;
void fake_add_resnet(fake_net *net, const fake_resnet *want);

void fake_remove(fake_net *net, const char *name);
/* Gives the tensor that is called `from` another name. */
void fake_rename(fake_net *net, const char *from, const char *to);

/* What stands beside the weights: JSON texts and labels.txt, each may be NULL. */
typedef struct {
    const char *config, *labels, *preprocessor;
    size_t height, width;
} fake_files;
rn_status fake_build_with(fake_net *net, const fake_files *files);
rn_status fake_build(fake_net *net, const char *config, size_t height, size_t width);

void fake_release(fake_net *net);

#endif
