/* t_file.c: fever_load and fever_save: ranges, errors, odd files, verifying, deaths on the way. */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "test/rt.h"

#define MIB   (1u << 20)
#define STORE ((uint64_t)96 * MIB)

static char  top[4200];                /* where the tests began */
static char  dir[] = "t_file.XXXXXX";  /* in there: all files, and the working directory */
static char *bytes_of; /* BIG bytes that repeat nowhere near */
#define BIG (37u * MIB + 1234)

static void write_file(const char *path, const void *data, size_t bytes) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (size_t at = 0; at < bytes;) {
        ssize_t n = write(fd, (const char *)data + at, bytes - at);
        if (n <= 0)
            tap_bail("cannot write a file");
        at += (size_t)n;
    }
    close(fd);
}

static bool file_is(const char *path, const void *data, size_t bytes) {
    char   *have = malloc(bytes + 1);
    FILE   *f = fopen(path, "re");
    size_t  n = f != NULL ? fread(have, 1, bytes + 1, f) : 0;
    bool    good = f != NULL && n == bytes && memcmp(have, data, bytes) == 0;
    if (f != NULL)
        fclose(f);
    free(have);
    return good;
}

/* The folder holds so many names. */
static int n_names(void) {
    DIR *d = opendir(".");
    int  n = 0;
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    if (d != NULL)
        closedir(d);
    return n;
}

/* The ref's value is that; releases it. */
static bool value_is(fever_ref ref, const void *data, size_t bytes) {
    const char *at;
    size_t      n = 0;
    int         rc = fever_view(ref, &at, &n);
    bool        good = rc == 0 && n == bytes && memcmp(at, data, bytes) == 0;
    if (!good) {
        struct fever_error e;
        tap_diag("rc %d, %zu bytes, not %zu: %s", rc, n, bytes, rc < 0 && fever_error(ref, &e) == 0 ? e.text : "");
    }
    fever_release(ref);
    return good;
}
#define VALUE_IS(ref, data, bytes, ...) TAP_OK(value_is((ref), (data), (bytes)), __VA_ARGS__)

/* The ref fails with that code, and its text has these words; releases it. */
static void fails(fever_ref ref, int code, const char *words, const char *what) {
    struct fever_error e;
    const char        *at;
    memset(&e, 0, sizeof e);
    int rc = fever_view(ref, &at, NULL), rc2 = fever_error(ref, &e);
    if (!TAP_OK(rc == -code && rc2 == 0 && e.code == code && strstr(e.text, words) != NULL, "%s: %s", what, e.text))
        tap_diag("rc %d (%s), code %d; \"%s\" should be in it", rc, fever_strerrorname(rc), e.code, words);
    fever_release(ref);
}

static fever_ref load(const char *path, const struct fever_load_options *o) {
    fever_ref r = FEVER_NULL_REF;
    TAP_IS(fever_load(path, o, &r), 0, "load %s", path);
    return r;
}

static int save(fever_ref ref, const char *path, const struct fever_save_options *o, struct fever_saved *saved) {
    fever_ref done;
    int       rc = fever_save(ref, path, o, &done);
    if (rc == 0) {
        rc = fever_get(done, saved);
        fever_release(done);
    }
    return rc;
}

static fever_ref put(const void *data, size_t bytes) {
    fever_ref r = FEVER_NULL_REF;
    TAP_IS(fever_put(data, bytes, &r), 0, "put %zu bytes", bytes);
    return r;
}

