/* t_file_nth.c: the n-th system call of a load, and of a save, fails, for every n and in two ways.
 *
 * The linker sends the library's calls through the wrappers below, which count them in shared memory.  Each time: the task is done
 * and right, or fails with the error of that call; a file is old or new, never half, and nothing else is left in its folder; the next
 * one goes well.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <liburing.h>

#include "test/rt.h"

#define MIB (1u << 20)

static struct told {
    _Atomic long calls;   /* so far, in bodies of this file's tasks */
    _Atomic long fail;    /* this one fails; 0: none */
    _Atomic int  error;   /* with that; 0: a read or write does only a part */
    char         what[32];
} *told;

static bool fails(const char *what) {
    if (told == NULL || told->fail == 0 || fv_self == NULL || fv_self->running == 0 || ++told->calls != told->fail)
        return false;
    snprintf(told->what, sizeof told->what, "%s", what);
    return true;
}

#define WRAP(type, name, bad, params, args) \
    type __real_##name params; \
    type __wrap_##name params; \
    type __wrap_##name params { \
        if (!fails(#name) || told->error == 0) \
            return __real_##name args; \
        errno = told->error; \
        return bad; \
    }
/* of these a part may be done, too */
#define WRAP_PART(name, params, part, args) \
    ssize_t __real_##name params; \
    ssize_t __wrap_##name params; \
    ssize_t __wrap_##name params { \
        bool failing = fails(#name); \
        if (failing && told->error != 0) { \
            errno = told->error; \
            return -1; \
        } \
        if (failing && n > 1) \
            return __real_##name part; \
        return __real_##name args; \
    }
#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { \
        va_list ap; \
        va_start(ap, flags); \
        mode = va_arg(ap, mode_t); \
        va_end(ap); \
    }

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    MODE(flags)
    if (!fails("open") || told->error == 0)
        return __real_open(path, flags, mode);
    errno = told->error;
    return -1;
}
int __real_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...);
int __wrap_openat(int at, const char *path, int flags, ...) {
    MODE(flags)
    if (!fails("openat") || told->error == 0)
        return __real_openat(at, path, flags, mode);
    errno = told->error;
    return -1;
}
WRAP(int, fstat, -1, (int d, struct stat *s), (d, s))
WRAP(int, fstatat, -1, (int d, const char *p, struct stat *s, int f), (d, p, s, f))
WRAP(int, fstatfs, -1, (int d, struct statfs *s), (d, s))
WRAP(int, fallocate, -1, (int d, int m, off_t o, off_t n), (d, m, o, n))
WRAP(int, fsync, -1, (int d), (d))
WRAP(int, linkat, -1, (int a, const char *b, int c, const char *d, int f), (a, b, c, d, f))
WRAP(int, renameat, -1, (int a, const char *b, int c, const char *d), (a, b, c, d))
WRAP(int, access, -1, (const char *p, int m), (p, m))
WRAP(void *, mmap, MAP_FAILED, (void *a, size_t n, int p, int f, int d, off_t o), (a, n, p, f, d, o))
WRAP(void *, malloc, NULL, (size_t n), (n))
WRAP(void *, realloc, NULL, (void *p, size_t n), (p, n))
WRAP(void *, calloc, NULL, (size_t n, size_t m), (n, m))
WRAP(int, io_uring_queue_init, -told->error, (unsigned n, struct io_uring *r, unsigned f), (n, r, f))
WRAP(int, io_uring_submit, -told->error, (struct io_uring *r), (r))
WRAP_PART(pread, (int d, void *p, size_t n, off_t o), (d, p, n / 2, o), (d, p, n, o))
WRAP_PART(pwrite, (int d, const void *p, size_t n, off_t o), (d, p, n / 2, o), (d, p, n, o))

static char  dir[] = "t_file_nth.XXXXXX";
static char *data;

static int n_names(void) {
    DIR *d = opendir(dir);
    int  n = 0;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.' || strncmp(e->d_name, ".fever", 6) == 0;
    if (d != NULL)
        closedir(d);
    return n;
}

static bool file_is(const char *path, const void *want, size_t bytes) {
    static char have[4 * MIB];
    int         fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t     n = fd >= 0 ? read(fd, have, sizeof have) : -1;
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)bytes && memcmp(have, want, bytes) == 0;
}

