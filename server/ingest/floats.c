/* Floats in aligned memory: realloc() keeps no alignment, so growth copies. */
#include "ingest/floats.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN ((size_t)64)

bool floats_reserve(struct floats *floats, size_t count, size_t most)
{
    if (count <= floats->capacity) return true;
    size_t room = floats->capacity > most / 2 ? most : 2 * floats->capacity;
    if (room < count) room = count;
    if (room > (SIZE_MAX - ALIGN) / sizeof(float)) return false;
    float *data = aligned_alloc(ALIGN, (room * sizeof(float) + ALIGN - 1) / ALIGN * ALIGN);
    if (!data) return false;
    if (floats->count) memcpy(data, floats->data, floats->count * sizeof(float));
    free(floats->data);
    floats->data = data;
    floats->capacity = room;
    return true;
}

void floats_free(struct floats *floats)
{
    free(floats->data);
    *floats = (struct floats){0};
}
