/* run/actor.c: the process of an actor: it constructs the state, runs calls in the order of each caller, and ends.
 *
 * An actor is run as a task whose body goes on: fv_execute() awaits the constructor's arguments and runs the constructor, whose
 * generated end is fever_actor_serve(), which runs the calls.  So failures of arguments and constructor are told as those of any
 * task.  Run by the process of an actor, set up by run/worker.c.  Writes what a worker writes, `head` and `lost` of its lanes, and
 * its own lines of struct fv_actor.  Dies here: fv_actor_sweep() restarts or ends the actor; its next process looks through all slabs
 * that have a lane.
 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/actor.h"
#include "core/cancel.h"
#include "core/name.h"
#include "core/options.h"
#include "plat/backtrace.h"
#include "run/cpus.h"
#include "run/fast.h"
#include "run/runtime.h"

#define BATCH    64u /* calls of one caller, then the next one has its turn */

/* A call that was found in a slab, and has no hint in the ring, or has one further back. */
struct found {
    uint32_t index, place;
};

/* A lane, as its reader knows it. */
struct inbox {
    struct fv_lane *lane;
    uint32_t        passed;    /* all places before it are done with */
    uint32_t        n_found, at_found, room_found;
    struct found   *found;     /* by place */
    bool            to_fill;   /* look through the slab first */
    bool            is_stalled;/* at a call that waits for its argument, or for its time */
    struct found    stalled;
};

static struct {
    uint32_t         index;    /* of the actor's slot */
    uint64_t         ref;
    struct fv_actor *actor;
    void            *state;
    struct inbox    *inbox;
    uint32_t         n_inboxes, room_inboxes;
    uint64_t         lanes_seen; /* head of the list when it was last taken */
    uint32_t         sweeps_seen;
    uint32_t         unsaved;  /* calls since the last checkpoint */
    bool             exits;    /* fever_actor_exit was called */
    bool             is_prepared; /* to walk its stack should it crash */
    bool             is_held;  /* by ourselves, at the end: so its mailboxes are there still when its calls fail */
} me;

/* ------------------------------------------------------------------------------------------------ mailboxes */

static bool take_lanes(void) {
    /* ORDER lane (acquire): the list's head before the lanes.  Pairs with lane (release) in add_lane(). */
    uint64_t head = fv_load_acquire_64(&me.actor->lanes);
    for (uint64_t at = head; at != me.lanes_seen; at = ((struct fv_lane *)fv_at(at))->next) {
        if (me.n_inboxes == me.room_inboxes) {
            uint32_t      room = me.room_inboxes == 0 ? 8 : me.room_inboxes * 2;
            struct inbox *p = realloc(me.inbox, room * sizeof *p);
            if (p == NULL)
                return false; /* its process is of no use any more: see serve_all() */
            me.inbox = p, me.room_inboxes = room;
        }
        struct fv_lane *lane = fv_at(at);
        /* All calls ever made are in the ring, if it was never full, nobody has read from it, and nobody has died. */
        bool to_fill = me.actor->restarts != 0 || fv_load_acquire_32(&lane->tail) >= FV_LANE_HINTS || lane->head != 0 || me.sweeps_seen != 0;
        me.inbox[me.n_inboxes++] = (struct inbox){.lane = lane, .to_fill = to_fill};
    }
    me.lanes_seen = head;
    return true;
}

static uint32_t base_place; /* of the comparison */
static int by_place(const void *a, const void *b) {
    uint32_t x = (((const struct found *)a)->place - base_place) & FV_PLACE_MASK, y = (((const struct found *)b)->place - base_place) & FV_PLACE_MASK;
    return x < y ? -1 : x > y;
}

