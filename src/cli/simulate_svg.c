/* cli/simulate_svg.c: the plot of fever simulate.
 *
 * Run by:          the fever command.
 * Shared state:    none.
 */
#include <math.h>
#include <stdio.h>

#include "cli/simulate.h"

#define WIDTH    520 /* of a panel */
#define HEIGHT   150
#define LEFT     70
#define TOP      64
#define STEP_X   (WIDTH + 90)
#define STEP_Y   (HEIGHT + 70)
#define N_COLORS 8

static const char *const colors[N_COLORS] = {"#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb", "#dd7722"};

enum panel { NODES, DEMAND, USE, PANELS };

static const char *const titles[PANELS] = {"nodes that are up, by type", "CPUs that waiting tasks ask for", "CPUs in use, %"};

static uint64_t length_of(const struct fv_sim_result *r) { return r->n_samples == 0 ? 1 : r->samples[r->n_samples - 1].at_ns + 1; }

/* the value of a panel; of NODES: those of types up to `type`, as they are stacked */
static double value(const struct fv_sim_sample *s, enum panel panel, uint32_t type) {
    double sum = 0;
    switch (panel) {
    case NODES:
        for (uint32_t t = 0; t <= type; t++)
            sum += s->up[t];
        return sum;
    case DEMAND: return (double)s->waiting_cpus / FV_SCALE_UNIT;
    default: return s->all_cpus == 0 ? 0 : 100 * (double)s->used_cpus / (double)s->all_cpus;
    }
}

/* 1, 2 or 5 times a power of ten, so that there are about five steps */
static double nice_step(double most) {
    double raw = most / 5, power = pow(10, floor(log10(raw > 0 ? raw : 1)));
    double times = raw / power;
    return (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10) * power;
}

struct frame {
    double x, y, x_most, y_most; /* left and bottom; ranges */
};

static double at_x(const struct frame *f, double v) { return f->x + v / f->x_most * WIDTH; }
static double at_y(const struct frame *f, double v) { return f->y - v / f->y_most * HEIGHT; }

static void put_axes(FILE *file, const struct frame *f, const char *title, bool has_times) {
    double step = nice_step(f->y_most);
    fprintf(file, "<text class='t' x='%.0f' y='%.0f'>%s</text>\n", f->x, f->y - HEIGHT - 8, title);
    for (double v = 0; v <= f->y_most * 1.0001; v += step)
        fprintf(file, "<line class='g' x1='%.0f' x2='%.0f' y1='%.1f' y2='%.1f'/><text text-anchor='end' x='%.0f' y='%.1f'>%g</text>\n", f->x,
                f->x + WIDTH, at_y(f, v), at_y(f, v), f->x - 6, at_y(f, v) + 4, v);
    step = nice_step(f->x_most);
    for (double v = 0; has_times && v <= f->x_most; v += step)
        fprintf(file, "<text text-anchor='middle' x='%.1f' y='%.0f'>%g</text>\n", at_x(f, v), f->y + 16, v);
    if (has_times)
        fprintf(file, "<text text-anchor='middle' x='%.0f' y='%.0f'>seconds</text>\n", f->x + WIDTH / 2.0, f->y + 34);
}

/* An area of steps, the most of each pixel's samples; outlined where it is no stack. */
static void put_area(FILE *file, const struct frame *f, const struct fv_sim_result *r, enum panel panel, uint32_t type, const char *color) {
    double   last = 0;
    uint32_t i = 0;
    fprintf(file, "<path fill='%s' fill-opacity='%s' d='M%.1f,%.1f", color, panel == NODES ? "1" : "0.75", f->x, f->y);
    for (int x = 0; x < WIDTH; x++) {
        double until = (double)(x + 1) / WIDTH * f->x_most * 1e9, most = -1;
        for (; i < r->n_samples && (double)r->samples[i].at_ns < until; i++) {
            last = value(&r->samples[i], panel, type);
            most = last > most ? last : most;
        }
        double v = most < 0 ? last : most;
        if ((double)length_of(r) < (double)x / WIDTH * f->x_most * 1e9)
            v = 0;
        fprintf(file, " L%.1f,%.1f L%.1f,%.1f", f->x + x, at_y(f, v), f->x + x + 1, at_y(f, v));
    }
    fprintf(file, " L%.1f,%.1fZ'/>\n", f->x + WIDTH, f->y);
}

static void put_legend(FILE *file, const struct fv_cluster *c, double x, double y) {
    for (uint32_t t = 0; t < c->n_types && t < N_COLORS; t++)
        fprintf(file, "<rect fill='%s' x='%.0f' y='%.0f' width='10' height='10'/><text x='%.0f' y='%.0f'>%s</text>\n", colors[t], x + 68.0 * t, y - 9,
                x + 68.0 * t + 14, y, c->types[t].name);
}

int cli_simulate_svg(const char *path, const struct fv_cluster *c, const struct fv_policy *const *policies, const struct fv_sim_result *results,
                     uint32_t n) {
    FILE  *file = fopen(path, "w");
    double y_most[PANELS] = {1, 1, 100}, x_most = 0;
    if (file == NULL)
        return -1;
    for (uint32_t p = 0; p < n; p++) {
        x_most = fmax(x_most, (double)length_of(&results[p]) * 1e-9);
        for (uint32_t i = 0; i < results[p].n_samples; i++)
            for (int panel = NODES; panel < USE; panel++)
                y_most[panel] = fmax(y_most[panel], value(&results[p].samples[i], (enum panel)panel, c->n_types - 1));
    }
    int width = LEFT + (int)n * STEP_X, height = TOP + PANELS * STEP_Y;
    fprintf(file,
            "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' viewBox='0 0 %d %d' font-family='sans-serif' font-size='12'>\n"
            "<style>.t{font-size:13px;font-weight:bold}.h{font-size:16px;font-weight:bold}.g{stroke:#ddd}</style>\n"
            "<rect width='100%%' height='100%%' fill='white'/>\n",
            width, height, width, height);
    for (uint32_t p = 0; p < n; p++) {
        double x = LEFT + (double)p * STEP_X;
        fprintf(file, "<text class='h' x='%.0f' y='24'>%s</text>\n", x, policies[p]->name);
        put_legend(file, c, x + 210, TOP - 8);
        for (int panel = 0; panel < PANELS; panel++) {
            struct frame f = {x, TOP + HEIGHT + (double)panel * STEP_Y, x_most, y_most[panel]};
            put_axes(file, &f, titles[panel], panel == PANELS - 1);
            if (panel != NODES)
                put_area(file, &f, &results[p], (enum panel)panel, 0, colors[panel == DEMAND ? 1 : 2]);
            for (uint32_t t = c->n_types; panel == NODES && t-- != 0;) /* the whole stack first, the others before it */
                put_area(file, &f, &results[p], NODES, t, colors[t % N_COLORS]);
        }
    }
    fputs("</svg>\n", file);
    return fclose(file);
}
