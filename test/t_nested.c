/* t_nested.c: tasks that submit and await tasks: spare workers, in place where the definition is reentrant.
 *
 * Run by:          make check.
 */
#include "rt.h"

struct page {
    atomic_int n[16];
};
static struct page *page;

FEVER_TASK(long, sfib, (int, n))
{
    if (n < 2)
        return n;
    fever_ref a = sfib_remote(n - 1), b = sfib_remote(n - 2);
    long x = -1000, y = -1000;
    int rc = fever_take(a, &x);
    if (rc == 0)
        rc = fever_take(b, &y);
    if (rc != 0)
        fever_fail(rc, "get: %s", fever_strerrorname(rc));
    return x + y;
}
FEVER_REENTRANT(long, fib, (int, n))
{
    if (n < 2)
        return n;
    fever_ref a = fib_remote(n - 1), b = fib_remote(n - 2);
    long x = -1000, y = -1000;
    fever_take(b, &y);
    fever_take(a, &x);
    return x + y;
}
static int static_of_process;
FEVER_TASK(int, depth, (int, n))
{
    int v = 0, rc = n == 0 ? 0 : fever_take(depth_remote(n - 1), &v);
    if (rc != 0)
        fever_fail(rc, "%s", fever_strerrorname(rc));
    return v + 1;
}
FEVER_REENTRANT(int, rdepth, (int, n))
{
    int v = 0, rc = n == 0 ? 0 : fever_take(rdepth_remote(n - 1), &v);
    if (rc != 0)
        fever_fail(rc, "%s", fever_strerrorname(rc));
    return v + 1;
}
struct place { int pid, statics, attempt, worker; };
FEVER_REENTRANT(struct place, place)
{
    return (struct place){getpid(), ++static_of_process, (int)fever_context()->attempt, fever_context()->worker};
}
FEVER_TASK(struct place, place_of_its_own) { return (struct place){getpid(), ++static_of_process, 1, fever_context()->worker}; }

