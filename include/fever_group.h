/* fever_group.h: many tasks at once: groups, maps and loops.
 *
 * Included by fever.h, not by programs.  What is said there of the slots of comments and of errors holds here.
 */
#ifndef FEVER_GROUP_H
#define FEVER_GROUP_H

#ifdef __cplusplus
extern "C" {
#endif

/* Groups: submit many, wait for all, no ref per task.  A group belongs to the thread that opened it. */
struct fever_group;

/* fever_group_open: opens a group: submit many, wait for all, no ref per task.
 *   Takes    nothing
 *   Gives    group_out: belongs to this thread until fever_group_close
 *   Returns  0; -FEVER_ENULL, -ENOMEM; those of entry
 *   Blocks   never
 *   Context  driver and task
 *   Threads  the group is for the thread that opened it only
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   private; fever_group_close frees it
 *   Cost     two allocations
 *   Source   oneTBB's task_group
 *   Since    0.1.0 */
FEVER_API int fever_group_open(struct fever_group **group_out);

/* fever_group_submit: submits a task to a group; its result is dropped, its failure is kept.
 *   Takes    group; the others as fever_submit
 *   Gives    nothing
 *   Returns  0; -FEVER_ECONTEXT (another thread's group), -FEVER_ESTALE (a closed group, or a ref in the arguments),
 *            -FEVER_ENOTASK, -FEVER_EINVAL, -FEVER_ENULL, -FEVER_ENOSLOTS, -FEVER_ESTOREFULL, -FEVER_EINFEASIBLE, -FEVER_ERUNTIME, -ENOMEM; those of
 *            entry
 *   Blocks   only while all task slots of this thread are in flight
 *   Context  driver and task
 *   Threads  the one that opened the group
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_submit; a task that ended well frees its slot itself
 *   Cost     as fever_submit; no release is needed
 *   Source   oneTBB's task_group::run
 *   Since    0.1.0 */
FEVER_API int fever_group_submit(struct fever_group *group, const struct fever_def *def, const void *args, size_t bytes,
                                 const struct fever_task_options *options);

/* fever_group_wait: waits until all that was submitted to the group so far has ended.
 *   Takes    group; timeout_s: 0 polls, FEVER_FOREVER
 *   Gives    nothing
 *   Returns  how many of the group have failed so far; -FEVER_ECANCELED (the task that calls is cancelled); -FEVER_ETIMEDOUT,
 *            -FEVER_ECONTEXT, -FEVER_ESTALE (closed), -FEVER_ENULL, -FEVER_EINVAL (not a number), -FEVER_EDEPTH, -FEVER_EDEADLK,
 *            -FEVER_ERUNTIME; those of entry
 *   Blocks   until all have ended or the time is over
 *   Context  driver and task; in a task a spare worker may stand in
 *   Threads  the one that opened the group
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   keeps a copy of each failure
 *   Cost     looks at the task slots of this thread, once or a few times
 *   Source   oneTBB's task_group::wait
 *   Since    0.1.0 */
FEVER_API int64_t fever_group_wait(struct fever_group *group, double timeout_s);

/* fever_group_progress: how many were submitted to the group, and how many of these have ended.
 *   Takes    group
 *   Gives    submitted_out, ended_out; either may be NULL
 *   Returns  0; -FEVER_ECONTEXT, -FEVER_ESTALE (closed), -FEVER_ENULL; those of entry
 *   Blocks   never
 *   Context  driver and task
 *   Threads  the one that opened the group
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   keeps a copy of each failure
 *   Cost     looks at all task slots of this thread: not for each task
 *   Source   Fever's own
 *   Since    0.1.0 */
FEVER_API int fever_group_progress(struct fever_group *group, uint64_t *submitted_out, uint64_t *ended_out);

/* fever_group_failure: failure number i of a group: which submission it was, and why it failed.
 *   Takes    group; i: 0 .. failures known (by a wait or progress) - 1
 *   Gives    index_out: 0 for the first submission of the group; error_out; either may be NULL
 *   Returns  0; -FEVER_EINVAL (no such failure), -FEVER_ESTALE (closed), -FEVER_ENULL
 *   Blocks   never
 *   Context  driver and task
 *   Threads  the one that opened the group
 *   Signals  not in a handler
 *   Fork     reads private memory only
 *   Memory   a copy; nothing to free
 *   Cost     as fever_error
 *   Source   Fever's own
 *   Since    0.1.0 */
FEVER_API int fever_group_failure(struct fever_group *group, uint64_t i, uint64_t *index_out, struct fever_error *error_out);

/* fever_group_close: waits for what is left of a group and frees it.
 *   Takes    group: closed afterwards, unless the result is -FEVER_ECONTEXT or -FEVER_ESIGNAL
 *   Gives    nothing
 *   Returns  0; -FEVER_ECONTEXT, -FEVER_ESTALE (closed before), -FEVER_ENULL, -FEVER_ENOTINIT (its runtime is gone; it is closed),
 *            -FEVER_EDEPTH, -FEVER_EDEADLK, -FEVER_ERUNTIME; those of entry
 *   Blocks   until all have ended
 *   Context  driver and task
 *   Threads  the one that opened the group
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   its memory is kept for the next group, so that a closed group is told from a good one
 *   Cost     as fever_group_wait
 *   Source   oneTBB's task_group
 *   Since    0.1.0 */
FEVER_API int fever_group_close(struct fever_group *group);

/* fever_map_raw, fever_map: out[i] = task(in[i]) for i in 0..n, in parallel, in order.
 *   Form     int fever_map(name, const A *in, size_t n, R *out);
 *   Takes    def: a task of one argument; in: n items of in_bytes; options: for each chunk, or NULL.  fever_map takes the task's
 *            name
 *   Gives    out: n results of out_bytes, only when all went well
 *   Returns  0; the error of the first chunk that failed; -FEVER_ENOTASK, -FEVER_EINVAL, -FEVER_ENULL, -FEVER_ETOOBIG,
 *            -FEVER_ESTOREFULL; those of fever_group_submit and fever_group_wait; those of entry
 *   Blocks   until all have ended
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   items and results lie in the store while it runs; refs in them are neither awaited nor kept alive
 *   Cost     two copies of items and results; about eight tasks a worker, so that a crash repeats a whole chunk
 *   Source   Python's multiprocessing.Pool.map
 *   Since    0.1.0 */
FEVER_API int fever_map_raw(const struct fever_def *def, const void *in, size_t in_bytes, size_t n, void *out, size_t out_bytes,
                            const struct fever_task_options *options);

/* fever_for_raw: runs a FEVER_FOR loop over lo <= i < hi in chunks; the layer beneath NAME_for.
 *   Takes    def: of FEVER_FOR; grain: iterations a chunk, 0 chooses; args, bytes: its arguments, overwritten in their first two
 *            members
 *   Gives    nothing
 *   Returns  0; the error of the first chunk that failed; -FEVER_EINVAL, -FEVER_ENULL; those of fever_group_submit and
 *            fever_group_wait; those of entry
 *   Blocks   until all chunks have ended
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_group_submit
 *   Cost     about eight tasks a worker when grain is 0
 *   Source   OpenMP's parallel for
 *   Since    0.1.0 */
FEVER_API int fever_for_raw(const struct fever_def *def, long lo, long hi, long grain, void *args, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* FEVER_GROUP_H */
