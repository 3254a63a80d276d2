/* cli/node.c: nodes as rows: what they have, and what of that is in use.
 *
 * Run by:          the fever command.
 * Shared state:    reads a private copy of the segment's header, which may be damaged.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

#define UNITS 10000.0 /* of each resource: one */

static const struct fv_node_type *type_of(const struct fv_segment *s, uint32_t node) {
    uint32_t t = node < FV_NODES ? s->cluster.node[node].type : FV_NODE_TYPES;
    return t < FV_NODE_TYPES && t < s->cluster.n_types ? &s->cluster.type[t] : NULL;
}

const char *cli_node_name(const struct fv_segment *s, uint32_t node, char *buf, size_t bytes) {
    const struct fv_node_type *type = type_of(s, node);
    if (type == NULL)
        snprintf(buf, bytes, "?");
    else
        snprintf(buf, bytes, "%.23s-%u", type->name, s->cluster.node[node].number);
    return buf;
}

/* "1/2 gpu, 0/1 disk" */
static void say_resources(const struct fv_segment *s, const struct fv_node *n, const struct fv_node_type *type, char *text, size_t bytes) {
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < FV_MIN(s->dispatch.n_resources, FV_N_RESOURCES) && at < bytes; i++)
        if (type->total[i] != 0)
            at += (size_t)snprintf(text + at, bytes - at, "%s%.6g/%.6g %.31s", at == 0 ? "" : ", ", (double)n->used[i] / UNITS,
                                   (double)type->total[i] / UNITS, s->dispatch.resource[i].name);
}

static void say_labels(const struct fv_node_type *type, char *text, size_t bytes) {
    size_t at = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < FV_MIN(type->n_labels, FV_LABELS) && at < bytes; i++)
        at += (size_t)snprintf(text + at, bytes - at, "%s%.23s=%.23s", at == 0 ? "" : ", ", type->label[i].key, type->label[i].value);
}

json_t *cli_nodes(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out) {
    static const char *const states[] = {[FV_NODE_UP] = "up"};
    const struct fv_segment *s = o->head;
    json_t                  *rows = json_array();
    *n_all_out = 0;
    for (uint32_t i = 0; i < FV_MIN(s->cluster.n_nodes, FV_NODES); i++) {
        const struct fv_node      *n = &s->cluster.node[i];
        const struct fv_node_type *type = type_of(s, i);
        const char                *state = n->state < FV_COUNT_OF(states) && states[n->state] != NULL ? states[n->state] : "?";
        char                       name[48], type_name[sizeof type->name], cpu[48], resources[512], labels[512];
        if (type == NULL || (cli->state != NULL && strcasecmp(cli->state, state) != 0) || (++*n_all_out > (size_t)cli->limit && cli->limit != 0))
            continue;
        snprintf(type_name, sizeof type_name, "%.23s", type->name); /* a damaged one may have no end */
        snprintf(cpu, sizeof cpu, "%.6g/%u", (double)n->cpu_used / UNITS, n->n_workers);
        say_resources(s, n, type, resources, sizeof resources);
        say_labels(type, labels, sizeof labels);
        json_t *row = json_pack("{s:i, s:o, s:o, s:s, s:I, s:I, s:s, s:o, s:o}", "number", (int)i, "name",
                                cli_text(cli_node_name(s, i, name, sizeof name)), "type", cli_text(type_name), "state", state, "first_worker",
                                (json_int_t)n->first - 1, "workers", (json_int_t)n->n_workers, "cpu", cpu, "resources", cli_text(resources), "labels",
                                cli_text(labels));
        if (row != NULL)
            json_array_append_new(rows, row);
    }
    return rows;
}
