/* cli/task.c: task slots as rows: tasks, and the objects and results that are kept.
 *
 * Run by:          the fever command.
 * Shared state:    reads task slots.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"
#include "shm/source.h"

#define MOST_DEPENDENCIES 64

/* one word a state, for programs and --state */
static const char *const state_words[FV_N_STATES] = {
    [FV_FREE] = "free", [FV_READY] = "pending", [FV_RUN] = "running", [FV_BLOCKED] = "waiting",
    [FV_DONE] = "done", [FV_FAIL] = "failed",   [FV_OPEN] = "open",   [FV_DYING] = "freeing",
    [FV_DELAYED] = "delayed",
};

const char *cli_state_word(unsigned state) { return state < FV_N_STATES ? state_words[state] : "?"; }

static json_t *flags_of(const struct fv_obs_task *t) {
    static const struct {
        unsigned    bit;
        const char *word;
    } truth_flags[] = {{FV_HELD, "held"}, {FV_WAITED, "waited"}, {FV_DEPS, "dependents"}, {FV_SHARED, "shared"}},
      x_flags[] = {{FV_X_ADOPTED, "adopted"}, {FV_X_OPTIONS, "options"}, {FV_X_NESTED, "nested"}};
    json_t *flags = json_array();
    for (size_t i = 0; i < FV_COUNT_OF(truth_flags); i++)
        if (t->hot.truth & truth_flags[i].bit)
            json_array_append_new(flags, json_string(truth_flags[i].word));
    if (t->hot.is_member)
        json_array_append_new(flags, json_string("group"));
    for (size_t i = 0; i < FV_COUNT_OF(x_flags); i++)
        if (t->hot.x & x_flags[i].bit)
            json_array_append_new(flags, json_string(x_flags[i].word));
    if (t->cold.cancel >> 32 == fv_truth_gen(t->hot.truth))
        json_array_append_new(flags, json_string("cancelled"));
    return flags;
}

/* what every row begins with */
static json_t *begin_row(const struct fv_obs *o, const struct fv_obs_task *t) {
    char ref[20], home[32];
    snprintf(ref, sizeof ref, "%016llx", (unsigned long long)t->id);
    return json_pack("{s:s, s:o, s:s, s:s}", "ref", ref, "name", cli_text(fv_obs_task_name(o, t)), "state", state_words[t->state],
                     "home", cli_who(o, t->index >> o->head->slab_shift, home, sizeof home));
}

static void add_error(json_t *row, const struct fv_obs *o, const struct fv_obs_task *t) {
    struct fever_error e;
    if (!fv_obs_error(o, t, &e))
        return;
    json_object_set_new(row, "error", json_pack("{s:s, s:o, s:i, s:i, s:i}", "code", fever_strerrorname(e.code), "text", cli_text(e.text),
                                                "app_code", e.app_code, "signal", e.signal, "attempt", (int)e.attempt));
}

static json_t *dependencies(const struct fv_obs *o, const struct fv_obs_task *t) {
    uint64_t           ids[MOST_DEPENDENCIES];
    struct fv_obs_task d;
    json_t            *list = json_array();
    uint32_t           n = FV_MIN(fv_obs_dependencies(o, t, ids, MOST_DEPENDENCIES), (uint32_t)MOST_DEPENDENCIES);
    for (uint32_t i = 0; i < n; i++)
        if (fv_obs_ref(o, ids[i], &d) && d.state != FV_DONE && d.state != FV_FAIL)
            json_array_append_new(list, cli_ref(o, ids[i]));
    return list;
}

static json_t *task_row(const struct cli *cli, const struct fv_obs *o, const struct fv_obs_task *t) {
    char        owner[32], place[96];
    const char *at = fv_obs_task_place(o, t, place, sizeof place);
    json_t     *row = begin_row(o, t);
    json_object_set_new(row, "attempt", json_integer(fv_truth_attempt(t->hot.truth) + 1));
    json_object_set_new(row, "worker", t->state == FV_RUN ? json_string(cli_who(o, fv_truth_owner(t->hot.truth), owner, sizeof owner))
                                                          : json_null());
    json_object_set_new(row, "waits_for", t->state == FV_BLOCKED ? dependencies(o, t) : json_array());
    json_object_set_new(row, "flags", flags_of(t));
    json_object_set_new(row, "arg_bytes", json_integer(t->hot.arg_bytes));
    json_object_set_new(row, "place", at != NULL ? cli_text(at) : json_null());
    if (t->hot.x & FV_X_OPTIONS) {
        json_object_set_new(row, "timeout_s", t->cold.timeout_ns != 0 ? json_real((double)t->cold.timeout_ns * 1e-9) : json_null());
        json_object_set_new(row, "max_retries", json_integer(t->cold.max_retries));
        if (t->cold.options != 0) {
            json_object_set_new(row, "memory_bytes", t->options.memory_bytes != 0 ? json_integer((json_int_t)t->options.memory_bytes) : json_null());
            json_object_set_new(row, "num_cpus", json_real((double)t->options.cpu_units / FV_CPU_UNITS));
            json_object_set_new(row, "priority", json_integer(t->options.priority));
            json_object_set_new(row, "max_calls", json_integer(t->options.max_calls));
        }
    }
    add_error(row, o, t);
    if (cli->detail)
        cli_add_detail(row, o, t);
    return row;
}

