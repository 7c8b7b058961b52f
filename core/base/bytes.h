/* Bytes of a file: little-endian numbers at any alignment, and the order of names that no NUL ends.
 * The caller has checked that the bytes are there. */
#ifndef RN_BASE_BYTES_H
#define RN_BASE_BYTES_H

#include <stdint.h>
#include <string.h>

#include "base/size.h"

static inline uint16_t rn_le16(const uint8_t *b)
{
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t rn_le32(const uint8_t *b)
{
    return rn_le16(b) | (uint32_t)rn_le16(b + 2) << 16;
}

static inline uint64_t rn_le64(const uint8_t *b)
{
    return rn_le32(b) | (uint64_t)rn_le32(b + 4) << 32;
}

/* Below 0, 0 or above 0, as strcmp() says it; the shorter of two that begin alike is first. */
static inline int rn_compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size)
{
    const int order = memcmp(a, b, rn_min(a_size, b_size));
    return order ? order : (a_size > b_size) - (a_size < b_size);
}

#endif
