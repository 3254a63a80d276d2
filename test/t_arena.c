/* t_arena.c: blocks, chunks and runs of chunks: against a model, by several processes at once, and by such as are killed. */
#include "rt.h"

#include "shm/arena.h"

#define STORE   (61ull * FV_SUPER_BYTES / 2 + 5 * FV_CHUNK_BYTES) /* the last super is cut short */
#define PROCS   4u
#define BLOCKS  64u
#define ROOT(p) (1000u + (p))

static uint64_t state = 88172645463325252ull;
static uint64_t random_64(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

struct block {
    uint64_t offset, bytes;
    uint32_t gen;
};

/* small, of some chunks, of supers and a bit */
static uint64_t some_bytes(void)
{
    switch (random_64() % 4) {
    case 0: return random_64() % FV_SMALL_MOST + 1;
    case 1: return random_64() % (4 * FV_CHUNK_BYTES) + 1;
    case 2: return random_64() % (3 * FV_SUPER_BYTES) + 1;
    default: return (random_64() % 4 + 1) * FV_SUPER_BYTES;
    }
}

static uint64_t tag_of(uint32_t p, const struct block *b, uint64_t at) { return (uint64_t)p << 56 ^ (uint64_t)b->gen << 24 ^ at; }

/* A word at the block's begin, at its end, and in each chunk between. */
static bool tag(uint32_t p, const struct block *b, bool check)
{
    bool good = true;

    for (uint64_t at = 0; b->bytes >= 8; at = FV_MIN(at + FV_CHUNK_BYTES, (b->bytes - 8) / 8 * 8)) {
        uint64_t *word = fv_at(b->offset + at);

        if (check)
            good &= fv_load_relaxed_64(word) == tag_of(p, b, at);
        else
            fv_store_relaxed_64(word, tag_of(p, b, at));
        if (at == (b->bytes - 8) / 8 * 8)
            break;
    }
    return good;
}

static uint64_t used_by(const struct block *b)
{
    return b->offset == 0 || b->bytes <= FV_SMALL_MOST ? 0 : (b->bytes + FV_CHUNK_BYTES - 1) / FV_CHUNK_BYTES * FV_CHUNK_BYTES;
}

/* Allocates, checks, frees at random for so many rounds (0: until it is killed).  How much was wrong. */
static int play(uint32_t p, struct fv_heap *h, struct block *b, uint32_t rounds, uint32_t *gen)
{
    int bad = 0;

    for (uint32_t i = 0; rounds == 0 || i < rounds; i++) {
        struct block *x = &b[random_64() % BLOCKS];

        if (x->offset != 0) {
            bad += !tag(p, x, true) || !fv_arena_owned(x->offset, ROOT(p), x->gen);
            if (random_64() % 8 == 0 && x->bytes > FV_CHUNK_BYTES) {
                uint64_t less = random_64() % x->bytes + 1;

                fv_arena_shrink(x->offset, x->bytes, less, ROOT(p), x->gen);
                bad += !fv_arena_owned(x->offset, ROOT(p), x->gen);
                fv_arena_free(h, x->offset, less, ROOT(p), x->gen);
            } else {
                fv_arena_free(random_64() % 4 == 0 ? NULL : h, x->offset, x->bytes, ROOT(p), x->gen);
            }
            bad += fv_arena_owned(x->offset, ROOT(p), x->gen);
            x->offset = 0;
        } else {
            *x = (struct block){.bytes = some_bytes(), .gen = ++*gen};
            x->offset = fv_arena_alloc(h, ROOT(p), x->gen, x->bytes);
            bad += x->offset % 64 != 0 || (x->offset != 0 && x->offset + x->bytes > fv_map.seg->bytes);
            if (x->offset != 0)
                tag(p, x, false);
        }
    }
    return bad;
}

/* ---------------------------------------------------------------------------------------- what is seen from outside */

struct tally {
    uint64_t n, bytes;
    uint32_t index, owner; /* of that root, or claims of that owner */
    bool     release;
};
static void count_block(void *arg, uint64_t offset, uint64_t bytes, uint32_t index, uint32_t gen)
{
    struct tally *t = arg;

    if (index != t->index && !(index == FV_NO_ROOT && gen == t->owner))
        return;
    t->n++;
    t->bytes += bytes >= FV_CHUNK_BYTES ? bytes : 0;
    if (t->release)
        fv_arena_free(NULL, offset, bytes, index, gen);
}

/* as the sweep does */
static void bury(uint32_t p)
{
    struct tally t = {.index = ROOT(p), .owner = p, .release = true};

    fv_extent_sweep(p);
    fv_arena_walk(p, count_block, &t);
    fv_arena_trim(p);
}

static int words_in_use(void)
{
    int n = 0;

    for (uint32_t s = 0; s < fv_map.seg->n_supers; s++)
        n += fv_map.supers[s] != 0 && fv_map.supers[s] != (uint64_t)FV_SUPER_SPLIT << 60;
    for (uint32_t c = 0; c < fv_map.seg->n_chunks; c++)
        n += fv_map.chunks[c] != 0;
    return n;
}

/* ---------------------------------------------------------------------------------------- tests */

static void test_model(void)
{
    static struct block b[BLOCKS];
    struct fv_heap      h;
    uint32_t            gen = 0;
    int                 bad = 0, wrong = 0;

    fv_heap_init(&h, 1);
    for (int i = 0; i < 300; i++) {
        bad += play(1, &h, b, 20, &gen);
        struct tally t = {.index = ROOT(1), .owner = 1};
        uint64_t     bytes = 0, n = 0;

        fv_arena_walk(1, count_block, &t);
        for (unsigned k = 0; k < BLOCKS; k++) {
            bytes += used_by(&b[k]);
            n += b[k].offset != 0;
        }
        wrong += t.bytes != bytes || t.n < n;
    }
    TAP_IS(bad, 0, "one process: every block is whole until it is freed");
    TAP_IS(wrong, 0, "and the walk shows what there is");
    for (unsigned k = 0; k < BLOCKS; k++)
        if (b[k].offset != 0)
            fv_arena_free(&h, b[k].offset, b[k].bytes, ROOT(1), b[k].gen);
    fv_arena_trim(1);
    fv_heap_fini(&h);
    TAP_IS(words_in_use(), 0, "nothing is left");
    TAP_IS(fv_arena_used_bytes(), 0, "nor counted");
}

/* What was cut up becomes one piece again, up to the whole store, whatever its size. */
static void test_whole(void)
{
    struct fv_heap h;
    uint64_t       one[3000];
    uint32_t       n = 0;

    fv_heap_init(&h, 2);
    while (n < 3000 && (one[n] = fv_arena_alloc(&h, ROOT(2), n + 1, FV_CHUNK_BYTES)) != 0)
        n++;
    TAP_IS(n, fv_map.seg->n_chunks, "as many chunks as there are");
    TAP_IS(fv_arena_alloc(&h, ROOT(2), 9000, 1), 0, "then it is full");
    TAP_IS(fv_arena_used_bytes(), fv_arena_capacity(), "to the last byte");
    for (uint32_t i = 0; i < n; i += 2)
        fv_arena_free(&h, one[i], FV_CHUNK_BYTES, ROOT(2), i + 1);
    TAP_IS(fv_arena_alloc(&h, ROOT(2), 9000, 2 * FV_CHUNK_BYTES), 0, "half of it, in pieces");
    for (uint32_t i = 1; i < n; i += 2)
        fv_arena_free(&h, one[i], FV_CHUNK_BYTES, ROOT(2), i + 1);
    TAP_IS(fv_arena_alloc(&h, ROOT(2), 9000, fv_arena_capacity()), fv_map.seg->off_data, "all of it, in one piece");
    fv_arena_shrink(fv_map.seg->off_data, fv_arena_capacity(), 3 * FV_SUPER_BYTES + 1, ROOT(2), 9000);
    TAP_IS(fv_arena_used_bytes(), 4 * FV_SUPER_BYTES, "a block that shrinks keeps the super that it ends in");
    uint64_t rest = fv_arena_alloc(&h, ROOT(2), 9001, fv_arena_capacity() - 4 * FV_SUPER_BYTES);
    TAP_IS(rest, fv_map.seg->off_data + 4 * FV_SUPER_BYTES, "the rest is there for others");
    fv_arena_free(&h, rest, fv_arena_capacity() - 4 * FV_SUPER_BYTES, ROOT(2), 9000);
    TAP_OK(fv_arena_owned(rest, ROOT(2), 9001), "to free it by a wrong generation does nothing");
    fv_arena_free(&h, rest, fv_arena_capacity() - 4 * FV_SUPER_BYTES, ROOT(2), 9001);
    fv_arena_free(&h, fv_map.seg->off_data, 3 * FV_SUPER_BYTES + 1, ROOT(2), 9000);
    TAP_IS(words_in_use(), 0, "nothing is left");

    /* not on the boundary of a super, where it must be */
    uint64_t low = fv_arena_alloc(&h, ROOT(2), 1, 100);
    uint64_t most = fv_arena_alloc(&h, ROOT(2), 2, fv_arena_capacity() - FV_CHUNK_BYTES);
    TAP_OK(low != 0 && most == fv_map.seg->off_data + FV_CHUNK_BYTES, "all but the one chunk that has a small block");
    fv_arena_free(&h, most, fv_arena_capacity() - FV_CHUNK_BYTES, ROOT(2), 2);
    fv_arena_free(&h, low, 100, ROOT(2), 1);
    uint64_t big = fv_arena_alloc(&h, ROOT(2), 3, 2 * FV_SUPER_BYTES + 1);
    TAP_IS((big - fv_map.seg->off_data) % FV_SUPER_BYTES, 0, "on such a boundary where it can be");
    fv_arena_free(&h, big, 2 * FV_SUPER_BYTES + 1, ROOT(2), 3);
    fv_arena_trim(2);
    fv_heap_fini(&h);
    TAP_IS(words_in_use(), 0, "nothing is left");
}

/* The blocks that one freed are used next, also when hints of them were overwritten. */
static void test_freed(void)
{
    enum { N = 5000 };
    static uint64_t at[N];
    struct fv_heap  h;
    int             bad = 0;

    fv_heap_init(&h, 3);
    for (uint32_t i = 0; i < N; i++)
        at[i] = fv_arena_alloc(&h, ROOT(3), i + 1, 100);
    uint64_t used = fv_arena_used_bytes();
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = round % 3; i < N; i += 3)
            fv_arena_free(&h, at[i], 100, ROOT(3), i + 1);
        for (uint32_t i = round % 3; i < N; i += 3) {
            at[i] = fv_arena_alloc(&h, ROOT(3), i + 1, 100);
            bad += at[i] == 0;
            memset(fv_at(at[i]), (int)i, 100);
        }
    }
    TAP_IS(bad, 0, "blocks are freed and used again");
    TAP_IS(fv_arena_used_bytes(), used, "with no more memory");
    for (uint32_t i = 0; i < N; i++)
        fv_arena_free(&h, at[i], 100, ROOT(3), i + 1);
    for (uint32_t i = 0; i < N; i += 7) /* what was freed is written to: a list that leads anywhere */
        memset(fv_at(at[i]), i % 2 ? 0xA5 : 0x01, 8);
    for (uint32_t i = 0; i < N; i++) {
        at[i] = fv_arena_alloc(&h, ROOT(3), i + 1, 100);
        bad += at[i] == 0;
        *(uint64_t *)fv_at(at[i]) = i;
    }
    for (uint32_t i = 0; i < N; i++) {
        bad += *(uint64_t *)fv_at(at[i]) != i;
        fv_arena_free(&h, at[i], 100, ROOT(3), i + 1);
    }
    TAP_IS(bad, 0, "a hint that is overwritten is no harm");
    fv_arena_trim(3);
    fv_heap_fini(&h);
    TAP_IS(words_in_use(), 0, "nothing is left");
}

