/* cli/simulate.c: fever simulate: a cluster file and a workload in virtual time, and what the autoscaler decides.
 *
 * Run by:          the fever command.
 * Shared state:    none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/simulate.h"

#define DECISIONS_SHOWN 40 /* of each policy, as text; all with --json */

struct notes {
    json_t *rows;
    size_t  n;
    long    limit;
    bool    prints;
};

static void on_note(void *arg, uint64_t at_ns, const char *text) {
    struct notes *n = arg;
    double        s = (double)at_ns * 1e-9;
    n->n++;
    if (n->rows != NULL)
        json_array_append_new(n->rows, json_pack("{s:f, s:o}", "at", s, "text", cli_text(text)));
    else if (n->prints && (n->limit == 0 || n->n <= (size_t)n->limit))
        printf("%12.3f s  %s\n", s, text);
}

static double waited(const struct fv_sim_result *r, double part) {
    uint64_t i = (uint64_t)(part * (double)r->n_waited);
    return r->n_waited == 0 ? 0 : (double)r->waited_s[FV_MIN(i, r->n_waited - 1)];
}

static double node_hours(const struct fv_sim_result *r) {
    double sum = 0;
    for (uint32_t t = 0; t < FV_SCALE_TYPES; t++)
        sum += (double)r->node_ns[t] / 3600e9;
    return sum;
}

static double utilisation(const struct fv_sim_result *r) {
    return r->all_cpu_ns == 0 ? 0 : 100 * (double)r->used_cpu_ns / (double)r->all_cpu_ns;
}

static json_t *result_row(const struct fv_cluster *c, const struct fv_policy *p, const struct fv_sim_result *r) {
    json_t *hours = json_object();
    for (uint32_t t = 0; t < c->n_types; t++)
        json_object_set_new(hours, c->types[t].name, json_real((double)r->node_ns[t] / 3600e9));
    return json_pack("{s:o, s:I, s:I, s:f, s:f, s:{s:f, s:f, s:f, s:f}, s:f, s:o, s:i, s:i, s:i, s:i, s:i}", "policy", cli_text(p->name), "done",
                     (json_int_t)r->n_done, "waiting", (json_int_t)r->n_waiting, "last_task_ends", (double)r->end_ns * 1e-9, "utilisation",
                     utilisation(r) / 100, "waited", "median", waited(r, 0.5), "p90", waited(r, 0.9), "p99", waited(r, 0.99), "max",
                     waited(r, 1), "node_hours", node_hours(r), "node_hours_by_type", hours, "most_nodes", (int)r->most_up, "launched",
                     (int)r->n_launched, "drained", (int)r->n_drained, "launches_failed", (int)r->n_failed, "decisions", (int)r->n_decisions);
}

/* one line a figure, one column a policy */
static void print_table(const struct fv_cluster *c, const struct fv_policy *const *policies, const struct fv_sim_result *r, uint32_t n) {
    static const struct {
        const char *name;
        double      part;
    } waits[] = {{"waited, median (s)", 0.5}, {"waited, 90 % (s)", 0.9}, {"waited, 99 % (s)", 0.99}, {"waited, most (s)", 1}};
#define ROW(title, format, value) \
    do { \
        printf("%-24s", title); \
        for (uint32_t i = 0; i < n; i++) \
            printf(" %12" format, value); \
        putchar('\n'); \
    } while (0)
    ROW("", "s", policies[i]->name);
    ROW("tasks done", PRIu64, r[i].n_done);
    ROW("tasks still waiting", PRIu64, r[i].n_waiting);
    ROW("last task ends (s)", ".1f", (double)r[i].end_ns * 1e-9);
    ROW("CPUs in use (%)", ".1f", utilisation(&r[i]));
    for (size_t w = 0; w < FV_COUNT_OF(waits); w++)
        ROW(waits[w].name, ".3f", waited(&r[i], waits[w].part));
    ROW("node-hours", ".3f", node_hours(&r[i]));
    for (uint32_t t = 0; t < c->n_types; t++) {
        char title[FV_CLUSTER_NAME + 8];
        snprintf(title, sizeof title, "  of %s", c->types[t].name);
        ROW(title, ".3f", (double)r[i].node_ns[t] / 3600e9);
    }
    ROW("most nodes", "u", r[i].most_up);
    ROW("nodes launched", "u", r[i].n_launched);
    ROW("launches that failed", "u", r[i].n_failed);
    ROW("nodes drained", "u", r[i].n_drained);
#undef ROW
}

