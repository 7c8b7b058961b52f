/* What a file is by its first bytes: the pictures that are served, and the others by their names,
 * so that a client is told what to convert. */
#include <string.h>

#include "ingest/image.h"

/* `bytes`, of which '?' is any, at `offset`. */
struct signature {
    size_t offset;
    const char *bytes;
    size_t size;
    const char *name;
};

#define SIGNATURE(offset, bytes, name)        \
    {                                         \
        offset, bytes, sizeof bytes - 1, name \
    }

/* The brands of ISO base media files (ISO/IEC 23008-12) stand behind the type of the first box. */
static const struct signature unserved[] = {
    SIGNATURE(0, "RIFF????WEBP", "a WebP picture"),
    SIGNATURE(0, "GIF87a", "a GIF picture"),
    SIGNATURE(0, "GIF89a", "a GIF picture"),
    SIGNATURE(0, "II*\0", "a TIFF picture"),
    SIGNATURE(0, "MM\0*", "a TIFF picture"),
    SIGNATURE(0, "II+\0", "a TIFF picture"),
    SIGNATURE(0, "MM\0+", "a TIFF picture"),
    SIGNATURE(4, "ftypavif", "an AVIF picture"),
    SIGNATURE(4, "ftypavis", "an AVIF picture"),
    SIGNATURE(4, "ftyphei", "a HEIC picture"),
    SIGNATURE(4, "ftyphev", "a HEIC picture"),
    SIGNATURE(4, "ftypmif1", "a HEIF picture"),
    SIGNATURE(4, "ftypmif2", "a HEIF picture"),
    SIGNATURE(4, "ftypmsf1", "a HEIF picture"),
    SIGNATURE(4, "ftypcrx ", "a Canon CR3 picture"),
    SIGNATURE(0, "\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture"),
    SIGNATURE(0, "\xff\x0a", "a JPEG XL picture"),
    SIGNATURE(0, "\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture"),
    SIGNATURE(0, "\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    SIGNATURE(0, "II\xbc", "a JPEG XR picture"),
    SIGNATURE(0, "8BPS\0", "a Photoshop picture"),
    SIGNATURE(0, "\0\0\1\0?\0???\0", "an ICO picture"),
    SIGNATURE(0, "v/1\1", "an OpenEXR picture"),
    SIGNATURE(0, "#?RADIANCE", "a Radiance picture"),
    SIGNATURE(0, "qoif", "a QOI picture"),
    SIGNATURE(0, "DDS |\0\0\0", "a DDS picture"),
    SIGNATURE(0, "gimp xcf", "a GIMP picture"),
    SIGNATURE(0, "<svg", "an SVG picture"),
};

static bool matches(const uint8_t *at, size_t size, const struct signature *signature)
{
    if (size < signature->offset + signature->size) return false;
    at += signature->offset;
    for (size_t i = 0; i < signature->size; i++)
        if (signature->bytes[i] != '?' && at[i] != (uint8_t)signature->bytes[i]) return false;
    return true;
}

/* "BM" alone is not enough: two reserved numbers are 0, and the second header has a known size. */
static bool is_bmp(const uint8_t *at, size_t size)
{
    static const uint8_t headers[] = {12, 16, 40, 52, 56, 64, 108, 124};
    return size >= 18 && memcmp(at, "BM", 2) == 0 && memcmp(at + 6, "\0\0\0", 4) == 0 &&
           memchr(headers, at[14], sizeof headers) && memcmp(at + 15, "\0\0", 3) == 0;
}

/* PBM, PGM, PPM, PAM: 'P', a digit, white space, a number or a comment. */
static bool is_netpbm(const uint8_t *at, size_t size)
{
    return size >= 4 && at[0] == 'P' && at[1] >= '1' && at[1] <= '7' &&
           (at[2] == '\n' || at[2] == ' ') &&
           (at[3] == '#' || at[1] == '7' || (at[3] >= '1' && at[3] <= '9'));
}

enum image_kind image_kind_of(const void *bytes, size_t size)
{
    if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return IMAGE_JPEG;
    if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return IMAGE_PNG;
    return IMAGE_NONE;
}

const char *image_unserved(const void *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof unserved / sizeof *unserved; i++)
        if (matches(bytes, size, &unserved[i])) return unserved[i].name;
    if (is_bmp(bytes, size)) return "a BMP picture";
    return is_netpbm(bytes, size) ? "a PPM picture" : NULL;
}
