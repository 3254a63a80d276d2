/* t_resources.c: tasks that ask for fractions of CPUs, several CPUs, custom resources, and a place in the order.
 *
 * Run by:          make check.
 */
#include <sched.h>

#include "rt.h"

struct page {
    atomic_int in, most, gate, done, plain, order[64], n_order, attempts, threads, stop;
    atomic_int ended[4096];
    atomic_int gates[8], inside[8], cpu[8], units, most_units; /* of those that block */
};
static struct page *page;

#define WANT(...) ((struct fever_resource[]){__VA_ARGS__})

static void enter(void)
{
    int n = atomic_fetch_add(&page->in, 1) + 1;
    int most = atomic_load(&page->most);

    while (n > most && !atomic_compare_exchange_weak(&page->most, &most, n))
        ;
}
static void leave(void) { atomic_fetch_sub(&page->in, 1); }

/* Stays inside until the gate is open; gives how many CPUs it may run on. */
FEVER_TASK(int, hold, (int, x))
{
    cpu_set_t set;

    enter();
    for (double end = rt_now() + 4 * RT_LONG; !atomic_load(&page->gate) && rt_now() < end;)
        rt_nap();
    leave();
    atomic_fetch_add(&page->done, 1);
    return x < 0 || sched_getaffinity(0, sizeof set, &set) < 0 ? -1 : CPU_COUNT(&set);
}
/* Inside for a moment. */
FEVER_TASK(int, pass, (int, x))
{
    enter();
    for (int i = 0; i < 300; i++)
        sched_yield();
    leave();
    return x;
}
FEVER_TASK(int, plain, (int, x)) { atomic_fetch_add(&page->plain, 1); return x; }
FEVER_TASK(int, note, (int, x)) { atomic_store(&page->order[atomic_fetch_add(&page->n_order, 1)], x); return x; }
FEVER_TASK(int, threads_wanted) { const char *s = getenv("OMP_NUM_THREADS"); return s == NULL ? 0 : atoi(s); }
FEVER_TASK(int, threads_of_blas) { const char *s = getenv("OPENBLAS_NUM_THREADS"); return s == NULL ? 0 : atoi(s); }
FEVER_TASK(int, cpus)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) < 0 ? -1 : CPU_COUNT(&set);
}
FEVER_TASK(int, die_once, (int, times))
{
    if (atomic_fetch_add(&page->attempts, 1) < times)
        kill(getpid(), SIGKILL);
    return 5;
}
FEVER_TASK(int, parent_of_two, (int, x)) /* awaits one that asks for as much */
{
    int v = -1, rc = fever_take(hold_with(FEVER_WITH(.num_cpus = 2), x), &v);

    return rc < 0 ? rc : v;
}
FEVER_TASK(int, chain, (int, n))
{
    int v = 0, rc = n == 0 ? 0 : fever_take(chain_with(FEVER_WITH(.priority = 3), n - 1), &v);

    return rc < 0 ? rc : v + 1;
}
FEVER_TASK(int, half_chain, (int, n))
{
    int v = 0, rc = n == 0 ? 0 : fever_take(half_chain_with(FEVER_WITH(.num_cpus = 0.5), n - 1), &v);

    return rc < 0 ? rc : v + 1;
}
FEVER_TASK(int, add_one, (fever_ref, r)) { int v = -100; int rc = fever_get(r, &v); return rc < 0 ? rc : v + 1; }
FEVER_TASK(int, bad, (int, code)) { fever_fail(code, "as it should"); return 0; }
FEVER_TASK(int, once, (int, x)) { atomic_fetch_add(&page->ended[x], 1); for (int i = 0; i < 20; i++) sched_yield(); return x; }
FEVER_TASK(int, once_and_again, (int, x)) /* blocks in between */
{
    int v = -1, rc = fever_take(x % 2 ? plain_remote(x) : plain_with(FEVER_WITH(.num_cpus = FEVER_NO_CPU, .max_retries = 250), x), &v);

    return rc == -FEVER_ECRASHED || rc == -FEVER_EDEPTH ? x : rc < 0 ? rc : v; /* it used up its attempts; all processes are blocked */
}
FEVER_TASK(int, spin_ms, (int, ms)) { for (double end = rt_now() + ms * 1e-3; rt_now() < end;) sched_yield(); return ms; }

