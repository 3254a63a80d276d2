/* caf.cc: peer "caf", the C++ Actor Framework: event-based actors on a pool of threads.
 *
 * A program of its own.  Where Fever has a caller and N processes, CAF may use N + 1 threads.  actor_rtt is between two of its own
 * actors, where it is at its best; an actor of CAF is an object, so actor_spawn makes no process.
 */
#include "bench.h"

#include <caf/all.hpp>
#include <future>
#include <vector>

namespace {

using caf::actor;
using caf::behavior;
using caf::event_based_actor;
using add_a   = caf::atom_constant<caf::atom("add")>;
using note_a  = caf::atom_constant<caf::atom("note")>;
using count_a = caf::atom_constant<caf::atom("count")>;
using go_a    = caf::atom_constant<caf::atom("go")>;

constexpr int N_SENDERS = 16, N_ACTORS = 4;

struct sum_state {
    int64_t n = 0;
};

behavior sum(caf::stateful_actor<sum_state> *self) {
    return {
        [=](add_a, int64_t i) -> int64_t {
            self->state.n++;
            return i + 1;
        },
        [=](note_a, int64_t) { self->state.n++; },
        [=](count_a) -> int64_t { return self->state.n; },
    };
}

struct system_of {
    caf::actor_system_config config;
    explicit system_of(int threads) { config.set("scheduler.max-threads", static_cast<size_t>(threads)); }
};

/* ---- actor_rtt ---- */

struct trips {
    int64_t             n = 0;
    std::promise<void> *over = nullptr;
};

behavior caller(caf::stateful_actor<trips> *self, actor to) {
    return {
        [=](go_a, int64_t n, uint64_t over) {
            self->state.n = n;
            self->state.over = reinterpret_cast<std::promise<void> *>(over);
            self->send(to, add_a::value, int64_t{0});
        },
        [=](int64_t i) {
            if (i < self->state.n)
                self->send(to, add_a::value, i);
            else
                self->state.over->set_value();
        },
    };
}

void run_rtt(const bench_config *config) {
    system_of         s(config->workers + 1);
    caf::actor_system system(s.config);
    actor             to = system.spawn(sum), from = system.spawn(caller, to);
    int64_t           n = config->sizes->rtt;
    uint64_t          start = 0, end = 0;
    for (int pass = 0; pass < 2; pass++) {
        std::promise<void> over;
        start = bench_now_ns();
        caf::anon_send(from, go_a::value, pass == 0 ? n / 10 : n, reinterpret_cast<uint64_t>(&over));
        over.get_future().wait();
        end = bench_now_ns();
    }
    caf::anon_send_exit(from, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(to, caf::exit_reason::user_shutdown);
    bench_note("between two of its own actors");
    bench_figure("actor_rtt", static_cast<double>(end - start) / 1e3 / static_cast<double>(n));
}

/* ---- actor_stream ---- */

int64_t ask(caf::scoped_actor &self, const actor &to) {
    int64_t count = -1;
    self->request(to, caf::infinite, count_a::value).receive([&](int64_t n) { count = n; }, [](const caf::error &) {});
    return count;
}

void run_stream(const bench_config *config) {
    system_of         s(config->workers + 1);
    caf::actor_system system(s.config);
    caf::scoped_actor self{system};
    actor             to = system.spawn(sum);
    int64_t           n = config->sizes->flood, all = 0;
    uint64_t          start = 0, end = 0;
    for (int pass = 0; pass < 2; pass++) {
        int64_t calls = pass == 0 ? n / 10 : n;
        start = bench_now_ns();
        for (int64_t i = 0; i < calls; i++)
            self->send(to, note_a::value, i);
        all += calls;
        if (ask(self, to) != all)
            bench_fail("calls were lost");
        end = bench_now_ns();
    }
    self->send_exit(to, caf::exit_reason::user_shutdown);
    bench_figure("actor_stream", static_cast<double>(n) * 1e3 / static_cast<double>(end - start));
}

/* ---- actor_nn ---- */

behavior sender(event_based_actor *self, std::vector<actor> to) {
    return {
        [=](go_a, int64_t n) -> int64_t {
            for (int64_t i = 0; i < n; i++)
                self->send(to[static_cast<size_t>(i % N_ACTORS)], note_a::value, i);
            return n;
        },
    };
}

void run_nn(const bench_config *config) {
    system_of          s(config->workers);
    caf::actor_system  system(s.config);
    caf::scoped_actor  self{system};
    std::vector<actor> to, from;
    int64_t            n = config->sizes->flood / N_SENDERS, sum_of = 0;
    for (int i = 0; i < N_ACTORS; i++)
        to.push_back(system.spawn(sum));
    for (int i = 0; i < N_SENDERS; i++)
        from.push_back(system.spawn(sender, to));
    uint64_t start = bench_now_ns();
    for (const actor &a : from)
        self->send(a, go_a::value, n);
    for (int i = 0; i < N_SENDERS; i++)
        self->receive([](int64_t) {});
    for (const actor &a : to) /* behind all that was sent */
        sum_of += ask(self, a);
    uint64_t end = bench_now_ns();
    if (sum_of != n * N_SENDERS)
        bench_fail("%ld of %ld calls were run", static_cast<long>(sum_of), static_cast<long>(n * N_SENDERS));
    for (const actor &a : from)
        self->send_exit(a, caf::exit_reason::user_shutdown);
    for (const actor &a : to)
        self->send_exit(a, caf::exit_reason::user_shutdown);
    bench_figure("actor_nn", static_cast<double>(n * N_SENDERS) * 1e3 / static_cast<double>(end - start));
}

/* ---- actor_spawn ---- */

void run_spawn(const bench_config *config) {
    system_of           s(config->workers + 1);
    caf::actor_system   system(s.config);
    caf::scoped_actor   self{system};
    std::vector<double> us;
    for (long i = 0; i < config->sizes->parked; i++) {
        uint64_t start = bench_now_ns();
        actor    a = system.spawn(sum);
        int64_t  got = 0;
        self->request(a, caf::infinite, add_a::value, static_cast<int64_t>(i)).receive([&](int64_t r) { got = r; }, [](const caf::error &) {});
        us.push_back(static_cast<double>(bench_now_ns() - start) / 1e3);
        if (got != i + 1)
            bench_fail("call %ld returned %ld", i, static_cast<long>(got));
        self->send_exit(a, caf::exit_reason::user_shutdown);
    }
    bench_note("an object, no process");
    bench_figure("actor_spawn", bench_median(us.data(), us.size()));
}

const bench_case cases[] = {
    {"actor_rtt", "caf", run_rtt},
    {"actor_stream", "caf", run_stream},
    {"actor_nn", "caf", run_nn},
    {"actor_spawn", "caf", run_spawn},
    {nullptr, nullptr, nullptr},
};

} // namespace

int main(int argc, char **argv) {
    const bench_case *const lists[] = {cases, nullptr};
    return bench_child_main(argc, argv, lists);
}
