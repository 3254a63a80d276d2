/* core/task.c: allocation, submission, claim, dependencies and completion of task slots.
 *
 * Run by drivers, workers and the supervisor.  Writes task slots, cold lines and queues.  Each transition is one
 * store or CAS of the truth word; what happens when a process dies before or after it is told there.
 * Deliberately not here: waiting (api/), running bodies (run/), holds (hold.c), recovery (sweep.c).
 */
#include "core/task.h"

#include "core/actor.h"
#include "core/name.h"
#include "core/cancel.h"
#include "core/failure.h"
#include "core/group.h"
#include "core/queued.h"
#include "core/options.h"
#include "core/store.h"
#include "core/stream.h"
#include <stdlib.h>
#include <string.h>


struct fv_self         *fv_homes[FV_MAX_PROCS];
__thread struct fv_self *fv_self __attribute__((tls_model("initial-exec")));
struct fever_def       *fv_defs[FV_MAX_DEFS];

int fv_self_init(struct fv_self *self, uint32_t slot, bool is_worker) {
    memset(self, 0, sizeof *self);
    self->slot = slot;
    self->proc = fv_proc(slot);
    self->is_worker = is_worker;
    self->limit = self->proc->slab_limit;
    self->cold = fv_cold(slot << fv_map.shift);
    self->spin_ns = fv_map.seg->spin_ns;
    self->home = calloc(fv_map.seg->slab, sizeof *self->home);
    if (self->home == NULL)
        return -FEVER_ENOSLOTS;
    fv_heap_init(&self->heap, slot);
    fv_producer_init(&self->ring, &self->proc->ring);
    fv_homes[slot] = self;
    return 0;
}

void fv_self_fini(struct fv_self *self) {
    fv_heap_fini(&self->heap);
    free(self->home);
    free(self->drop);
    free(self->dying);
    free(self->own);
    free(self->mailbox);
    for (uint32_t i = 0; i < self->n_groups; i++)
        if (self->group[i] != NULL)
            self->group[i]->owner = NULL;
    free(self->group);
    fv_homes[self->slot] = NULL;
    memset(self, 0, sizeof *self);
}

/* ------------------------------------------------------------------------------------------------
 * Words of dependents lists: node = gen 20 | index 28 | k 16, where k - 1 is the number of the dependency. */
static inline uint64_t node_make(uint32_t index, uint32_t gen, uint32_t k) {
    return (uint64_t)(gen & 0xFFFFF) << 44 | (uint64_t)index << 16 | (k + 1);
}
static inline uint32_t node_index(uint64_t n) { return (uint32_t)(n >> 16) & 0x0FFFFFFF; }
static inline uint32_t node_gen(uint64_t n) { return (uint32_t)(n >> 44); }
static inline uint32_t node_k(uint64_t n) { return (uint32_t)(n & 0xFFFF) - 1; }

static uint64_t *next_of(uint32_t index, uint32_t k) {
    struct fv_task *t = fv_task(index);
    if (!(t->x & FV_X_ARGS_BLOCK))
        return &fv_cold(index)->next[k < 3 ? k : 2];
    struct fv_args_tail *tail = fv_args_tail(t);
    return &tail->ref[tail->n_refs + k];
}

static bool is_alive(uint32_t index, uint32_t gen20) {
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    return (fv_truth_gen(t) & 0xFFFFF) == gen20 && fv_truth_state(t) != FV_FREE && fv_truth_state(t) != FV_DYING;
}

/* `next` of a node of somebody else's list; false when that has been freed: one that was cancelled, or that a sweep let go on.  It may
 * be freed and filled anew while we read.  So what each step leads to is followed only after a look that it was good. */
static bool read_next(uint64_t node, uint64_t *next_out) {
    uint32_t              index = node_index(node), k = node_k(node);
    const struct fv_task *t = fv_task(index);
    const uint64_t       *next = &fv_cold(index)->next[k < 3 ? k : 2];
    unsigned              x = fv_load_relaxed_8(&t->x);
    uint64_t              offset = fv_load_relaxed_64(&t->args[0]);
    uint32_t              bytes = fv_load_relaxed_32(&t->arg_bytes);
    fv_fence_load();
    if (!is_alive(index, node_gen(node)))
        return false;
    if (x & FV_X_ARGS_BLOCK) {
        const struct fv_args_tail *tail = fv_at(offset + ((bytes + 7ull) & ~7ull));
        uint32_t                   n_refs = fv_load_relaxed_32(&tail->n_refs);
        fv_fence_load();
        if (!is_alive(index, node_gen(node)))
            return false;
        next = &tail->ref[n_refs + k];
    }
    *next_out = fv_load_relaxed_64(next);
    fv_fence_load();
    return is_alive(index, node_gen(node));
}

