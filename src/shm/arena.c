/* shm/arena.c: the crash-safe allocator of the data area.  See layout.h for the words.
 *
 * Run by every process.  Writes block words, and chunk words of small chunks (extent.c the others).  Dies here: a claimed chunk
 * without blocks stays with its slot; a block or extent whose root was never published, or is gone, is found by
 * fv_arena_walk() and freed.
 */
#include "shm/arena.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t class_bytes[FV_N_CLASSES] = {
    64,   128,  192,  256,  320,  384,  448,  512,   640,   768,   896,   1024,  1280,  1536,  1792,  2048,
    2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192,  10240, 12288, 16256, 21632, FV_SMALL_MOST};
#define N_CLASSES 29u

static unsigned class_of(uint64_t bytes) {
    if (bytes <= 512)
        return bytes == 0 ? 0 : (unsigned)((bytes - 1) / 64);
    unsigned c = 8;
    while (class_bytes[c] < bytes)
        c++;
    return c;
}

static inline uint32_t blocks_of(unsigned c) { /* words and blocks share the chunk, blocks start on a line */
    uint32_t n = FV_CHUNK_BYTES / (class_bytes[c] + 8);
    while ((n * 8 + 63) / 64 * 64 + n * class_bytes[c] > FV_CHUNK_BYTES)
        n--;
    return n;
}
static uint32_t class_blocks[FV_N_CLASSES], class_first[FV_N_CLASSES], class_inverse[FV_N_CLASSES];

__attribute__((constructor)) static void init_classes(void) {
    for (unsigned c = 0; c < N_CLASSES; c++) {
        class_blocks[c] = blocks_of(c);
        class_first[c] = (class_blocks[c] * 8 + 63) / 64 * 64;
        class_inverse[c] = (uint32_t)((1ull << 32) / class_bytes[c]) + 1;
    }
}

static inline uint64_t small_word(uint32_t owner, unsigned c) { return (uint64_t)FV_CHUNK_SMALL << 60 | (uint64_t)owner << 8 | c; }
static inline uint32_t word_owner(uint64_t w) { return (uint32_t)(w >> 8) & 0xFFFF; }
static inline unsigned word_class(uint64_t w) { return (unsigned)(w & 0xFF); }
static inline uint64_t *block_words(uint32_t chunk) { return fv_at(fv_chunk_offset(chunk)); }
/* Is it of a block in chunk c, whose word is w?  Where a chunk begins there is none: there an extent lay, of which that chunk has been given back
 * (by whoever was freeing it, and died) and is somebody else's by now. */
static inline bool is_in_small(uint64_t w, uint64_t offset, uint32_t c) { return fv_word_kind(w) == FV_CHUNK_SMALL && offset != fv_chunk_offset(c); }

uint64_t fv_arena_capacity(void) { return (uint64_t)fv_map.seg->n_chunks * FV_CHUNK_BYTES; }

/* Number of the block at offset in chunk c of class k.  A multiplication: exact, since the distance is a multiple of the size
 * and below 2^16, so that the inverse's error adds less than 2^-16. */
static inline uint32_t block_number(uint64_t offset, uint32_t c, unsigned k) {
    return (uint32_t)((offset - fv_chunk_offset(c) - class_first[k]) * class_inverse[k] >> 32);
}

void fv_heap_init(struct fv_heap *h, uint32_t owner) {
    memset(h, 0, sizeof *h);
    h->owner = owner;
    fv_extent_hints_init(&h->hints);
}

void fv_heap_fini(struct fv_heap *h) {
    for (unsigned c = 0; c < N_CLASSES; c++)
        free(h->cls[c].chunk);
    memset(h->cls, 0, sizeof h->cls);
}

static bool class_add(struct fv_heap_class *k, uint32_t chunk) {
    if (k->n == k->room) {
        uint32_t  room = k->room ? k->room * 2 : 16;
        uint32_t *p = realloc(k->chunk, room * sizeof *p);
        if (p == NULL)
            return false;
        k->chunk = p;
        k->room = room;
    }
    k->chunk[k->n++] = chunk;
    return true;
}

/* Takes over what the slot's former owner left. */
static void rebuild(struct fv_heap *h) {
    h->rebuilt = true;
    for (uint32_t s = 0; s < fv_map.seg->n_supers; s++) {
        if (fv_word_kind(fv_load_relaxed_64(&fv_map.supers[s])) != FV_SUPER_SPLIT)
            continue;
        for (uint32_t c = s * FV_SUPER_CHUNKS; c < fv_super_end(s); c++) {
            uint64_t w = fv_load_relaxed_64(&fv_map.chunks[c]);
            if (fv_word_kind(w) == FV_CHUNK_SMALL && word_owner(w) == h->owner)
                class_add(&h->cls[word_class(w)], c);
        }
    }
}

