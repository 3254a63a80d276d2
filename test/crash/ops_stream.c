/* ops_stream.c: streams, parts and results in place, stepped through.  See ops.h.
 *
 * Run by:          test/crash/kill.c.
 */
#include "test/crash/ops.h"

#include <string.h>

#include "core/stream.h"
#include "test/crash/roles.h"
#include "test/crash/stepper.h"
#include "run/runtime.h"

fever_ref subject;

static fever_ref s, q; /* of the role that made them; the victim inherits the driver's by the fork */
static int       got;

static void wrong(void) { fv_faa_32(&shared->runs[63], 3); }
static void ran(long x) { fv_faa_32(&shared->runs[x], 1); }

/* ------------------------------------------------------------------------------------------------ bodies */

/* As host in ops.c: prepare, op and post yield. */
FEVER_STREAM(long, yields, (long, x)) {
    ran(x);
    warm_up();
    if (scenario->prepare != NULL)
        scenario->prepare();
    stepper_stepped(scenario->op);
    if (scenario->post != NULL)
        scenario->post();
}

FEVER_STREAM(long, counts, (long, n)) {
    ran(3);
    for (long i = 0; i < n; i++)
        counts_yield(i);
}

FEVER_STREAM(long, counts_and_fails, (long, n)) {
    ran(3);
    for (long i = 0; i < n; i++)
        counts_and_fails_yield(i);
    fever_fail(7, "as it should");
}

struct numbers {
    long before, wanted, word[40];
};
FEVER_TASK(struct numbers, several, (long, x)) {
    struct numbers n = {.wanted = 3 * x};
    ran(x);
    return n;
}

FEVER_TASK_BYTES(in_place, (long, x), (size_t, bytes), (size_t, then)) {
    ran(x);
    long *at = fever_result(bytes);
    for (long i = 0; at != NULL && i < 25; i++)
        at[i] = 1000 * x + i;
    if (then != bytes)
        fever_result(then);
}

