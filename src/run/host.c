/* run/host.c: a worker that stands by for the dispatcher: its CPU is set aside, and it runs what is granted to it.
 *
 * Run by workers and spares, when the supervisor has asked.  Writes its own standing and served, takes its own grant.  Dies here:
 * the supervisor counts its grant as over, the sweep makes the task READY again or fails it, and it is queued anew.
 *
 * A worker that is kept here for long runs an ordinary task now and then, so that these do not starve.
 */
#include "base/clock.h"
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
    /* ORDER served (release): all use of what was granted before served.  Pairs with served (acquire) in is_over(). */
    fv_store_release_32(&p->served, p->served + 1);
    if (self->call_supervisor) {
        self->call_supervisor = false;
        fv_supervisor_ring();
    }
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
