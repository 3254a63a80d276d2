/* t_actor_name.c: actors that are found by a name, and actors that live without handles.
 *
 * Run by:          the driver, and tasks that make and find actors.
 */
#include "rt.h"

#include <pthread.h>
#include <string.h>

static struct shared {
    atomic_int constructed, destroyed, gate;
} *shared;

struct counter {
    long n;
};
FEVER_ACTOR(struct counter, counter, (long, start)) {
    atomic_fetch_add(&shared->constructed, 1);
    self->n = start;
    return 0;
}
FEVER_DESTRUCTOR(counter) {
    (void)self;
    atomic_fetch_add(&shared->destroyed, 1);
}
FEVER_METHOD(counter, long, add, (long, by)) { return self->n += by; }
FEVER_METHOD(counter, int, pid) { return (int)getpid(); }
FEVER_METHOD_VOID(counter, die) { raise(SIGKILL); }
FEVER_ACTOR(struct counter, other) {
    self->n = 0;
    return 0;
}
FEVER_METHOD(other, long, get) { return self->n; }

static long add(counter_actor a, long by)
{
    long v = 0;
    int  rc = fever_take(counter_add_remote(a, by), &v);
    return rc < 0 ? rc : v;
}

/* The name is nobody's any more: soon. */
static bool is_gone(const char *name_space, const char *name)
{
    counter_actor a;
    int rc;
    for (double end = rt_now() + RT_LONG; (rc = counter_find(name_space, name, &a)) != -FEVER_ENONAME && rt_now() < end; rt_nap())
        if (rc == 0)
            fever_actor_release(a.any);
    return rc == -FEVER_ENONAME;
}

static void names(void)
{
    counter_actor a, b, c;
    other_actor   o;
    fever_actor   any;
    TAP_IS(counter_find("", "one", &b), -FEVER_ENONAME, "nobody has the name");
    a = counter_new_with(FEVER_ACTOR_WITH(.registered = "one"), 5);
    TAP_IS(add(a, 1), 6, "an actor with a name");
    TAP_IS(counter_find("", "one", &b), 0, "it is found");
    TAP_IS(b.any.id, a.any.id, "that one");
    TAP_IS(add(b, 1), 7, "and called");
    TAP_IS(fever_actor_find(NULL, NULL, "one", &any), 0, "found, whatever it is");
    fever_actor_release(any);
    TAP_IS(other_find("", "one", &o), -FEVER_ETYPE, "not as what it is not");
    TAP_IS(counter_find("elsewhere", "one", &c), -FEVER_ENONAME, "not in another namespace");
    c = counter_new_with(FEVER_ACTOR_WITH(.registered = "one"), 1);
    TAP_IS(add(c, 1), -FEVER_ENAMETAKEN, "the name is taken");
    c = counter_new_with(FEVER_ACTOR_WITH(.registered = "one", .name_space = "elsewhere"), 1);
    TAP_IS(add(c, 1), 2, "in another namespace it is not");
    fever_actor_release(c.any);
    c = counter_new_with(FEVER_ACTOR_WITH(.registered = "one", .get_if_exists = 1), 1);
    TAP_IS(c.any.id, a.any.id, "get_if_exists: the one that exists");
    fever_actor_release(c.any);
    o = other_new_with(FEVER_ACTOR_WITH(.registered = "one", .get_if_exists = 1));
    long v;
    TAP_IS(fever_take(other_get_remote(o), &v), -FEVER_ETYPE, "not as what it is not");
    fever_actor_release(a.any);
    TAP_IS(add(b, 1), 8, "who has found it keeps it alive");
    fever_actor_release(b.any);
    TAP_OK(is_gone("", "one"), "the name goes with the actor");
    a = counter_new_with(FEVER_ACTOR_WITH(.registered = "one", .get_if_exists = 1), 10);
    TAP_IS(add(a, 1), 11, "another may have it then; get_if_exists makes one");
    fever_actor_kill(a.any, 0);
    TAP_IS(counter_find("", "one", &b), -FEVER_ENONAME, "one that is dead has no name");
    b = counter_new_with(FEVER_ACTOR_WITH(.registered = "one", .max_restarts = 1), 20);
    TAP_IS(add(b, 1), 21, "nor keeps it from others");
    counter_die_send(b);
    TAP_IS(add(b, 2), 22, "restarted");
    TAP_IS(counter_find("", "one", &c), 0, "it keeps its name");
    fever_actor_release(a.any), fever_actor_release(b.any), fever_actor_release(c.any);
}

