/* run/supervisor.c: keeps the processes of a runtime: forks them, reaps them, sweeps after them, ends with the driver.
 *
 * Run by the supervisor, the driver's grandchild: one thread, an event loop, never on the path of a task.  Its truth
 * (pids, restarts, verdicts) is private.  Writes identities of process slots, counters of its own slot, and
 * what core/sweep.c writes.  Dies here: workers die with it (parent-death signal), waits in the driver
 * return -FEVER_ERUNTIME.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/actor.h"
#include "core/cancel.h"
#include "core/delay.h"
#include "plat/futex.h"
#include "plat/process.h"
#include "run/actor_host.h"
#include "run/child.h"
#include "run/control.h"
#include "run/descendants.h"
#include "run/dispatcher.h"
#include "run/event.h"
#include "run/keeper.h"
#include "run/memory.h"
#include "run/output.h"
#include "run/runtime.h"
#include "run/spare.h"
#include "run/tidy.h"
#include "shm/extent.h"

#define TICK_NS        2000000ull   /* while somebody runs with a deadline */
#define DELAY_TICK_NS  1000000ull   /* between two looks for what is delayed, at least */
#define SLOW_TICK_NS   10000000ull  /* while a recovery is unfinished */
#define QUIET_NS       200000000ull /* no deadline for so long: the tick ends */
#define RESPAWN_NS     2000000ull   /* a worker that died younger than this is replaced later, and later still */
#define REAP_MOST      256     /* who has ended is reaped so many at a time, */
#define LAST_WORD_NS   40000000ull  /* on a busy machine it may take that long until it runs: a worker whose task's time is up may say where it is, then it is killed */
#define FAREWELL_NS    20000000ull  /* how long workers may flush at shutdown */
#define UNREAD_NS      2000000000ull /* how long nobody may read their output then, before the rest is given up */
#define HELPER_QUICK_NS 100000000ull /* a helper that lived shorter than this died young */
#define LAST_WORDS_NS  40000000ull  /* how long nobody may read their output then */

struct child {
    enum fv_child_state state;
    pid_t            pid;
    uint64_t         started_ns;
    uint64_t         respawn_ns;   /* not before */
    uint32_t         quick_deaths; /* in a row */
    uint64_t         blamed;       /* KILLED: the task that it was killed for */
    int              killed_for;   /* FEVER_ETASKTIMEOUT: its time was up; FEVER_ECANCELED; FEVER_EMEMORY: see overrun */
    uint64_t         kill_ns;      /* KILLED: when it gets SIGKILL, if it has not died by then; UINT64_MAX: it got it */
    struct fv_overrun overrun;     /* FEVER_EMEMORY: by how much */
    bool             pressed;      /* FEVER_EMEMORY: of the machine's memory, not of its task's limit */
};

static struct fv_self  sup;
static struct child   *child; /* by process slot */
static pid_t          *living; /* by process slot: room for the memory monitor */
static struct fv_loop *loop;
static int             signal_fd = -1, driver_fd = -1;
static uint64_t        last_deadline_ns;
static bool            ending;
static int             spawn_error; /* of the last one that failed */
static bool            more_have_ended;  /* and were not reaped yet */
static pid_t           helper;
static uint64_t        helper_started_ns;
static uint32_t        helper_quick_deaths; /* in a row */

static void arm_tick(void);

/* ------------------------------------------------------------------------------------------------ children */

/* Slots of the children that are kept here: workers, spares, actors. */
#define EACH_CHILD(s) for (uint32_t s = 1; s < fv_rt.driver_slots; s++)
static bool is_actor_slot(uint32_t slot) { return slot >= fv_rt.actor_slots && slot < fv_rt.actor_slots + fv_rt.n_actor_slots; }

enum fv_child_state fv_child_state(uint32_t slot) { return child[slot].state; }

