/* fever_stream.h: several results of one task: parts of its value, or items one after another.
 *
 * Included by fever.h, not by programs.  What is said there of the slots of comments and of errors holds here.
 */
#ifndef FEVER_STREAM_H
#define FEVER_STREAM_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------------------------------------
 * Several results: refs to the parts of one
 *
 *     FEVER_TASK(struct stats, summarise, (fever_ref, data)) { ...; return (struct stats){.mean = m, .max = x}; }
 *     fever_ref all = summarise_remote(data), mean = FEVER_PART(all, struct stats, mean);
 */

/* fever_part, fever_part_ref, FEVER_PART: a ref to a part of a result or object that may not exist yet.
 *   Form     fever_ref FEVER_PART(fever_ref whole, type, member);
 *   Takes    whole: a ref that this process holds; offset, bytes: which bytes of its value; type: FEVER_TYPE_OF the part, 0 for any
 *   Gives    part_out: a ref that this thread holds, to a copy of those bytes; when whole fails it fails with the same error.  It
 *            keeps whole alive until it is ready
 *   Returns  0; -FEVER_EINVAL (out of range as far as is known already, or whole is a stream; what is found out later is the part's
 *            error); those of fever_submit.  fever_part_ref and FEVER_PART: the ref, or one that only carries that error
 *   Blocks   as fever_submit
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a task slot, and a block of the store for the copy above 16 bytes; refs inside are kept alive if whole keeps them
 *   Cost     a small task that depends on whole
 *   Source   Ray's num_returns
 *   Since    0.1.0 */
FEVER_API int       fever_part(fever_ref whole, size_t offset, size_t bytes, unsigned type, fever_ref *part_out);
FEVER_API fever_ref fever_part_ref(fever_ref whole, size_t offset, size_t bytes, unsigned type);

/* fever_parts: refs to the n equal parts of a result or object, one behind the other: num_returns = n.
 *   Takes    whole: a ref that this process holds; n: 1 or more; its size must be a multiple of n; refs_out: room for n refs
 *   Gives    refs_out: n refs that this thread holds (after an error: of no use); when whole fails each fails with the same error
 *   Returns  0; -FEVER_EINVAL (no multiple of n as far as is known already, n is 0, or whole is a stream; what is found out later
 *            is the error of each part), -FEVER_ENULL; those of fever_submit
 *   Blocks   as fever_submit
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   n times that of fever_part
 *   Cost     n small tasks
 *   Source   Ray's num_returns
 *   Since    0.1.0 */
FEVER_API int fever_parts(fever_ref whole, size_t n, fever_ref *refs_out);

/* ---------------------------------------------------------------------------------------------
 * Streams
 *
 *     FEVER_STREAM(struct row, read_rows, (long, n)) { for (long i = 0; i < n; i++) fever_yield(row_of(i)); }
 *     fever_ref rows = read_rows_remote(1000), item;
 *     while (fever_stream_next(rows, &item, FEVER_FOREVER) == 0) { fever_take(item, &row); ... }
 */

/* fever_stream_next: the next item of a stream, as a ref; waits until there is one.
 *   Takes    stream: a ref of NAME_remote of a FEVER_STREAM; timeout_s: 0 polls, FEVER_FOREVER
 *   Gives    item_out: a ref that this thread holds, to an item that is there already.  When the task has failed: after its
 *            items, once, a ref that carries the error
 *   Returns  0; -FEVER_EEND (at the end, and ever after), -FEVER_ETIMEDOUT, -FEVER_ECANCELED (the task that calls is cancelled),
 *            -FEVER_EINVAL (no stream, or not a number), -FEVER_ENULL, -FEVER_ESTALE, -FEVER_ENOSLOTS, -FEVER_EDEPTH, -FEVER_EDEADLK,
 *            -FEVER_ERUNTIME; those of entry
 *   Blocks   until there is an item, the task has ended, or the time is over: spins (spin_us), then sleeps
 *   Context  driver and task; in a task a spare worker stands in.  A stream as an argument of type fever_ref is kept alive, but not
 *            awaited
 *   Threads  any, in any process; each item is given once.  One at a time gets them in order
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   the item is freed when nobody holds it; what was not taken when fever_release lets the stream go is freed then
 *   Cost     a few compare-and-swaps; no system call when an item is there and the producer does not wait
 *   Source   Ray's ObjectRefGenerator
 *   Since    0.1.0 */
FEVER_API int fever_stream_next(fever_ref stream, fever_ref *item_out, double timeout_s);

/* fever_yield_raw, fever_yield: hands out the next item of this task, a FEVER_STREAM.
 *   Form     int fever_yield(T item);
 *   Form     int name_yield(T item);
 *   Takes    item, bytes: copied; type: FEVER_TYPE_OF the item, 0 for any type and size.  fever_yield: in the body itself; name_yield
 *            everywhere
 *   Gives    nothing; the consumer can take the item at once.  In a repeated attempt what was yielded before is skipped: the body is
 *            assumed to do the same again
 *   Returns  0; -FEVER_ECANCELED: nobody holds the stream any more, its items are freed, or the task is cancelled: the body should
 *            return; -FEVER_ECONTEXT (no stream).  With any other the stream has failed with that error: -FEVER_ETYPE, -FEVER_ENULL,
 *            -FEVER_ESTOREFULL, -FEVER_ETOOBIG, -FEVER_ENOSLOTS, -FEVER_EDEADLK (FEVER_INLINE=1: 16384 items wait), -FEVER_EDEPTH (no
 *            room, and no process for who could make some), -ENOMEM; or had failed before
 *   Blocks   while as many items or bytes wait as stream_items and stream_bytes allow; a spare worker stands in
 *   Context  task of FEVER_STREAM
 *   Threads  the one that runs the body
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the body forked
 *   Memory   as fever_put; refs inside an item are kept alive by it
 *   Cost     as fever_put, and two or three locked instructions; wakes who waits for an item
 *   Source   Ray's streaming generators; Python's yield
 *   Since    0.1.0 */
FEVER_API int fever_yield_raw(const void *item, size_t bytes, unsigned type);

#ifdef __cplusplus
}
#endif

#endif /* FEVER_STREAM_H */