/* Tasks that block.  Units of CPUs are counted while they do not. */
static void take_units(int n)
{
    int now = atomic_fetch_add(&page->units, n) + n, most = atomic_load(&page->most_units);

    while (now > most && !atomic_compare_exchange_weak(&page->most_units, &most, now))
        ;
}
static void give_units(int n) { atomic_fetch_sub(&page->units, n); }
static int  first_cpu(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int i = 0; i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &set))
                return i;
    return -1;
}
static void stay_at(int gate)
{
    atomic_store(&page->cpu[gate], first_cpu());
    atomic_store(&page->inside[gate], 1);
    for (double end = rt_now() + 4 * RT_LONG; !atomic_load(&page->gates[gate]) && rt_now() < end;)
        rt_nap();
    atomic_store(&page->inside[gate], 0);
}
/* In until its gate is open.  units: of the CPUs that it was granted. */
FEVER_TASK(int, stay, (int, gate), (int, units))
{
    take_units(units);
    stay_at(gate);
    give_units(units);
    return 0;
}
/* Awaits one without a CPU that stays at gate 0, for so long, then stays at gate 1; gives OMP_NUM_THREADS * 100 + CPUs then. */
FEVER_TASK(int, resumes, (int, units), (double, timeout))
{
    cpu_set_t set;
    int       v, cpu = first_cpu();
    fever_ref child = stay_with(FEVER_WITH(.num_cpus = FEVER_NO_CPU), 0, 0);

    atomic_store(&page->cpu[7], cpu);
    int         rc = fever_get_for(child, &v, timeout);
    const char *s = getenv("OMP_NUM_THREADS");
    fever_release(child);
    take_units(units);
    stay_at(1);
    give_units(units);
    return rc < 0 ? rc : sched_getaffinity(0, sizeof set, &set) < 0 ? -1 : (s == NULL ? 0 : atoi(s)) * 100 + CPU_COUNT(&set);
}
/* Blocks n times. */
FEVER_TASK(int, often, (int, units), (int, n))
{
    int v = 0, bad = 0;

    for (int i = 0; i < n; i++) {
        take_units(units);
        sched_yield();
        give_units(units);
        bad += fever_take(i % 3 == 0 ? plain_with(FEVER_WITH(.num_cpus = FEVER_NO_CPU), i) : plain_remote(i), &v) != 0 || v != i;
    }
    return bad;
}

static void reset(void) { memset((void *)page, 0, sizeof *page); }

/* All that is granted is given back. */
static void at_rest(void)
{
    const struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    uint64_t used = 1;

    for (double end = rt_now() + RT_LONG; used != 0 && rt_now() < end; rt_nap()) {
        used = d->n_granted + d->n_pending + d->cpu_used + d->busy;
        for (uint32_t i = 0; i < d->n_resources; i++)
            used += fv_load_relaxed_64(&d->resource[i].used);
    }
    TAP_IS(used, 0, "all CPUs and resources are available again");
    TAP_IS(rt_validate(), 0, "the books are right");
}

/* n tasks of these options: how many are inside at once, exactly. */
static void at_once(const struct fever_task_options *o, int n, int want, const char *text)
{
    fever_ref r[64];
    int       v, bad = 0;

    reset();
    for (int i = 0; i < n; i++)
        r[i] = hold_with(o, i);
    TAP_OK(rt_until(&page->in, want), "%s: %d of %d are inside at once", text, want, n);
    for (int i = 0; i < 30; i++)
        rt_nap();
    TAP_IS(page->most, want, "never more");
    atomic_store(&page->gate, 1);
    for (int i = 0; i < n; i++)
        bad += fever_take(r[i], &v) != 0;
    TAP_IS(bad, 0, "all end");
    TAP_IS(page->most, want, "never more, to the end");
    at_rest();
}

static void fractions(void)
{
    fever_ref r, p;
    int       v = 0;

    rt_init(.workers = 2, .max_spares = 40, .resources = "gpu=2,disk=1.5");
    at_once(FEVER_WITH(.num_cpus = 0.5), 8, 4, "halves on two workers");
    at_once(FEVER_WITH(.num_cpus = 0.6), 6, 3, "0.6 each: their sum counts");
    at_once(FEVER_WITH(.num_cpus = 0.0001), 20, 20, "0.0001 each");
    at_once(FEVER_WITH(.num_cpus = FEVER_NO_CPU), 10, 10, "no CPU");
    at_once(FEVER_WITH(.resources = WANT({"gpu", 1}), .n_resources = 1, .num_cpus = FEVER_NO_CPU), 6, 2, "gpu=1 of 2");
    at_once(FEVER_WITH(.resources = WANT({"disk", 0.5}), .n_resources = 1, .num_cpus = 0.1), 6, 3, "disk=0.5 of 1.5");
    at_once(FEVER_WITH(.resources = WANT({"gpu", 2}), .n_resources = 1), 3, 1, "all of a resource");
    at_once(FEVER_WITH(.resources = WANT({"gpu", 0.0001}, {"disk", 1.4}), .n_resources = 2), 3, 1, "two resources: the scarcer decides");
    at_once(FEVER_WITH(.priority = 5), 5, 2, "whole CPUs");

    /* all CPUs are in use by ordinary tasks: fractions wait until one is given up, the second one as the first */
    reset();
    fever_ref busy[2] = {hold_remote(0), hold_remote(0)}, part[2];
    TAP_OK(rt_until(&page->in, 2), "both workers are busy");
    part[0] = hold_with(FEVER_WITH(.num_cpus = 0.5), 0);
    part[1] = hold_with(FEVER_WITH(.num_cpus = 0.25), 0);
    for (int i = 0; i < 30; i++)
        rt_nap();
    TAP_IS(page->most, 2, "no fraction runs beside them");
    atomic_store(&page->gate, 1);
    TAP_OK(fever_take(busy[0], &v) == 0 && fever_take(busy[1], &v) == 0 && fever_take(part[0], &v) == 0 && fever_take(part[1], &v) == 0, "all end");
    at_rest();

    /* half a CPU in use: one whole is left, and ordinary tasks have only that */
    reset();
    r = hold_with(FEVER_WITH(.num_cpus = 0.5), 0);
    TAP_OK(rt_until(&page->in, 1), "half a CPU is in use");
    p = hold_with(FEVER_WITH(.num_cpus = 2), 0);
    for (int i = 0; i < 30; i++)
        rt_nap();
    TAP_IS(page->most, 1, "two whole ones are not to be had beside it");
    const struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    TAP_OK(d->n_shown == 1 && d->pending[0].n == 1 && d->pending[0].lacks == 0 && d->pending[0].cpu_units == 20000 && d->pending[0].free_units == 15000,
           "the tools are told so");
    TAP_IS(fever_take(plain_remote(3), &v), 0, "an ordinary task runs beside it");
    atomic_store(&page->gate, 1);
    TAP_IS(fever_take(r, &v), 0, "the half ends");
    TAP_IS(fever_take(p, &v), 0, "and both CPUs are there for the other");
    TAP_IS(v, fv_rt.topo.n_allowed >= 2 ? 2 : 1, "it could run on two");
    at_rest();
    rt_shutdown();
}

