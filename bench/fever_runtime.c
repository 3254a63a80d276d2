/* fever_runtime.c: Fever's side of init and recover. */
#include "fever_bench.h"

#include <signal.h>
#include <unistd.h>

FEVER_TASK(long, hello, (long, i)) {
    return i + 1;
}

static void run_init(const struct bench_config *config) {
    long     result = 0;
    uint64_t start = bench_now_ns();
    start_runtime(config);
    must(fever_take(hello_remote(1), &result), "fever_take");
    uint64_t end = bench_now_ns();
    end_runtime();
    if (result != 2)
        bench_fail("the task returned %ld", result);
    bench_figure("init", (double)(end - start) / 1e6);
}

/* Where the first attempt says that it runs: memory shared since before init, and so with workers. */
static int32_t *victim_pid;

/* The first attempt waits for its death (at most 10 s); the next one returns when it started. */
FEVER_TASK(uint64_t, victim, (long, round)) {
    uint64_t now = bench_now_ns();
    (void)round;
    if (fever_context()->attempt > 1)
        return now;
    __atomic_store_n(victim_pid, (int32_t)getpid(), __ATOMIC_RELEASE);
    while (bench_now_ns() - now < 10000000000u)
        bench_pause();
    return 0;
}

static void run_recover(const struct bench_config *config) {
    double ms[BENCH_PARKED_MAX];
    int    n = config->sizes->recover;
    victim_pid = bench_shared(sizeof *victim_pid);
    start_runtime(config);
    for (int i = 0; i < n; i++) {
        uint64_t  started = 0;
        int32_t   pid;
        fever_ref ref = victim_remote(i);
        while ((pid = __atomic_exchange_n(victim_pid, 0, __ATOMIC_ACQUIRE)) == 0)
            bench_pause();
        uint64_t killed = bench_now_ns();
        kill(pid, SIGKILL);
        must(fever_take(ref, &started), "fever_take");
        if (started < killed)
            bench_fail("round %d: the task did not start again after its worker's death", i);
        ms[i] = (double)(started - killed) / 1e6;
    }
    end_runtime();
    bench_figure("recover", bench_median(ms, (size_t)n));
}

const struct bench_case bench_cases_fever_runtime[] = {
    {"init", "fever", run_init},
    {"recover", "fever", run_recover},
    {NULL, NULL, NULL},
};
