/* t_stream.c: streams: order, back-pressure, errors, retries, abandoned ones, consumers that are tasks.
 *
 * Run by:          make check.
 */
#include <math.h>

#include "rt.h"

#include "core/stream.h"

struct page {
    atomic_int n[16];
    atomic_int gate[16];
    atomic_int rc[16];
};
static struct page *page;

struct row {
    long i;
    char text[200];
};
struct holder { fever_ref r; };
struct twice { fever_ref r; int k; };

static struct row row_of(long i)
{
    struct row r = {.i = i};

    snprintf(r.text, sizeof r.text, "row %ld", i);
    return r;
}
static bool is_row(const struct row *r, long i)
{
    struct row want = row_of(i);

    return r->i == i && strcmp(r->text, want.text) == 0;
}

FEVER_STREAM(long, numbers, (long, n), (int, slot))
{
    for (long i = 0; i < n; i++) {
        int rc = fever_yield(i);
        if (rc != 0) {
            atomic_store(&page->rc[slot], rc);
            return;
        }
        atomic_fetch_add(&page->n[slot], 1);
    }
    atomic_store(&page->rc[slot], 1);
}
FEVER_STREAM(struct row, rows, (long, n)) { for (long i = 0; i < n; i++) rows_yield(row_of(i)); }
FEVER_STREAM(int, gated, (int, slot)) /* an item for each opening of the gate */
{
    for (int i = 0;; i++) {
        while (atomic_load(&page->gate[slot]) <= i)
            rt_nap();
        if (atomic_load(&page->gate[slot]) >= 1000)
            return;
        fever_yield(i);
    }
}
FEVER_STREAM(long, fails_after, (long, n)) { for (long i = 0; i < n; i++) fever_yield(i); fever_fail(7, "after %ld", n); fails_after_yield(99); }
FEVER_STREAM(long, crashes_at, (long, n), (long, at), (int, times), (int, slot))
{
    int attempt = atomic_fetch_add(&page->n[slot], 1);

    for (long i = 0; i < n; i++) {
        if (i == at && attempt < times)
            raise(SIGKILL);
        fever_yield(i * 10);
    }
}
FEVER_STREAM(char, empty) { fever_context(); }
FEVER_STREAM(char, sized, (size_t, bytes), (int, n))
{
    char *data = malloc(bytes + 1);

    for (int i = 0; i < n; i++) {
        memset(data, 'a' + i, bytes);
        fever_yield_raw(data, bytes, 0);
        atomic_fetch_add(&page->n[3], 1);
    }
    free(data);
}
FEVER_STREAM(fever_ref, nests, (int, n))
{
    for (int i = 0; i < n; i++) {
        fever_ref r;
        char      data[100];
        memset(data, i, sizeof data);
        fever_put(data, sizeof data, &r);
        fever_yield(r);
        fever_release(r);
    }
}
FEVER_STREAM(int, wrong)
{
    int x = 1;
    atomic_store(&page->rc[4], fever_yield_raw(&x, sizeof x, 14));
    atomic_store(&page->rc[5], fever_yield_raw(&x, sizeof x, FEVER_TYPE_OF(x)));
}
FEVER_STREAM(int, null_item) { atomic_store(&page->rc[4], fever_yield_raw(NULL, 4, 0)); }
FEVER_STREAM(int, eats_itself) { fever_ref r; atomic_store(&page->rc[6], fever_stream_next(fever_context()->task, &r, 5)); }
FEVER_STREAM(int, too_much)
{
    static char data[1 << 20];
    for (int i = 0; i < 100; i++)
        if (fever_yield_raw(data, sizeof data, 0) != 0)
            return;
}
FEVER_STREAM(long, doubled, (struct holder, in)) /* a stream that reads a stream */
{
    long v;
    int  rc;

    while ((rc = numbers_next(in.r, &v, FEVER_FOREVER)) == 0)
        fever_yield(2 * v);
    if (rc != -FEVER_EEND)
        fever_fail(rc, "next");
}
FEVER_TASK(long, sum_stream, (fever_ref, s))
{
    long v, sum = 0;
    int  rc;

    while ((rc = numbers_next(s, &v, FEVER_FOREVER)) == 0)
        sum += v;
    return rc == -FEVER_EEND ? sum : rc;
}
FEVER_TASK(long, take_some, (struct twice, a))
{
    long v, sum = 0;

    for (int i = 0; i < a.k; i++)
        if (numbers_next(a.r, &v, FEVER_FOREVER) != 0)
            return -1;
        else
            sum += v;
    return sum;
}
FEVER_TASK(int, takes_and_dies, (struct holder, h))
{
    fever_ref r;

    if (atomic_fetch_add(&page->n[9], 1) == 0) {
        fever_stream_next(h.r, &r, FEVER_FOREVER);
        raise(SIGKILL);
    }
    return fever_stream_next(h.r, &r, FEVER_FOREVER) == 0 ? 0 : -1;
}
FEVER_TASK(int, yields_in_task) { return fever_yield_raw("", 1, 0); }
FEVER_REENTRANT(int, yields_in_place) { return fever_yield_raw("", 1, 0); }
FEVER_STREAM(int, calls_in_place) { int v = 0; fever_take(yields_in_place_remote(), &v); fever_yield(v); }

