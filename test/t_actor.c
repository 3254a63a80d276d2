/* t_actor.c: actors: state, order, results, errors, deaths, restarts, ends.
 *
 * Run by:          the driver, which calls actors in processes of their own.
 */
#include "rt.h"

#include <string.h>

static struct shared {
    atomic_int begun, ended, destroyed, constructed, gate, ran[1024];
} *shared;

/* ------------------------------------------------------------------------------------------------ actors */

struct counter {
    long n;
};
FEVER_ACTOR(struct counter, counter, (long, start)) {
    atomic_fetch_add(&shared->constructed, 1);
    if (start == -1)
        return 77;
    if (start == -2)
        fever_fail(5, "no counter starts at %ld", start);
    if (start == -3)
        abort();
    self->n = start;
    return 0;
}
FEVER_DESTRUCTOR(counter) {
    atomic_fetch_add(&shared->destroyed, 1);
    if (self->n == 4711)
        for (;;)
            pause();
}
FEVER_METHOD(counter, long, add, (long, by)) { return self->n += by; }
FEVER_METHOD(counter, long, get) { return self->n; }
FEVER_METHOD_VOID(counter, set, (long, to)) { self->n = to; }
FEVER_METHOD(counter, long, fails, (long, code)) {
    fever_fail((int)code, "failed at %ld", self->n);
    return 0;
}
FEVER_METHOD(counter, long, crashes, (long, by)) {
    self->n += by;
    raise(SIGKILL);
    return self->n;
}
FEVER_METHOD(counter, long, exits) {
    fever_actor_exit();
    return self->n;
}
FEVER_METHOD(counter, long, waits, (int, want)) {
    atomic_fetch_add(&shared->begun, 1);
    while (atomic_load(&shared->gate) < want)
        rt_nap();
    return self->n;
}
FEVER_METHOD(counter, long, add_ref, (fever_ref, by)) {
    long v = 0;
    fever_get_for(by, &v, 0);
    return self->n += v;
}
struct wide {
    long word[10];
};
FEVER_METHOD(counter, struct wide, widen, (struct wide, w)) {
    for (int i = 0; i < 10; i++)
        w.word[i] += self->n;
    return w;
}
FEVER_METHOD(counter, int, pid) { return (int)getpid(); }

/* remembers what it was told, in order */
struct list {
    int  n;
    long item[2048];
};
FEVER_ACTOR(struct list, list) {
    (void)self;
    return 0;
}
FEVER_METHOD(list, int, append, (long, x)) {
    if (self->n < 2048)
        self->item[self->n++] = x;
    return self->n;
}
FEVER_METHOD(list, int, append_ref, (fever_ref, x)) {
    long v = 0;
    fever_get_for(x, &v, 0);
    if (self->n < 2048)
        self->item[self->n++] = v;
    return self->n;
}
FEVER_METHOD(list, struct list, all) { return *self; }

/* dies at the hundredth call, once */
struct mortal {
    int n;
};
FEVER_ACTOR(struct mortal, mortal) {
    self->n = 0;
    return 0;
}
FEVER_METHOD(mortal, int, call, (int, i)) {
    if (i == 99 && atomic_fetch_add(&shared->ran[i], 1) == 0)
        abort();
    return ++self->n;
}

FEVER_TASK(long, more, (fever_ref, r))
{
    long v = 0;
    fever_get_for(r, &v, 0);
    return v + 1;
}

/* ------------------------------------------------------------------------------------------------ tests */

