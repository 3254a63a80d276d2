/* t_tsan.c: the parts that processes share, run by threads of one process, so that ThreadSanitizer sees them.
 *
 * Run by:          make check, make check-tsan.
 *
 * A segment in private memory, a process slot for each thread: owners submit, put and release, others claim, complete, steal.
 * What a worker process does beyond that (fork, supervisor, recovery) is not here.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "core/task.h"
#include "fever.h"
#include "tap.h"

enum { OWNERS = 2, WORKERS = 2, ROUNDS = 4000, FIRST = 1 };

static struct fv_self self_of[8];
static atomic_int     owners_left;
static uint64_t       ring_sum, deque_sum;

static void run_nothing(const void *args, void *result) { (void)args, (void)result; }
static const uint16_t one_ref[] = {0};
static struct fever_def plain = {.magic = FEVER_DEF_MAGIC, .name = "plain", .file = "t_tsan.c", .args_bytes = 8, .result_bytes = 8,
                                 .n_params = 1, .ref_offsets = (const uint16_t[]){FEVER_NOT_A_REF}, .run = run_nothing, .id = 1};
static struct fever_def awaits = {.magic = FEVER_DEF_MAGIC, .name = "awaits", .file = "t_tsan.c", .args_bytes = 8, .result_bytes = 8,
                                  .n_params = 1, .has_refs = 1, .ref_offsets = one_ref, .run = run_nothing, .id = 2};

static struct fv_self *come(uint32_t slot)
{
    struct fv_self *self = &self_of[slot];

    fv_self = self;
    return self;
}

static void open_slots(uint32_t n)
{
    for (uint32_t p = 0; p < n; p++) {
        if (fv_segment_open_slot(p) != 0 || fv_self_init(&self_of[p], p, p > OWNERS) != 0)
            tap_bail("no slot");
        fv_proc(p)->role = p > OWNERS ? FV_ROLE_WORKER : FV_ROLE_DRIVER;
        fv_bit_set(fv_map.seg->active, p);
    }
    /* In the runtime each process has its own table of who is at home in it; here all threads share one.  Holds of other
     * homes are therefore counted as of one's own process, which is what several threads of a driver do. */
}

static bool ended(uint64_t id)
{
    uint32_t index = 0;
    uint64_t t = 0;

    return fv_ref_check(id, &index, &t) == 0 && fv_state_is_complete(fv_truth_state(t));
}

static uint64_t submit(struct fv_self *self, struct fever_def *def, uint64_t arg, uint64_t group)
{
    struct fv_submission s = {.def = (uint16_t)def->id, .flags = FV_HELD, .args = &arg, .arg_bytes = 8, .max_retries = -1,
                              .refs = def->has_refs ? &arg : NULL, .n_refs = def->has_refs, .n_deps = def->has_refs,
                              .inline_refs = def->has_refs != 0};
    uint64_t id = 0;

    (void)group;
    while (fv_task_submit(self, &s, &id) == -FEVER_ENOSLOTS)
        fv_pause();
    fv_task_hint(self, fv_ref_index(id));
    return id;
}

/* submit, chain, await by bell, read, release; blocks of all sizes */
static void *owner(void *arg)
{
    struct fv_self *self = come((uint32_t)(uintptr_t)arg);
    uintptr_t bad = 0;

    for (uint64_t i = 1; i <= ROUNDS; i++) {
        uint64_t a = submit(self, &plain, i, 0), b = submit(self, &awaits, a, 0);

        bad += fv_unhold(self, a) != 0;
        for (uint32_t seen = fv_bell_read(self->proc); !ended(b); seen = fv_bell_read(self->proc))
            if (i % 16 == 0) {
                if (fv_task_announce_wait(self, fv_ref_index(b), fv_ref_gen(b)))
                    fv_bell_wait(self->proc, seen, 1000000);
            } else {
                fv_pause();
            }
        bad += fv_task(fv_ref_index(b))->result[0] != i + 2;
        bad += fv_unhold(self, b) != 0;
        if (i % 4 == 0) {
            uint64_t bytes = i * 37 % 70000 + 1, offset = fv_arena_alloc(&self->heap, FV_NO_ROOT - 1 - self->slot, (uint32_t)i, bytes);

            bad += offset == 0;
            if (offset != 0) {
                memset(fv_at(offset), (int)i, bytes);
                fv_arena_free(&self->heap, offset, bytes, FV_NO_ROOT - 1 - self->slot, (uint32_t)i);
            }
        }
    }
    atomic_fetch_sub(&owners_left, 1);
    return (void *)bad;
}

static bool run_one(struct fv_self *self, uint32_t hint)
{
    struct fv_task *task = fv_task(hint);
    uint32_t failed = 0;
    uint64_t v = 0;

    if (!fv_task_claim(self, hint))
        return false;
    if (task->x & FV_X_REFS) {
        if (fv_task_resolve(self, hint, &failed) != 1)
            return true;
        v = fv_task(fv_ref_index(task->args[0]))->result[0] + 1;
    } else {
        v = task->args[0] + 1;
    }
    task->result_bytes = 8;
    task->result[0] = v;
    fv_task_complete(self, hint, FV_DONE);
    return true;
}

