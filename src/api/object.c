/* api/object.c: objects and promises.
 *
 * Run by drivers and by bodies.  A put fills a task slot of the caller's own and a block of its own heap; killed on the way,
 * nothing was published, and the sweep finds the block.
 */
#include <string.h>

#include "api/api.h"
#include "base/copy.h"
#include "core/object.h"
#include "run/restore.h"

/* A free slot of one's own, filled but for truth. */
static int new_slot(struct fv_self *self, uint8_t kind, uint64_t site, uint32_t *index_out, uint32_t *gen_out) {
    uint64_t spin_until = 0;
    uint32_t index = self->slot << fv_map.shift | self->cursor;
    struct fv_home_slot *next = &self->home[self->cursor];
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    if (FV_LIKELY(fv_truth_state(t) == FV_FREE && fv_truth_gen(t) + 1 > 1 && next->group == 0 && next->refs == 0)) {
        self->cursor = self->cursor + 1 == self->limit ? 0 : self->cursor + 1; /* the common case: the slot at the cursor */
        *gen_out = fv_truth_gen(t) + 1;
    } else while ((index = fv_task_alloc(self, gen_out)) == FV_NO_TASK) {
        int rc = self->is_inline ? -FEVER_ENOSLOTS : fv_wait_slot(self, &spin_until);
        if (rc < 0)
            return rc;
    }
    struct fv_task *task = fv_task(index);
    fv_task_begin(task, 0, kind, false, 0, 0);
    task->args[0] = site;
    task->args[1] = 0;
    struct fv_home_slot *h = &self->home[index & fv_map.mask];
    h->extra = 0;
    h->group = 0;
    h->site = site;
    *index_out = index;
    return 0;
}

static void publish(struct fv_self *self, uint32_t index, uint32_t gen, unsigned state, fever_ref *ref_out) {
    fv_store_release_64(&fv_task(index)->truth, fv_truth(gen, state == FV_OPEN ? self->slot : 0, 0, FV_HELD, state));
    ref_out->id = fv_ref_make(index, gen);
    if (self->is_worker || self->running != 0)
        fv_own_add(self, ref_out->id);
}

/* Of a slot that is not to be published after all. */
static int give_up(struct fv_self *self, uint32_t index, uint32_t gen, const struct fv_object_spec *spec, int why) {
    if (spec != NULL && spec->block_bytes != 0)
        fv_arena_free(&self->heap, fv_cold(index)->options, spec->block_bytes, index, gen);
    return why;
}

static int describe(struct fv_self *self, uint32_t index, uint32_t gen, const struct fv_object_spec *spec) {
    int      rc = 0;
    unsigned vain = 0;
    while (rc == 0 && !fv_object_describe(self, index, gen, &spec->options, spec->block_bytes))
        rc = fv_make_room(self, spec->block_bytes, &vain);
    return rc;
}

/* Its block of options and that of its bytes, as soon as there is room; 0: *why_out, and it has neither. */
static inline uint64_t alloc_blocks(struct fv_self *self, uint32_t index, uint32_t gen, const struct fv_object_spec *spec, uint64_t bytes, bool has_refs,
                                    int *why_out) {
    uint64_t offset, in_file = 0;
    unsigned vain = 0;
    int      rc;
    if (spec != NULL && spec->block_bytes != 0 && (*why_out = describe(self, index, gen, spec)) < 0)
        return 0;
    while (FV_UNLIKELY((offset = spec == NULL ? fv_home_alloc(self, index, gen, bytes)
                                              : fv_object_alloc(self, index, gen, bytes, spec->options.alignment)) == 0)) {
        rc = has_refs ? fv_make_room(self, bytes, &vain) : fv_make_room_for(self, index, gen, bytes, &vain, &in_file);
        if (in_file != 0)
            return in_file;
        if (rc < 0) {
            *why_out = give_up(self, index, gen, spec, rc);
            return 0;
        }
    }
    return offset;
}

