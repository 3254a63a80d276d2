/* api/save.c: objects into files.
 *
 * Submitted by drivers and bodies, run by workers, as tasks that depend on what they save.  The bytes go to a file without a name; once
 * it is whole it is given a name of the task's own beside the right one, and takes that one's place by rename(2) (the first step
 * is left out where nothing has the right name).  Dies here: the name stands for what it stood for, or for the whole new file, and the
 * task is repeated, which begins by removing its own name.  Where there are no files without a name it has its own from the start.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/file.h"
#include "base/checksum.h"

struct save {
    fever_ref ref;
    uint64_t  checksum;
    uint32_t  mode;
    uint16_t  verify, sync;
    char      path[PATH_MAX];
};

struct place {
    int         folder;
    const char *name;
    char        own[64];  /* name of the task's own */
    bool        is_named; /* the file has that name */
};

static void fail(struct fv_self *self, const struct save *a, int code, const char *what) {
    char shown[80];
    fv_body_fail(self, code, "%s: %s%s", fv_path_shown(a->path, shown), what, fever_strerror(code));
}

/* Opens the folder of path, which it cuts in two.  0 or -errno. */
static int find_place(struct fv_self *self, char *path, struct place *p_out) {
    struct place p = {.folder = -1};
    struct stat  st;
    char        *slash = strrchr(path, '/'); /* there is one: the path begins at the root */
    p.name = slash + 1;
    if (p.name[0] == '\0' || strcmp(p.name, ".") == 0 || strcmp(p.name, "..") == 0)
        return -EISDIR;
    *slash = '\0';
    p.folder = open(path[0] != '\0' ? path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p.folder < 0)
        return -errno;
    int rc = fstatat(p.folder, p.name, &st, 0) == 0 ? 0 : errno == ENOENT ? 0 : -errno;
    if (rc == 0 && fstatat(p.folder, p.name, &st, 0) == 0 && !S_ISREG(st.st_mode))
        rc = S_ISDIR(st.st_mode) ? -EISDIR : -ESPIPE;
    if (rc < 0) {
        close(p.folder);
        return rc;
    }
    /* the same in each attempt, and no other task's, on other machines that share the folder either */
    snprintf(p.own, sizeof p.own, ".fever-%d-%llx-%llx", (int)fv_map.seg->driver_pid, (unsigned long long)fv_map.seg->started_ns,
             (unsigned long long)self->proc->current);
    *p_out = p;
    return 0;
}

