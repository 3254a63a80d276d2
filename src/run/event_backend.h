/* event_backend.h: what the event loop's two back ends share.
 *
 * Run by:          the thread that owns the loop.
 * Shared state:    none.
 * Not here:        what users of the loop see: run/event.h.
 *
 * The front (event.c) keeps one watch per descriptor, in an array indexed by it, and all rules of dispatch.  A back end
 * tells the kernel, waits, and says what is ready: it calls fv_loop_dispatch() with the stamp under which the
 * descriptor was armed; a stamp that is not the watch's any more means that it was removed meanwhile.
 */
#ifndef FV_EVENT_BACKEND_H
#define FV_EVENT_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "run/event.h"

struct fv_watch {
    fv_event_fn *fn; /* NULL: not watched */
    void        *arg;
    uint32_t     events;
    uint32_t     stamp;  /* differs for each time that the descriptor was added or armed */
    int          at;     /* poll: its index in the array given to poll(2) */
    bool         armed;  /* uring: the kernel has a request with this stamp */
    bool         queued; /* uring: in the list of what to arm */
};

struct fv_backend {
    const char *name;
    /* 0 or a negative errno value; *state_out is handed to the others */
    int (*open)(void **state_out);
    /* watches[fd] is filled in; room for n_watches is made beforehand */
    int (*reserve)(void *state, int n_watches);
    void (*add)(struct fv_loop *loop, void *state, int fd);
    /* watches[fd] still is as it was */
    void (*remove)(struct fv_loop *loop, void *state, int fd);
    /* sleeps until something is ready, at most until at_ns (0: for ever), and dispatches.  Returns 0 or a negative errno value */
    int (*wait)(struct fv_loop *loop, void *state, uint64_t at_ns);
    void (*close)(void *state);
    /* in a forked child: no allocator call, as the parent may have had threads */
    void (*forget)(void *state);
};

struct fv_loop {
    const struct fv_backend *backend;
    void                    *state;
    struct fv_watch         *watches;
    int                      n_watches; /* room */
    int                      n_watched;
    int                      n_called; /* callbacks made in this wait */
    uint64_t                 timer_ns; /* 0: none */
    fv_event_fn             *timer_fn;
    void                    *timer_arg;
};

/* Calls back, if the watch of fd is the one that was armed under this stamp. */
void fv_loop_dispatch(struct fv_loop *loop, int fd, uint32_t stamp, uint32_t events);

extern const struct fv_backend fv_backend_poll;
extern const struct fv_backend fv_backend_uring;

#endif
