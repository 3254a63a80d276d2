/* t_hostile.c: bodies that misbehave: each is contained, named exactly, and what it leaves behind is put right.
 *
 * Run by:          make check.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "rt.h"

struct page {
    atomic_int pid, runs, stop, child, rc;
};
static struct page *page;

#ifdef __SANITIZE_ADDRESS__
#define HAS_ASAN 1
#else
#define HAS_ASAN 0
#endif

/* ------------------------------------------------------------------------------------------------ abnormal ends */

enum {
    EXITS, EXITS_NOW, EXITS_AS_IF_REPLACED, ABORTS, FAULTS, SMASHES, LOSES_STACK, OVERFLOWS, TRAPS, DIVIDES, BUS, TERMINATES, KILLED,
    EXECS, EXECS_AND_DIES, EXECS_AND_EXITS, ENDS_THREAD, ALARMED, PROFILED, CPU_SECONDS, NO_MEMORY, THREAD_FAULTS, UNMAPS, BLOCKED_ABORT,
    CLOSED_ABORT, STOPPED, DEAF
};
#ifdef __SANITIZE_ADDRESS__ /* bodies end by exit(): the search for leaks would take over */
__attribute__((visibility("default"))) const char *__asan_default_options(void); /* found by name */
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

static int *volatile nowhere = (int *)64;
static volatile long  zero;
__attribute__((no_sanitize("undefined"))) static int divide(void) { return (int)(7 / zero); }
static void *volatile got; /* or the compiler does without the memory */

static int deeper(volatile char *above, int n)
{
    volatile char here[4096];

    here[0] = (char)n;
    return n > 1 << 30 ? 0 : deeper(here, n + 1) + here[0] + above[0];
}
static void *fault_in_thread(void *arg)
{
    (void)arg;
    *nowhere = 1;
    return NULL;
}
__attribute__((noinline)) static void smash(volatile char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (char)0x7f; /* return addresses and saved frames, too */
}
static void spin_for(double seconds)
{
    for (double end = rt_now() + seconds; rt_now() < end;)
        ;
}

FEVER_TASK(int, misbehaves, (int, how))
{
    volatile char frame[16];
    sigset_t      all;
    struct rlimit limit;
    pthread_t     t;

    frame[0] = 0;
    sigfillset(&all);
    atomic_store(&page->pid, (int)getpid());
    atomic_fetch_add(&page->runs, 1);
    switch (how) {
    case EXITS: exit(5);
    case EXITS_NOW: _exit(6);
    case EXITS_AS_IF_REPLACED: _exit(123);
    case ABORTS: abort();
    case FAULTS: *nowhere = 1; break;
    case SMASHES: smash(frame, 512); break;
    case LOSES_STACK:
#if defined(__x86_64__)
        __asm__ volatile("mov $4096, %%rsp; push %%rax" ::: "memory");
#endif
        break;
    case OVERFLOWS: return deeper(frame, 0);
    case TRAPS: __builtin_trap();
    case DIVIDES: return divide();
    case BUS: {
        int fd = memfd_create("short", 0);
        volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        return p[0];
    }
    case TERMINATES: raise(SIGTERM); break;
    case KILLED: raise(SIGKILL); break;
    case EXECS: execlp("true", "true", (char *)NULL); break;
    case EXECS_AND_DIES: execlp("sh", "sh", "-c", "kill -TERM $$", (char *)NULL); break;
    case EXECS_AND_EXITS: execlp("sh", "sh", "-c", "exit 9", (char *)NULL); break;
    case ENDS_THREAD: pthread_exit(NULL);
    case ALARMED: alarm(1); sleep(20); sleep(20); break;
    case PROFILED: setitimer(ITIMER_PROF, &(struct itimerval){.it_value = {0, 20000}}, NULL); spin_for(20); break;
    case CPU_SECONDS: setrlimit(RLIMIT_CPU, &(struct rlimit){1, 4}); spin_for(60); break;
    case NO_MEMORY:
        getrlimit(RLIMIT_DATA, &limit);
        limit.rlim_cur = 600 << 20;
        setrlimit(RLIMIT_DATA, &limit);
        for (;;)
            memset((void *)(got = malloc(1 << 20)), 1, 4096);
    case THREAD_FAULTS: pthread_create(&t, NULL, fault_in_thread, NULL); pthread_join(t, NULL); break;
    case UNMAPS: munmap(fv_map.base, fv_map.seg->bytes); break;
    case BLOCKED_ABORT: sigprocmask(SIG_BLOCK, &all, NULL); abort();
    case CLOSED_ABORT:
        for (int fd = 0; fd < 4096; fd++)
            close(fd);
        abort();
    case STOPPED: raise(SIGSTOP); break;
    case DEAF: sigprocmask(SIG_BLOCK, &all, NULL); for (;;) pause();
    }
    return 0;
}
FEVER_TASK(int, who) { return (int)getpid(); }
FEVER_TASK(long, square, (long, x)) { return x * x; }

