/* t_policy.c: the dispatcher's policy: tables, and every small case against an oracle that does it the slow way.
 *
 * Run by:          make check.
 */
#include <string.h>

#include "policy/dispatch.h"
#include "tap.h"

#define U FV_DISPATCH_UNIT

static struct fv_dispatch_class classes[8];
static struct fv_dispatch_node  nodes[4];
static uint16_t                 in_use[4];

static void one_more_node(struct fv_dispatch_view *v, uint64_t cpus, uint64_t gpu, uint64_t disk)
{
    struct fv_dispatch_node *n = &nodes[v->n_nodes++];

    n->total.units[FV_DEMAND_CPU] = cpus * U;
    n->total.units[FV_DEMAND_CUSTOM] = gpu;
    n->total.units[FV_DEMAND_CUSTOM + 1] = disk;
}

static struct fv_dispatch_view make(uint64_t cpus, uint64_t hosts, uint64_t gpu, uint64_t disk)
{
    struct fv_dispatch_view v;

    memset(&v, 0, sizeof v);
    memset(classes, 0, sizeof classes);
    memset(nodes, 0, sizeof nodes);
    memset(in_use, 0, sizeof in_use);
    v.classes = classes;
    v.nodes = nodes;
    v.use = in_use;
    v.hosts = hosts;
    one_more_node(&v, cpus, gpu, disk);
    return v;
}

static struct fv_demand demand(uint64_t cpu, uint64_t gpu, uint64_t disk)
{
    struct fv_demand d = {{0}};

    d.units[FV_DEMAND_CPU] = cpu;
    d.units[FV_DEMAND_HOST] = 1;
    d.units[FV_DEMAND_CUSTOM] = gpu;
    d.units[FV_DEMAND_CUSTOM + 1] = disk;
    return d;
}

static void add(struct fv_dispatch_view *v, struct fv_demand d, int64_t rank, uint64_t waited_ns)
{
    classes[v->n_classes++] = (struct fv_dispatch_class){.demand = d, .rank_ns = rank, .waited_ns = waited_ns, .types = 1, .n = 1};
}

static void use_at(struct fv_dispatch_view *v, uint32_t node, struct fv_demand d) { fv_dispatch_take(v, node, &d); }
static void use(struct fv_dispatch_view *v, struct fv_demand d) { use_at(v, 0, d); }
static int  pick(struct fv_dispatch_view *v)
{
    uint32_t node;

    return fv_dispatch_pick(v, &node);
}
/* 100 * class + node, or -1 */
static int pick_at(struct fv_dispatch_view *v)
{
    uint32_t node = 0;
    int      c = fv_dispatch_pick(v, &node);

    return c < 0 ? c : 100 * c + (int)node;
}

