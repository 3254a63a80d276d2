/* shm/segment.c: lays the segment out, maps it, and allocates its parts before they are used.
 *
 * Run by the driver at init (format), by owners (grow) and by the tools (attach).  A tmpfs page that cannot be
 * had is a SIGBUS at first touch, so every part is allocated with fallocate before anybody sees it;
 * a process that dies between the two leaves allocated, unused pages and nothing else.
 */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "fever.h"
#include "plat/shmfile.h"
#include "shm/mapped.h"

struct fv_map fv_map = {.fd = -1, .file_fd = -1};

#define FIRST_SLAB 512u

static uint64_t round_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

static uint64_t plan_offsets(const struct fv_segment_plan *plan, struct fv_segment *s) {
    uint64_t at = round_up(sizeof(struct fv_segment), 4096), n = plan->n_procs, tasks = n * plan->slab;
    uint32_t n_chunks = (uint32_t)FV_MAX(plan->store_bytes / FV_CHUNK_BYTES, 1u);
    s->off_procs = at;
    at = round_up(at + n * sizeof(struct fv_proc), 4096);
    s->off_attempts = at;
    at = round_up(at + FV_N_ATTEMPTS * sizeof(struct fv_attempt), 4096);
    s->off_hot = at;
    at = round_up(at + tasks * sizeof(struct fv_task), 4096);
    s->off_cold = at;
    at = round_up(at + tasks * sizeof(struct fv_task_cold), 4096);
    s->off_rings = at;
    s->ring = (uint32_t)FV_MIN(2ull * plan->slab, FV_RING_MAX);
    at = round_up(at + n * s->ring * sizeof(uint32_t), 4096);
    s->off_holds = at;
    at = round_up(at + n * FV_HOLDS_MAX * sizeof(uint64_t), 4096);
    s->off_queued = at;
    at = round_up(at + tasks / 8, 4096);
    s->off_supers = at;
    s->n_supers = (n_chunks + FV_SUPER_CHUNKS - 1) / FV_SUPER_CHUNKS;
    s->n_chunks = n_chunks;
    s->file_chunk = s->n_supers * FV_SUPER_CHUNKS;
    s->n_file_chunks = (uint32_t)(plan->file_bytes / FV_CHUNK_BYTES);
    uint32_t all = s->file_chunk + s->n_file_chunks, n_supers = (all + FV_SUPER_CHUNKS - 1) / FV_SUPER_CHUNKS;
    at = round_up(at + n_supers * sizeof(uint64_t), 4096);
    s->off_chunks = at;
    at = round_up(at + all * sizeof(uint64_t), 4096);
    s->off_backed = at;
    at = round_up(at + all, FV_SUPER_BYTES); /* data on a 2 MiB boundary, for large pages */
    s->off_data = at;
    s->bytes = at + (uint64_t)n_chunks * FV_CHUNK_BYTES;
    s->all_bytes = s->n_file_chunks == 0 ? s->bytes : at + (uint64_t)all * FV_CHUNK_BYTES;
    return s->bytes;
}

uint64_t fv_segment_bytes(const struct fv_segment_plan *plan) {
    struct fv_segment s;
    return plan_offsets(plan, &s);
}

static void set_map(struct fv_map *m, char *base, int fd) {
    m->base = base;
    m->seg = (void *)base;
    m->procs = (void *)(base + m->seg->off_procs);
    m->hot = (void *)(base + m->seg->off_hot);
    m->cold = (void *)(base + m->seg->off_cold);
    m->queued = (void *)(base + m->seg->off_queued);
    m->supers = (void *)(base + m->seg->off_supers);
    m->chunks = (void *)(base + m->seg->off_chunks);
    m->attempts = (void *)(base + m->seg->off_attempts);
    m->backed = (uint8_t *)(base + m->seg->off_backed);
    m->shift = m->seg->slab_shift;
    m->mask = m->seg->slab - 1;
    m->ring_mask = m->seg->ring - 1;
    m->fd = m->first_fd = fd;
    m->file_fd = m->first_file_fd = -1;
}

/* The body of a task has closed our descriptor: the supervisor's leads to the same file. */
static bool reopen(int *fd_io, int first) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)fv_map.seg->supervisor_pid, first);
    int fd = fv_map.seg->supervisor_pid == 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    *fd_io = fd;
    return true;
}

/* Where the fallback begins. */
static uint64_t off_file(const struct fv_segment *s) { return s->off_data + (uint64_t)s->file_chunk * FV_CHUNK_BYTES; }

