/* core/queued.h: tasks that start by a grant: how the supervisor learns of them.
 *
 * Such a task asks for something special: another number of CPUs than one, custom resources, a priority.  It is READY like any
 * other, but its hint is its queued bit, which the supervisor collects; run/dispatcher.c grants, run/host.c runs what was granted.
 */
#ifndef FV_CORE_QUEUED_H
#define FV_CORE_QUEUED_H

#include "core/options.h"
#include "core/self.h"

/* Does the task of this slot start by a grant only?  Ordinary tasks do not touch the cold line for this. */
static inline bool fv_task_is_queued(uint32_t index) { return fv_task(index)->x & FV_X_OPTIONS && fv_cold(index)->queued_ns != 0; }

/* In place of a hint: the task is READY.  The supervisor is to be rung if self->call_supervisor is set. */
void fv_dispatch_queue(struct fv_self *self, uint32_t index);
/* Does the supervisor have to be rung for what was written before?  (It looks once more before it sleeps.) */
bool fv_dispatch_tell(void);

/* Supervisor: takes all queued bits; each may be stale or doubled. */
void fv_dispatch_collect(void (*each)(void *arg, uint32_t index), void *arg);
static inline bool fv_dispatch_is_queued_any(void) {
    uint64_t any = 0;
    for (uint32_t w = 0; w < (fv_map.seg->n_procs + 63) / 64; w++)
        any |= fv_load_acquire_64(&fv_map.seg->dispatch.queued_by[w]);
    return any != 0;
}
/* Supervisor: claims a READY task that starts by a grant, so that nobody cancels it, lets go of it and fills its slot anew while what
 * it asks for is read.  False: it is not there any more. */
bool fv_dispatch_hold_still(struct fv_self *self, uint32_t index, uint32_t gen);
/* READY again.  False: it waits for its arguments as any task does, BLOCKED, and is queued again when they are there; or it has ended. */
bool fv_dispatch_let_go(struct fv_self *self, uint32_t index, uint32_t gen);
/* The two in one. */
bool fv_dispatch_await_arguments(struct fv_self *self, uint32_t index, uint32_t gen);

#endif
