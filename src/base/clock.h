/* clock.h: the two clocks.
 *
 * Run by:          every process; no system call on x86-64 and arm64 (vDSO).
 * Shared state:    none.  CLOCK_MONOTONIC and the cycle counter agree between processes of one machine, so that
 *                  stamps may be compared across them (the counter on machines with an invariant one).
 */
#ifndef FV_CLOCK_H
#define FV_CLOCK_H

#include <stdint.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

/* nanoseconds of CLOCK_MONOTONIC */
static inline uint64_t fv_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ticks of the cycle counter: cheap, of unknown rate */
static inline uint64_t fv_tsc(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;

    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return fv_now_ns();
#endif
}

#endif
