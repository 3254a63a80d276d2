/* t_deadlock.c: tasks and methods that wait for each other in a circle: one of them is told, the others go on.
 *
 * Run by:          the driver; the circles are among bodies.
 */
#include "rt.h"

#include <string.h>

static struct shared {
    atomic_int told, inside, done;
    int        rc;
    char       why[8][400];
} *shared;

/* What a wait gave is the result; who was refused leaves word. */
static int told(int rc)
{
    if (rc == -FEVER_EDEADLK)
        snprintf(shared->why[atomic_fetch_add(&shared->told, 1) & 7], sizeof shared->why[0], "%s", fever_why());
    return rc;
}

static int await(fever_ref r)
{
    int v = 0, rc = told(fever_get(r, &v));

    fever_release(r);
    return rc;
}

struct none {
    int unused;
};
FEVER_ACTOR(struct none, node) {
    (void)self;
    return 0;
}
FEVER_METHOD(node, int, nothing) { return 0; }
FEVER_METHOD(node, int, takes, (fever_ref, r)) {
    (void)r;
    return 0;
}
FEVER_METHOD(node, int, itself) { return await(node_nothing_remote((node_actor){fever_actor_self()})); }
/* asks the first, which asks the others, and so on; the last asks whoever is named last */
struct way {
    int        n;
    node_actor to[4];
};
FEVER_METHOD(node, int, ask, (struct way, w)) {
    node_actor next = w.to[0];
    if (w.n == 0)
        return 0;
    w.n--;
    memmove(w.to, w.to + 1, sizeof w.to - sizeof w.to[0]);
    return await(node_ask_remote(next, w));
}
FEVER_METHOD(node, int, end) { return told(fever_actor_wait(fever_actor_self(), FEVER_FOREVER)); }
FEVER_METHOD(node, int, patient) {
    int       v;
    fever_ref r = node_nothing_remote((node_actor){fever_actor_self()});
    int       rc = fever_get_for(r, &v, 0.05);
    fever_release(r);
    return rc;
}

/* waits for the task whose ref it finds in a promise */
struct box {
    fever_ref in;
};
FEVER_TASK(int, waits_for, (struct box, b)) {
    fever_ref other = {0};
    int       v = 0, rc = fever_get(b.in, &other);
    return rc < 0 ? rc : told(fever_get(other, &v));
}
FEVER_METHOD(node, int, waits_for, (struct box, b)) {
    fever_ref other = {0};
    int       v = 0, rc = fever_get(b.in, &other);
    return rc < 0 ? rc : told(fever_get(other, &v));
}
FEVER_TASK(int, needs, (fever_ref, r)) {
    (void)r;
    return 1;
}
/* makes a task that needs its own result, and waits for it */
FEVER_TASK(int, argument, (struct box, b)) {
    fever_ref own = {0};
    int       rc = fever_get(b.in, &own);
    return rc < 0 ? rc : await(needs_remote(own));
}
/* the same through a mailbox: what is waited for is behind what waits for that */
FEVER_TASK(int, behind, (struct box, b), (node_actor, a)) {
    fever_ref own = {0}, need, call;
    int       rc = fever_get(b.in, &own);
    if (rc < 0)
        return rc;
    need = needs_remote(own);
    call = node_takes_remote(a, need);
    rc = await(node_nothing_remote(a));
    fever_release(need), fever_release(call);
    return rc;
}
FEVER_TASK(int, both, (struct box, b), (node_actor, a)) {
    fever_ref own = {0}, r[2];
    bool      ready[2];
    int       rc = fever_get(b.in, &own);
    if (rc < 0)
        return rc;
    r[0] = node_nothing_remote(a), r[1] = needs_remote(own);
    rc = told(fever_wait(r, 2, 2, FEVER_FOREVER, ready));
    fever_release(r[0]), fever_release(r[1]);
    return rc;
}

/* ends the actor that waits for this: that wait is about to be over */
FEVER_METHOD(node, int, kills, (node_actor, other)) {
    shared->rc = told(fever_actor_kill(other.any, 0));
    atomic_store(&shared->done, 1);
    return shared->rc;
}
FEVER_METHOD(node, int, is_killed, (node_actor, by)) { return await(node_kills_remote(by, (node_actor){fever_actor_self()})); }
/* gives somebody who sleeps what he waits for, then waits for him */
FEVER_STREAM(int, feeds, (struct box, b)) {
    fever_ref other = {0};
    int       v = 0, rc = fever_get(b.in, &other);
    if (rc == 0 && (rc = feeds_yield(1)) == 0)
        rc = told(fever_get(other, &v));
    shared->rc = rc;
    atomic_store(&shared->done, 1);
}
FEVER_TASK(int, eats, (fever_ref, stream)) {
    fever_ref item = {0};
    atomic_store(&shared->inside, 1);
    int rc = told(fever_stream_next(stream, &item, FEVER_FOREVER));
    fever_release(item);
    return rc;
}

