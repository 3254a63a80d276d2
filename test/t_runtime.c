/* t_runtime.c: init and shutdown, options, pinning, the user's processes and stdio, ends of driver and supervisor.
 *
 * Run by:          make check.
 *
 * Each case runs in a child of its own, before any runtime exists, and tells by its exit status; the last ones run here.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/prctl.h>

#include "rt.h"

struct page {
    atomic_int n[16];
    pid_t      supervisor, worker[8];
};
static struct page *page;

FEVER_TASK(int, add, (int, a), (int, b)) { return a + b; }
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
FEVER_TASK(int, pid) { return getpid(); }
FEVER_TASK(int, group_of_process) { return getpgrp(); }
FEVER_TASK(int, init_inside) { return fever_init(NULL); }
FEVER_TASK(int, shutdown_inside) { return fever_shutdown(); }
FEVER_TASK(int, die) { raise(SIGKILL); return 0; }
FEVER_TASK(int, say, (int, i)) { printf("task %d\n", i); return 0; }
FEVER_TASK(int, leave) { exit(3); return 0; }
FEVER_TASK(int, read_stdin) { return getchar(); }
FEVER_TASK(int, blocks_signals)
{
    sigset_t s;
    int n = 0;
    sigprocmask(SIG_SETMASK, NULL, &s);
    for (int i = 1; i < 65; i++)
        n += sigismember(&s, i) == 1;
    struct sigaction sa;
    sigaction(SIGUSR1, NULL, &sa);
    return n * 2 + (sa.sa_handler != SIG_DFL);
}
struct where { int n, cpu, context_cpu, worker; };
FEVER_TASK(struct where, where)
{
    cpu_set_t set;
    struct where w = {.cpu = -1, .context_cpu = fever_context()->cpu, .worker = fever_context()->worker};
    sched_getaffinity(0, sizeof set, &set);
    w.n = CPU_COUNT(&set);
    for (int c = 0; c < CPU_SETSIZE; c++)
        if (CPU_ISSET(c, &set))
            w.cpu = c;
    atomic_fetch_add(&page->n[0], 1); /* both workers are needed: wait for the other one */
    for (double end = rt_now() + RT_LONG; atomic_load(&page->n[0]) < 2 && rt_now() < end;)
        rt_nap();
    return w;
}
FEVER_TASK(int, leave_child_behind)
{
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        for (;;)
            pause();
    }
    return pid;
}
FEVER_TASK(int, fork_and_call)
{
    pid_t pid = fork();
    int   status = 0, v = 0;
    if (pid == 0)
        _exit((fever_init(NULL) != -FEVER_ECONTEXT) << 0 | (fever_wait_one(add_remote(1, 2), 1) != -FEVER_EFORK) << 1 |
              (fever_put(&v, sizeof v, &(fever_ref){0}) != -FEVER_EFORK) << 2 | (fever_shutdown() != -FEVER_ECONTEXT) << 3);
    waitpid(pid, &status, 0);
    return status;
}
FEVER_TASK(int, forever) { atomic_fetch_add(&page->n[1], 1); for (;;) pause(); return 0; }
FEVER_TASK(int, chatter) { char big[10000]; memset(big, 'x', sizeof big); big[sizeof big - 1] = '\0'; printf("%s\n", big); return 0; }

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, RT_LONG);
    return rc < 0 ? rc : v;
}

/* ------------------------------------------------------------------------------------------------ again and again */

