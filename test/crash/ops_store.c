/* ops_store.c: the operations of ops.h on results that may be on disk: what readers do, and what the keeper does.
 *
 * The disk is a buffer.  Where the victim is the keeper OTHER is its successor; where it is a reader OTHER is the keeper. */
#include "test/crash/ops.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "core/store.h"
#include "run/restore.h"
#include "run/runtime.h"
#include "run/source.h"
#include "test/crash/roles.h"

#define BYTES 140000u /* three chunks */
#define WORDS (BYTES / sizeof(long))

static void ran(long x) { fv_faa_32(&shared->runs[x], 1); }
static void broken(void) { ran(63), ran(63), ran(63); } /* more often than any body may run: the point fails */

static fever_ref big; /* of the driver's, if it still has it */
static char     *disk;
static uint64_t  held, offset_of_big;

static uint32_t  index_of_big(void) { return fv_ref_index(big.id); }
static uint64_t *word(void) { return &fv_task(index_of_big())->result[0]; }

/* --- the keeper's part, as whoever we are */
static bool take(void) {
    uint64_t bytes;
    return fv_store_take(fv_self, index_of_big(), &held, &offset_of_big, &bytes);
}
static void let_go(void) { fv_unhold(fv_self, held); }
static void copied(void) { fv_store_copied(fv_self, held, 7, 9); }
static void copied_again(void) { fv_store_copied(fv_self, held, 8, 9); } /* elsewhere */
static void write_out(void) {
    memcpy(disk, fv_at(offset_of_big), BYTES);
    copied();
}
static void drop(void) {
    bool dropped;
    fv_store_drop(fv_self, &held, 1, &dropped);
}
static bool to_file; /* the victim reads it back into the fallback; others do as they like */
static void restore_begin(void) { offset_of_big = fv_store_restore_begin(fv_self, held, to_file && fv_self->slot == VICTIM); }
static void read_back(void) {
    if (to_file && fv_self->slot == VICTIM && !fv_in_file(offset_of_big))
        broken();
    memcpy(fv_at(offset_of_big), disk, BYTES);
}
static void restored(void) { fv_store_restored(fv_self, held, offset_of_big); }
static void lost(void) { fv_store_lost(fv_self, held, FEVER_EABORTED); }

static bool is_there(void) {
    uint64_t t = fv_load_acquire_64(&fv_task(index_of_big())->truth);
    return fv_truth_gen(t) == fv_ref_gen(big.id) && fv_truth_state(t) == FV_DONE;
}

/* All of it; from whatever a keeper may have left. */
static void spill_as(unsigned role) {
    act(role);
    if (!take())
        return;
    if (fv_residence(*word()) == FV_HERE)
        write_out();
    drop();
    let_go();
}
static void restore_as(unsigned role) {
    act(role);
    if (!is_there() || fv_residence(fv_load_acquire_64(word())) != FV_AWAY || fv_hold(fv_self, big.id) < 0)
        return;
    held = big.id;
    restore_begin();
    if (offset_of_big != 0) {
        read_back();
        restored();
    }
    let_go();
}

