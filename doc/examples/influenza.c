/* influenza.c: calibrates an epidemic model with a solver that nobody dares to touch.
 *
 * In January 1978 influenza went through an English boarding school of 763 boys; the British Medical
 * Journal printed how many were in bed each day (4 March 1978, p. 587).  We look for the rates of infection
 * (beta) and recovery (gamma) of the SIR model S' = -beta S I / N, I' = beta S I / N - gamma I that fit these counts
 * best, one boy being ill the day before the first count.
 *
 * The solver is of the old school (oldsolver.c): not thread-safe, not reentrant, and for some of the
 * parameters it divides by zero, overruns its array, or never ends.  Each parameter set is a task, so
 * that it runs in a process of its own, on every core, and what goes wrong costs just that parameter set.
 *
 *   1. sweep    a grid of parameter sets, each a task with a time limit; the counts are one object, which
 *               every task reads where it lies
 *   2. refine   a task that submits tasks, picks the best, and submits itself on a smaller box there
 *   3. compare  the same parameter sets one after the other in this process, where that is possible
 */
#define _GNU_SOURCE 1           /* sigabbrev_np */
#include <fever.h>

#include "influenza_plot.h"
#include "oldsolver.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define N_DAYS   14
#define TIMEOUT  0.1            /* seconds; a good parameter set takes a thousand times less */
#define WINDOW   4096           /* refs held at a time by the sweep */

struct counts {
    double boys;                /* in the school */
    double ill;                 /* on the day before the first count */
    double in_bed[N_DAYS];
};

static const struct counts school = {763, 1, {3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4}};

/* what the literature says */
static const struct { const char *who; double beta, gamma; } literature[] = {
    {"Murray, Mathematical Biology (1989)", 2.18e-3 * 763, 0.4404},
    {"Keeling & Rohani, Modeling Infectious Diseases (2008)", 1.66, 1 / 2.2},
};
#define R0_LITERATURE 3.7
#define R0_TOLERANCE  0.3

/* ---- what runs in the workers --------------------------------------------------------------------- */

struct fit {
    double beta, gamma;
    double misfit;              /* sum over the days of (model - counted)^2 */
};

/* the old solver on one parameter set; anything can happen here */
static double solve(const struct counts *counts, double beta, double gamma)
{
    double model[N_DAYS], sum = 0;

    sirsol(&beta, &gamma, &counts->boys, &counts->ill, &(int){N_DAYS}, model);
    for (int day = 0; day < N_DAYS; day++)
        sum += (model[day] - counts->in_bed[day]) * (model[day] - counts->in_bed[day]);
    return sum;
}

FEVER_TASK(double, misfit, (fever_ref, counts), (double, beta), (double, gamma))
{
    const struct counts *c;
    size_t               bytes;
    int                  rc = fever_view(counts, &c, &bytes);

    if (rc < 0) {
        fever_fail(-rc, "no counts: %s", fever_strerror(rc));
        return NAN;
    }
    return solve(c, beta, gamma);
}

/* The best parameter set in the box around a centre: N_ZOOM x N_ZOOM tasks, then the same again, as a task,
 * in a smaller box around the best of them. */
#define N_ZOOM 11

FEVER_TASK(struct fit, zoom, (fever_ref, counts), (struct fit, centre), (double, half_beta), (double, half_gamma), (int, levels))
{
    const int  n = N_ZOOM * N_ZOOM, half = N_ZOOM / 2;
    fever_ref  refs[N_ZOOM * N_ZOOM];
    struct fit fits[N_ZOOM * N_ZOOM], best = centre;
    double     misfits[N_ZOOM * N_ZOOM];

    for (int i = 0; i < n; i++) {
        fits[i].beta = centre.beta + half_beta * (i % N_ZOOM - half) / half;
        fits[i].gamma = centre.gamma + half_gamma * (i / N_ZOOM - half) / half;
        refs[i] = misfit_remote(counts, fits[i].beta, fits[i].gamma);
    }
    int rc = fever_get_many(refs, n, misfits, FEVER_FOREVER);
    for (int i = 0; i < n; i++) {
        fever_release(refs[i]);
        if (rc >= 0 && misfits[i] <= best.misfit)
            best = (struct fit){fits[i].beta, fits[i].gamma, misfits[i]};
    }
    if (rc >= 0 && levels > 1)
        rc = fever_take(zoom_remote(counts, best, half_beta * 2 / half, half_gamma * 2 / half, levels - 1), &best);
    if (rc < 0)
        fever_fail(-rc, "level %d: %s", levels, fever_strerror(rc));
    return best;
}

