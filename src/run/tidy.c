/* run/tidy.c: see tidy.h.
 *
 * Run by workers and spares between tasks.  Writes `leftovers` of its process slot, and the bits of the task definition that keep a
 * warning from being repeated (hints).  Dies here: the worker is replaced, which puts everything right.
 * Not here: what a task changes while it runs, or before the next one in a worker that is never idle.
 */
#include "run/tidy.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "run/runtime.h"

#define HIDE_FROM 900 /* descriptors from here on are ours, where so many may be open */

extern char **environ;

static const int watched_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXCPU};
static const int watched_limits[] = {RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_CPU, RLIMIT_CORE};
#define N_SIGNALS FV_COUNT_OF(watched_signals)
#define N_LIMITS  FV_COUNT_OF(watched_limits)

/* How it should be. */
static struct {
    int              directory_fd, report_fd; /* the directory; where warnings go if stderr is gone */
    dev_t            directory_dev;
    ino_t            directory_ino;
    mode_t           mask;
    cpu_set_t        cpus;
    sigset_t         signals;
    struct sigaction action[N_SIGNALS];
    struct rlimit    limit[N_LIMITS];
    struct stat      standard[3];
    int              has_standard[3];
    ino_t            segment_ino, file_ino;
    int              first_free;    /* lowest descriptor that is not open */
    off_t            n_descriptors; /* 0: this kernel does not say */
    nlink_t          n_threads;
    char           **environment;   /* as it was, a copy of the array */
    size_t           n_environment;
    char           **given;         /* the array that environ points to since it was set back */
    bool             has_children, has_cpus;
} base;
static uint64_t ended_before; /* tasks, at the last look */

const char *fv_leftover_text(unsigned kind) {
    static const char *const text[] = {
#define FV_X(name, text, cure) text,
        FV_LEFTOVERS(FV_X)
#undef FV_X
    };
    return kind < FV_N_LEFTOVERS ? text[kind] : "";
}

const char *fv_leftover_cure(unsigned kind) {
    static const char *const cure[] = {
#define FV_X(name, text, cure) cure,
        FV_LEFTOVERS(FV_X)
#undef FV_X
    };
    return kind < FV_N_LEFTOVERS ? cure[kind] : "";
}

/* ------------------------------------------------------------------------------------------------ reporting */

/* Once for each kind and definition, whichever worker sees it. */
static bool is_new(uint32_t def, unsigned kind) {
    uint32_t *said = &fv_map.seg->defs[def].leftovers, old = fv_load_relaxed_32(said);
    while (!(old >> kind & 1))
        if (fv_cas_value_32(said, old, old | 1u << kind, &old))
            return true;
    return false;
}

__attribute__((format(printf, 3, 4))) static void report(struct fv_self *self, unsigned kind, const char *format, ...) {
    char    detail[256];
    va_list args;
    if (self->last_def == 0 || !is_new(self->last_def, kind))
        return;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    fv_warn("task %s, the last that worker %u (pid %d) ran, %s%s%s", fv_defs[self->last_def]->name, self->proc->number, (int)getpid(),
            fv_leftover_text(kind), detail, fv_leftover_cure(kind));
}

/* ------------------------------------------------------------------------------------------------ descriptors */

static int hide(int fd) {
    struct rlimit limit;
    int           from = HIDE_FROM;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < HIDE_FROM + 16)
        from = limit.rlim_cur > 32 ? (int)limit.rlim_cur - 16 : 3;
    return fcntl(fd, F_DUPFD_CLOEXEC, from);
}

static void hide_and_close(int *fd) {
    int up = *fd < 0 ? -1 : hide(*fd);
    if (up < 0)
        return;
    close(*fd);
    *fd = up;
}

void fv_tidy_hide_descriptors(void) {
    hide_and_close(&fv_rt.bell_fd);
    hide_and_close(&fv_map.fd);
    hide_and_close(&fv_map.file_fd);
    base.report_fd = hide(STDERR_FILENO);
}

static int first_free(void) {
    int fd = fcntl(fv_rt.bell_fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0)
        close(fd);
    return fd;
}

static off_t n_descriptors(void) {
    struct stat st;
    return stat("/proc/self/fd", &st) == 0 ? st.st_size : 0;
}

static nlink_t n_threads(void) {
    struct stat st;
    return stat("/proc/self/task", &st) == 0 ? st.st_nlink : 0;
}

/* A library that keeps a pool of threads is no leak. */
static bool has_pool(void) { return dlsym(RTLD_DEFAULT, "omp_get_max_threads") != NULL; }

