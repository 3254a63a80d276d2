/* run/warm.c: the helper process: keeps free memory of the store warm ahead of demand, and gives back what is too much.
 *
 * Forked by the supervisor, and again when it dies; runs at idle priority.  It sleeps on a bell of its own (shm/layout.h, struct
 * fv_warm_state) that a claim rings when there is no memory ahead of it, and the free of a large block when there may be too much.
 * Small blocks are taken from the low end of the data area and extents from the high end: it looks at both.
 *
 *   warm       store_warm bytes of free chunks have memory behind them, in 2 MiB pages where these can be had (when it is woken a quarter
 *              of them may be used up); never more than leaves
 *              5 % of what the memory cgroup (or the machine) had free at the start
 *   give back  free memory beyond store_keep, the lowest first, some time after it was freed: claimed as a super, unmarked, punched out of
 *              the file, freed.  Nobody can use it meanwhile
 *
 * Writes `backed`, super words of what it gives back, never contents.  Dies here: what it had claimed names FV_WARM_OWNER; the supervisor
 * frees it (fv_extent_sweep).  It is unmarked before it is punched, so that it is never marked without memory.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "plat/limits.h"
#include "plat/shmfile.h"
#include "run/runtime.h"
#include "shm/bell.h"
#include "shm/extent.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define LOW_PART      16u          /* one of so many bytes is for small blocks */
#define HEADROOM_STEP 32u          /* supers warmed between two looks at the headroom */
#define SHORT         0.75         /* of what is to be warm: with less it does not sleep */
#define URGENT        0.25         /* with less it does not wait */
#define QUIET_NS      20000000ll   /* between two looks after it was woken, meanwhile nobody wakes it again */
#define LAZY_NS       500000000ll
#define KEEP_NS       1000000000ll /* what was freed is given back after that, at the soonest */
#define RETRY_NS      2000000000ll /* without headroom */

static uint64_t reserve; /* bytes of headroom to leave */

static uint64_t headroom(void) {
    struct fv_limits limits;
    fv_limits_read(&limits);
    return FV_MIN(limits.mem_available, limits.cgroup_headroom);
}

/* What is free and has memory. */
struct survey {
    uint64_t warm, low; /* bytes: in all; those from the low end to the first free chunk without memory */
    uint32_t next_low, next_high; /* the first super from either end that has free chunks without memory; n_supers: none */
};

static bool is_free(uint32_t c, uint64_t super) {
    return super == 0 || (fv_word_kind(super) == FV_SUPER_SPLIT && fv_load_relaxed_64(&fv_map.chunks[c]) == 0);
}

static void look(struct survey *v) {
    uint32_t n = fv_map.seg->n_supers;
    *v = (struct survey){.next_low = n, .next_high = n};
    for (uint32_t s = 0; s < n; s++) {
        uint64_t super = fv_load_relaxed_64(&fv_map.supers[s]);
        bool     cold = false;
        if (fv_word_kind(super) == FV_CHUNK_EXTENT)
            continue;
        for (uint32_t c = s * FV_SUPER_CHUNKS; c < fv_super_end(s); c++) {
            if (!is_free(c, super))
                continue;
            if (!fv_load_relaxed_8(&fv_map.backed[c])) {
                cold = true;
            } else {
                v->warm += FV_CHUNK_BYTES;
                v->low += v->next_low == n && !cold ? FV_CHUNK_BYTES : 0;
            }
        }
        if (cold) {
            v->next_low = FV_MIN(v->next_low, s);
            v->next_high = s;
        }
    }
}

/* Memory behind all of super s, used or not, in one large page if it can be had. */
static bool warm_super(uint32_t s) {
    uint32_t c = s * FV_SUPER_CHUNKS, end = fv_super_end(s);
    uint64_t offset = fv_chunk_offset(c), bytes = (uint64_t)(end - c) * FV_CHUNK_BYTES;
    if (fv_shmfile_alloc(fv_map.fd, offset, bytes) < 0)
        return false;
    fv_chunks_set_backed(c, end, true);
    if (bytes == FV_SUPER_BYTES && madvise(fv_at(offset), bytes, MADV_COLLAPSE) == 0)
        return true;
    if (bytes == FV_SUPER_BYTES && fv_load_relaxed_64(&fv_map.supers[s]) == 0) /* nobody's use of it is the cause */
        fv_store_relaxed_32(&fv_map.seg->warm.small_pages, 1);
    (void)madvise(fv_at(offset), bytes, MADV_POPULATE_WRITE); /* resident at least */
    return true;
}

