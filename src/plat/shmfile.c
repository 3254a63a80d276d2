/* shmfile.c: the file that holds the segment.
 *
 * Run by:          the driver in fever_init(); fv_shmfile_alloc() by the supervisor's helper.
 * Shared state:    the file itself.
 * If it dies here: between shm_open and shm_unlink a name stays; fv_shmfile_sweep() of the next init removes it.
 */
#include "plat/shmfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/base.h"
#include "fever.h"
#include "plat/process.h"

#define SHM_DIR    "/dev/shm"
#define TINY_BYTES (64ull << 20)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int open_shm(void)
{
    const int pid = getpid();
    const unsigned long long start = fv_process_starttime(pid);
    char name[80];
    int fd = -1;

    /* A name that exists is left from a kill in this very spot, by a process of another pid namespace, or stands for the
     * microsecond that another thread of this process needs. */
    for (int i = 0; i < 16 && fd < 0; i++) {
        snprintf(name, sizeof name, i == 0 ? "/fever-%d-%llu" : "/fever-%d-%llu-%d", pid, start, i);
        fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600); /* sets FD_CLOEXEC */
        if (fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    if (fd < 0)
        return -errno;
    /* ENOENT: a sweep that could not see us alive was quicker */
    shm_unlink(name);
    return fd;
}

static int open_memfd(void)
{
    int fd = memfd_create("fever", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
        fd = memfd_create("fever", MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_tiny_for(uint64_t bytes)
{
    struct statvfs s;
    uint64_t total;

    if (statvfs(SHM_DIR, &s) != 0)
        return true;
    total = (uint64_t)s.f_blocks * s.f_frsize;
    return total != 0 && total <= TINY_BYTES && total < bytes;
}

int fv_shmfile_create(const char *mode, uint64_t bytes, int *fd_out, bool *is_memfd_out, char *why, size_t why_bytes)
{
    const bool any = strcmp(mode, "auto") == 0;
    bool is_memfd = strcmp(mode, "memfd") == 0;
    struct rlimit limit;
    int fd, rc;

    if (!any && !is_memfd && strcmp(mode, "shm") != 0) {
        snprintf(why, why_bytes, "unknown kind of segment \"%.32s\"; it should be auto, shm or memfd", mode);
        return -FEVER_EOPTION;
    }
    /* Over this limit ftruncate() would send SIGXFSZ. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur) {
        snprintf(why, why_bytes, "a segment of %llu bytes is over the limit of file sizes, %llu bytes (ulimit -f)",
                 (unsigned long long)bytes, (unsigned long long)limit.rlim_cur);
        return -FEVER_ENOROOM;
    }
    if (any)
        is_memfd = is_tiny_for(bytes);
    fd = is_memfd ? open_memfd() : open_shm();
    if (fd < 0 && any && !is_memfd) {
        is_memfd = true;
        fd = open_memfd();
    }
    if (fd < 0) {
        snprintf(why, why_bytes, "%s: %s", is_memfd ? "memfd_create" : "shm_open in " SHM_DIR, fever_strerror(fd));
        return fd;
    }
    do
        rc = fchmod(fd, 0600) != 0 || ftruncate(fd, (off_t)bytes) != 0 ? -errno : 0;
    while (rc == -EINTR);
    if (rc != 0) {
        snprintf(why, why_bytes, "setting the size of the segment to %llu bytes: %s", (unsigned long long)bytes, fever_strerror(rc));
        close(fd);
        return rc;
    }
    *fd_out = fd;
    *is_memfd_out = is_memfd;
    return 0;
}

int fv_shmfile_sweep(void)
{
    DIR *dir = opendir(SHM_DIR);
    struct dirent *entry;
    int removed = 0;

    if (dir == NULL)
        return 0;
    while ((entry = readdir(dir)) != NULL) {
        unsigned long long start;
        struct stat st;
        int pid, end = 0;

        if (sscanf(entry->d_name, "fever-%d-%llu%n", &pid, &start, &end) != 2 || pid <= 0 ||
            (entry->d_name[end] != '\0' && entry->d_name[end] != '-'))
            continue;
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_uid != geteuid() || !S_ISREG(st.st_mode))
            continue;
        if (!fv_process_alive(pid, start) && unlinkat(dirfd(dir), entry->d_name, 0) == 0)
            removed++;
    }
    closedir(dir);
    return removed;
}

int fv_shmfile_alloc(int fd, uint64_t off, uint64_t len)
{
    int rc;

    do
        rc = fallocate(fd, 0, (off_t)off, (off_t)len);
    while (rc != 0 && errno == EINTR);
    return rc != 0 ? -errno : 0;
}

int fv_shmfile_release(int fd, uint64_t off, uint64_t len)
{
    int rc;

    do
        rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off, (off_t)len);
    while (rc != 0 && errno == EINTR);
    return rc != 0 ? -errno : 0;
}
