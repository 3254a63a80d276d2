/* storm_actor.c: actors, and tasks that call them, while processes of both are killed and stopped at random.
 *
 * Run by:          make check, for some seconds.  FEVER_TEST_LONG=1: for minutes.
 *
 * Three kinds of actors live through the storm, restarted as often as it takes.  One repeats calls (max_task_retries): each call ends well, and
 * each caller's calls are begun in their order; of a caller that died some may be left out, never of one that lives.  One does not: no call is
 * begun twice, and one that ended well was.  One saves its state in each call, and knows what it has done: its sum is exact, whatever died.  Others
 * are made, called, let go of or killed on the way.  A thread sends SIGKILL, or SIGSTOP and later SIGCONT, to random processes of actors and
 * workers.  At the end the books must be right, and nothing left.
 *
 * Usage: storm_actor [seconds [seed]]
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "test/rt.h"

#define WORKERS  3
#define ACTORS   8     /* processes of actors at once */
#define CALLERS  65536 /* each attempt of a task that calls is one; the first is the driver */
#define MANY     250
#define CALLS    24    /* of the driver to each actor in a round */

static struct shared {
    atomic_long disorder, twice, doubtful;
    atomic_uint callers;
    atomic_long last[CALLERS]; /* begun by the actor that repeats: of each caller */
    atomic_bool gap[CALLERS];  /* one of its calls was left out: right only if it has died */
    atomic_uchar begun[1 << 20]; /* by the one that does not: how often each call */
} *shared;

static _Atomic long n_kills, n_actor_kills, n_stops;
static atomic_bool  calm;
static atomic_int   rounds;
static long         wrong, calls, down;

static uint64_t random_next(uint64_t *s) {
    *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
    return *s;
}

/* ------------------------------------------------------------------------------------------------ actors */

struct nothing {
    int unused;
};
FEVER_ACTOR(struct nothing, ready) {
    (void)self;
    return 0;
}
/* The one before has begun; this one may have.  The calls of a caller that has died are let go of one by one, while the actor takes what is left: it
 * may find a later one and not an earlier one. */
FEVER_METHOD(ready, long, step, (unsigned, caller), (long, n)) {
    long last = atomic_load(&shared->last[caller]);
    if (n < last || (caller == 0 && n > last + 1))
        atomic_fetch_add(&shared->disorder, 1);
    else if (n > last + 1)
        atomic_store(&shared->gap[caller], true);
    atomic_store(&shared->last[caller], n);
    return 3 * n + 1;
}
FEVER_METHOD(ready, long, step_with, (fever_ref, arg), (long, n)) {
    long v = -1;
    int  rc = fever_get_for(arg, &v, 0);
    return rc < 0 ? rc : v == n ? 3 * n + 1 : -1;
}

FEVER_ACTOR(struct nothing, once) {
    (void)self;
    return 0;
}
FEVER_METHOD(once, long, step, (long, n)) {
    if (atomic_fetch_add(&shared->begun[n & ((1 << 20) - 1)], 1) != 0)
        atomic_fetch_add(&shared->twice, 1);
    for (volatile int i = 0; i < 20000; i++) /* so that it dies in some */
        ;
    return 3 * n + 1;
}

struct book {
    long last, sum, spare[700];
};
FEVER_ACTOR(struct book, book) {
    (void)self;
    return 0;
}
FEVER_CHECKPOINT(book) { return fever_put(self, sizeof *self, saved); }
FEVER_RESTORE(book) {
    const struct book *b;
    int                rc = fever_view(saved, &b, NULL);
    if (rc == 0)
        *self = *b;
    for (int i = 0; rc == 0 && i < 700; i++)
        if (self->spare[i] != self->last)
            atomic_fetch_add(&shared->doubtful, 1);
    return rc;
}
FEVER_METHOD(book, long, enter, (long, n)) {
    if (n == self->last + 1) {
        self->last = n;
        self->sum += n;
        for (int i = 0; i < 700; i++)
            self->spare[i] = n;
        int rc = fever_actor_checkpoint();
        if (rc < 0)
            fever_fail(-rc, "a checkpoint");
    } else if (n != self->last) {
        atomic_fetch_add(&shared->doubtful, 1);
    }
    return self->sum;
}

/* ------------------------------------------------------------------------------------------------ tasks */

