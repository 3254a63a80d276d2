/* t_fallback.c: the store is full of what cannot leave it: what is new lies in a file then, and is an object as any other.
 *
 * Run by:          make check.  FEVER_TEST_LONG=1: in full size.
 */
#include "spill.h"

#include "shm/arena.h"

static uint64_t    unit = MIB / 8; /* "1 MB" */
static void       *room;
static atomic_int *page;

static const struct fever_task_options no_retry = {.struct_bytes = sizeof(struct fever_task_options), .max_retries = FEVER_NO_RETRY};

static uint64_t bytes_of_file(void) /* that the file system has set aside */
{
    struct stat st;

    return fv_map.file_fd >= 0 && fstat(fv_map.file_fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static bool is_in_file(const void *view)
{
    return fv_in_file((uint64_t)((const char *)view - fv_map.view));
}

/* Makes an object and keeps its view. */
static int hold(uint64_t bytes, uint64_t seed, fever_ref *ref_out, const void **view_out)
{
    int rc = spill_put(bytes, seed, ref_out);

    return rc != 0 ? rc : fever_view_raw(*ref_out, view_out, NULL, 60);
}

FEVER_TASK(int, reads, (fever_ref, r), (uint64_t, bytes), (uint64_t, seed))
{
    const void *v;
    size_t      n;
    int         rc = fever_view_raw(r, &v, &n, 60);

    return rc != 0 ? rc : n != bytes ? -1 : !is_in_file(v) ? -2 : spill_wrong(v, n, seed) != 0;
}
FEVER_TASK(int, writes, (fever_ref, r))
{
    const void *v;
    int         rc = fever_view_raw(r, &v, NULL, 60);

    if (rc == 0)
        *(volatile char *)(uintptr_t)v = 1;
    return rc;
}
struct big {
    char bytes[3 * MIB];
};
FEVER_TASK(struct big, results, (int, seed))
{
    struct big b;

    memset(&b, seed, sizeof b);
    return b;
}

/* Two held objects of 400 in a store of 700. */
static void two_held(void)
{
    fever_ref   ref[3];
    const void *view[3];
    int         v = -9;

    rt_init(.workers = 2, .store_bytes = 700 * unit, .max_spares = 4);
    TAP_IS(hold(400 * unit, 1, &ref[0], &view[0]), 0, "an object of 400 units in a store of 700 is held");
    TAP_IS(hold(400 * unit, 2, &ref[1], &view[1]), 0, "and a second one");
    TAP_OK(!is_in_file(view[0]) && is_in_file(view[1]), "that is in a file");
    TAP_IS(spill_books()->fallback_objects, 1, "one is counted");
    TAP_OK(fv_arena_file_bytes() >= 400 * unit && fv_arena_used_bytes() < 420 * unit, "as bytes of the fallback, not of the store");
    TAP_OK(bytes_of_file() >= 400 * unit, "their space is set aside on disk");
    TAP_IS(spill_wrong(view[0], 400 * unit, 1) + spill_wrong(view[1], 400 * unit, 2), 0, "both are right, byte for byte");
    TAP_IS(fever_take(reads_remote(ref[1], 400 * unit, 2), &v), 0, "a task sees the second one");
    TAP_IS(v, 0, "at the same place, and right");
    fever_ref writer = writes_with(&no_retry, ref[1]);
    TAP_IS(fever_get(writer, &v), -FEVER_ECRASHED, "it cannot be written to by a view");
    fever_release(writer);
    TAP_IS(spill_wrong(view[1], 400 * unit, 2), 0, "and has not been");
    TAP_IS(rt_validate(), 0, "the books are right");
    TAP_IS(fever_release(ref[1]), 0, "released");
    for (double end = rt_now() + RT_LONG; (bytes_of_file() != 0 || fv_arena_file_bytes() != 0) && rt_now() < end;)
        rt_nap();
    TAP_IS(fv_arena_file_bytes(), 0, "nothing is left in the file");
    TAP_IS(bytes_of_file(), 0, "and its space goes back to the file system");
    TAP_IS(hold(400 * unit, 3, &ref[1], &view[1]), 0, "another one is made there");
    TAP_IS(spill_wrong(view[1], 400 * unit, 3), 0, "and is right");
    TAP_IS(hold(250 * unit, 4, &ref[2], &view[2]), 0, "what fits the store");
    TAP_OK(!is_in_file(view[2]), "is in the store");
    for (int i = 0; i < 3; i++)
        fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* Results of tasks, created objects that are aborted, metadata. */
static void other_kinds(void)
{
    fever_ref   ref[2], r;
    const void *view;
    void       *at;
    struct big *b = room;

    rt_init(.workers = 1, .store_bytes = 8 * MIB);
    TAP_IS(hold(7 * MIB, 1, &ref[0], &view), 0, "nearly all of the store is held");
    r = results_remote(77);
    TAP_IS(fever_get_raw(r, b, sizeof *b, 0, 60), 0, "the result of a task");
    TAP_OK(b->bytes[0] == 77 && b->bytes[sizeof *b - 1] == 77, "is right");
    TAP_OK(fv_arena_file_bytes() >= sizeof *b, "and in the file");
    TAP_IS(fever_create_raw(2 * MIB, &at, &ref[1]), 0, "an object is created there");
    TAP_OK(fv_in_file((uint64_t)((char *)at - fv_map.base)), "by its writable address");
    TAP_IS(fever_abort(ref[1]), 0, "and aborted");
    TAP_IS(fever_release(ref[1]), 0, "and released");
    TAP_IS(fever_release(r), 0, "so is the result");
    fever_release(ref[0]);
    rt_balanced(0);
    for (double end = rt_now() + RT_LONG; fv_arena_file_bytes() != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(fv_arena_file_bytes(), 0, "nothing is left there");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* Until the file is full, too; and off. */
static void limits(void)
{
    static const struct {
        const char *dirs;
        uint64_t    bytes;
        int         held; /* objects of 1 MiB in a store of 4, at least */
    } c[] = {{NULL, 0, 11}, {NULL, 3 * MIB, 6}, {NULL, 1, 3}, {"none", 0, 3}, {"none", 64 * MIB, 3}, {"/nonexistent", 64 * MIB, 3}, {"/proc", 0, 3}};

    for (unsigned k = 0; k < sizeof c / sizeof c[0]; k++) {
        fever_ref   ref[20];
        const void *view[20];
        int         n = 0, rc = 0;
        size_t      wrong = 0;

        rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_dirs = c[k].dirs, .fallback_bytes = c[k].bytes);
        double begin = rt_now();
        while (n < 20 && (rc = hold(MIB - 4096, (uint64_t)n, &ref[n], &view[n])) == 0)
            n++;
        TAP_IS(rc, -FEVER_ESTOREFULL, "all is held (dirs %s, %llu bytes): the store is full", c[k].dirs != NULL ? c[k].dirs : "by default", (unsigned long long)c[k].bytes);
        TAP_OK(rt_now() - begin < 2 * RT_LONG, "that is said in bounded time");
        TAP_OK(n >= c[k].held && n <= c[k].held + 1, "with %d objects", n);
        for (int i = 0; i < n; i++)
            wrong += spill_wrong(view[i], MIB - 4096, (uint64_t)i);
        TAP_IS(wrong, 0, "which are right");
        TAP_IS(fever_release(ref[n - 1]), 0, "one is released");
        TAP_IS(hold(MIB - 4096, 50, &ref[n - 1], &view[n - 1]), 0, "then there is room again");
        for (int i = 0; i < n; i++)
            fever_release(ref[i]);
        rt_balanced(0);
        TAP_IS(rt_validate(), 0, "the books are right");
        rt_shutdown();
    }
    rt_init(.workers = 1, .store_bytes = 4 * MIB);
    fever_ref   r;
    const void *v;
    TAP_IS(spill_put(5 * MIB, 1, &r), -FEVER_ETOOBIG, "what is larger than the store is refused");
    TAP_IS(hold(4 * MIB - 8 * FV_CHUNK_BYTES, 1, &r, &v), 0, "the store is held");
    int small = 0;
    fever_ref s[2000];
    while (small < 2000 && fever_put(room, 20000, &s[small]) == 0)
        small++;
    TAP_OK(small < 30, "small blocks are never in the file: %d", small);
    rt_shutdown();
}

/* All that is on disk can be read while the store is held and the disk is full: through a part of the file that is kept for that. */
static void read_back_beside_held(void)
{
    enum { N = 6 };
    fever_ref   ref[N], held;
    const void *view, *one;
    int         wrong = 0;

    rt_init(.workers = 1, .store_bytes = 4 * MIB, .spill_limit = 8 * MIB, .fallback_bytes = MIB);
    for (unsigned i = 0; i < N; i++)
        wrong += spill_put(900000, i, &ref[i]) != 0;
    TAP_IS(wrong, 0, "5 MiB in a store of 4");
    TAP_IS(hold(3500000, 77, &held, &view), 0, "then nearly all of the store is held");
    for (unsigned k = 0; k < 3 * N; k++)
        wrong += spill_read(ref[k % N], room, 900000, k % N) != 0;
    TAP_IS(wrong, 0, "all others are read, one after the other");
    TAP_IS(fever_view_raw(ref[0], &one, NULL, 60), 0, "one is held, too");
    TAP_OK(is_in_file(one), "in the file");
    double begin = rt_now();
    TAP_IS(spill_read(ref[1], room, 900000, 1), -FEVER_ESTOREFULL, "then there is no room for a second one: an exact error");
    TAP_OK(rt_now() - begin < RT_LONG, "in bounded time");
    TAP_IS(spill_wrong(one, 900000, 0), 0, "the one that is held is right");
    TAP_IS(fever_view_end(ref[0]), 0, "it is let go");
    TAP_IS(spill_read(ref[1], room, 900000, 1), 0, "and the next one can be read");
    fever_release(held);
    for (unsigned i = 0; i < N; i++)
        wrong += spill_read(ref[i], room, 900000, i) != 0;
    TAP_IS(wrong, 0, "all are right in the end");
    for (unsigned i = 0; i < N; i++)
        fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

FEVER_TASK(int, holds_and_makes, (uint64_t, bytes), (int, number))
{
    fever_ref   r;
    void       *at;
    int         rc = fever_create_raw(bytes, &at, &r);

    if (rc != 0)
        return rc;
    spill_fill(at, bytes / 2, (uint64_t)number);
    atomic_fetch_add(&page[0], 1);
    if (number < 0)
        pause();
    spill_fill(at, bytes, (uint64_t)number);
    fever_seal(r);
    rc = spill_wrong(at, bytes, (uint64_t)number) != 0;
    fever_release(r);
    return rc;
}

/* Killed while they make objects in the file. */
static void makers_die(void)
{
    fever_ref   held, r;
    const void *view;
    int         v = -9, rounds = 6, bad = 0;

    rt_init(.workers = 2, .store_bytes = 4 * MIB, .max_spares = 0);
    TAP_IS(hold(3500000, 7, &held, &view), 0, "nearly all of the store is held");
    for (int i = 0; i < rounds; i++) {
        atomic_store(&page[0], 0);
        r = holds_and_makes_with(&no_retry, MIB, -1);
        bad += !rt_until(&page[0], 1);
        bad += fv_arena_file_bytes() < MIB;
        bad += fever_cancel(r, FEVER_CANCEL_FORCE) < 0;
        bad += fever_get(r, &v) != -FEVER_ECANCELED;
        fever_release(r);
        for (double end = rt_now() + RT_LONG; fv_arena_file_bytes() != 0 && rt_now() < end;)
            rt_nap();
        bad += fv_arena_file_bytes() != 0;
        bad += fever_take(holds_and_makes_remote(MIB, i), &v) != 0 || v != 0;
    }
    TAP_IS(bad, 0, "%d times a task is killed while it makes an object in the file: nothing is left of that", rounds);
    pid_t keeper = spill_keeper();
    TAP_OK(keeper > 0 && kill(keeper, SIGKILL) == 0, "the keeper is killed");
    TAP_IS(fever_take(holds_and_makes_remote(MIB, 3), &v), 0, "it goes on");
    TAP_IS(v, 0, "and is right");
    TAP_IS(spill_wrong(view, 3500000, 7), 0, "what is held is right");
    fever_release(held);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* What is said on standard error. */
static void said(void)
{
    char        line[4000] = "";
    fever_ref   ref[8];
    const void *view[8];
    int         pipe_fd[2], saved = dup(2), n = 0, rc = 0;

    if (pipe(pipe_fd) < 0 || dup2(pipe_fd[1], 2) < 0)
        tap_bail("no pipe");
    rc = fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 2 * MIB, .fallback_bytes = MIB, .log_to_driver = "direct"));
    while (n < 8 && rc == 0 && (rc = hold(900000, (uint64_t)n, &ref[n], &view[n])) == 0)
        n++;
    fever_shutdown();
    dup2(saved, 2);
    close(pipe_fd[1]);
    for (size_t at = 0; at < sizeof line - 1;) {
        ssize_t got = read(pipe_fd[0], line + at, sizeof line - 1 - at);

        if (got <= 0)
            break;
        at += (size_t)got;
    }
    TAP_OK(rc == -FEVER_ESTOREFULL && n == 3, "three objects are held, the fourth is refused");
    const char *first = strstr(line, "objects are kept in a file on disk");
    TAP_OK(first != NULL && strstr(first + 1, "objects are kept in a file on disk") == NULL, "once it says that there is a file, and what to do");
    const char *full = strstr(line, "the object store is full");
    TAP_OK(full != NULL && strstr(full, "being read by the program") != NULL && strstr(full, "fallback on disk") != NULL, "then that all is full, and who holds what");
    TAP_OK(full != NULL && (strstr(full, " at ") != NULL) && (strstr(full, "spill.h:") != NULL || strstr(full, "t_fallback+0x") != NULL),
           "and where that was made");
    tap_diag("%.600s", full != NULL ? full : line);
    close(pipe_fd[0]);
    close(saved);
}

int main(void)
{
    rt_begin(280);
    if (getenv("FEVER_TEST_LONG") != NULL)
        unit = MIB;
    room = malloc(8 * MIB);
    page = rt_shared(4096);
    two_held();
    other_kinds();
    limits();
    read_back_beside_held();
    makers_die();
    said();
    return tap_done();
}
