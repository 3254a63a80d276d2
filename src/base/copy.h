/* base/copy.h: copies of large data.
 *
 * Run by:          every process.
 * Shared state:    none of its own.  A copy cut short by a kill leaves any prefix; publish after it.
 * Source:          Intel's Optimization Manual, "Enhanced REP MOVSB"; measured by fever-bench put_big.
 */
#ifndef FV_BASE_COPY_H
#define FV_BASE_COPY_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define FV_COPY_LARGE  (1u << 20)
#define FV_COPY_STREAM (16u << 20)  /* more than is left in the caches until somebody reads it, */
#define FV_COPY_EVEN   (128u << 20) /* and up to where the memory alone decides: see doc/contention.md */

#ifdef __SSE2__
/* Past the caches; to is aligned to 64, bytes a multiple of that. */
static inline void fv_copy_stream(char *to, const char *from, size_t bytes) {
    for (size_t i = 0; i < bytes; i += 64) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(from + i)), b = _mm_loadu_si128((const __m128i *)(const void *)(from + i + 16)),
                c = _mm_loadu_si128((const __m128i *)(const void *)(from + i + 32)), d = _mm_loadu_si128((const __m128i *)(const void *)(from + i + 48));
        _mm_stream_si128((__m128i *)(void *)(to + i), a);
        _mm_stream_si128((__m128i *)(void *)(to + i + 16), b);
        _mm_stream_si128((__m128i *)(void *)(to + i + 32), c);
        _mm_stream_si128((__m128i *)(void *)(to + i + 48), d);
    }
    _mm_sfence(); /* such stores keep no order by themselves: before whatever publishes the bytes */
}
#endif

static inline void fv_copy(void *to, const void *from, size_t bytes) {
#ifdef __SSE2__
    if (bytes >= FV_COPY_STREAM && bytes <= FV_COPY_EVEN && (uintptr_t)to % 64 == 0) {
        size_t whole = bytes / 64 * 64;
        fv_copy_stream(to, from, whole);
        memcpy((char *)to + whole, (const char *)from + whole, bytes - whole);
        return;
    }
#endif
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
    if (bytes >= FV_COPY_LARGE) { /* in microcode: no read for ownership of lines that are overwritten whole */
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
        return;
    }
#endif
    memcpy(to, from, bytes);
}

#endif