static const struct {
    int         how;
    const char *what;
    int         code, signal, status;
    bool        has_address;
    const char *text;
} ends[] = {
    {EXITS, "calls exit", FEVER_ECRASHED, 0, 5, false, "exited with status 5 in the task"},
    {EXITS_NOW, "calls _exit", FEVER_ECRASHED, 0, 6, false, "exited with status 6 in the task"},
    {EXITS_AS_IF_REPLACED, "calls _exit with the status of a worker that leaves", FEVER_ECRASHED, 0, 123, false, "exited with status 123 in the task"},
    {ABORTS, "calls abort", FEVER_ECRASHED, SIGABRT, 0, false, "signal 6"},
    {FAULTS, "writes where nothing is", FEVER_ECRASHED, SIGSEGV, 0, true, "signal 11"},
    {SMASHES, "smashes its stack", FEVER_ECRASHED, 0, 0, false, "signal"},
    {LOSES_STACK, "loses its stack pointer", FEVER_ECRASHED, SIGSEGV, 0, true, "signal 11"},
    {OVERFLOWS, "overflows its stack", FEVER_ECRASHED, SIGSEGV, 0, true, "signal 11"},
    {TRAPS, "traps", FEVER_ECRASHED, 0, 0, true, "signal"},
    {DIVIDES, "divides by zero", FEVER_ECRASHED, SIGFPE, 0, true, "signal 8"},
    {BUS, "reads behind the end of a file", FEVER_ECRASHED, SIGBUS, 0, true, "signal 7"},
    {TERMINATES, "raises SIGTERM", FEVER_ECRASHED, SIGTERM, 0, false, "signal 15"},
    {KILLED, "raises SIGKILL", FEVER_ECRASHED, SIGKILL, 0, false, "signal 9"},
    {EXECS, "executes true", FEVER_ECRASHED, 0, 0, false, "became another program, true, which exited with status 0"},
    {EXECS_AND_DIES, "executes a shell that dies", FEVER_ECRASHED, SIGTERM, 0, false, ", which died of signal 15"},
    {EXECS_AND_EXITS, "executes a shell that exits", FEVER_ECRASHED, 0, 9, false, ", which exited with status 9"},
    {ENDS_THREAD, "ends its thread", FEVER_ECRASHED, 0, 0, false, "exited with status 0 in the task"},
    {ALARMED, "is hit by its alarm", FEVER_ECRASHED, SIGALRM, 0, false, "signal 14"},
    {PROFILED, "is hit by its timer", FEVER_ECRASHED, SIGPROF, 0, false, "signal 27"},
    {CPU_SECONDS, "uses more CPU time than it allowed itself", FEVER_ECRASHED, SIGXCPU, 0, false, "signal 24"},
    {NO_MEMORY, "exhausts memory", FEVER_ECRASHED, SIGSEGV, 0, false, "signal 11"},
    {THREAD_FAULTS, "has a thread that faults", FEVER_ECRASHED, SIGSEGV, 0, true, "signal 11"},
    {UNMAPS, "unmaps the segment", FEVER_ECRASHED, SIGSEGV, 0, false, "signal 11"},
    {BLOCKED_ABORT, "aborts with all signals blocked", FEVER_ECRASHED, SIGABRT, 0, false, "signal 6"},
    {CLOSED_ABORT, "aborts with all descriptors closed", FEVER_ECRASHED, SIGABRT, 0, false, "signal 6"},
    {STOPPED, "stops itself", FEVER_ETASKTIMEOUT, SIGKILL, 0, false, "longer than its timeout"},
    {DEAF, "blocks all signals for ever", FEVER_ETASKTIMEOUT, SIGKILL, 0, false, "longer than its timeout"},
};

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, 2 * RT_LONG);

    return rc < 0 ? rc : v;
}

