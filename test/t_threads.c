/* t_threads.c: several threads of the driver at once, threads that come and go.
 *
 * Run by:          make check.
 */
#include <pthread.h>

#include "rt.h"

#ifdef __SANITIZE_ADDRESS__
enum { PER_THREAD = 4000 };
#else
enum { PER_THREAD = 20000 };
#endif
enum { THREADS = 8, GENERATIONS = 300 };

FEVER_TASK(int, add, (int, a), (int, b)) { return a + b; }
FEVER_TASK(int, add_ref, (fever_ref, r), (int, b)) { int v = 0; fever_get(r, &v); return v + b; }
FEVER_TASK_VOID(nothing) { }

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, 2 * RT_LONG);
    return rc < 0 ? rc : v;
}

/* submits in batches, takes in order, mixes in objects, groups, chains */
static void *busy(void *arg)
{
    long me = (long)(intptr_t)arg, bad = 0;
    enum { BATCH = 100 };
    fever_ref r[BATCH];
    for (int at = 0; at < PER_THREAD; at += BATCH) {
        for (int i = 0; i < BATCH; i++)
            r[i] = add_remote((int)me * 1000000, at + i);
        for (int i = 0; i < BATCH; i++)
            bad += take(r[i]) != (int)me * 1000000 + at + i;
        int v = at, chained;
        fever_ref p, q;
        bad += fever_put(&v, sizeof v, &p) != 0;
        q = add_ref_remote(p, 1);
        bad += fever_release(p) != 0;
        chained = take(q);
        bad += chained != at + 1;
    }
    struct fever_group *g;
    bad += fever_group_open(&g) != 0;
    for (int i = 0; i < PER_THREAD / 4; i++)
        bad += nothing_group(g) != 0;
    bad += fever_group_wait(g, 4 * RT_LONG) != 0;
    bad += fever_group_close(g) != 0;
    return (void *)(intptr_t)bad;
}

static void *brief(void *arg)
{
    int k = (int)(intptr_t)arg;
    return (void *)(intptr_t)(take(add_remote(k, 1)) != k + 1);
}

/* one thread submits, another takes */
static fever_ref handed[1000];
static pthread_barrier_t barrier;
static void *submits(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++)
        handed[i] = add_remote(i, i);
    pthread_barrier_wait(&barrier);
    return NULL; /* ends while its tasks run */
}
static void *takes(void *arg)
{
    long bad = 0;
    (void)arg;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 1000; i++)
        bad += take(handed[i]) != 2 * i;
    return (void *)(intptr_t)bad;
}

/* several wait for the same promise */
static fever_ref promise;
static atomic_int waiting;
static void *waits(void *arg)
{
    int v = 0;
    (void)arg;
    atomic_fetch_add(&waiting, 1);
    return (void *)(intptr_t)(fever_get_for(promise, &v, RT_LONG) != 0 || v != 99);
}
/* several set the same one: one wins */
static void *sets(void *arg)
{
    int v = (int)(intptr_t)arg;
    int rc = fever_promise_set(promise, &v, sizeof v);
    return (void *)(intptr_t)(rc == 0 ? 1 : rc == -FEVER_ESTATE ? 0 : 1000);
}

static struct fever_group *others;
static void *uses_others_group(void *arg)
{
    (void)arg;
    uint64_t n;
    return (void *)(intptr_t)(nothing_group(others) != -FEVER_ECONTEXT || fever_group_wait(others, 0) != -FEVER_ECONTEXT ||
                              fever_group_progress(others, &n, &n) != -FEVER_ECONTEXT || fever_group_close(others) != -FEVER_ECONTEXT);
}

static struct fever_group *left_open[16];
static atomic_int n_left_open;
static void *leaves_group_open(void *arg)
{
    struct fever_group *g = NULL;
    (void)arg;
    long bad = fever_group_open(&g) != 0;
    for (int i = 0; i < 100; i++)
        bad += nothing_group(g) != 0;
    left_open[atomic_fetch_add(&n_left_open, 1)] = g;
    return (void *)(intptr_t)bad;
}

static atomic_int all_in;
static pthread_barrier_t hold;
static void *stays(void *arg)
{
    (void)arg;
    fever_ref r = add_remote(1, 2);
    int v, rc = fever_get_for(r, &v, 2 * RT_LONG);
    pthread_barrier_wait(&hold);
    return (void *)(intptr_t)rc;
}

