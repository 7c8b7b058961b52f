#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

static rn_status map_descriptor(rn_file *file, int fd, const char *path, rn_error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0) return rn_fail(err, RN_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return rn_fail(err, RN_ERR_IO, "%s: not a regular file", path);
    *file = (rn_file){.size = (size_t)info.st_size};
    if (file->size == 0) return RN_OK;
    void *bytes = mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return rn_fail(err, RN_ERR_IO, "%s: can't map %zu bytes: %s", path, file->size,
                       strerror(errno));
    file->bytes = bytes;
    file->mapped = true;
    return RN_OK;
}

rn_status rn_file_map(rn_file *file, const char *path, rn_error *err)
{
    *file = (rn_file){0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return rn_fail(err, RN_ERR_IO, "%s: %s", path, strerror(errno));
    const rn_status status = map_descriptor(file, fd, path, err);
    close(fd);
    return status;
}

void rn_file_unmap(rn_file *file)
{
    if (file->mapped) munmap((void *)(uintptr_t)file->bytes, file->size);
    *file = (rn_file){0};
}

bool rn_is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool rn_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

char *rn_path_join(const char *folder, const char *name, rn_error *err)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = rn_alloc(size, 1, err);
    if (path) snprintf(path, size, "%s/%s", folder, name);
    return path;
}
