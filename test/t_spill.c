/* t_spill.c: more data than the store has room for: written to disk, read back, byte for byte.
 *
 * Run by:          make check.  FEVER_TEST_LONG=1: in full size.
 */
#include "spill.h"

static void *room;
static bool  is_long;

FEVER_TASK(int, reads, (fever_ref, r), (uint64_t, bytes), (uint64_t, seed))
{
    const void *v;
    size_t      n;
    int         rc = fever_view_raw(r, &v, &n, 60);

    return rc != 0 ? rc : n != bytes ? -1 : spill_wrong(v, n, seed) != 0;
}
FEVER_TASK(fever_ref, makes, (uint64_t, bytes), (uint64_t, seed))
{
    fever_ref r = FEVER_NULL_REF;
    int       rc = spill_put(bytes, seed, &r);

    if (rc != 0)
        fever_fail(-rc, "no object");
    return r;
}

/* More than fits, a small store. */
static void small_store(void)
{
    fever_ref ref[20];
    int       wrong = 0, failed = 0;

    rt_init(.workers = 1, .store_bytes = MIB);
    for (unsigned i = 0; i < 20; i++)
        failed += spill_put(200000, i, &ref[i]) != 0;
    TAP_IS(failed, 0, "20 objects of 200 kB are put into a store of 1 MiB");
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < 20; i++)
            wrong += spill_read(ref[i], room, 200000, i) != 0;
    TAP_IS(wrong, 0, "and read three times, byte for byte");
    TAP_OK(spill_books()->spilled_objects >= 15 && spill_books()->restored_objects >= 40, "by way of the disk: %llu written, %llu read back",
           (unsigned long long)spill_books()->spilled_objects, (unsigned long long)spill_books()->restored_objects);
    TAP_OK(spill_books()->spilled_objects <= 20, "none is written twice");
    TAP_IS(fever_create_raw(2 * MIB, &(void *){0}, &(fever_ref){0}), -FEVER_ETOOBIG, "what is larger than the store is refused");
    for (unsigned i = 0; i < 20; i++)
        TAP_IS(fever_release(ref[i]), 0, "release");
    TAP_IS(rt_validate(), 0, "the books are right");
    for (double end = rt_now() + RT_LONG; spill_books()->copy_bytes != 0 && rt_now() < end;)
        rt_nap();
    TAP_IS(spill_books()->copy_bytes, 0, "no room on disk is taken any more");
    rt_balanced(0);
    rt_shutdown();
}

