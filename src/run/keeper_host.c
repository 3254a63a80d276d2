/* run/keeper_host.c: what the supervisor does for the keeper: forks it, keeps its files, sweeps after it.
 *
 * Run by the supervisor.  A descriptor for each spill file stays open here; the limit of open files has been raised for that as far as it
 * may be (run/output.c).  Writes the keeper's identity in its process slot, slot and restarts of struct fv_keeper_state.  Dies here: the
 * keeper dies with it.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/store.h"
#include "plat/process.h"
#include "run/keeper.h"
#include "run/runtime.h"
#include "run/spillfile.h"

#define QUICK_NS 2000000ull  /* one that died younger than this is replaced later */
#define PAUSE_NS 10000000ull
#define MOST_FAILURES 5u
#define OTHER_FILES   32 /* descriptors that are left for all else */

static struct fv_loop *loop;
static struct fv_self *sup;
static pid_t           keeper;
static int             control = -1;
static int             kept[FV_SPILL_FILES]; /* descriptors of spill files; -1: none */
static uint64_t        started_ns, not_before_ns;
static uint32_t        n_failed; /* starts, since the last that did not */
static bool            once; /* there has been one: it is replaced, wanted or not */

void fv_keeper_init(struct fv_loop *l, struct fv_self *supervisor) {
    loop = l;
    sup = supervisor;
    for (uint32_t f = 0; f < FV_SPILL_FILES; f++)
        kept[f] = -1;
    fv_store_release_32(&fv_map.seg->keeper.possible, 1);
}

pid_t fv_keeper_pid(void) { return keeper; }

static void drop_control(void) {
    if (control < 0)
        return;
    fv_loop_remove(loop, control);
    close(control);
    control = -1;
}

/* Descriptors are numbered from below: what is left may not suffice for a worker's. */
static bool is_scarce(int fd) {
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)fd + OTHER_FILES >= limit.rlim_cur;
}

static void take_file(int fd, uint32_t f) {
    if (fd >= 0 && is_scarce(fd)) {
        close(fd);
        fd = -1;
    }
    struct fv_spill_note answer = {fd < 0 ? FV_SPILL_REFUSED : FV_SPILL_NEW, f};
    if (fd >= 0) {
        if (kept[f] >= 0)
            close(kept[f]);
        kept[f] = fd;
    }
    send(control, &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* All that the keeper has said; what it said before its death too. */
static void hear(void) {
    for (;;) {
        struct fv_spill_note note;
        struct iovec         iov = {&note, sizeof note};
        union {
            struct cmsghdr head;
            char           space[CMSG_SPACE(sizeof(int))];
        } rights;
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.space, .msg_controllen = sizeof rights.space};
        ssize_t n = recvmsg(control, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n != (ssize_t)sizeof note || note.file >= FV_SPILL_FILES)
            return;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int             fd = -1;
        if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
        if (note.what == FV_SPILL_NEW) {
            take_file(fd, note.file);
        } else if (note.what == FV_SPILL_CLOSE && kept[note.file] >= 0) {
            close(kept[note.file]);
            kept[note.file] = -1;
        }
    }
}

static void on_note(void *arg, int fd, uint32_t events) {
    (void)arg, (void)fd;
    hear();
    if (events & (POLLHUP | POLLERR)) /* it has died: its successor comes when it is reaped */
        drop_control();
}

static bool start(void) {
    uint32_t        slot = fv_rt.keeper_slot;
    struct fv_proc *p = fv_proc(slot);
    int             pair[2];
    if (fv_segment_open_slot(slot) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return false;
    p->number = 0;
    p->cpu = -1;
    p->wait_reason = FV_WAIT_START;
    fv_store_release_32(&p->role, FV_ROLE_KEEPER);
    fv_bit_set(fv_map.seg->active, slot);
    pid_t me = getpid(), pid = fv_loop_add(loop, pair[0], POLLIN, on_note, NULL) < 0 ? -1 : fork();
    if (pid < 0) {
        fv_loop_remove(loop, pair[0]);
        close(pair[0]);
        close(pair[1]);
        return false;
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != me)
            _exit(0);
        fv_loop_forget_in_child(loop);
        static int keep[FV_SPILL_FILES + 4];
        int        n = 0;
        keep[n++] = fv_map.fd;
        keep[n++] = fv_map.file_fd;
        keep[n++] = fv_rt.bell_fd;
        keep[n++] = pair[1];
        for (uint32_t f = 0; f < FV_SPILL_FILES; f++)
            if (kept[f] >= 0)
                keep[n++] = kept[f];
        fv_process_close_from(keep, n);
        struct rlimit files;
        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
            files.rlim_cur = files.rlim_max;
            setrlimit(RLIMIT_NOFILE, &files);
        }
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        prctl(PR_SET_NAME, "fever-keeper");
        fv_keeper_main(pair[1], kept);
    }
    close(pair[1]);
    control = pair[0];
    keeper = pid;
    started_ns = fv_now_ns();
    p->pid = (uint32_t)pid;
    /* ORDER keep (seq_cst): the slot before the bell.  Who has asked since the fork and found no slot has called us, not the keeper, which
     * may have looked before.  Losing it: both sleep. */
    fv_fas_32(&fv_map.seg->keeper.slot, slot);
    fv_bell_ring(p);
    fv_map.seg->keeper.restarts += once;
    once = true;
    return true;
}

