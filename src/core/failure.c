/* core/failure.c: puts together what is known of a failure.
 *
 * Run by the supervisor, by workers and by whoever reads an error.  Writes stored errors: before the task is complete its owner,
 * afterwards its home alone, single words (the sites).  Dies here: an error without some of its sites.
 */
#include "core/options.h"
#include "core/failure.h"

#include <stdio.h>
#include <string.h>

#include "core/attempt.h"
#include "plat/module.h"

_Static_assert(FEVER_ERROR_FRAMES == FV_FRAMES, "a whole backtrace fits an error");

void fv_error_frames(struct fever_error *e, const uint64_t *frame, uint32_t n) {
    char     name[sizeof e->module[0].name];
    uint64_t base;
    e->n_frames = FV_MIN(n, (uint32_t)FEVER_ERROR_FRAMES);
    for (uint32_t i = 0; i < e->n_frames; i++) {
        e->frame[i] = frame[i];
        e->frame_module[i] = FEVER_NO_MODULE;
        if (!fv_module_find(frame[i], &base, name, sizeof name))
            continue;
        uint32_t m = 0;
        while (m < e->n_modules && e->module[m].base != base)
            m++;
        if (m == FEVER_ERROR_MODULES)
            continue;
        if (m == e->n_modules) {
            e->module[m].base = base;
            memcpy(e->module[m].name, name, sizeof name);
            e->n_modules++;
        }
        e->frame_module[i] = (uint8_t)m;
    }
}

void fv_error_attempts(struct fever_error *e, uint64_t task) {
    struct fv_attempt a[FEVER_ERROR_ATTEMPTS];
    uint32_t          n = FV_MIN(fv_attempts_of(task, a, FV_COUNT_OF(a)), (uint32_t)FV_COUNT_OF(a));
    e->n_attempts = n;
    for (uint32_t i = 0; i < n; i++)
        e->attempts[i] = (struct fever_attempt){
            .when_ns = a[i].when_ns, .fault_address = a[i].fault_address, .worker = a[i].worker, .worker_pid = (int)a[i].pid,
            .code = a[i].code, .signal = a[i].signal, .detail = a[i].detail, .attempt = a[i].attempt, .charged = a[i].charged != 0};
}

void fv_error_last_attempt(struct fever_error *e, uint64_t when_ns) {
    if (e->n_attempts == FEVER_ERROR_ATTEMPTS)
        memmove(e->attempts, e->attempts + 1, --e->n_attempts * sizeof e->attempts[0]);
    e->attempts[e->n_attempts++] = (struct fever_attempt){.when_ns = when_ns, .worker = e->worker, .worker_pid = e->worker_pid, .code = e->code,
                                                          .detail = e->app_code, .attempt = e->attempt, .charged = true};
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

void fv_error_depend(struct fever_error *e, uint32_t index) {
    const struct fv_task   *task = fv_task(index);
    const struct fever_def *def = fv_defs[task->def];
    if (strcmp(def->name, "fever_part") == 0)
        return; /* a part of a result fails as the whole, under its name */
    struct fever_dependent *d = &e->dependent[FV_MIN(e->n_dependents, FEVER_ERROR_CHAIN - 1u)];
    memset(d, 0, sizeof *d);
    const char *own = fv_task_own_name(index);
    snprintf(d->task, sizeof d->task, "%s", own != NULL ? own : def->name);
    snprintf(d->file, sizeof d->file, "%s", last_part(def->file));
    d->line = def->line;
    d->ref.id = fv_ref_make(index, fv_truth_gen(fv_load_relaxed_64(&task->truth)));
    e->n_dependents++;
}

/* The home's private word, if the slot still is what the ref names: also when it is FREE, until it is used again. */
static uint64_t site_of(uint64_t id) {
    uint32_t index = fv_ref_index(id), home = index >> fv_map.shift;
    if (!fv_ref_tagged(id) || home >= fv_map.seg->n_procs || fv_homes[home] == NULL || (index & fv_map.mask) >= fv_proc(home)->slab_limit)
        return 0;
    uint64_t site = fv_load_relaxed_64(&fv_homes[home]->home[index & fv_map.mask].site);
    /* it is written before the next use's generation: unchanged, it was that of id */
    return fv_truth_gen(fv_load_acquire_64(&fv_task(index)->truth)) == fv_ref_gen(id) ? site : 0;
}

static void add_site(uint64_t *site, uint64_t id) {
    uint64_t known;
    if (fv_load_relaxed_64(site) == 0 && (known = site_of(id)) != 0)
        fv_store_relaxed_64(site, known);
}

void fv_error_sites(struct fever_error *e) {
    add_site(&e->site, e->ref.id);
    for (uint32_t i = 0; i < e->n_dependents && i < FEVER_ERROR_CHAIN; i++)
        add_site(&e->dependent[i].site, e->dependent[i].ref.id);
}

void fv_error_keep_sites(uint32_t index) {
    struct fv_failure f;
    memcpy(&f, fv_task(index)->result, sizeof f);
    if (f.error != 0)
        fv_error_sites(fv_at(f.error));
}
