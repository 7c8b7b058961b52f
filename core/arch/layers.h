/* An explicit list of layers: config.json's "layers", each with the name of its torch.nn class (or
 * ResLayer) and that class's arguments. Followed as it is, nothing is inferred but the channels and
 * kernel sizes, which the tensors' shapes say. */
#ifndef RN_ARCH_LAYERS_H
#define RN_ARCH_LAYERS_H

#include "arch/build.h"

/* input: the value that the first layer reads. Returns the last layer's value, or -1 with *err
 * naming layer and key. */
int rn_layers_build(const rn_builder *b, int input, const rn_json *list);

#endif
