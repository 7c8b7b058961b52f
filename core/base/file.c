#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/umac.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/size.h"

#define BLOCK     ((size_t)16 << 10)  /* bytes of which one checksum is kept */
#define RUN       ((size_t)128 << 10) /* bytes that one pread() asks for at most: whole blocks */
#define RECENT_NS 20000000            /* 20 ms: more than the step of a file system's clock */
#define RECENT    100                 /* how often a file that is being written to is waited for */

/* Checksums are UMAC-64 under a key of this file alone: two blocks that differ have the same one
 * with a probability below 2^-60, whoever wrote them. */
struct rn_open_file {
    int fd;
    struct stat info; /* when it was opened */
    struct umac64_ctx keyed;
    _Atomic uint64_t *sum; /* of each block; 0: nobody has read it yet */
    char path[];
};

void (*rn_file_before_read)(const char *path, size_t offset);

/* ---- opening --------------------------------------------------------------------------------- */

/* Nanoseconds that have passed since then; negative when that is to come. */
static int64_t age(const struct timespec *then)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)(now.tv_sec - then->tv_sec) * 1000000000 + (now.tv_nsec - then->tv_nsec);
}

static bool is_recent(const struct timespec *then)
{
    const int64_t ns = age(then);
    return ns > -RECENT_NS && ns < RECENT_NS;
}

/* A file system's clock moves in steps: two writes in one step leave the same time. Waits until the
 * last one is a step away, or for RECENT steps when it goes on; then rn_file_check() will see it.
 */
static bool look_at(rn_open_file *open)
{
    const struct timespec step = {.tv_nsec = RECENT_NS};
    for (int i = 0; fstat(open->fd, &open->info) == 0; i++) {
        if (!S_ISREG(open->info.st_mode) || i == RECENT ||
            (!is_recent(&open->info.st_mtim) && !is_recent(&open->info.st_ctim)))
            return true;
        nanosleep(&step, NULL);
    }
    return false;
}

static rn_status prepare(rn_file *file, rn_open_file *open, rn_error *err)
{
    uint8_t key[UMAC_KEY_SIZE] = {0};
    if (!look_at(open)) return rn_fail_file(err, open->path);
    if (!S_ISREG(open->info.st_mode))
        return rn_fail(err, RN_ERR_IO, "%s: not a regular file", open->path);
    if (getrandom(key, sizeof key, GRND_NONBLOCK) < 0)
        key[0] = 1; /* accidents are found all the same */
    umac64_set_key(&open->keyed, key);
    const size_t size = (size_t)open->info.st_size;
    open->sum = rn_alloc_zero(rn_ceil_div(size, BLOCK), sizeof *open->sum, err);
    if (!open->sum) return RN_ERR_MEMORY;
    *file = (rn_file){.size = size, .open = open};
    return RN_OK;
}

static void close_open(rn_open_file *open)
{
    if (!open) return;
    if (open->fd >= 0) close(open->fd);
    rn_free((void *)(uintptr_t)open->sum);
    rn_free(open);
}

rn_status rn_file_open(rn_file *file, const char *path, rn_error *err)
{
    *file = (rn_file){0};
    const size_t length = strlen(path) + 1;
    rn_open_file *open_file = rn_alloc_zero(1, sizeof *open_file + length, err);
    if (!open_file) return RN_ERR_MEMORY;
    memcpy(open_file->path, path, length);
    open_file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const rn_status status =
        open_file->fd < 0 ? rn_fail_file(err, path) : prepare(file, open_file, err);
    if (status != RN_OK) close_open(open_file);
    return status;
}

void rn_file_close(rn_file *file)
{
    close_open(file->open);
    *file = (rn_file){0};
}

/* ---- reading --------------------------------------------------------------------------------- */

static rn_status fail_changed(const rn_open_file *open, rn_error *err)
{
    return rn_fail(err, RN_ERR_IO, "%s: it was changed while it was read: load it again",
                   open->path);
}

static rn_status read_bytes(const rn_open_file *open, size_t offset, size_t size, uint8_t *out,
                            rn_error *err)
{
    if (rn_file_before_read) rn_file_before_read(open->path, offset);
    for (size_t got = 0; got < size;) {
        const ssize_t more = pread(open->fd, out + got, size - got, (off_t)(offset + got));
        if (more == 0)
            return rn_fail(err, RN_ERR_IO,
                           "%s: it ends at byte %zu of %zu: it was cut while it was read",
                           open->path, offset + got, (size_t)open->info.st_size);
        if (more < 0 && errno != EINTR) return rn_fail_file(err, open->path);
        if (more > 0) got += (size_t)more;
    }
    return RN_OK;
}

