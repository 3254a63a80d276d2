/* copy_sizes.c: which copy is the fastest, by size: memcpy, rep movsb, or stores past the caches.
 *
 * Run by:          hand: make bench/copy_sizes && bench/copy_sizes.  What base/copy.h chooses rests on this.
 *
 * Source and target are warm memory in 2 MiB pages where these can be had; the target is shared memory, as in the store.  Small sizes go
 * round through 64 MiB of targets, so that these are not in the caches, as the next free block of a store is not.  In turns, the best of
 * many: others that run only slow some of them down.
 */
#include <emmintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define TARGETS (64ull << 20)
#define TURNS   9

static volatile uint64_t sink;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void by_memcpy(char *to, const char *from, size_t n) { memcpy(to, from, n); }
static void by_movsb(char *to, const char *from, size_t n) { __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory"); }
static void by_stream(char *to, const char *from, size_t n) /* n is a multiple of 64 */
{
    for (size_t i = 0; i < n; i += 64) {
        __m128i a = _mm_loadu_si128((const void *)(from + i)), b = _mm_loadu_si128((const void *)(from + i + 16)),
                c = _mm_loadu_si128((const void *)(from + i + 32)), d = _mm_loadu_si128((const void *)(from + i + 48));
        _mm_stream_si128((void *)(to + i), a);
        _mm_stream_si128((void *)(to + i + 16), b);
        _mm_stream_si128((void *)(to + i + 32), c);
        _mm_stream_si128((void *)(to + i + 48), d);
    }
    _mm_sfence();
}

static void *warm(size_t bytes, int flags)
{
    char *p = mmap(NULL, bytes + (2 << 20), PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        exit(1);
    p = (char *)(((uintptr_t)p + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
    memset(p, 1, bytes);
    madvise(p, bytes, MADV_COLLAPSE);
    memset(p, 2, bytes);
    return p;
}

/* As who views the object next. */
static uint64_t sum(const char *at, size_t n)
{
    const __m128i *w = (const void *)at;
    __m128i        x = _mm_setzero_si128(), y = x, z = x, u = x;

    for (size_t i = 0; i < n / 16; i += 4) {
        x = _mm_add_epi64(x, w[i]);
        y = _mm_add_epi64(y, w[i + 1]);
        z = _mm_add_epi64(z, w[i + 2]);
        u = _mm_add_epi64(u, w[i + 3]);
    }
    return (uint64_t)_mm_cvtsi128_si64(_mm_add_epi64(_mm_add_epi64(x, y), _mm_add_epi64(z, u)));
}

/* moves: the target is another each time; reads: it is read afterwards. */
static void table(char *to, const char *from, size_t most, int moves, int reads)
{
    static void (*const copy[])(char *, const char *, size_t) = {by_memcpy, by_movsb, by_stream};

    printf("\nThe target is %s%s\n", moves ? "not in the caches" : "where the last one was", reads ? ", and is read afterwards" : "");
    printf("%10s %10s %10s %10s   GB/s\n", "bytes", "memcpy", "rep movsb", "streaming");
    for (size_t n = 4096; n <= most; n *= n < (4u << 20) ? 2 : 4) {
        double best[3] = {1e9, 1e9, 1e9};
        size_t all = n < TARGETS ? TARGETS : n;

        for (int turn = 0; turn < TURNS; turn++)
            for (int k = 0; k < 3; k++) {
                double begin = now();

                for (size_t at = 0; at < all; at += n) {
                    copy[k](to + (moves ? at : 0), from, n);
                    if (reads)
                        sink += sum(to + (moves ? at : 0), n);
                }
                double took = now() - begin;
                best[k] = took < best[k] ? took : best[k];
            }
        printf("%10zu %10.2f %10.2f %10.2f\n", n, (double)all / best[0] * 1e-9, (double)all / best[1] * 1e-9, (double)all / best[2] * 1e-9);
    }
}

int main(void)
{
    size_t most = 256ull << 20;
    char  *from = warm(most, MAP_PRIVATE), *to = warm(most, MAP_SHARED);

    for (int reads = 0; reads < 2; reads++)
        for (int moves = 1; moves >= 0; moves--)
            table(to, from, most, moves, reads);
    return 0;
}
