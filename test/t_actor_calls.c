/* t_actor_calls.c: calls of actors: how many may wait, callers that die, arguments whose owner dies, time limits, many actors.
 *
 * Run by:          the driver, and tasks that call actors.
 */
#include "rt.h"

#include <string.h>

static struct shared {
    atomic_int  gate, begun, attempts, ended;
    fever_actor made;
} *shared;

struct list {
    int  n;
    long item[256];
};
FEVER_ACTOR(struct list, list, (int, code)) { return code != 0 ? fever_fail(code, "no list today"), 0 : (self->n = 0); }
FEVER_METHOD(list, int, append, (long, x)) {
    if (self->n < 256)
        self->item[self->n++] = x;
    return self->n;
}
FEVER_METHOD(list, int, append_ref, (fever_ref, x)) {
    long v = 0;
    fever_get_for(x, &v, 0);
    if (self->n < 256)
        self->item[self->n++] = v;
    return self->n;
}
FEVER_METHOD(list, struct list, all) { return *self; }
FEVER_METHOD(list, int, waits, (int, want)) {
    atomic_fetch_add(&shared->begun, 1);
    while (atomic_load(&shared->gate) < want)
        rt_nap();
    return want;
}
FEVER_METHOD_VOID(list, sleeps) {
    for (;;)
        pause();
}

static bool until_info(list_actor a, uint64_t pending, uint64_t calls, struct fever_actor_info *i)
{
    for (double end = rt_now() + RT_LONG; fever_actor_info(a.any, i) == 0 && (i->pending != pending || i->calls < calls) && rt_now() < end;)
        rt_nap();
    if (i->pending != pending || i->calls < calls)
        tap_diag("%llu wait, %llu have begun", (unsigned long long)i->pending, (unsigned long long)i->calls);
    return i->pending == pending && i->calls >= calls;
}

FEVER_TASK(int, calls_one, (list_actor, a)) { return list_append_send(a, 1); }

static void pending(void)
{
    struct fever_actor_info i;
    fever_ref r[8];
    int v, begun = atomic_load(&shared->begun);
    atomic_store(&shared->gate, 0);
    list_actor a = list_new_with(FEVER_ACTOR_WITH(.max_pending_calls = 3, .max_restarts = 1), 0);
    TAP_IS(list_waits_send(a, 1), 0, "a call that takes a while");
    TAP_OK(rt_until(&shared->begun, begun + 1), "it has begun");
    TAP_OK(until_info(a, 0, 1, &i), "so it does not wait");
    TAP_OK(i.pid > 0 && i.pid != getpid() && !i.ended && i.restarts == 0 && i.waited_s >= 0, "what it is doing");
    for (int k = 0; k < 3; k++)
        r[k] = list_append_remote(a, k);
    TAP_IS(list_append_send(a, 9), -FEVER_EAGAIN, "three wait: one more is refused");
    TAP_IS(fever_take(list_append_remote(a, 9), &v), -FEVER_EAGAIN, "at once, with a ref too");
    TAP_OK(until_info(a, 3, 1, &i), "three wait");
    TAP_IS(fever_take(calls_one_remote(a), &v), 0, "another caller");
    TAP_IS(v, 0, "has a limit of its own");
    TAP_OK(until_info(a, 4, 1, &i), "now four");
    atomic_store(&shared->gate, 1);
    for (int k = 0; k < 3; k++)
        TAP_IS(fever_take(r[k], &v), 0, "call %d is run", k);
    TAP_OK(until_info(a, 0, 5, &i), "none waits");
    TAP_IS(list_append_send(a, 9), 0, "there is room again");
    fever_actor_kill(a.any, FEVER_ACTOR_RESTART);
    for (double end = rt_now() + RT_LONG; fever_actor_info(a.any, &i) == 0 && i.restarts == 0 && rt_now() < end;)
        rt_nap();
    int ok = 0;
    for (double end = rt_now() + RT_LONG; ok < 20 && rt_now() < end;) {
        int rc = list_append_send(a, 9);
        ok += rc == 0;
        if (rc != 0 && rc != -FEVER_EAGAIN)
            break;
        if (rc != 0)
            rt_nap();
    }
    TAP_IS(ok, 20, "after a restart as before");
    fever_actor_kill(a.any, 0);
    TAP_IS(fever_actor_info(a.any, &i), 0, "one that is dead");
    TAP_OK(i.ended && i.pid == 0 && i.pending == 0 && i.restarts == 1, "says so");
    bool dead = true;
    for (int k = 0; k < 8; k++)
        r[k] = list_append_remote(a, 1);
    for (int k = 0; k < 8; k++) {
        dead &= fever_get_for(r[k], &v, RT_LONG) == -FEVER_EACTORDEAD;
        fever_release(r[k]);
    }
    TAP_OK(dead, "calls say that it is dead, not that many wait");
    fever_actor_release(a.any);
    TAP_IS(fever_take(list_append_remote(list_new_with(FEVER_ACTOR_WITH(.max_pending_calls = -1), 0), 1), &v), -FEVER_EINVAL, "a bad limit");
    TAP_IS(fever_actor_info(a.any, NULL), -FEVER_ENULL, "nowhere for the numbers");
}

