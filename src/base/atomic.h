/* atomic.h: atomic operations on plain fixed-width fields, named by their order.
 *
 * Run by:          every process, on shared and on private memory.
 * Shared state:    whatever the caller points at.
 * If it dies here: each operation either happened or did not; see "truth words and hints" in the design notes.
 * Not here:        double-width operations and locks.
 * Source:          Concurrency Kit's ck_pr.  Its inline assembly is invisible to ThreadSanitizer, so that such builds use
 *                  the compiler's builtins; fences are ck_pr's in every build, as ThreadSanitizer has no model of them:
 *                  what relies on a fence alone shows up there as a race, and is better written with a release store.
 *
 *     fv_load_relaxed_N(p)       fv_load_acquire_N(p)          N: 8, 16, 32, 64
 *     fv_store_relaxed_N(p, v)   fv_store_release_N(p, v)
 *     fv_cas_N(p, old, new)                 true when *p was old and is new now         N: 32, 64
 *     fv_cas_value_N(p, old, new, &seen)    the same; seen is what *p was
 *     fv_fas_N(p, v)  fv_faa_N(p, v)        exchange, add: give the value before
 *     fv_or_N(p, v)   fv_and_N(p, v)
 *
 * Every read-modify-write is a full barrier, a failed compare-and-swap too.
 */
#ifndef FV_ATOMIC_H
#define FV_ATOMIC_H

#include <ck_pr.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__SANITIZE_THREAD__)
#define FV_ATOMIC_BUILTINS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FV_ATOMIC_BUILTINS 1
#endif
#endif
#ifndef FV_ATOMIC_BUILTINS
#define FV_ATOMIC_BUILTINS 0
#endif

#define FV_ATOMIC_INLINE static inline __attribute__((always_inline, unused))

#if FV_ATOMIC_BUILTINS

#define FV_ATOMIC_LOAD_STORE_(N) \
    FV_ATOMIC_INLINE uint##N##_t fv_load_relaxed_##N(const uint##N##_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); } \
    FV_ATOMIC_INLINE uint##N##_t fv_load_acquire_##N(const uint##N##_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); } \
    FV_ATOMIC_INLINE void fv_store_relaxed_##N(uint##N##_t *p, uint##N##_t v) { __atomic_store_n(p, v, __ATOMIC_RELAXED); } \
    FV_ATOMIC_INLINE void fv_store_release_##N(uint##N##_t *p, uint##N##_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

