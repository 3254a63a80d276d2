/* fever_tasks.c: Fever's side of flood, rtt, fib, chain, fan and map.
 *
 * Workers, as many as the row says, and the driver, which submits and never runs bodies.
 */
#include "fever_bench.h"

FEVER_TASK(long, noop, (long, i)) {
    return bench_noop(i);
}

FEVER_TASK(long, increment, (long, i)) {
    return i + 1;
}

FEVER_TASK(long, next_link, (fever_ref, before), (long, i)) {
    (void)before;
    return i;
}

FEVER_TASK(long, leaf, (fever_ref, root), (long, i)) {
    (void)root;
    return i;
}

FEVER_REENTRANT(long, fib, (int, n)) {
    if (n < 2)
        return n;
    long      a = 0;
    fever_ref r = fib_remote(n - 1);
    long      b = fib_local(n - 2);
    int       rc = fever_take(r, &a);
    if (rc < 0)
        fever_fail(-rc, "fib(%d): %s", n - 1, fever_strerror(rc));
    return a + b;
}

FEVER_TASK(long, fib_spare, (int, n)) {
    if (n < 2)
        return n;
    long      a = 0;
    fever_ref r = fib_spare_remote(n - 1);
    long      b = fib_spare_local(n - 2);
    int       rc = fever_take(r, &a);
    if (rc < 0)
        fever_fail(-rc, "fib_spare(%d): %s", n - 1, fever_strerror(rc));
    return a + b;
}

FEVER_FOR(items, i) {
    bench_item(i);
}

/* ---- flood ---- */

static double flood_ns(struct fever_group *group, long n) {
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        must(noop_group(group, i), "fever_group_submit");
    int64_t failed = fever_group_wait(group, FEVER_FOREVER);
    must(failed, "fever_group_wait");
    if (failed > 0)
        bench_fail("%lld tasks failed", (long long)failed);
    return (double)(bench_now_ns() - start);
}

static void run_flood(const struct bench_config *config) {
    struct fever_group *group;
    start_runtime(config);
    must(fever_group_open(&group), "fever_group_open");
    flood_ns(group, config->sizes->flood / 10);
    double ns = flood_ns(group, config->sizes->flood);
    must(fever_group_close(group), "fever_group_close");
    end_runtime();
    bench_figure("flood", (double)config->sizes->flood * 1e3 / ns);
}

/* ---- rtt ---- */

static void round_trip(long i) {
    long result = 0;
    must(fever_take(increment_remote(i), &result), "fever_take");
    if (result != i + 1)
        bench_fail("task %ld returned %ld", i, result);
}

static void run_rtt(const struct bench_config *config) {
    long n = config->sizes->rtt;
    start_runtime(config);
    for (long i = 0; i < n / 10; i++)
        round_trip(i);
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        round_trip(i);
    uint64_t end = bench_now_ns();
    end_runtime();
    bench_figure("rtt", (double)(end - start) / 1e3 / (double)n);
}

static void run_rtt_parked(const struct bench_config *config) {
    long   n = config->sizes->parked;
    double us[BENCH_PARKED_MAX];
    start_runtime(config);
    round_trip(0);
    for (long i = 0; i < n; i++) {
        bench_sleep(1e-3);
        uint64_t start = bench_now_ns();
        round_trip(i);
        us[i] = (double)(bench_now_ns() - start) / 1e3;
    }
    end_runtime();
    bench_figure("rtt_parked", bench_median(us, (size_t)n));
}

/* ---- fib ---- */

static long fib_of(int n) {
    long before = 0, sum = 1;
    for (int i = 1; i < n; i++) {
        long next = before + sum;
        before = sum;
        sum = next;
    }
    return sum;
}

static void measure_fib(const struct bench_config *config, const char *name, int n, fever_ref (*submit)(int)) {
    long sum = 0;
    start_runtime(config);
    must(fever_take(submit(n / 2), &sum), "fever_take");
    uint64_t start = bench_now_ns();
    must(fever_take(submit(n), &sum), "fever_take");
    uint64_t end = bench_now_ns();
    end_runtime();
    if (sum != fib_of(n))
        bench_fail("fib(%d) is %ld", n, sum);
    bench_figure(name, (double)(end - start) / 1e6);
}

static void run_fib(const struct bench_config *config) {
    measure_fib(config, "fib", config->sizes->fib, fib_remote);
}

static void run_fib_spare(const struct bench_config *config) {
    measure_fib(config, "fib_spare", config->sizes->fib_spare, fib_spare_remote);
}

/* ---- chain ---- */

/* Holds the last ref only. */
static void chain(long n) {
    fever_ref last = noop_remote(0);
    long      result = 0;
    for (long i = 1; i < n; i++) {
        fever_ref next = next_link_remote(last, i);
        must(fever_release(last), "fever_release");
        last = next;
    }
    must(fever_take(last, &result), "fever_take");
    if (result != n - 1)
        bench_fail("the last link returned %ld", result);
}

static void run_chain(const struct bench_config *config) {
    long n = config->sizes->chain;
    start_runtime(config);
    chain(n / 10);
    uint64_t start = bench_now_ns();
    chain(n);
    uint64_t end = bench_now_ns();
    end_runtime();
    bench_figure("chain", (double)(end - start) / 1e3 / (double)n);
}

/* ---- fan ---- */

static void fan_round(void) {
    fever_ref leaves[BENCH_LEAVES];
    long      result = 0;
    fever_ref root = noop_remote(1);
    for (long i = 0; i < BENCH_LEAVES; i++)
        leaves[i] = leaf_remote(root, i);
    fever_ref last = noop_with(FEVER_WITH(.after = leaves, .n_after = BENCH_LEAVES), 2);
    must(fever_release(root), "fever_release");
    for (long i = 0; i < BENCH_LEAVES; i++)
        must(fever_release(leaves[i]), "fever_release");
    must(fever_take(last, &result), "fever_take");
    if (result != 2)
        bench_fail("the last task returned %ld", result);
}

static void run_fan(const struct bench_config *config) {
    long n = config->sizes->fan;
    start_runtime(config);
    for (long i = 0; i < n / 10; i++)
        fan_round();
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        fan_round();
    uint64_t end = bench_now_ns();
    end_runtime();
    bench_figure("fan", (double)(end - start) / 1e3 / (double)n);
}

/* ---- map ---- */

static void run_map(const struct bench_config *config) {
    long n = config->sizes->map, rounds = config->sizes->map_rounds;
    start_runtime(config);
    must(items_for(0, n, 0), "fever_for");
    uint64_t start = bench_now_ns();
    for (long i = 0; i < rounds; i++)
        must(items_for(0, n, 0), "fever_for");
    uint64_t end = bench_now_ns();
    end_runtime();
    bench_figure("map", (double)n * (double)rounds * 1e3 / (double)(end - start));
}

const struct bench_case bench_cases_fever_tasks[] = {
    {"flood", "fever", run_flood},
    {"flood_2", "fever", run_flood},
    {"rtt", "fever", run_rtt},
    {"rtt_parked", "fever", run_rtt_parked},
    {"fib", "fever", run_fib},
    {"fib_spare", "fever", run_fib_spare},
    {"chain", "fever", run_chain},
    {"fan", "fever", run_fan},
    {"map", "fever", run_map},
    {NULL, NULL, NULL},
};
