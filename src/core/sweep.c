/* core/sweep.c: puts in order what a dead process stood for.
 *
 * Run by the supervisor, after waitid has proved the death, and by nobody else.  Every step is a CAS of a truth word, or is
 * repeated until it changes nothing, so that a sweep can be begun again.  In this order:
 *
 *   1. slots that the dead was freeing (DYING) are freed; unsealed objects of its own fail; an item that it was taking from a
 *      stream is taken
 *   2. blocks that it had allocated and not published are freed; if it was the keeper, what it was dropping or restoring is put right
 *   3. the actor that it was is restarted, or ends and all calls to it fail; tasks that it was running are READY again, charged or not, or fail
 *   4. its own slab: what nobody else holds is dropped; the rest is adopted, its arguments held by the supervisor
 *   5. its holds are released, its pins cleared, the slot whose count it was changing is recounted
 *   6. dependents that it had not told, hints that it had taken: found and made anew
 *   7. every bell rings
 */
#include "base/clock.h"
#include "core/actor.h"
#include "core/attempt.h"
#include "core/cancel.h"
#include "core/delay.h"
#include "core/queued.h"
#include "core/failure.h"
#include "core/name.h"
#include "core/object.h"
#include "core/options.h"
#include "core/store.h"
#include "core/stream.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct adopted {
    uint32_t index, gen;
    bool     refs; /* we hold the refs of its arguments */
};
static struct adopted *adopted;
static uint32_t        n_adopted, room_adopted;
static uint64_t       *recounts; /* refs whose count may be too high by one */
static uint32_t        n_recounts, room_recounts;

#define SPARED_DELAY_NS      20000000ull   /* before a task that the memory monitor ended begins again, the first time */
#define SPARED_DELAY_MOST_NS 1000000000ull
#define SPARED_MOST       8u            /* so often */

#define EACH_SLOT(p, i) \
    for (uint32_t i = (p) << fv_map.shift, end_ = i + fv_load_acquire_32(&fv_proc(p)->slab_limit); i < end_; i++)

static uint32_t count_of(uint32_t index) { return (uint32_t)(fv_load_acquire_64(&fv_cold(index)->count) >> 32); }

/* ------------------------------------------------------------------------------------------------ 2. blocks */
struct orphans {
    struct fv_self *self;
    uint32_t        dead;
};

static bool in_span(uint64_t offset, uint64_t start, uint64_t bytes) {
    return start != 0 && offset >= start / FV_CHUNK_BYTES * FV_CHUNK_BYTES && offset < start + bytes;
}

static bool refers(uint32_t index, uint64_t offset, bool extent) {
    const struct fv_task *t = fv_task(index);
    const struct fv_span *a = (const struct fv_span *)t->args, *r = (const struct fv_span *)t->result;
    uint64_t              result = fv_residence_offset(fv_load_acquire_64(&r->offset));
    if (t->x & FV_X_ARGS_BLOCK && (extent ? in_span(offset, a->offset, a->bytes) : offset == a->offset))
        return true;
    if (t->x & FV_X_RESULT_BLOCK &&
        (extent ? in_span(offset, result, fv_task_block_bytes(index, fv_load_acquire_64(&t->truth))) : offset == result))
        return true;
    if (t->x & FV_X_OPTIONS && offset == fv_cold(index)->options)
        return true;
    struct fv_span s = fv_stream_span(index);
    if (s.offset != 0 && (extent ? in_span(offset, s.offset, s.bytes) : offset == s.offset))
        return true;
    if (!extent && fv_actor_refers(index, offset))
        return true;
    return t->x & FV_X_FAILURE && offset == ((const struct fv_failure *)t->result)->error;
}

