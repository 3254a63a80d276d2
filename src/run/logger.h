/* run/logger.h: the first thing that the logger does after its fork. */
#ifndef FV_RUN_LOGGER_H
#define FV_RUN_LOGGER_H

#include <sys/types.h>

/* It outlives the supervisor by 50 ms at most, whatever it is doing then. */
void fv_logger_watch(pid_t supervisor);

#endif
