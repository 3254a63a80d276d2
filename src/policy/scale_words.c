/* policy/scale_words.c: the decisions of policy/scale.c in words and numbers. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/words.h"
#include "policy/scale.h"

/* Text that grows in the caller's room, and is cut there. */
struct text {
    char  *at;
    size_t room, n;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at + t->n, t->room - t->n, format, args);
    va_end(args);
    if (n > 0)
        t->n = t->n + (size_t)n < t->room ? t->n + (size_t)n : t->room - 1;
}

static struct text begin(char *at, size_t room) {
    struct text t = {at, room, 0};
    at[0] = '\0';
    return t;
}

/* 15000 to "1.5" */
static void put_units(struct text *t, uint64_t units) {
    unsigned rest = (unsigned)(units % FV_SCALE_UNIT), digits = 4;
    put(t, "%" PRIu64, units / FV_SCALE_UNIT);
    if (rest == 0)
        return;
    while (rest % 10 == 0)
        rest /= 10, digits--;
    put(t, ".%0*u", (int)digits, rest);
}

static void put_amount(struct text *t, const struct fv_scale_snapshot *s, uint32_t resource, uint64_t units) {
    static const char *const bytes[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double                   value = (double)units;
    unsigned                 u = 0;
    if (resource != FV_SCALE_MEMORY) {
        put_units(t, units);
        put(t, " %s", s->resources[resource]);
        return;
    }
    while (value >= 1024 && u < 4)
        value /= 1024, u++;
    put(t, "%.4g %s of %s", value, bytes[u], s->resources[resource]);
}

static void put_need(struct text *t, const struct fv_scale_snapshot *s, const uint64_t *need) {
    bool any = false;
    for (uint32_t r = 0; r < s->n_resources; r++)
        if (need[r] != 0) {
            put(t, "%s", any ? ", " : "");
            put_amount(t, s, r, need[r]);
            any = true;
        }
    if (!any)
        put(t, "nothing");
}

static void put_seconds(struct text *t, uint64_t ns) {
    char text[32];
    put(t, "%s", fv_seconds_text((double)ns * 1e-9, text, sizeof text));
}

static const char *s_of(uint64_t n) { return n == 1 ? "" : "s"; }

static const char *type_name(const struct fv_scale_snapshot *s, uint32_t type) {
    return type == FV_SCALE_NONE ? "all types together" : s->types[type].name;
}

static void put_term(struct text *t, const struct fv_label_term *term) {
    static const char *const ops[] = {"in", "not in", "exists", "absent"};
    put(t, "%s %s", term->key, ops[term->op]);
    for (uint32_t i = 0; i < term->n_values; i++)
        put(t, "%s%s%s", i == 0 ? " (" : ", ", term->values[i], i + 1 == term->n_values ? ")" : "");
}

/* the demand of a fate, or NULL for a gang */
static const struct fv_scale_demand *demand_of(const struct fv_scale_snapshot *s, uint32_t index) {
    if (index < s->n_demands)
        return &s->demands[index];
    index -= s->n_demands;
    return index < s->n_gangs ? NULL : &s->floor[index - s->n_gangs];
}

/* Bundles of a gang may differ in what they say of labels; the term is of the first that has so many. */
static const struct fv_label_term *term_of(const struct fv_scale_snapshot *s, uint32_t index, uint64_t term) {
    const struct fv_scale_demand *d = demand_of(s, index);
    if (d != NULL)
        return term < d->n_terms ? &d->terms[term] : NULL;
    const struct fv_scale_gang *g = &s->gangs[index - s->n_demands];
    for (uint32_t i = 0; i < g->n_bundles; i++)
        if (term < g->bundles[i].n_terms)
            return &g->bundles[i].terms[term];
    return NULL;
}

static void put_why_not(struct text *t, const struct fv_scale_snapshot *s, uint32_t index, const struct fv_scale_reason *r) {
    const struct fv_label_term *term;
    switch (r->code) {
    case FV_SCALE_TYPE_MAX: put(t, "%s is at its max of %" PRIu64, type_name(s, r->type), r->b); break;
    case FV_SCALE_TOTAL_MAX: put(t, "there are %" PRIu64 " nodes, and may be %" PRIu64 " in all", r->a, r->b); break;
    case FV_SCALE_LACKS:
        if (r->type == FV_SCALE_NONE) {
            put(t, "there are no node types");
            break;
        }
        put(t, "the nearest type, %s, has ", type_name(s, r->type));
        put_amount(t, s, r->resource, r->b);
        put(t, ": lacks ");
        put_amount(t, s, r->resource, r->a - r->b);
        break;
    case FV_SCALE_LABEL:
        put(t, "no type has the labels");
        if ((term = term_of(s, index, r->a)) != NULL) {
            put(t, "; the nearest, %s, fails ", type_name(s, r->type));
            put_term(t, term);
        }
        break;
    case FV_SCALE_NODES: put(t, "%" PRIu64 " bundles need a node each, and there can be %" PRIu64, r->a, r->b); break;
    default: break;
    }
}

const char *fv_scale_need_text(const struct fv_scale_snapshot *s, const uint64_t *need, char *text, size_t room) {
    struct text t = begin(text, room);
    put_need(&t, s, need);
    return text;
}

static void put_first(struct text *t, const struct fv_scale_snapshot *s, const struct fv_scale_reason *r, const char *what) {
    const struct fv_scale_demand *d = r->index == FV_SCALE_NONE ? NULL : demand_of(s, r->index);
    if (d == NULL)
        return;
    put(t, ", %s ", what);
    put_need(t, s, d->need);
    put(t, ",");
}

const char *fv_scale_launch_text(const struct fv_scale_snapshot *s, const struct fv_scale_launch *launch, char *text, size_t room) {
    struct text                   t = begin(text, room);
    const struct fv_scale_reason *r = &launch->reason;
    put(&t, "launch %u %s: ", launch->n, type_name(s, launch->type));
    switch (r->code) {
    case FV_SCALE_MIN: put(&t, "its min is %" PRIu64 ", there were %" PRIu64, r->b, r->a - launch->n); break;
    case FV_SCALE_FLOOR:
        put(&t, "%" PRIu64 " requested bundle%s", r->a, s_of(r->a));
        put_first(&t, s, r, "the first of");
        put(&t, " do%s not fit into all nodes together", r->a == 1 ? "es" : "");
        break;
    case FV_SCALE_GANG: put(&t, "%" PRIu64 " placement group%s not fit what is free or under way", r->a, r->a == 1 ? " does" : "s do"); break;
    case FV_SCALE_DEMAND:
        put(&t, "%" PRIu64 " of %" PRIu64 " demand%s", r->a, r->b, s_of(r->b));
        put_first(&t, s, r, r->a == 1 ? "of" : "the first of");
        put(&t, " do%s not fit what is free or under way", r->a == 1 ? "es" : "");
        break;
    case FV_SCALE_HEADROOM:
        put_units(&t, r->a);
        put(&t, " of ");
        put_units(&t, r->b);
        put(&t, " cpu will be in use; the threshold is %.1f %%", (double)r->c / 10);
        break;
    case FV_SCALE_BUFFER: put(&t, "%" PRIu64 " shall be idle and ready", r->b); break;
    default: break;
    }
    return text;
}

const char *fv_scale_drain_text(const struct fv_scale_snapshot *s, const struct fv_scale_drain *drain, char *text, size_t room) {
    struct text                   t = begin(text, room);
    const struct fv_scale_reason *r = &drain->reason;
    put(&t, "drain %s: ", type_name(s, s->nodes[drain->node].type));
    if (r->code == FV_SCALE_IDLE) {
        uint64_t least = s->options.idle_ns;
        put(&t, "idle for ");
        put_seconds(&t, r->a);
        put(&t, ", timeout ");
        put_seconds(&t, r->b);
        if (r->b > least) {
            put(&t, " (");
            put_seconds(&t, least);
            put(&t, ", doubled as earlier drains were regretted)");
        }
    } else {
        put(&t, "idle, and there are %" PRIu64 " nodes of %s: max is %" PRIu64, r->a, type_name(s, r->type), r->b);
    }
    return text;
}

const char *fv_scale_kept_text(const struct fv_scale_snapshot *s, const struct fv_scale_kept *kept, char *text, size_t room) {
    struct text                   t = begin(text, room);
    const struct fv_scale_reason *r = &kept->reason;
    put(&t, "keep %u idle %s: ", kept->n, type_name(s, kept->type));
    switch (r->code) {
    case FV_SCALE_KEEP_MIN: put(&t, "at its min of %" PRIu64, r->a); break;
    case FV_SCALE_KEEP_FLOOR: put(&t, "requested bundles need them"); break;
    case FV_SCALE_KEEP_BUFFER: put(&t, "%" PRIu64 " shall be idle and ready", r->a); break;
    case FV_SCALE_KEEP_COPIES: put(&t, "they hold the only copies of objects"); break;
    case FV_SCALE_KEEP_DEMAND: put(&t, "waiting demands fit there"); break;
    default: break;
    }
    return text;
}

static void put_part(struct text *t, uint32_t n, const char *what) {
    if (n != 0)
        put(t, "%s%u %s", t->n != 0 && t->at[t->n - 1] == ':' ? " " : "; ", n, what);
}

const char *fv_scale_fate_text(const struct fv_scale_snapshot *s, const struct fv_scale_decision *d, uint32_t index, char *text, size_t room) {
    struct text                   t = begin(text, room);
    const struct fv_scale_fate   *f = &d->fates[index];
    const struct fv_scale_demand *demand = demand_of(s, index);
    uint32_t                      n = f->fits + f->under_way + f->launched + f->speed + f->held + f->infeasible;
    if (demand != NULL) {
        put(&t, "%u%s of ", n, index >= s->n_demands ? " requested" : "");
        put_need(&t, s, demand->need);
    } else {
        static const char *const names[] = {"pack", "spread", "strict pack", "strict spread"};
        put(&t, "placement group (%s) of %u bundle%s", names[s->gangs[index - s->n_demands].strategy], n, s_of(n));
    }
    put(&t, ":");
    put_part(&t, f->fits, "fit what is free");
    put_part(&t, f->under_way, "wait for launches under way");
    put_part(&t, f->launched, "wait for nodes launched now");
    put_part(&t, f->speed, "wait for the speed limit");
    if (f->speed != 0)
        put(&t, " of %u launches at once", d->speed_limit);
    put_part(&t, f->held, "held:");
    put_part(&t, f->infeasible, "infeasible:");
    if (f->held != 0 || f->infeasible != 0)
        put(&t, " "), put_why_not(&t, s, index, &f->reason);
    return text;
}

const char *fv_scale_code_name(enum fv_scale_code code) {
    static const char *const names[] = {
        "none",
#define X(name, doc) #name,
        FV_SCALE_CODES(X)
#undef X
    };
    return names[code];
}
