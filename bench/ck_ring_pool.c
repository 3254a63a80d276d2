/* ck_ring_pool.c: peer "ck-ring", forked processes that spin on Concurrency Kit's MPMC ring.
 *
 * The floor, not an alternative: nothing sleeps, nothing survives a death (a process that dies
 * between reserving and committing an entry stops the ring for all), tasks have no slots, refs, errors
 * or retries.  Tasks travel by value in entries of 16 bytes; each worker counts in a line of its own.
 */
#include "bench.h"

#include <ck_ring.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_RING    65536u
#define POOL_WORKERS 256

struct task {
    long (*fn)(long);
    long arg;
};

CK_RING_PROTOTYPE(task, task)

static struct pool {
    ck_ring_t ring;
    struct {
        _Alignas(128) long n_done; /* written by this worker only */
        long result;
    } workers[POOL_WORKERS];
    _Alignas(128) struct task entries[POOL_RING];
} *pool;

static pid_t pids[POOL_WORKERS];
static int   n_workers;
static long  n_submitted;

static void work(int i) {
    long n = 0;
    bench_pin(i);
    for (;;) {
        struct task task;
        while (!ck_ring_dequeue_mpmc_task(&pool->ring, pool->entries, &task))
            bench_pause();
        pool->workers[i].result = task.fn(task.arg);
        __atomic_store_n(&pool->workers[i].n_done, ++n, __ATOMIC_RELEASE);
    }
}

static void pool_open(int workers) {
    if (workers > POOL_WORKERS)
        bench_skip("at most %d workers", POOL_WORKERS);
    pool = bench_shared(sizeof *pool);
    ck_ring_init(&pool->ring, POOL_RING);
    for (n_workers = 0; n_workers < workers; n_workers++) {
        pid_t pid = fork();
        if (pid < 0)
            bench_fail("fork: %s", strerror(errno));
        if (pid == 0) {
            bench_die_with_parent();
            work(n_workers);
        }
        pids[n_workers] = pid;
    }
}

static inline void pool_submit(long (*fn)(long), long arg) {
    struct task task = {.fn = fn, .arg = arg};
    while (!ck_ring_enqueue_mpmc_task(&pool->ring, pool->entries, &task))
        bench_pause();
    n_submitted++;
}

/* The result is that of the last task when it ran alone: the worker whose count moved wrote it. */
static long pool_wait(void) {
    static long seen[POOL_WORKERS];
    static long n_seen;
    static long result;
    while (n_seen < n_submitted) {
        for (int i = 0; i < n_workers; i++) {
            long n = __atomic_load_n(&pool->workers[i].n_done, __ATOMIC_ACQUIRE);
            if (n != seen[i]) {
                n_seen += n - seen[i];
                seen[i] = n;
                result = pool->workers[i].result;
            }
        }
    }
    return result;
}

static void pool_close(void) {
    for (int i = 0; i < n_workers; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
}

#define POOL_IMPL  "ck-ring"
#define POOL_CASES bench_cases_ck_ring
#include "pool_benches.h"
