/* t_task.c: arguments, results, dependencies, promises, errors, crashes, retries, timeouts, context.
 *
 * Run by:          make check.
 */
#include <math.h>

#include "rt.h"

#ifdef __SANITIZE_ADDRESS__ /* bodies end by exit(): the search for leaks would take over */
__attribute__((visibility("default"))) const char *__asan_default_options(void); /* found by name */
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

struct page {
    atomic_int runs[64];
    uint64_t   seed[64][8];
    int        pid;
};
static struct page *page;

/* ------------------------------------------------------------------------------------------------ values */

#define ECHOES(X) \
    X(_Bool, bool_, true) X(char, char_, 'x') X(signed char, schar, -5) X(unsigned char, uchar, 200) X(short, short_, -3000) \
    X(unsigned short, ushort_, 60000) X(int, int_, -70000) X(unsigned, uint_, 4000000000u) X(long, long_, -1099511627776L) \
    X(unsigned long, ulong_, 1UL << 63) X(long long, llong, -7) X(unsigned long long, ullong, 7) X(float, float_, 1.5f) \
    X(double, double_, -2.25) X(long double, ldouble, 1.0L / 3)
#define X(T, name, value) FEVER_TASK(T, echo_##name, (T, x)) { return x; }
ECHOES(X)
#undef X

typedef struct { char c[16]; } s16;
typedef struct { char c[17]; } s17;
typedef struct { char c[24]; } s24;
typedef struct { char c[25]; } s25;
typedef struct { char c[100000]; } s100k;
typedef enum { RED, GREEN = 77 } colour;

FEVER_TASK(int, nothing) { return 42; }
FEVER_TASK_VOID(no_result, (int, i)) { atomic_fetch_add(&page->runs[i], 1); }
FEVER_TASK_VOID(nothing_at_all) { atomic_fetch_add(&page->runs[1], 1); }
FEVER_TASK(long, sum12, (char, a), (short, b), (int, c), (long, d), (float, e), (double, f), (char, g), (short, h), (int, i), (long, j),
           (float, k), (double, l))
{
    return a + b + c + d + (long)e + (long)f + g + h + i + j + (long)k + (long)l;
}
FEVER_TASK(s16, echo_s16, (s16, x)) { return x; }
FEVER_TASK(s17, echo_s17, (s17, x)) { return x; }
FEVER_TASK(s24, echo_s24, (s24, x)) { return x; }
FEVER_TASK(s25, echo_s25, (s25, x)) { return x; }
FEVER_TASK(s100k, echo_s100k, (s100k, x)) { return x; }
FEVER_TASK(long, sum_s100k, (s100k, x), (int, more))
{
    long sum = more;
    for (size_t i = 0; i < sizeof x.c; i++)
        sum += x.c[i];
    return sum;
}
FEVER_TASK(colour, echo_colour, (colour, x)) { return x; }
typedef int v4 __attribute__((vector_size(16)));
FEVER_TASK(v4, echo_vector, (v4, x)) { return x + 1; }
FEVER_TASK(v4, add_vector, (fever_ref, r), (v4, x)) { v4 y = {0}; fever_get(r, &y); return x + y; }
FEVER_TASK(double _Complex, echo_complex, (double _Complex, x)) { return x; }

