/* run/fast.h: the common case in one piece: a small task without refs and options, its slot free at the cursor.
 *
 * Included by api/.  The same stores in the same order as fv_task_submit(), fv_execute(), fv_task_complete() and
 * fv_unhold(), less what such a task does not need; whatever is out of the ordinary goes there.  Crash safety is theirs.
 */
#ifndef FV_RUN_FAST_H
#define FV_RUN_FAST_H

#include <string.h>

#include "core/group.h"
#include "core/task.h"
#include "run/runtime.h"

/* Definitions whose arguments and result fit the slot and hold no refs; set by fever_init(). */
#define FV_DEF_PLAIN 0x80000000u

static inline void fv_fast_copy(void *to, const void *from, size_t bytes) {
    if (bytes == 8)
        memcpy(to, from, 8);
    else if (bytes == 24)
        memcpy(to, from, 24);
    else if (bytes == 16)
        memcpy(to, from, 16);
    else if (bytes != 0)
        memcpy(to, from, bytes);
}

/* Submits and hints; false when it is not the common case, and nothing has changed. */
FV_FAST bool fv_fast_submit(struct fv_self *self, const struct fever_def *def, const void *args, size_t bytes, unsigned flags,
                                  uint32_t group, uint32_t group_index, uint64_t site, uint64_t *id_out) {
    uint32_t             i = self->cursor, index = self->slot << fv_map.shift | i;
    struct fv_task      *task = fv_task(index);
    struct fv_home_slot *h = &self->home[i];
    uint64_t             t = fv_load_acquire_64(&task->truth);
    uint32_t             gen = fv_truth_gen(t) + 1;
    if (FV_UNLIKELY(fv_truth_state(t) != FV_FREE || gen <= 1 || h->refs != 0))
        return false;
    if (h->group != 0) { /* a member that ended well freed its slot: count it now */
        if (FV_UNLIKELY(h->group > self->n_groups || self->group[h->group - 1] == NULL))
            return false;
        self->group[h->group - 1]->ended++;
        self->n_members--;
    }
    fv_task_begin(task, def->id, FV_KIND_TASK, group != 0, 0, (uint32_t)bytes);
    fv_fast_copy(task->args, args, bytes);
    *h = (struct fv_home_slot){.group = group, .group_index = group_index, .site = site};
    self->n_members += group != 0;
    self->cursor = i + 1 == self->limit ? 0 : i + 1;
    fv_prefetch_write(task + 8);
    if (self->is_worker)
        fv_store_relaxed_64(&self->cold[i].parent, self->proc->current);
    /* ORDER submit (release): as in fv_task_submit(). */
    fv_store_release_64(&task->truth, fv_truth(gen, 0, 0, flags, FV_READY));
    fv_count(self->proc, FV_C_submitted);
    *id_out = fv_ref_make(index, gen);
    if (self->is_worker ? !fv_deque_push(self->proc, fv_queue_of(self->slot), fv_map.ring_mask, index)
                        : !fv_ring_push_spmc(&self->proc->ring, fv_queue_of(self->slot), fv_map.ring_mask, &self->ring, index)) {
        fv_store_release_32(&fv_map.seg->resweep, 1);
        self->call_supervisor = true;
    }
    if (FV_UNLIKELY(fv_bell_someone_idle()))
        fv_bell_wake_idle(self->proc);
    return true;
}

/* Worker, nothing on its stack: runs a task that it has claimed, and completes it.  False when it is not the common case, and
 * nothing has changed. */
