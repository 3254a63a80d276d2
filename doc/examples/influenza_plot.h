/* influenza_plot.h: the picture that the influenza example ends with. */
#ifndef INFLUENZA_PLOT_H
#define INFLUENZA_PLOT_H

#include <stddef.h>

struct plot_mark {
    double beta, gamma;
    int    kind;                    /* index into kinds[] */
};

struct plot {
    const char   *fit_text, *sweep_text;    /* the headings of the two panels */
    const double *counts;                   /* boys in bed on days 1 .. n_counts */
    size_t        n_counts;
    const double *curve;                    /* the fit, curve_per_day values a day from day 0 on */
    size_t        n_curve, curve_per_day;
    const double *misfit;                   /* [n_gamma][n_beta], NAN where the task failed */
    size_t        n_beta, n_gamma;
    double        beta_lo, beta_hi, gamma_lo, gamma_hi;
    double        best_beta, best_gamma, best_misfit;
    const struct plot_mark *marks;          /* the tasks that failed */
    size_t        n_marks;
    const char   *kinds[4];                 /* by what */
    size_t        n_kinds;
};

/* plot_write: writes the picture as SVG.  Returns 0, or -1 with errno set. */
int plot_write(const char *path, const struct plot *plot);

#endif
