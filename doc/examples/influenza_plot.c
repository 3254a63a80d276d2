/* influenza_plot.c: two panels as SVG: the counts with the fitted curve, and the whole sweep as a map of
 * the misfit on which the tasks that failed are marked.  Knows nothing of Fever. */
#include "influenza_plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

/* A panel: where it lies on the page, and the ranges of its axes. */
struct panel {
    double left, top, width, height;
    double x_lo, x_hi, y_lo, y_hi;
};

static double panel_x(const struct panel *p, double x) { return p->left + (x - p->x_lo) / (p->x_hi - p->x_lo) * p->width; }
static double panel_y(const struct panel *p, double y)
{
    return p->top + p->height - (y - p->y_lo) / (p->y_hi - p->y_lo) * p->height;
}

/* ticks each step, labelled with so many decimals */
static void draw_axes(FILE *f, const struct panel *p, double x_step, double y_step, int decimals, bool grid, const char *title,
                      const char *x_label, const char *y_label)
{
    for (double x = round(p->x_lo / x_step + 0.499) * x_step; x <= p->x_hi + 1e-9; x += x_step) {
        fprintf(f, "<line class='tick' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", panel_x(p, x), panel_x(p, x),
                p->top + p->height, p->top + p->height + 5);
        fprintf(f, "<text x='%.1f' y='%.1f' text-anchor='middle'>%.*f</text>\n", panel_x(p, x), p->top + p->height + 19, decimals, x);
    }
    for (double y = round(p->y_lo / y_step + 0.499) * y_step; y <= p->y_hi + 1e-9; y += y_step) {
        if (grid)
            fprintf(f, "<line class='grid' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", p->left, p->left + p->width,
                    panel_y(p, y), panel_y(p, y));
        fprintf(f, "<line class='tick' x1='%.1f' x2='%.1f' y1='%.1f' y2='%.1f'/>", p->left - 5, p->left, panel_y(p, y),
                panel_y(p, y));
        fprintf(f, "<text x='%.1f' y='%.1f' text-anchor='end'>%.*f</text>\n", p->left - 9, panel_y(p, y) + 4, decimals, y);
    }
    fprintf(f, "<rect class='frame' x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>\n", p->left, p->top, p->width, p->height);
    fprintf(f, "<text class='title' x='%.1f' y='%.1f'>%s</text>\n", p->left, p->top - 14, title);
    fprintf(f, "<text x='%.1f' y='%.1f' text-anchor='middle'>%s</text>\n", p->left + p->width / 2,
            p->top + p->height + 42, x_label);
    fprintf(f, "<text transform='translate(%.1f,%.1f) rotate(-90)' text-anchor='middle'>%s</text>\n", p->left - 46,
            p->top + p->height / 2, y_label);
}

static void draw_fit(FILE *f, const struct plot *plot)
{
    double       high = 0;
    struct panel p = {70, 56, 470, 330, 0, (double)plot->n_counts + 0.5, 0, 0};

    for (size_t i = 0; i < plot->n_counts; i++)
        high = fmax(high, plot->counts[i]);
    p.y_hi = 50 * ceil(1.1 * high / 50);
    draw_axes(f, &p, 2, 50, 0, true, plot->fit_text, "day", "boys in bed");

    fprintf(f, "<path class='curve' d='");
    for (size_t i = 0; i < plot->n_curve; i++)
        fprintf(f, "%c%.1f,%.1f ", i == 0 ? 'M' : 'L', panel_x(&p, (double)i / (double)plot->curve_per_day),
                panel_y(&p, plot->curve[i]));
    fprintf(f, "'/>\n");
    for (size_t i = 0; i < plot->n_counts; i++)
        fprintf(f, "<circle class='count' cx='%.1f' cy='%.1f' r='4.5'/>", panel_x(&p, (double)i + 1),
                panel_y(&p, plot->counts[i]));

    double x = p.left + p.width - 150, y = p.top + 24;
    fprintf(f, "\n<circle class='count' cx='%.1f' cy='%.1f' r='4.5'/><text x='%.1f' y='%.1f'>counted in 1978</text>\n", x, y,
            x + 22, y + 4);
    fprintf(f, "<path class='curve' d='M%.1f,%.1f h26'/><text x='%.1f' y='%.1f'>SIR model, fitted</text>\n", x - 13, y + 22,
            x + 22, y + 26);
}

/* The map's bands: misfit up to so many times the best, and the colour. */
static const struct { double times; const char *colour, *text; } bands[] = {
    {1.5, "#08306b", "1.5"}, {3, "#08519c", "3"},    {6, "#2171b5", "6"},   {12, "#4292c6", "12"},
    {25, "#6baed6", "25"},   {50, "#9ecae1", "50"},  {100, "#c6dbef", "100"}, {INFINITY, "#e9f1fa", "more"},
};
#define N_BANDS (sizeof bands / sizeof *bands)

