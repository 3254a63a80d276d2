/* core/object.c: what an object knows of itself beyond its bytes; and which object an address belongs to.
 *
 * Run by drivers and bodies that put, by the supervisor after a death, and in the handler of a driver's SIGSEGV (fv_object_find and
 * fv_object_text: they only read).  Writes the block of a FREE slot of one's own, before it is OPEN or DONE.  Dies here: a garbage
 * block, which the sweep finds.
 */
#include "core/object.h"

#include <stdio.h>
#include <string.h>

#include "core/options.h"

_Static_assert(FEVER_DIMS_MOST == FV_OBJECT_DIMS, "a shape fits its block");

int fv_object_multiply(uint64_t n, uint64_t each, uint64_t *bytes_out) {
    return __builtin_mul_overflow(n, each, bytes_out) ? -FEVER_ETOOBIG : 0;
}

/* Completes a shape: number of elements, and the one dimension of an array that does not say. */
static int check_shape(struct fever_shape *s, uint64_t bytes) {
    uint64_t count = 1, all;
    if (s->element_bytes == 0)
        return s->n_dims != 0 || s->count != 0 || s->element_type != 0 ? -FEVER_EINVAL : 0;
    if (s->n_dims > FEVER_DIMS_MOST)
        return -FEVER_EINVAL;
    if (s->n_dims == 0) {
        if (bytes % s->element_bytes != 0)
            return -FEVER_EINVAL;
        s->n_dims = 1;
        s->dims[0] = bytes / s->element_bytes;
    }
    for (unsigned i = 0; i < s->n_dims; i++)
        if (fv_object_multiply(count, s->dims[i], &count) < 0)
            return -FEVER_EINVAL;
    memset(&s->dims[s->n_dims], 0, (FEVER_DIMS_MOST - s->n_dims) * sizeof s->dims[0]);
    if (fv_object_multiply(count, s->element_bytes, &all) < 0 || all != bytes || (s->count != 0 && s->count != count))
        return -FEVER_EINVAL;
    s->count = count;
    return 0;
}

int fv_object_check(const struct fever_object_options *user, uint64_t bytes, struct fever_object_options *wide_out, uint32_t *block_bytes_out) {
    struct fever_object_options o = {0};
    size_t                      n = user->struct_bytes;
    if (n < offsetof(struct fever_object_options, alignment) || n > 65536)
        return -FEVER_EINVAL;
    for (size_t i = sizeof o; i < n; i++)
        if (((const unsigned char *)user)[i] != 0)
            return -FEVER_EINVAL; /* an option that this library does not know */
    memcpy(&o, user, FV_MIN(n, sizeof o));
    o.struct_bytes = sizeof o;
    if (o.name != NULL && strnlen(o.name, 48) == 48)
        return -FEVER_EINVAL;
    if (o.alignment > FEVER_ALIGNMENT_MOST || (o.alignment & (o.alignment - 1)) != 0 || o.meta_bytes > FEVER_META_MOST)
        return -FEVER_EINVAL;
    if ((o.meta == NULL && o.meta_bytes != 0) || (o.refs == NULL && o.n_refs != 0))
        return -FEVER_ENULL;
    int rc = check_shape(&o.shape, bytes);
    if (rc < 0)
        return rc;
    o.alignment = FV_MAX(o.alignment, (size_t)64);
    bool none = (o.name == NULL || o.name[0] == '\0') && o.alignment == 64 && o.meta_bytes == 0 && o.shape.element_bytes == 0;
    *block_bytes_out = none ? 0 : (uint32_t)(sizeof(struct fv_object_block) + o.meta_bytes);
    *wide_out = o;
    return 0;
}

bool fv_object_describe(struct fv_self *self, uint32_t index, uint32_t gen, const struct fever_object_options *o, uint32_t block_bytes) {
    uint64_t offset = fv_home_alloc(self, index, gen, block_bytes);
    if (offset == 0)
        return false;
    struct fv_object_block *b = fv_at(offset);
    struct fv_task_cold    *c = fv_cold(index);
    memset(b, 0, sizeof *b);
    if (o->name != NULL)
        memcpy(b->name, o->name, strnlen(o->name, sizeof b->name - 1));
    b->alignment = (uint32_t)o->alignment;
    b->meta_bytes = (uint32_t)o->meta_bytes;
    b->element_bytes = o->shape.element_bytes;
    b->element_type = o->shape.element_type;
    b->count = o->shape.count;
    b->n_dims = o->shape.n_dims;
    for (unsigned i = 0; i < FV_OBJECT_DIMS; i++)
        b->dims[i] = o->shape.dims[i];
    if (o->meta_bytes != 0)
        memcpy(b + 1, o->meta, o->meta_bytes);
    c->options = offset;
    c->options_bytes = block_bytes;
    c->timeout_ns = c->stream = c->queued_ns = 0;
    c->max_retries = 0;
    return true;
}

/* Chunks lie on boundaries of 64 KiB, and so do blocks of whole ones. */
uint64_t fv_object_alloc(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes, uint64_t alignment) {
    return fv_home_alloc(self, index, gen, alignment > 64 && bytes != 0 ? FV_MAX(bytes, FV_SMALL_MOST + 1ull) : bytes);
}

/* ------------------------------------------------------------------------------------------------ addresses */

bool fv_object_find(uint64_t address, struct fv_object_at *at) {
    uint64_t view = (uint64_t)(uintptr_t)fv_map.view, offset = address - view;
    uint32_t index = 0, gen = 0;
    if (fv_map.base == NULL || fv_map.view == fv_map.base || address < view || offset >= fv_map.seg->all_bytes)
        return false;
    bool small = offset >= fv_map.seg->off_hot && offset < fv_map.seg->off_cold; /* in its slot */
    if (small)
        index = (uint32_t)((offset - fv_map.seg->off_hot) / sizeof(struct fv_task));
    else if (!fv_arena_root_at(offset, &index, &gen))
        return false;
    if (index >> fv_map.shift >= fv_map.seg->n_procs || (index & fv_map.mask) >= fv_proc(fv_home_of(index))->slab_limit)
        return false;
    const struct fv_task *task = fv_task(index);
    uint64_t              t = fv_load_acquire_64(&task->truth);
    if ((!small && fv_truth_gen(t) != gen) || fv_truth_state(t) == FV_FREE)
        return false;
    memset(at, 0, sizeof *at);
    at->ref = fv_ref_make(index, fv_truth_gen(t));
    at->bytes = task->x & FV_X_RESULT_BLOCK ? ((const struct fv_span *)task->result)->bytes : task->result_bytes;
    const char *name = NULL;
    if (task->kind == FV_KIND_TASK) {
        const char *own = fv_task_own_name(index);
        at->is_result = true;
        name = own != NULL ? own : task->def < FV_MAX_DEFS && fv_defs[task->def] != NULL ? fv_defs[task->def]->name : NULL;
    } else {
        const struct fv_object_block *b = fv_object_block_of(index);
        at->site = task->args[0];
        name = b != NULL ? b->name : NULL;
    }
    if (name != NULL)
        memcpy(at->name, name, strnlen(name, sizeof at->name - 1));
    return true;
}

const char *fv_object_text(const struct fv_object_at *at, char *buf, size_t bytes) {
    snprintf(buf, bytes, "object %016llx (%s%s%s%llu bytes)", (unsigned long long)at->ref, at->is_result ? "result of " : "", at->name,
             at->name[0] != '\0' ? ", " : "", (unsigned long long)at->bytes);
    return buf;
}
