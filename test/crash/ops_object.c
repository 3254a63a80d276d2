/* ops_object.c: the operations of ops.h on objects with a name, a shape, metadata or an alignment, on those whose holds lie in a
 * chunk behind their data, on values and arrays, and on files. */
#include "test/crash/ops.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/object.h"
#include "fever_file.h"
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

/* --- values: copies, of many, of what contains refs; arrays */
static fever_ref many[3];
static void      prepare_block(void) {
    memset(bytes, 7, sizeof bytes);
    fever_put(bytes, 200, &r);
}
static void is_seven(const char *copy, int rc) {
    if (rc != 0 || copy[0] != 7 || copy[199] != 7)
        wrong();
}
static void get_block(void) {
    char copy[200];
    is_seven(copy, fever_get_raw(r, copy, sizeof copy, 0, 0));
}
static void take_block(void) {
    char copy[200];
    is_seven(copy, fever_take_raw(r, copy, sizeof copy, 0, 0));
}
static void prepare_many(void) {
    memset(bytes, 7, sizeof bytes);
    for (unsigned i = 0; i < 3; i++)
        fever_put(bytes, 200, &many[i]);
}
static void get_three(void) {
    char copy[3][200];
    int  rc = fever_get_many_raw(many, 3, copy, sizeof copy[0], 0, 0);
    for (unsigned i = 0; i < 3; i++)
        is_seven(copy[i], rc);
}
static void release_many(void) {
    for (unsigned i = 0; i < 3; i++)
        fever_release(many[i]);
}
static fever_ref from_inside;
static void      get_container(void) {
    if (fever_get_raw(r, &from_inside, sizeof from_inside, 0, 0) != 0 || fever_retain(from_inside) != 0)
        wrong();
}
static void release_container(void) {
    fever_release(from_inside);
    fever_release(r);
    fever_release(inner);
}
static void prepare_container(void) {
    put_inner();
    fever_put_with(&inner, sizeof inner, &inner, 1, &r);
}
static void take_container(void) { /* the last holder of what is inside is the container */
    if (fever_take_raw(r, &from_inside, sizeof from_inside, 0, 0) != 0)
        wrong();
}
static void prepare_container_alone(void) {
    prepare_container();
    fever_release(inner);
}
static void put_array(void) { fever_put_array_raw(bytes, 25, 8, 0, &r); }
static void warm_array(void) { /* a chunk for its shape is there */
    put_array();
    release_r();
}
static void create_array(void) {
    void *at = NULL;
    fever_create_array_raw(25, 8, 0, &at, &r);
}
static void prepare_large(void) {
    void *at = NULL;
    fever_create_raw(FV_SMALL_MOST + 100, &at, &r);
    fever_seal(r);
}
static void view_end(void) { fever_view_end(r); }

/* --- files: the tasks that read and write them are submitted, and run */
static char file[64];
static void make_file(void) {
    long  word[25];
    FILE *f;
    snprintf(file, sizeof file, "/tmp/fever-kill.%d", (int)getpid());
    for (long i = 0; i < 25; i++)
        word[i] = 3000 + i;
    if ((f = fopen(file, "w")) == NULL || fwrite(word, sizeof word, 1, f) != 1 || fclose(f) != 0)
        wrong();
}
static void remove_file(void) { unlink(file); }
static void setup_file(void) {
    make_file();
    host_setup();
}
static void submit_load(void) { fever_load(file, NULL, &r); }
static void setup_load(void) {
    make_file();
    fever_load(file, NULL, &r);
    expect(r, EXPECT_BYTES, 3000);
}
static void setup_save(void) {
    long word[25];
    make_file();
    for (long i = 0; i < 25; i++)
        word[i] = 4000 + i;
    fever_put(word, sizeof word, &inner);
}
static void setup_in_body_save(void) {
    setup_save();
    host_setup();
}
static void submit_save(void) { fever_save(inner, file, NULL, &r); }
static void setup_saves(void) {
    setup_save();
    fever_save(inner, file, NULL, &r);
}
static long first_word(void) {
    long  word[26] = {0};
    FILE *f = fopen(file, "r");
    bool  whole = f != NULL && fread(word, 1, sizeof word, f) == 25 * sizeof(long);
    if (f != NULL)
        fclose(f);
    for (long i = 0; i < 25; i++)
        whole = whole && word[i] == word[0] + i;
    return whole ? word[0] : -1;
}
static void old_or_new(void) { /* never half of it */
    long first = first_word();
    if (first != 3000 && first != 4000)
        wrong();
}
static void finish_saves(void) {
    struct fever_saved saved = {0};
    if (fever_get_raw(r, &saved, sizeof saved, 0, 0) != 0 || saved.bytes != 200 || first_word() != 4000)
        wrong();
    fever_release(r);
    fever_release(inner);
    remove_file();
}
static void finish_save(void) {
    old_or_new();
    fever_release(inner);
    remove_file();
}
static void step(void) { fv_worker_step(fv_self, true); }

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
    BODY("get: a block", .setup = host_setup, .prepare = prepare_block, .op = get_block, .post = release_r),
    BODY("get: what is inside a container", .setup = host_setup, .prepare = prepare_container, .op = get_container, .post = release_container),
    BODY("get many: blocks", .setup = host_setup, .prepare = prepare_many, .op = get_three, .post = release_many),
    BODY("take: a block", .setup = host_setup, .prepare = prepare_block, .op = take_block),
    BODY("take: a container, the last holder", .setup = host_setup, .prepare = prepare_container_alone, .op = take_container),
    BODY("put: an array", .setup = host_setup, .prepare = warm_array, .op = put_array, .post = release_r),
    BODY("create: an array", .setup = host_setup, .prepare = warm_array, .op = create_array, .post = release_r),
    BODY("view: the end", .setup = host_setup, .prepare = prepare_large, .op = view_end, .post = release_r),
    BODY("submit: a load", .setup = setup_file, .op = submit_load, .post = release_r, .finish = remove_file),
    BODY("submit: a save", .setup = setup_in_body_save, .op = submit_save, .post = release_r, .finish = finish_save),
    {.name = "step: a load", .setup = setup_load, .op = step, .finish = remove_file},
    {.name = "step: a save", .setup = setup_saves, .op = step, .before = old_or_new, .finish = finish_saves},
};
const unsigned n_object_scenarios = sizeof object_scenarios / sizeof object_scenarios[0];
