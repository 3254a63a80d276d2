/* run/room.c: the data area as the keeper sees it.
 *
 * Run by the keeper.  Reads chunk words, task slots and pins, writes nothing shared: all that it finds is looked at once more when
 * something is taken (fv_store_take, fv_store_drop).
 */
#include "run/room.h"

#include <stdlib.h>

#include "core/store.h"
#include "policy/evict.h"
#include "shm/arena.h"
#include "shm/extent.h"

static struct fv_evict_run *view, *view_without; /* as the policy sees it; the same with all that is free fixed */
static struct fv_room_run  *run;
static uint32_t            *order; /* objects, for sorting */
static uint32_t             n_runs, n_looked_at; /* chunks */
static bool                 is_pinned, is_being_made;

bool fv_room_open(void) {
    size_t n = FV_MAX(fv_map.seg->n_chunks, fv_map.seg->n_file_chunks) + 1;
    view = malloc(n * sizeof *view);
    view_without = malloc(n * sizeof *view_without);
    run = malloc(n * sizeof *run);
    order = malloc(n * sizeof *order);
    return view != NULL && view_without != NULL && run != NULL && order != NULL;
}

/* Whose a chunk is: 0, SMALL or EXTENT. */
static uint64_t word_of(uint32_t chunk) {
    uint64_t super = fv_load_acquire_64(&fv_map.supers[chunk / FV_SUPER_CHUNKS]);
    switch (fv_word_kind(super)) {
    case FV_CHUNK_EXTENT: return super;
    case FV_SUPER_SPLIT:  return fv_load_acquire_64(&fv_map.chunks[chunk]);
    default:              return 0;
    }
}

uint64_t fv_room_used_chunks(void) { return fv_arena_used_bytes() / FV_CHUNK_BYTES; }

