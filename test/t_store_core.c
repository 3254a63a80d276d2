/* t_store_core.c: the words of results that may be on disk, step by step, and who may read meanwhile.
 *
 * No keeper runs here: the test takes its steps, in a process slot of its own, with a buffer for a disk.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "core/store.h"
#include "test/rt.h"

#define BYTES 300000u

static struct fv_self driver, keeper;
static char           disk[BYTES];

enum { DRIVER = 1, KEEPER };

/* A segment of our own, with nobody in it but us. */
static void open_all(void) {
    const struct fv_segment_plan plan = {.n_procs = 4, .slab = 64, .store_bytes = 8u << 20};
    if (fv_segment_format(-1, &plan) != 0)
        tap_bail("no segment");
    fv_map.seg->n_workers = 1;
    fv_map.seg->gen_base = 1000;
    fv_map.seg->need_fence = 1;
    fv_map.seg->state = FV_UP;
    fv_map.seg->keeper.slot = KEEPER;
    fv_rt.bell_fd = fv_rt.supervisor_fd = -1;
    fv_epoch = fv_self_epoch = 1;
    if (fv_segment_open_slot(DRIVER) != 0 || fv_segment_open_slot(KEEPER) != 0 || fv_self_init(&driver, DRIVER, false) != 0 ||
        fv_self_init(&keeper, KEEPER, false) != 0)
        tap_bail("no slot");
    fv_homes[KEEPER] = NULL;
    fv_proc(DRIVER)->role = FV_ROLE_DRIVER;
    fv_proc(KEEPER)->role = FV_ROLE_KEEPER;
    for (uint32_t p = DRIVER; p <= KEEPER; p++)
        fv_bit_set(fv_map.seg->active, p);
    fv_self = &driver;
}

static unsigned where(fever_ref r) { return fv_residence(fv_load_acquire_64(&fv_task(fv_ref_index(r.id))->result[0])); }

static fever_ref make(char c) {
    fever_ref r = FEVER_NULL_REF;
    char     *data = malloc(BYTES);
    memset(data, c, BYTES);
    TAP_IS(fever_put(data, BYTES, &r), 0, "put");
    free(data);
    return r;
}

static bool spill(fever_ref r) {
    uint64_t ref, offset, bytes;
    bool     dropped = false;
    if (!fv_store_take(&keeper, fv_ref_index(r.id), &ref, &offset, &bytes))
        return false;
    if (where(r) == FV_HERE) {
        memcpy(disk, fv_at(offset), bytes);
        fv_store_copied(&keeper, ref, 1, 2);
    }
    fv_store_drop(&keeper, &ref, 1, &dropped);
    fv_unhold(&keeper, ref);
    return dropped;
}

static void restore(fever_ref r) {
    if (!fv_store_hold(&keeper, r.id))
        return;
    uint64_t offset = fv_store_restore_begin(&keeper, r.id, false);
    memcpy(fv_at(offset), disk, BYTES);
    fv_store_restored(&keeper, r.id, offset);
    fv_unhold(&keeper, r.id);
}

static void *restores_later(void *arg) {
    fever_ref *r = arg;
    while (fv_load_acquire_32(&fv_map.seg->keeper.wanted) == 0)
        ;
    restore(*r);
    return NULL;
}

