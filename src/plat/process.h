/* process.h: identity and life of processes, their descriptors, process-wide barriers.
 *
 * Run by:          every process; what says so is also fit for the time between fork and the role's main.
 * Shared state:    none.
 */
#ifndef FV_PROCESS_H
#define FV_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A descriptor (close-on-exec) that becomes readable when the process has ended, or a negative errno value. */
int fv_pidfd_open(pid_t pid);

/* When it started, in clock ticks since boot: with the pid, its identity.  0 when there is no such process. */
uint64_t fv_process_starttime(pid_t pid);

/* Is this very process alive?  A zombie is not.  start 0: any process of that pid. */
bool fv_process_alive(pid_t pid, uint64_t start);

/* fv_membarrier() makes every running thread of every process that has registered pass a full memory barrier.  Both
 * return false where the kernel has no such thing (before 4.16) or forbids it. */
bool fv_membarrier_register(void);
bool fv_membarrier(void);

/* Has this process (a zombie, too) put another program in its place since it was forked?  Gives that one's name then. */
bool fv_process_has_execed(pid_t pid, char name_out[16]);

/* Closes every descriptor from 3 on but those in keep (any order).  Async-signal-safe. */
void fv_process_close_from(const int *keep, int n_keep);

/* Threads of this process; 1 if unknown. */
int fv_process_thread_count(void);

struct fv_memory {
    uint64_t private_bytes; /* resident and not shared: neither of files nor of the segment */
    uint64_t data_bytes;    /* private and writable, resident or not: what RLIMIT_DATA limits, and the stack */
};

/* pid 0: of this process.  False when there is no such process. */
bool fv_process_memory(pid_t pid, struct fv_memory *memory_out);

/* Resident private memory of this process, in bytes: what a fork must copy page tables for. */
uint64_t fv_process_private_rss(void);

#endif
