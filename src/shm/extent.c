/* shm/extent.c: claims chunks and runs of chunks, and gives them back.  See layout.h for the words.
 *
 * Run by every process.  Writes super words, chunk words, backed.  Dies here: what it had claimed names its root, which nobody
 * published, or FV_NO_ROOT and the dead; a super that it wanted whole is SPLIT by the dead.  fv_arena_walk() and
 * fv_extent_sweep() find these.  Single chunks are taken from the low end, runs from the high end, so that long-lived
 * small blocks do not cut the room for large ones.
 */
#include "shm/extent.h"

#include <sys/mman.h>

#include "shm/bell.h"
#include "shm/mapped.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define NONE       (~0u)
#define LOOKS      64u   /* supers looked at for warm memory, beyond what the run needs */
#define MOST_TRIES 1000u /* others took what we had found */
#define PATIENCE   100   /* looks at a full store of which the helper has a part just now */

static inline uint64_t split_word(uint32_t by) { return (uint64_t)FV_SUPER_SPLIT << 60 | by; }
#define SPLIT split_word(0)

/* ------------------------------------------------------------------------------------------------ memory */

bool fv_chunks_backed(uint32_t c, uint32_t end) {
    while (c < end) {
        if (c % 8 == 0 && end - c >= 8) { /* eight at a time */
            if (fv_load_relaxed_64((const uint64_t *)(const void *)&fv_map.backed[c]) != 0x0101010101010101ull)
                return false;
            c += 8;
        } else if (fv_load_relaxed_8(&fv_map.backed[c++]) == 0) {
            return false;
        }
    }
    return true;
}

void fv_chunks_set_backed(uint32_t c, uint32_t end, bool on) {
    uint32_t changed = 0;
    for (; c < end; c++) {
        changed += fv_load_relaxed_8(&fv_map.backed[c]) != on;
        fv_store_relaxed_8(&fv_map.backed[c], on);
    }
    if (changed != 0 && !fv_chunk_in_file(end - 1))
        fv_faa_32(&fv_map.seg->backed_chunks, on ? changed : -changed);
}

/* Memory behind chunks [c, end): true when it is there.  The caller has claimed them. */
static bool back(uint32_t c, uint32_t end) {
    if (FV_LIKELY(fv_chunks_backed(c, end)))
        return true;
    while (c < end) {
        if (fv_load_relaxed_8(&fv_map.backed[c])) {
            c++;
            continue;
        }
        uint32_t j = c;
        while (j < end && !fv_load_relaxed_8(&fv_map.backed[j]))
            j++;
        uint64_t offset = fv_chunk_offset(c), bytes = (uint64_t)(j - c) * FV_CHUNK_BYTES;
        if (fv_segment_alloc(offset, bytes) < 0)
            return false;
        if (bytes >= FV_SUPER_BYTES && !fv_chunk_in_file(c)) /* one call is cheaper than a fault for each page; where it fails these come */
            if (madvise(fv_at(offset), bytes, MADV_POPULATE_WRITE) == 0 && fv_mapped_matters())
                fv_mapped_note(c, j);
        fv_chunks_set_backed(c, j, true);
        c = j;
    }
    return true;
}

/* Is there memory ahead, too?  If not the helper should see to that. */
static void look_ahead(uint32_t c, bool upwards) {
    const struct fv_warm_state *w = &fv_map.seg->warm;
    uint32_t                    n = fv_map.seg->n_chunks, step = upwards ? w->ahead_low : w->ahead_high;
    if (step == 0 || !fv_load_relaxed_32(&w->parked))
        return;
    uint32_t ahead = upwards ? c + step : c - step;
    if (ahead < n && !fv_load_relaxed_8(&fv_map.backed[ahead]))
        fv_warm_ring();
}

/* ------------------------------------------------------------------------------------------------ claims */

static bool is_unused(uint32_t s) {
    for (uint32_t c = s * FV_SUPER_CHUNKS, end = fv_super_end(s); c < end; c++)
        if (fv_load_acquire_64(&fv_map.chunks[c]) != 0)
            return false;
    return true;
}

