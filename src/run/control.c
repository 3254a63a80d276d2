/* run/control.c: the supervisor's end of the control socket.
 *
 * Run by the supervisor.  Shares nothing but the read-only descriptor it sends.  Dies here: the abstract name goes
 * with the socket.
 */
#include "run/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void fv_control_name(char *buffer, size_t bytes, uid_t uid, pid_t driver, uint64_t start) {
    snprintf(buffer, bytes, "fever/%u/%d/%llu", (unsigned)uid, (int)driver, (unsigned long long)start);
}

int fv_control_listen(pid_t driver, uint64_t start) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    fv_control_name(a.sun_path + 1, sizeof a.sun_path - 1, geteuid(), driver, start);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1));
    if (bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 16) < 0) {
        int e = errno;
        close(fd);
        return -e;
    }
    return fd;
}

void fv_control_serve(int listen_fd, int segment_fd) {
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    struct ucred peer;
    socklen_t    len = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0)) {
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", segment_fd);
        int ro = open(path, O_RDONLY | O_CLOEXEC);
        if (ro >= 0) {
            char           byte = 'F';
            struct iovec   iov = {&byte, 1};
            union {
                struct cmsghdr head;
                char           space[CMSG_SPACE(sizeof(int))];
            } control;
            memset(&control, 0, sizeof control);
            struct msghdr   m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
            struct cmsghdr *c = CMSG_FIRSTHDR(&m);
            c->cmsg_level = SOL_SOCKET;
            c->cmsg_type = SCM_RIGHTS;
            c->cmsg_len = CMSG_LEN(sizeof(int));
            memcpy(CMSG_DATA(c), &ro, sizeof ro);
            sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
            close(ro);
        }
    }
    close(fd);
}
