/* ops_cancel.c: the operations of ops.h that cancel, and those that somebody is cancelled in the middle of. */
#include "test/crash/ops.h"

#include <string.h>

#include "core/cancel.h"
#include "run/runtime.h"
#include "test/crash/roles.h"

static void ran(long x) { fv_faa_32(&shared->runs[x], 1); }
static void broken(void) { ran(63), ran(63), ran(63); } /* more often than any body may run: the point fails */

FEVER_TASK(long, task, (long, x)) {
    ran(x);
    return 3 * x + 1;
}
FEVER_TASK(long, asks, (long, x)) {
    ran(x);
    fever_cancelled();
    return 3 * x + 1;
}
FEVER_TASK(long, add100, (fever_ref, a), (long, x)) {
    long v = 0;
    ran(x);
    int rc = fever_get_for(a, &v, 0);
    return rc < 0 ? rc : v + 100;
}
struct wide_args {
    long word[6];
};
FEVER_TASK(long, add100_wide, (fever_ref, a), (long, x), (struct wide_args, w)) { /* too wide to be inline */
    (void)w;
    return add100_local(a, x);
}
FEVER_TASK(long, fails_once, (long, x)) {
    ran(x);
    if (fever_context()->attempt == 1)
        fever_fail(7, "at first");
    return 3 * x + 1;
}

static fever_ref r, s; /* of the driver's */
static uint32_t  index_of(fever_ref ref) { return fv_ref_index(ref.id); }

static void claim_as_other(fever_ref ref) {
    fv_task_claim(act(OTHER), index_of(ref));
    act(DRIVER);
}
/* if nobody has: it may be gone */
static void execute_as_other(fever_ref ref) {
    uint64_t t = fv_load_acquire_64(&fv_task(index_of(ref))->truth);
    act(OTHER);
    if (fv_truth_gen(t) == fv_ref_gen(ref.id) && fv_truth_state(t) == FV_RUN && fv_truth_owner(t) == OTHER)
        fv_execute(fv_self, index_of(ref));
}
static void step(void) { fv_worker_step(fv_self, true); }
static void cancel_r(void) { fever_cancel(r, 0); }
static void cancel_s(void) { fever_cancel(s, 0); }
static void force_r(void) { fever_cancel(r, FEVER_CANCEL_FORCE); }
static void cancel_r_as_driver(void) {
    act(DRIVER);
    cancel_r();
}
static void release_s(void) { fever_release(s); }
static void execute_and_release_s(void) {
    execute_as_other(s);
    act(DRIVER);
    release_s();
}

/* What had been taken to be cancelled is not made READY by the sweep (which says so by the owner field: not charged). */
static void not_repeated(void) {
    uint64_t t = fv_load_acquire_64(&fv_task(index_of(r))->truth);
    if (fv_truth_gen(t) == fv_ref_gen(r.id) && fv_truth_state(t) == FV_READY && fv_truth_owner(t) != 0)
        broken();
}

