/* t_spillfile.c: places in files on disk when these may not be many, or not large.
 *
 * Nothing is written.  Each case runs in a process with limits of its own; a child of that plays the supervisor.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plat/diskfile.h"
#include "run/spillfile.h"
#include "shm/segment.h"
#include "tap.h"

#define MIB  (1ull << 20)
#define MOST 1300u

static const char *dir = "/var/tmp";

/* Keeps so many files at a time. */
static void supervise(int control, int most)
{
    for (int n = 0;;) {
        struct fv_spill_note note;
        struct iovec         iov = {&note, sizeof note};
        union {
            struct cmsghdr head;
            char           space[CMSG_SPACE(sizeof(int))];
        } rights;
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.space, .msg_controllen = sizeof rights.space};

        if (recvmsg(control, &m, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof note)
            _exit(0);
        if (note.what == FV_SPILL_CLOSE) {
            n--;
            continue;
        }
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int             fd = -1;
        if (c != NULL && c->cmsg_type == SCM_RIGHTS)
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
        if (fd >= 0)
            close(fd);
        note.what = fd >= 0 && n < most ? FV_SPILL_NEW : FV_SPILL_REFUSED;
        n += note.what == FV_SPILL_NEW;
        send(control, &note, sizeof note, MSG_NOSIGNAL);
    }
}

static uint64_t place[MOST];
static int      fd[FV_SPILL_FILES];

static void open_all(uint64_t limit, int kept)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        _exit(90);
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        supervise(pair[1], kept);
    }
    close(pair[1]);
    if (fv_spill_open(dir, limit, pair[0], fd) != 1)
        _exit(91);
}

static uint64_t file_of(uint64_t copy) { return copy >> 48; }
static uint64_t begin_of(uint64_t copy) { return (copy & 0xFFFFFFFFFFFFull) * FV_SPILL_UNIT; }

/* Does any of the first n share a byte with place[n]? */
static bool overlaps(unsigned n, uint64_t bytes)
{
    for (unsigned i = 0; i < n; i++)
        if (file_of(place[i]) == file_of(place[n]) && begin_of(place[i]) < begin_of(place[n]) + bytes &&
            begin_of(place[n]) < begin_of(place[i]) + bytes)
            return true;
    return false;
}

/* So many objects, each as large as a file. */
static int fill(unsigned n, uint64_t bytes, uint32_t most_files)
{
    for (unsigned i = 0; i < n; i++) {
        int rc = fv_spill_reserve(bytes, &place[i]);

        if (rc != 0) {
            printf("# place %u of %u: %s\n", i, n, strerror(-rc));
            return 1;
        }
        if (overlaps(i, bytes))
            return 2;
        if (fv_map.seg->keeper.n_files > most_files) {
            printf("# %u files\n", fv_map.seg->keeper.n_files);
            return 3;
        }
    }
    return 0;
}

static int drain(unsigned n, uint64_t bytes)
{
    for (unsigned i = 0; i < n; i++)
        fv_spill_release(place[i], bytes);
    return fv_map.seg->keeper.copy_bytes == 0 && fv_map.seg->keeper.n_files <= 1 ? 0 : 4;
}

static int limit_files(rlim_t n) { return setrlimit(RLIMIT_NOFILE, &(struct rlimit){n, n}); }

/* ------------------------------------------------------------------------------------------------ cases */

static int few_descriptors(void)
{
    int rc = limit_files(128);

    open_all(400 * 128 * MIB, 1000);
    if (rc == 0)
        rc = fill(400, 128 * MIB, 16);
    return rc != 0 ? rc : drain(400, 128 * MIB);
}

/* With many descriptors, too, there is an end of files: here a little is left in each. */
static int many_files(void)
{
    uint64_t rest;

    open_all(64ull << 30, 10000);
    for (unsigned i = 0; i < MOST; i++) {
        int rc = fv_spill_reserve(1, &place[i]);

        if (rc == 0)
            rc = fv_spill_reserve(256 * MIB, &rest);
        if (rc != 0) {
            printf("# file %u: %s\n", i, strerror(-rc));
            return 1;
        }
        if (overlaps(i, 1))
            return 2;
        fv_spill_release(rest, 256 * MIB);
    }
    return drain(MOST, 1);
}

