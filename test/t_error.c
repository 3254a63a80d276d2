/* t_error.c: errors as objects: where a task was submitted, where its body was, what failed because of it, its attempts.
 *
 * Run by:          make check.
 * Lines and names need libdw, callers need libunwind; without them these tests are skipped, by name.
 */
#include <stdlib.h>
#include <string.h>

#include "core/attempt.h"
#include "plat/backtrace.h"
#include "plat/symbol.h"
#include "rt.h"

#define NOINLINE __attribute__((noinline))
#define AS_IT_IS __attribute__((noinline, no_sanitize("address", "undefined")))
#define ONCE     FEVER_WITH(.max_retries = FEVER_NO_RETRY)

struct page {
    atomic_int     runs[8];
    _Atomic pid_t  pid;
};
static struct page *page;
static bool         has_unwinder;

static volatile int  zero, five = 5, depth;
static int *volatile nowhere = (int *)64;
static void (*volatile no_function)(void);

/* ------------------------------------------------------------------------------------------------ bodies */

static NOINLINE void report_it(int code)
{
    fever_fail(code, "no good: %d", code);
    depth++;
}
FEVER_TASK(int, fails, (int, code)) { report_it(code); return code; }
FEVER_TASK(int, follows, (fever_ref, r)) { int v = 0; fever_get(r, &v); return v; }
FEVER_TASK(int, then_that, (fever_ref, r)) { int v = 0; fever_get(r, &v); return v; }
FEVER_TASK(int, at_last, (fever_ref, r)) { int v = 0; fever_get(r, &v); return v; }
FEVER_TASK(int, twice, (int, x)) { return 2 * x; }
FEVER_FOR(fail_at, i, (long, at)) { if (i == at) fever_fail(3, "at %ld", i); }

static AS_IT_IS void poke_at_nothing(void) { *nowhere = 1; depth++; }
static AS_IT_IS int  divide(void) { return five / zero; }
static AS_IT_IS void call_nothing(void) { no_function(); depth++; }
static NOINLINE void give_up(void) { abort(); }
static AS_IT_IS int  go_deeper(int n)
{
    volatile char room[400];
    room[n % 400] = (char)n;
    return five == 0 ? 0 : go_deeper(n + 1) + room[n % 400] + ++depth;
}
static AS_IT_IS void smash(int n)
{
    volatile char *p = __builtin_frame_address(0);
    for (int i = 0; i < n; i++)
        p[i] = 0x41;
    depth++;
}
#ifdef __x86_64__
static AS_IT_IS void lose_the_stack(void) { __asm__ volatile("mov $24, %rsp\n\tmov $24, %rbp\n\tpushq %rax"); }
#endif

enum way { WILD, ABORT, DIVIDE, OVERFLOW, SMASH, LOST, NULL_CALL, LEAVE, KILL_SELF, RAISE, N_WAYS };
FEVER_TASK(int, dies, (int, way))
{
    switch (way) {
    case WILD:      poke_at_nothing(); break;
    case ABORT:     give_up(); break;
    case DIVIDE:    return divide();
    case OVERFLOW:  return go_deeper(0);
    case SMASH:     smash(512); break;
    case LOST:
#ifdef __x86_64__
        lose_the_stack();
#endif
        break;
    case NULL_CALL: call_nothing(); break;
    case LEAVE:     _exit(3);
    case KILL_SELF: kill(getpid(), SIGKILL); break;
    case RAISE:     raise(SIGILL); break;
    }
    return depth;
}
FEVER_TASK(int, dies_until, (int, attempt))
{
    if ((int)fever_context()->attempt < attempt)
        poke_at_nothing();
    return (int)fever_context()->attempt;
}
FEVER_TASK(int, waits_to_be_killed, (int, x))
{
    atomic_store(&page->pid, getpid());
    for (;;)
        pause();
    return x;
}
static NOINLINE int turn_for_ever(void) { while (five != 0) depth++; return depth; }
FEVER_TASK(int, takes_long, (int, how))
{
    sigset_t all;
    sigfillset(&all);
    if (how == 1)
        sigprocmask(SIG_BLOCK, &all, NULL);
    if (how == 2)
        signal(SIGXCPU, SIG_IGN);
    return turn_for_ever();
}
FEVER_REENTRANT(int, inner, (int, x)) { if (atomic_fetch_add(&page->runs[0], 1) < x) poke_at_nothing(); return x; }
FEVER_TASK(int, outer, (int, x))
{
    int       v = -1;
    fever_ref r = inner_remote(x);
    atomic_fetch_add(&page->runs[1], 1);
    fever_take(r, &v);
    return v;
}

