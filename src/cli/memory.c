/* cli/memory.c: fever memory: every object with its size, who holds it and where it was made; and the store in sums.
 *
 * Run by:          the fever command.
 * Shared state:    reads the segment through obs/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "obs/holds.h"
#include "obs/site.h"
#include "shm/source.h"

enum kind { OBJECT, RESULT, PROMISE, ARGUMENTS };
static const char *const kind_words[] = {"object", "result", "promise", "arguments"};

struct item {
    uint32_t  index;
    enum kind kind;
    uint64_t  id, bytes, created_ns;
    size_t    holders; /* how many */
};
struct items {
    struct item        *all;
    size_t              n, room;
    struct fv_obs_hold *holds;
    size_t              n_holds;
};

static const struct cli_column columns[] = {
    {"ref", "REF", CLI_TEXT},      {"kind", "KIND", CLI_TEXT},     {"name", "NAME", CLI_TEXT}, {"state", "STATE", CLI_TEXT},
    {"where", "WHERE", CLI_TEXT},  {"bytes", "SIZE", CLI_BYTES},   {"age_s", "AGE", CLI_SECONDS},
    {"held_by", "HELD BY", CLI_TEXT}, {"site", "MADE AT", CLI_TEXT},
};
static const struct cli_column group_columns[] = {
    {"group", "", CLI_TEXT}, {"objects", "OBJECTS", CLI_COUNT}, {"bytes", "SIZE", CLI_BYTES}, {"in_store", "IN STORE", CLI_BYTES},
};

/* ------------------------------------------------------------------------------------------------ what there is */

static bool add(struct items *m, const struct fv_obs_task *t, enum kind kind, uint64_t bytes) {
    if (m->n == m->room) {
        size_t       room = m->room ? m->room * 2 : 1024;
        struct item *p = realloc(m->all, room * sizeof *p);
        if (p == NULL)
            return false;
        m->all = p, m->room = room;
    }
    struct item *it = &m->all[m->n++];
    *it = (struct item){.index = t->index, .kind = kind, .id = t->id, .bytes = bytes, .created_ns = t->hot.kind == FV_KIND_TASK ? 0 : t->hot.args[1]};
    fv_obs_holds_of(m->holds, m->n_holds, t->id, &it->holders);
    return true;
}

static bool collect(const struct cli *cli, const struct fv_obs *o, struct items *m) {
    struct fv_obs_task t;
    struct fv_proc     proc;
    if (!fv_obs_holds(o, &m->holds, &m->n_holds))
        return false;
    for (uint32_t p = 0; p < o->head->n_procs; p++) {
        if (!fv_obs_proc(o, p, &proc))
            continue;
        for (uint32_t k = 0, n = fv_obs_slab(o, p); k < n; k++) {
            if (!fv_obs_task(o, p << o->head->slab_shift | k, &t) || t.state == FV_FREE ||
                (cli->state != NULL && strcasecmp(cli->state, cli_state_word(t.state)) != 0))
                continue;
            bool good = true;
            if (t.hot.kind != FV_KIND_TASK && t.hot.kind != FV_KIND_ACTOR)
                good = add(m, &t, t.hot.kind == FV_KIND_OBJECT ? OBJECT : PROMISE, fv_obs_result_bytes(&t));
            else if (t.state == FV_DONE && t.hot.x & FV_X_RESULT_BLOCK)
                good = add(m, &t, RESULT, fv_obs_result_bytes(&t));
            if (good && t.hot.kind == FV_KIND_TASK && t.hot.x & FV_X_ARGS_BLOCK)
                good = add(m, &t, ARGUMENTS, ((const struct fv_span *)(const void *)t.hot.args)->bytes);
            if (!good)
                return false;
        }
    }
    return true;
}

