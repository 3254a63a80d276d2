/* t_parts.c: refs to parts of results and objects, results whose size the body decides.
 *
 * Run by:          make check.
 */
#include <math.h>

#include "rt.h"

struct page {
    atomic_int n[8];
    atomic_int gate;
};
static struct page *page;

struct stats {
    double mean;
    long   count;
    int    most[5];
    char   name[40];
};
struct pair { fever_ref a, b; };

static struct stats stats_of(long n)
{
    struct stats s = {.mean = (double)n / 4, .count = n, .most = {1, 2, 3, 4, (int)n}, .name = "stats"};

    return s;
}

FEVER_TASK(struct stats, summarise, (long, n)) { return stats_of(n); }
FEVER_TASK(struct stats, summarise_late, (long, n))
{
    while (!atomic_load(&page->gate))
        rt_nap();
    return stats_of(n);
}
FEVER_TASK(struct stats, summarise_badly, (long, n)) { fever_fail((int)n, "badly"); return stats_of(n); }
FEVER_TASK(struct stats, summarise_and_die, (long, n)) { atomic_fetch_add(&page->n[0], 1); raise(SIGSEGV); return stats_of(n); }
FEVER_TASK(long, plus, (fever_ref, a), (long, b)) { long v = 0; fever_get(a, &v); return v + b; }
FEVER_TASK(struct pair, two_refs)
{
    struct pair p;
    char        data[200];

    memset(data, 7, sizeof data);
    fever_put(data, sizeof data, &p.a);
    fever_put(data, sizeof data, &p.b);
    return p;
}
static void squares_fill(size_t n)
{
    long *at = fever_result(n * sizeof *at);

    for (size_t i = 0; at != NULL && i < n; i++)
        at[i] = (long)(i * i);
}
FEVER_TASK_BYTES(squares, (size_t, n)) { squares_fill(n); }
FEVER_TASK_BYTES(squares_late, (size_t, n))
{
    while (!atomic_load(&page->gate))
        rt_nap();
    squares_fill(n);
}
FEVER_TASK_BYTES(says_nothing) { }
FEVER_TASK_BYTES(shrinks, (size_t, first), (size_t, then))
{
    char *at = fever_result(first);

    if (at == NULL)
        return;
    memset(at, 'x', first < then ? first : then);
    char *again = fever_result(then);
    if (again != NULL && again != at && first != 0 && then != 0)
        fever_fail(1, "it moved");
}
FEVER_TASK_BYTES(fails_with_result, (size_t, n)) { if (fever_result(n) != NULL) fever_fail(3, "after all"); }
FEVER_TASK_BYTES(dies_with_result, (size_t, n), (int, times))
{
    char *at = fever_result(n);

    memset(at, 'y', n);
    if (atomic_fetch_add(&page->n[1], 1) < times)
        raise(SIGKILL);
}
FEVER_TASK(int, no_result_of_its_own) { return fever_result(100) == NULL; }
FEVER_STREAM(int, streams) { fever_yield(1); }

/* ------------------------------------------------------------------------------------------------ */

static void test_members(void)
{
    struct stats want = stats_of(10);
    fever_ref    all = summarise_remote(10), mean = FEVER_PART(all, struct stats, mean), count = FEVER_PART(all, struct stats, count),
              most = FEVER_PART(all, struct stats, most), name = FEVER_PART(all, struct stats, name);
    double d = 0;
    long   n = 0;
    int    m[5] = {0};
    char   c[40] = "";

    TAP_IS(fever_release(all), 0, "the whole is let go, its parts live");
    TAP_OK(fever_take(mean, &d) == 0 && d == want.mean, "a double");
    TAP_IS(fever_get(count, &d), -FEVER_ETYPE, "a long is no double");
    TAP_OK(fever_get_raw(count, &d, sizeof d, 0, RT_LONG) == 0, "but of any type when asked for so");
    TAP_OK(fever_take(count, &n) == 0 && n == want.count, "a long");
    TAP_OK(fever_take(most, &m) == 0 && memcmp(m, want.most, sizeof m) == 0, "an array");
    TAP_OK(fever_take(name, &c) == 0 && strcmp(c, "stats") == 0, "a text");

    all = summarise_late_remote(20); /* parts of what does not exist yet */
    mean = FEVER_PART(all, struct stats, mean);
    count = FEVER_PART(all, struct stats, count);
    fever_ref more = plus_remote(count, 5);
    TAP_IS(fever_get_for(mean, &d, 0), -FEVER_ETIMEDOUT, "not yet");
    atomic_store(&page->gate, 1);
    TAP_OK(fever_take(mean, &d) == 0 && d == 5.0, "then it is there");
    TAP_OK(fever_take(more, &n) == 0 && n == 25, "a task depends on a part");
    fever_release(count);
    fever_release(all);
}

