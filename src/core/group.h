/* core/group.h: the books of a group: private to the thread that opened it.
 *
 * A group's tasks lie in that thread's slab.  One that ended well frees its own slot; the thread notices when it
 * looks at the slot (to use it again, or while it waits).  One that failed stays until it is collected.
 */
#ifndef FV_CORE_GROUP_H
#define FV_CORE_GROUP_H

#include "core/self.h"

struct fv_group_failure {
    uint64_t           index;
    struct fever_error error;
};
struct fever_group {
    struct fv_self          *owner;     /* NULL: closed, or its runtime has ended */
    uint32_t                 number;    /* 1 + place in owner->group; 0: closed */
    struct fever_group      *next;      /* of the closed ones */
    uint64_t                 submitted, ended, failed;
    uint64_t                 index_base; /* group_index is 32 bits: of the submission, less this */
    struct fv_group_failure *failure;
    uint64_t                 n_failures, room;
};

void fv_group_member_ended(struct fv_self *self, struct fv_home_slot *h, uint32_t index, bool failed);
#endif
