/* ops.c: see ops.h. */
#include "test/crash/ops.h"

#include <string.h>

#include "test/crash/roles.h"
#include "test/crash/stepper.h"
#include "run/runtime.h"

struct shared         *shared;
const struct scenario *scenario;

/* ------------------------------------------------------------------------------------------------ bodies */

static void ran(long x) { fv_faa_32(&shared->runs[x], 1); }

struct big {
    long word[40];
};
struct words {
    long x;
    long word[7];
};

FEVER_TASK(long, plain, (long, x)) {
    ran(x);
    return 3 * x + 1;
}

FEVER_REENTRANT(long, child, (long, x)) {
    ran(x);
    return 3 * x + 1;
}

FEVER_TASK(long, add1, (fever_ref, a), (long, x)) {
    long v = 0;
    ran(x);
    int rc = fever_get_for(a, &v, 0);
    return rc < 0 ? rc : v + 100;
}

FEVER_TASK(long, add2, (fever_ref, a), (fever_ref, b), (long, x)) {
    long v = 0, w = 0;
    ran(x);
    int rc = fever_get_for(a, &v, 0);
    if (rc == 0)
        rc = fever_get_for(b, &w, 0);
    return rc < 0 ? rc : v + w + 100;
}

FEVER_TASK(long, add3, (fever_ref, a), (fever_ref, b), (fever_ref, c), (long, x)) { /* too wide to be inline */
    long v = 0, w = 0, u = 0;
    ran(x);
    int rc = fever_get_for(a, &v, 0);
    if (rc == 0)
        rc = fever_get_for(b, &w, 0);
    if (rc == 0)
        rc = fever_get_for(c, &u, 0);
    return rc < 0 ? rc : v + w + u + 100;
}

FEVER_TASK(struct big, large, (long, x)) {
    struct big b;
    ran(x);
    for (int i = 0; i < 40; i++)
        b.word[i] = x * 1000 + i;
    return b;
}

FEVER_TASK(long, wide, (struct words, w)) {
    ran(w.x);
    for (int i = 0; i < 7; i++)
        if (w.word[i] != w.x * 10 + i)
            return -1;
    return 3 * w.x + 1;
}

FEVER_TASK(fever_ref, nest, (long, x)) {
    ran(x);
    return plain_remote(x + 1);
}

FEVER_TASK(long, failing, (long, x)) {
    ran(x);
    fever_fail(7, "as it should");
    return 0;
}

FEVER_TASK(long, flaky, (long, x)) {
    if (fever_context()->attempt == 1) {
        fever_fail(7, "at first");
        return 0;
    }
    ran(x);
    return 3 * x + 1;
}

FEVER_TASK(struct big, flaky_large, (long, x)) {
    struct big b;
    for (int i = 0; i < 40; i++)
        b.word[i] = x * 1000 + i;
    if (fever_context()->attempt == 1)
        fever_fail(7, "at first");
    else
        ran(x);
    return b;
}

static fever_ref anything; /* of the driver's */

/* Our heap has a chunk of every class that op wants, and our hold table is open: else most instructions would be those
 * that clear and look through them once. */
void warm_up(void) {
    static const size_t size[] = {60, 100, 200, 300, 320, sizeof(struct fever_error)};
    static char         room[1024];
    static unsigned     warm; /* a bit for each slot that this process has played */
    if (warm >> fv_self->slot & 1)
        return;
    warm |= 1u << fv_self->slot;
    for (unsigned i = 0; i < sizeof size / sizeof size[0]; i++) {
        fever_ref ref;
        if (fever_put(room, size[i], &ref) == 0)
            fever_release(ref);
    }
    if (fever_retain(anything) == 0)
        fever_release(anything);
}
void begin_all(void) { fever_put("", 1, &anything); }
void end_all(void) { fever_release(anything); }

FEVER_TASK(long, host, (long, x)) {
    ran(x);
    warm_up();
    if (scenario->prepare != NULL)
        scenario->prepare();
    stepper_stepped(scenario->op);
    if (scenario->post != NULL)
        scenario->post();
    return 3 * x + 1;
}