int take_item(fever_ref stream) {
    fever_ref item = FEVER_NULL_REF;
    long      v = 0;
    int       rc = fever_stream_next(stream, &item, 0);
    if (rc != 0)
        return rc;
    rc = fever_get_for(item, &v, 0);
    if (rc == 0 && (v < 0 || v > 7 || fv_faa_32(&shared->taken[v], 1) != 0))
        wrong(); /* given twice */
    if (rc < 0 && rc != -FEVER_EAPP)
        wrong();
    fever_release(item);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ yielding */

static long number; /* of the next item of this attempt */

static void begin(void) { number = 0; }
static void yield_one(void) { yields_yield(number++); }
static void yield_two(void) {
    yield_one();
    yield_one();
}
static void begin_with_two(void) {
    begin();
    yield_two();
}
static void setup_yields_1(void) {
    expect(subject = yields_with(FEVER_WITH(.stream_items = 4), 1), EXPECT_STREAM, 1);
}
static void setup_yields_3(void) {
    expect(subject = yields_with(FEVER_WITH(.stream_items = 4), 1), EXPECT_STREAM, 3);
}
static void setup_yields_5(void) {
    expect(subject = yields_with(FEVER_WITH(.stream_items = 3), 1), EXPECT_STREAM, 5);
}
static void driver_takes_one(void) {
    act(DRIVER);
    if (take_item(subject) != 0)
        wrong();
}
static void driver_takes_two(void) {
    driver_takes_one();
    driver_takes_one();
}
/* nobody is to have all of its items */
static void setup_yields(void) { subject = yields_with(FEVER_WITH(.stream_items = 2), 1); }
static void finish_subject(void) { fever_release(subject); }
static void begin_and_leave(void) {
    unsigned me = fv_self->slot; /* another may repeat it */
    begin_with_two();
    act(DRIVER);
    fever_release(subject); /* not held when the body is repeated */
    act(me);
}
static void yield_in_vain(void) { got = yields_yield(number++); }
static void was_in_vain(void) {
    if (got != -FEVER_ECANCELED)
        wrong();
}
static fever_ref big[3];
static void yield_refs(void) { /* an item that keeps others alive */
    static char data[200];
    for (int i = 0; i < 3; i++)
        fever_put(data, sizeof data, &big[i]);
}
static void yield_container(void) { fever_yield_raw(big, sizeof big, 0); }
static void forget_refs(void) {
    for (int i = 0; i < 3; i++)
        fever_release(big[i]);
}

/* ------------------------------------------------------------------------------------------------ taking */

static void run_other(void) {
    act(OTHER);
    while (fv_worker_step(fv_self, true))
        ;
    act(DRIVER);
}
static void setup_three(void) {
    s = counts_remote(3);
    run_other();
    host_setup();
}
static void setup_extent_of_items(void) { /* its control block is an extent */
    s = counts_with(FEVER_WITH(.stream_items = 3000), 2);
    run_other();
    host_setup();
}
static void setup_one_item(void) {
    s = counts_remote(1);
    run_other();
    host_setup();
}
static void setup_none(void) {
    s = counts_remote(0);
    run_other();
    host_setup();
}
static void setup_error(void) {
    s = counts_and_fails_remote(0);
    run_other();
    host_setup();
}
static void setup_not_started(void) {
    host_setup();
    s = counts_remote(1);
}
static void next_item(void) {
    q = FEVER_NULL_REF;
    got = fever_stream_next(s, &q, 0);
}
static void poll_item(void) {
    q = FEVER_NULL_REF;
    got = fever_stream_next(s, &q, 1e-9);
}
static void note_item(void) {
    long v = 0;
    if (got != 0)
        return;
    int rc = fever_get_for(q, &v, 0);
    if (rc == 0 && fv_faa_32(&shared->taken[v & 7], 1) != 0)
        wrong();
    fever_release(q);
}
static void other_takes_one(void) {
    act(OTHER);
    take_item(s);
}
/* the rest; of three items one is lost at most with each victim */
static void finish_taking(void) {
    while (take_item(s) == 0)
        ;
    if (fever_stream_next(s, &q, 0) != -FEVER_EEND)
        wrong();
    struct fv_stream *stream = fv_stream_of(fv_ref_index(s.id), fv_ref_gen(s.id));
    for (uint64_t i = 0; i < stream->capacity; i++) /* the producer could go on */
        if (stream->entry[i].item != 0 || stream->entry[i].turn & 0xFFFF)
            wrong();
    fever_release(s);
}
static void release_stream(void) { fever_release(s); }
static void hold_stream(void) { fever_retain(s); }
static void driver_lets_go(void) {
    act(DRIVER);
    fever_release(s);
}
static void announce(void) {
    struct fv_stream *stream = fv_stream_of(fv_ref_index(s.id), fv_ref_gen(s.id));
    fv_stream_announce_room(&roles_self[THIRD], stream);
}
static void setup_waits_for_room(void) { /* as if */
    setup_three();
    announce();
}

/* ------------------------------------------------------------------------------------------------ submitting, parts, results */

static void submit_stream(void) { q = counts_remote(2); }
static void release_q(void) { fever_release(q); }
static void step(void) { fv_worker_step(fv_self, true); }
static void setup_stream(void) { expect(counts_remote(3), EXPECT_STREAM, 3); }
static void setup_part(void) {
    fever_ref whole = several_remote(2);
    run_other();
    expect(FEVER_PART(whole, struct numbers, wanted), EXPECT_LONG, 6);
    fever_release(whole);
}
static void submit_part(void) { q = FEVER_PART(s, struct numbers, wanted); }
static void setup_whole(void) {
    s = several_remote(2);
    host_setup();
}
static void setup_small_result(void) { expect(in_place_remote(2, 320, 320), EXPECT_BYTES, 2000); }
static void setup_extent_result(void) { expect(in_place_remote(2, 200000, 70000), EXPECT_BYTES, 2000); }
static void setup_result_shrunk(void) { expect(in_place_remote(2, 320, 200), EXPECT_BYTES, 2000); }

#define BODY(name_, ...)   {.name = name_, .in_body = true, ##__VA_ARGS__}
#define WORKER(name_, ...) {.name = name_, ##__VA_ARGS__}

const struct scenario stream_scenarios[] = {
    BODY("yield: the first", .flags = OP_BRIEF | OP_SHORT, .setup = setup_yields_1, .prepare = begin, .op = yield_one),
    BODY("yield: somebody sleeps on it", .flags = OP_PARKED, .setup = setup_yields_3, .prepare = begin, .op = yield_one, .post = yield_two),
    BODY("yield: the third", .setup = setup_yields_3, .prepare = begin_with_two, .op = yield_one),
    BODY("yield: round the ring", .flags = OP_SHORT, .setup = setup_yields_5, .prepare = begin_with_two, .op = yield_two, .post = yield_one,
         .staged = driver_takes_two),
    BODY("yield: waits for room", .flags = OP_TAKER, .setup = setup_yields, .prepare = begin_with_two, .op = yield_one, .post = yield_two,
         .finish = finish_subject),
    BODY("yield: nobody holds the stream any more", .setup = setup_yields, .prepare = begin_and_leave, .op = yield_in_vain,
         .post = was_in_vain),
    BODY("yield: contains refs", .setup = setup_yields, .prepare = yield_refs, .op = yield_container, .post = forget_refs, .finish = finish_subject),

    BODY("next: one of three", .flags = OP_BRIEF | OP_SHORT, .setup = setup_three, .op = next_item, .post = note_item, .finish = finish_taking),
    BODY("next: another takes one, too", .setup = setup_three, .op = next_item, .post = note_item, .before = other_takes_one, .finish = finish_taking),
    BODY("next: the only one", .setup = setup_one_item, .op = next_item, .post = note_item, .finish = finish_taking),
    BODY("next: the end", .setup = setup_none, .op = next_item, .post = note_item, .finish = finish_taking),
    BODY("next: the error", .setup = setup_error, .op = next_item, .post = note_item, .finish = finish_taking),
    BODY("next: nothing yet", .setup = setup_not_started, .op = next_item, .post = note_item, .finish = finish_taking),
    BODY("next: waits, until timeout", .setup = setup_not_started, .op = poll_item, .post = note_item, .finish = finish_taking),
    BODY("next: the producer waits for room", .setup = setup_waits_for_room, .op = next_item, .post = note_item, .finish = finish_taking),
    BODY("release: a stream, with three items", .flags = OP_SHORT, .setup = setup_three, .prepare = hold_stream, .staged = driver_lets_go,
         .op = release_stream),
    BODY("release: a stream of many items, an extent", .flags = OP_SHORT, .setup = setup_extent_of_items, .prepare = hold_stream,
         .staged = driver_lets_go, .op = release_stream),

    BODY("submit: a stream", .setup = host_setup, .op = submit_stream, .post = release_q),
    WORKER("step: a stream", .setup = setup_stream, .op = step),
    BODY("submit: a part", .setup = setup_whole, .op = submit_part, .post = release_q, .finish = release_stream),
    WORKER("step: a part", .setup = setup_part, .op = step),
    WORKER("step: result in place", .setup = setup_small_result, .op = step),
    WORKER("step: result in place, shrunk", .setup = setup_result_shrunk, .op = step),
    WORKER("step: result in place, an extent shrunk", .setup = setup_extent_result, .op = step),
};
const unsigned n_stream_scenarios = sizeof stream_scenarios / sizeof stream_scenarios[0];
