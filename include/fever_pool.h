/* fever_pool.h: a pool of actors: calls go to whichever is free.
 *
 * Included by fever.h, not by programs.  What is said there of the slots of comments and of errors holds here.
 *
 *     struct fever_pool *pool;
 *     fever_pool_open(&pool);
 *     for (int i = 0; i < 4; i++) {
 *         server_actor a = server_new(42);
 *         fever_pool_push(pool, a.any);
 *         fever_actor_release(a.any);
 *     }
 *     for (int i = 0; i < n; i++)
 *         fever_pool_call(pool, server_predict, x[i]);
 *     while (fever_pool_next(pool, &ref, FEVER_FOREVER) == 0)
 *         if (fever_take(ref, &y) < 0)
 *             fever_release(ref);
 *     fever_pool_close(pool);
 */
#ifndef FEVER_POOL_H
#define FEVER_POOL_H

#ifdef __cplusplus
extern "C" {
#endif

struct fever_pool;

/* fever_pool_open: a pool without actors.
 *   Takes    nothing
 *   Gives    pool_out: the pool, until fever_pool_close
 *   Returns  0; -FEVER_ENULL, -ENOMEM
 *   Blocks   never
 *   Context  driver, task and methods; closed by the body that opened it
 *   Threads  a pool is used by one thread at a time, and all calls and results of it by the one that opened it
 *   Signals  not in a handler
 *   Fork     of no use in a child that the program forked
 *   Memory   private
 *   Cost     an allocation
 *   Source   Ray's ray.util.ActorPool
 *   Since    0.1.0 */
FEVER_API int fever_pool_open(struct fever_pool **pool_out);

/* fever_pool_push: one more actor for a pool.
 *   Takes    pool; actor: a handle that this process holds; not in the pool already
 *   Gives    the pool holds it, too, until fever_pool_close or fever_pool_pop_idle; the caller lets go of its own hold, in a task as well.
 *            The call that has waited longest goes to it
 *   Returns  0; -FEVER_ENULL, -FEVER_EINVAL (it is in the pool), -ENOMEM; those of fever_actor_retain
 *   Blocks   as fever_actor_call
 *   Context  driver, task and methods
 *   Threads  that of the pool
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   private
 *   Cost     as fever_retain
 *   Source   Ray's ActorPool.push
 *   Since    0.1.0 */
FEVER_API int fever_pool_push(struct fever_pool *pool, fever_actor actor);

/* fever_pool_pop_idle: takes an actor that has no call out of a pool.
 *   Takes    pool
 *   Gives    actor_out: its handle, which the caller holds from now on
 *   Returns  0; -FEVER_EAGAIN (none is idle), -FEVER_ENULL; those of fever_wait_one
 *   Blocks   never
 *   Context  driver, task and methods
 *   Threads  that of the pool
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   none
 *   Cost     a look at each call that runs
 *   Source   Ray's ActorPool.pop_idle
 *   Since    0.1.0 */
FEVER_API int fever_pool_pop_idle(struct fever_pool *pool, fever_actor *actor_out);

/* fever_pool_submit, fever_pool_call: a call of a method of an actor that is idle; or of the first that is, if none is now.
 *   Form     int fever_pool_call(struct fever_pool *pool, method, arguments...);   (method: NAME_METHOD, as in NAME_METHOD_remote)
 *   Takes    pool; def: a method of all actors in the pool; args, bytes: copied.  Refs in the arguments are to be held until the result
 *            is there
 *   Gives    nothing: the result comes from fever_pool_next or fever_pool_next_unordered
 *   Returns  0; -FEVER_ENULL, -FEVER_EINVAL (bytes are not the method's), -FEVER_ENOTASK (no method), -ENOMEM.  What becomes of a call later
 *            is told by its ref, of a method of another actor, too
 *   Blocks   as fever_actor_call
 *   Context  driver, task and methods
 *   Threads  that of the pool
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   the arguments, privately, while no actor is idle; then as fever_actor_call
 *   Cost     as fever_actor_call, and a look at each call that runs
 *   Source   Ray's ActorPool.submit
 *   Since    0.1.0 */
FEVER_API int fever_pool_submit(struct fever_pool *pool, const struct fever_def *def, const void *args, size_t bytes);
#define fever_pool_call(pool, method, ...) \
    __extension__({ \
        struct fever_args_##method fever_a_ = {__VA_ARGS__}; \
        fever_pool_submit((pool), &fever_def_##method, &fever_a_, fever_def_##method.args_bytes); \
    })

/* fever_pool_next, fever_pool_next_unordered: the next result of a pool: in the order of the calls; or whichever is there first.
 *   Takes    pool; timeout_s: 0 polls, FEVER_FOREVER
 *   Gives    ref_out: a ref that this thread holds; it is ready, or failed
 *   Returns  0; -FEVER_EEND (all results have been given), -FEVER_ETIMEDOUT, -FEVER_EINVAL (not a number), -FEVER_ENULL, -FEVER_EDEADLK
 *            (the pool has no actors); those of fever_wait
 *   Blocks   until then; calls that wait for an actor go on meanwhile
 *   Context  driver, task and methods
 *   Threads  that of the pool
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   what the pool knew of the call is freed
 *   Cost     as fever_wait of as many refs as there are actors
 *   Source   Ray's ActorPool.get_next, get_next_unordered
 *   Since    0.1.0 */
FEVER_API int fever_pool_next(struct fever_pool *pool, fever_ref *ref_out, double timeout_s);
FEVER_API int fever_pool_next_unordered(struct fever_pool *pool, fever_ref *ref_out, double timeout_s);

/* fever_pool_has_next: how many results are to come, or there.
 *   Takes    pool; NULL has none
 *   Gives    nothing
 *   Returns  the number of calls whose results have not been given
 *   Blocks   never
 *   Context  driver, task and methods
 *   Threads  that of the pool
 *   Signals  safe in a handler
 *   Fork     the same in a child
 *   Memory   none
 *   Cost     a call
 *   Source   Ray's ActorPool.has_next
 *   Since    0.1.0 */
FEVER_API size_t fever_pool_has_next(const struct fever_pool *pool);

/* fever_pool_map_raw, fever_pool_map: out[i] = method(in[i]) for all i, on the actors of a pool.
 *   Form     int fever_pool_map(struct fever_pool *pool, method, const type *in, size_t n, type *out);   (method: of one argument)
 *   Takes    pool: no results are to come from it; def: a method; in, in_bytes: n argument structs one behind the other; type:
 *            FEVER_TYPE_OF the results, 0 for any
 *   Gives    out: n results of out_bytes each; after an error those before it
 *   Returns  0; the first error; -FEVER_ESTATE (results are to come); those of fever_pool_submit and fever_pool_next
 *   Blocks   until all are there, also after an error; after one of fever_pool_next the rest is dropped, as by fever_pool_close
 *   Context  driver, task and methods
 *   Threads  that of the pool
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_pool_submit
 *   Cost     as n of fever_pool_submit and of fever_pool_next
 *   Source   Ray's ActorPool.map
 *   Since    0.1.0 */
FEVER_API int fever_pool_map_raw(struct fever_pool *pool, const struct fever_def *def, const void *in, size_t in_bytes, size_t n, void *out,
                                 size_t out_bytes, unsigned type);
#define fever_pool_map(pool, method, in, n, out) \
    ((void)sizeof(char[sizeof *(in) == sizeof(struct fever_args_##method) ? 1 : -1]), \
     fever_pool_map_raw((pool), &fever_def_##method, (in), sizeof *(in), (n), (out), sizeof *(out), FEVER_TYPE_OF(*(out))))

/* fever_pool_close: lets go of a pool.
 *   Takes    pool: of no use afterwards; NULL is fine
 *   Gives    nothing.  Its holds of actors go; results that were not given are dropped, calls that wait for an actor are not made
 *   Returns  0; those of entry
 *   Blocks   never
 *   Context  as fever_pool_open
 *   Threads  that of the pool
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   all of the pool is freed
 *   Cost     a fever_release for each actor and each result
 *   Source   Fever's own
 *   Since    0.1.0 */
FEVER_API int fever_pool_close(struct fever_pool *pool);

#ifdef __cplusplus
}
#endif

#endif /* FEVER_POOL_H */
