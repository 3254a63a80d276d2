/* policy/plan.c: see plan.h. */
#include "policy/plan.h"

#include <string.h>

#include "base/base.h"

#define MOST_SHARE (1u << 20) /* as much as the largest type has */

bool fv_plan_fits(const uint64_t *need, const uint64_t *free, uint32_t width) {
    for (uint32_t r = 0; r < width; r++)
        if (need[r] > free[r])
            return false;
    return true;
}

/* kinds of custom resources */
static uint32_t scarce_kinds(const uint64_t *units, uint32_t width) {
    uint32_t n = 0;
    for (uint32_t r = FV_SCALE_CUSTOM; r < width; r++)
        n += units[r] != 0;
    return n;
}

static uint64_t share(uint64_t units, uint64_t largest) {
    return largest == 0 ? 0 : (uint64_t)((double)units / (double)largest * MOST_SHARE);
}

/* ------------------------------------------------------------------------------------------------ work memory */

static uint32_t most_bins(const struct fv_scale_snapshot *s) {
    uint32_t n = s->n_nodes + s->options.max_nodes;
    for (uint32_t t = 0; t < s->n_types; t++)
        n += s->types[t].launching + s->types[t].min;
    return n + 1;
}

/* items of the longest list */
static uint32_t most_items(const struct fv_scale_snapshot *s) {
    uint32_t n = s->n_demands > s->n_floor ? s->n_demands : s->n_floor;
    for (uint32_t g = 0; g < s->n_gangs; g++)
        n = s->gangs[g].n_bundles > n ? s->gangs[g].n_bundles : n;
    return n + 1;
}

static uint32_t most_steps(const struct fv_scale_snapshot *s) {
    uint32_t most = 0;
    for (uint32_t g = 0; g < s->n_gangs; g++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < s->gangs[g].n_bundles; i++)
            n += s->gangs[g].bundles[i].n;
        most = n > most ? n : most;
    }
    return most + 1;
}

static size_t rounded(size_t bytes) { return (bytes + 7) & ~(size_t)7; }

size_t fv_scale_work_bytes(const struct fv_scale_snapshot *s) {
    size_t bins = most_bins(s), items = most_items(s), width = s->n_resources;
    return rounded(bins * sizeof(struct fv_plan_bin)) + 2 * bins * width * sizeof(uint64_t) + 2 * rounded(items * sizeof(struct fv_plan_take)) +
           rounded(most_steps(s) * sizeof(struct fv_plan_step)) + rounded(fv_pack_bytes((uint32_t)items, s->n_resources)) +
           s->n_nodes * (sizeof(uint64_t) + sizeof(uint32_t)) + 16;
}

static void *cut(char **at, size_t bytes) {
    void *p = *at;
    *at += rounded(bytes);
    return p;
}

/* ------------------------------------------------------------------------------------------------ bins */

struct order {
    uint64_t *key;
    uint32_t *node;
};

static bool comes_after(const struct order *o, uint32_t a, uint32_t b) {
    return o->key[a] != o->key[b] ? o->key[a] > o->key[b] : o->node[a] > o->node[b];
}

static void swap(struct order *o, uint32_t a, uint32_t b) {
    uint64_t key = o->key[a];
    uint32_t node = o->node[a];
    o->key[a] = o->key[b], o->node[a] = o->node[b];
    o->key[b] = key, o->node[b] = node;
}

static void sift(struct order *o, uint32_t at, uint32_t n) {
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && comes_after(o, child + 1, child))
            child++;
        if (!comes_after(o, child, at))
            return;
        swap(o, at, child);
    }
}

static void heap_sort(struct order *o, uint32_t n) {
    for (uint32_t i = n / 2; i-- != 0;)
        sift(o, i, n);
    for (uint32_t i = n; i-- > 1;) {
        swap(o, 0, i);
        sift(o, 0, i);
    }
}

static uint32_t add_bin(struct fv_plan *p, uint32_t type, enum fv_plan_kind kind, uint32_t node, const uint64_t *free) {
    uint32_t b = p->n_bins++;
    p->bins[b] = (struct fv_plan_bin){.type = type, .node = node, .kind = (uint8_t)kind, .code = (uint8_t)p->code, .index = FV_SCALE_NONE};
    memcpy(p->space + (size_t)b * p->width, free, p->width * sizeof *free);
    memcpy(p->whole + (size_t)b * p->width, fv_plan_capacity(p, type), p->width * sizeof *free);
    return b;
}

