/* api/report.c: errors for those who ask: fever_error, fever_error_print, the failures of a group, and fever_fail.
 *
 * Run by drivers and by bodies.  Reads stored errors.  Private: the debug information that was read, behind a lock.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/words.h"
#include "core/failure.h"
#include "core/store.h"
#include "plat/backtrace.h"
#include "plat/module.h"
#include "plat/symbol.h"

#define INLINED   8u  /* functions inlined into one another at one address */
#define PLACES    64u /* submitting calls whose places are remembered */

static pthread_mutex_t    lock = PTHREAD_MUTEX_INITIALIZER;
static struct fv_symbols *symbols; /* behind the lock */
static pid_t              symbols_pid;
static struct place {
    uint64_t address;
    int      line;
    char     file[64], function[48];
} places[PLACES];

void fv_report_forget(void) {
    pthread_mutex_lock(&lock);
    fv_symbols_close(symbols);
    symbols = NULL;
    memset(places, 0, sizeof places);
    pthread_mutex_unlock(&lock);
}

void fv_report_in_child(void) { pthread_mutex_init(&lock, NULL); }

static unsigned find_locked(uint64_t address, struct fv_symbol *out, unsigned room) {
    if (symbols != NULL && symbols_pid != getpid()) { /* a parent's */
        fv_symbols_close(symbols);
        symbols = NULL;
    }
    if (symbols == NULL) {
        symbols_pid = getpid();
        symbols = fv_symbols_open(symbols_pid);
    }
    return symbols == NULL ? 0 : fv_symbols_find(symbols, address, out, room);
}

static unsigned find(uint64_t address, struct fv_symbol *out, unsigned room) {
    pthread_mutex_lock(&lock);
    unsigned n = find_locked(address, out, room);
    pthread_mutex_unlock(&lock);
    return n;
}

/* ------------------------------------------------------------------------------------------------ where it was submitted */

/* Is it a function that FEVER_TASK made for submitting?  Then its caller is who submits. */
static bool submits(const struct fv_symbol *s) {
    static const char *const tails[] = {"_remote", "_with", "_group", "_group_with", "_for"};
    size_t n = strlen(s->function);
    if (!s->is_inlined)
        return false;
    for (size_t k = 0; k < FV_COUNT_OF(tails); k++) {
        size_t t = strlen(tails[k]);
        if (n <= t || strcmp(s->function + n - t, tails[k]) != 0)
            continue;
        for (uint32_t i = 1; i < FV_MAX_DEFS && fv_defs[i] != NULL; i++)
            if (strncmp(fv_defs[i]->name, s->function, n - t) == 0 && fv_defs[i]->name[n - t] == '\0')
                return true;
    }
    return false;
}

static const char *tail_of(const char *text, size_t room) {
    size_t n = strlen(text);
    return n < room ? text : text + n - (room - 1);
}

static struct place place_of(uint64_t site) {
    pthread_mutex_lock(&lock);
    struct place *p = &places[site / 4 % PLACES];
    if (p->address != site) {
        struct fv_symbol s[INLINED];
        unsigned         n = find_locked(site, s, INLINED), i = n > 1 && submits(&s[0]) ? 1 : 0;
        memset(p, 0, sizeof *p);
        p->address = site;
        if (n != 0) {
            p->line = s[i].line;
            snprintf(p->file, sizeof p->file, "%.63s", tail_of(s[i].file, sizeof p->file));
            while (i + 1 < n && s[i].function[0] == '\0')
                i++;
            snprintf(p->function, sizeof p->function, "%.47s", s[i].function);
        }
    }
    struct place copy = *p;
    pthread_mutex_unlock(&lock);
    return copy;
}

const char *fv_place_text(uint64_t site, char *buf, size_t bytes) {
    struct place p = place_of(site);
    char         name[40];
    uint64_t     base;
    if (p.file[0] != '\0')
        snprintf(buf, bytes, "%s:%d%s%s", p.file, p.line, p.function[0] != '\0' ? ", in " : "", p.function);
    else if (fv_module_find(site, &base, name, sizeof name))
        snprintf(buf, bytes, "%s+%#llx", name, (unsigned long long)(site - base));
    else
        snprintf(buf, bytes, "address %#llx", (unsigned long long)site);
    return buf;
}