static void test_again(void)
{
    TAP_IS(fever_shutdown(), -FEVER_ENOTINIT, "shutdown without init");
    for (int i = 0; i < 6; i++) {
        long f = 0;
        rt_init(.workers = 1 + i % 3);
        TAP_IS(fever_init(NULL), -FEVER_EINIT, "init twice");
        TAP_IS(take(add_remote(i, 2)), i + 2, "a task");
        TAP_IS(fever_take_raw(sfib_remote(6), &f, sizeof f, 9, RT_LONG), 0, "nested tasks");
        TAP_IS(f, 8, "their result");
        TAP_IS(rt_stats().workers, 1 + i % 3, "workers");
        rt_shutdown();
        TAP_IS(fever_shutdown(), -FEVER_ENOTINIT, "shutdown twice");
    }
    TAP_IS(fever_init(NULL), 0, "init with defaults");
    TAP_IS(take(add_remote(1, 2)), 3, "a task");
    TAP_IS(take(init_inside_remote()), -FEVER_ECONTEXT, "init in a task");
    TAP_IS(take(shutdown_inside_remote()), -FEVER_ECONTEXT, "shutdown in a task");
    rt_shutdown();
}

static void test_busy_shutdown(void)
{
    rt_init(.workers = 2);
    fever_ref r[100];
    for (int i = 0; i < 100; i++)
        r[i] = forever_remote();
    TAP_OK(rt_until(&page->n[1], 2), "both workers are busy for ever");
    rt_shutdown();
    int v;
    TAP_IS(fever_get(r[0], &v), -FEVER_ENOTINIT, "get after shutdown");
    TAP_IS(fever_release(r[0]), -FEVER_ENOTINIT, "release after shutdown");
    rt_init(.workers = 1);
    int stale = 0;
    for (int i = 0; i < 100; i++)
        stale += fever_get(r[i], &v) == -FEVER_ESTALE;
    TAP_IS(stale, 100, "refs of the earlier runtime are stale");
    fever_ref q[200];
    for (int i = 0; i < 200; i++)
        q[i] = add_remote(i, 0);
    stale = 0;
    for (int i = 0; i < 100; i++)
        stale += fever_release(r[i]) == -FEVER_ESTALE;
    TAP_IS(stale, 100, "also when their slots are in use again");
    for (int i = 0; i < 200; i++)
        stale += take(q[i]) == i;
    TAP_IS(stale, 300, "and nothing was harmed");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ options */

static void test_options(void)
{
    setenv("FEVER_WORKERS", "3", 1);
    setenv("FEVER_STORE_BYTES", "8M", 1);
    setenv("FEVER_QUIET", "1", 1);
    TAP_IS(fever_init(NULL), 0, "options from the environment");
    struct fever_stats s = rt_stats();
    TAP_IS(s.workers, 3, "FEVER_WORKERS");
    TAP_IS(s.store_bytes, 8 << 20, "FEVER_STORE_BYTES");
    rt_shutdown();
    rt_init(.workers = 2, .store_bytes = 4 << 20);
    s = rt_stats();
    TAP_OK(s.workers == 2 && s.store_bytes == 4 << 20, "the program goes before the environment");
    rt_shutdown();
    unsetenv("FEVER_STORE_BYTES");
    setenv("FEVER_WORKERS", "many", 1);
    TAP_IS(fever_init(NULL), -FEVER_EOPTION, "a malformed variable");
    TAP_IS(fever_shutdown(), -FEVER_ENOTINIT, "nothing was started");
    unsetenv("FEVER_WORKERS");
    TAP_IS(fever_init(FEVER_OPTIONS(.workers = 100000)), -FEVER_EOPTION, "too many workers");
    TAP_IS(fever_init(FEVER_OPTIONS(.event = "kqueue")), -FEVER_EOPTION, "an unknown word");
    struct fever_options o = {.workers = 1};
    TAP_OK(fever_init(&o) < 0, "options without their size");
    TAP_IS(fever_init(FEVER_OPTIONS(.workers = 60, .max_spares = 60, .process_slots = 64)), 0, "process_slots that do not suffice are raised");
    rt_shutdown();
    unsetenv("FEVER_QUIET");
}

/* ------------------------------------------------------------------------------------------------ CPUs */

static void test_pinning(void)
{
    cpu_set_t mine;
    struct where a, b;
    sched_getaffinity(0, sizeof mine, &mine);
    atomic_store(&page->n[0], 0);
    rt_init(.workers = 2);
    fever_ref r = where_remote(), q = where_remote();
    TAP_IS(fever_take_raw(r, &a, sizeof a, 255, RT_LONG), 0, "where is it?");
    TAP_IS(fever_take_raw(q, &b, sizeof b, 255, RT_LONG), 0, "and the other?");
    TAP_OK(a.n == 1 && b.n == 1, "each is pinned to one CPU");
    TAP_OK(CPU_ISSET(a.cpu, &mine) && CPU_ISSET(b.cpu, &mine), "that we may use");
    TAP_OK(a.cpu == a.context_cpu && b.cpu == b.context_cpu, "as the context says");
    TAP_OK(a.worker != b.worker, "two workers");
    if (CPU_COUNT(&mine) > 1)
        TAP_OK(a.cpu != b.cpu, "on two CPUs");
    else
        tap_skip("one CPU only");
    cpu_set_t now;
    sched_getaffinity(0, sizeof now, &now);
    TAP_OK(CPU_EQUAL(&mine, &now), "the driver's mask is as it was");
    rt_shutdown();
    atomic_store(&page->n[0], 2);
    rt_init(.workers = 1, .pin = -1);
    TAP_IS(fever_take_raw(where_remote(), &a, sizeof a, 255, RT_LONG), 0, "unpinned");
    TAP_IS(a.n, CPU_COUNT(&mine), "may use all that we may");
    TAP_IS(a.context_cpu, -1, "as the context says");
    rt_shutdown();
}

/* A worker leaves the CPU on which the driver stays, when there is one that nobody uses. */
static void test_makes_way(void)
{
    cpu_set_t mine, one;
    struct where w = {.cpu = -1}, before;
    sched_getaffinity(0, sizeof mine, &mine);
    if (CPU_COUNT(&mine) < 2) {
        tap_skip("one CPU only");
        return;
    }
    rt_init(.workers = 1);
    atomic_store(&page->n[0], 2); /* where_remote does not wait for another */
    TAP_IS(fever_take_raw(where_remote(), &before, sizeof before, 255, RT_LONG), 0, "where is the only worker?");
    CPU_ZERO(&one);
    CPU_SET(before.cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    w = before;
    for (double end = rt_now() + RT_LONG; w.cpu == before.cpu && rt_now() < end;) {
        struct fever_group *g; /* more than there are slots: the driver sleeps now and then */
        fever_group_open(&g);
        for (int i = 0; i < 20000; i++)
            add_group(g, i, i);
        fever_group_close(g);
        usleep(2000);
        if (fever_take_raw(where_remote(), &w, sizeof w, 255, RT_LONG) != 0)
            break;
    }
    TAP_OK(w.cpu != before.cpu && CPU_ISSET(w.cpu, &mine), "it makes way for a driver that stays on its CPU");
    TAP_IS(w.context_cpu, w.cpu, "and says so");
    rt_shutdown();
    sched_setaffinity(0, sizeof mine, &mine);
}

/* ------------------------------------------------------------------------------------------------ the user's processes */

static volatile sig_atomic_t chld;
static void on_chld(int sig) { (void)sig; chld++; }

static void test_wait_undisturbed(void)
{
    struct sigaction sa = {.sa_handler = on_chld}, old;
    sigaction(SIGCHLD, &sa, &old);
    chld = 0;
    rt_init(.workers = 2);
    TAP_IS(take(add_remote(1, 1)), 2, "a task");
    TAP_OK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "the driver has no child");
    fever_ref r = die_remote();
    TAP_IS(fever_wait_one(r, RT_LONG), -FEVER_ECRASHED, "a worker dies");
    fever_release(r);
    TAP_OK(wait(NULL) == -1 && errno == ECHILD, "wait() does not see it");
    TAP_IS(chld, 0, "no SIGCHLD was delivered");
    pid_t pid = fork();
    if (pid == 0)
        _exit(17);
    int status = 0;
    TAP_IS(wait(&status), pid, "wait() finds the user's own child");
    TAP_OK(WIFEXITED(status) && WEXITSTATUS(status) == 17, "and its status");
    TAP_IS(chld, 1, "its SIGCHLD came");
    TAP_IS(system("exit 5") >> 8, 5, "system()");
    chld = 0;
    sigset_t set;
    sigprocmask(SIG_SETMASK, NULL, &set);
    TAP_OK(!sigismember(&set, SIGCHLD), "SIGCHLD is not blocked");
    rt_shutdown();
    TAP_OK(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "nothing to wait for after shutdown");
    TAP_IS(chld, 0, "no other SIGCHLD");
    sigaction(SIGCHLD, &old, NULL);

    signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel */
    rt_init(.workers = 1);
    TAP_IS(take(add_remote(2, 2)), 4, "SIGCHLD ignored");
    rt_shutdown();
    signal(SIGCHLD, SIG_DFL);
}

static void test_processes(void)
{
    struct sigaction sa = {.sa_handler = on_chld}, old;
    sigset_t block, before;
    sigaction(SIGUSR1, &sa, &old);
    sigfillset(&block);
    sigprocmask(SIG_BLOCK, &block, &before);
    rt_init(.workers = 1);
    sigprocmask(SIG_SETMASK, &before, NULL);
    int group = take(group_of_process_remote());
    TAP_OK(group > 0 && group != getpgrp(), "workers are in a process group of their own: Ctrl-C is the driver's");
    TAP_IS(take(blocks_signals_remote()), 0, "tasks start with no signal blocked and no handler of the driver's");
    TAP_IS(take(read_stdin_remote()), EOF, "a task's stdin is empty");
    int left = take(leave_child_behind_remote());
    TAP_OK(left > 0 && kill(left, 0) == 0, "a task leaves a process behind");
    TAP_IS(take(fork_and_call_remote()), 0, "a child that a task forked is refused");
    TAP_IS(take(add_remote(1, 2)), 3, "the next task");
    rt_shutdown();
    double end = rt_now() + 1;
    while (kill(left, 0) == 0 && rt_now() < end)
        rt_nap();
    TAP_OK(kill(left, 0) < 0 && errno == ESRCH, "it ends with the runtime");
    sigaction(SIGUSR1, &old, NULL);
}

static void hook(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void test_hook(void)
{
    atomic_store(&page->n[2], 0);
    TAP_IS(fever_worker_hook(hook, &page->n[2]), 0, "worker hook");
    rt_init(.workers = 3);
    TAP_OK(rt_until(&page->n[2], 3), "each worker calls it");
    TAP_IS(take(add_remote(1, 2)), 3, "a task");
    TAP_IS(atomic_load(&page->n[2]), 3, "once");
    fever_ref r = die_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY));
    TAP_IS(fever_wait_one(r, RT_LONG), -FEVER_ECRASHED, "one dies");
    TAP_OK(rt_until(&page->n[2], 4), "its successor calls it too");
    TAP_IS(fever_worker_hook(NULL, NULL), -FEVER_EINIT, "too late to change it");
    rt_shutdown();
    TAP_IS(fever_worker_hook(NULL, NULL), 0, "no hook any more");
}

