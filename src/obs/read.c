/* obs/read.c: reads the segment of a runtime that goes on running.  See read.h for how it stays safe.
 *
 * Run by:          the tools.
 * Shared state:    reads everything, writes nothing.
 * If it dies here: nobody notices.
 */
#include "obs/read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------------------------------------ the header */

static bool fits(const struct fv_segment *s, uint64_t offset, uint64_t count, uint64_t size) {
    return offset % 64 == 0 && offset >= offsetof(struct fv_segment, defs) && offset <= s->bytes && count <= (s->bytes - offset) / size;
}

static const char *fault_of(struct fv_segment *s, uint64_t file_bytes) {
    if (s->bytes > file_bytes || s->n_procs == 0 || s->n_procs > FV_MAX_PROCS || s->slab == 0 || s->slab > FV_SLAB_MAX ||
        s->slab_shift > FV_SLAB_BITS || s->slab != 1u << s->slab_shift || s->n_defs > FV_MAX_DEFS || s->off_chunks % 8 != 0)
        return "its header is damaged";
    uint64_t n_tasks = (uint64_t)s->n_procs << s->slab_shift;
    if (!fits(s, s->off_procs, s->n_procs, sizeof(struct fv_proc)) || !fits(s, s->off_hot, n_tasks, sizeof(struct fv_task)) ||
        !fits(s, s->off_cold, n_tasks, sizeof(struct fv_task_cold)) ||
        s->file_chunk != s->n_supers * FV_SUPER_CHUNKS || s->n_file_chunks > UINT32_MAX - FV_SUPER_CHUNKS - s->file_chunk ||
        !fits(s, s->off_chunks, (uint64_t)s->file_chunk + s->n_file_chunks, sizeof(uint64_t)) ||
        !fits(s, s->off_supers, ((uint64_t)s->file_chunk + s->n_file_chunks + FV_SUPER_CHUNKS - 1) / FV_SUPER_CHUNKS, sizeof(uint64_t)) ||
        s->n_supers != (s->n_chunks + FV_SUPER_CHUNKS - 1) / FV_SUPER_CHUNKS ||
        !fits(s, s->off_attempts, FV_N_ATTEMPTS, sizeof(struct fv_attempt)) || !fits(s, s->off_data, s->n_chunks, FV_CHUNK_BYTES))
        return "its table of contents is damaged";
    s->name[sizeof s->name - 1] = s->note[sizeof s->note - 1] = '\0';
    for (uint32_t i = 0; i < FV_MAX_DEFS; i++)
        s->defs[i].name[sizeof s->defs[i].name - 1] = s->defs[i].file[sizeof s->defs[i].file - 1] = '\0';
    return NULL;
}

int fv_obs_open(int fd, struct fv_obs *o, char *why, size_t why_bytes) {
    struct stat st;
    int         rc = fstat(fd, &st) < 0 ? -errno : 0;
    memset(o, 0, sizeof *o);
    o->head = rc == 0 ? malloc(sizeof *o->head) : NULL;
    if (rc == 0 && o->head == NULL)
        rc = -ENOMEM;
    snprintf(why, why_bytes, "%s", fever_strerror(rc));
    if (rc == 0)
        rc = fv_segment_attach_ro(fd, &o->map, why, why_bytes);
    if (rc < 0) {
        free(o->head);
        close(fd);
        o->head = NULL;
        return rc;
    }
    const char *fault = pread(fd, o->head, sizeof *o->head, 0) != (ssize_t)sizeof *o->head ? "its header cannot be read"
                                                                                           : fault_of(o->head, (uint64_t)st.st_size);
    o->map.fd = fd;
    if (fault != NULL) {
        snprintf(why, why_bytes, "%s", fault);
        fv_obs_close(o);
        return -FEVER_EINVAL;
    }
    o->procs = (const void *)(o->map.base + o->head->off_procs);
    o->hot = (const void *)(o->map.base + o->head->off_hot);
    o->cold = (const void *)(o->map.base + o->head->off_cold);
    o->supers = (const void *)(o->map.base + o->head->off_supers);
    o->chunks = (const void *)(o->map.base + o->head->off_chunks);
    return 0;
}

void fv_obs_close(struct fv_obs *o) {
    struct stat st;
    if (o->head == NULL)
        return;
    if (fstat(o->map.fd, &st) == 0)
        munmap(o->map.base, (size_t)st.st_size);
    close(o->map.fd);
    free(o->head);
    memset(o, 0, sizeof *o);
}

/* ------------------------------------------------------------------------------------------------ records */

