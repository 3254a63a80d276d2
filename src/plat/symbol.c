/* plat/symbol.c: reads symbol tables and debug information with elfutils' libdwfl.
 *
 * Run by:          who reads an error.
 * Shared state:    none.
 *
 * Only local files are read: debug information is looked for in the file itself and under /usr/lib/debug by build id, and never
 * asked for from a server.
 */
#include "plat/symbol.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "plat/stack.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#ifdef HAVE_LIBDW
#include <dwarf.h>
#include <elfutils/libdwfl.h>

struct fv_symbols {
    Dwfl *dwfl;
    pid_t pid;
    bool  is_attached, cannot_unwind;
    const struct fv_stack *stack; /* being unwound */
};

static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf, .find_debuginfo = dwfl_build_id_find_debuginfo};

bool fv_symbols_there_are(void) { return true; }

static bool look_at_maps(struct fv_symbols *s) {
    dwfl_report_begin(s->dwfl);
    bool good = dwfl_linux_proc_report(s->dwfl, s->pid) == 0;
    return dwfl_report_end(s->dwfl, NULL, NULL) == 0 && good;
}

struct fv_symbols *fv_symbols_open(pid_t pid) {
    struct fv_symbols *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->pid = pid;
    s->dwfl = dwfl_begin(&callbacks);
    if (s->dwfl == NULL || !look_at_maps(s)) {
        fv_symbols_close(s);
        return NULL;
    }
    return s;
}

void fv_symbols_close(struct fv_symbols *s) {
    if (s == NULL)
        return;
    if (s->dwfl != NULL)
        dwfl_end(s->dwfl);
    free(s);
}

/* The path below the folder that was compiled in; of a long one the end. */
static void set_file(struct fv_symbol *out, const char *path, const char *folder) {
    size_t n = folder != NULL ? strlen(folder) : 0;
    if (n != 0 && strncmp(path, folder, n) == 0 && path[n] == '/')
        path += n + 1;
    size_t length = strlen(path);
    if (length >= sizeof out->file) {
        path += length - (sizeof out->file - 1);
        const char *slash = strchr(path, '/');
        if (slash != NULL)
            path = slash + 1;
    }
    snprintf(out->file, sizeof out->file, "%s", path);
}

static const char *folder_of(Dwarf_Die *unit) {
    Dwarf_Attribute a;
    return dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &a));
}

/* Where the inlined function of die was called. */
static void set_caller(struct fv_symbol *out, Dwarf_Die *die, Dwarf_Die *unit) {
    Dwarf_Attribute a;
    Dwarf_Word      line = 0, file = 0;
    Dwarf_Files    *files;
    size_t          n_files;
    if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &a), &line) == 0)
        out->line = (int)line;
    if (dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &a), &file) == 0 && dwarf_getsrcfiles(unit, &files, &n_files) == 0 && file < n_files) {
        const char *path = dwarf_filesrc(files, (size_t)file, NULL, NULL);
        if (path != NULL)
            set_file(out, path, folder_of(unit));
    }
}

/* The compilation unit.  Some compilers (clang) write no table of addresses: then each unit is asked. */
static Dwarf_Die *unit_of(Dwfl_Module *module, uint64_t address, Dwarf_Addr *bias_out) {
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias_out);
    if (unit == NULL)
        while ((unit = dwfl_module_nextcu(module, unit, bias_out)) != NULL && dwarf_haspc(unit, address - *bias_out) != 1)
            ;
    return unit;
}

