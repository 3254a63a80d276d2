/* api/get.c: waiting for refs, taking their values, letting go of them.
 *
 * Run by drivers and by bodies.  A driver spins, then sleeps on its bell.  A body that waits runs the awaited task in place if it may, else lets a spare stand in.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "base/copy.h"
#include "core/deadlock.h"
#include "core/delay.h"
#include "core/store.h"
#include "run/restore.h"
#include "run/fast.h"

#define SLOT_PATIENCE_NS    2000000ull

uint64_t fv_deadline(double timeout_s) {
    if (!(timeout_s >= 0) || timeout_s > 1e9)
        return UINT64_MAX;
    return timeout_s == 0 ? 0 : fv_now_ns() + (uint64_t)(timeout_s * 1e9);
}

bool fv_run_in_place(struct fv_self *self, uint32_t index, uint64_t truth) {
    struct fv_task *task = fv_task(index);
    if (fv_truth_state(truth) != FV_READY || fv_truth_attempt(truth) != 0 || task->kind != FV_KIND_TASK || task->x & FV_X_OPTIONS ||
        !(fv_defs[task->def]->flags & FEVER_DEF_REENTRANT) || (char *)__builtin_frame_address(0) < self->stack_low)
        return false;
    if (self->again || fv_truth_owner(truth) != 0) /* it died on somebody's stack before: this time alone, so that it is charged */
        return false;
    /* its hint is often the last one of our own deque: take it along */
    struct fv_proc *p = self->proc;
    uint64_t        b = p->bottom;
    uint32_t        hint;
    if (b != fv_load_relaxed_64(&p->top) && fv_queue_of(self->slot)[(b - 1) & fv_map.ring_mask] == index &&
        fv_deque_pop(p, fv_queue_of(self->slot), fv_map.ring_mask, &hint) && FV_UNLIKELY(hint != index))
        fv_task_hint(self, hint); /* cannot be: only we push at the bottom */
    if (!fv_task_claim(self, index))
        return false;
    fv_count(p, FV_C_in_place);
    bool deaf = self->deaf;
    self->busy = 0;
    self->deaf = false;
    fv_execute(self, index);
    self->deaf = deaf;
    self->busy = 1;
    return true;
}

static inline bool is_over(uint64_t t, uint32_t gen) {
    unsigned s = fv_truth_state(t);
    return fv_truth_gen(t) != gen || fv_state_is_complete(s) || s == FV_FREE || s == FV_DYING;
}

/* Spins for a while; true when it is over. */
static bool spin(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline) {
    uint64_t limit = self->is_worker ? FV_MIN(self->spin_ns, 2000u) : self->spin_ns;
    if (!self->is_worker && fv_map.seg->oversubscribed)
        limit = FV_MIN(limit, 5000u);
    uint64_t until = 0;
    for (;;) {
        for (int i = 0; i < 100; i++) {
            if (is_over(fv_load_acquire_64(&fv_task(index)->truth), gen))
                return true;
            fv_pause();
        }
        uint64_t now = fv_now_ns();
        if (until == 0)
            until = FV_MIN(now + limit, deadline);
        else if (now >= until)
            return false;
    }
}

void fv_run_inline(struct fv_self *self, uint32_t index) {
    self->busy = 0; /* bodies may call in */
    do {
        if (index < fv_map.seg->n_procs << fv_map.shift && fv_truth_state(fv_load_acquire_64(&fv_task(index)->truth)) == FV_READY &&
            fv_task_claim(self, index))
            fv_execute(self, index);
        uint64_t until = fv_load_relaxed_64(&fv_map.seg->delayed_until_ns), now = fv_now_ns();
        if (FV_UNLIKELY(until != 0)) { /* there is no supervisor that would wait in our place */
            struct timespec t = {.tv_sec = (time_t)((until - FV_MIN(until, now)) / 1000000000u), .tv_nsec = (long)((until - FV_MIN(until, now)) % 1000000000u)};
            nanosleep(&t, NULL);
            fv_delay_release(self, fv_now_ns());
        }
    } while (fv_ring_pop_spmc(&self->proc->ring, fv_queue_of(self->slot), fv_map.ring_mask, &index, 1, 1) == 1); /* unblocked by it */
    self->busy = 1;
}

/* FEVER_INLINE=1: no other thread uses the runtime, or the task runs further up on this stack. */
bool fv_is_alone(struct fv_self *self, uint64_t t) {
    unsigned n = 0;
    for (unsigned w = 0; w < FV_MAX_PROCS / 64; w++)
        n += (unsigned)__builtin_popcountll(fv_load_relaxed_64(&fv_map.seg->taken[w]));
    return n <= 1 || (fv_truth_state(t) == FV_RUN && fv_truth_owner(t) == self->slot);
}