/* Looks through the caller's slab for calls that wait.  False: out of memory. */
static bool fill(struct inbox *b) {
    struct fv_lane *lane = b->lane;
    uint32_t        first = lane->submitter << fv_map.shift, end = first + fv_load_acquire_32(&fv_proc(lane->submitter)->slab_limit);
    /* ORDER lane-lost (seq_cst): lost goes off, by an exchange, before the look.  Pairs with lane-lost (seq_cst) in
     * fv_actor_deliver_slow(): whoever pushes no hint after that sets it again. */
    fv_fas_32(&lane->lost, 0);
    /* Only what was made before this is taken: of what is made during the look, one may be seen and an older one not.  All that is younger
     * is in the ring, or sets lost again. */
    uint32_t next = fv_load_acquire_32(&lane->seq);
    b->n_found = b->at_found = 0;
    for (uint32_t i = first; i < end; i++) {
        struct fv_task *task = fv_task(i);
        uint64_t        t = fv_load_acquire_64(&task->truth), word = fv_load_relaxed_64(&task->args[2]);
        unsigned        s = fv_truth_state(t);
        if ((s != FV_READY && s != FV_BLOCKED && s != FV_DELAYED) || !fv_call_is_for(word, me.ref) || !fv_task_is_call(i) ||
            !fv_place_before(fv_call_place(word), next))
            continue;
        if (b->n_found == b->room_found) {
            uint32_t      room = b->room_found == 0 ? 256 : b->room_found * 2;
            struct found *p = realloc(b->found, room * sizeof *p);
            if (p == NULL)
                return false;
            b->found = p, b->room_found = room;
        }
        b->found[b->n_found++] = (struct found){i, fv_call_place(word)};
    }
    base_place = (next - (1u << (FV_PLACE_BITS - 1))) & FV_PLACE_MASK; /* older ones come first */
    if (b->n_found > 1)
        qsort(b->found, b->n_found, sizeof *b->found, by_place);
    if (b->to_fill) /* the first time: whatever waits is still to be done; what does not is found out when it is claimed */
        b->passed = (next - (1u << (FV_PLACE_BITS - 2))) & FV_PLACE_MASK;
    b->to_fill = false;
    fv_store_relaxed_32(&lane->passed, b->n_found != 0 ? b->found[0].place : next & FV_PLACE_MASK);
    return true;
}

/* A call of this lane is taken, and another, not behind it, has a stamp. */
static void note_waited(struct fv_lane *lane) {
    uint64_t now = fv_now_ns(), made = fv_load_relaxed_64(&lane->stamp_ns);
    fv_store_relaxed_64(&me.actor->n_waited, me.actor->n_waited + 1);
    fv_store_relaxed_64(&me.actor->waited_ns, me.actor->waited_ns + (now > made ? now - made : 0));
    fv_store_release_64(&lane->stamp_ns, 0);
}

/* The call that comes next; it is taken from where it stood. */
static bool next_call(struct inbox *b, struct found *out) {
    struct fv_lane *lane = b->lane;
    uint64_t        hint = 0;
    bool            in_ring;
    while (b->at_found < b->n_found && fv_place_before(b->found[b->at_found].place, b->passed))
        b->at_found++;
    while ((in_ring = fv_lane_first_spsc(lane, &hint)) && fv_place_before((uint32_t)hint, b->passed))
        fv_lane_pop_spsc(lane);
    bool found = b->at_found < b->n_found;
    if (!in_ring && !found)
        return false;
    if (in_ring && (!found || !fv_place_before(b->found[b->at_found].place, (uint32_t)hint))) {
        *out = (struct found){(uint32_t)(hint >> 32), (uint32_t)hint};
        fv_lane_pop_spsc(lane);
    } else {
        *out = b->found[b->at_found++];
    }
    b->passed = (out->place + 1) & FV_PLACE_MASK;
    fv_store_relaxed_32(&lane->passed, b->passed);
    if (FV_UNLIKELY(fv_load_acquire_64(&lane->stamp_ns) != 0) && !fv_place_before(out->place, fv_load_relaxed_32(&lane->stamp_place)))
        note_waited(lane);
    return true;
}