unsigned fv_symbols_find(struct fv_symbols *s, uint64_t address, struct fv_symbol *out, unsigned room) {
    Dwfl_Module *module = dwfl_addrmodule(s->dwfl, address);
    if (module == NULL && look_at_maps(s)) /* loaded since */
        module = dwfl_addrmodule(s->dwfl, address);
    if (module == NULL || room == 0)
        return 0;
    Dwarf_Addr  bias = 0;
    Dwarf_Die  *unit = unit_of(module, address, &bias), *scopes = NULL;
    Dwarf_Line *line = unit != NULL ? dwarf_getsrc_die(unit, address - bias) : NULL;
    const char *name, *path;
    unsigned    n = 0;
    memset(out, 0, room * sizeof *out);
    if (line != NULL && (path = dwarf_linesrc(line, NULL, NULL)) != NULL) {
        set_file(&out[0], path, folder_of(unit));
        dwarf_lineno(line, &out[0].line);
    }
    int n_scopes = unit != NULL ? dwarf_getscopes(unit, address - bias, &scopes) : 0;
    if (n_scopes > 0) { /* outwards it goes on with where an inlined function is written; asked by its entry, where it was inlined */
        Dwarf_Die innermost = scopes[0];
        free(scopes);
        scopes = NULL;
        n_scopes = dwarf_getscopes_die(&innermost, &scopes);
    }
    for (int i = 0; i < n_scopes && n < room; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        if ((name = dwarf_diename(&scopes[i])) != NULL)
            snprintf(out[n].function, sizeof out[n].function, "%s", name);
        out[n].is_inlined = tag == DW_TAG_inlined_subroutine;
        n++;
        if (tag == DW_TAG_subprogram)
            break;
        if (n < room)
            set_caller(&out[n], &scopes[i], unit);
    }
    free(scopes);
    if (n == 0) { /* no debug information: the symbol table */
        if ((name = dwfl_module_addrname(module, address)) != NULL)
            snprintf(out[0].function, sizeof out[0].function, "%s", name);
        n = name != NULL || out[0].file[0] != '\0';
    }
    return n;
}

/* ------------------------------------------------------------------------------------------------ stacks
 *
 * A Dwfl is told once how to get at threads.  Ours has one, whose registers and memory are those of the stack that is looked at. */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg) {
    struct fv_symbols *s = arg;
    (void)dwfl;
    bool first = *thread_arg == NULL;
    *thread_arg = s;
    return first ? s->pid : 0;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread_arg) {
    (void)dwfl, (void)tid;
    *thread_arg = arg;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *word_out, void *arg) {
    const struct fv_stack *stack = ((struct fv_symbols *)arg)->stack;
    (void)dwfl;
    if (address < stack->sp || stack->bytes < sizeof *word_out || address - stack->sp > stack->bytes - sizeof *word_out)
        return false;
    memcpy(word_out, stack->data + (address - stack->sp), sizeof *word_out);
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg) {
    const struct fv_stack *stack = ((struct fv_symbols *)arg)->stack;
    dwfl_thread_state_register_pc(thread, stack->pc);
    return dwfl_thread_state_registers(thread, 0, stack->n_reg, (const Dwarf_Word *)stack->reg);
}

static const Dwfl_Thread_Callbacks threads = {
    .next_thread = next_thread, .get_thread = get_thread, .memory_read = read_memory, .set_initial_registers = set_registers};

struct frames {
    uint64_t *frame;
    unsigned  n, room;
};

static int on_frame(Dwfl_Frame *state, void *arg) {
    struct frames *f = arg;
    Dwarf_Addr     pc;
    bool           is_activation;
    if (f->n == f->room || !dwfl_frame_pc(state, &pc, &is_activation) || pc == 0)
        return DWARF_CB_ABORT;
    f->frame[f->n++] = is_activation ? pc : pc - 1;
    return DWARF_CB_OK;
}

unsigned fv_symbols_unwind(struct fv_symbols *s, const struct fv_stack *stack, uint64_t *frame_out, unsigned room) {
    struct frames f = {frame_out, 0, room};
    s->stack = stack;
    if (!s->is_attached && !s->cannot_unwind) {
        s->is_attached = dwfl_attach_state(s->dwfl, NULL, s->pid, &threads, s);
        s->cannot_unwind = !s->is_attached;
    }
    if (s->is_attached)
        (void)dwfl_getthread_frames(s->dwfl, s->pid, on_frame, &f); /* what was found before it went astray is good */
    if (f.n == 0 && room != 0)
        frame_out[f.n++] = stack->pc;
    return f.n;
}
#else
bool fv_symbols_there_are(void) { return false; }

struct fv_symbols *fv_symbols_open(pid_t pid) {
    (void)pid;
    return NULL;
}

void fv_symbols_close(struct fv_symbols *symbols) { (void)symbols; }

unsigned fv_symbols_find(struct fv_symbols *symbols, uint64_t address, struct fv_symbol *symbol_out, unsigned room) {
    (void)symbols, (void)address, (void)symbol_out, (void)room;
    return 0;
}

unsigned fv_symbols_unwind(struct fv_symbols *symbols, const struct fv_stack *stack, uint64_t *frame_out, unsigned room) {
    (void)symbols;
    if (room != 0)
        *frame_out = stack->pc;
    return room != 0;
}
#endif
