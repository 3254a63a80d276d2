/* t_badinput.c: what callers get wrong: an exact error, and nothing changes.
 *
 * Run by:          make check.
 */
#include <limits.h>
#include <math.h>
#include <sys/time.h>

#include "rt.h"

FEVER_TASK(int, add, (int, a), (int, b)) { return a + b; }
FEVER_TASK(int, add1, (fever_ref, r)) { int v = 0; fever_get(r, &v); return v + 1; }
struct holder { int k; fever_ref r; };
FEVER_TASK(int, holds, (struct holder, h)) { return h.k; }
FEVER_TASK(int, forever) { for (;;) pause(); return 0; }
FEVER_FOR(loop, i) { (void)i; }
typedef struct { fever_ref r[20000]; } many_refs;
FEVER_TASK(int, takes_many, (many_refs, m)) { int n = 0, v; for (int i = 0; i < 20000; i++) n += fever_get(m.r[i], &v) == 0; return n; }
FEVER_TASK(int, retains_many, (many_refs, m)) { int n = 0; for (int i = 0; i < 20000; i++) n += fever_retain(m.r[i]) == 0; for (int i = 0; i < n; i++) fever_release(m.r[i]); return n; }
FEVER_TASK(int, misuses)
{
    int bad = 0, v = 0;
    fever_ref r;
    struct fever_group *g;
    bad |= (fever_release(FEVER_NULL_REF) != -FEVER_ENULL) << 0;
    bad |= (fever_get(FEVER_NULL_REF, &v) != -FEVER_ENULL) << 1;
    fever_put(&v, sizeof v, &r);
    bad |= (fever_release(r) != 0) << 2;
    bad |= (fever_release(r) != -FEVER_ESTALE) << 3;
    bad |= (fever_group_open(&g) != 0) << 4;
    bad |= (fever_group_close(g) != 0) << 5;
    bad |= (fever_group_close(g) != -FEVER_ESTALE) << 6;
    fever_put(&v, sizeof v, &r); /* never released: the end of the body does it */
    return bad;
}

/* what a caller that does not use the macros can get wrong */
static void run_by_hand(const void *args, void *result) { *(int *)result = *(const int *)args; }
static const uint16_t no_refs[] = {FEVER_NOT_A_REF};
static struct fever_def by_hand = {.magic = FEVER_DEF_MAGIC, .name = "by_hand", .file = "x", .args_bytes = 4, .result_bytes = 4,
                                   .result_type = 7, .n_params = 1, .ref_offsets = no_refs, .run = run_by_hand};
static struct fever_def *hand_section[] = {&by_hand};

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, RT_LONG);
    return rc < 0 ? rc : v;
}

static void test_not_init(int want, const char *when)
{
    fever_ref r = add_remote(1, 2), q = FEVER_NULL_REF;
    struct fever_group *g = NULL;
    struct fever_stats s = {.struct_bytes = sizeof s};
    struct fever_error e;
    const char *view;
    char *data;
    size_t bytes;
    int v = 7;
    bool ready;
    int in[2] = {1, 2}, out[2];
    (void)in;
    (void)out;
    TAP_IS(fever_get(r, &v), want, "submit %s", when);
    TAP_IS(fever_put(&v, sizeof v, &q), want, "put %s", when);
    TAP_IS(fever_create(8, &data, &q), want, "create");
    TAP_IS(fever_view(r, &view, &bytes), want, "view");
    TAP_IS(fever_promise(&q), want, "promise");
    TAP_IS(fever_promise_set(r, &v, sizeof v), want, "promise_set");
    TAP_IS(fever_promise_fail(r, 1, NULL), want, "promise_fail");
    TAP_IS(fever_wait(&r, 1, 1, 0, &ready), want, "wait");
    TAP_IS(fever_wait_one(r, 0), want, "wait_one");
    TAP_IS(fever_get_many(&r, 1, &v, 0), want, "get_many");
    TAP_IS(fever_retain(r), want, "retain");
    TAP_IS(fever_release(r), want, "release");
    TAP_IS(fever_seal(r), want, "seal");
    TAP_IS(fever_abort(r), want, "abort");
    TAP_IS(fever_error(r, &e), want, "error");
    TAP_IS(fever_group_open(&g), want, "group_open");
    TAP_IS(loop_for(0, 10, 0), want, "parallel_for");
    TAP_IS(fever_map_raw(&fever_def_add, in, 8, 1, out, 4, NULL), want, "map");
    TAP_IS(fever_stats(&s), want, "stats");
    TAP_IS(fever_validate(NULL), want, "validate");
    TAP_IS(fever_shutdown(), want, "shutdown");
    TAP_OK(fever_context() == NULL, "no context");
    TAP_OK(v == 7 && q.id == 0 && g == NULL, "nothing was written");
}

