/* t_warm.c: the helper: memory ahead of demand, given back when there is too much, and the helper's death. */
#include "rt.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "shm/arena.h"
#include "shm/mapped.h"

#define MIB (1ull << 20)

/* The helper of the runtime that runs: pid, 0: none. */
static pid_t find_helper(void)
{
    DIR  *d = opendir("/proc");
    pid_t found = 0, super = (pid_t)fv_map.seg->supervisor_pid;

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[300], line[512] = "", name[32], state;
        int  ppid;
        FILE *f;

        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
        if ((f = fopen(path, "r")) == NULL)
            continue;
        if (fgets(line, sizeof line, f) != NULL && sscanf(line, "%*d (%31[^)]) %c %d", name, &state, &ppid) == 3 && ppid == super &&
            strcmp(name, "fever-helper") == 0 && state != 'Z' && state != 'X')
            found = (pid_t)atoi(e->d_name);
        fclose(f);
    }
    if (d != NULL)
        closedir(d);
    return found;
}

/* How often it has gone to sleep or was interrupted. */
static long switches(pid_t pid)
{
    char path[64], line[256];
    long sum = 0, n;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if ((f = fopen(path, "r")) == NULL)
        return -1;
    while (fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1 || sscanf(line, "nonvoluntary_ctxt_switches: %ld", &n) == 1)
            sum += n;
    fclose(f);
    return sum;
}

static uint64_t backed(void)
{
    uint64_t n = 0;

    for (uint32_t c = 0; c < fv_map.seg->n_chunks; c++)
        n += fv_load_relaxed_8(&fv_map.backed[c]);
    return n * FV_CHUNK_BYTES;
}
static uint64_t warm(void)
{
    uint64_t n = 0;

    for (uint32_t c = 0; c < fv_map.seg->n_chunks; c++) {
        uint64_t s = fv_load_relaxed_64(&fv_map.supers[c / FV_SUPER_CHUNKS]);

        if (fv_load_relaxed_8(&fv_map.backed[c]) && (s == 0 || (fv_word_kind(s) == FV_SUPER_SPLIT && fv_load_relaxed_64(&fv_map.chunks[c]) == 0)))
            n++;
    }
    return n * FV_CHUNK_BYTES;
}

/* Chunks in large blocks, looked at one by one. */
static uint32_t in_extents(void)
{
    uint32_t n = 0;

    for (uint32_t c = 0; c < fv_map.seg->n_chunks; c++) {
        uint64_t s = fv_load_relaxed_64(&fv_map.supers[c / FV_SUPER_CHUNKS]);

        n += fv_word_kind(s == 0 || fv_word_kind(s) == FV_CHUNK_EXTENT ? s : fv_load_relaxed_64(&fv_map.chunks[c])) == FV_CHUNK_EXTENT;
    }
    return n;
}

static bool becomes(uint64_t (*what)(void), uint64_t least, uint64_t most)
{
    for (double end = rt_now() + 4 * RT_LONG; rt_now() < end; rt_nap()) {
        uint64_t v = what();

        if (v >= least && v <= most)
            return true;
    }
    tap_diag("%.1f MiB, not %.1f to %.1f", (double)what() / MIB, (double)least / MIB, (double)most / MIB);
    return false;
}

static bool is_parked(void)
{
    for (double end = rt_now() + 2 * RT_LONG; rt_now() < end; rt_nap())
        if (fv_load_acquire_32(&fv_map.seg->warm.parked))
            return true;
    return false;
}

static char block[4 * MIB];

static fever_ref put(char mark)
{
    fever_ref ref = {0};

    memset(block, mark, sizeof block);
    if (fever_put(block, sizeof block, &ref) != 0)
        tap_diag("a put failed");
    return ref;
}
static bool is_whole(fever_ref ref, char mark)
{
    const char *view;
    size_t      bytes;

    memset(block, mark, sizeof block);
    return fever_view(ref, &view, &bytes) == 0 && bytes == sizeof block && memcmp(view, block, bytes) == 0;
}

