/* How many CPUs this process may really use: its affinity mask and its cgroup's quota, whichever is
 * less. No state: any thread. */
#ifndef SERVER_CPUS_H
#define SERVER_CPUS_H

#include <stddef.h>

/* At least 1. */
size_t cpus_usable(void);

/* The CPU quota of the cgroup that `membership` (as /proc/self/cgroup) names below `root` (as
 * /sys/fs/cgroup), the least over it and the groups above it; 0: no quota, or no such files.
 * Knows cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us). */
double cpus_quota(const char *root, const char *membership);

#endif
