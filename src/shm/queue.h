/* shm/queue.h: queues of hints between processes.  The only user of ck_ring.
 *
 * A hint is a task index: "this task may be READY".  It may be lost with a process that took it, seen twice or be stale;
 * whoever takes one must win the task's truth word by CAS.  Rings are single-producer (the slot's
 * owner), many-consumer; the deque's bottom is its owner's, its top everybody's.
 *
 * Ring: indices as in Concurrency Kit's SPMC ring (p_tail, c_head free-running), with two differences that its
 * layout allows: the producer keeps a private copy of c_head and reads the consumers' line only when
 * that copy says full, and consumers take a batch with one CAS.  Producer killed before the p_tail
 * store: not pushed (its READY task is re-hinted by the sweep).  Consumer killed after the c_head CAS: hint lost,
 * re-hinted by the sweep.
 *
 * Deque: Chase and Lev, "Dynamic circular work-stealing deque" (SPAA 2005), orders as in Le et al.
 * (PPoPP 2013), over a fixed array: slots of the slab bound what can be READY.
 */
#ifndef FV_SHM_QUEUE_H
#define FV_SHM_QUEUE_H

#include "shm/segment.h"

/* The producer's private copies of p_tail (exact) and c_head (as last seen): it reads no line that others write. */
struct fv_producer {
    uint32_t tail, head;
};
static inline void fv_producer_init(struct fv_producer *own, const ck_ring_t *r) {
    own->tail = r->p_tail;
    own->head = fv_load_acquire_32(&r->c_head);
}

/* Producer: false when full. */
static inline bool fv_ring_push_spmc(ck_ring_t *r, uint32_t *buffer, uint32_t mask, struct fv_producer *own, uint32_t hint) {
    uint32_t tail = own->tail;
    if (FV_UNLIKELY(tail - own->head >= mask)) {
        own->head = fv_load_acquire_32(&r->c_head);
        if (tail - own->head >= mask)
            return false;
    }
    own->tail = tail + 1;
    fv_store_relaxed_32(&buffer[tail & mask], hint);
    /* ORDER ring (release): the hint, and the task's READY before it, before p_tail.
     * Pairs with ring (acquire) in fv_ring_pop_spmc().  Losing it: a consumer reads an old hint. */
    fv_store_release_32(&r->p_tail, tail + 1);
    return true;
}

/* Consumer: takes up to max hints, but no more than its share of what is there. */
static inline uint32_t fv_ring_pop_spmc(ck_ring_t *r, const uint32_t *buffer, uint32_t mask, uint32_t *out, uint32_t max,
                                        uint32_t share) {
    for (;;) {
        uint32_t head = fv_load_acquire_32(&r->c_head);
        /* ORDER ring (acquire): p_tail before the hints below it.  Pairs with ring (release) in fv_ring_push_spmc(). */
        uint32_t n = fv_load_acquire_32(&r->p_tail) - head;
        if (n == 0 || n > mask + 1) /* empty, or head was stale */
            return 0;
        uint32_t k = FV_MIN(FV_MAX(n / share, 1u), max);
        for (uint32_t i = 0; i < k; i++)
            out[i] = fv_load_relaxed_32(&buffer[(head + i) & mask]);
        if (fv_cas_32(&r->c_head, head, head + k))
            return k;
        fv_pause(); /* another consumer took them: it is not waited for, the loop re-reads */
    }
}

static inline uint32_t fv_ring_length(const ck_ring_t *r) {
    return fv_load_relaxed_32(&r->p_tail) - fv_load_relaxed_32(&r->c_head);
}

/* Owner: push at the bottom; false when full. */
static inline bool fv_deque_push(struct fv_proc *p, uint32_t *buffer, uint32_t mask, uint32_t hint) {
    uint64_t b = p->bottom;
    if (FV_UNLIKELY(b - fv_load_relaxed_64(&p->top) > mask))
        return false;
    fv_store_relaxed_32(&buffer[b & mask], hint);
    /* ORDER deque (release): the hint before bottom.  Pairs with deque (acquire) in fv_deque_steal(). */
    fv_store_release_64(&p->bottom, b + 1);
    return true;
}

/* Owner: pop at the bottom; false when empty. */
static inline bool fv_deque_pop(struct fv_proc *p, const uint32_t *buffer, uint32_t mask, uint32_t *out) {
    uint64_t b = p->bottom, t = fv_load_relaxed_64(&p->top);
    if (b == t)
        return false;
    /* ORDER deque-pop (seq_cst): the store of bottom before the load of top, so that owner and thief cannot both
     * take the last but one element unseen.  Pairs with deque-pop (seq_cst) in fv_deque_steal().
     * An exchange, since it is cheaper than a store and a fence. */
    fv_fas_64(&p->bottom, b - 1);
    t = fv_load_relaxed_64(&p->top);
    if ((int64_t)(b - 1 - t) > 0) {
        *out = fv_load_relaxed_32(&buffer[(b - 1) & mask]);
        return true;
    }
    bool won = false;
    if (b - 1 == t) { /* the last one: race the thieves for it */
        *out = fv_load_relaxed_32(&buffer[t & mask]);
        won = fv_cas_64(&p->top, t, t + 1);
    }
    fv_store_relaxed_64(&p->bottom, b);
    return won;
}

/* Anybody: steal at the top; false when empty or when another was quicker. */
static inline bool fv_deque_steal(struct fv_proc *p, const uint32_t *buffer, uint32_t mask, uint32_t *out) {
    uint64_t t = fv_load_acquire_64(&p->top);
    /* ORDER deque-pop (seq_cst): top before bottom; the CAS below is the full barrier on the winning path, and a stale
     * bottom can only make the CAS fail. */
    fv_fence_load();
    /* ORDER deque (acquire): bottom before the hint.  Pairs with deque (release) in fv_deque_push(). */
    uint64_t b = fv_load_acquire_64(&p->bottom);
    if ((int64_t)(b - t) <= 0)
        return false;
    *out = fv_load_relaxed_32(&buffer[t & mask]);
    return fv_cas_64(&p->top, t, t + 1);
}

#endif
