/* shm/bell.h: how processes sleep and wake each other.  The only sleeper.
 *
 * Each process slot has one bell, a shared futex word.  Protocol of a sleeper: read the bell, announce what it waits
 * for, look once more, sleep if the bell is unchanged.  Of a waker: change the state, then look for
 * announced sleepers, then ring.  A waker that dies between the two is made good by the supervisor,
 * which rings every bell after every death.  Spurious rings are harmless.
 */
#ifndef FV_SHM_BELL_H
#define FV_SHM_BELL_H

#include "shm/segment.h"

static inline uint32_t fv_bell_read(struct fv_proc *p) { return fv_load_acquire_32(&p->bell); }

/* Wakes the owner of slot p if it sleeps; else makes its next sleep return at once. */
void fv_bell_ring(struct fv_proc *p);
void fv_bell_ring_all(void);
/* Sleeps until the bell differs from seen, or timeout_ns has passed (-1: never).  False at the timeout. */
bool fv_bell_wait(struct fv_proc *self, uint32_t seen, int64_t timeout_ns);
/* The helper's bell (shm/layout.h): wakes it if it is parked. */
void fv_warm_ring(void);
/* The helper: it may be rung from now on; then it looks once more, and sleeps until it is, or goes on. */
uint32_t fv_warm_park(void);
void fv_warm_sleep(uint32_t seen);
void fv_warm_unpark(void);
/* Sleeps so long, and nobody rings. */
void fv_warm_pause(int64_t timeout_ns);
/* After pushing a hint: wakes one idle worker, if there is any. */
void fv_bell_wake_idle(struct fv_proc *self);
/* Announces self as idle / takes that back. */
void fv_bell_idle_set(uint32_t self);
void fv_bell_idle_clear(uint32_t self);
/* Full barrier on all processes of the runtime, or on this one with fenced submitters. */
void fv_bell_barrier(void);

/* ORDER idle (seq_cst): the hint before the load of idle_groups; a sleeper announces itself, runs
 * fv_bell_barrier(), and looks for hints again.  The barrier is the sleeper's membarrier(2), which is a fence
 * in every running process; where the kernel lacks it each submitter fences here.
 * Losing it: a task is READY while its worker sleeps. */
static inline bool fv_bell_someone_idle(void) {
    if (FV_UNLIKELY(fv_map.seg->need_fence))
        fv_fence_full();
    return fv_load_relaxed_64(&fv_map.seg->idle_groups) != 0;
}

#endif