FEVER_TASK(long, gives, (long, x)) { return x; }
FEVER_TASK(long, steps, (ready_actor, a), (long, n)) { /* an attempt is a caller of its own */
    unsigned  caller = 1 + atomic_fetch_add(&shared->callers, 1) % (CALLERS - 1);
    fever_ref r[4];
    long      v = 0;
    atomic_store(&shared->last[caller], 0);
    atomic_store(&shared->gap[caller], false);
    for (long i = 0; i < n; i += 4) {
        for (long k = 0; k < 4; k++)
            r[k] = ready_step_remote(a, caller, i + k + 1);
        for (long k = 0; k < 4; k++) {
            int rc = fever_take(r[k], &v);
            if (rc < 0 || v != 3 * (i + k + 1) + 1)
                return rc < 0 ? rc : -1;
        }
        if (atomic_load(&shared->gap[caller])) /* and it lives */
            atomic_fetch_add(&shared->disorder, 1);
    }
    return n;
}
/* makes an actor, calls it, lets go of it with its end */
FEVER_TASK(long, makes, (long, n)) {
    book_actor a = book_new_with(FEVER_ACTOR_WITH(.max_restarts = FEVER_NO_LIMIT, .max_task_retries = MANY));
    long       v = 0;
    for (long i = 1; i <= n; i++) {
        int rc = fever_take(book_enter_remote(a, i), &v);
        if (rc < 0 || v != i * (i + 1) / 2)
            return rc < 0 ? rc : -1;
    }
    return n;
}

/* ------------------------------------------------------------------------------------------------ the storm */

/* When something last came back.  The longer ago, the rarer the kills: where a busy machine takes longer to start an actor than is usual between two
 * kills, the tasks that make and call one would otherwise use up their retries, each of them rightly. */
static _Atomic double got_on_at;

