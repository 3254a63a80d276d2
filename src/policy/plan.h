/* policy/plan.h: a decision of policy/scale.c while it is made: bins, the list that is packed, and what a new node would be worth.
 *
 * For the files of policy/scale.h only: plan.c, gang.c, scale.c.  Pure.
 *
 * A bin is a node as this decision sees it: up and not draining, under way, or planned by the decision itself.  `space` is
 * what is free of it; the floor is packed into `whole`, as if nothing ran.  Bins stand in the order in which they are filled: busy nodes,
 * idle nodes (those that became idle last first, so that the others can go), launches under way, planned ones; of the first two
 * those first that have little but CPUs and memory.
 */
#ifndef FV_POLICY_PLAN_H
#define FV_POLICY_PLAN_H

#include "policy/pack.h"
#include "policy/scale.h"

enum fv_plan_kind { FV_PLAN_BUSY, FV_PLAN_IDLE, FV_PLAN_UNDER_WAY, FV_PLAN_PLANNED };

struct fv_plan_bin {
    uint32_t type;
    uint32_t node;  /* FV_SCALE_NONE: none yet */
    uint32_t gang;  /* number of the gang, from 1 on, that has a bundle here: for spreading */
    uint32_t taken; /* demands that a planned one was planned for */
    uint32_t index; /* the first of them */
    uint8_t  kind, code;
    bool     is_used, is_floor, is_deferred;
};

struct fv_plan_take {
    uint32_t item, n;
};

/* a placement that may have to be taken back */
struct fv_plan_step {
    uint32_t bin, item, n;
    bool     was_used;
};

struct fv_plan {
    const struct fv_scale_snapshot *s;
    struct fv_scale_decision       *d;
    uint32_t                        width;               /* resources */
    struct fv_plan_bin             *bins;
    uint64_t                       *space, *whole;       /* of bin b: [b * width ...] */
    uint32_t                        n_bins, n_up;        /* bins; those that are up */
    uint32_t                        up[FV_SCALE_TYPES];  /* nodes that are up and not draining */
    uint32_t                        all[FV_SCALE_TYPES]; /* draining, under way and planned ones too */
    uint32_t                        n_all;
    uint32_t                        n_wanted, n_allowed; /* planned ones under the speed limit */
    uint64_t                        largest[FV_SCALE_RESOURCES]; /* that a type has */
    uint32_t                        open[FV_SCALE_RESOURCES];    /* items of the list with something left, by resource */
    enum fv_scale_code              code;                /* why we plan */
    uint64_t                       *to;                  /* space or whole */
    struct fv_plan_take            *best, *trial;
    struct fv_plan_step            *steps;
    uint32_t                        n_steps;
    uint64_t                        cpus, used_cpus;     /* before headroom was added */
    bool                            logs;                /* steps */
    void                           *list;                /* memory of a struct fv_pack */
    struct fv_scale_fate            nobody;
};

/* How good a new node of a type would be; a is better than b, from the first to the last:
 *   unneeded  it has fewer kinds of custom resources that nothing in the list asks for
 *   is_half   some resource of it would be half in use or more
 *   matching  more kinds of its resources are asked for
 *   least     the least used of these is used more: (size * use^3), so that large nodes that are full go before small ones
 *             that are full, and these before large ones that are half empty
 *   sum       the same, for the sum of all
 *   size      it is smaller */
struct fv_plan_score {
    uint32_t unneeded, matching;
    bool     is_half;
    uint64_t least, sum, size;
};

static inline const uint64_t *fv_plan_capacity(const struct fv_plan *p, uint32_t type) { return p->s->types[type].capacity; }

/* The plan without a step taken: all nodes, and launches under way. */
void fv_plan_start(struct fv_plan *p, const struct fv_scale_snapshot *s, struct fv_scale_decision *d, void *work);

/* How many more of a type there may be; plans one; drops the one planned last. */
uint32_t fv_plan_room(const struct fv_plan *p, uint32_t type);
uint32_t fv_plan_new(struct fv_plan *p, uint32_t type);
void     fv_plan_drop(struct fv_plan *p);

/* Types whose labels a demand accepts; does it fit an empty node of one of them? */
uint64_t fv_plan_types(const struct fv_plan *p, const struct fv_scale_demand *d);
bool     fv_plan_is_feasible(const struct fv_plan *p, const uint64_t *need, uint64_t types);
bool     fv_plan_fits(const uint64_t *need, const uint64_t *free, uint32_t width);

/* An empty list, which is packed for that reason; adds n of an item with a fate (FV_SCALE_NONE: none). */
struct fv_pack        fv_plan_open(struct fv_plan *p, enum fv_scale_code code);
void                  fv_plan_add(struct fv_plan *p, struct fv_pack *list, const uint64_t *need, uint64_t types, int priority, uint32_t n, uint32_t id);
struct fv_scale_fate *fv_plan_fate(struct fv_plan *p, uint32_t id);

/* Places n of an item; places what fits into the bins; plans new ones for the rest, as far as they are allowed. */
void fv_plan_place(struct fv_plan *p, struct fv_pack *list, uint32_t b, uint32_t item, uint32_t n);
void fv_plan_fill(struct fv_plan *p, struct fv_pack *list);
void fv_plan_launch(struct fv_plan *p, struct fv_pack *list);

struct fv_plan_score fv_plan_score(const struct fv_plan *p, uint32_t type, const uint64_t *free);
bool                 fv_plan_is_better(const struct fv_plan_score *a, const struct fv_plan_score *b);

/* The nearest type, and what it lacks, for a need that fits none; which maximum holds an item that found no node. */
struct fv_scale_reason fv_plan_lack(const struct fv_plan *p, const uint64_t *need, uint64_t types, const struct fv_scale_demand *d);
struct fv_scale_reason fv_plan_limit(const struct fv_plan *p, const uint64_t *need, uint64_t types);
void                   fv_plan_infeasible(struct fv_scale_fate *fate, uint32_t n, struct fv_scale_reason reason);

/* gang.c: places all bundles of the g-th gang, or none. */
void fv_plan_gang(struct fv_plan *p, uint32_t g);

#endif
