/* t_spill_nth.c: the n-th read or write of the keeper, its n-th question for free space, or the n-th time that anybody sets space aside or
 * gives it back, fails, for every n.
 *
 * Run by:          make check.
 *
 * The calls are wrapped by the linker; the count is in memory that all processes of the runtime share.
 */
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "../spill.h"
#include "plat/fileio.h"

#define N     10
#define BYTES ((size_t)300000)

static atomic_int *count, *fails_at;
static void       *room;

/* Is this the one? */
static bool is_it(void)
{
    return count != NULL && atomic_fetch_add(count, 1) + 1 == atomic_load(fails_at);
}

int __real_fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n);
int __wrap_fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n);
int __wrap_fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n)
{
    int rc = __real_fv_io_run(q, ios, n);

    for (size_t i = 0; i < n; i++)
        if (is_it()) {
            ios[i].result = rc = -EIO;
            ios[i].done = ios[i].bytes / 2;
        }
    return rc;
}

int __real_statvfs(const char *path, struct statvfs *s);
int __wrap_statvfs(const char *path, struct statvfs *s);
int __wrap_statvfs(const char *path, struct statvfs *s)
{
    if (is_it()) {
        errno = EIO;
        return -1;
    }
    return __real_statvfs(path, s);
}

int __real_fallocate(int fd, int mode, off_t offset, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t bytes);
int __wrap_fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    if (is_it()) {
        errno = ENOSPC;
        return -1;
    }
    return __real_fallocate(fd, mode, offset, bytes);
}

ssize_t __real_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (is_it()) {
        errno = EMFILE;
        return -1;
    }
    return __real_sendmsg(fd, m, flags);
}

/* One runtime through which more goes than it holds.  True: all that came back was right, or an exact error. */
static bool one_life(int n, int *errors_out)
{
    fever_ref ref[N];
    bool      is_there[N], good;
    int       rc;

    atomic_store(count, 0);
    atomic_store(fails_at, 0);
    if ((rc = fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = MIB, .quiet = 1, .log_to_driver = "direct"))) != 0) {
        tap_diag("%d: fever_init: %s", n, fever_strerror(rc));
        return false;
    }
    atomic_store(count, 0);
    atomic_store(fails_at, n);
    good = true;
    *errors_out = 0;
    for (unsigned i = 0; i < N; i++) {
        rc = spill_put(BYTES, i, &ref[i]);
        is_there[i] = rc == 0;
        if (rc != 0 && rc != -FEVER_ESTOREFULL && rc != -FEVER_ENOROOM) { /* nor for a slot of this thread */
            tap_diag("%d: put %u: %s", n, i, fever_strerror(rc));
            good = false;
        }
        *errors_out += rc != 0;
    }
    for (unsigned k = 0; k < 2 * N; k++) {
        unsigned i = k * 7 % N;

        if (!is_there[i])
            continue;
        rc = spill_read(ref[i], room, BYTES, i);
        if (rc != 0 && rc != -FEVER_ELOST && rc != -FEVER_ESTOREFULL) {
            tap_diag("%d: read %u: %d %s", n, i, rc, fever_strerror(rc));
            good = false;
        }
        *errors_out += rc != 0;
    }
    for (unsigned i = 0; i < N; i++)
        if (is_there[i])
            fever_release(ref[i]);
    if (rt_validate() != 0)
        good = false;
    pid_t group = fv_rt.supervisor_pid;
    if ((rc = fever_shutdown()) != 0 || rt_group_ends(group, RT_LONG) != 0) {
        tap_diag("%d: shutdown: %s", n, fever_strerror(rc));
        good = false;
    }
    return good;
}

int main(void)
{
    int errors = 0, hurt = 0, bad = 0, n = 0, most;

    rt_begin(280);
    count = rt_shared(4096);
    fails_at = count + 1;
    room = malloc(BYTES);
    TAP_OK(one_life(0, &errors), "without a failure");
    TAP_IS(errors, 0, "all is well");
    most = atomic_load(count);
    TAP_OK(most > 20, "%d calls that can fail", most);
    for (n = 1; n <= most; n++) {
        bad += !one_life(n, &errors);
        hurt += errors != 0;
    }
    TAP_IS(bad, 0, "each of %d calls fails once: what comes back is right, or an exact error", most);
    TAP_OK(hurt < most, "most of them nobody notices (%d are noticed)", hurt);
    return tap_done();
}
