/* run/spare.c: see spare.h.
 *
 * Run by the supervisor.  Writes patron, want_spare, spare_denied and asked of workers and spares.  Dies here: the runtime is over.
 */
#include "run/spare.h"

#include "base/clock.h"
#include "core/stream.h"
#include "run/child.h"
#include "run/runtime.h"

#define FIRST_TICK_NS 200000ull    /* while a blocked worker waits for a spare */
#define TAKER_NS      100000000ull /* how long a full stream waits for a thread of the driver that has not called in yet */

static uint64_t tick_ns;
static bool     are_short; /* a blocked worker waits for a spare that is about to stand by */

/* Are there as many processes that run as there are workers, or does one stand in for slot already?  Then a new one would be too
 * much: at each fork of a spare, processes <= workers + blocked ones.  A spare that is asleep and whose patron goes on is
 * woken: it stands by then. */
static bool is_covered(uint32_t slot, bool *has_one_out) {
    uint32_t n = 0;
    *has_one_out = false;
    for (uint32_t s = 1; s <= fv_rt.n_worker_slots; s++) {
        struct fv_proc *q = fv_proc(s);
        if (fv_child_state(s) == FV_CHILD_NONE || fv_load_acquire_32(&q->blocked) || fv_load_acquire_32(&q->asked) != 0)
            continue; /* who serves the dispatcher takes no other tasks */
        n++;
        uint32_t patron = s > fv_rt.n_workers ? fv_load_acquire_32(&q->patron) : 0;
        *has_one_out |= patron == slot + 1;
        if (patron != 0 && !fv_load_acquire_32(&fv_proc(patron - 1)->blocked))
            fv_bell_ring(q);
    }
    return *has_one_out || n >= fv_rt.n_workers;
}

enum spare { SPARE_FOUND, SPARE_LATER /* others are awake, one of them comes to stand by */, SPARE_NONE };

/* A spare for a blocked worker that wants one. */
static enum spare spare_for(uint32_t slot) {
    struct fv_proc *p = fv_proc(slot);
    uint32_t        first = fv_rt.n_workers + 1;
    if (!fv_load_acquire_32(&p->want_spare) || !fv_load_acquire_32(&p->blocked))
        return SPARE_FOUND;
    for (uint32_t s = first; s <= fv_rt.n_worker_slots; s++)
        if (fv_bit_claim(fv_map.seg->spares, s)) { /* came to stand by meanwhile */
            fv_store_relaxed_32(&p->want_spare, 0);
            fv_proc(s)->node = fv_proc(slot)->node;
            fv_store_release_32(&fv_proc(s)->patron, slot + 1);
            fv_bell_ring(fv_proc(s));
            return SPARE_FOUND;
        }
    bool has_one;
    if (is_covered(slot, &has_one)) {
        if (has_one)
            fv_store_relaxed_32(&p->want_spare, 0);
        return has_one ? SPARE_FOUND : SPARE_LATER;
    }
    for (uint32_t s = first; s <= fv_rt.n_worker_slots; s++)
        if (fv_child_state(s) == FV_CHILD_NONE && fv_child_spawn(s, FV_ROLE_SPARE, slot + 1)) {
            fv_store_relaxed_32(&p->want_spare, 0);
            fv_map.seg->n_spares++;
            return SPARE_FOUND;
        }
    return SPARE_NONE;
}

uint32_t fv_spare_for_dispatcher(void) {
    for (uint32_t s = fv_rt.n_workers + 1; s <= fv_rt.n_worker_slots; s++)
        if (fv_child_state(s) == FV_CHILD_NONE) {
            fv_store_relaxed_32(&fv_proc(s)->patron, 0);
            fv_store_release_32(&fv_proc(s)->asked, 1);
            if (fv_child_spawn(s, FV_ROLE_SPARE, 0)) {
                fv_map.seg->n_spares++;
                return s;
            }
            fv_store_release_32(&fv_proc(s)->asked, 0);
            return 0;
        }
    return 0;
}

static bool waits_for_room(const struct fv_proc *p) { return fv_load_relaxed_32(&p->wait_reason) == FV_WAIT_ROOM; }

/* What it waits for is not there.  (Who makes room in a stream takes `producer` back.) */
static bool waits_in_vain(struct fv_proc *p, uint32_t slot) {
    uint64_t          ref = fv_load_relaxed_64(&p->wait_ref), t = 0;
    uint32_t          index = 0;
    struct fv_stream *s = NULL;
    if (fv_ref_check(ref, &index, &t) < 0 || fv_state_is_complete(fv_truth_state(t)))
        return false;
    return !waits_for_room(p) || ((s = fv_stream_of(index, fv_ref_gen(ref))) != NULL && fv_load_acquire_32(&s->producer) == slot + 1);
}

/* Blocked, what it waits for is not there, and it was not told to give up. */
static bool is_stuck(struct fv_proc *p, uint32_t slot) {
    return fv_load_acquire_32(&p->blocked) && !fv_load_acquire_32(&p->spare_denied) && waits_in_vain(p, slot);
}

