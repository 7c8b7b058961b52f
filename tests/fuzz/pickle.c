/* Any bytes as a pickle, and as the object in a torch file whose archive is whole: fuzzing reaches
 * further than where a zip directory has to fit too. */
#include <stdlib.h>
#include <string.h>

#include "formats/torch_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Storages "0" to "3" of 64 bytes, one behind the other in the file. */
static void add_storages(rn_torch_storages *storages, rn_torch_storage storage[4])
{
    static const char keys[] = "0123";
    for (size_t i = 0; i < 4; i++)
        storage[i] = (rn_torch_storage){keys + i, 1, .found = true, .offset = 64 * i, .bytes = 64};
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
    static const uint8_t data[256];
    const rn_file file = {.bytes = data, .size = sizeof data};
    add_storages(&storages, storage);
    if (rn_torch_state(&set, &pickle, &storages, &file, &err) == RN_OK)
        for (size_t i = 0; i < set.count; i++)
            if (rn_type_is_float(set.tensor[i].dtype) && !rn_tensor_floats(&set.tensor[i], &err))
                abort();
    rn_tensors_release(&set);
    rn_pickle_release(&pickle);
    return 0;
}
