/* shm/source.h: the file that an object was loaded from, and may be read from again. */
#ifndef FV_SHM_SOURCE_H
#define FV_SHM_SOURCE_H

#include <stdint.h>

#include "base/base.h"

/* Stands first in the arguments of fever_load, whose block lives as long as the result.
 *
 *   offset, path_at  the home while FREE, frozen
 *   what the file    the RUN owner, before state is SETTLED; good only then
 *   was, check
 *   state            RUN owner: NONE at the start of each attempt, SETTLED before DONE; keeper, while it holds the slot: CHANGED
 *
 * An object whose source is SETTLED is as good as one with a copy on disk: while the file is what it was (a look at its state tells) the
 * keeper makes it CLEAN without writing, its copy being FV_COPY_SOURCE.  Before each drop it looks again; if the file has changed the
 * bytes are written to disk as any others.  What is read back must have the checksum.
 * If the RUN owner dies the next attempt begins anew; if the keeper dies its successor looks itself.
 */
enum fv_source_state { FV_SOURCE_NONE, FV_SOURCE_SETTLED, FV_SOURCE_CHANGED };
struct fv_source {
    uint64_t offset; /* of the first byte in the file */
    uint64_t device, inode, size;
    int64_t  mtime_ns;
    uint64_t check;   /* of the object's bytes */
    uint32_t state;
    uint32_t path_at; /* where in the arguments the path stands, from the root */
};
#define FV_COPY_SOURCE (0xFFFFull << 48) /* in place of a place in a spill file */
#define FV_DEF_SOURCE  0x8000u           /* flag of a definition: its arguments begin so */

static inline const char *fv_source_path(const struct fv_source *s) { return (const char *)s + s->path_at; }

#endif
