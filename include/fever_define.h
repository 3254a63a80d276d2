/* fever_define.h: FEVER_TASK() and its kin: what defines tasks, with types that the compiler checks.
 *
 * Included by fever.h, not by programs.  C only: it rests on _Generic.  Names that end in an underscore, and all in upper case
 * that are not described below, are no part of the interface.
 */
#ifndef FEVER_DEFINE_H
#define FEVER_DEFINE_H

/* ---------------------------------------------------------------------------------------------
 * Tasks, typed
 *
 *     FEVER_TASK(double, integrate, (double, lo), (double, hi), (long, n)) { ...; return sum; }
 *
 * defines   fever_ref integrate_remote(double lo, double hi, long n);
 *           fever_ref integrate_with(const struct fever_task_options *, double lo, double hi, long n);
 *           int       integrate_group(struct fever_group *, double lo, double hi, long n);
 *           int       integrate_group_with(struct fever_group *, const struct fever_task_options *, double lo, ...);
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

/* inlined always: the call into the library then stands in the caller, so that its address says where it was submitted */
#define FEVER_SUBMITS_ __attribute__((unused, always_inline)) static inline
#define FEVER_ALIGNED_(name_) (_Alignof(struct fever_args_##name_) > 8 ? FEVER_DEF_ALIGNED : 0u)
#define FEVER_HAS_ARGS_(...) (FEVER_COUNT(__VA_ARGS__) != 0)

