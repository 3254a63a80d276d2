/* sim/cluster.h: a cluster file: node types, options, and named policies.
 *
 * YAML, read by libyaml: it has comments, JSON is a part of it, and the parser knows the line of each value, so that every
 * error names one.  doc/autoscaler.md describes the file.
 */
#ifndef FV_SIM_CLUSTER_H
#define FV_SIM_CLUSTER_H

#include "policy/place.h"
#include "policy/scale.h"

#define FV_CLUSTER_NAME     32
#define FV_CLUSTER_POLICIES 16

struct fv_policy {
    char                    name[FV_CLUSTER_NAME];
    struct fv_scale_options options;
    enum fv_place_strategy  strategy;
    uint64_t                every_ns; /* between two decisions, at least */
};

struct fv_cluster {
    uint32_t             n_types, n_resources, n_policies;
    struct fv_scale_type types[FV_SCALE_TYPES];
    double               failure[FV_SCALE_TYPES]; /* share of launches that fail */
    char                 type_names[FV_SCALE_TYPES][FV_CLUSTER_NAME];
    char                 resource_names[FV_SCALE_RESOURCES][FV_CLUSTER_NAME];
    const char          *resources[FV_SCALE_RESOURCES];
    struct fv_policy     policies[FV_CLUSTER_POLICIES]; /* the first is that of the file itself */
};

/* 0, or -1 with "FILE:LINE: what is wrong" in why. */
int fv_cluster_read(const char *path, struct fv_cluster *c, char *why, size_t room);
/* The number of a resource, a new one if it is not known; FV_SCALE_NONE: too many, or too long a name. */
uint32_t fv_cluster_resource(struct fv_cluster *c, const char *name);
/* "1.5", to 0.0001; of memory "64 GiB".  False: it is none. */
bool     fv_cluster_amount(uint32_t resource, const char *text, uint64_t *units_out);
/* "1.5", "300 ms", "2 min", "1 h": seconds without a unit. */
bool     fv_cluster_time(const char *text, uint64_t *ns_out);

#endif
