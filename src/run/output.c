/* run/output.c: the supervisor's side of the workers' output: pipes, the logger's life.
 *
 * Run by the supervisor; never blocks but in fv_output_finish().  Shares nothing but descriptors; writes output_progress in the
 * segment's header.  Dies here: the logger writes what the pipes hold, for 50 ms, and ends too.
 *
 * Two descriptors a worker stay open here, and one a spill file (run/keeper_host.c); the limit of open files is raised for both as far
 * as it may be.  A worker without pipes (no descriptors to be had) writes to the driver's streams itself.
 */
#include "run/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "plat/process.h"
#include "run/logger.h"
#include "run/runtime.h"

#define RESTART_NS  10000000ull /* a logger that died is replaced so much later, */
#define RESTART_MAX 7u          /* and later still, up to a second */
#define SPARE_FDS   64          /* descriptors that are not for pipes */

static struct fv_output_source *source;
static uint32_t                 n_sources, room_sources, last_id;
static struct fv_loop          *loop;
static pid_t                    logger;
static int                      control = -1;
static uint64_t                 restart_ns, logger_started_ns; /* not before; when the present one was */
static uint32_t                 quick_deaths;
static bool                     is_wanted, may_start;
static struct rlimit            limit_given, limit_now; /* of descriptors; workers get the former */

void fv_output_init(struct fv_loop *l) {
    loop = l;
    is_wanted = strcmp(fv_rt.options.log_to_driver, "direct") != 0;
    if (getrlimit(RLIMIT_NOFILE, &limit_given) < 0)
        limit_given = (struct rlimit){1024, 1024};
    limit_now = limit_given;
    rlim_t want = 2 * (rlim_t)fv_rt.driver_slots + 2 * SPARE_FDS + FV_SPILL_FILES;
    if (limit_now.rlim_cur < want) {
        limit_now.rlim_cur = FV_MIN(want, limit_now.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &limit_now) < 0)
            limit_now = limit_given;
    }
}

void fv_output_begin(void) {
    may_start = is_wanted;
    fv_output_tick();
}

pid_t fv_output_logger(void) { return logger; }

/* ------------------------------------------------------------------------------------------------ workers */

static bool reserve(void) {
    if (n_sources < room_sources)
        return true;
    uint32_t                 room = room_sources ? room_sources * 2 : 32;
    struct fv_output_source *p = realloc(source, room * sizeof *p);
    if (p == NULL)
        return false;
    source = p, room_sources = room;
    return true;
}

bool fv_output_open(struct fv_output_pipes *pipes_out) {
    int out[2], err[2];
    if (!is_wanted || !reserve() || pipe2(out, O_CLOEXEC) < 0)
        return false;
    if (pipe2(err, O_CLOEXEC) < 0) {
        close(out[0]);
        close(out[1]);
        return false;
    }
    *pipes_out = (struct fv_output_pipes){{out[0], err[0]}, {out[1], err[1]}};
    if ((rlim_t)err[1] + SPARE_FDS > limit_now.rlim_cur && limit_now.rlim_cur > 2 * SPARE_FDS) { /* leave some for all else */
        for (int k = 0; k < 2; k++) {
            close(pipes_out->read[k]);
            close(pipes_out->write[k]);
        }
        return false;
    }
    return true;
}

void fv_output_attach(const struct fv_output_pipes *pipes) {
    if (pipes != NULL) {
        dup2(pipes->write[0], STDOUT_FILENO);
        dup2(pipes->write[1], STDERR_FILENO);
    }
    setrlimit(RLIMIT_NOFILE, &limit_given);
}

void fv_output_forked(struct fv_output_pipes *pipes, uint32_t number, pid_t pid) {
    close(pipes->write[0]);
    close(pipes->write[1]);
    if (pid < 0) {
        close(pipes->read[0]);
        close(pipes->read[1]);
        return;
    }
    source[n_sources++] = (struct fv_output_source){.id = ++last_id, .number = number, .pid = pid,
                                                    .fd = {pipes->read[0], pipes->read[1]}, .untold = true};
    fv_output_tick();
}

static void forget(uint32_t i) {
    close(source[i].fd[0]);
    close(source[i].fd[1]);
    source[i] = source[--n_sources];
}

/* ------------------------------------------------------------------------------------------------ the logger */

