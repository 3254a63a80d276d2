/* shm/layout.h: the shared segment, byte by byte.
 *
 * Read by every process of the runtime and, read-only, by the tools.  The segment is laid out once by
 * fv_segment_format() and mapped before the first fork, so that it has one address everywhere; all the
 * same only offsets and slot numbers are stored in it.
 *
 *   header | process slots | attempts | task slots, hot | task slots, cold | rings | deques | hold tables |
 *   queued bits | super words | chunk words | chunk backing | data area (supers of 2 MiB, chunks of 64 KiB) | fallback
 *
 * The fallback is more of the data area, with a file on a disk behind it instead of shared memory.
 *
 * Everything that is big is an array over process slots, and only the part that a slot's owner uses is
 * ever allocated (fv_segment_grow_slab).  Truth words are marked TRUTH; all else is a hint or a
 * single-writer fact.  doc/layout.md says the same for people.
 */
#ifndef FV_SHM_LAYOUT_H
#define FV_SHM_LAYOUT_H

#include <ck_ring.h>
#include <stdint.h>

#include "base/base.h"

#define FV_MAGIC          0x4645564552303031ull /* "FEVER001" */
#define FV_LAYOUT_VERSION 8u

#define FV_MAX_PROCS      4096u
#define FV_SLAB_BITS      20u
#define FV_SLAB_MAX       (1u << FV_SLAB_BITS) /* task slots per process slot, at most; of all together there are at most FV_NO_ROOT */
#define FV_RING_MAX       (1u << 17)           /* hints in a ring or deque, at most */
#define FV_CHUNK_BYTES    65536u
#define FV_SMALL_MOST     32256u /* largest block that shares a chunk: two to each; larger ones are extents */
#define FV_SUPER_CHUNKS   32u
#define FV_SUPER_BYTES    (FV_SUPER_CHUNKS * FV_CHUNK_BYTES) /* 2 MiB */
#define FV_NO_ROOT        0x0FFFFFFFu /* in place of a task slot's index */
#define FV_WARM_OWNER     0xFFFEu     /* in place of a process slot: the helper process (run/warm.c) */
#define FV_BATCH          16u
#define FV_HOLDS_MAX      16384u
#define FV_HOLDS_FIRST    512u   /* entries of a hold table that are allocated with the slot: a page */
#define FV_MAX_DEFS       4096u
#define FV_NAMES          4096u  /* a power of two: names of actors, ever */
#define FV_NO_PROC        0xFFFFu
#define FV_MANY           0xFFFFFFFFu
#define FV_SUPERVISOR     0u /* process slot of the supervisor */
#define FV_FRAMES         32u   /* of a backtrace; FEVER_ERROR_FRAMES */
#define FV_N_ATTEMPTS     1024u /* entries of the log of attempts */

/* ------------------------------------------------------------------------------------- truth word
 * gen 32 | owner 16 | attempt 8 | flags 4 | state 4, of a task slot.
 *
 *   state    next, by whom
 *   FREE     READY, OPEN or DONE (put) by the home, a plain release store: nobody else writes a FREE word
 *   READY    RUN by any worker (CAS); DYING by the supervisor when the home died
 *            (READY, DELAYED and BLOCKED: RUN by who cancels it, which never runs it)
 *   RUN      DONE, FAIL, FREE (detached), BLOCKED by the owner (CAS), and READY or DELAYED when it repeats what failed; READY,
 *            DELAYED or FAIL by the supervisor after the owner's proven death
 *   BLOCKED  READY by whoever completes the dependency, by the registrant, or by the sweep (CAS)
 *   OPEN     DONE or FAIL by the creator (object); RUN by a holder (promise), which sets, fails or cancels it (CAS)
 *   DONE     FREE by the home; DYING by the last holder (CAS)
 *   FAIL     as DONE
 *   DYING    FREE by the owner, or by the supervisor after the owner's death
 *   DELAYED  READY by the supervisor when its time has come (CAS); DYING as READY
 *
 * owner is the process slot in RUN, DYING and OPEN, and the number of registrations in BLOCKED; in READY and DELAYED it is 1 after an
 * attempt that was not charged (it died of a task in place on its stack), else 0.
 * attempt counts the attempts charged so far.
 */
#define FV_STATES(X) \
    X(FREE, "free") X(READY, "pending") X(RUN, "running") X(BLOCKED, "waiting for its arguments") X(DONE, "done") \
    X(FAIL, "failed") X(OPEN, "open") X(DYING, "being freed") \
    X(DELAYED, "waits until it is repeated")
enum fv_state {
#define FV_X(name, text) FV_##name,
    FV_STATES(FV_X)
#undef FV_X
    FV_N_STATES
};
#define FV_HELD   0x10u /* the home holds the ref (at least one of its holds) */
#define FV_WAITED 0x20u /* somebody sleeps until this completes: field waiter */
#define FV_DEPS   0x40u /* tasks are registered in the cold line's dependents */
#define FV_SHARED 0x80u /* processes other than the home have held it: see the cold line's count */
#define FV_FLAGS  0xF0u

static inline unsigned fv_truth_state(uint64_t t) { return (unsigned)(t & 0xF); }
static inline unsigned fv_truth_flags(uint64_t t) { return (unsigned)(t & FV_FLAGS); }
static inline unsigned fv_truth_attempt(uint64_t t) { return (unsigned)(t >> 8 & 0xFF); }
static inline unsigned fv_truth_owner(uint64_t t) { return (unsigned)(t >> 16 & 0xFFFF); }
static inline uint32_t fv_truth_gen(uint64_t t) { return (uint32_t)(t >> 32); }
static inline uint64_t fv_truth(uint32_t gen, unsigned owner, unsigned attempt, unsigned flags, unsigned state) {
    return (uint64_t)gen << 32 | (uint64_t)owner << 16 | (uint64_t)attempt << 8 | flags | state;
}
static inline uint64_t fv_truth_with(uint64_t t, unsigned owner, unsigned state) {
    return (t & ~(uint64_t)0xFFFF000F) | (uint64_t)owner << 16 | state;
}

