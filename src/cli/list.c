/* cli/list.c: fever list nodes|workers|tasks|actors|objects.
 *
 * Run by:          the fever command.
 * Shared state:    reads the segment through obs/.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct cli_column node_columns[] = {
    {"name", "NODE", CLI_TEXT},       {"state", "STATE", CLI_TEXT},   {"type", "TYPE", CLI_TEXT},     {"first_worker", "FROM", CLI_COUNT}, {"workers", "WORKERS", CLI_COUNT},
    {"cpu", "CPU", CLI_TEXT},         {"resources", "RESOURCES", CLI_TEXT}, {"labels", "LABELS", CLI_TEXT},
};
static const struct cli_column worker_columns[] = {
    {"number", "WORKER", CLI_COUNT}, {"role", "ROLE", CLI_TEXT},          {"pid", "PID", CLI_COUNT},
    {"cpu", "CPU", CLI_COUNT},       {"state", "STATE", CLI_TEXT},        {"waiting_s", "WAITING", CLI_SECONDS},
    {"running_s", "RUNNING", CLI_SECONDS}, {"tasks_done", "DONE", CLI_COUNT}, {"tasks_failed", "FAILED", CLI_COUNT},
    {"restarts", "RESTARTS", CLI_COUNT}, {"doing", "DOING", CLI_TEXT},
};
static const struct cli_column task_columns[] = {
    {"ref", "REF", CLI_TEXT},        {"name", "NAME", CLI_TEXT},     {"state", "STATE", CLI_TEXT},
    {"attempt", "ATTEMPT", CLI_COUNT}, {"worker", "WORKER", CLI_TEXT}, {"home", "HOME", CLI_TEXT},
    {"flags", "FLAGS", CLI_TEXT},    {"waits_for", "WAITS FOR", CLI_TEXT}, {"error.text", "ERROR", CLI_TEXT},
};
static const struct cli_column object_columns[] = {
    {"ref", "REF", CLI_TEXT},       {"kind", "KIND", CLI_TEXT},         {"name", "NAME", CLI_TEXT}, {"state", "STATE", CLI_TEXT},
    {"bytes", "SIZE", CLI_BYTES},   {"where", "WHERE", CLI_TEXT},       {"holders", "HOLDERS", CLI_COUNT},  {"home", "HOME", CLI_TEXT}, {"flags", "FLAGS", CLI_TEXT},
    {"error.text", "ERROR", CLI_TEXT},
};

static const struct cli_column actor_columns[] = {
    {"ref", "REF", CLI_TEXT},         {"class", "CLASS", CLI_TEXT},       {"name", "NAME", CLI_TEXT},       {"namespace", "NAMESPACE", CLI_TEXT},
    {"state", "STATE", CLI_TEXT},     {"pid", "PID", CLI_COUNT},          {"restarts", "RESTARTS", CLI_COUNT}, {"calls", "CALLS", CLI_COUNT},
    {"pending", "PENDING", CLI_COUNT}, {"waited_s", "WAITED", CLI_SECONDS}, {"holders", "HOLDERS", CLI_COUNT}, {"home", "HOME", CLI_TEXT},
    {"error.text", "ERROR", CLI_TEXT},
};

static json_t *list_workers(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out) {
    return cli_processes(cli, o, true, n_all_out);
}

static const struct listing {
    const char              *what;
    json_t                *(*make)(const struct cli *, const struct fv_obs *, size_t *);
    const struct cli_column *columns;
    size_t                   n_columns;
} listings[] = {
    {"nodes", cli_nodes, node_columns, FV_COUNT_OF(node_columns)},
    {"workers", list_workers, worker_columns, FV_COUNT_OF(worker_columns)},
    {"tasks", cli_tasks, task_columns, FV_COUNT_OF(task_columns)},
    {"actors", cli_actors, actor_columns, FV_COUNT_OF(actor_columns)},
    {"objects", cli_objects, object_columns, FV_COUNT_OF(object_columns)},
};

int cli_list(const struct cli *cli, const char *what) {
    const struct listing *l = NULL;
    struct cli_runtime   *all;
    size_t                n_all;
    int                   n;
    for (size_t i = 0; i < FV_COUNT_OF(listings) && what != NULL; i++)
        if (strcmp(what, listings[i].what) == 0)
            l = &listings[i];
    if (l == NULL) {
        fprintf(stderr, "fever: list what?  nodes, workers, tasks, actors or objects\n");
        return CLI_USAGE;
    }
    if (cli->detail && l->make != cli_tasks) {
        fprintf(stderr, "fever: --detail is for tasks\n");
        return CLI_USAGE;
    }
    struct cli_runtime *r = cli_attach_one(cli, &all, &n);
    if (r == NULL) {
        cli_detach(all, n);
        return CLI_NO_RUNTIME;
    }
    json_t *rows = l->make(cli, &r->obs, &n_all);
    if (!r->found.answers)
        fprintf(stderr, "fever: the supervisor does not answer; read through the driver's descriptors\n");
    if (cli->json) {
        cli_print_json(json_pack("{s:o, s:i, s:I, s:o}", "name", cli_text(r->obs.head->name), "pid", (int)r->found.driver, "total",
                                 (json_int_t)n_all, l->what, rows));
    } else {
        size_t shown = json_array_size(rows);
        if (shown != 0)
            cli_table(rows, l->columns, l->n_columns);
        else
            printf("no %s%s%s\n", l->what, cli->state != NULL ? " in state " : "", cli->state != NULL ? cli->state : "");
        if (cli->detail)
            cli_print_detail(rows);
        if (shown < n_all)
            printf("... and %zu more (--limit 0 shows all)\n", n_all - shown);
        json_decref(rows);
    }
    cli_detach(all, n);
    return CLI_OK;
}