/* The next super below s, or above it, that has free chunks without memory; n_supers: none. */
static uint32_t next_cold(uint32_t s, bool upwards) {
    uint32_t n = fv_map.seg->n_supers;
    for (; s < n; s += upwards ? 1u : ~0u) {
        uint64_t super = fv_load_relaxed_64(&fv_map.supers[s]);
        if (fv_word_kind(super) == FV_CHUNK_EXTENT)
            continue;
        for (uint32_t c = s * FV_SUPER_CHUNKS; c < fv_super_end(s); c++)
            if (!fv_load_relaxed_8(&fv_map.backed[c]) && is_free(c, super))
                return s;
    }
    return n;
}

/* False: there is no headroom. */
static bool warm_up(void) {
    struct survey v;
    uint64_t      want = fv_rt.options.store_warm;
    uint32_t      n = fv_map.seg->n_supers;
    look(&v);
    uint64_t low_want = want / LOW_PART, bytes = v.warm, low_bytes = v.low;
    uint32_t low = v.next_low, high = v.next_high;
    for (uint32_t k = 0; bytes < want || low_bytes < low_want; k++) {
        bool upwards = low_bytes < low_want && (k % LOW_PART == 0 || bytes >= want);
        uint32_t s = upwards ? low : high;
        if (s >= n || (upwards && bytes >= want + low_want))
            return true;
        if (k % HEADROOM_STEP == 0 && headroom() < reserve + HEADROOM_STEP * (uint64_t)FV_SUPER_BYTES)
            return false;
        if (!warm_super(s))
            return false;
        bytes += FV_SUPER_BYTES;
        low_bytes += upwards ? FV_SUPER_BYTES : 0;
        if (upwards)
            low = next_cold(low, true);
        else
            high = next_cold(high, false);
    }
    return true;
}

/* Is less warm than a part of what is asked for, and is there more to be had? */
static bool is_below(double part) {
    struct survey v;
    look(&v);
    return v.next_high < fv_map.seg->n_supers && (double)v.warm < part * (double)fv_rt.options.store_warm;
}

/* Some was used up.  It may be free again soon, and our work slows those down that share a core or the memory's bandwidth: it waits while
 * enough is left. */
static void wait_for_need(void) {
    for (int64_t waited = 0; waited < LAZY_NS && !is_below(URGENT); waited += QUIET_NS)
        fv_warm_pause(QUIET_NS);
}

void fv_warm_give_back(uint64_t surplus) {
    uint64_t mine = fv_claim_word(FV_WARM_OWNER);
    for (uint32_t s = 0; s < fv_map.seg->n_supers && surplus >= FV_SUPER_BYTES; s++) {
        uint32_t c = s * FV_SUPER_CHUNKS, end = fv_super_end(s);
        if ((uint64_t)c * FV_CHUNK_BYTES < fv_rt.options.store_warm / LOW_PART || !fv_chunks_backed(c, end) ||
            !fv_super_claim(s, FV_WARM_OWNER, mine))
            continue;
        fv_chunks_set_backed(c, end, false);
        fv_faa_32(&fv_map.seg->warm.given_back, 1);
        fv_shmfile_release(fv_map.fd, fv_chunk_offset(c), (uint64_t)(end - c) * FV_CHUNK_BYTES);
        fv_super_release(s);
        surplus -= FV_SUPER_BYTES;
    }
}

/* How much of what is free and warm is more than is kept. */
static uint64_t surplus(void) {
    struct survey v;
    look(&v);
    return v.warm > fv_rt.options.store_keep ? (v.warm - fv_rt.options.store_keep) / FV_SUPER_BYTES * FV_SUPER_BYTES : 0;
}

void fv_warm_main(void) {
    struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
        (void)setpriority(PRIO_PROCESS, 0, 19);
    reserve = headroom() / 20;
    for (bool waited = false;;) {
        bool room = warm_up();
        /* Given back only if it was too much some time ago, too. */
        uint64_t too_much = surplus();
        if (too_much != 0 && waited)
            fv_warm_give_back(too_much);
        waited = too_much != 0 && !waited;
        fv_store_relaxed_32(&fv_map.seg->warm.too_much, (uint64_t)fv_load_relaxed_32(&fv_map.seg->backed_chunks) * FV_CHUNK_BYTES > fv_rt.options.store_keep);
        if (waited) {
            fv_warm_pause(KEEP_NS);
            continue;
        }
        if (!room)
            fv_warm_pause(RETRY_NS);
        uint32_t seen = fv_warm_park();
        if (room && is_below(SHORT)) { /* used up meanwhile */
            fv_warm_unpark();
            continue;
        }
        fv_warm_sleep(seen);
        wait_for_need();
    }
}
