/* cli/detail.c: fever list tasks --detail: the attempts of a task, and where it was when it failed.
 *
 * Run by:          the fever command.
 * Shared state:    reads the segment through obs/, and the files that the driver has mapped.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/words.h"
#include "cli/cli.h"
#include "plat/symbol.h"

#define MOST_ATTEMPTS 256u
#define INLINED       8u

static json_t *text_of(const char *text) { return text[0] != '\0' ? cli_text(text) : json_null(); }

static json_t *attempt_of(const struct fever_attempt *a) {
    char     text[200], word[32], address[32];
    uint64_t now = fv_now_ns();
    snprintf(address, sizeof address, "%#llx", (unsigned long long)a->fault_address);
    return json_pack("{s:i, s:i, s:i, s:s, s:o, s:o, s:i, s:b, s:f, s:o}", "attempt", (int)a->attempt, "worker", a->worker, "pid", a->worker_pid,
                     "code", fever_strerrorname(a->code), "signal", a->signal != 0 ? json_string(fv_signal_name(a->signal, word, sizeof word)) : json_null(),
                     "fault_address", a->fault_address != 0 ? json_string(address) : json_null(), "status", a->detail, "charged", a->charged,
                     "ago_s", now > a->when_ns ? (double)(now - a->when_ns) * 1e-9 : 0.0, "text", cli_text(fv_attempt_text(a, text, sizeof text)));
}

static json_t *attempts_of(const struct fv_obs *o, const struct fv_obs_task *t, const struct fever_error *e) {
    static struct fever_attempt a[MOST_ATTEMPTS];
    json_t  *list = json_array();
    uint32_t n = FV_MIN(fv_obs_attempts(o, t->id, a, MOST_ATTEMPTS), MOST_ATTEMPTS);
    for (uint32_t i = 0; i < n; i++)
        json_array_append_new(list, attempt_of(&a[i]));
    if (e != NULL && e->n_dependents == 0) { /* the one that ended it is in the error, if not in the log; so are those that the log has lost */
        uint32_t m = FV_MIN(e->n_attempts, (uint32_t)FEVER_ERROR_ATTEMPTS);
        for (uint32_t i = n == 0 || m == 0 ? 0 : m - 1; i < m; i++)
            if (n == 0 || e->attempts[i].when_ns != a[n - 1].when_ns)
                json_array_append_new(list, attempt_of(&e->attempts[i]));
    }
    return list;
}

void cli_add_frame(json_t *list, struct fv_symbols *symbols, uint64_t address, const char *module, uint64_t base) {
    struct fv_symbol s[INLINED];
    unsigned         n = symbols != NULL ? fv_symbols_find(symbols, address, s, INLINED) : 0;
    char             offset[32];
    snprintf(offset, sizeof offset, "%#llx", (unsigned long long)(address - base));
    if (n == 0)
        s[n++] = (struct fv_symbol){.line = 0};
    for (unsigned k = 0; k < n; k++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:o, s:s}", "function", text_of(s[k].function), "file", text_of(s[k].file), "line",
                                              s[k].line, "module", module != NULL ? text_of(module) : json_null(), "offset", offset));
}

/* Its functions have the names of the driver's program: workers are forked from it. */
static json_t *frames_of(const struct fv_obs *o, const struct fever_error *e) {
    static struct fv_symbols *symbols;
    static bool               tried;
    json_t                   *list = json_array();
    if (e->n_frames != 0 && !tried) {
        tried = true;
        symbols = fv_symbols_open((pid_t)o->head->driver_pid);
    }
    for (unsigned i = 0; i < FV_MIN(e->n_frames, (unsigned)FEVER_ERROR_FRAMES); i++) {
        unsigned m = e->frame_module[i];
        bool     known = m < e->n_modules && m < FEVER_ERROR_MODULES;
        cli_add_frame(list, symbols, e->frame[i], known ? e->module[m].name : NULL, known ? e->module[m].base : 0);
    }
    return list;
}

static json_t *dependents_of(const struct fever_error *e) {
    json_t *list = json_array();
    for (unsigned i = 0; i < FV_MIN(e->n_dependents, (unsigned)FEVER_ERROR_CHAIN); i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:i}", "task", cli_text(e->dependent[i].task), "file", cli_text(e->dependent[i].file), "line",
                                              e->dependent[i].line));
    return list;
}

void cli_add_detail(json_t *row, const struct fv_obs *o, const struct fv_obs_task *t) {
    struct fever_error e;
    bool               failed = fv_obs_error(o, t, &e);
    json_object_set_new(row, "attempts", attempts_of(o, t, failed ? &e : NULL));
    if (!failed)
        return;
    json_t *error = json_object_get(row, "error");
    json_object_set_new(error, "task", text_of(e.task));
    json_object_set_new(error, "backtrace", frames_of(o, &e));
    json_object_set_new(error, "dependents", dependents_of(&e));
}

/* ------------------------------------------------------------------------------------------------ text */

static const char *string_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

void cli_print_frames(const json_t *frames, bool all) {
    size_t  i;
    json_t *f;
    json_array_foreach(frames, i, f) {
        const char *function = string_of(f, "function"), *file = string_of(f, "file"), *module = string_of(f, "module");
        char        name[80];
        if (!all && i != 0 && fv_function_is_caller(function))
            return;
        printf("  in %s", fv_function_text(function, name, sizeof name));
        if (file[0] != '\0')
            printf(" at %s:%d\n", file, (int)json_integer_value(json_object_get(f, "line")));
        else
            printf(" (%s+%s)\n", module[0] != '\0' ? module : "?", string_of(f, "offset"));
    }
}

void cli_print_detail(const json_t *rows) {
    size_t  r, i;
    json_t *row, *item;
    char    ago[32];
    json_array_foreach(rows, r, row) {
        const json_t *attempts = json_object_get(row, "attempts"), *error = json_object_get(row, "error");
        const json_t *dependents = json_object_get(error, "dependents");
        if (json_array_size(attempts) == 0 && error == NULL)
            continue;
        printf("\n%s (%s): %s", string_of(row, "name"), string_of(row, "ref"), string_of(row, "state"));
        if (error != NULL)
            printf(", %s: %s", string_of(error, "code"), string_of(error, "text"));
        printf("\n");
        json_array_foreach(attempts, i, item)
            printf("  attempt %d: %s, %s ago\n", (int)json_integer_value(json_object_get(item, "attempt")), string_of(item, "text"),
                   cli_seconds(json_number_value(json_object_get(item, "ago_s")), ago, sizeof ago));
        cli_print_frames(json_object_get(error, "backtrace"), false);
        if (json_array_size(dependents) != 0)
            printf("  because %s failed\n", string_of(error, "task"));
    }
}
