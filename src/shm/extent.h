/* shm/extent.h: chunks and runs of chunks: how the arena claims them, gives them back and finds memory for them.
 *
 * Used by arena.c and by the helper process (run/warm.c).  The words and their transitions are in layout.h.
 */
#ifndef FV_SHM_EXTENT_H
#define FV_SHM_EXTENT_H

#include "shm/segment.h"

/* Where one process slot looks next: private hints. */
struct fv_extent_hints {
    uint32_t small;  /* for a chunk, upwards from here */
    uint32_t part;   /* for less than a super, downwards */
    uint32_t whole;  /* for more, downwards */
    uint32_t again;  /* for warm memory that others gave back, downwards */
};

static inline uint64_t fv_root_word(unsigned kind, uint32_t index, uint32_t gen) {
    return (uint64_t)kind << 60 | (uint64_t)index << 32 | gen;
}
static inline unsigned fv_word_kind(uint64_t w) { return (unsigned)(w >> 60); }
static inline uint32_t fv_word_index(uint64_t w) { return (uint32_t)(w >> 32) & 0x0FFFFFFF; }
static inline uint64_t fv_chunk_offset(uint32_t chunk) { return fv_map.seg->off_data + (uint64_t)chunk * FV_CHUNK_BYTES; }
static inline uint32_t fv_chunk_of(uint64_t offset) { return (uint32_t)((offset - fv_map.seg->off_data) / FV_CHUNK_BYTES); }
static inline bool     fv_chunk_in_file(uint32_t chunk) { return chunk >= fv_map.seg->file_chunk; }
/* All supers, those of the fallback too; one behind the last chunk of the part, memory or file, that a chunk is in. */
static inline uint32_t fv_all_supers(void) {
    return (fv_map.seg->file_chunk + fv_map.seg->n_file_chunks + FV_SUPER_CHUNKS - 1) / FV_SUPER_CHUNKS;
}
static inline uint32_t fv_part_end(uint32_t chunk) {
    return fv_chunk_in_file(chunk) ? fv_map.seg->file_chunk + fv_map.seg->n_file_chunks : fv_map.seg->n_chunks;
}
/* First chunk behind super s. */
static inline uint32_t fv_super_end(uint32_t s) { return FV_MIN((s + 1) * FV_SUPER_CHUNKS, fv_part_end(s * FV_SUPER_CHUNKS)); }
/* Root of a chunk or super that owner is claiming, or holds for no task slot. */
static inline uint64_t fv_claim_word(uint32_t owner) { return fv_root_word(FV_CHUNK_EXTENT, FV_NO_ROOT, owner); }

void fv_extent_hints_init(struct fv_extent_hints *h);
/* Claims a chunk from the low end as a part of nothing (fv_claim_word), with memory behind it.  False: the store is full. */
bool fv_chunk_claim(struct fv_extent_hints *h, uint32_t owner, uint32_t *chunk_out);
/* Claims a run for root, with memory behind it: first chunk, or ~0u when there is none. */
uint32_t fv_extent_claim(struct fv_extent_hints *h, uint32_t owner, uint32_t n_chunks, uint64_t root);
/* The same in the fallback, not before its chunk `from`; with space behind it. */
uint32_t fv_extent_claim_file(uint32_t owner, uint32_t from, uint32_t n_chunks, uint64_t root);
/* Gives space of the fallback from chunk `from` on that nobody uses back to the file system.  True: there is some yet. */
bool     fv_extent_trim_file(uint32_t owner, uint32_t from);
/* Claims super s whole for root; false when any of it is in use. */
bool fv_super_claim(uint32_t s, uint32_t owner, uint64_t root);
/* Ends that. */
static inline void fv_super_release(uint32_t s) { fv_store_release_64(&fv_map.supers[s], 0); }
/* Frees those of the chunks that belong to root. */
void fv_extent_free(uint32_t chunk, uint32_t n_chunks, uint64_t root);
/* What the dead owner was claiming: gives it back.  Roots that it has not published are found by fv_arena_walk(). */
void fv_extent_sweep(uint32_t owner);
/* Chunks in large blocks, by the truth words; not those of the fallback. */
uint32_t fv_extent_count(void);
/* After a sweep: sets extent_chunks right. */
void     fv_extent_recount(void);

/* Is there memory behind all chunks [c, end)? */
bool fv_chunks_backed(uint32_t c, uint32_t end);
/* Marks them, after the allocation, or unmarks them, before memory is given back. */
void fv_chunks_set_backed(uint32_t c, uint32_t end, bool on);

#endif