/* The file that the bytes go to.  A descriptor or -errno. */
static int make_file(struct place *p, mode_t mode) {
    int fd = -1;
    unlinkat(p->folder, p->own, 0); /* of an attempt before this one */
    if (access("/proc/self/fd", X_OK) == 0) /* it gets its name through there */
        fd = openat(p->folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
    p->is_named = fd < 0;
    if (fd < 0)
        fd = openat(p->folder, p->own, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode);
    return fd < 0 ? -errno : fd;
}

static int write_all(struct fv_file *f, struct fv_io_queue *q, const void *data, uint64_t bytes, uint64_t *done_out) {
    *done_out = 0;
    /* at once what room it needs: a full disk is known early, and writes in flight do not wait for each other to extend the file */
    if (bytes != 0 && fallocate(f->fd, 0, 0, (off_t)bytes) != 0 && (errno == ENOSPC || errno == EFBIG || errno == EDQUOT || errno == EIO))
        return -errno;
    for (uint64_t pos = 0; pos < bytes; pos += FV_FILE_STEP) {
        struct fv_io io = {.file = f, .write = true, .at = (char *)(uintptr_t)data + pos, .bytes = FV_MIN(bytes - pos, (uint64_t)FV_FILE_STEP),
                           .offset = pos};
        if (fever_cancelled())
            return -FEVER_ECANCELED;
        int rc = fv_io_run(q, &io, 1);
        *done_out += io.done;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Gives the file its name. */
static int commit(struct place *p, int fd) {
    char from[32];
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    if (!p->is_named) {
        if (linkat(AT_FDCWD, from, p->folder, p->name, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST || linkat(AT_FDCWD, from, p->folder, p->own, AT_SYMLINK_FOLLOW) != 0)
            return -errno;
        p->is_named = true;
    }
    if (renameat(p->folder, p->own, p->folder, p->name) != 0)
        return -errno;
    p->is_named = false;
    return 0;
}

static int sync_folder(const struct place *p) {
    int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    if (fd < 0)
        return errno == EACCES ? 0 : -errno; /* one that we may write to and not read */
    if (fsync(fd) != 0 && errno != EINVAL)
        rc = -errno;
    close(fd);
    return rc;
}

/* All of it, to a file of the place.  The task has failed, or the file is there. */
static void save_to(struct fv_self *self, const struct save *a, struct place *p, const void *data, uint64_t bytes) {
    char           what[64] = "", shown[80];
    uint64_t       done = 0;
    struct fv_file f;
    int            fd = make_file(p, (mode_t)a->mode);
    if (fd < 0) {
        fail(self, a, -fd, "");
        return;
    }
    fv_file_adopt(fd, bytes >= FV_FILE_DIRECT, &f);
    struct fv_io_queue *q = fv_file_queue(bytes);
    int                 rc = write_all(&f, q, data, bytes, &done);
    if (rc < 0)
        snprintf(what, sizeof what, "after %llu of %llu bytes: ", (unsigned long long)done, (unsigned long long)bytes);
    else if ((a->sync || a->verify & FEVER_VERIFY_READ_BACK) && fsync(fd) != 0)
        rc = -errno;
    if (rc == 0 && a->verify & FEVER_VERIFY_READ_BACK) {
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        rc = fv_file_compare(&f, q, 0, data, bytes, &done);
        if (rc < 0)
            snprintf(what, sizeof what, "read back, byte %llu: ", (unsigned long long)done);
    }
    if (rc == 0)
        rc = commit(p, fd);
    if (rc == 0 && a->sync)
        rc = sync_folder(p);
    fv_io_close(q);
    fv_file_close(&f);
    if (p->is_named)
        unlinkat(p->folder, p->own, 0);
    if (rc < 0 && rc != -FEVER_ECANCELED)
        fv_body_fail(self, -rc, "%s: %s%s", fv_path_shown(a->path, shown), what, fever_strerror(rc));
}

static void save(struct fv_self *self, const struct save *a, struct fever_saved *saved) {
    const void  *data;
    size_t       bytes;
    char         path[PATH_MAX], shown[80];
    struct stat  st;
    struct place p;
    int          rc = fever_view_raw(a->ref, &data, &bytes, FEVER_FOREVER);
    if (rc < 0) {
        fail(self, a, -rc, "");
        return;
    }
    saved->bytes = bytes;
    saved->checksum = a->verify != 0 ? fv_checksum(data, bytes) : 0;
    if (a->verify & FEVER_VERIFY_CHECKSUM && saved->checksum != a->checksum) {
        fv_body_fail(self, FEVER_ECORRUPT, "%s: the checksum of the object is %016llx, not %016llx", fv_path_shown(a->path, shown),
                     (unsigned long long)saved->checksum, (unsigned long long)a->checksum);
        return;
    }
    if (lstat(a->path, &st) != 0 || !S_ISLNK(st.st_mode) || realpath(a->path, path) == NULL)
        strcpy(path, a->path);
    rc = find_place(self, path, &p);
    if (rc < 0) {
        fail(self, a, -rc, rc == -ESPIPE ? "what has that name is no file: " : "");
        return;
    }
    save_to(self, a, &p, data, bytes);
    close(p.folder);
}

static void run_save(const void *args, void *result) {
    static const struct timespec now = {0, 0};
    sigset_t                     limit, old;
    sigemptyset(&limit);
    sigaddset(&limit, SIGXFSZ); /* beyond RLIMIT_FSIZE: the error says the same */
    pthread_sigmask(SIG_BLOCK, &limit, &old);
    save(fv_self, args, result);
    while (sigtimedwait(&limit, NULL, &now) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

#define ARGS(path_bytes) (offsetof(struct save, path) + (path_bytes))
#define DEFINITION(path_bytes) \
    {.magic = FEVER_DEF_MAGIC, .name = "fever_save", .file = __FILE__, .line = __LINE__, .args_bytes = ARGS(path_bytes), \
     .result_bytes = sizeof(struct fever_saved), .result_type = 255, .n_params = 1, .has_refs = 1, .ref_offsets = ref_offsets, .run = run_save}
static const uint16_t   ref_offsets[] = {offsetof(struct save, ref)};
static struct fever_def small = DEFINITION(FV_PATH_SMALL), large = DEFINITION(PATH_MAX);
/* not an array of two: compilers align those to more than a pointer, and the section must have no gaps */
static struct fever_def *const small_pointer __attribute__((used, section("fever_defs"))) = &small;
static struct fever_def *const large_pointer __attribute__((used, section("fever_defs"))) = &large;

int fever_save(fever_ref ref, const char *path, const struct fever_save_options *options, fever_ref *done_out) {
    int                       why;
    struct fever_save_options o = {0};
    struct fv_path            p;
    struct save               a = {.ref = ref};
    uint64_t                  id, site = FV_SITE();
    if (path == NULL || done_out == NULL)
        return -FEVER_ENULL;
    if (options != NULL && !fv_file_options(options, options->struct_bytes, offsetof(struct fever_save_options, verify), &o, sizeof o))
        return -FEVER_EINVAL;
    if (!fv_verify_is_good(o.verify) || (o.sync != 0 && o.sync != 1) || o.mode > 07777)
        return -FEVER_EINVAL;
    int rc = fv_path_resolve(path, &p);
    if (rc < 0)
        return rc;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    a.checksum = o.checksum, a.verify = (uint16_t)o.verify, a.sync = (uint16_t)o.sync, a.mode = o.mode != 0 ? o.mode : 0666;
    bool fits = p.bytes <= FV_PATH_SMALL;
    memcpy(a.path, p.text, p.bytes);
    rc = fv_submit(self, fits ? &small : &large, &a, fits ? ARGS(FV_PATH_SMALL) : ARGS(PATH_MAX), o.task, FV_HELD, 0, 0, site, &id);
    if (rc == 0)
        done_out->id = id;
    return fv_leave(self, rc);
}