static int load(const char *path, size_t bytes, int verify) {
    fever_ref   r;
    const char *at;
    size_t      n = 0;
    fever_load(path, FEVER_LOAD(.verify = verify, .checksum = fever_checksum(data, bytes), .task = FEVER_WITH(.max_retries = FEVER_NO_RETRY)), &r);
    int rc = fever_view(r, &at, &n);
    told->fail = 0;
    if (rc == 0 && (n != bytes || memcmp(at, data, bytes) != 0))
        rc = 1; /* wrong bytes */
    fever_release(r);
    return rc;
}

static int save(fever_ref ref, const char *path, int verify, size_t bytes) {
    fever_ref          done;
    struct fever_saved s = {0};
    fever_save(ref, path, FEVER_SAVE(.sync = 1, .verify = verify, .checksum = fever_checksum(data, bytes),
                                     .task = FEVER_WITH(.max_retries = FEVER_NO_RETRY)), &done);
    int rc = fever_get(done, &s);
    told->fail = 0;
    fever_release(done);
    return rc;
}

/* Each call fails once.  what: 0 load, 1 save over a file, 2 save where there is none. */
static void run(int what, size_t bytes, int verify, int error) {
    static const char *const text[] = {"load", "save over a file", "save of a new file"};
    char      path[64];
    fever_ref ref = FEVER_NULL_REF;
    int       wrong = 0, failed = 0, without = 0;
    long      n;
    snprintf(path, sizeof path, "%s/file", dir);
    fever_put(data, bytes, &ref);
    for (n = 1; wrong < 5 && n < 10000; n++) {
        unlink(path);
        if (what != 2) {
            int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            size_t put = what == 0 ? bytes : 3;
            if (write(fd, what == 0 ? data : "old", put) != (ssize_t)put)
                tap_bail("cannot write");
            fsync(fd);
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
            close(fd);
        }
        told->what[0] = '\0';
        told->calls = 0;
        told->error = error;
        told->fail = n;
        int  rc = what == 0 ? load(path, bytes, verify) : save(ref, path, verify, bytes);
        bool good = rc == 0 || rc == -error || rc == -ENOMEM || rc == -FEVER_ESTOREFULL || rc == -FEVER_ENOSLOTS;
        if (what != 0) {
            bool is_old = what == 1 ? file_is(path, "old", 3) : access(path, F_OK) != 0, is_new = file_is(path, data, bytes);
            /* the last step, its folder's sync, may fail when the name is there */
            good = good && (rc == 0 ? is_new : is_old || is_new) && n_names() == (what == 1 || is_new);
        }
        if (told->what[0] == '\0') {
            good = good && rc == 0;
            wrong += !good;
            break;
        }
        failed += rc != 0;
        without += rc == 0;
        if (!good) {
            wrong++;
            tap_diag("call %ld, %s: %d (%s), %d names", n, told->what, rc, fever_strerrorname(rc), n_names());
        }
    }
    unlink(path);
    fever_release(ref);
    TAP_OK(wrong == 0 && n > 3, "%s, %zu bytes, verify %d: %ld calls %s: an error %d times, done without %d times", text[what], bytes, verify, n - 1,
           error != 0 ? strerror(error) : "do a part", failed, without);
}

int main(void) {
    static const size_t size[] = {0, 5000, 3 * MIB + 77};
    static const int    error[] = {EIO, ENOSPC, EINTR, EAGAIN, 0};
    rt_begin(280);
    told = rt_shared(sizeof *told);
    data = malloc(4 * MIB);
    for (size_t i = 0; i < 4 * MIB; i++)
        data[i] = (char)((i * 2654435761u) >> 13);
    if (mkdtemp(dir) == NULL)
        tap_bail("no folder");
    rt_init(.workers = 1, .store_bytes = 64 << 20);
    for (size_t e = 0; e < sizeof error / sizeof error[0]; e++)
        for (size_t i = 0; i < sizeof size / sizeof size[0]; i++)
            for (int what = 0; what < 3; what++)
                run(what, size[i], i == 0 ? 0 : FEVER_VERIFY_CHECKSUM | FEVER_VERIFY_READ_BACK, error[e]);
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    TAP_IS(rmdir(dir), 0, "no file is left");
    return tap_done();
}
