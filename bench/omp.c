/* omp.c: peers "libgomp" and "libomp", OpenMP tasks: one source for both runtimes.
 *
 * A program of its own, compiled once for each runtime with BENCH_IMPL set to its name.  Where Fever
 * has a submitter and N workers, the team here has N + 1 threads, of which the submitter may run tasks
 * while it waits (libgomp runs them in the submitter, too, when its queue is long).  rtt comes in two
 * kinds: handed to another thread, the submitter spinning on the result; and "-inplace", where
 * taskwait may run the task on the spot.
 */
#include "bench.h"

#include <omp.h>
#include <stdio.h>

#ifndef BENCH_IMPL
#error "BENCH_IMPL names the OpenMP runtime"
#endif

static long result;

static void run_flood(const struct bench_config *config) {
    long     n = config->sizes->flood;
    uint64_t start = 0, end = 0;
#pragma omp parallel num_threads(config->workers + 1)
#pragma omp single
    for (int pass = 0; pass < 2; pass++) {
        long n_tasks = pass == 0 ? n / 10 : n;
        start = bench_now_ns();
        for (long i = 0; i < n_tasks; i++) {
#pragma omp task firstprivate(i)
            bench_noop(i);
        }
#pragma omp taskwait
        end = bench_now_ns();
    }
    bench_figure("flood", (double)n * 1e3 / (double)(end - start));
}

static inline void round_trip(long i) {
#pragma omp task firstprivate(i)
    __atomic_store_n(&result, i + 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&result, __ATOMIC_ACQUIRE) != i + 1)
        bench_pause();
}

static inline void round_trip_inplace(long i) {
#pragma omp task firstprivate(i)
    __atomic_store_n(&result, i + 1, __ATOMIC_RELEASE);
#pragma omp taskwait
}

static void measure_rtt(const struct bench_config *config, bool inplace) {
    long     n = config->sizes->rtt;
    uint64_t start = 0, end = 0;
#pragma omp parallel num_threads(config->workers + 1)
#pragma omp single
    for (int pass = 0; pass < 2; pass++) {
        long n_trips = pass == 0 ? n / 10 : n;
        start = bench_now_ns();
        for (long i = 0; i < n_trips; i++)
            if (inplace)
                round_trip_inplace(i);
            else
                round_trip(i);
        end = bench_now_ns();
    }
    bench_figure("rtt", (double)(end - start) / 1e3 / (double)n);
}

static void run_rtt(const struct bench_config *config) {
    measure_rtt(config, false);
}

static void run_rtt_inplace(const struct bench_config *config) {
    measure_rtt(config, true);
}

static void run_rtt_parked(const struct bench_config *config) {
    long          n = config->sizes->parked;
    static double us[BENCH_PARKED_MAX];
#pragma omp parallel num_threads(config->workers + 1)
#pragma omp single
    {
        round_trip(-1);
        for (long i = 0; i < n; i++) {
            bench_sleep(1e-3);
            uint64_t start = bench_now_ns();
            round_trip(i);
            us[i] = (double)(bench_now_ns() - start) / 1e3;
        }
    }
    bench_figure("rtt_parked", bench_median(us, (size_t)n));
}

static long fib(int n) {
    if (n < 2)
        return n;
    long a, b;
#pragma omp task shared(a) firstprivate(n)
    a = fib(n - 1);
    b = fib(n - 2);
#pragma omp taskwait
    return a + b;
}

static void measure_fib(const struct bench_config *config, const char *name, int n) {
    uint64_t start = 0, end = 0;
    long     sum = 0;
#pragma omp parallel num_threads(config->workers)
#pragma omp single
    {
        fib(n / 2);
        start = bench_now_ns();
        sum = fib(n);
        end = bench_now_ns();
    }
    if (sum <= 0)
        bench_fail("fib(%d) is %ld", n, sum);
    bench_figure(name, (double)(end - start) / 1e6);
}

static void run_fib(const struct bench_config *config) {
    measure_fib(config, "fib", config->sizes->fib);
}

static void run_fib_spare(const struct bench_config *config) {
    measure_fib(config, "fib_spare", config->sizes->fib_spare);
}

static void run_chain(const struct bench_config *config) {
    long     n = config->sizes->chain;
    uint64_t start = 0, end = 0;
    long     link = 0;
#pragma omp parallel num_threads(config->workers + 1)
#pragma omp single
    {
        start = bench_now_ns();
        for (long i = 0; i < n; i++) {
#pragma omp task depend(inout : link) shared(link)
            link++;
        }
#pragma omp taskwait
        end = bench_now_ns();
    }
    if (link != n)
        bench_fail("%ld of %ld links ran", link, n);
    bench_figure("chain", (double)(end - start) / 1e3 / (double)n);
}

static void fan_round(void) {
    long root = 0;
#pragma omp task depend(out : root) shared(root)
    root = bench_noop(1);
    for (long i = 0; i < BENCH_LEAVES; i++) {
#pragma omp task depend(in : root) firstprivate(i) shared(root)
        bench_noop(i + root);
    }
#pragma omp task depend(out : root) shared(root)
    root = bench_noop(2);
#pragma omp taskwait
    if (root != 2)
        bench_fail("the last task did not run last");
}

static void run_fan(const struct bench_config *config) {
    long     n = config->sizes->fan;
    uint64_t start = 0, end = 0;
#pragma omp parallel num_threads(config->workers + 1)
#pragma omp single
    {
        for (long i = 0; i < n / 10; i++)
            fan_round();
        start = bench_now_ns();
        for (long i = 0; i < n; i++)
            fan_round();
        end = bench_now_ns();
    }
    bench_figure("fan", (double)(end - start) / 1e3 / (double)n);
}

static void map_round(long n, int threads) {
#pragma omp parallel num_threads(threads)
    {
#pragma omp for schedule(static) nowait
        for (long i = 0; i < n; i++)
            bench_item(i);
        bench_item_keep();
    }
}

static void run_map(const struct bench_config *config) {
    long n = config->sizes->map, rounds = config->sizes->map_rounds;
    map_round(n, config->workers);
    uint64_t start = bench_now_ns();
    for (long i = 0; i < rounds; i++)
        map_round(n, config->workers);
    uint64_t end = bench_now_ns();
    bench_figure("map", (double)n * (double)rounds * 1e3 / (double)(end - start));
}

static void run_init(const struct bench_config *config) {
    uint64_t start = bench_now_ns(), end = 0;
#pragma omp parallel num_threads(config->workers)
#pragma omp single
    {
        round_trip_inplace(1);
        end = bench_now_ns();
    }
    bench_figure("init", (double)(end - start) / 1e6);
}

static const struct bench_case cases[] = {
    {"flood", BENCH_IMPL, run_flood},
    {"flood_2", BENCH_IMPL, run_flood},
    {"rtt", BENCH_IMPL, run_rtt},
    {"rtt", BENCH_IMPL "-inplace", run_rtt_inplace},
    {"rtt_parked", BENCH_IMPL, run_rtt_parked},
    {"fib", BENCH_IMPL, run_fib},
    {"fib_spare", BENCH_IMPL, run_fib_spare},
    {"chain", BENCH_IMPL, run_chain},
    {"fan", BENCH_IMPL, run_fan},
    {"map", BENCH_IMPL, run_map},
    {"init", BENCH_IMPL, run_init},
    {NULL, NULL, NULL},
};

int main(int argc, char **argv) {
    const struct bench_case *const lists[] = {cases, NULL};
    omp_set_dynamic(0);
    return bench_child_main(argc, argv, lists);
}