static void test_ends(void)
{
    rt_init(.workers = 1, .store_bytes = 16 << 20);
    for (size_t i = 0; i < FV_COUNT_OF(ends); i++) {
        const int  how = ends[i].how;
        const bool timed = ends[i].code == FEVER_ETASKTIMEOUT;
        struct fever_error e;
        int  pid, v, before, next;
        long sum = 0;

        if (HAS_ASAN && (how == NO_MEMORY || how == ENDS_THREAD || how == OVERFLOWS || how == SMASHES || how == LOSES_STACK || how == CLOSED_ABORT))
            continue;
#if !defined(__x86_64__)
        if (how == LOSES_STACK)
            continue;
#endif
        before = take(who_remote());
        atomic_store(&page->runs, 0);
        fever_ref r = misbehaves_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY, .timeout_s = timed ? 0.1 : 0), how);
        fever_ref after[20]; /* queued behind it in the same worker: none is harmed */
        for (long k = 0; k < 20; k++)
            after[k] = square_remote(k);
        int rc = fever_get_for(r, &v, 4 * RT_LONG);
        e = rt_error(r);
        pid = atomic_load(&page->pid);
        bool good = rc == -ends[i].code && e.code == ends[i].code && e.exit_status == ends[i].status && e.worker_pid == pid && e.attempt == 1 &&
                    strcmp(e.task, "misbehaves") == 0 && strstr(e.text, ends[i].text) != NULL &&
                    (ends[i].signal == 0 || e.signal == ends[i].signal) && (!ends[i].has_address || e.fault_address != 0);
        if (how == SMASHES)
            good &= e.signal == SIGSEGV || e.signal == SIGABRT || e.signal == SIGBUS || e.signal == SIGILL;
        if (how == TRAPS)
            good &= e.signal == SIGILL || e.signal == SIGTRAP;
        if (how == FAULTS)
            good &= e.fault_address == 64;
        if (!TAP_OK(good, "a body that %s: %s", ends[i].what, e.text))
            tap_diag("rc %d, signal %d, status %d, pid %d (%d), attempt %u, address %#llx", rc, e.signal, e.exit_status, e.worker_pid, pid,
                     e.attempt, (unsigned long long)e.fault_address);
        for (long k = 0; k < 20; k++) {
            long x = -1;
            if (fever_take(after[k], &x) == 0)
                sum += x;
        }
        next = take(who_remote());
        TAP_OK(sum == 2470 && atomic_load(&page->runs) == 1 && before == pid && next > 0 && next != pid,
               "  it ran once, others are unharmed, the next has a new process");
        fever_release(r);
    }
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ inside, with a normal end */

enum { FORKED_RETURN, ALL_CLOSED_NESTED, ALL_CLOSED_ALLOC, ALL_CLOSED_PUT, RUNTIME_CALLS, FORK_MANY };
struct big {
    char bytes[6 << 20];
};
FEVER_TASK(struct big, makes_big, (int, c))
{
    static struct big b;

    for (int fd = 0; fd < 4096; fd++)
        close(fd);
    memset(b.bytes, c, sizeof b.bytes);
    return b;
}
FEVER_TASK(int, odd, (int, how))
{
    int v = 0;

    switch (how) {
    case FORKED_RETURN:
        return fork() == 0 ? 1 : 2;
    case ALL_CLOSED_NESTED: /* no spare is there yet: the supervisor has to be told */
        for (int fd = 0; fd < 4096; fd++)
            close(fd);
        return fever_take(who_remote(), &v) == 0 && v > 0 ? 3 : 0;
    case ALL_CLOSED_PUT: {
        fever_ref r[64];
        char     *bytes = calloc(1, 200000);
        int       rc = 0;
        for (int fd = 0; fd < 4096; fd++)
            close(fd);
        for (int i = 0; i < 20 && rc == 0; i++)
            rc = fever_put_with(bytes, 200000, NULL, 0, &r[i]);
        return rc == 0 ? 4 : rc;
    }
    case RUNTIME_CALLS:
        return fever_init(NULL) == -FEVER_ECONTEXT && fever_shutdown() == -FEVER_ECONTEXT ? 5 : 0;
    case FORK_MANY:
        for (int i = 0; i < 20; i++) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(fever_take(who_remote(), &v) == -FEVER_EFORK ? 0 : 1);
            int status = 1;
            if (waitpid(pid, &status, 0) != pid || status != 0)
                return status;
        }
        return 6;
    }
    return 0;
}