bool fv_super_claim(uint32_t s, uint32_t owner, uint64_t root) {
    uint64_t *word = &fv_map.supers[s], w = fv_load_relaxed_64(word);
    if (FV_LIKELY(w == 0))
        return fv_cas_64(word, 0, root);
    if (w != SPLIT || !is_unused(s) || !fv_cas_64(word, SPLIT, split_word(owner + 1)))
        return false;
    /* ORDER split (seq_cst): the super is not SPLIT 0 any more, by the CAS, before we look at its chunks once more.  Pairs with
     * split (seq_cst) in claim_chunks().  Losing it: a chunk of what is ours is somebody else's, too. */
    bool whole = is_unused(s);
    fv_store_release_64(word, whole ? root : SPLIT);
    return whole;
}

/* Chunks [c, end) of super s. */
static bool claim_chunks(uint32_t s, uint32_t c, uint32_t end, uint64_t root) {
    uint64_t *word = &fv_map.supers[s];
    uint32_t  k = c;
    if (fv_load_relaxed_64(word) == 0)
        fv_cas_64(word, 0, SPLIT);
    if (fv_load_relaxed_64(word) != SPLIT)
        return false;
    while (k < end && fv_cas_64(&fv_map.chunks[k], 0, root))
        k++;
    /* ORDER split (seq_cst): the chunk words, by CAS, before the super's word is read once more.  Pairs with split (seq_cst) in
     * fv_super_claim(). */
    if (k == end && fv_load_acquire_64(word) == SPLIT)
        return true;
    while (k > c)
        fv_store_release_64(&fv_map.chunks[--k], 0);
    return false;
}

/* What of the run lies in super s, from chunk c on: its end; whether that is all of the super. */
static inline uint32_t part_of(uint32_t s, uint32_t c, uint32_t end, bool *whole_out) {
    uint32_t to = FV_MIN(end, fv_super_end(s));
    *whole_out = c == s * FV_SUPER_CHUNKS && to == fv_super_end(s);
    return to;
}

static void unclaim(uint32_t first, uint32_t end) {
    bool whole;
    for (uint32_t c = first, to; c < end; c = to) {
        uint32_t s = c / FV_SUPER_CHUNKS;
        to = part_of(s, c, end, &whole);
        if (whole)
            fv_store_release_64(&fv_map.supers[s], 0);
        else
            for (uint32_t k = c; k < to; k++)
                fv_store_release_64(&fv_map.chunks[k], 0);
    }
}

static bool claim_run(uint32_t first, uint32_t end, uint32_t owner, uint64_t root) {
    bool whole;
    for (uint32_t c = first, to; c < end; c = to) {
        uint32_t s = c / FV_SUPER_CHUNKS;
        to = part_of(s, c, end, &whole);
        if (!(whole ? fv_super_claim(s, owner, root) : claim_chunks(s, c, to, root))) {
            unclaim(first, c);
            return false;
        }
    }
    return true;
}

/* First chunk of a run of `want` free chunks in [lowest, from), from above, looking at so many supers; NONE.  warm: where memory is
 * already.  A run of more than a super begins with one where it can: for large pages. */
static uint32_t find_run(uint32_t lowest, uint32_t from, uint32_t want, uint32_t looks, bool warm) {
    uint32_t c = from, got = 0;
    for (; c > lowest && looks > 0; looks--) {
        uint32_t s = (c - 1) / FV_SUPER_CHUNKS, low = FV_MAX(s * FV_SUPER_CHUNKS, lowest);
        uint64_t w = fv_load_relaxed_64(&fv_map.supers[s]);
        if ((w != 0 && w != SPLIT) || (warm && !fv_chunks_backed(low, c))) {
            got = 0;
            c = low;
        } else if (w == 0) {
            got += c - low;
            c = low;
        } else {
            for (; c > low && got < want; c--)
                got = fv_load_relaxed_64(&fv_map.chunks[c - 1]) == 0 ? got + 1 : 0;
        }
        if (got >= want) {
            uint32_t start = c + (got - want), whole = start / FV_SUPER_CHUNKS * FV_SUPER_CHUNKS;
            return want >= FV_SUPER_CHUNKS && whole >= c ? whole : start;
        }
    }
    return NONE;
}

void fv_extent_hints_init(struct fv_extent_hints *h) {
    h->small = 0;
    h->part = h->whole = h->again = fv_map.seg->n_chunks;
}

/* Finds and claims; *c_out is then the first chunk.  False when nothing was found. */
static bool take_run_in(uint32_t lowest, uint32_t from, uint32_t want, uint32_t looks, bool warm, uint32_t owner, uint64_t root, uint32_t *c_out) {
    for (uint32_t tries = 0; tries < MOST_TRIES; tries++) {
        uint32_t c = find_run(lowest, from, want, looks, warm);
        if (c == NONE)
            return false;
        if (claim_run(c, c + want, owner, root)) {
            *c_out = c;
            return true;
        }
    }
    return false;
}

