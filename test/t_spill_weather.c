/* t_spill_weather.c: the disk is missing, read-only, small, full, or has changed its mind; nothing can go; the keeper dies.
 *
 * Run by:          make check.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "spill.h"

static void       *room;
static atomic_int *page;

#define N      12
#define BYTES  ((size_t)700000) /* 12 of them are 8 MiB */

/* Puts objects until one is refused: how many there are. */
static int fill_up(fever_ref *ref, int most, size_t bytes, int *rc_out)
{
    int n = 0;

    for (*rc_out = 0; n < most && (*rc_out = spill_put(bytes, (uint64_t)n, &ref[n])) == 0;)
        n++;
    return n;
}

static int read_all(const fever_ref *ref, int n, size_t bytes)
{
    int wrong = 0;

    for (int i = 0; i < n; i++)
        wrong += spill_read(ref[i], room, bytes, (uint64_t)i) != 0;
    return wrong;
}

/* Directories in which nothing can be written: the store is full then, and says so at once. */
static void bad_directories(void)
{
    static const char *const dirs[] = {"none", "/nonexistent/fever", "/proc", "/dev/null", "/nonexistent:/proc"};

    for (unsigned k = 0; k < sizeof dirs / sizeof dirs[0]; k++) {
        fever_ref ref[N];
        int       rc, n;

        rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_dirs = dirs[k]);
        double begin = rt_now();
        n = fill_up(ref, N, BYTES, &rc);
        TAP_IS(rc, -FEVER_ESTOREFULL, "nowhere to go (%s): the store is full", dirs[k]);
        TAP_OK(rt_now() - begin < RT_LONG, "that is said at once");
        TAP_OK(n >= 4 && n < 7, "with %d objects in it", n);
        TAP_IS(read_all(ref, n, BYTES), 0, "all of them are there");
        fever_release(ref[0]);
        TAP_IS(spill_put(BYTES, 0, &ref[0]), 0, "when one has gone there is room for another");
        TAP_IS(read_all(ref, n, BYTES), 0, "all of them are there");
        TAP_IS(rt_validate(), 0, "the books are right");
        rt_shutdown();
    }
}

/* One directory is bad, the other is not; and a file system that has no O_DIRECT. */
static void other_directories(void)
{
    char      dirs[200];
    fever_ref ref[N];
    int       rc;

    snprintf(dirs, sizeof dirs, "/nonexistent:/var/tmp");
    for (int k = 0; k < 2; k++) {
        rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_dirs = dirs);
        TAP_IS(fill_up(ref, N, BYTES, &rc), N, "all objects find room (%s)", dirs);
        TAP_IS(read_all(ref, N, BYTES), 0, "and are read back");
        TAP_OK(spill_books()->spilled_objects > 0, "by way of the disk");
        rt_shutdown();
        snprintf(dirs, sizeof dirs, "/dev/shm");
    }
}

/* The disk is full.  What is on it can be read all the same, if there is a fallback: a part of that is kept for it. */
static void full_disk(uint64_t fallback, int least, int most)
{
    fever_ref ref[40];
    int       rc, n;

    rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_limit = 6 * MIB, .fallback_bytes = fallback);
    n = fill_up(ref, 40, BYTES, &rc);
    TAP_IS(rc, -FEVER_ESTOREFULL, "the store and 6 MiB of disk are full, and a fallback of %llu bytes", (unsigned long long)fallback);
    TAP_OK(n >= least && n <= most, "with %d objects", n);
    int refused = 0, wrong = 0;
    for (int i = 0; i < n; i++) { /* without one it may find no room: what is in its place can go nowhere */
        rc = spill_read(ref[i], room, BYTES, (uint64_t)i);
        refused += rc == -FEVER_ESTOREFULL;
        wrong += rc != 0 && rc != -FEVER_ESTOREFULL;
    }
    TAP_IS(wrong, 0, "each of them can be read, or is refused (%d)", refused);
    if (fallback >= BYTES)
        TAP_IS(refused, 0, "none is refused");
    for (int i = 0; i < n; i += 2)
        fever_release(ref[i]);
    for (int i = 1; i < n; i += 2)
        wrong += spill_read(ref[i], room, BYTES, (uint64_t)i) != 0;
    TAP_IS(wrong, 0, "when some have gone the others can be read");
    TAP_IS(spill_put(BYTES, 77, &ref[0]), 0, "and there is room again");
    TAP_IS(spill_read(ref[0], room, BYTES, 77), 0, "and it is right");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* Descriptors are short: there is a file for what has to go, or the store is full, and that is said.  Nothing is lost. */
