/* base/copy.h: copies of large data.
 *
 * Run by:          every process.
 * Shared state:    none of its own.  A copy cut short by a kill leaves any prefix; publish after it.
 * Source:          Intel's Optimization Manual, "Enhanced REP MOVSB"; measured by fever-bench put_big.
 */
#ifndef FV_BASE_COPY_H
#define FV_BASE_COPY_H

#include <string.h>

#define FV_COPY_LARGE (1u << 20)

static inline void fv_copy(void *to, const void *from, size_t bytes) {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
    if (bytes >= FV_COPY_LARGE) { /* in microcode: no read for ownership of lines that are overwritten whole */
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
        return;
    }
#endif
    memcpy(to, from, bytes);
}

#endif
