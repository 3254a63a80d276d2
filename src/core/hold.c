/* core/hold.c: who keeps a task slot's result alive.
 *
 * Two kinds of holds.  The home's process counts its own privately (fv_home_slot.extra beyond the first) and
 * shows only whether it has any, as HELD in the truth word.  Other processes, and containers (a result that contains refs),
 * count in the cold line: one for each process, however often it holds, and one for each entry of a container.
 *
 * A counted hold has a record: an entry of the process's hold table, or the word in the container.  Acquire: intent, count + 1,
 * record, intent off.  Release: intent, record off, count - 1, intent off.  A process killed on the way
 * leaves the count right or too high by one, never too low, and its intent names the slot; the supervisor
 * recounts that slot from the records (sweep.c).  A slot is free for reuse when it is complete, HELD is off and
 * the count is 0; whoever makes the last of these true sees the others, since each is a locked instruction.
 *
 * The supervisor holds the arguments of all that it has adopted, and these may be many: what its table has no room for it records in
 * memory of its own.  Nobody else looks for records while it lives, and when it dies all is over.
 *
 * Pins of views (core/store.c) stand in the same table, and in the same map: they are no holds, are counted nowhere, and a sweep just
 * clears them.
 */
#include "core/actor.h"
#include "core/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ref -> number of holds and entry in the hold table: of this process as a whole.  Pin -> the same; n: of bodies on the stack that have
 * it (1 in the driver), by: the innermost of them (as self->running), 0: not known any more. */
struct entry {
    uint64_t id;
    uint32_t n, by;
    uint32_t at;
};
static struct {
    pthread_mutex_t lock; /* threads of the driver; a worker is alone */
    struct entry   *slot; /* open addressing, a power of two, at most half full */
    uint32_t        room, used;
    uint32_t        table; /* process slot whose hold table records ours; FV_NO_PROC: none yet */
    uint32_t       *spare; /* free entries of the table */
    uint32_t        n_spare;
    uint32_t        room_table; /* entries of the table that are allocated */
    uint64_t      **more;  /* supervisor: pieces of MORE entries, numbered on from those of the table */
    uint32_t        n_more;
    uint32_t        n_pins;
} held = {.lock = PTHREAD_MUTEX_INITIALIZER, .table = FV_NO_PROC};

#define MORE 4096u

static uint32_t hash(uint64_t id) { return (uint32_t)((id * 0x9E3779B97F4A7C15ull) >> 32); }

static struct entry *find(uint64_t id) {
    if (held.room == 0)
        return NULL;
    for (uint32_t i = hash(id) & (held.room - 1);; i = (i + 1) & (held.room - 1)) {
        if (held.slot[i].id == id)
            return &held.slot[i];
        if (held.slot[i].id == 0)
            return NULL;
    }
}

static bool grow(void) {
    uint32_t room = held.room ? held.room * 2 : 64;
    struct entry *slot = calloc(room, sizeof *slot);
    if (slot == NULL)
        return false;
    for (uint32_t k = 0; k < held.room; k++) {
        if (held.slot[k].id == 0)
            continue;
        uint32_t i = hash(held.slot[k].id) & (room - 1);
        while (slot[i].id != 0)
            i = (i + 1) & (room - 1);
        slot[i] = held.slot[k];
    }
    free(held.slot);
    held.slot = slot;
    held.room = room;
    return true;
}

static void erase(struct entry *e) { /* close the gap (Knuth 6.4, algorithm R) */
    uint32_t i = (uint32_t)(e - held.slot), j = i;
    for (;;) {
        held.slot[i].id = 0;
        for (;;) {
            j = (j + 1) & (held.room - 1);
            if (held.slot[j].id == 0) {
                held.used--;
                return;
            }
            uint32_t k = hash(held.slot[j].id) & (held.room - 1);
            if (i <= j ? k <= i || k > j : k <= i && k > j)
                break;
        }
        held.slot[i] = held.slot[j];
        i = j;
    }
}