static void test_failures(void)
{
    fever_ref          all = summarise_badly_remote(9), refs[2];
    struct fever_error e;
    double             d;
    long               n;

    refs[0] = FEVER_PART(all, struct stats, mean);
    refs[1] = FEVER_PART(all, struct stats, count);
    TAP_IS(fever_get(refs[0], &d), -FEVER_EAPP, "each part carries the error");
    TAP_IS(fever_get(refs[1], &n), -FEVER_EAPP, "each of them");
    e = rt_error(refs[1]);
    TAP_IS(e.app_code, 9, "the code of the whole");
    TAP_OK(strcmp(e.text, "badly") == 0 && strcmp(e.task, "summarise_badly") == 0, "its words and its task");
    for (int i = 0; i < 2; i++)
        fever_release(refs[i]);
    fever_release(all);
    all = summarise_and_die_remote(1);
    refs[0] = FEVER_PART(all, struct stats, mean);
    fever_release(all);
    TAP_IS(fever_get_for(refs[0], &d, 2 * RT_LONG), -FEVER_ECRASHED, "a crash, too");
    TAP_IS(rt_error(refs[0]).signal, SIGSEGV, "with its signal");
    TAP_IS(atomic_load(&page->n[0]), 4, "after the retries of the whole, and no more");
    fever_release(refs[0]);
    fever_ref bad = {0xEull << 60 | FEVER_ENOTASK};
    refs[0] = FEVER_PART(bad, struct stats, mean);
    TAP_IS(fever_get(refs[0], &d), -FEVER_ENOTASK, "a part of a failed submission carries its error");
    fever_release(refs[0]);
}

static void test_equal_parts(void)
{
    fever_ref all = squares_remote(8), refs[8], object;
    long      v = 0, list[6] = {0, 10, 20, 30, 40, 50};
    int       i = 0;

    TAP_IS(fever_parts(all, 8, refs), 0, "num_returns = 8");
    fever_release(all);
    for (; i < 8; i++)
        if (fever_take(refs[i], &v) != 0 || v != (long)i * i)
            break;
    TAP_IS(i, 8, "each is right");
    atomic_store(&page->gate, 0);
    all = squares_late_remote(8);
    TAP_IS(fever_parts(all, 7, refs), 0, "no multiple of 7, but that is not known yet");
    atomic_store(&page->gate, 1);
    for (i = 0; i < 7; i++)
        if (fever_get(refs[i], &v) != -FEVER_EINVAL || fever_release(refs[i]) != 0)
            break;
    TAP_IS(i, 7, "so each part says so");
    TAP_IS(fever_parts(all, 7, refs), -FEVER_EINVAL, "now it is known");
    fever_release(all);
    fever_put(list, sizeof list, &object);
    TAP_IS(fever_parts(object, 3, refs), 0, "parts of an object");
    long two[2];
    for (i = 0; i < 3; i++)
        if (fever_get_raw(refs[i], two, sizeof two, 0, RT_LONG) != 0 || two[0] != 20 * i || two[1] != 20 * i + 10 || fever_release(refs[i]) != 0)
            break;
    TAP_IS(i, 3, "each is right");
    TAP_IS(fever_parts(object, 5, refs), -FEVER_EINVAL, "no multiple of 5");
    fever_release(object);
}

