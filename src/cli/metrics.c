/* cli/metrics.c: fever metrics: the numbers of fever status in Prometheus' text format.
 *
 * Run by:          the fever command.
 * Shared state:    none of its own; see cli/status.c.
 *
 * All samples of a metric stand together, below its HELP and TYPE: the outer loop is over metrics, the inner one over runtimes.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* value: where in a status it is.  With a label it is an object, of which each member is a sample; member: of that member, NULL: itself. */
static const struct metric {
    const char *name, *type, *help, *value, *label, *member;
} metrics[] = {
    {"fever_uptime_seconds", "gauge", "Time since the runtime started", "uptime_s", NULL, NULL},
    {"fever_supervisor_answers", "gauge", "1: the supervisor answers", "supervisor_answers", NULL, NULL},
    {"fever_workers", "gauge", "Workers", "workers", NULL, NULL},
    {"fever_spares", "gauge", "Spare workers that there are now", "spares", NULL, NULL},
    {"fever_tasks", "gauge", "Tasks and results that are kept, by state", "tasks", "state", NULL},
    {"fever_objects", "gauge", "Objects and promises, by state", "objects", "state", NULL},
    {"fever_object_bytes", "gauge", "Bytes of objects and results", "objects.bytes", NULL, NULL},
    {"fever_store_used_bytes", "gauge", "Bytes of the object store in use", "store.used", NULL, NULL},
    {"fever_store_backed_bytes", "gauge", "Bytes of the object store that have memory behind them", "store.backed", NULL, NULL},
    {"fever_store_bytes", "gauge", "Size of the object store", "store.total", NULL, NULL},
    {"fever_store_largest_free_bytes", "gauge", "Largest free piece of the object store", "store.largest_free", NULL, NULL},
    {"fever_fallback_used_bytes", "gauge", "Bytes in the file that stands in for a full store", "store.fallback_used", NULL, NULL},
    {"fever_disk_bytes", "gauge", "Bytes of objects on disk", "spill.on_disk", NULL, NULL},
    {"fever_disk_only_bytes", "gauge", "Bytes of objects that are on disk alone", "spill.only_on_disk", NULL, NULL},
    {"fever_spilled_bytes_total", "counter", "Bytes of objects written to disk", "spill.written", NULL, NULL},
    {"fever_restored_bytes_total", "counter", "Bytes of objects read back from disk", "spill.read_back", NULL, NULL},
    {"fever_lost_objects_total", "counter", "Objects whose copy on disk could not be read", "spill.lost_objects", NULL, NULL},
    {"fever_resource_used", "gauge", "What tasks with resources have taken", "resources", "resource", "used"},
    {"fever_resource_capacity", "gauge", "What there is of a resource", "resources", "resource", "total"},
    {"fever_granted_tasks", "gauge", "Tasks that hold resources", "granted", NULL, NULL},
    {"fever_deaths_total", "counter", "Deaths of processes of the runtime", "deaths", NULL, NULL},
    {"fever_last_recovery_seconds", "gauge", "Time that the last recovery from a death took", "last_sweep_s", NULL, NULL},
};

static void print_label(const char *text) {
    for (; *text != '\0'; text++)
        if (*text == '\n')
            fputs("\\n", stdout);
        else if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else
            putchar(*text);
}

/* extra: more labels, with their comma, or "" */
static void print_sample(const char *name, const json_t *status, const char *extra, const char *label, const char *value_of_label, const json_t *v) {
    if (!json_is_number(v) && !json_is_boolean(v))
        return; /* null: not known */
    printf("%s{runtime=\"", name);
    print_label(json_string_value(json_object_get(status, "name")));
    printf("\",pid=\"%lld\"%s", json_integer_value(json_object_get(status, "pid")), extra);
    if (label != NULL) {
        printf(",%s=\"", label);
        print_label(value_of_label);
        putchar('"');
    }
    if (json_is_real(v))
        printf("} %.9g\n", json_real_value(v));
    else
        printf("} %lld\n", json_is_boolean(v) ? (json_int_t)json_is_true(v) : json_integer_value(v));
}

static void print_head(const char *name, const char *type, const char *help) { printf("# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type); }

static void print_metric(const struct metric *m, const json_t *statuses) {
    size_t      i;
    json_t     *status, *v;
    const char *key;
    print_head(m->name, m->type, m->help);
    json_array_foreach(statuses, i, status) {
        const json_t *value = cli_value(status, m->value);
        if (m->label == NULL)
            print_sample(m->name, status, "", NULL, NULL, value);
        else
            json_object_foreach((json_t *)value, key, v)
                if (strcmp(key, "bytes") != 0) /* stands among the states of objects */
                    print_sample(m->name, status, "", m->label, key, m->member != NULL ? json_object_get(v, m->member) : v);
    }
}

static void print_processes(const json_t *statuses) {
    static const char name_of[] = "fever_processes";
    size_t  i, k;
    json_t *status, *p, *state, *v;
    print_head(name_of, "gauge", "Processes and threads of the runtime, by role and state");
    json_array_foreach(statuses, i, status) {
        json_t     *roles = json_object();
        const char *role, *name;
        json_array_foreach(json_object_get(status, "processes"), k, p) {
            role = json_string_value(json_object_get(p, "role"));
            if ((state = json_object_get(roles, role)) == NULL)
                json_object_set_new(roles, role, state = json_object());
            name = json_string_value(json_object_get(p, "state"));
            json_object_set_new(state, name, json_integer(1 + json_integer_value(json_object_get(state, name))));
        }
        json_object_foreach(roles, role, state)
            json_object_foreach(state, name, v) {
                char extra[64];
                snprintf(extra, sizeof extra, ",role=\"%s\"", role);
                print_sample(name_of, status, extra, "state", name, v);
            }
        json_decref(roles);
    }
}

static void print_counters(const json_t *statuses) {
    size_t  i;
    json_t *status;
    char    name[64];
    for (unsigned c = 0; c < FV_N_COUNTERS; c++) {
        snprintf(name, sizeof name, "fever_%s_total", fv_counter_name(c));
        print_head(name, "counter", fv_counter_text(c));
        json_array_foreach(statuses, i, status)
            print_sample(name, status, "", NULL, NULL, json_object_get(json_object_get(status, "counters"), fv_counter_name(c)));
    }
}

int cli_metrics(const struct cli *cli) {
    json_t *statuses = cli_statuses(cli);
    bool    is_there = json_array_size(statuses) != 0;
    for (size_t i = 0; i < FV_COUNT_OF(metrics) && is_there; i++)
        print_metric(&metrics[i], statuses);
    if (is_there) {
        print_processes(statuses);
        print_counters(statuses);
    }
    json_decref(statuses);
    return is_there ? CLI_OK : CLI_NO_RUNTIME;
}