static void test_refs(void)
{
    static const uint64_t odd[] = {1, 0xF, UINT64_MAX, 0xF000000000000000, 0xFFFFFFFF00000001, 0xF0000001FFFFFFFF, 0x8000000000000000,
                                   0xE000000000000000, 0x1234567812345678};
    int v = 5;
    const char *view;
    size_t bytes;
    bool ready;
    fever_ref null = FEVER_NULL_REF, r, q;
    TAP_IS(fever_get(null, &v), -FEVER_ENULL, "get of the null ref");
    TAP_IS(fever_take(null, &v), -FEVER_ENULL, "take");
    TAP_IS(fever_release(null), -FEVER_ENULL, "release");
    TAP_IS(fever_retain(null), -FEVER_ENULL, "retain");
    TAP_IS(fever_view(null, &view, &bytes), -FEVER_ENULL, "view");
    TAP_IS(fever_wait_one(null, 0), -FEVER_ENULL, "wait_one");
    TAP_IS(fever_seal(null), -FEVER_ENULL, "seal");
    TAP_IS(fever_promise_set(null, &v, 4), -FEVER_ENULL, "promise_set");
    TAP_IS(fever_get(add1_remote(null), &v), -FEVER_ENULL, "null ref as argument");
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        fever_ref o = {odd[i]};
        int bad = 0;
        bad += fever_get(o, &v) != -FEVER_ESTALE;
        bad += fever_release(o) != -FEVER_ESTALE;
        bad += fever_retain(o) != -FEVER_ESTALE;
        bad += fever_view(o, &view, &bytes) != -FEVER_ESTALE;
        bad += fever_seal(o) != -FEVER_ESTALE;
        bad += fever_abort(o) != -FEVER_ESTALE;
        bad += fever_promise_set(o, &v, 4) != -FEVER_ESTALE;
        bad += fever_wait(&o, 1, 1, 0, &ready) != -FEVER_ESTALE;
        bad += fever_get_many(&o, 1, &v, 0) != -FEVER_ESTALE;
        bad += fever_put_with(&v, 4, &o, 1, &q) != -FEVER_ESTALE;
        fever_ref one = add1_remote(o), two = add_with(FEVER_WITH(.after = &o, .n_after = 1), 1, 2);
        bad += fever_wait_one(one, RT_LONG) != -FEVER_ESTALE;
        bad += fever_wait_one(two, RT_LONG) != -FEVER_ESTALE;
        fever_release(one); /* an error in place of a ref makes a task that fails */
        fever_release(two);
        bad += take(holds_remote((struct holder){3, o})) != 3;
        TAP_IS(bad, 0, "a ref of bits %#llx", (unsigned long long)odd[i]);
    }
    TAP_IS(v, 5, "nothing was written");
    r = add_remote(1, 2);
    TAP_IS(fever_get(r, NULL ? &v : (int *)NULL), -FEVER_ENULL, "get into NULL");
    TAP_IS(fever_get_for(r, &v, (double)NAN), -FEVER_EINVAL, "NaN as time limit");
    TAP_IS(fever_take_raw(r, &v, 4, 7, (double)NAN), -FEVER_EINVAL, "in take");
    TAP_IS(fever_wait_one(r, (double)NAN), -FEVER_EINVAL, "in wait_one");
    TAP_IS(fever_view_raw(r, (const void **)&view, &bytes, (double)NAN), -FEVER_EINVAL, "in view");
    TAP_IS(fever_get_many(&r, 1, &v, (double)NAN), -FEVER_EINVAL, "in get_many");
    TAP_IS(fever_get(r, &v), 0, "the ref is still good");
    TAP_IS(v, 3, "its value");
    TAP_IS(fever_release(r), 0, "release");
    TAP_IS(fever_release(r), -FEVER_ESTALE, "release twice");
    TAP_IS(fever_retain(r), -FEVER_ESTALE, "retain after release");
    TAP_IS(fever_get(r, &v), -FEVER_ESTALE, "get after release");
    TAP_IS(fever_wait_one(add1_remote(r), 1), -FEVER_ESTALE, "as argument");
    r = add_remote(1, 2);
    TAP_IS(fever_retain(r), 0, "retain");
    TAP_IS(fever_release(r), 0, "release");
    TAP_IS(fever_get(r, &v), 0, "get");
    TAP_IS(fever_release(r), 0, "the last release");
    TAP_IS(fever_release(r), -FEVER_ESTALE, "one too many");
    /* the same slot again and again: old refs stay stale */
    int bad = 0;
    q = add_remote(0, 0);
    take(q);
    for (int i = 0; i < 5000; i++) {
        r = add_remote(i, 0);
        bad += fever_get(q, &v) != -FEVER_ESTALE;
        bad += take(r) != i;
    }
    TAP_IS(bad, 0, "a stale ref stays stale while its slot is used again");
    struct fever_error e;
    TAP_IS(fever_error(q, &e), -FEVER_ESTALE, "error of a stale ref");
    r = add1_remote(q);
    TAP_IS(fever_error(r, &e), 0, "the error of a failed submission is in the ref");
    TAP_IS(e.code, FEVER_ESTALE, "its code");
    TAP_IS(fever_release(r), -FEVER_ESTALE, "there is nothing to release");
    q = add1_remote(r);
    TAP_IS(fever_wait_one(q, RT_LONG), -FEVER_ESTALE, "as argument it says the same");
    TAP_OK(strstr(rt_error(q).text, "failed submission") != NULL, "and why");
    fever_release(q);
    TAP_IS(fever_error(r, NULL), -FEVER_ENULL, "no place for the error");
    fever_error_print(NULL, &e);
    fever_error_print(stdout, NULL);
    TAP_IS(take(misuses_remote()), 0, "the same in a task");
}

