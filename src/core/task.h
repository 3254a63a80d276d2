/* core/task.h: task slots: allocation, the transitions of the truth word, completion, dependencies.
 *
 * No I/O, no sleeping, no fork.  Every store to a truth word is in task.c, hold.c or sweep.c.
 */
#ifndef FV_CORE_TASK_H
#define FV_CORE_TASK_H

#include <string.h>

#include "core/self.h"

#define FV_NO_TASK 0xFFFFFFFFu

static inline bool fv_state_is_complete(unsigned state) { return state == FV_DONE || state == FV_FAIL; }

/* Is id a ref whose task slot exists and is of its generation?  Gives the truth word as read. */
static inline int fv_ref_check(uint64_t id, uint32_t *index_out, uint64_t *truth_out) {
    if (FV_UNLIKELY(!fv_ref_tagged(id)))
        return id == 0 ? -FEVER_ENULL : id >> 60 == FV_TAG_ERROR && (id & 0xFFFF) != 0 ? -(int)(id & 0xFFFF) : -FEVER_ESTALE;
    uint32_t index = fv_ref_index(id), home = index >> fv_map.shift;
    if (FV_UNLIKELY(home >= fv_map.seg->n_procs || (index & fv_map.mask) >= fv_load_relaxed_32(&fv_proc(home)->slab_limit)))
        return -FEVER_ESTALE;
    /* ORDER complete (acquire): DONE before the result.  Pairs with complete (release) in fv_task_complete(). */
    uint64_t t = fv_load_acquire_64(&fv_task(index)->truth);
    if (FV_UNLIKELY(fv_truth_gen(t) != fv_ref_gen(id) || fv_truth_state(t) == FV_FREE || fv_truth_state(t) == FV_DYING))
        return -FEVER_ESTALE;
    *index_out = index;
    *truth_out = t;
    return 0;
}

/* --- home ------------------------------------------------------------------------------------ */
/* A FREE slot of one's own; *gen_out is the generation that it will have.  FV_NO_TASK when all are in use. */
uint32_t fv_task_alloc(struct fv_self *self, uint32_t *gen_out);
/* The first words of a FREE slot behind its truth word, in two stores. */
static inline void fv_task_begin(struct fv_task *task, unsigned def, unsigned kind, bool is_member, unsigned x, uint32_t arg_bytes) {
    uint64_t head = (uint64_t)def | (uint64_t)kind << 16 | (uint64_t)is_member << 23 | (uint64_t)x << 24 | (uint64_t)arg_bytes << 32, none = 0;
    memcpy(&task->def, &head, 8);    /* def, kind, is_member, x, arg_bytes */
    memcpy(&task->waiter, &none, 8); /* waiter, result_bytes */
}
/* Fills and publishes a task.  refs: all refs in the arguments, the first n_deps awaited; holds on them are taken.
 * flags: FV_HELD or 0.  Returns a ref id in *id_out.  No hint is pushed yet. */
struct fv_submission {
    uint16_t        def;
    unsigned        flags;
    const void     *args;
    uint32_t        arg_bytes;
    const uint64_t *refs;
    uint32_t        n_refs, n_deps;
    bool            aligned;     /* the arguments need more than the slot's 8 bytes of alignment */
    bool            inline_refs; /* the refs are exactly the definition's parameters: no tail needed */
    uint64_t        timeout_ns;
    int             max_retries; /* -1: default */
    const struct fever_task_options *options; /* checked; NULL: no block of options is needed */
    uint32_t        options_bytes;            /* of that block */
    uint64_t        queued_ns;                /* it waits for a grant, since then; 0: an ordinary task */
    uint32_t        group, group_index;
    uint32_t        stream_items; /* a stream's capacity; 0: it is none */
    uint64_t        stream_bytes;
    uint64_t        site;        /* where it is submitted */
    struct fv_mailbox *mailbox;  /* of a call of a method: of its actor; NULL: it is none */
    const struct fv_actor_spec *actor; /* the slot is an actor; NULL: it is not */
};
int  fv_task_submit(struct fv_self *self, const struct fv_submission *s, uint64_t *id_out);
/* Makes the task known: pushes its hint, wakes a worker if one is idle.  Sets self->call_supervisor when its queue is full. */
void fv_task_hint(struct fv_self *self, uint32_t index);
/* A block for one's own slot.  When the store is full, after letting go of what only ended tasks hold.  0: full. */
uint64_t fv_home_alloc(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes);
/* The same in the fallback, for what the store has no room for; 0: that has none, either, and the keeper is told. */
uint64_t fv_home_alloc_file(struct fv_self *self, uint32_t index, uint32_t gen, uint64_t bytes);
/* Looks at all own slots once: lets go of arguments of what has ended, counts ended group members. */
void fv_home_reap(struct fv_self *self);

