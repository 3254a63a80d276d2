/* t_policy.c: the dispatcher's policy: tables, and every small case against an oracle that does it the slow way.
 *
 * Run by:          make check.
 */
#include <string.h>

#include "policy/dispatch.h"
#include "tap.h"

#define U FV_DISPATCH_UNIT

static struct fv_dispatch_class classes[8];

static struct fv_dispatch_view make(uint64_t cpus, uint64_t hosts, uint64_t gpu, uint64_t disk)
{
    struct fv_dispatch_view v;

    memset(&v, 0, sizeof v);
    memset(classes, 0, sizeof classes);
    v.classes = classes;
    v.total.units[FV_DEMAND_CPU] = cpus * U;
    v.total.units[FV_DEMAND_HOST] = hosts;
    v.total.units[FV_DEMAND_CUSTOM] = gpu;
    v.total.units[FV_DEMAND_CUSTOM + 1] = disk;
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
    classes[v->n_classes++] = (struct fv_dispatch_class){.demand = d, .rank_ns = rank, .waited_ns = waited_ns, .n = 1};
}

static void use(struct fv_dispatch_view *v, struct fv_demand d) { fv_dispatch_take(v, &d); }

static void tables(void)
{
    struct fv_dispatch_view v = make(2, 10, U, U);
    struct fv_demand        d;

    TAP_IS(fv_dispatch_pick(&v), -1, "nothing pending: nothing starts");
    add(&v, demand(U, 0, 0), 5, 0);
    TAP_IS(fv_dispatch_pick(&v), 0, "one that fits starts");
    add(&v, demand(U, 0, 0), 6, 0);
    TAP_IS(fv_dispatch_pick(&v), 1, "the higher rank first");
    classes[0].rank_ns = 6;
    TAP_IS(fv_dispatch_pick(&v), 0, "of equal ranks the first");
    classes[0].n = 0;
    TAP_IS(fv_dispatch_pick(&v), 1, "an empty class is ignored");

    v = make(2, 10, U, U);
    use(&v, demand(U, 0, 0));
    add(&v, demand(2 * U, 0, 0), 9, 0);
    add(&v, demand(U, 0, 0), 8, 0);
    add(&v, demand(0, U, 0), 7, 0);
    TAP_IS(fv_dispatch_lacks(&v, &classes[0].demand), FV_DEMAND_CPU, "two CPUs are not there");
    TAP_IS(fv_dispatch_free(&v, FV_DEMAND_CPU), U, "one is");
    TAP_IS(fv_dispatch_pick(&v), 1, "a small one passes a large one for a while");
    classes[0].waited_ns = FV_DISPATCH_PASS_NS - 1;
    TAP_IS(fv_dispatch_pick(&v), 1, "for so long");
    classes[0].waited_ns = FV_DISPATCH_PASS_NS;
    TAP_IS(fv_dispatch_pick(&v), 2, "then only who takes nothing that it needs");
    use(&v, demand(0, U, 0));
    TAP_IS(fv_dispatch_lacks(&v, &classes[2].demand), FV_DEMAND_CUSTOM, "the resource is in use");
    TAP_IS(fv_dispatch_pick(&v), -1, "nobody can start");
    d = demand(U, 0, 0);
    fv_dispatch_give(&v, &d);
    TAP_IS(fv_dispatch_pick(&v), 0, "CPUs have gathered: the large one");

    v = make(2, 10, 0, 0); /* fractions */
    for (int i = 0; i < 3; i++)
        use(&v, demand(6000, 0, 0));
    d = demand(2000, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, &d), -1, "1.8 + 0.2 fit two CPUs");
    d = demand(2001, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, &d), FV_DEMAND_CPU, "0.2001 more do not");
    v = make(2, 10, 0, 0);
    use(&v, demand(1, 0, 0));
    d = demand(2 * U, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, &d), FV_DEMAND_CPU, "beside 0.0001 two CPUs are not to be had");
    d = demand(U, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, &d), -1, "one is");
    use(&v, d);
    d = demand(9999, 0, 0);
    TAP_IS(fv_dispatch_lacks(&v, &d), -1, "and 0.9999");
    d = demand(U, 0, 0);
    fv_dispatch_give(&v, &d);
    d = demand(1, 0, 0);
    fv_dispatch_give(&v, &d);
    TAP_OK(v.parts == 0 && v.used.units[FV_DEMAND_CPU] == 0 && v.used.units[FV_DEMAND_HOST] == 0, "what was taken is given back");

    v = make(2, 1, 0, 0); /* processes */
    use(&v, demand(0, 0, 0));
    add(&v, demand(0, 0, 0), 1, FV_DISPATCH_PASS_NS);
    TAP_IS(fv_dispatch_lacks(&v, &classes[0].demand), FV_DEMAND_HOST, "no process is left");
    TAP_IS(fv_dispatch_pick(&v), -1, "so nobody starts");

    v = make(2, 10, U, U);
    use(&v, demand(U, U, 0));
    add(&v, demand(U, U, 0), 9000, FV_DISPATCH_PASS_NS); /* waits for what one that has started holds */
    add(&v, demand(U, 0, 0), 5, 0);
    classes[1].resumes = true;
    TAP_IS(fv_dispatch_pick(&v), 1, "one that has started goes on before a higher one that nobody may pass");
    add(&v, demand(U, 0, 0), 6, 0);
    classes[2].resumes = true;
    TAP_IS(fv_dispatch_pick(&v), 2, "of two the higher rank first");
    classes[2].demand = demand(2 * U, 0, 0);
    classes[1].n = 0;
    add(&v, demand(U, 0, 0), 10000, 0);
    TAP_IS(fv_dispatch_pick(&v), 3, "when its CPUs are not there a new one passes it");
    classes[2].waited_ns = FV_DISPATCH_PASS_NS;
    TAP_IS(fv_dispatch_pick(&v), -1, "but not for long");

    TAP_OK(fv_dispatch_rank(1, 5000000000ull) > fv_dispatch_rank(0, 4500000000ull), "a step of priority is worth half a second of waiting");
    TAP_OK(fv_dispatch_rank(1, 5000000000ull) < fv_dispatch_rank(0, 3900000000ull), "but not more than one");
    TAP_IS(fv_dispatch_rank(1, 5000000000ull), fv_dispatch_rank(0, 4000000000ull), "it is worth a second");
    TAP_OK(fv_dispatch_rank(-1, 5) < fv_dispatch_rank(0, 5), "a negative one goes behind");
}