/* --- who cancels is killed */
static void setup_ready(void) {
    r = task_remote(1);
    expect(r, EXPECT_CANCELED, 4);
}
static void setup_blocked(void) {
    s = task_remote(2);
    claim_as_other(s);
    r = add100_remote(s, 1);
    expect(r, EXPECT_CANCELED, 107);
    while (fv_worker_step(act(OTHER), true)) /* it is registered */
        ;
    act(DRIVER);
}
static void setup_blocked_wide(void) {
    s = task_remote(2);
    claim_as_other(s);
    r = add100_wide_remote(s, 1, (struct wide_args){{0}});
    expect(r, EXPECT_CANCELED, 107);
    while (fv_worker_step(act(OTHER), true))
        ;
    act(DRIVER);
}
static void before_blocked(void) {
    not_repeated();
    execute_as_other(s);
}
static void setup_runs(void) { /* in OTHER, which goes on afterwards */
    r = asks_remote(1);
    expect(r, EXPECT_CANCELED, 4);
    claim_as_other(r);
}
static void execute_r(void) { execute_as_other(r); }
static bool found_r;
static void found(uint32_t slot, uint64_t id) {
    if (slot != OTHER || id != r.id)
        broken();
    found_r = true;
}
static void kill_or_execute_r(void) { /* as the supervisor does */
    act(SUPERVISOR);
    found_r = false;
    fv_cancel_each_forced(found);
    if (!found_r) {
        execute_r();
        return;
    }
    struct fv_verdict why = {.code = FEVER_ECANCELED, .signal = 9, .worker = OTHER, .blamed = r.id};
    fv_sweep(fv_self, OTHER, &why);
    roles_open(OTHER);
}
static void setup_promise(void) {
    fever_promise(&s);
    r = add100_remote(s, 1);
    expect(r, EXPECT_CANCELED, 107);
}
static void set_s(void) { /* if it still can be */
    long seven = 7;
    act(DRIVER);
    fever_promise_set(s, &seven, sizeof seven);
}
static void setup_family(void) { /* r runs in OTHER and has submitted a task, which is READY */
    r = asks_remote(1);
    expect(r, EXPECT_CANCELED, 4);
    struct fv_self *o = act(OTHER);
    fv_task_claim(o, index_of(r));
    o->proc->current = r.id;
    fever_ref child = task_remote(2);
    expect(child, EXPECT_CANCELED, 7);
    o->n_own = 0; /* it outlives the body */
    o->proc->current = 0;
    act(DRIVER);
}

/* --- who runs, or is about to, is stopped and then cancelled */
static uint32_t claimed;
static void setup_asks(void) {
    r = asks_remote(1);
    expect(r, EXPECT_CANCELED, 4);
}
static void claim_r(void) { fv_task_claim(fv_self, claimed = index_of(r)); }
static void execute(void) { fv_execute(fv_self, claimed); }
static void setup_depends(void) { /* on what does not end: so it never begins */
    s = task_remote(2);
    claim_as_other(s);
    fv_worker_step(act(OTHER), true); /* its hint */
    act(DRIVER);
    r = add100_remote(s, 1);
    expect(r, EXPECT_FAIL, FEVER_ECANCELED);
}
static void setup_fails_once(void) {
    r = fails_once_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .max_retries = 9), 1);
    expect(r, EXPECT_CANCELED, -FEVER_EAPP); /* cancelled just before it is repeated: as it has failed; but it is not repeated */
}

#define WORKER(name_, ...) {.name = name_, ##__VA_ARGS__}

const struct scenario cancel_scenarios[] = {
    WORKER("cancel: not started", .flags = OP_SHORT, .setup = setup_ready, .op = cancel_r, .before = not_repeated),
    WORKER("cancel: waits for its argument", .setup = setup_blocked, .op = cancel_r, .before = before_blocked,
           .finish = release_s),
    WORKER("cancel: waits, list in a block", .setup = setup_blocked_wide, .op = cancel_r, .before = before_blocked, .finish = release_s),
    WORKER("cancel: runs", .flags = OP_SHORT | OP_BRIEF, .setup = setup_runs, .op = cancel_r, .before = execute_r),
    WORKER("cancel: runs, by force", .flags = OP_SHORT, .setup = setup_runs, .op = force_r, .before = kill_or_execute_r),
    WORKER("cancel: a promise", .setup = setup_promise, .op = cancel_s, .before = set_s, .finish = release_s),
    WORKER("cancel: with a child", .setup = setup_family, .op = cancel_r, .before = execute_r),
    WORKER("step: cancelled meanwhile", .flags = OP_SHORT, .setup = setup_asks, .op = step, .before = cancel_r_as_driver),
    WORKER("complete: cancelled meanwhile", .setup = setup_asks, .prepare = claim_r, .op = execute, .before = cancel_r_as_driver),
    WORKER("depend: cancelled meanwhile", .flags = OP_SHORT, .setup = setup_depends, .op = step, .before = cancel_r_as_driver,
           .finish = execute_and_release_s),
    WORKER("repeat: cancelled meanwhile", .setup = setup_fails_once, .op = step, .before = cancel_r_as_driver),
};
const unsigned n_cancel_scenarios = sizeof cancel_scenarios / sizeof cancel_scenarios[0];