static bool has_mail(const struct inbox *b) {
    uint64_t hint;
    if (b->is_stalled) {
        uint64_t t = fv_load_acquire_64(&fv_task(b->stalled.index)->truth);
        unsigned s = fv_truth_state(t);
        return (s != FV_BLOCKED && s != FV_DELAYED) || fv_task(b->stalled.index)->args[2] != fv_call_word(me.ref, b->stalled.place);
    }
    return b->to_fill || b->at_found < b->n_found || fv_lane_first_spsc(b->lane, &hint) || fv_load_relaxed_32(&b->lane->lost);
}

static bool is_any_stalled(void) {
    for (uint32_t i = 0; i < me.n_inboxes; i++)
        if (me.inbox[i].is_stalled)
            return true;
    return false;
}

static bool has_any_mail(void) {
    bool any = fv_load_acquire_64(&me.actor->lanes) != me.lanes_seen || fv_load_acquire_32(&fv_map.seg->sweeps) != me.sweeps_seen;
    for (uint32_t i = 0; i < me.n_inboxes && !any; i++)
        any = has_mail(&me.inbox[i]);
    return any;
}

/* ------------------------------------------------------------------------------------------------ running calls */

/* A small call without refs and options: as fv_fast_run(), inside the actor's body. */
static inline bool run_short(struct fv_self *self, uint32_t index) {
    struct fv_task         *task = fv_task(index);
    struct fv_proc         *p = self->proc;
    const struct fever_def *def = fv_defs[task->def];
    uint64_t                run = fv_load_relaxed_64(&task->truth), outer = p->current;
    uint32_t                outer_running = self->running, base = self->own_base;
    bool                    outer_failed = self->failed;
    if (FV_UNLIKELY(task->x != FV_X_CALL || !(def->flags & FV_DEF_PLAIN)))
        return false;
    fv_store_relaxed_64(&p->current, fv_ref_make(index, fv_truth_gen(run)));
    self->running = index + 1;
    self->own_base = self->n_own;
    self->failed = false;
    task->result_bytes = def->result_bytes;
    def->run(task->args, task->result);
    if (FV_UNLIKELY(self->failed || self->n_own != self->own_base || task->x != FV_X_CALL)) {
        fv_execute_finish(self, index, outer, outer_running, base, outer_failed);
        return true;
    }
    self->running = outer_running;
    self->own_base = base;
    self->failed = outer_failed;
    uint64_t over = run & FV_HELD ? fv_truth_with(run, 0, FV_DONE) : fv_truth(fv_truth_gen(run), 0, 0, 0, FV_FREE);
    /* ORDER complete (release): as in fv_task_complete(), which does it when a flag is set but HELD. */
    if (FV_LIKELY(!(run & (FV_FLAGS & ~FV_HELD)) && fv_cas_64(&task->truth, run, over)))
        fv_count(p, FV_C_done);
    else
        fv_task_complete(self, index, FV_DONE);
    fv_store_relaxed_64(&p->current, outer); /* last, as in fv_execute_finish() */
    return true;
}

/* A call that is claimed.  False: it is not over, and its caller's next ones wait. */
static bool run_call(struct fv_self *self, uint32_t index) {
    uint32_t gen = fv_truth_gen(fv_load_relaxed_64(&fv_task(index)->truth));
    fv_store_relaxed_64(&me.actor->n_calls, me.actor->n_calls + 1);
    if (FV_LIKELY(run_short(self, index)))
        return true;
    bool may_stall = fv_task(index)->x & (FV_X_REFS | FV_X_OPTIONS);
    fv_execute(self, index);
    uint64_t t = may_stall ? fv_load_acquire_64(&fv_task(index)->truth) : 0;
    unsigned s = fv_truth_state(t);
    return fv_truth_gen(t) != gen || (s != FV_READY && s != FV_BLOCKED && s != FV_DELAYED);
}

/* Begins or ceases to be held up. */
static void set_stalled(struct inbox *b, bool stalled) {
    b->is_stalled = stalled;
    if (!stalled) {
        fv_store_relaxed_32(&b->lane->stalled, 0);
        return;
    }
    /* ORDER deadlock (seq_cst): stalled, by an exchange, before the look whether somebody waits, who may wait for what is behind.  Pairs with
     * deadlock (seq_cst) in fv_deadlock_told(). */
    fv_fas_32(&b->lane->stalled, 1);
    FV_EACH_ACTIVE(p)
        if (fv_load_acquire_32(&fv_proc(p)->waits_alone))
            fv_bell_ring(fv_proc(p));
}

