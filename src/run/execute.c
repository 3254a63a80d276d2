/* run/execute.c: runs the body of a claimed task and publishes what came of it.
 *
 * Run by workers, and by the driver with FEVER_INLINE=1.  Writes the task slot that it owns (RUN), its own `now`
 * line, blocks of its own heap.  Dies here: the task is RUN by the dead; the sweep frees what its result
 * holds and repeats or fails it.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "core/cancel.h"
#include "core/delay.h"
#include "core/failure.h"
#include "core/options.h"
#include "core/stream.h"
#include "run/restore.h"
#include "run/runtime.h"
#include "run/setting.h"

/* started: its body has run. */
static void fail(struct fv_self *self, uint32_t index, int code, const char *text, bool started) {
    struct fever_error e;
    struct fv_task    *task = fv_task(index);
    uint64_t           t = fv_load_relaxed_64(&task->truth);
    fv_error_describe(&e, task->def, code);
    fv_task_options_name(index, &e);
    e.attempt = fv_truth_attempt(t) + started;
    e.worker = self->is_worker ? (int)self->proc->number : -1;
    e.worker_pid = (int)self->proc->pid;
    if (code == FEVER_EAPP)
        e.app_code = self->app_code;
    if (text != NULL)
        snprintf(e.text, sizeof e.text, "%s", text);
    if (code == FEVER_EAPP)
        fv_error_frames(&e, self->fail_frame, self->n_fail_frames);
    if (fv_truth_attempt(t) != 0 || self->again)
        fv_error_attempts(&e, fv_ref_make(index, fv_truth_gen(t)));
    if (started)
        fv_error_last_attempt(&e, fv_now_ns());
    fv_task_set_failure(self, index, &e);
    fv_task_complete(self, index, FV_FAIL);
}

static void fail_like(struct fv_self *self, uint32_t index, uint32_t dependency) {
    struct fever_error e;
    fv_task_get_error(dependency, &e);
    fv_error_depend(&e, index);
    fv_task_set_failure(self, index, &e);
    fv_task_complete(self, index, FV_FAIL);
}

/* Dependency k is no ref, but the error of the submission that should have given one; or a ref to what is gone. */
static void fail_as_argument(struct fv_self *self, uint32_t index, uint32_t k) {
    uint64_t        in[3];
    const uint64_t *refs;
    uint32_t        n_deps;
    char            text[160];
    fv_task_refs(index, in, &refs, &n_deps);
    int  code = !fv_ref_tagged(refs[k]) && refs[k] & 0xFFFF ? (int)(refs[k] & 0xFFFF) : FEVER_ESTALE;
    snprintf(text, sizeof text, fv_ref_tagged(refs[k]) ? "ref argument %u is gone: %s" : "ref argument %u is the error of a failed submission: %s", k,
             fever_strerror(code));
    fail(self, index, code, text, false);
}

/* A result that contains refs: moved to a block with a tail of holds.  bytes of it stand at result. */
int fv_keep_refs(struct fv_self *self, uint32_t index, const void *result, uint64_t bytes) {
    struct fv_task *task = fv_task(index);
    uint32_t        gen = fv_truth_gen(fv_load_relaxed_64(&task->truth)), n = 0, i;
    uint64_t        t = 0, id, own = fv_ref_make(index, gen); /* would keep itself alive */
    for (uint64_t at = 0; at + 8 <= bytes; at += 8) {
        memcpy(&id, (const char *)result + at, 8);
        n += fv_ref_tagged(id) && id != own && fv_ref_check(id, &i, &t) == 0;
    }
    if (n == 0)
        return 0;
    uint64_t head = (bytes + 7) & ~7ull, offset;
    int      rc = 0;
    if ((offset = fv_home_alloc_wait(self, index, gen, head + 8 + 8ull * n, true, &rc)) == 0)
        return rc;
    memcpy(fv_at(offset), result, bytes);
    uint64_t *tail = fv_at(offset + head);
    memset(tail, 0, 8 + 8ull * n);
    tail[0] = n;
    struct fv_span old = *(struct fv_span *)task->result, span = {offset, bytes};
    bool           had = task->x & FV_X_RESULT_BLOCK;
    memcpy(task->result, &span, sizeof span);
    fv_or_8(&task->x, FV_X_RESULT_BLOCK | FV_X_NESTED);
    if (had)
        fv_arena_free(&self->heap, old.offset, old.bytes, index, gen);
    for (uint64_t at = 0, k = 0; at + 8 <= bytes && k < n; at += 8) {
        memcpy(&id, (const char *)fv_at(offset) + at, 8);
        if (fv_ref_tagged(id) && id != own && fv_ref_check(id, &i, &t) == 0 && fv_shared_acquire(self, id, &tail[1 + k]))
            k++;
    }
    return 0;
}