static void test_idle(void)
{
    rt_init(.workers = 2);
    TAP_IS(take(add_remote(1, 2)), 3, "a task");
    double end = rt_now() + RT_LONG;
    int idle = 0;
    while (idle < 2 && rt_now() < end) {
        rt_nap();
        idle = 0;
        for (uint32_t p = 1; p <= 2; p++)
            idle += fv_load_relaxed_32(&fv_proc(p)->wait_reason) == FV_WAIT_IDLE && fv_load_relaxed_32(&fv_proc(p)->parked);
    }
    TAP_IS(idle, 2, "workers without work sleep");
    TAP_IS(take(add_remote(1, 3)), 4, "and wake up");
    rt_shutdown();
}

static void test_warm(void)
{
    unsetenv("FEVER_STORE_WARM");
    rt_init(.workers = 1, .store_bytes = 256 << 20, .store_warm = 64 << 20);
    TAP_IS(take(add_remote(1, 2)), 3, "a task while the store is warmed");
    double end = rt_now() + RT_LONG;
    while (fv_load_relaxed_32(&fv_map.seg->backed_chunks) < 16 && rt_now() < end)
        rt_nap();
    TAP_OK(fv_load_relaxed_32(&fv_map.seg->backed_chunks) >= 16, "chunks are backed ahead of need");
    pid_t group = fv_rt.supervisor_pid;
    TAP_IS(fever_shutdown(), 0, "shutdown on the way");
    TAP_IS(rt_group_ends(group, RT_LONG), 0, "the helper ends, too"); /* idle priority: on a busy machine a little later */
    setenv("FEVER_STORE_WARM", "0", 1);
}

