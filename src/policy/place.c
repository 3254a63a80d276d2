/* policy/place.c: see place.h. */
#include "policy/place.h"

uint16_t fv_place_use(const uint64_t *free, const uint64_t *capacity, uint32_t width) {
    uint16_t most = 0;
    for (uint32_t r = 0; r < width; r++)
        if (capacity[r] != 0) {
            uint16_t use = (uint16_t)((double)(capacity[r] - free[r]) / (double)capacity[r] * 1000);
            most = use > most ? use : most;
        }
    return most;
}

bool fv_place_fits(const struct fv_place_view *v, uint32_t node, const uint64_t *need, uint64_t types) {
    if (v->type[node] == FV_PLACE_NONE || !(types >> v->type[node] & 1))
        return false;
    for (uint32_t r = 0; r < v->width; r++)
        if (need[r] > v->free[(uint64_t)node * v->width + r])
            return false;
    return true;
}

uint32_t fv_place_pick(const struct fv_place_view *v, const uint64_t *need, uint64_t types, enum fv_place_strategy strategy, uint32_t node) {
    uint32_t best = FV_PLACE_NONE;
    if (strategy == FV_PLACE_AFFINITY_HARD || strategy == FV_PLACE_AFFINITY_SOFT) {
        if (node < v->n && fv_place_fits(v, node, need, types))
            return node;
        if (strategy == FV_PLACE_AFFINITY_HARD)
            return FV_PLACE_NONE;
    }
    for (uint32_t i = 0; i < v->n; i++) {
        if (best != FV_PLACE_NONE && v->use[i] >= v->use[best])
            continue;
        if (!fv_place_fits(v, i, need, types))
            continue;
        best = i;
        if (strategy != FV_PLACE_SPREAD && v->use[i] < FV_PLACE_HALF)
            break;
    }
    return best;
}
