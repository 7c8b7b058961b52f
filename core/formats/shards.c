/* Weights in several files: an index in JSON says which tensor is in which file beside it,
 * {"metadata": {...}, "weight_map": {"conv1.weight": "model-00001-of-00002.safetensors", ...}}. */
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/size.h"
#include "formats/format.h"

#define KEY "weight_map"

/* JSON, and not the 8 bytes of a length that a safetensors file begins with. */
bool rn_shards_probe(const uint8_t *bytes, size_t size)
{
    return size > 8 && bytes[0] == '{' && !memchr(bytes, '\0', 8) &&
           memmem(bytes, size, "\"" KEY "\"", sizeof KEY + 1) != NULL;
}

/* Each tensor of the shard, those from `first` on, must be where the index says. */
static rn_status check_places(const rn_tensors *set, size_t first, const rn_json *map,
                              const char *shard, rn_error *err)
{
    for (size_t i = first; i < set->count; i++) {
        const char *name = set->tensor[i].name;
        const char *place = rn_json_string(rn_json_get(map, name));
        if (!place || strcmp(place, shard) != 0)
            return rn_fail(err, RN_ERR_FORMAT, "tensor %.80s is in %.60s, " KEY " says %.60s", name,
                           shard, place ? place : "nothing of it");
    }
    return RN_OK;
}

static rn_status load_shard(rn_tensors *set, const rn_json *map, const char *shard,
                            const rn_format_options *options, rn_error *err)
{
    const size_t files = set->sides, first = set->count;
    const rn_file *file = rn_tensors_side_file(set, options->folder, shard, err);
    if (!file) return rn_failure(err);
    if (set->sides == files) return RN_OK; /* it has been read */
    const rn_file opened = *file;          /* `file` moves when another is opened */
    rn_status status = rn_format_load_shard(set, &opened, options, err);
    if (status == RN_OK) status = check_places(set, first, map, shard, err);
    if (status != RN_OK) rn_context(err, "%.60s", shard);
    return status;
}

static rn_status load_all(rn_tensors *set, const rn_json *map, const rn_format_options *options,
                          rn_error *err)
{
    const char *name;
    const rn_json *value;
    rn_status status = RN_OK;
    for (void *i = NULL; status == RN_OK && (i = rn_json_next(map, i, &name, &value));) {
        const char *shard = rn_json_string(value);
        status = shard ? load_shard(set, map, shard, options, err)
                       : rn_fail(err, RN_ERR_FORMAT, KEY ": %.80s: want a file's name", name);
    }
    if (status == RN_OK) status = rn_tensors_sort(set, err);
    for (void *i = NULL; status == RN_OK && (i = rn_json_next(map, i, &name, &value));)
        if (!rn_tensors_find(set, name))
            status = rn_fail(err, RN_ERR_FORMAT, "tensor %.80s isn't in %.60s", name,
                             rn_json_string(value));
    return status;
}

rn_status rn_shards_load(rn_tensors *set, const rn_file *file, const rn_format_options *options,
                         rn_error *err)
{
    rn_json_document *index;
    const size_t limit = rn_format_header_limit(options);
    if (file->size > limit)
        return rn_fail(err, RN_ERR_FORMAT, "an index of %zu bytes, at most %zu are read",
                       file->size, limit);
    char *text = rn_file_read_new(file, 0, file->size, err);
    if (!text) return rn_failure(err);
    rn_status status = rn_json_parse(&index, text, file->size, "index", err);
    rn_free(text);
    if (status != RN_OK) return status;
    const rn_json *map = rn_json_get(rn_json_root(index), KEY);
    status = rn_json_is_object(map) ? load_all(set, map, options, err)
                                    : rn_fail(err, RN_ERR_FORMAT, KEY ": want an object");
    rn_json_free(index);
    return status;
}