static void test_whole_files(void) {
    static const size_t size[] = {0, 1, 16, 17, 4095, 4096, 70000, 262144, 262145, MIB, BIG};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        write_file("whole", bytes_of, size[i]);
        VALUE_IS(load("whole", NULL), bytes_of, size[i], "%zu bytes, cached", size[i]);
        int fd = open("whole", O_RDONLY | O_CLOEXEC);
        fsync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
        VALUE_IS(load("whole", FEVER_LOAD(.verify = FEVER_VERIFY_CHECKSUM | FEVER_VERIFY_READ_BACK, .checksum = fever_checksum(bytes_of, size[i]))),
                 bytes_of, size[i], "%zu bytes, from the disk, verified", size[i]);
    }
    fever_ref two[2];
    const char *const paths[] = {"whole", "whole"};
    TAP_IS(fever_load_many(paths, 2, FEVER_LOAD(.offset = 100, .bytes = 200), two), 0, "twice the same part");
    VALUE_IS(two[0], bytes_of + 100, 200, "the first");
    VALUE_IS(two[1], bytes_of + 100, 200, "the second");
    TAP_IS(fever_load_many(paths, 0, NULL, NULL), 0, "no files");
    const char *const odd[] = {"whole", NULL};
    TAP_IS(fever_load_many(odd, 2, NULL, two), -FEVER_ENULL, "one path is missing");
}

static void test_ranges(void) {
    static const uint64_t at[][2] = {{0, 1}, {1, 4096}, {4096, 8192}, {511, 513}, {5000, 3 * MIB}, {4096, 33 * MIB}, {BIG - 1, 1}, {BIG - 300000, 300000},
                                     {BIG - 300000, 0}, {BIG, 0}, {4097, 36 * MIB}};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++)
        VALUE_IS(load("whole", FEVER_LOAD(.offset = at[i][0], .bytes = at[i][1])), bytes_of + at[i][0], at[i][1] ? at[i][1] : BIG - at[i][0],
                 "%llu bytes from %llu", (unsigned long long)at[i][1], (unsigned long long)at[i][0]);
    fails(load("whole", FEVER_LOAD(.offset = BIG - 10, .bytes = 11)), FEVER_ESHORT, "11 bytes are wanted from 38798536 on, there are 10", "one too many");
    fails(load("whole", FEVER_LOAD(.offset = BIG + 1)), FEVER_ESHORT, "there are 0", "beyond its end");
    fails(load("whole", FEVER_LOAD(.offset = INT64_MAX)), FEVER_ESHORT, "there are 0", "far beyond its end");
    fever_ref r;
    TAP_IS(fever_load("whole", FEVER_LOAD(.offset = (uint64_t)INT64_MAX + 1), &r), -FEVER_EINVAL, "an offset that no file has");
    TAP_IS(fever_load("whole", FEVER_LOAD(.offset = 1, .bytes = UINT64_MAX), &r), -FEVER_EINVAL, "nor so many bytes");
    TAP_IS(fever_load("whole", FEVER_LOAD(.verify = 4), &r), -FEVER_EINVAL, "an unknown way to verify");
    struct fever_load_options o = {.struct_bytes = 3};
    TAP_IS(fever_load("whole", &o, &r), -FEVER_EINVAL, "options of no size");
    TAP_IS(fever_load(NULL, NULL, &r), -FEVER_ENULL, "no path");
    TAP_IS(fever_load("whole", NULL, NULL), -FEVER_ENULL, "nowhere to put the ref");
    TAP_IS(fever_load("", NULL, &r), -ENOENT, "an empty path");
}

