/* storm.c: everything at once, while workers are killed and stopped at random.
 *
 * The driver runs rounds of mixed work through the public interface; a thread of it sends SIGKILL, or SIGSTOP and later SIGCONT, to
 * random workers every 0.1 to 3 ms.  Retries are many, so that nothing fails, but for what the driver cancels at random: that ends as
 * cancelled, or well.  Each result is checked, at rest the books must be
 * right and nothing alive, at the end no process and no descriptor may be left.  Weak alone, it covers what the harness of
 * single steps does not: the real supervisor, spares, timing, many at once.
 *
 * Usage: storm [kills [seed]]
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "test/rt.h"

#define WORKERS 4

static _Atomic long n_kills, n_stops;
static long         n_cancelled;
static atomic_bool  calm;
static long         wanted;
static atomic_int   round_n;

static uint64_t random_next(uint64_t *s) {
    *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
    return *s;
}

/* ------------------------------------------------------------------------------------------------ tasks */

struct block {
    long word[60];
};

FEVER_TASK(long, twice, (long, x)) { return 2 * x; }
FEVER_TASK(long, spin_a_little, (long, x)) {
    volatile long n = 0;
    for (long i = 0; i < 20000; i++)
        n = n + 1;
    return x + (n == 20000);
}
FEVER_TASK(long, sum2, (fever_ref, a), (fever_ref, b)) {
    long x = 0, y = 0;
    fever_get(a, &x);
    fever_get(b, &y);
    return x + y;
}
FEVER_TASK(struct block, fill, (long, x)) {
    struct block b;
    for (int i = 0; i < 60; i++)
        b.word[i] = x + i;
    return b;
}
FEVER_TASK(long, first_and_last, (fever_ref, a)) {
    const struct block *b = NULL;
    size_t              bytes = 0;
    return fever_view(a, &b, &bytes) == 0 && bytes == sizeof *b ? b->word[0] + b->word[59] : -1;
}
FEVER_REENTRANT(long, fib, (long, n)) {
    if (n < 2)
        return n;
    fever_ref a = fib_remote(n - 1);
    long      x = 0, y = fib_local(n - 2);
    int       rc = fever_take(a, &x);
    return rc < 0 ? -1000000 : x + y;
}
FEVER_TASK(long, parent, (long, n)) { /* children that may not run on its stack */
    fever_ref r[4];
    long      sum = 0, x = 0;
    for (int i = 0; i < 4; i++)
        r[i] = twice_remote(n + i);
    for (int i = 0; i < 4; i++)
        sum += fever_take(r[i], &x) == 0 ? x : -1000000;
    return sum;
}
FEVER_TASK(fever_ref, gives_a_ref, (long, x)) { return twice_remote(x); }
FEVER_TASK(fever_ref, gives_an_object, (long, x)) {
    struct block b = fill_local(x);
    fever_ref    r = FEVER_NULL_REF;
    fever_put(&b, sizeof b, &r);
    return r;
}
FEVER_TASK_VOID(member, (long, x), (fever_ref, table)) {
    const long *t = NULL;
    if (fever_view(table, &t, NULL) != 0 || t[x & 1023] != (x & 1023) * 7)
        fever_fail(1, "the table is wrong");
}
FEVER_TASK(long, asks, (long, x)) { /* until it is told, or for a while */
    for (int i = 0; i < 2000 && !fever_cancelled(); i++)
        for (volatile int k = 0; k < 100; k++)
            ;
    return x;
}
FEVER_TASK(long, family, (long, n)) { /* tasks that wait for theirs */
    fever_ref r[3];
    long      sum = 1, x = 0;
    int       rc = 0;
    if (n == 0)
        return asks_local(1);
    for (int i = 0; i < 3; i++)
        r[i] = family_with(FEVER_WITH(.max_retries = 250), n - 1);
    for (int i = 0; i < 3 && rc == 0; i++, sum += x)
        rc = fever_take(r[i], &x);
    if (rc < 0 && rc != -FEVER_ECANCELED)
        fever_fail(rc, "a child");
    return rc < 0 ? rc : sum;
}
struct wide {
    long x[9];
};
FEVER_TASK(long, add_all, (struct wide, w)) {
    long s = 0;
    for (int i = 0; i < 9; i++)
        s += w.x[i];
    return s;
}