static struct words words_of(long x) {
    struct words w = {.x = x};
    for (int i = 0; i < 7; i++)
        w.word[i] = x * 10 + i;
    return w;
}

void submit_another(void) {
    static long next = 40, round;
    fever_ref   ref;
    for (int i = 0; i < 4; i++, next++)
        expect(plain_remote(next), EXPECT_LONG, 3 * next + 1);
    for (int n = 0; n < 3; n++, round++) {
        long *word = NULL; /* three to a chunk: blocks that were just freed are used again */
        if (fever_create(20000, &word, &ref) != 0)
            continue;
        for (long i = 0; i < 25; i++)
            word[i] = 1000 * round + i;
        fever_seal(ref);
        expect(ref, EXPECT_BYTES, 1000 * round);
    }
}

fever_ref submit_for_third(void) {
    fever_ref t = plain_remote(30);
    expect(t, EXPECT_LONG, 91);
    return t;
}

/* ------------------------------------------------------------------------------------------------ what they share */

static fever_ref r, q, s; /* of the role that made them; the victim inherits the driver's by the fork */
static uint64_t  data[4] = {1, 2, 3, 4};
static char      bytes[512];

static uint32_t index_of(fever_ref ref) { return fv_ref_index(ref.id); }

void host_setup(void) { expect(host_remote(1), EXPECT_LONG, 4); }

static void release_r(void) { fever_release(r); }
static void check_r(void) { /* who has run it meanwhile has got the right arguments */
    long v = 0;
    if (fever_get_for(r, &v, 0) == 0 && v != 7)
        ran(63), ran(63), ran(63);
    fever_release(r);
}
static void release_r_twice(void) {
    fever_release(r);
    fever_release(r);
}
static void release_rq(void) {
    fever_release(r);
    fever_release(q);
}
static void release_sr(void) { /* driver: what setup made, to be told from what the body makes */
    fever_release(s);
}

/* --- submit, by a body */
static void submit_plain(void) { r = plain_remote(2); }
static void prepare_five(void) {
    for (long i = 10; i < 15; i++)
        fever_release(plain_remote(i));
}
static void submit_wide(void) { r = wide_remote(words_of(2)); }
static void prepare_q(void) {
    q = plain_remote(3);
}
static void submit_dep_local(void) { r = add1_remote(q, 2); }
static void setup_s(void) {
    s = plain_remote(5);
    host_setup();
}
/* s must be complete or not, it is hinted by the driver's ring */
static void submit_dep_remote(void) { r = add1_remote(s, 2); }
static void submit_two_deps(void) { r = add2_remote(s, q, 2); }
static void submit_tail(void) { r = add3_remote(s, q, q, 2); }
static void submit_options(void) {
    r = plain_with(FEVER_WITH(.after = &s, .n_after = 1, .timeout_s = 100, .max_retries = 9), 2);
}
static const int code_7[] = {3, 7};
static void submit_options_block(void) {
    r = plain_with(FEVER_WITH(.name = "two", .retry_codes = code_7, .n_retry_codes = 2, .max_retries = 9), 2);
}
static void submit_options_tail(void) {
    r = add3_with(FEVER_WITH(.name = "tail", .priority = 3, .max_retries = 9), s, q, q, 2);
}
static void fill_deque(void) {
    while (fv_deque_push(fv_proc(VICTIM), fv_queue_of(VICTIM), fv_map.ring_mask, index_of(s)))
        ;
}
static void prepare_full_deque(void) {
    if (fv_self->slot == VICTIM)
        fill_deque();
}
static fever_ref many[ROLES_SLAB];
static int       n_many;
static void prepare_full_slab(void) { /* all but one are complete and held */
    for (n_many = 0; n_many < ROLES_SLAB; n_many++)
        if (fever_put(data, 8, &many[n_many]) < 0)
            break;
    fever_release(many[--n_many]);
}
static void prepare_no_slot(void) {
    for (n_many = 0; n_many < ROLES_SLAB; n_many++)
        if (fever_put(data, 8, &many[n_many]) < 0)
            break;
}
static void release_many(void) {
    while (n_many > 0)
        fever_release(many[--n_many]);
    if (r.id >> 60 == 0xF)
        fever_release(r);
}