static void name_sites(struct fever_error *e) {
    if (e->site != 0) {
        struct place p = place_of(e->site);
        snprintf(e->site_file, sizeof e->site_file, "%s", p.file);
        e->site_line = p.line;
    }
    if (e->object_site != 0) {
        struct place p = place_of(e->object_site);
        snprintf(e->object_file, sizeof e->object_file, "%.51s", tail_of(p.file, sizeof e->object_file));
        e->object_line = p.line;
    }
    for (uint32_t i = 0; i < e->n_dependents && i < FEVER_ERROR_CHAIN; i++) {
        struct fever_dependent *d = &e->dependent[i];
        struct place            p = d->site != 0 && !d->submitted ? place_of(d->site) : (struct place){0};
        if (p.file[0] == '\0')
            continue;
        const char *slash = strrchr(p.file, '/');
        snprintf(d->file, sizeof d->file, "%.19s", tail_of(slash != NULL ? slash + 1 : p.file, sizeof d->file));
        d->line = p.line;
        d->submitted = 1;
    }
}

/* It ended well, but could not be read back. */
static void describe_loss(uint32_t index, uint64_t t, struct fever_error *e) {
    uint64_t                word = fv_load_acquire_64(&fv_task(index)->result[0]);
    const struct fv_source *s = fv_store_source(index);
    if (fv_truth_state(t) != FV_DONE || !fv_result_is_large(fv_task(index)) || fv_residence(word) != FV_LOST)
        return;
    fv_error_describe(e, fv_task(index)->kind == FV_KIND_TASK ? fv_task(index)->def : FV_MAX_DEFS, (int)(word >> 16));
    if (s != NULL && fv_cold(index)->copy == FV_COPY_SOURCE) {
        const char *path = fv_source_path(s);
        size_t      n = strlen(path);
        snprintf(e->text, sizeof e->text, "%s%s is not what it was when it was loaded, and the object had been dropped", n > 90 ? "..." : "",
                 n > 90 ? path + n - 87 : path);
    }
}

int fever_error(fever_ref ref, struct fever_error *error_out) {
    int why;
    if (error_out == NULL)
        return -FEVER_ENULL;
    struct fv_self *self = fv_enter(&why);
    if (self == NULL)
        return why;
    uint32_t index = 0;
    uint64_t t = 0;
    int rc = fv_ref_check(ref.id, &index, &t);
    if (rc == 0 && fv_truth_state(t) == FV_FAIL) {
        fv_task_get_error(index, error_out);
        fv_error_sites(error_out);
    } else if (rc == 0) {
        memset(error_out, 0, sizeof *error_out);
        error_out->worker = -1;
        describe_loss(index, t, error_out);
    } else if (ref.id >> 60 == FV_TAG_ERROR) { /* the submission failed */
        fv_error_describe(error_out, FV_MAX_DEFS, -rc);
        rc = 0;
    }
    rc = fv_leave(self, rc);
    if (rc == 0)
        name_sites(error_out);
    return rc;
}

