/* t_weather.c: machines that are small, strict or change under us: a clear error or a slower way, never a hang or a SIGBUS.
 *
 * Run by:          make check.
 *
 * Each case runs in a child of its own, which tells by its exit status: 0 good, 77 not to be had here, else what was wrong.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "deny.h"
#include "rt.h"

enum { SKIP = 77 };

struct page {
    pid_t supervisor;
    int   rc;
};
static struct page *page;

FEVER_TASK(int, add, (int, a), (int, b)) { return a + b; }
FEVER_TASK(int, add1, (fever_ref, r)) { int v = 0; fever_get(r, &v); return v + 1; }
FEVER_TASK(long, sfib, (int, n))
{
    if (n < 2)
        return n;
    fever_ref a = sfib_remote(n - 1), b = sfib_remote(n - 2);
    long x = 0, y = 0;
    fever_take(a, &x);
    fever_take(b, &y);
    return x + y;
}
FEVER_TASK(int, die) { raise(SIGKILL); return 0; }
FEVER_TASK(int, forever) { for (;;) pause(); return 0; }

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, 2 * RT_LONG);
    return rc < 0 ? rc : v;
}

/* A bit of everything; 0 or the number of what went wrong. */
static int work(void)
{
    fever_ref r[200], p, q;
    int v[200], one = 1;
    long f = 0;
    static char big[100000];
    const char *view;
    for (int i = 0; i < 200; i++)
        r[i] = add_remote(i, i);
    if (fever_get_many(r, 200, v, 2 * RT_LONG) != 0)
        return 1;
    for (int i = 0; i < 200; i++)
        if (v[i] != 2 * i || fever_release(r[i]) != 0)
            return 2;
    if (fever_put(&one, sizeof one, &p) != 0)
        return 3;
    q = add1_remote(p);
    if (fever_release(p) != 0 || take(q) != 2)
        return 4;
    if (fever_put(big, sizeof big, &p) != 0 || fever_view(p, &view, NULL) != 0 || view[99999] != 0 || fever_release(p) != 0)
        return 5;
    if (fever_take_raw(sfib_remote(6), &f, sizeof f, 9, 2 * RT_LONG) != 0 || f != 8)
        return 6;
    q = die_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY));
    if (fever_wait_one(q, 2 * RT_LONG) != -FEVER_ECRASHED || fever_release(q) != 0)
        return 7;
    q = forever_with(FEVER_WITH(.timeout_s = 0.02));
    if (fever_wait_one(q, 2 * RT_LONG) != -FEVER_ETASKTIMEOUT || fever_release(q) != 0)
        return 8;
    if (take(add_remote(1, 2)) != 3)
        return 9;
    return rt_validate() != 0 ? 10 : 0;
}

static int up_work_down(const struct fever_options *o)
{
    int rc = page->rc = fever_init(o);
    if (rc < 0)
        return 40;
    page->supervisor = fv_rt.supervisor_pid;
    rc = work();
    return fever_shutdown() != 0 && rc == 0 ? 41 : rc;
}
static int ordinary(void) { return up_work_down(FEVER_OPTIONS(.workers = 2, .quiet = 1)); }
/* works, or refuses with an error of the operating system or of ours */
static int ordinary_or_refused(void)
{
    int rc = ordinary();
    return rc == 40 && page->rc < 0 && page->rc != -FEVER_EBUG ? 0 : rc;
}

static int in_child(int (*body)(void))
{
    int status = 0;
    memset(page, 0, sizeof *page);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(50);
        _exit(body());
    }
    waitpid(pid, &status, 0);
    if (page->supervisor != 0 && rt_group_ends(page->supervisor, RT_LONG) != 0)
        return 90;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#define CASE(body, ...) \
    do { \
        int status_ = in_child(body); \
        char name_[200]; \
        snprintf(name_, sizeof name_, __VA_ARGS__); \
        if (status_ == SKIP) \
            tap_skip("%s: not to be had here", name_); \
        else if (!TAP_IS(status_, 0, "%s", name_)) \
            tap_diag("fever_init was %d, %s", page->rc, fever_strerror(page->rc)); \
    } while (0)

