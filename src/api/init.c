/* api/init.c: fever_init, fever_shutdown, threads that come and go.
 *
 * Run by the driver (and, for contexts, by workers).  Before the fork everything is private; from the fork on the
 * supervisor is the parent of all that runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/api.h"
#include "core/options.h"
#include "base/log.h"
#include "plat/futex.h"
#include "plat/diskfile.h"
#include "plat/limits.h"
#include "plat/machine.h"
#include "plat/process.h"
#include "plat/shmfile.h"
#include "run/fast.h"

struct fv_runtime fv_rt = {.bell_fd = -1, .supervisor_fd = -1};
uint64_t          fv_epoch;
__thread uint64_t fv_self_epoch __attribute__((tls_model("initial-exec")));

#define MAX_RANGES 256
static struct {
    struct fever_def **begin, **end;
} ranges[MAX_RANGES];
static unsigned n_ranges;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* init, shutdown, threads coming and going */
static __thread bool   has_lock; /* this thread: a signal handler must not wait for it */
static uint64_t        epochs;
static pid_t           forked_from;   /* set in a child that the user forked */
static struct fv_self *free_selves;   /* of threads that have ended */
static pthread_key_t   thread_key;
static bool            process_ready; /* key and fork handler exist */

void fever_register_defs(struct fever_def **begin, struct fever_def **end) {
    for (unsigned i = 0; i < n_ranges; i++)
        if (ranges[i].begin == begin)
            return; /* each source file of the object registers the same range */
    if (n_ranges < MAX_RANGES) {
        ranges[n_ranges].begin = begin;
        ranges[n_ranges++].end = end;
    }
}

static int number_defs(void) {
    uint32_t id = 1;
    fv_defs[id] = &fv_part_def;
    fv_part_def.id = id++;
    for (unsigned r = 0; r < n_ranges; r++)
        for (struct fever_def **d = ranges[r].begin; d < ranges[r].end; d++) {
            if (*d == NULL || (*d)->magic != FEVER_DEF_MAGIC)
                return -FEVER_ENOTASK;
            if (id == FV_MAX_DEFS)
                return -FEVER_ENOTASK;
            fv_defs[id] = *d;
            (*d)->id = id++;
            if (((*d)->flags & (FEVER_DEF_METHOD | FEVER_DEF_ACTOR)) != 0 && (*d)->actor_class == NULL)
                return -FEVER_ENOTASK;
            bool may_refs = (*d)->result_bytes >= 8 && ((*d)->result_type == 16 || (*d)->result_type == 255);
            bool plain = (*d)->args_bytes <= ((*d)->flags & FEVER_DEF_METHOD ? FV_CALL_ARGS : FV_INLINE_ARGS) && (*d)->result_bytes <= FV_INLINE_RESULT && (*d)->has_refs == 0 &&
                         !((*d)->flags & (FEVER_DEF_MAY_REFS | FEVER_DEF_ALIGNED | FEVER_DEF_STREAM | FEVER_DEF_ACTOR)) && !may_refs;
            (*d)->flags = plain ? (*d)->flags | FV_DEF_PLAIN : (*d)->flags & ~FV_DEF_PLAIN;
        }
    return (int)id;
}

static bool take_lock(void) {
    if (has_lock)
        return false;
    has_lock = true;
    pthread_mutex_lock(&lock);
    return true;
}

static void drop_lock(void) {
    pthread_mutex_unlock(&lock);
    has_lock = false;
}

