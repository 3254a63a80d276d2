/* plot.c: measurements as an SVG: a panel per figure, a bar per implementation, a whisker from the
 * smallest to the largest value.
 */
#include "series.h"

#include <errno.h>
#include <string.h>

#define WIDTH  860
#define LEFT   150 /* names */
#define RIGHT  110 /* numbers */
#define BAR    18
#define HEAD   42
#define GAP    22

static void put_text(FILE *f, const char *text) {
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '<')
            fputs("&lt;", f);
        else if (*p == '>')
            fputs("&gt;", f);
        else if (*p == '&')
            fputs("&amp;", f);
        else
            putc(*p, f);
    }
}

static int count_bars(const struct measurement *m, const struct figure_row *figure) {
    int n = 0;
    for (int i = 0; i < m->n_contenders; i++)
        n += contender_series(&m->contenders[i], figure) != NULL;
    return n;
}

static int panel_height(const struct measurement *m, const struct figure_row *figure) {
    int n = count_bars(m, figure);
    return n == 0 ? 0 : HEAD + n * BAR + GAP;
}

static void plot_panel(FILE *f, const struct measurement *m, const struct figure_row *figure, int y) {
    double largest = 0;
    for (int i = 0; i < m->n_contenders; i++) {
        const struct series *s = contender_series(&m->contenders[i], figure);
        if (s != NULL && s->max > largest)
            largest = s->max;
    }
    double scale = largest > 0 ? (WIDTH - LEFT - RIGHT) / largest : 0;
    fprintf(f, "<text x=\"10\" y=\"%d\" class=\"h\">%s, %s (%s is better; %d worker%s)</text>\n<text x=\"10\" y=\"%d\" class=\"s\">", y + 16,
            figure->name, figure->unit, figure->higher ? "higher" : "lower", m->workers, m->workers == 1 ? "" : "s", y + 32);
    put_text(f, m->bench->text);
    if (figure->text[0] != '\0') {
        fputs("; ", f);
        put_text(f, figure->text);
    }
    fputs("</text>\n", f);
    y += HEAD;
    for (int i = 0; i < m->n_contenders; i++) {
        const struct contender *c = &m->contenders[i];
        const struct series    *s = contender_series(c, figure);
        if (s == NULL)
            continue;
        double middle = y + BAR / 2.0;
        fprintf(f, "<text x=\"%d\" y=\"%d\" class=\"n\">%s</text>\n", LEFT - 6, y + 13, c->impl->name);
        fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" class=\"%s\"/>\n", LEFT, y + 2, s->median * scale, BAR - 4,
                i == 0 ? "f" : "p");
        fprintf(f, "<path d=\"M%.1f %.1fH%.1f\" class=\"w\"/>\n", LEFT + s->min * scale, middle, LEFT + s->max * scale);
        fprintf(f, "<text x=\"%.1f\" y=\"%d\">%.*g</text>\n", LEFT + s->max * scale + 6, y + 13, s->median >= 1000 ? 6 : 3, s->median);
        y += BAR;
    }
}

int plot_write(const char *path, const struct measurement *ms, int n, const struct run_facts *facts) {
    int height = 40;
    for (int i = 0; i < n; i++)
        for (const struct figure_row *figure = figure_rows; figure->name != NULL; figure++)
            if (strcmp(figure->bench, ms[i].bench->name) == 0)
                height += panel_height(&ms[i], figure);
    FILE *f = fopen(path, "we");
    if (f == NULL)
        return -1;
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<style>.h{font-weight:bold;font-size:14px}.s{fill:#555}.n{text-anchor:end}.f{fill:#c0392b}.p{fill:#8fa3b5}"
            ".w{stroke:#222;stroke-width:1.5}</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            WIDTH, height);
    fputs("<text x=\"10\" y=\"22\" class=\"s\">", f);
    put_text(f, facts->machine);
    fprintf(f, "; commit %s; bars: medians; lines: smallest to largest</text>\n", facts->commit);
    int y = 36;
    for (int i = 0; i < n; i++)
        for (const struct figure_row *figure = figure_rows; figure->name != NULL; figure++)
            if (strcmp(figure->bench, ms[i].bench->name) == 0 && panel_height(&ms[i], figure) > 0) {
                plot_panel(f, &ms[i], figure, y);
                y += panel_height(&ms[i], figure);
            }
    fputs("</svg>\n", f);
    int failed = ferror(f);
    return fclose(f) != 0 || failed ? -1 : 0;
}
