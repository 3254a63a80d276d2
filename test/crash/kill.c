/* kill.c: kills, or stops, a worker after each single instruction of each operation, and looks whether all is well.
 *
 * For each scenario of ops.c, and for k = 0, 1, 2, ... until the operation is over, in processes of their own:
 *
 *   kill     the victim dies k instructions into the operation.  Sweep; a successor and another worker run all there is.
 *   pause    it stops there.  Another's death is swept, the others run all there is, the driver takes its results
 *            and uses the slots again; then the victim goes on to its end.  Every body has run at most once.
 *   late     as before, but in the end it does not go on: it is killed.
 *   twice    it dies, and so does its successor, k instructions into its first step after the sweep.
 *
 * Then each result must be there and right, nothing may be READY, running or asleep, and the validator must find an empty segment.
 * A point that hangs is ended by an alarm and fails.
 *
 * Usage: kill [-a(ll)] [-l kill|pause|late|twice] [-o words of a scenario's name] [-k only] [-m stop after so many failures] [-t seconds for a point]
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/actor.h"
#include "core/delay.h"
#include "core/queued.h"
#include "test/crash/ops.h"
#include "test/crash/roles.h"
#include "test/crash/stepper.h"
#include "test/tap.h"
#include "core/stream.h"
#include "run/runtime.h"

static unsigned point_seconds = 20;

enum layer { KILL, PAUSE, LATE, TWICE, N_LAYERS };
static const char *const layer_text[N_LAYERS] = {"kill", "pause", "late kill", "kill twice"};

static enum layer layer;
static int        bad; /* of this point */

#define WRONG(...) \
    do { \
        bad++; \
        printf("#   "); \
        printf(__VA_ARGS__); \
        printf("\n"); \
        fflush(stdout); \
    } while (0)

/* ------------------------------------------------------------------------------------------------ expectations */

static struct {
    fever_ref             ref;
    unsigned              role;
    enum expectation_kind kind;
    long                  value;
    bool                  met;
} expected[48];
static unsigned n_expected;

void expect(fever_ref ref, enum expectation_kind kind, long value) {
    if (ref.id >> 60 != 0xF || n_expected == sizeof expected / sizeof expected[0]) {
        WRONG("expectation %u: cannot be (%#llx)", n_expected, (unsigned long long)ref.id);
        return;
    }
    expected[n_expected].ref = ref;
    expected[n_expected].role = fv_self->slot;
    expected[n_expected].kind = kind;
    expected[n_expected++].value = value;
}

static bool is_complete(fever_ref ref) {
    return fv_state_is_complete(fv_truth_state(fv_load_acquire_64(&fv_task(fv_ref_index(ref.id))->truth)));
}

static void check(unsigned i) {
    fever_ref   ref = expected[i].ref, inner = FEVER_NULL_REF;
    long        v = 0;
    const long *word = NULL;
    size_t      bytes = 0;
    int         rc;
    switch (expected[i].kind) {
    case EXPECT_LONG:
        rc = fever_get_for(ref, &v, 0);
        break;
    case EXPECT_BIG:
        rc = fever_view_raw(ref, (const void **)&word, &bytes, 0);
        v = rc == 0 && bytes == 40 * sizeof(long) ? expected[i].value : -1;
        for (long k = 0; rc == 0 && k < 40; k++)
            if (word[k] != expected[i].value * 1000 + k)
                v = -1;
        break;
    case EXPECT_BYTES:
        rc = fever_view_raw(ref, (const void **)&word, &bytes, 0);
        v = rc == 0 && bytes >= 25 * sizeof(long) ? expected[i].value : -1;
        for (long k = 0; rc == 0 && k < 25; k++)
            if (word[k] != expected[i].value + k)
                v = -1;
        break;
    case EXPECT_REF:
        rc = fever_get_for(ref, &inner, 0);
        if (rc == 0)
            rc = fever_get_for(inner, &v, 0);
        break;
    case EXPECT_STREAM: /* all items, each once */
        while ((rc = take_item(ref)) == 0)
            ;
        rc = rc == -FEVER_EEND ? 0 : -1;
        for (; v < 8 && shared->taken[v] == 1; v++)
            ;
        break;
    case EXPECT_CANCELED:
        rc = fever_get_for(ref, &v, 0);
        if (rc == -FEVER_ECANCELED || (rc < 0 && rc == expected[i].value))
            rc = 0, v = expected[i].value;
        break;
    case EXPECT_DEAD:
        rc = fever_get_for(ref, &v, 0);
        if (rc == -FEVER_EACTORDEAD)
            rc = 0, v = expected[i].value;
        break;
    case EXPECT_FAIL:
        rc = fever_get_for(ref, &v, 0);
        v = -rc;
        rc = rc < 0 ? 0 : -1;
        break;
    default:
        rc = -1;
    }
    if (rc != 0 || v != expected[i].value)
        WRONG("expectation %u: rc %d (%s), value %ld, should be %ld", i, rc, rc < 0 ? fever_strerrorname(rc) : "-", v, expected[i].value);
    rc = fever_release(ref);
    if (rc != 0)
        WRONG("expectation %u: release gives %s", i, fever_strerrorname(rc));
    expected[i].met = true;
}

