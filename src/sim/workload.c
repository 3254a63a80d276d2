/* sim/workload.c: see workload.h.
 *
 * Run by:          the fever command, tests.
 * Shared state:    none.
 */
#include "sim/workload.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define MOST_COLUMNS 32
#define MOST_TASKS   100000000

enum column { SUBMIT = 100, DURATION, COUNT, PRIORITY }; /* others: resources */

/* Adds one; false when memory is short. */
static bool add(struct fv_workload *w, const struct fv_scale_demand *shape, uint64_t submit_ns, uint64_t duration_ns, uint32_t n) {
    uint32_t i = 0;
    while (i < w->n_shapes && (memcmp(w->shapes[i].need, shape->need, sizeof shape->need) != 0 || w->shapes[i].priority != shape->priority))
        i++;
    if (i == w->n_shapes) {
        struct fv_scale_demand *more = realloc(w->shapes, (i + 1) * sizeof *more);
        if (more == NULL)
            return false;
        w->shapes = more;
        w->shapes[w->n_shapes++] = *shape;
    }
    if ((w->n_submissions & (w->n_submissions - 1)) == 0) { /* a power of two: full */
        size_t                room = w->n_submissions == 0 ? 1 : 2 * (size_t)w->n_submissions;
        struct fv_submission *more = realloc(w->submissions, room * sizeof *more);
        if (more == NULL)
            return false;
        w->submissions = more;
    }
    w->submissions[w->n_submissions++] = (struct fv_submission){submit_ns, duration_ns, i, n};
    w->n_tasks += n;
    return true;
}

static int compare(const void *a, const void *b) {
    const struct fv_submission *x = a, *y = b;
    if (x->submit_ns != y->submit_ns)
        return x->submit_ns < y->submit_ns ? -1 : 1;
    return x->shape < y->shape ? -1 : x->shape > y->shape;
}

static int give(struct fv_workload *w, struct fv_workload *w_out, const char *path, char *why, size_t room) {
    if (why[0] == '\0' && w->n_tasks == 0)
        snprintf(why, room, "%s: there are no tasks", path);
    if (why[0] != '\0') {
        fv_workload_free(w);
        return -1;
    }
    qsort(w->submissions, w->n_submissions, sizeof *w->submissions, compare);
    *w_out = *w;
    return 0;
}