static void several(void)
{
    fever_ref r;
    int       v = -1, two = 0;

    unsetenv("OMP_NUM_THREADS");
    unsetenv("OPENBLAS_NUM_THREADS");
    rt_init(.workers = 2);
    two = fv_rt.topo.n_allowed >= 2 ? 2 : 1;
    TAP_OK(fever_take(cpus_with(FEVER_WITH(.num_cpus = 2)), &v) == 0 && v == two, "num_cpus = 2: it may run on %d CPUs", two);
    TAP_OK(fever_take(threads_wanted_with(FEVER_WITH(.num_cpus = 2)), &v) == 0 && v == 2, "OMP_NUM_THREADS is 2");
    TAP_OK(fever_take(threads_of_blas_with(FEVER_WITH(.num_cpus = 2)), &v) == 0 && v == 2, "OPENBLAS_NUM_THREADS is 2");
    for (int i = 0; i < 8; i++)
        if (fever_take(cpus_remote(), &v) != 0 || v != 1 || fever_take(threads_wanted_remote(), &v) != 0 || v != 0)
            break;
    TAP_IS(v, 0, "afterwards it is one CPU again, and the variable is gone");
    TAP_OK(fever_take(threads_wanted_with(FEVER_WITH(.num_cpus = 0.5)), &v) == 0 && v == 0, "a fraction sets nothing");

    reset();
    r = hold_with(FEVER_WITH(.num_cpus = 2), 0);
    TAP_OK(rt_until(&page->in, 1), "it runs");
    fever_ref p[4];
    for (int i = 0; i < 4; i++)
        p[i] = plain_remote(i);
    for (int i = 0; i < 30; i++)
        rt_nap();
    TAP_IS(page->plain, 0, "no ordinary task runs while one has all CPUs");
    atomic_store(&page->gate, 1);
    TAP_IS(fever_take(r, &v), 0, "it ends");
    for (int i = 0; i < 4; i++)
        TAP_IS(fever_take(p[i], &v), 0, "then they do");

    reset();
    atomic_store(&page->gate, 1);
    TAP_OK(fever_take(parent_of_two_with(FEVER_WITH(.num_cpus = 2), 0), &v) == 0 && v == two, "one of 2 CPUs awaits one of 2 CPUs: it gives its own up");
    TAP_OK(fever_take(chain_with(FEVER_WITH(.priority = 3), 12), &v) == 0 && v == 13, "a chain of twelve that await each other");
    TAP_OK(fever_take(half_chain_with(FEVER_WITH(.num_cpus = 0.5), 12), &v) == 0 && v == 13, "and of halves");
    at_rest();
    rt_shutdown();

    setenv("OMP_NUM_THREADS", "7", 1);
    rt_init(.workers = 2);
    TAP_OK(fever_take(threads_wanted_with(FEVER_WITH(.num_cpus = 2)), &v) == 0 && v == 7, "the user's own OMP_NUM_THREADS goes");
    TAP_OK(fever_take(threads_of_blas_with(FEVER_WITH(.num_cpus = 2)), &v) == 0 && v == 2, "the others are set all the same");
    TAP_OK(fever_take(threads_wanted_remote(), &v) == 0 && v == 7, "and it stays");
    rt_shutdown();
    unsetenv("OMP_NUM_THREADS");
}

