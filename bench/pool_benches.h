/* pool_benches.h: the benchmarks of a plain pool of workers, included by the file of each pool.
 *
 * Included, not called, so that each pool's submit is inlined in the loops: no peer pays for an
 * indirect call.  Before the #include the file defines POOL_IMPL (its name), POOL_CASES (the symbol
 * of its list) and
 *
 *     static void pool_open(int workers);
 *     static void pool_submit(long (*fn)(long), long arg);
 *     static long pool_wait(void);       all submitted so far are done; the result of the last one
 *     static void pool_close(void);
 *
 * These pools know no dependencies and no nested tasks, so fan is done in three steps by the
 * submitter, and chain and fib are left out.
 */
#include "bench.h"

static long pool_noop(long i) {
    return bench_noop(i);
}

static long pool_increment(long i) {
    return i + 1;
}

static void run_flood(const struct bench_config *config) {
    long n = config->sizes->flood;
    pool_open(config->workers);
    for (long i = 0; i < n / 10; i++)
        pool_submit(pool_noop, i);
    pool_wait();
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        pool_submit(pool_noop, i);
    pool_wait();
    uint64_t end = bench_now_ns();
    pool_close();
    bench_figure("flood", (double)n * 1e3 / (double)(end - start));
}

static void round_trip(long i) {
    pool_submit(pool_increment, i);
    long result = pool_wait();
    if (result != i + 1)
        bench_fail("task %ld returned %ld", i, result);
}

static void run_rtt(const struct bench_config *config) {
    long n = config->sizes->rtt;
    pool_open(config->workers);
    for (long i = 0; i < n / 10; i++)
        round_trip(i);
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        round_trip(i);
    uint64_t end = bench_now_ns();
    pool_close();
    bench_figure("rtt", (double)(end - start) / 1e3 / (double)n);
}

static void run_rtt_parked(const struct bench_config *config) {
    long   n = config->sizes->parked;
    double us[BENCH_PARKED_MAX];
    pool_open(config->workers);
    round_trip(0);
    for (long i = 0; i < n; i++) {
        bench_sleep(1e-3);
        uint64_t start = bench_now_ns();
        round_trip(i);
        us[i] = (double)(bench_now_ns() - start) / 1e3;
    }
    pool_close();
    bench_figure("rtt_parked", bench_median(us, (size_t)n));
}

static void fan_round(void) {
    pool_submit(pool_noop, 0);
    pool_wait();
    for (long i = 0; i < BENCH_LEAVES; i++)
        pool_submit(pool_noop, i);
    pool_wait();
    pool_submit(pool_noop, 0);
    pool_wait();
}

static void run_fan(const struct bench_config *config) {
    long n = config->sizes->fan;
    pool_open(config->workers);
    for (long i = 0; i < n / 10; i++)
        fan_round();
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        fan_round();
    uint64_t end = bench_now_ns();
    pool_close();
    bench_figure("fan", (double)(end - start) / 1e3 / (double)n);
}

static void run_init(const struct bench_config *config) {
    uint64_t start = bench_now_ns();
    pool_open(config->workers);
    round_trip(1);
    uint64_t end = bench_now_ns();
    pool_close();
    bench_figure("init", (double)(end - start) / 1e6);
}

const struct bench_case POOL_CASES[] = {
    {"flood", POOL_IMPL, run_flood},           {"flood_2", POOL_IMPL, run_flood}, {"rtt", POOL_IMPL, run_rtt},
    {"rtt_parked", POOL_IMPL, run_rtt_parked}, {"fan", POOL_IMPL, run_fan},       {"init", POOL_IMPL, run_init},
    {NULL, NULL, NULL},
};
