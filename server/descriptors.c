/* The limit of open files; see descriptors.h. */
#include "descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "log.h"

/* Beside the clients: a model's files while it is loaded, /proc for the metrics. */
enum { OTHERS = 32, FEWEST_OTHERS = 6 };

void descriptors_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == limit.rlim_max) return;
    const rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        LOG(LOG_INFO, "descriptors", LOG_TEXT("error", "the limit cannot be raised"),
            LOG_NUMBER("limit", (double)soft));
}

/* The lowest free descriptor: all below are open. */
static size_t open_now(void)
{
    const int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return 16;
    close(fd);
    return (size_t)fd;
}

size_t descriptors_fit(size_t connections, size_t per_extra)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur == RLIM_INFINITY) return connections;
    const size_t all = (size_t)limit.rlim_cur, used = open_now();
    const size_t spare = all > used ? all - used : 0;
    const size_t others = spare > 4 * OTHERS ? OTHERS : FEWEST_OTHERS;
    const size_t room = spare > others ? spare - others : 0;
    const size_t fit = room * per_extra / (per_extra + 1);
    if (fit >= connections) return connections;
    LOG(LOG_WARNING, "descriptors", LOG_NUMBER("limit", (double)all),
        LOG_NUMBER("connections", (double)(fit ? fit : 1)),
        LOG_NUMBER("wanted", (double)connections),
        LOG_TEXT("text", "--connections is lowered to fit the limit of open files (ulimit -n)"));
    return fit ? fit : 1;
}