static void test_paths(void) {
    char      path[5000];
    fever_ref r;
    write_file("here", "abc", 3);
    snprintf(path, sizeof path, "%s/%s/here", top, dir);
    VALUE_IS(load(path, NULL), "abc", 3, "by its whole path");
    mkdir("sub", 0700);
    write_file("sub/here", "sub", 3);
    r = load("here", NULL);
    TAP_IS(chdir("sub"), 0, "the directory changes after the call");
    VALUE_IS(r, "abc", 3, "what counts is where the call was made");
    VALUE_IS(load("here", NULL), "sub", 3, "from here it is another file");
    struct fever_saved s;
    r = put("xyz", 3);
    TAP_IS(save(r, "../there", NULL, &s), 0, "saved to a relative path");
    TAP_IS(chdir(".."), 0, "back");
    TAP_OK(file_is("there", "xyz", 3), "there it is");
    fever_release(r);
    memset(path, 0, sizeof path); /* longer than the small definition takes */
    for (int i = 0; i < 400; i++)
        strcat(path, "sub/../");
    strcat(path, "here");
    VALUE_IS(load(path, NULL), "abc", 3, "a path of %zu characters", strlen(path));
    memset(path, 'x', 300);
    path[300] = '\0';
    fails(load(path, NULL), ENAMETOOLONG, "File name too long", "a name of 300 characters");
    memset(path, '/', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    TAP_IS(fever_load(path, NULL, &r), -ENAMETOOLONG, "a path of %zu characters", strlen(path));
    TAP_IS(fever_save(FEVER_NULL_REF, path, NULL, &r), -ENAMETOOLONG, "for save, too");
    unlink("there");
    unlink("sub/here");
    rmdir("sub");
}

static void test_errors(void) {
    fails(load("nowhere", NULL), ENOENT, "nowhere: No such file or directory", "a file that is not there");
    fails(load("here/x", NULL), ENOTDIR, "here/x: Not a directory", "a file as a folder");
    fails(load(".", NULL), EISDIR, "Is a directory", "a folder");
    mkfifo("pipe", 0600);
    fails(load("pipe", NULL), ESPIPE, "no file but a pipe", "a pipe does not hang");
    fails(load("/dev/null", NULL), ESPIPE, "no file but a device", "a device");
    struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0)
        fails(load("socket", NULL), ESPIPE, "no file but a socket", "a socket");
    close(fd);
    unlink("socket");
    if (symlink("loop", "loop") == 0)
        fails(load("loop", NULL), ELOOP, "loop", "a link to itself");
    unlink("loop");
    fd = open("huge", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (ftruncate(fd, (off_t)3 * (off_t)STORE) == 0) {
        fails(load("huge", NULL), FEVER_ETOOBIG, "huge: 301989888 bytes: larger than the store can ever hold", "larger than the store");
        const char *at;
        size_t      n;
        fever_ref   r = load("huge", FEVER_LOAD(.offset = 2 * STORE, .bytes = 30 * MIB));
        TAP_OK(fever_view(r, &at, &n) == 0 && n == 30 * MIB && at[0] == 0 && at[n - 1] == 0, "but a part of it, which is a hole");
        fever_release(r);
    }
    close(fd);
    unlink("huge");

    fever_ref missing = load("nowhere", NULL), of_it = FEVER_NULL_REF;
    fever_save(missing, "never", NULL, &of_it);
    TAP_IS(fever_wait_one(of_it, FEVER_FOREVER), -ENOENT, "it ends");
    struct fever_error e = rt_error(of_it);
    TAP_OK(e.code == ENOENT && strcmp(e.task, "fever_load") == 0 && e.n_dependents == 1 && strcmp(e.dependent[0].task, "fever_save") == 0,
           "saving what could not be loaded: the error of the load, and the save in its chain");
    fever_release(missing);
    fever_release(of_it);

    struct fever_saved s;
    fever_ref          r = put("data", 4), done;
    TAP_IS(save(r, "nowhere/x", NULL, &s), -ENOENT, "save into no folder");
    TAP_IS(save(r, "here/x", NULL, &s), -ENOTDIR, "save into a file");
    TAP_IS(save(r, ".", NULL, &s), -EISDIR, "save as a folder");
    TAP_IS(save(r, "x/", NULL, &s), -EISDIR, "with a slash at its end");
    TAP_IS(save(r, "pipe", NULL, &s), -ESPIPE, "save into a pipe");
    TAP_IS(save(r, "/dev/full", NULL, &s), -ESPIPE, "save into a device");
    TAP_IS(fever_save(r, "x", FEVER_SAVE(.mode = 010000), &done), -FEVER_EINVAL, "no such mode");
    TAP_IS(fever_save(r, "x", FEVER_SAVE(.sync = 2), &done), -FEVER_EINVAL, "sync is 0 or 1");
    TAP_IS(fever_save(r, "x", FEVER_SAVE(.verify = -1), &done), -FEVER_EINVAL, "no such verify");
    TAP_IS(fever_save(r, NULL, NULL, &done), -FEVER_ENULL, "no path");
    TAP_IS(fever_save(r, "x", NULL, NULL), -FEVER_ENULL, "no place for the ref");
    TAP_IS(fever_save(FEVER_NULL_REF, "x", NULL, &done), -FEVER_ENULL, "no ref");
    fever_release(r);
    TAP_IS(fever_save(r, "x", NULL, &done), -FEVER_ESTALE, "a ref that was released");
    unlink("pipe");
}

static void test_proc(void) {
    const char *at;
    size_t      n = 0;
    fever_ref   r = load("/proc/self/maps", NULL);
    TAP_OK(fever_view(r, &at, &n) == 0 && n > 100 && at[n - 1] == '\n', "a file without a size: %zu bytes", n);
    fever_release(r);
    r = load("/proc/self/stat", FEVER_LOAD(.bytes = 3));
    TAP_OK(fever_view(r, &at, &n) == 0 && n == 3, "a part of one");
    fever_release(r);
    fails(load("/proc/self/stat", FEVER_LOAD(.offset = 10, .bytes = MIB)), FEVER_ESHORT, "1048576 bytes are wanted from 10 on", "more than it has");
    if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0) {
        r = load("/sys/kernel/mm/transparent_hugepage/enabled", NULL);
        TAP_OK(fever_view(r, &at, &n) == 0 && n > 0 && n < 1000 && at[n - 1] == '\n', "a file that claims to have a page: %zu bytes", n);
        fever_release(r);
    }
}