static void few_descriptors(void)
{
    int started = 0, spilled = 0, bad = 0;

    for (rlim_t most = 12; most <= 96; most += most < 60 ? 6 : 18) {
        struct told { int started, spilled, wrong; } *told = (void *)page;
        int status = -1;

        memset(told, 0, sizeof *told);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            fever_ref ref[N];
            int       n = 0, rc = 0;

            alarm(60);
            if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){most, most}) != 0 ||
                fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 4 * MIB, .fallback_bytes = 1, .quiet = 1)) != 0)
                _exit(0);
            told->started = 1;
            n = fill_up(ref, N, BYTES, &rc);
            told->wrong += n < 4 || (rc != 0 && rc != -FEVER_ESTOREFULL);
            for (int i = 0; i < n; i++)
                told->wrong += (rc = spill_read(ref[i], room, BYTES, (uint64_t)i)) != 0 && rc != -FEVER_ESTOREFULL;
            told->spilled = n == N && spill_books()->spilled_objects > 0;
            told->wrong += (n == N) != told->spilled || spill_books()->lost_objects != 0;
            told->wrong += fever_shutdown() != 0;
            _exit(0);
        }
        waitpid(pid, &status, 0);
        started += told->started;
        spilled += told->spilled;
        if (status != 0 || told->wrong != 0) {
            tap_diag("%d descriptors: status %#x, %d wrong", (int)most, status, told->wrong);
            bad++;
        }
    }
    TAP_IS(bad, 0, "with few descriptors nothing is lost and nothing hangs");
    TAP_OK(spilled >= 2 && started >= spilled, "objects go to disk and back with some limits (%d of %d)", spilled, started);
}

