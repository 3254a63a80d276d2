/* run/cpus.h: on which CPUs a worker's process runs, and how many threads its libraries should make.
 *
 * Run by:          workers, outside of bodies.
 */
#ifndef FV_RUN_CPUS_H
#define FV_RUN_CPUS_H

#include "core/self.h"

/* At the worker's start: notes what the user has set himself. */
void fv_cpus_open(void);
/* Before the task of that slot, which was granted to self: moves or widens the process as the grant says. */
void fv_cpus_take(struct fv_self *self, uint32_t index);
/* In it: it has been blocked, and its CPUs may be others now.  Where they are not, what it has set itself stays. */
void fv_cpus_retake(struct fv_self *self);
/* After it: k CPUs become one again, threads too. */
void fv_cpus_give_back(struct fv_self *self);
/* Back to the worker's own CPU. */
void fv_cpus_home(struct fv_self *self);

#endif