static atomic_int *wrong, *playing;

static pid_t start_player(uint32_t p, uint32_t rounds)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    static struct block b[BLOCKS];
    struct fv_heap      h;
    uint32_t            gen = (uint32_t)getpid() << 12;

    state ^= (uint64_t)getpid() * 0x9E3779B97F4A7C15ull;
    fv_heap_init(&h, p);
    atomic_fetch_add(playing, 1);
    for (;;) {
        int bad = play(p, &h, b, 50, &gen);

        atomic_fetch_add(wrong, bad);
        if (rounds != 0 && rounds-- == 1)
            _exit(0);
    }
}

static void test_many(void)
{
    pid_t pid[PROCS];

    for (uint32_t p = 0; p < PROCS; p++)
        pid[p] = start_player(p, 60);
    for (uint32_t p = 0; p < PROCS; p++)
        waitpid(pid[p], NULL, 0);
    TAP_IS(atomic_load(wrong), 0, "%u processes: nobody has another's memory", PROCS);
    for (uint32_t p = 0; p < PROCS; p++)
        bury(p);
    TAP_IS(words_in_use(), 0, "what they left is found");
}

static void test_killed(void)
{
    pid_t pid[PROCS];
    int   kills = 0;

    for (uint32_t p = 0; p < PROCS; p++)
        pid[p] = start_player(p, 0);
    for (double end = rt_now() + 1.5; rt_now() < end; kills++) {
        struct timespec some = {0, (long)(random_64() % 3000000)};
        uint32_t        p = (uint32_t)(random_64() % PROCS);

        nanosleep(&some, NULL);
        kill(pid[p], SIGKILL);
        waitpid(pid[p], NULL, 0);
        bury(p);
        pid[p] = start_player(p, 0);
    }
    for (uint32_t p = 0; p < PROCS; p++) {
        kill(pid[p], SIGKILL);
        waitpid(pid[p], NULL, 0);
        bury(p);
    }
    TAP_OK(kills > 20, "%d processes killed", kills);
    TAP_IS(atomic_load(wrong), 0, "the others lost nothing");
    TAP_IS(words_in_use(), 0, "what the dead had is free");
}