static size_t band_of(double times)
{
    size_t b = 0;
    while (b < N_BANDS - 1 && times > bands[b].times)
        b++;
    return b;
}

/* a mark of 8 x 8 around (x, y) */
static void draw_mark(FILE *f, int kind, double x, double y)
{
    static const char *const shapes[] = {
        "m0,-4.5 l4.5,8 h-9 z",
        "m-3.5,-3.5 h7 v7 h-7 z",
        "m-3.5,-3.5 l7,7 m0,-7 l-7,7",
        "m0,-5 l5,5 l-5,5 l-5,-5 z",
    };
    fprintf(f, "<path class='k%d' d='M%.1f,%.1f %s'/>\n", kind & 3, x, y, shapes[kind & 3]);
}

static void draw_sweep(FILE *f, const struct plot *plot)
{
    struct panel p = {640, 56, 400, 330, plot->beta_lo, plot->beta_hi, plot->gamma_lo, plot->gamma_hi};
    double       dx = p.width / (double)plot->n_beta, dy = p.height / (double)plot->n_gamma;

    for (size_t g = 0; g < plot->n_gamma; g++) {        /* each row as runs of one band */
        const double *row = plot->misfit + g * plot->n_beta;
        size_t        from = 0, band = N_BANDS - 1;
        for (size_t b = 0; b <= plot->n_beta; b++) {
            size_t here = b == plot->n_beta ? N_BANDS : isnan(row[b]) ? band : band_of(row[b] / plot->best_misfit);
            if (b != 0 && here != band) {
                fprintf(f, "<rect class='cell' x='%.1f' y='%.2f' width='%.1f' height='%.2f' fill='%s'/>\n", p.left + (double)from * dx,
                        p.top + p.height - (double)(g + 1) * dy, (double)(b - from) * dx + 0.1, dy + 0.3, bands[band].colour);
                from = b;
            }
            band = here;
        }
    }
    for (size_t i = 0; i < plot->n_marks; i++)
        draw_mark(f, plot->marks[i].kind, panel_x(&p, plot->marks[i].beta), panel_y(&p, plot->marks[i].gamma));
    fprintf(f, "<circle class='best' cx='%.1f' cy='%.1f' r='5'/>\n", panel_x(&p, plot->best_beta), panel_y(&p, plot->best_gamma));
    draw_axes(f, &p, 0.5, 0.2, 1, false, plot->sweep_text, "&#946; (infections per day)", "&#947; (recoveries per day)");

    double x = p.left + p.width + 24, y = p.top + 8;
    fprintf(f, "<text x='%.1f' y='%.1f'>misfit, times best</text>\n", x - 6, y);
    for (size_t b = 0; b < N_BANDS; b++) {
        y += 19;
        fprintf(f, "<rect x='%.1f' y='%.1f' width='18' height='19' fill='%s'/><text x='%.1f' y='%.1f'>%s%s</text>\n", x - 6, y - 7,
                bands[b].colour, x + 20, y + 7, b == N_BANDS - 1 ? "" : "&#8804; ", bands[b].text);
    }
    y += 44;
    fprintf(f, "<circle class='best' cx='%.1f' cy='%.1f' r='5'/><text x='%.1f' y='%.1f'>best fit</text>\n", x, y - 4, x + 14, y);
    for (size_t k = 0; k < plot->n_kinds; k++) {
        y += 22;
        draw_mark(f, (int)k, x, y - 4);
        fprintf(f, "<text x='%.1f' y='%.1f'>%s</text>\n", x + 14, y, plot->kinds[k]);
    }
}

int plot_write(const char *path, const struct plot *plot)
{
    FILE *f = fopen(path, "w");

    if (f == NULL)
        return -1;
    fprintf(f, "<svg xmlns='http://www.w3.org/2000/svg' width='1200' height='450' viewBox='0 0 1200 450'>\n"
               "<style>text{font:13px sans-serif;fill:#222} .title{font-weight:bold}\n"
               ".cell{shape-rendering:crispEdges} .frame{fill:none;stroke:#222} .tick{stroke:#222} .grid{stroke:#e4e4e4}\n"
               ".curve{fill:none;stroke:#c0392b;stroke-width:2.5} .count{fill:#1f4e8c;stroke:#fff}\n"
               ".best{fill:#fff;stroke:#c0392b;stroke-width:3}\n"
               ".k0{fill:#f39c12;stroke:#222;stroke-width:.6} .k1{fill:#c0392b;stroke:#222;stroke-width:.6}\n"
               ".k2{fill:none;stroke:#6c1b8f;stroke-width:2} .k3{fill:#888;stroke:#222;stroke-width:.6}</style>\n"
               "<rect width='1200' height='450' fill='#fff'/>\n");
    draw_fit(f, plot);
    draw_sweep(f, plot);
    fprintf(f, "</svg>\n");
    int bad = ferror(f);
    return fclose(f) != 0 || bad ? -1 : 0;
}