static void steps(void) {
    fever_ref   r = make('a'), small, nested;
    const char *v = NULL;
    size_t      n = 0;
    uint64_t    ref, offset, bytes, used = fv_arena_used_bytes();
    bool        dropped = true;
    char       *copy = malloc(BYTES);

    fever_put("x", 1, &small);
    TAP_IS(fever_put_with(copy, BYTES, &small, 1, &nested), 0, "an object with a ref in it");
    TAP_OK(!fv_store_take(&keeper, fv_ref_index(small.id), &ref, &offset, &bytes), "a small one is not taken");
    TAP_OK(!fv_store_take(&keeper, fv_ref_index(nested.id), &ref, &offset, &bytes), "nor one with refs in it");
    fever_release(nested);
    fever_release(small);

    TAP_OK(fv_store_take(&keeper, fv_ref_index(r.id), &ref, &offset, &bytes) && ref == r.id && bytes == BYTES, "a large one is taken");
    fv_store_drop(&keeper, &ref, 1, &dropped);
    TAP_OK(!dropped && where(r) == FV_HERE, "without a copy it does not go");
    memcpy(disk, fv_at(offset), BYTES);
    fv_store_copied(&keeper, ref, 5, 6);
    TAP_OK(where(r) == FV_CLEAN && fv_cold(fv_ref_index(r.id))->copy == 5, "it is here and on disk");
    TAP_OK(fever_view(r, &v, &n) == 0 && v[BYTES - 1] == 'a', "a view of it");
    TAP_OK(fv_store_seems_pinned(0) || fv_store_seems_pinned(ref), "it is pinned");
    TAP_OK(fv_store_drop(&keeper, &ref, 1, &dropped) == 0 && !dropped && where(r) == FV_CLEAN && v[0] == 'a', "pinned, it stays");
    TAP_IS(fever_view_end(r), 0, "the view ends");
    TAP_OK(fv_store_drop(&keeper, &ref, 1, &dropped) == 1 && dropped && where(r) == FV_AWAY, "and it goes");
    TAP_OK(fv_arena_used_bytes() < used, "its block is free");
    fv_unhold(&keeper, ref);

    TAP_IS(fever_view_raw(r, (const void **)&v, &n, 0), -FEVER_ETIMEDOUT, "a poll for what is away");
    TAP_IS(fever_get_raw(r, copy, BYTES, 0, 0.01), -FEVER_ETIMEDOUT, "a timed get of it");
    TAP_OK(fv_self->proc->reading == 0 && fv_self->proc->want[0] == 0, "nothing is left of that");
    fv_store_release_32(&fv_map.seg->keeper.wanted, 0);
    pthread_t t;
    pthread_create(&t, NULL, restores_later, &r);
    TAP_OK(fever_view(r, &v, &n) == 0 && n == BYTES && v[0] == 'a' && v[BYTES - 1] == 'a', "a view waits until it is here");
    pthread_join(t, NULL);
    TAP_OK(!spill(r) && where(r) == FV_CLEAN && v[1000] == 'a', "and keeps it here");
    fever_view_end(r);
    TAP_OK(spill(r), "until it ends");
    restore(r);
    memset(copy, 0, BYTES);
    TAP_OK(fever_get_raw(r, copy, BYTES, 0, 0) == 0 && copy[BYTES - 1] == 'a', "a copy pins no longer than it takes");
    TAP_OK(spill(r), "and it can go");
    TAP_IS(fever_release(r), 0, "it is released while it is away");
    TAP_IS(fever_view_end(r), -FEVER_ESTALE, "then it is gone");
    free(copy);
}

static void holders(void) {
    fever_ref   r = make('b');
    const char *v = NULL;
    char       *at = NULL;
    uint64_t    ref, offset, bytes;
    uint64_t    before = fv_arena_used_bytes();

    fever_retain(r);
    fever_view(r, &v, NULL);
    fever_release(r);
    TAP_OK(!spill(r) && v[0] == 'b', "a view is good until the last hold is released");
    TAP_OK(fv_store_take(&keeper, fv_ref_index(r.id), &ref, &offset, &bytes), "taken by the keeper");
    fever_release(r);
    TAP_OK(fv_arena_used_bytes() == before, "it lives on, by the keeper's hold");
    fv_unhold(&keeper, ref);
    TAP_OK(fv_arena_used_bytes() < before, "and goes with that");
    TAP_OK(!fv_store_hold(&keeper, ref), "what is gone is not held");

    TAP_IS(fever_create(BYTES, &at, &r), 0, "create");
    memset(at, 'c', BYTES);
    TAP_OK(!fv_store_take(&keeper, fv_ref_index(r.id), &ref, &offset, &bytes), "unsealed, it is not taken");
    fever_seal(r);
    TAP_OK(!spill(r) && at[BYTES - 1] == 'c', "the creator reads on where it has written");
    fever_view_end(r);
    TAP_OK(spill(r), "until it says that it does not");
    fever_release(r);
}

static void lost(void) {
    fever_ref   r = make('d');
    const char *v = NULL;
    uint64_t    used;
    char        c[8];
    TAP_OK(spill(r) && fv_store_hold(&keeper, r.id), "away");
    used = fv_arena_used_bytes();
    TAP_OK(fv_store_restore_begin(&keeper, r.id, false) != 0 && fv_arena_used_bytes() > used, "a block for it");
    fv_store_lost(&keeper, r.id, FEVER_ELOST);
    fv_unhold(&keeper, r.id);
    TAP_OK(where(r) == FV_LOST && fv_arena_used_bytes() == used, "lost, and the block is free");
    TAP_IS(fever_view(r, &v, NULL), -FEVER_ELOST, "a view says so");
    TAP_IS(fever_get_raw(r, c, BYTES, 0, 0), -FEVER_ELOST, "a get says so");
    TAP_IS(fever_release(r), 0, "it is released");
}

