/* plat/fileio.h: bytes between files and memory: batches of reads and writes, several in flight, with O_DIRECT where it can be had.
 *
 * Run by:          any process, one thread a queue and a file.
 * Shared state:    none of its own; files and memory are the caller's.
 * If it dies here: what the kernel has been given may go on after the process: see below.
 * Not here:        liburing's types: fileio.c is the only file that includes it but for the event loop's.
 *
 * Death and direct reads.  A process that is killed while io_uring reads directly into its memory is reported dead before the device
 * is done: the bytes still arrive (measured: in 50 kills of 50, up to 45 MiB of 64).  Private memory dies with the process and nobody
 * notices; memory of the segment may have a new owner by then, who would find foreign bytes in it.  So reads into memory that others
 * share are made by pread(2), and directly only on file systems from which a killed process does not come back before the device is
 * done.  The kernel splits a large one into requests of the device's size, all in flight at once: it costs 5 % of the speed at most.
 * A write that goes on reads what is now somebody else's: who writes must not have given that place in the file a meaning yet,
 * and nobody may use a file again that a dead process was writing.
 */
#ifndef FV_PLAT_FILEIO_H
#define FV_PLAT_FILEIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A file, open twice: through the page cache, and past it. */
struct fv_file {
    int      fd;
    int      direct;       /* with O_DIRECT; -1: the file system has none, or has refused it */
    uint32_t align;        /* of offset and size of a direct request: a power of two, a page at least */
    uint32_t memory_align; /* of its memory */
    bool     waits;        /* a direct read by pread(2) ends before its process does */
};

/* Opens path with flags (O_CLOEXEC is added); `direct`: for direct requests too, where they can be had.  0 or -errno. */
int  fv_file_open(const char *path, int flags, mode_t mode, bool direct, struct fv_file *file_out);
/* Takes over fd, which may have no name (O_TMPFILE). */
void fv_file_adopt(int fd, bool direct, struct fv_file *file_out);
void fv_file_close(struct fv_file *file);

/* One request.  Requests of a batch may be done in any order, and parts of one too. */
struct fv_io {
    struct fv_file *file;
    bool            write;
    bool            is_private; /* read: the memory is this process's alone: a queue may read into it */
    void           *at;
    uint64_t        bytes, offset;
    /* what came of it */
    uint64_t        done;       /* bytes from the start of it, without a gap; fewer than bytes: an error, or the end of the file */
    int             result;     /* 0 or -errno: why it stopped at done */
};

struct fv_io_queue;
/* A queue for so many pieces (FV_IO_PIECE) in flight; NULL: io_uring is forbidden or too old, or there is no memory. */
struct fv_io_queue *fv_io_open(unsigned depth);
void                fv_io_close(struct fv_io_queue *q);
/* Does all of them; returns when none is in flight.  q NULL: one after the other, by pread and pwrite.
 * Short reads and writes are continued, interrupted ones repeated, and what is refused past the page cache goes through it:
 * what is not aligned, and all else on file systems without it.  Returns 0 or the first request's error that has one. */
int                 fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n);

#define FV_IO_DEPTH 16u          /* fastest where measured: 8 to 32 */
#define FV_IO_PIECE (1u << 20)   /* of a request in a queue */
#define FV_IO_STEP  (32u << 20)  /* of pread and pwrite */

#endif