FEVER_STREAM(struct block, blocks, (long, n)) {
    for (long i = 0; i < n; i++) {
        spin_a_little_local(i);
        blocks_yield(fill_local(i * 10));
    }
}
FEVER_TASK_BYTES(as_many, (long, n)) {
    long *at = fever_result(2 * (size_t)n * sizeof *at);
    for (long i = 0; at != NULL && i < n; i++)
        at[i] = i + 5;
    fever_result((size_t)n * sizeof *at);
}

/* ------------------------------------------------------------------------------------------------ the storm */

/* When something last came back.  The longer ago, the rarer the kills: what a slow disk makes longer than the usual time between
 * two kills (a save with sync) would otherwise use up its retries, each of them rightly. */
static _Atomic double got_on_at;

static void *killer(void *arg) {
    uint64_t seed = *(uint64_t *)arg;
    while (!atomic_load(&calm)) {
        struct timespec nap = {0, (long)(100000 + random_next(&seed) % 2900000)};
        for (long i = 0, n = 1 + (long)((rt_now() - atomic_load(&got_on_at)) / 0.2); i < n && !atomic_load(&calm); i++)
            nanosleep(&nap, NULL);
        unsigned slot = 1 + (unsigned)(random_next(&seed) % fv_rt.n_worker_slots);
        if (slot > WORKERS && random_next(&seed) % 4 != 0)
            slot = 1 + slot % WORKERS;
        struct fv_proc *p = fv_proc(slot);
        pid_t           pid = (pid_t)fv_load_acquire_32(&p->pid);
        if (pid <= 1 || p->role == FV_ROLE_NONE)
            continue;
        if (random_next(&seed) % 4 == 0) {
            if (kill(pid, SIGSTOP) == 0)
                n_stops++;
            nap.tv_nsec = (long)(random_next(&seed) % 2000000);
            nanosleep(&nap, NULL);
            kill(pid, SIGCONT);
        } else if (kill(pid, SIGKILL) == 0) {
            n_kills++;
        }
    }
    return NULL;
}

static const char *const wait_text[] = {
#define FV_X(name, text) text,
    FV_WAITS(FV_X)
#undef FV_X
};

static void tell_waits(void) {
    FV_EACH_ACTIVE(p) {
        struct fv_proc *proc = fv_proc(p);
        tap_diag("slot %u role %u pid %u: %s, ref %#llx, bell %u, parked %u, current %#llx, patron %u, blocked %u", p, proc->role, proc->pid,
                 wait_text[proc->wait_reason % FV_N_WAITS], (unsigned long long)proc->wait_ref, proc->bell, proc->parked,
                 (unsigned long long)proc->current, proc->patron, proc->blocked);
        for (uint32_t i = p << fv_map.shift, e = i + proc->slab_limit; i < e; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            if (fv_truth_state(t) != FV_FREE && fv_truth_state(t) != FV_DONE)
                tap_diag("  task %u gen %u: state %u owner %u attempt %u flags %#x x %#x def %u", i, fv_truth_gen(t), fv_truth_state(t),
                         fv_truth_owner(t), fv_truth_attempt(t), fv_truth_flags(t), fv_task(i)->x, fv_task(i)->def);
        }
    }
}

static void *watchdog(void *arg) {
    (void)arg;
    int last = -1, still = 0;
    while (!atomic_load(&calm)) {
        sleep(1);
        int now = atomic_load(&round_n);
        still = now == last ? still + 1 : 0;
        last = now;
        if (still == 30) {
            printf("not ok %d - no round ended for 30 s: it hangs\n", tap_n + 1);
            tell_waits();
            fflush(stdout);
            _exit(1);
        }
    }
    return NULL;
}

static long wrong;

