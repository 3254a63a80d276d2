/* core/queued.c: see queued.h.
 *
 * Run by submitters, by whoever makes such a task READY again, and by the supervisor.  Writes queued bits and, through
 * core/task.c, truth words.  Dies here: a task without its bit is READY without a hint, and the sweep makes one.
 * Deliberately not here: who is granted what (policy/dispatch.c, run/dispatcher.c).
 */
#include "core/queued.h"

#include "core/cancel.h"

void fv_dispatch_queue(struct fv_self *self, uint32_t index) {
    /* ORDER queued (seq_cst): READY and the bit, then queued_by, before awake is read.  Pairs with queued (seq_cst) in
     * fv_dispatch_sleep(), where awake goes off before queued_by is read.  All are locked instructions.  Losing it: the supervisor
     * sleeps, and the task waits. */
    fv_or_64(&fv_map.queued[index / 64], 1ull << (index % 64));
    fv_bit_set(fv_map.seg->dispatch.queued_by, fv_home_of(index));
    if (!fv_load_relaxed_32(&fv_map.seg->dispatch.awake))
        self->call_supervisor = true;
}

bool fv_dispatch_tell(void) {
    /* ORDER served (release): served and standing before told, which is before awake is read.  Pairs with served (acquire) in
     * the supervisor, where awake goes off before told is read. */
    fv_fas_32(&fv_map.seg->dispatch.told, 1);
    return !fv_load_relaxed_32(&fv_map.seg->dispatch.awake);
}

void fv_dispatch_collect(void (*each)(void *arg, uint32_t index), void *arg) {
    struct fv_segment *s = fv_map.seg;
    for (uint32_t w = 0; w < (s->n_procs + 63) / 64; w++) {
        /* ORDER queued (seq_cst): queued_by is taken before the bits: who sets a bit later sets queued_by again. */
        uint64_t homes = fv_load_relaxed_64(&s->dispatch.queued_by[w]) == 0 ? 0 : fv_fas_64(&s->dispatch.queued_by[w], 0);
        for (; homes != 0; homes &= homes - 1) {
            uint32_t p = w * 64 + (uint32_t)__builtin_ctzll(homes), base = p << fv_map.shift;
            uint32_t end = base + fv_load_acquire_32(&fv_proc(p)->slab_limit);
            for (uint32_t i = base / 64; i <= (end - 1) / 64; i++) {
                uint64_t bits = fv_load_relaxed_64(&fv_map.queued[i]) == 0 ? 0 : fv_fas_64(&fv_map.queued[i], 0);
                for (; bits != 0; bits &= bits - 1)
                    each(arg, i * 64 + (uint32_t)__builtin_ctzll(bits));
            }
        }
    }
}

static void hand_back(struct fv_self *self, uint32_t index) {
    struct fv_task *task = fv_task(index);
    uint64_t        t = fv_load_relaxed_64(&task->truth);
    while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->again, FV_READY), &t)) /* flags may change under us */
        ;
}

bool fv_dispatch_hold_still(struct fv_self *self, uint32_t index, uint32_t gen) {
    self->granted = fv_ref_make(index, gen);
    bool claimed = fv_task_claim(self, index);
    self->granted = 0;
    if (!claimed)
        return false;
    if (fv_truth_gen(fv_load_relaxed_64(&fv_task(index)->truth)) == gen && fv_task_is_queued(index) && fv_task_options_of(index) != NULL)
        return true;
    hand_back(self, index); /* the slot's next user, an ordinary task: its hint may have been dropped meanwhile */
    fv_task_hint(self, index);
    return false;
}

bool fv_dispatch_let_go(struct fv_self *self, uint32_t index, uint32_t gen) {
    uint32_t failed;
    int      rc = fv_task(index)->x & FV_X_REFS ? fv_task_resolve(self, index, &failed) : 1;
    if (rc == -3)
        fv_cancel_end(self, index, "cancelled before it started");
    if (rc == 0 || rc == -3)
        return false;
    hand_back(self, index);
    if (fv_cancel_asked(index, gen)) /* meanwhile: who asked for it has seen it RUN */
        return fv_cancel(self, fv_ref_make(index, gen), FV_CANCEL_ASKED) != 1;
    return true;
}

bool fv_dispatch_await_arguments(struct fv_self *self, uint32_t index, uint32_t gen) {
    return fv_dispatch_hold_still(self, index, gen) && fv_dispatch_let_go(self, index, gen);
}
