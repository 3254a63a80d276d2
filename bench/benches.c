/* benches.c: the tables of benches.h as data. */
#include "benches.h"

#include <stddef.h>
#include <string.h>

const struct bench_row bench_rows[] = {
#define X(name, workers, peers, text) {#name, workers, peers, text},
    BENCHES(X)
#undef X
    {NULL, 0, NULL, NULL},
};

const struct figure_row figure_rows[] = {
#define X(name, bench, unit, higher, text) {#name, #bench, unit, higher, text},
    FIGURES(X)
#undef X
    {NULL, NULL, NULL, false, NULL},
};

const struct impl_row impl_rows[] = {
#define X(name, program, cure, text) {name, program, cure, text},
    IMPLS(X)
#undef X
    {NULL, NULL, NULL, NULL},
};

const struct bench_row *bench_row(const char *name) {
    for (const struct bench_row *r = bench_rows; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

const struct figure_row *figure_row(const char *name) {
    for (const struct figure_row *r = figure_rows; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

const struct impl_row *impl_row(const char *name) {
    for (const struct impl_row *r = impl_rows; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}
