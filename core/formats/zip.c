/* Zip archives of stored entries: see zip.h. Names of fields follow the format's public note.
 *
 *   [local header, data, data descriptor]...  central directory  [zip64 end, locator]  end record
 */
#include "formats/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

enum {
    LOCAL_SIGNATURE = 0x04034b50,
    LOCAL_SIZE = 30,
    CENTRAL_SIGNATURE = 0x02014b50,
    CENTRAL_SIZE = 46,
    END_SIGNATURE = 0x06054b50,
    END_SIZE = 22,
    END64_SIGNATURE = 0x06064b50,
    END64_SIZE = 56,
    LOCATOR_SIGNATURE = 0x07064b50,
    LOCATOR_SIZE = 20,
    MAX_COMMENT = 0xffff,
    MAX_NAME = 0xffff,
    EXTRA_ZIP64 = 1,
    FLAG_ENCRYPTED = 1,
    METHOD_STORED = 0,
};

/* Values in the short fields that say: look for the long one. */
#define ESCAPE16 0xffffu
#define ESCAPE32 0xffffffffu

typedef struct {
    const rn_file *file;
    size_t directory, directory_size; /* the central directory's place in the file */
    const uint8_t *bytes;             /* of the directory */
    size_t stored;                    /* bytes of all entries so far */
    uint8_t *local;                   /* room for a local header with the longest name */
} archive;

/* One entry's numbers before they are checked. */
typedef struct {
    uint64_t compressed, uncompressed, local;
} extent;

bool rn_zip_probe(const uint8_t *bytes, size_t size)
{
    return size >= LOCAL_SIZE && rn_le32(bytes) == LOCAL_SIGNATURE;
}

/* The bytes at the end of the file in which the end records must be. */
typedef struct {
    uint8_t *bytes;
    size_t begin, size; /* the first one's offset in the file, and how many */
} tail;

/* The end record is the last thing in the file but for a comment of known length. Its place in the
 * tail, or SIZE_MAX. */
static size_t find_end(const tail *t)
{
    if (t->size < END_SIZE) return SIZE_MAX;
    const size_t last = t->size - END_SIZE;
    for (size_t back = 0; back <= rn_min(last, MAX_COMMENT); back++) {
        const uint8_t *end = t->bytes + last - back;
        if (rn_le32(end) == END_SIGNATURE && rn_le16(end + 20) == back) return last - back;
    }
    return SIZE_MAX;
}

/* What an end record of either size says. */
typedef struct {
    uint64_t entries, size, offset;
    size_t limit; /* the directory ends before this offset */
} summary;

/* From the 64-bit end record, which the locator before the 32-bit one (at `end` of the tail) names.
 */
static rn_status read_end64(summary *s, const archive *zip, const tail *t, size_t end,
                            rn_error *err)
{
    uint8_t record[END64_SIZE];
    const uint8_t *locator = t->bytes + end - LOCATOR_SIZE;
    if (s->limit < LOCATOR_SIZE + END64_SIZE || end < LOCATOR_SIZE ||
        rn_le32(locator) != LOCATOR_SIGNATURE)
        return rn_fail(err, RN_ERR_FORMAT,
                       "zip: no zip64 locator in front of the end record at byte %zu", s->limit);
    const uint64_t offset = rn_le64(locator + 8);
    const bool inside = offset <= s->limit - LOCATOR_SIZE - END64_SIZE;
    if (inside) {
        const rn_status status =
            rn_file_read(zip->file, (size_t)offset, sizeof record, record, err);
        if (status != RN_OK) return status;
    }
    if (!inside || rn_le32(record) != END64_SIGNATURE)
        return rn_fail(err, RN_ERR_FORMAT, "zip: no zip64 end record at byte %llu",
                       (unsigned long long)offset);
    *s =
        (summary){rn_le64(record + 32), rn_le64(record + 40), rn_le64(record + 48), (size_t)offset};
    return RN_OK;
}

static rn_status read_summary(summary *s, const archive *zip, const tail *t, rn_error *err)
{
    const size_t at = find_end(t);
    if (at == SIZE_MAX)
        return rn_fail(err, RN_ERR_FORMAT, "zip: no end record in %zu bytes: is the file cut off?",
                       zip->file->size);
    const uint8_t *end = t->bytes + at;
    *s = (summary){rn_le16(end + 10), rn_le32(end + 12), rn_le32(end + 16), t->begin + at};
    if (s->entries == ESCAPE16 || s->size == ESCAPE32 || s->offset == ESCAPE32)
        return read_end64(s, zip, t, at, err);
    return RN_OK;
}

