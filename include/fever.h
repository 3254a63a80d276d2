/* fever.h: tasks, refs and objects of the Fever runtime.
 *
 * Tasks run in forked, pinned worker processes; their results are refs; large data lies in shared
 * memory and is read in place.  Start with FEVER_TASK(), fever_init() and fever_get().
 */
#ifndef FEVER_H
#define FEVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define FEVER_VERSION_MAJOR 0
#define FEVER_VERSION_MINOR 1
#define FEVER_VERSION_PATCH 0
#define FEVER_VERSION "0.1.0"

/* The comment above each function has the same slots, and doc/man3 is generated from them (doc/gen-man):
 *   Takes, Gives (what it writes or hands out, on success only), Returns, Blocks, Context (driver, task), Threads, Signals,
 *   Fork, Memory, Cost, Source (whose contract it follows), Since.  Struct and Form: what the manual page shows besides.
 * "Those of entry" are what every function that touches the runtime may return: -FEVER_ENOTINIT, -FEVER_EFORK,
 *   -FEVER_ESIGNAL, -FEVER_ECONTEXT (in a thread that a task body made), -FEVER_ENOTHREADS, -FEVER_ENOROOM.
 */

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define FEVER_API __attribute__((visibility("default")))
#else
#define FEVER_API
#endif

/* ---------------------------------------------------------------------------------------------
 * Errors.  Functions return 0 or a positive number on success and -FEVER_E... on failure; a cause
 * from the operating system is a negative errno value (below 1000).
 */
/*                 name          number  kills      text */
#define FEVER_ERRORS(X) \
    X(FEVER_EINVAL,        1000, "call",    "invalid argument") \
    X(FEVER_ENULL,         1001, "call",    "null ref or null pointer") \
    X(FEVER_ESTALE,        1002, "call",    "stale ref: it was released, or belongs to an earlier runtime") \
    X(FEVER_ETYPE,         1003, "call",    "result is of another type or size than asked for") \
    X(FEVER_ENOTASK,       1004, "call",    "task definition is not registered (library loaded after fever_init?)") \
    X(FEVER_ENOTINIT,      1005, "call",    "fever_init has not been called, or fever_shutdown has") \
    X(FEVER_EINIT,         1006, "call",    "the runtime is initialised already") \
    X(FEVER_EFORK,         1007, "call",    "called in a child process that the program forked itself") \
    X(FEVER_ESIGNAL,       1008, "call",    "called from a signal handler that interrupted a fever call") \
    X(FEVER_ECONTEXT,      1009, "call",    "not allowed here (driver only, worker only, or another thread's group)") \
    X(FEVER_ETIMEDOUT,     1010, "call",    "the time limit passed") \
    X(FEVER_EOPTION,       1011, "call",    "unknown or malformed option") \
    X(FEVER_EDUPLICATE,    1012, "call",    "the same ref is given twice") \
    X(FEVER_ESTATE,        1013, "call",    "not possible in this state (sealed twice, promise set twice, not an object)") \
    X(FEVER_ETOOBIG,       1014, "call",    "larger than the store can ever hold") \
    X(FEVER_EEND,          1015, "call",    "the stream has ended: no item is left") \
    X(FEVER_EINFEASIBLE,   1016, "call",    "asks for more of a resource than there can ever be") \
    X(FEVER_ENAMETAKEN,    1017, "call",    "another actor has this name") \
    X(FEVER_ENONAME,       1018, "call",    "no actor has this name") \
    X(FEVER_EAGAIN,        1019, "call",    "as many calls wait at the actor as may (max_pending_calls)") \
    X(FEVER_EAPP,          1100, "task",    "the task reported an error") \
    X(FEVER_ECRASHED,      1101, "task",    "the task crashed its worker") \
    X(FEVER_ETASKTIMEOUT,  1102, "task",    "the task ran longer than its timeout and was killed") \
    X(FEVER_ECANCELED,     1103, "task",    "the task was cancelled") \
    X(FEVER_EMEMORY,       1104, "task",    "the task used more memory than it may") \
    X(FEVER_EDEPTH,        1105, "task",    "too many nested blocked tasks (max_spares reached)") \
    X(FEVER_EDEADLK,       1106, "task",    "waits for itself: nothing can ever complete it") \
    X(FEVER_ESTOREFULL,    1200, "object",  "the object store is full") \
    X(FEVER_ELOST,         1201, "object",  "the object is lost: its copy on disk is missing, short or damaged") \
    X(FEVER_EABORTED,      1202, "object",  "the object was aborted before it was sealed") \
    X(FEVER_ECORRUPT,      1203, "object",  "the bytes are not those that were written, or asked for") \
    X(FEVER_ESHORT,        1204, "object",  "the file is shorter than it must be") \
    X(FEVER_EACTORDEAD,    1250, "actor",   "the actor is dead: it has ended, or was killed, and does not come back") \
    X(FEVER_EACTORDOWN,    1251, "actor",   "the actor's process died in this call; the actor is restarted") \
    X(FEVER_ENOSLOTS,      1300, "worker",  "out of task slots: too many refs are held by this thread") \
    X(FEVER_ENOTHREADS,    1301, "worker",  "out of process slots: too many threads use the runtime") \
    X(FEVER_ERUNTIME,      1400, "runtime", "the supervisor died; the runtime is gone") \
    X(FEVER_ENOROOM,       1401, "runtime", "not enough shared memory for the segment") \
    X(FEVER_EBUG,          1402, "runtime", "an internal promise was broken; please report this")

enum fever_errno {
#define FEVER_X_(name, number, kills, text) name = number,
    FEVER_ERRORS(FEVER_X_)
#undef FEVER_X_
};