static void run_body(struct fv_self *self, uint32_t index) {
    struct fv_task         *task = fv_task(index);
    struct fv_proc         *proc = self->proc;
    const struct fever_def *def = fv_defs[task->def];
    uint64_t                truth = fv_load_relaxed_64(&task->truth);
    /* what an outer body on this stack had there */
    uint64_t outer = proc->current, outer_deadline = proc->deadline_ns, outer_deadline_task = proc->deadline_task;
    uint32_t outer_running = self->running, outer_base = self->own_base;
    bool     outer_failed = self->failed;

    fv_store_relaxed_64(&proc->current, fv_ref_make(index, fv_truth_gen(truth)));
    self->running = index + 1;
    self->own_base = self->n_own;
    self->failed = false;
    if (FV_UNLIKELY(task->x & FV_X_OPTIONS && fv_cold(index)->timeout_ns != 0)) {
        uint64_t at = fv_now_ns() + fv_cold(index)->timeout_ns;
        if (outer_deadline == 0 || at < outer_deadline) {
            fv_store_relaxed_64(&proc->deadline_task, proc->current);
            /* ORDER tick (seq_cst): the deadline before tick_wanted is read.  Pairs with tick (seq_cst) in the supervisor,
             * which clears tick_wanted before it looks for deadlines a last time. */
            fv_fas_64(&proc->deadline_ns, at);
            if (!fv_load_relaxed_32(&fv_map.seg->tick_wanted)) {
                fv_store_release_32(&fv_map.seg->tick_wanted, 1);
                fv_supervisor_ring();
            }
        }
    }

    if (FV_UNLIKELY(task->x & FV_X_OPTIONS && fv_cold(index)->stream != 0))
        fv_stream_begin(fv_at(fv_cold(index)->stream));
    uint64_t bytes = def->result_bytes;
    int      rc = 0;
    bool     may_refs = bytes >= 8 && (def->result_type == 16 || def->result_type == 255);
    if (FV_LIKELY(bytes <= FV_INLINE_RESULT)) {
        task->result_bytes = (uint32_t)bytes;
        def->run(fv_task_args(task), task->result);
        if (FV_UNLIKELY(may_refs) && !self->failed)
            rc = fv_keep_refs(self, index, task->result, bytes);
    } else {
        uint64_t offset = fv_home_alloc_wait(self, index, fv_truth_gen(truth), bytes, false, &rc);
        if (offset != 0) {
            struct fv_span span = {offset, bytes};
            memcpy(task->result, &span, sizeof span);
            fv_or_8(&task->x, FV_X_RESULT_BLOCK); /* after the span: the sweep frees it by that */
            def->run(fv_task_args(task), fv_at(offset));
            if (may_refs && !self->failed)
                rc = fv_keep_refs(self, index, fv_at(offset), bytes);
        }
    }
    if (FV_UNLIKELY(proc->deadline_ns != outer_deadline)) {
        fv_store_release_64(&proc->deadline_ns, outer_deadline);
        fv_store_relaxed_64(&proc->deadline_task, outer_deadline_task);
    }
    if (FV_UNLIKELY(rc < 0 && !self->failed)) {
        self->failed = true;
        self->fail_code = -rc;
    }
    fv_execute_finish(self, index, outer, outer_running, outer_base, outer_failed);
}

