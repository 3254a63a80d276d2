/* event_poll.c: the event loop over poll(2), for kernels and containers that forbid io_uring.
 *
 * Run by:          the thread that owns the loop.
 * Shared state:    none.
 * Not here:        rules of dispatch: event.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/base.h"
#include "base/clock.h"
#include "run/event_backend.h"

struct ready {
    int      fd;
    uint32_t stamp, events;
};

struct poll_state {
    struct pollfd *fds;
    struct ready  *ready; /* a copy of what is ready, as callbacks change fds */
    struct ready  *larger; /* takes its place at the next wait; NULL: none */
    int            n;
};

static int poll_open(void **state_out)
{
    struct poll_state *s = calloc(1, sizeof *s);

    if (s == NULL)
        return -ENOMEM;
    *state_out = s;
    return 0;
}

/* A callback that grows the ready list must not move the one that is being read: the larger one takes its place at the next
 * wait.  So only adding can run out of memory, never waiting. */
static int poll_reserve(void *state, int n_watches)
{
    struct poll_state *s = state;
    struct ready *larger = malloc((size_t)n_watches * sizeof *larger);
    struct pollfd *fds = larger == NULL ? NULL : realloc(s->fds, (size_t)n_watches * sizeof *fds);

    if (fds == NULL) {
        free(larger);
        return -ENOMEM;
    }
    s->fds = fds;
    free(s->larger);
    s->larger = larger;
    return 0;
}

static void poll_add(struct fv_loop *loop, void *state, int fd)
{
    struct poll_state *s = state;
    struct fv_watch *w = &loop->watches[fd];

    w->at = s->n++;
    s->fds[w->at] = (struct pollfd){.fd = fd, .events = (short)w->events};
}

static void poll_remove(struct fv_loop *loop, void *state, int fd)
{
    struct poll_state *s = state;
    int at = loop->watches[fd].at;

    s->fds[at] = s->fds[--s->n];
    loop->watches[s->fds[at].fd].at = at;
}

static int poll_wait(struct fv_loop *loop, void *state, uint64_t at_ns)
{
    struct poll_state *s = state;
    struct timespec ts = {0}, *limit = NULL;
    int n_ready, n = 0;

    if (s->larger != NULL) {
        free(s->ready);
        s->ready = s->larger;
        s->larger = NULL;
    }
    if (at_ns != 0) {
        uint64_t now = fv_now_ns();
        uint64_t left = at_ns > now ? at_ns - now : 0;

        ts = (struct timespec){.tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000)};
        limit = &ts;
    }
    n_ready = ppoll(s->fds, (nfds_t)s->n, limit, NULL);
    if (n_ready < 0)
        return -errno;
    for (int i = 0; i < s->n && n < n_ready; i++)
        if (s->fds[i].revents != 0)
            s->ready[n++] = (struct ready){s->fds[i].fd, loop->watches[s->fds[i].fd].stamp, (uint32_t)(unsigned short)s->fds[i].revents};
    for (int i = 0; i < n; i++)
        fv_loop_dispatch(loop, s->ready[i].fd, s->ready[i].stamp, s->ready[i].events);
    return 0;
}

static void poll_forget(void *state)
{
    (void)state;
}

static void poll_close(void *state)
{
    struct poll_state *s = state;

    free(s->fds);
    free(s->ready);
    free(s->larger);
    free(s);
}

const struct fv_backend fv_backend_poll = {
    .name = "poll",
    .open = poll_open,
    .reserve = poll_reserve,
    .add = poll_add,
    .remove = poll_remove,
    .wait = poll_wait,
    .close = poll_close,
    .forget = poll_forget,
};
