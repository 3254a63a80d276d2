/* cli/table.c: values as text for people, and as JSON.
 *
 * Run by:          the fever command.
 * Shared state:    none.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define MOST_COLUMNS 16
#define CELL_BYTES   256

const char *cli_bytes(uint64_t bytes, char *buf, size_t room) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double   value = (double)bytes;
    unsigned u = 0;
    while (value >= 1024 && u + 1 < FV_COUNT_OF(units))
        value /= 1024, u++;
    snprintf(buf, room, u == 0 ? "%.0f %s" : "%.1f %s", value, units[u]);
    return buf;
}

const char *cli_seconds(double s, char *buf, size_t room) {
    if (s < 1e-3)
        snprintf(buf, room, "%.0f us", s * 1e6);
    else if (s < 1)
        snprintf(buf, room, "%.0f ms", s * 1e3);
    else if (s < 60)
        snprintf(buf, room, "%.1f s", s);
    else if (s < 3600)
        snprintf(buf, room, "%d min %d s", (int)(s / 60), (int)s % 60);
    else if (s < 86400)
        snprintf(buf, room, "%d h %d min", (int)(s / 3600), (int)(s / 60) % 60);
    else
        snprintf(buf, room, "%d d %d h", (int)(s / 86400), (int)(s / 3600) % 24);
    return buf;
}

json_t *cli_text(const char *text) {
    char clean[512];
    bool ascii = true;
    snprintf(clean, sizeof clean, "%s", text);
    for (char *c = clean; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 127) /* would steer the terminal */
            *c = '?';
        ascii &= (unsigned char)*c < 128;
    }
    json_t *j = json_string(clean);
    if (j != NULL || ascii)
        return j;
    for (char *c = clean; *c != '\0'; c++) /* not UTF-8 */
        if ((unsigned char)*c >= 128)
            *c = '?';
    return json_string(clean);
}

/* ------------------------------------------------------------------------------------------------ tables */

const json_t *cli_value(const json_t *row, const char *key) {
    char        part[64];
    const char *dot;
    while ((dot = strchr(key, '.')) != NULL) {
        snprintf(part, sizeof part, "%.*s", (int)(dot - key), key);
        row = json_object_get(row, part);
        key = dot + 1;
    }
    return json_object_get(row, key);
}

/* the value as text; "" for none */
static void cell(const json_t *v, enum cli_kind kind, char *buf, size_t room) {
    size_t  i;
    json_t *item;
    buf[0] = '\0';
    if (json_is_number(v) && kind == CLI_BYTES)
        cli_bytes((uint64_t)json_integer_value(v), buf, room);
    else if (json_is_number(v) && kind == CLI_SECONDS)
        cli_seconds(json_number_value(v), buf, room);
    else if (json_is_integer(v))
        snprintf(buf, room, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    else if (json_is_string(v))
        snprintf(buf, room, "%s", json_string_value(v));
    else if (json_is_object(v)) { /* a ref */
        const char *name = json_string_value(json_object_get(v, "name")), *ref = json_string_value(json_object_get(v, "ref"));
        snprintf(buf, room, "%s (%s)", name != NULL ? name : "?", ref != NULL ? ref : "?");
    } else if (json_is_array(v)) {
        json_array_foreach(v, i, item) {
            size_t n = strlen(buf);
            if (i == 3) {
                snprintf(buf + n, room - n, ", and %zu more", json_array_size(v) - i);
                break;
            }
            if (i > 0)
                n += (size_t)snprintf(buf + n, room - n, ", ");
            if (n < room)
                cell(item, kind, buf + n, room - n);
        }
    }
}

static void print_cell(const char *text, int width, bool right, bool last) {
    if (last && !right)
        printf("%s\n", text);
    else
        printf(right ? "%*s%s" : "%-*s%s", width, text, last ? "\n" : "  ");
}

void cli_table(const json_t *rows, const struct cli_column *columns, size_t n_columns) {
    int     width[MOST_COLUMNS] = {0};
    size_t  r, last = 0;
    json_t *row;
    char    text[CELL_BYTES];
    n_columns = FV_MIN(n_columns, (size_t)MOST_COLUMNS);
    for (size_t c = 0; c < n_columns; c++) {
        json_array_foreach(rows, r, row) {
            cell(cli_value(row, columns[c].key), columns[c].kind, text, sizeof text);
            width[c] = FV_MAX(width[c], (int)strlen(text));
        }
        if (width[c] != 0) {
            width[c] = FV_MAX(width[c], (int)strlen(columns[c].title));
            last = c;
        }
    }
    for (size_t c = 0; c <= last && n_columns > 0; c++)
        if (width[c] != 0)
            print_cell(columns[c].title, width[c], columns[c].kind != CLI_TEXT, c == last);
    json_array_foreach(rows, r, row)
        for (size_t c = 0; c <= last; c++)
            if (width[c] != 0) {
                cell(cli_value(row, columns[c].key), columns[c].kind, text, sizeof text);
                print_cell(text[0] != '\0' ? text : "-", width[c], columns[c].kind != CLI_TEXT, c == last);
            }
}

void cli_print_json(json_t *root) {
    if (root == NULL || json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) < 0) {
        fprintf(stderr, "fever: out of memory\n");
        exit(CLI_NO_RUNTIME);
    }
    putchar('\n');
    json_decref(root);
}
