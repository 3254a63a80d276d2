/* cli/cli.h: what the files of the fever command share.
 *
 * Run by:          the fever command.
 * Shared state:    none of its own; the segment is read through obs/.
 *
 * Each listing is made once, as JSON; the text for people is a table of the same values (table.c).
 */
#ifndef FV_CLI_H
#define FV_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "obs/find.h"
#include "obs/read.h"

enum { CLI_OK = 0, CLI_NO_RUNTIME = 1, CLI_USAGE = 2 };

struct cli {
    bool        json;
    pid_t       pid;   /* 0: any */
    long        limit; /* rows of a list; 0: all */
    const char *state; /* rows of that state only, or NULL */
    bool        detail; /* tasks: attempts and backtraces, too */
    const char *sort, *group_by; /* memory; or NULL */
    const char *generate, *policy, *svg; /* simulate; or NULL */
    bool        limit_is_set;
};

/* A runtime that was found: open, or with the reason why not. */
struct cli_runtime {
    struct fv_found found;
    struct fv_obs   obs; /* obs.head is NULL when it could not be opened */
    char            why[200];
};

/* attach.c */
/* All runtimes that the user may look at (of --pid), by driver.  The number; 0 has been told on stderr. */
int  cli_attach(const struct cli *cli, struct cli_runtime **runtimes_out);
/* The one that a list is about, or NULL, which has been told on stderr. */
struct cli_runtime *cli_attach_one(const struct cli *cli, struct cli_runtime **runtimes_out, int *n_out);
void cli_detach(struct cli_runtime *runtimes, int n);

/* commands: an exit status each */
int cli_status(const struct cli *cli);
int cli_list(const struct cli *cli, const char *what);
int cli_memory(const struct cli *cli);
int cli_stack(const struct cli *cli);
int cli_metrics(const struct cli *cli);
int cli_options(const struct cli *cli);
int cli_simulate(const struct cli *cli, const char *cluster, const char *workload);
int cli_help(const char *command);
void cli_usage(FILE *stream);

/* status.c: what fever status --json says of each runtime: an array, empty when there is none, which has been told on stderr */
json_t *cli_statuses(const struct cli *cli);

/* process.c, task.c: rows of listings; n_all_out counts those that `state` selects, of which at most limit are given */
json_t *cli_process_row(const struct fv_obs *o, uint32_t p, const struct fv_proc *proc);
json_t *cli_processes(const struct cli *cli, const struct fv_obs *o, bool workers_only, size_t *n_all_out);
/* one word a state: "pending", "running" ... */
const char *cli_state_word(unsigned state);
json_t *cli_tasks(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out);
json_t *cli_actors(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out); /* actor.c */
json_t *cli_objects(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out);
/* detail.c: attempts, and where a failed one was, added to a task's row; those of all rows as text */
void    cli_add_detail(json_t *row, const struct fv_obs *o, const struct fv_obs_task *t);
void    cli_print_detail(const json_t *rows);
/* Adds to a list what is known of an address: {"function", "file", "line", "module", "offset"}, and what it is inlined into. */
struct fv_symbols;
void    cli_add_frame(json_t *list, struct fv_symbols *symbols, uint64_t address, const char *module, uint64_t base);
/* Those frames, a line each; all: not only up to the body of the task. */
void    cli_print_frames(const json_t *frames, bool all);
/* "worker 3", of a process slot */
const char *cli_who(const struct fv_obs *o, uint32_t p, char *buf, size_t bytes);
/* {"ref", "name", "state"} of a ref, null for 0 */
json_t *cli_ref(const struct fv_obs *o, uint64_t id);

/* node.c: rows of nodes; "small-1", of a node or of one that is none */
json_t     *cli_nodes(const struct cli *cli, const struct fv_obs *o, size_t *n_all_out);
const char *cli_node_name(const struct fv_segment *s, uint32_t node, char *buf, size_t bytes);

/* resources.c: adds what tasks have taken, and what waits, to a status; and says it */
void cli_resources(const struct fv_segment *s, json_t *status);
void cli_print_resources(const json_t *status);

/* table.c: text */
enum cli_kind { CLI_TEXT, CLI_COUNT, CLI_BYTES, CLI_SECONDS };
struct cli_column {
    const char   *key; /* of the row; "task.name" goes down */
    const char   *title;
    enum cli_kind kind;
};
/* "a.b" of a row */
const json_t *cli_value(const json_t *row, const char *key);
/* Aligned columns; one that is empty in all rows is left out. */
void    cli_table(const json_t *rows, const struct cli_column *columns, size_t n_columns);
/* a JSON string from bytes that may be anything */
json_t *cli_text(const char *text);
/* "1.5 GiB"; "2 min 3 s" */
const char *cli_bytes(uint64_t bytes, char *buf, size_t room);
const char *cli_seconds(double seconds, char *buf, size_t room);
/* Prints and frees. */
void cli_print_json(json_t *root);

#endif
