/* shm/object.h: the block in which an object's name, shape and metadata lie.
 *
 * Few objects have one.  It is a block of the object's slot, in the small chunks of its home, found by the cold line's `options`
 * (FV_X_OPTIONS), read by everybody and by the tools.
 */
#ifndef FV_SHM_OBJECT_H
#define FV_SHM_OBJECT_H

#include <stdint.h>

#include "base/base.h"

#define FV_OBJECT_DIMS 8u

/* All of it is written by the home while the slot is FREE, before OPEN or DONE (ORDER submit), and frozen.  If the home dies first it is a
 * garbage block; afterwards it is freed with the slot (fv_task_options_free). */
struct fv_object_block {
    char     name[48];       /* "": none */
    uint32_t alignment;
    uint32_t meta_bytes;
    uint64_t element_bytes;  /* 0: no array */
    uint64_t count;
    uint32_t element_type;   /* FEVER_TYPE_OF an element, 0: not said */
    uint32_t n_dims;
    uint64_t dims[FV_OBJECT_DIMS];
}; /* then meta_bytes of metadata */
_Static_assert(sizeof(struct fv_object_block) == 144, "whole words");

#endif
