/* sim/cluster.c: see cluster.h.
 *
 * Run by:          the fever command, tests.
 * Shared state:    none.
 */
#include "sim/cluster.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/base.h"

struct reader {
    const char        *path;
    yaml_document_t    doc;
    struct fv_cluster *c;
    char              *why;
    size_t             room;
};

__attribute__((format(printf, 3, 4))) static bool fail(struct reader *r, const yaml_node_t *at, const char *format, ...) {
    va_list args;
    int     n = snprintf(r->why, r->room, "%s:%zu: ", r->path, at == NULL ? 1 : at->start_mark.line + 1);
    va_start(args, format);
    if (n > 0 && (size_t)n < r->room)
        vsnprintf(r->why + n, r->room - (size_t)n, format, args);
    va_end(args);
    return false;
}

/* ------------------------------------------------------------------------------------------------ values */

static bool read_scaled(const char *text, const char *const *names, const double *scales, double *value_out) {
    char  *end;
    double value = strtod(text, &end);
    if (end == text || !isfinite(value) || value < 0)
        return false;
    while (*end == ' ')
        end++;
    for (size_t i = 0; names[i] != NULL; i++)
        if (strcmp(end, names[i]) == 0) {
            *value_out = value * scales[i];
            return true;
        }
    return false;
}

bool fv_cluster_time(const char *text, uint64_t *ns_out) {
    static const char *const names[] = {"", "s", "ms", "us", "min", "h", NULL};
    static const double      scales[] = {1e9, 1e9, 1e6, 1e3, 60e9, 3600e9};
    double                   ns;
    if (!read_scaled(text, names, scales, &ns) || ns > 1e17)
        return false;
    *ns_out = (uint64_t)llround(ns);
    return true;
}

bool fv_cluster_amount(uint32_t resource, const char *text, uint64_t *units_out) {
    static const char *const bytes[] = {"", "B", "KiB", "MiB", "GiB", "TiB", NULL}, *const plain[] = {"", NULL};
    static const double      byte_scales[] = {1, 1, 1024, 1048576, 1073741824, 1099511627776}, unit[] = {FV_SCALE_UNIT};
    double                   units;
    bool                     is_memory = resource == FV_SCALE_MEMORY;
    if (!read_scaled(text, is_memory ? bytes : plain, is_memory ? byte_scales : unit, &units) || units > 1e15)
        return false;
    *units_out = (uint64_t)llround(units);
    return fabs(units - (double)*units_out) < 1e-6 || is_memory;
}

uint32_t fv_cluster_resource(struct fv_cluster *c, const char *name) {
    uint32_t i = 0;
    while (i < c->n_resources && strcmp(c->resource_names[i], name) != 0)
        i++;
    if (i < c->n_resources)
        return i;
    if (i == FV_SCALE_RESOURCES || name[0] == '\0' || strlen(name) >= FV_CLUSTER_NAME)
        return FV_SCALE_NONE;
    snprintf(c->resource_names[i], FV_CLUSTER_NAME, "%s", name);
    c->resources[i] = c->resource_names[i];
    return c->n_resources++;
}

/* ------------------------------------------------------------------------------------------------ the tree */

static yaml_node_t *node_of(struct reader *r, int index) { return yaml_document_get_node(&r->doc, index); }

static const char *text_of(const yaml_node_t *n) { return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL; }

/* Calls `each` for each pair of a mapping, until one fails. */
static bool for_pairs(struct reader *r, yaml_node_t *map, const char *what, void *to,
                      bool (*each)(struct reader *, const char *key, yaml_node_t *at, yaml_node_t *value, void *to)) {
    if (map->type != YAML_MAPPING_NODE)
        return fail(r, map, "%s is a mapping: \"name: value\" lines", what);
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        yaml_node_t *key = node_of(r, p->key), *value = node_of(r, p->value);
        const char  *name = text_of(key);
        if (name == NULL)
            return fail(r, key, "a name is a word");
        for (yaml_node_pair_t *q = map->data.mapping.pairs.start; q < p; q++)
            if (text_of(node_of(r, q->key)) != NULL && strcmp(text_of(node_of(r, q->key)), name) == 0)
                return fail(r, key, "%s is there twice", name);
        if (!each(r, name, key, value, to))
            return false;
    }
    return true;
}