static bool  in_use; /* somebody sleeps on the first one */
static pid_t taker;

static void collect(bool all) {
    for (unsigned i = in_use ? 1 : 0; i < n_expected; i++) {
        if (expected[i].met)
            continue;
        act(expected[i].role);
        if (is_complete(expected[i].ref)) {
            if (!all && (expected[i].kind == EXPECT_REF || expected[i].kind == EXPECT_BYTES))
                continue; /* what it refers to may be on its way; is to be kept till the end */
            check(i);
        } else if (all) {
            uint64_t t = fv_load_acquire_64(&fv_task(fv_ref_index(expected[i].ref.id))->truth);
            WRONG("expectation %u is not complete: state %u, owner %u, flags %#x", i, fv_truth_state(t), fv_truth_owner(t),
                  fv_truth_flags(t));
        }
    }
}

static void all_complete(void) {
    for (unsigned i = 0; i < n_expected; i++)
        if (!expected[i].met && !is_complete(expected[i].ref))
            WRONG("expectation %u is not complete, and nobody has died", i);
}

/* ------------------------------------------------------------------------------------------------ going on */

/* What the supervisor does with tasks that start by a grant: there is enough of all they ask for. */
static uint32_t granted[64];
static unsigned n_granted;
static void note_queued(void *arg, uint32_t index) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    (void)arg;
    if (fv_truth_state(t) == FV_READY && !fv_task_is_actor(index) && fv_task_is_queued(index) && n_granted < sizeof granted / sizeof granted[0] &&
        fv_dispatch_await_arguments(fv_self, index, fv_truth_gen(t)))
        granted[n_granted++] = index;
}

/* Runs them as that role; true when there were any. */
static bool run_granted(unsigned role) {
    bool any = false;
    n_granted = 0;
    act(SUPERVISOR);
    fv_dispatch_collect(note_queued, NULL);
    for (struct fv_self *self = act(role); n_granted > 0; any = true) {
        uint32_t index = granted[--n_granted];
        self->granted = fv_ref_make(index, fv_truth_gen(fv_load_acquire_64(&fv_task(index)->truth)));
        bool claimed = fv_task_claim(self, index);
        self->granted = 0;
        if (claimed)
            fv_execute(self, index);
    }
    return any;
}

static void run_all(bool other, bool victim) {
    for (bool more = true; more;) {
        more = scenario->flags & OP_ACTOR && actors_run();
        more |= other && run_granted(OTHER);
        if (other) {
            struct fv_self *o = act(OTHER);
            while (fv_worker_step(o, true))
                more = true;
            fv_home_reap(o);
        }
        if (victim) {
            struct fv_self *v = act(VICTIM);
            while (fv_worker_step(v, true))
                more = true;
            fv_home_reap(v);
        }
        struct fv_self *sup = act(SUPERVISOR);
        if (fv_load_acquire_32(&fv_map.seg->resweep)) {
            fv_sweep_rehint(sup);
            more = true;
        }
        if (fv_load_acquire_64(&fv_map.seg->delayed_until_ns) != 0) { /* time passes */
            fv_delay_release(sup, UINT64_MAX);
            more = true;
        }
        fv_sweep_adopted(sup);
        fv_sweep_recounts(sup);
        fv_home_reap(act(DRIVER));
    }
}

