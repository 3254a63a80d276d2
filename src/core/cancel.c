/* core/cancel.c: takes back what was submitted.
 *
 * Run by whoever cancels: drivers, bodies, and the supervisor for the children of the dead.  Writes the cold line's `cancel` (the
 * request), `cancelling` of its own process slot, truth words, and cancel_wanted of the header.
 *
 * First the request, which stays as long as the generation.  Then, by the state:
 *
 *   READY, BLOCKED,        is claimed as if to run it (RUN by who cancels), and fails.  A worker that is quicker runs it, see below.
 *   DELAYED, OPEN
 *                          Killed before the claim: nothing has happened, but that the body, when it runs, finds the request.
 *                          Killed after it: RUN by the dead with a request, which the sweep lets fail, uncharged.
 *   RUN                    its process is told by its bell.  The body hears of it when it asks or waits; one that does neither
 *                          completes as if nothing were.  Whoever hands it back just then (BLOCKED: it is being registered with a
 *                          dependency; READY, DELAYED: it is repeated) looks for a request afterwards, and takes it back.
 *   RUN, by force          the supervisor, which learns of it by cancel_wanted and its bell, kills the process.  It looks after each
 *                          death, too, as who cancels may die between the two.  What is RUN by who cancels it (`cancelling`) it leaves alone.
 *   DONE, FAIL             nothing.
 *
 * Children are the tasks whose `parent` is this one.  They stand in the slab of the process that runs it, those of earlier attempts
 * in any.  Those that it submits
 * after we looked there are cancelled when it ends.
 */
#include "core/cancel.h"

#include "core/actor.h"
#include "core/failure.h"
#include "core/queued.h"

#include <stdlib.h>
#include <string.h>

struct worklist {
    uint64_t  few[64], *id;
    uint32_t  n, room;
};

static void push(struct worklist *w, uint64_t id) {
    if (w->n == w->room) {
        uint64_t *p = malloc(2ull * w->room * sizeof *p);
        if (p == NULL)
            return; /* out of memory: it is cancelled when its parent ends */
        memcpy(p, w->id, w->n * sizeof *p);
        if (w->id != w->few)
            free(w->id);
        w->id = p;
        w->room *= 2;
    }
    w->id[w->n++] = id;
}

static bool is_over(uint64_t t, uint32_t gen) {
    unsigned s = fv_truth_state(t);
    return fv_truth_gen(t) != gen || fv_state_is_complete(s) || s == FV_FREE || s == FV_DYING;
}

void fv_cancel_ask(uint32_t index, uint32_t gen, unsigned how) {
    uint64_t *word = &fv_cold(index)->cancel, w = fv_load_relaxed_64(word), to;
    do {
        uint32_t of = (uint32_t)(w >> 32);
        if (w != 0 && (int32_t)(of - gen) > 0)
            return;
        to = (uint64_t)gen << 32 | how | (of == gen ? (uint32_t)w : 0);
        /* ORDER cancel (seq_cst): the request before the state is read, and before the bell rings.  Pairs with cancel (acquire) in
         * fv_cancel_asked(): who registers writes BLOCKED before it looks, who sleeps reads its bell before it looks.
         * Losing it: it stays BLOCKED, or asleep, although it is cancelled. */
    } while (!fv_cas_value_64(word, w, to, &w));
}

void fv_cancel_end(struct fv_self *self, uint32_t index, const char *text) {
    struct fv_task    *task = fv_task(index);
    struct fever_error e;
    fv_error_describe(&e, fv_task_def_of(task), FEVER_ECANCELED);
    e.attempt = fv_truth_attempt(fv_load_relaxed_64(&task->truth)); /* those before; this one has not begun */
    snprintf(e.text, sizeof e.text, "%s", text);
    if (e.attempt > 0)
        fv_error_attempts(&e, fv_ref_make(index, fv_truth_gen(fv_load_relaxed_64(&task->truth))));
    fv_task_set_failure(self, index, &e);
    fv_task_complete(self, index, FV_FAIL);
}