static bool count(struct reader *r, const char *key, yaml_node_t *value, uint32_t most, uint32_t *out) {
    const char *text = text_of(value);
    char       *end = NULL;
    errno = 0;
    unsigned long n = text != NULL && text[0] >= '0' && text[0] <= '9' ? strtoul(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || n > most)
        return fail(r, value, "%s is a whole number, 0 to %u, not \"%s\"", key, most, text != NULL ? text : "(a list)");
    *out = (uint32_t)n;
    return true;
}

static bool share(struct reader *r, const char *key, yaml_node_t *value, double most, double *out) {
    const char *text = text_of(value);
    char       *end = NULL;
    double      x = text != NULL ? strtod(text, &end) : -1;
    if (text == NULL || end == text || *end != '\0' || !(x >= 0 && x <= most))
        return fail(r, value, "%s is a number, 0 to %g, not \"%s\"", key, most, text != NULL ? text : "(a list)");
    *out = x;
    return true;
}

static bool seconds(struct reader *r, const char *key, yaml_node_t *value, uint64_t *out) {
    const char *text = text_of(value);
    if (text == NULL || !fv_cluster_time(text, out))
        return fail(r, value, "%s is a time, as in \"1.5 s\", \"20 ms\", \"2 min\", \"1 h\", not \"%s\"", key, text != NULL ? text : "(a list)");
    return true;
}

static bool on_resource(struct reader *r, const char *key, yaml_node_t *at, yaml_node_t *value, void *to) {
    struct fv_scale_type *type = to;
    uint32_t              i = fv_cluster_resource(r->c, key);
    const char           *text = text_of(value);
    if (i == FV_SCALE_NONE)
        return fail(r, at, "resource %s: at most %d of them, with names of up to %d characters", key, FV_SCALE_RESOURCES, FV_CLUSTER_NAME - 1);
    if (text == NULL || !fv_cluster_amount(i, text, &type->capacity[i]))
        return fail(r, value, "%s is an amount, %s, not \"%s\"", key, i == FV_SCALE_MEMORY ? "as in \"64 GiB\"" : "to 0.0001", text != NULL ? text : "(a list)");
    return true;
}

static bool on_type_value(struct reader *r, const char *key, yaml_node_t *at, yaml_node_t *value, void *to) {
    struct fv_scale_type *type = to;
    if (strcmp(key, "resources") == 0)
        return for_pairs(r, value, "resources", type, on_resource);
    if (strcmp(key, "min") == 0)
        return count(r, key, value, 100000, &type->min);
    if (strcmp(key, "max") == 0)
        return count(r, key, value, 100000, &type->max);
    if (strcmp(key, "buffer") == 0)
        return count(r, key, value, 100000, &type->buffer);
    if (strcmp(key, "launch") == 0)
        return seconds(r, key, value, &type->launch_ns);
    if (strcmp(key, "failure") == 0)
        return share(r, key, value, 0.99, &r->c->failure[type - r->c->types]);
    return fail(r, at, "a node type has resources, min, max, buffer, launch and failure, no \"%s\"", key);
}

static bool on_type(struct reader *r, const char *key, yaml_node_t *at, yaml_node_t *value, void *to) {
    struct fv_cluster    *c = to;
    struct fv_scale_type *type = &c->types[c->n_types];
    if (c->n_types == FV_SCALE_TYPES || strlen(key) >= FV_CLUSTER_NAME)
        return fail(r, at, "%s: at most %d node types, with names of up to %d characters", key, FV_SCALE_TYPES, FV_CLUSTER_NAME - 1);
    *type = (struct fv_scale_type){.name = c->type_names[c->n_types], .max = 10};
    snprintf(c->type_names[c->n_types++], FV_CLUSTER_NAME, "%s", key);
    if (!for_pairs(r, value, key, type, on_type_value))
        return false;
    for (uint32_t i = 0; i < FV_SCALE_RESOURCES; i++)
        if (type->capacity[i] != 0)
            return type->min > type->max ? fail(r, at, "%s: min is %u, max %u", key, type->min, type->max) : true;
    return fail(r, at, "%s has no resources", key);
}

