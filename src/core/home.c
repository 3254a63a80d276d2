/* core/home.c: the home's side of its task slots: which are free, and what is done with one when it is complete.
 *
 * Run by the thread that owns the slab.  Writes its own slots.  Where to look for a FREE one is private and a hint: the cursor, which goes
 * round the slab, and the slots that the home itself has freed, last one first.  Dies here: see the sweep of a slab (sweep.c).
 */
#include "base/clock.h"
#include "core/failure.h"
#include "core/group.h"
#include "core/store.h"
#include "core/task.h"

#define EAGER_SLAB 4096u /* grow without waiting up to here */
#define IN_FLIGHT  8u    /* so many slots in flight ahead of the cursor: the rest is younger still */
#define LOOKS      8u    /* at slots, for each one found, on the average: beyond that the slab grows */
#define FREED_LAST (~0u) /* in group_index: end of the list */

/* A complete slot's arguments are not needed any more. */
static void drop_args(struct fv_self *self, uint32_t index, struct fv_home_slot *h) {
    uint64_t        in[3];
    const uint64_t *refs;
    uint32_t        n_deps, n = fv_task_refs(index, in, &refs, &n_deps);
    if (fv_task(index)->x & FV_X_FAILURE)
        fv_error_keep_sites(index); /* while its arguments are there still */
    h->refs = 0;
    self->n_refs--;
    for (uint32_t i = 0; i < n; i++)
        fv_unhold_later(self, refs[i]);
    /* From now on whoever lets go last frees the slot.  ORDER share (seq_cst): REFS off before we look at the count; the last
     * holder takes the count to 0 before it looks at REFS, in fv_shared_release(). */
    fv_and_8(&fv_task(index)->x, (uint8_t)~FV_X_REFS);
}

/* Looks at one own slot; true when it is FREE (afterwards). */
static bool look(struct fv_self *self, uint32_t index, uint64_t *truth_out) {
    struct fv_task      *task = fv_task(index);
    struct fv_home_slot *h = &self->home[index & fv_map.mask];
    /* ORDER slot (acquire): whoever freed the slot is done with the line.  Pairs with slot (release) where FREE is stored. */
    uint64_t t = fv_load_acquire_64(&task->truth);
    unsigned state = fv_truth_state(t);
    if (fv_state_is_complete(state) && !(task->x & FV_X_ADOPTED)) {
        if (h->refs) {
            drop_args(self, index, h);
            fv_unhold_pending(self);
            t = fv_load_acquire_64(&task->truth);
            state = fv_truth_state(t);
        }
        if (!(t & FV_HELD) && fv_state_is_complete(state)) {
            if (h->group != 0)
                fv_group_member_ended(self, h, index, state == FV_FAIL);
            if (fv_task_free(self, index, t)) {
                t = fv_load_acquire_64(&task->truth);
                state = fv_truth_state(t);
            }
        }
    }
    if (state == FV_FREE && h->group != 0)
        fv_group_member_ended(self, h, index, false);
    *truth_out = t;
    return state == FV_FREE;
}

void fv_home_reap(struct fv_self *self) {
    uint64_t t;
    uint32_t base = self->slot << fv_map.shift;
    if (self->n_members == 0 && self->n_refs == 0)
        return;
    for (uint32_t i = 0; i < self->limit; i++)
        if (self->home[i].group != 0 || self->home[i].refs != 0)
            look(self, base + i, &t);
}

uint64_t fv_home_alloc(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes) {
    uint64_t offset = fv_arena_alloc(&self->heap, index, gen, bytes);
    if (FV_UNLIKELY(bytes > FV_SMALL_MOST))
        fv_store_watch(self);
    if (FV_LIKELY(offset != 0) || self->n_refs == 0)
        return offset;
    fv_home_reap(self);
    return fv_arena_alloc(&self->heap, index, gen, bytes);
}

