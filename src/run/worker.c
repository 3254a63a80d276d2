/* run/worker.c: the main loop of a worker: find a task, run it, spin, sleep.
 *
 * Run by workers and spares, each a process pinned to a CPU.  Writes its own process slot, and hints of
 * others by taking them.  Dies here: see core/sweep.c; the supervisor forks a successor into the slot.
 * A worker sleeps on its bell only, announced in the idle bitmap (or in `spares`).
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/queued.h"
#include "core/task.h"
#include "plat/backtrace.h"
#include "plat/process.h"
#include "run/cpus.h"
#include "run/fast.h"
#include "run/runtime.h"
#include "run/tidy.h"
#include "shm/mapped.h"

#define STACK_BYTES   (256ull << 20)
#define STACK_RESERVE (1ull << 20) /* a body in place starts only with so much left */
#define ALT_BYTES     65536u
#define UNWIND_US     300000 /* to find out where the body was */
#define MOST_SHARES   4u /* a batch is at most this part of a ring: what is too much for us, idle workers take from our batch */
#define GATHER_PAUSES 16u

static struct fv_self worker_self;
static void *volatile  alt_stack; /* of signal handlers; volatile: else the pointer is optimised away, and the stack looks leaked */

/* ------------------------------------------------------------------------------------------------ finding work */

static void run_claimed(struct fv_self *self, uint32_t index) {
    self->last_task = index + 1;
    self->last_def = fv_task(index)->def;
    if (!fv_fast_run(self, index))
        fv_execute(self, index);
    if (FV_UNLIKELY(self->call_supervisor)) {
        self->call_supervisor = false;
        fv_supervisor_ring();
    }
}

static bool try_run(struct fv_self *self, uint32_t index) {
    if (FV_UNLIKELY(index >= fv_map.seg->n_procs << fv_map.shift) || !fv_task_claim(self, index))
        return false;
    run_claimed(self, index);
    return true;
}

/* Takes a batch from the ring of p and runs it.  The batch stands in our process slot, where idle workers may help
 * themselves: the truth word decides who runs what. */
static bool take_batch(struct fv_self *self, uint32_t p) {
    struct fv_proc *from = fv_proc(p), *me = self->proc;
    uint32_t length = fv_ring_length(&from->ring);
    if (length == 0)
        return false;
    /* In a stream of small tasks: let some gather.  To poll right behind the submitter costs both a transfer of the ring's
     * lines for each task; a batch of a few costs it once. */
    if (self->streaming && length < FV_BATCH / 2)
        for (uint32_t i = 0; i < GATHER_PAUSES; i++)
            fv_pause();
    uint32_t  hint[FV_BATCH], share = FV_MIN(fv_map.seg->n_workers, MOST_SHARES);
    uint32_t *ahead_of = fv_queue_of(p);
    uint32_t n = fv_ring_pop_spmc(&from->ring, fv_queue_of(p), fv_map.ring_mask, hint, FV_BATCH, share);
    if (n == 0)
        return false;
    fv_count(me, FV_C_batches);
    self->streaming = n > 1;
    if (n == 1)
        return try_run(self, hint[0]) || true;
    for (uint32_t i = 1; i < n; i++) {
        fv_prefetch_write(fv_task(hint[i]));
        fv_store_relaxed_32(&me->batch[i], hint[i] + 1);
    }
    for (uint32_t i = 0; i < n; i++) {
        try_run(self, hint[i]);
        if (i + 1 < n)
            fv_store_relaxed_32(&me->batch[i + 1], 0);
        if (fv_host_is_asked(me)) { /* the rest is for others */
            while (++i < n) {
                fv_task_hint(self, hint[i]);
                fv_store_relaxed_32(&me->batch[i], 0);
            }
            break;
        }
        if (share == 1 && i + n < length) { /* alone at this ring: the next batch will be ours, fetch its lines meanwhile */
            uint32_t ahead = fv_load_relaxed_32(&ahead_of[(from->ring.c_head + i) & fv_map.ring_mask]);
            if (ahead < fv_map.seg->n_procs << fv_map.shift)
                fv_prefetch_write(fv_task(ahead));
        }
    }
    return true;
}

