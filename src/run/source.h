/* run/source.h: files that objects were loaded from, as the keeper sees them. */
#ifndef FV_RUN_SOURCE_H
#define FV_RUN_SOURCE_H

#include <sys/stat.h>

#include "core/store.h"
#include "plat/fileio.h"
#include "shm/source.h"

/* Of a held slot: is the file what it was?  If not it is said so in *s, for good. */
bool fv_source_stays(struct fv_source *s);
/* Opens it for reading once more.  0 or -errno; it may be another one by now: the bytes tell. */
int  fv_source_open(const struct fv_source *s, struct fv_file *file_out);
/* What the file is at this moment, of an object of so many bytes that was read from it just now; was: when it was opened.  False: it was
 * written to meanwhile, or so short a time ago that another change might not be seen by its time. */
bool fv_source_settle(struct fv_source *s, int fd, const struct stat *was, const void *data, uint64_t bytes);

#endif
