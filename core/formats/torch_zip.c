/* .pth and .pt files of torch 1.6 and later: a zip archive with the object's pickle in
 * NAME/data.pkl and each storage's bytes in NAME/data/KEY, aligned to 64 bytes, so that they serve
 * in place. */
#include "formats/format.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/torch_state.h"
#include "formats/zip.h"

#define PICKLE_NAME "/data.pkl"
#define SCRIPT      "a TorchScript archive is a program: save its state_dict() instead"
#define MAX_NAME    256 /* of the archive's inner folder, and what is looked for in it */

bool rn_torch_zip_probe(const uint8_t *bytes, size_t size)
{
    return rn_zip_probe(bytes, size);
}

/* NAME: the folder that all entries of one save are in. */
typedef struct {
    const char *text;
    size_t size;
} folder_name;

/* The entry NAME/rest, or NULL. */
static const rn_zip_entry *find(const rn_zip *zip, folder_name folder, const char *rest)
{
    char name[MAX_NAME + 32];
    const int size = snprintf(name, sizeof name, "%.*s%s", (int)folder.size, folder.text, rest);
    return rn_zip_find(zip, name, (size_t)size);
}

/* The entry NAME/data.pkl, and so NAME. */
static const rn_zip_entry *find_pickle(const rn_zip *zip, folder_name *folder)
{
    const size_t size = strlen(PICKLE_NAME);
    for (size_t i = 0; i < zip->count; i++) {
        const rn_zip_entry *entry = &zip->entry[i];
        if (entry->name_size <= size || entry->name_size - size > MAX_NAME) continue;
        *folder = (folder_name){entry->name, entry->name_size - size};
        if (memcmp(entry->name + folder->size, PICKLE_NAME, size) != 0) continue;
        if (!memchr(folder->text, '/', folder->size)) return entry;
    }
    return NULL;
}

/* Entries NAME/data/KEY become storages. */
static rn_status collect_storages(rn_torch_storages *storages, const rn_zip *zip,
                                  folder_name folder, rn_error *err)
{
    static const char data[] = "/data/";
    const size_t prefix = folder.size + strlen(data);
    storages->storage = rn_alloc(zip->count, sizeof storages->storage[0], err);
    if (!storages->storage) return RN_ERR_MEMORY;
    for (size_t i = 0; i < zip->count; i++) {
        const rn_zip_entry *entry = &zip->entry[i];
        if (entry->name_size <= prefix || memcmp(entry->name, folder.text, folder.size) != 0 ||
            memcmp(entry->name + folder.size, data, strlen(data)) != 0)
            continue;
        storages->storage[storages->count++] =
            (rn_torch_storage){entry->name + prefix, entry->name_size - prefix, .data = entry->data,
                               .bytes = entry->size};
    }
    return rn_torch_storages_sort(storages, err);
}

/* Newer files say in which order the bytes of a number stand. */
static rn_status check_byte_order(const rn_zip *zip, folder_name folder, rn_error *err)
{
    static const char little[] = "little";
    const rn_zip_entry *order = find(zip, folder, "/byteorder");
    if (!order) return RN_OK;
    if (order->size == strlen(little) && memcmp(order->data, little, order->size) == 0)
        return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT, "%.*s: byte order %.*s, not little", (int)order->name_size,
                   order->name, (int)rn_min(order->size, 16), (const char *)order->data);
}

static rn_status load_archive(rn_tensors *set, const rn_zip *zip, size_t size, size_t limit,
                              rn_error *err)
{
    folder_name folder;
    const rn_zip_entry *entry = find_pickle(zip, &folder);
    if (!entry) return rn_fail(err, RN_ERR_FORMAT, "no NAME/data.pkl in the zip archive");
    rn_status status = check_byte_order(zip, folder, err);
    if (status != RN_OK) return status;
    rn_pickle pickle;
    status = rn_unpickle(&pickle, entry->data, entry->size, limit, err);
    if (status != RN_OK) {
        if (find(zip, folder, "/constants.pkl")) rn_context(err, SCRIPT);
        return status;
    }
    rn_torch_storages storages = {0};
    status = collect_storages(&storages, zip, folder, err);
    if (status == RN_OK) status = rn_torch_state(set, &pickle, &storages, size, err);
    rn_free(storages.storage);
    rn_pickle_release(&pickle);
    return status;
}

rn_status rn_torch_zip_load(rn_tensors *set, const uint8_t *bytes, size_t size,
                            const rn_format_options *options, rn_error *err)
{
    rn_zip zip;
    rn_status status = rn_zip_open(&zip, bytes, size, err);
    if (status != RN_OK) { /* its code may be compressed */
        if (memmem(bytes, size, "/constants.pkl", 14)) rn_context(err, SCRIPT);
        return status;
    }
    status = load_archive(set, &zip, size, rn_format_header_limit(options), err);
    rn_zip_release(&zip);
    return status;
}