/* Functions written by hand: a definition that is in no section is known from its first submission before fever_init. */
static void name_defs(uint32_t n) {
    struct fv_segment *s = fv_map.seg;
    s->n_defs = n;
    if (fv_map.fd >= 0 && fv_shmfile_alloc(fv_map.fd, offsetof(struct fv_segment, defs) / 4096 * 4096,
                                           (n + 32) * sizeof s->defs[0] / 4096 * 4096 + 8192) < 0)
        return;
    for (uint32_t i = 1; i < n; i++) {
        snprintf(s->defs[i].name, sizeof s->defs[i].name, "%s", fv_defs[i]->name);
        snprintf(s->defs[i].file, sizeof s->defs[i].file, "%s", fv_defs[i]->file);
        s->defs[i].line = (uint32_t)fv_defs[i]->line;
        s->defs[i].flags = fv_defs[i]->flags;
        s->defs[i].args_bytes = fv_defs[i]->args_bytes;
        s->defs[i].result_bytes = fv_defs[i]->result_bytes;
    }
}

void fv_supervisor_ring(void) {
    uint64_t one = 1;
    ssize_t  n = -1;
    if (fv_rt.bell_fd < 0)
        return;
    while ((n = write(fv_rt.bell_fd, &one, sizeof one)) < 0 && errno == EINTR)
        ;
    if (n < 0 && errno != EAGAIN && fv_map.seg->supervisor_pid != 0) /* somebody has closed it */
        kill((pid_t)fv_map.seg->supervisor_pid, SIGCHLD); /* it looks round then, too */
}

/* In a child that the user's program, or the body of a task, forked: the segment is not mapped there (MADV_DONTFORK). */
static void in_forked_child(void) {
    if (fv_in_user_process ? fv_epoch == 0 : fv_worker_of_process() == NULL)
        return;
    forked_from = getppid();
    fv_epoch = 0;
    for (uint32_t s = 0; fv_in_user_process && s < FV_MAX_PROCS; s++)
        if (fv_homes[s] != NULL) {
            struct fv_self *self = fv_homes[s];
            fv_self_fini(self);
            free(self);
        }
    memset(fv_homes, 0, sizeof fv_homes);
    fv_self = free_selves = NULL; /* it may start a runtime of its own: nothing of the parent's is left */
    pthread_mutex_init(&lock, NULL);
    fv_report_in_child();
    has_lock = false;
}

static void thread_ends(void *arg) {
    struct fv_self *self = arg;
    take_lock();
    if (fv_self_epoch == fv_epoch && fv_epoch != 0) {
        self->next_free = free_selves;
        free_selves = self;
        self->busy = 0;
    }
    drop_lock();
    fv_self = NULL;
}

/* A slot for this thread: one of an ended thread, or a new one. */
static struct fv_self *attach(int *why) {
    struct fv_self *self = free_selves;
    if (self != NULL) {
        free_selves = self->next_free;
        self->proc->tid = (uint32_t)syscall(SYS_gettid);
        return self;
    }
    for (uint32_t s = fv_rt.driver_slots; s < fv_map.seg->n_procs; s++) {
        if (fv_bit_test(fv_map.seg->taken, s))
            continue;
        int rc = fv_segment_open_slot(s);
        self = rc < 0 ? NULL : calloc(1, sizeof *self);
        if (self == NULL || fv_self_init(self, s, false) < 0) {
            free(self);
            *why = rc == -ENOSPC ? -FEVER_ENOROOM : -FEVER_ENOTHREADS;
            return NULL;
        }
        fv_bit_set(fv_map.seg->taken, s);
        struct fv_proc *p = fv_proc(s);
        p->pid = (uint32_t)getpid();
        p->pid_start = fv_rt.driver_start;
        p->tid = (uint32_t)syscall(SYS_gettid);
        p->number = s - fv_rt.driver_slots;
        p->cpu = -1;
        p->started_ns = fv_now_ns();
        fv_store_release_32(&p->role, FV_ROLE_DRIVER);
        fv_bit_set(fv_map.seg->active, s);
        self->is_inline = fv_rt.options.inline_tasks;
        return self;
    }
    *why = -FEVER_ENOTHREADS;
    return NULL;
}

