/* t_pool.c: pools of actors.
 *
 * Run by:          the driver, and a task.
 */
#include "rt.h"

static struct shared {
    atomic_int gate, begun, calls[4], asked;
    int rc[4];
} *shared;

struct clerk {
    int number;
};
FEVER_ACTOR(struct clerk, clerk, (int, number)) { return self->number = number, 0; }
FEVER_METHOD(clerk, long, twice, (long, x)) {
    atomic_fetch_add(&shared->calls[self->number], 1);
    return 2 * x;
}
FEVER_METHOD(clerk, int, number) { return self->number; }
FEVER_METHOD(clerk, long, slow, (long, x), (int, gate)) {
    atomic_fetch_add(&shared->calls[self->number], 1);
    atomic_fetch_add(&shared->begun, 1);
    while (atomic_load(&shared->gate) < gate)
        rt_nap();
    return x;
}
FEVER_METHOD(clerk, long, dies, (long, x)) { return x == 3 ? (raise(SIGKILL), 0) : x; }
FEVER_ACTOR(int, other) { return *self = 0; }
FEVER_METHOD(other, int, nothing) { return *self; }
FEVER_TASK(long, plain, (long, x)) { return x; }

static void hire(struct fever_pool *pool, int n)
{
    for (int i = 0; i < n; i++) {
        clerk_actor c = clerk_new(i);
        TAP_IS(fever_pool_push(pool, c.any), 0, "actor %d", i);
        fever_actor_release(c.any);
    }
}