static bool claim_small(struct fv_heap *h, unsigned c) {
    uint32_t i = 0;
    if (!fv_chunk_claim(&h->hints, h->owner, &i))
        return false;
    if (!class_add(&h->cls[c], i)) {
        fv_store_release_64(&fv_map.chunks[i], 0);
        return false;
    }
    memset(block_words(i), 0, class_first[c]);
    /* ORDER chunk (release): clean block words before SMALL.  Pairs with chunk (acquire) in fv_arena_walk(). */
    fv_store_release_64(&fv_map.chunks[i], small_word(h->owner, c));
    h->cls[c].at = h->cls[c].n - 1;
    h->cls[c].pos = 0;
    return true;
}

/* The last block that we freed and have not used again: the first word of each leads to the one freed before it.  A hint: the
 * block may have been found otherwise, and filled, meanwhile.  What it leads to is a free block of ours, or the list ends there. */
static uint64_t pop_freed(struct fv_heap *h, unsigned c, uint64_t root) {
    uint64_t offset = h->cls[c].freed, data = fv_map.seg->off_data;
    h->cls[c].freed = 0;
    if (offset < data || offset >= fv_map.seg->bytes)
        return 0;
    uint32_t chunk = fv_chunk_of(offset);
    if (fv_load_relaxed_64(&fv_map.chunks[chunk]) != small_word(h->owner, c))
        return 0;
    uint64_t  within = offset - fv_chunk_offset(chunk);
    uint32_t  pos = within < class_first[c] ? class_blocks[c] : block_number(offset, chunk, c);
    uint64_t *word = &block_words(chunk)[pos];
    /* ORDER block (acquire): as in alloc_small(). */
    if (pos >= class_blocks[c] || within != class_first[c] + (uint64_t)pos * class_bytes[c] || fv_load_acquire_64(word) != 0)
        return 0;
    h->cls[c].freed = *(const uint64_t *)fv_at(offset);
    fv_store_relaxed_64(word, root);
    return offset;
}

static uint64_t alloc_small(struct fv_heap *h, unsigned c, uint64_t root) {
    struct fv_heap_class *k = &h->cls[c];
    uint64_t              freed;
    if (k->freed != 0 && (freed = pop_freed(h, c, root)) != 0)
        return freed;
    if (FV_LIKELY(k->n != 0)) { /* the block freed last, or the next one */
        uint32_t  chunk = k->chunk[k->at], pos = k->pos;
        uint64_t *word = &block_words(chunk)[pos];
        /* ORDER block (acquire): whoever freed the block is done with it.  Pairs with block (release) in fv_arena_free(). */
        if (FV_LIKELY(fv_load_acquire_64(word) == 0 && pos + 1 < class_blocks[c])) {
            k->pos = pos + 1;
            fv_store_relaxed_64(word, root);
            return fv_chunk_offset(chunk) + class_first[c] + (uint64_t)pos * class_bytes[c];
        }
    }
    uint32_t budget = class_blocks[c] * 2, limit = k->n * class_blocks[c];
    bool     all = false;
    if (budget < 64)
        budget = 64;
    for (uint32_t looked = 0;; looked++) {
        if (looked >= limit || (!all && looked >= budget)) {
            if (claim_small(h, c)) {
                looked = 0, limit = k->n * class_blocks[c];
                continue;
            }
            if (all || looked >= limit)
                return 0;
            all = true; /* no chunk to be had: look through all of one's own */
        }
        uint32_t  chunk = k->chunk[k->at];
        uint64_t *word = &block_words(chunk)[k->pos];
        uint32_t  pos = k->pos;
        /* ORDER block (acquire): the word before any use of the block.  Pairs with block (acq_rel) in fv_arena_free().
         * Losing it: who freed the block still reads what the new owner writes. */
        bool is_free = fv_load_acquire_64(word) == 0;
        if (++k->pos == class_blocks[c]) {
            k->pos = 0;
            k->at = (k->at + 1) % k->n;
        }
        if (is_free) {
            fv_store_relaxed_64(word, root);
            return fv_chunk_offset(chunk) + class_first[c] + (uint64_t)pos * class_bytes[c];
        }
    }
}

