/* base/nodes.h: the nodes of a runtime, as they are given to fever_init(): "small*2: cpu=4, zone=west; gpu: cpu=2, gpu=1".
 *
 * Run by:          the driver in fever_init().
 * Shared state:    none.
 *
 * NAME[*COUNT]: what one has, separated by commas; the next after a semicolon.  cpu is a whole number, at least 1; what has another number is a
 * custom resource, what has a word a label.
 */
#ifndef FV_BASE_NODES_H
#define FV_BASE_NODES_H

#include <stddef.h>

#include "base/resources.h"

#define FV_NODE_SPECS  64
#define FV_NODE_COUNT_MOST 256
#define FV_NODE_CPUS_MOST  4000
#define FV_NODE_LABELS 8
#define FV_NODE_CHARS  24

struct fv_node_spec {
    char                      name[FV_NODE_CHARS];
    uint32_t                  count, n_cpus, n_amounts, n_labels;
    struct fv_resource_amount amount[FV_RESOURCES_MAX];
    struct {
        char key[FV_NODE_CHARS], value[FV_NODE_CHARS];
    } label[FV_NODE_LABELS];
};

/* How many types there are, or -FEVER_EOPTION, and why. */
int fv_nodes_parse(const char *text, struct fv_node_spec out[FV_NODE_SPECS], char *why, size_t why_bytes);

#endif
