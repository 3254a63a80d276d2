/* dd.c: the peer of load, save, spill and restore: dd past the page cache, and the file that both are measured with. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PIECE ((size_t)8 << 20)

static char path[PATH_MAX];

static void remove_file(void) { unlink(path); }

const char *bench_file(size_t bytes) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/fever-bench-XXXXXX", folder != NULL && folder[0] != '\0' ? folder : "/var/tmp");
    int fd = mkstemp(path);
    if (fd < 0)
        bench_skip("%s: %s", path, strerror(errno));
    atexit(remove_file);
    if (fcntl(fd, F_SETFL, O_DIRECT) != 0)
        bench_skip("%s: the file system has no O_DIRECT; --dir names another folder", path);
    unsigned char *data = bench_warm_memory(PIECE, false);
    for (size_t at = 0; at < bytes; at += PIECE) {
        size_t n = bytes - at < PIECE ? bytes - at : PIECE;
        memcpy(data, &at, sizeof at); /* no two pieces are the same */
        if (pwrite(fd, data, n, (off_t)at) != (ssize_t)n)
            bench_skip("%s: %s", path, strerror(errno));
    }
    if (fsync(fd) != 0)
        bench_skip("%s: %s", path, strerror(errno));
    close(fd);
    munmap(data, PIECE);
    return path;
}

/* Runs dd with these arguments, its standard input from `from`.  GB/s. */
static double run_dd(size_t bytes, int from, const char *const argv[]) {
    uint64_t start = bench_now_ns();
    int      status = -1;
    pid_t    pid = fork();
    if (pid == 0) {
        dup2(from, STDIN_FILENO);
        char *copy[8] = {NULL}; /* execvp wants strings that may be written */
        for (int i = 0; i < 7 && argv[i] != NULL; i++)
            copy[i] = strdup(argv[i]);
        execvp("dd", copy);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        bench_fail("fork: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        bench_skip("there is no dd");
    if (status != 0)
        bench_fail("dd ended with status %#x", (unsigned)status);
    return (double)bytes / (double)(bench_now_ns() - start);
}

static void measure_load(const struct bench_config *config, const char *figure, const char *block) {
    size_t bytes = bench_big_bytes(config);
    double rates[BENCH_BIG_ROUNDS_MAX];
    int    n = config->sizes->big_rounds, fd = open(bench_file(bytes), O_RDONLY | O_CLOEXEC);
    for (int i = 0; i < n; i++) {
        lseek(fd, 0, SEEK_SET);
        rates[i] = run_dd(bytes, fd, (const char *[]){"dd", "of=/dev/null", "iflag=direct", block, "status=none", NULL});
    }
    bench_figure(figure, bench_median(rates, (size_t)n));
}

/* From a file in memory; sync: through to the disk, as Fever's with sync. */
static void measure_save(const struct bench_config *config, const char *figure, const char *block, bool sync) {
    size_t         bytes = bench_big_bytes(config);
    char           out[PATH_MAX + 8];
    double         rates[BENCH_BIG_ROUNDS_MAX];
    int            n = config->sizes->big_rounds, fd = memfd_create("fever-bench", MFD_CLOEXEC);
    unsigned char *data = bench_warm_memory(bytes, true);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0)
        bench_skip("memfd_create: %s", strerror(errno));
    for (size_t at = 0; at < bytes;) {
        ssize_t done = pwrite(fd, data + at, bytes - at, (off_t)at);
        if (done <= 0)
            bench_fail("write to memory: %s", strerror(errno));
        at += (size_t)done;
    }
    snprintf(out, sizeof out, "of=%s", bench_file(0));
    for (int i = 0; i < n; i++) {
        unlink(path);
        lseek(fd, 0, SEEK_SET);
        rates[i] = run_dd(bytes, fd, (const char *[]){"dd", out, "oflag=direct", block, "status=none", sync ? "conv=fsync" : NULL, NULL});
    }
    bench_figure(figure, bench_median(rates, (size_t)n));
}

#define DD(size, block) \
    static void run_load_##size(const struct bench_config *config) { measure_load(config, "load", block); } \
    static void run_save_##size(const struct bench_config *config) { measure_save(config, "save", block, true); } \
    static void run_restore_##size(const struct bench_config *config) { measure_load(config, "restore", block); } \
    static void run_spill_##size(const struct bench_config *config) { measure_save(config, "spill", block, false); }
DD(1m, "bs=1M")
DD(16m, "bs=16M")

const struct bench_case bench_cases_dd[] = {
    {"load", "dd-1m", run_load_1m}, {"load", "dd-16m", run_load_16m}, {"save", "dd-1m", run_save_1m}, {"save", "dd-16m", run_save_16m},
    {"spill", "dd-1m", run_spill_1m}, {"spill", "dd-16m", run_spill_16m}, {"restore", "dd-1m", run_restore_1m},
    {"restore", "dd-16m", run_restore_16m},
    {NULL, NULL, NULL},
};
