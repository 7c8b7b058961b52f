/* Any text as the config.json of a small network: a ResNet whose names say what it is, and a list
 * of layers. Refused with a text, or a model that can be asked about itself. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "resnet.h"

#define NETWORK "tests/golden/formats/net.safetensors"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static rn_file network;
    rn_error err = {0};
    static void *weights;
    if (!weights && rn_file_open(&network, NETWORK, &err) != RN_OK) abort();
    if (!weights) weights = rn_file_read_new(&network, 0, network.size, &err);
    if (!weights) abort();
    rn_model *model = NULL;
    const rn_model_options options = {.config = (const char *)bytes, .config_size = size};
    const rn_status status = rn_model_load_memory(&model, weights, network.size, &options, &err);
    if (status != RN_OK) {
        if (model || err.status != status || !*err.text) abort();
        return 0;
    }
    const rn_model_info *info = rn_model_info_of(model);
    for (size_t i = 0; i < info->notes; i++)
        if (!strlen(rn_model_note(model, i))) abort();
    for (size_t i = 0; i < info->labels; i++)
        if (!rn_model_label(model, i)) abort();
    rn_model_release(model);
    return 0;
}