/* --- what must hold at any point */
static long want[WORDS];
static bool is_right(const long *at) { return memcmp(at, want, sizeof want) == 0; }
static void trample(void) { /* over what is free */
    static char junk[BYTES];
    fever_ref   ref[32];
    unsigned    n = 0;
    memset(junk, 0x5A, sizeof junk);
    while (n < 32 && fever_put(junk, BYTES, &ref[n]) == 0)
        if (fv_in_file(fv_task(fv_ref_index(ref[n++].id))->result[0]) && !to_file) /* all of the memory is trampled on */
            break;
    while (n > 0)
        fever_release(ref[--n]);
}
static bool at_rest;
static void look(void) { /* the driver can read it, before and after it has been away */
    const long *at = NULL;
    size_t      bytes = 0;
    for (int round = 0; round < 2; round++) {
        act(DRIVER);
        int rc = fever_view_raw(big, (const void **)&at, &bytes, 0);
        if (rc == -FEVER_ETIMEDOUT) {
            restore_as(OTHER);
            act(DRIVER);
            rc = fever_view_raw(big, (const void **)&at, &bytes, 0);
        }
        if (rc == -FEVER_EABORTED && fv_residence(*word()) == FV_LOST)
            return;
        if (rc != 0 || bytes != BYTES || !is_right(at))
            broken();
        spill_as(OTHER); /* not while there is a view */
        if (rc == 0 && !is_right(at))
            broken();
        act(DRIVER);
        fever_view_end(big);
        spill_as(OTHER);
        if (at_rest && fv_residence(*word()) != FV_AWAY)
            broken();
        act(DRIVER);
    }
    trample();
}
static void look_again(void) { /* the keeper is at it: nobody else is */
    const long *at = NULL;
    size_t      bytes = 0;
    act(DRIVER);
    int rc = fever_view_raw(big, (const void **)&at, &bytes, 0);
    if (rc == 0 ? !is_right(at) : rc != -FEVER_ETIMEDOUT && rc != -FEVER_EABORTED)
        broken();
}
static void pinned_is_right(void) { /* the driver had a view all the while */
    const long *at = NULL;
    size_t      bytes = 0;
    act(DRIVER);
    if (fv_residence(fv_load_acquire_64(word())) > FV_CLEAN && !fv_map.seg->keeper.dropping[0].offset)
        broken();
    if (fever_view_raw(big, (const void **)&at, &bytes, 0) == 0 && !is_right(at))
        broken();
}
static bool reader_is_victim;
static void before(void);
static void one_of_two(void) { /* either copy, with the checksum that both have */
    const struct fv_task_cold *c = fv_cold(index_of_big());
    if ((c->copy != 7 && c->copy != 8) || c->copy_check != 9)
        broken();
    before();
}
static void before(void) {
    if (reader_is_victim || fv_load_relaxed_32(&fv_proc(VICTIM)->role) != FV_ROLE_KEEPER)
        look();
    else
        look_again();
}
static void finish(void) {
    act(DRIVER);
    fv_proc(VICTIM)->role = FV_ROLE_WORKER;
    fv_map.seg->keeper.slot = 0;
    memset(fv_proc(DRIVER)->want, 0, sizeof fv_proc(DRIVER)->want);
    if (big.id == 0)
        return;
    at_rest = true;
    look();
    act(DRIVER);
    fever_release(big);
}

