/* run/pending.c: see pending.h.
 *
 * Run by the supervisor.  Writes its private memory only.
 */
#include "run/pending.h"

#include <stdlib.h>
#include <string.h>

#include "core/actor.h"
#include "core/placement.h"
#include "core/queued.h"

struct fv_shape *fv_shapes;
uint32_t         fv_n_shapes;
static uint32_t  room_shapes;

static void sift_down(struct fv_shape *s, uint32_t i) {
    for (;;) {
        uint32_t best = i, left = 2 * i + 1;
        for (uint32_t c = left; c < left + 2 && c < s->n; c++)
            if (s->heap[c].rank_ns > s->heap[best].rank_ns)
                best = c;
        if (best == i)
            return;
        struct fv_entry e = s->heap[i];
        s->heap[i] = s->heap[best], s->heap[best] = e;
        i = best;
    }
}

void fv_shape_pop(struct fv_shape *s) {
    s->heap[0] = s->heap[--s->n];
    sift_down(s, 0);
}

bool fv_shape_push(struct fv_shape *s, struct fv_entry e) {
    if (s->n == s->room) {
        uint32_t         room = s->room ? s->room * 2 : 16;
        struct fv_entry *p = realloc(s->heap, room * sizeof *p);
        if (p == NULL)
            return false;
        s->heap = p, s->room = room;
    }
    uint32_t i = s->n++;
    for (; i > 0 && s->heap[(i - 1) / 2].rank_ns < e.rank_ns; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
    return true;
}

struct fv_shape *fv_shape_of(const struct fv_wish *w) {
    struct fv_shape *empty = NULL;
    for (uint32_t i = 0; i < fv_n_shapes; i++) {
        if (memcmp(&fv_shapes[i].wish, w, sizeof *w) == 0)
            return &fv_shapes[i];
        if (fv_shapes[i].n == 0)
            empty = &fv_shapes[i];
    }
    if (empty == NULL) {
        if (fv_n_shapes == room_shapes) {
            uint32_t         room = room_shapes ? room_shapes * 2 : 16;
            struct fv_shape *p = realloc(fv_shapes, room * sizeof *p);
            if (p == NULL)
                return NULL;
            fv_shapes = p, room_shapes = room;
        }
        empty = &fv_shapes[fv_n_shapes++];
        memset(empty, 0, sizeof *empty);
    }
    empty->wish = *w;
    return empty;
}

static int by_rank(const void *a, const void *b) {
    bool resumes = fv_shapes[*(const uint32_t *)a].wish.resumes;
    if (resumes != fv_shapes[*(const uint32_t *)b].wish.resumes)
        return resumes ? -1 : 1;
    int64_t p = fv_shapes[*(const uint32_t *)a].heap[0].rank_ns, q = fv_shapes[*(const uint32_t *)b].heap[0].rank_ns;
    return p < q ? 1 : p > q ? -1 : 0;
}

void fv_shapes_sort(uint32_t *order, uint32_t n) { qsort(order, n, sizeof *order, by_rank); }

void fv_wish_of(uint32_t index, struct fv_wish *w) {
    const struct fv_task_options_block *b = fv_task_options_of(index);
    struct fv_demand                   *d = &w->demand;
    memset(w, 0, sizeof *w);
    w->types = b->types;
    w->strategy = b->strategy;
    w->node = b->node;
    d->units[FV_DEMAND_CPU] = b->cpu_units;
    d->units[FV_DEMAND_HOST] = !fv_task_is_actor(index);
    for (uint32_t i = 0; i < b->n_resources; i++) {
        int r = fv_resource_number(b->resource[i].name);
        if (r >= 0)
            d->units[FV_DEMAND_CUSTOM + r] = b->resource[i].units;
    }
}