/* ------------------------------------------------------------------------------------------------ stdio */

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *p = text; (p = strstr(p, word)) != NULL; p++)
        n++;
    return n;
}

static void test_stdio(void)
{
    char name[] = "/tmp/fever-test-XXXXXX", text[65536] = "";
    int  fd = mkstemp(name);
    unlink(name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd, 1);
        setvbuf(stdout, NULL, _IOFBF, 8192);
        printf("before-init ");
        int rc = fever_init(FEVER_OPTIONS(.workers = 2, .quiet = 1));
        printf("after-init\n");
        fever_ref r[10];
        for (int i = 0; i < 10; i++)
            r[i] = say_remote(i);
        for (int i = 0; i < 10; i++)
            rc |= take(r[i]);
        fever_ref q = leave_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY));
        rc |= fever_wait_one(q, RT_LONG) != -FEVER_ECRASHED;
        rc |= take(chatter_remote());
        printf("before-shutdown ");
        rc |= fever_shutdown();
        exit(rc == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "a program that prints before init, in tasks and after");
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    TAP_IS(count(text, "before-init"), 1, "what was buffered before init comes once");
    TAP_IS(count(text, "after-init"), 1, "and after it");
    TAP_IS(count(text, "before-shutdown"), 1, "and before shutdown");
    int good = 0;
    for (int i = 0; i < 10; i++) {
        char line[16];
        snprintf(line, sizeof line, "task %d\n", i);
        good += count(text, line) == 1;
    }
    TAP_IS(good, 10, "what tasks print comes once");
    TAP_OK(count(text, "xxxx") > 9000, "a long line, too");
}