bool fv_child_spawn(uint32_t slot, uint32_t role, uint32_t patron) {
    struct fv_proc *p = fv_proc(slot);
    struct child   *c = &child[slot];
    uint32_t        i = (slot - 1) % (uint32_t)FV_MAX(fv_rt.topo.n_allowed, 1);
    if ((spawn_error = role == FV_ROLE_ACTOR ? fv_segment_open_actor(slot) : fv_segment_open_slot(slot)) < 0) {
        fv_warn("no shared memory for %s %u", role == FV_ROLE_ACTOR ? "actor" : "worker", slot - 1);
        return false;
    }
    p->number = slot - 1;
    p->cpu = fv_rt.options.pin && fv_rt.topo.n_allowed > 0 && role != FV_ROLE_ACTOR ? fv_rt.topo.cpus[i] : -1;
    if (patron != 0)
        fv_store_release_32(&p->patron, patron);
    if (role != FV_ROLE_ACTOR)
        p->node = slot <= fv_rt.n_workers ? fv_cluster_node_of(slot) : 0;
    else if (fv_cold(fv_ref_index(p->actor))->options == 0) /* else the dispatcher has said it */
        p->node = 0;
    if ((patron = fv_load_acquire_32(&p->patron)) != 0) { /* also that of the spare that died here: it may still be blocked */
        p->cpu = fv_proc(patron - 1)->cpu;
        p->node = fv_proc(patron - 1)->node;
    }
    p->wait_reason = FV_WAIT_START;
    fv_store_release_32(&p->role, role);
    fv_bit_set(fv_map.seg->active, slot);
    struct fv_output_pipes output;
    bool  has_output = fv_output_open(&output);
    pid_t me = getpid(), pid = fork();
    if (pid != 0 && has_output) {
        int saved = errno;
        fv_output_forked(&output, slot - 1, pid);
        errno = saved;
    }
    if (pid < 0) {
        spawn_error = -errno;
        fv_warn("cannot fork worker %u: %s", slot - 1, strerror(errno));
        return false;
    }
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != me)
            _exit(0);
        setpgid(0, 0); /* kill(0, ...) in a body reaches what it has forked, and nobody else */
        fv_loop_forget_in_child(loop);
        fv_output_attach(has_output ? &output : NULL);
        int keep[] = {fv_map.fd, fv_map.file_fd, fv_rt.bell_fd};
        fv_process_close_from(keep, 3);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        char name[16];
        snprintf(name, sizeof name, role == FV_ROLE_SPARE ? "fever-s%u" : role == FV_ROLE_ACTOR ? "fever-a%u" : "fever-w%u", slot - 1);
        prctl(PR_SET_NAME, name);
        fv_worker_main(slot, patron);
    }
    c->state = FV_CHILD_RUNS;
    c->pid = pid;
    c->started_ns = fv_now_ns();
    c->blamed = 0;
    p->pid = (uint32_t)pid;
    return true;
}

/* Keeps memory of the store warm (run/warm.c). */
static void start_helper(void) {
    pid_t me = getpid(), pid = fv_rt.options.store_warm == 0 ? -1 : fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != me)
            _exit(0);
        fv_loop_forget_in_child(loop);
        fv_process_close_from(&fv_map.fd, 1);
        prctl(PR_SET_NAME, "fever-helper");
        fv_warm_main();
    }
    helper = pid > 0 ? pid : 0;
    helper_started_ns = fv_now_ns();
}

static void helper_died(void) {
    helper = 0;
    fv_extent_sweep(FV_WARM_OWNER);
    helper_quick_deaths = fv_now_ns() - helper_started_ns < HELPER_QUICK_NS ? helper_quick_deaths + 1 : 0;
    if (!ending && helper_quick_deaths < 5) /* else it cannot live here, and less is warm */
        start_helper();
}

static void respawn(uint32_t slot) {
    struct child *c = &child[slot];
    if (fv_now_ns() < c->respawn_ns || !fv_child_spawn(slot, fv_proc(slot)->role, 0)) {
        c->state = FV_CHILD_WAITS_FOR_RESPAWN;
        c->respawn_ns = FV_MAX(c->respawn_ns, fv_now_ns() + RESPAWN_NS);
    } else {
        fv_proc(slot)->restarts++;
    }
}