struct fv_self *fv_enter_slow(int *why) {
    if (fv_epoch == 0) {
        *why = forked_from != 0 ? -FEVER_EFORK : -FEVER_ENOTINIT;
        return NULL;
    }
    if (!fv_in_user_process) { /* a worker: its self is always there */
        if (fv_self == NULL || fv_self->busy) {
            *why = fv_self == NULL ? -FEVER_ECONTEXT : -FEVER_ESIGNAL; /* a thread that a body made, or a handler */
            return NULL;
        }
        fv_self_epoch = fv_epoch;
        fv_self->busy = 1;
        return fv_self;
    }
    bool is_attached = fv_self != NULL && fv_self_epoch == fv_epoch;
    if (is_attached ? fv_self->busy : !take_lock()) {
        *why = -FEVER_ESIGNAL;
        return NULL;
    }
    if (fv_self != NULL && fv_self_epoch == fv_epoch) { /* by a handler, just now */
        fv_self->busy = 1;
        if (!is_attached)
            drop_lock();
        return fv_self;
    }
    struct fv_self *self = fv_epoch == 0 ? NULL : attach(why);
    if (self != NULL) {
        fv_self = self;
        fv_self_epoch = fv_epoch;
        self->busy = 1;
        pthread_setspecific(thread_key, self);
    } else if (fv_epoch == 0) {
        *why = -FEVER_ENOTINIT;
    }
    drop_lock();
    return self;
}

/* ------------------------------------------------------------------------------------------------ init */

static void warn_of_cost(void) {
    int      threads = fv_process_thread_count();
    uint64_t rss = fv_process_private_rss();
    if (threads > 1)
        fv_warn("fever_init was called with %d threads running: workers are forked from this process, and locks that other "
                "threads hold stay locked there; call fever_init first in main, before OpenMP and MPI_Init", threads);
    if (rss > 1ull << 30)
        fv_warn("fever_init was called with %.1f GiB of private memory: each fork copies its page tables (about 20 ms a GiB); "
                "call fever_init before large allocations", (double)rss / (1ull << 30));
    if (fv_rt.topo.note[0] != '\0' && fv_rt.topo.seen_through)
        fv_warn("%s", fv_rt.topo.note);
}

