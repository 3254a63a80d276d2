/* policy/evict.c: which objects leave the store.  See evict.h for the rules.
 *
 * Costs are positive, so of all stretches that end at a run the one that is just long enough costs least, and two ends that
 * move upwards find it: the least of all ends is the least of all.
 */
#include "policy/evict.h"

/* of reading it back: 1 when it is old, 8 when it was used just now, 64 when it is to be used */
static uint64_t heat(const struct fv_evict_run *run) { return run->soon ? 64 : 1 + 7 / (1 + (uint64_t)run->age); }

uint64_t fv_evict_cost(const struct fv_evict_run *run) {
    if (run->kind != FV_EVICT_OBJECT)
        return 0;
    return ((uint64_t)run->chunks + FV_EVICT_EACH) * (heat(run) + (run->clean ? 0 : 2));
}

uint32_t fv_evict_stretch(const struct fv_evict_run *runs, uint32_t n, uint64_t need, uint32_t *first_out) {
    uint64_t chunks = 0, cost = 0, best_cost = UINT64_MAX, best_chunks = 0;
    uint32_t first = 0, best = 0, best_n = 0;
    for (uint32_t last = 0; last < n; last++) {
        if (runs[last].kind == FV_EVICT_FIXED) {
            first = last + 1;
            chunks = cost = 0;
            continue;
        }
        chunks += runs[last].chunks;
        cost += fv_evict_cost(&runs[last]);
        while (chunks - runs[first].chunks >= need && first < last) {
            chunks -= runs[first].chunks;
            cost -= fv_evict_cost(&runs[first++]);
        }
        if (chunks >= need && (cost < best_cost || (cost == best_cost && chunks < best_chunks)))
            best_cost = cost, best_chunks = chunks, best = first, best_n = last - first + 1;
    }
    if (best_n != 0)
        *first_out = best;
    return best_n;
}

bool fv_evict_before(const struct fv_evict_run *a, const struct fv_evict_run *b) {
    return fv_evict_cost(a) * b->chunks < fv_evict_cost(b) * a->chunks;
}
