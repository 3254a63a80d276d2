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
    X(FEVER_EAPP,          1100, "task",    "the task reported an error") \
    X(FEVER_ECRASHED,      1101, "task",    "the task crashed its worker") \
    X(FEVER_ETASKTIMEOUT,  1102, "task",    "the task ran longer than its timeout and was killed") \
    X(FEVER_ECANCELED,     1103, "task",    "the task was cancelled") \
    X(FEVER_EDEPENDENCY,   1104, "task",    "a task or object that this one depends on failed") \
    X(FEVER_EDEPTH,        1105, "task",    "too many nested blocked tasks (max_spares reached)") \
    X(FEVER_EDEADLK,       1106, "task",    "waits for itself: nothing can ever complete it") \
    X(FEVER_EABANDONED,    1107, "task",    "dropped: the attempt that submitted it died before it started") \
    X(FEVER_ESTOREFULL,    1200, "object",  "the object store is full") \
    X(FEVER_EOBJECTLOST,   1201, "object",  "the object is lost") \
    X(FEVER_EABORTED,      1202, "object",  "the object was aborted before it was sealed") \
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

/* fever_strerror: the text of an error code, of either sign. */
FEVER_API const char *fever_strerror(int error);
/* fever_strerrorname: its name, as "FEVER_EAPP" or "ENOMEM". */
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
    uint32_t    task_slots;     /* FEVER_TASK_SLOTS   refs and tasks a thread can have open [65536] */
    uint32_t    process_slots;  /* FEVER_PROCESS_SLOTS threads and processes in all [256, at most 4096] */
    double      spin_us;        /* FEVER_SPIN_US      spinning before sleep, in microseconds [50] */
    const char *event;          /* FEVER_EVENT        supervisor's loop: "auto", "uring", "poll" [auto] */
    const char *segment;        /* FEVER_SEGMENT      "auto", "shm", "memfd" [auto] */
    const char *name;           /* FEVER_NAME         shown by the tools [the program's name] */
    int         inline_tasks;   /* FEVER_INLINE       1: run every task serially in the driver [0] */
    int         pin;            /* FEVER_PIN          1: pin workers to CPUs, -1: do not [1] */
    int         quiet;          /* FEVER_QUIET        1: no warnings on standard error [0] */
};

#define FEVER_OPTIONS(...) (&(struct fever_options){.struct_bytes = sizeof(struct fever_options), ##__VA_ARGS__})

FEVER_API int fever_init(const struct fever_options *options);
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
};

FEVER_API int fever_get_raw(fever_ref ref, void *out, size_t bytes, unsigned type, double timeout_s);
FEVER_API int fever_take_raw(fever_ref ref, void *out, size_t bytes, unsigned type, double timeout_s);
FEVER_API int fever_get_many_raw(const fever_ref *refs, size_t n, void *out, size_t bytes, unsigned type, double timeout_s);

/* Typed, out is a T *:   int fever_get(fever_ref ref, T *out) */
#define fever_get(ref, out)            fever_get_raw((ref), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), FEVER_FOREVER)
#define fever_get_for(ref, out, secs)  fever_get_raw((ref), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), (secs))
/* get and release in one */
#define fever_take(ref, out)           fever_take_raw((ref), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), FEVER_FOREVER)
#define fever_get_many(refs, n, out, secs) \
    fever_get_many_raw((refs), (n), (out), sizeof *(out), FEVER_TYPE_OF(*(out)), (secs))

/* wait until num_returns of n refs are ready; returns how many, and which */
FEVER_API int fever_wait(const fever_ref *refs, size_t n, size_t num_returns, double timeout_s, bool *ready_out);
/* wait for a ref without taking its value (tasks without a result, too) */
FEVER_API int fever_wait_one(fever_ref ref, double timeout_s);
FEVER_API int fever_retain(fever_ref ref);
FEVER_API int fever_release(fever_ref ref);
/* why a ref failed; 0 and out->code == 0 when it did not */
FEVER_API int  fever_error(fever_ref ref, struct fever_error *error_out);
FEVER_API void fever_error_print(FILE *stream, const struct fever_error *error);