/* There cannot be one: whoever asks for room is told so.  What is on disk needs one: then it is tried for ever. */
static void give_up(void) {
    fv_store_release_32(&fv_map.seg->keeper.possible, 0);
    FV_EACH_ACTIVE(p)
        if (fv_load_acquire_64(&fv_proc(p)->room_wanted) != 0) {
            fv_store_relaxed_32((uint32_t *)&fv_proc(p)->room_answer, (uint32_t)-FEVER_ESTOREFULL);
            fv_store_release_64(&fv_proc(p)->room_wanted, 0);
            fv_bell_ring(fv_proc(p));
        }
}

bool fv_keeper_tick(void) {
    if (!once && n_failed >= MOST_FAILURES) {
        give_up();
        return false;
    }
    if (keeper != 0 || !(once || fv_load_acquire_32(&fv_map.seg->keeper.wanted)) || fv_load_acquire_32(&fv_map.seg->state) == FV_STOPPING)
        return false;
    uint64_t now = fv_now_ns();
    if (now < not_before_ns)
        return true;
    if (start()) {
        n_failed = 0;
        return false;
    }
    not_before_ns = now + PAUSE_NS;
    if (++n_failed == MOST_FAILURES && !once)
        give_up();
    return true;
}

void fv_keeper_dismiss(void) {
    for (uint32_t f = 0; f < FV_SPILL_FILES; f++)
        if (kept[f] >= 0) {
            close(kept[f]);
            kept[f] = -1;
        }
    drop_control();
    if (keeper != 0)
        kill(keeper, SIGKILL);
}

bool fv_keeper_reaped(pid_t pid, int status) {
    if (pid != keeper || keeper == 0)
        return false;
    struct fv_verdict why = {.code = FEVER_ECRASHED, .pid = pid, .worker = -1, .when_ns = fv_now_ns()};
    if (WIFSIGNALED(status))
        why.signal = WTERMSIG(status);
    else
        why.exit_status = WEXITSTATUS(status);
    keeper = 0;
    if (control >= 0)
        hear();
    drop_control();
    if (fv_load_acquire_32(&fv_map.seg->state) == FV_STOPPING)
        return true;
    fv_map.seg->deaths++;
    fv_store_mend(sup, fv_rt.keeper_slot);
    fv_sweep(sup, fv_rt.keeper_slot, &why);
    not_before_ns = why.when_ns - started_ns < QUICK_NS ? why.when_ns + PAUSE_NS : 0;
    fv_keeper_tick();
    return true;
}
