/* Any bytes as a weights file: refused with a text, or a model that can be asked about itself. */
#include <stdlib.h>
#include <string.h>

#include "resnet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    rn_model *model = NULL;
    rn_error err = {0};
    const rn_model_options options = {.input_height = 32, .input_width = 32};
    const rn_status status = rn_model_load_memory(&model, bytes, size, &options, &err);
    if (status != RN_OK) {
        if (model || err.status != status || !*err.text) abort();
        return 0;
    }
    rn_layer_info layer;
    for (size_t i = 0; i < rn_model_info_of(model)->layers; i++)
        if (!rn_model_layer(model, i, &layer) || !strlen(layer.name)) abort();
    rn_model_release(model);
    return 0;
}
