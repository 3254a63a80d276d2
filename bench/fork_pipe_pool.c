/* fork_pipe_pool.c: peer "fork-pipe", forked processes fed through pipes.
 *
 * One pipe of requests per worker, filled in turn, one write a task; one pipe of replies for all.  A
 * worker takes as many requests as one read gives and answers them with one reply.  The submitter's
 * end of the requests does not block: when a pipe is full it reads replies, so that the two
 * directions cannot wait for each other.  A worker's death is seen as an end of file, not handled.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POOL_WORKERS 256
#define POOL_BATCH   256 /* requests in one read, at most: 4 KiB */

struct request {
    long (*fn)(long);
    long arg;
};

struct reply {
    long n_done;
    long result; /* of the last one */
};

static int   request_fds[POOL_WORKERS];
static pid_t pids[POOL_WORKERS];
static int   reply_fd;
static int   n_workers, next_worker;
static long  n_pending;
static long  last_result;

static void work(int in, int out) {
    struct request batch[POOL_BATCH];
    for (;;) {
        ssize_t got = read(in, batch, sizeof batch);
        if (got <= 0 || (size_t)got % sizeof batch[0] != 0)
            _exit(got != 0);
        struct reply reply = {.n_done = (long)((size_t)got / sizeof batch[0])};
        for (long i = 0; i < reply.n_done; i++)
            reply.result = batch[i].fn(batch[i].arg);
        if (write(out, &reply, sizeof reply) != (ssize_t)sizeof reply)
            _exit(1);
    }
}

static void pool_open(int workers) {
    int replies[2];
    if (workers > POOL_WORKERS)
        bench_skip("at most %d workers", POOL_WORKERS);
    if (pipe(replies) != 0)
        bench_fail("pipe: %s", strerror(errno));
    reply_fd = replies[0];
    for (n_workers = 0; n_workers < workers; n_workers++) {
        int requests[2];
        if (pipe(requests) != 0)
            bench_fail("pipe: %s", strerror(errno));
        pid_t pid = fork();
        if (pid < 0)
            bench_fail("fork: %s", strerror(errno));
        if (pid == 0) {
            bench_die_with_parent();
            for (int i = 0; i < n_workers; i++)
                close(request_fds[i]);
            close(requests[1]);
            close(replies[0]);
            bench_pin(n_workers);
            work(requests[0], replies[1]);
        }
        close(requests[0]);
        fcntl(requests[1], F_SETFL, O_NONBLOCK);
        request_fds[n_workers] = requests[1];
        pids[n_workers] = pid;
    }
    close(replies[1]);
}

static void read_replies(void) {
    struct reply replies[64];
    ssize_t      got = read(reply_fd, replies, sizeof replies);
    if (got <= 0)
        bench_fail("replies ended");
    for (size_t i = 0; i < (size_t)got / sizeof replies[0]; i++) {
        n_pending -= replies[i].n_done;
        last_result = replies[i].result;
    }
}

static void wait_for_room(int fd) {
    struct pollfd fds[2] = {{.fd = fd, .events = POLLOUT}, {.fd = reply_fd, .events = POLLIN}};
    if (poll(fds, 2, -1) > 0 && (fds[1].revents & POLLIN) != 0)
        read_replies();
}

static inline void pool_submit(long (*fn)(long), long arg) {
    struct request request = {.fn = fn, .arg = arg};
    int            fd = request_fds[next_worker];
    if (++next_worker == n_workers)
        next_worker = 0;
    while (write(fd, &request, sizeof request) != (ssize_t)sizeof request) {
        if (errno != EAGAIN)
            bench_fail("write: %s", strerror(errno));
        wait_for_room(fd);
    }
    n_pending++;
}

static long pool_wait(void) {
    while (n_pending > 0)
        read_replies();
    return last_result;
}

static void pool_close(void) {
    for (int i = 0; i < n_workers; i++)
        close(request_fds[i]);
    for (int i = 0; i < n_workers; i++)
        waitpid(pids[i], NULL, 0);
}

#define POOL_IMPL  "fork-pipe"
#define POOL_CASES bench_cases_fork_pipe
#include "pool_benches.h"