/* ---- small things --------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void must(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "influenza: %s: %s (%s)\n", what, fever_strerror(rc), fever_strerrorname(rc));
        exit(2);
    }
}

static void *must_alloc(size_t n, size_t bytes)
{
    void *memory = calloc(n, bytes);
    if (memory == NULL)
        must(-ENOMEM, "memory");
    return memory;
}

/* 108000 as "108,000"; good until four calls later */
static const char *thousands(double number)
{
    static char texts[4][32];
    static int  turn;
    char        digits[24], *to = texts[turn++ % 4], *start = to;
    int         n = snprintf(digits, sizeof digits, "%.0f", number);

    for (int i = 0; i < n; i++) {
        if (i != 0 && (n - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return start;
}

struct progress {
    const char *what;
    size_t      total;
    double      begin, shown;   /* when */
    int         tenths;         /* said so far, where standard error is not a terminal */
    bool        terminal;
};

static void progress_show(struct progress *p, size_t done, size_t failed)
{
    static const char bar[] = "##############################";
    const int         width = sizeof bar - 1, filled = (int)((size_t)width * done / p->total);
    double            now = seconds(), rate = (double)done / (now - p->begin + 1e-9);

    if (p->terminal) {
        if (now - p->shown < 0.05 && done < p->total)
            return;
        fprintf(stderr, "\r%s [%.*s%*s] %3.0f %%  %s tasks  %s/s  %zu failed %s", p->what, filled, bar, width - filled, "",
                100.0 * (double)done / (double)p->total, thousands((double)done), thousands(rate), failed,
                done == p->total ? "\n" : "");
        p->shown = now;
    } else if ((int)(10 * done / p->total) > p->tenths) {
        p->tenths = (int)(10 * done / p->total);
        fprintf(stderr, "%s %3d %%  %s tasks  %s/s  %zu failed\n", p->what, 10 * p->tenths, thousands((double)done),
                thousands(rate), failed);
    }
}

/* ---- 1. sweep ------------------------------------------------------------------------------------- */

struct failure {
    size_t             set;     /* which parameter set */
    struct fever_error error;
};

struct sweep {
    size_t          n_beta, n_gamma, n;
    double          beta_lo, beta_hi, gamma_lo, gamma_hi;
    double         *misfit;     /* [n], NAN where the task failed */
    struct fit      best;
    struct failure *failures;
    size_t          n_failures, room;
    double          seconds;
};

static double sweep_beta(const struct sweep *s, size_t set)
{
    return s->beta_lo + (s->beta_hi - s->beta_lo) * (double)(set % s->n_beta) / (double)(s->n_beta - 1);
}

static double sweep_gamma(const struct sweep *s, size_t set)
{
    return s->gamma_lo + (s->gamma_hi - s->gamma_lo) * (double)(set / s->n_beta) / (double)(s->n_gamma - 1);
}

static void sweep_failed(struct sweep *s, size_t set, fever_ref ref)
{
    if (s->n_failures == s->room) {
        s->room = 2 * s->room + 64;
        s->failures = realloc(s->failures, s->room * sizeof *s->failures);
        if (s->failures == NULL)
            must(-ENOMEM, "memory");
    }
    struct failure *failure = &s->failures[s->n_failures++];
    failure->set = set;
    must(fever_error(ref, &failure->error), "asking why a task failed");
    s->misfit[set] = NAN;
}

static void sweep_run(struct sweep *s, fever_ref counts)
{
    fever_ref       window[WINDOW];
    struct progress progress = {.what = "sweep", .total = s->n, .begin = seconds(), .terminal = isatty(STDERR_FILENO)};

    s->best.misfit = INFINITY;
    for (size_t next = 0, done = 0; done < s->n;) {
        if (next < s->n && next < done + WINDOW) {
            window[next % WINDOW] = misfit_with(FEVER_WITH(.timeout_s = TIMEOUT, .max_retries = FEVER_NO_RETRY), counts,
                                                sweep_beta(s, next), sweep_gamma(s, next));
            next++;
            continue;
        }
        fever_ref ref = window[done % WINDOW];
        int       rc = fever_get(ref, &s->misfit[done]);
        if (rc == -FEVER_ECRASHED || rc == -FEVER_ETASKTIMEOUT || rc == -FEVER_EAPP)
            sweep_failed(s, done, ref);
        else
            must(rc, "sweep");
        fever_release(ref);
        if (s->misfit[done] < s->best.misfit)
            s->best = (struct fit){sweep_beta(s, done), sweep_gamma(s, done), s->misfit[done]};
        progress_show(&progress, ++done, s->n_failures);
    }
    s->seconds = seconds() - progress.begin;
}

/* ---- the table of failures ------------------------------------------------------------------------ */

static bool same_cause(const struct fever_error *a, const struct fever_error *b)
{
    return a->code == b->code && a->signal == b->signal && a->exit_status == b->exit_status && a->app_code == b->app_code;
}

static const char *cause_text(const struct fever_error *e, char *text, size_t size)
{
    const char *name = sigabbrev_np(e->signal);

    if (e->code == FEVER_ETASKTIMEOUT)
        snprintf(text, size, "over %g ms (killed at its time limit)", 1e3 * TIMEOUT);
    else if (e->code == FEVER_EAPP)
        snprintf(text, size, "%.*s", (int)size - 1, e->text);
    else if (e->signal != 0)
        snprintf(text, size, "SIG%s (%s)", name != NULL ? name : "?", strsignal(e->signal));
    else
        snprintf(text, size, "exit status %d", e->exit_status);
    return text;
}

/* Prints the failures by cause, and fills marks and kinds of the plot. */
static void failures_report(const struct sweep *s, struct plot_mark *marks, struct plot *plot)
{
    static char names[4][64], labels[4][32];
    size_t      n_kinds = 0, n_of[4] = {0}, first[4];

    for (size_t i = 0; i < s->n_failures; i++) {
        size_t k = 0;
        while (k < n_kinds && !same_cause(&s->failures[i].error, &s->failures[first[k]].error))
            k++;
        if (k == n_kinds && n_kinds < 4) {
            first[n_kinds] = i;
            cause_text(&s->failures[i].error, names[n_kinds++], sizeof names[0]);
        }
        if (k == 4)
            k = 3;              /* more than four causes: the rest counts with the fourth */
        n_of[k]++;
        marks[i] = (struct plot_mark){sweep_beta(s, s->failures[i].set), sweep_gamma(s, s->failures[i].set), (int)k};
    }
    printf("\nTasks that failed: %s of %s\n", thousands((double)s->n_failures), thousands((double)s->n));
    if (n_kinds != 0)
        printf("  %5s  %-38s %8s %8s  %-7s  %s\n", "tasks", "cause", "beta", "gamma", "attempt", "fault at");
    for (size_t k = 0; k < n_kinds; k++) {
        const struct failure *f = &s->failures[first[k]];
        char                  address[32] = "-";
        if (f->error.fault_address != 0)
            snprintf(address, sizeof address, "%#llx", (unsigned long long)f->error.fault_address);
        printf("  %5zu  %-38s %8.4f %8.4f  %-7u  %s\n", n_of[k], names[k], sweep_beta(s, f->set), sweep_gamma(s, f->set),
               f->error.attempt, address);
        snprintf(labels[k], sizeof labels[k], "%zu %.*s", n_of[k], (int)strcspn(names[k], "("), names[k]);
        plot->kinds[k] = labels[k];
    }
    if (n_kinds != 0)
        printf("  (beta, gamma, attempt and address are those of the first of each)\n");
    plot->n_kinds = n_kinds;
    plot->marks = marks;
    plot->n_marks = s->n_failures;
}

/* ---- 3. compare ----------------------------------------------------------------------------------- */

/* Seconds that all good parameter sets would take one after the other in this process: up to n_sample of
 * them, evenly spread, are run and timed.  The others would end this process, or never end. */
static double serial_seconds(const struct sweep *s, size_t n_sample, size_t *n_run_out, size_t *n_differ_out)
{
    size_t n_good = s->n - s->n_failures, every = n_good / n_sample + 1, n_run = 0, n_differ = 0, good = 0;
    double begin = seconds();

    for (size_t set = 0; set < s->n; set++) {
        if (isnan(s->misfit[set]) || good++ % every != 0)
            continue;
        n_differ += solve(&school, sweep_beta(s, set), sweep_gamma(s, set)) != s->misfit[set];
        n_run++;
    }
    *n_run_out = n_run;
    *n_differ_out = n_differ;
    return (seconds() - begin) * (double)n_good / (double)n_run;
}

/* ---- report --------------------------------------------------------------------------------------- */

static void fit_report(const struct fit *fit, size_t n_refine, double refine_seconds)
{
    double mean = 0, total = 0;

    for (int day = 0; day < N_DAYS; day++)
        mean += school.in_bed[day] / N_DAYS;
    for (int day = 0; day < N_DAYS; day++)
        total += (school.in_bed[day] - mean) * (school.in_bed[day] - mean);
    printf("\nFit (refined by %s nested tasks in %.2f s)\n", thousands((double)n_refine), refine_seconds);
    printf("  %-55s %7s %7s %7s\n", "", "beta", "gamma", "R0");
    printf("  %-55s %7.4f %7.4f %7.3f\n", "this run", fit->beta, fit->gamma, fit->beta / fit->gamma);
    for (size_t i = 0; i < sizeof literature / sizeof *literature; i++)
        printf("  %-55s %7.4f %7.4f %7.3f\n", literature[i].who, literature[i].beta, literature[i].gamma,
               literature[i].beta / literature[i].gamma);
    printf("  misfit %.1f, that is %.1f boys a day (root mean square), R^2 = %.4f\n", fit->misfit, sqrt(fit->misfit / N_DAYS),
           1 - fit->misfit / total);
}

static void speed_report(const struct sweep *s, uint64_t workers, size_t n_sample)
{
    size_t n_run, n_differ;
    double serial = serial_seconds(s, n_sample, &n_run, &n_differ);
    size_t n_good = s->n - s->n_failures;

    printf("\nSpeed\n");
    printf("  sweep, %llu workers     %7.2f s   %s tasks/s, the failed ones included\n", (unsigned long long)workers, s->seconds,
           thousands((double)s->n / s->seconds));
    printf("  the same serially     %7.2f s   %.1f us each; %s, and only the %s good sets\n", serial, 1e6 * serial / (double)n_good,
           n_run == n_good ? "all measured" : "projected", thousands((double)n_good));
    if (n_run != n_good)
        printf("                                    (%s of them, evenly spread, were run and timed in this process)\n",
               thousands((double)n_run));
    printf("  ratio                 %7.2f\n", serial / s->seconds);
    if (s->n_failures != 0)
        printf("  A serial program would have ended, or hung, at parameter set %s.\n", thousands((double)s->failures[0].set + 1));
    if (n_differ != 0)
        printf("  %zu of the serial results differ from those of the tasks\n", n_differ);
}

/* the fitted curve, for the plot: the model with a fourth-order method of our own */
static void curve_fill(const struct fit *fit, double *curve, size_t n, size_t per_day)
{
    const int n_steps = 20;
    double    h = 1.0 / ((double)per_day * n_steps), s = school.boys - school.ill, i = school.ill, ks[5] = {0}, ki[5] = {0};

    for (size_t at = 0; at < n; at++) {
        curve[at] = i;
        for (int step = 0; step < n_steps; step++) {
            static const double part[5] = {0, 0, 0.5, 0.5, 1};
            for (int k = 1; k <= 4; k++) {
                double sk = s + h * part[k] * ks[k - 1], ik = i + h * part[k] * ki[k - 1];
                ks[k] = -fit->beta * sk * ik / school.boys;
                ki[k] = -ks[k] - fit->gamma * ik;
            }
            s += h / 6 * (ks[1] + 2 * ks[2] + 2 * ks[3] + ks[4]);
            i += h / 6 * (ki[1] + 2 * ki[2] + 2 * ki[3] + ki[4]);
        }
    }
}

static int usage(FILE *stream, int status)
{
    fprintf(stream, "usage: influenza [--quick] [--workers N] [--svg FILE]\n"
                    "  --quick      2,000 parameter sets instead of 108,000\n"
                    "  --workers N  worker processes [one a CPU]\n"
                    "  --svg FILE   where the plot goes [influenza.svg]\n");
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"quick", no_argument, NULL, 'q'}, {"workers", required_argument, NULL, 'w'},
        {"svg", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct sweep sweep = {.n_beta = 400, .n_gamma = 270, .beta_lo = 0.4, .beta_hi = 3.6, .gamma_lo = 0.2, .gamma_hi = 1.2};
    const char  *svg = "influenza.svg";
    int          workers = 0, levels = 5;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        char *end = optarg;
        switch (option) {
        case 'q': sweep.n_beta = 50; sweep.n_gamma = 40; break;
        case 'w':
            workers = (int)strtol(optarg, &end, 10);
            if (*end != '\0' || workers < 1 || workers > 4000)
                return usage(stderr, 2);
            break;
        case 's': svg = optarg; break;
        case 'h': return usage(stdout, 0);
        default: return usage(stderr, 2);
        }
    }
    if (optind != argc)
        return usage(stderr, 2);

    must(fever_init(FEVER_OPTIONS(.workers = workers, .name = "influenza")), "fever_init");
    struct fever_stats stats = {.struct_bytes = sizeof stats};
    must(fever_stats(&stats), "fever_stats");
    sweep.n = sweep.n_beta * sweep.n_gamma;
    sweep.misfit = must_alloc(sweep.n, sizeof *sweep.misfit);
    printf("Influenza in a boarding school, 1978: %s parameter sets, each a task, on %llu workers\n", thousands((double)sweep.n),
           (unsigned long long)stats.workers);
    fflush(stdout);
    uint64_t n_workers = stats.workers;

    fever_ref counts;
    must(fever_put(&school, sizeof school, &counts), "fever_put");
    sweep_run(&sweep, counts);
    if (!isfinite(sweep.best.misfit)) {
        fprintf(stderr, "influenza: every parameter set failed\n");
        return 1;
    }

    double     begin = seconds();
    struct fit fit;
    must(fever_take(zoom_remote(counts, sweep.best, 3 * (sweep.beta_hi - sweep.beta_lo) / (double)sweep.n_beta,
                                3 * (sweep.gamma_hi - sweep.gamma_lo) / (double)sweep.n_gamma, levels), &fit), "refinement");
    double refine_seconds = seconds() - begin;
    must(fever_release(counts), "fever_release");
    must(fever_stats(&stats), "fever_stats");
    must(fever_shutdown(), "fever_shutdown");

    enum { PER_DAY = 10 };
    double            curve[PER_DAY * N_DAYS + 1];
    char              fit_text[128], sweep_text[128];
    struct plot_mark *marks = must_alloc(sweep.n_failures + 1, sizeof *marks);
    struct plot       plot = {
        .fit_text = fit_text, .sweep_text = sweep_text, .counts = school.in_bed, .n_counts = N_DAYS,
        .curve = curve, .n_curve = PER_DAY * N_DAYS + 1, .curve_per_day = PER_DAY,
        .misfit = sweep.misfit, .n_beta = sweep.n_beta, .n_gamma = sweep.n_gamma,
        .beta_lo = sweep.beta_lo, .beta_hi = sweep.beta_hi, .gamma_lo = sweep.gamma_lo, .gamma_hi = sweep.gamma_hi,
        .best_beta = fit.beta, .best_gamma = fit.gamma, .best_misfit = fit.misfit};

    failures_report(&sweep, marks, &plot);
    printf("  workers that died and were replaced: %llu\n", (unsigned long long)stats.worker_deaths);
    fit_report(&fit, (size_t)levels * (N_ZOOM * N_ZOOM + 1), refine_seconds);
    speed_report(&sweep, n_workers, 10000);

    snprintf(fit_text, sizeof fit_text, "Influenza in a boarding school, 1978: R&#8320; = %.2f", fit.beta / fit.gamma);
    snprintf(sweep_text, sizeof sweep_text, "%s parameter sets, %s failed", thousands((double)sweep.n),
             thousands((double)sweep.n_failures));
    curve_fill(&fit, curve, plot.n_curve, PER_DAY);
    if (plot_write(svg, &plot) != 0) {
        fprintf(stderr, "influenza: %s: %s\n", svg, strerror(errno));
        return 1;
    }
    printf("\nPlot: %s\n", svg);
    free(marks);
    free(sweep.failures);
    free(sweep.misfit);

    double r0 = fit.beta / fit.gamma;
    if (!(fabs(r0 - R0_LITERATURE) <= R0_TOLERANCE)) {
        fprintf(stderr, "influenza: R0 = %.3f, but the literature says %.1f\n", r0, R0_LITERATURE);
        return 1;
    }
    return 0;
}
