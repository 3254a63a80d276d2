/* event.c: the event loop's front: watches, the timer, rules of dispatch.
 *
 * Run by:          the thread that owns the loop (the supervisor's only one).
 * Shared state:    none.
 * If it dies here: the kernel cancels what is pending.
 * Not here:        system calls of waiting: event_uring.c, event_poll.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/clock.h"
#include "fever.h"
#include "run/event_backend.h"

#define FIRST_WATCHES 64

static int open_backend(struct fv_loop *loop, const struct fv_backend *backend)
{
    loop->backend = backend;
    return backend->open(&loop->state);
}

int fv_loop_open(const char *which, struct fv_loop **loop_out)
{
    const bool any = strcmp(which, "auto") == 0;
    struct fv_loop *loop;
    int rc;

    if (!any && strcmp(which, "uring") != 0 && strcmp(which, "poll") != 0)
        return -FEVER_EOPTION;
    loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;
    rc = open_backend(loop, strcmp(which, "poll") == 0 ? &fv_backend_poll : &fv_backend_uring);
    if (rc != 0 && any)
        rc = open_backend(loop, &fv_backend_poll);
    if (rc != 0) {
        free(loop);
        return rc;
    }
    *loop_out = loop;
    return 0;
}

const char *fv_loop_name(const struct fv_loop *loop)
{
    return loop->backend->name;
}

static int make_room(struct fv_loop *loop, int fd)
{
    int n = FV_MAX(loop->n_watches, FIRST_WATCHES);
    struct fv_watch *watches;
    int rc;

    while (n <= fd)
        n *= 2;
    if (n == loop->n_watches)
        return 0;
    rc = loop->backend->reserve(loop->state, n);
    if (rc != 0)
        return rc;
    watches = realloc(loop->watches, (size_t)n * sizeof *watches);
    if (watches == NULL)
        return -ENOMEM;
    memset(watches + loop->n_watches, 0, (size_t)(n - loop->n_watches) * sizeof *watches);
    loop->watches = watches;
    loop->n_watches = n;
    return 0;
}

int fv_loop_add(struct fv_loop *loop, int fd, uint32_t poll_events, fv_event_fn *fn, void *arg)
{
    struct fv_watch *w;
    int rc;

    FV_CHECK(fn != NULL, -FEVER_EBUG);
    if (fd < 0 || fcntl(fd, F_GETFD) < 0)
        return -EBADF;
    rc = make_room(loop, fd);
    if (rc != 0)
        return rc;
    w = &loop->watches[fd];
    if (w->fn != NULL)
        return -EEXIST;
    w->fn = fn;
    w->arg = arg;
    w->events = poll_events;
    w->stamp++;
    loop->n_watched++;
    loop->backend->add(loop, loop->state, fd);
    return 0;
}

int fv_loop_remove(struct fv_loop *loop, int fd)
{
    struct fv_watch *w;

    if (fd < 0 || fd >= loop->n_watches || loop->watches[fd].fn == NULL)
        return -ENOENT;
    w = &loop->watches[fd];
    loop->backend->remove(loop, loop->state, fd);
    w->fn = NULL;
    w->stamp++;
    loop->n_watched--;
    return 0;
}

void fv_loop_timer(struct fv_loop *loop, uint64_t at_ns, fv_event_fn *fn, void *arg)
{
    loop->timer_ns = at_ns;
    loop->timer_fn = fn;
    loop->timer_arg = arg;
}

void fv_loop_dispatch(struct fv_loop *loop, int fd, uint32_t stamp, uint32_t events)
{
    struct fv_watch w;

    if (fd < 0 || fd >= loop->n_watches)
        return;
    w = loop->watches[fd]; /* a copy: the callback may make the array grow */
    if (w.fn == NULL || w.stamp != stamp)
        return;
    loop->n_called++;
    w.fn(w.arg, fd, events);
}

static void fire_timer(struct fv_loop *loop)
{
    if (loop->timer_ns == 0 || fv_now_ns() < loop->timer_ns)
        return;
    loop->timer_ns = 0; /* first: the callback may set it again */
    loop->n_called++;
    loop->timer_fn(loop->timer_arg, -1, 0);
}

int fv_loop_wait(struct fv_loop *loop)
{
    if (loop->n_watched == 0 && loop->timer_ns == 0)
        return -EDEADLK;
    loop->n_called = 0;
    do { /* once more when all that came was of watches that had been removed, or the kernel's timer was early */
        int rc = loop->backend->wait(loop, loop->state, loop->timer_ns);

        if (rc == -EINTR && loop->n_called == 0)
            return 0;
        if (rc != 0 && rc != -EINTR)
            return rc;
        fire_timer(loop);
    } while (loop->n_called == 0);
    return loop->n_called;
}

void fv_loop_close(struct fv_loop *loop)
{
    if (loop == NULL)
        return;
    loop->backend->close(loop->state);
    free(loop->watches);
    free(loop);
}

void fv_loop_forget_in_child(struct fv_loop *loop)
{
    if (loop != NULL)
        loop->backend->forget(loop->state);
}
