/* run/child.h: the processes in the slots of workers, spares and actors, as the supervisor knows them.
 *
 * Run by:          the supervisor; its state is private there (run/supervisor.c).
 */
#ifndef FV_RUN_CHILD_H
#define FV_RUN_CHILD_H

#include "base/base.h"

enum fv_child_state { FV_CHILD_NONE, FV_CHILD_RUNS, FV_CHILD_KILLED, FV_CHILD_WAITS_FOR_RESPAWN };

enum fv_child_state fv_child_state(uint32_t slot);
/* Forks a process into a slot that has none.  patron: of a spare, 1 + the slot that it stands in for, 0: none.  False: it failed. */
bool fv_child_spawn(uint32_t slot, uint32_t role, uint32_t patron);

#endif
