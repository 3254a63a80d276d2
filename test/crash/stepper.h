/* stepper.h: runs a process one instruction at a time, and ends or stops it between any two.
 *
 * Run by:          tests; the tracer is one thread of one process.
 * Shared state:    none of its own: tracer and victim share what was mapped before the fork.
 * Source:          ptrace(2), PTRACE_SINGLESTEP.  A string instruction with a repeat prefix counts once for each
 *                  round, as the processor can be interrupted there.
 *
 *     static void victim(void *arg) { prepare(); stepper_stepped(op); rest(); }
 *     ...
 *     struct stepper s;
 *     stepper_start(&s, victim, arg);       it stands before the first instruction of op
 *     if (stepper_step(&s, 17))             17 instructions later, op is not over
 *         stepper_kill(&s);
 */
#ifndef STEPPER_H
#define STEPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct stepper {
    pid_t pid;
    long  steps; /* taken so far */
    bool  ended; /* op is over */
    int   status;
};

/* Can this machine do it? */
bool stepper_works(void);
/* Forks the victim and runs it up to stepper_stepped().  False when it ended before. */
bool stepper_start(struct stepper *s, void (*victim)(void *), void *arg);
/* n instructions further; false when op was over after fewer. */
bool stepper_step(struct stepper *s, long n);
/* The same from the start of op, for a victim that does as one did before: runs it at full speed up to a breakpoint that was
 * met seldom, and steps the rest.  The trace is made by stepper_record(),
 * which steps to the end.  False also when the victim went another way. */
struct stepper_trace {
    uint64_t *at; /* instruction pointer after so many steps */
    long      n;
};
void stepper_record(struct stepper *s, struct stepper_trace *trace);
bool stepper_goto(struct stepper *s, const struct stepper_trace *trace, long k);
/* SIGKILL; true when that is what it died of. */
bool stepper_kill(struct stepper *s);
/* Lets it run to its end; its wait status. */
int  stepper_finish(struct stepper *s);

/* Victim: calls op; what happens in there is stepped.  In a process that is no victim: just calls it. */
void stepper_stepped(void (*op)(void));

#endif