/* from the owners' rings, its own deque (dependents that it unblocked), and other workers' deques */
static void *worker(void *arg)
{
    struct fv_self *self = come((uint32_t)(uintptr_t)arg);
    uintptr_t n = 0;

    while (atomic_load(&owners_left) > 0) {
        uint32_t hint[4];
        bool     any = false;

        if (fv_deque_pop(self->proc, fv_queue_of(self->slot), fv_map.ring_mask, &hint[0]))
            n += any = run_one(self, hint[0]);
        for (uint32_t p = 1; p < FIRST + OWNERS; p++) {
            uint32_t k = fv_ring_pop_spmc(&fv_proc(p)->ring, fv_queue_of(p), fv_map.ring_mask, hint, 4, WORKERS);

            for (uint32_t i = 0; i < k; i++)
                n += any |= run_one(self, hint[i]);
        }
        for (uint32_t p = FIRST + OWNERS; p < FIRST + OWNERS + WORKERS; p++)
            if (p != self->slot && fv_deque_steal(fv_proc(p), fv_queue_of(p), fv_map.ring_mask, &hint[0]))
                n += any |= run_one(self, hint[0]);
        if (!any)
            fv_pause();
    }
    return (void *)n;
}

static uint32_t crowd(void *(*even)(void *), void *(*odd)(void *))
{
    pthread_t t[OWNERS + WORKERS];
    uint32_t  bad = 0;

    for (uint32_t i = 0; i < OWNERS + WORKERS; i++)
        pthread_create(&t[i], NULL, i < OWNERS ? even : odd, (void *)(uintptr_t)(FIRST + i));
    for (uint32_t i = 0; i < OWNERS + WORKERS; i++) {
        void *result = NULL;

        pthread_join(t[i], &result);
        if (i < OWNERS)
            bad += (uint32_t)(uintptr_t)result;
    }
    return bad;
}

/* the queues alone: every hint is taken once */
enum { HINTS = 30000 };
static atomic_uchar   taken[HINTS];
static atomic_int     n_taken;

static void *pushes(void *arg)
{
    struct fv_self *self = come((uint32_t)(uintptr_t)arg);
    uint32_t hint;

    if (self->slot != FIRST)
        return NULL;
    for (uint32_t i = 0; i < HINTS; i++) {
        while (!fv_deque_push(self->proc, fv_queue_of(self->slot), fv_map.ring_mask, i))
            fv_pause();
        if (i % 3 == 0 && fv_deque_pop(self->proc, fv_queue_of(self->slot), fv_map.ring_mask, &hint)) {
            atomic_fetch_add(&taken[hint], 1);
            atomic_fetch_add(&n_taken, 1);
        }
    }
    return NULL;
}

static void *steals(void *arg)
{
    uint32_t hint;

    come((uint32_t)(uintptr_t)arg);
    while (atomic_load(&n_taken) < HINTS)
        if (fv_deque_steal(fv_proc(FIRST), fv_queue_of(FIRST), fv_map.ring_mask, &hint)) {
            atomic_fetch_add(&taken[hint], 1);
            atomic_fetch_add(&n_taken, 1);
        }
    return NULL;
}

/* bells: two threads wake each other */
static atomic_int turn;
static void *pings(void *arg)
{
    struct fv_self *self = come((uint32_t)(uintptr_t)arg);
    struct fv_self *other = &self_of[self->slot ^ 3]; /* 1 and 2 */

    if (self->slot > 2)
        return NULL;
    for (int i = 0; i < 500; i++) {
        for (;;) {
            uint32_t seen = fv_bell_read(self->proc);

            if (atomic_load(&turn) % 2 == (int)self->slot % 2)
                break;
            fv_bell_wait(self->proc, seen, 5000000000);
        }
        atomic_fetch_add(&turn, 1);
        fv_bell_ring(other->proc);
    }
    return NULL;
}
static void *idles(void *arg)
{
    come((uint32_t)(uintptr_t)arg);
    return NULL;
}

int main(void)
{
    struct fv_segment_plan plan = {.n_procs = 8, .slab = 1024, .store_bytes = 32 << 20};

    TAP_IS(fv_segment_format(-1, &plan), 0, "a segment in private memory");
    fv_map.seg->gen_base = 1;
    fv_map.seg->n_workers = WORKERS;
    fv_map.seg->need_fence = 1;
    fv_map.seg->spin_ns = 1000;
    fv_defs[1] = &plain;
    fv_defs[2] = &awaits;
    open_slots(FIRST + OWNERS + WORKERS);
    atomic_store(&owners_left, OWNERS);
    TAP_IS(crowd(owner, worker), 0, "%d owners and %d workers, %d rounds", OWNERS, WORKERS, ROUNDS);
    for (uint32_t p = 0; p < FIRST + OWNERS + WORKERS; p++)
        fv_home_reap(&self_of[p]);
    TAP_IS(fv_validate(stdout, true), 0, "nothing is left, nothing leaks");
    uint64_t sum[FV_N_COUNTERS] = {0};
    for (uint32_t p = 0; p < FIRST + OWNERS + WORKERS; p++)
        for (unsigned c = 0; c < FV_N_COUNTERS; c++)
            sum[c] += fv_proc(p)->counter[c];
    TAP_IS(sum[FV_C_submitted], 2 * OWNERS * ROUNDS, "all were submitted");
    TAP_IS(sum[FV_C_done], 2 * OWNERS * ROUNDS, "all are done");
    crowd(pushes, steals);
    int once = 0;
    for (int i = 0; i < HINTS; i++)
        once += taken[i] == 1;
    TAP_IS(once, HINTS, "each of %d hints was popped or stolen once", HINTS);
    crowd(pings, idles);
    TAP_IS(atomic_load(&turn), 1000, "500 wakes each way");
    fv_self = NULL;
    (void)ring_sum;
    (void)deque_sum;
    for (uint32_t p = 0; p < FIRST + OWNERS + WORKERS; p++)
        fv_self_fini(&self_of[p]);
    fv_segment_unmap();
    return tap_done();
}
