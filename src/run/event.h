/* event.h: the event loop of the supervisor (and of nothing else).
 *
 * Run by:          one thread of the process that opened it.
 * Shared state:    none.  A forked child must call fv_loop_forget_in_child(): through an io_uring descriptor that it
 *                  inherited it could submit on its parent's behalf.
 * If it dies here: the kernel cancels what is pending.
 * Not here:        file I/O.
 *
 * Readiness is level-triggered: a descriptor that stays ready is reported by each wait.  A callback may add and remove
 * any descriptor, its own included, and set the timer; it may not wait or close.  A descriptor is to be removed before
 * it is closed.
 */
#ifndef FV_EVENT_H
#define FV_EVENT_H

#include <stdint.h>

struct fv_loop;

/* events: POLLIN, POLLOUT, POLLHUP, POLLERR ... as from poll(2).  The timer's callback gets fd -1 and events 0. */
typedef void fv_event_fn(void *arg, int fd, uint32_t events);

/* which: "uring", "poll", or "auto": io_uring if it can be had, else poll.  Returns 0, -FEVER_EOPTION for another
 * word, or a negative errno value. */
int fv_loop_open(const char *which, struct fv_loop **loop_out);

/* "uring" or "poll" */
const char *fv_loop_name(const struct fv_loop *loop);

/* Returns 0, -EBADF, -EEXIST when it is watched already, or -ENOMEM. */
int fv_loop_add(struct fv_loop *loop, int fd, uint32_t poll_events, fv_event_fn *fn, void *arg);

/* Its callback is not called any more, not even for what is pending.  Returns 0 or -ENOENT. */
int fv_loop_remove(struct fv_loop *loop, int fd);

/* One timer: calls fn once when CLOCK_MONOTONIC has reached at_ns; 0 disarms. */
void fv_loop_timer(struct fv_loop *loop, uint64_t at_ns, fv_event_fn *fn, void *arg);

/* Sleeps until there is an event, then calls back for all that are pending.  Returns how many callbacks it made, 0 when a
 * signal handler ran, or a negative errno value (-EDEADLK: nothing is watched and no timer is set). */
int fv_loop_wait(struct fv_loop *loop);

void fv_loop_close(struct fv_loop *loop);

/* In a forked child: gives up the kernel's side without touching the parent's; the loop's memory stays as it is.
 * Async-signal-safe. */
void fv_loop_forget_in_child(struct fv_loop *loop);

#endif
