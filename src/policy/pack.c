/* policy/pack.c: see pack.h. */
#include "policy/pack.h"

#include <string.h>

static uint32_t leaves_of(uint32_t n) {
    uint32_t leaves = 1;
    while (leaves < n)
        leaves *= 2;
    return leaves;
}

size_t fv_pack_bytes(uint32_t n, uint32_t width) {
    size_t items = (size_t)n + 1, nodes = 2 * (size_t)leaves_of(n);
    return sizeof(uint64_t) * (items * (2 * (size_t)width + 4) + nodes * (width + 1)) + sizeof(uint32_t) * 6 * (items + 4);
}

static void *cut(char **at, size_t bytes) {
    void *p = *at;
    *at += (bytes + 7) & ~(size_t)7;
    return p;
}

void fv_pack_open(struct fv_pack *p, void *memory, uint32_t n_max, uint32_t width) {
    char  *at = memory;
    size_t items = n_max;
    memset(p, 0, sizeof *p);
    p->width = width;
    p->need = cut(&at, 2 * items * width * sizeof *p->need); /* the second half: while it is sorted */
    p->types = cut(&at, 2 * items * sizeof *p->types);
    p->key = cut(&at, 2 * items * sizeof *p->key);
    p->left = cut(&at, items * sizeof *p->left);
    p->id = cut(&at, items * sizeof *p->id);
    p->scratch = cut(&at, 4 * items * sizeof *p->scratch);
    p->any = cut(&at, 2 * (size_t)leaves_of(n_max) * sizeof *p->any);
    p->least = (uint64_t *)(void *)at;
}

void fv_pack_add(struct fv_pack *p, const uint64_t *need, uint64_t types, uint64_t key, uint32_t n, uint32_t id) {
    memcpy(p->need + (size_t)p->n * p->width, need, p->width * sizeof *need);
    p->types[p->n] = types;
    p->key[p->n] = ~key;
    p->left[p->n] = n;
    p->id[p->n++] = id;
}

/* Radix sort of the items' numbers by key, byte by byte from the low end; a byte that is the same in all is left out. */
static uint32_t *sort(struct fv_pack *p) {
    uint32_t *from = p->scratch, *to = p->scratch + p->n;
    for (uint32_t i = 0; i < p->n; i++)
        from[i] = i;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint32_t at[257] = {0};
        for (uint32_t i = 0; i < p->n; i++)
            at[(p->key[i] >> shift & 255) + 1]++;
        if (p->n == 0 || at[(p->key[0] >> shift & 255) + 1] == p->n)
            continue;
        for (unsigned b = 0; b < 256; b++)
            at[b + 1] += at[b];
        for (uint32_t i = 0; i < p->n; i++)
            to[at[p->key[from[i]] >> shift & 255]++] = from[i];
        uint32_t *swap = from;
        from = to, to = swap;
    }
    return from;
}

/* What stands at item i after the sort stood at order[i] before. */
static void reorder(struct fv_pack *p, const uint32_t *order) {
    size_t    w = p->width, n = p->n;
    uint32_t *left = p->scratch + 2 * n, *id = p->scratch + 3 * n;
    for (size_t i = 0; i < n; i++) {
        memcpy(p->need + (n + i) * w, p->need + order[i] * w, w * sizeof *p->need);
        p->types[n + i] = p->types[order[i]];
        left[i] = p->left[order[i]];
        id[i] = p->id[order[i]];
    }
    memmove(p->need, p->need + n * w, n * w * sizeof *p->need);
    memmove(p->types, p->types + n, n * sizeof *p->types);
    memcpy(p->left, left, n * sizeof *left);
    memcpy(p->id, id, n * sizeof *id);
}

static void join(struct fv_pack *p, uint32_t x) {
    const uint64_t *a = p->least + (size_t)2 * x * p->width, *b = a + p->width;
    uint64_t       *to = p->least + (size_t)x * p->width;
    for (uint32_t r = 0; r < p->width; r++)
        to[r] = a[r] < b[r] ? a[r] : b[r];
    p->any[x] = p->any[2 * x] | p->any[2 * x + 1];
}

static void set_leaf(struct fv_pack *p, uint32_t item) {
    uint64_t *least = p->least + (size_t)(p->leaves + item) * p->width;
    bool      is_there = item < p->n && p->left[item] != 0;
    for (uint32_t r = 0; r < p->width; r++)
        least[r] = is_there ? p->need[(size_t)item * p->width + r] : UINT64_MAX;
    p->any[p->leaves + item] = is_there ? p->types[item] : 0;
}

void fv_pack_close(struct fv_pack *p) {
    reorder(p, sort(p));
    p->leaves = leaves_of(p->n);
    for (uint32_t i = 0; i < p->leaves; i++)
        set_leaf(p, i);
    for (uint32_t x = p->leaves; --x != 0;)
        join(p, x);
}

static bool may_fit(const struct fv_pack *p, uint32_t x, const uint64_t *free, uint32_t type) {
    const uint64_t *least = p->least + (size_t)x * p->width;
    if (!(p->any[x] >> type & 1))
        return false;
    for (uint32_t r = 0; r < p->width; r++)
        if (least[r] > free[r])
            return false;
    return true;
}

uint32_t fv_pack_next(const struct fv_pack *p, uint32_t from, const uint64_t *free, uint32_t type) {
    if (from >= p->n)
        return FV_PACK_NONE;
    uint32_t x = p->leaves + from;
    for (;;) {
        if (may_fit(p, x, free, type)) {
            if (x >= p->leaves)
                return x - p->leaves;
            x *= 2;
            continue;
        }
        while (x & 1) { /* on to what lies right of it */
            x /= 2;
            if (x <= 1)
                return FV_PACK_NONE;
        }
        if (x == 0)
            return FV_PACK_NONE;
        x++;
    }
}

uint32_t fv_pack_fit(const struct fv_pack *p, uint32_t item, const uint64_t *free) {
    const uint64_t *need = p->need + (size_t)item * p->width;
    uint32_t        n = p->left[item];
    for (uint32_t r = 0; r < p->width; r++)
        if (need[r] != 0 && (n <= 1 ? need[r] > free[r] : need[r] > free[r] / n))
            n = (uint32_t)(free[r] / need[r]);
    return n;
}

void fv_pack_take(struct fv_pack *p, uint32_t item, uint32_t n) {
    p->left[item] -= n;
    if (p->left[item] != 0)
        return;
    set_leaf(p, item);
    for (uint32_t x = (p->leaves + item) / 2; x != 0; x /= 2)
        join(p, x);
}
