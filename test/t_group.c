/* t_group.c: groups, maps, parallel loops.
 *
 * Run by:          make check.
 */
#include "rt.h"

struct page {
    atomic_long sum;
    atomic_int  n[16];
};
static struct page *page;

typedef struct { char c[10]; } s10;
FEVER_TASK(int, twice, (int, x)) { return 2 * x; }
FEVER_TASK_VOID(count_it, (long, x)) { atomic_fetch_add(&page->sum, x); }
FEVER_TASK(int, odd_fails, (int, x)) { if (x % 1000 == 999) fever_fail(x, "item %d", x); return x; }
FEVER_TASK(int, crashes_at, (int, x)) { if (x == 13) raise(SIGKILL); return x; }
FEVER_TASK(s10, bytes10, (s10, x)) { x.c[9]++; return x; }
FEVER_TASK_VOID(waits, (int, i)) { while (atomic_load(&page->n[i]) == 0) rt_nap(); }
FEVER_TASK(long, length, (s10, x)) { return (long)strlen(x.c); }
FEVER_TASK(int, runs_long, (int, x)) { for (;;) pause(); return x; }
FEVER_FOR(fill, i, (uintptr_t, p), (int, k)) { ((int *)p)[i] = (int)i * k; }
FEVER_FOR(add_up, i, (fever_ref, r))
{
    const int *v;
    size_t bytes;
    if (fever_view(r, &v, &bytes) != 0 || bytes < (size_t)(i + 1) * sizeof *v)
        fever_fail(1, "no view");
    else
        atomic_fetch_add(&page->sum, v[i]);
}
FEVER_FOR(sum_up, i) { atomic_fetch_add(&page->sum, i); }
FEVER_FOR(fail_at, i, (long, at)) { if (i == at) fever_fail(3, "at %ld", i); }
FEVER_FOR(crash_at, i, (long, at)) { if (i == at) raise(SIGKILL); }