static bool tell(struct fv_output_source *s) {
    struct fv_output_note note = {s->ended && s->known ? FV_OUTPUT_ENDED : FV_OUTPUT_NEW, s->id, s->number, s->pid};
    struct iovec          iov = {&note, sizeof note};
    union {
        struct cmsghdr head;
        char           space[CMSG_SPACE(2 * sizeof(int))];
    } rights;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    memset(&rights, 0, sizeof rights);
    if (note.what == FV_OUTPUT_NEW) {
        m.msg_control = rights.space;
        m.msg_controllen = sizeof rights.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(c), s->fd, 2 * sizeof(int));
    }
    if (sendmsg(control, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return false;
    s->untold = s->ended && !s->known; /* of its end, next */
    s->known = true;
    return true;
}

static void drop_control(void) {
    if (control < 0)
        return;
    fv_loop_remove(loop, control);
    close(control);
    control = -1;
}

static void on_note(void *arg, int fd, uint32_t events) {
    struct fv_output_note note;
    ssize_t               n;
    (void)arg, (void)events;
    while ((n = recv(fd, &note, sizeof note, MSG_DONTWAIT)) == (ssize_t)sizeof note)
        for (uint32_t i = 0; note.what == FV_OUTPUT_DRAINED && i < n_sources; i++)
            if (source[i].id == note.id) {
                forget(i);
                break;
            }
    if (n == 0) /* it has died: its successor comes when it is reaped */
        drop_control();
}

static bool start_logger(void) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    pid_t me = getpid(), pid = fv_loop_add(loop, pair[0], POLLIN, on_note, NULL) < 0 ? -1 : fork();
    if (pid < 0) {
        fv_loop_remove(loop, pair[0]);
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    if (pid == 0) {
        fv_logger_watch(me);
        fv_loop_forget_in_child(loop);
        int *keep = malloc((1 + 2 * (size_t)n_sources) * sizeof *keep), n = 0;
        if (keep == NULL)
            _exit(1);
        keep[n++] = pair[1];
        for (uint32_t i = 0; i < n_sources; i++) {
            keep[n++] = source[i].fd[0];
            keep[n++] = source[i].fd[1];
        }
        fv_process_close_from(keep, n);
        prctl(PR_SET_NAME, "fever-logger");
        fv_logger_main(pair[1], source, n_sources, strcmp(fv_rt.options.log_to_driver, "prefix") == 0);
    }
    close(pair[1]);
    control = pair[0];
    logger = pid;
    logger_started_ns = fv_now_ns();
    for (uint32_t i = 0; i < n_sources; i++) { /* it has inherited them as they stand */
        source[i].untold = false;
        source[i].known = true;
    }
    return true;
}

void fv_output_reaped(pid_t pid) {
    if (pid == logger && logger != 0) {
        uint64_t now = fv_now_ns();
        drop_control();
        logger = 0;
        quick_deaths = now - logger_started_ns < RESTART_NS ? FV_MIN(quick_deaths + 1, RESTART_MAX) : 0;
        restart_ns = quick_deaths == 0 ? now : now + (RESTART_NS << quick_deaths);
        fv_output_tick();
        return;
    }
    for (uint32_t i = 0; i < n_sources; i++)
        if (source[i].pid == pid && !source[i].ended) {
            source[i].ended = source[i].untold = true;
            fv_output_tick();
            return;
        }
}

bool fv_output_tick(void) {
    if (!may_start || (n_sources == 0 && logger == 0))
        return false;
    if (logger == 0) {
        if (fv_now_ns() < restart_ns || !start_logger()) {
            restart_ns = FV_MAX(restart_ns, fv_now_ns() + RESTART_NS);
            return true;
        }
    }
    bool again = control < 0;
    for (uint32_t i = 0; i < n_sources && !again; i++)
        while (source[i].untold && !again)
            again = !tell(&source[i]);
    return again;
}

/* ------------------------------------------------------------------------------------------------ the end */

/* Bytes that wait in the pipes. */
static uint64_t waiting(void) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n_sources; i++)
        for (int k = 0; k < 2; k++) {
            int n = 0;
            if (ioctl(source[i].fd[k], FIONREAD, &n) == 0)
                sum += (uint64_t)n;
        }
    return sum;
}

bool fv_output_finish(uint64_t limit_ns, bool may_extend) {
    uint64_t until = fv_now_ns() + limit_ns, left = waiting();
    sigset_t chld;
    if (may_extend)
        fv_faa_32(&fv_map.seg->output_progress, 1); /* the processes are gone: the driver's patience begins anew */
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    for (bool told = false; is_wanted && n_sources + (uint32_t)logger != 0;) {
        if (logger == 0) { /* what it left unread is still there */
            restart_ns = 0;
            told = false;
            if (left == 0 || (!start_logger() && fv_now_ns() >= until))
                return left == 0;
        }
        if (!told && control >= 0 && !fv_output_tick()) {
            shutdown(control, SHUT_WR); /* it ends when all pipes have */
            told = true;
        }
        if (control >= 0)
            on_note(NULL, control, 0); /* nobody else listens now */
        int status;
        if (logger != 0 && waitpid(logger, &status, WNOHANG) == logger) {
            drop_control();
            logger = 0;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return true;
        }
        uint64_t now_left = waiting(), now = fv_now_ns();
        if (now_left != left && may_extend) {
            until = now + limit_ns;
            fv_faa_32(&fv_map.seg->output_progress, 1); /* the driver waits as long as this goes on */
        }
        left = now_left;
        if (now >= until) {
            if (logger > 0) {
                kill(logger, SIGKILL);
                waitpid(logger, NULL, 0);
            }
            return false;
        }
        struct timespec step = {0, 2000000};
        sigtimedwait(&chld, NULL, &step);
    }
    return true;
}