static void basics(void)
{
    long v = 0;
    fever_ref r[200];
    counter_actor a = counter_new(5);

    TAP_IS(fever_take(counter_add_remote(a, 3), &v), 0, "the first call");
    TAP_IS(v, 8, "state and argument");
    for (int i = 0; i < 200; i++)
        r[i] = counter_add_remote(a, 1);
    bool good = true;
    for (int i = 0; i < 200; i++)
        good &= fever_take(r[i], &v) == 0 && v == 9 + i;
    TAP_OK(good, "200 calls, in order");
    TAP_IS(counter_set_send(a, 3), 0, "a call without a ref");
    TAP_IS(fever_take(counter_get_remote(a), &v), 0, "no arguments");
    TAP_IS(v, 3, "the one before has run");
    struct wide w = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}};
    TAP_IS(fever_take(counter_widen_remote(a, w), &w), 0, "large arguments and result");
    TAP_OK(w.word[0] == 3 && w.word[9] == 12, "they are right");
    fever_ref f = counter_fails_remote(a, 42);
    TAP_IS(fever_get(f, &v), -FEVER_EAPP, "a method that fails");
    struct fever_error e = rt_error(f);
    TAP_OK(e.app_code == 42 && strcmp(e.text, "failed at 3") == 0 && strcmp(e.task, "counter.fails") == 0, "its code, text and name");
    fever_release(f);
    TAP_IS(fever_take(counter_get_remote(a), &v), 0, "the actor goes on");
    TAP_IS(fever_actor_error(a.any, &e), -FEVER_ESTATE, "nothing is wrong with it");
    int pid = 0, again = 0;
    fever_take(counter_pid_remote(a), &pid);
    fever_take(counter_pid_remote(a), &again);
    TAP_OK(pid != 0 && pid == again && pid != getpid(), "it has a process of its own");
    int destroyed = atomic_load(&shared->destroyed);
    TAP_IS(counter_waits_send(a, 1), 0, "a call that takes a while");
    for (int i = 0; i < 10; i++)
        r[i] = counter_add_remote(a, 1);
    TAP_IS(fever_actor_release(a.any), 0, "release");
    TAP_IS(fever_actor_release(a.any), -FEVER_ESTALE, "twice");
    atomic_store(&shared->gate, 1);
    good = true;
    for (int i = 0; i < 10; i++)
        good &= fever_take(r[i], &v) == 0 && v == 4 + i;
    TAP_OK(good, "calls made before are done");
    TAP_OK(rt_until(&shared->destroyed, destroyed + 1), "then the destructor runs");
    atomic_store(&shared->gate, 0);
}

static void references(void)
{
    fever_ref p, r[4];
    long v = 0;
    list_actor a = list_new();
    counter_actor c = counter_new(1);
    fever_promise(&p);
    r[0] = list_append_remote(a, 1);
    r[1] = list_append_ref_remote(a, p);
    r[2] = list_append_remote(a, 3);
    int n = 0;
    TAP_IS(fever_take(r[0], &n), 0, "before an argument that is not there");
    TAP_IS(fever_get_for(r[2], &n, 0.01), -FEVER_ETIMEDOUT, "what comes after waits");
    TAP_IS(fever_take(counter_add_remote(c, 1), &v), 0, "another actor does not");
    fever_promise_set(p, &(long){2}, sizeof(long));
    TAP_IS(fever_take(r[2], &n), 0, "it is there now");
    TAP_IS(n, 3, "all three have run");
    fever_release(r[1]);
    fever_release(p);
    struct list l;
    TAP_IS(fever_take(list_all_remote(a), &l), 0, "a large result");
    TAP_OK(l.n == 3 && l.item[0] == 1 && l.item[1] == 2 && l.item[2] == 3, "in order");
    fever_promise(&p);
    fever_ref bad = list_append_ref_remote(a, p);
    fever_promise_fail(p, 9, "no value");
    TAP_IS(fever_get(bad, &n), -FEVER_EAPP, "an argument that has failed");
    fever_release(bad), fever_release(p);
    /* results of actors as arguments of others */
    fever_ref sum = counter_add_remote(c, 10), more = counter_add_ref_remote(c, sum);
    TAP_IS(fever_take(more, &v), 0, "a result as an argument");
    TAP_IS(v, 24, "12 + 12");
    fever_release(sum);
    /* cancel what has not begun */
    counter_waits_send(c, 1);
    fever_ref x = counter_add_remote(c, 1000), y = counter_get_remote(c);
    TAP_IS(fever_cancel(x, 0), 1, "a queued call is cancelled");
    TAP_IS(fever_get(x, &v), -FEVER_ECANCELED, "it says so");
    atomic_store(&shared->gate, 1);
    TAP_IS(fever_take(y, &v), 0, "the next one is not");
    TAP_IS(v, 24, "it has not run");
    atomic_store(&shared->gate, 0);
    fever_release(x);
    fever_actor_release(a.any);
    fever_actor_release(c.any);
}