/* ------------------------------------------------------------------------------------------------ tests */

static void begin(void)
{
    atomic_store(&shared->told, 0);
    memset(shared->why, 0, sizeof shared->why);
}

/* one of them was told, and its text names these */
static void one_told(const char *what, const char *a, const char *b)
{
    TAP_IS(atomic_load(&shared->told), 1, "%s: one is told", what);
    TAP_OK(strstr(shared->why[0], a) != NULL && strstr(shared->why[0], b) != NULL && strstr(shared->why[0], "waits for") != NULL, "%s: %s", what, shared->why[0]);
}

static int take(fever_ref r)
{
    int v = 4711, rc = fever_take(r, &v);

    return rc < 0 ? rc : v;
}

static fever_ref open_box(struct box *b)
{
    fever_ref p;

    fever_promise(&p);
    b->in = p;
    return p;
}

/* What the last circle has left in their mailboxes is done. */
static void settle(node_actor a, node_actor b, node_actor c)
{
    TAP_IS(take(node_ask_remote(c, (struct way){0})) + take(node_ask_remote(b, (struct way){0})) + take(node_ask_remote(a, (struct way){0})), 0,
           "they go on");
}

static void actors(void)
{
    node_actor a = node_new(), b = node_new(), c = node_new();

    begin();
    TAP_IS(take(node_itself_remote(a)), -FEVER_EDEADLK, "a method that waits for its own actor");
    one_told("itself", "node.itself (pid", "node.nothing, queued behind node.itself");
    TAP_IS(take(node_nothing_remote(a)), 0, "the actor goes on");
    begin();
    int rc = take(node_ask_remote(a, (struct way){2, {b, a}}));
    TAP_OK(rc == 0 || rc == -FEVER_EDEADLK, "two that wait for each other: %d", rc);
    one_told("two", "node.ask (pid", ", queued behind node.ask");
    settle(a, b, c);
    begin();
    rc = take(node_ask_remote(a, (struct way){3, {b, c, a}}));
    TAP_OK(rc == 0 || rc == -FEVER_EDEADLK, "three: %d", rc);
    one_told("three", "node.ask (pid", ", which waits for node.ask");
    settle(a, b, c);
    begin();
    TAP_IS(take(node_ask_remote(a, (struct way){3, {b, c, b}})), 0, "one outside of the circle");
    one_told("outside", "node.ask (pid", ", which waits for node.ask");
    begin();
    TAP_IS(take(node_end_remote(a)), -FEVER_EDEADLK, "a method that waits for the end of its actor");
    one_told("end", "node.end (pid", "waits for");
    begin();
    TAP_IS(take(node_patient_remote(a)), -FEVER_ETIMEDOUT, "with a time limit: that ends it");
    TAP_IS(atomic_load(&shared->told), 0, "nobody is told");
    fever_actor_release(a.any), fever_actor_release(b.any), fever_actor_release(c.any);
}

static void tasks(void)
{
    struct box b, d;
    fever_ref  p, q, r, s;
    node_actor a = node_new();
    int        v = 0, w = 0;

    begin();
    p = open_box(&b), q = open_box(&d);
    r = waits_for_remote(b), s = waits_for_remote(d);
    fever_promise_set(p, &s, sizeof s), fever_promise_set(q, &r, sizeof r);
    TAP_IS(fever_get(r, &v), 0, "two tasks that wait for each other: one");
    TAP_IS(fever_get(s, &w), 0, "the other");
    TAP_OK((v == -FEVER_EDEADLK) != (w == -FEVER_EDEADLK) && v + w == -FEVER_EDEADLK, "one gets the error, one the result: %d, %d", v, w);
    one_told("tasks", "waits_for (pid", "which waits for waits_for (pid");
    fever_release(p), fever_release(q), fever_release(r), fever_release(s);

    begin();
    p = open_box(&b), q = open_box(&d);
    r = waits_for_remote(b), s = node_waits_for_remote(a, d);
    fever_promise_set(p, &s, sizeof s), fever_promise_set(q, &r, sizeof r);
    TAP_IS(fever_get(r, &v), 0, "a task and a method: one");
    TAP_IS(fever_get(s, &w), 0, "the other");
    TAP_OK(v + w == -FEVER_EDEADLK, "one gets the error, one the result: %d, %d", v, w);
    one_told("task and method", "waits_for (pid", "node.waits_for (pid");
    fever_release(p), fever_release(q), fever_release(r), fever_release(s);

    begin();
    p = open_box(&b);
    r = argument_remote(b);
    fever_promise_set(p, &r, sizeof r);
    TAP_IS(fever_get(r, &v), 0, "a task that waits for one that needs its result");
    TAP_IS(v, -FEVER_EDEADLK, "is told");
    one_told("argument", "argument (pid", "needs, which waits for argument (pid");
    fever_release(p), fever_release(r);

    begin();
    p = open_box(&b);
    r = both_remote(b, a);
    fever_promise_set(p, &r, sizeof r);
    TAP_IS(fever_get(r, &v), 0, "one that waits for several, of which one needs its result");
    TAP_IS(v, -FEVER_EDEADLK, "is told");
    one_told("several", "both (pid", "needs, which waits for both (pid");
    fever_release(p), fever_release(r);

    begin();
    p = open_box(&b);
    r = behind_remote(b, a);
    fever_promise_set(p, &r, sizeof r);
    TAP_IS(fever_get(r, &v), 0, "one that waits for a call behind one that is not ready");
    TAP_IS(v, -FEVER_EDEADLK, "is told");
    one_told("behind", "behind (pid", "node.takes");
    fever_release(p), fever_release(r);
    fever_actor_release(a.any);
}

