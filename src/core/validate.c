/* core/validate.c: are the books of the segment right?  For tests, chaos runs and `fever status --check`.
 *
 * Run at rest: nothing is submitted, running or being freed.  Reads only.
 */
#include <stdlib.h>
#include <string.h>

#include "core/actor.h"
#include "core/name.h"
#include "core/options.h"
#include "core/placement.h"
#include "core/stream.h"

struct check {
    FILE    *stream;
    int      bad;
    uint32_t *counted; /* records of holds, by slot */
    uint64_t blocks_used;
};

#define BAD(c, ...) \
    do { \
        if ((c)->stream != NULL && (c)->bad < 50) \
            fprintf((c)->stream, "validate: " __VA_ARGS__); \
        (c)->bad++; \
    } while (0)

static const char *const state_text[] = {
#define FV_X(name, text) text,
    FV_STATES(FV_X)
#undef FV_X
};

static void record(struct check *c, uint64_t id, const char *by, uint32_t who) {
    uint32_t index = 0;
    uint64_t t = 0;
    if (id == 0)
        return;
    if (id >> 60 == FV_TAG_PIN) {
        if (fv_ref_check(fv_ref_of_pin(id), &index, &t) < 0 || !fv_result_is_large(fv_task(index)))
            BAD(c, "%s %u has pinned slot %u gen %u, which is %s\n", by, who, fv_ref_index(id), fv_ref_gen(id), index == 0 ? "gone" : "never away");
        return;
    }
    if (fv_ref_check(id, &index, &t) < 0)
        BAD(c, "%s %u holds slot %u gen %u, which is gone\n", by, who, fv_ref_index(id), fv_ref_gen(id));
    else
        c->counted[index]++;
}

static void check_block(void *arg, uint64_t offset, uint64_t bytes, uint32_t index, uint32_t gen) {
    struct check *c = arg;
    if (index == FV_NO_ROOT && gen == FV_WARM_OWNER)
        return; /* on its way back to the system */
    if (index == FV_NO_ROOT && fv_in_file(offset) && gen == fv_load_relaxed_32(&fv_map.seg->keeper.slot))
        return; /* or to the file system */
    c->blocks_used++;
    if (index == FV_NO_ROOT) {
        BAD(c, "chunk at %#llx is being claimed by slot %u\n", (unsigned long long)offset, gen);
        return;
    }
    const struct fv_task *t = fv_task(index);
    uint64_t w = fv_load_acquire_64(&t->truth);
    if (fv_truth_gen(w) != gen || fv_truth_state(w) == FV_FREE) {
        BAD(c, "block at %#llx (%llu bytes) leaks: its root %u gen %u is %s gen %u\n", (unsigned long long)offset,
            (unsigned long long)bytes, index, gen, state_text[fv_truth_state(w) % FV_N_STATES], fv_truth_gen(w));
        return;
    }
    const struct fv_span *a = (const struct fv_span *)t->args, *in_result = (const struct fv_span *)t->result;
    const struct fv_span  block = {t->x & FV_X_RESULT_BLOCK ? fv_residence_offset(in_result->offset) : 0, t->x & FV_X_RESULT_BLOCK ? fv_task_block_bytes(index, w) : 0}, *r = &block;
    const struct fv_span  s = fv_stream_span(index);
    bool extent = bytes >= FV_CHUNK_BYTES;
#define INSIDE(s) (extent ? (s)->offset != 0 && offset >= (s)->offset / FV_CHUNK_BYTES * FV_CHUNK_BYTES && offset < (s)->offset + (s)->bytes : offset == (s)->offset)
    if (!((t->x & FV_X_ARGS_BLOCK && INSIDE(a)) || (t->x & FV_X_RESULT_BLOCK && INSIDE(r)) ||
          (t->x & FV_X_OPTIONS && fv_cold(index)->options == offset) || (s.offset != 0 && INSIDE(&s)) ||
          (!extent && fv_actor_refers(index, offset)) || (t->x & FV_X_FAILURE && ((const struct fv_failure *)t->result)->error == offset)))
        BAD(c, "block at %#llx leaks: its root %u does not refer to it\n", (unsigned long long)offset, index);
}