static bool is_pushed(uint32_t index, uint32_t k) {
    struct fv_task *t = fv_task(index);
    if (!(t->x & FV_X_ARGS_BLOCK))
        return fv_cold(index)->pushed >> k & 1;
    struct fv_args_tail *tail = fv_args_tail(t);
    return tail->ref[tail->n_refs + tail->n_deps + k] != 0;
}

static void set_pushed(uint32_t index, uint32_t k, bool on) {
    struct fv_task *t = fv_task(index);
    if (!(t->x & FV_X_ARGS_BLOCK)) {
        uint16_t p = fv_cold(index)->pushed;
        fv_cold(index)->pushed = (uint16_t)(on ? p | 1u << k : p & ~(1u << k));
        return;
    }
    struct fv_args_tail *tail = fv_args_tail(t);
    fv_store_relaxed_64(&tail->ref[tail->n_refs + tail->n_deps + k], on);
}

uint32_t fv_task_refs(uint32_t index, uint64_t inline_out[3], const uint64_t **refs_out, uint32_t *n_deps_out) {
    struct fv_task *t = fv_task(index);
    if (!(t->x & FV_X_REFS)) {
        *n_deps_out = 0;
        return 0;
    }
    if (t->x & FV_X_ARGS_BLOCK) {
        struct fv_args_tail *tail = fv_args_tail(t);
        *refs_out = tail->ref;
        *n_deps_out = tail->n_deps;
        return tail->n_refs;
    }
    const struct fever_def *def = fv_defs[t->def];
    uint32_t n = 0;
    for (uint32_t i = 0; i < def->n_params && n < 3; i++)
        if (def->ref_offsets[i] != FEVER_NOT_A_REF)
            memcpy(&inline_out[n++], (const char *)t->args + def->ref_offsets[i], 8);
    *refs_out = inline_out;
    *n_deps_out = n;
    return n;
}

uint64_t *fv_task_nested(uint32_t index, uint64_t truth, uint64_t *n_out) {
    struct fv_task *t = fv_task(index);
    if ((t->x & (FV_X_NESTED | FV_X_RESULT_BLOCK)) != (FV_X_NESTED | FV_X_RESULT_BLOCK))
        return NULL;
    uint64_t offset = fv_load_relaxed_64(&t->result[0]), bytes = fv_load_relaxed_64(&t->result[1]); /* may change hands meanwhile */
    if (offset < fv_map.seg->off_data || offset > fv_map.seg->bytes || bytes > fv_map.seg->bytes - offset - 16 ||
        !fv_arena_owned(offset, index, fv_truth_gen(truth)))
        return NULL;
    uint64_t *tail = fv_at(offset + ((bytes + 7) & ~7ull));
    *n_out = tail[0];
    return tail + 1;
}

uint64_t fv_task_block_bytes(uint32_t index, uint64_t truth) {
    const struct fv_span *s = (const struct fv_span *)fv_task(index)->result;
    uint64_t              n, head = (s->bytes + 7) & ~7ull;
    return fv_task_nested(index, truth, &n) != NULL ? head + 8 + 8 * n : s->bytes;
}

/* ------------------------------------------------------------------------------------------------
 * Home */

/* Of a slot that is not to be submitted after all. */
static void drop_blocks(struct fv_self *self, uint32_t index, uint32_t gen, unsigned x) {
    const struct fv_span      *args = (const struct fv_span *)fv_task(index)->args;
    const struct fv_task_cold *c = fv_cold(index);
    if (x & FV_X_OPTIONS && c->options != 0)
        fv_arena_free(&self->heap, c->options, c->options_bytes, index, gen);
    if (x & FV_X_OPTIONS && c->stream != 0)
        fv_arena_free(&self->heap, c->stream, fv_stream_bytes(c->stream_items), index, gen);
    if (fv_task_is_actor(index) && x & FV_X_OPTIONS && c->actor != 0)
        fv_arena_free(&self->heap, c->actor, sizeof(struct fv_actor), index, gen);
    if (x & FV_X_ARGS_BLOCK)
        fv_arena_free(&self->heap, args->offset, args->bytes, index, gen);
}

