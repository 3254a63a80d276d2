/* api/leak.c: what the driver still holds at its end, by where it was made.
 *
 * Run by the driver in fever_shutdown(), when it asked for that (option leak_report).  Reads task slots and its own hold tables.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "core/object.h"

#define MOST_LINES 50u

struct leak { /* all that was made at one place */
    uint64_t site; /* 0: not known to this process */
    uint32_t def;  /* of a task */
    unsigned kind;
    uint64_t n, bytes;
    char     place[160];
};
struct leaks {
    struct leak *all;
    size_t       n, room;
    uint64_t     n_refs, bytes;
};

static void add(struct leaks *l, uint32_t index, uint64_t site) {
    const struct fv_task *task = fv_task(index);
    unsigned state = fv_truth_state(fv_load_acquire_64(&task->truth));
    uint64_t bytes = 0;
    if (state == FV_DONE || (state == FV_OPEN && task->kind == FV_KIND_OBJECT))
        fv_task_result(task, &bytes);
    struct leak one = {.site = site, .kind = task->kind, .def = task->kind == FV_KIND_TASK ? task->def : 0, .n = 1, .bytes = bytes};
    l->n_refs++;
    l->bytes += bytes;
    for (size_t i = 0; i < l->n; i++)
        if (l->all[i].site == one.site && l->all[i].kind == one.kind && l->all[i].def == one.def) {
            l->all[i].n++;
            l->all[i].bytes += bytes;
            return;
        }
    if (l->n == l->room) {
        size_t       room = l->room ? l->room * 2 : 64;
        struct leak *p = realloc(l->all, room * sizeof *p);
        if (p == NULL)
            return; /* counted all the same */
        l->all = p, l->room = room;
    }
    l->all[l->n++] = one;
}

static void collect(struct leaks *l) {
    FV_EACH_ACTIVE(p) {
        if (fv_homes[p] == NULL)
            continue;
        for (uint32_t i = p << fv_map.shift, k = 0, n = fv_proc(p)->slab_limit; k < n; k++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i | k)->truth);
            if (fv_truth_state(t) != FV_FREE && fv_truth_state(t) != FV_DYING && t & FV_HELD)
                add(l, i | k, fv_homes[p]->home[k].site);
        }
        for (uint32_t k = 0; k < fv_holds_used(p); k++) { /* made by others */
            uint64_t id = fv_load_acquire_64(&fv_holds_of(p)[k]), t = 0;
            uint32_t index = 0;
            if (fv_ref_tagged(id) && fv_ref_check(id, &index, &t) == 0)
                add(l, index, fv_task(index)->kind == FV_KIND_TASK ? 0 : fv_task(index)->args[0]);
        }
    }
}

static int compare(const void *a, const void *b) {
    const struct leak *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : x->n != y->n ? (x->n < y->n ? 1 : -1) : 0;
}

/* Names the places.  One that the compiler has made several of, in an unrolled loop, is one again. */
static void name_places(struct leaks *l) {
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        struct leak *one = &l->all[i];
        if (one->site != 0)
            fv_place_text(one->site, one->place, sizeof one->place);
        else
            snprintf(one->place, sizeof one->place, "a place that is not known");
        size_t k = 0;
        while (k < n && (l->all[k].kind != one->kind || l->all[k].def != one->def || strcmp(l->all[k].place, one->place) != 0))
            k++;
        if (k == n) {
            l->all[n++] = *one;
        } else {
            l->all[k].n += one->n;
            l->all[k].bytes += one->bytes;
        }
    }
    l->n = n;
}

static void say(const struct leak *l) {
    char        line[400], what[80];
    const char *s = l->n == 1 ? "" : "s";
    const struct fever_def *def = l->kind == FV_KIND_TASK ? fv_defs[l->def] : NULL;
    if (def != NULL)
        snprintf(what, sizeof what, "result%s of %.48s", s, def->name);
    else
        snprintf(what, sizeof what, "%s%s", l->kind == FV_KIND_OBJECT ? "object" : "promise", s);
    snprintf(line, sizeof line, "  %llu %s, %llu bytes, %s at %s", (unsigned long long)l->n, what, (unsigned long long)l->bytes,
             def != NULL ? "submitted" : "made", l->place);
    fv_log_raw(line);
}

void fv_leaks_report(void) {
    struct leaks l = {0};
    char         line[160];
    collect(&l);
    if (l.n_refs == 0)
        return;
    snprintf(line, sizeof line, "%llu ref%s, %llu bytes in all, %s not released before fever_shutdown:", (unsigned long long)l.n_refs,
             l.n_refs == 1 ? "" : "s", (unsigned long long)l.bytes, l.n_refs == 1 ? "was" : "were");
    fv_log_raw(line);
    name_places(&l);
    if (l.n > 1)
        qsort(l.all, l.n, sizeof *l.all, compare);
    for (size_t i = 0; i < l.n && i < MOST_LINES; i++)
        say(&l.all[i]);
    if (l.n > MOST_LINES) {
        snprintf(line, sizeof line, "  ... and from %zu more places", l.n - MOST_LINES);
        fv_log_raw(line);
    }
    free(l.all);
}
