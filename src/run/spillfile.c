/* run/spillfile.c: the files of the disk that hold objects.
 *
 * Run by the keeper.  Objects are written one behind the other into files of at least 128 MiB that have no name.  The space of what
 * is gone is given back by punching holes; a file that holds nothing is closed.  Each costs a descriptor of the supervisor and two of
 * ours: there are never more than a share of RLIMIT_NOFILE allows.  Then what comes is written behind the end of one that there is.
 * Writes the file table of struct fv_keeper_state, for the tools and the next keeper.  Dies here: the supervisor has every descriptor
 * before an object is said to be in the file, so the next keeper reads on from it.  Writes of the dead may still be under way there: it
 * writes, if at all, behind the end that is in the table, which no write of the dead is.
 */
#include "run/spillfile.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "plat/diskfile.h"
#include "shm/segment.h"

#define FILE_BYTES  (128ull << 20) /* or so; more where the limit would need too many of them */
#define FILE_MOST   (8ull << 40)  /* less than any file system has as a limit */
#define TO_BE_FULL  4u             /* one of so many of the files that there may be reach the limit of bytes: others have holes */
#define FILES_PART  4u             /* one of so many descriptors may be the supervisor's for a file; as many again and one more are ours */
#define OTHER_FILES 64u            /* descriptors that are not for files */
#define LEFT_FREE   (16ull << 20)  /* of a file system */
#define RETRY_NS    1000000000ull  /* a directory that has failed is tried again */
#define FAREWELL_MS 5000
#define N_DIRS      16u

struct directory {
    const char *path;
    uint64_t    not_before_ns;
    int         said; /* errno that has been told */
};
struct spill_file {
    struct fv_file io;
    bool           is_open;
    uint64_t       end;              /* where the next object goes */
    uint64_t       live;             /* bytes of objects that are there */
    uint32_t       directory;
};

static struct directory  dir[N_DIRS];
static uint32_t          n_dirs;
static struct spill_file file[FV_SPILL_FILES];
static uint32_t          current = FV_SPILL_FILES; /* the one that is being filled */
static uint64_t          live_all, most;
static uint32_t          n_open, most_files;
static uint64_t          file_most; /* no file is larger */
static int               last_error; /* why there was no place last; 0: there was one */
static uint64_t          not_before_ns; /* all directories are left alone until then */
static int               control = -1;
static char             *paths;

static uint64_t round_up(uint64_t bytes) { return (bytes + FV_SPILL_UNIT - 1) / FV_SPILL_UNIT * FV_SPILL_UNIT; }
static uint32_t file_of(uint64_t copy) { return (uint32_t)(copy >> 48); }
static uint64_t offset_of(uint64_t copy) { return (copy & 0xFFFFFFFFFFFFull) * FV_SPILL_UNIT; }

static void show(uint32_t f) {
    struct fv_spill_file *s = &fv_map.seg->keeper.file[f];
    s->directory = file[f].directory;
    fv_store_relaxed_64(&s->live, file[f].live);
    fv_store_relaxed_64(&s->bytes, file[f].is_open ? file[f].end : 0);
    fv_store_relaxed_32(&fv_map.seg->keeper.n_files, n_open);
    fv_store_relaxed_64(&fv_map.seg->keeper.copy_bytes, live_all);
}

static void read_limits(void) {
    struct rlimit l;
    uint64_t      n = getrlimit(RLIMIT_NOFILE, &l) == 0 ? l.rlim_cur : 1024;
    most_files = n < OTHER_FILES + FILES_PART ? 1 : (uint32_t)FV_MIN((n - OTHER_FILES) / FILES_PART, (uint64_t)FV_SPILL_FILES);
    file_most = getrlimit(RLIMIT_FSIZE, &l) == 0 && l.rlim_cur < FILE_MOST ? l.rlim_cur : FILE_MOST;
    signal(SIGXFSZ, SIG_IGN); /* it may be lowered later: then a write fails */
}

int fv_spill_open(const char *dirs, uint64_t limit, int socket, const int *fd) {
    control = socket;
    most = limit;
    read_limits();
    paths = strdup(dirs);
    char *save = NULL;
    for (char *d = paths == NULL ? NULL : strtok_r(paths, ":", &save); d != NULL && n_dirs < N_DIRS; d = strtok_r(NULL, ":", &save))
        if (strcmp(d, "none") != 0)
            dir[n_dirs++].path = d;
    for (uint32_t f = 0; f < FV_SPILL_FILES; f++)
        if (fd[f] >= 0) {
            fv_file_adopt(fd[f], true, &file[f].io);
            file[f].is_open = true;
            n_open++;
            file[f].directory = fv_map.seg->keeper.file[f].directory;
            file[f].end = fv_map.seg->keeper.file[f].bytes;
        }
    return (int)n_dirs;
}

static void fail_dir(uint32_t d, int error) {
    dir[d].not_before_ns = fv_now_ns() + RETRY_NS;
    if (dir[d].said != error)
        fv_warn("objects cannot be written to %s: %s", dir[d].path, strerror(error));
    dir[d].said = error;
}