int fv_task_submit(struct fv_self *self, const struct fv_submission *s, uint64_t *id_out) {
    uint32_t gen, index = fv_task_alloc(self, &gen);
    if (FV_UNLIKELY(index == FV_NO_TASK))
        return -FEVER_ENOSLOTS;
    struct fv_task      *task = fv_task(index);
    struct fv_home_slot *h = &self->home[index & fv_map.mask];
    unsigned             x = 0;
    task->def = s->def;
    task->kind = s->actor != NULL ? FV_KIND_ACTOR : FV_KIND_TASK;
    task->is_member = s->group != 0;
    task->arg_bytes = s->arg_bytes;
    task->waiter = 0;
    task->result_bytes = 0;
    h->extra = 0;
    bool tail = s->n_refs != 0 && !s->inline_refs;
    if (FV_UNLIKELY(s->mailbox != NULL))
        x = FV_X_CALL;
    if (FV_LIKELY(s->arg_bytes <= (s->mailbox != NULL ? FV_CALL_ARGS : FV_INLINE_ARGS) && !tail && !s->aligned)) {
        if (s->arg_bytes == FV_INLINE_ARGS)
            memcpy(task->args, s->args, FV_INLINE_ARGS);
        else if (s->arg_bytes != 0)
            memcpy(task->args, s->args, s->arg_bytes);
    } else {
        uint64_t head = (s->arg_bytes + 7u) & ~7ull;
        uint64_t bytes = head + sizeof(struct fv_args_tail) + 8ull * (s->n_refs + 2ull * s->n_deps);
        uint64_t offset = fv_home_alloc(self, index, gen, bytes);
        if (offset == 0)
            return -FEVER_ESTOREFULL;
        struct fv_span *span = (struct fv_span *)task->args;
        span->offset = offset;
        span->bytes = bytes;
        memcpy(fv_at(offset), s->args, s->arg_bytes);
        struct fv_args_tail *tl = fv_at(offset + head);
        tl->n_refs = s->n_refs;
        tl->n_deps = s->n_deps;
        if (s->n_refs != 0)
            memcpy(tl->ref, s->refs, 8ull * s->n_refs);
        memset(tl->ref + s->n_refs, 0, 16ull * s->n_deps);
        x |= FV_X_ARGS_BLOCK;
    }
    if (s->timeout_ns != 0 || s->max_retries >= 0 || s->options != NULL || s->stream_items != 0 || s->actor != NULL) {
        int rc = 0;
        struct fv_task_cold *c = fv_cold(index);
        c->timeout_ns = s->timeout_ns;
        c->max_retries = (uint16_t)(s->max_retries >= 0 ? s->max_retries : 3);
        c->options = c->stream = 0;
        c->queued_ns = s->queued_ns;
        x |= FV_X_OPTIONS;
        if (s->options != NULL) {
            c->options = fv_home_alloc(self, index, gen, c->options_bytes = s->options_bytes);
            rc = c->options == 0 ? -FEVER_ESTOREFULL : fv_task_options_fill(fv_at(c->options), s->options, s->options_bytes) ? 0 : -FEVER_EINVAL;
        }
        if (rc == 0 && s->stream_items != 0 && (c->stream = fv_stream_create(self, index, gen, s->stream_items, s->stream_bytes)) == 0)
            rc = -FEVER_ESTOREFULL;
        if (s->actor != NULL)
            c->actor = 0;
        if (rc == 0 && s->actor != NULL && (c->actor = fv_actor_block(self, index, gen, s->actor)) == 0)
            rc = -FEVER_ESTOREFULL;
        if (rc == 0 && s->actor != NULL && s->actor->entry != 0)
            rc = fv_name_take(s->actor->entry, fv_ref_make(index, gen));
        if (rc < 0) {
            drop_blocks(self, index, gen, x);
            return rc;
        }
    }
    if (s->n_refs != 0) {
        for (uint32_t i = 0; i < s->n_refs; i++) {
            int rc = fv_hold(self, s->refs[i]);
            if (rc < 0 && s->refs[i] >> 60 != FV_TAG_ERROR) {
                while (i > 0)
                    fv_unhold(self, s->refs[--i]);
                if (s->actor != NULL)
                    fv_name_drop(s->actor->entry, fv_ref_make(index, gen));
                drop_blocks(self, index, gen, x);
                return rc;
            }
        }
        struct fv_task_cold *c = fv_cold(index);
        c->pushed = 0;
        c->registrations = 0;
        x |= FV_X_REFS;
        h->refs = 1;
        self->n_refs++;
    }
    if (self->is_worker || self->running != 0)
        fv_store_relaxed_64(&fv_cold(index)->parent, self->proc->current);
    if (FV_UNLIKELY(s->mailbox != NULL)) /* now that nothing can fail: a place that is taken, and not used, would count as a call that waits */
        task->args[2] = fv_actor_next_call(s->mailbox);
    task->x = (uint8_t)x;
    h->site = s->site;
    h->group = s->group;
    h->group_index = s->group_index;
    /* ORDER submit (release): definition, arguments and options before READY.  Pairs with submit (acquire) in
     * fv_task_claim().  Losing it: a worker runs old arguments.  Killed before: nothing was submitted, a block of ours
     * is garbage that the sweep finds.  Killed after: the task exists, and the sweep hints it. */
    fv_store_release_64(&task->truth, fv_truth(gen, 0, 0, s->flags | (s->actor != NULL && s->actor->entry != 0 ? FV_SHARED : 0), FV_READY));
    self->n_members += s->group != 0;
    if (FV_LIKELY(s->actor == NULL))
        fv_count(self->proc, FV_C_submitted);
    *id_out = fv_ref_make(index, gen);
    return 0;
}