static void free_orphan(void *arg, uint64_t offset, uint64_t bytes, uint32_t index, uint32_t gen) {
    const struct orphans *o = arg;
    bool extent = bytes >= FV_CHUNK_BYTES; /* a small block never is */
    if (index == FV_NO_ROOT) {
        if (gen == o->dead)
            fv_arena_free(NULL, offset, bytes, index, gen);
        return;
    }
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    bool     live = fv_truth_gen(t) == gen && fv_truth_state(t) != FV_FREE;
    if (live && refers(index, offset, extent))
        return;
    /* An extent has no owner: it is the dead's only if the dead was filling the slot, or running it, or restoring its result, or was
     * freeing it (then the slot has the block's generation still, or a later one). */
    bool restored = fv_truth_state(t) == FV_DONE && fv_load_relaxed_32(&fv_proc(o->dead)->role) == FV_ROLE_KEEPER;
    if (extent && !(live ? restored || (fv_truth_state(t) == FV_RUN && fv_truth_owner(t) == o->dead)
                         : fv_home_of(index) == o->dead || (int32_t)(fv_truth_gen(t) - gen) >= 0))
        return;
    fv_arena_free(NULL, offset, bytes, index, gen);
}

/* ------------------------------------------------------------------------------------------------ 3. running tasks */
static void set_cause(struct fever_error *e, uint32_t index, const struct fv_verdict *why, int code, unsigned attempt) {
    const struct fv_task *task = fv_task(index);
    struct fv_object_at   at;
    fv_error_describe(e, fv_task_def_of(task), code);
    fv_task_options_name(index, e);
    e->signal = why->signal;
    e->exit_status = why->exit_status;
    e->fault_address = why->fault_address;
    e->attempt = attempt;
    e->worker = why->worker;
    e->worker_pid = why->pid;
    fv_error_frames(e, why->frame, why->n_frames);
    if (code == FEVER_ECANCELED)
        snprintf(e->text, sizeof e->text, why->code == FEVER_ECANCELED ? "cancelled by force: worker %d (pid %d) was killed (attempt %u)"
                                                                       : "cancelled, and worker %d (pid %d), which had it, died (attempt %u)",
                 why->worker, why->pid, attempt);
    else if (code == FEVER_EMEMORY && why->pressed)
        snprintf(e->text, sizeof e->text, "memory is short (%llu.%llu %% in use, at most %llu.%llu %% may be): it was ended for that %u times",
                 (unsigned long long)why->used / 10, (unsigned long long)why->used % 10, (unsigned long long)why->limit / 10,
                 (unsigned long long)why->limit % 10, SPARED_MOST + 1);
    else if (code == FEVER_EMEMORY && why->by_kernel)
        snprintf(e->text, sizeof e->text, "worker %d (pid %d) was killed by the kernel, which had run out of memory (attempt %u)", why->worker,
                 why->pid, attempt);
    else if (code == FEVER_EMEMORY)
        snprintf(e->text, sizeof e->text, "used %.1f MiB of private memory, its limit is %.1f MiB, and was killed (attempt %u)",
                 (double)why->used / 1048576, (double)why->limit / 1048576, attempt);
    else if (code == FEVER_ETASKTIMEOUT)
        snprintf(e->text, sizeof e->text, "ran longer than its timeout and was killed (attempt %u)", attempt);
    else if (why->program[0] != '\0')
        snprintf(e->text, sizeof e->text, "worker %d (pid %d) became another program, %s, which %s %d (attempt %u)", why->worker, why->pid,
                 why->program, why->signal != 0 ? "died of signal" : "exited with status", why->signal != 0 ? why->signal : why->exit_status,
                 attempt);
    else if (why->signal == SIGSEGV && fv_object_find(why->fault_address, &at)) { /* its view can be read: it was written to */
        char words[112];
        e->object.id = at.ref;
        e->object_site = at.site;
        snprintf(e->text, sizeof e->text, "worker %d (pid %d) wrote to the read-only view of %s", why->worker, why->pid,
                 fv_object_text(&at, words, sizeof words));
    } else if (why->signal != 0 && why->fault_address != 0)
        snprintf(e->text, sizeof e->text, "worker %d (pid %d) died of signal %d (%s) at address %#llx (attempt %u)", why->worker, why->pid,
                 why->signal, strsignal(why->signal), (unsigned long long)why->fault_address, attempt);
    else if (why->signal != 0)
        snprintf(e->text, sizeof e->text, "worker %d (pid %d) died of signal %d (%s) (attempt %u)", why->worker, why->pid, why->signal,
                 strsignal(why->signal), attempt);
    else
        snprintf(e->text, sizeof e->text, "worker %d (pid %d) exited with status %d in the task (attempt %u)", why->worker, why->pid,
                 why->exit_status, attempt);
}

