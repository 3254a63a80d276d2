/* api/cancel.c: cancelling, and hearing of it.
 *
 * Run by drivers and by bodies.  Writes nothing by itself: see core/cancel.c.
 */
#include "api/api.h"
#include "core/cancel.h"

int fever_cancel(fever_ref ref, unsigned flags) {
    int why;
    if (flags & ~(FEVER_CANCEL_FORCE | FEVER_CANCEL_ONLY))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    uint64_t t = 0;
    int      rc = fv_ref_check(ref.id, &index, &t);
    if (rc == 0 && fv_task(index)->kind == FV_KIND_OBJECT)
        rc = -FEVER_ESTATE;
    if (rc == 0)
        rc = fv_cancel(self, ref.id, FV_CANCEL_ASKED | (flags & FEVER_CANCEL_FORCE ? FV_CANCEL_FORCE : 0) |
                                         (flags & FEVER_CANCEL_ONLY ? 0 : FV_CANCEL_TREE));
    return fv_leave(self, rc);
}

bool fever_cancelled(void) {
    struct fv_self *self = fv_self;
    if (FV_LIKELY(self != NULL))
        return fv_self_epoch == fv_epoch && fv_cancel_told(self);
    /* A thread that a body made: it is told of what runs here now, and the body's own thread notes by itself what it has heard. */
    uint64_t id = fv_epoch == 0 || (self = fv_worker_of_process()) == NULL ? 0 : fv_load_acquire_64(&self->proc->current);
    return id != 0 && fv_cancel_asked(fv_ref_index(id), fv_ref_gen(id)) != 0;
}
