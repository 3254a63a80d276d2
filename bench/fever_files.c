/* fever_files.c: Fever's side of load and save: files into objects, past the page cache, and back. */
#include "fever_bench.h"
#include "files.h"

#include <unistd.h>

static void start_store(const struct bench_config *config, size_t bytes) {
    must(fever_init(FEVER_OPTIONS(.workers = config->workers, .store_bytes = 3 * bytes, .store_warm = 2 * bytes)), "fever_init");
    bench_sleep(config->quick ? 0.02 : 2.0); /* for what is warmed ahead of demand */
}

static void run_load(const struct bench_config *config) {
    size_t      bytes = bench_big_bytes(config), have = 0;
    const char *path = bench_file(bytes);
    double      rates[BENCH_BIG_ROUNDS_MAX];
    int         n = config->sizes->big_rounds;
    start_store(config, bytes);
    for (int i = 0; i < n; i++) {
        const unsigned char *data;
        fever_ref            ref;
        uint64_t             start = bench_now_ns();
        must(fever_load(path, NULL, &ref), "fever_load");
        must(fever_view(ref, &data, &have), "fever_view");
        rates[i] = (double)bytes / (double)(bench_now_ns() - start);
        if (have != bytes)
            bench_fail("%zu bytes were loaded, not %zu", have, bytes);
        must(fever_release(ref), "fever_release");
    }
    end_runtime();
    bench_figure("load", bench_median(rates, (size_t)n));
}

static void run_save(const struct bench_config *config) {
    size_t         bytes = bench_big_bytes(config);
    const char    *path = bench_file(0);
    double         rates[BENCH_BIG_ROUNDS_MAX];
    int            n = config->sizes->big_rounds;
    fever_ref      ref;
    start_store(config, bytes);
    must(fever_put(bench_warm_memory(bytes, true), bytes, &ref), "fever_put");
    for (int i = 0; i < n; i++) {
        fever_ref          done;
        struct fever_saved saved;
        unlink(path);
        uint64_t start = bench_now_ns();
        must(fever_save(ref, path, FEVER_SAVE(.sync = 1), &done), "fever_save");
        must(fever_get(done, &saved), "fever_get");
        rates[i] = (double)bytes / (double)(bench_now_ns() - start);
        must(fever_release(done), "fever_release");
    }
    must(fever_release(ref), "fever_release");
    end_runtime();
    bench_figure("save", bench_median(rates, (size_t)n));
}

const struct bench_case bench_cases_fever_files[] = {{"load", "fever", run_load}, {"save", "fever", run_save}, {NULL, NULL, NULL}};
