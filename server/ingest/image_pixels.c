/* The size of a picture, by its header alone: what several pictures take together is known before
 * one of them is decoded. A decoder checks the size that it finds by itself. */
#include <string.h>

#include "ingest/image.h"

static size_t big_endian(const uint8_t *at, size_t bytes)
{
    size_t value = 0;
    for (size_t i = 0; i < bytes; i++) value = value << 8 | at[i];
    return value;
}

/* A start of frame, of which there are 13 kinds: ITU T.81, table B.1. */
static bool is_frame(uint8_t marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

static bool has_no_length(uint8_t marker)
{
    return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8);
}

static size_t jpeg_pixels(const uint8_t *at, const uint8_t *end)
{
    enum { LENGTH = 2, FRAME = 7 }; /* length, precision, height, width */
    while ((at = memchr(at, 0xff, (size_t)(end - at))) != NULL) {
        while (at < end && *at == 0xff) at++;
        if (end - at < 1 + FRAME) return 0;
        const uint8_t marker = *at++;
        if (is_frame(marker)) return big_endian(at + 3, 2) * big_endian(at + 5, 2);
        if (marker == 0 || has_no_length(marker)) continue;
        const size_t length = big_endian(at, LENGTH);
        if (length > (size_t)(end - at)) return 0;
        at += length;
    }
    return 0;
}

size_t image_pixels(const void *bytes, size_t size)
{
    enum { IHDR = 16 }; /* where the first chunk's data begins: width, height */
    const uint8_t *at = bytes;
    switch (image_kind_of(bytes, size)) {
    case IMAGE_PNG:
        return size < IHDR + 8 ? 0 : big_endian(at + IHDR, 4) * big_endian(at + IHDR + 4, 4);
    case IMAGE_JPEG: return jpeg_pixels(at, at + size);
    default: return 0;
    }
}
