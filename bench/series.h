/* series.h: one benchmark, all its implementations, repetition by repetition. */
#ifndef FEVER_BENCH_SERIES_H
#define FEVER_BENCH_SERIES_H

#include "benches.h"

#include <stdio.h>

#define SERIES_MAX_REPS  1000
#define SERIES_MAX_IMPLS 16
#define SERIES_MAX_FIGS  4

/* One figure of one implementation. */
struct series {
    const struct figure_row *figure;
    int                      n;
    double                   values[SERIES_MAX_REPS]; /* sorted once the measurement is over */
    double                   min, median, max;
};

enum outcome { OUTCOME_OK, OUTCOME_SKIPPED, OUTCOME_FAILED };

/* One implementation of one benchmark. */
struct contender {
    const struct impl_row *impl;
    enum outcome           outcome;
    char                   reason[420]; /* when it was skipped or failed */
    char                   note[420];
    int                    n_figures;
    struct series          figures[SERIES_MAX_FIGS];
};

struct measurement {
    const struct bench_row *bench;
    int                     workers;
    int                     n_contenders; /* the first is fever */
    struct contender       *contenders;
};

struct series_options {
    bool   peers;
    bool   quick;
    int    workers; /* 0: as the bench's row says */
    int    reps;
    double timeout_s; /* for one repetition of one implementation */
};

/* Runs the benchmark.  Returns false when Fever's side failed.  Free with measurement_free(). */
bool measurement_run(const struct bench_row *bench, const struct series_options *options, struct measurement *m_out);
void measurement_free(struct measurement *m);
/* The series of that figure, or NULL when the contender has none. */
const struct series *contender_series(const struct contender *c, const struct figure_row *figure);

struct run_facts {
    const char *commit;
    char        machine[200];
};
void run_facts_collect(struct run_facts *facts_out);

void report_json(FILE *stream, const struct measurement *m, const struct run_facts *facts);
void report_table(FILE *stream, const struct measurement *m);
/* Skipped and failed contenders, a line each. */
void report_absent(FILE *stream, const struct measurement *m);
/* All measurements as bars; returns 0 or -1 with errno. */
int plot_write(const char *path, const struct measurement *ms, int n, const struct run_facts *facts);

#endif /* FEVER_BENCH_SERIES_H */
