/* event_uring.c: the event loop over io_uring.  No other file but plat/fileio.c includes liburing.
 *
 * Run by:          the thread that owns the loop.
 * Shared state:    the ring, with the kernel.
 * If it dies here: the kernel cancels what is pending when the last copy of the ring's descriptor is closed; hence
 *                  fv_loop_forget_in_child().
 * Not here:        rules of dispatch: event.c.
 *
 * Each watch is one oneshot POLL_ADD, armed again after its callback: that is level-triggered, as the kernel looks at
 * the state when it arms.  What is to be armed goes in with the next wait, in the same system call.  The time limit is
 * the wait's own (no request of its own that could be stale).  Queue overflow is the kernel's business (NODROP).
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"
#include "base/clock.h"
#include "run/event_backend.h"

#define MOST_ENTRIES 64 /* more would count against RLIMIT_MEMLOCK before Linux 5.12 and again since 6.14 */
#define NO_WATCH     LIBURING_UDATA_TIMEOUT /* completions that are nobody's: liburing marks its own timeouts so, too */

struct uring_state {
    struct io_uring ring;
    bool            is_private; /* children have the descriptor, and no mapping */
    int            *to_arm; /* descriptors, each at most once */
    int             n_to_arm;
};

/* One request there and back: a sandbox may allow set-up and forbid use. */
static int try_ring(struct io_uring *ring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    struct io_uring_cqe *cqe;
    int rc;

    io_uring_prep_nop(sqe);
    do
        rc = io_uring_submit_and_wait(ring, 1);
    while (rc == -EINTR);
    if (rc < 0)
        return rc;
    rc = io_uring_peek_cqe(ring, &cqe);
    if (rc == 0)
        io_uring_cqe_seen(ring, cqe);
    return rc;
}

static int uring_open(void **state_out)
{
    const unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG; /* Linux 5.11 */
    struct uring_state *s = calloc(1, sizeof *s);
    int rc = -ENOMEM;

    if (s == NULL)
        return -ENOMEM;
    for (unsigned entries = MOST_ENTRIES; entries >= 4; entries /= 2) {
        rc = io_uring_queue_init(entries, &s->ring, 0);
        if (rc != -ENOMEM)
            break;
    }
    if (rc != 0) {
        free(s);
        return rc;
    }
    rc = (s->ring.features & needed) == needed ? try_ring(&s->ring) : -ENOSYS;
    if (rc != 0) {
        io_uring_queue_exit(&s->ring);
        free(s);
        return rc;
    }
    s->is_private = io_uring_ring_dontfork(&s->ring) == 0;
    *state_out = s;
    return 0;
}

static int uring_reserve(void *state, int n_watches)
{
    struct uring_state *s = state;
    int *to_arm = realloc(s->to_arm, (size_t)n_watches * sizeof *to_arm);

    if (to_arm == NULL)
        return -ENOMEM;
    s->to_arm = to_arm;
    return 0;
}

static void queue_arm(struct fv_loop *loop, struct uring_state *s, int fd)
{
    struct fv_watch *w = &loop->watches[fd];

    if (!w->queued) {
        w->queued = true;
        s->to_arm[s->n_to_arm++] = fd;
    }
}

static void uring_add(struct fv_loop *loop, void *state, int fd)
{
    loop->watches[fd].armed = false;
    queue_arm(loop, state, fd);
}

static uint64_t watch_key(int fd, uint32_t stamp)
{
    return (uint64_t)stamp << 32 | (uint32_t)fd;
}

/* A free submission entry; submits what is queued when there is none.  NULL: the kernel takes nothing at the moment. */
static struct io_uring_sqe *get_sqe(struct uring_state *s)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&s->ring);

    if (sqe == NULL) {
        io_uring_submit(&s->ring);
        sqe = io_uring_get_sqe(&s->ring);
    }
    return sqe;
}

/* At once, as the request holds the file: a socket would not close.  Its answer and the removed one's find no watch. */
static void uring_remove(struct fv_loop *loop, void *state, int fd)
{
    struct uring_state *s = state;
    struct fv_watch *w = &loop->watches[fd];
    struct io_uring_sqe *sqe;

    if (!w->armed)
        return;
    w->armed = false;
    sqe = get_sqe(s);
    if (sqe == NULL) /* stays until it fires, and is then dropped by its stamp */
        return;
    io_uring_prep_poll_remove(sqe, watch_key(fd, w->stamp));
    io_uring_sqe_set_data64(sqe, NO_WATCH);
    io_uring_submit(&s->ring);
}