static void *killer(void *arg) {
    uint64_t seed = *(uint64_t *)arg;
    while (!atomic_load(&calm)) {
        struct timespec nap = {0, (long)(1000000 + random_next(&seed) % 9000000)};
        for (long i = 0, n = 1 + (long)((rt_now() - atomic_load(&got_on_at)) / 0.2); i < n && !atomic_load(&calm); i++)
            nanosleep(&nap, NULL);
        bool            is_actor = random_next(&seed) % 4 == 0;
        unsigned        slot = is_actor ? fv_rt.actor_slots + (unsigned)(random_next(&seed) % ACTORS) : 1 + (unsigned)(random_next(&seed) % WORKERS);
        struct fv_proc *p = fv_proc(slot);
        pid_t           pid = (pid_t)fv_load_acquire_32(&p->pid);
        if (pid <= 1)
            continue;
        if (random_next(&seed) % 4 == 0) {
            if (kill(pid, SIGSTOP) == 0)
                n_stops++;
            nap.tv_nsec = (long)(random_next(&seed) % 5000000);
            nanosleep(&nap, NULL);
            kill(pid, SIGCONT);
        } else if (kill(pid, SIGKILL) == 0) {
            *(is_actor ? &n_actor_kills : &n_kills) += 1;
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
        if (still == 60) {
            printf("not ok %d - nothing has gone on for 60 s: it hangs\n", tap_n + 1);
            FV_EACH_ACTIVE(p)
                tap_diag("slot %u role %u pid %u: waits %u, ref %#llx, current %#llx, actor %#llx", p, fv_proc(p)->role, fv_proc(p)->pid, fv_proc(p)->wait_reason,
                         (unsigned long long)fv_proc(p)->wait_ref, (unsigned long long)fv_proc(p)->current, (unsigned long long)fv_proc(p)->actor);
            fflush(stdout);
            _exit(1);
        }
    }
    return NULL;
}

/* Takes it: it is want, or has failed with may. */
static int take(const char *what, fever_ref r, long want, int may) {
    long v = -1;
    int  rc = fever_take(r, &v);
    calls++;
    atomic_store(&got_on_at, rt_now());
    if (!(rc == 0 && v == want) && !(may != 0 && rc == may) && wrong++ < 10) {
        struct fever_error e;
        tap_diag("round %d: %s: %s, %ld, not %ld", atomic_load(&rounds), what, rc < 0 ? fever_strerrorname(rc) : "value", v, want);
        if (rc < 0 && fever_error(r, &e) == 0)
            tap_diag("  %s: %s", e.task, e.text);
    }
    if (rc < 0)
        fever_release(r);
    return rc;
}

static ready_actor sure;
static once_actor  brief;
static book_actor  book;
static long        n_sure, n_brief, n_book;

static void one_round(uint64_t *seed) {
    fever_ref a[CALLS], b[CALLS], c[CALLS], d[4], t[3], arg;
    long      n = 4 + 4 * (long)(random_next(seed) % 4), first = n_brief, v = 0;
    for (int i = 0; i < 2; i++)
        t[i] = steps_with(FEVER_WITH(.max_retries = MANY), sure, n);
    t[2] = makes_with(FEVER_WITH(.max_retries = MANY), 3);
    for (int i = 0; i < CALLS; i++) {
        a[i] = ready_step_remote(sure, 0, ++n_sure);
        b[i] = once_step_remote(brief, ++n_brief);
        c[i] = book_enter_remote(book, ++n_book);
    }
    arg = gives_with(FEVER_WITH(.max_retries = MANY), n); /* what comes behind waits for it */
    d[0] = ready_step_with_remote(sure, arg, n);
    d[1] = ready_step_remote(sure, 0, ++n_sure);
    fever_release(arg);
    /* one that is killed with calls in its mailbox */
    ready_actor victim = ready_new_with(FEVER_ACTOR_WITH(.max_restarts = FEVER_NO_LIMIT, .max_task_retries = MANY));
    d[2] = ready_step_with_remote(victim, d[0], 3 * n + 1);
    d[3] = ready_step_with_remote(victim, d[0], 3 * n + 1);
    if (random_next(seed) % 2) {
        int rc = fever_actor_kill(victim.any, 0);
        if (rc < 0 && wrong++ < 10)
            tap_diag("a kill: %s", fever_strerrorname(rc));
    }
    fever_actor_release(victim.any);
    take("of a killed one", d[2], 3 * (3 * n + 1) + 1, -FEVER_EACTORDEAD);
    take("of a killed one", d[3], 3 * (3 * n + 1) + 1, -FEVER_EACTORDEAD);
    take("with an argument", d[0], 3 * n + 1, 0);
    take("behind it", d[1], 3 * n_sure + 1, 0);
    for (int i = 0; i < CALLS; i++) {
        v = n_sure - 1 - CALLS + 1 + i;
        take("a call that is repeated", a[i], 3 * v + 1, 0);
        v = first + 1 + i;
        int rc = take("a call that is not", b[i], 3 * v + 1, -FEVER_EACTORDOWN);
        down += rc < 0;
        if (rc == 0 && atomic_load(&shared->begun[v & ((1 << 20) - 1)]) != 1 && wrong++ < 10)
            tap_diag("call %ld ended well, and was begun %d times", v, atomic_load(&shared->begun[v & ((1 << 20) - 1)]));
        v = n_book - CALLS + 1 + i;
        take("a call that is saved", c[i], v * (v + 1) / 2, 0);
    }
    for (int i = 0; i < 2; i++)
        take("a task that calls", t[i], n, 0);
    take("a task that makes an actor", t[2], 3, 0);
    for (long i = first + 1; i <= n_brief; i++)
        atomic_store(&shared->begun[i & ((1 << 20) - 1)], 0);
    atomic_fetch_add(&rounds, 1);
}

int main(int argc, char **argv) {
    double   seconds = argc > 1 ? atof(argv[1]) : getenv("FEVER_TEST_LONG") != NULL ? 300 : 3;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1, killer_seed = seed * 77 + 5;
    pthread_t thread, dog;
    rt_begin((unsigned)seconds + 240);
    tap_diag("seed %llu", (unsigned long long)seed);
    shared = rt_shared(sizeof *shared);
    rt_init(.workers = WORKERS, .max_actors = ACTORS, .resources = "seat=2");
    struct fever_resource seat = {"seat", 1};
    sure = ready_new_with(FEVER_ACTOR_WITH(.resources = &seat, .n_resources = 1, .max_restarts = FEVER_NO_LIMIT, .max_task_retries = MANY));
    brief = once_new_with(FEVER_ACTOR_WITH(.max_restarts = FEVER_NO_LIMIT));
    book = book_new_with(FEVER_ACTOR_WITH(.resources = &seat, .n_resources = 1, .max_restarts = FEVER_NO_LIMIT, .max_task_retries = MANY));
    atomic_store(&got_on_at, rt_now());
    pthread_create(&thread, NULL, killer, &killer_seed);
    pthread_create(&dog, NULL, watchdog, NULL);
    for (double end = rt_now() + seconds; rt_now() < end && wrong == 0;)
        one_round(&seed);
    atomic_store(&calm, true);
    pthread_join(thread, NULL);
    pthread_join(dog, NULL);
    TAP_OK(wrong == 0, "%ld calls and tasks in %d rounds, %ld processes of actors and %ld workers killed, %ld stopped, %ld calls were not repeated: all end as they should",
           calls, atomic_load(&rounds), n_actor_kills, n_kills, n_stops, down);
    TAP_IS(atomic_load(&shared->disorder), 0, "each caller's calls are begun in order");
    TAP_IS(atomic_load(&shared->twice), 0, "what is not to be repeated is begun once at most");
    TAP_IS(atomic_load(&shared->doubtful), 0, "what is saved is whole, and the last");
    fever_actor_release(sure.any), fever_actor_release(brief.any), fever_actor_release(book.any);
    for (double end = rt_now() + RT_LONG; rt_stats().objects_live != 0 && rt_now() < end;)
        rt_nap();
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "nothing is left");
    rt_shutdown();
    return tap_done();
}