/* ------------------------------------------------------------------------------------------------ */

static int end_of(fever_ref s)
{
    fever_ref r = FEVER_NULL_REF;
    int       rc = fever_stream_next(s, &r, RT_LONG);

    if (rc == 0)
        fever_release(r);
    return rc;
}

static void take_numbers(fever_ref s, long from, long to, const char *what)
{
    long i = from, v = -1;
    int  rc = 0;

    for (; i < to && (rc = numbers_next(s, &v, RT_LONG)) == 0 && v == i; i++)
        ;
    TAP_OK(i == to, "%s: items %ld to %ld in order (rc %d, value %ld at %ld)", what, from, to, rc, v, i);
}

static void test_order(void)
{
    fever_ref  s = numbers_remote(1000, 0);
    struct row row;
    long       i = 0;
    int        rc;

    take_numbers(s, 0, 1000, "a thousand through a ring of 64");
    TAP_IS(end_of(s), -FEVER_EEND, "then the end");
    TAP_IS(end_of(s), -FEVER_EEND, "for ever");
    TAP_IS(fever_release(s), 0, "released");
    s = rows_remote(300);
    while ((rc = rows_next(s, &row, RT_LONG)) == 0 && is_row(&row, i))
        i++;
    TAP_IS(rc, -FEVER_EEND, "300 structs, then the end");
    TAP_IS(i, 300, "each of them");
    fever_release(s);
    s = empty_remote();
    TAP_IS(end_of(s), -FEVER_EEND, "an empty stream ends");
    TAP_IS(fever_wait_one(s, RT_LONG), 0, "and its task has ended well");
    fever_release(s);
}

static void test_before_the_end(void)
{
    fever_ref s = gated_remote(1), r = FEVER_NULL_REF;
    int       v = -1;

    TAP_IS(fever_stream_next(s, &r, 0), -FEVER_ETIMEDOUT, "timeout 0: nothing yet");
    TAP_IS(fever_stream_next(s, &r, 0.02), -FEVER_ETIMEDOUT, "a short timeout: nothing yet");
    for (int i = 0; i < 3; i++) {
        atomic_store(&page->gate[1], i + 1);
        TAP_IS(fever_stream_next(s, &r, RT_LONG), 0, "item %d, while the body runs", i);
        TAP_IS(fever_take(r, &v), 0, "it is ready");
        TAP_IS(v, i, "its value");
        TAP_IS(fever_wait_one(s, 0), -FEVER_ETIMEDOUT, "the task goes on");
    }
    atomic_store(&page->gate[1], 1000);
    TAP_IS(end_of(s), -FEVER_EEND, "it ends");
    TAP_IS(fever_stream_next(s, &r, 0), -FEVER_EEND, "timeout 0: the end");
    fever_release(s);
}

