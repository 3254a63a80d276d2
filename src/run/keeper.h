/* run/keeper.h: the keeper of the store, a process that writes cold objects to disk and reads them back, and what the supervisor
 * does for it.
 */
#ifndef FV_RUN_KEEPER_H
#define FV_RUN_KEEPER_H

#include <sys/types.h>

#include "core/self.h"
#include "run/event.h"

/* --- supervisor (keeper_host.c) -------------------------------------------------------------- */
void  fv_keeper_init(struct fv_loop *loop, struct fv_self *supervisor);
/* Starts it if it is wanted and it is time.  True: call again soon. */
bool  fv_keeper_tick(void);
/* A child has ended: the keeper, or another.  True: it was the keeper, and has been swept. */
bool  fv_keeper_reaped(pid_t pid, int status);
/* 0: there is none */
pid_t fv_keeper_pid(void);
/* At the end: lets go of the files, then ends it, and does not wait.  Whoever has a file last waits until the file system has its space back. */
void  fv_keeper_dismiss(void);

/* --- keeper (keeper.c) ----------------------------------------------------------------------- */
/* control: its end of a socket to the supervisor; fd: spill files of its predecessors, by number, -1: none. */
__attribute__((noreturn)) void fv_keeper_main(int control, const int *fd);

#endif
