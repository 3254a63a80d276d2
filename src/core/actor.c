/* core/actor.c: mailboxes of actors, and what becomes of calls when an actor ends.
 *
 * Run by submitters, by the processes of actors, and by the supervisor after a death.  Writes lanes, blocks of actors, and through
 * core/task.c truth words.  What a death leaves is told in shm/actor.h.
 * Deliberately not here: running calls (run/actor.c), processes (run/actor_host.c).
 */
#include "core/actor.h"

#include "base/clock.h"
#include "core/cancel.h"
#include "core/delay.h"
#include "core/failure.h"
#include "core/options.h"

#include <stdlib.h>
#include <string.h>

#define YOUNG_NS         100000000ull  /* a process that died younger than this is replaced later, and later still */
#define RESTART_NS       2000000ull
#define RESTART_MOST_NS  1000000000ull

/* ------------------------------------------------------------------------------------------------ blocks */

uint64_t fv_actor_block(struct fv_self *self, uint32_t index, uint32_t gen, const struct fv_actor_spec *spec) {
    uint64_t offset = fv_home_alloc(self, index, gen, sizeof(struct fv_actor));
    if (offset == 0)
        return 0;
    struct fv_actor *a = fv_at(offset);
    memset(a, 0, sizeof *a);
    a->max_restarts = spec->max_restarts;
    a->max_task_retries = spec->max_task_retries;
    a->grace_ns = spec->grace_ns;
    a->save_every = spec->save_every;
    if (spec->name != NULL)
        memcpy(a->name, spec->name, strnlen(spec->name, sizeof a->name - 1));
    if ((a->entry = spec->entry) != 0) {
        memcpy(a->name_space, spec->name_space, strnlen(spec->name_space, sizeof a->name_space - 1));
        memcpy(a->registered, spec->registered, strnlen(spec->registered, sizeof a->registered - 1));
    }
    a->detached = spec->detached;
    a->max_pending = spec->max_pending;
    return offset;
}

/* The supervisor looks at actors that it does not hold: one may be freed, and its blocks be used anew, while it looks.  So an offset is
 * followed only if it could be one, and so often only as there can be lanes. */
static struct fv_lane *lane_at(uint64_t offset) {
    return offset >= fv_map.seg->off_data && offset + sizeof(struct fv_lane) <= fv_map.seg->bytes && offset % 64 == 0 ? fv_at(offset) : NULL;
}

bool fv_actor_refers(uint32_t index, uint64_t offset) {
    uint64_t at = fv_load_acquire_64(&fv_cold(index)->actor);
    if (!fv_task_is_actor(index) || !(fv_task(index)->x & FV_X_OPTIONS) || at == 0 || lane_at(at) == NULL)
        return false;
    const struct fv_actor *a = fv_at(at);
    if (offset == at)
        return true;
    /* ORDER lane (acquire): the list's head before `next`.  Pairs with lane (release) in add_lane(). */
    uint64_t lane = fv_load_acquire_64(&a->lanes);
    for (uint32_t n = 0; lane_at(lane) != NULL && n < fv_map.seg->n_procs; n++, lane = fv_load_relaxed_64(&lane_at(lane)->next))
        if (lane == offset)
            return true;
    return false;
}

bool fv_actor_is_stalled(uint32_t index, uint32_t submitter) {
    uint64_t at = fv_load_acquire_64(&fv_cold(index)->actor);
    if (!(fv_task(index)->x & FV_X_OPTIONS) || lane_at(at) == NULL)
        return false;
    uint64_t lane = fv_load_acquire_64(&((const struct fv_actor *)fv_at(at))->lanes);
    for (uint32_t n = 0; lane_at(lane) != NULL && n < fv_map.seg->n_procs; n++, lane = fv_load_relaxed_64(&lane_at(lane)->next))
        if (lane_at(lane)->submitter == submitter)
            return fv_load_acquire_32(&lane_at(lane)->stalled) != 0;
    return false;
}