/* ---------------------------------------------------------------------------------------------
 * Objects
 */
FEVER_API int fever_put(const void *data, size_t bytes, fever_ref *ref_out);
/* the same for data that contains refs[0..n_refs): they stay alive as long as the object */
FEVER_API int fever_put_with(const void *data, size_t bytes, const fever_ref *refs, size_t n_refs, fever_ref *ref_out);
FEVER_API int fever_create_raw(size_t bytes, void **data_out, fever_ref *ref_out);
/* typed, data_out is a T **: an unsealed object of bytes, for this thread to fill and seal */
#define fever_create(bytes, data_out, ref_out) fever_create_raw((bytes), (void **)(1 ? (data_out) : (__typeof__(**(data_out)) **)0), (ref_out))
FEVER_API int fever_seal(fever_ref ref);
FEVER_API int fever_abort(fever_ref ref);
/* the bytes of a result or object in place, read-only; good as long as the ref is held */
FEVER_API int fever_view_raw(fever_ref ref, const void **data_out, size_t *bytes_out, double timeout_s);
#define fever_view(ref, data_out, bytes_out) \
    fever_view_raw((ref), (const void **)(1 ? (data_out) : (const __typeof__(**(data_out)) **)0), (bytes_out), FEVER_FOREVER)

FEVER_API int fever_promise(fever_ref *ref_out);
FEVER_API int fever_promise_set(fever_ref ref, const void *data, size_t bytes);
FEVER_API int fever_promise_fail(fever_ref ref, int app_code, const char *text);

/* ---------------------------------------------------------------------------------------------
 * Tasks, the untyped layer
 */
#define FEVER_DEF_MAGIC     0xFE7E0001u
#define FEVER_DEF_REENTRANT 1u  /* may be run in place by the task that awaits it */
#define FEVER_DEF_MAY_REFS  2u  /* arguments may contain refs inside structs */
#define FEVER_DEF_FOR       4u  /* a chunk of a parallel loop */
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
};

struct fever_task_options {
    size_t           struct_bytes; /* sizeof(struct fever_task_options); set by FEVER_WITH() */
    double           timeout_s;    /* an attempt that runs longer is killed [0: none] */
    int              max_retries;  /* after crashes [0: 3]; FEVER_NO_RETRY: none; at most 250 */
    const fever_ref *after;        /* also wait for these, and keep them alive */
    size_t           n_after;
};
#define FEVER_NO_RETRY (-1)
#define FEVER_WITH(...) (&(struct fever_task_options){.struct_bytes = sizeof(struct fever_task_options), ##__VA_ARGS__})

FEVER_API int fever_submit(const struct fever_def *def, const void *args, size_t bytes,
                           const struct fever_task_options *options, fever_ref *ref_out);
/* the same, with the error (if any) inside the ref, where every later call on it finds it */
FEVER_API fever_ref fever_submit_ref(const struct fever_def *def, const void *args, size_t bytes,
                                     const struct fever_task_options *options);

/* Groups: submit many, wait for all, no ref per task.  A group belongs to the thread that opened it. */
struct fever_group;
FEVER_API int fever_group_open(struct fever_group **group_out);
FEVER_API int fever_group_submit(struct fever_group *group, const struct fever_def *def, const void *args, size_t bytes,
                                 const struct fever_task_options *options);
/* waits for all submitted so far; returns how many of the group failed so far, or an error */
FEVER_API int64_t fever_group_wait(struct fever_group *group, double timeout_s);
/* how many were submitted, and how many of these have ended; does not wait */
FEVER_API int fever_group_progress(struct fever_group *group, uint64_t *submitted_out, uint64_t *ended_out);
/* failure number i (0, 1, ...): which submission of the group it was (0, 1, ...), and why */
FEVER_API int fever_group_failure(struct fever_group *group, uint64_t i, uint64_t *index_out, struct fever_error *error_out);
/* waits for what is left and frees the group */
FEVER_API int fever_group_close(struct fever_group *group);