static void note_attempt(uint64_t id, const struct fv_verdict *why, int code, bool charged, unsigned attempt) {
    struct fv_attempt a = {.task = id, .when_ns = why->when_ns, .fault_address = why->fault_address, .worker = why->worker,
                           .pid = (uint32_t)why->pid, .attempt = (uint16_t)attempt, .code = (uint16_t)code,
                           .signal = (uint16_t)why->signal, .charged = charged, .detail = why->exit_status};
    fv_attempt_note(&a);
}

/* One more attempt that the memory monitor ended: how many these are. */
static unsigned count_spared(uint32_t index, uint32_t gen) {
    uint64_t *spared = &fv_cold(index)->spared;
    *spared = *spared >> 32 == gen ? *spared + 1 : (uint64_t)gen << 32 | 1;
    return (unsigned)(*spared & 0xFFFFFFFF);
}

static void retry_or_fail(struct fv_self *self, uint32_t index, uint32_t dead, const struct fv_verdict *why, uint64_t blamed) {
    struct fv_task *task = fv_task(index);
    uint64_t t = fv_load_acquire_64(&task->truth);
    unsigned cancel = fv_cancel_asked(index, fv_truth_gen(t));
    if (cancel != 0) { /* it ran, or was being cancelled: no charge, no retry */
        struct fever_error e;
        set_cause(&e, index, why, FEVER_ECANCELED, fv_truth_attempt(t) + 1);
        if (cancel & FV_CANCEL_TREE)
            fv_cancel_children(self, fv_ref_make(index, fv_truth_gen(t)), dead, cancel);
        if (fv_proc(dead)->current != 0)
            note_attempt(fv_ref_make(index, fv_truth_gen(t)), why, FEVER_ECANCELED, false, e.attempt);
        fv_error_attempts(&e, fv_ref_make(index, fv_truth_gen(t)));
        fv_task_set_failure(self, index, &e);
        fv_task_complete(self, index, FV_FAIL);
        return;
    }
    if (task->kind == FV_KIND_PROMISE) { /* it was being set: whoever repeats that finds it open */
        while (fv_truth_state(t) == FV_RUN && fv_truth_owner(t) == dead && !fv_cas_value_64(&task->truth, t, fv_truth_with(t, 0, FV_OPEN), &t))
            ;
        return;
    }
    bool     is_call = fv_task_is_call(index);
    unsigned attempt = fv_truth_attempt(t), retries = is_call ? fv_actor_call_retries(index) : task->x & FV_X_OPTIONS ? fv_cold(index)->max_retries : 3;
    uint64_t id = fv_ref_make(index, fv_truth_gen(t)), not_before = 0;
    bool     blame = !why->innocent && id == blamed, spared = blame && why->pressed && retries != 0, charged = blame && !spared;
    /* Not charged are the bodies around it on the dead's stack, which had started, and what it had claimed and not started: that
     * was in no body then.  (A task that may not be repeated is never run inside another.) */
    bool     started = charged || (!is_call && fv_proc(dead)->current != 0);
    bool     fail = charged ? (why->code != FEVER_ECRASHED && !why->by_kernel) || attempt >= retries : !why->innocent && !spared && started && retries == 0;
    if (is_call && (!blame || why->code == FEVER_ECRASHED) && fv_actor_fail_with_dead(self, index, blame))
        return;
    if (spared) {
        unsigned n = count_spared(index, fv_truth_gen(t));
        fail = n > SPARED_MOST;
        not_before = fv_now_ns() + fv_delay_of(SPARED_DELAY_NS, SPARED_DELAY_MOST_NS, n, id);
    }
    if (charged)
        attempt++;
    if (started)
        note_attempt(id, why, blame ? why->code : FEVER_ECRASHED, charged, charged ? attempt : attempt + 1);
    if (fail) {
        struct fever_error e;
        set_cause(&e, index, why, blame ? why->code : FEVER_ECRASHED, attempt);
        if (is_call)
            fv_actor_down_error(&e, why);
        fv_error_attempts(&e, id);
        fv_task_set_failure(self, index, &e);
        fv_task_complete(self, index, FV_FAIL);
        return;
    }
    fv_task_requeue(self, index, dead, attempt, !charged, not_before);
    if (not_before != 0)
        fv_delay_note(self, not_before);
}

