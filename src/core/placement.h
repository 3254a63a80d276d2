/* core/placement.h: on which nodes a task may run, and whether there is any that could ever hold it.
 *
 * Run by submitters.  Reads what fever_init has said of the nodes, which is frozen.
 */
#ifndef FV_CORE_PLACEMENT_H
#define FV_CORE_PLACEMENT_H

#include "core/self.h"

struct fv_placement {
    uint64_t types; /* bit t: nodes of that type will do */
    uint32_t strategy, node; /* as policy/place.h has them */
};
enum { FV_PLACED_DEFAULT, FV_PLACED_SPREAD, FV_PLACED_HARD, FV_PLACED_SOFT };

/* What the checked options say of nodes and labels.  0, or -FEVER_EINVAL (no such node, malformed labels), and why. */
int fv_placement(const struct fever_task_options *o, struct fv_placement *out, char *why, size_t why_bytes);
/* What the checked options ask for: 1 something special, which can be had; 0 nothing; -FEVER_EINVAL for a broken number of CPUs
 * above one, or as above; -FEVER_EINFEASIBLE for more than any node that will do can ever have.  why: of the errors, in words. */
int fv_placement_check(const struct fever_task_options *o, char *why, size_t why_bytes);
/* Number of a custom resource, or -1. */
int fv_resource_number(const char *name);

#endif
