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
 *   Memory   nothing changes; the view of fever_view is read-only, the creator's pointer is not taken away: it is good to read as a
 *            view is, until fever_view_end
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
 *   Gives    data_out, bytes_out: good as long as this process holds the ref; in a task: until the task ends; in both: until
 *            fever_view_end
 *   Returns  0; the error of the task (-FEVER_EAPP, -FEVER_ECRASHED, -FEVER_ETASKTIMEOUT, -FEVER_ECANCELED, -FEVER_EABORTED,
 *            -FEVER_ESTOREFULL); -FEVER_ETIMEDOUT, -FEVER_ESTALE, -FEVER_ENULL, -FEVER_EINVAL, -FEVER_EDEPTH, -FEVER_EDEADLK,
 *            -FEVER_ERUNTIME, -FEVER_ENOSLOTS (16384 views and refs of others are held); those of entry
 *   Blocks   as fever_get, and while the object is read back from disk
 *   Context  driver and task; a task's ref arguments are held for it while it runs
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     the memory is not there in a child that the program forked
 *   Memory   no copy; mapped read-only above 16 bytes: a write through it is a SIGSEGV; above 31.5 KiB it is not written to disk while
 *            there is a view of it
 *   Cost     a load when it is ready; above 31.5 KiB two stores and a look-up
 *   Source   Plasma's Get; Ray's zero-copy reads
 *   Since    0.1.0 */
FEVER_API int fever_view_raw(fever_ref ref, const void **data_out, size_t *bytes_out, double timeout_s);
#define fever_view(ref, data_out, bytes_out) \
    fever_view_raw((ref), (const void **)(1 ? (data_out) : (const __typeof__(**(data_out)) **)0), (bytes_out), FEVER_FOREVER)

/* fever_view_end: ends the views of an object early, so that it may be written to disk while its ref is still held.
 *   Takes    ref: its views by this process (in a task: by this task) end, and the use of the pointer of fever_create; those of other
 *            processes stay
 *   Gives    nothing; 0 also when there is no view
 *   Returns  0; -FEVER_ENULL, -FEVER_ESTALE; those of entry
 *   Blocks   never
 *   Context  driver and task
 *   Threads  any; in the driver, none of them may still be reading there
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   above 31.5 KiB: the memory may be used for something else from then on; fever_view brings the object back
 *   Cost     nothing for small ones, else a look-up
 *   Source   Plasma's Release
 *   Since    0.1.0 */
FEVER_API int fever_view_end(fever_ref ref);

/* ---------------------------------------------------------------------------------------------
 * Objects with a name, a shape, and more
 *
 *     fever_object_put(FEVER_OBJECT(.name = "grid", .shape = FEVER_SHAPE(*grid, 100, 200)), grid, sizeof(double) * 100 * 200, &ref);
 *     fever_put_array(v, n, &ref);                                    an array of n, whatever v points to
 *     struct fever_shape shape; const double *v;
 *     fever_view_array(ref, &v, &shape);                              shape.count of them, or -FEVER_ETYPE
 */
#define FEVER_DIMS_MOST       8
#define FEVER_META_MOST       4096
#define FEVER_ALIGNMENT_MOST  65536

/* What an array is made of, and its extent in each dimension. */
struct fever_shape {
    size_t   element_bytes;          /* 0: no array */
    unsigned element_type;           /* FEVER_TYPE_OF an element, 0: not said */
    unsigned n_dims;                 /* 0 in options: one, as long as its bytes say */
    size_t   dims[FEVER_DIMS_MOST];
    size_t   count;                  /* elements in all; need not be set in options */
};
#define FEVER_SHAPE(element, ...) \
    ((struct fever_shape){.element_bytes = sizeof(element), .element_type = FEVER_TYPE_OF(element), .n_dims = FEVER_COUNT(__VA_ARGS__), \
                          .dims = {__VA_ARGS__}})