#define FV_ATOMIC_MODIFY_(N) \
    FV_ATOMIC_INLINE bool fv_cas_##N(uint##N##_t *p, uint##N##_t old, uint##N##_t value) \
    { \
        return __atomic_compare_exchange_n(p, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    } \
    FV_ATOMIC_INLINE bool fv_cas_value_##N(uint##N##_t *p, uint##N##_t old, uint##N##_t value, uint##N##_t *seen_out) \
    { \
        bool done = __atomic_compare_exchange_n(p, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        *seen_out = old; \
        return done; \
    } \
    FV_ATOMIC_INLINE uint##N##_t fv_fas_##N(uint##N##_t *p, uint##N##_t v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); } \
    FV_ATOMIC_INLINE uint##N##_t fv_faa_##N(uint##N##_t *p, uint##N##_t v) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); } \
    FV_ATOMIC_INLINE void fv_or_##N(uint##N##_t *p, uint##N##_t v) { (void)__atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); } \
    FV_ATOMIC_INLINE void fv_and_##N(uint##N##_t *p, uint##N##_t v) { (void)__atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); }

#else

/* A read-modify-write is a full barrier by itself where CK_MD_TSO holds (x86); elsewhere ck_pr's are relaxed. */
#ifdef CK_MD_TSO
#define FV_ATOMIC_AROUND_() ck_pr_barrier()
#else
#define FV_ATOMIC_AROUND_() ck_pr_fence_memory()
#endif

#define FV_ATOMIC_LOAD_STORE_(N) \
    FV_ATOMIC_INLINE uint##N##_t fv_load_relaxed_##N(const uint##N##_t *p) { return ck_pr_load_##N(p); } \
    FV_ATOMIC_INLINE uint##N##_t fv_load_acquire_##N(const uint##N##_t *p) \
    { \
        uint##N##_t v = ck_pr_load_##N(p); \
        ck_pr_fence_acquire(); \
        return v; \
    } \
    FV_ATOMIC_INLINE void fv_store_relaxed_##N(uint##N##_t *p, uint##N##_t v) { ck_pr_store_##N(p, v); } \
    FV_ATOMIC_INLINE void fv_store_release_##N(uint##N##_t *p, uint##N##_t v) \
    { \
        ck_pr_fence_release(); \
        ck_pr_store_##N(p, v); \
    }

#define FV_ATOMIC_MODIFY_(N) \
    FV_ATOMIC_INLINE bool fv_cas_##N(uint##N##_t *p, uint##N##_t old, uint##N##_t value) \
    { \
        FV_ATOMIC_AROUND_(); \
        bool done = ck_pr_cas_##N(p, old, value); \
        FV_ATOMIC_AROUND_(); \
        return done; \
    } \
    FV_ATOMIC_INLINE bool fv_cas_value_##N(uint##N##_t *p, uint##N##_t old, uint##N##_t value, uint##N##_t *seen_out) \
    { \
        FV_ATOMIC_AROUND_(); \
        bool done = ck_pr_cas_##N##_value(p, old, value, seen_out); \
        FV_ATOMIC_AROUND_(); \
        return done; \
    } \
    FV_ATOMIC_INLINE uint##N##_t fv_fas_##N(uint##N##_t *p, uint##N##_t v) \
    { \
        FV_ATOMIC_AROUND_(); \
        uint##N##_t old = ck_pr_fas_##N(p, v); \
        FV_ATOMIC_AROUND_(); \
        return old; \
    } \
    FV_ATOMIC_INLINE uint##N##_t fv_faa_##N(uint##N##_t *p, uint##N##_t v) \
    { \
        FV_ATOMIC_AROUND_(); \
        uint##N##_t old = ck_pr_faa_##N(p, v); \
        FV_ATOMIC_AROUND_(); \
        return old; \
    } \
    FV_ATOMIC_INLINE void fv_or_##N(uint##N##_t *p, uint##N##_t v) \
    { \
        FV_ATOMIC_AROUND_(); \
        ck_pr_or_##N(p, v); \
        FV_ATOMIC_AROUND_(); \
    } \
    FV_ATOMIC_INLINE void fv_and_##N(uint##N##_t *p, uint##N##_t v) \
    { \
        FV_ATOMIC_AROUND_(); \
        ck_pr_and_##N(p, v); \
        FV_ATOMIC_AROUND_(); \
    }

#endif

/* clang-format off */
FV_ATOMIC_LOAD_STORE_(8)
FV_ATOMIC_LOAD_STORE_(16)
FV_ATOMIC_LOAD_STORE_(32)
FV_ATOMIC_LOAD_STORE_(64)
FV_ATOMIC_MODIFY_(8)
FV_ATOMIC_MODIFY_(32)
FV_ATOMIC_MODIFY_(64)
/* clang-format on */

/* Everything before comes before everything after.  A locked add on the stack is a full barrier on x86-64 for the
 * memory that we use (write-back), at a third of the price of mfence. */
FV_ATOMIC_INLINE void fv_fence_full(void)
{
#if defined(__x86_64__)
    __asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc");
#else
    ck_pr_fence_memory();
#endif
}

/* stores before, loads after: the only order that x86 does not keep by itself */
FV_ATOMIC_INLINE void fv_fence_store_load(void) { fv_fence_full(); }
FV_ATOMIC_INLINE void fv_fence_load_store(void) { ck_pr_fence_load_store(); }
FV_ATOMIC_INLINE void fv_fence_load(void) { ck_pr_fence_load(); }
FV_ATOMIC_INLINE void fv_fence_store(void) { ck_pr_fence_store(); }
FV_ATOMIC_INLINE void fv_fence_acquire(void) { ck_pr_fence_acquire(); }
FV_ATOMIC_INLINE void fv_fence_release(void) { ck_pr_fence_release(); }
/* only the compiler is held to the order */
FV_ATOMIC_INLINE void fv_fence_compiler(void) { ck_pr_barrier(); }

/* in a spin loop */
FV_ATOMIC_INLINE void fv_pause(void) { ck_pr_stall(); }

/* the line will be written soon */
FV_ATOMIC_INLINE void fv_prefetch_write(const void *p) { __builtin_prefetch(p, 1, 3); }
FV_ATOMIC_INLINE void fv_prefetch_read(const void *p) { __builtin_prefetch(p, 0, 3); }

#endif
