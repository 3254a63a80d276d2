/* run/restore.c: see restore.h.
 *
 * Run by drivers and by bodies.  Writes the store's line of its own process slot.  Dies here: the sweep clears that line; the keeper
 * finds nobody to answer.  If the keeper dies the sweep rings all bells: who waits asks again.
 */
#include "run/restore.h"

#include "base/clock.h"
#include "core/cancel.h"
#include "run/runtime.h"

static void start_wait(struct fv_self *self, unsigned reason, uint64_t ref) {
    if (self->is_worker)
        fv_worker_block(self, ref, FV_BLOCKED_ON_SOME);
    fv_note_wait(self, reason, ref);
}

static void end_wait(struct fv_self *self) {
    if (self->is_worker)
        fv_worker_unblock(self);
    else
        fv_note_wait(self, FV_WAIT_NOT, 0);
}

static inline int try_here(struct fv_self *self, uint32_t index, uint32_t gen, bool view, uint64_t *offset_out) {
    return view ? fv_store_pin(self, index, gen, offset_out) : fv_store_read_begin(self, index, gen, offset_out);
}

/* What the keeper says of what it has been asked for and cannot bring; 0: nothing. */
static int refusal(const struct fv_proc *p, uint32_t index, uint64_t ref) {
    /* ORDER room-answer (acquire): want[0] (or room_wanted) is gone before the answer is read.  Pairs with room-answer (release) in
     * answer_room() and forget_want() of the keeper.  Losing it: an old answer is read, and there is one more round. */
    if (fv_load_acquire_64(&p->want[0]) == ref || fv_residence(fv_load_relaxed_64(&fv_task(index)->result[0])) != FV_AWAY)
        return 0;
    return (int32_t)fv_load_relaxed_32((const uint32_t *)&p->room_answer);
}

static __attribute__((noinline)) int await_here(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline, bool view,
                                                uint64_t *offset_out) {
    struct fv_proc *p = self->proc;
    uint64_t        ref = fv_ref_make(index, gen);
    int             rc;
    start_wait(self, FV_WAIT_RESTORE, ref);
    for (bool asked = false, over = deadline == 0;;) {
        uint32_t seen = fv_bell_read(p);
        if (asked && (rc = refusal(p, index, ref)) < 0)
            break;
        fv_store_relaxed_32((uint32_t *)&p->room_answer, 0);
        rc = try_here(self, index, gen, view, offset_out); /* asks anew: the keeper may be another one by now */
        asked = true;
        if (rc != 1)
            break;
        rc = !self->deaf && fv_cancel_told(self) ? -FEVER_ECANCELED : over ? -FEVER_ETIMEDOUT : fv_sleep(self, seen, deadline);
        if (rc == -FEVER_ETIMEDOUT && !over) {
            over = true; /* one more look */
        } else if (rc < 0) {
            fv_store_prefetch(self, ref); /* who polls gets it some time */
            break;
        }
    }
    if (rc < 0)
        fv_store_read_end(self);
    end_wait(self);
    return rc;
}

int fv_await_here(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline, bool view, uint64_t *offset_out) {
    int rc = try_here(self, index, gen, view, offset_out);
    return FV_LIKELY(rc <= 0) ? rc : await_here(self, index, gen, deadline, view, offset_out);
}

/* FV_ROOM_IN_FILE: not in the store, but there is room in the fallback. */
int fv_make_room(struct fv_self *self, uint64_t bytes, unsigned *vain) {
    struct fv_proc *p = self->proc;
    int             rc = 0;
    if (self->is_inline || !fv_load_relaxed_32(&fv_map.seg->keeper.possible))
        return -FEVER_ESTOREFULL;
    fv_store_relaxed_32((uint32_t *)&p->room_answer, 0);
    fv_store_release_64(&p->room_wanted, bytes | (uint64_t)*vain << 56);
    start_wait(self, FV_WAIT_STORE, 0);
    for (;;) {
        uint32_t seen = fv_bell_read(p);
        if (fv_load_acquire_64(&p->room_wanted) == 0) {
            rc = (int32_t)fv_load_relaxed_32((const uint32_t *)&p->room_answer);
            break;
        }
        fv_store_ask(self);
        rc = !self->deaf && fv_cancel_told(self) ? -FEVER_ECANCELED : fv_sleep(self, seen, UINT64_MAX);
        if (rc < 0) {
            fv_store_release_64(&p->room_wanted, 0);
            break;
        }
    }
    end_wait(self);
    *vain = rc == FV_ROOM_FREE ? FV_MIN(*vain + 1, 0x7Fu) : 0;
    return rc == FV_ROOM_FREE ? 0 : rc;
}

int fv_make_room_for(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes, unsigned *vain, uint64_t *offset_out) {
    *offset_out = 0;
    if (bytes <= FV_SMALL_MOST || fv_map.seg->n_file_chunks == 0)
        return fv_make_room(self, bytes, vain);
    int rc = fv_make_room(self, bytes | FV_ROOM_ANYWHERE, vain);
    if (rc == FV_ROOM_IN_FILE || (rc == -FEVER_ESTOREFULL && !fv_load_relaxed_32(&fv_map.seg->keeper.possible)))
        *offset_out = fv_home_alloc_file(self, index, gen, bytes);
    return *offset_out != 0 || rc == FV_ROOM_IN_FILE ? 0 : rc; /* if somebody was quicker we ask again */
}

uint64_t fv_home_alloc_wait(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes, bool has_refs, int *why_out) {
    uint64_t offset, in_file = 0;
    unsigned vain = 0;
    while ((offset = fv_home_alloc(self, index, gen, bytes)) == 0) {
        int rc = has_refs ? fv_make_room(self, bytes, &vain) : fv_make_room_for(self, index, gen, bytes, &vain, &in_file);
        if (in_file != 0)
            return in_file;
        if (rc < 0) {
            *why_out = rc;
            return 0;
        }
    }
    return offset;
}
