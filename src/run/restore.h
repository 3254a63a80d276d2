/* run/restore.h: waiting for the keeper of the store: until a large result is here, until there is room.
 *
 * Both block a body as fever_get does, so that a spare stands in, and end when it is cancelled or the supervisor dies.
 */
#ifndef FV_RUN_RESTORE_H
#define FV_RUN_RESTORE_H

#include "core/store.h"

/* Waits until a large result is here, and pins it: for a view, or until fv_store_read_end().
 * 0, -FEVER_ETIMEDOUT, -FEVER_ERUNTIME, -FEVER_ECANCELED, -FEVER_ENOSLOTS, -FEVER_ESTOREFULL (no room for it), or why it is lost. */
int fv_await_here(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline, bool view, uint64_t *offset_out);
/* An allocation of so many bytes has failed: waits until it may be tried again.
 * *vain: 0 at first, and handed on from try to try: how often there was said to be room, and was none (no memory behind it).
 * 0: try again; -FEVER_ESTOREFULL, -FEVER_ERUNTIME, -FEVER_ECANCELED. */
int fv_make_room(struct fv_self *self, uint64_t bytes, unsigned *vain);
/* The same for what may lie in the fallback: then it may have been allocated there, *offset_out (else it is 0). */
int fv_make_room_for(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes, unsigned *vain, uint64_t *offset_out);
/* fv_home_alloc, and again as long as there may be room; 0: *why_out.  has_refs: it is to hold refs, so not in the fallback. */
uint64_t fv_home_alloc_wait(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes, bool has_refs, int *why_out);

#endif
