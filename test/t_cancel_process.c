/* t_cancel_process.c: cancel and other processes and threads than the body's own: children of an earlier attempt, threads of a body,
 * what a body has forked.
 *
 * Run by:          make check.
 */
#include <pthread.h>
#include <sys/resource.h>

#include "rt.h"

#define ROOM 16
static struct page {
    atomic_int began[ROOM], ended[ROOM], go[ROOM], rc[ROOM];
} *page;

static int enter(int i) { return atomic_fetch_add(&page->began[i], 1) + 1; }
static int leave(int i, int v)
{
    atomic_fetch_add(&page->ended[i], 1);
    return v;
}
static void takes_too_much(void)
{
    struct rlimit limit;
    char         *p;

    getrlimit(RLIMIT_DATA, &limit); /* else mmap refuses: this is about who gets it all the same */
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_DATA, &limit);
    p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED)
        memset(p, 1, 64 << 20);
}

/* ------------------------------------------------------------------------------------------------ tasks */

FEVER_TASK(int, polls, (int, i)) /* ends when it is told, or by itself when the gate opens */
{
    enter(i);
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    return leave(i, 3 * i);
}
static void *polls_beside(void *arg)
{
    int i = *(int *)arg;

    atomic_store(&page->rc[i], fever_cancelled() ? 2 : 1);
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    atomic_store(&page->rc[i], 3 + fever_cancelled());
    return NULL;
}
static void *forks_beside(void *arg)
{
    int   status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(fever_cancelled() ? 1 : 0);
    waitpid(pid, &status, 0);
    *(int *)arg = status;
    return NULL;
}
FEVER_TASK(int, polls_in_thread, (int, i), (int, asks)) /* the thread that it made is told, too */
{
    pthread_t t;
    int       status = -1;

    enter(i);
    pthread_create(&t, NULL, forks_beside, &status);
    pthread_join(t, NULL);
    pthread_create(&t, NULL, polls_beside, &i);
    pthread_join(t, NULL);
    if (asks)
        fever_cancelled();
    return leave(i, status);
}
FEVER_TASK(int, leaves_processes, (int, i), (int, greedy)) /* a child, and a child's child whose parent is gone */
{
    int pipes[2], pid = 0;

    if (pipe(pipes) < 0)
        return -1;
    for (int k = 0; k < 2; k++)
        if (fork() == 0) {
            if (k == 1 && fork() != 0)
                _exit(0);
            pid = getpid();
            if (write(pipes[1], &pid, sizeof pid) == sizeof pid)
                for (;;)
                    pause();
            _exit(1);
        }
    for (int k = 0; k < 2; k++)
        if (read(pipes[0], &pid, sizeof pid) == sizeof pid)
            atomic_store(&page->rc[i + k], pid);
    enter(i);
    if (greedy)
        takes_too_much();
    for (;;)
        pause();
}
FEVER_TASK(int, begins_anew, (int, i)) /* its first attempt leaves a child, which runs on */
{
    if (enter(i) == 1) {
        polls_remote(i + 1);
        rt_until(&page->began[i + 1], 1);
        raise(SIGKILL);
    }
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    return leave(i, 0);
}

/* ------------------------------------------------------------------------------------------------ tests */

static void test_other_attempt(void)
{
    rt_init(.workers = 3, .store_bytes = 16 << 20);
    fever_ref r = begins_anew_remote(0);
    int       v;
    TAP_OK(rt_until(&page->began[0], 2), "a second attempt runs");
    TAP_IS(atomic_load(&page->ended[1]), 0, "a child of the first does, too");
    TAP_IS(fever_cancel(r, 0), 1, "it is cancelled");
    TAP_OK(rt_until(&page->ended[1], 1), "so is the child of the first");
    TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ECANCELED, "it ends as cancelled");
    fever_release(r);
    rt_shutdown();
    memset((void *)page, 0, sizeof *page);
}

static void test_in_threads(void)
{
    rt_init(.workers = 2, .store_bytes = 16 << 20);
    for (int asks = 0; asks < 2; asks++) {
        int       v = -1;
        fever_ref r = polls_in_thread_remote(asks, asks);
        TAP_OK(rt_until(&page->rc[asks], 1), "a thread of a body asks");
        TAP_IS(atomic_load(&page->rc[asks]), 1, "it is not cancelled");
        TAP_IS(fever_cancel(r, 0), 1, "it is cancelled");
        TAP_OK(rt_until(&page->rc[asks], 4), "the thread is told");
        if (asks)
            TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ECANCELED, "so is the body, which ends as cancelled");
        else
            TAP_OK(fever_get_for(r, &v, RT_LONG) == 0 && v == 0, "a body that has not asked itself has its result; its child was no task");
        fever_release(r);
    }
    rt_shutdown();
}

/* Who is killed by the runtime takes with him what his tasks have forked. */
static void test_forked(void)
{
    static const int cause[] = {-FEVER_ECANCELED, -FEVER_ETASKTIMEOUT, -FEVER_EMEMORY};
    int              v;

    memset((void *)page, 0, sizeof *page);
    rt_init(.workers = 1);
    for (int how = 0; how < 3; how++) { /* by force, out of time, out of memory */
        int       i = 4 * how, gone = 0;
        fever_ref r = leaves_processes_with(how == 0   ? NULL
                                            : how == 1 ? FEVER_WITH(.timeout_s = 3)
                                                       : FEVER_WITH(.memory_bytes = 8 << 20), i, how == 2);
        TAP_OK(rt_until(&page->began[i], 1), "a task has forked two processes");
        for (int k = 0; k < 2; k++)
            gone += page->rc[i + k] <= 0;
        TAP_IS(gone, 0, "both are there");
        if (how == 0)
            TAP_IS(fever_cancel(r, FEVER_CANCEL_FORCE), 1, "it is cancelled by force");
        TAP_IS(fever_get_for(r, &v, RT_LONG), cause[how], "it has ended");
        for (double end = rt_now() + RT_LONG; gone < 2 && rt_now() < end; rt_nap()) {
            gone = 0;
            for (int k = 0; k < 2; k++)
                gone += page->rc[i + k] > 0 && kill(page->rc[i + k], 0) < 0;
        }
        TAP_IS(gone, 2, "and so have they");
        fever_release(r);
    }
    rt_shutdown();
}

int main(void)
{
    rt_begin(120);
    page = rt_shared(sizeof *page);
    test_other_attempt();
    test_in_threads();
    test_forked();
    return tap_done();
}
