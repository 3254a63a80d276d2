/* t_nodes.c: nodes: what may be said of them, and on which of them tasks run.
 *
 * Run by:          make check.
 */
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "base/nodes.h"
#include "rt.h"

static struct page {
    atomic_int gate[8], inside[8], node[8], die;
} *page;

#define WANT(...) ((struct fever_resource[]){__VA_ARGS__})

FEVER_TASK(int, where) { return fever_context()->node; }
/* Stays until gate i is open; gives the node that it is on. */
FEVER_TASK(int, hold, (int, i))
{
    atomic_store(&page->node[i], fever_context()->node);
    atomic_fetch_add(&page->inside[i], 1);
    for (double end = rt_now() + 4 * RT_LONG; !atomic_load(&page->gate[i]) && rt_now() < end;)
        rt_nap();
    return fever_context()->node;
}
/* Awaits one that runs elsewhere; the node before and after. */
FEVER_TASK(int, awaits_other, (int, i))
{
    int before = fever_context()->node, v = -1;

    if (fever_take(hold_with(FEVER_WITH(.node = "b-0", .num_cpus = 2), i), &v) < 0)
        return -1;
    return before * 100 + v * 10 + fever_context()->node;
}
FEVER_TASK(int, dies_once, (int, x))
{
    if (atomic_fetch_add(&page->die, 1) == 0)
        kill(getpid(), SIGKILL);
    return fever_context()->node + x;
}

static int take(fever_ref r)
{
    int v = -1, rc = fever_get_for(r, &v, 4 * RT_LONG);

    fever_release(r);
    return rc < 0 ? rc : v;
}
static bool is_inside(int i) { return rt_until(&page->inside[i], 1); }
static void open_gate(int i) { atomic_store(&page->gate[i], 1); }
static void clear(void) { memset((void *)page, 0, sizeof *page); }

/* ------------------------------------------------------------------------------------------------ what may be said */

