/* run/host.c: a worker that stands by for the dispatcher: its CPU is set aside, and it runs what is granted to it.
 *
 * Run by workers and spares, when the supervisor has asked.  Writes its own standing and served, takes its own grant, and says by its
 * lease when the task that it runs is blocked, and when that could go on.  Dies here: the supervisor counts its grant as over, with
 * CPUs or without, the sweep makes the task READY again or fails it, and it is queued anew.
 *
 * A worker that is kept here for long runs an ordinary task now and then, so that these do not starve.
 */
#include "base/clock.h"
#include "core/cancel.h"
#include "core/queued.h"
#include "core/task.h"
#include "run/cpus.h"
#include "run/runtime.h"

#define ORDINARY_NS 10000000ull /* so often an ordinary task gets its turn */
#define BUSY_SPIN_NS 3000u

static void tell(void) {
    if (fv_dispatch_tell())
        fv_supervisor_ring();
}

void fv_host_run(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    fv_store_release_32(&p->standing, 0); /* before the grant is taken: else it would look as if it was over */
    /* ORDER grant (acquire): the grant before grant_cpu and lent_to.  Pairs with grant (release) in issue_to(). */
    uint64_t ref = fv_fas_64(&p->grant, 0);
    uint32_t index = fv_ref_index(ref);
    self->granted = ref;
    bool claimed = fv_task_claim(self, index);
    self->granted = 0;
    if (claimed) {
        self->last_def = fv_task(index)->def;
        fv_cpus_take(self, index);
        fv_execute(self, index);
        fv_cpus_give_back(self);
    }
    fv_store_release_32(&p->lease, FV_LEASE_NONE);
    if (p->blocked == FV_BLOCKED_AWAY) {
        fv_store_release_32(&p->blocked, 0);
        fv_store_relaxed_32(&p->want_spare, 0);
    }
    /* ORDER served (release): all use of what was granted before served.  Pairs with served (acquire) in is_over(). */
    fv_store_release_32(&p->served, p->served + 1);
    if (self->call_supervisor) {
        self->call_supervisor = false;
        fv_supervisor_ring();
    }
}

void fv_host_offer(struct fv_self *self) {
    uint32_t lease = fv_load_relaxed_32(&self->proc->lease);
    /* ORDER lease (release): blocked, and what it waits for, before OFFERED.  Pairs with lease (acquire) in look_at_grants().
     * Losing it: an old wait tells whether it is blocked, and its CPUs are not taken. */
    if (lease == FV_LEASE_HELD || lease == FV_LEASE_AWAY)
        fv_store_release_32(&self->proc->lease, FV_LEASE_OFFERED);
}

/* Does a spare stand in for it? */
static bool has_stand_in(const struct fv_self *self) {
    for (uint32_t s = fv_rt.n_workers + 1; s <= fv_rt.n_worker_slots; s++)
        if (fv_load_acquire_32(&fv_proc(s)->patron) == self->slot + 1)
            return true;
    return false;
}

/* Asks for the CPUs that were taken while its task was blocked, and sleeps until it has them.  A cancelled one does without: it is
 * to end soon.  It is no point of cancellation: the body hears of it when it asks or waits the next time. */
static void await_cpus(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    uint64_t        id = p->current;
    uint32_t        seen;
    fv_store_release_32(&p->blocked, FV_BLOCKED_AWAY);
    fv_worker_note_wait(p, FV_WAIT_CPU, 0);
    fv_store_release_32(&p->lease, FV_LEASE_WANTED);
    fv_supervisor_ring();
    /* ORDER lease (acquire): before grant_cpu and lent_to.  Pairs with lease (release) in resume(). */
    while (seen = fv_bell_read(p), fv_load_acquire_32(&p->lease) == FV_LEASE_WANTED) {
        if (fv_cancel_asked(fv_ref_index(id), fv_ref_gen(id)) != 0) {
            if (fv_cas_32(&p->lease, FV_LEASE_WANTED, FV_LEASE_NONE))
                return;
            continue;
        }
        fv_bell_wait(p, seen, -1);
    }
    fv_cpus_retake(self);
}

void fv_host_resume(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    bool            was_away = p->blocked == FV_BLOCKED_AWAY;
    if (!fv_cas_32(&p->lease, FV_LEASE_OFFERED, was_away ? FV_LEASE_AWAY : FV_LEASE_HELD))
        await_cpus(self);
    bool away = fv_load_relaxed_32(&p->lease) == FV_LEASE_AWAY;
    fv_store_release_32(&p->blocked, away ? FV_BLOCKED_AWAY : 0);
    if (!away || !was_away)
        fv_store_relaxed_32(&p->want_spare, away && !has_stand_in(self)); /* it has left when the wait was over */
}

static bool is_wanted(struct fv_proc *p, uint32_t asked) {
    return fv_load_acquire_64(&p->grant) != 0 || fv_load_acquire_32(&p->asked) != asked || fv_worker_is_stopping();
}

static void rest(struct fv_self *self, uint32_t asked) {
    struct fv_proc *p = self->proc;
    uint64_t        until = fv_now_ns() + (fv_map.seg->oversubscribed ? BUSY_SPIN_NS : self->spin_ns);
    do {
        for (int i = 0; i < 32; i++) {
            if (is_wanted(p, asked))
                return;
            fv_pause();
        }
    } while (fv_now_ns() < until);
    if (self->call_supervisor) {
        self->call_supervisor = false;
        fv_supervisor_ring();
    }
    uint32_t seen = fv_bell_read(p);
    fv_home_reap(self); /* after the bell was read: what ends later rings */
    if (is_wanted(p, asked))
        return;
    fv_worker_note_wait(p, FV_WAIT_GRANT, 0);
    fv_bell_wait(p, seen, -1);
    fv_worker_note_wait(p, FV_WAIT_NOT, 0);
}

void fv_host_serve(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    uint64_t        ordinary_ns = fv_now_ns();
    uint32_t        asked;
    bool            untold = false; /* served has changed */
    while ((asked = fv_load_acquire_32(&p->asked)) != 0) {
        if (fv_worker_is_stopping())
            fv_worker_leave();
        if (fv_load_relaxed_64(&p->grant) != 0) {
            fv_host_run(self);
            untold = true;
            bool is_guest = p->role == FV_ROLE_SPARE && fv_load_relaxed_32(&p->patron) == 0; /* beside others on its CPU */
            if (!is_guest && fv_now_ns() - ordinary_ns > ORDINARY_NS) {
                untold = false;
                tell();
                fv_cpus_home(self);
                fv_worker_step(self, false);
                ordinary_ns = fv_now_ns();
            }
            continue;
        }
        if (p->standing != asked) {
            fv_store_release_32(&p->standing, asked);
            untold = false;
            tell();
        }
        rest(self, asked);
    }
    fv_store_release_32(&p->standing, 0);
    if (untold)
        tell();
    fv_cpus_home(self);
}