static void check(const char *what, int rc, long got, long want) {
    atomic_store(&got_on_at, rt_now());
    if (rc == 0 && got == want)
        return;
    if (wrong++ < 10)
        tap_diag("round %d: %s: rc %d (%s), %ld, should be %ld", atomic_load(&round_n), what, rc, rc < 0 ? fever_strerrorname(rc) : "-", got, want);
}
#define CHECK_TAKE(what, ref, want) \
    do { \
        long v_ = 0; \
        int  rc_ = fever_take(ref, &v_); \
        check(what, rc_, v_, want); \
    } while (0)

#define MANY FEVER_WITH(.max_retries = 250)

/* Ends as cancelled, or with the value. */
static void take_cancelled(const char *what, fever_ref ref, long want) {
    long v = 0;
    int  rc = fever_take(ref, &v);
    if (rc == -FEVER_ECANCELED) {
        n_cancelled++;
        fever_release(ref);
        return;
    }
    check(what, rc, v, want);
}

/* Chains, what waits for a promise, families: cancelled somewhere, with force or without, some while others are let go. */
static void round_of_cancels(uint64_t *seed) {
    enum { CHAIN = 8, SIGNAL = 40, RUNNING = 12, FAMILIES = 3 };
    fever_ref chain[CHAIN], wait[SIGNAL], run[RUNNING], fam[FAMILIES], signal = FEVER_NULL_REF, zero = FEVER_NULL_REF;
    long      one = 1, nil = 0;
    fever_promise(&signal);
    fever_put(&nil, sizeof nil, &zero);
    for (long i = 0; i < CHAIN; i++)
        chain[i] = i == 0 ? spin_a_little_with(MANY, 1) : sum2_with(MANY, chain[i - 1], zero);
    for (long i = 0; i < SIGNAL; i++)
        wait[i] = sum2_with(MANY, signal, zero);
    for (long i = 0; i < RUNNING; i++)
        run[i] = asks_with(MANY, i);
    for (long i = 0; i < FAMILIES; i++)
        fam[i] = family_with(MANY, 2);
    for (int n = 0; n < 30; n++) {
        uint64_t  z = random_next(seed);
        unsigned  flags = z >> 8 & 3;
        fever_ref ref = z % 4 == 0 ? chain[z / 64 % CHAIN] : z % 4 == 1 ? wait[z / 64 % SIGNAL] : z % 4 == 2 ? run[z / 64 % RUNNING] : fam[z / 64 % FAMILIES];
        int       rc = fever_cancel(ref, flags);
        check("cancel", rc < 0 ? rc : 0, 0, 0);
        if (n == 20)
            fever_promise_set(signal, &one, sizeof one);
        if (z >> 60 == 0)
            sched_yield();
    }
    for (int i = 0; i < CHAIN; i++)
        take_cancelled("chain", chain[i], 2);
    for (int i = 0; i < SIGNAL; i++)
        take_cancelled("promised", wait[i], 1);
    for (int i = 0; i < RUNNING; i++)
        take_cancelled("asks", run[i], i);
    for (int i = 0; i < FAMILIES; i++)
        take_cancelled("family", fam[i], 13);
    fever_release(signal);
    fever_release(zero);
}