void fv_actor_free(struct fv_self *self, uint32_t index, uint32_t gen) {
    uint64_t at = fv_cold(index)->actor;
    if (!(fv_task(index)->x & FV_X_OPTIONS) || at == 0 || !fv_arena_owned(at, index, gen))
        return; /* who freed it before, and died, had come to the end */
    struct fv_actor *a = fv_at(at);
    for (unsigned i = 0; i < 2; i++)
        if (a->saved[i] != 0)
            fv_shared_release(self, a->saved[i], &a->saved[i]);
    /* Each is taken off the list before it is freed, and the block goes last: a death on the way leaves what is on the list, and at most
     * one lane that no slot refers to, which the sweep finds. */
    for (uint64_t lane; (lane = fv_load_relaxed_64(&a->lanes)) != 0;) {
        fv_store_release_64(&a->lanes, ((struct fv_lane *)fv_at(lane))->next);
        fv_arena_free(&self->heap, lane, sizeof(struct fv_lane), index, gen);
    }
    fv_arena_free(&self->heap, at, sizeof *a, index, gen);
}

/* ------------------------------------------------------------------------------------------------ checkpoints */

uint64_t fv_actor_saved(struct fv_self *self, struct fv_actor *a) {
    /* ORDER checkpoint (acquire): saved_at before the record.  Pairs with checkpoint (release) in fv_actor_save(). */
    uint32_t at = fv_load_acquire_32(&a->saved_at);
    for (uint32_t i = 0; i < 2; i++)
        if (a->saved[i] != 0 && i + 1 != at)
            fv_shared_release(self, a->saved[i], &a->saved[i]);
    return at == 0 ? 0 : a->saved[at - 1];
}

int fv_actor_save(struct fv_self *self, struct fv_actor *a, uint64_t saved) {
    uint32_t index = 0, next = a->saved_at == 1 ? 1 : 0;
    uint64_t t = 0;
    int      rc = fv_ref_check(saved, &index, &t);
    if (rc == 0 && fv_truth_state(t) != FV_DONE)
        rc = -FEVER_ESTATE;
    if (rc < 0)
        return rc;
    fv_actor_saved(self, a);
    if (!fv_shared_acquire(self, saved, &a->saved[next]))
        return -FEVER_ESTALE;
    /* ORDER checkpoint (release): the record, and the object, before saved_at.  Pairs with checkpoint (acquire) in fv_actor_saved().  Killed before
     * it: the last checkpoint stands, and the record is let go of; after it: the same of the other record. */
    fv_store_release_32(&a->saved_at, next + 1);
    fv_actor_saved(self, a);
    return 0;
}

uint32_t fv_actor_records(uint32_t index, uint64_t id) {
    uint64_t at = fv_load_acquire_64(&fv_cold(index)->actor);
    if (!fv_task_is_actor(index) || !(fv_task(index)->x & FV_X_OPTIONS) || lane_at(at) == NULL)
        return 0;
    const struct fv_actor *a = fv_at(at);
    return (fv_load_acquire_64(&a->saved[0]) == id) + (fv_load_acquire_64(&a->saved[1]) == id);
}

/* ------------------------------------------------------------------------------------------------ mailboxes */

/* A lane of this process slot, made by it or by who had the slot before. */
static struct fv_lane *find_lane(const struct fv_self *self, const struct fv_actor *a) {
    uint64_t at = fv_load_acquire_64(&a->lanes);
    while (at != 0) {
        struct fv_lane *l = fv_at(at);
        if (l->submitter == self->slot)
            return l;
        at = l->next;
    }
    return NULL;
}

static struct fv_lane *add_lane(struct fv_self *self, uint64_t actor, struct fv_actor *a) {
    uint64_t at = fv_home_alloc(self, fv_ref_index(actor), fv_ref_gen(actor), sizeof(struct fv_lane)), head;
    if (at == 0)
        return NULL;
    struct fv_lane *l = fv_at(at);
    memset(l, 0, offsetof(struct fv_lane, hint));
    l->actor = actor;
    l->submitter = self->slot;
    do {
        head = fv_load_relaxed_64(&a->lanes);
        l->next = head;
        /* ORDER lane (release): the lane before the list's head, by a CAS.  Pairs with lane (acquire) in take_lanes() and
         * fv_actor_refers().  Killed before it: a block that no slot refers to, which the sweep frees. */
    } while (!fv_cas_64(&a->lanes, head, at));
    return l;
}

static bool grow(struct fv_self *self) {
    uint32_t           room = self->room_mailbox == 0 ? 16 : self->room_mailbox * 2;
    struct fv_mailbox *m = calloc(room, sizeof *m);
    if (m == NULL)
        return false;
    for (uint32_t i = 0; i < self->room_mailbox; i++)
        if (self->mailbox[i].actor != 0)
            m[fv_ref_index(self->mailbox[i].actor) & (room - 1)] = self->mailbox[i];
    free(self->mailbox);
    self->mailbox = m;
    self->room_mailbox = room;
    return true;
}

