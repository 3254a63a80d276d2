/* ops_host.c: tasks that start by a grant, the workers that are their hosts, and bells, stepped through.  See ops.h.
 *
 * Run by:          test/crash/kill.c.
 */
#include "test/crash/ops.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "core/queued.h"
#include "run/runtime.h"
#include "test/crash/roles.h"

static fever_ref r, s; /* of the role that made them; the victim inherits the driver's by the fork */
static uint32_t  claimed;

static void ran(long x) { fv_faa_32(&shared->runs[x], 1); }

FEVER_TASK(long, asks, (long, x)) {
    ran(x);
    return 3 * x + 1;
}

FEVER_TASK(long, asks_after, (fever_ref, a), (long, x)) {
    long v = 0;
    ran(x);
    int rc = fever_get_for(a, &v, 0);
    return rc < 0 ? rc : v + 100;
}

static uint32_t index_of(fever_ref ref) { return fv_ref_index(ref.id); }
static void     release_r(void) { fever_release(r); }
static void     check_r(void) { /* who has run it meanwhile has got the right arguments */
    long v = 0;
    if (fever_get_for(r, &v, 0) == 0 && v != 7)
        ran(63), ran(63), ran(63);
    fever_release(r);
}
static void release_sr(void) { fever_release(s); }
static void setup_s(void) {
    s = asks_remote(5);
    host_setup();
}
static void step(void) { fv_worker_step(fv_self, true); }
static void execute(void) { fv_execute(fv_self, claimed); }

/* --- tasks that start by a grant */
static struct fever_resource wanted = {"gpu", 0.5};
static void submit_granted(void) { r = asks_with(FEVER_WITH(.num_cpus = 0.5, .resources = &wanted, .n_resources = 1, .priority = 3), 2); }
static void submit_granted_dep(void) { r = asks_after_with(FEVER_WITH(.priority = -1), s, 2); }
static void setup_quiet(void) {
    fv_quiet = true;
    host_setup();
}
static void submit_infeasible(void) { /* nothing changes */
    fever_ref none = asks_with(FEVER_WITH(.num_cpus = 100), 2);
    if (none.id >> 60 == 0xF)
        ran(63), ran(63), ran(63);
}

/* --- a worker that stands by: the order of the dispatcher is there */
static void setup_granted(void) {
    r = asks_with(FEVER_WITH(.num_cpus = 2, .resources = &wanted, .n_resources = 1), 2);
    expect(r, EXPECT_LONG, 7);
}
static void setup_granted_stale(void) { /* an ordinary hint to it, of the slot's last user */
    setup_granted();
    fv_ring_push_spmc(&fv_proc(DRIVER)->ring, fv_queue_of(DRIVER), fv_map.ring_mask, &fv_self->ring, index_of(r));
}
static uint32_t waits_for_s;
static void note_waiting(void *arg, uint32_t index) {
    (void)arg;
    waits_for_s = index;
}
static void supervisor_registers(void) {
    act(SUPERVISOR);
    fv_dispatch_collect(note_waiting, NULL);
    if (fv_dispatch_await_arguments(fv_self, waits_for_s, fv_truth_gen(fv_load_acquire_64(&fv_task(waits_for_s)->truth))))
        ran(63), ran(63), ran(63); /* s is not there */
}
static void claim_s(void) { fv_task_claim(fv_self, claimed = index_of(s)); }
static void setup_s_for_granted(void) {
    s = asks_remote(2);
    expect(asks_after_with(FEVER_WITH(.priority = 2), s, 1), EXPECT_LONG, 107);
}
static void order_victim(void) {
    struct fv_proc *p = fv_proc(VICTIM);
    p->asked = 1;
    p->grant_cpu = FV_GRANT_LENT;
    p->grant = r.id;
}
static void queue_is_empty(void) { /* the supervisor had taken note of it */
    act(SUPERVISOR);
    fv_dispatch_collect(note_waiting, NULL);
}
static void serve(void) { fv_host_run(fv_self); }
static void other_runs_r(void) {
    struct fv_self *self = act(OTHER);
    self->granted = r.id;
    if (fv_task_claim(self, index_of(r)))
        fv_execute(self, index_of(r));
    self->granted = 0;
}

/* --- a bell: THIRD goes to sleep while the victim rings it; the supervisor's bell tells how often a sweep rang all */
static uint32_t bell_of_third, bell_of_all;
static pid_t    asleep;
static void setup_bell(void) {
    bell_of_third = fv_bell_read(fv_proc(THIRD));
    bell_of_all = fv_bell_read(fv_proc(SUPERVISOR));
    host_setup();
}
static void ring_third(void) { fv_bell_ring(fv_proc(THIRD)); }
static void go_to_sleep(void) {
    uint32_t seen = bell_of_third + fv_bell_read(fv_proc(SUPERVISOR)) - bell_of_all; /* if nobody else has rung it */
    if ((asleep = fork()) == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fv_bell_wait(fv_proc(THIRD), seen, -1);
        _exit(0);
    }
    while (fv_bell_read(fv_proc(THIRD)) == seen && !fv_load_acquire_32(&fv_proc(THIRD)->parked))
        sched_yield();
    usleep(500);
}
static void third_wakes(void) {
    for (int ms = 0; fv_load_acquire_32(&fv_proc(THIRD)->parked); ms++) {
        if (ms == 1000) {
            ran(63), ran(63), ran(63); /* it sleeps on */
            return;
        }
        usleep(1000);
    }
}
static void finish_bell(void) {
    kill(asleep, SIGKILL);
    waitpid(asleep, NULL, 0);
}

#define BODY(name_, ...)   {.name = name_, .in_body = true, ##__VA_ARGS__}
#define WORKER(name_, ...) {.name = name_, ##__VA_ARGS__}

const struct scenario host_scenarios[] = {
    BODY("submit: waits for a grant", .flags = OP_BRIEF, .setup = host_setup, .op = submit_granted, .post = check_r),
    BODY("submit: waits for a grant and an argument", .setup = setup_s, .op = submit_granted_dep, .post = release_r, .finish = release_sr),
    BODY("submit: can never be granted", .setup = setup_quiet, .op = submit_infeasible),

    WORKER("serve: a grant", .flags = OP_BRIEF, .setup = setup_granted, .prepare = order_victim, .op = serve),
    WORKER("serve: a grant that is over", .setup = setup_granted, .prepare = order_victim, .staged = other_runs_r, .op = serve),
    WORKER("serve: a grant, an old hint stands", .setup = setup_granted_stale, .prepare = order_victim, .staged = queue_is_empty, .op = serve),
    WORKER("step: a hint to what waits for a grant", .setup = setup_granted_stale, .op = step),
    WORKER("complete: one that waits for a grant depends", .flags = OP_SHORT, .setup = setup_s_for_granted, .prepare = claim_s,
           .staged = supervisor_registers, .op = execute, .finish = release_sr),
    BODY("ring: somebody goes to sleep meanwhile", .setup = setup_bell, .op = ring_third, .post = third_wakes, .before = go_to_sleep,
         .finish = finish_bell),
};
const unsigned n_host_scenarios = sizeof host_scenarios / sizeof host_scenarios[0];