/* It left because tasks had spoiled its process, with nothing under way: a successor, and no more.  False: it did not. */
static bool is_replacement(uint32_t slot, int pid, int status) {
    struct fv_proc *p = fv_proc(slot);
    uint64_t        left = fv_load_acquire_64(&p->leftovers);
    uint32_t        def = (uint32_t)(left >> 32);
    fv_store_relaxed_64(&p->leftovers, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != FV_EXIT_REPLACED || left == 0 || p->current != 0)
        return false;
    unsigned kind = (unsigned)__builtin_ctzll(left);
    if (def != 0 && def < fv_map.seg->n_defs && !(fv_load_relaxed_32(&fv_map.seg->defs[def].leftovers) >> kind & 1)) {
        fv_or_32(&fv_map.seg->defs[def].leftovers, 1u << kind);
        fv_warn("task %s, the last that worker %u (pid %d) ran, %s; the worker is replaced", fv_map.seg->defs[def].name, p->number, pid,
                fv_leftover_text(kind));
    }
    return true;
}

static void kill_for(uint32_t slot, int code, uint64_t task) {
    if (slot == 0 || slot >= fv_rt.driver_slots || child[slot].state != FV_CHILD_RUNS)
        return; /* the driver, with FEVER_INLINE=1; or it is dead already */
    child[slot].state = FV_CHILD_KILLED;
    child[slot].killed_for = code;
    child[slot].blamed = task;
    child[slot].kill_ns = UINT64_MAX;
    if (code != FEVER_ETASKTIMEOUT) {
        kill(child[slot].pid, SIGKILL);
        return;
    }
    child[slot].kill_ns = fv_now_ns() + LAST_WORD_NS; /* there is time to say where it was: see run/worker.c */
    syscall(SYS_tgkill, child[slot].pid, child[slot].pid, SIGXCPU);
}

/* For run/actor_host.c: a process for that actor. */
static uint32_t find_actor_slot(void) {
    for (uint32_t slot = fv_rt.actor_slots; slot < fv_rt.actor_slots + fv_rt.n_actor_slots; slot++) /* the first: its memory is there */
        if (child[slot].state == FV_CHILD_NONE)
            return slot;
    return 0;
}

static int start_actor(uint64_t actor) {
    uint32_t slot = find_actor_slot();
    if (slot == 0)
        return 0;
    fv_store_release_64(&fv_proc(slot)->actor, actor);
    if (fv_child_spawn(slot, FV_ROLE_ACTOR, 0))
        return 1;
    fv_store_release_64(&fv_proc(slot)->actor, 0);
    return -1;
}

static void end_actor(uint32_t slot) { /* it may be restarted */
    if (child[slot].state == FV_CHILD_RUNS)
        kill(child[slot].pid, SIGKILL);
}

static void found_cancelled(uint32_t slot, uint64_t task) { kill_for(slot, FEVER_ECANCELED, task); }

/* What runs and is to be cancelled by force.  anyway: somebody died, perhaps before it could say that it wants that. */
static void look_for_cancelled(bool anyway) {
    if (!anyway && !fv_load_acquire_32(&fv_map.seg->cancel_wanted))
        return;
    fv_fas_32(&fv_map.seg->cancel_wanted, 0); /* first: a request that we miss comes with another ring */
    fv_actor_host_end_waiting();
    fv_cancel_each_forced(found_cancelled);
}

