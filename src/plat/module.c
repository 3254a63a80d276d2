/* plat/module.c: finds the program or library that an address belongs to, by what the dynamic linker knows.
 *
 * Run by:          any process, not in a signal handler.
 * Shared state:    none.
 */
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "plat/module.h"

struct wanted {
    uint64_t    address, base;
    const char *path;
};

static int holds(struct dl_phdr_info *info, size_t bytes, void *arg) {
    struct wanted *w = arg;
    (void)bytes;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && w->address - info->dlpi_addr - p->p_vaddr < p->p_memsz) {
            w->base = info->dlpi_addr;
            w->path = info->dlpi_name;
            return 1;
        }
    }
    return 0;
}

bool fv_module_find(uint64_t address, uint64_t *base_out, char *name_out, size_t bytes) {
    char          exe[512];
    struct wanted w = {.address = address};
    if (dl_iterate_phdr(holds, &w) == 0)
        return false;
    if (w.path == NULL || w.path[0] == '\0') { /* the program itself */
        ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
        exe[FV_MAX(n, 0)] = '\0';
        w.path = exe;
    }
    const char *slash = strrchr(w.path, '/');
    snprintf(name_out, bytes, "%s", slash != NULL ? slash + 1 : w.path);
    *base_out = w.base;
    return true;
}