FEVER_TASK(int, one) { return 1; }

/* Calls that are not made do not count. */
static void not_made(void)
{
    int v = 0;
    fever_ref stale = one_remote();
    TAP_IS(fever_take(stale, &v), 0, "a ref that is let go of");
    list_actor a = list_new_with(FEVER_ACTOR_WITH(.max_pending_calls = 1), 0);
    for (int i = 0; i < 2; i++)
        TAP_IS(fever_take(list_append_ref_remote(a, stale), &v), -FEVER_ESTALE, "is no argument: the call is not made");
    TAP_IS(fever_take(list_append_remote(a, 1), &v), 0, "and does not count as one that waits");
    TAP_IS(v, 1, "the first");
    fever_actor_release(a.any);
}

/* Begins anew in the middle, once. */
FEVER_TASK(int, appends, (list_actor, a), (int, n)) {
    int attempt = atomic_fetch_add(&shared->attempts, 1), v = 0;
    for (int i = 1; i <= n; i++) {
        if (i == n / 2 && attempt == 0)
            raise(SIGKILL);
        if (i % 10 == 0 ? fever_take(list_append_remote(a, i), &v) < 0 : list_append_send(a, i) < 0)
            return -1;
    }
    return n;
}

static void caller_dies(void)
{
    struct list l;
    int v = 0, n = 60, own = 0;
    long left = 20;
    atomic_store(&shared->attempts, 0);
    list_actor a = list_new(0);
    TAP_IS(fever_take(appends_remote(a, n), &v), 0, "a caller dies in the middle, and is repeated");
    TAP_IS(v, n, "it comes to its end");
    TAP_IS(fever_take(list_all_remote(a), &l), 0, "what the actor was told");
    bool in_order = l.n >= 20 + n; /* what it had waited for has run; of the rest any part, perhaps beside the second's */
    for (int i = 0; i < 20 && in_order; i++)
        in_order &= l.item[i] == i + 1;
    for (int i = 20; i < l.n && in_order; i++)
        if (l.item[i] == own + 1)
            own++;
        else
            in_order &= l.item[i] > left && (left = l.item[i]) < n / 2;
    TAP_OK(in_order && own == n, "some of the first attempt's calls (%d), and all of the second's, each in order", l.n - n);
    fever_actor_release(a.any);
}

FEVER_TASK(long, slow, (int, want)) {
    while (atomic_load(&shared->gate) < want)
        rt_nap();
    return 77;
}
struct keeper {
    fever_ref ref;
};
struct hidden { /* not awaited: it is inside */
    fever_ref ref;
};
FEVER_ACTOR(struct keeper, keeper) {
    (void)self;
    return 0;
}
FEVER_METHOD(keeper, int, keep, (struct hidden, h)) {
    self->ref = h.ref;
    return fever_retain(h.ref);
}
FEVER_METHOD(keeper, fever_ref, kept) { return self->ref; }
FEVER_TASK(int, owns, (keeper_actor, k)) {
    int v = -1, rc = fever_take(keeper_keep_remote(k, (struct hidden){slow_remote(5)}), &v);
    if (rc == 0 && v == 0)
        raise(SIGKILL);
    return rc;
}

static void owner_dies(void)
{
    struct list l;
    fever_ref arg;
    int v = 0;
    atomic_store(&shared->gate, 0);
    list_actor   a = list_new(0);
    keeper_actor k = keeper_new();
    fever_ref o = owns_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), k);
    TAP_IS(fever_get(o, &v), -FEVER_ECRASHED, "who owns an argument dies");
    fever_release(o);
    fever_ref kept = keeper_kept_remote(k);
    TAP_IS(fever_get(kept, &arg), 0, "somebody else has it");
    fever_ref first = list_append_ref_remote(a, arg), second = list_append_remote(a, 2);
    TAP_IS(fever_get_for(second, &v, 0.01), -FEVER_ETIMEDOUT, "a call waits for it");
    atomic_store(&shared->gate, 5);
    TAP_IS(fever_take(first, &v), 0, "it comes all the same");
    TAP_IS(fever_take(second, &v), 0, "and the next one is run");
    TAP_IS(fever_take(list_all_remote(a), &l), 0, "in order");
    TAP_OK(l.n == 2 && l.item[0] == 77 && l.item[1] == 2, "with its value");
    fever_release(kept);
    fever_actor_release(k.any);
    fever_actor_release(a.any);
}

