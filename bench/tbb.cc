/* tbb.cc: peer "tbb", oneTBB: task_group for floods and fib, enqueue for rtt, a flow graph for chain.
 *
 * A program of its own.  Where Fever has a submitter and N workers, TBB may use N + 1 threads, of which
 * the submitter runs tasks while it waits.  rtt hands the task to another thread by enqueue, the
 * submitter spinning on the result; "tbb-inplace" is a task_group whose wait runs it on the spot.  A
 * flow graph takes no edges to a node that has run, so chain builds it first and then starts it; both
 * are timed.
 */
#include "bench.h"

#include <atomic>
#include <memory>
#include <tbb/blocked_range.h>
#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <vector>

namespace {

using tbb::flow::continue_msg;
using node = tbb::flow::continue_node<continue_msg>;

tbb::global_control limit(int threads) {
    return tbb::global_control(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(threads));
}

std::atomic<long> result;

void run_flood(const bench_config *config) {
    auto            control = limit(config->workers + 1);
    tbb::task_arena arena(config->workers + 1, 1);
    arena.execute([&] {
        tbb::task_group group;
        long            n = config->sizes->flood;
        uint64_t        start = 0, end = 0;
        for (int pass = 0; pass < 2; pass++) {
            long n_tasks = pass == 0 ? n / 10 : n;
            start = bench_now_ns();
            for (long i = 0; i < n_tasks; i++)
                group.run([i] { bench_noop(i); });
            group.wait();
            end = bench_now_ns();
        }
        bench_figure("flood", static_cast<double>(n) * 1e3 / static_cast<double>(end - start));
    });
}

void round_trip(tbb::task_arena &arena, long i) {
    arena.enqueue([i] { result.store(i + 1, std::memory_order_release); });
    while (result.load(std::memory_order_acquire) != i + 1)
        bench_pause();
}

void run_rtt(const bench_config *config) {
    auto            control = limit(config->workers + 1);
    tbb::task_arena arena(config->workers + 1, 1);
    long            n = config->sizes->rtt;
    for (long i = 0; i < n / 10; i++)
        round_trip(arena, i);
    uint64_t start = bench_now_ns();
    for (long i = 0; i < n; i++)
        round_trip(arena, i);
    uint64_t end = bench_now_ns();
    bench_figure("rtt", static_cast<double>(end - start) / 1e3 / static_cast<double>(n));
}

void run_rtt_inplace(const bench_config *config) {
    auto            control = limit(config->workers + 1);
    tbb::task_group group;
    long            n = config->sizes->rtt;
    uint64_t        start = 0, end = 0;
    for (int pass = 0; pass < 2; pass++) {
        long n_trips = pass == 0 ? n / 10 : n;
        start = bench_now_ns();
        for (long i = 0; i < n_trips; i++) {
            group.run([i] { result.store(i + 1, std::memory_order_release); });
            group.wait();
        }
        end = bench_now_ns();
    }
    bench_figure("rtt", static_cast<double>(end - start) / 1e3 / static_cast<double>(n));
}

void run_rtt_parked(const bench_config *config) {
    auto                control = limit(config->workers + 1);
    tbb::task_arena     arena(config->workers + 1, 1);
    std::vector<double> us;
    round_trip(arena, -1);
    for (long i = 0; i < config->sizes->parked; i++) {
        bench_sleep(1e-3);
        uint64_t start = bench_now_ns();
        round_trip(arena, i);
        us.push_back(static_cast<double>(bench_now_ns() - start) / 1e3);
    }
    bench_figure("rtt_parked", bench_median(us.data(), us.size()));
}

long fib(int n) {
    if (n < 2)
        return n;
    long            a = 0;
    tbb::task_group group;
    group.run([&a, n] { a = fib(n - 1); });
    long b = fib(n - 2);
    group.wait();
    return a + b;
}

void measure_fib(const bench_config *config, const char *name, int n) {
    auto            control = limit(config->workers);
    tbb::task_arena arena(config->workers, 1);
    arena.execute([&] {
        fib(n / 2);
        uint64_t start = bench_now_ns();
        long     sum = fib(n);
        uint64_t end = bench_now_ns();
        if (sum <= 0)
            bench_fail("fib(%d) is %ld", n, sum);
        bench_figure(name, static_cast<double>(end - start) / 1e6);
    });
}

void run_fib(const bench_config *config) {
    measure_fib(config, "fib", config->sizes->fib);
}

void run_fib_spare(const bench_config *config) {
    measure_fib(config, "fib_spare", config->sizes->fib_spare);
}

void run_chain(const bench_config *config) {
    auto             control = limit(config->workers + 1);
    tbb::task_arena  arena(config->workers + 1, 1);
    arena.execute([&] {
        long                               n = config->sizes->chain;
        long                               links = 0;
        std::vector<std::unique_ptr<node>> nodes;
        nodes.reserve(static_cast<size_t>(n));
        uint64_t         start = bench_now_ns();
        tbb::flow::graph graph;
        for (long i = 0; i < n; i++) {
            nodes.push_back(std::make_unique<node>(graph, [&links](const continue_msg &) { links++; }));
            if (i > 0)
                tbb::flow::make_edge(*nodes[static_cast<size_t>(i) - 1], *nodes[static_cast<size_t>(i)]);
        }
        nodes[0]->try_put(continue_msg());
        graph.wait_for_all();
        uint64_t end = bench_now_ns();
        if (links != n)
            bench_fail("%ld of %ld links ran", links, n);
        bench_figure("chain", static_cast<double>(end - start) / 1e3 / static_cast<double>(n));
    });
}

void run_fan(const bench_config *config) {
    auto             control = limit(config->workers + 1);
    tbb::task_arena  arena(config->workers + 1, 1);
    arena.execute([&] {
        tbb::task_group group;
        long            n = config->sizes->fan;
        uint64_t        start = 0, end = 0;
        for (int pass = 0; pass < 2; pass++) {
            long n_rounds = pass == 0 ? n / 10 : n;
            start = bench_now_ns();
            for (long round = 0; round < n_rounds; round++) {
                group.run([] { bench_noop(0); });
                group.wait();
                for (long i = 0; i < BENCH_LEAVES; i++)
                    group.run([i] { bench_noop(i); });
                group.wait();
                group.run([] { bench_noop(0); });
                group.wait();
            }
            end = bench_now_ns();
        }
        bench_figure("fan", static_cast<double>(end - start) / 1e3 / static_cast<double>(n));
    });
}

void map_round(long n) {
    tbb::parallel_for(tbb::blocked_range<long>(0, n), [](const tbb::blocked_range<long> &range) {
        for (long i = range.begin(); i < range.end(); i++)
            bench_item(i);
        bench_item_keep();
    });
}

void run_map(const bench_config *config) {
    auto            control = limit(config->workers);
    tbb::task_arena arena(config->workers, 1);
    arena.execute([&] {
        long n = config->sizes->map, rounds = config->sizes->map_rounds;
        map_round(n);
        uint64_t start = bench_now_ns();
        for (long i = 0; i < rounds; i++)
            map_round(n);
        uint64_t end = bench_now_ns();
        bench_figure("map", static_cast<double>(n) * static_cast<double>(rounds) * 1e3 / static_cast<double>(end - start));
    });
}

void run_init(const bench_config *config) {
    uint64_t        start = bench_now_ns();
    auto            control = limit(config->workers + 1);
    tbb::task_arena arena(config->workers + 1, 1);
    round_trip(arena, 1);
    uint64_t end = bench_now_ns();
    bench_note("starts threads on demand");
    bench_figure("init", static_cast<double>(end - start) / 1e6);
}

const bench_case cases[] = {
    {"flood", "tbb", run_flood},
    {"flood_2", "tbb", run_flood},
    {"rtt", "tbb", run_rtt},
    {"rtt", "tbb-inplace", run_rtt_inplace},
    {"rtt_parked", "tbb", run_rtt_parked},
    {"fib", "tbb", run_fib},
    {"fib_spare", "tbb", run_fib_spare},
    {"chain", "tbb", run_chain},
    {"fan", "tbb", run_fan},
    {"map", "tbb", run_map},
    {"init", "tbb", run_init},
    {nullptr, nullptr, nullptr},
};

} // namespace

int main(int argc, char **argv) {
    const bench_case *const lists[] = {cases, nullptr};
    return bench_child_main(argc, argv, lists);
}