/* Chunks of a complete result that could be away, [*first_out, *end_out); false: the extent is something else. */
static bool find_object(uint32_t index, uint32_t gen, uint32_t *first_out, uint32_t *end_out, bool *clean_out) {
    if (index >= fv_map.seg->n_procs << fv_map.shift || (index & fv_map.mask) >= fv_load_acquire_32(&fv_proc(fv_home_of(index))->slab_limit))
        return false;
    const struct fv_task *task = fv_task(index);
    uint64_t              t = fv_load_acquire_64(&task->truth);
    uint64_t              word = fv_load_acquire_64(&task->result[0]), bytes = fv_load_relaxed_64(&task->result[1]);
    uint8_t               x = fv_load_relaxed_8(&task->x);
    if (fv_truth_gen(t) != gen || fv_truth_state(t) != FV_DONE) {
        unsigned owner = fv_truth_owner(t);
        bool     stuck = (fv_truth_state(t) == FV_OPEN || fv_truth_state(t) == FV_RUN) && owner < fv_map.seg->n_procs &&
                     fv_load_acquire_64(&fv_proc(owner)->room_wanted) != 0;
        is_being_made |= !stuck; /* it is written, or freed, just now */
        return false;
    }
    uint64_t offset = fv_residence_offset(word), base = fv_map.seg->off_data;
    if (!(x & FV_X_RESULT_BLOCK) || x & FV_X_NESTED || bytes <= FV_SMALL_MOST || offset < base || offset >= fv_map.seg->all_bytes)
        return false;
    *first_out = (uint32_t)((offset - base) / FV_CHUNK_BYTES);
    *end_out = (uint32_t)((offset - base + bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES);
    *clean_out = fv_store_is_copied(index, word);
    return true;
}

static bool is_wanted_soon(uint64_t ref) {
    FV_EACH_ACTIVE(p)
        for (uint32_t k = 0; k < FV_COUNT_OF(fv_proc(p)->want); k++)
            if (fv_load_relaxed_64(&fv_proc(p)->want[k]) == ref)
                return true;
    return false;
}

void fv_room_look(uint32_t (*last_use)(uint32_t index, uint32_t gen), enum fv_room_part part) {
    bool     in_file = part >= FV_ROOM_FILE, can_write = part == FV_ROOM_STORE;
    uint32_t newest = 0, n_objects = 0, low = in_file ? fv_map.seg->file_chunk : 0, high = fv_part_end(low);
    if (part == FV_ROOM_FILE_NEW)
        low = FV_MIN(low + fv_map.seg->keeper.reserve, high);
    n_runs = 0;
    n_looked_at = high - low;
    is_pinned = is_being_made = false;
    fv_store_seems_pinned(0);
    for (uint32_t c = low, n = high; c < n;) {
        uint64_t            w = word_of(c);
        struct fv_evict_run e = {.kind = w == 0 ? FV_EVICT_FREE : FV_EVICT_FIXED};
        struct fv_room_run  r = {c, 0, FV_NO_ROOT, 0};
        uint32_t            limit = n, first, end;
        bool                clean;
        if (fv_word_kind(w) == FV_CHUNK_EXTENT) {
            r.index = fv_word_index(w), r.gen = (uint32_t)w;
            is_being_made |= r.index == FV_NO_ROOT; /* it is being claimed */
            if (r.index != FV_NO_ROOT && find_object(r.index, r.gen, &first, &end, &clean)) {
                if (c < first) { /* another extent of the same slot */
                    limit = first;
                } else if (c == first) {
                    limit = end;
                    uint64_t ref = fv_ref_make(r.index, r.gen);
                    bool     pinned = fv_store_seems_pinned(ref);
                    is_pinned |= pinned;
                    e.clean = clean;
                    if (!pinned && (clean || can_write))
                        e.kind = FV_EVICT_OBJECT;
                    e.age = last_use(r.index, r.gen);
                    e.soon = is_wanted_soon(ref);
                    newest = FV_MAX(newest, e.age);
                    n_objects++;
                }
            }
        }
        while (c < FV_MIN(limit, n) && word_of(c) == w)
            c++;
        if (c == r.first)
            continue; /* it has changed meanwhile */
        e.chunks = r.chunks = c - r.first;
        run[n_runs] = r;
        view[n_runs++] = e;
    }
    for (uint32_t i = 0; i < n_runs; i++) { /* 8 and more: not among as many last uses as there are objects */
        view[i].age = view[i].kind == FV_EVICT_OBJECT ? (uint32_t)((uint64_t)(newest - view[i].age) * 8 / n_objects) : 0;
        view_without[i] = view[i];
        if (view[i].kind == FV_EVICT_FREE)
            view_without[i].kind = FV_EVICT_FIXED;
    }
}

/* Is something pinned by a body, or a copy, that does not itself wait for the store? */
static bool pins_may_go(void) {
    FV_EACH_ACTIVE(p) {
        struct fv_proc *proc = fv_proc(p);
        if (fv_load_relaxed_64(&proc->room_wanted) != 0 || fv_load_relaxed_64(&proc->want[0]) != 0)
            continue;
        if (fv_load_relaxed_64(&proc->reading) != 0)
            return true;
        if (proc->role == FV_ROLE_DRIVER)
            continue;
        for (uint32_t i = 0, n = fv_holds_used(p); i < n; i++)
            if (fv_load_relaxed_64(&fv_holds_of(p)[i]) >> 60 == FV_TAG_PIN)
                return true;
    }
    return false;
}

uint32_t fv_room_choose(uint64_t bytes, bool more, struct fv_victim *victims_out, bool *is_free_out, bool *later_out) {
    uint32_t first = 0, n = 0;
    uint64_t need = FV_MAX((bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES, 1u);
    uint32_t m = fv_evict_stretch(more ? view_without : view, n_runs, need, &first);
    for (uint32_t i = first; i < first + m && n < FV_VICTIMS; i++)
        if (view[i].kind == FV_EVICT_OBJECT)
            victims_out[n++].index = run[i].index;
    *is_free_out = m != 0 && n == 0;
    *later_out = m == 0 && need <= n_looked_at && (is_being_made || (is_pinned && pins_may_go()));
    return n;
}

static int colder(const void *a, const void *b) {
    const struct fv_evict_run *x = &view[*(const uint32_t *)a], *y = &view[*(const uint32_t *)b];
    return fv_evict_before(x, y) ? -1 : fv_evict_before(y, x);
}

uint32_t fv_room_coldest(uint64_t chunks, uint64_t write_chunks, struct fv_victim *victims_out, uint32_t room) {
    uint32_t n = 0, m = 0;
    for (uint32_t i = 0; i < n_runs; i++)
        if (view[i].kind == FV_EVICT_OBJECT && !view[i].soon)
            order[n++] = i;
    qsort(order, n, sizeof *order, colder);
    uint64_t sum = 0, to_write = 0;
    for (uint32_t k = 0; k < n && m < room && sum < chunks && to_write < write_chunks; k++) {
        const struct fv_evict_run *e = &view[order[k]];
        sum += e->chunks;
        to_write += e->clean ? 0 : e->chunks;
        victims_out[m++].index = run[order[k]].index;
    }
    return m;
}

uint32_t fv_room_runs(const struct fv_room_run **runs_out) {
    *runs_out = run;
    return n_runs;
}