static uint64_t alloc_extent(struct fv_heap *h, uint64_t bytes, uint64_t root) {
    if (bytes > fv_arena_capacity())
        return 0;
    uint32_t c = fv_extent_claim(&h->hints, h->owner, (uint32_t)((bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES), root);
    return c == ~0u ? 0 : fv_chunk_offset(c);
}

uint64_t fv_arena_alloc(struct fv_heap *h, uint32_t root_index, uint32_t root_gen, uint64_t bytes) {
    if (FV_UNLIKELY(!h->rebuilt))
        rebuild(h);
    if (bytes <= FV_SMALL_MOST) {
        uint64_t offset = alloc_small(h, class_of(bytes), fv_root_word(FV_BLOCK_USED, root_index, root_gen));
        if (FV_LIKELY(offset != 0))
            return offset;
        fv_arena_trim(h->owner); /* chunks of other classes that hold nothing */
        fv_heap_fini(h);
        rebuild(h);
        return alloc_small(h, class_of(bytes), fv_root_word(FV_BLOCK_USED, root_index, root_gen));
    }
    uint64_t offset = alloc_extent(h, bytes, fv_root_word(FV_CHUNK_EXTENT, root_index, root_gen));
    if (offset == 0) {
        fv_arena_trim(h->owner);
        fv_heap_fini(h);
        rebuild(h);
        offset = alloc_extent(h, bytes, fv_root_word(FV_CHUNK_EXTENT, root_index, root_gen));
    }
    return offset;
}

uint64_t fv_arena_alloc_file(struct fv_heap *h, uint32_t root_index, uint32_t root_gen, uint64_t bytes, uint32_t from) {
    if (bytes <= FV_SMALL_MOST || bytes > (uint64_t)fv_map.seg->n_file_chunks * FV_CHUNK_BYTES)
        return 0;
    uint32_t c = fv_extent_claim_file(h->owner, from, (uint32_t)((bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES),
                                      fv_root_word(FV_CHUNK_EXTENT, root_index, root_gen));
    return c == ~0u ? 0 : fv_chunk_offset(c);
}

void fv_arena_free(struct fv_heap *h, uint64_t offset, uint64_t bytes, uint32_t root_index, uint32_t root_gen) {
    uint32_t c = fv_chunk_of(offset);
    uint64_t w = fv_load_relaxed_64(&fv_map.chunks[c]);
    if (is_in_small(w, offset, c)) {
        unsigned k = word_class(w);
        uint32_t pos = block_number(offset, c, k);
        uint64_t *word = &block_words(c)[pos], root = fv_root_word(FV_BLOCK_USED, root_index, root_gen);
        struct fv_heap_class *own = h != NULL && word_owner(w) == h->owner && h->cls[k].n != 0 ? &h->cls[k] : NULL;
        /* ORDER block (release): all use of the block before its word is 0.  Pairs with block (acquire) in alloc_small(). */
        if (fv_load_relaxed_64(word) != root || !fv_cas_64(word, root, 0) || own == NULL)
            return;
        if (own->chunk[own->at] == c && own->pos == pos + 1) { /* warm: use it next */
            own->pos = pos;
        } else { /* ours still: nobody else allocates here */
            *(uint64_t *)fv_at(offset) = own->freed;
            own->freed = offset;
        }
        return;
    }
    uint32_t n = (uint32_t)FV_MIN((bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES, (uint64_t)fv_part_end(c) - c);
    fv_extent_free(c, n, fv_root_word(FV_CHUNK_EXTENT, root_index, root_gen));
    if (h != NULL && !fv_chunk_in_file(c)) /* warm: use it next */
        *(n < FV_SUPER_CHUNKS ? &h->hints.part : &h->hints.whole) = c + n;
}

void fv_arena_shrink(uint64_t offset, uint64_t old_bytes, uint64_t bytes, uint32_t root_index, uint32_t root_gen) {
    uint64_t root = fv_root_word(FV_CHUNK_EXTENT, root_index, root_gen);
    uint64_t keep = (FV_MAX(bytes, 1u) + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES * FV_CHUNK_BYTES;
    if (keep >= old_bytes || old_bytes <= FV_SMALL_MOST)
        return;
    uint32_t c = fv_chunk_of(offset + keep), s = (c - 1) / FV_SUPER_CHUNKS;
    if (fv_load_relaxed_64(&fv_map.supers[s]) == root) /* a super is kept whole */
        c = fv_super_end(s);
    uint32_t end = fv_chunk_of(offset) + (uint32_t)((old_bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES);
    if (c < end)
        fv_extent_free(c, end - c, root);
}

bool fv_arena_owned(uint64_t offset, uint32_t root_index, uint32_t root_gen) {
    uint32_t c = fv_chunk_of(offset);
    uint64_t root = fv_root_word(FV_CHUNK_EXTENT, root_index, root_gen);
    if (fv_load_acquire_64(&fv_map.supers[c / FV_SUPER_CHUNKS]) == root)
        return true;
    uint64_t w = fv_load_acquire_64(&fv_map.chunks[c]);
    if (!is_in_small(w, offset, c))
        return w == root;
    return fv_load_acquire_64(&block_words(c)[block_number(offset, c, word_class(w))]) == fv_root_word(FV_BLOCK_USED, root_index, root_gen);
}

static void walk_chunk(uint32_t c, uint32_t owner, fv_arena_fn *fn, void *arg) {
    /* ORDER chunk (acquire): SMALL before its block words.  Pairs with chunk (release) in claim_small(). */
    uint64_t w = fv_load_acquire_64(&fv_map.chunks[c]);
    if (fv_word_kind(w) == FV_CHUNK_SMALL && (owner == FV_NO_PROC || word_owner(w) == owner)) {
        unsigned k = word_class(w);
        for (uint32_t i = 0; i < class_blocks[k]; i++) {
            uint64_t b = fv_load_acquire_64(&block_words(c)[i]);
            if (b != 0)
                fn(arg, fv_chunk_offset(c) + class_first[k] + (uint64_t)i * class_bytes[k], class_bytes[k], fv_word_index(b), (uint32_t)b);
        }
    } else if (fv_word_kind(w) == FV_CHUNK_EXTENT) {
        fn(arg, fv_chunk_offset(c), FV_CHUNK_BYTES, fv_word_index(w), (uint32_t)w);
    }
}

bool fv_arena_root_at(uint64_t offset, uint32_t *index_out, uint32_t *gen_out) {
    if (offset < fv_map.seg->off_data || offset >= fv_map.seg->all_bytes)
        return false;
    uint32_t c = fv_chunk_of(offset);
    uint64_t super = fv_load_acquire_64(&fv_map.supers[c / FV_SUPER_CHUNKS]), w = super;
    if (fv_word_kind(super) != FV_CHUNK_EXTENT)
        w = fv_load_acquire_64(&fv_map.chunks[c]);
    if (fv_word_kind(w) == FV_CHUNK_SMALL) {
        unsigned k = word_class(w);
        uint64_t at = offset - fv_chunk_offset(c);
        if (k >= N_CLASSES || at < class_first[k] || (at - class_first[k]) / class_bytes[k] >= class_blocks[k])
            return false;
        w = fv_load_acquire_64(&block_words(c)[(at - class_first[k]) / class_bytes[k]]);
    }
    *index_out = fv_word_index(w);
    *gen_out = (uint32_t)w;
    return w != 0 && *index_out != FV_NO_ROOT;
}

void fv_arena_walk(uint32_t owner, fv_arena_fn *fn, void *arg) {
    for (uint32_t s = 0, n = fv_all_supers(); s < n; s++) {
        uint32_t first = s * FV_SUPER_CHUNKS, end = fv_super_end(s);
        uint64_t w = fv_load_acquire_64(&fv_map.supers[s]);
        if (fv_word_kind(w) == FV_CHUNK_EXTENT)
            fn(arg, fv_chunk_offset(first), (uint64_t)(end - first) * FV_CHUNK_BYTES, fv_word_index(w), (uint32_t)w);
        for (uint32_t c = first; c < end; c++) /* whatever the super is: who died may have been about to take a claim back */
            if (fv_load_relaxed_64(&fv_map.chunks[c]) != 0)
                walk_chunk(c, owner, fn, arg);
    }
}

void fv_arena_trim(uint32_t owner) {
    for (uint32_t s = 0; s < fv_map.seg->n_supers; s++) {
        if (fv_word_kind(fv_load_relaxed_64(&fv_map.supers[s])) != FV_SUPER_SPLIT)
            continue;
        for (uint32_t c = s * FV_SUPER_CHUNKS; c < fv_super_end(s); c++) {
            uint64_t w = fv_load_relaxed_64(&fv_map.chunks[c]);
            if (fv_word_kind(w) != FV_CHUNK_SMALL || word_owner(w) != owner)
                continue;
            uint32_t k = word_class(w), i = 0;
            while (i < class_blocks[k] && fv_load_acquire_64(&block_words(c)[i]) == 0)
                i++;
            if (i == class_blocks[k])
                fv_store_release_64(&fv_map.chunks[c], 0);
        }
    }
}

static uint64_t used_bytes(uint32_t from, uint32_t to) {
    uint64_t used = 0;
    for (uint32_t s = from; s < to; s++) {
        uint64_t w = fv_load_relaxed_64(&fv_map.supers[s]);
        if (fv_word_kind(w) == FV_CHUNK_EXTENT)
            used += fv_super_end(s) - s * FV_SUPER_CHUNKS;
        else if (fv_word_kind(w) == FV_SUPER_SPLIT)
            for (uint32_t c = s * FV_SUPER_CHUNKS; c < fv_super_end(s); c++)
                used += fv_load_relaxed_64(&fv_map.chunks[c]) != 0;
    }
    return used * FV_CHUNK_BYTES;
}

uint64_t fv_arena_used_bytes(void) { return used_bytes(0, fv_map.seg->n_supers); }
uint64_t fv_arena_file_bytes(void) { return used_bytes(fv_map.seg->n_supers, fv_all_supers()); }