static void infeasible(void)
{
    fever_ref r = {42};
    int       v = 1;

    rt_init(.workers = 2, .max_spares = 0, .resources = "gpu=2");
    struct args { int x; } a = {1};
    const struct { const char *name; double amount; } no[] = {{"gpu", 2.0001}, {"gpus", 1}, {"GPU", 1}, {"cpu", 1}};
    for (size_t i = 0; i < FV_COUNT_OF(no); i++)
        TAP_IS(fever_submit(&fever_def_pass, &a, sizeof a, FEVER_WITH(.resources = WANT({no[i].name, no[i].amount}), .n_resources = 1), &r),
               -FEVER_EINFEASIBLE, "%.4f of %s can never be had", no[i].amount, no[i].name);
    TAP_IS(fever_submit(&fever_def_pass, &a, sizeof a, FEVER_WITH(.num_cpus = 3), &r), -FEVER_EINFEASIBLE, "nor 3 CPUs of 2");
    TAP_IS(fever_submit(&fever_def_pass, &a, sizeof a, FEVER_WITH(.num_cpus = 1.5), &r), -FEVER_EINVAL, "above one they must be whole");
    TAP_IS(fever_submit(&fever_def_pass, &a, sizeof a, FEVER_WITH(.num_cpus = 0.00001), &r), -FEVER_EINVAL, "0.00001 is nothing");
    TAP_IS(r.id, 42, "nothing was given");
    rt_balanced(0);
    TAP_OK(fever_take(pass_with(FEVER_WITH(.resources = WANT({"gpu", 2}), .n_resources = 1), 3), &v) == 0 && v == 3, "all of it can be had");
    TAP_OK(fever_take(pass_with(FEVER_WITH(.num_cpus = FEVER_NO_CPU), 4), &v) == 0 && v == 4, "no CPU, and no spare to be had: a worker does it");
    fever_ref h[6];
    for (int i = 0; i < 6; i++)
        h[i] = pass_with(FEVER_WITH(.num_cpus = 0.25), i);
    for (int i = 0; i < 6; i++)
        TAP_OK(fever_take(h[i], &v) == 0 && v == i, "quarters without spares");
    at_rest();
    rt_shutdown();
    static const char *const wrong[] = {"gpu", "gpu=", "=1", "gpu=0", "gpu=-1", "gpu=1,", "gpu=1,gpu=2", "cpu=3", "gpu=1.00001", "gpu=x", "g u=1",
                                        "a123456789012345678901234567890123=1", "gpu=1e3", "gpu=9999999999999999999999"};
    for (size_t i = 0; i < FV_COUNT_OF(wrong); i++)
        TAP_IS(fever_init(FEVER_OPTIONS(.quiet = 1, .resources = wrong[i])), -FEVER_EOPTION, "resources \"%s\" are refused", wrong[i]);
}

static void ends(void)
{
    int v = 0;

    reset();
    rt_init(.workers = 2, .resources = "gpu=1");
    const struct fever_resource *gpu = WANT({"gpu", 1});
    fever_ref r = die_once_with(FEVER_WITH(.resources = gpu, .n_resources = 1, .max_retries = FEVER_NO_RETRY), 1);
    TAP_IS(fever_take(r, &v), -FEVER_ECRASHED, "a holder dies");
    fever_release(r);
    TAP_OK(fever_take(pass_with(FEVER_WITH(.resources = gpu, .n_resources = 1), 7), &v) == 0 && v == 7, "what it held is free");
    reset();
    TAP_OK(fever_take(die_once_with(FEVER_WITH(.resources = gpu, .n_resources = 1, .num_cpus = 2), 2), &v) == 0 && v == 5, "one that dies twice is repeated");
    TAP_IS(page->attempts, 3, "so often");
    reset();
    r = hold_with(FEVER_WITH(.resources = gpu, .n_resources = 1, .timeout_s = 0.05), 1);
    TAP_IS(fever_take(r, &v), -FEVER_ETASKTIMEOUT, "one runs out of time");
    fever_release(r);
    r = bad_with(FEVER_WITH(.resources = gpu, .n_resources = 1), 3);
    TAP_IS(fever_take(r, &v), -FEVER_EAPP, "one fails");
    fever_release(r);
    reset();
    r = hold_with(FEVER_WITH(.num_cpus = 2), 1);
    TAP_OK(rt_until(&page->in, 1), "one has both CPUs");
    for (uint32_t s = 1; s <= 2; s++) /* the host, and the worker that has lent its CPU */
        kill((pid_t)fv_proc(s)->pid, SIGKILL);
    atomic_store(&page->gate, 1);
    TAP_OK(fever_take(r, &v) == 0, "all workers are killed under it: it is repeated");

    /* cancel */
    reset();
    r = hold_with(FEVER_WITH(.resources = gpu, .n_resources = 1), 1);
    TAP_OK(rt_until(&page->in, 1), "one holds the resource");
    fever_ref w = pass_with(FEVER_WITH(.resources = gpu, .n_resources = 1), 2);
    TAP_IS(fever_cancel(w, 0), 1, "one that waits for it is cancelled");
    TAP_IS(fever_take(w, &v), -FEVER_ECANCELED, "and fails");
    fever_release(w);
    TAP_IS(fever_cancel(r, FEVER_CANCEL_FORCE), 1, "the holder is cancelled by force");
    TAP_IS(fever_take(r, &v), -FEVER_ECANCELED, "and fails");
    fever_release(r);
    at_rest();

    /* dependencies */
    reset();
    fever_ref d = hold_remote(1), e = add_one_with(FEVER_WITH(.resources = gpu, .n_resources = 1), d);
    TAP_OK(rt_until(&page->in, 1), "an argument is being made");
    TAP_OK(fever_take(pass_with(FEVER_WITH(.resources = gpu, .n_resources = 1), 8), &v) == 0 && v == 8, "who waits for an argument holds nothing");
    atomic_store(&page->gate, 1);
    TAP_OK(fever_take(e, &v) == 0 && v == 2, "it runs when the argument is there");
    fever_release(d);
    d = bad_remote(4);
    e = add_one_with(FEVER_WITH(.priority = 1), d);
    TAP_IS(fever_take(e, &v), -FEVER_EAPP, "the argument has failed");
    fever_release(e);
    fever_release(d);
    fever_release(pass_with(FEVER_WITH(.priority = 1), 1)); /* nobody wants it */
    struct fever_group *g;
    TAP_IS(fever_group_open(&g), 0, "a group");
    const struct { int x; } a = {1};
    for (int i = 0; i < 50; i++)
        fever_group_submit(g, &fever_def_pass, &a, sizeof a, FEVER_WITH(.resources = gpu, .n_resources = 1));
    TAP_IS(fever_group_wait(g, RT_LONG), 0, "ends");
    fever_group_close(g);
    at_rest();
    rt_balanced(0);
    rt_shutdown();
}

