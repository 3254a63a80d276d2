/* ops_arena.c: large blocks: claims of whole supers and of chunks, splitting, merging and giving back, stepped through.  See ops.h.
 *
 * Run by:          test/crash/kill.c.
 *
 * The harness's store has two supers.  Small blocks stand in the lower one; the upper one is what the victim and the driver both want: while
 * the victim stands still, or after its death, the driver takes all of it or a part of it.  What either has got is marked, chunk by
 * chunk, and the marks must stay.
 */
#include "test/crash/ops.h"

#include <string.h>

#include "run/runtime.h"
#include "test/crash/roles.h"

#define PART (3 * FV_CHUNK_BYTES)
#define BOTH (FV_SUPER_BYTES + PART)

static fever_ref r;       /* the victim's */
static char     *r_at;
static fever_ref s;       /* the driver's, as those below */
static fever_ref taken[2];
static char     *taken_at[2];
static size_t    taken_bytes[2];
static fever_ref fill[64];
static unsigned  n_fill;

static void ran(long x) { fv_faa_32(&shared->runs[x], 1); }
static void wrong(void) { fv_faa_32(&shared->runs[63], 3); } /* more often than any body may run: the point fails */

static void mark(char *at, size_t bytes, uint64_t id) {
    for (size_t i = 0; i < bytes; i += FV_CHUNK_BYTES)
        memcpy(at + i, &id, sizeof id);
}
static void check_marks(const char *at, size_t bytes, uint64_t id) {
    for (size_t i = 0; i < bytes; i += FV_CHUNK_BYTES)
        if (memcmp(at + i, &id, sizeof id) != 0) {
            wrong();
            return;
        }
}

/* ------------------------------------------------------------------------------------------------ the victim */

static size_t r_bytes;
static void   create(size_t bytes) {
    void *at = NULL;
    r = FEVER_NULL_REF;
    r_bytes = bytes;
    if (fever_create_raw(bytes, &at, &r) != 0)
        r = FEVER_NULL_REF; /* the other one has it */
    r_at = at;
}
static void create_part(void) { create(PART); }
static void create_super(void) { create(FV_SUPER_BYTES); }
static void create_both(void) { create(BOTH); }
static void create_small(void) { create(20000); }
static void release_r(void) {
    if (r.id >> 60 != 0xF)
        return;
    fever_seal(r);
    fever_release(r);
}
static void marked_and_released(void) {
    if (r.id >> 60 != 0xF)
        return;
    mark(r_at, r_bytes, r.id);
    check_marks(r_at, r_bytes, r.id);
    release_r();
}
static void split_top(void) {
    create_part();
    release_r();
}
static void prepare_super(void) {
    create_super();
    fever_seal(r);
}
static void prepare_both(void) {
    create_both();
    fever_seal(r);
}
static void let_go_of_r(void) {
    if (r.id >> 60 == 0xF)
        fever_release(r);
}
/* of the chunks that warm_up() has got, only those of larger blocks are left without a used one: it takes long to look through the others */
static fever_ref keeps[5];
static void      prepare_kept(void) {
    static const size_t size[5] = {60, 100, 200, 300, 320};
    static char         room[320];
    for (unsigned i = 0; i < 5; i++)
        if (fever_put(room, size[i], &keeps[i]) != 0)
            keeps[i] = FEVER_NULL_REF; /* the body is repeated, and all is full */
}
static void kept_are_released(void) {
    marked_and_released();
    for (unsigned i = 0; i < 5; i++)
        if (keeps[i].id >> 60 == 0xF)
            fever_release(keeps[i]);
}
static void retain_s(void) { fever_retain(s); }
static void release_s(void) { fever_release(s); }

/* ------------------------------------------------------------------------------------------------ the driver */

static void make_s(size_t bytes) {
    void *at = NULL;
    if (fever_create_raw(bytes, &at, &s) != 0)
        wrong();
    fever_seal(s);
    fever_view_end(s);
    host_setup();
}
static void setup_super(void) { make_s(FV_SUPER_BYTES); }
static void setup_both(void) { make_s(BOTH); }
static void driver_releases_s(void) {
    act(DRIVER);
    fever_release(s);
}
static void fill_with(size_t bytes) {
    void *at = NULL;
    while (n_fill < 64 && fever_create_raw(bytes, &at, &fill[n_fill]) == 0)
        fever_seal(fill[n_fill++]);
}
static void fill_rest(void) { /* and the fallback: in few pieces, as slots are few, too */
    fill_with(FV_SUPER_BYTES / 2);
    fill_with(PART);
    fill_with(FV_CHUNK_BYTES);
}
static void setup_lower_full(void) { /* the next chunk for small blocks splits the upper super */
    void     *at = NULL;
    fever_ref top;
    if (fever_create_raw(FV_SUPER_BYTES, &at, &top) != 0)
        wrong();
    fever_seal(top);
    fill_rest();
    fever_release(top);
    host_setup();
}
static void all_full(void) { /* but for chunks of the victim's in which nothing is used */
    act(DRIVER);
    fill_rest();
}
static void driver_takes(size_t bytes) {
    for (unsigned i = 0; i < 2; i++) {
        void *at = NULL;
        if (taken[i].id >> 60 == 0xF)
            continue;
        act(DRIVER);
        if (fever_create_raw(bytes, &at, &taken[i]) != 0) {
            taken[i] = FEVER_NULL_REF;
            return;
        }
        taken_at[i] = at;
        taken_bytes[i] = bytes;
        mark(at, bytes, taken[i].id);
        return;
    }
}
static void takes_part(void) { driver_takes(PART); }
static void takes_super(void) { driver_takes(FV_SUPER_BYTES); }
static void takes_both(void) { driver_takes(BOTH); }
static void finish(void) {
    for (unsigned i = 0; i < 2; i++) {
        if (taken[i].id >> 60 != 0xF)
            continue;
        check_marks(taken_at[i], taken_bytes[i], taken[i].id);
        fever_seal(taken[i]);
        fever_release(taken[i]);
    }
    while (n_fill > 0)
        fever_release(fill[--n_fill]);
}

