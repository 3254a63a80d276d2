/* core/options.h: the block in which a task's options lie, beyond its time limit and its number of retries.
 *
 * Few tasks have one.  It is a block of the task's slot, in the small chunks of its home.
 */
#ifndef FV_CORE_OPTIONS_H
#define FV_CORE_OPTIONS_H

#include "core/self.h"

#define FV_CPU_UNITS      10000u /* of a CPU, and of any other resource: one */
#define FV_PRIORITY_MOST  100
#define FV_RESOURCES_MOST 16u
#define FV_CODES_MOST     64u
#define FV_ENV_BYTES_MOST 16384u

struct fv_resource_want {
    char     name[32];
    uint64_t units;
};

/* A fixed part, then resources, codes and environment.  All of it is written by the home while the slot is FREE, before READY (ORDER
 * submit), and frozen.  If the home dies first it is a garbage block; afterwards it is freed with the slot (fv_task_options_free).
 *
 *   cpu_units   0: it takes no CPU
 *   retry       FEVER_RETRY_NONE, FEVER_RETRY_ALL, or FV_RETRY_CODES: one of n_codes
 *   env         n_env texts NAME=value, each with its end, one after the other
 */
#define FV_RETRY_CODES 2u
struct fv_task_options_block {
    char     name[48]; /* "": the definition's */
    uint64_t memory_bytes;
    uint64_t retry_delay_ns;
    uint32_t cpu_units;
    uint32_t max_calls;
    int16_t  priority;
    uint8_t  retry;
    uint8_t  pad0;
    uint16_t n_resources, n_codes;
    uint32_t n_env, env_bytes;
    struct fv_resource_want resource[];
};
_Static_assert(sizeof(struct fv_task_options_block) == 88, "whole words");

static inline const int32_t *fv_task_options_codes(const struct fv_task_options_block *b) {
    return (const int32_t *)(const void *)&b->resource[b->n_resources];
}
static inline const char *fv_task_options_env(const struct fv_task_options_block *b) { return (const char *)(fv_task_options_codes(b) + b->n_codes); }

/* The block of a task that is not FREE, or NULL. */
static inline const struct fv_task_options_block *fv_task_options_of(uint32_t index) {
    return fv_task(index)->x & FV_X_OPTIONS && fv_cold(index)->options != 0 ? fv_at(fv_cold(index)->options) : NULL;
}

/* The caller's struct, of whatever size its header had, as one of ours, checked.  *bytes_out: of the block that it needs, 0: none.
 * 0 or -FEVER_EINVAL. */
int  fv_task_options_check(const struct fever_task_options *user, struct fever_task_options *wide_out, uint32_t *bytes_out);
/* Writes what was checked to a block of so many bytes; false when it has grown meanwhile. */
bool fv_task_options_fill(struct fv_task_options_block *block, const struct fever_task_options *wide, uint32_t bytes);
/* Frees the block, if there is one. */
void fv_task_options_free(struct fv_self *self, uint32_t index, uint32_t gen);

#endif