/* Options of one object.  A field that is 0 (or NULL) means the default in brackets. */
struct fever_object_options {
    size_t             struct_bytes; /* sizeof(struct fever_object_options); set by FEVER_OBJECT() */
    const char        *name;         /* for people: shown by the tools, up to 47 characters; need not be unique [NULL] */
    size_t             alignment;    /* of its data: a power of two, at most 64 KiB [64] */
    const void        *meta;         /* bytes of the user's own, copied; at most 4096 [NULL] */
    size_t             meta_bytes;
    struct fever_shape shape;        /* [no array] */
    const fever_ref   *refs;         /* fever_object_put: the refs in its data, which it keeps alive [NULL] */
    size_t             n_refs;
};
#define FEVER_OBJECT(...) (&(struct fever_object_options){.struct_bytes = sizeof(struct fever_object_options), ##__VA_ARGS__})

/* fever_object_put: fever_put, of an object with a name, a shape, metadata or an alignment of its own.
 *   Struct   fever_object_options
 *   Struct   fever_shape
 *   Takes    options: FEVER_OBJECT(...), or NULL; copied.  data, bytes: as many as its shape says, if it has one
 *   Gives    ref_out: a ref that this thread holds
 *   Returns  0; -FEVER_EINVAL (an option, or bytes that do not fit the shape), -FEVER_ENULL, -FEVER_ESTALE (one of refs),
 *            -FEVER_ETOOBIG, -FEVER_ESTOREFULL, -FEVER_ENOSLOTS; those of entry
 *   Blocks   as fever_put
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_put, and a small block for the options; with an alignment above 64 bytes whole chunks of 64 KiB
 *   Cost     as fever_put, and about as much as a put of its metadata
 *   Source   Plasma's metadata; numpy's arrays in Ray
 *   Since    0.1.0 */
FEVER_API int fever_object_put(const struct fever_object_options *options, const void *data, size_t bytes, fever_ref *ref_out);

/* fever_object_create_raw, fever_object_create: fever_create, of an object with a name, a shape, metadata or an alignment of its own.
 *   Form     int fever_object_create(const struct fever_object_options *options, size_t bytes, T **data_out, fever_ref *ref_out);
 *   Takes    options: FEVER_OBJECT(...) without refs, or NULL; copied.  bytes: as many as its shape says, if it has one
 *   Gives    data_out: its memory, as of fever_create; ref_out: held by this thread
 *   Returns  0; -FEVER_EINVAL (an option, or bytes that do not fit the shape), -FEVER_ENULL, -FEVER_ETOOBIG, -FEVER_ESTOREFULL,
 *            -FEVER_ENOSLOTS; those of entry
 *   Blocks   as fever_create
 *   Context  driver and task; when the creator dies before fever_seal the object fails with FEVER_EABORTED
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_create, and a small block for the options; with an alignment above 64 bytes whole chunks of 64 KiB
 *   Cost     as fever_create, and about as much as a put of its metadata
 *   Source   Plasma's Create
 *   Since    0.1.0 */
FEVER_API int fever_object_create_raw(const struct fever_object_options *options, size_t bytes, void **data_out, fever_ref *ref_out);
#define fever_object_create(options, bytes, data_out, ref_out) \
    fever_object_create_raw((options), (bytes), (void **)(1 ? (data_out) : (__typeof__(**(data_out)) **)0), (ref_out))

/* What is known of an object or result. */
struct fever_object_info {
    size_t             struct_bytes; /* sizeof(struct fever_object_info); set by the caller */
    uint64_t           bytes;
    bool               sealed;       /* false: fever_create'd and not sealed yet */
    const char        *name;         /* "": none */
    size_t             alignment;    /* as it was asked for, at least 64 */
    const void        *meta;         /* NULL: none */
    size_t             meta_bytes;
    struct fever_shape shape;        /* element_bytes 0: no array */
};

/* fever_object_info: size, shape, name and metadata of an object or result that is there.
 *   Struct   fever_object_info
 *   Takes    ref; info_out, with struct_bytes set to its size
 *   Gives    info_out; name and meta point to read-only memory and are good as long as this process holds the ref
 *   Returns  0; -FEVER_ESTATE (nothing is there yet: a task or promise that is not done), the error of a task that has failed;
 *            -FEVER_EINVAL (struct_bytes), -FEVER_ENULL, -FEVER_ESTALE; those of entry
 *   Blocks   never: it does not wait for the ref
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   nothing is allocated or copied
 *   Cost     a few loads
 *   Source   Plasma's metadata
 *   Since    0.1.0 */
FEVER_API int fever_object_info(fever_ref ref, struct fever_object_info *info_out);