static void buried(uint32_t slot, int status, const char *program) {
    struct fv_proc *p = fv_proc(slot);
    struct child   *c = &child[slot];
    uint64_t        begin = fv_now_ns();
    bool            is_actor = is_actor_slot(slot);
    struct fv_verdict why = {.code = FEVER_ECRASHED, .pid = c->pid, .worker = is_actor ? -1 : (int)p->number};
    if (WIFSIGNALED(status))
        why.signal = WTERMSIG(status);
    else
        why.exit_status = WEXITSTATUS(status);
    snprintf(why.program, sizeof why.program, "%s", program);
    why.when_ns = begin;
    why.frame = p->frame;
    why.n_frames = FV_MIN(p->n_frames, FV_FRAMES);
    if (p->fault_signal != 0) { /* it left word, of the first signal; what came on top of that is not the cause */
        why.signal = (int)p->fault_signal;
        why.exit_status = 0;
        why.fault_address = p->fault_address;
    }
    if (c->state == FV_CHILD_KILLED) {
        uint32_t index = fv_ref_index(c->blamed);
        uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
        why.code = c->killed_for;
        if (why.code == FEVER_EMEMORY) {
            why.used = c->overrun.used, why.limit = c->overrun.limit;
            why.pressed = c->pressed;
        }
        why.blamed = c->blamed;
        /* it ended before it was killed: what ran instead is not to blame */
        why.innocent = fv_truth_gen(t) != fv_ref_gen(c->blamed) || fv_truth_state(t) != FV_RUN || fv_truth_owner(t) != slot;
    }
    if (c->state != FV_CHILD_KILLED && why.signal == SIGKILL && fv_memory_kernel_did_it(begin)) {
        why.code = FEVER_EMEMORY;
        why.by_kernel = true;
    }
    why.in_order = WIFEXITED(status) && why.exit_status == 0 && p->leaves && p->current == 0;
    bool ended = is_actor && why.in_order;
    why.in_order = why.in_order && !is_actor; /* what an actor had submitted, and nobody holds, ends with it */
    bool quick = !why.in_order && begin - c->started_ns < RESPAWN_NS && p->current == 0;
    c->quick_deaths = quick ? c->quick_deaths + 1 : 0;
    c->respawn_ns = c->quick_deaths > 3 ? begin + (RESPAWN_NS << FV_MIN(c->quick_deaths, 9u)) : 0;
    c->state = FV_CHILD_NONE;
    c->pid = 0;
    if (ending || fv_load_acquire_32(&fv_map.seg->state) == FV_STOPPING)
        return; /* no successor: it would leave at once, and so for ever */
    if (is_actor) {
        fv_map.seg->deaths += !WIFEXITED(status) || why.exit_status != 0;
        p->wait_reason = FV_WAIT_NOT; /* also if it never came to its start */
        fv_dispatch_actor_died(slot);
        ended = ended && fv_sweep_ended(&sup, slot);
        if (!ended)
            fv_sweep(&sup, slot, &why);
        fv_map.seg->sweep_ns_last = fv_now_ns() - begin;
        look_for_cancelled(!ended);
        fv_actor_host_turn();
        arm_tick();
        return;
    }
    if (is_replacement(slot, why.pid, status))
        c->quick_deaths = 0, c->respawn_ns = 0;
    else
        fv_map.seg->deaths += !why.in_order;
    fv_dispatch_died(slot);
    fv_sweep(&sup, slot, &why);
    fv_map.seg->sweep_ns_last = fv_now_ns() - begin;
    respawn(slot);
    look_for_cancelled(true);
    arm_tick();
}

static uint32_t slot_of(pid_t pid) {
    EACH_CHILD(s)
        if (child[s].pid == pid)
            return s;
    return 0;
}

/* Reaps who has ended, the oldest first, which ours are.  Not without end: what task code left behind may die as fast as it is
 * reaped, see on_tick(). */
static void reap_all(void) {
    int       status, n;
    siginfo_t info;
    for (n = 0; n < REAP_MOST; n++) {
        info.si_pid = 0;
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            break;
        uint32_t slot = slot_of(info.si_pid); /* 0: an orphan of task code, or none of the workers */
        char     program[16] = "";
        if (slot != 0)
            fv_process_has_execed(info.si_pid, program);
        if (slot != 0 && child[slot].state == FV_CHILD_KILLED) /* what its task has forked goes too; as long as it is not reaped the group is its own */
            kill(-info.si_pid, SIGKILL);
        pid_t pid = waitpid(info.si_pid, &status, WNOHANG);
        if (pid <= 0)
            break;
        if (pid == helper)
            helper_died();
        fv_output_reaped(pid);
        if (fv_keeper_reaped(pid, status))
            arm_tick();
        if (slot != 0)
            buried(slot, status, program);
    }
    more_have_ended = n == REAP_MOST;
    if (more_have_ended)
        arm_tick();
}

/* ------------------------------------------------------------------------------------------------ the end */

