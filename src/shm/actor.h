/* shm/actor.h: actors and their mailboxes, as they stand in the segment.
 *
 * An actor is a task slot of kind FV_KIND_ACTOR: its arguments are the constructor's, its ref is the handle, its holders are
 * whoever has a handle, and its truth word says whether it lives:
 *
 *   READY    wants a process: the supervisor forks one, which claims it (as a task that starts by a grant: core/queued.h)
 *   BLOCKED  waits for an argument of its constructor
 *   RUN      owner is the process slot in which it lives
 *   DELAYED  its process died young, and the next one comes a little later
 *   DONE     ended in good order.  FAIL: dead, and its failure says why
 *
 * attempt counts restarts, up to 255.  A call of a method is a task slot like any other, of kind FV_KIND_TASK; its definition has
 * FEVER_DEF_METHOD, and args[2] is its call word, which says whose call it is, and in which place:
 *
 *   index of the actor's slot 28 | generation of that, its low bits 8 | place among the calls of this process slot to it, modulo 28
 *
 * Only the process that owns the actor claims such a task.  (Who cancels one, and who lets it fail because the actor is dead, claim it
 * as well, and run nothing.)
 *
 * struct fv_actor, a block of the actor's slot:
 *
 *   field           writer                      when
 *   lanes           submitters, by CAS          first call of a process slot: ORDER lane.  Freed with the slot
 *   max_.., name,   home while FREE, frozen.  entry: 1 + the number of its name in the table (core/name.h), 0: it has none.  detached: it
 *   detached, ..    lives without handles
 *   restarts, ..    supervisor                  for the tools
 *   stage           owner                       for the tools: see enum fv_actor_stage; sweep: a death in CONSTRUCTING is the constructor's
 *   n_calls         owner                       for the tools; so are n_waited, waited_ns: how long calls with a stamp waited for their turn
 *   saved_at        owner                       TRUTH of the last checkpoint: 1 + its place in saved; 0: there is none (ORDER checkpoint)
 *   saved           owner                       records of holds (core/hold.c): that one's, and one that is being made or let go of
 *   kill_wanted     anyone 1, supervisor 0      its process is to be ended, and to be replaced if restarts are left
 *
 * struct fv_lane, a mailbox: one for each process slot that has called the actor, also a block of the actor's slot:
 *
 *   next, submitter, actor   the submitter, before it is pushed; frozen
 *   seq       submitter: place of its next call, before that is READY.  So no two calls have the same place, and a death leaves a gap
 *   tail      submitter, after hint[]           ORDER lane-hint
 *   lost      submitter 1, after READY, when the ring is full, or was and has not been looked after yet; owner 0, by an exchange, before
 *             it looks through the submitter's slab (ORDER lane-lost)
 *   head      owner of the actor
 *   stalled   owner of the actor: a call whose argument is not there holds up the others (ORDER deadlock)
 *   passed    owner: all calls before that place have begun, or are gone.  seq - passed of all lanes is the depth of the mailbox
 *   stamp_..  submitter, of one call in FV_STAMP_EVERY: when it was made, if the last one has been taken (0); owner 0 when it takes that call
 *   hint[]    submitter: index of a task slot 32 | place 32
 *
 * All of it but `next` is a hint.  The truth is: READY, and the call word.  While `lost` is set nothing is pushed; so whatever is not in
 * the ring is found by the look that follows, and what is in the ring afterwards is younger, or is found twice.  Places make the
 * order: the owner takes the lowest place of what it has found and of the ring's first.
 *
 * If the submitter dies: before READY there is no call; before tail a hint is missing: the owner looks through all slabs when the header's
 * `sweeps` has changed, as it does with every death but that of an actor that has ended in good order.  The next process in that slot goes on with the lane.  If the owner dies: the next process of the actor looks through all slabs that have a lane.
 */
#ifndef FV_SHM_ACTOR_H
#define FV_SHM_ACTOR_H

#include "shm/segment.h"

#define FV_STAMP_EVERY 64u /* a power of two */
#define FV_LANE_HINTS 2048u /* a power of two */
#define FV_PLACE_BITS 28u
#define FV_PLACE_MASK ((1u << FV_PLACE_BITS) - 1)
#define FV_NO_LIMIT   UINT32_MAX

enum fv_actor_stage { FV_ACTOR_STARTING, FV_ACTOR_CONSTRUCTING, FV_ACTOR_ALIVE, FV_ACTOR_ENDING };

