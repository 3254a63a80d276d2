/* run/spare.h: spares: processes that stand in for blocked workers, and what is done when there are none left.
 *
 * Run by:          the supervisor.
 */
#ifndef FV_RUN_SPARE_H
#define FV_RUN_SPARE_H

#include "base/base.h"

/* Somebody rang: spares for all blocked workers that want one.  When all processes are blocked for good one of them is told so. */
void fv_spare_find(void);
/* The same, again and again while some are short; ever more seldom, up to most_ns. */
void fv_spare_tick(uint64_t most_ns);
/* When to look again; 0: nobody waits. */
uint64_t fv_spare_wait_ns(void);
/* A spare that serves the dispatcher from its start: its slot; 0: there is none to be had. */
uint32_t fv_spare_for_dispatcher(void);

#endif
