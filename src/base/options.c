/* options.c: program, environment and defaults into one struct.
 *
 * Run by:          the driver in fever_init(); the command line prints the table.
 * Shared state:    none.
 * Not here:        what the machine decides: plat/machine.c.
 */
#include "base/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/resources.h"

enum kind { KIND_COUNT, KIND_COUNT32, KIND_BYTES, KIND_MICROS, KIND_PART, KIND_CHOICE, KIND_TEXT, KIND_SWITCH, KIND_LIST, KIND_NODES, KIND_PATHS };

struct option {
    const char *field, *env, *text, *choices, *doc;
    size_t      user_at, at, bytes; /* where in struct fever_options, in struct fv_options; room there */
    double      least, most;
    enum kind   kind;
};

static const struct option table[FV_OPTION_COUNT] = {
#define FV_X(field_, kind_, env_, text_, least_, most_, choices_, doc_) \
    {.field = #field_, .env = env_, .text = text_, .choices = choices_, .doc = doc_, \
     .user_at = offsetof(struct fever_options, field_), .at = offsetof(struct fv_options, field_), \
     .bytes = sizeof(((struct fv_options *)0)->field_), .least = (double)(least_), .most = (double)(most_), .kind = KIND_##kind_},
    FV_OPTIONS(FV_X)
#undef FV_X
};

static int set_number(const struct option *o, double value, struct fv_options *out)
{
    char *at = (char *)out + o->at;

    if (!(value >= o->least && value <= o->most))
        return -FEVER_EOPTION;
    switch (o->kind) {
    case KIND_COUNT:
    case KIND_SWITCH:
        *(int *)(void *)at = (int)value;
        break;
    case KIND_COUNT32:
        *(uint32_t *)(void *)at = (uint32_t)value;
        break;
    case KIND_BYTES: /* exact: below 2^46 */
        *(uint64_t *)(void *)at = (uint64_t)value;
        break;
    case KIND_MICROS:
    case KIND_PART:
        *(double *)(void *)at = value;
        break;
    case KIND_CHOICE:
    case KIND_TEXT:
    case KIND_LIST:
    case KIND_NODES:
    case KIND_PATHS:
        return -FEVER_EBUG;
    }
    return 0;
}

static bool is_choice(const char *choices, const char *word)
{
    size_t n = strlen(word);

    for (const char *c = choices; n != 0 && (c = strstr(c, word)) != NULL; c += n)
        if ((c == choices || c[-1] == ' ') && (c[n] == ' ' || c[n] == '\0'))
            return true;
    return false;
}

static int set_text(const struct option *o, const char *text, struct fv_options *out)
{
    if (o->kind == KIND_CHOICE && (!is_choice(o->choices, text) || strchr(text, ' ') != NULL))
        return -FEVER_EOPTION;
    if (strlen(text) >= o->bytes || (o->kind == KIND_LIST && fv_resources_parse(text, NULL) < 0))
        return -FEVER_EOPTION;
    memcpy((char *)out + o->at, text, strlen(text) + 1);
    return 0;
}

static bool parse_switch(const char *text, double *value_out)
{
    static const char *const off[] = {"0", "-1", "off", "no", "false"};
    static const char *const on[] = {"1", "on", "yes", "true"};

    for (size_t i = 0; i < FV_COUNT_OF(off); i++)
        if (strcasecmp(text, off[i]) == 0) {
            *value_out = 0;
            return true;
        }
    for (size_t i = 0; i < FV_COUNT_OF(on); i++)
        if (strcasecmp(text, on[i]) == 0) {
            *value_out = 1;
            return true;
        }
    return false;
}

/* digits, and for BYTES one suffix letter */
static bool parse_whole(const struct option *o, const char *text, double *value_out)
{
    static const char suffixes[] = "KMGT";
    unsigned long long number;
    double factor = 1;
    char *end;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    if (o->kind == KIND_BYTES && *end != '\0') {
        const char *suffix = strchr(suffixes, toupper((unsigned char)*end));

        if (suffix == NULL)
            return false;
        for (const char *s = suffixes; s <= suffix; s++)
            factor *= 1024;
        end++;
    }
    *value_out = (double)number * factor;
    return *end == '\0';
}

/* Digits with at most one point.  Read by hand: strtod() follows the program's locale. */
static bool parse_micros(const char *text, double *value_out)
{
    double value = 0, unit = 1;
    bool point = false;

    if (!isdigit((unsigned char)text[0]))
        return false;
    for (; *text != '\0'; text++) {
        if (*text == '.' && !point) {
            point = true;
            continue;
        }
        if (!isdigit((unsigned char)*text))
            return false;
        value = value * 10 + (*text - '0');
        if (point)
            unit *= 10;
    }
    *value_out = value / unit;
    return true;
}

static int set_from_text(const struct option *o, const char *text, struct fv_options *out)
{
    double value = 0;
    bool parsed = false;

    switch (o->kind) {
    case KIND_CHOICE:
    case KIND_TEXT:
    case KIND_LIST:
    case KIND_NODES:
    case KIND_PATHS:
        return set_text(o, text, out);
    case KIND_SWITCH:
        parsed = parse_switch(text, &value);
        break;
    case KIND_MICROS:
    case KIND_PART:
        parsed = parse_micros(text, &value);
        break;
    case KIND_COUNT:
    case KIND_COUNT32:
    case KIND_BYTES:
        parsed = parse_whole(o, text, &value);
        break;
    }
    return parsed ? set_number(o, value, out) : -FEVER_EOPTION;
}

/* Returns 1 when the program gave the option, 0 when not, -FEVER_EOPTION.  Writes what it gave, as text, to shown. */
static int set_from_program(const struct option *o, const struct fever_options *user, struct fv_options *out, char *shown,
                            size_t shown_bytes)
{
    const char *at = (const char *)user + o->user_at;
    const char *text;
    double value = 0;

    switch (o->kind) {
    case KIND_CHOICE:
    case KIND_TEXT:
    case KIND_LIST:
    case KIND_NODES:
    case KIND_PATHS:
        memcpy(&text, at, sizeof text);
        if (text == NULL)
            return 0;
        snprintf(shown, shown_bytes, "%s", text);
        return set_text(o, text, out) == 0 ? 1 : -FEVER_EOPTION;
    case KIND_COUNT:
    case KIND_SWITCH:
        value = *(const int *)(const void *)at;
        break;
    case KIND_COUNT32:
        value = *(const uint32_t *)(const void *)at;
        break;
    case KIND_BYTES:
        value = (double)*(const uint64_t *)(const void *)at;
        break;
    case KIND_MICROS:
    case KIND_PART:
        value = *(const double *)(const void *)at;
        break;
    }
    if (value == 0)
        return 0;
    snprintf(shown, shown_bytes, "%.15g", value);
    if (o->kind == KIND_SWITCH && value == -1)
        value = 0;
    if ((o->kind == KIND_COUNT || o->kind == KIND_MICROS || o->kind == KIND_PART) && value < 0 && o->least == 0)
        value = 0;
    return set_number(o, value, out) == 0 ? 1 : -FEVER_EOPTION;
}

static const char *describe_shape(const struct option *o, char *buf, size_t bytes)
{
    switch (o->kind) {
    case KIND_CHOICE:
        snprintf(buf, bytes, "one of: %s", o->choices);
        break;
    case KIND_TEXT:
        snprintf(buf, bytes, "at most %zu characters", o->bytes - 1);
        break;
    case KIND_PATHS:
        snprintf(buf, bytes, "directories, separated by colons, at most %zu characters, or none", o->bytes - 1);
        break;
    case KIND_NODES:
        snprintf(buf, bytes, "NAME[*COUNT]: cpu=N, ...; ..., at most %zu characters", o->bytes - 1);
        break;
    case KIND_LIST:
        snprintf(buf, bytes, "up to 16 of NAME=NUMBER, separated by commas, as gpu=2,disk=1.5");
        break;
    case KIND_SWITCH:
        snprintf(buf, bytes, "0 or 1");
        break;
    case KIND_BYTES:
        snprintf(buf, bytes, "bytes from %.15g to %.15g, as 4096, 512M or 2G", o->least, o->most);
        break;
    default:
        snprintf(buf, bytes, "a number from %.15g to %.15g", o->least, o->most);
    }
    return buf;
}

/* the caller's struct, of whatever size its header had, as one of ours */
static int widen_user(const struct fever_options *user, struct fever_options *wide_out, char *why, size_t why_bytes)
{
    const size_t least = offsetof(struct fever_options, workers) + sizeof user->workers;
    size_t n = user->struct_bytes;

    if (n < least || n > 65536) {
        snprintf(why, why_bytes, "struct_bytes is %zu, not a size of struct fever_options: use FEVER_OPTIONS()", n);
        return -FEVER_EOPTION;
    }
    for (size_t i = sizeof *user; i < n; i++)
        if (((const unsigned char *)user)[i] != 0) {
            snprintf(why, why_bytes, "struct_bytes is %zu, and an option beyond the %zu bytes that this library (%s) knows is set", n,
                     sizeof *user, FEVER_VERSION);
            return -FEVER_EOPTION;
        }
    memset(wide_out, 0, sizeof *wide_out);
    memcpy(wide_out, user, FV_MIN(n, sizeof *user));
    return 0;
}

int fv_options_resolve(const struct fever_options *user, struct fv_options *out, char *why, size_t why_bytes)
{
    struct fever_options wide;
    struct fv_options made;
    char shape[160], shown[64];

    memset(&made, 0, sizeof made);
    memset(&wide, 0, sizeof wide);
    if (user != NULL && widen_user(user, &wide, why, why_bytes) != 0)
        return -FEVER_EOPTION;
    for (int i = 0; i < FV_OPTION_COUNT; i++) {
        const struct option *o = &table[i];
        const char *env = getenv(o->env);
        int given = set_from_program(o, &wide, &made, shown, sizeof shown);

        if (given < 0) {
            snprintf(why, why_bytes, "option %s is \"%s\"; it should be %s", o->field, shown, describe_shape(o, shape, sizeof shape));
            return -FEVER_EOPTION;
        }
        if (given > 0) {
            made.origin[i] = FV_ORIGIN_PROGRAM;
        } else if (env != NULL && env[0] != '\0') {
            if (set_from_text(o, env, &made) != 0) {
                snprintf(why, why_bytes, "environment variable %s is \"%.64s\"; it should be %s", o->env, env,
                         describe_shape(o, shape, sizeof shape));
                return -FEVER_EOPTION;
            }
            made.origin[i] = FV_ORIGIN_ENVIRONMENT;
        } else if (o->text[0] != '\0' && !FV_HOLDS(set_from_text(o, o->text, &made) == 0))
            return -FEVER_EBUG;
    }
    if (made.origin[FV_OPTION_name] == FV_ORIGIN_DEFAULT)
        snprintf(made.name, sizeof made.name, "%s", program_invocation_short_name);
    *out = made;
    return 0;
}

const char *fv_origin_name(enum fv_origin origin)
{
    switch (origin) {
    case FV_ORIGIN_DEFAULT:
        return "default";
    case FV_ORIGIN_ENVIRONMENT:
        return "environment";
    case FV_ORIGIN_PROGRAM:
        return "program";
    }
    return "?";
}

const char *fv_option_env(int index)
{
    return index >= 0 && index < FV_OPTION_COUNT ? table[index].env : NULL;
}

const char *fv_option_doc(int index)
{
    return index >= 0 && index < FV_OPTION_COUNT ? table[index].doc : NULL;
}

static void show_bytes(char *buf, size_t room, uint64_t value)
{
    static const char suffixes[] = "\0KMGT";
    int i = 0;

    while (i < 4 && value != 0 && value % 1024 == 0) {
        value /= 1024;
        i++;
    }
    snprintf(buf, room, "%llu%.1s", (unsigned long long)value, &suffixes[i]);
}

const char *fv_option_text(const struct fv_options *options, int index, char *buf, size_t bytes)
{
    const struct option *o;
    const char *at;

    if (index < 0 || index >= FV_OPTION_COUNT || bytes == 0)
        return NULL;
    o = &table[index];
    at = (const char *)options + o->at;
    switch (o->kind) {
    case KIND_COUNT:
    case KIND_SWITCH:
        snprintf(buf, bytes, "%d", *(const int *)(const void *)at);
        break;
    case KIND_COUNT32:
        snprintf(buf, bytes, "%u", (unsigned)*(const uint32_t *)(const void *)at);
        break;
    case KIND_BYTES:
        show_bytes(buf, bytes, *(const uint64_t *)(const void *)at);
        break;
    case KIND_MICROS:
    case KIND_PART:
        snprintf(buf, bytes, "%.9g", *(const double *)(const void *)at);
        break;
    case KIND_CHOICE:
    case KIND_TEXT:
    case KIND_LIST:
    case KIND_NODES:
    case KIND_PATHS:
        snprintf(buf, bytes, "%s", at);
        break;
    }
    return buf;
}

void fv_options_print(FILE *stream, const struct fv_options *options)
{
    char value[512];

    for (int i = 0; i < FV_OPTION_COUNT; i++)
        fprintf(stream, "%-20s %-16s %-12s %s\n", table[i].env, fv_option_text(options, i, value, sizeof value),
                fv_origin_name((enum fv_origin)options->origin[i]), table[i].doc);
}