#define ECHO_STRUCT(T) \
    do { \
        static T x, y; \
        for (size_t k_ = 0; k_ < sizeof x.c; k_++) \
            x.c[k_] = (char)(k_ * 7 + 1); \
        fever_ref r = echo_##T##_remote(x); \
        TAP_IS(fever_take(r, &y), 0, "take of " #T); \
        TAP_OK(memcmp(&x, &y, sizeof x) == 0, #T " comes back"); \
    } while (0)

static void test_values(void)
{
#define X(T, name, value) { \
        T x; \
        TAP_IS(fever_take(echo_##name##_remote(value), &x), 0, "take of " #T); \
        TAP_OK(x == (T)(value), #T " comes back"); \
    }
    ECHOES(X)
#undef X
    int i = 0;
    TAP_IS(fever_take(nothing_remote(), &i), 0, "no argument");
    TAP_IS(i, 42, "its result");
    long l = 0;
    TAP_IS(fever_take(sum12_remote(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), &l), 0, "12 arguments");
    TAP_IS(l, 78, "their sum");
    TAP_IS(sum12_local(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12), 78, "a plain call");
    ECHO_STRUCT(s16);
    ECHO_STRUCT(s17);
    ECHO_STRUCT(s24);
    ECHO_STRUCT(s25);
    ECHO_STRUCT(s100k);
    static s100k big;
    memset(big.c, 3, sizeof big.c);
    TAP_IS(fever_take(sum_s100k_remote(big, 5), &l), 0, "100 KB as argument");
    TAP_IS(l, 300005, "all of it");
    colour c = RED;
    TAP_IS(fever_take(echo_colour_remote(GREEN), &c), 0, "enum");
    TAP_IS(c, GREEN, "comes back");
    double _Complex z = 0;
    TAP_IS(fever_take(echo_complex_remote(1.0 + 2.0 * __extension__ 1.0i), &z), 0, "complex");
    TAP_OK(__real__ z == 1.0 && __imag__ z == 2.0, "comes back");

    v4 a = {1, 2, 3, 4}, b = {0};
    fever_ref first = echo_vector_remote(a);
    TAP_IS(fever_take(add_vector_remote(first, a), &b), 0, "vectors: 16 bytes of alignment");
    TAP_OK(b[0] == 3 && b[3] == 9, "come back");
    fever_release(first);

    fever_ref r = no_result_remote(0);
    TAP_IS(fever_wait_one(r, RT_LONG), 0, "no result: wait_one");
    TAP_IS(atomic_load(&page->runs[0]), 1, "it ran once");
    TAP_IS(fever_get(r, &i), -FEVER_ETYPE, "there is nothing to get");
    TAP_IS(fever_release(r), 0, "release");
    r = nothing_at_all_remote();
    TAP_IS(fever_wait_one(r, RT_LONG), 0, "neither arguments nor result");
    TAP_IS(fever_release(r), 0, "release");
    r = nothing_at_all_remote();
    TAP_IS(fever_release(r), 0, "released before it ran");
    TAP_OK(rt_until(&page->runs[1], 2), "it runs all the same");
}

static void test_types(void)
{
    int i = 5;
    unsigned u = 5;
    float f = 5;
    short s = 5;
    long l = 5;
    s16 x;
    struct { double d; } sd;
    fever_ref r = echo_int__remote(9);
    TAP_IS(fever_get(r, &u), -FEVER_ETYPE, "int as unsigned");
    TAP_IS(fever_get(r, &f), -FEVER_ETYPE, "int as float");
    TAP_IS(fever_get(r, &s), -FEVER_ETYPE, "int as short");
    TAP_IS(fever_get(r, &l), -FEVER_ETYPE, "int as long");
    TAP_IS(fever_get(r, &x), -FEVER_ETYPE, "int as struct");
    TAP_IS(fever_take(r, &f), -FEVER_ETYPE, "a take of the wrong type");
    TAP_OK(u == 5 && f == 5 && s == 5 && l == 5, "nothing was written");
    TAP_IS(fever_get(r, &i), 0, "int as int");
    TAP_IS(i, 9, "its value");
    i = 0;
    TAP_IS(fever_get_raw(r, &i, sizeof i, 0, -1), 0, "untyped: the size counts");
    TAP_IS(i, 9, "its value");
    TAP_IS(fever_get_raw(r, &i, 3, 0, -1), -FEVER_ETYPE, "untyped: wrong size");
    TAP_IS(fever_release(r), 0, "release");
    r = echo_double__remote(1);
    TAP_IS(fever_get(r, &sd), -FEVER_ETYPE, "double as a struct of that size");
    TAP_IS(fever_get(r, &l), -FEVER_ETYPE, "double as long");
    fever_release(r);
    r = echo_s16_remote((s16){{1}});
    s17 y;
    TAP_IS(fever_get(r, &y), -FEVER_ETYPE, "16 bytes as 17");
    TAP_IS(fever_get(r, &x), 0, "16 bytes as 16");
    const char *v = NULL;
    size_t bytes = 0;
    TAP_IS(fever_view(r, &v, &bytes), 0, "view of a result");
    TAP_OK(bytes == 16 && v != NULL && v[0] == 1, "in place");
    fever_release(r);
    r = echo_s100k_remote((s100k){{9}});
    TAP_IS(fever_view(r, &v, &bytes), 0, "view of a large result");
    TAP_OK(bytes == 100000 && v[0] == 9 && v[99999] == 0, "in place");
    fever_release(r);
}

/* ------------------------------------------------------------------------------------------------ dependencies */

FEVER_TASK(int, add1, (fever_ref, r)) { int v = -1000; fever_get(r, &v); return v + 1; }
FEVER_TASK(int, ready_add, (fever_ref, a), (int, k), (fever_ref, b))
{
    int x = 0, y = 0;
    if (fever_get_for(a, &x, 0) != 0 || fever_get_for(b, &y, 0) != 0)
        fever_fail(1, "the body started before its arguments were there");
    return x + k * y;
}
FEVER_TASK(int, runs_of, (int, i)) { return atomic_load(&page->runs[i]); }
FEVER_TASK(int, bad, (int, code)) { fever_fail(code, "no good %d", code); return 1; }
FEVER_TASK(s100k, bad_big, (int, code)) { static s100k x; fever_fail(code, NULL); return x; }

static void test_dependencies(void)
{
    int v = 0;
    fever_ref p, q;
    TAP_IS(fever_promise(&p), 0, "a promise at the head of a chain");
    fever_ref head = p, at = p;
    for (int i = 0; i < 10000; i++) {
        q = add1_remote(at);
        if (i > 0)
            fever_release(at);
        at = q;
    }
    v = 0;
    TAP_IS(fever_get_for(at, &v, 0), -FEVER_ETIMEDOUT, "a chain of 10,000 does not begin");
    TAP_IS(fever_promise_set(head, &v, sizeof v), 0, "until its head is set");
    fever_release(head);
    TAP_IS(fever_take_raw(at, &v, sizeof v, 7, 30), 0, "its end");
    TAP_IS(v, 10000, "each link added one");

    v = 100;
    TAP_IS(fever_put(&v, sizeof v, &p), 0, "put");
    at = p;
    for (int i = 0; i < 10000; i++) {
        q = add1_remote(at);
        fever_release(at);
        at = q;
    }
    TAP_IS(fever_take_raw(at, &v, sizeof v, 7, 30), 0, "a chain that runs while it is submitted");
    TAP_IS(v, 10100, "its end");

    /* diamond */
    fever_ref gate, l, r, end;
    fever_promise(&gate);
    l = add1_remote(gate);
    r = add1_remote(gate);
    end = ready_add_remote(l, 10, r);
    fever_release(l);
    fever_release(r);
    v = 1;
    fever_promise_set(gate, &v, sizeof v);
    fever_release(gate);
    TAP_IS(fever_take_raw(end, &v, sizeof v, 7, RT_LONG), 0, "diamond");
    TAP_IS(v, 22, "its value");

    /* the same ref twice */
    v = 3;
    fever_put(&v, sizeof v, &p);
    end = ready_add_remote(p, 1, p);
    fever_release(p);
    TAP_IS(fever_take_raw(end, &v, sizeof v, 7, RT_LONG), 0, "the same ref as two arguments");
    TAP_IS(v, 6, "its value");

    /* fan-in */
    static fever_ref many[1000];
    atomic_store(&page->runs[2], 0);
    for (int i = 0; i < 1000; i++)
        many[i] = no_result_remote(2);
    end = runs_of_with(FEVER_WITH(.after = many, .n_after = 1000), 2);
    for (int i = 0; i < 1000; i++)
        fever_release(many[i]);
    TAP_IS(fever_take_raw(end, &v, sizeof v, 7, RT_LONG), 0, "1,000 in .after");
    TAP_IS(v, 1000, "all had run");

    /* fan-out */
    fever_promise(&gate);
    for (int i = 0; i < 1000; i++)
        many[i] = add1_remote(gate);
    v = 6;
    fever_promise_set(gate, &v, sizeof v);
    static int values[1000];
    TAP_IS(fever_get_many(many, 1000, values, RT_LONG), 0, "1,000 wait for one");
    long sum = 0;
    for (int i = 0; i < 1000; i++) {
        sum += values[i];
        fever_release(many[i]);
    }
    TAP_IS(sum, 7000, "all got it");
    fever_release(gate);

    /* failures go down the chain as they were */
    p = bad_remote(7);
    q = add1_remote(p);
    r = add1_remote(q);
    fever_release(p);
    fever_release(q);
    TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_EAPP, "a failed dependency two steps up");
    struct fever_error e = rt_error(r);
    TAP_IS(e.code, FEVER_EAPP, "its code");
    TAP_IS(e.app_code, 7, "its application code");
    TAP_TEXT(e.task, "bad", "the task where it began");
    TAP_TEXT(e.text, "no good 7", "its words");
    fever_release(r);
    p = bad_remote(8);
    q = no_result_with(FEVER_WITH(.after = &p, .n_after = 1), 3);
    TAP_IS(fever_wait_one(q, RT_LONG), -FEVER_EAPP, "a failed ref in .after");
    TAP_IS(atomic_load(&page->runs[3]), 0, "the body did not run");
    fever_release(p);
    fever_release(q);
    p = bad_big_remote(9);
    static s100k big;
    TAP_IS(fever_get_for(p, &big, RT_LONG), -FEVER_EAPP, "failure of a task with a large result");
    TAP_IS(rt_error(p).app_code, 9, "its code");
    fever_release(p);
}

/* ------------------------------------------------------------------------------------------------ refs in structs and results */

struct with_ref { int k; fever_ref r; };
struct two_refs { char c; fever_ref a; long pad[20]; fever_ref b; };

FEVER_TASK(int, use_embedded, (fever_ref, gate), (struct with_ref, w))
{
    int v = -1, g = 0, rc = fever_get_for(w.r, &v, RT_LONG);
    fever_get(gate, &g);
    return rc < 0 ? rc : v + w.k + g;
}
FEVER_TASK(int, set_page, (struct with_ref, w)) { (void)w; atomic_store(&page->runs[4], 1); return 0; }
FEVER_TASK(fever_ref, put_inside, (int, x))
{
    fever_ref r = FEVER_NULL_REF;
    fever_put(&x, sizeof x, &r);
    return r;
}
FEVER_TASK(fever_ref, child_inside, (fever_ref, gate)) { return add1_remote(gate); }
FEVER_TASK(struct two_refs, two_inside, (int, x))
{
    struct two_refs t = {.c = 'c'};
    char buffer[5000];
    memset(buffer, x, sizeof buffer);
    fever_put(&x, sizeof x, &t.a);
    fever_put(buffer, sizeof buffer, &t.b);
    return t;
}
FEVER_TASK(int, set_promise, (struct with_ref, w), (int, value)) { return fever_promise_set(w.r, &value, sizeof value); }
FEVER_TASK(int, fail_promise, (struct with_ref, w)) { return fever_promise_fail(w.r, 31, "by a task"); }

static void test_embedded(void)
{
    int v = 40;
    fever_ref gate, p, q;
    fever_promise(&gate);
    fever_put(&v, sizeof v, &p);
    q = use_embedded_remote(gate, (struct with_ref){1, p});
    TAP_IS(fever_release(p), 0, "a ref in a struct is released by the driver");
    v = 1;
    fever_promise_set(gate, &v, sizeof v);
    TAP_IS(fever_take_raw(q, &v, sizeof v, 7, RT_LONG), 0, "its task runs later");
    TAP_IS(v, 42, "and finds it alive");
    TAP_IS(fever_get(p, &v), -FEVER_ESTALE, "after that it is gone");
    fever_release(gate);

    fever_promise(&p);
    q = set_page_remote((struct with_ref){0, p});
    TAP_IS(fever_wait_one(q, RT_LONG), 0, "a ref in a struct is not awaited");
    TAP_IS(atomic_load(&page->runs[4]), 1, "its task ran");
    fever_release(q);
    v = 0;
    fever_promise_set(p, &v, sizeof v);
    fever_release(p);

    fever_ref inner = FEVER_NULL_REF, outer = put_inside_remote(77);
    TAP_IS(fever_get_for(outer, &inner, RT_LONG), 0, "a ref as result");
    TAP_IS(fever_get_for(inner, &v, RT_LONG), 0, "what it refers to is alive");
    TAP_IS(v, 77, "its value");
    TAP_IS(fever_retain(inner), 0, "retain it");
    TAP_IS(fever_release(outer), 0, "release the outer");
    v = 0;
    TAP_IS(fever_take(inner, &v), 0, "the inner is still there");
    TAP_IS(v, 77, "its value");
    TAP_IS(fever_get(inner, &v), -FEVER_ESTALE, "then it is gone");
    outer = put_inside_remote(78);
    fever_get(outer, &inner);
    fever_release(outer);
    double end = rt_now() + RT_LONG;
    while (fever_get_for(inner, &v, 0) != -FEVER_ESTALE && rt_now() < end)
        rt_nap();
    TAP_IS(fever_get_for(inner, &v, 0), -FEVER_ESTALE, "without retain it goes with the outer");

    fever_promise(&gate);
    v = 10;
    fever_promise_set(gate, &v, sizeof v);
    outer = child_inside_remote(gate);
    TAP_IS(fever_get_for(outer, &inner, RT_LONG), 0, "a task returns the ref of its child");
    TAP_IS(fever_get_for(inner, &v, RT_LONG), 0, "which completes");
    TAP_IS(v, 11, "its value");
    fever_release(outer);
    fever_release(gate);

    struct two_refs t;
    outer = two_inside_remote(5);
    TAP_IS(fever_get_for(outer, &t, RT_LONG), 0, "a struct with two refs as result");
    char buffer[5000];
    TAP_IS(fever_get_for(t.a, &v, RT_LONG), 0, "the first");
    TAP_IS(fever_get_for(t.b, &buffer, RT_LONG), 0, "the second");
    TAP_OK(t.c == 'c' && v == 5 && buffer[4999] == 5, "their values");
    fever_release(outer);
}

/* ------------------------------------------------------------------------------------------------ promises */

static void test_promises(void)
{
    fever_ref p, q;
    int v = 5;
    TAP_IS(fever_promise(&p), 0, "promise");
    TAP_IS(fever_get_for(p, &v, 0), -FEVER_ETIMEDOUT, "not set yet");
    TAP_IS(fever_promise_set(p, &v, sizeof v), 0, "set");
    TAP_IS(fever_promise_set(p, &v, sizeof v), -FEVER_ESTATE, "set twice");
    TAP_IS(fever_promise_fail(p, 1, "x"), -FEVER_ESTATE, "set, then failed");
    v = 0;
    TAP_IS(fever_take(p, &v), 0, "take");
    TAP_IS(v, 5, "its value");
    TAP_IS(fever_promise_set(p, &v, sizeof v), -FEVER_ESTALE, "set after release");

    fever_promise(&p);
    q = set_promise_remote((struct with_ref){0, p}, 66);
    TAP_IS(fever_get_for(p, &v, RT_LONG), 0, "set by a task");
    TAP_IS(v, 66, "its value");
    TAP_IS(fever_take_raw(q, &v, sizeof v, 7, RT_LONG), 0, "the task ends well");
    TAP_IS(v, 0, "and its set too");
    q = set_promise_remote((struct with_ref){0, p}, 67);
    TAP_IS(fever_take_raw(q, &v, sizeof v, 7, RT_LONG), 0, "set by a second task");
    TAP_IS(v, -FEVER_ESTATE, "is refused");
    fever_release(p);

    fever_promise(&p);
    q = add1_remote(p);
    TAP_IS(fever_promise_fail(p, 12, "on purpose"), 0, "fail");
    TAP_IS(fever_get(p, &v), -FEVER_EAPP, "get");
    struct fever_error e = rt_error(p);
    TAP_IS(e.app_code, 12, "its code");
    TAP_TEXT(e.text, "on purpose", "its text");
    TAP_IS(fever_get_for(q, &v, RT_LONG), -FEVER_EAPP, "its dependent");
    TAP_IS(rt_error(q).app_code, 12, "the same code");
    fever_release(p);
    fever_release(q);
    fever_promise(&p);
    q = fail_promise_remote((struct with_ref){0, p});
    TAP_IS(fever_wait_one(p, RT_LONG), -FEVER_EAPP, "failed by a task");
    TAP_IS(rt_error(p).app_code, 31, "its code");
    fever_release(q);
    fever_release(p);

    static s100k big, back;
    memset(big.c, 8, sizeof big.c);
    fever_promise(&p);
    TAP_IS(fever_promise_set(p, &big, sizeof big), 0, "100 KB");
    TAP_IS(fever_take(p, &back), 0, "take");
    TAP_OK(memcmp(&big, &back, sizeof big) == 0, "all of it");
    fever_promise(&p);
    TAP_IS(fever_promise_set(p, NULL, 0), 0, "0 bytes");
    TAP_IS(fever_wait_one(p, 0), 0, "set");
    fever_release(p);
    fever_promise(&p);
    TAP_IS(fever_release(p), 0, "released before it is set");
    q = nothing_remote();
    TAP_IS(fever_promise_set(q, &v, sizeof v), -FEVER_ESTATE, "a task is no promise");
    fever_release(q);
}

/* ------------------------------------------------------------------------------------------------ get_many, wait, timeouts */

static void test_waiting(void)
{
    enum { N = 300 };
    fever_ref r[N], never, failed;
    int       v[N], one;
    bool      ready[N];
    for (int i = 0; i < N; i++)
        r[i] = echo_int__remote(i * 3);
    TAP_IS(fever_get_many(r, N, v, RT_LONG), 0, "get_many");
    int good = 0;
    for (int i = 0; i < N; i++)
        good += v[i] == i * 3;
    TAP_IS(good, N, "in order");
    TAP_IS(fever_get_many(r, 0, v, 0), 0, "of none");
    long l[2];
    TAP_IS(fever_get_many(r, 2, l, 0), -FEVER_ETYPE, "of the wrong type");
    fever_promise(&never);
    failed = bad_remote(4);
    fever_wait_one(failed, RT_LONG);
    fever_ref mixed[3] = {r[0], never, failed};
    double begin = rt_now();
    TAP_IS(fever_get_many(mixed, 3, v, RT_LONG), -FEVER_EAPP, "a failure is told at once");
    TAP_OK(rt_now() - begin < RT_LONG / 2, "without waiting for the others");
    TAP_IS(fever_get_many(mixed, 2, v, 0.02), -FEVER_ETIMEDOUT, "a timeout");

    TAP_IS(fever_wait(r, N, N, RT_LONG, ready), N, "wait for all");
    TAP_IS(fever_wait(r, N, 5, RT_LONG, ready), 5, "wait for 5 where all are ready");
    good = 0;
    for (int i = 0; i < N; i++)
        good += ready[i];
    TAP_OK(good == 5 && ready[0] && ready[4], "exactly the first 5");
    fever_ref some[4] = {never, r[1], failed, r[2]};
    TAP_IS(fever_wait(some, 4, 2, RT_LONG, ready), 2, "wait for 2 of 4");
    TAP_OK(!ready[0] && ready[1] && ready[2] && !ready[3], "in input order; failed is ready");
    begin = rt_now();
    TAP_IS(fever_wait(some, 4, 4, 0.03, ready), 3, "fewer at the timeout");
    TAP_OK(rt_now() - begin >= 0.03, "not before it");
    TAP_OK(!ready[0] && ready[1] && ready[2] && ready[3], "which");
    TAP_IS(fever_wait(some, 4, 4, 0, NULL), 3, "0 polls");
    TAP_IS(fever_wait(some, 1, 1, 0, ready), 0, "none");
    fever_ref twice[3] = {r[0], r[1], r[0]};
    TAP_IS(fever_wait(twice, 3, 1, 0, ready), -FEVER_EDUPLICATE, "the same twice");
    TAP_IS(fever_wait(r, N, 0, 0, ready), -FEVER_EINVAL, "for none");
    TAP_IS(fever_wait(r, 2, 3, 0, ready), -FEVER_EINVAL, "for more than there are");
    TAP_IS(fever_wait(NULL, 2, 1, 0, ready), -FEVER_ENULL, "a null list");
    TAP_IS(fever_wait(r, 2, 1, (double)NAN, ready), -FEVER_EINVAL, "NaN");
    fever_ref null2[2] = {r[0], FEVER_NULL_REF};
    TAP_IS(fever_wait(null2, 2, 1, 0, ready), -FEVER_ENULL, "a null ref among them");

    begin = rt_now();
    TAP_IS(fever_get_for(never, &one, 0.05), -FEVER_ETIMEDOUT, "get with a time limit");
    double took = rt_now() - begin;
    TAP_OK(took >= 0.05 && took < 0.05 + RT_LONG, "kept");
    TAP_IS(fever_get_for(never, &one, 1e-9), -FEVER_ETIMEDOUT, "a nanosecond");
    TAP_IS(fever_wait_one(never, 0), -FEVER_ETIMEDOUT, "wait_one polls");
    TAP_IS(fever_get_for(r[7], &one, 0), 0, "a ready one with limit 0");
    TAP_IS(fever_get_for(r[7], &one, INFINITY), 0, "and infinity");
    TAP_IS(fever_get_for(r[7], &one, -5), 0, "and below 0");
    one = 1;
    fever_ref w = set_promise_with(FEVER_WITH(.after = &r[0], .n_after = 1), (struct with_ref){0, never}, 3);
    fever_ref last[1] = {never};
    TAP_IS(fever_wait(last, 1, 1, RT_LONG, NULL), 1, "wait sleeps until it is set");
    fever_release(w);
    fever_release(never);
    fever_release(failed);
    for (int i = 0; i < N; i++)
        fever_release(r[i]);
}

/* ------------------------------------------------------------------------------------------------ errors */

FEVER_TASK(int, long_text)
{
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    fever_fail(-3, "%s", text);
    return 0;
}
FEVER_TASK(int, fail_twice) { fever_fail(1, "first"); fever_fail(2, "second"); return 0; }
FEVER_TASK(int, sentry, (int, i))
{
    int n = atomic_fetch_add(&page->runs[i], 1) + 1;
    if (fever_context()->attempt <= 8)
        page->seed[i][fever_context()->attempt - 1] = fever_context()->seed;
    return n;
}
FEVER_TASK(int, segv, (int, i)) { sentry_local(i); *(volatile int *)0x1234 = 1; return 0; }
FEVER_TASK(int, segv_once, (int, i))
{
    sentry_local(i);
    if (fever_context()->attempt < 3)
        raise(SIGKILL);
    return (int)fever_context()->attempt;
}
FEVER_TASK(int, die_by, (int, i), (int, sig)) { sentry_local(i); raise(sig); return 0; }
FEVER_TASK(int, abort_it) { abort(); return 0; }
FEVER_TASK(int, leave_by, (int, status), (int, quick))
{
    if (quick)
        _exit(status);
    exit(status);
    return 0;
}
FEVER_TASK(int, forever, (int, i)) { sentry_local(i); for (;;) pause(); return 0; }
FEVER_TASK(int, busy_forever, (int, i)) { sentry_local(i); for (volatile long k = 0;; k++) { } return 0; }
static __attribute__((noinline)) int recurse(volatile char *up, long n)
{
    volatile char frame[16384];
    frame[0] = up[0];
    return n == 0 ? 0 : recurse(frame, n - 1) + frame[0];
}
FEVER_TASK(int, overflow) { char c = 0; return recurse(&c, 1L << 40); }
FEVER_TASK(int, deep_stack) { char c = 0; return recurse(&c, 6000); } /* 100 MB */

static void test_errors(void)
{
    int v = 0;
    struct fever_error e;
    fever_ref r = bad_remote(7);
    TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_EAPP, "fever_fail");
    e = rt_error(r);
    TAP_OK(e.code == FEVER_EAPP && e.app_code == 7 && e.signal == 0 && e.attempt == 1 && e.worker >= 0 && e.worker < 2 &&
               e.worker_pid > 0 && e.line > 0,
           "what it says");
    TAP_TEXT(e.text, "no good 7", "the text");
    TAP_TEXT(e.task, "bad", "the task");
    TAP_OK(strstr(e.file, "t_task.c") != NULL, "the file");
    char text[300] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    fever_error_print(f, &e);
    fclose(f);
    TAP_OK(strstr(text, "FEVER_EAPP in task bad (") != NULL && strstr(text, "no good 7") != NULL, "fever_error_print");
    fever_release(r);
    r = long_text_remote();
    TAP_IS(fever_wait_one(r, RT_LONG), -FEVER_EAPP, "a long text");
    e = rt_error(r);
    TAP_IS(strlen(e.text), sizeof e.text - 1, "is cut");
    TAP_IS(e.app_code, -3, "its code");
    fever_release(r);
    r = fail_twice_remote();
    fever_wait_one(r, RT_LONG);
    TAP_TEXT(rt_error(r).text, "second", "the last failure counts");
    fever_release(r);
    TAP_IS(fever_fail(1, "x"), -FEVER_ECONTEXT, "fever_fail outside a task");
    r = nothing_remote();
    fever_get(r, &v);
    e = rt_error(r);
    TAP_IS(e.code, 0, "no error");
    fever_release(r);
}

static void test_crashes(void)
{
    static const struct { int retries, attempts; } cases[] = {{FEVER_NO_RETRY, 1}, {2, 3}, {0, 4}};
    int v = 0;
    struct fever_error e;
    fever_ref r;
    for (int k = 0; k < 3; k++) {
        r = segv_with(FEVER_WITH(.max_retries = cases[k].retries), 10 + k);
        TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ECRASHED, "SIGSEGV, max_retries %d", cases[k].retries);
        e = rt_error(r);
        TAP_IS(e.signal, SIGSEGV, "its signal");
        TAP_IS(e.fault_address, 0x1234, "its address");
        TAP_IS(e.attempt, cases[k].attempts, "attempts told");
        TAP_IS(atomic_load(&page->runs[10 + k]), cases[k].attempts, "attempts made");
        TAP_TEXT(e.task, "segv", "its task");
        TAP_OK(e.worker >= 0 && e.worker_pid > 0 && e.worker_pid != getpid(), "its worker");
        fever_release(r);
    }
    TAP_OK(page->seed[12][0] != 0 && page->seed[12][0] == page->seed[12][1] && page->seed[12][1] == page->seed[12][3],
           "the seed is the same in each attempt");
    TAP_OK(page->seed[12][0] != page->seed[11][0], "and differs by task");
    r = segv_once_remote(13);
    TAP_IS(fever_take_raw(r, &v, sizeof v, 7, RT_LONG), 0, "two SIGKILLs, then it works");
    TAP_IS(v, 3, "in the third attempt");
    TAP_IS(atomic_load(&page->runs[13]), 3, "three runs");
    static const int signals[] = {SIGFPE, SIGILL, SIGBUS, SIGKILL, SIGTERM};
    for (int k = 0; k < 5; k++) {
        r = die_by_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 14 + k, signals[k]);
        TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ECRASHED, "signal %d", signals[k]);
        e = rt_error(r);
        TAP_IS(e.signal, signals[k], "is told");
        TAP_IS(e.fault_address, 0, "no address");
        fever_release(r);
    }
    r = abort_it_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY));
    TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ECRASHED, "abort");
    TAP_IS(rt_error(r).signal, SIGABRT, "is told");
    fever_release(r);
    for (int quick = 0; quick < 2; quick++)
        for (int status = 0; status < 6; status += 5) {
            r = leave_by_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), status, quick);
            TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ECRASHED, "%s(%d) in a task", quick ? "_exit" : "exit", status);
            e = rt_error(r);
            TAP_OK(e.signal == 0 && e.exit_status == status, "its status");
            fever_release(r);
        }
    r = deep_stack_remote();
    TAP_IS(fever_take_raw(r, &v, sizeof v, 7, RT_LONG), 0, "100 MB of stack");
    r = overflow_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY));
    TAP_IS(fever_get_for(r, &v, 30), -FEVER_ECRASHED, "stack overflow");
    TAP_IS(rt_error(r).signal, SIGSEGV, "is a SIGSEGV");
    fever_release(r);

    /* crashes beside others */
    enum { N = 200 };
    fever_ref mixed[N];
    for (int i = 0; i < N; i++)
        mixed[i] = i % 20 == 7 ? die_by_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 20, SIGKILL) : echo_int__remote(i);
    int good = 0, crashed = 0;
    for (int i = 0; i < N; i++) {
        int rc = fever_get_for(mixed[i], &v, RT_LONG);
        good += rc == 0 && v == i;
        crashed += rc == -FEVER_ECRASHED;
        fever_release(mixed[i]);
    }
    TAP_OK(good == 190 && crashed == 10, "10 crashes among 190 others: %d good, %d crashed", good, crashed);
}

