/* core/failure.h: errors as objects: what is added to one on its way from the failure to who asks.
 *
 *   where the body was    by whoever makes the error (fv_error_frames)
 *   the attempts          by the same, from the log (fv_error_attempts)
 *   the chain             by the worker that fails a dependent (fv_error_depend)
 *   where it was          known to the home alone: by the home when it lets go of the failed task's arguments (fv_error_keep_sites),
 *   submitted             and when the error is read there (fv_error_sites)
 */
#ifndef FV_CORE_FAILURE_H
#define FV_CORE_FAILURE_H

#include "core/task.h"

void fv_error_frames(struct fever_error *e, const uint64_t *frame, uint32_t n);
void fv_error_attempts(struct fever_error *e, uint64_t task);
/* The last one, which is not in the log: when an error of the application ends a task, the error itself is the record. */
void fv_error_last_attempt(struct fever_error *e, uint64_t when_ns);
/* One more link: the task at index fails because of e. */
void fv_error_depend(struct fever_error *e, uint32_t index);
/* Addresses of submitting calls, as far as this process is home and the slots are not in use again. */
void fv_error_sites(struct fever_error *e);
/* The same in the stored error of a failed task of one's own slab. */
void fv_error_keep_sites(uint32_t index);

#endif
