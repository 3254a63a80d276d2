/* child.c: what the child processes share: choosing the case, printing figures, CPUs and memory.
 *
 * Run by fever-bench and by every peer's program, in the child that does one repetition.  Writes no
 * shared state but standard output, which the parent reads.
 */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const struct bench_sizes sizes_full = {
    .flood = 1000000, .rtt = 200000, .parked = 300, .fib = 30, .fib_spare = 12, .chain = 100000, .fan = 2000,
    .map = 1000000, .map_rounds = 20, .small = 1000000, .view = 1000000, .live = 1000000, .live_ops = 400000, .big_bytes = (size_t)1 << 30, .big_rounds = 5,
    .recover = 20,
};

static const struct bench_sizes sizes_quick = {
    .flood = 20000, .rtt = 2000, .parked = 20, .fib = 18, .fib_spare = 8, .chain = 2000, .fan = 50,
    .map = 1000000, .map_rounds = 1, .small = 10000, .view = 10000, .live = 10000, .live_ops = 5000, .big_bytes = (size_t)16 << 20, .big_rounds = 2,
    .recover = 3,
};

static cpu_set_t cpus_at_start;

int bench_child_main(int argc, char **argv, const struct bench_case *const *lists) {
    if (argc != 6 || strcmp(argv[1], "--one") != 0) {
        fprintf(stderr, "%s is run by fever-bench: --one BENCH IMPL WORKERS full|quick\n", argv[0]);
        return 2;
    }
    struct bench_config config = {.workers = atoi(argv[4]), .quick = strcmp(argv[5], "quick") == 0};
    config.sizes = config.quick ? &sizes_quick : &sizes_full;
    setvbuf(stdout, NULL, _IONBF, 0); /* nothing buffered that a forked worker could print again */
    sched_getaffinity(0, sizeof cpus_at_start, &cpus_at_start);
    if (config.workers < 1)
        bench_fail("%s workers", argv[4]);
    for (; *lists != NULL; lists++)
        for (const struct bench_case *c = *lists; c->bench != NULL; c++)
            if (strcmp(c->bench, argv[2]) == 0 && strcmp(c->impl, argv[3]) == 0) {
                c->run(&config);
                return 0;
            }
    bench_skip("not in this program");
}

static void print_line(const char *word, const char *format, va_list args) {
    char text[400];
    vsnprintf(text, sizeof text, format, args);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n')
            *p = ' ';
    printf("%s %s\n", word, text);
}

void bench_figure(const char *name, double value) {
    printf("figure %s %.9g\n", name, value);
}

void bench_note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("note", format, args);
    va_end(args);
}

void bench_skip(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("skip", format, args);
    va_end(args);
    exit(0);
}

void bench_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("error", format, args);
    va_end(args);
    exit(1);
}

void bench_pin(int i) {
    int n = CPU_COUNT(&cpus_at_start);
    if (n == 0)
        return;
    int left = i % n;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &cpus_at_start) && left-- == 0) {
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            sched_setaffinity(0, sizeof one, &one);
            return;
        }
}

void bench_die_with_parent(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void *bench_shared(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        bench_fail("mmap of %zu bytes: %s", bytes, strerror(errno));
    return p;
}

/* Bytes from a file of one number, or `otherwise` (also for "max"). */
static uint64_t read_number(const char *path, uint64_t otherwise) {
    FILE *f = fopen(path, "re");
    unsigned long long v;
    if (f == NULL)
        return otherwise;
    uint64_t result = fscanf(f, "%llu", &v) == 1 ? v : otherwise;
    fclose(f);
    return result;
}

static uint64_t memory_available(void) {
    uint64_t available = UINT64_MAX;
    char     line[200];
    FILE    *f = fopen("/proc/meminfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        unsigned long long kib;
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            available = (uint64_t)kib * 1024;
    }
    if (f != NULL)
        fclose(f);
    uint64_t limit = read_number("/sys/fs/cgroup/memory.max", UINT64_MAX);
    uint64_t used = read_number("/sys/fs/cgroup/memory.current", 0);
    if (limit != UINT64_MAX && limit > used && limit - used < available)
        available = limit - used;
    return available;
}

size_t bench_big_bytes(const struct bench_config *config) {
    size_t         bytes = config->sizes->big_bytes;
    uint64_t       memory = memory_available();
    struct statvfs shm;
    uint64_t       store = UINT64_MAX;
    if (statvfs("/dev/shm", &shm) == 0 && (uint64_t)shm.f_bavail * shm.f_frsize > (uint64_t)64 << 20)
        store = (uint64_t)shm.f_bavail * shm.f_frsize; /* a smaller one is not used: memfd takes its place */
    while (bytes > (size_t)2 << 20 && (memory / 10 * 8 < 4 * (uint64_t)bytes || store / 10 * 9 < 3 * (uint64_t)bytes))
        bytes /= 2;
    if (bytes != config->sizes->big_bytes)
        bench_note("%zu MiB, as memory allows", bytes >> 20);
    return bytes;
}

unsigned char *bench_warm_memory(size_t bytes, bool huge_pages) {
    size_t         huge = (size_t)2 << 20;
    unsigned char *p = mmap(NULL, bytes + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        bench_fail("mmap of %zu bytes: %s", bytes, strerror(errno));
    p += (huge - (uintptr_t)p % huge) % huge;
    madvise(p, bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    uint64_t x = 1;
    for (size_t i = 0; i + sizeof x <= bytes; i += sizeof x) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        memcpy(p + i, &x, sizeof x);
    }
    return p;
}

void bench_sleep(double seconds) {
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t n) {
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, compare_doubles);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