static void test_verify(void) {
    struct fever_saved s = {0};
    uint64_t           sum = fever_checksum(bytes_of, BIG);
    fever_ref          r = put(bytes_of, BIG);
    TAP_IS(fever_checksum(NULL, 0), fever_checksum("x", 0), "the checksum of nothing");
    TAP_OK(fever_checksum("", 0) == 0x2D06800538D394C2ull, "is that of XXH3");
    TAP_IS(save(r, "saved", FEVER_SAVE(.verify = FEVER_VERIFY_CHECKSUM | FEVER_VERIFY_READ_BACK, .checksum = sum, .sync = 1), &s), 0, "saved, and verified");
    TAP_OK(s.bytes == BIG && s.checksum == sum, "it says what");
    TAP_OK(file_is("saved", bytes_of, BIG), "it is there");
    fever_ref done;
    TAP_IS(fever_save(r, "other", FEVER_SAVE(.verify = FEVER_VERIFY_CHECKSUM, .checksum = sum ^ 1), &done), 0, "with another checksum");
    fails(done, FEVER_ECORRUPT, "the checksum of the object is", "it is not saved");
    TAP_IS(access("other", F_OK), -1, "there is no file");
    fever_release(r);
    static const size_t flip[] = {0, 4096, 20 * MIB + 7, BIG - 1};
    for (size_t i = 0; i < sizeof flip / sizeof flip[0]; i++) { /* one bit, anywhere */
        int fd = open("saved", O_RDWR | O_CLOEXEC);
        char c = (char)(bytes_of[flip[i]] ^ 16);
        if (pwrite(fd, &c, 1, (off_t)flip[i]) != 1)
            tap_bail("cannot write");
        fails(load("saved", FEVER_LOAD(.verify = FEVER_VERIFY_CHECKSUM, .checksum = sum)), FEVER_ECORRUPT, "its checksum is", "a flipped bit");
        if (pwrite(fd, &bytes_of[flip[i]], 1, (off_t)flip[i]) != 1)
            tap_bail("cannot write");
        close(fd);
    }
    VALUE_IS(load("saved", FEVER_LOAD(.verify = FEVER_VERIFY_CHECKSUM, .checksum = sum)), bytes_of, BIG, "flipped back");
    unlink("saved");
}

