/* One reader for each row of datatypes.def. */
#include "ingest/datatype.h"

#include <math.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "elements are copied as they arrive");

#define from_number(value) ((float)(value))

static float from_bfloat(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static float from_half(uint16_t bits)
{
    const unsigned exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size;
    if (exponent == 31)
        size = fraction ? NAN : INFINITY;
    else if (exponent == 0)
        size = (float)fraction * 0x1p-24f;
    else
        size = ldexpf((float)(fraction | 1024), (int)exponent - 25);
    return bits >> 15 ? -size : size;
}

#define DATATYPE(name, bytes, json, type, convert, least, most)          \
    _Static_assert(sizeof(type) == (bytes), #name);                      \
    static void read_##name(const uint8_t *at, size_t count, float *out) \
    {                                                                    \
        for (size_t i = 0; i < count; i++) {                             \
            type value;                                                  \
            memcpy(&value, at + i * sizeof value, sizeof value);         \
            out[i] = convert(value);                                     \
        }                                                                \
    }
#include "ingest/datatypes.def"
#undef DATATYPE

static const struct {
    const char *name;
    size_t size;
    bool in_json;
    void (*read)(const uint8_t *at, size_t count, float *out);
} rows[DATATYPES] = {
#define DATATYPE(name, bytes, json, type, convert, least, most) {#name, bytes, json, read_##name},
#include "ingest/datatypes.def"
#undef DATATYPE
};

_Static_assert((int)DATATYPE_RANGES <= (int)JSON_MAX_RANGES, "one range for each");
const struct json_range datatype_range[DATATYPES] = {
#define DATATYPE(name, bytes, json, type, convert, least, most) {least, most},
#include "ingest/datatypes.def"
#undef DATATYPE
};

bool datatype_of(const char *name, enum datatype *datatype)
{
    for (size_t i = 0; i < DATATYPES; i++)
        if (strcmp(rows[i].name, name) == 0) {
            *datatype = (enum datatype)i;
            return true;
        }
    return false;
}

const char *datatype_name(enum datatype datatype)
{
    return rows[datatype].name;
}

size_t datatype_size(enum datatype datatype)
{
    return rows[datatype].size;
}

bool datatype_in_json(enum datatype datatype)
{
    return rows[datatype].in_json;
}

void elements_feed(struct elements *elements, const void *bytes, size_t size, struct floats *floats)
{
    const size_t each = datatype_size(elements->datatype);
    const uint8_t *at = bytes;
    while (size > 0 && elements->rests > 0) {
        elements->rest[elements->rests++] = *at++;
        size--;
        if (elements->rests < each) continue;
        rows[elements->datatype].read(elements->rest, 1, floats->data + floats->count++);
        elements->rests = 0;
    }
    const size_t whole = size / each;
    if (whole) rows[elements->datatype].read(at, whole, floats->data + floats->count);
    floats->count += whole;
    elements->rests += size % each;
    if (size % each) memcpy(elements->rest, at + whole * each, size % each);
}