static uint32_t column_of(struct fv_cluster *c, const char *name) {
    static const char *const names[] = {"submit", "duration", "count", "priority"};
    for (uint32_t i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return SUBMIT + i;
    return fv_cluster_resource(c, name);
}

/* the next cell of a line, without spaces around it; *line moves on, to NULL at the end */
static char *cell(char **line) {
    char *text = strsep(line, ",\n"), *end;
    while (*text == ' ' || *text == '\t')
        text++;
    end = text + strlen(text);
    while (end > text && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        *--end = '\0';
    return text;
}

struct row {
    struct fv_scale_demand shape;
    uint64_t               submit_ns, duration_ns;
    uint32_t               n;
};

static bool set(struct row *row, uint32_t column, const char *text) {
    char *end;
    long  n;
    switch (column) {
    case SUBMIT: return fv_cluster_time(text, &row->submit_ns);
    case DURATION: return fv_cluster_time(text, &row->duration_ns);
    case COUNT:
        n = strtol(text, &end, 10);
        row->n = (uint32_t)n;
        return end != text && *end == '\0' && n >= 1 && n <= MOST_TASKS;
    case PRIORITY:
        n = strtol(text, &end, 10);
        row->shape.priority = (int32_t)n;
        return end != text && *end == '\0' && n >= -100 && n <= 100;
    default: return text[0] == '\0' || fv_cluster_amount(column, text, &row->shape.need[column]);
    }
}

static void read_lines(FILE *file, const char *path, struct fv_cluster *c, struct fv_workload *w, char *why, size_t room) {
    char    *line = NULL;
    size_t   bytes = 0;
    uint32_t columns[MOST_COLUMNS], n_columns = 0;
    char     names[MOST_COLUMNS][FV_CLUSTER_NAME];
    for (unsigned number = 1; why[0] == '\0' && getline(&line, &bytes, file) > 0; number++) {
        char      *at = line;
        uint32_t   i = 0;
        struct row row = {.n = 1};
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '#' || line[strspn(line, " \t")] == '\0')
            continue;
        bool is_head = n_columns == 0;
        for (; at != NULL && why[0] == '\0'; i++) {
            char *text = cell(&at);
            if (i == MOST_COLUMNS || (!is_head && i == n_columns)) {
                snprintf(why, room, "%s:%u: there are more than %u columns", path, number, i);
            } else if (is_head) {
                columns[i] = column_of(c, text);
                snprintf(names[i], sizeof names[i], "%.*s", FV_CLUSTER_NAME - 1, text);
                n_columns = i + 1;
                if (columns[i] == FV_SCALE_NONE)
                    snprintf(why, room, "%s:%u: \"%.40s\" cannot be a resource", path, number, text);
            } else if (!set(&row, columns[i], text)) {
                snprintf(why, room, "%s:%u: %s cannot be \"%.40s\"", path, number, names[i], text);
            }
        }
        if (why[0] != '\0' || is_head)
            continue;
        if (i < n_columns)
            snprintf(why, room, "%s:%u: there is no %s", path, number, names[i]);
        else if (w->n_tasks + row.n > MOST_TASKS)
            snprintf(why, room, "%s:%u: more than %d tasks", path, number, MOST_TASKS);
        else if (!add(w, &row.shape, row.submit_ns, row.duration_ns, row.n))
            snprintf(why, room, "out of memory");
    }
    free(line);
}

int fv_workload_read(const char *path, struct fv_cluster *c, struct fv_workload *w_out, char *why, size_t room) {
    struct fv_workload w = {0};
    FILE              *file = fopen(path, "r");
    why[0] = '\0';
    if (file == NULL) {
        snprintf(why, room, "%s: %s", path, strerror(errno));
        return -1;
    }
    read_lines(file, path, c, &w, why, room);
    fclose(file);
    return give(&w, w_out, path, why, room);
}

/* ------------------------------------------------------------------------------------------------ generated */

static double uniform(uint64_t *state) { /* in (0, 1]: splitmix64 */
    uint64_t z = *state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return ((double)((z ^ (z >> 31)) >> 11) + 1) / 9007199254740992.0;
}

struct plan {
    bool       is_bursts;
    uint64_t   tasks, seed, size, every_ns;
    double     rate;
    struct row row;
};

static bool set_plan(struct plan *p, struct fv_cluster *c, const char *name, const char *value) {
    char  *end;
    double x = strtod(value, &end);
    bool   is_number = end != value && *end == '\0' && x >= 0 && x <= MOST_TASKS;
    if (strcmp(name, "tasks") == 0)
        p->tasks = (uint64_t)x;
    else if (strcmp(name, "seed") == 0)
        p->seed = (uint64_t)x;
    else if (strcmp(name, "size") == 0 && x >= 1)
        p->size = (uint64_t)x;
    else if (strcmp(name, "rate") == 0 && x > 0)
        p->rate = x;
    else if (strcmp(name, "every") == 0)
        return fv_cluster_time(value, &p->every_ns);
    else {
        uint32_t column = column_of(c, name);
        return column != FV_SCALE_NONE && column != SUBMIT && column != COUNT && set(&p->row, column, value);
    }
    return is_number;
}

/* Durations are exponential around their mean, for both kinds. */
static bool generate(const struct plan *p, struct fv_workload *w) {
    uint64_t state = p->seed;
    double   at = 0;
    for (uint64_t i = 0; i < p->tasks; i++) {
        if (p->is_bursts)
            at = (double)(i / p->size) * (double)p->every_ns;
        else
            at += -log(uniform(&state)) / p->rate * 1e9;
        if (!add(w, &p->row.shape, (uint64_t)at, (uint64_t)(-log(uniform(&state)) * (double)p->row.duration_ns), 1))
            return false;
    }
    return true;
}

int fv_workload_generate(const char *spec, struct fv_cluster *c, struct fv_workload *w_out, char *why, size_t room) {
    struct plan        p = {.tasks = 1000, .seed = 1, .size = 100, .every_ns = 60000000000, .rate = 10, .row.duration_ns = 1000000000};
    struct fv_workload w = {0};
    char              *copy = strdup(spec), *at = copy;
    why[0] = '\0';
    p.row.shape.need[FV_SCALE_CPU] = FV_SCALE_UNIT;
    if (copy == NULL) {
        snprintf(why, room, "out of memory");
        return -1;
    }
    char *kind = cell(&at);
    p.is_bursts = strcmp(kind, "bursts") == 0;
    if (!p.is_bursts && strcmp(kind, "poisson") != 0)
        snprintf(why, room, "--generate begins with poisson or bursts, not \"%.40s\"", kind);
    while (at != NULL && why[0] == '\0') {
        char *value = cell(&at), *name = strsep(&value, "=");
        if (value == NULL || !set_plan(&p, c, name, value))
            snprintf(why, room, "--generate: \"%.40s=%.40s\" is not understood", name, value != NULL ? value : "");
    }
    if (why[0] == '\0' && !generate(&p, &w))
        snprintf(why, room, "out of memory");
    free(copy);
    return give(&w, w_out, "--generate", why, room);
}

void fv_workload_free(struct fv_workload *w) {
    free(w->submissions);
    free(w->shapes);
    *w = (struct fv_workload){0};
}
