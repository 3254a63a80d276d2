/* fever_object.h: objects: data put into the store, or made there, and read where it lies.
 *
 * Included by fever.h, not by programs.  What is said there of the slots of comments and of errors holds here.
 */
#ifndef FEVER_OBJECT_H
#define FEVER_OBJECT_H

#ifdef __cplusplus
extern "C" {
#endif

/* fever_put: copies data into a new, sealed object.
 *   Takes    data, bytes: 0 is allowed
 *   Gives    ref_out: a ref that this thread holds
 *   Returns  0; -FEVER_ENULL, -FEVER_ETOOBIG, -FEVER_ESTOREFULL, -FEVER_ENOSLOTS; those of entry
 *   Blocks   only while all task slots of this thread are in flight
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a block of the store above 16 bytes; up to 31.5 KiB from chunks of this thread's own, above in whole chunks of 64 KiB
 *   Cost     the copy; no atomic read-modify-write for small ones, one per 64 KiB for large ones
 *   Source   Ray's ray.put
 *   Since    0.1.0 */
FEVER_API int fever_put(const void *data, size_t bytes, fever_ref *ref_out);

/* fever_put_with: fever_put of data that contains refs: they stay alive as long as the object.
 *   Takes    data, bytes; refs, n_refs: the refs in data, each alive
 *   Gives    ref_out: a ref that this thread holds
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE (one of refs), -FEVER_ETOOBIG, -FEVER_ESTOREFULL, -FEVER_ENOSLOTS; those of entry
 *   Blocks   as fever_put
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a block with room for a hold of each ref
 *   Cost     as fever_put, and one or two compare-and-swaps a ref
 *   Source   Ray's nested ObjectRefs
 *   Since    0.1.0 */
FEVER_API int fever_put_with(const void *data, size_t bytes, const fever_ref *refs, size_t n_refs, fever_ref *ref_out);

/* fever_create_raw, fever_create: a new object of bytes bytes, to be filled in place and sealed.
 *   Form     int fever_create(size_t bytes, T **data_out, fever_ref *ref_out);
 *   Takes    bytes: 0 is allowed
 *   Gives    data_out: its memory, writable, aligned to 64 bytes, not cleared, at one address in all processes; ref_out: held by
 *            this thread
 *   Returns  0; -FEVER_ENULL, -FEVER_ETOOBIG, -FEVER_ESTOREFULL, -FEVER_ENOSLOTS; those of entry
 *   Blocks   only while all task slots of this thread are in flight
 *   Context  driver and task; when the creator dies before fever_seal the object fails with FEVER_EABORTED
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a block of the store, really allocated before it is handed out
 *   Cost     as fever_put without the copy; the first touch of new pages costs more than a copy
 *   Source   Plasma's Create
 *   Since    0.1.0 */
FEVER_API int fever_create_raw(size_t bytes, void **data_out, fever_ref *ref_out);
/* typed, data_out is a T **: an unsealed object of bytes, for this thread to fill and seal */
#define fever_create(bytes, data_out, ref_out) fever_create_raw((bytes), (void **)(1 ? (data_out) : (__typeof__(**(data_out)) **)0), (ref_out))

/* fever_seal: makes an object of fever_create immutable and ready.
 *   Takes    ref: an unsealed object that this process created
 *   Gives    nothing; the memory of fever_create must not be written any more
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE, -FEVER_ESTATE (sealed already, or no such object), -FEVER_ECONTEXT (another process
 *            created it); those of entry
 *   Blocks   never
 *   Context  driver and task, the creator's process
 *   Threads  any of that process, one of them
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   nothing changes; the view of fever_view is read-only, the creator's pointer is not taken away
 *   Cost     one compare-and-swap; wakes who waits
 *   Source   Plasma's Seal
 *   Since    0.1.0 */
FEVER_API int fever_seal(fever_ref ref);

/* fever_abort: gives an unsealed object up: who waits for it gets -FEVER_EABORTED.
 *   Takes    ref: an unsealed object that this process created
 *   Gives    nothing; the ref stays held, its memory is freed
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE, -FEVER_ESTATE (sealed already, or no such object), -FEVER_ECONTEXT (another process
 *            created it); those of entry
 *   Blocks   never
 *   Context  driver and task, the creator's process
 *   Threads  any of that process, one of them
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   the block is freed at once
 *   Cost     one compare-and-swap, and the block's
 *   Source   Plasma's Abort
 *   Since    0.1.0 */
FEVER_API int fever_abort(fever_ref ref);

/* fever_view_raw, fever_view: waits for a result or object and shows it where it lies.
 *   Form     int fever_view(fever_ref ref, const T **data_out, size_t *bytes_out);
 *   Takes    ref; timeout_s: 0 polls, FEVER_FOREVER; bytes_out may be NULL
 *   Gives    data_out, bytes_out: good as long as this process holds the ref
 *   Returns  0; the error of the task (-FEVER_EAPP, -FEVER_ECRASHED, -FEVER_ETASKTIMEOUT, -FEVER_ECANCELED, -FEVER_EABORTED,
 *            -FEVER_ESTOREFULL); -FEVER_ETIMEDOUT, -FEVER_ESTALE, -FEVER_ENULL, -FEVER_EINVAL, -FEVER_EDEPTH, -FEVER_EDEADLK,
 *            -FEVER_ERUNTIME; those of entry
 *   Blocks   as fever_get
 *   Context  driver and task; a task's ref arguments are held for it while it runs
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     the memory is not there in a child that the program forked
 *   Memory   no copy; mapped read-only above 16 bytes: a write through it is a SIGSEGV
 *   Cost     a load when it is ready
 *   Source   Plasma's Get; Ray's zero-copy reads
 *   Since    0.1.0 */
FEVER_API int fever_view_raw(fever_ref ref, const void **data_out, size_t *bytes_out, double timeout_s);
#define fever_view(ref, data_out, bytes_out) \
    fever_view_raw((ref), (const void **)(1 ? (data_out) : (const __typeof__(**(data_out)) **)0), (bytes_out), FEVER_FOREVER)

#ifdef __cplusplus
}
#endif

#endif /* FEVER_OBJECT_H */
