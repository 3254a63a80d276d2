/* core/store.c: pins of readers, and the residence words of large results.
 *
 * Run by drivers and bodies (pins), by the keeper (words) and by the supervisor (mend).  Writes residence words, copy words, notes of
 * what is being dropped, `reading` and `want` of process slots.  Dies here: shm/layout.h (enum fv_residence) says what each store
 * leaves; the sweep clears the pins of a dead reader, and fv_store_mend() ends what a dead keeper had begun.
 * Deliberately not here: the pins' entries in the hold table (hold.c), I/O (run/keeper.c), sleeping (run/restore.c).
 */
#include "core/store.h"

#include <stdlib.h>
#include <string.h>

static inline uint64_t *word_of(uint32_t index) { return &fv_task(index)->result[0]; }
static inline uint64_t  bytes_of(uint32_t index) { return fv_task(index)->result[1]; }

/* ------------------------------------------------------------------------------------------------ readers */

void fv_store_ask(struct fv_self *self) {
    struct fv_keeper_state *k = &fv_map.seg->keeper;
    /* ORDER keep (seq_cst): what is wanted before `wanted`, by an exchange.  Pairs with keep (seq_cst) in the keeper's work(), which takes
     * it off before it looks.  Losing it: the keeper sleeps on. */
    fv_fas_32(&k->wanted, 1);
    uint32_t slot = fv_load_acquire_32(&k->slot);
    if (slot != 0)
        fv_bell_ring(fv_proc(slot));
    else
        self->call_supervisor = true; /* it forks one */
}

int fv_store_read_begin(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t *offset_out) {
    struct fv_proc *p = self->proc;
    uint64_t        ref = fv_ref_make(index, gen), word;
    /* ORDER pin (seq_cst): the pin before the word is read.  Pairs with pin (seq_cst) in fv_store_drop(), whose barrier is a fence in
     * every running process; where there is none such, each reader fences.  Losing it: it reads a block that has been freed. */
    fv_store_relaxed_64(&p->reading, ref);
    if (FV_UNLIKELY(fv_map.seg->need_fence))
        fv_fence_full();
    else
        fv_fence_compiler();
    /* ORDER restore (acquire): the word before the bytes.  Pairs with restore (release) in fv_store_restored(). */
    word = fv_load_acquire_64(word_of(index));
    if (FV_UNLIKELY(fv_residence(word) == FV_AWAY)) {
        /* ORDER want (seq_cst): want, by an exchange, before the second look at the word.  Pairs with want (seq_cst) in
         * ring_wanters().  Losing it: it is here, and whoever wants it sleeps on. */
        fv_fas_64(&p->want[0], ref);
        fv_store_ask(self);
        word = fv_load_acquire_64(word_of(index));
        if (fv_residence(word) == FV_AWAY)
            return 1;
        fv_cas_64(&p->want[0], ref, 0);
    }
    if (FV_UNLIKELY(fv_residence(word) == FV_LOST)) {
        fv_store_read_end(self);
        return -(int)(word >> 16);
    }
    *offset_out = fv_residence_offset(word);
    return 0;
}

void fv_store_read_end(struct fv_self *self) {
    struct fv_proc *p = self->proc;
    uint64_t        ref = fv_load_relaxed_64(&p->reading);
    if (FV_UNLIKELY(fv_load_relaxed_64(&p->want[0]) != 0))
        fv_cas_64(&p->want[0], ref, 0);
    /* ORDER pin (release): all reads of the block before the pin is gone.  Pairs with pin (acquire) in look_at_pins(). */
    fv_store_release_64(&p->reading, 0);
}

int fv_store_pin(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t *offset_out) {
    uint64_t offset = 0;
    int      rc = fv_store_read_begin(self, index, gen, &offset);
    if (rc != 0)
        return rc;
    if (!self->is_inline) /* there the keeper never is */
        rc = fv_pin(self, fv_ref_make(index, gen));
    fv_store_read_end(self); /* after the entry: look_at_pins() looks at reading first */
    if (rc == 0)
        *offset_out = offset;
    return rc;
}

int fv_store_pin_new(struct fv_self *self, uint32_t index, uint32_t gen) {
    return self->is_inline ? 0 : fv_pin(self, fv_ref_make(index, gen));
}

void fv_store_unpin(struct fv_self *self, uint64_t id) { fv_unpin(self, id); }