__attribute__((noreturn)) static void end(bool farewell) {
    ending = true;
    fv_store_release_32(&fv_map.seg->state, FV_STOPPING);
    fv_bell_ring_all();
    fv_keeper_dismiss();
    for (uint64_t until = fv_now_ns() + (farewell ? FAREWELL_NS : 0);;) {
        bool any = false;
        reap_all();
        EACH_CHILD(s)
            any |= child[s].pid != 0;
        if (!any || fv_now_ns() >= until)
            break;
        struct pollfd p = {.fd = signal_fd, .events = POLLIN};
        poll(&p, 1, 1);
        struct signalfd_siginfo info;
        while (read(signal_fd, &info, sizeof info) > 0)
            ;
    }
    EACH_CHILD(s)
        if (child[s].pid != 0)
            fv_descendants_end_group(child[s].pid);
    EACH_CHILD(s)
        if (child[s].pid != 0)
            waitpid(child[s].pid, NULL, 0);
    if (helper > 0) { /* at idle priority it would take long to die on a busy machine */
        struct sched_param none = {0};
        kill(helper, SIGKILL);
        sched_setscheduler(helper, SCHED_OTHER, &none);
    }
    fv_descendants_end();
    if (!fv_output_finish(farewell ? UNREAD_NS : LAST_WORDS_NS, farewell))
        fv_store_release_32(&fv_map.seg->output_lost, 1);
    fv_store_release_32(&fv_map.seg->state, FV_GONE);
    _exit(0);
}

/* ------------------------------------------------------------------------------------------------ events */

static void kill_for_memory(uint32_t slot, const struct fv_overrun *overrun, bool pressed) {
    child[slot].overrun = *overrun;
    child[slot].pressed = pressed;
    kill_for(slot, FEVER_EMEMORY, overrun->task);
}

/* Is memory short?  Ends whom the monitor names. */
static void look_at_memory(uint64_t now) {
    struct fv_overrun overrun;
    uint64_t          next = fv_memory_next();
    if (next == 0 || now < next)
        return;
    for (;;) {
        for (uint32_t s = 1; s <= fv_rt.n_worker_slots; s++)
            living[s] = child[s].state == FV_CHILD_RUNS ? child[s].pid : 0;
        uint32_t victim = fv_memory_look(living, now, &overrun);
        if (victim == 0)
            return;
        if (overrun.task != 0) {
            kill_for_memory(victim, &overrun, true);
        } else { /* an idle one is asked to leave: it may begin with a task just now */
            fv_store_release_32(&fv_proc(victim)->leave_wanted, 1);
            fv_bell_ring(fv_proc(victim));
        }
    }
}

static void on_tick(void *arg, int fd, uint32_t events) {
    (void)arg, (void)fd, (void)events;
    uint64_t now = fv_now_ns();
    if (fv_load_acquire_32(&fv_map.seg->tick_wanted)) {
        EACH_CHILD(s) {
            struct fv_proc *p = fv_proc(s);
            uint64_t        deadline = fv_load_acquire_64(&p->deadline_ns), task = fv_load_acquire_64(&p->deadline_task);
            bool            limited = s <= fv_rt.n_worker_slots && fv_memory_is_limited(s);
            struct fv_overrun overrun;
            if (deadline == 0 && !limited)
                continue;
            last_deadline_ns = now;
            if (deadline != 0 && now >= deadline && fv_load_acquire_64(&p->deadline_ns) == deadline)
                kill_for(s, FEVER_ETASKTIMEOUT, task);
            if (limited && child[s].state == FV_CHILD_RUNS && fv_memory_is_over(s, child[s].pid, &overrun))
                kill_for_memory(s, &overrun, false);
        }
        if (now - last_deadline_ns > QUIET_NS) {
            /* ORDER tick (seq_cst): tick_wanted off before the last look.  Pairs with tick (seq_cst) in fv_execute(). */
            fv_fas_32(&fv_map.seg->tick_wanted, 0);
            EACH_CHILD(s)
                if (fv_load_acquire_64(&fv_proc(s)->deadline_ns) != 0 || (s <= fv_rt.n_worker_slots && fv_memory_is_limited(s)))
                    fv_store_release_32(&fv_map.seg->tick_wanted, 1);
            last_deadline_ns = now;
        }
    }
    EACH_CHILD(s)
        if (child[s].state == FV_CHILD_WAITS_FOR_RESPAWN) {
            respawn(s);
        } else if (child[s].state == FV_CHILD_KILLED && now >= child[s].kill_ns) {
            child[s].kill_ns = UINT64_MAX;
            kill(child[s].pid, SIGKILL);
        }
    if (more_have_ended)
        reap_all();
    fv_spare_tick(SLOW_TICK_NS);
    if (fv_load_acquire_32(&fv_map.seg->resweep)) {
        fv_sweep_rehint(&sup);
        fv_bell_ring_all();
    }
    look_at_memory(now);
    arm_tick();
}

