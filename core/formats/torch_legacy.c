/* .pth and .pt files of torch before 1.6: five pickles (a magic number, a version, facts about the
 * writer, the object, the list of its storages' keys), then for each key in that order an 8-byte
 * count of elements and the elements. */
#include "formats/format.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/torch_state.h"

/* The first two pickles, byte for byte: 0x1950a86a20f9469cfc6c and 1001. */
static const uint8_t magic[] = {0x80, 2,    0x8a, 10,  0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a,
                                0xa8, 0x50, 0x19, '.', 0x80, 2,    'M',  0xe9, 0x03, '.'};

#define USUAL ((size_t)256 << 10)

bool rn_torch_legacy_probe(const uint8_t *bytes, size_t size)
{
    return size >= sizeof magic && memcmp(bytes, magic, sizeof magic) == 0;
}

typedef struct {
    const rn_file *file;
    size_t at;
    size_t limit; /* of each pickle */
} legacy_file;

/* The pickle at file->at, of which no more than `limit` bytes are read. */
static rn_status read_pickle(const legacy_file *from, rn_pickle *pickle, size_t limit,
                             rn_error *err)
{
    const size_t rest = from->file->size - from->at;
    uint8_t *bytes = rn_file_read_new(from->file, from->at, rn_min(rest, limit), err);
    if (!bytes) return rn_failure(err);
    const rn_status status = rn_unpickle(pickle, bytes, rest, limit, err);
    if (status == RN_OK)
        pickle->owned = bytes;
    else
        rn_free(bytes);
    return status;
}

/* How long a pickle is stands nowhere: most end within USUAL bytes. */
static rn_status next_pickle(legacy_file *from, rn_pickle *pickle, const char *what, rn_error *err)
{
    const size_t first = rn_min(USUAL, from->limit);
    rn_status status = read_pickle(from, pickle, first, err);
    if (status == RN_ERR_FORMAT && first < rn_min(from->limit, from->file->size - from->at))
        status = read_pickle(from, pickle, from->limit, err);
    if (status != RN_OK) return rn_context(err, "the %s at byte %zu", what, from->at), status;
    from->at += pickle->end;
    return RN_OK;
}

/* Facts about the writer: of all of them only the byte order concerns the data. */
static rn_status check_facts(const rn_pickle *facts, rn_error *err)
{
    const rn_pickle_value *root = &facts->value[facts->root];
    const uint32_t little = root->kind == RN_PICKLE_DICT
                                ? rn_pickle_get(facts, facts->root, "little_endian")
                                : UINT32_MAX;
    if (little != UINT32_MAX && facts->value[little].kind == RN_PICKLE_BOOL &&
        facts->value[little].integer)
        return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT, "the file doesn't say that its numbers are little-endian");
}

/* Storages as the object's pickle has them: key and bytes, without data. A storage that several
 * tensors share stands once. */
static rn_status expect_storages(rn_torch_storages *storages, const rn_pickle *object,
                                 rn_error *err)
{
    storages->storage = rn_alloc(object->values, sizeof storages->storage[0], err);
    if (!storages->storage) return RN_ERR_MEMORY;
    for (size_t i = 0; i < object->values; i++) {
        const rn_pickle_value *value = &object->value[i];
        if (value->kind != RN_PICKLE_STORAGE) continue;
        rn_torch_storage *storage = &storages->storage[storages->count++];
        storage->key = rn_pickle_text(object, value->ref, &storage->key_size);
        storage->found = false;
        storage->element = value->element;
        if (!rn_size_mul((size_t)value->integer, storage->element, &storage->bytes))
            return rn_fail(err, RN_ERR_FORMAT, "storage %.*s: its size overflows",
                           (int)rn_min(storage->key_size, 40), storage->key);
    }
    return rn_torch_storages_sort(storages, err);
}