/* A result that could be on disk: is it where its word says? */
static void check_residence(struct check *c, uint32_t index, uint64_t t) {
    const struct fv_task *task = fv_task(index);
    uint64_t              word = task->result[0], offset = fv_residence_offset(word);
    if (fv_truth_state(t) != FV_DONE || !fv_result_is_large(task))
        return;
    if (fv_residence(word) > FV_LOST)
        BAD(c, "slot %u: its result is nowhere: %#llx\n", index, (unsigned long long)word);
    else if (offset != 0 && !fv_arena_owned(offset, index, fv_truth_gen(t)))
        BAD(c, "slot %u: its result is not its own: %#llx\n", index, (unsigned long long)word);
    else if (fv_residence(word) == FV_LOST && word >> 16 == 0)
        BAD(c, "slot %u: its result is lost and nothing says why\n", index);
}

/* No node has more in use than it has, and together they have what is in use in all. */
static void check_nodes(struct check *c) {
    const struct fv_node_table     *t = &fv_map.seg->cluster;
    const struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    uint64_t                        cpu = 0, used[FV_N_RESOURCES] = {0};
    for (uint32_t n = 0; n < t->n_nodes; n++) {
        const struct fv_node *node = &t->node[n];
        cpu += node->cpu_used;
        if (node->cpu_used > (uint64_t)node->n_workers * FV_CPU_UNITS)
            BAD(c, "node %u: %.4f of %u CPUs are in use\n", n, (double)node->cpu_used / FV_CPU_UNITS, node->n_workers);
        for (uint32_t i = 0; i < d->n_resources; i++) {
            used[i] += node->used[i];
            if (node->used[i] > t->type[node->type].total[i])
                BAD(c, "node %u: more of resource %s is in use than it has\n", n, d->resource[i].name);
        }
    }
    if (cpu != d->cpu_used)
        BAD(c, "%.4f CPUs are in use, %.4f on nodes\n", (double)d->cpu_used / FV_CPU_UNITS, (double)cpu / FV_CPU_UNITS);
    for (uint32_t i = 0; i < d->n_resources; i++)
        if (used[i] != fv_load_relaxed_64(&d->resource[i].used))
            BAD(c, "resource %s: what is in use on nodes is not what is in use\n", d->resource[i].name);
}

