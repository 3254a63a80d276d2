/* storm_store.c: a store that is always full, while workers and the keeper are killed and stopped at random.
 *
 * Run by:          make check, for some seconds.  FEVER_TEST_LONG=1: for minutes.
 *
 * The driver and tasks put, get and let go of objects and of large results, half again as many as the store has room for, so that each
 * step writes some to disk and reads others back.  A thread sends SIGKILL, or SIGSTOP and later SIGCONT, to random workers and to the
 * keeper.  Each byte that is read is checked; at the end the books must be right, and nothing left in the store, on disk, in processes.
 *
 * Usage: storm_store [seconds [seed]]
 */
#include <pthread.h>
#include <sched.h>

#include "test/spill.h"

#define WORKERS 3
#define N       24
#define STORE   (8 * MIB)
#define MANY    FEVER_WITH(.max_retries = 250)

static _Atomic long n_kills, n_stops, n_keepers;
static atomic_bool  calm;
static atomic_int   rounds;
static long         wrong, gets;
static void        *room;

struct what {
    uint64_t bytes, seed;
};

/* ------------------------------------------------------------------------------------------------ tasks */

FEVER_TASK(long, reads, (fever_ref, r), (struct what, w)) {
    const void *v = NULL;
    size_t      n = 0;
    int         rc = fever_view_raw(r, &v, &n, 60);
    return rc != 0 ? rc : n != w.bytes ? 1 : (long)spill_wrong(v, n, w.seed);
}
FEVER_TASK(long, copies, (fever_ref, r), (struct what, w)) {
    void *at = malloc(w.bytes);
    int   rc = at == NULL ? -ENOMEM : spill_read(r, at, w.bytes, w.seed);
    free(at);
    return rc;
}
FEVER_TASK(long, reads_two, (fever_ref, a), (struct what, wa), (fever_ref, b), (struct what, wb)) {
    long rc = reads_local(a, wa);
    return rc != 0 ? rc : reads_local(b, wb);
}
FEVER_TASK(fever_ref, puts, (struct what, w)) {
    fever_ref r = FEVER_NULL_REF;
    int       rc = spill_put(w.bytes, w.seed, &r);
    if (rc != 0)
        fever_fail(-rc, "a put: %s", fever_strerror(rc));
    return r;
}
FEVER_TASK_BYTES(makes, (struct what, w)) {
    void *at = fever_result(w.bytes);
    if (at != NULL)
        spill_fill(at, w.bytes, w.seed);
}

/* ------------------------------------------------------------------------------------------------ the storm */

static void *killer(void *arg) {
    uint64_t seed = *(uint64_t *)arg;
    while (!atomic_load(&calm)) {
        struct timespec nap = {0, (long)(300000 + spill_random(&seed) % 6000000)};
        nanosleep(&nap, NULL);
        bool            is_keeper = spill_random(&seed) % 3 == 0;
        unsigned        slot = is_keeper ? fv_rt.keeper_slot : 1 + (unsigned)(spill_random(&seed) % WORKERS);
        struct fv_proc *p = fv_proc(slot);
        pid_t           pid = is_keeper ? spill_keeper() : (pid_t)fv_load_acquire_32(&p->pid);
        if (pid <= 1)
            continue;
        if (spill_random(&seed) % 4 == 0) {
            if (kill(pid, SIGSTOP) == 0)
                n_stops++;
            nap.tv_nsec = (long)(spill_random(&seed) % 5000000);
            nanosleep(&nap, NULL);
            kill(pid, SIGCONT);
        } else if (kill(pid, SIGKILL) == 0) {
            *(is_keeper ? &n_keepers : &n_kills) += 1;
        }
    }
    return NULL;
}

static void *watchdog(void *arg) {
    (void)arg;
    int last = -1, still = 0;
    while (!atomic_load(&calm)) {
        sleep(1);
        int now = atomic_load(&rounds);
        still = now == last ? still + 1 : 0;
        last = now;
        if (still == 30) {
            printf("not ok %d - nothing has gone on for 30 s: it hangs\n", tap_n + 1);
            FV_EACH_ACTIVE(p)
                tap_diag("slot %u role %u pid %u: waits %u, ref %#llx, want %#llx, room %llu", p, fv_proc(p)->role, fv_proc(p)->pid, fv_proc(p)->wait_reason,
                         (unsigned long long)fv_proc(p)->wait_ref, (unsigned long long)fv_proc(p)->want[0], (unsigned long long)fv_proc(p)->room_wanted);
            fflush(stdout);
            _exit(1);
        }
    }
    return NULL;
}

static fever_ref   ref[N], held[N]; /* held: the result that has the ref in it, or null */
static struct what what[N];

