/* Makes the n-th call of a kind fail: preloaded (LD_PRELOAD) into the daemon by tests/fault/fault.
 *
 * Each function below stands in for the C library's of that name. It counts, fails when it is told
 * so through the page of control.h, and passes on all other calls. Any thread, at any moment, also
 * before this library's constructor has run: then everything is passed on. */
#include "control.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FRAMES = 14, OWN_FRAMES = 2, FAULT_DESCRIPTORS = 4096 };

static struct fault_control *_Atomic control; /* NULL: nothing is counted */

/* This thread is in the shim itself. Not a variable that is made at first use: that allocates. */
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

/* This thread has the name that control.h's `loading` is about. */
static _Thread_local bool is_loader __attribute__((tls_model("initial-exec")));

static const int error_of[] = {
#define CALL(id, name, error, drops) [FAULT_##id] = (error),
#include "calls.def"
#undef CALL
};

/* ---- counting -------------------------------------------------------------------------------- */

/* "resnetd+0x1234 libspng.so.0+0x99 ..." */
static void note_callers(struct fault_control *c)
{
    void *frame[FRAMES];
    size_t used = 0;
    const int frames = backtrace(frame, FRAMES);
    for (int i = OWN_FRAMES; i < frames && used < FAULT_TEXT; i++) {
        Dl_info info;
        if (!dladdr(frame[i], &info) || !info.dli_fname) continue;
        const char *slash = strrchr(info.dli_fname, '/');
        const size_t offset = (size_t)((const char *)frame[i] - (const char *)info.dli_fbase);
        used += (size_t)snprintf(c->text + used, FAULT_TEXT - used, "%s+%#zx ",
                                 slash ? slash + 1 : info.dli_fname, offset - 1);
    }
    atomic_store(&c->written, 1);
}

/* Whether this call is one that is to fail; errno is set. */
static bool fails(enum fault_call call)
{
    struct fault_control *c = atomic_load(&control);
    if (!c || inside || !atomic_load(&c->armed)) return false;
    if (atomic_load(&c->loading) && !is_loader) return false;
    const long seen = atomic_fetch_add(&c->seen[call], 1) + 1;
    if (atomic_load(&c->call) != (int)call) return false;
    const long first = atomic_load(&c->first);
    if (seen < first || seen - first >= atomic_load(&c->count)) return false;
    if (atomic_fetch_add(&c->failed, 1) == 0) {
        inside = true;
        note_callers(c);
        inside = false;
    }
    errno = error_of[call];
    return true;
}

static void count_blocks(long change)
{
    struct fault_control *c = atomic_load(&control);
    if (c) atomic_fetch_add(&c->blocks, change);
}

static void count_mapped(long change)
{
    struct fault_control *c = atomic_load(&control);
    if (c) atomic_fetch_add(&c->mapped, change);
}

/* ---- the functions that are stood in for ----------------------------------------------------- */

/* The next definition of that name, in a pointer of any function type; found once. */
static void find(void *function, const char *name)
{
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(function, &symbol, sizeof symbol); /* ISO C has no conversion */
}

/* real: the function that is stood in for, in the function that stands in. */
#define REAL(name)                 \
    static __typeof__(&name) real; \
    if (!__atomic_load_n(&real, __ATOMIC_RELAXED)) find(&real, #name)

void *malloc(size_t size)
{
    REAL(malloc);
    if (fails(FAULT_ALLOC)) return NULL;
    void *memory = real(size);
    count_blocks(memory != NULL);
    return memory;
}

void *calloc(size_t count, size_t size)
{
    REAL(calloc);
    if (fails(FAULT_ALLOC)) return NULL;
    void *memory = real(count, size);
    count_blocks(memory != NULL);
    return memory;
}

void *realloc(void *old, size_t size)
{
    REAL(realloc);
    if (fails(FAULT_ALLOC)) return NULL;
    void *memory = real(old, size);
    count_blocks((memory != NULL) - (old && (memory || !size)));
    return memory;
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes)) return realloc(old, bytes);
    errno = ENOMEM;
    return NULL;
}

