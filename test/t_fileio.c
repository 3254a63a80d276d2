/* t_fileio.c: bytes between files and memory, by both ways and past the page cache where that can be. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"
#include "plat/fileio.h"
#include "tap.h"

#define MIB (1u << 20)

static char dir[] = "t_fileio.XXXXXX";
static const char *in_dir(const char *name) {
    static char path[2][64];
    static int  k;
    k = !k;
    snprintf(path[k], sizeof path[k], "%s/%s", dir, name);
    return path[k];
}

static void *map_shared(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        tap_bail("no memory");
    return p;
}

static void fill(unsigned char *p, size_t bytes, uint64_t seed) {
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        p[i] = (unsigned char)(seed >> 56);
    }
}

/* Sizes and offsets at which something changes: each is written, and read back by all ways. */
static void test_round_trips(struct fv_io_queue *q, bool direct, unsigned char *data, unsigned char *back) {
    static const uint64_t size[] = {0, 1, 511, 512, 4095, 4096, 4097, 12288, 100000, MIB - 1, MIB, MIB + 1, 3 * MIB + 5, 33 * MIB + 4097};
    static const uint64_t offset[] = {0, 1, 512, 4095, 4096, 5 * MIB + 3};
    int                   wrong = 0, n = 0;
    struct fv_file        f;
    if (!TAP_IS(fv_file_open(in_dir("trip"), O_RDWR | O_CREAT | O_TRUNC, 0600, direct, &f), 0, "opened"))
        return;
    for (size_t i = 0; i < FV_COUNT_OF(size); i++)
        for (size_t j = 0; j < FV_COUNT_OF(offset); j++)
            for (size_t shift = 0; shift < 128; shift += 127) {
                struct fv_io io = {.file = &f, .write = true, .at = data + shift, .bytes = size[i], .offset = offset[j]};
                fill(data + shift, FV_MIN(size[i], 70000u), i * 100 + j * 2 + shift);
                bool good = fv_io_run(q, &io, 1) == 0 && io.done == size[i] && io.result == 0;
                for (int is_private = 0; is_private < 2; is_private++) {
                    memset(back, 0, size[i] + 256);
                    io = (struct fv_io){.file = &f, .is_private = is_private, .at = back + shift, .bytes = size[i], .offset = offset[j]};
                    good = good && fv_io_run(q, &io, 1) == 0 && io.done == size[i] && memcmp(back + shift, data + shift, size[i]) == 0 &&
                           back[shift + size[i]] == 0;
                }
                wrong += !good;
                n++;
                if (!good)
                    tap_diag("%zu bytes at %zu, memory off by %zu: done %zu, %s", (size_t)size[i], (size_t)offset[j], shift, (size_t)io.done,
                             strerror(-io.result));
            }
    TAP_IS(wrong, 0, "%d round trips, %s, %s", n, q != NULL ? "a queue" : "no queue", f.direct >= 0 ? "past the page cache" : "through it");
    fv_file_close(&f);
    TAP_OK(f.fd == -1 && f.direct == -1, "closed");
}