static void add_nodes(struct fv_plan *p, struct order o) {
    const struct fv_scale_snapshot *s = p->s;
    uint32_t                        n = 0;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct fv_scale_node *node = &s->nodes[i];
        p->all[node->type]++;
        p->n_all++;
        if (node->is_draining)
            continue;
        p->up[node->type]++;
        o.key[n] = (uint64_t)node->is_idle << 63 | (uint64_t)scarce_kinds(fv_plan_capacity(p, node->type), p->width) << 58 |
                   (node->is_idle ? (~node->idle_ns) >> 6 : 0);
        o.node[n++] = i;
    }
    heap_sort(&o, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct fv_scale_node *node = &s->nodes[o.node[i]];
        add_bin(p, node->type, node->is_idle ? FV_PLAN_IDLE : FV_PLAN_BUSY, o.node[i], node->free);
    }
    p->n_up = n;
    for (uint32_t t = 0; t < s->n_types; t++)
        for (uint32_t i = 0; i < s->types[t].launching; i++) {
            add_bin(p, t, FV_PLAN_UNDER_WAY, FV_SCALE_NONE, fv_plan_capacity(p, t));
            p->all[t]++;
            p->n_all++;
        }
}

/* how many more of a type there may be */
uint32_t fv_plan_room(const struct fv_plan *p, uint32_t type) {
    uint32_t max = p->s->types[type].max, most = p->s->options.max_nodes;
    if (p->all[type] >= max || p->n_all >= most)
        return 0;
    return FV_MIN(max - p->all[type], most - p->n_all);
}

uint32_t fv_plan_new(struct fv_plan *p, uint32_t type) {
    bool     is_exempt = p->code == FV_SCALE_MIN || p->code == FV_SCALE_FLOOR;
    uint32_t b = add_bin(p, type, FV_PLAN_PLANNED, FV_SCALE_NONE, fv_plan_capacity(p, type));
    p->bins[b].is_deferred = !is_exempt && p->n_wanted++ >= p->n_allowed;
    p->all[type]++;
    p->n_all++;
    return b;
}

void fv_plan_drop(struct fv_plan *p) {
    const struct fv_plan_bin *b = &p->bins[--p->n_bins];
    p->n_wanted--;
    p->all[b->type]--;
    p->n_all--;
}

void fv_plan_start(struct fv_plan *p, const struct fv_scale_snapshot *s, struct fv_scale_decision *d, void *work) {
    char        *at = work;
    struct order order;
    size_t       bins = most_bins(s), items = most_items(s);
    memset(p, 0, sizeof *p);
    p->s = s;
    p->d = d;
    p->width = s->n_resources;
    p->bins = cut(&at, bins * sizeof *p->bins);
    p->space = cut(&at, bins * p->width * sizeof *p->space);
    p->whole = cut(&at, bins * p->width * sizeof *p->whole);
    p->best = cut(&at, items * sizeof *p->best);
    p->trial = cut(&at, items * sizeof *p->trial);
    p->steps = cut(&at, most_steps(s) * sizeof *p->steps);
    p->list = cut(&at, fv_pack_bytes((uint32_t)items, p->width));
    order.key = cut(&at, s->n_nodes * sizeof *order.key);
    order.node = cut(&at, s->n_nodes * sizeof *order.node);
    for (uint32_t t = 0; t < s->n_types; t++)
        for (uint32_t r = 0; r < p->width; r++)
            p->largest[r] = FV_MAX(s->types[t].capacity[r], p->largest[r]);
    add_nodes(p, order);
}

/* ------------------------------------------------------------------------------------------------ lists */

uint64_t fv_plan_types(const struct fv_plan *p, const struct fv_scale_demand *d) {
    uint64_t types = 0;
    for (uint32_t t = 0; t < p->s->n_types; t++)
        if (fv_label_matches(p->s->types[t].labels, p->s->types[t].n_labels, d->terms, d->n_terms))
            types |= 1ull << t;
    return types;
}

/* does it fit an empty node of one of these types? */
bool fv_plan_is_feasible(const struct fv_plan *p, const uint64_t *need, uint64_t types) {
    for (uint32_t t = 0; t < p->s->n_types; t++)
        if (types >> t & 1 && fv_plan_fits(need, fv_plan_capacity(p, t), p->width))
            return true;
    return false;
}

/* Priority first; then who has fewer nodes to choose from; then the large ones. */
static uint64_t key_of(const struct fv_plan *p, const uint64_t *need, uint64_t types, int priority) {
    uint64_t most = 0, sum = 0, kinds = scarce_kinds(need, p->width);
    kinds += types != (p->s->n_types == 64 ? UINT64_MAX : (1ull << p->s->n_types) - 1);
    for (uint32_t r = 0; r < p->width; r++) {
        uint64_t part = share(need[r], p->largest[r]);
        sum += part;
        most = part > most ? part : most;
    }
    return (uint64_t)(priority + 128) << 56 | (kinds > 15 ? 15 : kinds) << 52 | most << 26 | sum;
}

