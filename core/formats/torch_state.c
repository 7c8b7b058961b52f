#include "formats/torch_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

/* How many times its own size a file's tensors may fill together: tied weights share storages, but
 * a small file that unfolds into a large network is an attack. */
#define MAX_SHARING 4
#define MAX_NESTING 4 /* {"model": {"state_dict": ...}} */

/* Where checkpoints keep the state dict, the first that is there: timm's averaged weights before
 * the last step's, as timm does. And what wrappers put in front of each name. */
static const char *const wrapper_keys[] = {
    "state_dict_ema", "state_dict", "model",      "model_state_dict", "model_state", "net",
    "network",        "weights",    "params_ema", "params",
};
static const char *const wrapper_prefixes[] = {"module.", "_orig_mod."};

/* ---- storages -------------------------------------------------------------------------------- */

static int compare_storages(const void *a, const void *b)
{
    const rn_torch_storage *x = a, *y = b;
    return rn_compare_bytes(x->key, x->key_size, y->key, y->key_size);
}

rn_status rn_torch_storages_sort(rn_torch_storages *storages, rn_error *err)
{
    rn_torch_storage *storage = storages->storage;
    if (storages->count) qsort(storage, storages->count, sizeof *storage, compare_storages);
    size_t kept = 0;
    for (size_t i = 0; i < storages->count; i++) {
        rn_torch_storage *last = kept ? &storage[kept - 1] : NULL;
        if (!last || compare_storages(last, &storage[i]) != 0)
            storage[kept++] = storage[i];
        else if (last->bytes != storage[i].bytes || last->element != storage[i].element)
            return rn_fail(err, RN_ERR_FORMAT, "storage %.*s has two sizes",
                           (int)rn_min(last->key_size, 80), last->key);
    }
    storages->count = kept;
    return RN_OK;
}