static void note(const char *text, long rc) {
    gets++;
    if (rc == 0)
        return;
    if (wrong++ < 10)
        tap_diag("round %d: %s: %ld (%s)", atomic_load(&rounds), text, rc, rc < 0 ? fever_strerrorname((int)rc) : "wrong bytes");
}
static void note_task(const char *text, fever_ref task) {
    long v = -1;
    int  rc = fever_take(task, &v);
    note(text, rc < 0 ? rc : v);
    if (rc < 0) {
        struct fever_error e;
        if (fever_error(task, &e) == 0)
            tap_diag("  %s", e.text);
        fever_release(task);
    }
}

static void let_go(int i) {
    fever_release(held[i].id != 0 ? held[i] : ref[i]);
    held[i] = FEVER_NULL_REF;
}

static void make(int i, uint64_t *seed) {
    static uint64_t next;
    what[i] = (struct what){200000 + spill_random(seed) % 600000, ++next};
    held[i] = FEVER_NULL_REF;
    int rc = 0;
    switch (spill_random(seed) % 3) {
    case 0: rc = spill_put(what[i].bytes, what[i].seed, &ref[i]); break;
    case 1: ref[i] = makes_with(MANY, what[i]); break;
    default:
        held[i] = puts_with(MANY, what[i]);
        rc = fever_get(held[i], &ref[i]);
        if (rc < 0) {
            struct fever_error e;
            if (fever_error(held[i], &e) == 0)
                tap_diag("  %s", e.text);
        }
    }
    note("a put", rc);
}

static void one_round(uint64_t *seed) {
    enum { TASKS = 10 };
    fever_ref task[TASKS];
    for (int k = 0; k < TASKS; k++) {
        unsigned a = (unsigned)(spill_random(seed) % N), b = (unsigned)(spill_random(seed) % N);
        task[k] = k % 3 == 0   ? reads_with(MANY, ref[a], what[a])
                  : k % 3 == 1 ? copies_with(MANY, ref[a], what[a])
                               : reads_two_with(MANY, ref[a], what[a], ref[b], what[b]);
    }
    for (int k = 0; k < 3; k++) {
        unsigned i = (unsigned)(spill_random(seed) % N);
        note("a get", spill_read(ref[i], room, what[i].bytes, what[i].seed));
    }
    for (int k = 0; k < 2; k++) { /* while tasks read them: their refs are arguments */
        int i = (int)(spill_random(seed) % N);
        let_go(i);
        make(i, seed);
    }
    for (int k = 0; k < TASKS; k++)
        note_task("a task", task[k]);
    atomic_fetch_add(&rounds, 1);
}

int main(int argc, char **argv) {
    double   seconds = argc > 1 ? atof(argv[1]) : getenv("FEVER_TEST_LONG") != NULL ? 300 : 2;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1, killer_seed = seed * 77 + 5;
    pthread_t thread, dog;
    rt_begin((unsigned)seconds + 120);
    tap_diag("seed %llu", (unsigned long long)seed);
    room = malloc(MIB);
    rt_init(.workers = WORKERS, .store_bytes = STORE, .max_spares = 4);
    for (int i = 0; i < N; i++)
        make(i, &seed);
    pthread_create(&thread, NULL, killer, &killer_seed);
    pthread_create(&dog, NULL, watchdog, NULL);
    for (double end = rt_now() + seconds; rt_now() < end && wrong == 0;)
        one_round(&seed);
    atomic_store(&calm, true);
    pthread_join(thread, NULL);
    pthread_join(dog, NULL);
    TAP_OK(wrong == 0, "%ld reads and puts in %d rounds, %ld workers and %ld keepers killed, %ld stopped: every byte is right", gets, atomic_load(&rounds), n_kills,
           n_keepers, n_stops);
    TAP_OK(spill_books()->spilled_objects > N / 3 && spill_books()->restored_objects > N, "the store was full: %llu objects written, %llu read back",
           (unsigned long long)spill_books()->spilled_objects, (unsigned long long)spill_books()->restored_objects);
    TAP_IS(spill_books()->lost_objects, 0, "none is lost");
    for (int i = 0; i < N; i++)
        note("the last look", spill_read(ref[i], room, what[i].bytes, what[i].seed));
    TAP_IS(wrong, 0, "all that is held is right at the end");
    for (int i = 0; i < N; i++)
        let_go(i);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "nothing is left in the store");
    for (double end = rt_now() + RT_LONG; spill_books()->copy_bytes != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(spill_books()->copy_bytes, 0, "nor on disk");
    rt_shutdown();
    return tap_done();
}