/* --- setups */
static void setup(void) {
    long *at = NULL;
    reader_is_victim = to_file = false;
    disk = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fever_create(BYTES, &at, &big) != 0)
        broken();
    for (size_t i = 0; i < WORDS; i++)
        at[i] = want[i] = (long)(3 * i + 1);
    memcpy(disk, at, BYTES);
    fever_seal(big);
    fever_view_end(big);
}
static void as_keeper(void) {
    fv_proc(VICTIM)->role = FV_ROLE_KEEPER;
    fv_map.seg->keeper.slot = VICTIM;
}
static void setup_keeper(void) {
    setup();
    as_keeper();
}
static void setup_pinned(void) { /* the driver has a view */
    const void *at;
    setup_keeper();
    fever_view_raw(big, &at, NULL, 0);
}
static void setup_away(void) {
    setup();
    spill_as(OTHER);
    act(DRIVER);
    as_keeper();
}
static void setup_away_to_file(void) {
    setup_away();
    to_file = true;
}
static void setup_in_file(void) { /* it has been read back into the fallback */
    setup_away();
    fv_hold(act(OTHER), big.id);
    held = big.id;
    offset_of_big = fv_store_restore_begin(fv_self, held, true);
    if (!fv_in_file(offset_of_big))
        broken();
    read_back();
    restored();
    let_go();
    act(DRIVER);
}
/* It was loaded from a file that stays: that of the C library is always there, and old. */
static void setup_source(void) {
    Dl_info libc;
    setup();
    fever_release(big);
    if (dladdr((void *)(uintptr_t)waitpid, &libc) == 0 || fever_load(libc.dli_fname, FEVER_LOAD(.bytes = BYTES, .source_stays = 1), &big) != 0)
        broken();
    fv_worker_step(act(OTHER), true);
    act(DRIVER);
    const long *at = NULL;
    size_t      bytes = 0;
    if (fever_view_raw(big, (const void **)&at, &bytes, 0) != 0 || bytes != BYTES || fv_store_source(index_of_big()) == NULL ||
        fv_store_source(index_of_big())->state != FV_SOURCE_SETTLED)
        broken();
    memcpy(want, at, sizeof want);
    memcpy(disk, at, BYTES);
    fever_view_end(big);
    as_keeper();
}
static struct fv_source *source(void) { return fv_store_source(index_of_big()); }
static void setup_source_changed(void) {
    setup_source();
    source()->mtime_ns++;
}
static void setup_reader(void) {
    setup();
    reader_is_victim = true;
    fv_map.seg->keeper.slot = OTHER;
}
static void setup_reader_away(void) {
    setup_reader();
    spill_as(OTHER);
    act(DRIVER);
}
static void prepare_taken(void) { take(); }
static void prepare_clean(void) {
    take();
    copied();
}
static void prepare_hold(void) {
    fv_hold(fv_self, big.id);
    held = big.id;
}
static void prepare_begun(void) {
    prepare_hold();
    restore_begin();
    read_back();
}
static void as_source(void) { /* as the keeper does before it drops it */
    if (fv_source_stays(source()))
        fv_store_copied(fv_self, held, FV_COPY_SOURCE, source()->check);
    else
        copied();
}
static void prepare_as_source(void) {
    take();
    as_source();
}
static void source_or_copy(void) { /* CLEAN says which, and that has its checksum; what has changed once is never taken again */
    const struct fv_task_cold *c = fv_cold(index_of_big());
    bool                       changed = source()->state == FV_SOURCE_CHANGED;
    if (source()->state == FV_SOURCE_NONE ||
        (fv_residence(*word()) == FV_CLEAN && !(c->copy == FV_COPY_SOURCE && c->copy_check == source()->check && !changed) &&
         !(c->copy == 7 && c->copy_check == 9)))
        broken();
    before();
}
static void as_driver_leaves(void) { /* while the keeper has it */
    struct fv_self *was = fv_self;
    act(DRIVER);
    fever_release(big);
    act(was->slot);
}
static void prepare_last(void) { /* the keeper is the last to hold it, and it is clean */
    take();
    copied();
}
static void leave(void) {
    as_driver_leaves();
    big.id = 0;
}

/* --- operations */
static void op_take(void) {
    if (take())
        let_go();
}
static void op_restore_begin(void) { restore_begin(); }
static void op_view(void) {
    const long *at = NULL;
    if (fever_view_raw(big, (const void **)&at, NULL, 0) == 0) {
        if (at[WORDS - 1] != want[WORDS - 1])
            broken();
        fever_view_end(big);
    }
}
static uint64_t seen;
static void prepare_reader(void) { fever_retain(big); }
static void op_read(void) { /* as for a copy */
    if (fv_store_read_begin(fv_self, index_of_big(), fv_ref_gen(big.id), &seen) == 0 &&
        ((const long *)fv_at(seen))[WORDS - 1] != want[WORDS - 1])
        broken();
    fv_store_read_end(fv_self);
}
static void post_reader(void) { fever_release(big); }
/* what depends on another, and will read what is away: the completer asks for it */
FEVER_TASK(long, first, (long, x)) {
    ran(x);
    return 3 * x + 1;
}
FEVER_TASK(long, reads_after, (fever_ref, before), (fever_ref, r), (long, x)) {
    const long *at = NULL;
    (void)before;
    ran(x);
    int rc = fever_view_raw(r, (const void **)&at, NULL, 0);
    if (rc == 0 ? !is_right(at) : rc != -FEVER_ETIMEDOUT)
        broken();
    return 3 * x + 1;
}
static fever_ref before_it;
static void      setup_depends(void) {
    setup_reader_away();
    before_it = first_remote(2);
    expect(before_it, EXPECT_LONG, 7);
    fv_task_claim(act(THIRD), fv_ref_index(before_it.id));
    act(DRIVER);
    expect(reads_after_remote(before_it, big, 3), EXPECT_LONG, 10);
    for (struct fv_self *other = act(OTHER); fv_worker_step(other, true);) /* it waits for the first */
        ;
    act(DRIVER);
}
static void prepare_completer(void) { /* the victim has it */
    uint64_t *truth = &fv_task(fv_ref_index(before_it.id))->truth;
    fv_store_release_64(truth, fv_truth_with(fv_load_relaxed_64(truth), VICTIM, FV_RUN));
}
static void op_complete(void) { fv_execute(fv_self, fv_ref_index(before_it.id)); }

