/* obs/read.h: reads the segment of a runtime that goes on running: what the tools know, they know from here.
 *
 * Run by:          the tools, on a read-only mapping.
 * Shared state:    reads everything, writes nothing, takes no lock.
 * If it dies here: nobody notices.
 *
 * What is read may change at any time and may be damaged.  So the header is copied once and checked, every index is checked
 * against it, and records are copied before they are looked at.  Parts of the file that may be holes, and what offsets lead to,
 * are read by pread(2): touching a hole would allocate memory in the runtime's name.
 */
#ifndef FV_OBS_READ_H
#define FV_OBS_READ_H

#include "fever.h"
#include "shm/actor.h"
#include "shm/object.h"
#include "shm/options.h"
#include "shm/segment.h"

struct fv_obs {
    struct fv_segment         *head;   /* private copy, checked */
    struct fv_map              map;    /* the mapping */
    const struct fv_proc      *procs;
    const struct fv_task      *hot;
    const struct fv_task_cold *cold;
    const uint64_t            *supers, *chunks;
};

/* A task slot, as it was at some instant. */
struct fv_obs_task {
    uint32_t            index;
    unsigned            state; /* < FV_N_STATES */
    uint64_t            id;    /* the ref */
    struct fv_task      hot;
    struct fv_task_cold cold;
    struct fv_object_block object;        /* of an object; all 0 without one */
    struct fv_task_options_block options; /* of a task: its fixed part */
};

/* Takes over fd, also on failure.  0, or -FEVER_EINVAL or a negative errno value, with the reason in why. */
int  fv_obs_open(int fd, struct fv_obs *o, char *why, size_t why_bytes);
void fv_obs_close(struct fv_obs *o);

/* What an offset leads to: a copy, from the file, as it may be a hole.  False: beyond the segment. */
bool fv_obs_bytes(const struct fv_obs *o, uint64_t offset, void *to, size_t bytes);

/* Process slot p; false when nobody uses it. */
bool     fv_obs_proc(const struct fv_obs *o, uint32_t p, struct fv_proc *proc_out);
/* Task slots of process slot p that are allocated: p << shift .. + this. */
uint32_t fv_obs_slab(const struct fv_obs *o, uint32_t p);
/* One task slot; false when there is no such slot. */
bool     fv_obs_task(const struct fv_obs *o, uint32_t index, struct fv_obs_task *task_out);
/* That of a ref; false when it is gone. */
bool     fv_obs_ref(const struct fv_obs *o, uint64_t id, struct fv_obs_task *task_out);

/* "integrate", "object" or "promise"; its own name if it has one */
const char *fv_obs_task_name(const struct fv_obs *o, const struct fv_obs_task *t);
/* "file:line" of the definition, or NULL */
const char *fv_obs_task_place(const struct fv_obs *o, const struct fv_obs_task *t, char *buf, size_t bytes);
/* Refs that the task awaits; at most room of them are given, the number of all is returned. */
uint32_t    fv_obs_dependencies(const struct fv_obs *o, const struct fv_obs_task *t, uint64_t *ids_out, uint32_t room);
/* Bytes of the result or object; 0 while there is none. */
uint64_t    fv_obs_result_bytes(const struct fv_obs_task *t);
/* Processes that hold the ref, and results that contain it. */
uint32_t    fv_obs_holders(const struct fv_obs_task *t);
/* Why it failed; false when it did not. */
bool        fv_obs_error(const struct fv_obs *o, const struct fv_obs_task *t, struct fever_error *error_out);

/* An actor: its block, and the calls that wait, of all callers.  False: it is none, or is gone. */
struct fv_obs_actor {
    struct fv_actor block;
    uint64_t        depth;
    uint32_t        n_callers;
};
bool        fv_obs_actor(const struct fv_obs *o, const struct fv_obs_task *t, struct fv_obs_actor *actor_out);

/* Attempts of a task that did not end well and are still in the log, oldest first: at most room, the last ones.  How many. */
uint32_t fv_obs_attempts(const struct fv_obs *o, uint64_t id, struct fever_attempt *attempts_out, uint32_t room);

/* The data area, by chunks. */
struct fv_obs_store {
    uint64_t used, total;
    uint64_t largest_free; /* the largest object that fits: less than all that is free when it is fragmented */
    uint64_t file_used, file_total; /* of the fallback */
};
void     fv_obs_store(const struct fv_obs *o, struct fv_obs_store *store_out);
void     fv_obs_counters(const struct fv_obs *o, uint64_t sum_out[FV_N_COUNTERS]);

const char *fv_state_text(unsigned state);
const char *fv_wait_text(unsigned reason);
const char *fv_role_text(unsigned role);
const char *fv_counter_name(unsigned counter);
const char *fv_counter_text(unsigned counter);

/* 'R', 'S', 'T' ... as in proc(5); 0 when there is no such process (or thread: tid). */
char fv_obs_process_state(uint32_t pid, uint32_t tid);

#endif
