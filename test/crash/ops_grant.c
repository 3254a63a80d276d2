/* ops_grant.c: the operations of ops.h on granted tasks that block and want their CPUs again.
 *
 * A process plays the dispatcher: it gives CPUs to whoever asks for them, once he sleeps.
 */
#include "test/crash/ops.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/cancel.h"
#include "run/runtime.h"
#include "test/crash/roles.h"
#include "test/crash/stepper.h"

static fever_ref r;
static pid_t     lender;

static void wrong(void) { fv_faa_32(&shared->runs[63], 3); } /* more often than any body may run: the point fails */

/* The body that blocks. */
FEVER_TASK(long, granted, (long, x)) {
    fv_faa_32(&shared->runs[x], 1);
    if (!scenario->in_body)
        return 3 * x + 1;
    warm_up();
    scenario->prepare();
    stepper_stepped(scenario->op);
    scenario->post();
    return 3 * x + 1;
}
static void block(void) { fv_worker_block(fv_self, r.id, FV_BLOCKED_ON_SOME); }
static void take(void) { fv_cas_32(&fv_self->proc->lease, FV_LEASE_OFFERED, FV_LEASE_TAKEN); }
static void go_on(void) { fv_worker_unblock(fv_self); }
static void block_and_go_on(void) {
    block();
    take();
    go_on();
}

/* All of it in a body that is not stepped through by itself. */
FEVER_TASK(long, blocks, (long, x)) {
    fv_faa_32(&shared->runs[x], 1);
    block_and_go_on();
    return 3 * x + 1;
}

static void lend(uint32_t lease) {
    if ((lender = fork()) != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (; getppid() != 1; sched_yield())
        for (unsigned role = 0; role < ROLES; role++) {
            struct fv_proc *p = fv_proc(role);
            if (fv_load_acquire_32(&p->lease) == FV_LEASE_WANTED && fv_load_acquire_32(&p->parked) && fv_cas_32(&p->lease, FV_LEASE_WANTED, lease))
                fv_bell_ring(p);
        }
    _exit(0);
}
static void setup(void) {
    r = granted_remote(1);
    expect(r, EXPECT_LONG, 4);
}
static void setup_at_home(void) {
    setup();
    lend(FV_LEASE_HELD);
}
static void setup_elsewhere(void) {
    setup();
    lend(FV_LEASE_AWAY);
}
static void setup_cancelled(void) { /* nobody lends */
    r = granted_remote(1);
    expect(r, EXPECT_CANCELED, 4);
}
static void setup_served(void) {
    r = blocks_with(FEVER_WITH(.num_cpus = 2), 1);
    expect(r, EXPECT_LONG, 4);
    lend(FV_LEASE_AWAY);
}
static void hold(void) { fv_self->proc->lease = FV_LEASE_HELD; }
static void hold_away(void) {
    fv_self->proc->lease = FV_LEASE_AWAY;
    fv_self->proc->blocked = FV_BLOCKED_AWAY;
}
static void hold_and_block(void) {
    hold();
    block();
}
static void lose(void) {
    hold_and_block();
    take();
}
static void lose_away(void) {
    hold_away();
    block();
    take();
}
static void cancel(void) {
    act(DRIVER);
    if (fever_cancel(r, 0) != 1)
        wrong();
}
static void grant(void) {
    struct fv_proc *p = fv_proc(VICTIM);
    p->asked = 1;
    p->grant_cpu = FV_GRANT_LENT;
    p->lease = FV_LEASE_HELD;
    p->grant = r.id;
}
static void serve(void) { fv_host_run(fv_self); }

/* It has its CPUs; blocked is as they are. */
static void end(void) {
    struct fv_proc *p = fv_self->proc;
    if (p->lease > FV_LEASE_AWAY || (p->blocked != 0) != (p->lease == FV_LEASE_AWAY))
        wrong();
    p->lease = FV_LEASE_NONE;
    p->blocked = 0;
}
static void go_on_and_end(void) {
    go_on();
    end();
}
static void stop_lending(void) {
    kill(lender, SIGKILL);
    waitpid(lender, NULL, 0);
}

#define BODY(name_, ...)   {.name = name_, .in_body = true, ##__VA_ARGS__}
#define WORKER(name_, ...) {.name = name_, ##__VA_ARGS__}

const struct scenario grant_scenarios[] = {
    BODY("block: granted", .setup = setup, .prepare = hold, .op = block, .post = go_on_and_end),
    BODY("block: granted, elsewhere", .flags = OP_TWICE, .setup = setup, .prepare = hold_away, .op = block, .post = go_on_and_end),
    BODY("resume: nobody has taken its CPUs", .flags = OP_SHORT, .setup = setup, .prepare = hold_and_block, .op = go_on, .post = end),
    BODY("resume: waits for its CPUs", .flags = OP_SHORT | OP_BRIEF, .setup = setup_at_home, .prepare = lose, .op = go_on, .post = end,
         .finish = stop_lending),
    BODY("resume: elsewhere", .flags = OP_TWICE, .setup = setup_elsewhere, .prepare = lose, .op = go_on, .post = end, .finish = stop_lending),
    BODY("resume: back from elsewhere", .flags = OP_TWICE, .setup = setup_at_home, .prepare = lose_away, .op = go_on, .post = end, .finish = stop_lending),
    BODY("resume: cancelled meanwhile", .flags = OP_SHORT, .setup = setup_cancelled, .prepare = lose, .staged = cancel, .op = go_on, .post = end),
    WORKER("serve: a grant that blocks, and goes on elsewhere", .flags = OP_SHORT, .setup = setup_served, .prepare = grant, .op = serve,
           .finish = stop_lending),
};
const unsigned n_grant_scenarios = sizeof grant_scenarios / sizeof grant_scenarios[0];
