/* run/sleep.c: how a thread of the driver, or a body, sleeps until something that it waits for may have happened.
 *
 * Run by drivers and by bodies.  Writes its own process slot.  Who wakes it: whoever rings its bell (shm/bell.h); the sweep rings all
 * bells after each death.  A driver looks each 100 ms whether the supervisor lives; workers die with it.
 */
#include <poll.h>
#include <sched.h>

#include "base/clock.h"
#include "run/runtime.h"
#include "shm/mapped.h"

#define SUPERVISOR_CHECK_NS 100000000ull
#define AHEAD_NS            1000000 /* asleep for so long: time for what is done ahead of need */

void fv_note_wait(struct fv_self *self, unsigned reason, uint64_t ref) { fv_worker_note_wait(self->proc, reason, ref); }

static bool supervisor_is_gone(struct fv_self *self) {
    if (self->is_worker || fv_rt.supervisor_fd < 0)
        return false;
    struct pollfd p = {.fd = fv_rt.supervisor_fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

/* Whoever has slept a while without being called has time.  In small steps: it may be called at any moment. */
static void work_ahead(struct fv_proc *p, uint32_t seen, uint64_t deadline) {
    if (!fv_mapped_matters() || (deadline != UINT64_MAX && fv_now_ns() + AHEAD_NS > deadline) || fv_bell_wait(p, seen, AHEAD_NS))
        return;
    while (fv_bell_read(p) == seen && (deadline == UINT64_MAX || fv_now_ns() < deadline) && fv_mapped_ahead())
        ;
}

void fv_sleep_idle(struct fv_proc *p, uint32_t seen) {
    work_ahead(p, seen, UINT64_MAX);
    fv_bell_wait(p, seen, -1);
}

int fv_sleep(struct fv_self *self, uint32_t seen, uint64_t deadline) {
    if (self->call_supervisor) {
        self->call_supervisor = false;
        fv_supervisor_ring();
    }
    fv_store_relaxed_32(&self->proc->wait_ends, deadline != UINT64_MAX);
    if (!self->is_worker)
        fv_proc_set_cpu(self->proc, sched_getcpu()); /* a worker pinned here makes way */
    work_ahead(self->proc, seen, deadline);
    for (;;) {
        uint64_t now = fv_now_ns();
        if (now >= deadline)
            return -FEVER_ETIMEDOUT;
        int64_t left = deadline == UINT64_MAX ? -1 : (int64_t)(deadline - now);
        if (!self->is_worker && (left < 0 || left > (int64_t)SUPERVISOR_CHECK_NS))
            left = SUPERVISOR_CHECK_NS;
        if (fv_bell_wait(self->proc, seen, left))
            return 0;
        if (fv_bell_read(self->proc) != seen)
            return 0;
        if (supervisor_is_gone(self))
            return -FEVER_ERUNTIME;
    }
}
