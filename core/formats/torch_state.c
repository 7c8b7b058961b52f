#include "formats/torch_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

/* How many times its own size a file's tensors may fill together: tied weights share storages, but
 * a small file that unfolds into a large network is an attack. */
#define MAX_SHARING 4
#define MAX_PATH    400 /* bytes of a tensor's name, the keys above it included */
#define NAME_COST   64  /* bytes of the pickle that a tensor takes at least, beside its name */
#define NAME_SHARE  4   /* times the pickle's bytes that all names may have */

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

/* ---- the tree of what was saved -------------------------------------------------------------- */

typedef struct {
    rn_tensors *set;
    const rn_file *file;
    const rn_pickle *pickle;
    const rn_torch_storages *storages;
    size_t tensor_limit, name_limit; /* bytes that may still be used */
    char path[MAX_PATH + 1];         /* keys from the root to the container, joined by dots */
    bool *seen;                      /* containers that were walked: each is once */
    struct place *place;             /* the containers that the walk is in */
    size_t depth, place_capacity;
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

/* `name` is reader->path. Complex numbers and the like are no weights. */
static rn_status add_tensor(state_reader *reader, size_t name_size, uint32_t value, rn_error *err)
{
    size_t bytes = 0;
    const char *name = reader->path;
    const int shown = (int)rn_min(name_size, 80);
    rn_tensor tensor;
    rn_pickle_tensor source;
    rn_pickle_tensor_of(reader->pickle, value, &source);
    if (source.dtype == RN_TYPES) return RN_OK;
    rn_status status = read_tensor(reader, &tensor, &bytes, value, err);
    if (status != RN_OK) return rn_context(err, "tensor %.*s", shown, name), status;
    if (name_size + NAME_COST > reader->name_limit)
        return rn_fail(err, RN_ERR_FORMAT, "tensor %.*s: more names than the pickle has room for",
                       shown, name);
    reader->name_limit -= name_size + NAME_COST;
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

/* A container that is being walked. */
struct place {
    uint32_t item;  /* the next one */
    uint32_t left;  /* items from there on */
    uint32_t index; /* of that item: names the elements of lists and tuples */
    bool pairs;     /* keys and values */
    size_t path;    /* bytes of reader->path that lead here */
};

static bool is_container(const rn_pickle_value *value)
{
    return value->size > 0 && (value->kind == RN_PICKLE_DICT || value->kind == RN_PICKLE_OBJECT ||
                               value->kind == RN_PICKLE_LIST || value->kind == RN_PICKLE_TUPLE);
}

static rn_status enter(state_reader *reader, uint32_t id, size_t path, rn_error *err)
{
    const rn_pickle_value *value = &reader->pickle->value[id];
    if (!is_container(value) || reader->seen[id]) return RN_OK;
    reader->seen[id] = true;
    struct place *grown =
        rn_grow(reader->place, reader->depth, &reader->place_capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    reader->place = grown;
    reader->place[reader->depth++] =
        (struct place){.item = value->items.first,
                       .left = value->size,
                       .pairs = value->kind == RN_PICKLE_DICT || value->kind == RN_PICKLE_OBJECT,
                       .path = path};
    return RN_OK;
}

/* Where a module of torch.nn keeps what its state_dict() has without those words. */
static bool is_module_part(const rn_pickle *pickle, uint32_t key)
{
    return rn_pickle_text_is(pickle, key, "_parameters") ||
           rn_pickle_text_is(pickle, key, "_buffers") || rn_pickle_text_is(pickle, key, "_modules");
}

/* Appends the key to the path; one that says nothing (an object's) leaves it as it is. False: the
 * name would be too long. */
static bool extend_path(state_reader *reader, const struct place *at, uint32_t key, size_t *path)
{
    const rn_pickle *pickle = reader->pickle;
    char number[24];
    const char *text = number;
    size_t size = 0;
    *path = at->path;
    if (!at->pairs)
        size = (size_t)snprintf(number, sizeof number, "%u", at->index);
    else if (pickle->value[key].kind == RN_PICKLE_INT)
        size =
            (size_t)snprintf(number, sizeof number, "%lld", (long long)pickle->value[key].integer);
    else if (pickle->value[key].kind == RN_PICKLE_STRING && !is_module_part(pickle, key))
        text = rn_pickle_text(pickle, key, &size);
    else
        return true;
    const size_t dot = at->path > 0;
    if (size > MAX_PATH - dot || at->path > MAX_PATH - dot - size) return false;
    if (dot) reader->path[at->path] = '.';
    memcpy(reader->path + at->path + dot, text, size);
    *path = at->path + dot + size;
    return true;
}

/* The next element of the innermost container, or the container's end. */
static rn_status step(state_reader *reader, rn_error *err)
{
    const rn_pickle *pickle = reader->pickle;
    struct place *at = &reader->place[reader->depth - 1];
    if (at->left == 0) {
        reader->depth--;
        return RN_OK;
    }
    const uint32_t key = pickle->item[at->item].value;
    if (at->pairs) at->item = pickle->item[at->item].next;
    const uint32_t value = pickle->item[at->item].value;
    at->item = pickle->item[at->item].next;
    at->left -= at->pairs ? 2 : 1;
    size_t path;
    const bool named = extend_path(reader, at, key, &path);
    at->index++;
    if (!named) return RN_OK;
    if (pickle->value[value].kind == RN_PICKLE_TENSOR) return add_tensor(reader, path, value, err);
    return enter(reader, value, path, err);
}

static rn_status fail_without_tensors(const rn_pickle *pickle, uint32_t state, rn_error *err)
{
    char keys[120] = "";
    size_t used = 0;
    const rn_pickle_value *dict = &pickle->value[state];
    uint32_t at = dict->items.first;
    const size_t items = dict->kind == RN_PICKLE_DICT ? dict->size : 0;
    for (size_t i = 0; i < items && used + 1 < sizeof keys; i += 2) {
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
    return rn_fail(err, RN_ERR_FORMAT, "no tensors in the file, which holds %s%s%s",
                   rn_pickle_kind_name((rn_pickle_kind)dict->kind), used ? "; its keys:" : "",
                   keys);
}

static rn_status walk(state_reader *reader, rn_error *err)
{
    reader->seen = rn_alloc_zero(reader->pickle->values, sizeof *reader->seen, err);
    if (!reader->seen) return RN_ERR_MEMORY;
    rn_status status = enter(reader, reader->pickle->root, 0, err);
    while (status == RN_OK && reader->depth > 0) status = step(reader, err);
    rn_free(reader->seen);
    rn_free(reader->place);
    return status;
}

rn_status rn_torch_state(rn_tensors *set, const rn_pickle *pickle,
                         const rn_torch_storages *storages, const rn_file *file, rn_error *err)
{
    state_reader reader = {set, file, pickle, storages,
                           .name_limit = NAME_SHARE * (pickle->end + NAME_COST)};
    if (!rn_size_mul(file->size, MAX_SHARING, &reader.tensor_limit)) reader.tensor_limit = SIZE_MAX;
    const rn_status status = walk(&reader, err);
    if (status != RN_OK) return status;
    return set->count ? RN_OK : fail_without_tensors(pickle, pickle->root, err);
}
