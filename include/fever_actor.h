/* fever_actor.h: actors: state that stays in a process of its own, and methods that are called on it in order.
 *
 * Included by fever.h, not by programs.  What is said there of the slots of comments and of errors holds here.  FEVER_ACTOR() and
 * FEVER_METHOD(), at the end, are for C; the functions before are the untyped layer that they use.
 *
 *     struct counter { long n; };
 *     FEVER_ACTOR(struct counter, counter, (long, start)) { self->n = start; return 0; }
 *     FEVER_METHOD(counter, long, add, (long, by)) { return self->n += by; }
 *     ...
 *     counter_actor a = counter_new(5);
 *     fever_ref     r = counter_add_remote(a, 3);
 *     fever_take(r, &v);                                (8)
 *     fever_actor_release(a.any);                       (queued calls are done, then it ends)
 */
#ifndef FEVER_ACTOR_H
#define FEVER_ACTOR_H

#ifdef __cplusplus
extern "C" {
#endif

/* A handle of an actor: a plain value, held as a ref is, and kept alive inside arguments, results and objects as a ref is. */
typedef struct fever_actor {
    uint64_t id;
} fever_actor;

struct fever_actor_class {
    const char *name;
    size_t      state_bytes, state_align;
    void      (*destroy)(void *state);
    int       (*save)(const void *state, fever_ref *saved_out);
    int       (*restore)(void *state, fever_ref saved);
};

/* Options of one actor.  A field that is 0 (or NULL) means the default in brackets. */
struct fever_actor_options {
    size_t      struct_bytes;     /* sizeof(struct fever_actor_options); set by FEVER_ACTOR_WITH() */
    int         max_restarts;     /* after deaths of its process [0]; FEVER_NO_LIMIT */
    int         max_task_retries; /* of a call in which it died [0: at most once]; at most 250 */
    const char *name;             /* shown by the tools, up to 47 characters [the definition's] */
    double      grace_s;          /* how long its destructor may take before it is killed [10] */
    double      num_cpus;         /* CPUs that it holds as long as it lives, and that no task runs on: whole ones [0] */
    const struct fever_resource *resources; /* what else it holds so long, each name once; at most 16 */
    size_t      n_resources;
    const char *node;             /* on this node, as "gpu-1" [NULL: on any]; see struct fever_task_options */
    int         node_soft;        /* 1: elsewhere if it has no room there */
    int         spread;           /* 1: on the node that is least in use */
    const char *labels;           /* on nodes with these labels [NULL] */
    int         checkpoint_every; /* after so many calls FEVER_CHECKPOINT's body is run [0: only by fever_actor_checkpoint()] */
    const char *registered;       /* by what fever_actor_find finds it: 1 to 47 characters [nothing] */
    const char *name_space;       /* where that is unique: up to 31 characters [""] */
    int         get_if_exists;    /* 1: if an actor has that name, a handle of it in place of a new one [0: -FEVER_ENAMETAKEN] */
    int         max_pending_calls; /* so many calls of one thread or process may wait for their turn; one more: -FEVER_EAGAIN [no limit] */
    int         detached;         /* 1: it lives until it is killed, or the runtime ends, whoever has a handle [0] */
};
#define FEVER_NO_LIMIT (-1)
#define FEVER_ACTOR_WITH(...) (&(struct fever_actor_options){.struct_bytes = sizeof(struct fever_actor_options), ##__VA_ARGS__})

/* fever_actor_new: makes an actor; the untyped layer beneath NAME_new.
 *   Struct   fever_actor_options
 *   Takes    def: the definition of a constructor; args, bytes: copied, and kept for restarts; options: FEVER_ACTOR_WITH(...), or NULL
 *   Gives    actor_out: a handle that this thread holds.  Its process is on its way; calls may be made at once
 *   Returns  0; -FEVER_EINVAL, -FEVER_ENULL, -FEVER_ENOTASK (def is no constructor), -FEVER_ECONTEXT (FEVER_INLINE=1), -FEVER_ESTALE (a
 *            ref in the arguments), -FEVER_ENAMETAKEN, -FEVER_ETYPE (get_if_exists: it is of another definition), -FEVER_ENOSLOTS (or 4,096
 *            names were used already), -FEVER_ESTOREFULL, -FEVER_EINFEASIBLE (more CPUs than there are workers, more of a resource than there
 *            is; the log says what), -ENOMEM; those of entry.  What the constructor does is told to every caller, and by fever_actor_error
 *   Blocks   only while all task slots of this thread are in flight; get_if_exists: while another process is making it, a moment
 *   Context  driver and task; in a task it ends with the body, unless its handle is retained or handed on
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked; the supervisor forks the actor's process
 *   Memory   a task slot and a block of 320 bytes, and the process.  Beyond max_actors processes an actor waits until another ends; one that
 *            asks for CPUs or resources, until these are free, as a task that does
 *   Cost     to the first answer a fork and about 100 us
 *   Source   Ray's Actor.remote()
 *   Since    0.1.0 */
FEVER_API int fever_actor_new(const struct fever_def *def, const void *args, size_t bytes, const struct fever_actor_options *options,
                              fever_actor *actor_out);

/* fever_actor_make: fever_actor_new, with the error (if any) inside the handle, where every later call on it finds it.
 *   Takes    as fever_actor_new
 *   Gives    nothing else
 *   Returns  a handle that this thread holds, or one that only carries the error and needs no release
 *   Blocks   as fever_actor_new
 *   Context  driver and task
 *   Threads  any
 *   Signals  in a handler that interrupted a fever call the handle carries -FEVER_ESIGNAL
 *   Fork     in a child that the program forked the handle carries -FEVER_EFORK
 *   Memory   as fever_actor_new
 *   Cost     as fever_actor_new
 *   Source   Ray's Actor.remote()
 *   Since    0.1.0 */
FEVER_API fever_actor fever_actor_make(const struct fever_def *def, const void *args, size_t bytes, const struct fever_actor_options *options);

/* fever_actor_find: a handle of the actor that has a name; the untyped layer beneath NAME_find.
 *   Takes    def: the definition of its constructor, or NULL: whatever it is; name_space: NULL is ""; name: what it was registered by
 *   Gives    actor_out: a handle that this thread holds, as if it had made the actor
 *   Returns  0; -FEVER_ENONAME (none has it: it was not made yet, has ended, or is dead), -FEVER_ENULL, -FEVER_EINVAL (too long),
 *            -FEVER_ETYPE (it is of another definition), -FEVER_ENOSLOTS; those of entry
 *   Blocks   never
 *   Context  driver and task, and methods; in a task the handle ends with the body, unless it is retained or handed on
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_retain
 *   Cost     a hash of 80 bytes, and fever_retain
 *   Source   Ray's ray.get_actor
 *   Since    0.1.0 */
FEVER_API int fever_actor_find(const struct fever_def *def, const char *name_space, const char *name, fever_actor *actor_out);

/* fever_actor_call, fever_actor_call_ref: calls a method; the untyped layer beneath NAME_METHOD_remote and NAME_METHOD_with.
 *   Takes    def: a method; actor: a handle that this process holds; args, bytes: copied; options: FEVER_WITH(...), or NULL; of these
 *            num_cpus, resources, memory_bytes, priority, max_calls and env are not for methods
 *   Gives    ref_out: a ref that this thread holds.  Calls of one thread to one actor run in the order in which they were made
 *   Returns  0; -FEVER_EINVAL, -FEVER_ENULL, -FEVER_ETYPE (a method of another actor, or no actor), -FEVER_ENOTASK, -FEVER_ESTALE,
 *            -FEVER_EAGAIN (max_pending_calls of this thread wait already: nothing was called), -FEVER_ENOSLOTS, -FEVER_ESTOREFULL, -ENOMEM; those of entry.  fever_actor_call_ref: the ref, or one that carries that error.
 *            The ref of a call to an actor that is dead fails with FEVER_EACTORDEAD, and why; of one in which its process died, while it
 *            is restarted, with FEVER_EACTORDOWN
 *   Blocks   only while all task slots of this thread are in flight
 *   Context  driver and task, and methods
 *   Threads  any; each has an order of its own
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a task slot; up to 16 bytes of arguments lie in it.  The first call of a thread to an actor makes a mailbox: 16.2 KiB of the store
 *   Cost     as fever_submit: two cache lines, no atomic read-modify-write unless the actor sleeps
 *   Source   Ray's actor.method.remote()
 *   Since    0.1.0 */
FEVER_API int       fever_actor_call(const struct fever_def *def, fever_actor actor, const void *args, size_t bytes,
                                     const struct fever_task_options *options, fever_ref *ref_out);
FEVER_API fever_ref fever_actor_call_ref(const struct fever_def *def, fever_actor actor, const void *args, size_t bytes,
                                         const struct fever_task_options *options);

/* fever_actor_send: calls a method and does not want to know what comes of it.
 *   Takes    as fever_actor_call, without options
 *   Gives    nothing: result and failure are dropped
 *   Returns  0; the errors of fever_actor_call
 *   Blocks   as fever_actor_call
 *   Context  driver and task, and methods
 *   Threads  any; in one order with its other calls
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a task slot until it has run
 *   Cost     as fever_actor_call
 *   Source   Erlang's cast
 *   Since    0.1.0 */
FEVER_API int fever_actor_send(const struct fever_def *def, fever_actor actor, const void *args, size_t bytes);

/* fever_actor_retain: one more hold of a handle, for this process.
 *   Takes    actor: a handle that is alive
 *   Gives    nothing; each hold ends by fever_actor_release
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE, -FEVER_ENOSLOTS; those of entry
 *   Blocks   never
 *   Context  driver and task: a task or method that keeps a handle which came in its arguments retains it
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_retain
 *   Cost     as fever_retain
 *   Source   Ray's actor handles
 *   Since    0.1.0 */
FEVER_API int fever_actor_retain(fever_actor actor);

/* fever_actor_release: lets go of a handle; with the last one the actor ends: calls that were made before are done, then its
 * destructor runs.
 *   Takes    actor: a handle that this process holds
 *   Gives    nothing
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE; those of entry
 *   Blocks   never: the actor ends by itself; its destructor has grace_s
 *   Context  driver and task
 *   Threads  any; no other thread may use the last hold meanwhile
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   slot, mailboxes and process are freed when it has ended
 *   Cost     as fever_release
 *   Source   Ray's actor handles
 *   Since    0.1.0 */
FEVER_API int fever_actor_release(fever_actor actor);

/* fever_actor_kill: ends an actor at once, whatever it does.
 *   Takes    actor: a handle that is alive; flags: 0, or FEVER_ACTOR_RESTART: its process dies as by a crash, and is replaced if
 *            max_restarts allows
 *   Gives    nothing.  The running call and all queued ones fail with FEVER_EACTORDEAD (with FEVER_ACTOR_RESTART: as after a crash).  No
 *            destructor runs
 *   Returns  0, also if it had ended; -FEVER_EINVAL, -FEVER_ENULL, -FEVER_ETYPE (no actor), -FEVER_ESTALE, -FEVER_ECONTEXT (a method kills its
 *            own actor: fever_actor_exit does that), -FEVER_ERUNTIME; those of entry
 *   Blocks   until it is dead: a fraction of a millisecond; with FEVER_ACTOR_RESTART never
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   the handle stays good, and says what the actor died of
 *   Cost     a SIGKILL and a sweep
 *   Source   Ray's ray.kill
 *   Since    0.1.0 */
FEVER_API int fever_actor_kill(fever_actor actor, unsigned flags);
#define FEVER_ACTOR_RESTART 1u

/* fever_actor_exit: in a method: the actor is to end, when this call is over.
 *   Takes    nothing
 *   Gives    nothing.  This call ends as it would; then the destructor runs; calls that are queued, and later ones, fail with
 *            FEVER_EACTORDEAD.  It is not restarted
 *   Returns  0; -FEVER_ECONTEXT (not in an actor)
 *   Blocks   never
 *   Context  a method
 *   Threads  the actor's own
 *   Signals  not in a handler
 *   Fork     refused in a child that the method forked
 *   Memory   none
 *   Cost     a store
 *   Source   Ray's ray.actor.exit_actor
 *   Since    0.1.0 */
FEVER_API int fever_actor_exit(void);

/* fever_actor_checkpoint: in a method: saves the state, by the body of FEVER_CHECKPOINT(name), for the next process of the actor.
 *   Takes    nothing
 *   Gives    nothing.  When it returns 0 this checkpoint is the one that a restart goes on from, and the one before is let go of.  A death on
 *            the way leaves that one.  In the constructor of a restart, and in FEVER_RESTORE, nothing is saved if there is a checkpoint: that
 *            one stays
 *   Returns  0; what the body of FEVER_CHECKPOINT has returned if not 0: the last checkpoint stays, as with all errors; -FEVER_EAPP (it has
 *            called fever_fail, and so the method fails), -FEVER_ESTATE (its ref is not ready), -FEVER_ENULL, -FEVER_ESTALE, -FEVER_ENOTASK
 *            (the actor has no such body), -FEVER_ECONTEXT (not in an actor)
 *   Blocks   as that body
 *   Context  a method, or the constructor
 *   Threads  the actor's own
 *   Signals  not in a handler
 *   Fork     refused in a child that the method forked
 *   Memory   the object that it has made, until the next checkpoint or the end of the actor; for a moment both
 *   Cost     that body, and a few atomic operations
 *   Source   Ray's checkpointable actors
 *   Since    0.1.0 */
FEVER_API int fever_actor_checkpoint(void);

/* fever_actor_wait: waits until an actor has ended.
 *   Takes    actor: a handle that this process holds; timeout_s: 0 polls, FEVER_FOREVER
 *   Gives    nothing
 *   Returns  0 when it has ended in good order, or been killed: fever_actor_error tells; -FEVER_ETIMEDOUT, -FEVER_EINVAL (not a number),
 *            -FEVER_ENULL, -FEVER_ETYPE (no actor), -FEVER_ESTALE, -FEVER_ECANCELED, -FEVER_EDEPTH, -FEVER_EDEADLK, -FEVER_ERUNTIME; those
 *            of entry
 *   Blocks   until then
 *   Context  driver and task; in a task a spare worker stands in
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   none
 *   Cost     as fever_wait_one
 *   Source   Erlang's monitors
 *   Since    0.1.0 */
FEVER_API int fever_actor_wait(fever_actor actor, double timeout_s);

/* fever_actor_error: why an actor is dead.
 *   Takes    actor: a handle that this process holds
 *   Gives    error_out: its code is FEVER_EACTORDEAD, or that of its constructor's failure
 *   Returns  0; -FEVER_ESTATE (it lives, or has ended in good order), -FEVER_ENULL, -FEVER_ETYPE (no actor), -FEVER_ESTALE; those of entry
 *   Blocks   never
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   error_out stands by itself
 *   Cost     a copy
 *   Source   Ray's ActorDiedError
 *   Since    0.1.0 */
FEVER_API int fever_actor_error(fever_actor actor, struct fever_error *error_out);

/* What fever_actor_info tells. */
struct fever_actor_info {
    int      pid;      /* of its process; 0: it has none now */
    int      restarts;
    int      ended;    /* 1: it has ended, or is dead */
    uint64_t calls;    /* begun so far */
    uint64_t pending;  /* made, and not begun: the depth of its mailboxes */
    double   waited_s; /* from a call to its turn, on average: one call in 64 of each caller is timed, the first one too */
};

/* fever_actor_info: what an actor is doing, in numbers.
 *   Takes    actor: a handle that this process holds
 *   Gives    info_out: as it was a moment ago: others go on
 *   Returns  0; -FEVER_ENULL, -FEVER_ETYPE (no actor), -FEVER_ESTALE; those of entry
 *   Blocks   never
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   info_out stands by itself
 *   Cost     a cache line for each caller that it has had
 *   Source   Ray's `ray list actors`
 *   Since    0.1.0 */
FEVER_API int fever_actor_info(fever_actor actor, struct fever_actor_info *info_out);

/* fever_actor_self: the actor that the calling method belongs to.
 *   Takes    nothing
 *   Gives    nothing else
 *   Returns  its handle, not held; one with id 0 outside of an actor
 *   Blocks   never
 *   Context  a method, constructor or destructor
 *   Threads  the actor's own
 *   Signals  safe in a handler
 *   Fork     in a child that the method forked: the same
 *   Memory   to hand it on is fine: arguments and results hold it
 *   Cost     a call
 *   Source   Erlang's self()
 *   Since    0.1.0 */
FEVER_API fever_actor fever_actor_self(void);

/* fever_actor_state, fever_actor_serve: what FEVER_ACTOR and FEVER_METHOD are made with.  Nobody else needs them.
 *   Takes    rc: what the constructor has returned
 *   Gives    nothing: fever_actor_serve runs the actor's calls until it ends
 *   Returns  fever_actor_state: the actor's state, cleared before the constructor; NULL outside of an actor
 *   Blocks   fever_actor_serve: for the actor's life
 *   Context  an actor's process
 *   Threads  the actor's own
 *   Signals  not in a handler
 *   Fork     not in a child
 *   Memory   the state belongs to the process
 *   Cost     a call
 *   Source   Fever's own
 *   Since    0.1.0 */
FEVER_API void *fever_actor_state(void);
FEVER_API void  fever_actor_serve(int rc);

#ifdef __cplusplus
}
#endif