static void look_at_descriptors(struct fv_self *self) {
    int   free_now = first_free();
    off_t n_now = n_descriptors();
    if (free_now > base.first_free || n_now > base.n_descriptors) {
        char    path[32], what[160];
        ssize_t n = -1;
        if (free_now > base.first_free) {
            snprintf(path, sizeof path, "/proc/self/fd/%d", base.first_free);
            n = readlink(path, what, sizeof what - 1);
        }
        if (n > 0) {
            what[n] = '\0';
            report(self, FV_LEFT_DESCRIPTORS, ": %d is %s", base.first_free, what);
        } else {
            report(self, FV_LEFT_DESCRIPTORS, ": %d more", (int)(n_now - base.n_descriptors));
        }
    }
    if (free_now >= 0) {
        base.first_free = free_now;
        base.n_descriptors = n_now;
    }
}

/* False: what we need is gone. */
static bool look_at_our_own(struct fv_self *self) {
    struct stat st;
    for (int fd = 0; fd < 3; fd++) {
        bool is_there = fstat(fd, &st) == 0;
        if (is_there != base.has_standard[fd] ||
            (is_there && (st.st_ino != base.standard[fd].st_ino || st.st_dev != base.standard[fd].st_dev))) {
            self->proc->leftovers = (uint64_t)self->last_def << 32 | (1u << FV_LEFT_STANDARD);
            return false;
        }
    }
    if (fcntl(fv_rt.bell_fd, F_GETFD) < 0 || fstat(fv_map.fd, &st) < 0 || st.st_ino != base.segment_ino ||
        (fv_map.file_fd >= 0 && (fstat(fv_map.file_fd, &st) < 0 || st.st_ino != base.file_ino)) ||
        (base.directory_fd >= 0 && fcntl(base.directory_fd, F_GETFD) < 0)) {
        self->proc->leftovers = (uint64_t)self->last_def << 32 | (1u << FV_LEFT_RUNTIME);
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------ the rest of the process */

static void look_at_children(struct fv_self *self) {
    siginfo_t info;
    while (waitpid(-1, NULL, WNOHANG) > 0) /* those that have ended and nobody waited for */
        ;
    bool has = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    if (has && !base.has_children)
        report(self, FV_LEFT_CHILDREN, "%s", "");
    base.has_children = has;
    nlink_t n = n_threads();
    if (n > base.n_threads && !has_pool())
        report(self, FV_LEFT_THREADS, " (%d)", (int)(n - base.n_threads));
    base.n_threads = n;
}

static void look_at_timers(struct fv_self *self) {
    static const int which[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};
    struct itimerval t, off = {{0, 0}, {0, 0}};
    bool             any = false;
    char             text[4096];
    for (size_t i = 0; i < FV_COUNT_OF(which); i++)
        if (getitimer(which[i], &t) == 0 && (t.it_value.tv_sec != 0 || t.it_value.tv_usec != 0)) {
            setitimer(which[i], &off, NULL);
            any = true;
        }
    int     fd = open("/proc/self/timers", O_RDONLY | O_CLOEXEC); /* those of timer_create */
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    for (const char *at = text; (at = strstr(at, "ID: ")) != NULL; at++) {
        syscall(SYS_timer_delete, atoi(at + 4));
        any = true;
    }
    if (any)
        report(self, FV_LEFT_TIMERS, "%s", "");
}

static void look_at_signals(struct fv_self *self) {
    sigset_t         now;
    struct sigaction sa;
    bool             any = false;
    if (sigprocmask(SIG_SETMASK, NULL, &now) == 0 && memcmp(&now, &base.signals, NSIG / 8) != 0) {
        sigprocmask(SIG_SETMASK, &base.signals, NULL);
        report(self, FV_LEFT_SIGMASK, "%s", "");
    }
    for (size_t i = 0; i < N_SIGNALS; i++)
        if (sigaction(watched_signals[i], NULL, &sa) == 0 && sa.sa_sigaction != base.action[i].sa_sigaction) {
            sigaction(watched_signals[i], &base.action[i], NULL);
            any = true;
        }
    if (any)
        report(self, FV_LEFT_HANDLERS, "%s", "");
}

static bool look_at_limits(struct fv_self *self) {
    struct rlimit now;
    bool          any = false, good = true;
    for (size_t i = 0; i < N_LIMITS; i++)
        if (getrlimit((__rlimit_resource_t)watched_limits[i], &now) == 0 &&
            (now.rlim_cur != base.limit[i].rlim_cur || now.rlim_max != base.limit[i].rlim_max)) {
            good &= setrlimit((__rlimit_resource_t)watched_limits[i], &base.limit[i]) == 0;
            any = true;
        }
    if (any && good)
        report(self, FV_LEFT_LIMITS, "%s", "");
    if (!good)
        self->proc->leftovers = (uint64_t)self->last_def << 32 | (1u << FV_LEFT_LIMITS);
    return good;
}

static size_t n_variables(void) {
    size_t n = 0;
    while (environ != NULL && environ[n] != NULL)
        n++;
    return n;
}

static void look_at_environment(struct fv_self *self) {
    size_t      n = n_variables(), i = 0;
    const char *name;
    if (base.environment == NULL)
        return;
    while (i < n && i < base.n_environment && (environ[i] == base.environment[i] || strcmp(environ[i], base.environment[i]) == 0))
        i++;
    if (i == n && i == base.n_environment)
        return;
    name = n >= base.n_environment ? environ[i] : base.environment[i]; /* new or changed; or gone */
    int    length = (int)strcspn(name, "=");
    char **fresh = malloc((base.n_environment + 1) * sizeof *fresh);
    report(self, FV_LEFT_ENVIRONMENT, " (%.*s)", FV_MIN(length, 64), name);
    if (fresh == NULL)
        return;
    memcpy(fresh, base.environment, (base.n_environment + 1) * sizeof *fresh);
    environ = fresh;
    free(base.given);
    base.given = fresh;
}

static bool look_at_places(struct fv_self *self) {
    struct stat st;
    mode_t      mask = umask(base.mask);
    cpu_set_t   cpus;
    int         signal = SIGKILL;
    if (mask != base.mask)
        report(self, FV_LEFT_UMASK, " to %03o", (unsigned)mask);
    if (stat(".", &st) < 0 || st.st_ino != base.directory_ino || st.st_dev != base.directory_dev) {
        char where[160];
        if (getcwd(where, sizeof where) == NULL)
            snprintf(where, sizeof where, "?");
        if (fchdir(base.directory_fd) < 0) {
            self->proc->leftovers = (uint64_t)self->last_def << 32 | (1u << FV_LEFT_DIRECTORY);
            return false;
        }
        report(self, FV_LEFT_DIRECTORY, " to %s", where);
    }
    if (base.has_cpus && sched_getaffinity(0, sizeof cpus, &cpus) == 0 && !CPU_EQUAL(&cpus, &base.cpus)) {
        sched_setaffinity(0, sizeof base.cpus, &base.cpus);
        report(self, FV_LEFT_AFFINITY, "%s", "");
    }
    if (prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal != SIGKILL) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        report(self, FV_LEFT_ORPHANING, "%s", "");
    }
    return getppid() == (pid_t)fv_map.seg->supervisor_pid || fv_map.seg->supervisor_pid == 0; /* too late to be told */
}

/* ------------------------------------------------------------------------------------------------ */

void fv_tidy_moved(void) { base.has_cpus = sched_getaffinity(0, sizeof base.cpus, &base.cpus) == 0; }

void fv_tidy_begin(void) {
    struct stat st;
    int         fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    base.directory_fd = fd < 0 ? -1 : hide(fd);
    if (fd >= 0)
        close(fd);
    if (stat(".", &st) == 0) {
        base.directory_dev = st.st_dev;
        base.directory_ino = st.st_ino;
    }
    umask(base.mask = umask(0));
    fv_tidy_moved();
    sigprocmask(SIG_SETMASK, NULL, &base.signals);
    for (size_t i = 0; i < N_SIGNALS; i++)
        sigaction(watched_signals[i], NULL, &base.action[i]);
    for (size_t i = 0; i < N_LIMITS; i++)
        getrlimit((__rlimit_resource_t)watched_limits[i], &base.limit[i]);
    for (int i = 0; i < 3; i++)
        base.has_standard[i] = fstat(i, &base.standard[i]) == 0;
    if (fstat(fv_map.fd, &st) == 0)
        base.segment_ino = st.st_ino;
    if (fv_map.file_fd >= 0 && fstat(fv_map.file_fd, &st) == 0)
        base.file_ino = st.st_ino;
    base.n_environment = n_variables();
    base.environment = malloc((base.n_environment + 1) * sizeof *base.environment);
    if (base.environment != NULL) {
        if (base.n_environment != 0)
            memcpy(base.environment, environ, base.n_environment * sizeof *base.environment);
        base.environment[base.n_environment] = NULL;
    }
    base.first_free = first_free();
    base.n_descriptors = n_descriptors();
    base.n_threads = n_threads();
}

bool fv_tidy_look(struct fv_self *self) {
    const uint64_t *c = self->proc->counter;
    uint64_t        ended = c[FV_C_done] + c[FV_C_failed] + c[FV_C_retried];
    if (ended == ended_before)
        return self->proc->leftovers == 0;
    ended_before = ended;
    fflush(stdout); /* what a task has printed should not wait for the next */
    if (!look_at_our_own(self) || !look_at_limits(self) || !look_at_places(self))
        return false;
    look_at_children(self);
    look_at_descriptors(self);
    look_at_timers(self);
    look_at_signals(self);
    look_at_environment(self);
    return true;
}
