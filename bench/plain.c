/* plain.c: peers that are no task systems but floors: malloc, memcpy, rep movsb, a serial loop, and
 * fork itself.
 */
#include "bench.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_malloc(const struct bench_config *config) {
    char     data[BENCH_SMALL];
    long     n = config->sizes->small;
    uint64_t start = 0, end = 0;
    memset(data, 7, sizeof data);
    for (int pass = 0; pass < 2; pass++) {
        long n_puts = pass == 0 ? n / 10 : n;
        start = bench_now_ns();
        for (long i = 0; i < n_puts; i++) {
            char *p = malloc(sizeof data);
            if (p == NULL)
                bench_fail("malloc failed");
            memcpy(p, data, sizeof data);
            __asm__ volatile("" : : "r"(p) : "memory");
            free(p);
        }
        end = bench_now_ns();
    }
    bench_figure("put_small", (double)(end - start) / (double)n);
}

static void run_live_malloc(const struct bench_config *config) {
    char     data[BENCH_SMALL];
    uint64_t x = 1, sum = 0;
    char   **p = calloc((size_t)config->sizes->live, sizeof *p);
    if (p == NULL)
        bench_fail("calloc failed");
    memset(data, 7, sizeof data);
    long have = 0, n = 100;
    for (int digits = 2; n <= config->sizes->live; digits += digits == 2 ? 2 : 1, n = digits == 4 ? 10000 : n * 10) {
        char name[24];
        for (; have < n; have++)
            p[have] = memcpy(malloc(sizeof data), data, sizeof data);
        uint64_t start = bench_now_ns();
        for (long k = 0; k < config->sizes->live_ops; k++) {
            long i = bench_any(&x, n);
            sum += (uint64_t)p[i][0];
            free(p[i]);
            p[i] = memcpy(malloc(sizeof data), data, sizeof data);
        }
        snprintf(name, sizeof name, BENCH_LIVE_NAME, digits);
        bench_figure(name, (double)(bench_now_ns() - start) / (double)config->sizes->live_ops);
    }
    __asm__ volatile("" : : "r"(sum));
}

static void copy_memcpy(void *to, const void *from, size_t bytes) {
    memcpy(to, from, bytes);
    __asm__ volatile("" : : "r"(to) : "memory");
}

static void copy_movsb(void *to, const void *from, size_t bytes) {
#if defined(__x86_64__)
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
#else
    (void)to, (void)from, (void)bytes;
    bench_skip("an instruction of x86-64");
#endif
}

static void measure_copy(const struct bench_config *config, void (*copy)(void *, const void *, size_t), bool huge_pages) {
    size_t         bytes = bench_big_bytes(config);
    unsigned char *from = bench_warm_memory(bytes, true);
    unsigned char *to = bench_warm_memory(bytes, huge_pages);
    double         rates[BENCH_BIG_ROUNDS_MAX];
    int            n = config->sizes->big_rounds;
    for (int i = -1; i < n; i++) {
        uint64_t start = bench_now_ns();
        copy(to, from, bytes);
        double rate = (double)bytes / (double)(bench_now_ns() - start);
        if (i < 0)
            bench_figure("put_big_first", rate);
        else
            rates[i] = rate;
    }
    bench_figure("put_big", bench_median(rates, (size_t)n));
}

static void run_memcpy_2m(const struct bench_config *config) {
    measure_copy(config, copy_memcpy, true);
}

static void run_memcpy_4k(const struct bench_config *config) {
    measure_copy(config, copy_memcpy, false);
}

static void run_movsb_2m(const struct bench_config *config) {
    measure_copy(config, copy_movsb, true);
}

static void run_movsb_4k(const struct bench_config *config) {
    measure_copy(config, copy_movsb, false);
}

/* Into shared memory that nobody touched: the kernel finds, clears and maps each page on the way. */
static void run_memcpy_cold(const struct bench_config *config) {
    size_t         bytes = bench_big_bytes(config);
    unsigned char *from = bench_warm_memory(bytes, true);
    double         rates[BENCH_BIG_ROUNDS_MAX];
    int            n = config->sizes->big_rounds;
    for (int i = 0; i < n; i++) {
        void *to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (to == MAP_FAILED)
            bench_fail("mmap of %zu bytes: %s", bytes, strerror(errno));
        uint64_t start = bench_now_ns();
        copy_memcpy(to, from, bytes);
        rates[i] = (double)bytes / (double)(bench_now_ns() - start);
        munmap(to, bytes);
    }
    bench_figure("put_cold", bench_median(rates, (size_t)n));
}

static void run_serial(const struct bench_config *config) {
    long     n = config->sizes->map, rounds = config->sizes->map_rounds;
    uint64_t start = 0, end = 0;
    for (int pass = 0; pass < 2; pass++) {
        start = bench_now_ns();
        for (long round = 0; round < (pass == 0 ? 1 : rounds); round++) {
            for (long i = 0; i < n; i++)
                bench_item(i);
            bench_item_keep();
        }
        end = bench_now_ns();
    }
    bench_figure("map", (double)n * (double)rounds * 1e3 / (double)(end - start));
}

/* A child that spins is killed; its parent, blocked in waitpid, forks another, which takes the time. */
static void run_fork_wait(const struct bench_config *config) {
    uint64_t *stamp = bench_shared(2 * sizeof *stamp);
    double    ms[BENCH_PARKED_MAX];
    int       n = config->sizes->recover;
    for (int i = 0; i < n; i++) {
        __atomic_store_n(&stamp[0], 0, __ATOMIC_RELEASE);
        pid_t first = fork();
        if (first == 0) {
            bench_die_with_parent();
            __atomic_store_n(&stamp[0], 1, __ATOMIC_RELEASE);
            for (;;)
                bench_pause();
        }
        while (__atomic_load_n(&stamp[0], __ATOMIC_ACQUIRE) == 0)
            bench_pause();
        uint64_t killed = bench_now_ns();
        kill(first, SIGKILL);
        waitpid(first, NULL, 0);
        pid_t second = fork();
        if (second == 0) {
            stamp[1] = bench_now_ns();
            _exit(0);
        }
        if (first < 0 || second < 0)
            bench_fail("fork: %s", strerror(errno));
        waitpid(second, NULL, 0);
        ms[i] = (double)(stamp[1] - killed) / 1e6;
    }
    bench_figure("recover", bench_median(ms, (size_t)n));
}

/* A child that ends at once, and is waited for. */
static void run_fork_spawn(const struct bench_config *config) {
    double us[BENCH_PARKED_MAX];
    int    n = config->sizes->parked;
    for (int i = 0; i < n; i++) {
        uint64_t start = bench_now_ns();
        pid_t    pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid < 0 || waitpid(pid, NULL, 0) != pid)
            bench_fail("fork: %s", strerror(errno));
        us[i] = (double)(bench_now_ns() - start) / 1e3;
    }
    bench_figure("actor_spawn", bench_median(us, (size_t)n));
}

const struct bench_case bench_cases_plain[] = {
    {"put_small", "malloc", run_malloc},      {"live", "malloc", run_live_malloc},
        {"put_big", "memcpy-2m", run_memcpy_2m}, {"put_big", "memcpy-4k", run_memcpy_4k},
    {"put_big", "movsb-2m", run_movsb_2m},    {"put_big", "movsb-4k", run_movsb_4k},   {"put_cold", "memcpy-cold", run_memcpy_cold},
    {"map", "serial", run_serial},            {"recover", "fork-wait", run_fork_wait}, {"actor_spawn", "fork-wait", run_fork_spawn},
    {NULL, NULL, NULL},
};