/* A batch over two files, in pieces that go round each other; one beyond the end, one on a descriptor that is none. */
static void test_batch(struct fv_io_queue *q, unsigned char *data, unsigned char *back) {
    enum { N = 200, EACH = 70001 };
    struct fv_file f[2], none = {.fd = -1, .direct = -1, .align = 4096, .memory_align = 1};
    struct fv_io   io[N + 3];
    int            wrong = 0;
    fill(data, (size_t)N * EACH, 7);
    for (int i = 0; i < 2; i++)
        fv_file_open(in_dir(i ? "b" : "a"), O_RDWR | O_CREAT | O_TRUNC, 0600, i == 0, &f[i]);
    for (int write = 1; write >= 0; write--) {
        unsigned char *at = write ? data : back;
        for (int i = 0; i < N; i++)
            io[i] = (struct fv_io){.file = &f[i & 1], .write = write, .is_private = i % 3 == 0, .at = at + (size_t)i * EACH, .bytes = EACH,
                                   .offset = (uint64_t)(i / 2) * EACH};
        TAP_IS(fv_io_run(q, io, N), 0, "%d requests to two files", N);
    }
    TAP_IS(memcmp(data, back, (size_t)N * EACH), 0, "the same bytes");
    uint64_t end = (uint64_t)N / 2 * EACH;
    for (int i = 0; i < N; i++)
        io[i] = (struct fv_io){.file = &f[i & 1], .is_private = i & 2, .at = back + (size_t)i * EACH, .bytes = EACH, .offset = (uint64_t)(i / 2) * EACH};
    io[N] = (struct fv_io){.file = &f[0], .is_private = true, .at = back, .bytes = 5 * MIB, .offset = end - MIB - 100};
    io[N + 1] = (struct fv_io){.file = &none, .is_private = true, .at = back, .bytes = 5 * MIB};
    io[N + 2] = (struct fv_io){.file = &f[1], .at = back, .bytes = 100, .offset = end + 12345};
    TAP_IS(fv_io_run(q, io, N + 3), -EBADF, "one of them cannot be");
    for (int i = 0; i < N; i++)
        wrong += io[i].done != EACH || io[i].result != 0;
    TAP_IS(wrong, 0, "the others are done");
    TAP_OK(io[N].done == MIB + 100 && io[N].result == 0, "read up to the end of the file: %zu", (size_t)io[N].done);
    TAP_OK(io[N + 1].done == 0 && io[N + 1].result == -EBADF, "no descriptor: done %zu, %d", (size_t)io[N + 1].done, io[N + 1].result);
    TAP_OK(io[N + 2].done == 0 && io[N + 2].result == 0, "behind the end there is nothing, and that is no error");
    TAP_IS(fv_io_run(q, io, 0), 0, "an empty batch");
    io[0] = (struct fv_io){.file = &f[0], .at = back, .bytes = 100, .offset = INT64_MAX};
    TAP_IS(fv_io_run(q, io, 1), -EOVERFLOW, "an offset that no file has");
    for (int i = 0; i < 2; i++)
        fv_file_close(&f[i]);
}

static void test_errors(struct fv_io_queue *q, unsigned char *data) {
    struct fv_file f;
    struct rlimit  old, little;
    TAP_IS(fv_file_open(in_dir("no such"), O_RDONLY, 0, true, &f), -ENOENT, "no such file");
    TAP_IS(fv_file_open(dir, O_RDWR, 0, true, &f), -EISDIR, "a folder");
    TAP_IS(fv_file_open("/dev/full", O_WRONLY, 0, true, &f), 0, "a device that is full");
    struct fv_io io = {.file = &f, .write = true, .at = data, .bytes = 3 * MIB};
    TAP_IS(fv_io_run(q, &io, 1), -ENOSPC, "says so");
    TAP_OK(io.done == 0 && io.result == -ENOSPC, "nothing is done");
    fv_file_close(&f);
    if (fv_file_open(in_dir("limited"), O_RDWR | O_CREAT, 0600, true, &f) != 0)
        return;
    getrlimit(RLIMIT_FSIZE, &old);
    little = (struct rlimit){3 * MIB + 100, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &little);
    signal(SIGXFSZ, SIG_IGN);
    io = (struct fv_io){.file = &f, .write = true, .at = data, .bytes = 8 * MIB};
    TAP_IS(fv_io_run(q, &io, 1), -EFBIG, "a file that would be too large");
    TAP_OK(io.done <= 3 * MIB + 100, "done up to the limit at most: %zu", (size_t)io.done);
    setrlimit(RLIMIT_FSIZE, &old);
    fv_file_close(&f);
    TAP_IS(fv_file_open(in_dir("limited"), O_RDONLY, 0, true, &f), 0, "opened for reading");
    io = (struct fv_io){.file = &f, .write = true, .at = data, .bytes = 5000};
    TAP_IS(fv_io_run(q, &io, 1), -EBADF, "and not for writing");
    fv_file_close(&f);
}