static void dead_keeper(void) {
    fever_ref              r = make('e');
    uint64_t               ref, offset, bytes;
    struct fv_keeper_state *k = &fv_map.seg->keeper;
    fv_store_take(&keeper, fv_ref_index(r.id), &ref, &offset, &bytes);
    fv_store_copied(&keeper, ref, 1, 2);
    k->dropping[3] = (struct fv_drop){ref, offset};
    fv_store_release_64(&fv_task(fv_ref_index(r.id))->result[0], FV_AWAY);
    fv_store_mend(fv_self, keeper.slot);
    TAP_OK(where(r) == FV_CLEAN && k->dropping[3].offset == 0, "what a dead keeper was about to drop is here");
    fv_unhold(&keeper, ref);
    fever_release(r);
}

static fever_ref body_of;
static long      pins_in_body;
static void run_body(const void *args, void *result) {
    const char *v = NULL, *w = NULL;
    (void)args, (void)result;
    if (fever_view(body_of, &v, NULL) != 0 || fever_view(body_of, &w, NULL) != 0 || v != w)
        return;
    for (uint32_t i = 0, n = fv_holds_used(DRIVER); i < n; i++)
        pins_in_body += fv_holds_of(DRIVER)[i] >> 60 == FV_TAG_PIN;
    if (spill(body_of))
        pins_in_body = -1;
}
static struct fever_def body = {.magic = FEVER_DEF_MAGIC, .name = "body", .file = "t_store_core.c", .run = run_body, .id = 1};

static void bodies(void) {
    struct fv_submission s = {.def = 1, .flags = FV_HELD, .max_retries = -1};
    uint64_t             id = 0;
    body_of = make('f');
    fv_defs[1] = &body;
    TAP_OK(fv_task_submit(&driver, &s, &id) == 0 && fv_task_claim(&driver, fv_ref_index(id)), "a body");
    fv_execute(&driver, fv_ref_index(id));
    TAP_IS(pins_in_body, 1, "it has pinned once what it viewed twice");
    TAP_OK(spill(body_of), "and its pin has ended with it");
    fever_release((fever_ref){id});
    fever_release(body_of);
}

static void many_pins(void) { /* more than the table has room for, of what is gone */
    uint32_t gone = 0;
    for (uint32_t i = 0; i < FV_HOLDS_MAX + 100; i++) {
        fever_ref r;
        if (fever_create(FV_SMALL_MOST + 1, (char **)&(char *){NULL}, &r) != 0)
            break;
        driver.running = 1; /* as a body, which keeps its pins */
        fv_pin(&driver, r.id);
        driver.running = 0;
        fever_seal(r);
        gone += fever_release(r) == 0;
    }
    TAP_IS(gone, FV_HOLDS_MAX + 100, "pins of what is gone make room");
    driver.own_base = 0;
    fv_own_release(&driver, 0);
}

static bool has_pin(uint64_t ref) {
    for (uint32_t i = 0, n = fv_holds_used(DRIVER); i < n; i++)
        if (fv_holds_of(DRIVER)[i] == fv_pin_of_ref(ref))
            return true;
    return false;
}

/* While a thread is about to publish what it has pinned already, another finds the table full of pins of what is gone. */
static void pin_before_publication(void) {
    fever_ref   r = make('g');
    const char *v = NULL;
    uint32_t    index = fv_ref_index(r.id);
    fever_release(r);
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth), next = fv_ref_make(index, fv_truth_gen(t) + 1);
    TAP_OK(fv_truth_state(t) == FV_FREE && fv_store_pin_new(&driver, index, fv_truth_gen(t) + 1) == 0, "a pin of what is about to be there");
    driver.running = 1; /* as a body, which keeps its pins */
    for (uint32_t i = 0; i < FV_HOLDS_MAX + 100; i++) {
        fever_ref stale = {fv_ref_make(index, fv_truth_gen(t) - 1 - i)};
        if (fv_pin(&driver, stale.id) != 0)
            break;
    }
    TAP_OK(has_pin(next), "stays when room is made in the table");
    TAP_OK(!has_pin(fv_ref_make(index, fv_truth_gen(t) - 1)), "where those of what is gone leave");
    driver.running = 0;
    fv_unpin(&driver, next);
    TAP_OK(!has_pin(next), "until it ends");
    r = make('h');
    TAP_OK(fever_view(r, &v, NULL) == 0 && v[0] == 'h', "and the table is good");
    fever_release(r);
    driver.own_base = 0;
    fv_own_release(&driver, 0);
}

int main(void) {
    rt_begin(60);
    open_all();
    steps();
    holders();
    lost();
    dead_keeper();
    bodies();
    many_pins();
    pin_before_publication();
    memset(fv_proc(DRIVER)->want, 0, sizeof fv_proc(DRIVER)->want);
    TAP_IS(fv_validate(stderr, true), 0, "the books are right, and nothing is left");
    return tap_done();
}
