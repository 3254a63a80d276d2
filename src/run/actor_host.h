/* run/actor_host.h: the supervisor's side of actors: who gets a process, and whose process is ended. */
#ifndef FV_RUN_ACTOR_HOST_H
#define FV_RUN_ACTOR_HOST_H

#include "core/self.h"

/* start: forks a process for that actor, in the slot that find gives: 1; 0: all are in use; -1: it failed; end: kills the process in that slot. */
void fv_actor_host_init(struct fv_self *self, uint32_t (*find)(void), int (*start)(uint64_t actor), void (*end)(uint32_t slot));
/* The slot that the next one gets, 0: all are in use; and start, for one that is granted what it holds. */
uint32_t fv_actor_host_find(void);
int      fv_actor_host_start(uint64_t actor);
/* A queued bit: the actor in that slot wants a process, perhaps. */
void fv_actor_host_arrive(uint32_t index);
/* Gives processes to those that wait, as far as there are any.  True: call again soon. */
bool fv_actor_host_turn(void);
/* Those that are to be killed: who has no process ends here and now, who is to be restarted has its process ended. */
void fv_actor_host_end_waiting(void);

#endif