static int save(struct fv_self *self) {
    const struct fever_actor_class *class = fv_defs[fv_task(me.index)->def]->actor_class;
    fever_ref                       saved = {0};
    if (class->save == NULL)
        return -FEVER_ENOTASK;
    bool outer_failed = self->failed;
    me.unsaved = 0;
    self->failed = false;
    int rc = class->save(me.state, &saved);
    if (rc == 0 && self->failed)
        rc = -FEVER_EAPP;
    self->failed |= outer_failed;
    if (rc == 0 && saved.id == 0)
        rc = -FEVER_ENULL;
    if (rc == 0)
        rc = fv_actor_save(self, me.actor, saved.id);
    if (saved.id != 0)
        fever_release(saved);
    return rc;
}

/* It is time for a checkpoint.  Where that fails, by fever_fail too, the last one stays, and the actor goes on. */
static void save_in_turn(struct fv_self *self) {
    uint32_t base = self->n_own;
    int      rc = save(self);
    self->failed = self->fail_told = false; /* there is no call that it could fail; a failed actor does not serve */
    fv_own_release(self, base);
    if (rc != 0 && rc != -FEVER_ENOTASK)
        fv_warn("actor %s: its checkpoint failed (%d), the last one stays", fv_defs[fv_task(me.index)->def]->name, rc);
}

/* Calls of one caller, in order.  True: there were some. */
static bool serve(struct fv_self *self, struct inbox *b) {
    bool any = false;
    for (uint32_t n = 0; n < BATCH && !me.exits; n++) {
        struct found c = b->stalled;
        if (!b->is_stalled) {
            if (FV_UNLIKELY(b->to_fill) && !fill(b))
                abort();
            if (!next_call(b, &c)) {
                if (FV_LIKELY(!fv_load_relaxed_32(&b->lane->lost)))
                    return any;
                if (!fill(b))
                    abort(); /* out of memory: its successor may have more */
                if (!next_call(b, &c))
                    return any;
            }
            fv_prefetch_write(fv_task(c.index) + 4);
        }
        int rc = fv_actor_claim_call(self, c.index, fv_call_word(me.ref, c.place));
        bool stalled = rc == 0 || (rc > 0 && !run_call(self, c.index));
        b->stalled = c;
        if (FV_UNLIKELY(stalled != b->is_stalled))
            set_stalled(b, stalled);
        any |= rc > 0;
        if (FV_UNLIKELY(me.actor->save_every != 0) && rc > 0 && !stalled && ++me.unsaved >= me.actor->save_every)
            save_in_turn(self);
        if (b->is_stalled)
            return any;
    }
    return true;
}

bool fv_actor_step(struct fv_self *self) {
    bool any = false;
    if (FV_UNLIKELY(fv_load_relaxed_64(&me.actor->lanes) != me.lanes_seen) && !take_lanes())
        abort();
    uint32_t sweeps = fv_load_acquire_32(&fv_map.seg->sweeps);
    if (FV_UNLIKELY(sweeps != me.sweeps_seen)) {
        me.sweeps_seen = sweeps;
        for (uint32_t i = 0; i < me.n_inboxes; i++) {
            fv_store_release_32(&me.inbox[i].lane->lost, 1);
            any |= me.inbox[i].to_fill;
        }
    }
    for (uint32_t i = 0; i < me.n_inboxes && !me.exits; i++)
        any |= serve(self, &me.inbox[i]);
    if (FV_UNLIKELY(self->call_supervisor)) {
        self->call_supervisor = false;
        fv_supervisor_ring();
    }
    return any;
}

/* ------------------------------------------------------------------------------------------------ a life */

