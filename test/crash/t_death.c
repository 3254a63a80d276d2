/* t_death.c: the driver dies, the supervisor dies: who goes along, how soon, and what is left.
 *
 * A driver is a child of this test.  It tells its supervisor's process group, comes to a moment, and is killed there, or
 * kills its supervisor.  Afterwards no process of the runtime may be left after 100 ms (four times that is
 * allowed, and some tries, for machines that are busy), no name in /dev/shm, no abstract socket.
 */
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "test/rt.h"

#ifdef __SANITIZE_ADDRESS__ /* the kernel takes apart terabytes of shadow memory before it closes descriptors */
#define LIMIT_S 5.0
#else
#define LIMIT_S 0.4
#endif
#define TRIES 20

FEVER_TASK(long, forever, (long, x)) {
    for (;;)
        usleep((unsigned)x);
    return 0;
}
FEVER_TASK(long, busy, (long, x)) {
    for (volatile long i = x;; i++)
        ;
    return 0;
}
FEVER_TASK(long, twice, (long, x)) { return 2 * x; }
FEVER_TASK(long, waits, (fever_ref, r)) {
    long v = 0;
    fever_get(r, &v);
    return v;
}
FEVER_TASK(long, blocked, (long, x)) {
    fever_ref r = forever_remote(x);
    long      v = 0;
    fever_get(r, &v);
    return v;
}
FEVER_TASK(long, forks, (long, x)) { /* a child of task code outlives its parent */
    if (fork() == 0)
        for (;;)
            pause();
    return x;
}

FEVER_TASK(long, breeds, (long, x)) { /* its child goes on in its own child, and so on */
    if (fork() == 0)
        for (;;)
            if (fork() != 0)
                _exit(0);
    return x;
}
FEVER_TASK(long, babbles, (long, x)) { /* nobody reads it */
    for (;; x++)
        printf("%ld\n", x);
    return 0;
}

static struct told {
    _Atomic pid_t supervisor; /* and its group */
    atomic_int    at;         /* the moment is reached */
    atomic_int    rc;
    _Atomic long  took_us;
} *told;

/* ------------------------------------------------------------------------------------------------ moments */

static void reach(void) {
    atomic_store(&told->at, 1);
    for (;;)
        pause();
}
static void start(void) {
    if (fever_init(FEVER_OPTIONS(.workers = 4, .store_bytes = 16 << 20, .task_slots = 1024, .quiet = 1)) != 0)
        _exit(1);
    atomic_store(&told->supervisor, fv_rt.supervisor_pid);
}
static void in_idle(void) {
    start();
    reach();
}
static void in_sleeping_tasks(void) {
    start();
    for (int i = 0; i < 8; i++)
        forever_remote(1000);
    usleep(20000);
    reach();
}
static void in_busy_tasks(void) {
    start();
    for (int i = 0; i < 8; i++)
        busy_remote(1);
    usleep(20000);
    reach();
}
static void in_flood(void) {
    start();
    atomic_store(&told->at, 1);
    for (;;) {
        long v;
        fever_take(twice_remote(1), &v);
    }
}
static void in_get(void) {
    start();
    fever_ref r = forever_remote(1000);
    long      v;
    atomic_store(&told->at, 1);
    fever_get(r, &v);
}
static void with_spares(void) {
    start();
    for (int i = 0; i < 8; i++)
        blocked_remote(1000);
    usleep(50000);
    reach();
}
static void with_grandchildren(void) {
    start();
    long v;
    for (int i = 0; i < 4; i++)
        fever_take(forks_remote(1), &v);
    reach();
}
static int unread[2]; /* a pipe whose read end is ours */
static void in_the_worst_case(void) { /* nobody reads what is printed, and processes are born all the time */
    long v;
    dup2(unread[1], 1);
    start();
    babbles_remote(1);
    for (int i = 0; i < 24; i++)
        fever_take(breeds_remote(1), &v);
    usleep(50000);
    reach();
}
static void in_shutdown(void) {
    start();
    for (int i = 0; i < 8; i++)
        busy_remote(1);
    atomic_store(&told->at, 1);
    fever_shutdown();
    reach();
}
static void after_worker_death(void) {
    start();
    fever_ref r = busy_remote(1);
    (void)r;
    usleep(10000);
    for (uint32_t s = 1; s <= 4; s++)
        kill((pid_t)fv_proc(s)->pid, SIGKILL);
    reach();
}
static void in_init(void) { /* killed at some time during init, see main */
    atomic_store(&told->at, 1);
    start();
    reach();
}

/* ------------------------------------------------------------------------------------------------ what is left */

/* abstract sockets of the runtime of that driver */
static int n_sockets(pid_t driver) {
    char  line[512], want[32];
    int   n = 0;
    FILE *f = fopen("/proc/net/unix", "r");
    snprintf(want, sizeof want, "@fever/%u/%d/", (unsigned)geteuid(), (int)driver);
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        n += strstr(line, want) != NULL;
    if (f != NULL)
        fclose(f);
    return n;
}