static void test_submit(void)
{
    struct fever_args_add a = {1, 2};
    struct fever_task_options o = {.struct_bytes = 1};
    fever_ref r = FEVER_NULL_REF, q;
    int v = 0;
    TAP_IS(fever_submit(NULL, &a, sizeof a, NULL, &r), -FEVER_ENULL, "no definition");
    TAP_IS(fever_submit(&fever_def_add, NULL, sizeof a, NULL, &r), -FEVER_ENULL, "no arguments");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, NULL, NULL), -FEVER_ENULL, "no place for the ref");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a - 1, NULL, &r), -FEVER_EINVAL, "too few bytes");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a + 1, NULL, &r), -FEVER_EINVAL, "too many bytes");
    TAP_IS(fever_submit(&fever_def_add, &a, SIZE_MAX, NULL, &r), -FEVER_EINVAL, "SIZE_MAX bytes");
    TAP_IS(fever_submit(&fever_def_add, &a, 0, NULL, &r), -FEVER_EINVAL, "no bytes");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, &o, &r), -FEVER_EINVAL, "options of another size");
    TAP_IS(fever_submit(&by_hand, &v, 4, NULL, &r), -FEVER_ENOTASK, "a definition that is not registered");
    struct fever_def copy = fever_def_add;
    TAP_IS(fever_submit(&copy, &a, sizeof a, NULL, &r), -FEVER_ENOTASK, "a copy of one that is");
    copy.id = 4000;
    TAP_IS(fever_submit(&copy, &a, sizeof a, NULL, &r), -FEVER_ENOTASK, "an id of nothing");
    copy.id = UINT32_MAX;
    TAP_IS(fever_submit(&copy, &a, sizeof a, NULL, &r), -FEVER_ENOTASK, "an id out of range");
    copy.id = fever_def_add.id;
    copy.magic = 1;
    TAP_IS(fever_submit(&copy, &a, sizeof a, NULL, &r), -FEVER_ENOTASK, "wrong magic");
    static const double times[] = {-1, (double)NAN, (double)INFINITY, -(double)INFINITY, -1e-300};
    for (int i = 0; i < 5; i++)
        TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.timeout_s = times[i]), &r), -FEVER_EINVAL, "timeout %g", times[i]);
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.max_retries = -2), &r), -FEVER_EINVAL, "max_retries -2");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.max_retries = 251), &r), -FEVER_EINVAL, "max_retries 251");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.after = NULL, .n_after = 3), &r), -FEVER_EINVAL, "after NULL");
    static fever_ref lots[70000];
    fever_put(&v, sizeof v, &q);
    for (int i = 0; i < 70000; i++)
        lots[i] = q;
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.after = lots, .n_after = 70000), &r), -FEVER_EINVAL, "70,000 in after");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.after = lots, .n_after = SIZE_MAX), &r), -FEVER_EINVAL, "SIZE_MAX in after");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.after = lots, .n_after = SIZE_MAX / 2 + 1), &r), -FEVER_EINVAL,
           "so many that their bytes wrap");
    TAP_IS(r.id, 0, "nothing was written");
    TAP_IS(fever_submit(&fever_def_add, &a, sizeof a, FEVER_WITH(.timeout_s = 1), &r), 0, "and a good one");
    TAP_IS(take(r), 3, "is taken");
    TAP_IS(take(add_with(FEVER_WITH(.after = lots, .n_after = 60000), 1, 2)), 3, "60,000 times the same are fine");
    TAP_IS(take(add_with(FEVER_WITH(.timeout_s = 1e300), 1, 2)), 3, "a timeout beyond all time");
    TAP_IS(fever_release(q), 0, "release");
    TAP_IS(fever_get(q, &v), -FEVER_ESTALE, "nobody holds it any more");
    TAP_IS(fever_put(NULL, 4, &r), -FEVER_ENULL, "put of NULL");
    TAP_IS(fever_put(&v, 4, NULL), -FEVER_ENULL, "no place for the ref");
    TAP_IS(fever_put(&v, SIZE_MAX, &r), -FEVER_ETOOBIG, "put of SIZE_MAX");
    TAP_IS(fever_put(&v, SIZE_MAX - 7, &r), -FEVER_ETOOBIG, "put of nearly that");
    TAP_IS(fever_put_with(&v, 4, NULL, 2, &r), -FEVER_ENULL, "refs NULL");
    fever_put(&v, 4, &q);
    TAP_IS(fever_put_with(&v, 4, &q, SIZE_MAX / 8, &r), -FEVER_ETOOBIG, "SIZE_MAX / 8 refs");
    fever_release(q);
    fever_promise(&q);
    TAP_IS(fever_promise_set(q, NULL, 4), -FEVER_ENULL, "promise_set of NULL");
    TAP_IS(fever_promise_set(q, &v, SIZE_MAX), -FEVER_ETOOBIG, "of SIZE_MAX");
    TAP_IS(fever_promise_set(q, &v, 4), 0, "it can still be set");
    fever_release(q);
    TAP_IS(fever_promise(NULL), -FEVER_ENULL, "promise NULL");
    TAP_IS(fever_create_raw(4, NULL, &r), -FEVER_ENULL, "create NULL");
    TAP_IS(fever_get_many(NULL, 3, &v, 0), -FEVER_ENULL, "get_many NULL");
    struct fever_stats s = {.struct_bytes = 3};
    TAP_IS(fever_stats(&s), -FEVER_EINVAL, "stats of another size");
    TAP_IS(fever_stats(NULL), -FEVER_ENULL, "stats NULL");
    TAP_IS(take(add_remote(4, 4)), 8, "tasks run as before");
}

