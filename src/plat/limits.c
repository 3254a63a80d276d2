/* limits.c: memory, CPU time, processes and descriptors that this process may have.
 *
 * Run by:          the driver in fever_init(); the supervisor now and then.
 * Shared state:    none.
 * Source:          proc(5), and the kernel's cgroup-v1 and cgroup-v2 documents.
 */
#include "plat/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/base.h"
#include "plat/cgroup.h"

/* key: with its colon */
static uint64_t read_meminfo(const char *root, const char *key)
{
    char name[1100], text[1024];
    const char *at;
    ssize_t n;
    int fd;

    snprintf(name, sizeof name, "%s/proc/meminfo", root);
    fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FV_UNLIMITED;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return FV_UNLIMITED;
    text[n] = '\0';
    at = strstr(text, key);
    return at != NULL ? strtoull(at + strlen(key), NULL, 10) * 1024 : FV_UNLIMITED;
}

/* "key 123" in a flat keyed file */
static uint64_t find_key(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (const char *at = text; (at = strstr(at, key)) != NULL; at += n)
        if ((at == text || at[-1] == '\n') && at[n] == ' ')
            return strtoull(at + n + 1, NULL, 10);
    return 0;
}

/* what this group alone allows, and what of that is used, caches that it can drop not counted */
static uint64_t read_limit(const struct fv_cgroup *group, uint64_t *used_out)
{
    char stat[4096];
    uint64_t limit = FV_UNLIMITED, high = FV_UNLIMITED, used = 0, droppable = 0;

    *used_out = 0;
    fv_cgroup_number(group, group->v2 ? "memory.max" : "memory.limit_in_bytes", &limit);
    if (group->v2 && fv_cgroup_number(group, "memory.high", &high))
        limit = FV_MIN(limit, high);
    if (limit == FV_UNLIMITED || !fv_cgroup_number(group, group->v2 ? "memory.current" : "memory.usage_in_bytes", &used))
        return limit;
    if (fv_cgroup_read(group, "memory.stat", stat, sizeof stat))
        droppable = find_key(stat, group->v2 ? "inactive_file" : "total_inactive_file");
    *used_out = used - FV_MIN(used, droppable);
    return limit;
}

/* what this group alone still allows */
static uint64_t read_headroom(const struct fv_cgroup *group)
{
    uint64_t used, limit = read_limit(group, &used);

    return limit == FV_UNLIMITED ? limit : limit - FV_MIN(limit, used);
}

double fv_limits_used_under(const char *root)
{
    struct fv_cgroup group;
    uint64_t total = read_meminfo(root, "MemTotal:"), available = read_meminfo(root, "MemAvailable:");
    double most = total == FV_UNLIMITED || available > total ? 0 : 1 - (double)available / (double)total;

    if (!fv_cgroup_find(root, "memory", &group))
        return most;
    do {
        uint64_t used, limit = read_limit(&group, &used);

        if (limit != FV_UNLIMITED && limit != 0)
            most = FV_MAX(most, FV_MIN((double)used / (double)limit, 1));
    } while (fv_cgroup_up(&group));
    return most;
}

double fv_limits_memory_used(void)
{
    return fv_limits_used_under("");
}

uint64_t fv_limits_oom_kills_under(const char *root)
{
    struct fv_cgroup group;
    char text[512], path[1200], line[128];
    const char *at = NULL;
    uint64_t n = 0;

    if (fv_cgroup_find(root, "memory", &group) && fv_cgroup_read(&group, group.v2 ? "memory.events" : "memory.oom_control", text, sizeof text) &&
        (at = strstr(text, "\noom_kill ")) != NULL)
        return strtoull(at + sizeof "\noom_kill", NULL, 10);
    snprintf(path, sizeof path, "%s/proc/vmstat", root);
    FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, "oom_kill ", 9) == 0)
            n = strtoull(line + 9, NULL, 10);
    if (f != NULL)
        fclose(f);
    return n;
}

uint64_t fv_limits_oom_kills(void)
{
    return fv_limits_oom_kills_under("");
}

uint64_t fv_limits_headroom_under(const char *root)
{
    struct fv_cgroup group;
    uint64_t least = FV_UNLIMITED;

    if (!fv_cgroup_find(root, "memory", &group))
        return least;
    do {
        uint64_t headroom = read_headroom(&group);

        least = FV_MIN(least, headroom);
    } while (fv_cgroup_up(&group));
    return least;
}

/* quota of this group alone, 0 if none */
static double read_quota(const struct fv_cgroup *group)
{
    double quota = 0, period = 0;
    char text[128];

    if (group->v2)
        return fv_cgroup_read(group, "cpu.max", text, sizeof text) && sscanf(text, "%lf %lf", &quota, &period) == 2 && period > 0
                   ? quota / period
                   : 0;
    if (!fv_cgroup_read(group, "cpu.cfs_quota_us", text, sizeof text))
        return 0;
    quota = strtod(text, NULL);
    if (quota <= 0 || !fv_cgroup_read(group, "cpu.cfs_period_us", text, sizeof text))
        return 0;
    period = strtod(text, NULL);
    return period > 0 ? quota / period : 0;
}

double fv_limits_quota_under(const char *root)
{
    struct fv_cgroup group;
    double least = 0;

    if (!fv_cgroup_find(root, "cpu", &group))
        return 0;
    do {
        double quota = read_quota(&group);

        if (quota > 0 && (least == 0 || quota < least))
            least = quota;
    } while (fv_cgroup_up(&group));
    return least;
}

double fv_limits_cpu_quota(void)
{
    return fv_limits_quota_under("");
}

static uint64_t read_pids_limit(void)
{
    struct fv_cgroup group;
    uint64_t least = FV_UNLIMITED, limit;

    if (!fv_cgroup_find("", "pids", &group))
        return least;
    do
        if (fv_cgroup_number(&group, "pids.max", &limit))
            least = FV_MIN(least, limit);
    while (fv_cgroup_up(&group));
    return least;
}

static uint64_t read_rlimit(__rlimit_resource_t resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ? FV_UNLIMITED : limit.rlim_cur;
}

void fv_limits_read(struct fv_limits *limits_out)
{
    struct fv_limits l = {0};
    struct statvfs shm;
    uint64_t pids = read_pids_limit();

    l.mem_available = read_meminfo("", "MemAvailable:");
    l.cgroup_headroom = fv_limits_headroom_under("");
    if (statvfs("/dev/shm", &shm) == 0) {
        /* a tmpfs mounted without a limit says 0 blocks */
        l.shm_total = shm.f_blocks != 0 ? (uint64_t)shm.f_blocks * shm.f_frsize : FV_UNLIMITED;
        l.shm_free = shm.f_blocks != 0 ? (uint64_t)shm.f_bavail * shm.f_frsize : FV_UNLIMITED;
    }
    l.cpu_quota = fv_limits_cpu_quota();
    l.nproc_limit = read_rlimit(RLIMIT_NPROC);
    l.nproc_limit = FV_MIN(l.nproc_limit, pids);
    l.nofile_limit = read_rlimit(RLIMIT_NOFILE);
    *limits_out = l;
}