void fv_store_prefetch(struct fv_self *self, uint64_t id) {
    struct fv_proc *p = self->proc;
    uint32_t        index = 0, room = 0;
    uint64_t        t = 0;
    if (FV_LIKELY(fv_load_relaxed_32(&fv_map.seg->keeper.slot) == 0)) /* nothing has ever been written to disk */
        return;
    if (fv_ref_check(id, &index, &t) < 0 || fv_truth_state(t) != FV_DONE || !fv_result_is_large(fv_task(index)) ||
        fv_residence(fv_load_relaxed_64(word_of(index))) != FV_AWAY)
        return;
    for (uint32_t k = FV_COUNT_OF(p->want); k-- > 1;) {
        uint64_t want = fv_load_relaxed_64(&p->want[k]);
        if (want == id)
            return;
        if (want == 0)
            room = k;
    }
    if (room == 0)
        return; /* enough for now; it will be asked for again */
    fv_store_release_64(&p->want[room], id);
    fv_store_ask(self);
}

/* ------------------------------------------------------------------------------------------------ keeper: holds */

bool fv_store_hold(struct fv_self *self, uint64_t ref) {
    uint32_t        index = 0;
    uint64_t        t = 0;
    struct fv_task *task;
    if (fv_ref_check(ref, &index, &t) < 0)
        return false;
    task = fv_task(index);
    do { /* from here on it is not freed.  Killed: complete, DEPS and ours; the sweep takes that off, and frees it if nobody holds it */
        if (fv_truth_gen(t) != fv_ref_gen(ref) || !fv_state_is_complete(fv_truth_state(t)) || t & FV_DEPS)
            return false; /* or it is just being told to its dependents: another time */
    } while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t | FV_DEPS, self->slot, fv_truth_state(t)), &t));
    bool held = fv_hold(self, ref) == 0;
    fv_task_notified(self, index, fv_ref_gen(ref));
    if (held)
        return true;
    /* no room for one more hold.  The last holder may have left meanwhile, and could not free it */
    t = fv_load_acquire_64(&task->truth);
    if (fv_truth_gen(t) == fv_ref_gen(ref) && fv_state_is_complete(fv_truth_state(t)) && !(t & FV_HELD) && !(task->x & (FV_X_REFS | FV_X_ADOPTED)) && !task->is_member)
        fv_task_free(self, index, t);
    return false;
}

static bool can_go(uint32_t index, uint64_t t) {
    return fv_truth_state(t) == FV_DONE && fv_result_is_large(fv_task(index)) && fv_residence_offset(fv_load_acquire_64(word_of(index))) != 0;
}

bool fv_store_take(struct fv_self *self, uint32_t index, uint64_t *ref_out, uint64_t *offset_out, uint64_t *bytes_out) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    if (!can_go(index, t))
        return false;
    uint64_t ref = fv_ref_make(index, fv_truth_gen(t));
    if (!fv_store_hold(self, ref))
        return false;
    if (!can_go(index, fv_load_acquire_64(&fv_task(index)->truth))) { /* a mixture of two uses of the slot had been read */
        fv_unhold(self, ref);
        return false;
    }
    *ref_out = ref;
    *offset_out = fv_residence_offset(fv_load_relaxed_64(word_of(index)));
    *bytes_out = bytes_of(index);
    return true;
}

/* ------------------------------------------------------------------------------------------------ keeper: pins */

/* All pins, as refs, sorted. */
static uint64_t *pinned;
static uint32_t  n_pinned, room_pinned;
static bool      all_pinned; /* no memory for the list */
static bool      looked;

static void note_pin(uint64_t ref) {
    if (n_pinned == room_pinned) {
        uint32_t  room = room_pinned ? room_pinned * 2 : 256;
        uint64_t *p = realloc(pinned, room * sizeof *p);
        if (p == NULL) {
            all_pinned = true;
            return;
        }
        pinned = p, room_pinned = room;
    }
    pinned[n_pinned++] = ref;
}

