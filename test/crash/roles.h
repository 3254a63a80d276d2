/* roles.h: one process that acts as supervisor, workers and driver in turn.
 *
 * Run by:          the crash harness.  roles_format() makes a fresh segment that children share; act() changes
 *                  who we are: `fv_self`, which slots are ours, and what we hold.
 */
#ifndef ROLES_H
#define ROLES_H

#include "core/task.h"

enum { SUPERVISOR, VICTIM, OTHER, DRIVER, THIRD, FIRST_ACTOR, SECOND_ACTOR, ROLES }; /* process slots, too */

#define ROLES_SLAB 32 /* task slots of each */

extern struct fv_self roles_self[ROLES];

void roles_format(void);
/* makes a self for a slot (again, after a death) */
void roles_open(unsigned role);
struct fv_self *act(unsigned role);
void roles_swap_holds(unsigned role); /* hold_roles.c */

#endif