/* ------------------------------------------------------------------------------------- task slot
 * One cache line for what every task needs.  A put object and a promise are task slots without a body.
 *
 *   field        writer                          when                       order
 *   truth        see above                       always                     TRUTH
 *   def .. args  the home                        while FREE                 before READY (ORDER submit)
 *   waiter       whoever sets WAITED             before the CAS of WAITED   ORDER wait
 *   x            home while FREE; owner adds X_RESULT_BLOCK, X_NESTED while RUN; supervisor X_ADOPTED
 *   result ..    the owner                       while RUN (or OPEN)        before DONE/FAIL (ORDER complete)
 *
 * An object or promise has no arguments: args[0] is where it was made (the address of the call, in the program), args[1] when, by
 * CLOCK_MONOTONIC, if it is large (FV_DATED_BYTES) or has options; else 0.  The home while FREE.
 *
 * If the home dies while it fills a FREE slot nothing exists yet.  If the owner dies in RUN, the sweep
 * frees what result holds and makes it READY again.
 */
enum fv_kind { FV_KIND_TASK, FV_KIND_OBJECT, FV_KIND_PROMISE, FV_KIND_ACTOR /* shm/actor.h */ };
#define FV_X_ARGS_BLOCK   0x01u /* args = struct fv_span of an arena block with struct fv_args_tail */
#define FV_X_RESULT_BLOCK 0x02u /* result = struct fv_span of an arena block */
#define FV_X_REFS         0x04u /* arguments contain refs that the home holds until completion */
#define FV_X_NESTED       0x08u /* the result block has a tail of refs that it keeps alive */
#define FV_X_OPTIONS      0x10u /* the cold line's options are set */
#define FV_X_ADOPTED      0x20u /* the home died: the supervisor acts as home */
#define FV_X_CALL         0x40u /* a call of a method: its actor claims it.  Beside X_OPTIONS, so that a claim looks for both at once */
#define FV_X_FAILURE      0x80u /* result = struct fv_failure */

#define FV_DATED_BYTES   4096u

#define FV_INLINE_ARGS   24u
#define FV_CALL_ARGS     16u /* of a call of an actor: the third word is its call word, see shm/actor.h */
#define FV_INLINE_RESULT 16u

struct fv_span {
    uint64_t offset; /* of the data, from the start of the segment; 0: none.  Of a result: its low bits say where it is */
    uint64_t bytes;
};

/* Where a result block is.  Only extents (blocks of whole chunks) are ever anywhere else than here, and only in state DONE, without
 * nested refs.  The offset of such a result is its residence word, TRUTH:
 *
 *   HERE   offset                 the owner, before DONE
 *   CLEAN  offset | FV_CLEAN      keeper: a copy stands on disk as well (cold line: copy, copy_check)
 *   AWAY   FV_AWAY                keeper: only on disk.  Until the keeper has freed it the block may still be there (see dropping)
 *   LOST   code << 16 | FV_LOST   keeper: it could not be read back
 *
 * After DONE the keeper alone writes it, while it holds the slot (a counted hold in its hold table), so that neither slot nor
 * generation change under it.  It takes that hold out of nothing: nobody has handed it the ref.  So it first sets DEPS, with itself as
 * owner, which keeps a complete slot from being freed; then holds; then DEPS goes off again.
 *
 *   HERE -> CLEAN   after the bytes are on disk and copy, copy_check are written; or the file that they were loaded from is what it was
 *   CLEAN -> CLEAN  that file has changed: copy is replaced, after the bytes are on disk
 *   CLEAN -> AWAY   the block is noted in dropping; AWAY is stored; then a membarrier and a look at all pins: a pinned one goes
 *                   back to CLEAN, else the note gets FV_DROP_FREES and the block is freed; then the note is cleared
 *   AWAY -> CLEAN   a block rooted in the slot is allocated, read and checked; then its offset is stored.  Whoever wants it is rung
 *   AWAY -> LOST    the word is stored, then that block is freed
 *
 * A reader makes its pin, then reads the word (ORDER pin); HERE or CLEAN: the block stays until the pin is gone.  AWAY: it asks
 * for it (want) and sleeps on its bell; the pin stays meanwhile, so that what was brought is not dropped before it was read.
 * Pins are two: `reading` in the process slot, for one copy, and entries of the hold table, for views.  A view is first pinned by
 * reading, then by its entry: so the keeper looks at reading first.
 * If the keeper dies: what is noted in dropping goes back to CLEAN, but not with FV_DROP_FREES; an extent of a DONE slot that the slot
 * does not refer to was being freed, or restored, and is freed.  If a reader dies its pins are cleared.
 */
enum fv_residence { FV_HERE, FV_CLEAN, FV_AWAY, FV_LOST };
static inline unsigned fv_residence(uint64_t word) { return (unsigned)(word & 7); }
static inline uint64_t fv_residence_offset(uint64_t word) { return (word & 7) <= FV_CLEAN ? word & ~7ull : 0; }

struct fv_task {
    uint64_t truth; /* TRUTH */
    uint16_t def;   /* number of the definition */
    uint8_t  kind : 7;
    uint8_t  is_member : 1; /* of a group: no ref; freed on success, collected by its home on failure */
    uint8_t  x;     /* FV_X_... */
    uint32_t arg_bytes;
    uint32_t waiter;       /* hint: 1 + the process slot that sleeps, FV_MANY: several, 0: none (CAS) */
    uint32_t result_bytes; /* of an inline result */
    uint64_t args[FV_INLINE_ARGS / 8];
    uint64_t result[FV_INLINE_RESULT / 8];
} FV_ALIGNED(64);
_Static_assert(sizeof(struct fv_task) == 64, "one line");