struct child {
    int n;
};
FEVER_ACTOR(struct child, child) {
    (void)self;
    return 0;
}
FEVER_DESTRUCTOR(child) {
    (void)self;
    atomic_fetch_add(&shared->ended, 1);
}
FEVER_METHOD(child, int, ping) { return ++self->n; }
FEVER_METHOD(child, int, takes, (fever_ref, x)) { return (void)x, ++self->n; }
FEVER_ACTOR(struct child, parent) {
    (void)self;
    return 0;
}
FEVER_METHOD(parent, int, keeps_one) {
    int         v = 0;
    child_actor c = child_new();
    fever_actor_retain(c.any);
    self->n++;
    return fever_take(child_ping_remote(c), &v);
}
FEVER_METHOD(parent, int, calls_one, (struct hidden, h)) {
    int         v = 0;
    child_actor c = child_new();
    self->n++;
    int rc = fever_take(child_ping_remote(c), &v);
    return rc < 0 ? rc : child_takes_send(c, h.ref);
}

/* An actor ends in good order: who has lived by it alone is told. */
static void parent_ends(void)
{
    int v = -1, ended = atomic_load(&shared->ended);
    parent_actor p = parent_new();
    TAP_IS(fever_take(parent_keeps_one_remote(p), &v), 0, "an actor makes another, and keeps it");
    TAP_IS(v, 0, "that one lives");
    usleep(50000);
    fever_actor_release(p.any);
    TAP_OK(rt_until(&shared->ended, ended + 1), "it ends with the one that has kept it");
    atomic_store(&shared->gate, 0);
    fever_ref r = slow_remote(6);
    p = parent_new();
    TAP_IS(fever_take(parent_calls_one_remote(p, (struct hidden){r}), &v), 0, "an actor makes another, and calls it");
    TAP_IS(v, 0, "with what is not there");
    usleep(50000);
    fever_actor_release(p.any);
    TAP_OK(rt_until(&shared->ended, ended + 2), "the call goes with the caller, and the one that was called ends");
    atomic_store(&shared->gate, 6);
    long l = 0;
    TAP_IS(fever_take(r, &l), 0, "nobody has waited for it");
}

FEVER_ACTOR(struct list, late, (fever_ref, x)) {
    long v = 0;
    fever_get_for(x, &v, 0);
    self->n = (int)v;
    return 0;
}
FEVER_METHOD(late, int, count) { return self->n++; }
FEVER_TASK(int, makes_late, (struct hidden, h)) {
    late_actor a = late_new(h.ref);
    shared->made = a.any;
    atomic_fetch_add(&shared->begun, 1);
    while (atomic_load(&shared->gate) < 1)
        rt_nap();
    raise(SIGKILL);
    return a.any.id != 0;
}

/* Who has made it dies before it has begun, and nobody has a handle: it does what it was told before. */
static void maker_dies(void)
{
    int v = 0, begun = atomic_load(&shared->begun);
    long l = 0;
    atomic_store(&shared->gate, 0);
    fever_ref r = slow_remote(2);
    fever_ref m = makes_late_with(FEVER_WITH(.max_retries = FEVER_NO_RETRY), (struct hidden){r});
    TAP_OK(rt_until(&shared->begun, begun + 1), "a task makes an actor, whose argument is not there");
    late_actor a = {shared->made};
    TAP_IS(fever_actor_retain(a.any), 0, "we have it, too");
    fever_ref call = late_count_remote(a);
    TAP_IS(fever_actor_release(a.any), 0, "and let go of it when we have called it");
    atomic_store(&shared->gate, 1);
    TAP_IS(fever_get(m, &v), -FEVER_ECRASHED, "the task dies");
    fever_release(m);
    usleep(50000);
    atomic_store(&shared->gate, 2);
    TAP_IS(fever_take(r, &l), 0, "the argument comes");
    TAP_IS(fever_take(call, &v), 0, "the call is run");
    TAP_IS(v, 77, "by that actor");
}

FEVER_TASK(int, hears, (list_actor, a)) {
    int v = 0;
    fever_ref r = list_append_remote(a, 1);
    struct fever_error e;
    int rc = fever_get_for(r, &v, RT_LONG);
    fever_error(r, &e);
    fever_release(r);
    return rc == -FEVER_EACTORDEAD && e.app_code == 3 && strstr(e.text, "no list today") != NULL ? 1 : 0;
}