/* ------------------------------------------------------------------------------------------------ 4. the dead's slab */
static bool is_adopted(uint32_t index) { return fv_load_relaxed_8(&fv_task(index)->x) & FV_X_ADOPTED; }

static bool adopt(struct fv_self *self, uint32_t index, uint64_t t) {
    if (n_adopted == room_adopted) {
        uint32_t room = room_adopted ? room_adopted * 2 : 64;
        struct adopted *p = realloc(adopted, room * sizeof *p);
        if (p == NULL)
            return false;
        adopted = p, room_adopted = room;
    }
    fv_or_8(&fv_task(index)->x, FV_X_ADOPTED);
    struct adopted *a = &adopted[n_adopted++];
    *a = (struct adopted){.index = index, .gen = fv_truth_gen(t)};
    uint64_t        in[3];
    const uint64_t *refs;
    uint32_t        n_deps, n = fv_task_refs(index, in, &refs, &n_deps);
    a->refs = n != 0;
    for (uint32_t i = 0; i < n; i++)
        fv_hold(self, refs[i]); /* out of memory: if it is gone when the task starts, that fails (fv_task_resolve) */
    return true;
}

/* An actor that has calls to do, though nobody has a handle any more (whoever called it let go after that); or one that has ended, and is
 * being looked at by who seeks it. */
static bool actor_is_wanted(uint32_t index, uint64_t t) {
    if (FV_LIKELY(!fv_task_is_actor(index)))
        return false;
    return fv_state_is_complete(fv_truth_state(t)) ? fv_name_is_sought(fv_ref_make(index, fv_truth_gen(t))) : fv_actor_depth(index) != 0;
}

/* Others hold it, or may find it, or somebody is telling its dependents just now. */
static bool lives_on(uint32_t index, uint64_t t) {
    return fv_actor_stays(index, t) || (t & FV_SHARED && count_of(index) != 0) || (t & FV_DEPS && fv_state_is_complete(fv_truth_state(t))) ||
           actor_is_wanted(index, t);
}

static bool is_task_to_run(uint32_t index, unsigned state) {
    return fv_task(index)->kind == FV_KIND_TASK && (state == FV_READY || state == FV_DELAYED || state == FV_BLOCKED);
}

static void sweep_slab(struct fv_self *self, uint32_t dead, bool in_order) {
    /* who lives on: what others hold, what others run, and what these need as arguments */
    for (bool changed = true; changed;) {
        changed = false;
        EACH_SLOT(dead, i) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            unsigned s = fv_truth_state(t);
            if (s == FV_FREE || s == FV_DYING || is_adopted(i))
                continue;
            if (s == FV_RUN || lives_on(i, t) || (in_order && is_task_to_run(i, s)))
                changed |= adopt(self, i, t);
        }
    }
    /* the others go; one that a worker claims meanwhile is adopted after all */
    for (bool again = true; again;) {
        again = false;
        EACH_SLOT(dead, i) {
            struct fv_task *task = fv_task(i);
            uint64_t t = fv_load_acquire_64(&task->truth);
            unsigned s = fv_truth_state(t);
            if (s == FV_FREE || s == FV_DYING)
                continue;
            if (is_adopted(i)) {
                while (t & FV_HELD && fv_truth_state(t) != FV_FREE)
                    if (fv_cas_value_64(&task->truth, t, t & ~(uint64_t)FV_HELD, &t))
                        break;
                continue;
            }
            if (s == FV_RUN || lives_on(i, t) || (in_order && is_task_to_run(i, s))) {
                again |= adopt(self, i, t);
                continue;
            }
            if (!fv_cas_64(&task->truth, t, fv_truth_with(t & ~(uint64_t)FV_HELD, self->slot, FV_DYING))) {
                again = true;
                continue;
            }
            if (!fv_state_is_complete(s) && task->kind == FV_KIND_TASK)
                fv_count(self->proc, FV_C_dropped);
            fv_task_finish_dying(self, i);
        }
    }
}