/* --- put, create, promise */
static void put_inline(void) { fever_put(data, 16, &r); }
static void put_small(void) { fever_put(bytes, 200, &r); }
static void put_nested(void) {
    fever_ref in[2] = {q, s};
    fever_put_with(in, sizeof in, in, 2, &r);
}
static void put_q(void) {
    fever_put(bytes, 200, &q);
}
static void create_extent(void) {
    void *at = NULL;
    fever_create_raw(150000, &at, &r);
    fever_seal(r);
}
static void create_chunk(void) {
    void *at = NULL;
    fever_create_raw(20000, &at, &r);
}
static void create_small(void) {
    void *at = NULL;
    fever_create_raw(100, &at, &r);
}
static void make_promise(void) { fever_promise(&r); }
static void prepare_open(void) {
    create_small();
}
static void seal(void) { fever_seal(r); }
static void abort_object(void) { fever_abort(r); }
static void set_promise(void) { fever_promise_set(r, data, 8); }
static void set_promise_big(void) { fever_promise_set(r, bytes, 300); }
static void fail_promise(void) { fever_promise_fail(r, 3, "no"); }
static void setup_promise(void) {
    fever_promise(&s);
    host_setup();
}
static void set_remote_promise(void) { fever_promise_set(s, data, 8); } /* fails the second time: it is set */

/* --- hold and release, by a body */
static void retain_r(void) { fever_retain(r); }
static void retain_s(void) { fever_retain(s); }
static void release_s(void) { fever_release(s); }
static void release_s_twice(void) {
    fever_release(s);
    fever_release(s);
}
static void retain_s_once(void) { fever_retain(s); }
static void retain_s_twice(void) {
    fever_retain(s);
    fever_retain(s);
}
static void prepare_put(void) { fever_put(bytes, 200, &r); }
static void prepare_put_inline(void) { fever_put(data, 8, &r); }
static void prepare_put_twice(void) {
    fever_put(bytes, 200, &r);
    fever_retain(r);
}
static void prepare_extent(void) { create_extent(); }
static void prepare_nested(void) {
    put_q();
    put_nested();
    fever_release(q);
}
static void prepare_shared(void) { /* held by a container, too */
    put_q();
    fever_put_with(&q, sizeof q, &q, 1, &r);
}
static void release_q(void) { fever_release(q); }
static void prepare_wide(void) { r = wide_remote(words_of(2)); }
static void prepare_plain(void) { r = plain_remote(2); }
static void prepare_child(void) { r = child_remote(2); }
static void prepare_done_child(void) {
    long v;
    r = child_remote(2);
    fever_get(r, &v);
}
static void setup_object(void) {
    fever_put(bytes, 200, &s);
    host_setup();
}
/* the driver lets go while the victim holds */
static void driver_releases_s(void) {
    act(DRIVER);
    fever_release(s);
    s = FEVER_NULL_REF;
}
/* the driver has let go, another holds it */
static void setup_held_by_other(void) {
    long *word = NULL;
    host_setup();
    if (fever_create(20000, &word, &s) != 0)
        return;
    for (long i = 0; i < 25; i++)
        word[i] = 5000 + i;
    fever_seal(s);
    act(OTHER);
    fever_retain(s);
    expect(s, EXPECT_BYTES, 5000);
    act(DRIVER);
    fever_release(s);
}
static void setup_third_of_chunk(void) {
    void *at = NULL;
    fever_create_raw(20000, &at, &s);
    fever_seal(s);
    host_setup();
}
static void setup_extent(void) {
    void *at = NULL;
    fever_create_raw(150000, &at, &s);
    fever_seal(s);
    host_setup();
}