static int by_size(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : x->id < y->id ? -1 : x->id > y->id;
}
static int by_age(const void *a, const void *b) { /* the oldest first; those of no known age behind */
    const struct item *x = a, *y = b;
    uint64_t           m = x->created_ns - 1, n = y->created_ns - 1;
    return m != n ? (m < n ? -1 : 1) : by_size(a, b);
}
static int by_holders(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    return x->holders != y->holders ? (x->holders < y->holders ? 1 : -1) : by_size(a, b);
}
static int by_ref(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    return x->id != y->id ? (x->id < y->id ? -1 : 1) : (int)x->kind - (int)y->kind;
}
static const struct {
    const char *word;
    int       (*compare)(const void *, const void *);
} orders[] = {{"size", by_size}, {"age", by_age}, {"holders", by_holders}, {"ref", by_ref}};

/* ------------------------------------------------------------------------------------------------ rows */

static const char *where_of(const struct fv_obs *o, const struct fv_obs_task *t, enum kind kind) {
    static const char *const words[] = {[FV_HERE] = "store", [FV_CLEAN] = "store, disk", [FV_AWAY] = "disk", [FV_LOST] = "lost"};
    if (kind == ARGUMENTS)
        return "store";
    if (!(t->hot.x & FV_X_RESULT_BLOCK))
        return "slot";
    unsigned r = fv_residence(t->hot.result[0]);
    if (r <= FV_CLEAN && t->hot.result[0] >= o->head->bytes)
        return "fallback";
    if ((r == FV_CLEAN || r == FV_AWAY) && t->cold.copy == FV_COPY_SOURCE) /* the file that it was loaded from */
        return r == FV_CLEAN ? "store, file" : "file";
    return r < FV_COUNT_OF(words) ? words[r] : "?";
}

static bool is_in_store(const char *where) { return strncmp(where, "store", 5) == 0; }

/* "argument of f (ref)"; without the ref for groups */
static void hold_text(const struct fv_obs *o, const struct fv_obs_hold *h, bool ref, char *buf, size_t bytes) {
    struct fv_obs_task t;
    char               who[32];
    const char        *name = "?";
    if (h->kind == FV_HOLD_ARGUMENT || h->kind == FV_HOLD_CONTAINER || h->kind == FV_HOLD_STREAM) {
        if (fv_obs_ref(o, h->who, &t))
            name = fv_obs_task_name(o, &t);
        int n = snprintf(buf, bytes, "%s %.47s", h->kind == FV_HOLD_ARGUMENT ? "argument of" : h->kind == FV_HOLD_STREAM ? "item of" : "inside", name);
        if (ref)
            snprintf(buf + n, bytes - (size_t)n, " (%016llx)", (unsigned long long)h->who);
        return;
    }
    cli_who(o, (uint32_t)h->who, who, sizeof who);
    snprintf(buf, bytes, "%s%s", h->kind == FV_HOLD_READER ? "read by " : h->kind == FV_HOLD_WANTED ? "waited for by " : "", who);
}

static const char *site_of(const struct fv_obs *o, const struct fv_obs_task *t, char *buf, size_t bytes) {
    if (t->hot.kind == FV_KIND_TASK) {
        const char *place = fv_obs_task_place(o, t, buf, bytes);
        return place != NULL ? place : "";
    }
    return fv_obs_site_text(o, t->hot.args[0]);
}

static json_t *text_or_null(const char *text) { return text[0] != '\0' ? cli_text(text) : json_null(); }

static void add_shape(json_t *row, const struct fv_obs_task *t) {
    const struct fv_object_block *b = &t->object;
    if (b->element_bytes == 0 || b->n_dims > FV_OBJECT_DIMS)
        return;
    json_t *dims = json_array();
    for (unsigned i = 0; i < b->n_dims; i++)
        json_array_append_new(dims, json_integer((json_int_t)b->dims[i]));
    json_object_set_new(row, "shape", json_pack("{s:I, s:I, s:o}", "element_bytes", (json_int_t)b->element_bytes, "elements", (json_int_t)b->count,
                                                "dims", dims));
}

