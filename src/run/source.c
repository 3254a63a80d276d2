/* run/source.c: see source.h; shm/source.h has the protocol.
 *
 * Run by the body of fever_load (settle) and by the keeper.  Writes struct fv_source.  Dies here: see there.
 */
#include "run/source.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "base/checksum.h"

#define FRESH_NS 2000000000ll /* times of files are as coarse as that, somewhere */

static int64_t mtime_of(const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec; }

bool fv_source_settle(struct fv_source *s, int fd, const struct stat *was, const void *data, uint64_t bytes) {
    struct stat     st;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != was->st_size || mtime_of(&st) != mtime_of(was) ||
        mtime_of(&st) > (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - FRESH_NS)
        return false;
    s->device = st.st_dev, s->inode = st.st_ino, s->size = (uint64_t)st.st_size;
    s->mtime_ns = mtime_of(&st);
    s->check = fv_checksum(data, bytes);
    fv_store_relaxed_32(&s->state, FV_SOURCE_SETTLED);
    return true;
}

bool fv_source_stays(struct fv_source *s) {
    struct stat st;
    if (fv_load_relaxed_32(&s->state) != FV_SOURCE_SETTLED)
        return false;
    if (stat(fv_source_path(s), &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == s->device && st.st_ino == s->inode &&
        (uint64_t)st.st_size == s->size && mtime_of(&st) == s->mtime_ns)
        return true;
    fv_store_relaxed_32(&s->state, FV_SOURCE_CHANGED);
    return false;
}

int fv_source_open(const struct fv_source *s, struct fv_file *file_out) {
    struct stat st;
    int         rc = fv_file_open(fv_source_path(s), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, true, file_out);
    if (rc == 0 && (fstat(file_out->fd, &st) < 0 || !S_ISREG(st.st_mode))) {
        fv_file_close(file_out);
        rc = -ESPIPE;
    }
    return rc;
}
