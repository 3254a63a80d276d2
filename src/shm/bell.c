/* shm/bell.c: the sleeper and the wakers.  See bell.h for the protocol.
 *
 * Run by every process.  Writes bells, the idle bitmap and `parked`.  If a process dies here, at worst a wake is
 * missing, and the supervisor rings every bell after the death.
 */
#include "shm/bell.h"

#include <errno.h>

#include "plat/futex.h"
#include "plat/process.h"

void fv_bell_ring(struct fv_proc *p) {
    /* ORDER bell (seq_cst): the bell before the load of parked.  Pairs with bell (seq_cst) in fv_bell_wait(), where parked is
     * set before the kernel compares the bell.  Losing it: neither sees the other, and the sleeper sleeps on. */
    fv_faa_32(&p->bell, 1);
    if (fv_load_relaxed_32(&p->parked))
        fv_futex_wake(&p->bell, 1);
}

void fv_bell_ring_all(void) {
    FV_EACH_ACTIVE(p) {
        fv_faa_32(&fv_proc(p)->failures, 1); /* perhaps: who cares looks */
        fv_faa_32(&fv_proc(p)->bell, 1);
        fv_futex_wake(&fv_proc(p)->bell, 1);
    }
    fv_faa_32(&fv_map.seg->warm.bell, 1); /* who died may have been about to wake the helper */
    fv_futex_wake(&fv_map.seg->warm.bell, 1);
}

bool fv_bell_wait(struct fv_proc *self, uint32_t seen, int64_t timeout_ns) {
    /* ORDER bell (seq_cst): parked before the bell is compared.  Pairs with bell (seq_cst) in fv_bell_ring(). */
    fv_fas_32(&self->parked, 1);
    int rc = 0;
    if (fv_load_acquire_32(&self->bell) == seen) {
        fv_count(self, FV_C_parked);
        rc = fv_futex_wait(&self->bell, seen, timeout_ns);
    }
    fv_store_relaxed_32(&self->parked, 0);
    return rc != -ETIMEDOUT;
}

void fv_warm_ring(void) {
    struct fv_warm_state *w = &fv_map.seg->warm;
    if (!fv_cas_32(&w->parked, 1, 0))
        return;
    fv_faa_32(&w->bell, 1);
    fv_futex_wake(&w->bell, 1);
}

uint32_t fv_warm_park(void) {
    struct fv_warm_state *w = &fv_map.seg->warm;
    uint32_t              seen = fv_load_acquire_32(&w->bell);
    fv_fas_32(&w->parked, 1); /* before it looks once more, as with any bell */
    return seen;
}

void fv_warm_sleep(uint32_t seen) {
    fv_futex_wait(&fv_map.seg->warm.bell, seen, -1);
    fv_warm_unpark();
}

void fv_warm_unpark(void) { fv_store_release_32(&fv_map.seg->warm.parked, 0); }

void fv_warm_pause(int64_t timeout_ns) {
    fv_futex_wait(&fv_map.seg->warm.bell, fv_load_acquire_32(&fv_map.seg->warm.bell), timeout_ns);
}

void fv_bell_wake_idle(struct fv_proc *self) {
    struct fv_segment *s = fv_map.seg;
    uint64_t groups = fv_load_relaxed_64(&s->idle_groups);
    for (; groups != 0; groups &= groups - 1) {
        uint32_t g = (uint32_t)__builtin_ctzll(groups);
        uint64_t word = fv_load_relaxed_64(&s->idle[g]);
        for (; word != 0; word &= word - 1) {
            uint32_t p = g * 64 + (uint32_t)__builtin_ctzll(word);
            if (fv_bit_claim(s->idle, p)) {
                fv_count(self, FV_C_woken);
                fv_bell_ring(fv_proc(p));
                return;
            }
        }
        /* the group is empty: say so, and look again in case somebody came in between */
        fv_and_64(&s->idle_groups, ~(1ull << g));
        if (fv_load_relaxed_64(&s->idle[g]) != 0)
            fv_or_64(&s->idle_groups, 1ull << g);
    }
}

void fv_bell_idle_set(uint32_t self) {
    fv_bit_set(fv_map.seg->idle, self);
    fv_or_64(&fv_map.seg->idle_groups, 1ull << (self / 64));
}

void fv_bell_idle_clear(uint32_t self) { fv_bit_clear(fv_map.seg->idle, self); }

void fv_bell_barrier(void) {
    /* ORDER idle (seq_cst): the announcement before the second look for hints.  Pairs with idle (seq_cst) in
     * fv_bell_someone_idle(). */
    if (fv_map.seg->need_fence || !fv_membarrier())
        fv_fence_full();
}