/* Of X_OPTIONS or X_CALL: whoever wants it learns of it in another way than by a hint in a queue. */
static __attribute__((noinline, cold)) bool hint_special(struct fv_self *self, uint32_t index) {
    if (fv_task_is_queued(index) && !self->is_inline)
        fv_dispatch_queue(self, index);
    else if (fv_task_is_call(index))
        fv_actor_rouse(self, index);
    else
        return false;
    return true;
}

/* An actor has no queue before it makes anything, or makes a task READY that has waited for it. */
static __attribute__((noinline, cold)) bool open_queue(struct fv_self *self) {
    if (!fv_segment_grow_slab(self->slot))
        return false;
    self->cursor = 0;
    self->limit = self->proc->slab_limit;
    return true;
}

void fv_task_hint(struct fv_self *self, uint32_t index) {
    if (FV_UNLIKELY(fv_task(index)->x & (FV_X_OPTIONS | FV_X_CALL)) && hint_special(self, index))
        return;
    bool pushed = self->is_worker ? (FV_LIKELY(self->limit != 0) || open_queue(self)) &&
                                        fv_deque_push(self->proc, fv_queue_of(self->slot), fv_map.ring_mask, index)
                                  : fv_ring_push_spmc(&self->proc->ring, fv_queue_of(self->slot), fv_map.ring_mask, &self->ring, index);
    if (FV_UNLIKELY(!pushed)) /* full of stale hints: the supervisor hints what is READY */
        fv_store_release_32(&fv_map.seg->resweep, 1), self->call_supervisor = true;
    if (FV_UNLIKELY(fv_bell_someone_idle()))
        fv_bell_wake_idle(self->proc);
}

/* ------------------------------------------------------------------------------------------------
 * Worker */

/* A hint of the slot's last user may lead to one that starts by a grant only, or that its actor claims. */
static __attribute__((noinline, cold)) bool may_claim_special(struct fv_self *self, uint32_t index, uint64_t t) {
    return (!fv_task_is_queued(index) || self->granted == fv_ref_make(index, fv_truth_gen(t)) || self->is_inline) && !fv_task_is_call(index);
}

bool fv_task_claim(struct fv_self *self, uint32_t index) {
    struct fv_task *task = fv_task(index);
    uint64_t t = fv_load_acquire_64(&task->truth);
    while (fv_truth_state(t) == FV_READY) {
        if (FV_UNLIKELY(task->x & (FV_X_OPTIONS | FV_X_CALL)) && !may_claim_special(self, index, t))
            break;
        /* ORDER submit (acquire): READY before the arguments.  Pairs with submit (release) in fv_task_submit().
         * Killed before the CAS: the hint is lost and the sweep makes another.  After: RUN by the dead. */
        unsigned again = fv_truth_owner(t);
        if (fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->slot, FV_RUN), &t)) {
            self->again = again != 0;
            return true;
        }
    }
    fv_count(self->proc, FV_C_stale);
    return false;
}

/* Enters index into the dependents of dependency k.  Killed inside: fv_proc.registering names the node, and
 * the sweep looks whether it is in the list. */
static void push_dependent(struct fv_self *self, uint32_t index, uint32_t gen, uint32_t k, uint32_t dep) {
    struct fv_task_cold *c = fv_cold(dep);
    uint64_t node = node_make(index, gen, k), head;
    fv_store_release_64(&self->proc->registering, node);
    set_pushed(index, k, true);
    do {
        head = fv_load_relaxed_64(&c->dependents);
        fv_store_relaxed_64(next_of(index, k), head);
        /* ORDER dependents (release): next before the list's head.  Pairs with dependents (acquire) in fv_task_notify(). */
    } while (!fv_cas_64(&c->dependents, head, node));
    fv_store_release_64(&self->proc->registering, 0);
}

