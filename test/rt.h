/* rt.h: what tests of the whole runtime share: the end that each of them must come to, and small tools.
 *
 * Run by:          tests that call fever_init().
 *
 *     int main(void)
 *     {
 *         rt_begin(60);                   (killed after so many seconds: nothing hangs)
 *         rt_init(.workers = 2);
 *         ...
 *         rt_shutdown();
 *         return tap_done();
 *     }
 */
#ifndef RT_H
#define RT_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/task.h"
#include "fever.h"
#include "run/runtime.h"
#include "tap.h"

#define RT_UNUSED __attribute__((unused))
#define RT_LONG   15.0 /* seconds that nothing takes unless it is broken, on a busy machine too */

RT_UNUSED static double rt_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Memory that driver and tasks write both: mapped before fever_init(). */
RT_UNUSED static void *rt_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        tap_bail("no shared memory");
    return p;
}

RT_UNUSED static void rt_begin(unsigned seconds)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    setenv("FEVER_STORE_WARM", "0", 0); /* these tests start many runtimes, and measure none */
    alarm(seconds);
}

RT_UNUSED static void rt_nap(void)
{
    struct timespec t = {0, 1000000};

    nanosleep(&t, NULL);
}

/* Waits until *p is at least want: for what another process does. */
RT_UNUSED static bool rt_until(atomic_int *p, int want)
{
    for (double end = rt_now() + RT_LONG; atomic_load(p) < want;) {
        if (rt_now() > end)
            return false;
        rt_nap();
    }
    return true;
}

/* Names of segments in /dev/shm that a driver left. */
RT_UNUSED static int rt_names(pid_t driver)
{
    char want[32];
    DIR *d = opendir("/dev/shm");
    int  n = 0, len = snprintf(want, sizeof want, "fever-%d-", (int)driver);

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += strncmp(e->d_name, want, (size_t)len) == 0;
    if (d != NULL)
        closedir(d);
    return n;
}

/* Number of processes (zombies aside) of a runtime: supervisor, workers and what these forked are in the supervisor's session. */
RT_UNUSED static int rt_in_group(pid_t group)
{
    DIR *d = opendir("/proc");
    int  n = 0;

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[300], line[512], state, *end;
        int  ppid, pgrp, session;
        FILE *f;

        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        if ((f = fopen(path, "r")) == NULL)
            continue;
        if (fgets(line, sizeof line, f) != NULL && (end = strrchr(line, ')')) != NULL &&
            sscanf(end + 1, " %c %d %d %d", &state, &ppid, &pgrp, &session) == 4 && session == group && state != 'Z' && state != 'X')
            n++;
        fclose(f);
    }
    if (d != NULL)
        closedir(d);
    return n;
}

/* Says who they are. */
RT_UNUSED static void rt_show_group(pid_t group)
{
    char command[128];

    fflush(stdout);
    snprintf(command, sizeof command, "ps -o pid,ppid,sid,stat,wchan,comm -A | awk '$3 == %d' | sed 's/^/# left: /'", (int)group);
    if (system(command) != 0)
        tap_diag("no ps");
}

/* Waits up to so many seconds until no process of the group is left; how many are. */
RT_UNUSED static int rt_group_ends(pid_t group, double seconds)
{
    double end = rt_now() + seconds;
    int    n;

    while ((n = rt_in_group(group)) != 0 && rt_now() < end)
        rt_nap();
    return n;
}

#define rt_init(...) TAP_IS(fever_init(FEVER_OPTIONS(.quiet = 1, ##__VA_ARGS__)), 0, "%s", "fever_init(" #__VA_ARGS__ ")")

/* The books are right at rest.  Completion is seen a moment before the last worker is done with it: looks again. */
RT_UNUSED static int rt_validate(void)
{
    double end = rt_now() + RT_LONG;
    int    bad;

    while ((bad = fever_validate(NULL)) != 0 && rt_now() < end)
        rt_nap();
    return bad == 0 ? 0 : fever_validate(stdout);
}

RT_UNUSED static struct fever_stats rt_stats(void)
{
    struct fever_stats s = {.struct_bytes = sizeof s};

    fever_stats(&s);
    return s;
}

/* Everything that was submitted is accounted for, and so many slots are in use. */
RT_UNUSED static void rt_balanced(uint64_t live)
{
    struct fever_stats s;
    double end = rt_now() + RT_LONG;

    do {
        s = rt_stats();
        if (s.tasks_submitted == s.tasks_done + s.tasks_failed + s.tasks_dropped && s.objects_live == live)
            break;
        rt_nap();
        fever_validate(NULL); /* collects what has ended */
    } while (rt_now() < end);
    TAP_IS(s.tasks_submitted, s.tasks_done + s.tasks_failed + s.tasks_dropped, "submitted = done + failed + dropped");
    if (!TAP_IS(s.objects_live, live, "%llu slots are in use", (unsigned long long)live))
        fv_validate(stdout, live == 0); /* says which */
}

/* fever_shutdown() is 0, quick, and nothing is left. */
RT_UNUSED static void rt_shutdown(void)
{
    pid_t  group = fv_rt.supervisor_pid;
    bool   is_inline = fv_rt.options.inline_tasks;
    double begin = rt_now();

    TAP_IS(fever_shutdown(), 0, "fever_shutdown");
    TAP_OK(rt_now() - begin < RT_LONG, "it is quick");
    if (!is_inline)
        if (!TAP_IS(rt_group_ends(group, RT_LONG), 0, "no process of the runtime is left"))
            rt_show_group(group);
}

/* The error of a ref, its code compared. */
RT_UNUSED static struct fever_error rt_error(fever_ref ref)
{
    struct fever_error e;

    memset(&e, 0x55, sizeof e);
    TAP_IS(fever_error(ref, &e), 0, "fever_error");
    return e;
}

#endif