static void tables(void)
{
    struct fv_dispatch_view v = make(2, 10, U, U);
    struct fv_demand        d;

    TAP_IS(pick(&v), -1, "nothing pending: nothing starts");
    add(&v, demand(U, 0, 0), 5, 0);
    TAP_IS(pick(&v), 0, "one that fits starts");
    add(&v, demand(U, 0, 0), 6, 0);
    TAP_IS(pick(&v), 1, "the higher rank first");
    classes[0].rank_ns = 6;
    TAP_IS(pick(&v), 0, "of equal ranks the first");
    classes[0].n = 0;
    TAP_IS(pick(&v), 1, "an empty class is ignored");

    v = make(2, 10, U, U);
    use(&v, demand(U, 0, 0));
    add(&v, demand(2 * U, 0, 0), 9, 0);
    add(&v, demand(U, 0, 0), 8, 0);
    add(&v, demand(0, U, 0), 7, 0);
    TAP_IS(fv_dispatch_lacks(&v, 0, &classes[0].demand), FV_DEMAND_CPU, "two CPUs are not there");
    TAP_IS(fv_dispatch_free(&v, 0, FV_DEMAND_CPU), U, "one is");
    TAP_IS(pick(&v), 1, "a small one passes a large one for a while");
    classes[0].waited_ns = FV_DISPATCH_PASS_NS - 1;
    TAP_IS(pick(&v), 1, "for so long");
    classes[0].waited_ns = FV_DISPATCH_PASS_NS;
    TAP_IS(pick(&v), 2, "then only who takes nothing that it needs");
    use(&v, demand(0, U, 0));
    TAP_IS(fv_dispatch_lacks(&v, 0, &classes[2].demand), FV_DEMAND_CUSTOM, "the resource is in use");
    TAP_IS(pick(&v), -1, "nobody can start");
    d = demand(U, 0, 0);
    fv_dispatch_give(&v, 0, &d);
    TAP_IS(pick(&v), 0, "CPUs have gathered: the large one");

    v = make(2, 10, 0, 0); /* fractions */
    for (int i = 0; i < 3; i++)
        use(&v, demand(6000, 0, 0));
    d = demand(2000, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, 0, &d), -1, "1.8 + 0.2 fit two CPUs");
    d = demand(2001, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, 0, &d), FV_DEMAND_CPU, "0.2001 more do not");
    v = make(2, 10, 0, 0);
    use(&v, demand(1, 0, 0));
    d = demand(2 * U, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, 0, &d), FV_DEMAND_CPU, "beside 0.0001 two CPUs are not to be had");
    d = demand(U, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, 0, &d), -1, "one is");
    use(&v, d);
    d = demand(9999, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, 0, &d), -1, "and 0.9999");
    d = demand(U, 0, 0);
    fv_dispatch_give(&v, 0, &d);
    d = demand(1, 0, 0);
    fv_dispatch_give(&v, 0, &d);
    TAP_OK(nodes[0].parts == 0 && nodes[0].used.units[FV_DEMAND_CPU] == 0 && v.hosts_used == 0 && in_use[0] == 0, "what was taken is given back");

    v = make(2, 1, 0, 0); /* processes */
    use(&v, demand(0, 0, 0));
    add(&v, demand(0, 0, 0), 1, FV_DISPATCH_PASS_NS);
    TAP_IS(fv_dispatch_lacks(&v, 0, &classes[0].demand), FV_DEMAND_HOST, "no process is left");
    TAP_IS(pick(&v), -1, "so nobody starts");

    v = make(2, 10, U, U);
    use(&v, demand(U, U, 0));
    add(&v, demand(U, U, 0), 9000, FV_DISPATCH_PASS_NS); /* waits for what one that has started holds */
    add(&v, demand(U, 0, 0), 5, 0);
    classes[1].resumes = true;
    TAP_IS(pick(&v), 1, "one that has started goes on before a higher one that nobody may pass");
    add(&v, demand(U, 0, 0), 6, 0);
    classes[2].resumes = true;
    TAP_IS(pick(&v), 2, "of two the higher rank first");
    classes[2].demand = demand(2 * U, 0, 0);
    classes[1].n = 0;
    add(&v, demand(U, 0, 0), 10000, 0);
    TAP_IS(pick(&v), 3, "when its CPUs are not there a new one passes it");
    classes[2].waited_ns = FV_DISPATCH_PASS_NS;
    TAP_IS(pick(&v), -1, "but not for long");

    TAP_OK(fv_dispatch_rank(1, 5000000000ull) > fv_dispatch_rank(0, 4500000000ull), "a step of priority is worth half a second of waiting");
    TAP_OK(fv_dispatch_rank(1, 5000000000ull) < fv_dispatch_rank(0, 3900000000ull), "but not more than one");
    TAP_IS(fv_dispatch_rank(1, 5000000000ull), fv_dispatch_rank(0, 4000000000ull), "it is worth a second");
    TAP_OK(fv_dispatch_rank(-1, 5) < fv_dispatch_rank(0, 5), "a negative one goes behind");
}