/* fever_strerror: the text of an error code.
 *   Takes    error: a FEVER_E... or errno code, of either sign
 *   Gives    nothing else
 *   Returns  a text, never NULL; "unknown error" for what is no code
 *   Blocks   never
 *   Context  anywhere, before fever_init too
 *   Threads  any number at once
 *   Signals  safe in a handler (with glibc 2.32 or later)
 *   Fork     safe
 *   Memory   the text is static
 *   Cost     a switch
 *   Source   strerrordesc_np(3)
 *   Since    0.1.0 */
FEVER_API const char *fever_strerror(int error);

/* fever_strerrorname: the name of an error code, as "FEVER_EAPP" or "ENOMEM".
 *   Takes    error: a FEVER_E... or errno code, of either sign
 *   Gives    nothing else
 *   Returns  a name, never NULL; "OK" for 0, "unknown" for what is no code
 *   Blocks   never
 *   Context  anywhere, before fever_init too
 *   Threads  any number at once
 *   Signals  safe in a handler (with glibc 2.32 or later)
 *   Fork     safe
 *   Memory   the name is static
 *   Cost     a switch
 *   Source   strerrorname_np(3)
 *   Since    0.1.0 */
FEVER_API const char *fever_strerrorname(int error);

/* ---------------------------------------------------------------------------------------------
 * Runtime
 */

/* Options of fever_init().  A field that is 0 (or NULL) means: the environment's value, else the
 * default in brackets.  Every field is also an environment variable; `fever options` lists them. */
struct fever_options {
    size_t      struct_bytes;   /* sizeof(struct fever_options); set by FEVER_OPTIONS() */
    int         workers;        /* FEVER_WORKERS      worker processes [CPUs this process may use] */
    int         max_spares;     /* FEVER_MAX_SPARES   workers that stand in for blocked ones [64] */
    uint64_t    store_bytes;    /* FEVER_STORE_BYTES  object store [30 % of available memory] */
    uint64_t    store_warm;     /* FEVER_STORE_WARM   bytes kept resident ahead of demand [256 MiB] */
    uint64_t    store_keep;     /* FEVER_STORE_KEEP   bytes that may stay resident though free, at least store_warm [a quarter of the store] */
    uint32_t    task_slots;     /* FEVER_TASK_SLOTS   refs and tasks a thread can have open [65536], 1048576 at most */
    uint32_t    process_slots;  /* FEVER_PROCESS_SLOTS threads and processes in all [256, at most 4096] */
    double      spin_us;        /* FEVER_SPIN_US      spinning before sleep, in microseconds [50] */
    const char *event;          /* FEVER_EVENT        supervisor's loop: "auto", "uring", "poll" [auto] */
    const char *segment;        /* FEVER_SEGMENT      "auto", "shm", "memfd" [auto] */
    const char *name;           /* FEVER_NAME         shown by the tools [the program's name] */
    int         inline_tasks;   /* FEVER_INLINE       1: run every task serially in the driver [0] */
    int         pin;            /* FEVER_PIN          1: pin workers to CPUs, -1: do not [1] */
    int         quiet;          /* FEVER_QUIET        1: no warnings on standard error [0] */
    const char *log_to_driver;  /* FEVER_LOG          output of tasks: "prefix", "plain", "direct" [prefix] */
    const char *resources;      /* FEVER_RESOURCES    custom resources for tasks to take: "gpu=2,disk=1.5"; at most 16 [none] */
    const char *nodes;          /* FEVER_NODES        nodes, in place of workers and resources: "small*2: cpu=4, zone=west; gpu: cpu=2, gpu=1"
                                   are two of 4 CPUs with a label, and one with 2 CPUs and a gpu [one node] */
    double      memory_threshold; /* FEVER_MEMORY_THRESHOLD part of the memory in use above which workers are ended; below 0: never [0.95] */
    const char *spill_dirs;     /* FEVER_SPILL_DIRS   where objects go that the store has no room for: directories, separated by colons;
                                   "none": nowhere [the first of $TMPDIR, /var/tmp, /tmp that is on a disk and writable] */
    uint64_t    spill_limit;    /* FEVER_SPILL_LIMIT  bytes of disk that they may take [90 % of what is free there] */
    uint64_t    fallback_bytes; /* FEVER_FALLBACK_BYTES bytes of disk for new objects when the store has no room and nothing can leave it;
                                   less than 65536: none [twice the store, at most spill_limit] */
    int         spill_at;       /* FEVER_SPILL_AT     percent of the store in use above which cold objects are written to disk [80] */
    int         leak_report;    /* FEVER_LEAKS        1: fever_shutdown says on standard error what was not released, and where it was made [0] */
    int         fault_report;   /* FEVER_FAULTS       1: a write through a read-only view, in the driver: its SIGSEGV names the object first [0] */
    int         max_actors;     /* FEVER_MAX_ACTORS   actors that have a process at once; others wait for one [64] */
};

#define FEVER_OPTIONS(...) (&(struct fever_options){.struct_bytes = sizeof(struct fever_options), ##__VA_ARGS__})