/* ------------------------------------------------------------------------------------------------ the helper */

/* Of what it leaves the supervisor knows that its sweep frees it. */
static void give_back(void) { fv_warm_give_back(FV_SUPER_BYTES); }
static void given_back_counts(void) { /* whoever finds it free and unmarked begins anew with what it has mapped */
    uint32_t top = fv_map.seg->n_supers - 1, c = top * FV_SUPER_CHUNKS;
    uint64_t super = fv_load_relaxed_64(&fv_map.supers[top]);
    if (super == 0 && !fv_chunks_backed(c, fv_super_end(top)) && fv_map.seg->warm.given_back == 0)
        wrong();
    takes_super();
}
static void setup_warm(void) {
    make_s(FV_SUPER_BYTES);
    fever_release(s);
    if (!fv_chunks_backed((fv_map.seg->n_supers - 1) * FV_SUPER_CHUNKS, fv_super_end(fv_map.seg->n_supers - 1)))
        wrong();
}
static void finish_helper(void) {
    act(SUPERVISOR);
    fv_extent_sweep(FV_WARM_OWNER);
    act(DRIVER);
    finish();
}

/* ------------------------------------------------------------------------------------------------ results in place */

struct words {
    long x, word[6];
};
FEVER_TASK_BYTES(shrinks, (struct words, w)) {
    ran(w.x);
    long *at = fever_result((size_t)w.word[0]);
    if (at == NULL)
        return;
    at = fever_result((size_t)w.word[1]);
    for (long i = 0; at != NULL && i < 25; i++)
        at[i] = 1000 * w.x + i;
}
static void step(void) { fv_worker_step(fv_self, true); }
static void setup_shrinks(void) { expect(shrinks_remote((struct words){2, {(long)BOTH, 200}}), EXPECT_BYTES, 2000); }
static void setup_shrinks_to_super(void) {
    expect(shrinks_remote((struct words){2, {(long)BOTH, (long)FV_SUPER_BYTES - 70000}}), EXPECT_BYTES, 2000);
}

#define BODY(name_, ...)   {.name = name_, .in_body = true, .finish = finish, ##__VA_ARGS__}
#define WORKER(name_, ...) {.name = name_, ##__VA_ARGS__}

const struct scenario arena_scenarios[] = {
    BODY("claim: a super", .setup = host_setup, .op = create_super, .post = marked_and_released, .before = takes_part),
    BODY("claim: a super, another wants it", .setup = host_setup, .op = create_super, .post = marked_and_released, .before = takes_super),
    BODY("claim: a super that was split", .setup = host_setup, .prepare = split_top, .op = create_super, .post = marked_and_released,
         .before = takes_part),
    BODY("claim: a super that was split, another wants it", .setup = host_setup, .prepare = split_top, .op = create_super,
         .post = marked_and_released, .before = takes_super),
    BODY("claim: a super and a part", .setup = host_setup, .op = create_both, .post = marked_and_released, .before = takes_part),
    BODY("claim: a super that was split, and a part", .setup = host_setup, .prepare = split_top, .op = create_both, .post = marked_and_released,
         .before = takes_both),
    BODY("claim: chunks of a free super", .setup = host_setup, .op = create_part, .post = marked_and_released, .before = takes_super),
    BODY("claim: chunks of a split super", .setup = host_setup, .prepare = split_top, .op = create_part, .post = marked_and_released,
         .before = takes_super),
    BODY("claim: chunks, another wants some", .setup = host_setup, .op = create_part, .post = marked_and_released, .before = takes_part),
    BODY("claim: a small chunk of a free super", .setup = setup_lower_full, .op = create_small, .post = marked_and_released,
         .before = takes_super),
    BODY("claim: chunks in which nothing is used are given back", .setup = host_setup, .prepare = prepare_kept, .staged = all_full,
         .op = create_small, .post = kept_are_released),

    BODY("give back: a super", .setup = host_setup, .prepare = prepare_super, .op = let_go_of_r, .before = takes_super),
    BODY("give back: a super and a part", .setup = host_setup, .prepare = prepare_both, .op = let_go_of_r, .before = takes_both),
    BODY("give back: another's super, the last", .setup = setup_super, .prepare = retain_s, .staged = driver_releases_s, .op = release_s,
         .before = takes_super),
    BODY("give back: another's super and part, the last", .setup = setup_both, .prepare = retain_s, .staged = driver_releases_s, .op = release_s,
         .before = takes_both),
    WORKER("give back: memory, as the helper", .setup = setup_warm, .op = give_back, .before = given_back_counts, .finish = finish_helper),
    WORKER("step: result in place, a super shrunk", .setup = setup_shrinks, .op = step),
    WORKER("step: result in place, shrunk to a super", .setup = setup_shrinks_to_super, .op = step),
};
const unsigned n_arena_scenarios = sizeof arena_scenarios / sizeof arena_scenarios[0];
