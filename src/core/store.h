/* core/store.h: results that may be on disk: pins of readers, and what the keeper does to residence words.
 *
 * shm/layout.h has the words and the protocol (enum fv_residence).  Readers are drivers and bodies; all else is run by the keeper
 * alone.  No I/O here and no sleeping: run/keeper.c reads and writes, run/restore.c waits.  fv_result_is_large() in task.h tells
 * which results are meant: all others are always here, and nobody pays for them.
 */
#ifndef FV_CORE_STORE_H
#define FV_CORE_STORE_H

#include "core/task.h"
#include "shm/source.h"

/* --- readers --------------------------------------------------------------------------------- */
/* A pin for as long as a copy lasts: one word in the process slot, so one at a time.  After this:
 *   0  it is here, *offset_out; fv_store_read_end() when it has been read
 *   1  it is away and has been asked for.  The pin stays: sleep until the bell rings, which was read before the call, and try again; or
 *      give it up by fv_store_read_end()
 *   -FEVER_E...: it is lost; nothing is pinned */
int  fv_store_read_begin(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t *offset_out);
void fv_store_read_end(struct fv_self *self);
/* A pin for a view: an entry in the process's hold table; once for each process (a worker: each body), until the process has let go
 * of its last hold of the ref (driver), the body ends (worker), or fv_store_unpin().  Gives what fv_store_read_begin() does; at 1 a pin
 * of that kind stays, which fv_store_read_end() gives up. */
int  fv_store_pin(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t *offset_out);
/* The same for who makes an object, before it is sealed: it cannot be away. */
int  fv_store_pin_new(struct fv_self *self, uint32_t index, uint32_t gen);
/* Ends the views of this body, or of the driver. */
void fv_store_unpin(struct fv_self *self, uint64_t id);
/* It will be needed soon: asks for it without waiting.  Does nothing when it is here. */
void fv_store_prefetch(struct fv_self *self, uint64_t id);
/* Tells the keeper that there is work: after want or room_wanted. */
void fv_store_ask(struct fv_self *self);

/* After an allocation of more than FV_SMALL_MOST bytes: is the store so full that the keeper should write ahead of need? */
static inline void fv_store_watch(struct fv_self *self) {
    const struct fv_segment *s = fv_map.seg;
    if (FV_UNLIKELY(s->spill_mark != 0 && fv_load_relaxed_32(&s->extent_chunks) > s->spill_mark && !fv_load_relaxed_32(&s->keeper.wanted)))
        fv_store_ask(self);
}

/* --- keeper ---------------------------------------------------------------------------------- */
/* Takes a counted hold on a complete slot, handed to it by nobody; false: it is gone, or not complete.  Let go by fv_unhold(), which
 * frees it if that was the last one. */
bool fv_store_hold(struct fv_self *self, uint64_t ref);
/* The same on a slot that could be spilled: DONE, an extent, no nested refs, HERE or CLEAN.  False: it is not that. */
bool fv_store_take(struct fv_self *self, uint32_t index, uint64_t *ref_out, uint64_t *offset_out, uint64_t *bytes_out);
/* The source of a result that was loaded, if it is noted; NULL.  Of a slot that is not held it is a hint: another use of the slot may be
 * seen. */
struct fv_source *fv_store_source(uint32_t index);
/* Can it be dropped without being written, as far as is known? */
bool fv_store_is_copied(uint32_t index, uint64_t word);
/* HERE -> CLEAN; of what is CLEAN already: another copy takes the place of the first. */
void fv_store_copied(struct fv_self *self, uint64_t ref, uint64_t copy, uint64_t check);
/* CLEAN -> AWAY for up to FV_DROPS held refs at once (one membarrier, one look at the pins); sets dropped_out[i] for those that went,
 * and gives their number.  What is not CLEAN stays. */
uint32_t fv_store_drop(struct fv_self *self, const uint64_t *ref, uint32_t n, bool *dropped_out);
/* A block for a held ref that is AWAY, in the store or in the fallback; 0: no room (or FV_DROPS of them are begun). */
uint64_t fv_store_restore_begin(struct fv_self *self, uint64_t ref, bool in_file);
/* Sees to it that what is so large finds room in the fallback when it is read back.  False: there is no space for that on
 * disk. */
bool fv_store_reserve(uint64_t bytes);
/* The end of that: AWAY -> CLEAN, and rings whoever wants it; or AWAY -> LOST, with a FEVER_E code, which frees the block, if one was
 * begun. */
void fv_store_restored(struct fv_self *self, uint64_t ref, uint64_t offset);
void fv_store_lost(struct fv_self *self, uint64_t ref, int code);
/* Is it pinned just now?  A hint for the choice of what to spill: no barrier.  Collects all pins once: give 0 to forget them. */
bool fv_store_seems_pinned(uint64_t ref);
/* Supervisor, sweep after the keeper's death: what it was dropping.  The rest is the sweep's. */
void fv_store_mend(struct fv_self *self, uint32_t dead);

#endif
