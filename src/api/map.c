/* api/map.c: parallel loops and maps, as groups of chunks.
 *
 * Run by drivers and by bodies.  A loop is cut into chunks; the caller waits for all of them.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"

#define CHUNKS_PER_WORKER 8

/* The first failure of a group, as an error code; frees the group. */
static int finish(struct fever_group *g, int64_t failed) {
    struct fever_error e;
    int rc = failed < 0 ? (int)failed : failed > 0 && fever_group_failure(g, 0, NULL, &e) == 0 ? -e.code : 0;
    int closed = fever_group_close(g);
    return rc < 0 ? rc : closed;
}

static long chunk_of(long n, long grain) {
    long chunks = (long)fv_map.seg->n_workers * CHUNKS_PER_WORKER;
    return grain > 0 ? grain : FV_MAX((n + chunks - 1) / chunks, 1);
}

int fever_for_raw(const struct fever_def *def, long lo, long hi, long grain, void *args, size_t bytes) {
    if (def == NULL || args == NULL)
        return -FEVER_ENULL;
    if (grain < 0 || bytes < 2 * sizeof(long) || !(def->flags & FEVER_DEF_FOR))
        return -FEVER_EINVAL;
    struct fever_group *g;
    uint64_t            site = FV_SITE();
    int rc = fever_group_open(&g);
    if (rc < 0 || lo >= hi) {
        if (rc == 0)
            rc = fever_group_close(g);
        return rc;
    }
    long chunk = chunk_of(hi - lo, grain);
    for (long at = lo; at < hi && rc == 0; at += FV_MIN(chunk, hi - at)) {
        long *range = args; /* the first two members, by construction */
        range[0] = at;
        range[1] = at + FV_MIN(chunk, hi - at);
        rc = fv_group_submit(g, def, args, bytes, NULL, site);
    }
    int64_t failed = fever_group_wait(g, FEVER_FOREVER);
    int end = finish(g, failed);
    return rc < 0 ? rc : end;
}

/* One chunk of a map: items and results lie in unsealed objects, at the same address in every process. */
struct chunk_args {
    const struct fever_def *def;
    uint64_t in, out; /* offsets in the segment */
    uint64_t n, in_bytes, out_bytes;
};

static void run_chunk(const void *args, void *result) {
    const struct chunk_args *c = args;
    (void)result;
    for (uint64_t i = 0; i < c->n && !fv_self->failed; i++)
        c->def->run((const char *)fv_at(c->in) + i * c->in_bytes, (char *)fv_at(c->out) + i * c->out_bytes);
}
static const uint16_t   no_refs[] = {FEVER_NOT_A_REF};
static struct fever_def chunk_def = {.magic = FEVER_DEF_MAGIC, .name = "fever_map", .file = __FILE__, .line = __LINE__,
                                     .args_bytes = sizeof(struct chunk_args), .ref_offsets = no_refs, .run = run_chunk};
static struct fever_def *const chunk_def_pointer __attribute__((used, section("fever_defs"))) = &chunk_def;

int fever_map_raw(const struct fever_def *def, const void *in, size_t in_bytes, size_t n, void *out, size_t out_bytes,
                  const struct fever_task_options *options) {
    if (def == NULL || ((in == NULL || out == NULL) && n != 0))
        return -FEVER_ENULL;
    if (in_bytes != def->args_bytes || out_bytes != def->result_bytes || n > SIZE_MAX / FV_MAX(in_bytes + out_bytes, 1))
        return -FEVER_EINVAL;
    if (def->has_refs != 0 || def->result_type == 16)
        return -FEVER_EINVAL; /* items are plain values: nobody would await or hold their refs */
    fever_ref           data, results;
    void               *from, *to;
    struct fever_group *g;
    uint64_t            site = FV_SITE();
    int rc = fever_create(n * in_bytes, &from, &data);
    if (rc < 0)
        return rc;
    rc = def->id == 0 || def->id >= FV_MAX_DEFS || fv_defs[def->id] != def ? -FEVER_ENOTASK : fever_create(n * out_bytes, &to, &results);
    if (rc < 0) {
        fever_abort(data);
        fever_release(data);
        return rc;
    }
    memcpy(from, in, n * in_bytes);
    rc = fever_group_open(&g);
    if (rc == 0) {
        size_t chunk = (size_t)chunk_of((long)n, 0);
        for (size_t at = 0; at < n && rc == 0; at += chunk) {
            struct chunk_args c = {.def = def, .in = (uint64_t)((char *)from - fv_map.base) + at * in_bytes,
                                   .out = (uint64_t)((char *)to - fv_map.base) + at * out_bytes, .n = FV_MIN(chunk, n - at),
                                   .in_bytes = in_bytes, .out_bytes = out_bytes};
            rc = fv_group_submit(g, &chunk_def, &c, sizeof c, options, site);
        }
        int end = finish(g, fever_group_wait(g, FEVER_FOREVER));
        rc = rc < 0 ? rc : end;
    }
    if (rc == 0)
        memcpy(out, to, n * out_bytes);
    fever_abort(data);
    fever_abort(results);
    fever_release(data);
    fever_release(results);
    return rc;
}

extern struct fever_def *__start_fever_defs[] __attribute__((visibility("hidden")));
extern struct fever_def *__stop_fever_defs[] __attribute__((visibility("hidden")));
__attribute__((constructor)) static void register_own(void) { fever_register_defs(__start_fever_defs, __stop_fever_defs); }