enum { UNTIMED, TIMED, OPTIONS, NOT_REENTRANT };
FEVER_TASK(int, is_in_place, (int, how))
{
    struct place p = {0};
    int before = static_of_process;
    fever_ref self = fever_context()->task;
    fever_ref r = how == OPTIONS         ? place_with(FEVER_WITH(.max_retries = 2))
                  : how == NOT_REENTRANT ? place_of_its_own_remote()
                                         : place_remote();
    int rc = how == TIMED ? fever_get_for(r, &p, RT_LONG) : fever_get(r, &p);
    if (rc != 0)
        fever_fail(rc, "get");
    bool same = p.pid == getpid();
    if (same && (p.statics != before + 1 || p.statics != static_of_process))
        fever_fail(1, "not the same statics");
    if (fever_context()->task.id != self.id)
        fever_fail(2, "the waiter's context is lost");
    return same;
}
FEVER_REENTRANT(int, fails_in_place) { fever_fail(5, "in place"); return 0; }
FEVER_TASK(int, survives_failure)
{
    int v = 0;
    fever_ref r = fails_in_place_remote();
    int rc = fever_get(r, &v);
    struct fever_error e = {0};
    fever_error(r, &e);
    return rc == -FEVER_EAPP && e.app_code == 5 ? 1 : rc;
}
FEVER_REENTRANT(int, crash_first, (int, i))
{
    atomic_fetch_add(&page->n[i], 1);
    if (fever_context()->attempt == 1)
        raise(SIGKILL);
    return 7;
}
FEVER_TASK(int, waits_for_crash, (int, i))
{
    int v = 0;
    atomic_fetch_add(&page->n[i + 1], 1);
    fever_take(crash_first_remote(i), &v);
    return v * 10 + (int)fever_context()->attempt;
}
FEVER_TASK(int, barrier, (int, i), (int, n)) /* n of these must run at once */
{
    atomic_fetch_add(&page->n[i], 1);
    for (double end = rt_now() + RT_LONG; atomic_load(&page->n[i]) < n;) {
        if (rt_now() > end) {
            fever_fail(1, "alone");
            break;
        }
        fever_ref p;
        bool b;
        fever_promise(&p);
        fever_wait(&p, 1, 1, 0.002, &b);
    }
    return 1;
}
FEVER_TASK(int, leaf, (int, x)) { return x + 1; }
FEVER_TASK(int, fan, (int, n))
{
    int sum = 0;
    fever_ref r[100] = {{0}};
    int v[100];
    for (int i = 0; i < n; i++)
        r[i] = leaf_remote(i);
    if (fever_get_many(r, (size_t)n, v, RT_LONG) != 0)
        fever_fail(1, "get_many");
    for (int i = 0; i < n; i++)
        sum += v[i];
    return sum;
}
FEVER_TASK(int, group_inside, (int, n))
{
    struct fever_group *g;
    fever_group_open(&g);
    for (int i = 0; i < n; i++)
        leaf_group(g, i);
    int failed = (int)fever_group_wait(g, FEVER_FOREVER);
    fever_group_close(g);
    return failed;
}
FEVER_TASK(int, map_inside, (int, n))
{
    int in[1000] = {0}, out[1000], bad = 0;
    for (int i = 0; i < n; i++)
        in[i] = i;
    if (fever_map(leaf, in, n, out) != 0)
        return -1;
    for (int i = 0; i < n; i++)
        bad += out[i] != i + 1;
    return bad;
}
FEVER_TASK(int, waits_for_itself) { int v; return fever_get(fever_context()->task, &v); }
FEVER_TASK(int, abandons, (int, i)) /* submits, dies: its children that nobody holds are dropped */
{
    atomic_fetch_add(&page->n[i], 1);
    if (fever_context()->attempt == 1) {
        for (int k = 0; k < 100; k++)
            leaf_remote(k);
        raise(SIGKILL);
    }
    return 3;
}
FEVER_TASK(int, blocked_dies, (int, i)) /* killed while a spare stands in for it */
{
    if (atomic_fetch_add(&page->n[i], 1) == 0) {
        fever_ref p;
        int v;
        fever_promise(&p);
        kill(getpid(), SIGALRM);
        return fever_get_for(p, &v, RT_LONG);
    }
    return 9;
}

static const char *why(fever_ref r)
{
    static struct fever_error e;
    fever_error(r, &e);
    return e.code == 0 ? "no error" : e.text;
}
static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, 2 * RT_LONG);
    if (rc < 0)
        tap_diag("%s", why(r));
    return rc < 0 ? rc : v;
}
static long take_long(fever_ref r)
{
    long v = -1, rc = fever_take_raw(r, &v, sizeof v, 9, 2 * RT_LONG);
    if (rc < 0)
        tap_diag("%s", why(r));
    return rc < 0 ? rc : v;
}

