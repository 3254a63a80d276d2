/* core/stream.c: yielding and taking the items of a stream.
 *
 * Run by workers (yield), by everybody (take) and by the supervisor (mend).  Writes the stream's block and, through hold.c, counts
 * of items.  Dies here: the table above struct fv_stream in shm/layout.h says what each store leaves and who goes on from there.
 * There is no lock: consumers claim an item each by its own word, and one that stops on the way stops nobody but, when
 * the ring has gone round, the producer.
 */
#include "core/stream.h"

#include <string.h>

#define TURN(lap) ((uint64_t)(lap) << 16)

static inline uint64_t *upto_of(struct fv_stream *s, uint64_t i) {
    return (uint64_t *)(void *)&s->entry[s->capacity] + i % (s->capacity + 1);
}
static inline struct fv_stream_entry *entry_of(struct fv_stream *s, uint64_t i) { return &s->entry[i % s->capacity]; }

struct fv_stream *fv_stream_of(uint32_t index, uint32_t gen) {
    uint64_t offset = fv_is_stream(index) ? fv_load_relaxed_64(&fv_cold(index)->stream) : 0;
    return offset != 0 && fv_arena_owned(offset, index, gen) ? fv_at(offset) : NULL;
}

uint64_t fv_stream_create(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t capacity, uint64_t bytes_limit) {
    uint64_t bytes = fv_stream_bytes(capacity), offset = fv_home_alloc(self, index, gen, bytes);
    if (offset == 0)
        return 0;
    struct fv_stream *s = fv_at(offset);
    memset(s, 0, bytes);
    s->capacity = capacity;
    fv_cold(index)->stream_items = (uint32_t)capacity;
    s->bytes_limit = bytes_limit;
    return offset;
}

/* ------------------------------------------------------------------------------------------------ producer */

/* Moves n_taken over what has been taken. */
static uint64_t advance(struct fv_stream *s) {
    uint64_t k = fv_load_relaxed_64(&s->n_taken);
    while (k < fv_load_relaxed_64(&s->n_yielded) && fv_load_acquire_64(&entry_of(s, k)->turn) >> 16 > k / s->capacity)
        if (fv_cas_value_64(&s->n_taken, k, k + 1, &k))
            k++;
    return k;
}

static void wake_consumer(struct fv_stream *s) {
    /* ORDER item-wait (seq_cst): n_yielded before waiter is read, by an exchange.  Pairs with item-wait (seq_cst) in
     * fv_stream_announce_wait().  Losing it: the consumer sleeps on beside its item. */
    uint32_t w = fv_fas_32(&s->waiter, 0);
    if (w == FV_MANY)
        fv_bell_ring_all();
    else if (w != 0 && w - 1 < fv_map.seg->n_procs)
        fv_bell_ring(fv_proc(w - 1));
}

static void count_item(struct fv_stream *s, uint64_t i) {
    /* ORDER yield (release): item and upto before n_yielded.  Pairs with yield (acquire) in fv_stream_take(). */
    fv_store_release_64(&s->n_yielded, i + 1);
    wake_consumer(s);
}

void fv_stream_begin(struct fv_stream *s) {
    uint64_t i = s->n_yielded;
    s->next = 0;
    fv_store_relaxed_32(&s->producer, 0);
    /* The turn is the item's, so what stands there is no item of the last lap: an attempt died before it counted it. */
    if (fv_load_acquire_64(&entry_of(s, i)->turn) == TURN(i / s->capacity) && fv_load_relaxed_64(&entry_of(s, i)->item) != 0)
        count_item(s, i);
}

bool fv_stream_has_room(struct fv_stream *s, uint64_t bytes) {
    uint64_t i = s->n_yielded, taken = advance(s);
    if (taken == i)
        return true;
    uint64_t in_flight = *upto_of(s, i - 1) - (taken == 0 ? 0 : *upto_of(s, taken - 1));
    /* ORDER room (acquire): the turn before the entry is written.  Pairs with room (release) in end_turn(). */
    return fv_load_acquire_64(&entry_of(s, i)->turn) == TURN(i / s->capacity) &&
           (in_flight >= s->bytes_limit ? false : bytes <= s->bytes_limit - in_flight);
}

void fv_stream_announce_room(struct fv_self *self, struct fv_stream *s) {
    /* ORDER room-wait (seq_cst): producer before the second look for room, by an exchange.  Pairs with room-wait (seq_cst) in
     * end_turn().  Losing it: the producer sleeps on in an empty stream. */
    fv_fas_32(&s->producer, self->slot + 1);
}

void fv_stream_push(struct fv_self *self, struct fv_stream *s, uint64_t id, uint64_t bytes) {
    uint64_t i = s->n_yielded;
    *upto_of(s, i) = (i == 0 ? 0 : *upto_of(s, i - 1)) + bytes;
    fv_shared_acquire(self, id, &entry_of(s, i)->item);
    s->next = i + 1;
    count_item(s, i);
}

bool fv_stream_is_abandoned(uint32_t index) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    return !(t & FV_HELD) && !(t & FV_SHARED && fv_load_acquire_64(&fv_cold(index)->count) >> 32 != 0);
}

/* ------------------------------------------------------------------------------------------------ consumers */