int fever_group_failure(struct fever_group *g, uint64_t i, uint64_t *index_out, struct fever_error *error_out) {
    if (g == NULL)
        return -FEVER_ENULL;
    if (g->owner == NULL)
        return -FEVER_ESTALE;
    if (i >= g->n_failures)
        return -FEVER_EINVAL;
    if (index_out != NULL)
        *index_out = g->failure[i].index;
    if (error_out != NULL) {
        *error_out = g->failure[i].error;
        name_sites(error_out);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ for people */

static void print_address(FILE *stream, const struct fever_error *e, unsigned i) {
    unsigned m = e->frame_module[i];
    if (m < e->n_modules && m < FEVER_ERROR_MODULES)
        fprintf(stream, "%s+%#llx", e->module[m].name, (unsigned long long)(e->frame[i] - e->module[m].base));
    else
        fprintf(stream, "address %#llx", (unsigned long long)e->frame[i]);
}

/* One frame, with what was inlined into it.  False: what follows is the runtime's, not the program's. */
static bool print_frame(FILE *stream, const struct fever_error *e, unsigned i, unsigned times) {
    struct fv_symbol s[INLINED];
    unsigned         n = find(e->frame[i], s, INLINED);
    char             name[80];
    for (unsigned k = 0; k < FV_MAX(n, 1u); k++) {
        if (n != 0 && fv_function_is_caller(s[k].function) && (k != 0 || i != 0))
            return false;
        fprintf(stream, "%s", i == 0 && k == 0 ? "  it was in " : "    called by ");
        if (n != 0)
            fprintf(stream, "%s ", fv_function_text(s[k].function, name, sizeof name));
        if (n != 0 && s[k].file[0] != '\0' && s[k].line != 0) {
            fprintf(stream, "at %s:%d", s[k].file, s[k].line);
        } else {
            fprintf(stream, "%s", n != 0 ? "in " : "");
            print_address(stream, e, i);
        }
        fprintf(stream, "\n");
    }
    if (times > 1)
        fprintf(stream, "    ... and by itself, %u times more\n", times - 1);
    return true;
}

static void print_frames(FILE *stream, const struct fever_error *e) {
    unsigned n = FV_MIN(e->n_frames, (unsigned)FEVER_ERROR_FRAMES);
    for (unsigned i = 0, times; i < n; i += times) {
        times = 1;
        while (i + times < n && e->frame[i + times] == e->frame[i]) /* recursion */
            times++;
        if (!print_frame(stream, e, i, times))
            return;
    }
    if (n == FEVER_ERROR_FRAMES)
        fprintf(stream, "    ... and so on: %u calls are kept\n", n);
}

static void print_attempt(FILE *stream, const struct fever_attempt *a, const struct fever_attempt *last) {
    char text[200], word[32];
    fprintf(stream, "    %u: %s", a->attempt, fv_attempt_text(a, text, sizeof text));
    if (a != last)
        fprintf(stream, ", %s before the last", fv_seconds_text((double)(last->when_ns - a->when_ns) * 1e-9, word, sizeof word));
    fprintf(stream, "\n");
}

static void print_chain(FILE *stream, const struct fever_error *e) {
    unsigned n = FV_MIN(e->n_dependents, (unsigned)FEVER_ERROR_CHAIN);
    const char *cause = e->task[0] != '\0' ? e->task : "it";
    for (unsigned i = 0; i < n; i++) {
        const struct fever_dependent *d = &e->dependent[i];
        if (i + 1 == n && e->n_dependents > n)
            fprintf(stream, "    ... and %u more between\n", e->n_dependents - n);
        fprintf(stream, "  so failed %s, which awaited %s (%s %s:%d)\n", d->task, i + 1 == n && e->n_dependents > n ? "the one before" : cause,
                d->submitted ? "submitted at" : "defined at", d->file, d->line);
        cause = d->task;
    }
}

static void print_site(FILE *stream, const char *what, uint64_t site, const char *file, int line) {
    char text[200];
    if (site != 0 && file[0] != '\0') {
        struct place p = place_of(site);
        fprintf(stream, "  %s at %s:%d%s%s\n", what, file, line, p.function[0] != '\0' ? ", in " : "", p.function);
    } else if (site != 0) {
        fprintf(stream, "  %s at %s\n", what, fv_place_text(site, text, sizeof text));
    }
}

void fever_error_print(FILE *stream, const struct fever_error *e) {
    if (stream == NULL || e == NULL)
        return;
    if (e->code == 0) {
        fprintf(stream, "no error\n");
        return;
    }
    fprintf(stream, "%s", fever_strerrorname(e->code));
    if (e->task[0] != '\0')
        fprintf(stream, " in task %s (%s:%d)", e->task, e->file, e->line);
    fprintf(stream, ": %s", e->text[0] != '\0' ? e->text : fever_strerror(e->code));
    if (e->code == FEVER_EAPP)
        fprintf(stream, " [code %d, attempt %u, worker %d, pid %d]", e->app_code, e->attempt, e->worker, e->worker_pid);
    fputc('\n', stream);
    print_site(stream, e->task[0] != '\0' ? "submitted" : "made", e->site, e->site_file, e->site_line);
    print_site(stream, "the object was made", e->object_site, e->object_file, e->object_line);
    print_frames(stream, e);
    unsigned n = FV_MIN(e->n_attempts, (unsigned)FEVER_ERROR_ATTEMPTS);
    if (n > 1) {
        fprintf(stream, "  its attempts\n");
        for (unsigned i = 0; i < n; i++)
            print_attempt(stream, &e->attempts[i], &e->attempts[n - 1]);
    }
    print_chain(stream, e);
}

const char *fever_why(void) {
    const struct fv_self *self = fv_self;
    return self == NULL || fv_self_epoch != fv_epoch ? "" : self->why;
}

/* ------------------------------------------------------------------------------------------------ in a body */

int fever_fail(int app_code, const char *format, ...) {
    struct fv_self *self = fv_self;
    if (self == NULL || fv_self_epoch != fv_epoch || self->running == 0)
        return -FEVER_ECONTEXT;
    va_list ap;
    va_start(ap, format);
    vsnprintf(self->fail_text, sizeof self->fail_text, format == NULL ? "unspecified" : format, ap);
    va_end(ap);
    self->n_fail_frames = fv_backtrace_here(self->fail_frame, FV_FRAMES);
    if (self->n_fail_frames == 0) { /* there is no unwinder */
        self->fail_frame[0] = FV_SITE();
        self->n_fail_frames = 1;
    }
    self->app_code = app_code;
    self->fail_code = FEVER_EAPP;
    self->failed = true;
    return 0;
}
