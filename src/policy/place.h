/* policy/place.h: on which node a demand runs.
 *
 * Pure.  Called by fever simulate, and by policy/dispatch.c for the nodes of the runtime.
 *
 *   default   the first node that is less than half full; when there is none, the one that is least full
 *   spread    the one that is least full
 *   affinity  that node; softly: another one, by the default, when it does not fit there
 * How full a node is says that of its resources of which most is in use.
 */
#ifndef FV_POLICY_PLACE_H
#define FV_POLICY_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#define FV_PLACE_NONE UINT32_MAX
#define FV_PLACE_HALF 500 /* permille */

enum fv_place_strategy { FV_PLACE_DEFAULT, FV_PLACE_SPREAD, FV_PLACE_AFFINITY_HARD, FV_PLACE_AFFINITY_SOFT };

/* Of n nodes, of which use[i] permille is in use, where fits(arg, i).  `node` is for affinity.  FV_PLACE_NONE: it fits nowhere. */
static inline uint32_t fv_place_choose(uint32_t n, const uint16_t *use, bool (*fits)(const void *arg, uint32_t node), const void *arg,
                                       enum fv_place_strategy strategy, uint32_t node) {
    uint32_t best = FV_PLACE_NONE;
    if (strategy == FV_PLACE_AFFINITY_HARD || strategy == FV_PLACE_AFFINITY_SOFT) {
        if (node < n && fits(arg, node))
            return node;
        if (strategy == FV_PLACE_AFFINITY_HARD)
            return FV_PLACE_NONE;
    }
    for (uint32_t i = 0; i < n; i++) {
        if ((best != FV_PLACE_NONE && use[i] >= use[best]) || !fits(arg, i))
            continue;
        best = i;
        if (strategy != FV_PLACE_SPREAD && use[i] < FV_PLACE_HALF)
            break;
    }
    return best;
}

struct fv_place_view {
    uint32_t        n, width;  /* nodes, resources */
    const uint64_t *free;      /* of node i: [i * width ...] */
    const uint32_t *type;      /* FV_PLACE_NONE: not to be used (draining, down) */
    const uint16_t *use;       /* permille: fv_place_use() */
};

/* How full a node is. */
uint16_t fv_place_use(const uint64_t *free, const uint64_t *capacity, uint32_t width);
/* The node, of a type whose bit is in `types` (fv_label_matches()), or FV_PLACE_NONE; `node` is for affinity. */
uint32_t fv_place_pick(const struct fv_place_view *v, const uint64_t *need, uint64_t types, enum fv_place_strategy strategy, uint32_t node);
bool     fv_place_fits(const struct fv_place_view *v, uint32_t node, const uint64_t *need, uint64_t types);

#endif
