/* sim/workload.h: what is submitted when: read from a CSV file, or generated.
 *
 * A file has a line of names, then a line for each submission: "submit" and "duration" are times, "count" [1] how many alike,
 * "priority" [0]; every other column is a resource.  Lines that begin with # are comments.
 */
#ifndef FV_SIM_WORKLOAD_H
#define FV_SIM_WORKLOAD_H

#include "sim/cluster.h"

/* Tasks of one shape that are submitted together. */
struct fv_submission {
    uint64_t submit_ns, duration_ns;
    uint32_t shape, n;
};

struct fv_workload {
    struct fv_submission   *submissions; /* by time */
    struct fv_scale_demand *shapes;      /* n is 0 */
    uint32_t                n_submissions, n_shapes;
    uint64_t                n_tasks;
};

/* 0, or -1 with "FILE:LINE: what is wrong" in why.  Resources that the cluster does not know are added to it. */
int  fv_workload_read(const char *path, struct fv_cluster *c, struct fv_workload *w, char *why, size_t room);
/* From "poisson,tasks=1000,rate=10,duration=2 s,cpu=1,seed=1" or "bursts,tasks=1000,size=100,every=1 min,...". */
int  fv_workload_generate(const char *spec, struct fv_cluster *c, struct fv_workload *w, char *why, size_t room);
void fv_workload_free(struct fv_workload *w);

#endif