#ifndef __cplusplus
/* FEVER_ACTOR, FEVER_METHOD, FEVER_METHOD_VOID, FEVER_METHOD_STREAM, FEVER_DESTRUCTOR, FEVER_CHECKPOINT, FEVER_RESTORE: defines an actor:
 * its state, its constructor, its methods.
 *   Form     FEVER_ACTOR(state, name, (type1, arg1), ...) { self->...; return 0; }
 *   Form     FEVER_METHOD(name, type, method, (type1, arg1), ...) { ...; return value; }
 *   Form     FEVER_METHOD_VOID(name, method, (type1, arg1), ...) { ... }
 *   Form     FEVER_METHOD_STREAM(name, type, method, (type1, arg1), ...) { ...; fever_yield(item); ... }
 *   Form     FEVER_DESTRUCTOR(name) { ... }
 *   Form     FEVER_CHECKPOINT(name) { return fever_put(..., saved); }
 *   Form     FEVER_RESTORE(name) { return fever_get(saved, ...); }
 *   Form     name_actor name_new(type1 arg1, ...);
 *   Form     name_actor name_new_with(const struct fever_actor_options *options, type1 arg1, ...);
 *   Form     int name_find(const char *name_space, const char *registered, name_actor *out);
 *   Form     fever_ref name_method_remote(name_actor actor, type1 arg1, ...);
 *   Form     fever_ref name_method_with(const struct fever_task_options *options, name_actor actor, type1 arg1, ...);
 *   Form     int name_method_send(name_actor actor, type1 arg1, ...);
 *   Form     int name_method_next(fever_ref stream, type *item_out, double timeout_s);
 *   Takes    arguments as FEVER_TASK.  In all bodies `self` is a pointer to the state, which the constructor finds cleared; what the
 *            constructor returns is 0, or an error code of its own, with which (or by fever_fail) the actor fails.  FEVER_CHECKPOINT's body
 *            puts what is to outlive the process into an object, the hold of which it gives away through `saved`; FEVER_RESTORE's finds its ref
 *            in `saved`, after the constructor has run again, and returns as that does
 *   Gives    name_new makes an actor; name_method_remote and name_method_with call a method; name_method_send does so without a ref.  The
 *            ref of a FEVER_METHOD_STREAM is that of a stream, as FEVER_STREAM's; name_method_next takes its items.  Other calls wait while
 *            it yields, also for room.  Several results: FEVER_PART and fever_parts of a method's ref.  The
 *            type name_actor is for this actor's methods only; its member `any` is the untyped handle
 *   Returns  name_new: as fever_actor_make; name_find: as fever_actor_find; name_method_remote and name_method_with: as fever_actor_call_ref; name_method_send: as
 *            fever_actor_send
 *   Blocks   as fever_actor_new and fever_actor_call
 *   Context  at file scope of a C source.  Refs that a method takes are let go of at its end, as in a task: the state keeps one by
 *            fever_retain; refs that the constructor takes stay.  A view of a large object is for the method that took it
 *   Threads  methods run one at a time, in a process of the actor's own: no locks are needed
 *   Signals  an actor that dies of a signal is restarted, or dead: see fever_actor_call
 *   Fork     children that it forks are killed with the runtime
 *   Memory   arguments and results are copied; put large data and pass the ref
 *   Cost     as fever_actor_new and fever_actor_call
 *   Source   Ray's actors
 *   Since    0.1.0 */
