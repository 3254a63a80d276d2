/* diskfile.c: files on disk that have no name.  See diskfile.h. */
#include "plat/diskfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "plat/shmfile.h"

#define TRIED 65536u /* bytes */

int fv_diskfile_unnamed(const char *dir)
{
    char name[600];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd < 0 ? -errno : fd;
    snprintf(name, sizeof name, "%s/fever-spill-XXXXXX", dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(name);
    return fd;
}

/* The one with the most free space; NULL when none can be looked at. */
static const char *choose(char *dirs)
{
    const char *best = NULL;
    uint64_t best_free = 0;
    struct statvfs s;
    char *save;

    for (char *dir = strtok_r(dirs, ":", &save); dir != NULL; dir = strtok_r(NULL, ":", &save))
        if (statvfs(dir, &s) == 0 && (best == NULL || (uint64_t)s.f_bavail * s.f_frsize > best_free)) {
            best = dir;
            best_free = (uint64_t)s.f_bavail * s.f_frsize;
        }
    return best;
}

int fv_diskfile_create(const char *dirs, uint64_t bytes, char *why, size_t why_bytes)
{
    char copy[512];
    const char *dir;
    struct rlimit limit;
    int fd, rc = 0;

    snprintf(copy, sizeof copy, "%s", dirs);
    dir = choose(copy);
    if (dir == NULL) {
        snprintf(why, why_bytes, "%s", strerror(ENOENT));
        return -ENOENT;
    }
    /* Over this limit ftruncate() would send SIGXFSZ. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur)
        rc = -EFBIG;
    fd = rc < 0 ? rc : fv_diskfile_unnamed(dir);
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) != 0)
        rc = -errno;
    if (fd >= 0 && rc == 0 && (rc = fv_shmfile_alloc(fd, 0, TRIED)) == -ENOSPC)
        rc = 0; /* there may be some when it is needed */
    if (fd >= 0 && rc == 0)
        fv_shmfile_release(fd, 0, TRIED);
    if (fd >= 0 && rc == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    else
        rc = fd;
    snprintf(why, why_bytes, "%.200s: %s", dir, strerror(-rc));
    return rc;
}
