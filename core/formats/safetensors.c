/* safetensors: 8 bytes of header length, a JSON header, then the tensors' bytes.
 *
 * The header says for each tensor its type, shape and place; by place the tensors must follow each
 * other from the header's end to the file's end with no hole and no overlap. */
#include "formats/format.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/size.h"

#define PREFIX       8         /* bytes of the header's length */
#define HEADER_LIMIT 100000000 /* the format's own limit */

bool rn_safetensors_probe(const uint8_t *bytes, size_t size)
{
    return size > PREFIX && bytes[PREFIX] == '{';
}

/* ---- one tensor ------------------------------------------------------------------------------ */

static rn_status read_dtype(rn_tensor *tensor, const rn_json *entry, rn_error *err)
{
    const char *text = rn_json_string(rn_json_get(entry, "dtype"));
    if (!text) return rn_fail(err, RN_ERR_FORMAT, "dtype is missing or no string");
    for (int d = 0; d < RN_DTYPES; d++) {
        if (strcmp(text, rn_dtype_name((rn_dtype)d)) != 0) continue;
        tensor->dtype = (rn_dtype)d;
        return RN_OK;
    }
    return rn_fail(err, RN_ERR_FORMAT, "its type %.16s can't be served", text);
}

static rn_status read_shape(rn_tensor *tensor, const rn_json *entry, rn_error *err)
{
    const rn_json *shape = rn_json_get(entry, "shape");
    if (!rn_json_is_array(shape)) return rn_fail(err, RN_ERR_FORMAT, "shape is no array");
    tensor->rank = rn_json_count(shape);
    if (tensor->rank > RN_MAX_RANK)
        return rn_fail(err, RN_ERR_FORMAT, "%zu dimensions, at most %d can be served", tensor->rank,
                       RN_MAX_RANK);
    for (size_t i = 0; i < tensor->rank; i++)
        if (!rn_json_size(rn_json_at(shape, i), &tensor->shape[i]))
            return rn_fail(err, RN_ERR_FORMAT, "shape[%zu] is no size", i);
    rn_tensor_row_major(tensor);
    return RN_OK;
}

/* What follows the header: `size` bytes of the file. */
typedef struct {
    const rn_file *file;
    size_t begin, size;
} payload;

static rn_status read_place(rn_tensor *tensor, size_t *bytes, const rn_json *entry,
                            const payload *data, rn_error *err)
{
    const rn_json *offsets = rn_json_get(entry, "data_offsets");
    size_t begin, end;
    if (rn_json_count(offsets) != 2 || !rn_json_size(rn_json_at(offsets, 0), &begin) ||
        !rn_json_size(rn_json_at(offsets, 1), &end))
        return rn_fail(err, RN_ERR_FORMAT, "data_offsets must be two sizes");
    if (begin > end || end > data->size)
        return rn_fail(err, RN_ERR_FORMAT, "data_offsets [%zu, %zu) are not inside the %zu bytes",
                       begin, end, data->size);
    rn_tensor_place(tensor, data->file, data->begin + begin);
    *bytes = end - begin;
    return RN_OK;
}

/* The shape's own size. False when it overflows. */
static bool dense_bytes(const rn_tensor *tensor, size_t *bytes)
{
    return rn_size_product(tensor->shape, tensor->rank, bytes) &&
           rn_size_mul(*bytes, rn_dtype_bytes(tensor->dtype), bytes);
}

static rn_status read_tensor(rn_tensor *tensor, size_t *bytes, const rn_json *entry,
                             const payload *data, rn_error *err)
{
    if (!rn_json_is_object(entry)) return rn_fail(err, RN_ERR_FORMAT, "its entry is no object");
    rn_status status = read_dtype(tensor, entry, err);
    if (status == RN_OK) status = read_shape(tensor, entry, err);
    if (status == RN_OK) status = read_place(tensor, bytes, entry, data, err);
    if (status != RN_OK) return status;
    size_t needed;
    char shape[96];
    if (dense_bytes(tensor, &needed) && needed == *bytes) return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT, "%zu bytes of data don't fit %s %s", *bytes,
                   rn_dtype_name(tensor->dtype),
                   rn_shape_text(tensor->shape, tensor->rank, shape, sizeof shape));
}

/* ---- the whole file -------------------------------------------------------------------------- */

