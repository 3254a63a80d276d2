/* run/warm.c: the helper process: makes the warm part of the store resident, in large pages where that can be had.
 *
 * Forked by the supervisor, runs at idle priority, ends when it is done.  Writes `backed` (monotonic) and the
 * memory's residence, never its contents.  Dies here: less is warm.  Users then allocate as they go.
 * Where: small blocks are taken from the low end of the data area and extents from the high end, so both ends are warmed.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "plat/shmfile.h"
#include "run/runtime.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define STEP_BYTES  (2ull << 20)
#define STEP_CHUNKS (STEP_BYTES / FV_CHUNK_BYTES)
#define LOW_PART    16 /* one of so many steps is for small blocks */

static bool warm_step(uint32_t step) {
    uint32_t c = step * STEP_CHUNKS, n = FV_MIN(STEP_CHUNKS, fv_map.seg->n_chunks - c), fresh = 0;
    uint64_t offset = fv_map.seg->off_data + (uint64_t)c * FV_CHUNK_BYTES, bytes = (uint64_t)n * FV_CHUNK_BYTES;
    if (fv_shmfile_alloc(fv_map.fd, offset, bytes) < 0)
        return false;
    for (uint32_t i = c; i < c + n; i++) {
        fresh += !fv_map.backed[i];
        fv_store_relaxed_8(&fv_map.backed[i], 1);
    }
    fv_faa_32(&fv_map.seg->backed_chunks, fresh);
    char *at = fv_at(offset);
    if (bytes == STEP_BYTES && madvise(at, bytes, MADV_COLLAPSE) == 0)
        return true;
    (void)madvise(at, bytes, MADV_POPULATE_WRITE); /* resident at least */
    return true;
}

void fv_warm_main(void) {
    struct sched_param none = {0};
    if (sched_setscheduler(0, SCHED_IDLE, &none) < 0)
        (void)setpriority(PRIO_PROCESS, 0, 19);
    uint32_t steps = (uint32_t)((fv_map.seg->n_chunks + STEP_CHUNKS - 1) / STEP_CHUNKS);
    uint32_t want = (uint32_t)FV_MIN(fv_rt.options.store_warm / STEP_BYTES, steps), low = 0, high = steps;
    for (uint32_t k = 0; k < want && low < high; k++)
        if (!warm_step(k % LOW_PART == 0 ? low++ : --high))
            break;
    _exit(0);
}
