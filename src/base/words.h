/* base/words.h: what the library and the tools say in the same words.
 *
 * Run by:          every process.
 * Shared state:    none.
 */
#ifndef FV_BASE_WORDS_H
#define FV_BASE_WORDS_H

#include <stddef.h>

#include "fever.h"

/* "SIGSEGV"; "signal 64" for one without a name */
const char *fv_signal_name(int number, char *buf, size_t bytes);
/* "worker 3 (pid 71) died of SIGSEGV at address 0x10": how an attempt ended */
const char *fv_attempt_text(const struct fever_attempt *a, char *buf, size_t bytes);
/* A function as its writer knows it: the body of a task has a longer name in the program, which FEVER_TASK gave it.  "?" for "". */
const char *fv_function_text(const char *function, char *buf, size_t bytes);
/* Is it what FEVER_TASK made to call a body?  From there on outwards it is the runtime's. */
bool fv_function_is_caller(const char *function);
/* "2.1 ms" */
const char *fv_seconds_text(double seconds, char *buf, size_t bytes);

#endif