static void order(void)
{
    enum { MANY = 24 }; /* in flight: so many that the worker is never without one, on a busy machine too */
    fever_ref r[40], first;
    int       v = 0, bad = 0;
    static const int priority[8] = {0, 7, -3, 100, 7, -100, 1, 2}, want[8] = {3, 1, 4, 7, 6, 0, 2, 5};

    reset();
    rt_init(.workers = 1, .max_spares = 2);
    first = hold_with(FEVER_WITH(.num_cpus = 1, .priority = 100), 0);
    TAP_OK(rt_until(&page->in, 1), "the worker is busy");
    for (int i = 0; i < 8; i++) /* one CPU each; with priority 0 too they wait for a grant */
        r[i] = note_with(FEVER_WITH(.priority = priority[i], .num_cpus = priority[i] == 0 ? 0.9999 : 0), i);
    atomic_store(&page->gate, 1);
    for (int i = 0; i < 8; i++)
        fever_take(r[i], &v);
    for (int i = 0; i < 8; i++)
        bad += page->order[i] != want[i];
    if (!TAP_IS(bad, 0, "they run by priority, then in order of submission"))
        for (int i = 0; i < 8; i++)
            tap_diag("%d", page->order[i]);
    fever_take(first, &v);

    /* a constant stream of higher ones: the low one comes to its turn after a second, as a step of priority is worth that */
    double    begin = rt_now(), took = -1, gap = 0; /* the longest in which this process submitted nothing: others have the CPUs */
    int       n = 0;
    for (; n < MANY; n++)
        r[n] = spin_ms_with(FEVER_WITH(.priority = 2), 3);
    fever_ref low = note_with(FEVER_WITH(.priority = 1), 63);
    for (double last = begin; rt_now() - begin < 4 * RT_LONG && took < 0; gap = FV_MAX(gap, rt_now() - last), last = rt_now()) {
        fever_take(r[n % MANY], &v);
        r[n % MANY] = spin_ms_with(FEVER_WITH(.priority = 2), 3);
        n++;
        if (fever_wait_one(low, 0) == 0)
            took = rt_now() - begin;
    }
    TAP_OK(took >= 0, "a low one is not starved by a stream of higher ones");
    TAP_OK(took > 0.9 || gap > 0.05, "but they go first for a second, if there are always some: %.3f s without", gap);
    tap_diag("it waited for %.2f s, %d higher ones went before", took, n);
    fever_take(low, &v);

    fever_ref ordinary = plain_remote(1);
    for (took = -1, begin = rt_now(); rt_now() - begin < 4 * RT_LONG && took < 0; n++) {
        fever_take(r[n % MANY], &v);
        r[n % MANY] = spin_ms_with(FEVER_WITH(.priority = 2), 3);
        if (fever_wait_one(ordinary, 0) == 0)
            took = rt_now() - begin;
    }
    TAP_OK(took >= 0, "nor is an ordinary one");
    tap_diag("it waited for %.3f s", took);
    fever_take(ordinary, &v);
    for (int i = 0; i < MANY; i++)
        fever_take(r[(n + i) % MANY], &v);
    at_rest();

    /* below zero: behind ordinary ones, for a second a step */
    for (n = 0; n < MANY; n++)
        r[n] = spin_ms_remote(3);
    low = note_with(FEVER_WITH(.priority = -1), 63);
    begin = rt_now(), took = -1, gap = 0;
    for (double last = begin; rt_now() - begin < 4 * RT_LONG && took < 0; n++, gap = FV_MAX(gap, rt_now() - last), last = rt_now()) {
        fever_take(r[n % MANY], &v);
        r[n % MANY] = spin_ms_remote(3);
        if (fever_wait_one(low, 0) == 0)
            took = rt_now() - begin;
    }
    TAP_OK(took >= 0, "one of priority -1 is not starved by ordinary ones");
    TAP_OK(took > 0.9 || gap > 0.05, "but they go first for a second, if there are always some: %.3f s without", gap);
    tap_diag("it waited for %.3f s", took);
    fever_take(low, &v);
    for (int i = 0; i < MANY; i++)
        fever_take(r[(n + i) % MANY], &v);
    begin = rt_now();
    TAP_OK(fever_take(note_with(FEVER_WITH(.priority = -100), 62), &v) == 0 && rt_now() - begin < RT_LONG, "when nothing else is there it runs at once");
    at_rest();
    rt_shutdown();

    reset();
    rt_init(.workers = 2); /* small ones in a stream, and a large one */
    for (n = 0; n < 4; n++)
        r[n] = spin_ms_with(FEVER_WITH(.num_cpus = 0.75), 5);
    fever_ref large = cpus_with(FEVER_WITH(.num_cpus = 2));
    for (took = -1, begin = rt_now(); rt_now() - begin < 4 * RT_LONG && took < 0; n++) {
        fever_take(r[n % 4], &v);
        r[n % 4] = spin_ms_with(FEVER_WITH(.num_cpus = 0.75), 5);
        if (fever_wait_one(large, 0) == 0)
            took = rt_now() - begin;
    }
    TAP_OK(took >= 0, "a large one is not starved by a stream of small ones");
    tap_diag("it waited for %.3f s", took);
    fever_take(large, &v);
    for (int i = 0; i < 4; i++)
        fever_take(r[(n + i) % 4], &v);
    at_rest();
    rt_shutdown();
}

