/* ops_actor.c: the operations of ops.h on actors: making one, calling it, receiving and answering, its end.
 *
 * Actors that the victim is not live in processes of their own, forked here as the supervisor would: actors_run().
 */
#include "test/crash/ops.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/actor.h"
#include "run/runtime.h"
#include "test/crash/roles.h"
#include "test/crash/stepper.h"

static void ran(long x) { fv_faa_32(&shared->runs[x], 1); }
static void broken(void) { ran(63), ran(63), ran(63); } /* more often than any body may run: the point fails */

struct tally {
    long n;
};
FEVER_ACTOR(struct tally, tally) {
    self->n = 0;
    return 0;
}
struct tally_saved {
    long n, check;
};
FEVER_CHECKPOINT(tally) { return fever_put(&(struct tally_saved){self->n, ~self->n}, sizeof(struct tally_saved), saved); }
FEVER_RESTORE(tally) {
    struct tally_saved s = {0, 0};
    if (fever_get_for(saved, &s, 0) < 0 || s.check != ~s.n)
        broken();
    self->n = s.n;
    return 0;
}
FEVER_METHOD(tally, long, count, (long, x)) {
    ran(x);
    self->n++;
    return 3 * x + 1;
}
FEVER_METHOD_VOID(tally, note, (long, x)) { /* may be called as often as the body that does is begun */
    self->n += x;
}
FEVER_METHOD(tally, long, count_ref, (fever_ref, a), (long, x)) {
    long v = 0;
    ran(x);
    int rc = fever_get_for(a, &v, 0);
    return rc < 0 ? rc : v + 100;
}
struct big_args {
    long word[6];
};
FEVER_METHOD(tally, long, count_big, (struct big_args, w)) {
    ran(w.word[0]);
    return w.word[5] == 5 ? 3 * w.word[0] + 1 : -1;
}
FEVER_TASK(long, hosts, (tally_actor, of), (long, x)) {
    (void)of;
    ran(x);
    warm_up();
    if (scenario->prepare != NULL)
        scenario->prepare();
    stepper_stepped(scenario->op);
    if (scenario->post != NULL)
        scenario->post();
    return 3 * x + 1;
}
FEVER_TASK(long, ready, (long, x)) { return 3 * x + 1; }

static tally_actor a, b;
static fever_ref   r, s;
static uint32_t    index_of(fever_ref ref) { return fv_ref_index(ref.id); }

/* ------------------------------------------------------------------------------------------------ processes of actors */

static pid_t life[2]; /* in slots FIRST_ACTOR and the next */

/* An actor that wants a process, and has none on its way. */
static uint64_t wanting(void) {
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, e = i + fv_proc(p)->slab_limit; i < e; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            if (fv_task_is_actor(i) && fv_truth_state(t) == FV_READY)
                return fv_ref_make(i, fv_truth_gen(t));
        }
    return 0;
}

/* Is there a call that the actor in that slot is to run, or has it to end? */
static bool has_work(uint32_t slot) {
    uint64_t actor = fv_proc(slot)->actor, t = fv_load_acquire_64(&fv_task(fv_ref_index(actor))->truth);
    if (fv_truth_gen(t) != fv_ref_gen(actor) || fv_truth_state(t) != FV_RUN || fv_truth_owner(t) != slot || fv_actor_is_abandoned(fv_ref_index(actor)))
        return true;
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, e = i + fv_proc(p)->slab_limit; i < e; i++) {
            uint64_t c = fv_load_acquire_64(&fv_task(i)->truth);
            if ((fv_truth_state(c) == FV_READY || (fv_truth_state(c) == FV_RUN && fv_truth_owner(c) == slot)) && fv_task_is_call(i) &&
                fv_call_is_for(fv_task(i)->args[2], actor))
                return true;
        }
    return false;
}

static void live(unsigned role, uint64_t actor) {
    roles_open(role);
    fv_proc(role)->actor = actor;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fv_actor_main(act(role));
    }
    life[role - FIRST_ACTOR] = pid;
}