static void test_groups(void)
{
    struct fever_group *g, *h;
    struct fever_error e;
    uint64_t n;
    struct fever_args_add a = {1, 2};
    TAP_IS(fever_group_open(NULL), -FEVER_ENULL, "group_open NULL");
    TAP_IS(fever_group_wait(NULL, 0), -FEVER_ENULL, "group_wait NULL");
    TAP_IS(fever_group_close(NULL), -FEVER_ENULL, "group_close NULL");
    TAP_IS(add_group(NULL, 1, 2), -FEVER_ENULL, "group_submit NULL");
    TAP_IS(fever_group_progress(NULL, &n, &n), -FEVER_ENULL, "group_progress NULL");
    TAP_IS(fever_group_failure(NULL, 0, &n, &e), -FEVER_ENULL, "group_failure NULL");
    fever_group_open(&g);
    TAP_IS(fever_group_submit(g, NULL, &a, sizeof a, NULL), -FEVER_ENULL, "no definition");
    TAP_IS(fever_group_submit(g, &fever_def_add, &a, 3, NULL), -FEVER_EINVAL, "wrong size");
    TAP_IS(fever_group_submit(g, &by_hand, &a, 4, NULL), -FEVER_ENOTASK, "not registered");
    TAP_IS(fever_group_submit(g, &fever_def_add1, &(fever_ref){0}, 8, NULL), -FEVER_ENULL, "a null ref");
    TAP_IS(fever_group_wait(g, (double)NAN), -FEVER_EINVAL, "NaN");
    TAP_IS(fever_group_wait(g, RT_LONG), 0, "nothing was submitted");
    fever_group_progress(g, &n, NULL);
    TAP_IS(n, 0, "nothing is counted");
    TAP_IS(fever_group_close(g), 0, "close");
    TAP_IS(fever_group_close(g), -FEVER_ESTALE, "close twice");
    TAP_IS(add_group(g, 1, 2), -FEVER_ESTALE, "submit to a closed group");
    TAP_IS(fever_group_wait(g, 0), -FEVER_ESTALE, "wait for a closed group");
    TAP_IS(fever_group_progress(g, &n, &n), -FEVER_ESTALE, "progress of a closed group");
    TAP_IS(fever_group_failure(g, 0, &n, &e), -FEVER_ESTALE, "failure of a closed group");
    TAP_IS(fever_group_open(&h), 0, "open another");
    TAP_IS(add_group(h, 1, 2), 0, "submit");
    TAP_IS(fever_group_close(h), 0, "close");
}