void *aligned_alloc(size_t align, size_t size)
{
    REAL(aligned_alloc);
    if (fails(FAULT_ALLOC)) return NULL;
    void *memory = real(align, size);
    count_blocks(memory != NULL);
    return memory;
}

void *memalign(size_t align, size_t size)
{
    REAL(memalign);
    if (fails(FAULT_ALLOC)) return NULL;
    void *memory = real(align, size);
    count_blocks(memory != NULL);
    return memory;
}

int posix_memalign(void **memory, size_t align, size_t size)
{
    REAL(posix_memalign);
    if (fails(FAULT_ALLOC)) return ENOMEM;
    const int problem = real(memory, align, size);
    count_blocks(!problem);
    return problem;
}

void free(void *memory)
{
    REAL(free);
    count_blocks(-(memory != NULL));
    real(memory);
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    REAL(mmap);
    if (fails(FAULT_MMAP)) return MAP_FAILED;
    void *memory = real(at, size, protection, flags, fd, offset);
    if (memory != MAP_FAILED) count_mapped((long)size);
    return memory;
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return mmap(at, size, protection, flags, fd, offset);
}

int munmap(void *memory, size_t size)
{
    REAL(munmap);
    const int problem = real(memory, size);
    if (!problem) count_mapped(-(long)size);
    return problem;
}

/* The mode of a file that may be made. */
#define MODE(mode, flags)                  \
    mode_t mode = 0;                       \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list arguments;                 \
        va_start(arguments, flags);        \
        mode = va_arg(arguments, mode_t);  \
        va_end(arguments);                 \
    }

int open(const char *path, int flags, ...)
{
    REAL(open);
    MODE(mode, flags)
    return fails(FAULT_OPEN) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    REAL(open64);
    MODE(mode, flags)
    return fails(FAULT_OPEN) ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    REAL(openat);
    MODE(mode, flags)
    return fails(FAULT_OPEN) ? -1 : real(folder, path, flags, mode);
}

