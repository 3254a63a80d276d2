/* fever_file.h: files into objects, and objects into files.
 *
 * Included by fever.h, not by programs.  What is said there of the slots of comments and of errors holds here.
 *
 * Both are tasks, of definitions of the library's own: a worker's death repeats them, they can be cancelled, awaited, handed to other
 * tasks before they have run, and are listed by the tools.  An error of the operating system is the error of the task, with the path in its text:
 * fever_get(ref) of a file that is not there gives -ENOENT.
 */
#ifndef FEVER_FILE_H
#define FEVER_FILE_H

#ifdef __cplusplus
extern "C" {
#endif

#define FEVER_VERIFY_CHECKSUM  1 /* the bytes must have the checksum that the options say */
#define FEVER_VERIFY_READ_BACK 2 /* the file is read once more, and compared */

/* Options of fever_load(). */
struct fever_load_options {
    size_t   struct_bytes; /* sizeof(struct fever_load_options); set by FEVER_LOAD() */
    uint64_t offset;       /* the first byte that is wanted [0] */
    uint64_t bytes;        /* how many; the file must have them [0: all up to its end] */
    int      verify;       /* FEVER_VERIFY_..., or both [0] */
    uint64_t checksum;     /* by fever_checksum() */
    const struct fever_task_options *task; /* of the task that loads: its name, priority, timeout, and so on [NULL] */
    int      source_stays; /* 1: nobody changes the file while the object lives: where memory is short it is dropped, and read again [0] */
};
#define FEVER_LOAD(...) (&(struct fever_load_options){.struct_bytes = sizeof(struct fever_load_options), ##__VA_ARGS__})

/* Options of fever_save(). */
struct fever_save_options {
    size_t   struct_bytes; /* sizeof(struct fever_save_options); set by FEVER_SAVE() */
    unsigned mode;         /* permissions of the file, less the umask that the program had at fever_init [0666] */
    int      sync;         /* 1: it is on the disk, and under its name there, when the task is done [0] */
    int      verify;       /* FEVER_VERIFY_..., or both [0] */
    uint64_t checksum;     /* by fever_checksum() */
    const struct fever_task_options *task; /* of the task that saves [NULL] */
};
#define FEVER_SAVE(...) (&(struct fever_save_options){.struct_bytes = sizeof(struct fever_save_options), ##__VA_ARGS__})

/* What fever_save() did: the value of its ref. */
struct fever_saved {
    uint64_t bytes;
    uint64_t checksum; /* of them, if verify asked for one, else 0 */
};

/* fever_load: an object whose bytes will be a file's, or a part of it.
 *   Struct   fever_load_options
 *   Takes    path: relative to the directory of the call; options: FEVER_LOAD(...), or NULL for the whole file
 *   Gives    ref_out: a ref that this thread holds, at once; take the bytes with fever_view, or with fever_get where the size is known.
 *            Files of /proc and their like, which have no size, are read up to their end
 *   Returns  0; -FEVER_EINVAL (options), -FEVER_ENULL, -ENAMETOOLONG, the errors of getcwd(3); those of fever_submit.  The error
 *            of the task: -ENOENT, -EACCES and all others of open(2) and read(2); -EISDIR; -ESPIPE (a pipe, a terminal, a socket);
 *            -FEVER_ESHORT (the file is shorter than asked for, or has become so meanwhile); -FEVER_ECORRUPT (verify);
 *            -FEVER_ETOOBIG, -FEVER_ESTOREFULL
 *   Blocks   as fever_submit
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   a block of the store of that size, read into where it lies; a file without a size passes through private memory
 *            With source_stays an object above 31.5 KiB need not be written to disk to make room in a full store: it is dropped while path,
 *            size and time of the file are what they were, and read from it again for whoever wants it.  If the file has changed by then,
 *            or is gone, the object is lost: -FEVER_ELOST, and fever_error() names the file.  A file that has changed before that is no
 *            loss: the object is written to disk as any other, and so is one whose file was written to in the last 2 s before it was loaded
 *   Cost     a task; from 256 KiB on past the page cache (O_DIRECT) where file system and alignment allow it and the file is not cached.  A
 *            checksum, and source_stays, which takes one, cost another look at the bytes, at the speed of memory
 *   Source   Ray's read_binary_files; dd iflag=direct
 *   Since    0.1.0 */
FEVER_API int fever_load(const char *path, const struct fever_load_options *options, fever_ref *ref_out);

/* fever_load_many: fever_load of several files, an object each.
 *   Takes    paths, n; options: for all of them; refs_out: room for n refs
 *   Gives    refs_out: n refs that this thread holds (after an error: none); the error of one file is that of its ref alone
 *   Returns  as fever_load
 *   Blocks   as fever_submit
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call
 *   Fork     refused in a child that the program forked
 *   Memory   n times that of fever_load
 *   Cost     n tasks: as many files at once as there are workers
 *   Source   Ray's read_binary_files
 *   Since    0.1.0 */
FEVER_API int fever_load_many(const char *const *paths, size_t n, const struct fever_load_options *options, fever_ref *refs_out);

/* fever_save: writes an object or a result to a file, once it is ready.
 *   Struct   fever_save_options, fever_saved
 *   Takes    ref; path: relative to the directory of the call; options: FEVER_SAVE(...), or NULL
 *   Gives    done_out: a ref that this thread holds, of type struct fever_saved, ready when the file is whole under its name.  Until
 *            then the name stands for what it stood for before: the bytes go to a file without a name, or beside it with a name of its own
 *            (.fever-...), which then takes its place; that one stays only when the last attempt is killed.  A symbolic link is followed
 *   Returns  0; -FEVER_EINVAL (options), -FEVER_ENULL, -ENAMETOOLONG, the errors of getcwd(3); those of fever_submit.  The error
 *            of the task: that of ref; -ENOENT, -EACCES, -ENOSPC, -EFBIG and all others of open(2), write(2), rename(2) and fsync(2);
 *            -EISDIR; -ESPIPE (what has the name is no file); -FEVER_ECORRUPT (verify)
 *   Blocks   as fever_submit
 *   Context  driver and task
 *   Threads  any
 *   Signals  refused in a handler that interrupted a fever call; SIGXFSZ is not raised, the error is -EFBIG
 *   Fork     refused in a child that the program forked
 *   Memory   no copy; the object stays alive until it is saved
 *   Cost     a task; from 256 KiB on many writes in flight (io_uring), past the page cache where that can be
 *   Source   Ray's write_binary; the rename of editors and databases
 *   Since    0.1.0 */
FEVER_API int fever_save(fever_ref ref, const char *path, const struct fever_save_options *options, fever_ref *done_out);

/* fever_checksum: the checksum that verify means: 64 bits of XXH3.
 *   Takes    data, bytes: 0 is allowed
 *   Gives    nothing else
 *   Returns  the checksum; as `xxhsum -H3` shows it
 *   Blocks   never
 *   Context  anywhere, before fever_init too
 *   Threads  any number at once
 *   Signals  safe in a handler
 *   Fork     safe
 *   Memory   nothing is allocated
 *   Cost     at the speed of memory
 *   Source   xxHash
 *   Since    0.1.0 */
FEVER_API uint64_t fever_checksum(const void *data, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif /* FEVER_FILE_H */