/* fever_init: starts the runtime: lays out the segment, forks the supervisor, which forks the workers.
 *   Struct   fever_options
 *   Takes    options: FEVER_OPTIONS(.workers = 4, ...), or NULL for environment and defaults; copied
 *   Gives    a runtime that belongs to this process and ends with it
 *   Returns  0; -FEVER_EINIT, -FEVER_EOPTION, -FEVER_ENOTASK, -FEVER_ENOROOM, -FEVER_ERUNTIME, -FEVER_ECONTEXT (in a task),
 *            -FEVER_ESIGNAL, or a negative errno value
 *   Blocks   until the supervisor and at least one worker are forked: milliseconds, at most 10 s
 *   Context  driver; call it first in main, before OpenMP, MPI_Init and large allocations
 *   Threads  one at a time wins; the others get -FEVER_EINIT.  Warns when other threads run already
 *   Signals  refused in a handler that interrupted fever_init or fever_shutdown
 *   Fork     forks twice, so that wait() never sees the supervisor; SIGCHLD of that fork is kept from the program; a child that the
 *            program forks may start a runtime of its own
 *   Memory   maps the segment; memory allocated or changed afterwards is not seen by tasks
 *   Cost     a few forks, each about 20 ms a resident GiB of private memory; warns above 1 GiB
 *   Source   Ray's ray.init
 *   Since    0.1.0 */
FEVER_API int fever_init(const struct fever_options *options);

/* fever_shutdown: ends the runtime and all its processes.  fever_init may be called again afterwards.
 *   Takes    nothing
 *   Gives    nothing; refs, views and groups of this runtime are invalid from now on
 *   Returns  0; -FEVER_ENOTINIT, -FEVER_EFORK, -FEVER_ESIGNAL, -FEVER_ECONTEXT (in a task), -FEVER_ERUNTIME (the supervisor had
 *            died or had to be killed), -FEVER_ETIMEDOUT (all is ended, but output of tasks was lost: nobody read this program's
 *            standard output or error for 2 s)
 *   Blocks   until all processes are gone: workers have 20 ms to flush, then they are killed; and until all that tasks wrote is
 *            written, as long as somebody reads it; else at most 6 s, and 2 s more where output is lost
 *   Context  driver
 *   Threads  no other thread may be inside a fever call
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   unmaps the segment; views point nowhere
 *   Cost     milliseconds
 *   Source   Ray's ray.shutdown
 *   Since    0.1.0 */
FEVER_API int fever_shutdown(void);

/* ---------------------------------------------------------------------------------------------
 * Refs
 */

/* A ref names a result that may not exist yet, or an object.  A plain value: copy it at will.  The
 * thread that got it from a submit or a put holds it, and lets go by fever_release() or fever_take(). */
typedef struct fever_ref {
    uint64_t id;
} fever_ref;

#define FEVER_NULL_REF ((fever_ref){0})
#define FEVER_FOREVER  (-1.0)

/* Why a ref failed, whole: it stands by itself, and may be kept and printed when ref and runtime are gone. */
#define FEVER_ERROR_FRAMES   32
#define FEVER_ERROR_MODULES  4
#define FEVER_ERROR_CHAIN    8
#define FEVER_ERROR_ATTEMPTS 6
#define FEVER_NO_MODULE      255

/* An attempt that did not end well. */
struct fever_attempt {
    uint64_t when_ns;        /* when it ended, by CLOCK_MONOTONIC */
    uint64_t fault_address;  /* as in struct fever_error */
    int      worker, worker_pid;
    int      code, signal;
    int      detail;         /* exit status of the worker, or what fever_fail() gave */
    unsigned attempt;        /* 1 on the first; the same again after one that was not charged */
    bool     charged;        /* counts against max_retries: not if another task, further in on the stack, was to blame */
};

/* A task that failed because the one before it had. */
struct fever_dependent {
    char      task[28];
    int       line;          /* place in the source: of the submission if `submitted`, else of the definition */
    char      file[20];      /* without its folders */
    int       submitted;
    fever_ref ref;
    uint64_t  site;          /* address of the submitting call, or 0 */
};

struct fever_error {
    int      code;           /* FEVER_EAPP, FEVER_ECRASHED, ... (positive) */
    int      app_code;       /* what fever_fail() gave */
    int      signal;         /* signal that ended the worker, or 0 */
    int      exit_status;    /* its exit status, or 0 */
    uint64_t fault_address;  /* address that faulted, or 0 */
    unsigned attempt;        /* attempts charged, this one included: 1, 2, ... */
    int      worker;         /* number of the worker, or -1 */
    int      worker_pid;     /* its process id, or 0 */
    char     task[48];       /* name of the task definition, where the error began */
    char     file[64];       /* source file of that definition */
    int      line;
    char     text[160];      /* what happened, in words */

    /* where it was submitted: known to the process that did so, and for as long as its slot is not used again */
    fever_ref ref;           /* the task where the error began */
    uint64_t  site;          /* address of the submitting call, or 0 */
    int       site_line;
    char      site_file[64]; /* as the compiler was given it; empty: not known, or no debug information */

    /* the object or result whose read-only view the body wrote to, or FEVER_NULL_REF; and where it was put or created, as above */
    fever_ref object;
    uint64_t  object_site;
    int       object_line;
    char      object_file[52];

    /* where the body was: innermost first; 0 frames after a SIGKILL */
    unsigned n_frames;
    unsigned n_modules;
    uint64_t frame[FEVER_ERROR_FRAMES];         /* addresses in the driver's process and its workers */
    uint8_t  frame_module[FEVER_ERROR_FRAMES];  /* number in module[], or FEVER_NO_MODULE */
    struct {
        uint64_t base;       /* an address of the file is this less than one of the process */
        char     name[40];   /* the file, without its folders */
    } module[FEVER_ERROR_MODULES];

    /* what failed because of it, from there on outwards; the last one is the ref that was asked about */
    unsigned n_dependents;   /* of a longer chain the first ones and the last are kept */
    unsigned n_attempts;     /* the last ones are kept */
    struct fever_dependent dependent[FEVER_ERROR_CHAIN];
    struct fever_attempt   attempts[FEVER_ERROR_ATTEMPTS];
};

