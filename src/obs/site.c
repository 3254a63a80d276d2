/* obs/site.c: where in the program a call was made.  See site.h.
 *
 * Workers are forked from the driver, so its addresses are theirs, but for libraries that a body has loaded.
 */
#include "obs/site.h"

#include <stdio.h>
#include <string.h>

#include "plat/symbol.h"

#define PLACES  4096u
#define INLINED 8u

static struct {
    uint64_t site;
    char     text[160];
} known[PLACES];
static uint32_t           driver; /* whose places are known */
static struct fv_symbols *symbols;

/* The file that an address is mapped from, by /proc/PID/maps, and how far behind the file's first page it lies. */
static bool find_mapping(uint32_t pid, uint64_t site, char *text, size_t bytes) {
    char               path[40], line[512], name[400];
    unsigned long long base = 0;
    bool               found = false;
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    FILE *f = fopen(path, "r");
    while (f != NULL && !found && fgets(line, sizeof line, f) != NULL) {
        unsigned long long from, to, offset;
        if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %399s", &from, &to, &offset, name) != 4 || name[0] != '/')
            continue;
        if (offset == 0) /* its pages follow, in order */
            base = from;
        if (site < from || site >= to)
            continue;
        const char *slash = strrchr(name, '/');
        snprintf(text, bytes, "%.100s+%#llx", slash + 1, (unsigned long long)site - base);
        found = true;
    }
    if (f != NULL)
        fclose(f);
    return found;
}

static void describe(uint64_t site, char *text, size_t bytes) {
    struct fv_symbol s[INLINED];
    if (symbols != NULL && fv_symbols_find(symbols, site, s, INLINED) != 0 && s[0].file[0] != '\0')
        snprintf(text, bytes, "%s:%d", s[0].file, s[0].line);
    else if (!find_mapping(driver, site, text, bytes))
        snprintf(text, bytes, "%#llx", (unsigned long long)site);
}

const char *fv_obs_site_text(const struct fv_obs *o, uint64_t site) {
    if (site == 0)
        return "";
    if (driver != o->head->driver_pid) {
        fv_symbols_close(symbols);
        memset(known, 0, sizeof known);
        driver = o->head->driver_pid;
        symbols = fv_symbols_open((pid_t)driver);
    }
    uint32_t at = (uint32_t)(site * 0x9E3779B97F4A7C15ull >> 52);
    if (known[at].site != site) {
        describe(site, known[at].text, sizeof known[at].text);
        known[at].site = site;
    }
    return known[at].text;
}