static void test_slots(void)
{
    enum { MANY = 5000 };
    static fever_ref r[MANY];
    rt_init(.workers = 1, .task_slots = 1024, .store_bytes = 8 << 20);
    for (int round = 0; round < 2; round++) {
        int n = 0, rc = 0, v = 1;
        while (n < MANY && (rc = fever_put(&v, sizeof v, &r[n])) == 0)
            n++;
        TAP_IS(rc, -FEVER_ENOSLOTS, "refs until the slots are used up");
        TAP_IS(n, 1024, "all of them");
        TAP_IS(fever_wait_one(add_remote(1, 2), 1), -FEVER_ENOSLOTS, "submit");
        TAP_IS(fever_promise(&r[n]), -FEVER_ENOSLOTS, "promise");
        TAP_IS(fever_release(r[--n]), 0, "release one");
        TAP_IS(take(add_remote(1, 2)), 3, "a task has room");
        while (n > 0)
            rc = fever_release(r[--n]);
    }
    struct fever_group *g;
    int rc = 0;
    fever_group_open(&g);
    for (int i = 0; i < 20000; i++)
        rc |= add_group(g, i, i);
    TAP_IS(rc, 0, "20,000 in a group have room in 1,024 slots");
    TAP_IS(fever_group_wait(g, RT_LONG), 0, "they end well");
    fever_group_close(g);
    rt_shutdown();
    /* a task that holds more refs of others than fit its table */
    static many_refs m;
    rt_init(.workers = 1, .store_bytes = 64 << 20);
    rc = 0;
    for (int i = 0; i < 20000; i++)
        rc |= fever_put(&i, sizeof i, &m.r[i]);
    TAP_IS(rc, 0, "20,000 objects");
    TAP_IS(take(takes_many_remote(m)), 20000, "all of them as refs in a struct");
    TAP_IS(take(retains_many_remote(m)), FV_HOLDS_MAX, "a task can retain as many as its table has room for");
    for (int i = 0; i < 20000; i++)
        rc |= fever_release(m.r[i]);
    TAP_IS(rc, 0, "release");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ signal handlers */

static atomic_int     refused, served, wrong;
static fever_ref      pending;

static void in_handler(int sig)
{
    int saved = errno, v = 0, x = (int)atomic_load(&served);
    (void)sig;
    fever_ref r = FEVER_NULL_REF;
    int rc = fever_put(&x, sizeof x, &r);
    if (rc == 0) {
        int get = fever_get(r, &v), release = fever_release(r);
        int one = fever_wait_one(pending, 0);
        if (get != 0 || v != x || release != 0 || (one != -FEVER_ETIMEDOUT && one != -FEVER_ENULL))
            atomic_fetch_add(&wrong, 1);
        atomic_fetch_add(&served, 1);
    } else if (rc == -FEVER_ESIGNAL) {
        atomic_fetch_add(&refused, 1);
        int init = fever_init(NULL), down = fever_shutdown();
        if (init != -FEVER_ESIGNAL && init != -FEVER_EINIT && init != -FEVER_ECONTEXT)
            atomic_fetch_add(&wrong, 1);
        if (fever_get(pending, &v) >= 0 || (down != -FEVER_ESIGNAL && down != -FEVER_ECONTEXT))
            atomic_fetch_add(&wrong, 1);
    } else if (rc != -FEVER_ENOTINIT && rc != -FEVER_ENOSLOTS) {
        atomic_fetch_add(&wrong, 1);
    }
    errno = saved;
}

FEVER_TASK(int, interrupted, (int, n)) /* the same in a task */
{
    int bad = 0;
    struct sigaction sa = {.sa_handler = in_handler, .sa_flags = SA_RESTART};
    struct itimerval t = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
    sigaction(SIGPROF, &sa, NULL);
    atomic_store(&wrong, 0);
    fever_promise(&pending);
    setitimer(ITIMER_PROF, &t, NULL);
    for (int i = 0; i < n; i++) {
        fever_ref r;
        int v = 0;
        bad += fever_put(&i, sizeof i, &r) != 0;
        bad += fever_take(r, &v) != 0 || v != i;
    }
    setitimer(ITIMER_PROF, &off, NULL);
    return bad + atomic_load(&wrong);
}

static void test_signals(void)
{
    struct sigaction sa = {.sa_handler = in_handler, .sa_flags = SA_RESTART}, old;
    struct itimerval t = {{0, 150}, {0, 150}}, off = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &sa, &old);
    setitimer(ITIMER_REAL, &t, NULL);
    int bad = 0;
    for (int i = 0; i < 5; i++) { /* also during init and shutdown, and while threads attach */
        int init = fever_init(FEVER_OPTIONS(.workers = 1, .quiet = 1)), sum = take(add_remote(i, 2)), end = fever_shutdown();
        if (init != 0 || sum != i + 2 || end != 0) {
            tap_diag("init %d, %d + 2 = %d, shutdown %d", init, i, sum, end);
            bad++;
        }
    }
    TAP_IS(bad, 0, "init and shutdown under a storm of signals");
    bad = 0;
    rt_init(.workers = 1);
    fever_promise(&pending);
    static char big[20000];
    struct fever_group *g;
    fever_group_open(&g);
    double begin = rt_now();
    int rounds = 0;
    while (rt_now() - begin < 1.0 || rounds < 100) {
        fever_ref r, q[20];
        int v, w[20];
        const char *view;
        bad += fever_put(big, sizeof big, &r) != 0;
        bad += fever_view(r, &view, NULL) != 0;
        for (int i = 0; i < 20; i++)
            q[i] = add_remote(rounds, i);
        bad += fever_get_many(q, 20, w, RT_LONG) != 0;
        for (int i = 0; i < 20; i++)
            bad += w[i] != rounds + i || fever_release(q[i]) != 0;
        for (int i = 0; i < 20; i++)
            bad += add_group(g, i, i) != 0;
        bad += fever_group_wait(g, RT_LONG) != 0;
        q[0] = add_remote(1, 1);
        bad += take(add1_remote(q[0])) != 3;
        bad += fever_release(q[0]) != 0;
        bad += fever_release(r) != 0;
        bad += fever_get_for(pending, &v, 0) != -FEVER_ETIMEDOUT;
        rounds++;
    }
    setitimer(ITIMER_REAL, &off, NULL);
    fever_group_close(g);
    TAP_IS(bad, 0, "%d rounds of calls under a storm of signals", rounds);
    TAP_IS(atomic_load(&wrong), 0, "calls in the handler were served or refused, nothing else");
    TAP_OK(atomic_load(&refused) > 0 && atomic_load(&served) + atomic_load(&refused) > 100, "%d served, %d refused", atomic_load(&served),
           atomic_load(&refused));
    TAP_IS(fever_release(pending), 0, "release");
    pending = FEVER_NULL_REF;
    TAP_IS(take(interrupted_remote(100000)), 0, "the same in a task");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    sigaction(SIGALRM, &old, NULL);
    alarm(60);
}