#define FEVER_DEFINE_(F, RBYTES, RTYPE, name_, ...) \
    FEVER_DEFINE_ONE_(F, RBYTES, RTYPE, 0, 0, name_, ##__VA_ARGS__) \
    FEVER_DEFINE_GROUP_(name_, ##__VA_ARGS__)

/* the definition, and how to submit one */
#define FEVER_DEFINE_ONE_(F, RBYTES, RTYPE, IBYTES, ITYPE, name_, ...) \
    static const uint16_t fever_offs_##name_[] = {FEVER_OFFSETS_(fever_args_##name_, ##__VA_ARGS__)}; \
    static struct fever_def fever_def_##name_ = { \
        .magic = FEVER_DEF_MAGIC, .flags = (F) | FEVER_ALIGNED_(name_) FEVER_EACH(FEVER_P_MAYREF, ##__VA_ARGS__), .name = #name_, .file = __FILE__, \
        .line = __LINE__, .args_bytes = FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof(struct fever_args_##name_) : 0, \
        .result_bytes = (RBYTES), .result_type = (RTYPE), .n_params = FEVER_COUNT(__VA_ARGS__), .has_refs = 0 FEVER_EACH(FEVER_P_ISREF, ##__VA_ARGS__), \
        .ref_offsets = fever_offs_##name_, .run = fever_run_##name_, .item_bytes = (IBYTES), .item_type = (ITYPE)}; \
    static struct fever_def *const fever_defp_##name_ __attribute__((used, section("fever_defs"))) = &fever_def_##name_; \
    FEVER_SUBMITS_ fever_ref name_##_remote(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_submit_ref(&fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, NULL); \
    } \
    FEVER_SUBMITS_ fever_ref name_##_with( \
        const struct fever_task_options *fever_o_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_submit_ref(&fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, fever_o_); \
    }

/* how to submit one to a group */
#define FEVER_DEFINE_GROUP_(name_, ...) \
    FEVER_SUBMITS_ int name_##_group( \
        struct fever_group *fever_g_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_group_submit(fever_g_, &fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, NULL); \
    } \
    FEVER_SUBMITS_ int name_##_group_with( \
        struct fever_group *fever_g_, const struct fever_task_options *fever_o_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_group_submit(fever_g_, &fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, fever_o_); \
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

/* FEVER_TASK, FEVER_TASK_VOID, FEVER_REENTRANT: defines a task: a function whose calls may run in a worker.
 *   Form     FEVER_TASK(type, name, (type1, arg1), ...) { ...; return value; }
 *   Form     FEVER_TASK_VOID(name, (type1, arg1), ...) { ... }
 *   Form     FEVER_REENTRANT(type, name, (type1, arg1), ...) { ...; return value; }
 *   Form     fever_ref name_remote(type1 arg1, ...);
 *   Form     fever_ref name_with(const struct fever_task_options *options, type1 arg1, ...);
 *   Form     int name_group(struct fever_group *group, type1 arg1, ...);
 *   Form     type name_local(type1 arg1, ...);
 *   Struct   fever_task_options
 *   Takes    up to 12 arguments of any type but pointers, by value; one of type fever_ref is awaited before the body starts; refs
 *            inside structs are kept alive
 *   Gives    name_remote submits; name_with submits with FEVER_WITH(...); name_group submits to a group; name_local is a plain call
 *   Returns  name_remote and name_with: as fever_submit_ref; name_group: as fever_group_submit
 *   Blocks   submitting: as fever_submit
 *   Context  at file scope of a C source; a body may run more than once, in any worker, on a stack of 256 MiB
 *   Threads  bodies run in processes of their own: no locks are needed, and static variables are not shared
 *   Signals  a body that dies of a signal fails with FEVER_ECRASHED when its retries are used up
 *   Fork     children that a body forks are killed with the runtime; and with their worker, when the runtime kills that (cancelled by
 *            force, out of time, too much memory), unless they have left its process group.  When it crashes by itself they go on
 *   Memory   arguments and result are copied; put large data and pass the ref
 *   Cost     as fever_submit; a FEVER_REENTRANT task that its awaiter runs in place costs little more than a call
 *   Source   Ray's @ray.remote; Cilk's spawn for FEVER_REENTRANT
 *   Since    0.1.0 */
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

/* FEVER_TASK_BYTES: defines a task whose result has a size of its own, and is written where it will lie.
 *   Form     FEVER_TASK_BYTES(name, (type1, arg1), ...) { double *at = fever_result(n * sizeof *at); ... }
 *   Form     fever_ref name_remote(type1 arg1, ...);
 *   Form     fever_ref name_with(const struct fever_task_options *options, type1 arg1, ...);
 *   Form     int name_group(struct fever_group *group, type1 arg1, ...);
 *   Takes    as FEVER_TASK
 *   Gives    as FEVER_TASK.  The result is what fever_result was last called for, of 0 bytes if it was not: take it with fever_view,
 *            or with fever_get where its size is known
 *   Returns  name_remote and name_with: as fever_submit_ref; name_group: as fever_group_submit
 *   Blocks   submitting: as fever_submit
 *   Context  as FEVER_TASK
 *   Threads  as FEVER_TASK
 *   Signals  as FEVER_TASK
 *   Fork     as FEVER_TASK
 *   Memory   the result is not copied; refs inside it are not kept alive by it
 *   Cost     as fever_submit
 *   Source   Ray's tasks that return numpy arrays
 *   Since    0.1.0 */
#define FEVER_TASK_BYTES(name_, ...) \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static void fever_body_##name_(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        (void)fever_result_; \
        fever_body_##name_(FEVER_LIST(FEVER_P_ARG, , ##__VA_ARGS__)); \
    } \
    FEVER_DEFINE_(FEVER_DEF_BYTES, 0, 0u, name_, ##__VA_ARGS__) \
    static void fever_body_##name_(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__))

#define FEVER_PART(whole, type, member) \
    fever_part_ref((whole), offsetof(type, member), sizeof((type *)0)->member, FEVER_TYPE_OF(((type *)0)->member))

/* FEVER_STREAM: defines a task that yields items, each of which can be used before the task ends.
 *   Form     FEVER_STREAM(type, name, (type1, arg1), ...) { ...; fever_yield(item); ... }
 *   Form     fever_ref name_remote(type1 arg1, ...);
 *   Form     fever_ref name_with(const struct fever_task_options *options, type1 arg1, ...);
 *   Form     int name_yield(type item);
 *   Form     int name_next(fever_ref stream, type *item_out, double timeout_s);
 *   Takes    arguments as FEVER_TASK; options also stream_items and stream_bytes: how far the body may be ahead of its consumer
 *   Gives    name_remote submits; its ref is the stream's, for fever_stream_next; name_yield: as fever_yield; name_next:
 *            fever_stream_next and fever_take in one
 *   Returns  name_remote and name_with: as fever_submit_ref; name_yield: as fever_yield; name_next: 0; -FEVER_EEND; once the error of
 *            the task; the others of fever_stream_next
 *   Blocks   submitting: as fever_submit; fever_wait_one of the stream's ref: until the body has ended
 *   Context  as FEVER_TASK.  A crash repeats the body, which skips what it had yielded; the body is assumed to do the same again
 *   Threads  as FEVER_TASK
 *   Signals  as FEVER_TASK
 *   Fork     as FEVER_TASK
 *   Memory   a block of the store for the items' refs: 1.6 KiB with 64 of them; fever_release of the stream frees what was not taken
 *   Cost     as fever_submit with options
 *   Source   Ray's streaming generators
 *   Since    0.1.0 */
#define FEVER_STREAM(T, name_, ...) \
    _Static_assert(__builtin_classify_type(*(T *)0) != 5, "the item is a pointer: yield a value, or put the data and yield a fever_ref"); \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static void fever_body_##name_(const T *fever_item_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        (void)fever_result_; \
        fever_body_##name_(NULL FEVER_EACH(FEVER_P_CARG, ##__VA_ARGS__)); \
    } \
    FEVER_DEFINE_ONE_(FEVER_DEF_STREAM, 0, 0u, sizeof(T), FEVER_TYPE_OF(*(T *)0), name_, ##__VA_ARGS__) \
    FEVER_DEFINE_NEXT_(T, name_) \
    static void fever_body_##name_(__attribute__((unused)) const T *fever_item_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__))

/* what yields its items, and what takes them */
#define FEVER_DEFINE_NEXT_(T, name_) \
    __attribute__((unused)) static inline int name_##_yield(T fever_y_) { \
        return fever_yield_raw(&fever_y_, sizeof fever_y_, FEVER_TYPE_OF(*(T *)0)); \
    } \
    __attribute__((unused)) static inline int name_##_next(fever_ref fever_s_, T *fever_out_, double fever_secs_) { \
        fever_ref fever_r_ = FEVER_NULL_REF; \
        int       fever_rc_ = fever_stream_next(fever_s_, &fever_r_, fever_secs_); \
        if (fever_rc_ == 0) { \
            fever_rc_ = fever_get_raw(fever_r_, fever_out_, sizeof *fever_out_, FEVER_TYPE_OF(*(T *)0), 0); \
            fever_release(fever_r_); \
        } \
        return fever_rc_; \
    }