void fv_plan_add(struct fv_plan *p, struct fv_pack *list, const uint64_t *need, uint64_t types, int priority, uint32_t n, uint32_t id) {
    if (n == 0)
        return;
    fv_pack_add(list, need, types, key_of(p, need, types, priority), n, id);
    for (uint32_t r = 0; r < p->width; r++)
        p->open[r] += need[r] != 0;
}

struct fv_pack fv_plan_open(struct fv_plan *p, enum fv_scale_code code) {
    struct fv_pack list;
    fv_pack_open(&list, p->list, most_items(p->s), p->width);
    memset(p->open, 0, sizeof p->open);
    p->code = code;
    p->to = code == FV_SCALE_FLOOR ? p->whole : p->space;
    return list;
}

/* The nearest type, and what it lacks: least kinds of resources, then least of what is needed. */
struct fv_scale_reason fv_plan_lack(const struct fv_plan *p, const uint64_t *need, uint64_t types, const struct fv_scale_demand *d) {
    struct fv_scale_reason reason = {.code = FV_SCALE_LACKS, .type = FV_SCALE_NONE, .resource = FV_SCALE_NONE, .index = FV_SCALE_NONE};
    double                 least = 0;
    for (uint32_t t = 0; t < p->s->n_types; t++) {
        const uint64_t *capacity = fv_plan_capacity(p, t);
        double          lacks = 0, most = 0;
        uint32_t        resource = 0;
        if (types != 0 && !(types >> t & 1))
            continue;
        for (uint32_t r = 0; r < p->width; r++)
            if (need[r] > capacity[r]) {
                double part = 1 - (double)capacity[r] / (double)need[r];
                lacks += 1 + part;
                if (part > most)
                    most = part, resource = r;
            }
        if (reason.type != FV_SCALE_NONE && lacks >= least)
            continue;
        least = lacks;
        reason.type = t;
        reason.resource = resource;
        reason.a = need[resource];
        reason.b = capacity[resource];
    }
    if (types == 0 && d != NULL && reason.type != FV_SCALE_NONE) {
        const struct fv_scale_type *type = &p->s->types[reason.type];
        reason.code = FV_SCALE_LABEL;
        reason.resource = FV_SCALE_NONE;
        reason.a = fv_label_fails(type->labels, type->n_labels, d->terms, d->n_terms);
    }
    return reason;
}

/* Why what is left of an item found no node. */
struct fv_scale_reason fv_plan_limit(const struct fv_plan *p, const uint64_t *need, uint64_t types) {
    struct fv_scale_reason reason = {.code = FV_SCALE_TOTAL_MAX, .type = FV_SCALE_NONE, .resource = FV_SCALE_NONE, .index = FV_SCALE_NONE};
    uint64_t               least = UINT64_MAX;
    reason.a = p->n_all;
    reason.b = p->s->options.max_nodes;
    for (uint32_t t = 0; t < p->s->n_types; t++) {
        uint64_t size = 0;
        if (!(types >> t & 1) || !fv_plan_fits(need, fv_plan_capacity(p, t), p->width) || p->all[t] < p->s->types[t].max)
            continue;
        for (uint32_t r = 0; r < p->width; r++)
            size += share(fv_plan_capacity(p, t)[r], p->largest[r]);
        if (p->n_all >= p->s->options.max_nodes || size >= least)
            continue;
        least = size;
        reason.code = FV_SCALE_TYPE_MAX;
        reason.type = t;
        reason.a = p->all[t];
        reason.b = p->s->types[t].max;
    }
    return reason;
}

void fv_plan_infeasible(struct fv_scale_fate *fate, uint32_t n, struct fv_scale_reason reason) {
    *fate = (struct fv_scale_fate){.infeasible = n, .reason = reason};
}

/* ------------------------------------------------------------------------------------------------ placing */

struct fv_scale_fate *fv_plan_fate(struct fv_plan *p, uint32_t id) { return id == FV_SCALE_NONE ? &p->nobody : &p->d->fates[id]; }

void fv_plan_place(struct fv_plan *p, struct fv_pack *list, uint32_t b, uint32_t item, uint32_t n) {
    const uint64_t       *need = list->need + (size_t)item * p->width;
    struct fv_plan_bin           *bin = &p->bins[b];
    struct fv_scale_fate *fate = fv_plan_fate(p, list->id[item]);
    if (p->logs)
        p->steps[p->n_steps++] = (struct fv_plan_step){b, item, n, bin->is_used};
    for (uint32_t r = 0; r < p->width; r++)
        p->to[(size_t)b * p->width + r] -= need[r] * n;
    if (p->code == FV_SCALE_FLOOR)
        bin->is_floor = true;
    else
        bin->is_used = true;
    if (bin->kind == FV_PLAN_PLANNED && bin->code == p->code) {
        bin->taken += n;
        bin->index = bin->index == FV_SCALE_NONE ? list->id[item] : bin->index;
    }
    switch ((enum fv_plan_kind)bin->kind) {
    case FV_PLAN_BUSY:
    case FV_PLAN_IDLE: fate->fits += n; break;
    case FV_PLAN_UNDER_WAY: fate->under_way += n; break;
    case FV_PLAN_PLANNED: *(bin->is_deferred ? &fate->speed : &fate->launched) += n; break;
    }
    fv_pack_take(list, item, n);
    if (list->left[item] == 0)
        for (uint32_t r = 0; r < p->width; r++)
            p->open[r] -= need[r] != 0;
}