static void several_nodes(void)
{
    struct fv_dispatch_view v = make(4, 100, 0, 0);
    struct fv_demand        one = demand(U, 0, 0);

    one_more_node(&v, 4, U, 0);
    one_more_node(&v, 8, 0, 0);
    add(&v, one, 0, 0);
    TAP_IS(pick_at(&v), 0, "default: the first node");
    use_at(&v, 0, one);
    TAP_IS(pick_at(&v), 0, "while it is less than half full");
    use_at(&v, 0, one);
    TAP_IS(pick_at(&v), 1, "then the next");
    use_at(&v, 1, demand(U / 2, 0, 0));
    TAP_IS(pick_at(&v), 1, "a part of a CPU is less than half a node");
    use_at(&v, 1, demand(2 * U, 0, 0));
    TAP_IS(pick_at(&v), 2, "and the next");
    use_at(&v, 2, demand(5 * U, 0, 0));
    TAP_IS(pick_at(&v), 0, "all are half full: where least is in use");
    use_at(&v, 0, one);
    TAP_IS(pick_at(&v), 1, "and so on: 3 of 4, 2.5 of 4, 5 of 8");
    classes[0].strategy = FV_PLACE_AFFINITY_HARD, classes[0].node = 2;
    TAP_IS(pick_at(&v), 2, "hard: that node");
    use_at(&v, 2, demand(3 * U, 0, 0));
    TAP_IS(pick_at(&v), -1, "and no other");
    classes[0].strategy = FV_PLACE_AFFINITY_SOFT;
    TAP_IS(pick_at(&v), 1, "soft: another one when that is full");
    nodes[1].is_closed = true;
    TAP_IS(pick_at(&v), 0, "none that takes nothing new");
    classes[0].strategy = FV_PLACE_AFFINITY_HARD, classes[0].node = 1;
    TAP_IS(pick_at(&v), -1, "not there either");
    classes[0].resumes = true;
    TAP_IS(pick_at(&v), 1, "who has started there goes on there");

    v = make(4, 100, 0, 0);
    one_more_node(&v, 4, U, 0);
    one_more_node(&v, 8, 0, 0);
    add(&v, one, 0, 0);
    classes[0].strategy = FV_PLACE_SPREAD;
    int got[3];
    for (int i = 0; i < 3; i++) {
        got[i] = pick_at(&v);
        use_at(&v, (uint32_t)got[i], one);
    }
    TAP_OK(got[0] == 0 && got[1] == 1 && got[2] == 2, "spread: each to another node");
    TAP_IS(pick_at(&v), 2, "then where least is in use");
    nodes[0].type = 5, nodes[2].type = 5;
    classes[0].types = 1ull << 5;
    use_at(&v, 2, demand(3 * U, 0, 0));
    TAP_IS(pick_at(&v), 0, "labels: nodes of those types");
    classes[0].types = 1;
    TAP_IS(pick_at(&v), 1, "or of the others");
    classes[0].types = 2;
    TAP_IS(pick_at(&v), -1, "there are none of that type");
    TAP_IS(fv_dispatch_waits_at(&v, &classes[0]), FV_PLACE_NONE, "so it waits at none");

    v = make(4, 100, 0, 0);
    one_more_node(&v, 4, 0, 0);
    one_more_node(&v, 2, 0, 0);
    use_at(&v, 0, one);
    use_at(&v, 0, one);
    use_at(&v, 1, one);
    add(&v, demand(4 * U, 0, 0), 9, FV_DISPATCH_PASS_NS);
    add(&v, one, 0, 0);
    TAP_IS(fv_dispatch_waits_at(&v, &classes[0]), 1, "a large one waits where least is in use, of those that could hold it");
    TAP_IS(pick_at(&v), 102, "the others pass it elsewhere");
    use_at(&v, 2, demand(2 * U, 0, 0));
    TAP_IS(pick_at(&v), 100, "elsewhere too");
    use_at(&v, 0, demand(2 * U, 0, 0));
    TAP_IS(pick_at(&v), -1, "but not there");
    fv_dispatch_give(&v, 1, &one);
    TAP_IS(pick_at(&v), 1, "there it starts when that has gathered");
    classes[0].demand = demand(5 * U, 0, 0);
    TAP_IS(pick_at(&v), 101, "what no node could ever hold is in nobody's way");
}

/* The rules, word by word: CPUs are counted one by one, all classes are sorted first. */
static bool oracle_fits(const struct fv_dispatch_view *v, uint32_t node, const struct fv_demand *d)
{
    const struct fv_dispatch_node *at = &v->nodes[node];
    uint64_t whole = at->used.units[FV_DEMAND_CPU] / U, parts = at->parts, cpus = at->total.units[FV_DEMAND_CPU] / U, for_parts = 0;

    if (d->units[FV_DEMAND_CPU] >= U)
        whole += d->units[FV_DEMAND_CPU] / U;
    else
        parts += d->units[FV_DEMAND_CPU];
    while (for_parts * U < parts)
        for_parts++;
    if (d->units[FV_DEMAND_CPU] != 0 && whole + for_parts > cpus)
        return false;
    for (int i = FV_DEMAND_CUSTOM; i < FV_DEMANDS; i++)
        if (at->used.units[i] + d->units[i] > at->total.units[i])
            return false;
    return v->hosts_used + d->units[FV_DEMAND_HOST] <= v->hosts;
}

static bool oracle_may_use(const struct fv_dispatch_view *v, const struct fv_dispatch_class *c, uint32_t node)
{
    if (c->strategy == FV_PLACE_AFFINITY_HARD && node != c->node)
        return false;
    return c->resumes || (!v->nodes[node].is_closed && c->types >> v->nodes[node].type & 1);
}

