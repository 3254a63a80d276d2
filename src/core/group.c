/* core/group.c: a member of a group has ended: count it, and keep why it failed.
 *
 * Run by the thread that opened the group.  Writes nothing shared.
 */
#include "core/group.h"

#include <stdlib.h>

#include "core/failure.h"

void fv_group_member_ended(struct fv_self *self, struct fv_home_slot *h, uint32_t index, bool failed) {
    struct fever_group *g = h->group - 1 < self->n_groups ? self->group[h->group - 1] : NULL;
    uint32_t            member = h->group_index;
    h->group = 0;
    self->n_members--;
    if (g == NULL)
        return;
    g->ended++;
    if (!failed)
        return;
    g->failed++;
    if (g->n_failures == g->room) {
        uint64_t room = g->room ? g->room * 2 : 16;
        struct fv_group_failure *p = realloc(g->failure, room * sizeof *p);
        if (p == NULL)
            return; /* counted, but without its reason */
        g->failure = p;
        g->room = room;
    }
    g->failure[g->n_failures].index = g->index_base + member;
    fv_task_get_error(index, &g->failure[g->n_failures].error);
    fv_error_sites(&g->failure[g->n_failures].error);
    g->n_failures++;
}
