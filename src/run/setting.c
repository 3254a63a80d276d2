/* run/setting.c: what a body with options runs in: environment variables and a memory limit of its own.
 *
 * Run by workers, and by the driver with FEVER_INLINE=1 (variables only).  Writes the limits line of its own process slot.  Dies here:
 * the next process in the slot has neither; the sweep clears the line.
 *
 * The memory limit has two halves.  RLIMIT_DATA makes the kernel refuse what goes beyond it, so that malloc gives NULL.  A body may
 * get round that (it raises its limit, or uses what its process had mapped before, as its stack), so the supervisor looks at what is resident, every
 * tick while any such body runs, and kills its process (run/memory.c).  The segment counts for neither.
 */
#include "run/setting.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plat/process.h"
#include "run/runtime.h"

static void restore(struct fv_setting *s) {
    while (s->n_old > 0) { /* from the last: a name may be there twice */
        char *old = s->old[--s->n_old], *equals = strchr(old, '=');
        if (equals == NULL) {
            unsetenv(old);
        } else {
            *equals = '\0';
            setenv(old, equals + 1, 1);
        }
        free(old);
    }
    free(s->old);
    s->old = NULL;
}

static int set_variables(const struct fv_task_options_block *b, struct fv_setting *s) {
    const char *text = fv_task_options_env(b);
    s->old = malloc(b->n_env * sizeof *s->old);
    if (s->old == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < b->n_env; i++, text += strlen(text) + 1) {
        const char *value = strchr(text, '=') + 1, *was;
        char       *name = strndup(text, (size_t)(value - 1 - text)), *old = NULL;
        if (name != NULL && (was = getenv(name)) != NULL) {
            if (asprintf(&old, "%s=%s", name, was) < 0)
                old = NULL;
        } else if (name != NULL) {
            old = strdup(name);
        }
        if (old == NULL || setenv(name, value, 1) != 0) {
            free(name);
            free(old);
            restore(s);
            return -ENOMEM;
        }
        s->old[s->n_old++] = old;
        free(name);
    }
    return 0;
}

static void limit_memory(struct fv_self *self, uint32_t index, uint64_t bytes, struct fv_setting *s) {
    struct fv_proc  *p = self->proc;
    struct fv_memory m;
#ifdef __GLIBC__
    malloc_trim(0); /* what earlier bodies have freed: the kernel counts it as ours until it is given back */
#endif
    if (!fv_process_memory(0, &m))
        return; /* without /proc nobody can watch it either */
    s->is_limited = true;
    s->limit = p->memory_limit, s->base = p->memory_base, s->task = p->memory_task;
    fv_store_relaxed_64(&p->memory_base, m.private_bytes);
    fv_store_relaxed_64(&p->memory_task, fv_ref_make(index, fv_truth_gen(fv_load_relaxed_64(&fv_task(index)->truth))));
    /* ORDER tick (seq_cst): the limit before tick_wanted is read, as a deadline in fv_execute(). */
    fv_fas_64(&p->memory_limit, bytes);
    if (!fv_load_relaxed_32(&fv_map.seg->tick_wanted)) {
        fv_store_release_32(&fv_map.seg->tick_wanted, 1);
        fv_supervisor_ring();
    }
    if (getrlimit(RLIMIT_DATA, &s->data) != 0)
        return;
    struct rlimit less = s->data;
    less.rlim_cur = FV_MIN(s->data.rlim_cur, (rlim_t)(m.data_bytes + bytes));
    setrlimit(RLIMIT_DATA, &less);
}

int fv_setting_enter(struct fv_self *self, uint32_t index, const struct fv_task_options_block *b, struct fv_setting *s) {
    memset(s, 0, sizeof *s);
    int rc = b->n_env != 0 ? set_variables(b, s) : 0;
    if (rc == 0 && b->memory_bytes != 0 && self->is_worker)
        limit_memory(self, index, b->memory_bytes, s);
    return rc;
}

void fv_setting_leave(struct fv_self *self, struct fv_setting *s) {
    if (s->is_limited) {
        struct fv_proc *p = self->proc;
        struct rlimit   now;
        fv_store_release_64(&p->memory_limit, s->limit);
        fv_store_relaxed_64(&p->memory_base, s->base);
        fv_store_relaxed_64(&p->memory_task, s->task);
        if (getrlimit(RLIMIT_DATA, &now) == 0) { /* the body may have lowered the hard one for good */
            now.rlim_cur = FV_MIN(s->data.rlim_cur, now.rlim_max);
            setrlimit(RLIMIT_DATA, &now);
        }
    }
    if (s->old != NULL)
        restore(s);
}
