/* cli/status.c: fever status.
 *
 * Run by:          the fever command.
 * Shared state:    reads the segment through obs/.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"

static const char *const state_names[] = {"?", "starting", "up", "stopping", "gone"};

struct counts {
    uint64_t task[FV_N_STATES], object[FV_N_STATES], bytes; /* objects: promises, too */
};

static void count_slots(const struct fv_obs *o, struct counts *c) {
    struct fv_obs_task t;
    struct fv_proc     p;
    memset(c, 0, sizeof *c);
    for (uint32_t slot = 0; slot < o->head->n_procs; slot++) {
        uint32_t n = fv_obs_proc(o, slot, &p) ? fv_obs_slab(o, slot) : 0;
        for (uint32_t i = 0; i < n; i++) {
            if (!fv_obs_task(o, slot << o->head->slab_shift | i, &t) || t.state == FV_FREE)
                continue;
            ++*(t.hot.kind == FV_KIND_TASK ? &c->task[t.state] : &c->object[t.state]);
            if (t.hot.x & FV_X_RESULT_BLOCK)
                c->bytes += fv_obs_result_bytes(&t);
        }
    }
}

static json_t *notes_of(const struct cli_runtime *r) {
    const struct fv_segment *s = r->obs.head;
    json_t                  *notes = json_array();
    char                     life = r->found.supervisor != 0 ? fv_obs_process_state((uint32_t)r->found.supervisor, 0) : 0;
    if (!r->found.answers)
        json_array_append_new(notes, json_string(life == 'T' ? "the supervisor is stopped by a signal: read through the driver's descriptors"
                                                 : r->found.supervisor != 0 || r->found.start != 0
                                                     ? "the supervisor does not answer: read through the driver's descriptors"
                                                     : "there is no supervisor: the runtime is gone, its driver is not"));
    if (s->is_memfd)
        json_array_append_new(notes, json_string("the segment is a memfd: asked for, or /dev/shm is too small or missing"));
    if (s->is_poll)
        json_array_append_new(notes, json_string("the supervisor uses poll(2): asked for, or io_uring is forbidden or too old"));
    if (s->need_fence)
        json_array_append_new(notes, json_string("the kernel has no membarrier(2): each submit costs a fence"));
    if (s->oversubscribed)
        json_array_append_new(notes, json_string("as many workers as CPUs, or more: waits spin only briefly"));
    if (s->note[0] != '\0')
        json_array_append_new(notes, cli_text(s->note));
    return notes;
}

static json_t *by_state(const uint64_t count[FV_N_STATES]) {
    json_t *o = json_object();
    for (unsigned s = FV_READY; s < FV_N_STATES; s++)
        json_object_set_new(o, cli_state_word(s), json_integer((json_int_t)count[s]));
    return o;
}

/* What stands on disk; null while nobody has wanted a keeper. */
static json_t *spill_of(const struct fv_obs *o) {
    const struct fv_keeper_state *k = &o->head->keeper;
    struct fv_proc                p;
    if (k->slot == 0)
        return json_null();
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "keeper_pid", fv_obs_proc(o, k->slot, &p) ? (int)p.pid : 0,
        "keeper_restarts", (json_int_t)k->restarts, "on_disk", (json_int_t)k->copy_bytes, "only_on_disk", (json_int_t)k->away_bytes,
        "files", (json_int_t)k->n_files, "written", (json_int_t)k->spilled_bytes, "written_objects", (json_int_t)k->spilled_objects,
        "read_back", (json_int_t)k->restored_bytes, "read_back_objects", (json_int_t)k->restored_objects, "lost_objects", (json_int_t)k->lost_objects);
}

