/* mutex_pool.h: a pool around one mutex, three condition variables and a ring, as one writes it.
 *
 * Included by pthread_pool.c (workers are threads) and fork_mutex_pool.c (workers are processes, and
 * the pool lies in memory shared with them), which define MUTEX_POOL_FORK as 0 or 1 and POOL_IMPL and
 * POOL_CASES as pool_benches.h wants them.  Not crash-safe: a worker that dies with the mutex held
 * stops the pool.
 */
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_RING    65536u
#define POOL_WORKERS 256

struct pool_task {
    long (*fn)(long);
    long arg;
};

static struct pool {
    pthread_mutex_t  mutex;
    pthread_cond_t   work, space, done;
    unsigned         head, tail; /* next to take, next to fill; tail - head are queued */
    unsigned         idle;       /* workers that wait for work */
    bool             full;       /* the submitter waits for space */
    long             pending;    /* submitted and not done */
    long             result;     /* of the task done last */
    struct pool_task ring[POOL_RING];
} *pool;

static pid_t pool_pids[POOL_WORKERS];
static int   pool_n;

static void pool_work(int i) {
    bench_pin(i);
    pthread_mutex_lock(&pool->mutex);
    for (;;) {
        while (pool->head == pool->tail) {
            pool->idle++;
            pthread_cond_wait(&pool->work, &pool->mutex);
            pool->idle--;
        }
        struct pool_task task = pool->ring[pool->head++ % POOL_RING];
        if (pool->full) {
            pool->full = false;
            pthread_cond_signal(&pool->space);
        }
        pthread_mutex_unlock(&pool->mutex);
        long result = task.fn(task.arg);
        pthread_mutex_lock(&pool->mutex);
        pool->result = result;
        if (--pool->pending == 0)
            pthread_cond_signal(&pool->done);
    }
}

static void *pool_thread(void *arg) {
    pool_work((int)(intptr_t)arg);
    return NULL;
}

static void pool_open(int workers) {
    pthread_mutexattr_t ma;
    pthread_condattr_t  ca;
    int                 shared = MUTEX_POOL_FORK ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE;
    if (workers > POOL_WORKERS)
        bench_skip("at most %d workers", POOL_WORKERS);
    pool = bench_shared(sizeof *pool);
    pthread_mutexattr_init(&ma);
    pthread_mutexattr_setpshared(&ma, shared);
    pthread_mutex_init(&pool->mutex, &ma);
    pthread_condattr_init(&ca);
    pthread_condattr_setpshared(&ca, shared);
    pthread_cond_init(&pool->work, &ca);
    pthread_cond_init(&pool->space, &ca);
    pthread_cond_init(&pool->done, &ca);
    for (pool_n = 0; pool_n < workers; pool_n++) {
        if (MUTEX_POOL_FORK) {
            pid_t pid = fork();
            if (pid < 0)
                bench_fail("fork failed");
            if (pid == 0) {
                bench_die_with_parent();
                pool_work(pool_n);
            }
            pool_pids[pool_n] = pid;
        } else {
            pthread_t thread;
            if (pthread_create(&thread, NULL, pool_thread, (void *)(intptr_t)pool_n) != 0)
                bench_fail("pthread_create failed");
        }
    }
}

static inline void pool_submit(long (*fn)(long), long arg) {
    pthread_mutex_lock(&pool->mutex);
    while (pool->tail - pool->head == POOL_RING) {
        pool->full = true;
        pthread_cond_wait(&pool->space, &pool->mutex);
    }
    pool->ring[pool->tail++ % POOL_RING] = (struct pool_task){.fn = fn, .arg = arg};
    pool->pending++;
    bool wake = pool->idle > 0;
    pthread_mutex_unlock(&pool->mutex);
    if (wake)
        pthread_cond_signal(&pool->work);
}

static long pool_wait(void) {
    pthread_mutex_lock(&pool->mutex);
    while (pool->pending > 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    long result = pool->result;
    pthread_mutex_unlock(&pool->mutex);
    return result;
}

/* Threads end with the child process, which runs one pool only. */
static void pool_close(void) {
    for (int i = 0; MUTEX_POOL_FORK && i < pool_n; i++) {
        kill(pool_pids[i], SIGKILL);
        waitpid(pool_pids[i], NULL, 0);
    }
}

#include "pool_benches.h"