static void round_of_work(fever_ref table) {
    fever_ref           r[64], one[32], big[8];
    struct fever_group *g = NULL;
    long                v = 0;
    fever_group_open(&g);
    for (long i = 0; i < 64; i++)
        r[i] = i % 8 == 0 ? spin_a_little_with(MANY, i) : twice_with(MANY, i);
    for (long i = 0; i < 200; i++) {
        struct fever_args_member a = {i, table};
        fever_group_submit(g, &fever_def_member, &a, sizeof a, MANY);
    }
    for (long i = 0; i < 32; i++)
        one[i] = sum2_with(MANY, r[i], r[i + 1]);
    fever_ref f = fib_with(MANY, 14), par = parent_with(MANY, 5), ref = gives_a_ref_with(MANY, 21), obj = gives_an_object_with(MANY, 100);
    for (long i = 0; i < 8; i++)
        big[i] = fill_with(MANY, i * 100);
    fever_ref stream = blocks_with(FEVER_WITH(.max_retries = 250, .stream_items = 5), 40), abandoned = blocks_with(FEVER_WITH(.max_retries = 250, .stream_items = 5), 40);
    fever_ref parts[4], of_big = FEVER_PART(big[6], struct block, word[59]), whole = as_many_with(MANY, 4000);
    check("parts", fever_parts(whole, 4, parts), 0, 0);
    fever_ref last = first_and_last_with(MANY, big[7]), wide = add_all_with(MANY, (struct wide){{1, 2, 3, 4, 5, 6, 7, 8, 9}});

    for (long i = 0; i < 40; i++) {
        struct block b = {{0}};
        int          rc = blocks_next(stream, &b, FEVER_FOREVER);
        check("item", rc, b.word[0] + b.word[59], 20 * i + 59);
        if (i < 3)
            blocks_next(abandoned, &b, FEVER_FOREVER);
    }
    fever_release(abandoned);
    check("the end", fever_stream_next(stream, &stream, FEVER_FOREVER) + FEVER_EEND, 0, 0);
    fever_release(stream);
    for (long i = 0; i < 4; i++) {
        const long *x = NULL;
        int         rc = fever_view(parts[i], &x, NULL);
        check("equal part", rc, rc == 0 ? x[999] : 0, 1000 * i + 1004);
        fever_release(parts[i]);
    }
    fever_release(whole);
    CHECK_TAKE("part", of_big, 659);
    for (long i = 0; i < 32; i++) {
        long a = i % 8 == 0 ? i + 1 : 2 * i, b = (i + 1) % 8 == 0 ? i + 2 : 2 * (i + 1);
        CHECK_TAKE("sum of two", one[i], a + b);
    }
    for (long i = 0; i < 64; i++)
        CHECK_TAKE("plain", r[i], i % 8 == 0 ? i + 1 : 2 * i);
    CHECK_TAKE("fib", f, 377);
    CHECK_TAKE("parent", par, 2 * (5 + 6 + 7 + 8));
    CHECK_TAKE("view of a big result", last, 700 + 759);
    CHECK_TAKE("wide arguments", wide, 45);
    for (long i = 0; i < 8; i++) {
        struct block b = {{0}};
        int          rc = fever_take(big[i], &b);
        check("big result", rc, b.word[59], i * 100 + 59);
    }
    fever_ref inner = FEVER_NULL_REF;
    int       rc = fever_get(ref, &inner);
    check("ref in a result", rc, 0, 0);
    rc = fever_get(inner, &v);
    check("what it refers to", rc, v, 42);
    fever_release(ref);
    rc = fever_get(obj, &inner);
    const struct block *b = NULL;
    if (rc == 0)
        rc = fever_view(inner, &b, NULL);
    check("object in a result", rc, rc == 0 ? b->word[59] : 0, 159);
    fever_release(obj);
    int64_t failed = fever_group_wait(g, FEVER_FOREVER);
    check("group", failed < 0 ? (int)failed : 0, (long)failed, 0);
    for (uint64_t i = 0; failed > 0 && i < (uint64_t)failed && i < 3; i++) {
        struct fever_error e;
        uint64_t           index;
        fever_group_failure(g, i, &index, &e);
        tap_diag("  member %llu: %s", (unsigned long long)index, e.text);
    }
    fever_group_close(g);
}

/* Loads past the page cache, and a save over another, beside results of the same size: what is read for a process that was killed
 * must not arrive where another's result lies by then. */
