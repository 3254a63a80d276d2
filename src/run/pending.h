/* run/pending.h: tasks that wait for a grant, by what they ask for.
 *
 * Run by:          the supervisor.
 * Shared state:    none.
 */
#ifndef FV_RUN_PENDING_H
#define FV_RUN_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/dispatch.h"

struct fv_entry {
    uint32_t index, gen; /* of one that has started: its host, and grant.resumes */
    int      priority;
    int64_t  rank_ns;
    uint64_t queued_ns;
};
/* What is asked for, and where it may be. */
struct fv_wish {
    struct fv_demand demand;
    uint64_t         types;
    uint32_t         strategy, node; /* enum fv_place_strategy */
    uint64_t         resumes; /* 1: they have started */
};
struct fv_shape { /* pending tasks of one wish: a heap, the highest rank first */
    struct fv_wish   wish;
    struct fv_entry *heap;
    uint32_t         n, room;
};

extern struct fv_shape *fv_shapes;
extern uint32_t         fv_n_shapes;

/* The shape of that wish, perhaps a new one; older pointers to shapes are good no more.  NULL: out of memory.  The wish has no padding that
 * is not zero. */
struct fv_shape *fv_shape_of(const struct fv_wish *w);
/* False: out of memory. */
bool fv_shape_push(struct fv_shape *s, struct fv_entry e);
void fv_shape_pop(struct fv_shape *s);
/* What the task or actor in that slot, which is held still, asks for. */
void fv_wish_of(uint32_t index, struct fv_wish *w);
/* Numbers of shapes that are not empty, by the rank of their first: those that have started, then the highest. */
void fv_shapes_sort(uint32_t *order, uint32_t n);

#endif