/* Many waits, none of them for itself. */
FEVER_TASK(int, asks, (node_actor, a), (node_actor, b), (int, n)) {
    for (int i = 0; i < n; i++) {
        int v = 0, rc = fever_take(node_ask_remote(a, (struct way){1, {b}}), &v);
        if (rc < 0 || v < 0)
            return rc < 0 ? rc : v;
    }
    return 0;
}
FEVER_TASK(long, tree, (int, depth)) {
    long v = 0, w = 0;
    if (depth == 0)
        return 1;
    fever_ref r = tree_remote(depth - 1), s = tree_remote(depth - 1);
    int rc = told(fever_take(r, &v));
    return rc < 0 || (rc = told(fever_take(s, &w))) < 0 ? -1000000 : v + w;
}

static void sound(void)
{
    node_actor a = node_new(), b = node_new(), c = node_new();
    fever_ref  r[6];
    long       n = 0;

    begin();
    for (int i = 0; i < 6; i++)
        r[i] = asks_remote(i % 2 ? a : b, c, 300);
    TAP_IS(fever_take(tree_remote(4), &n), 0, "nested tasks meanwhile");
    TAP_IS(n, 16, "have their results");
    for (int i = 0; i < 6; i++)
        TAP_IS(take(r[i]), 0, "waits without a circle: %d", i);
    TAP_IS(atomic_load(&shared->told), 0, "nobody is told");
    fever_actor_release(a.any), fever_actor_release(b.any), fever_actor_release(c.any);
}

/* Circles that are about to open: who has been rung, or is to be killed, goes on. */
static void opening(void)
{
    int bad = 0, v = 0, times = 20;

    begin();
    for (int i = 0; i < times; i++) {
        node_actor a = node_new(), b = node_new();
        atomic_store(&shared->done, 0);
        fever_ref r = node_is_killed_remote(a, b);
        int       rc = fever_get(r, &v);
        bad += rc != -FEVER_EACTORDEAD || !rt_until(&shared->done, 1) || shared->rc != 0;
        fever_release(r);
        fever_actor_release(a.any), fever_actor_release(b.any);
    }
    TAP_IS(bad, 0, "an actor is killed by the one that it waits for: %d times", times);
    bad = 0;
    for (int i = 0; i < times; i++) {
        struct box b;
        fever_ref  p = open_box(&b), stream = feeds_remote(b), r;
        atomic_store(&shared->inside, 0), atomic_store(&shared->done, 0);
        r = eats_remote(stream);
        bad += !rt_until(&shared->inside, 1);
        for (int k = 0; k < 5; k++)
            rt_nap(); /* as a rule it sleeps then */
        fever_promise_set(p, &r, sizeof r);
        bad += fever_get(r, &v) != 0 || v != 0 || !rt_until(&shared->done, 1) || shared->rc != 0;
        fever_release(r), fever_release(p), fever_release(stream);
    }
    TAP_IS(bad, 0, "a stream's producer waits for who takes what it has yielded: %d times", times);
    TAP_IS(atomic_load(&shared->told), 0, "nobody is told");
}

static void rest(void)
{
    for (double end = rt_now() + RT_LONG; rt_stats().objects_live != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
}

int main(void)
{
    rt_begin(120);
    shared = rt_shared(sizeof *shared);
    TAP_OK(strcmp(fever_why(), "") == 0, "nothing to tell before");
    rt_init(.workers = 2, .max_actors = 8);
    TAP_OK(strcmp(fever_why(), "") == 0, "nothing to tell");
    actors();
    rest();
    tasks();
    rest();
    sound();
    rest();
    opening();
    rest();
    rt_shutdown();
    return tap_done();
}