static void deaths(void)
{
    long v = 0;
    fever_ref r[20];
    struct fever_error e;
    counter_actor a = counter_new(1);
    fever_ref f = counter_crashes_remote(a, 1), later = counter_get_remote(a);
    TAP_IS(fever_get(f, &v), -FEVER_EACTORDEAD, "the call that it dies in");
    TAP_IS(fever_get(later, &v), -FEVER_EACTORDEAD, "the one behind it");
    e = rt_error(later);
    TAP_OK(e.signal == SIGKILL && e.worker_pid != 0 && strstr(e.text, "signal 9") != NULL, "says why: %s", e.text);
    fever_release(f), fever_release(later);
    f = counter_get_remote(a);
    TAP_IS(fever_get_for(f, &v, RT_LONG), -FEVER_EACTORDEAD, "later calls, at once");
    e = rt_error(f);
    TAP_OK(strstr(e.text, "signal 9") != NULL, "say why, too");
    fever_release(f);
    TAP_IS(fever_actor_error(a.any, &e), 0, "so does the handle");
    TAP_IS(fever_actor_wait(a.any, 0), 0, "it has ended");
    fever_actor_release(a.any);

    a = counter_new(1);
    atomic_store(&shared->gate, 0);
    int begun = atomic_load(&shared->begun);
    counter_waits_send(a, 1);
    for (int i = 0; i < 10; i++)
        r[i] = counter_get_remote(a);
    rt_until(&shared->begun, begun + 1);
    TAP_IS(fever_actor_kill(a.any, 0), 0, "10 calls are queued, and it is killed");
    for (int i = 10; i < 20; i++)
        r[i] = counter_get_remote(a);
    int n = 0;
    for (int i = 0; i < 20; i++) {
        n += fever_get_for(r[i], &v, RT_LONG) == -FEVER_EACTORDEAD;
        fever_release(r[i]);
    }
    TAP_IS(n, 20, "10 more: 20 errors");
    TAP_IS(fever_actor_kill(a.any, 0), 0, "again");
    TAP_IS(fever_actor_error(a.any, &e), 0, "why");
    TAP_OK(strstr(e.text, "fever_actor_kill") != NULL, "it was killed");
    fever_actor_release(a.any);

    a = counter_new(1);
    f = counter_exits_remote(a);
    later = counter_get_remote(a);
    TAP_IS(fever_take(f, &v), 0, "a method that ends its actor ends well");
    TAP_IS(fever_get(later, &v), -FEVER_EACTORDEAD, "what is behind it does not");
    e = rt_error(later);
    TAP_OK(strstr(e.text, "ended itself") != NULL, "says why: %s", e.text);
    fever_release(later);
    fever_actor_release(a.any);

    for (long start = -3; start < 0; start++) {
        a = counter_new(start);
        fever_ref x = counter_get_remote(a), y = counter_add_remote(a, 1);
        TAP_IS(fever_get(x, &v), -FEVER_EACTORDEAD, "the constructor fails: %ld", start);
        TAP_IS(fever_get(y, &v), -FEVER_EACTORDEAD, "every caller hears of it");
        e = rt_error(y);
        TAP_OK(start == -2   ? e.app_code == 5 && strstr(e.text, "no counter starts at -2") != NULL
               : start == -1 ? e.app_code == 77 && strstr(e.text, "77") != NULL
                             : e.signal == SIGABRT && strstr(e.text, "constructor") != NULL,
               "and why: %s", e.text);
        fever_release(x), fever_release(y);
        fever_actor_release(a.any);
    }
    /* a destructor that does not come to its end */
    a = counter_new_with(FEVER_ACTOR_WITH(.grace_s = 0.05), 4711);
    fever_take(counter_get_remote(a), &v);
    int destroyed = atomic_load(&shared->destroyed);
    fever_actor_release(a.any);
    TAP_OK(rt_until(&shared->destroyed, destroyed + 1), "a destructor that hangs begins");
}

