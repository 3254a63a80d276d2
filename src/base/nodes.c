/* base/nodes.c: see nodes.h. */
#include "base/nodes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"
#include "fever.h"

/* A name of letters, digits, '_', '-', '.' and '/', with blanks around it. */
static bool read_name(const char *text, size_t n, char out[FV_NODE_CHARS])
{
    while (n > 0 && (*text == ' ' || *text == '\n' || *text == '\t'))
        text++, n--;
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\n' || text[n - 1] == '\t'))
        n--;
    if (n == 0 || n >= FV_NODE_CHARS)
        return false;
    for (size_t i = 0; i < n; i++)
        if (strchr("_-./", text[i]) == NULL && !(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'z') &&
            !(text[i] >= 'A' && text[i] <= 'Z'))
            return false;
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

static uint32_t read_count(const char *text, uint32_t most)
{
    uint32_t n = 0;

    for (; *text >= '0' && *text <= '9' && n <= most; text++)
        n = n * 10 + (uint32_t)(*text - '0');
    return *text == '\0' && n <= most ? n : 0;
}

/* One "key=value".  NULL: it is good; else what is wrong. */
static const char *read_part(struct fv_node_spec *s, const char *text, size_t n)
{
    const char *equals = memchr(text, '=', n);
    char        key[FV_NODE_CHARS], value[FV_NODE_CHARS], both[2 * FV_NODE_CHARS];
    struct fv_resource_amount amount[FV_RESOURCES_MAX];

    if (equals == NULL || !read_name(text, (size_t)(equals - text), key) || !read_name(equals + 1, n - (size_t)(equals + 1 - text), value))
        return "NAME=VALUE is expected";
    if (strcmp(key, "cpu") == 0) {
        bool again = s->n_cpus != 0;
        s->n_cpus = read_count(value, FV_NODE_CPUS_MOST);
        return again ? "cpu is given twice" : s->n_cpus == 0 ? "cpu has to be a whole number, 1 to 4000" : NULL;
    }
    for (uint32_t i = 0; i < s->n_amounts; i++)
        if (strcmp(s->amount[i].name, key) == 0)
            return "a resource is given twice";
    for (uint32_t i = 0; i < s->n_labels; i++)
        if (strcmp(s->label[i].key, key) == 0)
            return "a label is given twice";
    if (strspn(value, "0123456789.") == strlen(value)) {
        snprintf(both, sizeof both, "%s=%s", key, value);
        if (s->n_amounts == FV_RESOURCES_MAX || fv_resources_parse(both, amount) != 1)
            return "an amount has to be a number above 0 with at most four digits after the point";
        s->amount[s->n_amounts++] = amount[0];
        return NULL;
    }
    if (s->n_labels == FV_NODE_LABELS)
        return "a node has 8 labels at most";
    memcpy(s->label[s->n_labels].key, key, sizeof key);
    memcpy(s->label[s->n_labels++].value, value, sizeof value);
    return NULL;
}

static const char *read_type(struct fv_node_spec *s, const char *text, size_t n)
{
    const char *colon = memchr(text, ':', n), *star = memchr(text, '*', n), *end = text + n, *wrong;
    char        count[FV_NODE_CHARS] = "1";

    if (colon == NULL)
        return "NAME: cpu=N is expected";
    if (star != NULL && star > colon)
        star = NULL;
    if (!read_name(text, (size_t)((star != NULL ? star : colon) - text), s->name) ||
        (star != NULL && !read_name(star + 1, (size_t)(colon - star - 1), count)))
        return "a name is letters, digits, and any of _ - . /, and 23 characters at most";
    if ((s->count = read_count(count, FV_NODE_COUNT_MOST)) == 0)
        return "there may be 1 to 256 nodes of a type";
    for (text = colon + 1; text <= end; text++) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        size_t      length = (size_t)((comma != NULL ? comma : end) - text);
        if ((wrong = read_part(s, text, length)) != NULL)
            return wrong;
        text += length;
    }
    return s->n_cpus == 0 ? "cpu is missing" : NULL;
}

int fv_nodes_parse(const char *text, struct fv_node_spec out[FV_NODE_SPECS], char *why, size_t why_bytes)
{
    uint32_t    n = 0, n_nodes = 0, n_cpus = 0;
    const char *wrong = NULL;

    for (; wrong == NULL; n++) {
        const char *semicolon = strchr(text, ';');
        size_t      length = semicolon != NULL ? (size_t)(semicolon - text) : strlen(text);
        if (n == FV_NODE_SPECS) {
            wrong = "there may be 64 types at most";
            break;
        }
        memset(&out[n], 0, sizeof out[n]);
        wrong = read_type(&out[n], text, length);
        for (uint32_t i = 0; i < n && wrong == NULL; i++)
            if (strcmp(out[i].name, out[n].name) == 0)
                wrong = "two types have the same name";
        n_nodes += out[n].count;
        n_cpus += out[n].count * out[n].n_cpus;
        if (wrong == NULL && (n_nodes > FV_NODE_COUNT_MOST || n_cpus > FV_NODE_CPUS_MOST))
            wrong = "there may be 256 nodes, and 4000 CPUs in all of them, at most";
        if (wrong != NULL || semicolon == NULL)
            break;
        text = semicolon + 1;
    }
    if (wrong != NULL) {
        snprintf(why, why_bytes, "nodes, at \"%.32s\": %s", text + strspn(text, " "), wrong);
        return -FEVER_EOPTION;
    }
    return (int)n + 1;
}