static int supervisor_has_few(void)
{
    open_all(100 * 128 * MIB, 3);
    int rc = fill(100, 128 * MIB, 3);
    return rc != 0 ? rc : drain(100, 128 * MIB);
}

static int supervisor_has_none(void)
{
    uint64_t copy;

    open_all(100 * 128 * MIB, 0);
    if (!fv_spill_is_possible())
        return 1;
    if (fv_spill_reserve(MIB, &copy) != -EMFILE)
        return 2;
    if (strstr(fv_spill_why(), "RLIMIT_NOFILE") == NULL)
        return 3;
    return fv_spill_is_possible() ? 4 : 0; /* left alone for a while */
}

/* Those of a keeper that has died: what it may be writing still is left alone. */
static int files_of_the_dead(void)
{
    if (limit_files(128) != 0)
        return 90;
    for (int f = 0; f < 16; f++) {
        if ((fd[f] = fv_diskfile_unnamed(dir)) < 0)
            return 92;
        fv_map.seg->keeper.file[f].bytes = 5 * MIB;
    }
    open_all(100 * 128 * MIB, 1000);
    for (uint64_t f = 0; f < 16; f++)
        if (!fv_spill_found(f << 48 | f, 10 * FV_SPILL_UNIT))
            return 93;
    fv_spill_settle(&(struct fv_spill_span){0}, 0);
    int rc = fill(50, 128 * MIB, 16);
    for (unsigned i = 0; i < 50 && rc == 0; i++)
        rc = begin_of(place[i]) < 5 * MIB ? 5 : 0;
    for (uint64_t f = 0; f < 16; f++)
        fv_spill_release(f << 48 | f, 10 * FV_SPILL_UNIT);
    return rc != 0 ? rc : drain(50, 128 * MIB);
}

static int small_files(void)
{
    uint64_t copy;

    if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){64 * MIB + 5, 64 * MIB + 5}) != 0)
        return 90;
    open_all(100 * 128 * MIB, 1000);
    int rc = fill(40, 10 * MIB, 7);
    for (unsigned i = 0; i < 40 && rc == 0; i++)
        rc = begin_of(place[i]) + 10 * MIB > 64 * MIB ? 6 : 0;
    if (rc == 0 && (fv_spill_reserve(65 * MIB, &copy) != -EFBIG || strstr(fv_spill_why(), "RLIMIT_FSIZE") == NULL))
        rc = 7;
    return rc != 0 ? rc : drain(40, 10 * MIB);
}

static int over_the_limit(void)
{
    uint64_t copy;

    open_all(10 * MIB, 1000);
    int rc = fill(10, MIB, 1);
    if (rc == 0 && (fv_spill_reserve(1, &copy) != -EDQUOT || strstr(fv_spill_why(), "FEVER_SPILL_LIMIT") == NULL))
        rc = 8;
    return rc != 0 ? rc : drain(10, MIB);
}

static void run(int (*body)(void), const char *what)
{
    int status = -1;

    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        fv_map.seg = calloc(1, sizeof *fv_map.seg);
        memset(fd, 0xFF, sizeof fd);
        int rc = body();
        fflush(stdout);
        _exit(rc);
    }
    waitpid(pid, &status, 0);
    TAP_OK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s (%#x)", what, status);
}

/* Room for the largest object, beside what is to stay free; others use the disk, too. */
static bool is_fit(void)
{
    struct statvfs s;
    int            file = fv_diskfile_unnamed(dir);

    if (file < 0) {
        tap_skip("no file can be made in %s: %s", dir, strerror(-file));
        return false;
    }
    close(file);
    if (statvfs(dir, &s) != 0 || (uint64_t)s.f_bavail * s.f_frsize < 512 * MIB) {
        tap_skip("less than 512 MiB are free in %s", dir);
        return false;
    }
    return true;
}

int main(void)
{
    if (!is_fit())
        return tap_done();
    run(few_descriptors, "128 descriptors: objects for 400 files are in 16");
    run(many_files, "many descriptors: never more files than there are numbers for");
    run(supervisor_has_few, "the supervisor takes three: all objects are in these");
    run(supervisor_has_none, "the supervisor takes none: an error that says so");
    run(files_of_the_dead, "a successor that may open no more goes on behind what there is");
    run(small_files, "no file grows beyond RLIMIT_FSIZE");
    run(over_the_limit, "the limit of bytes");
    return tap_done();
}