static void test_words(void)
{
    static const struct {
        const char *text, *why; /* NULL: it is good */
    } t[] = {
        {"a: cpu=1", NULL},
        {" small*2 : cpu = 4 , zone = west ;gpu: cpu=2,gpu=1,accel=a100", NULL},
        {"a:cpu=1,disk=0.5,x/y.z-w_1=v", NULL},
        {"", "NAME: cpu=N is expected"},
        {"a", "NAME: cpu=N is expected"},
        {"a:", "NAME=VALUE is expected"},
        {"a: gpu=1", "cpu is missing"},
        {"a: cpu=0", "cpu has to be a whole number, 1 to 4000"},
        {"a: cpu=1.5", "cpu has to be a whole number, 1 to 4000"},
        {"a: cpu=4001", "cpu has to be a whole number, 1 to 4000"},
        {"a: cpu=99999999999999999999", "cpu has to be a whole number, 1 to 4000"},
        {"a: cpu=1, cpu=1", "cpu is given twice"},
        {"a: cpu=1,", "NAME=VALUE is expected"},
        {"a: cpu=1;", "NAME: cpu=N is expected"},
        {"a: cpu=1, gpu", "NAME=VALUE is expected"},
        {"a: cpu=1, gpu=", "NAME=VALUE is expected"},
        {"a: cpu=1, =1", "NAME=VALUE is expected"},
        {"a: cpu=1, gpu=0", "an amount has to be a number above 0 with at most four digits after the point"},
        {"a: cpu=1, gpu=0.00001", "an amount has to be a number above 0 with at most four digits after the point"},
        {"a: cpu=1, gpu=1, gpu=2", "a resource is given twice"},
        {"a: cpu=1, z=w, z=v", "a label is given twice"},
        {"a: cpu=1, z=w, z=1", "a label is given twice"},
        {"a: cpu=1; a: cpu=2", "two types have the same name"},
        {"a*0: cpu=1", "there may be 1 to 256 nodes of a type"},
        {"a*257: cpu=1", "there may be 1 to 256 nodes of a type"},
        {"a*: cpu=1", "a name is letters, digits, and any of _ - . /, and 23 characters at most"},
        {"*2: cpu=1", "a name is letters, digits, and any of _ - . /, and 23 characters at most"},
        {"a b: cpu=1", "a name is letters, digits, and any of _ - . /, and 23 characters at most"},
        {"abcdefghijklmnopqrstuvwx: cpu=1", "a name is letters, digits, and any of _ - . /, and 23 characters at most"},
        {"a*200: cpu=1; b*57: cpu=1", "there may be 256 nodes, and 4000 CPUs in all of them, at most"},
        {"a*2: cpu=4000", "there may be 256 nodes, and 4000 CPUs in all of them, at most"},
        {"a: cpu=1, a=a, b=a, c=a, d=a, e=a, f=a, g=a, h=a, i=a", "a node has 8 labels at most"},
    };
    static struct fv_node_spec spec[FV_NODE_SPECS];
    char                       why[256];

    for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
        why[0] = '\0';
        int n = fv_nodes_parse(t[i].text, spec, why, sizeof why);
        TAP_OK((n >= 0) == (t[i].why == NULL) && (t[i].why == NULL || strstr(why, t[i].why) != NULL), "\"%s\": %s", t[i].text, n < 0 ? why : "good");
    }
    TAP_IS(fv_nodes_parse(t[1].text, spec, why, sizeof why), 2, "two types");
    TAP_OK(strcmp(spec[0].name, "small") == 0 && spec[0].count == 2 && spec[0].n_cpus == 4 && spec[0].n_labels == 1 && spec[0].n_amounts == 0 &&
               strcmp(spec[0].label[0].key, "zone") == 0 && strcmp(spec[0].label[0].value, "west") == 0,
           "the first as it was said");
    TAP_OK(strcmp(spec[1].name, "gpu") == 0 && spec[1].count == 1 && spec[1].n_cpus == 2 && spec[1].n_amounts == 1 && spec[1].n_labels == 1 &&
               strcmp(spec[1].amount[0].name, "gpu") == 0 && spec[1].amount[0].units == FV_UNITS,
           "and the second");
}

static void test_selectors(void)
{
    static const struct fv_label label[] = {{"zone", "west"}, {"tier", "fast"}, {"ssd", "yes"}};
    static const struct {
        const char *text;
        int         holds; /* -1: malformed */
    } t[] = {
        {"zone=west", 1},    {"zone=east", 0},    {"zone=east|west", 1},  {" zone = west , tier != slow|old ", 1}, {"tier!=fast", 0},
        {"ssd", 1},          {"!ssd", 0},         {"gpu", 0},             {"! gpu", 1},                           {"gpu!=a100", 1},
        {"gpu=a100", 0},     {"zone=west,gpu", 0}, {"", -1},              {",", -1},                              {"zone=", -1},
        {"=west", -1},       {"zone=|west", 1},   {"!", -1},              {"a b", -1},                            {"zone=we st", -1},
        {"!zone=west", -1},  {"a,b,c,d,e,f,g,h,i", -1},
    };
    struct fv_selector s;

    for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
        int got = !fv_selector_parse(t[i].text, &s) ? -1 : fv_label_matches(label, 3, s.term, s.n_terms);
        TAP_IS(got, t[i].holds, "\"%s\" of zone=west, tier=fast, ssd=yes", t[i].text);
    }
}