static void test_ahead(void)
{
    fever_ref ref[12];
    int       bad = 0;

    rt_init(.workers = 1, .store_bytes = 96 * MIB, .store_warm = 16 * MIB, .store_keep = 24 * MIB);
    TAP_OK(becomes(warm, 16 * MIB, 20 * MIB), "so much is warm as was asked for, and hardly more");
    TAP_OK(is_parked(), "then the helper sleeps");
    pid_t helper = find_helper();
    long  slept = switches(helper);
    struct timespec some = {0, 300000000};
    nanosleep(&some, NULL);
    TAP_IS(switches(helper), slept, "and is not woken");
    kill((pid_t)fv_load_acquire_32(&fv_proc(1)->pid), SIGKILL);
    for (double end = rt_now() + 2 * RT_LONG; switches(helper) == slept && rt_now() < end;)
        rt_nap();
    TAP_OK(switches(helper) != slept, "but after a death it looks: who died may have been about to wake it");
    for (int i = 0; i < 12; i++) {
        ref[i] = put((char)('a' + i));
        bad += !becomes(warm, 11 * MIB, 24 * MIB);
    }
    TAP_IS(bad, 0, "what is used is warmed ahead of again, all but a quarter");
    TAP_OK(backed() >= 56 * MIB, "up to %d MiB", (int)(backed() / MIB));
    for (int i = 1; i < 12; i++)
        fever_release(ref[i]);
    TAP_OK(becomes(warm, 16 * MIB, 26 * MIB), "what is free and too much is given back");
    TAP_IS(fv_load_relaxed_32(&fv_map.seg->extent_chunks), in_extents(), "and is not counted as free twice");
    TAP_OK(is_whole(ref[0], 'a'), "what is in use stays");
    for (int i = 1; i < 12; i++)
        ref[i] = put((char)('A' + i));
    for (int i = 1; i < 12; i++)
        bad += !is_whole(ref[i], (char)('A' + i));
    TAP_IS(bad, 0, "and memory comes again");
    for (int i = 0; i < 12; i++)
        fever_release(ref[i]);
    rt_shutdown();
}

/* Killed again and again while it warms and gives back. */
static void test_killed(void)
{
    fever_ref ref[8];
    int       bad = 0, n = 0;

    rt_init(.workers = 1, .store_bytes = 96 * MIB, .store_warm = 2 * MIB, .store_keep = 4 * MIB);
    TAP_OK(becomes(warm, 2 * MIB, 8 * MIB), "a little is warm");
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++)
            ref[i] = put((char)('a' + i));
        for (int i = 0; i < 8; i++)
            bad += !is_whole(ref[i], (char)('a' + i));
        for (int i = 0; i < 8; i++)
            fever_release(ref[i]);
        pid_t helper = find_helper();
        struct timespec some = {1, round * 20000000};
        nanosleep(&some, NULL);
        if (helper != 0 && kill(helper, SIGKILL) == 0)
            n++;
        for (double end = rt_now() + RT_LONG; find_helper() == 0 || find_helper() == helper; rt_nap())
            if (rt_now() > end) {
                bad++;
                break;
            }
    }
    TAP_IS(bad, 0, "a helper that dies is replaced, %d times, and nothing is lost", n);
    TAP_OK(becomes(warm, 2 * MIB, 6 * MIB), "its successor does what it left");
    for (double end = rt_now() + RT_LONG; fv_arena_used_bytes() > MIB && rt_now() < end; rt_nap())
        ;
    TAP_OK(fv_arena_used_bytes() <= MIB, "nothing stays claimed");
    /* died with a super in its hands, and one that it wanted */
    uint32_t last = fv_map.seg->n_supers - 1;
    TAP_OK(fv_super_claim(last, FV_WARM_OWNER, fv_claim_word(FV_WARM_OWNER)), "claimed in its name");
    fv_map.supers[last - 1] = (uint64_t)FV_SUPER_SPLIT << 60 | (FV_WARM_OWNER + 1u);
    fv_extent_sweep(FV_WARM_OWNER);
    TAP_IS(fv_map.supers[last], 0, "is free after its death");
    TAP_IS(fv_map.supers[last - 1], (uint64_t)FV_SUPER_SPLIT << 60, "and so is the other");
    rt_shutdown();
}

static void test_options(void)
{
    rt_init(.workers = 1, .store_bytes = 64 * MIB, .store_warm = 32 * MIB, .store_keep = 1);
    TAP_IS(fv_rt.options.store_keep, 32 * MIB, "no less is kept than is warmed");
    TAP_OK(becomes(backed, 32 * MIB, 64 * MIB), "and that is there");
    rt_shutdown();
    rt_init(.workers = 1, .store_bytes = 64 * MIB);
    TAP_IS(fv_rt.options.store_keep, 16 * MIB, "by default a quarter");
    TAP_IS(find_helper(), 0, "no helper where nothing is to be warm");
    rt_shutdown();
}