static json_t *row_of(const struct fv_obs *o, const struct items *m, const struct item *it, uint64_t now) {
    struct fv_obs_task t;
    struct fv_proc     home;
    char               ref[20], text[160], who[32];
    size_t             n;
    uint32_t           p = it->index >> o->head->slab_shift;
    if (!fv_obs_task(o, it->index, &t) || t.id != it->id || t.state == FV_FREE)
        return NULL; /* gone meanwhile */
    const struct fv_obs_hold *h = fv_obs_holds_of(m->holds, m->n_holds, it->id, &n);
    json_t                   *held_by = json_array(), *holders = json_array();
    snprintf(ref, sizeof ref, "%016llx", (unsigned long long)it->id);
    for (size_t i = 0; i < n && it->kind != ARGUMENTS; i++) {
        bool by_ref = h[i].kind == FV_HOLD_ARGUMENT || h[i].kind == FV_HOLD_CONTAINER || h[i].kind == FV_HOLD_STREAM;
        hold_text(o, &h[i], true, text, sizeof text);
        json_array_append_new(held_by, cli_text(text));
        json_array_append_new(holders, json_pack("{s:s, s:o}", "kind", fv_obs_hold_word(h[i].kind), "who",
                                                 by_ref ? cli_ref(o, h[i].who) : json_string(cli_who(o, (uint32_t)h[i].who, who, sizeof who))));
    }
    if (it->kind == ARGUMENTS)
        json_array_append_new(held_by, json_string("its task"));
    json_t *row = json_pack("{s:s, s:s, s:o, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:s, s:i}", "ref", ref, "kind", kind_words[it->kind], "name",
                            cli_text(fv_obs_task_name(o, &t)), "state", cli_state_word(t.state), "where", where_of(o, &t, it->kind), "bytes",
                            (json_int_t)it->bytes, "age_s",
                            it->created_ns == 0 ? json_null() : json_real(now > it->created_ns ? (double)(now - it->created_ns) * 1e-9 : 0.0),
                            "held_by", held_by, "holders", holders, "site", text_or_null(site_of(o, &t, text, sizeof text)), "home",
                            cli_who(o, p, who, sizeof who), "node", fv_obs_proc(o, p, &home) ? (int)home.node : 0);
    if (row != NULL && it->kind == OBJECT)
        add_shape(row, &t);
    return row;
}

/* ------------------------------------------------------------------------------------------------ groups */

static void add_to_group(json_t *groups, const char *key, const struct item *it, bool in_store) {
    json_t *g = json_object_get(groups, key);
    if (g == NULL) {
        g = json_pack("{s:o, s:I, s:I, s:I}", "group", cli_text(key), "objects", (json_int_t)0, "bytes", (json_int_t)0, "in_store", (json_int_t)0);
        if (g == NULL || json_object_set_new(groups, key, g) < 0)
            return;
    }
    json_object_set_new(g, "objects", json_integer(json_integer_value(json_object_get(g, "objects")) + 1));
    json_object_set_new(g, "bytes", json_integer(json_integer_value(json_object_get(g, "bytes")) + (json_int_t)it->bytes));
    if (in_store)
        json_object_set_new(g, "in_store", json_integer(json_integer_value(json_object_get(g, "in_store")) + (json_int_t)it->bytes));
}

static int by_bytes(const void *a, const void *b) {
    json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "bytes")), y = json_integer_value(json_object_get(*(json_t *const *)b, "bytes"));
    return x < y ? 1 : x > y ? -1 : strcmp(json_string_value(json_object_get(*(json_t *const *)a, "group")), json_string_value(json_object_get(*(json_t *const *)b, "group")));
}

static const char *const groupings[] = {"site", "holder", "state", "kind", "name", "where"};

