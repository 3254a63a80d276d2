/* t_blocked.c: tasks that block: deep nests, wide barriers, how many processes that takes, and waits for many.
 *
 * Run by:          make check.  The formula that is shown here stands in doc/tour.md.
 */
#include <pthread.h>

#include "rt.h"

struct page {
    atomic_int at[16], most, n;
};
static struct page *page;

static int in_group(void) { return rt_in_group((pid_t)fv_map.seg->supervisor_pid); }

/* So many levels, each of which blocks in a get; the innermost counts the processes. */
FEVER_TASK(int, level, (int, n))
{
    int v = 0, rc = 0;

    if (n == 0)
        atomic_store(&page->most, in_group());
    else
        rc = fever_take(level_remote(n - 1), &v);
    if (rc != 0)
        fever_fail(rc, "%s", fever_strerrorname(rc));
    return v + 1;
}
FEVER_REENTRANT(int, inner, (int, n))
{
    int v = 0, rc = 0;

    if (n == 0)
        atomic_store(&page->most, in_group());
    else
        rc = fever_take(inner_remote(n - 1), &v);
    if (rc != 0)
        fever_fail(rc, "%s", fever_strerrorname(rc));
    return v + 1;
}
/* Does the innermost one that finds no spare get the exact code? */
FEVER_TASK(int, down, (int, n))
{
    int v = 0, rc = n == 30 ? 0 : fever_take(down_remote(n + 1), &v);

    if (rc == -FEVER_EDEPTH) {
        atomic_fetch_add(&page->n, 1);
        return n; /* how deep it came */
    }
    if (rc != 0)
        fever_fail(rc, "%s", fever_strerrorname(rc));
    return v;
}
FEVER_TASK(int, down_once, (int, n)) /* gives up at the first refusal, and so do all above it */
{
    int v = 0, rc = n == 0 ? 0 : fever_take(down_once_remote(n - 1), &v);

    if (rc != 0)
        fever_fail(rc, "%s", fever_strerrorname(rc));
    return v + 1;
}
FEVER_TASK(int, barrier, (int, i), (int, n)) /* n of these must be blocked at once */
{
    if (atomic_fetch_add(&page->at[i], 1) + 1 == n)
        atomic_store(&page->most, in_group());
    for (double end = rt_now() + RT_LONG; atomic_load(&page->at[i]) < n;) {
        fever_ref p;
        bool      ready;
        if (rt_now() > end) {
            fever_fail(1, "alone");
            break;
        }
        fever_promise(&p);
        fever_wait(&p, 1, 1, 0.002, &ready);
    }
    return 1;
}
FEVER_STREAM(int, produces, (int, n))
{
    int rc = 0;

    for (int i = 0; i < n && rc == 0; i++)
        rc = produces_yield(i);
    if (rc == -FEVER_EDEPTH)
        atomic_fetch_add(&page->n, 1);
}
FEVER_TASK(int, consumes, (fever_ref, stream))
{
    fever_ref item;
    int       n = 0;

    while (fever_stream_next(stream, &item, FEVER_FOREVER) == 0 && fever_release(item) == 0)
        n++;
    return n;
}
FEVER_TASK(int, sleeps, (int, ms))
{
    usleep((useconds_t)ms * 1000);
    return ms;
}
FEVER_TASK(int, fails, (int, ms))
{
    usleep((useconds_t)ms * 1000);
    fever_fail(77, "after %d ms", ms);
    return 0;
}
FEVER_TASK(int, dies, (int, ms))
{
    usleep((useconds_t)ms * 1000);
    raise(SIGKILL);
    return 0;
}
FEVER_TASK(int, holds, (int, i)) /* until the driver lets it go */
{
    for (double end = rt_now() + 4 * RT_LONG; !atomic_load(&page->at[i]) && rt_now() < end;)
        rt_nap();
    return i;
}
FEVER_TASK(int, gets_many, (int, i)) /* of one that is held, and one that fails */
{
    fever_ref r[3] = {holds_remote(i), sleeps_remote(1), fails_remote(20)};
    int       v[3], rc = fever_get_many(r, 3, v, 4 * RT_LONG), held = !atomic_load(&page->at[i]);

    atomic_store(&page->at[i], 1);
    return rc == -FEVER_EAPP && held;
}
FEVER_TASK(int, awaits, (int, i)) /* a task that the driver lets go */
{
    int v = -1;

    fever_take(holds_remote(i), &v);
    return v;
}

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, 6 * RT_LONG);

    return rc < 0 ? rc : v;
}

/* Supervisor and logger; the helper has nothing to do here. */
#define OTHERS 2