/* Lets go on what has waited for its time; when the next one's comes, 0: none. */
static uint64_t release_delayed(void) {
    uint64_t until = fv_load_acquire_64(&fv_map.seg->delayed_until_ns), now = fv_now_ns();
    if (until != 0 && until <= now) {
        fv_delay_release(&sup, now);
        until = fv_load_acquire_64(&fv_map.seg->delayed_until_ns);
    }
    return until == 0 ? 0 : FV_MAX(until, now + DELAY_TICK_NS);
}

/* of two times, 0: never */
static uint64_t earlier(uint64_t a, uint64_t b) { return a == 0 || (b != 0 && b < a) ? b : a; }

static void arm_tick(void) {
    uint64_t delayed = release_delayed(), turn = fv_dispatch_turn();
    bool slow = fv_sweep_adopted(&sup) || fv_sweep_recounts(&sup) || fv_load_acquire_32(&fv_map.seg->resweep);
    slow |= fv_output_tick();
    slow |= fv_keeper_tick() | more_have_ended;
    bool     dying = false;
    slow |= fv_actor_host_turn();
    EACH_CHILD(s) {
        slow |= child[s].state == FV_CHILD_WAITS_FOR_RESPAWN;
        dying |= child[s].state == FV_CHILD_KILLED && child[s].kill_ns != UINT64_MAX;
    }
    uint64_t spares = fv_spare_wait_ns(), tick = dying || fv_load_acquire_32(&fv_map.seg->tick_wanted) ? TICK_NS : slow || spares != 0 ? SLOW_TICK_NS : 0;
    if (spares != 0)
        tick = FV_MIN(tick, spares);
    fv_loop_timer(loop, earlier(earlier(tick == 0 ? 0 : fv_now_ns() + tick, turn), earlier(delayed, fv_memory_next())), on_tick, NULL);
}

static void answer_bell(void) {
    look_for_cancelled(false);
    fv_spare_find();
    if (fv_load_acquire_32(&fv_map.seg->tick_wanted))
        last_deadline_ns = fv_now_ns();
    if (fv_load_acquire_32(&fv_map.seg->resweep)) {
        fv_sweep_rehint(&sup);
        fv_bell_ring_all();
    }
    arm_tick();
}

static void on_bell(void *arg, int fd, uint32_t events) {
    uint64_t n;
    (void)arg, (void)events;
    if (read(fd, &n, sizeof n) < 0)
        return;
    if (fv_load_acquire_32(&fv_map.seg->state) == FV_STOPPING)
        end(true);
    answer_bell();
}

static void on_child(void *arg, int fd, uint32_t events) {
    struct signalfd_siginfo info;
    (void)arg, (void)events;
    while (read(fd, &info, sizeof info) > 0)
        ;
    if (fv_load_acquire_32(&fv_map.seg->state) == FV_STOPPING)
        end(true); /* they leave because they were told to */
    reap_all();
    answer_bell(); /* a process that has lost the bell's descriptor sends a signal (fv_supervisor_ring) */
}

static void on_driver(void *arg, int fd, uint32_t events) {
    (void)arg, (void)fd, (void)events;
    end(false);
}

static void on_control(void *arg, int fd, uint32_t events) {
    (void)arg, (void)events;
    fv_control_serve(fd, fv_map.fd);
}

/* ------------------------------------------------------------------------------------------------ start */

/* Before anybody could be served: tells the driver why. */
__attribute__((noreturn)) static void give_up(int rc) {
    fv_store_release_32(&fv_map.seg->start_error, rc < 0 ? (uint32_t)-rc : EAGAIN);
    fv_faa_32(&fv_map.seg->ready_bell, 1);
    fv_futex_wake(&fv_map.seg->ready_bell, 1);
    _exit(1);
}