/* The home has freed its slot number i: a hint where to look first. */
void fv_home_freed(struct fv_self *self, uint32_t i);

/* --- worker ---------------------------------------------------------------------------------- */
/* READY -> RUN by self; false when somebody else was quicker. */
bool fv_task_claim(struct fv_self *self, uint32_t index);
/* After a claim: are all dependencies complete?  1 yes; 0 registered (the task is BLOCKED and out of our hands);
 * -1 one has failed, *failed_out is its index; -2 number *failed_out is no ref; -3 it is to be cancelled. */
int  fv_task_resolve(struct fv_self *self, uint32_t index, uint32_t *failed_out);
/* RUN (or OPEN) -> DONE / FAIL / free.  The result stands in the slot already. */
void fv_task_complete(struct fv_self *self, uint32_t index, unsigned state);
/* Puts a failure into the result of a task that self owns; error may be NULL. */
void fv_task_set_failure(struct fv_self *self, uint32_t index, const struct fever_error *error);
void fv_task_get_error(uint32_t index, struct fever_error *error_out);
/* default texts */
void fv_error_describe(struct fever_error *e, unsigned def, int code);

/* --- everybody ------------------------------------------------------------------------------- */
/* Number of its definition; FV_MAX_DEFS: it has none. */
static inline unsigned fv_task_def_of(const struct fv_task *t) { return t->kind == FV_KIND_TASK || t->kind == FV_KIND_ACTOR ? t->def : FV_MAX_DEFS; }
/* Where the arguments and the result are. */
static inline const void *fv_task_args(const struct fv_task *t) {
    return t->x & FV_X_ARGS_BLOCK ? fv_at(((const struct fv_span *)t->args)->offset) : (const void *)t->args;
}
static inline uint64_t fv_result_bytes(const struct fv_task *t) {
    return t->x & FV_X_RESULT_BLOCK ? ((const struct fv_span *)t->result)->bytes : t->result_bytes;
}
/* Of one that is not large (or whose offset is known to be one). */
static inline const void *fv_task_result(const struct fv_task *t, uint64_t *bytes_out) {
    *bytes_out = fv_result_bytes(t);
    return t->x & FV_X_RESULT_BLOCK ? fv_map.view + ((const struct fv_span *)t->result)->offset : (const char *)t->result;
}
/* Could this complete result ever be anywhere else than in the store?  An extent without nested refs, of a task that ended well. */
static inline bool fv_result_is_large(const struct fv_task *t) {
    return (t->x & (FV_X_RESULT_BLOCK | FV_X_NESTED)) == FV_X_RESULT_BLOCK && ((const struct fv_span *)t->result)->bytes > FV_SMALL_MOST;
}
static inline struct fv_args_tail *fv_args_tail(const struct fv_task *t) { /* of an arguments block */
    return fv_at(((const struct fv_span *)t->args)->offset + ((t->arg_bytes + 7ull) & ~7ull));
}
/* Refs in the arguments: *refs_out is filled with up to 3 for inline ones, or points to the tail. */
uint32_t fv_task_refs(uint32_t index, uint64_t inline_out[3], const uint64_t **refs_out, uint32_t *n_deps_out);
/* Refs in a result block's tail; NULL when there are none or the block is gone. */
uint64_t *fv_task_nested(uint32_t index, uint64_t truth, uint64_t *n_out);
/* Bytes of a result block: those of the result, and such a tail. */
uint64_t fv_task_block_bytes(uint32_t index, uint64_t truth);

/* Registers self as one who sleeps until index completes; false when it is complete (or gone) already. */
bool fv_task_announce_wait(struct fv_self *self, uint32_t index, uint32_t gen);
/* Registers self as one who is rung, with `failures` of its process slot counted up, if index fails; not if it ends well.
 * Gives the truth word as it is after that. */