/* Where a result is: NULL when it is nowhere yet. */
static const char *where_is(const struct fv_obs *o, const struct fv_obs_task *t) {
    static const char *const words[] = {[FV_HERE] = "here", [FV_CLEAN] = "here and on disk", [FV_AWAY] = "on disk", [FV_LOST] = "lost"};
    bool large = t->hot.x & FV_X_RESULT_BLOCK && t->hot.result[1] > FV_SMALL_MOST;
    unsigned r = large && fv_residence(t->hot.result[0]) <= FV_LOST ? fv_residence(t->hot.result[0]) : FV_HERE;
    if (large && r <= FV_CLEAN && t->hot.result[0] >= o->head->bytes)
        return t->state == FV_OPEN || t->state == FV_DONE ? "in the fallback" : NULL;
    if ((r == FV_CLEAN || r == FV_AWAY) && t->cold.copy == FV_COPY_SOURCE)
        return r == FV_CLEAN ? "here and in its file" : "in its file";
    return t->state == FV_OPEN || t->state == FV_DONE ? words[r] : NULL;
}

static json_t *object_row(const struct cli *cli, const struct fv_obs *o, const struct fv_obs_task *t) {
    (void)cli;
    static const char *const kinds[] = {[FV_KIND_TASK] = "result", [FV_KIND_OBJECT] = "object", [FV_KIND_PROMISE] = "promise", [FV_KIND_ACTOR] = "actor"};
    json_t *row = begin_row(o, t);
    json_object_set_new(row, "kind", json_string(t->hot.kind < FV_COUNT_OF(kinds) ? kinds[t->hot.kind] : "?"));
    json_object_set_new(row, "bytes", json_integer((json_int_t)fv_obs_result_bytes(t)));
    json_object_set_new(row, "in_store", json_boolean(t->hot.x & FV_X_RESULT_BLOCK && t->hot.result[0] < o->head->bytes));
    const char *where = where_is(o, t);
    json_object_set_new(row, "where", where != NULL ? json_string(where) : json_null());
    json_object_set_new(row, "holders", json_integer(fv_obs_holders(t)));
    json_object_set_new(row, "flags", flags_of(t));
    add_error(row, o, t);
    return row;
}

static bool is_task(const struct fv_obs_task *t) { return t->hot.kind == FV_KIND_TASK; }
static bool is_object(const struct fv_obs_task *t) { return t->hot.kind != FV_KIND_TASK || t->state == FV_DONE || t->state == FV_FAIL; }

static json_t *each_slot(const struct cli *cli, const struct fv_obs *o, bool (*wanted)(const struct fv_obs_task *),
                         json_t *(*make)(const struct cli *, const struct fv_obs *, const struct fv_obs_task *), size_t *n_all_out) {
    json_t            *rows = json_array();
    struct fv_obs_task t;
    struct fv_proc     p;
    *n_all_out = 0;
    for (uint32_t slot = 0; slot < o->head->n_procs; slot++) {
        if (!fv_obs_proc(o, slot, &p))
            continue;
        for (uint32_t i = 0, n = fv_obs_slab(o, slot); i < n; i++) {
            if (!fv_obs_task(o, slot << o->head->slab_shift | i, &t) || t.state == FV_FREE || !wanted(&t) ||
                (cli->state != NULL && strcasecmp(cli->state, state_words[t.state]) != 0))
                continue;
            if (++*n_all_out <= (size_t)cli->limit || cli->limit == 0)
                json_array_append_new(rows, make(cli, o, &t));
        }
    }
    return rows;
}

json_t *cli_tasks(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out) {
    return each_slot(cli, o, is_task, task_row, n_all_out);
}

json_t *cli_objects(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out) {
    return each_slot(cli, o, is_object, object_row, n_all_out);
}
