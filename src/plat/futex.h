/* futex.h: sleep on, and wake sleepers on, a 32-bit word in shared memory.
 *
 * Run by:          shm/bell only.
 * Shared state:    reads the word, never writes it.
 * If it dies here: a sleeper's death leaves nothing behind.  A wake that was not sent is made good by who sweeps.
 */
#ifndef FV_FUTEX_H
#define FV_FUTEX_H

#include <stdint.h>

/* Sleeps while *word == expected, for at most timeout_ns (below 0: for ever).  Returns 0 when woken, -EAGAIN when the
 * word differs, -ETIMEDOUT, or -EINTR.  A wake may be spurious: look at the word. */
int fv_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns);

/* Wakes at most n sleepers, of any process; returns how many, or a negative errno value. */
int fv_futex_wake(uint32_t *word, int n);

#endif