int fv_task_resolve(struct fv_self *self, uint32_t index, uint32_t *failed_out) {
    struct fv_task *task = fv_task(index);
    uint64_t        in[3];
    const uint64_t *refs;
    uint32_t        n_deps;
    fv_task_refs(index, in, &refs, &n_deps);
    for (uint32_t k = n_deps; k-- > 0;) {
        if (!fv_ref_tagged(refs[k])) { /* an error in place of a ref */
            *failed_out = k;
            return -2;
        }
        uint32_t d = 0;
        uint64_t dt = 0;
        if (fv_ref_check(refs[k], &d, &dt) < 0) { /* nobody could hold it for the task: see adopt() in sweep.c */
            *failed_out = k;
            return -2;
        }
        if (fv_truth_state(dt) == FV_DONE || fv_is_stream(d)) /* a stream is not awaited: it is there to be read from */
            continue;
        if (fv_truth_state(dt) == FV_FAIL) {
            *failed_out = d;
            return -1;
        }
        /* not yet: say so in its word, enter its list, be BLOCKED, look once more */
        while (!fv_state_is_complete(fv_truth_state(dt)) && !(dt & FV_DEPS))
            if (fv_cas_value_64(&fv_task(d)->truth, dt, dt | FV_DEPS, &dt))
                dt |= FV_DEPS;
        if (fv_state_is_complete(fv_truth_state(dt))) {
            k++; /* it has just completed: look at it again */
            continue;
        }
        uint64_t t = fv_load_relaxed_64(&task->truth);
        uint32_t gen = fv_truth_gen(t);
        if (!is_pushed(index, k))
            push_dependent(self, index, gen, k, d);
        uint64_t blocked;
        uint16_t turn = ++fv_cold(index)->registrations;
        do { /* flags may change under us */
            t = fv_load_relaxed_64(&task->truth);
            blocked = fv_truth_with(t, turn, FV_BLOCKED);
        } while (!fv_cas_64(&task->truth, t, blocked));
        fv_count(self->proc, FV_C_blocked);
        /* ORDER depend (seq_cst): BLOCKED before the second look at the dependency; the completer makes it DONE before it
         * takes the list.  Both are locked instructions.  Losing it: BLOCKED for ever. */
        dt = fv_load_acquire_64(&fv_task(d)->truth);
        bool cancelled = fv_cancel_asked(index, gen) != 0; /* who asked for it may have seen it RUN */
        if (!fv_state_is_complete(fv_truth_state(dt)) && !cancelled)
            return 0;
        /* completed meanwhile: take it back, unless the completer (or the sweep, or who cancels it) was quicker */
        t = fv_load_acquire_64(&task->truth);
        do {
            if (fv_truth_state(t) != FV_BLOCKED || fv_truth_owner(t) != turn || fv_truth_gen(t) != gen)
                return 0;
        } while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->slot, FV_RUN), &t));
        if (cancelled)
            return -3;
        k++;
    }
    return 1;
}

void fv_task_complete(struct fv_self *self, uint32_t index, unsigned state) {
    struct fv_task *task = fv_task(index);
    uint64_t t = fv_load_relaxed_64(&task->truth), to;
    unsigned x = task->x;
    uint32_t gen = fv_truth_gen(t);
    bool     is_task = task->kind == FV_KIND_TASK; /* objects and promises are not counted */
    bool     simple = !(x & (FV_X_ARGS_BLOCK | FV_X_RESULT_BLOCK | FV_X_REFS | FV_X_OPTIONS));
    do {
        if (FV_UNLIKELY(t & FV_DEPS))
            to = fv_truth_with(t, self->slot, state); /* owner: who tells the dependents; not freed before that is done */
        else if (FV_LIKELY(t & (FV_HELD | FV_SHARED)) || (state == FV_FAIL && task->is_member && !(x & FV_X_ADOPTED)))
            to = fv_truth_with(t, 0, state);
        else if (simple && state == FV_DONE)
            to = fv_truth(gen, 0, 0, 0, FV_FREE); /* detached: nobody wants the result */
        else if (x & (FV_X_REFS | FV_X_ADOPTED))
            to = fv_truth_with(t, 0, state); /* its home (or the supervisor) lets go of the arguments */
        else
            to = fv_truth_with(t, self->slot, FV_DYING);
        /* ORDER complete (release): the result before DONE.  Pairs with complete (acquire) in fv_ref_check() and
         * slot (acquire) in look().  One CAS, which also tells who waits: killed before it, the attempt is repeated;
         * killed after it, the task is complete, and the sweep rings and notifies in our place. */
    } while (!fv_cas_value_64(&task->truth, t, to, &t));
    if (FV_LIKELY(is_task))
        fv_count(self->proc, state == FV_DONE ? FV_C_done : FV_C_failed);
    if (FV_UNLIKELY(t & FV_DEPS))
        fv_task_notify(self, index, gen);
    if (FV_UNLIKELY(t & FV_WAITED || state == FV_FAIL)) {
        /* ORDER wait (acquire): WAITED before waiter.  Pairs with wait (release) in fv_task_announce_wait().
         * ORDER wait-failure (seq_cst): FAIL, by the CAS, before waiter.  Pairs with wait-failure (seq_cst) in
         * fv_task_watch_failure(). */
        uint32_t waiter = fv_load_acquire_32(&task->waiter);
        if (waiter != 0 && waiter != FV_MANY && waiter - 1 < fv_map.seg->n_procs) {
            if (state == FV_FAIL)
                fv_faa_32(&fv_proc(waiter - 1)->failures, 1);
            fv_bell_ring(fv_proc(waiter - 1));
        } else if (waiter != 0 || t & FV_WAITED) {
            fv_bell_ring_all();
        }
    }
    if (fv_truth_state(to) == FV_DYING)
        fv_task_finish_dying(self, index);
    else if ((t & FV_DEPS || (t & (FV_HELD | FV_SHARED)) == FV_SHARED) && !(x & (FV_X_REFS | FV_X_ADOPTED)) &&
             fv_truth_gen(t = fv_load_acquire_64(&task->truth)) == gen)
        fv_task_free(self, index, t); /* the last holder left while it ran */
}