/* Processes of ours that are left, by the environment that they inherited; the test itself aside. */
static int n_alive(pid_t not_this) {
    int  n = 0;
    DIR *d = opendir("/proc");
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char  path[300], text[8192], state = 'Z';
        pid_t pid = (pid_t)atoi(e->d_name);
        if (pid <= 0 || pid == getpid() || pid == not_this)
            continue;
        snprintf(path, sizeof path, "/proc/%s/environ", e->d_name);
        FILE  *f = fopen(path, "r");
        size_t got = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);
        if (f != NULL)
            fclose(f);
        char mark[64];
        snprintf(mark, sizeof mark, "FEVER_T_DEATH=%s", getenv("FEVER_T_DEATH"));
        if (memmem(text, got, mark, strlen(mark) + 1) == NULL)
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        f = fopen(path, "r");
        if (f != NULL) {
            if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
                state = 'Z';
            fclose(f);
        }
        n += state != 'Z' && state != 'X';
    }
    if (d != NULL)
        closedir(d);
    return n;
}

/* The kernel gives the name of a socket back a little after its last descriptor. */
static bool no_name_left(pid_t driver) {
    for (double begin = rt_now(); rt_names(driver) != 0 || n_sockets(driver) != 0; usleep(1000))
        if (rt_now() - begin > RT_LONG)
            return false;
    return true;
}

/* Looks until nobody is left: after how many seconds?  LEFT_OUT: who still is after RT_LONG. */
static double gone_after(pid_t not_this, int *left_out) {
    double begin = rt_now();
    while ((*left_out = n_alive(not_this)) != 0 && rt_now() - begin < RT_LONG)
        usleep(1000);
    return rt_now() - begin;
}

static pid_t start_driver(void (*moment)(void)) {
    memset(told, 0, sizeof *told);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        moment();
        _exit(0);
    }
    return pid;
}

/* Kills a driver at that moment, TIMES or until all are gone in LIMIT: none may be left in any case; the time is the best, as
 * the machine may be busy. */
static void driver_dies(const char *what, void (*moment)(void), int times, double limit) {
    double best = 1e9;
    int    left = 0, missed = 0;
    bool   names = false;
    for (int i = 0; left == 0 && !names && missed == 0 && (i < times || (best >= limit && i < times + TRIES)); i++) {
        pid_t pid = start_driver(moment);
        missed = !rt_until(&told->at, 1);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        double took = gone_after(0, &left);
        best = FV_MIN(best, took);
        names = !no_name_left(pid);
    }
    TAP_OK(missed == 0 && left == 0 && best < limit, "%s: all are gone after %.0f ms", what, best * 1e3);
    TAP_OK(!names, "%s: no name is left", what);
}

static void driver_dies_in_init(void) {
    int n = getenv("FEVER_TEST_LONG") != NULL ? 300 : 24;
    int late = 0, left = 0;
    for (int i = 0; i < n; i++) {
        pid_t pid = start_driver(in_init);
        rt_until(&told->at, 1);
        usleep((unsigned)(i * 13000 / n));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        /* A supervisor that is just being forked can be in none of the places where one look looks: nothing is left when
         * several looks in a row find nothing. */
        double begin = rt_now(), end = begin;
        for (int clean = 0; clean < 3 && end - begin < RT_LONG; usleep(1000)) {
            bool any = n_alive(0) != 0 || n_sockets(pid) != 0;
            clean = any ? 0 : clean + 1;
            if (clean <= 1)
                end = rt_now(); /* the last look that found something, or the first that did not */
        }
        late += end - begin > LIMIT_S;
        left += n_alive(0) != 0 || n_sockets(pid) != 0;
    }
    TAP_OK(late < n / 2 && left == 0, "driver killed at %d moments of init: few are late (%d), nothing is left (%d)", n, late, left);
    driver_dies("the init after that", in_idle, 1, LIMIT_S); /* a name can stay between shm_open and shm_unlink: it removes it */
}

/* ------------------------------------------------------------------------------------------------ death of the supervisor */

