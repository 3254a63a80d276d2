/* run/memory.c: private memory of workers: who is over the limit of its task, and whom to end when memory is short.
 *
 * Run by the supervisor.  Reads /proc and process slots; writes seg->monitor_sleeps only.  Deliberately not here: killing and what comes
 * after it (run/supervisor.c, core/sweep.c), the choice of the victim (policy/memory.c).
 *
 * The monitor looks every MONITOR_NS while anybody works, and not at all when all are idle: then it sleeps, and the first worker that wakes
 * rings the supervisor.  After it has ended somebody it gives the memory until the next look to come back.
 */
#include "run/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "core/task.h"
#include "plat/limits.h"
#include "plat/process.h"
#include "policy/memory.h"
#include "run/runtime.h"

#define MONITOR_NS  250000000ull
#define OOM_NS      1000000000ull /* one that the kernel killed is reaped by then */
#define WORTH_BYTES (8ull << 20) /* an idle worker with less than that to give is left alone */

struct seen {
    uint64_t task, since_ns;
};
static struct seen             *seen; /* by process slot: what ran there at the last look */
static struct fv_memory_worker *worker;
static bool                    *keeps; /* by process slot: not all that runs on its stack may be repeated */
static uint32_t                 slots;
static double                   most;
static uint64_t                 next_ns, looked_ns;
static uint64_t                 oom_kills; /* by the kernel, at the last look */
static bool                     spent; /* a task was ended at this look */

/* ------------------------------------------------------------------------------------------------ limits of tasks */

/* RLIMIT_DATA counts what is mapped, this what is resident: of what malloc rightly gives, a body may touch this much more than its limit,
 * where its process had mapped it before and not touched it yet (the rest of its heap, pages shared since the fork). */
#define MAPPED_BEFORE_BYTES (1ull << 20)

bool fv_memory_is_limited(uint32_t slot) { return fv_load_acquire_64(&fv_proc(slot)->memory_limit) != 0; }

bool fv_memory_is_over(uint32_t slot, pid_t pid, struct fv_overrun *overrun_out) {
    struct fv_proc *p = fv_proc(slot);
    uint64_t        limit = fv_load_acquire_64(&p->memory_limit), base = fv_load_relaxed_64(&p->memory_base);
    struct fv_overrun o = {.task = fv_load_relaxed_64(&p->memory_task), .limit = limit};
    struct fv_memory  m;
    if (limit == 0 || !fv_process_memory(pid, &m) || m.private_bytes <= base + limit + MAPPED_BEFORE_BYTES)
        return false;
    if (fv_load_acquire_64(&p->memory_limit) != limit || fv_load_relaxed_64(&p->memory_task) != o.task)
        return false; /* another one by now */
    o.used = m.private_bytes - base;
    *overrun_out = o;
    return true;
}

bool fv_memory_kernel_did_it(uint64_t now_ns) {
    static uint64_t unexplained, until_ns;
    uint64_t        n = fv_limits_oom_kills();
    if (n > oom_kills)
        unexplained = n - oom_kills, until_ns = now_ns + OOM_NS;
    oom_kills = n;
    if (unexplained == 0 || now_ns >= until_ns)
        return false;
    unexplained--;
    return true;
}

/* ------------------------------------------------------------------------------------------------ the monitor */

void fv_memory_watch(double threshold, uint32_t n_slots) {
    seen = calloc(n_slots + 1, sizeof *seen);
    worker = calloc(n_slots + 1, sizeof *worker);
    keeps = calloc(n_slots + 1, sizeof *keeps);
    slots = n_slots;
    oom_kills = fv_limits_oom_kills();
    most = seen == NULL || worker == NULL || keeps == NULL ? 0 : threshold;
    next_ns = most > 0 ? fv_now_ns() + MONITOR_NS : 0;
}

static bool works(uint32_t slot) {
    const struct fv_proc *p = fv_proc(slot);
    return fv_load_acquire_64(&p->current) != 0 || fv_load_relaxed_32(&p->wait_reason) == FV_WAIT_NOT;
}