static void some_naps(void)
{
    for (int i = 0; i < 30; i++)
        rt_nap();
}

/* Is one that has started shown to wait for so many CPUs? */
static bool waits_to_resume(uint64_t units)
{
    const struct fv_dispatch_state *d = &fv_map.seg->dispatch;

    for (double end = rt_now() + RT_LONG; rt_now() < end; rt_nap())
        for (uint32_t i = 0; i < fv_load_acquire_32(&d->n_shown); i++)
            if (d->pending[i].resumes && d->pending[i].cpu_units == units && d->pending[i].n == 1)
                return true;
    return false;
}

/* One is blocked; those that are to hold its CPUs are inside. */
static fever_ref blocked_one(double cpus, double timeout, int n_others, fever_ref *others)
{
    fever_ref a = resumes_with(FEVER_WITH(.num_cpus = cpus, .priority = 1), (int)(cpus * 10000), timeout);
    int       in = 0;

    TAP_OK(rt_until(&page->inside[0], 1), "one of %g CPUs is blocked", cpus);
    for (int i = 0; i < n_others; i++)
        others[i] = stay_with(FEVER_WITH(.num_cpus = cpus > 1 ? 1 : cpus, .priority = 1), 2 + i, cpus > 1 ? 10000 : (int)(cpus * 10000));
    for (int i = 0; i < n_others; i++)
        in += rt_until(&page->inside[2 + i], 1);
    TAP_IS(in, n_others, "its CPUs are %d others'", n_others);
    return a;
}

static void take_all(int n, fever_ref *r)
{
    int v, bad = 0;

    for (int i = 0; i < 8; i++)
        atomic_store(&page->gates[i], 1);
    for (int i = 0; i < n; i++)
        bad += fever_take(r[i], &v) != 0;
    TAP_IS(bad, 0, "all others end");
    at_rest();
}

static void never_more(void) { TAP_OK(page->most_units <= 20000, "never more than two CPUs in use: %d units", page->most_units); }

