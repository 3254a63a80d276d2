/* futex.c: the system call behind the bell.
 *
 * Run by:          every process, through shm/bell.
 * Shared state:    reads the word, never writes it.
 * Source:          futex(2).  Never FUTEX_PRIVATE_FLAG: sleepers and wakers are different processes.
 */
#include "plat/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int fv_futex_wait(const uint32_t *word, uint32_t expected, int64_t timeout_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};

    if (syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout_ns < 0 ? NULL : &ts, NULL, 0) == 0)
        return 0;
    return -errno;
}

int fv_futex_wake(uint32_t *word, int n)
{
    long woken = syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);

    return woken < 0 ? -errno : (int)woken;
}