bool actors_run(void) {
    for (unsigned k = 0; k < 2; k++) {
        unsigned role = FIRST_ACTOR + k;
        for (int ms = 0, quiet = 0; life[k] != 0 && quiet < 2; ms++) {
            int status;
            if (waitpid(life[k], &status, WNOHANG) == life[k]) {
                struct fv_verdict why = {.code = FEVER_ECRASHED, .pid = life[k], .worker = -1};
                if (WIFSIGNALED(status))
                    why.signal = WTERMSIG(status);
                life[k] = 0;
                bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0 && fv_proc(role)->leaves;
                if (!ended || !fv_sweep_ended(act(SUPERVISOR), role))
                    fv_sweep(act(SUPERVISOR), role, &why);
                return true;
            }
            quiet = fv_load_acquire_32(&fv_proc(role)->parked) && fv_load_acquire_32(&fv_proc(role)->awaits_calls) && !has_work(role) ? quiet + 1 : 0;
            if (ms > 3000) {
                printf("#   the actor in slot %u sleeps on\n", role);
                broken();
                kill(life[k], SIGKILL);
            }
            if (quiet < 2)
                usleep(ms < 20 ? 50 : 1000);
        }
    }
    uint64_t actor = wanting();
    for (unsigned k = 0; actor != 0 && k < 2; k++)
        if (life[k] == 0) {
            act(SUPERVISOR);
            live(FIRST_ACTOR + k, actor);
            return true;
        }
    return false;
}

/* ------------------------------------------------------------------------------------------------ a caller dies */

static void let_live(void) {
    act(SUPERVISOR);
    while (actors_run())
        ;
    act(DRIVER);
}
static void setup_called(void) {
    a = tally_new();
    expect(hosts_remote(a, 1), EXPECT_LONG, 4);
    let_live();
}
static void setup_called_late(void) { /* it has no process yet */
    a = tally_new();
    expect(hosts_remote(a, 1), EXPECT_LONG, 4);
}
static void release_a(void) { fever_actor_release(a.any); }
static void release_r(void) { fever_release(r); }
static void call(void) { r = tally_count_remote(a, 2); }
static void call_big(void) { r = tally_count_big_remote(a, (struct big_args){{2, 1, 2, 3, 4, 5}}); }
static void call_named(void) { r = tally_count_with(FEVER_WITH(.name = "own"), a, 2); }
static void call_once(void) { tally_note_send(a, 5); }
static void call_dep(void) {
    s = ready_remote(6);
    r = tally_count_ref_remote(a, s, 2);
    fever_release(s);
}
static void fill_lane(void) { /* the ring is full of old hints */
    struct fv_mailbox *m = fv_actor_mailbox(fv_self, a.any.id);
    while (fv_lane_push_spsc(m->lane, &m->head_seen, 0, m->lane->seq & FV_PLACE_MASK))
        m->lane->seq++;
}
static void retain_a(void) { fever_actor_retain(a.any); }
static void make(void) { b = tally_new(); }
static void use_b(void) {
    fever_release(tally_count_remote(b, 3));
    fever_actor_release(b.any);
}

/* ------------------------------------------------------------------------------------------------ an actor dies */

static void setup_answering(void) {
    a = tally_new_with(FEVER_ACTOR_WITH(.max_restarts = 9, .max_task_retries = 9));
    expect(tally_count_remote(a, 1), EXPECT_LONG, 4);
    expect(tally_count_remote(a, 2), EXPECT_LONG, 7);
}
static void setup_answering_big(void) {
    a = tally_new_with(FEVER_ACTOR_WITH(.max_restarts = 9, .max_task_retries = 9));
    expect(tally_count_big_remote(a, (struct big_args){{2, 1, 2, 3, 4, 5}}), EXPECT_LONG, 7);
    tally_count_send(a, 3);
}
static void setup_answering_dep(void) { /* its argument is not there; the driver's other call is behind it */
    a = tally_new_with(FEVER_ACTOR_WITH(.max_restarts = 9, .max_task_retries = 9));
    s = ready_remote(7);
    fv_task_claim(act(OTHER), index_of(s));
    act(DRIVER);
    expect(tally_count_ref_remote(a, s, 1), EXPECT_LONG, 122);
    expect(tally_count_remote(a, 2), EXPECT_LONG, 7);
}
static void execute_s(void) {
    uint64_t t = fv_load_acquire_64(&fv_task(index_of(s))->truth);
    act(OTHER);
    if (fv_truth_state(t) == FV_RUN && fv_truth_owner(t) == OTHER)
        fv_execute(fv_self, index_of(s));
}
static void setup_last_life(void) {
    a = tally_new();
    expect(tally_count_remote(a, 1), EXPECT_DEAD, 4);
    expect(tally_count_remote(a, 2), EXPECT_DEAD, 7);
}
static void setup_unclaimed(void) {
    setup_answering();
}
/* The victim is the actor's process. */
static void become(void) {
    fv_proc(VICTIM)->role = FV_ROLE_ACTOR;
    fv_proc(VICTIM)->actor = a.any.id;
}
static void become_and_begin(void) {
    become();
    if (!fv_actor_begin(fv_self))
        broken();
}
static void begin(void) {
    if (fv_actor_begin(fv_self))
        fv_actor_step(fv_self);
}
static void receive(void) { fv_actor_step(fv_self); }
/* It has told that it is dead, and is about to tell its callers. */
static void become_and_fail(void) {
    become_and_begin();
    fv_self->running = fv_ref_index(a.any.id) + 1;
}
static void end(void) {
    struct fever_error e;
    uint32_t           index = fv_ref_index(a.any.id);
    fv_error_describe(&e, fv_task(index)->def, FEVER_EACTORDEAD);
    fv_task_set_failure(fv_self, index, &e);
    fv_actor_keep(fv_self);
    fv_task_complete(fv_self, index, FV_FAIL);
    fv_actor_finish(fv_self);
}
static void become_and_save(void) {
    become_and_fail();
    if (fever_actor_checkpoint() < 0)
        broken();
}
static void save(void) { /* then its calls, so that they are done where it is not killed */
    if (fever_actor_checkpoint() < 0)
        broken();
    fv_actor_step(fv_self);
}
static void finish_as(void) { release_a(); }
static void finish_as_dep(void) {
    fever_release(s);
    release_a();
}