/* Nothing is there: sleeps until somebody calls. */
static void rest(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    uint32_t        seen = fv_bell_read(p);
    /* ORDER call-idle (seq_cst): awaits_calls, then a fence in every process, then the look at all mailboxes.  Pairs with call-idle
     * (seq_cst) in fv_actor_deliver(). */
    fv_fas_32(&p->awaits_calls, 1);
    fv_home_reap(self);
    if (!me.is_prepared)
        me.is_prepared = true, fv_backtrace_prepare();
    fv_bell_barrier();
    if (!has_any_mail() && !fv_worker_is_stopping() && (!fv_actor_is_abandoned(me.index) || is_any_stalled())) {
        fv_worker_note_wait(p, FV_WAIT_CALL, 0);
        fv_bell_wait(p, seen, -1);
        fv_spin_learn(self, fv_now_ns() - p->wait_since_ns);
        fv_worker_note_wait(p, FV_WAIT_NOT, 0);
    }
    fv_store_release_32(&p->awaits_calls, 0);
}

/* Nobody has a handle: are all calls done that were made before? */
static bool is_finished(struct fv_self *self) {
    for (uint32_t i = 0; i < me.n_inboxes; i++)
        fv_store_release_32(&me.inbox[i].lane->lost, 1);
    if (fv_actor_step(self))
        return false;
    for (uint32_t i = 0; i < me.n_inboxes; i++)
        if (me.inbox[i].is_stalled || has_mail(&me.inbox[i]))
            return false;
    return true;
}

static void serve_all(struct fv_self *self) {
    uint64_t idle_since = 0;
    while (!me.exits) {
        bool any = false;
        for (int i = 0; i < 64 && !any && !me.exits; i++) {
            any = fv_actor_step(self);
            if (!any)
                fv_pause();
        }
        if (any) {
            idle_since = 0;
            continue;
        }
        if (FV_UNLIKELY(fv_worker_is_stopping()))
            fv_worker_leave();
        uint64_t now = fv_now_ns();
        if (idle_since == 0)
            idle_since = now;
        if (fv_map.seg->oversubscribed)
            sched_yield();
        if (now - idle_since < self->spin_ns)
            continue;
        if (fv_actor_is_abandoned(me.index) && is_finished(self)) {
            fv_name_drop(me.actor->entry, me.ref);
            if (fv_actor_is_abandoned(me.index))
                return;
            if (me.actor->entry != 0) /* somebody has found it at the last moment: it has its name again, if that is free still */
                fv_name_take(me.actor->entry, me.ref);
        }
        rest(self);
        idle_since = 0;
    }
}

/* The time to end is limited, as that of a task with a time limit. */
static void limit_end(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    fv_store_relaxed_64(&p->deadline_task, me.ref);
    /* ORDER tick (seq_cst): as in run_body(). */
    fv_fas_64(&p->deadline_ns, fv_now_ns() + me.actor->grace_ns);
    if (!fv_load_relaxed_32(&fv_map.seg->tick_wanted)) {
        fv_store_release_32(&fv_map.seg->tick_wanted, 1);
        fv_supervisor_ring();
    }
}

/* The constructor has run: goes on from the last checkpoint. */
static int restore(struct fv_self *self) {
    const struct fever_actor_class *class = fv_defs[fv_task(me.index)->def]->actor_class;
    uint64_t                        saved = fv_actor_saved(self, me.actor);
    uint32_t                        base = self->n_own;
    if (saved == 0 || class->restore == NULL || me.actor->restarts == 0)
        return 0;
    int rc = class->restore(me.state, (fever_ref){saved});
    fv_own_release(self, base); /* views, as at the end of a method */
    return rc;
}

void *fever_actor_state(void) { return me.state; }

int fever_actor_checkpoint(void) {
    struct fv_self *self = fv_self;
    if (self == NULL || me.actor == NULL || self->running == 0)
        return -FEVER_ECONTEXT;
    /* The constructor of a restart: what it would save is not restored yet, and the last checkpoint is needed still. */
    if (fv_load_relaxed_32(&me.actor->stage) == FV_ACTOR_CONSTRUCTING && me.actor->restarts != 0 && fv_actor_saved(self, me.actor) != 0)
        return 0;
    return save(self);
}