static json_t *make_status(const struct cli *cli, const struct cli_runtime *r) {
    const struct fv_segment *s = r->obs.head;
    struct counts            c;
    uint64_t                 sum[FV_N_COUNTERS], now = fv_now_ns();
    size_t                   n;
    uint32_t                 n_spares = 0;
    struct fv_proc           p;
    struct cli               every = {.json = cli->json};
    count_slots(&r->obs, &c);
    fv_obs_counters(&r->obs, sum);
    for (uint32_t slot = 0; slot < s->n_procs; slot++)
        n_spares += fv_obs_proc(&r->obs, slot, &p) && p.role == FV_ROLE_SPARE;
    json_t *counters = json_object(), *bytes = NULL;
    for (unsigned i = 0; i < FV_N_COUNTERS; i++)
        json_object_set_new(counters, fv_counter_name(i), json_integer((json_int_t)sum[i]));
    json_t *j = json_pack("{s:o, s:i, s:I, s:b, s:s, s:f, s:s}",
        "name", cli_text(s->name),
        "pid", (int)r->found.driver,
        "supervisor_pid", (json_int_t)s->supervisor_pid,
        "supervisor_answers", (int)r->found.answers,
        "state", s->state < FV_COUNT_OF(state_names) ? state_names[s->state] : "?",
        "uptime_s", now > s->started_ns ? (double)(now - s->started_ns) * 1e-9 : 0.0,
        "event", s->is_poll ? "poll" : "uring");
    json_object_set_new(j, "segment", json_pack("{s:s, s:I, s:I}", "kind", s->is_memfd ? "memfd" : "shm", "bytes", (json_int_t)s->bytes,
                                                "layout", (json_int_t)s->layout_version));
    json_object_set_new(j, "workers", json_integer(s->n_workers));
    json_object_set_new(j, "spares", json_integer(n_spares));
    json_object_set_new(j, "max_spares", json_integer(s->max_spares));
    cli_resources(s, j);
    json_object_set_new(j, "notes", notes_of(r));
    json_object_set_new(j, "processes", cli_processes(&every, &r->obs, false, &n));
    json_object_set_new(j, "tasks", by_state(c.task));
    json_object_set_new(j, "objects", bytes = by_state(c.object));
    json_object_set_new(bytes, "bytes", json_integer((json_int_t)c.bytes));
    json_object_set_new(j, "counters", counters);
    struct fv_obs_store store;
    fv_obs_store(&r->obs, &store);
    json_object_set_new(j, "store", json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "used", (json_int_t)store.used, "backed",
                                              (json_int_t)s->backed_chunks * FV_CHUNK_BYTES, "total", (json_int_t)store.total, "largest_free",
                                              (json_int_t)store.largest_free, "fallback_used", (json_int_t)store.file_used, "fallback_total",
                                              (json_int_t)store.file_total, "fallback_objects", (json_int_t)s->keeper.fallback_objects));
    json_object_set_new(j, "spill", spill_of(&r->obs));
    json_object_set_new(j, "deaths", json_integer((json_int_t)s->deaths));
    json_object_set_new(j, "last_sweep_s", s->deaths == 0 ? json_null() : json_real((double)s->sweep_ns_last * 1e-9));
    return j;
}

/* ------------------------------------------------------------------------------------------------ text */

static json_int_t number(const json_t *j, const char *key) { return json_integer_value(json_object_get(j, key)); }
static const char *word(const json_t *j, const char *key) {
    const char *s = json_string_value(json_object_get(j, key));
    return s != NULL ? s : "?";
}

/* "3 pending, 2 running" of what is not 0 */
static void print_counts(const char *title, const json_t *counts) {
    const char *key, *separator = "";
    json_t     *value;
    printf("  %-11s", title);
    json_object_foreach((json_t *)counts, key, value)
        if (json_integer_value(value) != 0 && strcmp(key, "bytes") != 0) {
            printf("%s%lld %s", separator, (long long)json_integer_value(value), key);
            separator = ", ";
        }
    printf("%s", separator[0] == '\0' ? "none" : "");
}

static void print_spill(const json_t *spill) {
    char a[32], b[32], c[32], d[32];
    if (json_is_null(spill))
        return;
    printf("  on disk    %s of objects in %lld files, %s of them nowhere else; written %s, read back %s", cli_bytes((uint64_t)number(spill, "on_disk"), a, sizeof a),
           (long long)number(spill, "files"), cli_bytes((uint64_t)number(spill, "only_on_disk"), b, sizeof b),
           cli_bytes((uint64_t)number(spill, "written"), c, sizeof c), cli_bytes((uint64_t)number(spill, "read_back"), d, sizeof d));
    if (number(spill, "lost_objects") != 0)
        printf("; %lld objects are lost", (long long)number(spill, "lost_objects"));
    printf("\n");
}

