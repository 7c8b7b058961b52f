/* Memory of the core: the only place that calls malloc. Everything is 64-byte aligned, so that a
 * buffer of floats can be read with the widest vectors. Any thread. */
#ifndef RN_BASE_MEM_H
#define RN_BASE_MEM_H

#include "resnet.h"

#define RN_ALIGN 64 /* bytes: a cache line and an AVX-512 vector */

/* count * size bytes, not cleared (rn_alloc) or zero (rn_alloc_zero); NULL and *err on overflow or
 * failure. A size of zero gives a valid pointer. */
void *rn_alloc(size_t count, size_t size, rn_error *err);
void *rn_alloc_zero(size_t count, size_t size, rn_error *err);
char *rn_strdup(const char *text, rn_error *err);
char *rn_strndup(const char *text, size_t size, rn_error *err);
void rn_free(const void *memory);

/* Makes room for one more element in a growing array of `size`-byte elements: doubles *capacity and
 * moves the elements when count == *capacity. Returns the (new) array, or NULL with *err filled and
 * the old array still valid. */
void *rn_grow(void *array, size_t count, size_t *capacity, size_t size, rn_error *err);

/* Allocations so far, of the whole process: what a test of "allocates nothing" compares. */
size_t rn_alloc_count(void);

#endif
