/* shm/mapped.c: see mapped.h.
 *
 * Run by every process.  Writes nothing shared.  What it knows is a hint: too little costs a call, too much the faults that there would
 * be without it.  The helper punches holes into what it gives back, and takes our entries away with that: it counts, and we begin anew.
 */
#include "shm/mapped.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "shm/extent.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

#define STEP 8u /* chunks populated ahead at once: 128 pages, some 50 us */

static uint32_t *mapped;     /* a word for each super, a bit for each of its chunks (atomic among the threads of a driver) */
static uint32_t  seen_given; /* what the helper had given back when we last began anew */
static uint32_t  all_of;     /* 1 + backed chunks when nothing was left to do; 0: something may be */

/* NULL: out of memory, then all is as without it. */
static uint32_t *words(void) {
    uint32_t *w = __atomic_load_n(&mapped, __ATOMIC_ACQUIRE), *none = NULL;
    uint32_t  given = fv_load_relaxed_32(&fv_map.seg->warm.given_back);
    if (w == NULL) {
        if ((w = calloc(fv_map.seg->n_supers, sizeof *w)) == NULL)
            return NULL;
        if (!__atomic_compare_exchange_n(&mapped, &none, w, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            free(w);
            w = none;
        }
    }
    if (FV_UNLIKELY(given != fv_load_relaxed_32(&seen_given))) {
        fv_store_relaxed_32(&seen_given, given);
        fv_store_relaxed_32(&all_of, 0);
        for (uint32_t s = 0; s < fv_map.seg->n_supers; s++)
            fv_store_relaxed_32(&w[s], 0);
    }
    return w;
}

static uint32_t bits(uint32_t s, uint32_t c, uint32_t end) { /* of chunks [c, end) of super s */
    uint32_t n = end - c, first = c - s * FV_SUPER_CHUNKS;
    return (n == FV_SUPER_CHUNKS ? ~0u : (1u << n) - 1) << first;
}

static void populate(uint32_t c, uint32_t end) {
    if (c < end)
        (void)madvise(fv_at(fv_chunk_offset(c)), (uint64_t)(end - c) * FV_CHUNK_BYTES, MADV_POPULATE_READ); /* else they come by faults */
}

void fv_mapped_note(uint32_t c, uint32_t end) {
    uint32_t *w = words();
    for (uint32_t to; w != NULL && c < end; c = to) {
        uint32_t s = c / FV_SUPER_CHUNKS;
        to = FV_MIN(end, fv_super_end(s));
        __atomic_fetch_or(&w[s], bits(s, c, to), __ATOMIC_RELAXED);
    }
}

void fv_mapped_add(uint32_t c, uint32_t end) {
    uint32_t *w = words(), from = c;
    for (uint32_t to; w != NULL && c < end; c = to) {
        uint32_t s = c / FV_SUPER_CHUNKS, all;
        to = FV_MIN(end, fv_super_end(s));
        all = bits(s, c, to);
        if ((fv_load_relaxed_32(&w[s]) & all) == all) {
            populate(from, c);
            from = to;
        } else {
            __atomic_fetch_or(&w[s], all, __ATOMIC_RELAXED);
        }
    }
    if (w != NULL)
        populate(from, end);
}

bool fv_mapped_ahead(void) {
    uint32_t  n = fv_map.seg->n_supers, backed = fv_load_relaxed_32(&fv_map.seg->backed_chunks) + 1;
    uint32_t *w = words();
    if (w == NULL || fv_load_relaxed_32(&all_of) == backed)
        return false;
    for (uint32_t s = n; s-- > 0;) { /* extents come from the high end */
        uint32_t first = s * FV_SUPER_CHUNKS, end = fv_super_end(s), have = fv_load_relaxed_32(&w[s]), all = bits(s, first, end);
        if ((have & all) == all || fv_load_relaxed_64(&fv_map.supers[s]) != 0 || !fv_chunks_backed(first, end))
            continue;
        uint32_t c = first + (uint32_t)__builtin_ctz(~have), to = FV_MIN(c + STEP, end);
        fv_mapped_add(c, to);
        return true;
    }
    fv_store_relaxed_32(&all_of, backed);
    return false;
}

void fv_mapped_forget(void) {
    free(mapped);
    mapped = NULL;
    seen_given = all_of = 0;
}
