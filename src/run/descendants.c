/* run/descendants.c: see descendants.h.
 *
 * Run by the supervisor, at the end.  Writes nothing shared.  Dies here: what is left goes on as a child of init.
 */
#include "run/descendants.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/keeper.h"
#include "run/output.h"

#define DESCENDANTS_NS 1000000000ull /* at most so long processes that task code left behind are hunted */
#define ORPHANS_MOST   65536   /* and at the end so many */

/* Ends PID and its process group: the kernel signals a group in one step, so that none of it can be
 * born in between.  A process that goes on in its own child is never there when it is signalled alone. */
void fv_descendants_end_group(pid_t pid) {
    pid_t group = getpgid(pid); /* a zombie has one still */
    if (group > 0 && group != getpgrp())
        kill(-group, SIGKILL);
    kill(pid, SIGKILL);
}

/* Children of task code that outlived their parents are ours now: end them too.  Whose group is a new one
 * in each generation is hunted for DESCENDANTS_NS. */
void fv_descendants_end(void) {
    char     path[64], line[4096];
    pid_t    pid;
    uint64_t until = fv_now_ns() + DESCENDANTS_NS;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    do {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
        if (fd >= 0)
            close(fd);
        if (n <= 0)
            return;
        line[n] = '\0';
        if ((size_t)n == sizeof line - 1) { /* the last number may be cut; the next round sees it whole */
            char *last = strrchr(line, ' ');
            if (last != NULL)
                *last = '\0';
        }
        bool any = false;
        for (char *s = line, *save; (s = strtok_r(s, " ", &save)) != NULL; s = NULL)
            if ((pid = (pid_t)atoi(s)) > 0 && pid != fv_output_logger() && pid != fv_keeper_pid()) { /* one has still to write, one is ending */
                fv_descendants_end_group(pid);
                any = true;
            }
        if (!any)
            return;
        for (int i = 0; i < ORPHANS_MOST && (pid = waitpid(-1, NULL, WNOHANG)) > 0; i++)
            fv_output_reaped(pid);
        sched_yield();
    } while (fv_now_ns() < until);
}