/* Puts a request for each descriptor of the list into the queue; what finds no room stays in the list. */
static void arm_all(struct fv_loop *loop, struct uring_state *s)
{
    int n_left = 0;

    for (int i = 0; i < s->n_to_arm; i++) {
        int fd = s->to_arm[i];
        struct fv_watch *w = &loop->watches[fd];
        struct io_uring_sqe *sqe;

        if (w->fn == NULL || w->armed) {
            w->queued = false;
            continue;
        }
        sqe = get_sqe(s);
        if (sqe == NULL) {
            s->to_arm[n_left++] = fd;
            continue;
        }
        io_uring_prep_poll_add(sqe, fd, w->events);
        io_uring_sqe_set_data64(sqe, watch_key(fd, ++w->stamp));
        w->armed = true;
        w->queued = false;
    }
    s->n_to_arm = n_left;
}

static void take_cqe(struct fv_loop *loop, struct uring_state *s, uint64_t key, int res)
{
    int fd = (int)(uint32_t)key;
    uint32_t stamp = (uint32_t)(key >> 32);
    struct fv_watch *w;

    if (key == NO_WATCH || fd < 0 || fd >= loop->n_watches)
        return;
    w = &loop->watches[fd];
    if (w->fn == NULL || !w->armed || w->stamp != stamp)
        return;
    w->armed = false;
    queue_arm(loop, s, fd);
    if (res == -EBADF)
        fv_loop_dispatch(loop, fd, stamp, POLLNVAL);
    else if (res > 0)
        fv_loop_dispatch(loop, fd, stamp, (uint32_t)res);
    /* else: the kernel could not, at the moment; armed again by the next wait */
}

static int uring_wait(struct fv_loop *loop, void *state, uint64_t at_ns)
{
    struct uring_state *s = state;
    struct __kernel_timespec ts = {0}, *limit = NULL;
    struct io_uring_cqe *cqe;
    bool none = true;
    int rc;

    arm_all(loop, s);
    if (at_ns != 0) {
        uint64_t now = fv_now_ns();
        uint64_t left = at_ns > now ? at_ns - now : 0;

        ts = (struct __kernel_timespec){.tv_sec = (int64_t)(left / 1000000000), .tv_nsec = (int64_t)(left % 1000000000)};
        limit = &ts;
    }
    if (s->n_to_arm > 0) { /* not all is armed: do not sleep on the rest for long */
        static struct __kernel_timespec soon = {.tv_nsec = 1000000};

        if (limit == NULL || ts.tv_sec > 0 || ts.tv_nsec > soon.tv_nsec)
            limit = &soon;
    }
    rc = limit != NULL ? io_uring_submit_and_wait_timeout(&s->ring, &cqe, 1, limit, NULL) : io_uring_submit_and_wait(&s->ring, 1);
    if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EBUSY && rc != -EAGAIN)
        return rc;
    /* A callback may submit, but nothing is armed again before the next wait, so this ends. */
    while (io_uring_peek_cqe(&s->ring, &cqe) == 0) {
        uint64_t key = cqe->user_data;
        int res = cqe->res;

        io_uring_cqe_seen(&s->ring, cqe);
        take_cqe(loop, s, key, res);
        none = false;
    }
    /* A call that has submitted something says so, and not that a signal or the time limit ended its wait. */
    if (none && rc > 0 && (at_ns == 0 || fv_now_ns() < at_ns))
        return -EINTR;
    return rc == -EINTR ? -EINTR : 0;
}

/* Unmaps and closes the child's copies; asks the kernel for nothing on the ring itself, and allocates nothing. */
static void uring_forget(void *state)
{
    struct uring_state *s = state;

    if (s->is_private)
        close(s->ring.ring_fd);
    else
        io_uring_queue_exit(&s->ring);
}

static void uring_close(void *state)
{
    struct uring_state *s = state;

    io_uring_queue_exit(&s->ring);
    free(s->to_arm);
    free(s);
}

const struct fv_backend fv_backend_uring = {
    .name = "uring",
    .open = uring_open,
    .reserve = uring_reserve,
    .add = uring_add,
    .remove = uring_remove,
    .wait = uring_wait,
    .close = uring_close,
    .forget = uring_forget,
};
