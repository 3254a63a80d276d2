/* machine.h: the defaults that the machine decides.
 *
 * Run by:          the driver in fever_init().
 * Shared state:    none.
 */
#ifndef FV_MACHINE_H
#define FV_MACHINE_H

#include "base/options.h"
#include "plat/limits.h"
#include "plat/topo.h"

/* Sets the options that nobody gave and that have no fixed default: workers, store_bytes, store_warm, process_slots,
 * spill_dirs and spill_limit.  The last two by a look at the file system, all else is a pure function of its arguments. */
void fv_options_fill(struct fv_options *options, const struct fv_topo *topo, const struct fv_limits *limits);

#endif