/* Refs of which a failure ends the wait for another. */
struct others {
    const fever_ref *refs;
    size_t           n;
    bool             watched;
    uint32_t         failures; /* of our process slot, at the last look */
    int              error;    /* of the one that failed */
};

/* Has one of them failed?  They are looked at only when something has. */
static bool one_failed(struct fv_self *self, struct others *o) {
    uint32_t now = fv_load_acquire_32(&self->proc->failures), index = 0;
    if (o->watched && now == o->failures)
        return false;
    o->failures = now;
    for (size_t i = 0; i < o->n; i++) {
        uint64_t t = 0;
        if ((o->error = fv_ref_check(o->refs[i].id, &index, &t)) < 0)
            return true;
        if (!o->watched && !fv_state_is_complete(fv_truth_state(t)))
            t = fv_task_watch_failure(self, index);
        if (fv_truth_state(t) == FV_FAIL && fv_truth_gen(t) == fv_ref_gen(o->refs[i].id)) {
            o->error = -(int)((const struct fv_failure *)fv_task(index)->result)->code;
            return true;
        }
    }
    o->watched = true;
    return false;
}

static int wait_complete(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline, struct others *others) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    if (is_over(t, gen))
        return 0;
    if (!self->deaf && fv_cancel_told(self))
        return -FEVER_ECANCELED;
    if (self->is_worker && deadline == UINT64_MAX)
        while (fv_truth_state(t) == FV_READY && fv_run_in_place(self, index, t)) {
            t = fv_load_acquire_64(&fv_task(index)->truth);
            if (is_over(t, gen))
                return 0;
        }
    if (FV_UNLIKELY(self->is_inline)) {
        fv_run_inline(self, index);
        if (is_over(t = fv_load_acquire_64(&fv_task(index)->truth), gen))
            return 0;
        if (deadline == UINT64_MAX && fv_is_alone(self, t))
            return -FEVER_EDEADLK; /* nobody else will complete it */
    }
    if (deadline == 0)
        return -FEVER_ETIMEDOUT;
    if (self->running != 0 && index == self->running - 1) {
        fv_deadlock_own(self);
        return -FEVER_EDEADLK;
    }
    if (spin(self, index, gen, deadline))
        return 0;
    int rc = 0;
    if (self->is_worker)
        fv_worker_block(self, fv_ref_make(index, gen), FV_BLOCKED_ON_ONE);
    else
        fv_note_wait(self, FV_WAIT_GET, fv_ref_make(index, gen));
    if (self->n_refs != 0)
        fv_home_reap(self);
    for (;;) {
        uint32_t seen = fv_bell_read(self->proc);
        if (!fv_task_announce_wait(self, index, gen))
            break;
        if (!self->deaf && fv_cancel_told(self)) { /* after the bell was read: who cancels rings it */
            rc = -FEVER_ECANCELED;
            break;
        }
        if (self->is_worker && fv_load_acquire_32(&self->proc->spare_denied)) {
            rc = -FEVER_EDEPTH;
            break;
        }
        if (others != NULL && one_failed(self, others)) {
            rc = others->error;
            break;
        }
        if (self->is_worker && deadline == UINT64_MAX && fv_deadlock_told(self, seen)) {
            rc = -FEVER_EDEADLK;
            break;
        }
        uint64_t begin = fv_now_ns();
        rc = fv_sleep(self, seen, deadline);
        fv_spin_learn(self, fv_now_ns() - begin);
        if (rc < 0) {
            if (is_over(fv_load_acquire_64(&fv_task(index)->truth), gen))
                rc = 0;
            break;
        }
    }
    if (self->is_worker)
        fv_worker_unblock(self);
    else
        fv_note_wait(self, FV_WAIT_NOT, 0);
    return rc;
}

int fv_wait_complete(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t deadline) {
    return wait_complete(self, index, gen, deadline, NULL);
}

