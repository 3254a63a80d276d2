/* run/full.h: says on standard error what fills the store. */
#ifndef FV_RUN_FULL_H
#define FV_RUN_FULL_H

#include <stdint.h>

/* After fv_room_look(): no room for so many bytes.  One line, at most once a second. */
void fv_full_say(uint64_t bytes);

#endif
