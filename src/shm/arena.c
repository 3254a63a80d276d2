/* shm/arena.c: the crash-safe allocator of the data area.  See layout.h for the words.
 *
 * Run by every process.  Writes chunk words, block words, backed.  Dies here: a claimed chunk without blocks stays
 * with its slot; a block or extent whose root was never published, or is gone, is found by
 * fv_arena_walk() and freed.  Small chunks are taken from the low end, extents from the high end, so
 * that long-lived small blocks do not cut the room for large ones.
 */
#include "shm/arena.h"

#include <stdlib.h>
#include <string.h>

#include "plat/shmfile.h"

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
static inline uint64_t root_word(unsigned kind, uint32_t index, uint32_t gen) {
    return (uint64_t)kind << 60 | (uint64_t)index << 32 | gen;
}
static inline unsigned word_kind(uint64_t w) { return (unsigned)(w >> 60); }
static inline uint32_t word_owner(uint64_t w) { return (uint32_t)(w >> 8) & 0xFFFF; }
static inline unsigned word_class(uint64_t w) { return (unsigned)(w & 0xFF); }
static inline uint32_t word_index(uint64_t w) { return (uint32_t)(w >> 32) & 0x0FFFFFFF; }

static inline uint64_t chunk_offset(uint32_t chunk) { return fv_map.seg->off_data + (uint64_t)chunk * FV_CHUNK_BYTES; }
static inline uint64_t *block_words(uint32_t chunk) { return fv_at(chunk_offset(chunk)); }

uint64_t fv_arena_capacity(void) { return (uint64_t)fv_map.seg->n_chunks * FV_CHUNK_BYTES; }

/* Number of the block at offset in chunk c of class k.  A multiplication: exact, since the distance is a multiple of the size
 * and below 2^16, so that the inverse's error adds less than 2^-16. */
static inline uint32_t block_number(uint64_t offset, uint32_t c, unsigned k) {
    return (uint32_t)((offset - chunk_offset(c) - class_first[k]) * class_inverse[k] >> 32);
}

/* Memory behind chunks [c, c + n): true when it is there.  The caller has claimed them. */
static bool back(uint32_t c, uint32_t n) {
    for (uint32_t i = c; i < c + n;) {
        if (fv_map.backed[i]) {
            i++;
            continue;
        }
        uint32_t j = i;
        while (j < c + n && !fv_map.backed[j])
            j++;
        if (fv_segment_alloc(chunk_offset(i), (uint64_t)(j - i) * FV_CHUNK_BYTES) < 0)
            return false;
        memset(&fv_map.backed[i], 1, j - i); /* frozen from here on; writing it twice is harmless */
        fv_faa_32(&fv_map.seg->backed_chunks, j - i);
        i = j;
    }
    return true;
}

void fv_heap_init(struct fv_heap *h, uint32_t owner) {
    memset(h, 0, sizeof *h);
    h->owner = owner;
    h->extent_hint = ~0u;
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
    for (uint32_t c = 0; c < fv_map.seg->n_chunks; c++) {
        uint64_t w = fv_load_relaxed_64(&fv_map.chunks[c]);
        if (word_kind(w) == FV_CHUNK_SMALL && word_owner(w) == h->owner)
            class_add(&h->cls[word_class(w)], c);
    }
}

static bool claim_small(struct fv_heap *h, unsigned c) {
    uint32_t n = fv_map.seg->n_chunks;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = (h->small_hint + k) % n;
        if (fv_load_relaxed_64(&fv_map.chunks[i]) != 0)
            continue;
        /* Claimed as a part of nothing first: its block words must be clean before it counts as SMALL. */
        uint64_t mine = root_word(FV_CHUNK_EXTENT, FV_NO_ROOT, h->owner);
        if (!fv_cas_64(&fv_map.chunks[i], 0, mine))
            continue;
        if (!back(i, 1) || !class_add(&h->cls[c], i)) {
            fv_store_release_64(&fv_map.chunks[i], 0);
            return false;
        }
        memset(block_words(i), 0, class_first[c]);
        /* ORDER chunk (release): clean block words before SMALL.  Pairs with chunk (acquire) in fv_arena_walk(). */
        fv_store_release_64(&fv_map.chunks[i], small_word(h->owner, c));
        h->small_hint = i + 1;
        h->cls[c].at = h->cls[c].n - 1;
        h->cls[c].pos = 0;
        return true;
    }
    return false;
}