static void restarts(void)
{
    long v = 0;
    int  k = 0;
    counter_actor a = counter_new_with(FEVER_ACTOR_WITH(.max_restarts = 1), 100);
    fever_take(counter_add_remote(a, 1), &v);
    fever_ref f = counter_crashes_remote(a, 1), later = counter_get_remote(a);
    TAP_IS(fever_get(f, &v), -FEVER_EACTORDOWN, "the call in which it dies");
    TAP_IS(fever_take(later, &v), 0, "the next one waits for the restart");
    TAP_IS(v, 100, "the constructor has run again");
    fever_release(f);
    f = counter_crashes_remote(a, 1);
    TAP_IS(fever_get(f, &v), -FEVER_EACTORDEAD, "no restart is left");
    fever_release(f);
    fever_actor_release(a.any);

    a = counter_new_with(FEVER_ACTOR_WITH(.max_restarts = 1), 100);
    int begun = atomic_load(&shared->begun);
    atomic_store(&shared->gate, 0);
    counter_waits_send(a, 1);
    later = counter_add_remote(a, 7);
    rt_until(&shared->begun, begun + 1);
    TAP_IS(fever_actor_kill(a.any, FEVER_ACTOR_RESTART), 0, "killed, to be restarted");
    TAP_IS(fever_take(later, &v), 0, "a queued call");
    TAP_IS(v, 107, "runs in the next process");
    fever_actor_release(a.any);

    fever_ref r[200];
    for (int retries = 0; retries < 2; retries++) {
        memset(shared->ran, 0, sizeof shared->ran);
        mortal_actor m = mortal_new_with(FEVER_ACTOR_WITH(.max_restarts = 1, .max_task_retries = retries));
        for (int i = 0; i < 200; i++)
            r[i] = mortal_call_remote(m, i);
        bool good = true;
        for (int i = 0; i < 200; i++) {
            int rc = fever_get(r[i], &k);
            if (i == 99 && !retries)
                good &= rc == -FEVER_EACTORDOWN;
            else
                good &= rc == 0 && k == (i < 99 ? i + 1 : retries ? i - 98 : i - 99);
            if (!good) {
                tap_diag("call %d: rc %d, %d", i, rc, k);
                break;
            }
        }
        for (int i = 0; i < 200; i++)
            fever_release(r[i]);
        TAP_OK(good, "200 calls, a crash at the hundredth, %s: 1..k, then from 1 on", retries ? "it is repeated" : "it fails");
        fever_actor_release(m.any);
    }
}

static void many(void)
{
    enum { N = 40 };
    counter_actor a[N];
    fever_ref     r[N];
    long          v = 0;
    bool          good = true;
    for (int i = 0; i < N; i++)
        a[i] = counter_new(i);
    for (int i = 0; i < N; i++)
        r[i] = counter_add_remote(a[i], 1000);
    /* only so many have a process: the others get one when these end */
    for (int i = 0; i < N; i++) {
        good &= fever_take(r[i], &v) == 0 && v == 1000 + i;
        fever_actor_release(a[i].any);
    }
    TAP_OK(good, "40 actors, 8 at a time");
}

FEVER_TASK(long, calls, (counter_actor, a), (long, n)) {
    long v = 0, last = 0;
    for (long i = 0; i < n; i++)
        if (fever_take(counter_add_remote(a, 1), &v) < 0 || v <= last)
            return -1;
        else
            last = v;
    return v;
}

FEVER_TASK(long, nothing, (long, x)) { return x; }

/* Slots of calls and of tasks are each other's: a worker that has an old hint must not take a call. */
static void mixed(void)
{
    long v = 0;
    bool good = true;
    counter_actor a = counter_new(0);
    for (int i = 1; i <= 3000; i++) {
        good &= fever_take(nothing_remote(i), &v) == 0 && v == i;
        good &= fever_take(counter_add_remote(a, 1), &v) == 0 && v == i;
    }
    TAP_OK(good, "tasks and calls by turns");
    fever_actor_release(a.any);
}

/* More calls than a mailbox has room for, faster than they are run: none is lost, and the last one comes last. */
static void flood(void)
{
    long v = 0, sum = 0;
    bool good = true;
    counter_actor a = counter_new(0);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 30000; i++)
            good &= counter_add_send(a, 1) == 0;
        sum += 30000;
        good &= fever_take(counter_get_remote(a), &v) == 0;
        if (v != sum)
            tap_diag("round %d: %ld, not %ld", round, v, sum);
        good &= v == sum;
    }
    TAP_OK(good, "a flood of calls");
    fever_actor_release(a.any);
}

FEVER_TASK(counter_actor, makes, (long, start)) { return counter_new(start); }

static void handles(void)
{
    long v = 0, w = 0;
    counter_actor a = counter_new(0), b = {{0}};
    fever_ref t = calls_remote(a, 500), u = calls_remote(a, 500);
    for (int i = 0; i < 100; i++)
        fever_take(counter_add_remote(a, 1), &v);
    TAP_IS(fever_take(t, &v), 0, "a task calls");
    TAP_IS(fever_take(u, &w), 0, "another");
    TAP_OK(v > 0 && w > 0, "each in its order");
    t = counter_get_remote(a);
    TAP_IS(fever_get(t, &v), 0, "after all");
    fever_release(t);
    TAP_IS(v, 1100, "none is lost, none is run twice");
    fever_actor_release(a.any);
    t = makes_remote(7);
    TAP_IS(fever_get(t, &b), 0, "a handle as a result");
    TAP_IS(fever_actor_retain(b.any), 0, "it is kept");
    fever_release(t);
    t = counter_add_remote(b, 1);
    TAP_IS(fever_get(t, &v), 0, "the actor outlives the task that made it");
    fever_release(t);
    TAP_IS(v, 8, "its state");
    fever_actor_release(b.any);
}