/* Forks the supervisor as a grandchild, so that the user's wait() never sees it. */
static int start_supervisor(void) {
    sigset_t chld, old;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &chld, &old);
    fflush(NULL); /* what is buffered is to be printed once */
    uint64_t epoch = fv_epoch;
    fv_in_user_process = false; /* keeps the fork handler quiet */
    pid_t pid = fork();
    if (pid == 0) {
        pid_t grand = fork();
        if (grand == 0) {
            fv_self_epoch = fv_epoch = epochs + 1; /* that of the workers, too */
            fv_supervisor_main();
        }
        _exit(grand < 0 ? 1 : 0);
    }
    fv_in_user_process = true;
    fv_epoch = epoch;
    int rc = pid < 0 ? -errno : 0, status = 0;
    if (pid > 0) {
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            rc = -EAGAIN;
        struct timespec none = {0, 0};
        sigset_t        pending;
        if (sigpending(&pending) == 0 && sigismember(&pending, SIGCHLD) && !sigismember(&old, SIGCHLD))
            sigtimedwait(&chld, NULL, &none); /* of our child; the user's handler need not hear of it */
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* A program may have closed its stdio: our descriptors must not take that place. */
static int above_stdio(int fd) {
    if (fd < 0 || fd > 2)
        return fd;
    int up = fcntl(fd, F_DUPFD_CLOEXEC, 3), rc = up < 0 ? -errno : up;
    close(fd);
    return rc;
}

static int start_error(void) {
    uint32_t e = fv_map.seg->start_error;
    return e == ENOSPC ? -FEVER_ENOROOM : -(int)e;
}

static int wait_until_up(void) {
    struct fv_segment *s = fv_map.seg;
    for (uint64_t begin = fv_now_ns();;) {
        uint32_t seen = fv_load_acquire_32(&s->ready_bell);
        if (fv_load_acquire_32(&s->state) == FV_UP)
            break;
        if (fv_load_acquire_32(&s->start_error) != 0)
            return start_error();
        if (seen == 0)
            fv_futex_wait(&s->ready_bell, 0, 100000000);
        if (fv_now_ns() - begin > 10000000000ull)
            return -FEVER_ERUNTIME;
        if (fv_load_acquire_32(&s->state) == FV_STARTING &&
            fv_map.procs[FV_SUPERVISOR].pid != 0 && !fv_process_alive((pid_t)fv_map.procs[FV_SUPERVISOR].pid, 0))
            return fv_load_acquire_32(&s->start_error) != 0 ? start_error() : -EAGAIN; /* it gave up: no process could be forked */
    }
    fv_rt.supervisor_pid = (pid_t)s->supervisor_pid;
    fv_rt.supervisor_fd = above_stdio(fv_pidfd_open(fv_rt.supervisor_pid));
    return fv_rt.supervisor_fd < 0 ? -FEVER_ERUNTIME : 0;
}

static void close_if(int fd) {
    if (fd >= 0)
        close(fd);
}

static void forget_runtime(void) {
    fv_epoch = 0;
    for (uint32_t s = 0; fv_map.base != NULL && s < fv_map.seg->n_procs; s++)
        if (fv_homes[s] != NULL) {
            struct fv_self *self = fv_homes[s];
            fv_self_fini(self);
            free(self);
        }
    fv_holds_fini();
    fv_report_forget();
    free_selves = NULL;
    fv_self = NULL;
    int fd = fv_map.fd, file_fd = fv_map.file_fd;
    fv_segment_unmap();
    close_if(fd);
    close_if(file_fd);
    close_if(fv_rt.bell_fd);
    close_if(fv_rt.supervisor_fd);
    fv_rt.bell_fd = fv_rt.supervisor_fd = -1;
    if (process_ready)
        pthread_setspecific(thread_key, NULL);
}

/* The file of the fallback; without it all else works. */
static void plan_fallback(const struct fv_options *o, struct fv_segment_plan *plan) {
    char why[256] = "";
    plan->file_fd = -1;
    plan->file_bytes = o->inline_tasks ? 0 : o->fallback_bytes / FV_CHUNK_BYTES * FV_CHUNK_BYTES;
    if (plan->file_bytes == 0)
        return;
    plan->file_fd = above_stdio(fv_diskfile_create(o->spill_dirs, plan->file_bytes, why, sizeof why));
    if (plan->file_fd >= 0)
        return;
    if (o->origin[FV_OPTION_fallback_bytes] != FV_ORIGIN_DEFAULT)
        fv_warn("no file of %.1f MiB can be had for what the store has no room for: %s", (double)plan->file_bytes / (1 << 20), why);
    plan->file_bytes = 0;
}

static int init_locked(const struct fever_options *user) {
    if (fv_epoch != 0)
        return -FEVER_EINIT;
    char             why[256] = "";
    struct fv_limits limits;
    int rc = fv_options_resolve(user, &fv_rt.options, why, sizeof why);
    if (rc < 0) {
        fv_warn("%s", why);
        return rc;
    }
    struct fv_options *o = &fv_rt.options;
    fv_quiet = o->quiet;
    if ((rc = fv_cluster_plan(o, why, sizeof why)) < 0) {
        fv_warn("%s", why);
        return rc;
    }
    if ((rc = fv_topo_read(&fv_rt.topo)) < 0)
        return rc;
    fv_limits_read(&limits);
    fv_options_fill(o, &fv_rt.topo, &limits);
    if ((rc = number_defs()) < 0) {
        fv_warn("a task definition is malformed, or there are more than %u", FV_MAX_DEFS - 1);
        return rc;
    }
    uint32_t n_defs = (uint32_t)rc;
    forked_from = 0;
    fv_rt.driver_pid = getpid();
    fv_rt.driver_start = fv_process_starttime(fv_rt.driver_pid);
    fv_rt.n_workers = o->inline_tasks ? 0 : (uint32_t)o->workers;
    fv_rt.n_worker_slots = o->inline_tasks ? 0 : fv_rt.n_workers + (uint32_t)o->max_spares;
    fv_rt.keeper_slot = o->inline_tasks ? 0 : fv_rt.n_worker_slots + 1;
    fv_rt.actor_slots = fv_rt.keeper_slot + 1;
    fv_rt.n_actor_slots = o->inline_tasks ? 0 : (uint32_t)o->max_actors;
    fv_rt.driver_slots = fv_rt.actor_slots + fv_rt.n_actor_slots;
    uint64_t most = FV_MAX(limits.shm_total, limits.mem_available);
    if (o->store_bytes / 16 > most) { /* the size is a limit, but its tables alone would cost too much */
        fv_warn("a store of %.1f GiB cannot be had: at most %.1f GiB of shared memory are there", (double)o->store_bytes / (1 << 30),
                (double)most / (1 << 30));
        return -FEVER_ENOROOM;
    }
    uint32_t most_procs = FV_MAX_PROCS - 1, needed_procs = fv_rt.driver_slots + 1;
    struct fv_segment_plan plan = {.n_procs = FV_MIN(FV_MAX(o->process_slots, needed_procs), most_procs), .slab = 1024};
    if (needed_procs > most_procs) {
        fv_warn("%u workers and spares and %u actors do not fit %u process slots", fv_rt.n_worker_slots, fv_rt.n_actor_slots, most_procs);
        return -FEVER_EOPTION;
    }
    while (plan.slab < o->task_slots && plan.slab < FV_SLAB_MAX && FV_NO_ROOT / (2 * plan.slab) >= FV_MAX(plan.n_procs - 1, needed_procs))
        plan.slab *= 2; /* a process slot less for that, at most */
    plan.n_procs = FV_MIN(plan.n_procs, FV_NO_ROOT / plan.slab);
    if (plan.slab < o->task_slots)
        fv_warn("%u task slots a thread, not %u: there are %u process slots", plan.slab, o->task_slots, plan.n_procs);
    plan.store_bytes = o->store_bytes;

    plan_fallback(o, &plan);

    int  fd = -1;
    bool is_memfd = false;
    if (!o->inline_tasks) {
        fv_shmfile_sweep();
        rc = fv_shmfile_create(o->segment, fv_segment_bytes(&plan), &fd, &is_memfd, why, sizeof why);
        if (rc < 0) {
            fv_warn("%s", why);
            close_if(plan.file_fd);
            return rc == -ENOSPC ? -FEVER_ENOROOM : rc;
        }
        if ((fd = above_stdio(fd)) < 0) {
            close_if(plan.file_fd);
            return fd;
        }
    }
    rc = fv_segment_format(fd, &plan);
    if (rc < 0) {
        if (rc == -FEVER_ENOROOM)
            fv_warn("not enough shared memory to start: %.1f MiB are free in /dev/shm; set FEVER_STORE_BYTES, FEVER_TASK_SLOTS or "
                    "FEVER_PROCESS_SLOTS lower, or FEVER_SEGMENT=memfd", (double)limits.shm_free / (1 << 20));
        close_if(fd);
        close_if(plan.file_fd);
        return rc;
    }
    struct fv_segment *s = fv_map.seg;
    s->n_workers = FV_MAX(fv_rt.n_workers, 1u);
    s->max_spares = (uint32_t)o->max_spares;
    s->max_actors = fv_rt.n_actor_slots;
    s->gen_base = ((uint32_t)(fv_now_ns() >> 10) & 0x3FFFFFFF) | 1;
    s->spin_ns = (uint64_t)(o->spin_us * 1000);
    s->n_cpus = (uint32_t)FV_MAX(fv_rt.topo.n_cpus, 1);
    s->oversubscribed = fv_rt.n_workers >= s->n_cpus;
    s->driver_pid = (uint32_t)fv_rt.driver_pid;
    s->is_memfd = is_memfd;
    s->started_ns = fv_now_ns();
    s->store_bytes = o->store_bytes;
    if (!o->inline_tasks) { /* else there is no helper */
        s->warm.ahead_high = (uint32_t)(o->store_warm / 4 * 3 / FV_CHUNK_BYTES);
        s->warm.ahead_low = (uint32_t)(o->store_warm / 64 * 3 / FV_CHUNK_BYTES);
    }
    bool spills = !o->inline_tasks && strcmp(o->spill_dirs, "none") != 0;
    s->spill_mark = spills ? (uint32_t)FV_MAX(s->n_chunks * (uint64_t)o->spill_at / 100, 1u) : 0;
    s->need_fence = o->inline_tasks || !fv_membarrier_register();
    rc = fv_cluster_fill(o);
    s->state = FV_STARTING;
    snprintf(s->name, sizeof s->name, "%s", o->name[0] != '\0' ? o->name : program_invocation_short_name);
    snprintf(s->note, sizeof s->note, "%s", fv_rt.topo.note);
    name_defs(n_defs);
    if (!process_ready) {
        if (pthread_key_create(&thread_key, thread_ends) != 0 || pthread_atfork(NULL, NULL, in_forked_child) != 0)
            rc = -ENOMEM;
        process_ready = rc != -ENOMEM;
    }
    if (rc == 0 && !o->inline_tasks) {
        warn_of_cost();
        fv_rt.bell_fd = above_stdio(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
        rc = fv_rt.bell_fd < 0 ? -errno : start_supervisor();
        if (rc == 0)
            rc = wait_until_up();
        madvise(fv_map.base, s->all_bytes, MADV_DONTFORK);
        if (fv_map.view != fv_map.base)
            madvise(fv_map.view, s->all_bytes, MADV_DONTFORK);
    } else if (rc == 0) {
        s->state = FV_UP;
    }
    if (rc < 0) {
        if (fv_map.procs[FV_SUPERVISOR].pid != 0)
            kill((pid_t)fv_map.procs[FV_SUPERVISOR].pid, SIGKILL);
        forget_runtime();
        return rc;
    }
    fv_epoch = ++epochs;
    if (fv_rt.options.fault_report)
        fv_fault_watch();
    return 0;
}

int fever_init(const struct fever_options *options) {
    if (!fv_in_user_process)
        return -FEVER_ECONTEXT; /* in a task */
    if (!take_lock())
        return -FEVER_ESIGNAL;
    int rc = init_locked(options);
    drop_lock();
    return rc;
}

int fever_shutdown(void) {
    if (!fv_in_user_process)
        return -FEVER_ECONTEXT;
    if (fv_self != NULL && fv_self_epoch == fv_epoch && fv_self->busy)
        return -FEVER_ESIGNAL;
    if (!take_lock())
        return -FEVER_ESIGNAL;
    if (fv_epoch == 0) {
        drop_lock();
        return forked_from != 0 ? -FEVER_EFORK : -FEVER_ENOTINIT;
    }
    int rc = 0;
    if (fv_self != NULL && fv_self_epoch == fv_epoch)
        fv_self->busy = 1; /* a signal handler of this thread is refused from now on */
    if (fv_rt.options.leak_report)
        fv_leaks_report();
    if (fv_rt.supervisor_fd >= 0) {
        fv_store_release_32(&fv_map.seg->state, FV_STOPPING);
        fv_bell_ring_all();
        fv_supervisor_ring();
        struct pollfd p = {.fd = fv_rt.supervisor_fd, .events = POLLIN};
        int           n;
        uint32_t      progress; /* while output of workers is still being read it takes as long as it takes */
        do {
            progress = fv_load_acquire_32(&fv_map.seg->output_progress);
            n = poll(&p, 1, 5000);
        } while ((n < 0 && errno == EINTR) || (n == 0 && progress != fv_load_acquire_32(&fv_map.seg->output_progress)));
        if (n == 0) { /* it does not answer: its death takes the workers along */
            kill(fv_rt.supervisor_pid, SIGKILL);
            poll(&p, 1, 1000);
            rc = -FEVER_ERUNTIME;
        } else if (fv_load_acquire_32(&fv_map.seg->state) != FV_GONE) {
            rc = -FEVER_ERUNTIME; /* it had died before */
        } else if (fv_load_acquire_32(&fv_map.seg->output_lost)) {
            struct pollfd err = {.fd = 2, .events = POLLOUT}; /* perhaps it is that which nobody reads */
            if (poll(&err, 1, 0) > 0)
                fv_warn("output of tasks was lost: nobody read the standard output (or error) of this program for 2 seconds");
            rc = -FEVER_ETIMEDOUT;
        }
    }
    fv_fault_unwatch();
    forget_runtime();
    drop_lock();
    return rc;
}

int fever_worker_hook(void (*hook)(void *), void *arg) {
    if (fv_epoch != 0)
        return -FEVER_EINIT;
    fv_rt.hook = hook;
    fv_rt.hook_arg = arg;
    return 0;
}

const struct fever_context *fever_context(void) {
    static __thread struct fever_context c;
    struct fv_self *self = fv_self;
    if (self == NULL || fv_self_epoch != fv_epoch || self->running == 0)
        return NULL;
    uint32_t index = self->running - 1;
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    c.task.id = fv_ref_make(index, fv_truth_gen(t));
    c.attempt = fv_truth_attempt(t) + 1;
    c.worker = self->is_worker ? (int)self->proc->number : -1;
    c.node = (int)self->proc->node;
    c.cpu = self->proc->cpu;
    c.cancelled = fv_cancel_asked(index, fv_truth_gen(t)) != 0;
    c.name = fv_task_own_name(index);
    if (c.name == NULL)
        c.name = fv_defs[fv_task(index)->def]->name;
    static __thread char node_name[sizeof fv_map.seg->cluster.type[0].name + 12];
    const struct fv_node *node = &fv_map.seg->cluster.node[c.node];
    snprintf(node_name, sizeof node_name, "%.23s-%u", fv_map.seg->cluster.type[node->type].name, node->number);
    c.node_name = node_name;
    uint64_t z = c.task.id + 0x9E3779B97F4A7C15ull; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    c.seed = z ^ (z >> 31);
    return &c;
}

int fever_stats(struct fever_stats *out) {
    int why;
    if (out == NULL)
        return -FEVER_ENULL;
    if (out->struct_bytes != sizeof *out)
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint64_t sum[FV_N_COUNTERS] = {0};
    struct fever_stats s = {.struct_bytes = sizeof s, .worker_deaths = fv_map.seg->deaths, .workers = fv_rt.n_workers,
                            .spares = fv_map.seg->n_spares, .store_bytes = fv_arena_capacity(), .store_used_bytes = fv_arena_used_bytes(),
                            .store_backed_bytes = (uint64_t)fv_load_relaxed_32(&fv_map.seg->backed_chunks) * FV_CHUNK_BYTES};
    FV_EACH_ACTIVE(p) {
        for (unsigned i = 0; i < FV_N_COUNTERS; i++)
            sum[i] += fv_load_relaxed_64(&fv_proc(p)->counter[i]);
        for (uint32_t i = p << fv_map.shift, e = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < e; i++)
            s.objects_live += fv_truth_state(fv_load_relaxed_64(&fv_task(i)->truth)) != FV_FREE;
    }
    s.tasks_submitted = sum[FV_C_submitted];
    s.tasks_done = sum[FV_C_done];
    s.tasks_failed = sum[FV_C_failed];
    s.tasks_retried = sum[FV_C_retried];
    s.tasks_dropped = sum[FV_C_dropped];
    s.tasks_in_place = sum[FV_C_in_place];
    *out = s;
    return fv_leave(self, 0);
}

int fever_validate(FILE *stream) {
    int             why;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    if (!self->is_worker)
        fv_home_reap(self);
    return fv_leave(self, fv_validate(stream, false));
}
