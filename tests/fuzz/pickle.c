/* Any bytes as a pickle, and as the object in a torch file whose archive is whole: fuzzing reaches
 * further than where a zip directory has to fit too. */
#include <stdlib.h>
#include <string.h>

#include "formats/torch_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Storages "0" to "3" of 64 bytes. */
static void add_storages(rn_torch_storages *storages, rn_torch_storage storage[4])
{
    static const uint8_t data[4][64];
    static const char keys[] = "0123";
    for (size_t i = 0; i < 4; i++)
        storage[i] = (rn_torch_storage){keys + i, 1, .data = data[i], .bytes = sizeof data[i]};
    *storages = (rn_torch_storages){storage, 4};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    rn_pickle pickle;
    rn_error err = {0};
    if (rn_unpickle(&pickle, bytes, size, SIZE_MAX, &err) != RN_OK) {
        if (!*err.text) abort();
        return 0;
    }
    if (pickle.end > size || pickle.root >= pickle.values) abort();
    rn_torch_storages storages;
    rn_torch_storage storage[4];
    rn_tensors set = {0};
    add_storages(&storages, storage);
    if (rn_torch_state(&set, &pickle, &storages, size + 256, &err) == RN_OK)
        for (size_t i = 0; i < set.count; i++)
            if (set.tensor[i].dtype != RN_I64 && !rn_tensor_floats(&set.tensor[i], &err)) abort();
    rn_tensors_release(&set);
    rn_pickle_release(&pickle);
    return 0;
}