/* ------------------------------------------------------------------------------------------------ ends */

static pid_t start(void (*body)(void))
{
    fflush(stdout);
    memset(page, 0, sizeof *page);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        if (fever_init(FEVER_OPTIONS(.workers = 2, .quiet = 1)) < 0)
            _exit(50);
        page->supervisor = fv_rt.supervisor_pid;
        body();
        _exit(51);
    }
    return pid;
}

static void just_wait(void)
{
    forever_remote();
    rt_until(&page->n[1], 1);
    atomic_store(&page->n[3], 1);
    for (;;)
        pause();
}
static void just_exit(void) { take(add_remote(1, 2)); exit(0); }
static void return_from_exec(void) { take(add_remote(1, 2)); execl("/bin/true", "true", (char *)NULL); }

static void lose_supervisor(void)
{
    fever_ref r = forever_remote();
    int v, bad = 0;
    rt_until(&page->n[1], 1);
    kill(fv_rt.supervisor_pid, SIGKILL);
    double begin = rt_now();
    bad |= (fever_get(r, &v) != -FEVER_ERUNTIME) << 0;
    bad |= (rt_now() - begin > 1) << 1;
    struct fever_group *g;
    bad |= (fever_group_open(&g) != 0) << 2;
    for (int i = 0; i < 10; i++)
        add_group(g, i, i);
    bad |= (fever_group_wait(g, -1) != -FEVER_ERUNTIME) << 3;
    bad |= (fever_wait(&r, 1, 1, -1, NULL) != -FEVER_ERUNTIME) << 4;
    bad |= (fever_shutdown() != -FEVER_ERUNTIME) << 5;
    bad |= (fever_init(FEVER_OPTIONS(.workers = 1, .quiet = 1)) != 0) << 6;
    bad |= (take(add_remote(1, 2)) != 3) << 7;
    fever_shutdown();
    _exit(bad);
}

