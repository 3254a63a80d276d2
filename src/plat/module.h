/* plat/module.h: which files the code of this process comes from.
 *
 * Run by:          any process.
 * Shared state:    none.
 */
#ifndef FV_PLAT_MODULE_H
#define FV_PLAT_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The mapped file that holds an address: its name without folders, and the difference to an address of the file.  False when
 * there is none. */
bool fv_module_find(uint64_t address, uint64_t *base_out, char *name_out, size_t bytes);

#endif