static void bad_input(void)
{
    counter_actor a;
    fever_actor   any;
    char          wide[64] = "";
    memset(wide, 'x', 48);
    TAP_IS(counter_find("", NULL, &a), -FEVER_ENULL, "no name");
    TAP_IS(counter_find("", "a", NULL), -FEVER_ENULL, "nowhere for the handle");
    TAP_IS(counter_find("", "", &a), -FEVER_EINVAL, "an empty name");
    TAP_IS(counter_find("", wide, &a), -FEVER_EINVAL, "one that is too long");
    TAP_IS(counter_find(wide, "a", &a), -FEVER_EINVAL, "a namespace that is");
    TAP_IS(fever_actor_find(&fever_def_counter_add, "", "a", &any), -FEVER_ENOTASK, "a method in place of a constructor");
    TAP_IS(add(counter_new_with(FEVER_ACTOR_WITH(.registered = ""), 1), 1), -FEVER_EINVAL, "to register an empty name");
    TAP_IS(add(counter_new_with(FEVER_ACTOR_WITH(.registered = wide), 1), 1), -FEVER_EINVAL, "one that is too long");
    TAP_IS(add(counter_new_with(FEVER_ACTOR_WITH(.name_space = "a"), 1), 1), -FEVER_EINVAL, "a namespace without a name");
    TAP_IS(add(counter_new_with(FEVER_ACTOR_WITH(.get_if_exists = 1), 1), 1), -FEVER_EINVAL, "get_if_exists without a name");
    TAP_IS(add(counter_new_with(FEVER_ACTOR_WITH(.detached = 2), 1), 1), -FEVER_EINVAL, "detached is 0 or 1");
    wide[47] = '\0';
    a = counter_new_with(FEVER_ACTOR_WITH(.registered = wide), 1);
    TAP_IS(add(a, 1), 2, "the longest name");
    fever_actor_release(a.any);
}

/* Gets it or makes it, and uses it: it never is one that ends. */
FEVER_TASK(int, uses, (int, n)) {
    for (int i = 0; i < n; i++) {
        counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.registered = "shared", .get_if_exists = 1), 0);
        long rc = add(a, 1);
        if (rc <= 0)
            return (int)rc;
        fever_actor_release(a.any);
    }
    return n;
}

FEVER_TASK(int, joins, (int, x)) {
    counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.registered = "common", .get_if_exists = 1), 0);
    long rc = add(a, 1);
    while (atomic_load(&shared->gate) == 0)
        rt_nap();
    return rc <= 0 ? (int)rc : x;
}

static void together(void)
{
    fever_ref r[8];
    int v = 0, made = atomic_load(&shared->constructed);
    atomic_store(&shared->gate, 0);
    for (int i = 0; i < 2; i++)
        r[i] = joins_remote(7);
    counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.registered = "common", .get_if_exists = 1), 0);
    TAP_OK(add(a, 1) > 0, "three of us want it");
    atomic_store(&shared->gate, 1);
    bool good = true;
    for (int i = 0; i < 2; i++)
        good &= fever_take(r[i], &v) == 0 && v == 7;
    TAP_OK(good, "all have it");
    TAP_IS(atomic_load(&shared->constructed), made + 1, "it was made once");
    fever_actor_release(a.any);
    for (int i = 0; i < 2; i++)
        r[i] = uses_remote(20);
    good = true;
    for (int i = 0; i < 20; i++) {
        a = counter_new_with(FEVER_ACTOR_WITH(.registered = "shared", .get_if_exists = 1), 0);
        long rc = add(a, 1);
        if (rc <= 0)
            tap_diag("round %d: %ld", i, rc);
        good &= rc > 0;
        fever_actor_release(a.any);
    }
    for (int i = 0; i < 2; i++) {
        int rc = fever_take(r[i], &v);
        if (rc != 0 || v != 20)
            tap_diag("task %d: rc %d, %d", i, rc, v);
        good &= rc == 0 && v == 20;
    }
    TAP_OK(good, "made, found and let go of at the same time: nobody is given one that ends");
}