int fv_validate(FILE *stream, bool expect_empty) {
    struct check c = {.stream = stream};
    size_t n = (size_t)fv_map.seg->n_procs << fv_map.shift;
    c.counted = calloc(n, sizeof *c.counted);
    if (c.counted == NULL)
        return 1;
    FV_EACH_ACTIVE(p) {
        struct fv_proc *proc = fv_proc(p);
        if (proc->intent != 0 || proc->registering != 0 || proc->cancelling != 0)
            BAD(&c, "slot %u is in the middle of a change\n", p);
        if (proc->reading != 0 || proc->want[0] != 0 || proc->room_wanted != 0)
            BAD(&c, "slot %u is reading, or waits for the store\n", p);
        for (uint32_t i = 0, used = fv_holds_used(p); i < used; i++)
            record(&c, fv_holds_of(p)[i], "process slot", p);
        for (uint32_t i = p << fv_map.shift, e = i + proc->slab_limit; i < e; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth), k;
            if (fv_truth_state(t) == FV_FREE)
                continue;
            uint64_t *nested = fv_task_nested(i, t, &k);
            for (uint64_t j = 0; nested != NULL && j < k; j++)
                record(&c, nested[j], "container", i);
            if (fv_task_is_actor(i) && fv_task(i)->x & FV_X_OPTIONS)
                for (uint64_t j = 0; j < 2; j++)
                    record(&c, fv_actor_of(i)->saved[j], "checkpoint", i);
            const struct fv_stream *s = fv_stream_of(i, fv_truth_gen(t));
            for (uint64_t j = 0; s != NULL && j < s->capacity; j++) {
                record(&c, s->entry[j].item, "stream", i);
                if (s->entry[j].turn & 0xFFFF)
                    BAD(&c, "stream %u: entry %llu is being taken by slot %u\n", i, (unsigned long long)j, (unsigned)(s->entry[j].turn & 0xFFFF) - 1);
            }
        }
    }
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, e = i + fv_proc(p)->slab_limit; i < e; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            unsigned s = fv_truth_state(t);
            uint32_t count = t & FV_SHARED ? (uint32_t)(fv_load_acquire_64(&fv_cold(i)->count) >> 32) : 0;
            if (fv_task_is_actor(i) && !expect_empty && (s == FV_RUN || s == FV_READY || s == FV_DELAYED || s == FV_BLOCKED)) {
                if (fv_truth_state(t) == FV_RUN && fv_proc(fv_truth_owner(t))->actor != fv_ref_make(i, fv_truth_gen(t)))
                    BAD(&c, "actor %u gen %u lives in slot %u, which is another's\n", i, fv_truth_gen(t), fv_truth_owner(t));
            } else if (s >= FV_N_STATES)
                BAD(&c, "slot %u: no such state: %#llx\n", i, (unsigned long long)t);
            else if (s == FV_READY || s == FV_RUN || s == FV_BLOCKED || s == FV_DELAYED || s == FV_DYING)
                BAD(&c, "slot %u gen %u is still %s (owner %u)\n", i, fv_truth_gen(t), state_text[s], fv_truth_owner(t));
            else if (s == FV_FREE ? false : !(t & FV_HELD) && count == 0 && !(fv_task(i)->x & FV_X_REFS) && !fv_task(i)->is_member)
                BAD(&c, "slot %u gen %u is %s and nobody holds it\n", i, fv_truth_gen(t), state_text[s]);
            else if (expect_empty && s != FV_FREE)
                BAD(&c, "slot %u gen %u is %s: flags %#x, count %u, x %#x\n", i, fv_truth_gen(t), state_text[s], fv_truth_flags(t), count,
                    fv_task(i)->x);
            check_residence(&c, i, t);
            if (s != FV_FREE && count != c.counted[i])
                BAD(&c, "slot %u: count %u, but %u records\n", i, count, c.counted[i]);
        }
    const struct fv_dispatch_state *d = &fv_map.seg->dispatch;
    uint64_t cpus = 0; /* of actors that live, and below */
    uint64_t units[FV_COUNT_OF(d->resource)] = {0};
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, e = i + fv_proc(p)->slab_limit; i < e; i++) {
            const struct fv_task_options_block *b = NULL;
            if (fv_truth_state(fv_load_acquire_64(&fv_task(i)->truth)) == FV_RUN && fv_task_is_actor(i) && (b = fv_task_options_of(i)) != NULL)
                cpus += b->cpu_units;
            for (uint32_t k = 0; b != NULL && k < b->n_resources; k++)
                if (fv_resource_number(b->resource[k].name) >= 0)
                    units[fv_resource_number(b->resource[k].name)] += b->resource[k].units;
        }
    if (d->n_granted != 0 || d->n_pending != 0 || d->cpu_used != cpus)
        BAD(&c, "%u grants are out, %u tasks wait for one, %.4f CPUs are in use\n", d->n_granted, d->n_pending, (double)d->cpu_used / FV_CPU_UNITS);
    for (uint32_t i = 0; i < d->n_resources; i++)
        if (fv_load_relaxed_64(&d->resource[i].used) != units[i])
            BAD(&c, "%.4f of resource %s is in use\n", (double)d->resource[i].used / FV_CPU_UNITS, d->resource[i].name);
    check_nodes(&c);
    for (uint32_t i = 0; i < FV_DROPS; i++)
        if (fv_map.seg->keeper.dropping[i].offset != 0)
            BAD(&c, "block %#llx is being dropped\n", (unsigned long long)fv_map.seg->keeper.dropping[i].offset);
    for (uint32_t i = 0; i < fv_map.seg->n_supers; i++) {
        uint64_t w = fv_load_acquire_64(&fv_map.supers[i]);
        if (fv_word_kind(w) == FV_SUPER_SPLIT && (uint32_t)w != 0 && (uint32_t)w != FV_WARM_OWNER + 1u)
            BAD(&c, "super %u is wanted whole by slot %u\n", i, (uint32_t)w - 1);
    }
    c.bad += fv_name_validate(stream);
    fv_arena_walk(FV_NO_PROC, check_block, &c);
    if (expect_empty && c.blocks_used != 0)
        BAD(&c, "%llu blocks are in use\n", (unsigned long long)c.blocks_used);
    free(c.counted);
    return c.bad;
}
