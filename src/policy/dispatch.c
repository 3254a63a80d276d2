/* policy/dispatch.c: see dispatch.h.
 *
 * Run by the supervisor and by tests.  Touches nothing but its arguments.
 */
#include "policy/dispatch.h"

static bool is_part(uint64_t cpu) { return cpu < FV_DISPATCH_UNIT; }

static uint64_t whole_cpus_of(uint64_t parts) { return (parts + FV_DISPATCH_UNIT - 1) / FV_DISPATCH_UNIT * FV_DISPATCH_UNIT; }

static bool cpu_fits(const struct fv_dispatch_view *v, uint64_t cpu) {
    uint64_t parts = is_part(cpu) ? v->parts + cpu : v->parts, whole = is_part(cpu) ? 0 : cpu;
    return cpu == 0 || v->used.units[FV_DEMAND_CPU] + whole_cpus_of(parts) + whole <= v->total.units[FV_DEMAND_CPU];
}

int fv_dispatch_lacks(const struct fv_dispatch_view *v, const struct fv_demand *d) {
    if (!cpu_fits(v, d->units[FV_DEMAND_CPU]))
        return FV_DEMAND_CPU;
    for (int i = FV_DEMAND_HOST; i < FV_DEMANDS; i++)
        if (v->used.units[i] + d->units[i] > v->total.units[i])
            return i;
    return -1;
}

uint64_t fv_dispatch_free(const struct fv_dispatch_view *v, int part) {
    uint64_t used = v->used.units[part] + (part == FV_DEMAND_CPU ? v->parts : 0);
    return used > v->total.units[part] ? 0 : v->total.units[part] - used;
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

int fv_dispatch_pick(const struct fv_dispatch_view *v) {
    uint32_t closed = 0;
    for (const struct fv_dispatch_class *c = next_best(v, 0); c != 0; c = next_best(v, c)) {
        uint32_t parts = parts_of(&c->demand);
        bool     fits = fv_dispatch_lacks(v, &c->demand) < 0;
        if (fits && !(parts & closed))
            return (int)(c - v->classes);
        if (!fits && c->waited_ns >= FV_DISPATCH_PASS_NS)
            closed |= parts;
    }
    return -1;
}

void fv_dispatch_take(struct fv_dispatch_view *v, const struct fv_demand *d) {
    uint64_t cpu = d->units[FV_DEMAND_CPU];
    v->parts += is_part(cpu) ? cpu : 0;
    v->used.units[FV_DEMAND_CPU] += is_part(cpu) ? 0 : cpu;
    for (int i = FV_DEMAND_HOST; i < FV_DEMANDS; i++)
        v->used.units[i] += d->units[i];
}

void fv_dispatch_give(struct fv_dispatch_view *v, const struct fv_demand *d) {
    uint64_t cpu = d->units[FV_DEMAND_CPU];
    v->parts -= is_part(cpu) ? cpu : 0;
    v->used.units[FV_DEMAND_CPU] -= is_part(cpu) ? 0 : cpu;
    for (int i = FV_DEMAND_HOST; i < FV_DEMANDS; i++)
        v->used.units[i] -= d->units[i];
}
