/* cgroup.h: files of this process's control groups, v1 and v2 alike.
 *
 * Run by:          plat/limits.c.
 * Shared state:    none.
 * Not here:        what the numbers mean: plat/limits.c.
 */
#ifndef FV_CGROUP_H
#define FV_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fv_cgroup {
    char   dir[1024]; /* of this process's group, as the file system shows it; "" if there is none */
    size_t top;       /* length of the mount point: ancestors end there */
    bool   v2;
};

/* The group of `controller` ("memory", "cpu", "pids"): v1's where that controller is mounted as v1, else v2's.
 * root is put before every path ("" in life; tests have trees of their own).  Returns false when there is none. */
bool fv_cgroup_find(const char *root, const char *controller, struct fv_cgroup *group_out);

/* goes to the parent; false at the top */
bool fv_cgroup_up(struct fv_cgroup *group);

/* The file's text (its beginning), or false. */
bool fv_cgroup_read(const struct fv_cgroup *group, const char *file, char *buf, size_t bytes);

/* Its first number; "max", and what v1 has in its place, are UINT64_MAX. */
bool fv_cgroup_number(const struct fv_cgroup *group, const char *file, uint64_t *value_out);

#endif