static void test_save(void) {
    static const size_t size[] = {0, 1, 16, 17, 4096, 70000, 262144, 262145, BIG};
    struct fever_saved  s;
    struct stat         st;
    int                 names = n_names();
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        fever_ref r = put(bytes_of + i, size[i]);
        TAP_OK(save(r, "new", NULL, &s) == 0 && s.bytes == size[i] && s.checksum == 0, "saved");
        TAP_OK(file_is("new", bytes_of + i, size[i]), "%zu bytes: over what was there", size[i]);
        unlink("fresh");
        TAP_OK(save(r, "fresh", FEVER_SAVE(.sync = 1, .verify = FEVER_VERIFY_READ_BACK), &s) == 0 && file_is("fresh", bytes_of + i, size[i]),
               "where there was nothing, and read back");
        fever_release(r);
    }
    fever_ref r = put("secret", 6);
    TAP_OK(save(r, "new", FEVER_SAVE(.mode = 0400), &s) == 0 && stat("new", &st) == 0 && (st.st_mode & 07777) == 0400, "with a mode");
    TAP_OK(save(r, "new", NULL, &s) == 0 && stat("new", &st) == 0 && (st.st_mode & 07777) == (0666 & ~022u), "and the usual one");
    TAP_IS(symlink("new", "link"), 0, "a link");
    TAP_OK(save(r, "link", NULL, &s) == 0 && lstat("link", &st) == 0 && S_ISLNK(st.st_mode), "is followed");
    fever_release(r);
    TAP_OK(file_is("new", "secret", 6), "to the file");
    /* of what does not exist yet, and of what never will */
    fever_ref promise, done[2];
    fever_promise(&promise);
    fever_save(promise, "later", NULL, &done[0]);
    fever_promise_set(promise, "later", 5);
    TAP_OK(fever_get(done[0], &s) == 0 && file_is("later", "later", 5), "saved when it was ready");
    fever_release(promise);
    fever_promise(&promise);
    fever_save(promise, "never", NULL, &done[1]);
    fever_promise_fail(promise, 7, "no such thing");
    TAP_IS(fever_get(done[1], &s), -FEVER_EAPP, "of what failed: its error");
    TAP_IS(access("never", F_OK), -1, "and no file");
    fever_release(promise);
    fever_release(done[0]);
    fever_release(done[1]);
    /* file to file */
    write_file("from", bytes_of, 5 * MIB);
    r = load("from", NULL);
    TAP_OK(save(r, "to", NULL, &s) == 0 && file_is("to", bytes_of, 5 * MIB), "a load handed to a save");
    fever_release(r);
    static const char *const made[] = {"new", "fresh", "link", "later", "from", "to"};
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        unlink(made[i]);
    TAP_IS(n_names(), names, "no other file is left");
}

/* A file that becomes shorter while it is read, and one that becomes longer. */
static void test_changing(void) {
    int exact = 0, n_short = 0, other = 0;
    int fd = open("changing", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; i < 20; i++) {
        fever_ref   r;
        const char *at;
        size_t      n = 0;
        if (ftruncate(fd, 0) != 0 || ftruncate(fd, BIG) != 0)
            tap_bail("cannot set the size of a file");
        fever_load("changing", NULL, &r);
        struct timespec t = {0, 300000l * i};
        nanosleep(&t, NULL);
        if (ftruncate(fd, i & 1 ? 100 : 2 * (off_t)BIG) != 0)
            tap_bail("cannot set the size of a file");
        int rc = fever_view(r, &at, &n);
        exact += rc == 0 && n == BIG;
        n_short += rc == -FEVER_ESHORT;
        other += !(rc == 0 && (n == BIG || n == 100 || n == 2 * (size_t)BIG)) && rc != -FEVER_ESHORT;
        fever_release(r);
    }
    close(fd);
    unlink("changing");
    TAP_IS(other, 0, "20 files that change: %d as they were when opened, %d short, none else", exact, n_short);
}

static void test_many(void) {
    enum { N = 1000 };
    static fever_ref refs[N];
    static char      name[N][16];
    const char      *paths[N];
    int              wrong = 0;
    for (int i = 0; i < N; i++) {
        snprintf(name[i], sizeof name[i], "m%d", i);
        paths[i] = name[i];
        if (i % 100 != 99)
            write_file(name[i], bytes_of + i, (size_t)i * 13);
    }
    TAP_IS(fever_load_many(paths, N, NULL, refs), 0, "%d files at once", N);
    for (int i = 0; i < N; i++) {
        const char *at;
        size_t      n = 0;
        int         rc = fever_view(refs[i], &at, &n);
        wrong += i % 100 == 99 ? rc != -ENOENT : rc != 0 || n != (size_t)i * 13 || memcmp(at, bytes_of + i, n) != 0;
        fever_release(refs[i]);
        unlink(name[i]);
    }
    TAP_IS(wrong, 0, "each is right, and 10 are not there");
}

