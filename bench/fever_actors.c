/* fever_actors.c: Fever's side of actor_rtt, actor_stream, actor_nn and actor_spawn.
 *
 * Calls come from the driver; in actor_nn from tasks, as many at a time as there are workers.
 */
#include "fever_bench.h"

#define SENDERS 16
#define ACTORS  4

struct sum {
    long n;
};
FEVER_ACTOR(struct sum, sum) {
    self->n = 0;
    return 0;
}
FEVER_METHOD(sum, long, add, (long, i)) {
    self->n++;
    return i + 1;
}
FEVER_METHOD(sum, long, count) {
    return self->n;
}

/* ---- actor_rtt ---- */

static void round_trip(sum_actor a, long i) {
    long result = 0;
    must(fever_take(sum_add_remote(a, i), &result), "fever_take");
    if (result != i + 1)
        bench_fail("call %ld returned %ld", i, result);
}

static void run_rtt(const struct bench_config *config) {
    long n = config->sizes->rtt;
    start_runtime(config);
    sum_actor a = sum_new();
    for (long i = 0; i < n / 10; i++)
        round_trip(a, i);
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        round_trip(a, i);
    uint64_t end = bench_now_ns();
    must(fever_actor_release(a.any), "fever_actor_release");
    end_runtime();
    bench_figure("actor_rtt", (double)(end - start) / 1e3 / (double)n);
}

/* ---- actor_stream ---- */

static void send_all(sum_actor a, long n, long expected) {
    long count = 0;
    for (long i = 0; i < n; i++)
        must(sum_add_send(a, i), "fever_actor_send");
    must(fever_take(sum_count_remote(a), &count), "fever_take");
    if (count != expected)
        bench_fail("%ld of %ld calls were run", count, expected);
}

static void run_stream(const struct bench_config *config) {
    long n = config->sizes->flood;
    start_runtime(config);
    sum_actor a = sum_new();
    send_all(a, n / 10, n / 10);
    uint64_t start = bench_now_ns();
    send_all(a, n, n / 10 + n);
    uint64_t end = bench_now_ns();
    must(fever_actor_release(a.any), "fever_actor_release");
    end_runtime();
    bench_figure("actor_stream", (double)n * 1e3 / (double)(end - start));
}

/* ---- actor_nn ---- */

struct actors {
    sum_actor a[ACTORS];
};
FEVER_TASK(long, sends, (struct actors, to), (long, n)) {
    long sum = 0, count;
    for (long i = 0; i < n; i++)
        if (sum_add_send(to.a[i % ACTORS], i) < 0)
            return -1;
    for (int k = 0; k < ACTORS; k++) { /* until all are run */
        if (fever_take(sum_count_remote(to.a[k]), &count) < 0)
            return -1;
        sum += count;
    }
    return sum;
}

static void run_nn(const struct bench_config *config) {
    long          n = config->sizes->flood / SENDERS, sum = 0, count;
    struct actors to;
    fever_ref     sender[SENDERS];
    start_runtime(config);
    for (int k = 0; k < ACTORS; k++)
        to.a[k] = sum_new();
    must(fever_take(sends_remote(to, 1000), &sum), "fever_take");
    uint64_t start = bench_now_ns();
    for (int i = 0; i < SENDERS; i++)
        sender[i] = sends_remote(to, n);
    for (int i = 0; i < SENDERS; i++) {
        must(fever_take(sender[i], &sum), "fever_take");
        if (sum < 0)
            bench_fail("a sender failed");
    }
    uint64_t end = bench_now_ns();
    sum = 0;
    for (int k = 0; k < ACTORS; k++) {
        must(fever_take(sum_count_remote(to.a[k]), &count), "fever_take");
        must(fever_actor_release(to.a[k].any), "fever_actor_release");
        sum += count;
    }
    if (sum != n * SENDERS + 1000)
        bench_fail("%ld of %ld calls were run", sum, n * SENDERS + 1000);
    end_runtime();
    bench_figure("actor_nn", (double)n * SENDERS * 1e3 / (double)(end - start));
}

/* ---- actor_spawn ---- */

static void run_spawn(const struct bench_config *config) {
    int    n = config->sizes->parked;
    double us[BENCH_PARKED_MAX];
    start_runtime(config);
    for (int i = 0; i < n; i++) {
        uint64_t  start = bench_now_ns();
        sum_actor a = sum_new();
        round_trip(a, i);
        us[i] = (double)(bench_now_ns() - start) / 1e3;
        must(fever_actor_release(a.any), "fever_actor_release");
    }
    end_runtime();
    bench_figure("actor_spawn", bench_median(us, (size_t)n));
}

const struct bench_case bench_cases_fever_actors[] = {
    {"actor_rtt", "fever", run_rtt},
    {"actor_stream", "fever", run_stream},
    {"actor_nn", "fever", run_nn},
    {"actor_spawn", "fever", run_spawn},
    {NULL, NULL, NULL},
};