/* A function that fails with a value and passes its arguments on. */
#define STAND_IN(call, bad, type, name, parameters, arguments) \
    type name parameters                                       \
    {                                                          \
        REAL(name);                                            \
        return fails(FAULT_##call) ? (bad) : real arguments;   \
    }

STAND_IN(OPEN, NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
STAND_IN(OPEN, NULL, FILE *, fopen64, (const char *path, const char *mode), (path, mode))
STAND_IN(OPEN, NULL, DIR *, opendir, (const char *path), (path))

STAND_IN(STAT, -1, int, fstat, (int fd, struct stat *info), (fd, info))
STAND_IN(STAT, -1, int, stat, (const char *path, struct stat *info), (path, info))
STAND_IN(STAT, -1, int, fstatat, (int fd, const char *path, struct stat *info, int flags),
         (fd, path, info, flags))

/* An eventfd is a number in the kernel: it can be had or not, but not fail afterwards. */
static atomic_bool is_event[FAULT_DESCRIPTORS];

static bool can_fail(int fd)
{
    return fd < 0 || fd >= FAULT_DESCRIPTORS || !atomic_load(&is_event[fd]);
}

int eventfd(unsigned count, int flags)
{
    REAL(eventfd);
    const int fd = fails(FAULT_EVENT) ? -1 : real(count, flags);
    if (fd >= 0 && fd < FAULT_DESCRIPTORS) atomic_store(&is_event[fd], true);
    return fd;
}

int close(int fd)
{
    REAL(close);
    if (fd >= 0 && fd < FAULT_DESCRIPTORS) atomic_store(&is_event[fd], false);
    return real(fd);
}

ssize_t read(int fd, void *to, size_t size)
{
    REAL(read);
    return can_fail(fd) && fails(FAULT_READ) ? -1 : real(fd, to, size);
}

ssize_t write(int fd, const void *from, size_t size)
{
    REAL(write);
    /* by its stdout the test learns that it is ready */
    return fd != STDOUT_FILENO && can_fail(fd) && fails(FAULT_WRITE) ? -1 : real(fd, from, size);
}

STAND_IN(READ, -1, ssize_t, pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
STAND_IN(READ, -1, ssize_t, pread64, (int fd, void *to, size_t size, off64_t at),
         (fd, to, size, at))
STAND_IN(READ, -1, ssize_t, preadv, (int fd, const struct iovec *to, int count, off_t at),
         (fd, to, count, at))
STAND_IN(READ, NULL, char *, fgets, (char *line, int size, FILE *file), (line, size, file))
STAND_IN(READ, NULL, struct dirent *, readdir, (DIR * folder), (folder))

int pthread_setname_np(pthread_t thread, const char *name)
{
    REAL(pthread_setname_np);
    if (pthread_equal(thread, pthread_self())) is_loader = !strcmp(name, "loader");
    return real(thread, name);
}

STAND_IN(THREAD, EAGAIN, int, pthread_create,
         (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *),
          void *argument),
         (thread, attributes, start, argument))

STAND_IN(EVENT, -1, int, pipe, (int ends[2]), (ends))
STAND_IN(EVENT, -1, int, pipe2, (int ends[2], int flags), (ends, flags))
STAND_IN(EVENT, -1, int, epoll_create1, (int flags), (flags))

STAND_IN(SOCKET, -1, int, socket, (int family, int type, int protocol), (family, type, protocol))
STAND_IN(SOCKET, -1, int, listen, (int fd, int length), (fd, length))

STAND_IN(SETTING, -1, int, setsockopt,
         (int fd, int level, int name, const void *value, socklen_t size),
         (fd, level, name, value, size))
STAND_IN(SETTING, -1, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
         (fd, level, name, value, size))

/* Taking out and changing what is in it need no memory. */
int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    REAL(epoll_ctl);
    return operation == EPOLL_CTL_ADD && fails(FAULT_EPOLL) ? -1
                                                            : real(epoll, operation, fd, event);
}

STAND_IN(WAIT, -1, int, epoll_wait, (int epoll, struct epoll_event *event, int most, int ms),
         (epoll, event, most, ms))

STAND_IN(ACCEPT, -1, int, accept4, (int fd, __SOCKADDR_ARG address, socklen_t *size, int flags),
         (fd, address, size, flags))
STAND_IN(ACCEPT, -1, int, accept, (int fd, __SOCKADDR_ARG address, socklen_t *size),
         (fd, address, size))

STAND_IN(RECEIVE, -1, ssize_t, recv, (int fd, void *to, size_t size, int flags),
         (fd, to, size, flags))
STAND_IN(SEND, -1, ssize_t, send, (int fd, const void *from, size_t size, int flags),
         (fd, from, size, flags))
STAND_IN(SEND, -1, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
         (fd, message, flags))
STAND_IN(SEND, -1, ssize_t, writev, (int fd, const struct iovec *from, int count),
         (fd, from, count))

/* ---- the beginning --------------------------------------------------------------------------- */

/* The first backtrace() loads a library; here it harms nobody. */
__attribute__((constructor)) static void begin(void)
{
    const char *number = getenv(FAULT_VARIABLE);
    void *frame[1];
    if (!number) return;
    backtrace(frame, 1);
    const int fd = (int)strtol(number, NULL, 10);
    void *page =
        mmap(NULL, sizeof(struct fault_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) abort();
    close(fd);
    atomic_store(&control, page);
}

typedef int main_fn(int argc, char **argv, char **environment);
typedef int start_fn(main_fn *program, int argc, char **argv, void (*init)(void),
                     void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
static main_fn *program_main;

static int armed_main(int argc, char **argv, char **environment)
{
    struct fault_control *c = atomic_load(&control);
    if (c && atomic_load(&c->at_main)) atomic_store(&c->armed, true);
    return program_main(argc, argv, environment);
}

/* The C library's call of main(), after all constructors. Its parameters are the C library's.
 * NOLINTNEXTLINE(readability-function-size) */
int __libc_start_main(main_fn *program, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

/* NOLINTNEXTLINE(readability-function-size) */
int __libc_start_main(main_fn *program, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    start_fn *real;
    find(&real, "__libc_start_main");
    program_main = program;
    return real(armed_main, argc, argv, init, fini, rtld_fini, stack_end);
}