static void test_timeouts(void)
{
    int v = 0;
    double begin = rt_now();
    fever_ref r = forever_with(FEVER_WITH(.timeout_s = 0.05), 30), q;
    TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ETASKTIMEOUT, "a task that sleeps for ever");
    TAP_OK(rt_now() - begin >= 0.05, "not before its time");
    TAP_IS(rt_error(r).code, FEVER_ETASKTIMEOUT, "its code");
    TAP_IS(rt_error(r).attempt, 1, "one attempt");
    TAP_IS(atomic_load(&page->runs[30]), 1, "it is not repeated");
    fever_release(r);
    r = busy_forever_with(FEVER_WITH(.timeout_s = 0.05, .max_retries = 3), 31);
    TAP_IS(fever_get_for(r, &v, RT_LONG), -FEVER_ETASKTIMEOUT, "a task that computes for ever");
    fever_release(r);
    r = echo_int__with(FEVER_WITH(.timeout_s = 30), 3);
    TAP_IS(fever_take_raw(r, &v, sizeof v, 7, RT_LONG), 0, "one that ends in time");
    r = forever_with(FEVER_WITH(.timeout_s = 0.02), 32);
    q = add1_remote(r);
    TAP_IS(fever_get_for(q, &v, RT_LONG), -FEVER_ETASKTIMEOUT, "its dependent");
    TAP_TEXT(rt_error(q).task, "forever", "which task it was");
    fever_release(r);
    fever_release(q);
}

