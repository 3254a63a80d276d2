/* policy/evict.h: which objects leave the store when room is needed.
 *
 * Pure: a view of the data area comes in, run by run from its low end to its high end, and a decision goes out.  No clock, no atomics,
 * no allocation.  The keeper (run/keeper.c) calls it; test/t_evict.c compares it with brute force.
 *
 * What an allocator needs is chunks side by side, so what counts is not how many bytes leave but where they lie: the
 * victims are those objects of one stretch that, with the free chunks between them, is long enough, whose sum of costs is least.
 *
 *   cost     what it takes to write it, if no copy of it stands on disk, and to read it back, if it is needed again: that is the more
 *            likely the younger its last use is.  For each object a constant is added: many small ones are worse than a large one.
 */
#ifndef FV_POLICY_EVICT_H
#define FV_POLICY_EVICT_H

#include <stdbool.h>
#include <stdint.h>

enum fv_evict_kind { FV_EVICT_FREE, FV_EVICT_FIXED /* cannot go */, FV_EVICT_OBJECT };

struct fv_evict_run {
    uint32_t chunks;
    uint8_t  kind;
    bool     clean; /* a copy of it stands on disk */
    bool     soon;  /* somebody has said that he will need it */
    uint32_t age;   /* 0: used just now; more: longer ago, in any unit that grows */
};

#define FV_EVICT_EACH 4u /* costs as much as so many chunks */

uint64_t fv_evict_cost(const struct fv_evict_run *run);
/* The stretch of runs [*first_out, *first_out + the result) of at least `need` chunks without a fixed one that costs least, of
 * equals the shortest.  0: there is none. */
uint32_t fv_evict_stretch(const struct fv_evict_run *runs, uint32_t n, uint64_t need, uint32_t *first_out);
/* Is it better that a leaves than b, when any bytes will do?  For sorting: those that cost least for each chunk first. */
bool     fv_evict_before(const struct fv_evict_run *a, const struct fv_evict_run *b);

#endif
