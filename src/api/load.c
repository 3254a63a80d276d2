/* api/load.c: files into objects.
 *
 * Submitted by drivers and bodies, run by workers, as tasks whose result is written in place: so retries, crashes, errors and
 * cancelling need nothing new.  Dies here: the task is repeated, and its block freed by the sweep.  No read goes on after its
 * process (plat/fileio.h), so that the block's next owner finds nothing of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "api/file.h"
#include "base/checksum.h"
#include "run/source.h"

#define SYSFS 0x62656572 /* its files claim to have a page each */

struct load {
    struct fv_source source; /* first */
    uint64_t offset, bytes;  /* bytes 0: up to the end */
    uint64_t checksum;
    uint32_t verify;
    uint32_t source_stays;
    char     path[PATH_MAX];
};

static void fail_errno(struct fv_self *self, const struct load *a, int code, const char *what) {
    char shown[80];
    fv_body_fail(self, code, "%s: %s%s", fv_path_shown(a->path, shown), what, fever_strerror(code));
}

static void fail_short(struct fv_self *self, const struct load *a, uint64_t have, uint64_t want) {
    char shown[80];
    fv_body_fail(self, FEVER_ESHORT, "%s: %llu bytes are wanted from %llu on, there are %llu", fv_path_shown(a->path, shown),
                 (unsigned long long)want, (unsigned long long)a->offset, (unsigned long long)have);
}

/* Room for the result; NULL: the task has failed, and says for what. */
static void *make_room(struct fv_self *self, const struct load *a, uint64_t bytes) {
    char  shown[80];
    void *at = fever_result(bytes);
    if (at == NULL)
        fv_body_fail(self, self->fail_code, "%s: %llu bytes: %s", fv_path_shown(a->path, shown), (unsigned long long)bytes,
                     fever_strerror(self->fail_code));
    return at;
}

static void check(struct fv_self *self, const struct load *a, struct fv_file *file, const void *at, uint64_t bytes) {
    char     shown[80];
    uint64_t place = 0, sum;
    if (a->verify & FEVER_VERIFY_CHECKSUM && (sum = fv_checksum(at, bytes)) != a->checksum) {
        fv_body_fail(self, FEVER_ECORRUPT, "%s: its checksum is %016llx, not %016llx", fv_path_shown(a->path, shown),
                     (unsigned long long)sum, (unsigned long long)a->checksum);
        return;
    }
    if (!(a->verify & FEVER_VERIFY_READ_BACK))
        return;
    struct fv_io_queue *q = fv_file_queue(bytes);
    int                 rc = fv_file_compare(file, q, a->offset, at, bytes, &place);
    fv_io_close(q);
    if (rc == -FEVER_ECORRUPT)
        fv_body_fail(self, FEVER_ECORRUPT, "%s: it changes while it is read: byte %llu has", fv_path_shown(a->path, shown),
                     (unsigned long long)(a->offset + place));
    else if (rc == -FEVER_ESHORT)
        fail_short(self, a, place, bytes);
    else if (rc < 0)
        fail_errno(self, a, -rc, "");
}

/* It has a size: straight to where the result lies. */
static void load_sized(struct fv_self *self, struct load *a, struct fv_file *file, uint64_t size, const struct stat *was) {
    uint64_t have = a->offset < size ? size - a->offset : 0, bytes = a->bytes != 0 ? a->bytes : have;
    if (bytes > have || a->offset > size) {
        fail_short(self, a, have, bytes);
        return;
    }
    char *at = make_room(self, a, bytes);
    if (at == NULL)
        return;
    for (uint64_t pos = 0; pos < bytes; pos += FV_FILE_STEP) {
        struct fv_io io = {.file = file, .at = at + pos, .bytes = FV_MIN(bytes - pos, (uint64_t)FV_FILE_STEP), .offset = a->offset + pos};
        if (fever_cancelled())
            return;
        int rc = fv_io_run(NULL, &io, 1);
        if (rc < 0) {
            fail_errno(self, a, -rc, "");
            return;
        }
        if (io.done < io.bytes) { /* it was longer when it was opened */
            fail_short(self, a, pos + io.done, bytes);
            return;
        }
    }
    if (a->verify != 0)
        check(self, a, file, at, bytes);
    if (a->source_stays && bytes > FV_SMALL_MOST && !self->failed)
        fv_source_settle(&a->source, file->fd, was, at, bytes);
}