static void note(int rc, double begin) {
    atomic_store(&told->rc, rc);
    atomic_store(&told->took_us, (long)((rt_now() - begin) * 1e6));
}
static void *assassin(void *arg) {
    double *at = arg;
    usleep(30000);
    *at = rt_now();
    kill(fv_rt.supervisor_pid, SIGKILL);
    return NULL;
}
static void supervisor_dies_in_get(void) {
    start();
    double    at = 0;
    pthread_t t;
    long      v;
    fever_ref r = forever_remote(1000);
    pthread_create(&t, NULL, assassin, &at);
    int rc = fever_get(r, &v);
    pthread_join(t, NULL);
    note(rc, at);
    fever_shutdown();
    atomic_store(&told->at, 1);
    pause();
}
static void supervisor_dies_in_wait(void) {
    start();
    double    at = 0;
    pthread_t t;
    fever_ref r[2] = {forever_remote(1000), busy_remote(1)};
    bool      ready[2];
    pthread_create(&t, NULL, assassin, &at);
    int rc = fever_wait(r, 2, 1, FEVER_FOREVER, ready);
    pthread_join(t, NULL);
    note(rc, at);
    fever_shutdown();
    atomic_store(&told->at, 1);
    pause();
}
static void supervisor_dies_in_group(void) {
    start();
    double              at = 0;
    pthread_t           t;
    struct fever_group *g = NULL;
    fever_group_open(&g);
    forever_group(g, 1000);
    pthread_create(&t, NULL, assassin, &at);
    int64_t rc = fever_group_wait(g, FEVER_FOREVER);
    pthread_join(t, NULL);
    note((int)rc, at);
    fever_shutdown();
    fever_group_close(g);
    atomic_store(&told->at, 1);
    pause();
}
static void supervisor_dies_in_flood(void) { /* more than there are slots */
    start();
    double    at = 0;
    int       rc = 0;
    pthread_t t;
    pthread_create(&t, NULL, assassin, &at);
    for (long i = 0; rc == 0 && i < 100000000; i++) {
        fever_ref r = forever_remote(1000);
        rc = r.id >> 60 == 0xF ? 0 : -(int)(r.id & 0xFFFF);
    }
    pthread_join(t, NULL);
    note(rc, at);
    fever_shutdown();
    atomic_store(&told->at, 1);
    pause();
}
static void init_after_that(void) {
    start();
    kill(fv_rt.supervisor_pid, SIGKILL);
    fever_shutdown();
    start();
    long v = 0;
    int  rc = fever_take(twice_remote(21), &v);
    note(rc == 0 && v == 42 ? -FEVER_ERUNTIME : rc, rt_now());
    fever_shutdown();
    atomic_store(&told->at, 1);
    pause();
}

static void supervisor_dies(const char *what, void (*moment)(void)) {
    long best_us = LONG_MAX;
    int  rc = -FEVER_ERUNTIME, left = 0;
    bool goes_on = true, names = false;
    for (int i = 0; goes_on && rc == -FEVER_ERUNTIME && left == 0 && !names && best_us >= LIMIT_S * 1e6 && i < TRIES; i++) {
        pid_t pid = start_driver(moment);
        goes_on = rt_until(&told->at, 1);
        rc = told->rc;
        best_us = FV_MIN(best_us, (long)told->took_us);
        gone_after(pid, &left);
        names = !no_name_left(pid);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    TAP_OK(goes_on, "%s: the driver goes on", what);
    TAP_OK(rc == -FEVER_ERUNTIME && best_us < LIMIT_S * 1e6, "%s: rc %d (%s) after %ld ms", what, rc, fever_strerrorname(rc), best_us / 1000);
    TAP_OK(left == 0 && !names, "%s: workers are gone, no name is left", what);
}

int main(int argc, char **argv) {
    (void)argc;
    if (getenv("FEVER_T_DEATH") == NULL) { /* so that /proc tells ours by their environment */
        char mark[32];
        snprintf(mark, sizeof mark, "%d", (int)getpid());
        setenv("FEVER_T_DEATH", mark, 1);
        execv("/proc/self/exe", argv);
    }
    rt_begin(250);
    told = rt_shared(sizeof *told);
    driver_dies("driver idle", in_idle, 1, LIMIT_S);
    driver_dies("driver idle, tasks sleep", in_sleeping_tasks, 1, LIMIT_S);
    driver_dies("driver idle, tasks compute", in_busy_tasks, 1, LIMIT_S);
    driver_dies("driver submits", in_flood, 1, LIMIT_S);
    driver_dies("driver waits", in_get, 1, LIMIT_S);
    driver_dies("spares are out", with_spares, 1, LIMIT_S);
    driver_dies("task code has forked", with_grandchildren, 1, LIMIT_S);
    driver_dies("driver shuts down", in_shutdown, 1, LIMIT_S);
    driver_dies("workers have just died", after_worker_death, 1, LIMIT_S);
    if (pipe(unread) < 0)
        tap_bail("no pipe");
    driver_dies("output unread, and processes that go on by forking", in_the_worst_case, 5, LIMIT_S);
    close(unread[0]);
    close(unread[1]);
    driver_dies_in_init();
    supervisor_dies("supervisor dies, driver in get", supervisor_dies_in_get);
    supervisor_dies("supervisor dies, driver in wait", supervisor_dies_in_wait);
    supervisor_dies("supervisor dies, driver in group_wait", supervisor_dies_in_group);
    supervisor_dies("supervisor dies, driver waits for a slot", supervisor_dies_in_flood);
    supervisor_dies("init again after that", init_after_that);
    return tap_done();
}