static bool open_table(struct fv_self *self) {
    if (held.table != FV_NO_PROC)
        return true;
    if ((held.spare = malloc(FV_HOLDS_MAX * sizeof *held.spare)) == NULL)
        return false;
    for (uint32_t i = FV_HOLDS_FIRST; i-- > 0;) /* so that the first are used first */
        if (fv_holds_of(self->slot)[i] == 0)
            held.spare[held.n_spare++] = i;
    held.room_table = FV_HOLDS_FIRST;
    held.table = self->slot;
    fv_store_release_32(&self->proc->holds_open, FV_MAX(self->proc->holds_open, 1u));
    return true;
}

static uint64_t *record_at(uint32_t at) {
    return at < FV_HOLDS_MAX ? &fv_holds_of(held.table)[at] : &held.more[(at - FV_HOLDS_MAX) / MORE][(at - FV_HOLDS_MAX) % MORE];
}

/* The rest of the table; or, in the supervisor, private records. */
static bool make_more(void) {
    if (held.room_table == FV_HOLDS_FIRST) {
        if (fv_segment_grow_holds(held.table) < 0)
            return false;
        held.room_table = FV_HOLDS_MAX;
        for (uint32_t i = FV_HOLDS_MAX; i-- > FV_HOLDS_FIRST;)
            if (fv_holds_of(held.table)[i] == 0)
                held.spare[held.n_spare++] = i;
        return held.n_spare != 0;
    }
    if (held.table != FV_SUPERVISOR)
        return false;
    uint32_t   n = held.n_more;
    uint64_t **more = realloc(held.more, (n + 1) * sizeof *more);
    if (more == NULL)
        return false;
    held.more = more;
    uint32_t *spare = realloc(held.spare, (FV_HOLDS_MAX + (n + 1) * MORE) * sizeof *spare);
    if (spare == NULL)
        return false;
    held.spare = spare;
    if ((more[n] = calloc(MORE, sizeof *more[n])) == NULL)
        return false;
    held.n_more++;
    for (uint32_t i = 0; i < MORE; i++)
        spare[held.n_spare++] = FV_HOLDS_MAX + n * MORE + i;
    return true;
}

uint32_t fv_holds_private(uint64_t id) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < held.n_more; k++)
        for (uint32_t i = 0; i < MORE; i++)
            n += held.more[k][i] == id;
    return n;
}

void fv_holds_fini(void) {
    while (held.n_more > 0)
        free(held.more[--held.n_more]);
    free(held.more);
    free(held.slot);
    free(held.spare);
    held.slot = NULL, held.spare = NULL, held.more = NULL;
    held.room = held.used = held.n_spare = held.n_pins = 0;
    held.table = FV_NO_PROC;
}
uint32_t fv_holds_count(void) { return held.used; }

static void remove_pin(struct entry *e) {
    uint32_t at = e->at;
    erase(e);
    held.n_pins--;
    /* ORDER pin (release): all reads of the block before the pin is gone.  Pairs with pin (acquire) in look_at_pins(). */
    fv_store_release_64(&fv_holds_of(held.table)[at], 0);
    held.spare[held.n_spare++] = at;
}

/* Its slot has been freed.  (One that another thread is about to publish has a pin, and a generation that is still to come.) */
static bool is_past(uint64_t ref) {
    uint64_t t = fv_load_acquire_64(&fv_task(fv_ref_index(ref))->truth);
    unsigned s = fv_truth_state(t);
    return fv_truth_gen(t) == fv_ref_gen(ref) ? s == FV_FREE || s == FV_DYING : (int32_t)(fv_truth_gen(t) - fv_ref_gen(ref)) > 0;
}

/* Pins of what is gone already: bodies keep theirs until they end. */
static void forget_stale_pins(void) {
    for (uint32_t i = 0; i < held.room && held.n_pins != 0;) {
        struct entry *e = &held.slot[i];
        if (e->id >> 60 == FV_TAG_PIN && is_past(fv_ref_of_pin(e->id)))
            remove_pin(e); /* another may stand there now */
        else
            i++;
    }
}