int fv_segment_alloc(uint64_t offset, uint64_t bytes) {
    bool in_file = offset >= off_file(fv_map.seg);
    int *fd = in_file ? &fv_map.file_fd : &fv_map.fd;
    if (fv_map.fd < 0)
        return 0;
    offset -= in_file ? off_file(fv_map.seg) : 0;
    int rc = fv_shmfile_alloc(*fd, offset, bytes);
    return rc == -EBADF && reopen(fd, in_file ? fv_map.first_file_fd : fv_map.first_fd) ? fv_shmfile_alloc(*fd, offset, bytes) : rc;
}

void fv_segment_release(uint64_t offset, uint64_t bytes) {
    if (fv_map.file_fd >= 0)
        fv_shmfile_release(fv_map.file_fd, offset - off_file(fv_map.seg), bytes);
}

static int allocate(uint64_t offset, uint64_t bytes) {
    uint64_t end = round_up(offset + bytes, 4096);
    offset = offset / 4096 * 4096;
    return fv_segment_alloc(offset, end - offset);
}

/* Both files behind each other, on a 2 MiB boundary. */
static int map_both(int fd, const struct fv_segment *s, int file_fd, int protection, char **base_out) {
    int      flags = fd >= 0 ? MAP_SHARED | MAP_NORESERVE : MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
    uint64_t bytes = s->all_bytes, room = bytes + FV_SUPER_BYTES;
    char    *area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED)
        return -errno;
    char *base = (char *)round_up((uint64_t)(uintptr_t)area, FV_SUPER_BYTES);
    if (base > area)
        munmap(area, (size_t)(base - area));
    if (area + room > base + bytes)
        munmap(base + bytes, (size_t)(area + room - (base + bytes)));
    if (mmap(base, s->bytes, protection, flags | MAP_FIXED, fd, 0) == MAP_FAILED ||
        (s->n_file_chunks != 0 && mmap(base + off_file(s), (uint64_t)s->n_file_chunks * FV_CHUNK_BYTES, protection, flags | MAP_FIXED,
                                       file_fd, 0) == MAP_FAILED)) {
        int e = errno;
        munmap(base, bytes);
        return -e;
    }
    *base_out = base;
    return 0;
}

int fv_segment_format(int fd, const struct fv_segment_plan *plan) {
    struct fv_segment s;
    memset(&s, 0, offsetof(struct fv_segment, ready_bell));
    plan_offsets(plan, &s);
    if (fd >= 0) {
        int rc = fv_shmfile_alloc(fd, 0, offsetof(struct fv_segment, defs));
        if (rc == 0) /* process slots, attempts and chunk tables; the slabs follow slot by slot */
            rc = fv_shmfile_alloc(fd, s.off_procs, s.off_hot - s.off_procs);
        if (rc == 0)
            rc = fv_shmfile_alloc(fd, s.off_supers, round_up(s.off_backed + s.file_chunk + s.n_file_chunks, 4096) - s.off_supers);
        if (rc < 0)
            return rc == -ENOSPC ? -FEVER_ENOROOM : rc;
    }
    char *base, *view;
    int   rc = map_both(fd, &s, plan->file_fd, PROT_READ | PROT_WRITE, &base);
    if (rc < 0)
        return rc;
    view = base; /* private memory: no second mapping */
    if (fd >= 0 && (rc = map_both(fd, &s, plan->file_fd, PROT_READ, &view)) < 0) {
        munmap(base, s.all_bytes);
        return rc;
    }
    struct fv_segment *seg = (void *)base;
    memcpy(seg, &s, offsetof(struct fv_segment, ready_bell));
    seg->magic = FV_MAGIC;
    seg->layout_version = FV_LAYOUT_VERSION;
    seg->n_procs = plan->n_procs;
    seg->slab = plan->slab;
    seg->slab_shift = (uint32_t)__builtin_ctz(plan->slab);
    set_map(&fv_map, base, fd);
    fv_map.view = view;
    if (fd >= 0 && s.n_file_chunks != 0)
        fv_map.file_fd = fv_map.first_file_fd = plan->file_fd;
    for (uint32_t p = 0; p < plan->n_procs; p++)
        ck_ring_init(&fv_map.procs[p].ring, fv_map.ring_mask + 1);
    return 0;
}

