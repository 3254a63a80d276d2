/* benches.h: the tables of benchmarks, of figures and of implementations. */
#ifndef FEVER_BENCH_BENCHES_H
#define FEVER_BENCH_BENCHES_H

#include <stdbool.h>

/* "workers" run the tasks; the submitter comes on top.  Peers are tried in the order given. */
/*   name         workers  peers and text */
#define BENCHES(X) \
    X(flood,       1, "ck-ring libgomp libomp tbb pthread-pool fork-mutex fork-pipe", \
      "1e6 no-op tasks from one submitter to one worker, wait for all") \
    X(flood_2,     2, "ck-ring libgomp libomp tbb pthread-pool fork-mutex fork-pipe", \
      "the same to two workers") \
    X(rtt,         1, "ck-ring libgomp libomp tbb pthread-pool fork-mutex fork-pipe tbb-inplace libgomp-inplace libomp-inplace", \
      "submit one task, another CPU runs it, get its result, at once again") \
    X(rtt_parked,  1, "libgomp libomp tbb pthread-pool fork-mutex fork-pipe", \
      "the same after 1 ms of idling") \
    X(fib,         2, "libgomp libomp tbb", \
      "fib(30), 1.35e6 nested tasks, no cut-off, may be run in place by who waits") \
    X(fib_spare,   2, "libgomp libomp tbb", \
      "fib(12), 232 nested tasks, each in a process of its own while it waits") \
    X(chain,       1, "libgomp libomp tbb", \
      "1e5 tasks, each waiting for the one before, submitted one by one; per task") \
    X(fan,         1, "ck-ring libgomp libomp tbb pthread-pool fork-mutex fork-pipe", \
      "1 -> 64 -> 1 tasks; per round") \
    X(map,         2, "serial libgomp libomp tbb", \
      "parallel loop over 1e6 items of 1 ns") \
    X(actor_rtt,   1, "caf", \
      "call of an actor and wait for the answer, at once again") \
    X(actor_stream, 1, "caf", \
      "1e6 calls without a ref from one caller to one actor, until all are run") \
    X(actor_nn,    2, "caf", \
      "1e6 calls without a ref from 16 senders, two at a time, to 4 actors") \
    X(actor_spawn, 1, "fork-wait caf", \
      "make an actor and call it once") \
    X(put_small,   1, "malloc", \
      "put of 100 bytes and release") \
    X(put_big,     1, "memcpy-2m memcpy-4k movsb-2m movsb-4k", \
      "put of 1 GiB into a warm store; peers copy it into warm memory") \
    X(put_cold,    1, "memcpy-cold", \
      "put of 1 GiB into a store of which nothing is warm") \
    X(create_seal, 1, "", \
      "create and seal of 1 GiB in a warm store, nothing written") \
    X(live,        1, "malloc", \
      "get, release and put of 100 bytes, at random among as many that are live") \
    X(get_view,    1, "", \
      "view of an object that is ready") \
    X(load,        1, "dd-1m dd-16m", \
      "a file of 1 GiB into an object, past the page cache") \
    X(save,        1, "dd-1m dd-16m", \
      "an object of 1 GiB into a file, until it is on the disk") \
    X(spill,       1, "dd-1m dd-16m", \
      "objects of 32 MiB into a store that is full: how fast others leave it") \
    X(restore,     1, "dd-1m dd-16m", \
      "views of objects of 32 MiB that are on disk") \
    X(init,       16, "ck-ring libgomp libomp tbb pthread-pool fork-mutex fork-pipe", \
      "start with 16 workers, to the first result") \
    X(recover,     1, "fork-wait", \
      "SIGKILL of a worker to its task starting again") \
    X(pack,        1, "", \
      "a decision of the autoscaler: 10,000 demands on 1,000 nodes")