/* fever_get_raw, fever_get, fever_get_for: waits for a ref and copies its value.
 *   Form     int fever_get(fever_ref ref, T *out);
 *   Form     int fever_get_for(fever_ref ref, T *out, double timeout_s);
 *   Takes    ref; out: room for bytes bytes; type: FEVER_TYPE_OF the value, 0 for any; timeout_s: 0 polls, FEVER_FOREVER
 *   Gives    the value in out, on success only; the ref stays held
 *   Returns  0; the error of the task (-FEVER_EAPP, -FEVER_ECRASHED, -FEVER_ETASKTIMEOUT, -FEVER_ECANCELED, -FEVER_EABORTED,
 *            -FEVER_ESTOREFULL); -FEVER_ETIMEDOUT, -FEVER_ETYPE, -FEVER_ESTALE, -FEVER_ENULL, -FEVER_EINVAL (not a number),
 *            -FEVER_EDEPTH, -FEVER_EDEADLK, -FEVER_ERUNTIME; those of entry
 *   Blocks   until the value is there or the time is over: spins (spin_us), then sleeps
 *   Context  driver and task; in a task without a time limit a FEVER_REENTRANT definition may run in place, else a spare worker
 *            stands in
 *   Threads  any; several may wait for one ref
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   nothing is allocated
 *   Cost     a load when the value is there, and the copy; no atomic read-modify-write unless it sleeps
 *   Source   Ray's ray.get
 *   Since    0.1.0 */
FEVER_API int fever_get_raw(fever_ref ref, void *out, size_t bytes, unsigned type, double timeout_s);

/* fever_take_raw, fever_take: fever_get and, when that succeeds, fever_release in one.
 *   Form     int fever_take(fever_ref ref, T *out);
 *   Takes    as fever_get_raw; one hold of the ref is given up on success
 *   Gives    the value in out, on success only; after a failure the ref is still held, for fever_error
 *   Returns  as fever_get: 0; the error of the task; -FEVER_ETIMEDOUT, -FEVER_ETYPE, -FEVER_ESTALE, -FEVER_ENULL, -FEVER_EINVAL,
 *            -FEVER_EDEPTH, -FEVER_EDEADLK, -FEVER_ERUNTIME; those of entry
 *   Blocks   as fever_get
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   frees the slot and its block when nobody else holds the ref
 *   Cost     as fever_get; freeing an unshared small result is one store
 *   Source   Ray's ray.get, and the end of an ObjectRef
 *   Since    0.1.0 */
FEVER_API int fever_take_raw(fever_ref ref, void *out, size_t bytes, unsigned type, double timeout_s);

/* fever_get_many_raw, fever_get_many: waits for n refs and copies their values, in order.
 *   Form     int fever_get_many(const fever_ref *refs, size_t n, T *out, double timeout_s);
 *   Takes    refs, n; out: room for n values of bytes bytes; type as in fever_get_raw; one time limit for all
 *   Gives    the values in out; after an error those before the failed one may be written
 *   Returns  0; the first error met, one that has happened already before any that is still to come; else as fever_get:
 *            -FEVER_ETIMEDOUT, -FEVER_ETYPE, -FEVER_ESTALE, -FEVER_ENULL, -FEVER_EINVAL, -FEVER_EDEPTH, -FEVER_EDEADLK,
 *            -FEVER_ERUNTIME; those of entry
 *   Blocks   until all are there, one has failed, or the time is over
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   nothing is allocated
 *   Cost     two looks at each ref (the first look is at 4096 of them at most), a third before it sleeps for the first time, and the copies
 *   Source   Ray's ray.get of a list
 *   Since    0.1.0 */
FEVER_API int fever_get_many_raw(const fever_ref *refs, size_t n, void *out, size_t bytes, unsigned type, double timeout_s);

/* Typed, out is a T *:   int fever_get(fever_ref ref, T *out) */
#define fever_get(ref, out)            fever_get_raw((ref), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), FEVER_FOREVER)
#define fever_get_for(ref, out, secs)  fever_get_raw((ref), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), (secs))
/* get and release in one */
#define fever_take(ref, out)           fever_take_raw((ref), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), FEVER_FOREVER)
#define fever_get_many(refs, n, out, secs) \
    fever_get_many_raw((refs), (n), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), (secs))

/* fever_wait: waits until num_returns of n refs are ready (that is: done or failed), and says which.
 *   Takes    refs, n: all different; num_returns: 1 .. n; timeout_s: 0 polls, FEVER_FOREVER; ready_out: n flags, or NULL
 *   Gives    ready_out[i]: refs[i] is ready; exactly num_returns of them are set, the first in order, or fewer at the time limit
 *   Returns  how many flags are set; -FEVER_ECANCELED (the task that calls is cancelled); -FEVER_EDUPLICATE, -FEVER_EINVAL,
 *            -FEVER_ENULL, -FEVER_ESTALE, -FEVER_EDEPTH, -FEVER_EDEADLK, -FEVER_ERUNTIME, -ENOMEM; those of entry
 *   Blocks   until so many are ready or the time is over (which is no error)
 *   Context  driver and task; nothing is run in place
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   n words for a while when n is over 64
 *   Cost     a sort of n to find duplicates; each wake-up looks at all n
 *   Source   Ray's ray.wait
 *   Since    0.1.0 */
FEVER_API int fever_wait(const fever_ref *refs, size_t n, size_t num_returns, double timeout_s, bool *ready_out);