#define FEVER_ACTOR(T, name_, ...) \
    typedef T fever_state_##name_; \
    typedef struct name_##_actor { fever_actor any; } name_##_actor; \
    __attribute__((unused)) static struct fever_actor_class fever_class_##name_ = { \
        .name = #name_, .state_bytes = sizeof(T), .state_align = _Alignof(T)}; \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static int fever_construct_##name_(fever_state_##name_ *self FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        (void)fever_result_; \
        fever_actor_serve(fever_construct_##name_(fever_actor_state() FEVER_EACH(FEVER_P_CARG, ##__VA_ARGS__))); \
    } \
    FEVER_DEFINE_CLASS_(FEVER_DEF_ACTOR, 0, 0u, 0, 0u, name_, name_, #name_, ##__VA_ARGS__) \
    FEVER_SUBMITS_ name_##_actor name_##_new(FEVER_LIST(FEVER_P_PARAM, void, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return (name_##_actor){fever_actor_make(&fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, NULL)}; \
    } \
    FEVER_SUBMITS_ name_##_actor name_##_new_with(const struct fever_actor_options *fever_o_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return (name_##_actor){fever_actor_make(&fever_def_##name_, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, fever_o_)}; \
    } \
    FEVER_SUBMITS_ int name_##_find(const char *fever_s_, const char *fever_n_, name_##_actor *fever_h_) { \
        return fever_actor_find(&fever_def_##name_, fever_s_, fever_n_, fever_h_ == NULL ? NULL : &fever_h_->any); \
    } \
    static int fever_construct_##name_(__attribute__((unused)) fever_state_##name_ *self FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__))