static void sweep(unsigned role, int signal, int pid) {
    struct fv_verdict why = {.code = FEVER_ECRASHED, .signal = signal, .pid = pid, .worker = (int)role};
    fv_sweep(act(SUPERVISOR), role, &why);
}

/* ------------------------------------------------------------------------------------------------ the processes */

static void victim_main(void *arg) {
    (void)arg;
    act(VICTIM);
    if (scenario->in_body) { /* the body of the first expectation calls prepare and op */
        uint32_t index = fv_ref_index(subject.id != 0 ? subject.id : expected[0].ref.id);
        if (fv_task_claim(fv_self, index))
            fv_execute(fv_self, index);
        return;
    }
    warm_up();
    if (scenario->prepare != NULL)
        scenario->prepare();
    stepper_stepped(scenario->op);
}

static void one_step(void) { fv_worker_step(fv_self, true); }

static void successor_main(void *arg) {
    (void)arg;
    roles_open(VICTIM);
    act(VICTIM);
    warm_up();
    stepper_stepped(one_step);
}

static pid_t fork_sleeper(void (*main_)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        main_();
        _exit(0);
    }
    return pid;
}

static void waits_for_first(void) { /* as the driver */
    act(DRIVER);
    if (expected[0].kind != EXPECT_STREAM)
        _exit(fever_wait_one(expected[0].ref, FEVER_FOREVER) == 0 ? 0 : 1);
    fever_ref item;
    long      v = 0;
    int       rc = fever_stream_next(expected[0].ref, &item, FEVER_FOREVER);
    if (rc == 0 && fever_take(item, &v) == 0)
        fv_faa_32(&shared->taken[v & 7], 1);
    _exit(rc == 0 && v == 0 ? 0 : 1);
}

static void takes_for_room(void) { /* as the driver, but holds nothing */
    struct fv_self   *self = act(DRIVER);
    struct fv_stream *s = fv_stream_of(fv_ref_index(subject.id), fv_ref_gen(subject.id));
    while (!fv_load_acquire_32(&shared->quit)) {
        if (fv_load_acquire_32(&s->producer) != 0)
            fv_stream_drain(self, s);
        sched_yield();
    }
}

static unsigned idle_role;

static void idles(void) { /* as in run/worker.c */
    struct fv_self *o = act(idle_role);
    while (!fv_load_acquire_32(&shared->quit)) {
        while (fv_worker_step(o, true))
            ;
        uint32_t seen = fv_bell_read(o->proc);
        fv_bell_idle_set(idle_role);
        fv_bell_barrier();
        if (!fv_worker_step(o, true) && !fv_load_acquire_32(&shared->quit))
            fv_bell_wait(o->proc, seen, -1);
        fv_bell_idle_clear(idle_role);
    }
}

static void await_parked(unsigned role) {
    while (!fv_load_acquire_32(&fv_proc(role)->parked))
        sched_yield();
}

static void await_end(pid_t pid, const char *what) {
    int status;
    for (int ms = 0; ms < 2000; ms++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            if (status != 0)
                WRONG("%s ended with status %#x", what, (unsigned)status);
            return;
        }
        if (ms < 50)
            sched_yield();
        else
            usleep(1000);
    }
    WRONG("%s sleeps on", what);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

static void await_first(void) {
    for (int ms = 0; ms < 2000; ms++) {
        if (is_complete(expected[0].ref))
            return;
        if (ms < 50)
            sched_yield();
        else
            usleep(1000);
    }
    WRONG("nobody wakes and runs it");
}

static void end_idle(pid_t pid) {
    fv_store_release_32(&shared->quit, 1);
    fv_bell_ring(fv_proc(idle_role));
    await_end(pid, "the idle worker");
    sweep(idle_role, 0, pid);
}