/* fever_wait_one: waits for a ref without taking its value; works for tasks without a result.
 *   Takes    ref; timeout_s: 0 polls, FEVER_FOREVER
 *   Gives    nothing; the ref stays held
 *   Returns  0; the error of the task (-FEVER_EAPP, -FEVER_ECRASHED, -FEVER_ETASKTIMEOUT, -FEVER_ECANCELED, -FEVER_EABORTED,
 *            -FEVER_ESTOREFULL); -FEVER_ETIMEDOUT, -FEVER_ESTALE, -FEVER_ENULL, -FEVER_EINVAL, -FEVER_EDEPTH, -FEVER_EDEADLK,
 *            -FEVER_ERUNTIME; those of entry
 *   Blocks   as fever_get
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   nothing is allocated
 *   Cost     as fever_get, without the copy
 *   Source   Ray's ray.wait of one ref
 *   Since    0.1.0 */
FEVER_API int fever_wait_one(fever_ref ref, double timeout_s);

/* fever_retain: holds a ref once more: it takes one more fever_release to let it go.
 *   Takes    ref: one that is alive, as held by this process, or by what called it
 *   Gives    a hold, of this process; in a task, until the body ends at the latest for refs that it got itself
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE, -FEVER_ENOSLOTS (over 16384 refs of others are held); those of entry
 *   Blocks   never for long: a lock among the threads of this process
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   above 512 refs of other processes a table of 128 KiB in the segment
 *   Cost     one local atomic add for a ref of one's own; else a lock, and for the first hold one or two compare-and-swaps
 *   Source   reference counting as in Ray (Nishihara et al. 2018), by process
 *   Since    0.1.0 */
FEVER_API int fever_retain(fever_ref ref);

/* fever_release: lets go of a ref.  What nobody holds any more is freed.
 *   Takes    ref: held by this process; views of it end here
 *   Gives    nothing
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE (not held, or released before); those of entry
 *   Blocks   never for long
 *   Context  driver and task; what a body got and did not release is released when it ends
 *   Threads  any, also another than the one that got the ref
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   frees slot, block and the refs inside; a task that still runs goes on, and its result is freed then
 *   Cost     one store for an unshared small result; else one to three compare-and-swaps
 *   Source   reference counting as in Ray, by process
 *   Since    0.1.0 */
FEVER_API int fever_release(fever_ref ref);

/* fever_cancel: takes a task back, with all that it has submitted.  What has ended stays as it is.
 *   Takes    ref: a task, or a promise that is not set; flags: 0, FEVER_CANCEL_FORCE: the process that runs it is killed,
 *            FEVER_CANCEL_ONLY: its children are left alone
 *   Gives    nothing; the ref stays held.  A task that has not started fails at once with FEVER_ECANCELED, and so does what depends on
 *            it; what it depends on goes on.  One that runs is told: fever_cancelled() is true in it, and its calls that would wait return
 *            -FEVER_ECANCELED; once it has heard of it, it ends with FEVER_ECANCELED whatever it returns.  One that does not ask and
 *            does not wait ends as if nothing were.  A cancelled task is never retried
 *   Returns  1 when it is cancelled, or told; 0 when it had ended; -FEVER_ESTATE (an object), -FEVER_EINVAL (flags), -FEVER_ENULL,
 *            -FEVER_ESTALE; those of entry
 *   Blocks   never: with FEVER_CANCEL_FORCE the task ends a little later, when its process is gone
 *   Context  driver and task, any that has the ref; a task may cancel itself.  With FEVER_INLINE=1 nothing is killed
 *   Threads  any, several at once
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a block of the store for the words of the error; what the task held is let go as after any failure
 *   Cost     two or three compare-and-swaps; for a task that runs a look at the task slots of its process, and again for each
 *            child that runs
 *   Source   Ray's ray.cancel (there FORCE excludes recursion, and not started is told from running by the exception)
 *   Since    0.1.0 */
FEVER_API int fever_cancel(fever_ref ref, unsigned flags);
#define FEVER_CANCEL_FORCE 1u
#define FEVER_CANCEL_ONLY  2u

/* fever_error: why a ref failed, with all that is known of it.
 *   Struct   fever_error
 *   Struct   fever_attempt
 *   Struct   fever_dependent
 *   Takes    ref; also one whose submission failed
 *   Gives    error_out; its code is 0 when the ref has not failed (yet).  Where it was submitted is known in the process that
 *            submitted it; file and line need debug information, and a library built with libdw
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE; those of entry
 *   Blocks   never: it does not wait for the ref
 *   Context  driver and task
 *   Threads  any; a lock among them while debug information is read
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a copy; nothing to free.  Debug information that was read is kept until fever_shutdown
 *   Cost     a copy of 1.9 KiB, and for a place in the source not asked for before a look into the debug information: milliseconds
 *            the first time, tens of microseconds later
 *   Source   Ray's RayTaskError and WorkerCrashedError
 *   Since    0.1.0 */
FEVER_API int  fever_error(fever_ref ref, struct fever_error *error_out);

/* fever_error_print: writes for people what happened, where, in which attempts, and what else failed because of it.
 *   Takes    stream, error; with NULL for either it does nothing
 *   Gives    a first line that says it all, then lines of details, indented: where it was submitted, where the body was, each attempt
 *            when there was more than one, and the chain of dependents
 *   Returns  nothing
 *   Blocks   as fprintf(3)
 *   Context  anywhere, before fever_init and after fever_shutdown too; functions have names in the program that ran them
 *   Threads  any; a lock among them while debug information is read
 *   Signals  not in a handler
 *   Fork     safe
 *   Memory   debug information that was read is kept until fever_shutdown
 *   Cost     as fever_error for each frame
 *   Source   perror(3), and Python's chained tracebacks
 *   Since    0.1.0 */
FEVER_API void fever_error_print(FILE *stream, const struct fever_error *error);

