/* base/resources.h: custom resources, as they are given to fever_init(): "gpu=2,disk=1.5".
 *
 * Run by:          the driver in fever_init().
 * Shared state:    none.
 */
#ifndef FV_RESOURCES_H
#define FV_RESOURCES_H

#include <stdint.h>

#define FV_UNITS          10000u /* of a resource: one */
#define FV_RESOURCES_MAX  16
#define FV_RESOURCE_CHARS 32

struct fv_resource_amount {
    char     name[FV_RESOURCE_CHARS];
    uint64_t units;
};

/* How many there are, or -FEVER_EOPTION: a name twice, "cpu", too long or missing; an amount that is no number above 0 and up to
 * 1e9 with at most four digits after the point; more than 16.  out may be NULL. */
int fv_resources_parse(const char *text, struct fv_resource_amount out[FV_RESOURCES_MAX]);

#endif