int fv_wait_slot(struct fv_self *self, uint64_t *spin_until) {
    uint64_t now = fv_now_ns();
    if (*spin_until == 0)
        *spin_until = now + FV_MAX(fv_map.seg->spin_ns, 20000u);
    if (now < *spin_until) {
        for (int i = 0; i < 8; i++)
            fv_pause();
        return 0;
    }
    *spin_until = 0;
    fv_home_reap(self);
    /* Long enough: sleep until half of what is in flight is over.  If that takes long the tasks are long: then more
     * of them may be in flight.  (A larger slab for short ones would only fall out of the cache.) */
    uint32_t base = self->slot << fv_map.shift, in_flight = FV_NO_TASK;
    for (uint32_t k = 0; k < self->limit; k++) {
        uint32_t i = (self->cursor + k) % self->limit;
        unsigned s = fv_truth_state(fv_load_acquire_64(&fv_task(base + i)->truth));
        if (s == FV_FREE) {
            self->cursor = i;
            return 0;
        }
        if (s == FV_READY || s == FV_RUN || s == FV_DELAYED)
            in_flight = base + i;
        if (in_flight != FV_NO_TASK && k >= self->limit / 2)
            break;
    }
    if (in_flight != FV_NO_TASK) {
        uint64_t t = fv_load_acquire_64(&fv_task(in_flight)->truth);
        int rc = fv_wait_complete(self, in_flight, fv_truth_gen(t), now + SLOT_PATIENCE_NS);
        if (rc != -FEVER_ETIMEDOUT)
            return rc;
    }
    if (fv_segment_grow_slab(self->slot)) {
        self->cursor = self->limit;
        self->limit = self->proc->slab_limit;
        return 0;
    }
    return in_flight == FV_NO_TASK ? -FEVER_ENOSLOTS : 0; /* all are held, or wait for what is not there */
}

/* ------------------------------------------------------------------------------------------------ values */

/* The definition does not name that type: is it one that leaves it open? */
static bool is_of_type(const struct fv_task *task, unsigned type) {
    const struct fever_def *def = fv_defs[task->def];
    return def == &fv_part_def ? fv_part_is(task, type) : (def->flags & FEVER_DEF_BYTES) != 0;
}

static int failure_of(uint32_t index) {
    int code = ((const struct fv_failure *)fv_task(index)->result)->code;
    if (code == FEVER_ECANCELED)
        fv_cancel_told(fv_self); /* perhaps with the body that asks */
    return -code;
}

/* One that may be on disk. */
static __attribute__((noinline)) int copy_large(struct fv_self *self, uint32_t index, uint32_t gen, void *out, size_t bytes, uint64_t deadline) {
    uint64_t offset = 0;
    int      rc = fv_await_here(self, index, gen, deadline, false, &offset);
    if (rc == 0) {
        fv_copy(out, fv_map.view + offset, bytes);
        fv_store_read_end(self);
    }
    return rc;
}

/* The ref is complete: is its value of that size and type?  Copies it. */
static inline int copy_value(struct fv_self *self, uint32_t index, uint64_t t, void *out, size_t bytes, unsigned type, uint64_t deadline) {
    const struct fv_task *task = fv_task(index);
    if (FV_UNLIKELY(fv_truth_state(t) == FV_FAIL))
        return failure_of(index);
    uint64_t    have;
    const void *value = fv_task_result(task, &have);
    if (FV_UNLIKELY(have != bytes))
        return -FEVER_ETYPE;
    if (task->kind == FV_KIND_TASK && FV_UNLIKELY(fv_defs[task->def]->result_type != type && type != 0) && !is_of_type(task, type))
        return -FEVER_ETYPE;
    if (bytes == 8)
        memcpy(out, value, 8);
    else if (FV_UNLIKELY(bytes > FV_SMALL_MOST) && fv_result_is_large(task))
        return copy_large(self, index, fv_truth_gen(t), out, bytes, deadline);
    else
        memcpy(out, value, bytes);
    return 0;
}

static int get_inside(struct fv_self *self, uint64_t id, void *out, size_t bytes, unsigned type, uint64_t deadline, struct others *others) {
    uint32_t index = 0;
    uint64_t t = 0;
    int rc = fv_ref_check(id, &index, &t);
    if (FV_UNLIKELY(rc < 0))
        return rc;
    if (!fv_state_is_complete(fv_truth_state(t))) {
        rc = wait_complete(self, index, fv_ref_gen(id), deadline, others);
        if (FV_UNLIKELY(rc < 0))
            return rc;
        rc = fv_ref_check(id, &index, &t);
        if (FV_UNLIKELY(rc < 0))
            return rc;
    }
    return copy_value(self, index, t, out, bytes, type, deadline);
}

int fever_get_raw(fever_ref ref, void *out, size_t bytes, unsigned type, double timeout_s) {
    int why;
    if (FV_UNLIKELY(out == NULL || isnan(timeout_s)))
        return out == NULL ? -FEVER_ENULL : -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    return fv_leave(self, get_inside(self, ref.id, out, bytes, type, fv_deadline(timeout_s), NULL));
}

