/* Usable CPUs from affinity and cgroup quota; see cpus.h. */
#include "cpus.h"

#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

/* The first line of root + group + "/" + name. */
static bool read_line(const char *root, const char *group, const char *name, char line[64])
{
    char path[PATH_SIZE];
    const int length = snprintf(path, sizeof path, "%s%s/%s", root, group, name);
    if (length < 0 || (size_t)length >= sizeof path) return false;
    FILE *file = fopen(path, "re");
    if (!file) return false;
    const bool good = fgets(line, 64, file) != NULL;
    fclose(file);
    return good;
}

static double quota_v2(const char *root, const char *group)
{
    char line[64], *end;
    if (!read_line(root, group, "cpu.max", line)) return 0; /* "max 100000" or "50000 100000" */
    const double quota = strtod(line, &end), period = strtod(end, NULL);
    return end != line && period > 0 ? quota / period : 0;
}

static double quota_v1(const char *root, const char *group)
{
    char line[64];
    if (!read_line(root, group, "cpu.cfs_quota_us", line)) return 0; /* -1: none */
    const double quota = strtod(line, NULL);
    if (!read_line(root, group, "cpu.cfs_period_us", line)) return 0;
    const double period = strtod(line, NULL);
    return quota > 0 && period > 0 ? quota / period : 0;
}

/* The least quota of the group and all above it, up to the root. `group` is cut on the way. */
static double least_quota(const char *root, char *group,
                          double (*quota_of)(const char *, const char *))
{
    double least = 0;
    for (;;) {
        const double quota = quota_of(root, strcmp(group, "/") ? group : "");
        if (quota > 0 && (least == 0 || quota < least)) least = quota;
        char *slash = strrchr(group, '/');
        if (!slash || !*group) return least;
        *slash = '\0';
    }
}

static bool has_controller(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *item = list; *item; item += strcspn(item, ",")) {
        if (*item == ',') item++;
        if (strcspn(item, ",") == length && !memcmp(item, name, length)) return true;
    }
    return false;
}

/* One line of /proc/self/cgroup: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static double quota_of_line(const char *root, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    if (!controllers) return 0;
    *controllers++ = '\0';
    char *group = strchr(controllers, ':');
    if (!group) return 0;
    *group++ = '\0';
    if (!*controllers) return least_quota(root, group, quota_v2);
    if (!has_controller(controllers, "cpu")) return 0;
    char v1_root[PATH_SIZE];
    snprintf(v1_root, sizeof v1_root, "%s/cpu", root);
    return least_quota(v1_root, group, quota_v1);
}

double cpus_quota(const char *root, const char *membership)
{
    FILE *file = fopen(membership, "re");
    if (!file) return 0;
    char line[PATH_SIZE];
    double least = 0;
    while (fgets(line, sizeof line, file)) {
        const double quota = quota_of_line(root, line);
        if (quota > 0 && (least == 0 || quota < least)) least = quota;
    }
    fclose(file);
    return least;
}

size_t cpus_usable(void)
{
    cpu_set_t set;
    size_t cpus = 1;
    if (!sched_getaffinity(0, sizeof set, &set)) cpus = (size_t)CPU_COUNT(&set);
    const double quota = cpus_quota("/sys/fs/cgroup", "/proc/self/cgroup");
    if (quota > 0 && ceil(quota) < (double)cpus) cpus = (size_t)ceil(quota);
    return cpus ? cpus : 1;
}