static void at_rest(unsigned most_runs) {
    if (taker != 0) {
        fv_store_release_32(&shared->quit, 1);
        await_end(taker, "the taker");
    }
    collect(true);
    act(DRIVER);
    if (scenario->finish != NULL)
        scenario->finish();
    act(DRIVER);
    end_all();
    run_all(true, layer == KILL || layer == TWICE);
    for (unsigned i = 0; i < 64; i++)
        if (shared->runs[i] > most_runs)
            WRONG("body %u has begun %u times", i, shared->runs[i]);
    if (fv_sweep_adopted(act(SUPERVISOR)))
        WRONG("the supervisor has adopted slots that never end");
    if (fv_sweep_recounts(fv_self))
        WRONG("a count cannot be put right");
    char  *text = NULL;
    size_t n;
    FILE  *stream = open_memstream(&text, &n);
    int    violations = fv_validate(stream, true);
    fclose(stream);
    if (violations != 0) {
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
            WRONG("%s", line);
    }
    if (fv_map.seg->resweep)
        WRONG("a sweep for hints is pending");
    /* who stands still, or works beside it, while another's death is swept may be about to add */
    if ((layer == KILL || layer == TWICE) && !(scenario->flags & (OP_HELPER | OP_PARKED | OP_IDLE | OP_TAKER)) &&
        fv_load_relaxed_32(&fv_map.seg->extent_chunks) != fv_extent_count())
        WRONG("%u chunks are counted as parts of large blocks, and %u are", fv_load_relaxed_32(&fv_map.seg->extent_chunks), fv_extent_count());
}

/* The way that the operation took when it was recorded; in shared memory. */
#define TRACE_ROOM 200000
static struct stepper_trace trace;

/* k instructions into the operation; counted: it is the one whose trace we have, and which k counts. */
static void advance(struct stepper *s, long k, bool counted) {
    if (!counted) {
        stepper_step(s, k);
        return;
    }
    if (k < 0) { /* record it */
        struct stepper_trace t;
        stepper_record(s, &t);
        trace.n = FV_MIN(t.n, TRACE_ROOM);
        memcpy(trace.at, t.at, (size_t)trace.n * sizeof *t.at);
        shared->trace_n = trace.n;
    } else if (k < trace.n && !stepper_goto(s, &trace, k)) {
        shared->astray++; /* where time decides, it may go another way: it is somewhere, and there it dies */
    } else if (k >= trace.n) {
        stepper_step(s, k);
    }
    shared->ended = s->ended;
}