/* spec: NULL for most. */
static inline int put(struct fv_self *self, const void *data, size_t bytes, const fever_ref *refs, size_t n_refs,
                      const struct fv_object_spec *spec, uint64_t site, fever_ref *ref_out) {
    uint32_t index = 0, gen = 0;
    uint64_t head = (bytes + 7) & ~7ull, t = 0, total = bytes + (n_refs != 0 ? head - bytes + 8 + 8 * n_refs : 0);
    unsigned x = 0;
    if (FV_UNLIKELY(bytes > fv_arena_capacity() || n_refs > fv_arena_capacity() / 8 || total > fv_arena_capacity()))
        return -FEVER_ETOOBIG;
    for (size_t i = 0; i < n_refs; i++) {
        int rc = fv_ref_check(refs[i].id, &index, &t);
        if (rc < 0)
            return rc;
    }
    int rc = new_slot(self, FV_KIND_OBJECT, site, &index, &gen);
    if (FV_UNLIKELY(rc < 0))
        return rc;
    struct fv_task *task = fv_task(index);
    if (spec != NULL && spec->block_bytes != 0)
        x = FV_X_OPTIONS;
    if (bytes <= FV_INLINE_RESULT && n_refs == 0) {
        if (FV_UNLIKELY(x != 0) && (rc = describe(self, index, gen, spec)) < 0)
            return rc;
        if (bytes != 0)
            memcpy(task->result, data, bytes);
        task->result_bytes = (uint32_t)bytes;
    } else {
        uint64_t offset = alloc_blocks(self, index, gen, spec, total, n_refs != 0, &rc);
        if (FV_UNLIKELY(offset == 0))
            return rc;
        fv_copy(fv_at(offset), data, bytes);
        task->result[0] = offset;
        task->result[1] = bytes;
        x |= FV_X_RESULT_BLOCK;
        if (FV_UNLIKELY(n_refs != 0)) {
            uint64_t *tail = fv_at(offset + head);
            memset(tail, 0, 8 + 8 * n_refs);
            tail[0] = n_refs;
            task->x = (uint8_t)(x | FV_X_NESTED);
            x |= FV_X_NESTED;
            /* the slot must be live while its records are made, so that a recount sees them */
            fv_store_release_64(&task->truth, fv_truth(gen, self->slot, 0, FV_HELD, FV_OPEN));
            for (size_t i = 0; i < n_refs; i++)
                fv_shared_acquire(self, refs[i].id, &tail[1 + i]);
        }
    }
    if (FV_UNLIKELY(spec != NULL || bytes >= FV_DATED_BYTES))
        task->args[1] = fv_now_ns();
    task->x = (uint8_t)x;
    publish(self, index, gen, FV_DONE, ref_out);
    fv_count(self->proc, FV_C_puts);
    return 0;
}

int fv_put(struct fv_self *self, const void *data, size_t bytes, const fever_ref *refs, size_t n_refs, uint64_t site, fever_ref *ref_out) {
    return put(self, data, bytes, refs, n_refs, NULL, site, ref_out);
}

int fv_put_as(struct fv_self *self, const struct fv_object_spec *spec, const void *data, size_t bytes, uint64_t site, fever_ref *ref_out) {
    return put(self, data, bytes, spec->options.refs, spec->options.n_refs, spec, site, ref_out);
}

int fever_put_with(const void *data, size_t bytes, const fever_ref *refs, size_t n_refs, fever_ref *ref_out) {
    int why;
    if (FV_UNLIKELY(ref_out == NULL || (data == NULL && bytes != 0) || (refs == NULL && n_refs != 0)))
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    return fv_leave(self, put(self, data, bytes, refs, n_refs, NULL, FV_SITE(), ref_out));
}

int fever_put(const void *data, size_t bytes, fever_ref *ref_out) {
    int why;
    if (FV_UNLIKELY(ref_out == NULL || (data == NULL && bytes != 0)))
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    return fv_leave(self, put(self, data, bytes, NULL, 0, NULL, FV_SITE(), ref_out));
}

int fv_create(struct fv_self *self, const struct fv_object_spec *spec, size_t bytes, uint64_t site, void **data_out, fever_ref *ref_out) {
    if (bytes > fv_arena_capacity())
        return -FEVER_ETOOBIG;
    uint32_t index = 0, gen = 0;
    int rc = new_slot(self, FV_KIND_OBJECT, site, &index, &gen);
    if (rc < 0)
        return rc;
    struct fv_task *task = fv_task(index);
    bool described = spec != NULL && spec->block_bytes != 0;
    uint64_t offset = alloc_blocks(self, index, gen, spec, bytes, false, &rc);
    if (offset == 0)
        return rc;
    task->result[0] = offset;
    task->result[1] = bytes;
    task->args[1] = described || bytes >= FV_DATED_BYTES ? fv_now_ns() : 0;
    task->x = described ? FV_X_RESULT_BLOCK | FV_X_OPTIONS : FV_X_RESULT_BLOCK;
    if (fv_result_is_large(task) && (rc = fv_store_pin_new(self, index, gen)) < 0) { /* its pointer is good after the seal, too */
        fv_arena_free(&self->heap, offset, bytes, index, gen);
        return give_up(self, index, gen, spec, rc);
    }
    publish(self, index, gen, FV_OPEN, ref_out);
    fv_count(self->proc, FV_C_puts);
    *data_out = fv_at(offset);
    return 0;
}

