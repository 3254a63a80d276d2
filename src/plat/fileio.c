/* plat/fileio.c: bytes between files and memory.  See fileio.h, of why some direct reads do not go through io_uring above all.
 *
 * A request is cut into pieces: what is aligned goes to the direct descriptor, head and tail go through the page cache.  Pieces
 * never share a page, so that the two ways do not meet in one.  A piece is done by the queue or at once, and in the end each
 * request knows the lowest place at which it stopped, and why.
 */
#include "plat/fileio.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/base.h"

#if !defined(SYS_cachestat) && !defined(__alpha__)
#define SYS_cachestat 451 /* Linux 6.5 */
#endif
#define PAGE       4096u
#define AGAIN_MOST 3 /* a piece that the queue puts off more often is done at once */

/* ------------------------------------------------------------------------------------------------ files */

/* Those that wait for the device come what may.  Others, NFS among them, let a killed process go. */
static bool waits(int fd) {
    static const uint32_t known[] = {0xEF53 /* ext2, 3, 4 */, 0x58465342 /* XFS */, 0x9123683E /* btrfs */, 0xF2F52010 /* F2FS */};
    struct statfs         fs;
    if (fstatfs(fd, &fs) != 0)
        return false;
    for (size_t i = 0; i < FV_COUNT_OF(known); i++)
        if ((uint32_t)fs.f_type == known[i])
            return true;
    return false;
}

/* What direct requests must be aligned to; false: the file system says that it has none. */
static bool alignment(int fd, struct fv_file *f) {
    struct stat st;
    f->align = f->memory_align = PAGE; /* enough for every device, where nothing can be asked */
    f->waits = waits(fd);
    if (fstat(fd, &st) != 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
        return false;
#ifdef STATX_DIOALIGN /* Linux 6.1 */
    struct statx x;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 && x.stx_mask & STATX_DIOALIGN) {
        f->align = FV_MAX(x.stx_dio_offset_align, PAGE);
        f->memory_align = FV_MAX(x.stx_dio_mem_align, 1u);
        return x.stx_dio_offset_align != 0;
    }
#endif
    return true;
}

void fv_file_adopt(int fd, bool direct, struct fv_file *file_out) {
    struct fv_file f = {.fd = fd, .direct = -1, .align = PAGE, .memory_align = PAGE};
    if (direct && alignment(fd, &f)) {
        char path[32];
        int  flags = fcntl(fd, F_GETFL);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* the same file, whatever has become of its name */
        if (flags >= 0)
            f.direct = open(path, (flags & O_ACCMODE) | O_DIRECT | O_CLOEXEC);
    }
    *file_out = f;
}

int fv_file_open(const char *path, int flags, mode_t mode, bool direct, struct fv_file *file_out) {
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    fv_file_adopt(fd, direct, file_out);
    return 0;
}

void fv_file_close(struct fv_file *file) {
    if (file->fd >= 0)
        close(file->fd);
    if (file->direct >= 0)
        close(file->direct);
    file->fd = file->direct = -1;
}

/* ------------------------------------------------------------------------------------------------ pieces */

struct piece {
    struct fv_io *io;
    uint64_t      pos, bytes; /* from pos of the request */
    bool          direct;
    uint8_t       again;
};
struct batch {
    struct fv_io *io;
    size_t        n, k;  /* io[k] is being cut */
    uint64_t      pos;
};

/* It cannot go on at pos. */
static void stop(struct fv_io *io, uint64_t pos, int why) {
    if (pos < io->done) {
        io->done = pos;
        io->result = why;
    }
}

/* Are all of these pages of the file in the page cache?  Then a copy is faster than the device. */
static bool is_cached(int fd, uint64_t offset, uint64_t bytes) {
#ifdef SYS_cachestat
    struct { uint64_t off, len; } range = {offset, bytes};
    struct { uint64_t cache, dirty, writeback, evicted, recently_evicted; } found;
    if (syscall(SYS_cachestat, fd, &range, &found, 0) == 0)
        return found.cache >= (bytes + PAGE - 1) / PAGE;
#else
    (void)fd, (void)offset, (void)bytes;
#endif
    return false;
}

/* See fileio.h. */
static bool is_for_queue(const struct fv_io *io) { return io->write || io->is_private; }

/* The next piece that starts at pos of the request; most: how large it may be. */
static struct piece cut(struct fv_io *io, uint64_t pos, uint64_t most) {
    const struct fv_file *f = io->file;
    uint64_t              left = io->bytes - pos, offset = io->offset + pos, bytes = FV_MIN(left, most);
    struct piece          p = {.io = io, .pos = pos, .bytes = bytes};
    if (f->direct < 0 || (!f->waits && !is_for_queue(io)))
        return p;
    uint64_t off = offset & (f->align - 1), head = off == 0 ? 0 : f->align - off;
    if (((uintptr_t)io->at + pos + head) % f->memory_align != 0 || left < head + f->align)
        return p; /* no part of it can be direct */
    if (head != 0) {
        p.bytes = head;
        return p;
    }
    p.bytes = bytes & ~(uint64_t)(f->align - 1);
    p.direct = io->write || !is_cached(f->fd, offset, p.bytes);
    return p;
}

