/* The directory of a zip archive whose entries are stored, not compressed: what torch.save writes.
 *
 * Sizes are taken from the central directory (local headers may leave them to a data descriptor),
 * in their 64-bit form where the archive has it. Every entry is checked to lie inside the file, and
 * all together can't be larger than it. Read-only after rn_zip_open(): any thread. */
#ifndef RN_FORMATS_ZIP_H
#define RN_FORMATS_ZIP_H

#include "base/file.h"

typedef struct {
    const char *name; /* in the directory, not terminated */
    size_t name_size;
    size_t offset; /* in the file: where its bytes begin */
    size_t size;
} rn_zip_entry;

typedef struct {
    rn_zip_entry *entry; /* sorted by name, each name once */
    size_t count;
    uint8_t *directory; /* the central directory's bytes */
} rn_zip;

/* True for bytes that begin with an entry's local header. */
bool rn_zip_probe(const uint8_t *bytes, size_t size);

/* Reads the directory and each entry's local header. Errors name the entry or the offset. On
 * failure *zip holds nothing. */
rn_status rn_zip_open(rn_zip *zip, const rn_file *file, rn_error *err);

/* NULL when there is none of that name. */
const rn_zip_entry *rn_zip_find(const rn_zip *zip, const char *name, size_t name_size);

void rn_zip_release(rn_zip *zip);

#endif