static bool is_blocked(uint32_t index, uint64_t t) {
    fv_fence_load();
    return ((fv_load_acquire_64(&fv_task(index)->truth) ^ t) & ~(uint64_t)FV_FLAGS) == 0;
}

/* Does fn say yes to one of the dependencies of a BLOCKED task?  It may be cancelled, and its slot filled anew, while we read: as in
 * read_next().  So fn may be shown what is none of them; and no is said also when the word t is not its any more. */
static bool has_dependency(struct fv_self *self, uint32_t index, uint64_t t, bool (*fn)(struct fv_self *self, uint64_t id)) {
    const struct fv_task *task = fv_task(index);
    unsigned              x = fv_load_relaxed_8(&task->x), def = task->def;
    uint32_t              bytes = fv_load_relaxed_32(&task->arg_bytes), n_deps = 0;
    uint64_t              in[3], args[3];
    const uint64_t       *ref = in;
    for (int i = 0; i < 3; i++)
        args[i] = fv_load_relaxed_64(&task->args[i]);
    if (!is_blocked(index, t) || !(x & FV_X_REFS))
        return false;
    if (x & FV_X_ARGS_BLOCK) {
        const struct fv_args_tail *tail = fv_at(args[0] + ((bytes + 7ull) & ~7ull));
        n_deps = fv_load_relaxed_32(&tail->n_deps);
        ref = tail->ref;
        if (!is_blocked(index, t))
            return false;
    } else {
        for (uint32_t i = 0; i < fv_defs[def]->n_params && n_deps < 3; i++)
            if (fv_defs[def]->ref_offsets[i] != FEVER_NOT_A_REF)
                memcpy(&in[n_deps++], (const char *)args + fv_defs[def]->ref_offsets[i], 8);
    }
    for (uint32_t k = 0; k < n_deps; k++) {
        uint64_t id = fv_load_relaxed_64(&ref[k]);
        if (!is_blocked(index, t))
            return false;
        if (fn(self, id))
            return true;
    }
    return false;
}

static bool is_complete(struct fv_self *self, uint64_t id) {
    uint32_t d = 0;
    uint64_t t = 0;
    (void)self;
    return fv_ref_check(id, &d, &t) < 0 || fv_state_is_complete(fv_truth_state(t));
}
static bool prefetch(struct fv_self *self, uint64_t id) {
    fv_store_prefetch(self, id);
    return false;
}

/* BLOCKED -> READY of one dependent, and its hint; what it will read and is on disk is asked for, so that it is there when a worker has
 * time. */
static void unblock(struct fv_self *self, uint32_t index, uint32_t gen) {
    struct fv_task *task = fv_task(index);
    uint64_t t = fv_load_acquire_64(&task->truth);
    if (FV_UNLIKELY(fv_load_relaxed_32(&fv_map.seg->keeper.slot) != 0) && fv_truth_state(t) == FV_BLOCKED)
        has_dependency(self, index, t, prefetch);
    while (fv_truth_state(t) == FV_BLOCKED && (fv_truth_gen(t) & 0xFFFFF) == (gen & 0xFFFFF))
        if (fv_cas_value_64(&task->truth, t, fv_truth_with(t, 0, FV_READY), &t)) {
            fv_task_hint(self, index);
            return;
        }
}

void fv_task_notify(struct fv_self *self, uint32_t index, uint32_t gen) {
    fv_store_relaxed_64(&self->proc->notifying, fv_ref_make(index, gen));
    /* ORDER dependents (acquire): the head before next.  Pairs with dependents (release) in push_dependent().
     * ORDER depend (seq_cst): DONE, by the CAS in fv_task_complete(), before the list is taken.  Pairs with depend (seq_cst)
     * in fv_task_resolve(). */
    uint64_t node = fv_fas_64(&fv_cold(index)->dependents, 0);
    while (node != 0) {
        uint64_t next;
        if (!read_next(node, &next)) { /* the rest of the list is out of reach */
            fv_task_notify_all_blocked(self);
            break;
        }
        unblock(self, node_index(node), node_gen(node));
        node = next;
    }
    fv_task_notified(self, index, gen);
    fv_store_release_64(&self->proc->notifying, 0);
}

void fv_task_notified(struct fv_self *self, uint32_t index, uint32_t gen) {
    struct fv_task *task = fv_task(index);
    uint64_t t = fv_load_acquire_64(&task->truth);
    (void)self;
    do {
        if (fv_truth_gen(t) != gen || !(t & FV_DEPS) || !fv_state_is_complete(fv_truth_state(t)))
            return;
        /* ORDER told (release): the walk of the list before DEPS is off, and the slot may be freed.  Pairs with
         * told (acquire) in fv_task_free().  Losing it: the list of the slot's next user is taken in its place. */
    } while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t & ~(uint64_t)FV_DEPS, 0, fv_truth_state(t)), &t));
}