/* --- get, by a body */
static void get_r(void) {
    long v;
    fever_get(r, &v);
}
static void take_r(void) {
    long v;
    fever_take(r, &v);
}
static void wait_r(void) { fever_wait_one(r, 1e-9); }
static void wait_s(void) { fever_wait_one(s, 1e-9); }
static void wait_rs(void) {
    fever_ref both[2] = {r, s};
    fever_wait(both, 2, 2, 1e-9, NULL);
}
static void get_rs(void) { /* looks for failures of either */
    fever_ref both[2] = {s, r};
    long      v[2];
    fever_get_many_raw(both, 2, v, sizeof v[0], FEVER_TYPE_OF(v[0]), 1e-9);
}
static void announce_s(void) { fv_task_announce_wait(fv_self, index_of(s), fv_ref_gen(s.id)); }
static void setup_s_running(void) { /* runs in OTHER, until it goes on */
    s = plain_remote(5);
    act(OTHER);
    fv_task_claim(fv_self, index_of(s));
    act(DRIVER);
    host_setup();
}
static void execute_s(void) {
    act(OTHER);
    fv_execute(fv_self, index_of(s));
}

/* --- a worker's step */
static void step(void) { fv_worker_step(fv_self, true); }
static void setup_one(void) { expect(plain_remote(1), EXPECT_LONG, 4); }
static void setup_ten(void) {
    for (long i = 1; i <= 10; i++)
        expect(plain_remote(i), EXPECT_LONG, 3 * i + 1);
}
static void setup_duplicates(void) {
    r = plain_remote(1);
    expect(r, EXPECT_LONG, 4);
    for (int i = 0; i < 5; i++)
        fv_task_hint(fv_self, index_of(r));
}
static void setup_stale(void) {
    fever_put(data, 8, &s);
    fv_task_hint(fv_self, index_of(s));
    setup_one();
}
static void setup_steal(void) {
    act(OTHER);
    for (long i = 1; i <= 3; i++)
        expect(plain_remote(i), EXPECT_LONG, 3 * i + 1);
    fv_self->n_own = 0; /* they are not a body's */
}
static void setup_large(void) { expect(large_remote(1), EXPECT_BIG, 1); }
static void setup_wide(void) { expect(wide_remote(words_of(1)), EXPECT_LONG, 4); }
static void setup_nest(void) { expect(nest_remote(1), EXPECT_REF, 7); }
static void setup_failing(void) { expect(failing_remote(1), EXPECT_FAIL, FEVER_EAPP); }
static struct fever_group *group;
static void setup_group(void) {
    fever_group_open(&group);
    plain_group(group, 1);
    failing_group(group, 2);
}
static void setup_group_failing(void) {
    fever_group_open(&group);
    failing_group(group, 2);
}
static void finish_group(void) { fever_group_close(group); }
static void setup_detached(void) { fever_release(plain_remote(1)); }
static void setup_detached_large(void) { fever_release(large_remote(1)); }
static void setup_detached_dep(void) {
    fever_put(data, 8, &s);
    fever_release(add1_remote(s, 1));
}
static void setup_options(void) { expect(plain_with(FEVER_WITH(.timeout_s = 100, .max_retries = 9), 1), EXPECT_LONG, 4); }
static void setup_options_block(void) { expect(plain_with(FEVER_WITH(.name = "one", .max_retries = 9), 1), EXPECT_LONG, 4); }
static void setup_detached_options(void) { fever_release(plain_with(FEVER_WITH(.name = "one", .max_retries = 9), 1)); }
static void setup_flaky(void) {
    expect(flaky_with(FEVER_WITH(.retry_codes = code_7, .n_retry_codes = 2, .max_retries = 9), 1), EXPECT_LONG, 4);
}
static void setup_flaky_later(void) {
    expect(flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 1000, .max_retries = 9), 1), EXPECT_LONG, 4);
}
static void setup_flaky_large(void) {
    expect(flaky_large_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 1000, .max_retries = 9), 1), EXPECT_BIG, 1);
}
static void setup_flaky_detached(void) {
    fever_release(flaky_with(FEVER_WITH(.retry_on = FEVER_RETRY_ALL, .retry_delay_s = 1000, .max_retries = 9), 1));
}
static void setup_dep_done(void) {
    s = plain_remote(2);
    act(OTHER);
    step();
    act(DRIVER);
    expect(add1_remote(s, 1), EXPECT_LONG, 107);
}
static void setup_dep_failed(void) {
    s = failing_remote(2);
    act(OTHER);
    step();
    act(DRIVER);
    expect(add1_remote(s, 1), EXPECT_FAIL, FEVER_EAPP);
}
static void claim_s_as_other(void) {
    act(OTHER);
    fv_task_claim(fv_self, index_of(s));
    act(DRIVER);
}
static void setup_dep_open(void) { /* s runs elsewhere: the step registers */
    s = plain_remote(2);
    claim_s_as_other();
    fv_worker_step(act(OTHER), true); /* its hint */
    act(DRIVER);
    expect(add1_remote(s, 1), EXPECT_LONG, 107);
}
static void setup_dep_further(void) { /* as before, with two registered already */
    s = plain_remote(2);
    claim_s_as_other();
    expect(add1_remote(s, 3), EXPECT_LONG, 107);
    expect(add1_remote(s, 4), EXPECT_LONG, 107);
    act(OTHER);
    for (int i = 0; i < 3; i++)
        step();
    act(DRIVER);
    expect(add1_remote(s, 1), EXPECT_LONG, 107);
}
static void setup_dep_tail(void) {
    s = plain_remote(2);
    claim_s_as_other();
    fv_worker_step(act(OTHER), true);
    act(DRIVER);
    q = plain_remote(3);
    fv_worker_step(act(OTHER), true);
    act(DRIVER);
    expect(add3_remote(s, q, s, 1), EXPECT_LONG, 7 + 10 + 7 + 100);
}
static void finish_tail(void) {
    fever_release(s);
    fever_release(q);
}
static void setup_dep_again(void) { /* registered by one who died: BLOCKED, unblocked, resolved once more */
    s = plain_remote(2);
    q = plain_remote(3);
    claim_s_as_other();
    fv_worker_step(act(OTHER), true);
    act(THIRD);
    fv_task_claim(fv_self, index_of(q));
    fv_worker_step(fv_self, true);
    act(DRIVER);
    expect(add2_remote(s, q, 1), EXPECT_LONG, 7 + 10 + 100);
    fv_worker_step(act(OTHER), true); /* it waits for q */
    act(THIRD);
    fv_execute(fv_self, index_of(q)); /* READY again, a hint in our deque: the step resolves s */
    act(DRIVER);
}