static rn_status read_tail(summary *s, const archive *zip, rn_error *err)
{
    tail t = {.size = rn_min(zip->file->size, LOCATOR_SIZE + END_SIZE + MAX_COMMENT)};
    t.begin = zip->file->size - t.size;
    t.bytes = rn_file_read_new(zip->file, t.begin, t.size, err);
    if (!t.bytes) return rn_failure(err);
    const rn_status status = read_summary(s, zip, &t, err);
    rn_free(t.bytes);
    return status;
}

/* Finds the central directory and the number of its entries. */
static rn_status read_end(archive *zip, size_t *count, rn_error *err)
{
    summary s = {0};
    const rn_status status = read_tail(&s, zip, err);
    if (status != RN_OK) return status;
    const uint64_t entries = s.entries, size = s.size, offset = s.offset;
    const size_t limit = s.limit;
    if (size > limit || offset > limit - size)
        return rn_fail(err, RN_ERR_FORMAT,
                       "zip: central directory of %llu bytes at byte %llu doesn't fit in %zu bytes",
                       (unsigned long long)size, (unsigned long long)offset, limit);
    if (entries > size / CENTRAL_SIZE)
        return rn_fail(err, RN_ERR_FORMAT, "zip: %llu entries in a directory of %llu bytes",
                       (unsigned long long)entries, (unsigned long long)size);
    zip->directory = (size_t)offset;
    zip->directory_size = (size_t)size;
    *count = (size_t)entries;
    return RN_OK;
}

/* Replaces the escaped numbers by those of the zip64 extra field, which holds only these, in this
 * order. False: the field is missing or too short. */
static bool read_extent64(extent *place, const uint8_t *extra, size_t size)
{
    uint64_t *const field[] = {&place->uncompressed, &place->compressed, &place->local};
    size_t at = 0, block = 0;
    while (at + 4 <= size && rn_le16(extra + at) != EXTRA_ZIP64) at += 4 + rn_le16(extra + at + 2);
    if (at + 4 <= size) {
        block = rn_min(rn_le16(extra + at + 2), size - at - 4);
        extra += at + 4;
    }
    size_t used = 0;
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
        if (*field[i] != ESCAPE32) continue;
        if (used + 8 > block) return false;
        *field[i] = rn_le64(extra + used);
        used += 8;
    }
    return true;
}

/* Follows an entry to its data by its local header, whose name must be the same. */
static rn_status read_local(archive *zip, rn_zip_entry *entry, const extent *place, rn_error *err)
{
    const int shown = (int)rn_min(entry->name_size, 80);
    bool there = place->local <= zip->directory && zip->directory - place->local >= LOCAL_SIZE;
    const uint8_t *local = zip->local;
    if (there) {
        const size_t room = zip->directory - (size_t)place->local;
        const rn_status status =
            rn_file_read(zip->file, (size_t)place->local,
                         rn_min(room, LOCAL_SIZE + entry->name_size), zip->local, err);
        if (status != RN_OK) return status;
        there = rn_le32(local) == LOCAL_SIGNATURE;
    }
    if (!there)
        return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s: no local header at byte %llu", shown,
                       entry->name, (unsigned long long)place->local);
    const size_t name_size = rn_le16(local + 26), extra_size = rn_le16(local + 28);
    const size_t room = zip->directory - (size_t)place->local - LOCAL_SIZE;
    if (name_size != entry->name_size || name_size > room ||
        memcmp(local + LOCAL_SIZE, entry->name, name_size) != 0)
        return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s: another name at byte %llu", shown,
                       entry->name, (unsigned long long)place->local);
    if (extra_size > room - name_size || place->uncompressed > room - name_size - extra_size)
        return rn_fail(err, RN_ERR_FORMAT,
                       "zip: entry %.*s: %llu bytes at byte %llu run into the directory", shown,
                       entry->name, (unsigned long long)place->uncompressed,
                       (unsigned long long)place->local);
    entry->size = (size_t)place->uncompressed;
    entry->offset = (size_t)place->local + LOCAL_SIZE + name_size + extra_size;
    zip->stored += entry->size; /* each at most the file's size: checked after every entry */
    if (zip->stored > zip->file->size)
        return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s: overlaps others", shown, entry->name);
    return RN_OK;
}