static bool steal(struct fv_self *self, uint32_t p) {
    struct fv_proc *victim = fv_proc(p);
    if ((int64_t)(fv_load_relaxed_64(&victim->bottom) - fv_load_relaxed_64(&victim->top)) <= 0)
        return false;
    uint32_t hint;
    if (!fv_deque_steal(victim, fv_queue_of(p), fv_map.ring_mask, &hint))
        return false;
    fv_count(self->proc, FV_C_stolen);
    return try_run(self, hint) || true;
}

static bool from_slot(struct fv_self *self, uint32_t p) {
    if (p == self->slot)
        return false;
    uint32_t role = fv_load_relaxed_32(&fv_proc(p)->role);
    return role == FV_ROLE_WORKER || role == FV_ROLE_SPARE || role == FV_ROLE_ACTOR ? steal(self, p) : take_batch(self, p);
}

static bool from_batch(struct fv_self *self, uint32_t p) {
    if (p == self->slot)
        return false;
    for (uint32_t i = FV_BATCH; i-- > 1;) {
        uint32_t hint = fv_load_relaxed_32(&fv_proc(p)->batch[i]);
        if (hint != 0 && fv_truth_state(fv_load_acquire_64(&fv_task(hint - 1)->truth)) == FV_READY && try_run(self, hint - 1))
            return true;
    }
    return false;
}

bool fv_worker_step(struct fv_self *self, bool deep) {
    static uint32_t last; /* where there was something the last time */
    uint32_t        hint;
    if (fv_deque_pop(self->proc, fv_queue_of(self->slot), fv_map.ring_mask, &hint))
        return try_run(self, hint) || true;
    uint32_t patron = self->proc->patron;
    if (patron != 0 && from_slot(self, patron - 1)) /* children of the blocked come first */
        return true;
    if (from_slot(self, last))
        return true;
    /* a slot is often used again at once: its submitter need not even touch the ring */
    if (self->last_task != 0 && fv_truth_state(fv_load_acquire_64(&fv_task(self->last_task - 1)->truth)) == FV_READY &&
        try_run(self, self->last_task - 1))
        return true;
    FV_EACH_ACTIVE(p)
        if (p != last && from_slot(self, p)) {
            last = p;
            return true;
        }
    if (deep)
        FV_EACH_ACTIVE(p)
            if (from_batch(self, p))
                return true;
    return false;
}

static bool is_to_be_had(uint32_t hint) {
    return hint != 0 && fv_truth_state(fv_load_acquire_64(&fv_task(hint - 1)->truth)) == FV_READY && !fv_task_is_queued(hint - 1);
}

/* Would a step find something?  Takes nothing: who says that it is idle must not run anything before it has taken that back, or
 * it would be woken, and nobody else, for what it submits itself. */