/* 100 objects of 8 to 24 MiB through 75 MiB, or an eighth of that. */
static void many_through_little(void)
{
    enum { N = 100 };
    uint64_t  unit = is_long ? MIB : MIB / 8, seed = 7, reads = 0;
    fever_ref ref[N];
    size_t    bytes[N];
    int       wrong = 0, failed = 0;

    rt_init(.workers = 2, .store_bytes = 75 * unit);
    for (unsigned i = 0; i < N; i++) {
        bytes[i] = 8 * unit + spill_random(&seed) % (16 * unit) + 3;
        failed += spill_put(bytes[i], i, &ref[i]) != 0;
    }
    TAP_IS(failed, 0, "100 objects of 8 to 24 units go through a store of 75");
    uint64_t before = spill_books()->restored_objects;
    for (unsigned k = 0; k < 1000; k++) {
        unsigned i = (unsigned)(spill_random(&seed) % N);

        wrong += spill_read(ref[i], room, bytes[i], i) != 0;
        reads++;
    }
    TAP_IS(wrong, 0, "1000 random reads are right byte for byte");
    TAP_OK(spill_books()->restored_objects - before <= reads, "at most one is read back for each");
    TAP_OK(spill_books()->spilled_objects <= N, "none is written twice");
    for (unsigned i = 0; i < N; i++)
        fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* Bodies and the program at once. */
static void read_by_all(void)
{
    enum { N = 40 };
    fever_ref ref[N], done[N * 4];
    int       wrong = 0, made = 0;
    uint64_t  seed = 99;

    rt_init(.workers = 3, .store_bytes = 8 * MIB);
    for (unsigned i = 0; i < N; i++)
        made += spill_put(700000 + i, i, &ref[i]) == 0;
    TAP_IS(made, N, "27 MiB are put into a store of 8");
    for (unsigned i = 0; i < N * 4; i++) {
        unsigned k = (unsigned)(spill_random(&seed) % N);

        done[i] = reads_remote(ref[k], 700000 + k, k);
    }
    for (unsigned i = 0; i < N * 4; i++) {
        unsigned k = (unsigned)(spill_random(&seed) % N);

        wrong += spill_read(ref[k], room, 700000 + k, k) != 0;
    }
    TAP_IS(wrong, 0, "the program reads them while tasks do");
    for (unsigned i = 0; i < N * 4; i++) {
        int v = -77, rc = fever_take(done[i], &v);

        if (rc != 0 || v != 0)
            tap_diag("%u: rc %d value %d", i, rc, v);
        wrong += rc != 0 || v != 0;
    }
    TAP_IS(wrong, 0, "and so do tasks");
    for (unsigned i = 0; i < N; i++)
        fever_release(ref[i]);
    rt_balanced(0);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_shutdown();
}

/* What tasks make goes as well. */
static void made_by_tasks(void)
{
    enum { N = 30 };
    fever_ref made[N], inner[N];
    int       wrong = 0;

    rt_init(.workers = 2, .store_bytes = 6 * MIB);
    for (unsigned i = 0; i < N; i++)
        made[i] = makes_remote(900000, i);
    for (unsigned i = 0; i < N; i++) {
        int rc = fever_get(made[i], &inner[i]), made_rc = rc;

        if (rc == 0)
            rc = spill_read(inner[i], room, 900000, i);
        if (rc != 0)
            tap_diag("%u: %s%s", i, made_rc != 0 ? "making it: " : "", fever_strerror(rc));
        wrong += rc != 0;
    }
    TAP_IS(wrong, 0, "26 MiB that tasks made, in a store of 6");
    for (unsigned i = 0; i < N; i++) {
        fever_release(made[i]);
        fever_release(inner[i]);
    }
    rt_shutdown();
}

/* Two held ones that do not fit together. */
static void two_large_ones(void)
{
    size_t    bytes = 400000000;
    uint64_t  need = 1300000000;
    fever_ref a, b;
    FILE     *f = fopen("/proc/meminfo", "r");
    char      line[128];
    unsigned long long kib = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL && sscanf(line, "MemAvailable: %llu", &kib) != 1)
        ;
    if (f != NULL)
        fclose(f);
    if (kib * 1024 < 2 * need || fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 700000000, .quiet = 1)) != 0) {
        tap_diag("SKIP two objects of 400 MB in a store of 700 MB: too little memory");
        return;
    }
    void *large = malloc(bytes);
    int   rc = spill_put(bytes, 1, &a);
    if (rc == 0)
        rc = spill_put(bytes, 2, &b);
    TAP_IS(rc, 0, "two objects of 400 MB in a store of 700 MB");
    if (rc == 0 && large != NULL) {
        TAP_IS(spill_read(a, large, bytes, 1), 0, "the first one is right");
        TAP_IS(spill_read(b, large, bytes, 2), 0, "the second one is right");
        TAP_IS(spill_read(a, large, bytes, 1), 0, "the first one once more");
    }
    free(large);
    rt_shutdown();
}

/* Nobody asks for room: above the mark it is written all the same. */
static void ahead_of_need(void)
{
    fever_ref ref[14];
    uint64_t  used = 0;

    rt_init(.workers = 1, .store_bytes = 16 * MIB, .spill_at = 50);
    for (unsigned i = 0; i < 14; i++)
        TAP_IS(spill_put(MIB, i, &ref[i]), 0, "put");
    for (double end = rt_now() + RT_LONG; rt_now() < end; rt_nap())
        if ((used = rt_stats().store_used_bytes) <= 8 * MIB + MIB / 2)
            break;
    TAP_OK(used <= 8 * MIB + MIB / 2, "with 14 of 16 MiB used and the mark at 50 %% the store is emptied to that: %llu bytes", (unsigned long long)used);
    rt_shutdown();
}

static int count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int  n = 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        closedir(d);
    return n;
}

/* The end comes while objects are being written. */
static void end_while_spilling(void)
{
    int before = count_fds(), failed = 0;

    for (unsigned k = 0; k < 8; k++) {
        fever_ref r;

        failed += fever_init(FEVER_OPTIONS(.quiet = 1, .workers = 1, .store_bytes = 8 * MIB, .spill_at = 30)) != 0;
        pid_t group = fv_rt.supervisor_pid;
        for (unsigned i = 0; i < 7 + k; i++)
            failed += spill_put(MIB, i, &r) != 0;
        failed += fever_shutdown() != 0;
        failed += rt_group_ends(group, RT_LONG) != 0;
    }
    TAP_IS(failed, 0, "a runtime ends while it writes objects, 8 times, and no process is left");
    TAP_IS(count_fds(), before, "no descriptor either");
}

int main(void)
{
    is_long = getenv("FEVER_TEST_LONG") != NULL;
    rt_begin(280);
    room = malloc(32 * MIB);
    small_store();
    many_through_little();
    read_by_all();
    for (int i = 0; i < (is_long ? 500 : 10); i++) /* it failed in 1 of 50: free chunks, and nothing that could go */
        made_by_tasks();
    ahead_of_need();
    end_while_spilling();
    two_large_ones();
    return tap_done();
}
