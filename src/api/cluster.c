/* api/cluster.c: the nodes of a runtime, out of its options.
 *
 * Run by the driver in fever_init(), before anybody else is there.  Writes the header's tables of types, nodes and resources.
 */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "base/nodes.h"
#include "core/placement.h"

_Static_assert(FV_NODE_SPECS == FV_NODE_TYPES && FV_NODE_COUNT_MOST == FV_NODES && FV_NODE_LABELS == FV_LABELS && FV_RESOURCES_MAX == FV_N_RESOURCES,
               "what can be said can be kept");

static struct fv_node_spec spec[FV_NODE_SPECS];
static int                 n_specs;

/* Without option nodes: one with all. */
static int plan_one(const struct fv_options *o) {
    struct fv_resource_amount amounts[FV_RESOURCES_MAX];
    memset(&spec[0], 0, sizeof spec[0]);
    snprintf(spec[0].name, sizeof spec[0].name, "node");
    spec[0].count = 1;
    spec[0].n_cpus = (uint32_t)o->workers;
    spec[0].n_amounts = (uint32_t)FV_MAX(fv_resources_parse(o->resources, amounts), 0);
    memcpy(spec[0].amount, amounts, spec[0].n_amounts * sizeof amounts[0]);
    n_specs = 1;
    return 0;
}

int fv_cluster_plan(struct fv_options *o, char *why, size_t why_bytes) {
    uint32_t n_cpus = 0;
    if (o->nodes[0] == '\0')
        return 0;
    for (int i = 0; i < 2; i++)
        if (o->origin[i == 0 ? FV_OPTION_workers : FV_OPTION_resources] != FV_ORIGIN_DEFAULT) {
            snprintf(why, why_bytes, "option nodes says which CPUs and resources there are: %s cannot be given, too", i == 0 ? "workers" : "resources");
            return -FEVER_EOPTION;
        }
    if ((n_specs = fv_nodes_parse(o->nodes, spec, why, why_bytes)) < 0)
        return n_specs;
    for (int t = 0; t < n_specs; t++)
        n_cpus += spec[t].count * spec[t].n_cpus;
    o->workers = (int)n_cpus;
    o->origin[FV_OPTION_workers] = o->origin[FV_OPTION_nodes];
    return 0;
}

/* Number of a resource; a new one if it is not known yet.  -1: there are too many. */
static int resource_number(const char *name) {
    struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    int                       r = fv_resource_number(name);
    if (r >= 0 || d->n_resources == FV_N_RESOURCES)
        return r;
    memcpy(d->resource[d->n_resources].name, name, strnlen(name, FV_RESOURCE_CHARS - 1));
    return (int)d->n_resources++;
}

static int fill_type(uint32_t t) {
    const struct fv_node_spec *from = &spec[t];
    struct fv_node_type       *to = &fv_map.seg->cluster.type[t];
    memcpy(to->name, from->name, sizeof to->name);
    to->n_cpus = from->n_cpus;
    to->n_labels = from->n_labels;
    memcpy(to->label, from->label, sizeof to->label);
    for (uint32_t i = 0; i < from->n_amounts; i++) {
        int r = resource_number(from->amount[i].name);
        if (r < 0)
            return -FEVER_EOPTION;
        to->total[r] = from->amount[i].units;
        fv_map.seg->dispatch.resource[r].total += from->amount[i].units * from->count;
    }
    return 0;
}

int fv_cluster_fill(const struct fv_options *o) {
    struct fv_node_table *c = &fv_map.seg->cluster;
    uint32_t           first = 1; /* worker slot */
    if (o->nodes[0] == '\0')
        plan_one(o);
    c->n_types = (uint32_t)n_specs;
    for (uint32_t t = 0; t < c->n_types; t++) {
        if (fill_type(t) < 0) {
            fv_warn("nodes: there may be %u custom resources at most", FV_N_RESOURCES);
            return -FEVER_EOPTION;
        }
        for (uint32_t i = 0; i < spec[t].count; i++, first += spec[t].n_cpus)
            c->node[c->n_nodes++] = (struct fv_node){.state = FV_NODE_UP, .type = t, .first = first, .n_workers = spec[t].n_cpus, .number = i};
    }
    fv_map.seg->dispatch.cpu_units = (uint64_t)(first - 1) * FV_UNITS;
    return 0;
}
