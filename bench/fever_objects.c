/* fever_objects.c: Fever's side of put_small, put_big, put_cold, create_seal, live and get_view. */
#include "fever_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run_put_small(const struct bench_config *config) {
    char     data[BENCH_SMALL];
    long     n = config->sizes->small;
    uint64_t start = 0, end = 0;
    memset(data, 7, sizeof data);
    start_runtime(config);
    for (int pass = 0; pass < 2; pass++) {
        long n_puts = pass == 0 ? n / 10 : n;
        start = bench_now_ns();
        for (long i = 0; i < n_puts; i++) {
            fever_ref ref;
            must(fever_put(data, sizeof data, &ref), "fever_put");
            must(fever_release(ref), "fever_release");
        }
        end = bench_now_ns();
    }
    end_runtime();
    bench_figure("put_small", (double)(end - start) / (double)n);
}

/* Notes which pages this process has the store mapped with: the largest shared mapping says. */
static void note_pages(size_t bytes) {
    char               line[512];
    unsigned long long size = 0, huge = 0;
    bool               store = false, seen_huge = false;
    FILE              *f = fopen("/proc/self/smaps", "re");
    if (f == NULL)
        return;
    while (fgets(line, sizeof line, f) != NULL) {
        unsigned long long from, to, kib;
        char               mode[8];
        if (sscanf(line, "%llx-%llx %7s", &from, &to, mode) == 3) {
            size = to - from;
            store = mode[3] == 's' && size >= bytes;
        } else if (store && (sscanf(line, "ShmemPmdMapped: %llu kB", &kib) == 1 || sscanf(line, "Shared_Hugetlb: %llu kB", &kib) == 1 ||
                             sscanf(line, "Private_Hugetlb: %llu kB", &kib) == 1)) {
            huge += kib;
            seen_huge = seen_huge || huge * 1024 >= bytes / 2;
        }
    }
    fclose(f);
    bench_note("pages of %s", seen_huge ? "2 MiB" : "4 KiB");
}

/* Puts and releases once; returns GB/s. */
static double put_rate(const unsigned char *data, size_t bytes, bool inspect) {
    fever_ref ref;
    uint64_t  start = bench_now_ns();
    must(fever_put(data, bytes, &ref), "fever_put");
    uint64_t end = bench_now_ns();
    if (inspect) {
        const unsigned char *view;
        size_t               view_bytes;
        must(fever_view(ref, &view, &view_bytes), "fever_view");
        if (view_bytes != bytes || view[0] != data[0] || view[bytes - 1] != data[bytes - 1])
            bench_fail("the object differs from what was put");
        note_pages(bytes);
    }
    must(fever_release(ref), "fever_release");
    return (double)bytes / (double)(end - start);
}

/* Until so much is warm, or it takes too long. */
static void wait_warm(const struct bench_config *config, size_t bytes) {
    struct fever_stats stats = {.struct_bytes = sizeof stats};
    for (int i = 0; i < (config->quick ? 2 : 3000); i++) {
        must(fever_stats(&stats), "fever_stats");
        if (stats.store_backed_bytes >= bytes)
            return;
        bench_sleep(0.01);
    }
}

/* A warm store: the first put, and those after it that reuse its memory. */
static void run_put_big(const struct bench_config *config) {
    size_t         bytes = bench_big_bytes(config);
    unsigned char *data = bench_warm_memory(bytes, true);
    double         rates[BENCH_BIG_ROUNDS_MAX];
    int            n = config->sizes->big_rounds;
    must(fever_init(FEVER_OPTIONS(.workers = config->workers, .store_bytes = 3 * bytes, .store_warm = 2 * bytes)), "fever_init");
    wait_warm(config, 2 * bytes);
    double first = put_rate(data, bytes, false);
    for (int i = 0; i < n; i++)
        rates[i] = put_rate(data, bytes, false);
    put_rate(data, bytes, true);
    end_runtime();
    bench_figure("put_big_first", first);
    bench_figure("put_big", bench_median(rates, (size_t)n));
}

