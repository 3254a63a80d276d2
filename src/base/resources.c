/* base/resources.c: see resources.h. */
#include "base/resources.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "fever.h"

#define MOST_UNITS (1000000000ull * FV_UNITS)

/* "1.5" to 15000.  By hand: strtod() follows the program's locale. */
static bool read_units(const char *text, size_t n, uint64_t *units_out)
{
    uint64_t units = 0, scale = FV_UNITS;
    bool     point = false, digits = false;

    for (size_t i = 0; i < n; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || (point && scale == 1) || units > MOST_UNITS)
            return false;
        units = units * 10 + (uint64_t)(text[i] - '0');
        scale /= point ? 10 : 1;
        digits = true;
    }
    *units_out = units * scale;
    return digits && units <= MOST_UNITS && *units_out > 0 && *units_out <= MOST_UNITS;
}

static bool is_new_name(const char *name, size_t n, const struct fv_resource_amount *before, int n_before)
{
    if (n == 0 || n >= FV_RESOURCE_CHARS || memchr(name, ' ', n) != NULL || (n == 3 && strncasecmp(name, "cpu", 3) == 0))
        return false;
    for (int i = 0; i < n_before; i++)
        if (strncmp(before[i].name, name, n) == 0 && before[i].name[n] == '\0')
            return false;
    return true;
}

int fv_resources_parse(const char *text, struct fv_resource_amount out[FV_RESOURCES_MAX])
{
    struct fv_resource_amount list[FV_RESOURCES_MAX];
    int                       n = 0;

    memset(list, 0, sizeof list);
    while (*text != '\0') {
        size_t      length = strcspn(text, ",");
        const char *equals = memchr(text, '=', length);

        if (n == FV_RESOURCES_MAX || equals == NULL || !is_new_name(text, (size_t)(equals - text), list, n) ||
            !read_units(equals + 1, length - (size_t)(equals + 1 - text), &list[n].units))
            return -FEVER_EOPTION;
        memcpy(list[n++].name, text, (size_t)(equals - text));
        text += length;
        if (*text == ',' && *++text == '\0')
            return -FEVER_EOPTION;
    }
    if (out != NULL)
        memcpy(out, list, sizeof list);
    return n;
}