static void test_depth(void)
{
    rt_init(.workers = 1, .store_bytes = 8 << 20);
    TAP_IS(take(inner_remote(1000)), 1001, "1,000 nested blocking tasks on one worker, reentrant");
    TAP_OK(page->most <= 1 + OTHERS, "by one worker alone (%d processes)", page->most);
    TAP_IS(take(inner_remote(10000)), 10001, "reentrant recursion to depth 10,000");
    TAP_OK(page->most <= 1 + 64 + OTHERS, "by %d processes", page->most);
    for (int n = 1; n <= 64; n *= 2) {
        TAP_IS(take(level_remote(n)), n + 1, "%d nested blocking tasks, each in a process", n);
        TAP_OK(page->most <= 1 + n + OTHERS, "%d processes: worker + depth + supervisor + logger at most", page->most);
    }
    TAP_IS(take(level_remote(3)), 4, "3 again");
    TAP_IS(page->most, 1 + 64 + OTHERS, "spares stay: the deepest nest so far decides");
    TAP_IS(rt_stats().spares, 64, "64 spares");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();

    if (fever_init(FEVER_OPTIONS(.workers = 1, .max_spares = 1000, .store_bytes = 64 << 20, .task_slots = 1024, .quiet = 1)) == 0) {
        TAP_IS(take(level_remote(1000)), 1001, "1,000 nested blocking tasks, each in a process");
        TAP_IS(page->most, 1 + 1000 + OTHERS, "1,003 processes");
        TAP_IS(rt_validate(), 0, "the books are right");
        rt_shutdown();
    } else {
        tap_skip("no room for 1,000 processes");
    }
}

static void test_limit(void)
{
    rt_init(.workers = 1, .max_spares = 8, .store_bytes = 8 << 20);
    atomic_store(&page->n, 0);
    TAP_IS(take(down_remote(0)), 8, "recursion: 8 spares, and the level after the last is refused");
    TAP_OK(page->n >= 1, "-FEVER_EDEPTH is what it is told");
    rt_balanced(0); /* children of those that gave up run all the same */
    TAP_OK(rt_in_group(fv_rt.supervisor_pid) <= 1 + 8 + OTHERS, "no more processes than that");
    fever_ref r = down_once_remote(50);
    int       v;
    TAP_IS(fever_get_for(r, &v, 2 * RT_LONG), -FEVER_EAPP, "a chain that gives up");
    fever_release(r);
    rt_balanced(0);
    TAP_IS(take(level_remote(8)), 9, "depth 8 works after that");
    rt_shutdown();
}

/* A producer whose consumer finds no process. */
static void test_room(void)
{
    fever_ref s, c, item;
    int       v = -1, n = 0;

    rt_init(.workers = 1, .max_spares = -1, .store_bytes = 8 << 20);
    atomic_store(&page->n, 0);
    s = produces_with(FEVER_WITH(.stream_items = 2), 20);
    usleep(400000);
    TAP_IS(atomic_load(&page->n), 0, "no spare: a producer waits for a driver that does something else");
    while (fever_stream_next(s, &item, RT_LONG) == 0 && fever_release(item) == 0)
        n++;
    TAP_IS(n, 20, "and goes on when that takes the items");
    fever_release(s);
    s = produces_with(FEVER_WITH(.stream_items = 2), 20);
    c = consumes_remote(s);
    usleep(50000);
    TAP_IS(fever_get_for(c, &v, 0.3), -FEVER_ETIMEDOUT, "the driver waits for a while for who should take them");
    TAP_IS(atomic_load(&page->n), 0, "that is nothing to the producer");
    TAP_IS(fever_get(c, &v), 0, "the driver waits without end");
    TAP_IS(atomic_load(&page->n), 1, "then the producer is told -FEVER_EDEPTH");
    TAP_OK(v >= 3, "and the consumer has what there was: %d", v);
    fever_release(c);
    fever_release(s);
    rt_balanced(0);
    rt_shutdown();
}

FEVER_TASK(int, blocks_often, (int, n))
{
    int v, sum = 0;

    for (int i = 0; i < n; i++) {
        fever_take(sleeps_remote(i % 4 == 0), &v);
        sum++;
    }
    return sum;
}

