/* obs/find.c: finds runtimes by their control sockets, and gets at their segments.
 *
 * Run by:          the tools.
 * Shared state:    none.
 * If it dies here: nothing is left.
 * Source:          proc(5), unix(7): abstract names are shown with a leading @.
 */
#include "obs/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base.h"
#include "shm/layout.h"

#define LISTENS 0x10000u /* __SO_ACCEPTCON, the flag in /proc/net/unix */

static int compare_found(const void *a, const void *b) {
    const struct fv_found *x = a, *y = b;
    return x->driver < y->driver ? -1 : x->driver > y->driver;
}

int fv_find_runtimes(uid_t uid, pid_t pid, struct fv_found *found_out, int room) {
    FILE *f = fopen("/proc/net/unix", "re");
    char  line[512];
    int   n = 0;
    if (f == NULL)
        return -errno;
    while (n < room && fgets(line, sizeof line, f) != NULL) {
        unsigned           flags, owner;
        unsigned long long start;
        int                driver, end = 0;
        const char        *name = strchr(line, '@');
        if (name == NULL || sscanf(line, "%*s %*s %*s %x", &flags) != 1 || !(flags & LISTENS))
            continue;
        if (sscanf(name, "@fever/%u/%d/%llu%n", &owner, &driver, &start, &end) != 3 || name[end] != '\n' || driver <= 0)
            continue;
        if (pid != 0 ? driver != pid : owner != uid)
            continue;
        found_out[n++] = (struct fv_found){.uid = owner, .driver = driver, .start = start};
    }
    fclose(f);
    qsort(found_out, (size_t)n, sizeof *found_out, compare_found);
    return n;
}

/* ------------------------------------------------------------------------------------------------ from the supervisor */

static int receive_descriptor(int fd) {
    char         byte;
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr head;
        char           space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    ssize_t       n;
    while ((n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c == NULL || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(sizeof(int)))
        return -EACCES; /* closed without a word: we are not the right user */
    memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

static int ask_supervisor(struct fv_found *r, int timeout_ms) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval     limit = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    struct ucred       peer;
    socklen_t          bytes = sizeof peer;
    snprintf(a.sun_path + 1, sizeof a.sun_path - 1, "fever/%u/%d/%llu", (unsigned)r->uid, (int)r->driver, (unsigned long long)r->start);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1))) < 0)
        rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
    else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
        rc = -errno;
    else if (peer.uid != r->uid)
        rc = -EPERM; /* the name is free for all: somebody else took it */
    else {
        r->supervisor = peer.pid;
        rc = receive_descriptor(fd);
    }
    close(fd);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ from the driver's table */

static bool is_segment(int fd) {
    uint64_t magic = 0;
    return pread(fd, &magic, sizeof magic, 0) == (ssize_t)sizeof magic && magic == FV_MAGIC;
}

static bool looks_like_segment(const char *target) {
    return strncmp(target, "/dev/shm/fever-", 15) == 0 || strncmp(target, "/memfd:fever", 12) == 0;
}

static int take_from_driver(pid_t driver) {
    char path[64], target[128];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)driver);
    DIR *dir = opendir(path);
    if (dir == NULL)
        return errno == ENOENT ? -ESRCH : -errno;
    int            best = -ESRCH;
    struct dirent *entry;
    while (best < 0 && (entry = readdir(dir)) != NULL) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (!looks_like_segment(target))
            continue;
        int fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
        if (fd >= 0 && is_segment(fd))
            best = fd;
        else if (fd >= 0)
            close(fd);
    }
    closedir(dir);
    return best;
}

int fv_find_open(struct fv_found *r, int timeout_ms) {
    int fd = r->start != 0 ? ask_supervisor(r, timeout_ms) : -ESRCH;
    r->answers = fd >= 0;
    return fd >= 0 ? fd : take_from_driver(r->driver);
}
