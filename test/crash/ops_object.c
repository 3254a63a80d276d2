/* ops_object.c: the operations of ops.h on objects with a name, a shape, metadata or an alignment, and on those whose holds lie in a
 * chunk behind their data. */
#include "test/crash/ops.h"

#include <string.h>

#include "core/object.h"
#include "run/runtime.h"
#include "test/crash/roles.h"

static fever_ref   r, inner;
static char        bytes[FV_CHUNK_BYTES];
static const void *seen;

static void wrong(void) { fv_faa_32(&shared->runs[63], 3); } /* more often than any body may run: the point fails */

#define NAMED FEVER_OBJECT(.name = "named", .shape = {.element_bytes = 8, .n_dims = 2, .dims = {5, 5}}, .meta = bytes, .meta_bytes = 50)

static void put_named(void) { fever_object_put(NAMED, bytes, 200, &r); }
static void put_named_inline(void) { fever_object_put(FEVER_OBJECT(.name = "small"), bytes, 8, &r); }
static void put_aligned(void) { fever_object_put(FEVER_OBJECT(.alignment = 4096), bytes, 200, &r); }
static void create_named(void) {
    void *at = NULL;
    fever_object_create(NAMED, 200, &at, &r);
}
static void create_sealed(void) {
    create_named();
    fever_seal(r);
}
static void seal(void) { fever_seal(r); }
static void abort_r(void) { fever_abort(r); }
static void release_r(void) { fever_release(r); }
static void release_both(void) {
    fever_release(r);
    fever_release(inner);
}
static void view(void) {
    struct fever_shape shape;
    if (fever_view_array_raw(r, 8, 0, 0, &seen, &shape) != 0 || shape.dims[1] != 5)
        wrong();
}
static void look(void) {
    struct fever_object_info info = {.struct_bytes = sizeof info};
    if (fever_object_info(r, &info) != 0 || strcmp(info.name, "named") != 0 || info.meta_bytes != 50)
        wrong();
}
static void put_inner(void) { fever_put(bytes, 200, &inner); }
static void put_named_container(void) {
    put_inner();
    fever_object_put(FEVER_OBJECT(.name = "container", .refs = &inner, .n_refs = 1), &inner, sizeof inner, &r);
}
static void put_container_with_tail(void) { /* data that fill a chunk, and holds behind it */
    put_inner();
    memcpy(bytes, &inner, sizeof inner);
    fever_put_with(bytes, sizeof bytes, &inner, 1, &r);
}

#define BODY(name_, ...) {.name = name_, .in_body = true, ##__VA_ARGS__}

const struct scenario object_scenarios[] = {
    BODY("put: name, shape, metadata", .flags = OP_SHORT, .setup = host_setup, .op = put_named, .post = release_r),
    BODY("put: name, inline", .setup = host_setup, .op = put_named_inline, .post = release_r),
    BODY("put: aligned", .setup = host_setup, .op = put_aligned, .post = release_r),
    BODY("put: name, contains refs", .setup = host_setup, .op = put_named_container, .post = release_both),
    BODY("create: name, shape, metadata", .setup = host_setup, .op = create_named, .post = release_r),
    BODY("seal: name", .setup = host_setup, .prepare = create_named, .op = seal, .post = release_r),
    BODY("abort: name", .setup = host_setup, .prepare = create_named, .op = abort_r, .post = release_r),
    BODY("view: an array", .setup = host_setup, .prepare = create_sealed, .op = view, .post = release_r),
    BODY("info", .setup = host_setup, .prepare = put_named, .op = look, .post = release_r),
    BODY("release: name, shape, metadata", .flags = OP_SHORT, .setup = host_setup, .prepare = put_named, .op = release_r),
    BODY("release: aligned", .setup = host_setup, .prepare = put_aligned, .op = release_r),
    BODY("release: holds in a chunk behind", .flags = OP_SHORT, .setup = host_setup, .prepare = put_container_with_tail, .op = release_both),
};
const unsigned n_object_scenarios = sizeof object_scenarios / sizeof object_scenarios[0];