/* What is blocked gives its CPUs up, and goes on when it has them again. */
static void resume(void)
{
    fever_ref a, h[8];
    int       v = 0, n, bad;

    unsetenv("OMP_NUM_THREADS");
    rt_init(.workers = 2, .max_spares = 20, .resources = "gpu=1");
    int two = fv_rt.topo.n_allowed >= 2 ? 2 : 1;

    reset();
    a = blocked_one(2, FEVER_FOREVER, 2, h);
    atomic_store(&page->gates[0], 1);
    TAP_OK(waits_to_resume(20000), "it could go on: that is shown");
    some_naps();
    TAP_IS(page->inside[1], 0, "it waits for both CPUs");
    atomic_store(&page->gates[2], 1);
    TAP_IS(fever_take(h[0], &v), 0, "one comes free");
    for (double end = rt_now() + 0.15; rt_now() < end;) /* nobody passes it any more then */
        rt_nap();
    h[0] = stay_with(FEVER_WITH(.priority = 100), 4, 10000);
    some_naps();
    TAP_OK(!page->inside[1] && !page->inside[4], "it waits for the other, and a new one does not go before it");
    atomic_store(&page->gates[3], 1);
    TAP_OK(rt_until(&page->inside[1], 1), "both are free: it goes on");
    TAP_IS(page->inside[4], 0, "the new one waits");
    atomic_store(&page->gates[1], 1);
    TAP_OK(fever_take(a, &v) == 0 && v == 200 + two, "its CPUs and OMP_NUM_THREADS are as before (%d)", v);
    take_all(2, h);
    never_more();

    reset(); /* on another CPU than it was on before */
    a = blocked_one(1, FEVER_FOREVER, 2, h);
    n = page->cpu[2] == page->cpu[7]; /* who is not where it was */
    atomic_store(&page->gates[0], 1);
    TAP_OK(waits_to_resume(10000), "one of one CPU could go on");
    TAP_IS(page->inside[1], 0, "and waits");
    atomic_store(&page->gates[2 + n], 1);
    TAP_OK(rt_until(&page->inside[1], 1), "another CPU than its own comes free: it goes on");
    if (two == 2)
        TAP_OK(page->cpu[1] == page->cpu[2 + n] && page->cpu[1] != page->cpu[7], "there");
    atomic_store(&page->gates[2 + !n], 1);
    TAP_IS(fever_take(h[!n], &v), 0, "its own comes free, too");
    TAP_IS(fever_take(plain_remote(3), &v), 0, "there ordinary tasks run meanwhile");
    TAP_IS(page->inside[1], 1, "(it still runs)");
    take_all(1, &h[n]);
    TAP_OK(fever_take(a, &v) == 0 && v == 1, "it ends");
    never_more();

    reset();
    a = blocked_one(0.5, FEVER_FOREVER, 4, h);
    atomic_store(&page->gates[0], 1);
    TAP_OK(waits_to_resume(5000), "half a CPU");
    some_naps();
    TAP_IS(page->inside[1], 0, "is not there while four halves are in use");
    atomic_store(&page->gates[4], 1);
    TAP_OK(rt_until(&page->inside[1], 1), "and then it is");
    take_all(4, h);
    TAP_OK(fever_take(a, &v) == 0 && v == 1, "it ends");
    never_more();

    reset(); /* its time limit */
    a = blocked_one(2, 2, 2, h); /* time enough for the others to take its CPUs */
    TAP_OK(waits_to_resume(20000), "the wait's time is over");
    TAP_IS(page->inside[1], 0, "it goes on when its CPUs are there");
    take_all(2, h);
    TAP_OK(fever_take(a, &v) == 0 && v == -FEVER_ETIMEDOUT, "and is told then");
    never_more();
    at_rest();

    reset(); /* ends while it waits for its CPUs */
    a = blocked_one(2, FEVER_FOREVER, 2, h);
    atomic_store(&page->gates[0], 1);
    TAP_OK(waits_to_resume(20000), "one that waits for its CPUs");
    atomic_store(&page->gates[1], 1);
    TAP_OK(fever_cancel(a, 0) == 1 && fever_take(a, &v) != -FEVER_ETIMEDOUT, "is cancelled: it goes on without them, and ends");
    fever_release(a);
    TAP_OK(page->inside[2] && page->inside[3], "(the others still run)");
    take_all(2, h);
    for (int how = 0; how < 2; how++) {
        reset();
        a = blocked_one(2, FEVER_FOREVER, 2, h);
        atomic_store(&page->gates[0], 1);
        TAP_OK(waits_to_resume(20000), "one that waits for its CPUs");
        pid_t pid = 0;
        for (uint32_t s = 1; s <= fv_rt.n_worker_slots; s++)
            if (fv_load_relaxed_32(&fv_proc(s)->lease) == FV_LEASE_WANTED)
                pid = (pid_t)fv_proc(s)->pid;
        if (how == 0) {
            TAP_IS(fever_cancel(a, FEVER_CANCEL_FORCE), 1, "is cancelled by force");
            TAP_IS(fever_take(a, &v), -FEVER_ECANCELED, "and has ended");
            fever_release(a);
        } else {
            TAP_OK(pid > 0 && kill(pid, SIGKILL) == 0, "is killed");
        }
        take_all(2, h);
        if (how == 1)
            TAP_OK(fever_take(a, &v) == 0 && v == 200 + two, "and is repeated");
    }

    reset(); /* what it holds is awaited by who goes before all others */
    a = resumes_with(FEVER_WITH(.num_cpus = 1, .resources = WANT({"gpu", 1}), .n_resources = 1), 10000, FEVER_FOREVER);
    TAP_OK(rt_until(&page->inside[0], 1), "one that holds a resource is blocked");
    h[0] = plain_with(FEVER_WITH(.priority = 100, .resources = WANT({"gpu", 1}), .n_resources = 1), 1);
    for (double end = rt_now() + 0.15; rt_now() < end;)
        rt_nap();
    atomic_store(&page->gates[0], 1);
    TAP_OK(rt_until(&page->inside[1], 1), "it goes on before one of high priority that waits for the resource");
    take_all(1, h);
    TAP_IS(fever_take(a, &v), 0, "both end");

    reset();
    static const double num[8] = {0.5, 1, 2, 0.25, 1, 0.75, 2, 0.5};
    for (int i = 0; i < 8; i++)
        h[i] = often_with(FEVER_WITH(.num_cpus = num[i], .priority = 1 + i % 3), (int)(num[i] * 10000), 100);
    bad = 0;
    for (int i = 0; i < 8; i++)
        bad += fever_take(h[i], &v) != 0 || v != 0;
    TAP_IS(bad, 0, "eight that block a hundred times each");
    never_more();
    at_rest();
    rt_balanced(0);
    rt_shutdown();
}