static void test_range(void)
{
    fever_ref all = summarise_remote(1), late, part = FEVER_NULL_REF, of_part;
    long      v = 0;
    char      c;

    TAP_IS(fever_part(all, sizeof(struct stats) - 7, 8, 0, &part), -FEVER_EINVAL, "beyond the end: known before it has run");
    TAP_IS(fever_part(all, sizeof(struct stats), 0, 0, &part), 0, "of no bytes, at the end");
    TAP_IS(fever_wait_one(part, RT_LONG), 0, "is there");
    fever_release(part);
    TAP_IS(fever_part(all, SIZE_MAX, 8, 0, &part), -FEVER_EINVAL, "an offset that wraps round");
    TAP_IS(fever_part(all, 8, SIZE_MAX, 0, &part), -FEVER_EINVAL, "bytes that wrap round");
    TAP_IS(fever_part(all, 0, 8, 254, &part), -FEVER_EINVAL, "no such type");
    TAP_IS(fever_part(all, 0, 8, 0, NULL), -FEVER_ENULL, "nowhere to put it");
    TAP_IS(fever_part(FEVER_NULL_REF, 0, 8, 0, &part), -FEVER_ENULL, "null ref");
    TAP_IS(fever_parts(all, 0, &part), -FEVER_EINVAL, "no parts at all");
    TAP_IS(fever_parts(all, 1, NULL), -FEVER_ENULL, "nowhere to put them");
    atomic_store(&page->gate, 0);
    late = squares_late_remote(3);
    TAP_IS(fever_part(late, 24, 1, 0, &part), 0, "of unknown size: may be");
    atomic_store(&page->gate, 1);
    TAP_IS(fever_get(part, &c), -FEVER_EINVAL, "but it is not");
    fever_release(part);
    TAP_IS(fever_part(late, 16, 8, 0, &part), 0, "the last one");
    of_part = fever_part_ref(part, 0, 8, FEVER_TYPE_OF(v));
    TAP_OK(fever_take(of_part, &v) == 0 && v == 4, "a part of a part");
    fever_release(part);
    fever_release(late);
    fever_release(all);
    TAP_IS(fever_part(all, 0, 8, 0, &part), -FEVER_ESTALE, "stale ref");
    fever_ref s = streams_remote();
    TAP_IS(fever_part(s, 0, 0, 0, &part), -FEVER_EINVAL, "a stream has no parts");
    fever_release(s);
}

static void test_refs_inside(void)
{
    fever_ref   all = two_refs_remote(), b = FEVER_PART(all, struct pair, b), inner = FEVER_NULL_REF;
    const char *at = NULL;
    size_t      bytes = 0;

    fever_release(all);
    TAP_IS(fever_get(b, &inner), 0, "a part that is a ref");
    TAP_OK(fever_view(inner, &at, &bytes) == 0 && bytes == 200 && at[199] == 7, "keeps what it refers to alive");
    fever_release(b);
    rt_balanced(0);
}

