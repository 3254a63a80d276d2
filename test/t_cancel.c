/* t_cancel.c: cancelling: what has not started, what waits, what runs, by force, with children and without.
 *
 * Run by:          make check.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "rt.h"

#define ROOM 80
static struct page {
    atomic_int began[ROOM], ended[ROOM], go[ROOM], rc[ROOM];
    _Atomic double at[ROOM];
} *page;

static void gate(int i)
{
    while (atomic_load(&page->go[i]) == 0)
        rt_nap();
}
static int enter(int i)
{
    atomic_store(&page->at[i], rt_now());
    return atomic_fetch_add(&page->began[i], 1) + 1;
}
static int leave(int i, int v)
{
    atomic_fetch_add(&page->ended[i], 1);
    return v;
}

static void heed_nothing(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int s = 1; s < 32; s++)
        signal(s, SIG_IGN);
    for (volatile long n = 0;; n++)
        ;
}

/* ------------------------------------------------------------------------------------------------ tasks */

FEVER_TASK(int, plain, (int, i)) { enter(i); return leave(i, 3 * i); }
FEVER_TASK(int, gated, (int, i)) { enter(i); gate(i); return leave(i, 3 * i); } /* does not ask */
FEVER_TASK(int, polls, (int, i)) /* ends when it is told, or by itself when the gate opens */
{
    enter(i);
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    return leave(i, 3 * i);
}
FEVER_TASK(int, stubborn, (int, i)) /* neither asks nor heeds signals, and does not sleep */
{
    enter(i);
    heed_nothing();
    return 0;
}
FEVER_TASK(int, after, (fever_ref, r), (int, i))
{
    int v = -1;

    enter(i);
    fever_get(r, &v);
    return leave(i, v + 1);
}
FEVER_TASK(int, after3, (fever_ref, p), (fever_ref, q), (fever_ref, r), (int, i)) { (void)p, (void)q, (void)r; return leave(i, enter(i)); }
FEVER_TASK_VOID(member, (int, i))
{
    enter(i);
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    leave(i, 0);
}
FEVER_FOR(loop, k, (int, i))
{
    (void)k;
    enter(i);
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    leave(i, 0);
}

struct inner { fever_ref r; int how, i; }; /* not awaited: the ref is inside a struct */
FEVER_STREAM(int, counts, (int, i)) /* yields until it is told */
{
    int rc = 0;

    enter(i);
    for (int k = 0; rc == 0; k++)
        rc = fever_yield(k);
    atomic_store(&page->rc[i], rc);
    leave(i, 0);
}
FEVER_STREAM(int, silent, (int, i))
{
    enter(i);
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    leave(i, 0);
}

enum { GET, TAKE, GET_FOR, GET_MANY, WAIT, WAIT_ONE, VIEW, POLL, NEXT, GROUP, LOOP, N_WAYS };
static const char *const way_text[] = {"get", "take", "get_for", "get_many", "wait", "wait_one", "view", "a polling get", "stream_next", "group_wait",
                                       "a parallel loop"};
FEVER_TASK(int, waits, (struct inner, a))
{
    int                 v = 0, rc = 0;
    const int          *view;
    struct fever_group *g;

    enter(a.i);
    switch (a.how) {
    case GET: rc = fever_get(a.r, &v); break;
    case TAKE: rc = fever_take(a.r, &v); break;
    case GET_FOR: rc = fever_get_for(a.r, &v, 1000); break;
    case GET_MANY: rc = fever_get_many(&a.r, 1, &v, FEVER_FOREVER); break;
    case WAIT: rc = fever_wait(&a.r, 1, 1, FEVER_FOREVER, NULL); break;
    case WAIT_ONE: rc = fever_wait_one(a.r, FEVER_FOREVER); break;
    case VIEW: rc = fever_view(a.r, &view, NULL); break;
    case POLL:
        while ((rc = fever_get_for(a.r, &v, 0)) == -FEVER_ETIMEDOUT)
            rt_nap();
        break;
    case NEXT:
        rc = fever_stream_next(silent_remote(a.i + 1), &a.r, FEVER_FOREVER);
        if (rc == 0) /* the stream was cancelled first: this ref carries the error */
            rc = fever_get(a.r, &v);
        break;
    case GROUP:
        fever_group_open(&g);
        for (int k = 0; k < 4; k++)
            member_group(g, a.i + 1);
        rc = (int)fever_group_wait(g, FEVER_FOREVER);
        if (fever_group_close(g) != 0)
            rc = -1;
        break;
    case LOOP: rc = loop_for(0, 4, 1, a.i + 1); break;
    }
    atomic_store(&page->rc[a.i], rc);
    return leave(a.i, 7); /* drops what it was told: it ends as cancelled all the same */
}