/* The directory with the most free space; -1: none has enough. */
static int choose_dir(uint64_t bytes) {
    int      best = -1;
    uint64_t best_free = 0, now = fv_now_ns();
    for (uint32_t d = 0; d < n_dirs; d++) {
        struct statvfs s;
        if (now < dir[d].not_before_ns)
            continue;
        if (statvfs(dir[d].path, &s) < 0) {
            fail_dir(d, errno);
            continue;
        }
        uint64_t is_free = (uint64_t)s.f_bavail * s.f_frsize;
        if (is_free < bytes + LEFT_FREE)
            fail_dir(d, ENOSPC);
        else if (is_free > best_free)
            best = (int)d, best_free = is_free;
    }
    return best;
}

static bool has_room(uint32_t d, uint64_t bytes) {
    struct statvfs s;
    if (statvfs(dir[d].path, &s) < 0 || (uint64_t)s.f_bavail * s.f_frsize >= bytes + LEFT_FREE)
        return true; /* a directory that is gone is no harm to a file that is open */
    fail_dir(d, ENOSPC);
    return false;
}

/* The supervisor has it, and says so.  It never leaves us waiting: it dies with us, or we with it. */
static bool hand_over(uint32_t f, int fd) {
    struct fv_spill_note note = {FV_SPILL_NEW, f};
    struct iovec         iov = {&note, sizeof note};
    union {
        struct cmsghdr head;
        char           space[CMSG_SPACE(sizeof(int))];
    } rights;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = rights.space, .msg_controllen = sizeof rights.space};
    memset(&rights, 0, sizeof rights);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    ssize_t n;
    while ((n = sendmsg(control, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    if (n < 0)
        return false;
    while ((n = recv(control, &note, sizeof note, 0)) < 0 && errno == EINTR)
        ;
    return n == (ssize_t)sizeof note && note.what == FV_SPILL_NEW && note.file == f;
}

static void close_file(uint32_t f) {
    struct fv_spill_note note = {FV_SPILL_CLOSE, f};
    (void)!ftruncate(file[f].io.fd, 0); /* gives the space back, which takes long: here, and not when the supervisor closes it last */
    while (send(control, &note, sizeof note, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
    fv_file_close(&file[f].io);
    memset(&file[f], 0, sizeof file[f]);
    n_open--;
    if (current == f)
        current = FV_SPILL_FILES;
    show(f);
}

static int new_file(uint64_t bytes) {
    uint32_t f = 0;
    int      d, rc = -ENOSPC;
    while (f < FV_SPILL_FILES && file[f].is_open)
        f++;
    if (f == FV_SPILL_FILES || n_open >= most_files)
        return -EMFILE;
    while ((d = choose_dir(bytes)) >= 0) {
        int fd = fv_diskfile_unnamed(dir[d].path);
        if (fd == -EMFILE || fd == -ENFILE)
            return -EMFILE;
        if (fd < 0) {
            fail_dir((uint32_t)d, -fd);
            rc = fd;
            continue;
        }
        if (!hand_over(f, fd)) {
            close(fd);
            return -EMFILE;
        }
        memset(&file[f], 0, sizeof file[f]);
        fv_file_adopt(fd, true, &file[f].io);
        file[f].is_open = true;
        n_open++;
        file[f].directory = (uint32_t)d;
        dir[d].said = 0;
        current = f;
        show(f);
        return 0;
    }
    return rc;
}

/* Where the next object goes in it. */
static uint64_t place_in(const struct spill_file *s) {
    uint64_t step = FV_MAX(s->io.align, FV_SPILL_UNIT);
    return (s->end + step - 1) / step * step;
}

/* No more files can be had: one that there is goes on, the shortest. */
static int old_file(uint64_t bytes) {
    uint32_t best = FV_SPILL_FILES;
    uint64_t now = fv_now_ns();
    int      rc = -EMFILE;
    for (uint32_t f = 0; f < FV_SPILL_FILES; f++) {
        if (!file[f].is_open)
            continue;
        uint32_t d = file[f].directory;
        if (place_in(&file[f]) + bytes > file_most)
            rc = rc == -EMFILE ? -EFBIG : rc;
        else if (d >= n_dirs || now < dir[d].not_before_ns || !has_room(d, bytes))
            rc = -ENOSPC;
        else if (best == FV_SPILL_FILES || file[f].end < file[best].end)
            best = f;
    }
    if (best == FV_SPILL_FILES)
        return rc;
    current = best;
    return 0;
}

bool fv_spill_is_possible(void) {
    uint64_t now = fv_now_ns();
    if (now < not_before_ns)
        return false;
    for (uint32_t d = 0; d < n_dirs; d++)
        if (now >= dir[d].not_before_ns)
            return live_all < most;
    return false;
}

static int reserve(uint64_t bytes, uint64_t *copy_out) {
    if (bytes > most || live_all > most - bytes)
        return -EDQUOT;
    if (bytes > file_most)
        return -EFBIG;
    uint64_t full = FV_MAX(FILE_BYTES, most / FV_MAX(most_files / TO_BE_FULL, 1u));
    struct spill_file *s = &file[current % FV_SPILL_FILES];
    if (current != FV_SPILL_FILES && (s->end >= full || place_in(s) + bytes > file_most || !has_room(s->directory, bytes))) {
        uint32_t f = current;
        current = FV_SPILL_FILES;
        if (s->live == 0)
            close_file(f);
    }
    int rc = current == FV_SPILL_FILES ? new_file(bytes) : 0;
    if (rc == -EMFILE)
        rc = old_file(bytes);
    if (rc < 0)
        return rc;
    s = &file[current];
    uint64_t offset = place_in(s);
    *copy_out = (uint64_t)current << 48 | offset / FV_SPILL_UNIT;
    s->end = offset + bytes;
    s->live += bytes;
    live_all += bytes;
    show(current);
    return 0;
}

int fv_spill_reserve(uint64_t bytes, uint64_t *copy_out) {
    last_error = reserve(round_up(bytes), copy_out);
    if (last_error == -EMFILE)
        not_before_ns = fv_now_ns() + RETRY_NS;
    return last_error;
}

const char *fv_spill_why(void) {
    switch (last_error) {
    case -EDQUOT: return "what may be on disk (FEVER_SPILL_LIMIT) is used up";
    case -EMFILE: return "no file for it can be opened (RLIMIT_NOFILE)";
    case -EFBIG:  return "no file may be so large (RLIMIT_FSIZE)";
    default:      return "the disk is full";
    }
}

void fv_spill_release(uint64_t copy, uint64_t bytes) {
    uint32_t           f = file_of(copy);
    struct spill_file *s = &file[f];
    bytes = round_up(bytes);
    s->live -= bytes;
    live_all -= bytes;
    if (s->live == 0 && f != current) {
        close_file(f);
        return;
    }
    (void)fallocate(s->io.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset_of(copy), (off_t)bytes);
    show(f);
}

bool fv_spill_found(uint64_t copy, uint64_t bytes) {
    uint32_t f = file_of(copy);
    if (f >= FV_SPILL_FILES || !file[f].is_open)
        return false;
    bytes = round_up(bytes);
    file[f].live += bytes;
    file[f].end = FV_MAX(file[f].end, offset_of(copy) + bytes);
    live_all += bytes;
    return true;
}

static int by_copy(const void *a, const void *b) {
    uint64_t x = ((const struct fv_spill_span *)a)->copy, y = ((const struct fv_spill_span *)b)->copy;
    return x < y ? -1 : x > y;
}

void fv_spill_settle(struct fv_spill_span *spans, uint32_t n) {
    qsort(spans, n, sizeof *spans, by_copy);
    for (uint32_t f = 0, i = 0; f < FV_SPILL_FILES; f++) {
        if (!file[f].is_open)
            continue;
        if (file[f].live == 0) {
            close_file(f);
            continue;
        }
        uint64_t at = 0, end = (uint64_t)FV_MAX(lseek(file[f].io.fd, 0, SEEK_END), 0);
        while (i < n && file_of(spans[i].copy) < f)
            i++;
        for (;; i++) {
            bool     more = i < n && file_of(spans[i].copy) == f;
            uint64_t to = more ? offset_of(spans[i].copy) : end;
            if (to > at)
                (void)fallocate(file[f].io.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)(to - at));
            if (!more)
                break;
            at = to + round_up(spans[i].bytes);
        }
        show(f);
    }
}

struct fv_io fv_spill_io(uint64_t copy, bool write, void *at, uint64_t bytes) {
    static struct fv_file none = {.fd = -1, .direct = -1, .align = FV_SPILL_UNIT, .memory_align = FV_SPILL_UNIT};
    struct spill_file    *s = &file[file_of(copy) % FV_SPILL_FILES];
    return (struct fv_io){.file = s->is_open ? &s->io : &none, .write = write, .at = at, .bytes = round_up(bytes), .offset = offset_of(copy)};
}

bool fv_spill_leaves_enough(int fd, uint64_t bytes) {
    struct statvfs s;
    return fstatvfs(fd, &s) < 0 || (uint64_t)s.f_bavail * s.f_frsize >= bytes + LEFT_FREE;
}

void fv_spill_farewell(void) {
    struct pollfd p = {.fd = control}; /* POLLHUP comes unasked; if it dies we die with it */
    (void)poll(&p, 1, FAREWELL_MS);
}

void fv_spill_full(void) { not_before_ns = fv_now_ns() + RETRY_NS; }

void fv_spill_failed(uint64_t copy, int error) {
    struct spill_file *s = &file[file_of(copy) % FV_SPILL_FILES];
    fail_dir(s->directory, -error);
    if (file_of(copy) == current)
        current = FV_SPILL_FILES;
}