struct fv_mailbox *fv_actor_mailbox_slow(struct fv_self *self, uint64_t actor) {
    uint32_t         index = fv_ref_index(actor);
    struct fv_actor *a = fv_actor_of(index);
    if (self->room_mailbox == 0 && !grow(self))
        return NULL;
    struct fv_mailbox *m = &self->mailbox[index & (self->room_mailbox - 1)];
    if (m->actor != 0 && fv_ref_index(m->actor) != index && self->room_mailbox < 4096 && grow(self))
        m = &self->mailbox[index & (self->room_mailbox - 1)];
    struct fv_lane *l = find_lane(self, a);
    if (l == NULL && (l = add_lane(self, actor, a)) == NULL)
        return NULL;
    *m = (struct fv_mailbox){.actor = actor, .lane = l, .head_seen = fv_load_acquire_32(&l->head), .max_pending = a->max_pending};
    return m;
}

void fv_actor_stamp(struct fv_lane *lane, uint32_t place) {
    fv_store_relaxed_32(&lane->stamp_place, place);
    fv_store_release_64(&lane->stamp_ns, fv_now_ns());
}

uint64_t fv_actor_depth(uint32_t index) {
    uint64_t depth = 0, at = fv_load_acquire_64(&fv_cold(index)->actor);
    if (!(fv_task(index)->x & FV_X_OPTIONS) || lane_at(at) == NULL)
        return 0;
    /* ORDER lane (acquire): the list's head before the lanes.  Pairs with lane (release) in add_lane(). */
    uint64_t lane = fv_load_acquire_64(&((const struct fv_actor *)fv_at(at))->lanes);
    for (uint32_t n = 0; lane_at(lane) != NULL && n < fv_map.seg->n_procs; n++, lane = fv_load_relaxed_64(&lane_at(lane)->next))
        depth += fv_lane_depth(lane_at(lane));
    return depth;
}

void fv_actor_deliver_slow(struct fv_self *self, struct fv_mailbox *m, uint32_t index, uint32_t place) {
    (void)self, (void)index, (void)place;
    /* ORDER lane-lost (seq_cst): READY before lost, by an exchange.  Pairs with lane-lost (seq_cst) in fill(), where the exchange comes before
     * the look through the slab.  Losing it: the call is in no ring, and that look misses it. */
    fv_fas_32(&m->lane->lost, 1);
}

/* ------------------------------------------------------------------------------------------------ calls that fail */

static void dead_error(struct fever_error *e, uint32_t index, const struct fever_error *why) {
    const struct fv_task *task = fv_task(index);
    fv_error_describe(e, task->def, FEVER_EACTORDEAD);
    fv_task_options_name(index, e);
    e->attempt = fv_truth_attempt(fv_load_relaxed_64(&task->truth));
    if (why == NULL)
        return;
    e->app_code = why->app_code;
    e->signal = why->signal;
    e->exit_status = why->exit_status;
    e->fault_address = why->fault_address;
    e->worker_pid = why->worker_pid;
    snprintf(e->text, sizeof e->text, "the actor is dead: %.140s", why->text);
}

/* The call with word t is claimed, and fails; nothing when it is in other hands by now. */
static bool fail_call(struct fv_self *self, uint32_t index, uint64_t t, const struct fever_error *why) {
    struct fv_task *task = fv_task(index);
    uint32_t        gen = fv_truth_gen(t);
    unsigned        state = fv_truth_state(t);
    while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->slot, FV_RUN), &t))
        if (fv_truth_gen(t) != gen || fv_truth_state(t) != state)
            return false; /* flags may change under us, no more */
    struct fever_error e;
    dead_error(&e, index, why);
    fv_task_set_failure(self, index, &e);
    fv_task_complete(self, index, FV_FAIL);
    return true;
}

static bool waits(unsigned state) { return state == FV_READY || state == FV_BLOCKED || state == FV_DELAYED; }

/* The call word of a waiting call whose truth word is t; 0: it is none, or was not when we looked. */
static uint64_t word_of(uint32_t index, uint64_t t) {
    const struct fv_task *task = fv_task(index);
    if (!waits(fv_truth_state(t)) || !fv_task_is_call(index))
        return 0;
    uint64_t word = fv_load_relaxed_64(&task->args[2]);
    fv_fence_load();
    return ((fv_load_acquire_64(&task->truth) ^ t) & ~(uint64_t)FV_FLAGS) == 0 ? word : 0;
}