/* What the file has from a->offset on, and up to the end or a->bytes, in memory of ours.  0 or an error, with what is there. */
static int read_all(struct fv_self *self, const struct load *a, struct fv_file *file, char **data_out, uint64_t *bytes_out) {
    uint64_t most = a->bytes != 0 ? a->bytes : UINT64_MAX, room = 0, n = 0;
    char    *data = NULL;
    int      rc = 0;
    while (n < most && rc == 0) {
        if (n == room) { /* one byte more than the store could take, to see that it cannot */
            char *more = room > fv_arena_capacity() ? NULL : realloc(data, room = FV_MAX(2 * room, (uint64_t)FV_CHUNK_BYTES));
            if (more == NULL) {
                rc = n > fv_arena_capacity() ? -FEVER_ETOOBIG : -ENOMEM;
                break;
            }
            data = more;
        }
        struct fv_io io = {.file = file, .is_private = true, .at = data + n, .bytes = FV_MIN(room, most) - n, .offset = a->offset + n};
        rc = fever_cancelled() ? -FEVER_ECANCELED : fv_io_run(NULL, &io, 1);
        n += io.done;
        if (rc == 0 && io.done < io.bytes)
            break;
    }
    (void)self;
    *data_out = data;
    *bytes_out = n;
    return rc;
}

/* It does not say how long it is. */
static void load_unsized(struct fv_self *self, const struct load *a, struct fv_file *file) {
    char    *data, *at;
    uint64_t bytes;
    int      rc = read_all(self, a, file, &data, &bytes);
    if (rc < 0 && rc != -FEVER_ECANCELED)
        fail_errno(self, a, -rc, "");
    else if (rc == 0 && a->bytes != 0 && bytes < a->bytes)
        fail_short(self, a, bytes, a->bytes);
    else if (rc == 0 && (at = make_room(self, a, bytes)) != NULL) {
        if (bytes != 0)
            memcpy(at, data, bytes);
        if (a->verify != 0)
            check(self, a, file, at, bytes);
    }
    free(data);
}

static void run_load(const void *args, void *result) {
    struct load    *a = (void *)(uintptr_t)args; /* what it tells of the source stands in the arguments' block */
    struct fv_self *self = fv_self;
    struct fv_file  file;
    struct stat     st;
    struct statfs   fs;
    (void)result;
    fv_store_relaxed_32(&a->source.state, FV_SOURCE_NONE); /* an earlier attempt may have come far */
    /* a pipe would not open before it has a writer */
    int rc = fv_file_open(a->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, false, &file);
    if (rc < 0) {
        bool no_file = rc == -ENXIO && stat(a->path, &st) == 0 && S_ISSOCK(st.st_mode);
        fail_errno(self, a, no_file ? ESPIPE : -rc, no_file ? "no file but a socket: " : "");
        return;
    }
    off_t end = -1;
    if (fstat(file.fd, &st) < 0)
        fail_errno(self, a, errno, "");
    else if (S_ISDIR(st.st_mode))
        fail_errno(self, a, EISDIR, "");
    else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        fail_errno(self, a, ESPIPE, S_ISFIFO(st.st_mode) ? "no file but a pipe: " : "no file but a device: ");
    else if (S_ISBLK(st.st_mode) && (end = lseek(file.fd, 0, SEEK_END)) < 0)
        fail_errno(self, a, errno, "");
    else {
        uint64_t size = end >= 0 ? (uint64_t)end : (uint64_t)st.st_size;
        uint64_t bytes = a->bytes != 0 ? a->bytes : size;
        if (bytes >= FV_FILE_DIRECT) {
            fv_file_adopt(file.fd, true, &file);
            posix_fadvise(file.fd, (off_t)a->offset, (off_t)FV_MIN(bytes, (uint64_t)INT64_MAX - a->offset), POSIX_FADV_SEQUENTIAL);
        }
        if (size == 0 || (st.st_blocks == 0 && fstatfs(file.fd, &fs) == 0 && fs.f_type == SYSFS))
            load_unsized(self, a, &file);
        else
            load_sized(self, a, &file, size, &st);
    }
    fv_file_close(&file);
}

