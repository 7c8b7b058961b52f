/* .pth and .pt files of torch 1.6 and later: a zip archive with the object's pickle in
 * NAME/data.pkl and each storage's bytes in NAME/data/KEY. */
#include "formats/format.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/torch_state.h"
#include "formats/zip.h"

#define PICKLE_NAME "/data.pkl"
#define DIRECTORY   ((size_t)1 << 20) /* bytes at the end in which an archive's directory is */
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
            (rn_torch_storage){entry->name + prefix, entry->name_size - prefix, .found = true,
                               .offset = entry->offset, .bytes = entry->size};
    }
    return rn_torch_storages_sort(storages, err);
}

/* Newer files say in which order the bytes of a number stand. */
static rn_status check_byte_order(const rn_file *file, const rn_zip *zip, folder_name folder,
                                  rn_error *err)
{
    static const char little[] = "little";
    char text[16];
    const rn_zip_entry *entry = find(zip, folder, "/byteorder");
    if (!entry) return RN_OK;
    const size_t size = rn_min(entry->size, sizeof text);
    const rn_status status = rn_file_read(file, entry->offset, size, text, err);
    if (status != RN_OK) return status;
    if (entry->size == strlen(little) && memcmp(text, little, size) == 0) return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT, "%.*s: byte order %.*s, not little", (int)entry->name_size,
                   entry->name, (int)size, text);
}

/* As much of the entry as may be read. */
static rn_status read_pickle(rn_pickle *pickle, const rn_file *file, const rn_zip_entry *entry,
                             size_t limit, rn_error *err)
{
    uint8_t *bytes = rn_file_read_new(file, entry->offset, rn_min(entry->size, limit), err);
    if (!bytes) return rn_failure(err);
    const rn_status status = rn_unpickle(pickle, bytes, entry->size, limit, err);
    if (status == RN_OK)
        pickle->owned = bytes;
    else
        rn_free(bytes);
    return status;
}

static rn_status load_archive(rn_tensors *set, const rn_file *file, const rn_zip *zip, size_t limit,
                              rn_error *err)
{
    folder_name folder;
    const rn_zip_entry *entry = find_pickle(zip, &folder);
    if (!entry) return rn_fail(err, RN_ERR_FORMAT, "no NAME/data.pkl in the zip archive");
    rn_status status = check_byte_order(file, zip, folder, err);
    if (status != RN_OK) return status;
    rn_pickle pickle;
    status = read_pickle(&pickle, file, entry, limit, err);
    if (status != RN_OK) return status;
    rn_torch_storages storages = {0};
    status = collect_storages(&storages, zip, folder, err);
    if (status == RN_OK) status = rn_torch_state(set, &pickle, &storages, file, err);
    rn_free(storages.storage);
    rn_pickle_release(&pickle);
    return status;
}

/* Zip archives of other programs, by an entry's name, and the way out. */
static const struct {
    const char *entry, *says;
} others[] = {
    {"/constants.pkl", "a TorchScript archive is a program: save its state_dict() instead"},
    {"MAR-INF/", "a TorchServe archive (.mar): unzip it and serve the weights in it"},
    {"model.weights.h5", "a Keras archive (.keras): export the network to ONNX with tf2onnx"},
    {"archive_format", "a torch.export archive (.pt2): save the state_dict(), or export to ONNX"},
    {".npy", "NumPy arrays (.npz): save them as safetensors"},
};

/* Entries may be compressed: the names stand in the directory at the end all the same. */
static void explain(const rn_file *file, rn_error *err)
{
    const size_t size = rn_min(file->size, DIRECTORY);
    uint8_t *end = rn_file_read_new(file, file->size - size, size, NULL);
    for (size_t i = 0; end && i < sizeof others / sizeof *others; i++) {
        if (!memmem(end, size, others[i].entry, strlen(others[i].entry))) continue;
        rn_context(err, "%s", others[i].says);
        break;
    }
    rn_free(end);
}

rn_status rn_torch_zip_load(rn_tensors *set, const rn_file *file, const rn_format_options *options,
                            rn_error *err)
{
    rn_zip zip;
    rn_status status = rn_zip_open(&zip, file, err);
    if (status == RN_OK) {
        status = load_archive(set, file, &zip, rn_format_header_limit(options), err);
        rn_zip_release(&zip);
    }
    if (status == RN_ERR_FORMAT) explain(file, err);
    return status;
}