/* One point, in a process of its own.  0: as it should be. */
static int point(long k, long k2) {
    struct stepper v;
    pid_t          sleeper = 0;
    taker = 0;
    alarm(point_seconds);
    roles_format();
    act(DRIVER);
    begin_all();
    scenario->setup();
    if (layer == PAUSE || layer == LATE) { /* something for the third to die of */
        fever_ref t = submit_for_third();
        fv_task_claim(act(THIRD), fv_ref_index(t.id));
        act(DRIVER);
    }
    if (!stepper_start(&v, victim_main, NULL)) {
        WRONG("the victim does not come to the operation: status %#x", (unsigned)v.status);
        return 1;
    }
    if (scenario->flags & OP_IDLE) {
        idle_role = OTHER;
        sleeper = fork_sleeper(idles);
        await_parked(OTHER);
    }
    if (scenario->flags & OP_PARKED) {
        sleeper = fork_sleeper(waits_for_first);
        await_parked(DRIVER);
        in_use = true;
    }
    if (scenario->flags & OP_TAKER)
        taker = fork_sleeper(takes_for_room);
    if (scenario->staged != NULL)
        scenario->staged();
    advance(&v, k, layer != TWICE);

    if (layer == PAUSE || layer == LATE) {
        if (!v.ended) {
            sweep(THIRD, SIGKILL, 0);
            if (scenario->before != NULL)
                scenario->before();
            run_all(true, false);
            collect(false);
            if (scenario->again != NULL)
                scenario->again();
            act(DRIVER);
            submit_another();
            run_all(true, false);
            collect(false);
        } else {
            if (scenario->before != NULL)
                scenario->before();
            sweep(THIRD, SIGKILL, 0);
        }
        if (layer == PAUSE) {
            int status = stepper_finish(&v);
            if (status != 0)
                WRONG("the victim ended with status %#x", (unsigned)status);
            if (scenario->then != NULL)
                scenario->then();
            /* without what its sweep finds out, and the bells that it rings */
            run_all(true, false);
            if (sleeper != 0)
                await_end(sleeper, "the waiter");
            all_complete();
            sweep(VICTIM, 0, v.pid);
        } else {
            stepper_kill(&v);
            sweep(VICTIM, SIGKILL, v.pid);
            if (scenario->then != NULL)
                scenario->then();
            if (sleeper != 0) {
                run_all(true, false);
                await_end(sleeper, "the waiter");
            }
        }
        in_use = false;
        run_all(true, false);
        collect(false);
        act(DRIVER);
        submit_another();
        run_all(true, false);
        at_rest(layer == PAUSE ? 1 : 2);
        return bad != 0;
    }

    if (!stepper_kill(&v))
        WRONG("the victim did not die of it: status %#x", (unsigned)v.status);
    unsigned kills = 1;
    sweep(VICTIM, SIGKILL, v.pid);
    if (k & 1) /* a sweep can be begun again */
        sweep(VICTIM, SIGKILL, v.pid);
    if (scenario->before != NULL)
        scenario->before();
    if (sleeper != 0 && scenario->flags & OP_IDLE) {
        await_first();
        end_idle(sleeper);
    }
    if (scenario->flags & OP_HELPER) { /* a body that is repeated waits for what another runs */
        idle_role = THIRD;
        sleeper = fork_sleeper(idles);
    }
    if (layer == TWICE) {
        struct stepper w;
        if (!stepper_start(&w, successor_main, NULL)) {
            WRONG("the successor does not come to its first step: status %#x", (unsigned)w.status);
            return 1;
        }
        advance(&w, k2, true);
        if (!stepper_kill(&w))
            WRONG("the successor did not die of it: status %#x", (unsigned)w.status);
        kills++;
        sweep(VICTIM, SIGKILL, w.pid);
    }
    roles_open(VICTIM);
    run_all(true, true);
    if (sleeper != 0 && scenario->flags & OP_PARKED) {
        await_end(sleeper, "the waiter");
        in_use = false;
    }
    if (scenario->flags & OP_HELPER) {
        if (expected[0].met == false && !is_complete(expected[0].ref))
            await_first();
        end_idle(sleeper);
        run_all(true, true);
    }
    at_rest(1 + kills);
    return bad != 0;
}

/* ------------------------------------------------------------------------------------------------ all points */

static long   only_k = -1, total_points, total_failed;
static int    most_failures = 3;

static int run_point(long k, long k2) {
    memset(shared, 0, offsetof(struct shared, astray));
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(point(k, k2));
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if ((layer == TWICE ? k2 : k) >= 0)
        total_points++;
    if (status == 0)
        return 0;
    total_failed++;
    if (WIFSIGNALED(status))
        printf("#   %s\n", WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)));
    printf("#   ^ %s: %s: after %ld instructions", layer_text[layer], scenario->name, k);
    if (layer == TWICE)
        printf(", then %ld", k2);
    printf("\n");
    fflush(stdout);
    return 1;
}

/* Every instruction of what the last kill hits. */
static long run_each(long first, long *failed) {
    long k = -1, n = 0;
    do {
        *failed += layer == TWICE ? run_point(first, k) : run_point(k, 0);
        if (k < 0)
            trace.n = shared->trace_n, n = 0;
        else
            n++;
        k = only_k >= 0 && k < 0 ? only_k : k + 1;
    } while (k <= trace.n && *failed < most_failures && (only_k < 0 || k <= only_k));
    return n;
}

static void run_scenario(void) {
    long failed = 0, points = 0;
    shared->astray = 0;
    if (layer != TWICE) {
        points = run_each(0, &failed);
    } else { /* the second kill at each instruction, the first at some */
        static const long first[] = {40, 150, 400};
        for (unsigned i = 0; i < sizeof first / sizeof first[0] && failed < most_failures; i++)
            points += run_each(first[i], &failed);
    }
    TAP_OK(failed == 0, "%s: %s: %ld instructions, %ld points, %ld astray, %ld failed", layer_text[layer], scenario->name, trace.n, points,
           shared->astray, failed);
}

