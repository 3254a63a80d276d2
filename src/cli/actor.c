/* cli/actor.c: actors as rows: what they are, where they live, how much waits for them.
 *
 * Run by:          the fever command.
 * Shared state:    reads task slots, and the blocks and mailboxes of actors.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cli/cli.h"

/* one word, for filters and programs */
static const char *state_of(const struct fv_obs_task *t, const struct fv_obs_actor *a) {
    static const char *const stages[] = {[FV_ACTOR_STARTING] = "starting", [FV_ACTOR_CONSTRUCTING] = "constructing", [FV_ACTOR_ALIVE] = "alive",
                                         [FV_ACTOR_ENDING] = "ending"};
    switch (t->state) {
    case FV_RUN:  return a->block.stage < FV_COUNT_OF(stages) ? stages[a->block.stage] : "?";
    case FV_DONE: return "ended";
    case FV_FAIL: return "dead";
    default:      return cli_state_word(t->state); /* pending: it wants a process */
    }
}

static json_t *text_or_null(const char *s) { return s[0] != '\0' ? cli_text(s) : json_null(); }

static json_t *actor_row(const struct fv_obs *o, const struct fv_obs_task *t, const struct fv_obs_actor *a) {
    char               ref[20], home[32];
    struct fv_proc     p;
    struct fever_error e;
    uint32_t           owner = fv_truth_owner(t->hot.truth);
    bool               lives = t->state == FV_RUN && fv_obs_proc(o, owner, &p) && p.actor == t->id;
    snprintf(ref, sizeof ref, "%016llx", (unsigned long long)t->id);
    json_t *row = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "ref", ref, "state", state_of(t, a), "class", cli_text(fv_obs_task_name(o, t)), "name",
                            text_or_null(a->block.name[0] != '\0' ? a->block.name : a->block.registered), "registered",
                            text_or_null(a->block.registered), "namespace", a->block.registered[0] != '\0' ? cli_text(a->block.name_space) : json_null());
    if (row == NULL)
        return NULL;
    json_object_set_new(row, "detached", json_boolean(a->block.detached));
    json_object_set_new(row, "pid", lives ? json_integer(p.pid) : json_null());
    json_object_set_new(row, "restarts", json_integer(a->block.restarts));
    json_object_set_new(row, "max_restarts", a->block.max_restarts == FV_NO_LIMIT ? json_null() : json_integer(a->block.max_restarts));
    json_object_set_new(row, "calls", json_integer((json_int_t)a->block.n_calls));
    json_object_set_new(row, "pending", json_integer((json_int_t)a->depth));
    json_object_set_new(row, "callers", json_integer(a->n_callers));
    json_object_set_new(row, "waited_s", a->block.n_waited == 0 ? json_null() : json_real((double)a->block.waited_ns * 1e-9 / (double)a->block.n_waited));
    json_object_set_new(row, "holders", json_integer(fv_obs_holders(t)));
    json_object_set_new(row, "home", json_string(cli_who(o, t->index >> o->head->slab_shift, home, sizeof home)));
    if (fv_obs_error(o, t, &e))
        json_object_set_new(row, "error", json_pack("{s:s, s:o, s:i, s:i}", "code", fever_strerrorname(e.code), "text", cli_text(e.text), "app_code",
                                                    e.app_code, "signal", e.signal));
    return row;
}

json_t *cli_actors(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out) {
    json_t             *rows = json_array();
    struct fv_obs_task  t;
    struct fv_obs_actor a;
    struct fv_proc      p;
    *n_all_out = 0;
    for (uint32_t slot = 0; slot < o->head->n_procs; slot++) {
        if (!fv_obs_proc(o, slot, &p))
            continue;
        for (uint32_t i = 0, n = fv_obs_slab(o, slot); i < n; i++) {
            if (!fv_obs_task(o, slot << o->head->slab_shift | i, &t) || t.hot.kind != FV_KIND_ACTOR || t.state == FV_FREE || t.state == FV_DYING ||
                !fv_obs_actor(o, &t, &a) || (cli->state != NULL && strcasecmp(cli->state, state_of(&t, &a)) != 0))
                continue;
            if (++*n_all_out <= (size_t)cli->limit || cli->limit == 0)
                json_array_append_new(rows, actor_row(o, &t, &a));
        }
    }
    return rows;
}