FEVER_TASK(int, child, (int, i)) { return polls_local(i); }
FEVER_TASK(int, family, (int, i), (int, depth)) /* two children a level, which run elsewhere; then waits for itself to be told */
{
    enter(i);
    if (depth > 0) {
        family_remote(i, depth - 1);
        family_remote(i, depth - 1);
    }
    while (!fever_cancelled() && atomic_load(&page->go[i]) == 0)
        rt_nap();
    return leave(i, depth);
}
FEVER_TASK(int, late_child, (int, i)) /* submits when it has been cancelled already */
{
    enter(i);
    gate(i);
    polls_remote(i + 1);
    rt_until(&page->began[i + 1], 1);
    fever_cancelled();
    return leave(i, 0);
}
FEVER_TASK(int, stubborn_family, (int, i))
{
    stubborn_remote(i + 1);
    stubborn_remote(i + 1);
    return stubborn_local(i);
}
FEVER_REENTRANT(int, polls_in_place, (int, i)) { return polls_local(i); }
FEVER_TASK(int, awaits_in_place, (int, i))
{
    int v = -1, rc = fever_take(polls_in_place_remote(i), &v);

    atomic_store(&page->rc[i], rc);
    return leave(i + 1, rc < 0 ? 9 : v);
}
FEVER_REENTRANT(int, stubborn_once, (int, i))
{
    if (enter(i) == 1)
        heed_nothing();
    return (int)fever_context()->attempt;
}
FEVER_TASK(int, awaits_it, (struct inner, a))
{
    int v = -1;

    enter(a.i);
    fever_get(a.r, &v);
    return v;
}
struct pair { fever_ref inner, outer; };
FEVER_TASK(struct pair, makes_both, (int, i)) /* its worker takes the last one first, and that one runs the other in place */
{
    struct pair p;

    p.inner = stubborn_once_remote(i);
    p.outer = awaits_it_remote((struct inner){p.inner, GET, i + 1});
    return p;
}
FEVER_TASK(int, crashes_when_cancelled, (int, i))
{
    enter(i);
    while (!fever_context()->cancelled)
        rt_nap();
    raise(SIGKILL);
    return 0;
}
FEVER_TASK(int, tells_context, (int, i))
{
    enter(i);
    while (!fever_context()->cancelled)
        rt_nap();
    return leave(i, 5);
}
FEVER_TASK(int, cancels_itself, (unsigned, flags))
{
    if (fever_cancel(fever_context()->task, flags) != 1)
        fever_fail(1, "it runs");
    if (flags & FEVER_CANCEL_FORCE)
        for (int i = 0; i < (int)(RT_LONG * 1000) && !fv_rt.options.inline_tasks; i++)
            rt_nap(); /* until it is killed */
    return fever_cancelled() ? 1 : 2;
}
FEVER_TASK(int, fails_after, (int, i))
{
    polls_local(i);
    fever_fail(3, "in its own words");
    return 0;
}
FEVER_TASK(int, pid_of) { return (int)getpid(); }