#define S(name_, before_, ...) {.name = name_, .before = before_, .finish = finish, ##__VA_ARGS__}

const struct scenario store_scenarios[] = {
    S("store: view", before, .flags = OP_SHORT | OP_BRIEF, .setup = setup_reader, .prepare = prepare_reader, .op = op_view, .post = post_reader),
    S("store: view of what is away", before, .setup = setup_reader_away, .prepare = prepare_reader, .op = op_view, .post = post_reader),
    S("store: read", before, .flags = OP_SHORT, .setup = setup_reader, .prepare = prepare_reader, .op = op_read, .post = post_reader),
    S("store: read what is away", before, .setup = setup_reader_away, .prepare = prepare_reader, .op = op_read, .post = post_reader),
    S("store: complete, what depends reads what is away", before, .setup = setup_depends, .prepare = prepare_completer, .op = op_complete),
    S("store: take", before, .flags = OP_SHORT, .setup = setup_keeper, .op = op_take),
    S("store: take, the last holder leaves", leave, .setup = setup_keeper, .op = op_take),
    S("store: copied", before, .setup = setup_keeper, .prepare = prepare_taken, .op = copied),
    S("store: another copy", one_of_two, .setup = setup_keeper, .prepare = prepare_clean, .op = copied_again),
    S("store: drop", before, .flags = OP_SHORT | OP_BRIEF, .setup = setup_keeper, .prepare = prepare_clean, .op = drop),
    S("store: drop what is pinned", pinned_is_right, .flags = OP_SHORT, .setup = setup_pinned, .prepare = prepare_clean, .op = drop),
    S("store: drop, the last holder leaves", leave, .setup = setup_keeper, .prepare = prepare_last, .op = drop),
    S("store: let go, the last", leave, .setup = setup_keeper, .prepare = prepare_last, .op = let_go),
    S("store: begin to restore", before, .flags = OP_SHORT, .setup = setup_away, .prepare = prepare_hold, .op = op_restore_begin),
    S("store: restored", before, .setup = setup_away, .prepare = prepare_begun, .op = restored),
    S("store: lost", before, .setup = setup_away, .prepare = prepare_begun, .op = lost),
    S("store: begin to restore to the fallback", before, .setup = setup_away_to_file, .prepare = prepare_hold, .op = op_restore_begin),
    S("store: restored to the fallback", before, .setup = setup_away_to_file, .prepare = prepare_begun, .op = restored),
    S("store: lost on the way to the fallback", before, .setup = setup_away_to_file, .prepare = prepare_begun, .op = lost),
    S("store: drop from the fallback", before, .setup = setup_in_file, .prepare = prepare_taken, .op = drop),
    S("source: clean as it is", source_or_copy, .flags = OP_SHORT, .setup = setup_source, .prepare = prepare_taken, .op = as_source),
    S("source: it has changed", source_or_copy, .flags = OP_SHORT, .setup = setup_source_changed, .prepare = prepare_taken, .op = as_source),
    S("source: drop", source_or_copy, .setup = setup_source, .prepare = prepare_as_source, .op = drop),
};
const unsigned n_store_scenarios = sizeof store_scenarios / sizeof store_scenarios[0];
