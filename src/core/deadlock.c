/* core/deadlock.c: see deadlock.h.
 *
 * Run by bodies that are about to sleep.  Writes waits_alone of its own process slot; reads those of others, and task slots that
 * it does not hold: what it has read counts only if the truth word is the same afterwards, and a circle only if it is found twice, with the
 * same waits.  (A wait that has the same beginning both times went on between the two, and what it waits for was not there.)  If it dies here
 * the sweep rings all bells, and the others look again.
 *
 * What is followed: a task that runs waits for what its process waits for; one whose arguments are not there, for those; a call of a method,
 * for its actor, and for calls of the same caller before it that hold it up (an actor that finds one rings whoever waits).  A promise, an end of a time limit, room in a stream may
 * come from anywhere: there the search ends.  It ends as well after MOST_NODES tasks.
 */
#include "core/deadlock.h"

#include <stdio.h>
#include <string.h>

#include "core/actor.h"
#include "core/cancel.h"
#include "core/options.h"
#include "core/stream.h"

#define MOST_NODES 256u
#define MOST_EDGES 512u

struct node {
    uint64_t ref, since; /* since: of its process's wait, if it runs */
    uint32_t first, n;   /* what it waits for: edges */
    uint32_t proc;       /* where it runs, and is asleep; FV_NO_PROC: it does not */
    bool     goes_on, is_deaf;
};

struct graph {
    struct node node[MOST_NODES];
    uint32_t    edge[MOST_EDGES], n_nodes, n_edges;
};

struct circle {
    uint32_t n, victim; /* process slot */
    uint64_t ref[MOST_NODES], since[MOST_NODES];
    uint32_t proc[MOST_NODES];
};

/* The node that is being looked at waits for that ref. */
static void add_edge(struct graph *g, uint64_t ref) {
    uint32_t i = 0;
    while (i < g->n_nodes && g->node[i].ref != ref)
        i++;
    if (i == MOST_NODES || g->n_edges == MOST_EDGES)
        return;
    if (i == g->n_nodes)
        g->node[g->n_nodes++] = (struct node){.ref = ref, .proc = FV_NO_PROC};
    g->edge[g->n_edges++] = i;
}

/* Is it the same task still, and not at its end?  So long its arguments are what they were. */
static bool is_same(uint32_t index, uint64_t t) {
    uint64_t now = fv_load_acquire_64(&fv_task(index)->truth);
    unsigned s = fv_truth_state(now);
    return fv_truth_gen(now) == fv_truth_gen(t) && (s == FV_READY || s == FV_RUN || s == FV_BLOCKED || s == FV_DELAYED);
}

/* What is in waits_alone: the bell, as it was when its owner looked last. */
#define IS_DEAF 2u /* it must not be told: others may write to what it would free then */
static uint32_t waits_word(uint32_t bell, bool deaf) { return bell << 2 | (deaf ? IS_DEAF : 0) | 1; }

static void look_at_process(struct graph *g, struct node *n, uint32_t slot) {
    struct fv_proc *p = fv_proc(slot);
    if (fv_load_acquire_64(&p->deadline_ns) != 0)
        return; /* ended from outside */
    /* ORDER deadlock (seq_cst): as in fv_deadlock_told(), of which both ends are: each has said that it waits, by an exchange, before it looks
     * whether the others do. */
    uint32_t waits = fv_load_acquire_32(&p->waits_alone);
    if (waits == 0 || (waits ^ waits_word(fv_bell_read(p), false)) & ~IS_DEAF)
        return; /* it has been rung since it looked, and will look again */
    n->is_deaf = waits & IS_DEAF;
    n->since = fv_load_relaxed_64(&p->wait_since_ns);
    n->proc = slot;
    add_edge(g, fv_load_relaxed_64(&p->wait_ref));
}