/* ------------------------------------------------------------------------------------------------ 4 KiB pages */

#define WARM (32 * MIB)
#define HIGH (28 * MIB) /* of these at the high end, at least */

/* How many 4 KiB pages of the high end of the store this process has entries for; -1: that cannot be seen. */
static long entries(void)
{
    uint64_t from = (uint64_t)(uintptr_t)fv_map.base + fv_map.seg->bytes - HIGH, word;
    long     n = 0;
    int      fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    for (uint64_t k = 0; fd >= 0 && k < HIGH / 4096; k++) {
        if (pread(fd, &word, sizeof word, (off_t)((from / 4096 + k) * sizeof word)) != sizeof word) {
            n = -1;
            break;
        }
        n += (long)(word >> 63);
    }
    if (fd >= 0)
        close(fd);
    return fd < 0 ? -1 : n;
}

static long faults(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt;
}

FEVER_TASK(long, count_entries)
{
    return entries();
}
FEVER_TASK(long, nap_a_little)
{
    rt_nap();
    return 0;
}
/* How many faults a result of 4 MiB costs its worker. */
FEVER_TASK_BYTES(make_result)
{
    long  before = faults(), *at = fever_result(4 * MIB);

    if (at == NULL)
        return;
    memset(at, 1, 4 * MIB);
    *at = faults() - before;
}

static long ask(fever_ref ref)
{
    long n = -2;

    fever_get(ref, &n);
    fever_release(ref);
    return n;
}

#define PAGES (4 * MIB / 4096)
#ifdef __SANITIZE_ADDRESS__ /* which notes what it sees in memory of its own */
#define A_FEW ((long)PAGES * 3 / 4)
#else
#define A_FEW ((long)PAGES / 16)
#endif

static void test_small_pages(void)
{
    fever_ref   ref[4];
    long        n = 0, before;
    const long *view;
    size_t      bytes;

    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* children have it too */
    rt_init(.workers = 1, .store_bytes = 96 * MIB, .store_warm = WARM, .store_keep = 96 * MIB);
    TAP_OK(becomes(warm, WARM, WARM + 4 * MIB) && is_parked(), "so much is warm");
    if (entries() < 0 || !fv_load_relaxed_32(&fv_map.seg->warm.small_pages)) {
        tap_skip("pages are of 2 MiB all the same, or cannot be seen");
    } else {
        for (double end = rt_now() + 2 * RT_LONG; (n = entries()) < (long)(HIGH / 4096) && rt_now() < end;)
            ask(nap_a_little_remote());
        TAP_IS(n, HIGH / 4096, "a driver that waits maps what is warm meanwhile");
        memset(block, 'x', sizeof block);
        before = faults();
        for (int i = 0; i < 3; i++)
            fever_put(block, sizeof block, &ref[i]);
        n = faults() - before;
        TAP_OK(n < A_FEW, "its first puts fault hardly: %ld times for %d pages", n, (int)(3 * PAGES));
        for (double end = rt_now() + 2 * RT_LONG; (n = ask(count_entries_remote())) < (long)(HIGH / 4096) && rt_now() < end;)
            rt_nap();
        TAP_IS(n, HIGH / 4096, "a worker that has nothing to do, too");
        ref[3] = make_result_remote();
        TAP_IS(fever_view(ref[3], &view, &bytes), 0, "the first large result of a worker");
        TAP_OK(bytes == 4 * MIB && *view < A_FEW, "faults hardly: %ld times", *view);
        for (int i = 0; i < 4; i++)
            fever_release(ref[i]);
        /* nothing is mapped, and nobody had time for it: in few calls then */
        for (int round = 0; round < 2; round++) {
            madvise(fv_map.base + fv_map.seg->off_data, fv_map.seg->bytes - fv_map.seg->off_data, MADV_DONTNEED);
            if (round == 0)
                fv_mapped_forget();
            else
                fv_faa_32(&fv_map.seg->warm.given_back, 1);
            before = faults();
            fever_put(block, sizeof block, &ref[0]);
            n = faults() - before;
            TAP_OK(n < (long)PAGES * 3 / 4, "%s: %ld faults for %d pages", round == 0 ? "a put at once" : "after memory was given back", n, (int)PAGES);
            fever_release(ref[0]);
        }
    }
    rt_shutdown();
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
}

int main(void)
{
    rt_begin(120);
    test_small_pages();
    test_ahead();
    test_killed();
    test_options();
    return tap_done();
}
