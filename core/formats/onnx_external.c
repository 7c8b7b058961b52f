/* Where the bytes of an ONNX model's tensors are: in the model's file, which its skeleton says, or
 * in a file beside it. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/size.h"

#define MOST_DIGITS 18
#define LARGE       4096 /* bytes of floats that stay in the file: most are weights */

/* What a tensor says of its place. */
typedef struct {
    const char *location;
    size_t offset, length;
    bool has_length;
} place;

static bool read_size(const char *text, size_t *out)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > MOST_DIGITS || text[digits]) return false;
    *out = (size_t)strtoull(text, NULL, 10);
    return true;
}

static rn_status read_place(place *p, const Onnx__Tensor *proto, rn_error *err)
{
    *p = (place){0};
    for (size_t i = 0; i < proto->n_external_data; i++) {
        const char *key = proto->external_data[i]->key, *value = proto->external_data[i]->value;
        bool known = true;
        if (strcmp(key, "location") == 0)
            p->location = value;
        else if (strcmp(key, "offset") == 0)
            known = read_size(value, &p->offset);
        else if (strcmp(key, "length") == 0)
            known = p->has_length = read_size(value, &p->length);
        if (!known)
            return rn_fail(err, RN_ERR_FORMAT, "its external_data: %.20s is %.30s", key, value);
    }
    if (p->location) return RN_OK;
    return rn_fail(err, RN_ERR_FORMAT, "its data is in another file that it doesn't name");
}

/* The document forgets the tensor's raw_data before it is freed. */
static rn_status remember(rn_onnx_document *doc, Onnx__Tensor *proto, rn_error *err)
{
    Onnx__Tensor **grown =
        rn_grow(doc->attached, doc->attached_count, &doc->attached_capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    doc->attached = grown;
    doc->attached[doc->attached_count++] = proto;
    return RN_OK;
}

static bool is_float(const Onnx__Tensor *proto)
{
    switch (proto->data_type) {
    case RN_ONNX_FLOAT:
    case RN_ONNX_FLOAT16:
    case RN_ONNX_BFLOAT16:
    case RN_ONNX_DOUBLE: return true;
    default: return false;
    }
}

/* The tensor's bytes in memory, or their number alone. */
static rn_status take_bytes(rn_onnx_document *doc, Onnx__Tensor *proto, const rn_onnx_place *at,
                            rn_error *err)
{
    uint8_t *bytes = NULL;
    const rn_status status = remember(doc, proto, err);
    if (status != RN_OK) return status;
    if (at->file.bytes) {
        bytes = (uint8_t *)(uintptr_t)at->file.bytes + at->offset;
    } else if (at->size < LARGE || !is_float(proto)) {
        bytes = rn_onnx_alloc(doc, at->size, 1, err);
        if (!bytes) return RN_ERR_MEMORY;
        const rn_status read = rn_file_read(&at->file, at->offset, at->size, bytes, err);
        if (read != RN_OK) return read;
    }
    proto->raw_data = (ProtobufCBinaryData){at->size, bytes};
    return RN_OK;
}

/* In the file of that name. */
static rn_status find_external(rn_tensors *set, const Onnx__Tensor *proto,
                               const rn_format_options *options, rn_onnx_place *at, rn_error *err)
{
    place p;
    const rn_status status = read_place(&p, proto, err);
    if (status != RN_OK) return status;
    const size_t files = set->sides;
    const rn_file *file = rn_tensors_side_file(set, options->folder, p.location, err);
    if (!file) return rn_failure(err);
    if (set->sides > files) rn_onnx_count_file(set->document, file->size);
    if (!p.has_length) p.length = p.offset < file->size ? file->size - p.offset : 0;
    if (p.offset > file->size || p.length > file->size - p.offset)
        return rn_fail(err, RN_ERR_FORMAT, "%zu bytes at byte %zu of %.60s, which has %zu",
                       p.length, p.offset, p.location, file->size);
    *at = (rn_onnx_place){*file, p.offset, p.length};
    return RN_OK;
}

rn_status rn_onnx_attach(rn_tensors *set, Onnx__Tensor *proto, const rn_format_options *options,
                         rn_onnx_place *at, rn_error *err)
{
    *at = (rn_onnx_place){0};
    rn_onnx_document *doc = set->document;
    rn_onnx_raw raw = {0};
    if (proto->raw_data.len == sizeof raw) { /* no other length comes out of the skeleton */
        memcpy(&raw, proto->raw_data.data, sizeof raw);
        rn_free(proto->raw_data.data); /* the document's allocator is base/mem.c */
        proto->raw_data = (ProtobufCBinaryData){0};
        *at = (rn_onnx_place){set->file, (size_t)raw.offset, (size_t)raw.size};
    }
    if (proto->data_location != 0) {
        if (raw.size)
            return rn_fail(err, RN_ERR_FORMAT, "its data is in the model and in another file");
        const rn_status status = find_external(set, proto, options, at, err);
        if (status != RN_OK) return status;
        proto->data_location = 0;
    }
    return at->size ? take_bytes(doc, proto, at, err) : RN_OK;
}

void rn_onnx_detach(rn_onnx_document *doc)
{
    for (size_t i = 0; i < doc->attached_count; i++)
        doc->attached[i]->raw_data = (ProtobufCBinaryData){0};
    rn_free(doc->attached);
}
