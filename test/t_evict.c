/* t_evict.c: what leaves the store when room is needed: rules by table, then against brute force. */
#include "policy/evict.h"

#include <stdlib.h>

#include "tap.h"

#define FREE(n)       {.chunks = (n), .kind = FV_EVICT_FREE}
#define FIXED(n)      {.chunks = (n), .kind = FV_EVICT_FIXED}
#define OLD(n)        {.chunks = (n), .kind = FV_EVICT_OBJECT, .age = 9}
#define OLD_CLEAN(n)  {.chunks = (n), .kind = FV_EVICT_OBJECT, .age = 9, .clean = true}
#define HOT_CLEAN(n)  {.chunks = (n), .kind = FV_EVICT_OBJECT, .age = 0, .clean = true}
#define SOON_CLEAN(n) {.chunks = (n), .kind = FV_EVICT_OBJECT, .age = 9, .clean = true, .soon = true}

static const struct {
    const char         *what;
    uint64_t            need;
    uint32_t            n, want_first, want_n; /* want_n 0: none */
    struct fv_evict_run run[8];
} cases[] = {
    {"room that is there costs nothing", 4, 3, 1, 1, {OLD(8), FREE(4), OLD_CLEAN(8)}},
    {"nothing is long enough", 9, 3, 0, 0, {FREE(8), FIXED(1), OLD(8)}},
    {"free chunks on both sides count", 10, 4, 1, 3, {OLD_CLEAN(9), FREE(4), OLD_CLEAN(2), FREE(4)}},
    {"a clean one goes before one that must be written", 4, 3, 2, 1, {OLD(4), FIXED(1), OLD_CLEAN(4)}},
    {"a cold one goes before a hot one", 4, 3, 2, 1, {HOT_CLEAN(4), FIXED(1), OLD_CLEAN(4)}},
    {"what is wanted soon goes last", 4, 3, 0, 1, {OLD(4), FIXED(1), SOON_CLEAN(4)}},
    {"one large one goes before many small ones", 4, 6, 5, 1, {OLD_CLEAN(1), OLD_CLEAN(1), OLD_CLEAN(1), OLD_CLEAN(1), FIXED(1), OLD_CLEAN(5)}},
    {"but not one that is far too large", 4, 4, 0, 2, {OLD_CLEAN(2), OLD_CLEAN(2), FIXED(1), OLD_CLEAN(200)}},
    {"no stretch goes across what is fixed", 8, 3, 0, 0, {OLD(7), FIXED(1), OLD(7)}},
    {"an empty area", 1, 0, 0, 0, {{0}}},
};

static uint64_t random_next(uint64_t *s) {
    *s ^= *s << 13, *s ^= *s >> 7, *s ^= *s << 17;
    return *s;
}

/* The least cost of all stretches; UINT64_MAX: there is none. */
static uint64_t brute_force(const struct fv_evict_run *run, uint32_t n, uint64_t need) {
    uint64_t best = UINT64_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t chunks = 0, cost = 0;
        for (uint32_t j = i; j < n && run[j].kind != FV_EVICT_FIXED; j++) {
            chunks += run[j].chunks;
            cost += fv_evict_cost(&run[j]);
            if (chunks >= need && cost < best)
                best = cost;
        }
    }
    return best;
}

static void against_brute_force(void) {
    uint64_t seed = 0x9E3779B97F4A7C15ull;
    int      wrong = 0, none = 0, rounds = 100000;
    for (int r = 0; r < rounds; r++) {
        struct fv_evict_run run[12];
        uint32_t            n = (uint32_t)(random_next(&seed) % 13), first = 0;
        for (uint32_t i = 0; i < n; i++)
            run[i] = (struct fv_evict_run){.chunks = 1 + (uint32_t)(random_next(&seed) % 9), .kind = (uint8_t)(random_next(&seed) % 5 / 2),
                                           .clean = random_next(&seed) & 1, .soon = random_next(&seed) % 8 == 0, .age = (uint32_t)(random_next(&seed) % 10)};
        uint64_t need = 1 + random_next(&seed) % 30, best = brute_force(run, n, need), chunks = 0, cost = 0;
        uint32_t m = fv_evict_stretch(run, n, need, &first);
        for (uint32_t i = first; i < first + m; i++) {
            chunks += run[i].chunks;
            cost += fv_evict_cost(&run[i]);
            wrong += run[i].kind == FV_EVICT_FIXED;
        }
        none += m == 0;
        wrong += m == 0 ? best != UINT64_MAX : first + m > n || chunks < need || cost != best;
    }
    TAP_IS(wrong, 0, "%d random areas: as cheap as brute force, never through what is fixed", rounds);
    TAP_OK(none > rounds / 100 && none < rounds - rounds / 100, "among them some with such a stretch, some without (%d)", none);
}

static void orders_any_bytes(void) {
    static const struct fv_evict_run a = OLD_CLEAN(100), b = OLD(100), c = HOT_CLEAN(100), d = OLD_CLEAN(1), s = SOON_CLEAN(100);
    TAP_OK(fv_evict_before(&a, &b) && !fv_evict_before(&b, &a), "clean before unwritten");
    TAP_OK(fv_evict_before(&a, &c) && !fv_evict_before(&c, &a), "cold before hot");
    TAP_OK(fv_evict_before(&a, &d) && !fv_evict_before(&d, &a), "large before small");
    TAP_OK(fv_evict_before(&c, &s) && !fv_evict_before(&s, &c), "what is wanted soon last");
    TAP_OK(!fv_evict_before(&a, &a), "none before itself");
}

int main(void) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t first = 77, m = fv_evict_stretch(cases[i].run, cases[i].n, cases[i].need, &first);
        TAP_OK(m == cases[i].want_n && (m == 0 ? first == 77 : first == cases[i].want_first), "%s (%u from %u)", cases[i].what, m, first);
    }
    against_brute_force();
    orders_any_bytes();
    return tap_done();
}
