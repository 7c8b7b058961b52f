/* A growing run of floats, aligned to 64 bytes. One thread at a time. */
#ifndef INGEST_FLOATS_H
#define INGEST_FLOATS_H

#include <stdbool.h>
#include <stddef.h>

/* Start: {0}. */
struct floats {
    float *data;
    size_t count, capacity;
};

/* Makes room for `count` floats in all; at least doubles what it has, but not beyond `most` unless
 * count is. False: no memory; the floats are as they were. */
bool floats_reserve(struct floats *floats, size_t count, size_t most);
void floats_free(struct floats *floats);

#endif
