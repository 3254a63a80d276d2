/* policy/scale.c: see scale.h.
 *
 * Run by:          the supervisor, fever simulate, tests.
 * Shared state:    none.
 */
#include "policy/scale.h"

#include <string.h>

#include "base/base.h"
#include "policy/plan.h"

static void plan_min(struct fv_plan *p) {
    p->code = FV_SCALE_MIN;
    for (uint32_t t = 0; t < p->s->n_types; t++)
        for (uint32_t n = p->up[t] + p->s->types[t].launching; n < p->s->types[t].min && fv_plan_room(p, t) != 0; n++)
            fv_plan_new(p, t);
}

/* Demands or the floor; the fate of the i-th is number first_id + i. */
static void plan_list(struct fv_plan *p, enum fv_scale_code code, const struct fv_scale_demand *demands, uint32_t n, uint32_t first_id) {
    struct fv_pack list = fv_plan_open(p, code);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t types = fv_plan_types(p, &demands[i]);
        if (fv_plan_is_feasible(p, demands[i].need, types))
            fv_plan_add(p, &list, demands[i].need, types, demands[i].priority, demands[i].n, first_id + i);
        else if (demands[i].n != 0)
            fv_plan_infeasible(fv_plan_fate(p, first_id + i), demands[i].n, fv_plan_lack(p, demands[i].need, types, &demands[i]));
    }
    fv_pack_close(&list);
    fv_plan_fill(p, &list);
    fv_plan_launch(p, &list);
    for (uint32_t i = 0; i < list.n; i++)
        if (list.left[i] != 0) {
            struct fv_scale_fate *fate = fv_plan_fate(p, list.id[i]);
            fate->held = list.left[i];
            fate->reason = fv_plan_limit(p, list.need + (size_t)i * p->width, list.types[i]);
        }
}

static void cpus_of(const struct fv_plan *p, uint64_t *all_out, uint64_t *used_out) {
    uint64_t all = 0, free = 0;
    for (uint32_t b = 0; b < p->n_bins; b++) {
        all += fv_plan_capacity(p, p->bins[b].type)[FV_SCALE_CPU];
        free += p->space[(size_t)b * p->width + FV_SCALE_CPU];
    }
    *all_out = all;
    *used_out = all - free;
}

static void plan_headroom(struct fv_plan *p) {
    uint64_t all, used, threshold = p->s->options.threshold_permille, need[FV_SCALE_RESOURCES] = {FV_SCALE_UNIT};
    cpus_of(p, &all, &used);
    p->cpus = all, p->used_cpus = used;
    if (threshold == 0 || threshold >= 1000 || used == 0)
        return;
    need[FV_SCALE_CPU] = p->largest[FV_SCALE_CPU] < FV_SCALE_UNIT ? p->largest[FV_SCALE_CPU] : FV_SCALE_UNIT;
    uint64_t spare = used * (1000 - threshold) / threshold, n = (spare + need[FV_SCALE_CPU] - 1) / need[FV_SCALE_CPU];
    struct fv_pack list = fv_plan_open(p, FV_SCALE_HEADROOM);
    fv_plan_add(p, &list, need, UINT64_MAX, 0, n > UINT32_MAX ? UINT32_MAX : (uint32_t)n, FV_SCALE_NONE);
    fv_pack_close(&list);
    fv_plan_fill(p, &list);
    fv_plan_launch(p, &list);
}

static uint32_t idle_of(const struct fv_plan *p, uint32_t type) {
    uint32_t n = 0;
    for (uint32_t b = 0; b < p->n_bins; b++)
        n += p->bins[b].type == type && p->bins[b].kind != FV_PLAN_BUSY && !p->bins[b].is_used;
    return n;
}

static void plan_buffer(struct fv_plan *p) {
    p->code = FV_SCALE_BUFFER;
    for (uint32_t t = 0; t < p->s->n_types; t++)
        if (p->s->types[t].buffer != 0)
            for (uint32_t n = idle_of(p, t); n < p->s->types[t].buffer && fv_plan_room(p, t) != 0; n++)
                fv_plan_new(p, t);
}

