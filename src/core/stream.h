/* core/stream.h: the items that a task yields, between its worker and those who take them.  struct fv_stream says what
 * stands where.
 *
 * No sleeping: who waits for room or for an item announces it here and sleeps in api/stream.c.
 */
#ifndef FV_CORE_STREAM_H
#define FV_CORE_STREAM_H

#include "core/task.h"

static inline uint64_t fv_stream_bytes(uint64_t capacity) {
    return sizeof(struct fv_stream) + capacity * sizeof(struct fv_stream_entry) + (capacity + 1) * 8;
}
/* Is the task in a slot that is in use a stream? */
static inline bool fv_is_stream(uint32_t index) {
    return fv_load_relaxed_8(&fv_task(index)->x) & FV_X_OPTIONS && fv_load_relaxed_64(&fv_cold(index)->stream) != 0;
}
/* What the slot's stream occupies, or occupied before a part of it was freed; offset 0: it is none. */
static inline struct fv_span fv_stream_span(uint32_t index) {
    if (!fv_is_stream(index))
        return (struct fv_span){0, 0};
    const struct fv_task_cold *c = fv_cold(index);
    return (struct fv_span){fv_load_relaxed_64(&c->stream), fv_stream_bytes(fv_load_relaxed_32(&c->stream_items))};
}
/* The stream of slot index, of generation gen; NULL when it is none, or gone. */
struct fv_stream *fv_stream_of(uint32_t index, uint32_t gen);

/* Home: a stream for a slot that is being filled.  Its offset, or 0: the store is full. */
uint64_t fv_stream_create(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t capacity, uint64_t bytes_limit);

/* RUN owner: an attempt begins. */
void fv_stream_begin(struct fv_stream *s);
/* Is there room for an item of so many bytes? */
bool fv_stream_has_room(struct fv_stream *s, uint64_t bytes);
/* Says that the owner waits for room: it looks for it once more, then sleeps. */
void fv_stream_announce_room(struct fv_self *self, struct fv_stream *s);
/* After fv_stream_has_room(): item `id`, which self holds, is the next one. */
void fv_stream_push(struct fv_self *self, struct fv_stream *s, uint64_t id, uint64_t bytes);
/* Nobody holds the stream any more. */
bool fv_stream_is_abandoned(uint32_t index);
/* Lets go of all items that nobody has taken. */
void fv_stream_drain(struct fv_self *self, struct fv_stream *s);

/* Anybody who holds the stream.  1: *id_out is the next item, held by this process; 0: there is none now; else an error. */
int  fv_stream_take(struct fv_self *self, struct fv_stream *s, uint64_t *id_out);
/* Says that self waits for an item: it looks for one once more, then sleeps. */
void fv_stream_announce_wait(struct fv_self *self, struct fv_stream *s);

/* The last one who held the slot with word t has let go: its owner may be waiting for room. */
void fv_stream_left(uint32_t index, uint64_t t);
/* Frees what the slot's stream, if it is one, holds and occupies. */
void fv_stream_free(struct fv_self *self, uint32_t index, uint32_t gen);
/* Supervisor: how many of its entries hold id. */
uint32_t fv_stream_records(uint32_t index, uint32_t gen, uint64_t id);
/* Supervisor: ends what the dead was taking. */
void fv_stream_mend(struct fv_self *self, uint32_t index, uint32_t gen, uint32_t dead);

#endif