/* --- completion: the victim has claimed it already */
static uint32_t claimed;
static void claim_r(void) {
    fv_task_claim(fv_self, claimed = index_of(r));
}
static void execute(void) { fv_execute(fv_self, claimed); }

static void setup_limited(void) { expect(plain_with(FEVER_WITH(.memory_bytes = 1ull << 40, .max_retries = 9), 1), EXPECT_LONG, 4); }
static void setup_r_failing(void) {
    r = failing_remote(2);
    expect(r, EXPECT_FAIL, FEVER_EAPP);
}
static void driver_watches(void) { /* as if it waited for many, of which r is one */
    fv_task_watch_failure(&roles_self[DRIVER], index_of(r));
}
static void setup_r(void) {
    r = plain_remote(2);
    expect(r, EXPECT_LONG, 7);
}
static void others_depend(int n, long value) {
    act(DRIVER);
    for (long i = 0; i < n; i++)
        expect(add1_remote(r, 10 + i), EXPECT_LONG, value);
    act(OTHER);
    while (fv_worker_step(fv_self, true))
        ;
}
static void one_depends(void) { others_depend(1, 107); }
static void three_depend(void) { others_depend(3, 107); }
/* tasks with dependents, in the slots that have just become free */
static uint32_t used_again[4];
static int      n_used_again;
static void use_slots_again(void) {
    act(DRIVER);
    fv_self->cursor = index_of(r) & fv_map.mask; /* r's first, if it is free */
    for (long i = 0; i < 4; i++) {
        fever_ref x = plain_remote(20 + i);
        used_again[n_used_again++] = index_of(x);
        fv_task_claim(act(OTHER), index_of(x));
        act(DRIVER);
        expect(add1_remote(x, 24 + i), EXPECT_LONG, 3 * (20 + i) + 1 + 100);
        fever_release(x);
    }
    act(OTHER);
    while (fv_worker_step(fv_self, true))
        ;
}
static void execute_used_again(void) {
    act(OTHER);
    while (fv_worker_step(fv_self, true)) /* who was told too early waits once more */
        ;
    while (n_used_again > 0)
        fv_execute(fv_self, used_again[--n_used_again]);
}
static void three_want_a_long(void) { others_depend(3, -FEVER_ETYPE); }
static void setup_r_large(void) {
    r = large_remote(2);
    expect(r, EXPECT_BIG, 2);
}
static void setup_r_shared(void) { /* held by another process and no longer by its home */
    r = plain_remote(2);
    act(OTHER);
    fever_retain(r);
    expect(r, EXPECT_LONG, 7);
    act(DRIVER);
    fever_release(r);
}
static void other_lets_go(void) { /* detached while it runs, after it was shared */
    act(OTHER);
    fever_release(r);
}
static void setup_r_left(void) {
    r = plain_remote(2);
    act(OTHER);
    fever_retain(r);
    act(DRIVER);
    fever_release(r);
}