uint64_t fv_home_alloc_file(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes) {
    struct fv_keeper_state *k = &fv_map.seg->keeper;
    if (fv_map.seg->n_file_chunks == 0)
        return 0;
    uint64_t offset = fv_arena_alloc_file(&self->heap, index, gen, bytes, fv_load_relaxed_32(&k->reserve));
    if (offset == 0) {
        fv_store_relaxed_64(&k->file_full_ns, fv_now_ns());
        return 0;
    }
    fv_faa_64(&k->fallback_bytes, bytes);
    fv_faa_64(&k->fallback_objects, 1);
    return offset;
}

/* The slots that the home itself freed are a list, last one first, in group_index of those without a group.  A hint: one that is used
 * again otherwise stays in it, or cuts it off; so what is taken from it is looked at, and its link cleared, which ends any circle. */
static bool pop_freed(struct fv_self *self, uint32_t *i_out, uint64_t *truth_out) {
    while (self->freed != 0) {
        uint32_t             i = self->freed - 1;
        struct fv_home_slot *h = &self->home[i];
        self->freed = h->group != 0 || h->group_index > self->limit ? 0 : h->group_index;
        if (h->group == 0)
            h->group_index = 0;
        if (look(self, self->slot << fv_map.shift | i, truth_out)) {
            *i_out = i;
            return true;
        }
    }
    return false;
}

void fv_home_freed(struct fv_self *self, uint32_t i) {
    struct fv_home_slot *h = &self->home[i];
    if (self->cursor == i + 1) { /* the slot used last: it is next at the cursor */
        self->cursor = i;
    } else if (h->group == 0 && h->group_index == 0) {
        h->group_index = self->freed == 0 ? FREED_LAST : self->freed;
        self->freed = i + 1;
    }
}

static uint32_t take(uint32_t index, uint64_t truth, uint32_t *gen_out) {
    uint32_t gen = fv_truth_gen(truth) == 0 ? fv_map.seg->gen_base : fv_truth_gen(truth) + 1;
    *gen_out = gen == 0 ? 1 : gen;
    return index;
}

uint32_t fv_task_alloc(struct fv_self *self, uint32_t *gen_out) {
    uint32_t base = self->slot << fv_map.shift, i = self->cursor;
    uint64_t t;
    if (self->freed != 0 && !(fv_truth_state(fv_load_relaxed_64(&fv_task(base + i)->truth)) == FV_FREE && self->home[i].group == 0) &&
        pop_freed(self, &i, &t))
        return take(base + i, t, gen_out);
    for (;;) {
        uint32_t in_flight = 0, looked = 0;
        /* Where many are held for long it takes many looks to find one: more slots then, if on the whole it took too many. */
        for (; looked < self->limit && in_flight < IN_FLIGHT && (self->looks_left > 0 || looked < LOOKS); looked++) {
            i = self->cursor;
            self->looks_left--;
            if (FV_LIKELY(look(self, base + i, &t))) {
                self->cursor = i + 1 == self->limit ? 0 : i + 1;
                self->looks_left = FV_MIN(self->looks_left + (int32_t)LOOKS, (int32_t)self->limit);
                fv_prefetch_write(fv_task(base + ((i + 8) & (self->limit - 1))));
                return take(base + i, t, gen_out);
            }
            if (!fv_state_is_complete(fv_truth_state(t)) && fv_truth_state(t) != FV_OPEN)
                in_flight++;
            self->cursor = i + 1 == self->limit ? 0 : i + 1;
        }
        /* everything near is in flight, or all slots are held */
        if (in_flight >= IN_FLIGHT) {
            self->cursor = (self->cursor + self->limit - IN_FLIGHT) % self->limit;
            if (self->limit >= EAGER_SLAB)
                return FV_NO_TASK;
        }
        uint32_t old = self->limit;
        if (fv_segment_grow_slab(self->slot)) {
            self->limit = self->proc->slab_limit;
            self->cursor = old;
        } else if (looked >= old || in_flight >= IN_FLIGHT) {
            return FV_NO_TASK;
        }
        self->looks_left = (int32_t)self->limit; /* if it cannot grow: through all of them, then */
    }
}