static void pin_here(bool second) { /* tracer and victim take turns: on one CPU that is quicker; two of these programs on two */
    cpu_set_t set, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int i = CPU_SETSIZE; i-- > 0;)
            if (CPU_ISSET(i, &set)) {
                CPU_SET(second && CPU_COUNT(&set) > 1 && i > 0 && CPU_ISSET(i - 1, &set) ? i - 1 : i, &one);
                sched_setaffinity(0, sizeof one, &one);
                return;
            }
}

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif
#ifdef __OPTIMIZE__
#define IN_SHORT_RUN    OP_SHORT
#define SHORT_RUN_LAYERS (1u << KILL | 1u << PAUSE)
#else
#define IN_SHORT_RUN    OP_BRIEF
#define SHORT_RUN_LAYERS (1u << KILL)
#endif

int main(int argc, char **argv) {
    bool        all = getenv("FEVER_TEST_LONG") != NULL;
    unsigned    layers = all ? (1u << N_LAYERS) - 1 : SHORT_RUN_LAYERS;
    const char *words = "";
    for (int c; (c = getopt(argc, argv, "al:o:k:m:t:")) != -1;)
        switch (c) {
        case 'l':
            layers = strcmp(optarg, "kill") == 0 ? 1u << KILL : strcmp(optarg, "pause") == 0 ? 1u << PAUSE
                     : strcmp(optarg, "late") == 0                                        ? 1u << LATE
                                                                                          : 1u << TWICE;
            break;
        case 'o':
            words = optarg;
            all = true;
            break;
        case 'k':
            only_k = atol(optarg);
            break;
        case 'm':
            most_failures = atoi(optarg);
            break;
        case 't':
            point_seconds = (unsigned)atoi(optarg);
            break;
        case 'a':
            all = true;
            break;
        default: return 2;
        }
    if (SANITIZED) {
        tap_skip("the sanitizers' own instructions would be stepped through");
        return tap_done();
    }
    pin_here(strstr(argv[0], "O2") != NULL);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    trace.at = mmap(NULL, TRACE_ROOM * sizeof *trace.at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || trace.at == MAP_FAILED)
        tap_bail("no memory");
    if (!stepper_works()) {
        tap_skip("ptrace does not step here");
        return tap_done();
    }
    static const struct {
        const struct scenario *all;
        const unsigned        *n;
    } lists[] = {{scenarios, &n_scenarios}, {stream_scenarios, &n_stream_scenarios}, {cancel_scenarios, &n_cancel_scenarios}, {store_scenarios, &n_store_scenarios},
                 {object_scenarios, &n_object_scenarios}, {arena_scenarios, &n_arena_scenarios}, {host_scenarios, &n_host_scenarios}, {grant_scenarios, &n_grant_scenarios}, {actor_scenarios, &n_actor_scenarios},
                 {fallback_scenarios, &n_fallback_scenarios}};
    struct timespec begin, end;
    for (layer = KILL; layer < N_LAYERS; layer++) {
        if (!(layers >> layer & 1))
            continue;
        long points = total_points, failed = total_failed;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (unsigned list = 0, i = 0; list < sizeof lists / sizeof lists[0]; i + 1 < *lists[list].n ? i++ : (list++, i = 0)) {
            scenario = &lists[list].all[i];
            if (!all ? !(scenario->flags & IN_SHORT_RUN) : layer == TWICE && *words == '\0' && !(scenario->flags & (OP_BRIEF | OP_TWICE)))
                continue;
            if (strstr(scenario->name, words) == NULL || (layer != KILL && scenario->flags & OP_IDLE) ||
                (layer == LATE && scenario->flags & OP_HELPER) || (layer == PAUSE && scenario->flags & OP_DIES))
                continue;
            run_scenario();
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        tap_diag("%s: %ld points, %ld failed, %.1f s", layer_text[layer], total_points - points, total_failed - failed,
                 (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9);
    }
    return tap_done();
}
