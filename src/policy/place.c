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

struct asked {
    const struct fv_place_view *view;
    const uint64_t             *need;
    uint64_t                    types;
};

static bool fits(const void *arg, uint32_t node) {
    const struct asked *a = arg;
    return fv_place_fits(a->view, node, a->need, a->types);
}

uint32_t fv_place_pick(const struct fv_place_view *v, const uint64_t *need, uint64_t types, enum fv_place_strategy strategy, uint32_t node) {
    struct asked a = {v, need, types};
    return fv_place_choose(v->n, v->use, fits, &a, strategy, node);
}