static bool on_option(struct reader *r, const char *key, yaml_node_t *at, yaml_node_t *value, void *to) {
    struct fv_policy        *p = to;
    struct fv_scale_options *o = &p->options;
    double                   x = 0;
    if (strcmp(key, "max_nodes") == 0)
        return count(r, key, value, 100000, &o->max_nodes);
    if (strcmp(key, "hysteresis") == 0)
        return count(r, key, value, 1000, &o->hysteresis);
    if (strcmp(key, "least_launches") == 0)
        return count(r, key, value, 100000, &o->speed_least);
    if (strcmp(key, "idle_timeout") == 0)
        return seconds(r, key, value, &o->idle_ns);
    if (strcmp(key, "interval") == 0)
        return seconds(r, key, value, &p->every_ns);
    if (strcmp(key, "threshold") == 0) {
        bool good = share(r, key, value, 1, &x);
        o->threshold_permille = (uint32_t)lround(x * 1000);
        return good;
    }
    if (strcmp(key, "speed") == 0) {
        bool good = share(r, key, value, 1000, &x);
        o->speed_permille = (uint32_t)lround(x * 1000);
        return good;
    }
    if (strcmp(key, "placement") == 0) {
        const char *text = text_of(value) != NULL ? text_of(value) : "";
        p->strategy = strcmp(text, "spread") == 0 ? FV_PLACE_SPREAD : FV_PLACE_DEFAULT;
        return p->strategy == FV_PLACE_SPREAD || strcmp(text, "default") == 0 ? true : fail(r, value, "placement is default or spread, not \"%s\"", text);
    }
    return fail(r, at, "there is no option \"%s\"", key);
}

static bool on_policy(struct reader *r, const char *key, yaml_node_t *at, yaml_node_t *value, void *to) {
    struct fv_cluster *c = to;
    struct fv_policy  *p = &c->policies[c->n_policies];
    if (c->n_policies == FV_CLUSTER_POLICIES || strlen(key) >= FV_CLUSTER_NAME)
        return fail(r, at, "%s: at most %d policies, with names of up to %d characters", key, FV_CLUSTER_POLICIES - 1, FV_CLUSTER_NAME - 1);
    *p = c->policies[0];
    snprintf(p->name, sizeof p->name, "%s", key);
    c->n_policies++;
    return for_pairs(r, value, key, p, on_option);
}

/* Options first: policies change some of them. */
static bool on_part(struct reader *r, const char *key, yaml_node_t *at, yaml_node_t *value, void *to) {
    bool is_first = to != NULL;
    if (strcmp(key, "nodes") == 0)
        return is_first ? for_pairs(r, value, key, r->c, on_type) : true;
    if (strcmp(key, "options") == 0)
        return is_first ? for_pairs(r, value, key, &r->c->policies[0], on_option) : true;
    if (strcmp(key, "policies") == 0)
        return is_first ? true : for_pairs(r, value, key, r->c, on_policy);
    return fail(r, at, "a cluster file has nodes, options and policies, no \"%s\"", key);
}

static bool read_document(struct reader *r) {
    yaml_node_t *root = yaml_document_get_root_node(&r->doc);
    if (root == NULL)
        return fail(r, NULL, "the file is empty");
    if (!for_pairs(r, root, "a cluster file", r->c, on_part) || !for_pairs(r, root, "a cluster file", NULL, on_part))
        return false;
    return r->c->n_types != 0 ? true : fail(r, root, "there are no nodes");
}

int fv_cluster_read(const char *path, struct fv_cluster *c, char *why, size_t room) {
    struct reader r = {.path = path, .c = c, .why = why, .room = room};
    yaml_parser_t parser;
    FILE         *file = fopen(path, "r");
    if (file == NULL || !yaml_parser_initialize(&parser)) {
        snprintf(why, room, "%s: %s", path, file == NULL ? strerror(errno) : "out of memory");
        if (file != NULL)
            fclose(file);
        return -1;
    }
    memset(c, 0, sizeof *c);
    fv_cluster_resource(c, "cpu");
    fv_cluster_resource(c, "memory");
    c->n_policies = 1;
    c->policies[0] = (struct fv_policy){
        .name = "policy", .every_ns = 1000000000,
        .options = {.max_nodes = 1000, .speed_permille = 1000, .speed_least = 5, .idle_ns = 60000000000, .hysteresis = 2}};
    yaml_parser_set_input_file(&parser, file);
    bool good = yaml_parser_load(&parser, &r.doc);
    if (good) {
        good = read_document(&r);
        yaml_document_delete(&r.doc);
    } else {
        snprintf(why, room, "%s:%zu: %s", path, parser.problem_mark.line + 1, parser.problem != NULL ? parser.problem : "not YAML");
    }
    yaml_parser_delete(&parser);
    fclose(file);
    return good ? 0 : -1;
}