static void look_at_arguments(struct graph *g, uint32_t index, uint64_t t) {
    struct fv_task  copy = *fv_task(index);
    uint64_t        in[3];
    const uint64_t *refs = in;
    uint32_t        n_deps = 0;
    fv_fence_load();
    if (!is_same(index, t) || fv_task_def_of(&copy) >= FV_MAX_DEFS || fv_defs[copy.def] == NULL || !(copy.x & FV_X_REFS))
        return;
    /* Its slot may be filled anew while we read: so the copy is read, and of its block what is the same slot's still. */
    if (copy.x & FV_X_ARGS_BLOCK) {
        const struct fv_args_tail *tail = fv_at(copy.args[0] + ((copy.arg_bytes + 7ull) & ~7ull));
        n_deps = fv_load_relaxed_32(&tail->n_deps);
        refs = tail->ref;
        fv_fence_load();
        if (!is_same(index, t))
            return;
    } else {
        const struct fever_def *def = fv_defs[copy.def];
        for (uint32_t i = 0; i < def->n_params && n_deps < 3; i++)
            if (def->ref_offsets[i] != FEVER_NOT_A_REF)
                memcpy(&in[n_deps++], (const char *)copy.args + def->ref_offsets[i], 8);
    }
    for (uint32_t i = 0; i < n_deps; i++) {
        uint64_t id = fv_load_relaxed_64(&refs[i]), dt = 0;
        uint32_t d = 0;
        if (!is_same(index, t))
            return;
        if (fv_ref_check(id, &d, &dt) == 0 && !fv_state_is_complete(fv_truth_state(dt)) && !fv_is_stream(d))
            add_edge(g, id);
    }
}

/* A call that waits: for its actor, and for what the caller has called before and is not ready. */
static void look_at_call(struct graph *g, uint32_t index, uint64_t t) {
    uint64_t word = fv_load_relaxed_64(&fv_task(index)->args[2]), at = 0;
    uint32_t a = fv_call_actor(word), first = index & ~fv_map.mask, end = first + fv_load_acquire_32(&fv_proc(index >> fv_map.shift)->slab_limit);
    fv_fence_load();
    if (!is_same(index, t) || a >> fv_map.shift >= fv_map.seg->n_procs || (a & fv_map.mask) >= fv_load_acquire_32(&fv_proc(a >> fv_map.shift)->slab_limit))
        return;
    at = fv_load_acquire_64(&fv_task(a)->truth);
    uint64_t actor = fv_ref_make(a, fv_truth_gen(at));
    if (!fv_task_is_actor(a) || !fv_call_is_for(word, actor))
        return;
    add_edge(g, actor);
    if (!fv_actor_is_stalled(a, index >> fv_map.shift))
        return;
    for (uint32_t i = first; i < end; i++) {
        uint64_t ct = fv_load_acquire_64(&fv_task(i)->truth), other = fv_load_relaxed_64(&fv_task(i)->args[2]);
        if (fv_truth_state(ct) == FV_BLOCKED && fv_task_is_call(i) && fv_call_is_for(other, actor) && fv_place_before(fv_call_place(other), fv_call_place(word)))
            add_edge(g, fv_ref_make(i, fv_truth_gen(ct)));
    }
}

static void look_at(struct graph *g, struct node *n) {
    uint32_t index = 0;
    uint64_t t = 0;
    n->first = g->n_edges;
    if (fv_ref_check(n->ref, &index, &t) == 0 && fv_cancel_asked(index, fv_ref_gen(n->ref)) == 0) { /* else it is about to end */
        unsigned s = fv_truth_state(t);
        if ((s == FV_READY || s == FV_BLOCKED || s == FV_RUN) && fv_load_relaxed_8(&fv_task(index)->x) & FV_X_REFS)
            look_at_arguments(g, index, t);    /* who has taken it, or will, finds that they are not there: it is BLOCKED, or will be */
        if (s == FV_RUN && g->n_edges == n->first)
            look_at_process(g, n, fv_truth_owner(t));
        if ((s == FV_READY || s == FV_BLOCKED || s == FV_DELAYED) && fv_task_is_call(index))
            look_at_call(g, index, t);
    }
    n->n = g->n_edges - n->first;
    n->goes_on = n->n == 0;
}

/* Who waits for somebody who does not go on does not, either. */
static void let_go_on(struct graph *g) {
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = g->n_nodes; i-- > 0;) {
            struct node *n = &g->node[i];
            bool         all = true;
            for (uint32_t k = 0; k < n->n && all; k++)
                all = g->node[g->edge[n->first + k]].goes_on;
            changed |= all && !n->goes_on;
            n->goes_on |= all;
        }
    }
}