static int get(fever_ref r)
{
    int v = 0, rc = fever_get_for(r, &v, 4 * RT_LONG);

    return rc < 0 ? rc : v;
}
static int take(fever_ref r)
{
    int v = get(r);

    fever_release(r);
    return v;
}
static void clear(void)
{
    memset(page, 0, sizeof *page);
}
static unsigned state_of(fever_ref r) { return fv_truth_state(fv_load_acquire_64(&fv_task(fv_ref_index(r.id))->truth)); }
static bool until_state(fever_ref r, unsigned state)
{
    double end = rt_now() + RT_LONG;

    while (state_of(r) != state && rt_now() < end)
        rt_nap();
    return state_of(r) == state;
}

/* ------------------------------------------------------------------------------------------------ what has not started */

static void test_pending(void)
{
    clear();
    rt_init(.workers = 1, .max_spares = 4);
    fever_ref busy = gated_remote(0);
    rt_until(&page->began[0], 1);
    fever_ref r = plain_remote(1), only = plain_remote(1), forced = plain_remote(1);
    TAP_IS(fever_cancel(r, 0), 1, "a pending task is cancelled");
    int v = 1;
    TAP_IS(fever_get_for(r, &v, 0), -FEVER_ECANCELED, "at once");
    struct fever_error e = rt_error(r);
    TAP_IS(e.code, FEVER_ECANCELED, "its error");
    TAP_OK(strcmp(e.task, "plain") == 0 && strstr(e.text, "before it started") != NULL, "says so: %s: %s", e.task, e.text);
    TAP_IS(fever_cancel(r, 0), 0, "again: it had ended");
    TAP_IS(fever_cancel(r, FEVER_CANCEL_FORCE), 0, "by force, too");
    TAP_IS(fever_cancel(only, FEVER_CANCEL_ONLY), 1, "without its children");
    TAP_IS(fever_cancel(forced, FEVER_CANCEL_FORCE), 1, "by force");
    TAP_IS(take(only), -FEVER_ECANCELED, "the same");
    TAP_IS(take(forced), -FEVER_ECANCELED, "the same");
    fever_ref detached = plain_remote(1);
    TAP_IS(fever_cancel(detached, 0), 1, "one that is let go of afterwards");
    TAP_IS(fever_release(detached), 0, "released");
    TAP_IS(fever_release(r), 0, "released");
    atomic_store(&page->go[0], 1);
    TAP_IS(take(busy), 0, "the one that ran is not touched");
    int good = 0;
    for (int i = 0; i < 2000; i++) /* the slots, with old requests in them, are used again */
        good += take(plain_remote(2)) == 6;
    TAP_IS(good, 2000, "2000 tasks in the same slots");
    TAP_IS(atomic_load(&page->began[1]), 0, "none that was cancelled has begun");
    TAP_IS(rt_stats().worker_deaths, 0, "nobody was killed");

    /* what waits for its arguments */
    fever_ref p, q;
    fever_promise(&p);
    fever_promise(&q);
    fever_ref a = after_remote(p, 3), b = after_remote(p, 4), c = after_remote(p, 5), w = after3_remote(p, q, p, 6);
    TAP_OK(until_state(a, FV_BLOCKED) && until_state(b, FV_BLOCKED) && until_state(c, FV_BLOCKED) && until_state(w, FV_BLOCKED), "four wait");
    TAP_IS(fever_cancel(b, 0), 1, "one that waits for its argument");
    TAP_IS(take(b), -FEVER_ECANCELED, "ends at once, and its slot is free");
    TAP_IS(fever_cancel(w, 0), 1, "one with its arguments in a block");
    TAP_IS(take(w), -FEVER_ECANCELED, "ends at once");
    for (int i = 0; i < 100; i++)
        take(plain_remote(2)); /* uses the slots while they are in the list of p */
    int ten = 10;
    TAP_IS(fever_promise_set(p, &ten, sizeof ten), 0, "the promise is set");
    TAP_IS(take(a), 11, "one before it in the list goes on");
    TAP_IS(take(c), 11, "one behind it in the list goes on");
    TAP_IS(atomic_load(&page->began[4]) + atomic_load(&page->began[6]), 0, "the others never began");
    fever_release(p);
    fever_release(q);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

static void test_chain(void)
{
    clear();
    rt_init(.workers = 2, .max_spares = 4);
    fever_ref a = gated_remote(1), b = after_remote(a, 2), c = after_remote(b, 3), d = after_remote(c, 4), e = after_remote(d, 5);
    TAP_IS(fever_cancel(c, 0), 1, "the middle of a chain is cancelled");
    TAP_IS(get(d), -FEVER_ECANCELED, "what depends on it fails");
    TAP_IS(get(e), -FEVER_ECANCELED, "to the end");
    TAP_OK(strcmp(rt_error(e).task, "after") == 0, "with the error of the one that was cancelled");
    atomic_store(&page->go[1], 1);
    TAP_IS(take(a), 3, "its ancestors finish");
    TAP_IS(take(b), 4, "both of them");
    TAP_IS(take(c), -FEVER_ECANCELED, "itself");
    TAP_IS(atomic_load(&page->began[3]) + atomic_load(&page->began[4]) + atomic_load(&page->began[5]), 0, "the others never began");
    fever_release(d);
    fever_release(e);
    rt_balanced(0);

    fever_ref r[50];
    r[0] = gated_remote(7);
    for (int i = 1; i < 50; i++)
        r[i] = after_remote(r[i - 1], 8);
    rt_until(&page->began[7], 1);
    fever_cancel(r[0], 0); /* it does not ask */
    atomic_store(&page->go[7], 1);
    TAP_IS(get(r[49]), 21 + 49, "one that runs and does not ask ends well, and so does what depends on it");
    for (int i = 0; i < 50; i++)
        fever_release(r[i]);
    rt_balanced(0);
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ what runs */

static void test_running(void)
{
    clear();
    rt_init(.workers = 2, .max_spares = 8);
    fever_ref r = polls_remote(1);
    rt_until(&page->began[1], 1);
    TAP_IS(fever_cancel(r, 0), 1, "a running task is told");
    TAP_IS(get(r), -FEVER_ECANCELED, "it asks, and ends as cancelled");
    struct fever_error e = rt_error(r);
    TAP_OK(strstr(e.text, "while it ran") != NULL && e.worker >= 0 && e.attempt == 1, "which its error says: %s", e.text);
    TAP_IS(fever_cancel(r, 0), 0, "then it has ended");
    fever_release(r);
    r = fails_after_with(FEVER_WITH(.max_retries = 9), 2);
    rt_until(&page->began[2], 1);
    fever_cancel(r, 0);
    TAP_IS(take(r), -FEVER_ECANCELED, "one that fails because of it is cancelled, not failed");
    r = gated_remote(3);
    rt_until(&page->began[3], 1);
    TAP_IS(fever_cancel(r, 0), 1, "one that does not ask is told");
    TAP_IS(fever_cancel(r, 0), 1, "again");
    atomic_store(&page->go[3], 1);
    TAP_IS(take(r), 9, "and ends well");
    r = tells_context_remote(4);
    rt_until(&page->began[4], 1);
    fever_cancel(r, 0);
    TAP_IS(take(r), 5, "fever_context() tells it, and does not hold it to it");
    r = crashes_when_cancelled_with(FEVER_WITH(.max_retries = 9), 5);
    rt_until(&page->began[5], 1);
    fever_cancel(r, 0);
    TAP_IS(take(r), -FEVER_ECANCELED, "one that crashes after it was cancelled is not retried");
    TAP_IS(atomic_load(&page->began[5]), 1, "it has begun once");
    TAP_IS(take(cancels_itself_remote(0)), -FEVER_ECANCELED, "a task cancels itself");
    TAP_IS(take(cancels_itself_remote(FEVER_CANCEL_FORCE)), -FEVER_ECANCELED, "by force");
    TAP_OK(!fever_cancelled(), "the driver is not cancelled");

    fever_ref never;
    fever_promise(&never);
    for (int how = 0; how < N_WAYS; how++) {
        int i = 10 + 4 * how;
        r = waits_remote((struct inner){never, how, i});
        rt_until(&page->began[i], 1);
        if (how >= NEXT)
            rt_until(&page->began[i + 1], how == NEXT ? 1 : 2);
        TAP_IS(fever_cancel(r, 0), 1, "%s: cancelled", way_text[how]);
        TAP_IS(take(r), -FEVER_ECANCELED, "%s: it ends as cancelled, whatever it returns", way_text[how]);
        TAP_IS(atomic_load(&page->rc[i]), -FEVER_ECANCELED, "%s: the call says so", way_text[how]);
        if (how == NEXT)
            rt_until(&page->ended[i + 1], 1);
        TAP_IS(atomic_load(&page->began[i + 1]), atomic_load(&page->ended[i + 1]), "%s: its children have ended", way_text[how]);
    }
    fever_release(never);

    fever_ref item, stream = counts_remote(70);
    int       n = 0, good = 0, rc, v = 0;
    rt_until(&page->began[70], 1);
    TAP_IS(fever_stream_next(stream, &item, RT_LONG), 0, "a stream yields");
    fever_release(item);
    TAP_IS(fever_cancel(stream, 0), 1, "it is cancelled");
    TAP_IS(fever_wait_one(stream, RT_LONG), -FEVER_ECANCELED, "it ends as cancelled, with or without room");
    TAP_IS(atomic_load(&page->rc[70]), -FEVER_ECANCELED, "fever_yield() says so");
    while ((rc = fever_stream_next(stream, &item, RT_LONG)) == 0) {
        rc = fever_get(item, &v);
        good += rc == 0 && v == n + 1;
        n++;
        fever_release(item);
    }
    TAP_OK(n > 0 && good == n - 1 && rc == -FEVER_EEND, "%d items stay good, then one carries the error, then the end", good);
    fever_release(stream);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

static void test_force(void)
{
    clear();
    rt_init(.workers = 1, .max_spares = 4);
    int       pid = take(pid_of_remote());
    fever_ref r = stubborn_with(FEVER_WITH(.max_retries = 9), 1), next = plain_remote(2);
    rt_until(&page->began[1], 1);
    TAP_IS(fever_cancel(r, 0), 1, "one that heeds nothing is told");
    int v;
    TAP_IS(fever_get_for(r, &v, 0.02), -FEVER_ETIMEDOUT, "and goes on");
    double begin = rt_now();
    TAP_IS(fever_cancel(r, FEVER_CANCEL_FORCE), 1, "by force");
    TAP_IS(get(r), -FEVER_ECANCELED, "it ends as cancelled");
    TAP_IS(take(next), 6, "the next task runs");
    double took = atomic_load(&page->at[2]) - begin;
    TAP_OK(took < RT_LONG, "its CPU was free again after %.2f ms", took * 1e3);
    struct fever_error e = rt_error(r);
    TAP_OK(e.signal == SIGKILL && e.worker_pid == pid, "its error tells signal and process: %s", e.text);
    fever_release(r);
    TAP_OK(take(pid_of_remote()) != pid, "a new process");
    TAP_IS(atomic_load(&page->began[1]), 1, "it was not retried");
    TAP_IS(rt_stats().worker_deaths, 1, "one process was killed");

    /* timeouts of the same */
    r = stubborn_with(FEVER_WITH(.timeout_s = 0.03, .max_retries = 9), 3);
    TAP_IS(take(r), -FEVER_ETASKTIMEOUT, "one that blocks all signals is killed when its time is up");
    TAP_IS(atomic_load(&page->began[3]), 1, "and not retried");

    /* somebody else runs on top of it, in place */
    struct pair both = {{0}, {0}};
    fever_ref   made = makes_both_remote(4);
    TAP_IS(fever_get(made, &both), 0, "two tasks are made");
    TAP_OK(rt_until(&page->began[4], 1) && atomic_load(&page->began[5]) == 1, "one runs in place on the other's stack");
    TAP_IS(fever_cancel(both.outer, FEVER_CANCEL_FORCE | FEVER_CANCEL_ONLY), 1, "the outer one is cancelled by force");
    TAP_IS(get(both.outer), -FEVER_ECANCELED, "it ends as cancelled");
    TAP_IS(get(both.inner), 1, "the inner one, which is not its child, is repeated, uncharged");
    TAP_IS(atomic_load(&page->began[4]), 2, "it has begun twice");
    fever_release(made);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
}

static void test_in_place(void)
{
    clear();
    rt_init(.workers = 1, .max_spares = 2);
    fever_ref r = awaits_in_place_remote(1);
    rt_until(&page->began[1], 1);
    fever_cancel(r, 0);
    TAP_IS(take(r), -FEVER_ECANCELED, "a task that awaits one in place, and is cancelled");
    TAP_IS(atomic_load(&page->rc[1]), -FEVER_ECANCELED, "the inner one was cancelled with it");
    r = awaits_in_place_remote(3);
    rt_until(&page->began[3], 1);
    uint32_t  owner = fv_truth_owner(fv_load_acquire_64(&fv_task(fv_ref_index(r.id))->truth));
    fever_ref inner = {fv_load_acquire_64(&fv_proc(owner)->current)};
    TAP_IS(fever_cancel(inner, 0), 1, "only the inner one is cancelled");
    TAP_IS(take(r), 9, "the outer one goes on");
    r = awaits_in_place_remote(5);
    rt_until(&page->began[5], 1);
    TAP_IS(fever_cancel(r, FEVER_CANCEL_ONLY), 1, "only the outer one is cancelled");
    atomic_store(&page->go[5], 1);
    TAP_IS(take(r), 15, "the inner one ends well, and so, as nobody has asked, does the outer one");
    rt_balanced(0);
    rt_shutdown();
}

static void test_children(void)
{
    clear();
    rt_init(.workers = 2, .max_spares = 16);
    for (int round = 0; round < 3; round++) {
        int       i = 1 + round;
        fever_ref r = family_remote(i, 3);
        rt_until(&page->began[i], 2);
        TAP_IS(fever_cancel(r, 0), 1, "a family is cancelled");
        TAP_IS(take(r), -FEVER_ECANCELED, "its head");
        rt_balanced(0);
        TAP_OK(atomic_load(&page->began[i]) == atomic_load(&page->ended[i]), "all %d that had begun have ended", atomic_load(&page->began[i]));
    }
    fever_ref r = family_remote(8, 1);
    rt_until(&page->began[8], 2);
    TAP_IS(fever_cancel(r, FEVER_CANCEL_ONLY), 1, "the head alone");
    TAP_IS(take(r), -FEVER_ECANCELED, "is cancelled");
    TAP_IS(atomic_load(&page->ended[8]), 1, "a child goes on");
    atomic_store(&page->go[8], 1);
    rt_balanced(0);
    r = late_child_remote(10);
    rt_until(&page->began[10], 1);
    fever_cancel(r, 0);
    atomic_store(&page->go[10], 1);
    TAP_IS(take(r), -FEVER_ECANCELED, "one that submits after it was cancelled");
    rt_until(&page->ended[11], 1);
    TAP_IS(atomic_load(&page->ended[11]), 1, "what it submits is cancelled when it ends");
    rt_balanced(0);
    r = stubborn_family_remote(20);
    rt_until(&page->began[20], 1);
    rt_until(&page->began[21], 1);
    double begin = rt_now();
    TAP_IS(fever_cancel(r, FEVER_CANCEL_FORCE), 1, "a family that heeds nothing, by force");
    TAP_IS(take(r), -FEVER_ECANCELED, "its head");
    rt_balanced(0);
    TAP_OK(rt_now() - begin < 2 * RT_LONG, "all are gone after %.1f ms", (rt_now() - begin) * 1e3);
    TAP_OK(rt_stats().worker_deaths >= 2, "%d processes were killed", (int)rt_stats().worker_deaths);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ what has ended, and what is no task */

static void test_others(void)
{
    clear();
    fever_ref none = FEVER_NULL_REF;
    TAP_IS(fever_cancel(none, 0), -FEVER_ENOTINIT, "before fever_init");
    TAP_OK(!fever_cancelled(), "nobody is cancelled");
    rt_init(.workers = 2);
    fever_ref r = plain_remote(1), p, o;
    TAP_IS(get(r), 3, "a task has ended");
    TAP_IS(fever_cancel(r, 0), 0, "nothing to cancel");
    TAP_IS(fever_cancel(r, FEVER_CANCEL_FORCE), 0, "by force neither");
    TAP_IS(take(r), 3, "its result stays");
    TAP_IS(fever_cancel(r, 0), -FEVER_ESTALE, "a released ref");
    TAP_IS(fever_cancel(none, 0), -FEVER_ENULL, "a null ref");
    TAP_IS(fever_cancel((fever_ref){42}, 0), -FEVER_ESTALE, "no ref");
    TAP_IS(fever_cancel(r, 4), -FEVER_EINVAL, "unknown flags");
    TAP_IS(fever_cancel(r, ~0u), -FEVER_EINVAL, "all flags");
    fever_put("x", 1, &o);
    TAP_IS(fever_cancel(o, 0), -FEVER_ESTATE, "an object");
    fever_release(o);
    void *data;
    fever_create_raw(100, &data, &o);
    TAP_IS(fever_cancel(o, 0), -FEVER_ESTATE, "an unsealed object");
    TAP_IS(fever_seal(o), 0, "which stays as it was");
    fever_release(o);
    fever_promise(&p);
    r = after_remote(p, 2);
    TAP_IS(fever_cancel(p, 0), 1, "a promise");
    int v = 5;
    TAP_IS(fever_get_for(p, &v, 0), -FEVER_ECANCELED, "fails");
    TAP_IS(take(r), -FEVER_ECANCELED, "and what depends on it");
    TAP_IS(fever_promise_set(p, &v, sizeof v), -FEVER_ESTATE, "it cannot be set any more");
    TAP_IS(fever_cancel(p, 0), 0, "nor cancelled");
    fever_release(p);
    fever_promise(&p);
    fever_promise_set(p, &v, sizeof v);
    TAP_IS(fever_cancel(p, FEVER_CANCEL_FORCE), 0, "a promise that is set");
    TAP_IS(take(p), 5, "keeps its value");
    rt_balanced(0);
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ many */

#define MANY 5000

static void test_many(void)
{
    static fever_ref r[MANY];
    static bool      cancelled[MANY];
    unsigned         seed = (unsigned)time(NULL);

    clear();
    tap_diag("seed %u", seed);
    srand(seed);
    rt_init(.workers = 3, .task_slots = 16384);
    for (int round = 0; round < 3; round++) { /* before it is given, while it is, both */
        fever_ref signal;
        int       good = 0, bad = 0, n = 0, seven = 7;
        fever_promise(&signal);
        for (int i = 0; i < MANY; i++) {
            r[i] = after_remote(signal, 1);
            cancelled[i] = false;
        }
        int settled = 0;
        for (int i = 0; i < MANY && round == 0; i++) /* else a worker may have one in hand, RUN, until the signal is there: it is told, and may end well */
            settled += until_state(r[i], FV_BLOCKED);
        TAP_IS(settled, round == 0 ? MANY : 0, "round %d", round);
        if (round != 1)
            for (int i = 0; i < MANY; i++)
                if (rand() % 20 == 0)
                    cancelled[i] = true, n += fever_cancel(r[i], rand() % 4 == 0 ? FEVER_CANCEL_FORCE : 0) == 1;
        fever_promise_set(signal, &seven, sizeof seven);
        if (round != 0)
            for (int i = 0; i < MANY; i++)
                if (rand() % 20 == 0)
                    cancelled[i] = true, n += fever_cancel(r[i], rand() % 4 == 0 ? FEVER_CANCEL_FORCE : 0) == 1;
        for (int i = 0; i < MANY; i++) {
            int v = take(r[i]);
            good += v == 8;
            bad += v != 8 && !(v == -FEVER_ECANCELED && cancelled[i]);
        }
        fever_release(signal);
        TAP_IS(bad, 0, "%d tasks on one signal, %d cancelled in time: %d ended well, the others as cancelled", MANY, n, good);
        TAP_OK(round != 0 || n == MANY - good, "before it was given each cancel took effect");
        rt_balanced(0);
    }
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* Threads that cancel the same tasks as they begin, run and end. */
static struct race {
    fever_ref         ref[200];
    pthread_barrier_t meet;
} race;
static void *racer(void *arg)
{
    long n = 0;

    (void)arg;
    for (int round = 0; round < 20; round++) {
        pthread_barrier_wait(&race.meet);
        for (int i = 0; i < 200; i++)
            n += fever_cancel(race.ref[i], (unsigned)(i % 3 == 0 ? FEVER_CANCEL_FORCE : 0)) >= 0;
        pthread_barrier_wait(&race.meet);
    }
    return (void *)(intptr_t)n;
}
static void test_race(void)
{
    pthread_t t[2];
    int       bad = 0, ended = 0;
    void     *n;

    clear();
    rt_init(.workers = 3, .max_spares = 8);
    pthread_barrier_init(&race.meet, NULL, 3);
    for (int k = 0; k < 2; k++)
        pthread_create(&t[k], NULL, racer, NULL);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 200; i++)
            race.ref[i] = plain_remote(1);
        pthread_barrier_wait(&race.meet);
        for (int i = 0; i < 200; i++)
            fever_wait_one(race.ref[i], 4 * RT_LONG);
        pthread_barrier_wait(&race.meet);
        for (int i = 0; i < 200; i++) {
            int v = take(race.ref[i]);
            ended += v == 3;
            bad += v != 3 && v != -FEVER_ECANCELED;
        }
    }
    for (int k = 0; k < 2; k++) {
        pthread_join(t[k], &n);
        TAP_IS((intptr_t)n, 4000, "each cancel was good");
    }
    TAP_IS(bad, 0, "4000 tasks, cancelled by two threads while they begin and end: %d ended well, the others as cancelled", ended);
    TAP_IS(atomic_load(&page->ended[1]) >= ended, 1, "no result without a body");
    rt_balanced(0);
    rt_shutdown();
    pthread_barrier_destroy(&race.meet);
}

static void test_inline(void)
{
    clear();
    rt_init(.inline_tasks = 1);
    fever_ref p;
    int       v = 1;
    fever_promise(&p);
    fever_ref r = after_remote(p, 1);
    TAP_IS(fever_cancel(r, FEVER_CANCEL_FORCE), 1, "inline: one that waits for its argument");
    TAP_IS(take(r), -FEVER_ECANCELED, "inline: is cancelled");
    TAP_IS(fever_promise_set(p, &v, sizeof v), 0, "inline: the promise is set");
    fever_release(p);
    TAP_IS(take(cancels_itself_remote(0)), -FEVER_ECANCELED, "inline: a task cancels itself");
    TAP_IS(take(cancels_itself_remote(FEVER_CANCEL_FORCE)), -FEVER_ECANCELED, "inline: by force it is only told");
    r = plain_remote(2);
    TAP_IS(fever_cancel(r, 0), 0, "inline: one that was submitted has ended");
    TAP_IS(take(r), 6, "inline: well");
    rt_balanced(0);
    rt_shutdown();
}

int main(void)
{
    rt_begin(150);
    page = rt_shared(sizeof *page);
    test_others();
    test_pending();
    test_chain();
    test_running();
    test_force();
    test_in_place();
    test_children();
    test_many();
    test_race();
    test_inline();
    return tap_done();
}
