/* plat/symbol.h: the function, file and line of an address.  The only user of elfutils.
 *
 * Run by:          who reads an error: drivers, bodies, the tools.
 * Shared state:    none; reads the files that a process has mapped.
 * Threads:         one at a time for one struct fv_symbols.
 * Without libdw nothing is found.
 */
#ifndef FV_PLAT_SYMBOL_H
#define FV_PLAT_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fv_stack;
struct fv_symbols;

struct fv_symbol {
    char function[64]; /* empty: not known */
    char file[128];    /* as the compiler was given it, the end of it if it is long; empty: not known */
    int  line;
    bool is_inlined;   /* into the next one */
};

/* Is there a reader of debug information in this library? */
bool fv_symbols_there_are(void);
/* Of a process, of this one or another.  NULL when it cannot be had. */
struct fv_symbols *fv_symbols_open(pid_t pid);
void fv_symbols_close(struct fv_symbols *symbols);
/* What lies at an address: the innermost inlined function first, then what it was inlined into.  Returns how many, at most room;
 * 0 when nothing is known. */
unsigned fv_symbols_find(struct fv_symbols *symbols, uint64_t address, struct fv_symbol *symbol_out, unsigned room);
/* The calls on the copied stack (plat/stack.h) of a process with the same files: addresses, the innermost first, each in its call.  How
 * many, at most room. */
unsigned fv_symbols_unwind(struct fv_symbols *symbols, const struct fv_stack *stack, uint64_t *frame_out, unsigned room);

#endif