static bool find(uint64_t ref, struct circle *c) {
    struct graph g;
    uint32_t     at = 0, steps;
    g.n_nodes = 1, g.n_edges = 0;
    g.node[0] = (struct node){.ref = ref, .proc = FV_NO_PROC};
    for (uint32_t i = 0; i < g.n_nodes; i++)
        look_at(&g, &g.node[i]);
    let_go_on(&g);
    if (g.node[0].goes_on)
        return false;
    memset(c, 0, sizeof *c);
    c->victim = FV_NO_PROC;
    uint64_t newest = 0;
    for (steps = 0; steps < 2 * g.n_nodes; steps++) { /* the first lap leads into the circle */
        struct node *n = &g.node[at];
        uint32_t     k = 0;
        if (steps >= g.n_nodes) {
            if (c->n != 0 && c->ref[0] == n->ref)
                break;
            c->ref[c->n] = n->ref, c->since[c->n] = n->since, c->proc[c->n++] = n->proc;
            if (n->proc != FV_NO_PROC && !n->is_deaf && (c->victim == FV_NO_PROC || n->since > newest || (n->since == newest && n->proc > c->victim)))
                c->victim = n->proc, newest = n->since;
        }
        while (g.node[g.edge[n->first + k]].goes_on)
            k++;
        at = g.edge[n->first + k];
    }
    return c->victim != FV_NO_PROC;
}

/* "counter.add (pid 12)" */
static size_t put_name(char *to, size_t room, uint64_t ref, uint32_t proc) {
    uint64_t    t = 0, task = proc == FV_NO_PROC ? ref : fv_load_acquire_64(&fv_proc(proc)->current);
    uint32_t    index = 0;
    const char *name = "?", *own;
    if (fv_ref_check(task, &index, &t) == 0) {
        unsigned def = fv_task_def_of(fv_task(index));
        name = def < FV_MAX_DEFS && fv_defs[def] != NULL ? fv_defs[def]->name : "?";
        if ((own = fv_task_own_name(index)) != NULL)
            name = own;
    }
    int n = proc == FV_NO_PROC ? snprintf(to, room, "%.47s", name) : snprintf(to, room, "%.47s (pid %u)", name, fv_proc(proc)->pid);
    return FV_MIN((size_t)n, room - 1);
}

static void describe(struct fv_self *self, const struct circle *c) {
    char    *to = self->why;
    size_t   room = sizeof self->why, at;
    uint32_t first = 0;
    while (c->proc[first] != self->slot)
        first++;
    at = put_name(to, room, c->ref[first], self->slot);
    for (uint32_t k = 1; k <= c->n; k++) {
        uint32_t i = (first + k) % c->n, before = (first + k - 1) % c->n;
        if (c->proc[i] != FV_NO_PROC && c->ref[before] != 0 && c->proc[before] == FV_NO_PROC && fv_task_is_actor(fv_ref_index(c->ref[i])))
            at += (size_t)snprintf(to + at, room - at, ", queued behind "); /* the call, then its actor */
        else
            at += (size_t)snprintf(to + at, room - at, k == 1 ? " waits for " : ", which waits for ");
        if (at >= room)
            return;
        at += put_name(to + at, room - at, c->ref[i], c->proc[i]);
    }
}

bool fv_deadlock_told(struct fv_self *self, uint32_t seen) {
    struct fv_proc *p = self->proc;
    struct circle   c, again;
    /* ORDER deadlock (seq_cst): what it waits for, then waits_alone, by an exchange, then the look at others.  Pairs with deadlock (seq_cst) in
     * look_at_process(), where another does the same.  Losing it: each misses the other's wait, and both wait for ever. */
    fv_fas_32(&p->waits_alone, waits_word(seen, self->deaf));
    if (FV_LIKELY(!find(fv_load_relaxed_64(&p->wait_ref), &c)) || !find(fv_load_relaxed_64(&p->wait_ref), &again) ||
        memcmp(&c, &again, sizeof c) != 0)
        return false;
    if (c.victim == self->slot) {
        describe(self, &c);
        return true;
    }
    fv_bell_ring(fv_proc(c.victim)); /* it looks as we did */
    return false;
}

void fv_deadlock_own(struct fv_self *self) {
    char name[80];
    put_name(name, sizeof name, self->proc->current, FV_NO_PROC);
    snprintf(self->why, sizeof self->why, "%s waits for itself", name);
}