struct fv_actor {
    uint64_t lanes;
    uint32_t max_restarts; /* FV_NO_LIMIT: as often as it takes */
    uint32_t max_task_retries;
    char     name[48];
    uint64_t grace_ns;     /* how long it may take to end, once nobody has a handle */
    uint32_t save_every;   /* a checkpoint after so many calls; 0: when a method asks */
    char     registered[48];
    uint32_t entry;
    uint32_t detached;
    char     name_space[32];
    uint32_t max_pending;  /* calls of one submitter that have not begun; 0: no limit */
    uint32_t stage FV_ALIGNED(64);
    uint32_t restarts;
    uint64_t n_calls;
    uint64_t saved[2];
    uint32_t saved_at;
    uint32_t pad1;
    uint64_t n_waited, waited_ns;
    uint32_t kill_wanted FV_ALIGNED(64);
    uint32_t pad0;
    uint64_t end_by_ns;    /* owner: it is ending, and killed then; 0: it is not */
} FV_ALIGNED(64);
_Static_assert(sizeof(struct fv_actor) == 320, "five lines");

struct fv_lane {
    uint64_t next;
    uint64_t actor; /* ref */
    uint32_t submitter;
    uint32_t seq FV_ALIGNED(64);
    uint32_t tail;
    uint32_t lost;
    uint32_t stamp_place;
    uint64_t stamp_ns;
    uint32_t head FV_ALIGNED(64);
    uint32_t stalled;
    uint32_t passed;
    uint64_t hint[FV_LANE_HINTS] FV_ALIGNED(64);
};
_Static_assert(sizeof(struct fv_lane) == 192 + 8 * FV_LANE_HINTS, "what doc/actors.md says");

static inline uint64_t fv_call_word(uint64_t actor, uint32_t place) {
    return (actor >> 32 & 0x0FFFFFFF) << 36 | (actor & 0xFF) << 28 | (place & FV_PLACE_MASK);
}
static inline bool     fv_call_is_for(uint64_t word, uint64_t actor) { return ((word ^ fv_call_word(actor, 0)) >> FV_PLACE_BITS) == 0; }
static inline uint32_t fv_call_place(uint64_t word) { return (uint32_t)word & FV_PLACE_MASK; }
static inline uint32_t fv_call_actor(uint64_t word) { return (uint32_t)(word >> 36); }
/* Calls in a lane that have not begun. */
static inline uint32_t fv_lane_depth(const struct fv_lane *l) { return (fv_load_relaxed_32(&l->seq) - fv_load_relaxed_32(&l->passed)) & FV_PLACE_MASK; }
/* Is place a before b?  There are never 2^27 calls between them. */
static inline bool fv_place_before(uint32_t a, uint32_t b) { return a != b && ((b - a) & FV_PLACE_MASK) < 1u << (FV_PLACE_BITS - 1); }

/* Submitter: false when the ring is full, as far as *head_seen, its copy of head, tells. */
static inline bool fv_lane_push_spsc(struct fv_lane *l, uint32_t *head_seen, uint32_t index, uint32_t place) {
    uint32_t tail = l->tail;
    if (FV_UNLIKELY(tail - *head_seen >= FV_LANE_HINTS) && tail - (*head_seen = fv_load_acquire_32(&l->head)) >= FV_LANE_HINTS)
        return false;
    fv_store_relaxed_64(&l->hint[tail & (FV_LANE_HINTS - 1)], (uint64_t)index << 32 | place);
    /* ORDER lane-hint (release): the hint, and the call's READY before it, before tail.  Pairs with lane-hint (acquire) in
     * fv_lane_first_spsc().  Losing it: the actor reads an old hint, drops it, and the call waits for ever. */
    fv_store_release_32(&l->tail, tail + 1);
    return true;
}

/* Owner of the actor: the first hint, which stays; false when there is none. */
static inline bool fv_lane_first_spsc(const struct fv_lane *l, uint64_t *hint_out) {
    uint32_t head = l->head;
    /* ORDER lane-hint (acquire): tail before the hints below it.  Pairs with lane-hint (release) in fv_lane_push_spsc(). */
    if (fv_load_acquire_32(&l->tail) == head)
        return false;
    *hint_out = fv_load_relaxed_64(&l->hint[head & (FV_LANE_HINTS - 1)]);
    return true;
}
static inline void fv_lane_pop_spsc(struct fv_lane *l) { fv_store_release_32(&l->head, l->head + 1); }

#endif