static bool take_run(uint32_t from, uint32_t want, uint32_t looks, bool warm, uint32_t owner, uint64_t root, uint32_t *c_out) {
    return take_run_in(0, from, want, looks, warm, owner, root, c_out);
}

static uint32_t claim_extent(struct fv_extent_hints *h, uint32_t owner, uint32_t want, uint64_t root) {
    uint32_t  n = fv_map.seg->n_chunks, c = NONE, looks = LOOKS + want / FV_SUPER_CHUNKS * 2;
    uint32_t *hint = want < FV_SUPER_CHUNKS ? &h->part : &h->whole;
    if (want > n)
        return NONE;
    /* Warm memory where we were last, then elsewhere, a part at each call; then any. */
    if (!take_run(*hint, want, looks, true, owner, root, &c)) {
        uint32_t again = h->again;
        h->again = again > looks / 2 * FV_SUPER_CHUNKS ? again - looks / 2 * FV_SUPER_CHUNKS : n;
        if (!take_run(again, want, looks, true, owner, root, &c) && !take_run(*hint, want, NONE, false, owner, root, &c) &&
            !take_run(n, want, NONE, false, owner, root, &c))
            return NONE;
    }
    if (!back(c, c + want)) { /* memory is out: perhaps there is some behind free chunks farther off */
        unclaim(c, c + want);
        if (!take_run(n, want, NONE, true, owner, root, &c))
            return NONE;
        if (!back(c, c + want)) {
            unclaim(c, c + want);
            return NONE;
        }
    }
    *hint = c;
    if (fv_mapped_matters())
        fv_mapped_add(c, c + want);
    fv_faa_32(&fv_map.seg->extent_chunks, want);
    look_ahead(c, false);
    return c;
}

/* The helper has claimed some, to give memory back: it is free again soon. */
static bool is_some_on_its_way(void) {
    uint64_t theirs = fv_claim_word(FV_WARM_OWNER);
    for (uint32_t s = 0; s < fv_map.seg->n_supers; s++)
        if (fv_load_acquire_64(&fv_map.supers[s]) == theirs)
            return true;
    return false;
}

uint32_t fv_extent_claim(struct fv_extent_hints *h, uint32_t owner, uint32_t want, uint64_t root) {
    uint32_t c = claim_extent(h, owner, want, root);
    for (int i = 0; c == NONE && i < PATIENCE && is_some_on_its_way(); i++) {
        fv_pause();
        c = claim_extent(h, owner, want, root);
    }
    return c;
}