/* Kills the worker that runs the task, if any does.  True when it did. */
static bool kill_runner(fever_ref task) {
    for (uint32_t slot = 1; slot <= fv_rt.n_worker_slots; slot++) {
        struct fv_proc *p = fv_proc(slot);
        if (fv_load_acquire_64(&p->current) == task.id && p->pid != 0) {
            kill((pid_t)p->pid, SIGKILL);
            return true;
        }
    }
    return false;
}
static bool is_ready(fever_ref ref) { return fever_wait_one(ref, 0) != -FEVER_ETIMEDOUT; }

/* Kills whoever runs it, some time after it has begun, up to `most` times. */
static int kill_while_it_runs(fever_ref task, long after_ns, int most) {
    int n = 0;
    for (double end = rt_now() + 6 * RT_LONG; n < most && !is_ready(task) && rt_now() < end;) {
        struct timespec t = {0, after_ns};
        nanosleep(&t, NULL);
        if (kill_runner(task)) {
            n++;
            rt_nap();
        }
    }
    return n;
}

static void test_killed(void) {
    int  n_kills = 0, wrong = 0, half = 0, kept = 0;
    int  names;
    write_file("big", bytes_of, BIG);
    for (int i = 0; i < 15; i++) {
        int fd = open("big", O_RDONLY | O_CLOEXEC); /* from the disk: that takes longer */
        fsync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
        fever_ref r;
        fever_load("big", FEVER_LOAD(.task = FEVER_WITH(.max_retries = 20), .verify = i % 3 == 0 ? FEVER_VERIFY_READ_BACK : 0), &r);
        n_kills += kill_while_it_runs(r, 50000l * i, 3);
        wrong += !value_is(r, bytes_of, BIG);
    }
    TAP_IS(wrong, 0, "15 loads, their workers killed %d times on the way: all right", n_kills);
    TAP_OK(n_kills > 0, "somebody was killed");
    unlink("big");
    n_kills = 0;
    names = n_names();
    write_file("target", "old", 3);
    fever_ref r = put(bytes_of, BIG);
    for (int i = 0; i < 15; i++) {
        fever_ref          done;
        struct fever_saved s;
        write_file("target", "old", 3);
        fever_save(r, "target", FEVER_SAVE(.sync = 1, .task = FEVER_WITH(.max_retries = i % 2 ? 20 : FEVER_NO_RETRY)), &done);
        n_kills += kill_while_it_runs(done, 100000l * i, 3);
        int  rc = fever_get(done, &s);
        bool is_old = file_is("target", "old", 3), is_new = file_is("target", bytes_of, BIG);
        half += !is_old && !is_new;
        wrong += rc == 0 ? !is_new : rc != -FEVER_ECRASHED;
        kept += is_old;
        fever_release(done);
    }
    TAP_IS(half, 0, "15 saves, their workers killed %d times on the way: the file is old (%d) or new, never half", n_kills, kept);
    TAP_IS(wrong, 0, "and where it says done, it is new");
    TAP_OK(n_kills > 0, "somebody was killed");
    fever_release(r);
    unlink("target");
    TAP_OK(n_names() <= names + 1, "no more than one name of its own is left: %d", n_names() - names);
}

static void test_cancel(void) {
    fever_ref   r, promise, done;
    const char *at;
    fever_promise(&promise);
    fever_save(promise, "x", NULL, &done);
    TAP_IS(fever_cancel(done, 0), 1, "a save that waits is cancelled");
    TAP_IS(fever_view(done, &at, NULL), -FEVER_ECANCELED, "it says so");
    fever_promise_set(promise, "x", 1);
    fever_release(promise);
    fever_release(done);
    TAP_IS(access("x", F_OK), -1, "no file");
    write_file("big", bytes_of, BIG);
    for (int i = 0; i < 10; i++) {
        fever_load("big", NULL, &r);
        fever_cancel(r, i & 1 ? FEVER_CANCEL_FORCE : 0);
        int rc = fever_view(r, &at, NULL);
        if (rc != 0 && rc != -FEVER_ECANCELED)
            TAP_IS(rc, 0, "a load that is cancelled is done, or cancelled");
        fever_release(r);
    }
    unlink("big");
}

