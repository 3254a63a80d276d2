/* api/part.c: refs to parts of a result: num_returns.
 *
 * A result is published whole, by one store.  A ref to a part of it is a task of its own that depends on the whole and copies
 * the part: so retries, crashes and errors need nothing new.  Submitted by drivers and bodies, run by workers.
 */
#include <string.h>

#include "api/api.h"
#include "core/stream.h"
#include "run/restore.h"

#define SHARE 254u /* in place of a type: the part is number `offset` of `bytes` equal ones */

struct part {
    fever_ref whole;
    uint64_t  offset;
    uint64_t  what; /* bytes << 8 | type */
};
_Static_assert(sizeof(struct part) == FV_INLINE_ARGS, "lies in the slot");

static inline uint64_t bytes_of(const struct part *p) { return p->what >> 8; }
static inline unsigned type_of(const struct part *p) { return (unsigned)(p->what & 0xFF); }

/* Where the part lies in a value of so many bytes; false when it is out of range. */
static bool locate(const struct part *p, uint64_t have, uint64_t *offset_out, uint64_t *bytes_out) {
    uint64_t bytes = bytes_of(p), offset = p->offset;
    if (type_of(p) == SHARE) {
        if (have % bytes != 0)
            return false;
        bytes = have / bytes;
        offset *= bytes;
    }
    *offset_out = offset, *bytes_out = bytes;
    return offset <= have && bytes <= have - offset;
}

static int copy_part(struct fv_self *self, const struct part *p) {
    uint32_t index = 0;
    uint64_t t = 0, have, offset, bytes;
    int      rc = fv_ref_check(p->whole.id, &index, &t);
    if (rc < 0)
        return rc;
    if (fv_truth_state(t) != FV_DONE) /* a stream: it is not awaited */
        return -FEVER_EINVAL;
    const struct fv_task *whole = fv_task(index);
    have = fv_result_bytes(whole);
    if (!locate(p, have, &offset, &bytes))
        return -FEVER_EINVAL;
    void *at = fv_result(self, bytes);
    if (at == NULL)
        return -self->fail_code;
    if (fv_result_is_large(whole)) {
        uint64_t from = 0;
        rc = fv_await_here(self, index, fv_truth_gen(t), UINT64_MAX, false, &from);
        if (rc < 0)
            return rc;
        memcpy(at, fv_map.view + from + offset, bytes);
        fv_store_read_end(self);
        return 0; /* no nested refs */
    }
    memcpy(at, (const char *)fv_task_result(whole, &have) + offset, bytes);
    return fv_task(index)->x & FV_X_NESTED ? fv_keep_refs(self, self->running - 1, at, bytes) : 0;
}

static void run_part(const void *args, void *result) {
    int             why;
    struct fv_self *self = fv_enter(&why);
    (void)result;
    if (self == NULL)
        return;
    int rc = fv_leave(self, copy_part(self, args));
    if (rc < 0) {
        self->failed = true;
        self->fail_code = -rc;
    }
}

static const uint16_t ref_offsets[] = {offsetof(struct part, whole), FEVER_NOT_A_REF, FEVER_NOT_A_REF};
struct fever_def fv_part_def = {.magic = FEVER_DEF_MAGIC, .flags = FEVER_DEF_BYTES, .name = "fever_part", .file = __FILE__, .line = __LINE__,
                                .args_bytes = sizeof(struct part), .n_params = 3, .has_refs = 1, .ref_offsets = ref_offsets, .run = run_part};

bool fv_part_is(const struct fv_task *task, unsigned type) {
    unsigned own = type_of((const struct part *)(const void *)task->args);
    return own == type || own == 0 || own == SHARE;
}

/* As far as it can be known before whole is complete: is the part in it? */
static int check(const struct part *p) {
    uint32_t index = 0;
    uint64_t t = 0, have, offset, bytes;
    if (p->whole.id >> 60 == FV_TAG_ERROR)
        return 0; /* the part will carry it */
    int rc = fv_ref_check(p->whole.id, &index, &t);
    if (rc < 0)
        return rc;
    const struct fv_task *task = fv_task(index);
    if (fv_is_stream(index))
        return -FEVER_EINVAL;
    if (fv_truth_state(t) == FV_DONE)
        have = fv_result_bytes(task);
    else if (fv_truth_state(t) == FV_FAIL || task->kind != FV_KIND_TASK || fv_defs[task->def]->flags & FEVER_DEF_BYTES)
        return 0;
    else
        have = fv_defs[task->def]->result_bytes;
    return locate(p, have, &offset, &bytes) ? 0 : -FEVER_EINVAL;
}

static int submit(struct fv_self *self, const struct part *p, fever_ref *part_out) {
    uint64_t id;
    int      rc = check(p);
    if (rc == 0)
        rc = fv_submit(self, &fv_part_def, p, sizeof *p, NULL, FV_HELD, 0, 0, 0, &id);
    if (rc == 0)
        part_out->id = id;
    return rc;
}

int fever_part(fever_ref whole, size_t offset, size_t bytes, unsigned type, fever_ref *part_out) {
    int why;
    if (part_out == NULL)
        return -FEVER_ENULL;
    if (bytes >> 56 != 0 || type > 255 || type == SHARE)
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    struct part p = {whole, offset, (uint64_t)bytes << 8 | type};
    return fv_leave(self, submit(self, &p, part_out));
}

fever_ref fever_part_ref(fever_ref whole, size_t offset, size_t bytes, unsigned type) {
    fever_ref part;
    int       rc = fever_part(whole, offset, bytes, type, &part);
    if (rc < 0)
        part.id = FV_TAG_ERROR << 60 | (uint64_t)(uint16_t)-rc;
    return part;
}

int fever_parts(fever_ref whole, size_t n, fever_ref *refs_out) {
    int why;
    if (refs_out == NULL)
        return -FEVER_ENULL;
    if (n == 0 || n >> 32 != 0)
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int    rc = 0;
    size_t i = 0;
    for (; i < n && rc == 0; i++) {
        struct part p = {whole, i, (uint64_t)n << 8 | SHARE};
        rc = submit(self, &p, &refs_out[i]);
    }
    fv_leave(self, 0);
    if (rc < 0)
        for (i--; i > 0; i--)
            fever_release(refs_out[i - 1]);
    return rc;
}