/* One put into a store of which as little as possible was warm. */
static void run_put_cold(const struct bench_config *config) {
    size_t         bytes = bench_big_bytes(config);
    unsigned char *data = bench_warm_memory(bytes, true);
    must(fever_init(FEVER_OPTIONS(.workers = config->workers, .store_bytes = 3 * bytes, .store_warm = 1)), "fever_init");
    double rate = put_rate(data, bytes, true);
    end_runtime();
    bench_figure("put_cold", rate);
}

static void run_create_seal(const struct bench_config *config) {
    size_t bytes = bench_big_bytes(config);
    double us[BENCH_BIG_ROUNDS_MAX];
    must(fever_init(FEVER_OPTIONS(.workers = config->workers, .store_bytes = 3 * bytes, .store_warm = 2 * bytes)), "fever_init");
    wait_warm(config, 2 * bytes);
    for (int i = 0; i < BENCH_BIG_ROUNDS_MAX; i++) {
        fever_ref ref;
        void     *data;
        uint64_t  start = bench_now_ns();
        must(fever_create_raw(bytes, &data, &ref), "fever_create_raw");
        must(fever_seal(ref), "fever_seal");
        us[i] = (double)(bench_now_ns() - start) * 1e-3;
        must(fever_release(ref), "fever_release");
    }
    end_runtime();
    bench_figure("create_seal", bench_median(us, BENCH_BIG_ROUNDS_MAX));
}

static void run_live(const struct bench_config *config) {
    char        data[BENCH_SMALL];
    uint64_t    x = 1, sum = 0;
    fever_ref  *ref = calloc((size_t)config->sizes->live, sizeof *ref);
    long        have = 0, n = 100;
    if (ref == NULL)
        bench_fail("calloc failed");
    memset(data, 7, sizeof data);
    must(fever_init(FEVER_OPTIONS(.workers = config->workers, .task_slots = 1u << 20, .store_bytes = (uint64_t)1 << 30)), "fever_init");
    for (int digits = 2; n <= config->sizes->live; digits += digits == 2 ? 2 : 1, n = digits == 4 ? 10000 : n * 10) {
        char name[24];
        for (; have < n; have++)
            must(fever_put(data, sizeof data, &ref[have]), "fever_put");
        uint64_t start = bench_now_ns();
        for (long k = 0; k < config->sizes->live_ops; k++) {
            long        i = bench_any(&x, n);
            const char *view;
            size_t      bytes;
            must(fever_view(ref[i], &view, &bytes), "fever_view");
            sum += (uint64_t)*view;
            must(fever_release(ref[i]), "fever_release");
            must(fever_put(data, sizeof data, &ref[i]), "fever_put");
        }
        snprintf(name, sizeof name, BENCH_LIVE_NAME, digits);
        bench_figure(name, (double)(bench_now_ns() - start) / (double)config->sizes->live_ops);
    }
    __asm__ volatile("" : : "r"(sum));
    end_runtime();
}

static void run_get_view(const struct bench_config *config) {
    enum { N_OBJECTS = 64 };
    fever_ref   refs[N_OBJECTS];
    long        n = config->sizes->view;
    uint64_t    sum = 0, start = 0, end = 0;
    start_runtime(config);
    for (int i = 0; i < N_OBJECTS; i++) {
        uint64_t value = (uint64_t)i;
        must(fever_put(&value, sizeof value, &refs[i]), "fever_put");
    }
    for (int pass = 0; pass < 2; pass++) {
        long n_views = pass == 0 ? n / 10 : n;
        start = bench_now_ns();
        for (long i = 0; i < n_views; i++) {
            const uint64_t *view;
            size_t          bytes;
            must(fever_view(refs[i % N_OBJECTS], &view, &bytes), "fever_view");
            sum += *view;
        }
        end = bench_now_ns();
    }
    __asm__ volatile("" : : "r"(sum));
    for (int i = 0; i < N_OBJECTS; i++)
        must(fever_release(refs[i]), "fever_release");
    end_runtime();
    bench_figure("get_view", (double)(end - start) / (double)n);
}

const struct bench_case bench_cases_fever_objects[] = {
    {"put_small", "fever", run_put_small}, {"put_big", "fever", run_put_big}, {"put_cold", "fever", run_put_cold},
    {"create_seal", "fever", run_create_seal}, {"live", "fever", run_live},
    {"get_view", "fever", run_get_view},   {NULL, NULL, NULL},
};
