/* api/stream.c: yielding items and taking them: what core/stream.c does, and the waiting.
 *
 * A body that waits for room, or for an item, is a blocked worker: a spare stands in, since whom it waits for may be a task.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/deadlock.h"
#include "core/stream.h"

#define FEW_REFS 16u

static void start_wait(struct fv_self *self, unsigned reason, uint64_t ref) {
    if (self->is_worker)
        fv_worker_block(self, reason == FV_WAIT_ROOM ? 0 : ref, FV_BLOCKED_ON_SOME);
    else if (self->n_refs != 0)
        fv_home_reap(self);
    fv_note_wait(self, reason, ref);
}

static void end_wait(struct fv_self *self) {
    if (self->is_worker)
        fv_worker_unblock(self);
    else
        fv_note_wait(self, FV_WAIT_NOT, 0);
}

/* ------------------------------------------------------------------------------------------------ yield */

/* 0: there is room for an item of so many bytes; or nobody wants it. */
static int await_room(struct fv_self *self, uint32_t index, struct fv_stream *s, uint64_t bytes) {
    if (fv_stream_has_room(s, bytes))
        return 0;
    if (self->is_inline)
        return -FEVER_EDEADLK; /* the consumer comes after us */
    int rc = 0;
    start_wait(self, FV_WAIT_ROOM, self->proc->current);
    for (;;) {
        uint32_t seen = fv_bell_read(self->proc);
        fv_stream_announce_room(self, s);
        if (fv_stream_has_room(s, bytes) || fv_stream_is_abandoned(index))
            break;
        if (fv_cancel_told(self))
            rc = -FEVER_ECANCELED;
        else if (fv_load_acquire_32(&self->proc->spare_denied))
            rc = -FEVER_EDEPTH;
        else
            rc = fv_sleep(self, seen, UINT64_MAX);
        if (rc < 0)
            break;
    }
    fv_store_relaxed_32(&s->producer, 0);
    end_wait(self);
    return rc;
}

/* The refs in an item: at *refs_out, `few` or allocated. */
static int find_refs(const void *item, size_t bytes, fever_ref few[FEW_REFS], fever_ref **refs_out, size_t *n_out) {
    size_t    n = 0;
    uint64_t  t = 0;
    uint32_t  index = 0;
    fever_ref ref;
    *refs_out = few;
    for (int pass = 0; pass < 2; pass++) {
        n = 0;
        for (size_t at = 0; at + 8 <= bytes; at += 8) {
            memcpy(&ref, (const char *)item + at, sizeof ref);
            if (!fv_ref_tagged(ref.id) || fv_ref_check(ref.id, &index, &t) < 0)
                continue;
            if (pass == 1 || n < FEW_REFS)
                (*refs_out)[n] = ref;
            n++;
        }
        if (n <= FEW_REFS)
            break;
        if (pass == 0 && (*refs_out = malloc(n * sizeof ref)) == NULL)
            return -ENOMEM;
    }
    *n_out = n;
    return 0;
}

static int put_item(struct fv_self *self, const void *item, size_t bytes, unsigned type, uint64_t site, fever_ref *ref_out) {
    fever_ref few[FEW_REFS], *refs = few;
    size_t    n = 0;
    int       rc = type == 0 || type == 16 || type == 255 ? find_refs(item, bytes, few, &refs, &n) : 0;
    if (rc == 0)
        rc = fv_put(self, item, bytes, refs, n, site, ref_out);
    if (refs != few)
        free(refs);
    if (rc == 0 && self->n_own > self->own_base)
        fv_own_remove(self, ref_out->id);
    return rc;
}

static int yield(struct fv_self *self, uint32_t index, struct fv_stream *s, const void *item, size_t bytes, unsigned type, uint64_t site) {
    const struct fever_def *def = fv_defs[fv_task(index)->def];
    fever_ref               ref;
    if (item == NULL && bytes != 0)
        return -FEVER_ENULL;
    if (type != 0 && (type != def->item_type || bytes != def->item_bytes))
        return -FEVER_ETYPE;
    if (s->next < s->n_yielded) { /* an earlier attempt has yielded it */
        s->next++;
        return 0;
    }
    int rc = await_room(self, index, s, bytes);
    if (rc == 0 && fv_stream_is_abandoned(index)) {
        fv_stream_drain(self, s);
        return -FEVER_ECANCELED;
    }
    if (rc == 0)
        rc = put_item(self, item, bytes, type, site, &ref);
    if (rc == 0) {
        fv_stream_push(self, s, ref.id, bytes);
        fv_unhold(self, ref.id);
    }
    return rc;
}