/* fever_put_array_raw, fever_put_array: copies an array into a new, sealed object that knows what it is made of.
 *   Form     int fever_put_array(const T *data, size_t n, fever_ref *ref_out);
 *   Takes    data: n elements; element_bytes, type: sizeof and FEVER_TYPE_OF an element
 *   Gives    ref_out: a ref that this thread holds
 *   Returns  0; -FEVER_EINVAL (elements of no size), -FEVER_ENULL, -FEVER_ETOOBIG, -FEVER_ESTOREFULL, -FEVER_ENOSLOTS; those of entry
 *   Blocks   as fever_put
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_object_put
 *   Cost     as fever_object_put
 *   Source   Ray's ray.put of a numpy array
 *   Since    0.1.0 */
FEVER_API int fever_put_array_raw(const void *data, size_t n, size_t element_bytes, unsigned type, fever_ref *ref_out);
#define fever_put_array(data, n, ref_out) fever_put_array_raw((data), (n), sizeof *(data), FEVER_TYPE_OF(*(data)), (ref_out))

/* fever_create_array_raw, fever_create_array: a new object for an array of n elements, to be filled in place and sealed.
 *   Form     int fever_create_array(size_t n, T **data_out, fever_ref *ref_out);
 *   Takes    n; element_bytes, type: sizeof and FEVER_TYPE_OF an element
 *   Gives    data_out: its memory, as of fever_create; ref_out: held by this thread
 *   Returns  0; -FEVER_EINVAL (elements of no size), -FEVER_ENULL, -FEVER_ETOOBIG, -FEVER_ESTOREFULL, -FEVER_ENOSLOTS; those of entry
 *   Blocks   as fever_create
 *   Context  driver and task; when the creator dies before fever_seal the object fails with FEVER_EABORTED
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   as fever_object_create
 *   Cost     as fever_object_create
 *   Source   Plasma's Create
 *   Since    0.1.0 */
FEVER_API int fever_create_array_raw(size_t n, size_t element_bytes, unsigned type, void **data_out, fever_ref *ref_out);
#define fever_create_array(n, data_out, ref_out) \
    fever_create_array_raw((n), sizeof **(data_out), FEVER_TYPE_OF(**(data_out)), \
                           (void **)(1 ? (data_out) : (__typeof__(**(data_out)) **)0), (ref_out))

/* fever_view_array_raw, fever_view_array: waits for an array and shows it where it lies, if it is one of such elements.
 *   Form     int fever_view_array(fever_ref ref, const T **data_out, struct fever_shape *shape_out);
 *   Takes    ref: an array, or an object or result that does not say what it is made of, and is taken for one of one dimension;
 *            element_bytes, type: sizeof and FEVER_TYPE_OF an element, type 0 for any; timeout_s: 0 polls, FEVER_FOREVER
 *   Gives    data_out: good as long as this process holds the ref; shape_out, which may be NULL
 *   Returns  0; -FEVER_ETYPE (elements of another type or size, or no whole number of them); else as fever_view: the error of the task,
 *            -FEVER_ETIMEDOUT, -FEVER_ESTALE, -FEVER_ENULL, -FEVER_EINVAL, -FEVER_EDEPTH, -FEVER_EDEADLK, -FEVER_ERUNTIME; those of
 *            entry
 *   Blocks   as fever_get
 *   Context  driver and task; a task's ref arguments are held for it while it runs
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     the memory is not there in a child that the program forked
 *   Memory   as fever_view: no copy, mapped read-only
 *   Cost     as fever_view, and a few loads
 *   Source   Ray's zero-copy reads of numpy arrays
 *   Since    0.1.0 */
FEVER_API int fever_view_array_raw(fever_ref ref, size_t element_bytes, unsigned type, double timeout_s, const void **data_out,
                                   struct fever_shape *shape_out);
#define fever_view_array(ref, data_out, shape_out) \
    fever_view_array_raw((ref), sizeof **(data_out), FEVER_TYPE_OF(**(data_out)), FEVER_FOREVER, \
                         (const void **)(1 ? (data_out) : (const __typeof__(**(data_out)) **)0), (shape_out))

#ifdef __cplusplus
}
#endif

#endif /* FEVER_OBJECT_H */
