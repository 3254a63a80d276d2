/* obs/site.h: where in the program a call was made: an address of the driver in words.
 *
 * Run by:          the tools.
 * Shared state:    none; reads the files that the driver has mapped.
 */
#ifndef FV_OBS_SITE_H
#define FV_OBS_SITE_H

#include "obs/read.h"

/* "file.c:12", or "program+0x1234" without debug information, or "0x..." when not even that is known; "" for 0.  Kept until the
 * next runtime is asked about, at most 4,096 of them. */
const char *fv_obs_site_text(const struct fv_obs *o, uint64_t site);

#endif