static double oracle_use(const struct fv_dispatch_node *n)
{
    double most = 0;

    for (int r = 0; r < FV_DEMANDS; r++) {
        double used = (double)n->used.units[r] + (r == FV_DEMAND_CPU ? (double)n->parts : 0);
        if (r != FV_DEMAND_HOST && used > 0 && used * 1000 / (double)n->total.units[r] > most)
            most = used * 1000 / (double)n->total.units[r];
    }
    return (double)(int)most; /* whole permille, as the policy has it */
}

/* The node that may take it by its strategy, of those in the set; -1: none */
static int oracle_choose(const struct fv_dispatch_view *v, const struct fv_dispatch_class *c, unsigned set, bool spread)
{
    int least = -1;

    if (c->strategy == FV_PLACE_AFFINITY_SOFT && c->node < v->n_nodes && set >> c->node & 1)
        return (int)c->node;
    for (uint32_t n = 0; n < v->n_nodes; n++)
        if (set >> n & 1 && oracle_use(&v->nodes[n]) < 500 && !spread)
            return (int)n;
    for (uint32_t n = 0; n < v->n_nodes; n++)
        if (set >> n & 1 && (least < 0 || oracle_use(&v->nodes[n]) < oracle_use(&v->nodes[least])))
            least = (int)n;
    return least;
}

static int oracle_pick(const struct fv_dispatch_view *v)
{
    int  sorted[8], n = 0;
    bool closed[4][FV_DEMANDS] = {{false}};

    for (uint32_t c = 0; c < v->n_classes; c++)
        if (v->classes[c].n != 0) {
            int at = n++;
            for (; at > 0 && (v->classes[c].resumes != v->classes[sorted[at - 1]].resumes
                                  ? v->classes[c].resumes
                                  : v->classes[sorted[at - 1]].rank_ns < v->classes[c].rank_ns);
                 at--)
                sorted[at] = sorted[at - 1];
            sorted[at] = (int)c;
        }
    for (int i = 0; i < n; i++) {
        const struct fv_dispatch_class *c = &v->classes[sorted[i]];
        unsigned                        fits = 0, open = 0, ever = 0;
        for (uint32_t at = 0; at < v->n_nodes; at++) {
            if (!oracle_may_use(v, c, at))
                continue;
            bool free_of_others = true, could = true;
            for (int r = 0; r < FV_DEMANDS; r++) {
                free_of_others &= r == FV_DEMAND_HOST || c->demand.units[r] == 0 || !closed[at][r];
                could &= r == FV_DEMAND_HOST || c->demand.units[r] <= v->nodes[at].total.units[r];
            }
            ever |= (unsigned)could << at;
            if (oracle_fits(v, at, &c->demand)) {
                fits |= 1u << at;
                open |= (unsigned)free_of_others << at;
            }
        }
        if (open != 0)
            return 100 * sorted[i] + oracle_choose(v, c, open, c->strategy == FV_PLACE_SPREAD);
        if (fits == 0 && ever != 0 && c->waited_ns >= FV_DISPATCH_PASS_NS) { /* from now on nobody passes it where it waits */
            int at = oracle_choose(v, c, ever, c->strategy == FV_PLACE_DEFAULT || c->strategy == FV_PLACE_SPREAD);
            for (int r = 0; r < FV_DEMANDS; r++)
                closed[at][r] |= r != FV_DEMAND_HOST && c->demand.units[r] != 0;
        }
    }
    return -1;
}

static uint32_t next(uint32_t *seed) { return (*seed = *seed * 1664525u + 1013904223u) >> 16; }

static struct fv_demand any_demand(uint32_t *seed)
{
    static const uint64_t cpu[] = {0, 1, 2500, 5000, 9999, U, U, 2 * U, 3 * U}, amount[] = {0, 0, 0, 1, 5000, U};
    uint64_t c = cpu[next(seed) % 9], a = amount[next(seed) % 6], b = amount[next(seed) % 6];

    return demand(c, a, b);
}

