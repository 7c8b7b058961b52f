/* The tag 0x0112 of EXIF 2.32 (section 4.6.4) and tiff:Orientation of XMP; see orientation.h. */
#include "ingest/orientation.h"

#include <stdbool.h>
#include <string.h>

/* A TIFF file in one of its two orders of bytes. */
struct tiff {
    const uint8_t *at;
    size_t size;
    bool big_endian;
};

static unsigned number_at(const struct tiff *tiff, size_t offset, size_t bytes)
{
    unsigned value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (unsigned)tiff->at[offset + (tiff->big_endian ? bytes - 1 - i : i)] << 8 * i;
    return value;
}

/* The first value of an entry whose type is one of whole numbers; false: there is none. */
static bool read_value(const struct tiff *tiff, size_t entry, unsigned *value)
{
    static const uint8_t sizes[] = {[3] = 2, [4] = 4, [6] = 1, [8] = 2, [9] = 4, [13] = 4};
    const size_t type = number_at(tiff, entry + 2, 2), count = number_at(tiff, entry + 4, 4);
    if (type >= sizeof sizes || sizes[type] == 0 || count == 0) return false;
    size_t place = entry + 8;
    if (count > 4u / sizes[type]) place = number_at(tiff, place, 4);
    if (place > tiff->size || tiff->size - place < sizes[type]) return false;
    *value = number_at(tiff, place, sizes[type]);
    return true;
}

unsigned exif_orientation(const uint8_t *exif, size_t size)
{
    enum { HEADER = 8, ENTRY = 12, ORIENTATION = 0x0112 };
    for (; size >= 6 && memcmp(exif, "Exif\0", 6) == 0; size -= 6) exif += 6;
    if (size < HEADER || (memcmp(exif, "MM\0*", 4) != 0 && memcmp(exif, "II*\0", 4) != 0)) return 0;
    const struct tiff tiff = {exif, size, exif[0] == 'M'};
    const size_t directory = number_at(&tiff, 4, 4);
    if (directory > size || size - directory < 2) return 0;
    const size_t entries = number_at(&tiff, directory, 2);
    unsigned orientation = 0, value;
    for (size_t i = 0; i < entries && size - directory - 2 >= (i + 1) * ENTRY; i++) {
        const size_t entry = directory + 2 + i * ENTRY;
        if (number_at(&tiff, entry, 2) == ORIENTATION && read_value(&tiff, entry, &value))
            orientation = value >= 1 && value <= 8 ? value : 1;
    }
    return orientation;
}

unsigned xmp_orientation(const uint8_t *xmp, size_t size)
{
    static const char name[] = "tiff:Orientation";
    const uint8_t *end = xmp + size, *at = xmp;
    while (at < end && (at = memmem(at, (size_t)(end - at), name, sizeof name - 1)) != NULL) {
        at += sizeof name - 1;
        const bool attribute = end - at >= 3 && at[0] == '=' && (at[1] == '"' || at[1] == '\'');
        const bool element = end - at >= 2 && at[0] == '>';
        if (!attribute && !element) continue;
        const uint8_t digit = at[attribute ? 2 : 1];
        if (digit >= '0' && digit <= '9') return digit >= '1' && digit <= '8' ? digit - '0' : 1;
    }
    return 0;
}