static bool sees_work(struct fv_self *self) {
    if (is_to_be_had(self->last_task))
        return true;
    FV_EACH_ACTIVE(p) {
        struct fv_proc *proc = fv_proc(p);
        uint32_t        role = fv_load_relaxed_32(&proc->role);
        if ((int64_t)(fv_load_relaxed_64(&proc->bottom) - fv_load_relaxed_64(&proc->top)) > 0)
            return true;
        if (role != FV_ROLE_WORKER && role != FV_ROLE_SPARE && role != FV_ROLE_ACTOR && fv_ring_length(&proc->ring) != 0)
            return true;
        for (uint32_t i = 1; i < FV_BATCH && p != self->slot; i++)
            if (is_to_be_had(fv_load_relaxed_32(&proc->batch[i])))
                return true;
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------ sleeping */

bool fv_worker_is_stopping(void) { return fv_load_acquire_32(&fv_map.seg->state) != FV_UP && fv_load_acquire_32(&fv_map.seg->state) != FV_STARTING; }

void fv_worker_leave(void) {
    fflush(NULL);
    _exit(0);
}

void fv_worker_make_room(struct fv_self *self) {
    fv_store_release_32(&self->proc->leaves, 1);
    fv_worker_leave();
}

bool fv_worker_may_leave(struct fv_self *self) {
    for (uint32_t i = self->slot << fv_map.shift, e = i + self->limit; i < e; i++) {
        unsigned s = fv_truth_state(fv_load_acquire_64(&fv_task(i)->truth));
        if (s != FV_FREE && !fv_state_is_complete(s))
            return false;
    }
    return true;
}

/* Before it sleeps: what tasks have changed in this process is put right.  Else a fresh process takes its place. */
static void tidy(struct fv_self *self) {
    if (FV_UNLIKELY(!fv_tidy_look(self)) && fv_worker_may_leave(self)) {
        fflush(NULL);
        _exit(FV_EXIT_REPLACED);
    }
}

void fv_worker_note_wait(struct fv_proc *p, unsigned reason, uint64_t ref) {
    fv_store_release_32(&p->waits_alone, 0);
    fv_store_relaxed_64(&p->wait_ref, ref);
    if (reason != FV_WAIT_NOT)
        fv_store_relaxed_64(&p->wait_since_ns, fv_now_ns());
    fv_store_relaxed_32(&p->wait_reason, reason);
}

/* Is it blocked still?  Not if what it waits for is there: it will run again, and a stand-in that took one more task, and
 * blocked in that, would need a stand-in of its own. */
bool fv_worker_is_blocked(struct fv_proc *patron) {
    uint32_t how = fv_load_acquire_32(&patron->blocked), index = 0;
    uint64_t t = 0;
    if (how != FV_BLOCKED_ON_ONE)
        return how != 0;
    int rc = fv_ref_check(fv_load_relaxed_64(&patron->wait_ref), &index, &t);
    return rc == 0 && !fv_state_is_complete(fv_truth_state(t));
}

/* A spare takes over its patron's CPU. */
static void take_cpu_of(struct fv_proc *me, struct fv_proc *patron) {
    int cpu = fv_proc_cpu(patron);
    if (me->cpu < 0 || cpu < 0 || cpu == me->cpu || fv_topo_pin_self(cpu) != 0)
        return;
    fv_proc_set_cpu(me, cpu);
    fv_tidy_moved();
}

/* A spare whose patron goes on again: stands by until it is called. */
static void stand_by(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    for (;;) {
        if (fv_host_is_asked(p))
            fv_host_serve(self);
        uint32_t patron = fv_load_acquire_32(&p->patron);
        if (patron != 0 && fv_worker_is_blocked(fv_proc(patron - 1)))
            break;
        /* ORDER patron (seq_cst): no patron any more, by an exchange, before a last look whether it is blocked again.  Pairs with patron
         * (seq_cst) in fv_worker_block().  Losing it: the supervisor takes us for its stand-in while we stand by. */
        if (patron != 0 && fv_fas_32(&p->patron, 0) == patron && fv_worker_is_blocked(fv_proc(patron - 1))) {
            fv_store_release_32(&p->patron, patron);
            break;
        }
        uint32_t seen = fv_bell_read(p);
        fv_home_reap(self);
        tidy(self);
        fv_bit_set(fv_map.seg->spares, self->slot);
        fv_worker_note_wait(p, FV_WAIT_SPARE, 0);
        if (fv_worker_is_stopping())
            fv_worker_leave();
        if (FV_UNLIKELY(fv_load_acquire_32(&p->leave_wanted)))
            fv_worker_make_room(self);
        fv_bell_wake_idle(p); /* what we may have been woken for is somebody else's */
        /* whoever claims the bit sets patron, then rings */
        /* ORDER guest (seq_cst): the bit, a locked instruction, before asked is read.  Pairs with guest (seq_cst) in find_guest(). */
        if (fv_load_acquire_32(&p->patron) == 0 && !fv_host_is_asked(p))
            fv_bell_wait(p, seen, -1);
        fv_bit_clear(fv_map.seg->spares, self->slot);
    }
    uint32_t patron = fv_load_acquire_32(&p->patron);
    if (patron != 0)
        take_cpu_of(p, fv_proc(patron - 1));
    fv_worker_note_wait(p, FV_WAIT_NOT, 0);
}

static bool should_stand_by(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    if (p->role != FV_ROLE_SPARE)
        return false;
    uint32_t patron = fv_load_acquire_32(&p->patron);
    return patron == 0 || !fv_worker_is_blocked(fv_proc(patron - 1));
}

/* Where there are more CPUs than workers: leaves a CPU on which a thread of the driver was last seen, for one that nobody uses.
 * The kernel would not part them, as they take turns: each sleeps while the other runs. */
static void make_way(struct fv_self *self) {
    struct fv_proc       *me = self->proc;
    const struct fv_topo *topo = &fv_rt.topo;
    static uint64_t       used[FV_TOPO_CPUS / 64];
    bool                  shared = false;
    if (me->cpu < 0 || fv_rt.n_workers >= (uint32_t)topo->n_allowed)
        return;
    memset(used, 0, sizeof used);
    FV_EACH_ACTIVE(p) {
        int cpu = fv_proc_cpu(fv_proc(p));
        if (cpu < 0 || cpu >= FV_TOPO_CPUS)
            continue;
        used[cpu / 64] |= 1ull << (cpu % 64);
        shared |= cpu == me->cpu && fv_load_relaxed_32(&fv_proc(p)->role) == FV_ROLE_DRIVER;
    }
    for (int i = 0; shared && i < topo->n_allowed; i++) {
        int cpu = topo->cpus[i];
        if (cpu < FV_TOPO_CPUS && !(used[cpu / 64] >> (cpu % 64) & 1)) {
            if (fv_topo_pin_self(cpu) == 0) {
                fv_proc_set_cpu(me, cpu);
                fv_tidy_moved();
            }
            return;
        }
    }
}

/* Puts hints to what is READY in the own slab and was lost on the way: a process does so before it sleeps. */
static void loop(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    uint64_t        idle_since = 0;
    for (;;) {
        if (fv_host_is_asked(p))
            fv_host_serve(self);
        if (FV_UNLIKELY(should_stand_by(self)))
            stand_by(self);
        if (fv_worker_step(self, false)) {
            idle_since = 0;
            continue;
        }
        if (FV_UNLIKELY(self->call_supervisor)) {
            self->call_supervisor = false;
            fv_supervisor_ring();
        }
        if (FV_UNLIKELY(fv_worker_is_stopping()))
            fv_worker_leave();
        if (idle_since == 0) {
            idle_since = fv_now_ns();
            fv_home_reap(self);
        }
        bool found = false;
        for (int i = 0; i < 64 && !found; i++) {
            fv_pause();
            found = fv_worker_step(self, false);
        }
        if (found) {
            idle_since = 0;
            continue;
        }
        if (fv_worker_step(self, true)) { /* nothing for a while: look into others' batches too */
            idle_since = 0;
            continue;
        }
        if (fv_map.seg->oversubscribed)
            sched_yield();
        if (fv_now_ns() - idle_since < self->spin_ns)
            continue;
        tidy(self);
        make_way(self);
        uint32_t seen = fv_bell_read(p);
        fv_bell_idle_set(self->slot);
        fv_home_reap(self); /* after the bell was read: what ends later rings */
        fv_bell_barrier();
        if (FV_UNLIKELY(fv_load_relaxed_32(&fv_map.seg->dispatch.idle_wanted)))
            fv_supervisor_ring(); /* tasks of low priority wait for a CPU that nobody wants */
        if (!sees_work(self) && !fv_worker_is_stopping() && !should_stand_by(self) && !fv_host_is_asked(p)) {
            if (FV_UNLIKELY(fv_load_acquire_32(&p->leave_wanted))) /* whoever wants it rings afterwards */
                fv_worker_make_room(self);
            fv_worker_note_wait(p, FV_WAIT_IDLE, 0);
            fv_sleep_idle(p, seen);
            fv_spin_learn(self, fv_now_ns() - p->wait_since_ns);
            fv_worker_note_wait(p, FV_WAIT_NOT, 0);
            fv_bell_idle_clear(self->slot);
        } else if (!fv_bit_claim(fv_map.seg->idle, self->slot) && fv_bell_someone_idle()) {
            fv_bell_wake_idle(p); /* we were called, and may have seen something else: another one is to look, too */
        }
        /* ORDER monitor (seq_cst): not idle, by the exchange of the bitmap, before monitor_sleeps is read.  Pairs with monitor (seq_cst) in
         * fv_memory_look(). */
        if (FV_UNLIKELY(fv_load_relaxed_32(&fv_map.seg->monitor_sleeps))) {
            fv_store_release_32(&fv_map.seg->monitor_sleeps, 0);
            fv_supervisor_ring();
        }
        idle_since = 0;
    }
}

/* ------------------------------------------------------------------------------------------------ blocking in a body */

void fv_worker_block(struct fv_self *self, uint64_t ref, uint32_t how) {
    struct fv_proc    *p = self->proc;
    struct fv_segment *s = fv_map.seg;
    bool               away = FV_UNLIKELY(p->blocked == FV_BLOCKED_AWAY); /* it has a stand-in */
    fv_store_relaxed_32(&p->spare_denied, 0);
    fv_worker_note_wait(p, FV_WAIT_GET, ref);
    if (p->role == FV_ROLE_ACTOR)
        return; /* it has no CPU for a spare to take over */
    /* ORDER patron (seq_cst): blocked, by an exchange, before the supervisor is asked for a spare, which looks for one that
     * has us as patron.  Pairs with patron (seq_cst) in stand_by(). */
    fv_fas_32(&p->blocked, away ? FV_BLOCKED_AWAY : how);
    if (FV_UNLIKELY(fv_load_relaxed_32(&p->lease) != FV_LEASE_NONE))
        fv_host_offer(self);
    if (FV_UNLIKELY(fv_load_relaxed_32(&s->dispatch.busy))) {
        fv_supervisor_ring(); /* our CPU may be another's meanwhile */
        if (p->role == FV_ROLE_SPARE && fv_load_acquire_32(&p->patron) == 0)
            return; /* a guest: it has no CPU for a spare to take over */
        if (away)
            return;
    }
    for (uint32_t w = 0; w < (s->n_procs + 63) / 64; w++)
        for (uint64_t b = fv_load_relaxed_64(&s->spares[w]); b != 0; b &= b - 1) {
            uint32_t q = w * 64 + (uint32_t)__builtin_ctzll(b);
            if (fv_bit_claim(s->spares, q)) {
                fv_store_release_32(&fv_proc(q)->patron, self->slot + 1);
                fv_bell_ring(fv_proc(q));
                return;
            }
        }
    fv_store_release_32(&p->want_spare, 1);
    fv_supervisor_ring();
}

void fv_worker_unblock(struct fv_self *self) {
    if (FV_UNLIKELY(fv_load_relaxed_32(&self->proc->lease) != FV_LEASE_NONE)) {
        fv_host_resume(self);
    } else {
        fv_store_release_32(&self->proc->blocked, 0);
        fv_store_relaxed_32(&self->proc->want_spare, 0);
    }
    fv_worker_note_wait(self->proc, FV_WAIT_NOT, 0);
    if (FV_UNLIKELY(fv_load_relaxed_32(&fv_map.seg->dispatch.busy)))
        fv_supervisor_ring();
}

/* ------------------------------------------------------------------------------------------------ start and death */

static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP, SIGXCPU};

static pid_t own_pid;    /* not that of a child that a body forked: it has no segment */
static pid_t dying_tid;  /* who leaves word, 0: nobody yet */
static int   dying_signal;

__attribute__((noreturn)) static void die_of(int sig) {
    struct sigaction sa = {.sa_handler = SIG_DFL};
    sigaction(sig, &sa, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    raise(sig);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + sig);
}

/* Leaves word of what happened and where, then dies of it.  (Of SIGXCPU the supervisor sends when a task's time is up: then it only says
 * where it is, and goes by SIGKILL, which would come anyway.)  The stack may be in ruins: if the unwinder faults as well, or does not come
 * back in time, we are called once more, and die of the first signal with what is known by then. */
static void on_fatal(int sig, siginfo_t *info, void *context) {
    struct fv_proc *p = worker_self.proc;
    pid_t           tid = (pid_t)syscall(SYS_gettid), first = 0;
    if (p == NULL || getpid() != own_pid)
        die_of(sig);
    if (!__atomic_compare_exchange_n(&dying_tid, &first, tid, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        if (first == tid || sig == SIGALRM)
            die_of(dying_signal);
        for (;;)
            pause(); /* another thread is at it */
    }
    bool time_is_up = sig == SIGXCPU && info->si_code <= 0 && info->si_pid == getppid();
    dying_signal = time_is_up ? SIGKILL : sig;
    p->n_frames = 0;
    if (!time_is_up) {
        p->fault_task = p->current;
        p->fault_code = (uint32_t)info->si_code;
        p->fault_address = sig == SIGABRT || sig == SIGTRAP || info->si_code <= 0 ? 0 : (uint64_t)(uintptr_t)info->si_addr;
        fv_store_release_32(&p->fault_signal, (uint32_t)sig);
    }
    struct sigaction again = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&again.sa_mask);
    sigaction(SIGALRM, &again, NULL);
    sigset_t open;
    sigemptyset(&open);
    sigaddset(&open, SIGALRM);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        sigaction(fatal[i], &again, NULL); /* a body may have set its own */
        sigaddset(&open, fatal[i]);
    }
    struct itimerval limit = {.it_value = {.tv_usec = UNWIND_US}};
    setitimer(ITIMER_REAL, &limit, NULL);
    sigprocmask(SIG_UNBLOCK, &open, NULL);
    fv_backtrace_interrupted(context, p->frame, &p->n_frames, FV_FRAMES);
    sigfillset(&open);
    sigprocmask(SIG_BLOCK, &open, NULL);
    die_of(dying_signal);
}