int fever_create_raw(size_t bytes, void **data_out, fever_ref *ref_out) {
    int why;
    if (data_out == NULL || ref_out == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    return fv_leave(self, fv_create(self, NULL, bytes, FV_SITE(), data_out, ref_out));
}

/* The slot of an open object or promise of that kind. */
static int open_slot(struct fv_self *self, fever_ref ref, unsigned kind, uint32_t *index_out) {
    uint64_t t = 0;
    int rc = fv_ref_check(ref.id, index_out, &t);
    if (rc < 0)
        return rc;
    if (fv_task(*index_out)->kind != kind || fv_truth_state(t) != FV_OPEN)
        return -FEVER_ESTATE;
    if (kind == FV_KIND_OBJECT && fv_homes[fv_home_of(*index_out)] == NULL)
        return -FEVER_ECONTEXT; /* only the process that created it */
    (void)self;
    return 0;
}

static int close_object(fever_ref ref, unsigned state) {
    int why;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    int rc = open_slot(self, ref, FV_KIND_OBJECT, &index);
    if (rc == 0 && state == FV_FAIL) {
        if (fv_result_is_large(fv_task(index)))
            fv_store_unpin(self, ref.id);
        struct fever_error e;
        fv_error_describe(&e, FV_MAX_DEFS, FEVER_EABORTED);
        fv_task_set_failure(self, index, &e);
    }
    if (rc == 0)
        fv_task_complete(self, index, state);
    return fv_leave(self, rc);
}

int fever_seal(fever_ref ref) { return close_object(ref, FV_DONE); }

int fever_abort(fever_ref ref) { return close_object(ref, FV_FAIL); }

/* ------------------------------------------------------------------------------------------------ promises */

int fever_promise(fever_ref *ref_out) {
    int why;
    if (ref_out == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0, gen = 0;
    int rc = new_slot(self, FV_KIND_PROMISE, FV_SITE(), &index, &gen);
    if (rc == 0)
        publish(self, index, gen, FV_OPEN, ref_out);
    return fv_leave(self, rc);
}

/* OPEN -> RUN by self: of several that set a promise one wins; killed then, the sweep makes it OPEN again. */
static int claim_promise(struct fv_self *self, fever_ref ref, uint32_t *index_out) {
    int rc = open_slot(self, ref, FV_KIND_PROMISE, index_out);
    if (rc < 0)
        return rc;
    struct fv_task *task = fv_task(*index_out);
    uint64_t t = fv_load_acquire_64(&task->truth);
    do {
        if (fv_truth_gen(t) != fv_ref_gen(ref.id) || fv_truth_state(t) != FV_OPEN)
            return -FEVER_ESTATE;
    } while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->slot, FV_RUN), &t));
    return 0;
}

int fever_promise_set(fever_ref ref, const void *data, size_t bytes) {
    int why;
    if (data == NULL && bytes != 0)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    if (bytes > fv_arena_capacity())
        return fv_leave(self, -FEVER_ETOOBIG);
    uint32_t index = 0;
    int rc = claim_promise(self, ref, &index);
    if (rc < 0)
        return fv_leave(self, rc);
    struct fv_task *task = fv_task(index);
    if (bytes <= FV_INLINE_RESULT) {
        if (bytes != 0)
            memcpy(task->result, data, bytes);
        task->result_bytes = (uint32_t)bytes;
    } else {
        uint64_t offset = fv_home_alloc_wait(self, index, fv_ref_gen(ref.id), bytes, false, &rc);
        if (offset == 0) { /* hand it back */
            uint64_t t = fv_load_relaxed_64(&task->truth);
            while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->slot, FV_OPEN), &t))
                ;
            if (fv_cancel_asked(index, fv_ref_gen(ref.id))) /* meanwhile: who asked for it has seen it RUN */
                fv_cancel(self, ref.id, FV_CANCEL_ASKED);
            return fv_leave(self, rc);
        }
        memcpy(fv_at(offset), data, bytes);
        task->result[0] = offset;
        task->result[1] = bytes;
        fv_or_8(&task->x, FV_X_RESULT_BLOCK);
    }
    fv_task_complete(self, index, FV_DONE);
    return fv_leave(self, 0);
}

int fever_promise_fail(fever_ref ref, int app_code, const char *text) {
    int why;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    int rc = claim_promise(self, ref, &index);
    if (rc < 0)
        return fv_leave(self, rc);
    struct fever_error e;
    fv_error_describe(&e, FV_MAX_DEFS, FEVER_EAPP);
    e.app_code = app_code;
    snprintf(e.text, sizeof e.text, "%s", text != NULL ? text : "the promise was failed");
    fv_task_set_failure(self, index, &e);
    fv_task_complete(self, index, FV_FAIL);
    return fv_leave(self, 0);
}