static void test_groups(void)
{
    struct fever_group *g = NULL, *h = NULL;
    struct fever_error e;
    uint64_t n = 99, ended = 99, index;
    TAP_IS(fever_group_open(&g), 0, "open");
    TAP_IS(fever_group_wait(g, 0), 0, "wait for none");
    TAP_IS(fever_group_progress(g, &n, &ended), 0, "progress");
    TAP_OK(n == 0 && ended == 0, "of none");
    TAP_IS(fever_group_failure(g, 0, &index, &e), -FEVER_EINVAL, "no failure");
    for (long i = 1; i <= 1000; i++)
        count_it_group(g, i);
    TAP_IS(fever_group_wait(g, RT_LONG), 0, "1,000");
    TAP_IS(atomic_load(&page->sum), 500500, "all ran, once");
    TAP_IS(fever_group_progress(g, &n, &ended), 0, "progress");
    TAP_OK(n == 1000 && ended == 1000, "1,000 of 1,000");

    /* larger than the slab, with failures */
    enum { N = 200000 };
    int rc = 0;
    for (int i = 0; i < N; i++)
        rc |= odd_fails_group(g, i);
    TAP_IS(rc, 0, "200,000 submitted");
    TAP_IS(fever_group_wait(g, 4 * RT_LONG), N / 1000, "200 of them failed");
    fever_group_progress(g, &n, &ended);
    TAP_OK(n == 1000 + N && ended == n, "all ended");
    static char seen[N / 1000];
    int bad = 0;
    for (uint64_t i = 0; i < N / 1000; i++) {
        char want[32];
        if (fever_group_failure(g, i, &index, &e) != 0 || index < 1000 || (index - 1000) % 1000 != 999) {
            bad++;
            continue;
        }
        snprintf(want, sizeof want, "item %d", (int)(index - 1000));
        bad += seen[(index - 1000) / 1000]++ != 0 || e.code != FEVER_EAPP || e.app_code != (int)(index - 1000) || strcmp(e.text, want) != 0;
    }
    TAP_IS(bad, 0, "each failure with its index and error, once");
    TAP_IS(fever_group_failure(g, N / 1000, &index, &e), -FEVER_EINVAL, "no more than these");
    TAP_IS(fever_group_failure(g, 0, NULL, NULL), 0, "outputs may be left out");
    TAP_IS(fever_group_close(g), 0, "close");

    /* two at once; crash; timeout; wait with a limit */
    TAP_IS(fever_group_open(&g), 0, "open one");
    TAP_IS(fever_group_open(&h), 0, "and another");
    for (int i = 0; i < 30; i++) {
        crashes_at_group(g, i);
        twice_group(h, i);
    }
    TAP_IS(fever_group_wait(h, RT_LONG), 0, "one without failures");
    TAP_IS(fever_group_wait(g, RT_LONG), 1, "one with a crash");
    TAP_IS(fever_group_failure(g, 0, &index, &e), 0, "which");
    TAP_OK(index == 13 && e.code == FEVER_ECRASHED && e.signal == SIGKILL && e.attempt == 4, "number 13, SIGKILL, 4 attempts");
    waits_group(h, 0);
    TAP_IS(fever_group_wait(h, 0.02), -FEVER_ETIMEDOUT, "wait with a time limit");
    TAP_IS(fever_group_wait(h, 0), -FEVER_ETIMEDOUT, "or none");
    fever_group_progress(h, &n, &ended);
    TAP_OK(n == 31 && ended == 30, "30 of 31 ended");
    atomic_store(&page->n[0], 1);
    TAP_IS(fever_group_wait(h, RT_LONG), 0, "then it ends");
    struct fever_args_runs_long a = {1};
    TAP_IS(fever_group_submit(h, &fever_def_runs_long, &a, sizeof a, FEVER_WITH(.timeout_s = 0.02)), 0, "with options");
    TAP_IS(fever_group_wait(h, RT_LONG), 1, "one ran too long");
    fever_group_failure(h, 0, &index, &e);
    TAP_OK(index == 31 && e.code == FEVER_ETASKTIMEOUT, "number 31");
    TAP_IS(fever_group_close(g), 0, "close one");
    TAP_IS(fever_group_close(h), 0, "and the other");
    TAP_IS(fever_group_open(&g), 0, "a group that is closed without wait");
    atomic_store(&page->sum, 0);
    for (int i = 0; i < 1000; i++)
        count_it_group(g, 1);
    TAP_IS(fever_group_close(g), 0, "is waited for");
    TAP_IS(atomic_load(&page->sum), 1000, "all ran");
    /* dependencies in a group */
    fever_ref gate;
    int v = 0;
    fever_promise(&gate);
    fever_group_open(&g);
    atomic_store(&page->sum, 0);
    struct fever_args_count_it c = {5};
    for (int i = 0; i < 100; i++)
        fever_group_submit(g, &fever_def_count_it, &c, sizeof c, FEVER_WITH(.after = &gate, .n_after = 1));
    TAP_IS(fever_group_wait(g, 0.01), -FEVER_ETIMEDOUT, "members that wait for a promise");
    fever_promise_set(gate, &v, sizeof v);
    fever_release(gate);
    TAP_IS(fever_group_wait(g, RT_LONG), 0, "it is set");
    TAP_IS(atomic_load(&page->sum), 500, "all ran");
    fever_group_close(g);
}

static void test_many_groups(void)
{
    enum { N = 100 };
    struct fever_group *g[N];
    int rc = 0;
    atomic_store(&page->sum, 0);
    for (int i = 0; i < N; i++)
        rc |= fever_group_open(&g[i]);
    for (int k = 0; k < 50; k++)
        for (int i = 0; i < N; i++)
            rc |= count_it_group(g[i], 1);
    for (int i = N; i-- > 0;)
        rc |= fever_group_wait(g[i], RT_LONG) != 0;
    TAP_IS(atomic_load(&page->sum), N * 50, "100 groups at once");
    for (int i = 0; i < N; i++)
        rc |= fever_group_close(g[i]);
    TAP_IS(rc, 0, "all well");
}

