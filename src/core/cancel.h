/* core/cancel.h: requests to cancel: made by anyone, heard by who runs the task, by the sweep and by the supervisor. */
#ifndef FV_CORE_CANCEL_H
#define FV_CORE_CANCEL_H

#include "core/task.h"

/* FV_CANCEL_... of what is asked of that generation; 0: nothing. */
static inline unsigned fv_cancel_asked(uint32_t index, uint32_t gen) {
    /* ORDER cancel (acquire): the own bell, or the own BLOCKED, before the request.  Pairs with cancel (seq_cst) in fv_cancel_ask(). */
    uint64_t w = fv_load_acquire_64(&fv_cold(index)->cancel);
    return w >> 32 == gen ? (unsigned)w : 0;
}

/* In a body: is the innermost task to end?  Once it has been told, it ends as cancelled. */
static inline bool fv_cancel_told(struct fv_self *self) {
    uint64_t id = self->proc->current;
    if (FV_LIKELY(self->running == 0 || fv_cancel_asked(fv_ref_index(id), fv_ref_gen(id)) == 0))
        return false;
    self->failed = true;
    self->fail_code = FEVER_ECANCELED;
    return true;
}

/* how: FV_CANCEL_...  1: it ended by that, or what runs it was told; 0: it was complete; -FEVER_ESTATE: an object.
 * Sets self->call_supervisor when something is to be killed. */
int fv_cancel(struct fv_self *self, uint64_t id, unsigned how);
/* What `parent`, which runs or ran in process slot p, has submitted and is not complete. */
void fv_cancel_children(struct fv_self *self, uint64_t parent, uint32_t p, unsigned how);
/* Adds to the request, and does no more; that of a later generation stays as it is. */
void fv_cancel_ask(uint32_t index, uint32_t gen, unsigned how);
/* RUN by self -> FAIL. */
void fv_cancel_end(struct fv_self *self, uint32_t index, const char *text);
/* Supervisor: each task that is to be cancelled by force, and the process slot that runs it. */
void fv_cancel_each_forced(void (*found)(uint32_t slot, uint64_t id));

#endif
