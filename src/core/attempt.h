/* core/attempt.h: the log of attempts: what became of those that did not end well.
 *
 * Written by the supervisor after a death, and by a worker when it repeats a task that reported an error.  See struct fv_attempt
 * in shm/layout.h for what a torn entry is.
 */
#ifndef FV_CORE_ATTEMPT_H
#define FV_CORE_ATTEMPT_H

#include "fever.h"
#include "shm/segment.h"

/* Adds an entry; number and check are set here.  Any process, any thread; a few stores and one fetch-and-add. */
void fv_attempt_note(const struct fv_attempt *attempt);
/* The attempts of a task that the log still has, oldest first: at most room, the last ones.  How many it has. */
uint32_t fv_attempts_of(uint64_t task, struct fv_attempt *attempts_out, uint32_t room);

#endif