#define FEVER_DESTRUCTOR(name_) \
    static void fever_destruct_##name_(fever_state_##name_ *self); \
    static void fever_destroy_##name_(void *fever_state_) { fever_destruct_##name_(fever_state_); } \
    __attribute__((constructor, unused)) static void fever_link_##name_(void) { fever_class_##name_.destroy = fever_destroy_##name_; } \
    static void fever_destruct_##name_(__attribute__((unused)) fever_state_##name_ *self)

#define FEVER_CHECKPOINT(name_) \
    static int fever_checkpoint_##name_(const fever_state_##name_ *self, fever_ref *saved); \
    static int fever_save_##name_(const void *fever_state_, fever_ref *fever_saved_) { return fever_checkpoint_##name_(fever_state_, fever_saved_); } \
    __attribute__((constructor, unused)) static void fever_link_save_##name_(void) { fever_class_##name_.save = fever_save_##name_; } \
    static int fever_checkpoint_##name_(__attribute__((unused)) const fever_state_##name_ *self, __attribute__((unused)) fever_ref *saved)

#define FEVER_RESTORE(name_) \
    static int fever_restore_##name_(fever_state_##name_ *self, fever_ref saved); \
    static int fever_reload_##name_(void *fever_state_, fever_ref fever_saved_) { return fever_restore_##name_(fever_state_, fever_saved_); } \
    __attribute__((constructor, unused)) static void fever_link_restore_##name_(void) { fever_class_##name_.restore = fever_reload_##name_; } \
    static int fever_restore_##name_(__attribute__((unused)) fever_state_##name_ *self, __attribute__((unused)) fever_ref saved)