FV_FAST bool fv_fast_run(struct fv_self *self, uint32_t index) {
    struct fv_task         *task = fv_task(index);
    struct fv_proc         *p = self->proc;
    const struct fever_def *def = fv_defs[task->def];
    uint64_t                run = fv_load_relaxed_64(&task->truth);
    uint32_t                base = self->own_base;
    if (FV_UNLIKELY(task->x != 0 || !(def->flags & FV_DEF_PLAIN) || self->running != 0))
        return false;
    fv_store_relaxed_64(&p->current, fv_ref_make(index, fv_truth_gen(run)));
    self->running = index + 1;
    self->own_base = self->n_own;
    self->failed = false;
    task->result_bytes = def->result_bytes;
    def->run(task->args, task->result);
    if (FV_UNLIKELY(self->failed || self->n_own != self->own_base || task->x != 0)) { /* fever_result() sets x */
        fv_execute_finish(self, index, 0, 0, base, false);
        return true;
    }
    self->running = 0;
    self->own_base = base;
    uint64_t over = run & FV_HELD ? fv_truth_with(run, 0, FV_DONE) : fv_truth(fv_truth_gen(run), 0, 0, 0, FV_FREE);
    /* ORDER complete (release): as in fv_task_complete(), which does it when a flag is set but HELD. */
    if (FV_LIKELY(!(run & (FV_FLAGS & ~FV_HELD)) && fv_cas_64(&task->truth, run, over)))
        fv_count(p, FV_C_done);
    else
        fv_task_complete(self, index, FV_DONE);
    fv_store_relaxed_64(&p->current, 0); /* last, as in fv_execute_finish() */
    return true;
}

/* In a body: runs a reentrant READY task here and now, takes its value, lets go of it.  False when it is not the
 * common case; then the task may have been run all the same, and the general path goes on from its truth word. */
static inline bool fv_fast_take_in_place(struct fv_self *self, uint64_t id, void *out, size_t bytes, unsigned type) {
    uint32_t        index = fv_ref_index(id), i = index & fv_map.mask, hint;
    struct fv_task *task = fv_task(index);
    struct fv_proc *p = self->proc;
    uint64_t        mine = fv_truth(fv_ref_gen(id), 0, 0, FV_HELD, FV_READY);
    if (fv_load_acquire_64(&task->truth) != mine || task->x != 0 || self->again || self->n_own == 0 || self->own[self->n_own - 1] != id)
        return false;
    const struct fever_def *def = fv_defs[task->def];
    if ((def->flags & (FV_DEF_PLAIN | FEVER_DEF_REENTRANT)) != (FV_DEF_PLAIN | FEVER_DEF_REENTRANT) || def->result_bytes != bytes ||
        def->result_type != type || (char *)__builtin_frame_address(0) < self->stack_low)
        return false;
    const uint32_t *q = fv_queue_of(self->slot);
    uint64_t        b = p->bottom;
    if (b == fv_load_relaxed_64(&p->top) || q[(b - 1) & fv_map.ring_mask] != index || !fv_deque_pop(p, q, fv_map.ring_mask, &hint))
        return false;
    uint64_t run = fv_truth_with(mine, self->slot, FV_RUN), done = fv_truth_with(mine, 0, FV_DONE);
    if (!fv_cas_64(&task->truth, mine, run))
        return false;
    uint64_t outer = p->current;
    uint32_t outer_running = self->running, outer_base = self->own_base;
    bool     outer_failed = self->failed;
    fv_store_relaxed_64(&p->current, id);
    self->running = index + 1;
    self->own_base = self->n_own;
    self->failed = false;
    task->result_bytes = (uint32_t)bytes;
    self->busy = 0;
    def->run(task->args, task->result);
    self->busy = 1;
    if (FV_UNLIKELY(self->failed || self->n_own != self->own_base)) {
        fv_execute_finish(self, index, outer, outer_running, outer_base, outer_failed);
        return false;
    }
    fv_store_relaxed_64(&p->current, outer);
    self->running = outer_running;
    self->own_base = outer_base;
    self->failed = outer_failed;
    fv_count(p, FV_C_in_place);
    /* ORDER complete (release): as in fv_task_complete(), which does it when somebody has set a flag meanwhile. */
    if (FV_UNLIKELY(!fv_cas_64(&task->truth, run, done))) {
        fv_task_complete(self, index, FV_DONE);
        return false;
    }
    fv_count(p, FV_C_done);
    fv_fast_copy(out, task->result, bytes);
    if (FV_UNLIKELY(fv_load_relaxed_32(&self->home[i].extra) != 0 || fv_load_acquire_64(&task->truth) != done ||
                    self->own[self->n_own - 1] != id))
        return false;
    self->n_own--;
    fv_store_release_64(&task->truth, fv_truth(fv_ref_gen(id), 0, 0, 0, FV_FREE)); /* ORDER slot (release) */
    self->cursor = i;
    return true;
}

#endif