/* ------------------------------------------------------------------------------------------------ what goes out */

static struct fv_scale_launch *launch_of(struct fv_scale_decision *d, uint32_t type, enum fv_scale_code code) {
    uint32_t i = 0;
    while (i < d->n_launches && !(d->launches[i].type == type && d->launches[i].reason.code == code))
        i++;
    if (i == d->n_launches)
        d->launches[d->n_launches++] = (struct fv_scale_launch){type, 0, {code, type, FV_SCALE_NONE, FV_SCALE_NONE, 0, 0, 0}};
    return &d->launches[i];
}

static void give_launches(struct fv_plan *p) {
    struct fv_scale_decision *d = p->d;
    uint64_t                  demands = 0;
    uint32_t                  last_gang = FV_SCALE_NONE;
    for (uint32_t i = 0; i < p->s->n_demands; i++)
        demands += p->s->demands[i].n;
    for (uint32_t b = 0; b < p->n_bins; b++) {
        const struct fv_plan_bin *bin = &p->bins[b];
        if (bin->kind != FV_PLAN_PLANNED)
            continue;
        if (bin->is_deferred) {
            d->n_deferred++;
            continue;
        }
        struct fv_scale_launch *l = launch_of(d, bin->type, (enum fv_scale_code)bin->code);
        struct fv_scale_reason *r = &l->reason;
        const struct fv_scale_type *type = &p->s->types[bin->type];
        l->n++;
        d->n_launched++;
        if (r->index == FV_SCALE_NONE)
            r->index = bin->index;
        switch (r->code) {
        case FV_SCALE_MIN: r->a = p->up[bin->type] + type->launching + l->n, r->b = type->min; break;
        case FV_SCALE_GANG: r->a += bin->index != last_gang, last_gang = bin->index; break;
        case FV_SCALE_HEADROOM: r->a = p->used_cpus, r->b = p->cpus, r->c = p->s->options.threshold_permille; break;
        case FV_SCALE_BUFFER: r->a = idle_of(p, bin->type), r->b = type->buffer; break;
        default: r->a += bin->taken, r->b = demands; break;
        }
    }
}

static uint64_t timeout_of(const struct fv_plan *p, uint32_t type) {
    const struct fv_scale_memory *m = &p->s->types[type].memory;
    return p->s->options.idle_ns << FV_MIN(m->backoff, FV_SCALE_BACKOFF);
}

static void keep(struct fv_plan *p, uint32_t type, enum fv_scale_code code, uint64_t a) {
    struct fv_scale_decision *d = p->d;
    uint32_t                  i = 0;
    while (i < d->n_kept && !(d->kept[i].type == type && d->kept[i].reason.code == code))
        i++;
    if (i == d->n_kept)
        d->kept[d->n_kept++] = (struct fv_scale_kept){type, 0, {code, type, FV_SCALE_NONE, FV_SCALE_NONE, a, 0, 0}};
    d->kept[i].n++;
}

