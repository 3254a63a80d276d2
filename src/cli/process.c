/* cli/process.c: the processes of a runtime: what each is doing, or waiting for, and since when.
 *
 * Run by:          the fever command.
 * Shared state:    reads process slots and task slots.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"

const char *cli_who(const struct fv_obs *o, uint32_t p, char *buf, size_t bytes) {
    struct fv_proc proc;
    if (p == FV_SUPERVISOR)
        snprintf(buf, bytes, "supervisor");
    else if (fv_obs_proc(o, p, &proc) && proc.role == FV_ROLE_KEEPER)
        snprintf(buf, bytes, "keeper");
    else if (fv_obs_proc(o, p, &proc))
        snprintf(buf, bytes, "%s %u", fv_role_text(proc.role), proc.number);
    else
        snprintf(buf, bytes, "slot %u", p);
    return buf;
}

json_t *cli_ref(const struct fv_obs *o, uint64_t id) {
    struct fv_obs_task t;
    char               ref[20];
    if (id == 0)
        return json_null();
    snprintf(ref, sizeof ref, "%016llx", (unsigned long long)id);
    if (!fv_obs_ref(o, id, &t))
        return json_pack("{s:s, s:s, s:s}", "ref", ref, "name", "?", "state", "gone");
    return json_pack("{s:s, s:o, s:s}", "ref", ref, "name", cli_text(fv_obs_task_name(o, &t)), "state", fv_state_text(t.state));
}

/* one word, for filters and programs */
static const char *state_of(const struct fv_proc *p) {
    bool driver = p->role == FV_ROLE_DRIVER;
    char life = fv_obs_process_state(p->pid, driver ? p->tid : 0);
    if (life == 0)
        return driver ? "ended" : "dead";
    if (life == 'T' || life == 't')
        return "stopped";
    switch (p->wait_reason) {
    case FV_WAIT_NOT:   return p->role == FV_ROLE_SUPERVISOR ? "supervising" : p->role == FV_ROLE_KEEPER ? "keeping" : driver ? "program" : p->current != 0 ? "running" : "looking";
    case FV_WAIT_IDLE:
    case FV_WAIT_CALL:
    case FV_WAIT_KEEPER: return "idle";
    case FV_WAIT_SPARE: return "standby";
    case FV_WAIT_START: return "starting";
    default:            return "blocked";
    }
}

/* the same for people */
static void describe(const struct fv_obs *o, const struct fv_proc *p, const char *state, char *buf, size_t bytes) {
    struct fv_obs_task t;
    const char        *task = p->current != 0 && fv_obs_ref(o, p->current, &t) ? fv_obs_task_name(o, &t) : NULL;
    const char        *stopped = strcmp(state, "stopped") == 0 ? "stopped by a signal; " : "";
    char               inside[80] = "";
    if (task != NULL)
        snprintf(inside, sizeof inside, "runs %.60s, ", task);
    if (strcmp(state, "dead") == 0)
        snprintf(buf, bytes, "dead: waits for its successor");
    else if (strcmp(state, "ended") == 0)
        snprintf(buf, bytes, "this thread has ended");
    else if (p->wait_reason == FV_WAIT_NOT && p->role == FV_ROLE_SUPERVISOR)
        snprintf(buf, bytes, "%swatches the others", stopped);
    else if (p->wait_reason == FV_WAIT_NOT && p->role == FV_ROLE_KEEPER)
        snprintf(buf, bytes, "%swrites objects to disk, or reads them back", stopped);
    else if (p->wait_reason == FV_WAIT_NOT && p->role == FV_ROLE_DRIVER)
        snprintf(buf, bytes, "%sruns the program", stopped);
    else if (p->wait_reason == FV_WAIT_NOT)
        snprintf(buf, bytes, "%s%s%.60s", stopped, task != NULL ? "runs " : "looks for work", task != NULL ? task : "");
    else if (p->wait_ref != 0 && fv_obs_ref(o, p->wait_ref, &t))
        snprintf(buf, bytes, "%s%s%s: %.60s (%s)", stopped, inside, fv_wait_text(p->wait_reason), fv_obs_task_name(o, &t), fv_state_text(t.state));
    else
        snprintf(buf, bytes, "%s%s%s", stopped, inside, fv_wait_text(p->wait_reason));
}