static bool anybody_works(const pid_t *pid) {
    for (uint32_t s = 1; s <= slots; s++)
        if (pid[s] != 0 && works(s))
            return true;
    return false;
}

uint64_t fv_memory_next(void) {
    if (next_ns == 0 && most > 0 && !fv_load_acquire_32(&fv_map.seg->monitor_sleeps)) /* somebody has woken it */
        next_ns = fv_now_ns() + MONITOR_NS;
    return next_ns;
}

/* Notes where something runs that may not be repeated: one look at all slots for all workers. */
static void find_unrepeatable(void) {
    memset(keeps, 0, (slots + 1) * sizeof *keeps);
    FV_EACH_ACTIVE(p)
        for (uint32_t i = p << fv_map.shift, end = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < end; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            if (fv_truth_state(t) == FV_RUN && fv_truth_owner(t) <= slots && fv_task(i)->kind == FV_KIND_TASK &&
                fv_load_relaxed_8(&fv_task(i)->x) & FV_X_OPTIONS && fv_cold(i)->max_retries == 0)
                keeps[fv_truth_owner(t)] = true;
        }
}

/* How old is what runs there?  As old as it has been seen: a task that the last look did not see is younger than any that it saw. */
static void observe(const pid_t *pid, uint64_t now_ns) {
    for (uint32_t s = 1; s <= slots; s++) {
        uint64_t task = pid[s] == 0 ? 0 : fv_load_acquire_64(&fv_proc(s)->current);
        if (task != seen[s].task)
            seen[s] = (struct seen){task, now_ns};
    }
}

static uint32_t choose(const pid_t *pid, struct fv_overrun *overrun_out) {
    struct fv_memory own, m;
    uint64_t         fresh = fv_process_memory(0, &own) ? own.private_bytes : 0; /* what a fork of ours begins with */
    if (!spent)
        find_unrepeatable();
    for (uint32_t s = 1; s <= slots; s++) {
        worker[s] = (struct fv_memory_worker){.since_ns = seen[s].since_ns};
        if (pid[s] == 0 || !fv_process_memory(pid[s], &m))
            continue;
        uint64_t task = fv_load_acquire_64(&fv_proc(s)->current);
        worker[s].private_bytes = m.private_bytes - FV_MIN(m.private_bytes, fresh);
        worker[s].is_idle = task == 0 && !works(s);
        if (fv_load_relaxed_32(&fv_proc(s)->leave_wanted))
            worker[s].private_bytes = 0; /* asked already */
        worker[s].is_retriable = !spent && task != 0 && task == seen[s].task && !keeps[s];
    }
    uint32_t v = fv_memory_victim(worker + 1, slots, WORTH_BYTES);
    if (v == FV_NO_VICTIM)
        return 0;
    overrun_out->task = worker[v + 1].is_idle ? 0 : seen[v + 1].task;
    spent = true; /* what idle ones give back is to be seen before a task is ended */
    return v + 1;
}

uint32_t fv_memory_look(const pid_t *pid, uint64_t now_ns, struct fv_overrun *overrun_out) {
    static double used;
    if (fv_memory_next() == 0 || (now_ns < next_ns && now_ns != looked_ns))
        return 0;
    if (now_ns != looked_ns) {
        looked_ns = now_ns;
        next_ns = now_ns + MONITOR_NS;
        spent = false;
        if (!anybody_works(pid)) {
            /* ORDER monitor (seq_cst): monitor_sleeps before the last look who works.  Pairs with monitor (seq_cst) in the worker's
             * loop().  Losing it: nobody looks after memory until another worker wakes. */
            fv_fas_32(&fv_map.seg->monitor_sleeps, 1);
            if (!anybody_works(pid)) {
                next_ns = 0;
                return 0;
            }
            fv_store_release_32(&fv_map.seg->monitor_sleeps, 0);
        }
        observe(pid, now_ns);
        used = fv_limits_memory_used();
    }
    if (used < most)
        return 0;
    overrun_out->used = (uint64_t)(used * 1000);
    overrun_out->limit = (uint64_t)(most * 1000);
    return choose(pid, overrun_out);
}