/* So many bytes of it were transferred, or it failed: true: it is done with; else it is to go on with what is left. */
static bool advance(struct piece *p, ssize_t rc) {
    if (rc == -EINTR || (rc == -EAGAIN && p->again < AGAIN_MOST)) {
        p->again += rc == -EAGAIN;
        return false;
    }
    if (p->direct && (rc == -EINVAL || rc == -EOPNOTSUPP)) { /* refused past the page cache */
        if (p->io->file->direct >= 0) {
            close(p->io->file->direct);
            p->io->file->direct = -1;
        }
        p->direct = false;
        return false;
    }
    if (rc <= 0) {
        stop(p->io, p->pos, rc < 0 ? (int)rc : p->io->write ? -EIO : 0);
        return true;
    }
    p->pos += FV_MIN((uint64_t)rc, p->bytes);
    p->bytes -= FV_MIN((uint64_t)rc, p->bytes);
    if (p->direct && (p->io->offset + p->pos) % p->io->file->align != 0)
        p->direct = false; /* the end of the file, most likely: the other way says so */
    return p->bytes == 0;
}

static void do_now(struct piece *p) {
    for (;;) {
        struct fv_io *io = p->io;
        int           fd = p->direct && io->file->direct >= 0 ? io->file->direct : io->file->fd;
        char         *at = (char *)io->at + p->pos;
        off_t         offset = (off_t)(io->offset + p->pos);
        ssize_t       rc = io->write ? pwrite(fd, at, p->bytes, offset) : pread(fd, at, p->bytes, offset);
        if (advance(p, rc < 0 ? -errno : rc))
            return;
    }
}

/* The next piece of the batch; false: there is none. */
static bool next_piece(struct batch *b, bool queued, struct piece *p_out) {
    for (; b->k < b->n; b->k++, b->pos = 0) {
        struct fv_io *io = &b->io[b->k];
        if (b->pos < io->done) { /* else it has stopped, or is all given out */
            *p_out = cut(io, b->pos, queued && is_for_queue(io) ? FV_IO_PIECE : FV_IO_STEP);
            b->pos += p_out->bytes;
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------------------------ queues */

struct fv_io_queue {
    struct io_uring ring;
    unsigned        depth, n_busy;
    struct piece   *piece; /* of depth; io NULL: unused */
};

struct fv_io_queue *fv_io_open(unsigned depth) {
    struct fv_io_queue *q = calloc(1, sizeof *q);
    if (q == NULL)
        return NULL;
    q->depth = depth;
    q->piece = calloc(depth, sizeof *q->piece);
    if (q->piece == NULL || io_uring_queue_init(depth, &q->ring, 0) != 0) {
        free(q->piece);
        free(q);
        return NULL;
    }
    return q;
}

void fv_io_close(struct fv_io_queue *q) {
    if (q == NULL)
        return;
    io_uring_queue_exit(&q->ring);
    free(q->piece);
    free(q);
}

/* Gives piece i to the kernel; false: it took it not. */
static bool give(struct fv_io_queue *q, unsigned i) {
    struct piece        *p = &q->piece[i];
    struct fv_io        *io = p->io;
    int                  fd = p->direct ? io->file->direct : io->file->fd, rc;
    struct io_uring_sqe *sqe = fd >= 0 ? io_uring_get_sqe(&q->ring) : NULL;
    if (sqe == NULL)
        return false;
    if (io->write)
        io_uring_prep_write(sqe, fd, (char *)io->at + p->pos, (unsigned)p->bytes, io->offset + p->pos);
    else
        io_uring_prep_read(sqe, fd, (char *)io->at + p->pos, (unsigned)p->bytes, io->offset + p->pos);
    io_uring_sqe_set_data64(sqe, i);
    do
        rc = io_uring_submit(&q->ring);
    while (rc == -EINTR || (rc > 0 && io_uring_sq_ready(&q->ring) > 0));
    if (io_uring_sq_ready(&q->ring) == 0)
        return true;
    io_uring_prep_nop(sqe); /* goes with the next one */
    io_uring_sqe_set_data64(sqe, UINT64_MAX);
    return false;
}

/* Gives it to the kernel, or does it here. */
static void start(struct fv_io_queue *q, unsigned i) {
    if (is_for_queue(q->piece[i].io) && q->piece[i].again < AGAIN_MOST && give(q, i))
        return;
    do_now(&q->piece[i]);
    q->piece[i].io = NULL;
    q->n_busy--;
}

/* Waits for at least one, and takes all that are there. */
static void take(struct fv_io_queue *q) {
    struct io_uring_cqe *cqe;
    if (io_uring_wait_cqe(&q->ring, &cqe) < 0) /* by a signal */
        return;
    while (io_uring_peek_cqe(&q->ring, &cqe) == 0) {
        uint64_t i = cqe->user_data;
        ssize_t  rc = cqe->res;
        io_uring_cqe_seen(&q->ring, cqe);
        if (i >= q->depth)
            continue;
        if (!advance(&q->piece[i], rc)) {
            start(q, (unsigned)i);
            continue;
        }
        q->piece[i].io = NULL;
        q->n_busy--;
    }
}

int fv_io_run(struct fv_io_queue *q, struct fv_io *ios, size_t n) {
    struct batch b = {.io = ios, .n = n};
    struct piece p;
    int          rc = 0;
    for (size_t i = 0; i < n; i++) {
        ios[i].done = ios[i].bytes;
        ios[i].result = 0;
        if (ios[i].offset > INT64_MAX || ios[i].bytes > (uint64_t)INT64_MAX - ios[i].offset)
            stop(&ios[i], 0, -EOVERFLOW);
    }
    while (q == NULL && next_piece(&b, false, &p))
        do_now(&p);
    for (bool more = q != NULL; more || (q != NULL && q->n_busy > 0);) {
        for (unsigned i = 0; more && i < q->depth; i++)
            if (q->piece[i].io == NULL && (more = next_piece(&b, true, &p))) {
                q->piece[i] = p;
                q->n_busy++;
                start(q, i);
            }
        if (q->n_busy > 0)
            take(q);
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = ios[i].result;
    return rc;
}