static int release_inside(struct fv_self *self, uint64_t id) {
    if (self->n_own > self->own_base) /* only in a body */
        fv_own_remove(self, id);
    return fv_unhold(self, id);
}

int fever_take_raw(fever_ref ref, void *out, size_t bytes, unsigned type, double timeout_s) {
    int why;
    if (FV_UNLIKELY(out == NULL || isnan(timeout_s)))
        return out == NULL ? -FEVER_ENULL : -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    if (self->is_worker && timeout_s < 0 && fv_ref_tagged(ref.id) && fv_homes[fv_home_of(fv_ref_index(ref.id)) & (FV_MAX_PROCS - 1)] == self &&
        fv_fast_take_in_place(self, ref.id, out, bytes, type))
        return fv_leave(self, 0);
    int rc = get_inside(self, ref.id, out, bytes, type, fv_deadline(timeout_s), NULL);
    if (rc == 0)
        rc = release_inside(self, ref.id);
    return fv_leave(self, rc);
}

int fever_get_many_raw(const fever_ref *refs, size_t n, void *out, size_t bytes, unsigned type, double timeout_s) {
    int why;
    if ((refs == NULL || out == NULL) && n != 0)
        return -FEVER_ENULL;
    if (isnan(timeout_s))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint64_t deadline = fv_deadline(timeout_s);
    int      rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) /* what has failed already is told before anything is awaited */
        if (i < 4096) {
            uint32_t index = 0;
            uint64_t t = 0;
            rc = fv_ref_check(refs[i].id, &index, &t);
            if (rc == 0 && fv_truth_state(t) == FV_FAIL)
                rc = failure_of(index);
        }
    struct others others = {.refs = refs, .n = n};
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = get_inside(self, refs[i].id, (char *)out + i * bytes, bytes, type, deadline, n > 1 ? &others : NULL);
    return fv_leave(self, rc);
}

/* 0 when it is there; its error when it has failed */
static inline int await_one(struct fv_self *self, uint64_t id, double timeout_s, uint32_t *index) {
    uint64_t t = 0;
    int rc = fv_ref_check(id, index, &t);
    if (rc == 0 && !fv_state_is_complete(fv_truth_state(t))) {
        rc = fv_wait_complete(self, *index, fv_ref_gen(id), fv_deadline(timeout_s));
        if (rc == 0)
            rc = fv_ref_check(id, index, &t);
    }
    if (rc == 0 && fv_truth_state(t) == FV_FAIL)
        rc = failure_of(*index);
    return rc;
}

int fever_wait_one(fever_ref ref, double timeout_s) {
    int why;
    if (isnan(timeout_s))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    int rc = await_one(self, ref.id, timeout_s, &index);
    return fv_leave(self, rc);
}

static int compare_ids(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static int check_list(const fever_ref *refs, size_t n) {
    uint64_t  few[64], *id = n <= 64 ? few : malloc(n * 8);
    int       rc = id == NULL ? -ENOMEM : 0;
    uint32_t  index = 0;
    uint64_t  t = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        id[i] = refs[i].id;
        rc = fv_ref_check(id[i], &index, &t);
    }
    if (rc == 0) {
        qsort(id, n, 8, compare_ids);
        for (size_t i = 1; i < n && rc == 0; i++)
            if (id[i] == id[i - 1])
                rc = -FEVER_EDUPLICATE;
    }
    if (id != few)
        free(id);
    return rc;
}

