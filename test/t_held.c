/* t_held.c: actors that hold CPUs and resources as long as they live.
 *
 * Run by:          the driver, which calls actors in processes of their own.
 */
#include "rt.h"

#include <sched.h>
#include <string.h>

struct nothing {
    int unused;
};
FEVER_ACTOR(struct nothing, holder) {
    (void)self;
    return 0;
}
FEVER_METHOD(holder, int, here) { return 1; }
FEVER_METHOD(holder, int, cpus) {
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : -1;
}
FEVER_METHOD(holder, int, node) { return fever_context()->node; }
FEVER_METHOD_VOID(holder, dies) { raise(SIGKILL); }
FEVER_TASK(int, lends_for_life) { /* what it awaits takes the CPU that it gives up, and keeps it */
    holder_actor a = holder_new_with(FEVER_ACTOR_WITH(.num_cpus = 1));
    int          v = 0, rc = fever_take(holder_here_remote(a), &v);
    return rc < 0 ? rc : v;
}
FEVER_TASK(int, plain) { return 2; }
FEVER_TASK(int, awaited, (fever_ref, r)) {
    (void)r;
    return 3;
}

static struct fever_resource one = {"seat", 1}, two = {"seat", 2}, three = {"seat", 3};

static int take(fever_ref r)
{
    int v = 0, rc = fever_take(r, &v);

    if (rc < 0)
        fever_release(r);
    return rc < 0 ? rc : v;
}

/* It does not come, as what it takes is held. */
static bool waits(fever_ref r)
{
    int v;

    return fever_get_for(r, &v, 0.05) == -FEVER_ETIMEDOUT;
}

static uint64_t used(void) { return fv_load_relaxed_64(&fv_map.seg->dispatch.resource[0].used); }

static bool used_is(uint64_t units)
{
    for (double end = rt_now() + RT_LONG; used() != units && rt_now() < end;)
        rt_nap();
    return used() == units;
}

#define MANY 20

static void resources(void)
{
    holder_actor e[MANY];
    int          n = 0;
    holder_actor a = holder_new_with(FEVER_ACTOR_WITH(.resources = &one, .n_resources = 1, .max_restarts = 9));
    holder_actor b = holder_new_with(FEVER_ACTOR_WITH(.resources = &one, .n_resources = 1)), c, d;
    fever_ref    r, t;
    int          v = 0;

    TAP_IS(take(holder_here_remote(a)) + take(holder_here_remote(b)), 2, "two actors that hold a seat each");
    TAP_OK(used_is(20000), "both are taken");
    TAP_IS(rt_validate(), 0, "the books are right while they live");
    c = holder_new_with(FEVER_ACTOR_WITH(.resources = &two, .n_resources = 1));
    r = holder_here_remote(c);
    t = plain_with(FEVER_WITH(.resources = &one, .n_resources = 1));
    TAP_OK(waits(r) && waits(t), "a third, and a task, wait");
    holder_dies_send(a);
    TAP_IS(take(holder_here_remote(a)), 1, "one that is restarted takes its own again");
    TAP_OK(waits(r), "the third waits on");
    fever_actor_release(a.any);
    TAP_OK(waits(r), "the third wants two");
    TAP_IS(fever_get_for(t, &v, RT_LONG), 0, "the task wants one: it is not kept waiting for what an actor holds");
    fever_actor_release(b.any);
    TAP_IS(take(r), 1, "it has them");
    d = holder_new_with(FEVER_ACTOR_WITH(.resources = &one, .n_resources = 1));
    r = holder_here_remote(d);
    TAP_IS(fever_actor_kill(d.any, 0), 0, "one that waits is killed");
    TAP_IS(take(r), -FEVER_EACTORDEAD, "its call hears of it");
    fever_actor_release(d.any);
    for (int i = 0; i < MANY; i++) {
        d = holder_new_with(FEVER_ACTOR_WITH(.resources = &one, .n_resources = 1));
        r = holder_here_remote(d);
        fever_actor_kill(d.any, 0);
        take(r);
        fever_actor_release(d.any);
        e[i] = holder_new_with(FEVER_ACTOR_WITH(.resources = &one, .n_resources = 1));
    }
    d = holder_new_with(FEVER_ACTOR_WITH(.resources = &one, .n_resources = 1));
    r = holder_here_remote(d);
    fever_actor_release(d.any);
    TAP_OK(waits(r), "one that is let go of while it waits");
    fever_actor_release(c.any);
    for (int i = 0; i < MANY; i++) {
        n += take(holder_here_remote(e[i])) == 1;
        fever_actor_release(e[i].any);
    }
    TAP_IS(n, MANY, "one that is made after another was killed, in its task slot, lives");
    TAP_IS(take(r), 1, "does what it was asked before");
    TAP_IS(take(t), 2, "and the task has gone");
    TAP_OK(used_is(0), "all seats are free");
}

