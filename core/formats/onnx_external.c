/* Tensors of an ONNX model whose bytes are in a file beside it: they are pointed at where they are
 * mapped, as if they had stood in the model. */
#include <onnx.pb-c.h>

#include "formats/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/size.h"

#define MOST_DIGITS 18

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

/* The bytes become the tensor's; the document forgets them before it is freed. */
static rn_status attach(rn_onnx_document *doc, Onnx__Tensor *proto, const uint8_t *bytes,
                        size_t size, rn_error *err)
{
    Onnx__Tensor **grown =
        rn_grow(doc->attached, doc->attached_count, &doc->attached_capacity, sizeof *grown, err);
    if (!grown) return RN_ERR_MEMORY;
    doc->attached = grown;
    doc->attached[doc->attached_count++] = proto;
    proto->raw_data = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)bytes};
    return RN_OK;
}

rn_status rn_onnx_attach(rn_tensors *set, Onnx__Tensor *proto, const rn_format_options *options,
                         rn_error *err)
{
    place p;
    rn_onnx_document *doc = set->document;
    if (proto->data_location == 0) return RN_OK;
    if (proto->raw_data.len)
        return rn_fail(err, RN_ERR_FORMAT, "its data is in the model and in another file");
    const rn_status status = read_place(&p, proto, err);
    if (status != RN_OK) return status;
    const size_t files = set->sides;
    const rn_file *file = rn_tensors_side_file(set, options->folder, p.location, err);
    if (!file) return RN_ERR_FORMAT;
    if (set->sides > files) rn_onnx_count_file(doc, file->size);
    if (!p.has_length) p.length = p.offset < file->size ? file->size - p.offset : 0;
    if (p.offset > file->size || p.length > file->size - p.offset)
        return rn_fail(err, RN_ERR_FORMAT, "%zu bytes at byte %zu of %.60s, which has %zu",
                       p.length, p.offset, p.location, file->size);
    proto->data_location = 0;
    return p.length ? attach(doc, proto, file->bytes + p.offset, p.length, err) : RN_OK;
}

void rn_onnx_detach(rn_onnx_document *doc)
{
    for (size_t i = 0; i < doc->attached_count; i++)
        doc->attached[i]->raw_data = (ProtobufCBinaryData){0};
    rn_free(doc->attached);
}