/* The claimant has let go of the record of item k: the entry is the producer's again. */
static void end_turn(struct fv_stream *s, uint64_t k) {
    /* ORDER room (release): item is 0 before the next lap's turn.  Pairs with room (acquire) in fv_stream_has_room().
     * ORDER room-wait (seq_cst): the turn before producer is read, by an exchange.  Pairs with room-wait (seq_cst) in
     * fv_stream_announce_room(). */
    fv_fas_64(&entry_of(s, k)->turn, TURN(k / s->capacity + 1));
    advance(s);
    uint32_t p = fv_load_relaxed_32(&s->producer);
    if (p != 0 && p - 1 < fv_map.seg->n_procs && fv_cas_32(&s->producer, p, 0))
        fv_bell_ring(fv_proc(p - 1));
}

/* Claims the first item that nobody has claimed; false when there is none. */
static bool claim(struct fv_self *self, struct fv_stream *s, uint64_t *k_out) {
    /* ORDER yield (acquire): n_yielded before item.  Pairs with yield (release) in count_item(). */
    uint64_t n = fv_load_acquire_64(&s->n_yielded);
    for (uint64_t k = advance(s); k < n; k++)
        if (fv_load_relaxed_64(&entry_of(s, k)->turn) == TURN(k / s->capacity) &&
            fv_cas_64(&entry_of(s, k)->turn, TURN(k / s->capacity), TURN(k / s->capacity) | (self->slot + 1))) {
            *k_out = k;
            return true;
        }
    return false;
}

int fv_stream_take(struct fv_self *self, struct fv_stream *s, uint64_t *id_out) {
    uint64_t k;
    if (!claim(self, s, &k))
        return 0;
    struct fv_stream_entry *e = entry_of(s, k);
    uint64_t id = fv_load_relaxed_64(&e->item);
    int      rc = fv_hold(self, id);
    if (rc < 0) { /* no room for one more hold: it stays the next item */
        fv_store_release_64(&e->turn, TURN(k / s->capacity));
        wake_consumer(s);
        return rc;
    }
    fv_shared_release(self, id, &e->item);
    end_turn(s, k);
    *id_out = id;
    return 1;
}

void fv_stream_drain(struct fv_self *self, struct fv_stream *s) {
    for (uint64_t k; claim(self, s, &k);) {
        fv_shared_release(self, fv_load_relaxed_64(&entry_of(s, k)->item), &entry_of(s, k)->item);
        end_turn(s, k);
    }
}

void fv_stream_announce_wait(struct fv_self *self, struct fv_stream *s) {
    uint32_t me = self->slot + 1, w = fv_load_relaxed_32(&s->waiter);
    /* ORDER item-wait (seq_cst): waiter, by a locked instruction, before the second look for an item.  Pairs with
     * item-wait (seq_cst) in wake_consumer(). */
    while (!fv_cas_value_32(&s->waiter, w, w == 0 || w == me ? me : FV_MANY, &w))
        ;
}

/* ------------------------------------------------------------------------------------------------ the end */

void fv_stream_left(uint32_t index, uint64_t t) {
    if (fv_truth_state(t) == FV_RUN && fv_is_stream(index))
        fv_bell_ring(fv_proc(fv_truth_owner(t)));
}

void fv_stream_free(struct fv_self *self, uint32_t index, uint32_t gen) {
    struct fv_span    span = fv_stream_span(index);
    struct fv_stream *s = fv_stream_of(index, gen);
    if (span.offset == 0)
        return;
    /* NULL: who freed it before, and died, had come to the chunks of it, of which the first is gone. */
    uint64_t n = s == NULL ? 0 : FV_MIN(s->capacity, s->n_yielded + 1); /* one may be there that was not counted */
    for (uint64_t i = 0; i < n; i++)
        if (fv_load_relaxed_64(&s->entry[i].item) != 0)
            fv_shared_release(self, s->entry[i].item, &s->entry[i].item);
    fv_arena_free(&self->heap, span.offset, span.bytes, index, gen);
}

/* The supervisor looks into streams that it does not hold: one may end, and its block be used anew, while it looks.  So nothing is
 * believed, and nothing written, but after a look that the block is the stream's still. */
static uint64_t entries_of(const struct fv_stream *s) { return s == NULL ? 0 : FV_MIN(fv_load_relaxed_64(&s->capacity), (uint64_t)FV_STREAM_MOST); }

static bool is_still(uint32_t index, uint32_t gen, const struct fv_stream *s) {
    fv_fence_load();
    return fv_stream_of(index, gen) == s;
}

uint32_t fv_stream_records(uint32_t index, uint32_t gen, uint64_t id) {
    struct fv_stream *s = fv_stream_of(index, gen);
    uint64_t          n = entries_of(s);
    uint32_t          found = 0;
    if (s == NULL || !is_still(index, gen, s))
        return 0;
    for (uint64_t i = 0; i < n; i++)
        found += fv_load_acquire_64(&s->entry[i].item) == id;
    return is_still(index, gen, s) ? found : 0;
}

void fv_stream_mend(struct fv_self *self, uint32_t index, uint32_t gen, uint32_t dead) {
    struct fv_stream *s = fv_stream_of(index, gen);
    uint64_t          n = entries_of(s);
    if (s == NULL || !is_still(index, gen, s))
        return;
    for (uint64_t i = 0; i < n; i++) {
        struct fv_stream_entry *e = &s->entry[i];
        uint64_t                turn = fv_load_acquire_64(&e->turn);
        /* What the dead was taking it held: such a stream stays until its holds are released. */
        if ((turn & 0xFFFF) != dead + 1 || !is_still(index, gen, s))
            continue;
        if (fv_load_relaxed_64(&e->item) != 0)
            fv_shared_release(self, e->item, &e->item);
        end_turn(s, (turn >> 16) * n + i);
    }
}