static rn_status check_metadata(const rn_json *metadata, rn_error *err)
{
    if (!rn_json_is_object(metadata))
        return rn_fail(err, RN_ERR_FORMAT, "__metadata__ is no object");
    const char *key;
    const rn_json *value;
    for (void *i = NULL; (i = rn_json_next(metadata, i, &key, &value));)
        if (!rn_json_string(value))
            return rn_fail(err, RN_ERR_FORMAT, "__metadata__: %.80s is no string", key);
    return RN_OK;
}

static rn_status read_entries(rn_tensors *set, const rn_json *header, const payload *data,
                              rn_error *err)
{
    const char *key;
    const rn_json *entry;
    rn_status status = RN_OK;
    for (void *i = NULL; status == RN_OK && (i = rn_json_next(header, i, &key, &entry));) {
        rn_tensor tensor = {0};
        size_t bytes = 0;
        if (strcmp(key, "__metadata__") == 0) {
            status = check_metadata(entry, err);
            continue;
        }
        status = read_tensor(&tensor, &bytes, entry, data, err);
        if (status != RN_OK)
            rn_context(err, "tensor %.80s", key);
        else
            status = rn_tensors_add(set, key, strlen(key), &tensor, bytes, err);
    }
    return status;
}

static size_t data_bytes(const rn_tensor *tensor)
{
    return rn_tensor_elements(tensor) * rn_dtype_bytes(tensor->dtype);
}

/* By place; an empty tensor stands before the one that begins where it does. */
static int compare_places(const void *a, const void *b)
{
    const rn_tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    const size_t x_bytes = data_bytes(x), y_bytes = data_bytes(y);
    return (x_bytes > y_bytes) - (x_bytes < y_bytes);
}

/* Of the set's tensors from `first` on: those of this file. */
static rn_status check_places(rn_tensors *set, size_t first, const payload *data, rn_error *err)
{
    size_t expected = 0; /* each place is inside the data: no overflow */
    const size_t count = set->count - first;
    if (count) qsort(set->tensor + first, count, sizeof *set->tensor, compare_places);
    for (size_t i = first; i < set->count; i++) {
        const rn_tensor *tensor = &set->tensor[i];
        const size_t begin = tensor->offset - data->begin;
        if (begin != expected)
            return rn_fail(
                err, RN_ERR_FORMAT, "tensor %s: its data begins at %zu, %s at %zu", tensor->name,
                begin, begin < expected ? "inside the one that ends" : "after a hole", expected);
        expected += data_bytes(tensor);
    }
    if (expected != data->size)
        return rn_fail(err, RN_ERR_FORMAT, "%zu bytes follow the last tensor",
                       data->size - expected);
    return RN_OK;
}

static rn_status check_header_size(uint64_t header, size_t size, size_t limit, rn_error *err)
{
    if (header > limit)
        return rn_fail(err, RN_ERR_FORMAT, "a header of %llu bytes, at most %zu are read",
                       (unsigned long long)header, limit);
    if (header > size - PREFIX)
        return rn_fail(err, RN_ERR_FORMAT, "a header of %llu bytes in a file of %zu",
                       (unsigned long long)header, size);
    return RN_OK;
}

static rn_status load_header(rn_tensors *set, const char *text, const payload *data, rn_error *err)
{
    rn_json_document *header;
    const size_t first = set->count, length = data->begin - PREFIX;
    rn_status status = rn_json_parse(&header, text, length, "safetensors header", err);
    if (status != RN_OK) return status;
    status = read_entries(set, rn_json_root(header), data, err);
    if (status == RN_OK) status = check_places(set, first, data, err);
    rn_json_free(header);
    return status;
}

rn_status rn_safetensors_load(rn_tensors *set, const rn_file *file,
                              const rn_format_options *options, rn_error *err)
{
    uint8_t begin[PREFIX + 1] = {0};
    const size_t limit = rn_min(rn_format_header_limit(options), HEADER_LIMIT), size = file->size;
    rn_status status = size < sizeof begin ? rn_fail(err, RN_ERR_FORMAT, "no safetensors header")
                                           : rn_file_read(file, 0, sizeof begin, begin, err);
    if (status != RN_OK) return status;
    const uint64_t length = rn_le64(begin);
    if (!rn_safetensors_probe(begin, sizeof begin))
        return rn_fail(err, RN_ERR_FORMAT, "no safetensors header");
    status = check_header_size(length, size, limit, err);
    if (status != RN_OK) return status;
    char *text = rn_file_read_new(file, PREFIX, (size_t)length, err);
    if (!text) return rn_failure(err);
    const payload data = {file, PREFIX + (size_t)length, size - PREFIX - (size_t)length};
    status = load_header(set, text, &data, err);
    rn_free(text);
    return status;
}
