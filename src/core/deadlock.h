/* core/deadlock.h: bodies that wait for each other in a circle.
 *
 * No supervisor is needed: who is about to sleep says so, then follows the waits of others from what it waits for.  Of those in a
 * circle the last one to say so sees all of it.
 */
#ifndef FV_CORE_DEADLOCK_H
#define FV_CORE_DEADLOCK_H

#include "core/self.h"

/* A body waits for what the process slot's wait_ref names, and for that alone, without a time limit: does it wait for itself?  True: it is the
 * member of the circle that is to give up; self->why says who waits for whom.  Else it may sleep: if another is to give up, that has been rung.
 * Before each sleep, after the bell was read. */
bool fv_deadlock_told(struct fv_self *self, uint32_t seen);
/* The simplest case, known without a look: the body waits for its own task. */
void fv_deadlock_own(struct fv_self *self);

#endif