static void test_bytes(void)
{
    static const size_t sizes[][2] = {{16, 8}, {16, 0}, {100, 100}, {100, 17}, {100, 3}, {100, 0}, {300000, 70000}, {300000, 65536}, {300000, 65535},
                                      {300000, 1}, {300000, 0}, {0, 0}, {0, 50}};
    const long *v = NULL;
    const char *c = NULL;
    size_t      bytes = 99;
    long        one = 0;
    fever_ref   r = squares_remote(1000000);

    TAP_IS(fever_view(r, &v, &bytes), 0, "8 MB, in place");
    TAP_OK(bytes == 8000000 && v[999999] == 999999L * 999999L, "all of it");
    fever_release(r);
    r = squares_remote(1);
    TAP_OK(fever_get(r, &one) == 0 && one == 0, "fever_get where the size is known");
    int wrong = 0;
    TAP_IS(fever_get(r, &wrong), -FEVER_ETYPE, "another size");
    fever_release(r);
    r = squares_remote(0);
    TAP_OK(fever_view(r, &v, &bytes) == 0 && bytes == 0, "of 0 bytes");
    fever_release(r);
    r = says_nothing_remote();
    TAP_OK(fever_view(r, &v, &bytes) == 0 && bytes == 0, "never called: 0 bytes");
    fever_release(r);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        r = shrinks_remote(sizes[i][0], sizes[i][1]);
        size_t n = sizes[i][1], first = sizes[i][0] < n ? sizes[i][0] : n;
        TAP_OK(fever_view(r, &c, &bytes) == 0 && bytes == n && (first == 0 || (c[0] == 'x' && c[first - 1] == 'x')), "%zu, then %zu bytes",
               sizes[i][0], n);
        fever_release(r);
    }
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "no chunk is lost by that");
    r = shrinks_remote(10, 11);
    TAP_IS(fever_wait_one(r, RT_LONG), -FEVER_EINVAL, "it does not grow");
    fever_release(r);
    r = shrinks_remote(100, 101);
    TAP_IS(fever_wait_one(r, RT_LONG), -FEVER_EINVAL, "nor in a block");
    fever_release(r);
    r = fails_with_result_remote(100000);
    TAP_IS(fever_wait_one(r, RT_LONG), -FEVER_EAPP, "fails after fever_result");
    fever_release(r);
    r = dies_with_result_remote(100000, 2);
    TAP_OK(fever_view(r, &c, &bytes) == 0 && bytes == 100000 && c[99999] == 'y', "dies with a result, and is repeated");
    fever_release(r);
    TAP_OK(fever_take(no_result_of_its_own_remote(), &wrong) == 0 && wrong == 1, "not in a task of another kind");
    TAP_OK(fever_result(8) == NULL, "nor in the driver");
    fever_release(squares_remote(50000)); /* nobody wants it */
    struct fever_group *g;
    fever_group_open(&g);
    for (int i = 0; i < 50; i++)
        squares_group(g, 100);
    TAP_IS(fever_group_wait(g, RT_LONG), 0, "in a group");
    fever_group_close(g);
    r = squares_remote(1ul << 50);
    TAP_IS(fever_wait_one(r, RT_LONG), -FEVER_ETOOBIG, "larger than the store");
    fever_release(r);
}

static void test_full_store(void)
{
    fever_ref   held[40], r;
    int         n = 0;
    const char *c;

    rt_init(.workers = 1, .store_bytes = 16u << 20, .spill_dirs = "none");
    while (n < 40 && fever_wait_one(held[n] = squares_remote(131072), RT_LONG) == 0)
        n++;
    TAP_OK(n > 5 && n < 17, "1 MiB results until the store is full: %d", n);
    TAP_IS(fever_wait_one(held[n], RT_LONG), -FEVER_ESTOREFULL, "fails with FEVER_ESTOREFULL");
    for (int i = 0; i <= n; i++)
        fever_release(held[i]);
    r = squares_remote(131072);
    TAP_IS(fever_view(r, &c, NULL), 0, "there is room again");
    fever_release(r);
    rt_balanced(0);
    rt_shutdown();
}

static void test_inline(void)
{
    double      d = 0;
    const long *v = NULL;

    rt_init(.inline_tasks = 1);
    fever_ref all = summarise_remote(8), mean = FEVER_PART(all, struct stats, mean), r = squares_remote(100);
    TAP_OK(fever_get(mean, &d) == 0 && d == 2.0, "inline: a part");
    TAP_OK(fever_view(r, &v, NULL) == 0 && v[99] == 9801, "inline: a result in place");
    fever_release(all);
    fever_release(mean);
    fever_release(r);
    rt_balanced(0);
    rt_shutdown();
}

int main(void)
{
    rt_begin(120);
    page = rt_shared(sizeof *page);
    rt_init(.workers = 2);
    test_members();
    test_failures();
    test_equal_parts();
    test_range();
    test_refs_inside();
    test_bytes();
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
    test_full_store();
    test_inline();
    return tap_done();
}
