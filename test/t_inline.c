/* t_inline.c: FEVER_INLINE=1: every task runs in the driver, one after the other.
 *
 * Run by:          make check.
 */
#include <math.h>
#include <pthread.h>

#include "rt.h"

static int ran;

FEVER_TASK(int, add, (int, a), (int, b)) { ran++; return a + b; }
FEVER_TASK(int, pid) { return getpid(); }
FEVER_TASK(int, add1, (fever_ref, r)) { int v = -100; ran++; fever_get(r, &v); return v + 1; }
FEVER_TASK(int, bad, (int, code)) { fever_fail(code, "code %d", code); return 0; }
FEVER_TASK(long, sfib, (int, n))
{
    if (n < 2)
        return n;
    fever_ref a = sfib_remote(n - 1), b = sfib_remote(n - 2);
    long x = 0, y = 0;
    fever_take(a, &x);
    fever_take(b, &y);
    return x + y;
}
FEVER_REENTRANT(long, fib, (int, n))
{
    if (n < 2)
        return n;
    fever_ref a = fib_remote(n - 1), b = fib_remote(n - 2);
    long x = 0, y = 0;
    fever_take(b, &y);
    fever_take(a, &x);
    return x + y;
}
typedef struct { char c[100000]; } big;
FEVER_TASK(big, echo_big, (big, x)) { x.c[0]++; return x; }
FEVER_TASK(struct fever_context, context) { return *fever_context(); }
FEVER_TASK(fever_ref, put_inside, (int, x)) { fever_ref r = FEVER_NULL_REF; fever_put(&x, sizeof x, &r); return r; }
FEVER_FOR(fill, i, (uintptr_t, p)) { ((int *)p)[i] = (int)i; }
struct holder { fever_ref r; };
FEVER_TASK(int, set_promise, (struct holder, h), (int, v)) { return fever_promise_set(h.r, &v, sizeof v); }

static int take(fever_ref r)
{
    int v = -1, rc = fever_take_raw(r, &v, sizeof v, 7, RT_LONG);
    return rc < 0 ? rc : v;
}

static void *in_thread(void *arg)
{
    (void)arg;
    long bad = 0;
    for (int i = 0; i < 1000; i++)
        bad += take(pid_remote()) != getpid();
    return (void *)(intptr_t)bad;
}

int main(void)
{
    rt_begin(60);
    setenv("FEVER_INLINE", "1", 1);
    TAP_IS(fever_init(NULL), 0, "FEVER_INLINE=1");
    TAP_OK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "no process is started");
    fever_ref r = add_remote(1, 2), q, p;
    TAP_IS(ran, 1, "a task has run when it is submitted");
    TAP_IS(take(r), 3, "its result");
    TAP_IS(take(pid_remote()), getpid(), "in the driver");
    long l = 0;
    TAP_IS(fever_take(sfib_remote(10), &l), 0, "nested");
    TAP_IS(l, 55, "fib(10)");
    TAP_IS(fever_take(fib_remote(15), &l), 0, "nested, reentrant");
    TAP_IS(l, 610, "fib(15)");
    static big b, c;
    b.c[5] = 7;
    TAP_IS(fever_take(echo_big_remote(b), &c), 0, "100 KB in, 100 KB out");
    TAP_OK(c.c[0] == 1 && c.c[5] == 7, "all of it");
    r = bad_remote(9);
    int v = 0;
    TAP_IS(fever_get(r, &v), -FEVER_EAPP, "a failure");
    struct fever_error e = rt_error(r);
    TAP_OK(e.app_code == 9 && strcmp(e.text, "code 9") == 0 && e.worker == -1, "what it says");
    q = add1_remote(r);
    TAP_IS(fever_get(q, &v), -FEVER_EAPP, "its dependent");
    fever_release(r);
    fever_release(q);
    struct fever_context k;
    r = context_remote();
    TAP_IS(fever_get(r, &k), 0, "context");
    TAP_OK(k.task.id == r.id && k.attempt == 1 && k.worker == -1, "of the task");
    fever_release(r);
    TAP_OK(fever_context() == NULL, "none outside");

    /* a chain that waits for a promise */
    fever_promise(&p);
    int before = ran;
    r = add1_remote(p);
    q = add1_remote(r);
    TAP_IS(ran, before, "a task whose argument is not there does not run");
    TAP_IS(fever_get_for(q, &v, 0), -FEVER_ETIMEDOUT, "poll");
    TAP_IS(fever_get(q, &v), -FEVER_EDEADLK, "nobody else will set it");
    TAP_IS(fever_wait(&q, 1, 1, FEVER_FOREVER, NULL), -FEVER_EDEADLK, "wait");
    v = 10;
    TAP_IS(fever_promise_set(p, &v, sizeof v), 0, "set");
    TAP_IS(fever_get(q, &v), 0, "then they run");
    TAP_IS(v, 12, "their result");
    fever_release(p);
    fever_release(q);
    fever_release(r);
    fever_promise(&p);
    TAP_IS(take(set_promise_remote((struct holder){p}, 8)), 0, "set by a task");
    TAP_IS(take(p), 8, "its value");

    struct fever_group *g;
    TAP_IS(fever_group_open(&g), 0, "group");
    int rc = 0;
    for (int i = 0; i < 200000; i++)
        rc |= add_group(g, i, i);
    rc |= bad_group(g, 3);
    TAP_IS(rc, 0, "of 200,001");
    TAP_IS(fever_group_wait(g, FEVER_FOREVER), 1, "one failed");
    uint64_t index;
    fever_group_failure(g, 0, &index, &e);
    TAP_OK(index == 200000 && e.app_code == 3, "the last");
    TAP_IS(fever_group_close(g), 0, "close");
    int in[100], data[100];
    long out[100];
    for (int i = 0; i < 100; i++)
        in[i] = i % 10;
    TAP_IS(fever_map(fib, in, 100, out), 0, "map");
    TAP_IS(out[19], 34, "its result");
    TAP_IS(fill_for(0, 100, 0, (uintptr_t)data), 0, "parallel_for");
    TAP_OK(data[0] == 0 && data[99] == 99, "sees the driver's memory");
    fever_ref inner;
    r = put_inside_remote(4);
    TAP_IS(fever_get(r, &inner), 0, "a ref as result");
    TAP_IS(fever_get(inner, &v), 0, "lives");
    TAP_IS(v, 4, "its value");
    fever_release(r);
    char *text;
    const char *view;
    size_t bytes;
    TAP_IS(fever_create(100, &text, &r), 0, "create");
    strcpy(text, "hello");
    TAP_IS(fever_seal(r), 0, "seal");
    TAP_IS(fever_view(r, &view, &bytes), 0, "view");
    TAP_OK(bytes == 100 && strcmp(view, "hello") == 0, "its bytes");
    fever_release(r);
    pthread_t t[4];
    long wrong = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, in_thread, NULL);
    for (int i = 0; i < 4; i++) {
        void *w;
        pthread_join(t[i], &w);
        wrong += (long)(intptr_t)w;
    }
    TAP_IS(wrong, 0, "four threads");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    unsetenv("FEVER_INLINE");
    rt_init(.inline_tasks = 1);
    TAP_IS(take(pid_remote()), getpid(), "by option");
    rt_shutdown();
    rt_init(.workers = 1);
    TAP_OK(take(pid_remote()) != getpid(), "and not");
    rt_shutdown();
    return tap_done();
}