static void live(struct fv_self *self, int rc) {
    if (rc != 0 && !self->failed)
        fever_fail(rc, "its constructor returned %d", rc);
    if (!self->failed && (rc = restore(self)) != 0 && !self->failed)
        fever_fail(rc, "what restores it from its checkpoint returned %d", rc);
    if (self->failed)
        return;
    fv_store_release_32(&me.actor->stage, FV_ACTOR_ALIVE);
    serve_all(self);
    fv_store_release_32(&me.actor->stage, FV_ACTOR_ENDING);
    const struct fever_actor_class *class = fv_defs[fv_task(me.index)->def]->actor_class;
    if (class->destroy != NULL) {
        limit_end(self);
        class->destroy(me.state);
        fv_store_release_64(&self->proc->deadline_ns, 0);
    }
    if (me.exits && !self->failed) {
        self->failed = self->fail_told = true;
        self->fail_code = FEVER_EACTORDEAD;
        snprintf(self->fail_text, sizeof self->fail_text, "it has ended itself (fever_actor_exit)");
    }
}

void fv_actor_keep(struct fv_self *self) { me.is_held = fv_hold(self, me.ref) == 0; }

void fever_actor_serve(int rc) {
    struct fv_self *self = fv_self;
    if (self == NULL || me.actor == NULL || self->running != me.index + 1)
        return;
    live(self, rc);
    fv_actor_keep(self);
}

int fever_actor_exit(void) {
    struct fv_self *self = fv_self;
    if (self == NULL || me.actor == NULL || self->running == 0)
        return -FEVER_ECONTEXT;
    me.exits = true;
    return 0;
}

bool fv_actor_begin(struct fv_self *self) {
    memset(&me, 0, sizeof me);
    me.ref = self->proc->actor;
    me.index = fv_ref_index(me.ref);
    self->granted = me.ref;
    bool claimed = fv_task_claim(self, me.index);
    self->granted = 0;
    if (!claimed || fv_truth_gen(fv_load_relaxed_64(&fv_task(me.index)->truth)) != fv_ref_gen(me.ref))
        return false; /* it was let go of meanwhile */
    me.actor = fv_actor_of(me.index);
    if (fv_cold(me.index)->options != 0 && fv_task_options_of(me.index)->cpu_units != 0)
        fv_cpus_take(self, me.index); /* they are lent to it until it ends */
    const struct fever_actor_class *class = fv_defs[fv_task(me.index)->def]->actor_class;
    size_t align = FV_MAX(class->state_align, 64u), bytes = (class->state_bytes + align - 1) / align * align;
    me.state = aligned_alloc(align, FV_MAX(bytes, align));
    if (me.state == NULL)
        abort();
    memset(me.state, 0, FV_MAX(bytes, align));
    fv_store_release_32(&me.actor->stage, FV_ACTOR_CONSTRUCTING);
    return true;
}

/* If it has ended what is queued fails.  If an argument of its constructor was not there it has not: it may be in other hands by now, RUN or
 * DELAYED. */
void fv_actor_finish(struct fv_self *self) {
    uint64_t t = fv_load_acquire_64(&fv_task(me.index)->truth);
    unsigned s = fv_truth_state(t);
    if (fv_truth_gen(t) != fv_ref_gen(me.ref) || s == FV_FREE || s == FV_DYING || fv_state_is_complete(s))
        fv_actor_ended(self, me.ref);
    if (me.is_held)
        fv_unhold(self, me.ref);
    fv_home_reap(self);
}

void fv_actor_main(struct fv_self *self) {
    if (fv_actor_begin(self)) {
        fv_execute(self, me.index);
        fv_actor_finish(self);
        fflush(NULL);
        if (fv_worker_may_leave(self)) /* all is told: nobody need look.  Else others wait for what goes with us, or hold themselves by it */
            fv_store_release_32(&self->proc->leaves, 1);
        _exit(0);
    }
    fv_worker_leave();
}