/* fever_why: who waits for whom, after a call of this thread has returned -FEVER_EDEADLK.
 *   Takes    nothing
 *   Gives    nothing else
 *   Returns  a text such as "ping.hit (pid 12) waits for pong.hit (pid 13), which waits for ping.back, queued behind ping.hit (pid 12)";
 *            "" when there was no such call
 *   Blocks   never
 *   Context  anywhere
 *   Threads  any; each has its own
 *   Signals  safe in a handler
 *   Fork     safe
 *   Memory   the text stays as it is until the next such call, or fever_shutdown
 *   Cost     none
 *   Source   dlerror(3)
 *   Since    0.1.0 */
FEVER_API const char *fever_why(void);

/* ---------------------------------------------------------------------------------------------
 * Promises.  Objects: fever_object.h
 */

/* fever_promise: a ref that is completed by hand, with fever_promise_set or fever_promise_fail.
 *   Takes    nothing
 *   Gives    ref_out: a ref that this thread holds; pass it to tasks as an argument or inside a struct
 *   Returns  0; -FEVER_ENULL, -FEVER_ENOSLOTS; those of entry
 *   Blocks   only while all task slots of this thread are in flight
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a task slot
 *   Cost     one store
 *   Source   std::promise
 *   Since    0.1.0 */
FEVER_API int fever_promise(fever_ref *ref_out);

/* fever_promise_set: gives a promise its value; of several who try, one wins.
 *   Takes    ref: a promise that is not set; data, bytes: copied
 *   Gives    nothing; the ref becomes ready
 *   Returns  0; -FEVER_ESTATE (set before, or no promise), -FEVER_ENULL, -FEVER_ESTALE, -FEVER_ETOOBIG, -FEVER_ESTOREFULL (it stays
 *            open); those of entry
 *   Blocks   never
 *   Context  driver and task, any process that has the ref
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a block of the store above 16 bytes
 *   Cost     two compare-and-swaps and the copy; wakes who waits
 *   Source   std::promise::set_value
 *   Since    0.1.0 */
FEVER_API int fever_promise_set(fever_ref ref, const void *data, size_t bytes);

/* fever_promise_fail: makes a promise fail with FEVER_EAPP.
 *   Takes    ref: a promise that is not set; app_code; text: copied up to 159 bytes, or NULL
 *   Gives    nothing; the ref fails
 *   Returns  0; -FEVER_ESTATE (set before, or no promise), -FEVER_ENULL, -FEVER_ESTALE; those of entry
 *   Blocks   never
 *   Context  driver and task, any process that has the ref
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a block of the store for the words; without room only the codes are kept
 *   Cost     two compare-and-swaps; wakes who waits
 *   Source   std::promise::set_exception
 *   Since    0.1.0 */
FEVER_API int fever_promise_fail(fever_ref ref, int app_code, const char *text);

/* ---------------------------------------------------------------------------------------------
 * Tasks, the untyped layer
 */
#define FEVER_DEF_MAGIC     0xFE7E0001u
#define FEVER_DEF_REENTRANT 1u  /* may be run in place by the task that awaits it */
#define FEVER_DEF_MAY_REFS  2u  /* arguments may contain refs inside structs */
#define FEVER_DEF_FOR       4u  /* a chunk of a parallel loop */
#define FEVER_DEF_ALIGNED   8u  /* arguments need more than 8 bytes of alignment */
#define FEVER_DEF_BYTES    16u  /* the body makes its result with fever_result */
#define FEVER_DEF_STREAM   32u  /* the body yields items */
#define FEVER_DEF_ACTOR    64u  /* the constructor of an actor */
#define FEVER_DEF_METHOD  128u  /* a method of one */
#define FEVER_NOT_A_REF     0xFFFFu

struct fever_def {
    uint32_t        magic;
    uint32_t        flags;         /* FEVER_DEF_... */
    const char     *name;
    const char     *file;
    int             line;
    uint32_t        args_bytes;
    uint32_t        result_bytes;
    uint32_t        result_type;   /* FEVER_TYPE_OF the result */
    uint32_t        n_params;
    uint32_t        has_refs;      /* number of arguments that are a fever_ref */
    const uint16_t *ref_offsets;   /* n_params entries: offset of a fever_ref argument, or FEVER_NOT_A_REF */
    void          (*run)(const void *args, void *result);
    uint32_t        id;            /* set by fever_init */
    uint32_t        item_bytes;    /* of an item of a stream */
    uint32_t        item_type;     /* FEVER_TYPE_OF an item */
    const struct fever_actor_class *actor_class; /* of a constructor and of methods */
};

/* So much of a resource, in units of 0.0001. */
struct fever_resource {
    const char *name;            /* 1 to 31 characters */
    double      amount;          /* above 0 */
};

