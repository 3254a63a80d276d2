/* obs/holds.c: who keeps what alive.  See holds.h.
 *
 * What is read may change meanwhile: a hold may be shown twice, or not at all, while it changes hands.
 */
#include "obs/holds.h"

#include "shm/actor.h"

#include <stdlib.h>
#include <string.h>

#define MOST_REFS (1u << 22) /* in one container, or in one task's arguments: more is damage */

struct list {
    struct fv_obs_hold *hold;
    size_t              n, room;
    bool                failed;
};

static void add(struct list *l, uint64_t id, enum fv_obs_hold_kind kind, uint64_t who) {
    if (!fv_ref_tagged(id) || l->failed)
        return;
    if (l->n == l->room) {
        size_t              room = l->room ? l->room * 2 : 256;
        struct fv_obs_hold *p = realloc(l->hold, room * sizeof *p);
        if (p == NULL) {
            l->failed = true;
            return;
        }
        l->hold = p, l->room = room;
    }
    l->hold[l->n++] = (struct fv_obs_hold){.id = id, .who = who, .kind = kind};
}

/* n refs that stand at an offset. */
static void add_refs(struct list *l, const struct fv_obs *o, uint64_t offset, uint64_t n, enum fv_obs_hold_kind kind, uint64_t who) {
    if (n == 0 || n > MOST_REFS)
        return;
    uint64_t *ids = malloc(n * sizeof *ids);
    if (ids == NULL)
        l->failed = true;
    else if (fv_obs_bytes(o, offset, ids, n * sizeof *ids))
        for (uint64_t i = 0; i < n; i++)
            add(l, ids[i], kind, who);
    free(ids);
}

static void add_arguments(struct list *l, const struct fv_obs *o, const struct fv_obs_task *t) {
    if (t->hot.kind != FV_KIND_TASK || !(t->hot.x & FV_X_REFS) || t->state == FV_DONE || t->state == FV_FAIL || t->state == FV_FREE)
        return;
    if (t->hot.x & FV_X_ARGS_BLOCK) {
        struct fv_span      span;
        struct fv_args_tail tail;
        memcpy(&span, t->hot.args, sizeof span);
        uint64_t at = span.offset + ((t->hot.arg_bytes + 7ull) & ~7ull);
        if (fv_obs_bytes(o, at, &tail, sizeof tail))
            add_refs(l, o, at + sizeof tail, tail.n_refs, FV_HOLD_ARGUMENT, t->id);
        return;
    }
    uint64_t ids[3]; /* those of the words that lead to a slot in use */
    for (uint32_t i = 0, n = FV_MIN(fv_obs_dependencies(o, t, ids, 3), 3u); i < n; i++)
        add(l, ids[i], FV_HOLD_ARGUMENT, t->id);
}

static void add_nested(struct list *l, const struct fv_obs *o, const struct fv_obs_task *t) {
    struct fv_span span;
    uint64_t       n;
    if ((t->hot.x & (FV_X_NESTED | FV_X_RESULT_BLOCK)) != (FV_X_NESTED | FV_X_RESULT_BLOCK))
        return;
    memcpy(&span, t->hot.result, sizeof span);
    uint64_t at = span.offset + ((span.bytes + 7) & ~7ull);
    if (fv_obs_bytes(o, at, &n, sizeof n))
        add_refs(l, o, at + 8, n, FV_HOLD_CONTAINER, t->id);
}

static void add_items(struct list *l, const struct fv_obs *o, const struct fv_obs_task *t) {
    if (t->hot.kind != FV_KIND_TASK || !(t->hot.x & FV_X_OPTIONS) || t->cold.stream == 0 || t->cold.stream_items > FV_STREAM_MOST)
        return;
    for (uint32_t i = 0; i < t->cold.stream_items; i++) {
        struct fv_stream_entry e;
        if (fv_obs_bytes(o, t->cold.stream + offsetof(struct fv_stream, entry) + i * sizeof e, &e, sizeof e))
            add(l, e.item, FV_HOLD_STREAM, t->id);
    }
}

static void add_saved(struct list *l, const struct fv_obs *o, const struct fv_obs_task *t) {
    uint64_t saved[2];
    if (t->hot.kind != FV_KIND_ACTOR || !(t->hot.x & FV_X_OPTIONS) || t->cold.actor == 0 ||
        !fv_obs_bytes(o, t->cold.actor + offsetof(struct fv_actor, saved), saved, sizeof saved))
        return;
    for (unsigned i = 0; i < 2; i++)
        add(l, saved[i], FV_HOLD_CONTAINER, t->id);
}

static void add_process(struct list *l, const struct fv_obs *o, uint32_t p, const struct fv_proc *proc) {
    uint64_t *table = proc->holds_open ? malloc(FV_HOLDS_MAX * sizeof *table) : NULL;
    if (proc->holds_open && table == NULL)
        l->failed = true;
    if (table != NULL && fv_obs_bytes(o, o->head->off_holds + p * (FV_HOLDS_MAX * sizeof *table), table, FV_HOLDS_MAX * sizeof *table))
        for (uint32_t i = 0; i < FV_HOLDS_MAX; i++) {
            if (table[i] >> 60 == FV_TAG_PIN)
                add(l, fv_ref_make(fv_ref_index(table[i]), fv_ref_gen(table[i])), FV_HOLD_READER, p);
            else
                add(l, table[i], FV_HOLD_PROCESS, p);
        }
    free(table);
    add(l, proc->reading, FV_HOLD_READER, p);
    for (size_t i = 0; i < FV_COUNT_OF(proc->want); i++)
        add(l, proc->want[i], FV_HOLD_WANTED, p);
}

static int compare(const void *a, const void *b) {
    const struct fv_obs_hold *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->who < y->who ? -1 : x->who > y->who;
}

bool fv_obs_holds(const struct fv_obs *o, struct fv_obs_hold **holds_out, size_t *n_out) {
    struct list        l = {0};
    struct fv_proc     proc;
    struct fv_obs_task t;
    for (uint32_t p = 0; p < o->head->n_procs; p++) {
        if (!fv_obs_proc(o, p, &proc))
            continue;
        add_process(&l, o, p, &proc);
        for (uint32_t k = 0, n = fv_obs_slab(o, p); k < n; k++) {
            if (!fv_obs_task(o, p << o->head->slab_shift | k, &t) || t.state == FV_FREE)
                continue;
            if (t.hot.truth & FV_HELD)
                add(&l, t.id, FV_HOLD_PROCESS, p);
            add_arguments(&l, o, &t);
            add_nested(&l, o, &t);
            add_items(&l, o, &t);
            add_saved(&l, o, &t);
        }
    }
    if (l.failed) {
        free(l.hold);
        return false;
    }
    if (l.n > 1)
        qsort(l.hold, l.n, sizeof *l.hold, compare);
    *holds_out = l.hold;
    *n_out = l.n;
    return true;
}

const struct fv_obs_hold *fv_obs_holds_of(const struct fv_obs_hold *holds, size_t n, uint64_t id, size_t *n_out) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (holds[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < n && holds[end].id == id)
        end++;
    *n_out = end - low;
    return holds + low;
}

const char *fv_obs_hold_word(enum fv_obs_hold_kind kind) {
    static const char *const words[] = {
#define FV_X(name, text) text,
        FV_OBS_HOLDS(FV_X)
#undef FV_X
    };
    return (unsigned)kind < FV_COUNT_OF(words) ? words[kind] : "?";
}
