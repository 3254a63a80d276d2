/* fever_policy.c: the benchmark pack: how long a decision of the autoscaler takes.
 *
 * The policy is measured as the runtime and fever simulate call it; it is no public function, so this file, unlike its
 * neighbours, includes an internal header.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "policy/scale.h"

#define N_NODES   1000
#define N_DEMANDS 10000
#define ROUNDS    21
#define GIB       (1ull << 30)

static struct fv_scale_type     types[5];
static struct fv_scale_node     nodes[N_NODES];
static struct fv_scale_demand   demands[N_DEMANDS];
static struct fv_scale_snapshot snapshot;
static const char *const        resources[] = {"cpu", "memory", "gpu"};

static void add_type(const char *name, uint64_t cpu, uint64_t gib, uint64_t gpu) {
    types[snapshot.n_types++] = (struct fv_scale_type){
        .name = name, .max = N_NODES, .capacity = {cpu * FV_SCALE_UNIT, gib * GIB, gpu * FV_SCALE_UNIT}};
}

/* 1,000 nodes of five types, each with some of it free; about a third of the demands need new nodes. */
static void make_nodes(uint64_t *x) {
    snapshot = (struct fv_scale_snapshot){.n_resources = 3, .resources = resources, .types = types, .nodes = nodes, .demands = demands};
    add_type("large", 2, 8, 0);
    add_type("4xl", 16, 64, 0);
    add_type("16xl", 64, 256, 0);
    add_type("p2", 16, 64, 1);
    add_type("p8", 32, 512, 8);
    for (; snapshot.n_nodes < N_NODES; snapshot.n_nodes++) {
        struct fv_scale_node *n = &nodes[snapshot.n_nodes];
        n->type = (uint32_t)bench_any(x, snapshot.n_types);
        for (uint32_t r = 0; r < snapshot.n_resources; r++)
            n->free[r] = types[n->type].capacity[r] * (uint64_t)bench_any(x, 1000) / 1000;
    }
    snapshot.options.max_nodes = 2 * N_NODES;
}

/* so many shapes, all the same number of times */
static void make_demands(uint64_t *x, uint32_t n_shapes) {
    for (snapshot.n_demands = 0; snapshot.n_demands < n_shapes; snapshot.n_demands++) {
        struct fv_scale_demand *d = &demands[snapshot.n_demands];
        memset(d, 0, sizeof *d);
        d->n = N_DEMANDS / n_shapes;
        d->need[FV_SCALE_CPU] = (uint64_t)bench_any(x, 5 * FV_SCALE_UNIT);
        d->need[FV_SCALE_MEMORY] = (uint64_t)bench_any(x, 16 * GIB);
        d->need[FV_SCALE_CUSTOM] = bench_any(x, 10) == 0 ? FV_SCALE_UNIT / 2 : 0;
    }
}

static double decide(void *work, struct fv_scale_decision *d) {
    double ms[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = bench_now_ns();
        fv_scale_decide(&snapshot, work, d);
        ms[i] = (double)(bench_now_ns() - begin) / 1e6;
    }
    return bench_median(ms, ROUNDS);
}

static void run_pack(const struct bench_config *config) {
    static struct fv_scale_launch launches[FV_SCALE_LAUNCHES(5)];
    static struct fv_scale_drain  drains[N_NODES];
    static struct fv_scale_kept   kept[FV_SCALE_KEPT(5)];
    static struct fv_scale_fate   fates[N_DEMANDS];
    static struct fv_scale_memory memory[5];
    struct fv_scale_decision      d = {.launches = launches, .drains = drains, .kept = kept, .fates = fates, .memory = memory};
    static const struct {
        const char *figure;
        uint32_t    shapes;
    } runs[] = {{"pack_shapes", N_DEMANDS}, {"pack_count", 10}};
    uint64_t x = 42;
    (void)config;
    make_nodes(&x);
    for (int i = 0; i < 2; i++) {
        make_demands(&x, runs[i].shapes);
        void *work = malloc(fv_scale_work_bytes(&snapshot));
        if (work == NULL)
            bench_fail("out of memory");
        double ms = decide(work, &d);
        bench_figure(runs[i].figure, ms);
        bench_note("%s: %u launches", runs[i].figure, d.n_launched);
        free(work);
    }
}

const struct bench_case bench_cases_fever_policy[] = {
    {"pack", "fever", run_pack},
    {NULL, NULL, NULL},
};
