/* Builds zip archives of stored entries in memory, right or wrong in one place. */
#ifndef TESTS_UNIT_ZIP_BUILDER_H
#define TESTS_UNIT_ZIP_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint8_t *bytes; /* malloc'ed, exactly `size` large after zip_finish(): a read beyond it shows */
    size_t size;
    size_t entries;
    uint8_t directory[4096];
    size_t directory_size;
    bool zip64; /* sizes and offsets in their 64-bit places */
    /* What is wrong, for the entries that follow. */
    uint16_t flags, method;
    int64_t size_error, offset_error; /* added in the directory */
    const char *local_name;           /* instead of the name, in the local header */
} zip_builder;

void zip_append(zip_builder *zip, const void *bytes, size_t size);
void zip_add(zip_builder *zip, const char *name, const void *data, size_t size);
/* Writes the directory and the end records, with a comment. */
void zip_finish(zip_builder *zip, const char *comment);
void zip_free(zip_builder *zip);

#endif