/* The rules, word by word: CPUs are counted one by one, all classes are sorted first. */
static bool oracle_fits(const struct fv_dispatch_view *v, const struct fv_demand *d)
{
    uint64_t whole = v->used.units[FV_DEMAND_CPU] / U, parts = v->parts, cpus = v->total.units[FV_DEMAND_CPU] / U, for_parts = 0;

    if (d->units[FV_DEMAND_CPU] >= U)
        whole += d->units[FV_DEMAND_CPU] / U;
    else
        parts += d->units[FV_DEMAND_CPU];
    while (for_parts * U < parts)
        for_parts++;
    if (d->units[FV_DEMAND_CPU] != 0 && whole + for_parts > cpus)
        return false;
    for (int i = 1; i < FV_DEMANDS; i++)
        if (v->used.units[i] + d->units[i] > v->total.units[i])
            return false;
    return true;
}

static int oracle_pick(const struct fv_dispatch_view *v)
{
    int sorted[8], n = 0;

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
        const struct fv_demand *d = &v->classes[sorted[i]].demand;
        bool                    may = oracle_fits(v, d);
        for (int k = 0; k < i && may; k++) { /* is there one before it that nobody may pass any more? */
            const struct fv_dispatch_class *before = &v->classes[sorted[k]];
            if (oracle_fits(v, &before->demand) || before->waited_ns < FV_DISPATCH_PASS_NS)
                continue;
            for (int r = 0; r < FV_DEMANDS; r++)
                may &= r == FV_DEMAND_HOST || d->units[r] == 0 || before->demand.units[r] == 0;
        }
        if (may)
            return sorted[i];
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

static void brute_force(void)
{
    uint32_t seed = 7;
    long     bad = 0, n = 400000, started = 0, overdrawn = 0;

    for (long i = 0; i < n; i++) {
        struct fv_dispatch_view v = make(1 + (seed >> 16) % 4, 1 + (seed >> 20) % 6, 12000, 5000);
        for (uint32_t k = (seed >> 18) % 4; k > 0; k--) {
            struct fv_demand d = any_demand(&seed);
            if (fv_dispatch_lacks(&v, &d) < 0)
                use(&v, d);
        }
        seed = seed * 1664525u + 1013904223u;
        for (uint32_t k = (seed >> 18) % 7; k > 0; k--) {
            struct fv_demand d = any_demand(&seed);
            add(&v, d, (int64_t)((seed >> 12) % 5), (seed >> 13) % 3 * FV_DISPATCH_PASS_NS / 2);
            classes[v.n_classes - 1].n = (seed >> 17) % 8 != 0;
            classes[v.n_classes - 1].resumes = (seed >> 14) % 4 == 0;
        }
        for (int round = 0; round < 8; round++) { /* start what may start, one after the other */
            int got = fv_dispatch_pick(&v), want = oracle_pick(&v);
            bad += got != want;
            if (got < 0 || got != want)
                break;
            use(&v, classes[got].demand);
            classes[got].n = 0;
            started++;
            for (int r = FV_DEMAND_HOST; r < FV_DEMANDS; r++)
                overdrawn += v.used.units[r] > v.total.units[r];
            overdrawn += v.used.units[FV_DEMAND_CPU] + v.parts > v.total.units[FV_DEMAND_CPU];
        }
    }
    TAP_IS(bad, 0, "%ld small cases: the same decisions as by brute force", n);
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
                fv_dispatch_give(&v, &small);
                ends[i] = 0;
            }
        v.n_classes = 0;
        add(&v, demand(4 * U, 0, 0), fv_dispatch_rank(0, 0), now);
        for (int i = 0; i < 4; i++) {
            add(&v, small, fv_dispatch_rank(0, now), 0);
            int got = fv_dispatch_pick(&v);
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
    brute_force();
    no_starvation();
    return tap_done();
}
