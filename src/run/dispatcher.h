/* run/dispatcher.h: the dispatcher: grants CPUs and custom resources to the tasks that ask for something special.
 *
 * Run by:          the supervisor.
 */
#ifndef FV_RUN_DISPATCHER_H
#define FV_RUN_DISPATCHER_H

#include "core/self.h"

/* new_spare: starts a spare that serves the dispatcher (asked is set already) and gives its slot; 0: there is none to be had. */
int fv_dispatch_open(struct fv_self *self, uint32_t (*new_spare)(void));
/* Looks at all that has happened, grants what can be granted.  When it wants to look again though nothing happens; 0: never. */
uint64_t fv_dispatch_turn(void);
/* The process in a slot has died, and is not swept after yet. */
void fv_dispatch_died(uint32_t slot);
/* The same of the process of an actor: what that held is free. */
void fv_dispatch_actor_died(uint32_t slot);
/* Before the supervisor sleeps: may it?  Else another turn is due.  And after it slept. */
bool fv_dispatch_sleep(void);
void fv_dispatch_wake(void);

#endif
