/* api/cancel.c: cancelling, and hearing of it.
 *
 * Run by drivers and by bodies.  Writes nothing by itself: see core/cancel.c.
 */
#include "api/api.h"

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
    return self != NULL && fv_self_epoch == fv_epoch && fv_cancel_told(self);
}