static void fail_calls_of(struct fv_self *self, uint32_t p, uint64_t actor, const struct fever_error *why) {
    for (uint32_t i = p << fv_map.shift, end = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < end; i++) {
        uint64_t t = fv_load_acquire_64(&fv_task(i)->truth), word = word_of(i, t);
        if (word != 0 && fv_call_is_for(word, actor))
            fail_call(self, i, t, why);
    }
}

/* May a call of this lane wait, which says so only if the actor still lives?  Its place is taken before it is READY, so the depth does not tell of
 * one that fill() has passed: but its hint does, or `lost`, or it sees itself that the actor has ended. */
static bool lane_is_in_use(const struct fv_lane *l) {
    return fv_lane_depth(l) != 0 || fv_load_acquire_32(&l->stalled) || fv_load_acquire_32(&l->lost) || fv_load_acquire_32(&l->tail) != l->head;
}

void fv_actor_fail_calls(struct fv_self *self, uint64_t actor, bool is_held, const struct fever_error *why) {
    /* ORDER call-idle (seq_cst): the actor has ended; then a fence in every process; then the look.  Pairs with call-idle (seq_cst) in
     * fv_actor_deliver(): who made a call that we do not see yet sees that the actor has ended.  (The lane was there before the call.) */
    fv_bell_barrier();
    if (!is_held) {
        FV_EACH_ACTIVE(p)
            fail_calls_of(self, p, actor, why);
        return;
    }
    const struct fv_actor *a = fv_actor_of(fv_ref_index(actor));
    /* What the lanes say is all only where the actor itself ends, in its first life: one that dies may have taken a call, not claimed it, and said
     * nothing of it. */
    bool is_counted = a->restarts == 0 && self->proc->role == FV_ROLE_ACTOR && self->proc->actor == actor;
    /* ORDER lane (acquire): the list's head before the lanes.  Pairs with lane (release) in add_lane(). */
    for (uint64_t at = fv_load_acquire_64(&a->lanes); at != 0; at = ((const struct fv_lane *)fv_at(at))->next) {
        const struct fv_lane *l = fv_at(at);
        if (!is_counted || lane_is_in_use(l))
            fail_calls_of(self, l->submitter, actor, why);
    }
}

/* Why it ended; it is held. */
static void describe_end(uint64_t actor, struct fever_error *e) {
    uint32_t index = 0;
    uint64_t t = 0;
    memset(e, 0, sizeof *e);
    if (fv_ref_check(actor, &index, &t) == 0 && fv_truth_state(t) == FV_FAIL)
        fv_task_get_error(index, e);
    else
        snprintf(e->text, sizeof e->text, "it has ended");
}

/* The same, if that can be known still. */
static bool error_of(struct fv_self *self, uint64_t actor, struct fever_error *e) {
    if (fv_hold(self, actor) < 0)
        return false;
    describe_end(actor, e);
    fv_unhold(self, actor);
    return true;
}

void fv_actor_ended(struct fv_self *self, uint64_t actor) {
    struct fever_error e;
    bool               is_held = fv_hold(self, actor) == 0;
    if (is_held)
        describe_end(actor, &e);
    fv_actor_fail_calls(self, actor, is_held, is_held ? &e : NULL);
    if (is_held)
        fv_unhold(self, actor);
}

void fv_actor_tell_slow(struct fv_self *self, uint64_t actor, uint32_t index, uint64_t t) {
    if (fv_truth_gen(t) == fv_ref_gen(actor) && fv_truth_state(t) == FV_RUN) {
        struct fv_proc *p = fv_proc(fv_truth_owner(t));
        if (fv_fas_32(&p->awaits_calls, 0)) {
            fv_count(self->proc, FV_C_woken);
            fv_bell_ring(p);
        }
    } else if (fv_truth_gen(t) != fv_ref_gen(actor) || !waits(fv_truth_state(t))) {
        struct fever_error e;
        uint64_t           call = fv_load_acquire_64(&fv_task(index)->truth), word = word_of(index, call);
        memset(&e, 0, sizeof e);
        if (word != 0 && fv_call_is_for(word, actor)) /* it is our own, so it is not used anew while we look */
            fail_call(self, index, call, error_of(self, actor, &e) ? &e : NULL);
    } /* else it has no process yet: the one that comes looks at all lanes */
}

