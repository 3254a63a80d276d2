/* policy/gang.c: placement groups, in a decision of policy/scale.c: all bundles of one are placed, or none.
 *
 * A pack goes the way of all demands, and a strict pack is one demand, the sum.  Bundles that are spread look for nodes without one of
 * theirs; where there is none, a new node is launched if that is strict, or if nothing else has room.
 */
#include <string.h>

#include "base/base.h"
#include "policy/plan.h"

/* The first bin from `from` on that one of an item fits into; of those without a bundle of this gang, when it shall be alone. */
static uint32_t bin_for(const struct fv_plan *p, const struct fv_pack *list, uint32_t item, uint32_t from, uint32_t gang, bool alone) {
    const uint64_t *need = list->need + (size_t)item * p->width;
    for (uint32_t b = from; b < p->n_bins; b++)
        if (!(alone && p->bins[b].gang == gang) && list->types[item] >> p->bins[b].type & 1 &&
            fv_plan_fits(need, p->to + (size_t)b * p->width, p->width))
            return b;
    return FV_SCALE_NONE;
}

/* the best type for one of an item alone */
static uint32_t type_for(const struct fv_plan *p, const struct fv_pack *list, uint32_t item) {
    const uint64_t *need = list->need + (size_t)item * p->width;
    struct fv_plan_score    best = {0};
    uint32_t        best_type = FV_SCALE_NONE;
    for (uint32_t t = 0; t < p->s->n_types; t++) {
        uint64_t free[FV_SCALE_RESOURCES];
        if (fv_plan_room(p, t) == 0 || !(list->types[item] >> t & 1) || !fv_plan_fits(need, fv_plan_capacity(p, t), p->width))
            continue;
        for (uint32_t r = 0; r < p->width; r++)
            free[r] = fv_plan_capacity(p, t)[r] - need[r];
        struct fv_plan_score one = fv_plan_score(p, t, free);
        if (best_type == FV_SCALE_NONE || fv_plan_is_better(&one, &best))
            best = one, best_type = t;
    }
    return best_type;
}

/* Each bundle on a node of its own; strictly, or as far as there are nodes. */
static void spread(struct fv_plan *p, struct fv_pack *list, uint32_t gang, bool is_strict) {
    for (uint32_t i = 0; i < list->n; i++)
        for (uint32_t from = 0; list->left[i] != 0;) {
            uint32_t b = bin_for(p, list, i, from, gang, true);
            from = b == FV_SCALE_NONE ? p->n_bins : b;
            if (b == FV_SCALE_NONE && !is_strict)
                b = bin_for(p, list, i, 0, gang, false);
            if (b == FV_SCALE_NONE) {
                uint32_t type = type_for(p, list, i);
                if (type == FV_SCALE_NONE)
                    return;
                b = fv_plan_new(p, type);
            }
            p->bins[b].gang = gang;
            fv_plan_place(p, list, b, i, 1);
        }
}

static void undo(struct fv_plan *p, const struct fv_pack *list, uint32_t n_bins) {
    while (p->n_steps != 0) {
        const struct fv_plan_step *step = &p->steps[--p->n_steps];
        for (uint32_t r = 0; r < p->width; r++)
            p->space[(size_t)step->bin * p->width + r] += list->need[(size_t)step->item * p->width + r] * step->n;
        p->bins[step->bin].is_used = step->was_used;
    }
    while (p->n_bins > n_bins)
        fv_plan_drop(p);
}