/* A block that is freed once more, after who was freeing it has died on the way: its first chunk is somebody else's by then. */
static void test_freed_halfway(void)
{
    struct fv_heap h, other;
    uint64_t       small = 0, used = words_in_use();

    fv_heap_init(&h, 1);
    fv_heap_init(&other, 2);
    uint64_t large = fv_arena_alloc(&h, ROOT(1), 9, 3 * FV_CHUNK_BYTES), word = fv_root_word(FV_CHUNK_EXTENT, ROOT(1), 9);
    uint32_t c = fv_chunk_of(large);
    TAP_OK(large != 0, "an extent");
    fv_extent_free(c, 1, word);
    other.hints.small = c;
    small = fv_arena_alloc(&other, ROOT(2), 9, 100);
    TAP_OK(fv_chunk_of(small) == c, "its first chunk is freed, and used for small blocks");
    TAP_OK(!fv_arena_owned(large, ROOT(1), 9), "it is not owned any more");
    fv_arena_free(NULL, large, 3 * FV_CHUNK_BYTES, ROOT(1), 9);
    TAP_OK(fv_map.chunks[c + 1] != word && fv_map.chunks[c + 2] != word, "freed once more, the rest is free");
    TAP_OK(fv_arena_owned(small, ROOT(2), 9), "and the small block stays");
    fv_arena_free(&other, small, 100, ROOT(2), 9);
    fv_arena_trim(2);
    fv_arena_trim(1);
    TAP_IS(words_in_use(), used, "nothing is left");
    fv_heap_fini(&h);
    fv_heap_fini(&other);
}