/* Do all threads of the driver that have called in sleep, without a time limit?  Any other may take an item, or is about to. */
static bool is_driver_stuck(void) {
    FV_EACH_ACTIVE(s) {
        struct fv_proc *p = fv_proc(s);
        if (fv_load_relaxed_32(&p->role) != FV_ROLE_DRIVER || !fv_bit_test(fv_map.seg->taken, s)) /* its thread has ended */
            continue;
        if (!fv_load_acquire_32(&p->parked) || fv_load_relaxed_32(&p->wait_ends) || fv_load_relaxed_32(&p->wait_reason) != FV_WAIT_GET ||
            !waits_in_vain(p, s))
            return false;
    }
    return true;
}

/* An actor goes on by itself, unless it waits in vain in a method, or waits for a call that nobody has made. */
static bool is_actor_stuck(uint32_t s) {
    struct fv_proc *p = fv_proc(s);
    unsigned        reason = fv_load_relaxed_32(&p->wait_reason);
    return fv_load_acquire_32(&p->parked) && (reason == FV_WAIT_CALL ? fv_load_acquire_32(&p->awaits_calls) != 0 : (reason == FV_WAIT_GET || waits_for_room(p)) && waits_in_vain(p, s));
}

/* True when every worker and spare is stuck.  With one that waits for room in its stream, only if nobody outside can take an item.  They block and go on while we look, so each may have been stuck when its turn came
 * and yet never all at once: *waits_out tells one state of affairs from another (each wait has its own beginning). */
static bool are_all_stuck(uint64_t *waits_out) {
    uint64_t waits = 0, newest = 0;
    bool     is_room_short = false;
    for (uint32_t s = 1; s <= fv_rt.n_worker_slots; s++) {
        if (fv_child_state(s) == FV_CHILD_NONE)
            continue;
        uint64_t since = fv_load_relaxed_64(&fv_proc(s)->wait_since_ns);
        if (fv_child_state(s) != FV_CHILD_RUNS || !is_stuck(fv_proc(s), s))
            return false;
        is_room_short |= waits_for_room(fv_proc(s));
        newest = FV_MAX(newest, since);
        waits = (waits ^ since) * 0x9e3779b97f4a7c15ull;
    }
    for (uint32_t s = fv_rt.actor_slots; s < fv_rt.actor_slots + fv_rt.n_actor_slots; s++) {
        if (fv_child_state(s) == FV_CHILD_NONE)
            continue;
        if (!is_actor_stuck(s))
            return false;
        if (waits_for_room(fv_proc(s))) {
            is_room_short = true;
            newest = FV_MAX(newest, fv_load_relaxed_64(&fv_proc(s)->wait_since_ns));
        }
    }
    *waits_out = waits;
    return !is_room_short || (fv_now_ns() > newest + TAKER_NS && is_driver_stuck());
}

/* There are as many processes as there may be, and all are blocked: the one that blocked last; else 0.  A guest asks for no spare,
 * but whom it waits for may need a process. */
static uint32_t last_blocked(void) {
    uint32_t last = 0;
    for (uint32_t s = 1; s <= fv_rt.n_worker_slots; s++) {
        if (fv_child_state(s) == FV_CHILD_NONE || !fv_load_acquire_32(&fv_proc(s)->blocked))
            return 0;
        if (last == 0 || fv_proc(s)->wait_since_ns > fv_proc(last)->wait_since_ns)
            last = s;
    }
    return last;
}

/* Too few spares are no harm while anybody is not blocked: it goes on, or is about to stand by.  When all are blocked, and were
 * so at one instant, the one that blocked last is told so. */
static void find(void) {
    uint32_t denied = 0;
    are_short = false;
    for (uint32_t s = 1; s <= fv_rt.n_worker_slots; s++) {
        enum spare found = spare_for(s);
        are_short |= found != SPARE_FOUND;
        if (found == SPARE_NONE && (denied == 0 || fv_proc(s)->wait_since_ns > fv_proc(denied)->wait_since_ns))
            denied = s;
    }
    if (denied == 0 && (denied = last_blocked()) != 0)
        are_short = true; /* look again: they may be on their way */
    uint64_t waits, waits_again;
    if (denied != 0 && are_all_stuck(&waits) && are_all_stuck(&waits_again) && waits == waits_again) {
        fv_store_relaxed_32(&fv_proc(denied)->want_spare, 0);
        fv_store_release_32(&fv_proc(denied)->spare_denied, 1);
        fv_bell_ring(fv_proc(denied));
    }
}

void fv_spare_find(void) {
    tick_ns = FIRST_TICK_NS;
    find();
}

void fv_spare_tick(uint64_t most_ns) {
    if (!are_short)
        return;
    tick_ns = FV_MIN(tick_ns * 2, most_ns);
    find();
}

uint64_t fv_spare_wait_ns(void) { return are_short ? tick_ns : 0; }
