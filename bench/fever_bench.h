/* fever_bench.h: what the files that measure Fever share.
 *
 * Fever is measured through its public header only, with its options at their defaults but for the
 * number of workers and what a benchmark's row in benches.h names.
 */
#ifndef FEVER_BENCH_FEVER_H
#define FEVER_BENCH_FEVER_H

#include "bench.h"

#include <fever.h>

/* Ends the child with what failed, when rc is an error. */
static inline void must(int64_t rc, const char *what) {
    if (rc < 0)
        bench_fail("%s: %s", what, fever_strerror((int)rc));
}

static inline void start_runtime(const struct bench_config *config) {
    must(fever_init(FEVER_OPTIONS(.workers = config->workers)), "fever_init");
}

static inline void end_runtime(void) {
    must(fever_shutdown(), "fever_shutdown");
}

#endif /* FEVER_BENCH_FEVER_H */
