/* Floats in memory aligned to 64 bytes, and a growing run of them.
 *
 * What a request gives back is kept for the next one of the same size, up to a limit: fresh pages
 * from the system cost a tensor of 600 KB more time than its copying does. Threads: floats_new(),
 * floats_delete() and floats_discard() any, one run one at a time. */
#ifndef SERVER_FLOATS_H
#define SERVER_FLOATS_H

#include <stdbool.h>
#include <stddef.h>

/* Not set to anything. NULL: no memory. */
float *floats_new(size_t count);
/* Of what floats_new() returned, or NULL: kept for a later floats_new(), or given to the system,
 * which is for what lives as long as a model. */
void floats_delete(float *floats);
void floats_discard(float *floats);
/* Bytes that are kept for later. */
size_t floats_kept(void);

/* Start: {0}. */
struct floats {
    float *data;
    size_t count, capacity;
};

/* Makes room for `count` floats in all; at least doubles what it has, but not beyond `most` unless
 * count is. False: no memory; the floats are as they were. */
bool floats_reserve(struct floats *floats, size_t count, size_t most);
void floats_free(struct floats *floats);

/* The index of the first that is infinite or not a number; count: none is. */
size_t floats_not_finite(const float *data, size_t count);

#endif