static long run(int n, void *(*body)(void *))
{
    pthread_t t[64];
    long bad = 0;
    for (int i = 0; i < n; i++)
        if (pthread_create(&t[i], NULL, body, (void *)(intptr_t)(i + 1)) != 0)
            tap_bail("no threads");
    for (int i = 0; i < n; i++) {
        void *b = NULL;
        pthread_join(t[i], &b);
        bad += (long)(intptr_t)b;
    }
    return bad;
}

int main(void)
{
    rt_begin(100);
    rt_init(.workers = 2);
    TAP_IS(run(THREADS, busy), 0, "%d threads, %d tasks each, objects, chains, groups", THREADS, PER_THREAD);
    long bad = 0;
    for (int g = 0; g < GENERATIONS; g++)
        bad += run(2, brief);
    TAP_IS(bad, 0, "%d generations of threads", GENERATIONS);
    pthread_barrier_init(&barrier, NULL, 2);
    bad = 0;
    for (int k = 0; k < 20; k++) {
        pthread_t a, b;
        void *rc;
        pthread_create(&a, NULL, submits, NULL);
        pthread_create(&b, NULL, takes, NULL);
        pthread_join(a, &rc);
        pthread_join(b, &rc);
        bad += (long)(intptr_t)rc;
    }
    TAP_IS(bad, 0, "one thread submits and ends, another takes");
    pthread_t t[8];
    fever_promise(&promise);
    for (int i = 0; i < 8; i++)
        pthread_create(&t[i], NULL, waits, NULL);
    rt_until(&waiting, 8);
    int v = 99;
    TAP_IS(fever_promise_set(promise, &v, sizeof v), 0, "8 threads wait for a promise");
    bad = 0;
    for (int i = 0; i < 8; i++) {
        void *rc;
        pthread_join(t[i], &rc);
        bad += (long)(intptr_t)rc;
    }
    TAP_IS(bad, 0, "all get it");
    fever_release(promise);
    bad = 0;
    for (int k = 0; k < 50; k++) {
        fever_promise(&promise);
        bad += run(4, sets) != 1;
        bad += fever_get_for(promise, &v, 0) != 0 || v < 1 || v > 4;
        fever_release(promise);
    }
    TAP_IS(bad, 0, "of 4 threads that set a promise one wins");
    fever_group_open(&others);
    TAP_IS(run(1, uses_others_group), 0, "another thread's group");
    TAP_IS(fever_group_close(others), 0, "is its owner's to close");
    TAP_IS(run(4, leaves_group_open), 0, "threads that end with an open group");
    TAP_IS(run(8, leaves_group_open), 0, "and others after them");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    bad = 0;
    for (int i = 0; i < n_left_open; i++)
        bad += fever_group_close(left_open[i]) != -FEVER_ENOTINIT;
    TAP_IS(bad, 0, "groups of a runtime that has ended");

    /* more threads than process slots */
    rt_init(.workers = 1, .max_spares = 1, .process_slots = 16);
    pthread_barrier_init(&hold, NULL, 30);
    pthread_t many[30];
    int refused = 0, served = 0, other = 0;
    for (int i = 0; i < 30; i++)
        pthread_create(&many[i], NULL, stays, NULL);
    for (int i = 0; i < 30; i++) {
        void *rc;
        pthread_join(many[i], &rc);
        refused += (int)(intptr_t)rc == -FEVER_ENOTHREADS;
        served += (int)(intptr_t)rc == 0;
        other += (int)(intptr_t)rc != 0 && (int)(intptr_t)rc != -FEVER_ENOTHREADS;
    }
    TAP_OK(refused > 0 && served >= 10 && other == 0, "30 threads in 16 slots: %d served, %d refused, %d otherwise", served, refused, other);
    TAP_IS(take(add_remote(1, 2)), 3, "when they have ended there is room again");
    rt_shutdown();

    /* threads that outlive a runtime */
    (void)all_in;
    rt_init(.workers = 1);
    TAP_IS(run(3, brief), 0, "threads in the next runtime");
    rt_shutdown();
    TAP_IS(run(3, brief), 3, "and after it");
    return tap_done();
}
