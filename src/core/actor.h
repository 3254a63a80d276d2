/* core/actor.h: actors and calls of their methods, as far as truth words and hints go.  shm/actor.h says what stands where.
 *
 * No sleeping, no fork: the process of an actor is run/actor.c, the supervisor's side run/actor_host.c.
 */
#ifndef FV_CORE_ACTOR_H
#define FV_CORE_ACTOR_H

#include "core/task.h"
#include "shm/actor.h"

struct fv_actor_spec {
    uint32_t    max_restarts, max_task_retries;
    uint64_t    grace_ns;
    uint32_t    save_every;
    const char *name; /* NULL: none */
    const char *name_space, *registered; /* entry is not 0: by what it is found */
    uint32_t    entry;
    bool        detached;
    uint32_t    max_pending;
};

static inline bool fv_task_is_actor(uint32_t index) { return fv_task(index)->kind == FV_KIND_ACTOR; }
/* Is the task in a slot that is in use a call of a method? */
static inline bool fv_task_is_call(uint32_t index) { return fv_task(index)->x & FV_X_CALL; }
/* The block of an actor whose slot is in use; it stays while somebody holds the actor, or it has not ended. */
static inline struct fv_actor *fv_actor_of(uint32_t index) { return fv_at(fv_cold(index)->actor); }

/* --- home ------------------------------------------------------------------------------------ */
/* The block of an actor whose slot is being filled.  Its offset, or 0: the store is full. */
uint64_t fv_actor_block(struct fv_self *self, uint32_t index, uint32_t gen, const struct fv_actor_spec *spec);
/* Frees it, and the lanes. */
void fv_actor_free(struct fv_self *self, uint32_t index, uint32_t gen);
/* Is that offset the block of the actor in slot index, or one of its lanes? */
bool fv_actor_refers(uint32_t index, uint64_t offset);

/* --- submitter ------------------------------------------------------------------------------- */
/* What a process slot knows of an actor that it has called; private. */
struct fv_mailbox {
    uint64_t        actor; /* ref; 0: none */
    struct fv_lane *lane;
    uint32_t        head_seen;
    uint32_t        max_pending; /* 0: no limit */
};
/* The mailbox of self for an actor that it holds; made at its first call.  NULL: the store is full, or memory is out. */
struct fv_mailbox *fv_actor_mailbox_slow(struct fv_self *self, uint64_t actor);
static inline struct fv_mailbox *fv_actor_mailbox(struct fv_self *self, uint64_t actor) {
    struct fv_mailbox *m = self->mailbox == NULL ? NULL : &self->mailbox[fv_ref_index(actor) & (self->room_mailbox - 1)];
    return FV_LIKELY(m != NULL && m->actor == actor) ? m : fv_actor_mailbox_slow(self, actor);
}
/* That call is made now: the actor notes how long it has waited. */
void fv_actor_stamp(struct fv_lane *lane, uint32_t place);
/* The call word of the next call; it counts as made. */
static inline uint64_t fv_actor_next_call(struct fv_mailbox *m) {
    uint32_t place = m->lane->seq & FV_PLACE_MASK;
    if (FV_UNLIKELY(place % FV_STAMP_EVERY == 0) && fv_load_relaxed_64(&m->lane->stamp_ns) == 0)
        fv_actor_stamp(m->lane, place);
    fv_store_relaxed_32(&m->lane->seq, place + 1);
    return fv_call_word(m->actor, place);
}
/* The place of the last one. */
static inline uint32_t fv_actor_last_place(const struct fv_mailbox *m) { return (m->lane->seq - 1) & FV_PLACE_MASK; }
/* It is READY: pushes its hint, wakes the actor if it sleeps; if it has ended meanwhile the call fails. */
void fv_actor_deliver_slow(struct fv_self *self, struct fv_mailbox *m, uint32_t index, uint32_t place);
void fv_actor_tell_slow(struct fv_self *self, uint64_t actor, uint32_t index, uint64_t t);
static inline void fv_actor_deliver(struct fv_self *self, struct fv_mailbox *m, uint32_t index, uint32_t place) {
    if (FV_UNLIKELY(fv_load_relaxed_32(&m->lane->lost) || !fv_lane_push_spsc(m->lane, &m->head_seen, index, place)))
        fv_actor_deliver_slow(self, m, index, place);
    /* ORDER call-idle (seq_cst): the call, then awaits_calls and the actor's truth word are read.  Pairs with call-idle (seq_cst) in
     * rest(), where awaits_calls is set, and in fv_actor_fail_calls(), where the actor has ended: both run fv_bell_barrier(), a fence in
     * every process, before they look for calls.  Losing it: the actor sleeps, or is dead, and the call waits for ever. */
    if (FV_UNLIKELY(fv_map.seg->need_fence))
        fv_fence_full();
    uint64_t t = fv_load_relaxed_64(&fv_task(fv_ref_index(m->actor))->truth);
    if (FV_UNLIKELY(fv_truth_state(t) != FV_RUN || fv_load_relaxed_32(&fv_proc(fv_truth_owner(t))->awaits_calls)))
        fv_actor_tell_slow(self, m->actor, index, t);
}

