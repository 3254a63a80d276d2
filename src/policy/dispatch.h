/* policy/dispatch.h: which task that asks for something special may start now, and on which node.
 *
 * Pure: a view of the pending demands and of what is in use comes in, a decision goes out.  No clock, no atomics, no
 * allocation.  The supervisor (run/dispatcher.c) calls it; test/t_policy.c compares it with brute force.
 *
 * Rules:
 *   rank     by priority, then by order of submission; but a step of priority is worth FV_DISPATCH_AGE_NS of waiting: a task of
 *            priority p goes as if it had been submitted p steps earlier.  So none waits for ever behind a stream of higher ones.
 *   node     that of policy/place.h, among the nodes that its class may use.
 *   passing  a demand that fits on no node is passed by lower ones that do.  When it has waited for FV_DISPATCH_PASS_NS, nobody
 *            passes it any more, on the node that is least in use of those that could ever hold it, who takes of a resource that it takes,
 *            too.  So what is given back there gathers for it.  What actors hold may never come back: nothing is kept for a demand that
 *            does not fit beside it.
 *   resuming a task that has started, was blocked and gave its CPUs up asks for them again.  It goes before all that have not
 *            started, whatever their priority: it holds other resources, which these may wait for, and then nobody else could go on.
 *   CPUs     a whole number of CPUs is taken for oneself; fractions gather on CPUs of their own, as few as hold their sum.
 */
#ifndef FV_POLICY_DISPATCH_H
#define FV_POLICY_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/place.h"

#define FV_DISPATCH_UNIT    10000u        /* of each resource: one */
#define FV_DISPATCH_AGE_NS  1000000000ll  /* a second is worth a step of priority */
#define FV_DISPATCH_PASS_NS 100000000ull

/* What a demand is made of: CPUs, a process to run in (of those that all nodes share), then the custom resources of the runtime. */
enum { FV_DEMAND_CPU, FV_DEMAND_HOST, FV_DEMAND_CUSTOM };
#define FV_DEMANDS 18

struct fv_demand {
    uint64_t units[FV_DEMANDS];
};

/* Pending tasks of one and the same demand; rank and waiting time are those of the first of them. */
struct fv_dispatch_class {
    struct fv_demand       demand;
    int64_t                rank_ns; /* higher goes first: see fv_dispatch_rank() */
    uint64_t               waited_ns;
    uint64_t               types; /* bit t: nodes of type t will do */
    enum fv_place_strategy strategy;
    uint32_t               node;    /* for affinity */
    uint32_t               n;       /* 0: ignored */
    bool                   resumes; /* they have started: CPUs alone are asked for */
};

#define FV_DISPATCH_TYPES 64u
struct fv_dispatch_node {
    struct fv_demand total; /* units[FV_DEMAND_CPU] is a whole number of CPUs; units[FV_DEMAND_HOST] is not used */
    struct fv_demand used;  /* units[FV_DEMAND_CPU]: by demands of whole CPUs */
    struct fv_demand held;  /* of that used: by actors, for as long as they live */
    uint64_t         parts; /* units of CPUs used by fractions */
    uint32_t         type;
    bool             is_closed; /* takes nothing new: not up, or draining; who has started there may go on there */
    uint32_t         kept;  /* work of fv_dispatch_pick() */
};

struct fv_dispatch_view {
    struct fv_dispatch_node  *nodes;
    uint16_t                 *use; /* by node, in permille; kept by take and give */
    uint32_t                  n_nodes;
    uint64_t                  hosts, hosts_used; /* processes */
    struct fv_dispatch_class *classes;
    uint32_t                  n_classes;
};

static inline int64_t fv_dispatch_rank(int priority, uint64_t submitted_ns) { return priority * FV_DISPATCH_AGE_NS - (int64_t)submitted_ns; }

/* The first part of a demand that does not fit on that node now, or -1. */
int fv_dispatch_lacks(const struct fv_dispatch_view *view, uint32_t node, const struct fv_demand *demand);
/* How much of that part is free there. */
uint64_t fv_dispatch_free(const struct fv_dispatch_view *view, uint32_t node, int part);
/* The class whose first task may start, and where; or -1. */
int fv_dispatch_pick(const struct fv_dispatch_view *view, uint32_t *node_out);
/* Where one of that class waits that fits nowhere: FV_PLACE_NONE when no node could ever hold it. */
uint32_t fv_dispatch_waits_at(const struct fv_dispatch_view *view, const struct fv_dispatch_class *class);
/* Takes a demand there, and gives it back. */
void fv_dispatch_take(struct fv_dispatch_view *view, uint32_t node, const struct fv_demand *demand);
void fv_dispatch_give(struct fv_dispatch_view *view, uint32_t node, const struct fv_demand *demand);

#endif