/* A copy that the compiler cannot take for the original. */
static void copy_record(void *to, const void *from, size_t bytes) {
    uint64_t       *t = to;
    const uint64_t *f = from;
    for (size_t i = 0; i < bytes / 8; i++)
        t[i] = fv_load_relaxed_64(&f[i]);
}

/* What an offset leads to: from the file, as it may be a hole. */
static bool read_data(const struct fv_obs *o, uint64_t offset, void *to, size_t bytes) {
    if (offset < o->head->off_data || offset > o->head->bytes || bytes > o->head->bytes - offset)
        return false;
    return pread(o->map.fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

bool fv_obs_bytes(const struct fv_obs *o, uint64_t offset, void *to, size_t bytes) {
    return offset <= o->head->bytes && bytes <= o->head->bytes - offset && pread(o->map.fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

bool fv_obs_proc(const struct fv_obs *o, uint32_t p, struct fv_proc *proc_out) {
    if (p >= o->head->n_procs || !fv_bit_test(o->map.seg->active, p))
        return false;
    copy_record(proc_out, &o->procs[p], sizeof *proc_out);
    return proc_out->role != FV_ROLE_NONE;
}

uint32_t fv_obs_slab(const struct fv_obs *o, uint32_t p) {
    return p < o->head->n_procs ? FV_MIN(fv_load_acquire_32(&o->procs[p].slab_limit), o->head->slab) : 0;
}

bool fv_obs_task(const struct fv_obs *o, uint32_t index, struct fv_obs_task *t) {
    if (index & ~0x0FFFFFFFu || (index & (o->head->slab - 1)) >= fv_obs_slab(o, index >> o->head->slab_shift))
        return false;
    t->index = index;
    for (int round = 0; round < 4; round++) { /* again when it changed hands meanwhile; the last copy is as good as any */
        copy_record(&t->hot, &o->hot[index], sizeof t->hot);
        copy_record(&t->cold, &o->cold[index], sizeof t->cold);
        uint64_t again = fv_load_acquire_64(&o->hot[index].truth);
        if (fv_truth_gen(again) == fv_truth_gen(t->hot.truth) && fv_truth_state(again) == fv_truth_state(t->hot.truth))
            break;
    }
    t->state = fv_truth_state(t->hot.truth);
    t->id = fv_ref_make(index, fv_truth_gen(t->hot.truth));
    if (t->state == FV_FREE || t->hot.kind != FV_KIND_TASK || !(t->hot.x & FV_X_OPTIONS) || t->cold.options == 0 ||
        !read_data(o, t->cold.options, &t->options, sizeof t->options))
        memset(&t->options, 0, sizeof t->options);
    t->options.name[sizeof t->options.name - 1] = '\0';
    if (t->state == FV_FREE || t->hot.kind != FV_KIND_OBJECT || !(t->hot.x & FV_X_OPTIONS) || t->cold.options == 0 ||
        !read_data(o, t->cold.options, &t->object, sizeof t->object))
        memset(&t->object, 0, sizeof t->object);
    t->object.name[sizeof t->object.name - 1] = '\0';
    return t->state < FV_N_STATES;
}

bool fv_obs_ref(const struct fv_obs *o, uint64_t id, struct fv_obs_task *t) {
    return fv_ref_tagged(id) && fv_obs_task(o, fv_ref_index(id), t) && t->id == id && t->state != FV_FREE;
}

const char *fv_obs_task_name(const struct fv_obs *o, const struct fv_obs_task *t) {
    if (t->hot.kind == FV_KIND_OBJECT)
        return t->object.name[0] != '\0' ? t->object.name : "object";
    if (t->hot.kind == FV_KIND_PROMISE)
        return "promise";
    if (t->options.name[0] != '\0')
        return t->options.name;
    return t->hot.def < o->head->n_defs && o->head->defs[t->hot.def].name[0] != '\0' ? o->head->defs[t->hot.def].name : "?";
}

bool fv_obs_actor(const struct fv_obs *o, const struct fv_obs_task *t, struct fv_obs_actor *a) {
    struct fv_lane head; /* all but the hints is looked at */
    memset(a, 0, sizeof *a);
    if (t->hot.kind != FV_KIND_ACTOR || !(t->hot.x & FV_X_OPTIONS) || !fv_obs_bytes(o, t->cold.actor, &a->block, sizeof a->block))
        return false;
    a->block.name[sizeof a->block.name - 1] = a->block.registered[sizeof a->block.registered - 1] = '\0';
    a->block.name_space[sizeof a->block.name_space - 1] = '\0';
    for (uint64_t at = a->block.lanes; at != 0 && a->n_callers < o->head->n_procs; at = head.next) {
        if (!fv_obs_bytes(o, at, &head, offsetof(struct fv_lane, hint)) || head.actor != t->id)
            break; /* freed meanwhile */
        a->n_callers++;
        a->depth += fv_lane_depth(&head);
    }
    return true;
}

const char *fv_obs_task_place(const struct fv_obs *o, const struct fv_obs_task *t, char *buf, size_t bytes) {
    if (t->hot.kind != FV_KIND_TASK || t->hot.def >= o->head->n_defs || o->head->defs[t->hot.def].file[0] == '\0')
        return NULL;
    snprintf(buf, bytes, "%s:%u", o->head->defs[t->hot.def].file, o->head->defs[t->hot.def].line);
    return buf;
}

uint32_t fv_obs_dependencies(const struct fv_obs *o, const struct fv_obs_task *t, uint64_t *ids_out, uint32_t room) {
    uint32_t n = 0;
    if (t->hot.kind != FV_KIND_TASK || !(t->hot.x & FV_X_REFS))
        return 0;
    if (t->hot.x & FV_X_ARGS_BLOCK) {
        struct fv_span      span;
        struct fv_args_tail tail;
        memcpy(&span, t->hot.args, sizeof span);
        uint64_t at = span.offset + ((t->hot.arg_bytes + 7ull) & ~7ull);
        if (!read_data(o, at, &tail, sizeof tail) || tail.n_deps > tail.n_refs || tail.n_deps > 65000)
            return 0;
        n = FV_MIN(tail.n_deps, room);
        return read_data(o, at + sizeof tail, ids_out, n * 8ull) ? tail.n_deps : 0;
    }
    /* Which of the words are refs, only the program knows.  Those that look like one and lead to a slot in use are. */
    for (uint32_t i = 0; i < FV_INLINE_ARGS / 8; i++) {
        struct fv_obs_task d;
        if (fv_obs_ref(o, t->hot.args[i], &d)) {
            if (n < room)
                ids_out[n] = t->hot.args[i];
            n++;
        }
    }
    return n;
}

uint64_t fv_obs_result_bytes(const struct fv_obs_task *t) {
    struct fv_span span;
    if (t->state != FV_DONE && t->state != FV_OPEN)
        return 0;
    if (!(t->hot.x & FV_X_RESULT_BLOCK))
        return t->state == FV_OPEN ? 0 : t->hot.result_bytes;
    memcpy(&span, t->hot.result, sizeof span);
    return span.bytes;
}

uint32_t fv_obs_holders(const struct fv_obs_task *t) {
    uint64_t truth = t->hot.truth;
    return (truth & FV_HELD ? 1 : 0) + (truth & FV_SHARED ? (uint32_t)(t->cold.count >> 32) : 0);
}

bool fv_obs_error(const struct fv_obs *o, const struct fv_obs_task *t, struct fever_error *e) {
    struct fv_failure f;
    if (t->state != FV_FAIL || !(t->hot.x & FV_X_FAILURE))
        return false;
    memcpy(&f, t->hot.result, sizeof f);
    memset(e, 0, sizeof *e);
    if (f.error != 0 && read_data(o, f.error, e, sizeof *e)) {
        e->task[sizeof e->task - 1] = e->file[sizeof e->file - 1] = e->text[sizeof e->text - 1] = e->site_file[sizeof e->site_file - 1] =
            e->object_file[sizeof e->object_file - 1] = '\0';
        for (unsigned i = 0; i < FEVER_ERROR_MODULES; i++)
            e->module[i].name[sizeof e->module[i].name - 1] = '\0';
        for (unsigned i = 0; i < FEVER_ERROR_CHAIN; i++)
            e->dependent[i].task[sizeof e->dependent[i].task - 1] = e->dependent[i].file[sizeof e->dependent[i].file - 1] = '\0';
        return true;
    }
    e->code = f.code;
    e->app_code = f.app_code;
    e->signal = f.signal;
    e->worker = -1;
    snprintf(e->text, sizeof e->text, "%s", fever_strerror(f.code));
    return true;
}

uint32_t fv_obs_attempts(const struct fv_obs *o, uint64_t id, struct fever_attempt *out, uint32_t room) {
    uint64_t number[FV_N_ATTEMPTS];
    uint32_t n = 0, all = 0;
    for (uint32_t i = 0; i < FV_N_ATTEMPTS; i++) {
        struct fv_attempt a;
        uint64_t          word[8];
        copy_record(word, &o->map.attempts[i], sizeof word);
        memcpy(&a, word, sizeof a);
        if (a.number == 0 || a.task != id || word[7] != fv_attempt_check(word))
            continue;
        all++;
        if (n == room && room != 0 && a.number > number[0]) { /* the oldest makes way */
            memmove(out, out + 1, --n * sizeof *out);
            memmove(number, number + 1, n * sizeof *number);
        }
        if (n == room)
            continue;
        uint32_t at = n++;
        for (; at > 0 && number[at - 1] > a.number; at--) {
            number[at] = number[at - 1];
            out[at] = out[at - 1];
        }
        number[at] = a.number;
        out[at] = (struct fever_attempt){.when_ns = a.when_ns, .fault_address = a.fault_address, .worker = a.worker, .worker_pid = (int)a.pid,
                                         .code = a.code, .signal = a.signal, .detail = a.detail, .attempt = a.attempt, .charged = a.charged != 0};
    }
    return all;
}

/* ------------------------------------------------------------------------------------------------ sums and words */

static bool is_used(const struct fv_obs *o, uint32_t c) {
    uint64_t super = fv_load_relaxed_64(&o->supers[c / FV_SUPER_CHUNKS]);
    return super >> 60 == FV_SUPER_SPLIT ? fv_load_relaxed_64(&o->chunks[c]) != 0 : super != 0;
}

void fv_obs_store(const struct fv_obs *o, struct fv_obs_store *store_out) {
    struct fv_obs_store sum = {.total = (uint64_t)o->head->n_chunks * FV_CHUNK_BYTES, .file_total = (uint64_t)o->head->n_file_chunks * FV_CHUNK_BYTES};
    uint64_t            run = 0;
    for (uint32_t k = 0; k < o->head->n_file_chunks; k++)
        sum.file_used += is_used(o, o->head->file_chunk + k) ? FV_CHUNK_BYTES : 0;
    for (uint32_t c = 0; c < o->head->n_chunks; c++) {
        if (is_used(o, c)) {
            sum.used += FV_CHUNK_BYTES;
            run = 0;
        } else {
            run += FV_CHUNK_BYTES;
            sum.largest_free = FV_MAX(sum.largest_free, run);
        }
    }
    *store_out = sum;
}

void fv_obs_counters(const struct fv_obs *o, uint64_t sum_out[FV_N_COUNTERS]) {
    struct fv_proc proc;
    memset(sum_out, 0, FV_N_COUNTERS * sizeof *sum_out);
    for (uint32_t p = 0; p < o->head->n_procs; p++)
        if (fv_obs_proc(o, p, &proc))
            for (unsigned i = 0; i < FV_N_COUNTERS; i++)
                sum_out[i] += proc.counter[i];
}

#define FV_X_TEXT(name, text) text,
#define FV_X_NAME(name, text) #name,
static const char *const state_texts[] = {FV_STATES(FV_X_TEXT)};
static const char *const wait_texts[] = {FV_WAITS(FV_X_TEXT)};
static const char *const counter_texts[] = {FV_COUNTERS(FV_X_TEXT)};
static const char *const counter_names[] = {FV_COUNTERS(FV_X_NAME)};
static const char *const role_texts[] = {"none", "supervisor", "driver", "worker", "spare", "keeper", "actor"};

const char *fv_state_text(unsigned state) { return state < FV_COUNT_OF(state_texts) ? state_texts[state] : "?"; }
const char *fv_wait_text(unsigned reason) { return reason < FV_COUNT_OF(wait_texts) ? wait_texts[reason] : "?"; }
const char *fv_role_text(unsigned role) { return role < FV_COUNT_OF(role_texts) ? role_texts[role] : "?"; }
const char *fv_counter_name(unsigned c) { return c < FV_COUNT_OF(counter_names) ? counter_names[c] : "?"; }
const char *fv_counter_text(unsigned c) { return c < FV_COUNT_OF(counter_texts) ? counter_texts[c] : "?"; }

char fv_obs_process_state(uint32_t pid, uint32_t tid) {
    char  path[64], text[256], state = 0, *at;
    FILE *f;
    snprintf(path, sizeof path, "/proc/%u/task/%u/stat", pid, tid != 0 ? tid : pid);
    if ((f = fopen(path, "re")) == NULL)
        return 0;
    if (fgets(text, sizeof text, f) != NULL && (at = strrchr(text, ')')) != NULL) /* the name may hold anything */
        sscanf(at + 1, " %c", &state);
    fclose(f);
    return state == 'Z' || state == 'X' ? 0 : state;
}