static char saved_to[] = "storm.XXXXXX";
static void round_of_files(void) {
    enum { N = 6, PART = 200000, FILE_WORDS = 4 * PART };
    fever_ref          all = as_many_with(MANY, FILE_WORDS), done = FEVER_NULL_REF, part[N], beside[N];
    struct fever_saved saved = {0};
    const long        *x = NULL;
    int                rc = fever_save(all, saved_to, FEVER_SAVE(.sync = 1, .task = MANY), &done);
    if (rc == 0)
        rc = fever_take(done, &saved);
    check("save", rc, (long)saved.bytes, FILE_WORDS * (long)sizeof *x);
    fever_release(all);
    for (long i = 0; i < N; i++) {
        part[i] = FEVER_NULL_REF;
        uint64_t offset = (uint64_t)(i % 4) * PART * sizeof *x, bytes = PART * sizeof *x;
        check("load", fever_load(saved_to, FEVER_LOAD(.offset = offset, .bytes = bytes, .task = MANY), &part[i]), 0, 0);
        beside[i] = as_many_with(MANY, PART);
    }
    for (long i = 0; i < N; i++)
        for (int k = 0; k < 2; k++) {
            size_t bytes = 0;
            long   bad = 0, first = k == 0 ? i % 4 * PART + 5 : 5;
            rc = fever_view(k == 0 ? part[i] : beside[i], &x, &bytes);
            for (long j = 0; rc == 0 && j < PART; j++)
                bad += bytes != PART * sizeof *x || x[j] != first + j;
            check(k == 0 ? "loaded" : "beside a load", rc, bad, 0);
            fever_release(k == 0 ? part[i] : beside[i]);
        }
}

static int n_descriptors(void) {
    int  n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

int main(int argc, char **argv) {
    bool     is_long = getenv("FEVER_TEST_LONG") != NULL;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    wanted = argc > 1 ? atol(argv[1]) : is_long ? 100000 : 1500;
    double end = is_long || argc > 1 ? 1e9 : 12;
    setvbuf(stdout, NULL, _IOLBF, 0);
    tap_diag("seed %llu", (unsigned long long)seed);
    int fd = mkstemp(saved_to);
    if (fd >= 0)
        close(fd);
    int before = n_descriptors();
    int rc = fever_init(FEVER_OPTIONS(.workers = WORKERS, .max_spares = 16, .store_bytes = 64 << 20, .task_slots = 4096, .pin = -1, .quiet = 1));
    if (!TAP_IS(rc, 0, "fever_init"))
        return tap_done();
    pid_t     group = fv_rt.supervisor_pid;
    pthread_t k, w;
    double    begin = rt_now();
    atomic_store(&got_on_at, begin);
    fever_ref table = FEVER_NULL_REF;
    static long numbers[1024];
    for (long i = 0; i < 1024; i++)
        numbers[i] = i * 7;
    fever_put(numbers, sizeof numbers, &table);
    uint64_t cancels = seed ^ 0x9E3779B97F4A7C15ull;
    pthread_create(&k, NULL, killer, &seed);
    pthread_create(&w, NULL, watchdog, NULL);
    while (n_kills < wanted && rt_now() - begin < end && wrong == 0) {
        round_of_work(table);
        round_of_cancels(&cancels);
        if (round_n % 4 == 0)
            round_of_files();
        round_n++;
    }
    atomic_store(&calm, true);
    pthread_join(k, NULL);
    TAP_IS(wrong, 0, "%ld kills and %ld stops in %d rounds of 408 tasks, %ld of them cancelled, %.1f s: every result is right", (long)n_kills,
           (long)n_stops, atomic_load(&round_n), n_cancelled, rt_now() - begin);
    fever_release(table);
    /* rest: the last dead must be swept, what they had held is let go */
    struct fever_stats s = {.struct_bytes = sizeof s};
    int                bad = 0;
    for (double until = rt_now() + 5; rt_now() < until; rt_nap()) {
        fever_stats(&s);
        bad = fever_validate(NULL);
        if (bad == 0 && s.objects_live == 0)
            break;
    }
    if (bad != 0 || s.objects_live != 0) {
        fever_validate(stdout);
        tell_waits();
    }
    TAP_IS(bad, 0, "at rest the books are right");
    TAP_IS(s.objects_live, 0, "nothing is alive");
    TAP_OK(s.worker_deaths > 0, "%llu workers died", (unsigned long long)s.worker_deaths);
    TAP_IS(fever_shutdown(), 0, "fever_shutdown");
    pthread_join(w, NULL);
    unlink(saved_to);
    TAP_IS(rt_in_group(group), 0, "no process is left");
    TAP_IS(n_descriptors(), before, "no descriptor is left");
    return tap_done();
}