FEVER_API int fever_map_raw(const struct fever_def *def, const void *in, size_t in_bytes, size_t n, void *out, size_t out_bytes,
                            const struct fever_task_options *options);
FEVER_API int fever_for_raw(const struct fever_def *def, long lo, long hi, long grain, void *args, size_t bytes);

/* Inside a task body */
struct fever_context {
    fever_ref task;
    unsigned  attempt;     /* 1 on the first */
    int       worker;      /* number of the worker, 0.. */
    int       node;        /* number of the node, 0.. */
    int       cpu;         /* CPU that the worker is pinned to, or -1 */
    bool      cancelled;
    uint64_t  seed;        /* differs by task, is the same in every attempt */
};
/* in a task body: its context; elsewhere NULL */
FEVER_API const struct fever_context *fever_context(void);
/* in a task body: the result of this task is an error of the application */
FEVER_API int fever_fail(int app_code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* before fever_init: called once in each worker when it starts */
FEVER_API int fever_worker_hook(void (*hook)(void *), void *arg);

/* counts since init, summed over all processes, and checks of the whole segment */
struct fever_stats {
    size_t   struct_bytes;
    uint64_t tasks_submitted, tasks_done, tasks_failed, tasks_retried, tasks_dropped;
    uint64_t tasks_in_place;      /* of tasks_done: run by the task that awaited them */
    uint64_t worker_deaths, workers, spares;
    uint64_t objects_live, store_bytes, store_used_bytes;
};
FEVER_API int fever_stats(struct fever_stats *stats_out);
/* checks the books of the whole segment at rest; returns the number of violations, told to stream */
FEVER_API int fever_validate(FILE *stream);

/* used by the macros: makes the definitions of this program or library known */
FEVER_API void fever_register_defs(struct fever_def **begin, struct fever_def **end);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
/* ---------------------------------------------------------------------------------------------
 * Tasks, typed
 *
 *     FEVER_TASK(double, integrate, (double, lo), (double, hi), (long, n)) { ...; return sum; }
 *
 * defines   fever_ref integrate_remote(double lo, double hi, long n);
 *           fever_ref integrate_with(const struct fever_task_options *, double lo, double hi, long n);
 *           int       integrate_group(struct fever_group *, double lo, double hi, long n);
 *           double    integrate_local(double lo, double hi, long n);    (a plain call)
 *
 * FEVER_TASK_VOID(name, ...) has no result; FEVER_REENTRANT(type, name, ...) may be run in place by the
 * task that awaits it.  Up to 12 arguments; pointers do not compile.
 */
#define FEVER_TYPE_OF(x) _Generic((x), \
    _Bool: 1u, char: 2u, signed char: 3u, unsigned char: 4u, short: 5u, unsigned short: 6u, int: 7u, unsigned: 8u, \
    long: 9u, unsigned long: 10u, long long: 11u, unsigned long long: 12u, float: 13u, double: 14u, long double: 15u, \
    fever_ref: 16u, default: 255u)

#define FEVER_CAT_(a, b)  a##b
#define FEVER_CAT(a, b)   FEVER_CAT_(a, b)
#define FEVER_COUNT(...)  FEVER_COUNT_(_, ##__VA_ARGS__, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define FEVER_COUNT_(_, a, b, c, d, e, f, g, h, i, j, k, l, n, ...) n