/* The part that most tasks never touch.
 *
 *   count        any holder by CAS: number 32 | sequence 32.  Number of processes other than the home, and of
 *                containers, that hold it.  TRUTH of sharing, but can be too high by one after a death, until
 *                the supervisor has recounted it (core/sweep.c).
 *   dependents   pushed by registrants (CAS), taken whole by the completer: node = gen 20 | index 28 | k 16,
 *                k = 1 + number of the dependency in the dependent.  Hint, but not lost: sweep says how.
 *   next         written by the RUN owner of the dependent before it pushes; frozen until the slot is reused
 *   pushed       bit k: this dependent has been pushed for dependency k (RUN owner, before the push)
 *   timeout_ns,  the home while FREE; good only with X_OPTIONS
 *   max_retries
 *
 * The second line, for what fewer still need:
 *
 *   cancel       gen 32 | FV_CANCEL_...: who cancels, by CAS; good only if gen is the truth word's (core/cancel.c).  TRUTH of the request
 *   parent       the home while FREE, if it is a worker: ref of the task that submitted this one, 0: none
 *   options,     the home while FREE; good only with X_OPTIONS: offset and size of a block of the slot's (struct fv_task_options_block
 *   options_bytes  in shm/options.h; of an object struct fv_object_block in shm/object.h), 0: none
 *   not_before_ns  the RUN owner or the supervisor, before DELAYED: when it may go on (core/delay.c)
 *   spared       the supervisor: gen 32 | number 32: attempts that the memory monitor ended; good only if gen is the truth word's
 *   queued_ns    the home while FREE; good only with X_OPTIONS: when it was submitted, if it waits for a grant of the dispatcher
 *                (core/queued.c); 0: it is an ordinary task
 *   stream,      the home while FREE; good only with X_OPTIONS: offset of the slot's struct fv_stream, 0: none, and its capacity, which
 *   stream_items   tells its size also when some of its chunks have been freed already
 */
struct fv_task_cold {
    uint64_t count;
    uint64_t dependents;
    uint64_t next[3];
    uint64_t timeout_ns;
    uint16_t max_retries;
    uint16_t pushed;
    uint16_t registrations;
    uint16_t pad0;
    union {
        uint64_t copy;   /* keeper, before CLEAN: file number 16 | offset in it in units of 4 KiB 48, or FV_COPY_SOURCE (shm/source.h); good in
                          * CLEAN and AWAY */
        uint64_t actor;  /* of an actor, the home while FREE: offset of its struct fv_actor (shm/actor.h) */
    };
    uint64_t cancel FV_ALIGNED(64);
    uint64_t parent;
    uint64_t options;
    uint64_t stream;
    uint64_t not_before_ns;
    union {
        uint64_t spared;
        uint64_t copy_check; /* keeper, before CLEAN: checksum of the copy; good as copy is */
    };
    uint32_t options_bytes;
    uint32_t stream_items;
    uint64_t queued_ns;
} FV_ALIGNED(64);
_Static_assert(sizeof(struct fv_task_cold) == 128, "two lines");

#define FV_CANCEL_ASKED 1u /* the body is told when it asks, or waits */
#define FV_CANCEL_FORCE 2u /* the supervisor kills the process that runs it */
#define FV_CANCEL_TREE  4u /* its children, too */

/* Tail of an arguments block, after the argument bytes (rounded up to 8): n_refs refs, of which the first
 * n_deps are awaited, then n_deps words `next` and n_deps words `pushed`. */
struct fv_args_tail {
    uint32_t n_refs, n_deps;
    uint64_t ref[];
};

/* Stream: control block of a task that yields items, an arena block of its slot, found by the cold line's `stream`.
 *
 *   field          writer                                                   order
 *   capacity, ..   the home while FREE, frozen
 *   next           RUN owner: number of the item that its body yields next; below n_yielded it is skipped
 *   n_yielded      RUN owner                                                ORDER yield
 *   n_taken        anyone, upwards, by CAS.  Hint: all items below it are taken; it can lag behind
 *   waiter         hint: 1 + slot of a consumer that sleeps, FV_MANY, 0: none.  Consumers by CAS, the RUN owner takes it
 *   producer       hint: 1 + slot of the RUN owner while it waits for room, 0: it does not
 *   error_given    consumers, by CAS 0 -> 1: the one ref that carries the error has been handed out
 *   entry[i mod capacity], for item i:
 *     item         record of a counted hold, as in a container: RUN owner, then whoever has claimed the entry
 *     turn         TRUTH: lap 48 | claimant 16, lap = i / capacity, claimant = 1 + slot of the consumer that takes item i, or 0.
 *                  (lap, 0) -> (lap, me) by CAS; (lap, me) -> (lap + 1, 0) by the claimant, or by the sweep after its death
 *   upto[i mod (capacity + 1)]: bytes of the items 0 .. i.  RUN owner
 *
 * Life of item i: what stands after each store, and so what the death of its writer leaves.
 *
 *   producer: turn is (lap, 0) and item is 0: room   nothing has happened
 *             the item is put                        held by the dead alone: freed
 *             count + 1                              the same, after the recount
 *             item = its ref                         the record keeps it alive; the next attempt finds it at n_yielded and counts it
 *             n_yielded = i + 1                      yielded: the next attempt skips it
 *             waiter taken, bell rung                the sweep rings all bells
 *   consumer: turn = (lap, me)                       the item is gone with the dead: the sweep lets go of the record and ends the turn
 *             a hold of its own, item = 0, count - 1 the same; the hold table is released, the count is recounted
 *             turn = (lap + 1, 0)                    taken, there is room
 *             n_taken, producer's bell               whoever looks next moves n_taken; the sweep rings all bells
 *
 * An item is given at most once.  When the task ends its records stay until the slot is freed, which releases what is left.
 */
