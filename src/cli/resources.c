/* cli/resources.c: what tasks have taken of CPUs and custom resources, and what waits for them, for fever status.
 *
 * Run by:          the fever command.
 * Shared state:    reads a private copy of the segment's header, which may be damaged.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"

#define UNITS 10000.0 /* of each resource: one */

static uint32_t n_resources(const struct fv_dispatch_state *d) { return FV_MIN(d->n_resources, FV_N_RESOURCES); }

/* "2 cpu, 1 gpu" */
static void say_demand(const struct fv_dispatch_state *d, const struct fv_pending *w, char *text, size_t bytes) {
    size_t n = (size_t)snprintf(text, bytes, "%.6g cpu", (double)w->cpu_units / UNITS);
    for (uint32_t i = 0; i < n_resources(d) && n < bytes; i++)
        if (w->want[i] != 0)
            n += (size_t)snprintf(text + n, bytes - n, ", %.6g %.31s", (double)w->want[i] / UNITS, d->resource[i].name);
}

static void say_reason(const struct fv_segment *s, const struct fv_pending *w, char *text, size_t bytes) {
    const struct fv_dispatch_state *d = &s->dispatch;
    char                            name[48], where[64] = "";
    int r = w->lacks - 2;
    if (s->cluster.n_nodes > 1 && w->node != 0)
        snprintf(where, sizeof where, " on %s", cli_node_name(s, w->node - 1, name, sizeof name));
    if (w->node == 0)
        snprintf(text, bytes, "no node that is up could hold it");
    else if (w->lacks == 0)
        snprintf(text, bytes, "needs %.6g cpu, %.6g free%s", (double)w->cpu_units / UNITS, (double)w->free_units / UNITS, where);
    else if (w->lacks == 1)
        snprintf(text, bytes, "needs a process, and there are as many as max_spares or max_actors allows");
    else if (r >= 0 && r < (int)n_resources(d))
        snprintf(text, bytes, "needs %.6g %.31s, %.6g free%s", (double)w->want[r] / UNITS, d->resource[r].name, (double)w->free_units / UNITS,
                 where);
    else
        snprintf(text, bytes, "waits until workers have ended what they run, or for its turn");
}

void cli_resources(const struct fv_segment *s, json_t *status) {
    const struct fv_dispatch_state *d = &s->dispatch;
    json_t  *resources = json_object(), *pending = json_array();
    uint64_t now = fv_now_ns();
    json_object_set_new(resources, "cpu", json_pack("{s:f, s:f}", "used", (double)d->cpu_used / UNITS, "total", (double)d->cpu_units / UNITS));
    for (uint32_t i = 0; i < n_resources(d); i++) {
        char name[sizeof d->resource[i].name + 1];
        snprintf(name, sizeof name, "%.31s", d->resource[i].name);
        json_t *text = cli_text(name);
        json_object_set_new(resources, json_string_value(text), json_pack("{s:f, s:f}", "used", (double)d->resource[i].used / UNITS, "total",
                                                                          (double)d->resource[i].total / UNITS));
        json_decref(text);
    }
    for (uint32_t i = 0; i < FV_MIN(d->n_shown, FV_PENDING_SHOWN); i++) {
        const struct fv_pending *w = &d->pending[i];
        char demand[256], reason[160];
        say_demand(d, w, demand, sizeof demand);
        say_reason(s, w, reason, sizeof reason);
        json_array_append_new(pending, json_pack("{s:I, s:o, s:i, s:b, s:f, s:o}", "tasks", (json_int_t)w->n, "each", cli_text(demand), "priority",
                                                 (int)w->priority, "resumes", (int)(w->resumes != 0), "waiting_s", now > w->since_ns ? (double)(now - w->since_ns) * 1e-9 : 0.0,
                                                 "reason", cli_text(reason)));
    }
    json_object_set_new(status, "resources", resources);
    json_object_set_new(status, "granted", json_integer(d->n_granted));
    json_object_set_new(status, "demands", pending);
}

void cli_print_resources(const json_t *status) {
    const char *name, *separator = "";
    json_t     *r, *w;
    size_t      i;
    char        a[32];
    printf("  resources  ");
    json_object_foreach(json_object_get(status, "resources"), name, r) {
        printf("%s%.6g/%.6g %s", separator, json_real_value(json_object_get(r, "used")), json_real_value(json_object_get(r, "total")), name);
        separator = ", ";
    }
    printf(" in use by %lld granted tasks\n", (long long)json_integer_value(json_object_get(status, "granted")));
    json_array_foreach(json_object_get(status, "demands"), i, w)
        printf("  %s     %lld tasks of %s each, for %s: %s\n", json_is_true(json_object_get(w, "resumes")) ? "resume" : "demand",
               (long long)json_integer_value(json_object_get(w, "tasks")),
               json_string_value(json_object_get(w, "each")), cli_seconds(json_real_value(json_object_get(w, "waiting_s")), a, sizeof a),
               json_string_value(json_object_get(w, "reason")));
}
