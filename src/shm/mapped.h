/* shm/mapped.h: which chunks this process has page-table entries for, where 2 MiB pages cannot be had.
 *
 * A process that first writes to a page that is there already pays a fault of its own: over 4 KiB pages that is several times the
 * copy.  Read-populating brings 16 entries by a fault, and they are writable ones, since the mapping is shared: a third of the cost; and
 * it can be done ahead, while there is nothing else to do.  With 2 MiB pages a fault brings 512 at once, and none of this is done.
 */
#ifndef FV_SHM_MAPPED_H
#define FV_SHM_MAPPED_H

#include "shm/segment.h"

/* Chunks [c, end) are about to be written: those that lack entries get them, in few calls. */
void fv_mapped_add(uint32_t c, uint32_t end);
/* They have got them otherwise. */
void fv_mapped_note(uint32_t c, uint32_t end);
/* A step ahead: a part of a super that is free and warm.  False: there is nothing (more) to do. */
bool fv_mapped_ahead(void);
/* In a child, and with the segment: nothing is known. */
void fv_mapped_forget(void);

static inline bool fv_mapped_matters(void) { return FV_UNLIKELY(fv_load_relaxed_32(&fv_map.seg->warm.small_pages) != 0); }

#endif