/* The producer stops at n, and nothing comes on top while it waits. */
static void stands_at(int slot, int n, const char *what)
{
    TAP_OK(rt_until(&page->n[slot], n), "%s: it yields %d", what, n);
    for (int i = 0; i < 30; i++)
        rt_nap();
    TAP_IS(atomic_load(&page->n[slot]), n, "%s: and waits", what);
}

static void test_back_pressure(void)
{
    fever_ref s = numbers_with(FEVER_WITH(.stream_items = 5), 100, 2), r = FEVER_NULL_REF;
    char     *at;

    stands_at(2, 5, "5 items");
    take_numbers(s, 0, 1, "one taken");
    stands_at(2, 6, "one more");
    take_numbers(s, 1, 100, "the rest");
    TAP_IS(end_of(s), -FEVER_EEND, "the end");
    fever_release(s);
    s = numbers_with(FEVER_WITH(.stream_items = 1), 50, 11);
    stands_at(11, 1, "a ring of one");
    take_numbers(s, 0, 50, "a ring of one");
    TAP_IS(end_of(s), -FEVER_EEND, "the end");
    fever_release(s);
    s = crashes_at_with(FEVER_WITH(.stream_items = 50000), 20000, 10000, 1, 12); /* a ring of more than a chunk */
    TAP_IS(fever_wait_one(s, 2 * RT_LONG), 0, "20000 wait");
    long n = 0, v = 0;
    while (crashes_at_next(s, &v, RT_LONG) == 0 && v == 10 * n)
        n++;
    TAP_IS(n, 20000, "and are right, after a crash among them");
    fever_release(s);
    s = sized_with(FEVER_WITH(.stream_bytes = 100000), 30000, 8);
    stands_at(3, 3, "3 times 30000 of 100000 bytes");
    TAP_IS(fever_stream_next(s, &r, RT_LONG), 0, "one taken");
    fever_release(r);
    stands_at(3, 4, "by bytes");
    for (int i = 1; i < 8; i++) {
        size_t bytes = 0;
        TAP_OK(fever_stream_next(s, &r, RT_LONG) == 0 && fever_view(r, (const char **)&at, &bytes) == 0 && bytes == 30000 && at[0] == 'a' + i &&
                   at[29999] == 'a' + i, "item %d whole", i);
        fever_release(r);
    }
    TAP_IS(end_of(s), -FEVER_EEND, "the end");
    fever_release(s);
}

static void test_huge(void)
{
    size_t     bytes = 0;
    const char *at = NULL;
    fever_ref  s, r = FEVER_NULL_REF;

    atomic_store(&page->n[3], 0);
    s = sized_with(FEVER_WITH(.stream_bytes = 1000), 3 << 20, 4);
    stands_at(3, 1, "an item larger than all that may wait goes alone");
    for (int i = 0; i < 4; i++) {
        TAP_IS(fever_stream_next(s, &r, RT_LONG), 0, "huge item %d", i);
        TAP_OK(fever_view(r, &at, &bytes) == 0 && bytes == 3 << 20 && at[0] == 'a' + i && at[bytes - 1] == 'a' + i, "3 MiB of it");
        fever_release(r);
    }
    TAP_IS(end_of(s), -FEVER_EEND, "the end");
    fever_release(s);
    s = sized_remote(0, 3);
    for (int i = 0; i < 3; i++) {
        TAP_OK(fever_stream_next(s, &r, RT_LONG) == 0 && fever_view(r, &at, &bytes) == 0 && bytes == 0, "an item of no bytes");
        fever_release(r);
    }
    TAP_IS(end_of(s), -FEVER_EEND, "the end");
    fever_release(s);
}

