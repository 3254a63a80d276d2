/* shm/arena.h: the crash-safe allocator of the data area.
 *
 * Owners allocate with plain stores from chunks of their own; anyone frees with one idempotent CAS; every block names
 * its root (a task slot and generation), which is what the sweep needs to tell garbage.  A heap is the private,
 * rebuildable view that the owner of a process slot has of its chunks.
 */
#ifndef FV_SHM_ARENA_H
#define FV_SHM_ARENA_H

#include "shm/extent.h"

struct fv_heap_class {
    uint32_t *chunk;        /* chunks of this class that the slot owns */
    uint32_t  n, room;
    uint32_t  at;           /* chunk[at], */
    uint32_t  pos;          /* block pos: where the next look begins */
    uint64_t  freed;        /* block that we freed last, and so on from there; 0: none */
};
struct fv_heap {
    uint32_t owner;         /* process slot */
    bool     rebuilt;       /* chunks of the slot's former owner have been taken over */
    struct fv_extent_hints hints;
    struct fv_heap_class cls[FV_N_CLASSES];
};

void     fv_heap_init(struct fv_heap *h, uint32_t owner);
void     fv_heap_fini(struct fv_heap *h);
/* A block of at least bytes, 64-byte aligned, that belongs to root.  Offset, or 0 when the store is full. */
uint64_t fv_arena_alloc(struct fv_heap *h, uint32_t root_index, uint32_t root_gen, uint64_t bytes);
/* The same in the fallback, not before its chunk `from`; more than FV_SMALL_MOST bytes.  0: there is none, or it is full, or its disk. */
uint64_t fv_arena_alloc_file(struct fv_heap *h, uint32_t root_index, uint32_t root_gen, uint64_t bytes, uint32_t from);
/* Does it lie there? */
static inline bool fv_in_file(uint64_t offset) { return offset >= fv_map.seg->bytes; }
/* Frees it; does nothing if it does not belong to root any more.  h may be NULL; a hint when the caller owns it. */
void     fv_arena_free(struct fv_heap *h, uint64_t offset, uint64_t bytes, uint32_t root_index, uint32_t root_gen);
/* Gives back what is beyond the first bytes of a block of old_bytes, as far as it is whole chunks, and does not share a super with them. */
void     fv_arena_shrink(uint64_t offset, uint64_t old_bytes, uint64_t bytes, uint32_t root_index, uint32_t root_gen);
/* Largest block that could ever be had. */
uint64_t fv_arena_capacity(void);
/* Does the block still belong to root? */
bool     fv_arena_owned(uint64_t offset, uint32_t root_index, uint32_t root_gen);
/* The root of the used block that an offset in the data area lies in; false: of none.  Reads only. */
bool     fv_arena_root_at(uint64_t offset, uint32_t *root_index_out, uint32_t *root_gen_out);
/* Visits used blocks, small ones only of chunks of owner (FV_NO_PROC: of all), and every piece of every extent: a chunk
 * or a super, so bytes >= FV_CHUNK_BYTES.  fn may free what it is shown.  What is being claimed has root index FV_NO_ROOT and gen = owner. */
typedef void fv_arena_fn(void *arg, uint64_t offset, uint64_t bytes, uint32_t root_index, uint32_t root_gen);
void     fv_arena_walk(uint32_t owner, fv_arena_fn *fn, void *arg);
/* Gives back chunks of a slot that hold nothing (owner or, after its death, supervisor). */
void     fv_arena_trim(uint32_t owner);
uint64_t fv_arena_used_bytes(void); /* of the store */
uint64_t fv_arena_file_bytes(void); /* of the fallback */

#endif