/* Files without a name, and on a file system in memory. */
static void test_unnamed(struct fv_io_queue *q, unsigned char *data, unsigned char *back) {
    int fd[2] = {open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), memfd_create("t_fileio", MFD_CLOEXEC)};
    for (int i = 0; i < 2; i++) {
        struct fv_file f;
        if (fd[i] < 0) {
            tap_diag("cannot be made: %s", i ? "memfd" : "O_TMPFILE");
            continue;
        }
        fv_file_adopt(fd[i], true, &f);
        fill(data, 70000, 99 + (unsigned)i);
        memset(back, 0, 3 * MIB);
        struct fv_io io = {.file = &f, .write = true, .at = data, .bytes = 3 * MIB}, in = {.file = &f, .at = back, .bytes = 3 * MIB};
        TAP_OK(fv_io_run(q, &io, 1) == 0 && fv_io_run(q, &in, 1) == 0 && memcmp(data, back, 3 * MIB) == 0, "a file without a name: %s",
               i ? "memfd" : f.direct >= 0 ? "O_TMPFILE, past the page cache" : "O_TMPFILE");
        fv_file_close(&f);
    }
}

/* A process is killed while it reads into memory that it shares: once it is reported dead nothing changes there. */
static void test_killed(unsigned char *back) {
    enum { ROUNDS = 20, BYTES = 33 * MIB };
    int n_changed = 0, n_begun = 0;
    for (int k = 0; k < ROUNDS; k++) {
        int  go[2];
        char c;
        memset(back, 0xAA, BYTES);
        if (pipe2(go, O_CLOEXEC) != 0)
            tap_bail("no pipe");
        pid_t pid = fork();
        if (pid == 0) {
            struct fv_file      f;
            struct fv_io_queue *q = fv_io_open(FV_IO_DEPTH);
            if (fv_file_open(in_dir("trip"), O_RDONLY, 0, true, &f) != 0 || write(go[1], "x", 1) != 1)
                _exit(1);
            struct fv_io io = {.file = &f, .at = back, .bytes = BYTES};
            fv_io_run(q, &io, 1);
            pause();
        }
        if (read(go[0], &c, 1) != 1)
            tap_bail("the child cannot read");
        struct timespec t = {0, 200000l * k}, after = {0, 20000000};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        for (size_t i = 0; i < BYTES; i += 4096)
            if (back[i] != 0xAA) {
                n_begun++;
                break;
            }
        memset(back, 0xAA, BYTES);
        nanosleep(&after, NULL);
        for (size_t i = 0; i < BYTES; i++)
            if (back[i] != 0xAA) {
                n_changed++;
                break;
            }
        close(go[0]);
        close(go[1]);
    }
    TAP_IS(n_changed, 0, "killed %d times while it reads, %d times with bytes there: none come later", ROUNDS, n_begun);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(200);
    if (mkdtemp(dir) == NULL)
        tap_bail("no folder");
    unsigned char      *data = map_shared(40 * MIB), *back = map_shared(40 * MIB);
    struct fv_io_queue *queue = fv_io_open(FV_IO_DEPTH);
    fill(data, 40 * MIB, 1);
    if (queue == NULL)
        tap_diag("no io_uring: everything is done by pread and pwrite");
    for (int i = 0; i < (queue != NULL ? 2 : 1); i++) {
        struct fv_io_queue *q = i ? queue : NULL;
        test_round_trips(q, false, data, back);
        test_round_trips(q, true, data, back);
        test_batch(q, data, back);
        test_errors(q, data);
        test_unnamed(q, data, back);
    }
    fv_io_close(queue);
    fv_io_close(NULL);
    queue = fv_io_open(1);
    if (queue != NULL)
        test_batch(queue, data, back);
    fv_io_close(queue);
    test_killed(back);
    static const char *const left[] = {"trip", "a", "b", "limited"};
    for (size_t i = 0; i < FV_COUNT_OF(left); i++)
        unlink(in_dir(left[i]));
    TAP_IS(rmdir(dir), 0, "no other file was made");
    return tap_done();
}