/* ------------------------------------------------------------------------------------------------ shared memory */

static size_t shm_bytes;
static bool small_shm(void)
{
    char option[64];
    snprintf(option, sizeof option, "size=%zu", shm_bytes);
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", "/dev/shm", "tmpfs", 0, option) == 0;
}
static int tiny_auto(void)
{
    if (!small_shm())
        return SKIP;
    int rc = page->rc = fever_init(FEVER_OPTIONS(.workers = 2, .quiet = 1));
    if (rc < 0)
        return 40;
    page->supervisor = fv_rt.supervisor_pid;
    rc = fv_map.seg->is_memfd ? work() : 20;
    return fever_shutdown() != 0 && rc == 0 ? 41 : rc;
}
static int tiny_forced(void)
{
    if (!small_shm())
        return SKIP;
    int rc = up_work_down(FEVER_OPTIONS(.workers = 2, .quiet = 1, .segment = "shm"));
    return rc == 40 && page->rc == -FEVER_ENOROOM ? 0 : rc == 0 ? 21 : rc;
}
/* It starts, but /dev/shm is smaller than the store: full, and no SIGBUS. */
static int smaller_than_store(void)
{
    if (!small_shm())
        return SKIP;
    int rc = page->rc = fever_init(FEVER_OPTIONS(.workers = 2, .quiet = 1, .segment = "shm", .store_bytes = 1 << 30));
    if (rc == -FEVER_ENOROOM)
        return 0; /* that is clear, too */
    if (rc < 0)
        return 40;
    page->supervisor = fv_rt.supervisor_pid;
    static char big[1 << 19]; /* what the segment itself takes leaves room for a few */
    static fever_ref r[2000];
    int n = 0;
    memset(big, 1, sizeof big);
    while (n < 2000 && (rc = fever_put(big, sizeof big, &r[n])) == 0)
        n++;
    if (rc != -FEVER_ESTOREFULL)
        return 22;
    for (int i = 0; i < n; i++)
        fever_release(r[i]);
    if (n == 0 || fever_put(big, sizeof big, &r[0]) != 0 || fever_release(r[0]) != 0)
        return 23;
    rc = work();
    if (rc == 6) /* no room for the task slots of spares */
        rc = 0;
    return fever_shutdown() != 0 && rc == 0 ? 41 : rc;
}
static int no_shm(void) /* /dev/shm is not there at all */
{
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount("tmpfs", "/dev/shm", "tmpfs", MS_RDONLY, "size=64k") == 0
               ? ordinary()
               : SKIP;
}
static int memfd(void)
{
    int rc = up_work_down(FEVER_OPTIONS(.workers = 2, .quiet = 1, .segment = "memfd"));
    return rc;
}
static int no_memfd_no_shm(void)
{
    shm_bytes = 65536;
    if (!small_shm() || !deny_syscall(SYS_memfd_create, ENOSYS))
        return SKIP;
    int rc = ordinary();
    return rc == 40 && page->rc < 0 ? 0 : rc == 0 ? 24 : rc;
}
static int huge_store(void) /* more than there is memory: a limit, no reservation */
{
    return up_work_down(FEVER_OPTIONS(.workers = 1, .quiet = 1, .store_bytes = 1ull << 38));
}
static int file_size_limit(void)
{
    struct rlimit l = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    return setrlimit(RLIMIT_FSIZE, &l) == 0 ? ordinary_or_refused() : SKIP;
}
static int address_limit(void)
{
    struct rlimit l = {1ull << 30, 1ull << 30};
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return SKIP;
#endif
    return setrlimit(RLIMIT_AS, &l) == 0 ? ordinary_or_refused() : SKIP;
}

/* ------------------------------------------------------------------------------------------------ limits */