void fv_task_notify_all_blocked(struct fv_self *self) {
    FV_EACH_ACTIVE(p) {
        uint32_t limit = fv_load_acquire_32(&fv_proc(p)->slab_limit);
        for (uint32_t i = p << fv_map.shift, end = i + limit; i < end; i++) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            if (fv_truth_state(t) == FV_BLOCKED && has_dependency(self, i, t, is_complete))
                unblock(self, i, fv_truth_gen(t)); /* too often does no harm: it resolves again */
        }
    }
}

/* Supervisor, after the registrant's death: is the node that it was pushing in the list?  If its dependency is
 * complete the answer does not matter: all BLOCKED tasks are looked at anyway. */
bool fv_node_in_list(uint64_t node) {
    uint32_t        index = node_index(node), k = node_k(node);
    uint64_t        in[3];
    const uint64_t *refs;
    uint32_t        n_deps;
    fv_task_refs(index, in, &refs, &n_deps);
    if (k >= n_deps || !fv_ref_tagged(refs[k]))
        return true;
    uint32_t d = fv_ref_index(refs[k]);
    /* the list only grows at its head until the dependency completes; nodes below are frozen */
    for (uint64_t n = fv_load_acquire_64(&fv_cold(d)->dependents), next; n != 0; n = next) {
        if (n == node)
            return true;
        if (!read_next(n, &next)) /* freed: whoever walks the list stops there too, and looks at all BLOCKED tasks */
            return true;
        if (fv_state_is_complete(fv_truth_state(fv_load_acquire_64(&fv_task(d)->truth))))
            return true;
    }
    return fv_state_is_complete(fv_truth_state(fv_load_acquire_64(&fv_task(d)->truth)));
}
void fv_node_forget(uint64_t node) { set_pushed(node_index(node), node_k(node), false); }

/* ------------------------------------------------------------------------------------------------
 * Failures */

void fv_error_describe(struct fever_error *e, unsigned def_id, int code) {
    memset(e, 0, sizeof *e);
    e->code = code;
    e->worker = -1;
    const struct fever_def *def = def_id < FV_MAX_DEFS ? fv_defs[def_id] : NULL;
    if (def != NULL) {
        snprintf(e->task, sizeof e->task, "%s", def->name);
        snprintf(e->file, sizeof e->file, "%s", def->file);
        e->line = def->line;
    }
    snprintf(e->text, sizeof e->text, "%s", fever_strerror(code));
}

void fv_task_set_failure(struct fv_self *self, uint32_t index, const struct fever_error *error) {
    struct fv_task *task = fv_task(index);
    uint32_t gen = fv_truth_gen(fv_load_relaxed_64(&task->truth));
    if (task->x & FV_X_RESULT_BLOCK) { /* what the body had written */
        struct fv_span *s = (struct fv_span *)task->result;
        fv_arena_free(&self->heap, s->offset, fv_task_block_bytes(index, fv_load_relaxed_64(&task->truth)), index, gen);
        fv_and_8(&task->x, (uint8_t)~(FV_X_RESULT_BLOCK | FV_X_NESTED));
    }
    struct fv_failure f = {.code = (uint16_t)error->code, .signal = (uint16_t)error->signal, .app_code = error->app_code};
    f.error = fv_arena_alloc(&self->heap, index, gen, sizeof *error);
    if (f.error != 0) {
        struct fever_error *e = fv_at(f.error);
        memcpy(e, error, sizeof *error);
        if (e->ref.id == 0) /* it began here */
            e->ref.id = fv_ref_make(index, gen);
    }
    memcpy(task->result, &f, sizeof f);
    fv_or_8(&task->x, FV_X_FAILURE);
}

void fv_task_get_error(uint32_t index, struct fever_error *error_out) {
    struct fv_task *task = fv_task(index);
    struct fv_failure f;
    memcpy(&f, task->result, sizeof f);
    if (f.error != 0) {
        memcpy(error_out, fv_at(f.error), sizeof *error_out);
        return;
    }
    fv_error_describe(error_out, fv_task_def_of(task), f.code);
    fv_task_options_name(index, error_out);
    error_out->app_code = f.app_code;
    error_out->signal = f.signal;
}

/* ------------------------------------------------------------------------------------------------
 * Waiting and freeing */

static void enter_waiter(struct fv_self *self, struct fv_task *task) {
    uint32_t me = self->slot + 1, w = fv_load_relaxed_32(&task->waiter);
    while (w != me && w != FV_MANY)
        if (fv_cas_value_32(&task->waiter, w, w == 0 ? me : FV_MANY, &w))
            break;
}

uint64_t fv_task_watch_failure(struct fv_self *self, uint32_t index) {
    /* ORDER wait-failure (seq_cst): waiter, by a CAS, before the look at the truth word; who completes looks at waiter after
     * FAIL.  Losing it: a failure is told late, when the refs before it are there. */
    enter_waiter(self, fv_task(index));
    return fv_load_acquire_64(&fv_task(index)->truth);
}

