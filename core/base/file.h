/* Files that are read: never mapped, never written, and the same from the first byte to the last.
 *
 * A mapping of a file that somebody truncates ends the process, and one that somebody rewrites
 * shows old and new bytes side by side. Here bytes come by pread() into the caller's memory, a
 * block of which a checksum is kept: bytes that are read twice must be the same both times, so that
 * what one reader computes of a file (its digest) holds for what another has used. rn_file_check()
 * at the end tells whether the path still names the file that was opened, and nobody has written to
 * it.
 *
 * One thread opens, checks and closes; any thread reads. Copies of an rn_file stand for the same
 * open file, which is closed once. */
#ifndef RN_BASE_FILE_H
#define RN_BASE_FILE_H

#include "resnet.h"

typedef struct rn_open_file rn_open_file;

typedef struct {
    const uint8_t
        *bytes; /* a file in memory, which belongs to somebody else; NULL: it is on disk */
    size_t size;
    rn_open_file *open; /* NULL: in memory, or not open */
} rn_file;

/* Opens a regular file. Errors name the path as the caller gave it. One that was written to in the
 * last moment is opened a moment later, so that its times would show the next change. */
rn_status rn_file_open(rn_file *file, const char *path, rn_error *err);

/* Reads exactly `size` bytes at `offset`. RN_ERR_IO when the file has not so many, when it can't be
 * read, or when it was changed since it was opened as far as that shows in these bytes. */
rn_status rn_file_read(const rn_file *file, size_t offset, size_t size, void *out, rn_error *err);

/* The same into memory of its own, to be freed by rn_free(). NULL with *err filled. */
void *rn_file_read_new(const rn_file *file, size_t offset, size_t size, rn_error *err);

/* RN_ERR_IO when the path no longer names the file that was opened, or its size or times have
 * changed since. RN_OK for a file in memory. */
rn_status rn_file_check(const rn_file *file, rn_error *err);

void rn_file_close(rn_file *file);

/* For tests: called before each read of a file on disk, with its path and the place; NULL: nothing.
 * To be set while no file is open. */
extern void (*rn_file_before_read)(const char *path, size_t offset);

/* What a path names. */
typedef enum { RN_PATH_NOTHING, RN_PATH_FILE, RN_PATH_FOLDER, RN_PATH_OTHER } rn_path_kind;

/* Fails when that can't be known: a folder that can't be searched may hold the file or not. */
rn_status rn_path_look(const char *path, rn_path_kind *kind, rn_error *err);

/* "folder/name" in memory of its own. */
char *rn_path_join(const char *folder, const char *name, rn_error *err);

#endif
