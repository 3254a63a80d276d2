/* run/runtime.h: the runtime as this process knows it: shared by driver, supervisor and workers.
 *
 * Set by fever_init() before the fork, so that supervisor and workers inherit it.
 */
#ifndef FV_RUN_RUNTIME_H
#define FV_RUN_RUNTIME_H

#include <sys/types.h>

#include "base/options.h"
#include "core/self.h"
#include "plat/topo.h"

struct fv_runtime {
    struct fv_options options;
    struct fv_topo    topo;
    int               bell_fd;        /* eventfd: wakes the supervisor */
    int               supervisor_fd;  /* driver: pidfd of the supervisor */
    pid_t             driver_pid, supervisor_pid;
    uint64_t          driver_start;
    uint32_t          n_workers, n_worker_slots; /* worker slots are 1 .. n_worker_slots, the last max_spares for spares */
    uint32_t          keeper_slot;    /* the one behind them; 0: with FEVER_INLINE=1 there is none */
    uint32_t          actor_slots, n_actor_slots; /* the first for the process of an actor, and their number */
    uint32_t          driver_slots;   /* those from here on are for the driver's threads */
    void            (*hook)(void *);
    void             *hook_arg;
};
extern struct fv_runtime fv_rt;
/* 0: no runtime; else changes with every fever_init(). */
extern uint64_t fv_epoch;

/* Wakes the supervisor (any process). */
void fv_supervisor_ring(void);

/* run/supervisor.c: the grandchild's main.  ready_fd: closed when it has nothing more to say. */
__attribute__((noreturn)) void fv_supervisor_main(void);
/* run/worker.c: the main of a worker or spare in process slot `slot`. */
__attribute__((noreturn)) void fv_worker_main(uint32_t slot, uint32_t patron);

/* run/actor.c: the rest of the life of the process of an actor, once it is set up as a worker is. */
__attribute__((noreturn)) void fv_actor_main(struct fv_self *self);
/* Its parts: claims the actor that the process slot names, false if that is gone; after it has ended: tells the callers. */
bool fv_actor_begin(struct fv_self *self);
void fv_actor_finish(struct fv_self *self);
/* Before its body ends: its mailboxes stay until fv_actor_finish() has told who waits in them. */
void fv_actor_keep(struct fv_self *self);
/* One look at its mailboxes; runs what is there.  True: there was something. */
bool fv_actor_step(struct fv_self *self);

/* In a worker its self, in any thread; else NULL. */
struct fv_self *fv_worker_of_process(void);

/* run/warm.c: the main of the helper. */
__attribute__((noreturn)) void fv_warm_main(void);
void fv_warm_give_back(uint64_t surplus); /* a step of it: so much free memory, in whole supers */

/* run/execute.c: runs a task that self has claimed, to its end. */
void fv_execute(struct fv_self *self, uint32_t index);
/* In a body's end: its result, bytes of it at `result`, contains refs: moves it to a block with a tail of holds. */
int fv_keep_refs(struct fv_self *self, uint32_t index, const void *result, uint64_t bytes);
/* The end of that: releases what the body took, restores the outer body, completes the task. */
void fv_execute_finish(struct fv_self *self, uint32_t index, uint64_t outer, uint32_t outer_running, uint32_t outer_base,
                       bool outer_failed);
/* Finds and runs one task; false when there is none.  deep: also what others have in their batches. */
bool fv_worker_step(struct fv_self *self, bool deep);
/* A body waits: lets a spare stand in, and takes that back.  -FEVER_EDEPTH when there is none to be had. */
enum {
    FV_BLOCKED_ON_ONE = 1, /* on this ref alone: once it is complete the wait is over */
    FV_BLOCKED_ON_SOME,
    FV_BLOCKED_AWAY        /* its place is its stand-in's: it waits for its CPUs, or goes on elsewhere (run/host.c) */
};
void fv_worker_block(struct fv_self *self, uint64_t ref, uint32_t how);
void fv_worker_unblock(struct fv_self *self);
/* Is this worker blocked, and what it waits for not there? */
bool fv_worker_is_blocked(struct fv_proc *worker);
bool fv_worker_is_stopping(void);
/* Is nothing in its own slab that is not complete?  That would be dropped with the process, or others go on with it. */
bool fv_worker_may_leave(struct fv_self *self);
__attribute__((noreturn)) void fv_worker_leave(void);
/* Between two tasks: this process ends in good order, and another takes its place; what it has submitted goes on. */
__attribute__((noreturn)) void fv_worker_make_room(struct fv_self *self);
void fv_worker_note_wait(struct fv_proc *p, unsigned reason, uint64_t ref);

/* run/sleep.c: sleeps on the own bell: until it rings, the deadline, or the end of the supervisor (checked each 100 ms).
 * 0, -FEVER_ETIMEDOUT, -FEVER_ERUNTIME. */
int  fv_sleep(struct fv_self *self, uint32_t seen, uint64_t deadline);
/* A worker that has nothing to do: until its bell rings. */
void fv_sleep_idle(struct fv_proc *self, uint32_t seen);
/* What this process waits for, for the tools. */
void fv_note_wait(struct fv_self *self, unsigned reason, uint64_t ref);

/* run/host.c: a worker is asked to stand by for the dispatcher: does so until it is let go. */
void fv_host_serve(struct fv_self *self);
/* Takes what was granted to it and runs it. */
void fv_host_run(struct fv_self *self);
/* The granted task that runs here is blocked: its CPUs may be another's.  Its wait is over: it has them again. */
void fv_host_offer(struct fv_self *self);
void fv_host_resume(struct fv_self *self);
static inline bool fv_host_is_asked(const struct fv_proc *p) { return FV_UNLIKELY(fv_load_relaxed_32(&p->asked) != 0); }

#endif
