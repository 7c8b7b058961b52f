/* Little-endian numbers at any alignment. The caller has checked that the bytes are there. */
#ifndef RN_BASE_BYTES_H
#define RN_BASE_BYTES_H

#include <stdint.h>

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

#endif
