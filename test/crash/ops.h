/* ops.h: the operations that the crash harness steps through, each in a state that matters.
 *
 * Run by:          test/crash/kill.c, in the victim and in the process that puts everything right afterwards.
 */
#ifndef OPS_H
#define OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "fever.h"

/* What all processes of one point share, beside the segment. */
struct shared {
    uint32_t runs[64]; /* how often body number i has begun */
    uint32_t taken[8]; /* how often item number i of a stream was taken */
    uint32_t quit;     /* idle waiter, taker: go */
    bool     ended;    /* the operation was over */
    long     astray;   /* points where the victim went another way than the first time */
    long     trace_n;
};
extern struct shared *shared;

enum expectation_kind { EXPECT_LONG, EXPECT_BIG, EXPECT_REF, EXPECT_FAIL, EXPECT_BYTES, EXPECT_STREAM, EXPECT_CANCELED /* or that value, or error */, EXPECT_DEAD /* FEVER_EACTORDEAD, or that value */ };
/* The body that the victim is in, if it is not that of the first expectation. */
extern fever_ref subject;
/* The setup of most that are in a body. */
void host_setup(void);
/* The role that we are holds ref, and in the end it must be complete with that value. */
void expect(fever_ref ref, enum expectation_kind kind, long value);

#define OP_PARKED 1u /* a process sleeps on the first expectation while op goes on: it must wake */
#define OP_IDLE   2u /* worker OTHER sleeps for want of work */
#define OP_HELPER 4u /* whoever repeats the body needs another worker at his side */
#define OP_SHORT  8u /* in the short run, too */
#define OP_BRIEF  16u /* in the short run of what is compiled without optimisation, too */
#define OP_TAKER  32u /* a process lets go of the items of the stream `subject` while its producer waits for room */
#define OP_ACTOR  64u /* there are actors: they live in processes of their own */
#define OP_TWICE  256u /* with the second kill in the whole run, too; as what is OP_BRIEF */
#define OP_DIES   128u /* only where the victim dies in the end: nobody goes on in its place otherwise */

/* In this order, and as whom:
 *   setup    DRIVER, before the victim is forked
 *   prepare  VICTIM: up to the first instruction of op (in_body: inside the body of a task of the driver's)
 *   staged   the process that recovers, while the victim stands there
 *   op       VICTIM, stepped through
 *   post     VICTIM, if it is still alive; and whoever repeats the body
 *   before   after the death, or while the victim stands still: before the others go on
 *   again    as before, after all that could go on has: uses slots again, in the layers that stop the victim
 *   then     what ends that, once the victim has gone on, or is dead
 *   finish   DRIVER, when all is at rest: lets go of what setup made
 */
struct scenario {
    const char *name;
    bool        in_body;
    unsigned    flags;
    void (*setup)(void);
    void (*prepare)(void);
    void (*staged)(void);
    void (*op)(void);
    void (*post)(void);
    void (*before)(void);
    void (*again)(void);
    void (*then)(void);
    void (*finish)(void);
};
extern const struct scenario scenarios[];
extern const unsigned        n_scenarios;
extern const struct scenario stream_scenarios[]; /* ops_stream.c */
extern const unsigned        n_stream_scenarios;
extern const struct scenario cancel_scenarios[]; /* ops_cancel.c */
extern const unsigned        n_cancel_scenarios;
extern const struct scenario host_scenarios[]; /* ops_host.c */
extern const unsigned        n_host_scenarios;
extern const struct scenario arena_scenarios[]; /* ops_arena.c */
extern const unsigned        n_arena_scenarios;
extern const struct scenario object_scenarios[]; /* ops_object.c */
extern const unsigned        n_object_scenarios;
extern const struct scenario grant_scenarios[]; /* ops_grant.c */
extern const unsigned        n_grant_scenarios;
extern const struct scenario store_scenarios[]; /* ops_store.c */
extern const unsigned        n_store_scenarios;
extern const struct scenario actor_scenarios[]; /* ops_actor.c */
extern const unsigned        n_actor_scenarios;
extern const struct scenario fallback_scenarios[]; /* ops_fallback.c */
extern const unsigned        n_fallback_scenarios;
extern const struct scenario *scenario; /* the current one */
/* Takes an item, at once, notes that, and checks that it was the first time; what fever_stream_next gives. */
int take_item(fever_ref stream);

/* Gives actors a process, waits until they have nothing to do, sweeps after them.  True: something has changed. */
bool actors_run(void);

/* DRIVER: before setup, after finish; VICTIM: before prepare. */
void begin_all(void);
void end_all(void);
void warm_up(void);
/* A fresh task for the driver, with another body number each. */
void submit_another(void);
/* One that a third worker dies of. */
fever_ref submit_for_third(void);

#endif
