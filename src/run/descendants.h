/* run/descendants.h: children that task code left behind, and that are the supervisor's now: how they are ended. */
#ifndef FV_RUN_DESCENDANTS_H
#define FV_RUN_DESCENDANTS_H

#include <sys/types.h>

/* Ends pid and its process group. */
void fv_descendants_end_group(pid_t pid);
/* Ends all children of this process but the logger. */
void fv_descendants_end(void);

#endif
