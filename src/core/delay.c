/* core/delay.c: tasks that are run once more: at once, or not before some time.
 *
 * Run by workers, for a body that failed and may be repeated, and by the supervisor, after a death and when the time has come.
 * Writes truth words and not_before_ns in the cold line.  A task that waits for its time is DELAYED: nobody can claim it, so a stale
 * hint does no harm.  seg->delayed_until_ns is a hint to the supervisor, when to look; all that is DELAYED is found by a look
 * at all slots.  Killed before the task is DELAYED: RUN by the dead.  Killed before the hint is set: the sweep sets it.
 */
#include "core/delay.h"

#include "base/clock.h"
#include "core/attempt.h"
#include "core/cancel.h"
#include "core/options.h"

#define RETRY_DELAY_MOST_NS 60000000000ull

uint64_t fv_delay_of(uint64_t base_ns, uint64_t most_ns, unsigned n, uint64_t id) {
    uint64_t delay = base_ns, seed = (id + n) * 0x9E3779B97F4A7C15ull;
    most_ns = FV_MAX(most_ns, base_ns);
    while (--n > 0 && delay < most_ns)
        delay *= 2;
    delay = FV_MIN(delay, most_ns);
    return delay + (delay / 2 / 1024) * (seed >> 54); /* tasks that failed together do not come back together */
}

void fv_task_clear_result(struct fv_self *self, uint32_t index, struct fv_heap *heap) {
    struct fv_task *task = fv_task(index);
    uint64_t        t = fv_load_relaxed_64(&task->truth), n, *nested = fv_task_nested(index, t, &n);
    if (nested != NULL)
        for (uint64_t i = 0; i < n; i++)
            if (fv_load_relaxed_64(&nested[i]) != 0)
                fv_shared_release(self, nested[i], &nested[i]);
    struct fv_span *s = (struct fv_span *)task->result;
    if (task->x & FV_X_RESULT_BLOCK && s->offset != 0)
        fv_arena_free(heap, s->offset, fv_task_block_bytes(index, t), index, fv_truth_gen(t));
    if (task->x & FV_X_FAILURE && ((struct fv_failure *)task->result)->error != 0)
        fv_arena_free(heap, ((struct fv_failure *)task->result)->error, sizeof(struct fever_error), index, fv_truth_gen(t));
    if (task->x & (FV_X_RESULT_BLOCK | FV_X_NESTED | FV_X_FAILURE))
        fv_and_8(&task->x, (uint8_t)~(FV_X_RESULT_BLOCK | FV_X_NESTED | FV_X_FAILURE));
}

bool fv_task_requeue(struct fv_self *self, uint32_t index, uint32_t owner, unsigned attempt, bool uncharged, uint64_t not_before_ns) {
    struct fv_task *task = fv_task(index);
    uint64_t        t = fv_load_acquire_64(&task->truth), to;
    if (not_before_ns != 0)
        fv_store_relaxed_64(&fv_cold(index)->not_before_ns, not_before_ns);
    do { /* flags may change under us */
        if (fv_truth_state(t) != FV_RUN || fv_truth_owner(t) != owner)
            return false;
        to = (fv_truth_with(t, uncharged, not_before_ns != 0 ? FV_DELAYED : FV_READY) & ~0xFF00ull) | (uint64_t)attempt << 8;
        /* ORDER delay (seq_cst): DELAYED, and its time before that, before delayed_until_ns is read in fv_delay_note().  Pairs with
         * delay (seq_cst) in fv_delay_release().  Losing it: the task is DELAYED for ever. */
    } while (!fv_cas_value_64(&task->truth, t, to, &t));
    fv_count(self->proc, FV_C_retried);
    if (FV_UNLIKELY(fv_cancel_asked(index, fv_truth_gen(t)))) /* since we looked: who asked for it has seen it RUN */
        fv_cancel(self, fv_ref_make(index, fv_truth_gen(t)), FV_CANCEL_ASKED);
    return true;
}

void fv_delay_note(struct fv_self *self, uint64_t at_ns) {
    uint64_t *until = &fv_map.seg->delayed_until_ns, now = fv_load_relaxed_64(until);
    while (now == 0 || at_ns < now)
        if (fv_cas_value_64(until, now, at_ns, &now)) {
            self->call_supervisor = true;
            return;
        }
}

void fv_delay_release(struct fv_self *self, uint64_t now_ns) {
    /* ORDER delay (seq_cst): the hint goes off before the look at all slots.  Pairs with delay (seq_cst) in fv_task_requeue(): who makes a
     * task DELAYED too late for this look finds the hint off, and sets it. */
    fv_fas_64(&fv_map.seg->delayed_until_ns, 0);
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, end = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < end; i++) {
            struct fv_task *task = fv_task(i);
            uint64_t        t = fv_load_acquire_64(&task->truth);
            if (fv_truth_state(t) != FV_DELAYED)
                continue;
            uint64_t at = fv_load_relaxed_64(&fv_cold(i)->not_before_ns);
            if (at > now_ns)
                fv_delay_note(self, at);
            else
                while (fv_truth_state(t) == FV_DELAYED)
                    if (fv_cas_value_64(&task->truth, t, fv_truth_with(t, fv_truth_owner(t), FV_READY), &t)) {
                        fv_task_hint(self, i);
                        break;
                    }
        }
}

static bool is_listed(const struct fv_task_options_block *b, int app_code) {
    const int32_t *code = fv_task_options_codes(b);
    bool           found = b->retry == FEVER_RETRY_ALL;
    for (uint32_t i = 0; i < b->n_codes && !found; i++)
        found = code[i] == app_code;
    return found;
}

bool fv_task_retry(struct fv_self *self, uint32_t index, int app_code) {
    const struct fv_task_options_block *b = fv_task_options_of(index);
    if (b == NULL || !is_listed(b, app_code))
        return false;
    const struct fv_task_cold *c = fv_cold(index);
    uint64_t t = fv_load_relaxed_64(&fv_task(index)->truth);
    unsigned attempt = fv_truth_attempt(t) + 1;
    if (attempt > c->max_retries || fv_cancel_asked(index, fv_truth_gen(t)))
        return false;
    uint64_t id = fv_ref_make(index, fv_truth_gen(t)), now = fv_now_ns();
    uint64_t at = b->retry_delay_ns == 0 ? 0 : now + fv_delay_of(b->retry_delay_ns, RETRY_DELAY_MOST_NS, attempt, id);
    struct fv_attempt a = {.task = id, .when_ns = now, .worker = self->is_worker ? (int)self->proc->number : -1, .pid = self->proc->pid,
                           .attempt = (uint16_t)attempt, .code = FEVER_EAPP, .charged = 1, .detail = app_code};
    fv_attempt_note(&a);
    fv_task_clear_result(self, index, &self->heap);
    fv_task_requeue(self, index, self->slot, attempt, false, at);
    if (at != 0)
        fv_delay_note(self, at);
    else
        fv_task_hint(self, index);
    return true;
}
