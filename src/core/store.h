/* core/store.h: results that may be on disk: pins of readers, and what the keeper does to residence words.
 *
 * shm/layout.h has the words and the protocol (enum fv_residence).  Readers are drivers and bodies; all else is run by the keeper
 * alone.  No I/O here and no sleeping: run/keeper.c reads and writes, api/store.c waits.
 */
#ifndef FV_CORE_STORE_H
#define FV_CORE_STORE_H

#include "core/task.h"

/* Could this complete result ever be anywhere else?  (A result block that is an extent, of a task that ended well.) */
static inline bool fv_result_is_large(const struct fv_task *t);

/* --- readers --------------------------------------------------------------------------------- */
/* A pin for as long as a copy lasts: one word in the process slot.  After either of these: 0 it is here, *offset_out; 1 it is away and
 * has been asked for: sleep until the bell rings, try again; -FEVER_E...: it is lost. */
int  fv_store_read_begin(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t *offset_out);
void fv_store_read_end(struct fv_self *self);
/* A pin for a view: an entry in the process's hold table; once for each process (a worker: each body), until the process has let go
 * of its last hold of the ref, the body ends, or fv_store_unpin(). */
int  fv_store_pin(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t *offset_out);
int  fv_store_unpin(struct fv_self *self, uint64_t id);
/* It will be needed soon: asks for it without waiting.  Does nothing when it is here. */
void fv_store_prefetch(struct fv_self *self, uint64_t id);

/* --- keeper ---------------------------------------------------------------------------------- */
/* Takes a counted hold on a slot that could be spilled: DONE, an extent, no nested refs, HERE or CLEAN.  False: it is not that.
 * fv_unhold(self, fv_ref_make(index, gen)) lets go; it may be the last one and free it. */
bool fv_store_take(struct fv_self *self, uint32_t index, uint64_t *ref_out, uint64_t *offset_out, uint64_t *bytes_out);
/* HERE -> CLEAN. */
void fv_store_copied(struct fv_self *self, uint64_t ref, uint64_t copy, uint64_t check);
/* CLEAN -> AWAY for up to FV_DROPS held refs at once (one membarrier, one look at the pins); sets dropped_out[i] for those that went. */
uint32_t fv_store_drop(struct fv_self *self, const uint64_t *ref, uint32_t n, bool *dropped_out);
/* A block for a held ref that is AWAY; 0: no room. */
uint64_t fv_store_restore_begin(struct fv_self *self, uint64_t ref);
/* AWAY -> CLEAN, and rings whoever wants it; or AWAY -> LOST, with a FEVER_E code. */
void fv_store_restored(struct fv_self *self, uint64_t ref, uint64_t offset);
void fv_store_lost(struct fv_self *self, uint64_t ref, int code);
/* Is it pinned just now?  A hint for the choice of what to spill: no barrier.  Collects all pins once: give NULL to forget them. */
bool fv_store_seems_pinned(uint64_t ref);
/* Sweep after the keeper's death. */
void fv_store_mend(struct fv_self *self, uint32_t dead);

static inline bool fv_result_is_large(const struct fv_task *t) {
    return t->x & FV_X_RESULT_BLOCK && ((const struct fv_span *)t->result)->bytes > FV_SMALL_MOST;
}

#endif