#define FV_STREAM_MOST   65536u
#define FV_STREAM_ITEMS  64u
#define FV_STREAM_BYTES  (64ull << 20)
#define FV_STREAM_INLINE 16384u /* with FEVER_INLINE=1 no consumer can run meanwhile */
struct fv_stream_entry {
    uint64_t item, turn;
};
struct fv_stream {
    uint64_t capacity;
    uint64_t bytes_limit;
    uint64_t next;
    uint64_t n_yielded;
    uint64_t n_taken FV_ALIGNED(64);
    uint32_t waiter;
    uint32_t producer;
    uint64_t error_given;
    struct fv_stream_entry entry[] FV_ALIGNED(64); /* then capacity + 1 words `upto` */
};

/* How a failed task tells why, in place of the result. */
struct fv_failure {
    uint16_t code;  /* FEVER_E... */
    uint16_t signal;
    int32_t  app_code;
    uint64_t error; /* offset of a struct fever_error in the arena, or 0 when there was no room */
};
_Static_assert(sizeof(struct fv_failure) == FV_INLINE_RESULT, "fits the result");

/* ------------------------------------------------------------------------------------- process slot */
enum fv_role { FV_ROLE_NONE, FV_ROLE_SUPERVISOR, FV_ROLE_DRIVER, FV_ROLE_WORKER, FV_ROLE_SPARE, FV_ROLE_KEEPER, FV_ROLE_ACTOR };

/* wait reasons, shown by `fever status` */
#define FV_WAITS(X) \
    X(NOT, "working") X(IDLE, "idle: no task is ready") X(GET, "waits for a result") X(SLOT, "waits for a task slot") \
    X(GROUP, "waits for a group") X(SPARE, "spare: stands by for a blocked worker") X(START, "starting") \
    X(ITEM, "waits for an item of a stream") X(ROOM, "waits for room in its stream") \
    X(GRANT, "stands by: its CPU is set aside for tasks that ask for more") \
    X(CPU, "could go on: waits for its CPUs") \
    X(RESTORE, "waits for an object that is being read back from disk") X(STORE, "waits for room in the object store") \
    X(KEEPER, "keeper: nothing is to be written or read back") X(CALL, "actor: waits for a call")
enum fv_wait_reason {
#define FV_X(name, text) FV_WAIT_##name,
    FV_WAITS(FV_X)
#undef FV_X
    FV_N_WAITS
};

#define FV_COUNTERS(X) \
    X(submitted, "tasks submitted") X(done, "tasks that ended well") X(failed, "tasks that failed") \
    X(retried, "attempts that were repeated") X(dropped, "tasks dropped before they started") \
    X(in_place, "tasks run by the task that awaited them") X(puts, "objects put or created") \
    X(blocked, "dependencies awaited by registration") X(stolen, "tasks taken from another worker's deque") \
    X(parked, "times asleep") X(woken, "wake-ups sent") X(batches, "batches taken from rings") X(stale, "hints that were stale")
enum fv_counter {
#define FV_X(name, text) FV_C_##name,
    FV_COUNTERS(FV_X)
#undef FV_X
    FV_N_COUNTERS
};

/* Process slot: one per thread of the driver, worker, spare; slot 0 is the supervisor's.
 *
 *   line        writer                       readers
 *   identity    supervisor (workers), the    tools, supervisor
 *               thread itself (driver)
 *   bell        anyone adds 1; parked by     the owner sleeps on bell
 *               its owner
 *   ring        tail: owner; head: workers   workers
 *   deque       bottom: owner; top: thieves  workers
 *   now         owner                        supervisor (deadlines, sweep), tools
 *   batch       owner                        idle workers
 *   blame       owner's signal handler:      supervisor after death
 *               what, then where (frame)
 *               cancelling: the owner        supervisor, before it kills
 *   counters    owner                        tools; summed on demand
 *   orders      supervisor: asked, lent_to,  owner; supervisor
 *               grant_cpu, then grant (ORDER
 *               grant); owner: standing and
 *               served (ORDER served), and
 *               takes grant by an exchange;
 *               lease: see enum fv_lease
 *   limits      owner; leave_wanted:         supervisor
 *               supervisor
 *   store       owner; keeper: takes want    keeper
 *               away (CAS), answers
 *               room_wanted, and a want[0]
 *               that cannot be met
 *               (room_answer, then 0 in
 *               the other; then the bell)
 *
 * If the owner dies the slot keeps its ring, slab and chunks; the next process in the slot goes on with them.
 */