/* The count and the elements of one storage. */
static rn_status read_storage(legacy_file *from, rn_torch_storage *storage, rn_error *err)
{
    const int shown = (int)rn_min(storage->key_size, 40);
    if (storage->found)
        return rn_fail(err, RN_ERR_FORMAT, "storage %.*s is listed twice", shown, storage->key);
    const size_t rest = from->file->size - from->at;
    uint8_t count[8];
    if (rest < sizeof count || rest - sizeof count < storage->bytes)
        return rn_fail(err, RN_ERR_FORMAT,
                       "storage %.*s: %zu bytes at byte %zu, the file ends at %zu", shown,
                       storage->key, storage->bytes, from->at, from->file->size);
    const rn_status status = rn_file_read(from->file, from->at, sizeof count, count, err);
    if (status != RN_OK) return status;
    const uint64_t elements = rn_le64(count);
    if (elements != storage->bytes / storage->element)
        return rn_fail(err, RN_ERR_FORMAT, "storage %.*s: %llu elements at byte %zu, not %zu",
                       shown, storage->key, (unsigned long long)elements, from->at,
                       storage->bytes / storage->element);
    storage->offset = from->at + sizeof count;
    storage->found = true;
    from->at = storage->offset + storage->bytes;
    return RN_OK;
}

/* The storages' bytes follow in the order of `keys`, a list of strings. */
static rn_status read_storages(legacy_file *from, rn_torch_storages *storages,
                               const rn_pickle *keys, rn_error *err)
{
    const rn_pickle_value *list = &keys->value[keys->root];
    if (list->kind != RN_PICKLE_LIST)
        return rn_fail(err, RN_ERR_FORMAT, "the storages' keys are no list");
    uint32_t at = list->items.first;
    for (size_t i = 0; i < list->size; i++, at = keys->item[at].next) {
        const uint32_t key = keys->item[at].value;
        if (keys->value[key].kind != RN_PICKLE_STRING)
            return rn_fail(err, RN_ERR_FORMAT, "the storages' key %zu is no string", i);
        size_t size;
        const char *text = rn_pickle_text(keys, key, &size);
        rn_torch_storage *storage = rn_torch_storages_find(storages, text, size);
        if (!storage)
            return rn_fail(err, RN_ERR_FORMAT, "storage %.*s belongs to no tensor",
                           (int)rn_min(size, 40), text);
        const rn_status status = read_storage(from, storage, err);
        if (status != RN_OK) return status;
    }
    return RN_OK;
}

/* From the object's pickle on: `object` is empty and stays the caller's to release. */
static rn_status load_object(rn_tensors *set, legacy_file *from, rn_pickle *object,
                             rn_torch_storages *storages, rn_error *err)
{
    rn_pickle keys;
    rn_status status = next_pickle(from, object, "object", err);
    if (status == RN_OK) status = expect_storages(storages, object, err);
    if (status != RN_OK) return status;
    status = next_pickle(from, &keys, "list of storages", err);
    if (status != RN_OK) return status;
    status = read_storages(from, storages, &keys, err);
    rn_pickle_release(&keys);
    if (status != RN_OK) return status;
    return rn_torch_state(set, object, storages, from->file, err);
}

rn_status rn_torch_legacy_load(rn_tensors *set, const rn_file *file,
                               const rn_format_options *options, rn_error *err)
{
    uint8_t begin[sizeof magic];
    const size_t size = rn_min(file->size, sizeof begin);
    rn_status status = rn_file_read(file, 0, size, begin, err);
    if (status != RN_OK) return status;
    if (!rn_torch_legacy_probe(begin, size))
        return rn_fail(err, RN_ERR_FORMAT, "not the magic number of torch.save");
    legacy_file from = {file, .at = sizeof magic, .limit = rn_format_header_limit(options)};
    rn_pickle facts, object = {0};
    rn_torch_storages storages = {0};
    status = next_pickle(&from, &facts, "description of the writer", err);
    if (status != RN_OK) return status;
    status = check_facts(&facts, err);
    rn_pickle_release(&facts);
    if (status == RN_OK) status = load_object(set, &from, &object, &storages, err);
    rn_free(storages.storage);
    rn_pickle_release(&object);
    return status;
}