#define ARGS(path_bytes) (offsetof(struct load, path) + (path_bytes))
#define DEFINITION(path_bytes) \
    {.magic = FEVER_DEF_MAGIC, .flags = FEVER_DEF_BYTES | FV_DEF_SOURCE, .name = "fever_load", .file = __FILE__, .line = __LINE__, \
     .args_bytes = ARGS(path_bytes), .ref_offsets = no_refs, .run = run_load}
static const uint16_t   no_refs[] = {FEVER_NOT_A_REF};
static struct fever_def small = DEFINITION(FV_PATH_SMALL), large = DEFINITION(PATH_MAX);
/* not an array of two: compilers align those to more than a pointer, and the section must have no gaps */
static struct fever_def *const small_pointer __attribute__((used, section("fever_defs"))) = &small;
static struct fever_def *const large_pointer __attribute__((used, section("fever_defs"))) = &large;

static int prepare(const struct fever_load_options *options, struct load *a, const struct fever_task_options **task_out) {
    struct fever_load_options o = {0};
    if (options != NULL && !fv_file_options(options, options->struct_bytes, offsetof(struct fever_load_options, bytes), &o, sizeof o))
        return -FEVER_EINVAL;
    if (!fv_verify_is_good(o.verify) || o.offset > INT64_MAX || o.bytes > (uint64_t)INT64_MAX - o.offset)
        return -FEVER_EINVAL;
    if (o.source_stays != 0 && o.source_stays != 1)
        return -FEVER_EINVAL;
    a->source = (struct fv_source){.offset = o.offset, .path_at = offsetof(struct load, path)};
    a->source_stays = (uint32_t)o.source_stays;
    a->offset = o.offset, a->bytes = o.bytes, a->checksum = o.checksum, a->verify = (uint32_t)o.verify;
    *task_out = o.task;
    return 0;
}

static int submit(const char *path, struct load *a, const struct fever_task_options *task, uint64_t site, fever_ref *ref_out) {
    int            why;
    struct fv_path p;
    uint64_t       id;
    if (path == NULL)
        return -FEVER_ENULL;
    int rc = fv_path_resolve(path, &p);
    if (rc < 0)
        return rc;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    bool fits = p.bytes <= FV_PATH_SMALL;
    memcpy(a->path, p.text, p.bytes);
    rc = fv_submit(self, fits ? &small : &large, a, fits ? ARGS(FV_PATH_SMALL) : ARGS(PATH_MAX), task, FV_HELD, 0, 0, site, &id);
    if (rc == 0)
        ref_out->id = id;
    return fv_leave(self, rc);
}

int fever_load(const char *path, const struct fever_load_options *options, fever_ref *ref_out) {
    const struct fever_task_options *task;
    struct load                      a = {0};
    if (ref_out == NULL)
        return -FEVER_ENULL;
    int rc = prepare(options, &a, &task);
    return rc < 0 ? rc : submit(path, &a, task, FV_SITE(), ref_out);
}

int fever_load_many(const char *const *paths, size_t n, const struct fever_load_options *options, fever_ref *refs_out) {
    const struct fever_task_options *task;
    struct load                      a = {0};
    size_t                           i = 0;
    uint64_t                         site = FV_SITE();
    if ((paths == NULL || refs_out == NULL) && n != 0)
        return -FEVER_ENULL;
    int rc = prepare(options, &a, &task);
    while (rc == 0 && i < n && (rc = submit(paths[i], &a, task, site, &refs_out[i])) == 0)
        i++;
    if (rc < 0)
        while (i > 0)
            fever_release(refs_out[--i]);
    return rc;
}