/* A strict pack is one demand: the sum. */
static bool add_sum(struct fv_plan *p, struct fv_pack *list, const struct fv_scale_gang *gang, uint32_t n, uint32_t id) {
    uint64_t need[FV_SCALE_RESOURCES] = {0}, types = UINT64_MAX;
    for (uint32_t i = 0; i < gang->n_bundles; i++) {
        types &= fv_plan_types(p, &gang->bundles[i]);
        for (uint32_t r = 0; r < p->width; r++)
            need[r] += gang->bundles[i].need[r] * gang->bundles[i].n;
    }
    if (!fv_plan_is_feasible(p, need, types)) {
        fv_plan_infeasible(fv_plan_fate(p, id), n, fv_plan_lack(p, need, types, gang->n_bundles != 0 ? &gang->bundles[0] : NULL));
        return false;
    }
    fv_plan_add(p, list, need, types, 0, 1, id);
    return true;
}

static bool add_bundles(struct fv_plan *p, struct fv_pack *list, const struct fv_scale_gang *gang, uint32_t n, uint32_t id) {
    uint64_t types = 0, nodes = 0;
    for (uint32_t i = 0; i < gang->n_bundles; i++) {
        const struct fv_scale_demand *bundle = &gang->bundles[i];
        uint64_t                      its = fv_plan_types(p, bundle);
        if (!fv_plan_is_feasible(p, bundle->need, its)) {
            fv_plan_infeasible(fv_plan_fate(p, id), n, fv_plan_lack(p, bundle->need, its, bundle));
            return false;
        }
        for (uint32_t t = 0; t < p->s->n_types; t++)
            types |= its >> t & 1 && fv_plan_fits(bundle->need, fv_plan_capacity(p, t), p->width) ? 1ull << t : 0;
        fv_plan_add(p, list, bundle->need, its, 0, bundle->n, id);
    }
    for (uint32_t t = 0; t < p->s->n_types; t++)
        nodes += types >> t & 1 ? (p->s->types[t].max > p->all[t] ? p->s->types[t].max : p->all[t]) : 0;
    uint32_t most = p->s->options.max_nodes > p->n_all ? p->s->options.max_nodes : p->n_all;
    nodes = nodes < most ? nodes : most;
    if (gang->strategy == FV_SCALE_STRICT_SPREAD && n > nodes) {
        fv_plan_infeasible(fv_plan_fate(p, id), n, (struct fv_scale_reason){FV_SCALE_NODES, FV_SCALE_NONE, FV_SCALE_NONE, FV_SCALE_NONE, n, nodes, 0});
        return false;
    }
    return true;
}

void fv_plan_gang(struct fv_plan *p, uint32_t g) {
    const struct fv_scale_gang *gang = &p->s->gangs[g];
    struct fv_pack              list = fv_plan_open(p, FV_SCALE_GANG);
    uint32_t                    id = p->s->n_demands + g, n = 0, n_bins = p->n_bins, left = FV_SCALE_NONE;
    for (uint32_t i = 0; i < gang->n_bundles; i++)
        n += gang->bundles[i].n;
    bool is_sum = gang->strategy == FV_SCALE_STRICT_PACK;
    if (n == 0 || !(is_sum ? add_sum : add_bundles)(p, &list, gang, n, id))
        return;
    fv_pack_close(&list);
    p->logs = true;
    p->n_steps = 0;
    if (gang->strategy == FV_SCALE_SPREAD || gang->strategy == FV_SCALE_STRICT_SPREAD) {
        spread(p, &list, g + 1, gang->strategy == FV_SCALE_STRICT_SPREAD);
    } else {
        fv_plan_fill(p, &list);
        fv_plan_launch(p, &list);
    }
    p->logs = false;
    struct fv_scale_fate *fate = fv_plan_fate(p, id);
    for (uint32_t i = list.n; i-- != 0;)
        left = list.left[i] != 0 ? i : left;
    if (left != FV_SCALE_NONE) {
        struct fv_scale_reason reason = fv_plan_limit(p, list.need + (size_t)left * p->width, list.types[left]);
        undo(p, &list, n_bins);
        *fate = (struct fv_scale_fate){.held = n, .reason = reason};
    } else if (is_sum) { /* one for all bundles */
        fate->fits *= n, fate->under_way *= n, fate->launched *= n, fate->speed *= n;
    }
}