struct told { char file[64]; int line, want, rc; };
FEVER_TASK(struct told, submits_one, (int, code))
{
    struct told        t = {.rc = -1};
    struct fever_error e;
    fever_ref          r = fails_remote(code); t.want = __LINE__;
    (void)fever_wait_one(r, FEVER_FOREVER);
    t.rc = fever_error(r, &e);
    memcpy(t.file, e.site_file, sizeof t.file);
    t.line = e.site_line;
    return t;
}

/* ------------------------------------------------------------------------------------------------ tools */

static const char *printed(const struct fever_error *e)
{
    static char text[8192];
    FILE       *f = fmemopen(text, sizeof text, "w");
    memset(text, 0, sizeof text);
    fever_error_print(f, e);
    fclose(f);
    return text;
}
static void says(const struct fever_error *e, const char *what)
{
    if (!TAP_OK(strstr(printed(e), what) != NULL, "it says \"%s\"", what))
        for (char *save, *line = strtok_r((char *)printed(e), "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save))
            tap_diag("  %s", line);
}
static void says_where(const struct fever_error *e, const char *function)
{
    char what[80];
    snprintf(what, sizeof what, " %s at ", function);
    if (!fv_symbols_there_are())
        tap_skip("in %s: no libdw", function);
    else if (!has_unwinder)
        tap_skip("in %s: no libunwind", function);
    else
        says(e, what);
}
static struct fever_error failure_of(fever_ref r)
{
    (void)fever_wait_one(r, 4 * RT_LONG);
    return rt_error(r);
}
static void site_is(const struct fever_error *e, int line, const char *name)
{
    TAP_OK(e->site != 0, "%s: the address is known", name);
    if (!fv_symbols_there_are()) {
        tap_skip("%s: no libdw", name);
        return;
    }
    TAP_IS(e->site_line, line, "%s: its line", name);
    TAP_OK(e->site_file[0] != '\0' && strstr(__FILE__, e->site_file) != NULL, "%s: its file %s", name, e->site_file);
}

/* ------------------------------------------------------------------------------------------------ where it was submitted */

static fever_ref submit_by_hand(int code)
{
    fever_ref r = FEVER_NULL_REF;
    struct fever_args_fails a = {code};
    fever_submit(&fever_def_fails, &a, sizeof a, NULL, &r);
    return r;
}

static void test_sites(void)
{
    struct fever_error  e;
    struct fever_group *g;
    struct told         t;
    fever_ref r = fails_remote(1); int line = __LINE__;
    e = failure_of(r);
    site_is(&e, line, "remote");
    TAP_TEXT(e.task, "fails", "the task's name");
    TAP_IS(e.ref.id, r.id, "its ref");
    TAP_IS(e.app_code, 1, "its code");
    says_where(&e, "report_it");
    says_where(&e, "fails");
    fever_release(r);
    r = fails_with(ONCE, 2); line = __LINE__;
    e = failure_of(r);
    site_is(&e, line, "with");
    fever_release(r);
    r = submit_by_hand(3);
    e = failure_of(r);
    TAP_OK(e.site != 0, "submitted by hand: known");
    if (fv_symbols_there_are())
        says(&e, "in submit_by_hand");
    else
        tap_skip("submitted by hand: no libdw");
    fever_release(r);

    TAP_IS(fever_group_open(&g), 0, "a group");
    for (int i = 0; i < 100; i++)
        twice_group(g, i);
    fails_group(g, 4); line = __LINE__;
    fails_group_with(g, ONCE, 5);
    TAP_IS(fever_group_wait(g, RT_LONG), 2, "two of it fail");
    for (uint64_t i = 0, at; i < 2; i++) {
        TAP_IS(fever_group_failure(g, i, &at, &e), 0, "failure");
        site_is(&e, line + (at == 101), at == 101 ? "group_with" : "group");
        says_where(&e, "report_it");
    }
    TAP_IS(fever_group_close(g), 0, "close");

    TAP_IS(fever_take(submits_one_remote(6), &t), 0, "from a task");
    TAP_IS(t.rc, 0, "from a task: its error");
    if (fv_symbols_there_are())
        TAP_OK(t.line == t.want && strstr(__FILE__, t.file) != NULL, "from a task: %s:%d, and %d is right", t.file, t.line, t.want);
    else
        tap_skip("from a task: no libdw");
    r = (fever_ref){0xE000000000000000ull | FEVER_EINVAL};
    TAP_IS(fever_error(r, &e), 0, "the error of a failed submission");
    TAP_OK(e.code == FEVER_EINVAL && e.site == 0 && e.n_frames == 0 && e.n_attempts == 0, "has no place");
}

/* A slot that is used again by another line must not lend it its place. */
static void test_stale_site(void)
{
    struct fever_error e;
    fever_ref bad = fails_remote(1), dependent = follows_remote(bad); int line = __LINE__;
    (void)fever_wait_one(dependent, RT_LONG);
    fever_release(bad);
    for (int i = 0; i < 5000; i++) {
        int v;
        fever_take(twice_remote(i), &v);
    }
    e = failure_of(dependent);
    TAP_IS(e.n_dependents, 1, "one link");
    TAP_OK(e.site == 0 || e.site_line == line || !fv_symbols_there_are(), "where it began: unknown or right");
    fever_release(dependent);
}

/* ------------------------------------------------------------------------------------------------ chains */

static void test_chain(void)
{
    static const char *const names[] = {"follows", "then_that", "at_last"};
    fever_ref r[4];
    int       line = __LINE__ + 1;
    r[0] = fails_remote(11);
    r[1] = follows_remote(r[0]);
    r[2] = then_that_remote(r[1]);
    r[3] = at_last_remote(r[2]);
    struct fever_error e = failure_of(r[3]);
    TAP_OK(e.code == FEVER_EAPP && e.app_code == 11, "the first error");
    TAP_TEXT(e.task, "fails", "where it began");
    TAP_IS(e.ref.id, r[0].id, "its ref");
    TAP_IS(e.n_dependents, 3, "three failed because of it");
    for (int i = 0; i < 3; i++) {
        TAP_TEXT(e.dependent[i].task, names[i], "from there outwards");
        TAP_IS(e.dependent[i].ref.id, r[i + 1].id, "its ref");
        if (fv_symbols_there_are())
            TAP_OK(e.dependent[i].submitted && e.dependent[i].line == line + i + 1 && strcmp(e.dependent[i].file, "t_error.c") == 0,
                   "submitted at %s:%d", e.dependent[i].file, e.dependent[i].line);
        else
            tap_skip("where it was submitted: no libdw");
    }
    says(&e, "so failed then_that, which awaited follows");
    says_where(&e, "report_it");
    e = failure_of(r[0]);
    TAP_IS(e.n_dependents, 0, "the first: nothing before it");
    for (int i = 0; i < 4; i++)
        fever_release(r[i]);

    fever_ref first = fails_remote(12), last = first; /* longer than is kept */
    for (int i = 0; i < 20; i++) {
        fever_ref next = i == 19 ? at_last_remote(last) : follows_remote(last);
        fever_release(last);
        last = next;
    }
    e = failure_of(last);
    TAP_IS(e.n_dependents, 20, "a chain of 20");
    TAP_TEXT(e.dependent[FEVER_ERROR_CHAIN - 1].task, "at_last", "the last is the one that was asked about");
    says(&e, "and 12 more between");
    fever_release(last);
}

/* ------------------------------------------------------------------------------------------------ ways to die */

static const struct {
    const char *name, *function;
    int         signal, status;
    bool        address; /* it is 64, 0 or on the stack: known */
} ways[N_WAYS] = {
    [WILD] = {"a wild pointer", "poke_at_nothing", SIGSEGV, 0, true},
    [ABORT] = {"abort()", "give_up", SIGABRT, 0, false},
    [DIVIDE] = {"division by zero", "divide", SIGFPE, 0, true},
    [OVERFLOW] = {"stack overflow", "go_deeper", SIGSEGV, 0, true},
    [SMASH] = {"a smashed stack", NULL, SIGSEGV, 0, false},
    [LOST] = {"a lost stack", NULL, SIGSEGV, 0, true},
    [NULL_CALL] = {"a call of nothing", "call_nothing", SIGSEGV, 0, false},
    [LEAVE] = {"_exit()", NULL, 0, 3, false},
    [KILL_SELF] = {"SIGKILL", NULL, SIGKILL, 0, false},
    [RAISE] = {"raise()", "dies", SIGILL, 0, false},
};

static void test_way(int w)
{
    int v = 0;
#ifndef __x86_64__
    if (w == DIVIDE || w == LOST) {
        tap_skip("%s: another processor", ways[w].name);
        return;
    }
#endif
    fever_ref          r = dies_with(ONCE, w);
    double             begin = rt_now();
    struct fever_error e = failure_of(r);
    TAP_IS(e.code, FEVER_ECRASHED, "%s", ways[w].name);
    TAP_OK(e.signal == ways[w].signal && e.exit_status == ways[w].status, "%s: signal %d, status %d", ways[w].name, e.signal, e.exit_status);
    TAP_OK(rt_now() - begin < RT_LONG, "%s: soon", ways[w].name);
    TAP_OK(e.worker >= 0 && e.worker_pid > 0 && e.attempt == 1, "%s: worker %d, pid %d, attempt %u", ways[w].name, e.worker, e.worker_pid, e.attempt);
    if (w == WILD)
        TAP_IS(e.fault_address, 64, "%s: its address", ways[w].name);
    else if (w != LOST && w != SMASH) /* these depend on what is found there */
        TAP_OK((e.fault_address != 0) == ways[w].address, "%s: address %#llx", ways[w].name, (unsigned long long)e.fault_address);
    TAP_OK(e.n_attempts == 1 && e.attempts[0].charged && e.attempts[0].signal == e.signal && e.attempts[0].worker_pid == e.worker_pid,
           "%s: the attempt", ways[w].name);
    if (ways[w].function != NULL)
        says_where(&e, ways[w].function);
    if (w == LEAVE || w == KILL_SELF)
        TAP_IS(e.n_frames, 0, "%s: no backtrace", ways[w].name);
    if (w == OVERFLOW && has_unwinder && fv_symbols_there_are())
        says(&e, "times more");
    fever_release(r);
    TAP_IS(fever_take(twice_remote(w), &v), 0, "%s: the next task", ways[w].name);
    TAP_IS(v, 2 * w, "%s: runs as ever", ways[w].name);
}

static void test_kill_from_outside(void)
{
    fever_ref r = waits_to_be_killed_with(ONCE, 1);
    for (double end = rt_now() + RT_LONG; atomic_load(&page->pid) == 0 && rt_now() < end;)
        rt_nap();
    pid_t pid = atomic_load(&page->pid);
    TAP_OK(pid > 0, "it runs");
    kill(pid, SIGKILL);
    struct fever_error e = failure_of(r);
    TAP_OK(e.code == FEVER_ECRASHED && e.signal == SIGKILL && e.worker_pid == pid, "SIGKILL from outside");
    TAP_OK(e.n_frames == 0 && e.fault_address == 0, "without a backtrace");
    fever_release(r);
}

static void test_timeout(void)
{
    static const char *const how[] = {"as usual", "signals blocked", "SIGXCPU ignored"};
    for (int i = 0; i < 3; i++) {
        fever_ref          r = takes_long_with(FEVER_WITH(.timeout_s = 0.05), i);
        struct fever_error e = failure_of(r);
        TAP_OK(e.code == FEVER_ETASKTIMEOUT && e.attempt == 1 && e.fault_address == 0, "time is up, %s", how[i]);
        TAP_OK(e.n_attempts == 1 && e.attempts[0].code == FEVER_ETASKTIMEOUT, "the attempt");
        if (i == 0)
            says_where(&e, "turn_for_ever");
        else
            TAP_IS(e.n_frames, 0, "killed without a word");
        fever_release(r);
    }
}

/* ------------------------------------------------------------------------------------------------ attempts */

static void test_attempts(void)
{
    struct fv_attempt a[8];
    int               v = 0;
    fever_ref         r = dies_until_remote(4);
    TAP_IS(fever_get(r, &v), 0, "three crashes, then good");
    TAP_IS(v, 4, "in the fourth attempt");
    TAP_IS(fv_attempts_of(r.id, a, 8), 3, "three in the log");
    for (unsigned i = 0; i < 3; i++)
        TAP_OK(a[i].attempt == i + 1 && a[i].charged && a[i].signal == SIGSEGV && a[i].fault_address == 64 && a[i].pid != 0 &&
                   a[i].code == FEVER_ECRASHED && (i == 0 || a[i].when_ns > a[i - 1].when_ns),
               "attempt %u", i + 1);
    TAP_IS(fv_attempts_of(r.id, a, 2), 3, "in less room");
    TAP_OK(a[0].attempt == 2 && a[1].attempt == 3, "the last ones");
    TAP_IS(fv_attempts_of(r.id, NULL, 0), 3, "counted only");
    fever_release(r);

    r = dies_until_remote(100);
    struct fever_error e = failure_of(r);
    TAP_OK(e.code == FEVER_ECRASHED && e.attempt == 4 && e.n_attempts == 4, "four crashes: all in the error");
    says(&e, "    1: worker ");
    says(&e, "died of SIGSEGV at address 0x40");
    says(&e, " before the last");
    says_where(&e, "poke_at_nothing");
    fever_release(r);
    r = dies_until_with(FEVER_WITH(.max_retries = 9), 100);
    e = failure_of(r);
    TAP_OK(e.attempt == 10 && e.n_attempts == FEVER_ERROR_ATTEMPTS && e.attempts[FEVER_ERROR_ATTEMPTS - 1].attempt == 10 &&
               e.attempts[0].attempt == 5, "ten crashes: the last ones in the error");
    fever_release(r);

    /* the inner one dies in place: the outer one is repeated, and not charged */
    atomic_store(&page->runs[0], 0);
    atomic_store(&page->runs[1], 0);
    r = outer_remote(1);
    TAP_IS(fever_get(r, &v), 0, "a body around one that dies");
    uint32_t n = fv_attempts_of(r.id, a, 8);
    TAP_OK(n == 0 || (n == 1 && !a[0].charged && a[0].attempt == 1), "is not charged (%u noted)", n);
    TAP_IS(n, atomic_load(&page->runs[1]) - 1, "one note for each repetition");
    fever_release(r);
}

/* What was claimed and had not started is not charged, even where nothing may be repeated.  In a segment of our own. */
static void test_not_started(void)
{
    static struct fv_self sup, home, worker;
    struct fv_segment_plan plan = {.n_procs = 4, .slab = 64, .store_bytes = 1 << 20};
    TAP_IS(fv_segment_format(-1, &plan), 0, "a segment");
    fv_map.seg->gen_base = 1;
    fv_map.seg->n_workers = 1;
    fv_map.seg->state = FV_UP;
    for (uint32_t p = 0; p < 3; p++) {
        fv_segment_open_slot(p);
        fv_bit_set(fv_map.seg->active, p);
    }
    TAP_OK(fv_self_init(&sup, 0, false) == 0 && fv_self_init(&worker, 1, true) == 0 && fv_self_init(&home, 2, false) == 0, "three processes");
    fv_self = &sup;
    fv_defs[1] = &fever_def_twice;
    int arg = 1;
    for (int started = 0; started < 2; started++) {
        struct fv_submission s = {.def = 1, .flags = FV_HELD, .args = &arg, .arg_bytes = sizeof arg, .max_retries = 0, .site = 77};
        uint64_t             id = 0;
        TAP_IS(fv_task_submit(&home, &s, &id), 0, "a task without retries");
        uint32_t index = fv_ref_index(id);
        TAP_OK(fv_task_claim(&worker, index), "is claimed");
        worker.proc->current = started ? id : 0;
        struct fv_verdict why = {.code = FEVER_ECRASHED, .signal = SIGKILL, .pid = 1, .worker = 0, .when_ns = 5};
        fv_sweep(&sup, 1, &why);
        uint64_t t = fv_task(index)->truth;
        if (started) {
            struct fever_error e;
            fv_task_get_error(index, &e);
            TAP_OK(fv_truth_state(t) == FV_FAIL && fv_truth_attempt(t) == 0 && e.attempt == 1 && e.n_attempts == 1 && e.ref.id == id,
                   "dead in its body: failed, charged");
        } else {
            TAP_OK(fv_truth_state(t) == FV_READY && fv_truth_attempt(t) == 0, "dead before it started: pending, not charged");
            TAP_IS(fv_attempts_of(id, NULL, 0), 0, "no attempt");
        }
    }
    fv_self_fini(&sup);
    fv_self_fini(&worker);
    fv_self_fini(&home);
    fv_self = NULL;
    fv_defs[1] = NULL;

    /* the log, by several at once: what is read is whole */
    enum { WRITERS = 4, EACH = 20000 };
    pid_t child[WRITERS];
    for (int w = 0; w < WRITERS; w++)
        if ((child[w] = fork()) == 0) {
            for (uint64_t i = 0; i < EACH; i++) {
                uint64_t          k = (uint64_t)w << 32 | i;
                struct fv_attempt n = {.task = 42, .when_ns = k, .fault_address = k * 3, .worker = w, .pid = (uint32_t)i, .detail = (int)(i ^ 5)};
                fv_attempt_note(&n);
            }
            _exit(0);
        }
    static struct fv_attempt seen[FV_N_ATTEMPTS];
    int bad = 0, most = 0;
    for (int w = 0, status; w < WRITERS;) {
        int n = (int)fv_attempts_of(42, seen, FV_N_ATTEMPTS);
        most = n > most ? n : most;
        for (int i = 0; i < n && i < (int)FV_N_ATTEMPTS; i++)
            bad += seen[i].fault_address != seen[i].when_ns * 3 || seen[i].worker != (int)(seen[i].when_ns >> 32) ||
                   seen[i].pid != (uint32_t)seen[i].when_ns || seen[i].detail != (int)(seen[i].pid ^ 5);
        if (waitpid(child[w], &status, WNOHANG) == child[w])
            w++;
    }
    TAP_IS(bad, 0, "a log that four write: no entry is torn");
    TAP_OK(fv_attempts_of(42, seen, FV_N_ATTEMPTS) > FV_N_ATTEMPTS / 2 && most > 0, "and nearly all can be read");
    TAP_IS(fv_map.seg->n_attempts, WRITERS * EACH + 1, "all are counted");
    fv_map.attempts[7].pid++;
    TAP_OK(fv_attempts_of(42, NULL, 0) < FV_N_ATTEMPTS, "a torn entry is passed over");
    fv_segment_unmap();
}

/* ------------------------------------------------------------------------------------------------ the rest */

static void test_print(void)
{
    struct fever_error e;
    memset(&e, 0x55, sizeof e); /* counts are beyond what there is: nothing is read there */
    e.code = FEVER_ECRASHED;
    e.task[47] = e.file[63] = e.text[159] = e.site_file[63] = e.object_file[51] = '\0';
    for (int i = 0; i < FEVER_ERROR_MODULES; i++)
        e.module[i].name[39] = '\0';
    for (int i = 0; i < FEVER_ERROR_CHAIN; i++)
        e.dependent[i].task[27] = e.dependent[i].file[19] = '\0';
    for (int i = 0; i < FEVER_ERROR_ATTEMPTS; i++)
        e.attempts[i].charged = true;
    TAP_OK(strncmp(printed(&e), "FEVER_ECRASHED in task UUU", 26) == 0, "an error of rubbish is printed");
    memset(&e, 0, sizeof e);
    TAP_TEXT(printed(&e), "no error\n", "no error");
    e.code = FEVER_ESTOREFULL;
    TAP_TEXT(printed(&e), "FEVER_ESTOREFULL: the object store is full\n", "one line where there is no more");
}

static struct fever_error test_all(void)
{
    test_sites();
    test_stale_site();
    test_chain();
    for (int w = 0; w < N_WAYS; w++)
        test_way(w);
    test_kill_from_outside();
    test_timeout();
    test_attempts();
    fever_ref          r = dies_with(ONCE, WILD);
    struct fever_error e = failure_of(r);
    fever_release(r);
    return e;
}

static void test_inline(void)
{
    rt_init(.inline_tasks = 1);
    fever_ref r = fails_remote(1); int line = __LINE__;
    struct fever_error e = failure_of(r);
    site_is(&e, line, "inline");
    TAP_OK(e.n_frames > 0 || !has_unwinder, "where the body was");
    says_where(&e, "report_it");
    fever_ref d = follows_remote(r);
    e = failure_of(d);
    TAP_IS(e.n_dependents, 1, "a dependent");
    fever_release(r);
    fever_release(d);
    rt_shutdown();
}

int main(void)
{
    rt_begin(120);
    page = rt_shared(sizeof *page);
    has_unwinder = fv_backtrace_prepare();
    test_print();
    test_not_started();
    rt_init(.workers = 2);
    struct fever_error kept = test_all();
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    says(&kept, "FEVER_ECRASHED in task dies"); /* an error outlives its runtime */
    says_where(&kept, "poke_at_nothing");
    test_inline();
    return tap_done();
}