/* Somebody damages the files: an exact error, and never wrong bytes. */
static void damaged_files(bool cut)
{
    fever_ref ref[N];
    int       fd[8], n_fd, rc, lost = 0, good = 0, other = 0;

    rt_init(.workers = 1, .store_bytes = 4 * MIB);
    TAP_IS(fill_up(ref, N, BYTES, &rc), N, "8 MiB are put into a store of 4");
    uint64_t away = 0;
    for (double end = rt_now() + RT_LONG; (away = spill_books()->away_bytes) == 0 && rt_now() < end;)
        rt_nap();
    n_fd = spill_files(fd, 8);
    TAP_OK(away > 0 && n_fd == 1, "%llu bytes of them are on disk only, in %d file", (unsigned long long)away, n_fd);
    for (int i = 0; i < n_fd; i++) {
        off_t size = lseek(fd[i], 0, SEEK_END);

        if (cut)
            rc = ftruncate(fd[i], 0);
        else
            for (off_t at = 0; at < size; at += 65536) {
                char c;

                rc = pread(fd[i], &c, 1, at + 77) == 1;
                c ^= 4;
                rc = pwrite(fd[i], &c, 1, at + 77) == 1 ? 0 : -1;
            }
        fsync(fd[i]);
        close(fd[i]);
    }
    TAP_IS(rc, 0, "the file is %s", cut ? "cut short" : "damaged, a bit here and there");
    for (int i = 0; i < N; i++) {
        rc = spill_read(ref[i], room, BYTES, (uint64_t)i);
        lost += rc == -FEVER_ELOST;
        good += rc == 0;
        other += rc != 0 && rc != -FEVER_ELOST;
    }
    TAP_OK(lost >= 4 && good >= 2 && other == 0, "%d objects are lost, %d are right, none is wrong", lost, good);
    TAP_IS(spill_books()->lost_objects, lost, "so many are counted as lost");
    for (int i = 0; i < N; i++)
        fever_release(ref[i]);
    TAP_IS(spill_put(BYTES, 5, &ref[0]), 0, "it goes on");
    TAP_IS(spill_read(ref[0], room, BYTES, 5), 0, "and is right");
    fever_release(ref[0]);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

FEVER_TASK(int, reads_for_ever, (fever_ref, r), (uint64_t, bytes), (uint64_t, seed))
{
    const void *v;
    size_t      n;
    int         rc = fever_view_raw(r, &v, &n, 60), wrong = 0;

    atomic_store(&page[0], 1);
    while (rc == 0 && !atomic_load(&page[1])) {
        wrong += spill_wrong(v, n, seed) != 0;
        rt_nap();
    }
    return rc != 0 ? rc : n != bytes ? -1 : wrong;
}

/* Who looks for holders looks no farther than holds have ever stood: the rest of a table has no memory, and to look there would take some.
 * True: nobody's has. */
static bool tables_are_short(void)
{
    off_t table = (off_t)FV_HOLDS_MAX * (off_t)sizeof(uint64_t), first = (off_t)FV_HOLDS_FIRST * (off_t)sizeof(uint64_t);

    FV_EACH_ACTIVE(p) {
        off_t from = (off_t)fv_map.seg->off_holds + (off_t)p * table, data = lseek(fv_map.fd, from + first, SEEK_DATA);

        if (data >= 0 && data < from + table) {
            tap_diag("slot %u has memory at %lld of its table", p, (long long)(data - from));
            return false;
        }
    }
    return true;
}

/* One that is being read stays where it is; if that is all, the store is full. */
static void reader_that_stays(void)
{
    fever_ref ref[N], large;
    int       rc, v = -1;

    atomic_store(&page[0], 0);
    atomic_store(&page[1], 0);
    rt_init(.workers = 1, .store_bytes = 4 * MIB, .fallback_bytes = 1);
    TAP_IS(spill_put(3 * MIB, 50, &large), 0, "an object of 3 MiB in a store of 4");
    fever_ref reader = reads_for_ever_remote(large, 3 * MIB, 50);
    TAP_OK(rt_until(&page[0], 1), "a task reads it");
    TAP_IS(fill_up(ref, N, 400000, &rc), N, "others come and go beside it");
    TAP_IS(read_all(ref, N, 400000), 0, "and are right");
    double begin = rt_now();
    TAP_IS(spill_put(2 * MIB, 51, &ref[0]), -FEVER_ESTOREFULL, "one for which it would have to go is refused");
    TAP_OK(rt_now() - begin < 2 * RT_LONG, "in bounded time");
    TAP_OK(tables_are_short(), "who holds what was found in the used part of the hold tables");
    atomic_store(&page[1], 1);
    TAP_IS(fever_take(reader, &v), 0, "the reader ends");
    TAP_IS(v, 0, "what it saw never changed");
    TAP_IS(spill_put(2 * MIB, 51, &ref[0]), 0, "now there is room");
    TAP_IS(spill_read(large, room, 3 * MIB, 50), 0, "and the large one is read back");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* The keeper is killed now and then, whatever it is doing. */
static void keeper_dies(void)
{
    fever_ref ref[N];
    int       rc, wrong = 0, kills = 0, rounds = 0;
    uint64_t  seed = (uint64_t)getpid() * 77 + 1;
    double    end = rt_now() + (getenv("FEVER_TEST_LONG") != NULL ? 60 : 3);

    rt_init(.workers = 1, .store_bytes = 4 * MIB);
    wrong = N - fill_up(ref, N, BYTES, &rc);
    for (; rt_now() < end && wrong == 0; rounds++) {
        unsigned i = (unsigned)(spill_random(&seed) % N);

        if (spill_random(&seed) % 3 == 0) {
            pid_t keeper = spill_keeper();

            struct timespec t = {0, (long)(spill_random(&seed) % 2000000)};
            nanosleep(&t, NULL);
            if (keeper > 0 && kill(keeper, SIGKILL) == 0)
                kills++;
        }
        if (spill_random(&seed) % 4 == 0) {
            fever_release(ref[i]);
            wrong += spill_put(BYTES, i, &ref[i]) != 0;
        }
        wrong += spill_read(ref[i], room, BYTES, i) != 0;
    }
    TAP_OK(wrong == 0 && kills > 3, "the keeper is killed %d times in %d rounds, every byte is right", kills, rounds);
    wrong = read_all(ref, N, BYTES);
    TAP_IS(wrong, 0, "in the end, too");
    TAP_IS(rt_validate(), 0, "the books are right");
    for (int i = 0; i < N; i++)
        fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "nothing is left in the store");
    for (double until = rt_now() + RT_LONG; spill_books()->copy_bytes != 0 && rt_now() < until;)
        rt_nap();
    TAP_IS(spill_books()->copy_bytes, 0, "nor on disk");
    TAP_OK(spill_books()->restarts > 0, "it was started again %u times", spill_books()->restarts);
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ file systems of our own */

static bool write_text(const char *path, const char *text)
{
    int  fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return good;
}

/* From here on this process has mounts of its own.  False: that is not allowed here. */
static bool unshare_mounts(void)
{
    char uid[32], gid[32];

    snprintf(uid, sizeof uid, "0 %u 1", (unsigned)getuid());
    snprintf(gid, sizeof gid, "0 %u 1", (unsigned)getgid());
    if (unshare(CLONE_NEWNS) != 0 && (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !write_text("/proc/self/setgroups", "deny") ||
                                      !write_text("/proc/self/uid_map", uid) || !write_text("/proc/self/gid_map", gid)))
        return false;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* The directory is on a file system that is read-only: nothing can be written there, in another directory it can. */
static void read_only(const char *dir)
{
    fever_ref ref[N];
    char      both[200];
    int       rc, n;

    if (mount("none", dir, "tmpfs", MS_RDONLY, "size=64m") != 0) {
        tap_skip("no tmpfs: %s", strerror(errno));
        return;
    }
    rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_dirs = dir);
    n = fill_up(ref, N, BYTES, &rc);
    TAP_IS(rc, -FEVER_ESTOREFULL, "a directory on a read-only file system: the store is full");
    TAP_OK(n >= 4 && n < 7 && read_all(ref, n, BYTES) == 0, "with %d objects in it, which are right", n);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
    snprintf(both, sizeof both, "%s:/var/tmp", dir);
    rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_dirs = both);
    TAP_IS(fill_up(ref, N, BYTES, &rc), N, "with another directory beside it all objects find room");
    TAP_IS(read_all(ref, N, BYTES), 0, "and are read back");
    rt_shutdown();
    umount(dir);
}

/* A file system of 28 MiB, of which 16 are to stay free; then somebody else takes the rest. */
static void little_disk(const char *dir)
{
    fever_ref ref[64];
    char      path[200];
    int       rc, n, wrong = 0, refused = 0;

    if (mount("none", dir, "tmpfs", 0, "size=28m") != 0) {
        tap_skip("no tmpfs: %s", strerror(errno));
        return;
    }
    rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_dirs = dir);
    n = fill_up(ref, 64, BYTES, &rc);
    TAP_IS(rc, -FEVER_ESTOREFULL, "the store and a small file system are full");
    TAP_OK(n >= 16 && n <= 24, "with %d objects", n);
    for (int i = 0; i < n; i++) {
        rc = spill_read(ref[i], room, BYTES, (uint64_t)i);
        refused += rc == -FEVER_ESTOREFULL;
        wrong += rc != 0 && rc != -FEVER_ESTOREFULL;
    }
    TAP_IS(wrong, 0, "each of them can be read, or is refused (%d)", refused);
    for (int i = 0; i < n; i += 2)
        fever_release(ref[i]);
    for (int i = 1; i < n; i += 2)
        wrong += spill_read(ref[i], room, BYTES, (uint64_t)i) != 0;
    TAP_IS(wrong, 0, "when some have gone the others can be read");
    snprintf(path, sizeof path, "%s/other", dir);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    TAP_OK(fd >= 0 && fallocate(fd, 0, 0, MIB) == 0, "somebody else writes to it");
    for (off_t at = 0; fd >= 0 && at < 64 << 20 && fallocate(fd, 0, at, MIB) == 0;) /* all that there is */
        at += MIB;
    for (int i = 0; i < n; i += 2)
        if ((rc = spill_put(BYTES, (uint64_t)i, &ref[i])) != 0) {
            ref[i] = FEVER_NULL_REF;
            wrong += rc != -FEVER_ESTOREFULL;
        }
    TAP_IS(wrong, 0, "a put finds room or is refused");
    for (int i = 0; i < n; i++) {
        rc = ref[i].id == 0 ? 0 : spill_read(ref[i], room, BYTES, (uint64_t)i);
        wrong += rc != 0 && rc != -FEVER_ESTOREFULL;
    }
    TAP_IS(wrong, 0, "nothing is lost by that");
    if (fd >= 0)
        close(fd);
    unlink(path);
    for (int i = 0; i < n; i++)
        if (ref[i].id != 0)
            fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
    TAP_IS(umount(dir), 0, "no file is left open there");
}

static void file_systems(void)
{
    char dir[] = "/tmp/t_spill_weather.XXXXXX";

    if (mkdtemp(dir) == NULL) {
        tap_skip("no directory: %s", strerror(errno));
        return;
    }
    if (!unshare_mounts()) {
        tap_skip("no mounts of one's own: %s", strerror(errno));
    } else {
        read_only(dir);
        little_disk(dir);
    }
    rmdir(dir);
}

int main(void)
{
    rt_begin(280);
    room = malloc(8 * MIB);
    page = rt_shared(4096);
    bad_directories();
    other_directories();
    full_disk(1, 9, 15);
    full_disk(MIB, 9, 15);
    full_disk(5 * MIB, 13, 20);
    few_descriptors();
    damaged_files(false);
    damaged_files(true);
    reader_that_stays();
    keeper_dies();
    file_systems();
    return tap_done();
}
