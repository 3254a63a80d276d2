/* policy/dispatch.c: see dispatch.h.
 *
 * Run by the supervisor and by tests.  Touches nothing but its arguments.
 */
#include "policy/dispatch.h"

static bool is_part(uint64_t cpu) { return cpu < FV_DISPATCH_UNIT; }

static uint64_t whole_cpus_of(uint64_t parts) { return (parts + FV_DISPATCH_UNIT - 1) / FV_DISPATCH_UNIT * FV_DISPATCH_UNIT; }

static bool cpu_fits(const struct fv_dispatch_node *n, uint64_t cpu) {
    uint64_t parts = is_part(cpu) ? n->parts + cpu : n->parts, whole = is_part(cpu) ? 0 : cpu;
    return cpu == 0 || n->used.units[FV_DEMAND_CPU] + whole_cpus_of(parts) + whole <= n->total.units[FV_DEMAND_CPU];
}

int fv_dispatch_lacks(const struct fv_dispatch_view *v, uint32_t node, const struct fv_demand *d) {
    const struct fv_dispatch_node *n = &v->nodes[node];
    if (!cpu_fits(n, d->units[FV_DEMAND_CPU]))
        return FV_DEMAND_CPU;
    if (v->hosts_used + d->units[FV_DEMAND_HOST] > v->hosts)
        return FV_DEMAND_HOST;
    for (int i = FV_DEMAND_CUSTOM; i < FV_DEMANDS; i++)
        if (n->used.units[i] + d->units[i] > n->total.units[i])
            return i;
    return -1;
}

uint64_t fv_dispatch_free(const struct fv_dispatch_view *v, uint32_t node, int part) {
    const struct fv_dispatch_node *n = &v->nodes[node];
    uint64_t used = n->used.units[part] + (part == FV_DEMAND_CPU ? n->parts : 0);
    if (part == FV_DEMAND_HOST)
        return v->hosts - v->hosts_used;
    return used > n->total.units[part] ? 0 : n->total.units[part] - used;
}

/* The parts of a demand that others may have to leave alone.  Not the process: if that is short nobody can start. */
static uint32_t parts_of(const struct fv_demand *d) {
    uint32_t set = d->units[FV_DEMAND_CPU] != 0;
    for (int i = FV_DEMAND_CUSTOM; i < FV_DEMANDS; i++)
        set |= (uint32_t)(d->units[i] != 0) << i;
    return set;
}

/* Equal ranks go in order of the classes. */
static bool is_before(const struct fv_dispatch_class *a, const struct fv_dispatch_class *b) {
    if (a->resumes != b->resumes)
        return a->resumes;
    return a->rank_ns > b->rank_ns || (a->rank_ns == b->rank_ns && a < b);
}

/* The best after `last` (NULL: of all). */
static const struct fv_dispatch_class *next_best(const struct fv_dispatch_view *v, const struct fv_dispatch_class *last) {
    const struct fv_dispatch_class *best = 0;
    for (uint32_t i = 0; i < v->n_classes; i++) {
        const struct fv_dispatch_class *c = &v->classes[i];
        if (c->n != 0 && (last == 0 || is_before(last, c)) && (best == 0 || is_before(c, best)))
            best = c;
    }
    return best;
}

struct asked {
    const struct fv_dispatch_view  *view;
    const struct fv_dispatch_class *class;
    uint32_t                        parts;
};

static bool may_use(const struct fv_dispatch_node *n, const struct fv_dispatch_class *c) {
    return c->resumes || (!n->is_closed && (c->types >> n->type & 1));
}

static bool fits(const void *arg, uint32_t node) {
    const struct asked *a = arg;
    return may_use(&a->view->nodes[node], a->class) && fv_dispatch_lacks(a->view, node, &a->class->demand) < 0;
}

static bool fits_and_may(const void *arg, uint32_t node) {
    const struct asked *a = arg;
    return !(a->view->nodes[node].kept & a->parts) && fits(arg, node);
}