static void failures(void)
{
    struct fever_error e;
    int v = 0;
    list_actor a = list_new(3);
    fever_ref t[3];
    for (int i = 0; i < 3; i++)
        t[i] = hears_remote(a);
    bool good = true;
    for (int i = 0; i < 3; i++)
        good &= fever_take(t[i], &v) == 0 && v == 1;
    TAP_OK(good, "a constructor that fails: every caller is told its code and its words");
    fever_actor_release(a.any);

    a = list_new_with(FEVER_ACTOR_WITH(.max_restarts = 1), 0);
    fever_ref slow_call = list_sleeps_with(FEVER_WITH(.timeout_s = 0.05), a), behind = list_append_remote(a, 4);
    TAP_IS(fever_wait_one(slow_call, RT_LONG), -FEVER_ETASKTIMEOUT, "a call whose time is up is over");
    e = rt_error(slow_call);
    TAP_OK(e.code == FEVER_ETASKTIMEOUT, "it says so: %s", e.text);
    fever_release(slow_call);
    TAP_IS(fever_take(behind, &v), 0, "the one behind it is run in the next process");
    fever_actor_release(a.any);
}

#ifdef __SANITIZE_ADDRESS__ /* whose processes are large */
enum { N = 250 };
#else
enum { N = 1000 };
#endif

/* Each answers to one more call: there have been `before`.  In waves, so that other tests on the machine have their turn. */
enum { WAVE = 50 };
static int ask_all(list_actor *a, int before)
{
    static fever_ref r[WAVE];
    int good = 0, v = 0;
    for (int i = 0; i < N; i += WAVE) {
        for (int k = 0; k < WAVE; k++) {
            if (before == 0)
                a[i + k] = list_new(0);
            r[k] = list_append_remote(a[i + k], k);
        }
        for (int k = 0; k < WAVE; k++)
            good += fever_take(r[k], &v) == 0 && v == before + 1;
    }
    return good;
}

/* Deaths, and processes of workers that others have followed. */
static uint64_t others_end(void)
{
    uint64_t n = fv_map.seg->deaths;
    for (uint32_t w = 1; w <= fv_rt.n_worker_slots; w++)
        n += fv_proc(w)->restarts;
    return n;
}

static void crowd(void)
{
    static list_actor a[N];
    double begin = rt_now(), end = begin + 8 * RT_LONG;
    TAP_IS(ask_all(a, 0), N, "%d actors: each has answered", N);
    TAP_IS(ask_all(a, 1), N, "and again: all are there at once");
    uint32_t slots = 0;
    for (uint32_t s = fv_rt.actor_slots; s < fv_rt.actor_slots + fv_rt.n_actor_slots; s++)
        slots += fv_proc(s)->slab_limit;
    TAP_OK(slots < (uint32_t)N * 8, "who makes nothing has no task slots: they have %u", slots);
    tap_diag("%d actors: %.1f s", N, rt_now() - begin);
    uint32_t rung = fv_proc(fv_rt.driver_slots)->failures;
    uint64_t ends = others_end();
    int left = N;
    for (int i = 0; i < N; i += WAVE) {
        for (int k = 0; k < WAVE; k++)
            fever_actor_release(a[i + k].any);
        while ((left = rt_in_group(fv_rt.supervisor_pid)) > 20 + N - i - WAVE && rt_now() < end)
            rt_nap();
    }
    TAP_OK(left <= 20, "then their processes end");
    rung = fv_proc(fv_rt.driver_slots)->failures - rung;
    if (others_end() != ends)
        tap_skip("another process has ended meanwhile: all were asked to look what that has left");
    else
        TAP_IS(rung, 0, "nobody was asked to look what they have left");
    tap_diag("%.1f s", rt_now() - begin);
}

static void rest(void)
{
    double end = rt_now() + 4 * RT_LONG;
    while (rt_stats().objects_live != 0 && rt_now() < end)
        rt_nap();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
}

int main(void)
{
    rt_begin(240);
    shared = rt_shared(sizeof *shared);
    rt_init(.workers = 2, .max_actors = N, .store_bytes = 256ul << 20, .memory_threshold = -1);
    pending();
    rest();
    not_made();
    rest();
    caller_dies();
    rest();
    owner_dies();
    rest();
    parent_ends();
    rest();
    maker_dies();
    rest();
    failures();
    rest();
    crowd();
    rest();
    rt_shutdown();
    return tap_done();
}