static void bad_input(void)
{
    long v = 0;
    counter_actor a = counter_new(1), none = {{0}};
    list_actor l = list_new();
    fever_ref r, p;
    fever_promise(&p);
    TAP_IS(fever_take(counter_get_remote(none), &v), -FEVER_ENULL, "no handle");
    TAP_IS(fever_take(counter_get_remote((counter_actor){{p.id}}), &v), -FEVER_ETYPE, "a ref in place of a handle");
    TAP_IS(fever_take(counter_get_remote((counter_actor){l.any}), &v), -FEVER_ETYPE, "another actor's handle");
    TAP_IS(fever_actor_call(&fever_def_counter_get, a.any, NULL, 0, NULL, NULL), -FEVER_ENULL, "nowhere for the ref");
    TAP_IS(fever_actor_call(&fever_def_calls, a.any, NULL, 0, NULL, &r), -FEVER_ENOTASK, "a task in place of a method");
    TAP_IS(fever_submit(&fever_def_counter_get, NULL, 0, NULL, &r), -FEVER_ENOTASK, "a method in place of a task");
    TAP_IS(fever_submit(&fever_def_counter, &v, sizeof v, NULL, &r), -FEVER_ENOTASK, "a constructor in place of a task");
    TAP_IS(fever_take(counter_get_with(FEVER_WITH(.num_cpus = 2), a), &v), -FEVER_EINVAL, "an option that is not for methods");
    TAP_IS(fever_take(counter_get_with(FEVER_WITH(.name = "own"), a), &v), 0, "one that is");
    TAP_IS(fever_take(counter_get_remote(counter_new_with(FEVER_ACTOR_WITH(.max_restarts = -2), 1)), &v), -FEVER_EINVAL, "a bad option");
    TAP_IS(fever_cancel((fever_ref){a.any.id}, 0), -FEVER_ESTATE, "an actor is not cancelled");
    TAP_IS(fever_actor_kill((fever_actor){p.id}, 0), -FEVER_ETYPE, "a ref is not killed");
    TAP_IS(fever_actor_kill(a.any, 8), -FEVER_EINVAL, "unknown flags");
    TAP_IS(fever_actor_exit(), -FEVER_ECONTEXT, "exit outside of an actor");
    TAP_IS(fever_actor_self().id, 0, "self outside of an actor");
    TAP_OK(fever_actor_state() == NULL, "state outside of an actor");
    fever_actor_release(a.any);
    for (double end = rt_now() + RT_LONG; fever_take(counter_get_remote(a), &v) != -FEVER_ESTALE && rt_now() < end;)
        rt_nap();
    TAP_IS(fever_take(counter_get_remote(a), &v), -FEVER_ESTALE, "a handle of an actor that has ended");
    fever_actor_release(l.any);
    fever_release(p);
}

/* All actors whose handles are gone have ended. */
/* An actor that has made nothing of its own completes a call for which a task waits: it needs memory for the hint. */
static void makes_ready(void)
{
    counter_actor a = counter_new(20);
    uint32_t      slot = 0, home = 0;
    long          v = 0;

    atomic_store(&shared->begun, 0);
    atomic_store(&shared->gate, 0);
    fever_ref r = counter_waits_remote(a, 1), t = more_remote(r);
    TAP_OK(rt_until(&shared->begun, 1), "a call runs");
    home = fv_ref_index(t.id);
    for (double end = rt_now() + RT_LONG; fv_truth_state(fv_load_acquire_64(&fv_task(home)->truth)) != FV_BLOCKED && rt_now() < end;)
        rt_nap();
    FV_EACH_ACTIVE(p)
        if (fv_proc(p)->role == FV_ROLE_ACTOR && fv_proc(p)->actor == a.any.id)
            slot = p;
    TAP_OK(slot != 0, "in its process");
    atomic_store(&shared->gate, 1);
    TAP_IS(fever_get_for(t, &v, RT_LONG), 0, "a task that waits for it follows");
    TAP_IS(v, 21, "with its result");
    TAP_OK(fv_proc(slot)->slab_limit != 0, "the memory in which its hint stood is the actor's by right");
    fever_release(r);
    fever_release(t);
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
    basics();
    rest();
    references();
    rest();
    deaths();
    rest();
    restarts();
    rest();
    mixed();
    makes_ready();
    flood();
    handles();
    many();
    bad_input();
    rest();
    rt_shutdown();
    return tap_done();
}