void fv_supervisor_main(void) {
    fv_in_user_process = false;
    fv_proc(FV_SUPERVISOR)->pid = (uint32_t)getpid(); /* first: the driver watches whether we live */
    fv_homes[FV_SUPERVISOR] = NULL;
    if (setsid() < 0) /* a terminal's signals are for the driver; workers have a group each, see fv_child_spawn() */
        setpgid(0, 0);
    prctl(PR_SET_NAME, "fever-super");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    int null;
    while ((null = open("/dev/null", O_RDWR)) >= 0 && null <= 2)
        ; /* the program had closed these: what is opened next must not take their place */
    if (null > 2) {
        dup2(null, 0);
        close(null);
    }
    int keep[] = {fv_map.fd, fv_map.file_fd, fv_rt.bell_fd};
    fv_process_close_from(keep, 3);
    struct sigaction dfl = {.sa_handler = SIG_DFL}, ign = {.sa_handler = SIG_IGN};
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            sigaction(s, &dfl, NULL);
    sigaction(SIGPIPE, &ign, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_SETMASK, &set, NULL);

    struct fv_segment *seg = fv_map.seg;
    child = calloc(fv_rt.driver_slots, sizeof *child);
    living = calloc(fv_rt.n_worker_slots + 1, sizeof *living);
    driver_fd = fv_pidfd_open(fv_rt.driver_pid);
    signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    int listen_fd = fv_control_listen(fv_rt.driver_pid, fv_rt.driver_start);
    if (driver_fd < 0 || signal_fd < 0)
        give_up(driver_fd < 0 ? driver_fd : -EMFILE);
    int rc = child == NULL || living == NULL ? -ENOMEM : fv_loop_open(fv_rt.options.event, &loop);
    if (rc == 0)
        rc = fv_segment_open_slot(FV_SUPERVISOR);
    if (rc == 0)
        rc = fv_self_init(&sup, FV_SUPERVISOR, false);
    if (rc == 0)
        rc = fv_dispatch_open(&sup, fv_spare_for_dispatcher);
    if (rc < 0 || !fv_process_alive(fv_rt.driver_pid, fv_rt.driver_start))
        give_up(rc);
    fv_self = &sup;
    sup.proc->role = FV_ROLE_SUPERVISOR;
    sup.proc->pid = (uint32_t)getpid();
    sup.proc->number = FV_NO_PROC;
    sup.proc->cpu = -1;
    fv_bit_set(seg->active, FV_SUPERVISOR);
    seg->is_poll = strcmp(fv_loop_name(loop), "poll") == 0;
    if (!seg->need_fence)
        fv_membarrier_register();
    rc = fv_loop_add(loop, driver_fd, POLLIN, on_driver, NULL);
    if (rc == 0)
        rc = fv_loop_add(loop, signal_fd, POLLIN, on_child, NULL);
    if (rc == 0)
        rc = fv_loop_add(loop, fv_rt.bell_fd, POLLIN, on_bell, NULL);
    if (rc < 0) /* deaf to one of these it would not end, or not reap */
        give_up(rc);
    if (listen_fd >= 0)
        fv_loop_add(loop, listen_fd, POLLIN, on_control, NULL);
    fv_output_init(loop);
    fv_keeper_init(loop, &sup);
    fv_actor_host_init(&sup, find_actor_slot, start_actor, end_actor);
    uint32_t n = 0;
    for (uint32_t s = 1; s <= fv_rt.n_workers; s++)
        n += fv_child_spawn(s, FV_ROLE_WORKER, 0);
    if (n == 0)
        give_up(spawn_error);
    start_helper();
    fv_output_begin();
    fv_memory_watch(fv_rt.options.memory_threshold, fv_rt.n_worker_slots);
    arm_tick();
    seg->supervisor_pid = (uint32_t)getpid();
    fv_store_release_32(&seg->state, FV_UP);
    fv_faa_32(&seg->ready_bell, 1);
    fv_futex_wake(&seg->ready_bell, 1);
    for (;;) {
        while (!fv_dispatch_sleep())
            arm_tick();
        if (fv_loop_wait(loop) < 0 && errno != EINTR)
            FV_ASSERT(!"the event loop works");
        fv_dispatch_wake();
    }
}