FEVER_TASK(int, stays, (int, x)) /* until it is let go */
{
    atomic_store(&page->child, 1);
    for (double end = rt_now() + 2 * RT_LONG; !atomic_load(&page->stop) && rt_now() < end;)
        rt_nap();
    return x;
}
FEVER_TASK(int, signals_group, (int, sig))
{
    kill(0, sig);
    pause();
    return 0;
}
static void test_group(void)
{
    fever_ref r;

    rt_init(.workers = 2, .store_bytes = 16 << 20);
    static const int sig[] = {SIGTERM, SIGKILL, SIGINT, SIGHUP};
    for (size_t i = 0; i < sizeof sig / sizeof sig[0]; i++) {
        memset(page, 0, sizeof *page);
        r = stays_remote(5);
        TAP_OK(rt_until(&page->child, 1), "another task runs");
        fever_ref        bad = signals_group_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), sig[i]);
        int              v, rc = fever_get_for(bad, &v, RT_LONG);
        TAP_IS(rc, -FEVER_ECRASHED, "kill(0, %d) in a body", sig[i]);
        if (rc < 0)
            TAP_IS(rt_error(bad).signal, sig[i], "it dies of that");
        fever_release(bad);
        atomic_store(&page->stop, 1);
        TAP_IS(take(r), 5, "the other goes on");
    }
    TAP_IS(rt_stats().tasks_failed, 4, "nobody else was hit");
    rt_shutdown();
}