bool fv_sweep_adopted(struct fv_self *self) {
    bool again = false;
    for (uint32_t k = 0; k < n_adopted;) {
        struct adopted *a = &adopted[k];
        uint64_t        t = fv_load_acquire_64(&fv_task(a->index)->truth);
        bool            gone = fv_truth_gen(t) != a->gen || fv_truth_state(t) == FV_FREE;
        if (!gone && fv_state_is_complete(fv_truth_state(t))) {
            if (a->refs) {
                uint64_t        in[3];
                const uint64_t *refs;
                uint32_t        n_deps, n = fv_task_refs(a->index, in, &refs, &n_deps);
                for (uint32_t i = 0; i < n; i++)
                    fv_unhold_later(self, refs[i]);
                a->refs = false;
                fv_unhold_pending(self);
            }
            gone = fv_task_free(self, a->index, t);
        } else if (!gone && fv_truth_state(t) == FV_OPEN) {
            gone = fv_task_free(self, a->index, t); /* a promise that nobody can set any more */
        }
        /* An actor may live as long as the runtime, and it ends with a process, or by us: we are called then. */
        again |= !gone && (!fv_task_is_actor(a->index) || fv_state_is_complete(fv_truth_state(t)));
        if (gone)
            adopted[k] = adopted[--n_adopted];
        else
            k++;
    }
    return again;
}

/* ------------------------------------------------------------------------------------------------ 5. holds */
/* Number of records of counted holds on id. */
static uint32_t records_of(uint64_t id) {
    uint32_t n = fv_holds_private(id);
    FV_EACH_ACTIVE(p) {
        for (uint32_t i = 0, used = fv_holds_used(p); i < used; i++)
            n += fv_load_acquire_64(&fv_holds_of(p)[i]) == id;
        EACH_SLOT(p, i) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth), k;
            if (fv_truth_state(t) == FV_FREE || !(fv_load_relaxed_8(&fv_task(i)->x) & (FV_X_NESTED | FV_X_OPTIONS)))
                continue;
            n += fv_stream_records(i, fv_truth_gen(t), id);
            n += fv_actor_records(i, id);
            uint64_t *nested = fv_task_nested(i, t, &k);
            for (uint64_t j = 0; nested != NULL && j < k; j++)
                n += fv_load_acquire_64(&nested[j]) == id;
        }
    }
    return n;
}

static bool someone_intends(uint64_t id) {
    FV_EACH_ACTIVE(p)
        if (fv_load_acquire_64(&fv_proc(p)->intent) == id)
            return true;
    return false;
}

/* Puts the count right; false when somebody is at it just now: try again later, too high does no harm. */
static bool recount(struct fv_self *self, uint64_t id) {
    uint32_t index = fv_ref_index(id);
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    if (fv_truth_gen(t) != fv_ref_gen(id) || fv_truth_state(t) == FV_FREE || fv_truth_state(t) == FV_DYING)
        return true;
    uint64_t c = fv_load_acquire_64(&fv_cold(index)->count);
    if (someone_intends(id))
        return false;
    uint32_t n = records_of(id);
    /* ORDER recount (seq_cst): whoever changes a record has set its intent before and changes the count after, so if nobody
     * intends now and the word (with its sequence) is unchanged, n is the number for that word. */
    if (someone_intends(id) || !fv_cas_64(&fv_cold(index)->count, c, (uint64_t)n << 32 | (uint32_t)(c + 1)))
        return false;
    t = fv_load_acquire_64(&fv_task(index)->truth);
    if (n == 0 && fv_truth_gen(t) == fv_ref_gen(id)) {
        fv_actor_left(index, t);
        if (!(fv_task(index)->x & (FV_X_REFS | FV_X_ADOPTED)))
            fv_task_free(self, index, t);
    }
    return true;
}

static void recount_later(uint64_t id) {
    if (n_recounts == room_recounts) {
        uint32_t room = room_recounts ? room_recounts * 2 : 16;
        uint64_t *p = realloc(recounts, room * sizeof *p);
        if (p == NULL)
            return;
        recounts = p, room_recounts = room;
    }
    recounts[n_recounts++] = id;
}

bool fv_sweep_recounts(struct fv_self *self) {
    for (uint32_t k = 0; k < n_recounts;)
        if (recount(self, recounts[k]))
            recounts[k] = recounts[--n_recounts];
        else
            k++;
    return n_recounts != 0;
}