FEVER_TASK(struct fever_context, context) { return *fever_context(); }

static void test_context(void)
{
    struct fever_context c, d;
    TAP_OK(fever_context() == NULL, "no context outside a task");
    fever_ref r = context_remote(), q = context_remote();
    TAP_IS(fever_get_for(r, &c, RT_LONG), 0, "context");
    TAP_IS(fever_get_for(q, &d, RT_LONG), 0, "of another");
    TAP_IS(c.task.id, r.id, "the task's own ref");
    TAP_IS(c.attempt, 1, "first attempt");
    TAP_OK(c.worker == 0 || c.worker == 1, "a worker");
    TAP_IS(c.node, 0, "a node");
    TAP_OK(!c.cancelled, "not cancelled");
    TAP_OK(c.seed != d.seed, "seeds differ");
    fever_release(r);
    fever_release(q);
}

int main(void)
{
    rt_begin(100);
    page = rt_shared(sizeof *page);
    rt_init(.workers = 2);
    test_values();
    test_types();
    test_dependencies();
    test_embedded();
    test_promises();
    test_waiting();
    test_errors();
    test_context();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    test_crashes();
    test_timeouts();
    TAP_IS(rt_validate(), 0, "the books are right after crashes");
    rt_balanced(0);
    rt_shutdown();
    return tap_done();
}
