/* What torch_zip.c and torch_legacy.c share: from the object that torch.save wrote to tensors. */
#ifndef RN_FORMATS_TORCH_STATE_H
#define RN_FORMATS_TORCH_STATE_H

#include "formats/unpickle.h"

/* The bytes behind a storage's key. */
typedef struct {
    const char *key; /* not terminated */
    size_t key_size;
    size_t offset; /* in the file: where its bytes begin, when `found` */
    bool found;
    size_t bytes;
    size_t element; /* bytes of one element; 0: the file doesn't say beside the data */
} rn_torch_storage;

typedef struct {
    rn_torch_storage *storage; /* sorted by rn_torch_storages_sort() */
    size_t count;
} rn_torch_storages;

/* Sorts by key; equal entries become one. RN_ERR_FORMAT naming a key that has two sizes. */
rn_status rn_torch_storages_sort(rn_torch_storages *storages, rn_error *err);
rn_torch_storage *rn_torch_storages_find(const rn_torch_storages *storages, const char *key,
                                         size_t key_size);

/* Adds every tensor in what the pickle saved, whatever it stands in, to the empty set: its name is
 * the keys that lead to it, joined by dots ("state_dict.conv1.weight"), for a module's those of its
 * state_dict(). A container that stands in several places counts at the first. Every tensor must
 * lie inside its storage, and all together may not be larger than a few times the file's size,
 * though they may share storages. Errors name the tensor or key. */
rn_status rn_torch_state(rn_tensors *set, const rn_pickle *pickle,
                         const rn_torch_storages *storages, const rn_file *file, rn_error *err);

#endif