int fv_segment_attach_ro(int fd, struct fv_map *map, char *why, size_t why_bytes) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    if ((size_t)st.st_size < sizeof(struct fv_segment)) {
        snprintf(why, why_bytes, "not a Fever segment");
        return -FEVER_EINVAL;
    }
    struct fv_segment *s = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (s == MAP_FAILED)
        return -errno;
    if (s->magic != FV_MAGIC || s->layout_version != FV_LAYOUT_VERSION || s->bytes > (uint64_t)st.st_size) {
        snprintf(why, why_bytes, s->magic != FV_MAGIC ? "not a Fever segment"
                                 : "the runtime has segment layout %u, this tool knows layout %u: use the tool of the same version",
                 s->layout_version, FV_LAYOUT_VERSION);
        munmap(s, (size_t)st.st_size);
        return -FEVER_EINVAL;
    }
    uint64_t offset[] = {s->off_procs, s->off_attempts, s->off_hot, s->off_cold, s->off_rings, s->off_holds, s->off_queued, s->off_supers, s->off_chunks, s->off_backed, s->off_data};
    for (size_t i = 0; i < FV_COUNT_OF(offset); i++)
        if (offset[i] > s->bytes) {
            snprintf(why, why_bytes, "a damaged segment");
            munmap(s, (size_t)st.st_size);
            return -FEVER_EINVAL;
        }
    memset(map, 0, sizeof *map);
    set_map(map, (char *)s, fd);
    return 0;
}

void fv_segment_unmap(void) {
    if (fv_map.base == NULL)
        return;
    fv_mapped_forget();
    uint64_t bytes = fv_map.seg->all_bytes;
    if (fv_map.view != NULL && fv_map.view != fv_map.base)
        munmap(fv_map.view, bytes);
    munmap(fv_map.base, bytes);
    memset(&fv_map, 0, sizeof fv_map);
    fv_map.fd = fv_map.file_fd = -1;
}

static int allocate_slab(uint32_t p, uint32_t from, uint32_t to) {
    const struct fv_segment *s = fv_map.seg;
    uint64_t first = ((uint64_t)p << s->slab_shift) + from, n = to - from;
    int rc = allocate(s->off_hot + first * sizeof(struct fv_task), n * sizeof(struct fv_task));
    if (rc == 0)
        rc = allocate(s->off_cold + first * sizeof(struct fv_task_cold), n * sizeof(struct fv_task_cold));
    return rc < 0 ? rc : allocate(s->off_queued + first / 8, n / 8 + 8);
}

static int allocate_holds(uint32_t p, uint32_t from, uint32_t to) {
    return allocate(fv_map.seg->off_holds + ((uint64_t)p * FV_HOLDS_MAX + from) * sizeof(uint64_t), (uint64_t)(to - from) * sizeof(uint64_t));
}

int fv_segment_open_slot(uint32_t p) {
    struct fv_proc *proc = fv_proc(p);
    if (proc->slab_limit != 0)
        return 0; /* used before: its memory stays */
    uint32_t first = FV_MIN(FIRST_SLAB, fv_map.seg->slab);
    uint64_t queue = (uint64_t)(fv_map.ring_mask + 1) * sizeof(uint32_t);
    int rc = allocate_slab(p, 0, first);
    if (rc == 0)
        rc = allocate(fv_map.seg->off_rings + p * queue, queue);
    if (rc == 0)
        rc = allocate_holds(p, 0, FV_HOLDS_FIRST);
    if (rc < 0)
        return rc;
    fv_store_release_32(&proc->slab_limit, first);
    return 0;
}

int fv_segment_open_actor(uint32_t p) {
    struct fv_proc *proc = fv_proc(p);
    if (proc->slab_limit != 0 || proc->is_open)
        return 0;
    int rc = allocate_slab(p, 0, 1); /* whoever makes something looks at the first slot before anything else */
    if (rc == 0)
        rc = allocate_holds(p, 0, FV_HOLDS_FIRST);
    if (rc == 0)
        proc->is_open = 1;
    return rc;
}

bool fv_segment_grow_slab(uint32_t p) {
    struct fv_proc *proc = fv_proc(p);
    if (FV_UNLIKELY(proc->slab_limit == 0))
        return fv_segment_open_slot(p) == 0;
    uint32_t now = proc->slab_limit, next = FV_MIN(now * 2, fv_map.seg->slab);
    if (next == now || allocate_slab(p, now, next) < 0)
        return false;
    fv_store_release_32(&proc->slab_limit, next);
    return true;
}

int fv_segment_grow_holds(uint32_t p) { return allocate_holds(p, FV_HOLDS_FIRST, FV_HOLDS_MAX); }