/* Options of one task.  A field that is 0 (or NULL) means the default in brackets. */
struct fever_task_options {
    size_t           struct_bytes; /* sizeof(struct fever_task_options); set by FEVER_WITH() */
    double           timeout_s;    /* an attempt that runs longer is killed [0: none] */
    int              max_retries;  /* after crashes and errors of retry_on [0: 3]; FEVER_NO_RETRY: none; at most 250 */
    const fever_ref *after;        /* also wait for these, and keep them alive */
    size_t           n_after;
    const char      *name;         /* shown by the tools and in errors, up to 47 characters [the definition's] */
    double           num_cpus;     /* CPUs that it takes, to 0.0001, above one whole ones [0: 1]; FEVER_NO_CPU: none */
    const struct fever_resource *resources; /* what else it takes, each name once; at most 16 */
    size_t           n_resources;
    uint64_t         memory_bytes; /* private memory that its body may add to its process [0: no limit] */
    int              priority;     /* -100 .. 100: higher ones go first [0] */
    int              retry_on;     /* FEVER_RETRY_ALL: repeat it after fever_fail, whatever the code [FEVER_RETRY_NONE] */
    const int       *retry_codes;  /* or only after these codes of fever_fail; at most 64 */
    size_t           n_retry_codes;
    double           retry_delay_s; /* before the first such repetition; twice as long before each further one, 60 s at most [0] */
    int              max_calls;    /* its worker is replaced after so many tasks of this definition with max_calls [0: never] */
    const char *const *env;        /* "NAME=value", ..., NULL: the environment of its body; 16 KiB at most [NULL] */
    size_t           stream_items; /* streams: so many items wait for their consumer at most, up to 65536 [64] */
    size_t           stream_bytes; /* streams: and so many bytes, or one item [64 MiB] */
    const char      *node;         /* on this node, as "gpu-1" (its type, then which of them) [NULL: on any] */
    int              node_soft;    /* 1: elsewhere if it has no room there */
    int              spread;       /* 1: on the node that is least in use [0: on the first that is less than half in use, else there] */
    const char      *labels;       /* on nodes with these labels: "zone=west|east, tier!=slow, ssd, !old" [NULL] */
};
#define FEVER_NO_RETRY (-1)
#define FEVER_NO_CPU   (-1.0)
#define FEVER_RETRY_NONE 0
#define FEVER_RETRY_ALL  1
#define FEVER_WITH(...) (&(struct fever_task_options){.struct_bytes = sizeof(struct fever_task_options), ##__VA_ARGS__})

/* fever_submit: submits a task; the untyped layer beneath NAME_remote and NAME_with.
 *   Struct   fever_task_options
 *   Takes    def: a registered definition; args, bytes: copied, bytes as the definition says; options: FEVER_WITH(...), or NULL
 *   Gives    ref_out: a ref that this thread holds
 *   Returns  0; -FEVER_ENOTASK, -FEVER_EINVAL, -FEVER_ENULL, -FEVER_ESTALE (a ref in the arguments), -FEVER_ENOSLOTS,
 *            -FEVER_ESTOREFULL, -FEVER_EINFEASIBLE (more CPUs than there are workers, more of a resource than there is; the log says what),
 *            -FEVER_ERUNTIME, -ENOMEM; those of entry
 *   Blocks   only while all task slots of this thread are in flight
 *   Context  driver and task; with FEVER_INLINE=1 the body runs here and now
 *   Threads  any; each thread has slots and a queue of its own
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   up to 24 bytes of arguments lie in the task slot, more in a block of the store
 *   Cost     two cache lines and no atomic read-modify-write, unless a worker sleeps and is woken; with num_cpus, resources or
 *            priority about 10 us, as the supervisor grants it
 *   Source   Ray's f.remote()
 *   Since    0.1.0 */
FEVER_API int fever_submit(const struct fever_def *def, const void *args, size_t bytes,
                           const struct fever_task_options *options, fever_ref *ref_out);

/* fever_submit_ref: fever_submit, with the error (if any) inside the ref, where every later call on it finds it.
 *   Takes    as fever_submit
 *   Gives    nothing else
 *   Returns  a ref that this thread holds, or one that only carries the error of fever_submit and needs no release
 *   Blocks   as fever_submit
 *   Context  driver and task
 *   Threads  any
 *   Signals  in a handler that interrupted a fever call the ref carries -FEVER_ESIGNAL
 *   Fork     in a child that the program forked the ref carries -FEVER_EFORK
 *   Memory   as fever_submit
 *   Cost     as fever_submit
 *   Source   Ray's f.remote()
 *   Since    0.1.0 */
FEVER_API fever_ref fever_submit_ref(const struct fever_def *def, const void *args, size_t bytes,
                                     const struct fever_task_options *options);

/* Inside a task body */
struct fever_context {
    fever_ref task;
    unsigned  attempt;     /* 1 on the first */
    int       worker;      /* number of the worker, 0.. */
    int       node;        /* number of the node, 0.. */
    int       cpu;         /* CPU that the worker is pinned to, or -1 */
    bool      cancelled;   /* as fever_cancelled(), but the task may still end as if nothing were */
    uint64_t  seed;        /* differs by task, is the same in every attempt */
    const char *name;      /* of the task: its own (option name), else its definition's; good until the body ends */
    const char *node_name; /* "gpu-1", for option node; "node-0" without option nodes */
};

/* fever_context: what a task body may know of itself.
 *   Struct   fever_context
 *   Takes    nothing
 *   Gives    nothing else
 *   Returns  the context; NULL outside of a task body
 *   Blocks   never
 *   Context  task
 *   Threads  the one that runs the body; NULL in threads that a body made
 *   Signals  safe in a handler while the body runs
 *   Fork     not in a child of a body
 *   Memory   static, by thread: good until the next call
 *   Cost     a load and some arithmetic
 *   Source   Ray's runtime context
 *   Since    0.1.0 */
FEVER_API const struct fever_context *fever_context(void);

/* fever_fail: the result of this task is an error of the application, FEVER_EAPP.  The body goes on and returns.
 *   Takes    app_code; format and what it needs, as printf(3); 159 bytes are kept
 *   Gives    nothing; what the body returns is dropped
 *   Returns  0; -FEVER_ECONTEXT (not in a task body)
 *   Blocks   never
 *   Context  task
 *   Threads  the one that runs the body
 *   Signals  not in a handler
 *   Fork     not in a child of a body
 *   Memory   nothing is allocated until the body returns
 *   Cost     as snprintf(3), and a walk up the stack: some microseconds
 *   Source   an exception in a Ray task; it is not retried unless retry_on or retry_codes say so
 *   Since    0.1.0 */
