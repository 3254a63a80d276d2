/* run/full.h: says on standard error what fills the store. */
#ifndef FV_RUN_FULL_H
#define FV_RUN_FULL_H

#include <stdint.h>

/* After fv_room_look() at the store: no room for so many bytes, and why nothing goes.  One line, at most once a second. */
void fv_full_say(uint64_t bytes, const char *why);

#endif