int main(void)
{
    rt_begin(60);
    TAP_IS(fever_get(FEVER_NULL_REF, (int *)NULL), -FEVER_ENULL, "NULL comes first");
    test_not_init(-FEVER_ENOTINIT, "before init");
    rt_init(.workers = 1);
    struct fever_group *left;
    fever_group_open(&left);
    forever_group(left);
    fever_ref held = add_remote(1, 2);
    rt_shutdown();
    test_not_init(-FEVER_ENOTINIT, "after shutdown");
    TAP_IS(fever_group_wait(left, 0), -FEVER_ENOTINIT, "a group after shutdown");
    rt_init(.workers = 2);
    TAP_IS(fever_group_wait(left, 0), -FEVER_ESTALE, "a group of the earlier runtime");
    TAP_IS(add_group(left, 1, 2), -FEVER_ESTALE, "submit to it");
    TAP_IS(fever_group_close(left), -FEVER_ESTALE, "close it");
    TAP_IS(fever_release(held), -FEVER_ESTALE, "a ref of the earlier runtime");
    test_refs();
    test_submit();
    test_groups();
    TAP_IS(fever_strerror(12345)[0] != '\0', 1, "an unknown error has a text");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    test_slots();
    test_signals();
    /* a definition that is not one */
    by_hand.magic = 1;
    fever_register_defs(hand_section, hand_section + 1);
    TAP_IS(fever_init(FEVER_OPTIONS(.quiet = 1)), -FEVER_ENOTASK, "a registered definition with wrong magic");
    by_hand.magic = FEVER_DEF_MAGIC;
    rt_init(.workers = 1);
    int v = 33;
    fever_ref r = FEVER_NULL_REF;
    TAP_IS(fever_submit(&by_hand, &v, sizeof v, NULL, &r), 0, "with the right one");
    TAP_IS(take(r), 33, "it runs");
    rt_shutdown();
    return tap_done();
}