bool fv_chunk_claim(struct fv_extent_hints *h, uint32_t owner, uint32_t *chunk_out) {
    uint32_t n = fv_map.seg->n_chunks, n_supers = fv_map.seg->n_supers, c = h->small < n ? h->small : 0;
    for (uint32_t looked = 0; looked <= n_supers;) {
        uint32_t s = c / FV_SUPER_CHUNKS, end = fv_super_end(s);
        uint64_t w = fv_load_relaxed_64(&fv_map.supers[s]);
        if (w == SPLIT)
            while (c < end && fv_load_relaxed_64(&fv_map.chunks[c]) != 0)
                c++;
        if ((w == 0 || w == SPLIT) && c < end && claim_chunks(s, c, c + 1, fv_claim_word(owner))) {
            if (!back(c, c + 1)) {
                fv_store_release_64(&fv_map.chunks[c], 0);
                return false;
            }
            h->small = c + 1;
            if (fv_mapped_matters())
                fv_mapped_add(c, c + 1);
            look_ahead(c, true);
            *chunk_out = c;
            return true;
        }
        if ((w == 0 || w == SPLIT) && c + 1 < end) { /* somebody else was quicker */
            c++;
            continue;
        }
        looked++;
        c = end == n ? 0 : end;
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------ the fallback */

/* Where there is space already, so that a full disk refuses nothing that it need not; else anywhere. */
uint32_t fv_extent_claim_file(uint32_t owner, uint32_t from, uint32_t want, uint64_t root) {
    uint32_t lowest = fv_map.seg->file_chunk + from, end = fv_part_end(fv_map.seg->file_chunk), c = NONE;
    if (lowest >= end || want > end - lowest)
        return NONE;
    if (take_run_in(lowest, end, want, NONE, true, owner, root, &c))
        return c;
    if (!take_run_in(lowest, end, want, NONE, false, owner, root, &c))
        return NONE;
    if (back(c, c + want))
        return c;
    unclaim(c, c + want);
    return NONE;
}

/* Claimed, unmarked, given back, freed.  Killed after any of these: fv_extent_sweep() frees it, it is marked only where there is space. */
bool fv_extent_trim_file(uint32_t owner, uint32_t from) {
    bool more = false;
    for (uint32_t s = (fv_map.seg->file_chunk + from + FV_SUPER_CHUNKS - 1) / FV_SUPER_CHUNKS, n = fv_all_supers(); s < n; s++) {
        uint32_t c = s * FV_SUPER_CHUNKS, end = fv_super_end(s), k = c;
        while (k < end && !fv_load_relaxed_8(&fv_map.backed[k]))
            k++;
        if (k == end)
            continue;
        if (!fv_super_claim(s, owner, fv_claim_word(owner))) {
            more = true;
            continue;
        }
        fv_chunks_set_backed(c, end, false);
        fv_segment_release(fv_chunk_offset(c), (uint64_t)(end - c) * FV_CHUNK_BYTES);
        fv_super_release(s);
    }
    return more;
}

/* ------------------------------------------------------------------------------------------------ back */

void fv_extent_free(uint32_t first, uint32_t n_chunks, uint64_t root) {
    uint32_t end = FV_MIN(first + n_chunks, fv_part_end(first)), n = 0;
    for (uint32_t s = first / FV_SUPER_CHUNKS; s * FV_SUPER_CHUNKS < end; s++) {
        uint64_t *word = &fv_map.supers[s];
        if (fv_load_relaxed_64(word) == root && fv_cas_64(word, root, 0)) {
            n += fv_super_end(s) - s * FV_SUPER_CHUNKS;
            continue;
        }
        for (uint32_t c = FV_MAX(first, s * FV_SUPER_CHUNKS), to = FV_MIN(end, fv_super_end(s)); c < to; c++)
            if (fv_load_relaxed_64(&fv_map.chunks[c]) == root)
                n += fv_cas_64(&fv_map.chunks[c], root, 0);
    }
    if (fv_chunk_in_file(first))
        return;
    fv_faa_32(&fv_map.seg->extent_chunks, -n);
    if (n_chunks >= FV_SUPER_CHUNKS && fv_load_relaxed_32(&fv_map.seg->warm.too_much) && fv_load_relaxed_32(&fv_map.seg->warm.parked))
        fv_warm_ring();
}

void fv_extent_sweep(uint32_t owner) {
    for (uint32_t s = 0, n = fv_all_supers(); s < n; s++) {
        if (fv_load_relaxed_64(&fv_map.supers[s]) == split_word(owner + 1))
            fv_cas_64(&fv_map.supers[s], split_word(owner + 1), SPLIT);
        if (fv_load_relaxed_64(&fv_map.supers[s]) == fv_claim_word(owner))
            fv_cas_64(&fv_map.supers[s], fv_claim_word(owner), 0);
    }
}

uint32_t fv_extent_count(void) {
    uint32_t n = 0;
    for (uint32_t s = 0; s < fv_map.seg->n_supers; s++) {
        uint64_t w = fv_load_relaxed_64(&fv_map.supers[s]);
        uint32_t c = s * FV_SUPER_CHUNKS, end = fv_super_end(s);
        if (fv_word_kind(w) == FV_CHUNK_EXTENT)
            n += fv_word_index(w) != FV_NO_ROOT ? end - c : 0;
        for (; fv_word_kind(w) == FV_SUPER_SPLIT && c < end; c++) {
            uint64_t k = fv_load_relaxed_64(&fv_map.chunks[c]);
            n += fv_word_kind(k) == FV_CHUNK_EXTENT && fv_word_index(k) != FV_NO_ROOT;
        }
    }
    return n;
}

/* Others go on meanwhile.  What one of them has claimed, or freed, and not yet added is counted twice: such an error is gone with the next
 * death.  A count during which somebody has added is worth nothing; after a few of these it stays as it is. */
void fv_extent_recount(void) {
    for (int tries = 0; tries < 4; tries++) {
        uint32_t before = fv_load_acquire_32(&fv_map.seg->extent_chunks), n = fv_extent_count();
        if (n == before || fv_cas_32(&fv_map.seg->extent_chunks, before, n))
            return;
    }
}