static void cpus(void)
{
    holder_actor a = holder_new_with(FEVER_ACTOR_WITH(.num_cpus = 1, .max_restarts = 9)), b;
    bool         pins = fv_rt.options.pin && fv_rt.topo.n_allowed >= 2;
    fever_ref    r, p, q;

    TAP_IS(take(holder_here_remote(a)), 1, "an actor that holds a CPU");
    TAP_OK(!pins || take(holder_cpus_remote(a)) == 1, "it runs on one");
    TAP_IS(take(plain_remote()), 2, "tasks run on the other");
    b = holder_new_with(FEVER_ACTOR_WITH(.num_cpus = 2));
    r = holder_here_remote(b);
    TAP_OK(waits(r), "one that wants both waits");
    holder_dies_send(a);
    TAP_IS(take(holder_here_remote(a)), 1, "the first is restarted");
    TAP_OK(!pins || take(holder_cpus_remote(a)) == 1, "on one CPU");
    fever_actor_release(a.any);
    TAP_IS(take(r), 1, "the second has both");
    TAP_OK(!pins || take(holder_cpus_remote(b)) == 2, "it runs on two");
    q = plain_remote();
    TAP_OK(waits(q), "no CPU is left for tasks");
    fever_actor_release(b.any);
    TAP_IS(take(q), 2, "until it ends");
    fever_promise(&p);
    q = awaited_remote(p);
    fever_promise_set(p, &(int){1}, sizeof(int));
    TAP_IS(take(q), 3, "then all is as before");
    fever_release(p);
}

static void bad_input(void)
{
    TAP_IS(take(holder_here_remote(holder_new_with(FEVER_ACTOR_WITH(.resources = &three, .n_resources = 1)))), -FEVER_EINFEASIBLE, "more than there is");
    TAP_IS(take(holder_here_remote(holder_new_with(FEVER_ACTOR_WITH(.num_cpus = 3)))), -FEVER_EINFEASIBLE, "more CPUs than there are");
    TAP_IS(take(holder_here_remote(holder_new_with(FEVER_ACTOR_WITH(.num_cpus = 0.5)))), -FEVER_EINVAL, "a part of one");
    TAP_IS(take(holder_here_remote(holder_new_with(FEVER_ACTOR_WITH(.num_cpus = -1)))), -FEVER_EINVAL, "fewer than none");
    TAP_IS(take(holder_here_remote(holder_new_with(FEVER_ACTOR_WITH(.n_resources = 1)))), -FEVER_EINVAL, "resources that are not there");
}

/* On nodes; the runtime has two, the second with a seat. */
static void placed(void)
{
    holder_actor a = holder_new_with(FEVER_ACTOR_WITH(.num_cpus = 1, .node = "b-0", .max_restarts = 9));
    holder_actor b = holder_new_with(FEVER_ACTOR_WITH(.labels = "zone=west"));
    holder_actor c = holder_new_with(FEVER_ACTOR_WITH(.resources = &one, .n_resources = 1));

    TAP_IS(take(holder_node_remote(a)), 1, "an actor on a node");
    TAP_IS(take(holder_node_remote(b)), 0, "one where a label is");
    TAP_IS(take(holder_node_remote(c)), 1, "one where a resource is");
    holder_dies_send(a);
    TAP_IS(take(holder_node_remote(a)), 1, "restarted it is there again");
    TAP_IS(take(holder_here_remote(holder_new_with(FEVER_ACTOR_WITH(.node = "b-1")))), -FEVER_EINVAL, "no such node");
    TAP_IS(take(holder_here_remote(holder_new_with(FEVER_ACTOR_WITH(.labels = "zone=west", .resources = &one, .n_resources = 1)))), -FEVER_EINFEASIBLE,
           "a resource that those nodes do not have");
    fever_actor_release(a.any);
    fever_actor_release(b.any);
    fever_actor_release(c.any);
}

/* After those: in the process slot of one that was on the second node. */
static void placed_nowhere(void)
{
    holder_actor d[3];
    int          sum = 0;

    for (int i = 0; i < 3; i++)
        d[i] = holder_new();
    for (int i = 0; i < 3; i++)
        sum += take(holder_node_remote(d[i]));
    TAP_IS(sum, 0, "actors that ask for nothing count as on the first node, whoever had their slots before");
    for (int i = 0; i < 3; i++)
        fever_actor_release(d[i].any);
}

/* No process may be forked for it: what it wants to hold is others' meanwhile. */
static void no_process(void)
{
    holder_actor a = holder_new(), b;
    int          v = 0;

    TAP_IS(take(holder_here_remote(a)), 1, "an actor has the only process that there may be");
    b = holder_new_with(FEVER_ACTOR_WITH(.num_cpus = 1));
    fever_ref r = holder_here_remote(b), t = plain_with(FEVER_WITH(.num_cpus = 2));
    TAP_OK(waits(r), "another one, which is to hold a CPU, waits for it");
    TAP_IS(fever_get_for(t, &v, RT_LONG), 0, "a task of all CPUs does not");
    fever_release(t);
    fever_actor_release(a.any);
    TAP_IS(take(r), 1, "when the first has ended it lives");
    fever_actor_release(b.any);
}

/* Who waits for what an actor holds keeps nobody back, and nobody waits for ever for CPUs that it gave up. */
static void beside_actors(void)
{
    int v = 0;
    fever_ref r = lends_for_life_with(FEVER_WITH(.priority = 1));

    TAP_IS(fever_get_for(r, &v, RT_LONG), 0, "a task whose only CPU an actor took meanwhile goes on");
    TAP_IS(v, 1, "and ends well");
    fever_release(r);
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
    rt_init(.workers = 2, .max_actors = 8, .resources = "seat=2");
    resources();
    rest();
    cpus();
    rest();
    bad_input();
    rest();
    rt_shutdown();
    rt_init(.nodes = "a: cpu=1, zone=west; b: cpu=2, seat=1", .max_actors = 8);
    placed();
    rest();
    placed_nowhere();
    rest();
    rt_shutdown();
    rt_init(.workers = 1, .max_actors = 2);
    beside_actors();
    rest();
    rt_shutdown();
    rt_init(.workers = 2, .max_actors = 1);
    no_process();
    rest();
    rt_shutdown();
    return tap_done();
}