void fv_actor_rouse(struct fv_self *self, uint32_t index) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth), word = word_of(index, t);
    uint32_t a = fv_call_actor(word), home = a >> fv_map.shift;
    if (word == 0 || home >= fv_map.seg->n_procs || (a & fv_map.mask) >= fv_load_acquire_32(&fv_proc(home)->slab_limit))
        return;
    uint64_t at = fv_load_acquire_64(&fv_task(a)->truth);
    bool     lives = fv_task_is_actor(a) && fv_call_is_for(word, fv_ref_make(a, fv_truth_gen(at)));
    if (lives && fv_truth_state(at) == FV_RUN) {
        fv_bell_ring(fv_proc(fv_truth_owner(at)));
    } else if (!lives || !waits(fv_truth_state(at))) {
        struct fever_error e;
        memset(&e, 0, sizeof e);
        fail_call(self, index, t, lives && error_of(self, fv_ref_make(a, fv_truth_gen(at)), &e) ? &e : NULL);
    }
}

/* ------------------------------------------------------------------------------------------------ the end of an actor */

static bool is_held(uint32_t index, uint64_t t) {
    return t & FV_HELD || (t & FV_SHARED && fv_load_acquire_64(&fv_cold(index)->count) >> 32 != 0);
}

void fv_actor_left(uint32_t index, uint64_t t) {
    if (FV_UNLIKELY(fv_task_is_actor(index)) && fv_truth_state(t) == FV_RUN && !is_held(index, t))
        fv_bell_ring(fv_proc(fv_truth_owner(t)));
}

bool fv_actor_is_abandoned(uint32_t index) {
    return !fv_actor_of(index)->detached && !is_held(index, fv_load_acquire_64(&fv_task(index)->truth));
}

bool fv_actor_stays(uint32_t index, uint64_t t) {
    return FV_UNLIKELY(fv_task_is_actor(index)) && !fv_state_is_complete(fv_truth_state(t)) && (fv_actor_of(index)->entry != 0 || fv_actor_of(index)->detached);
}

int fv_actor_claim_call(struct fv_self *self, uint32_t index, uint64_t word) {
    struct fv_task *task = fv_task(index);
    uint64_t        t = fv_load_acquire_64(&task->truth);
    uint32_t        gen = fv_truth_gen(t);
    /* ORDER submit (acquire): READY before the call word and the arguments.  Pairs with submit (release) in fv_task_submit().  The slot is
     * not filled anew while its word is the same. */
    if (!waits(fv_truth_state(t)) || task->args[2] != word || !fv_task_is_call(index))
        return -1;
    while (fv_truth_state(t) == FV_READY && fv_truth_gen(t) == gen) {
        unsigned again = fv_truth_owner(t);
        if (fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->slot, FV_RUN), &t)) {
            self->again = again != 0;
            return 1;
        }
    }
    return fv_truth_gen(t) == gen && (fv_truth_state(t) == FV_BLOCKED || fv_truth_state(t) == FV_DELAYED) ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------ after a death */

static uint64_t           last_dead; /* ref of the actor that the last sweep has ended; 0: none */
static struct fever_error last_error;

static void set_cause(struct fever_error *e, uint32_t index, const struct fv_verdict *why, bool killed) {
    const struct fv_actor *a = fv_actor_of(index);
    char                   how[96];
    fv_error_describe(e, fv_task(index)->def, FEVER_EACTORDEAD);
    e->signal = why->signal;
    e->exit_status = why->exit_status;
    e->fault_address = why->fault_address;
    e->attempt = a->restarts + 1;
    e->worker_pid = why->pid;
    fv_error_frames(e, why->frame, why->n_frames);
    if (why->code == FEVER_ETASKTIMEOUT)
        snprintf(how, sizeof how, "was killed, as its time was up");
    else if (why->code == FEVER_EMEMORY)
        snprintf(how, sizeof how, "was killed for want of memory");
    else if (why->signal != 0)
        snprintf(how, sizeof how, "died of signal %d (%s)", why->signal, strsignal(why->signal));
    else
        snprintf(how, sizeof how, "exited with status %d", why->exit_status);
    if (killed)
        snprintf(e->text, sizeof e->text, "it was killed (fever_actor_kill)");
    else if (a->stage == FV_ACTOR_CONSTRUCTING)
        snprintf(e->text, sizeof e->text, "its process (pid %d) %s in its constructor, after %u restarts", why->pid, how, a->restarts);
    else
        snprintf(e->text, sizeof e->text, "its process (pid %d) %s, after %u restarts", why->pid, how, a->restarts);
}

