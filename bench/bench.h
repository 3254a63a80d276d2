/* bench.h: what every measured implementation shares, Fever's and the peers'.
 *
 * Each pair of benchmark and implementation runs in a child process of its own (fever-bench again, or
 * a peer's program found beside it), because OpenMP runtimes, forks and leftovers of an earlier
 * benchmark do not mix.  The child does one repetition and prints its figures as lines of text:
 *
 *     figure NAME VALUE      in the unit of the benchmark's row in benches.h
 *     note TEXT              shown beside the figures
 *     skip TEXT              cannot run here (not a failure)
 *     error TEXT             failed
 *
 * The parent (series.c) takes turns between the implementations and collects these lines.
 * The header is plain enough for C++.
 */
#ifndef FEVER_BENCH_H
#define FEVER_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How much one repetition does; small with --quick. */
struct bench_sizes {
    long   flood;      /* tasks */
    long   rtt;        /* round trips */
    long   parked;     /* round trips after 1 ms of idling */
    int    fib;        /* argument of fib */
    int    fib_spare;  /* the same where a blocked task needs a spare worker */
    long   chain;      /* tasks */
    long   fan;        /* rounds of 1 -> 64 -> 1 */
    long   map;        /* items in one parallel loop */
    long   map_rounds; /* loops */
    long   small;      /* puts of 100 bytes */
    long   view;       /* views */
    long   live;       /* objects that are live, at most */
    long   live_ops;   /* of them replaced */
    size_t big_bytes;  /* of the big put, at most: see bench_big_bytes() */
    int    big_rounds; /* big puts after the first */
    int    recover;    /* workers killed */
};

struct bench_config {
    int                       workers;
    bool                      quick;
    const struct bench_sizes *sizes;
};

/* One implementation of one benchmark.  Lists of them end with a null bench. */
struct bench_case {
    const char *bench;
    const char *impl;
    void (*run)(const struct bench_config *config);
};

/* The child's main(): argv is --one BENCH IMPL WORKERS full|quick.  Returns the exit status. */
int bench_child_main(int argc, char **argv, const struct bench_case *const *lists);

void bench_figure(const char *name, double value);
void bench_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void bench_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Pins the calling thread to the i-th CPU (modulo their number) that the process started with. */
void bench_pin(int i);
/* Ends the calling process when its parent dies: for workers of fork pools. */
void bench_die_with_parent(void);
/* Memory shared with processes forked later. */
void *bench_shared(size_t bytes);
/* The size of the big put: the configured one, halved until three stores of it and a source fit. */
size_t bench_big_bytes(const struct bench_config *config);
/* Anonymous memory, touched, with 2 MiB pages where asked and allowed.  Bytes that no page repeats. */
unsigned char *bench_warm_memory(size_t bytes, bool huge_pages);
void           bench_sleep(double seconds);
/* Sorts values and returns their median. */
double bench_median(double *values, size_t n);

static inline uint64_t bench_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void bench_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* The body of a no-op task: the compiler must keep the call and its argument. */
static inline long bench_noop(long i) {
    __asm__ volatile("" : "+r"(i));
    return i;
}

/* One item of `map`, about 1 ns: multiply and add in a chain from item to item, kept by the compiler. */
static __thread uint64_t bench_chain __attribute__((unused));
static inline void       bench_item(long i) {
    uint64_t x = bench_chain * 6364136223846793005u + (uint64_t)i;
    __asm__ volatile("" : "+r"(x));
    bench_chain = x;
}
/* Which of n objects is next, by x (from 1 on). */
static inline long bench_any(uint64_t *x, long n) {
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return (long)(*x % (uint64_t)n);
}
#define BENCH_LIVE_NAME "live_1e%d" /* of so many live objects: 100, then from 10,000 on */

/* Keeps the compiler from dropping the items. */
static inline void bench_item_keep(void) {
    __asm__ volatile("" : : "r"(bench_chain) : "memory");
}

#define BENCH_LEAVES 64 /* of the benchmark fan */
#define BENCH_SMALL  100 /* bytes of put_small */
/* What the arrays of samples hold. */
#define BENCH_PARKED_MAX     1000
#define BENCH_BIG_ROUNDS_MAX 16

#ifdef __cplusplus
}
#endif

#endif /* FEVER_BENCH_H */
