/* run/tidy.h: what tasks leave behind in their worker: seen, said and put right before the worker sleeps.
 *
 * A body may change anything that belongs to its process.  The next task in that worker is to find it as the first did.  The look
 * costs some microseconds, so it is taken when the worker has nothing to do, and not after each task.
 */
#ifndef FV_RUN_TIDY_H
#define FV_RUN_TIDY_H

#include "core/self.h"

/* name, what the task that ran last has done, what comes of it */
#define FV_LEFTOVERS(X) \
    X(CHILDREN, "left child processes running", "") \
    X(THREADS, "left threads running", "") \
    X(DESCRIPTORS, "left descriptors open", "") \
    X(DIRECTORY, "changed the working directory", "; it is set back") \
    X(UMASK, "changed the file mode mask", "; it is set back") \
    X(AFFINITY, "changed the CPU affinity", "; it is set back") \
    X(SIGMASK, "changed the signal mask", "; it is set back") \
    X(HANDLERS, "changed the handlers of fatal signals", "; they are set back") \
    X(TIMERS, "left timers armed", "; they are off") \
    X(LIMITS, "changed resource limits", "; they are set back") \
    X(ENVIRONMENT, "changed the environment", "; it is set back") \
    X(ORPHANING, "changed what happens when the supervisor dies", "; it is set back") \
    X(STANDARD, "closed or replaced standard input, output or error", "; the worker is replaced") \
    X(RUNTIME, "closed the runtime's descriptors", "; the worker is replaced")
enum fv_leftover {
#define FV_X(name, text, cure) FV_LEFT_##name,
    FV_LEFTOVERS(FV_X)
#undef FV_X
    FV_N_LEFTOVERS
};

#define FV_EXIT_REPLACED 123 /* status of a worker that leaves because it cannot be put right */

/* Worker, at its start: its own descriptors go where bodies do not meet them. */
void fv_tidy_hide_descriptors(void);
/* Worker, after its start and hook: this is how it should be. */
void fv_tidy_begin(void);
/* Worker: it has moved itself to another CPU. */
void fv_tidy_moved(void);
/* Worker, nothing to do: looks, says and puts right what tasks have changed since the last look.  False: that is not possible,
 * and a fresh process should take its place; proc->leftovers says why. */
bool fv_tidy_look(struct fv_self *self);

/* What was left, in words; "" when kind is none. */
const char *fv_leftover_text(unsigned kind);
const char *fv_leftover_cure(unsigned kind);

#endif