static void test_errors(void)
{
    fever_ref          s = fails_after_remote(3), r = FEVER_NULL_REF, kept[3];
    struct fever_error e;
    long               v = -1;

    for (int i = 0; i < 3; i++)
        TAP_IS(fever_stream_next(s, &kept[i], RT_LONG), 0, "good item %d", i);
    TAP_IS(fever_stream_next(s, &r, RT_LONG), 0, "then one more ref");
    TAP_IS(fever_get(r, &v), -FEVER_EAPP, "that carries the error");
    e = rt_error(r);
    TAP_IS(e.app_code, 7, "its code");
    TAP_OK(strcmp(e.text, "after 3") == 0, "its words");
    fever_release(r);
    TAP_IS(end_of(s), -FEVER_EEND, "then the end");
    TAP_IS(end_of(s), -FEVER_EEND, "for ever");
    fever_release(s);
    for (int i = 0; i < 3; i++)
        TAP_OK(fever_take(kept[i], &v) == 0 && v == i, "item %d is still good", i);
    s = fails_after_remote(0);
    TAP_IS(fails_after_next(s, &v, RT_LONG), -FEVER_EAPP, "typed: the error, at once");
    TAP_IS(fails_after_next(s, &v, RT_LONG), -FEVER_EEND, "typed: the end");
    fever_release(s);
    s = fails_after_remote(2); /* the error is not asked for */
    TAP_IS(fever_wait_one(s, RT_LONG), -FEVER_EAPP, "waiting for the stream itself tells the error");
    fever_release(s);
    s = wrong_remote();
    TAP_IS(fever_wait_one(s, RT_LONG), -FEVER_ETYPE, "an item of another type fails the stream");
    TAP_IS(atomic_load(&page->rc[4]), -FEVER_ETYPE, "and fever_yield says so");
    TAP_IS(atomic_load(&page->rc[5]), -FEVER_ETYPE, "from then on");
    fever_release(s);
    s = null_item_remote();
    TAP_IS(fever_wait_one(s, RT_LONG), -FEVER_ENULL, "NULL is no item");
    fever_release(s);
}

static void test_crashes(void)
{
    struct fever_stats before = rt_stats();
    fever_ref          s = crashes_at_with(FEVER_WITH(.stream_items = 100), 40, 25, 2, 5), r = FEVER_NULL_REF;
    long               i = 0, v = -1;
    int                rc;

    TAP_IS(fever_wait_one(s, 2 * RT_LONG), 0, "it dies twice at item 25, and ends well");
    TAP_IS(atomic_load(&page->n[5]), 3, "three attempts");
    while ((rc = crashes_at_next(s, &v, RT_LONG)) == 0 && v == 10 * i)
        i++;
    TAP_OK(rc == -FEVER_EEND && i == 40, "40 items, none doubled, none lost, all right (%ld, rc %d)", i, rc);
    TAP_IS(rt_stats().worker_deaths - before.worker_deaths, 2, "two workers died");
    fever_release(s);
    s = crashes_at_remote(200, 150, 1, 6); /* taken while it is repeated */
    for (i = 0; (rc = crashes_at_next(s, &v, RT_LONG)) == 0 && v == 10 * i; i++)
        ;
    TAP_OK(rc == -FEVER_EEND && i == 200, "the same while they are taken (%ld, rc %d)", i, rc);
    fever_release(s);
    s = crashes_at_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 10, 4, 100, 7);
    for (i = 0; i < 4; i++)
        TAP_OK(crashes_at_next(s, &v, RT_LONG) == 0 && v == 10 * i, "no retry: item %ld is good", i);
    TAP_IS(fever_stream_next(s, &r, RT_LONG), 0, "then the error");
    TAP_IS(fever_get(r, &v), -FEVER_ECRASHED, "of the crash");
    TAP_IS(rt_error(r).signal, SIGKILL, "with its signal");
    fever_release(r);
    TAP_IS(end_of(s), -FEVER_EEND, "then the end");
    fever_release(s);
    s = numbers_remote(10, 0);
    TAP_OK(fever_take(takes_and_dies_remote((struct holder){s}), &rc) == 0 && rc == 0, "a consumer dies, and takes again");
    for (i = 0; (rc = numbers_next(s, &v, RT_LONG)) == 0; i++)
        ;
    TAP_OK(rc == -FEVER_EEND && i == 8, "what it had taken is gone: %ld of 10 are left", i);
    fever_release(s);
}

