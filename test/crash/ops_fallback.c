/* ops_fallback.c: the operations of ops.h on what lies in the fallback, because the store has no room.
 *
 * The file is private memory, as the segment is.  The store is full but for a few chunks that do not lie side by side. */
#include "test/crash/ops.h"

#include <string.h>

#include "core/store.h"
#include "shm/arena.h"
#include "test/crash/roles.h"

#define BYTES 140000u /* three chunks */
#define FILL  24u

static fever_ref fill[FILL], r;
static uint64_t  at;

static void broken(void) { fv_faa_32(&shared->runs[63], 3); } /* more often than any body may run: the point fails */
static bool in_file(const void *address) { return fv_in_file((uint64_t)((const char *)address - fv_map.base)); }

static void setup_full(void) {
    void    *data = NULL;
    unsigned n = 0;
    host_setup();
    memset(fill, 0, sizeof fill);
    if (fever_create_raw(fv_arena_capacity() - 14 * FV_CHUNK_BYTES, &data, &fill[n++]) != 0 || in_file(data))
        broken();
    while (n < FILL && fever_create_raw(FV_CHUNK_BYTES, &data, &fill[n]) == 0 && !in_file(data))
        n++;
    if (n == FILL)
        broken();
    fever_abort(fill[n]);
    fever_release(fill[n]);
    fill[n].id = 0;
    for (unsigned i = 1; i < n; i += 2) {
        fever_abort(fill[i]);
        fever_release(fill[i]);
        fill[i].id = 0;
    }
}
static void empty(void) {
    for (unsigned i = 0; i < FILL; i++)
        if (fill[i].id != 0) {
            fever_abort(fill[i]);
            fever_release(fill[i]);
        }
}

/* --- in the body of a task */
static uint32_t running(void) { return fv_self->running - 1; }
static uint32_t running_gen(void) { return fv_truth_gen(fv_load_relaxed_64(&fv_task(running())->truth)); }
static void     claim(void) { at = fv_home_alloc_file(fv_self, running(), running_gen(), BYTES); }
static void     unclaim(void) { fv_arena_free(&fv_self->heap, at, BYTES, running(), running_gen()); }
static void     check_claimed(void) {
    if (!fv_in_file(at) || !fv_arena_owned(at, running(), running_gen()))
        broken();
    memset(fv_at(at), 7, BYTES);
    unclaim();
}
static void create(void) {
    void *data = NULL;
    if (fever_create_raw(BYTES, &data, &r) != 0 || !in_file(data))
        broken();
}
static void release_r(void) { fever_release(r); }
static void trim(void) { fv_extent_trim_file(fv_self->slot, 0); }
static void claim_and_free(void) {
    claim();
    unclaim();
}
static void reserve(void) { fv_store_reserve(BYTES); }
static void check_reserve(void) {
    if (fv_map.seg->keeper.reserve != 3 || !fv_chunks_backed(fv_map.seg->file_chunk, fv_map.seg->file_chunk + 3))
        broken();
}
static void look_at_marks(void) { /* what is marked has space: with a file as with memory */
    uint32_t reserved = fv_map.seg->keeper.reserve;
    if (reserved != 0 && !fv_chunks_backed(fv_map.seg->file_chunk, fv_map.seg->file_chunk + reserved))
        broken();
}
static void nothing_there(void) {
    if (fv_arena_file_bytes() != 0)
        broken();
    empty();
}

#define BODY(name_, ...) {.name = name_, .in_body = true, .setup = setup_full, .finish = nothing_there, ##__VA_ARGS__}

const struct scenario fallback_scenarios[] = {
    BODY("fallback: claim", .flags = OP_SHORT | OP_BRIEF, .op = claim, .post = check_claimed),
    BODY("fallback: free", .flags = OP_SHORT, .prepare = claim, .op = unclaim),
    BODY("fallback: create", .op = create, .post = release_r),
    BODY("fallback: release", .flags = OP_SHORT, .prepare = create, .op = release_r),
    BODY("fallback: trim", .flags = OP_SHORT, .prepare = claim_and_free, .op = trim),
    BODY("fallback: reserve", .flags = OP_SHORT, .op = reserve, .post = check_reserve, .before = look_at_marks),
};
const unsigned n_fallback_scenarios = sizeof fallback_scenarios / sizeof fallback_scenarios[0];