int fever_wait(const fever_ref *refs, size_t n, size_t num_returns, double timeout_s, bool *ready_out) {
    int why;
    if (refs == NULL && n != 0)
        return -FEVER_ENULL;
    if (num_returns > n || num_returns == 0 || n > INT32_MAX || isnan(timeout_s))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    int rc = check_list(refs, n);
    if (rc < 0)
        return fv_leave(self, rc);
    uint64_t deadline = fv_deadline(timeout_s), spin_until = 0;
    size_t   ready;
    bool     announced = false, blocked = false;
    for (;;) {
        uint32_t seen = fv_bell_read(self->proc);
        ready = 0;
        size_t first = n;
        for (size_t i = 0; i < n && ready < num_returns; i++) {
            uint32_t index = fv_ref_index(refs[i].id);
            uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
            bool     over = is_over(t, fv_ref_gen(refs[i].id));
            if (!over && announced)
                over = !fv_task_announce_wait(self, index, fv_ref_gen(refs[i].id));
            ready += over;
            if (!over && first == n)
                first = i;
        }
        uint64_t now = fv_now_ns();
        if (ready < num_returns && fv_cancel_told(self)) {
            rc = -FEVER_ECANCELED;
            break;
        }
        if (ready < num_returns && self->is_inline) {
            fv_run_inline(self, fv_ref_index(refs[first].id));
            if (is_over(fv_load_acquire_64(&fv_task(fv_ref_index(refs[first].id))->truth), fv_ref_gen(refs[first].id)))
                continue;
            if (deadline == UINT64_MAX && fv_is_alone(self, 0)) {
                rc = -FEVER_EDEADLK;
                break;
            }
        }
        if (ready >= num_returns || deadline == 0 || now >= deadline)
            break;
        if (spin_until == 0)
            spin_until = now + (fv_map.seg->oversubscribed ? FV_MIN(fv_map.seg->spin_ns, 5000u) : fv_map.seg->spin_ns);
        if (now < spin_until) {
            fv_pause();
            continue;
        }
        if (!announced) { /* say so everywhere, and look once more */
            announced = true;
            continue;
        }
        if (!blocked) {
            blocked = true;
            if (self->is_worker)
                fv_worker_block(self, refs[first].id, FV_BLOCKED_ON_SOME);
            else
                fv_note_wait(self, FV_WAIT_GET, refs[first].id);
        }
        fv_store_relaxed_64(&self->proc->wait_ref, refs[first].id);
        if (self->is_worker && fv_load_acquire_32(&self->proc->spare_denied)) {
            rc = -FEVER_EDEPTH;
            break;
        }
        if (self->is_worker && deadline == UINT64_MAX && num_returns == n && fv_deadlock_told(self, seen)) {
            rc = -FEVER_EDEADLK;
            break;
        }
        rc = fv_sleep(self, seen, deadline);
        if (rc == -FEVER_ETIMEDOUT)
            rc = 0; /* counted once more, then told */
        if (rc < 0)
            break;
    }
    if (blocked && self->is_worker)
        fv_worker_unblock(self);
    else if (blocked)
        fv_note_wait(self, FV_WAIT_NOT, 0);
    if (rc < 0)
        return fv_leave(self, rc);
    ready = 0;
    for (size_t i = 0; i < n; i++) {
        bool over = ready < num_returns && is_over(fv_load_acquire_64(&fv_task(fv_ref_index(refs[i].id))->truth), fv_ref_gen(refs[i].id));
        ready += over;
        if (ready_out != NULL)
            ready_out[i] = over;
    }
    return fv_leave(self, (int)ready);
}

int fever_retain(fever_ref ref) {
    int why;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    return fv_leave(self, fv_hold(self, ref.id));
}

int fever_release(fever_ref ref) {
    int why;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    return fv_leave(self, release_inside(self, ref.id));
}

int fever_view_raw(fever_ref ref, const void **data_out, size_t *bytes_out, double timeout_s) {
    int why;
    if (data_out == NULL)
        return -FEVER_ENULL;
    if (isnan(timeout_s))
        return -FEVER_EINVAL;
    struct fv_self *self = fv_enter(&why);
    if (FV_UNLIKELY(self == NULL))
        return why;
    uint32_t index = 0;
    uint64_t bytes;
    int rc = await_one(self, ref.id, timeout_s, &index);
    if (rc < 0)
        return fv_leave(self, rc);
    if (FV_UNLIKELY(fv_result_is_large(fv_task(index)))) {
        uint64_t offset = 0;
        rc = fv_await_here(self, index, fv_ref_gen(ref.id), fv_deadline(timeout_s), true, &offset);
        if (rc == 0) {
            *data_out = fv_map.view + offset;
            if (bytes_out != NULL)
                *bytes_out = fv_result_bytes(fv_task(index));
        }
        return fv_leave(self, rc);
    }
    const char *value = fv_task_result(fv_task(index), &bytes);
    if (!(fv_task(index)->x & FV_X_RESULT_BLOCK)) /* a small one lies in its slot: show the read-only mapping of that */
        value = fv_map.view + (value - fv_map.base);
    *data_out = value;
    if (bytes_out != NULL)
        *bytes_out = bytes;
    return fv_leave(self, 0);
}

int fever_view_end(fever_ref ref) {
    int why;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    uint64_t t = 0;
    int      rc = fv_ref_check(ref.id, &index, &t);
    if (rc == 0)
        fv_store_unpin(self, ref.id);
    return fv_leave(self, rc);
}