static void test_tasks_consume(void)
{
    fever_ref s = numbers_remote(500, 0), t = sum_stream_remote(s), u, d;
    long      v = 0, w = 0, i = 0;
    int       rc;

    fever_release(s);
    TAP_IS(fever_take(t, &v), 0, "a stream as an argument is read while it runs");
    TAP_IS(v, 499 * 500 / 2, "the sum");
    s = numbers_remote(400, 0);
    t = take_some_remote((struct twice){s, 200});
    u = take_some_remote((struct twice){s, 200});
    TAP_OK(fever_take(t, &v) == 0 && fever_take(u, &w) == 0, "two tasks share a stream");
    TAP_IS(v + w, 399 * 400 / 2, "and each item was given once");
    TAP_IS(end_of(s), -FEVER_EEND, "the end");
    fever_release(s);
    s = numbers_with(FEVER_WITH(.stream_items = 3), 300, 0);
    d = doubled_with(FEVER_WITH(.stream_items = 2), (struct holder){s});
    fever_release(s);
    while ((rc = doubled_next(d, &v, RT_LONG)) == 0 && v == 2 * i)
        i++;
    TAP_OK(rc == -FEVER_EEND && i == 300, "a stream reads a stream (%ld, rc %d)", i, rc);
    fever_release(d);
}

static void test_interleaved(void)
{
    fever_ref a = numbers_with(FEVER_WITH(.stream_items = 4), 100, 0), b = numbers_with(FEVER_WITH(.stream_items = 7), 100, 0);
    long      v, i = 0;

    for (; i < 100; i++)
        if (numbers_next(a, &v, RT_LONG) != 0 || v != i || numbers_next(b, &v, RT_LONG) != 0 || v != i)
            break;
    TAP_IS(i, 100, "two streams in turn");
    TAP_OK(end_of(a) == -FEVER_EEND && end_of(b) == -FEVER_EEND, "both end");
    fever_release(a);
    fever_release(b);
    fever_ref many[20];
    for (int k = 0; k < 20; k++) /* more than there are workers: spares stand in for those that wait */
        many[k] = numbers_with(FEVER_WITH(.stream_items = 2), 30, 0);
    for (i = 0; i < 30; i++)
        for (int k = 20; k-- > 0;)
            if (numbers_next(many[k], &v, RT_LONG) != 0 || v != i) {
                TAP_OK(false, "stream %d of 20 at %ld", k, i);
                goto out;
            }
    TAP_OK(true, "twenty streams in turn on two workers");
out:
    for (int k = 0; k < 20; k++)
        fever_release(many[k]);
}