static rlim_t limit;
static int few_processes(void) /* root is above this limit */
{
    struct rlimit l = {limit, limit};
    if (geteuid() == 0 && setresuid(54321, 54321, 54321) != 0)
        return SKIP;
    if (setrlimit(RLIMIT_NPROC, &l) != 0)
        return SKIP;
    int rc = page->rc = fever_init(FEVER_OPTIONS(.workers = 6, .quiet = 1));
    if (rc < 0)
        return rc == -EAGAIN || rc == -FEVER_ERUNTIME ? 0 : 40;
    page->supervisor = fv_rt.supervisor_pid;
    rc = take(add_remote(1, 2)) == 3 ? 0 : 30;
    return fever_shutdown() != 0 && rc == 0 ? 41 : rc;
}
static int few_files(void)
{
    struct rlimit l = {limit, limit};
    return setrlimit(RLIMIT_NOFILE, &l) == 0 ? ordinary_or_refused() : SKIP;
}

/* ------------------------------------------------------------------------------------------------ system calls */

static int back_end(const char *event, int want_poll)
{
    int rc = page->rc = fever_init(FEVER_OPTIONS(.workers = 2, .quiet = 1, .event = event));
    if (rc < 0)
        return 40;
    page->supervisor = fv_rt.supervisor_pid;
    rc = want_poll >= 0 && (int)fv_map.seg->is_poll != want_poll ? 50 : work();
    return fever_shutdown() != 0 && rc == 0 ? 41 : rc;
}
static int poll_forced(void) { return back_end("poll", 1); }
static int uring_forced(void)
{
    int rc = back_end("uring", 0);
    return rc == 40 ? SKIP : rc;
}
static int uring_forbidden(void) { return deny_syscall(SYS_io_uring_setup, EPERM) ? back_end("auto", 1) : SKIP; }
static int uring_missing(void) { return deny_syscall(SYS_io_uring_setup, ENOSYS) ? back_end(NULL, 1) : SKIP; }
static int uring_forced_and_forbidden(void)
{
    if (!deny_syscall(SYS_io_uring_setup, EPERM))
        return SKIP;
    double begin = rt_now();
    int rc = back_end("uring", 0);
    return rc == 40 && page->rc < 0 && rt_now() - begin < RT_LONG ? 0 : rc == 0 ? 51 : rc;
}
static int poll_by_environment(void) { setenv("FEVER_EVENT", "poll", 1); return back_end(NULL, 1); }

static int denied;
static int without_call(void)
{
#ifdef __SANITIZE_ADDRESS__
    if (denied == SYS_sigaltstack) /* the sanitizer needs it */
        return SKIP;
#endif
    return deny_syscall(denied, ENOSYS) ? ordinary_or_refused() : SKIP;
}

/* ------------------------------------------------------------------------------------------------ CPUs */

static int one_cpu(void)
{
    cpu_set_t mine, one;
    sched_getaffinity(0, sizeof mine, &mine);
    CPU_ZERO(&one);
    for (int c = 0; c < CPU_SETSIZE; c++)
        if (CPU_ISSET(c, &mine)) {
            CPU_SET(c, &one);
            break;
        }
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        return SKIP;
    int rc = up_work_down(FEVER_OPTIONS(.quiet = 1));
    return rc != 0 ? rc : up_work_down(FEVER_OPTIONS(.workers = 4, .quiet = 1));
}
static int affinity_changes(void)
{
    cpu_set_t mine, one;
    sched_getaffinity(0, sizeof mine, &mine);
    int rc = page->rc = fever_init(FEVER_OPTIONS(.workers = 2, .quiet = 1));
    if (rc < 0)
        return 40;
    page->supervisor = fv_rt.supervisor_pid;
    for (int c = 0; c < CPU_SETSIZE && rc == 0; c++)
        if (CPU_ISSET(c, &mine)) {
            CPU_ZERO(&one);
            CPU_SET(c, &one);
            sched_setaffinity(0, sizeof one, &one);
            for (uint32_t p = 0; p <= 2; p++) /* supervisor and workers */
                sched_setaffinity((pid_t)fv_proc(p)->pid, sizeof one, &one);
            rc = work();
            if (c > 3)
                break;
        }
    return fever_shutdown() != 0 && rc == 0 ? 41 : rc;
}
static int many_workers(void) { return up_work_down(FEVER_OPTIONS(.workers = 32, .quiet = 1)); }
static int no_stdio(void)
{
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    return ordinary();
}
static int two_at_once(void) /* two drivers, side by side */
{
    pid_t pid = fork();
    int status = 0, rc;
    if (pid == 0)
        _exit(up_work_down(FEVER_OPTIONS(.workers = 2, .quiet = 1)));
    rc = up_work_down(FEVER_OPTIONS(.workers = 2, .quiet = 1));
    waitpid(pid, &status, 0);
    return rc != 0 ? rc : status == 0 ? 0 : 60;
}