struct fv_proc {
    /* identity */
    uint32_t role;
    uint32_t pid;
    uint64_t pid_start;  /* start time, guards against reuse of the pid */
    uint32_t number;     /* worker number, as shown to people */
    int32_t  cpu;
    uint32_t node;
    uint32_t slab_limit; /* task slots that are allocated: grows, never shrinks (owner).  0: none were needed yet (actors), nor a ring */
    uint32_t restarts;   /* supervisor */
    uint32_t tid;
    uint64_t started_ns;
    uint32_t holds_open;   /* 0: the hold table is not in use; else 1 + entries of it that have ever been in use (owner, before the entry) */
    uint32_t is_open;      /* supervisor, before the fork: an actor can live here (fv_segment_open_actor) */
    uint64_t actor;        /* supervisor, before the fork: ref of the actor that lives here, or did last; 0: none */
    /* bell */
    uint32_t bell FV_ALIGNED(64);
    uint32_t parked;
    uint32_t wait_reason;
    uint32_t spare_denied; /* supervisor: no spare to be had for the current block */
    uint64_t wait_ref;
    uint64_t wait_since_ns;
    uint32_t failures;     /* anyone adds 1: something failed that the owner may await among others; hint, made good by every bell */
    uint32_t wait_ends;    /* the wait has a time limit (owner) */
    uint32_t waits_alone;  /* owner, in a body: it sleeps until wait_ref is complete, and for nothing else (ORDER deadlock): core/deadlock.c */
    uint32_t awaits_calls; /* an actor that is about to sleep 1; who wakes it takes it by an exchange (ORDER call-idle) */
    /* ring of hints: task indices */
    ck_ring_t ring FV_ALIGNED(64);
    /* deque of hints */
    uint64_t top FV_ALIGNED(64);
    uint64_t bottom FV_ALIGNED(64);
    /* now */
    uint64_t current FV_ALIGNED(64); /* ref of the task that runs, innermost; 0: none */
    uint64_t deadline_ns;            /* when the task `deadline_task` is to be killed; 0: none */
    uint64_t deadline_task;
    uint64_t intent;                 /* ref whose count is being changed; 0: none */
    uint64_t registering;            /* node (see dependents) that is being pushed; 0: none */
    uint64_t notifying;              /* ref whose dependents were taken and are being told; 0: none */
    uint32_t blocked;                /* 1: waits for a result, a spare may stand in */
    uint32_t patron;                 /* spare: 1 + slot of the blocked worker that it stands in for; 0: none */
    uint32_t want_spare;             /* worker asks the supervisor for a spare */
    uint32_t depth;                  /* bodies on this stack */
    /* batch: 1 + task index of hints taken from rings and not looked at yet */
    uint32_t batch[FV_BATCH] FV_ALIGNED(64);
    /* blame: written by the signal handler of a dying worker */
    uint64_t fault_address FV_ALIGNED(64);
    uint64_t fault_ip;
    uint32_t fault_signal;
    uint32_t fault_code;
    uint64_t fault_task;
    uint64_t leftovers;    /* owner, before it leaves to be replaced: definition 32 | bits of run/tidy.h; supervisor clears it */
    uint32_t n_frames; /* grows as they are found: an unwinder that faults leaves what it had */
    uint32_t pad2;
    uint64_t cancelling; /* owner: ref of what it has taken, or is about to take, from READY, BLOCKED or OPEN to cancel it; 0: none */
    uint64_t seeking;    /* owner: ref of an actor that it is about to hold, and has no hold of (core/name.h); 0: none */
    uint64_t frame[FV_FRAMES]; /* where the body was, innermost first: addresses in the calls, not behind them */
    /* counters */
    uint64_t counter[16] FV_ALIGNED(64);
    /* orders: what the dispatcher asks of a worker */
    uint32_t asked FV_ALIGNED(64); /* number of the request to stand by for grants; 0: go on with ordinary tasks */
    uint32_t lent_to;              /* 1 + slot of the worker that may use this one's CPU too; 0: none */
    uint64_t grant;                /* ref of a task to run; the supervisor sets it when it is 0, the owner takes it by an exchange */
    int32_t  grant_cpu;            /* where: FV_GRANT_LENT, FV_GRANT_ANY, or a CPU; before grant */
    uint32_t standing;             /* owner: the request by which it stands by; 0: it does not */
    uint32_t served;               /* owner: grants that it is done with, whatever came of them */
    uint32_t lease;                /* enum fv_lease: the CPUs of the grant that runs here */
    /* limits */
    uint64_t memory_limit FV_ALIGNED(64); /* private memory that the task `memory_task` may add to memory_base; 0: no limit */
    uint64_t memory_base;
    uint64_t memory_task;
    uint32_t leaves;                      /* it is about to end, in good order */
    uint32_t leave_wanted;                /* supervisor: it is to do so before it sleeps */
    uint64_t pad5[4];
    /* store */
    uint64_t reading FV_ALIGNED(64); /* pin: ref of the large result that the owner copies from just now; 0: none */
    uint64_t want[4];                /* hints: refs of what is AWAY and is wanted here; [0]: the owner waits for it, others: soon */
    uint64_t room_wanted;            /* bytes of store that the owner waits for, FV_ROOM_ANYWHERE, and FV_ROOM_VAIN; 0: none */
    int32_t  room_answer;            /* keeper, before room_wanted is 0: 0: there may be room now; FV_ROOM_FREE; FV_ROOM_IN_FILE: in the fallback; else a negative FEVER_E */
    uint32_t pad6;
} FV_ALIGNED(64);
#define FV_ROOM_ANYWHERE (1ull << 63) /* in the fallback, too */
#define FV_ROOM_BYTES    ((1ull << 56) - 1)
#define FV_ROOM_VAIN(w)  ((unsigned)((w) >> 56) & 0x7Fu) /* so often in a row it was answered FV_ROOM_FREE, and did not get it */
#define FV_ROOM_IN_FILE  1
#define FV_ROOM_FREE     2 /* there is room already */
#define FV_GRANT_LENT (-2) /* on all CPUs that are lent to it */
#define FV_GRANT_ANY  (-1) /* on any CPU of the runtime */

/* The CPUs of a granted task, from its grant to its end.
 *
 *   from         to           who          when
 *   NONE         HELD         supervisor   with the grant, before it
 *   HELD, AWAY   OFFERED      owner        its task is blocked
 *   OFFERED      HELD, AWAY   owner, CAS   it goes on, and nobody has taken them
 *   OFFERED      TAKEN        supervisor, CAS
 *   TAKEN        WANTED       owner        its task could go on; the supervisor's bell
 *   WANTED       HELD, AWAY   supervisor, CAS   after grant_cpu and lent_to; the owner's bell
 *   WANTED       NONE         owner, CAS   its task is cancelled: it ends without them
 *   any          NONE         owner        the task has ended, before served
 *   any          NONE         supervisor   the owner is dead
 */
