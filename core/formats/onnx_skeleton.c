/* An ONNX file without the bytes of its tensors: libprotobuf-c copies all of a message, and most of
 * a model is weights, which can stay in the file until the plan needs them.
 *
 * The message is walked field by field, and each tensor's raw_data is replaced by the place where
 * it stands (rn_onnx_raw); everything else is copied, so that libprotobuf-c sees the same model.
 * Only the tensors that the reader uses are on the way: initialisers, and attributes of nodes. */
#include "formats/onnx.h"

#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "base/size.h"

#define WINDOW  ((size_t)16 << 10) /* bytes that are read at once */
#define LENGTH  5                  /* bytes of a length that is written before it is known */
#define MAX_INT 10                 /* bytes of a varint */

/* Wire types of protobuf's encoding. */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* Messages on the way, and the numbers of their fields in onnx.proto. */
typedef enum { COPIED, RAW, MODEL, GRAPH, NODE, ATTRIBUTE, TENSOR } level;

static const struct {
    level of;
    uint32_t field;
    level is;
} fields[] = {
    {MODEL, 7, GRAPH},    {GRAPH, 1, NODE},       {GRAPH, 5, TENSOR},
    {NODE, 5, ATTRIBUTE}, {ATTRIBUTE, 5, TENSOR}, {TENSOR, 9, RAW},
};

typedef struct {
    const rn_file *file;
    size_t at;             /* the next byte of the file */
    size_t begin, have;    /* what of the file is in `window` */
    uint8_t *out;          /* the skeleton */
    size_t size, capacity; /* of it */
    rn_status status;      /* the first failure's */
    rn_error *err;
    uint8_t window[WINDOW];
} walker;

/* ---- reading and writing --------------------------------------------------------------------- */

static bool malformed(walker *w)
{
    if (w->status == RN_OK)
        w->status = rn_fail(w->err, RN_ERR_FORMAT, "onnx: the %zu bytes are no valid model message",
                            w->file->size);
    return false;
}

static bool next_byte(walker *w, size_t end, uint8_t *byte)
{
    if (w->at >= end) return malformed(w);
    if (w->at < w->begin || w->at - w->begin >= w->have) {
        w->begin = w->at - w->at % WINDOW;
        w->have = rn_min(WINDOW, w->file->size - w->begin);
        w->status = rn_file_read(w->file, w->begin, w->have, w->window, w->err);
        if (w->status != RN_OK) return false;
    }
    *byte = w->window[w->at++ - w->begin];
    return true;
}

static bool read_int(walker *w, size_t end, uint64_t *out)
{
    uint8_t byte = 0x80;
    *out = 0;
    for (unsigned i = 0; byte & 0x80; i++) {
        if (i == MAX_INT) return malformed(w);
        if (!next_byte(w, end, &byte)) return false;
        *out |= (uint64_t)(byte & 0x7f) << (7 * i);
    }
    return true;
}

static bool reserve(walker *w, size_t more)
{
    size_t wanted;
    if (more <= w->capacity - w->size) return true;
    if (!rn_size_add(w->size, more, &wanted) || !rn_size_mul(wanted, 2, &wanted)) wanted = SIZE_MAX;
    uint8_t *grown = rn_alloc(wanted, 1, w->err);
    if (!grown) return w->status = RN_ERR_MEMORY, false;
    if (w->size) memcpy(grown, w->out, w->size);
    rn_free(w->out);
    w->out = grown;
    w->capacity = wanted;
    return true;
}

static bool write_int(walker *w, uint64_t value)
{
    if (!reserve(w, MAX_INT)) return false;
    for (; value >= 0x80; value >>= 7) w->out[w->size++] = (uint8_t)(value | 0x80);
    w->out[w->size++] = (uint8_t)value;
    return true;
}

/* A length of LENGTH bytes, more than it needs: so it can be written when it is known. */
static bool set_length(walker *w, size_t place, size_t length)
{
    if (length >> (7 * LENGTH)) return malformed(w);
    for (size_t i = 0; i < LENGTH; i++, length >>= 7)
        w->out[place + i] = (uint8_t)((length & 0x7f) | (i + 1 < LENGTH ? 0x80 : 0));
    return true;
}

static bool copy(walker *w, size_t end, size_t size)
{
    if (size > end - w->at) return malformed(w);
    if (!reserve(w, size)) return false;
    w->status = rn_file_read(w->file, w->at, size, w->out + w->size, w->err);
    w->at += size;
    w->size += size;
    return w->status == RN_OK;
}

/* The place of so many bytes in their stead. */
static bool replace(walker *w, size_t size)
{
    const rn_onnx_raw raw = {w->at, size};
    if (!write_int(w, size ? sizeof raw : 0) || !reserve(w, sizeof raw)) return false;
    if (size) memcpy(w->out + w->size, &raw, sizeof raw);
    if (size) w->size += sizeof raw;
    w->at += size;
    return true;
}

/* ---- the walk -------------------------------------------------------------------------------- */

static level level_of(level message, uint64_t field)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (fields[i].of == message && fields[i].field == field) return fields[i].is;
    return COPIED;
}

/* The message of that kind up to `end`. Nests as deep as `fields` does: four messages. */
static bool walk(walker *w, size_t end, level message);

static bool walk_bytes(walker *w, size_t end, level is)
{
    uint64_t size;
    if (!read_int(w, end, &size)) return false;
    if (size > end - w->at) return malformed(w);
    if (is == RAW) return replace(w, (size_t)size);
    if (is == COPIED) return write_int(w, size) && copy(w, end, (size_t)size);
    const size_t place = w->size, begin = place + LENGTH;
    if (!reserve(w, LENGTH)) return false;
    w->size = begin;
    return walk(w, w->at + (size_t)size, is) && set_length(w, place, w->size - begin);
}

static bool walk(walker *w, size_t end, level message)
{
    uint64_t tag, value;
    while (w->at < end) {
        if (!read_int(w, end, &tag) || !write_int(w, tag)) return false;
        bool fine = false;
        switch (tag & 7) {
        case VARINT: fine = read_int(w, end, &value) && write_int(w, value); break;
        case FIXED64: fine = copy(w, end, 8); break;
        case FIXED32: fine = copy(w, end, 4); break;
        case BYTES: fine = walk_bytes(w, end, level_of(message, tag >> 3)); break;
        default: fine = malformed(w);
        }
        if (!fine) return false;
    }
    return true;
}

uint8_t *rn_onnx_skeleton(const rn_file *file, size_t *size, rn_error *err)
{
    rn_error own = {0};
    walker *w = rn_alloc_zero(1, sizeof *w, err);
    if (!w) return NULL;
    w->file = file;
    w->err = err ? err : &own;
    uint8_t *out = walk(w, file->size, MODEL) && reserve(w, 1) ? w->out : NULL;
    if (!out) rn_free(w->out);
    *size = w->size;
    rn_free(w);
    return out;
}