/* What the children print.  `higher`: higher is better. */
/*   name           bench      unit         higher  text */
#define FIGURES(X) \
    X(flood,         flood,     "Mtasks/s",  true,   "") \
    X(flood_2,       flood_2,   "Mtasks/s",  true,   "") \
    X(rtt,           rtt,       "us",        false,  "") \
    X(rtt_parked,    rtt_parked,"us",        false,  "") \
    X(fib,           fib,       "ms",        false,  "") \
    X(fib_spare,     fib_spare, "ms",        false,  "") \
    X(chain,         chain,     "us",        false,  "") \
    X(fan,           fan,       "us",        false,  "") \
    X(map,           map,       "M/s",       true,   "") \
    X(actor_rtt,     actor_rtt, "us",        false,  "") \
    X(actor_stream,  actor_stream, "M/s",    true,   "") \
    X(actor_nn,      actor_nn,  "M/s",       true,   "") \
    X(actor_spawn,   actor_spawn, "us",      false,  "") \
    X(put_small,     put_small, "ns",        false,  "") \
    X(put_big,       put_big,   "GB/s",      true,   "puts after the first") \
    X(put_big_first, put_big,   "GB/s",      true,   "the first put") \
    X(put_cold,      put_cold,  "GB/s",      true,   "") \
    X(create_seal,   create_seal, "us",      false,  "") \
    X(live_1e2,      live,      "ns",        false,  "100 live objects") \
    X(live_1e4,      live,      "ns",        false,  "10,000") \
    X(live_1e5,      live,      "ns",        false,  "100,000") \
    X(live_1e6,      live,      "ns",        false,  "1,000,000") \
    X(get_view,      get_view,  "ns",        false,  "") \
    X(load,          load,      "GB/s",      true,   "") \
    X(save,          save,      "GB/s",      true,   "") \
    X(spill,         spill,     "GB/s",      true,   "") \
    X(restore,       restore,   "GB/s",      true,   "") \
    X(init,          init,      "ms",        false,  "") \
    X(recover,       recover,   "ms",        false,  "") \
    X(pack_shapes,   pack,      "ms",        false,  "10,000 shapes") \
    X(pack_count,    pack,      "ms",        false,  "10 shapes, 1,000 demands of each")

/* A program of NULL means fever-bench itself; "cure" says how to get a program that is missing. */
/*   impl              program                cure and text */
#define IMPLS(X) \
    X("fever",           NULL,                  "",                      "this library") \
    X("ck-ring",         NULL,                  "",                      "forked processes spinning on a ck_ring; not crash-safe, the floor") \
    X("libgomp",         "fever-bench-libgomp", "gcc with -fopenmp",     "OpenMP tasks of GCC") \
    X("libgomp-inplace", "fever-bench-libgomp", "gcc with -fopenmp",     "the same, run by the waiter: no hand-over") \
    X("libomp",          "fever-bench-libomp",  "clang and libomp-dev",  "OpenMP tasks of LLVM") \
    X("libomp-inplace",  "fever-bench-libomp",  "clang and libomp-dev",  "the same, run by the waiter: no hand-over") \
    X("tbb",             "fever-bench-tbb",     "libtbb-dev",            "oneTBB: task_group, enqueue, flow graph") \
    X("tbb-inplace",     "fever-bench-tbb",     "libtbb-dev",            "task_group, run by the waiter: no hand-over") \
    X("caf",             "fever-bench-caf",     "libcaf-dev",            "CAF: event-based actors on a pool of threads") \
    X("pthread-pool",    NULL,                  "",                      "threads around a mutex and condition variables") \
    X("fork-mutex",      NULL,                  "",                      "forked processes around a process-shared mutex") \
    X("fork-pipe",       NULL,                  "",                      "forked processes fed through pipes") \
    X("fork-wait",       NULL,                  "",                      "fork, waitpid, fork; of actor_spawn: fork and waitpid") \
    X("serial",          NULL,                  "",                      "a plain loop") \
    X("malloc",          NULL,                  "",                      "malloc, memcpy, free") \
    X("memcpy-2m",       NULL,                  "",                      "memcpy into private warm memory in 2 MiB pages") \
    X("memcpy-4k",       NULL,                  "",                      "the same in 4 KiB pages") \
    X("movsb-2m",        NULL,                  "",                      "rep movsb into private warm memory in 2 MiB pages") \
    X("movsb-4k",        NULL,                  "",                      "the same in 4 KiB pages") \
    X("dd-1m",           NULL,                  "",                      "dd with O_DIRECT and blocks of 1 MiB") \
    X("dd-16m",          NULL,                  "",                      "the same with blocks of 16 MiB") \
    X("memcpy-cold",     NULL,                  "",                      "memcpy into fresh shared memory")

struct bench_row {
    const char *name;
    int         workers;
    const char *peers; /* names of IMPLS, separated by spaces */
    const char *text;
};

struct figure_row {
    const char *name;
    const char *bench;
    const char *unit;
    bool        higher;
    const char *text;
};

struct impl_row {
    const char *name;
    const char *program;
    const char *cure;
    const char *text;
};

/* Each ends with a null name. */
extern const struct bench_row  bench_rows[];
extern const struct figure_row figure_rows[];
extern const struct impl_row   impl_rows[];

const struct bench_row  *bench_row(const char *name);
const struct figure_row *figure_row(const char *name);
const struct impl_row   *impl_row(const char *name);

#endif /* FEVER_BENCH_BENCHES_H */