/* Reads the entry at *at of the central directory and moves *at behind it. */
static rn_status read_entry(archive *zip, size_t *at, rn_zip_entry *entry, rn_error *err)
{
    const size_t room = zip->directory_size - *at, place_in_file = zip->directory + *at;
    const uint8_t *header = zip->bytes + *at;
    if (room < CENTRAL_SIZE || rn_le32(header) != CENTRAL_SIGNATURE)
        return rn_fail(err, RN_ERR_FORMAT, "zip: no directory entry at byte %zu", place_in_file);
    const size_t name_size = rn_le16(header + 28), extra_size = rn_le16(header + 30);
    const size_t length = CENTRAL_SIZE + name_size + extra_size + rn_le16(header + 32);
    if (length > room)
        return rn_fail(err, RN_ERR_FORMAT,
                       "zip: directory entry of %zu bytes at byte %zu, %zu are left", length,
                       place_in_file, room);
    *entry = (rn_zip_entry){.name = (const char *)header + CENTRAL_SIZE, .name_size = name_size};
    const int shown = (int)rn_min(name_size, 80);
    if (rn_le16(header + 8) & FLAG_ENCRYPTED)
        return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s: encrypted", shown, entry->name);
    if (rn_le16(header + 10) != METHOD_STORED)
        return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s: compressed (method %u), not stored",
                       shown, entry->name, rn_le16(header + 10));
    extent place = {rn_le32(header + 20), rn_le32(header + 24), rn_le32(header + 42)};
    if (!read_extent64(&place, header + CENTRAL_SIZE + name_size, extra_size))
        return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s: no zip64 sizes", shown, entry->name);
    if (place.compressed != place.uncompressed)
        return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s: stored, but %llu bytes become %llu",
                       shown, entry->name, (unsigned long long)place.compressed,
                       (unsigned long long)place.uncompressed);
    *at += length;
    return read_local(zip, entry, &place, err);
}

static int compare_entries(const void *a, const void *b)
{
    const rn_zip_entry *x = a, *y = b;
    return rn_compare_bytes(x->name, x->name_size, y->name, y->name_size);
}

static rn_status read_directory(rn_zip *zip, archive *from, size_t count, rn_error *err)
{
    size_t at = 0;
    for (; zip->count < count; zip->count++) {
        const rn_status status = read_entry(from, &at, &zip->entry[zip->count], err);
        if (status != RN_OK) return status;
    }
    if (at != from->directory_size)
        return rn_fail(err, RN_ERR_FORMAT, "zip: %zu entries end at byte %zu, the directory at %zu",
                       count, from->directory + at, from->directory + from->directory_size);
    qsort(zip->entry, count, sizeof zip->entry[0], compare_entries);
    for (size_t i = 1; i < count; i++)
        if (compare_entries(&zip->entry[i - 1], &zip->entry[i]) == 0)
            return rn_fail(err, RN_ERR_FORMAT, "zip: entry %.*s stands twice",
                           (int)rn_min(zip->entry[i].name_size, 80), zip->entry[i].name);
    return RN_OK;
}

/* The directory's bytes and room for its entries. */
static rn_status allocate(rn_zip *zip, archive *from, size_t count, rn_error *err)
{
    zip->entry = rn_alloc(count, sizeof zip->entry[0], err);
    from->local = rn_alloc(LOCAL_SIZE + rn_min(MAX_NAME, from->directory_size), 1, err);
    if (!zip->entry || !from->local) return RN_ERR_MEMORY;
    zip->directory = rn_file_read_new(from->file, from->directory, from->directory_size, err);
    from->bytes = zip->directory;
    return zip->directory ? RN_OK : rn_failure(err);
}

rn_status rn_zip_open(rn_zip *zip, const rn_file *file, rn_error *err)
{
    *zip = (rn_zip){0};
    archive from = {.file = file};
    size_t count = 0;
    rn_status status = read_end(&from, &count, err);
    if (status == RN_OK) status = allocate(zip, &from, count, err);
    if (status == RN_OK) status = read_directory(zip, &from, count, err);
    rn_free(from.local);
    if (status != RN_OK) rn_zip_release(zip);
    return status;
}

const rn_zip_entry *rn_zip_find(const rn_zip *zip, const char *name, size_t name_size)
{
    size_t low = 0, high = zip->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const rn_zip_entry *entry = &zip->entry[middle];
        const int order = rn_compare_bytes(name, name_size, entry->name, entry->name_size);
        if (order == 0) return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

void rn_zip_release(rn_zip *zip)
{
    rn_free(zip->entry);
    rn_free(zip->directory);
    *zip = (rn_zip){0};
}