/* 2,000 tasks of all kinds, and workers killed all the time. */
static void storm(void)
{
    enum { N = 2000 };
    static fever_ref r[N];
    static const double num[] = {0.5, 1, 2, 0.0001, FEVER_NO_CPU, 0.25, 0.75, 1};
    uint32_t         seed = 12345, kills = 0;
    int              v = 0, bad = 0, lost = 0;

    reset();
    rt_init(.workers = 2, .max_spares = 6, .resources = "gpu=2,disk=1.5");
    double begin = rt_now();
    for (int i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned how = seed >> 16;
        struct fever_resource w[2] = {{"gpu", 0.5 * (1 + how % 4)}, {"disk", 0.3}};
        struct fever_task_options o = {.struct_bytes = sizeof o, .num_cpus = num[how / 4 % 8], .priority = (int)(how / 32 % 5) - 2, .resources = w,
                                       .n_resources = how / 256 % 3, .max_retries = 250};
        r[i] = how % 5 == 0 ? once_remote(i) : how % 5 == 1 ? once_and_again_with(&o, i) : once_with(&o, i);
        if (i % 25 == 0) {
            uint32_t s = 1 + seed % fv_rt.n_worker_slots;
            pid_t    pid = (pid_t)fv_proc(s)->pid;
            if (fv_proc(s)->role == FV_ROLE_WORKER || fv_proc(s)->role == FV_ROLE_SPARE)
                kills += pid > 0 && kill(pid, SIGKILL) == 0;
        }
        if (i % 4 == 0)
            sched_yield();
        if (i % 100 == 0)
            rt_nap();
    }
    for (int i = 0; i < N; i++) {
        int rc = fever_get_for(r[i], &v, 12 * RT_LONG);
        bad += (rc != 0 || v != i) && rc != -FEVER_ECRASHED; /* an ordinary one may use up its attempts */
        lost += rc == -FEVER_ETIMEDOUT;
        fever_release(r[i]);
        if (lost > 0)
            break;
        if (i % 50 == 0) {
            uint32_t s = 1 + (uint32_t)i / 50 % fv_rt.n_worker_slots;
            pid_t    pid = (pid_t)fv_proc(s)->pid;
            kills += pid > 0 && kill(pid, SIGKILL) == 0;
        }
    }
    TAP_IS(bad, 0, "2,000 mixed tasks while workers are killed: each has its result");
    tap_diag("%u kills, %.2f s", kills, rt_now() - begin);
    at_rest();
    rt_balanced(0);
    rt_shutdown();
}

static void rate(void)
{
    enum { N = 20000 };
    static fever_ref r[N];
    int              v = 0, bad = 0;

    rt_init(.workers = 2, .max_spares = 4);
    double begin = rt_now();
    for (int i = 0; i < N; i++)
        r[i] = plain_with(FEVER_WITH(.priority = 1), i);
    for (int i = 0; i < N; i++)
        bad += fever_take(r[i], &v) != 0 || v != i;
    TAP_IS(bad, 0, "20,000 tasks by grants");
    tap_diag("%.0f a second", N / (rt_now() - begin));
    at_rest();
    rt_shutdown();
}

static void in_the_driver(void)
{
    int v = 0;

    rt_init(.workers = 2, .inline_tasks = 1, .resources = "gpu=1");
    TAP_OK(fever_take(pass_with(FEVER_WITH(.num_cpus = 2, .resources = WANT({"gpu", 1}), .n_resources = 1, .priority = 4), 9), &v) == 0 && v == 9,
           "inline: it is granted at once");
    TAP_OK(fever_take(chain_with(FEVER_WITH(.num_cpus = 0.5), 5), &v) == 0 && v == 6, "inside of others, too");
    fever_ref r = pass_with(FEVER_WITH(.num_cpus = 3), 1);
    TAP_IS(fever_take(r, &v), -FEVER_EINFEASIBLE, "what there cannot be is refused");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* Cancelled ones that never come to the top of what waits. */
static void cancelled_deep(void)
{
    static fever_ref r[2000];
    fever_ref        first, inside;
    int              v, bad = 0;

    reset();
    rt_init(.workers = 2, .resources = "gpu=1");
    inside = hold_with(FEVER_WITH(.resources = WANT({"gpu", 1}), .n_resources = 1), 0);
    TAP_OK(rt_until(&page->in, 1), "one has all of it");
    first = plain_with(FEVER_WITH(.resources = WANT({"gpu", 1}), .n_resources = 1, .priority = 9), 1);
    for (int i = 0; i < 2000; i++)
        r[i] = plain_with(FEVER_WITH(.resources = WANT({"gpu", 1}), .n_resources = 1), i);
    for (double end = rt_now() + RT_LONG; fv_map.seg->dispatch.n_pending < 2001 && rt_now() < end;)
        rt_nap();
    TAP_IS(fv_map.seg->dispatch.n_pending, 2001, "2001 wait for it");
    for (int i = 0; i < 2000; i++)
        bad += fever_cancel(r[i], 0) != 1;
    TAP_IS(bad, 0, "all are cancelled but the first");
    for (double end = rt_now() + RT_LONG; fv_map.seg->dispatch.n_pending > 200 && rt_now() < end;)
        rt_nap();
    TAP_OK(fv_map.seg->dispatch.n_pending <= 200, "most are forgotten: %u are left", fv_map.seg->dispatch.n_pending);
    for (int i = 0; i < 2000; i++)
        fever_release(r[i]);
    atomic_store(&page->gate, 1);
    TAP_IS(fever_take(inside, &v), 0, "the one inside ends");
    TAP_IS(fever_take(first, &v), 0, "so does the first");
    at_rest();
    rt_shutdown();
}

int main(void)
{
    rt_begin(280);
    page = rt_shared(sizeof *page);
    const char *only = getenv("T_ONLY");
#define PART(f) if (only == NULL || strcmp(only, #f) == 0) f()
    PART(infeasible);
    PART(fractions);
    PART(several);
    PART(ends);
    PART(resume);
    PART(cancelled_deep);
    PART(order);
    PART(in_the_driver);
    PART(rate);
    PART(storm);
    return tap_done();
}
