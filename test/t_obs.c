/* t_obs.c: the readers of obs/: what they say of a segment in a known state, and that no damage makes them crash. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "obs/read.h"
#include "plat/shmfile.h"
#include "tap.h"

#define HOME 2u /* process slot of the tasks */

static uint64_t random_state = 1;

static uint64_t random_word(void) { /* splitmix64 */
    uint64_t z = random_state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* A segment with a worker that runs task 0, task 1 that waits for it, object 2, and task 3 that failed. */
static int make_segment(void) {
    struct fv_segment_plan plan = {.n_procs = 8, .slab = 1024, .store_bytes = 1 << 20};
    char                   why[200] = "";
    bool                   is_memfd;
    int                    fd = -1;
    if (fv_shmfile_create("memfd", fv_segment_bytes(&plan), &fd, &is_memfd, why, sizeof why) < 0 || fv_segment_format(fd, &plan) < 0)
        tap_bail("no segment: %s", why);
    struct fv_segment *s = fv_map.seg;
    if (fv_segment_open_slot(1) < 0 || fv_segment_open_slot(HOME) < 0 || fv_shmfile_alloc(fd, 0, s->off_procs) < 0)
        tap_bail("no room");
    s->n_defs = 2;
    s->n_workers = 1;
    snprintf(s->name, sizeof s->name, "a test");
    snprintf(s->defs[1].name, sizeof s->defs[1].name, "work");
    snprintf(s->defs[1].file, sizeof s->defs[1].file, "work.c");
    s->defs[1].line = 7;
    uint32_t at = HOME << s->slab_shift;
    uint64_t first = fv_ref_make(at, 5);
    struct fv_proc *worker = fv_proc(1), *driver = fv_proc(HOME);
    worker->role = FV_ROLE_WORKER, worker->current = first, worker->counter[FV_C_done] = 3;
    driver->role = FV_ROLE_DRIVER, driver->counter[FV_C_done] = 4;
    fv_bit_set(s->active, 1);
    fv_bit_set(s->active, HOME);
    struct fv_task *t = fv_task(at);
    t[0] = (struct fv_task){.truth = fv_truth(5, 1, 0, FV_HELD, FV_RUN), .def = 1};
    t[1] = (struct fv_task){.truth = fv_truth(9, 1, 0, FV_HELD, FV_BLOCKED), .def = 1, .x = FV_X_REFS, .arg_bytes = 16, .args = {first, 12}};
    t[2] = (struct fv_task){.truth = fv_truth(9, 0, 0, FV_HELD | FV_SHARED, FV_DONE), .kind = FV_KIND_OBJECT, .x = FV_X_RESULT_BLOCK,
                            .result = {s->off_data, 5000}};
    fv_cold(at + 2)->count = 3ull << 32 | 77;
    struct fv_failure f = {.code = FEVER_ECRASHED, .signal = 11};
    t[3] = (struct fv_task){.truth = fv_truth(2, 0, 1, FV_HELD, FV_FAIL), .def = 1, .x = FV_X_FAILURE};
    memcpy(t[3].result, &f, sizeof f);
    return fd;
}

static void test_readers(int fd) {
    struct fv_obs       o;
    struct fv_obs_task  t;
    struct fv_proc      p;
    struct fever_error  e;
    char                text[200] = "";
    uint64_t            ids[4], sum[FV_N_COUNTERS];
    uint32_t            at = HOME << fv_map.seg->slab_shift;
    TAP_IS(fv_obs_open(dup(fd), &o, text, sizeof text), 0, "opens (%s)", text);
    TAP_OK(fv_obs_proc(&o, 1, &p) && p.role == FV_ROLE_WORKER, "a worker");
    TAP_OK(!fv_obs_proc(&o, 3, &p) && !fv_obs_proc(&o, 8, &p) && !fv_obs_proc(&o, ~0u, &p), "no process where there is none");
    TAP_OK(fv_obs_task(&o, at, &t) && t.state == FV_RUN, "a running task");
    TAP_TEXT(fv_obs_task_name(&o, &t), "work", "its name");
    TAP_TEXT(fv_obs_task_place(&o, &t, text, sizeof text), "work.c:7", "its place");
    TAP_OK(fv_obs_task(&o, at + 1, &t) && fv_obs_dependencies(&o, &t, ids, 4) == 1 && ids[0] == fv_ref_make(at, 5),
           "a waiting one's dependency: the ref, not the number beside it");
    TAP_OK(fv_obs_task(&o, at + 2, &t) && fv_obs_result_bytes(&t) == 5000 && fv_obs_holders(&t) == 4, "an object's size and holders");
    TAP_TEXT(fv_obs_task_name(&o, &t), "object", "an object is called so");
    TAP_OK(fv_obs_task(&o, at + 3, &t) && fv_obs_error(&o, &t, &e) && e.code == FEVER_ECRASHED && e.signal == 11, "an error without details");
    TAP_OK(!fv_obs_task(&o, at + 1024, &t) && !fv_obs_task(&o, ~0u, &t), "no task where no memory is");
    TAP_OK(!fv_obs_ref(&o, fv_ref_make(at, 6), &t) && !fv_obs_ref(&o, 12, &t), "a stale ref, no ref");
    fv_obs_counters(&o, sum);
    TAP_IS(sum[FV_C_done], 7, "counters are summed");
    struct fv_obs_store store;
    fv_obs_store(&o, &store);
    TAP_IS(store.used, 0, "an empty store");
    TAP_IS(store.largest_free, store.total, "in one piece");
    fv_obs_close(&o);
}

static void read_everything(struct fv_obs *o) {
    struct fv_proc     p;
    struct fv_obs_task t;
    struct fever_error e;
    uint64_t           ids[4], sum[FV_N_COUNTERS];
    char               text[200];
    for (uint32_t slot = 0; slot <= o->head->n_procs; slot++) {
        if (fv_obs_proc(o, slot, &p))
            (void)fv_obs_ref(o, p.current, &t);
        for (uint32_t i = 0, n = FV_MIN(fv_obs_slab(o, slot), 64u); i < n; i++)
            if (fv_obs_task(o, slot << o->head->slab_shift | i, &t)) {
                (void)strlen(fv_obs_task_name(o, &t));
                (void)fv_obs_task_place(o, &t, text, sizeof text);
                (void)fv_obs_dependencies(o, &t, ids, 4);
                (void)fv_obs_error(o, &t, &e);
                (void)fv_obs_holders(&t);
            }
    }
    fv_obs_counters(o, sum);
    struct fv_obs_store store;
    fv_obs_store(o, &store);
}

/* Damages a few words of what is read, reads everything, repairs. */
static void test_damage(int fd, int rounds, bool header) {
    struct { uint64_t *at, was; } damaged[40];
    struct fv_segment *s = fv_map.seg;
    char     *part[] = {(char *)s, (char *)fv_proc(1), (char *)fv_task(HOME << s->slab_shift), (char *)fv_cold(HOME << s->slab_shift)};
    size_t    bytes[] = {offsetof(struct fv_segment, idle), 2 * sizeof(struct fv_proc), 64 * sizeof(struct fv_task), 64 * 64};
    char      why[200];
    int       n_open = 0;
    for (int round = 0; round < rounds; round++) {
        int n = 1 + (int)(random_word() % 40);
        for (int i = 0; i < n; i++) {
            unsigned k = header && i == 0 ? 0 : 1 + (unsigned)(random_word() % 3);
            size_t   reach = k == 0 && random_word() % 2 ? offsetof(struct fv_segment, dispatch) : bytes[k]; /* what is checked stands first */
            uint64_t r = random_word(), *w = (uint64_t *)(void *)part[k] + random_word() % (reach / 8);
            damaged[i].at = w, damaged[i].was = *w;
            *w = r % 4 == 0 ? r : r % 4 == 1 ? *w ^ 1ull << (r >> 8) % 64 : r % 4 == 2 ? 0 : ~0ull >> (r >> 8) % 64;
        }
        struct fv_obs o;
        if (fv_obs_open(dup(fd), &o, why, sizeof why) == 0) {
            n_open++;
            read_everything(&o);
        }
        fv_obs_close(&o);
        for (int i = n; i-- > 0;)
            *damaged[i].at = damaged[i].was;
    }
    if (!header)
        TAP_IS(n_open, rounds, "damage behind the header: read all the same");
    else
        TAP_OK(n_open > 0 && n_open < rounds, "a damaged header: %d of %d times refused", rounds - n_open, rounds);
}

int main(void) {
    int           fd = make_segment();
    struct fv_obs o;
    char          why[200] = "";
    test_readers(fd);
    test_damage(fd, 500, false);
    test_damage(fd, 500, true);
    fv_map.seg->layout_version++;
    TAP_OK(fv_obs_open(dup(fd), &o, why, sizeof why) < 0 && strstr(why, "layout") != NULL, "another layout: %s", why);
    int other = memfd_create("other", 0);
    TAP_OK(fv_obs_open(other, &o, why, sizeof why) < 0 && o.head == NULL, "no segment: %s", why);
    return tap_done();
}