/* One row a group, the largest first. */
static json_t *groups_of(const struct fv_obs *o, const struct items *m, const char *by) {
    json_t            *groups = json_object(), *rows = json_array(), *g;
    struct fv_obs_task t;
    char               text[160];
    const char        *key;
    for (size_t i = 0; i < m->n; i++) {
        const struct item *it = &m->all[i];
        if (!fv_obs_task(o, it->index, &t) || t.id != it->id)
            continue;
        const char *where = where_of(o, &t, it->kind);
        bool        in_store = is_in_store(where);
        if (strcmp(by, "holder") == 0) { /* an object counts for each of its holders */
            size_t                    n = 0;
            const struct fv_obs_hold *h = fv_obs_holds_of(m->holds, m->n_holds, it->id, &n);
            if (it->kind == ARGUMENTS)
                add_to_group(groups, "its task", it, in_store);
            for (size_t k = 0; it->kind != ARGUMENTS && k < n; k++) {
                hold_text(o, &h[k], false, text, sizeof text);
                add_to_group(groups, text, it, in_store);
            }
            if (it->kind != ARGUMENTS && n == 0)
                add_to_group(groups, "nobody", it, in_store);
            continue;
        }
        key = strcmp(by, "site") == 0    ? site_of(o, &t, text, sizeof text)
              : strcmp(by, "state") == 0 ? cli_state_word(t.state)
              : strcmp(by, "kind") == 0  ? kind_words[it->kind]
              : strcmp(by, "where") == 0 ? where
                                         : fv_obs_task_name(o, &t);
        add_to_group(groups, key[0] != '\0' ? key : "?", it, in_store);
    }
    size_t   n = json_object_size(groups), k = 0;
    json_t **sorted = calloc(n + 1, sizeof *sorted);
    if (sorted != NULL) {
        json_object_foreach(groups, key, g)
            sorted[k++] = g;
        qsort(sorted, n, sizeof *sorted, by_bytes);
        for (k = 0; k < n; k++)
            json_array_append(rows, sorted[k]);
    }
    free(sorted);
    json_decref(groups);
    return rows;
}

/* ------------------------------------------------------------------------------------------------ the command */

static json_t *sums_of(const struct fv_obs *o, const struct items *m) {
    const struct fv_keeper_state *k = &o->head->keeper;
    struct fv_obs_store           store;
    json_int_t                    bytes = 0;
    fv_obs_store(o, &store);
    for (size_t i = 0; i < m->n; i++)
        bytes += (json_int_t)m->all[i].bytes;
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "objects", (json_int_t)m->n, "bytes", bytes, "used",
                     (json_int_t)store.used, "total", (json_int_t)store.total, "largest_free", (json_int_t)store.largest_free, "spilled_bytes",
                     (json_int_t)k->spilled_bytes, "spilled_objects", (json_int_t)k->spilled_objects, "restored_bytes", (json_int_t)k->restored_bytes,
                     "restored_objects", (json_int_t)k->restored_objects, "on_disk_only", (json_int_t)k->away_bytes, "on_disk", (json_int_t)k->copy_bytes,
                     "fallback", (json_int_t)store.file_used, "fallback_total", (json_int_t)store.file_total, "fallback_bytes",
                     (json_int_t)k->fallback_bytes, "fallback_objects", (json_int_t)k->fallback_objects);
}

static uint64_t number(const json_t *j, const char *key) { return (uint64_t)json_integer_value(json_object_get(j, key)); }

static void print_sums(const json_t *sums) {
    char a[32], b[32], c[32];
    printf("store     %s used of %s; largest piece that is free: %s\n", cli_bytes(number(sums, "used"), a, sizeof a),
           cli_bytes(number(sums, "total"), b, sizeof b), cli_bytes(number(sums, "largest_free"), c, sizeof c));
    printf("objects   %llu, %s\n", (unsigned long long)number(sums, "objects"), cli_bytes(number(sums, "bytes"), a, sizeof a));
    printf("spilled   %llu objects, %s so far; %s on disk now, %s of it not in the store\n", (unsigned long long)number(sums, "spilled_objects"),
           cli_bytes(number(sums, "spilled_bytes"), a, sizeof a), cli_bytes(number(sums, "on_disk"), b, sizeof b),
           cli_bytes(number(sums, "on_disk_only"), c, sizeof c));
    printf("restored  %llu objects, %s so far\n", (unsigned long long)number(sums, "restored_objects"),
           cli_bytes(number(sums, "restored_bytes"), a, sizeof a));
    printf("fallback  %llu objects, %s so far; %s in a file now, of %s\n", (unsigned long long)number(sums, "fallback_objects"),
           cli_bytes(number(sums, "fallback_bytes"), a, sizeof a), cli_bytes(number(sums, "fallback"), b, sizeof b),
           cli_bytes(number(sums, "fallback_total"), c, sizeof c));
}