/* *runs_in_out: the process slot that runs it, or FV_NO_PROC. */
static int cancel_one(struct fv_self *self, uint64_t id, unsigned how, uint32_t *runs_in_out) {
    uint32_t        index = fv_ref_index(id), gen = fv_ref_gen(id);
    struct fv_task *task = fv_task(index);
    uint64_t        t = fv_load_acquire_64(&task->truth);
    *runs_in_out = FV_NO_PROC;
    if (is_over(t, gen))
        return 0;
    bool is_task = task->kind == FV_KIND_TASK;
    if (task->kind == FV_KIND_OBJECT || task->kind == FV_KIND_ACTOR)
        return -FEVER_ESTATE;
    if (fv_task_is_call(index))
        how &= ~FV_CANCEL_FORCE; /* its process is the actor */
    fv_cancel_ask(index, gen, how & ~FV_CANCEL_FORCE);
    while (!is_over(t = fv_load_acquire_64(&task->truth), gen) && fv_truth_state(t) != FV_RUN) {
        fv_store_release_64(&self->proc->cancelling, id);
        bool mine = fv_cas_64(&task->truth, t, fv_truth_with(t, self->slot, FV_RUN));
        if (mine && fv_task_is_queued(index))
            fv_dispatch_queue(self, index); /* the supervisor is to forget it */
        if (mine)
            fv_cancel_end(self, index, is_task ? "cancelled before it started" : "the promise was cancelled");
        fv_store_release_64(&self->proc->cancelling, 0);
        if (mine)
            return 1;
    }
    if (is_over(t, gen))
        return 0;
    if (!is_task)
        return 1; /* it is being set: that counts, or else whoever hands it back looks for the request */
    *runs_in_out = fv_truth_owner(t);
    if (how & FV_CANCEL_FORCE) {
        fv_cancel_ask(index, gen, how);
        fv_store_release_32(&fv_map.seg->cancel_wanted, 1);
        self->call_supervisor = true;
    }
    fv_bell_ring(fv_proc(fv_truth_owner(t)));
    return 1;
}

static void add_children_in(struct worklist *w, uint64_t parent, uint32_t p) {
    for (uint32_t i = p << fv_map.shift, end = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < end; i++) {
        uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
        unsigned s = fv_truth_state(t);
        if ((s == FV_READY || s == FV_RUN || s == FV_BLOCKED || s == FV_DELAYED) && fv_task(i)->kind == FV_KIND_TASK &&
            fv_load_relaxed_64(&fv_cold(i)->parent) == parent)
            push(w, fv_ref_make(i, fv_truth_gen(t)));
    }
}

/* p: where it runs.  An earlier attempt may have submitted some elsewhere. */
static void add_children(struct worklist *w, uint64_t parent, uint32_t p) {
    uint64_t t = fv_load_acquire_64(&fv_task(fv_ref_index(parent))->truth);
    add_children_in(w, parent, p);
    if (fv_truth_gen(t) != fv_ref_gen(parent) || fv_truth_attempt(t) == 0)
        return;
    FV_EACH_ACTIVE(q)
        if (q != p)
            add_children_in(w, parent, q);
}

static void cancel_all(struct fv_self *self, struct worklist *w, unsigned how) {
    while (w->n > 0) {
        uint64_t id = w->id[--w->n];
        uint32_t p;
        if (cancel_one(self, id, how, &p) == 1 && p != FV_NO_PROC)
            add_children(w, id, p);
    }
    if (w->id != w->few)
        free(w->id);
}

int fv_cancel(struct fv_self *self, uint64_t id, unsigned how) {
    uint32_t p;
    int      rc = cancel_one(self, id, how, &p);
    if (rc == 1 && p != FV_NO_PROC && how & FV_CANCEL_TREE)
        fv_cancel_children(self, id, p, how);
    return rc;
}

void fv_cancel_children(struct fv_self *self, uint64_t parent, uint32_t p, unsigned how) {
    struct worklist w;
    w.id = w.few, w.n = 0, w.room = FV_COUNT_OF(w.few);
    add_children(&w, parent, p);
    cancel_all(self, &w, how);
}

void fv_cancel_each_forced(void (*found)(uint32_t slot, uint64_t id)) {
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, end = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < end; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            if (fv_truth_state(t) != FV_RUN || !(fv_cancel_asked(i, fv_truth_gen(t)) & FV_CANCEL_FORCE))
                continue;
            uint32_t owner = fv_truth_owner(t);
            uint64_t id = fv_ref_make(i, fv_truth_gen(t));
            if (fv_load_acquire_64(&fv_proc(owner)->cancelling) == id)
                continue;
            uint64_t again = fv_load_acquire_64(&fv_task(i)->truth); /* if unchanged, it was not being cancelled just now */
            if (((again ^ t) & ~(uint64_t)FV_FLAGS) == 0)
                found(owner, id);
        }
}