enum fv_lease {
    FV_LEASE_NONE, /* no CPUs, or no grant */
    FV_LEASE_HELD,
    FV_LEASE_AWAY, /* held, and they are not those of the place that it works at: there its stand-in goes on */
    FV_LEASE_OFFERED,
    FV_LEASE_TAKEN,
    FV_LEASE_WANTED
};
_Static_assert(FV_N_COUNTERS <= 16, "room for the counters");
_Static_assert(sizeof(struct fv_proc) % 64 == 0, "whole lines");

/* ------------------------------------------------------------------------------------- arena
 * The data area is divided into supers of 2 MiB, and these into chunks of 64 KiB.  A large block, an extent, is a run of chunks:
 * supers that it covers whole it has by one word each, the chunks of others one by one.
 *
 * Super word (TRUTH):   0 FREE: all of it
 *                       kind 4 = EXTENT | root index 28 | root gen 32   it is part of a large block
 *                       kind 4 = SPLIT  | by 16                         its chunk words say what is used
 * Chunk word (TRUTH where the super is SPLIT; else 0, but for claims that are about to be taken back):
 *                       0 FREE
 *                       kind 4 = SMALL  | owner 16 | class 8            blocks of one size, one owner
 *                       kind 4 = EXTENT | root index 28 | root gen 32   part of a large block, or being claimed
 *
 *   super     next, by whom
 *   FREE      EXTENT by who claims it, SPLIT by who wants chunks of it (CAS)
 *   EXTENT    FREE by who frees the root (CAS)
 *   SPLIT 0   SPLIT by = 1 + slot, by who has seen all its chunks free and wants it whole (CAS)
 *   SPLIT by  EXTENT by that process, if its chunks are still free; else SPLIT 0.  SPLIT 0 by the sweep after its death
 *
 * A chunk is claimed by CAS from 0 and counts if the super is SPLIT 0 afterwards; if it is not, the claim is taken back.  So of one
 * who claims a chunk and one who wants the super whole at least one sees the other (ORDER split).  A chunk is given back by its owner
 * (SMALL) or by who frees the root (EXTENT); its super stays SPLIT until somebody wants it whole.  Killed after any of these
 * stores: what is claimed names a root that does not refer to it, or the dead; a SPLIT super without used chunks is as good as a FREE one.
 *
 * A SMALL chunk starts with its block words (TRUTH), one per block:
 *                       0 free;  kind 4 = USED | root index 28 | root gen 32
 * The root is the task slot that the block belongs to.  Allocation is a plain store by the chunk's owner, free one CAS
 * of the exact word by anyone, so it is idempotent.  There is no other truth: a block is garbage when
 * its root has another generation, or does not point to it (core/sweep.c).
 *
 * backed[chunk]: 1: there is memory behind it.  Whoever has claimed it, or the helper, sets it after the allocation; the helper clears it
 * before it gives memory back, of chunks that it has claimed (root FV_NO_ROOT, gen FV_WARM_OWNER).
 *
 * The fallback: chunks [file_chunk, file_chunk + n_file_chunks), after the last super of the memory, have their bytes in a file that is
 * mapped in the same two ways.  Their words are as all others', and mean the same.  What differs: only runs are claimed there,
 * never single chunks, and only by who asks for them (fv_arena_alloc_file); backed means that the file system has set the
 * space aside; the keeper, not the helper, gives it back (gen = the keeper's slot).  The first keeper.reserve chunks are for what is read
 * back from disk: the keeper alone claims runs that begin there.
 */
enum fv_chunk_kind { FV_CHUNK_FREE, FV_CHUNK_SMALL, FV_CHUNK_EXTENT, FV_BLOCK_USED, FV_SUPER_SPLIT };
#define FV_N_CLASSES 48u

/* ------------------------------------------------------------------------------------- log of attempts
 * A ring of what became of the last attempts that did not end well, for people: all of it is a hint.
 *
 *   field   writer                                            when
 *   number  whoever ends an attempt: it claims the entry by   first
 *   ..      adding 1 to the header's n_attempts               then
 *   check   the same                                          last: a function of all other words
 *
 * If the writer dies in between, or another one laps it, check does not fit and the entry is passed over.
 */
struct fv_attempt {
    uint64_t number;        /* how manieth since init, from 1 on; 0: unused */
    uint64_t task;          /* ref */
    uint64_t when_ns;       /* when it ended */
    uint64_t fault_address;
    int32_t  worker;
    uint32_t pid;
    uint16_t attempt;       /* 1 on the first; the same again after one that was not charged */
    uint16_t code;          /* FEVER_E... */
    uint16_t signal;
    uint16_t charged;
    int32_t  detail;        /* exit status, or what fever_fail() gave */
    uint32_t pad;
    uint64_t check;
};
_Static_assert(sizeof(struct fv_attempt) == 64, "one line");

static inline uint64_t fv_attempt_check(const uint64_t word[8]) {
    uint64_t h = 0x9E3779B97F4A7C15ull;
    for (int i = 0; i < 7; i++)
        h = (h ^ word[i]) * 0xBF58476D1CE4E5B9ull, h ^= h >> 29;
    return h;
}

/* ------------------------------------------------------------------------------------- the dispatcher
 * Tasks that ask for something special (another number of CPUs than one, custom resources, a priority) start by a grant of the
 * supervisor.  What is granted to whom it knows privately; here stands what the others need, and what the tools show.
 *
 *   field        writer                                when
 *   queued_by    who makes such a task READY; the      hint: bit p: the task slots of process slot p may have a queued bit.  The
 *                supervisor takes it                   bits themselves: one a task slot, off_queued; also hints (ORDER queued)
 *   told         workers; the supervisor takes it      hint: one of them is done with a grant, or stands by (ORDER served)
 *   awake        supervisor                            0: it is about to sleep: ring it (ORDER queued, ORDER served)
 *   busy         supervisor                            somebody is asked to stand by, or a grant is out: blocked workers tell it
 *   idle_wanted  supervisor                            a worker that has nothing to do tells it: tasks of low priority wait for that
 *   cpu_units,   driver at init, frozen
 *   resource
 *     name, total                                      of all nodes
 *   others       supervisor                            for the tools and the validator
 *
 * If the owner of a grant dies the supervisor counts the grant as over; nothing here is a truth.
 */
