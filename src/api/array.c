/* api/array.c: objects with a name, a shape, metadata or an alignment of their own, and what is known of them.
 *
 * Run by drivers and by bodies.  All shared state is written by api/object.c and core/object.c.
 */
#include <string.h>

#include "api/api.h"
#include "core/object.h"

static int check(const struct fever_object_options *options, size_t bytes, struct fv_object_spec *spec) {
    static const struct fever_object_options none = {.struct_bytes = sizeof none};
    return fv_object_check(options != NULL ? options : &none, bytes, &spec->options, &spec->block_bytes);
}

static int put_at(const struct fever_object_options *options, const void *data, size_t bytes, uint64_t site, fever_ref *ref_out) {
    int                   why;
    struct fv_object_spec spec;
    if (ref_out == NULL || (data == NULL && bytes != 0))
        return -FEVER_ENULL;
    int rc = check(options, bytes, &spec);
    if (rc < 0)
        return rc;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    return fv_leave(self, fv_put_as(self, &spec, data, bytes, site, ref_out));
}

static int create_at(const struct fever_object_options *options, size_t bytes, uint64_t site, void **data_out, fever_ref *ref_out) {
    int                   why;
    struct fv_object_spec spec;
    if (data_out == NULL || ref_out == NULL)
        return -FEVER_ENULL;
    int rc = check(options, bytes, &spec);
    if (rc == 0 && spec.options.n_refs != 0)
        rc = -FEVER_EINVAL; /* what it will contain is not known yet */
    if (rc < 0)
        return rc;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    return fv_leave(self, fv_create(self, &spec, bytes, site, data_out, ref_out));
}

int fever_object_put(const struct fever_object_options *options, const void *data, size_t bytes, fever_ref *ref_out) {
    return put_at(options, data, bytes, FV_SITE(), ref_out);
}

int fever_object_create_raw(const struct fever_object_options *options, size_t bytes, void **data_out, fever_ref *ref_out) {
    return create_at(options, bytes, FV_SITE(), data_out, ref_out);
}

static int array_of(size_t n, size_t element_bytes, unsigned type, struct fever_object_options *options_out, uint64_t *bytes_out) {
    *options_out = (struct fever_object_options){
        .struct_bytes = sizeof *options_out, .shape = {.element_bytes = element_bytes, .element_type = type, .n_dims = 1, .dims = {n}}};
    return element_bytes == 0 ? -FEVER_EINVAL : fv_object_multiply(n, element_bytes, bytes_out);
}

int fever_put_array_raw(const void *data, size_t n, size_t element_bytes, unsigned type, fever_ref *ref_out) {
    struct fever_object_options options;
    uint64_t                    bytes;
    int                         rc = array_of(n, element_bytes, type, &options, &bytes);
    return rc < 0 ? rc : put_at(&options, data, bytes, FV_SITE(), ref_out);
}

int fever_create_array_raw(size_t n, size_t element_bytes, unsigned type, void **data_out, fever_ref *ref_out) {
    struct fever_object_options options;
    uint64_t                    bytes;
    int                         rc = array_of(n, element_bytes, type, &options, &bytes);
    return rc < 0 ? rc : create_at(&options, bytes, FV_SITE(), data_out, ref_out);
}

/* ------------------------------------------------------------------------------------------------ what is known */

static void shape_of(const struct fv_object_block *b, struct fever_shape *shape) {
    shape->element_bytes = b->element_bytes;
    shape->element_type = b->element_type;
    shape->n_dims = b->n_dims;
    shape->count = b->count;
    for (unsigned i = 0; i < FV_OBJECT_DIMS; i++)
        shape->dims[i] = b->dims[i];
}

static int info_of(uint32_t index, uint64_t t, struct fever_object_info *info) {
    const struct fv_task *task = fv_task(index);
    unsigned              state = fv_truth_state(t);
    if (state == FV_FAIL) {
        struct fv_failure f;
        memcpy(&f, task->result, sizeof f);
        return -(int)f.code;
    }
    if (state != FV_DONE && !(state == FV_OPEN && task->kind == FV_KIND_OBJECT))
        return -FEVER_ESTATE;
    const struct fv_object_block *b = fv_object_block_of(index);
    memset(info, 0, sizeof *info);
    info->struct_bytes = sizeof *info;
    fv_task_result(task, &info->bytes);
    info->sealed = state == FV_DONE;
    info->name = "";
    info->alignment = 64;
    if (b == NULL)
        return 0;
    const char *view = fv_map.view + fv_cold(index)->options; /* read-only */
    info->name = view + offsetof(struct fv_object_block, name);
    info->alignment = b->alignment;
    info->meta = b->meta_bytes != 0 ? view + sizeof(struct fv_object_block) : NULL;
    info->meta_bytes = b->meta_bytes;
    shape_of(b, &info->shape);
    return 0;
}

int fever_object_info(fever_ref ref, struct fever_object_info *info_out) {
    int                      why;
    struct fever_object_info info;
    if (info_out == NULL)
        return -FEVER_ENULL;
    size_t room = info_out->struct_bytes;
    if (room < offsetof(struct fever_object_info, name) || room > 65536)
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    uint64_t t = 0;
    int      rc = fv_ref_check(ref.id, &index, &t);
    if (rc == 0)
        rc = info_of(index, t, &info);
    if (rc == 0) {
        memcpy(info_out, &info, FV_MIN(room, sizeof info));
        info_out->struct_bytes = room;
    }
    return fv_leave(self, rc);
}

int fever_view_array_raw(fever_ref ref, size_t element_bytes, unsigned type, double timeout_s, const void **data_out, struct fever_shape *shape_out) {
    const void              *data;
    size_t                   bytes;
    struct fever_object_info info = {.struct_bytes = sizeof info};
    if (data_out == NULL)
        return -FEVER_ENULL;
    if (element_bytes == 0)
        return -FEVER_EINVAL;
    int rc = fever_view_raw(ref, &data, &bytes, timeout_s);
    if (rc == 0)
        rc = fever_object_info(ref, &info);
    if (rc < 0)
        return rc;
    struct fever_shape *s = &info.shape;
    if (s->element_bytes == 0) /* it does not say */
        *s = (struct fever_shape){.element_bytes = element_bytes, .n_dims = 1, .dims = {bytes / element_bytes}, .count = bytes / element_bytes};
    if (s->element_bytes != element_bytes || s->count * element_bytes != bytes || (type != 0 && s->element_type != 0 && s->element_type != type))
        return -FEVER_ETYPE;
    *data_out = data;
    if (shape_out != NULL)
        *shape_out = *s;
    return 0;
}
