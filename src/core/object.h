/* core/object.h: what an object knows of itself beyond its bytes; and which object an address belongs to. */
#ifndef FV_CORE_OBJECT_H
#define FV_CORE_OBJECT_H

#include "core/task.h"
#include "shm/object.h"

/* The block of a slot that is not FREE, or NULL: it is no object, or has none. */
static inline const struct fv_object_block *fv_object_block_of(uint32_t index) {
    const struct fv_task *task = fv_task(index);
    return task->kind == FV_KIND_OBJECT && task->x & FV_X_OPTIONS && fv_cold(index)->options != 0 ? fv_at(fv_cold(index)->options) : NULL;
}

/* The caller's struct, of whatever size its header had, as one of ours, checked and completed for an object of so many bytes.
 * *block_bytes_out: of the block that it needs, 0: none.  0, -FEVER_EINVAL, -FEVER_ENULL. */
int fv_object_check(const struct fever_object_options *user, uint64_t bytes, struct fever_object_options *wide_out, uint32_t *block_bytes_out);
/* n * each, or -FEVER_ETOOBIG. */
int fv_object_multiply(uint64_t n, uint64_t each, uint64_t *bytes_out);
/* Gives a FREE slot of one's own such a block; X_OPTIONS is the caller's to set.  False: the store is full. */
bool fv_object_describe(struct fv_self *self, uint32_t index, uint32_t gen, const struct fever_object_options *wide, uint32_t block_bytes);
/* Room for an object's bytes; offset, or 0. */
uint64_t fv_object_alloc(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes, uint64_t alignment);

/* What lies at an address of the read-only view. */
struct fv_object_at {
    uint64_t ref;
    uint64_t bytes;
    uint64_t site;     /* where it was put or created; 0: not known */
    char     name[48]; /* its own, or of the task whose result it is; "": none */
    bool     is_result;
};
/* Any process that has the segment, in a signal handler too.  False: it is no such address, or nothing lies there. */
bool fv_object_find(uint64_t address, struct fv_object_at *at_out);
/* "object 12:3 (grid, 160000 bytes)" */
const char *fv_object_text(const struct fv_object_at *at, char *buf, size_t bytes);

#endif