static void test_map(void)
{
    enum { N = 5000 };
    static int in[N], out[N];
    for (int i = 0; i < N; i++)
        in[i] = i;
    TAP_IS(fever_map(twice, in, N, out), 0, "map of 5,000");
    int good = 0;
    for (int i = 0; i < N; i++)
        good += out[i] == 2 * i;
    TAP_IS(good, N, "in order");
    out[0] = 77;
    TAP_IS(fever_map(twice, in, 0, out), 0, "of none");
    TAP_IS(out[0], 77, "nothing is written");
    TAP_IS(fever_map(twice, &in[3], 1, out), 0, "of one");
    TAP_IS(out[0], 6, "its result");
    static s10 s[777], t[777];
    for (int i = 0; i < 777; i++)
        memset(s[i].c, i % 100 + 1, 10);
    TAP_IS(fever_map(bytes10, s, 777, t), 0, "items of 10 bytes");
    good = 0;
    for (int i = 0; i < 777; i++)
        good += t[i].c[0] == i % 100 + 1 && t[i].c[9] == i % 100 + 2;
    TAP_IS(good, 777, "in order");
    out[0] = 55;
    TAP_IS(fever_map(odd_fails, in, N, out), -FEVER_EAPP, "a failing item");
    TAP_IS(out[0], 55, "nothing is written");
    TAP_IS(fever_map(crashes_at, in, 100, out), -FEVER_ECRASHED, "a crashing item");
    long l[3];
    s10 words[3] = {{"one"}, {"three"}, {""}};
    TAP_IS(fever_map(length, words, 3, l), 0, "from one type to another");
    TAP_OK(l[0] == 3 && l[1] == 5 && l[2] == 0, "results");
    TAP_IS(fever_map_raw(&fever_def_twice, in, 3, 1, out, 4, NULL), -FEVER_EINVAL, "wrong item size");
    TAP_IS(fever_map_raw(&fever_def_twice, in, 4, 1, out, 5, NULL), -FEVER_EINVAL, "wrong result size");
    TAP_IS(fever_map_raw(&fever_def_twice, NULL, 4, 1, out, 4, NULL), -FEVER_ENULL, "null");
    TAP_IS(fever_map_raw(&fever_def_twice, in, 4, SIZE_MAX / 2, out, 4, NULL), -FEVER_EINVAL, "too many");
    TAP_IS(fever_map_raw(&fever_def_twice, in, 4, SIZE_MAX / 16, out, 4, NULL), -FEVER_ETOOBIG, "more than the store holds");
}

static void test_for(void)
{
    enum { N = 100000 };
    int *data = NULL;
    fever_ref r;
    TAP_IS(fever_create(N * sizeof *data, &data, &r), 0, "an object to fill");
    TAP_IS(fill_for(0, N, 0, (uintptr_t)data, 3), 0, "parallel_for");
    TAP_IS(fever_seal(r), 0, "seal");
    const int *v = NULL;
    size_t bytes = 0;
    TAP_IS(fever_view(r, &v, &bytes), 0, "view");
    int good = 0;
    for (int i = 0; i < N; i++)
        good += v[i] == 3 * i;
    TAP_IS(good, N, "each index, once");
    atomic_store(&page->sum, 0);
    TAP_IS(add_up_for(0, 1000, 7, r), 0, "over an object, chunks of 7");
    TAP_IS(atomic_load(&page->sum), 3 * 499500, "sum");
    fever_release(r);
    static const long grains[] = {0, 1, 3, 1000, 1000000};
    for (int k = 0; k < 5; k++) {
        atomic_store(&page->sum, 0);
        TAP_IS(sum_up_for(-10, 101, grains[k]), 0, "from -10 to 100 by %ld", grains[k]);
        TAP_IS(atomic_load(&page->sum), 5050 - 55, "sum");
    }
    atomic_store(&page->sum, 0);
    TAP_IS(sum_up_for(5, 5, 0), 0, "an empty range");
    TAP_IS(sum_up_for(5, 0, 0), 0, "a reversed one");
    TAP_IS(atomic_load(&page->sum), 0, "run nothing");
    TAP_IS(sum_up_for(0, 5, -1), -FEVER_EINVAL, "a negative grain");
    TAP_IS(fail_at_for(0, 1000, 0, 500), -FEVER_EAPP, "a failure");
    TAP_IS(crash_at_for(0, 100, 0, 50), -FEVER_ECRASHED, "a crash");
    TAP_IS(fail_at_for(0, 1000, 0, -1), 0, "and again without");
}

int main(void)
{
    rt_begin(100);
    page = rt_shared(sizeof *page);
    rt_init(.workers = 2);
    test_groups();
    test_many_groups();
    test_map();
    test_for();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    return tap_done();
}