bool fv_task_announce_wait(struct fv_self *self, uint32_t index, uint32_t gen) {
    struct fv_task *task = fv_task(index);
    /* ORDER wait (release): waiter before WAITED.  Pairs with wait (acquire) in fv_task_complete(). */
    enter_waiter(self, task);
    uint64_t t = fv_load_acquire_64(&task->truth);
    for (;;) {
        unsigned s = fv_truth_state(t);
        if (fv_truth_gen(t) != gen || fv_state_is_complete(s) || s == FV_FREE || s == FV_DYING)
            return false;
        if (fv_cas_value_64(&task->truth, t, t | FV_WAITED, &t)) /* also when set already: the CAS is the barrier */
            return true;
    }
}

static void finish_one(struct fv_self *self, uint32_t index) {
    struct fv_task *task = fv_task(index);
    uint64_t t = fv_load_relaxed_64(&task->truth), n;
    uint32_t gen = fv_truth_gen(t);
    uint64_t *nested = fv_task_nested(index, t, &n);
    if (nested != NULL)
        for (uint64_t i = 0; i < n; i++)
            if (fv_load_relaxed_64(&nested[i]) != 0)
                fv_shared_release(self, nested[i], &nested[i]);
    if (task->x & FV_X_RESULT_BLOCK) {
        struct fv_span *s = (struct fv_span *)task->result;
        uint64_t        offset = fv_residence_offset(s->offset); /* 0: only on disk; the keeper finds the copy's slot gone */
        if (offset != 0)
            fv_arena_free(&self->heap, offset, fv_task_block_bytes(index, t), index, gen);
    } else if (task->x & FV_X_FAILURE) {
        uint64_t error = ((struct fv_failure *)task->result)->error;
        if (error != 0)
            fv_arena_free(&self->heap, error, sizeof(struct fever_error), index, gen);
    }
    if (task->x & FV_X_ARGS_BLOCK) {
        struct fv_span *s = (struct fv_span *)task->args;
        fv_arena_free(&self->heap, s->offset, s->bytes, index, gen);
    }
    fv_stream_free(self, index, gen);
    fv_task_options_free(self, index, gen);
    if (FV_UNLIKELY(fv_task_is_actor(index)))
        fv_actor_free(self, index, gen);
    if (t & FV_DEPS)
        fv_store_relaxed_64(&fv_cold(index)->dependents, 0);
    /* ORDER slot (release): all use of the line and its blocks before FREE.  Pairs with slot (acquire) in look(). */
    fv_store_release_64(&task->truth, fv_truth(gen, 0, 0, 0, FV_FREE));
    if (self->slot == index >> fv_map.shift && !self->is_inline)
        fv_home_freed(self, index & fv_map.mask);
}

/* What it holds may die of that, and so on: a worklist, since nesting has no limit.  Killed on the way: all of them are DYING by
 * the dead, which the sweep finishes. */
void fv_task_finish_dying(struct fv_self *self, uint32_t index) {
    if (self->finishing) {
        if (self->n_dying == self->room_dying) {
            uint32_t  room = self->room_dying ? self->room_dying * 2 : 64;
            uint32_t *p = realloc(self->dying, room * sizeof *p);
            if (p == NULL) {
                finish_one(self, index);
                return;
            }
            self->dying = p;
            self->room_dying = room;
        }
        self->dying[self->n_dying++] = index;
        return;
    }
    self->finishing = true;
    finish_one(self, index);
    while (FV_UNLIKELY(self->n_dying > 0))
        finish_one(self, self->dying[--self->n_dying]);
    self->finishing = false;
}

bool fv_task_free(struct fv_self *self, uint32_t index, uint64_t t) {
    struct fv_task *task = fv_task(index);
    uint32_t        gen = fv_truth_gen(t);
    do {
        if (fv_truth_gen(t) != gen)
            return false;
        /* ORDER told (acquire): no DEPS before the slot is anything else.  Pairs with told (release) in fv_task_notified(). */
        if (t & FV_HELD)
            return false;
        if (fv_truth_state(t) != FV_OPEN && (!fv_state_is_complete(fv_truth_state(t)) || t & FV_DEPS))
            return false; /* an OPEN one that nobody holds will never be completed */
        if (t & FV_SHARED && fv_load_acquire_64(&fv_cold(index)->count) >> 32 != 0)
            return false;
        /* ORDER seek (seq_cst): it is complete, by a CAS, before the look at what others seek.  Pairs with seek (seq_cst) in
         * fv_name_find(): who has not seen that it is complete is seen here. */
        if (FV_UNLIKELY(task->kind == FV_KIND_ACTOR) && fv_name_is_sought(fv_ref_make(index, gen)))
            return false;
        /* Killed after this CAS: DYING by the dead, which the sweep finishes. */
    } while (!fv_cas_value_64(&task->truth, t, fv_truth_with(t, self->slot, FV_DYING), &t));
    fv_task_finish_dying(self, index);
    return true;
}
