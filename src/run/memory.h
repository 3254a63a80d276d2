/* run/memory.h: private memory of workers: who is over the limit of its task, and whom to end when memory is short.
 *
 * Run by the supervisor.
 */
#ifndef FV_RUN_MEMORY_H
#define FV_RUN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fv_overrun {
    uint64_t task; /* ref of the task whose limit it is; memory is short: of the innermost task, 0: the worker is idle, to be asked to leave */
    uint64_t used, limit; /* bytes; when memory is short: thousandths of what there is */
};

/* Does a task with a memory limit run in that slot? */
bool fv_memory_is_limited(uint32_t slot);
/* Is it over that limit? */
bool fv_memory_is_over(uint32_t slot, pid_t pid, struct fv_overrun *overrun_out);

/* The monitor.  threshold: part of the memory that may be in use, 0: none is looked after.  pid: by process slot, 0: not there. */
void     fv_memory_watch(double threshold, uint32_t n_slots);
/* When it wants to be called next, 0: not before the supervisor is rung. */
uint64_t fv_memory_next(void);
/* Called with the time: the slot of a process to be ended, again until it gives 0. */
uint32_t fv_memory_look(const pid_t *pid, uint64_t now_ns, struct fv_overrun *overrun_out);

/* A process was killed, and not by us: was it the kernel, for want of memory?  Each of its kills explains one death, for a second. */
bool fv_memory_kernel_did_it(uint64_t now_ns);

#endif
