/* fever_files.c: Fever's side of load, save, spill and restore: objects from files and to files, past the page cache. */
#include "fever_bench.h"
#include "files.h"

#include <string.h>
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

/* A store of a quarter of what goes through it, objects of 32 MiB; it is full when the clock starts. */
#define PIECES_MAX 1024
static size_t piece_bytes(size_t bytes) { return bytes >= (size_t)256 << 20 ? (size_t)32 << 20 : bytes / 8; }

static fever_ref make_piece(size_t bytes, size_t number) {
    unsigned char *data;
    fever_ref      ref;
    must(fever_create(bytes, &data, &ref), "fever_create");
    memcpy(data, &number, sizeof number);
    must(fever_seal(ref), "fever_seal");
    must(fever_view_end(ref), "fever_view_end");
    return ref;
}

static void start_full(const struct bench_config *config, size_t bytes, fever_ref *ref, size_t *n_out) {
    size_t piece = piece_bytes(bytes), n = bytes / 4 / piece;
    must(fever_init(FEVER_OPTIONS(.workers = config->workers, .store_bytes = bytes / 4, .store_warm = bytes / 4)), "fever_init");
    bench_sleep(config->quick ? 0.02 : 2.0);
    for (size_t i = 0; i < n; i++)
        ref[i] = make_piece(piece, i);
    *n_out = n;
}

static void run_spill(const struct bench_config *config) {
    size_t           bytes = 2 * bench_big_bytes(config), piece = piece_bytes(bytes), first, n = bytes / piece;
    static fever_ref ref[PIECES_MAX];
    start_full(config, bytes, ref, &first);
    uint64_t start = bench_now_ns();
    for (size_t i = first; i < n; i++)
        ref[i] = make_piece(piece, i);
    bench_figure("spill", (double)(n - first) * (double)piece / (double)(bench_now_ns() - start));
    end_runtime();
}

static void run_restore(const struct bench_config *config) {
    size_t           bytes = 2 * bench_big_bytes(config), piece = piece_bytes(bytes), first, n = bytes / piece, have;
    static fever_ref ref[PIECES_MAX];
    start_full(config, bytes, ref, &first);
    for (size_t i = first; i < n; i++)
        ref[i] = make_piece(piece, i);
    bench_sleep(config->quick ? 0.02 : 1.0); /* for what is written ahead of need */
    uint64_t start = bench_now_ns();
    for (size_t i = 0; i < n - first; i++) { /* the last ones are in the store still */
        const unsigned char *data;
        must(fever_view(ref[i], &data, &have), "fever_view");
        if (memcmp(data, &i, sizeof i) != 0)
            bench_fail("object %zu is another one", i);
        must(fever_release(ref[i]), "fever_release");
    }
    bench_figure("restore", (double)(n - first) * (double)piece / (double)(bench_now_ns() - start));
    end_runtime();
}

const struct bench_case bench_cases_fever_files[] = {
    {"load", "fever", run_load}, {"save", "fever", run_save}, {"spill", "fever", run_spill}, {"restore", "fever", run_restore}, {NULL, NULL, NULL},
};