static bool could_hold(const void *arg, uint32_t node) {
    const struct asked            *a = arg;
    const struct fv_dispatch_node *n = &a->view->nodes[node];
    bool                           could = may_use(n, a->class);
    for (int i = 0; i < FV_DEMANDS; i++)
        could &= i == FV_DEMAND_HOST || a->class->demand.units[i] <= n->total.units[i];
    return could;
}

/* And it would fit beside what actors hold. */
static bool could_start(const void *arg, uint32_t node) {
    const struct asked            *a = arg;
    const struct fv_dispatch_node *n = &a->view->nodes[node];
    bool                           could = could_hold(arg, node);
    for (int i = 0; i < FV_DEMANDS; i++)
        could &= i == FV_DEMAND_HOST || a->class->demand.units[i] + n->held.units[i] <= n->total.units[i];
    return could;
}

static enum fv_place_strategy where_least_in_use(const struct fv_dispatch_class *c) {
    return c->strategy == FV_PLACE_DEFAULT ? FV_PLACE_SPREAD : c->strategy;
}

uint32_t fv_dispatch_waits_at(const struct fv_dispatch_view *v, const struct fv_dispatch_class *c) {
    struct asked a = {v, c, 0};
    return fv_place_choose(v->n_nodes, v->use, could_hold, &a, where_least_in_use(c), c->node);
}

int fv_dispatch_pick(const struct fv_dispatch_view *v, uint32_t *node_out) {
    bool any_kept = false;
    for (uint32_t i = 0; i < v->n_nodes; i++)
        v->nodes[i].kept = 0;
    for (const struct fv_dispatch_class *c = next_best(v, 0); c != 0; c = next_best(v, c)) {
        struct asked a = {v, c, parts_of(&c->demand)};
        uint32_t     node = fv_place_choose(v->n_nodes, v->use, fits_and_may, &a, c->strategy, c->node);
        if (node != FV_PLACE_NONE) {
            *node_out = node;
            return (int)(c - v->classes);
        }
        if (c->waited_ns < FV_DISPATCH_PASS_NS ||
            (any_kept && fv_place_choose(v->n_nodes, v->use, fits, &a, c->strategy, c->node) != FV_PLACE_NONE))
            continue; /* it fits, but others come first */
        uint32_t at = fv_place_choose(v->n_nodes, v->use, could_start, &a, where_least_in_use(c), c->node);
        if (at != FV_PLACE_NONE)
            v->nodes[at].kept |= a.parts, any_kept = true;
    }
    return -1;
}

static void note_use(struct fv_dispatch_view *v, uint32_t node) {
    const struct fv_dispatch_node *n = &v->nodes[node];
    uint64_t                       most = 0;
    for (int i = 0; i < FV_DEMANDS; i++) {
        uint64_t used = n->used.units[i] + (i == FV_DEMAND_CPU ? n->parts : 0);
        if (i != FV_DEMAND_HOST && used != 0 && used * 1000 / n->total.units[i] > most)
            most = used * 1000 / n->total.units[i];
    }
    v->use[node] = (uint16_t)most;
}

/* sign: 1 or -1 */
static void change(struct fv_dispatch_view *v, uint32_t node, const struct fv_demand *d, uint64_t sign) {
    struct fv_dispatch_node *n = &v->nodes[node];
    uint64_t                 cpu = d->units[FV_DEMAND_CPU];
    *(is_part(cpu) ? &n->parts : &n->used.units[FV_DEMAND_CPU]) += sign * cpu;
    v->hosts_used += sign * d->units[FV_DEMAND_HOST];
    for (int i = FV_DEMAND_CUSTOM; i < FV_DEMANDS; i++)
        n->used.units[i] += sign * d->units[i];
    note_use(v, node);
}

void fv_dispatch_take(struct fv_dispatch_view *v, uint32_t node, const struct fv_demand *d) { change(v, node, d, 1); }

void fv_dispatch_give(struct fv_dispatch_view *v, uint32_t node, const struct fv_demand *d) { change(v, node, d, UINT64_MAX); }
