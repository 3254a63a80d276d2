/* shm/segment.h: the segment as one process sees it.
 *
 * Included by everything that touches shared state.  `fv_map` is process-private; forked children
 * inherit it, since the segment has the same address in all.
 */
#ifndef FV_SHM_SEGMENT_H
#define FV_SHM_SEGMENT_H

#include "base/atomic.h"
#include "shm/layout.h"

struct fv_map {
    char                *base;  /* whole segment, read-write; tools: read-only */
    char                *view;  /* the whole once more, read-only; NULL in tools */
    struct fv_segment   *seg;
    struct fv_proc      *procs;
    struct fv_task      *hot;
    struct fv_task_cold *cold;
    uint64_t            *queued; /* a bit a task slot */
    uint64_t            *supers;
    uint64_t            *chunks;
    struct fv_attempt   *attempts;
    uint8_t             *backed;
    uint32_t             shift; /* task index = process slot << shift | number in its slab */
    uint32_t             mask;
    uint32_t             ring_mask;
    int                  fd;    /* -1: private memory (FEVER_INLINE=1, tests in threads mode) */
    int                  first_fd; /* as it was at init, and is in the supervisor */
    int                  file_fd;  /* of the fallback, -1: none; and first_file_fd as first_fd */
    int                  first_file_fd;
};
extern struct fv_map fv_map;

/* What the segment is to be. */
struct fv_segment_plan {
    uint32_t n_procs, slab;
    uint64_t store_bytes;
    uint64_t file_bytes; /* of the fallback; 0: none */
    int      file_fd;    /* -1 where fd is, too: private memory */
};

/* Bytes of a segment of that plan, without the fallback. */
uint64_t fv_segment_bytes(const struct fv_segment_plan *plan);
/* Maps fd (or private memory for -1), formats it, and sets fv_map.  0 or -errno / -FEVER_E. */
int  fv_segment_format(int fd, const struct fv_segment_plan *plan);
/* Tools: maps an existing segment read-only into *map. */
int  fv_segment_attach_ro(int fd, struct fv_map *map, char *why, size_t why_bytes);
void fv_segment_unmap(void);
/* Memory behind that part of the segment, or space behind that of the fallback, for good.  0 or -errno. */
int  fv_segment_alloc(uint64_t offset, uint64_t bytes);
/* Space of the fallback goes back to the file system. */
void fv_segment_release(uint64_t offset, uint64_t bytes);
/* Allocates what process slot p needs to start. */
int  fv_segment_open_slot(uint32_t p);
/* The same for an actor: most never have a task slot of their own, and so need no slab and no queue.  It begins with a slab of none. */
int  fv_segment_open_actor(uint32_t p);
/* Grows p's slab (called by its owner only); false when it is at its limit or memory is out. */
bool fv_segment_grow_slab(uint32_t p);
/* Allocates the rest of p's hold table: the first FV_HOLDS_FIRST entries it has from its start. */
int  fv_segment_grow_holds(uint32_t p);

static inline struct fv_proc *fv_proc(uint32_t p) { return &fv_map.procs[p]; }
static inline struct fv_task *fv_task(uint32_t index) { return &fv_map.hot[index]; }
static inline struct fv_task_cold *fv_cold(uint32_t index) { return &fv_map.cold[index]; }
static inline uint32_t fv_home_of(uint32_t index) { return index >> fv_map.shift; }
static inline uint32_t *fv_queue_of(uint32_t p) {
    return (uint32_t *)(void *)(fv_map.base + fv_map.seg->off_rings) + (size_t)p * (fv_map.ring_mask + 1);
}
static inline uint64_t *fv_holds_of(uint32_t p) {
    return (uint64_t *)(void *)(fv_map.base + fv_map.seg->off_holds) + (size_t)p * FV_HOLDS_MAX;
}
/* So many entries of the hold table of p have ever been in use. */
static inline uint32_t fv_holds_used(uint32_t p) {
    uint32_t n = fv_load_acquire_32(&fv_proc(p)->holds_open);
    return n == 0 ? 0 : n - 1;
}
static inline void *fv_at(uint64_t offset) { return fv_map.base + offset; }

static inline void fv_count(struct fv_proc *self, enum fv_counter c) { /* single writer */
    fv_store_relaxed_64(&self->counter[c], self->counter[c] + 1);
}

/* The CPU of a process: pinned to it (workers), last seen on it (threads of the driver); -1: not known. */
static inline int fv_proc_cpu(const struct fv_proc *p) { return (int32_t)fv_load_relaxed_32((const uint32_t *)&p->cpu); }
static inline void fv_proc_set_cpu(struct fv_proc *self, int cpu) { fv_store_relaxed_32((uint32_t *)&self->cpu, (uint32_t)cpu); }

/* Bitmaps of process slots: hints, except `taken`. */
static inline void fv_bit_set(uint64_t *map, uint32_t i) { fv_or_64(&map[i / 64], 1ull << (i % 64)); }
static inline void fv_bit_clear(uint64_t *map, uint32_t i) { fv_and_64(&map[i / 64], ~(1ull << (i % 64))); }
static inline bool fv_bit_test(const uint64_t *map, uint32_t i) { return fv_load_relaxed_64(&map[i / 64]) >> (i % 64) & 1; }
/* clears the bit; true for the one caller that found it set */
static inline bool fv_bit_claim(uint64_t *map, uint32_t i) {
    uint64_t bit = 1ull << (i % 64), w;
    do {
        w = fv_load_relaxed_64(&map[i / 64]);
        if (!(w & bit))
            return false;
    } while (!fv_cas_64(&map[i / 64], w, w & ~bit));
    return true;
}
#define FV_EACH_ACTIVE(p) \
    for (uint32_t fv_w_ = 0; fv_w_ < (fv_map.seg->n_procs + 63) / 64; fv_w_++) \
        for (uint64_t fv_b_ = fv_load_relaxed_64(&fv_map.seg->active[fv_w_]); fv_b_ != 0; fv_b_ &= fv_b_ - 1) \
            for (uint32_t p = fv_w_ * 64 + (uint32_t)__builtin_ctzll(fv_b_), fv_o_ = 1; fv_o_; fv_o_ = 0)

/* The node to which a worker slot belongs. */
static inline uint32_t fv_cluster_node_of(uint32_t slot) {
    const struct fv_node_table *c = &fv_map.seg->cluster;
    uint32_t                 n = 0;
    while (n + 1 < c->n_nodes && slot >= c->node[n + 1].first)
        n++;
    return n;
}

#endif