#define FV_N_RESOURCES 16u
#define FV_PENDING_SHOWN  16u
struct fv_resource {
    char     name[32];
    uint64_t total, used; /* 1/10000 */
};
struct fv_pending { /* tasks that ask for the same, and wait */
    uint32_t n;
    int16_t  lacks;    /* -1: nothing, but its CPUs are still at work; 0: CPUs, 1: a process, 2 ...: resource */
    int16_t  priority; /* of the first */
    uint64_t cpu_units, since_ns, free_units;
    uint32_t resumes;  /* 1: they have started, and want their CPUs again */
    uint32_t node;     /* 1 + that for which they wait; 0: there is none that could hold one of them */
    uint64_t want[FV_N_RESOURCES];
};
/* Nodes.  A node is so many worker slots side by side, which take its CPUs, and its share of custom resources.
 *
 *   types, and of nodes type, first, n_workers, number   driver at init, frozen
 *   state, used                                          supervisor, for the tools
 */
#define FV_NODES      256u
#define FV_NODE_TYPES 64u
#define FV_LABELS     8u
enum fv_node_state { FV_NODE_UP = 1 };
struct fv_node_label {
    char key[24], value[24];
};
struct fv_node_type {
    char                 name[24];
    uint32_t             n_cpus, n_labels;
    uint64_t             total[FV_N_RESOURCES]; /* 1/10000 */
    struct fv_node_label label[FV_LABELS];
};
struct fv_node {
    uint32_t state, type;
    uint32_t first, n_workers; /* worker slots */
    uint32_t number;           /* among those of its type: "small-1" */
    uint32_t n_granted;
    uint64_t cpu_used, used[FV_N_RESOURCES];
};
struct fv_node_table {
    uint32_t            n_types, n_nodes;
    struct fv_node_type type[FV_NODE_TYPES];
    struct fv_node      node[FV_NODES];
};
struct fv_dispatch_state {
    uint64_t queued_by[FV_MAX_PROCS / 64] FV_ALIGNED(64);
    uint32_t told FV_ALIGNED(64);
    uint32_t awake;
    uint32_t busy FV_ALIGNED(64);
    uint32_t idle_wanted;
    uint32_t n_resources;
    uint32_t n_pending, n_granted;
    uint32_t n_shown;
    uint64_t cpu_units, cpu_used;
    struct fv_resource resource[FV_N_RESOURCES];
    struct fv_pending  pending[FV_PENDING_SHOWN];
};

/* ------------------------------------------------------------------------------------- the keeper of the store
 * A process that the supervisor forks when the store is fuller than spill_at for the first time, or somebody asks for room.  It writes
 * cold objects to disk and reads them back.
 *
 *   field          writer      when                      order
 *   wanted         anyone      1: there is work for it   a hint; then the supervisor's bell (no keeper yet) or its own
 *   slot           supervisor  its process slot; 0: none yet
 *   possible       supervisor  1: one can be started, so it is worth waiting for room
 *   dropping[i]    keeper      a block that is being given up: ref, then offset (ORDER drop); 0 when it is free or CLEAN again
 *   file[i]        keeper      what stands in spill file i, for the tools; the descriptors are the supervisor's too
 *   reserve        keeper      chunks at the low end of the fallback that are set aside; grows
 *   file_full_ns   anyone      a hint: when the disk refused space for the fallback
 *   fallback_...   who has claimed a run there adds, by an atomic addition: ever
 *   others         keeper      counters for the tools
 */
#define FV_DROPS       64u
#define FV_SPILL_FILES 1024u
struct fv_drop {
    uint64_t ref;
    uint64_t offset; /* 0: none; FV_DROP_FREES: nobody reads it, it is being freed */
};
#define FV_DROP_FREES 1u
struct fv_spill_file {
    uint64_t bytes;  /* written; 0: no such file */
    uint64_t live;   /* of these in use */
    uint32_t directory;
    uint32_t pad;
};
struct fv_keeper_state {
    uint32_t wanted FV_ALIGNED(64);
    uint32_t slot;
    uint32_t restarts;
    uint32_t possible;
    uint32_t n_files;
    uint32_t pad;
    uint64_t spilled_bytes, spilled_objects;    /* ever */
    uint64_t restored_bytes, restored_objects;
    uint64_t dropped_bytes, lost_objects;
    uint64_t away_bytes, copy_bytes;            /* now: only on disk; on disk at all */
    uint64_t fallback_bytes, fallback_objects;  /* ever: in the fallback, because the store had no room */
    uint64_t file_full_ns;
    uint32_t reserve;
    uint32_t pad1;
    struct fv_drop dropping[FV_DROPS];
    struct fv_spill_file file[FV_SPILL_FILES];
};

/* ------------------------------------------------------------------------------------- the helper
 * What users of the store and the helper process, which keeps free memory warm (run/warm.c), tell each other.  All hints.
 *
 *   field        writer                            when
 *   bell         who wakes the helper adds 1
 *   parked       the helper 1; who wakes it 0      it sleeps
 *   ahead_high,  driver at init, frozen            a claim looks so many chunks ahead (extents downwards, small chunks upwards) whether
 *   ahead_low                                      there is memory; if not it wakes the helper.  0: there is no helper
 *   too_much     helper                            more may be given back than is kept: who frees a large extent wakes it
 *   small_pages  helper                            2 MiB pages cannot be had: each process populates its own mapping (shm/mapped.h)
 *   given_back   helper, before it gives memory back adds 1: whoever has mapped that has to do it again
 */