static void give_drains(struct fv_plan *p) {
    struct fv_scale_decision *d = p->d;
    uint32_t                  n_all = p->n_all;
    uint32_t                  idle[FV_SCALE_TYPES];
    for (uint32_t t = 0; t < p->s->n_types; t++)
        idle[t] = idle_of(p, t);
    for (uint32_t b = p->n_up; b-- != 0 && p->bins[b].kind == FV_PLAN_IDLE;) {
        const struct fv_plan_bin           *bin = &p->bins[b];
        const struct fv_scale_node *node = &p->s->nodes[bin->node];
        uint32_t                    t = bin->type;
        const struct fv_scale_type *type = &p->s->types[t];
        uint64_t timeout = timeout_of(p, t), idle_ns = p->s->now_ns > node->idle_ns ? p->s->now_ns - node->idle_ns : 0;
        bool     is_over = p->all[t] > type->max, is_total = n_all > p->s->options.max_nodes;
        if (idle_ns < timeout && !is_over && !is_total) {
            if (!bin->is_used && !bin->is_floor && !node->holds_copies && node->idle_ns + timeout < d->wake_ns)
                d->wake_ns = node->idle_ns + timeout;
        } else if (bin->is_used) {
            keep(p, t, FV_SCALE_KEEP_DEMAND, 0);
        } else if (bin->is_floor) {
            keep(p, t, FV_SCALE_KEEP_FLOOR, 0);
        } else if (node->holds_copies) {
            keep(p, t, FV_SCALE_KEEP_COPIES, 0);
        } else if (p->up[t] <= type->min) {
            keep(p, t, FV_SCALE_KEEP_MIN, type->min);
        } else if (idle[t] <= type->buffer && !is_over && !is_total) {
            keep(p, t, FV_SCALE_KEEP_BUFFER, type->buffer);
        } else {
            struct fv_scale_reason reason = {FV_SCALE_IDLE, t, FV_SCALE_NONE, FV_SCALE_NONE, idle_ns, timeout, 0};
            if (is_over)
                reason.code = FV_SCALE_OVER_MAX, reason.a = p->all[t], reason.b = type->max;
            else if (is_total)
                reason = (struct fv_scale_reason){FV_SCALE_OVER_MAX, FV_SCALE_NONE, FV_SCALE_NONE, FV_SCALE_NONE, n_all, p->s->options.max_nodes, 0};
            d->drains[d->n_drains++] = (struct fv_scale_drain){bin->node, reason};
            p->up[t]--;
            p->all[t]--;
            n_all--;
            idle[t]--;
        }
    }
}

static void give_memory(struct fv_plan *p) {
    struct fv_scale_decision *d = p->d;
    for (uint32_t t = 0; t < p->s->n_types; t++) {
        struct fv_scale_memory m = p->s->types[t].memory;
        uint64_t               now = p->s->now_ns, window = p->s->options.hysteresis * timeout_of(p, t);
        bool                   launches = false;
        for (uint32_t i = 0; i < d->n_launches; i++)
            launches |= d->launches[i].type == t;
        if (m.drained_ns != 0 && now - m.drained_ns >= window)
            m = (struct fv_scale_memory){0, 0};
        else if (m.drained_ns != 0 && launches)
            m = (struct fv_scale_memory){0, FV_MIN(m.backoff + 1, FV_SCALE_BACKOFF)};
        for (uint32_t i = 0; i < d->n_drains; i++)
            if (p->s->nodes[d->drains[i].node].type == t && d->drains[i].reason.code == FV_SCALE_IDLE)
                m.drained_ns = now;
        d->memory[t] = m;
    }
}

static void set_speed(struct fv_plan *p) {
    const struct fv_scale_options *o = &p->s->options;
    uint64_t                       under_way = 0, up = p->n_up, limit = up * o->speed_permille / 1000;
    for (uint32_t t = 0; t < p->s->n_types; t++)
        under_way += p->s->types[t].launching;
    limit = limit < o->speed_least ? o->speed_least : limit;
    p->d->speed_limit = o->speed_permille == 0 ? FV_SCALE_NONE : (uint32_t)limit;
    p->n_allowed = o->speed_permille == 0 ? UINT32_MAX : limit > under_way ? (uint32_t)(limit - under_way) : 0;
}

void fv_scale_decide(const struct fv_scale_snapshot *s, void *work, struct fv_scale_decision *d) {
    struct fv_plan p;
    d->n_launches = d->n_drains = d->n_kept = d->n_launched = d->n_deferred = 0;
    d->wake_ns = FV_SCALE_NEVER;
    memset(d->fates, 0, (s->n_demands + s->n_gangs + s->n_floor) * sizeof *d->fates);
    fv_plan_start(&p, s, d, work);
    set_speed(&p);
    plan_min(&p);
    plan_list(&p, FV_SCALE_FLOOR, s->floor, s->n_floor, s->n_demands + s->n_gangs);
    for (uint32_t g = 0; g < s->n_gangs; g++)
        fv_plan_gang(&p, g);
    plan_list(&p, FV_SCALE_DEMAND, s->demands, s->n_demands, 0);
    plan_headroom(&p);
    plan_buffer(&p);
    give_launches(&p);
    give_drains(&p);
    give_memory(&p);
}