/* ------------------------------------------------------------------------------------------------ names, and handles that are handed on */

static const struct fever_actor_options named = {.struct_bytes = sizeof named, .registered = "tally", .name_space = "ops"};
static const struct fever_actor_options named_get = {.struct_bytes = sizeof named, .registered = "tally", .name_space = "ops", .get_if_exists = 1};
static const struct fever_actor_options named_stays = {.struct_bytes = sizeof named, .registered = "tally", .name_space = "ops", .get_if_exists = 1, .detached = 1};

static void setup_called_named(void) {
    a = tally_new_with(&named);
    expect(hosts_remote(a, 1), EXPECT_LONG, 4);
    let_live();
}
static void setup_ended_named(void) { /* the name is one's that is dead */
    setup_called_late();
    b = tally_new_with(&named);
    fever_ref dead = {b.any.id};
    fv_task_claim(act(SUPERVISOR), index_of(dead));
    struct fever_error e;
    fv_error_describe(&e, fv_task(index_of(dead))->def, FEVER_EACTORDEAD);
    fv_task_set_failure(fv_self, index_of(dead), &e);
    fv_task_complete(fv_self, index_of(dead), FV_FAIL);
    act(DRIVER);
    fever_actor_release(b.any);
}
static void is_good(tally_actor x) {
    if (x.any.id >> 60 != FV_TAG_REF)
        broken();
}
static void make_named(void) { /* it is made, or was by an attempt that died, and lives still */
    b = tally_new_with(&named_get);
    is_good(b);
}
static void find(void) {
    if (tally_find("ops", "tally", &b) != 0)
        broken();
}
static void release_b(void) { fever_actor_release(b.any); }
static void make_stays(void) {
    b = tally_new_with(&named_stays);
    is_good(b);
}
static void end_stays(void) { /* whichever attempt has made it */
    act(DRIVER);
    if (tally_find("ops", "tally", &b) == 0) {
        uint32_t index = fv_ref_index(b.any.id);
        uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
        fv_store_relaxed_32(&fv_actor_of(index)->detached, 0); /* now it ends with its handles */
        (void)t;
        fever_actor_release(b.any);
    }
    release_a();
}

FEVER_TASK(long, takes, (tally_actor, of), (long, x)) {
    (void)of;
    ran(x);
    return 3 * x + 1;
}
FEVER_TASK(tally_actor, gives, (tally_actor, of), (long, x)) {
    ran(x);
    return of;
}
static void pass(void) { r = takes_remote(a, 2); }
static void put_handle(void) {
    if (fever_put_with(&a, sizeof a, &(fever_ref){a.any.id}, 1, &r) != 0)
        broken();
}
static void put_handle_raw(void) { /* the object's hold is the last one */
    b = tally_new();
    if (fever_put_with(&b, sizeof b, &(fever_ref){b.any.id}, 1, &r) != 0)
        broken();
    fever_actor_release(b.any);
}
static void setup_gives(void) {
    a = tally_new();
    r = gives_remote(a, 2);
}
static void give(void) {
    if (fv_task_claim(fv_self, index_of(r)))
        fv_execute(fv_self, index_of(r));
}
static void finish_gives(void) {
    tally_actor x = {{0}};
    act(DRIVER);
    if (fever_get(r, &x) != 0 || x.any.id != a.any.id)
        broken();
    fever_release(r);
    release_a();
}

#define BODY(name_, ...)   {.name = name_, .in_body = true, .finish = release_a, ##__VA_ARGS__}
#define WORKER(name_, ...) {.name = name_, ##__VA_ARGS__}