static void test_abandoned(void)
{
    fever_ref s = numbers_with(FEVER_WITH(.stream_items = 4), 100, 8);

    atomic_store(&page->rc[8], 0);
    stands_at(8, 4, "nobody takes");
    fever_release(s);
    for (double end = rt_now() + RT_LONG; atomic_load(&page->rc[8]) == 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(atomic_load(&page->rc[8]), -FEVER_ECANCELED, "abandoned while it waits: the body is told");
    rt_balanced(0);
    s = numbers_remote(3, 10); /* abandoned after its end */
    TAP_IS(fever_wait_one(s, RT_LONG), 0, "it has ended");
    fever_release(s);
    fever_release(numbers_remote(100, 10)); /* before it starts, perhaps */
    rt_balanced(0);
}

static void test_nested(void)
{
    fever_ref   s = nests_remote(100), inner = FEVER_NULL_REF, r = FEVER_NULL_REF;
    const char *at;
    size_t      bytes;
    int         i = 0;

    while (fever_stream_next(s, &r, RT_LONG) == 0) {
        if (fever_get(r, &inner) != 0 || fever_view(inner, &at, &bytes) != 0 || bytes != 100 || at[99] != i)
            break;
        fever_release(r);
        i++;
    }
    TAP_IS(i, 100, "refs as items keep what they refer to alive");
    fever_release(s);
}

static void test_bad_input(void)
{
    fever_ref           s = numbers_remote(1, 0), r = FEVER_NULL_REF, object = FEVER_NULL_REF;
    struct fever_group *g;
    int                 v = 0;

    TAP_IS(fever_stream_next(s, NULL, 0), -FEVER_ENULL, "nowhere to put it");
    TAP_IS(fever_stream_next(FEVER_NULL_REF, &r, 0), -FEVER_ENULL, "null ref");
    TAP_IS(fever_stream_next(s, &r, (double)NAN), -FEVER_EINVAL, "not a number");
    fever_put("x", 1, &object);
    TAP_IS(fever_stream_next(object, &r, 0), -FEVER_EINVAL, "an object is no stream");
    fever_release(object);
    TAP_IS(fever_yield_raw(&v, sizeof v, 0), -FEVER_ECONTEXT, "yield in the driver");
    TAP_OK(fever_take(yields_in_task_remote(), &v) == 0 && v == -FEVER_ECONTEXT, "yield in a task that is no stream");
    fever_ref c = calls_in_place_remote();
    TAP_OK(calls_in_place_next(c, &v, RT_LONG) == 0 && v == -FEVER_ECONTEXT, "nor in a task in place within a stream");
    fever_release(c);
    TAP_IS(fever_stream_next(numbers_with(FEVER_WITH(.stream_items = 65537), 1, 0), &r, 0), -FEVER_EINVAL, "too wide");
    TAP_IS(fever_wait_one(yields_in_task_with(FEVER_WITH(.stream_items = 1)), 0), -FEVER_EINVAL, "its options for another task");
    TAP_IS(fever_group_open(&g), 0, "a group");
    struct fever_args_numbers args = {1, 0};
    TAP_IS(fever_group_submit(g, &fever_def_numbers, &args, sizeof args, NULL), -FEVER_EINVAL, "a group has no use for a stream");
    fever_group_close(g);
    fever_ref e = eats_itself_remote();
    TAP_IS(fever_wait_one(e, RT_LONG), 0, "a stream that wants an item of its own");
    TAP_IS(atomic_load(&page->rc[6]), -FEVER_EDEADLK, "is told");
    fever_release(e);
    take_numbers(s, 0, 1, "none of this has harmed the stream");
    fever_release(s);
    TAP_IS(fever_stream_next(s, &r, 0), -FEVER_ESTALE, "stale ref");
}

static void test_full_store(void)
{
    fever_ref s, r = FEVER_NULL_REF;
    int       i = 0, v = 0;

    rt_init(.workers = 1, .store_bytes = 16u << 20, .spill_dirs = "none");
    s = too_much_with(FEVER_WITH(.stream_bytes = 1u << 30));
    TAP_IS(fever_wait_one(s, RT_LONG), -FEVER_ESTOREFULL, "the store is full");
    while (fever_stream_next(s, &r, 0) == 0 && fever_get(r, &v) == -FEVER_ETYPE) {
        i++;
        fever_release(r);
    }
    TAP_OK(i > 5, "what had room is good: %d items", i);
    TAP_IS(fever_get(r, &v), -FEVER_ESTOREFULL, "the error comes behind it");
    fever_release(r);
    fever_release(s);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

static void test_inline(void)
{
    fever_ref s;
    long      v = 0;

    rt_init(.inline_tasks = 1);
    s = numbers_remote(1000, 0);
    take_numbers(s, 0, 1000, "inline");
    TAP_IS(numbers_next(s, &v, FEVER_FOREVER), -FEVER_EEND, "inline: the end");
    fever_release(s);
    s = numbers_remote(20000, 0);
    TAP_IS(fever_wait_one(s, 0), -FEVER_EDEADLK, "inline: more than can wait");
    fever_release(s);
    rt_balanced(0);
    rt_shutdown();
}

int main(void)
{
    rt_begin(200);
    page = rt_shared(sizeof *page);
    rt_init(.workers = 2);
    test_order();
    test_before_the_end();
    test_back_pressure();
    test_huge();
    test_errors();
    test_crashes();
    test_tasks_consume();
    test_interleaved();
    test_nested();
    test_bad_input();
    test_abandoned();
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
    test_full_store();
    test_inline();
    return tap_done();
}
