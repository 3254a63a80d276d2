/* run/output.h: what workers write to standard output and error, on its way to the driver's.
 *
 * Each worker's two streams are pipes.  A process of its own, the logger, reads them and writes whole lines to the driver's
 * streams, so that neither the supervisor nor a task's death depends on who reads there.  The supervisor keeps the read ends too:
 * what a dead worker wrote stays, and a dead logger is replaced.
 */
#ifndef FV_RUN_OUTPUT_H
#define FV_RUN_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "run/event.h"

/* One worker process, as the supervisor and the logger know it. */
struct fv_output_source {
    uint32_t id;     /* never used again */
    uint32_t number; /* of the worker, as shown to people */
    int32_t  pid;
    int      fd[2];  /* read ends of its stdout and stderr */
    bool     ended;  /* its process has died */
    bool     untold; /* the logger has not heard of it, or of its end, yet */
    bool     known;  /* the logger has its descriptors */
};

/* Between supervisor and logger, over a socket that keeps messages apart. */
enum fv_output_what {
    FV_OUTPUT_NEW = 1, /* to the logger: a worker, two descriptors come along */
    FV_OUTPUT_ENDED,   /* to the logger: it has died, its last line may lack a newline */
    FV_OUTPUT_DRAINED  /* to the supervisor: all that it wrote has been read, and nobody can write any more */
};
struct fv_output_note {
    uint32_t what, id, number;
    int32_t  pid;
};

/* --- supervisor (output.c) ------------------------------------------------------------------- */
struct fv_output_pipes {
    int read[2], write[2];
};
void fv_output_init(struct fv_loop *loop);
/* When the first workers are forked: starts the logger, which inherits their pipes. */
void fv_output_begin(void);
/* Before the fork of a worker: its pipes.  False: it is to write to the driver's streams itself. */
bool fv_output_open(struct fv_output_pipes *pipes_out);
/* In that worker, after the fork, async-signal-safe; NULL: without pipes. */
void fv_output_attach(const struct fv_output_pipes *pipes);
/* In the supervisor, after the fork; pid below 0: it failed. */
void fv_output_forked(struct fv_output_pipes *pipes, uint32_t number, pid_t pid);
/* A child has ended: a worker, the logger, or another. */
void fv_output_reaped(pid_t pid);
/* Starts the logger if there is none and it is time; tells it what it could not be told.  True: call again soon. */
bool fv_output_tick(void);
pid_t fv_output_logger(void);
/* At the end, when nobody writes any more: waits until all is written.  Gives up limit_ns after the last progress.  False:
 * something was lost. */
bool fv_output_finish(uint64_t limit_ns, bool may_extend);

/* --- logger (logger.c) ----------------------------------------------------------------------- */
__attribute__((noreturn)) void fv_logger_main(int control, const struct fv_output_source *sources, uint32_t n, bool prefix);

#endif
