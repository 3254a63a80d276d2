/* report.c: measurements as a table for people, or as JSON, one object per line and figure. */
#include "series.h"

#include "bench/commit.h"

#include <sched.h>
#include <string.h>
#include <sys/utsname.h>

void run_facts_collect(struct run_facts *facts_out) {
    char           line[300], model[100] = "unknown CPU";
    cpu_set_t      cpus;
    struct utsname kernel = {.release = "?"};
    FILE          *f = fopen("/proc/cpuinfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "model name : %99[^\n]", model) == 1)
            break;
    if (f != NULL)
        fclose(f);
    int n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 0;
    uname(&kernel);
    facts_out->commit = FEVER_BENCH_COMMIT;
    snprintf(facts_out->machine, sizeof facts_out->machine, "%s, %d CPU%s, Linux %.40s", model, n, n == 1 ? "" : "s", kernel.release);
}

static void put_json_string(FILE *stream, const char *text) {
    putc('"', stream);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(stream, "\\%c", *p);
        else if (*p < 0x20)
            fprintf(stream, "\\u%04x", *p);
        else
            putc(*p, stream);
    }
    putc('"', stream);
}

static void put_json_field(FILE *stream, const char *key, const char *text) {
    fprintf(stream, ", \"%s\": ", key);
    put_json_string(stream, text);
}

void report_json(FILE *stream, const struct measurement *m, const struct run_facts *facts) {
    for (int i = 0; i < m->n_contenders; i++) {
        const struct contender *c = &m->contenders[i];
        for (int k = 0; k < c->n_figures; k++) {
            const struct series *s = &c->figures[k];
            fprintf(stream, "{\"bench\": \"%s\"", s->figure->name);
            put_json_field(stream, "impl", c->impl->name);
            put_json_field(stream, "unit", s->figure->unit);
            fprintf(stream, ", \"n\": %d, \"min\": %.6g, \"median\": %.6g, \"max\": %.6g, \"workers\": %d", s->n, s->min, s->median,
                    s->max, m->workers);
            put_json_field(stream, "commit", facts->commit);
            put_json_field(stream, "machine", facts->machine);
            if (c->note[0] != '\0')
                put_json_field(stream, "note", c->note);
            fprintf(stream, "}\n");
        }
    }
    fflush(stream);
}

void report_absent(FILE *stream, const struct measurement *m) {
    for (int i = 0; i < m->n_contenders; i++) {
        const struct contender *c = &m->contenders[i];
        if (c->outcome != OUTCOME_OK)
            fprintf(stream, "%s: %s %s: %s\n", m->bench->name, c->impl->name,
                    c->outcome == OUTCOME_SKIPPED ? "skipped" : "FAILED", c->reason);
    }
    fflush(stream);
}

/* Three significant digits, and not in exponents. */
static const char *number(double v, char out[32]) {
    double a = v < 0 ? -v : v;
    snprintf(out, 32, "%.*f", a >= 100 ? 0 : a >= 10 ? 1 : a >= 1 ? 2 : a >= 0.1 ? 3 : 4, v);
    return out;
}

static void print_figure(FILE *stream, const struct measurement *m, const struct figure_row *figure) {
    const struct series *ours = contender_series(&m->contenders[0], figure);
    fprintf(stream, "  %-18s %10s %10s %10s %4s %12s\n", figure->text[0] != '\0' ? figure->text : "", "median", "min", "max", "n",
            m->n_contenders > 1 ? "fever/peer" : "");
    for (int i = 0; i < m->n_contenders; i++) {
        const struct contender *c = &m->contenders[i];
        const struct series    *s = contender_series(c, figure);
        char                    median[32], min[32], max[32], ratio[32] = "";
        if (s == NULL || s->n == 0)
            continue;
        bool comparable = ours != NULL && ours->n > 0 && i > 0 && s->median > 0;
        if (comparable)
            number(ours->median / s->median, ratio);
        bool better = comparable && (ours->median > s->median) == figure->higher;
        fprintf(stream, "  %-18s %10s %10s %10s %4d %12s%s%s%s\n", c->impl->name, number(s->median, median), number(s->min, min),
                number(s->max, max), s->n, ratio, comparable ? (better ? "  better" : "  worse") : "", c->note[0] != '\0' ? "  " : "",
                c->note);
    }
}

void report_table(FILE *stream, const struct measurement *m) {
    bool titled = false;
    for (const struct figure_row *figure = figure_rows; figure->name != NULL; figure++) {
        if (strcmp(figure->bench, m->bench->name) != 0)
            continue;
        if (!titled)
            fprintf(stream, "\n%s: %s\n  in %s, %s is better; %d worker%s\n", m->bench->name, m->bench->text, figure->unit,
                    figure->higher ? "higher" : "lower", m->workers, m->workers == 1 ? "" : "s");
        titled = true;
        print_figure(stream, m, figure);
    }
    for (int i = 0; i < m->n_contenders; i++) {
        const struct contender *c = &m->contenders[i];
        if (c->outcome != OUTCOME_OK)
            fprintf(stream, "  %-18s %s: %s\n", c->impl->name, c->outcome == OUTCOME_SKIPPED ? "skipped" : "FAILED", c->reason);
    }
    fflush(stream);
}