static void sweep_holds(struct fv_self *self, uint32_t dead) {
    struct fv_proc *proc = fv_proc(dead);
    uint64_t intent = proc->intent;
    fv_store_release_64(&proc->intent, 0);
    for (uint32_t i = 0, n = fv_holds_used(dead); i < n; i++) {
        uint64_t id = fv_load_acquire_64(&fv_holds_of(dead)[i]);
        if (fv_ref_tagged(id))
            fv_shared_release(self, id, &fv_holds_of(dead)[i]);
        else if (id != 0) /* a pin */
            fv_store_release_64(&fv_holds_of(dead)[i], 0);
    }
    if (intent != 0)
        recount_later(intent);
    fv_sweep_recounts(self);
}

/* ------------------------------------------------------------------------------------------------ 6. hints */
/* Which slots have a hint: a bit for each slot that is allocated, those of a process from `first` on. */
struct hinted {
    uint64_t first;
    uint32_t limit; /* 0: not active */
};

static void mark_hinted(uint64_t *bits, const struct hinted *h, uint32_t index) {
    uint32_t p = fv_home_of(index), i = index & fv_map.mask;
    if (p < fv_map.seg->n_procs && i < h[p].limit)
        bits[(h[p].first + i) / 64] |= 1ull << ((h[p].first + i) % 64);
}

void fv_sweep_rehint(struct fv_self *self) {
    struct hinted *h = calloc(fv_map.seg->n_procs, sizeof *h);
    uint64_t       n = 0;
    if (h != NULL)
        FV_EACH_ACTIVE(p) {
            h[p] = (struct hinted){n, fv_load_acquire_32(&fv_proc(p)->slab_limit)};
            n += h[p].limit;
        }
    uint64_t *bits = h == NULL ? NULL : calloc(n / 64 + 1, 8);
    if (bits == NULL) {
        free(h);
        fv_store_release_32(&fv_map.seg->resweep, 1);
        return;
    }
    FV_EACH_ACTIVE(p) {
        struct fv_proc *proc = fv_proc(p);
        const uint32_t *q = fv_queue_of(p), mask = fv_map.ring_mask;
        for (uint32_t i = fv_load_acquire_32(&proc->ring.c_head), e = fv_load_acquire_32(&proc->ring.p_tail); i != e; i++)
            mark_hinted(bits, h, fv_load_relaxed_32(&q[i & mask]));
        for (uint64_t i = fv_load_acquire_64(&proc->top), e = fv_load_acquire_64(&proc->bottom); (int64_t)(e - i) > 0; i++)
            mark_hinted(bits, h, fv_load_relaxed_32(&q[i & mask]));
    }
    fv_store_release_32(&fv_map.seg->resweep, 0);
    for (uint32_t p = 0; p < fv_map.seg->n_procs; p++)
        for (uint32_t k = 0; k < h[p].limit; k++) { /* what a slab has grown by meanwhile has been hinted by its owner */
            uint32_t i = p << fv_map.shift | k;
            uint64_t at = h[p].first + k;
            unsigned state = fv_truth_state(fv_load_acquire_64(&fv_task(i)->truth));
            /* A hint in a ring is none for a task that starts by a grant: it is of the slot's last user. */
            if (state == FV_READY && (!(bits[at / 64] >> (at % 64) & 1) || fv_task_is_queued(i)))
                fv_task_hint(self, i); /* sets resweep again when the ring is full */
            else if (state == FV_DELAYED)
                fv_delay_note(self, fv_load_relaxed_64(&fv_cold(i)->not_before_ns));
        }
    free(bits);
    free(h);
}

/* What the dead had said of itself in its process slot. */
static void clear_slot(uint32_t dead) {
    struct fv_proc *proc = fv_proc(dead);
    memset(proc->batch, 0, sizeof proc->batch);
    proc->current = proc->deadline_ns = proc->registering = proc->notifying = proc->wait_ref = proc->cancelling = 0;
    proc->waits_alone = 0;
    proc->blocked = proc->want_spare = proc->depth = 0; /* patron stays: if it is still blocked the successor stands in for it */
    proc->parked = proc->leaves = proc->leave_wanted = proc->lease = 0;
    proc->memory_limit = proc->memory_task = 0;
    fv_store_release_32(&proc->awaits_calls, 0);
    fv_store_release_64(&proc->reading, 0);
    memset(proc->want, 0, sizeof proc->want);
    proc->room_wanted = 0;
    proc->fault_signal = proc->n_frames = 0;
    proc->fault_address = 0;
    fv_bell_idle_clear(dead);
    fv_bit_clear(fv_map.seg->spares, dead);
}

