/* policy/memory.c: whom to end when memory is short.
 *
 * Run by:          the supervisor's memory monitor; tests.
 * Shared state:    none.
 */
#include "policy/memory.h"

static bool is_better(const struct fv_memory_worker *a, const struct fv_memory_worker *b) {
    if (a->is_idle != b->is_idle)
        return a->is_idle;
    if (!a->is_idle && a->since_ns != b->since_ns)
        return a->since_ns > b->since_ns;
    return a->private_bytes > b->private_bytes;
}

uint32_t fv_memory_victim(const struct fv_memory_worker *w, uint32_t n, uint64_t worth_bytes) {
    uint32_t best = FV_NO_VICTIM;
    for (uint32_t i = 0; i < n; i++) {
        if (w[i].is_idle ? w[i].private_bytes < worth_bytes : !w[i].is_retriable)
            continue;
        if (best == FV_NO_VICTIM || is_better(&w[i], &w[best]))
            best = i;
    }
    return best;
}