void fv_actor_sweep(struct fv_self *self, uint32_t dead, const struct fv_verdict *why) {
    struct fv_proc *p = fv_proc(dead);
    uint64_t        actor = p->actor;
    uint32_t        index = fv_ref_index(actor), gen = fv_ref_gen(actor);
    last_dead = 0;
    if (p->role != FV_ROLE_ACTOR || actor == 0)
        return;
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    if (fv_truth_gen(t) != gen || fv_truth_state(t) == FV_FREE || fv_state_is_complete(fv_truth_state(t))) {
        fv_actor_ended(self, actor); /* it may have died before it had told all callers */
        return;
    }
    if (fv_truth_state(t) != FV_RUN || fv_truth_owner(t) != dead)
        return;
    struct fv_actor *a = fv_actor_of(index);
    bool             killed = fv_cancel_asked(index, gen) != 0;
    if (!killed && a->stage != FV_ACTOR_ENDING && a->restarts < a->max_restarts) {
        uint32_t n = ++a->restarts;
        bool     young = n > 2 && why->when_ns - p->started_ns < YOUNG_NS;
        uint64_t not_before = young ? fv_now_ns() + fv_delay_of(RESTART_NS, RESTART_MOST_NS, n - 2, actor) : 0;
        fv_store_relaxed_32(&a->stage, FV_ACTOR_STARTING);
        fv_task_requeue(self, index, dead, FV_MIN(n, 255u), false, not_before);
        if (not_before != 0)
            fv_delay_note(self, not_before);
        else
            fv_task_hint(self, index);
        return;
    }
    last_dead = actor;
    set_cause(&last_error, index, why, killed);
    fv_task_set_failure(self, index, &last_error);
    bool is_held = fv_hold(self, actor) == 0;
    fv_task_complete(self, index, FV_FAIL);
    fv_actor_fail_calls(self, actor, is_held, &last_error);
    if (is_held)
        fv_unhold(self, actor);
}

bool fv_actor_fail_with_dead(struct fv_self *self, uint32_t index, bool blamed) {
    const struct fv_task *task = fv_task(index);
    if (last_dead == 0 || !fv_call_is_for(task->args[2], last_dead))
        return false;
    struct fever_error e;
    dead_error(&e, index, &last_error);
    e.attempt += blamed;
    if (blamed)
        memcpy(e.frame, last_error.frame, sizeof e.frame), e.n_frames = last_error.n_frames,
            memcpy(e.frame_module, last_error.frame_module, sizeof e.frame_module), memcpy(e.module, last_error.module, sizeof e.module),
            e.n_modules = last_error.n_modules;
    fv_task_set_failure(self, index, &e);
    fv_task_complete(self, index, FV_FAIL);
    return true;
}

unsigned fv_actor_call_retries(uint32_t index) {
    uint64_t word = fv_task(index)->args[2], t = fv_load_acquire_64(&fv_task(fv_call_actor(word))->truth);
    uint32_t a = fv_call_actor(word);
    if (fv_task(index)->x & FV_X_OPTIONS)
        return fv_cold(index)->max_retries;
    bool lives = fv_task_is_actor(a) && fv_call_is_for(word, fv_ref_make(a, fv_truth_gen(t))) && (waits(fv_truth_state(t)) || fv_truth_state(t) == FV_RUN);
    return lives ? FV_MIN(fv_actor_of(a)->max_task_retries, 250u) : 0;
}

void fv_actor_down_error(struct fever_error *e, const struct fv_verdict *why) {
    if (e->code != FEVER_ECRASHED)
        return;
    e->code = FEVER_EACTORDOWN;
    if (why->signal != 0)
        snprintf(e->text, sizeof e->text, "the actor's process (pid %d) died of signal %d (%s) in this call; the actor is restarted", why->pid,
                 why->signal, strsignal(why->signal));
    else
        snprintf(e->text, sizeof e->text, "the actor's process (pid %d) exited with status %d in this call; the actor is restarted", why->pid,
                 why->exit_status);
}
