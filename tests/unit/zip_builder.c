#include "zip_builder.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A little-endian field of `width` bytes. */
static void put(uint8_t *to, size_t *at, size_t width, uint64_t value)
{
    for (size_t i = 0; i < width; i++, value >>= 8) to[(*at)++] = (uint8_t)value;
}

void zip_append(zip_builder *zip, const void *bytes, size_t size)
{
    zip->bytes = realloc(zip->bytes, zip->size + size + 1);
    assert(zip->bytes);
    memcpy(zip->bytes + zip->size, bytes, size);
    zip->size += size;
}

static void add_local(zip_builder *zip, const char *name, size_t size)
{
    uint8_t header[30];
    size_t at = 0;
    put(header, &at, 4, 0x04034b50);
    put(header, &at, 2, 45);
    put(header, &at, 2, zip->flags);
    put(header, &at, 2, zip->method);
    put(header, &at, 4, 0); /* time, date */
    put(header, &at, 4, 0); /* checksum */
    put(header, &at, 4, size);
    put(header, &at, 4, size);
    put(header, &at, 2, strlen(name));
    put(header, &at, 2, 0);
    zip_append(zip, header, at);
    zip_append(zip, name, strlen(name));
}

void zip_add(zip_builder *zip, const char *name, const void *data, size_t size)
{
    const uint64_t offset = zip->size + zip->offset_error, shown = size + zip->size_error;
    add_local(zip, zip->local_name ? zip->local_name : name, size);
    zip_append(zip, data, size);

    uint8_t *to = zip->directory;
    size_t at = zip->directory_size;
    assert(at + 46 + strlen(name) + 32 <= sizeof zip->directory);
    put(to, &at, 4, 0x02014b50);
    put(to, &at, 4, 45 << 16 | 45);
    put(to, &at, 2, zip->flags);
    put(to, &at, 2, zip->method);
    put(to, &at, 8, 0); /* time, date, checksum */
    put(to, &at, 4, zip->zip64 ? 0xffffffff : shown);
    put(to, &at, 4, zip->zip64 ? 0xffffffff : shown);
    put(to, &at, 2, strlen(name));
    put(to, &at, 2, zip->zip64 ? 32 : 0);
    put(to, &at, 10, 0); /* comment, disk, attributes */
    put(to, &at, 4, zip->zip64 ? 0xffffffff : offset);
    memcpy(to + at, name, strlen(name));
    at += strlen(name);
    if (zip->zip64) {
        put(to, &at, 4, 0xcafe); /* some other extra field, empty, in front */
        put(to, &at, 2, 1);
        put(to, &at, 2, 24);
        put(to, &at, 8, shown);
        put(to, &at, 8, shown);
        put(to, &at, 8, offset);
    }
    zip->directory_size = at;
    zip->entries++;
}

void zip_finish(zip_builder *zip, const char *comment)
{
    uint8_t end[128];
    size_t at = 0;
    const size_t directory = zip->size;
    zip_append(zip, zip->directory, zip->directory_size);
    if (zip->zip64) {
        put(end, &at, 4, 0x06064b50);
        put(end, &at, 8, 44);
        put(end, &at, 4, 45 << 16 | 45);
        put(end, &at, 8, 0); /* disks */
        put(end, &at, 8, zip->entries);
        put(end, &at, 8, zip->entries);
        put(end, &at, 8, zip->directory_size);
        put(end, &at, 8, directory);
        put(end, &at, 4, 0x07064b50);
        put(end, &at, 4, 0);
        put(end, &at, 8, zip->size);
        put(end, &at, 4, 1);
    }
    put(end, &at, 4, 0x06054b50);
    put(end, &at, 4, 0); /* disks */
    put(end, &at, 2, zip->zip64 ? 0xffff : zip->entries);
    put(end, &at, 2, zip->zip64 ? 0xffff : zip->entries);
    put(end, &at, 4, zip->zip64 ? 0xffffffff : zip->directory_size);
    put(end, &at, 4, zip->zip64 ? 0xffffffff : directory);
    put(end, &at, 2, strlen(comment));
    zip_append(zip, end, at);
    zip_append(zip, comment, strlen(comment));
    zip->bytes = realloc(zip->bytes, zip->size);
    assert(zip->bytes);
}

void zip_free(zip_builder *zip)
{
    free(zip->bytes);
    *zip = (zip_builder){0};
}