static void catch_fatal(void) {
    stack_t alt = {.ss_size = ALT_BYTES};
    alt.ss_sp = alt_stack = malloc(ALT_BYTES);
    if (alt_stack == NULL || sigaltstack(&alt, NULL) < 0)
        return;
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        struct sigaction sa = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigfillset(&sa.sa_mask);
        sigaction(fatal[i], &sa, NULL);
    }
}

static void body_main(void) {
    if (worker_self.proc->role == FV_ROLE_ACTOR)
        fv_actor_main(&worker_self);
    loop(&worker_self);
    _exit(0);
}

struct fv_self *fv_worker_of_process(void) { return worker_self.proc != NULL ? &worker_self : NULL; }

void fv_worker_main(uint32_t slot, uint32_t patron) {
    struct fv_self *self = &worker_self;
    struct fv_proc *p = fv_proc(slot);
    fv_homes[FV_SUPERVISOR] = NULL;
    fv_holds_fini(); /* what we know of the supervisor's holds: they are not ours */
    fv_mapped_forget();
    if (fv_self_init(self, slot, true) < 0)
        _exit(126);
    fv_self = self;
    p->pid = (uint32_t)getpid();
    p->tid = p->pid;
    p->started_ns = fv_now_ns();
    (void)patron;
    if (p->cpu >= 0)
        fv_topo_pin_self(p->cpu);
    if (!fv_map.seg->need_fence)
        fv_membarrier_register();
    madvise(fv_map.base, fv_map.seg->all_bytes, MADV_DONTFORK);
    if (fv_map.view != fv_map.base)
        madvise(fv_map.view, fv_map.seg->all_bytes, MADV_DONTFORK);
    setvbuf(stdout, NULL, _IOLBF, 0);
    own_pid = getpid();
    if (p->role != FV_ROLE_ACTOR) /* it does so when it has nothing else to do: whoever made it waits for its first answer */
        fv_backtrace_prepare();
    catch_fatal();
    fv_cpus_open();
    fv_tidy_hide_descriptors();
    if (fv_rt.hook != NULL)
        fv_rt.hook(fv_rt.hook_arg);
    if (p->role != FV_ROLE_ACTOR) /* what its methods change is its own */
        fv_tidy_begin();
    fv_worker_note_wait(p, FV_WAIT_NOT, 0);
    /* bodies run on a stack of their own: large, guarded, touched only as far as it is used */
    char *stack = mmap(NULL, STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack != MAP_FAILED && mprotect(stack + 65536, STACK_BYTES - 65536, PROT_READ | PROT_WRITE) == 0) {
        static ucontext_t here, there;
        getcontext(&there);
        there.uc_stack.ss_sp = stack + 65536;
        there.uc_stack.ss_size = STACK_BYTES - 65536;
        there.uc_link = NULL;
        makecontext(&there, body_main, 0);
        self->stack_low = stack + 65536 + STACK_RESERVE;
        swapcontext(&here, &there);
    }
    self->stack_low = (char *)__builtin_frame_address(0) - (4 << 20); /* the ordinary stack, then */
    if (p->role == FV_ROLE_ACTOR)
        fv_actor_main(self);
    loop(self);
    _exit(0);
}