static void test_odd(void)
{
    rt_init(.workers = 1, .store_bytes = 64 << 20);
    TAP_IS(take(odd_remote(FORKED_RETURN)), 2, "a child that returns from the body is nobody");
    TAP_IS(take(odd_remote(ALL_CLOSED_NESTED)), 3, "all descriptors closed: a nested task gets its spare");
    TAP_IS(take(odd_remote(ALL_CLOSED_PUT)), 4, "all descriptors closed: the store grows all the same");
    fever_ref r = makes_big_remote(7);
    static struct big b;
    TAP_OK(fever_take(r, &b) == 0 && b.bytes[0] == 7 && b.bytes[sizeof b.bytes - 1] == 7, "all descriptors closed: a large result");
    TAP_IS(take(odd_remote(RUNTIME_CALLS)), 5, "fever_init and fever_shutdown in a task");
    TAP_IS(take(odd_remote(FORK_MANY)), 6, "children of a body have no runtime");
    TAP_IS(rt_stats().tasks_failed, 0, "nothing failed");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ what is left behind */

enum {
    CHILD, ZOMBIE, OPEN, DIRECTORY, GONE_DIRECTORY, UMASK, AFFINITY, MASK, HANDLER, ALARM, TIMER, LIMIT, SET_ENV, UNSET_ENV,
    CLEAR_ENV, THREAD, PDEATH, CLOSE_IN, REPLACE_OUT, CLOSE_ALL, NOTHING
};
static void *endless(void *arg)
{
    for (;;)
        pause();
    return arg;
}
FEVER_TASK(int, leaves, (int, how))
{
    sigset_t  set;
    cpu_set_t cpus;
    pthread_t t;
    timer_t   timer;
    struct rlimit limit;
    char      dir[] = "/tmp/fever-hostile-XXXXXX";

    switch (how) {
    case CHILD: {
        pid_t pid = fork();
        if (pid == 0)
            for (;;)
                pause();
        atomic_store(&page->child, (int)pid);
        break;
    }
    case ZOMBIE: {
        siginfo_t info;
        if (fork() == 0)
            _exit(0);
        return waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0;
    }
    case OPEN: return open("/dev/null", O_RDONLY) > 2;
    case DIRECTORY: return chdir("/") == 0;
    case GONE_DIRECTORY: return mkdtemp(dir) != NULL && chdir(dir) == 0 && rmdir(dir) == 0;
    case UMASK: umask(0123); break;
    case AFFINITY:
        CPU_ZERO(&cpus);
        for (int i = 0; i < 1024; i++)
            CPU_SET(i, &cpus);
        return sched_setaffinity(0, sizeof cpus, &cpus) == 0;
    case MASK: sigfillset(&set); return sigprocmask(SIG_BLOCK, &set, NULL) == 0;
    case HANDLER: signal(SIGSEGV, SIG_IGN); signal(SIGABRT, SIG_DFL); break;
    case ALARM: alarm(1000); break;
    case TIMER:
        if (timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0)
            return 0;
        return timer_settime(timer, 0, &(struct itimerspec){.it_value = {1000, 0}}, NULL) == 0;
    case LIMIT: return getrlimit(RLIMIT_CPU, &limit) == 0 && setrlimit(RLIMIT_CPU, &(struct rlimit){12345, limit.rlim_max}) == 0;
    case SET_ENV: return setenv("FEVER_HOSTILE", "1", 1) == 0;
    case UNSET_ENV: return unsetenv("PATH") == 0;
    case CLEAR_ENV: return clearenv() == 0;
    case THREAD: return pthread_create(&t, NULL, endless, NULL) == 0 && pthread_detach(t) == 0;
    case PDEATH: return prctl(PR_SET_PDEATHSIG, 0) == 0;
    case CLOSE_IN: close(0); break;
    case REPLACE_OUT: return dup2(open("/dev/null", O_RDWR), 1) == 1;
    case CLOSE_ALL:
        for (int fd = 0; fd < 4096; fd++)
            close(fd);
        break;
    }
    return 1;
}
struct state {
    int   pid, mask, n_cpus, n_blocked, has_alarm, has_env, has_path, pdeath, out_ok, n_open, has_handler, n_timers;
    char  directory[128];
    long  cpu_seconds;
};
FEVER_TASK(struct state, state)
{
    struct state     s = {.pid = (int)getpid()};
    cpu_set_t        cpus;
    sigset_t         set;
    struct itimerval t;
    struct rlimit    limit;
    struct sigaction sa;
    char             text[256];

    umask((mode_t)(s.mask = (int)umask(0)));
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        s.n_cpus = CPU_COUNT(&cpus);
    sigprocmask(SIG_BLOCK, NULL, &set);
    for (int i = 1; i < 32; i++)
        s.n_blocked += sigismember(&set, i);
    getitimer(ITIMER_REAL, &t);
    s.has_alarm = t.it_value.tv_sec != 0;
    s.has_env = getenv("FEVER_HOSTILE") != NULL;
    s.has_path = getenv("PATH") != NULL;
    prctl(PR_GET_PDEATHSIG, &s.pdeath);
    s.out_ok = fcntl(0, F_GETFD) >= 0 && fcntl(1, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0;
    for (int fd = 0; fd < 1024; fd++)
        s.n_open += fcntl(fd, F_GETFD) >= 0;
    sigaction(SIGSEGV, NULL, &sa);
    s.has_handler = sa.sa_handler != SIG_DFL && sa.sa_handler != SIG_IGN;
    if (getcwd(s.directory, sizeof s.directory) == NULL)
        s.directory[0] = '\0';
    getrlimit(RLIMIT_CPU, &limit);
    s.cpu_seconds = (long)limit.rlim_cur;
    int     fd = open("/proc/self/timers", O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    close(fd);
    s.n_timers = n > 0;
    return s;
}

static const struct {
    int         how;
    const char *what, *said; /* NULL: nothing */
    bool        is_replaced, keeps_descriptor;
} left[] = {
    {NOTHING, "nothing", NULL, false, false},
    {ZOMBIE, "a child that has ended", NULL, false, false},
    {CHILD, "a child", "left child processes running", false, false},
    {OPEN, "an open descriptor", "left descriptors open: ", false, true},
    {DIRECTORY, "another directory", "changed the working directory to /; it is set back", false, false},
    {GONE_DIRECTORY, "a directory that is gone", "changed the working directory", false, false},
    {UMASK, "another file mode mask", "changed the file mode mask to 123; it is set back", false, false},
    {AFFINITY, "another affinity", "changed the CPU affinity; it is set back", false, false},
    {MASK, "blocked signals", "changed the signal mask; it is set back", false, false},
    {HANDLER, "other handlers", "changed the handlers of fatal signals; they are set back", false, false},
    {ALARM, "an alarm", "left timers armed; they are off", false, false},
    {TIMER, "a timer", "left timers armed; they are off", false, false},
    {LIMIT, "other limits", "changed resource limits; they are set back", false, false},
    {SET_ENV, "a new variable", "changed the environment (FEVER_HOSTILE); it is set back", false, false},
    {UNSET_ENV, "a variable less", "changed the environment (PATH); it is set back", false, false},
    {CLEAR_ENV, "no environment", "changed the environment (", false, false},
    {PDEATH, "another signal at the supervisor's death", "changed what happens when the supervisor dies; it is set back", false, false},
    {THREAD, "a thread", "left threads running (1)", false, false},
    {CLOSE_IN, "standard input closed", "closed or replaced standard input, output or error; the worker is replaced", true, false},
    {REPLACE_OUT, "standard output replaced", "closed or replaced standard input, output or error; the worker is replaced", true, false},
    {CLOSE_ALL, "all descriptors closed", "closed or replaced standard input, output or error; the worker is replaced", true, false},
};

static bool comes(int fd, const char *what, int times)
{
    static char text[65536];

    for (double end = rt_now() + RT_LONG;; rt_nap()) {
        ssize_t n = pread(fd, text, sizeof text - 1, 0);
        int     found = 0;
        text[n > 0 ? n : 0] = '\0';
        for (char *at = text; what != NULL && (at = strstr(at, what)) != NULL; at++)
            found++;
        if (what == NULL) /* sanitizers may have said something */
            return strstr(text, "fever: ") == NULL;
        if (found >= times)
            return found == times;
        if (rt_now() > end)
            return false;
    }
}

/* The one worker has nothing to do: it has looked, and sleeps. */
static bool is_idle(void)
{
    for (double end = rt_now() + RT_LONG; rt_now() < end; rt_nap())
        if (fv_load_acquire_32(&fv_proc(1)->wait_reason) == FV_WAIT_IDLE && fv_load_acquire_32(&fv_proc(1)->parked))
            return true;
    return false;
}
static struct state state_now(void)
{
    struct state s;

    memset(&s, 0, sizeof s);
    if (!is_idle() || fever_take(state_remote(), &s) != 0)
        s.pid = -1;
    return s;
}

/* In a child, whose standard error is err. */
static void leave_behind(size_t i, int err)
{
    int how = left[i].how, rc;

    alarm(60);
    dup2(err, 2);
    if ((rc = fever_init(FEVER_OPTIONS(.workers = 1, .max_spares = 1, .store_bytes = 8 << 20))) != 0)
        _exit(100);
    struct state a = state_now(), b;
    for (int k = 0; k < 2; k++) {
        if (take(leaves_remote(how)) != 1)
            _exit(101);
        is_idle();
        if (left[i].is_replaced) /* the worker that slept in between is another */
            for (double end = rt_now() + RT_LONG; fv_proc(1)->pid == (uint32_t)a.pid && rt_now() < end;)
                rt_nap();
        b = state_now();
        if ((b.pid != a.pid) != left[i].is_replaced || b.pid <= 0)
            _exit(102);
        int n_open = a.n_open + (left[i].keeps_descriptor ? k + 1 : 0);
        if (a.mask != b.mask || a.n_cpus != b.n_cpus || b.n_blocked != a.n_blocked || b.has_alarm || b.has_env || b.has_path != a.has_path)
            _exit(103);
        if (b.pdeath != SIGKILL || !b.out_ok || b.n_open != n_open || b.has_handler != a.has_handler || b.n_timers != 0)
            _exit(104);
        if (strcmp(a.directory, b.directory) != 0 || a.cpu_seconds != b.cpu_seconds)
            _exit(105);
        if (!comes(err, left[i].said, 1)) /* once, also the second time */
            _exit(106);
        a.pid = b.pid;
    }
    if (left[i].said != NULL && !comes(err, "task leaves, the last that worker 0 (pid ", 1))
        _exit(107);
    struct fever_stats s = rt_stats();
    if (s.tasks_failed != 0 || s.worker_deaths != 0 || fever_validate(NULL) != 0)
        _exit(108);
    _exit(fever_shutdown() == 0 ? 0 : 109);
}

static void test_left(void)
{
    for (size_t i = 0; i < FV_COUNT_OF(left); i++) {
        int   err = memfd_create("err", 0), status = -1;
        char  text[2000];
        pid_t pid;

        fflush(stdout);
        if ((pid = fork()) == 0)
            leave_behind(i, err);
        waitpid(pid, &status, 0);
        ssize_t n = pread(err, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = '\0';
        for (char *c = text; *c != '\0'; c++)
            if (*c == '\n')
                *c = ' ';
        if (!TAP_OK(status == 0, "left behind: %s", left[i].what))
            tap_diag("it ended with %d, and had said: %s", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), text);
        else if (n > 0)
            tap_diag("%s", text);
        close(err);
    }
    if (page->child > 0) { /* gone with the runtime */
        for (double end = rt_now() + RT_LONG; kill(page->child, 0) == 0 && rt_now() < end;)
            rt_nap();
        TAP_OK(kill(page->child, 0) < 0, "a child that was left runs until the runtime ends, and no longer");
    }
}

int main(void)
{
    rt_begin(250);
    page = rt_shared(sizeof *page);
    test_ends();
    test_odd();
    test_group();
    test_left();
    return tap_done();
}