const struct scenario actor_scenarios[] = {
    BODY("actor: the first call", .flags = OP_ACTOR, .setup = setup_called, .op = call, .post = release_r),
    BODY("actor: a call", .flags = OP_ACTOR | OP_SHORT, .setup = setup_called, .prepare = call_once, .op = call, .post = release_r),
    BODY("actor: a call, without a ref", .flags = OP_ACTOR, .setup = setup_called, .prepare = call_once, .op = call_once),
    BODY("actor: a call, arguments in a block", .flags = OP_ACTOR, .setup = setup_called, .prepare = call_once, .op = call_big, .post = release_r),
    BODY("actor: a call, with options", .flags = OP_ACTOR, .setup = setup_called, .prepare = call_once, .op = call_named, .post = release_r),
    BODY("actor: a call that depends", .flags = OP_ACTOR, .setup = setup_called, .prepare = call_once, .op = call_dep, .post = release_r),
    BODY("actor: a call, the mailbox is full", .flags = OP_ACTOR, .setup = setup_called_late, .prepare = fill_lane, .op = call, .post = release_r),
    BODY("actor: a call, it has not started", .flags = OP_ACTOR, .setup = setup_called_late, .op = call, .post = release_r),
    BODY("actor: a handle is kept", .flags = OP_ACTOR, .setup = setup_called, .op = retain_a, .post = release_a),
    BODY("actor: the last handle goes", .flags = OP_ACTOR, .setup = setup_called_late, .prepare = make, .op = use_b),
    BODY("actor: make one", .flags = OP_ACTOR | OP_SHORT, .setup = setup_called_late, .op = make, .post = use_b),
    BODY("actor: make one with a name", .flags = OP_ACTOR, .setup = setup_called_late, .op = make_named, .post = release_b),
    BODY("actor: make one with the name of one that is dead", .flags = OP_ACTOR, .setup = setup_ended_named, .op = make_named, .post = release_b),
    BODY("actor: find one", .flags = OP_ACTOR | OP_SHORT, .setup = setup_called_named, .op = find, .post = release_b),
    BODY("actor: let go of one that was found", .flags = OP_ACTOR, .setup = setup_called_named, .prepare = find, .op = release_b),
    {.name = "actor: make one that stays", .in_body = true, .flags = OP_ACTOR, .setup = setup_called_late, .op = make_stays, .post = release_b,
     .finish = end_stays},
    BODY("actor: a handle to a task", .flags = OP_ACTOR, .setup = setup_called, .op = pass, .post = release_r),
    BODY("actor: a handle in an object", .flags = OP_ACTOR, .setup = setup_called, .op = put_handle, .post = release_r),
    BODY("actor: an object has the last handle", .flags = OP_ACTOR, .setup = setup_called_late, .op = put_handle_raw, .post = release_r),
    WORKER("actor: a handle in a result", .flags = OP_ACTOR, .setup = setup_gives, .op = give, .finish = finish_gives),
    WORKER("actor: begin", .flags = OP_ACTOR, .setup = setup_unclaimed, .prepare = become, .op = begin, .finish = finish_as),
    WORKER("actor: receive and answer", .flags = OP_ACTOR | OP_SHORT, .setup = setup_answering, .prepare = become_and_begin, .op = receive,
           .finish = finish_as),
    WORKER("actor: receive, arguments in a block, no ref", .flags = OP_ACTOR, .setup = setup_answering_big, .prepare = become_and_begin, .op = receive,
           .finish = finish_as),
    WORKER("actor: receive, an argument is not there", .flags = OP_ACTOR | OP_DIES, .setup = setup_answering_dep, .prepare = become_and_begin,
           .op = receive, .before = execute_s, .finish = finish_as_dep),
    WORKER("actor: receive, no restart is left", .flags = OP_ACTOR | OP_SHORT, .setup = setup_last_life, .prepare = become_and_begin, .op = receive,
           .finish = finish_as),
    WORKER("actor: it ends, and tells its callers", .flags = OP_ACTOR, .setup = setup_last_life, .prepare = become_and_fail, .op = end,
           .finish = finish_as),
    WORKER("actor: its first checkpoint", .flags = OP_ACTOR, .setup = setup_answering, .prepare = become_and_fail, .op = save, .finish = finish_as),
    WORKER("actor: a checkpoint", .flags = OP_ACTOR, .setup = setup_answering, .prepare = become_and_save, .op = save, .finish = finish_as),
};
const unsigned n_actor_scenarios = sizeof actor_scenarios / sizeof actor_scenarios[0];
