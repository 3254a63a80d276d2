/* process.c: identity and life of processes, their descriptors, process-wide barriers.
 *
 * Run by:          every process.
 * Shared state:    none.
 * Source:          proc(5), pidfd_open(2), close_range(2), membarrier(2).
 */
#include "plat/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/base.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

int fv_pidfd_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by nature */

    return fd < 0 ? -errno : (int)fd;
}

/* Beginning of a small file of /proc; the number of bytes, or -1. */
static ssize_t read_file(const char *name, char *buf, size_t bytes)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, buf, bytes - 1);
    close(fd);
    if (n >= 0)
        buf[n] = '\0';
    return n;
}

struct stat_line {
    char               state;
    unsigned long long n_threads, start;
};

/* pid 0: this process */
static bool read_stat(pid_t pid, struct stat_line *line_out)
{
    char name[40], text[1024], *at;

    if (pid == 0)
        snprintf(name, sizeof name, "/proc/self/stat");
    else
        snprintf(name, sizeof name, "/proc/%d/stat", (int)pid);
    if (read_file(name, text, sizeof text) <= 0)
        return false;
    at = strrchr(text, ')'); /* the command's name may hold anything */
    return at != NULL && sscanf(at + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %*s %llu",
                                &line_out->state, &line_out->n_threads, &line_out->start) == 3;
}

uint64_t fv_process_starttime(pid_t pid)
{
    struct stat_line line;

    return pid > 0 && read_stat(pid, &line) ? line.start : 0;
}

bool fv_process_alive(pid_t pid, uint64_t start)
{
    struct stat_line line;

    if (pid <= 0)
        return false;
    if (!read_stat(pid, &line)) /* no such process, or /proc hides it: ask by a signal */
        return kill(pid, 0) == 0 || errno == EPERM;
    return line.state != 'Z' && line.state != 'X' && (start == 0 || line.start == start);
}

bool fv_process_has_execed(pid_t pid, char name_out[16])
{
    enum { FORKED_NO_EXEC = 0x40 }; /* PF_FORKNOEXEC of the kernel */
    char path[40], text[1024], *open, *close;
    unsigned flags;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_file(path, text, sizeof text) <= 0 || (open = strchr(text, '(')) == NULL || (close = strrchr(text, ')')) == NULL ||
        sscanf(close + 1, " %*c %*s %*s %*s %*s %*s %u", &flags) != 1 || flags & FORKED_NO_EXEC)
        return false;
    snprintf(name_out, 16, "%.*s", (int)(close - open - 1), open + 1);
    return true;
}

bool fv_membarrier_register(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

bool fv_membarrier(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) == 0;
}

static bool is_kept(int fd, const int *keep, int n_keep)
{
    for (int i = 0; i < n_keep; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

/* Without close_range (before Linux 5.9): by the list in /proc, read with the bare system call, as opendir() allocates.
 * Closing changes the list that is being read, hence again until nothing is left to close. */
static void close_listed(const int *keep, int n_keep)
{
    struct dirent64_head {
        uint64_t ino, off;
        uint16_t bytes;
        uint8_t  type;
        char     name[];
    };
    char list[2048] FV_ALIGNED(8);
    int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int n_closed;

    if (dir < 0) {
        struct rlimit limit;
        int last = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;

        for (int fd = 3; fd < last; fd++)
            if (!is_kept(fd, keep, n_keep))
                close(fd);
        return;
    }
    do {
        long n;

        n_closed = 0;
        lseek(dir, 0, SEEK_SET);
        while ((n = syscall(SYS_getdents64, dir, list, sizeof list)) > 0)
            for (long at = 0; at < n;) {
                const struct dirent64_head *entry = (const void *)(list + at);
                int fd = 0;

                for (const char *c = entry->name; *c >= '0' && *c <= '9'; c++)
                    fd = fd * 10 + (*c - '0');
                if (fd > 2 && fd != dir && !is_kept(fd, keep, n_keep) && close(fd) == 0)
                    n_closed++;
                at += entry->bytes;
            }
    } while (n_closed > 0);
    close(dir);
}

void fv_process_close_from(const int *keep, int n_keep)
{
    unsigned lo = 3;

    for (;;) {
        unsigned hi = UINT_MAX; /* the least kept descriptor from lo on */

        for (int i = 0; i < n_keep; i++)
            if (keep[i] >= 0 && (unsigned)keep[i] >= lo && (unsigned)keep[i] < hi)
                hi = (unsigned)keep[i];
        if (hi > lo && syscall(SYS_close_range, lo, hi == UINT_MAX ? UINT_MAX : hi - 1, 0) != 0) {
            close_listed(keep, n_keep);
            return;
        }
        if (hi == UINT_MAX)
            return;
        lo = hi + 1;
    }
}

int fv_process_thread_count(void)
{
    struct stat_line line;

    return read_stat(0, &line) && line.n_threads > 0 ? (int)line.n_threads : 1;
}

bool fv_process_memory(pid_t pid, struct fv_memory *memory_out)
{
    unsigned long long resident, shared, data;
    char name[40], text[128];
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (pid == 0)
        snprintf(name, sizeof name, "/proc/self/statm");
    else
        snprintf(name, sizeof name, "/proc/%d/statm", (int)pid);
    if (read_file(name, text, sizeof text) <= 0 || sscanf(text, "%*s %llu %llu %*s %*s %llu", &resident, &shared, &data) != 3)
        return false;
    memory_out->private_bytes = resident > shared ? (resident - shared) * page : 0;
    memory_out->data_bytes = data * page;
    return true;
}

uint64_t fv_process_private_rss(void)
{
    struct fv_memory m;

    return fv_process_memory(0, &m) ? m.private_bytes : 0;
}