struct fv_warm_state {
    uint32_t bell FV_ALIGNED(64);
    uint32_t parked;
    uint32_t ahead_high, ahead_low;
    uint32_t too_much;
    uint32_t small_pages;
    uint32_t given_back;
};

/* ------------------------------------------------------------------------------------- header */
enum fv_runtime_state { FV_STARTING = 1, FV_UP, FV_STOPPING, FV_GONE };

struct fv_def_name {
    char     name[48];
    char     file[60];
    uint32_t leftovers; /* hint, any worker: bit k: that its tasks leave behind leftover k has been said (run/tidy.h) */
    uint32_t line, flags, args_bytes, result_bytes;
};

struct fv_name { /* core/name.h */
    uint64_t hash;  /* of namespace and name; 0: of none yet */
    uint64_t actor; /* TRUTH: ref of who has it */
};

struct fv_segment {
    uint64_t magic;
    uint32_t layout_version;
    uint32_t n_procs;
    uint64_t bytes;      /* of the file in shared memory */
    uint64_t all_bytes;  /* with the fallback behind it */
    uint64_t off_procs, off_attempts, off_hot, off_cold, off_rings, off_holds, off_queued, off_supers, off_chunks, off_backed, off_data;
    uint32_t slab;       /* task slots per process slot, a power of two */
    uint32_t slab_shift;
    uint32_t ring;       /* hints in a ring or deque, a power of two */
    uint32_t n_supers;   /* in memory; the last one may be cut short */
    uint32_t n_chunks;
    uint32_t file_chunk; /* where the fallback begins: the first chunk after these supers */
    uint32_t n_file_chunks; /* 0: there is none */
    uint32_t gen_base;   /* generation of a slot's first use */
    uint32_t n_workers;
    uint32_t max_spares;
    uint32_t max_actors;
    uint32_t state;      /* enum fv_runtime_state; supervisor, driver at shutdown */
    uint32_t need_fence; /* 1: no membarrier, submitters fence */
    uint64_t spin_ns;
    uint32_t oversubscribed;
    uint32_t driver_pid, supervisor_pid;
    uint32_t is_memfd, is_poll;
    uint32_t n_defs;
    uint32_t n_cpus;
    uint64_t started_ns;
    uint64_t store_bytes;
    char     name[48];
    char     note[128];
    /* written now and then */
    uint32_t ready_bell FV_ALIGNED(64); /* supervisor, when the state changes */
    uint32_t tick_wanted;               /* somebody runs with a deadline */
    uint32_t resweep;
    uint32_t sweeps;                    /* supervisor: after each death.  A hint that calls may be without hints (shm/actor.h) */
    uint32_t n_spares;                  /* supervisor */
    uint32_t actors_waiting;            /* supervisor: for a process */
    uint64_t deaths;                    /* supervisor */
    uint64_t sweep_ns_last;
    uint64_t delayed_until_ns;          /* hint: when the supervisor is to look for DELAYED tasks; 0: there are none (CAS) */
    uint32_t backed_chunks;             /* hint: chunks with memory behind them */
    uint32_t extent_chunks;             /* hint: chunks in extents; who claims or frees them adds; counted anew after each death, which leaves it wrong by so many */
    uint32_t spill_mark;                /* driver at init, frozen: above so many extent_chunks the keeper is told; 0: never */
    uint64_t n_attempts;                /* entries claimed in the log of attempts: whoever ends one adds 1 */
    uint32_t monitor_sleeps;            /* the memory monitor waits until somebody works: supervisor 1, workers 0 */
    uint32_t pad0;
    uint32_t start_error;               /* supervisor: why it gave up before FV_UP: an errno or FEVER_E number */
    uint32_t output_progress;           /* supervisor, at the end: changes while output of workers is still being written */
    uint32_t output_lost;               /* supervisor, at the end: nobody read it, and it was given up */
    uint32_t cancel_wanted;             /* something that runs is to be cancelled by force: the supervisor looks for it */
    struct fv_warm_state warm;
    /* the dispatcher: see core/queued.h */
    struct fv_dispatch_state dispatch;
    struct fv_node_table cluster;
    /* the keeper: see core/store.h */
    struct fv_keeper_state keeper;
    /* hints: which slots sleep for want of work, which spares stand by, which slots are in use */
    uint64_t idle_groups FV_ALIGNED(64); /* bit g: word g of idle may be non-zero */
    uint64_t idle[FV_MAX_PROCS / 64] FV_ALIGNED(64);
    uint64_t spares[FV_MAX_PROCS / 64] FV_ALIGNED(64);
    uint64_t active[FV_MAX_PROCS / 64] FV_ALIGNED(64);
    uint64_t taken[FV_MAX_PROCS / 64] FV_ALIGNED(64); /* TRUTH: driver slots are claimed here, by bit */
    struct fv_name names[FV_NAMES] FV_ALIGNED(64);
    struct fv_def_name defs[FV_MAX_DEFS];
};

/* ------------------------------------------------------------------------------------- refs
 * id = tag 4 | index 28 | gen 32; an error in place of a ref has tag FV_TAG_ERROR and the code below. */
#define FV_TAG_REF   0xFull
#define FV_TAG_ERROR 0xEull
#define FV_TAG_PIN   0xDull /* in a hold table: no hold, but a pin of a large result, with the ref's index and generation */
static inline uint64_t fv_ref_make(uint32_t index, uint32_t gen) { return FV_TAG_REF << 60 | (uint64_t)index << 32 | gen; }
static inline uint32_t fv_ref_index(uint64_t id) { return (uint32_t)(id >> 32) & 0x0FFFFFFFu; }
static inline uint32_t fv_ref_gen(uint64_t id) { return (uint32_t)id; }
static inline bool     fv_ref_tagged(uint64_t id) { return id >> 60 == FV_TAG_REF; }

#endif