/* in the body of a FEVER_STREAM: the next item */
#define fever_yield(item) \
    __extension__({ \
        __typeof__(*fever_item_) fever_y_ = (item); \
        fever_yield_raw(&fever_y_, sizeof fever_y_, FEVER_TYPE_OF(fever_y_)); \
    })

/* A parallel loop:
 *
 *     FEVER_FOR(scale, i, (fever_ref, x), (double, a)) { body for one i, of type long }
 *     ...
 *     int rc = scale_for(0, n, 0, x, 2.0);      (lo, hi, grain or 0, arguments)
 */

/* FEVER_FOR: defines a parallel loop.
 *   Form     FEVER_FOR(name, i, (type1, arg1), ...) { body for one i, of type long }
 *   Form     int name_for(long lo, long hi, long grain, type1 arg1, ...);
 *   Takes    as FEVER_TASK; name_for: lo <= i < hi; grain: iterations a task, 0 chooses
 *   Gives    nothing: bodies write into an unsealed object (pass its address as uintptr_t), or set promises
 *   Returns  name_for: as fever_for_raw
 *   Blocks   name_for: until all iterations have ended
 *   Context  at file scope of a C source; name_for in driver and task
 *   Threads  as FEVER_TASK
 *   Signals  as FEVER_TASK; a crash repeats its whole chunk
 *   Fork     as FEVER_TASK
 *   Memory   as FEVER_TASK
 *   Cost     about eight tasks a worker when grain is 0
 *   Source   OpenMP's parallel for
 *   Since    0.1.0 */
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
        .magic = FEVER_DEF_MAGIC, .flags = FEVER_DEF_FOR | FEVER_ALIGNED_(name_) FEVER_EACH(FEVER_P_MAYREF, ##__VA_ARGS__), .name = #name_, \
        .file = __FILE__, .line = __LINE__, .args_bytes = sizeof(struct fever_args_##name_), \
        .n_params = FEVER_COUNT(__VA_ARGS__), .has_refs = 0 FEVER_EACH(FEVER_P_ISREF, ##__VA_ARGS__), .ref_offsets = fever_offs_##name_, .run = fever_run_##name_}; \
    static struct fever_def *const fever_defp_##name_ __attribute__((used, section("fever_defs"))) = &fever_def_##name_; \
    FEVER_SUBMITS_ int name_##_for( \
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

#endif /* FEVER_DEFINE_H */