int main(void)
{
    rt_begin(200);
    setenv("FEVER_SPILL_DIRS", "none", 1); /* what is full is to be full: t_spill.c has the rest */
    page = rt_shared(sizeof *page);
    CASE(ordinary, "as it is");
    shm_bytes = 65536;
    CASE(tiny_auto, "/dev/shm of 64 KiB: memfd");
    CASE(tiny_forced, "/dev/shm of 64 KiB and segment=shm: an error");
    shm_bytes = 1 << 20;
    CASE(tiny_auto, "/dev/shm of 1 MiB: memfd");
    CASE(tiny_forced, "/dev/shm of 1 MiB and segment=shm: an error");
    for (shm_bytes = 4 << 20; shm_bytes <= 64 << 20; shm_bytes *= 2)
        CASE(smaller_than_store, "/dev/shm of %zu MiB, store of 1 GiB", shm_bytes >> 20);
    CASE(no_shm, "/dev/shm is read-only");
    CASE(memfd, "segment=memfd");
    CASE(no_memfd_no_shm, "neither /dev/shm nor memfd: an error");
    CASE(huge_store, "a store of 256 GiB");
    CASE(file_size_limit, "RLIMIT_FSIZE");
    CASE(address_limit, "RLIMIT_AS");
    for (limit = 1; limit <= 5; limit++)
        CASE(few_processes, "RLIMIT_NPROC %d", (int)limit);
    for (limit = 3; limit <= 16; limit++)
        CASE(few_files, "RLIMIT_NOFILE %d", (int)limit);
    CASE(poll_forced, "event=poll");
    CASE(poll_by_environment, "FEVER_EVENT=poll");
    CASE(uring_forced, "event=uring");
    CASE(uring_forbidden, "io_uring forbidden: poll");
    CASE(uring_missing, "io_uring missing: poll");
    CASE(uring_forced_and_forbidden, "event=uring and forbidden: an error, soon");
    static const struct { int number; const char *name; } calls[] = {
        {SYS_membarrier, "membarrier"}, {SYS_pidfd_open, "pidfd_open"}, {SYS_memfd_create, "memfd_create"}, {SYS_close_range, "close_range"},
        {SYS_sched_setaffinity, "sched_setaffinity"}, {SYS_setpgid, "setpgid"}, {SYS_signalfd4, "signalfd"}, {SYS_eventfd2, "eventfd"},
        {SYS_fallocate, "fallocate"}, {SYS_madvise, "madvise"}, {SYS_sigaltstack, "sigaltstack"}, {SYS_socket, "socket"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        denied = calls[i].number;
        CASE(without_call, "without %s", calls[i].name);
    }
    CASE(one_cpu, "one CPU in the mask");
    CASE(affinity_changes, "affinity changed under us");
    CASE(many_workers, "32 workers");
    CASE(no_stdio, "without stdin, stdout, stderr");
    CASE(two_at_once, "two runtimes side by side");
    return tap_done();
}
