/* core/self.h: what a thread that uses the runtime knows privately.
 *
 * One per thread of the driver (a process slot each) and one per worker process.  Nothing in it is shared;
 * when its process dies it is gone, and core/sweep.c puts in order what it stood for.
 */
#ifndef FV_CORE_SELF_H
#define FV_CORE_SELF_H

#include <pthread.h>

#include "fever.h"
#include "shm/arena.h"
#include "shm/bell.h"
#include "shm/queue.h"

/* What the home knows of each of its task slots. */
struct fv_home_slot {
    uint32_t extra;       /* holds of this process beyond the first (atomic among its threads) */
    uint32_t group;       /* number of the group that it was submitted in; 0: none */
    uint32_t group_index; /* as how manieth of the group; without a group: where the list of freed slots goes on (home.c) */
    uint32_t refs;        /* 1: the arguments' refs are still held on its behalf */
    uint64_t site;        /* address behind the call that submitted it, less 1: inside that call; 0: not a task */
};

struct fv_self {
    struct fv_proc      *proc;
    uint32_t             slot;
    bool                 is_worker;
    bool                 is_inline;   /* FEVER_INLINE=1: run at submit */
    struct fv_task_cold *cold;        /* of the own slab */
    uint32_t             cursor;      /* next task slot to look at */
    uint32_t             limit;       /* slots allocated */
    uint32_t             freed;       /* 1 + the slot that the home freed last and that was not used again; 0: none */
    int32_t              looks_left;  /* below 0: it takes too many looks to find a free slot */
    struct fv_producer   ring;        /* of the own ring */
    uint64_t             spin_ns;     /* how long to spin before sleep: adapts, see fv_spin_learn() */
    uint32_t             busy;        /* inside an API call: a signal handler must not enter */
    uint32_t             n_refs;      /* slots with refs = 1 */
    uint32_t             n_members;   /* slots with a group */
    bool                 call_supervisor; /* a hint could not be pushed: ring the supervisor */
    struct fv_home_slot *home;        /* slab entries */
    struct fv_heap       heap;
    /* slots whose holds are to be dropped: a worklist instead of recursion */
    uint64_t            *drop;
    uint32_t             n_drop, room_drop;
    uint32_t            *dying;       /* slots that died while another was being freed */
    uint32_t             n_dying, room_dying;
    bool                 finishing;
    /* groups opened by this thread, by number - 1 */
    struct fever_group **group;
    uint32_t             n_groups;
    struct fv_mailbox   *mailbox;     /* of actors that were called, by the low bits of their slots' numbers (core/actor.h) */
    uint32_t             room_mailbox;
    /* worker: */
    uint32_t             running;     /* 1 + index of the task whose body runs, innermost */
    uint64_t            *own;         /* refs that the bodies on the stack took and have not released yet */
    uint32_t             n_own, room_own, own_base; /* those from own_base on are the innermost body's */
    bool                 again;       /* the last task claimed had died before, uncharged */
    bool                 failed;      /* fever_fail was called, or it was told that it is cancelled */
    bool                 deaf;        /* what it waits in is no point of cancellation */
    bool                 fail_told;   /* fail_text says why, whatever the code */
    int                  fail_code;   /* FEVER_E... of that, or an errno */
    int                  app_code;
    char                 fail_text[160];
    char                 why[400];    /* who waited for whom, when a wait was last refused as it was for itself */
    uint32_t             n_fail_frames; /* where that was */
    uint64_t             fail_frame[FV_FRAMES];
    char                *stack_low;   /* bodies in place need so much stack */
    bool                 streaming;   /* the last batch held several tasks */
    uint32_t             last_def;    /* definition of the last task that was claimed from a queue */
    uint64_t             granted;     /* ref of the task that this worker may claim by a grant; 0: none */
    uint32_t             last_task;   /* 1 + index of the last task that ran: its slot is likely to be reused */
    struct fv_self      *next_free;   /* driver: selves of ended threads */
};

/* The slot's home in this process, or NULL when it is another process's. */
extern struct fv_self *fv_homes[FV_MAX_PROCS];
extern __thread struct fv_self *fv_self __attribute__((tls_model("initial-exec")));

/* Definitions, by id; the same table in all processes (built before the fork). */
extern struct fever_def *fv_defs[FV_MAX_DEFS];

/* To sleep costs a wake-up, 20 to 60 us: whoever slept for less than that is worth should have spun, and spins longer the next
 * time, up to four times the option; after a long sleep it starts anew. */
static inline void fv_spin_learn(struct fv_self *self, uint64_t slept_ns) {
    uint64_t base = fv_map.seg->spin_ns;
    self->spin_ns = slept_ns < 4 * base ? FV_MIN(self->spin_ns * 2, 4 * base) : base;
}

int  fv_self_init(struct fv_self *self, uint32_t slot, bool is_worker);
void fv_self_fini(struct fv_self *self);

#endif