int fever_yield_raw(const void *item, size_t bytes, unsigned type) {
    int             why;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = self->running - 1;
    if (self->running == 0 || !fv_is_stream(index))
        return fv_leave(self, -FEVER_ECONTEXT);
    if (self->failed || fv_cancel_told(self))
        return fv_leave(self, -self->fail_code);
    int rc = yield(self, index, fv_at(fv_cold(index)->stream), item, bytes, type, FV_SITE());
    if (rc < 0 && rc != -FEVER_ECANCELED) { /* no item is lost unseen */
        self->failed = true;
        self->fail_code = -rc;
    }
    return fv_leave(self, rc);
}

/* ------------------------------------------------------------------------------------------------ next */

/* What there is now: 1: *id_out; 0: nothing yet; -FEVER_EEND, or another error. */
static int look(struct fv_self *self, uint32_t index, uint32_t gen, struct fv_stream *s, uint64_t *id_out) {
    int      rc = fv_stream_take(self, s, id_out);
    uint64_t t;
    if (rc != 0 || !fv_state_is_complete(fv_truth_state(t = fv_load_acquire_64(&fv_task(index)->truth))))
        return rc;
    if ((rc = fv_stream_take(self, s, id_out)) != 0) /* it may have yielded more before it ended */
        return rc;
    if (fv_truth_state(t) != FV_FAIL || fv_load_acquire_64(&s->error_given) != 0)
        return -FEVER_EEND;
    *id_out = fv_ref_make(index, gen);
    rc = fv_hold(self, *id_out);
    if (rc < 0)
        return rc;
    if (fv_cas_64(&s->error_given, 0, 1))
        return 1;
    fv_unhold(self, *id_out); /* another consumer has it */
    return -FEVER_EEND;
}

static int next(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline, uint64_t *id_out) {
    struct fv_stream *s = fv_stream_of(index, gen);
    if (s == NULL)
        return -FEVER_EINVAL;
    if (self->is_inline)
        fv_run_inline(self, index);
    int rc = look(self, index, gen, s, id_out);
    if (rc != 0)
        return rc;
    if (fv_cancel_told(self))
        return -FEVER_ECANCELED;
    if (deadline == 0)
        return -FEVER_ETIMEDOUT;
    if (self->running != 0 && index == self->running - 1) {
        fv_deadlock_own(self);
        return -FEVER_EDEADLK; /* its own stream */
    }
    if (self->is_inline && deadline == UINT64_MAX && fv_is_alone(self, fv_load_acquire_64(&fv_task(index)->truth)))
        return -FEVER_EDEADLK; /* it has not run: what it depends on is not there, and nobody else will bring it */
    uint64_t until = FV_MIN(fv_now_ns() + (self->is_worker ? FV_MIN(self->spin_ns, 2000u) : self->spin_ns), deadline);
    do {
        fv_pause();
        rc = look(self, index, gen, s, id_out);
    } while (rc == 0 && fv_now_ns() < until);
    if (rc != 0)
        return rc;
    start_wait(self, FV_WAIT_ITEM, fv_ref_make(index, gen));
    for (bool over = false;;) {
        uint32_t seen = fv_bell_read(self->proc);
        fv_stream_announce_wait(self, s);
        fv_task_announce_wait(self, index, gen);
        if ((rc = look(self, index, gen, s, id_out)) != 0)
            break;
        if (fv_cancel_told(self)) {
            rc = -FEVER_ECANCELED;
            break;
        }
        if (over) {
            rc = -FEVER_ETIMEDOUT;
            break;
        }
        if (self->is_worker && fv_load_acquire_32(&self->proc->spare_denied)) {
            rc = -FEVER_EDEPTH;
            break;
        }
        if (self->is_worker && deadline == UINT64_MAX && fv_deadlock_told(self, seen)) {
            rc = -FEVER_EDEADLK;
            break;
        }
        rc = fv_sleep(self, seen, deadline);
        if (rc < 0 && rc != -FEVER_ETIMEDOUT)
            break;
        over = rc < 0;
    }
    end_wait(self);
    return rc;
}

int fever_stream_next(fever_ref stream, fever_ref *item_out, double timeout_s) {
    int why;
    if (item_out == NULL)
        return -FEVER_ENULL;
    if (isnan(timeout_s))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    uint64_t t = 0, id = 0;
    int      rc = fv_ref_check(stream.id, &index, &t);
    if (rc == 0)
        rc = next(self, index, fv_ref_gen(stream.id), fv_deadline(timeout_s), &id);
    if (rc > 0) {
        item_out->id = id;
        if (self->is_worker || self->running != 0)
            fv_own_add(self, id);
        rc = 0;
    }
    return fv_leave(self, rc);
}