/* The policies that --policy names, in its order; the file's own without it. */
static uint32_t choose(const struct cli *cli, const struct fv_cluster *c, const struct fv_policy **chosen) {
    uint32_t n = 0;
    if (cli->policy == NULL) {
        chosen[0] = &c->policies[0];
        return 1;
    }
    char *copy = strdup(cli->policy), *at = copy;
    for (char *name; (name = strsep(&at, ",")) != NULL;) {
        uint32_t i = 0;
        while (i < c->n_policies && strcmp(c->policies[i].name, name) != 0)
            i++;
        if (i == c->n_policies || n == FV_CLUSTER_POLICIES) {
            fprintf(stderr, "fever: the cluster file has no policy \"%s\" (its own options are \"policy\")\n", name);
            n = 0;
            break;
        }
        chosen[n++] = &c->policies[i];
    }
    free(copy);
    return n;
}

static int simulate(const struct cli *cli, const struct fv_cluster *c, const struct fv_workload *w) {
    static struct fv_sim_result results[FV_CLUSTER_POLICIES];
    const struct fv_policy     *chosen[FV_CLUSTER_POLICIES];
    uint32_t                    n = choose(cli, c, chosen);
    json_t                     *rows = json_array();
    int                         status = n == 0 ? CLI_USAGE : CLI_OK;
    for (uint32_t i = 0; i < n; i++) {
        struct notes notes = {.rows = cli->json ? json_array() : NULL, .limit = cli->limit_is_set ? cli->limit : DECISIONS_SHOWN, .prints = true};
        if (!cli->json && n > 1)
            printf("%s\n", chosen[i]->name);
        if (fv_sim_run(c, chosen[i], w, on_note, &notes, &results[i]) != 0) {
            fprintf(stderr, "fever: out of memory\n");
            exit(CLI_NO_RUNTIME);
        }
        if (!cli->json && notes.limit != 0 && notes.n > (size_t)notes.limit)
            printf("%12s    and %zu more; --limit 0 shows all\n", "", notes.n - (size_t)notes.limit);
        if (!cli->json)
            putchar('\n');
        json_t *row = result_row(c, chosen[i], &results[i]);
        if (cli->json)
            json_object_set_new(row, "events", notes.rows);
        json_array_append_new(rows, row);
    }
    if (n != 0 && cli->svg != NULL && cli_simulate_svg(cli->svg, c, chosen, results, n) != 0) {
        perror(cli->svg);
        status = CLI_NO_RUNTIME;
    }
    if (n != 0 && cli->json)
        cli_print_json(json_pack("{s:I, s:O}", "tasks", (json_int_t)w->n_tasks, "runs", rows));
    else if (n != 0)
        print_table(c, chosen, results, n);
    json_decref(rows);
    for (uint32_t i = 0; i < n; i++)
        fv_sim_free(&results[i]);
    return status;
}

int cli_simulate(const struct cli *cli, const char *cluster, const char *workload) {
    static struct fv_cluster c;
    struct fv_workload       w;
    char                     why[300] = "";
    if (cluster == NULL || (workload == NULL) == (cli->generate == NULL)) {
        fprintf(stderr, "fever: simulate takes a cluster file, and either a workload file or --generate; fever help simulate\n");
        return CLI_USAGE;
    }
    if (fv_cluster_read(cluster, &c, why, sizeof why) != 0 ||
        (workload != NULL ? fv_workload_read(workload, &c, &w, why, sizeof why) : fv_workload_generate(cli->generate, &c, &w, why, sizeof why)) != 0) {
        fprintf(stderr, "fever: %s\n", why);
        return CLI_USAGE;
    }
    int status = simulate(cli, &c, &w);
    fv_workload_free(&w);
    return status;
}
