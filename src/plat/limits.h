/* limits.h: memory, CPU time, processes and descriptors that this process may have.
 *
 * Run by:          the driver in fever_init(); the supervisor now and then.
 * Shared state:    none.
 * Source:          /proc/meminfo, statvfs, getrlimit, cgroup v1 and v2 (each with all ancestors).
 */
#ifndef FV_LIMITS_H
#define FV_LIMITS_H

#include <stdint.h>

#define FV_UNLIMITED UINT64_MAX

struct fv_limits {
    uint64_t mem_available;   /* MemAvailable of the machine, bytes */
    uint64_t cgroup_headroom; /* what the memory cgroup still allows, caches that it can drop included; FV_UNLIMITED */
    uint64_t shm_free;        /* free in /dev/shm; 0 when there is none */
    uint64_t shm_total;       /* size of /dev/shm; 0 when there is none */
    double   cpu_quota;       /* CPUs' worth of time, as 1.5; 0 when there is no quota */
    uint64_t nproc_limit;     /* processes and threads: the lesser of RLIMIT_NPROC and the pids cgroup; FV_UNLIMITED */
    uint64_t nofile_limit;    /* RLIMIT_NOFILE, soft */
};

/* What cannot be read counts as unlimited; never fails. */
void fv_limits_read(struct fv_limits *limits_out);

/* Which part of the memory is in use, 0 to 1: of the machine, or of the memory cgroup that is nearest to its limit. */
double fv_limits_memory_used(void);

/* How many processes the kernel has ended for want of memory: of our memory cgroup or, where that does not say, of the machine. */
uint64_t fv_limits_oom_kills(void);

/* cpu_quota alone */
double fv_limits_cpu_quota(void);

/* the same readings with another root of the file system, for tests */
double   fv_limits_used_under(const char *root);
uint64_t fv_limits_oom_kills_under(const char *root);
double   fv_limits_quota_under(const char *root);
uint64_t fv_limits_headroom_under(const char *root);

#endif