static void test_one_worker(void)
{
    rt_init(.workers = 1);
    TAP_IS(take_long(sfib_remote(10)), 55, "fib(10) with spares on one worker");
    TAP_IS(take_long(sfib_remote(11)), 89, "fib(11): spares are used again");
    TAP_IS(take_long(fib_remote(15)), 610, "fib(15), reentrant");
    TAP_IS(take(depth_remote(40)), 41, "40 nested waits");
    TAP_IS(take(rdepth_remote(1000)), 1001, "1000 nested waits, reentrant");
    TAP_OK(rt_stats().tasks_in_place > 1000, "run in place");
    TAP_IS(take(is_in_place_remote(UNTIMED)), 1, "in place: same process, same statics");
    TAP_IS(take(is_in_place_remote(TIMED)), 0, "not in a timed get");
    TAP_IS(take(is_in_place_remote(OPTIONS)), 0, "not with options of its own");
    TAP_IS(take(is_in_place_remote(NOT_REENTRANT)), 0, "not without FEVER_REENTRANT");
    TAP_IS(take(survives_failure_remote()), 1, "a failure in place is the child's, not the waiter's");
    TAP_IS(take(fan_remote(100)), 5050, "a task awaits 100 tasks");
    TAP_IS(take(group_inside_remote(5000)), 0, "a group in a task");
    TAP_IS(take(map_inside_remote(1000)), 0, "a map in a task");
    TAP_IS(take(waits_for_itself_remote()), -FEVER_EDEADLK, "a task that waits for itself");
    fever_ref r[8];
    for (int i = 0; i < 8; i++)
        r[i] = barrier_remote(0, 8);
    int all = 0;
    for (int i = 0; i < 8; i++)
        all += take(r[i]);
    TAP_IS(all, 8, "a barrier of 8 on one worker");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);

    TAP_IS(take(waits_for_crash_remote(2)), 71, "crash in place: the waiter runs again, uncharged");
    TAP_OK(atomic_load(&page->n[2]) == 2 || atomic_load(&page->n[2]) == 3, "the child ran %d times", atomic_load(&page->n[2]));
    TAP_OK(atomic_load(&page->n[3]) >= 2, "the waiter ran %d times", atomic_load(&page->n[3]));
    fever_ref w = waits_for_crash_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 4);
    TAP_IS(take(w), -FEVER_ECRASHED, "a waiter without retries fails with it");
    TAP_IS(rt_error(w).signal, SIGKILL, "and says why");
    fever_release(w);
    TAP_IS(take(abandons_remote(6)), 3, "children of a dead attempt");
    TAP_IS(take(blocked_dies_remote(7)), 9, "a blocked task's worker dies");
    TAP_IS(take_long(sfib_remote(8)), 21, "nested tasks after that");
    TAP_IS(rt_validate(), 0, "the books are right after crashes");
    rt_balanced(0);
    rt_shutdown();
}

static void test_depth(void)
{
    rt_init(.workers = 1, .max_spares = 4);
    TAP_IS(take(depth_remote(4)), 5, "4 spares: depth 4");
    fever_ref r = depth_remote(8);
    int v;
    TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_EAPP, "depth 8 fails");
    struct fever_error e = rt_error(r);
    TAP_IS(e.app_code, -FEVER_EAPP, "each level was told");
    fever_release(r);
    rt_balanced(0); /* children of those that gave up run all the same */
    TAP_IS(take(depth_remote(4)), 5, "depth 4 works again");
    rt_balanced(0);
    rt_shutdown();
    rt_init(.workers = 1, .max_spares = -1);
    fever_ref q = depth_remote(1);
    TAP_IS(fever_get_for(q, &v, RT_LONG), -FEVER_EAPP, "no spares: a task cannot wait");
    TAP_IS(rt_error(q).app_code, -FEVER_EDEPTH, "-FEVER_EDEPTH");
    fever_release(q);
    TAP_IS(take(rdepth_remote(100)), 101, "in place it can");
    rt_shutdown();
}

static void test_two_workers(void)
{
    rt_init(.workers = 2, .max_spares = 200);
    TAP_IS(take_long(sfib_remote(12)), 144, "fib(12) on two workers");
    TAP_IS(take_long(fib_remote(22)), 17711, "fib(22), reentrant");
    TAP_IS(take(depth_remote(150)), 151, "150 nested waits");
    fever_ref r[20];
    for (int i = 0; i < 20; i++)
        r[i] = fan_remote(50);
    int good = 0;
    for (int i = 0; i < 20; i++)
        good += take(r[i]) == 1275;
    TAP_IS(good, 20, "20 fans of 50");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

/* Blocked ones that go on and block again while the supervisor looks from one to the next were once taken for all being stuck:
 * at the start of a runtime, when spares are being forked. */
static void test_shortage_that_is_none(void)
{
    int good = 0;
    for (int i = 0; i < 40; i++) {
        rt_init(.workers = 2, .max_spares = 200);
        good += take_long(sfib_remote(12)) == 144;
        rt_shutdown();
    }
    TAP_IS(good, 40, "fib(12) in 40 new runtimes: no task is told that there are too few spares");
}

int main(void)
{
    rt_begin(100);
    page = rt_shared(sizeof *page);
    test_one_worker();
    test_depth();
    test_two_workers();
    test_shortage_that_is_none();
    return tap_done();
}
