/* t_spill_get.c: what is on disk, asked for in every way, by many at once, and while the disk does not answer.
 *
 * Run by:          make check.
 *
 * Reads and writes of the keeper are wrapped by the linker: the disk stands still as long as the test says so.  So is fork: who forks
 * is slower than its child.
 */
#include <pthread.h>

#include "core/store.h"
#include "plat/fileio.h"
#include "spill.h"

#define BYTES ((size_t)700000)

enum { NO_READS, NO_WRITES, EACH_MS /* one takes so long, at least */, GO, BEGUN, SLOW_FORK, FORKED, N_WORDS };
static atomic_int *page;
static void       *room;

int __real_fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n);
int __wrap_fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n);
int __wrap_fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n)
{
    while (page != NULL && n != 0 && atomic_load(&page[ios[0].write ? NO_WRITES : NO_READS]))
        rt_nap();
    for (int ms = page != NULL && n != 0 ? atomic_load(&page[EACH_MS]) : 0; ms > 0; ms--)
        rt_nap();
    return __real_fv_io_run(q, ios, n);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __wrap_fork(void)
{
    pid_t pid = __real_fork();

    if (pid > 0 && page != NULL && atomic_load(&page[SLOW_FORK])) {
        atomic_store(&page[FORKED], 1);
        while (atomic_load(&page[SLOW_FORK]))
            rt_nap();
    }
    return pid;
}

static void set(int word, int value) { atomic_store(&page[word], value); }
static void begin(void)
{
    for (int i = 0; i < N_WORDS; i++)
        set(i, 0);
}

static unsigned residence(fever_ref r) { return fv_residence(fv_load_acquire_64(&fv_task(fv_ref_index(r.id))->result[0])); }
static int      n_away(const fever_ref *ref, int n)
{
    int away = 0;

    for (int i = 0; i < n; i++)
        away += residence(ref[i]) == FV_AWAY;
    return away;
}

/* Until they are on disk alone: others come and go. */
static bool push_out(const fever_ref *ref, int n)
{
    fever_ref other[64];
    int       k = 0;

    while (k < 64 && n_away(ref, n) < n && spill_put(BYTES, 1000, &other[k]) == 0)
        k++;
    while (k > 0)
        fever_release(other[--k]);
    return n_away(ref, n) == n;
}

static bool put_away(fever_ref *ref, int n)
{
    for (int i = 0; i < n; i++)
        if (spill_put(BYTES, (uint64_t)i, &ref[i]) != 0)
            return false;
    return push_out(ref, n);
}

static bool becomes(fever_ref r, bool away)
{
    for (double end = rt_now() + 2 * RT_LONG; rt_now() < end; rt_nap())
        if ((residence(r) == FV_AWAY) == away)
            return true;
    return false;
}

/* The last hold may be the keeper's, or a worker's that is about to let its arguments go: a moment later it is gone. */
static bool becomes_stale(fever_ref r)
{
    for (double end = rt_now() + 2 * RT_LONG; rt_now() < end; rt_nap())
        if (fever_wait_one(r, 0) == -FEVER_ESTALE)
            return true;
    return false;
}

/* Does so many processes (threads of the driver, workers) wait until it is read back? */
static bool are_waiting(fever_ref r, int n)
{
    int found = 0;

    for (double end = rt_now() + 2 * RT_LONG; rt_now() < end; rt_nap()) {
        found = 0;
        FV_EACH_ACTIVE(p)
            found += fv_load_acquire_64(&fv_proc(p)->want[0]) == r.id;
        if (found >= n)
            return true;
    }
    tap_diag("%d wait, not %d", found, n);
    return false;
}

FEVER_TASK(int, reads, (fever_ref, r), (uint64_t, seed))
{
    const void *v;
    size_t      n;
    int         rc = fever_view_raw(r, &v, &n, 60);

    return rc != 0 ? rc : n != BYTES ? -1 : spill_wrong(v, n, seed) != 0;
}
FEVER_TASK(int, reads_three, (fever_ref, a), (fever_ref, b), (fever_ref, c))
{
    const fever_ref ref[3] = {a, b, c};
    int             wrong = 0;

    for (uint64_t i = 0; i < 3; i++)
        wrong += reads_local(ref[i], i) != 0;
    return wrong;
}
FEVER_TASK(int, reads_inside, (fever_ref, container), (int, n))
{
    const fever_ref *ref;
    size_t           bytes;
    int              wrong = 0;

    if (fever_view(container, &ref, &bytes) != 0 || bytes != (size_t)n * sizeof *ref)
        return -1;
    for (int i = 0; i < n; i++)
        wrong += reads_local(ref[i], (uint64_t)i) != 0;
    return wrong;
}
FEVER_TASK(int, reads_later, (fever_ref, signal), (fever_ref, r), (uint64_t, seed))
{
    (void)signal;
    atomic_fetch_add(&page[BEGUN], 1);
    return reads_local(r, seed);
}
FEVER_TASK(int, busy, (int, x))
{
    atomic_fetch_add(&page[BEGUN], 1);
    while (!atomic_load(&page[GO]))
        rt_nap();
    return x;
}

static int taken(fever_ref r)
{
    int v = -77, rc = fever_take(r, &v);

    return rc != 0 ? rc : v;
}

/* ------------------------------------------------------------------------------------------------ every way */

static void every_way(void)
{
    enum { N = 6 };
    fever_ref   ref[N], part[7], container, saved;
    bool        ready[N];
    const void *v;
    char        path[] = "t_spill_get.XXXXXX";
    size_t      bytes;
    int         wrong = 0, fd = mkstemp(path);

    begin();
    rt_init(.workers = 2, .store_bytes = 5 * MIB);
    TAP_OK(put_away(ref, N), "%d objects are on disk", N);
    uint64_t restored = spill_books()->restored_objects;
    TAP_IS(fever_wait(ref, N, N, 0, ready), N, "all are ready: that is known without reading them");
    TAP_IS(fever_wait_one(ref[0], 0), 0, "one, too");
    struct fever_object_info info = {.struct_bytes = sizeof info};
    TAP_IS(fever_object_info(ref[0], &info), 0, "what it is");
    TAP_IS(info.bytes, BYTES, "and how large");
    TAP_IS(spill_books()->restored_objects, restored, "for that nothing is read back");

    TAP_IS(fever_get_raw(ref[0], room, BYTES + 1, 0, 60), -FEVER_ETYPE, "another size is an error");
    TAP_IS(fever_get_many_raw(ref, N, room, BYTES, 0, 60), 0, "get_many of more than the store has room for nearly");
    for (int i = 0; i < N; i++)
        wrong += spill_wrong((char *)room + (size_t)i * BYTES, BYTES, (uint64_t)i) != 0;
    TAP_IS(wrong, 0, "is right byte for byte");

    TAP_OK(push_out(ref, N), "they are on disk again");
    TAP_IS(taken(reads_three_remote(ref[0], ref[1], ref[2])), 0, "a task of three of them");
    TAP_IS(fever_put_with(ref, sizeof ref, ref, N, &container), 0, "a container of all");
    TAP_OK(push_out(ref, N), "they are on disk again");
    TAP_IS(taken(reads_inside_remote(container, N)), 0, "a task reads what is inside a container, one by one"); /* its views fit */
    TAP_OK(push_out(ref, 1), "it is on disk again");
    TAP_IS(fever_parts(ref[0], 7, part), 0, "parts of one");
    TAP_IS(fever_get_raw(part[3], room, BYTES / 7, 0, 60), 0, "the middle one");
    spill_fill((char *)room + MIB, BYTES, 0);
    TAP_IS(memcmp(room, (char *)room + MIB + BYTES / 7 * 3, BYTES / 7), 0, "is right");
    for (int i = 0; i < 7; i++)
        fever_release(part[i]);
    TAP_OK(push_out(ref, 1), "it is on disk again");
    TAP_IS(fever_save(ref[0], path, NULL, &saved), 0, "one is saved");
    struct fever_saved s = {0};
    TAP_IS(fever_take(saved, &s), 0, "to a file");
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    TAP_IS(pread(fd, room, BYTES, 0), (ssize_t)BYTES, "which has all of it");
    TAP_IS(spill_wrong(room, BYTES, 0), 0, "and is right");
    unlink(path);
    close(fd);

    TAP_OK(push_out(ref, 2), "two are on disk again");
    TAP_IS(fever_take_raw(ref[1], room, BYTES, 0, 60), 0, "take");
    TAP_IS(spill_wrong(room, BYTES, 1), 0, "is right");
    TAP_IS(fever_get_raw(ref[1], room, BYTES, 0, 0), 0, "the container has it still");
    fever_release(container);
    TAP_OK(becomes_stale(ref[1]), "and then nobody has");
    TAP_IS(fever_view_raw(ref[0], &v, &bytes, 60), 0, "a view");
    TAP_OK(bytes == BYTES && spill_wrong(v, BYTES, 0) == 0, "is right");
    for (int i = 0; i < N; i++)
        if (i != 1)
            fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    for (double end = rt_now() + RT_LONG; spill_books()->copy_bytes != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(spill_books()->copy_bytes, 0, "nothing is left on disk");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ many */

static fever_ref wanted;
static void     *read_it(void *arg)
{
    void *mine = malloc(BYTES);

    *(int *)arg = mine == NULL ? -1 : spill_read(wanted, mine, BYTES, 0);
    free(mine);
    return NULL;
}

/* Workers and threads of the driver want the same at once: it is read once. */
static void many_at_once(void)
{
    enum { THREADS = 4, WORKERS = 4 };
    fever_ref ref[2], done[WORKERS];
    pthread_t thread[THREADS];
    int       rc[THREADS], wrong = 0;

    begin();
    rt_init(.workers = WORKERS, .store_bytes = 4 * MIB);
    TAP_OK(put_away(ref, 2), "two objects are on disk");
    wanted = ref[0];
    uint64_t restored = spill_books()->restored_objects;
    set(NO_READS, 1);
    for (int i = 0; i < WORKERS; i++)
        done[i] = reads_remote(ref[0], 0);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, read_it, &rc[i]);
    TAP_OK(are_waiting(ref[0], THREADS + WORKERS), "four threads and four workers wait for the same one");
    set(NO_READS, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        wrong += rc[i] != 0;
    }
    for (int i = 0; i < WORKERS; i++)
        wrong += taken(done[i]) != 0;
    TAP_IS(wrong, 0, "all get it, byte for byte");
    TAP_IS(spill_books()->restored_objects - restored, 1, "it was read once");
    fever_release(ref[0]);
    fever_release(ref[1]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ no answer */

static bool is_soon(double begin) { return rt_now() - begin < RT_LONG; }

/* A wait with a timeout ends in time. */
static void timeouts(void)
{
    fever_ref   ref[2];
    const void *v;
    size_t      n;

    begin();
    rt_init(.workers = 1, .store_bytes = 4 * MIB);
    TAP_OK(put_away(ref, 2), "two objects are on disk");
    set(NO_READS, 1);
    double start = rt_now();
    TAP_IS(fever_get_raw(ref[0], room, BYTES, 0, 0), -FEVER_ETIMEDOUT, "get, at once");
    TAP_IS(fever_get_raw(ref[0], room, BYTES, 0, 0.05), -FEVER_ETIMEDOUT, "get, for a while");
    TAP_OK(rt_now() - start >= 0.05, "for so long");
    TAP_IS(fever_view_raw(ref[0], &v, &n, 0.05), -FEVER_ETIMEDOUT, "view");
    TAP_IS(fever_take_raw(ref[0], room, BYTES, 0, 0.05), -FEVER_ETIMEDOUT, "take, which takes nothing then");
    TAP_IS(fever_get_many_raw(ref, 2, room, BYTES, 0, 0.05), -FEVER_ETIMEDOUT, "get_many");
    TAP_OK(is_soon(start), "all of them end in time");
    TAP_IS(fv_load_acquire_64(&fv_self->proc->reading), 0, "and nothing is pinned");
    set(NO_READS, 0);
    TAP_IS(spill_read(ref[0], room, BYTES, 0), 0, "when the disk answers it is there");
    TAP_IS(spill_read(ref[1], room, BYTES, 1), 0, "and the other");
    fever_release(ref[0]);
    fever_release(ref[1]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* What waits for the disk can be cancelled, by force too, and its worker can die. */
static void cancelled(void)
{
    fever_ref ref[2];

    begin();
    rt_init(.workers = 2, .store_bytes = 4 * MIB);
    TAP_OK(put_away(ref, 2), "two objects are on disk");
    set(NO_READS, 1);
    for (int force = 0; force < 2; force++) {
        fever_ref task = reads_remote(ref[0], 0);

        TAP_OK(are_waiting(ref[0], 1), "a task waits for the disk");
        double start = rt_now();
        TAP_OK(fever_cancel(task, force ? FEVER_CANCEL_FORCE : 0) >= 0, "it is cancelled%s", force ? ", by force" : "");
        TAP_IS(taken(task), -FEVER_ECANCELED, "and ends as that");
        TAP_OK(is_soon(start), "at once");
        fever_release(task);
    }
    fever_ref task = reads_with(FEVER_WITH(.max_retries = 5), ref[1], 1);
    TAP_OK(are_waiting(ref[1], 1), "a task waits for the disk");
    for (uint32_t p = 1; p <= fv_rt.n_worker_slots; p++)
        if (fv_load_acquire_64(&fv_proc(p)->want[0]) == ref[1].id)
            kill((pid_t)fv_proc(p)->pid, SIGKILL);
    struct timespec some = {0, 20000000};
    nanosleep(&some, NULL);
    TAP_OK(are_waiting(ref[1], 1), "its worker dies, another waits");
    set(NO_READS, 0);
    TAP_IS(taken(task), 0, "and reads it");
    TAP_IS(spill_read(ref[0], room, BYTES, 0), 0, "the other is there as well");
    fever_release(ref[0]);
    fever_release(ref[1]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

FEVER_TASK(int, puts, (int, n))
{
    fever_ref r;
    int       rc = 0;

    atomic_fetch_add(&page[BEGUN], 1);
    for (int i = 0; i < n && rc == 0; i++)
        rc = spill_put(BYTES, (uint64_t)i, &r);
    return rc;
}

/* What waits for room, too. */
static void waits_for_room(void)
{
    fever_ref ref[4];
    int       n = 0;

    begin();
    rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_at = 100);
    for (; n < 4; n++)
        if (spill_put(BYTES, (uint64_t)n, &ref[n]) != 0)
            break;
    TAP_IS(n, 4, "the store is nearly full");
    set(NO_WRITES, 1);
    fever_ref task = puts_remote(8);
    TAP_OK(rt_until(&page[BEGUN], 1), "a task puts more");
    double end = rt_now() + RT_LONG;
    while (fv_load_acquire_64(&fv_proc(1)->room_wanted) == 0 && rt_now() < end)
        rt_nap();
    TAP_OK(fv_load_acquire_64(&fv_proc(1)->room_wanted) != 0, "and waits for room");
    double start = rt_now();
    TAP_OK(fever_cancel(task, 0) >= 0, "it is cancelled");
    TAP_IS(taken(task), -FEVER_ECANCELED, "and ends as that");
    TAP_OK(is_soon(start), "at once");
    fever_release(task);
    set(NO_WRITES, 0);
    TAP_IS(taken(puts_remote(8)), 0, "when the disk answers there is room");
    for (int i = 0; i < n; i++)
        TAP_IS(spill_read(ref[i], room, BYTES, (uint64_t)i), 0, "and nothing is lost");
    for (int i = 0; i < n; i++)
        fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* The end does not wait for the disk. */
static void end_meanwhile(void)
{
    fever_ref ref[2];

    for (int k = 0; k < 2; k++) {
        begin();
        rt_init(.workers = 1, .store_bytes = 4 * MIB);
        TAP_OK(put_away(ref, 2), "two objects are on disk");
        set(k == 0 ? NO_READS : NO_WRITES, 1);
        TAP_OK((k == 0 ? reads_remote(ref[0], 0) : puts_remote(16)).id != 0, "a task will wait for it");
        for (double end = rt_now() + RT_LONG; rt_now() < end; rt_nap())
            if (fv_load_acquire_64(&fv_proc(1)->want[0]) != 0 || fv_load_acquire_64(&fv_proc(1)->room_wanted) != 0)
                break;
        rt_shutdown();
    }
}

/* A slow disk: it takes longer, and that is all. */
static void slow_disk(void)
{
    enum { N = 9 };
    fever_ref ref[N], done[N];
    int       wrong = 0;

    begin();
    set(EACH_MS, 20);
    rt_init(.workers = 2, .store_bytes = 4 * MIB);
    for (int i = 0; i < N; i++)
        wrong += spill_put(BYTES, (uint64_t)i, &ref[i]) != 0;
    TAP_IS(wrong, 0, "a slow disk: more than the store has room for is put");
    for (int i = 0; i < N; i++)
        done[i] = reads_remote(ref[i], (uint64_t)i);
    for (int i = N; i-- > 0;)
        wrong += spill_read(ref[i], room, BYTES, (uint64_t)i) != 0;
    for (int i = 0; i < N; i++)
        wrong += taken(done[i]) != 0;
    TAP_IS(wrong, 0, "and read by tasks and by the program");
    for (int i = 0; i < N; i++)
        fever_release(ref[i]);
    rt_balanced(0);
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ ahead of need */

/* Whoever makes a task ready has what it will read brought in, while all workers are busy with something else. */
static void prefetched(void)
{
    fever_ref ref[1], signal, first, last;
    int       one = 1;

    begin();
    rt_init(.workers = 1, .store_bytes = 4 * MIB);
    TAP_OK(put_away(ref, 1), "an object is on disk");
    fever_ref worker = busy_remote(7);
    TAP_OK(rt_until(&page[BEGUN], 1), "the worker is busy");
    first = reads_remote(ref[0], 0);
    TAP_OK(becomes(ref[0], false), "what a new task will read is read back before it starts");
    set(GO, 1);
    TAP_IS(taken(first), 0, "and is right");
    TAP_IS(taken(worker), 7, "the worker goes on");

    set(GO, 0);
    TAP_IS(fever_promise(&signal), 0, "a promise");
    last = reads_later_remote(signal, ref[0], 0);
    for (double end = rt_now() + RT_LONG; rt_now() < end; rt_nap()) /* a worker has looked at it */
        if (fv_truth_state(fv_load_acquire_64(&fv_task(fv_ref_index(last.id))->truth)) == FV_BLOCKED)
            break;
    worker = busy_remote(8);
    TAP_OK(rt_until(&page[BEGUN], 2), "a task waits for it, and for the object; the worker is busy with another");
    TAP_OK(push_out(ref, 1), "the object goes to disk");
    uint64_t restored = spill_books()->restored_objects;
    TAP_IS(fever_promise_set(signal, &one, sizeof one), 0, "the promise is set");
    TAP_OK(becomes(ref[0], false), "what the task will read is read back before it starts");
    TAP_IS(spill_books()->restored_objects, restored + 1, "once");
    TAP_IS(atomic_load(&page[BEGUN]), 2, "it has not started");
    set(GO, 1);
    TAP_IS(taken(last), 0, "then it starts, and all is right");
    TAP_IS(taken(worker), 8, "the worker goes on");
    TAP_IS(spill_books()->restored_objects, restored + 1, "nothing was read twice");
    fever_release(signal);
    fever_release(ref[0]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ the keeper's holds */

struct pair {
    fever_ref object, gate; /* not awaited */
};
FEVER_TASK(int, does_nothing, (int, x))
{
    return x;
}
FEVER_TASK(int, submits_one, (struct pair, p))
{
    fever_ref task = does_nothing_with(FEVER_WITH(.after = (fever_ref[]){p.gate, p.object}, .n_after = 2), 1);
    return task.id >> 60 == FV_TAG_REF ? fever_release(task) : -1;
}
FEVER_TASK(int, puts_one, (uint64_t, bytes))
{
    fever_ref r;
    return spill_put(bytes, 5, &r);
}

static bool has_record(uint32_t slot, fever_ref ref)
{
    for (uint32_t i = 0, n = fv_holds_used(slot); i < n; i++)
        if (fv_load_acquire_64(&fv_holds_of(slot)[i]) == ref.id)
            return true;
    return false;
}
static bool record_becomes(uint32_t slot, fever_ref ref, bool there)
{
    for (double end = rt_now() + 2 * RT_LONG; has_record(slot, ref) != there; rt_nap())
        if (rt_now() > end)
            return false;
    return true;
}

/* What the supervisor holds when it forks the keeper is not the keeper's: what it writes stays until it has written it. */
static void keeper_holds(void)
{
    fever_ref object, gate;
    int       v = -1, one = 1;

    begin();
    rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_at = 100);
    TAP_IS(spill_put(BYTES, 3, &object), 0, "an object");
    TAP_IS(fever_promise(&gate), 0, "a promise");
    TAP_IS(fever_take(submits_one_with(FEVER_WITH(.max_calls = 1), (struct pair){object, gate}), &v), 0, "a task submits one that needs the object");
    TAP_OK(record_becomes(FV_SUPERVISOR, object, true), "its worker leaves; the supervisor holds the object");
    set(NO_WRITES, 1);
    fever_ref task = puts_one_remote(3 * MIB + MIB / 2);
    TAP_OK(record_becomes(fv_rt.keeper_slot, object, true), "the keeper is forked, and holds it for itself while it writes it");
    TAP_IS(fever_promise_set(gate, &one, sizeof one), 0, "what needed the object goes on");
    TAP_OK(record_becomes(FV_SUPERVISOR, object, false), "the supervisor lets go");
    TAP_IS(fever_release(object), 0, "and the driver");
    uint64_t t = fv_load_acquire_64(&fv_task(fv_ref_index(object.id))->truth);
    TAP_OK(fv_truth_gen(t) == fv_ref_gen(object.id) && fv_truth_state(t) == FV_DONE, "it stays while the keeper has it");
    set(NO_WRITES, 0);
    TAP_IS(taken(task), 0, "then there is room");
    fever_release(gate);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

static void *puts_one(void *arg)
{
    fever_ref *ref = arg;
    int        rc = spill_put(BYTES, 2, ref);

    set(GO, 1);
    return (void *)(intptr_t)rc;
}

/* Until the keeper has looked at what is wanted, and sleeps. */
static bool keeper_sleeps(void)
{
    for (double end = rt_now() + RT_LONG; rt_now() < end; rt_nap())
        if (fv_load_acquire_32(&fv_proc(fv_rt.keeper_slot)->parked) && !fv_load_acquire_32(&spill_books()->wanted))
            return true;
    return false;
}

/* The keeper has looked, and sleeps, before the supervisor has written down who it is: who asks meanwhile can ring nobody. */
static void asked_while_it_is_forked(void)
{
    fever_ref   held, other = FEVER_NULL_REF;
    const void *v;
    size_t      bytes;
    pthread_t   thread;
    void       *rc;

    begin();
    rt_init(.workers = 1, .store_bytes = MIB, .spill_at = 100, .fallback_bytes = 1);
    TAP_IS(spill_put(BYTES, 1, &held), 0, "an object that fills the store nearly");
    TAP_IS(fever_view_raw(held, &v, &bytes, 60), 0, "and is in use");
    set(SLOW_FORK, 1);
    TAP_IS(pthread_create(&thread, NULL, puts_one, &other), 0, "another is put: the keeper is forked");
    TAP_OK(rt_until(&page[FORKED], 1), "the supervisor is slow to go on");
    TAP_OK(keeper_sleeps(), "the keeper has looked, and sleeps");
    fv_store_ask(fv_self);
    set(SLOW_FORK, 0);
    TAP_OK(keeper_sleeps(), "it looks again, as it was asked");
    TAP_OK(rt_until(&page[GO], 1), "who puts has its answer");
    pthread_join(thread, &rc);
    TAP_IS((int)(intptr_t)rc, -FEVER_ESTOREFULL, "there is no room");
    TAP_IS(fever_view_end(held), 0, "the view ends");
    fever_release(held);
    rt_balanced(0);
    rt_shutdown();
}

int main(void)
{
    rt_begin(120);
    page = rt_shared(4096);
    room = malloc(16 * MIB);
    every_way();
    many_at_once();
    timeouts();
    cancelled();
    waits_for_room();
    end_meanwhile();
    slow_disk();
    prefetched();
    keeper_holds();
    asked_while_it_is_forked();
    return tap_done();
}