static void print_status(const json_t *j) {
    static const struct cli_column columns[] = {
        {"who", "PROCESS", CLI_TEXT},         {"pid", "PID", CLI_COUNT},         {"cpu", "CPU", CLI_COUNT},
        {"tasks_done", "DONE", CLI_COUNT},    {"waiting_s", "WAITING", CLI_SECONDS}, {"running_s", "RUNNING", CLI_SECONDS},
        {"doing", "DOING", CLI_TEXT},
    };
    const json_t *store = json_object_get(j, "store"), *segment = json_object_get(j, "segment"), *counters = json_object_get(j, "counters");
    size_t        i;
    json_t       *note;
    char          a[32], b[32], c[32];
    printf("%s, process %lld, %s for %s\n", word(j, "name"), (long long)number(j, "pid"), word(j, "state"),
           cli_seconds(json_real_value(json_object_get(j, "uptime_s")), a, sizeof a));
    printf("  workers    %lld; spares: %lld of at most %lld\n", (long long)number(j, "workers"), (long long)number(j, "spares"),
           (long long)number(j, "max_spares"));
    printf("  supervisor process %lld, event loop on %s\n", (long long)number(j, "supervisor_pid"),
           strcmp(word(j, "event"), "poll") == 0 ? "poll(2)" : "io_uring");
    printf("  segment    %s, %s of addresses\n", strcmp(word(segment, "kind"), "memfd") == 0 ? "memfd" : "/dev/shm",
           cli_bytes((uint64_t)number(segment, "bytes"), a, sizeof a));
    printf("  store      %s used of %s; %s have memory behind them\n", cli_bytes((uint64_t)number(store, "used"), a, sizeof a),
           cli_bytes((uint64_t)number(store, "total"), b, sizeof b), cli_bytes((uint64_t)number(store, "backed"), c, sizeof c));
    uint64_t free_bytes = (uint64_t)(number(store, "total") - number(store, "used")), largest = (uint64_t)number(store, "largest_free");
    printf("             largest piece that is free: %s, %.0f %% of what is free\n", cli_bytes(largest, a, sizeof a),
           free_bytes == 0 ? 0.0 : 100.0 * (double)largest / (double)free_bytes);
    print_spill(json_object_get(j, "spill"));
    if (number(store, "fallback_objects") != 0)
        printf("  fallback   %s of %s used, in a file: %lld objects so far found no room in the store\n",
               cli_bytes((uint64_t)number(store, "fallback_used"), a, sizeof a), cli_bytes((uint64_t)number(store, "fallback_total"), b, sizeof b),
               (long long)number(store, "fallback_objects"));
    printf("  deaths     %lld", (long long)number(j, "deaths"));
    if (number(j, "deaths") != 0)
        printf(", the last recovered from in %s", cli_seconds(json_real_value(json_object_get(j, "last_sweep_s")), a, sizeof a));
    printf("\n");
    cli_print_resources(j);
    json_array_foreach(json_object_get(j, "notes"), i, note)
        printf("  note       %s\n", json_string_value(note));
    print_counts("tasks", json_object_get(j, "tasks"));
    printf("\n             since the start: %lld submitted, %lld done, %lld failed, %lld repeated, %lld dropped, %lld run in place\n",
           (long long)number(counters, "submitted"), (long long)number(counters, "done"), (long long)number(counters, "failed"),
           (long long)number(counters, "retried"), (long long)number(counters, "dropped"), (long long)number(counters, "in_place"));
    print_counts("objects", json_object_get(j, "objects"));
    printf("; objects and results in the store: %s\n\n", cli_bytes((uint64_t)number(json_object_get(j, "objects"), "bytes"), a, sizeof a));
    cli_table(json_object_get(j, "processes"), columns, FV_COUNT_OF(columns));
}

json_t *cli_statuses(const struct cli *cli) {
    struct cli_runtime *r;
    int                 n = cli_attach(cli, &r);
    json_t             *all = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(all, make_status(cli, &r[i]));
    cli_detach(r, n);
    return all;
}

int cli_status(const struct cli *cli) {
    json_t *all = cli_statuses(cli);
    size_t  n = json_array_size(all);
    if (cli->json) {
        cli_print_json(json_pack("{s:s, s:o}", "version", FEVER_VERSION, "runtimes", all));
    } else {
        for (size_t i = 0; i < n; i++) {
            if (i > 0)
                printf("\n");
            print_status(json_array_get(all, i));
        }
        json_decref(all);
    }
    return n > 0 ? CLI_OK : CLI_NO_RUNTIME;
}