/* Room for one more entry in map and table. */
static bool has_room(struct fv_self *self) {
    if ((held.used * 2 >= held.room && !grow()) || !open_table(self))
        return false;
    if (held.n_spare == 0)
        forget_stale_pins();
    return held.n_spare != 0 || make_more();
}

/* The next free entry of the table: from here on all look at it. */
static uint32_t next_entry(void) {
    uint32_t at = held.spare[held.n_spare - 1], *used = &fv_proc(held.table)->holds_open;
    if (at < FV_HOLDS_MAX && *used < at + 2)
        fv_store_release_32(used, at + 2);
    return at;
}

static void enter(struct entry e) {
    uint32_t i = hash(e.id) & (held.room - 1);
    while (held.slot[i].id != 0)
        i = (i + 1) & (held.room - 1);
    held.slot[i] = e;
    held.used++;
}

bool fv_shared_acquire(struct fv_self *self, uint64_t id, uint64_t *record) {
    uint32_t index = fv_ref_index(id);
    struct fv_task *task = fv_task(index);
    fv_store_release_64(&self->proc->intent, id);
    uint64_t t = fv_load_acquire_64(&task->truth);
    do {
        if (fv_truth_gen(t) != fv_ref_gen(id) || fv_truth_state(t) == FV_FREE || fv_truth_state(t) == FV_DYING) {
            fv_store_release_64(&self->proc->intent, 0);
            return false;
        }
        /* ORDER share (seq_cst): SHARED before the count, so that a home that lets go looks at the count.
         * Pairs with share (seq_cst) in fv_unhold_home(). */
    } while (!(t & FV_SHARED) && !fv_cas_value_64(&task->truth, t, t | FV_SHARED, &t));
    uint64_t *count = &fv_cold(index)->count, c = fv_load_relaxed_64(count);
    /* ORDER recount (seq_cst): the intent above before the count, the record below after it.  Pairs with recount (seq_cst)
     * in the sweep; the same in fv_shared_release(). */
    while (!fv_cas_value_64(count, c, (c + (1ull << 32)) ^ ((c ^ (c + 1)) & 0xFFFFFFFFu), &c))
        ;
    fv_store_release_64(record, id);
    fv_store_release_64(&self->proc->intent, 0);
    return true;
}

void fv_shared_release(struct fv_self *self, uint64_t id, uint64_t *record) {
    uint32_t index = fv_ref_index(id);
    struct fv_task *task = fv_task(index);
    fv_store_release_64(&self->proc->intent, id);
    fv_store_release_64(record, 0);
    uint64_t *count = &fv_cold(index)->count, c = fv_load_relaxed_64(count), to;
    do
        to = (c - (1ull << 32)) ^ ((c ^ (c + 1)) & 0xFFFFFFFFu);
    while (!fv_cas_value_64(count, c, to, &c));
    fv_store_release_64(&self->proc->intent, 0);
    if (to >> 32 != 0)
        return;
    uint64_t t = fv_load_acquire_64(&task->truth);
    if (fv_truth_gen(t) == fv_ref_gen(id)) {
        fv_stream_left(index, t);
        fv_actor_left(index, t);
    }
    /* With refs in its arguments the slot is its home's (or the supervisor's) to free: they hold those refs. */
    if (fv_truth_gen(t) != fv_ref_gen(id) || !(fv_state_is_complete(fv_truth_state(t)) || fv_truth_state(t) == FV_OPEN) || t & FV_HELD)
        return;
    if (!(task->x & (FV_X_REFS | FV_X_ADOPTED)))
        fv_task_free(self, index, t);
    else if (!(task->x & FV_X_ADOPTED)) /* a worker may be asleep: it looks before it sleeps again */
        fv_bell_ring(fv_proc(fv_home_of(index)));
}

