/* policy/memory.h: whom to end when memory is short.
 *
 * Run by:          the supervisor's memory monitor; tests.
 * Shared state:    none: a pure function of what it is given.
 * Source:          Ray's memory monitor, which ends the newest retriable task; idle workers go before.
 */
#ifndef FV_POLICY_MEMORY_H
#define FV_POLICY_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define FV_NO_VICTIM UINT32_MAX

struct fv_memory_worker {
    bool     is_idle;       /* between two tasks: it loses nothing */
    bool     is_retriable;  /* all that runs on its stack may be repeated */
    uint64_t private_bytes; /* that a fresh process in its place would not have */
    uint64_t since_ns;      /* since when it is known to run its task */
};

/* The idle worker with most private memory, if that is at least worth_bytes; else the worker whose task began last among those that can be
 * repeated, of several the one with most private memory; else FV_NO_VICTIM. */
uint32_t fv_memory_victim(const struct fv_memory_worker *w, uint32_t n, uint64_t worth_bytes);

#endif