static uint64_t alloc_small(struct fv_heap *h, unsigned c, uint64_t root) {
    struct fv_heap_class *k = &h->cls[c];
    if (FV_LIKELY(k->n != 0)) { /* the block freed last, or the next one */
        uint32_t  chunk = k->chunk[k->at], pos = k->pos;
        uint64_t *word = &block_words(chunk)[pos];
        /* ORDER block (acquire): whoever freed the block is done with it.  Pairs with block (release) in fv_arena_free(). */
        if (FV_LIKELY(fv_load_acquire_64(word) == 0 && pos + 1 < class_blocks[c])) {
            k->pos = pos + 1;
            fv_store_relaxed_64(word, root);
            return chunk_offset(chunk) + class_first[c] + (uint64_t)pos * class_bytes[c];
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
            return chunk_offset(chunk) + class_first[c] + (uint64_t)pos * class_bytes[c];
        }
    }
}

static uint64_t alloc_extent(struct fv_heap *h, uint64_t bytes, uint64_t root) {
    uint32_t n = fv_map.seg->n_chunks;
    uint64_t want64 = (bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES;
    if (want64 > n)
        return 0;
    uint32_t want = (uint32_t)want64;
    if (h->extent_hint > n || h->extent_hint < want)
        h->extent_hint = n;
    for (int round = 0; round < 2; round++) { /* downwards from the hint, then from the top */
        uint32_t end = round == 0 ? h->extent_hint : n, got = 0, c = end;
        while (c > 0 && got < want) {
            c--;
            got = fv_load_relaxed_64(&fv_map.chunks[c]) == 0 ? got + 1 : 0;
            if (got < want)
                continue;
            uint32_t k = 0;
            while (k < want && fv_cas_64(&fv_map.chunks[c + k], 0, root))
                k++;
            if (k == want) {
                if (back(c, want)) {
                    h->extent_hint = c;
                    return chunk_offset(c);
                }
                k = want;
            }
            bool full = k == want;
            while (k > 0)
                fv_store_release_64(&fv_map.chunks[c + --k], 0);
            if (full)
                return 0;
            got = 0;
        }
    }
    return 0;
}

uint64_t fv_arena_alloc(struct fv_heap *h, uint32_t root_index, uint32_t root_gen, uint64_t bytes) {
    if (FV_UNLIKELY(!h->rebuilt))
        rebuild(h);
    if (bytes <= FV_SMALL_MOST) {
        uint64_t offset = alloc_small(h, class_of(bytes), root_word(FV_BLOCK_USED, root_index, root_gen));
        if (FV_LIKELY(offset != 0))
            return offset;
        fv_arena_trim(h->owner); /* chunks of other classes that hold nothing */
        fv_heap_fini(h);
        rebuild(h);
        return alloc_small(h, class_of(bytes), root_word(FV_BLOCK_USED, root_index, root_gen));
    }
    uint64_t offset = alloc_extent(h, bytes, root_word(FV_CHUNK_EXTENT, root_index, root_gen));
    if (offset == 0) {
        fv_arena_trim(h->owner);
        fv_heap_fini(h);
        rebuild(h);
        offset = alloc_extent(h, bytes, root_word(FV_CHUNK_EXTENT, root_index, root_gen));
    }
    return offset;
}

void fv_arena_free(struct fv_heap *h, uint64_t offset, uint64_t bytes, uint32_t root_index, uint32_t root_gen) {
    uint32_t c = (uint32_t)((offset - fv_map.seg->off_data) / FV_CHUNK_BYTES);
    uint64_t w = fv_load_relaxed_64(&fv_map.chunks[c]);
    if (word_kind(w) == FV_CHUNK_SMALL) {
        unsigned k = word_class(w);
        uint32_t pos = block_number(offset, c, k);
        uint64_t *word = &block_words(c)[pos], root = root_word(FV_BLOCK_USED, root_index, root_gen);
        /* ORDER block (release): all use of the block before its word is 0.  Pairs with block (acquire) in alloc_small(). */
        if (fv_load_relaxed_64(word) == root && fv_cas_64(word, root, 0) && h != NULL && word_owner(w) == h->owner &&
            h->cls[k].at < h->cls[k].n && h->cls[k].chunk[h->cls[k].at] == c)
            h->cls[k].pos = pos; /* warm: use it next */
        return;
    }
    uint64_t root = root_word(FV_CHUNK_EXTENT, root_index, root_gen);
    uint64_t n = FV_MIN((bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES, (uint64_t)fv_map.seg->n_chunks - c);
    for (uint64_t i = 0; i < n; i++)
        if (fv_load_relaxed_64(&fv_map.chunks[c + i]) == root)
            fv_cas_64(&fv_map.chunks[c + i], root, 0);
    if (h != NULL && h->extent_hint != ~0u)
        h->extent_hint = (uint32_t)(c + n); /* warm: use it next */
}

void fv_arena_shrink(uint64_t offset, uint64_t old_bytes, uint64_t bytes, uint32_t root_index, uint32_t root_gen) {
    uint64_t keep = (FV_MAX(bytes, 1u) + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES * FV_CHUNK_BYTES;
    if (keep < old_bytes) /* an extent, then */
        fv_arena_free(NULL, offset + keep, old_bytes - keep, root_index, root_gen);
}

bool fv_arena_owned(uint64_t offset, uint32_t root_index, uint32_t root_gen) {
    uint32_t c = (uint32_t)((offset - fv_map.seg->off_data) / FV_CHUNK_BYTES);
    uint64_t w = fv_load_acquire_64(&fv_map.chunks[c]);
    if (word_kind(w) != FV_CHUNK_SMALL)
        return w == root_word(FV_CHUNK_EXTENT, root_index, root_gen);
    return fv_load_acquire_64(&block_words(c)[block_number(offset, c, word_class(w))]) == root_word(FV_BLOCK_USED, root_index, root_gen);
}

bool fv_arena_root_at(uint64_t offset, uint32_t *index_out, uint32_t *gen_out) {
    uint32_t c = (uint32_t)((offset - fv_map.seg->off_data) / FV_CHUNK_BYTES);
    if (offset < fv_map.seg->off_data || c >= fv_map.seg->n_chunks)
        return false;
    uint64_t w = fv_load_acquire_64(&fv_map.chunks[c]);
    if (word_kind(w) == FV_CHUNK_SMALL) {
        unsigned k = word_class(w);
        uint64_t at = offset - chunk_offset(c);
        if (k >= N_CLASSES || at < class_first[k] || (at - class_first[k]) / class_bytes[k] >= class_blocks[k])
            return false;
        w = fv_load_acquire_64(&block_words(c)[(at - class_first[k]) / class_bytes[k]]);
    }
    *index_out = word_index(w);
    *gen_out = (uint32_t)w;
    return w != 0 && *index_out != FV_NO_ROOT;
}

void fv_arena_walk(uint32_t owner, fv_arena_fn *fn, void *arg) {
    uint32_t n = fv_map.seg->n_chunks;
    for (uint32_t c = 0; c < n; c++) {
        /* ORDER chunk (acquire): SMALL before its block words.  Pairs with chunk (release) in claim_small(). */
        uint64_t w = fv_load_acquire_64(&fv_map.chunks[c]);
        if (word_kind(w) == FV_CHUNK_SMALL && (owner == FV_NO_PROC || word_owner(w) == owner)) {
            unsigned k = word_class(w);
            for (uint32_t i = 0; i < class_blocks[k]; i++) {
                uint64_t b = fv_load_acquire_64(&block_words(c)[i]);
                if (b != 0)
                    fn(arg, chunk_offset(c) + class_first[k] + (uint64_t)i * class_bytes[k], class_bytes[k], word_index(b), (uint32_t)b);
            }
        } else if (word_kind(w) == FV_CHUNK_EXTENT) {
            fn(arg, chunk_offset(c), FV_CHUNK_BYTES, word_index(w), (uint32_t)w);
        }
    }
}

void fv_arena_trim(uint32_t owner) {
    for (uint32_t c = 0; c < fv_map.seg->n_chunks; c++) {
        uint64_t w = fv_load_relaxed_64(&fv_map.chunks[c]);
        if (word_kind(w) != FV_CHUNK_SMALL || word_owner(w) != owner)
            continue;
        uint32_t k = word_class(w), i = 0;
        while (i < class_blocks[k] && fv_load_acquire_64(&block_words(c)[i]) == 0)
            i++;
        if (i == class_blocks[k])
            fv_store_release_64(&fv_map.chunks[c], 0);
    }
}

uint64_t fv_arena_used_bytes(void) {
    uint64_t used = 0;
    for (uint32_t c = 0; c < fv_map.seg->n_chunks; c++)
        used += fv_load_relaxed_64(&fv_map.chunks[c]) != 0 ? FV_CHUNK_BYTES : 0;
    return used;
}