/* Whether the block has the bytes that an earlier reader has seen, if there was one. */
static bool is_same(const rn_open_file *open, struct umac64_ctx *hash, size_t block,
                    const uint8_t *bytes, size_t size)
{
    uint64_t nonce = block, sum = 0, seen = 0;
    umac64_set_nonce(hash, sizeof nonce, (const uint8_t *)&nonce);
    umac64_update(hash, size, bytes);
    umac64_digest(hash, sizeof sum, (uint8_t *)&sum);
    if (sum == 0) sum = 1;
    return atomic_compare_exchange_strong(&open->sum[block], &seen, sum) || seen == sum;
}

/* Whole blocks, or the file's last one that is shorter. */
static rn_status read_blocks(const rn_open_file *open, size_t offset, size_t size, uint8_t *out,
                             rn_error *err)
{
    struct umac64_ctx hash = open->keyed;
    while (size) {
        const size_t run = rn_min(size, RUN);
        const rn_status status = read_bytes(open, offset, run, out, err);
        if (status != RN_OK) return status;
        for (size_t at = 0; at < run; at += BLOCK)
            if (!is_same(open, &hash, (offset + at) / BLOCK, out + at, rn_min(BLOCK, run - at)))
                return fail_changed(open, err);
        offset += run;
        out += run;
        size -= run;
    }
    return RN_OK;
}

/* A part of one block: the block is read beside it. */
static rn_status read_part(const rn_file *file, size_t offset, size_t size, uint8_t *out,
                           rn_error *err)
{
    uint8_t block[BLOCK];
    const size_t begin = offset - offset % BLOCK;
    const rn_status status =
        read_blocks(file->open, begin, rn_min(BLOCK, file->size - begin), block, err);
    if (status == RN_OK) memcpy(out, block + (offset - begin), size);
    return status;
}

/* Bytes from there on that are whole blocks. */
static size_t whole_blocks(const rn_file *file, size_t offset, size_t size)
{
    if (offset % BLOCK) return 0;
    return offset + size == file->size ? size : size - size % BLOCK;
}

rn_status rn_file_read(const rn_file *file, size_t offset, size_t size, void *out, rn_error *err)
{
    uint8_t *to = out;
    if (offset > file->size || size > file->size - offset)
        return rn_fail(err, RN_ERR_IO, "%zu bytes at byte %zu of a file of %zu", size, offset,
                       file->size);
    if (file->bytes) {
        if (size) memcpy(to, file->bytes + offset, size);
        return RN_OK;
    }
    while (size) {
        const size_t whole = whole_blocks(file, offset, size);
        const size_t run = whole ? whole : rn_min(size, BLOCK - offset % BLOCK);
        const rn_status status = whole ? read_blocks(file->open, offset, run, to, err)
                                       : read_part(file, offset, run, to, err);
        if (status != RN_OK) return status;
        offset += run;
        to += run;
        size -= run;
    }
    return RN_OK;
}

void *rn_file_read_new(const rn_file *file, size_t offset, size_t size, rn_error *err)
{
    void *memory = rn_alloc(size, 1, err);
    if (memory && rn_file_read(file, offset, size, memory, err) == RN_OK) return memory;
    rn_free(memory);
    return NULL;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

rn_status rn_file_check(const rn_file *file, rn_error *err)
{
    struct stat now;
    const rn_open_file *open = file->open;
    if (!open) return RN_OK;
    const struct stat *then = &open->info;
    if (stat(open->path, &now) != 0)
        return errno == ENOENT || errno == ENOTDIR ? fail_changed(open, err)
                                                   : rn_fail_file(err, open->path);
    if (now.st_dev == then->st_dev && now.st_ino == then->st_ino && now.st_size == then->st_size &&
        same_time(&now.st_mtim, &then->st_mtim) && same_time(&now.st_ctim, &then->st_ctim))
        return RN_OK;
    return fail_changed(open, err);
}

/* ---- paths ----------------------------------------------------------------------------------- */

rn_status rn_path_look(const char *path, rn_path_kind *kind, rn_error *err)
{
    struct stat info;
    *kind = RN_PATH_NOTHING;
    if (stat(path, &info) != 0)
        return errno == ENOENT || errno == ENOTDIR ? RN_OK : rn_fail_file(err, path);
    *kind = S_ISREG(info.st_mode)   ? RN_PATH_FILE
            : S_ISDIR(info.st_mode) ? RN_PATH_FOLDER
                                    : RN_PATH_OTHER;
    return RN_OK;
}

char *rn_path_join(const char *folder, const char *name, rn_error *err)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = rn_alloc(size, 1, err);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}