rn_torch_storage *rn_torch_storages_find(const rn_torch_storages *storages, const char *key,
                                         size_t key_size)
{
    size_t low = 0, high = storages->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        rn_torch_storage *storage = &storages->storage[middle];
        const int order = rn_compare_bytes(key, key_size, storage->key, storage->key_size);
        if (order == 0) return storage;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* ---- one tensor ------------------------------------------------------------------------------ */

/* The storage, if its bytes are as many as the pickle promises; or NULL. */
static const rn_torch_storage *find_storage(const rn_pickle *pickle,
                                            const rn_torch_storages *storages, uint32_t id,
                                            rn_error *err)
{
    const rn_pickle_value *value = &pickle->value[id];
    size_t key_size, wanted;
    const char *key = rn_pickle_text(pickle, value->ref, &key_size);
    const int shown = (int)rn_min(key_size, 40);
    const rn_torch_storage *found = rn_torch_storages_find(storages, key, key_size);
    if (value->view)
        rn_fail(err, RN_ERR_FORMAT, "storage %.*s is a view", shown, key);
    else if (!found || !found->found)
        rn_fail(err, RN_ERR_FORMAT, "storage %.*s isn't in the file", shown, key);
    else if (!rn_size_mul((size_t)value->integer, value->element, &wanted) ||
             wanted != found->bytes)
        rn_fail(err, RN_ERR_FORMAT, "storage %.*s: %lld elements of %u bytes, but %zu bytes", shown,
                key, (long long)value->integer, value->element, found->bytes);
    else
        return found;
    return NULL;
}

/* ---- the state dict -------------------------------------------------------------------------- */

/* A checkpoint's state dict: follows the keys of wrappers to a dict. */
static rn_status find_state(const rn_pickle *pickle, uint32_t *state, const char **part,
                            rn_error *err)
{
    *state = pickle->root;
    for (size_t depth = 0; depth < MAX_NESTING; depth++) {
        const rn_pickle_value *dict = &pickle->value[*state];
        if (dict->kind != RN_PICKLE_DICT)
            return rn_fail(err, RN_ERR_FORMAT, "the file holds %s, not a dict of tensors",
                           rn_pickle_kind_name((rn_pickle_kind)dict->kind));
        uint32_t inner = UINT32_MAX;
        for (size_t i = 0; i < sizeof wrapper_keys / sizeof wrapper_keys[0]; i++) {
            const uint32_t found = rn_pickle_get(pickle, *state, wrapper_keys[i]);
            if (found == UINT32_MAX || pickle->value[found].kind != RN_PICKLE_DICT) continue;
            inner = found;
            *part = wrapper_keys[i];
            break;
        }
        if (inner == UINT32_MAX) return RN_OK;
        *state = inner;
    }
    return rn_fail(err, RN_ERR_FORMAT, "state dicts more than %d deep in each other", MAX_NESTING);
}

typedef struct {
    rn_tensors *set;
    const rn_file *file;
    const rn_pickle *pickle;
    const rn_torch_storages *storages;
    size_t tensor_limit, name_limit; /* bytes that may still be used */
    uint32_t odd;                    /* key of the first entry that is a container, or UINT32_MAX */
} state_reader;

static rn_status read_tensor(const state_reader *reader, rn_tensor *tensor, size_t *bytes,
                             uint32_t id, rn_error *err)
{
    rn_pickle_tensor source;
    const rn_pickle *pickle = reader->pickle;
    rn_pickle_tensor_of(pickle, id, &source);
    const rn_torch_storage *storage = find_storage(pickle, reader->storages, source.storage, err);
    if (!storage) return RN_ERR_FORMAT;
    *tensor = (rn_tensor){.dtype = source.dtype, .rank = source.rank};
    memcpy(tensor->shape, source.shape, sizeof tensor->shape);
    memcpy(tensor->stride, source.stride, sizeof tensor->stride);
    const size_t element = rn_dtype_bytes(tensor->dtype);
    if (source.offset > storage->bytes / element)
        return rn_fail(err, RN_ERR_FORMAT, "begins at element %zu of a storage of %zu",
                       source.offset, storage->bytes / element);
    rn_tensor_place(tensor, reader->file, storage->offset + source.offset * element);
    *bytes = storage->bytes - source.offset * element;
    return RN_OK;
}

static rn_status add_tensor(state_reader *reader, uint32_t key, uint32_t value, rn_error *err)
{
    size_t name_size, bytes = 0;
    const char *name = rn_pickle_text(reader->pickle, key, &name_size);
    const int shown = (int)rn_min(name_size, 80);
    rn_tensor tensor;
    rn_pickle_tensor source;
    rn_pickle_tensor_of(reader->pickle, value, &source);
    if (source.dtype == RN_TYPES) return RN_OK;
    rn_status status = read_tensor(reader, &tensor, &bytes, value, err);
    if (status != RN_OK) return rn_context(err, "tensor %.*s", shown, name), status;
    if (name_size > reader->name_limit)
        return rn_fail(err, RN_ERR_FORMAT, "tensor %.*s stands more than once", shown, name);
    reader->name_limit -= name_size;
    status = rn_tensors_add(reader->set, name, name_size, &tensor, bytes, err);
    if (status != RN_OK) return status;
    const size_t taken = rn_tensor_elements(&tensor) * rn_dtype_bytes(tensor.dtype);
    if (taken > reader->tensor_limit)
        return rn_fail(err, RN_ERR_FORMAT,
                       "tensor %.*s: tensors share storages for more than %d times the file's size",
                       shown, name, MAX_SHARING);
    reader->tensor_limit -= taken;
    return RN_OK;
}

/* Numbers, strings and objects beside the tensors (an epoch, say) are no weights; nor are tensors
 * of complex numbers and the like. */
static rn_status add_entry(state_reader *reader, uint32_t key, uint32_t value, rn_error *err)
{
    const rn_pickle_kind kind = (rn_pickle_kind)reader->pickle->value[value].kind;
    if (kind != RN_PICKLE_TENSOR && kind != RN_PICKLE_DICT) return RN_OK;
    if (reader->pickle->value[key].kind != RN_PICKLE_STRING)
        return rn_fail(err, RN_ERR_FORMAT, "the key of %s is %s, not a string",
                       rn_pickle_kind_name(kind),
                       rn_pickle_kind_name((rn_pickle_kind)reader->pickle->value[key].kind));
    if (kind == RN_PICKLE_TENSOR) return add_tensor(reader, key, value, err);
    if (reader->odd == UINT32_MAX) reader->odd = key;
    return RN_OK;
}

static rn_status fail_odd(const state_reader *reader, rn_error *err)
{
    size_t size;
    const char *key = rn_pickle_text(reader->pickle, reader->odd, &size);
    return rn_fail(err, RN_ERR_FORMAT, "key %.*s stands among tensors and is none",
                   (int)rn_min(size, 80), key);
}

static rn_status fail_without_tensors(const rn_pickle *pickle, uint32_t state, rn_error *err)
{
    char keys[120] = "";
    size_t used = 0;
    const rn_pickle_value *dict = &pickle->value[state];
    uint32_t at = dict->items.first;
    for (size_t i = 0; i < dict->size && used + 1 < sizeof keys; i += 2) {
        const rn_pickle_item *key = &pickle->item[at];
        if (pickle->value[key->value].kind == RN_PICKLE_STRING) {
            size_t size;
            const char *text = rn_pickle_text(pickle, key->value, &size);
            size = rn_min(size, sizeof keys - used - 2);
            keys[used++] = ' ';
            memcpy(keys + used, text, size);
            used += size;
        }
        at = pickle->item[key->next].next;
    }
    keys[used] = '\0';
    return rn_fail(err, RN_ERR_FORMAT,
                   "no tensors in the file's dict, nor in a state_dict or model of it; its keys:%s",
                   keys);
}

/* Takes the prefix off when every name has it. True: it was there. */
static bool strip_prefix(rn_tensors *set, const char *prefix)
{
    const size_t size = strlen(prefix);
    for (size_t i = 0; i < set->count; i++)
        if (strncmp(set->tensor[i].name, prefix, size) != 0) return false;
    for (size_t i = 0; i < set->count; i++) {
        char *name = set->tensor[i].name;
        memmove(name, name + size, strlen(name) - size + 1);
    }
    return true;
}

static void strip_prefixes(rn_tensors *set)
{
    bool stripped;
    do {
        stripped = false;
        for (size_t i = 0; i < sizeof wrapper_prefixes / sizeof wrapper_prefixes[0]; i++)
            stripped |= strip_prefix(set, wrapper_prefixes[i]);
    } while (stripped);
}

rn_status rn_torch_state(rn_tensors *set, const rn_pickle *pickle,
                         const rn_torch_storages *storages, const rn_file *file, rn_error *err)
{
    uint32_t state;
    rn_status status = find_state(pickle, &state, &set->part, err);
    if (status != RN_OK) return status;
    state_reader reader = {
        set, file, pickle, storages, .name_limit = pickle->end, .odd = UINT32_MAX};
    if (!rn_size_mul(file->size, MAX_SHARING, &reader.tensor_limit)) reader.tensor_limit = SIZE_MAX;
    const rn_pickle_value *dict = &pickle->value[state];
    uint32_t at = dict->items.first;
    for (size_t i = 0; i < dict->size && status == RN_OK; i += 2) {
        const rn_pickle_item *key = &pickle->item[at], *value = &pickle->item[key->next];
        status = add_entry(&reader, key->value, value->value, err);
        at = value->next;
    }
    if (status != RN_OK) return status;
    if (set->count == 0) return fail_without_tensors(pickle, state, err);
    if (reader.odd != UINT32_MAX) return fail_odd(&reader, err);
    strip_prefixes(set);
    return RN_OK;
}
