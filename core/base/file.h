/* Files as bytes: mapped read-only, never written. */
#ifndef RN_BASE_FILE_H
#define RN_BASE_FILE_H

#include "resnet.h"

typedef struct {
    const uint8_t *bytes;
    size_t size;
    bool mapped; /* false: the bytes belong to somebody else, or size is 0 */
} rn_file;

/* Maps a regular file. Errors name the path as the caller gave it. */
rn_status rn_file_map(rn_file *file, const char *path, rn_error *err);
void rn_file_unmap(rn_file *file);

/* True when the path is a directory. */
bool rn_is_directory(const char *path);
bool rn_file_exists(const char *path);

/* "folder/name" in memory of its own. */
char *rn_path_join(const char *folder, const char *name, rn_error *err);

#endif
