/* core/options.h: the options of one task: checked, put into a block (shm/options.h), freed. */
#ifndef FV_CORE_OPTIONS_H
#define FV_CORE_OPTIONS_H

#include "core/self.h"
#include "shm/options.h"

#define FV_PRIORITY_MOST  100
#define FV_RESOURCES_MOST 16u
#define FV_CODES_MOST     64u
#define FV_ENV_BYTES_MOST 16384u

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
/* The task's own name, or NULL. */
const char *fv_task_own_name(uint32_t index);
/* Names it in an error, if it has one. */
void fv_task_options_name(uint32_t index, struct fever_error *e);
/* Frees the block, if there is one. */
void fv_task_options_free(struct fv_self *self, uint32_t index, uint32_t gen);

#endif