static json_t *seconds_since(uint64_t then_ns) {
    uint64_t now = fv_now_ns();
    return then_ns == 0 ? json_null() : json_real(now > then_ns ? (double)(now - then_ns) * 1e-9 : 0);
}

/* The runtime notes when a task began only where the task has a time limit. */
static uint64_t running_since(const struct fv_obs *o, const struct fv_proc *p) {
    struct fv_obs_task t;
    if (p->current == 0 || p->deadline_task != p->current || p->deadline_ns == 0 || !fv_obs_ref(o, p->current, &t) || !(t.hot.x & FV_X_OPTIONS))
        return 0;
    return t.cold.timeout_ns < p->deadline_ns ? p->deadline_ns - t.cold.timeout_ns : 0;
}

json_t *cli_process_row(const struct fv_obs *o, uint32_t slot, const struct fv_proc *p) {
    char        doing[256], who[32];
    bool        waits = p->wait_reason != FV_WAIT_NOT, is_worker = p->role == FV_ROLE_WORKER || p->role == FV_ROLE_SPARE;
    const char *state = state_of(p);
    describe(o, p, state, doing, sizeof doing);
    json_t *row = json_pack("{s:s, s:s, s:o, s:i, s:o, s:s, s:s, s:o, s:o, s:o, s:o}",
        "who", cli_who(o, slot, who, sizeof who),
        "role", fv_role_text(p->role),
        "number", p->role == FV_ROLE_SUPERVISOR || p->role == FV_ROLE_KEEPER ? json_null() : json_integer(p->number),
        "pid", (int)p->pid,
        "cpu", p->cpu < 0 ? json_null() : json_integer(p->cpu),
        "state", state,
        "doing", doing,
        "task", cli_ref(o, p->current),
        "running_s", seconds_since(running_since(o, p)),
        "waits_for", cli_ref(o, waits ? p->wait_ref : 0),
        "waiting_s", seconds_since(waits ? p->wait_since_ns : 0));
    if (row == NULL)
        return NULL;
    json_object_set_new(row, "age_s", seconds_since(p->started_ns));
    json_object_set_new(row, "tasks_done", json_integer((json_int_t)p->counter[FV_C_done]));
    json_object_set_new(row, "tasks_failed", json_integer((json_int_t)p->counter[FV_C_failed]));
    if (p->role == FV_ROLE_DRIVER)
        json_object_set_new(row, "thread", json_integer(p->tid));
    if (is_worker)
        json_object_set_new(row, "restarts", json_integer(p->restarts));
    if (p->role == FV_ROLE_SPARE)
        json_object_set_new(row, "stands_in_for", p->patron == 0 ? json_null() : json_string(cli_who(o, p->patron - 1, who, sizeof who)));
    return row;
}

json_t *cli_processes(const struct cli *cli, const struct fv_obs *o, bool workers_only, size_t *n_all_out) {
    json_t        *rows = json_array();
    struct fv_proc p;
    *n_all_out = 0;
    for (uint32_t slot = 0; slot < o->head->n_procs; slot++) {
        if (!fv_obs_proc(o, slot, &p) || (workers_only && p.role != FV_ROLE_WORKER && p.role != FV_ROLE_SPARE))
            continue;
        if (p.role == FV_ROLE_ACTOR && fv_obs_process_state(p.pid, 0) == 0)
            continue; /* it has ended, and its slot is free for another */
        json_t *row = cli_process_row(o, slot, &p);
        if (cli->state != NULL && strcmp(json_string_value(json_object_get(row, "state")), cli->state) != 0) {
            json_decref(row);
            continue;
        }
        ++*n_all_out;
        if (cli->limit == 0 || json_array_size(rows) < (size_t)cli->limit)
            json_array_append_new(rows, row);
        else
            json_decref(row);
    }
    return rows;
}