static void order(void)
{
    struct fever_pool *pool;
    fever_ref r;
    long v = 0, sum = 0;
    TAP_IS(fever_pool_open(&pool), 0, "fever_pool_open");
    TAP_IS(fever_pool_next(pool, &r, 0), -FEVER_EEND, "no calls: no results");
    fever_pool_call(pool, clerk_twice, 1);
    TAP_IS(fever_pool_next(pool, &r, FEVER_FOREVER), -FEVER_EDEADLK, "no actors: nobody would come");
    hire(pool, 3);
    TAP_OK(fever_pool_next(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == 0 && v == 2, "the call that waited is made");
    for (long i = 0; i < 100; i++)
        fever_pool_call(pool, clerk_twice, i);
    TAP_IS(fever_pool_has_next(pool), 100, "100 results are to come");
    bool good = true;
    for (long i = 0; i < 100; i++)
        good &= fever_pool_next(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == 0 && v == 2 * i;
    TAP_OK(good, "in the order of the calls");
    TAP_OK(fever_pool_has_next(pool) == 0 && fever_pool_next(pool, &r, FEVER_FOREVER) == -FEVER_EEND, "then there are none");

    atomic_store(&shared->gate, 0);
    atomic_store(&shared->begun, 0);
    fever_pool_call(pool, clerk_slow, 100, 1);
    for (long i = 0; i < 10; i++)
        fever_pool_call(pool, clerk_slow, i, 0);
    for (int i = 0; i < 10; i++)
        good &= fever_pool_next_unordered(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == 0 && v != 100 ? (sum += v, true) : false;
    TAP_OK(good && sum == 45, "unordered: a slow one holds up nobody");
    TAP_IS(fever_pool_next(pool, &r, 0), -FEVER_ETIMEDOUT, "it is not there yet");
    TAP_IS(fever_pool_next_unordered(pool, &r, 0.01), -FEVER_ETIMEDOUT, "nor a little later");
    atomic_store(&shared->gate, 1);
    TAP_OK(fever_pool_next(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == 0 && v == 100, "at last");

    long in[50], out[50];
    for (long i = 0; i < 50; i++)
        in[i] = i;
    struct fever_args_clerk_twice *args = (void *)in;
    TAP_IS(fever_pool_map(pool, clerk_twice, args, 50, out), 0, "fever_pool_map");
    for (long i = 0; i < 50; i++)
        good &= out[i] == 2 * i;
    TAP_OK(good, "its results, in order");
    for (int i = 0; i < 3; i++)
        atomic_store(&shared->calls[i], 0);
    atomic_store(&shared->begun, 0);
    for (long i = 0; i < 3; i++)
        fever_pool_call(pool, clerk_slow, i, 2);
    TAP_OK(rt_until(&shared->begun, 3), "three calls are run at a time");
    TAP_OK(atomic_load(&shared->calls[0]) == 1 && atomic_load(&shared->calls[1]) == 1 && atomic_load(&shared->calls[2]) == 1, "one by each actor");
    atomic_store(&shared->gate, 2);
    for (long i = 0; i < 3; i++)
        good &= fever_pool_next(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == 0 && v == i;
    TAP_OK(good, "their results");
    fever_pool_call(pool, clerk_twice, 1);
    TAP_IS(fever_pool_map(pool, clerk_twice, args, 50, out), -FEVER_ESTATE, "not while results are to come");
    TAP_IS(fever_pool_close(pool), 0, "fever_pool_close drops them");
}

static void members(void)
{
    struct fever_pool *pool;
    fever_actor a = {0}, b = {0};
    fever_ref r;
    long v = 0;
    fever_pool_open(&pool);
    hire(pool, 2);
    atomic_store(&shared->gate, 0);
    atomic_store(&shared->begun, 0);
    fever_pool_call(pool, clerk_slow, 7, 1);
    TAP_IS(fever_pool_pop_idle(pool, &a), 0, "one is idle");
    TAP_IS(fever_pool_pop_idle(pool, &b), -FEVER_EAGAIN, "the other is not");
    TAP_IS(fever_pool_push(pool, a), 0, "it comes back");
    TAP_IS(fever_pool_push(pool, a), -FEVER_EINVAL, "twice it cannot");
    fever_actor_release(a);
    atomic_store(&shared->gate, 1);
    TAP_OK(fever_pool_next(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == 0 && v == 7, "its result is there");
    int bad = 0;
    for (long i = 0; i < 6; i++)
        fever_pool_call(pool, clerk_dies, i);
    for (long i = 0; i < 6; i++)
        if (fever_pool_next(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == -FEVER_EACTORDEAD)
            bad++, fever_release(r);
    TAP_OK(bad >= 1, "an actor that dies: its calls say so (%d)", bad);
    TAP_IS(fever_pool_close(pool), 0, "fever_pool_close");
}

/* What a cancelled task hears of a call that runs, and of one behind it. */
FEVER_TASK(int, is_cancelled) {
    struct fever_pool *pool;
    fever_actor a;
    fever_ref r;
    long v = 0;
    int rc;
    if (fever_pool_open(&pool) < 0)
        return -1;
    clerk_actor c = clerk_new(0);
    fever_pool_push(pool, c.any);
    fever_actor_release(c.any);
    fever_pool_call(pool, clerk_slow, 5, 1);
    fever_pool_call(pool, clerk_slow, 6, 1);
    rt_until(&shared->begun, 1);
    while (atomic_store(&shared->asked, 1), !fever_cancelled())
        rt_nap();
    shared->rc[0] = fever_pool_next(pool, &r, 0);
    shared->rc[1] = fever_pool_pop_idle(pool, &a);
    shared->rc[2] = (int)fever_pool_has_next(pool);
    atomic_store(&shared->gate, 1);
    for (double end = rt_now() + RT_LONG; (rc = fever_pool_next(pool, &r, 0)) == -FEVER_ECANCELED && rt_now() < end;)
        rt_nap();
    shared->rc[3] = rc == 0 && fever_take(r, &v) == 0 ? (int)v : rc;
    return fever_pool_close(pool);
}

static void cancelled(void)
{
    int v = 0;
    atomic_store(&shared->gate, 0);
    atomic_store(&shared->begun, 0);
    fever_ref r = is_cancelled_remote();
    TAP_OK(rt_until(&shared->asked, 1) && fever_cancel(r, FEVER_CANCEL_ONLY) == 1, "a task with a pool is cancelled, its calls are not");
    TAP_IS(fever_take(r, &v), -FEVER_ECANCELED, "it ends so");
    fever_release(r);
    TAP_IS(shared->rc[0], -FEVER_ECANCELED, "until then a call that runs has no result");
    TAP_IS(shared->rc[1], -FEVER_EAGAIN, "its actor is not idle");
    TAP_IS(shared->rc[2], 2, "two results are to come");
    TAP_IS(shared->rc[3], 5, "when it has ended there is one");
}

/* Calls that are not made, and those that nobody would make. */
static void not_made(void)
{
    struct fever_pool *pool;
    fever_ref r;
    long v = 0, in[4] = {0, 1, 2, 3}, out[4];
    struct fever_args_clerk_twice *args = (void *)in;
    fever_pool_open(&pool);
    TAP_IS(fever_pool_map(pool, clerk_twice, args, 4, out), -FEVER_EDEADLK, "a map without actors");
    TAP_IS(fever_pool_has_next(pool), 0, "leaves nothing");
    hire(pool, 2);
    TAP_OK(fever_pool_map(pool, clerk_twice, args, 4, out) == 0 && out[3] == 6, "the next one is made");
    atomic_store(&shared->gate, 0);
    atomic_store(&shared->begun, 0);
    fever_pool_call(pool, clerk_slow, 1, 2);
    fever_pool_call(pool, clerk_slow, 2, 1);
    fever_pool_call(pool, other_nothing);
    TAP_OK(rt_until(&shared->begun, 2), "two calls are run, a third one is of another actor's method");
    atomic_store(&shared->gate, 1);
    TAP_IS(fever_pool_next(pool, &r, 0.2), -FEVER_ETIMEDOUT, "who waits for the first does not hear of that");
    atomic_store(&shared->gate, 2);
    for (long i = 1; i < 3; i++)
        TAP_OK(fever_pool_next(pool, &r, RT_LONG) == 0 && fever_take(r, &v) == 0 && v == i, "result %ld", i);
    TAP_OK(fever_pool_next(pool, &r, RT_LONG) == 0 && fever_wait_one(r, 0) == -FEVER_ETYPE, "its own ref tells");
    TAP_IS(fever_pool_close(pool), 0, "fever_pool_close");
}

static void wrong(void)
{
    struct fever_pool *pool;
    fever_ref r;
    long x = 1;
    fever_pool_open(&pool);
    TAP_IS(fever_pool_open(NULL), -FEVER_ENULL, "no place for the pool");
    TAP_IS(fever_pool_submit(pool, &fever_def_plain, &x, sizeof x), -FEVER_ENOTASK, "a task is no method");
    TAP_IS(fever_pool_submit(pool, &fever_def_clerk_twice, &x, 4), -FEVER_EINVAL, "not its arguments");
    TAP_IS(fever_pool_submit(NULL, &fever_def_clerk_twice, &x, sizeof x), -FEVER_ENULL, "no pool");
    TAP_OK(fever_pool_push(pool, (fever_actor){0}) < 0, "no actor");
    TAP_IS(fever_pool_next(pool, &r, 0.0 / 0.0), -FEVER_EINVAL, "not a time");
    TAP_IS(fever_pool_close(pool), 0, "fever_pool_close");
    TAP_IS(fever_pool_close(NULL), 0, "no pool is fine");
}

FEVER_TASK(long, in_task, (long, n)) {
    struct fever_pool *pool;
    long sum = 0, v;
    fever_ref r;
    if (fever_pool_open(&pool) < 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        clerk_actor c = clerk_new(i);
        fever_pool_push(pool, c.any);
        fever_actor_release(c.any);
    }
    for (long i = 0; i < n; i++)
        fever_pool_call(pool, clerk_twice, i);
    while (fever_pool_next_unordered(pool, &r, FEVER_FOREVER) == 0)
        sum += fever_take(r, &v) == 0 ? v : 1000000;
    return fever_pool_close(pool) == 0 ? sum : -2;
}

int main(void)
{
    long v = 0;
    rt_begin(120);
    shared = rt_shared(sizeof *shared);
    rt_init(.workers = 2);
    order();
    members();
    cancelled();
    not_made();
    wrong();
    TAP_OK(fever_take(in_task_remote(50), &v) == 0 && v == 2450, "a pool in a task: %ld", v);
    for (double end = rt_now() + RT_LONG; rt_stats().objects_live != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    return tap_done();
}