static void test_options(void)
{
    TAP_IS(fever_init(FEVER_OPTIONS(.quiet = 1, .nodes = "a: cpu=1", .workers = 2)), -FEVER_EOPTION, "nodes and workers");
    TAP_IS(fever_init(FEVER_OPTIONS(.quiet = 1, .nodes = "a: cpu=1", .resources = "gpu=1")), -FEVER_EOPTION, "nodes and resources");
    TAP_IS(fever_init(FEVER_OPTIONS(.quiet = 1, .nodes = "a: gpu=1")), -FEVER_EOPTION, "nodes that are no nodes");
    setenv("FEVER_NODES", "a: cpu=2; b: cpu=1, speed=1.5", 1);
    rt_init(.store_bytes = 16 << 20);
    struct fever_stats s = {.struct_bytes = sizeof s};
    TAP_IS(fever_stats(&s), 0, "nodes from the environment");
    TAP_IS(s.workers, 3, "have three workers");
    TAP_IS(take(where_with(FEVER_WITH(.resources = WANT({"speed", 1.5}), .n_resources = 1))), 1, "the second has the resource");
    rt_shutdown();
    unsetenv("FEVER_NODES");
}

/* ------------------------------------------------------------------------------------------------ where tasks run */

static void test_where(void)
{
    clear();
    rt_init(.nodes = "small*2: cpu=1, zone=west; big: cpu=2, zone=east, gpu=1, disk=0.5", .store_bytes = 16 << 20);
    TAP_IS(take(where_with(FEVER_WITH(.node = "small-0"))), 0, "on that node");
    TAP_IS(take(where_with(FEVER_WITH(.node = "small-1"))), 1, "and on that one");
    TAP_IS(take(where_with(FEVER_WITH(.node = "big-0"))), 2, "and on the third");
    TAP_IS(take(where_with(FEVER_WITH(.labels = "zone=east"))), 2, "where that label is");
    TAP_IS(take(where_with(FEVER_WITH(.labels = "zone!=west"))), 2, "or where another is not");
    TAP_IS(take(where_with(FEVER_WITH(.labels = "zone=west, !accel", .node = "small-1"))), 1, "labels and a node");
    TAP_IS(take(where_with(FEVER_WITH(.num_cpus = 2))), 2, "two CPUs of one node");
    TAP_IS(take(where_with(FEVER_WITH(.resources = WANT({"gpu", 1}), .n_resources = 1))), 2, "where the resource is");
    TAP_IS(take(where_with(FEVER_WITH(.num_cpus = 0.5, .resources = WANT({"disk", 0.5}), .n_resources = 1))), 2, "also for half a CPU");
    int n = take(where_remote());
    TAP_OK(n >= 0 && n <= 2, "an ordinary task: on any");

    TAP_IS(take(where_with(FEVER_WITH(.node = "small-2"))), -FEVER_EINVAL, "no such node");
    TAP_IS(take(where_with(FEVER_WITH(.node = "small"))), -FEVER_EINVAL, "no number");
    TAP_IS(take(where_with(FEVER_WITH(.node = "small-0x"))), -FEVER_EINVAL, "no number either");
    TAP_IS(take(where_with(FEVER_WITH(.node = ""))), -FEVER_EINVAL, "no name");
    TAP_IS(take(where_with(FEVER_WITH(.labels = "zone=="))), -FEVER_EINVAL, "labels that are malformed");
    TAP_IS(take(where_with(FEVER_WITH(.spread = 2))), -FEVER_EINVAL, "spread is 0 or 1");
    TAP_IS(take(where_with(FEVER_WITH(.spread = 1, .node = "small-0"))), -FEVER_EINVAL, "spread, and on one node");
    TAP_IS(take(where_with(FEVER_WITH(.node_soft = 1))), -FEVER_EINVAL, "soft, and no node");
    TAP_IS(take(where_with(FEVER_WITH(.labels = "zone=north"))), -FEVER_EINFEASIBLE, "labels that nobody has");
    TAP_IS(take(where_with(FEVER_WITH(.num_cpus = 3))), -FEVER_EINFEASIBLE, "more CPUs than any node has, though there are four");
    TAP_IS(take(where_with(FEVER_WITH(.num_cpus = 2, .node = "small-0"))), -FEVER_EINFEASIBLE, "more than that node has");
    TAP_IS(take(where_with(FEVER_WITH(.labels = "zone=west", .resources = WANT({"gpu", 1}), .n_resources = 1))), -FEVER_EINFEASIBLE,
           "a resource that those nodes do not have");
    TAP_IS(take(where_with(FEVER_WITH(.resources = WANT({"gpu", 1.00005}), .n_resources = 1))), -FEVER_EINFEASIBLE, "a ten-thousandth more than there is");
    TAP_IS(take(where_with(FEVER_WITH(.resources = WANT({"tpu", 0.00005}), .n_resources = 1))), -FEVER_EINFEASIBLE, "a little of what there is not");
    TAP_IS(take(where_with(FEVER_WITH(.num_cpus = 2, .node = "small-0", .node_soft = 1))), 2, "soft: it may be another node for good");
    rt_balanced(0);
    rt_shutdown();
}