/* With a block of options.  What is needed of it after the body is read before: the task may be gone then. */
static __attribute__((noinline)) void run_with_options(struct fv_self *self, uint32_t index) {
    static uint32_t                     calls[FV_MAX_DEFS]; /* of tasks with max_calls, in this process */
    const struct fv_task_options_block *b = fv_task_options_of(index);
    uint32_t                            def = fv_task(index)->def, most = b->max_calls;
    struct fv_setting                   setting;
    if (fv_setting_enter(self, index, b, &setting) < 0) {
        fail(self, index, ENOMEM, "no memory for the environment of the task", false);
        return;
    }
    run_body(self, index);
    fv_setting_leave(self, &setting);
    if (most != 0 && self->is_worker && ++calls[def] >= most && self->running == 0)
        fv_worker_make_room(self);
}

/* What its arguments are of, and is on disk: the body will read it. */
static inline void prefetch_arguments(struct fv_self *self, uint32_t index) {
    uint64_t        in[3];
    const uint64_t *refs;
    uint32_t        n_deps;
    if (FV_LIKELY(fv_load_relaxed_32(&fv_map.seg->keeper.slot) == 0))
        return;
    fv_task_refs(index, in, &refs, &n_deps);
    for (uint32_t i = 0; i < n_deps; i++)
        fv_store_prefetch(self, refs[i]);
}

void fv_execute(struct fv_self *self, uint32_t index) {
    struct fv_task *task = fv_task(index);
    if (FV_UNLIKELY(task->x & FV_X_REFS)) {
        uint32_t failed = 0;
        int      rc = fv_task_resolve(self, index, &failed);
        if (rc == 0)
            return; /* somebody else's by now */
        if (rc == 1)
            prefetch_arguments(self, index);
        if (rc == -1) {
            fail_like(self, index, failed);
            return;
        }
        if (rc == -3) {
            fv_cancel_end(self, index, "cancelled before it started");
            return;
        }
        if (rc < 0) {
            fail_as_argument(self, index, failed);
            return;
        }
    }
    if (FV_UNLIKELY(task->x & FV_X_OPTIONS && fv_cold(index)->options != 0))
        run_with_options(self, index);
    else
        run_body(self, index);
}

void fv_execute_finish(struct fv_self *self, uint32_t index, uint64_t outer, uint32_t outer_running, uint32_t outer_base,
                       bool outer_failed) {
    bool     failed = self->failed;
    uint64_t id = self->proc->current;
    bool     told = FV_UNLIKELY(failed) && self->fail_told;
    unsigned cancel = FV_UNLIKELY(failed) ? fv_cancel_asked(index, fv_ref_gen(id)) : 0;
    if (FV_UNLIKELY(cancel & FV_CANCEL_TREE)) /* what it submitted after the others were looked for */
        fv_cancel_children(self, id, self->slot, cancel);
    if (FV_UNLIKELY(self->n_own > self->own_base))
        fv_own_release(self, self->own_base);
    self->running = outer_running;
    self->own_base = outer_base;
    self->failed = outer_failed;
    if (FV_UNLIKELY(told))
        self->fail_told = false;
    if (FV_UNLIKELY(cancel != 0)) {
        fail(self, index, FEVER_ECANCELED, "cancelled while it ran", true);
    } else if (FV_UNLIKELY(failed)) {
        int code = self->fail_code == FEVER_ECANCELED ? FEVER_EAPP : self->fail_code; /* another one, on its stack, was told */
        if (code != FEVER_EAPP || !fv_task_retry(self, index, self->app_code)) {
            fail(self, index, code, code == FEVER_EAPP || told ? self->fail_text : NULL, true);
        } else if (self->call_supervisor && self->is_worker) { /* it is to be woken when the task's time comes */
            self->call_supervisor = false;
            fv_supervisor_ring();
        }
    } else {
        fv_task_complete(self, index, FV_DONE);
    }
    fv_store_relaxed_64(&self->proc->current, outer); /* last: a task that is RUN and not current has not started */
}
