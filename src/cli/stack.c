/* cli/stack.c: fever stack: where each process of a runtime is now.
 *
 * Run by:          the fever command.
 * Shared state:    reads process slots; stops each process for a moment (plat/stack.h).
 * If it dies here: the kernel lets what is stopped go on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "plat/stack.h"
#include "plat/symbol.h"

#define STOP_MS 3000 /* on a busy machine it may take that long until it runs */
#define FRAMES  64u

static const char *reason_of(int rc) {
    switch (rc) {
    case -EPERM:     return "the kernel does not let this user look (see kernel.yama.ptrace_scope), or a debugger is attached";
    case -ESRCH:     return "it has ended meanwhile";
    case -ETIMEDOUT: return "it does not stop: it is inside the kernel, or was stopped before";
    default:         return strerror(-rc);
    }
}

static bool is_wanted(const struct cli *cli, const struct fv_proc *p) {
    bool in_body = (p->role == FV_ROLE_WORKER || p->role == FV_ROLE_SPARE || p->role == FV_ROLE_ACTOR) && p->current != 0;
    return p->pid != 0 && (cli->detail || in_body);
}

static json_t *stack_of(struct fv_symbols *symbols, const struct fv_proc *p, struct fv_stack *stack, json_t *row) {
    uint64_t frame[FRAMES];
    json_t  *list = json_array();
    int      rc = fv_stack_copy((pid_t)(p->tid != 0 ? p->tid : p->pid), STOP_MS, stack);
    unsigned n = rc < 0 ? 0 : symbols != NULL ? fv_symbols_unwind(symbols, stack, frame, FRAMES) : 1;
    if (symbols == NULL && n == 1)
        frame[0] = stack->pc;
    for (unsigned i = 0; i < n; i++)
        cli_add_frame(list, symbols, frame[i], NULL, 0);
    json_object_set_new(row, "stack_error", rc < 0 ? json_string(reason_of(rc)) : json_null());
    return list;
}

static json_t *make_rows(const struct cli *cli, const struct fv_obs *o) {
    struct fv_symbols *symbols = fv_symbols_open((pid_t)o->head->driver_pid); /* workers are forked from it */
    struct fv_stack   *stack = malloc(sizeof *stack);
    struct fv_proc     p;
    json_t            *rows = json_array();
    for (uint32_t slot = 0; slot < o->head->n_procs && stack != NULL; slot++) {
        if (!fv_obs_proc(o, slot, &p) || !is_wanted(cli, &p) || fv_obs_process_state(p.pid, p.role == FV_ROLE_DRIVER ? p.tid : 0) == 0)
            continue;
        json_t *row = cli_process_row(o, slot, &p);
        json_object_set_new(row, "frames", stack_of(symbols, &p, stack, row));
        json_array_append_new(rows, row);
    }
    free(stack);
    fv_symbols_close(symbols);
    return rows;
}

static const char *word(const json_t *j, const char *key) {
    const char *s = json_string_value(json_object_get(j, key));
    return s != NULL ? s : "";
}

static void print_row(const json_t *row, bool all) {
    printf("%s (process %lld): %s\n", word(row, "who"), json_integer_value(json_object_get(row, "pid")), word(row, "doing"));
    if (json_is_string(json_object_get(row, "stack_error")))
        printf("  %s\n", word(row, "stack_error"));
    cli_print_frames(json_object_get(row, "frames"), all);
}

int cli_stack(const struct cli *cli) {
    struct cli_runtime *all;
    int                 n;
    struct cli_runtime *r = cli_attach_one(cli, &all, &n);
    if (r == NULL) {
        cli_detach(all, n);
        return CLI_NO_RUNTIME;
    }
    json_t *rows = make_rows(cli, &r->obs), *row;
    size_t  i;
    if (!r->found.answers)
        fprintf(stderr, "fever: the supervisor does not answer; read through the driver's descriptors\n");
    if (cli->json) {
        cli_print_json(json_pack("{s:o, s:i, s:o}", "name", cli_text(r->obs.head->name), "pid", (int)r->found.driver, "processes", rows));
    } else {
        if (json_array_size(rows) == 0)
            printf("no worker runs a task; --detail shows the others\n");
        json_array_foreach(rows, i, row)
            print_row(row, cli->detail);
        json_decref(rows);
    }
    cli_detach(all, n);
    return CLI_OK;
}