static void test_strategies(void)
{
    fever_ref r[4];

    clear();
    rt_init(.nodes = "a*3: cpu=2, disk=1", .store_bytes = 16 << 20);
    for (int i = 0; i < 3; i++) {
        r[i] = hold_with(FEVER_WITH(.spread = 1), i);
        TAP_OK(is_inside(i), "one that is to spread runs");
    }
    TAP_IS(page->node[0] + 10 * page->node[1] + 100 * page->node[2], 210, "each on a node of its own");
    r[3] = hold_with(FEVER_WITH(.priority = 1), 3);
    TAP_OK(is_inside(3), "one more by default");
    TAP_IS(page->node[3], 0, "all are half full: on the first of those that are least in use");
    for (int i = 0; i < 4; i++) {
        open_gate(i);
        take(r[i]);
    }

    clear();
    r[0] = hold_with(FEVER_WITH(.priority = 1), 0);
    TAP_OK(is_inside(0), "by default");
    r[1] = hold_with(FEVER_WITH(.priority = 1), 1);
    TAP_OK(is_inside(1), "and one more");
    TAP_OK(page->node[0] == 0 && page->node[1] == 1, "a node is filled to the half, then the next");
    r[2] = hold_with(FEVER_WITH(.node = "a-0", .num_cpus = 2), 2);
    r[3] = hold_with(FEVER_WITH(.node = "a-0", .node_soft = 1, .num_cpus = 2), 3);
    TAP_OK(is_inside(3), "soft: elsewhere");
    TAP_IS(page->node[3], 2, "where there is room for it");
    TAP_IS(atomic_load(&page->inside[2]), 0, "hard: it waits");
    struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    for (double end = rt_now() + RT_LONG; (fv_load_acquire_32(&d->n_shown) != 1 || d->pending[0].node != 1) && rt_now() < end;)
        rt_nap();
    TAP_OK(d->n_shown == 1 && d->pending[0].node == 1 && d->pending[0].lacks == 0 && d->pending[0].free_units == FV_UNITS,
           "for CPUs of that node, of which one is free");
    open_gate(0);
    TAP_IS(take(r[0]), 0, "the first node is free");
    TAP_OK(is_inside(2), "now it runs");
    for (int i = 1; i < 4; i++) {
        open_gate(i);
        TAP_IS(take(r[i]), i == 1 ? 1 : i == 2 ? 0 : 2, "they end where they began");
    }
    rt_balanced(0);
    rt_shutdown();
}