FEVER_API int fever_fail(int app_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fever_result: makes room for the result of this task, where it will lie: for a FEVER_TASK_BYTES.
 *   Takes    bytes: 0 is allowed.  Called again, with no more bytes than before, it shrinks the result
 *   Gives    nothing else
 *   Returns  where to write, aligned to 16 bytes (to 64 when it is above 16 bytes), not cleared; NULL: the task fails with
 *            FEVER_ESTOREFULL, FEVER_ETOOBIG, FEVER_EINVAL (more bytes than before), or it is no task of that kind
 *   Blocks   never
 *   Context  task of FEVER_TASK_BYTES
 *   Threads  the one that runs the body
 *   Signals  not in a handler
 *   Fork     not in a child of a body
 *   Memory   a block of the store above 16 bytes; refs inside are not kept alive by it
 *   Cost     an allocation in the store; no copy
 *   Source   Plasma's Create; numpy results of Ray tasks
 *   Since    0.1.0 */
FEVER_API void *fever_result(size_t bytes);

/* fever_cancelled: has this task been cancelled?  Once it has said so, the task ends with FEVER_ECANCELED.
 *   Takes    nothing
 *   Gives    nothing; the body should let go of what it has in hand, and return
 *   Returns  whether fever_cancel() was called for the task or, without FEVER_CANCEL_ONLY, for one that it descends from; false
 *            outside of a task body
 *   Blocks   never
 *   Context  task; false elsewhere
 *   Threads  the one that runs the body, and threads that it made: these are told the same, of the task that runs in the process now;
 *            but the task ends with FEVER_ECANCELED only if the thread that runs its body has heard of it, too
 *   Signals  safe in a handler while the body runs
 *   Fork     false in a child of a body
 *   Memory   nothing is allocated
 *   Cost     a few loads from lines that stay in the cache: for inner loops
 *   Source   asyncio's CancelledError in Ray's async actors; .NET's CancellationToken
 *   Since    0.1.0 */
FEVER_API bool fever_cancelled(void);

/* fever_worker_hook: names a function that each worker calls once when it starts, before its first task.
 *   Takes    hook, or NULL for none; arg: handed to it as it is
 *   Gives    nothing; a second call replaces the first
 *   Returns  0; -FEVER_EINIT (the runtime runs already)
 *   Blocks   never
 *   Context  driver, before fever_init
 *   Threads  one at a time
 *   Signals  not in a handler
 *   Fork     the hook runs in workers, spares and their successors after a crash
 *   Memory   what arg points to is seen as it was at fever_init
 *   Cost     two stores
 *   Source   Ray's worker_process_setup_hook
 *   Since    0.1.0 */
FEVER_API int fever_worker_hook(void (*hook)(void *), void *arg);

/* counts since init, summed over all processes, and checks of the whole segment */
struct fever_stats {
    size_t   struct_bytes;
    uint64_t tasks_submitted, tasks_done, tasks_failed, tasks_retried, tasks_dropped;
    uint64_t tasks_in_place;      /* of tasks_done: run by the task that awaited them */
    uint64_t worker_deaths, workers, spares;
    uint64_t objects_live, store_bytes, store_used_bytes;
    uint64_t store_backed_bytes; /* of store_bytes: those that have memory behind them, in use or not */
};

/* fever_stats: counts since fever_init, summed over all processes.
 *   Struct   fever_stats
 *   Takes    stats_out, with struct_bytes set to its size
 *   Gives    stats_out; the sums are of one moment only when nothing runs.  objects_live counts all task slots in use
 *   Returns  0; -FEVER_ENULL, -FEVER_EINVAL (struct_bytes); those of entry
 *   Blocks   never
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   nothing is allocated
 *   Cost     reads every task slot and every chunk word: not for each task
 *   Source   Fever's own
 *   Since    0.1.0 */
FEVER_API int fever_stats(struct fever_stats *stats_out);

/* fever_validate: checks the books of the whole segment.  Call it at rest: while tasks run it reports them.
 *   Takes    stream: where violations are told, or NULL
 *   Gives    lines on stream, at most 50
 *   Returns  the number of violations, 0 when all is well; those of entry
 *   Blocks   never for long
 *   Context  driver; in a task it reports that task
 *   Threads  one; no other may be inside a fever call
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   four bytes a task slot for a while
 *   Cost     reads the whole segment but its data: milliseconds to seconds
 *   Source   Fever's own
 *   Since    0.1.0 */
FEVER_API int fever_validate(FILE *stream);

/* fever_register_defs: makes the definitions of a program or library known.  The macros call it; nobody else needs to.
 *   Takes    begin, end: pointers to definitions, which stay where they are
 *   Gives    nothing; fever_init numbers the definitions
 *   Returns  nothing; beyond 256 programs and libraries it does nothing
 *   Blocks   never
 *   Context  before main, by a constructor; a library loaded after fever_init is not known to the runtime
 *   Threads  one at a time
 *   Signals  not in a handler
 *   Fork     safe
 *   Memory   keeps the two pointers
 *   Cost     a search among the ranges known
 *   Source   Fever's own
 *   Since    0.1.0 */
FEVER_API void fever_register_defs(struct fever_def **begin, struct fever_def **end);

#ifdef __cplusplus
}
#endif

#include <fever_stream.h>
#include <fever_group.h>
#include <fever_object.h>
#include <fever_file.h>
#include <fever_actor.h>
#include <fever_pool.h>
#ifndef __cplusplus
#include <fever_define.h>
#endif

#endif /* FEVER_H */