/* --- anybody --------------------------------------------------------------------------------- */
/* In place of a hint: a call is READY again.  Rings its actor, or lets the call fail if that is dead. */
void fv_actor_rouse(struct fv_self *self, uint32_t index);
/* Is it to stay though nobody has a handle: it has a name, or is detached, and has not ended? */
bool fv_actor_stays(uint32_t index, uint64_t t);
/* The last one who held the slot with word t has let go: if it is an actor it may end. */
void fv_actor_left(uint32_t index, uint64_t t);
/* Does a call of that process slot hold up its lane, as its argument is not there?  A hint. */
bool fv_actor_is_stalled(uint32_t index, uint32_t submitter);
/* Records that the actor in slot index has of holds on id. */
uint32_t fv_actor_records(uint32_t index, uint64_t id);
/* Calls that have not begun, of all callers. */
uint64_t fv_actor_depth(uint32_t index);
/* Has nobody a handle of it, and is it not detached? */
bool fv_actor_is_abandoned(uint32_t index);
/* All calls to an actor that has ended fail; why: what it died of, NULL: not known.  is_held: by this process, so that its mailboxes say
 * who has called it; else all slabs are looked through. */
void fv_actor_fail_calls(struct fv_self *self, uint64_t actor, bool is_held, const struct fever_error *why);
/* The same; what it died of is looked up. */
void fv_actor_ended(struct fv_self *self, uint64_t actor);

/* --- the actor's process --------------------------------------------------------------------- */
/* READY -> RUN by self of the call in slot index, if that is the call with this word.  1 done; 0 it waits for its argument, or for its
 * time; -1 it is gone, or in other hands for good. */
int fv_actor_claim_call(struct fv_self *self, uint32_t index, uint64_t word);

/* That object is its checkpoint from now on, the one before is let go of. */
int fv_actor_save(struct fv_self *self, struct fv_actor *a, uint64_t saved);
/* The last one; 0: there is none.  What the dead left on the way to the next is let go of. */
uint64_t fv_actor_saved(struct fv_self *self, struct fv_actor *a);

/* --- supervisor, after a death --------------------------------------------------------------- */
/* Before the tasks that the dead was running: if it was an actor's process, the actor is restarted or ends. */
void fv_actor_sweep(struct fv_self *self, uint32_t dead, const struct fv_verdict *why);
/* A call that the dead had fails, if that sweep has ended its actor.  blamed: the dead was running it. */
bool fv_actor_fail_with_dead(struct fv_self *self, uint32_t index, bool blamed);
/* How often a call may be repeated. */
unsigned fv_actor_call_retries(uint32_t index);
/* A crash, told to the caller: the actor comes back. */
void fv_actor_down_error(struct fever_error *e, const struct fv_verdict *why);

#endif