void fv_plan_fill(struct fv_plan *p, struct fv_pack *list) {
    for (uint32_t b = 0; b < p->n_bins; b++) {
        uint64_t *free = p->to + (size_t)b * p->width;
        uint32_t  type = p->bins[b].type;
        for (uint32_t i = 0; (i = fv_pack_next(list, i, free, type)) != FV_PACK_NONE; i++)
            fv_plan_place(p, list, b, i, fv_pack_fit(list, i, free));
    }
}

bool fv_plan_is_better(const struct fv_plan_score *a, const struct fv_plan_score *b) {
    if (a->unneeded != b->unneeded)
        return a->unneeded < b->unneeded;
    if (a->is_half != b->is_half)
        return a->is_half;
    if (a->matching != b->matching)
        return a->matching > b->matching;
    if (a->least != b->least)
        return a->least > b->least;
    return a->sum != b->sum ? a->sum > b->sum : a->size < b->size;
}

struct fv_plan_score fv_plan_score(const struct fv_plan *p, uint32_t type, const uint64_t *free) {
    const uint64_t *capacity = fv_plan_capacity(p, type);
    struct fv_plan_score    s = {.least = UINT64_MAX};
    for (uint32_t r = 0; r < p->width; r++) {
        if (capacity[r] == 0)
            continue;
        uint64_t size = share(capacity[r], p->largest[r]) >> 4, used = capacity[r] - free[r];
        uint64_t use = (uint64_t)((double)used / (double)capacity[r] * 1024);
        uint64_t worth = size * use * use * use;
        s.unneeded += r >= FV_SCALE_CUSTOM && p->open[r] == 0;
        s.is_half |= used >= capacity[r] - used;
        s.size += size;
        if (r == FV_SCALE_MEMORY && p->open[r] == 0)
            continue;
        s.matching += p->open[r] != 0;
        s.least = worth < s.least ? worth : s.least;
        s.sum += worth;
    }
    return s;
}

/* What a new node of that type would take, in order; free_out is what would be left of it. */
static uint32_t try_type(const struct fv_plan *p, const struct fv_pack *list, uint32_t type, struct fv_plan_take *takes, uint64_t *free_out) {
    uint32_t n = 0;
    memcpy(free_out, fv_plan_capacity(p, type), p->width * sizeof *free_out);
    for (uint32_t i = 0; (i = fv_pack_next(list, i, free_out, type)) != FV_PACK_NONE; i++) {
        const uint64_t *need = list->need + (size_t)i * p->width;
        takes[n] = (struct fv_plan_take){i, fv_pack_fit(list, i, free_out)};
        for (uint32_t r = 0; r < p->width; r++)
            free_out[r] -= need[r] * takes[n].n;
        n++;
    }
    return n;
}

/* New nodes for what is left of the list, as many of the best type at once as would be the same. */
void fv_plan_launch(struct fv_plan *p, struct fv_pack *list) {
    for (;;) {
        struct fv_plan_score best = {0};
        uint32_t     best_type = FV_SCALE_NONE, n_best = 0;
        for (uint32_t t = 0; t < p->s->n_types; t++) {
            uint64_t free[FV_SCALE_RESOURCES];
            uint32_t n = fv_plan_room(p, t) == 0 ? 0 : try_type(p, list, t, p->trial, free);
            if (n == 0)
                continue;
            struct fv_plan_score one = fv_plan_score(p, t, free);
            if (best_type != FV_SCALE_NONE && !fv_plan_is_better(&one, &best))
                continue;
            struct fv_plan_take *other = p->best;
            p->best = p->trial, p->trial = other;
            best = one, best_type = t, n_best = n;
        }
        if (best_type == FV_SCALE_NONE)
            return;
        uint32_t n = fv_plan_room(p, best_type);
        for (uint32_t i = 0; i < n_best; i++)
            n = FV_MIN(n, list->left[p->best[i].item] / p->best[i].n);
        for (; n != 0; n--) {
            uint32_t b = fv_plan_new(p, best_type);
            for (uint32_t i = 0; i < n_best; i++)
                fv_plan_place(p, list, b, p->best[i].item, p->best[i].n);
        }
    }
}