/* M applied to each (type, name): one after the other, or as a list with commas */
#define FEVER_EACH(M, ...) FEVER_CAT(FEVER_EACH_, FEVER_COUNT(__VA_ARGS__))(M, ##__VA_ARGS__)
#define FEVER_EACH_0(M, ...)
#define FEVER_EACH_1(M, a)       M a
#define FEVER_EACH_2(M, a, ...)  M a FEVER_EACH_1(M, __VA_ARGS__)
#define FEVER_EACH_3(M, a, ...)  M a FEVER_EACH_2(M, __VA_ARGS__)
#define FEVER_EACH_4(M, a, ...)  M a FEVER_EACH_3(M, __VA_ARGS__)
#define FEVER_EACH_5(M, a, ...)  M a FEVER_EACH_4(M, __VA_ARGS__)
#define FEVER_EACH_6(M, a, ...)  M a FEVER_EACH_5(M, __VA_ARGS__)
#define FEVER_EACH_7(M, a, ...)  M a FEVER_EACH_6(M, __VA_ARGS__)
#define FEVER_EACH_8(M, a, ...)  M a FEVER_EACH_7(M, __VA_ARGS__)
#define FEVER_EACH_9(M, a, ...)  M a FEVER_EACH_8(M, __VA_ARGS__)
#define FEVER_EACH_10(M, a, ...) M a FEVER_EACH_9(M, __VA_ARGS__)
#define FEVER_EACH_11(M, a, ...) M a FEVER_EACH_10(M, __VA_ARGS__)
#define FEVER_EACH_12(M, a, ...) M a FEVER_EACH_11(M, __VA_ARGS__)

#define FEVER_LIST(M, E, ...) FEVER_CAT(FEVER_LIST_, FEVER_COUNT(__VA_ARGS__))(M, E, ##__VA_ARGS__)
#define FEVER_LIST_0(M, E, ...)     E
#define FEVER_LIST_1(M, E, a)       M a
#define FEVER_LIST_2(M, E, a, ...)  M a, FEVER_LIST_1(M, E, __VA_ARGS__)
#define FEVER_LIST_3(M, E, a, ...)  M a, FEVER_LIST_2(M, E, __VA_ARGS__)
#define FEVER_LIST_4(M, E, a, ...)  M a, FEVER_LIST_3(M, E, __VA_ARGS__)
#define FEVER_LIST_5(M, E, a, ...)  M a, FEVER_LIST_4(M, E, __VA_ARGS__)
#define FEVER_LIST_6(M, E, a, ...)  M a, FEVER_LIST_5(M, E, __VA_ARGS__)
#define FEVER_LIST_7(M, E, a, ...)  M a, FEVER_LIST_6(M, E, __VA_ARGS__)
#define FEVER_LIST_8(M, E, a, ...)  M a, FEVER_LIST_7(M, E, __VA_ARGS__)
#define FEVER_LIST_9(M, E, a, ...)  M a, FEVER_LIST_8(M, E, __VA_ARGS__)
#define FEVER_LIST_10(M, E, a, ...) M a, FEVER_LIST_9(M, E, __VA_ARGS__)
#define FEVER_LIST_11(M, E, a, ...) M a, FEVER_LIST_10(M, E, __VA_ARGS__)
#define FEVER_LIST_12(M, E, a, ...) M a, FEVER_LIST_11(M, E, __VA_ARGS__)