static void *loops(void *bad)
{
    for (int i = 0; i < 60; i++) {
        counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.registered = "threads", .get_if_exists = 1), 0);
        *(long *)bad += add(a, 1) <= 0;
        fever_actor_release(a.any);
    }
    return NULL;
}

/* Two threads of one process: one finds it while the other lets go of the last handle. */
static void threads(void)
{
    pthread_t t;
    long      bad[2] = {0, 0};
    TAP_IS(pthread_create(&t, NULL, loops, &bad[0]), 0, "another thread");
    loops(&bad[1]);
    pthread_join(t, NULL);
    TAP_IS(bad[0] + bad[1], 0, "nobody is given one that ends");
    TAP_OK(is_gone("", "threads"), "it ends when nobody has it");
}

FEVER_TASK(int, makes_and_dies, (int, detached)) {
    counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.registered = "orphan", .detached = detached, .name = "orphan"), 30);
    if (add(a, 1) == 31)
        raise(SIGKILL);
    return 1;
}
FEVER_TASK(int, makes, (int, x)) {
    counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.registered = "left", .detached = 1), 40);
    (void)a;
    return x;
}

static void detached(void)
{
    counter_actor a;
    int v = 0, destroyed = atomic_load(&shared->destroyed);
    fever_ref r = makes_and_dies_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 0);
    TAP_IS(fever_get(r, &v), -FEVER_ECRASHED, "who has made an actor dies");
    fever_release(r);
    TAP_OK(rt_until(&shared->destroyed, destroyed + 1), "the actor ends");
    TAP_OK(is_gone("", "orphan"), "its name is free");
    r = makes_and_dies_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), 1);
    TAP_IS(fever_get(r, &v), -FEVER_ECRASHED, "the same, detached");
    fever_release(r);
    TAP_IS(counter_find("", "orphan", &a), 0, "it is there");
    TAP_IS(add(a, 1), 32, "with its state");
    fever_actor_release(a.any);
    TAP_IS(counter_find("", "orphan", &a), 0, "without any handle, too");
    TAP_IS(add(a, 1), 33, "the same");
    TAP_IS(fever_actor_kill(a.any, 0), 0, "it can be killed");
    TAP_IS(counter_find("", "orphan", &a), -FEVER_ENONAME, "then it is gone");
    fever_actor_release(a.any);
    TAP_IS(fever_take(makes_remote(1), &v), 0, "made in a task");
    TAP_IS(counter_find("", "left", &a), 0, "outlives it");
    TAP_IS(add(a, 1), 41, "and works");
    fever_actor_kill(a.any, 0);
    fever_actor_release(a.any);
    a = counter_new_with(FEVER_ACTOR_WITH(.detached = 1), 50);
    fever_actor_retain(a.any);
    fever_actor_release(a.any);
    TAP_IS(add(a, 1), 51, "detached, without a name");
    fever_actor_kill(a.any, 0);
    fever_actor_release(a.any);
}

static void rest(void)
{
    double end = rt_now() + RT_LONG;
    while (rt_stats().objects_live != 0 && rt_now() < end)
        rt_nap();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
}

int main(void)
{
    rt_begin(120);
    shared = rt_shared(sizeof *shared);
    rt_init(.workers = 2, .max_actors = 8);
    names();
    rest();
    bad_input();
    rest();
    together();
    rest();
    threads();
    rest();
    detached();
    rest();
    counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.registered = "last", .detached = 1), 1);
    TAP_IS(add(a, 1), 2, "one lives until the runtime ends");
    fever_actor_release(a.any);
    rt_shutdown();
    rt_init(.workers = 1);
    TAP_IS(counter_find("", "last", &a), -FEVER_ENONAME, "the next runtime knows nothing of it");
    rt_shutdown();
    return tap_done();
}
