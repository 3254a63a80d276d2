/* base.h: what every file of the runtime may use: branch hints, alignment, promises.
 *
 * Run by:          every process.
 * Shared state:    none.
 * If it dies here: FV_ASSERT is how a runtime process dies on purpose: abort() keeps the core, and the supervisor
 *                  reaps the process like any other crash.
 * Not here:        checks of what the caller passed; those are plain ifs that return -FEVER_EINVAL and its like.
 */
#ifndef FV_BASE_H
#define FV_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FV_LIKELY(x)   __builtin_expect(!!(x), 1)
#define FV_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* On the path of every task: a call, and arguments that pass through memory, would cost some nanoseconds. */
#define FV_FAST static inline __attribute__((always_inline))

#define FV_CACHE_LINE 64
#define FV_ALIGNED(n) __attribute__((aligned(n)))

#define FV_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FV_MAX(a, b) ((a) > (b) ? (a) : (b))

#define FV_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* True in the user's program: a library does not abort its user.  The supervisor, the workers and the actors clear it
 * first thing after their fork. */
extern bool fv_in_user_process;

/* A promise was broken.  Writes "fever: bug: file:line: condition" to standard error; in a runtime process it then
 * aborts, in the user's process it returns false (and is silent when the same line fails again and again). */
bool fv_promise_broken(const char *file, int line, const char *condition) __attribute__((cold, noinline));

/* An internal promise, as an expression: true when it holds. */
#define FV_HOLDS(cond) (FV_LIKELY(cond) || fv_promise_broken(__FILE__, __LINE__, #cond))

/* The promise must hold; in the user's process the code after it runs all the same, so use FV_CHECK where it must not. */
#define FV_ASSERT(cond) ((void)FV_HOLDS(cond))

/* The promise must hold; in the user's process the function returns ret, as in FV_CHECK(x != NULL, -FEVER_EBUG). */
#define FV_CHECK(cond, ret) \
    do { \
        if (!FV_HOLDS(cond)) \
            return ret; \
    } while (0)

#endif
