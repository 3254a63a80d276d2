/* t_actor_stream.c: methods with several results: streams, and parts of one.
 *
 * Run by:          the driver.
 */
#include "rt.h"

static struct shared {
    atomic_int attempts, yielded, gate;
} *shared;

struct feed {
    long total;
};
FEVER_ACTOR(struct feed, feed, (long, start)) { return self->total = start, 0; }
FEVER_METHOD(feed, long, total) { return self->total; }
FEVER_METHOD_STREAM(feed, long, squares, (long, n)) {
    for (long i = 0; i < n; i++) {
        self->total += i;
        if (fever_yield(i * i) < 0)
            return;
        atomic_fetch_add(&shared->yielded, 1);
    }
}
FEVER_METHOD_STREAM(feed, long, fails_after, (long, n)) {
    for (long i = 0; i < n; i++)
        fever_yield(i);
    fever_fail(7, "no more than %ld", n);
}
FEVER_METHOD_STREAM(feed, long, dies_once, (long, n)) { /* after the third item, the first time */
    for (long i = 0; i < n; i++) {
        fever_yield(i + self->total);
        if (i == 2 && atomic_fetch_add(&shared->attempts, 1) == 0)
            raise(SIGKILL);
    }
}
struct pair {
    long   low;
    double high;
};
FEVER_METHOD(feed, struct pair, both) { return (struct pair){self->total, 2.5}; }

struct four {
    long n[4];
};
FEVER_METHOD(feed, struct four, four) { return (struct four){{self->total, 1, 2, 3}}; }

static void streams(void)
{
    feed_actor a = feed_new(100);
    long v = 0, good = 0;
    int rc;
    fever_ref s = feed_squares_remote(a, 10);
    while ((rc = feed_squares_next(s, &v, RT_LONG)) == 0)
        good += v == good * good;
    TAP_IS(rc, -FEVER_EEND, "a method yields items; then the end");
    TAP_IS(good, 10, "all of them, in order");
    TAP_IS(fever_release(s), 0, "fever_release");
    TAP_OK(fever_take(feed_total_remote(a), &v) == 0 && v == 145, "it had the actor's state: %ld", v);

    s = feed_fails_after_remote(a, 3);
    for (good = 0; (rc = feed_fails_after_next(s, &v, RT_LONG)) == 0 && v == good; good++)
        ;
    TAP_OK(good == 3 && rc == -FEVER_EAPP, "three good items, then the error (%ld, %d)", good, rc);
    TAP_IS(feed_fails_after_next(s, &v, RT_LONG), -FEVER_EEND, "then the end");
    fever_release(s);
    TAP_IS(fever_take(feed_total_remote(a), &v), 0, "the actor lives");

    atomic_store(&shared->yielded, 0);
    s = feed_squares_with(FEVER_WITH(.stream_items = 2), a, 1000);
    fever_ref behind = feed_total_remote(a);
    TAP_OK(feed_squares_next(s, &v, RT_LONG) == 0 && v == 0, "the first of many");
    TAP_IS(fever_wait_one(behind, 0), -FEVER_ETIMEDOUT, "a call behind it waits");
    TAP_OK(atomic_load(&shared->yielded) <= 4, "it is no more than two items ahead: %d", atomic_load(&shared->yielded));
    TAP_IS(fever_release(s), 0, "nobody wants the rest");
    TAP_IS(fever_take(behind, &v), 0, "the call behind it has its turn");
    fever_actor_release(a.any);
}

static void crash(int retries)
{
    feed_actor a = feed_new_with(FEVER_ACTOR_WITH(.max_restarts = 1, .max_task_retries = retries), 10);
    long v = 0, good = 0;
    int rc;
    atomic_store(&shared->attempts, 0);
    fever_ref s = feed_dies_once_remote(a, 5);
    for (; (rc = feed_dies_once_next(s, &v, RT_LONG)) == 0 && v == 10 + good; good++)
        ;
    if (retries == 0)
        TAP_OK(good == 3 && rc == -FEVER_EACTORDOWN, "at most once: what was yielded is good, then it says that the actor is down (%ld, %d)", good, rc);
    else
        TAP_OK(good == 5 && rc == -FEVER_EEND, "repeated: it goes on behind what it had yielded (%ld, %d)", good, rc);
    fever_release(s);
    TAP_OK(fever_take(feed_total_remote(a), &v) == 0 && v == 10, "the actor is back");
    fever_actor_release(a.any);
}

static void parts(void)
{
    feed_actor a = feed_new(5);
    fever_ref  whole = feed_both_remote(a), low = FEVER_PART(whole, struct pair, low), high = FEVER_PART(whole, struct pair, high), n[4];
    long       v = 0;
    double     d = 0;
    TAP_OK(fever_take(high, &d) == 0 && d == 2.5, "a part of a method's result: %g", d);
    TAP_OK(fever_take(low, &v) == 0 && v == 5, "another: %ld", v);
    fever_release(whole);
    whole = feed_four_remote(a);
    TAP_IS(fever_parts(whole, 4, n), 0, "fever_parts");
    fever_release(whole);
    bool good = true;
    for (int i = 0; i < 4; i++)
        good &= fever_take(n[i], &v) == 0 && v == (i == 0 ? 5 : i);
    TAP_OK(good, "four results");
    fever_actor_release(a.any);
}

int main(void)
{
    rt_begin(120);
    shared = rt_shared(sizeof *shared);
    rt_init(.workers = 2);
    streams();
    crash(0);
    crash(2);
    parts();
    for (double end = rt_now() + RT_LONG; rt_stats().objects_live != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    return tap_done();
}