/* An actor that has ended in good order has told all that it had to tell, and was in no call of the library's: nothing of other slabs
 * hangs on it, no block is its own, and no hint went with it.  Steps 4 and 5 remain, in its own slab and table. */
bool fv_sweep_ended(struct fv_self *self, uint32_t dead) {
    const struct fv_proc *proc = fv_proc(dead);
    if ((proc->intent | proc->registering | proc->notifying | proc->cancelling | proc->seeking | proc->reading | proc->current) != 0)
        return false;
    EACH_SLOT(dead, i) {
        unsigned s = fv_truth_state(fv_load_acquire_64(&fv_task(i)->truth));
        if (s != FV_FREE && !fv_state_is_complete(s) && !is_adopted(i))
            return false;
    }
    sweep_slab(self, dead, false);
    sweep_holds(self, dead);
    clear_slot(dead);
    return true;
}

void fv_sweep(struct fv_self *self, uint32_t dead, const struct fv_verdict *why) {
    struct fv_proc *proc = fv_proc(dead);
    uint64_t blamed = why->blamed != 0 ? why->blamed : proc->current;
    uint64_t registering = proc->registering;
    fv_store_mend(self, dead); /* while its holds are there */
    if (registering != 0 && !fv_node_in_list(registering))
        fv_node_forget(registering);
    FV_EACH_ACTIVE(p)
        EACH_SLOT(p, i) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            unsigned s = fv_truth_state(t);
            if (fv_state_is_complete(s) && t & FV_DEPS && fv_truth_owner(t) == dead) { /* step 6 tells them all */
                fv_store_relaxed_64(&fv_cold(i)->dependents, 0);
                fv_task_notified(self, i, fv_truth_gen(t));
                continue;
            }
            if (s != FV_FREE && s != FV_DYING && fv_is_stream(i))
                fv_stream_mend(self, i, fv_truth_gen(t), dead);
            if (fv_truth_owner(t) != dead || (s != FV_DYING && s != FV_OPEN && s != FV_RUN))
                continue;
            if (s == FV_DYING)
                fv_task_finish_dying(self, i);
            else if (s == FV_RUN)
                fv_task_clear_result(self, i, NULL);
            else if (fv_task(i)->kind == FV_KIND_OBJECT) {
                fv_task_clear_result(self, i, NULL);
                struct fever_error e;
                fv_error_describe(&e, FV_MAX_DEFS, FEVER_EABORTED);
                e.worker = why->worker, e.worker_pid = why->pid;
                fv_task_set_failure(self, i, &e);
                fv_task_complete(self, i, FV_FAIL);
            }
        }
    struct orphans o = {self, dead};
    fv_extent_sweep(dead);
    fv_arena_walk(dead, free_orphan, &o);
    fv_actor_sweep(self, dead, why);
    FV_EACH_ACTIVE(p)
        EACH_SLOT(p, i) {
            uint64_t t = fv_load_acquire_64(&fv_task(i)->truth);
            if (fv_truth_state(t) == FV_RUN && fv_truth_owner(t) == dead)
                retry_or_fail(self, i, dead, why, blamed);
            else if (fv_state_is_complete(fv_truth_state(t)) && !(t & (FV_HELD | FV_DEPS)) &&
                     !(fv_load_relaxed_8(&fv_task(i)->x) & (FV_X_REFS | FV_X_ADOPTED)) && !fv_task(i)->is_member)
                fv_task_free(self, i, t); /* nobody holds it: the dead was to free it */
        }
    fv_name_sweep(self, dead);
    sweep_slab(self, dead, why->in_order);
    sweep_holds(self, dead);
    fv_sweep_adopted(self);
    fv_extent_recount();
    clear_slot(dead);
    fv_task_notify_all_blocked(self);
    fv_sweep_rehint(self);
    fv_store_release_32(&fv_map.seg->sweeps, fv_map.seg->sweeps + 1); /* actors look for calls that have no hint */
    fv_bell_ring_all();
}
