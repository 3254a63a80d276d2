/* core/placement.c: see placement.h. */
#include "core/placement.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "shm/options.h"

int fv_resource_number(const char *name) {
    const struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    for (uint32_t i = 0; i < d->n_resources; i++)
        if (strcmp(d->resource[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* "gpu-1": type gpu, the second of them. */
static int find_node(const char *name, uint32_t *node_out) {
    const struct fv_node_table *c = &fv_map.seg->cluster;
    const char              *dash = strrchr(name, '-');
    char                    *end;
    unsigned long            number = dash == NULL || dash[1] < '0' || dash[1] > '9' ? c->n_nodes : strtoul(dash + 1, &end, 10);
    for (uint32_t n = 0; n < c->n_nodes && dash != NULL && number < c->n_nodes && *end == '\0'; n++) {
        const char *type = c->type[c->node[n].type].name;
        if (c->node[n].number == number && strlen(type) == (size_t)(dash - name) && memcmp(type, name, (size_t)(dash - name)) == 0) {
            *node_out = n;
            return 0;
        }
    }
    return -FEVER_EINVAL;
}

static bool has_labels(const struct fv_node_type *type, const struct fv_selector *s) {
    struct fv_label label[FV_LABELS];
    for (uint32_t i = 0; i < type->n_labels; i++)
        label[i] = (struct fv_label){type->label[i].key, type->label[i].value};
    return fv_label_matches(label, type->n_labels, s->term, s->n_terms);
}

int fv_placement(const struct fever_task_options *o, struct fv_placement *out, char *why, size_t why_bytes) {
    const struct fv_node_table *c = &fv_map.seg->cluster;
    struct fv_selector       s;
    *out = (struct fv_placement){.types = UINT64_MAX, .strategy = o->spread ? FV_PLACED_SPREAD : FV_PLACED_DEFAULT};
    if (o->node != NULL) {
        if (find_node(o->node, &out->node) < 0) {
            snprintf(why, why_bytes, "there is no node %.48s", o->node);
            return -FEVER_EINVAL;
        }
        out->strategy = o->node_soft ? FV_PLACED_SOFT : FV_PLACED_HARD;
    }
    if (o->labels == NULL)
        return 0;
    if (!fv_selector_parse(o->labels, &s)) {
        snprintf(why, why_bytes, "labels \"%.48s\" are malformed", o->labels);
        return -FEVER_EINVAL;
    }
    for (uint32_t t = 0; t < c->n_types; t++)
        if (!has_labels(&c->type[t], &s))
            out->types &= ~(1ull << t);
    return 0;
}

/* The first that a node of that type lacks: n_resources + 1: nothing; n_resources: CPUs. */
static size_t lacks(const struct fv_node_type *type, const struct fever_task_options *o, double cpus) {
    if (cpus > type->n_cpus)
        return o->n_resources;
    for (size_t i = 0; i < o->n_resources; i++) {
        int r = fv_resource_number(o->resources[i].name);
        if ((uint64_t)llround(o->resources[i].amount * FV_CPU_UNITS) > (r < 0 ? 0 : type->total[r])) /* rounded as the demand is */
            return i;
    }
    return o->n_resources + 1;
}

/* In words: what the type that lacks least, if there are several, does not have. */
static void say_lack(const struct fever_task_options *o, const struct fv_node_type *type, size_t what, double cpus, char *why, size_t why_bytes) {
    const char *there = fv_map.seg->cluster.n_nodes > 1 ? "a node that will do has" : "there are";
    if (what == o->n_resources) {
        snprintf(why, why_bytes, "asks for %.0f CPUs, %s %u%s", cpus, there, type->n_cpus, fv_map.seg->cluster.n_nodes > 1 ? " at most" : " workers");
        return;
    }
    int r = fv_resource_number(o->resources[what].name);
    if (r < 0)
        snprintf(why, why_bytes, "asks for %.6g %s, a resource that this runtime does not have", o->resources[what].amount, o->resources[what].name);
    else
        snprintf(why, why_bytes, "asks for %.6g %s, %s %.6g", o->resources[what].amount, o->resources[what].name, there,
                 (double)type->total[r] / FV_CPU_UNITS);
}

int fv_placement_check(const struct fever_task_options *o, char *why, size_t why_bytes) {
    const struct fv_node_table   *c = &fv_map.seg->cluster;
    const struct fv_node_type *best = NULL;
    struct fv_placement        where;
    size_t                     best_lack = 0;
    double                     cpus = o->num_cpus == 0 ? 1 : o->num_cpus;
    int                        rc = fv_placement(o, &where, why, why_bytes);
    if (rc < 0)
        return rc;
    if (cpus > 1 && cpus != (double)(uint64_t)cpus) {
        snprintf(why, why_bytes, "asks for %.4f CPUs: above one it must be a whole number", cpus);
        return -FEVER_EINVAL;
    }
    for (uint32_t t = 0; t < c->n_types; t++) {
        if (!(where.types >> t & 1) || (where.strategy == FV_PLACED_HARD && c->node[where.node].type != t))
            continue;
        size_t what = lacks(&c->type[t], o, cpus);
        if (what > o->n_resources)
            return cpus != 1 || o->n_resources != 0 || o->priority != 0 || o->spread || o->node != NULL || o->labels != NULL;
        if (best == NULL || (what == o->n_resources && best_lack == what ? c->type[t].n_cpus > best->n_cpus : what < o->n_resources && what > best_lack))
            best = &c->type[t], best_lack = what;
    }
    if (best == NULL)
        snprintf(why, why_bytes, "no node has labels as \"%.64s\"", o->labels == NULL ? "" : o->labels);
    else
        say_lack(o, best, best_lack, cpus, why, why_bytes);
    return -FEVER_EINFEASIBLE;
}