static int compare_refs(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* A pin for a view begins as reading, and becomes an entry before reading is 0.  So whoever finds reading 0 finds the entry. */
static void look_at_pins(void) {
    uint64_t pin;
    n_pinned = 0;
    all_pinned = false;
    /* ORDER pin (acquire): that the pin is gone before the block is freed, and reading is 0 before the entries are looked at.  Pairs with
     * pin (release) in fv_store_read_end() and remove_pin(). */
    FV_EACH_ACTIVE(p)
        if ((pin = fv_load_acquire_64(&fv_proc(p)->reading)) != 0)
            note_pin(pin);
    FV_EACH_ACTIVE(p)
        for (uint32_t i = 0, n = fv_holds_used(p); i < n; i++)
            if ((pin = fv_load_acquire_64(&fv_holds_of(p)[i])) >> 60 == FV_TAG_PIN)
                note_pin(fv_ref_of_pin(pin));
    if (n_pinned != 0)
        qsort(pinned, n_pinned, sizeof *pinned, compare_refs);
    looked = true;
}

static bool is_pinned(uint64_t ref) {
    return all_pinned || (n_pinned != 0 && bsearch(&ref, pinned, n_pinned, sizeof *pinned, compare_refs) != NULL);
}

bool fv_store_seems_pinned(uint64_t ref) {
    if (ref == 0) {
        looked = false;
        return false;
    }
    if (!looked)
        look_at_pins();
    return is_pinned(ref);
}

/* ------------------------------------------------------------------------------------------------ keeper: words */

/* It is not AWAY any more: whoever wants it looks again. */
static void ring_wanters(uint64_t ref) {
    /* ORDER want (seq_cst): the word before want is read.  Pairs with want (seq_cst) in fv_store_read_begin(). */
    fv_fence_full();
    FV_EACH_ACTIVE(p)
        for (uint32_t k = 0; k < FV_COUNT_OF(fv_proc(p)->want); k++)
            if (fv_load_relaxed_64(&fv_proc(p)->want[k]) == ref && fv_cas_64(&fv_proc(p)->want[k], ref, 0) && k == 0)
                fv_bell_ring(fv_proc(p));
}

struct fv_source *fv_store_source(uint32_t index) {
    const struct fv_task *task = fv_task(index);
    uint64_t              at = fv_load_relaxed_64(&task->args[0]);
    if (task->kind != FV_KIND_TASK || !(task->x & FV_X_ARGS_BLOCK) || task->def >= FV_MAX_DEFS || fv_defs[task->def] == NULL ||
        !(fv_defs[task->def]->flags & FV_DEF_SOURCE) || at > fv_map.seg->bytes - sizeof(struct fv_source))
        return NULL;
    return fv_at(at);
}

bool fv_store_is_copied(uint32_t index, uint64_t word) {
    const struct fv_source *s = fv_store_source(index);
    if (fv_residence(word) == FV_CLEAN && fv_load_relaxed_64(&fv_cold(index)->copy) != FV_COPY_SOURCE)
        return true;
    return s != NULL && fv_load_relaxed_32(&s->state) == FV_SOURCE_SETTLED;
}

void fv_store_copied(struct fv_self *self, uint64_t ref, uint64_t copy, uint64_t check) {
    uint32_t index = fv_ref_index(ref);
    uint64_t word = fv_load_relaxed_64(word_of(index));
    (void)self;
    if (fv_residence(word) > FV_CLEAN)
        return;
    /* CLEAN already: of the same bytes, so that copy alone changes.  Killed before or after that store: either copy is good, as far as it was. */
    if (fv_residence(word) == FV_HERE)
        fv_cold(index)->copy_check = check;
    fv_store_relaxed_64(&fv_cold(index)->copy, copy);
    /* ORDER copied (release): copy and copy_check before CLEAN.  Pairs with copied (acquire) in fv_store_drop(), where the same process
     * reads it; and so what a keeper leaves is right for the next one.  Killed before: HERE, the space on disk is nobody's. */
    fv_store_release_64(word_of(index), word | FV_CLEAN);
}

uint32_t fv_store_drop(struct fv_self *self, const uint64_t *ref, uint32_t n, bool *dropped_out) {
    struct fv_drop *note = fv_map.seg->keeper.dropping;
    uint32_t        n_dropped = 0, k = 0;
    uint8_t         of[FV_DROPS];
    (void)self;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = fv_ref_index(ref[i]);
        /* ORDER copied (acquire): CLEAN before it is given up.  Pairs with copied (release) in fv_store_copied(). */
        uint64_t word = fv_load_acquire_64(word_of(index));
        dropped_out[i] = false;
        if (fv_residence(word) != FV_CLEAN || k == FV_DROPS)
            continue;
        fv_store_relaxed_64(&note[k].ref, ref[i]);
        /* ORDER drop (release): whose block it is before the note counts, and that before AWAY.  Pairs with drop (acquire) in
         * fv_store_mend().  Killed before AWAY: mend stores CLEAN once more. */
        fv_store_release_64(&note[k].offset, fv_residence_offset(word));
        of[k++] = (uint8_t)i;
        fv_store_release_64(word_of(index), FV_AWAY);
    }
    if (k == 0)
        return 0;
    /* ORDER pin (seq_cst): AWAY before the pins are looked at.  Pairs with pin (seq_cst) in fv_store_read_begin(). */
    fv_bell_barrier();
    look_at_pins();
    for (uint32_t j = 0; j < k; j++) {
        uint32_t index = fv_ref_index(ref[of[j]]), gen = fv_ref_gen(ref[of[j]]);
        uint64_t offset = note[j].offset;
        if (is_pinned(ref[of[j]])) {
            fv_store_release_64(word_of(index), offset | FV_CLEAN);
            ring_wanters(ref[of[j]]);
        } else { /* killed in here: the sweep frees what is left */
            fv_store_release_64(&note[j].offset, offset | FV_DROP_FREES);
            fv_arena_free(NULL, offset, bytes_of(index), index, gen);
            dropped_out[of[j]] = true;
            n_dropped++;
        }
        fv_store_release_64(&note[j].offset, 0);
    }
    return n_dropped;
}

