/* api/result.c: a result whose size the body decides, written where it will lie.
 *
 * Run by bodies.  Writes the task slot that they own (RUN) and blocks of their own heap.  Dies here: the block is the slot's
 * result, or garbage, and the sweep frees both.
 */
#include <stdarg.h>

#include "api/api.h"
#include "run/restore.h"

static void *give_up(struct fv_self *self, int code) {
    if (!self->failed) {
        self->failed = true;
        self->fail_code = code;
    }
    return NULL;
}

void fv_body_fail(struct fv_self *self, int code, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vsnprintf(self->fail_text, sizeof self->fail_text, format, ap);
    va_end(ap);
    self->fail_told = true;
    self->fail_code = code;
    self->failed = true;
}

/* There is a block: makes it smaller. */
static void *shrink(struct fv_self *self, struct fv_task *task, uint32_t index, uint32_t gen, size_t bytes) {
    struct fv_span *span = (struct fv_span *)task->result;
    uint64_t        offset = span->offset, old = span->bytes;
    if (bytes > old)
        return give_up(self, FEVER_EINVAL);
    if (bytes != 0) {
        fv_store_release_64(&span->bytes, bytes); /* before the rest is given back: killed between, that is garbage of the slot's */
        fv_arena_shrink(offset, old, bytes, index, gen);
        return fv_at(offset);
    }
    fv_and_8(&task->x, (uint8_t)~FV_X_RESULT_BLOCK);
    fv_arena_free(&self->heap, offset, old, index, gen);
    return task->result;
}

void *fv_result(struct fv_self *self, size_t bytes) {
    uint32_t        index = self->running - 1;
    struct fv_task *task = fv_task(index);
    uint32_t        gen = fv_truth_gen(fv_load_relaxed_64(&task->truth));
    if (task->x & FV_X_RESULT_BLOCK)
        return shrink(self, task, index, gen, bytes);
    if (task->result_bytes != 0 && bytes > task->result_bytes)
        return give_up(self, FEVER_EINVAL);
    if (bytes <= FV_INLINE_RESULT) {
        task->result_bytes = (uint32_t)bytes;
        return task->result;
    }
    if (bytes > fv_arena_capacity())
        return give_up(self, FEVER_ETOOBIG);
    int      why = 0;
    uint64_t offset = fv_home_alloc_wait(self, index, gen, bytes, false, &why);
    if (offset == 0)
        return give_up(self, -why);
    struct fv_span *span = (struct fv_span *)task->result;
    span->offset = offset;
    span->bytes = bytes;
    fv_or_8(&task->x, FV_X_RESULT_BLOCK); /* after the span: the sweep frees it by that */
    return fv_at(offset);
}

void *fever_result(size_t bytes) {
    int             why;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return NULL;
    void *at = NULL;
    if (self->running != 0 && fv_defs[fv_task(self->running - 1)->def]->flags & FEVER_DEF_BYTES)
        at = fv_result(self, bytes);
    fv_leave(self, 0);
    return at;
}