/* ------------------------------------------------------------------------------------------------ no more memory */

static bool is_out;

int __real_fv_segment_alloc(uint64_t offset, uint64_t bytes);
int __wrap_fv_segment_alloc(uint64_t offset, uint64_t bytes);
int __wrap_fv_segment_alloc(uint64_t offset, uint64_t bytes)
{
    return is_out ? -ENOSPC : __real_fv_segment_alloc(offset, bytes);
}

/* Where the system has none left, what is behind free chunks is used, however far off. */
static void test_out_of_memory(void)
{
    struct fv_segment_plan plan = {.n_procs = 8, .slab = 1024, .store_bytes = 400ull * FV_SUPER_BYTES};
    struct fv_heap         h;

    TAP_IS(fv_segment_format(-1, &plan), 0, "a segment of 400 supers");
    fv_heap_init(&h, 1);
    fv_chunks_set_backed(100 * FV_SUPER_CHUNKS, 102 * FV_SUPER_CHUNKS, true);
    is_out = true;
    uint64_t part = fv_arena_alloc(&h, ROOT(1), 1, 3 * FV_CHUNK_BYTES), whole = fv_arena_alloc(&h, ROOT(1), 2, FV_SUPER_BYTES);
    TAP_OK(part != 0 && fv_chunk_of(part) / FV_SUPER_CHUNKS == 101, "a few chunks, where there is memory");
    TAP_OK(whole != 0 && fv_chunk_of(whole) / FV_SUPER_CHUNKS == 100, "and a super");
    TAP_IS(fv_arena_alloc(&h, ROOT(1), 3, FV_SUPER_BYTES), 0, "more is refused");
    TAP_IS(fv_arena_used_bytes(), FV_SUPER_BYTES + 3 * FV_CHUNK_BYTES, "and nothing is left of that");
    TAP_OK(fv_arena_alloc(&h, ROOT(1), 4, 100) == 0 || fv_arena_used_bytes() == FV_SUPER_BYTES + 4 * FV_CHUNK_BYTES, "a small block finds some or is refused");
    is_out = false;
    TAP_OK(fv_arena_alloc(&h, ROOT(1), 5, FV_SUPER_BYTES) != 0, "when there is memory again it is used");
    fv_heap_fini(&h);
    fv_segment_unmap();
}

int main(void)
{
    struct fv_segment_plan plan = {.n_procs = 8, .slab = 1024, .store_bytes = STORE};

    rt_begin(60);
    wrong = rt_shared(2 * sizeof *wrong);
    playing = wrong + 1;
    TAP_IS(fv_segment_format(-1, &plan), 0, "a segment");
    test_model();
    test_whole();
    test_freed();
    test_many();
    test_killed();
    test_freed_halfway();
    fv_segment_unmap();
    test_out_of_memory();
    return tap_done();
}
