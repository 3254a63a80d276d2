/* plat/backtrace.h: where this thread is: addresses of the calls on its stack.  The only user of libunwind.
 *
 * Run by:          workers, also in their handlers of fatal signals.
 * Shared state:    writes frames where it is told to.
 * Without libunwind only the innermost frame is found.
 */
#ifndef FV_PLAT_BACKTRACE_H
#define FV_PLAT_BACKTRACE_H

#include <stdbool.h>
#include <stdint.h>

/* What the unwinder allocates it allocates here, so that nothing is left to do in a handler.  (Who has not come to that when it crashes has
 * it done there.)  False: there is no unwinder. */
bool fv_backtrace_prepare(void);
/* From the caller's caller outwards.  Returns how many frames, at most room. */
uint32_t fv_backtrace_here(uint64_t *frame_out, uint32_t room);
/* In a signal handler, of what it interrupted; context: the handler's third argument.  *n_out grows frame by frame: if the stack is
 * so bad that this faults, what was found stays.  Allocates nothing. */
void fv_backtrace_interrupted(void *context, uint64_t *frame_out, uint32_t *n_out, uint32_t room);

#endif