#define FEVER_METHOD(actor_, T, name_, ...)   FEVER_METHOD_(actor_, T, actor_##_##name_, #actor_ "." #name_, ##__VA_ARGS__)
#define FEVER_METHOD_VOID(actor_, name_, ...) FEVER_METHOD_VOID_(actor_, actor_##_##name_, #actor_ "." #name_, ##__VA_ARGS__)
#define FEVER_METHOD_STREAM(actor_, T, name_, ...) FEVER_METHOD_STREAM_(actor_, T, actor_##_##name_, #actor_ "." #name_, ##__VA_ARGS__)

#define FEVER_METHOD_(actor_, T, name_, text_, ...) \
    _Static_assert(__builtin_classify_type(*(T *)0) != 5, "the result is a pointer: return a value, or put the data and return a fever_ref"); \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static T name_##_local(fever_state_##actor_ *self FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        *(T *)fever_result_ = name_##_local(fever_actor_state() FEVER_EACH(FEVER_P_CARG, ##__VA_ARGS__)); \
    } \
    FEVER_DEFINE_METHOD_(actor_, sizeof(T), FEVER_TYPE_OF(*(T *)0), name_, text_, ##__VA_ARGS__) \
    static T name_##_local(__attribute__((unused)) fever_state_##actor_ *self FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__))

#define FEVER_METHOD_VOID_(actor_, name_, text_, ...) \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static void name_##_local(fever_state_##actor_ *self FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        (void)fever_result_; \
        name_##_local(fever_actor_state() FEVER_EACH(FEVER_P_CARG, ##__VA_ARGS__)); \
    } \
    FEVER_DEFINE_METHOD_(actor_, 0, 0u, name_, text_, ##__VA_ARGS__) \
    static void name_##_local(__attribute__((unused)) fever_state_##actor_ *self FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__))

#define FEVER_METHOD_STREAM_(actor_, T, name_, text_, ...) \
    _Static_assert(__builtin_classify_type(*(T *)0) != 5, "the item is a pointer: yield a value, or put the data and yield a fever_ref"); \
    FEVER_ARGS_(name_, ##__VA_ARGS__) \
    static void fever_body_##name_(fever_state_##actor_ *self, const T *fever_item_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)); \
    static void fever_run_##name_(const void *fever_args_, void *fever_result_) { \
        const struct fever_args_##name_ *fever_a_ = fever_args_; \
        (void)fever_a_; \
        (void)fever_result_; \
        fever_body_##name_(fever_actor_state(), NULL FEVER_EACH(FEVER_P_CARG, ##__VA_ARGS__)); \
    } \
    FEVER_DEFINE_CLASS_(FEVER_DEF_METHOD | FEVER_DEF_STREAM, 0, 0u, sizeof(T), FEVER_TYPE_OF(*(T *)0), actor_, name_, text_, ##__VA_ARGS__) \
    FEVER_DEFINE_CALLS_(actor_, name_, ##__VA_ARGS__) \
    FEVER_DEFINE_NEXT_(T, name_) \
    static void fever_body_##name_(__attribute__((unused)) fever_state_##actor_ *self, \
                                   __attribute__((unused)) const T *fever_item_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__))

#define FEVER_DEFINE_CLASS_(F, RBYTES, RTYPE, IBYTES, ITYPE, actor_, name_, text_, ...) \
    static const uint16_t fever_offs_##name_[] = {FEVER_OFFSETS_(fever_args_##name_, ##__VA_ARGS__)}; \
    static struct fever_def fever_def_##name_ = { \
        .magic = FEVER_DEF_MAGIC, .flags = (F) | FEVER_ALIGNED_(name_) FEVER_EACH(FEVER_P_MAYREF, ##__VA_ARGS__), .name = text_, .file = __FILE__, \
        .line = __LINE__, .args_bytes = FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof(struct fever_args_##name_) : 0, \
        .result_bytes = (RBYTES), .result_type = (RTYPE), .item_bytes = (IBYTES), .item_type = (ITYPE), .n_params = FEVER_COUNT(__VA_ARGS__), .has_refs = 0 FEVER_EACH(FEVER_P_ISREF, ##__VA_ARGS__), \
        .ref_offsets = fever_offs_##name_, .run = fever_run_##name_, .actor_class = &fever_class_##actor_}; \
    static struct fever_def *const fever_defp_##name_ __attribute__((used, section("fever_defs"))) = &fever_def_##name_;

#define FEVER_DEFINE_METHOD_(actor_, RBYTES, RTYPE, name_, text_, ...) \
    FEVER_DEFINE_CLASS_(FEVER_DEF_METHOD, RBYTES, RTYPE, 0, 0u, actor_, name_, text_, ##__VA_ARGS__) \
    FEVER_DEFINE_CALLS_(actor_, name_, ##__VA_ARGS__) \
    FEVER_SUBMITS_ int name_##_send(actor_##_actor fever_h_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_actor_send(&fever_def_##name_, fever_h_.any, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0); \
    }

#define FEVER_DEFINE_CALLS_(actor_, name_, ...) \
    FEVER_SUBMITS_ fever_ref name_##_remote(actor_##_actor fever_h_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_actor_call_ref(&fever_def_##name_, fever_h_.any, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, NULL); \
    } \
    FEVER_SUBMITS_ fever_ref name_##_with( \
        const struct fever_task_options *fever_o_, actor_##_actor fever_h_ FEVER_EACH(FEVER_P_CPARAM, ##__VA_ARGS__)) { \
        struct fever_args_##name_ fever_a_ = {FEVER_LIST(FEVER_P_INIT, 0, ##__VA_ARGS__)}; \
        return fever_actor_call_ref(&fever_def_##name_, fever_h_.any, &fever_a_, FEVER_HAS_ARGS_(__VA_ARGS__) ? sizeof fever_a_ : 0, fever_o_); \
    }
#endif

#endif /* FEVER_ACTOR_H */