static int hold_remote(struct fv_self *self, uint64_t id) {
    int rc = 0;
    pthread_mutex_lock(&held.lock);
    struct entry *e = find(id);
    if (e != NULL) {
        e->n++;
    } else if (!has_room(self)) {
        rc = -FEVER_ENOSLOTS;
    } else {
        uint32_t at = next_entry();
        if (!fv_shared_acquire(self, id, record_at(at))) {
            rc = -FEVER_ESTALE;
        } else {
            held.n_spare--;
            enter((struct entry){.id = id, .n = 1, .at = at});
        }
    }
    pthread_mutex_unlock(&held.lock);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ pins */

int fv_pin(struct fv_self *self, uint64_t id) {
    int rc = 0;
    uint64_t pin = fv_pin_of_ref(id);
    if (self->running != 0 && self->n_own == self->room_own) {
        fv_own_grow(self);
        if (self->n_own == self->room_own)
            return -ENOMEM; /* nobody would let go of it at the body's end */
    }
    pthread_mutex_lock(&held.lock);
    struct entry *e = find(pin);
    if (e != NULL && e->by == self->running) {
        pthread_mutex_unlock(&held.lock);
        return 0; /* this body, or the driver, has it */
    }
    if (e != NULL) {
        e->n++;
        e->by = self->running;
    } else if (!has_room(self)) {
        rc = -FEVER_ENOSLOTS;
    } else {
        uint32_t at = next_entry();
        held.n_spare--;
        enter((struct entry){.id = pin, .n = 1, .by = self->running, .at = at});
        held.n_pins++;
        fv_store_release_64(&fv_holds_of(held.table)[at], pin);
    }
    pthread_mutex_unlock(&held.lock);
    if (rc == 0 && self->running != 0)
        fv_own_add(self, pin);
    return rc;
}

static void unpin(uint64_t pin, uint32_t n) {
    pthread_mutex_lock(&held.lock);
    struct entry *e = find(pin);
    if (e != NULL) {
        e->n -= FV_MIN(n, e->n);
        e->by = 0;
        if (e->n == 0)
            remove_pin(e);
    }
    pthread_mutex_unlock(&held.lock);
}

void fv_unpin(struct fv_self *self, uint64_t id) {
    uint64_t pin = fv_pin_of_ref(id);
    uint32_t n = 1;
    if (fv_load_relaxed_32(&held.n_pins) == 0)
        return;
    if (self->running != 0) /* what this body has taken: more than once, if others in place have ended in between */
        for (n = 0; fv_own_remove(self, pin); n++)
            ;
    if (n != 0)
        unpin(pin, n);
}

/* The driver has let go of its last hold of a ref. */
static void unpin_in_driver(struct fv_self *self, uint64_t id) {
    if (FV_UNLIKELY(fv_load_relaxed_32(&held.n_pins) != 0) && self->running == 0)
        unpin(fv_pin_of_ref(id), 1);
}

void fv_own_grow(struct fv_self *self) {
    uint32_t  room = self->room_own ? self->room_own * 2 : 256;
    uint64_t *p = realloc(self->own, room * sizeof *p);
    if (p != NULL)
        self->own = p, self->room_own = room;
}

bool fv_own_remove(struct fv_self *self, uint64_t id) {
    for (uint32_t i = self->n_own; i-- > self->own_base;)
        if (self->own[i] == id) {
            self->own[i] = self->own[--self->n_own];
            return true;
        }
    return false;
}

void fv_own_release(struct fv_self *self, uint32_t base) {
    while (self->n_own > base) {
        uint64_t id = self->own[--self->n_own];
        if (FV_UNLIKELY(id >> 60 == FV_TAG_PIN))
            unpin(id, 1);
        else
            fv_unhold(self, id);
    }
}

/* ------------------------------------------------------------------------------------------------ letting go */

static int unhold_remote(struct fv_self *self, uint64_t id) {
    pthread_mutex_lock(&held.lock);
    struct entry *e = find(id);
    if (e == NULL) {
        pthread_mutex_unlock(&held.lock);
        return -FEVER_ESTALE;
    }
    if (--e->n == 0) {
        uint32_t at = e->at;
        erase(e);
        if (held.n_pins != 0 && self->running == 0 && (e = find(fv_pin_of_ref(id))) != NULL)
            remove_pin(e); /* of the driver's views: before somebody else may free it */
        fv_shared_release(self, id, record_at(at));
        held.spare[held.n_spare++] = at;
    }
    pthread_mutex_unlock(&held.lock);
    return 0;
}

static int hold_home(struct fv_home_slot *h, uint64_t id, uint32_t index, uint64_t t) {
    if (t & FV_HELD) {
        fv_faa_32(&h->extra, 1);
        return 0;
    }
    /* the process had let go, and has it back from a container */
    do {
        if (fv_truth_gen(t) != fv_ref_gen(id) || fv_truth_state(t) == FV_FREE || fv_truth_state(t) == FV_DYING)
            return -FEVER_ESTALE;
        if (t & FV_HELD) {
            fv_faa_32(&h->extra, 1);
            return 0;
        }
    } while (!fv_cas_value_64(&fv_task(index)->truth, t, t | FV_HELD, &t));
    return 0;
}

/* Whoever holds something may hold it once more.  But an actor is found by its name, and held out of nothing, while another thread lets go of
 * it: in its home's process that is done, as letting go of it is, with the lock. */
static bool lock_actor(uint32_t index, uint64_t *t) {
    if (FV_LIKELY(!fv_task_is_actor(index)))
        return false;
    pthread_mutex_lock(&held.lock);
    *t = fv_load_acquire_64(&fv_task(index)->truth);
    return true;
}

int fv_hold(struct fv_self *self, uint64_t id) {
    uint32_t index = 0;
    uint64_t t = 0;
    int rc = fv_ref_check(id, &index, &t);
    if (rc < 0)
        return rc;
    struct fv_self *home = fv_homes[fv_home_of(index)];
    if (home == NULL || fv_task(index)->x & FV_X_ADOPTED)
        return hold_remote(self, id);
    bool locked = lock_actor(index, &t);
    rc = fv_truth_gen(t) != fv_ref_gen(id) ? -FEVER_ESTALE : hold_home(&home->home[index & fv_map.mask], id, index, t);
    if (FV_UNLIKELY(locked))
        pthread_mutex_unlock(&held.lock);
    return rc;
}

/* One of several holds of the home's process goes.  1: it is the last. */
static int unhold_extra(struct fv_home_slot *h, uint64_t t) {
    if (!(t & FV_HELD))
        return -FEVER_ESTALE;
    uint32_t extra = fv_load_relaxed_32(&h->extra);
    while (extra != 0)
        if (fv_cas_value_32(&h->extra, extra, extra - 1, &extra))
            return 0;
    return 1;
}

/* The same of an actor that lives; the last goes, too (1), *t is what is left. */
static int unhold_actor(struct fv_home_slot *h, uint32_t index, uint64_t *t) {
    uint32_t gen = fv_truth_gen(*t);
    pthread_mutex_lock(&held.lock);
    *t = fv_load_acquire_64(&fv_task(index)->truth);
    int rc = fv_truth_gen(*t) != gen ? -FEVER_ESTALE : unhold_extra(h, *t);
    if (rc == 1) {
        /* ORDER share (seq_cst): as in unhold_home(). */
        while (!fv_cas_value_64(&fv_task(index)->truth, *t, *t & ~(uint64_t)FV_HELD, t))
            ;
        *t &= ~(uint64_t)FV_HELD;
    }
    pthread_mutex_unlock(&held.lock);
    return rc;
}

/* Lets go of one hold of the home's process; the refs of its arguments are put on the worklist. */
static int unhold_home(struct fv_self *self, struct fv_self *home, uint32_t index, uint64_t t) {
    struct fv_task      *task = fv_task(index);
    struct fv_home_slot *h = &home->home[index & fv_map.mask];
    if (FV_UNLIKELY(fv_task_is_actor(index)) && !fv_state_is_complete(fv_truth_state(t))) {
        int rc = unhold_actor(h, index, &t);
        if (rc == 1 && fv_state_is_complete(fv_truth_state(t)) && !h->refs) /* meanwhile */
            fv_task_free(self, index, t);
        else if (rc == 1)
            fv_actor_left(index, t);
        return FV_MIN(rc, 0);
    }
    int rc = unhold_extra(h, t);
    if (rc != 1)
        return rc;
    unsigned x = task->x;
    bool     large = (fv_state_is_complete(fv_truth_state(t)) || fv_truth_state(t) == FV_OPEN) && fv_result_is_large(task);
    if (FV_UNLIKELY(large))
        unpin_in_driver(self, fv_ref_make(index, fv_truth_gen(t)));
    if (fv_state_is_complete(fv_truth_state(t))) {
        if (h->refs && home == self) {
            uint64_t        in[3];
            const uint64_t *refs;
            uint32_t        n_deps, n = fv_task_refs(index, in, &refs, &n_deps);
            h->refs = 0;
            self->n_refs--;
            for (uint32_t i = 0; i < n; i++)
                fv_unhold_later(self, refs[i]);
            x &= ~FV_X_REFS;
            fv_and_8(&task->x, (uint8_t)~FV_X_REFS); /* as in drop_args() */
        }
        if (FV_LIKELY(!(t & (FV_SHARED | FV_DEPS)) && !large && !(x & (FV_X_REFS | FV_X_ARGS_BLOCK | FV_X_NESTED | FV_X_FAILURE | FV_X_OPTIONS)))) {
            /* nobody else knows it (the keeper looks at large ones only), at most one small block hangs on it: no need to be seen DYING.  Killed between the two: complete
             * and held by the dead, the sweep frees it again.  ORDER slot (release). */
            if (x & FV_X_RESULT_BLOCK)
                fv_arena_free(home == self ? &self->heap : NULL, ((struct fv_span *)task->result)->offset,
                              ((struct fv_span *)task->result)->bytes, index, fv_truth_gen(t));
            fv_store_release_64(&task->truth, fv_truth(fv_truth_gen(t), 0, 0, 0, FV_FREE));
            if (home == self)
                fv_home_freed(self, index & fv_map.mask);
            return 0;
        }
    }
    /* ORDER share (seq_cst): HELD off before the count is read (in fv_task_free).  Pairs with share (seq_cst) in
     * fv_shared_acquire() and with the count's CAS in fv_shared_release(). */
    uint64_t to;
    do
        to = fv_state_is_complete(fv_truth_state(t)) && !h->refs && !(t & (FV_SHARED | FV_DEPS))
                 ? fv_truth_with(t & ~(uint64_t)FV_HELD, self->slot, FV_DYING) /* ours alone: free it in one step */
                 : t & ~(uint64_t)FV_HELD;
    while (!fv_cas_value_64(&task->truth, t, to, &t));
    if (fv_truth_state(to) == FV_DYING)
        fv_task_finish_dying(self, index);
    else if ((fv_state_is_complete(fv_truth_state(to)) && !h->refs) || fv_truth_state(to) == FV_OPEN)
        fv_task_free(self, index, to);
    else {
        fv_stream_left(index, to);
        fv_actor_left(index, to);
    }
    return 0;
}

static int unhold_one(struct fv_self *self, uint64_t id) {
    uint32_t index = 0;
    uint64_t t = 0;
    int rc = fv_ref_check(id, &index, &t);
    if (rc < 0)
        return rc;
    struct fv_self *home = fv_homes[fv_home_of(index)];
    if (home == NULL || fv_task(index)->x & FV_X_ADOPTED)
        return unhold_remote(self, id);
    return unhold_home(self, home, index, t);
}

void fv_unhold_later(struct fv_self *self, uint64_t id) {
    if (!fv_ref_tagged(id))
        return;
    if (self->n_drop == self->room_drop) {
        uint32_t  room = self->room_drop ? self->room_drop * 2 : 64;
        uint64_t *p = realloc(self->drop, room * sizeof *p);
        if (p == NULL)
            return; /* out of memory: it leaks until the process ends */
        self->drop = p;
        self->room_drop = room;
    }
    self->drop[self->n_drop++] = id;
}

void fv_unhold_pending(struct fv_self *self) {
    while (self->n_drop > 0)
        unhold_one(self, self->drop[--self->n_drop]);
}

int fv_unhold(struct fv_self *self, uint64_t id) {
    int rc = unhold_one(self, id);
    if (FV_UNLIKELY(self->n_drop != 0))
        fv_unhold_pending(self);
    return rc;
}