uint64_t fv_task_watch_failure(struct fv_self *self, uint32_t index);
/* Frees a complete slot that nobody holds: from word t.  False when somebody else does it or holds it. */
bool fv_task_free(struct fv_self *self, uint32_t index, uint64_t t);
/* The rest of that, from DYING (self, or the supervisor after the owner's death). */
void fv_task_finish_dying(struct fv_self *self, uint32_t index);
/* Tells dependents; from the taken list, or by a look at all BLOCKED tasks. */
void fv_task_notify(struct fv_self *self, uint32_t index, uint32_t gen);
void fv_task_notify_all_blocked(struct fv_self *self);
/* They have been told: the slot may be freed. */
void fv_task_notified(struct fv_self *self, uint32_t index, uint32_t gen);
/* Supervisor: is a node that a dead registrant was pushing in the list?  Takes its `pushed` back. */
bool fv_node_in_list(uint64_t node);
void fv_node_forget(uint64_t node);

/* --- holds (hold.c) -------------------------------------------------------------------------- */
int  fv_hold(struct fv_self *self, uint64_t id);
/* Drops one hold of this process; frees what nobody holds any more. */
int  fv_unhold(struct fv_self *self, uint64_t id);
/* The same, put off until fv_unhold_pending(). */
void fv_unhold_later(struct fv_self *self, uint64_t id);
void fv_unhold_pending(struct fv_self *self);
/* Counted holds: those of containers and of processes other than the home. */
bool fv_shared_acquire(struct fv_self *self, uint64_t id, uint64_t *record);
void fv_shared_release(struct fv_self *self, uint64_t id, uint64_t *record);
void fv_holds_fini(void);
uint32_t fv_holds_count(void);
/* How many of the holds that this process records privately are on id: see hold.c. */
uint32_t fv_holds_private(uint64_t id);
/* Pins of views: see store.h.  Makes the entry of the hold table, for the body that runs, or the driver; nothing if that has it.
 * -FEVER_ENOSLOTS: no room.  Taken back by fv_unpin, by the body's end, by the driver's last fv_unhold of the ref. */
int  fv_pin(struct fv_self *self, uint64_t id);
void fv_unpin(struct fv_self *self, uint64_t id);
static inline uint64_t fv_pin_of_ref(uint64_t id) { return (id & ~(0xFull << 60)) | FV_TAG_PIN << 60; }
static inline uint64_t fv_ref_of_pin(uint64_t id) { return (id & ~(0xFull << 60)) | FV_TAG_REF << 60; }
/* A body took a ref, or pinned something: released at the body's end. */
void fv_own_grow(struct fv_self *self);
static inline void fv_own_add(struct fv_self *self, uint64_t id) {
    if (FV_UNLIKELY(self->n_own == self->room_own))
        fv_own_grow(self);
    if (FV_LIKELY(self->n_own < self->room_own)) /* else: out of memory, released when the worker ends */
        self->own[self->n_own++] = id;
}
/* It released it before; false: it has not taken it. */
bool fv_own_remove(struct fv_self *self, uint64_t id);
/* All that it took from base on. */
void fv_own_release(struct fv_self *self, uint32_t base);

/* --- recovery (sweep.c), by the supervisor --------------------------------------------------- */
struct fv_verdict { /* why a process died */
    int      code;         /* FEVER_ECRASHED, FEVER_ETASKTIMEOUT, FEVER_ECANCELED or FEVER_EMEMORY */
    int      signal, exit_status, pid, worker;
    uint64_t fault_address;
    char     program[16];  /* the worker had put this program in its place; "": it had not */
    uint64_t when_ns;
    uint64_t blamed;       /* ref of the task that is charged; 0: the innermost one */
    bool     innocent;     /* nobody is charged */
    const uint64_t *frame; /* where it was */
    uint32_t n_frames;
    bool     in_order;     /* it has left by itself, between two tasks: what it has submitted goes on */
    bool     pressed;      /* it was ended because memory was short */
    bool     by_kernel;    /* FEVER_EMEMORY: the kernel's out-of-memory killer has ended it */
    uint64_t used, limit;  /* FEVER_EMEMORY: bytes; pressed: thousandths of what there is */
};
void fv_sweep(struct fv_self *self, uint32_t dead, const struct fv_verdict *why);
/* In place of that, after an actor that has ended in good order: looks at what is its own, at nobody else's.  False: not so good; nothing
 * was done. */
bool fv_sweep_ended(struct fv_self *self, uint32_t dead);
/* Looks after slots whose home has died; true while there are any that may end without a process that ends: not actors. */
bool fv_sweep_adopted(struct fv_self *self);
/* Tries again to put right counts that may be too high; true while there are any. */
bool fv_sweep_recounts(struct fv_self *self);
void fv_sweep_rehint(struct fv_self *self);

/* --- checks (validate.c) --------------------------------------------------------------------- */
/* At rest: every count, block and slot accounted for.  Number of violations. */
int  fv_validate(FILE *stream, bool expect_empty);

#endif