/* Blocks that this keeper has begun to restore.  If it dies the sweep finds them: extents of DONE slots that do not refer to them. */
static struct fv_drop begun[FV_DROPS];

static struct fv_drop *find_begun(uint64_t ref) {
    for (uint32_t i = 0; i < FV_DROPS; i++)
        if (begun[i].ref == ref)
            return &begun[i];
    return NULL;
}

/* The reserve only grows.  What lies there already stays until it is released: then what is read back has less. */
bool fv_store_reserve(uint64_t bytes) {
    uint32_t *reserve = &fv_map.seg->keeper.reserve, first = fv_map.seg->file_chunk, n = (uint32_t)((bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES);
    if (n > fv_map.seg->n_file_chunks)
        return true; /* there never will be */
    if (n <= fv_load_relaxed_32(reserve))
        return true;
    if (!fv_chunks_backed(first, first + n)) {
        if (fv_segment_alloc(fv_chunk_offset(first), (uint64_t)n * FV_CHUNK_BYTES) < 0)
            return false;
        fv_chunks_set_backed(first, first + n, true);
    }
    fv_store_release_32(reserve, n);
    return true;
}

uint64_t fv_store_restore_begin(struct fv_self *self, uint64_t ref, bool in_file) {
    uint32_t        index = fv_ref_index(ref);
    struct fv_drop *b = find_begun(ref);
    if (b != NULL)
        return b->offset;
    if (fv_residence(fv_load_relaxed_64(word_of(index))) != FV_AWAY || (b = find_begun(0)) == NULL)
        return 0;
    uint64_t offset = in_file ? fv_arena_alloc_file(&self->heap, index, fv_ref_gen(ref), bytes_of(index), 0)
                              : fv_arena_alloc(&self->heap, index, fv_ref_gen(ref), bytes_of(index));
    if (offset != 0)
        *b = (struct fv_drop){ref, offset};
    return offset;
}

void fv_store_restored(struct fv_self *self, uint64_t ref, uint64_t offset) {
    struct fv_drop *b = find_begun(ref);
    (void)self;
    if (b != NULL)
        b->ref = 0;
    /* ORDER restore (release): the bytes before the word.  Pairs with restore (acquire) in fv_store_read_begin().  Killed after: the sweep
     * rings all bells. */
    fv_store_release_64(word_of(fv_ref_index(ref)), offset | FV_CLEAN);
    ring_wanters(ref);
}

void fv_store_lost(struct fv_self *self, uint64_t ref, int code) {
    uint32_t        index = fv_ref_index(ref);
    struct fv_drop *b = find_begun(ref);
    fv_store_release_64(word_of(index), (uint64_t)code << 16 | FV_LOST);
    ring_wanters(ref);
    if (b == NULL)
        return;
    fv_arena_free(&self->heap, b->offset, bytes_of(index), index, fv_ref_gen(ref));
    b->ref = 0;
}

/* ------------------------------------------------------------------------------------------------ the keeper is dead */

void fv_store_mend(struct fv_self *self, uint32_t dead) {
    struct fv_drop *note = fv_map.seg->keeper.dropping;
    (void)self;
    if (fv_load_relaxed_32(&fv_proc(dead)->role) != FV_ROLE_KEEPER)
        return;
    for (uint32_t i = 0; i < FV_DROPS; i++) {
        /* ORDER drop (acquire): the note before whose it is.  Pairs with drop (release) in fv_store_drop(). */
        uint64_t offset = fv_load_acquire_64(&note[i].offset);
        if (offset == 0)
            continue;
        /* The dead's hold is still there: the slot is what it was.  Where its block was being freed the sweep finds the rest of it, since
         * the slot does not refer to it. */
        if (!(offset & FV_DROP_FREES)) {
            fv_store_release_64(word_of(fv_ref_index(note[i].ref)), offset | FV_CLEAN);
            ring_wanters(note[i].ref);
        }
        fv_store_release_64(&note[i].offset, 0);
    }
}