static json_t *rows_of(const struct cli *cli, const struct fv_obs *o, struct items *m) {
    json_t  *rows = json_array();
    uint64_t now = fv_now_ns();
    for (size_t i = 0; i < FV_COUNT_OF(orders); i++)
        if (m->n > 1 && strcmp(orders[i].word, cli->sort != NULL ? cli->sort : "size") == 0)
            qsort(m->all, m->n, sizeof *m->all, orders[i].compare);
    for (size_t i = 0; i < m->n && (cli->limit == 0 || json_array_size(rows) < (size_t)cli->limit); i++) {
        json_t *row = row_of(o, m, &m->all[i], now);
        if (row != NULL)
            json_array_append_new(rows, row);
    }
    return rows;
}

static int show(const struct cli *cli, const struct cli_runtime *r) {
    struct items m = {0};
    if (!collect(cli, &r->obs, &m)) {
        fprintf(stderr, "fever: out of memory\n");
        free(m.all), free(m.holds);
        return CLI_NO_RUNTIME;
    }
    json_t *rows = cli->group_by != NULL ? groups_of(&r->obs, &m, cli->group_by) : rows_of(cli, &r->obs, &m), *sums = sums_of(&r->obs, &m);
    size_t  shown = json_array_size(rows);
    if (cli->json) {
        cli_print_json(json_pack("{s:o, s:i, s:I, s:o, s:o}", "name", cli_text(r->obs.head->name), "pid", (int)r->found.driver, "total",
                                 (json_int_t)m.n, "sums", sums, cli->group_by != NULL ? "groups" : "objects", rows));
    } else {
        print_sums(sums);
        if (shown != 0) {
            putchar('\n');
            cli_table(rows, cli->group_by != NULL ? group_columns : columns,
                      cli->group_by != NULL ? FV_COUNT_OF(group_columns) : FV_COUNT_OF(columns));
        }
        if (cli->group_by == NULL && cli->limit != 0 && shown == (size_t)cli->limit && shown < m.n)
            printf("... and %zu more (--limit 0 shows all)\n", m.n - shown);
        json_decref(rows);
        json_decref(sums);
    }
    free(m.all), free(m.holds);
    return CLI_OK;
}

static bool is_word(const char *word, const char *option, const char *const *words, size_t n) {
    for (size_t i = 0; i < n && word != NULL; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    if (word == NULL)
        return true;
    fprintf(stderr, "fever: %s '%s'?  It takes ", option, word);
    for (size_t i = 0; i < n; i++)
        fprintf(stderr, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", words[i]);
    fprintf(stderr, "\n");
    return false;
}

int cli_memory(const struct cli *cli) {
    const char *words[FV_COUNT_OF(orders)];
    for (size_t i = 0; i < FV_COUNT_OF(orders); i++)
        words[i] = orders[i].word;
    if (!is_word(cli->sort, "--sort", words, FV_COUNT_OF(words)) || !is_word(cli->group_by, "--group-by", groupings, FV_COUNT_OF(groupings)))
        return CLI_USAGE;
    if (cli->sort != NULL && cli->group_by != NULL) {
        fprintf(stderr, "fever: --group-by sorts by size\n");
        return CLI_USAGE;
    }
    struct cli_runtime *all;
    int                 n;
    struct cli_runtime *r = cli_attach_one(cli, &all, &n);
    int                 status = CLI_NO_RUNTIME;
    if (r != NULL) {
        if (!r->found.answers)
            fprintf(stderr, "fever: the supervisor does not answer; read through the driver's descriptors\n");
        status = show(cli, r);
    }
    cli_detach(all, n);
    return status;
}