/* Two CPUs of one node are not two of different nodes; who was blocked goes on where it was. */
static void test_one_node(void)
{
    fever_ref r[3];

    clear();
    rt_init(.nodes = "a: cpu=1; b: cpu=2; c: cpu=1", .store_bytes = 16 << 20);
    r[0] = hold_with(FEVER_WITH(.node = "b-0"), 0);
    TAP_OK(is_inside(0), "one CPU of b is taken");
    r[1] = hold_with(FEVER_WITH(.num_cpus = 2), 1);
    for (double end = rt_now() + RT_LONG; fv_load_acquire_32(&fv_map.seg->dispatch.n_shown) != 1 && rt_now() < end;)
        rt_nap();
    TAP_IS(atomic_load(&page->inside[1]), 0, "a task of two CPUs waits, though three are free");
    open_gate(0);
    TAP_IS(take(r[0]), 1, "it was b's");
    TAP_OK(is_inside(1), "it starts when b has both");
    open_gate(1);
    TAP_IS(take(r[1]), 1, "there");

    r[0] = awaits_other_with(FEVER_WITH(.num_cpus = 2), 2);
    TAP_OK(is_inside(2), "a task of both CPUs of b is blocked: what it awaits has them");
    TAP_IS(atomic_load(&page->node[2]), 1, "of b");
    open_gate(2);
    TAP_IS(take(r[0]), 111, "it goes on there");

    TAP_IS(take(dies_once_with(FEVER_WITH(.node = "c-0"), 0)), 2, "killed, it is repeated on its node");
    rt_balanced(0);
    uint64_t used = 1;
    for (double end = rt_now() + RT_LONG; used != 0 && rt_now() < end; rt_nap()) {
        used = 0;
        for (uint32_t n = 0; n < fv_map.seg->cluster.n_nodes; n++)
            used += fv_map.seg->cluster.node[n].cpu_used;
    }
    TAP_IS(used, 0, "no node has anything in use");
    rt_shutdown();
}

/* Many of all kinds: whatever waits for whatever, all of it ends, and no node has ever more in use than it has. */
static void test_many(void)
{
    enum { N = 600 };
    static fever_ref r[N];
    unsigned         seed = 5;
    int              bad = 0, over = 0, refused = 0;

    rt_init(.nodes = "a*2: cpu=2, disk=1; b: cpu=1, zone=east; c: cpu=3, disk=2, zone=west", .max_spares = 8, .store_bytes = 16 << 20);
    for (int i = 0; i < N; i++) {
        static const double      cpus[] = {0, 1, 2, 3, 0.5, 0.25};
        static const char *const labels[] = {NULL, NULL, NULL, "zone", "!zone", "zone=west"};
        static const char *const node[] = {NULL, NULL, NULL, "a-1", "c-0"};
        struct fever_task_options o = {.struct_bytes = sizeof o, .num_cpus = cpus[rand_r(&seed) % 6], .labels = labels[rand_r(&seed) % 6],
                                       .node = node[rand_r(&seed) % 5], .priority = (int)(rand_r(&seed) % 5) - 2,
                                       .resources = WANT({"disk", 0.5}), .n_resources = rand_r(&seed) % 3 == 0};
        o.spread = o.node == NULL && rand_r(&seed) % 3 == 0;
        o.node_soft = o.node != NULL && rand_r(&seed) % 2;
        r[i] = where_with(&o);
        refused += fever_wait_one(r[i], 0) == -FEVER_EINFEASIBLE;
        if (i % 16 == 0)
            for (uint32_t n = 0; n < fv_map.seg->cluster.n_nodes; n++)
                over += fv_map.seg->cluster.node[n].cpu_used > (uint64_t)fv_map.seg->cluster.node[n].n_workers * FV_UNITS;
    }
    for (int i = 0; i < N; i++) {
        int n = take(r[i]);
        bad += n != -FEVER_EINFEASIBLE && (n < 0 || n > 3);
    }
    TAP_IS(bad, 0, "%d tasks of all kinds have ended well, or were refused", N);
    TAP_OK(over == 0 && refused >= 0, "no node ever had more in use than it has");
    rt_balanced(0);
    rt_shutdown();
}

int main(void)
{
    rt_begin(150);
    page = rt_shared(sizeof *page);
    test_words();
    test_selectors();
    test_options();
    test_where();
    test_strategies();
    test_one_node();
    test_many();
    return tap_done();
}