static void brute_force(uint32_t most_nodes)
{
    uint32_t seed = 7;
    long     bad = 0, n = 400000, started = 0, overdrawn = 0;

    for (long i = 0; i < n; i++) {
        struct fv_dispatch_view v = make(1 + (seed >> 16) % 4, 1 + (seed >> 20) % 6, 12000, 5000);
        while (v.n_nodes < 1 + next(&seed) % most_nodes) {
            one_more_node(&v, next(&seed) % 5, next(&seed) % 3 * 5000, next(&seed) % 2 * 5000);
            nodes[v.n_nodes - 1].type = next(&seed) % 2;
            nodes[v.n_nodes - 1].is_closed = next(&seed) % 5 == 0;
        }
        for (uint32_t k = (seed >> 18) % (4 * v.n_nodes); k > 0; k--) {
            struct fv_demand d = any_demand(&seed);
            uint32_t         at = next(&seed) % v.n_nodes;
            if (fv_dispatch_lacks(&v, at, &d) < 0)
                use_at(&v, at, d);
        }
        seed = seed * 1664525u + 1013904223u;
        for (uint32_t k = (seed >> 18) % 7; k > 0; k--) {
            struct fv_demand d = any_demand(&seed);
            add(&v, d, (int64_t)((seed >> 12) % 5), (seed >> 13) % 3 * FV_DISPATCH_PASS_NS / 2);
            struct fv_dispatch_class *c = &classes[v.n_classes - 1];
            c->n = (seed >> 17) % 8 != 0;
            c->resumes = (seed >> 14) % 4 == 0;
            if (most_nodes > 1) {
                c->types = 1 + next(&seed) % 3;
                c->strategy = next(&seed) % 4;
                c->node = next(&seed) % (v.n_nodes + 1);
            }
        }
        for (int round = 0; round < 8; round++) { /* start what may start, one after the other */
            int got = pick_at(&v), want = oracle_pick(&v);
            bad += got != want;
            if (got < 0 || got != want)
                break;
            use_at(&v, (uint32_t)got % 100, classes[got / 100].demand);
            classes[got / 100].n = 0;
            started++;
            overdrawn += v.hosts_used > v.hosts;
            for (uint32_t at = 0; at < v.n_nodes; at++) {
                for (int r = FV_DEMAND_CUSTOM; r < FV_DEMANDS; r++)
                    overdrawn += nodes[at].used.units[r] > nodes[at].total.units[r];
                overdrawn += nodes[at].used.units[FV_DEMAND_CPU] + nodes[at].parts > nodes[at].total.units[FV_DEMAND_CPU];
            }
        }
    }
    TAP_IS(bad, 0, "%ld small cases on at most %u nodes: the same decisions as by brute force", n, most_nodes);
    TAP_IS(overdrawn, 0, "%ld were started, and nothing was ever overdrawn", started);
}

/* In virtual time: a stream of small ones that would always fit, and a large one. */
static void no_starvation(void)
{
    struct fv_dispatch_view v = make(4, 64, U, U);
    uint64_t                now = 0, ends[8] = {0}, started_ns = 0;
    struct fv_demand        small = demand(U, 0, 0);

    for (; now < 10 * FV_DISPATCH_PASS_NS && started_ns == 0; now += 1000000) {
        for (int i = 0; i < 4; i++)
            if (ends[i] != 0 && ends[i] <= now) {
                fv_dispatch_give(&v, 0, &small);
                ends[i] = 0;
            }
        v.n_classes = 0;
        add(&v, demand(4 * U, 0, 0), fv_dispatch_rank(0, 0), now);
        for (int i = 0; i < 4; i++) {
            add(&v, small, fv_dispatch_rank(0, now), 0);
            int got = pick(&v);
            if (got == 0) {
                started_ns = now == 0 ? 1 : now;
                break;
            }
            for (int k = 0; k < 4 && got > 0; k++)
                if (ends[k] == 0) {
                    use(&v, small);
                    ends[k] = now + 10000000ull + (uint64_t)k * 3000000ull;
                    break;
                }
            v.n_classes = 1;
        }
        if (now == 0 && started_ns != 0) { /* the first instant: nothing runs yet, so it starts at once; take it as running small ones */
            started_ns = 0;
            for (int k = 0; k < 4; k++) {
                use(&v, small);
                ends[k] = 10000000ull + (uint64_t)k * 3000000ull;
            }
        }
    }
    TAP_OK(started_ns >= FV_DISPATCH_PASS_NS && started_ns <= FV_DISPATCH_PASS_NS + 20000000ull,
           "a large one behind a stream of small ones starts when the time for passing is over and they have ended (%llu ms)",
           (unsigned long long)started_ns / 1000000);
}

int main(void)
{
    tables();
    several_nodes();
    brute_force(1);
    brute_force(4);
    no_starvation();
    return tap_done();
}