#define FEVER_P_MEMBER(T, n)  T n;
#define FEVER_P_PARAM(T, n)   T n
#define FEVER_P_CPARAM(T, n)  , T n
#define FEVER_P_INIT(T, n)    .n = n
#define FEVER_P_ARG(T, n)     fever_a_->n
#define FEVER_P_CARG(T, n)    , fever_a_->n
/* a pointer as argument does not compile: workers are other processes (5 is GCC's class of pointers) */
#define FEVER_P_CHECK(T, n) \
    _Static_assert(__builtin_classify_type(*(T *)0) != 5, "argument '" #n "' is a pointer: pass a value, or put the data and pass a fever_ref");
#define FEVER_P_MAYREF(T, n)  | (FEVER_TYPE_OF(*(T *)0) == 255u ? FEVER_DEF_MAY_REFS : 0u)

#define FEVER_P_ISREF(T, n)   + (FEVER_TYPE_OF(*(T *)0) == 16u)

/* Constants of the definition that need the argument struct.  S is its tag. */
#define FEVER_OFFSETS_(S, ...) FEVER_CAT(FEVER_OFFS_, FEVER_COUNT(__VA_ARGS__))(S, ##__VA_ARGS__)
#define FEVER_OFFS1_(S, T, n) (uint16_t)(FEVER_TYPE_OF(*(T *)0) == 16u ? offsetof(struct S, n) : FEVER_NOT_A_REF)
#define FEVER_UNPACK_(T, n) T, n
#define FEVER_OFF_(S, p) FEVER_OFF__(S, FEVER_UNPACK_ p)
#define FEVER_OFF__(S, ...) FEVER_OFFS1_(S, __VA_ARGS__)
#define FEVER_OFFS_0(S, ...)     FEVER_NOT_A_REF
#define FEVER_OFFS_1(S, a)       FEVER_OFF_(S, a)
#define FEVER_OFFS_2(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_1(S, __VA_ARGS__)
#define FEVER_OFFS_3(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_2(S, __VA_ARGS__)
#define FEVER_OFFS_4(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_3(S, __VA_ARGS__)
#define FEVER_OFFS_5(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_4(S, __VA_ARGS__)
#define FEVER_OFFS_6(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_5(S, __VA_ARGS__)
#define FEVER_OFFS_7(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_6(S, __VA_ARGS__)
#define FEVER_OFFS_8(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_7(S, __VA_ARGS__)
#define FEVER_OFFS_9(S, a, ...)  FEVER_OFF_(S, a), FEVER_OFFS_8(S, __VA_ARGS__)
#define FEVER_OFFS_10(S, a, ...) FEVER_OFF_(S, a), FEVER_OFFS_9(S, __VA_ARGS__)
#define FEVER_OFFS_11(S, a, ...) FEVER_OFF_(S, a), FEVER_OFFS_10(S, __VA_ARGS__)
#define FEVER_OFFS_12(S, a, ...) FEVER_OFF_(S, a), FEVER_OFFS_11(S, __VA_ARGS__)

#define FEVER_HAS_ARGS_(...) (FEVER_COUNT(__VA_ARGS__) != 0)

#define FEVER_DEFINE_(F, RBYTES, RTYPE, name_, ...) \
    static const uint16_t fever_offs_##name_[] = {FEVER_OFFSETS_(fever_args_##name_, ##__VA_ARGS__)}; \
    static struct fever_def fever_def_##name_ = { \
        .magic = FEVER_DEF_MAGIC, .flags = (F) FEVER_EACH(FEVER_P_MAYREF, ##__VA_ARGS__), .name = #name_, .file = __FILE__, \
        .line = __LINE__, .args_bytes = FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof(struct fever_args_##name_) : 0, \
        .result_bytes = (RBYTES), .result_type = (RTYPE), .n_params = FEVER_COUNT(__VA_ARGS__), .has_refs = 0 FEVER_EACH(FEVER_P_ISREF, ##__VA_ARGS__), \
        .ref_offsets = fever_offs_##name_, .run = fever_run_##name_}; \
    static struct fever_def *const fever_defp_##name_ __attribute__((used, section("fever_defs"))) = &fever_def_##name_; \
    __attribute__((unused)) static inline fever_ref name_##_remote(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_submit_ref(&fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, NULL); \
    } \
    __attribute__((unused)) static inline fever_ref name_##_with( \
        const struct fever_task_options *fever_o_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_submit_ref(&fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, fever_o_); \
    } \
    __attribute__((unused)) static inline int name_##_group( \
        struct fever_group *fever_g_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_group_submit(fever_g_, &fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, NULL); \
    }

#define FEVER_ARGS_(name_, ...) \
    FEVER_EACH(FEVER_P_CHECK, ##__VA_ARGS__) \
    struct fever_args_##name_ { FEVER_CAT(FEVER_MEMBERS_, FEVER_COUNT(__VA_ARGS__))(__VA_ARGS__) };
#define FEVER_MEMBERS_0()     char fever_none_;
#define FEVER_MEMBERS_1(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_2(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_3(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_4(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_5(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_6(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_7(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_8(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_9(...)  FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_10(...) FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_11(...) FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)
#define FEVER_MEMBERS_12(...) FEVER_EACH(FEVER_P_MEMBER, __VA_ARGS__)

#define FEVER_TASK_(F, T, name_, ...) \
    _Static_assert(__builtin_classify_type(*(T *)0) != 5, "the result is a pointer: return a value, or put the data and return a fever_ref"); \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static T name_##_local(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        *(T *)fever_result_ = name_##_local(FEVER_LIST(FEVER_P_ARG, , ##__VA_ARGS__)); \
    } \
    FEVER_DEFINE_(F, sizeof(T), FEVER_TYPE_OF(*(T *)0), name_, ##__VA_ARGS__) \
    static T name_##_local(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__))

#define FEVER_TASK(T, name, ...)      FEVER_TASK_(0u, T, name, ##__VA_ARGS__)
#define FEVER_REENTRANT(T, name, ...) FEVER_TASK_(FEVER_DEF_REENTRANT, T, name, ##__VA_ARGS__)

#define FEVER_TASK_VOID(name_, ...) \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static void name_##_local(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        (void)fever_result_; \
        name_##_local(FEVER_LIST(FEVER_P_ARG, , ##__VA_ARGS__)); \
    } \
    FEVER_DEFINE_(0u, 0, 0u, name_, ##__VA_ARGS__) \
    static void name_##_local(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__))

/* A parallel loop:
 *
 *     FEVER_FOR(scale, i, (fever_ref, x), (double, a)) { body for one i, of type long }
 *     ...
 *     int rc = scale_for(0, n, 0, x, 2.0);      (lo, hi, grain or 0, arguments)
 */
#define FEVER_FOR(name_, i_, ...) \
    FEVER_EACH(FEVER_P_CHECK, ##__VA_ARGS__) \
    struct fever_args_##name_ { long fever_lo_, fever_hi_; FEVER_EACH(FEVER_P_MEMBER, ##__VA_ARGS__) }; \
    static inline void name_##_local(long i_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_result_; \
        for (long fever_i_ = fever_a_->fever_lo_; fever_i_ < fever_a_->fever_hi_; fever_i_++) \
            name_##_local(fever_i_ FEVER_EACH(FEVER_P_CARG, ##__VA_ARGS__)); \
    } \
    static const uint16_t fever_offs_##name_[] = {FEVER_OFFSETS_(fever_args_##name_, ##__VA_ARGS__)}; \
    static struct fever_def fever_def_##name_ = { \
        .magic = FEVER_DEF_MAGIC, .flags = FEVER_DEF_FOR FEVER_EACH(FEVER_P_MAYREF, ##__VA_ARGS__), .name = #name_, \
        .file = __FILE__, .line = __LINE__, .args_bytes = sizeof(struct fever_args_##name_), \
        .n_params = FEVER_COUNT(__VA_ARGS__), .has_refs = 0 FEVER_EACH(FEVER_P_ISREF, ##__VA_ARGS__), .ref_offsets = fever_offs_##name_, .run = fever_run_##name_}; \
    static struct fever_def *const fever_defp_##name_ __attribute__((used, section("fever_defs"))) = &fever_def_##name_; \
    __attribute__((unused)) static inline int name_##_for( \
        long fever_lo_, long fever_hi_, long fever_grain_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_for_raw(&fever_def_##name_, fever_lo_, fever_hi_, fever_grain_, &fever_a_, sizeof fever_a_); \
    } \
    static inline void name_##_local(long i_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__))

/* out[i] = name(in[i]) for i in 0..n, in parallel, in order.  `name` is a task of one argument. */
#define fever_map(name, in, n, out) \
    ((void)sizeof(char[sizeof *(in) == sizeof(struct fever_args_##name) ? 1 : -1]), \
     (void)(1 ? 0 : (*(out) = name##_local(*(in)), 0)), \
     fever_map_raw(&fever_def_##name, (in), sizeof *(in), (n), (out), sizeof *(out), NULL))

#ifndef FEVER_INTERNAL /* set while the library itself is compiled */
extern struct fever_def *__start_fever_defs[] __attribute__((weak, visibility("hidden")));
extern struct fever_def *__stop_fever_defs[] __attribute__((weak, visibility("hidden")));
__attribute__((constructor, unused)) static void fever_register_(void) {
    if (__start_fever_defs != NULL)
        fever_register_defs(__start_fever_defs, __stop_fever_defs);
}
#endif
#endif /* !__cplusplus */

#endif /* FEVER_H */