static void test_barrier(void)
{
    fever_ref r[6];

    rt_init(.workers = 2, .store_bytes = 8 << 20);
    for (int k = 0; k < 3; k++) {
        int all = 0;
        for (int i = 0; i < 6; i++)
            r[i] = barrier_remote(k, 6);
        for (int i = 0; i < 6; i++)
            all += take(r[i]);
        TAP_IS(all, 6, "a barrier of 6 tasks on 2 workers");
        TAP_OK(page->most <= 2 + 6 + OTHERS, "%d processes: workers + blocked + 2 at most", page->most);
    }
    for (int i = 0; i < 6; i++)
        r[i] = blocks_often_remote(100);
    for (int i = 0; i < 6; i++)
        TAP_IS(take(r[i]), 100, "a task that blocks 100 times");
    TAP_OK(rt_in_group(fv_rt.supervisor_pid) <= 2 + 6 + OTHERS, "6 of these: still no more processes (%d)", rt_in_group(fv_rt.supervisor_pid));
    atomic_store(&page->at[8], 0);
    r[0] = awaits_remote(8);
    r[1] = awaits_remote(8);
    int cpu[2] = {-1, -1}, n = 0;
    for (double end = rt_now() + RT_LONG; n != 2 && rt_now() < end; rt_nap()) { /* until two stand in for the two that wait */
        n = 0;
        for (uint32_t q = 1; q <= fv_rt.n_worker_slots; q++)
            if (fv_proc(q)->current != 0 && !fv_load_acquire_32(&fv_proc(q)->blocked) && n++ < 2)
                cpu[n - 1] = fv_proc_cpu(fv_proc(q));
    }
    TAP_IS(n, 2, "two tasks that wait, two that run");
    if (fv_rt.topo.n_allowed > 1 && fv_rt.options.pin)
        TAP_OK(cpu[0] != cpu[1] && cpu[0] >= 0 && cpu[1] >= 0, "on the two CPUs that were given up (%d, %d)", cpu[0], cpu[1]);
    atomic_store(&page->at[8], 1);
    TAP_OK(take(r[0]) == 8 && take(r[1]) == 8, "all end");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ waits for many */

static void *get_both(void *arg)
{
    int v[2];

    return (void *)(intptr_t)fever_get_many(arg, 2, v, 4 * RT_LONG);
}

static void fails_at_once(const char *what, fever_ref held, fever_ref failing, int i, int code)
{
    int       v[102];
    fever_ref r[102] = {held};
    for (int k = 1; k < 101; k++)
        r[k] = sleeps_remote(1);
    r[101] = failing;
    int rc = fever_get_many(r, 102, v, 3 * RT_LONG);
    TAP_OK(rc == code && fever_wait_one(held, 0) == -FEVER_ETIMEDOUT, "get_many: %s fails it at once, though the first still runs (%s)", what,
           fever_strerrorname(rc));
    atomic_store(&page->at[i], 1);
    TAP_IS(take(held), i, "which ends well");
    for (int k = 1; k < 101; k++)
        take(r[k]);
    fever_release(failing);
}

static void test_many(void)
{
    bool ready[8];
    int  v[8];

    memset(page->at, 0, sizeof page->at);
    rt_init(.workers = 3, .store_bytes = 8 << 20);
    fails_at_once("a later one that fails", holds_remote(1), fails_remote(30), 1, -FEVER_EAPP);
    fails_at_once("a later one that crashes", holds_remote(2), dies_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 30), 2, -FEVER_ECRASHED);
    fails_at_once("a later one whose time is up", holds_remote(3), sleeps_with(FEVER_WITH(.timeout_s = 0.03), 20000), 3, -FEVER_ETASKTIMEOUT);
    fever_ref p;
    fever_promise(&p);
    fever_ref both[2] = {holds_remote(4), p};
    pthread_t t[3];
    void     *rc;
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, get_both, both);
    for (double end = rt_now() + RT_LONG; fv_task(fv_ref_index(p.id))->waiter != FV_MANY && rt_now() < end;)
        rt_nap(); /* at least two of them sleep */
    TAP_IS(fever_promise_fail(p, 5, "no"), 0, "a promise fails");
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], &rc);
        TAP_IS((intptr_t)rc, -FEVER_EAPP, "thread %d of 3 that await it is told", i);
    }
    TAP_IS(fever_wait_one(both[0], 0), -FEVER_ETIMEDOUT, "though the other still runs");
    atomic_store(&page->at[4], 1);
    TAP_IS(take(both[0]), 4, "it ends well");
    fever_release(p);
    TAP_IS(take(gets_many_remote(5)), 1, "get_many in a body fails at once, too");

    fever_ref r[4] = {holds_remote(6), sleeps_remote(1), holds_remote(6), sleeps_remote(2)};
    TAP_IS(fever_wait(r, 4, 2, RT_LONG, ready), 2, "wait for 2 of 4, of which 2 are held");
    TAP_OK(!ready[0] && ready[1] && !ready[2] && ready[3], "the other two");
    TAP_IS(fever_wait(r, 4, 1, 0, ready), 1, "with timeout 0: exactly as many as wanted");
    TAP_OK(!ready[0] && ready[1] && !ready[2] && !ready[3], "the first of them in input order");
    TAP_IS(fever_wait(r, 1, 1, 0, ready), 0, "with timeout 0: none");
    TAP_IS(fever_wait(r, 4, 5, 0, ready), -FEVER_EINVAL, "more wanted than given");
    fever_ref twice[3] = {r[1], r[3], r[1]};
    TAP_IS(fever_wait(twice, 3, 2, 0, ready), -FEVER_EDUPLICATE, "the same twice");
    TAP_IS(fever_get_many(twice, 3, v, 0), 0, "get_many takes the same twice");
    TAP_OK(v[0] == 1 && v[1] == 2 && v[2] == 1, "and gives it twice");
    TAP_IS(fever_get_many(r, 4, v, 0.02), -FEVER_ETIMEDOUT, "get_many: one time limit for all");
    atomic_store(&page->at[6], 1);
    for (int i = 0; i < 4; i++)
        take(r[i]);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

int main(void)
{
    rt_begin(150);
    page = rt_shared(sizeof *page);
    test_depth();
    test_limit();
    test_room();
    test_barrier();
    test_many();
    return tap_done();
}