static void test_ends(void)
{
    int status = -1;
    pid_t pid = start(just_wait);
    TAP_OK(rt_until(&page->n[3], 1), "a driver with a task that runs for ever");
    TAP_OK(page->supervisor > 0 && rt_in_group(page->supervisor) >= 3, "its processes");
    double begin = rt_now();
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    TAP_IS(rt_group_ends(page->supervisor, RT_LONG), 0, "killed: its processes end");
    TAP_OK(rt_now() - begin < 0.5, "at once");
    pid = start(just_exit);
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "a driver that leaves without shutdown");
    TAP_IS(rt_group_ends(page->supervisor, RT_LONG), 0, "its processes end");
    pid = start(return_from_exec);
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "a driver that becomes another program");
    TAP_IS(rt_group_ends(page->supervisor, RT_LONG), 0, "its processes end");
    pid = start(lose_supervisor);
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "the supervisor is killed: waits return, the runtime can be started again");
    TAP_IS(rt_group_ends(page->supervisor, RT_LONG), 0, "workers end");
}

/* ------------------------------------------------------------------------------------------------ a user's fork */

static void test_user_fork(void)
{
    rt_init(.workers = 2);
    fever_ref r = add_remote(20, 1);
    int v = 0, status = -1;
    TAP_IS(fever_get(r, &v), 0, "a task");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct fever_group *g = NULL;
        fever_ref q;
        const char *view;
        size_t bytes;
        int bad = 0;
        bad |= (fever_get(r, &v) != -FEVER_EFORK) << 0;
        bad |= (fever_release(r) != -FEVER_EFORK) << 1;
        bad |= (fever_wait_one(add_remote(1, 2), 1) != -FEVER_EFORK) << 2;
        bad |= (fever_group_open(&g) != -FEVER_EFORK) << 3;
        bad |= (fever_put(&v, sizeof v, &q) != -FEVER_EFORK) << 4;
        bad |= (fever_view(r, &view, &bytes) != -FEVER_EFORK) << 5;
        bad |= (fever_shutdown() != -FEVER_EFORK) << 6;
        bad |= (fever_context() != NULL) << 7;
        exit(bad); /* runs what exit() runs */
    }
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "in a child that the user forked every call is refused");
    TAP_IS(fever_get(r, &v), 0, "the parent's ref is still good");
    TAP_IS(take(add_remote(1, 2)), 3, "and its runtime");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        /* a runtime of its own, beside the parent's */
        int bad = 0;
        bad |= (fever_init(FEVER_OPTIONS(.workers = 1, .quiet = 1)) != 0) << 0;
        fever_ref many[300];
        for (int i = 0; i < 300; i++)
            many[i] = add_remote(i, i);
        for (int i = 0; i < 300; i++)
            bad |= (take(many[i]) != 2 * i) << 1;
        bad |= (rt_validate() != 0) << 2;
        bad |= (fever_get(r, &v) != -FEVER_ESTALE) << 3;
        bad |= (fever_shutdown() != 0) << 4;
        exit(bad);
    }
    waitpid(pid, &status, 0);
    TAP_IS(status, 0, "a child may start a runtime of its own");
    pid = fork();
    if (pid == 0)
        raise(SIGKILL);
    waitpid(pid, &status, 0);
    TAP_IS(take(add_remote(2, 2)), 4, "a killed child does no harm");
    TAP_IS(take(r), 21, "the parent's ref is still good");
    rt_shutdown();
}

int main(void)
{
    rt_begin(100);
    page = rt_shared(sizeof *page);
    test_stdio();
    test_ends();
    memset(page, 0, sizeof *page);
    test_again();
    test_busy_shutdown();
    test_options();
    test_pinning();
    test_makes_way();
    test_wait_undisturbed();
    test_processes();
    test_hook();
    test_idle();
    test_warm();
    test_user_fork();
    return tap_done();
}