static void let_go_of_r(void) {
    act(DRIVER);
    fever_release(r);
}
static void setup_r_only(void) { r = plain_remote(2); }

#define BODY(name_, ...)   {.name = name_, .in_body = true, ##__VA_ARGS__}
#define WORKER(name_, ...) {.name = name_, ##__VA_ARGS__}

const struct scenario scenarios[] = {
    BODY("submit: the first", .flags = OP_BRIEF, .setup = host_setup, .op = submit_plain, .post = check_r),
    BODY("submit: one of many", .setup = host_setup, .prepare = prepare_five, .op = submit_plain, .post = release_r),
    BODY("submit: a worker sleeps", .flags = OP_IDLE, .setup = host_setup, .op = submit_plain, .post = release_r),
    BODY("submit: arguments in a block", .setup = host_setup, .op = submit_wide, .post = check_r),
    BODY("submit: depends on a sibling", .setup = host_setup, .prepare = prepare_q, .op = submit_dep_local, .post = release_rq),
    BODY("submit: depends on the driver's", .setup = setup_s, .op = submit_dep_remote, .post = release_r, .finish = release_sr),
    BODY("submit: depends on both", .setup = setup_s, .prepare = prepare_q, .op = submit_two_deps, .post = release_rq, .finish = release_sr),
    BODY("submit: refs in a block", .setup = setup_s, .prepare = prepare_q, .op = submit_tail, .post = release_rq, .finish = release_sr),
    BODY("submit: options and after", .setup = setup_s, .op = submit_options, .post = release_r, .finish = release_sr),
    BODY("submit: options in a block", .flags = OP_SHORT, .setup = host_setup, .op = submit_options_block, .post = check_r),
    BODY("submit: options and refs in blocks", .setup = setup_s, .prepare = prepare_q, .op = submit_options_tail, .post = release_rq,
         .finish = release_sr),
    BODY("submit: deque full of stale hints", .setup = setup_s, .prepare = prepare_full_deque, .op = submit_plain, .post = release_r,
         .finish = release_sr),
    BODY("submit: one slot left", .setup = host_setup, .prepare = prepare_full_slab, .op = submit_plain, .post = release_many),
    BODY("submit: no slot left", .setup = host_setup, .prepare = prepare_no_slot, .op = submit_plain, .post = release_many),

    BODY("put: inline", .setup = host_setup, .op = put_inline, .post = release_r),
    BODY("put: first of its class", .setup = host_setup, .op = create_chunk, .post = release_r),
    BODY("put: a block", .flags = OP_BRIEF, .setup = host_setup, .op = put_small, .post = release_r),
    BODY("put: an extent", .setup = host_setup, .op = create_extent, .post = release_r),
    BODY("put: contains refs", .setup = setup_object, .prepare = put_q, .op = put_nested, .post = release_rq, .finish = release_sr),
    BODY("create", .setup = host_setup, .op = create_small, .post = release_r),
    BODY("seal", .flags = OP_SHORT, .setup = host_setup, .prepare = prepare_open, .op = seal, .post = release_r),
    BODY("abort", .setup = host_setup, .prepare = prepare_open, .op = abort_object, .post = release_r),
    BODY("promise: make", .setup = host_setup, .op = make_promise, .post = release_r),
    BODY("promise: set", .setup = host_setup, .prepare = make_promise, .op = set_promise, .post = release_r),
    BODY("promise: set, in a block", .setup = host_setup, .prepare = make_promise, .op = set_promise_big, .post = release_r),
    BODY("promise: fail", .setup = host_setup, .prepare = make_promise, .op = fail_promise, .post = release_r),
    BODY("promise: set the driver's", .flags = OP_SHORT, .setup = setup_promise, .op = set_remote_promise, .finish = release_sr),

    BODY("retain: one's own", .setup = host_setup, .prepare = prepare_put, .op = retain_r, .post = release_r_twice),
    BODY("retain: another's, first", .flags = OP_BRIEF, .setup = setup_object, .op = retain_s, .post = release_s, .finish = release_sr),
    BODY("retain: another's, again", .setup = setup_object, .prepare = retain_s_once, .op = retain_s, .post = release_s_twice, .finish = release_sr),
    BODY("retain: another's, which its home let go", .setup = setup_held_by_other, .op = retain_s, .post = release_s),
    BODY("release: inline, last", .setup = host_setup, .prepare = prepare_put_inline, .op = release_r),
    BODY("release: a block, last", .flags = OP_SHORT, .setup = host_setup, .prepare = prepare_put, .op = release_r),
    BODY("release: not the last", .setup = host_setup, .prepare = prepare_put_twice, .op = release_r, .post = release_r),
    BODY("release: an extent", .setup = host_setup, .prepare = prepare_extent, .op = release_r),
    BODY("release: a container", .setup = setup_object, .prepare = prepare_nested, .op = release_r, .finish = release_sr),
    BODY("release: held by a container", .setup = host_setup, .prepare = prepare_shared, .op = release_q, .post = release_r),
    BODY("release: not started, args in a block", .setup = host_setup, .prepare = prepare_wide, .op = release_r),
    BODY("release: not started", .setup = host_setup, .prepare = prepare_plain, .op = release_r),
    BODY("release: not started, options in a block", .setup = host_setup, .prepare = submit_options_block, .op = release_r),
    BODY("release: done, a task", .setup = host_setup, .flags = OP_HELPER, .prepare = prepare_done_child, .op = release_r),
    BODY("release: another's, not the last", .setup = setup_object, .prepare = retain_s_twice, .op = release_s, .post = release_s,
         .finish = release_sr),
    BODY("release: another's, our last", .flags = OP_BRIEF, .setup = setup_object, .prepare = retain_s_once, .op = release_s, .finish = release_sr),
    BODY("release: another's, the last of all", .flags = OP_SHORT, .setup = setup_object, .prepare = retain_s_once, .staged = driver_releases_s, .op = release_s),
    BODY("release: another's, its block is wanted", .setup = setup_third_of_chunk, .prepare = retain_s_once, .staged = driver_releases_s,
         .op = release_s),
    BODY("release: another's extent, the last", .setup = setup_extent, .prepare = retain_s_once, .staged = driver_releases_s, .op = release_s),

    BODY("get: done", .setup = host_setup, .flags = OP_HELPER, .prepare = prepare_done_child, .op = get_r, .post = release_r),
    BODY("get: run in place", .flags = OP_HELPER, .setup = host_setup, .prepare = prepare_child, .op = get_r, .post = release_r),
    BODY("take: run in place", .flags = OP_HELPER, .setup = host_setup, .prepare = prepare_child, .op = take_r),
    BODY("wait: own child, until timeout", .setup = host_setup, .prepare = prepare_plain, .op = wait_r, .post = release_r),
    BODY("wait: runs elsewhere, until timeout", .setup = setup_s_running, .op = wait_s, .before = execute_s, .finish = release_sr),
    BODY("wait: for two", .setup = setup_s_running, .prepare = prepare_plain, .op = wait_rs, .post = release_r, .before = execute_s,
         .finish = release_sr),
    BODY("get many: until timeout", .setup = setup_s_running, .prepare = prepare_plain, .op = get_rs, .post = release_r, .before = execute_s,
         .finish = release_sr),
    BODY("announce a wait", .setup = setup_s_running, .op = announce_s, .before = execute_s, .finish = release_sr),

    WORKER("step: one task", .flags = OP_BRIEF, .setup = setup_one, .op = step),
    WORKER("step: somebody sleeps on it", .flags = OP_PARKED, .setup = setup_one, .op = step),
    WORKER("step: a batch of ten", .setup = setup_ten, .op = step),
    WORKER("step: duplicate hints", .flags = OP_SHORT, .setup = setup_duplicates, .op = step),
    WORKER("step: stale hint", .setup = setup_stale, .op = step, .finish = release_sr),
    WORKER("step: steal from a deque", .setup = setup_steal, .op = step),
    WORKER("step: result in a block", .setup = setup_large, .op = step),
    WORKER("step: arguments in a block", .setup = setup_wide, .op = step),
    WORKER("step: result is a ref", .setup = setup_nest, .op = step),
    WORKER("step: fails", .setup = setup_failing, .op = step),
    WORKER("step: member of a group", .setup = setup_group, .op = step, .finish = finish_group),
    WORKER("step: failing member of a group", .setup = setup_group_failing, .op = step, .finish = finish_group),
    WORKER("step: detached", .setup = setup_detached, .op = step),
    WORKER("step: detached, result in a block", .setup = setup_detached_large, .op = step),
    WORKER("step: detached, with a dependency", .setup = setup_detached_dep, .op = step, .finish = release_sr),
    WORKER("step: time limit and retries", .setup = setup_options, .op = step),
    WORKER("step: options in a block", .setup = setup_options_block, .op = step),
    WORKER("step: options in a block, detached", .setup = setup_detached_options, .op = step),
    WORKER("step: a memory limit", .setup = setup_limited, .op = step),
    WORKER("repeat: at once", .setup = setup_flaky, .op = step),
    WORKER("repeat: later", .flags = OP_SHORT, .setup = setup_flaky_later, .op = step),
    WORKER("repeat: result in a block", .setup = setup_flaky_large, .op = step),
    WORKER("repeat: detached", .setup = setup_flaky_detached, .op = step),
    WORKER("depend: it is done", .setup = setup_dep_done, .op = step, .finish = release_sr),
    WORKER("depend: it has failed", .setup = setup_dep_failed, .op = step, .finish = release_sr),
    WORKER("depend: first to wait", .flags = OP_BRIEF, .setup = setup_dep_open, .op = step, .before = execute_s, .finish = release_sr),
    WORKER("depend: third to wait", .flags = OP_SHORT, .setup = setup_dep_further, .op = step, .before = execute_s, .finish = release_sr),
    WORKER("depend: list in a block", .setup = setup_dep_tail, .op = step, .before = execute_s, .finish = finish_tail),
    WORKER("depend: on a second one", .setup = setup_dep_again, .op = step, .before = execute_s, .finish = finish_tail),

    WORKER("complete: held", .setup = setup_r, .prepare = claim_r, .op = execute),
    WORKER("complete: somebody sleeps on it", .flags = OP_PARKED | OP_SHORT, .setup = setup_r, .prepare = claim_r, .op = execute),
    WORKER("complete: fails, and somebody watches for that", .setup = setup_r_failing, .prepare = claim_r, .staged = driver_watches, .op = execute),
    WORKER("complete: let go meanwhile", .setup = setup_r_only, .prepare = claim_r, .op = execute, .before = let_go_of_r),
    WORKER("complete: one depends", .flags = OP_BRIEF, .setup = setup_r, .prepare = claim_r, .staged = one_depends, .op = execute),
    WORKER("complete: three depend", .flags = OP_SHORT, .setup = setup_r, .prepare = claim_r, .staged = three_depend, .op = execute),
    WORKER("complete: three depend, slots used again", .setup = setup_r, .prepare = claim_r, .staged = three_depend, .op = execute,
           .again = use_slots_again, .then = execute_used_again),
    WORKER("complete: a block, three would", .setup = setup_r_large, .prepare = claim_r, .staged = three_want_a_long, .op = execute),
    WORKER("complete: shared", .setup = setup_r_shared, .prepare = claim_r, .op = execute),
    WORKER("complete: shared and left", .flags = OP_SHORT, .setup = setup_r_left, .prepare = claim_r, .staged = other_lets_go, .op = execute),
};
const unsigned n_scenarios = sizeof scenarios / sizeof scenarios[0];
