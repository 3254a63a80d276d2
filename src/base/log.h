/* log.h: lines on standard error.
 *
 * Run by:          every process.
 * Shared state:    none; one write(2) a line, so that lines of several processes do not mix.
 * If it dies here: at most the line is lost.
 * Not here:        events and traces; those are in shared memory.
 */
#ifndef FV_LOG_H
#define FV_LOG_H

#include <stdbool.h>

/* set from the option "quiet": fv_warn and fv_logf say nothing */
extern bool fv_quiet;

/* "fever: warning: ..." and "fever: ...".  No newline in the format.  errno is kept. */
void fv_warn(const char *format, ...) __attribute__((format(printf, 1, 2), cold));
void fv_logf(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* "fever: text", also when quiet.  Async-signal-safe. */
void fv_log_raw(const char *text) __attribute__((cold));

#endif
