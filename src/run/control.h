/* run/control.h: how tools find a runtime: an abstract socket that hands out a read-only descriptor of the segment. */
#ifndef FV_RUN_CONTROL_H
#define FV_RUN_CONTROL_H

#include <stdint.h>
#include <sys/types.h>

/* Name, without the leading NUL: "fever/<uid>/<driver pid>/<start time>". */
void fv_control_name(char *buffer, size_t bytes, uid_t uid, pid_t driver, uint64_t start);
/* Supervisor: a listening, non-blocking socket, or -errno. */
int  fv_control_listen(pid_t driver, uint64_t start);
/* Supervisor: answers one connection: checks the peer's user id, sends the descriptor. */
void fv_control_serve(int listen_fd, int segment_fd);

#endif
