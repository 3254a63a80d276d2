/* obs/find.h: which runtimes there are, and a read-only descriptor of the segment of each.
 *
 * Run by:          the tools.
 * Shared state:    none.
 * If it dies here: nothing is left; the supervisor drops the connection.
 *
 * A runtime announces itself by the abstract socket fever/<uid>/<driver pid>/<start time>, which its supervisor serves
 * (run/control.c).  Where that gives no answer the descriptor is taken from the driver's table in /proc.
 */
#ifndef FV_OBS_FIND_H
#define FV_OBS_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fv_found {
    uid_t    uid;
    pid_t    driver;
    uint64_t start;      /* start time of the driver; 0: not known, there is no socket */
    bool     answers;    /* the supervisor handed out the descriptor */
    pid_t    supervisor; /* who listens on the socket; 0: nobody */
};

#define FV_FIND_MAX 256

/* The runtimes of one user, or of every user with pid (0: any driver), by driver.  Returns how many, at most room, or a
 * negative errno value where /proc/net/unix cannot be read. */
int fv_find_runtimes(uid_t uid, pid_t pid, struct fv_found *found_out, int room);

/* A read-only descriptor of its segment: from the supervisor, which has timeout_ms to answer, else from the driver's
 * descriptors.  Sets answers and supervisor.  Returns the descriptor, or -ESRCH when the driver is gone or holds no segment,
 * -EACCES when it may not be looked at. */
int fv_find_open(struct fv_found *found, int timeout_ms);

#endif
