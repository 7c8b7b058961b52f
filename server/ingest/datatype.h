/* Elements of tensors as bytes, little-endian, to float32. No state: any thread. */
#ifndef SERVER_INGEST_DATATYPE_H
#define SERVER_INGEST_DATATYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "floats.h"
#include "ingest/json_tensor.h"

enum datatype {
#define DATATYPE(name, bytes, json, type, convert, least, most) DATATYPE_##name,
#include "ingest/datatypes.def"
#undef DATATYPE
    DATATYPES
};

/* False: no such type. */
bool datatype_of(const char *name, enum datatype *datatype);
const char *datatype_name(enum datatype datatype);
size_t datatype_size(enum datatype datatype);
/* The types of whole numbers are the first ones: their ranges. */
enum { DATATYPE_RANGES = DATATYPE_INT64 + 1 };
extern const struct json_range datatype_range[DATATYPES];
/* Whether its elements may be written as JSON numbers. */
bool datatype_in_json(enum datatype datatype);

/* Elements that arrive in pieces. Start: {.datatype = ...}. */
struct elements {
    enum datatype datatype;
    uint8_t rest[8]; /* the beginning of an element whose end has not arrived */
    size_t rests;
};

/* Adds what the bytes complete. There must be room: at most (size + 7) / element size more. */
void elements_feed(struct elements *elements, const void *bytes, size_t size,
                   struct floats *floats);

#endif