/* As somebody who may not. */
static void test_denied(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        fever_ref          r;
        struct fever_error e;
        const char        *at;
        struct fever_saved s;
        mkdir("locked", 0700);
        chmod("locked", 0500);
        write_file("unreadable", "x", 1);
        chmod("unreadable", 0);
        if (geteuid() == 0 && (chown("unreadable", 0, 0) != 0 || setgid(65534) != 0 || setuid(65534) != 0))
            _exit(9);
        if (fever_init(FEVER_OPTIONS(.workers = 1, .store_bytes = 16 << 20, .quiet = 1)) != 0)
            _exit(8);
        if (fever_load("unreadable", NULL, &r) != 0 || fever_view(r, &at, NULL) != -EACCES || fever_error(r, &e) != 0 ||
            strstr(e.text, "unreadable: Permission denied") == NULL)
            _exit(1);
        fever_release(r);
        fever_put("data", 4, &r);
        if (save(r, "locked/x", NULL, &s) != -EACCES)
            _exit(2);
        fever_release(r);
        _exit(fever_shutdown() == 0 ? 0 : 3);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
        tap_diag("cannot become nobody");
    else
        TAP_IS(status, 0, "what may not be read or written is -EACCES");
    rmdir("locked");
    unlink("unreadable");
}

/* The worker may not write files above 5 MiB: it does not die of that. */
static void test_limit(void) {
    struct rlimit little = {5 * MIB, RLIM_INFINITY};
    fever_ref     r = put(bytes_of, BIG), done = FEVER_NULL_REF;
    TAP_IS(prlimit((pid_t)fv_proc(1)->pid, RLIMIT_FSIZE, &little, NULL), 0, "a limit");
    fever_save(r, "limited", FEVER_SAVE(.task = FEVER_WITH(.max_retries = FEVER_NO_RETRY)), &done);
    fails(done, EFBIG, "limited: after 0 of 38798546 bytes: File too large", "a file above the limit");
    TAP_IS(access("limited", F_OK), -1, "no file");
    fever_release(r);
}

int main(void) {
    rt_begin(280);
    umask(022);
    if (getcwd(top, sizeof top) == NULL || mkdtemp(dir) == NULL || chmod(dir, 0777) != 0 || chdir(dir) != 0)
        tap_bail("no folder");
    bytes_of = malloc(BIG + 64);
    uint64_t x = 1;
    for (size_t i = 0; i < BIG + 64; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        bytes_of[i] = (char)(x >> 56);
    }
    test_denied();
    rt_init(.workers = 2, .store_bytes = STORE);
    test_whole_files();
    test_ranges();
    unlink("whole");
    test_paths();
    test_errors();
    test_proc();
    test_verify();
    test_save();
    test_changing();
    test_many();
    test_cancel();
    test_killed();
    unlink("here");
    TAP_IS(rt_validate(), 0, "the books are right");
    rt_balanced(0);
    rt_shutdown();
    rt_init(.workers = 1, .store_bytes = STORE, .inline_tasks = 1);
    write_file("whole", bytes_of, 3 * MIB);
    VALUE_IS(load("whole", NULL), bytes_of, 3 * MIB, "in the driver");
    struct fever_saved s;
    fever_ref          r = put(bytes_of, 3 * MIB);
    TAP_OK(save(r, "whole", NULL, &s) == 0 && file_is("whole", bytes_of, 3 * MIB), "saved in the driver");
    fever_release(r);
    unlink("whole");
    rt_shutdown();
    rt_init(.workers = 1, .store_bytes = STORE);
    test_limit();
    rt_shutdown();
    if (chdir(top) == 0)
        TAP_IS(rmdir(dir), 0, "no other file was made");
    return tap_done();
}
